#include "jacamar.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "close.h"
#include "input.h"
#include "loader.h"
#include "mem.h"
#include "plain.h"
#include "policy.h"
#include "say.h"
#include "toml.h"

enum { WIDTH = PLAIN_WIDTH, REMARKS_MAX = 40, NAME_SHOWN = 60, PATH_SHOWN = 300 };

/* Jacamar CI's keys in [auth.seccomp]. An unset boolean is false. */
enum key {
	DISABLED,
	BLOCK_ALL,
	ALLOW_CALLS,
	BLOCK_CALLS,
	LIMIT_SETUID,
	VALIDATION_PLUGIN,
	DISABLE_NO_NEW_PRIVS,
	LOG_ALLOWED_ACTIONS,
	KEYS
};

static const struct {
	const char *name;
	enum toml_type type;
} keys[KEYS] = {
	[DISABLED] = { "disabled", TOML_BOOLEAN },
	[BLOCK_ALL] = { "block_all", TOML_BOOLEAN },
	[ALLOW_CALLS] = { "allow_calls", TOML_ARRAY },
	[BLOCK_CALLS] = { "block_calls", TOML_ARRAY },
	[LIMIT_SETUID] = { "limit_setuid", TOML_BOOLEAN },
	[VALIDATION_PLUGIN] = { "validation_plugin", TOML_STRING },
	[DISABLE_NO_NEW_PRIVS] = { "disable_no_new_privs", TOML_BOOLEAN },
	[LOG_ALLOWED_ACTIONS] = { "log_allowed_actions", TOML_BOOLEAN },
};

/* A list's calls that the call tables know, each once, as it was written. */
struct list {
	const struct call **items;
	size_t count;
};

struct remarks {
	const char *items[REMARKS_MAX];
	size_t count; /* may be more than there is room for */
};

struct import {
	struct arena *arena;
	const char *file;
	const struct toml_value *values[KEYS];
	const struct toml_value *section;      /* [auth.seccomp], or NULL */
	const struct toml_value *no_new_privs; /* [auth]'s own, or NULL */
	struct list allowed, blocked;
	bool keeps_new_privs; /* disable_no_new_privs, where it can be had */
	struct remarks lost, notes;
};

static bool is_on(const struct toml_value *v)
{
	return v != NULL && v->yes;
}

static void remember(
    struct import *i, struct remarks *remarks, const struct toml_value *at, const char *text)
{
	if (remarks->count < REMARKS_MAX)
		remarks->items[remarks->count] = arena_format(
		    i->arena, "line %d: %s", at->line, text);
	remarks->count++;
}

/* What is not carried over; the policy says so too. */
static void lose(struct import *i, const struct toml_value *at, const char *text)
{
	say_at(i->file, at->line, "%s", text);
	remember(i, &i->lost, at, text);
}

/* What is carried over, but deserves a look. */
static void note(struct import *i, const struct toml_value *at, const char *text)
{
	say_note(i->file, at->line, "%s", text);
	remember(i, &i->notes, at, text);
}

/* ---- what the file says ---- */

static bool check_type(const struct import *i, const struct toml_value *v, enum toml_type type)
{
	const char *what = type == TOML_BOOLEAN ? "true or false"
	    : type == TOML_STRING               ? "a string"
	    : type == TOML_TABLE                ? "a table"
						: "a list of strings";
	bool good = v->type == type;

	if (v->type == TOML_ARRAY)
		for (const struct toml_value *e = v->first; e != NULL; e = e->next)
			good = good && e->type == TOML_STRING;
	if (!good)
		say_at(i->file, v->line, "%.60s must be %s", v->key, what);
	return good;
}

static bool has(const struct list *list, const struct call *call)
{
	for (size_t n = 0; n < list->count; n++)
		if (list->items[n] == call)
			return true;
	return false;
}

static void read_calls(struct import *i, const struct toml_value *array, struct list *list)
{
	if (array == NULL)
		return;
	list->items = arena_array(i->arena, call_count(), sizeof *list->items);
	for (const struct toml_value *v = array->first; v != NULL; v = v->next) {
		const struct call *call = call_named(v->text);

		if (call == NULL)
			lose(i, v,
			    arena_format(i->arena,
				"%s: system call %.*s is unknown here, and left out", array->key,
				NAME_SHOWN, v->text));
		else if (!has(list, call))
			list->items[list->count++] = call;
	}
}

