/*
 * export.h: a stage in the words of others: a container engine's profile, a systemd unit's lines,
 * or the bare filter. What is written was built as they build it and judged against the policy;
 * what does not mean the same there is said, call by call, and not written unless that is wanted.
 */
#ifndef STAGEFENCE_EXPORT_H
#define STAGEFENCE_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct policy;
struct stage;

enum export_format { EXPORT_OCI, EXPORT_BPF, EXPORT_PFC, EXPORT_SYSTEMD, EXPORT_C };

bool export_named(const char *name, enum export_format *format);

/*
 * NULL: it has been said what cannot be carried over. With lossy that is a note: a call with
 * conditions that cannot be said gets the strictest of its answers, whatever its arguments. What is
 * returned belongs to a.
 */
const void *export_stage(const struct policy *p, const struct stage *s, enum export_format format,
    bool lossy, struct arena *a, size_t *size);

/* What a pod says to use the profile in a file of this name, as YAML. */
const char *export_pod(const struct stage *s, const char *path, struct arena *a);

#endif
