/*
 * variant IMAGE...: is a program as it is raised under a listener the image's own in all but what
 * it must be? Every program of every stage, under a supervisor and under an agent, is run in the
 * interpreter on every number of every ABI, with arguments around each condition of the image and
 * random ones. Prints "PROGRAMS programs, INPUTS inputs"; exit status 1: a line for each
 * difference.
 */
#include <errno.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../preload/fence.h"
#include "../../wrapper/bpf.h"

enum { NUMBERS = 640, X32_BIT = 0x40000000, RANDOM = 6, SHOWN = 20 };

static unsigned long long inputs;
static unsigned programs, differences;

static uint64_t any(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15u;

	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return state;
}

static bool is_native(const struct seccomp_data *d)
{
	return d->arch == IMAGE_ARCH;
}

/* The two calls that are answered before the body is asked. */
static bool asks_for_listener(const struct seccomp_data *d, bool foreign)
{
	bool seccomp = is_native(d) && d->nr == __NR_seccomp;

#if defined(__x86_64__)
	seccomp = seccomp || (foreign && is_native(d) && d->nr == (X32_BIT | __NR_seccomp)) ||
	    (foreign && d->arch == AUDIT_ARCH_I386 && d->nr == 354);
#endif
	return seccomp && (uint32_t)d->args[0] == SECCOMP_SET_MODE_FILTER &&
	    ((uint32_t)d->args[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
}

struct pair {
	const struct sock_filter *image, *raised, *inner, *exact;
	size_t image_count, raised_count, inner_count, exact_count;
	enum fence_listener listener;
	bool foreign;
};

static uint32_t wanted(const struct pair *p, const struct seccomp_data *d, uint32_t image)
{
	/* the attestation and the wrapper's own exec come first */
	if (image == (SECCOMP_RET_ERRNO | FENCE_ANSWER))
		return image;
	if (is_native(d) && d->nr == __NR_prctl && (uint32_t)d->args[0] == FENCE_WAIT)
		return p->listener == FENCE_REPORT ? SECCOMP_RET_USER_NOTIF
						   : SECCOMP_RET_ERRNO | EINVAL;
	if (asks_for_listener(d, p->foreign))
		return SECCOMP_RET_ERRNO | EBUSY;
	if ((image & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_PROCESS &&
	    p->listener == FENCE_REPORT)
		return SECCOMP_RET_USER_NOTIF;
	if ((image & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
	    (image & SECCOMP_RET_DATA) != ENOSYS && p->listener == FENCE_REPORT)
		return SECCOMP_RET_USER_NOTIF;
	return image;
}

static void judge(const struct pair *p, const struct seccomp_data *d)
{
	uint32_t image = bpf_run(p->image, p->image_count, d).action;
	uint32_t have = bpf_run(p->raised, p->raised_count, d).action, want = wanted(p, d, image);

	inputs++;
	if (have != want && ++differences <= SHOWN)
		printf("arch %#x nr %d args %#llx %#llx %#llx: %#x, not %#x (image: %#x)\n",
		    d->arch, d->nr, d->args[0], d->args[1], d->args[2], have, want, image);
	if (p->inner == NULL || want == (SECCOMP_RET_ERRNO | EBUSY) ||
	    (is_native(d) && d->nr == __NR_prctl))
		return;

	/* both fences: what is told must not be answered by the inner one, and all else must be as
	 * if the exact one stood there */
	uint32_t inner = bpf_run(p->inner, p->inner_count, d).action;
	uint32_t exact = bpf_run(p->exact, p->exact_count, d).action;

	inputs++;
	if (have == SECCOMP_RET_USER_NOTIF ? inner != SECCOMP_RET_ALLOW || image != exact
					   : inner != exact)
		if (++differences <= SHOWN)
			printf("two fences: arch %#x nr %d: outer %#x, inner %#x, exact %#x\n",
			    d->arch, d->nr, have, inner, exact);
}

static void judge_call(const struct image_header *h, const struct pair *p, struct seccomp_data *d)
{
	const struct image_condition *c = image_part(h, IMAGE_CONDITIONS);
	static const uint64_t flags[] = { 0, 1, 8, 9, 0x28, 1ull << 35, 8 | 1ull << 40 };

	memset(d->args, 0, sizeof d->args);
	judge(p, d);
	memset(d->args, 0xff, sizeof d->args);
	judge(p, d);
	for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		d->args[0] = i % 2 == 0 ? SECCOMP_SET_MODE_FILTER
					: SECCOMP_SET_MODE_FILTER | 1ull << 32;
		d->args[1] = flags[i];
		judge(p, d);
	}
	d->args[0] = FENCE_WAIT | any() << 32;
	judge(p, d);
	for (uint32_t i = 0;
	     i<h->part[IMAGE_CONDITIONS].count; i += i> 64 ? (uint32_t)(any() % 32) + 1 : 1) {
		for (unsigned a = 0; a < 6; a++)
			d->args[a] = any();
		d->args[c[i].arg] = c[i].value + any() % 3 - 1;
		judge(p, d);
		d->args[c[i].arg] = (c[i].value & c[i].mask) | (any() & ~c[i].mask);
		judge(p, d);
	}
	for (unsigned i = 0; i < RANDOM; i++) {
		for (unsigned a = 0; a < 6; a++)
			d->args[a] = any() >> any() % 64;
		judge(p, d);
	}
}

static void judge_program(
    const struct image_header *h, const struct image_stage *s, uint32_t number)
{
	static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64,
		0 };
	const struct image_program *p = image_program(h, number);
	const struct sock_filter *code = image_code(h, p);
	static struct sock_filter raised[IMAGE_CODE_MAX + FENCE_GUARD_MAX];

	for (enum fence_listener listener = FENCE_REPORT; listener <= FENCE_AGENT; listener++) {
		struct pair pair = { .image = code,
			.image_count = p->count,
			.raised = raised,
			.listener = listener,
			.foreign = (s->flags & STAGE_FOREIGN) != 0 };

		pair.raised_count = fence_listened(raised, code, p, listener, pair.foreign);
		programs++;
		if (pair.raised_count > p->count + FENCE_GUARD_MAX ||
		    bpf_check(raised, pair.raised_count) != NULL) {
			printf("program %u: the kernel would not take it\n", number);
			differences++;
			continue;
		}
		if (number == s->outer && s->inner != s->exact &&
		    (listener == FENCE_AGENT) == ((s->flags & STAGE_AGENT) != 0)) {
			pair.inner = image_code(h, image_program(h, s->inner));
			pair.inner_count = image_program(h, s->inner)->count;
			pair.exact = image_code(h, image_program(h, s->exact));
			pair.exact_count = image_program(h, s->exact)->count;
		}
		for (unsigned a = 0; a < sizeof arches / sizeof arches[0]; a++) {
			struct seccomp_data d = { .arch = arches[a] };

			for (int nr = -1; nr < NUMBERS; nr++) {
				d.nr = nr;
				judge_call(h, &pair, &d);
				d.nr = nr | X32_BIT;
				if (a == 0 && (nr == 317 || nr % 16 == 0))
					judge_call(h, &pair, &d);
			}
		}
	}
}

int main(int argc, char **argv)
{
	static _Alignas(8) char data[4 << 20];

	for (int i = 1; i < argc; i++) {
		FILE *in = fopen(argv[i], "rb");
		size_t size = in != NULL ? fread(data, 1, sizeof data, in) : 0;
		const struct image_header *h = image_header(data);

		if (image_check(data, size) != IMAGE_GOOD) {
			printf("%s: no image\n", argv[i]);
			return 1;
		}
		fclose(in);
		for (uint32_t n = 0; n < h->part[IMAGE_STAGES].count; n++) {
			const struct image_stage *s = image_stage(h, n);

			if (s->exact == IMAGE_NONE)
				continue;
			judge_program(h, s, s->exact);
			if (s->exec != s->exact)
				judge_program(h, s, s->exec);
			if (s->outer != IMAGE_NONE)
				judge_program(h, s, s->outer);
		}
	}
	printf("%u programs, %llu inputs\n", programs, inputs);
	return differences > 0 || programs == 0;
}
