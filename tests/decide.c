/*
 * decide [-r] GROUPS TABLE...: judges rows of decide/NAME.tsv, each against the policy NAME.conf beside it, by whatever
 * could disagree: policy_decide() and the stage's compiled programs in the interpreter; with -r, the rules that the image
 * keeps for reports. GROUPS is the folder of groups.conf. Prints what differs, then how much was judged; exit status 1: something
 * differs.
 *
 * A row is stage, call, arguments, answer, and FILE:LINE of what decides, or - where the policy says nothing; separated
 * by tabs. A call is a name, a number, or one of the two behind "i386:", "x32:" or "aarch64:". An answer is an action or
 * an errno's name. Arguments are as in a policy's conditions, separated by spaces; those that are missing are 0. Behind
 * "outer:" a stage stands for its outer fence alone, which lets through what the dynamic loader needs; only its program
 * can answer then.
 */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../preload/image.h"
#include "../wrapper/bpf.h"
#include "../wrapper/calls.h"
#include "../wrapper/compile.h"
#include "../wrapper/conf.h"
#include "../wrapper/consts.h"
#include "../wrapper/mem.h"
#include "../wrapper/policy.h"

enum { ROW_FIELDS = 5, ARGUMENTS = 6, X32 = 0x40000000 };

struct table {
	const char *path;
	int line;
	struct arena *arena;
	const struct policy *policy;
	const struct image_header *image;
};

static unsigned long rows, judgments, skipped, wrong;
static bool of_rules; /* -r */

static void differs(const struct table *t, const char *who, const char *have, const char *want)
{
	printf("%s:%d: %s says %s and not %s\n", t->path, t->line, who, have, want);
	wrong++;
}

static const char *answer_text(struct arena *a, uint32_t action)
{
	unsigned data = action & SECCOMP_RET_DATA;

	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW: return "allow";
	case SECCOMP_RET_LOG: return "log";
	case SECCOMP_RET_TRAP: return "trap";
	case SECCOMP_RET_KILL_THREAD: return "kill_thread";
	case SECCOMP_RET_KILL_PROCESS: return "kill_process";
	case SECCOMP_RET_ERRNO:
		return const_errno_name(data) != NULL ? const_errno_name(data) : arena_format(a, "%u", data);
	default: return arena_format(a, "0x%08x", action);
	}
}

static const char *place_text(struct arena *a, const char *file, unsigned line)
{
	return line == 0 ? "-" : arena_format(a, "%s:%u", basename(arena_text(a, file, strlen(file))), line);
}

static bool read_number(const char *text, uint32_t *nr)
{
	uint64_t value;
	const char *bad;
	size_t length;

	if (!const_read(text, false, &value, &bad, &length))
		return false;
	*nr = (uint32_t)value;
	return true;
}

/* False: no such call; *here is whether this machine has it. */
static bool read_call(const char *text, struct seccomp_data *d, bool *here)
{
	const char *colon = strchr(text, ':'), *name = colon == NULL ? text : colon + 1;
	enum abi abi = abi_native();
	char prefix[16];
	uint32_t nr;

	*here = true;
	if (colon != NULL) {
		snprintf(prefix, sizeof prefix, "%.*s", (int)(colon - text), text);
		if (!abi_named(prefix, &abi))
			return false;
	}
	d->arch = abi_audit_arch(abi);
	if (call_named(name) != NULL) {
		d->nr = call_named(name)->nr[abi];
		*here = d->nr >= 0;
	} else if (read_number(name, &nr))
		d->nr = (int)(abi == ABI_X32 ? nr | X32 : nr);
	else
		return false;
	if (abi == ABI_X32 && abi_native() != ABI_X86_64)
		*here = false;
	return true;
}

static bool read_arguments(char *text, struct seccomp_data *d)
{
	char *save = NULL;
	unsigned n = 0;

	for (char *word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		const char *bad;
		uint64_t value;
		size_t length;

		if (n == ARGUMENTS || !const_read(word, abi_native() == ABI_AARCH64, &value, &bad, &length))
			return false;
		d->args[n++] = value;
	}
	return true;
}

static const struct image_stage *find_stage(const struct table *t, const char *name, uint32_t *index)
{
	for (*index = 0; *index < t->image->part[IMAGE_STAGES].count; ++*index)
		if (strcmp(image_string(t->image, image_stage(t->image, *index)->name), name) == 0)
			return image_stage(t->image, *index);
	return NULL;
}

static const struct stage *policy_stage(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->stage_count; i++)
		if (!p->stages[i]->is_profile && strcmp(p->stages[i]->own.name, name) == 0)
			return p->stages[i];
	return NULL;
}

static void judge_program(const struct table *t, uint32_t program, const char *who, const struct seccomp_data *d,
    const char *want)
{
	const struct image_program *p = image_program(t->image, program);
	const struct sock_filter *code = image_code(t->image, p);
	const char *have = code == NULL ? "(a wrong sum)" : answer_text(t->arena, bpf_run(code, p->count, d).action);

	judgments++;
	if (strcmp(have, want) != 0)
		differs(t, who, have, want);
}

