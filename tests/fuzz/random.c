/*
 * random [-s SEED] [-n JUDGMENTS] [-k CASES] [-m CHANGES] [-x PROFILES -e ENGINE] [-1]: random policies against random calls.
 *
 * Each policy is made here as a model, written as text, read by conf.c, compiled, and asked: the model below, which knows
 * only stagefence.conf(5) and shares no code with policy.c; policy_decide(); and the stage's compiled programs in the
 * interpreter. All must agree. What a refusal takes along (close.h) is left out by exact = true: decide/families.tsv has
 * that. With -k, programs are also loaded into the running kernel, and calls that
 * harm nobody are made. With -m, instructions of compiled programs are changed one at a time, and the verifier must notice
 * each change that any random call notices. With -x, stages are exported as container profiles, which ENGINE
 * (tests/helpers/engine.c) makes filters of: these say what the model says, but for what was said to be lost. Prints what was done; exit status 1: something differs, and how to see it again (-1: SEED's
 * policy only, and its text).
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../../preload/fence.h"
#include "../../preload/image.h"
#include "../../wrapper/bpf.h"
#include "../../wrapper/calls.h"
#include "../../wrapper/compile.h"
#include "../../wrapper/conf.h"
#include "../../wrapper/export.h"
#include "../../wrapper/filter.h"
#include "../../wrapper/mem.h"
#include "../../wrapper/policy.h"
#include "../../wrapper/verify.h"
#include "quiet.h"

/* younger than EL 8's headers */
#ifndef __NR_close_range
#define __NR_close_range 436
#endif

enum { LEVELS = 7, RULES = 8, CONDITIONS = 3, CALLS = 4, POOL = 8, ARGUMENTS = 6, BASES = 2, VALUES = 128 };

/* ---- random numbers: the same everywhere for the same seed ---- */

static uint64_t state;

