#include "plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../preload/fence.h"
#include "alone.h"
#include "calls.h"
#include "consts.h"
#include "mem.h"
#include "policy.h"
#include "say.h"
#include "stagefence-plugin.h"

enum { SECONDS = 10, RULES_MAX = 50000, CONDITIONS_MAX = 12, TEXT_SIZE = 512 };

/* What comes over the pipe, all of one size, and small enough that none is ever written in parts
 * (pipe(7), PIPE_BUF). */
struct message {
	enum {
		MESSAGE_NONE,
		MESSAGE_STAGE,
		MESSAGE_RULE,
		MESSAGE_DEFAULT,
		MESSAGE_FAIL,
		MESSAGE_END
	} kind;
	uint32_t action, condition_count;
	int32_t error;
	char text[TEXT_SIZE]; /* a call's name, or what is wrong */
	struct stagefence_condition conditions[CONDITIONS_MAX];
};

/* ---- the plugin's process ---- */

struct stagefence_filter {
	const char *stage;
	int out;
};

static void tell(const struct stagefence_filter *f, const struct message *m)
{
	ssize_t n;

	do
		n = write(f->out, m, sizeof *m);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof *m)
		_exit(EXIT_FAILURE);
}

static const char *name_stage(const struct stagefence_filter *f)
{
	return f->stage;
}

static void add_rule(struct stagefence_filter *f, const char *call, enum stagefence_action action,
    int error, const struct stagefence_condition *conditions, size_t count)
{
	struct message m = { .kind = MESSAGE_RULE, .action = action, .error = error };

	m.condition_count = count <= CONDITIONS_MAX ? (uint32_t)count : CONDITIONS_MAX + 1;
	if (count > 0 && count <= CONDITIONS_MAX)
		memcpy(m.conditions, conditions, count * sizeof *conditions);
	snprintf(m.text, sizeof m.text, "%s", call != NULL ? call : "NULL");
	tell(f, &m);
}

static void set_default(struct stagefence_filter *f, enum stagefence_action action, int error)
{
	tell(f,
	    &(struct message){
		.kind = MESSAGE_DEFAULT, .action = action, .error = error, .text = "default" });
}

__attribute__((noreturn, format(printf, 2, 3))) static void fail(
    struct stagefence_filter *f, const char *format, ...)
{
	struct message m = { .kind = MESSAGE_FAIL };
	va_list args;

	va_start(args, format);
	vsnprintf(m.text, sizeof m.text, format, args);
	va_end(args);
	tell(f, &m);
	_exit(EXIT_FAILURE);
}

/* By this name it is the file that was judged, whatever has taken its place since. */
static const char library_path[] = "/proc/self/fd/3";

/* Why a library or a symbol is not there, without the name that dlopen(3) knows it by. */
static const char *reason(void)
{
	const char *text = dlerror();
	size_t n = strlen(library_path);

	if (text == NULL)
		return "it is NULL";
	return strncmp(text, library_path, n) == 0 && text[n] == ':' ? text + n + 2 : text;
}

_Noreturn static void run(int fd, int out, const struct plugin_stage *stages, size_t count)
{
	static const struct stagefence_plugin_api api = { sizeof api, name_stage, add_rule,
		set_default, fail };
	const int keep[] = { fd, out };
	struct stagefence_filter f = { .out = out };
	int (*ask)(const struct stagefence_plugin_api *, struct stagefence_filter *);
	const unsigned *version;
	void *library;

	/* its standard output may be the image */
	if (!alone_with(keep, sizeof keep / sizeof keep[0]))
		fail(&f, "cannot be set apart: %s", strerror(errno));
	_Static_assert(ALONE_FIRST == 3, "library_path");
	f.out = ALONE_FIRST + 1;
	library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
	version = library != NULL ? dlsym(library, "stagefence_plugin_version") : NULL;
	*(void **)&ask = version != NULL ? dlsym(library, "stagefence_plugin") : NULL;
	if (version != NULL && *version != STAGEFENCE_PLUGIN_VERSION)
		fail(&f, "is for version %u of stagefence-plugin.h, and this is version %u",
		    *version, STAGEFENCE_PLUGIN_VERSION);
	if (ask == NULL)
		fail(&f, "%s", reason());
	for (size_t i = 0; i < count; i++) {
		int result;

		f.stage = stages[i].name;
		tell(&f, &(struct message){ .kind = MESSAGE_STAGE });
		result = ask(&api, &f);
		if (result != 0)
			fail(&f, "stagefence_plugin() returned %d", result);
	}
	tell(&f, &(struct message){ .kind = MESSAGE_END });
	_exit(EXIT_SUCCESS);
}

