/*
 * try CALL...: makes each system call once, past the C library's own ideas, and prints "CALL ok" or "CALL ERRNO". It is
 * built in several ways: dynamic, static, with musl, with AddressSanitizer. Arguments do no harm; mkdir makes "made".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *error_name(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = { { EPERM, "EPERM" }, { ENOENT, "ENOENT" }, { EBADF, "EBADF" }, { EACCES, "EACCES" },
		{ EFAULT, "EFAULT" }, { EEXIST, "EEXIST" }, { EINVAL, "EINVAL" }, { ENOSYS, "ENOSYS" } };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].error == error)
			return names[i].name;
	return "another errno";
}

/* The result of the call of that name; -2 where there is none. */
static long call(const char *name)
{
	if (strcmp(name, "mkdir") == 0)
		return syscall(SYS_mkdirat, AT_FDCWD, "made", 0777);
	if (strcmp(name, "openat") == 0)
		return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
	if (strcmp(name, "read") == 0) /* EBADF is the kernel's answer */
		return syscall(SYS_read, -1, name, 0);
	if (strcmp(name, "mmap-exec") == 0)
		return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1 ? -1 : 0;
	if (strcmp(name, "execve") == 0)
		return syscall(SYS_execve, "/no/such", NULL, NULL);
	if (strcmp(name, "execveat") == 0)
		return syscall(SYS_execveat, AT_FDCWD, "/no/such", NULL, NULL, 0);
	if (strcmp(name, "own-uid") == 0)
		return syscall(SYS_setuid, getuid());
	if (strcmp(name, "own-gid") == 0)
		return syscall(SYS_setgid, getgid());
	if (strcmp(name, "no-uid") == 0) /* EINVAL is the kernel's answer, even to root */
		return syscall(SYS_setuid, -1);
	if (strcmp(name, "no-gid") == 0)
		return syscall(SYS_setgid, -1);
	if (strcmp(name, "uname") == 0) /* EFAULT is the kernel's answer */
		return syscall(SYS_uname, NULL);
	return -2;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		long result = call(argv[i]);

		if (result == -2)
			return 2;
		dprintf(1, "%s %s\n", argv[i], result >= 0 ? "ok" : error_name(errno));
	}
	return 0;
}
