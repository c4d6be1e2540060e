#include "export.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf.h"
#include "calls.h"
#include "consts.h"
#include "cubes.h"
#include "filter.h"
#include "json.h"
#include "loader.h"
#include "mem.h"
#include "policy.h"
#include "say.h"
#include "verify.h"

enum {
	CUBES_PER_CALL = 256, /* libseccomp's time grows with their cube */
	LINE_WIDTH = 100
};

struct export
{
	const struct policy *policy;
	const struct stage *original;
	struct stage stage; /* with a floor more for what cannot be said */
	struct stage floor;
	struct level level;
	struct arena *arena;
	enum export_format format;
	bool lossy, failed; /* failed: what would be written allows more */
	unsigned lost;
	const char **said; /* each loss once */
	size_t said_count;
	unsigned char *gone;    /* by index into the table of calls: has but one answer now */
	unsigned char *unnamed; /* the same: libseccomp here has no name for it */
	bool again;             /* something went just now */
	struct engine_filter engine;
	struct engine_rule *rules;
	const struct rule **origins; /* of each rule */
};

static const struct {
	const char *name;
	enum export_format format;
} formats[] = {
	{ "oci", EXPORT_OCI },
	{ "bpf", EXPORT_BPF },
	{ "pfc", EXPORT_PFC },
	{ "systemd", EXPORT_SYSTEMD },
	{ "c", EXPORT_C },
};

bool export_named(const char *name, enum export_format *format)
{
	for (size_t i = 0; name != NULL && i < sizeof formats / sizeof formats[0]; i++)
		if (strcmp(name, formats[i].name) == 0) {
			*format = formats[i].format;
			return true;
		}
	return false;
}

static const char *format_name(enum export_format format)
{
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (formats[i].format == format)
			return formats[i].name;
	abort();
}

/* ---- what is lost ---- */

/* what: "mkdir", or what else it is about. instead: what comes of it. */
static void lose(
    struct export *x, const struct rule *r, const char *what, const char *why, const char *instead)
{
	const struct origin *at = r != NULL ? &r->origin : &x->original->own.origin;
	const char *text = arena_format(x->arena, "%s:%d %s %s", at->file, at->line, what, why);

	for (size_t i = 0; i < x->said_count; i++)
		if (strcmp(x->said[i], text) == 0)
			return;
	x->said = arena_grow(x->arena, x->said, x->said_count, sizeof *x->said);
	x->said[x->said_count++] = text;
	x->lost++;
	if (x->lossy)
		say_note(at->file, at->line, "stage %s: not carried over to %s: %s: %s; %s",
		    x->original->own.name, format_name(x->format), what, why, instead);
	else
		say_at(at->file, at->line, "stage %s: cannot be carried over to %s: %s: %s",
		    x->original->own.name, format_name(x->format), what, why);
}

static bool admits(const struct export *x, enum abi abi)
{
	return abi == abi_native() || (x->stage.attributes.architectures & 1u << abi) != 0;
}

/* The list of a call, on the native ABI or the first that has it; 0: it can come in by none. */
static size_t list_of(const struct export *x, const struct call *call, struct clause **list)
{
	enum abi abi = abi_native();
	size_t count;

	if (call->nr[abi] < 0)
		for (abi = 0; abi < ABI_COUNT && (call->nr[abi] < 0 || !admits(x, abi));)
			abi++;
	if (abi == ABI_COUNT)
		return 0;
	count = policy_list_on(x->policy, &x->stage, abi, call, x->arena, list);
	/* the policy's own floor goes before ours with its conditions; the answer is the same */
	if (!x->gone[call - call_at(0)])
		return count;
	*list += count - 1;
	return 1;
}

/* From now on the call has the strictest of its answers, by a floor of our own. */
static void give_up(
    struct export *x, const struct call *call, const struct rule *because, const char *why)
{
	size_t at = (size_t)(call - call_at(0)), count;
	struct clause *list;
	struct decision strictest;
	struct rule *r;

