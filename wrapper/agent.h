/*
 * agent.h: a stage's listener goes to somebody else's agent, as the OCI runtime specification has
 * it (config-linux.md: listenerPath, listenerMetadata, "The Container Process State").
 */
#ifndef STAGEFENCE_AGENT_H
#define STAGEFENCE_AGENT_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* The agent's socket; the caller closes it. -1: it has been said why not. */
int agent_connect(const char *stage, const char *path);

/* What the agent is told of process pid, which starts in folder; the caller frees it. */
char *agent_state(struct arena *a, const char *stage, const char *metadata, int pid,
    const char *folder, size_t *size);

/* The state, and the listener with its first bytes. False: it has been said why not. */
bool agent_give(const char *stage, int agent, int listener, const char *text, size_t size);

#endif
