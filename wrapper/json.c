/* json.c: JSON out. Writes to the stream that it is given and knows nothing else. */
#include "json.h"
#include <inttypes.h>
#include <stddef.h>

/* The length of the UTF-8 sequence at s (Unicode 15, table 3-7), or 0. A NUL ends any. */
static unsigned sequence(const unsigned char *s)
{
	unsigned length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;

	if (s[0] > 0xf4)
		return 0;
	for (unsigned i = 1; i < length; i++, low = 0x80, high = 0xbf)
		if (s[i] < low || s[i] > high)
			return 0;
	return length;
}

static void quote(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned length;

	putc('"', out);
	for (; *s != '\0'; s += length == 0 ? 1 : length) {
		length = sequence(s);
		if (length == 0)
			fputs("\\ufffd", out);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", *s);
		else
			fwrite(s, 1, length, out);
	}
	putc('"', out);
}

static void line(struct json *j)
{
	if (!j->pretty)
		return;
	putc('\n', j->out);
	for (unsigned i = 0; i < j->depth; i++)
		fputs("  ", j->out);
}

/* What stands before a value. */
static void begin(struct json *j, const char *key)
{
	if (j->inside)
		putc(',', j->out);
	if (j->depth != 0)
		line(j);
	j->inside = true;
	if (key != NULL) {
		quote(j->out, key);
		fputs(j->pretty ? ": " : ":", j->out);
	}
}

static void nest(struct json *j, const char *key, char opening, char closing)
{
	begin(j, key);
	putc(opening, j->out);
	j->bracket[j->depth++] = closing; /* the depth is ours, never an input's */
	j->inside = false;
}

void json_object(struct json *j, const char *key)
{
	nest(j, key, '{', '}');
}

void json_array(struct json *j, const char *key)
{
	nest(j, key, '[', ']');
}

void json_close(struct json *j)
{
	bool empty = !j->inside;

	j->depth--;
	if (!empty)
		line(j);
	putc(j->bracket[j->depth], j->out);
	j->inside = j->depth != 0;
	if (j->depth == 0)
		putc('\n', j->out);
}

void json_text(struct json *j, const char *key, const char *text)
{
	begin(j, key);
	if (text == NULL)
		fputs("null", j->out);
	else
		quote(j->out, text);
}

void json_number(struct json *j, const char *key, int64_t number)
{
	begin(j, key);
	fprintf(j->out, "%" PRId64, number);
}

void json_unsigned(struct json *j, const char *key, uint64_t number)
{
	begin(j, key);
	fprintf(j->out, "%" PRIu64, number);
}

void json_hex(struct json *j, const char *key, uint64_t number)
{
	begin(j, key);
	fprintf(j->out, "\"0x%" PRIx64 "\"", number);
}

void json_bool(struct json *j, const char *key, bool yes)
{
	begin(j, key);
	fputs(yes ? "true" : "false", j->out);
}