	if (x->gone[at])
		return;
	count = list_of(x, call, &list);
	x->gone[at] = 1;
	x->again = true;
	strictest = list[0].decision;
	for (size_t i = 1; i < count; i++)
		if (action_stricter(list[i].decision.action, strictest.action))
			strictest = list[i].decision;
	if (!action_refuses(strictest.action))
		strictest.action = SECCOMP_RET_ERRNO | EPERM;
	x->level.rules = arena_grow(
	    x->arena, x->level.rules, x->level.rule_count, sizeof *x->level.rules);
	r = &x->level.rules[x->level.rule_count++];
	*r = (struct rule){ .call = call, .action = strictest.action };
	r->origin = because != NULL ? because->origin : x->original->own.origin;
	policy_sort(&x->level);
	lose(x, because, call->name, why,
	    arena_format(x->arena, "it gets %s, whatever its arguments",
		action_text(x->arena, strictest.action)));
}

static void start(struct export *x)
{
	const struct stage **floors = arena_array(
	    x->arena, x->original->floor_count + 1, sizeof(struct stage *));
	const struct level **levels = arena_get(x->arena, sizeof *levels);

	x->stage = *x->original;
	levels[0] = &x->level;
	x->floor = (struct stage){ .levels = levels, .level_count = 1 };
	if (x->original->floor_count > 0)
		memcpy(
		    floors, x->original->floors, x->original->floor_count * sizeof(struct stage *));
	floors[x->original->floor_count] = &x->floor;
	x->stage.floors = floors;
	x->stage.floor_count++;
	x->gone = arena_get(x->arena, call_count());
	x->unnamed = arena_get(x->arena, call_count());
}

/* What of a stage is known only when its fence is raised. */
static void give_up_ids(struct export *x)
{
	for (size_t i = 0; i < call_count(); i++) {
		struct clause *list;
		size_t count = list_of(x, call_at(i), &list);

		for (size_t k = 0; k < count; k++)
			for (size_t c = 0; c < list[k].condition_count; c++)
				if (list[k].conditions[c].launch)
					give_up(x, call_at(i), list[k].decision.rule,
					    "$uid and $gid are known only when a fence is raised");
	}
}

static void lose_attributes(struct export *x)
{
	const struct attributes *t = &x->stage.attributes;
	bool profile = x->format == EXPORT_OCI || x->format == EXPORT_PFC;

	if (t->log_blocked && !profile)
		lose(x, NULL, "log_blocked", "it is for whoever loads the filter to ask for",
		    "load it with SECCOMP_FILTER_FLAG_LOG");
	if (t->allow_speculation && !profile)
		lose(x, NULL, "allow_speculation", "it is for whoever loads the filter to ask for",
		    "load it with SECCOMP_FILTER_FLAG_SPEC_ALLOW");
	if (x->format == EXPORT_BPF || x->format == EXPORT_C)
		return;
	if (t->bad_arch_action != SECCOMP_RET_KILL_PROCESS &&
	    t->bad_arch_action != SECCOMP_RET_KILL_THREAD)
		lose(x, NULL, "bad_arch_action", "calls of other architectures are always killed",
		    "they are killed");
}

/* Not a loss: it is so in the stage's own fence, but there nobody has an exec to go. */
static void note_loader(const struct export *x)
{
	const struct call *lacks = loader_lacks(x->policy, &x->stage);

	if (!loader_may_exec(x->policy, &x->stage, x->arena))
		lacks = call_named("execve");
	if (lacks != NULL)
		say_note(x->original->own.origin.file, x->original->own.origin.line,
		    "stage %s refuses %s: whoever raises this filter before it executes a program "
		    "may start none",
		    x->original->own.name, lacks->name);
	if (!x->stage.attributes.no_new_privs)
		say_note(x->original->own.origin.file, x->original->own.origin.line,
		    "stage %s: no_new_privs = false is for whoever loads the filter to heed",
		    x->original->own.name);
}

/* ---- as a profile's rules ---- */

