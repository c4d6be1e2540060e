#include "reach.h"

#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "cubes.h"
#include "mem.h"
#include "policy.h"
#include "say.h"

enum { PIECES_MAX = 256, CALLS_SHOWN = 8, STAGES_SHOWN = 3 };

/* What some stages say of a call, all the same. */
struct saying {
	const struct clause *list;
	size_t count;
	bool known; /* refused could be had */
	struct cubes refused;
	bool weaker; /* allows something that another saying refuses */
};

/* What is found out of the stages that can be named. */
struct reach {
	const struct stage **stages;
	size_t count;
	bool **weaker; /* [stage][call]: allows what another refuses */
	bool *named;   /* [call]: by a rule that names it, and not only by a default */
};

static bool refuses(const struct clause *c)
{
	return action_refuses(c->decision.action);
}

/* The arguments of clauses that refuse, or of the others, that no earlier clause of the other kind
 * takes before. False: too many pieces. */
static bool cubes_refused(struct arena *a, struct saying *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct cubes these, before;

		if (!refuses(&s->list[i]))
			continue;
		if (!cubes_of(a, &s->list[i], &these))
			return false;
		for (size_t k = 0; k < i; k++)
			if (!refuses(&s->list[k]) &&
			    (!cubes_of(a, &s->list[k], &before) ||
				!cubes_less(a, &these, &before, PIECES_MAX)))
				return false;
		for (size_t k = 0; k < these.count; k++) {
			s->refused.items = arena_grow(
			    a, s->refused.items, s->refused.count, sizeof *s->refused.items);
			s->refused.items[s->refused.count++] = these.items[k];
		}
		if (s->refused.count > PIECES_MAX)
			return false;
	}
	return true;
}

/* Does one of them allow what the other refuses? Where that takes too long to tell, it may. */
static bool allows_more(struct arena *a, const struct saying *one, const struct saying *other)
{
	struct cubes rest = other->refused;

	return !one->known || !other->known || !cubes_less(a, &rest, &one->refused, PIECES_MAX) ||
	    rest.count > 0;
}

