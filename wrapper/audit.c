#include "audit.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "explain.h"
#include "json.h"
#include "mem.h"
#include "policy.h"
#include "say.h"

enum {
	LINE_SIZE = 16 << 10, /* the kernel's longest record has 8,970 bytes */
	NAME_SHOWN = 64,
	PATH_SHOWN = 256,
	STAGES_SHOWN = 4,
	JSON_VERSION = 1
};

/* A stretch of a line; at NULL: there is none. */
struct span {
	const char *at;
	size_t size;
};

struct record {
	struct span when, comm, exe;
	uint64_t pid, uid;
	bool has_pid, has_uid, has_code;
	bool interpreted; /* by ausearch -i: words for numbers, and no name is encoded */
	uint32_t arch, nr, code;
	enum abi abi; /* ABI_COUNT: of a machine that we have no table for */
	const struct call *call;
	uint64_t sig;
};

/* ---- reading ---- */

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool same(struct span s, const char *text)
{
	return s.size == strlen(text) && memcmp(s.at, text, s.size) == 0;
}

/* All of it is a number that 64 bits hold: of base 10, or with 0x of 16. */
static bool read_number(struct span s, uint64_t *number)
{
	unsigned base = 10;

	*number = 0;
	if (s.size > 2 && s.at[0] == '0' && s.at[1] == 'x') {
		base = 16;
		s.at += 2;
		s.size -= 2;
	}
	for (size_t i = 0; i < s.size; i++) {
		char c = s.at[i];
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
		    : c >= 'a' && c <= 'f'            ? (unsigned)(c - 'a') + 10
						      : 16;

		if (digit >= base || *number > (UINT64_MAX - digit) / base)
			return false;
		*number = *number * base + digit;
	}
	return s.size > 0;
}

static bool read_word(struct span s, uint32_t *word)
{
	bool negative = s.size > 0 && s.at[0] == '-';
	uint64_t number;

	if (negative) {
		s.at++;
		s.size--;
	}
	if (!read_number(s, &number) || number > (negative ? (uint64_t)1 << 31 : UINT32_MAX))
		return false;
	*word = negative ? 0u - (uint32_t)number : (uint32_t)number;
	return true;
}

/*
 * The value of " KEY=", the first or the last one, up to the next space. comm and exe stand in the
 * middle, and ausearch -i prints them as they are, so a program called "x pid=1 code=log" is no
 * worse than a strange name if what the kernel writes before them is looked for from the left, and
 * what it writes behind them from the right.
 */
enum side { LEFT, RIGHT };

static struct span field(const char *text, const char *key, enum side side)
{
	struct span found = { NULL, 0 };
	size_t length = strlen(key);

	for (const char *p = strchr(text, key[0]); p != NULL; p = strchr(p + 1, key[0])) {
		if (p == text || p[-1] != ' ' || strncmp(p, key, length) != 0 || p[length] != '=')
			continue;
		found.at = p + length + 1;
		found.size = strcspn(found.at, " ");
		if (side == LEFT)
			break;
	}
	return found;
}

/* comm or exe: quoted, or in hexadecimal, or (ausearch -i) bare and perhaps with spaces, up to the
 * next KEY. */
static struct span name_field(const char *text, const char *key, const char *next, enum side side)
{
	struct span s = field(text, key, LEFT), end = field(text, next, side);

	if (s.at == NULL)
		return s;
	if (s.at[0] == '"') {
		s.at++;
		s.size = strcspn(s.at, "\"");
	} else if (end.at != NULL && end.at > s.at + strlen(next) + 2)
		s.size = (size_t)(end.at - s.at) - strlen(next) - 2;
	return s;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * The kernel writes a name in hexadecimal if it holds what would not go between quotes, and never
 * bare. In place of a NUL stands a "?": a name ends where we say.
 */
static struct span unhex(struct arena *a, struct span s)
{
	char *out;

