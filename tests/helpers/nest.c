/*
 * nest COUNT [NAME=VALUE...]: executes itself COUNT times, with these variables set anew in each environment, then prints
 * its "Seccomp_filters:" line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : -1;
	char line[256], left[16];
	FILE *status;

	if (count < 0)
		return 2;
	if (count > 0) {
		snprintf(left, sizeof left, "%d", count - 1);
		argv[1] = left;
		for (int i = 2; i < argc; i++)
			putenv(argv[i]);
		execve("/proc/self/exe", argv, environ);
		perror("nest");
		return 2;
	}
	status = fopen("/proc/self/status", "r");
	while (status != NULL && fgets(line, sizeof line, status) != NULL)
		if (strncmp(line, "Seccomp_filters:", 16) == 0)
			fputs(line, stdout);
	return 0;
}
