/*
 * report.c: lines, JSON, syslog and journal records out of refused calls, and which of them to
 * leave out. Everything read of a job passes through line.h before it comes here.
 *
 * The first refusal of a kind is told, and the next few whose arguments read differently; later
 * ones are counted. The same call, answer, program, line of a script and rule make a kind. Kinds
 * and lines are bounded, so that neither a loop nor a job that renames itself fills memory or the
 * log.
 */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "consts.h"
#include "decode.h"
#include "json.h"
#include "line.h"
#include "peek.h"
#include "say.h"
#include "where.h"

enum {
	SINKS_MAX = 16,
	KINDS = 256,
	SHOWN_BURST = 200,  /* lines of new kinds at once, */
	SHOWN_SECONDS = 10, /* and then one in so many seconds */
	HINTS = 64,
	ANNOTATIONS = 10, /* GitHub shows no more of a step */
	SUMMARY_MAX = 50,
	LINE_SIZE = 4096, /* PIPE_BUF: written whole or not at all */
	JSON_SIZE = 16384,
	WAIT_MS = 50,
	STAGE_SIZE = 160,
	LOOKS = 8, /* of a kind, for arguments that differ, */
	FORMS = 3, /* of which so many are told */
};

enum format { LINES, JSON, SYSLOG, JOURNAL };

struct sink {
	enum format format;
	int fd;
	bool is_socket, blocking, gone;
	bool held;   /* the job's own, and its reader may wait for the last one to close it */
	bool silent; /* not now, or not any more */
	bool torn;   /* its last line is cut off */
	int64_t wait_again; /* seconds: not before, for somebody who does not read */
	uint64_t lost;
};

struct kind {
	uint64_t hash; /* 0: free */
	uint64_t count, last;
	struct refusal what; /* data, action, file, line */
	struct where where;
	bool shown, summed;
	unsigned form_count;
	uint64_t forms[FORMS]; /* of the arguments that were told */
};

struct report {
	char stage[STAGE_SIZE];
	struct sink sinks[SINKS_MAX];
	size_t sink_count;
	bool github, gitlab;
	struct finder *finder;
	struct kind kinds[KINDS];
	uint64_t hashes[KINDS]; /* of kinds, close together: this is what a repeat looks through */
	uint64_t hints[HINTS];
	unsigned hint_count, annotations;
	unsigned shown_left;
	int64_t shown_since;
	uint64_t clock, refused, dropped_kinds, dropped;
	uint64_t untold; /* not yet owned up to */
	bool said_limit, said_memory, said_privileges;
	FILE *json_out;
	char json_text[JSON_SIZE], json_buffer[BUFSIZ];
	struct decoded decoded;
};

/* ---- words ---- */