	if (s.size == 0 || s.size % 2 != 0 || s.at[-1] == '"')
		return s;
	for (size_t i = 0; i < s.size; i++)
		if (hex_digit(s.at[i]) < 0)
			return s;
	out = arena_get(a, s.size / 2 + 1);
	for (size_t i = 0; i < s.size / 2; i++) {
		out[i] = (char)(hex_digit(s.at[2 * i]) << 4 | hex_digit(s.at[2 * i + 1]));
		if (out[i] == '\0')
			out[i] = '?';
	}
	return (struct span){ out, s.size / 2 };
}

/* "0x80000000", or as ausearch -i says it. */
static bool read_code(struct span s, uint32_t *code)
{
	static const struct {
		const char *word;
		uint32_t code;
	} words[] = {
		{ "kill", SECCOMP_RET_KILL_THREAD },
		{ "kill_thread", SECCOMP_RET_KILL_THREAD },
		{ "kill-thread", SECCOMP_RET_KILL_THREAD },
		{ "kill_process", SECCOMP_RET_KILL_PROCESS },
		{ "kill-process", SECCOMP_RET_KILL_PROCESS },
		{ "trap", SECCOMP_RET_TRAP },
		{ "errno", SECCOMP_RET_ERRNO },
		{ "user_notif", SECCOMP_RET_USER_NOTIF },
		{ "user-notif", SECCOMP_RET_USER_NOTIF },
		{ "trace", SECCOMP_RET_TRACE },
		{ "log", SECCOMP_RET_LOG },
		{ "allow", SECCOMP_RET_ALLOW },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (same(s, words[i].word)) {
			*code = words[i].code;
			return true;
		}
	return read_word(s, code);
}

/* arch=c000003e, without 0x; or as ausearch -i names it. */
static bool read_arch(struct arena *a, struct span s, struct record *r)
{
	char *number = arena_format(a, "0x%.*s", (int)s.size, s.at);
	uint64_t arch;

	if (abi_named(number + 2, &r->abi)) {
		r->arch = abi_audit_arch(r->abi);
		return true;
	}
	if (!read_number((struct span){ number, s.size + 2 }, &arch) || arch > UINT32_MAX)
		return false;
	r->arch = (uint32_t)arch;
	r->abi = ABI_COUNT;
	for (enum abi abi = 0; abi < ABI_COUNT; abi++)
		if (abi != ABI_X32 && abi_audit_arch(abi) == r->arch)
			r->abi = abi;
	return true;
}

static bool read_call(struct arena *a, struct span s, struct record *r)
{
	enum { X32_BIT = 0x40000000 };

	if (read_word(s, &r->nr)) {
		/* -1 is a call that a tracer skipped */
		if (r->abi == ABI_X86_64 && r->nr >= X32_BIT && r->nr != UINT32_MAX)
			r->abi = ABI_X32;
		r->call = r->abi < ABI_COUNT ? call_numbered(r->abi, r->nr) : NULL;
		return true;
	}
	r->call = call_named(arena_text(a, s.at, s.size));
	if (r->call == NULL || r->abi == ABI_COUNT)
		return false;
	if (r->abi == ABI_X86_64 && r->call->nr[ABI_X86_64] < 0)
		r->abi = ABI_X32;
	r->nr = (uint32_t)r->call->nr[r->abi];
	return r->call->nr[r->abi] >= 0;
}

/* text goes on behind the record's type, with "audit(...): " or at once with its fields. */
static bool read_record(struct audit *t, struct arena *a, char *text, struct record *r)
{
	struct span s;
	char *end = strchr(text, '\x1d'), *more = strstr(text, "AUID=\"");

	/* what auditd has looked up stands behind a control character that some tools drop */
	if (more != NULL && (end == NULL || more < end))
		end = more;
	if (end != NULL)
		*end = '\0';
	*r = (struct record){ .abi = t->abi, .arch = abi_audit_arch(t->abi) };
	if (starts(text, "audit(") && (end = strchr(text, ')')) != NULL) {
		r->when = (struct span){ text + 6, (size_t)(end - text) - 6 };
		/* the seconds are a date and a time then */
		r->interpreted = memchr(r->when.at, ' ', r->when.size) != NULL;
		text = end;
	}
	s = field(text, "uid", LEFT);
	r->has_uid = s.at != NULL && read_number(s, &r->uid);
	s = field(text, "pid", LEFT);
	r->has_pid = s.at != NULL && read_number(s, &r->pid);
	r->comm = name_field(text, "comm", "exe", LEFT);
	r->exe = name_field(text, "exe", "sig", RIGHT);
	if (r->comm.at != NULL && !r->interpreted)
		r->comm = unhex(a, r->comm);
	if (r->exe.at != NULL && !r->interpreted)
		r->exe = unhex(a, r->exe);
	s = field(text, "arch", RIGHT);
	if (s.at != NULL && !read_arch(a, s, r))
		return false;
	s = field(text, "syscall", RIGHT);
	if (s.at == NULL || !read_call(a, s, r))
		return false;
	s = field(text, "sig", RIGHT);
	if (s.at != NULL && !read_number(s, &r->sig))
		r->sig = same(s, "SIGSYS") ? SIGSYS : same(s, "SIGKILL") ? SIGKILL : 0;
	s = field(text, "code", RIGHT);
	r->has_code = s.at != NULL;
	return r->has_code ? read_code(s, &r->code) : r->sig != 0;
}

/* Where a record goes on behind what says that it is one of ours; NULL: it is none. */
static char *find_record(char *line)
{
	static const char *const types[] = { "SECCOMP ", "1326 ", "UNKNOWN[1326] " };
	char *journal = strstr(line, ": SECCOMP auid=");

	for (char *p = strstr(line, "type="); p != NULL; p = strstr(p + 1, "type=")) {
		if (p != line && p[-1] != ' ' && p[-1] != ';')
			continue;
		for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
			char *rest = p + 5 + strlen(types[i]);

			if (!starts(p + 5, types[i]))
				continue;
			if (starts(rest, "msg="))
				rest += 4;
			if (starts(rest, "audit("))
				return rest;
		}
	}
	/* journald's own reading of the audit socket */
	return journal != NULL ? journal + 9 : NULL;
}

/* ---- saying ---- */

/* Printable ASCII, and not too much of it; quoted if it could be taken for our own words. */
static const char *safe(struct arena *a, struct span s, size_t most)
{
	bool plain = s.size > 0, cut = s.size > most;
	char *out = arena_get(a, 4 * (cut ? most : s.size) + 8), *p = out;

	*p++ = '"';
	for (size_t i = 0; i < (cut ? most : s.size); i++) {
		unsigned char c = (unsigned char)s.at[i];

		plain = plain && (isalnum(c) || strchr("._+-/:@%=~#*", c) != NULL);
		if (c == '"' || c == '\\')
			p += sprintf(p, "\\%c", c);
		else if (c < ' ' || c > '~')
			p += sprintf(p, "\\x%02x", c);
		else
			*p++ = (char)c;
	}
	if (cut)
		p = stpcpy(p, "...");
	if (plain) {
		*p = '\0';
		return out + 1;
	}
	stpcpy(p, "\"");
	return out;
}

/* The seconds and milliseconds of "1655245879.115:261" in local time; else what ausearch -i has
 * made of them, without the serial number. */
static const char *time_text(struct arena *a, struct span when)
{
	char text[64];
	struct tm tm;
	uint64_t seconds;
	const char *dot = when.at == NULL ? NULL : memchr(when.at, '.', when.size);
	const char *colon = when.at == NULL ? NULL : memrchr(when.at, ':', when.size);
	time_t at;

	if (dot != NULL && colon != NULL && dot < colon &&
	    read_number((struct span){ when.at, (size_t)(dot - when.at) }, &seconds) &&
	    seconds < (uint64_t)1 << 37) {
		at = (time_t)seconds;
		if (localtime_r(&at, &tm) != NULL &&
		    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &tm) > 0)
			return arena_format(a, "%s", text);
	}
	if (colon != NULL)
		when.size = (size_t)(colon - when.at);
	return when.at == NULL || when.size == 0 ? NULL : safe(a, when, NAME_SHOWN);
}

