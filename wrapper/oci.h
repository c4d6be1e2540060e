/*
 * oci.h: seccomp profiles of OCI runtimes, Docker, Podman and Kubernetes, in JSON: the runtime
 * specification's linux.seccomp, alone or inside a whole config.json, and Docker's and Podman's own
 * form with archMap, includes and excludes. Read strictly, and understood as the engines do: what
 * crun installs is what it means here, which is compared with libseccomp's own answer each time.
 */
#ifndef STAGEFENCE_OCI_H
#define STAGEFENCE_OCI_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct level;

/* The capabilities that includes and excludes ask about: a container's bounding set. */
struct oci_capabilities {
	const char **items;
	size_t count;
};

/* "CAP_SYS_ADMIN" */
bool oci_capability(const char *name);

/*
 * What a profile says, sorted; it belongs to a, and so must file. NULL: its mistakes have been
 * said.
 */
const struct level *oci_level(struct arena *a, const char *file, const char *text, size_t size,
    const struct oci_capabilities *has);

/*
 * The profile in path as a policy's text, which belongs to a. What is not carried over has been
 * said as a note and stands in the text. NULL: the file is bad, and that has been said. path "-" is
 * standard input.
 */
const char *oci_read(struct arena *a, const char *path);

/* The same for a text that is there already. */
const char *oci_policy(struct arena *a, const char *file, const char *text, size_t size);

#endif
