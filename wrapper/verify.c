#include "verify.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>

#include "../preload/fence.h"
#include "bpf.h"
#include "calls.h"
#include "consts.h"
#include "filter.h"
#include "loader.h"
#include "mem.h"
#include "policy.h"
#include "say.h"

enum { ARGUMENTS = 6, NUMBERS = 640, X32 = 0x40000000, MIXES = 64, OTHERS = 128, MANY = 256 };

struct check {
	const struct policy *policy;
	const struct stage *stage;
	bool loader, cookie;
	const struct sock_filter *code;
	size_t count;
	struct arena *arena;
	bool good;
	bool (*differs)(void *, const struct difference *); /* NULL: the first one is said */
	void *to;
	const struct program
	    *outer; /* the program is the inner fence within it, under a listener */
	enum fence_listener listener;
};

static uint64_t judged;

uint64_t verify_count(void)
{
	return judged;
}

/* The call, if it came in by an ABI that the stage admits. */
static const struct call *call_of(const struct check *c, const struct seccomp_data *d)
{
	enum abi abi;

	return policy_abi(c->stage, d, &abi) ? call_numbered(abi, (uint32_t)d->nr) : NULL;
}

/* What an outer fence lets through for the loader; 0 for anything else. */
static size_t loader_list(const struct check *c, const struct seccomp_data *d, struct clause **list)
{
	enum abi abi;

	return (c->loader || c->outer != NULL) && policy_abi(c->stage, d, &abi) &&
		abi == abi_native()
	    ? loader_clauses(call_of(c, d), c->arena, list)
	    : 0;
}

static bool has_cookie(const struct check *c, const struct seccomp_data *d)
{
	return c->cookie && d->arch == abi_audit_arch(abi_native()) &&
	    d->nr == call_named("execve")->nr[abi_native()];
}

static struct decision expected(const struct check *c, const struct seccomp_data *d)
{
	struct clause *before;
	size_t n = c->loader ? loader_list(c, d, &before) : 0;

	/* the secret is drawn at each launch; in the image it is all zeros */
	if (has_cookie(c, d) && (d->args[3] | d->args[4] | d->args[5]) == 0)
		return decision_of(SECCOMP_RET_ALLOW, NULL);
	for (size_t i = 0; i < n; i++) {
		bool holds = true;

		for (size_t k = 0; k < before[i].condition_count; k++)
			holds = holds &&
			    condition_holds(&before[i].conditions[k], (const uint64_t *)d->args);
		if (holds)
			return before[i].decision;
	}
	return policy_decide(c->policy, c->stage, d);
}

/* What is answered in the end: where both fences stand, the inner one allows what the outer one
 * sends to the listener, whose word it then is. */
static struct bpf_result answer(const struct check *c, const struct seccomp_data *d)
{
	struct bpf_result have = bpf_run(c->code, c->count, d);
	uint32_t outer = c->outer == NULL ? SECCOMP_RET_ALLOW
					  : bpf_run(c->outer->code, c->outer->count, d).action;

	if (fence_told(outer, c->listener) == SECCOMP_RET_USER_NOTIF &&
	    have.action == SECCOMP_RET_ALLOW)
		have.action = outer;
	return have;
}

/* Where no agent hears, ENOSYS is the same as notify, and safer (fence_hush()). */
static bool same_answer(const struct stage *s, uint32_t want, uint32_t have)
{
	return want == have ||
	    (want == SECCOMP_RET_USER_NOTIF && have == (SECCOMP_RET_ERRNO | ENOSYS) &&
		s->attributes.listener == NULL);
}

static struct bpf_result judge(struct check *c, const struct seccomp_data *data)
{
	struct decision want = expected(c, data);
	struct bpf_result have = answer(c, data);
	const struct origin *at = want.rule != NULL ? &want.rule->origin : &c->stage->own.origin;
	const struct call *call = call_of(c, data);
	enum abi abi;

