/*
 * anonymous FILE COMMAND [ARG...]: executes COMMAND with a copy of FILE in a memfd, and "{}" among its arguments replaced
 * by the memfd's path.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char path[32];
	int from = argc > 2 ? open(argv[1], O_RDONLY) : -1, fd = memfd_create("anonymous", 0);
	ssize_t n;

	while ((n = sendfile(fd, from, NULL, 1 << 20)) > 0)
		;
	if (n < 0)
		return 2;
	close(from);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], "{}") == 0)
			argv[i] = path;
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 2;
}
