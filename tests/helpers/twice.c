/*
 * twice NAME=VALUE... -- COMMAND [ARG...]: executes COMMAND (a path) with this environment, each entry as it is given;
 * no shell can put one variable into it twice.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	char *env[64];
	int n = 0, i = 1;

	for (; i < argc && strcmp(argv[i], "--") != 0 && n < 32; i++)
		env[n++] = argv[i];
	for (char **e = environ; *e != NULL && n < 63; e++)
		if (strncmp(*e, "STAGEFENCE_", 11) != 0)
			env[n++] = *e;
	env[n] = NULL;
	if (i + 1 >= argc)
		return 2;
	execve(argv[i + 1], argv + i + 1, env);
	perror(argv[i + 1]);
	return 2;
}