	judged++;
	if (same_answer(c->stage, want.action, have.action) || !c->good)
		return have;
	if (c->differs != NULL) {
		struct difference d = { data, call, policy_abi(c->stage, data, &abi), want.rule,
			want.action, have.action };

		c->good = c->differs(c->to, &d);
		return have;
	}
	c->good = false;
	say_at(at->file, at->line,
	    "stage %s: this cannot be expressed: %s (%#x on %#x) with %#llx %#llx %#llx %#llx "
	    "%#llx %#llx must "
	    "be %s, and the filter says %s",
	    c->stage->own.name, call != NULL ? call->name : "a call", (unsigned)data->nr,
	    data->arch, data->args[0], data->args[1], data->args[2], data->args[3], data->args[4],
	    data->args[5], action_text(c->arena, want.action), action_text(c->arena, have.action));
	return have;
}

/* ---- the arguments that could make a difference ---- */

struct values {
	uint64_t *items;
	size_t count;
};

static void add(struct check *c, struct values *v, uint64_t value)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->items[i] == value)
			return;
	v->items = arena_grow(c->arena, v->items, v->count, sizeof *v->items);
	v->items[v->count++] = value;
}

/* Around one condition: its value and its neighbours, every bit of it flipped, and the upper half
 * dirty. */
static void add_boundaries(struct check *c, struct values *v, const struct condition *k, bool bits)
{
	const uint64_t high = (uint64_t)UINT32_MAX << 32,
		       points[] = { k->value, k->value + 1, k->value - 1, k->value ^ k->mask,
			       k->value | ~k->mask, k->mask, ~k->mask, 0, ~(uint64_t)0 };

	for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
		add(c, v, points[i]);
		add(c, v, points[i] | high);
		add(c, v, points[i] & ~high);
		add(c, v, points[i] ^ (uint64_t)1 << 32);
		add(c, v, points[i] ^ (uint64_t)1 << 63);
	}
	for (unsigned bit = 0; bits && bit < 64; bit++)
		add(c, v, k->value ^ (uint64_t)1 << bit);
}

/*
 * Around each clause, one argument at a time, all others fulfilling it: the boundaries of its own
 * conditions, and what the other clauses compare with; then mixtures of all that. Both in a fixed
 * order.
 */
static void judge_conditions(
    struct check *c, const struct clause *list, size_t count, struct seccomp_data *d)
{
	struct values all[ARGUMENTS] = { { NULL, 0 } };
	uint64_t random = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < list[i].condition_count; k++)
			add(c, &all[list[i].conditions[k].arg],
			    condition_witness(&list[i].conditions[k]));
	for (size_t i = 0; i < count; i++) {
		struct values own[ARGUMENTS] = { { NULL, 0 } };

		memset(d->args, 0, sizeof d->args);
		for (size_t k = 0; k < list[i].condition_count; k++) {
			const struct condition *condition = &list[i].conditions[k];

			/* of hundreds of clauses the bits would cost seconds; their neighbours stay
			 */
			add_boundaries(c, &own[condition->arg], condition, count <= MANY);
			d->args[condition->arg] = condition_witness(condition);
		}
		for (unsigned arg = 0; arg < ARGUMENTS; arg++) {
			uint64_t saved = d->args[arg];
			size_t others = all[arg].count < OTHERS ? all[arg].count : OTHERS / 8;

			for (size_t k = 0; k < own[arg].count + others; k++) {
				random ^= random << 13, random ^= random >> 7,
				    random ^= random << 17;
				d->args[arg] = k < own[arg].count ? own[arg].items[k]
				    : others == all[arg].count
				    ? all[arg].items[k - own[arg].count]
				    : all[arg].items[random % all[arg].count];
				judge(c, d);
			}
			d->args[arg] = saved;
		}
	}
	for (unsigned mix = 0; mix < MIXES; mix++) {
		for (unsigned arg = 0; arg < ARGUMENTS; arg++) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			d->args[arg] = all[arg].count > 0 ? all[arg].items[random % all[arg].count]
							  : random;
		}
		judge(c, d);
	}
}

static bool has_conditions(const struct clause *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].condition_count > 0)
			return true;
	return false;
}

