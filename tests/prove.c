/*
 * prove GROUPS POLICY: does the proof of a filter (verify.h) see what is wrong with it? Makes filters of POLICY, which is
 * policies/good/proof.conf, as they should be, and then with one fault each, which only one kind of the proof's inputs
 * shows. Prints the faults that were missed, then how many there were; exit status 1: a fault was missed, or a right
 * filter found wrong.
 *
 * A fault is a few instructions in front of a filter that give another answer to one call with some arguments. Most of
 * them hide what they compare with behind an addition of 0, so that the proof cannot take it from the filter itself.
 */
#include <stdio.h>
#include <string.h>

#include "../preload/fence.h"
#include "../wrapper/bpf.h"
#include "../wrapper/calls.h"
#include "../wrapper/conf.h"
#include "../wrapper/filter.h"
#include "../wrapper/mem.h"
#include "../wrapper/policy.h"
#include "../wrapper/say.h"
#include "../wrapper/verify.h"

enum {
	WORDS = 6,
	LOAD = BPF_LD | BPF_W | BPF_ABS,
	EQUAL = BPF_JMP | BPF_JEQ | BPF_K,
	ABOVE = BPF_JMP | BPF_JGE | BPF_K,
	RETURN = BPF_RET | BPF_K
};

/* Of an argument: 2 * i is the lower half, 2 * i + 1 the upper. */
struct word {
	unsigned half, jump;
	uint32_t value;
};

struct fault {
	const char *stage, *name;
	const char *call; /* or NULL: nr */
	uint32_t nr;
	struct word words[WORDS]; /* jump 0: no more */
	bool plain;               /* in the open */
	bool answers_same;        /* it only looks */
	uint32_t arch;            /* 0: this machine's */
	bool loader;              /* of the outer fence */
	uint32_t answer;          /* 0: one that no rule gives */
};

static const struct fault faults[] = {
	{ "edges", "above a value of 32 bits", .call = "socket", .words = { { 0, EQUAL, 6 } } },
	{ "edges", "the value with another bit", .call = "socket", .words = { { 0, EQUAL, 5 | 1 << 20 } } },
	{ "edges", "the value with a dirty upper half", .call = "socket", .words = { { 0, EQUAL, 5 }, { 1, EQUAL, 1 } } },
	{ "edges", "below a value of 64 bits", .call = "keyctl", .words = { { 2, EQUAL, 7 }, { 3, EQUAL, 1 } } },
	{ "edges", "above a value of 64 bits", .call = "keyctl", .words = { { 2, EQUAL, 9 }, { 3, EQUAL, 1 } } },
	{ "edges", "above a value, in both halves", .call = "mremap", .words = { { 2, EQUAL, 0 }, { 3, EQUAL, 3 } } },
	{ "edges", "below a value, in both halves", .call = "mremap", .words = { { 4, EQUAL, UINT32_MAX }, { 5, EQUAL, 3 } } },
	{ "edges", "the lower half alone", .call = "keyctl", .words = { { 2, EQUAL, 8 }, { 3, EQUAL, 0 } } },
	{ "edges", "all ones", .call = "keyctl", .words = { { 0, EQUAL, UINT32_MAX }, { 8, EQUAL, UINT32_MAX } } },
	{ "edges", "no arguments", .call = "keyctl", .words = { { 0, EQUAL, 0 }, { 2, EQUAL, 0 }, { 4, EQUAL, 0 } } },
	{ "edges", "what no rule knows", .call = "keyctl", .plain = true,
	    .words = { { 0, EQUAL, 0x1234567 }, { 5, EQUAL, 0x89abcde }, { 8, EQUAL, 0x2468ace0 } } },
	{ "edges", "a look without a need", .call = "getpid", .words = { { 0, EQUAL, 1 } }, .answers_same = true },
	{ "edges", "a number that is no call's", .nr = 639 },
	{ "edges", "the largest number", .nr = INT32_MAX },
	{ "edges", "a call that was skipped", .nr = UINT32_MAX },
	{ "edges", "another architecture", .nr = 39, .arch = AUDIT_ARCH_S390X },
	{ "edges", "another architecture's largest number", .nr = INT32_MAX, .arch = AUDIT_ARCH_ARM },
	{ "several", "two rules' values", .call = "mremap", .words = { { 0, EQUAL, 0x1001 }, { 4, EQUAL, 0x4004 } } },
	{ "several", "three rules' values", .call = "mremap",
	    .words = { { 0, EQUAL, 0x1001 }, { 2, EQUAL, 0x2002 }, { 4, EQUAL, 0x4004 } } },
	{ "hidden", "what another rule hides", .call = "keyctl", .words = { { 2, ABOVE, 0x1000 }, { 4, EQUAL, 7 } } },
	{ "hidden", "what no rule decides", .call = "keyctl", .words = { { 2, EQUAL, 0x1000 }, { 4, EQUAL, 0 } } },
	{ "alike", "a value with a dirty upper half before another rule", .call = "keyctl",
	    .words = { { 2, EQUAL, 0x5412 }, { 3, EQUAL, 1 }, { 4, EQUAL, 7 } } },
	{ "passed", "the one answer behind three others", .call = "keyctl", .answer = SECCOMP_RET_TRAP },
#if defined(__x86_64__)
	{ "edges", "an x32 number", .nr = 0x40000000 | 40 },
	{ "edges", "a number past x32's", .nr = 0x40000000 | 640 },
	{ "foreign", "another ABI's call", .nr = 20, .arch = AUDIT_ARCH_I386 },
#endif
	{ "outer", "the outer fence refuses what the loader needs", .call = "read", .loader = true },
	{ "outer", "the outer fence lets a file be made", .call = "openat", .words = { { 4, EQUAL, 0100 } }, .loader = true },
};

