/*
 * policy.h: the model of a policy, and policy_decide(), the one place that says what a policy
 * means.
 *
 * A stage is a list of levels, the nearest first: itself, then its bases. For a call,
 *   1. the nearest level that has a matching rule decides;
 *   2. within a level, matching rules with conditions beat those without;
 *   3. among several of the same kind the most restrictive wins, whatever their order;
 *   4. where no level has one, the nearest default action decides; without any, the call is
 * allowed;
 *   5. but calls that every program ends or returns with are allowed, and
 *   6. calls younger than newest_kernel, and numbers that no table knows, answer ENOSYS, and so
 * does clone3 where the default is an errno, so that a libc falls back instead of breaking;
 *   7. where a plugin or the floor refuses, the stricter of the two answers holds.
 * An exact stage means no more than it says: its default decides for every call and number that no
 * rule names, 5 and 6 or not, unless newest_kernel is set.
 * Compiled programs are judged against policy_decide() before they are written (verify.h).
 *
 * Everything in a policy belongs to its arena.
 */
#ifndef STAGEFENCE_POLICY_H
#define STAGEFENCE_POLICY_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "calls.h"
#include "consts.h"

struct arena;

struct origin {
	const char *file;
	int line;
};

enum condition_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

/* Holds if (argument & mask) op value, unsigned. A mask other than all ones goes with == and !=
 * only. */
struct condition {
	unsigned arg; /* 0 to 5 */
	enum condition_op op;
	uint64_t mask, value; /* within 32 bits where the kernel looks at no more: calls.def */
	const char *mask_text, *value_text; /* as they were written; or NULL */
	bool whole;  /* the register and not the argument, as libseccomp compares: its lower half
			where an ABI has no more */
	bool launch; /* value is filled in when the fence is raised: $uid, $gid (fence.h) */
};

struct rule {
	const struct call *call;            /* NULL: a default */
	uint32_t action;                    /* SECCOMP_RET_*, with the errno in its low 16 bits */
	const struct condition *conditions; /* all must hold */
	size_t condition_count;
	struct origin origin;
	const char *comment;           /* or NULL */
	bool exact;                    /* implies nothing (close.h) */
	bool by_group;                 /* the call was named through a group */
	const struct call *implied_by; /* NULL: written so */
};

/*
 * What is said once for a stage and not call by call; the nearest level that sets one decides. Each
 * is a bit of set, and a field.
 */
enum attribute {
	ATTRIBUTE_NO_NEW_PRIVS = 1 << 0,
	ATTRIBUTE_NEWEST_KERNEL = 1 << 1,
	ATTRIBUTE_BAD_ARCH = 1 << 2,
	ATTRIBUTE_LOG_BLOCKED = 1 << 3,
	ATTRIBUTE_LOG_ALLOWED = 1 << 4,
	ATTRIBUTE_SPECULATION = 1 << 5,
	ATTRIBUTE_TSYNC = 1 << 6,
	ATTRIBUTE_OPTIMIZE = 1 << 7,
	ATTRIBUTE_ARCHITECTURES = 1 << 8,
	ATTRIBUTE_STRICT = 1 << 9,
	ATTRIBUTE_EXACT = 1 << 10,
	ATTRIBUTE_REPORT = 1 << 11,
	ATTRIBUTE_LISTENER = 1 << 12,
	ATTRIBUTE_METADATA = 1 << 13
};

struct attributes {
	unsigned set;
	bool no_new_privs;        /* true */
	bool log_blocked;         /* false; SECCOMP_FILTER_FLAG_LOG */
	bool log_allowed;         /* false; what is allowed is logged */
	bool allow_speculation;   /* false; SECCOMP_FILTER_FLAG_SPEC_ALLOW */
	bool tsync;               /* true; the shim fences threads that are there already */
	unsigned optimize;        /* 2; libseccomp's */
	uint16_t newest_kernel;   /* kernel_version(), 0: the newest that calls.def knows */
	uint32_t bad_arch_action; /* SECCOMP_RET_KILL_PROCESS */
	unsigned architectures;   /* 1 << ABI_*, beside the native one */
	bool strict;              /* false; mode = strict: the kernel's own four calls, no filter */
	bool exact;               /* false; nothing is added to what is written */
	const char *report;       /* NULL; where refusals are told, a sink a line (report.h) */
	const char *listener;     /* NULL; the socket of an agent, which answers notify */
	const char *metadata;     /* NULL; what the agent is told of the stage */
};

/* What one stage or profile says by itself. */
struct level {
	const char *name;
	struct origin origin;
	struct rule *rules; /* sorted by call after policy_sort() */
	size_t rule_count;
	const struct rule *fallback; /* its default action, or NULL */
	struct attributes attributes;
};

/*
 * What a stage should come to, written beside it; stagefencectl test tries it, and it changes no
 * filter. A call and its answer, or a command and how it ends.
 */
struct expectation {
	struct origin origin;
	const char *what;    /* the call or the command, as it was written */
	const char *comment; /* or NULL */

