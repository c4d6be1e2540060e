/* line.c: bounded lines, safe to show. Memory only. */
#include "line.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "scan.h"

void line_begin(struct line *l, char *text, size_t size)
{
	*l = (struct line){ text, size, 0, false };
	text[0] = '\0';
}

static void put(struct line *l, const char *bytes, size_t size)
{
	size_t room = l->size - 1 - l->used;

	if (size > room) {
		l->cut = true;
		return; /* a part of an escape or of a UTF-8 sequence is worse than none */
	}
	memcpy(l->text + l->used, bytes, size);
	l->used += size;
	l->text[l->used] = '\0';
}

void line_put(struct line *l, const char *text)
{
	size_t size = strlen(text), room = l->size - 1 - l->used;

	if (size > room) {
		l->cut = true;
		size = room;
	}
	put(l, text, size);
}

void line_format(struct line *l, const char *format, ...)
{
	size_t room = l->size - l->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->text + l->used, room, format, args);
	va_end(args);
	if (n < 0)
		l->text[l->used] = '\0';
	else if ((size_t)n >= room) {
		l->cut = true;
		l->used = l->size - 1;
	} else
		l->used += (size_t)n;
}

struct range {
	uint32_t from, to;
};

/*
 * What steers, hides or turns round: C1 controls, soft hyphen, marks and overrides of direction
 * (a path that reads backwards), joiners, separators, interlinear annotation, noncharacters, tags.
 */
static const struct range unseemly[] = {
	{ 0x80, 0x9f },
	{ 0xad, 0xad },
	{ 0x61c, 0x61c },
	{ 0x180e, 0x180e },
	{ 0x200b, 0x200f },
	{ 0x2028, 0x202e },
	{ 0x2060, 0x206f },
	{ 0xfe00, 0xfe0f },
	{ 0xfeff, 0xfeff },
	{ 0xfff0, 0xffff },
	{ 0xe0000, 0xe0fff },
};

/* The length of a sequence that may be shown as it is, or 0. */
static size_t seemly(const unsigned char *p, size_t left)
{
	size_t n = scan_utf8(p, left);
	uint32_t c;

	if (n == 0)
		return 0;
	if (n == 1)
		return *p >= ' ' && *p != 0x7f;
	c = *p & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3fu);
	for (size_t i = 0; i < sizeof unseemly / sizeof unseemly[0]; i++)
		if (c >= unseemly[i].from && c <= unseemly[i].to)
			return 0;
	return n;
}

/* One byte that may not stand as it is. A digit behind an octal escape must not become part of it.
 */
static size_t escape(char out[5], unsigned char c, bool digit_follows)
{
	static const char letters[] = "\"\\\t\n\v\f\r", names[] = "\"\\tnvfr";
	const char *known = c != '\0' ? strchr(letters, c) : NULL;

	if (known != NULL)
		return (size_t)snprintf(out, 5, "\\%c", names[known - letters]);
	return (size_t)snprintf(out, 5, digit_follows ? "\\%03o" : "\\%o", c);
}

void line_quoted(struct line *l, const char *bytes, size_t size, size_t at_most, bool more)
{
	const unsigned char *p = (const unsigned char *)bytes;
	size_t i = 0;

	if (size > at_most)
		size = at_most, more = true;
	put(l, "\"", 1);
	while (i < size) {
		size_t n = seemly(p + i, size - i);
		char text[5];

		if (n == 0 || (n == 1 && (p[i] == '"' || p[i] == '\\'))) {
			bool digit = i + 1 < size && p[i + 1] >= '0' && p[i + 1] <= '7';

			n = escape(text, p[i], digit);
			if (l->size - 1 - l->used < n + 4)
				break;
			put(l, text, n);
			i++;
		} else {
			if (l->size - 1 - l->used < n + 4)
				break;
			put(l, (const char *)p + i, n);
			i += n;
		}
	}
	put(l, "\"", 1);
	if (i < size || more)
		put(l, "...", 3);
}

void line_plain(struct line *l, const char *bytes, size_t size)
{
	const unsigned char *p = (const unsigned char *)bytes;

	for (size_t i = 0; i < size;) {
		size_t n = seemly(p + i, size - i);

		put(l, n > 0 ? (const char *)p + i : "?", n > 0 ? n : 1);
		i += n > 0 ? n : 1;
	}
}