static bool read_seccomp(struct import *i, const struct toml_value *section)
{
	bool good = true;

	for (const struct toml_value *v = section->first; v != NULL; v = v->next) {
		size_t key = 0;

		while (key < KEYS && strcmp(keys[key].name, v->key) != 0)
			key++;
		if (key == KEYS) {
			lose(i, v,
			    arena_format(i->arena,
				"key %.*s of [auth.seccomp] is unknown here, and left out",
				NAME_SHOWN, v->key));
			continue;
		}
		good = check_type(i, v, keys[key].type) && good;
		if (v->type != TOML_STRING || *v->text != '\0')
			i->values[key] = v;
	}
	return good;
}

/* False: Jacamar CI would not take the file either, or there is nothing in it for us. */
static bool read_sections(struct import *i, const struct toml_value *root)
{
	const struct toml_value *auth = toml_member(root, "auth");

	if (auth != NULL && !check_type(i, auth, TOML_TABLE))
		return false;
	i->section = toml_member(auth, "seccomp");
	i->no_new_privs = toml_member(auth, "no_new_privs");
	if (i->no_new_privs != NULL && !check_type(i, i->no_new_privs, TOML_BOOLEAN))
		return false;
	if (i->section == NULL && !is_on(i->no_new_privs)) {
		say_at(i->file, 0, "there is no [auth.seccomp], and so no policy");
		return false;
	}
	return i->section == NULL ||
	    (check_type(i, i->section, TOML_TABLE) && read_seccomp(i, i->section));
}

/* ---- what becomes of it ---- */

static bool has_rules(const struct import *i)
{
	return is_on(i->values[BLOCK_ALL]) || is_on(i->values[LIMIT_SETUID]) ||
	    i->values[VALIDATION_PLUGIN] != NULL ||
	    (i->values[BLOCK_CALLS] != NULL && i->values[BLOCK_CALLS]->first != NULL);
}

/* Whether there is a filter. That log_allowed_actions alone makes one is our reading. */
static bool has_filter(const struct import *i)
{
	return !is_on(i->values[DISABLED]) &&
	    (has_rules(i) || is_on(i->values[LOG_ALLOWED_ACTIONS]));
}

/* The calls that limit_setuid speaks of, under any name. */
static bool sets_ids(const struct call *call)
{
	static const char *const names[] = { "setfsgid", "setfsuid", "setgid", "setregid",
		"setresgid", "setresuid", "setreuid", "setuid" };

	for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
		if (strcmp(call->name, names[n]) == 0)
			return true;
	return false;
}

static void judge_lists(struct import *i)
{
	const struct toml_value *const *v = i->values;
	struct arena *a = i->arena;

	for (size_t n = 0; n < i->blocked.count; n++) {
		const struct call *call = i->blocked.items[n];

		if (has(&i->allowed, call))
			note(i, v[BLOCK_CALLS],
			    arena_format(
				a, "%s is in allow_calls too; it is blocked here", call->name));
		if (is_on(v[LIMIT_SETUID]) && sets_ids(call))
			note(i, v[LIMIT_SETUID],
			    arena_format(a,
				"%s is in block_calls too; it is blocked here, for the "
				"caller's own id as well",
				call->name));
	}
	if (is_on(v[BLOCK_ALL]) && i->allowed.count == 0)
		note(i, v[BLOCK_ALL], "without allow_calls nothing can run");
	if (!is_on(v[BLOCK_ALL]) && i->allowed.count > 0)
		note(i, v[ALLOW_CALLS],
		    "without block_all everything is allowed that block_calls does not name");
}

static void add_rules(
    struct arena *a, struct level *level, const struct list *list, uint32_t action)
{
	for (size_t n = 0; n < list->count; n++) {
		level->rules = arena_grow(a, level->rules, level->rule_count, sizeof *level->rules);
		level->rules[level->rule_count++] = (struct rule){ .call = list->items[n],
			.action = action };
	}
}

/* A call that the policy will refuse to the dynamic loader, or NULL. */
static const struct call *refused_to_loader(const struct import *i)
{
	const struct rule kill = { .action = SECCOMP_RET_KILL_PROCESS };
	const struct policy p = { .arena = i->arena };
	struct stage s = { .own.fallback = is_on(i->values[BLOCK_ALL]) ? &kill : NULL };
	const struct level *level = &s.own;

	s.levels = &level;
	s.level_count = 1;
	add_rules(i->arena, &s.own, &i->allowed, SECCOMP_RET_ALLOW);
	add_rules(i->arena, &s.own, &i->blocked, SECCOMP_RET_KILL_PROCESS);
	close_level(i->arena, &s.own);
	policy_sort(&s.own);
	policy_resolve(&s);
	return loader_lacks(&p, &s);
}

