#include "close.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "calls.h"
#include "consts.h"
#include "mem.h"
#include "policy.h"
#include "say.h"

enum { SIBLINGS_MAX = 12 };

/* One row of families.def. mask 0: whatever the sibling's arguments. */
static const struct family {
	const char *name, *siblings[SIBLINGS_MAX];
	unsigned arg;
	uint32_t mask, value;
} families[] = {
#define F(name, ...) { #name, { __VA_ARGS__ }, 0, 0, 0 },
#define W(name, sibling, arg, mask, value) { #name, { #sibling }, arg, mask, value },
#define R(name, again)
#include "families.def"
#undef F
#undef W
#undef R
};

/*
 * Calls whose work an io_uring does for its owner (io_uring_enter(2), IORING_OP_*), and those that
 * take such a call along.
 */
static const char *const ring_calls[] = { "accept", "accept4", "bind", "clock_nanosleep", "close",
	"connect", "creat", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "fadvise64",
	"fallocate", "fdatasync", "fgetxattr", "fsetxattr", "fsync", "ftruncate", "futex",
	"futex_wait", "futex_waitv", "futex_wake", "getsockopt", "getxattr", "link", "linkat",
	"listen", "lstat", "madvise", "mkdir", "mkdirat", "nanosleep", "open", "openat", "openat2",
	"pipe", "pipe2", "poll", "ppoll", "pread64", "preadv", "preadv2", "pwrite64", "pwritev",
	"pwritev2", "read", "readv", "recv", "recvfrom", "recvmmsg", "recvmsg", "rename",
	"renameat", "renameat2", "rmdir", "send", "sendmmsg", "sendmsg", "sendto", "setsockopt",
	"setxattr", "shutdown", "socket", "splice", "stat", "statx", "symlink", "symlinkat",
	"sync_file_range", "tee", "truncate", "unlink", "unlinkat", "waitid", "write", "writev" };

/* i386's second names of a call. Conditions go along. */
static const struct {
	const char *name, *again;
} renamed[] = {
#define F(name, ...)
#define W(name, sibling, arg, mask, value)
#define R(name, again) { #name, #again },
#include "families.def"
#undef F
#undef W
#undef R
};

/* A condition on the first of these leaves the second free to do the same: its flags are in memory.
 */
static const struct {
	const char *name, *hides;
	unsigned arg;
} hidden[] = {
	{ "clone", "clone3", 0 },
	{ "open", "openat2", 1 },
	{ "openat", "openat2", 2 },
};

/*
 * Does the level say itself what becomes of a call? A group that allows does not: it stands for
 * hundreds of calls, and whoever allows @shell and refuses mkdir has not said a word of mkdirat.
 */
static bool names(const struct level *level, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(level->rules[i].call->name, name) == 0 &&
		    (!level->rules[i].by_group || action_refuses(level->rules[i].action)))
			return true;
	return false;
}

static void imply(struct arena *a, struct level *level, const struct rule *by, const char *name,
    uint32_t action, const struct condition *condition)
{
	struct rule rule = *by;

	rule.call = call_named(name);
	if (rule.call == NULL)
		return;
	rule.action = action;
	rule.conditions = condition;
	rule.condition_count = condition != NULL;
	rule.implied_by = by->call;
	level->rules = arena_grow(a, level->rules, level->rule_count, sizeof *level->rules);
	level->rules[level->rule_count++] = rule;
}

static void close_family(
    struct arena *a, struct level *level, const struct rule *by, size_t written)
{
	for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
		const struct family *family = &families[f];
		struct condition *c = NULL;

		if (strcmp(family->name, by->call->name) != 0)
			continue;
		if (family->mask != 0) {
			c = arena_get(a, sizeof *c);
			*c = (struct condition){ .arg = family->arg,
				.op = OP_EQ,
				.mask = family->mask,
				.value = family->value };
		}
		for (size_t i = 0; i < SIBLINGS_MAX && family->siblings[i] != NULL; i++)
			if (!names(level, written, family->siblings[i]))
				imply(a, level, by, family->siblings[i], by->action, c);
	}
}

