/*
 * verify.h: the proof that a compiled program does what policy_decide() says, before anything is
 * written.
 *
 * libseccomp drops or weakens some rules and returns 0, and our own chaining could be wrong. So
 * every program, prologue included, is run in our interpreter on every call number to well past the
 * newest, on foreign ABIs, and on the boundaries of every condition.
 */
#ifndef STAGEFENCE_VERIFY_H
#define STAGEFENCE_VERIFY_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy;
struct stage;

/*
 * loader: the program is an outer fence, which lets what loader.h lists through. cookie: it has the
 * second part of the prologue. False: the first difference has been said, with the rule that cannot
 * be expressed.
 */
bool verify_program(const struct policy *p, const struct stage *s, bool loader, bool cookie,
    const struct sock_filter *code, size_t count);

/* How many inputs were judged until now. */
uint64_t verify_count(void);

#endif
