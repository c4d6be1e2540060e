/*
 * loader.h: what execve(2), a dynamic loader and the shim's constructor do before main; and whether
 * a stage lets them. Where it does not, the wrapper raises an outer fence that does, and the shim
 * raises the exact one.
 */
#ifndef STAGEFENCE_LOADER_H
#define STAGEFENCE_LOADER_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct call;
struct clause;
struct policy;
struct stage;

/* Does the stage allow all that? NULL: yes. Otherwise the first call that it does not. */
const struct call *loader_lacks(const struct policy *p, const struct stage *s);

/* The clauses that go before a stage's own list for this call in an outer fence. Returns how many,
 * often 0. */
size_t loader_clauses(const struct call *call, struct arena *a, struct clause **list);

/* Is execve(2) allowed whatever its arguments? If not, the wrapper's own goes through by its
 * cookie. */
bool loader_may_exec(const struct policy *p, const struct stage *s, struct arena *a);

#endif