static bool says_same(const struct saying *s, const struct clause *list, size_t count)
{
	if (s->count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (refuses(&s->list[i]) != refuses(&list[i]) ||
		    !clause_same_conditions(&s->list[i], &list[i]))
			return false;
	return true;
}

static void compare_call(const struct policy *p, struct reach *r, size_t index)
{
	const struct call *call = call_at(index);
	struct arena *scratch = arena_new();
	struct saying *sayings = arena_array(scratch, r->count, sizeof *sayings);
	size_t *of = arena_array(scratch, r->count, sizeof *of), said = 0;

	for (size_t i = 0; i < r->count; i++) {
		struct clause *list;
		size_t count = policy_list(p, r->stages[i], call, scratch, &list);

		count = policy_simplify(list, count, scratch);
		for (size_t c = 0; c < count; c++) {
			const struct rule *rule = list[c].decision.rule;

			if (refuses(&list[c]) && rule != NULL && rule->call != NULL &&
			    rule->implied_by == NULL)
				r->named[index] = true;
		}
		while (of[i] < said && !says_same(&sayings[of[i]], list, count))
			of[i]++;
		if (of[i] == said)
			sayings[said++] = (struct saying){ .list = list, .count = count };
	}
	for (size_t i = 0; said > 1 && i < said; i++)
		sayings[i].known = cubes_refused(scratch, &sayings[i]);
	for (size_t i = 0; i < said; i++)
		for (size_t k = 0; k < said && !sayings[i].weaker; k++)
			sayings[i].weaker = k != i &&
			    allows_more(scratch, &sayings[i], &sayings[k]);
	for (size_t i = 0; i < r->count; i++)
		r->weaker[i][index] = sayings[of[i]].weaker;
	arena_free(scratch);
}

/* Without a variable the environment names nothing, and has no choice. */
static void find_reach(const struct policy *p, struct reach *r, struct arena *a)
{
	*r = (struct reach){ .stages = arena_array(a, p->stage_count, sizeof *r->stages),
		.weaker = arena_array(a, p->stage_count, sizeof *r->weaker),
		.named = arena_array(a, call_count(), sizeof *r->named) };
	for (size_t i = 0; i < p->stage_count; i++) {
		const struct stage *s = p->stages[i];

		if (s->is_profile || (p->variable_count == 0 && s != p->no_stage))
			continue;
		r->weaker[r->count] = arena_array(a, call_count(), sizeof **r->weaker);
		r->stages[r->count++] = s;
	}
	for (size_t i = 0; r->count > 1 && i < call_count(); i++)
		if (call_at(i)->nr[abi_native()] >= 0)
			compare_call(p, r, i);
}

/* What a stage grants that is no call. */
enum { GRANTS_PRIVILEGES = 1 };

static unsigned grants(const struct policy *p, const struct stage *s)
{
	return s->attributes.architectures << 1 |
	    (!s->attributes.no_new_privs || !policy_has_fence(p, s) ? GRANTS_PRIVILEGES : 0);
}

static const char *grants_text(struct arena *a, unsigned more)
{
	const char *text = (more & GRANTS_PRIVILEGES) != 0 ? "no_new_privs = false" : NULL;

	for (enum abi abi = 0; abi < ABI_COUNT; abi++)
		if ((more >> 1 & 1u << abi) != 0)
			text = arena_format(a, "%s%scalls of %s", text != NULL ? text : "",
			    text != NULL ? ", " : "", abi_name(abi));
	return text;
}

/* Does stage t grant all that s does? */
static bool covers(const struct policy *p, const struct reach *r, size_t t, size_t s)
{
	for (size_t i = 0; i < call_count(); i++)
		if (r->weaker[s][i] && !r->weaker[t][i])
			return false;
	return (grants(p, r->stages[s]) & ~grants(p, r->stages[t])) == 0;
}

static void add_weak_calls(
    struct arena *a, const struct reach *r, size_t stage, bool named, struct weak *w)
{
	for (size_t i = 0; i < call_count(); i++)
		if (r->weaker[stage][i] && r->named[i] == named) {
			w->calls = arena_grow(a, w->calls, w->count, sizeof *w->calls);
			w->calls[w->count++] = call_at(i);
		}
}

size_t reach_weakest(const struct policy *p, struct arena *a, struct weak **list)
{
	unsigned common = ~0u;
	size_t count = 0;
	struct reach r;

	*list = NULL;
	find_reach(p, &r, a);
	for (size_t s = 0; s < r.count; s++)
		common &= grants(p, r.stages[s]);
	for (size_t s = 0; s < r.count; s++) {
		struct weak weak = { .stage = r.stages[s],
			.more = grants_text(a, grants(p, r.stages[s]) & ~common) };
		bool beaten = false;

		for (size_t t = 0; t < r.count && !beaten; t++) {
			bool more = t != s && covers(p, &r, t, s),
			     same = more && covers(p, &r, s, t);

			beaten = more && (!same || t < s);
			weak.alike += same && t > s;
		}
		if (!beaten) {
			add_weak_calls(a, &r, s, true, &weak);
			add_weak_calls(a, &r, s, false, &weak);
		}
		if (beaten || (weak.count == 0 && weak.more == NULL))
			continue;
		*list = arena_grow(a, *list, count, sizeof **list);
		(*list)[count++] = weak;
	}
	return count;
}

/* ---- in words ---- */

static const char *variables_text(const struct policy *p, struct arena *a)
{
	const char *text = "";

	for (size_t i = 0; i < p->variable_count; i++)
		text = arena_format(a, "%s%s%s", text, i > 0 ? " or " : "", p->variables[i]);
	return text;
}

/* "2 calls that another stage refuses: mkdir, mkdirat" */
static const char *weak_text(const struct weak *w, struct arena *a)
{
	const char *text = "";

	if (w->count > 0)
		text = arena_format(a, "%zu call%s that another stage refuses:", w->count,
		    w->count == 1 ? "" : "s");
	for (size_t i = 0; i < w->count && i < CALLS_SHOWN; i++)
		text = arena_format(a, "%s%s %s", text, i > 0 ? "," : "", w->calls[i]->name);
	if (w->count > CALLS_SHOWN)
		text = arena_format(a, "%s and %zu more", text, w->count - CALLS_SHOWN);
	if (w->more != NULL)
		text = arena_format(a, "%s%s%s", text, w->count > 0 ? "; and " : "", w->more);
	return text;
}

static const char *name_text(const struct weak *w, struct arena *a)
{
	return w->alike == 0 ? w->stage->own.name
			     : arena_format(a, "%s and %zu alike", w->stage->own.name, w->alike);
}

void reach_note(const struct policy *p, const char *file, struct arena *a)
{
	const char *variables = variables_text(p, a);
	struct weak *list;
	size_t count;

	if (p->no_stage_passes && p->variable_count > 0)
		say_note(file, 0,
		    "no_stage = \"pass\": whoever can unset %s has no fence, nor the floor",
		    variables);
	/* what must hold has been thought of */
	if (p->floor != NULL || p->variable_count == 0)
		return;
	count = reach_weakest(p, a, &list);
	for (size_t i = 0; i < count && i < STAGES_SHOWN; i++)
		say_note(list[i].stage->own.origin.file, list[i].stage->own.origin.line,
		    "whoever can set %s can be in %s, and has %s; what must always hold belongs in "
		    "a floor%s",
		    variables, name_text(&list[i], a), weak_text(&list[i], a),
		    i + 1 == STAGES_SHOWN && count > STAGES_SHOWN ? "; and more stages are weak"
								  : "");
}

void reach_print(const struct policy *p, struct arena *a)
{
	struct weak *list = NULL;
	size_t count = 0, stages = 0;

	for (size_t i = 0; i < p->stage_count; i++)
		stages += !p->stages[i]->is_profile;
	if (p->no_stage_passes && p->variable_count > 0)
		printf(
		    "weakest stage: none, which no_stage = \"pass\" is: no fence, and no floor\n");
	if (p->variable_count == 0)
		printf("weakest stage: the environment names none\n");
	else if (stages == 1)
		printf("weakest stage: there is one only\n");
	else {
		count = reach_weakest(p, a, &list);
		if (count == 0)
			printf("weakest stage: all refuse the same\n");
	}
	for (size_t i = 0; i < count && i < STAGES_SHOWN; i++)
		printf(
		    "weakest stage: %s, with %s\n", name_text(&list[i], a), weak_text(&list[i], a));
	if (count > STAGES_SHOWN)
		printf("weakest stage: or %zu more\n", count - STAGES_SHOWN);
	if (p->floor != NULL)
		printf("what the floor %s refuses is refused in all of them\n", p->floor->own.name);
}
