/*
 * flip IMAGE: cuts a policy image at every length, lengthens it, and changes every byte of it, and each time asks
 * image_check() and, where that finds nothing, reads everything that a launch could read. To be built with
 * -fsanitize=address,undefined: each image lies in memory of exactly its size. Prints what was done; exit status 1: a
 * damage that should be seen was not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../preload/image.h"

static unsigned long wrong;

static void expect(bool good, const char *what, size_t at, unsigned value)
{
	if (!good && ++wrong <= 20)
		printf("%s at %zu, 0x%02x\n", what, at, value);
}

/* Everything that image_check() vouches for; returns how many programs are sound. */
static unsigned read_all(const struct image_header *h)
{
	static char first[] = "STAGEFENCE_STAGE=build", second[] = "FIRST=*", third[] = "OTHER=[";
	char *env[] = { first, second, third, NULL };
	const char *names[] = { "build", "", "*", "step_1", "[", "\\", "x" }, *name;
	const uint32_t *variable = image_part(h, IMAGE_VARIABLES);
	const struct image_pattern *pattern = image_part(h, IMAGE_PATTERNS);
	const struct image_source *source = image_part(h, IMAGE_SOURCES);
	volatile size_t read = 0;
	unsigned sound = 0;

	for (uint32_t i = 0; i < h->part[IMAGE_STAGES].count; i++) {
		const struct image_stage *s = image_stage(h, i);
		const uint32_t programs[] = { s->exact, s->exec, s->outer, s->inner };

		read += strlen(image_string(h, s->name)) + strlen(image_string(h, s->sinks)) +
		    strlen(image_string(h, s->agent)) + strlen(image_string(h, s->metadata));
		for (unsigned p = 0; p < 4; p++)
			if (programs[p] != IMAGE_NONE)
				read += image_program(h, programs[p])->count;
	}
	for (uint32_t i = 0; i < h->part[IMAGE_PATTERNS].count; i++)
		read += strlen(image_string(h, pattern[i].text)) + image_stage(h, pattern[i].stage)->flags;
	for (uint32_t i = 0; i < h->part[IMAGE_VARIABLES].count; i++)
		read += strlen(image_string(h, variable[i]));
	for (uint32_t i = 0; i < h->part[IMAGE_SOURCES].count; i++)
		read += strlen(image_string(h, source[i].path));
	for (uint32_t i = 0; i < h->part[IMAGE_PROGRAMS].count; i++)
		sound += image_code(h, image_program(h, i)) != NULL;
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		read += image_find(h, names[i]);
	read += image_pick(h, env, &name);
	/* what is read matters, not what it comes to */
	(void)read;
	return sound;
}

/* The first size bytes of data, in memory of their own that ends there. */
static void *copy(const unsigned char *data, size_t have, size_t size)
{
	unsigned char *c = malloc(size > 0 ? size : 1);

	if (c == NULL)
		exit(2);
	memset(c, 0x5a, size);
	memcpy(c, data, have < size ? have : size);
	return c;
}

int main(int argc, char **argv)
{
	unsigned long cut = 0, longer = 0, in_head = 0, in_code = 0, in_rest = 0;
	FILE *in = argc == 2 ? fopen(argv[1], "rb") : NULL;
	unsigned char *data = malloc(IMAGE_SIZE_MAX);
	size_t size = in == NULL || data == NULL ? 0 : fread(data, 1, IMAGE_SIZE_MAX, in);
	unsigned char *changed;
	const struct image_header *h;
	unsigned programs;
	size_t head, code, code_end;

	if (size == 0)
		return fprintf(stderr, "flip IMAGE\n"), 2;
	fclose(in);
	changed = copy(data, size, size);
	h = (const void *)changed;
	if (image_check(changed, size) != IMAGE_GOOD)
		return fprintf(stderr, "flip IMAGE, a good one\n"), 2;
	programs = read_all(h);
	expect(programs == h->part[IMAGE_PROGRAMS].count, "an unsound program", 0, 0);
	head = h->head_size;
	code = h->part[IMAGE_CODE].at;
	code_end = code + h->part[IMAGE_CODE].count * sizeof(struct sock_filter);

	for (size_t n = 0; n < size; n++, cut++) {
		void *c = copy(data, size, n);

		expect(image_check(c, n) != IMAGE_GOOD, "cut and good", n, 0);
		free(c);
	}
	for (size_t n = 1; n <= 64; n++, longer++) {
		void *c = copy(data, size, size + n);

		expect(image_check(c, size + n) == IMAGE_WRONG_SIZE, "longer and good", n, 0);
		/* one that says so itself is whole, whatever lies behind its parts, and of any size */
		((struct image_header *)c)->size += (uint32_t)n;
		expect(image_check(c, size + n) == IMAGE_GOOD && read_all(c) == programs, "not whole", n, 0);
		free(c);
	}
	for (size_t at = 0; at < size; at++)
		for (unsigned value = 1; value < 256; value++) {
			/* in the tail one bit at a time is enough */
			if (at >= code && (value & (value - 1)) != 0)
				continue;
			changed[at] ^= (unsigned char)value;
			if (at < head) {
				expect(image_check(changed, size) != IMAGE_GOOD, "changed and good", at, value);
				in_head++;
			} else {
				unsigned sound = image_check(changed, size) == IMAGE_GOOD ? read_all(h) : ~0u;

				if (at >= code && at < code_end) {
					expect(sound < programs, "changed code and sound", at, value);
					in_code++;
				} else {
					expect(sound == programs, "refused", at, value);
					in_rest++;
				}
			}
			changed[at] ^= (unsigned char)value;
		}
	printf("%zu bytes: cut %lu times, lengthened %lu times; changed %lu times in the head, %lu in programs, %lu behind; "
	       "%lu wrong\n",
	    size, cut, longer, in_head, in_code, in_rest, wrong);
	free(changed);
	free(data);
	return wrong == 0 ? 0 : 1;
}