static const char *call_text(struct arena *a, const struct record *r)
{
	const char *name = r->call != NULL ? r->call->name
					   : arena_format(a, "syscall %" PRId32, (int32_t)r->nr);

	if (r->abi == ABI_COUNT)
		return arena_format(a, "%s (architecture %#x)", name, r->arch);
	return r->abi == abi_native() ? name : arena_format(a, "%s (%s)", name, abi_name(r->abi));
}

/* The rules of the policy that give a record's answer to its call under some arguments. */
struct guess {
	uint32_t action;
	bool several_actions, foreign;
	const char **stages, **rules;
	size_t stage_count, rule_count;
};

static void add_text(struct arena *a, const char ***items, size_t *count, const char *text)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp((*items)[i], text) == 0)
			return;
	*items = arena_grow(a, *items, *count, sizeof **items);
	(*items)[(*count)++] = text;
}

/* Could a stage's answer have left this record? By kernel/seccomp.c (seccomp_log): what is refused
 * and lives is only told where log_blocked asks for it. */
static bool could_be(const struct record *r, const struct stage *s, uint32_t action)
{
	uint32_t kind = action & SECCOMP_RET_ACTION_FULL;
	bool kills = kind == SECCOMP_RET_KILL_PROCESS || kind == SECCOMP_RET_KILL_THREAD;

	if (!r->has_code)
		return kills || kind == SECCOMP_RET_TRAP;
	if (kind != (r->code & SECCOMP_RET_ACTION_FULL))
		return false;
	return kills || kind == SECCOMP_RET_LOG || s->attributes.log_blocked;
}

