#include "document.h"

#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "conf.h"
#include "consts.h"
#include "expect.h"
#include "explain.h"
#include "filter.h"
#include "image.h"
#include "json.h"
#include "junit.h"
#include "mem.h"
#include "policy.h"
#include "say.h"
#include "verify.h"

enum { VERSION_OF_FORM = 1 };

void document_begin(struct json *j, const char *command)
{
	say_keep();
	*j = (struct json){ .out = stdout, .pretty = true };
	json_object(j, NULL);
	json_number(j, "version", VERSION_OF_FORM);
	json_text(j, "command", command);
	json_text(j, "architecture", abi_name(abi_native()));
}

void document_end(struct json *j, bool good)
{
	const struct said *said;
	size_t count = say_kept(&said);

	json_bool(j, "good", good);
	json_number(j, "mistake_count", say_count());
	json_array(j, "mistakes");
	for (size_t i = 0; i < count; i++) {
		json_object(j, NULL);
		json_text(j, "kind", said[i].note ? "note" : "error");
		json_text(j, "file", said[i].file);
		if (said[i].line > 0)
			json_number(j, "line", said[i].line);
		else
			json_text(j, "line", NULL);
		json_text(j, "message", said[i].text);
		json_close(j);
	}
	json_close(j);
	json_close(j);
}

/* ---- answers ---- */

static void write_origin(struct json *j, const struct origin *o)
{
	json_text(j, "file", o != NULL ? o->file : NULL);
	if (o != NULL && o->line > 0)
		json_number(j, "line", o->line);
	else
		json_text(j, "line", NULL);
}