static void put_answer(struct line *l, uint32_t action)
{
	static const struct {
		uint32_t action;
		const char *word;
	} words[] = { { SECCOMP_RET_KILL_PROCESS, "kill_process" },
		{ SECCOMP_RET_KILL_THREAD, "kill_thread" }, { SECCOMP_RET_TRAP, "trap" },
		{ SECCOMP_RET_USER_NOTIF, "notify" }, { SECCOMP_RET_TRACE, "trace" },
		{ SECCOMP_RET_LOG, "log" }, { SECCOMP_RET_ALLOW, "allow" } };
	uint32_t number = action & SECCOMP_RET_DATA;

	if ((action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO) {
		if (const_errno_name(number) != NULL)
			line_put(l, const_errno_name(number));
		else
			line_format(l, "errno %u", number);
		return;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (words[i].action == (action & SECCOMP_RET_ACTION_FULL))
			line_put(l, words[i].word);
}

static void put_call(struct line *l, const struct decoded *d)
{
	line_format(l, "%s(", d->name);
	for (unsigned i = 0; i < d->count; i++)
		line_format(l, "%s%s", i > 0 ? ", " : "", d->args[i]);
	line_put(l, ")");
	if (d->abi != NULL)
		line_format(l, " [%s]", d->abi);
}

static void put_place(struct line *l, const struct where *w)
{
	if (w->script[0] != '\0')
		line_format(l, " at %s", w->script);
	if (w->script[0] != '\0' && w->line > 0)
		line_format(l, ":%u", w->line);
}

static void put_rule(struct line *l, const struct refusal *what)
{
	if (what->file == NULL) {
		line_put(l, "no rule");
		return;
	}
	line_plain(l, what->file, strnlen(what->file, 512));
	if (what->line > 0)
		line_format(l, ":%u", what->line);
}

/* ---- sinks ---- */

static int64_t seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Is there room? Nobody is waited for twice within two seconds. */
static bool wait_for_room(struct sink *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };
	int64_t now = seconds();
	int n = poll(&p, 1, now < s->wait_again ? 0 : WAIT_MS);

	if (n <= 0)
		s->wait_again = now + 2;
	return n > 0 && (p.revents & POLLOUT) != 0;
}

static ssize_t put_some(const struct sink *s, const char *bytes, size_t size)
{
	return s->is_socket ? send(s->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL)
			    : write(s->fd, bytes, size);
}

/*
 * One write each. What cannot be written is lost, and counted: an answer waits for us. A job may
 * fill a disk so that a line is cut off, and make room again: the next one begins on a line of its
 * own, or whoever reads JSON could not read it either.
 */
static void put_bytes(struct sink *s, const char *bytes, size_t size)
{
	if (s->silent)
		return;
	if (s->torn && !s->gone && (!s->blocking || wait_for_room(s)))
		s->torn = put_some(s, "\n", 1) != 1;
	for (unsigned tries = 0; tries < 4 && !s->gone && (tries > 0 || !s->torn); tries++) {
		ssize_t n;

		if (s->blocking && !wait_for_room(s))
			break;
		n = put_some(s, bytes, size);
		if (n == (ssize_t)size) {
			s->torn = false;
			return;
		}
		if (n > 0) { /* a terminal or a full disk: the rest, if it can be */
			s->torn = true;
			bytes += n;
			size -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			if (!wait_for_room(s))
				break;
		} else if (n < 0 && (errno == EPIPE || errno == EBADF || errno == EIO)) {
			s->gone = !(s->format == SYSLOG || s->format == JOURNAL);
			break;
		} else if (n >= 0 || errno != EINTR)
			break;
	}
	s->lost++;
}

/* A line of ours for people: "stagefence: STAGE: ...". */
static void begin_text(struct report *r, struct line *l, char *text, size_t size)
{
	/* room for the line's end */
	line_begin(l, text, size - 1);
	line_format(l, "stagefence: %s: ", r->stage);
}

static void end_text(struct line *l)
{
	if (l->cut && l->used > 3)
		memcpy(l->text + l->used - 3, "...", 3);
	l->text[l->used++] = '\n';
	l->text[l->used] = '\0';
}

/* RFC 3164, as /dev/log takes it: no host name. */
static void put_syslog(struct sink *s, const char *text, size_t size)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };
	static const char program[] = "stagefence: ";
	char packet[LINE_SIZE + 64];
	time_t now = time(NULL);
	struct tm t = { 0 };
	struct line l;

	localtime_r(&now, &t);
	line_begin(&l, packet, sizeof packet);
	/* user.warning */
	line_format(&l, "<12>%s %2d %02d:%02d:%02d stagefence[%d]: ", months[t.tm_mon % 12],
	    t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)getpid());
	if (strncmp(text, program, sizeof program - 1) == 0)
		text += sizeof program - 1, size -= sizeof program - 1;
	if (size > 0 && text[size - 1] == '\n')
		size--;
	line_format(&l, "%.*s", (int)size, text);
	put_bytes(s, packet, l.used);
}

/* To all sinks for people. */
static void put_text(struct report *r, const char *text, size_t size)
{
	for (size_t i = 0; i < r->sink_count; i++)
		if (r->sinks[i].format == LINES)
			put_bytes(&r->sinks[i], text, size);
		else if (r->sinks[i].format == SYSLOG)
			put_syslog(&r->sinks[i], text, size);
}

static void journal_field(struct line *l, const char *key, const char *value)
{
	line_format(l, "%s=%s\n", key, value);
}

/* The journal's own protocol: KEY=value lines in one datagram. No value of ours has a line end. */
static void put_journal(
    struct report *r, const struct kind *k, const struct decoded *d, const char *text, size_t size)
{
	char packet[2 * LINE_SIZE], word[512];
	struct line l, w;

