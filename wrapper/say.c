#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *say_program = "stagefencectl";

enum { LINE_SIZE = 2048, MISTAKES_MAX = 200 };

static unsigned mistakes;
static bool notes;
static bool keeps;
static struct said kept[MISTAKES_MAX]; /* and notes; what is past it is counted only */
static size_t kept_count;

__attribute__((format(printf, 4, 0))) static void keep(
    const char *file, int at, bool note, const char *format, va_list args)
{
	char text[LINE_SIZE];
	struct said *s = &kept[kept_count];

	if (kept_count == MISTAKES_MAX)
		return;
	vsnprintf(text, sizeof text, format, args);
	*s = (struct said){ file != NULL ? strdup(file) : NULL, strdup(text), at, note };
	if (s->text == NULL || (file != NULL && s->file == NULL))
		exit(1); /* die() takes no less memory */
	kept_count++;
}

/* One write(2) a line, so that lines of several processes do not mix; no byte that could steer a
 * terminal. */
__attribute__((format(printf, 4, 0))) static void line(
    const char *file, int at, const char *kind, const char *format, va_list args)
{
	char text[LINE_SIZE];
	int n = snprintf(text, sizeof text, "%s: ", say_program);

	if (file != NULL && at > 0)
		n += snprintf(text + n, sizeof text - (size_t)n, "%.512s:%d: ", file, at);
	else if (file != NULL)
		n += snprintf(text + n, sizeof text - (size_t)n, "%.512s: ", file);
	n += snprintf(text + n, sizeof text - (size_t)n, "%s", kind);
	n += vsnprintf(text + n, sizeof text - (size_t)n, format, args);
	if (n > LINE_SIZE - 2)
		n = LINE_SIZE - 2;
	for (int i = 0; i < n; i++)
		/* U+0080 to U+009F, in UTF-8, steer terminals too */
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f ||
		    ((unsigned char)text[i] == 0xc2 && (unsigned char)text[i + 1] >= 0x80 &&
			(unsigned char)text[i + 1] < 0xa0))
			text[i] = '?';
	text[n++] = '\n';
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		return; /* nobody listens; the exit status still tells */
}

static bool count(void)
{
	if (++mistakes == MISTAKES_MAX + 1 && !keeps)
		fprintf(stderr, "%s: and more\n", say_program);
	return mistakes <= MISTAKES_MAX;
}

__attribute__((format(printf, 3, 0))) static void tell(
    const char *file, int at, const char *format, va_list args)
{
	if (!count())
		return;
	if (keeps)
		keep(file, at, false, format, args);
	else
		line(file, at, "", format, args);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(NULL, 0, format, args);
	va_end(args);
}

void say_at(const char *file, int at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(file, at, format, args);
	va_end(args);
}

void say_note(const char *file, int at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (notes && keeps)
		keep(file, at, true, format, args);
	else if (notes)
		line(file, at, "note: ", format, args);
	va_end(args);
}

void say_notes(bool on)
{
	notes = on;
}

void say_keep(void)
{
	keeps = true;
}

size_t say_kept(const struct said **said)
{
	*said = kept;
	return kept_count;
}

unsigned say_count(void)
{
	return mistakes;
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line(NULL, 0, "", format, args);
	va_end(args);
	exit(1);
}
