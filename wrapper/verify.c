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

/* Of a comparison: of how many inputs that came to it were others made, and what did the last of
 * them get. */
struct tried {
	unsigned count;
	uint32_t answer;
};

enum { TRIED_MAX = 2, PLENTY = 20000 };

struct check {
	const struct policy *policy;
	const struct stage *stage;
	bool loader, cookie;
	int prctl, execve;      /* their numbers: not to be looked up for each input */
	const uint32_t *digest; /* what the prologue answers for; NULL: there is none */
	const struct sock_filter *code;
	size_t count;
	struct arena *arena;
	bool good;
	bool (*differs)(void *, const struct difference *); /* NULL: the first one is said */
	void *to;
	const struct program
	    *outer; /* the program is the inner fence within it, under a listener */
	enum fence_listener listener;
	/* the inputs that came to a comparison, or went on from it, as none before: one call's */
	struct seccomp_data *met;
	size_t met_count;
	bool (*ways)[2];     /* for each instruction, as bpf_explore() has them */
	struct tried *tried; /* likewise */
	uint64_t begun;      /* judged before the call */
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

static bool holds(const struct clause *clause, const uint64_t args[ARGUMENTS])
{
	for (size_t k = 0; k < clause->condition_count; k++)
		if (!condition_holds(&clause->conditions[k], args))
			return false;
	return true;
}

static bool has_cookie(const struct check *c, const struct seccomp_data *d)
{
	return c->cookie && d->arch == abi_audit_arch(abi_native()) && d->nr == c->execve;
}

/* Is it asked whether this very fence is up? */
static bool has_digest(const struct check *c, const struct seccomp_data *d)
{
	return c->digest != NULL && d->arch == abi_audit_arch(abi_native()) && d->nr == c->prctl &&
	    (uint32_t)d->args[0] == FENCE_OPTION &&
	    memcmp(&d->args[1], c->digest, 8 * sizeof *c->digest) == 0;
}

/* Does a listener get the call? Else what is raised says itself what the kernel would make of it:
 * fence_hush(). */
static bool is_heard(const struct check *c, const struct seccomp_data *d)
{
	if (c->outer != NULL)
		return bpf_run(c->outer->code, c->outer->count, d).action == SECCOMP_RET_USER_NOTIF;
	return c->digest == NULL || c->stage->attributes.report != NULL ||
	    c->stage->attributes.listener != NULL;
}

static struct decision expected(const struct check *c, const struct seccomp_data *d)
{
	struct clause *before;
	struct decision want;
	size_t n = c->loader ? loader_list(c, d, &before) : 0;

	/* the secret is drawn at each launch; in the image it is all zeros */
	if (has_cookie(c, d) && (d->args[3] | d->args[4] | d->args[5]) == 0)
		return decision_of(SECCOMP_RET_ALLOW, NULL);
	if (has_digest(c, d))
		return decision_of(SECCOMP_RET_ERRNO | FENCE_ANSWER, NULL);
	for (size_t i = 0; i < n; i++)
		if (holds(&before[i], (const uint64_t *)d->args))
			return before[i].decision;
	want = policy_decide(c->policy, c->stage, d);
	if (want.action == SECCOMP_RET_USER_NOTIF && !is_heard(c, d))
		want.action = SECCOMP_RET_ERRNO | ENOSYS;
	return want;
}

/* What is answered in the end: where both fences stand, the inner one allows what the outer one
 * sends to the listener, whose word it then is. new: NULL, or was there a comparison that no input
 * had gone on from so. */
static struct bpf_result answer(const struct check *c, const struct seccomp_data *d, bool *new)
{
	struct bpf_result have = new == NULL ? bpf_run(c->code, c->count, d)
					     : bpf_explore(c->code, c->count, d, c->ways, new);
	uint32_t outer = c->outer == NULL ? SECCOMP_RET_ALLOW
					  : bpf_run(c->outer->code, c->outer->count, d).action;

	if (fence_told(outer, c->listener) == SECCOMP_RET_USER_NOTIF &&
	    have.action == SECCOMP_RET_ALLOW)
		have.action = outer;
	return have;
}

static struct bpf_result judge_new(struct check *c, const struct seccomp_data *data, bool *new)
{
	struct decision want = expected(c, data);
	struct bpf_result have = answer(c, data, new);
	const struct origin *at = want.rule != NULL ? &want.rule->origin : &c->stage->own.origin;
	const struct call *call = call_of(c, data);
	enum abi abi;

