/*
 * document.h: what the commands of stagefencectl find out, as one JSON document each, in a form
 * that stays: stagefencectl(8), JSON OUTPUT. Keys are added, never changed.
 */
#ifndef STAGEFENCE_DOCUMENT_H
#define STAGEFENCE_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct call;
struct clause;
struct decision;
struct expect;
struct json;
struct policy;
struct sources;
struct stage;

/* {"version":1,"command":"show" ... "good":true,"mistakes":[]}: to be called around all else.
 * Mistakes and notes are kept for the end instead of being written to standard error. */
void document_begin(struct json *j, const char *command);
void document_end(struct json *j, bool good);

void document_show(
    struct json *j, const struct policy *p, const struct stage *only, struct arena *a);
void document_explain(struct json *j, const struct policy *p, const struct stage *s,
    const struct call *call, const uint64_t *args, struct arena *a);
void document_check(
    struct json *j, const void *image, const struct sources *sources, struct arena *a);
void document_test(struct json *j, const struct expect *e);

/* Differences, each an object, into an open array: a call's answers, a key, a stage that only one
 * of two policies has. */
void document_call(struct json *j, struct arena *a, const char *stage, const struct call *call,
    const struct clause *x, size_t n, const struct clause *y, size_t m);
void document_key(
    struct json *j, const char *stage, const char *key, const char *from, const char *to);
void document_only(struct json *j, const struct stage *s, bool first);

#endif