	line_begin(&l, packet, sizeof packet);
	line_format(&l, "PRIORITY=4\nSYSLOG_IDENTIFIER=stagefence\nMESSAGE=%.*s\n",
	    size > 0 && text[size - 1] == '\n' ? (int)size - 1 : (int)size, text);
	journal_field(&l, "STAGEFENCE_STAGE", r->stage);
	if (k != NULL) {
		line_format(&l, "STAGEFENCE_PID=%d\nSTAGEFENCE_COUNT=%llu\n", k->where.pid,
		    (unsigned long long)k->count);
		line_begin(&w, word, sizeof word);
		put_answer(&w, k->what.action);
		journal_field(&l, "STAGEFENCE_ANSWER", word);
		journal_field(&l, "STAGEFENCE_PROGRAM", k->where.program);
		if (k->where.script[0] != '\0')
			journal_field(&l, "STAGEFENCE_SCRIPT", k->where.script);
		if (k->where.line > 0)
			line_format(&l, "STAGEFENCE_LINE=%u\n", k->where.line);
		if (k->what.file != NULL) {
			line_begin(&w, word, sizeof word);
			put_rule(&w, &k->what);
			journal_field(&l, "STAGEFENCE_RULE", word);
		}
	}
	if (d != NULL)
		journal_field(&l, "STAGEFENCE_CALL", d->name);
	for (size_t i = 0; i < r->sink_count; i++)
		if (r->sinks[i].format == JOURNAL)
			put_bytes(&r->sinks[i], packet, l.used);
}

static bool has(const struct report *r, enum format format)
{
	for (size_t i = 0; i < r->sink_count; i++)
		if (r->sinks[i].format == format)
			return true;
	return false;
}

/* ---- JSON ---- */

static void json_time(struct json *j)
{
	char text[40];
	struct timespec now;
	struct tm t = { 0 };
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &t);
	n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &t);
	snprintf(text + n, sizeof text - n, ".%03ldZ", now.tv_nsec / 1000000);
	json_text(j, "time", text);
}

static void json_begin(struct report *r, struct json *j, const char *event)
{
	rewind(r->json_out);
	*j = (struct json){ .out = r->json_out };
	json_object(j, NULL);
	json_number(j, "version", 1);
	json_text(j, "event", event);
	json_time(j);
	json_text(j, "stage", r->stage);
}

/* False: it does not fit, and nothing was written. */
static bool json_end(struct report *r, struct json *j, size_t at_most)
{
	long size;

	json_close(j);
	size = fflush(j->out) == 0 && !ferror(j->out) ? ftell(j->out) : -1;
	clearerr(j->out);
	if (size <= 0 || (size_t)size > at_most)
		return false;
	for (size_t i = 0; i < r->sink_count; i++)
		if (r->sinks[i].format == JSON)
			put_bytes(&r->sinks[i], r->json_text, (size_t)size);
	return true;
}

static void json_answer(struct json *j, uint32_t action)
{
	bool is_errno = (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
	char text[32];
	struct line l;

	line_begin(&l, text, sizeof text);
	put_answer(&l, action);
	json_text(j, "action", is_errno ? "errno" : text);
	json_text(j, "errno", is_errno ? text : NULL);
}

static void json_who(struct json *j, const struct kind *k)
{
	char file[512];
	struct line l;

	json_text(j, "program", k->where.program);
	json_number(j, "pid", k->where.pid);
	json_text(j, "script", k->where.script[0] != '\0' ? k->where.script : NULL);
	if (k->where.line > 0)
		json_number(j, "line", k->where.line);
	else
		json_text(j, "line", NULL);
	if (k->what.file == NULL) {
		json_text(j, "rule", NULL);
		return;
	}
	line_begin(&l, file, sizeof file);
	line_plain(&l, k->what.file, strnlen(k->what.file, sizeof file));
	json_object(j, "rule");
	json_text(j, "file", file);
	json_number(j, "line", k->what.line);
	json_close(j);
}

static bool json_refusal(
    struct report *r, const struct kind *k, const struct decoded *d, const char *hint, bool shorter)
{
	struct json j;
	enum abi abi;

	json_begin(r, &j, "refusal");
	json_text(&j, "call", d->name);
	json_text(&j, "abi", decode_abi(&k->what.data, &abi) ? abi_name(abi) : NULL);
	if (shorter)
		json_text(&j, "arguments", NULL);
	else {
		json_array(&j, "arguments");
		for (unsigned i = 0; i < d->count; i++)
			json_text(&j, NULL, d->args[i]);
		json_close(&j);
	}
	json_array(&j, "raw");
	for (unsigned i = 0; i < 6; i++)
		json_hex(&j, NULL, k->what.data.args[i]);
	json_close(&j);
	json_answer(&j, k->what.action);
	json_who(&j, k);
	json_number(&j, "tid", k->what.pid);
	json_number(&j, "count", (int64_t)k->count);
	json_text(&j, "hint", shorter ? NULL : hint);
	return json_end(r, &j, LINE_SIZE);
}

static void json_repeats(struct report *r, const struct kind *k, const char *name)
{
	struct json j;

	json_begin(r, &j, "repeats");
	json_text(&j, "call", name);
	json_answer(&j, k->what.action);
	json_who(&j, k);
	json_number(&j, "count", (int64_t)k->count);
	json_end(r, &j, LINE_SIZE);
}

static void json_total(struct report *r, uint64_t dropped, uint64_t lost)
{
	struct json j;

	json_begin(r, &j, "end");
	json_number(&j, "refused", (int64_t)r->refused);
	json_number(&j, "untold", (int64_t)dropped);
	json_number(&j, "lost", (int64_t)lost);
	json_end(r, &j, LINE_SIZE);
}

/* ---- kinds ---- */

static uint64_t mix(uint64_t h, const void *bytes, size_t size)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < size; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return h;
}

