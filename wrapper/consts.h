/*
 * Names for numbers: the constants of consts.def, errnos and signals, read from a policy's text
 * and given back for messages. Only facts and words: no policy, nothing written anywhere, no
 * library.
 */
#ifndef CONSTS_H
#define CONSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* On others are known those that are the same everywhere. The first two are as false and true. */
enum consts_of { CONSTS_X86_64, CONSTS_AARCH64, CONSTS_ELSEWHERE };

/* False: there is none of this name, or none on this architecture. */
bool const_value(const char *name, size_t length, enum consts_of of, uint64_t *value);

/*
 * "O_WRONLY | O_CREAT", "CLONE_NEWUSER|0x20", "65535", "0x10", "0o755", "-1". "0755" is refused,
 * for half of its readers take it for octal. A negative number, also under a name (AT_FDCWD), is
 * two's complement in 64 bits and stands alone. False: *bad and *bad_length are the part of the
 * text that is at fault, of length 0 where something is missing.
 */
bool const_read(
    const char *text, enum consts_of of, uint64_t *value, const char **bad, size_t *bad_length);

/* A name of consts.def or a decimal number: 1 to 4095, which is all that a filter can return. */
bool const_errno(const char *text, unsigned *value);
const char *const_errno_name(unsigned value); /* NULL: it has none */

/* The same for signals, 1 to 64. The real-time ones have names at the kernel's two ends only. */
bool const_signal(const char *text, int *value);
const char *const_signal_name(int value);

/* What someone who wrote this unknown word may have meant, or NULL. Case does not count. */
const char *const_nearest(const char *word);
const char *const_errno_nearest(const char *word);

/*
 * A name that begins with prefix and has this value there, or NULL. Negative ones are also found
 * by their 32 bits: an int's upper half in a register is whatever the compiler left.
 */
const char *const_name(const char *prefix, enum consts_of of, uint64_t value);

/* All but the errnos, sorted by name. NULL: the architecture has no such constant; go on. */
size_t const_count(void);
const char *const_at(size_t i, enum consts_of of, uint64_t *value);

#endif
