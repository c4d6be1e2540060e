/*
 * line.h: a line put together in memory of a fixed size, out of text that an enemy may have
 * written.
 *
 * What leaves here is one line of UTF-8 that no terminal takes for a command and no reader for
 * another line: no control characters (C0, C1, DEL), nothing that turns the direction of text round
 * or is invisible, no broken UTF-8. Too long is cut, never an error; nothing is allocated.
 */
#ifndef STAGEFENCE_LINE_H
#define STAGEFENCE_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* Begin with line_begin(). text ends in a NUL at all times. */
struct line {
	char *text;
	size_t size, used;
	bool cut; /* something did not fit */
};

void line_begin(struct line *l, char *text, size_t size);

/* Our own words, as they are. */
void line_put(struct line *l, const char *text);
void line_format(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * A C string literal, as strace(1) prints one: "a\tb\33". at_most bytes are shown, at the least
 * room permitting, then ... follows behind the closing quote; more: text goes on beyond size bytes.
 */
void line_quoted(struct line *l, const char *bytes, size_t size, size_t at_most, bool more);

/* A ? for each byte that does not belong on a line; spaces stay. */
void line_plain(struct line *l, const char *bytes, size_t size);

#endif