/* The conditions of by stay, unlike those of a sibling. */
static void close_renamed(
    struct arena *a, struct level *level, const struct rule *by, size_t written)
{
	for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++) {
		struct rule *last;

		if (strcmp(renamed[i].name, by->call->name) != 0 ||
		    names(level, by->condition_count == 0 ? level->rule_count : written,
			renamed[i].again))
			continue;
		imply(a, level, by, renamed[i].again, by->action, NULL);
		last = &level->rules[level->rule_count - 1];
		last->conditions = by->conditions;
		last->condition_count = by->condition_count;
	}
}

static bool restricts(const struct rule *r, const char *name, unsigned arg)
{
	if (strcmp(r->call->name, name) != 0)
		return false;
	for (size_t i = 0; i < r->condition_count; i++)
		if (r->conditions[i].arg == arg)
			return true;
	return false;
}

static bool a_ring_does(const char *name)
{
	for (size_t i = 0; i < sizeof ring_calls / sizeof ring_calls[0]; i++)
		if (strcmp(ring_calls[i], name) == 0)
			return true;
	return false;
}

/* i386's two calls that are many; their arguments are in memory too. */
static const char *multiplexer_of(const char *name)
{
	static const char *const sockets[] = { "accept", "accept4", "bind", "connect",
		"getpeername", "getsockname", "getsockopt", "listen", "recv", "recvfrom",
		"recvmmsg", "recvmsg", "send", "sendmmsg", "sendmsg", "sendto", "setsockopt",
		"shutdown", "socket", "socketpair" };
	static const char *const ipc[] = { "msgctl", "msgget", "msgrcv", "msgsnd", "semctl",
		"semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt", "shmget" };

	for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++)
		if (strcmp(sockets[i], name) == 0)
			return "socketcall";
	for (size_t i = 0; i < sizeof ipc / sizeof ipc[0]; i++)
		if (strcmp(ipc[i], name) == 0)
			return "ipc";
	return NULL;
}

void close_level(struct arena *a, struct level *level)
{
	static const char *const ring[] = { "io_uring_setup", "io_uring_enter",
		"io_uring_register" };
	size_t written = level->rule_count;
	bool ring_closed = names(level, written, ring[0]);

	for (size_t i = 0; i < written; i++) {
		/* growing moves the rules */
		struct rule r = level->rules[i];

		/* ENOSYS, so that a libc falls back to the call that can be judged */
		for (size_t h = 0; h < sizeof hidden / sizeof hidden[0]; h++)
			if (!r.exact && restricts(&r, hidden[h].name, hidden[h].arg) &&
			    !names(level, level->rule_count, hidden[h].hides))
				imply(a, level, &r, hidden[h].hides, SECCOMP_RET_ERRNO | ENOSYS,
				    NULL);
		if (!action_refuses(r.action) || r.exact)
			continue;
		if (r.condition_count == 0 && !r.by_group)
			close_family(a, level, &r, written);
		if (!r.by_group)
			close_renamed(a, level, &r, written);
		if (multiplexer_of(r.call->name) != NULL &&
		    !names(level, level->rule_count, multiplexer_of(r.call->name)))
			imply(a, level, &r, multiplexer_of(r.call->name), r.action, NULL);
		if (!ring_closed && a_ring_does(r.call->name)) {
			for (size_t n = 0; n < sizeof ring / sizeof ring[0]; n++)
				imply(a, level, &r, ring[n], SECCOMP_RET_ERRNO | EPERM, NULL);
			ring_closed = true;
		}
	}
}

/* ---- notes ---- */

/* READ_MAX: each rule is held against all others, and nobody writes more by hand */
enum { DOORS_MAX = 4, READ_MAX = 1000 };

