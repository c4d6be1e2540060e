/*
 * readback PID: the seccomp filters of a process, the newest first, read back from the kernel as root (ptrace(2),
 * PTRACE_SECCOMP_GET_FILTER): how many on standard error, and the newest's instructions on standard output.
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static int fail(const char *what)
{
	fprintf(stderr, "readback: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	static struct sock_filter code[BPF_MAXINSNS];
	pid_t pid = argc == 2 ? atoi(argv[1]) : 0;
	long count;
	int status, filters = 0;

	if (pid <= 0)
		return 2;
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0)
		return fail("PTRACE_SEIZE");
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0 || waitpid(pid, &status, 0) != pid)
		return fail("PTRACE_INTERRUPT");
	while (ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)(long)filters, NULL) > 0)
		filters++;
	count = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, NULL, code);
	if (count < 0)
		return fail("PTRACE_SECCOMP_GET_FILTER");
	fprintf(stderr, "%d\n", filters);
	return fwrite(code, sizeof *code, (size_t)count, stdout) == (size_t)count ? 0 : fail("standard output");
}