static void guess_stage(const struct audit *t, const struct record *r, const struct stage *s,
    struct arena *a, struct guess *g)
{
	struct seccomp_data d = { .nr = (int)r->nr, .arch = r->arch };
	struct clause foreign = { .decision = policy_decide(t->policy, s, &d) }, *list = &foreign;
	enum abi abi;
	size_t count = 1;
	bool strict = r->sig == SIGKILL; /* the kernel's own mode has no other signal */

	if (s->attributes.strict != strict || !policy_has_fence(t->policy, s))
		return;
	g->foreign = !policy_abi(s, &d, &abi);
	if (!g->foreign)
		count = policy_list_on(t->policy, s, abi, r->call, a, &list);
	for (size_t i = 0; i < count; i++) {
		const struct decision *is = &list[i].decision;

		if (!strict && !could_be(r, s, is->action))
			continue;
		g->several_actions |= g->stage_count > 0 && g->action != is->action;
		g->action = is->action;
		add_text(a, &g->stages, &g->stage_count, s->own.name);
		if (is->rule != NULL)
			add_text(a, &g->rules, &g->rule_count,
			    arena_format(a, "%s:%d", is->rule->origin.file, is->rule->origin.line));
	}
}

static struct guess guess(const struct audit *t, const struct record *r, struct arena *a)
{
	struct guess g = { .action = 0 };
	bool ours = r->abi == abi_native() ||
	    (abi_native() == ABI_X86_64 && (r->abi == ABI_X32 || r->abi == ABI_I386));

	for (size_t i = 0; t->policy != NULL && ours && i < t->policy->stage_count; i++)
		if (!t->policy->stages[i]->is_profile)
			guess_stage(t, r, t->policy->stages[i], a, &g);
	return g;
}