/* What reaches the same end by another way, where a refusal of the first alone is seldom what was
 * meant. */
static const struct {
	const char *name, *doors[DOORS_MAX];
} doors[] = {
	{ "clone", { "clone3", "fork", "vfork" } },
	{ "pidfd_getfd", { "ptrace" } },
	{ "process_vm_readv", { "ptrace" } },
	{ "process_vm_writev", { "ptrace" } },
	{ "ptrace", { "pidfd_getfd", "process_vm_readv", "process_vm_writev" } },
};

/* The same of a call that is refused for some values of an argument, which the others have in the
 * same place. */
static const struct {
	const char *name;
	unsigned arg;
	const char *doors[DOORS_MAX];
} value_doors[] = {
	{ "clone", 0, { "unshare" } },
	{ "mmap", 2, { "mprotect", "pkey_mprotect" } },
	{ "mprotect", 2, { "mmap", "pkey_mprotect" } },
	{ "unshare", 0, { "clone" } },
};

/* Values of one argument that come to the same. */
static const struct {
	const char *name;
	unsigned arg;
	const char *value, *other;
} values[] = {
	{ "ioctl", 1, "TIOCSTI", "TIOCLINUX" },
	{ "socket", 0, "AF_INET", "AF_INET6" },
	{ "socket", 0, "AF_INET6", "AF_INET" },
};

/* Where another rule is the answer. */
static const struct {
	const char *name, *door, *line;
} advice[] = {
	{ "fork", "clone",
	    "{ calls = \"clone\"; action = \"errno\"; args = ( { arg = 0; mask = \"CLONE_THREAD\"; "
	    "op = \"==\"; value = 0; } ); }" },
	{ "connect", "sendto",
	    "{ calls = \"socket\"; action = \"errno\"; args = ( { arg = 0; op = \"!=\"; value = "
	    "\"AF_UNIX\"; } ); }" },
};

/* The level says nothing itself of a call that this machine has, and it is made. */
static bool is_open(const struct level *level, const char *name)
{
	bool open = level->fallback == NULL || !action_refuses(level->fallback->action);

	if (call_named(name)->nr[abi_native()] < 0 || names(level, level->rule_count, name))
		return false;
	for (size_t i = 0; i < level->rule_count && !open; i++)
		open = strcmp(level->rules[i].call->name, name) == 0 &&
		    !action_refuses(level->rules[i].action);
	return open;
}

/* "a", "b" of those that are open; NULL: none is. */
static const char *open_ones(
    struct arena *a, const struct level *level, const char *const *list, size_t count)
{
	const char *text = NULL;

	for (size_t i = 0; i < count && list[i] != NULL; i++)
		if (is_open(level, list[i]))
			text = text == NULL ? arena_format(a, "\"%s\"", list[i])
					    : arena_format(a, "%s, \"%s\"", text, list[i]);
	return text;
}

