/*
 * filter.h: a stage becomes BPF. The only file that knows libseccomp.
 *
 * Calls whose answer needs no argument are told apart by their number, in a tree of ranges: a few
 * dozen instructions where libseccomp's own tree has hundreds, and every launch pays for each of
 * them. What depends on arguments is libseccomp's. Its rules have no order, and for some
 * combinations on one call it keeps a rule, drops another and returns 0; so it is only given what
 * it is known to do right: one action under comparisons of masked bits. A call's decision list is
 * cut into layers of such rules, each layer a program of its own; the programs are chained, a layer
 * that has no answer jumping on to the next. What comes out is judged by verify.h all the same.
 */
#ifndef STAGEFENCE_FILTER_H
#define STAGEFENCE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include "calls.h"
#include "cubes.h"
#include <stdint.h>

struct arena;
struct clause;
struct policy;
struct stage;

struct program {
	struct sock_filter *code; /* the body; the prologue is fence.h's */
	size_t count;
};

/*
 * The filter of a stage. With loader, calls that the dynamic loader makes are let through as well
 * (loader.h). False: it has been said what cannot be compiled. The code belongs to a.
 */
bool filter_build(const struct policy *p, const struct stage *s, bool loader, struct arena *a,
    struct program *out);

/*
 * What a container engine reads from a profile and gives to libseccomp, rule by rule and by name:
 * its filter is what a profile means.
 */
struct engine_rule {
	const struct call *call;
	uint32_t action; /* other than otherwise */
	struct cube cube;
};

struct engine_filter {
	uint32_t otherwise;
	unsigned abis; /* 1 << ABI_* */
	const struct engine_rule *rules;
	size_t rule_count;
};

/* False: it has been said why libseccomp does not take it. pseudocode may be NULL. */
bool filter_as_engine(
    const struct engine_filter *e, struct arena *a, struct program *out, const char **pseudocode);

/* Does the libseccomp that is running know this call there? */
bool filter_knows(const struct call *call, enum abi abi);

/* A rule as OCI's engines give it to libseccomp, one after the other. */
struct profile_rule {
	const char *call; /* any name */
	uint32_t action;
	const struct condition *conditions;
	size_t condition_count;
	bool unknown; /* set: libseccomp does not know the call, and engines leave the rule out */
};

/*
 * What libseccomp makes of such rules, whatever it may be: for comparison, and for nothing else.
 * admitted: ABIs beside the native one, 1 << ABI_*. Returns 0, or an errno for rules[*at], or for
 * no rule where *at is count.
 */
int filter_of_profile(struct profile_rule *rules, size_t count, uint32_t fallback,
    unsigned admitted, struct arena *a, struct program *out, size_t *at);

/* "2.5.4": the libseccomp that is running. */
const char *filter_library(struct arena *a);

/* What it finds that the kernel can do, from 1: seccomp_api_get(3). Later on, what was settled on
 * to compile by. */
unsigned filter_level(void);

/* The file that it is in; NULL where there is no /proc to tell. False: it has been said. */
bool filter_library_file(struct arena *a, const char **file);

#endif
