#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../preload/fence.h"
#include "calls.h"
#include "mem.h"
#include "policy.h"
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

/* $uid and $gid are filled in when a fence is raised. */
static uint64_t launch_value(uint64_t value)
{
	return value == FENCE_PLACE_UID ? getuid() : value == FENCE_PLACE_GID ? getgid() : value;
}

static bool rule_holds(
    const struct image_header *h, const struct image_rule *r, const struct seccomp_data *d)
{
	const struct image_condition *c = image_part(h, IMAGE_CONDITIONS);
	uint32_t count = h->part[IMAGE_CONDITIONS].count;

	if (r->condition_first > count || r->condition_count > count - r->condition_first)
		return false;
	c += r->condition_first;
	for (uint32_t i = 0; i < r->condition_count; i++, c++) {
		struct condition condition = { .arg = c->arg,
			.op = (enum condition_op)c->op,
			.mask = c->mask,
			.value = launch_value(c->value) };

		if (c->arg >= sizeof d->args / sizeof d->args[0] || c->op > OP_GE ||
		    !condition_holds(&condition, (const uint64_t *)d->args))
			return false;
	}
	return true;
}

/* Calls that no rule names have no list of their own. */
static bool list_has(const struct image_rule *r, uint32_t count, uint32_t stage, int32_t number)
{
	for (uint32_t i = 0; i < count; i++)
		if (r[i].stage == stage && r[i].call == number)
			return true;
	return false;
}

const struct image_rule *image_decide(
    const struct image_header *h, uint32_t stage, const struct seccomp_data *d)
{
	enum { X32_BIT = 0x40000000 };
	enum abi abi = abi_native();
	const struct image_rule *r = image_part(h, IMAGE_RULES);
	uint32_t count = h->part[IMAGE_RULES].count;
	const struct call *call;
	int32_t number;

	if (abi == ABI_X86_64 && d->arch == abi_audit_arch(ABI_I386))
		abi = ABI_I386;
	else if (d->arch != abi_audit_arch(abi))
		return NULL;
	else if (abi == ABI_X86_64 && ((uint32_t)d->nr & X32_BIT) != 0 && d->nr != -1)
		abi = ABI_X32;
	call = call_numbered(abi, (uint32_t)d->nr);
	number = call == NULL ? IMAGE_CALL_UNKNOWN : call->nr[abi_native()];
	if (call != NULL && (number < 0 || !list_has(r, count, stage, number)))
		number = IMAGE_CALL_KNOWN;
	for (uint32_t i = 0; i < count; i++)
		if (r[i].stage == stage && r[i].call == number && rule_holds(h, &r[i], d))
			return &r[i];
	return NULL;
}

const char *image_note(const struct image_header *h, uint32_t at)
{
	uint32_t count = h->part[IMAGE_NOTES].count;
	const char *notes = image_part(h, IMAGE_NOTES);

	return at < count && notes[count - 1] == '\0' ? notes + at : "";
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