static void judge_new_privs(struct import *i)
{
	const struct toml_value *off = i->values[DISABLE_NO_NEW_PRIVS];
	const struct call *refused;

	if (!is_on(off) || is_on(i->no_new_privs))
		return;
	refused = has_filter(i) ? refused_to_loader(i) : NULL;
	i->keeps_new_privs = refused == NULL;
	/* an outer fence for the loader and an inner one from the shim: see stagefence(1) */
	if (refused != NULL)
		lose(i, off,
		    arena_format(i->arena,
			"disable_no_new_privs: %s is blocked, which every program needs to start; "
			"a policy that lets it through until then needs no_new_privs",
			refused->name));
}

static void judge(struct import *i)
{
	const struct toml_value *const *v = i->values;

	read_calls(i, v[ALLOW_CALLS], &i->allowed);
	read_calls(i, v[BLOCK_CALLS], &i->blocked);
	if (v[VALIDATION_PLUGIN] != NULL)
		lose(i, v[VALIDATION_PLUGIN],
		    arena_format(i->arena,
			"validation_plugin %.*s is a Go plugin, and its rules are not in this "
			"policy: write it anew in C, see stagefence-plugin(3)",
			PATH_SHOWN, v[VALIDATION_PLUGIN]->text));
	judge_lists(i);
	judge_new_privs(i);
	if (!has_filter(i) && !is_on(v[DISABLED]) && !is_on(i->no_new_privs))
		note(i, i->section, "nothing is blocked, so there is no filter");
	if (is_on(v[LOG_ALLOWED_ACTIONS]) && has_filter(i) && !has_rules(i))
		note(i, v[LOG_ALLOWED_ACTIONS], "a fence is raised for its log only");
	if (!has_filter(i) && is_on(i->no_new_privs))
		note(i, i->no_new_privs,
		    "without a filter it is carried by a fence that refuses calls of other "
		    "architectures only");
}

/* ---- the policy ---- */

static void write_remarks(FILE *to, const char *title, const struct remarks *remarks)
{
	size_t shown = remarks->count < REMARKS_MAX ? remarks->count : REMARKS_MAX;

	if (shown == 0)
		return;
	fputs("#\n", to);
	plain_comment(to, "# ", title);
	for (size_t n = 0; n < shown; n++)
		plain_comment(to, "# * ", remarks->items[n]);
	if (shown < remarks->count)
		fprintf(to, "# * and %zu more\n", remarks->count - shown);
}

/* What is meant differently, and why. */
static void write_differences(FILE *to, const struct import *i)
{
	fputs("#\n# What is not as in Jacamar CI:\n", to);
	plain_comment(to, "# * ",
	    "Jacamar CI kills the thread that makes a blocked call. Here the whole process is "
	    "killed: what is left of a program could lose its work without a word and still exit "
	    "with 0.");
	if (i->blocked.count > 0)
		plain_comment(to, "# * ",
		    "A call that block_calls names takes its siblings along: mkdir is mkdirat too. "
		    "One that must stay open goes into allow_calls.");
	if (is_on(i->values[BLOCK_ALL]))
		plain_comment(to, "# * ",
		    "The fence is raised around the command only, so allow_calls needs nothing "
		    "that jacamar-auth makes for itself. What every program ends with is allowed "
		    "unnamed, and numbers that no table knows answer ENOSYS.");
	if (is_on(i->values[LIMIT_SETUID]))
		plain_comment(to, "# * ",
		    "limit_setuid lets a process set its ids to those that it was started with; "
		    "any other fails with EPERM.");
}

/* A line of the stage, and what it comes from. */
static void write_setting(FILE *to, const char *mark, const char *setting, const char *from)
{
	fprintf(to, "    %s%-*s # %s\n", mark, (int)(36 - strlen(mark)), setting, from);
}

static const char *line_of(const struct import *i, const struct toml_value *v)
{
	return arena_format(i->arena, "line %d", v->line);
}

static void write_list(FILE *to, const struct import *i, const char *mark,
    const struct toml_value *v, const struct list *list)
{
	size_t column = 0;

	if (v == NULL || list->count == 0)
		return;
	write_setting(to, mark, arena_format(i->arena, "%s = [", v->key), line_of(i, v));
	for (size_t n = 0; n < list->count; n++) {
		const char *name = list->items[n]->name;
		bool last = n + 1 == list->count;
		size_t wide = strlen(name) + (last ? 2 : 3);

		if (n > 0 && column + 1 + wide > WIDTH)
			column = 0;
		if (column == 0)
			column = (size_t)fprintf(to, "%s    %s  ", n > 0 ? "\n" : "", mark) -
			    (n > 0);
		else
			column += (size_t)fprintf(to, " ");
		column += (size_t)fprintf(to, "\"%s\"%s", name, last ? "" : ",");
	}
	fprintf(to, "\n    %s];\n", mark);
}

