#include "explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "consts.h"
#include "mem.h"
#include "policy.h"

enum { LINE_WIDTH = 96, LAYERS_MAX = 64 };

static const char *op_text(enum condition_op op)
{
	static const char *const texts[] = { "==", "!=", "<", "<=", ">", ">=" };

	return texts[op];
}

/* As it was written; what a table added is a number. */
static const char *value_text(struct arena *a, const char *written, uint64_t value)
{
	return written != NULL ? written : arena_format(a, "%#llx", (unsigned long long)value);
}

static bool is_masked(const struct condition *c)
{
	return c->mask != UINT32_MAX && c->mask != ~(uint64_t)0;
}

const char *explain_conditions(struct arena *a, const struct condition *c, size_t count)
{
	const char *text = "";

	for (size_t i = 0; i < count; i++, c++)
		text = arena_format(a, "%s%sarg %u%s%s %s %s", text, i > 0 ? " and " : "", c->arg,
		    is_masked(c) ? " & " : "",
		    is_masked(c) ? value_text(a, c->mask_text, c->mask) : "", op_text(c->op),
		    value_text(a, c->value_text, c->value));
	return text;
}

const char *explain_origin(struct arena *a, const struct rule *r)
{
	const char *at;

	if (r == NULL)
		return "no rule";
	at = r->origin.line > 0 ? arena_format(a, "%s:%d", r->origin.file, r->origin.line)
				: r->origin.file;
	if (r->implied_by != NULL)
		return arena_format(a, "%s, by way of %s", at, r->implied_by->name);
	return r->comment != NULL ? arena_format(a, "%s: %s", at, r->comment) : at;
}

static bool native(const struct call *call)
{
	return call->nr[abi_native()] >= 0;
}

/* Can the call come in at all: by the native ABI, or by one that the stage admits? */
static bool can_come(const struct stage *s, const struct call *call)
{
	for (enum abi abi = 0; abi < ABI_COUNT; abi++)
		if (call->nr[abi] >= 0 &&
		    (abi == abi_native() || (s->attributes.architectures & 1u << abi) != 0))
			return true;
	return false;
}

/* ---- show ---- */

/* One rule of the text: what several calls have in common. */
struct line {
	const struct clause *clause;
	const struct call **calls;
	size_t count;
};

struct lines {
	struct line *items;
	size_t count;
};

static bool same_conditions(const struct clause *x, const struct clause *y)
{
	if (x->condition_count != y->condition_count)
		return false;
	for (size_t i = 0; i < x->condition_count; i++) {
		const struct condition *c = &x->conditions[i], *d = &y->conditions[i];

		if (c->arg != d->arg || c->op != d->op || c->mask != d->mask ||
		    c->value != d->value)
			return false;
	}
	return true;
}

static void add_line(
    struct arena *a, struct lines *lines, const struct clause *clause, const struct call *call)
{
	struct line *line = NULL;

	for (size_t i = 0; line == NULL && i < lines->count; i++) {
		const struct clause *other = lines->items[i].clause;

		if (other->decision.action == clause->decision.action &&
		    same_conditions(other, clause) &&
		    strcmp(explain_origin(a, other->decision.rule),
			explain_origin(a, clause->decision.rule)) == 0)
			line = &lines->items[i];
	}
	if (line == NULL) {
		lines->items = arena_grow(a, lines->items, lines->count, sizeof *lines->items);
		line = &lines->items[lines->count++];
		*line = (struct line){ .clause = clause };
	}
	line->calls = arena_grow(a, line->calls, line->count, sizeof *line->calls);
	line->calls[line->count++] = call;
}

static void print_quoted(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('"');
}