	const struct call *call; /* NULL: a command */
	bool every;              /* whatever the arguments */
	uint64_t args[6];
	const char *arg_texts[6]; /* as they were written, or NULL where they were not */
	uint32_t action;

	unsigned status;    /* as a shell's $?: 128 and the number of the signal that ended it */
	const char *output; /* a shell pattern for all that it prints; or NULL */
	unsigned timeout;   /* seconds */
};

struct stage {
	struct level own;
	bool is_profile;             /* a base for others; no stage of its own */
	const struct level **levels; /* nearest first: own, then the bases' */
	size_t level_count;
	const char **patterns;
	size_t pattern_count;
	struct expectation *expectations;
	size_t expectation_count;
	const struct stage **floors; /* what its plugins refuse is refused */
	size_t floor_count;
	bool disabled;                /* says nothing itself; its floors hold all the same */
	struct attributes attributes; /* resolved: policy_resolve() */
};

struct policy {
	struct arena *arena;
	const char **variables;
	size_t variable_count;
	struct stage **stages; /* in the order of the files; profiles among them */
	size_t stage_count;
	const struct stage *floor;    /* every stage's; or NULL */
	const struct stage *no_stage; /* NULL: refuse, unless no_stage_passes */
	bool no_stage_passes;
	const struct stage *unknown_stage; /* NULL: refuse */
	const char *report;                /* for stages that do not say; or NULL */
};

struct decision {
	uint32_t action;
	const struct rule *rule; /* what decided, or NULL: nothing that the policy says */
	bool by_floor;           /* the floor or a plugin refused, whatever the stage says */
};

static inline struct decision decision_of(uint32_t action, const struct rule *rule)
{
	return (struct decision){ action, rule, false };
}

/* One line of a decision list: if all conditions hold, that is the answer. The last one has none.
 */
struct clause {
	const struct condition *conditions;
	size_t condition_count;
	struct decision decision;
};

/* Has the stage itself written the rule, for the very call that it decides? Then another rule for
 * this call has to stand in its place; else it goes before it. */
bool rule_is_own(const struct stage *s, const struct rule *r);

/* Is a stricter than b? By the kernel's precedence: kill_process, kill_thread, trap, errno, notify,
 * trace, log, allow. */
bool action_stricter(uint32_t a, uint32_t b);
bool action_refuses(uint32_t action); /* anything stricter than log */

/* "allow", "EPERM", "errno 2000", "kill_process", ... */
const char *action_text(struct arena *a, uint32_t action);

bool condition_holds(const struct condition *c, const uint64_t args[6]);

/* A value for its argument that fulfils the condition, as far as it can be fulfilled. */
uint64_t condition_witness(const struct condition *c);

/*
 * Makes a condition as it was written, where an int may be negative in 64 bits, one on what the
 * kernel looks at. NULL, or what is wrong with it, which belongs to a.
 */
const char *condition_fit(struct arena *a, struct condition *c, const struct call *call);

/* Is there a fence for this stage at all? */
bool policy_has_fence(const struct policy *p, const struct stage *s);

/* A rule's condition as it is on an ABI: on i386 registers have 32 bits, a negative number is one
 * of 32, and some ids have 16. */
struct condition condition_on(enum abi abi, const struct rule *r, const struct condition *c);

/* To be called once for each level, when its rules are complete. */
void policy_sort(struct level *level);

/* Takes each attribute from the nearest level that sets it. To be called when levels are complete.
 */
void policy_resolve(struct stage *s);

/* d->arch and d->nr as the kernel gives them to a filter; foreign ABIs and x32 numbers are killed.
 */
struct decision policy_decide(
    const struct policy *p, const struct stage *s, const struct seccomp_data *d);

/*
 * The same for one call (NULL: one that no table knows) as an ordered list, first match decides.
 * Returns its length, at least 1. Made for the compiler, and independent of policy_decide() on
 * purpose: each checks the other.
 */
size_t policy_list(const struct policy *p, const struct stage *s, const struct call *call,
    struct arena *a, struct clause **list);
size_t policy_list_on(const struct policy *p, const struct stage *s, enum abi abi,
    const struct call *call, struct arena *a, struct clause **list);

/*
 * Where a floor meets a stage, a list has clauses that no call ever gets to: two values are asked
 * of one argument, or an earlier clause asks no more. Takes those out, for whoever reads a list or
 * compares two; returns how many are left. What is compiled is the list as it was.
 */
size_t policy_simplify(struct clause *list, size_t count, struct arena *a);

bool clause_same_conditions(const struct clause *a, const struct clause *b);

/* The answer to a call that is known and that no rule names. */
struct decision policy_unnamed(const struct policy *p, const struct stage *s, struct arena *a);

/* The constants of the architecture that policies are for. */
enum consts_of policy_constants(void);

/* The ABI that a call came in by; false: one that the stage does not admit. */
bool policy_abi(const struct stage *s, const struct seccomp_data *d, enum abi *abi);

#endif