/* What libseccomp and the formats have for an action. */
static uint32_t profile_action(struct export *x, const struct decision *d, const char *what)
{
	const uint32_t missing = SECCOMP_RET_ERRNO | ENOSYS;

	switch (d->action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_USER_NOTIF:
		lose(x, d->rule, what, "notify takes a listener",
		    "it gets ENOSYS, as without a listener");
		return missing;
	case SECCOMP_RET_ERRNO:
		if ((d->action & SECCOMP_RET_DATA) != 4095)
			return d->action;
		lose(x, d->rule, what, "libseccomp returns no errno 4095", "it gets EPERM");
		return SECCOMP_RET_ERRNO | EPERM;
	default: break;
	}
	if (x->format != EXPORT_SYSTEMD)
		return d->action;
	switch (d->action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_LOG:
		lose(x, d->rule, what, "log is not said of a call there", "it is allowed");
		return SECCOMP_RET_ALLOW;
	case SECCOMP_RET_TRACE:
		lose(x, d->rule, what, "there is no trace", "it gets ENOSYS, as without a tracer");
		return missing;
	case SECCOMP_RET_TRAP:
		lose(x, d->rule, what, "there is no trap", "it is killed");
		return SECCOMP_RET_KILL_PROCESS;
	case SECCOMP_RET_KILL_THREAD:
		lose(x, d->rule, what, "there is no kill_thread", "the process is killed");
		return SECCOMP_RET_KILL_PROCESS;
	default: return d->action;
	}
}

static void add_rule(struct export *x, const struct call *call, uint32_t action,
    const struct cube *cube, const struct rule *from)
{
	size_t n = x->engine.rule_count++;

	x->rules = arena_grow(x->arena, x->rules, n, sizeof *x->rules);
	x->origins = arena_grow(x->arena, x->origins, n, sizeof *x->origins);
	x->rules[n] = (struct engine_rule){ call, action, *cube };
	x->origins[n] = from;
}

/* libseccomp compares 32 bits for i386 and x32, and drops what it is asked of the others. */
static bool is_cut(const struct export *x, const struct call *call, const struct cube *cube)
{
	uint64_t high = 0;

	for (unsigned arg = 0; arg < CUBE_ARGUMENTS; arg++)
		high |= cube->value[arg] >> 32;
	return high != 0 &&
	    ((admits(x, ABI_I386) && call->nr[ABI_I386] >= 0) ||
		(admits(x, ABI_X32) && call->nr[ABI_X32] >= 0));
}

/*
 * libseccomp's rules have no order, and one without conditions swallows those with: so each clause
 * is given without what the clauses before it have already answered otherwise. NULL, or why not.
 */
static const char *add_clauses(
    struct export *x, const struct call *call, const struct clause *list, size_t count)
{
	static const char many[] =
	    "its conditions, put as comparisons that exclude each other, are too many";
	struct cubes *cubes = arena_array(x->arena, count, sizeof *cubes);
	uint32_t *actions = arena_array(x->arena, count, sizeof *actions);
	size_t first = x->engine.rule_count;

	for (size_t i = 0; i < count; i++) {
		struct cubes left;

		actions[i] = profile_action(x, &list[i].decision, call->name);
		if (!cubes_of(x->arena, &list[i], &cubes[i]))
			return many;
		left = cubes[i];
		if (actions[i] == x->engine.otherwise)
			continue;
		for (size_t before = 0; before < i; before++)
			if (actions[before] != actions[i] &&
			    !cubes_less(x->arena, &left, &cubes[before], CUBES_PER_CALL))
				return many;
		for (size_t k = 0; k < left.count; k++) {
			if (is_cut(x, call, &left.items[k]))
				return "libseccomp compares 32 bits for i386 and x32";
			add_rule(x, call, actions[i], &left.items[k], list[i].decision.rule);
		}
		if (x->engine.rule_count - first > CUBES_PER_CALL)
			return many;
	}
	return NULL;
}

static const struct rule *rule_with_conditions(const struct clause *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].condition_count > 0)
			return list[i].decision.rule;
	return NULL;
}

static void add_call(struct export *x, const struct call *call)
{
	const char *why;
	struct clause *list;
	size_t count = list_of(x, call, &list), before = x->engine.rule_count;

	if (count == 0)
		return;
	if (list[0].condition_count > 0 && x->format == EXPORT_SYSTEMD) {
		give_up(x, call, list[0].decision.rule, "there are no conditions on arguments");
		count = list_of(x, call, &list);
	}
	/* what is behind a clause without conditions is never asked */
	if (list[0].condition_count == 0)
		count = 1;
	why = add_clauses(x, call, list, count);
	if (why == NULL)
		return;
	x->engine.rule_count = before;
	give_up(x, call, rule_with_conditions(list, count), why);
	count = list_of(x, call, &list);
	add_clauses(x, call, list, count);
}

