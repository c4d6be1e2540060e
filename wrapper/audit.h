/*
 * audit.h: the kernel's records of refused calls (type=1326, SECCOMP) become sentences, from a log
 * or from the kernel itself. Every byte of a log is distrusted: what comes out is one line of
 * printable ASCII a record (or of JSON), whatever went in.
 */
#ifndef STAGEFENCE_AUDIT_H
#define STAGEFENCE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "calls.h"

struct policy;

/* Begin with the first four set. */
struct audit {
	FILE *out;
	bool json;
	enum abi abi;                /* of records that do not say, as old ones do not */
	const struct policy *policy; /* or NULL: nobody says which rule it was */

	uint64_t lines, refused, logged;
	uint64_t odd;        /* records that cannot be read */
	uint64_t suppressed; /* records of any type that the kernel has not printed */
	uint64_t dropped;    /* the kernel's own count of lost ones: it only grows */
	uint64_t gaps;       /* times that a reader was too slow: how many are lost nobody knows */
};

/* One line, without its end; it need not be text. */
void audit_line(struct audit *t, const char *text, size_t size);

/* All lines of a file, or of standard input ("-"). False: it has been said why not. */
bool audit_file(struct audit *t, const char *name);

/* What the kernel says from now on, until a signal ends it. False: it has been said why not. */
bool audit_live(struct audit *t);

/* The closing line. */
void audit_close(struct audit *t);

#endif
