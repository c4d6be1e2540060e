/*
 * peek.h: another process's memory, read and never believed. What is not there is not read: no
 * address, however wrong, is an error here.
 *
 * A page may be one that its owner serves himself (userfaultfd, a FUSE file): then reading takes as
 * long as he likes.
 */
#ifndef STAGEFENCE_PEEK_H
#define STAGEFENCE_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes from the first on could be read. pid may be a thread's. */
size_t peek(int pid, uint64_t address, void *to, size_t size);

/* Bytes up to a NUL, which is not counted, or up to size: then *whole is false. False: not even the
 * first can be read. */
bool peek_text(int pid, uint64_t address, char *to, size_t size, size_t *length, bool *whole);

/* A descriptor of the /proc of our own pid namespace, or -1: there is none. It stays the caller's.
 */
void peek_through(int proc);

/* Has every attempt since the last one that went well been answered "not permitted"? */
bool peek_forbidden(void);

#endif
