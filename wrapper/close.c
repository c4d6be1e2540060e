#include "close.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "calls.h"
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
#include "families.def"
#undef F
#undef W
};

/*
 * Calls that an io_uring makes for its owner (io_uring_enter(2), IORING_OP_*), apart from reads and
 * writes of descriptors that it has.
 */
static const char *const ring_calls[] = { "accept", "accept4", "bind", "connect", "fgetxattr",
	"fsetxattr", "getxattr", "link", "linkat", "listen", "mkdir", "mkdirat", "open", "openat",
	"openat2", "rename", "renameat", "renameat2", "setxattr", "shutdown", "socket", "statx",
	"symlink", "symlinkat", "unlink", "unlinkat", "rmdir" };

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

static bool names(const struct level *level, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(level->rules[i].call->name, name) == 0)
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

/* What reaches the same end by another way, where a refusal of the first alone is seldom what was
 * meant. */
static const struct {
	const char *name, *door;
} doors[] = {
	{ "ptrace", "process_vm_writev" },
	{ "ptrace", "process_vm_readv" },
	{ "ptrace", "pidfd_getfd" },
	{ "process_vm_writev", "ptrace" },
	{ "mount", "unshare" },
	{ "bpf", "perf_event_open" },
	{ "kill", "ptrace" },
};

static const struct rule *refusal_of(const struct level *level, const char *name)
{
	for (size_t i = 0; i < level->rule_count; i++)
		if (action_refuses(level->rules[i].action) &&
		    strcmp(level->rules[i].call->name, name) == 0)
			return &level->rules[i];
	return NULL;
}

/* Siblings that this machine has and the level says nothing of, as a policy would list them; NULL:
 * none. */
static const char *open_siblings(
    struct arena *a, const struct level *level, const struct call *call)
{
	const char *list = NULL;

	for (size_t f = 0; f < sizeof families / sizeof families[0]; f++)
		for (size_t s = 0; strcmp(families[f].name, call->name) == 0 && s < SIBLINGS_MAX &&
		     families[f].siblings[s] != NULL;
		     s++) {
			const char *name = families[f].siblings[s];

			if (call_named(name)->nr[abi_native()] < 0 ||
			    names(level, level->rule_count, name))
				continue;
			list = list == NULL ? arena_format(a, "\"%s\"", name)
					    : arena_format(a, "%s, \"%s\"", list, name);
		}
	return list;
}

void close_notes(struct arena *a, const struct level *level)
{
	/* where the default refuses, what is not named is refused */
	if (level->fallback != NULL && action_refuses(level->fallback->action))
		return;
	for (size_t i = 0; i < level->rule_count; i++) {
		const struct rule *r = &level->rules[i];
		const char *list;

		if (!action_refuses(r->action) || r->condition_count == 0 || r->implied_by != NULL)
			continue;
		list = open_siblings(a, level, r->call);
		if (list != NULL)
			say_note(r->origin.file, r->origin.line,
			    "%s is refused under conditions, and its siblings are not; to refuse "
			    "them: block_calls = "
			    "[ %s ];",
			    r->call->name, list);
	}
	for (size_t d = 0; d < sizeof doors / sizeof doors[0]; d++) {
		const struct rule *r = refusal_of(level, doors[d].name);

		if (r != NULL && r->implied_by == NULL &&
		    !names(level, level->rule_count, doors[d].door))
			say_note(r->origin.file, r->origin.line,
			    "%s is refused, and %s can do much the same: block_calls = [ \"%s\" ];",
			    doors[d].name, doors[d].door, doors[d].door);
	}
}
