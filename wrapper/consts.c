/*
 * The table of consts.def in memory, and the little language of numbers that consts.h describes.
 * No system header that defines a constant of the table is needed, and none is believed.
 */
#include "consts.h"

#include <stddef.h>
#include <string.h>

/* No constant has this value; tests/consts-check.c looks. */
#define NONE (UINT64_C(1) << 63)

/* The names one behind the other, and each constant knows where its own begins: pointers would be
 * thousands of relocations at each start. Where a header has a name as a macro, that must not
 * matter, so none passes through a second one. */
static const struct names {
#define C(name, value) char at_##name[sizeof #name];
#define D(name, x86_64, aarch64) char at_##name[sizeof #name];
#define A(name, value) char at_##name[sizeof #name];
#define P(name, value) char at_##name[sizeof #name];
#define B(name, value) char at_##name[sizeof #name];
#define S(name, number) char at_##name[sizeof #name];
#define Q(name, command) char at_##name[sizeof #name];
#define E(name, number) char at_##name[sizeof #name];
#include "consts.def"
} names = {
#define C(name, value) #name,
#define D(name, x86_64, aarch64) #name,
#define A(name, value) #name,
#define P(name, value) #name,
#define B(name, value) #name,
#define S(name, number) #name,
#define Q(name, command) #name,
#define E(name, number) #name,
#include "consts.def"
};

struct constant {
	uint64_t x86_64, aarch64, elsewhere;
	uint32_t at; /* in names */
	bool hidden; /* const_name() prefers another */
};

static const struct constant constants[] = {
#define C(name, value) { value, value, value, offsetof(struct names, at_##name), false },
#define D(name, x86_64, aarch64) \
	{ x86_64, aarch64, NONE, offsetof(struct names, at_##name), false },
#define A(name, value) { value, value, value, offsetof(struct names, at_##name), true },
#define P(name, value) { value, value, NONE, offsetof(struct names, at_##name), false },
#define B(name, value) { value, value, NONE, offsetof(struct names, at_##name), true },
#define S(name, number) { number, number, number, offsetof(struct names, at_##name), false },
#define Q(name, command) \
	{ (uint64_t)(command) << 8, (uint64_t)(command) << 8, (uint64_t)(command) << 8, \
		offsetof(struct names, at_##name), false },
#include "consts.def"
};

static const struct constant errnos[] = {
#define E(name, number) { number, number, number, offsetof(struct names, at_##name), false },
#include "consts.def"
};

static const struct constant signals[] = {
#define S(name, number) { number, number, number, offsetof(struct names, at_##name), false },
#include "consts.def"
};

enum {
	CONSTANT_COUNT = sizeof constants / sizeof constants[0],
	ERRNO_COUNT = sizeof errnos / sizeof errnos[0],
	SIGNAL_COUNT = sizeof signals / sizeof signals[0],
	ERRNO_MAX = 4095, /* a filter's data beyond it is cut, seccomp(2) */
	SIGNAL_MAX = 64,
	NEAR = 2,     /* typing errors forgiven in a hint */
	LONGEST = 64, /* more than any name of the table has */
};

static const char blank[] = " \t\r\n";

static const char *name_at(const struct constant *c)
{
	return (const char *)&names + c->at;
}

static uint64_t value_of(const struct constant *c, enum consts_of of)
{
	switch (of) {
	case CONSTS_X86_64: return c->x86_64;
	case CONSTS_AARCH64: return c->aarch64;
	case CONSTS_ELSEWHERE: break;
	}
	return c->elsewhere;
}

bool const_value(const char *name, size_t length, enum consts_of of, uint64_t *value)
{
	size_t low = 0, high = CONSTANT_COUNT;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct constant *c = &constants[middle];
		int order = strncmp(name, name_at(c), length);

		if (order == 0 && strlen(name_at(c)) == length) {
			if (value_of(c, of) == NONE)
				return false;
			*value = value_of(c, of);
			return true;
		}
		if (order > 0)
			low = middle + 1;
		else /* also where name is only the beginning of the constant's */
			high = middle;
	}
	return false;
}

static bool read_digits(const char *text, size_t length, unsigned base, uint64_t *value)
{
	uint64_t sum = 0;

	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned digit;

		if (text[i] >= '0' && text[i] <= '9')
			digit = (unsigned)(text[i] - '0');
		else if (text[i] >= 'a' && text[i] <= 'f')
			digit = (unsigned)(text[i] - 'a') + 10;
		else if (text[i] >= 'A' && text[i] <= 'F')
			digit = (unsigned)(text[i] - 'A') + 10;
		else
			return false;
		if (digit >= base || sum > (UINT64_MAX - digit) / base)
			return false;
		sum = sum * base + digit;
	}
	*value = sum;
	return true;
}

static bool read_decimal(const char *text, size_t length, uint64_t *value)
{
	if (length > 1 && text[0] == '0')
		return false;
	return read_digits(text, length, 10, value);
}

static bool read_part(
    const char *part, size_t length, enum consts_of of, uint64_t *value, bool *negative)
{
	*negative = false;
	if (length > 0 && part[0] == '-') {
		if (!read_decimal(part + 1, length - 1, value) || *value > (uint64_t)INT64_MAX + 1)
			return false;
		*value = 0 - *value;
		*negative = true;
		return true;
	}
	if (length > 2 && part[0] == '0' && part[1] == 'x')
		return read_digits(part + 2, length - 2, 16, value);
	if (length > 2 && part[0] == '0' && part[1] == 'o')
		return read_digits(part + 2, length - 2, 8, value);
	if (read_decimal(part, length, value))
		return true;
	if (!const_value(part, length, of, value))
		return false;
	*negative = *value > INT64_MAX;
	return true;
}

bool const_read(
    const char *text, enum consts_of of, uint64_t *value, const char **bad, size_t *bad_length)
{
	const char *end = text + strlen(text);
	const char *part = text;
	uint64_t sum = 0;

	for (;;) {
		const char *stop = part + strcspn(part, "|");
		const char *next = stop + 1;
		bool alone = part == text && stop == end;
		uint64_t one;
		bool negative;

		part += strspn(part, blank);
		while (stop > part && strchr(blank, stop[-1]) != NULL)
			stop--;
		if (!read_part(part, (size_t)(stop - part), of, &one, &negative) ||
		    (negative && !alone)) {
			*bad = part;
			*bad_length = (size_t)(stop - part);
			return false;
		}
		sum |= one;
		if (next > end)
			break;
		part = next;
	}
	*value = sum;
	return true;
}

static bool read_named(
    const struct constant *table, size_t count, const char *text, uint64_t max, uint64_t *value)
{
	if (read_decimal(text, strlen(text), value))
		return *value >= 1 && *value <= max;
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, name_at(&table[i])) == 0) {
			*value = table[i].x86_64;
			return true;
		}
	return false;
}

