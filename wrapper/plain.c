#include "plain.h"

#include <stdbool.h>
#include <string.h>

#include "mem.h"
#include "scan.h"

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
		size_t n = scan_utf8(p, size - at);

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

void plain_comment(FILE *to, const char *mark, const char *text)
{
	size_t indent = strlen(mark), column = indent;

	fputs(mark, to);
	while (*text != '\0') {
		size_t n = strcspn(text, " "), blank = column > indent;

		if (blank && column + 1 + n > PLAIN_WIDTH) {
			fprintf(to, "\n#%*s", (int)indent - 1, "");
			column = indent;
			blank = 0;
		}
		if (n > PLAIN_WIDTH - indent)
			n = PLAIN_WIDTH - indent;
		if (blank)
			putc(' ', to);
		for (size_t c = 0; c < n; c++)
			putc(text[c] >= ' ' && text[c] <= '~' ? text[c] : '?', to);
		column += blank + n;
		text += n;
		text += strspn(text, " ");
	}
	putc('\n', to);
}
