/*
 * alone.h: a forked process that is cut off from all it has of its parent's but memory, before it
 * runs code of others.
 */
#ifndef STAGEFENCE_ALONE_H
#define STAGEFENCE_ALONE_H

#include <stdbool.h>
#include <stddef.h>

enum { ALONE_FIRST = 3, ALONE_MAX = 2 };

/*
 * Of the descriptors only keep's are left, as ALONE_FIRST, ALONE_FIRST + 1, ... and close-on-exec;
 * standard streams are /dev/null. No environment, signals as a new program has them, no core dump,
 * a process group of its own, and death with the parent. False: errno says what was in the way.
 */
bool alone_with(const int *keep, size_t count);

#endif
