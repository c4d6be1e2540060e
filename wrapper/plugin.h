/*
 * plugin.h: rules from a shared library of the site's own (stagefence-plugin.h). The only file that
 * knows dlopen(3).
 *
 * A plugin runs in a process of its own, and its rules come back over a pipe, where they are
 * distrusted like a policy's text: whatever it does, it cannot change the compiler, and a crash or
 * a hang is one more mistake in the policy.
 */
#ifndef STAGEFENCE_PLUGIN_H
#define STAGEFENCE_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct level;
struct origin;

struct plugin_stage {
	const char *name;
	struct level *level; /* gets the rules, as they came: to be closed and sorted */
};

/*
 * Asks the plugin in fd, which stays the caller's, about each of the stages. path is what messages
 * call it, and its rules' origin; at is where the policy names it. False: it has been said what is
 * wrong. What the levels get belongs to a.
 */
bool plugin_ask(struct arena *a, const char *path, int fd, const struct origin *at,
    const struct plugin_stage *stages, size_t count);

#endif