static const uint32_t digest[8] = { 0x11111111, 0x22222222, 3, 4, 5, 6, 7, 8 };
static unsigned tried, missed;

static struct sock_filter load(uint32_t at)
{
	return fence_insn(LOAD, 0, 0, at);
}

/* The fault in front of the body; returns its length. What it does not concern goes on to the body. */
static unsigned put_fault(struct sock_filter *out, const struct fault *f, uint32_t answer)
{
	unsigned n = 0, jumps[WORDS + 2], jump_count = 0;

	out[n++] = load(offsetof(struct seccomp_data, arch));
	jumps[jump_count++] = n;
	out[n++] = fence_insn(EQUAL, 0, 0, f->arch != 0 ? f->arch : IMAGE_ARCH);
	out[n++] = load(offsetof(struct seccomp_data, nr));
	jumps[jump_count++] = n;
	out[n++] = fence_insn(EQUAL, 0, 0, f->call != NULL ? (uint32_t)call_named(f->call)->nr[abi_native()] : f->nr);
	for (unsigned i = 0; i < WORDS && f->words[i].jump != 0; i++) {
		out[n++] = fence_load_half(f->words[i].half);
		if (!f->plain)
			out[n++] = fence_insn(BPF_ALU | BPF_ADD | BPF_K, 0, 0, 0);
		jumps[jump_count++] = n;
		out[n++] = fence_insn(f->words[i].jump, 0, 0, f->words[i].value);
	}
	out[n] = f->answers_same ? load(0) : fence_insn(RETURN, 0, 0, answer);
	n++;
	for (unsigned i = 0; i < jump_count; i++)
		out[jumps[i]].jf = (uint8_t)(n - jumps[i] - 1);
	return n;
}

static const struct stage *stage_named(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->stage_count; i++)
		if (strcmp(p->stages[i]->own.name, name) == 0)
			return p->stages[i];
	return NULL;
}

static void judge(bool noticed, const char *stage, const char *name)
{
	tried++;
	if (noticed)
		return;
	missed++;
	printf("missed: stage %s: %s\n", stage, name);
}

static bool proved(const struct policy *p, const struct stage *s, const struct fault *f, bool cookie,
    const struct sock_filter *code, unsigned count)
{
	return verify_program(p, s, f->loader, cookie, digest, code, count);
}

static unsigned put_all(struct sock_filter *out, const struct fault *f, uint32_t answer, bool cookie,
    const struct program *body)
{
	static struct sock_filter both[BPF_MAXINSNS];
	unsigned n = f->stage != NULL ? put_fault(both, f, answer) : 0;

	memcpy(both + n, body->code, body->count * sizeof *both);
	n += (unsigned)body->count;

	unsigned prologue = fence_prologue(out, digest, cookie, both, n);

	memcpy(out + prologue, both, n * sizeof *both);
	return prologue + n;
}

