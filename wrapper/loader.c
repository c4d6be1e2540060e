#include "loader.h"

#include <string.h>

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
 * Read off ld.so's of glibc 2.28 to 2.36 and musl 1.2 with strace(1), and off shim.c. vital:
 * without it nothing starts; the others may fail, but not kill. mask and value: the outer fence
 * allows the call if the argument's masked bits are value; mask 0: always. args: an example of the
 * call.
 */
static const struct need {
	const char *name;
	bool vital;
	unsigned arg;
	uint32_t mask, value;
	uint64_t args[6];
} needs[] = {
	{ "openat", true, 2, WRITING, 0, { (uint64_t)-100, 1, CLOEXEC } },
	{ "open", false, 1, WRITING, 0, { 1, CLOEXEC } },
	{ "read", true, 0, 0, 0, { 3, 1, 832 } },
	{ "pread64", true, 0, 0, 0, { 3, 1, 784, 64 } },
	{ "close", true, 0, 0, 0, { 3 } },
	{ "fstat", false, 0, 0, 0, { 3, 1 } },
	{ "newfstatat", true, 0, 0, 0, { 3, 1, 1, 0x1000 } },
	{ "statx", true, 0, 0, 0, { 3, 1, 0x1000, 0x7ff, 1 } },
	{ "stat", false, 0, 0, 0, { 1, 1 } },
	{ "mmap", true, 3, MAP_KIND, MAP_PRIVATE_ONLY,
	    { 0, 4096, 1, MAP_PRIVATE_ONLY | DENYWRITE, 3 } },
	{ "mmap", true, 3, MAP_KIND, MAP_PRIVATE_ONLY,
	    { 4096, 4096, 5, MAP_PRIVATE_ONLY | 0x10 | DENYWRITE, 3 } },
	{ "mmap", true, 3, MAP_KIND, MAP_PRIVATE_ONLY,
	    { 0, 4096, 3, MAP_PRIVATE_ONLY | 0x20, (uint64_t)-1 } },
	{ "mprotect", true, 0, 0, 0, { 4096, 4096, 1 } },
	{ "mprotect", true, 0, 0, 0, { 4096, 4096, 5 } },
	{ "munmap", false, 0, 0, 0, { 4096, 4096 } },
	{ "brk", false, 0, 0, 0, { 0 } },
	{ "access", false, 0, 0, 0, { 1, 4 } },
	{ "faccessat", false, 0, 0, 0, { (uint64_t)-100, 1, 4 } },
	{ "readlink", false, 0, 0, 0, { 1, 1, 4096 } },
	{ "readlinkat", false, 0, 0, 0, { (uint64_t)-100, 1, 1, 4096 } },
	{ "arch_prctl", true, 0, 0, 0, { 0x1002, 4096 } },
	{ "set_tid_address", false, 0, 0, 0, { 4096 } },
	{ "set_robust_list", false, 0, 0, 0, { 4096, 24 } },
	{ "rseq", false, 0, 0, 0, { 4096, 32, 0, 0x53053053 } },
	{ "prlimit64", false, 2, UINT32_MAX, 0, { 0, 3, 0, 1 } },
	{ "getrandom", false, 0, 0, 0, { 1, 8, 1 } },
	{ "futex", false, 0, 0, 0, { 1, 129, 1 } },
	{ "uname", false, 0, 0, 0, { 1 } },
	/* the shim: its image, its fence, and one line where that fails */
	{ "fcntl", true, 1, UINT32_MAX, 1034, { 5, 1034 } },
	{ "seccomp", true, 0, UINT32_MAX, SET_MODE_FILTER,
	    { SET_MODE_FILTER, FILTER_FLAG_TSYNC, 1 } },
	{ "write", false, 0, UINT32_MAX, 2, { 2, 1, 80 } },
	{ "writev", false, 0, UINT32_MAX, 2, { 2, 1, 3 } },
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
	return !action_refuses(action) || (!n->vital && action == SECCOMP_RET_ERRNO);
}

const struct call *loader_lacks(const struct policy *p, const struct stage *s)
{
	for (size_t i = 0; i < NEEDS; i++) {
		const struct call *call = call_of(&needs[i]);

		/* seccomp and fcntl are the shim's: only where there is something for it to do */
		if (call == NULL || strcmp(needs[i].name, "seccomp") == 0 ||
		    strcmp(needs[i].name, "fcntl") == 0 || strcmp(needs[i].name, "statx") == 0)
			continue;
		if (!satisfied(p, s, &needs[i], call))
			return call;
	}
	return NULL;
}

size_t loader_clauses(const struct call *call, struct arena *a, struct clause **list)
{
	*list = NULL;
	for (size_t i = 0; i < NEEDS; i++) {
		struct condition *c;

		if (call == NULL || call_of(&needs[i]) != call)
			continue;
		*list = arena_get(a, sizeof **list);
		(*list)->decision.action = SECCOMP_RET_ALLOW;
		if (needs[i].mask != 0) {
			c = arena_get(a, sizeof *c);
			*c = (struct condition){ .arg = needs[i].arg, .op = OP_EQ,
				.mask = needs[i].mask, .value = needs[i].value };
			(*list)->conditions = c;
			(*list)->condition_count = 1;
		}
		return 1; /* the rows of one call differ in their examples only */
	}
	return 0;
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
