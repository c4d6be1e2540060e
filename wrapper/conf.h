/*
 * conf.h: policy text, read with libconfig, becomes a policy. The only file that knows libconfig.
 */
#ifndef STAGEFENCE_CONF_H
#define STAGEFENCE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include "../preload/raw.h"

struct arena;
struct policy;

enum source_origin {
	SOURCE_GIVEN,  /* -c */
	SOURCE_VENDOR, /* comes with stagefence, or with another package */
	SOURCE_SYSTEM, /* the administrator's main file */
	SOURCE_DROP_IN,
	SOURCE_PLUGIN,
	SOURCE_PROFILE /* a container's, as a base */
};

/* A file or folder that a policy was made from, as it was when it was opened. Absent ones count:
 * they may come. */
struct source {
	const char *path; /* absolute */
	bool present;
	struct raw_stat st;
	enum source_origin origin;
	bool empty;        /* or a link to /dev/null: there to mask another */
	const char *masks; /* the file that is not read because of this one; or NULL */
};

struct sources {
	struct source *items;
	size_t count;
};

/* "vendor", "drop-in", ... */
const char *conf_origin_text(enum source_origin origin);

/*
 * Reads the policy in path, or with NULL the system's (/etc/stagefence), and the vendor's groups
 * and profiles. vendor is a folder. NULL: there were mistakes, and each has been said. Everything
 * returned belongs to a.
 */
struct policy *conf_read(
    struct arena *a, const char *path, const char *vendor, struct sources *sources);

/* "1.5.0": the libconfig that we were built with; it does not tell which one is running. */
const char *conf_library(struct arena *a);

#endif
