#include "plain.h"

#include <stdbool.h>
#include <string.h>

#include "mem.h"

size_t plain_utf8(const unsigned char *p, size_t left)
{
	static const struct {
		unsigned char first, last, low, high, more;
	} lead[] = {
		{ 0x00, 0x7f, 0, 0, 0 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 1 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 2 },
		{ 0xe1, 0xec, 0x80, 0xbf, 2 },
		{ 0xed, 0xed, 0x80, 0x9f, 2 },
		{ 0xee, 0xef, 0x80, 0xbf, 2 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 3 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 3 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 3 },
	};

	for (size_t i = 0; i < sizeof lead / sizeof lead[0]; i++) {
		if (*p < lead[i].first || *p > lead[i].last)
			continue;
		if (left <= lead[i].more ||
		    (lead[i].more > 0 && (p[1] < lead[i].low || p[1] > lead[i].high)))
			return 0;
		for (size_t n = 2; n <= lead[i].more; n++)
			if (p[n] < 0x80 || p[n] > 0xbf)
				return 0;
		return lead[i].more + 1u;
	}
	return 0;
}

/* U+0080 to U+009F steer terminals as well as ESC does; U+FFFE and U+FFFF are no characters, and
 * XML knows neither. */
static bool printable(const unsigned char *p, size_t length)
{
	if (length == 1)
		return (*p >= ' ' && *p != 0x7f) || *p == '\n' || *p == '\t';
	if (length == 2)
		return *p != 0xc2 || p[1] >= 0xa0;
	return length != 3 || memcmp(p, "\xef\xbf", 2) != 0 || p[2] < 0xbe;
}

char *plain_text(struct arena *a, const char *text, size_t size)
{
	char *copy = arena_text(a, text, size), *to = copy;

	for (size_t at = 0; at < size;) {
		const unsigned char *p = (const unsigned char *)text + at;
		size_t n = plain_utf8(p, size - at);

		if (n > 0 && printable(p, n)) {
			memcpy(to, p, n);
			to += n;
		} else
			*to++ = '?';
		at += n > 0 ? n : 1;
	}
	*to = '\0';
	return copy;
}

char *plain_line(struct arena *a, const char *text)
{
	char *copy = plain_text(a, text, strlen(text));

	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	return copy;
}
