/*
 * load.h: mapping a policy image: the system's compiled one while it is fresh, or a sealed memfd's.
 *
 * Nothing here speaks or exits: the shim takes any trouble to the wrapper, and the wrapper says it.
 */
#ifndef STAGEFENCE_LOAD_H
#define STAGEFENCE_LOAD_H

#include "image.h"
#include "paths.h"
#include "trust.h"

/* What stands in the way of an image: the path's trust, or the image itself. */
struct load_refusal {
	enum { LOAD_STALE, LOAD_UNTRUSTED, LOAD_FAULTY } why;
	struct trust_refusal trust;
	enum image_fault fault;
};

/* The image in fd, which stays the caller's; or NULL. */
static inline const struct image_header *load_map(int fd, uint64_t size, enum image_fault *fault)
{
	const void *data = size == 0 || size > IMAGE_SIZE_MAX
	    ? NULL
	    : raw_map((size_t)size, RAW_PROT_READ, RAW_MAP_PRIVATE, fd);

	*fault = data == NULL ? IMAGE_WRONG_SIZE : image_check(data, (size_t)size);
	return *fault == IMAGE_GOOD ? image_header(data) : NULL;
}

/* The system's image, or NULL. LOAD_STALE: none is there that is fresh and of this version; compile
 * the policy. */
static inline const struct image_header *load_system(unsigned trust_flags, struct load_refusal *no)
{
	struct raw_stat st;
	int fd = trust_open(PATH_IMAGE, trust_flags, &st, &no->trust);

	if (fd < 0) {
		no->why = no->trust.error == RAW_ENOENT ? LOAD_STALE : LOAD_UNTRUSTED;
		return NULL;
	}

	const struct image_header *h = load_map(fd, st.size, &no->fault);

	raw_close(fd);
	no->why = no->fault == IMAGE_GOOD || no->fault == IMAGE_OTHER_FORMAT ? LOAD_STALE
									     : LOAD_FAULTY;
	return h != NULL && image_fresh(h) ? h : NULL;
}

/* Is fd a memfd that nobody can change any more? */
static inline bool load_sealed(int fd)
{
	long seals = raw_fcntl(fd, RAW_F_GET_SEALS, 0);

	return seals >= 0 && (seals & RAW_SEALS) == RAW_SEALS;
}

#endif