static void make_rules(struct export *x)
{
	struct clause *list;

	policy_list(x->policy, &x->stage, NULL, x->arena, &list);
	x->engine = (struct engine_filter){ .abis = 1u << abi_native() |
		    x->stage.attributes.architectures };
	x->engine.otherwise = profile_action(x, &list[0].decision, "unknown calls");
	x->rules = NULL;
	x->origins = NULL;
	for (size_t i = 0; i < call_count(); i++)
		add_call(x, call_at(i));
	x->engine.rules = x->rules;
}

/* ---- what an engine makes of them ---- */

static bool differs(void *to, const struct difference *d)
{
	struct export *x = to;
	const struct decision want = { d->want, d->rule, false };
	const struct rule *from;
	struct clause *list;
	size_t count;
	enum abi abi;

	policy_abi(&x->stage, d->data, &abi);
	/* that they are killed, not how: lose_attributes() */
	if (!d->admitted && action_stricter(d->have, SECCOMP_RET_TRAP))
		return true;
	if (d->call != NULL &&
	    d->have == profile_action(x, &want, d->call->name)) /* said already */
		return true;
	if (d->call != NULL && d->have == x->engine.otherwise && !filter_knows(d->call, abi)) {
		x->unnamed[d->call - call_at(0)] = 1;
		return true;
	}
	if (d->call != NULL && !x->gone[d->call - call_at(0)]) {
		count = list_of(x, d->call, &list);
		from = rule_with_conditions(list, count);
		give_up(x, d->call, from != NULL ? from : d->rule,
		    arena_format(x->arena, "libseccomp %s makes %s of it (%s)",
			filter_library(x->arena), action_text(x->arena, d->have), abi_name(abi)));
		return true;
	}
	/* what has just gone is judged once more */
	if (d->call != NULL && x->again)
		return true;
	/* looser than what is wanted, whatever is said: that is no export */
	x->failed = x->failed || action_stricter(d->want, d->have);
	x->lossy = x->lossy && !x->failed;
	lose(x, d->rule, d->call != NULL ? d->call->name : "unknown calls",
	    arena_format(x->arena, "libseccomp %s makes %s of it (%s)", filter_library(x->arena),
		action_text(x->arena, d->have), abi_name(abi)),
	    "it is so");
	return true;
}

/* The call with the most rules, or NULL where each has one. */
static const struct call *largest(const struct export *x, const struct rule **from)
{
	size_t most = 1;
	const struct call *call = NULL;

	for (size_t i = 0, n; i < x->engine.rule_count; i += n) {
		for (n = 1; i + n < x->engine.rule_count; n++)
			if (x->rules[i + n].call != x->rules[i].call)
				break;
		if (n > most) {
			most = n;
			call = x->rules[i].call;
			*from = x->origins[i];
		}
	}
	return call;
}

/* Rules that an engine makes the stage's own filter of, but for what has been said. */
static bool settle(struct export *x, const char **pseudocode)
{
	struct program program;

	do {
		const struct rule *from = NULL;

		x->again = false;
		make_rules(x);
		if (!filter_as_engine(&x->engine, x->arena, &program, pseudocode))
			return false;
		if (program.count > BPF_MAXINSNS && largest(x, &from) != NULL)
			give_up(x, largest(x, &from), from,
			    "the profile's filter would be longer than the kernel takes");
		else if (bpf_check(program.code, program.count) != NULL) {
			say("libseccomp's filter: %s", bpf_check(program.code, program.count));
			return false;
		} else
			verify_compare(
			    x->policy, &x->stage, program.code, program.count, differs, x);
	} while (x->again);
	return true;
}

