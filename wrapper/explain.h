/*
 * explain.h: what a policy means, in words that a person can act on: the whole of it (show), one
 * call (explain), and what is different between two (diff). All to standard output.
 */
#ifndef STAGEFENCE_EXPLAIN_H
#define STAGEFENCE_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "policy.h"

struct arena;
struct json;

/* "==", ... */
const char *explain_op(enum condition_op op);

/* Can the call come in at all: by the native ABI, or by one that the stage admits? */
bool explain_can_come(const struct stage *s, const struct call *call);

/* A call's decision list as it is said: without what never decides. */
size_t explain_list(const struct policy *p, const struct stage *s, const struct call *call,
    struct arena *a, struct clause **list);

/* Conditions and actions, whatever rules they come from. */
bool explain_same_lists(const struct clause *x, size_t n, const struct clause *y, size_t m);

/* "arg 1 == TIOCSTI and arg 2 & O_CREAT != 0" */
const char *explain_conditions(struct arena *a, const struct condition *c, size_t count);

/* "stagefence.conf:12", and by what it is implied; "no rule" for none. */
const char *explain_origin(struct arena *a, const struct rule *r);

/*
 * The effective policy of every stage, or of only, as policy text, each rule with the file and line
 * that it comes from. Read back in, it means the same.
 */
void explain_show(const struct policy *p, const struct stage *only, struct arena *a);

/* What happens to a call, which rule decides and what would change it. args NULL: under every
 * condition. */
void explain_call(const struct policy *p, const struct stage *s, const struct call *call,
    const uint64_t *args, struct arena *a);

/* To standard output, or into the open array of a document. Every call whose answers differ between
 * two stages, and every attribute; of two policies also their patterns. False: at least one does.
 */
bool explain_diff(const struct policy *p, const struct stage *s, const struct policy *q,
    const struct stage *t, struct json *j, struct arena *a);

/* The same of what two policies say once for all stages. */
bool explain_diff_top(
    const struct policy *p, const struct policy *q, struct json *j, struct arena *a);

#endif
