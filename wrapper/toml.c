#include "toml.h"

#include <stdint.h>
#include <string.h>

#include "mem.h"
#include "say.h"
#include "scan.h"

static const char digit[] = "0123456789";
static const char bare[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

struct reader {
	struct arena *arena;
	const char *file;
	char *at; /* in a copy of the text, which has one NUL byte: its end */
	int line;
	unsigned depth;
	size_t key_count;
};

/* The first mistake is the last that is read: what follows would only seem wrong. */
static bool mistake(const struct reader *r, const char *what)
{
	say_at(r->file, r->line, "%s", what);
	return false;
}

static bool mistake_in(const struct reader *r, const char *what, const char *word)
{
	say_at(r->file, r->line, "%s: %.60s", what, word);
	return false;
}

/* ---- bytes, blank and comments ---- */

/* TOML's text is UTF-8 without control characters but tab and the ends of lines, in comments too.
 */
static bool check_bytes(struct reader *r, size_t size)
{
	const char *end = r->at + size;
	size_t n;

	for (const char *p = r->at; p < end; p += n) {
		n = scan_utf8((const unsigned char *)p, (size_t)(end - p));
		if (n == 0)
			return mistake(r, "bytes that are not UTF-8");
		if (((unsigned char)*p < ' ' && *p != '\t' && *p != '\n' &&
			!(*p == '\r' && p + 1 < end && p[1] == '\n')) ||
		    *p == 0x7f)
			return mistake(r, "a control character (or NUL byte) in the text");
		r->line += *p == '\n';
	}
	r->line = 1;
	return true;
}

static void skip_blank(struct reader *r)
{
	r->at += strspn(r->at, " \t");
}

static void skip_comment(struct reader *r)
{
	if (*r->at == '#')
		r->at += strcspn(r->at, "\n");
}

/* Blank, comments and ends of lines. */
static void skip_lines(struct reader *r)
{
	for (;;) {
		r->at += strspn(r->at, " \t\r");
		skip_comment(r);
		if (*r->at != '\n')
			return;
		r->line++;
		r->at++;
	}
}

static bool end_of_line(struct reader *r)
{
	skip_blank(r);
	skip_comment(r);
	r->at += *r->at == '\r';
	if (*r->at != '\n' && *r->at != '\0')
		return mistake(r, "one key or table a line; something follows");
	return true;
}

/* ---- strings ---- */

static void put_utf8(char **to, uint32_t c)
{
	if (c < 0x80)
		*(*to)++ = (char)c;
	else if (c < 0x800)
		*(*to)++ = (char)(0xc0 | c >> 6);
	else if (c < 0x10000)
		*(*to)++ = (char)(0xe0 | c >> 12);
	else
		*(*to)++ = (char)(0xf0 | c >> 18);
	if (c >= 0x10000)
		*(*to)++ = (char)(0x80 | (c >> 12 & 0x3f));
	if (c >= 0x800)
		*(*to)++ = (char)(0x80 | (c >> 6 & 0x3f));
	if (c >= 0x80)
		*(*to)++ = (char)(0x80 | (c & 0x3f));
}

/* The four or eight hexadecimal digits of a character. */
static bool read_character(struct reader *r, unsigned digits, char **to)
{
	static const char hex[] = "0123456789abcdef0123456789ABCDEF";
	uint32_t c = 0;

	for (; digits > 0; digits--, r->at++) {
		const char *found = *r->at == '\0' ? NULL : strchr(hex, *r->at);

		if (found == NULL)
			return mistake(r, "\\u takes 4 hexadecimal digits, \\U 8");
		c = c << 4 | (uint32_t)((found - hex) & 0xf);
	}
	if (c == 0)
		return mistake(r, "a NUL byte in a string");
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return mistake(r, "\\u or \\U with a number that is no character");
	put_utf8(to, c);
	return true;
}

static bool read_escape(struct reader *r, bool lines, char **to)
{
	static const char letters[] = "btnfr\"\\", meant[] = "\b\t\n\f\r\"\\";
	const char *found, *p;
	char c = *++r->at;

	found = c == '\0' ? NULL : strchr(letters, c);
	if (found != NULL) {
		*(*to)++ = meant[found - letters];
		r->at++;
		return true;
	}
	if (c == 'u' || c == 'U') {
		r->at++;
		return read_character(r, c == 'u' ? 4 : 8, to);
	}
	/* at the end of a line it takes along what separates the words */
	p = r->at + strspn(r->at, " \t\r");
	if (!lines || *p != '\n')
		return mistake(r, "a backslash is followed by one of b t n f r \" \\ u U");
	for (; *r->at != '\0' && strchr(" \t\r\n", *r->at) != NULL; r->at++)
		r->line += *r->at == '\n';
	return true;
}

/* Decoded where it stands: what a string says is never longer than how it is written. */
static const char *read_string(struct reader *r, bool may_have_lines)
{
	const char quote = *r->at, three[] = { quote, quote, quote, '\0' };
	bool lines = may_have_lines && strncmp(r->at, three, 3) == 0;
	int began = r->line;
	char *text, *to;

	r->at += lines ? 3 : 1;
	if (lines) {
		r->at += *r->at == '\r';
		r->line += *r->at == '\n';
		r->at += *r->at == '\n';
	}
	for (text = to = r->at;;) {
		size_t quotes = 0;

		if (*r->at == '\0' || (*r->at == '\n' && !lines)) {
			r->line = began;
			mistake(r, "a string that begins here never ends");
			return NULL;
		}
		if (*r->at == '\\' && quote == '"') {
			if (!read_escape(r, lines, &to))
				return NULL;
			continue;
		}
		while (quotes < (lines ? 5 : 1) && r->at[quotes] == quote)
			quotes++;
		r->at += quotes;
		if (quotes == (lines ? 3 : 1))
			break;
		/* the last three of five end it; one or two are text */
		for (size_t kept = quotes > 3 ? quotes - 3 : quotes; kept > 0; kept--)
			*to++ = quote;
		if (quotes > 3)
			break;
		if (quotes > 0)
			continue;
		r->line += *r->at == '\n';
		if (*r->at != '\r')
			*to++ = *r->at;
		r->at++;
	}
	*to = '\0';
	return text;
}

/* ---- numbers and dates ---- */

/* Past digits of the set, which single underscores may part; NULL: there are none. */
static const char *past_digits(const char *p, const char *set)
{
	for (;;) {
		size_t n = strspn(p, set);

		if (n == 0)
			return NULL;
		p += n;
		if (*p != '_')
			return p;
		p++;
	}
}

static bool is_number(const char *p)
{
	static const struct {
		const char *prefix, *digits;
	} bases[] = { { "0x", "0123456789abcdefABCDEF" }, { "0o", "01234567" }, { "0b", "01" } };

	for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++)
		if (strncmp(p, bases[i].prefix, 2) == 0) {
			p = past_digits(p + 2, bases[i].digits);
			return p != NULL && *p == '\0';
		}
	p += *p == '+' || *p == '-';
	if (strcmp(p, "inf") == 0 || strcmp(p, "nan") == 0)
		return true;
	if (p[0] == '0' && (p[1] == '_' || strspn(p + 1, digit) > 0))
		return false;
	p = past_digits(p, digit);
	if (p != NULL && *p == '.')
		p = past_digits(p + 1, digit);
	if (p != NULL && (*p | ' ') == 'e')
		p = past_digits(p + 1 + (p[1] == '+' || p[1] == '-'), digit);
	return p != NULL && *p == '\0';
}

