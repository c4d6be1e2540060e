/*
 * confine.h: the supervisor's own filter. What reads the memory of confined processes may be led
 * astray by it: any call but those that it takes to look, to tell and to refuse ends the process,
 * and from then on the kernel refuses the job's calls.
 */
#ifndef STAGEFENCE_CONFINE_H
#define STAGEFENCE_CONFINE_H

#include <stdbool.h>

/* For every thread. no_new_privs must be set. False: it has been said why not. */
bool confine_self(void);

#endif
