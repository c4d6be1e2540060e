/*
 * say.h: the only code of stagefencectl that writes to stderr, and what it says so far decides the
 * exit status.
 *
 * "program: file:line: what is wrong", one line each, whatever a policy's names contain. Only main
 * and mem.c die.
 */
#ifndef STAGEFENCE_SAY_H
#define STAGEFENCE_SAY_H

#include <stdbool.h>
#include <stddef.h>

extern const char *say_program;

/* Mistakes. line 0: the whole file. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Not a mistake, but worth a thought: "program: file:line: note: ...". Silent unless say_notes was
 * called. */
void say_note(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void say_notes(bool on);

/* Mistakes said until now. */
unsigned say_count(void);

/* From now on mistakes and notes are kept instead of written, for whoever asks. */
struct said {
	const char *file; /* or NULL */
	const char *text;
	int line;
	bool note;
};

void say_keep(void);
size_t say_kept(const struct said **said);

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