static void judge_call(struct check *c, enum abi abi, struct seccomp_data *d)
{
	struct clause *list, *before;
	const struct call *call = call_of(c, d);
	size_t count = policy_list_on(c->policy, c->stage, abi, call, c->arena, &list);
	size_t before_count = loader_list(c, d, &before);
	bool conditions = has_conditions(list, count) ||
	    (before_count > 0 && has_conditions(before, before_count));
	bool prologue = abi == abi_native() &&
	    ((call != NULL && strcmp(call->name, "prctl") == 0) || has_cookie(c, d));
	struct bpf_result result;

	memset(d->args, 0, sizeof d->args);
	result = judge(c, d);
	/* neither the policy nor the program looks at arguments: one run stands for all */
	if (!conditions && !result.looked_at_arguments)
		return;
	/* and where the policy does not, the program must not, or the kernel runs it on every such
	 * call */
	if (!conditions && !prologue && c->good && c->differs == NULL) {
		c->good = false;
		say_at(c->stage->own.origin.file, c->stage->own.origin.line,
		    "stage %s: the filter looks at the arguments of call %d without a need",
		    c->stage->own.name, d->nr);
	}
	memset(d->args, 0xff, sizeof d->args);
	judge(c, d);
	if (before_count > 0)
		judge_conditions(c, before, before_count, d);
	judge_conditions(c, list, count, d);
}

/* Numbers that are the ends of something: signs, x32's bit, the last one that is told apart. */
static void judge_ends(struct check *c, struct seccomp_data *d)
{
	static const uint32_t ends[] = { NUMBERS, X32 - 1, X32, X32 + NUMBERS, INT32_MAX,
		(uint32_t)INT32_MAX + 1, UINT32_MAX - 1, UINT32_MAX };

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		d->nr = (int)ends[i];
		judge(c, d);
	}
}

static void judge_foreign(struct check *c)
{
	static const uint32_t arches[] = { AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64,
		AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64, AUDIT_ARCH_PPC64LE, AUDIT_ARCH_S390X, 0,
		UINT32_MAX };
	struct seccomp_data d = { 0 };

	for (size_t a = 0; a < sizeof arches / sizeof arches[0]; a++) {
		d.arch = arches[a];
		judge_ends(c, &d);
		d.nr = 0;
		if (d.arch == abi_audit_arch(abi_native()) || !judge(c, &d).looked_at_number)
			continue;
		for (uint32_t nr = 0; nr < NUMBERS; nr++) {
			d.nr = (int)nr;
			judge(c, &d);
		}
	}
	d.arch = abi_audit_arch(abi_native());
	for (uint32_t nr = 0; nr < NUMBERS; nr++) {
		d.nr = (int)(X32 | nr);
		judge(c, &d);
	}
}

static void judge_all(struct check *c)
{
	for (enum abi abi = 0; abi < ABI_COUNT; abi++) {
		struct seccomp_data d = { .arch = abi_audit_arch(abi) };

		if (abi != abi_native() && !(c->stage->attributes.architectures & 1u << abi))
			continue;
		for (uint32_t nr = 0; c->good && nr < NUMBERS; nr++) {
			d.nr = (int)(abi == ABI_X32 ? X32 | nr : nr);
			judge_call(c, abi, &d);
		}
	}
	if (c->good)
		judge_foreign(c);
}

void verify_compare(const struct policy *p, const struct stage *s, const struct sock_filter *code,
    size_t count, bool (*differs)(void *, const struct difference *), void *to)
{
	struct check c = { p, s, false, false, code, count, arena_new(), true, differs, to, NULL,
		FENCE_AGENT };

	judge_all(&c);
	arena_free(c.arena);
}

static bool verify(struct check *c)
{
	const struct stage *s = c->stage;
	const char *wrong = bpf_check(c->code, c->count);

	if (wrong != NULL) {
		say_at(s->own.origin.file, s->own.origin.line,
		    "stage %s: the kernel would refuse the filter: %s", s->own.name, wrong);
		c->good = false;
	}
	if (c->good)
		judge_all(c);
	arena_free(c->arena);
	return c->good;
}

bool verify_program(const struct policy *p, const struct stage *s, bool loader, bool cookie,
    const struct sock_filter *code, size_t count)
{
	struct check c = { p, s, loader, cookie, code, count, arena_new(), true, NULL, NULL, NULL,
		FENCE_AGENT };

	return verify(&c);
}

bool verify_inner(const struct policy *p, const struct stage *s, const struct program *outer,
    enum fence_listener listener, const struct sock_filter *code, size_t count)
{
	struct check c = { p, s, false, false, code, count, arena_new(), true, NULL, NULL, outer,
		listener };

	return verify(&c);
}
