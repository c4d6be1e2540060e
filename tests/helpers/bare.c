/*
 * bare: a static program without any C library, for x86_64, aarch64 and, with -m32, i386: makes the folder "made" and
 * prints "mkdir ok", "mkdir EPERM" or "mkdir ?".
 */
#if defined(__x86_64__)
enum { WRITE = 1, EXIT = 60, MKDIRAT = 258 };

static long call(long nr, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "0"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}
#elif defined(__i386__)
enum { WRITE = 4, EXIT = 1, MKDIRAT = 296 };

static long call(long nr, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}
#else
enum { WRITE = 64, EXIT = 93, MKDIRAT = 34 };

static long call(long nr, long a, long b, long c)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
}
#endif

enum { FDCWD = -100, NOT_PERMITTED = -1 };

void _start(void)
{
	static const char ok[] = "mkdir ok\n", refused[] = "mkdir EPERM\n", other[] = "mkdir ?\n";
	long result = call(MKDIRAT, FDCWD, (long)"made", 0777);

	if (result == 0)
		call(WRITE, 1, (long)ok, sizeof ok - 1);
	else if (result == NOT_PERMITTED)
		call(WRITE, 1, (long)refused, sizeof refused - 1);
	else
		call(WRITE, 1, (long)other, sizeof other - 1);
	for (;;)
		call(EXIT, 0, 0, 0);
}
