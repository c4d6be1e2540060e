/*
 * same CONF STAGE FILE...: does a stage's compiled filter answer as the programs in FILE do (struct sock_filter, raw; "other
 * CONF:STAGE" compares with a second stage)? On every ABI and call number to past the newest, and for every number whose answer
 * depends on arguments, in either, on all the constants that either compares with, their neighbours, and dirty halves.
 * Prints what differs, one line for each number, and for each kind of difference its count. Exit 0: nothing does.
 *
 *	-a	a call by an ABI that is not admitted may kill the process where the other kills the thread only, and by one that
 *		is admitted, but not native, a stricter answer is good: both are counted
 */
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../wrapper/bpf.h"
#include "../wrapper/calls.h"
#include "../wrapper/conf.h"
#include "../wrapper/filter.h"
#include "../wrapper/mem.h"
#include "../wrapper/policy.h"

enum { ARGUMENTS = 6, NUMBERS = 640, X32 = 0x40000000, VALUES_MAX = 4096, MIXES = 4000, SHOWN = 20 };

static struct arena *arena;
static struct program ours, theirs;
static const struct stage *stage;
static bool lenient;
static unsigned long judged, differing, not_admitted, stricter;

/* ---- programs ---- */

static struct program compiled(const char *conf, const char *name)
{
	struct sources sources;
	struct program out = { NULL, 0 };
	char vendor[] = "/nonexistent";
	const struct policy *p = conf_read(arena, conf, vendor, &sources);

	for (size_t i = 0; p != NULL && i < p->stage_count; i++)
		if (strcmp(p->stages[i]->own.name, name) == 0) {
			if (stage == NULL)
				stage = p->stages[i];
			if (!filter_build(p, p->stages[i], false, arena, &out))
				exit(2);
			return out;
		}
	fprintf(stderr, "same: no stage %s in %s\n", name, conf);
	exit(2);
}

static struct program from_file(const char *path)
{
	struct sock_filter *code = arena_array(arena, BPF_MAXINSNS, sizeof *code);
	FILE *from = fopen(path, "r");
	size_t count = from == NULL ? 0 : fread(code, sizeof *code, BPF_MAXINSNS, from);
	const char *wrong = bpf_check(code, count);

	if (wrong != NULL) {
		fprintf(stderr, "same: %s: %s\n", path, wrong);
		exit(2);
	}
	fclose(from);
	return (struct program){ code, count };
}

/* ---- what to try ---- */

static uint64_t values[VALUES_MAX];
static size_t value_count;

static void add(uint64_t value)
{
	for (size_t i = 0; i < value_count; i++)
		if (values[i] == value)
			return;
	if (value_count < VALUES_MAX)
		values[value_count++] = value;
}

/* What a program compares halves of arguments with. */
static void add_constants(const struct program *p)
{
	bool argument = false;

	for (size_t i = 0; i < p->count; i++) {
		const struct sock_filter *f = &p->code[i];

		if (BPF_CLASS(f->code) == BPF_LD)
			argument = f->k >= offsetof(struct seccomp_data, args);
		else if (argument && (BPF_CLASS(f->code) == BPF_JMP || BPF_CLASS(f->code) == BPF_ALU))
			for (uint64_t k = f->k - (uint64_t)1, n = 0; n < 3; k++, n++) {
				add(k & UINT32_MAX);
				add(k << 32);
			}
	}
}

static void complain(const struct seccomp_data *d, uint32_t have, uint32_t want)
{
	static int last_nr;
	static uint32_t last_arch;
	enum abi abi;

	if (lenient && want == SECCOMP_RET_KILL_THREAD && have == SECCOMP_RET_KILL_PROCESS && !policy_abi(stage, d, &abi)) {
		not_admitted++;
		return;
	}
	if (lenient && policy_abi(stage, d, &abi) && abi != abi_native() && action_stricter(have, want)) {
		stricter++;
		return;
	}
	differing++;
	if (differing > SHOWN || (last_nr == d->nr && last_arch == d->arch && differing > 1))
		return;
	last_nr = d->nr;
	last_arch = d->arch;
	printf("arch %08x nr %d (%#llx, %#llx, %#llx, %#llx, %#llx, %#llx): %s, and the other: %s\n", d->arch, d->nr,
	    d->args[0], d->args[1], d->args[2], d->args[3], d->args[4], d->args[5], action_text(arena, have),
	    action_text(arena, want));
}