static const char *name_of(const struct constant *table, size_t count, uint64_t value)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].x86_64 == value)
			return name_at(&table[i]);
	return NULL;
}

bool const_errno(const char *text, unsigned *value)
{
	uint64_t number;

	if (!read_named(errnos, ERRNO_COUNT, text, ERRNO_MAX, &number))
		return false;
	*value = (unsigned)number;
	return true;
}

const char *const_errno_name(unsigned value)
{
	return name_of(errnos, ERRNO_COUNT, value);
}

bool const_signal(const char *text, int *value)
{
	uint64_t number;

	if (!read_named(signals, SIGNAL_COUNT, text, SIGNAL_MAX, &number))
		return false;
	*value = (int)number;
	return true;
}

const char *const_signal_name(int value)
{
	return value < 1 ? NULL : name_of(signals, SIGNAL_COUNT, (uint64_t)value);
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Characters to add, to drop or to replace until a is b. Both are shorter than LONGEST. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned row[LONGEST]; /* of a's first i characters to b's first j */

	for (size_t j = 0; j <= b_length; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned replaced = corner + (upper(a[i - 1]) != upper(b[j - 1]));

			corner = row[j];
			row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[b_length];
}

static const char *nearest(const struct constant *table, size_t count, const char *word)
{
	size_t length = strlen(word);
	unsigned best = NEAR + 1;
	const char *found = NULL;

	if (length >= LONGEST)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const char *name = name_at(&table[i]);
		size_t name_length = strlen(name);
		unsigned far;

		if (name_length > length + NEAR || length > name_length + NEAR)
			continue;
		/* It is there after all, on the other architecture: no hint. */
		if (strcmp(word, name) == 0)
			continue;
		far = distance(word, length, name, name_length);
		if (far < best) {
			best = far;
			found = name;
		}
	}
	return found;
}

const char *const_nearest(const char *word)
{
	return nearest(constants, CONSTANT_COUNT, word);
}

const char *const_errno_nearest(const char *word)
{
	return nearest(errnos, ERRNO_COUNT, word);
}

const char *const_name(const char *prefix, enum consts_of of, uint64_t value)
{
	size_t length = strlen(prefix);
	const char *second = NULL;

	for (size_t i = 0; i < CONSTANT_COUNT; i++) {
		const struct constant *c = &constants[i];
		uint64_t v = value_of(c, of);
		bool same = v == value || (v >> 32 == UINT32_MAX && (uint32_t)v == value);

		if (!same || v == NONE || strncmp(prefix, name_at(c), length) != 0)
			continue;
		if (!c->hidden)
			return name_at(c);
		if (second == NULL)
			second = name_at(c);
	}
	return second;
}

size_t const_count(void)
{
	return CONSTANT_COUNT;
}

const char *const_at(size_t i, enum consts_of of, uint64_t *value)
{
	if (i >= CONSTANT_COUNT || value_of(&constants[i], of) == NONE)
		return NULL;
	*value = value_of(&constants[i], of);
	return name_at(&constants[i]);
}
