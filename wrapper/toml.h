/*
 * toml.h: reads TOML 1.0 (https://toml.io) into a tree, strictly: what the language forbids is a
 * mistake with its line, and nothing is guessed. Strings, booleans, arrays and tables are for use;
 * numbers and dates are checked for their shape and kept as they are written. It knows nothing of
 * any program's keys.
 */
#ifndef STAGEFENCE_TOML_H
#define STAGEFENCE_TOML_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* No honest file comes near: larger, deeper or fuller ones are mistakes. */
enum { TOML_SIZE_MAX = 1 << 20, TOML_DEPTH_MAX = 64, TOML_KEYS_MAX = 10000 };

enum toml_type { TOML_STRING, TOML_BOOLEAN, TOML_NUMBER, TOML_DATE, TOML_ARRAY, TOML_TABLE };

/* How a table or array came to be, which says who may add to it. */
enum toml_making {
	TOML_BY_VALUE,   /* [ ... ] or { ... }: complete as it stands */
	TOML_BY_HEADER,  /* [table], or [[array of tables]] */
	TOML_ON_THE_WAY, /* a in [a.b]; [a] may follow */
	TOML_BY_KEY      /* a in a.b = ... */
};

struct toml_value {
	enum toml_type type;
	enum toml_making making;
	int line;
	bool yes;         /* a boolean's */
	const char *key;  /* in a table; NULL in an array */
	const char *text; /* of strings, numbers and dates; UTF-8 without a NUL byte */
	struct toml_value *first, *last; /* of an array or table, in the order of the file */
	struct toml_value *next;         /* beside this one */
};

/* The root table, which belongs to a. NULL: the first mistake has been said. */
const struct toml_value *toml_read(
    struct arena *a, const char *file, const char *text, size_t size);

/* NULL where the table has none, and where table is NULL or no table. */
const struct toml_value *toml_member(const struct toml_value *table, const char *key);

#endif
