#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"
#include "say.h"

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		say_at(path, 0, "%s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		say_at(path, 0, "not a regular file");
	} else
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

const char *input_read(
    struct arena *a, const char *path, size_t max, const char **name, size_t *size)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open_file(path);
	char *text;
	ssize_t n;

	*name = standard ? "standard input" : path;
	*size = 0;
	if (fd < 0)
		return NULL;
	text = arena_get(a, max + 1);
	while ((n = read(fd, text + *size, max + 1 - *size)) > 0 || (n < 0 && errno == EINTR))
		*size += n > 0 ? (size_t)n : 0;
	if (n < 0)
		say_at(*name, 0, "%s", strerror(errno));
	if (!standard)
		close(fd);
	return n < 0 ? NULL : text;
}