/* The record has no errno; rules that agree on one have. */
static const char *answer_text(struct arena *a, const struct record *r, const struct guess *g)
{
	if (!r->has_code)
		return "killed";
	if (g->stage_count > 0 && !g->several_actions)
		return action_text(a, g->action);
	if ((r->code & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
		return "errno";
	return action_text(a, r->code & SECCOMP_RET_ACTION_FULL);
}

/* "a, b, c, d and 3 more", each one with mark behind it. */
static const char *list_text(struct arena *a, const char **items, size_t count, const char *mark)
{
	const char *text = "";

	for (size_t i = 0; i < count && i < STAGES_SHOWN; i++)
		text = arena_format(a, "%s%s%s%s", text, i > 0 ? ", " : "",
		    safe(a, (struct span){ items[i], strlen(items[i]) }, PATH_SHOWN), mark);
	return count <= STAGES_SHOWN
	    ? text
	    : arena_format(a, "%s and %zu more", text, count - STAGES_SHOWN);
}

static const char *last_part(struct span path)
{
	const char *slash = path.size == 0 ? NULL : memrchr(path.at, '/', path.size);

	return slash == NULL ? path.at : slash + 1;
}

static void say_sentence(
    struct audit *t, const struct record *r, const struct guess *g, struct arena *a)
{
	const char *when = time_text(a, r->when);
	size_t name = r->exe.at == NULL ? 0 : r->exe.size - (size_t)(last_part(r->exe) - r->exe.at);
	/* comm holds 15 bytes of a name, and a script's own name where exe is its shell */
	bool told = r->exe.at == NULL || same(r->exe, "(null)") ||
	    (r->comm.at != NULL && r->comm.size <= name &&
		memcmp(r->comm.at, last_part(r->exe), r->comm.size) == 0 &&
		(r->comm.size == name || r->comm.size == 15));

	fprintf(t->out, "stagefence: %s: %s -> %s, by %s",
	    g->stage_count > 0 ? list_text(a, g->stages, g->stage_count, "?") : "?",
	    call_text(a, r), answer_text(a, r, g),
	    r->comm.at != NULL ? safe(a, r->comm, NAME_SHOWN) : "?");
	if (r->has_pid)
		fprintf(t->out, "[%" PRIu64 "]", r->pid);
	if (!told)
		fprintf(t->out, ", %s", safe(a, r->exe, PATH_SHOWN));
	if (r->has_uid)
		fprintf(t->out, ", uid %" PRIu64, r->uid);
	if (when != NULL)
		fprintf(t->out, ", %s", when);
	if (g->rule_count > 0)
		fprintf(t->out, " (may be %s)", list_text(a, g->rules, g->rule_count, ""));
	else if (g->stage_count > 0)
		fputs(g->foreign ? " (no rule: another architecture)" : " (no rule)", t->out);
	else if (t->policy != NULL)
		fputs(" (no stage of the policy gives that answer)", t->out);
	putc('\n', t->out);
}

static const char *span_text(struct arena *a, struct span s)
{
	return s.at == NULL ? NULL : arena_text(a, s.at, s.size);
}

static void say_json(
    struct audit *t, const struct record *r, const struct guess *g, bool refused, struct arena *a)
{
	struct json j = { .out = t->out };

	json_object(&j, NULL);
	json_number(&j, "version", JSON_VERSION);
	json_text(&j, "type", refused ? "refused" : "logged");
	json_text(&j, "time", time_text(a, r->when));
	json_text(&j, "call", r->call != NULL ? r->call->name : NULL);
	json_number(&j, "number", (int32_t)r->nr);
	json_text(&j, "abi", r->abi < ABI_COUNT ? abi_name(r->abi) : NULL);
	json_hex(&j, "arch", r->arch);
	json_text(&j, "answer", answer_text(a, r, g));
	json_number(&j, "signal", r->sig <= INT32_MAX ? (int64_t)r->sig : 0);
	json_text(&j, "program", span_text(a, r->comm));
	json_text(&j, "executable", span_text(a, r->exe));
	if (r->has_pid && r->pid <= INT32_MAX)
		json_number(&j, "pid", (int64_t)r->pid);
	if (r->has_uid && r->uid <= UINT32_MAX)
		json_number(&j, "uid", (int64_t)r->uid);
	json_array(&j, "stages");
	for (size_t i = 0; i < g->stage_count; i++)
		json_text(&j, NULL, g->stages[i]);
	json_close(&j);
	json_array(&j, "rules");
	for (size_t i = 0; i < g->rule_count; i++)
		json_text(&j, NULL, g->rules[i]);
	json_close(&j);
	json_close(&j);
}

static void take_record(struct audit *t, char *text)
{
	struct arena *a = arena_new(); /* its own: a log has no end, and an arena has */
	struct record r;

	if (!read_record(t, a, text, &r))
		t->odd++;
	else {
		struct guess g = guess(t, &r, a);
		bool refused = !r.has_code || action_refuses(r.code);

		if (refused)
			t->refused++;
		else
			t->logged++;
		if (t->json)
			say_json(t, &r, &g, refused, a);
		else
			say_sentence(t, &r, &g, a);
	}
	arena_free(a);
}

/* "audit: audit_lost=3 ..." and printk's own line about what it has left out. */
static void take_loss(struct audit *t, const char *line)
{
	static const char printed[] = "kauditd_printk_skb: ", lost[] = "audit: audit_lost=";
	const char *p = strstr(line, printed), *q = strstr(line, lost);
	uint64_t number;

	if (p != NULL && strstr(p, " callbacks suppressed") != NULL) {
		p += sizeof printed - 1;
		if (read_number((struct span){ p, strcspn(p, " ") }, &number) &&
		    number < UINT32_MAX)
			t->suppressed += number;
	}
	if (q != NULL) {
		q += sizeof lost - 1;
		if (read_number((struct span){ q, strcspn(q, " ") }, &number) &&
		    number > t->dropped)
			t->dropped = number;
	}
}

void audit_line(struct audit *t, const char *text, size_t size)
{
	char line[LINE_SIZE + 1], *record;

	t->lines++;
	if (size > LINE_SIZE)
		size = LINE_SIZE;
	for (size_t i = 0; i < size; i++)
		line[i] = text[i] == '\0' ? '?' : text[i];
	line[size] = '\0';
	if (size > 0 && line[size - 1] == '\r')
		line[size - 1] = '\0';
	record = find_record(line);
	if (record != NULL)
		take_record(t, record);
	else
		take_loss(t, line);
}

void audit_close(struct audit *t)
{
	struct json j = { .out = t->out };
	uint64_t lost = t->suppressed + t->dropped;

	if (t->json) {
		json_object(&j, NULL);
		json_number(&j, "version", JSON_VERSION);
		json_text(&j, "type", "summary");
		json_number(&j, "lines", (int64_t)t->lines);
		json_number(&j, "refused", (int64_t)t->refused);
		json_number(&j, "logged", (int64_t)t->logged);
		json_number(&j, "unreadable", (int64_t)t->odd);
		json_number(&j, "lost", lost <= INT64_MAX ? (int64_t)lost : INT64_MAX);
		json_number(&j, "gaps", (int64_t)t->gaps);
		json_close(&j);
		return;
	}
	fprintf(
	    t->out, "stagefence: %" PRIu64 " refused, %" PRIu64 " logged", t->refused, t->logged);
	if (t->odd > 0)
		fprintf(t->out, ", %" PRIu64 " that cannot be read", t->odd);
	fprintf(t->out, ", in %" PRIu64 " line%s", t->lines, t->lines == 1 ? "" : "s");
	if (lost > 0)
		fprintf(t->out, "; the kernel left %" PRIu64 " audit records out", lost);
	if (t->gaps > 0)
		fprintf(t->out, "; the kernel was %" PRIu64 " times too fast, and records are lost",
		    t->gaps);
	putc('\n', t->out);
}

/* ---- where lines come from ---- */

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

/* SIGINT and SIGTERM come in wait_for() only, so that none is missed and no line is cut. */
static void catch_signals(sigset_t *before)
{
	struct sigaction action = { .sa_handler = end };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, before);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static bool is_pending(int signal)
{
	sigset_t set;

	return sigpending(&set) == 0 && sigismember(&set, signal) == 1;
}

/* False: it is over. */
static bool wait_for(struct audit *t, int fd, const sigset_t *open)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	/* somebody may wait for what there is so far, or be gone */
	if (fflush(t->out) != 0)
		return false;
	if (ppoll(&p, 1, NULL, open) < 0)
		return false;
	/* where there is always something to read, no signal has got in */
	return !ended && !is_pending(SIGINT) && !is_pending(SIGTERM);
}

static bool read_lines(struct audit *t, int fd, const char *name, const sigset_t *open)
{
	static char buffer[4 * LINE_SIZE];
	size_t have = 0;
	bool skip = false; /* the rest of a line whose beginning was too long already */
	ssize_t n;

	while (wait_for(t, fd, open)) {
		char *line = buffer, *newline;

		n = read(fd, buffer + have, sizeof buffer - have);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0) {
			say("%s: %s", name, strerror(errno));
			return false;
		}
		if (n == 0)
			break;
		have += (size_t)n;
		while ((newline = memchr(line, '\n', have)) != NULL) {
			if (!skip)
				audit_line(t, line, (size_t)(newline - line));
			skip = false;
			have -= (size_t)(newline + 1 - line);
			line = newline + 1;
		}
		if (have >= LINE_SIZE) {
			if (!skip)
				audit_line(t, line, have);
			skip = true;
			have = 0;
		}
		memmove(buffer, line, have);
	}
	if (have > 0 && !skip)
		audit_line(t, buffer, have);
	return true;
}

