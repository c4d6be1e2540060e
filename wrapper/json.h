/*
 * json.h: JSON out, one value after the other, onto a stream. Reading it is tree.h's business.
 *
 * Keys are our own words. Texts may be anything that a job or a policy holds: control characters
 * are escaped, and what is no UTF-8 becomes U+FFFD, so a line stays a line and a document JSON
 * (RFC 8259) whatever it tells of.
 */
#ifndef STAGEFENCE_JSON_H
#define STAGEFENCE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_DEPTH = 31 };

/* Begin with { .out = stream }. Not pretty: all on one line. */
struct json {
	FILE *out;
	bool pretty;
	bool inside; /* something stands in the innermost bracket already */
	unsigned depth;
	char bracket[JSON_DEPTH]; /* what closes each open one */
};

/* key is NULL in an array and at the top. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_close(struct json *j); /* the innermost; at the outermost a newline follows */

void json_text(struct json *j, const char *key, const char *text); /* NULL: null */
void json_number(struct json *j, const char *key, int64_t number);
void json_unsigned(struct json *j, const char *key, uint64_t number);
void json_hex(struct json *j, const char *key, uint64_t number); /* "0x1f": 64 bits survive */
void json_bool(struct json *j, const char *key, bool yes);

#endif
