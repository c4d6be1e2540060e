#include "policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "consts.h"
#include "mem.h"

enum { X32_BIT = 0x40000000 };

bool action_stricter(uint32_t a, uint32_t b)
{
	/* the kernel compares them as signed numbers, so that 0x80000000 is the least
	 * (include/uapi/linux/seccomp.h) */
	return (int32_t)(a & SECCOMP_RET_ACTION_FULL) < (int32_t)(b & SECCOMP_RET_ACTION_FULL);
}

bool rule_is_own(const struct stage *s, const struct rule *r)
{
	return r != NULL && r >= s->own.rules && r < s->own.rules + s->own.rule_count &&
	    r->call != NULL && r->implied_by == NULL;
}

bool action_refuses(uint32_t action)
{
	return action_stricter(action, SECCOMP_RET_LOG);
}

const char *action_text(struct arena *a, uint32_t action)
{
	unsigned data = action & SECCOMP_RET_DATA;

	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW: return "allow";
	case SECCOMP_RET_LOG: return "log";
	case SECCOMP_RET_TRACE: return "trace";
	case SECCOMP_RET_USER_NOTIF: return "notify";
	case SECCOMP_RET_TRAP: return "trap";
	case SECCOMP_RET_KILL_THREAD: return "kill_thread";
	case SECCOMP_RET_KILL_PROCESS: return "kill_process";
	case SECCOMP_RET_ERRNO:
		return const_errno_name(data) != NULL ? const_errno_name(data)
						      : arena_format(a, "errno %u", data);
	default: return arena_format(a, "0x%08x", action);
	}
}

bool condition_holds(const struct condition *c, const uint64_t args[6])
{
	/* value lies within mask; an ordering's mask is the width */
	uint64_t have = args[c->arg] & c->mask;

	switch (c->op) {
	case OP_EQ: return have == c->value;
	case OP_NE: return have != c->value;
	case OP_LT: return have < c->value;
	case OP_LE: return have <= c->value;
	case OP_GT: return have > c->value;
	case OP_GE: return have >= c->value;
	}
	abort();
}

uint64_t condition_witness(const struct condition *c)
{
	switch (c->op) {
	case OP_NE: return c->value ^ (c->mask & -c->mask);
	case OP_LT: return c->value - 1;
	case OP_GT: return c->value + 1;
	default: return c->value;
	}
}

/* On the 16 bits that the kernel looks at: what it makes of them is a number below 0xffff, or -1.
 */
static struct condition condition_on_short_id(const struct rule *r, const struct condition *c)
{
	enum { MINUS_ONE = 0xffff };
	const struct condition never = { .arg = c->arg,
		.op = OP_GT,
		.mask = MINUS_ONE,
		.value = MINUS_ONE,
		.mask_text = c->mask_text,
		.value_text = c->value_text };
	struct condition on = *c, always = never;
	bool short_value = c->value <= MINUS_ONE;

	always.op = OP_GE;
	always.value = 0;
	on.mask = MINUS_ONE;
	switch (c->op) {
	case OP_LT:
	case OP_GE: on.value = short_value ? c->value : MINUS_ONE; return on;
	case OP_LE:
		on.op = short_value && c->value != MINUS_ONE ? OP_LE : OP_LT;
		on.value = short_value ? c->value : MINUS_ONE;
		return c->value == UINT32_MAX ? always : on;
	case OP_GT:
		on.op = c->value < MINUS_ONE ? OP_GT : OP_GE;
		on.value = c->value < MINUS_ONE ? c->value : MINUS_ONE;
		return c->value == UINT32_MAX ? never : on;
	case OP_EQ:
	case OP_NE:
		/* an id that is not known yet may be one that 16 bits cannot hold: who is cut to
		 * another must not get what is his own */
		if (c->launch)
			return action_refuses(r->action) ? always : never;
		on.mask = c->mask & MINUS_ONE;
		on.value = c->value & MINUS_ONE;
		if ((c->mask >> 16) == 0)
			return on;
		/* -1 has all bits of the mask */
		if (c->value == c->mask) {
			on.mask = on.value = MINUS_ONE;
			return on;
		}
		if ((c->value >> 16) != 0 || (on.mask == MINUS_ONE && on.value == MINUS_ONE))
			return c->op == OP_EQ ? never : always;
		/* all but -1, or what takes two comparisons: the stricter of what one can say */
		if (on.mask == 0) {
			on.mask = on.value = MINUS_ONE;
			on.op = c->op == OP_EQ ? OP_NE : OP_EQ;
		} else if (on.value == on.mask && action_refuses(r->action) == (c->op == OP_NE))
			return c->op == OP_EQ ? never : always;
		return on;
	}
	abort();
}