static void note_names(const struct export *x)
{
	const char *names = "";

	for (size_t i = 0; i < call_count(); i++)
		if (x->unnamed[i])
			names = arena_format(x->arena, "%s%s%s", names, *names != '\0' ? ", " : "",
			    call_at(i)->name);
	if (*names != '\0')
		say_note(x->original->own.origin.file, x->original->own.origin.line,
		    "where libseccomp is as old as here (%s), these have no name yet and get what "
		    "unknown "
		    "calls get: %s",
		    filter_library(x->arena), names);
}

/* ---- oci ---- */

static const char *oci_action(uint32_t action)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW: return "SCMP_ACT_ALLOW";
	case SECCOMP_RET_LOG: return "SCMP_ACT_LOG";
	case SECCOMP_RET_TRACE: return "SCMP_ACT_TRACE";
	case SECCOMP_RET_ERRNO: return "SCMP_ACT_ERRNO";
	case SECCOMP_RET_TRAP: return "SCMP_ACT_TRAP";
	case SECCOMP_RET_KILL_THREAD: return "SCMP_ACT_KILL_THREAD";
	default: return "SCMP_ACT_KILL_PROCESS";
	}
}

/* Where it is left out, engines take EPERM. */
static bool has_data(uint32_t action)
{
	action &= SECCOMP_RET_ACTION_FULL;
	return action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE;
}

static const char *oci_arch(enum abi abi)
{
	static const char *const names[ABI_COUNT] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X32",
		"SCMP_ARCH_X86", "SCMP_ARCH_AARCH64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_PPC64LE",
		"SCMP_ARCH_S390X" };

	return names[abi];
}

