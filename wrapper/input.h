/*
 * input.h: a foreign file, whole, to be imported. Whoever calls may read it, and nothing is run on
 * its word: no question of trust.
 */
#ifndef STAGEFENCE_INPUT_H
#define STAGEFENCE_INPUT_H

#include <stddef.h>

struct arena;

/*
 * At most max + 1 bytes, so that a reader sees that there are too many. path "-" is standard input;
 * *name is what to call it. NULL: it has been said why not.
 */
const char *input_read(
    struct arena *a, const char *path, size_t max, const char **name, size_t *size);

#endif