/* "action", and of an errno the number and the name. */
static void write_action(struct json *j, struct arena *a, uint32_t action)
{
	unsigned data = action & SECCOMP_RET_DATA;

	if ((action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO) {
		json_text(j, "action", action_text(a, action));
		return;
	}
	json_text(j, "action", "errno");
	json_number(j, "errno", data);
	json_text(j, "errno_name", const_errno_name(data));
}

static void write_decision(struct json *j, struct arena *a, const struct decision *d)
{
	write_action(j, a, d->action);
	write_origin(j, d->rule != NULL ? &d->rule->origin : NULL);
	json_bool(j, "by_default", d->rule == NULL || d->rule->call == NULL);
	json_bool(j, "by_floor", d->by_floor);
	json_text(j, "by_way_of",
	    d->rule != NULL && d->rule->implied_by != NULL ? d->rule->implied_by->name : NULL);
	json_text(j, "comment", d->rule != NULL ? d->rule->comment : NULL);
}

static void write_conditions(struct json *j, const struct clause *c)
{
	json_array(j, "where");
	for (size_t i = 0; i < c->condition_count; i++) {
		const struct condition *k = &c->conditions[i];

		json_object(j, NULL);
		json_number(j, "arg", k->arg);
		json_hex(j, "mask", k->mask);
		json_text(j, "op", explain_op(k->op));
		if (k->launch)
			json_text(j, "value", NULL);
		else
			json_hex(j, "value", k->value);
		json_text(j, "text", k->value_text);
		json_close(j);
	}
	json_close(j);
}

/* The first one whose conditions hold is the answer. */
static void write_answers(
    struct json *j, const char *key, struct arena *a, const struct clause *list, size_t count)
{
	json_array(j, key);
	for (size_t i = 0; i < count; i++) {
		json_object(j, NULL);
		write_conditions(j, &list[i]);
		write_decision(j, a, &list[i].decision);
		json_close(j);
	}
	json_close(j);
}

/* ---- show ---- */

static void write_attributes(struct json *j, struct arena *a, const struct stage *s)
{
	const struct attributes *t = &s->attributes;

	json_object(j, "attributes");
	json_text(j, "mode", t->strict ? "strict" : "filter");
	json_bool(j, "disabled", s->disabled);
	json_bool(j, "no_new_privs", t->no_new_privs);
	json_text(j, "newest_kernel",
	    t->newest_kernel == 0
		? NULL
		: arena_format(a, "%u.%u", (unsigned)t->newest_kernel >> KERNEL_SHIFT,
		      t->newest_kernel & 0xffu));
	json_object(j, "bad_arch_action");
	write_action(j, a, t->bad_arch_action);
	json_close(j);
	json_bool(j, "log_blocked", t->log_blocked);
	json_bool(j, "log_allowed_actions", t->log_allowed);
	json_bool(j, "allow_speculation", t->allow_speculation);
	json_bool(j, "tsync", t->tsync);
	json_array(j, "architectures");
	for (enum abi abi = 0; abi < ABI_COUNT; abi++)
		if (t->architectures & 1u << abi)
			json_text(j, NULL, abi_name(abi));
	json_close(j);
	json_close(j);
}

struct lists {
	struct clause **list;
	size_t *count;
	unsigned char *done; /* there is none, or it is written */
};

/* Do rules of the same lines decide, too? */
static bool same_answers(const struct lists *all, size_t x, size_t y)
{
	if (!explain_same_lists(all->list[x], all->count[x], all->list[y], all->count[y]))
		return false;
	for (size_t i = 0; i < all->count[x]; i++) {
		const struct decision *d = &all->list[x][i].decision,
				      *e = &all->list[y][i].decision;

		if (d->by_floor != e->by_floor || (d->rule == NULL) != (e->rule == NULL))
			return false;
		if (d->rule != NULL &&
		    (d->rule->implied_by != e->rule->implied_by ||
			d->rule->origin.line != e->rule->origin.line ||
			strcmp(d->rule->origin.file, e->rule->origin.file) != 0 ||
			(d->rule->call == NULL) != (e->rule->call == NULL)))
			return false;
	}
	return true;
}

static void write_calls(
    struct json *j, const struct policy *p, const struct stage *s, struct arena *a)
{
	struct lists all = { arena_array(a, call_count(), sizeof *all.list),
		arena_array(a, call_count(), sizeof *all.count), arena_array(a, call_count(), 1) };

	for (size_t i = 0; i < call_count(); i++) {
		all.done[i] = !explain_can_come(s, call_at(i));
		if (!all.done[i])
			all.count[i] = explain_list(p, s, call_at(i), a, &all.list[i]);
	}
	json_array(j, "calls");
	for (size_t i = 0; i < call_count(); i++) {
		if (all.done[i])
			continue;
		json_object(j, NULL);
		json_array(j, "names");
		for (size_t k = i; k < call_count(); k++)
			if (!all.done[k] && same_answers(&all, i, k)) {
				all.done[k] = 1;
				json_text(j, NULL, call_at(k)->name);
			}
		json_close(j);
		write_answers(j, "answers", a, all.list[i], all.count[i]);
		json_close(j);
	}
	json_close(j);
}

static void write_stage(
    struct json *j, const struct policy *p, const struct stage *s, struct arena *a)
{
	struct clause *list;
	struct decision unnamed = policy_unnamed(p, s, a);

	json_object(j, NULL);
	json_text(j, "name", s->own.name);
	write_origin(j, &s->own.origin);
	json_array(j, "match");
	for (size_t i = 0; i < s->pattern_count; i++)
		json_text(j, NULL, s->patterns[i]);
	json_close(j);
	write_attributes(j, a, s);
	json_object(j, "otherwise");
	write_decision(j, a, &unnamed);
	json_close(j);
	json_object(j, "unknown");
	policy_list(p, s, NULL, a, &list);
	write_decision(j, a, &list[0].decision);
	json_close(j);
	write_calls(j, p, s, a);
	json_close(j);
}

void document_show(
    struct json *j, const struct policy *p, const struct stage *only, struct arena *a)
{
	json_array(j, "stage_env");
	for (size_t i = 0; i < p->variable_count; i++)
		json_text(j, NULL, p->variables[i]);
	json_close(j);
	json_text(j, "no_stage",
	    p->no_stage != NULL      ? p->no_stage->own.name
		: p->no_stage_passes ? "pass"
				     : "refuse");
	json_text(
	    j, "unknown_stage", p->unknown_stage != NULL ? p->unknown_stage->own.name : "refuse");
	json_text(j, "floor", p->floor != NULL ? p->floor->own.name : NULL);
	json_array(j, "stages");
	for (size_t i = 0; i < p->stage_count; i++)
		if (!p->stages[i]->is_profile && (only == NULL || p->stages[i] == only))
			write_stage(j, p, p->stages[i], a);
	json_close(j);
}

/* ---- explain ---- */

void document_explain(struct json *j, const struct policy *p, const struct stage *s,
    const struct call *call, const uint64_t *args, struct arena *a)
{
	struct clause *list, one = { NULL, 0, { 0, NULL, false } };
	struct seccomp_data d = { .nr = call->nr[abi_native()],
		.arch = abi_audit_arch(abi_native()) };
	size_t count = 1;

	json_text(j, "stage", s->own.name);
	json_text(j, "call", call->name);
	if (d.nr < 0)
		json_text(j, "number", NULL);
	else
		json_number(j, "number", d.nr);
	if (args == NULL)
		json_text(j, "arguments", NULL);
	else {
		json_array(j, "arguments");
		for (unsigned i = 0; i < 6; i++)
			json_hex(j, NULL, args[i]);
		json_close(j);
		memcpy(d.args, args, sizeof d.args);
	}
	if (args != NULL)
		one.decision = policy_decide(p, s, &d);
	else
		count = explain_list(p, s, call, a, &list);
	write_answers(j, "answers", a, args != NULL ? &one : list, d.nr < 0 ? 0 : count);
}

/* ---- check ---- */

void document_check(
    struct json *j, const void *image, const struct sources *sources, struct arena *a)
{
	json_text(j, "libseccomp", filter_library(a));
	json_array(j, "sources");
	for (size_t i = 0; i < sources->count; i++) {
		json_object(j, NULL);
		json_text(j, "path", sources->items[i].path);
		json_bool(j, "present", sources->items[i].present);
		json_close(j);
	}
	json_close(j);
	if (image == NULL)
		return;
	json_number(j, "stages", image_header(image)->part[IMAGE_STAGES].count);
	json_number(j, "programs", image_header(image)->part[IMAGE_PROGRAMS].count);
	json_number(j, "instructions", image_header(image)->part[IMAGE_CODE].count);
	json_unsigned(j, "judged", verify_count());
}

/* ---- test ---- */

void document_test(struct json *j, const struct expect *e)
{
	static const char *const verdicts[] = {
		[PASSED] = "passed", [FAILED] = "failed", [SKIPPED] = "skipped"
	};

	json_array(j, "results");
	for (size_t i = 0; i < e->count; i++) {
		const struct result *r = &e->results[i];

		json_object(j, NULL);
		json_text(j, "stage", r->suite);
		json_text(j, "name", r->name);
		json_text(j, "file", r->file);
		json_number(j, "line", r->line);
		json_text(j, "verdict", verdicts[r->verdict]);
		json_text(j, "why", r->why);
		json_number(j, "milliseconds", (int64_t)(r->seconds * 1000));
		json_close(j);
	}
	json_close(j);
}

/* ---- diff ---- */

void document_call(struct json *j, struct arena *a, const char *stage, const struct call *call,
    const struct clause *x, size_t n, const struct clause *y, size_t m)
{
	json_object(j, NULL);
	json_text(j, "kind", "call");
	json_text(j, "stage", stage);
	json_text(j, "call", call->name);
	write_answers(j, "from", a, x, n);
	write_answers(j, "to", a, y, m);
	json_close(j);
}

void document_key(
    struct json *j, const char *stage, const char *key, const char *from, const char *to)
{
	json_object(j, NULL);
	json_text(j, "kind", "key");
	json_text(j, "stage", stage);
	json_text(j, "key", key);
	json_text(j, "from", from);
	json_text(j, "to", to);
	json_close(j);
}

void document_only(struct json *j, const struct stage *s, bool first)
{
	json_object(j, NULL);
	json_text(j, "kind", "stage");
	json_text(j, "stage", s->own.name);
	json_text(j, "only_in", first ? "first" : "second");
	json_close(j);
}
