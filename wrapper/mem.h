/*
 * mem.h: memory that is given back all at once. A policy owns an arena; what is read into it lives
 * and dies with it. No function here returns NULL: out of memory, or past the limit that no honest
 * policy comes near, is the end.
 */
#ifndef STAGEFENCE_MEM_H
#define STAGEFENCE_MEM_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);                 /* arena_free() it */
void arena_free(struct arena *a);              /* NULL is good */
void *arena_get(struct arena *a, size_t size); /* zeroed, aligned for anything */
void *arena_array(struct arena *a, size_t count, size_t size);
char *arena_text(struct arena *a, const char *text, size_t length);
char *arena_format(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for one more entry behind count: items, or a larger copy of them. Doubles, so appending
 * stays linear. */
void *arena_grow(struct arena *a, const void *items, size_t count, size_t size);

#endif
