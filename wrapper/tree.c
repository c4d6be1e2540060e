#include "tree.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "say.h"
#include "scan.h"

struct reader {
	struct arena *arena;
	const char *file;
	const char *at, *end;
	const char *mark; /* line and column are those of mark; at is there or further on */
	int line, column;
	size_t values;
	unsigned depth;
};

/* ---- where, and what is wrong ---- */

enum { LINE = 1024 };

void tree_say(struct arena *a, const char *file, const struct tree *at, const char *format, ...)
{
	char text[LINE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	say_at(arena_format(a, "%.400s:%d", file, at->line), at->column, "%s", text);
}

void tree_note(struct arena *a, const char *file, const struct tree *at, const char *format, ...)
{
	char text[LINE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	say_note(arena_format(a, "%.400s:%d", file, at->line), at->column, "%s", text);
}

/* Columns are characters, counted once from the file's beginning to its end: a file may be one
 * line. */
static void place(struct reader *r, const char *to, struct tree *at)
{
	for (; r->mark < to; r->mark++)
		if (*r->mark == '\n') {
			r->line++;
			r->column = 1;
		} else if (((unsigned char)*r->mark & 0xc0) != 0x80)
			r->column++;
	at->line = r->line;
	at->column = r->column;
}

static bool wrong(struct reader *r, const char *what)
{
	struct tree at;

	place(r, r->at, &at);
	tree_say(r->arena, r->file, &at, "%s", what);
	return false;
}

/* ---- the grammar ---- */

static void skip_blank(struct reader *r)
{
	while (
	    r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
		r->at++;
}

static bool ends(struct reader *r)
{
	return r->at == r->end && !wrong(r, "the file ends too early");
}

static bool take(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static bool is_digit(const struct reader *r)
{
	return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static bool digits(struct reader *r)
{
	if (!is_digit(r))
		return ends(r) ? false : wrong(r, "a digit is missing");
	while (is_digit(r))
		r->at++;
	return true;
}

static bool read_number(struct reader *r, struct tree *t)
{
	const char *begin = r->at;

	t->type = TREE_NUMBER;
	take(r, '-');
	if (take(r, '0')) {
		if (is_digit(r))
			return wrong(r, "a number with a leading zero");
	} else if (!digits(r))
		return false;
	if (take(r, '.') && !digits(r))
		return false;
	if (take(r, 'e') || take(r, 'E')) {
		if (!take(r, '-'))
			take(r, '+');
		if (!digits(r))
			return false;
	}
	t->text = arena_text(r->arena, begin, (size_t)(r->at - begin));
	return true;
}

/* Four hexadecimal digits behind \u. */
static bool read_unit(struct reader *r, uint32_t *unit)
{
	*unit = 0;
	for (int i = 0; i < 4; i++, r->at++) {
		char c = r->at < r->end ? *r->at : '\0';

		if (c >= '0' && c <= '9')
			*unit = *unit << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			*unit = *unit << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return wrong(r, "\\u needs four hexadecimal digits");
	}
	return true;
}

static bool read_escaped_unit(struct reader *r, char **to)
{
	uint32_t c, low;

	if (!read_unit(r, &c))
		return false;
	if (c == 0)
		return wrong(r, "a NUL in a text");
	if (c >= 0xdc00 && c < 0xe000)
		return wrong(r, "half of a surrogate pair");
	if (c >= 0xd800 && c < 0xdc00) {
		if (!take(r, '\\') || !take(r, 'u'))
			return wrong(r, "half of a surrogate pair");
		if (!read_unit(r, &low))
			return false;
		if (low < 0xdc00 || low >= 0xe000)
			return wrong(r, "half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		*(*to)++ = (char)(0xf0 | c >> 18);
		*(*to)++ = (char)(0x80 | (c >> 12 & 0x3f));
		*(*to)++ = (char)(0x80 | (c >> 6 & 0x3f));
		*(*to)++ = (char)(0x80 | (c & 0x3f));
	} else if (c >= 0x800) {
		*(*to)++ = (char)(0xe0 | c >> 12);
		*(*to)++ = (char)(0x80 | (c >> 6 & 0x3f));
		*(*to)++ = (char)(0x80 | (c & 0x3f));
	} else if (c >= 0x80) {
		*(*to)++ = (char)(0xc0 | c >> 6);
		*(*to)++ = (char)(0x80 | (c & 0x3f));
	} else
		*(*to)++ = (char)c;
	return true;
}

static bool read_escape(struct reader *r, char **to)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *letter;

	if (ends(r))
		return false;
	if (take(r, 'u'))
		return read_escaped_unit(r, to);
	letter = *r->at != '\0' ? strchr(letters, *r->at) : NULL;
	if (letter == NULL)
		return wrong(r, "an unknown escape");
	r->at++;
	*(*to)++ = meant[letter - letters];
	return true;
}

/* The text behind an opening quote. An escape never grows. */
static const char *read_text(struct reader *r)
{
	const char *close = r->at;
	char *text, *to;

	while (close < r->end && *close != '"')
		close += *close == '\\' && close + 1 < r->end ? 2 : 1;
	to = text = arena_get(r->arena, (size_t)(close - r->at) + 1);
	while (!ends(r)) {
		size_t n = scan_utf8((const unsigned char *)r->at, (size_t)(r->end - r->at));

		if (take(r, '"'))
			return text;
		if (take(r, '\\')) {
			if (!read_escape(r, &to))
				return NULL;
			continue;
		}
		if (n == 0 || (unsigned char)*r->at < ' ') {
			wrong(r, n == 0 ? "not UTF-8" : "a control character in a text");
			return NULL;
		}
		memcpy(to, r->at, n);
		to += n;
		r->at += n;
	}
	return NULL;
}

static bool read_value(struct reader *r, struct tree *t);

static bool add(struct reader *r, struct tree *to, struct tree *t)
{
	if (to->first == NULL)
		to->first = t;
	else
		to->last->next = t;
	to->last = t;
	return read_value(r, t);
}

static struct tree *new_value(struct reader *r)
{
	if (++r->values <= TREE_VALUES_MAX)
		return arena_get(r->arena, sizeof(struct tree));
	wrong(r, arena_format(r->arena, "more than %d values", TREE_VALUES_MAX));
	return NULL;
}

static bool read_array(struct reader *r, struct tree *t)
{
	t->type = TREE_ARRAY;
	skip_blank(r);
	if (take(r, ']'))
		return true;
	for (;;) {
		struct tree *value = new_value(r);

		if (value == NULL || !add(r, t, value))
			return false;
		skip_blank(r);
		if (take(r, ']'))
			return true;
		if (!take(r, ','))
			return ends(r) ? false : wrong(r, "a comma or ] is missing");
		skip_blank(r);
	}
}

static bool read_key(struct reader *r, const struct tree *object, struct tree *value, size_t keys)
{
	skip_blank(r);
	if (ends(r))
		return false;
	place(r, r->at, value);
	if (!take(r, '"'))
		return wrong(r, "a key in quotes is missing");
	value->key = read_text(r);
	if (value->key == NULL)
		return false;
	if (keys == TREE_KEYS_MAX)
		return wrong(
		    r, arena_format(r->arena, "more than %d keys in one object", TREE_KEYS_MAX));
	for (const struct tree *other = object->first; other != NULL; other = other->next)
		if (strcmp(other->key, value->key) == 0) {
			tree_say(r->arena, r->file, value, "%.60s is there already, in line %d",
			    value->key, other->line);
			return false;
		}
	skip_blank(r);
	if (!take(r, ':'))
		return ends(r) ? false : wrong(r, "a colon is missing");
	skip_blank(r);
	return true;
}

static bool read_object(struct reader *r, struct tree *t)
{
	size_t keys = 0;

	t->type = TREE_OBJECT;
	skip_blank(r);
	if (take(r, '}'))
		return true;
	for (;;) {
		struct tree *value = new_value(r);

		if (value == NULL || !read_key(r, t, value, keys++) || !add(r, t, value))
			return false;
		skip_blank(r);
		if (take(r, '}'))
			return true;
		if (!take(r, ','))
			return ends(r) ? false : wrong(r, "a comma or } is missing");
	}
}

static bool read_word(struct reader *r, struct tree *t)
{
	static const struct {
		const char *word;
		enum tree_type type;
		bool yes;
	} words[] = { { "null", TREE_NULL, false }, { "true", TREE_BOOL, true },
		{ "false", TREE_BOOL, false } };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		size_t n = strlen(words[i].word);

		if ((size_t)(r->end - r->at) >= n && memcmp(r->at, words[i].word, n) == 0) {
			r->at += n;
			t->type = words[i].type;
			t->yes = words[i].yes;
			return true;
		}
	}
	return wrong(r, "a value is missing");
}

static bool read_value(struct reader *r, struct tree *t)
{
	bool good;

	if (ends(r))
		return false;
	if (t->key == NULL)
		place(r, r->at, t);
	if (*r->at == '-' || is_digit(r))
		return read_number(r, t);
	if (take(r, '"')) {
		t->type = TREE_TEXT;
		t->text = read_text(r);
		return t->text != NULL;
	}
	if (*r->at != '[' && *r->at != '{')
		return read_word(r, t);
	if (++r->depth > TREE_DEPTH_MAX)
		return wrong(r, "nested too deep");
	good = *r->at++ == '[' ? read_array(r, t) : read_object(r, t);
	r->depth--;
	return good;
}

const struct tree *tree_read(struct arena *a, const char *file, const char *text, size_t size)
{
	struct reader r = { .arena = a,
		.file = file,
		.at = text,
		.end = text + size,
		.mark = text,
		.line = 1,
		.column = 1 };
	struct tree *root = new_value(&r);

	if (size > TREE_SIZE_MAX) {
		r.at = text + TREE_SIZE_MAX;
		wrong(&r, arena_format(a, "more than %d MiB", TREE_SIZE_MAX >> 20));
		return NULL;
	}
	skip_blank(&r);
	if (!read_value(&r, root))
		return NULL;
	skip_blank(&r);
	return r.at == r.end || wrong(&r, "something follows the end") ? root : NULL;
}

const struct tree *tree_member(const struct tree *object, const char *key)
{
	if (object == NULL || object->type != TREE_OBJECT)
		return NULL;
	for (const struct tree *t = object->first; t != NULL; t = t->next)
		if (strcmp(t->key, key) == 0)
			return t;
	return NULL;
}

size_t tree_count(const struct tree *t)
{
	size_t n = 0;

	for (const struct tree *e = t->first; e != NULL; e = e->next)
		n++;
	return n;
}
