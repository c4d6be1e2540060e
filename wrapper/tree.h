/*
 * tree.h: reads JSON (RFC 8259) into a tree, strictly: what the grammar forbids, a key given twice,
 * a NUL in a text and what is no UTF-8 are mistakes, each with its line and column. Every value
 * keeps where it stands, so that whoever asks for more can say so too; and a number keeps its
 * digits, for OCI's are unsigned and have 64 bits. Writing JSON is json.h's business.
 */
#ifndef STAGEFENCE_TREE_H
#define STAGEFENCE_TREE_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* No honest file comes near: larger, deeper or fuller ones are mistakes. */
enum {
	TREE_SIZE_MAX = 4 << 20,
	TREE_DEPTH_MAX = 32,
	TREE_VALUES_MAX = 200000,
	TREE_KEYS_MAX = 512
};

enum tree_type { TREE_NULL, TREE_BOOL, TREE_NUMBER, TREE_TEXT, TREE_ARRAY, TREE_OBJECT };

struct tree {
	enum tree_type type;
	int line, column; /* of its first character, both from 1; of its key where it has one */
	bool yes;         /* a boolean's */
	const char *key;  /* in an object; NULL in an array */
	const char *text; /* of a text, and a number's digits; UTF-8 without a NUL */
	struct tree *first, *last; /* of an array or object, in the order of the file */
	struct tree *next;         /* beside this one */
};

/* The root, which belongs to a. NULL: the first mistake has been said. */
const struct tree *tree_read(struct arena *a, const char *file, const char *text, size_t size);

/* NULL where the object has none, and where it is NULL or no object. */
const struct tree *tree_member(const struct tree *object, const char *key);

/* How many there are in an array or object. */
size_t tree_count(const struct tree *t);

/* A mistake or a note at a place in a file: "file:line:column: ...". */
void tree_say(struct arena *a, const char *file, const struct tree *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void tree_note(struct arena *a, const char *file, const struct tree *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