static uint64_t draw(void)
{
	state += 0x9e3779b97f4a7c15u; /* splitmix64 */

	uint64_t z = state;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
	return (unsigned)(draw() % n);
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

/* ---- the model ---- */

enum strictness { ALLOW, LOG, TRACE, NOTIFY, ERRNO, TRAP, KILL_THREAD, KILL_PROCESS };

static const struct {
	const char *word, *other;
	uint32_t action;
} actions[] = {
	[ALLOW] = { "allow", "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW },
	[LOG] = { "log", "SCMP_ACT_LOG", SECCOMP_RET_LOG },
	[TRACE] = { "trace", "SCMP_ACT_TRACE", SECCOMP_RET_TRACE },
	[NOTIFY] = { "notify", "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF },
	[ERRNO] = { "errno", "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO },
	[TRAP] = { "trap", "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
	[KILL_THREAD] = { "kill_thread", "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
	[KILL_PROCESS] = { "kill_process", "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
};

struct answer {
	enum strictness how;
	unsigned number; /* the errno */
};

struct test {
	unsigned arg;
	const char *op;
	bool masked;
	uint64_t mask, value;
};

struct one_rule {
	const struct call *calls[CALLS];
	unsigned call_count;
	struct answer answer;
	struct test tests[CONDITIONS];
	unsigned test_count;
};

struct one_level {
	char name[8];
	bool is_profile, disabled, has_default;
	struct answer otherwise;
	/* what is said once, and taken over from bases */
	bool has_newest, has_bad, has_foreign, has_log, foreign, log;
	unsigned newest[2];
	enum strictness bad; /* an errno is EPERM */
	struct one_rule rules[RULES]; /* in the order of their lines */
	unsigned rule_count;
	unsigned bases[BASES], base_count; /* later ones only: no cycles */
};

struct model {
	const struct call *pool[POOL];
	unsigned pool_count;
	struct one_level level[LEVELS];
	unsigned level_count;
	int floor; /* a level, or -1 */
};

/* i386's older calls for ids, which have 16 bits there. */
static bool short_id(const struct call *call, unsigned arg)
{
	static const char *const all[] = { "setuid", "setgid", "setfsuid", "setfsgid", "setreuid", "setregid", "setresuid",
		"setresgid" };
	size_t n = strlen(call->name);

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(call->name, all[i]) == 0)
			return true;
	return arg > 0 && n >= 5 && strcmp(call->name + n - 5, "chown") == 0;
}

/* A negative number is one of 32 bits where registers have no more. */
static bool test_holds(
    const struct test *t, const struct call *call, bool i386, const uint64_t args[ARGUMENTS], bool refuses)
{
	uint64_t have = args[t->arg], value = t->value, mask = t->masked ? t->mask : ~(uint64_t)0;

	if (i386 && short_id(call, t->arg)) {
		bool equal = strcmp(t->op, "==") == 0;

		have = (uint16_t)have == 0xffff ? 0xffffffff : (uint16_t)have;
		/* not to be said in one comparison: the stricter one */
		if ((equal || strcmp(t->op, "!=") == 0) && (uint32_t)mask >> 16 != 0 && value != 0 && value < 0xffff &&
		    value == (uint16_t)mask) {
			if (refuses != equal)
				return !equal;
			mask = (uint16_t)mask;
		}
	}
	if (call->widths[t->arg] == 's') {
		have = (uint16_t)have;
		mask = (uint16_t)mask;
	} else if (call->widths[t->arg] == 'i' || (i386 && value >> 32 == UINT32_MAX)) {
		have = (uint32_t)have;
		value = (uint32_t)value;
		mask = (uint32_t)mask;
	}
	if (strcmp(t->op, "==") == 0)
		return (have & mask) == value;
	if (strcmp(t->op, "!=") == 0)
		return (have & mask) != value;
	if (strcmp(t->op, "<") == 0)
		return have < value;
	if (strcmp(t->op, "<=") == 0)
		return have <= value;
	return strcmp(t->op, ">") == 0 ? have > value : have >= value;
}

/* What a level says of a call by its rules with conditions, or by those without. */
static bool level_says(const struct one_level *l, const struct call *call, bool i386, const uint64_t args[ARGUMENTS],
    bool conditions, struct answer *answer)
{
	bool said = false;

	for (unsigned i = 0; i < l->rule_count; i++) {
		const struct one_rule *r = &l->rules[i];
		bool matches = (r->test_count > 0) == conditions, named = false;

		for (unsigned c = 0; c < r->call_count; c++)
			named = named || r->calls[c] == call;
		for (unsigned t = 0; t < r->test_count && named && matches; t++)
			matches = test_holds(&r->tests[t], call, i386, args, r->answer.how > LOG);
		if (!named || !matches || (said && r->answer.how <= answer->how))
			continue;
		*answer = r->answer;
		said = true;
	}
	return said;
}

/* A level and its bases, nearest first, each once, where it is met first. */
static void order(const struct model *m, unsigned level, unsigned *list, unsigned *count)
{
	for (unsigned i = 0; i < *count; i++)
		if (list[i] == level)
			return;
	list[(*count)++] = level;
	for (unsigned b = 0; b < m->level[level].base_count; b++)
		order(m, m->level[level].bases[b], list, count);
}

static struct answer default_of(const struct model *m, const unsigned *list, unsigned count, const struct call *call)
{
	static const char *const last[] = { "exit", "exit_group", "restart_syscall", "rt_sigreturn", "sigreturn" };
	const struct answer allow = { ALLOW, 0 }, missing = { ERRNO, ENOSYS };
	const struct one_level *newest = NULL, *otherwise = NULL;

	for (unsigned i = 0; call != NULL && i < sizeof last / sizeof last[0]; i++)
		if (strcmp(call->name, last[i]) == 0)
			return allow;
	for (unsigned i = count; i-- > 0;) {
		newest = m->level[list[i]].has_newest ? &m->level[list[i]] : newest;
		otherwise = m->level[list[i]].has_default ? &m->level[list[i]] : otherwise;
	}
	if (call == NULL || (newest != NULL && call->since > kernel_version(newest->newest[0], newest->newest[1])))
		return missing;
	if (otherwise == NULL)
		return allow;
	return otherwise->otherwise.how == ERRNO && strcmp(call->name, "clone3") == 0 ? missing : otherwise->otherwise;
}

static struct answer stage_says(
    const struct model *m, unsigned stage, const struct call *call, bool i386, const uint64_t args[ARGUMENTS])
{
	unsigned list[LEVELS], count = 0;
	struct answer answer = { ALLOW, 0 };

	if (m->level[stage].disabled)
		return answer;
	order(m, stage, list, &count);
	for (unsigned i = 0; call != NULL && i < count; i++)
		if (level_says(&m->level[list[i]], call, i386, args, true, &answer) ||
		    level_says(&m->level[list[i]], call, i386, args, false, &answer))
			return answer;
	return default_of(m, list, count, call);
}

static uint32_t model_says(const struct model *m, unsigned stage, const struct seccomp_data *d)
{
	const struct call *call = NULL;
	unsigned list[LEVELS], levels = 0;
	struct answer answer, floor, bad = { KILL_PROCESS, 0 };
	bool i386 = IMAGE_ARCH == AUDIT_ARCH_X86_64 && d->arch == AUDIT_ARCH_I386, native = d->arch == IMAGE_ARCH,
	     foreign = false, logs = false;
	enum abi abi = i386 ? ABI_I386 : abi_native();

	/* with x32's bit it is x32's, which no model admits; -1 is a call that a tracer skipped */
	if (IMAGE_ARCH == AUDIT_ARCH_X86_64 && native && (uint32_t)d->nr >= 0x40000000 && d->nr != -1)
		native = false;
	order(m, stage, list, &levels);
	for (unsigned i = levels; i-- > 0;) {
		const struct one_level *l = &m->level[list[i]];

		foreign = l->has_foreign ? l->foreign : foreign;
		logs = l->has_log ? l->log : logs;
		if (l->has_bad)
			bad = (struct answer){ l->bad, EPERM };
	}
	if (!native && !(i386 && foreign)) {
		answer = bad;
		return actions[answer.how].action | (answer.how == ERRNO ? answer.number : 0);
	}
	for (size_t i = 0; i < call_count(); i++)
		if (d->nr >= 0 && call_at(i)->nr[abi] == d->nr)
			call = call_at(i);
	answer = stage_says(m, stage, call, i386, (const uint64_t *)d->args);
	if (logs && answer.how == ALLOW)
		answer.how = LOG;
	if (m->floor >= 0) {
		floor = stage_says(m, (unsigned)m->floor, call, i386, (const uint64_t *)d->args);
		if (floor.how > LOG && floor.how >= answer.how)
			answer = floor;
	}
	return actions[answer.how].action | (answer.how == ERRNO ? answer.number : 0);
}

/* ---- making one ---- */

static uint64_t some_value(void)
{
	static const uint64_t known[] = { 0, 1, 2, 3, 5, 8, 0x5412, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000,
		0x100000001, 0x100000005, 0x1ffffffff, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffff00000000,
		0xfffffffffffffffe, 0xffffffffffffffff };

	if (!one_in(3))
		return known[below(sizeof known / sizeof known[0])];
	return draw() >> below(64);
}

static struct answer some_answer(bool refuses)
{
	struct answer a = { (enum strictness)below(KILL_PROCESS + 1), 1 + below(one_in(8) ? 4094 : 40) };

	if (one_in(2))
		a.how = ERRNO;
	if ((a.how == TRACE || a.how == NOTIFY) && !one_in(3))
		a.how = LOG;
	if (refuses && a.how < ERRNO)
		a.how = ERRNO;
	return a;
}

/* For every call of the rule the argument is there, and the value within its width. */
static bool some_test(const struct one_rule *r, struct test *t)
{
	static const char *const ops[] = { "==", "!=", "<", "<=", ">", ">=" };
	size_t arguments = ARGUMENTS;
	bool word = false, mode = false;

	for (unsigned c = 0; c < r->call_count; c++)
		if (strlen(r->calls[c]->widths) < arguments)
			arguments = strlen(r->calls[c]->widths);
	if (arguments == 0)
		return false;
	t->arg = below((unsigned)arguments);
	for (unsigned c = 0; c < r->call_count; c++)
{
		mode = mode || r->calls[c]->widths[t->arg] == 's';
		word = word || r->calls[c]->widths[t->arg] == 'i' || mode;
	}
	/* an order, and an inequality, are many alternatives: three of them multiply to more than a filter holds */
	t->op = ops[one_in(2 + 2 * r->test_count) ? below(6) : 0];
	t->masked = (strcmp(t->op, "==") == 0 || strcmp(t->op, "!=") == 0) && one_in(2);
	t->mask = one_in(3) ? draw() & draw() : some_value();
	t->value = some_value();
	if (word) {
		t->mask = (uint32_t)t->mask;
		t->value = (uint32_t)t->value;
	}
	if (mode) {
		t->mask = (uint16_t)t->mask;
		t->value = (uint16_t)t->value;
	}
	if (t->masked && t->mask == 0)
		t->mask = 1;
	if (t->masked)
		t->value &= one_in(2) ? t->mask : t->mask & draw();
	return true;
}

static void make_level(struct model *m, unsigned i)
{
	struct one_level *l = &m->level[i];

	l->is_profile = i > 0 && one_in(2);
	snprintf(l->name, sizeof l->name, "%c%u", l->is_profile ? 'p' : 's', i);
	l->disabled = !l->is_profile && one_in(12);
	l->has_default = one_in(3);
	l->otherwise = some_answer(false);
	l->has_newest = one_in(8);
	l->newest[0] = 3 + below(4);
	l->newest[1] = below(20);
	l->has_bad = one_in(8);
	l->bad = one_in(2) ? ERRNO : TRAP + below(3);
	l->has_foreign = IMAGE_ARCH == AUDIT_ARCH_X86_64 && one_in(6);
	l->foreign = !one_in(4);
	l->has_log = one_in(12);
	l->log = !one_in(4);
	l->rule_count = below(RULES + 1);
	for (unsigned k = 0; k < l->rule_count; k++) {
		struct one_rule *r = &l->rules[k];

		r->call_count = one_in(3) ? 1 + below(CALLS) : 1;
		for (unsigned c = 0; c < r->call_count; c++)
			r->calls[c] = m->pool[below(m->pool_count)];
		r->answer = some_answer(false);
		r->test_count = 0;
		for (unsigned t = one_in(3) ? 0 : 1 + below(one_in(3) ? CONDITIONS : 1); t > 0; t--)
			if (some_test(r, &r->tests[r->test_count]))
				r->test_count++;
	}
	for (unsigned b = below(BASES + 1); b > 0 && i + 1 < m->level_count; b--)
		l->bases[l->base_count++] = i + 1 + below(m->level_count - i - 1);
}

/* harmless: only calls on descriptors that are not open. */
static void make_model(struct model *m, bool harmless)
{
	static const char *const known[] = { "lseek", "dup", "fsync", "flock", "fchmod", "fchown", "ftruncate", "fallocate",
		"readahead", "sync_file_range", "listen", "shutdown", "ioctl", "fdatasync", "inotify_rm_watch", "timer_delete" };
	static const char *const often[] = { "ioctl", "openat", "socket", "prctl", "execve", "clone", "mmap", "lseek",
		"exit_group", "personality", "unshare", "seccomp", "chmod", "setresuid" };

	memset(m, 0, sizeof *m);
	m->pool_count = 1 + below(POOL);
	for (unsigned i = 0; i < m->pool_count; i++) {
		const struct call *c = NULL;

		if (harmless)
			c = call_named(known[below(sizeof known / sizeof known[0])]);
		else if (one_in(2))
			c = call_named(often[below(sizeof often / sizeof often[0])]);
		while (c == NULL || c->nr[abi_native()] < 0)
			c = call_at(below((unsigned)call_count()));
		m->pool[i] = c;
	}
	m->level_count = 1 + below(LEVELS);
	for (unsigned i = m->level_count; i-- > 0;)
		make_level(m, i);
	m->floor = one_in(2) ? (int)below(m->level_count) : -1;
	/* a disabled one is a mistake: it would refuse nothing */
	if (m->floor >= 0 && m->level[m->floor].disabled)
		m->floor = -1;
}

/* ---- its text ---- */

static void write_number(FILE *f, uint64_t value, bool word)
{
	switch (below(5)) {
	case 0:
		if (value <= INT32_MAX) {
			fprintf(f, "%" PRIu64, value);
			break;
		}
		/* fall through */
	case 1: fprintf(f, "\"%" PRIu64 "\"", value); break;
	case 2:
		if (word && value > INT32_MAX) {
			fprintf(f, "\"%" PRId32 "\"", (int32_t)value);
			break;
		}
		if (!word && value > INT64_MAX) {
			fprintf(f, "\"%" PRId64 "\"", (int64_t)value);
			break;
		}
		/* fall through */
	case 3: fprintf(f, "\"0x%" PRIx64 "\"", value); break;
	default: fprintf(f, "\"0x%" PRIx64 " | 0o%" PRIo64 "\"", value & 0xf0f0f0f0f0f0f0f0, value); break;
	}
}

static void write_answer(FILE *f, const char *key, const char *number, struct answer a)
{
	fprintf(f, " %s = \"%s\";", key, one_in(4) ? actions[a.how].other : actions[a.how].word);
	if (a.how == ERRNO)
		fprintf(f, one_in(2) ? " %s = %u;" : " %s = \"%u\";", number, a.number);
}

static void write_rule(FILE *f, const struct one_rule *r, bool last)
{
	fprintf(f, "    { exact = true; calls = [");
	for (unsigned c = 0; c < r->call_count; c++)
		fprintf(f, "%s \"%s\"", c > 0 ? "," : "", r->calls[c]->name);
	fprintf(f, " ];");
	write_answer(f, "action", "errno", r->answer);
	if (r->test_count > 0)
		fprintf(f, " args = (");
	for (unsigned t = 0; t < r->test_count; t++) {
		const struct test *x = &r->tests[t];
		bool word = false;

		for (unsigned c = 0; c < r->call_count; c++)
			word = word || r->calls[c]->widths[x->arg] == 'i';
		/* a negative number is wide for calls that look at all 64 bits */
		for (unsigned c = 0; c < r->call_count; c++)
			word = word && r->calls[c]->widths[x->arg] == 'i';
		fprintf(f, "%s { arg = %u; op = \"%s\"; value = ", t > 0 ? "," : "", x->arg, x->op);
		write_number(f, x->value, word);
		if (x->masked) {
			fprintf(f, "; mask = ");
			write_number(f, x->mask, word);
		}
		fprintf(f, "; }");
	}
	fprintf(f, "%s }%s\n", r->test_count > 0 ? " );" : "", last ? "" : ",");
}

static void write_level(FILE *f, const struct model *m, const struct one_level *l)
{
	fprintf(f, "  { name = \"%s\";", l->name);
	if (l->disabled)
		fprintf(f, " disabled = true;");
	if (l->has_newest)
		fprintf(f, " newest_kernel = \"%u.%u\";", l->newest[0], l->newest[1]);
	if (l->has_bad)
		fprintf(f, " bad_arch_action = \"%s\";", actions[l->bad].word);
	if (l->has_foreign)
		fprintf(f, " architectures = [ \"%s\" ];", l->foreign ? "i386" : "x86_64");
	if (l->has_log)
		fprintf(f, " log_allowed_actions = %s;", l->log ? "true" : "false");
	if (l->base_count > 0) {
		fprintf(f, " base = [");
		for (unsigned b = 0; b < l->base_count; b++)
			fprintf(f, "%s \"%s\"", b > 0 ? "," : "", m->level[l->bases[b]].name);
		fprintf(f, " ];");
	}
	if (l->has_default && l->otherwise.how >= ERRNO && one_in(2)) {
		fprintf(f, " block_all = true;");
		write_answer(f, "block_action", "errno", l->otherwise);
	} else if (l->has_default)
		write_answer(f, "default_action", "errno", l->otherwise);
	fprintf(f, " rules = (\n");
	for (unsigned i = 0; i < l->rule_count; i++)
		write_rule(f, &l->rules[i], i + 1 == l->rule_count);
	fprintf(f, "  ); }");
}

static void write_model(const char *path, const struct model *m)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		abort();
	fprintf(f, "version = 1;\n");
	if (m->floor >= 0)
		fprintf(f, "floor = \"%s\";\n", m->level[m->floor].name);
	for (int profiles = 0; profiles < 2; profiles++) {
		bool first = true;

		fprintf(f, "%s = (\n", profiles ? "profiles" : "stages");
		for (unsigned i = 0; i < m->level_count; i++) {
			if (m->level[i].is_profile != (profiles == 1))
				continue;
			fprintf(f, "%s", first ? "" : ",\n");
			first = false;
			write_level(f, m, &m->level[i]);
		}
		fprintf(f, "\n);\n");
	}
	if (fclose(f) != 0)
		abort();
}

/* ---- asking ---- */

static struct {
	uint64_t policies, programs, judgments, live, refused, inexpressible, wrong, profiles, profiled, losses, loosened;
	uint64_t changes, noticed, missed; /* the rest made no difference */
} done;

static const char *engine;

static uint64_t seed_of_policy;

static void print_policy(void)
{
	char line[4096];
	FILE *f = fopen(quiet_policy, "r");

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		fputs(line, stdout);
	if (f != NULL)
		fclose(f);
}

static const char *how_again = "-1"; /* the options that make this policy again */

static void differs(const char *who, const char *stage, const struct seccomp_data *d, uint32_t have, uint32_t want)
{
	if (++done.wrong > 20)
		return;
	printf("%s -s %" PRIu64 ": stage %s, call %d of 0x%x with 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx: %s says 0x%x and not "
	       "0x%x\n",
	    how_again, seed_of_policy, stage, d->nr, d->arch, d->args[0], d->args[1], d->args[2], d->args[3], d->args[4], d->args[5], who,
	    have, want);
}

/* The values that a model's tests of a call hold for an argument. */
static unsigned values_of(const struct model *m, const struct call *call, unsigned arg, uint64_t *values)
{
	unsigned n = 0;

	for (unsigned l = 0; l < m->level_count; l++)
		for (unsigned r = 0; r < m->level[l].rule_count; r++)
			for (unsigned c = 0; c < m->level[l].rules[r].call_count; c++)
				for (unsigned t = 0; t < m->level[l].rules[r].test_count && n < VALUES; t++)
					if (m->level[l].rules[r].calls[c] == call && m->level[l].rules[r].tests[t].arg == arg)
						values[n++] = m->level[l].rules[r].tests[t].value;
	return n;
}

static uint64_t some_argument(const struct model *m, const struct call *call, unsigned arg)
{
	uint64_t values[VALUES], value;
	unsigned n = values_of(m, call, arg, values);

	if (n == 0 || one_in(8))
		return some_value();
	value = values[below(n)];
	switch (below(8)) {
	case 0: return value + 1;
	case 1: return value - 1;
	case 2: return value ^ (uint64_t)1 << below(64);
	case 3: return value | draw() << 32;
	case 4: return (uint32_t)value | draw() << 32;
	case 5: return value | values[below(n)];
	case 6: return value ^ values[below(n)] ^ draw() << below(64);
	default: return value;
	}
}

static void some_call(const struct model *m, struct seccomp_data *d, bool native)
{
	static const uint32_t arches[] = { AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, 0 };
	const struct call *call = m->pool[below(m->pool_count)];

	memset(d, 0, sizeof *d);
	d->arch = IMAGE_ARCH;
	d->nr = call->nr[abi_native()];
	for (unsigned i = 0; i < ARGUMENTS; i++)
		d->args[i] = some_argument(m, call, i);
	if (native)
		return;
	if (one_in(8) && call->nr[ABI_I386] >= 0) {
		d->arch = AUDIT_ARCH_I386;
		d->nr = one_in(8) ? (int)below(500) : call->nr[ABI_I386];
		for (unsigned i = 0; i < ARGUMENTS; i++)
			d->args[i] = (uint32_t)d->args[i];
	}
	if (!one_in(10))
		return;
	switch (below(4)) {
	case 0: d->arch = arches[below(4)]; break;
	case 1: d->nr = (int)(d->nr | 0x40000000); break;
	case 2: d->nr = (int)draw(); break;
	default: d->nr = (int)below(500); break;
	}
}

/* What programs say where no agent hears. */
static uint32_t unheard(uint32_t action)
{
	return action == SECCOMP_RET_USER_NOTIF ? SECCOMP_RET_ERRNO | ENOSYS : action;
}

static bool is_execve(const struct seccomp_data *d)
{
	return d->nr == __NR_execve && d->arch == IMAGE_ARCH;
}

/* Where no rule of anybody's can tell, our own questions are answered before. */
static void judge(const struct model *m, unsigned level, const struct policy *p, const struct stage *s,
    const struct image_header *h, const struct image_stage *is, unsigned calls)
{
	const struct sock_filter *code[3] = { NULL, NULL, NULL };
	const uint32_t program[3] = { is->exact, is->exec, is->outer };

	for (unsigned i = 0; i < 3; i++)
		if (program[i] != IMAGE_NONE) {
			code[i] = image_code(h, image_program(h, program[i]));
			done.programs++;
			if (code[i] == NULL)
				abort();
		}
	for (unsigned n = 0; n < calls; n++) {
		struct seccomp_data d;
		uint32_t want, have;

		some_call(m, &d, false);
		want = model_says(m, level, &d);
		have = policy_decide(p, s, &d).action;
		done.judgments++;
		if (have != want)
			differs("policy_decide()", m->level[level].name, &d, have, want);
		want = unheard(want);
		if (code[0] == NULL) {
			/* a stage that is switched off has no fence at all, for other ABIs neither */
			if (want != SECCOMP_RET_ALLOW && !m->level[level].disabled)
				differs("no program", m->level[level].name, &d, SECCOMP_RET_ALLOW, want);
			continue;
		}
		have = bpf_run(code[0], image_program(h, program[0])->count, &d).action;
		if (have != want)
			differs("the program", m->level[level].name, &d, have, want);
		if (is_execve(&d) && (d.args[3] | d.args[4] | d.args[5]) == 0)
			continue; /* the wrapper's own, where it has a secret: in the image that is zero */
		have = bpf_run(code[1], image_program(h, program[1])->count, &d).action;
		if (have != want)
			differs("the program for one exec", m->level[level].name, &d, have, want);
		if (code[2] == NULL)
			continue;
		have = bpf_run(code[2], image_program(h, program[2])->count, &d).action;
		if (have != want && have != SECCOMP_RET_ALLOW)
			differs("the outer program", m->level[level].name, &d, have, want);
	}
}

/* ---- the verifier ---- */

/* One instruction behind the prologue becomes another that the kernel would take. */
static bool change(struct sock_filter *code, uint32_t count, uint32_t *at)
{
	uint32_t room = count - FENCE_ATTEST_COUNT;
	/* each program has a few that tell architectures apart, in front */
	struct sock_filter *f = &code[*at = FENCE_ATTEST_COUNT + below(one_in(4) && room > 8 ? 8 : room)];
	const struct sock_filter before = *f;

	switch (below(6)) {
	case 0: f->k ^= (uint32_t)1 << below(32); break;
	case 1: f->k += one_in(2) ? 1 : ~0u; break;
	case 2:
		f->jt = before.jf;
		f->jf = before.jt;
		break;
	case 3: f->jt = (uint8_t)(f->jt + 1); break;
	case 4: f->jf = (uint8_t)(f->jf + 1); break;
	default:
		if (BPF_CLASS(f->code) == BPF_JMP && BPF_OP(f->code) == BPF_JEQ)
			f->code = BPF_JMP | BPF_JGE | BPF_K;
		else if (BPF_CLASS(f->code) == BPF_JMP && BPF_OP(f->code) == BPF_JGE)
			f->code = BPF_JMP | BPF_JGT | BPF_K;
		else if (BPF_CLASS(f->code) == BPF_RET)
			f->k = SECCOMP_RET_ALLOW;
		else if (BPF_CLASS(f->code) == BPF_LD)
			f->k = 16 + 4 * below(12);
	}
	return memcmp(f, &before, sizeof before) != 0 && bpf_check(code, count) == NULL;
}

static bool anybody_notices(
    const struct model *m, unsigned level, const struct sock_filter *code, uint32_t count, struct seccomp_data *d)
{
	for (unsigned i = 0; i < 4000; i++) {
		some_call(m, d, false);
		if (bpf_run(code, count, d).action != unheard(model_says(m, level, d)))
			return true;
	}
	return false;
}

static void judge_verifier(const struct model *m, unsigned level, const struct policy *p, const struct stage *s,
    const struct image_header *h, const struct image_stage *is)
{
	const struct image_program *program = is->exact == IMAGE_NONE ? NULL : image_program(h, is->exact);
	struct sock_filter code[IMAGE_CODE_MAX];
	const struct sock_filter *was;
	struct seccomp_data d;
	uint32_t at;

	for (unsigned i = 0; program != NULL && i < 40; i++) {
		/* the same changes whatever was noticed of those before */
		state = (seed_of_policy * LEVELS + level) * 0xd1342543de82ef95u + i;
		memcpy(code, image_code(h, program), program->count * sizeof *code);
		if (!change(code, program->count, &at))
			continue;
		done.changes++;
		quiet_start();
		if (!verify_program(p, s, false, false, program->digest, code, program->count)) {
			done.noticed++;
			continue;
		}
		if (!anybody_notices(m, level, code, program->count, &d))
			continue;
		was = &image_code(h, program)[at];
		if (++done.missed <= 20)
			printf("%s -s %" PRIu64 ": stage %s: the verifier does not notice a change of instruction %u from %04x %u %u "
			       "0x%x to %04x %u %u 0x%x: call %d of 0x%x with 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx\n",
			    how_again, seed_of_policy, m->level[level].name, at, was->code, was->jt, was->jf, was->k, code[at].code,
			    code[at].jt, code[at].jf, code[at].k, d.nr, d.arch, d.args[0], d.args[1], d.args[2], d.args[3],
			    d.args[4], d.args[5]);
	}
}

/* ---- the kernel ---- */

enum { LIVE_CALLS = 24 };

struct live {
	const char *wrong;
	struct {
		struct seccomp_data d;
		long bare, fenced;
		bool made;
	} call[LIVE_CALLS];
	unsigned made;
};

static long make_call(const struct seccomp_data *d)
{
	return raw_call6(d->nr, (long)d->args[0], (long)d->args[1], (long)d->args[2], (long)d->args[3], (long)d->args[4],
	    (long)d->args[5]);
}

static _Noreturn void live_child(struct live *l, unsigned calls, const struct sock_filter *code, const struct image_program *p)
{
	raw_call3(__NR_close_range, 0, -1, 0); /* every descriptor is a bad one */
	for (unsigned i = 0; i < calls; i++)
		l->call[i].bare = make_call(&l->call[i].d);
	raw_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	l->wrong = fence_raise(code, p, 0);
	for (unsigned i = 0; i < calls && l->wrong == NULL; i++) {
		l->call[i].fenced = make_call(&l->call[i].d);
		l->call[i].made = true;
	}
	raw_exit(0);
}

static bool ends_process(uint32_t action)
{
	action &= SECCOMP_RET_ACTION_FULL;
	return action == SECCOMP_RET_TRAP || action == SECCOMP_RET_KILL_THREAD || action == SECCOMP_RET_KILL_PROCESS;
}

/* What an action gives where nobody traces or listens. */
static long given(uint32_t action, long bare)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ERRNO: return -(long)(action & SECCOMP_RET_DATA);
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_USER_NOTIF: return -ENOSYS;
	default: return bare;
	}
}

/* A child under the program makes calls; the last one is the first that ends it. */
static void judge_live(const struct model *m, unsigned level, const struct image_header *h, const struct image_stage *is)
{
	struct live *l = mmap(NULL, sizeof *l, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct image_program *p = image_program(h, is->exact);
	unsigned calls = 0;
	bool ends = false;
	int status;
	pid_t pid;

	if (l == MAP_FAILED)
		abort();
	while (calls < LIVE_CALLS && !ends) {
		struct seccomp_data *d = &l->call[calls].d;

		some_call(m, d, true);
		ends = ends_process(model_says(m, level, d));
		/* many calls that return are better than one that ends it all at once */
		if (ends && calls < LIVE_CALLS / 2 && !one_in(16))
			ends = false;
		else
			calls++;
	}
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0)
		live_child(l, calls, image_code(h, p), p);
	if (waitpid(pid, &status, 0) != pid)
		abort();
	if (l->wrong != NULL) {
		printf("%s -s %" PRIu64 ": stage %s: the fence %s\n", how_again, seed_of_policy, m->level[level].name, l->wrong);
		done.wrong++;
	}
	for (unsigned i = 0; i < calls && l->wrong == NULL; i++) {
		const struct seccomp_data *d = &l->call[i].d;
		uint32_t want = model_says(m, level, d);

		done.live++;
		if (ends_process(want)) {
			if (l->call[i].made || !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
				differs("the kernel", m->level[level].name, d, (uint32_t)status, want);
		} else if (!l->call[i].made)
			differs("the kernel (not returned)", m->level[level].name, d, (uint32_t)status, want);
		else if (l->call[i].fenced != given(want, l->call[i].bare))
			differs("the kernel", m->level[level].name, d, (uint32_t)-l->call[i].fenced, want);
	}
	munmap(l, sizeof *l);
}

/* ---- profiles ---- */

static bool write_profile(const char *path, const void *text, size_t size)
{
	FILE *f = fopen(path, "wb");

	return f != NULL && fwrite(text, 1, size, f) == size && fclose(f) == 0;
}

/* What ENGINE makes of the profile in path; 0: it refuses. */
static size_t engine_makes(const char *path, struct sock_filter *code, size_t room)
{
	char command[8300];
	FILE *f;
	size_t count;

	snprintf(command, sizeof command, "%s %s", engine, path);
	f = popen(command, "r");
	count = f == NULL ? 0 : fread(code, sizeof *code, room, f);
	return f != NULL && pclose(f) == 0 ? count : 0;
}

static bool was_said(const char *name)
{
	char text[128];

	snprintf(text, sizeof text, "not carried over to oci: %s: ", name);
	return strstr(quiet_lines, text) != NULL;
}

/* The bare filter says what the model says, and nothing of it is lost. */
static void judge_bare(const struct model *m, unsigned level, const struct policy *p, const struct stage *s)
{
	struct arena *a = arena_new();
	size_t size;
	const struct sock_filter *code;

	quiet_start();
	code = export_stage(p, s, EXPORT_BPF, false, a, &size);
	for (unsigned n = 0; n < 3000 && code != NULL; n++) {
		struct seccomp_data d;
		uint32_t want, have;

		some_call(m, &d, false);
		want = model_says(m, level, &d);
		have = bpf_run(code, size / sizeof *code, &d).action;
		done.profiled++;
		if (have != want)
			differs("the bare filter", m->level[level].name, &d, have, want);
	}
	if (strstr(quiet_lines, "cannot be carried over") != NULL) {
		printf("%s -s %" PRIu64 ": stage %s: %s\n", how_again, seed_of_policy, m->level[level].name, quiet_lines);
		done.wrong++;
	}
	/* that they come to an end, and to nothing worse than a loss */
	export_stage(p, s, EXPORT_SYSTEMD, true, a, &size);
	export_stage(p, s, EXPORT_C, true, a, &size);
	arena_free(a);
}

static void judge_profile(const struct model *m, unsigned level, const struct policy *p, const struct stage *s)
{
	static struct sock_filter code[BPF_MAXINSNS + 1];
	struct arena *a = arena_new();
	char path[4300];
	size_t size, count;
	const void *text;

	quiet_start();
	say_notes(true);
	text = export_stage(p, s, EXPORT_OCI, true, a, &size);
	if (text == NULL && !m->level[level].disabled && strstr(quiet_lines, "too many for a filter") == NULL &&
	    strstr(quiet_lines, "on other arguments") == NULL && strstr(quiet_lines, "use fewer conditions") == NULL) {
		printf("%s -s %" PRIu64 ": stage %s is not exported: %s\n", how_again, seed_of_policy, m->level[level].name,
		    quiet_lines);
		done.wrong++;
	}
	if (text == NULL)
		goto out;
	done.profiles++;
	for (const char *c = quiet_lines; (c = strstr(c, "not carried over")) != NULL; c++)
		done.losses++;
	snprintf(path, sizeof path, "%s/profile.json", quiet_folder);
	count = write_profile(path, text, size) ? engine_makes(path, code, BPF_MAXINSNS + 1) : 0;
	unlink(path);
	if (bpf_check(code, count) != NULL) {
		printf("%s -s %" PRIu64 ": stage %s: the engine takes no profile, or the kernel no filter: %s\n", how_again,
		    seed_of_policy, m->level[level].name, bpf_check(code, count));
		done.wrong++;
		goto out;
	}
	for (unsigned n = 0; n < 20000; n++) {
		struct seccomp_data d;
		const struct call *call;
		uint32_t want, have;
		enum abi abi;

		some_call(m, &d, false);
		want = model_says(m, level, &d);
		have = bpf_run(code, count, &d).action;
		done.profiled++;
		if (have == want)
			continue;
		/* engines kill what comes in by another ABI */
		if (!policy_abi(s, &d, &abi) && have == SECCOMP_RET_KILL_THREAD &&
		    (want == SECCOMP_RET_KILL_PROCESS || was_said("bad_arch_action")))
			continue;
		call = call_numbered(abi, (uint32_t)d.nr);
		if (call != NULL && have == (SECCOMP_RET_ERRNO | ENOSYS) && !filter_knows(call, abi))
			continue;
		if (call != NULL && was_said(call->name)) {
			done.loosened += action_stricter(want, have);
			continue;
		}
		differs("the engine's program", m->level[level].name, &d, have, want);
	}
out:
	arena_free(a);
	say_notes(false);
}

/* ---- one policy ---- */

static const struct stage *stage_named(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->stage_count; i++)
		if (strcmp(p->stages[i]->own.name, name) == 0)
			return p->stages[i];
	abort();
}

/* Each line must be a refusal that the manual page knows; of the others, those that are libseccomp's doing. */
static void explain_refusal(void)
{
	static const char *const known[] = { "too many for a filter", "use fewer conditions", "on other arguments on ",
		"that stand for $uid and $gid", "which the dynamic loader needs" };
	bool all_known = true;

	for (char *line = quiet_lines, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		bool is_known = false;

		*end = '\0';
		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
			is_known = is_known || strstr(line, known[i]) != NULL;
		if (!is_known) {
			done.inexpressible += strstr(line, "this cannot be expressed") != NULL;
			printf("%s -s %" PRIu64 ": %s\n", how_again, seed_of_policy, line);
		}
		all_known = all_known && is_known;
	}
	done.refused += all_known;
	done.wrong += !all_known;
}

enum purpose { JUDGE, LIVE, VERIFIER, PROFILE };

static void one_policy(struct model *m, enum purpose purpose, unsigned calls)
{
	struct arena *volatile a = arena_new();
	struct sources sources;
	const struct policy *volatile p = NULL;
	const struct image_header *volatile h = NULL;
	size_t size;

	how_again = purpose == PROFILE ? "-1 -x 1 -e ENGINE" : purpose == LIVE ? "-1 -k 1" : purpose == VERIFIER ? "-1 -m 1" : "-1";
	state = seed_of_policy * 0xd1342543de82ef95u + purpose;
	make_model(m, purpose == LIVE);
	write_model(quiet_policy, m);
	quiet_start();
	if (setjmp(quiet_end) == 0) {
		p = conf_read(a, quiet_policy, quiet_folder, &sources);
		h = p == NULL ? NULL : compile_policy(p, &sources, a, &size);
	}
	done.policies++;
	if (h == NULL)
		explain_refusal();
	else if (image_check(h, size) != IMAGE_GOOD)
		abort();
	for (unsigned l = 0; h != NULL && l < m->level_count; l++)
		for (uint32_t i = 0; i < h->part[IMAGE_STAGES].count; i++) {
			const struct image_stage *is = image_stage(h, i);

			if (strcmp(image_string(h, is->name), m->level[l].name) != 0)
				continue;
			if (purpose == LIVE && is->exact != IMAGE_NONE)
				judge_live(m, l, h, is);
			else if (purpose == PROFILE)
{
				judge_profile(m, l, p, stage_named(p, m->level[l].name));
				judge_bare(m, l, p, stage_named(p, m->level[l].name));
			}
			else if (purpose == VERIFIER)
				judge_verifier(m, l, p, stage_named(p, m->level[l].name), h, is);
			else
				judge(m, l, p, stage_named(p, m->level[l].name), h, is, calls);
		}
	arena_free(a);
}

int main(int argc, char **argv)
{
	static struct model m;
	uint64_t seed = (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid(), judgments = 1000000, cases = 0,
		 changes = 0, profiles = 0;
	bool only = false;
	int c;

	while ((c = getopt(argc, argv, "s:n:k:m:x:e:1")) != -1)
		switch (c) {
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'n': judgments = strtoull(optarg, NULL, 0); break;
		case 'k': cases = strtoull(optarg, NULL, 0); break;
		case 'm': changes = strtoull(optarg, NULL, 0); break;
		case 'x': profiles = strtoull(optarg, NULL, 0); break;
		case 'e': engine = optarg; break;
		case '1': only = true; break;
		default: return 2;
		}
	quiet_make();
	printf("seed %" PRIu64 "\n", seed);
	fflush(stdout);
	seed_of_policy = seed;
	if (only) {
		one_policy(&m, profiles > 0 ? PROFILE : changes > 0 ? VERIFIER : cases > 0 ? LIVE : JUDGE, 100000);
		print_policy();
	} else {
		for (; done.judgments < judgments && done.wrong < 20; seed_of_policy++)
			one_policy(&m, JUDGE, 3000);
		for (; done.live < cases && done.wrong < 20; seed_of_policy++)
			one_policy(&m, LIVE, 0);
		for (; done.profiles < profiles && done.wrong < 20; seed_of_policy++)
			one_policy(&m, PROFILE, 0);
		for (; done.changes < changes && done.wrong < 20; seed_of_policy++)
			one_policy(&m, VERIFIER, 0);
	}
	if (changes > 0)
		printf("%" PRIu64 " changed programs, %" PRIu64 " noticed by the verifier, %" PRIu64 " missed, %" PRIu64
		       " the same to everybody\n",
		    done.changes, done.noticed, done.missed, done.changes - done.noticed - done.missed);
	if (profiles > 0)
		printf("%" PRIu64 " profiles, %" PRIu64 " judgments of what an engine makes of them, %" PRIu64
		       " losses said, %" PRIu64 " answers looser than the policy's\n",
		    done.profiles, done.profiled, done.losses, done.loosened);
	printf("%" PRIu64 " policies, %" PRIu64 " programs, %" PRIu64 " judgments, %" PRIu64 " calls of the kernel, %" PRIu64
	       " proofs' inputs; %" PRIu64 " policies that no filter can hold, %" PRIu64 " not expressed, %" PRIu64 " disagreements\n",
	    done.policies, done.programs, done.judgments, done.live, verify_count(), done.refused, done.inexpressible,
	    done.wrong);
	return done.wrong == 0 && done.loosened == 0 && done.inexpressible == 0 && done.missed == 0 ? 0 : 1;
}