struct condition condition_on(enum abi abi, const struct rule *r, const struct condition *c)
{
	struct condition on = *c;

	if (!c->whole && r->call != NULL && call_arg_is_short_id(r->call, abi, c->arg))
		return condition_on_short_id(r, c);

	if ((on.whole && (abi == ABI_I386 || abi == ABI_X32)) ||
	    (abi == ABI_I386 && on.value >> 32 == UINT32_MAX)) {
		on.mask &= UINT32_MAX;
		on.value &= UINT32_MAX;
	}
	return on;
}

/* A number that fits 32 bits, or is negative in 64: both are what people write for an int. */
static bool narrow(uint64_t *value)
{
	const uint64_t low = UINT32_MAX;

	if (*value > low && *value < ~(uint64_t)INT32_MAX)
		return false;
	*value &= low;
	return true;
}

const char *condition_fit(struct arena *a, struct condition *c, const struct call *call)
{
	size_t arguments = strlen(call->widths);

	if (c->whole)
		return c->mask != 0 ? NULL : "a mask without bits";
	if (c->arg >= arguments)
		return arena_format(a, "%s has %s%zu arguments: there is no arg %u", call->name,
		    arguments > 0 ? "only " : "", arguments, c->arg);
	if (c->mask != ~(uint64_t)0 && c->op != OP_EQ && c->op != OP_NE)
		return "a mask goes with == and != only";
	if (call_arg_is_word(call, abi_native(), c->arg)) {
		const char *wide = !narrow(&c->mask) ? "mask" : !narrow(&c->value) ? "value" : NULL;

		if (wide != NULL)
			return arena_format(a,
			    "the %s has more than 32 bits, but the kernel looks at 32 of %s's arg "
			    "%u",
			    wide, call->name, c->arg);
	}
	if (call_arg_is_mode(call, c->arg)) {
		if (c->value > UINT16_MAX)
			return arena_format(a,
			    "the value has more than 16 bits, but the kernel looks at 16 of %s's "
			    "arg %u",
			    call->name, c->arg);
		c->mask &= UINT16_MAX;
	}
	if (c->mask == 0)
		return "a mask without bits";
	if ((c->value & ~c->mask) != 0)
		return "the value has bits that the mask leaves out: they are never equal";
	/* clone(2): there the stack comes before the flags */
	if (abi_native() == ABI_S390X && c->arg < 2 && strcmp(call->name, "clone") == 0)
		c->arg = 1 - c->arg;
	return NULL;
}

static bool rule_matches(const struct rule *r, enum abi abi, const uint64_t args[6])
{
	bool native = abi == abi_native() && abi != ABI_I386;

	for (size_t i = 0; i < r->condition_count; i++)
		if (native) {
			if (!condition_holds(&r->conditions[i], args))
				return false;
		} else {
			struct condition c = condition_on(abi, r, &r->conditions[i]);

			if (!condition_holds(&c, args))
				return false;
		}
	return true;
}

static int compare_rules(const void *a, const void *b)
{
	const struct rule *x = a, *y = b;

	if (x->call != y->call)
		return x->call < y->call ? -1 : 1;
	/* as the file has them: for the first of two equals decides what a report names */
	if (x->origin.line != y->origin.line)
		return x->origin.line < y->origin.line ? -1 : 1;
	return 0;
}

