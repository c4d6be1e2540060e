/*
 * early-environ.so: a preload library whose constructor, before that of any library behind it, replaces the environment:
 * by a copy on the heap, or with EARLY_CLEAR set by none at all.
 */
#include <stdlib.h>
#include <string.h>

extern char **environ;

static __attribute__((constructor)) void replace(int argc, char **argv, char **envp)
{
	char **from = environ != NULL ? environ : envp, **copy;	/* as the shim itself looks for it */
	size_t n = 0;

	(void)argc;
	(void)argv;
	while (from[n] != NULL)
		n++;
	copy = malloc((n + 1) * sizeof *copy);
	for (size_t i = 0; i < n; i++) {
		if (strncmp(from[i], "EARLY_CLEAR=", 12) == 0) {
			environ = NULL;
			return;
		}
		copy[i] = from[i];
	}
	copy[n] = NULL;
	environ = copy;
}