static bool judge(const struct seccomp_data *d)
{
	struct bpf_result have = bpf_run(ours.code, ours.count, d), want = bpf_run(theirs.code, theirs.count, d);

	judged++;
	if (have.action != want.action)
		complain(d, have.action, want.action);
	return have.looked_at_arguments || want.looked_at_arguments;
}

static uint64_t any(void)
{
	static uint64_t random = 0x9e3779b97f4a7c15u;
	uint64_t value;

	random ^= random << 13, random ^= random >> 7, random ^= random << 17;
	value = values[random % value_count];
	/* both halves from different constants, and dirt */
	if (random >> 60 < 6)
		value |= values[(random >> 20) % value_count];
	if (random >> 60 == 7)
		value ^= (uint64_t)1 << (random >> 50 & 63);
	return value;
}

static void judge_number(struct seccomp_data *d)
{
	bool looked;

	memset(d->args, 0, sizeof d->args);
	looked = judge(d);
	memset(d->args, 0xff, sizeof d->args);
	if (!judge(d) && !looked)
		return;
	for (int base = 0; base < 8; base++)
		for (unsigned arg = 0; arg < ARGUMENTS; arg++) {
			for (unsigned i = 0; i < ARGUMENTS; i++)
				d->args[i] = base == 0 ? 0 : base == 1 ? UINT64_MAX : any();
			for (size_t i = 0; i < value_count; i++) {
				d->args[arg] = values[i];
				judge(d);
				d->args[arg] |= (uint64_t)1 << 32;
				judge(d);
				d->args[arg] |= (uint64_t)UINT32_MAX << 32;
				judge(d);
			}
		}
	for (int mix = 0; mix < MIXES; mix++) {
		for (unsigned i = 0; i < ARGUMENTS; i++)
			d->args[i] = any();
		judge(d);
	}
}

int main(int argc, char **argv)
{
	static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, 0 },
			      ends[] = { INT32_MAX, (uint32_t)INT32_MAX + 1, UINT32_MAX - 1, UINT32_MAX, X32 - 1, X32 + NUMBERS };
	struct seccomp_data d = { 0 };

	if (argc > 1 && strcmp(argv[1], "-a") == 0) {
		lenient = true;
		argv++, argc--;
	}
	if (argc != 4 && argc != 5)
		return 2;
	arena = arena_new();
	ours = compiled(argv[1], argv[2]);
	theirs = argc == 5 ? compiled(argv[3], argv[4]) : from_file(argv[3]);
	add(0);
	add(1);
	add(UINT64_MAX);
	add(UINT32_MAX);
	add_constants(&ours);
	add_constants(&theirs);
	for (size_t a = 0; a < sizeof arches / sizeof arches[0]; a++) {
		d.arch = arches[a];
		for (uint32_t nr = 0; nr < 2 * NUMBERS; nr++) {
			d.nr = (int)(nr < NUMBERS ? nr : X32 | (nr - NUMBERS));
			judge_number(&d);
		}
		for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
			d.nr = (int)ends[i];
			judge_number(&d);
		}
	}
	printf("%lu judged, %lu differ", judged, differing);
	if (not_admitted > 0)
		printf(", %lu by ABIs that are not admitted kill the process and not the thread", not_admitted);
	if (stricter > 0)
		printf(", %lu by other ABIs are stricter", stricter);
	printf("; %zu instructions, and the other %zu\n", ours.count, theirs.count);
	arena_free(arena);
	return differing > 0;
}