/* The rule for other calls, whose arguments lie shift places further back. */
static const char *rule_like(
    struct arena *a, const struct rule *r, const char *calls, unsigned shift)
{
	const char *action = action_text(a, r->action), *text;
	bool fails = (r->action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;

	text = arena_format(
	    a, "{ calls = [ %s ]; action = \"%s\";", calls, fails ? "errno" : action);
	if (fails && strncmp(action, "errno ", 6) == 0)
		text = arena_format(a, "%s errno = %s;", text, action + 6);
	else if (fails)
		text = arena_format(a, "%s errno = \"%s\";", text, action);
	for (size_t i = 0; i < r->condition_count; i++) {
		const struct condition *c = &r->conditions[i];
		static const char *const ops[] = { "==", "!=", "<", "<=", ">", ">=" };

		text = arena_format(a, "%s %s{ arg = %u; op = \"%s\"; value = \"%s\";", text,
		    i == 0 ? "args = ( " : "", c->arg + shift, ops[c->op],
		    c->value_text != NULL ? c->value_text
					  : arena_format(a, "%#llx", (unsigned long long)c->value));
		if (c->mask_text != NULL)
			text = arena_format(a, "%s mask = \"%s\";", text, c->mask_text);
		text = arena_format(a, "%s }%s", text, i + 1 < r->condition_count ? "," : " );");
	}
	return arena_format(a, "%s }", text);
}

/* Has the call the arguments that the rule is about, so many places further back? */
static bool has_arguments(const char *name, const struct rule *r, unsigned shift)
{
	for (size_t i = 0; i < r->condition_count; i++)
		if (r->conditions[i].arg + shift >= strlen(call_named(name)->widths))
			return false;
	return true;
}

static bool ends_in_at(const char *name)
{
	size_t n = strlen(name);

	n -= n > 0 && name[n - 1] == '2';
	return n > 2 && name[n - 1] == 't' && name[n - 2] == 'a';
}

#define NOTE(r, ...) say_note((r)->origin.file, (r)->origin.line, __VA_ARGS__)

/* A refusal under conditions closes no sibling: it is said how. mkdirat has its folder first, and
 * what mkdir has behind it. */
static void note_siblings(struct arena *a, const struct level *level, const struct rule *r)
{
	const char *sets[2] = { NULL, NULL };

	for (size_t f = 0; f < sizeof families / sizeof families[0]; f++)
		for (size_t i = 0; strcmp(families[f].name, r->call->name) == 0 &&
		     i < SIBLINGS_MAX && families[f].siblings[i] != NULL;
		     i++) {
			const char *name = families[f].siblings[i];
			unsigned shift = ends_in_at(name) && !ends_in_at(r->call->name);

			/* creat is open with fixed flags, and has none */
			if (!is_open(level, name) || strcmp(name, "creat") == 0 ||
			    !has_arguments(name, r, shift))
				continue;
			sets[shift] = sets[shift] == NULL
			    ? arena_format(a, "\"%s\"", name)
			    : arena_format(a, "%s, \"%s\"", sets[shift], name);
		}
	for (unsigned shift = 0; shift < 2; shift++)
		if (sets[shift] != NULL)
			NOTE(r, "%s is refused under conditions, and its siblings are not: %s",
			    r->call->name, rule_like(a, r, sets[shift], shift));
}

/* A name takes those along that came later, and not the older ones of which it is the sibling. */
static void note_older(struct arena *a, const struct level *level, const struct rule *r)
{
	const char *older[sizeof families / sizeof families[0]];
	const char *list;
	size_t count = 0;

	for (size_t f = 0; f < sizeof families / sizeof families[0]; f++)
		for (size_t i = 0; i < SIBLINGS_MAX && families[f].siblings[i] != NULL; i++)
			if (strcmp(families[f].siblings[i], r->call->name) == 0 &&
			    (count == 0 || strcmp(older[count - 1], families[f].name) != 0))
				older[count++] = families[f].name;
	list = open_ones(a, level, older, count);
	if (list == NULL)
		return;
	if (r->condition_count == 0) {
		NOTE(r, "%s is refused, and %s can do the same: block_calls = [ %s ];",
		    r->call->name, list, list);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct rule like = *r;
		const char *one = open_ones(a, level, &older[i], 1);
		unsigned shift = ends_in_at(r->call->name) && !ends_in_at(older[i]) ? -1u : 0;

		if (one == NULL)
			continue;
		/* it is open with fixed flags, and has none */
		if (strcmp(older[i], "creat") == 0)
			like.condition_count = 0;
		if (has_arguments(older[i], &like, shift))
			NOTE(r, "%s is refused under conditions, and %s can do the same: %s",
			    r->call->name, one, rule_like(a, &like, one, shift));
	}
}

static void note_doors(struct arena *a, const struct level *level, const struct rule *r)
{
	const char *name = r->call->name, *list;

	for (size_t d = 0; r->condition_count == 0 && d < sizeof doors / sizeof doors[0]; d++) {
		list = strcmp(doors[d].name, name) == 0
		    ? open_ones(a, level, doors[d].doors, DOORS_MAX)
		    : NULL;
		if (list != NULL)
			NOTE(r, "%s is refused, and %s can do much the same: block_calls = [ %s ];",
			    name, list, list);
	}
	for (size_t d = 0; d < sizeof value_doors / sizeof value_doors[0]; d++) {
		list = restricts(r, value_doors[d].name, value_doors[d].arg)
		    ? open_ones(a, level, value_doors[d].doors, DOORS_MAX)
		    : NULL;
		if (list != NULL)
			NOTE(r, "%s is refused under conditions, and %s can do much the same: %s",
			    name, list, rule_like(a, r, list, 0));
	}
	for (size_t d = 0; r->condition_count == 0 && d < sizeof advice / sizeof advice[0]; d++)
		if (strcmp(advice[d].name, name) == 0 && is_open(level, advice[d].door))
			NOTE(r, "%s is refused, and \"%s\" can do much the same: %s", name,
			    advice[d].door, advice[d].line);
}

/* Is a call refused where this argument has that value, and maybe others? */
static bool refuses_value(
    const struct level *level, const char *name, unsigned arg, const char *value)
{
	uint64_t args[6] = { 0 };
	const char *bad;
	size_t length;

	const_read(value, abi_native() == ABI_AARCH64, &args[arg], &bad, &length);
	for (size_t i = 0; i < level->rule_count; i++) {
		const struct rule *r = &level->rules[i];
		size_t c = 0;

		if (!action_refuses(r->action) || strcmp(r->call->name, name) != 0)
			continue;
		while (c < r->condition_count && r->conditions[c].arg == arg &&
		    condition_holds(&r->conditions[c], args))
			c++;
		if (c == r->condition_count)
			return true;
	}
	return false;
}

static void note_values(struct arena *a, const struct level *level, const struct rule *r)
{
	for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
		struct condition other;
		struct rule like = *r;

		if (strcmp(values[v].name, r->call->name) != 0 || r->condition_count != 1 ||
		    r->conditions[0].op != OP_EQ || r->conditions[0].value_text == NULL ||
		    strcmp(r->conditions[0].value_text, values[v].value) != 0 ||
		    refuses_value(level, values[v].name, values[v].arg, values[v].other))
			continue;
		other = r->conditions[0];
		other.value_text = values[v].other;
		like.conditions = &other;
		NOTE(r, "%s is refused with %s, and %s can do much the same: %s", r->call->name,
		    values[v].value, values[v].other,
		    rule_like(a, &like, arena_format(a, "\"%s\"", r->call->name), 0));
	}
}

