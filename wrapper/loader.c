#include "loader.h"

#include <string.h>

#include "../preload/fence.h"
#include "calls.h"
#include "mem.h"
#include "policy.h"

enum {
	/* what openat(2) must not have in its flags: anything that writes, creates or truncates
	   (fcntl.h) */
	WRITING = 0x3 | 0100 | 01000 | 02000 | 020000000,
	MAP_KIND = 0x3,
	MAP_PRIVATE_ONLY = 0x2,
	SET_MODE_FILTER = 1,
	FILTER_FLAG_TSYNC = 1,
	CLOEXEC = 02000000,
	DENYWRITE = 04000
};

/*
 * Read off ld.so's of glibc 2.28 to 2.36 and musl 1.2 with strace(1), and off shim.c. Without a
 * VITAL one nothing starts; a TOLERANT one may fail, but not kill; a SHIM one matters only where
 * there is a shim at work. The outer fence allows the call if the argument's masked bits are value;
 * mask 0: always. args: an example.
 */
static const struct need {
	const char *name;
	enum { VITAL, TOLERANT, SHIM } kind;
	unsigned arg;
	uint64_t mask, value;
	uint64_t args[6];
} needs[] = {
	{ "openat", VITAL, 2, WRITING, 0, { (uint64_t)-100, 1, CLOEXEC } },
	{ "open", TOLERANT, 1, WRITING, 0, { 1, CLOEXEC } },
	{ "read", VITAL, 0, 0, 0, { 3, 1, 832 } },
	{ "pread64", VITAL, 0, 0, 0, { 3, 1, 784, 64 } },
	{ "close", VITAL, 0, 0, 0, { 3 } },
	{ "fstat", TOLERANT, 0, 0, 0, { 3, 1 } },
	{ "newfstatat", VITAL, 0, 0, 0, { 3, 1, 1, 0x1000 } },
	{ "statx", SHIM, 0, 0, 0, { 3, 1, 0x1000, 0x7ff, 1 } },
	{ "stat", TOLERANT, 0, 0, 0, { 1, 1 } },
	{ "mmap", VITAL, 3, MAP_KIND, MAP_PRIVATE_ONLY,
	    { 0, 4096, 1, MAP_PRIVATE_ONLY | DENYWRITE, 3 } },
	{ "mmap", VITAL, 3, MAP_KIND, MAP_PRIVATE_ONLY,
	    { 4096, 4096, 5, MAP_PRIVATE_ONLY | 0x10 | DENYWRITE, 3 } },
	{ "mmap", VITAL, 3, MAP_KIND, MAP_PRIVATE_ONLY,
	    { 0, 4096, 3, MAP_PRIVATE_ONLY | 0x20, (uint64_t)-1 } },
	{ "mprotect", VITAL, 0, 0, 0, { 4096, 4096, 1 } },
	{ "mprotect", VITAL, 0, 0, 0, { 4096, 4096, 5 } },
	{ "munmap", TOLERANT, 0, 0, 0, { 4096, 4096 } },
	{ "brk", TOLERANT, 0, 0, 0, { 0 } },
	{ "access", TOLERANT, 0, 0, 0, { 1, 4 } },
	{ "faccessat", TOLERANT, 0, 0, 0, { (uint64_t)-100, 1, 4 } },
	{ "readlink", TOLERANT, 0, 0, 0, { 1, 1, 4096 } },
	{ "readlinkat", TOLERANT, 0, 0, 0, { (uint64_t)-100, 1, 1, 4096 } },
	{ "arch_prctl", VITAL, 0, 0, 0, { 0x1002, 4096 } },
	{ "set_tid_address", TOLERANT, 0, 0, 0, { 4096 } },
	{ "set_robust_list", TOLERANT, 0, 0, 0, { 4096, 24 } },
	{ "rseq", TOLERANT, 0, 0, 0, { 4096, 32, 0, 0x53053053 } },
	{ "prlimit64", TOLERANT, 2, ~(uint64_t)0, 0, { 0, 3, 0, 1 } },
	{ "getrandom", TOLERANT, 0, 0, 0, { 1, 8, 1 } },
	{ "futex", TOLERANT, 0, 0, 0, { 1, 129, 1 } },
	{ "uname", TOLERANT, 0, 0, 0, { 1 } },
	/* the shim: its image, its fence, and one line where that fails */
	{ "fcntl", TOLERANT, 1, UINT32_MAX, 2, { 3, 2, 1 } },
	{ "fcntl", SHIM, 1, UINT32_MAX, 1034, { 5, 1034 } },
	{ "seccomp", SHIM, 0, UINT32_MAX, SET_MODE_FILTER,
	    { SET_MODE_FILTER, FILTER_FLAG_TSYNC, 1 } },
	{ "prctl", SHIM, 0, UINT32_MAX, FENCE_OPTION, { FENCE_OPTION } },
	{ "write", SHIM, 0, UINT32_MAX, 2, { 2, 1, 80 } },
	{ "writev", TOLERANT, 0, UINT32_MAX, 2, { 2, 1, 3 } },
};

enum { NEEDS = sizeof needs / sizeof needs[0] };

/* On one architecture a need may have no number: it is another call's there. */
static const struct call *call_of(const struct need *n)
{
	const struct call *call = call_named(n->name);

	return call != NULL && call->nr[abi_native()] >= 0 ? call : NULL;
}

static bool satisfied(
    const struct policy *p, const struct stage *s, const struct need *n, const struct call *call)
{
	struct seccomp_data d = { .nr = call->nr[abi_native()],
		.arch = abi_audit_arch(abi_native()) };
	uint32_t action;

	memcpy(d.args, n->args, sizeof d.args);
	action = policy_decide(p, s, &d).action & SECCOMP_RET_ACTION_FULL;
	return !action_refuses(action) || (n->kind != VITAL && action == SECCOMP_RET_ERRNO);
}

const struct call *loader_lacks(const struct policy *p, const struct stage *s)
{
	for (size_t i = 0; i < NEEDS; i++) {
		const struct call *call = call_of(&needs[i]);

		/* ours alone: only where there is something for the shim to do */
		if (call == NULL || needs[i].kind == SHIM)
			continue;
		if (!satisfied(p, s, &needs[i], call))
			return call;
	}
	return NULL;
}

static bool same_condition(const struct need *x, const struct need *y)
{
	return x->arg == y->arg && x->mask == y->mask && x->value == y->value;
}

size_t loader_clauses(const struct call *call, struct arena *a, struct clause **list)
{
	const struct need *last = NULL;
	size_t count = 0;

	*list = NULL;
	for (const struct need *n = needs; n < needs + NEEDS; n++) {
		struct condition *c;

		/* rows that differ in their examples only stand together */
		if (call == NULL || call_of(n) != call || (last != NULL && same_condition(last, n)))
			continue;
		last = n;
		*list = arena_grow(a, *list, count, sizeof **list);
		(*list)[count] = (struct clause){ .decision = decision_of(
						      SECCOMP_RET_ALLOW, NULL) };
		if (n->mask != 0) {
			c = arena_get(a, sizeof *c);
			*c = (struct condition){
				.arg = n->arg, .op = OP_EQ, .mask = n->mask, .value = n->value
			};
			(*list)[count].conditions = c;
			(*list)[count].condition_count = 1;
		}
		count++;
	}
	return count;
}

bool loader_may_exec(const struct policy *p, const struct stage *s, struct arena *a)
{
	struct clause *list;
	size_t count = policy_list(p, s, call_named("execve"), a, &list);

	for (size_t i = 0; i < count; i++)
		if (action_refuses(list[i].decision.action))
			return false;
	return true;
}
