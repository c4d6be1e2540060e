/*
 * close.h: what a refusal takes along, so that it cannot be stepped around: siblings
 * (families.def), calls that hide in memory what a condition restricts, and io_uring, whose rings
 * make calls of their own.
 */
#ifndef STAGEFENCE_CLOSE_H
#define STAGEFENCE_CLOSE_H

struct arena;
struct level;

/*
 * Adds to a level what its rules imply, each with the origin of the rule that implies it. What the
 * level names itself stays as it says. To be called once, before policy_sort().
 */
void close_level(struct arena *a, struct level *level);

/* Says, as notes, which doors beside its refusals a level leaves open, and the line that would shut
 * them. */
void close_notes(struct arena *a, const struct level *level);

#endif