static uint64_t hash_of(const struct refusal *what, const struct where *w)
{
	uint64_t h = UINT64_C(14695981039346656037);
	uint64_t numbers[] = { (uint32_t)what->data.nr, what->data.arch, what->action, what->line,
		w->line };

	h = mix(h, numbers, sizeof numbers);
	h = mix(h, &what->file, sizeof what->file);
	h = mix(h, w->program, strlen(w->program) + 1);
	h = mix(h, w->script, strlen(w->script));
	return h != 0 ? h : 1;
}

static struct kind *kind_of(struct report *r, uint64_t hash)
{
	for (unsigned i = 0; i < KINDS; i++)
		if (r->hashes[i] == hash)
			return &r->kinds[i];
	return NULL;
}

static const char *call_name(const struct refusal *what, char number[24])
{
	enum abi abi;
	const struct call *c = decode_abi(&what->data, &abi)
	    ? call_numbered(abi, (uint32_t)what->data.nr)
	    : NULL;

	if (c != NULL)
		return c->name;
	snprintf(number, 24, "syscall_%#x", (unsigned)what->data.nr);
	return number;
}

/* How often, of one kind that was told and came again. */
static void put_repeats(struct report *r, const struct kind *k)
{
	char text[LINE_SIZE], number[24];
	const char *name = call_name(&k->what, number);
	struct line l;

	begin_text(r, &l, text, sizeof text);
	line_format(&l, "%s -> ", name);
	put_answer(&l, k->what.action);
	line_format(&l, ", by %s", k->where.program);
	put_place(&l, &k->where);
	line_put(&l, " (");
	put_rule(&l, &k->what);
	line_format(&l, "): %llu times", (unsigned long long)k->count);
	end_text(&l);
	put_text(r, l.text, l.used);
	if (has(r, JOURNAL))
		put_journal(r, k, NULL, l.text, l.used);
	if (has(r, JSON))
		json_repeats(r, k, name);
}

static uint64_t untold(const struct kind *k)
{
	return k->count - (k->shown ? k->form_count : 0);
}

/* The one that was seen least lately makes room. What it counted is not forgotten. */
static struct kind *new_kind(struct report *r, uint64_t hash)
{
	struct kind *k = &r->kinds[0];

	for (unsigned i = 0; i < KINDS && k->hash != 0; i++)
		if (r->kinds[i].hash == 0 || r->kinds[i].last < k->last)
			k = &r->kinds[i];
	if (k->hash != 0 && untold(k) > 0) {
		r->dropped_kinds++;
		r->dropped += untold(k);
	}
	*k = (struct kind){ .hash = hash };
	r->hashes[k - r->kinds] = hash;
	return k;
}

/* A line for each of the first kinds at once, then one now and then. */
static bool may_show(struct report *r)
{
	int64_t now = seconds(), since = now - r->shown_since;

	if (since >= SHOWN_SECONDS) {
		uint64_t more = (uint64_t)since / SHOWN_SECONDS;

		r->shown_left = more + r->shown_left < SHOWN_BURST ? r->shown_left + (unsigned)more
								   : SHOWN_BURST;
		r->shown_since = now;
	}
	if (r->shown_left == 0)
		return false;
	r->shown_left--;
	return true;
}

/* ---- hints ---- */

/* True once for each thing, as long as there is room to remember it. */
static bool first_hint(struct report *r, uint64_t hash)
{
	for (unsigned i = 0; i < r->hint_count; i++)
		if (r->hints[i] == hash)
			return false;
	if (r->hint_count == HINTS)
		return false;
	r->hints[r->hint_count++] = hash;
	return true;
}

