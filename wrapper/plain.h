/*
 * plain.h: text from anywhere, made fit for a terminal, a log and XML: UTF-8 without control
 * characters.
 */
#ifndef STAGEFENCE_PLAIN_H
#define STAGEFENCE_PLAIN_H

#include <stddef.h>
#include <stdio.h>

struct arena;

/* A copy with a ? for each byte that does not belong there; line ends and tabs stay. */
char *plain_text(struct arena *a, const char *text, size_t size);

/* The same on one line: line ends and tabs are spaces. */
char *plain_line(struct arena *a, const char *text);

enum { PLAIN_WIDTH = 100 };

/*
 * A comment of a policy's text, in lines of at most PLAIN_WIDTH columns that begin with mark ("# *
 * "). Whatever a file is called and says, it stays a comment.
 */
void plain_comment(FILE *to, const char *mark, const char *text);

#endif
