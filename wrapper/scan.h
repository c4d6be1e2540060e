/*
 * scan.h: a look at a policy's text before libconfig sees it, for what its versions read
 * differently or not at all.
 *
 * libconfig 1.5 to 1.8 disagree on numbers with leading zeros, over 31 bits or in binary and on
 * trailing commas; all of them take a comment that never ends for the end of the file, and an
 * @include for a file in the current folder. A policy must mean the same everywhere, so each of
 * these is a mistake.
 */
#ifndef STAGEFENCE_SCAN_H
#define STAGEFENCE_SCAN_H

#include <stdbool.h>
#include <stddef.h>

enum { SCAN_SIZE_MAX = 1 << 20, SCAN_DEPTH_MAX = 32 };

/* Says each mistake with its line; true: none. text is size bytes and need not end in a NUL. */
bool scan_text(const char *file, const char *text, size_t size);

/* How long the UTF-8 sequence at p is (RFC 3629: no overlong forms, no surrogates), or 0. left is
 * at least 1. */
size_t scan_utf8(const unsigned char *p, size_t left);

#endif
