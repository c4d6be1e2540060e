/*
 * stagefence-plugin.h: what a plugin of stagefence is built against; stagefence-plugin(3) has a
 * whole one.
 *
 * A plugin is a shared library that a policy names (plugin = "/etc/stagefence/site.so";). It is
 * loaded by stagefencectl when the policy is compiled, never by a job, and adds refusals to stages:
 * where it and the policy disagree, the stricter answer holds, so it can take away and never give.
 * It defines two things, both declared at the end of this file: its version and one function.
 */
#ifndef STAGEFENCE_STAGEFENCE_PLUGIN_H
#define STAGEFENCE_STAGEFENCE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when a plugin that was built before could be misunderstood. */
#define STAGEFENCE_PLUGIN_VERSION 1u

/* What the kernel does with a call; see seccomp(2). */
enum stagefence_action {
	STAGEFENCE_ALLOW,       /* the plugin does not mind: what the policy says holds */
	STAGEFENCE_ERRNO,       /* the call is not made, and fails with an errno */
	STAGEFENCE_TRAP,        /* SIGSYS, which the program may handle */
	STAGEFENCE_KILL_THREAD, /* the rest of the program runs on */
	STAGEFENCE_KILL_PROCESS
};

/* Comparisons of unsigned numbers. */
enum stagefence_op {
	STAGEFENCE_EQ,
	STAGEFENCE_NE,
	STAGEFENCE_LT,
	STAGEFENCE_LE,
	STAGEFENCE_GT,
	STAGEFENCE_GE
};

/*
 * Holds if (argument & mask) op value. Where the kernel looks at 32 bits of an argument, such as an
 * int, so does the comparison, and a negative value may be given as (uint64_t)-1.
 */
struct stagefence_condition {
	unsigned arg; /* 0, the first argument, to 5 */
	enum stagefence_op op;
	uint64_t mask; /* 0: all bits; any other with STAGEFENCE_EQ and STAGEFENCE_NE only */
	uint64_t value;
};

/* One stage that the plugin is asked about. Only valid until stagefence_plugin() returns. */
struct stagefence_filter;

/*
 * What stagefencectl does for a plugin. It belongs to stagefencectl, as does whatever its functions
 * return; what is passed to them is copied before they return. They return nothing that has to be
 * looked at: a mistake, such as a system call that does not exist, is said by stagefencectl, and
 * nothing is compiled.
 */
struct stagefence_plugin_api {
	/* Of this struct, in bytes. Functions may be added at its end without a new version. */
	size_t size;

	/* The name of the stage, as in the policy. */
	const char *(*stage)(const struct stagefence_filter *filter);

	/*
	 * If all count conditions (at most 12; NULL and 0: none are needed) hold, system call call,
	 * a name such as "mkdir", is answered with action. error is the errno of STAGEFENCE_ERRNO,
	 * 1 to 4095, and else 0.
	 *
	 * Among a plugin's own rules for a call, those with conditions beat the one without; of
	 * several that hold the strictest wins; their order does not matter. A refusal without
	 * conditions refuses the call's siblings too (mkdir: mkdirat), but those for which the
	 * plugin has a rule.
	 */
	void (*add_rule)(struct stagefence_filter *filter, const char *call,
	    enum stagefence_action action, int error, const struct stagefence_condition *conditions,
	    size_t count);

	/*
	 * The answer to all calls that the plugin has no rule for; action and error as above. At
	 * first it is STAGEFENCE_ALLOW. Set again, the last one holds.
	 */
	void (*set_default)(
	    struct stagefence_filter *filter, enum stagefence_action action, int error);

	/* Shows the text, one line of at most 500 bytes; nothing is compiled. Does not return. */
	void (*fail)(struct stagefence_filter *filter, const char *format, ...)
#ifdef __GNUC__
	    __attribute__((noreturn, format(printf, 2, 3)))
#endif
	    ;
};

#ifdef __GNUC__
#define STAGEFENCE_EXPORT __attribute__((visibility("default")))
#else
#define STAGEFENCE_EXPORT
#endif

/* The plugin defines it as STAGEFENCE_PLUGIN_VERSION. Looked at before the function is called. */
extern STAGEFENCE_EXPORT const unsigned stagefence_plugin_version;

/*
 * The plugin defines it. Called for one stage after the other, in one process that does nothing
 * else, ends soon, and has no environment and /dev/null for its standard streams. It has 10 seconds
 * for all stages. Returns 0, or anything else if nothing shall be compiled.
 */
STAGEFENCE_EXPORT int stagefence_plugin(
    const struct stagefence_plugin_api *api, struct stagefence_filter *filter);

#ifdef __cplusplus
}
#endif

#endif
