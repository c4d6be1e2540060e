/*
 * seen [ARG...]: prints what a program can see of how it was started: arguments, environment, descriptors, signals,
 * umask, folder, process group. Two starts that print the same were the same.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	char folder[PATH_MAX];
	sigset_t blocked;
	struct rlimit limit;

	for (int i = 0; i < argc; i++)
		printf("argv %d %s\n", i, argv[i]);
	for (char **e = environ; *e != NULL; e++)
		if (strncmp(*e, "_=", 2) != 0)	/* the shell's, with the program's path */
			printf("env %s\n", *e);
	for (int fd = 0; fd < 1024; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0)
			printf("fd %d flags %d %#o\n", fd, fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	}
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (int s = 1; s < 65; s++) {
		struct sigaction action;

		if (sigismember(&blocked, s) == 1)
			printf("blocked %d\n", s);
		if (sigaction(s, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
			printf("disposition %d %s\n", s, action.sa_handler == SIG_IGN ? "ignored" : "handled");
	}
	printf("umask %#o\nfolder %s\n", umask(0), getcwd(folder, sizeof folder));
	printf("group %d session %d parent %d\n", getpgrp() == getpid(), getsid(0), getppid());
	for (int r = 0; r < RLIM_NLIMITS; r++)
		if (getrlimit(r, &limit) == 0)
			printf("limit %d %lu %lu\n", r, limit.rlim_cur, limit.rlim_max);
	return 0;
}
