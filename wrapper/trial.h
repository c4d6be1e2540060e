/*
 * trial.h: a command tried under the real fence: /bin/sh -c, behind stagefence, in an empty folder
 * of its own, with a time limit. Nothing of it outlives the trial: no process, no file.
 */
#ifndef STAGEFENCE_TRIAL_H
#define STAGEFENCE_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

enum { TRIAL_OUTPUT_MAX = 64 << 10, TRIAL_FAILURE = 125, TRIAL_SIGNALLED = 128 };

/* Where trials happen. */
struct trial_place {
	bool open;
	const char *wrapper;
	char folder[4096]; /* nobody else's */
	char image[4096 + 16], work[4096 + 16];
};

struct trial {
	bool late;       /* its time was up, and it was killed */
	unsigned status; /* as a shell's $?: 128 and the number of the signal that ended it */
	size_t size;
	/* the first of both streams, without NULs, with one at its end */
	char output[TRIAL_OUTPUT_MAX + 1];
};

/* False: it has been said why not. Until trial_close() this process is the parent of all orphans
 * among its descendants, and signals that would end it wait. */
bool trial_open(struct trial_place *place, const char *wrapper, const void *image, size_t size);

/* False: it did not happen, for a reason that has been said, or because of a signal. */
bool trial_run(const struct trial_place *place, const char *stage, const char *command,
    unsigned seconds, struct trial *t);

/* A signal that came in between is taken now. */
void trial_close(struct trial_place *place);

#endif
