/*
 * probe.h: a question to the kernel, asked by a child of ours: a filter around us may answer it
 * with death.
 */
#ifndef STAGEFENCE_PROBE_H
#define STAGEFENCE_PROBE_H

struct probe {
	enum {
		PROBE_TOLD,
		PROBE_KILLED, /* result is the signal */
		PROBE_UNASKED /* result is an errno: there is no child to ask in */
	} how;
	long result;
};

/* What question(about) returns in the child. Whatever else it does there is undone by its end. */
struct probe probe_ask(long (*question)(const void *about), const void *about);

#endif
