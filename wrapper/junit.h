/*
 * junit.h: results of tests as the XML that CI services read, GitLab's reading of JUnit above all.
 */
#ifndef STAGEFENCE_JUNIT_H
#define STAGEFENCE_JUNIT_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

enum verdict { PASSED, FAILED, SKIPPED };

struct result {
	const char *suite; /* those of one suite follow each other */
	const char *name;
	const char *file;
	int line;
	double seconds;
	enum verdict verdict;
	const char *why; /* lines, the first one for those in a hurry; NULL: passed */
};

/* To path, all or nothing. False: it has been said why not. */
bool junit_write(const char *path, const struct result *results, size_t count, struct arena *a);

#endif
