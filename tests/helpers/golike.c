/*
 * golike: what a Go program looks like to the kernel, in C: static, no C library, threads by clone(2) on stacks of their
 * own, a handler on an alternate stack for SIGURG, with which the threads interrupt each other. It is no Go program, but
 * makes the calls that the Go runtime makes. Each of three threads tries to make a folder: "t0", "t1", "t2"; one line
 * each says how that went.
 */
#include "../../preload/raw.h"

enum {
	THREADS = 3,
	STACK = 65536,
	URGENT = 23,
	SIGSET_SIZE = 8,
	ON_STACK = 0x08000000,
	SIGINFO = 4,
	RESTART = 0x10000000,
	RESTORER = 0x04000000,
	/* VM, FS, FILES, SIGHAND, SYSVSEM, THREAD: those of runtime/os_linux.go */
	FLAGS = 0x100 | 0x200 | 0x400 | 0x800 | 0x40000 | 0x10000,
	FUTEX_WAIT = 0,
	FUTEX_WAKE = 1
};

static char stacks[THREADS][STACK] __attribute__((aligned(16)));
static char signal_stack[STACK] __attribute__((aligned(16)));
/* only one thread runs at a time: each is waited for before the next */
static volatile int finished, interrupted;

static void handle(int signal)
{
	(void)signal;
	interrupted++;
}

static void say(char which, const char *text)
{
	char line[32] = "thread 0 mkdir ";
	size_t n = raw_length(line);

	line[7] = which;
	raw_copy(line + n, text, raw_length(text));
	raw_call3(__NR_write, 1, (long)line, (long)(n + raw_length(text)));
}

__attribute__((used)) void golike_thread(long i)
{
	char name[] = { 't', (char)('0' + i), '\0' };
	long result = raw_call3(__NR_mkdirat, RAW_AT_FDCWD, (long)name, 0777);

	say(name[1], result == 0 ? "ok\n" : result == -RAW_EPERM ? "EPERM\n" : "?\n");
	/* as the runtime's preemption does */
	raw_call3(__NR_tgkill, raw_call3(__NR_getpid, 0, 0, 0), raw_call3(__NR_gettid, 0, 0, 0), URGENT);
	finished++;
	raw_call6(__NR_futex, (long)&finished, FUTEX_WAKE, 1, 0, 0, 0);
	for (;;)
		raw_call3(__NR_exit, 0, 0, 0);
}

/* clone(2) returns twice, the second time on a stack that this function's frame is not on. */
long golike_clone(long flags, void *stack, long argument);
void golike_restore(void);
#if defined(__x86_64__)
__asm__(".globl golike_clone\ngolike_clone:\n\tsub $16, %rsi\n\tmov %rdx, (%rsi)\n\txor %edx, %edx\n\txor %r10d, %r10d\n\txor %r8d, %r8d\n"
	"\tmov $56, %eax\n\tsyscall\n\ttest %rax, %rax\n\tjnz 1f\n\tmov (%rsp), %rdi\n\tcall golike_thread\n\tud2\n1:\tret\n"
	".globl golike_restore\ngolike_restore:\n\tmov $15, %eax\n\tsyscall\n"
	".globl _start\n_start:\n\tand $-16, %rsp\n\tcall golike_main\n\tud2\n");
#else
__asm__(".globl golike_clone\ngolike_clone:\n\tmov x9, x2\n\tmov x2, #0\n\tmov x3, #0\n\tmov x4, #0\n\tmov x8, #220\n\tsvc 0\n"
	"\tcbnz x0, 1f\n\tmov x0, x9\n\tbl golike_thread\n1:\tret\n"
	".globl golike_restore\ngolike_restore:\n\tmov x8, #139\n\tsvc 0\n"
	".globl _start\n_start:\n\tb golike_main\n");
#endif

__attribute__((used)) void golike_main(void)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask;
	} action = { handle, ON_STACK | SIGINFO | RESTART | RESTORER, golike_restore, 0 };
	struct {
		void *at;
		int flags;
		unsigned long size;
	} alternate = { signal_stack, 0, sizeof signal_stack };

	/* the threads inherit no alternate stack, so only the main thread has one */
	if (raw_call3(__NR_sigaltstack, (long)&alternate, 0, 0) != 0 ||
	    raw_call6(__NR_rt_sigaction, URGENT, (long)&action, 0, SIGSET_SIZE, 0, 0) != 0)
		raw_exit(2);
	raw_call3(__NR_tgkill, raw_call3(__NR_getpid, 0, 0, 0), raw_call3(__NR_gettid, 0, 0, 0), URGENT);
	for (long i = 0; i < THREADS; i++) {
		if (golike_clone(FLAGS, stacks[i] + STACK, i) < 0)
			raw_exit(3);
		for (int seen = finished; seen != i + 1; seen = finished)
			raw_call6(__NR_futex, (long)&finished, FUTEX_WAIT, seen, 0, 0, 0);
	}
	raw_exit(interrupted == THREADS + 1 ? 0 : 4);
}