void policy_sort(struct level *level)
{
	if (level->rule_count > 0)
		qsort(level->rules, level->rule_count, sizeof *level->rules, compare_rules);
}

/* The rules of one call lie together: the first, and how many. */
static const struct rule *rules_of(
    const struct level *level, const struct call *call, size_t *count)
{
	size_t low = 0, high = level->rule_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (level->rules[middle].call < call)
			low = middle + 1;
		else
			high = middle;
	}
	*count = 0;
	while (low + *count < level->rule_count && level->rules[low + *count].call == call)
		++*count;
	return level->rule_count == 0 ? NULL : &level->rules[low];
}

/* Calls that a program cannot do without whatever it is for: it ends with them, or returns from a
 * signal. */
static bool always_allowed(const struct call *call)
{
	static const char *const names[] = { "exit", "exit_group", "restart_syscall",
		"rt_sigreturn", "sigreturn" };

	for (size_t i = 0; call != NULL && i < sizeof names / sizeof names[0]; i++)
		if (strcmp(call->name, names[i]) == 0)
			return true;
	return false;
}

static const struct rule *fallback_of(const struct stage *s)
{
	for (size_t i = 0; i < s->level_count; i++)
		if (s->levels[i]->fallback != NULL)
			return s->levels[i]->fallback;
	return NULL;
}

static struct decision decide_default(const struct stage *s, const struct call *call)
{
	const struct decision allow = decision_of(SECCOMP_RET_ALLOW, NULL);
	const struct rule *fallback = fallback_of(s);
	uint16_t newest = s->attributes.newest_kernel;
	bool exact = s->attributes.exact;

	if (s->disabled || (!exact && always_allowed(call)))
		return allow;
	if (call == NULL ? !exact || newest != 0 : newest != 0 && call->since > newest)
		return decision_of(SECCOMP_RET_ERRNO | ENOSYS, NULL);
	if (fallback == NULL)
		return allow;
	/* glibc's threads and posix_spawn take EPERM for a failure, and ENOSYS for an old kernel */
	if (!exact && (fallback->action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
	    strcmp(call->name, "clone3") == 0)
		return decision_of(SECCOMP_RET_ERRNO | ENOSYS, fallback);
	return decision_of(fallback->action, fallback);
}

void policy_resolve(struct stage *s)
{
	struct attributes *to = &s->attributes;

	*to = (struct attributes){ .no_new_privs = true,
		.tsync = true,
		.optimize = 2,
		.bad_arch_action = SECCOMP_RET_KILL_PROCESS };
	for (size_t i = 0; i < s->level_count; i++) {
		const struct attributes *from = &s->levels[i]->attributes;
		unsigned new = from->set & ~to->set;

		to->set |= new;
		if (new &ATTRIBUTE_NO_NEW_PRIVS)
			to->no_new_privs = from->no_new_privs;
		if (new &ATTRIBUTE_NEWEST_KERNEL)
			to->newest_kernel = from->newest_kernel;
		if (new &ATTRIBUTE_BAD_ARCH)
			to->bad_arch_action = from->bad_arch_action;
		if (new &ATTRIBUTE_LOG_BLOCKED)
			to->log_blocked = from->log_blocked;
		if (new &ATTRIBUTE_LOG_ALLOWED)
			to->log_allowed = from->log_allowed;
		if (new &ATTRIBUTE_SPECULATION)
			to->allow_speculation = from->allow_speculation;
		if (new &ATTRIBUTE_TSYNC)
			to->tsync = from->tsync;
		if (new &ATTRIBUTE_OPTIMIZE)
			to->optimize = from->optimize;
		if (new &ATTRIBUTE_ARCHITECTURES)
			to->architectures = from->architectures;
		if (new &ATTRIBUTE_STRICT)
			to->strict = from->strict;
		if (new &ATTRIBUTE_EXACT)
			to->exact = from->exact;
		if (new &ATTRIBUTE_REPORT)
			to->report = from->report;
		if (new &ATTRIBUTE_LISTENER)
			to->listener = from->listener;
		if (new &ATTRIBUTE_METADATA)
			to->metadata = from->metadata;
	}
	/* which is a rule for every call */
	if (s->disabled)
		to->strict = false;
}

/* What the kernel allows in SECCOMP_MODE_STRICT (prctl(2)); all else is SIGKILL. */
static struct decision decide_strict(const struct call *call)
{
	static const char *const names[] = { "read", "write", "exit", "rt_sigreturn" };

