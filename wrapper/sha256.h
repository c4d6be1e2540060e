/*
 * sha256.h: SHA-256 (FIPS 180-4), for the digests that name a policy. Nothing here is a secret.
 */
#ifndef STAGEFENCE_SHA256_H
#define STAGEFENCE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32 };

struct sha256 {
	uint32_t state[8];
	uint64_t length; /* bytes so far */
	unsigned char block[64];
};

void sha256_start(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t size);
void sha256_text(
    struct sha256 *s, const char *text); /* with its NUL, so that "ab" "c" is not "a" "bc" */
void sha256_word(struct sha256 *s, uint32_t word);
void sha256_end(struct sha256 *s, unsigned char digest[SHA256_SIZE]);

#endif