	judged++;
	if (have.action == want.action || !c->good)
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

static struct bpf_result judge(struct check *c, const struct seccomp_data *data)
{
	return judge_new(c, data, NULL);
}

/* ---- the arguments that the program looks at ---- */

static void meet(struct check *c, const struct seccomp_data *d)
{
	bool new = false;

	judge_new(c, d, &new);
	if (!new)
		return;
	c->met = arena_grow(c->arena, c->met, c->met_count, sizeof *c->met);
	c->met[c->met_count++] = *d;
}

/* Thousands of comparisons, each behind the one before, would cost seconds. */
static bool has_time(const struct check *c)
{
	return judged - c->begun < PLENTY;
}

/* Around what a word is compared with, all else as it is: equal, next to it, each bit flipped. */
static void meet_around(struct check *c, const struct seccomp_data *d, const struct bpf_compare *k)
{
	/* the digest is one number that is right */
	bool ours = c->digest != NULL && k->at < FENCE_ATTEST_COUNT;
	bool bits = !ours && has_time(c);
	uint32_t word, equal;
	struct seccomp_data now = *d;

	memcpy(&word, (const char *)d + k->word, sizeof word);
	equal = (word & ~k->mask) | k->value;

	const uint32_t points[] = { equal, equal ^ 1, equal + 1, equal - 1, k->value,
		k->value | ~k->mask };

	for (size_t i = 0; i < (ours ? 2 : sizeof points / sizeof points[0]); i++) {
		memcpy((char *)&now + k->word, &points[i], sizeof word);
		meet(c, &now);
	}
	for (unsigned bit = 1; bits && bit < 32; bit++) {
		word = equal ^ (uint32_t)1 << bit;
		memcpy((char *)&now + k->word, &word, sizeof word);
		meet(c, &now);
	}
}

/*
 * From the inputs that were met on, until there is none that takes a new way: a wrong jump or
 * number is seen only by who gets to it, past all that was compared before, and the number that
 * tells may be the program's alone. Twice from inputs with different answers: what goes wrong may
 * come to the one answer all the same.
 */
static void judge_ways(struct check *c)
{
	struct bpf_compare *path = arena_array(c->arena, c->count, sizeof *path);

	for (size_t i = 0; i < c->met_count; i++) {
		struct seccomp_data d = c->met[i];
		size_t count;
		uint32_t answer = bpf_trace(c->code, c->count, &d, path, &count).action;

		for (size_t k = 0; k < count; k++) {
			struct tried *tried = &c->tried[path[k].at];

			if (path[k].word == BPF_NO_WORD ||
			    path[k].word < offsetof(struct seccomp_data, args) ||
			    tried->count >= (has_time(c) ? TRIED_MAX : 1) ||
			    (tried->count > 0 && tried->answer == answer))
				continue;
			tried->count++;
			tried->answer = answer;
			meet_around(c, &d, &path[k]);
		}
	}
}

static void forget_ways(struct check *c)
{
	if (c->ways == NULL) {
		c->ways = arena_array(c->arena, c->count, sizeof *c->ways);
		c->tried = arena_array(c->arena, c->count, sizeof *c->tried);
	}
	memset(c->ways, 0, c->count * sizeof *c->ways);
	memset(c->tried, 0, c->count * sizeof *c->tried);
	c->met = NULL;
	c->met_count = 0;
	c->begun = judged;
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

/* The first clause that holds: some do, for the last one has no conditions. */
static size_t first_of(const struct clause *list, const uint64_t args[ARGUMENTS])
{
	size_t i = 0;

	while (!holds(&list[i], args))
		i++;
	return i;
}

/* Does the clause hold as far as its first count conditions go? */
static bool holds_until(const struct clause *clause, size_t count, const uint64_t args[ARGUMENTS])
{
	const struct clause until = { .conditions = clause->conditions, .condition_count = count };

	return holds(&until, args);
}

static size_t near(const struct condition *k, uint64_t points[8])
{
	const uint64_t all[] = { condition_witness(k), k->value, k->value + 1, k->value - 1,
		k->value ^ (k->mask & -k->mask), k->value ^ k->mask, 0, ~(uint64_t)0 };

	memcpy(points, all, sizeof all);
	return sizeof all / sizeof all[0];
}

/* Arguments that fulfil a clause, where that is easily had; else those that its conditions ask for
 * one by one. */
static void fulfil(const struct clause *clause, uint64_t args[ARGUMENTS])
{
	for (size_t i = 0; i < clause->condition_count; i++) {
		const struct condition *k = &clause->conditions[i];
		uint64_t before = args[k->arg], points[8];
		size_t count = near(k, points);

		if (condition_holds(k, args))
			continue;
		args[k->arg] = k->op == OP_EQ ? (before & ~k->mask) | k->value : points[0];
		for (size_t p = 0; p < count && !holds_until(clause, i + 1, args); p++)
			args[k->arg] = points[p];
		if (!holds_until(clause, i + 1, args))
			args[k->arg] = points[0];
	}
}

/*
 * Leads arguments that fulfil list[index] past the clauses before it, which decide as long as they
 * hold: one condition after the other is broken with what all of the list compare that argument
 * with. Where that fails, they are as far down the list as could be had.
 */
static void pass_by(const struct clause *list, size_t index, const struct values all[ARGUMENTS],
    uint64_t args[ARGUMENTS])
{
	size_t first = first_of(list, args);

	while (first < index) {
		size_t best = first;
		unsigned best_arg = 0;
		uint64_t best_value = 0;

		for (size_t i = 0; i < list[first].condition_count && best < index; i++) {
			const struct condition *k = &list[first].conditions[i];
			uint64_t points[8 + OTHERS / 8], before = args[k->arg];
			size_t count = near(k, points);

			for (size_t n = 0; n < all[k->arg].count && n < OTHERS / 8; n++)
				points[count++] = all[k->arg].items[n];
			for (size_t n = 0; n < count && best < index; n++) {
				args[k->arg] = points[n];
				if (condition_holds(k, args) || !holds(&list[index], args) ||
				    first_of(list, args) <= best)
					continue;
				best = first_of(list, args);
				best_arg = k->arg;
				best_value = points[n];
			}
			args[k->arg] = before;
		}
		if (best == first)
			return;
		args[best_arg] = best_value;
		first = best;
	}
}

/* Arguments that list[index] decides, if they can be had. */
static void decided_by(const struct clause *list, size_t index, const struct values all[ARGUMENTS],
    uint64_t args[ARGUMENTS])
{
	memset(args, 0, ARGUMENTS * sizeof *args);
	fulfil(&list[index], args);
	if (holds(&list[index], args))
		pass_by(list, index, all, args);
}

/* Where a clause answers as if there was nothing, its boundaries show before another answer: the
 * first such clause behind it. */
static void judge_before_another(struct check *c, const struct clause *list, size_t count,
    size_t index, const struct values all[ARGUMENTS], const struct values own[ARGUMENTS],
    struct seccomp_data *d)
{
	uint32_t action = list[index].decision.action;
	size_t other = index;

	while (other < count && list[other].decision.action == action)
		other++;
	if (other == count || list[count - 1].decision.action != action)
		return;
	decided_by(list, other, all, (uint64_t *)d->args);
	for (unsigned arg = 0; arg < ARGUMENTS; arg++) {
		uint64_t saved = d->args[arg];

		for (size_t k = 0; k < own[arg].count; k++) {
			d->args[arg] = own[arg].items[k];
			judge(c, d);
		}
		d->args[arg] = saved;
	}
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

		/* of hundreds of clauses the bits would cost seconds; their neighbours stay */
		for (size_t k = 0; k < list[i].condition_count; k++)
			add_boundaries(c, &own[list[i].conditions[k].arg], &list[i].conditions[k],
			    count <= MANY);
		decided_by(list, i, all, (uint64_t *)d->args);
		meet(c, d);
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
		judge_before_another(c, list, count, i, all, own, d);
	}
	for (unsigned mix = 0; mix < MIXES; mix++) {
		for (unsigned arg = 0; arg < ARGUMENTS; arg++) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			d->args[arg] = all[arg].count > 0 ? all[arg].items[random % all[arg].count]
							  : random;
		}
		meet(c, d);
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
	forget_ways(c);
	memset(d->args, 0xff, sizeof d->args);
	meet(c, d);
	if (before_count > 0) {
		struct clause *both = arena_array(c->arena, before_count + count, sizeof *both);

		memcpy(both, before, before_count * sizeof *both);
		memcpy(both + before_count, list, count * sizeof *both);
		list = both;
		count += before_count;
	}
	judge_conditions(c, list, count, d);
	/* one word of the secret is wrong */
	for (unsigned half = 0; has_cookie(c, d) && half < FENCE_COOKIE_WORDS; half++) {
		memset(d->args, 0, sizeof d->args);
		d->args[3 + half / 2] = (uint64_t)1 << half % 2 * 32;
		judge(c, d);
	}
	judge_ways(c);
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
	c->prctl = call_named("prctl")->nr[abi_native()];
	c->execve = call_named("execve")->nr[abi_native()];
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
	struct check c = { .policy = p,
		.stage = s,
		.code = code,
		.count = count,
		.arena = arena_new(),
		.good = true,
		.differs = differs,
		.to = to };

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
    const uint32_t *digest, const struct sock_filter *code, size_t count)
{
	struct check c = { .policy = p,
		.stage = s,
		.loader = loader,
		.cookie = cookie,
		.digest = digest,
		.code = code,
		.count = count,
		.arena = arena_new(),
		.good = true };

	return verify(&c);
}

bool verify_inner(const struct policy *p, const struct stage *s, const struct program *outer,
    enum fence_listener listener, const uint32_t *digest, const struct sock_filter *code,
    size_t count)
{
	struct check c = { .policy = p,
		.stage = s,
		.digest = digest,
		.code = code,
		.count = count,
		.arena = arena_new(),
		.good = true,
		.outer = outer,
		.listener = listener };

	return verify(&c);
}