static const char *comment_of(const struct export *x, const struct rule *r)
{
	if (r == NULL)
		return NULL;
	return arena_format(x->arena, "%s:%d%s%s", r->origin.file, r->origin.line,
	    r->comment != NULL ? ": " : "", r->comment != NULL ? r->comment : "");
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void write_args(struct json *j, const struct cube *cube)
{
	static const struct cube any;

	if (memcmp(cube, &any, sizeof any) == 0)
		return;
	json_array(j, "args");
	for (unsigned arg = 0; arg < CUBE_ARGUMENTS; arg++) {
		bool whole = cube->mask[arg] == ~(uint64_t)0;

		if (cube->mask[arg] == 0)
			continue;
		json_object(j, NULL);
		json_number(j, "index", arg);
		json_unsigned(j, "value", whole ? cube->value[arg] : cube->mask[arg]);
		if (!whole)
			json_unsigned(j, "valueTwo", cube->value[arg]);
		json_text(j, "op", whole ? "SCMP_CMP_EQ" : "SCMP_CMP_MASKED_EQ");
		json_close(j);
	}
	json_close(j);
}

/* One entry for all calls with the same rule. */
static void write_rules(const struct export *x, struct json *j)
{
	size_t count = x->engine.rule_count;
	const char **comments = arena_array(x->arena, count, sizeof *comments);
	unsigned char *written = arena_array(x->arena, count, 1);

	for (size_t i = 0; i < count; i++)
		comments[i] = comment_of(x, x->origins[i]);
	json_array(j, "syscalls");
	for (size_t i = 0; i < count; i++) {
		const struct engine_rule *r = &x->rules[i];

		if (written[i])
			continue;
		json_object(j, NULL);
		json_array(j, "names");
		for (size_t k = i; k < count; k++)
			if (!written[k] && x->rules[k].action == r->action &&
			    memcmp(&x->rules[k].cube, &r->cube, sizeof r->cube) == 0 &&
			    same_text(comments[k], comments[i])) {
				json_text(j, NULL, x->rules[k].call->name);
				written[k] = 1;
			}
		json_close(j);
		json_text(j, "action", oci_action(r->action));
		if (has_data(r->action))
			json_number(j, "errnoRet", r->action & SECCOMP_RET_DATA);
		write_args(j, &r->cube);
		if (comments[i] != NULL)
			json_text(j, "comment", comments[i]);
		json_close(j);
	}
	json_close(j);
}

static void write_oci(const struct export *x, FILE *out)
{
	struct json j = { .out = out, .pretty = true };
	const struct attributes *t = &x->stage.attributes;

	json_object(&j, NULL);
	json_text(&j, "defaultAction", oci_action(x->engine.otherwise));
	if (has_data(x->engine.otherwise))
		json_number(&j, "defaultErrnoRet", x->engine.otherwise & SECCOMP_RET_DATA);
	json_array(&j, "architectures");
	json_text(&j, NULL, oci_arch(abi_native()));
	for (enum abi abi = 0; abi < ABI_COUNT; abi++)
		if (abi != abi_native() && admits(x, abi))
			json_text(&j, NULL, oci_arch(abi));
	json_close(&j);
	if (t->log_blocked || t->allow_speculation) {
		json_array(&j, "flags");
		if (t->log_blocked)
			json_text(&j, NULL, "SECCOMP_FILTER_FLAG_LOG");
		if (t->allow_speculation)
			json_text(&j, NULL, "SECCOMP_FILTER_FLAG_SPEC_ALLOW");
		json_close(&j);
	}
	write_rules(x, &j);
	json_close(&j);
}

/* ---- systemd ---- */

static const char *unit_arch(enum abi abi)
{
	static const char *const names[ABI_COUNT] = { "x86-64", "x32", "x86", "arm64", "riscv64",
		"ppc64-le", "s390x" };

	return names[abi];
}

static const char *unit_answer(const struct export *x, uint32_t action)
{
	unsigned value = action & SECCOMP_RET_DATA;

	if ((action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO)
		return "kill";
	return const_errno_name(value) != NULL ? const_errno_name(value)
					       : arena_format(x->arena, "%u", value);
}

struct unit {
	const struct export *x;
	FILE *out;
	size_t column;
};

static void write_word(struct unit *u, const char *first, const char *word)
{
	size_t length = strlen(word) + 1;

	if (u->column == 0 || u->column + length > LINE_WIDTH) {
		fprintf(u->out, "\nSystemCallFilter=%s", first);
		u->column = strlen("SystemCallFilter=") + strlen(first);
	} else
		putc(' ', u->out);
	fputs(word, u->out);
	u->column += length;
}

static void write_answered(struct unit *u, bool allowed)
{
	const struct export *x = u->x;

	u->column = 0;
	for (size_t i = 0; i < x->engine.rule_count; i++) {
		const struct engine_rule *r = &x->rules[i];

		if (allowed && r->action == SECCOMP_RET_ALLOW)
			write_word(u, "", r->call->name);
		else if (!allowed && r->action != SECCOMP_RET_ALLOW)
			write_word(u, "~",
			    arena_format(
				x->arena, "%s:%s", r->call->name, unit_answer(x, r->action)));
	}
}

/* systemd puts calls of its own choice into any list of allowed ones, execve among them; they are
 * taken out again, without an answer: libseccomp takes none that is the default. */
static void write_unanswered(struct unit *u)
{
	const struct export *x = u->x;

	u->column = 0;
	for (size_t i = 0, rule = 0; i < call_count(); i++) {
		struct clause *list;

		if (rule < x->engine.rule_count && x->rules[rule].call == call_at(i))
			rule++;
		else if (list_of(x, call_at(i), &list) > 0)
			write_word(u, "~", call_at(i)->name);
	}
}

static void write_systemd(const struct export *x, FILE *out)
{
	struct unit u = { x, out, 0 };

	fprintf(out,
	    "# systemd before 247 refuses all that is refused alike, by SystemCallErrorNumber\n"
	    "[Service]\nNoNewPrivileges=%s\nSystemCallArchitectures=%s",
	    x->stage.attributes.no_new_privs ? "yes" : "no", unit_arch(abi_native()));
	for (enum abi abi = 0; abi < ABI_COUNT; abi++)
		if (abi != abi_native() && admits(x, abi))
			fprintf(out, " %s", unit_arch(abi));
	if (x->engine.otherwise != SECCOMP_RET_KILL_PROCESS)
		fprintf(out, "\nSystemCallErrorNumber=%s", unit_answer(x, x->engine.otherwise));
	write_answered(&u, true);
	write_answered(&u, false);
	write_unanswered(&u);
	putc('\n', out);
}

/* ---- the bare filter ---- */

/* A name that C takes. */
static const char *identifier(const struct export *x)
{
	char *name = arena_format(x->arena, "stage_%s", x->original->own.name);

	for (char *c = name; *c != '\0'; c++)
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') &&
		    !(*c >= '0' && *c <= '9'))
			*c = '_';
	return name;
}

static void write_c(const struct export *x, const struct program *program, FILE *out)
{
	fprintf(out,
	    "/* A stage's filter for seccomp(2), on %s. Set no_new_privs before it is loaded. */\n"
	    "#include <linux/filter.h>\n\nstatic const struct sock_filter %s[%zu] = {\n",
	    abi_name(abi_native()), identifier(x), program->count);
	for (size_t i = 0; i < program->count; i++) {
		const struct sock_filter *f = &program->code[i];

		fprintf(out, "\t{ 0x%02x, %u, %u, 0x%08x },\n", f->code, f->jt, f->jf, f->k);
	}
	fprintf(out, "};\n");
}

/* In the byte order of the machine that it is for. */
static void write_bpf(const struct program *program, FILE *out)
{
	for (size_t i = 0; i < program->count; i++) {
		struct sock_filter f = program->code[i];

		if (abi_swaps(abi_native())) {
			f.code = __builtin_bswap16(f.code);
			f.k = __builtin_bswap32(f.k);
		}
		fwrite(&f, sizeof f, 1, out);
	}
}

/* The stage's own filter, without our prologue: proved as it is written. */
static bool own_program(struct export *x, struct program *program)
{
	return filter_build(x->policy, &x->stage, false, x->arena, program) &&
	    verify_program(x->policy, &x->stage, false, false, NULL, program->code, program->count);
}

/* ---- all of it ---- */

static bool write_all(
    struct export *x, const struct program *own, const char *pseudocode, FILE *out)
{
	switch (x->format) {
	case EXPORT_OCI: write_oci(x, out); break;
	case EXPORT_BPF: write_bpf(own, out); break;
	case EXPORT_C: write_c(x, own, out); break;
	case EXPORT_PFC: fputs(pseudocode, out); break;
	case EXPORT_SYSTEMD: write_systemd(x, out); break;
	}
	return !ferror(out);
}

const void *export_stage(const struct policy *p, const struct stage *s, enum export_format format,
    bool lossy, struct arena *a, size_t *size)
{
	struct export *x = arena_get(a, sizeof *x);
	struct program own = { NULL, 0 };
	const char *pseudocode = NULL;
	char *text = NULL, *kept = NULL;
	FILE *out;

	*x = (struct export){
		.policy = p, .original = s, .arena = a, .format = format, .lossy = lossy
	};
	if (!policy_has_fence(p, s)) {
		say_at(s->own.origin.file, s->own.origin.line,
		    "stage %s is disabled: there is no filter to export", s->own.name);
		return NULL;
	}
	start(x);
	lose_attributes(x);
	give_up_ids(x);
	/* what cannot be compiled cannot be exported either */
	if (!own_program(x, &own))
		return NULL;
	if (format != EXPORT_BPF && format != EXPORT_C &&
	    !settle(x, format == EXPORT_PFC ? &pseudocode : NULL))
		return NULL;
	if (x->lost > 0 && !x->lossy)
		return NULL;
	note_loader(x);
	note_names(x);
	out = open_memstream(&text, size);
	if (out == NULL)
		die("out of memory");
	if (!write_all(x, &own, pseudocode, out) || fclose(out) != 0)
		die("out of memory");
	kept = arena_get(a, *size + 1);
	memcpy(kept, text, *size);
	free(text);
	return kept;
}

const char *export_pod(const struct stage *s, const char *path, struct arena *a)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;

	return arena_format(a,
	    "# the profile belongs on each node: /var/lib/kubelet/seccomp/profiles/%s\n"
	    "# and this into the container's part of the pod:\n"
	    "securityContext:\n"
	    "  allowPrivilegeEscalation: %s\n"
	    "  seccompProfile:\n"
	    "    type: Localhost\n"
	    "    localhostProfile: profiles/%s\n",
	    name, s->attributes.no_new_privs ? "false" : "true", name);
}
