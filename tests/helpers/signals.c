/* signals COMMAND [ARG...]: executes COMMAND with USR1 and RTMIN+3 blocked, HUP and CHLD ignored. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	if (argc < 2)
		return 2;
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 2;
}
