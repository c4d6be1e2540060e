/*
 * tricks.c: what the demo's job tries and no program of a bare machine does on request. Says what
 * came of it; exit status 0 if it was allowed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>

int main(int argc, char **argv)
{
	const char *what = "tricks";
	long result = -1;
	char letter;

	errno = EINVAL;
	if (argc == 2 && strcmp(argv[1], "debug") == 0) {
		what = "PTRACE_TRACEME";
		result = ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	} else if (argc == 2 && strcmp(argv[1], "type") == 0) {
		what = "TIOCSTI";
		/* a command for whoever sits at the terminal, letter by letter */
		for (const char *next = "exit\n"; *next != '\0'; next++) {
			letter = *next;
			result = ioctl(0, TIOCSTI, &letter);
		}
	}
	printf("tricks: %s: %s\n", what, result == 0 ? "done" : strerror(errno));
	return result != 0;
}