static bool in_list(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

/* What programs with a set-user-ID bit do first with their power. */
static bool wants_power(const char *call)
{
	static const char *const calls[] = { "setuid", "setgid", "setreuid", "setregid",
		"setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "setuid32",
		"setgid32", "setreuid32", "setregid32", "setresuid32", "setresgid32", "setgroups32",
		"capset", "socket", "mount", "umount2", "chroot", "setns", "unshare", "prctl",
		"keyctl", "setpriority", "setrlimit", "prlimit64", "execve" };

	return in_list(call, calls, sizeof calls / sizeof calls[0]);
}

static bool is_powerful(const char *program)
{
	static const char *const programs[] = { "sudo", "sudoedit", "su", "doas", "pkexec", "ping",
		"ping6", "newgrp", "sg", "mount", "umount", "fusermount", "fusermount3", "passwd",
		"chsh", "chfn", "gpasswd", "newuidmap", "newgidmap", "crontab", "at", "traceroute",
		"ssh-keysign", "bwrap", "Xorg" };

	return in_list(program, programs, sizeof programs / sizeof programs[0]);
}

/* In a stage's own words, what would allow it. */
static void hint_text(
    struct line *l, const struct report *r, const struct refusal *what, const struct decoded *d)
{
	if (what->hint != NULL) {
		line_plain(l, what->hint, strnlen(what->hint, 1024));
		return;
	}
	if (d->call == NULL) {
		line_put(l, "no table knows this call: no rule can allow it");
		return;
	}
	if (what->by_floor) {
		line_put(l, "this holds in every stage, whatever it says: only a change of ");
		if (what->file != NULL)
			put_rule(l, what);
		else
			line_put(l, "the floor");
		line_put(l, " allows it");
		return;
	}
	line_format(l,
	    "to allow it: { calls = [ \"%s\" ]; action = \"allow\"; } in the rules of stage %s",
	    d->name, r->stage);
	if (what->by_stage && what->file != NULL) {
		line_put(l, ", in place of ");
		put_rule(l, what);
	}
}

static void put_hint(struct report *r, const char *hint)
{
	char text[LINE_SIZE];
	struct line l;

	begin_text(r, &l, text, sizeof text);
	line_put(&l, hint);
	end_text(&l);
	put_text(r, l.text, l.used);
}

/* What a person would have to know before any rule helps. */
static void put_circumstances(
    struct report *r, const struct refusal *what, const struct where *w, const struct decoded *d)
{
	char text[512];
	struct line l;

	line_begin(&l, text, sizeof text);
	if (!r->said_memory && peek_forbidden()) {
		r->said_memory = true;
		put_hint(r,
		    "the memory of the job's processes may not be read here "
		    "(kernel.yama.ptrace_scope, "
		    "or programs that are not dumpable): paths and lines are missing");
	}
	if (!r->said_privileges && is_powerful(w->program) && wants_power(d->name) &&
	    where_no_new_privs(r->finder, what->pid)) {
		r->said_privileges = true;
		line_format(&l,
		    "%s gets its power from a set-user-ID bit or file capabilities, which count "
		    "for "
		    "nothing under no_new_privs: no rule for a call changes that",
		    w->program);
		put_hint(r, text);
	}
}

/* ---- annotations ---- */

/* GitHub's workflow commands: the data and, with two more, the properties. */
static void put_escaped(struct line *l, const char *text, bool property)
{
	for (; *text != '\0'; text++)
		if (*text == '%' || *text == '\r' || *text == '\n' ||
		    (property && (*text == ':' || *text == ',')))
			line_format(l, "%%%02X", (unsigned char)*text);
		else
			line_format(l, "%c", *text);
}

static void put_github(struct report *r, const struct where *w, const char *message)
{
	char text[LINE_SIZE];
	struct line l;
	bool is_file = w->line > 0 && strcmp(w->script, "-c") != 0 &&
	    strcmp(w->script, "stdin") != 0;

	if (r->annotations++ >= ANNOTATIONS)
		return;
	line_begin(&l, text, sizeof text - 1);
	line_put(&l, "::warning ");
	if (is_file) {
		line_put(&l, "file=");
		put_escaped(&l, w->script, true);
		line_format(&l, ",line=%u,", w->line);
	}
	line_put(&l, "title=");
	put_escaped(&l, "stagefence: ", true);
	put_escaped(&l, r->stage, true);
	line_put(&l, "::");
	put_escaped(&l, message, false);
	end_text(&l);
	for (size_t i = 0; i < r->sink_count; i++)
		if (r->sinks[i].format == LINES)
			put_bytes(&r->sinks[i], l.text, l.used);
}

/* ---- a refusal ---- */

static void tell(struct report *r, struct kind *k, const struct decoded *d)
{
	char text[LINE_SIZE], hint[1536] = "";
	struct line l, h;
	uint64_t key = mix(
	    mix(1, &k->what.data.nr, sizeof k->what.data.nr), &k->what.file, sizeof k->what.file);
	size_t message;

	begin_text(r, &l, text, sizeof text);
	message = l.used;
	put_call(&l, d);
	line_put(&l, " -> ");
	put_answer(&l, k->what.action);
	line_format(&l, ", by %s[%d]", k->where.program, k->where.pid);
	put_place(&l, &k->where);
	line_put(&l, " (");
	put_rule(&l, &k->what);
	line_put(&l, ")");
	line_begin(&h, hint, sizeof hint);
	key = mix(mix(key, &k->what.line, sizeof k->what.line), &k->what.data.arch,
	    sizeof k->what.data.arch);
	if (first_hint(r, key))
		hint_text(&h, r, &k->what, d);
	if (r->github)
		put_github(r, &k->where, l.text + message);
	end_text(&l);
	put_text(r, l.text, l.used);
	if (has(r, JOURNAL))
		put_journal(r, k, d, l.text, l.used);
	if (has(r, JSON) && !json_refusal(r, k, d, hint[0] != '\0' ? hint : NULL, false))
		json_refusal(r, k, d, NULL, true);
	if (hint[0] != '\0')
		put_hint(r, hint);
	put_circumstances(r, &k->what, &k->where, d);
}

/* Reads the arguments; true if they read differently from those that were told. */
static bool look(struct report *r, struct kind *k, const struct refusal *what, bool pending,
    bool (*still)(void *), void *context)
{
	const struct decoded *d = &r->decoded;
	uint64_t hash = 1;

	decode_call(&r->decoded, &what->data, what->pid, pending);
	if (pending && still != NULL && !still(context))
		decode_call(&r->decoded, &what->data, what->pid, false);
	for (unsigned i = 0; i < d->count; i++)
		hash = mix(hash, d->args[i], strlen(d->args[i]) + 1);
	for (unsigned i = 0; i < k->form_count; i++)
		if (k->forms[i] == hash)
			return false;
	k->forms[k->form_count++] = hash;
	return true;
}

void report_refusal(
    struct report *r, const struct refusal *what, bool (*still)(void *), void *context)
{
	struct where w;
	struct kind *k;
	uint64_t hash;
	bool pending;

	r->refused++;
	where_is(r->finder, what->pid, &w);
	pending = still == NULL || still(context);
	if (!pending)
		w = (struct where){ .program = "?", .pid = what->pid };
	hash = hash_of(what, &w);
	k = kind_of(r, hash);
	if (k == NULL)
		k = new_kind(r, hash);
	k->last = ++r->clock;
	if (++k->count > 1 && (k->count > LOOKS || k->form_count == FORMS || !k->shown))
		return;
	k->what = *what;
	k->where = w;
	if (k->count == 1)
		k->shown = may_show(r);
	if (!k->shown) {
		if (!r->said_limit)
			put_hint(
			    r, "too many kinds of refused calls: not all are told from here on");
		r->said_limit = true;
		return;
	}
	if (!look(r, k, what, pending, still, context))
		return;
	if (k->count == 1 || may_show(r))
		tell(r, k, &r->decoded);
	else
		k->form_count--;
}

static void put_untold(struct report *r)
{
	char text[LINE_SIZE];
	struct line l;

	begin_text(r, &l, text, sizeof text);
	line_format(&l, "%llu more calls were refused, while memory of the job's held a report up",
	    (unsigned long long)r->untold);
	end_text(&l);
	put_text(r, l.text, l.used);
	r->untold = 0;
}

void report_untold(struct report *r, uint64_t count)
{
	r->refused += count;
	r->dropped += count;
	r->untold += count;
	if (may_show(r))
		put_untold(r);
}

/* ---- opening ---- */

static bool is_number(const char *text, int *number)
{
	char *end;
	long n;

	if (*text < '0' || *text > '9')
		return false;
	n = strtol(text, &end, 10);
	*number = (int)n;
	return *end == '\0' && n <= 1 << 20;
}

/*
 * Others write there too, so it must not become non-blocking for them: a pipe or a terminal is
 * opened once more. A file would lose its place by that, and never blocks; a socket can be asked
 * each time. What cannot be opened again (another user's pipe) is asked for room before a write.
 */
static bool take_fd(struct sink *s, const char *word, int fd)
{
	char path[32];
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) != 0 || (flags & O_ACCMODE) == O_RDONLY ||
	    (flags & O_PATH) != 0) {
		say("report \"%s\": descriptor %d is not open for writing", word, fd);
		return false;
	}
	s->is_socket = S_ISSOCK(st.st_mode);
	s->held = !S_ISREG(st.st_mode);
	s->fd = -1;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		s->fd = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		s->blocking = s->fd < 0;
	}
	if (s->fd < 0)
		s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (s->fd < 0)
		say("report \"%s\": %s", word, strerror(errno));
	return s->fd >= 0;
}

