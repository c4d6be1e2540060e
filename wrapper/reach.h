/*
 * reach.h: which stages the environment can name, and which of them is the weakest. Whoever can set
 * the variable has the choice, so that a policy is worth as much as that one.
 */
#ifndef STAGEFENCE_REACH_H
#define STAGEFENCE_REACH_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct policy;
struct stage;

/* A stage that nothing else beats: calls that it allows, for some arguments, and another refuses.
 */
struct weak {
	const struct stage *stage;
	const struct call **calls; /* those that a rule names first */
	size_t count;
	const char *more; /* what it grants besides, in words; or NULL */
	size_t alike;     /* further stages that grant the same */
};

/* Native calls only. count 0: all stages refuse the same. Everything belongs to a. */
size_t reach_weakest(const struct policy *p, struct arena *a, struct weak **list);

/* Notes what is weak where no floor is written; file is the policy's. */
void reach_note(const struct policy *p, const char *file, struct arena *a);

/* The same to standard output, and whatever there is to say; lines begin with "weakest stage: ". */
void reach_print(const struct policy *p, struct arena *a);

#endif