/* Arguments that hold flags beside what they are for; which bits are that, or NULL: those of the
 * value. */
static const struct {
	const char *name;
	unsigned arg;
	const char *mask;
} flagged[] = {
	{ "clone", 0, NULL },
	{ "mmap", 2, NULL },
	{ "mmap", 3, NULL },
	{ "mprotect", 2, NULL },
	{ "open", 1, NULL },
	{ "openat", 2, NULL },
	{ "socket", 1, "0xf" },
	{ "socketpair", 1, "0xf" },
	{ "unshare", 0, NULL },
};

/* Does a rule of the level refuse that value, whatever flags stand beside it? */
static bool refuses_masked(const struct level *level, const struct rule *by, unsigned arg)
{
	uint64_t args[6] = { 0 };

	args[arg] = by->conditions[0].value;
	for (size_t i = 0; i < level->rule_count; i++) {
		const struct rule *r = &level->rules[i];

		if (action_refuses(r->action) && r->call == by->call && r->condition_count == 1 &&
		    r->conditions[0].arg == arg &&
		    r->conditions[0].mask != by->conditions[0].mask &&
		    condition_holds(&r->conditions[0], args))
			return true;
	}
	return false;
}

/* Refused is the very value, and not with one more flag: SOCK_RAW, and not SOCK_RAW | SOCK_CLOEXEC.
 */
