#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"
#include "say.h"

uint32_t image_add(struct image_builder *b, enum image_part_name part, const void *entry)
{
	size_t size = image_entry(part);

	b->part[part].data = arena_grow(b->arena, b->part[part].data, b->part[part].count, size);
	memcpy(b->part[part].data + b->part[part].count * size, entry, size);
	return b->part[part].count++;
}

uint32_t image_add_text(struct image_builder *b, enum image_part_name part, const char *text)
{
	uint32_t at;

	/* the same words come again and again: every rule names its file */
	for (at = 0; at < b->part[part].count; at += (uint32_t)strlen(b->part[part].data + at) + 1)
		if (strcmp(b->part[part].data + at, text) == 0)
			return at;
	do
		image_add(b, part, text);
	while (*text++ != '\0');
	return at;
}

static size_t aligned(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

const void *image_finish(struct image_builder *b, const uint8_t digest[32], size_t *size)
{
	struct image_header h = { .magic = IMAGE_MAGIC,
		.format = IMAGE_FORMAT,
		.arch = IMAGE_ARCH,
		.no_stage = b->no_stage,
		.unknown_stage = b->unknown_stage };
	size_t at = aligned(sizeof h);
	char *data;

	if (b->part[IMAGE_STRINGS].count == 0)
		image_add_text(b, IMAGE_STRINGS, "");
	memcpy(h.digest, digest, sizeof h.digest);
	for (unsigned p = 0; p < IMAGE_PARTS; p++) {
		h.part[p] = (struct image_part){ (uint32_t)at, b->part[p].count };
		at = aligned(at + b->part[p].count * image_entry(p));
		if (p == IMAGE_STRINGS)
			h.head_size = (uint32_t)at;
	}
	if (at > IMAGE_SIZE_MAX)
		die("the policy image would be larger than %d MiB", IMAGE_SIZE_MAX >> 20);
	h.size = (uint32_t)at;
	data = arena_get(b->arena, at);
	for (unsigned p = 0; p < IMAGE_PARTS; p++)
		if (b->part[p].count > 0)
			memcpy(data + h.part[p].at, b->part[p].data,
			    b->part[p].count * image_entry(p));
	memcpy(data, &h, sizeof h);
	h.head_sum = image_sum(data + offsetof(struct image_header, digest),
	    h.head_size - offsetof(struct image_header, digest));
	memcpy(data, &h, sizeof h);
	*size = at;
	return data;
}

static bool write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		size -= (size_t)n;
	}
	return true;
}

bool image_write(const char *path, const void *data, size_t size)
{
	char name[4096];
	int n = snprintf(name, sizeof name, "%s.%ld.new", path, (long)getpid()), fd;
	struct stat old;
	bool good;

	if (strcmp(path, "-") == 0) {
		good = write_all(STDOUT_FILENO, data, size);
		if (!good)
			say("standard output: %s", strerror(errno));
		return good;
	}
	if (n < 0 || (size_t)n >= sizeof name) {
		say("%s: %s", path, strerror(ENAMETOOLONG));
		return false;
	}
	/* root's -o /dev/null would put a file in the device's place */
	if (lstat(path, &old) == 0 && !S_ISREG(old.st_mode)) {
		say("%s: there is something else than a regular file", path);
		return false;
	}
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0) {
		say("%s: %s", name, strerror(errno));
		return false;
	}
	/* whatever the umask: everybody's launches read it; nobody else may write it */
	good = write_all(fd, data, size) && fchmod(fd, 0644) == 0 && fsync(fd) == 0;
	good = close(fd) == 0 && good;
	good = good && rename(name, path) == 0;
	if (!good) {
		say("%s: %s", path, strerror(errno));
		unlink(name);
	}
	return good;
}