/* A link at its end could be somebody's who is not asked; only what can be written without waiting.
 */
static bool take_file(struct sink *s, const char *word, const char *path)
{
	struct stat st;

	s->fd = open(path,
	    O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0644);
	if (s->fd < 0 || fstat(s->fd, &st) != 0) {
		say("report \"%s\": %s", word,
		    errno == ELOOP ? "it is a symbolic link" : strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode)) {
		say("report \"%s\": neither a file, a pipe nor a character device", word);
		return false;
	}
	if (S_ISREG(st.st_mode) && st.st_nlink != 1) {
		say("report \"%s\": the file has another name too (a hard link)", word);
		return false;
	}
	return true;
}

static bool take_socket(struct sink *s, const char *word, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	s->is_socket = true;
	if (strlen(path) >= sizeof to.sun_path) {
		say("report \"%s\": the path is too long for a socket", word);
		return false;
	}
	memcpy(to.sun_path, path, strlen(path) + 1);
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0 || connect(s->fd, (const struct sockaddr *)&to, sizeof to) != 0) {
		say("report \"%s\": %s: %s", word, path, strerror(errno));
		return false;
	}
	return true;
}

static bool take_sink(struct sink *s, const char *word)
{
	const char *rest = word;
	int fd;

	*s = (struct sink){ .format = LINES, .fd = -1 };
	if (strncmp(word, "json:", 5) == 0) {
		s->format = JSON;
		rest += 5;
	} else if (strncmp(word, "syslog", 6) == 0 && (word[6] == '\0' || word[6] == ':')) {
		s->format = SYSLOG;
		return take_socket(s, word, word[6] == ':' ? word + 7 : "/dev/log");
	} else if (strncmp(word, "journal", 7) == 0 && (word[7] == '\0' || word[7] == ':')) {
		s->format = JOURNAL;
		return take_socket(
		    s, word, word[7] == ':' ? word + 8 : "/run/systemd/journal/socket");
	}
	if (strcmp(rest, "stderr") == 0)
		return take_fd(s, word, 2);
	if (strncmp(rest, "fd:", 3) == 0 && is_number(rest + 3, &fd))
		return take_fd(s, word, fd);
	if (rest[0] == '/')
		return take_file(s, word, rest);
	say("report \"%s\": must be stderr, /FILE, fd:N, json:/FILE, json:fd:N, syslog or journal",
	    word);
	return false;
}

