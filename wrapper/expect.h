/*
 * expect.h: what a policy says of itself in its expect lists, tried. Calls are put to the compiled
 * filters, commands are run under them.
 */
#ifndef STAGEFENCE_EXPECT_H
#define STAGEFENCE_EXPECT_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct policy;
struct result;

/* What to try, and with what. */
struct expect {
	const struct policy *policy;
	const void *image; /* the policy, compiled */
	size_t image_size;
	const char *file;    /* the policy's, for a note that there is nothing to try */
	const char *stage;   /* this one only, or NULL */
	const char *wrapper; /* the program stagefence */
	const char *junit;   /* a report for machines goes there, or NULL */
	bool quiet;          /* no TAP: the results are for the caller */
	struct result *results;
	size_t count;
};

/* TAP on standard output. True: all is as expected. Otherwise the TAP says what is not, or it has
 * been said why there is none. */
bool expect_test(struct expect *e, struct arena *a);

#endif
