/*
 * decode.h: a refused call as strace(1) would print it: mkdir("out", 0777).
 *
 * What pointers point to is read from the caller's memory, where it can change at any time, also
 * while it is read: it is for a reader's eyes and decides nothing. The contents of buffers are
 * never read: what a program sends may be a secret.
 */
#ifndef STAGEFENCE_DECODE_H
#define STAGEFENCE_DECODE_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include "calls.h"

enum { DECODE_SIZE = 2048 };

struct decoded {
	const char *name;        /* of the call, or "syscall_0x1f3" */
	const char *abi;         /* where it is not the native one; or NULL */
	const struct call *call; /* NULL: no table knows it */
	unsigned count;
	const char *args[6];
	char text[DECODE_SIZE]; /* holds the args, each ending in a NUL */
};

/* memory false: the caller may be gone, and its pid another's; pointers stay numbers. */
void decode_call(struct decoded *d, const struct seccomp_data *data, int pid, bool memory);

/* The ABI that a call came by; false: none that we know. */
bool decode_abi(const struct seccomp_data *data, enum abi *abi);

/* Every word of decode.def: is it known? NULL, or the first that is not, for the tests. */
const char *decode_check(void);

#endif
