/*
 * reaper COMMAND...: runs COMMAND as a child, and inherits what it leaves behind. REAPER in the
 * environment is this process: a supervisor is its child, whoever looks for it. When the command is
 * done, waits for the others; exit status: the command's, as a shell has it, or death by SIGALRM
 * where one of the others was not gone in 10 seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char self[16];
	int status, result = 0;
	pid_t pid, child;

	if (argc < 2 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return 99;
	snprintf(self, sizeof self, "%d", (int)getpid());
	setenv("REAPER", self, 1);
	child = fork();
	if (child == 0) {
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	while ((pid = wait(&status)) > 0)
		if (pid == child) {
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			alarm(10); /* SIGALRM is what a shell sees of a supervisor that stays */
		}
	return result;
}
