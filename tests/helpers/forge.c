/*
 * forge IMAGE: prints where a policy image has what: "size N", "head N", "NAME AT COUNT BYTES" for each part, "program I
 * FIRST COUNT".
 * forge IMAGE OUTPUT EDIT...: writes a changed copy whose sums are right again, as somebody with malice would.
 *
 * An edit is FIELD=VALUE, or with a sign in front of the value: += and -= what is there, ^= turns bits over. Fields:
 * magic format arch size head_size no_stage unknown_stage, part.NAME.at and .count, stage.I.name .flags .exact .exec
 * .outer, pattern.I.text .stage, variable.I, source.I.path .present, program.I.first .count .flags .cookie .digest,
 * code.I.code .jumps .k (of all instructions), byte.I. And: nosum, which leaves the sums as they were.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../preload/image.h"

static const char *const part_names[IMAGE_PARTS] = { "STAGES", "PATTERNS", "VARIABLES", "SOURCES", "PROGRAMS", "STRINGS",
	"CODE", "RULES", "CONDITIONS", "NOTES" };

static unsigned char *data;
static size_t size;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "forge: %s\n", what);
	exit(2);
}

static struct image_header *header(void)
{
	return (struct image_header *)(void *)data;
}

/* The 4 bytes (1 for a byte) that a field's name means; read by scanf's rules, so "stage.0.exact" is found by
 * "stage.%u.exact". */
static unsigned char *find(const char *name, unsigned *width)
{
	static const struct {
		const char *name;
		size_t at;
	} plain[] = {
		{ "magic", offsetof(struct image_header, magic) },
		{ "format", offsetof(struct image_header, format) },
		{ "arch", offsetof(struct image_header, arch) },
		{ "size", offsetof(struct image_header, size) },
		{ "head_size", offsetof(struct image_header, head_size) },
		{ "no_stage", offsetof(struct image_header, no_stage) },
		{ "unknown_stage", offsetof(struct image_header, unknown_stage) },
	};
	static const struct {
		const char *list, *field;
		unsigned part;
		size_t at;
	} column[] = {
		{ "stage", "name", IMAGE_STAGES, offsetof(struct image_stage, name) },
		{ "stage", "flags", IMAGE_STAGES, offsetof(struct image_stage, flags) },
		{ "stage", "exact", IMAGE_STAGES, offsetof(struct image_stage, exact) },
		{ "stage", "exec", IMAGE_STAGES, offsetof(struct image_stage, exec) },
		{ "stage", "outer", IMAGE_STAGES, offsetof(struct image_stage, outer) },
		{ "stage", "inner", IMAGE_STAGES, offsetof(struct image_stage, inner) },
		{ "stage", "sinks", IMAGE_STAGES, offsetof(struct image_stage, sinks) },
		{ "stage", "agent", IMAGE_STAGES, offsetof(struct image_stage, agent) },
		{ "stage", "metadata", IMAGE_STAGES, offsetof(struct image_stage, metadata) },
		{ "pattern", "text", IMAGE_PATTERNS, offsetof(struct image_pattern, text) },
		{ "pattern", "stage", IMAGE_PATTERNS, offsetof(struct image_pattern, stage) },
		{ "variable", "", IMAGE_VARIABLES, 0 },
		{ "source", "path", IMAGE_SOURCES, offsetof(struct image_source, path) },
		{ "source", "present", IMAGE_SOURCES, offsetof(struct image_source, present) },
		{ "program", "first", IMAGE_PROGRAMS, offsetof(struct image_program, first) },
		{ "program", "count", IMAGE_PROGRAMS, offsetof(struct image_program, count) },
		{ "program", "flags", IMAGE_PROGRAMS, offsetof(struct image_program, flags) },
		{ "program", "cookie", IMAGE_PROGRAMS, offsetof(struct image_program, cookie) },
		{ "program", "digest", IMAGE_PROGRAMS, offsetof(struct image_program, digest) },
		{ "code", "code", IMAGE_CODE, 0 }, /* with the jumps: 4 bytes */
		{ "code", "k", IMAGE_CODE, offsetof(struct sock_filter, k) },
	};
	char list[32] = "", field[32] = "";
	unsigned i = 0;
	size_t at = 0;

	*width = 4;
	for (size_t n = 0; n < sizeof plain / sizeof plain[0]; n++)
		if (strcmp(name, plain[n].name) == 0)
			return data + plain[n].at;
	if (sscanf(name, "byte.%zu", &at) == 1 && at < size) {
		*width = 1;
		return data + at;
	}
	if (sscanf(name, "part.%31[A-Z].%31s", list, field) == 2)
		for (unsigned p = 0; p < IMAGE_PARTS; p++)
			if (strcmp(list, part_names[p]) == 0)
				return (unsigned char *)&header()->part[p] + (strcmp(field, "count") == 0 ? 4 : 0);
	if (sscanf(name, "%31[a-z].%u.%31s", list, &i, field) < 2)
		return NULL;
	for (size_t n = 0; n < sizeof column / sizeof column[0]; n++) {
		if (strcmp(list, column[n].list) != 0 || strcmp(field, column[n].field) != 0)
			continue;
		at = header()->part[column[n].part].at + (size_t)i * image_entry(column[n].part) + column[n].at;
		return at + 4 <= size ? data + at : NULL;
	}
	return NULL;
}