static void write_no_new_privs(FILE *to, const struct import *i)
{
	const struct toml_value *off = i->values[DISABLE_NO_NEW_PRIVS];

	if (is_on(i->no_new_privs))
		write_setting(to, "", "no_new_privs = true;",
		    arena_format(i->arena, "line %d, of [auth]%s", i->no_new_privs->line,
			is_on(off) ? ", beats disable_no_new_privs" : ""));
	else if (i->keeps_new_privs)
		write_setting(to, "", "disable_no_new_privs = true;",
		    arena_format(i->arena, "line %d; needs CAP_SYS_ADMIN", off->line));
	else if (has_filter(i))
		write_setting(to, "", "no_new_privs = true;",
		    is_on(off) ? "see above" : "as with any filter of Jacamar CI");
}

static void write_stage(FILE *to, const struct import *i)
{
	static const enum key flags[] = { BLOCK_ALL, LIMIT_SETUID, LOG_ALLOWED_ACTIONS };
	const struct toml_value *const *v = i->values;
	bool off = !has_filter(i);
	/* a disabled stage would not set no_new_privs: then the rules are there to read only */
	const char *mark = off && is_on(i->no_new_privs) ? "# " : "";

	fputs("  { name = \"jacamar\";\n    match = [ \"*\" ];\n", to);
	if (off && *mark == '\0')
		write_setting(to, "", "disabled = true;",
		    is_on(v[DISABLED]) ? line_of(i, v[DISABLED])
				       : "without a rule Jacamar CI has no filter");
	else if (is_on(v[DISABLED]))
		write_setting(to, mark, "disabled = true;", line_of(i, v[DISABLED]));
	write_no_new_privs(to, i);
	if (!off) {
		write_setting(to, "", "block_action = \"kill_process\";", "see above");
		write_setting(to, "", "log_blocked = true;", "as Jacamar CI does where it can");
	}
	for (size_t n = 0; n < sizeof flags / sizeof flags[0]; n++)
		if (is_on(v[flags[n]]))
			write_setting(to, mark,
			    arena_format(i->arena, "%s = true;", keys[flags[n]].name),
			    line_of(i, v[flags[n]]));
	write_list(to, i, mark, v[ALLOW_CALLS], &i->allowed);
	write_list(to, i, mark, v[BLOCK_CALLS], &i->blocked);
	if (v[VALIDATION_PLUGIN] != NULL)
		write_setting(to, "# ", "plugin = \"/path/to/plugin.so\";",
		    arena_format(i->arena, "line %d: see above", v[VALIDATION_PLUGIN]->line));
	fputs("  }\n", to);
}

static void write_policy(FILE *to, const struct import *i)
{
	plain_comment(to, "# ", arena_format(i->arena, "Translated from %s by", i->file));
	fputs("# \"stagefencectl import --from jacamar\". Lines are those of that file.\n#\n", to);
	plain_comment(to, "# ",
	    "Jacamar CI has one list for whatever a job does. So this is one stage, which answers "
	    "to every name and to none.");
	if (has_filter(i))
		write_differences(to, i);
	write_remarks(to, "NOT CARRIED OVER:", &i->lost);
	write_remarks(to, "Worth a look:", &i->notes);
	fputs("\nversion = 1;\nno_stage = \"jacamar\";\nunknown_stage = \"jacamar\";\n\n"
	      "stages = (\n",
	    to);
	write_stage(to, i);
	fputs(");\n", to);
}

const char *jacamar_policy(struct arena *a, const char *file, const char *text, size_t size)
{
	struct import i = { .arena = a, .file = file };
	const struct toml_value *root = toml_read(a, file, text, size);
	char *policy = NULL;
	const char *result;
	size_t length = 0;
	FILE *to;

	if (root == NULL || !read_sections(&i, root))
		return NULL;
	judge(&i);
	to = open_memstream(&policy, &length);
	if (to != NULL)
		write_policy(to, &i);
	if (to == NULL || fclose(to) != 0)
		die("out of memory");
	result = arena_text(a, policy, length);
	free(policy);
	return result;
}

const char *jacamar_read(struct arena *a, const char *path)
{
	const char *name;
	size_t size;
	const char *text = input_read(a, path, TOML_SIZE_MAX, &name, &size);

	return text == NULL ? NULL : jacamar_policy(a, name, text, size);
}