/* ---- the compiler's ---- */

struct ask {
	struct arena *arena;
	const char *path;
	const struct origin *at;
	const struct plugin_stage *stages;
	size_t count, begun; /* stages; the last one begun is asked about */
	pid_t pid;
	int in;
	int64_t end; /* in milliseconds() */
};

/* Says it of the stage, if it is one's; false, for the caller to return. */
__attribute__((format(printf, 2, 3))) static bool wrong(
    const struct ask *q, const char *format, ...)
{
	char text[TEXT_SIZE + 64];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	say_at(q->at->file, q->at->line, "plugin %s: %s%s%s%s", q->path,
	    q->begun > 0 ? "stage " : "", q->begun > 0 ? q->stages[q->begun - 1].name : "",
	    q->begun > 0 ? ": " : "", text);
	return false;
}

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* It stopped talking, or its time is over. */
static bool say_ended(const struct ask *q)
{
	static const struct timespec moment = { 0, 1000000 };
	siginfo_t info = { .si_pid = 0 };
	const char *name;

	/* WNOWAIT: its id must stay its own until its group has been killed */
	while (milliseconds() < q->end && info.si_pid == 0 &&
	    waitid(P_PID, (id_t)q->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		nanosleep(&moment, NULL);
	name = const_signal_name(info.si_status);
	if (info.si_pid == 0)
		return wrong(q, "did not finish within %d seconds", SECONDS);
	if (info.si_code == CLD_EXITED)
		return wrong(q, "ended the process, with exit status %d", info.si_status);
	return wrong(q, "crashed: %s", name != NULL ? name : "a signal");
}

static bool receive(const struct ask *q, struct message *m)
{
	struct pollfd ready = { .fd = q->in, .events = POLLIN };
	int64_t left;
	ssize_t n;

	do
		left = q->end - milliseconds();
	while (left > 0 && poll(&ready, 1, (int)left) <= 0);
	n = left > 0 ? read(q->in, m, sizeof *m) : 0;
	if (n <= 0)
		return say_ended(q);
	m->text[TEXT_SIZE - 1] = '\0';
	if (n != (ssize_t)sizeof *m)
		m->kind = MESSAGE_NONE;
	return true;
}

static bool take_action(const struct ask *q, const struct message *m, uint32_t *action)
{
	static const uint32_t actions[] = { [STAGEFENCE_ALLOW] = SECCOMP_RET_ALLOW,
		[STAGEFENCE_ERRNO] = SECCOMP_RET_ERRNO,
		[STAGEFENCE_TRAP] = SECCOMP_RET_TRAP,
		[STAGEFENCE_KILL_THREAD] = SECCOMP_RET_KILL_THREAD,
		[STAGEFENCE_KILL_PROCESS] = SECCOMP_RET_KILL_PROCESS };
	const int largest = 4095; /* MAX_ERRNO */

	if (m->action >= sizeof actions / sizeof actions[0])
		return wrong(q, "%s: there is no action %u", m->text, m->action);
	*action = actions[m->action];
	if (*action != SECCOMP_RET_ERRNO && m->error != 0)
		return wrong(q, "%s: an errno goes with STAGEFENCE_ERRNO only", m->text);
	if (*action == SECCOMP_RET_ERRNO && (m->error < 1 || m->error > largest))
		return wrong(q, "%s: an errno is 1 to %d, not %d", m->text, largest, m->error);
	*action |= (uint32_t)m->error;
	return true;
}

static bool take_condition(const struct ask *q, const struct stagefence_condition *from,
    const struct call *call, struct condition *c)
{
	_Static_assert((int)STAGEFENCE_EQ == OP_EQ && (int)STAGEFENCE_GE == OP_GE, "one order");
	const char *bad;

	if ((unsigned)from->op > STAGEFENCE_GE)
		return wrong(q, "%s: there is no op %u", call->name, (unsigned)from->op);
	*c = (struct condition){ .arg = from->arg,
		.op = (enum condition_op)from->op,
		.mask = from->mask != 0 ? from->mask : ~(uint64_t)0,
		.value = from->value };
	bad = condition_fit(q->arena, c, call);
	if (bad != NULL)
		return wrong(q, "%s: %s", call->name, bad);
	for (unsigned half = 0; half < 64; half += 32)
		if ((uint32_t)(c->value >> half) == FENCE_PLACE_UID ||
		    (uint32_t)(c->value >> half) == FENCE_PLACE_GID)
			return wrong(q, "%s: the value %#llx is taken by $uid and $gid", call->name,
			    (unsigned long long)c->value);
	return true;
}

/* A rule, or the default. */
static bool take_rule(const struct ask *q, const struct message *m, struct level *level)
{
	bool is_rule = m->kind == MESSAGE_RULE;
	struct condition *conditions = arena_array(q->arena, CONDITIONS_MAX, sizeof *conditions);
	struct rule rule = { .call = is_rule ? call_named(m->text) : NULL,
		.conditions = conditions,
		.condition_count = is_rule ? m->condition_count : 0,
		.origin = { q->path, 0 } };

	if (is_rule && rule.call == NULL)
		return wrong(q, "unknown system call %s", m->text);
	if (rule.condition_count > CONDITIONS_MAX)
		return wrong(q, "%s: more than %d conditions", m->text, CONDITIONS_MAX);
	if (!take_action(q, m, &rule.action))
		return false;
	for (size_t i = 0; i < rule.condition_count; i++)
		if (!take_condition(q, &m->conditions[i], rule.call, &conditions[i]))
			return false;
	if (is_rule) {
		level->rules = arena_grow(
		    q->arena, level->rules, level->rule_count, sizeof *level->rules);
		level->rules[level->rule_count++] = rule;
		return true;
	}
	level->fallback = memcpy(arena_get(q->arena, sizeof rule), &rule, sizeof rule);
	return true;
}

/* All messages, to the last. */
static bool take_all(struct ask *q)
{
	struct message m;

	for (unsigned rules = 0; receive(q, &m);) {
		bool is_rule = m.kind == MESSAGE_RULE || m.kind == MESSAGE_DEFAULT;

		if (m.kind == MESSAGE_FAIL)
			return wrong(q, "%s", m.text[0] != '\0' ? m.text : "failed without a text");
		if (m.kind == MESSAGE_END && q->begun == q->count)
			return true;
		if (is_rule && ++rules > RULES_MAX)
			return wrong(q, "more than %d rules", RULES_MAX);
		if (m.kind == MESSAGE_STAGE && q->begun < q->count)
			q->begun++;
		else if (!is_rule || q->begun == 0)
			return wrong(q, "wrote to a pipe that is not its own");
		else if (!take_rule(q, &m, q->stages[q->begun - 1].level))
			return false;
	}
	return false;
}

bool plugin_ask(struct arena *a, const char *path, int fd, const struct origin *at,
    const struct plugin_stage *stages, size_t count)
{
	struct ask q = { .arena = a, .path = path, .at = at, .stages = stages, .count = count };
	int ends[2];
	bool good;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return wrong(&q, "no pipe to hear it: %s", strerror(errno));
	q.in = ends[0];
	q.end = milliseconds() + SECONDS * 1000;
	/* if it were ignored, as a caller may have left it, nobody could say how the plugin ended
	 */
	signal(SIGCHLD, SIG_DFL);
	q.pid = fork();
	if (q.pid == 0)
		run(fd, ends[1], stages, count);
	close(ends[1]);
	good = q.pid > 0 ? take_all(&q) : wrong(&q, "no process to run it: %s", strerror(errno));
	close(ends[0]);
	if (q.pid > 0) {
		kill(-q.pid, SIGKILL);
		kill(q.pid, SIGKILL);
		while (waitpid(q.pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return good;
}