static void note_flags(struct arena *a, const struct level *level, const struct rule *r)
{
	for (size_t f = 0; f < sizeof flagged / sizeof flagged[0]; f++) {
		const struct condition *c = r->conditions;
		struct condition masked;
		struct rule like = *r;

		if (strcmp(flagged[f].name, r->call->name) != 0 || r->condition_count != 1 ||
		    c->arg != flagged[f].arg || c->op != OP_EQ || c->mask_text != NULL ||
		    c->mask < UINT32_MAX || c->value == 0 || c->value_text == NULL ||
		    refuses_masked(level, r, c->arg))
			continue;
		masked = *c;
		masked.mask_text = flagged[f].mask != NULL  ? flagged[f].mask
		    : *r->call->name == 'o' && c->value < 4 ? "3"
							    : c->value_text;
		like.conditions = &masked;
		NOTE(r, "%s is refused with %s alone, and not with a flag more beside it: %s",
		    r->call->name, c->value_text,
		    rule_like(a, &like, arena_format(a, "\"%s\"", r->call->name), 0));
	}
}

static bool allows(const struct level *level, const char *name)
{
	for (size_t i = 0; i < level->rule_count; i++)
		if (strcmp(level->rules[i].call->name, name) == 0 &&
		    !action_refuses(level->rules[i].action))
			return true;
	return false;
}

/* What a ring reaches beyond the descriptors that it has, and the level leaves to a default that
 * refuses; or NULL. */
static const char *ring_reaches(const struct level *level)
{
	static const char *const reached[] = { "socket", "connect", "bind", "openat", "mkdirat",
		"unlinkat", "renameat2", "linkat", "symlinkat", "setxattr" };
	bool refuses = level->fallback != NULL && action_refuses(level->fallback->action);

	for (size_t i = 0; refuses && i < sizeof reached / sizeof reached[0]; i++)
		if (!allows(level, reached[i]))
			return reached[i];
	return NULL;
}

/* Whoever names io_uring_setup has it, and where calls are listed that are allowed, whoever allows
 * it by a group; it may not be known what that undoes. */
static void note_ring(const struct level *level)
{
	const struct rule *ring = NULL;
	const char *undone = NULL, *reached = ring_reaches(level);

	for (size_t i = 0; i < level->rule_count; i++) {
		const struct rule *r = &level->rules[i];

		if (strcmp(r->call->name, "io_uring_setup") == 0 && !action_refuses(r->action) &&
		    (!r->by_group || reached != NULL))
			ring = r;
		if (action_refuses(r->action) && a_ring_does(r->call->name) && undone == NULL)
			undone = r->call->name;
	}
	for (size_t i = 0; ring != NULL && ring->by_group && i < level->rule_count; i++)
		if (strcmp(level->rules[i].call->name, "io_uring_setup") == 0 &&
		    action_refuses(level->rules[i].action))
			return;
	if (undone == NULL)
		undone = reached;
	if (ring != NULL && undone != NULL)
		NOTE(ring,
		    "io_uring_setup is allowed, and a ring does %s, which is refused: block_calls "
		    "= "
		    "[ \"@io-uring\" ];",
		    undone);
}

void close_notes(struct arena *a, const struct level *level)
{
	size_t count = 0;

	for (size_t i = 0; i < level->rule_count && count < READ_MAX; i++) {
		const struct rule *r = &level->rules[i];

		/* a group is meant as it is, and exact says so of a rule */
		if (!action_refuses(r->action) || r->implied_by != NULL || r->by_group || r->exact)
			continue;
		count++;
		if (r->condition_count > 0)
			note_siblings(a, level, r);
		note_older(a, level, r);
		note_doors(a, level, r);
		note_values(a, level, r);
		note_flags(a, level, r);
	}
	note_ring(level);
}