static void edit(char *text)
{
	char *equals = strchr(text, '='), *end;
	unsigned width;
	unsigned char *at;
	uint32_t value, have = 0;
	char how = '=';

	if (equals == NULL || equals == text)
		die("an edit is FIELD=VALUE");
	if (strchr("+-^", equals[-1]) != NULL) {
		how = equals[-1];
		equals[-1] = '\0';
	}
	*equals = '\0';
	value = (uint32_t)strtoul(equals + 1, &end, 0);
	if (*end != '\0')
		die("a value is a number");
	at = find(text, &width);
	if (at == NULL)
		die(text);
	memcpy(&have, at, width); /* both machines are little-endian */
	have = how == '+' ? have + value : how == '-' ? have - value : how == '^' ? have ^ value : value;
	memcpy(at, &have, width);
}

static void fix_sums(void)
{
	struct image_header *h = header();

	if (size < sizeof *h)
		return;
	for (uint32_t i = 0; i < h->part[IMAGE_PROGRAMS].count; i++) {
		size_t at = h->part[IMAGE_PROGRAMS].at + (size_t)i * sizeof(struct image_program);
		struct image_program *p = (struct image_program *)(void *)(data + at);
		size_t code;

		if (at + sizeof *p > size || h->part[IMAGE_PROGRAMS].at % 8 != 0)
			break;
		code = h->part[IMAGE_CODE].at + (size_t)p->first * sizeof(struct sock_filter);
		if (code % 8 == 0 && code + p->count * sizeof(struct sock_filter) <= size)
			p->sum = image_sum(data + code, p->count * sizeof(struct sock_filter));
	}
	if (h->head_size <= size && h->head_size >= offsetof(struct image_header, digest))
		h->head_sum = image_sum(h->digest, h->head_size - offsetof(struct image_header, digest));
}

static void print(void)
{
	const struct image_header *h = header();

	printf("size %zu\nhead %u\n", size, h->head_size);
	for (unsigned p = 0; p < IMAGE_PARTS; p++)
		printf("%s %u %u %u\n", part_names[p], h->part[p].at, h->part[p].count,
		    h->part[p].count * image_entry(p));
	for (uint32_t i = 0; i < h->part[IMAGE_PROGRAMS].count; i++)
		printf("program %u %u %u\n", i, image_program(h, i)->first, image_program(h, i)->count);
}

int main(int argc, char **argv)
{
	FILE *in = argc > 1 ? fopen(argv[1], "rb") : NULL, *out;
	bool sums = true;

	if (in == NULL || fseek(in, 0, SEEK_END) != 0)
		die("forge IMAGE [OUTPUT EDIT...]");
	size = (size_t)ftell(in);
	rewind(in);
	data = calloc(1, size);
	if (data == NULL || fread(data, 1, size, in) != size)
		die("the image cannot be read");
	fclose(in);
	if (image_check(data, size) != IMAGE_GOOD)
		die("what is forged must be good before");
	if (argc == 2) {
		print();
		free(data);
		return 0;
	}
	for (int i = 3; i < argc; i++)
		if (strcmp(argv[i], "nosum") == 0)
			sums = false;
		else
			edit(argv[i]);
	if (sums)
		fix_sums();
	out = fopen(argv[2], "wb");
	if (out == NULL || fwrite(data, 1, size, out) != size || fclose(out) != 0)
		die("the output cannot be written");
	free(data);
	return 0;
}
