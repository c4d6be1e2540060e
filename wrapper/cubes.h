/*
 * cubes.h: what a clause asks of arguments, as alternatives of masked equality. That is the one
 * comparison that libseccomp always gets right, and that container engines have, too.
 */
#ifndef STAGEFENCE_CUBES_H
#define STAGEFENCE_CUBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "policy.h"

struct arena;
struct clause;

enum { CUBE_ARGUMENTS = 6, CUBES_MAX = 2048 };

/* All of: (argument i & mask[i]) == value[i]; or, where ordered, argument i op[i] value[i]. */
struct cube {
	uint64_t mask[CUBE_ARGUMENTS], value[CUBE_ARGUMENTS];
	enum condition_op op[CUBE_ARGUMENTS];
	uint64_t ordered; /* 1 << argument: of cubes_one_rule() only */
};

struct cubes {
	struct cube *items;
	size_t count;
};

/* False: more than CUBES_MAX. No cubes at all: the clause never holds. */
bool cubes_of(struct arena *a, const struct clause *clause, struct cubes *out);

/*
 * The same as one rule of libseccomp's, where that can be: a comparison of all 64 bits, alone on
 * its argument, would be up to 64 alternatives. Beside other rules on the call it is not to be
 * trusted. False: no use, or not so.
 */
bool cubes_one_rule(struct arena *a, const struct clause *clause, struct cubes *out);

/* What of these no cube of without holds, in pieces. False: more than most, which is at most
 * CUBES_MAX. */
bool cubes_less(struct arena *a, struct cubes *these, const struct cubes *without, size_t most);

#endif
