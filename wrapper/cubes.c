#include "cubes.h"

#include <string.h>

#include "mem.h"
#include "policy.h"

/* Both, or false where they contradict each other. */
static bool merge(struct cube *to, unsigned arg, uint64_t mask, uint64_t value)
{
	if ((to->value[arg] ^ value) & to->mask[arg] & mask)
		return false;
	to->mask[arg] |= mask;
	to->value[arg] |= value;
	return true;
}

static bool add_cube(struct arena *a, struct cubes *to, const struct cube *from, unsigned arg,
    uint64_t mask, uint64_t value)
{
	struct cube cube = *from;

	if (!merge(&cube, arg, mask, value))
		return true;
	/* the bounds of a range give the same prefixes again and again */
	for (size_t i = 0; i < to->count; i++)
		if (memcmp(&to->items[i], &cube, sizeof cube) == 0)
			return true;
	if (to->count == CUBES_MAX)
		return false;
	to->items = arena_grow(a, to->items, to->count, sizeof *to->items);
	to->items[to->count++] = cube;
	return true;
}

/*
 * One condition as alternatives of masked equality, which add to each cube of from. x < v: x agrees
 * with v above one of v's set bits and has that bit clear; x != v: one bit differs; and so on.
 * libseccomp's own orderings are wrong for some pairs of 64-bit values, and it has no masked
 * inequality.
 */
static bool multiply(
    struct arena *a, struct cubes *to, const struct cube *from, const struct condition *c)
{
	enum condition_op op = c->op;
	bool good = true;

	if (op == OP_EQ || op == OP_LE || op == OP_GE)
		good = add_cube(a, to, from, c->arg, c->mask, c->value);
	for (unsigned bit = 0; good && op != OP_EQ && bit < 64; bit++) {
		uint64_t one = (uint64_t)1 << bit, above = c->mask & ~(one | (one - 1));
		bool set = c->value & one;

		if (!(c->mask & one))
			continue;
		if (op == OP_NE)
			good = add_cube(a, to, from, c->arg, one, ~c->value & one);
		else if (set == (op == OP_LT || op == OP_LE))
			good = add_cube(a, to, from, c->arg, above | one,
			    (c->value & above) | (~c->value & one));
	}
	return good;
}

/* A floor may say what the stage says. */
static bool is_repeated(const struct clause *clause, size_t i)
{
	const struct condition *c = &clause->conditions[i];

	for (size_t k = 0; k < i; k++) {
		const struct condition *d = &clause->conditions[k];

		if (c->arg == d->arg && c->op == d->op && c->mask == d->mask &&
		    c->value == d->value)
			return true;
	}
	return false;
}

bool cubes_of(struct arena *a, const struct clause *clause, struct cubes *out)
{
	struct cubes now = { arena_get(a, sizeof(struct cube)), 1 };

	for (size_t i = 0; i < clause->condition_count; i++) {
		struct cubes next = { NULL, 0 };

		if (is_repeated(clause, i))
			continue;
		for (size_t k = 0; k < now.count; k++)
			if (!multiply(a, &next, &now.items[k], &clause->conditions[i]))
				return false;
		now = next;
	}
	*out = now;
	return true;
}

bool cubes_one_rule(struct arena *a, const struct clause *clause, struct cubes *out)
{
	struct cube *cube = arena_get(a, sizeof *cube);

	for (size_t i = 0; i < clause->condition_count; i++) {
		const struct condition *c = &clause->conditions[i];

		if (is_repeated(clause, i))
			continue;
		if (cube->ordered >> c->arg & 1)
			return false;
		if (c->op != OP_EQ) {
			if (c->mask != ~(uint64_t)0 || cube->mask[c->arg] != 0)
				return false;
			cube->op[c->arg] = c->op;
			cube->ordered |= (uint64_t)1 << c->arg;
		}
		if (!merge(cube, c->arg, c->mask, c->value))
			return false;
	}
	*out = (struct cubes){ cube, 1 };
	return cube->ordered != 0;
}

/* The pieces of from outside of hole: each agrees with it up to one bit, and differs there, so that
 * no two of them hold at once. */
static bool add_outside(
    struct arena *a, struct cubes *to, const struct cube *from, const struct cube *hole)
{
	struct cube rest = *from;

	for (unsigned arg = 0; arg < CUBE_ARGUMENTS; arg++)
		if ((from->value[arg] ^ hole->value[arg]) & from->mask[arg] & hole->mask[arg])
			return add_cube(a, to, from, 0, 0, 0);
	for (unsigned arg = 0; arg < CUBE_ARGUMENTS; arg++)
		for (unsigned bit = 64; bit-- > 0;) {
			uint64_t one = (uint64_t)1 << bit;

			if (!(hole->mask[arg] & one) || (rest.mask[arg] & one))
				continue;
			if (!add_cube(a, to, &rest, arg, one, ~hole->value[arg] & one))
				return false;
			merge(&rest, arg, one, hole->value[arg] & one);
		}
	return true;
}

bool cubes_less(struct arena *a, struct cubes *these, const struct cubes *without, size_t most)
{
	for (size_t i = 0; i < without->count; i++) {
		struct cubes next = { NULL, 0 };

		for (size_t k = 0; k < these->count; k++)
			if (!add_outside(a, &next, &these->items[k], &without->items[i]) ||
			    next.count > most)
				return false;
		*these = next;
	}
	return true;
}
