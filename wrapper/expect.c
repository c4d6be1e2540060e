#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../preload/fence.h"
#include "bpf.h"
#include "calls.h"
#include "consts.h"
#include "explain.h"
#include "image.h"
#include "junit.h"
#include "mem.h"
#include "plain.h"
#include "policy.h"
#include "say.h"
#include "trial.h"

enum { ARGUMENTS = 6, DETAIL_MAX = 4096, DETAIL_LINES_MAX = 40 };

/* A stage's filter as it will be in force for this caller; of length 0 where there is no fence. */
struct fence {
	struct sock_filter code[BPF_MAXINSNS];
	size_t count;
};

struct test {
	const struct expect *e;
	struct arena *arena; /* for what is reported; what comes and goes has one of its own */
	struct fence fence;
	struct trial_place place;
	struct trial trial;
	struct result *results;
	size_t count, total, failures;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- calls ---- */

/* What stands in for the caller's ids until the fence is raised. */
static uint64_t fill(uint64_t value)
{
	if (value == FENCE_PLACE_UID)
		return (uint64_t)raw_call3(__NR_getuid, 0, 0, 0);
	if (value == FENCE_PLACE_GID)
		return (uint64_t)raw_call3(__NR_getgid, 0, 0, 0);
	return value;
}

static void take_fence(struct fence *f, const void *image, uint32_t stage)
{
	const struct image_header *h = image_header(image);
	const struct image_program *p;

	f->count = 0;
	if (image_stage(h, stage)->exact == IMAGE_NONE)
		return;
	p = image_program(h, image_stage(h, stage)->exact);
	f->count = p->count;
	memcpy(f->code, (const struct sock_filter *)image_part(h, IMAGE_CODE) + p->first,
	    f->count * sizeof *f->code);
	fence_fill(f->code, f->count);
}

/* Only an errno's data is part of an answer. */
static bool same_answer(uint32_t a, uint32_t b)
{
	uint32_t mask = (a & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO
	    ? UINT32_MAX
	    : SECCOMP_RET_ACTION_FULL;

	return ((a ^ b) & mask) == 0;
}

/* The decision list of a call, with the caller's ids filled in. */
static size_t list_of(const struct expect *e, const struct stage *s, const struct call *call,
    struct arena *a, struct clause **list)
{
	size_t count = policy_list(e->policy, s, call, a, list);

	count = policy_simplify(*list, count, a);
	for (size_t i = 0; i < count; i++) {
		struct clause *clause = &(*list)[i];
		struct condition *filled = arena_array(a, clause->condition_count, sizeof *filled);

		for (size_t k = 0; k < clause->condition_count; k++) {
			filled[k] = clause->conditions[k];
			filled[k].value = fill(filled[k].value);
		}
		clause->conditions = filled;
	}
	return count;
}

static const struct clause *deciding(const struct clause *list, const uint64_t given[ARGUMENTS])
{
	uint64_t args[ARGUMENTS];

	for (unsigned i = 0; i < ARGUMENTS; i++)
		args[i] = fill(given[i]);
	for (;; list++) {
		size_t k = 0;

		while (k < list->condition_count && condition_holds(&list->conditions[k], args))
			k++;
		if (k == list->condition_count)
			return list;
	}
}

/* Where there is no filter, in strict mode or without any fence, the policy's word is all there is.
 */
static uint32_t ask(const struct fence *f, const struct call *call, const struct clause *list,
    const uint64_t args[ARGUMENTS])
{
	struct seccomp_data d = { .nr = call->nr[abi_native()],
		.arch = abi_audit_arch(abi_native()) };

	for (unsigned i = 0; i < ARGUMENTS; i++)
		d.args[i] = fill(args[i]);
	return f->count > 0 ? bpf_run(f->code, f->count, &d).action
			    : deciding(list, args)->decision.action;
}

/* Arguments that a clause is about, as far as one value for each can be. */
static void arguments_for(const struct clause *c, uint64_t args[ARGUMENTS])
{
	memset(args, 0, ARGUMENTS * sizeof *args);
	for (size_t i = 0; i < c->condition_count; i++)
		args[c->conditions[i].arg] = condition_witness(&c->conditions[i]);
}

/* Without arguments the expectation is about all of them: every clause must say the same, and so
 * must the filter where it is asked in the middle of each. NULL: it does. */
static const char *every_call(
    struct test *t, const struct expectation *x, const struct clause *list, size_t count)
{
	uint64_t args[ARGUMENTS];

	for (size_t i = 0; i < count; i++) {
		const struct clause *c = &list[i], *by_clause = c;
		uint32_t answer = c->decision.action;

		if (same_answer(answer, x->action)) {
			arguments_for(c, args);
			answer = ask(&t->fence, x->call, list, args);
			by_clause = deciding(list, args);
		}
		if (same_answer(answer, x->action))
			continue;
		return arena_format(t->arena, "it gives %s%s%s, by %s",
		    action_text(t->arena, answer),
		    by_clause->condition_count > 0 ? " where "
			: count > 1                ? " otherwise"
						   : "",
		    explain_conditions(t->arena, by_clause->conditions, by_clause->condition_count),
		    explain_origin(t->arena, by_clause->decision.rule));
	}
	return NULL;
}

static const char *one_call(struct test *t, const struct expectation *x, const struct clause *list)
{
	uint32_t answer = ask(&t->fence, x->call, list, x->args);

	if (same_answer(answer, x->action))
		return NULL;
	return arena_format(t->arena, "it gives %s, by %s", action_text(t->arena, answer),
	    explain_origin(t->arena, deciding(list, x->args)->decision.rule));
}

static void try_call(
    struct test *t, const struct stage *s, const struct expectation *x, struct result *r)
{
	struct arena *a = arena_new();
	struct clause *list;
	size_t count;

	r->name = arena_format(t->arena, "%s gives %s", x->what, action_text(t->arena, x->action));
	if (x->call->nr[abi_native()] < 0) {
		r->verdict = SKIPPED;
		r->why = arena_format(
		    t->arena, "no %s on %s", x->call->name, abi_name(abi_native()));
	} else {
		count = list_of(t->e, s, x->call, a, &list);
		r->why = x->every ? every_call(t, x, list, count) : one_call(t, x, list);
		r->verdict = r->why == NULL ? PASSED : FAILED;
	}
	arena_free(a);
}

/* ---- commands ---- */

static const char *status_text(struct arena *a, unsigned status)
{
	const char *name = status > TRIAL_SIGNALLED
	    ? const_signal_name((int)status - TRIAL_SIGNALLED)
	    : NULL;

	return name != NULL ? arena_format(a, "status %u (%s)", status, name)
			    : arena_format(a, "status %u", status);
}

/* As the shell's $(...) would have it. */
static void strip_newlines(struct trial *t)
{
	while (t->size > 0 && t->output[t->size - 1] == '\n')
		t->output[--t->size] = '\0';
}

static const char *with_output(struct arena *a, const char *why, const struct trial *t)
{
	size_t size = t->size < DETAIL_MAX ? t->size : DETAIL_MAX, lines = 0;
	const char *text = plain_text(a, t->output, size);

	if (t->size == 0)
		return arena_format(a, "%s\nit printed nothing", why);
	why = arena_format(a, "%s\nit printed:", why);
	for (; *text != '\0' && lines < DETAIL_LINES_MAX; lines++) {
		size_t length = strcspn(text, "\n");

		why = arena_format(a, "%s\n  | %.*s", why, (int)length, text);
		text += length + (text[length] == '\n');
	}
	return *text != '\0' || t->size > size ? arena_format(a, "%s\n  | ...", why) : why;
}

/* NULL: all is as expected. */
static const char *fault_of(struct arena *a, const struct expectation *x, const struct trial *t)
{
	static const char ours[] = "stagefence: ";

	if (t->late)
		return arena_format(
		    a, "it was still running after %u s, and was killed", x->timeout);
	/* else an expected 125 would be met by a fence that never stood */
	if (t->status == TRIAL_FAILURE && strncmp(t->output, ours, sizeof ours - 1) == 0)
		return "stagefence itself failed, and the command did not run";
	if (t->status != x->status)
		return arena_format(a, "it ended with %s", status_text(a, t->status));
	if (x->output != NULL && !image_match(x->output, t->output))
		return arena_format(
		    a, "what it printed does not match \"%s\"", plain_line(a, x->output));
	return NULL;
}

/* False: not tried, and nothing more can be. */
static bool try_command(
    struct test *t, const struct stage *s, const struct expectation *x, struct result *r)
{
	const char *why;

	r->name = arena_format(t->arena, "run \"%s\" ends with %s", plain_line(t->arena, x->what),
	    status_text(t->arena, x->status));
	if (!t->place.open && !trial_open(&t->place, t->e->wrapper, t->e->image, t->e->image_size))
		return false;
	if (!trial_run(&t->place, s->own.name, x->what, x->timeout, &t->trial))
		return false;
	strip_newlines(&t->trial);
	why = fault_of(t->arena, x, &t->trial);
	r->verdict = why == NULL ? PASSED : FAILED;
	r->why = why == NULL ? NULL : with_output(t->arena, why, &t->trial);
	return true;
}

/* ---- reports ---- */

/* A # would begin a directive, such as "# SKIP", in what is only a name. */
static void print_escaped(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '#' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
}

static void print_result(const struct test *t, const struct result *r)
{
	printf("%sok %zu - ", r->verdict == FAILED ? "not " : "", t->count);
	print_escaped(plain_line(t->arena,
	    arena_format(t->arena, "%s: %s (%s:%d)", r->suite, r->name, r->file, r->line)));
	if (r->verdict == SKIPPED)
		printf(" # SKIP %s", r->why);
	putchar('\n');
	for (const char *line = r->verdict == FAILED ? r->why : ""; *line != '\0';) {
		size_t length = strcspn(line, "\n");

		printf("# %.*s\n", (int)length, line);
		line += length + (line[length] == '\n');
	}
	fflush(stdout);
}

static bool try(struct test *t, const struct stage *s, const struct expectation *x)
{
	struct result *r = &t->results[t->count];
	double start = now();

	*r =
	    (struct result){ .suite = s->own.name, .file = x->origin.file, .line = x->origin.line };
	if (x->call != NULL)
		try_call(t, s, x, r);
	else if (!try_command(t, s, x, r)) {
		if (!t->e->quiet)
			printf("Bail out! run \"%s\" could not be tried\n",
			    plain_line(t->arena, x->what));
		return false;
	}
	r->seconds = now() - start;
	if (r->verdict == FAILED && x->comment != NULL)
		r->why = arena_format(
		    t->arena, "%s\ncomment: %s", r->why, plain_line(t->arena, x->comment));
	t->count++;
	t->failures += r->verdict == FAILED;
	if (!t->e->quiet)
		print_result(t, r);
	return true;
}

static bool chosen(const struct expect *e, const struct stage *s)
{
	return !s->is_profile && (e->stage == NULL || strcmp(e->stage, s->own.name) == 0);
}

static bool try_stages(struct test *t)
{
	const struct policy *p = t->e->policy;
	uint32_t stage = 0;

	for (size_t i = 0; i < p->stage_count; i++) {
		const struct stage *s = p->stages[i];

		if (s->is_profile)
			continue;
		take_fence(&t->fence, t->e->image, stage++);
		for (size_t k = 0; chosen(t->e, s) && k < s->expectation_count; k++)
			if (!try(t, s, &s->expectations[k]))
				return false;
	}
	return true;
}

bool expect_test(struct expect *e, struct arena *a)
{
	struct test *t = arena_get(a, sizeof *t);
	const struct policy *p = e->policy;
	bool good, known = e->stage == NULL;

	t->e = e;
	t->arena = a;
	for (size_t i = 0; i < p->stage_count; i++)
		if (chosen(e, p->stages[i])) {
			known = true;
			t->total += p->stages[i]->expectation_count;
		}
	if (!known) {
		say_at(e->file, 0, "there is no stage %s", e->stage);
		return false;
	}
	if (t->total > 0 && !e->quiet)
		printf("1..%zu\n", t->total);
	else if (t->total == 0) {
		if (!e->quiet)
			printf("1..0 # SKIP no expectations\n");
		say_notes(true);
		say_note(e->file, 0,
		    "nothing is expected%s%s: write expect lists, see "
		    "stagefence.conf(5)",
		    e->stage != NULL ? " of stage " : "", e->stage != NULL ? e->stage : "");
	}
	t->results = arena_array(a, t->total, sizeof *t->results);
	good = try_stages(t) && t->failures == 0;
	e->results = t->results;
	e->count = t->count;
	if (e->junit != NULL)
		good = junit_write(e->junit, t->results, t->count, a) && good;
	/* last: a signal that waits may end us here */
	trial_close(&t->place);
	return good;
}