static void free_report(struct report *r)
{
	for (size_t i = 0; i < r->sink_count; i++)
		if (r->sinks[i].fd >= 0)
			close(r->sinks[i].fd);
	if (r->json_out != NULL)
		fclose(r->json_out);
	where_close(r->finder);
	free(r);
}

struct report *report_open(
    const char *const *sinks, size_t count, const char *stage, const char *const *annotate)
{
	struct report *r = calloc(1, sizeof *r);
	struct line l;
	bool good = true;

	if (r == NULL || (r->finder = where_open()) == NULL ||
	    (r->json_out = fmemopen(r->json_text, sizeof r->json_text, "w")) == NULL) {
		say("report: %s", strerror(errno));
		if (r != NULL)
			free_report(r);
		return NULL;
	}
	setvbuf(r->json_out, r->json_buffer, _IOFBF, sizeof r->json_buffer);
	line_begin(&l, r->stage, sizeof r->stage);
	line_plain(&l, stage, strlen(stage));
	for (size_t i = 0; i < count; i++) {
		if (i == SINKS_MAX) {
			say("report: more than %d places", SINKS_MAX);
			good = false;
			break;
		}
		if (!take_sink(&r->sinks[i], sinks[i]))
			good = false;
		r->sink_count++;
	}
	for (; annotate != NULL && *annotate != NULL; annotate++)
		if (strcmp(*annotate, "github") == 0)
			r->github = true;
		else if (strcmp(*annotate, "gitlab") == 0)
			r->gitlab = true;
	if (!good) {
		free_report(r);
		return NULL;
	}
	/* a log that is full or closed must not kill whoever answers */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (has(r, SYSLOG)) {
		/* TZ could name a file of the job's, and a pipe among them would hold us up */
		unsetenv("TZ");
		tzset();
	}
	where_within(r->finder, getppid());
	r->shown_left = SHOWN_BURST;
	r->shown_since = seconds();
	return r;
}

