#include "explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "consts.h"
#include "document.h"
#include "mem.h"
#include "plain.h"
#include "policy.h"

enum { LINE_WIDTH = 96, LAYERS_MAX = 64 };

const char *explain_op(enum condition_op op)
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
	bool equality = c->op == OP_EQ || c->op == OP_NE;

	/* an order's mask is the width, and cannot be written */
	return c->mask != ~(uint64_t)0 && (c->whole || (c->mask != UINT32_MAX && equality));
}

const char *explain_conditions(struct arena *a, const struct condition *c, size_t count)
{
	const char *text = "";

	for (size_t i = 0; i < count; i++, c++)
		text = arena_format(a, "%s%sarg %u%s%s %s %s", text, i > 0 ? " and " : "", c->arg,
		    is_masked(c) ? " & " : "",
		    is_masked(c) ? value_text(a, c->mask_text, c->mask) : "", explain_op(c->op),
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
		at = arena_format(a, "%s, by way of %s", at, r->implied_by->name);
	else if (r->comment != NULL)
		at = arena_format(a, "%s: %s", at, r->comment);
	/* a comment's second line would be text of the policy that show prints */
	return plain_line(a, at);
}

static bool native(const struct call *call)
{
	return call->nr[abi_native()] >= 0;
}

bool explain_can_come(const struct stage *s, const struct call *call)
{
	for (enum abi abi = 0; abi < ABI_COUNT; abi++)
		if (call->nr[abi] >= 0 &&
		    (abi == abi_native() || (s->attributes.architectures & 1u << abi) != 0))
			return true;
	return false;
}

/* A call's list, for people. */
size_t explain_list(const struct policy *p, const struct stage *s, const struct call *call,
    struct arena *a, struct clause **list)
{
	size_t count = policy_list(p, s, call, a, list);

	return policy_simplify(*list, count, a);
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

static void add_line(
    struct arena *a, struct lines *lines, const struct clause *clause, const struct call *call)
{
	struct line *line = NULL;

	for (size_t i = 0; line == NULL && i < lines->count; i++) {
		const struct clause *other = lines->items[i].clause;

		if (other->decision.action == clause->decision.action &&
		    clause_same_conditions(other, clause) &&
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

/* As a policy has it, whatever is in it. */
static const char *quoted(struct arena *a, const char *text)
{
	static const char letters[] = "nrtf", stands_for[] = "\n\r\t\f";
	char *to = arena_array(a, strlen(text), 4), *end = to;

	for (; *text != '\0'; text++) {
		const char *letter = strchr(stands_for, *text);

		if (*text == '"' || *text == '\\')
			end += sprintf(end, "\\%c", *text);
		else if (letter != NULL)
			end += sprintf(end, "\\%c", letters[letter - stands_for]);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			end += sprintf(end, "\\x%02x", (unsigned char)*text);
		else
			*end++ = *text;
	}
	return arena_format(a, "\"%.*s\"", (int)(end - to), to);
}

/* [ "a", "b" ] */
static const char *quoted_list(struct arena *a, const char *const *items, size_t count)
{
	const char *text = "[";

	for (size_t i = 0; i < count; i++)
		text = arena_format(a, "%s%s%s", text, i > 0 ? ", " : " ", quoted(a, items[i]));
	return arena_format(a, "%s ]", text);
}

/* action = "errno"; errno = "EPERM"; or whatever key is asked for. */
static void print_action(struct arena *a, const char *key, uint32_t action)
{
	unsigned value = action & SECCOMP_RET_DATA;

	if ((action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO) {
		printf("%s = \"%s\";", key, action_text(a, action));
		/* the tracer's message */
		if (value != 0)
			printf(" errno = %u;", value);
	} else if (const_errno_name(value) != NULL)
		printf("%s = \"errno\"; errno = \"%s\";", key, const_errno_name(value));
	else
		printf("%s = \"errno\"; errno = %u;", key, value);
}

static void print_line(struct arena *a, const struct line *line, bool exact, bool last)
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

		printf(" { arg = %u; op = \"%s\"; value = %s;", k->arg, explain_op(k->op),
		    quoted(a, value_text(a, k->value_text, k->value)));
		if (is_masked(k))
			printf(" mask = %s;", quoted(a, value_text(a, k->mask_text, k->mask)));
		if (k->whole != exact)
			printf(" whole = %s;", k->whole ? "true" : "false");
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
static uint32_t default_answer(const struct stage *like, bool fenced, const struct rule *fallback,
    const struct call *call, struct arena *a)
{
	struct level level = { .name = like->own.name, .fallback = fallback };
	const struct level *levels[] = { &level };
	struct stage bare = { .levels = levels,
		.level_count = 1,
		.attributes = like->attributes,
		.disabled = !fenced };
	struct policy none = { .arena = a };
	struct clause *list;

	policy_list(&none, &bare, call, a, &list);
	return list[0].decision.action;
}

static const struct {
	enum attribute bit;
	const char *key;
} attributes[] = {
	{ ATTRIBUTE_NO_NEW_PRIVS, "no_new_privs" },
	{ ATTRIBUTE_NEWEST_KERNEL, "newest_kernel" },
	{ ATTRIBUTE_BAD_ARCH, "bad_arch_action" },
	{ ATTRIBUTE_LOG_BLOCKED, "log_blocked" },
	{ ATTRIBUTE_LOG_ALLOWED, "log_allowed_actions" },
	{ ATTRIBUTE_SPECULATION, "allow_speculation" },
	{ ATTRIBUTE_TSYNC, "tsync" },
	{ ATTRIBUTE_OPTIMIZE, "optimize" },
	{ ATTRIBUTE_ARCHITECTURES, "architectures" },
	{ ATTRIBUTE_STRICT, "mode" },
	{ ATTRIBUTE_EXACT, "exact" },
	{ ATTRIBUTE_REPORT, "report" },
	{ ATTRIBUTE_LISTENER, "listener" },
	{ ATTRIBUTE_METADATA, "listener_metadata" },
};

enum { ATTRIBUTES = sizeof attributes / sizeof attributes[0] };

static const char *bool_text(bool value)
{
	return value ? "true" : "false";
}

/* Sinks are a line each. */
static const char *sinks_text(struct arena *a, const char *sinks)
{
	const char **list = NULL;
	size_t count = 0;

	if (sinks == NULL)
		return "false";
	for (const char *end; *sinks != '\0'; sinks = *end == '\0' ? end : end + 1) {
		end = strchrnul(sinks, '\n');
		list = arena_grow(a, list, count, sizeof *list);
		list[count++] = arena_text(a, sinks, (size_t)(end - sinks));
	}
	return quoted_list(a, list, count);
}

/* An attribute's value as a policy has it. */
static const char *attribute_text(
    struct arena *a, const struct attributes *t, enum attribute attribute)
{
	const char *names[ABI_COUNT];
	size_t count = 0;

	switch (attribute) {
	case ATTRIBUTE_NO_NEW_PRIVS: return bool_text(t->no_new_privs);
	case ATTRIBUTE_LOG_BLOCKED: return bool_text(t->log_blocked);
	case ATTRIBUTE_LOG_ALLOWED: return bool_text(t->log_allowed);
	case ATTRIBUTE_SPECULATION: return bool_text(t->allow_speculation);
	case ATTRIBUTE_TSYNC: return bool_text(t->tsync);
	case ATTRIBUTE_EXACT: return bool_text(t->exact);
	case ATTRIBUTE_STRICT: return t->strict ? "\"strict\"" : "\"filter\"";
	case ATTRIBUTE_OPTIMIZE: return arena_format(a, "%u", t->optimize);
	case ATTRIBUTE_NEWEST_KERNEL:
		return t->newest_kernel == 0
		    ? "none"
		    : arena_format(a, "\"%u.%u\"", (unsigned)t->newest_kernel >> KERNEL_SHIFT,
			  t->newest_kernel & 0xffu);
	case ATTRIBUTE_BAD_ARCH:
		return (t->bad_arch_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO
		    ? "\"errno\""
		    : quoted(a, action_text(a, t->bad_arch_action));
	case ATTRIBUTE_ARCHITECTURES:
		for (enum abi abi = 0; abi < ABI_COUNT; abi++)
			if (t->architectures & 1u << abi)
				names[count++] = abi_name(abi);
		return quoted_list(a, names, count);
	case ATTRIBUTE_REPORT: return sinks_text(a, t->report);
	case ATTRIBUTE_LISTENER: return t->listener == NULL ? "none" : quoted(a, t->listener);
	case ATTRIBUTE_METADATA: return t->metadata == NULL ? "none" : quoted(a, t->metadata);
	}
	return "";
}

static void print_attributes(struct arena *a, const struct stage *s)
{
	struct stage plain = { 0 };

	policy_resolve(&plain);
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		const char *text = attribute_text(a, &s->attributes, attributes[i].bit);

		if (strcmp(text, attribute_text(a, &plain.attributes, attributes[i].bit)) != 0)
			printf("    %s = %s;\n", attributes[i].key, text);
	}
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

		if (!explain_can_come(s, call))
			continue;
		count = explain_list(p, s, call, a, &list);
		if (count > 1 ||
		    list[0].decision.action !=
			default_answer(s, policy_has_fence(p, s), &t->fallback, call, a))
			fill_layers(a, t->layers, &t->depth, call, list, count);
	}
}

static void print_rules(struct arena *a, const struct lines *lines, bool exact)
{
	if (lines->count == 0)
		return;
	printf("    rules = (\n");
	for (size_t i = 0; i < lines->count; i++)
		print_line(a, &lines->items[i], exact, i + 1 == lines->count);
	printf("    );\n");
}

/* Stages have what the floor refuses written out, too, so that each can be read alone; the floor is
 * printed for those that will be added. */
static bool is_shown(const struct policy *p, const struct stage *only, const struct stage *s)
{
	return only != NULL ? s == only : !s->is_profile || s == p->floor;
}

struct show {
	const struct policy *policy;
	const struct stage *only; /* or NULL */
	struct arena *arena;
	struct text *texts; /* by the policy's stages */
	unsigned layers;    /* named so far */
};

static bool is_taken(const struct show *show, const char *name)
{
	const struct policy *p = show->policy;

	for (size_t i = 0; i < p->stage_count; i++)
		if (is_shown(p, show->only, p->stages[i]) &&
		    strcmp(p->stages[i]->own.name, name) == 0)
			return true;
	return false;
}

/* A name for a layer that is a profile of its own; nothing of the policy's is called so. */
static const char *layer_name(struct show *show)
{
	const char *name;

	do
		name = arena_format(show->arena, "layer %u", ++show->layers);
	while (is_taken(show, name));
	return name;
}

/*
 * The deeper layers of a stage, as profiles that it has for bases, the deepest first. Returns the
 * name of the last, or NULL.
 */
static const char *print_layers(struct show *show, const struct text *t, bool *first)
{
	const char *name = NULL;

	for (size_t layer = t->depth; layer-- > 1;) {
		const char *base = name;

		name = layer_name(show);
		printf("%s  { name = \"%s\";\n", *first ? "profiles = (\n" : ",\n", name);
		if (base != NULL)
			printf("    base = \"%s\";\n", base);
		print_rules(show->arena, &t->layers[layer], false);
		printf("  }");
		*first = false;
	}
	return name;
}

/* The values that a call was expected with, up to the last that was written. */
static void print_expected_args(struct arena *a, const struct expectation *x)
{
	size_t count = 0;

	while (count < sizeof x->arg_texts / sizeof x->arg_texts[0] && x->arg_texts[count] != NULL)
		count++;
	printf(" args = %s;", quoted_list(a, x->arg_texts, count));
}

static void print_expectation(struct arena *a, const struct expectation *x, bool last)
{
	if (x->call != NULL) {
		printf("      { call = \"%s\";", x->call->name);
		if (!x->every)
			print_expected_args(a, x);
		printf(" gives = %s;", quoted(a, action_text(a, x->action)));
	} else {
		printf("      { run = %s; status = %u;", quoted(a, x->what), x->status);
		if (x->output != NULL)
			printf(" output = %s;", quoted(a, x->output));
		printf(" timeout = %u;", x->timeout);
	}
	if (x->comment != NULL)
		printf("\n        comment = %s;", quoted(a, x->comment));
	printf(" }%s   # %s:%d\n", last ? "" : ",", plain_line(a, x->origin.file), x->origin.line);
}

static void print_stage(struct arena *a, const struct policy *p, const struct stage *s,
    const struct text *t, const char *base)
{
	printf("  { name = %s;   # %s:%d\n", quoted(a, s->own.name),
	    plain_line(a, s->own.origin.file), s->own.origin.line);
	if (!s->is_profile)
		printf("    match = %s;\n", quoted_list(a, s->patterns, s->pattern_count));
	if (!s->is_profile && !policy_has_fence(p, s))
		printf("    disabled = true;\n");
	print_attributes(a, s);
	if (base != NULL)
		printf("    base = \"%s\";\n", base);
	if (!s->attributes.strict && t->otherwise.action != SECCOMP_RET_ALLOW) {
		printf("    ");
		print_action(a, "default_action", t->otherwise.action);
		printf("   # %s\n", explain_origin(a, t->otherwise.rule));
	}
	print_rules(a, &t->layers[0], s->attributes.exact);
	if (s->expectation_count > 0)
		printf("    expect = (\n");
	for (size_t i = 0; i < s->expectation_count; i++)
		print_expectation(a, &s->expectations[i], i + 1 == s->expectation_count);
	printf("%s  }", s->expectation_count > 0 ? "    );\n" : "");
}

static const char *reference(const struct stage *s, const char *otherwise)
{
	return s != NULL ? s->own.name : otherwise;
}

static const char *no_stage_text(const struct policy *p)
{
	return reference(p->no_stage, p->no_stage_passes ? "pass" : "refuse");
}

void explain_show(const struct policy *p, const struct stage *only, struct arena *a)
{
	struct show show = { p, only, a, arena_array(a, p->stage_count, sizeof *show.texts), 0 };
	const char **bases = arena_array(a, p->stage_count, sizeof *bases);
	bool first = true;

	printf("version = 1;\nstage_env = %s;\n", quoted_list(a, p->variables, p->variable_count));
	if (only == NULL)
		printf("no_stage = %s;\nunknown_stage = %s;\n", quoted(a, no_stage_text(p)),
		    quoted(a, reference(p->unknown_stage, "refuse")));
	if (only == NULL && p->floor != NULL)
		printf("floor = %s;\n", quoted(a, p->floor->own.name));
	for (size_t i = 0; i < p->stage_count; i++) {
		if (!is_shown(p, only, p->stages[i]))
			continue;
		read_text(p, p->stages[i], a, &show.texts[i]);
		bases[i] = print_layers(&show, &show.texts[i], &first);
		if (!p->stages[i]->is_profile)
			continue;
		printf("%s", first ? "profiles = (\n" : ",\n");
		print_stage(a, p, p->stages[i], &show.texts[i], bases[i]);
		first = false;
	}
	printf("%sstages = (\n", first ? "" : "\n);\n");
	first = true;
	for (size_t i = 0; i < p->stage_count; i++) {
		if (p->stages[i]->is_profile || !is_shown(p, only, p->stages[i]))
			continue;
		if (!first)
			printf(",\n");
		print_stage(a, p, p->stages[i], &show.texts[i], bases[i]);
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
		    s->own.name, rule_is_own(s, r) ? ", in place of that rule" : "");
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
	count = explain_list(p, s, call, a, &list);
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

/* How many clauses from here on have one answer: their order does not matter. */
static size_t run_length(const struct clause *list, size_t count)
{
	size_t n = 1;

	while (n < count && list[n].decision.action == list[0].decision.action)
		n++;
	return n;
}

/* Every clause of x is one of y's. */
static bool is_among(const struct clause *x, size_t n, const struct clause *y, size_t m)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < m && !clause_same_conditions(&x[i], &y[k]))
			k++;
		if (k == m)
			return false;
	}
	return true;
}

bool explain_same_lists(const struct clause *x, size_t n, const struct clause *y, size_t m)
{
	while (n > 0 && m > 0) {
		size_t i = run_length(x, n), k = run_length(y, m);

		if (x->decision.action != y->decision.action)
			return false;
		/* the last run ends without conditions: nothing else in it matters */
		if (i == n || k == m)
			return i == n && k == m;
		if (!is_among(x, i, y, k) || !is_among(y, k, x, i))
			return false;
		x += i, n -= i, y += k, m -= k;
	}
	return n == m;
}

static bool same_texts(
    struct json *j, const char *stage, const char *key, const char *x, const char *y)
{
	bool same = strcmp(x, y) == 0;

	if (!same && j != NULL)
		document_key(j, stage, key, x, y);
	else if (!same)
		printf("%s%s%s: %s  ->  %s\n", stage != NULL ? stage : "",
		    stage != NULL ? ": " : "", key, x, y);
	return same;
}

bool explain_diff(const struct policy *p, const struct stage *s, const struct policy *q,
    const struct stage *t, struct json *j, struct arena *a)
{
	const char *name = strcmp(s->own.name, t->own.name) == 0
	    ? s->own.name
	    : arena_format(a, "%s, %s", s->own.name, t->own.name);
	bool same = true;

	for (size_t i = 0; i < call_count(); i++) {
		const struct call *call = call_at(i);
		struct clause *x, *y;
		size_t n, m;

		if (!explain_can_come(s, call) && !explain_can_come(t, call))
			continue;
		n = explain_list(p, s, call, a, &x);
		m = explain_list(q, t, call, a, &y);
		if (explain_same_lists(x, n, y, m))
			continue;
		same = false;
		if (j != NULL)
			document_call(j, a, name, call, x, n, y, m);
		else
			printf("%s: %s: %s  ->  %s\n", name, call->name, list_text(a, x, n),
			    list_text(a, y, m));
	}
	same = same_texts(j, name, "every other call",
		   action_text(a, policy_unnamed(p, s, a).action),
		   action_text(a, policy_unnamed(q, t, a).action)) &&
	    same;
	for (size_t i = 0; i < ATTRIBUTES; i++)
		same = same_texts(j, name, attributes[i].key,
			   attribute_text(a, &s->attributes, attributes[i].bit),
			   attribute_text(a, &t->attributes, attributes[i].bit)) &&
		    same;
	same = same_texts(j, name, "disabled", bool_text(!policy_has_fence(p, s)),
		   bool_text(!policy_has_fence(q, t))) &&
	    same;
	if (p != q)
		same = same_texts(j, name, "match", quoted_list(a, s->patterns, s->pattern_count),
			   quoted_list(a, t->patterns, t->pattern_count)) &&
		    same;
	return same;
}

static bool has_stage(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->stage_count; i++)
		if (!p->stages[i]->is_profile && strcmp(p->stages[i]->own.name, name) == 0)
			return true;
	return false;
}

/* The stages that are in q, too, in the order in which they are asked. */
static const char *order_text(struct arena *a, const struct policy *p, const struct policy *q)
{
	const char **names = arena_array(a, p->stage_count, sizeof *names);
	size_t count = 0;

	for (size_t i = 0; i < p->stage_count; i++)
		if (!p->stages[i]->is_profile && has_stage(q, p->stages[i]->own.name))
			names[count++] = p->stages[i]->own.name;
	return quoted_list(a, names, count);
}

bool explain_diff_top(
    const struct policy *p, const struct policy *q, struct json *j, struct arena *a)
{
	const struct {
		const char *key, *first, *second;
	} keys[] = {
		{ "stage_env", quoted_list(a, p->variables, p->variable_count),
		    quoted_list(a, q->variables, q->variable_count) },
		{ "no_stage", quoted(a, no_stage_text(p)), quoted(a, no_stage_text(q)) },
		{ "unknown_stage", quoted(a, reference(p->unknown_stage, "refuse")),
		    quoted(a, reference(q->unknown_stage, "refuse")) },
		{ "floor", p->floor != NULL ? quoted(a, p->floor->own.name) : "none",
		    q->floor != NULL ? quoted(a, q->floor->own.name) : "none" },
		{ "the order of stages", order_text(a, p, q), order_text(a, q, p) },
	};
	bool same = true;

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		same = same_texts(j, NULL, keys[i].key, keys[i].first, keys[i].second) && same;
	return same;
}
