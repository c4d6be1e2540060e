/*
 * libFuzzer: any bytes as a policy image. What image_check() calls good, wrapper and shim read; so everything of it is
 * read here, its programs are checked as the kernel would, and run. The mutator puts marks and sums right most of the
 * time, or nothing would come past them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../preload/fence.h"
#include "../../preload/image.h"
#include "../../wrapper/bpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);

static volatile size_t sink;

static void run_program(const struct sock_filter *from, uint32_t count, bool cookie)
{
	static const uint32_t secret[FENCE_COOKIE_WORDS] = { 1, 2, 3, 4, 5, 6 };
	struct sock_filter *code = malloc(count * sizeof *code);
	struct seccomp_data d = { .arch = IMAGE_ARCH };

	if (code == NULL)
		abort();
	memcpy(code, from, count * sizeof *code);
	if (cookie && count >= FENCE_ATTEST_COUNT + FENCE_COOKIE_COUNT) /* as the wrapper does */
		fence_cookie(code, secret);
	if (bpf_check(code, count) == NULL)
		for (d.nr = -1; d.nr < 8; d.nr++)
			sink += bpf_run(code, count, &d).action;
	free(code);
}

static void read_image(const struct image_header *h)
{
	static char first[] = "STAGEFENCE_STAGE=build", second[] = "A=", third[] = "B=step_1", fourth[] = "B=x";
	char *env[] = { first, second, third, fourth, NULL };
	const char *names[] = { "build", "", "*", "[", "\\", "step_1", "\xff", "aaaaaaaaaaaaaaaaaaaaaaaaab" }, *name;
	const uint32_t *variable = image_part(h, IMAGE_VARIABLES);
	const struct image_source *source = image_part(h, IMAGE_SOURCES);
	uint32_t picked = image_pick(h, env, &name);

	if (picked < IMAGE_PASS)
		sink += strlen(image_string(h, image_stage(h, picked)->name));
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		picked = image_find(h, names[i]);
		if (picked != IMAGE_NONE)
			sink += image_stage(h, picked)->flags;
	}
	for (uint32_t i = 0; i < h->part[IMAGE_VARIABLES].count; i++)
		sink += strlen(image_string(h, variable[i]));
	for (uint32_t i = 0; i < h->part[IMAGE_SOURCES].count; i++)
		sink += strlen(image_string(h, source[i].path)) + source[i].ino;
	for (uint32_t i = 0; i < h->part[IMAGE_STAGES].count; i++) {
		const struct image_stage *s = image_stage(h, i);
		const uint32_t programs[] = { s->exact, s->exec, s->outer };

		sink += strlen(image_string(h, s->name));
		/* no fence at all, or one for every way to run */
		if ((s->exact == IMAGE_NONE) != (s->exec == IMAGE_NONE))
			abort();
		for (unsigned k = 0; k < 3; k++) {
			const struct image_program *p = programs[k] != IMAGE_NONE ? image_program(h, programs[k])
										  : NULL;
			const struct sock_filter *code = p != NULL ? image_code(h, p) : NULL;

			if (p != NULL && (p->count == 0 || p->count > IMAGE_CODE_MAX))
				abort();
			if (code != NULL && i < 16)
				run_program(code, p->count, p->cookie != 0);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	if (image_check(copy, size) == IMAGE_GOOD)
		read_image(image_header(copy));
	free(copy);
	return 0;
}

static void put_right(uint8_t *data, size_t size)
{
	struct image_header h;
	struct image_program p;

	if (size < sizeof h)
		return;
	memcpy(&h, data, sizeof h);
	h.magic = IMAGE_MAGIC;
	h.format = IMAGE_FORMAT;
	h.arch = IMAGE_ARCH;
	h.size = (uint32_t)size;
	memcpy(data, &h, sizeof h);
	for (uint32_t i = 0; i < h.part[IMAGE_PROGRAMS].count && i < 64; i++) {
		size_t at = h.part[IMAGE_PROGRAMS].at + (size_t)i * sizeof p, code;
		uint64_t *words;

		if (at + sizeof p > size)
			break;
		memcpy(&p, data + at, sizeof p);
		code = h.part[IMAGE_CODE].at + (size_t)p.first * sizeof(struct sock_filter);
		if (p.count > IMAGE_CODE_MAX || code + p.count * sizeof(struct sock_filter) > size)
			continue;
		words = malloc(p.count * 8 + 8);
		if (words == NULL)
			abort();
		memcpy(words, data + code, p.count * 8);
		p.sum = image_sum(words, p.count * 8);
		free(words);
		memcpy(data + at, &p, sizeof p);
	}
	if (h.head_size <= size && h.head_size > offsetof(struct image_header, digest)) {
		size_t length = h.head_size - offsetof(struct image_header, digest);
		uint64_t *words = malloc(length + 8);

		if (words == NULL)
			abort();
		memcpy(words, data + offsetof(struct image_header, digest), length);
		h.head_sum = image_sum(words, length);
		free(words);
		memcpy(data + offsetof(struct image_header, head_sum), &h.head_sum, sizeof h.head_sum);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	const size_t cells = (sizeof(struct image_header) - offsetof(struct image_header, head_size)) / 4;

	/* half of the time one 32-bit cell of the header or the head's tables: there the bounds are */
	if (seed % 2 == 0 && size >= sizeof(struct image_header) + 64) {
		static const uint32_t values[] = { 0, 1, 7, 8, 135, 136, 0x7fffffff, 0x80000000, 0xfffffff8, 0xfffffffe,
			0xffffffff };
		size_t cell = (seed >> 1) % (cells + 96), at = offsetof(struct image_header, head_size) + 4 * cell;
		uint32_t value;

		if (at + 4 <= size) {
			memcpy(&value, data + at, 4);
			if (seed >> 10 & 1)
				value += (seed >> 11 & 15) - 8;
			else
				value = values[(seed >> 11) % (sizeof values / sizeof values[0])];
			memcpy(data + at, &value, 4);
		}
	} else
		size = LLVMFuzzerMutate(data, size, room);
	if (seed % 16 != 15)
		put_right(data, size);
	return size;
}
