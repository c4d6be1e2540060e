/*
 * where.h: who made a call, and from where: the program, and the script and line that the nearest
 * bash above it is at.
 *
 * A process can lie about itself, and about the bash that it is: all of this is for a reader's eyes
 * and decides nothing. Whatever is read is bounded, and made fit to be shown.
 */
#ifndef STAGEFENCE_WHERE_H
#define STAGEFENCE_WHERE_H

#include <stdbool.h>

enum { WHERE_PROGRAM = 48, WHERE_SCRIPT = 160 };

struct where {
	char program[WHERE_PROGRAM]; /* as /proc calls it: at most 15 bytes of its name */
	int pid;                     /* the process's, for any of its threads */
	char script[WHERE_SCRIPT];   /* as bash knows it; "-c", "stdin"; or "" */
	unsigned line;               /* 0: not known */
};

struct finder;

/* Opens /proc. NULL: out of memory. Where /proc is another pid namespace's, nothing is found. */
struct finder *where_open(void); /* where_close() it */
void where_close(struct finder *f);

/* No process above this one is looked at: the outermost one of the fence. */
void where_within(struct finder *f, int pid);

/* False: it is gone, or cannot be seen; then w says only what tid is. */
bool where_is(struct finder *f, int tid, struct where *w);

/* The process of a thread; 0: not known. Any thread may ask, at any time. */
int where_process(const struct finder *f, int tid);

/* Does no_new_privs hold for it? */
bool where_no_new_privs(struct finder *f, int tid);

#endif