	for (size_t i = 0; call != NULL && i < sizeof names / sizeof names[0]; i++)
		if (strcmp(call->name, names[i]) == 0)
			return decision_of(SECCOMP_RET_ALLOW, NULL);
	return decision_of(SECCOMP_RET_KILL_THREAD, NULL);
}

static struct decision decide_stage(
    const struct stage *s, enum abi abi, const struct call *call, const uint64_t args[6])
{
	if (s->attributes.strict)
		return decide_strict(call);
	for (size_t i = 0; call != NULL && !s->disabled && i < s->level_count; i++) {
		size_t count;
		const struct rule *r = rules_of(s->levels[i], call, &count), *best = NULL;

		for (; count > 0; count--, r++)
			if (rule_matches(r, abi, args) &&
			    (best == NULL ||
				(r->condition_count > 0 && best->condition_count == 0) ||
				((r->condition_count > 0) == (best->condition_count > 0) &&
				    action_stricter(r->action, best->action))))
				best = r;
		if (best != NULL)
			return decision_of(best->action, best);
	}
	return decide_default(s, call);
}

/* log_allowed: an allowed call is a logged one. */
static struct decision logged(const struct stage *s, struct decision d)
{
	if (s->attributes.log_allowed && d.action == SECCOMP_RET_ALLOW)
		d.action = SECCOMP_RET_LOG;
	return d;
}

enum consts_of policy_constants(void)
{
	return abi_native() == ABI_X86_64 ? CONSTS_X86_64
	    : abi_native() == ABI_AARCH64 ? CONSTS_AARCH64
					  : CONSTS_ELSEWHERE;
}

bool policy_abi(const struct stage *s, const struct seccomp_data *d, enum abi *abi)
{
	*abi = abi_native();
	/* -1 is a call that a tracer skipped, of neither */
	if (abi_runs(ABI_X32) && d->nr != -1)
		*abi = (uint32_t)d->nr >= X32_BIT ? ABI_X32 : ABI_X86_64;
	if (abi_runs(ABI_I386) && d->arch == abi_audit_arch(ABI_I386))
		*abi = ABI_I386;
	return d->arch == abi_audit_arch(*abi) &&
	    (*abi == abi_native() || (s->attributes.architectures & 1u << *abi) != 0);
}

/* What can only refuse, one after the other: a stage's plugins, the floor's, the floor. NULL: no
 * more. */
static const struct stage *floor_at(const struct policy *p, const struct stage *s, size_t i)
{
	if (i < s->floor_count)
		return s->floors[i];
	i -= s->floor_count;
	if (p->floor == NULL || i > p->floor->floor_count)
		return NULL;
	return i < p->floor->floor_count ? p->floor->floors[i] : p->floor;
}

bool policy_has_fence(const struct policy *p, const struct stage *s)
{
	return !s->disabled || floor_at(p, s, 0) != NULL;
}

/* A floor's refusal holds unless the answer so far is stricter. */
static struct decision floored(struct decision so_far, struct decision floor)
{
	if (!action_refuses(floor.action) || action_stricter(so_far.action, floor.action))
		return so_far;
	floor.by_floor = true;
	return floor;
}

struct decision policy_decide(
    const struct policy *p, const struct stage *s, const struct seccomp_data *d)
{
	const uint64_t *args = (const uint64_t *)d->args;
	const struct call *call;
	const struct stage *floor;
	struct decision decision;
	enum abi abi;

	if (!policy_abi(s, d, &abi))
		return decision_of(s->attributes.bad_arch_action, NULL);
	call = call_numbered(abi, (uint32_t)d->nr);
	decision = logged(s, decide_stage(s, abi, call, args));
	for (size_t i = 0; (floor = floor_at(p, s, i)) != NULL; i++)
		decision = floored(decision, decide_stage(floor, abi, call, args));
	return decision;
}

struct list {
	enum abi abi;
	struct arena *arena;
	struct clause *items;
	size_t count;
};

static void add(
    struct list *list, const struct condition *conditions, size_t count, struct decision decision)
{
	list->items = arena_grow(list->arena, list->items, list->count, sizeof *list->items);
	list->items[list->count++] = (struct clause){ conditions, count, decision };
}

/* A rule's conditions as the list's ABI sees them. */
static const struct condition *conditions_of(struct list *list, const struct rule *r)
{
	struct condition *on;

	if (list->abi == abi_native())
		return r->conditions;
	on = arena_array(list->arena, r->condition_count, sizeof *on);
	for (size_t i = 0; i < r->condition_count; i++)
		on[i] = condition_on(list->abi, r, &r->conditions[i]);
	return on;
}

/* A level's rules with conditions, the strictest first; then its strictest without, which ends the
 * list. */
static bool list_level(struct list *list, const struct level *level, const struct call *call)
{
	size_t count, first = list->count;
	const struct rule *r = rules_of(level, call, &count), *plain = NULL;

	for (size_t i = 0; i < count; i++) {
		if (r[i].condition_count == 0) {
			if (plain == NULL || action_stricter(r[i].action, plain->action))
				plain = &r[i];
			continue;
		}
		add(list, conditions_of(list, &r[i]), r[i].condition_count,
		    decision_of(r[i].action, &r[i]));
		for (size_t at = list->count - 1; at > first &&
		     action_stricter(
			 list->items[at].decision.action, list->items[at - 1].decision.action);
		     at--) {
			struct clause swap = list->items[at];

			list->items[at] = list->items[at - 1];
			list->items[at - 1] = swap;
		}
	}
	if (plain != NULL)
		add(list, NULL, 0, decision_of(plain->action, plain));
	return plain != NULL;
}

static void list_stage(struct list *list, const struct stage *s, const struct call *call)
{
	if (s->attributes.strict) {
		add(list, NULL, 0, decide_strict(call));
		return;
	}
	for (size_t i = 0; call != NULL && !s->disabled && i < s->level_count; i++)
		if (list_level(list, s->levels[i], call))
			return;
	add(list, NULL, 0, decide_default(s, call));
}

static void add_both(
    struct list *list, const struct clause *a, const struct clause *b, struct decision decision)
{
	size_t count = a->condition_count + b->condition_count;
	struct condition *both = arena_array(list->arena, count, sizeof *both);