static void judge_prologue(const struct policy *p, struct arena *a)
{
	const struct fault none = { 0 };
	const struct stage *s = stage_named(p, "secret");
	struct sock_filter code[BPF_MAXINSNS], good[BPF_MAXINSNS];
	struct program body;
	unsigned count;

	if (!filter_build(p, s, false, a, &body))
		return;
	count = put_all(good, &none, 0, true, &body);
	judge(proved(p, s, &none, true, good, count), "secret", "nothing is wrong, and it was found so");
	for (unsigned i = 0; i < FENCE_COOKIE_WORDS; i++) {
		memcpy(code, good, sizeof code);
		code[fence_cookie_slot(i)] = fence_insn(BPF_LD | BPF_IMM, 0, 0, 0);
		judge(!proved(p, s, &none, true, code, count), "secret", arena_format(a, "word %u of the secret", i));
	}
	for (unsigned i = 0; i < 8; i++) {
		memcpy(code, good, sizeof code);
		code[7 + 2 * i].jf = 0;
		judge(!proved(p, s, &none, true, code, count), "secret", arena_format(a, "word %u of the digest", i));
	}
	memcpy(code, good, sizeof code);
	code[FENCE_ATTEST_COUNT - 1].k++;
	judge(!proved(p, s, &none, true, code, count), "secret", "the answer to who asks");
	memcpy(code, good, sizeof code);
	code[count] = load(0);
	judge(!proved(p, s, &none, true, code, count + 1), "secret", "no return at the end");
}

/* What the kernel makes of a few programs of which ours are not: net/core/filter.c. */
static void judge_interpreter(void)
{
	static const struct {
		const char *name;
		struct sock_filter code[5];
		size_t count;
		uint32_t answer; /* 0: it is refused */
	} programs[] = {
		{ "any of several bits", { { LOAD, 0, 0, 16 }, { BPF_JMP | BPF_JSET | BPF_K, 0, 1, 3 }, { RETURN, 0, 0, 1 }, { RETURN, 0, 0, 2 } },
		    4, 1 },
		{ "none of several bits", { { LOAD, 0, 0, 16 }, { BPF_JMP | BPF_JSET | BPF_K, 0, 1, 6 }, { RETURN, 0, 0, 1 }, { RETURN, 0, 0, 2 } },
		    4, 2 },
		{ "above is not equal", { { LOAD, 0, 0, 16 }, { BPF_JMP | BPF_JGT | BPF_K, 0, 1, 1 }, { RETURN, 0, 0, 1 }, { RETURN, 0, 0, 2 } },
		    4, 2 },
		{ "what was stored", { { LOAD, 0, 0, 16 }, { BPF_ST, 0, 0, 3 }, { BPF_LD | BPF_IMM, 0, 0, 7 }, { BPF_LD | BPF_MEM, 0, 0, 3 }, { BPF_RET | BPF_A, 0, 0, 0 } },
		    5, 1 },
		{ "what was never stored", { { BPF_LD | BPF_MEM, 0, 0, 3 }, { BPF_RET | BPF_A, 0, 0, 0 } }, 2, 0 },
		{ "what was never stored, into X", { { BPF_LDX | BPF_MEM, 0, 0, 3 }, { RETURN, 0, 0, 1 } }, 2, 0 },
		{ "a load past the data", { { LOAD, 0, 0, sizeof(struct seccomp_data) }, { RETURN, 0, 0, 1 } }, 2, 0 },
		{ "a jump past the end", { { EQUAL, 0, 1, 1 }, { RETURN, 0, 0, 1 } }, 2, 0 },
	};
	const struct seccomp_data d = { .arch = IMAGE_ARCH, .args = { 1 } };

	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
		bool good = bpf_check(programs[i].code, programs[i].count) == NULL;

		judge(programs[i].answer == 0 ? !good
					      : good && bpf_run(programs[i].code, programs[i].count, &d).action == programs[i].answer,
		    "(none)", programs[i].name);
	}
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct sources sources;
	const struct policy *p = argc == 3 ? conf_read(a, argv[2], argv[1], &sources) : NULL;

	if (p == NULL)
		return 2;
	say_keep();
	judge_interpreter();
	judge_prologue(p, a);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		const struct fault *f = &faults[i], none = { .loader = f->loader };
		const struct stage *s = stage_named(p, f->stage);
		struct sock_filter code[BPF_MAXINSNS];
		struct program body;

		if (s == NULL || !filter_build(p, s, f->loader, a, &body))
			return 2;
		judge(proved(p, s, &none, false, code, put_all(code, &none, 0, false, &body)), f->stage,
		    "nothing is wrong, and it was found so");
		judge(!proved(p, s, f, false, code, put_all(code, f, f->answer != 0 ? f->answer : SECCOMP_RET_ERRNO | 99, false, &body)),
		    f->stage, f->name);
	}
	arena_free(a);
	printf("%u filters, %u misjudged\n", tried, missed);
	return missed == 0 ? 0 : 1;
}
