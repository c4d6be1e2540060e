#include "scan.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

struct scan {
	const char *file;
	const char *at, *end;
	int line;
	bool good;
};

static void mistake(struct scan *s, int line, const char *what)
{
	say_at(s->file, line, "%s", what);
	s->good = false;
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '_' || c == '*' || c == '-';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static bool begins(const struct scan *s, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(s->end - s->at) >= n && memcmp(s->at, word, n) == 0;
}

size_t scan_utf8(const unsigned char *p, size_t left)
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

static void check_bytes(struct scan *s)
{
	int line = 1;

	if (begins(s, "\xef\xbb\xbf"))
		mistake(s, 1, "the file begins with a byte order mark; save it without");
	for (const char *p = s->at; p < s->end;) {
		size_t n = scan_utf8((const unsigned char *)p, (size_t)(s->end - p));

		if (*p == '\0' || ((unsigned char)*p < ' ' && !is_space(*p)) || *p == 0x7f) {
			mistake(s, line, "a control character (or NUL byte) in the text");
			return;
		}
		if (n == 0) {
			mistake(s, line, "bytes that are not UTF-8");
			return;
		}
		line += *p == '\n';
		p += n;
	}
}

/* To the end of a comment, if one begins here. */
static bool skip_comment(struct scan *s)
{
	int began = s->line;

	if (*s->at == '#' || begins(s, "//")) {
		while (s->at < s->end && *s->at != '\n')
			s->at++;
		return true;
	}
	if (!begins(s, "/*"))
		return false;
	for (s->at += 2; s->at < s->end; s->at++) {
		if (begins(s, "*/")) {
			s->at += 2;
			return true;
		}
		s->line += *s->at == '\n';
	}
	mistake(s, began,
	    "a comment that begins here never ends, and takes the rest of the file with it");
	return true;
}

static void skip_blank(struct scan *s)
{
	while (s->at < s->end &&
	    (is_space(*s->at) || *s->at == '#' || begins(s, "//") || begins(s, "/*"))) {
		if (skip_comment(s))
			continue;
		s->line += *s->at == '\n';
		s->at++;
	}
}

static void skip_string(struct scan *s)
{
	int began = s->line;

	for (s->at++; s->at < s->end; s->at++) {
		if (*s->at == '"') {
			s->at++;
			return;
		}
		if (begins(s, "\\x00"))
			mistake(s, s->line, "a NUL byte in a string");
		if (*s->at == '\\' && s->at + 1 < s->end)
			s->at++;
		s->line += *s->at == '\n';
	}
	mistake(s, began, "a string that begins here never ends");
}

static void check_number(struct scan *s)
{
	char word[32];
	size_t n = 0, length = 0;
	char *end;
	unsigned long long value;

	if (*s->at == '-' || *s->at == '+')
		s->at++;
	for (; s->at < s->end && (is_name(*s->at) || *s->at == '.' || *s->at == '+');
	     s->at++, length++)
		if (n < sizeof word - 1)
			word[n++] = *s->at;
	word[n] = '\0';
	errno = 0;
	value = strtoull(word, &end, word[0] == '0' && (word[1] | ' ') == 'x' ? 16 : 10);
	if (word[0] == '0' && is_digit(word[1]))
		mistake(s, s->line,
		    "a number with a leading zero, octal to some and decimal to others: "
		    "write it as a string, \"0o755\" or \"755\"");
	else if (*end != '\0' || length > n ||
	    (word[0] == '0' && (word[1] | ' ') == 'x' && word[2] == '\0'))
		mistake(s, s->line,
		    "only whole numbers are known, as in 13 or 0x0d; others are written as "
		    "strings");
	else if (errno != 0 || value > INT32_MAX)
		mistake(
		    s, s->line, "a number over 2147483647: write it as a string, \"0xffffffff\"");
}

bool scan_text(const char *file, const char *text, size_t size)
{
	struct scan s = { .file = file, .at = text, .end = text + size, .line = 1, .good = true };
	unsigned depth = 0;

	if (size > SCAN_SIZE_MAX) {
		say_at(file, 0, "larger than 1 MiB");
		return false;
	}
	check_bytes(&s);
	if (!s.good)
		return false;
	while (s.at < s.end) {
		skip_blank(&s);
		if (s.at == s.end)
			break;
		if (*s.at == '"') {
			skip_string(&s);
		} else if (*s.at == '@') {
			mistake(&s, s.line,
			    "@include and its like are not known: use conf.d, or a base");
			s.at++;
		} else if (is_digit(*s.at) ||
		    ((*s.at == '-' || *s.at == '+') && s.at + 1 < s.end && is_digit(s.at[1]))) {
			check_number(&s);
		} else if (is_name(*s.at)) {
			while (s.at < s.end && is_name(*s.at))
				s.at++;
		} else if (*s.at == ',') {
			int line = s.line;

			s.at++;
			skip_blank(&s);
			if (s.at < s.end && (*s.at == ')' || *s.at == ']'))
				mistake(&s, line,
				    "a comma behind the last entry; libconfig before 1.7 refuses "
				    "it");
		} else {
			if (strchr("([{", *s.at) != NULL && ++depth == SCAN_DEPTH_MAX + 1)
				mistake(&s, s.line, "nested too deep");
			if (strchr(")]}", *s.at) != NULL && depth > 0)
				depth--;
			s.at++;
		}
	}
	return s.good;
}