	if (a->condition_count > 0)
		memcpy(both, a->conditions, a->condition_count * sizeof *both);
	if (b->condition_count > 0)
		memcpy(both + a->condition_count, b->conditions, b->condition_count * sizeof *both);
	add(list, both, count, decision);
}

/* Each clause of a floor against all that is above it: what it refuses is refused, by the stricter
 * of the two. Where it refuses nothing, nor does a clause further down, all stays as it is. */
static void list_under_floor(struct list *list, const struct list *floor, const struct list *above)
{
	size_t refusals = floor->count;

	while (refusals > 0 && !action_refuses(floor->items[refusals - 1].decision.action))
		refusals--;
	for (size_t f = 0; f < refusals; f++) {
		const struct clause *low = &floor->items[f];
		bool decides = action_refuses(low->decision.action);

		for (size_t s = 0; decides && s < above->count; s++)
			decides = !action_stricter(
			    above->items[s].decision.action, low->decision.action);
		if (decides) {
			add(list, low->conditions, low->condition_count,
			    floored(above->items[0].decision, low->decision));
			continue;
		}
		for (size_t s = 0; s < above->count; s++)
			add_both(list, low, &above->items[s],
			    floored(above->items[s].decision, low->decision));
	}
	for (size_t s = 0; refusals < floor->count && s < above->count; s++)
		add(list, above->items[s].conditions, above->items[s].condition_count,
		    above->items[s].decision);
}

size_t policy_list_on(const struct policy *p, const struct stage *s, enum abi abi,
    const struct call *call, struct arena *a, struct clause **items)
{
	struct list so_far = { .abi = abi, .arena = a };
	const struct stage *level;

	list_stage(&so_far, s, call);
	for (size_t i = 0; i < so_far.count; i++)
		so_far.items[i].decision = logged(s, so_far.items[i].decision);
	for (size_t i = 0; (level = floor_at(p, s, i)) != NULL; i++) {
		struct list floor = { .abi = abi, .arena = a }, both = floor;

		list_stage(&floor, level, call);
		list_under_floor(&both, &floor, &so_far);
		so_far = both;
	}
	*items = so_far.items;
	return so_far.count;
}

size_t policy_list(const struct policy *p, const struct stage *s, const struct call *call,
    struct arena *a, struct clause **items)
{
	return policy_list_on(p, s, abi_native(), call, a, items);
}

static bool same_condition(const struct condition *a, const struct condition *b)
{
	return a->arg == b->arg && a->op == b->op && a->mask == b->mask && a->value == b->value &&
	    a->whole == b->whole;
}

/* Does every call that fulfils all of the one list fulfil all of the other, because it asks no
 * more? */
static bool asks_no_more(const struct clause *less, const struct clause *more)
{
	for (size_t i = 0; i < less->condition_count; i++) {
		size_t k = 0;

		while (k < more->condition_count &&
		    !same_condition(&less->conditions[i], &more->conditions[k]))
			k++;
		if (k == more->condition_count)
			return false;
	}
	return true;
}

bool clause_same_conditions(const struct clause *a, const struct clause *b)
{
	return asks_no_more(a, b) && asks_no_more(b, a);
}

/* Where a holds so that all bits which b looks at are known, can b hold too? */
static bool contradict(const struct condition *a, const struct condition *b)
{
	uint64_t args[6] = { 0 };

	if (a->op != OP_EQ || a->arg != b->arg || (b->mask & ~a->mask) != 0)
		return false;
	args[a->arg] = a->value;
	return !condition_holds(b, args);
}

static bool can_hold(const struct clause *c)
{
	for (size_t i = 0; i < c->condition_count; i++)
		for (size_t k = 0; k < c->condition_count; k++)
			if (contradict(&c->conditions[i], &c->conditions[k]))
				return false;
	return true;
}

/* Each condition once. */
static void say_once(struct clause *c, struct arena *a)
{
	struct condition *once = arena_array(a, c->condition_count, sizeof *once);
	size_t count = 0;

	for (size_t i = 0; i < c->condition_count; i++) {
		size_t k = 0;

		while (k < count && !same_condition(&once[k], &c->conditions[i]))
			k++;
		if (k == count)
			once[count++] = c->conditions[i];
	}
	c->conditions = once;
	c->condition_count = count;
}

size_t policy_simplify(struct clause *list, size_t count, struct arena *a)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct clause c = list[i];
		size_t k = 0;

		say_once(&c, a);
		while (k < kept && !asks_no_more(&list[k], &c))
			k++;
		if (k == kept && can_hold(&c))
			list[kept++] = c;
	}
	return kept;
}

struct decision policy_unnamed(const struct policy *p, const struct stage *s, struct arena *a)
{
	const struct call nobody = { .name = "(unnamed)", .since = kernel_version(2, 0) };
	struct clause *list;
	size_t count = policy_list(p, s, &nobody, a, &list);

	return list[count - 1].decision;
}
