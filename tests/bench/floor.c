/*
 * floor: what no wrapper on this machine can undercut.
 *
 *	floor COMMAND [ARG...]
 *	floor -f COMMAND [ARG...] 9<FILTER
 *
 * Executes the command, a path, and nothing else; with -f, after it raised the filter that
 * descriptor 9 holds, as seccomp(2) takes it. Freestanding, as the wrapper is. No tool: it judges
 * nothing, and asks the kernel for no proof.
 */
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include "../../preload/raw.h"

static _Noreturn void leave(int status)
{
	for (;;)
		raw_call3(__NR_exit_group, status, 0, 0);
}

static void raise_filter(int fd)
{
	static struct sock_filter code[4096];
	long size = raw_call3(__NR_read, fd, (long)code, sizeof code);
	struct {
		unsigned short len;
		const struct sock_filter *filter;
	} program = { (unsigned short)(size / (long)sizeof *code), code };

	raw_call3(__NR_close, fd, 0, 0);
	if (size <= 0 || raw_call5(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    raw_call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program) != 0)
		leave(125);
}

_Noreturn void floor_main(long *stack);

_Noreturn void floor_main(long *stack)
{
	char **argv = (char **)(stack + 1), **env = argv + *stack + 1;

	argv++;
	if (argv[0] != NULL && raw_equal(argv[0], "-f")) {
		raise_filter(9);
		argv++;
	}
	if (argv[0] != NULL)
		raw_call3(__NR_execve, (long)argv[0], (long)argv, (long)env);
	leave(127);
}

#if defined(__x86_64__)
__asm__(".globl _start\n.type _start, @function\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n"
	"\tand $-16, %rsp\n\tcall floor_main\n\tud2\n");
#else
__asm__(
    ".globl _start\n.type _start, %function\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n"
    "\tb floor_main\n");
#endif
