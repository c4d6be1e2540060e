/*
 * verify.h: the proof that a compiled program does what policy_decide() says, before anything is
 * written.
 *
 * libseccomp drops or weakens some rules and returns 0, and our own chaining could be wrong. So
 * every program, prologue included, is run in our interpreter on every call number to well past the
 * newest, on foreign ABIs, on the boundaries of every condition, and on those of every comparison
 * that it comes to itself.
 */
#ifndef STAGEFENCE_VERIFY_H
#define STAGEFENCE_VERIFY_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../preload/fence.h"

struct call;
struct policy;
struct rule;
struct seccomp_data;
struct program;
struct stage;

/*
 * loader: the program is an outer fence, which lets what loader.h lists through. cookie: it has the
 * second part of the prologue. digest: the prologue's eight words; NULL: there is no prologue.
 * False: the first difference has been said, with the rule that cannot be expressed.
 */
bool verify_program(const struct policy *p, const struct stage *s, bool loader, bool cookie,
    const uint32_t *digest, const struct sock_filter *code, size_t count);

/*
 * The same inputs for a program that somebody else makes of a policy. Each difference is told;
 * false ends it. For programs that bpf_check() has passed.
 */
struct difference {
	const struct seccomp_data *data;
	const struct call
	    *call;     /* NULL: none that is known, or by an ABI that the stage does not admit */
	bool admitted; /* the ABI */
	const struct rule *rule; /* what the policy decides by, or NULL */
	uint32_t want, have;
};

void verify_compare(const struct policy *p, const struct stage *s, const struct sock_filter *code,
    size_t count, bool (*differs)(void *, const struct difference *), void *to);

/*
 * The inner fence of a stage with a listener, as image.h describes it: together with outer, which
 * is a body without its prologue, and with the listener giving the image's answers, it must come to
 * what the stage says.
 */
bool verify_inner(const struct policy *p, const struct stage *s, const struct program *outer,
    enum fence_listener listener, const uint32_t *digest, const struct sock_filter *code,
    size_t count);

/* How many inputs were judged until now. */
uint64_t verify_count(void);

#endif
