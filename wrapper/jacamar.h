/*
 * jacamar.h: what Jacamar CI's jacamar.toml says of system calls ([auth.seccomp], and no_new_privs
 * of [auth]), written as a policy of ours. Keys and their meaning are those of Jacamar CI's
 * administration guide, "Configuring and Troubleshooting Seccomp".
 */
#ifndef STAGEFENCE_JACAMAR_H
#define STAGEFENCE_JACAMAR_H

#include <stddef.h>

struct arena;

/*
 * The policy's text, which belongs to a. What could not be carried over has been said as a mistake
 * and stands in the text; what is different has been said as a note. NULL: the file is bad, and
 * that has been said. path "-" is standard input.
 */
const char *jacamar_read(struct arena *a, const char *path);

/* The same for a text that is there already. */
const char *jacamar_policy(struct arena *a, const char *file, const char *text, size_t size);

#endif
