/*
 * abi native|int80|x32: makes the folder "made" from 64-bit code through one of x86's three system call ABIs and prints
 * "native ok" and the like; the errno's number where it failed.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { NATIVE_MKDIR = 83, I386_MKDIR = 39, X32_BIT = 0x40000000 };

static long native(long nr, const char *path)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "0"(nr), "D"(path), "S"(0777) : "rcx", "r11", "memory");
	return result;
}

static long int80(long nr, const char *path)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"((int)nr), "b"(path), "c"(0777) : "memory", "r8", "r9", "r10", "r11");
	return result;
}

int main(int argc, char **argv)
{
	/* i386's pointers have 32 bits */
	char *path = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long result;

	if (argc != 2 || path == MAP_FAILED)
		return 2;
	strcpy(path, "made");
	if (strcmp(argv[1], "int80") == 0)
		result = int80(I386_MKDIR, path);
	else
		result = native(strcmp(argv[1], "x32") == 0 ? NATIVE_MKDIR | X32_BIT : NATIVE_MKDIR, path);
	if (result == 0)
		printf("%s ok\n", argv[1]);
	else
		printf("%s errno %ld\n", argv[1], -result);
	return 0;
}
