/*
 * doctor.h: what this kernel and machine offer, each thing asked for and none guessed from a
 * version, against what the stages of a policy need: what is lost here, and what to do.
 */
#ifndef STAGEFENCE_DOCTOR_H
#define STAGEFENCE_DOCTOR_H

#include <stdbool.h>
#include <stdio.h>

#include "probe.h"

struct arena;
struct image_header;

struct doctor {
	FILE *out;
	bool json;
	const struct image_header *image; /* NULL: there is none, and it has been said why */
	const char *conf;                 /* what -c names; or NULL: the system's policy */
	const char *wrapper, *shim;       /* where a launch finds them */
	struct probe level;               /* doctor_level() */
};

/* libseccomp's level here; to be asked first of all, since compiling settles on one. */
struct probe doctor_level(void);

/* True: nothing that the policy needs is lost. */
bool doctor_tell(const struct doctor *d, struct arena *a);

#endif
