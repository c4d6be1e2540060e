/*
 * compile.h: a policy becomes a policy image: filters built, proved and laid out.
 */
#ifndef STAGEFENCE_COMPILE_H
#define STAGEFENCE_COMPILE_H

#include <stddef.h>

struct arena;
struct policy;
struct sources;

/* NULL: what could not be compiled has been said. The image belongs to a. */
const void *compile_policy(
    const struct policy *p, const struct sources *sources, struct arena *a, size_t *size);

#endif