/* What the image says of a native call: the first rule of the stage whose conditions hold. */
static const struct image_rule *image_rule_of(const struct table *t, uint32_t stage, const struct seccomp_data *d)
{
	const struct image_rule *r = image_part(t->image, IMAGE_RULES);
	const struct image_condition *all = image_part(t->image, IMAGE_CONDITIONS);
	bool known = call_numbered(abi_native(), (uint32_t)d->nr) != NULL;

	for (uint32_t i = 0; i < t->image->part[IMAGE_RULES].count; i++, r++) {
		bool holds = r->stage == stage &&
		    (known ? r->call == d->nr || r->call == IMAGE_CALL_KNOWN : r->call == IMAGE_CALL_UNKNOWN);

		for (uint32_t k = 0; holds && k < r->condition_count; k++) {
			const struct image_condition *c = &all[r->condition_first + k];
			const struct condition same = { .arg = c->arg, .op = c->op, .mask = c->mask, .value = c->value };

			holds = condition_holds(&same, (const uint64_t *)d->args);
		}
		if (holds)
			return r;
	}
	return NULL;
}

static void judge_rules(
    const struct table *t, uint32_t stage, const struct seccomp_data *d, const char *want, const char *place)
{
	const struct image_rule *r = image_rule_of(t, stage, d);
	const char *have = r == NULL ? "nothing" : answer_text(t->arena, r->action);
	const char *at = r == NULL ? "nowhere"
				   : place_text(t->arena, (const char *)image_part(t->image, IMAGE_NOTES) + r->file, r->line);

	judgments++;
	if (strcmp(have, want) != 0)
		differs(t, "the image's list of rules", have, want);
	else if (strcmp(at, place) != 0)
		differs(t, "the image's list of rules", at, place);
}

static bool judge_row(const struct table *t, char **field)
{
	static const char mark[] = "outer:";
	struct seccomp_data d = { 0 };
	uint32_t index;
	bool outer = strncmp(field[0], mark, sizeof mark - 1) == 0;

	field[0] += outer ? sizeof mark - 1 : 0;

	const struct stage *stage = policy_stage(t->policy, field[0]);
	const struct image_stage *compiled = find_stage(t, field[0], &index);
	struct decision decision;
	const char *have, *place;
	bool here;

	if (stage == NULL || compiled == NULL || !read_call(field[1], &d, &here) || !read_arguments(field[2], &d))
		return false;
	rows++;
	if (!here) {
		skipped++;
		return true;
	}
	if (of_rules) {
		if (d.arch == abi_audit_arch(abi_native()) && (uint32_t)d.nr < X32 && !outer &&
		    !(compiled->flags & STAGE_STRICT))
			judge_rules(t, index, &d, field[3], field[4]);
		return true;
	}
	if (outer) {
		if (compiled->outer == IMAGE_NONE)
			return false;
		judge_program(t, compiled->outer, "the outer fence", &d, field[3]);
		return true;
	}
	decision = policy_decide(t->policy, stage, &d);
	have = answer_text(t->arena, decision.action);
	place = decision.rule == NULL
	    ? "-"
	    : place_text(t->arena, decision.rule->origin.file, (unsigned)decision.rule->origin.line);
	judgments++;
	if (strcmp(have, field[3]) != 0)
		differs(t, "policy_decide()", have, field[3]);
	if (strcmp(place, field[4]) != 0)
		differs(t, "policy_decide()", place, field[4]);
	if (compiled->exact == IMAGE_NONE) {
		/* strict mode is the kernel's own, and has no filter */
		if (strcmp(field[3], "allow") != 0 && !(compiled->flags & STAGE_STRICT))
			differs(t, "no filter", "allow", field[3]);
		return true;
	}
	judge_program(t, compiled->exact, "the exact filter", &d, field[3]);
	if (d.nr != __NR_execve || (d.args[3] | d.args[4] | d.args[5]) != 0)
		judge_program(t, compiled->exec, "the filter for one exec", &d, field[3]);
	return true;
}

static bool judge_table(const char *groups, const char *path)
{
	struct table t = { .path = path, .arena = arena_new() };
	char conf[4096], line[4096];
	struct sources sources;
	size_t size;
	FILE *file = fopen(path, "r");
	bool good = file != NULL;

	snprintf(conf, sizeof conf, "%.*s.conf", (int)(strlen(path) - strlen(".tsv")), path);
	t.policy = good ? conf_read(t.arena, conf, groups, &sources) : NULL;
	t.image = t.policy != NULL ? compile_policy(t.policy, &sources, t.arena, &size) : NULL;
	if (t.image == NULL || image_check(t.image, size) != IMAGE_GOOD) {
		printf("%s: cannot be judged\n", path);
		good = false;
	}
	while (good && fgets(line, sizeof line, file) != NULL) {
		char *field[ROW_FIELDS], *rest = line;

		t.line++;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		for (unsigned i = 0; i < ROW_FIELDS; i++)
			field[i] = rest != NULL ? strsep(&rest, "\t") : NULL;
		if (field[ROW_FIELDS - 1] == NULL || rest != NULL || !judge_row(&t, field)) {
			printf("%s:%d: this row cannot be read\n", path, t.line);
			good = false;
		}
	}
	if (file != NULL)
		fclose(file);
	arena_free(t.arena);
	return good;
}

int main(int argc, char **argv)
{
	bool good;

	of_rules = argc > 1 && strcmp(argv[1], "-r") == 0;
	good = argc > 2 + of_rules;
	for (int i = 2 + of_rules; i < argc; i++)
		good = judge_table(argv[1 + of_rules], argv[i]) && good;
	printf("%lu rows, %lu judgments, %lu rows of other machines, %lu differ\n", rows, judgments, skipped, wrong);
	return good && wrong == 0 ? 0 : 1;
}