bool audit_file(struct audit *t, const char *name)
{
	bool input = strcmp(name, "-") == 0, good;
	int fd = input ? STDIN_FILENO : open(name, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	sigset_t before;

	if (fd < 0) {
		say("%s: %s", name, strerror(errno));
		return false;
	}
	catch_signals(&before);
	good = read_lines(t, fd, input ? "standard input" : name, &before);
	if (!input)
		close(fd);
	return good;
}

/*
 * The kernel multicasts its records in its first network namespace, and lets a listener in any
 * other wait for ever. Settings of the machine as a whole are seen in the first one only.
 */
static bool in_first_network(void)
{
	return access("/proc/sys/net/core/dev_weight", F_OK) == 0;
}

/* Lossless with a large buffer, unlike the kernel's log, which is limited in rate. */
static int open_netlink(void)
{
	enum { ROOM = 128 << 20 };
	struct sockaddr_nl address = { .nl_family = AF_NETLINK,
		.nl_groups = 1u << (AUDIT_NLGRP_READLOG - 1) };
	int room = ROOM, error, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static bool read_netlink(struct audit *t, int fd, const sigset_t *open)
{
	static _Alignas(struct nlmsghdr) char data[LINE_SIZE + NLMSG_HDRLEN + 1];

	while (wait_for(t, fd, open)) {
		const struct nlmsghdr *h = (const void *)data;
		struct sockaddr_nl from = { .nl_pid = 0 };
		socklen_t length = sizeof from;
		ssize_t n = recvfrom(
		    fd, data, sizeof data - 1, MSG_DONTWAIT, (struct sockaddr *)&from, &length);

		if (n < 0 && errno == ENOBUFS)
			t->gaps++;
		else if (n < 0 && errno != EINTR && errno != EAGAIN) {
			say("the kernel's audit records: %s", strerror(errno));
			return false;
		}
		/* another process may send to our socket, too: only the kernel's port is 0 */
		if (n < NLMSG_HDRLEN || from.nl_pid != 0)
			continue;
		t->lines++;
		data[n] = '\0';
		for (ssize_t i = NLMSG_HDRLEN; i < n; i++)
			if (data[i] == '\0')
				data[i] = i + 1 == n ? '\0' : '?';
		if (h->nlmsg_type == AUDIT_SECCOMP)
			take_record(t, data + NLMSG_HDRLEN);
	}
	return true;
}

/* "6,1234,567890,-;text": of facility 0, the kernel's own; any root process writes the others. */
static void take_kernel_line(struct audit *t, char *line)
{
	static const char is_audit[] = "audit: type=1326 ";
	char *text = strchr(line, ';'), *newline;

	if (text == NULL || strtoul(line, NULL, 10) >= 8)
		return;
	text++;
	newline = strchr(text, '\n');
	if (newline != NULL)
		*newline = '\0';
	t->lines++;
	if (starts(text, is_audit))
		take_record(t, text + sizeof is_audit - 1);
	else
		take_loss(t, text);
}

static bool read_kernel_log(struct audit *t, int fd, const sigset_t *open)
{
	static char line[LINE_SIZE + 1];

	while (wait_for(t, fd, open)) {
		ssize_t n = read(fd, line, LINE_SIZE);

		if (n < 0 && errno == EPIPE)
			t->gaps++; /* overwritten before we came */
		else if (n < 0 && errno != EINTR && errno != EAGAIN) {
			say("/dev/kmsg: %s", strerror(errno));
			return false;
		}
		if (n <= 0)
			continue;
		line[n] = '\0';
		take_kernel_line(t, line);
	}
	return true;
}

bool audit_live(struct audit *t)
{
	sigset_t before;
	bool first = in_first_network(), good;
	int fd = first ? open_netlink() : -1;
	const char *refusal = first ? strerror(errno) : "not in this network namespace";

	if (fd >= 0) {
		catch_signals(&before);
		good = read_netlink(t, fd, &before);
		close(fd);
		return good;
	}
	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || lseek(fd, 0, SEEK_END) < 0) {
		say("the kernel's audit records: %s; /dev/kmsg: %s; to read a log, name its file, "
		    "or -",
		    refusal, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	say_notes(true);
	say_note(NULL, 0,
	    "the kernel's audit records: %s; /dev/kmsg takes their place, which leaves some out "
	    "when there are many",
	    refusal);
	catch_signals(&before);
	good = read_kernel_log(t, fd, &before);
	close(fd);
	return good;
}