/* action = "errno"; errno = "EPERM"; or whatever key is asked for. */
static void print_action(struct arena *a, const char *key, uint32_t action)
{
	unsigned value = action & SECCOMP_RET_DATA;

	if ((action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO)
		printf("%s = \"%s\";", key, action_text(a, action));
	else if (const_errno_name(value) != NULL)
		printf("%s = \"errno\"; errno = \"%s\";", key, const_errno_name(value));
	else
		printf("%s = \"errno\"; errno = %u;", key, value);
}

static void print_line(struct arena *a, const struct line *line, bool last)
{
	size_t column = 0;
	const struct clause *c = line->clause;

	printf("      { calls = [");
	for (size_t i = 0; i < line->count; i++) {
		size_t n = strlen(line->calls[i]->name) + 4;

		column = column + n > LINE_WIDTH - 20 ? 0 : column;
		printf("%s\"%s\"%s", column == 0 && i > 0 ? "\n          " : " ",
		    line->calls[i]->name, i + 1 < line->count ? "," : "");
		column += n;
	}
	printf(" ]; %s", action_refuses(c->decision.action) ? "exact = true; " : "");
	print_action(a, "action", c->decision.action);
	if (c->condition_count > 0)
		printf("\n        args = (");
	for (size_t i = 0; i < c->condition_count; i++) {
		const struct condition *k = &c->conditions[i];

		printf(" { arg = %u; op = \"%s\"; value = \"%s\";", k->arg, op_text(k->op),
		    value_text(a, k->value_text, k->value));
		if (is_masked(k))
			printf(" mask = \"%s\";", value_text(a, k->mask_text, k->mask));
		printf(" }%s", i + 1 < c->condition_count ? "," : " );");
	}
	printf(" }%s   # %s\n", last ? "" : ",", explain_origin(a, c->decision.rule));
}

/*
 * A call's list in layers: within one, rules with conditions come before the one without, and those
 * of one action are alternatives; so each further action is a layer of its own, which the one
 * before has as its base.
 */
static void fill_layers(struct arena *a, struct lines layers[LAYERS_MAX], size_t *depth,
    const struct call *call, const struct clause *list, size_t count)
{
	size_t layer = 0;

	for (size_t i = 0; i < count; i++) {
		if (i > 0 && list[i].condition_count > 0 &&
		    list[i].decision.action != list[i - 1].decision.action &&
		    layer + 1 < LAYERS_MAX)
			layer++;
		add_line(a, &layers[layer], &list[i], call);
	}
	*depth = layer + 1 > *depth ? layer + 1 : *depth;
}

/* What a stage with only this default would say of a call that it does not name. */
static uint32_t default_answer(
    const struct stage *like, const struct rule *fallback, const struct call *call, struct arena *a)
{
	struct level level = { .name = like->own.name, .fallback = fallback };
	const struct level *levels[] = { &level };
	struct stage bare = { .levels = levels,
		.level_count = 1,
		.attributes = like->attributes,
		.disabled = like->disabled };
	struct policy none = { .arena = a };
	struct clause *list;

	policy_list(&none, &bare, call, a, &list);
	return list[0].decision.action;
}

static const char *layer_name(struct arena *a, const struct stage *s, size_t layer)
{
	return arena_format(a, "%s (%zu)", s->own.name, layer + 1);
}

static void print_attributes(struct arena *a, const struct stage *s)
{
	const struct attributes *t = &s->attributes;

	if (!t->no_new_privs)
		printf("    no_new_privs = false;\n");
	if (t->newest_kernel != 0)
		printf("    newest_kernel = \"%u.%u\";\n",
		    (unsigned)t->newest_kernel >> KERNEL_SHIFT, t->newest_kernel & 0xffu);
	if (t->bad_arch_action != SECCOMP_RET_KILL_PROCESS)
		printf("    bad_arch_action = \"%s\";\n",
		    (t->bad_arch_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO
			? "errno"
			: action_text(a, t->bad_arch_action));
	if (t->log_blocked)
		printf("    log_blocked = true;\n");
	if (t->log_allowed)
		printf("    log_allowed_actions = true;\n");
	if (t->allow_speculation)
		printf("    allow_speculation = true;\n");
	if (t->strict)
		printf("    mode = \"strict\";\n");
	if (!t->tsync)
		printf("    tsync = false;\n");
	if (t->architectures != 0) {
		printf("    architectures = [");
		for (enum abi abi = 0; abi < ABI_COUNT; abi++)
			if (t->architectures & 1u << abi)
				printf("%s\"%s\"",
				    t->architectures & ((1u << abi) - 1) ? ", " : " ",
				    abi_name(abi));
		printf(" ];\n");
	}
	if (t->optimize != 2)
		printf("    optimize = %u;\n", t->optimize);
}

struct text {
	struct lines layers[LAYERS_MAX];
	size_t depth;
	struct rule fallback;
	struct decision otherwise;
};

static void read_text(
    const struct policy *p, const struct stage *s, struct arena *a, struct text *t)
{
	memset(t, 0, sizeof *t);
	t->depth = 1;
	t->otherwise = policy_unnamed(p, s, a);
	t->fallback.action = t->otherwise.action;
	for (size_t i = 0; i < call_count(); i++) {
		const struct call *call = call_at(i);
		struct clause *list;
		size_t count;

		if (!can_come(s, call))
			continue;
		count = policy_list(p, s, call, a, &list);
		if (count > 1 ||
		    list[0].decision.action != default_answer(s, &t->fallback, call, a))
			fill_layers(a, t->layers, &t->depth, call, list, count);
	}
}

static void print_rules(struct arena *a, const struct lines *lines)
{
	if (lines->count == 0)
		return;
	printf("    rules = (\n");
	for (size_t i = 0; i < lines->count; i++)
		print_line(a, &lines->items[i], i + 1 == lines->count);
	printf("    );\n");
}

/* The deeper layers of a stage, as profiles that it has for bases. */
static bool print_profiles(struct arena *a, const struct stage *s, const struct text *t, bool first)
{
	for (size_t layer = t->depth; layer-- > 1;) {
		printf("%s  { name = ", first ? "profiles = (\n" : ",\n");
		print_quoted(layer_name(a, s, layer));
		printf(";\n");
		if (layer + 1 < t->depth) {
			printf("    base = ");
			print_quoted(layer_name(a, s, layer + 1));
			printf(";\n");
		}
		print_rules(a, &t->layers[layer]);
		printf("  }");
		first = false;
	}
	return first;
}

static void print_stage(struct arena *a, const struct stage *s, const struct text *t)
{
	printf("  { name = ");
	print_quoted(s->own.name);
	printf(";   # %s:%d\n    match = [", s->own.origin.file, s->own.origin.line);
	for (size_t i = 0; i < s->pattern_count; i++) {
		printf(i > 0 ? ", " : " ");
		print_quoted(s->patterns[i]);
	}
	printf(" ];\n");
	print_attributes(a, s);
	if (t->depth > 1) {
		printf("    base = ");
		print_quoted(layer_name(a, s, 1));
		printf(";\n");
	}
	if (t->otherwise.action != SECCOMP_RET_ALLOW) {
		printf("    ");
		print_action(a, "default_action", t->otherwise.action);
		printf("   # %s\n", explain_origin(a, t->otherwise.rule));
	}
	print_rules(a, &t->layers[0]);
	printf("  }");
}

static const char *reference(const struct stage *s, const char *otherwise)
{
	return s != NULL ? s->own.name : otherwise;
}

void explain_show(const struct policy *p, const struct stage *only, struct arena *a)
{
	struct text *texts = arena_array(a, p->stage_count, sizeof *texts);
	bool first = true;

	printf("version = 1;\nstage_env = [");
	for (size_t i = 0; i < p->variable_count; i++) {
		printf(i > 0 ? ", " : " ");
		print_quoted(p->variables[i]);
	}
	printf(" ];\n");
	if (only == NULL) {
		printf("no_stage = ");
		print_quoted(reference(p->no_stage, p->no_stage_passes ? "pass" : "refuse"));
		printf(";\nunknown_stage = ");
		print_quoted(reference(p->unknown_stage, "refuse"));
		printf(";\n");
	}
	for (size_t i = 0; i < p->stage_count; i++) {
		if (p->stages[i]->is_profile || (only != NULL && p->stages[i] != only))
			continue;
		read_text(p, p->stages[i], a, &texts[i]);
		first = print_profiles(a, p->stages[i], &texts[i], first);
	}
	printf("%sstages = (\n", first ? "" : "\n);\n");
	first = true;
	for (size_t i = 0; i < p->stage_count; i++) {
		if (p->stages[i]->is_profile || (only != NULL && p->stages[i] != only))
			continue;
		if (!first)
			printf(",\n");
		print_stage(a, p->stages[i], &texts[i]);
		first = false;
	}
	printf("\n);\n");
}

/* ---- explain ---- */

static void print_decision(struct arena *a, const struct stage *s, const struct call *call,
    const char *when, struct decision d)
{
	const struct rule *r = d.rule;

	printf("%s%s: %s", call->name, when, action_text(a, d.action));
	if (r != NULL && r->call != NULL)
		printf(", by %s\n", explain_origin(a, r));
	else if (r != NULL)
		printf(", the default, by %s\n", explain_origin(a, r));
	else if (d.action == (SECCOMP_RET_ERRNO | ENOSYS))
		printf(", because it is younger than newest_kernel\n");
	else
		printf(", because no rule says otherwise\n");
	if (d.by_floor)
		printf("  this holds in every stage, whatever it says: only a change there allows "
		       "it\n");
	else if (action_refuses(d.action))
		printf("  to allow it: allow_calls = [ \"%s\" ]; in stage %s%s\n", call->name,
		    s->own.name,
		    r != NULL && r->call != NULL
			? ", instead of that rule where it is in the stage itself"
			: "");
	else
		printf("  to refuse it: block_calls = [ \"%s\" ]; in stage %s\n", call->name,
		    s->own.name);
}

void explain_call(const struct policy *p, const struct stage *s, const struct call *call,
    const uint64_t *args, struct arena *a)
{
	struct clause *list;
	size_t count;

	if (!native(call)) {
		printf("%s: not a call of %s\n", call->name, abi_name(abi_native()));
		return;
	}
	if (args != NULL) {
		struct seccomp_data d = { .nr = call->nr[abi_native()],
			.arch = abi_audit_arch(abi_native()) };

		memcpy(d.args, args, sizeof d.args);
		print_decision(a, s, call, " with these arguments", policy_decide(p, s, &d));
		return;
	}
	count = policy_list(p, s, call, a, &list);
	for (size_t i = 0; i < count; i++)
		print_decision(a, s, call,
		    list[i].condition_count > 0
			? arena_format(a, " where %s",
			      explain_conditions(a, list[i].conditions, list[i].condition_count))
			: i > 0 ? " otherwise"
				: "",
		    list[i].decision);
}

/* ---- diff ---- */

static const char *list_text(struct arena *a, const struct clause *list, size_t count)
{
	const char *text = "";

	for (size_t i = 0; i < count; i++)
		text = arena_format(a, "%s%s%s%s%s", text, i > 0 ? "; " : "",
		    list[i].condition_count > 0
			? arena_format(a, "%s: ",
			      explain_conditions(a, list[i].conditions, list[i].condition_count))
			: i > 0 ? "else "
				: "",
		    action_text(a, list[i].decision.action),
		    i + 1 == count && list[i].decision.rule != NULL
			? arena_format(a, " (%s)", explain_origin(a, list[i].decision.rule))
			: "");
	return text;
}

static bool same_lists(const struct clause *x, size_t n, const struct clause *y, size_t m)
{
	for (size_t i = 0; n == m && i < n; i++)
		if (x[i].decision.action != y[i].decision.action || !same_conditions(&x[i], &y[i]))
			return false;
	return n == m;
}

bool explain_diff(const struct policy *p, const struct stage *s, const struct policy *q,
    const struct stage *t, struct arena *a)
{
	const char *name = strcmp(s->own.name, t->own.name) == 0
	    ? s->own.name
	    : arena_format(a, "%s, %s", s->own.name, t->own.name);
	bool same = true;

	for (size_t i = 0; i < call_count(); i++) {
		const struct call *call = call_at(i);
		struct clause *x, *y;
		size_t n, m;

		if (!can_come(s, call) && !can_come(t, call))
			continue;
		n = policy_list(p, s, call, a, &x);
		m = policy_list(q, t, call, a, &y);
		if (same_lists(x, n, y, m))
			continue;
		same = false;
		printf("%s: %s: %s  ->  %s\n", name, call->name, list_text(a, x, n),
		    list_text(a, y, m));
	}
	if (policy_unnamed(p, s, a).action != policy_unnamed(q, t, a).action) {
		same = false;
		printf("%s: every other call: %s  ->  %s\n", name,
		    action_text(a, policy_unnamed(p, s, a).action),
		    action_text(a, policy_unnamed(q, t, a).action));
	}
	if (s->attributes.no_new_privs != t->attributes.no_new_privs) {
		same = false;
		printf("%s: no_new_privs: %s  ->  %s\n", name,
		    s->attributes.no_new_privs ? "true" : "false",
		    t->attributes.no_new_privs ? "true" : "false");
	}
	return same;
}
