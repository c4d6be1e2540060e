/*
 * handover unsealed|sealed FILE VALUE COMMAND [ARG...]: executes COMMAND (a path) with FILE's content in a memfd that is
 * open, and with STAGEFENCE_FENCE set to VALUE, in which "%d" stands for the memfd's number. The rest stays as it is.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char content[65536], value[64];
	int from = argc > 4 ? open(argv[2], O_RDONLY) : -1, fd = memfd_create("forged", MFD_ALLOW_SEALING);
	ssize_t n;
	char *at;

	while ((n = read(from, content, sizeof content)) > 0)
		if (write(fd, content, (size_t)n) != n)
			return 2;
	if (n < 0)
		return 2;
	close(from);
	if (strcmp(argv[1], "sealed") == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
		return 2;
	at = strstr(argv[3], "%d");
	if (at == NULL)
		snprintf(value, sizeof value, "%s", argv[3]);
	else
		snprintf(value, sizeof value, "%.*s%d%s", (int)(at - argv[3]), argv[3], fd, at + 2);
	setenv("STAGEFENCE_FENCE", value, 1);
	execv(argv[4], argv + 4);
	perror(argv[4]);
	return 2;
}
