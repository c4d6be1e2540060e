/*
 * plain.h: text from anywhere, made fit for a terminal, a log and XML: UTF-8 without control
 * characters.
 */
#ifndef STAGEFENCE_PLAIN_H
#define STAGEFENCE_PLAIN_H

#include <stddef.h>

struct arena;

/* A copy with a ? for each byte that does not belong there; line ends and tabs stay. */
char *plain_text(struct arena *a, const char *text, size_t size);

/* The same on one line: line ends and tabs are spaces. */
char *plain_line(struct arena *a, const char *text);

#endif