/* Past a text of this shape, where d is a digit; NULL: it has another. */
static const char *past_shape(const char *p, const char *shape)
{
	for (; *shape != '\0'; shape++, p++)
		if (*shape == 'd' ? *p < '0' || *p > '9' : *p != *shape)
			return NULL;
	return p;
}

static const char date_shape[] = "dddd-dd-dd";

static bool is_date(const char *p)
{
	const char *date = past_shape(p, date_shape);

	if (date != NULL && *date == '\0')
		return true;
	if (date != NULL && *date != 'T' && *date != 't' && *date != ' ')
		return false;
	p = past_shape(date != NULL ? date + 1 : p, "dd:dd:dd");
	if (p != NULL && *p == '.')
		p = strspn(p + 1, digit) == 0 ? NULL : p + 1 + strspn(p + 1, digit);
	if (p != NULL && date != NULL && (*p | ' ') == 'z')
		p++;
	else if (p != NULL && date != NULL && (*p == '+' || *p == '-'))
		p = past_shape(p + 1, "dd:dd");
	return p != NULL && *p == '\0';
}

/* What stands without quotes: true, false, a number or a date. */
static bool read_word(struct reader *r, struct toml_value *v)
{
	static const char set[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-._:";
	size_t n = strspn(r->at, set);
	const char *day = past_shape(r->at, date_shape);

	if (n == 0)
		return mistake(r, "a value is missing");
	/* a blank may part the date from its time */
	if (day == r->at + n && *day == ' ' && strspn(day + 1, digit) > 0)
		n += 1 + strspn(day + 1, set);
	v->text = arena_text(r->arena, r->at, n);
	r->at += n;
	v->yes = strcmp(v->text, "true") == 0;
	if (v->yes || strcmp(v->text, "false") == 0)
		v->type = TOML_BOOLEAN;
	else if (is_number(v->text))
		v->type = TOML_NUMBER;
	else if (is_date(v->text))
		v->type = TOML_DATE;
	else
		return mistake_in(
		    r, "not a string in quotes, number, date, true or false", v->text);
	return true;
}

/* ---- tables ---- */

static struct toml_value *find(const struct toml_value *table, const char *key)
{
	for (struct toml_value *v = table->first; v != NULL; v = v->next)
		if (strcmp(v->key, key) == 0)
			return v;
	return NULL;
}

static struct toml_value *new_value(const struct reader *r, enum toml_type type)
{
	struct toml_value *v = arena_get(r->arena, sizeof *v);

	v->type = type;
	v->line = r->line;
	return v;
}

static struct toml_value *append(struct toml_value *to, struct toml_value *v)
{
	if (to->first == NULL)
		to->first = v;
	else
		to->last->next = v;
	to->last = v;
	return v;
}

/* Every key and header, since each is looked for among the keys of its table. */
static bool count(struct reader *r)
{
	if (++r->key_count <= TOML_KEYS_MAX)
		return true;
	say_at(r->file, r->line, "more than %d keys", TOML_KEYS_MAX);
	return false;
}

/* NULL: the key is there already, or there are too many. */
static struct toml_value *add(
    struct reader *r, struct toml_value *table, const char *key, struct toml_value *v)
{
	const struct toml_value *other = find(table, key);

	if (other != NULL) {
		say_at(r->file, v->line, "%.60s is there already, at line %d", key, other->line);
		return NULL;
	}
	if (!count(r))
		return NULL;
	v->key = key;
	return append(table, v);
}

/* The table below, on the way to a key or a header's last word; made where there is none. */
static struct toml_value *descend(
    struct reader *r, struct toml_value *table, const char *key, enum toml_making making)
{
	struct toml_value *v = find(table, key);

	if (v == NULL) {
		v = new_value(r, TOML_TABLE);
		v->making = making;
		return add(r, table, key, v);
	}
	if (making == TOML_ON_THE_WAY && v->making != TOML_BY_VALUE)
		return v->type == TOML_ARRAY ? v->last : v;
	if (making == TOML_BY_KEY && v->type == TOML_TABLE &&
	    (v->making == TOML_BY_KEY || v->making == TOML_ON_THE_WAY)) {
		v->making = TOML_BY_KEY;
		return v;
	}
	say_at(r->file, r->line, "%.60s is complete at line %d, and nothing can be added to it",
	    key, v->line);
	return NULL;
}

/* Reads a.b.c: *table becomes a.b, and the result is c. */
static const char *read_path(struct reader *r, struct toml_value **table, enum toml_making making)
{
	for (;;) {
		size_t n = strspn(r->at, bare);
		const char *key;

		if (n == 0 && *r->at != '"' && *r->at != '\'') {
			mistake(r, "a key is missing: key = value, or [table]");
			return NULL;
		}
		key = n > 0 ? arena_text(r->arena, r->at, n) : read_string(r, false);
		if (key == NULL)
			return NULL;
		r->at += n;
		skip_blank(r);
		if (*r->at != '.')
			return key;
		r->at++;
		skip_blank(r);
		*table = descend(r, *table, key, making);
		if (*table == NULL)
			return NULL;
	}
}

/* ---- values ---- */

static struct toml_value *read_value(struct reader *r);

static bool read_pair(struct reader *r, struct toml_value *table)
{
	const char *key = read_path(r, &table, TOML_BY_KEY);
	struct toml_value *v;

	if (key == NULL)
		return false;
	if (*r->at != '=')
		return mistake_in(r, "= is missing behind a key", key);
	r->at++;
	skip_blank(r);
	v = read_value(r);
	return v != NULL && add(r, table, key, v) != NULL;
}

static bool read_array(struct reader *r, struct toml_value *array)
{
	for (r->at++;; r->at++) {
		struct toml_value *v;

		skip_lines(r);
		if (*r->at != ']' && *r->at != '\0') {
			v = read_value(r);
			if (v == NULL)
				return false;
			append(array, v);
			skip_lines(r);
		}
		if (*r->at == ']')
			break;
		if (*r->at != ',') {
			say_at(r->file, r->line, "a comma or ] is missing in the list of line %d",
			    array->line);
			return false;
		}
	}
	r->at++;
	return true;
}

/* { a = 1, b.c = 2 }: on one line, and without a last comma. */
static bool read_inline(struct reader *r, struct toml_value *table)
{
	r->at++;
	skip_blank(r);
	while (*r->at != '}') {
		if (!read_pair(r, table))
			return false;
		skip_blank(r);
		if (*r->at == '}')
			break;
		if (*r->at != ',')
			return mistake(r, "a comma or } is missing in this line");
		r->at++;
		skip_blank(r);
		if (*r->at == '}')
			return mistake(r, "a comma behind the last key of { }");
	}
	r->at++;
	return true;
}

static struct toml_value *read_value(struct reader *r)
{
	struct toml_value *v = new_value(r, TOML_STRING);
	bool good;

	if (++r->depth > TOML_DEPTH_MAX) {
		mistake(r, "nested too deep");
		return NULL;
	}
	switch (*r->at) {
	case '"':
	case '\'':
		v->text = read_string(r, true);
		good = v->text != NULL;
		break;
	case '[':
		v->type = TOML_ARRAY;
		good = read_array(r, v);
		break;
	case '{':
		v->type = TOML_TABLE;
		good = read_inline(r, v);
		break;
	default: good = read_word(r, v);
	}
	r->depth--;
	return good ? v : NULL;
}

/* [table] or [[array of tables]]; *table is then what the next lines fill. */
static bool read_header(struct reader *r, struct toml_value *root, struct toml_value **table)
{
	bool many = r->at[1] == '[';
	struct toml_value *in = root, *v, *old;
	const char *key;

	r->at += many ? 2 : 1;
	skip_blank(r);
	key = read_path(r, &in, TOML_ON_THE_WAY);
	if (key == NULL || !count(r))
		return false;
	if (strncmp(r->at, "]]", many ? 2 : 1) != 0)
		return mistake_in(r, "] is missing behind a table's name", key);
	r->at += many ? 2 : 1;
	v = new_value(r, TOML_TABLE);
	v->making = TOML_BY_HEADER;
	old = find(in, key);
	if (many) {
		if (old == NULL) {
			old = new_value(r, TOML_ARRAY);
			old->making = TOML_BY_HEADER;
			if (add(r, in, key, old) == NULL)
				return false;
		}
		if (old->type == TOML_ARRAY && old->making == TOML_BY_HEADER) {
			*table = append(old, v);
			return true;
		}
	} else if (old != NULL && old->type == TOML_TABLE && old->making == TOML_ON_THE_WAY) {
		old->making = TOML_BY_HEADER;
		old->line = r->line;
		*table = old;
		return true;
	}
	*table = add(r, in, key, v);
	return *table != NULL;
}

const struct toml_value *toml_read(struct arena *a, const char *file, const char *text, size_t size)
{
	static const char mark[] = "\xef\xbb\xbf";
	struct reader r = { .arena = a, .file = file, .line = 1 };
	struct toml_value *root, *table;

	if (size > TOML_SIZE_MAX) {
		say_at(file, 0, "larger than 1 MiB");
		return NULL;
	}
	r.at = arena_text(a, text, size);
	if (!check_bytes(&r, size))
		return NULL;
	if (strncmp(r.at, mark, 3) == 0)
		r.at += 3;
	root = table = new_value(&r, TOML_TABLE);
	for (;;) {
		skip_lines(&r);
		if (*r.at == '\0')
			return root;
		if (!(*r.at == '[' ? read_header(&r, root, &table) : read_pair(&r, table)) ||
		    !end_of_line(&r))
			return NULL;
	}
}

const struct toml_value *toml_member(const struct toml_value *table, const char *key)
{
	return table == NULL || table->type != TOML_TABLE ? NULL : find(table, key);
}