void report_within(struct report *r, int pid)
{
	where_within(r->finder, pid);
}

int report_process(const struct report *r, int thread)
{
	return where_process(r->finder, thread);
}

/* ---- the summary ---- */

/* The kind with most refusals that are left to tell; NULL: none. qsort(3) would allocate. */
static struct kind *most_frequent(struct report *r)
{
	struct kind *most = NULL;

	for (unsigned i = 0; i < KINDS; i++) {
		struct kind *k = &r->kinds[i];

		if (k->hash != 0 && !k->summed && k->count > 1 && untold(k) > 0 &&
		    (most == NULL || k->count > most->count))
			most = k;
	}
	return most;
}

/*
 * GitLab's log knows nothing like an annotation; what it has is sections that fold. The marks are
 * bytes for its own page, so they go nowhere else.
 */
static void put_section(struct report *r, bool begins)
{
	char text[LINE_SIZE];
	int n;

	if (!r->gitlab)
		return;
	n = snprintf(text, sizeof text, "section_%s:%lld:stagefence_refusals%s\r\033[0K%s\n",
	    begins ? "start" : "end", (long long)time(NULL), begins ? "[collapsed=true]" : "",
	    begins ? "stagefence: refused calls" : "");
	for (size_t i = 0; i < r->sink_count; i++)
		if (r->sinks[i].format == LINES && n > 0)
			put_bytes(&r->sinks[i], text, (size_t)n);
}

static void put_total(struct report *r, uint64_t dropped, uint64_t kinds)
{
	char text[LINE_SIZE];
	struct line l;

	begin_text(r, &l, text, sizeof text);
	line_format(&l, "%llu calls were refused", (unsigned long long)r->refused);
	if (kinds > 0)
		line_format(&l, ", %llu of them untold, of %llu kinds", (unsigned long long)dropped,
		    (unsigned long long)kinds);
	end_text(&l);
	put_text(r, l.text, l.used);
	if (has(r, JOURNAL))
		put_journal(r, NULL, NULL, l.text, l.used);
}

/* To those that are not silent. It can come twice: what it takes is only marked. */
static void put_summary(struct report *r)
{
	unsigned repeated = 0;
	uint64_t kinds = r->dropped_kinds, dropped = r->dropped, lost = 0;
	struct kind *k;

	if (r->untold > 0)
		put_untold(r);
	for (unsigned i = 0; i < KINDS; i++)
		r->kinds[i].summed = false;
	for (k = most_frequent(r); k != NULL && repeated < SUMMARY_MAX; k = most_frequent(r)) {
		if (repeated++ == 0)
			put_section(r, true);
		put_repeats(r, k);
		k->summed = true;
	}
	for (unsigned i = 0; i < KINDS; i++) {
		k = &r->kinds[i];
		if (k->hash != 0 && !k->summed && untold(k) > 0) {
			kinds++;
			dropped += untold(k);
		}
	}
	for (size_t i = 0; i < r->sink_count; i++)
		lost += r->sinks[i].lost;
	if (repeated > 0 || kinds > 0)
		put_total(r, dropped, kinds);
	if (repeated > 0)
		put_section(r, false);
	if (has(r, JSON) && r->refused > 0)
		json_total(r, dropped, lost);
}

void report_let_go(struct report *r)
{
	for (size_t i = 0; i < r->sink_count; i++)
		r->sinks[i].silent = !r->sinks[i].held;
	put_summary(r);
	for (size_t i = 0; i < r->sink_count; i++) {
		struct sink *s = &r->sinks[i];

		s->silent = s->held;
		if (s->held && s->fd >= 0) {
			close(s->fd);
			s->fd = -1;
		}
	}
}

void report_close(struct report *r)
{
	if (r == NULL)
		return;
	put_summary(r);
	free_report(r);
}
