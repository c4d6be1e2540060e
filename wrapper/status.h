/*
 * status.h: is a fence of this policy in force? Of ourselves the kernel is asked, by the question
 * that every program of ours answers; of another process root can read all filters back, and they
 * are compared with the image, instruction for instruction.
 */
#ifndef STAGEFENCE_STATUS_H
#define STAGEFENCE_STATUS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct arena;
struct image_header;

struct status {
	FILE *out;
	const struct image_header *image;
	const char *stage; /* this one and no other; or NULL */
	pid_t pid;         /* 0: whoever started us */
	bool verify, json;
};

/* True: it is. False: it is not, or nobody knows; that has been said. */
bool status_tell(const struct status *s, struct arena *a);

#endif
