#include "oci.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

#include "bpf.h"
#include "calls.h"
#include "consts.h"
#include "filter.h"
#include "input.h"
#include "mem.h"
#include "plain.h"
#include "policy.h"
#include "say.h"
#include "scan.h"
#include "tree.h"

enum {
	ARGUMENTS = 6,
	RULES_MAX = 20000,     /* one call each */
	CONDITIONAL_MAX = 128, /* rules with conditions on one call: libseccomp's time is cubic */
	ERRNO_MAX = 4095,      /* the kernel's own */
	REMARKS_MAX = 40,
	SHOWN = 60 /* of a foreign word, in a message */
};

/* One call of one entry of syscalls; or one argument of it, where engines split them. */
struct rule_in {
	const char *name;
	const struct call *call; /* NULL: not in our tables */
	uint32_t action;
	const struct condition *conditions;
	size_t condition_count;
	const struct tree *entry, *at; /* at: the name */
	const char *comment;
	bool through;  /* i386's other way into the call: engines leave that to libseccomp */
	bool unknown;  /* to libseccomp */
	bool weak;     /* answers as the default does; engines leave it out */
	bool by_path;  /* made from libseccomp's program */
	bool left_out; /* another rule decides in its place */
};

/* One entry of syscalls, and its rules: those from first on. */
struct entry {
	const struct tree *at;
	size_t first, count;
	bool here; /* its includes and excludes hold */
};

struct profile {
	struct arena *arena;
	const char *file;
	const struct oci_capabilities *has;
	const struct tree *root, *fallback_at;
	uint32_t fallback;
	unsigned admitted; /* 1 << ABI_*, beside the native one */
	bool has_flags, log, speculation;
	const char *listener, *metadata;
	struct rule_in *rules;
	size_t rule_count;
	struct entry *entries;
	size_t entry_count;
	bool good;
	bool full; /* too many rules, and that has been said */
	const char *remarks[REMARKS_MAX];
	size_t remark_count;
};

#define WRONG(p, t, ...) ((p)->good = false, tree_say((p)->arena, (p)->file, t, __VA_ARGS__))

/* What is worth a look stands in an imported policy too. */
static void remark(struct profile *p, const struct tree *at, const char *text)
{
	tree_note(p->arena, p->file, at, "%s", text);
	if (p->remark_count < REMARKS_MAX)
		p->remarks[p->remark_count] = arena_format(p->arena, "line %d: %s", at->line, text);
	p->remark_count++;
}

#define REMARK(p, t, ...) remark(p, t, arena_format((p)->arena, __VA_ARGS__))

/* ---- values ---- */

/* Go and C's readers take null for a key that is not there. */
static const struct tree *member(const struct tree *t, const char *key)
{
	const struct tree *m = tree_member(t, key);

	return m != NULL && m->type == TREE_NULL ? NULL : m;
}

static bool is(struct profile *p, const struct tree *t, enum tree_type type)
{
	static const char *const words[] = { "null", "true or false", "a number", "a text",
		"a list", "an object" };

	if (t->type != type)
		WRONG(p, t, "%.60s must be %s", t->key != NULL ? t->key : "an entry", words[type]);
	return t->type == type;
}

/* Its text, "" where it is not there, NULL where it is none. */
static const char *text_of(struct profile *p, const struct tree *t)
{
	return t == NULL ? "" : is(p, t, TREE_TEXT) ? t->text : NULL;
}

static bool read_number(struct profile *p, const struct tree *t, uint64_t max, uint64_t *value)
{
	const char *end;

	if (!is(p, t, TREE_NUMBER))
		return false;
	errno = 0;
	*value = strtoull(t->text, (char **)(uintptr_t)&end, 10);
	if (*end != '\0' || *t->text == '-' || errno != 0 || *value > max) {
		WRONG(p, t, "%.60s must be a whole number from 0 to %" PRIu64, t->key, max);
		return false;
	}
	return true;
}

/* Engines pass over a key that they do not know; Go's take one in any case, C's do not. */
static void check_keys(
    struct profile *p, const struct tree *t, const char *what, const char *const *known)
{
	for (const struct tree *m = t->first; m != NULL; m = m->next) {
		const char *const *word = known, *near = NULL;

		for (; *word != NULL && strcmp(*word, m->key) != 0; word++)
			if (strcasecmp(*word, m->key) == 0)
				near = *word;
		if (*word != NULL)
			continue;
		if (near != NULL)
			WRONG(p, m, "%.60s must be written %s: engines disagree on what it is",
			    m->key, near);
		else
			REMARK(p, m,
			    "%s has no key %.60s: engines pass over it, and so is done here", what,
			    m->key);
	}
}

/* ---- words ---- */

static const struct {
	const char *word;
	uint32_t action;
} actions[] = {
	{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW },
	{ "SCMP_ACT_LOG", SECCOMP_RET_LOG },
	{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO },
	{ "SCMP_ACT_TRACE", SECCOMP_RET_TRACE },
	{ "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF },
	{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
	{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
};

/* The number (errnoRet) and Podman's name for it (errno), which must agree. EPERM where neither is.
 */
static bool read_errno(
    struct profile *p, const struct tree *number, const struct tree *name, uint64_t *value)
{
	const char *text = text_of(p, name);
	unsigned named = EPERM;

	if (text == NULL)
		return false;
	if (*text != '\0' && !const_errno(text, &named)) {
		WRONG(p, name, "unknown errno %.60s", text);
		return false;
	}
	*value = named;
	if (number == NULL)
		return true;
	if (!read_number(p, number, ERRNO_MAX, value))
		return false;
	if (*value == 0) {
		WRONG(p, number, "with %s 0 a refused call would look as if it had worked",
		    number->key);
		return false;
	}
	if (*text != '\0' && *value != named) {
		WRONG(p, name,
		    "%s is not the errno that %s names: Podman takes the one, other engines "
		    "the other",
		    text, number->key);
		return false;
	}
	return true;
}

static bool read_action(struct profile *p, const struct tree *t, const struct tree *number,
    const struct tree *name, uint32_t *action)
{
	const char *word = text_of(p, t);
	bool has_errno;
	uint64_t value;
	size_t i = 0;

	if (word == NULL || !read_errno(p, number, name, &value))
		return false;
	while (i < sizeof actions / sizeof actions[0] && strcmp(actions[i].word, word) != 0)
		i++;
	if (i == sizeof actions / sizeof actions[0]) {
		WRONG(p, t,
		    "unknown action %.60s: SCMP_ACT_ALLOW, LOG, ERRNO, TRACE, NOTIFY, TRAP, KILL, "
		    "KILL_THREAD or KILL_PROCESS",
		    word);
		return false;
	}
	*action = actions[i].action;
	has_errno = *action == SECCOMP_RET_ERRNO || *action == SECCOMP_RET_TRACE;
	if (has_errno)
		*action |= (uint32_t)value;
	else if (number != NULL) {
		WRONG(
		    p, number, "%s goes with SCMP_ACT_ERRNO and SCMP_ACT_TRACE only", number->key);
		return false;
	}
	return true;
}

bool oci_capability(const char *name)
{
	static const char *const names[] = { "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE",
		"BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE",
		"DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE",
		"LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN",
		"NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP", "SETGID",
		"SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE",
		"SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME",
		"SYS_TTY_CONFIG", "WAKE_ALARM" };

	if (strncmp(name, "CAP_", 4) != 0)
		return false;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(names[i], name + 4) == 0)
			return true;
	return false;
}

/* Those of the specification that are none of ours: a machine never sees them beside its own. */
static bool foreign_architecture(const char *word)
{
	static const char *const words[] = { "ARM", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL",
		"MIPSEL64", "MIPSEL64N32", "PPC", "PPC64", "PPC64LE", "S390", "S390X", "PARISC",
		"PARISC64", "RISCV64", "LOONGARCH64", "M68K", "SH", "SHEB" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strncmp(word, "SCMP_ARCH_", 10) == 0 && strcmp(word + 10, words[i]) == 0)
			return true;
	return false;
}

/* ---- what is said once ---- */

/* One of SCMP_ARCH_*; *abi is one of ours where known says so. */
static bool read_architecture(struct profile *p, const struct tree *t, enum abi *abi, bool *known)
{
	const char *word;

	*known = false;
	if (!is(p, t, TREE_TEXT))
		return false;
	word = t->text;
	if (strcmp(word, "SCMP_ARCH_NATIVE") == 0) {
		*abi = abi_native();
		*known = true;
	} else if (strncmp(word, "SCMP_ARCH_", 10) == 0 && abi_named(word, abi))
		*known = true;
	else if (!foreign_architecture(word)) {
		WRONG(p, t, "unknown architecture %.60s: one of SCMP_ARCH_*", word);
		return false;
	}
	return true;
}

static void admit(struct profile *p, const struct tree *list)
{
	enum abi abi;
	bool known;

	if (list == NULL || !is(p, list, TREE_ARRAY))
		return;
	for (const struct tree *t = list->first; t != NULL; t = t->next)
		if (read_architecture(p, t, &abi, &known) && known && abi != abi_native() &&
		    abi_native() == ABI_X86_64 && (abi == ABI_X32 || abi == ABI_I386))
			p->admitted |= 1u << abi;
}

/* Docker's form: for the machine's own architecture, those that come along. */
static void read_arch_map(struct profile *p, const struct tree *map)
{
	static const char *const keys[] = { "architecture", "subArchitectures", NULL };

	if (map == NULL || !is(p, map, TREE_ARRAY))
		return;
	for (const struct tree *t = map->first; t != NULL; t = t->next) {
		const struct tree *own;
		unsigned before = p->admitted;
		enum abi abi;
		bool known;

		if (!is(p, t, TREE_OBJECT))
			continue;
		check_keys(p, t, "archMap", keys);
		own = member(t, "architecture");
		if (own == NULL) {
			WRONG(p, t, "an entry of archMap needs architecture");
			continue;
		}
		if (!read_architecture(p, own, &abi, &known))
			continue;
		admit(p, member(t, "subArchitectures"));
		if (!known || abi != abi_native())
			p->admitted = before;
	}
}

static void read_flags(struct profile *p, const struct tree *list)
{
	if (list == NULL || !is(p, list, TREE_ARRAY))
		return;
	p->has_flags = true;
	for (const struct tree *t = list->first; t != NULL; t = t->next) {
		if (!is(p, t, TREE_TEXT))
			continue;
		if (strcmp(t->text, "SECCOMP_FILTER_FLAG_LOG") == 0)
			p->log = true;
		else if (strcmp(t->text, "SECCOMP_FILTER_FLAG_SPEC_ALLOW") == 0)
			p->speculation = true;
		/* a fence always holds for every thread; how a listener waits is the listener's */
		else if (strcmp(t->text, "SECCOMP_FILTER_FLAG_TSYNC") != 0 &&
		    strcmp(t->text, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV") != 0)
			WRONG(p, t,
			    "unknown flag %.60s: SECCOMP_FILTER_FLAG_LOG, SPEC_ALLOW, TSYNC or "
			    "WAIT_KILLABLE_RECV",
			    t->text);
	}
}

static void read_listener(struct profile *p)
{
	const struct tree *path = member(p->root, "listenerPath"),
			  *data = member(p->root, "listenerMetadata");

	p->listener = text_of(p, path);
	p->metadata = text_of(p, data);
	if (data != NULL && path == NULL)
		WRONG(p, data, "listenerMetadata goes with listenerPath only");
	if (p->listener != NULL && *p->listener != '\0')
		remark(p, path,
		    "listenerPath is no part of the filter: without a listener, "
		    "notify answers ENOSYS");
}

static void read_top(struct profile *p)
{
	static const char *const keys[] = { "defaultAction", "defaultErrnoRet", "defaultErrno",
		"archMap", "architectures", "flags", "listenerPath", "listenerMetadata", "syscalls",
		NULL };
	const struct tree *map = member(p->root, "archMap"),
			  *list = member(p->root, "architectures");

	check_keys(p, p->root, "a profile", keys);
	p->fallback_at = member(p->root, "defaultAction");
	if (p->fallback_at == NULL)
		WRONG(p, p->root, "a profile needs defaultAction");
	else
		read_action(p, p->fallback_at, member(p->root, "defaultErrnoRet"),
		    member(p->root, "defaultErrno"), &p->fallback);
	if (map != NULL && list != NULL && map->first != NULL && list->first != NULL)
		WRONG(p, map, "archMap and architectures exclude each other");
	read_arch_map(p, map);
	admit(p, list);
	read_flags(p, member(p->root, "flags"));
	/* crun and runc, where a profile says nothing of flags */
	if (!p->has_flags)
		p->speculation = true;
	read_listener(p);
}

/* ---- entries of syscalls ---- */

static const struct {
	const char *word;
	enum condition_op op;
} ops[] = {
	{ "SCMP_CMP_NE", OP_NE },
	{ "SCMP_CMP_LT", OP_LT },
	{ "SCMP_CMP_LE", OP_LE },
	{ "SCMP_CMP_EQ", OP_EQ },
	{ "SCMP_CMP_GE", OP_GE },
	{ "SCMP_CMP_GT", OP_GT },
	{ "SCMP_CMP_MASKED_EQ", OP_EQ },
};

static bool read_condition(struct profile *p, const struct tree *t, struct condition *c)
{
	static const char *const keys[] = { "index", "value", "valueTwo", "op", NULL };
	const struct tree *index, *value, *two, *op;
	const char *word;
	uint64_t arg, second = 0;
	size_t i = 0;

	if (!is(p, t, TREE_OBJECT))
		return false;
	check_keys(p, t, "an argument", keys);
	index = member(t, "index");
	value = member(t, "value");
	two = member(t, "valueTwo");
	op = member(t, "op");
	if (index == NULL || value == NULL || op == NULL) {
		WRONG(p, t, "an argument needs index, value and op");
		return false;
	}
	*c = (struct condition){ .mask = ~(uint64_t)0, .whole = true };
	word = text_of(p, op);
	if (!read_number(p, index, ARGUMENTS - 1, &arg) ||
	    !read_number(p, value, UINT64_MAX, &c->value) ||
	    (two != NULL && !read_number(p, two, UINT64_MAX, &second)) || word == NULL)
		return false;
	while (i < sizeof ops / sizeof ops[0] && strcmp(ops[i].word, word) != 0)
		i++;
	if (i == sizeof ops / sizeof ops[0]) {
		WRONG(
		    p, op, "unknown op %.60s: SCMP_CMP_NE, LT, LE, EQ, GE, GT or MASKED_EQ", word);
		return false;
	}
	c->arg = (unsigned)arg;
	c->op = ops[i].op;
	if (strcmp(word, "SCMP_CMP_MASKED_EQ") == 0) {
		c->mask = c->value;
		c->value = second;
	}
	if (c->mask == 0) {
		WRONG(p, value, "a mask without bits");
		return false;
	}
	if ((c->value & ~c->mask) != 0) {
		WRONG(p, two,
		    "valueTwo has bits that the mask, value, leaves out: they are never equal");
		return false;
	}
	return true;
}

static bool read_conditions(
    struct profile *p, const struct tree *args, struct condition **conditions, size_t *count)
{
	bool good = true;

	*count = 0;
	*conditions = NULL;
	if (args == NULL)
		return true;
	if (!is(p, args, TREE_ARRAY))
		return false;
	if (tree_count(args) > ARGUMENTS) {
		WRONG(p, args, "more than %d args", ARGUMENTS);
		return false;
	}
	*conditions = arena_array(p->arena, ARGUMENTS, sizeof **conditions);
	for (const struct tree *t = args->first; t != NULL; t = t->next)
		good = read_condition(p, t, &(*conditions)[(*count)++]) && good;
	return good;
}

/* Is one word among a list of them? False too where the list is none, which has been said. */
static bool lists(struct profile *p, const struct tree *list, const char *word)
{
	bool found = false;

	for (const struct tree *t = list->first; t != NULL; t = t->next)
		found = (is(p, t, TREE_TEXT) && strcmp(t->text, word) == 0) || found;
	return found;
}

static bool has_capability(const struct profile *p, const char *name)
{
	for (size_t i = 0; i < p->has->count; i++)
		if (strcmp(p->has->items[i], name) == 0)
			return true;
	return false;
}

/* How many of a list's capabilities there are, and how many are asked for. */
static size_t count_capabilities(struct profile *p, const struct tree *list, size_t *asked)
{
	size_t have = 0;

	for (const struct tree *t = list->first; t != NULL; t = t->next, ++*asked) {
		if (!is(p, t, TREE_TEXT))
			continue;
		if (!oci_capability(t->text))
			REMARK(p, t, "unknown capability %.60s", t->text);
		have += has_capability(p, t->text);
	}
	return have;
}

/* "5.8", as Docker compares it with uname(2). */
static bool kernel_at_least(struct profile *p, const struct tree *t)
{
	unsigned major, minor, here_major = 0, here_minor = 0;
	struct utsname here;
	int used = 0;

	if (!is(p, t, TREE_TEXT))
		return false;
	if (sscanf(t->text, "%3u.%3u%n", &major, &minor, &used) != 2 || t->text[used] != '\0') {
		WRONG(p, t, "minKernel must be a version such as \"5.8\"");
		return false;
	}
	if (uname(&here) == 0)
		sscanf(here.release, "%u.%u", &here_major, &here_minor);
	return here_major != major ? here_major > major : here_minor >= minor;
}

struct filter {
	bool arch, caps, kernel; /* asked about */
	bool arch_here, kernel_here;
	size_t caps_here, caps_asked;
};

static struct filter read_filter(struct profile *p, const struct tree *t, const char *what)
{
	static const char *const keys[] = { "arches", "caps", "minKernel", NULL };
	/* Go's words for our machines */
	const char *here = abi_native() == ABI_AARCH64 ? "arm64" : "amd64";
	const struct tree *arches, *caps, *kernel;
	struct filter f = { 0 };

	if (t == NULL || !is(p, t, TREE_OBJECT))
		return f;
	check_keys(p, t, what, keys);
	arches = member(t, "arches");
	caps = member(t, "caps");
	kernel = member(t, "minKernel");
	f.arch = arches != NULL && is(p, arches, TREE_ARRAY) && arches->first != NULL;
	f.arch_here = f.arch && lists(p, arches, here);
	f.caps = caps != NULL && is(p, caps, TREE_ARRAY) && caps->first != NULL;
	f.caps_here = f.caps ? count_capabilities(p, caps, &f.caps_asked) : 0;
	f.kernel = kernel != NULL && !(kernel->type == TREE_TEXT && *kernel->text == '\0');
	f.kernel_here = f.kernel && kernel_at_least(p, kernel);
	return f;
}

/* In Docker's words: does this entry hold here? */
static bool holds_here(struct profile *p, const struct tree *entry)
{
	struct filter in = read_filter(p, member(entry, "includes"), "includes"),
		      out = read_filter(p, member(entry, "excludes"), "excludes");

	if (out.arch_here || out.caps_here > 0 || out.kernel_here)
		return false;
	return (!in.arch || in.arch_here) && in.caps_here == in.caps_asked &&
	    (!in.kernel || in.kernel_here);
}

static void add_rule(struct profile *p, const struct rule_in *r)
{
	if (p->rule_count == RULES_MAX) {
		if (!p->full)
			WRONG(p, r->at, "more than %d rules", RULES_MAX);
		p->full = true;
		return;
	}
	p->rules = arena_grow(p->arena, p->rules, p->rule_count, sizeof *p->rules);
	p->rules[p->rule_count++] = *r;
}

/* i386 makes these calls through one as well, whose first argument says which; 0: no such call. */
static unsigned multiplexed(const char *name, const char **through)
{
	static const char *const sockets[] = { "socket", "bind", "connect", "listen", "accept",
		"getsockname", "getpeername", "socketpair", "send", "recv", "sendto", "recvfrom",
		"shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg",
		"sendmmsg" };
	static const struct {
		const char *name;
		unsigned number;
	} ipc[] = { { "semop", 1 }, { "semget", 2 }, { "semctl", 3 }, { "semtimedop", 4 },
		{ "msgsnd", 11 }, { "msgrcv", 12 }, { "msgget", 13 }, { "msgctl", 14 },
		{ "shmat", 21 }, { "shmdt", 22 }, { "shmget", 23 }, { "shmctl", 24 } };

	*through = "socketcall";
	for (unsigned i = 0; i < sizeof sockets / sizeof sockets[0]; i++)
		if (strcmp(sockets[i], name) == 0)
			return i + 1;
	*through = "ipc";
	for (size_t i = 0; i < sizeof ipc / sizeof ipc[0]; i++)
		if (strcmp(ipc[i].name, name) == 0)
			return ipc[i].number;
	return 0;
}

/* Engines: with two conditions on one argument, each condition is a rule of its own. */
static bool split(const struct condition *c, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (c[i].arg == c[k].arg)
				return true;
	return false;
}

static void add_call(struct profile *p, const struct rule_in *like)
{
	struct rule_in r = *like;
	struct condition *through;
	const char *name;
	unsigned number = multiplexed(r.name, &name);

	r.call = call_named(r.name);
	if (split(r.conditions, r.condition_count))
		for (size_t i = 0; i < like->condition_count; i++) {
			r.conditions = &like->conditions[i];
			r.condition_count = 1;
			add_rule(p, &r);
		}
	else
		add_rule(p, &r);
	if (number == 0 || !(p->admitted & 1u << ABI_I386))
		return;
	through = arena_array(p->arena, 1 + like->condition_count, sizeof *through);
	/* in the place of what is said of the first argument; the others are left, though they now
	 * lie in memory */
	*through = (struct condition){ .mask = ~(uint64_t)0, .value = number, .whole = true };
	r.call = call_named(name);
	r.through = true;
	r.conditions = through;
	r.condition_count = 1;
	for (size_t i = 0; i < like->condition_count; i++)
		if (like->conditions[i].arg != 0)
			through[r.condition_count++] = like->conditions[i];
	add_rule(p, &r);
}

/* Engines pass over a name that libseccomp does not know: a profile serves machines of all kinds.
 */
static void add_names(struct profile *p, const struct tree *names, struct rule_in *like)
{
	enum { LIST = 200 };
	const struct tree *first = NULL;
	const char *list = "", *through;

	for (const struct tree *t = names->type == TREE_ARRAY ? names->first : names; t != NULL;
	     t = names->type == TREE_ARRAY ? t->next : NULL) {
		if (!is(p, t, TREE_TEXT))
			continue;
		like->name = t->text;
		like->at = t;
		if (call_named(t->text) != NULL || multiplexed(t->text, &through) != 0) {
			add_call(p, like);
			continue;
		}
		if (strlen(list) < LIST)
			list = arena_format(
			    p->arena, "%s%s%.60s", list, first != NULL ? ", " : "", t->text);
		first = first != NULL ? first : t;
	}
	if (first != NULL)
		REMARK(p, first, "unknown here, and left out: %s%s", list,
		    strlen(list) < LIST ? "" : ", ...");
}

/* Where the kernel looks at 32 bits or 16, a comparison of 64 is one that a caller may miss on
 * purpose.
 */
static void note_wide(struct profile *p, const struct rule_in *r)
{
	if (!action_stricter(r->action, p->fallback))
		return;
	for (size_t i = 0; i < r->condition_count; i++) {
		const struct condition *c = &r->conditions[i];
		const struct call *call = call_named(r->name);

		unsigned bits;

		if (call == NULL || c->op == OP_NE || c->op == OP_GT || c->op == OP_GE ||
		    !call_arg_is_word(call, abi_native(), c->arg))
			continue;
		bits = call_arg_is_mode(call, c->arg) ? 16 : 32;
		if (c->mask >> bits == 0)
			continue;
		REMARK(p, r->at,
		    "%s's arg %u is compared on 64 bits, as engines do; the kernel looks at %u, so "
		    "one with a higher bit set is not refused",
		    call->name, c->arg, bits);
		return;
	}
}

static void read_entry(struct profile *p, const struct tree *t)
{
	static const char *const keys[] = { "names", "name", "action", "errnoRet", "errno", "args",
		"comment", "includes", "excludes", NULL };
	const struct tree *names, *name, *action;
	struct rule_in like = { .entry = t };
	struct condition *conditions;
	size_t before = p->rule_count;
	bool good, here;

	if (!is(p, t, TREE_OBJECT))
		return;
	check_keys(p, t, "an entry of syscalls", keys);
	names = member(t, "names");
	name = member(t, "name");
	action = member(t, "action");
	if (names != NULL && name != NULL && names->first != NULL)
		WRONG(p, name, "names and name exclude each other");
	else if (names == NULL && name == NULL)
		WRONG(p, t, "an entry of syscalls needs names");
	if (action == NULL)
		WRONG(p, t, "an entry of syscalls needs action");
	good = action != NULL &&
	    read_action(p, action, member(t, "errnoRet"), member(t, "errno"), &like.action);
	good = read_conditions(p, member(t, "args"), &conditions, &like.condition_count) && good;
	like.conditions = conditions;
	like.comment = text_of(p, member(t, "comment"));
	if (like.comment != NULL)
		like.comment = plain_line(p->arena, like.comment);
	here = holds_here(p, t);
	p->entries = arena_grow(p->arena, p->entries, p->entry_count, sizeof *p->entries);
	p->entries[p->entry_count++] = (struct entry){ t, before, 0, here };
	names = name != NULL ? name : names;
	if (names == NULL || !is(p, names, name != NULL ? TREE_TEXT : TREE_ARRAY) || !good || !here)
		return;
	if (names->type == TREE_ARRAY && names->first == NULL)
		REMARK(p, names, "names is empty: this says nothing");
	if (split(conditions, like.condition_count))
		REMARK(p, t,
		    "two conditions on one argument: engines make each condition a rule of its "
		    "own, so either is enough");
	add_names(p, names, &like);
	p->entries[p->entry_count - 1].count = p->rule_count - before;
	if (p->rule_count > before)
		note_wide(p, &p->rules[before]);
}

/* ---- what engines and libseccomp make of them ---- */

struct by_call {
	const struct call *call;
	size_t first, count; /* in order: indices of rules, as the file has them */
};

struct order {
	size_t *items;
	struct by_call *calls;
	size_t call_count;
};

static const struct rule_in *sorted_rules; /* qsort(3) has no argument for it */

static int compare_rules(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	const struct call *c = sorted_rules[x].call, *d = sorted_rules[y].call;

	return c != d ? (c < d ? -1 : 1) : x < y ? -1 : x > y;
}

static void sort_rules(struct profile *p, struct order *o)
{
	size_t count = 0;

	*o = (struct order){ .items = arena_array(p->arena, p->rule_count, sizeof *o->items) };
	for (size_t i = 0; i < p->rule_count; i++)
		if (p->rules[i].call != NULL)
			o->items[count++] = i;
	sorted_rules = p->rules;
	if (count > 0)
		qsort(o->items, count, sizeof *o->items, compare_rules);
	for (size_t i = 0; i < count; i++) {
		const struct call *call = p->rules[o->items[i]].call;

		if (i == 0 || call != o->calls[o->call_count - 1].call) {
			o->calls = arena_grow(p->arena, o->calls, o->call_count, sizeof *o->calls);
			o->calls[o->call_count++] = (struct by_call){ call, i, 0 };
		}
		o->calls[o->call_count - 1].count++;
	}
}

static bool same_conditions(const struct rule_in *a, const struct rule_in *b)
{
	if (a->condition_count != b->condition_count)
		return false;
	for (size_t i = 0; i < a->condition_count; i++) {
		const struct condition *c = &a->conditions[i], *d = &b->conditions[i];

		if (c->arg != d->arg || c->op != d->op || c->mask != d->mask ||
		    c->value != d->value)
			return false;
	}
	return true;
}

/*
 * Engines leave out what answers as the default does. libseccomp: the first rule without conditions
 * decides, whatever others there are and wherever they stand; of equal conditions the first.
 */
static void reduce_call(struct profile *p, const struct order *o, const struct by_call *c)
{
	const size_t *at = o->items + c->first;
	size_t plain = SIZE_MAX, weak = SIZE_MAX, conditional = 0;

	for (size_t i = 0; i < c->count; i++) {
		struct rule_in *r = &p->rules[at[i]];

		r->weak = r->action == p->fallback;
		r->left_out = r->weak;
		if (r->weak && r->condition_count == 0 && weak == SIZE_MAX)
			weak = i;
		if (!r->weak && r->condition_count == 0 && plain == SIZE_MAX)
			plain = i;
		conditional += r->condition_count > 0;
	}
	if (conditional > CONDITIONAL_MAX) {
		WRONG(p, p->rules[at[CONDITIONAL_MAX]].at, "more than %d rules with args on %s",
		    CONDITIONAL_MAX, c->call->name);
		return;
	}
	for (size_t i = 0; i < c->count; i++) {
		struct rule_in *r = &p->rules[at[i]], *by = NULL;

		if (r->weak)
			continue;
		if (plain != SIZE_MAX && i != plain)
			by = &p->rules[at[plain]];
		for (size_t k = 0; k < i && by == NULL; k++)
			if (!p->rules[at[k]].left_out && same_conditions(r, &p->rules[at[k]]))
				by = &p->rules[at[k]];
		r->left_out = by != NULL;
		if (by != NULL && !r->through && r->action != by->action)
			REMARK(p, r->at,
			    "line %d decides on %s in this one's place: so it is with libseccomp, "
			    "and so "
			    "with engines",
			    by->at->line, c->call->name);
	}
	/* it says what the default says: for a stage that has another default */
	if (plain == SIZE_MAX && weak != SIZE_MAX)
		p->rules[at[weak]].left_out = false;
}

static struct level *make_level(const struct profile *p)
{
	struct level *level = arena_get(p->arena, sizeof *level);
	struct rule *fallback = arena_get(p->arena, sizeof *fallback);

	level->name = arena_format(p->arena, "oci:%s", p->file);
	level->origin = (struct origin){ p->file, p->root->line };
	*fallback = (struct rule){ .action = p->fallback,
		.origin = { p->file, p->fallback_at->line } };
	level->fallback = fallback;
	level->attributes = (struct attributes){ .set = ATTRIBUTE_EXACT | ATTRIBUTE_ARCHITECTURES |
		    ATTRIBUTE_LOG_BLOCKED | ATTRIBUTE_SPECULATION,
		.exact = true,
		.architectures = p->admitted,
		.log_blocked = p->log,
		.allow_speculation = p->speculation };
	level->rules = arena_array(p->arena, p->rule_count, sizeof *level->rules);
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule_in *r = &p->rules[i];

		if (r->call == NULL || r->left_out)
			continue;
		level->rules[level->rule_count++] = (struct rule){ .call = r->call,
			.action = r->action,
			.conditions = r->conditions,
			.condition_count = r->condition_count,
			.origin = { p->file, r->at->line },
			.comment = *r->comment != '\0' ? r->comment : NULL,
			.exact = true };
	}
	policy_sort(level);
	return level;
}

/* ---- the comparison ---- */

enum { VALUES_MAX = 96, ALL_MAX = 4096, MIXES = 2048 };

struct values {
	uint64_t items[VALUES_MAX];
	size_t count;
};

static void add_value(struct values *v, uint64_t value)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->items[i] == value)
			return;
	if (v->count < VALUES_MAX)
		v->items[v->count++] = value;
}

static void add_values(struct values *v, const struct condition *c)
{
	const uint64_t high = (uint64_t)UINT32_MAX << 32;

	add_value(v, c->value);
	add_value(v, c->value + 1);
	add_value(v, c->value - 1);
	add_value(v, c->value ^ (uint64_t)1 << 32);
	add_value(v, c->value | high);
	add_value(v, c->value & ~high);
	add_value(v, c->value ^ (c->mask & -c->mask));
	add_value(v, c->value | ~c->mask);
}

struct comparison {
	const struct profile *p;
	struct policy policy;
	struct stage stage;
	struct program theirs;
	const struct level *levels[1];
	bool differ, weaker;       /* weaker: ours was not the stricter answer */
	struct seccomp_data where; /* the worst of it */
};

/* A call that the running libseccomp does not know is one that engines leave out. */
static bool is_known(const struct profile *p, const struct order *o, const struct by_call *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (p->rules[o->items[c->first + i]].unknown)
			return false;
	return true;
}

static void compare_on(struct comparison *c, const struct seccomp_data *d)
{
	uint32_t theirs = bpf_run(c->theirs.code, c->theirs.count, d).action,
		 ours = policy_decide(&c->policy, &c->stage, d).action;

	if (ours == theirs)
		return;
	if (!c->differ || (!c->weaker && !action_stricter(ours, theirs)))
		c->where = *d;
	c->differ = true;
	c->weaker = c->weaker || !action_stricter(ours, theirs);
}

/* One argument after the other through all of its values; what the others have stays. */
static void compare_around(struct comparison *c, struct seccomp_data *d, const struct values v[])
{
	for (unsigned arg = 0; arg < ARGUMENTS; arg++) {
		uint64_t saved = d->args[arg];

		for (size_t i = 0; i < v[arg].count; i++) {
			d->args[arg] = v[arg].items[i];
			compare_on(c, d);
		}
		d->args[arg] = saved;
	}
}

/* Every combination of values. */
static void compare_all(struct comparison *c, struct seccomp_data *d, const struct values v[])
{
	size_t at[ARGUMENTS] = { 0 };
	unsigned arg;

	do {
		for (arg = 0; arg < ARGUMENTS; arg++)
			d->args[arg] = v[arg].items[at[arg]];
		compare_on(c, d);
		for (arg = 0; arg < ARGUMENTS && ++at[arg] == v[arg].count; arg++)
			at[arg] = 0;
	} while (arg < ARGUMENTS);
}

/* All, where there are not too many; else around each rule, and mixtures. */
static void compare_number(
    struct comparison *c, const struct order *o, const struct by_call *call, struct seccomp_data *d)
{
	static struct values v[ARGUMENTS];
	uint64_t random = 0x9e3779b97f4a7c15u;
	size_t all = 1;

	memset(v, 0, sizeof v);
	for (size_t i = 0; i < call->count; i++) {
		const struct rule_in *r = &c->p->rules[o->items[call->first + i]];

		for (size_t k = 0; k < r->condition_count; k++)
			add_values(&v[r->conditions[k].arg], &r->conditions[k]);
	}
	for (unsigned arg = 0; arg < ARGUMENTS; arg++) {
		if (v[arg].count > 0)
			add_value(&v[arg], ~(uint64_t)0);
		add_value(&v[arg], 0);
		all = all > ALL_MAX ? all : all * v[arg].count;
	}
	if (all <= ALL_MAX) {
		compare_all(c, d, v);
		return;
	}
	for (size_t i = 0; i < call->count; i++) {
		const struct rule_in *r = &c->p->rules[o->items[call->first + i]];

		memset(d->args, 0, sizeof d->args);
		for (size_t k = 0; k < r->condition_count; k++)
			d->args[r->conditions[k].arg] = condition_witness(&r->conditions[k]);
		compare_around(c, d, v);
	}
	for (unsigned mix = 0; mix < MIXES; mix++) {
		for (unsigned arg = 0; arg < ARGUMENTS; arg++) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			d->args[arg] = v[arg].items[random % v[arg].count];
		}
		compare_on(c, d);
	}
}

/* Does a call get the same answers by this ABI? c->weaker, c->where: how and where it does not. */
static bool agree(
    struct comparison *c, const struct order *o, const struct by_call *call, enum abi abi)
{
	struct seccomp_data d = { .arch = abi_audit_arch(abi), .nr = call->call->nr[abi] };

	c->differ = c->weaker = false;
	if (d.nr >= 0 && (abi == abi_native() || c->p->admitted & 1u << abi) &&
	    is_known(c->p, o, call))
		compare_number(c, o, call, &d);
	return !c->differ;
}

/* What libseccomp makes of the rules, as engines hand them over. */
static bool ask_libseccomp(struct comparison *c)
{
	const struct profile *p = c->p;
	struct profile_rule *rules = arena_array(p->arena, p->rule_count, sizeof *rules);
	size_t *from = arena_array(p->arena, p->rule_count, sizeof *from), count = 0, at;
	int error;

	for (size_t i = 0; i < p->rule_count; i++)
		if (!p->rules[i].weak && !p->rules[i].through) {
			from[count] = i;
			rules[count++] = (struct profile_rule){ .call = p->rules[i].name,
				.action = p->rules[i].action,
				.conditions = p->rules[i].conditions,
				.condition_count = p->rules[i].condition_count };
		}
	error = filter_of_profile(
	    rules, count, p->fallback, p->admitted, p->arena, &c->theirs, &at);
	if (error == EEXIST)
		tree_say(p->arena, p->file, p->rules[from[at]].at,
		    "libseccomp %s refuses this rule on %s, for another stands in its way, and so "
		    "do "
		    "engines",
		    filter_library(p->arena), p->rules[from[at]].name);
	else if (error != 0)
		tree_say(p->arena, p->file, at < count ? p->rules[from[at]].at : p->root,
		    "libseccomp %s refuses %s: %s", filter_library(p->arena),
		    at < count ? p->rules[from[at]].name : "it all", strerror(error));
	for (size_t i = 0; i < count; i++)
		p->rules[from[i]].unknown = rules[i].unknown;
	return error == 0;
}

static void set_level(struct comparison *c)
{
	c->levels[0] = make_level(c->p);
	c->stage = (struct stage){ .levels = c->levels, .level_count = 1 };
	policy_resolve(&c->stage);
}

/* ---- what a program says, as rules ---- */

enum { PATHS_MAX = 512, PATH_CONDITIONS_MAX = 64 };

/* One walk through libseccomp's program for one call: every comparison on the way is a condition.
 */
struct path {
	struct profile *p;
	const struct rule_in *like; /* with the call, and a place to name for each action */
	const struct order *o;
	const struct by_call *call;
	const struct program *code;
	struct seccomp_data data; /* the architecture and the number */
	struct condition on[PATH_CONDITIONS_MAX];
	size_t count, paths;
	bool good;
};

/* What the accumulator holds: a known number, or half of an argument, as far as mask goes. */
struct loaded {
	bool known;
	uint32_t value, mask;
	unsigned arg, shift;
};

static bool load(const struct path *w, uint32_t at, struct loaded *a)
{
	const uint32_t args = offsetof(struct seccomp_data, args);

	if (at == offsetof(struct seccomp_data, nr))
		*a = (struct loaded){ .known = true, .value = (uint32_t)w->data.nr };
	else if (at == offsetof(struct seccomp_data, arch))
		*a = (struct loaded){ .known = true, .value = w->data.arch };
	else if (at >= args && at < sizeof w->data)
		/* every machine of ours stores the lower half first */
		*a = (struct loaded){
			.mask = UINT32_MAX, .arg = (at - args) / 8, .shift = (at - args) % 8 * 8
		};
	else
		return false;
	return true;
}

/* The rule that a path's end is ascribed to: the first that has its action. */
static const struct rule_in *ascribed(const struct path *w, uint32_t action)
{
	for (size_t i = 0; i < w->call->count; i++) {
		const struct rule_in *r = &w->p->rules[w->o->items[w->call->first + i]];

		if (r->action == action)
			return r;
	}
	return w->like;
}

static void end_path(struct path *w, uint32_t action)
{
	struct rule_in r = *ascribed(w, action);
	struct condition *on;

	if (action == w->p->fallback)
		return;
	w->good = w->good && ++w->paths <= PATHS_MAX;
	if (!w->good)
		return;
	on = arena_array(w->p->arena, w->count, sizeof *on);
	if (w->count > 0)
		memcpy(on, w->on, w->count * sizeof *on);
	r.action = action;
	r.conditions = on;
	r.condition_count = w->count;
	r.weak = r.left_out = false;
	r.by_path = true;
	add_rule(w->p, &r);
}

static void walk(struct path *w, size_t pc, struct loaded a);

static void branch(struct path *w, size_t to, struct loaded a, enum condition_op op, uint32_t k)
{
	struct condition c = { .arg = a.arg,
		.op = op,
		.mask = (uint64_t)a.mask << a.shift,
		.value = (uint64_t)k << a.shift,
		.whole = true };

	/* what can never be equal, or always differs */
	if ((k & ~a.mask) != 0 && (op == OP_EQ || op == OP_NE)) {
		if (op == OP_NE)
			walk(w, to, a);
		return;
	}
	for (size_t i = 0; i < w->count; i++)
		if (w->on[i].arg == c.arg && w->on[i].mask == c.mask && w->on[i].op == OP_EQ &&
		    op == OP_EQ && w->on[i].value != c.value)
			return;
	if (w->count == PATH_CONDITIONS_MAX) {
		w->good = false;
		return;
	}
	w->on[w->count++] = c;
	walk(w, to, a);
	w->count--;
}

static void jump(struct path *w, size_t pc, const struct sock_filter *f, struct loaded a)
{
	size_t yes = pc + 1 + f->jt, no = pc + 1 + f->jf;
	bool known;

	switch (BPF_OP(f->code)) {
	case BPF_JEQ: known = a.value == f->k; break;
	case BPF_JGT: known = a.value > f->k; break;
	case BPF_JGE: known = a.value >= f->k; break;
	default: w->good = false; return;
	}
	if (a.known || yes == no) {
		walk(w, known ? yes : no, a);
		return;
	}
	branch(w, yes, a,
	    BPF_OP(f->code) == BPF_JEQ       ? OP_EQ
		: BPF_OP(f->code) == BPF_JGT ? OP_GT
					     : OP_GE,
	    f->k);
	branch(w, no, a,
	    BPF_OP(f->code) == BPF_JEQ       ? OP_NE
		: BPF_OP(f->code) == BPF_JGT ? OP_LE
					     : OP_LT,
	    f->k);
}

static void walk(struct path *w, size_t pc, struct loaded a)
{
	while (w->good && pc < w->code->count) {
		const struct sock_filter *f = &w->code->code[pc];

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS: w->good = load(w, f->k, &a); break;
		case BPF_ALU | BPF_AND | BPF_K:
			a.mask &= f->k;
			a.value &= f->k;
			break;
		case BPF_JMP | BPF_JA: pc += f->k; break;
		case BPF_RET | BPF_K: end_path(w, f->k); return;
		default:
			if (BPF_CLASS(f->code) != BPF_JMP || BPF_SRC(f->code) != BPF_K)
				w->good = false;
			else
				jump(w, pc, f, a);
			return;
		}
		pc++;
	}
}

/* A call's rules give way to what the native ABI's program says. */
static bool take_paths(
    struct comparison *c, struct profile *p, const struct order *o, const struct by_call *call)
{
	size_t before = p->rule_count;
	struct path *w = arena_get(p->arena, sizeof *w);
	*w = (struct path){ .p = p,
		.like = &p->rules[o->items[call->first]],
		.o = o,
		.call = call,
		.code = &c->theirs,
		.data = { .arch = abi_audit_arch(abi_native()),
		    .nr = call->call->nr[abi_native()] },
		.good = true };
	for (size_t i = 0; i < call->count; i++)
		p->rules[o->items[call->first + i]].left_out = true;
	walk(w, 0, (struct loaded){ .known = true });
	for (size_t i = before; i < p->rule_count; i++)
		p->rules[i].call = call->call;
	return w->good && !p->full;
}

enum outcome { AS_THEY, AS_WRITTEN, NEITHER };

/* What libseccomp makes of a call instead of what its rules say, and what becomes of it here. */
static void say_difference(struct comparison *c, struct profile *p, const struct by_call *call,
    const struct tree *at, enum outcome outcome)
{
	static const char *const outcomes[] = { [AS_THEY] = "so do engines, and so it is here",
		[AS_WRITTEN] = "so do engines; here it is as the rules say",
		[NEITHER] = "so do engines; that cannot be said here" };
	const struct seccomp_data *d = &c->where;
	struct arena *a = p->arena;
	uint32_t theirs = bpf_run(c->theirs.code, c->theirs.count, d).action,
		 ours = policy_decide(&c->policy, &c->stage, d).action;
	const char *args = "", *text;
	unsigned count = ARGUMENTS;
	enum abi abi;

	while (count > 1 && d->args[count - 1] == 0)
		count--;
	for (unsigned i = 0; i < count; i++)
		args = arena_format(a, "%s%s%#llx", args, i > 0 ? ", " : "", d->args[i]);
	policy_abi(&c->stage, d, &abi);
	text = arena_format(a,
	    "libseccomp %s answers %s(%s)%s%s with %s, where the rules say %s: %s",
	    filter_library(a), call->call->name, args, abi != abi_native() ? " by " : "",
	    abi != abi_native() ? abi_name(abi) : "", action_text(a, theirs), action_text(a, ours),
	    outcomes[outcome]);
	if (outcome == NEITHER)
		WRONG(p, at, "%s", text);
	else
		REMARK(p, at, "%s", text);
}

/*
 * Where conditions overlap, libseccomp has an order of its own, and some rules it drops. So its
 * answers are compared with what the rules say here. By the native ABI they are what counts: the
 * call's rules give way to the paths through libseccomp's program. By others the rules may stay, if
 * they are the stricter: libseccomp 2.5 forgets all of i386's where the first is a call that has no
 * number there.
 */
static const struct level *compare(struct profile *p, const struct order *o)
{
	struct comparison c = { .p = p, .policy = { .arena = p->arena } };
	bool conditional = false, taken = false;

	set_level(&c);
	for (size_t i = 0; i < p->rule_count; i++)
		conditional = conditional || p->rules[i].condition_count > 0;
	if (!conditional && p->admitted == 0)
		return c.levels[0];
	p->good = ask_libseccomp(&c) && p->good;
	for (size_t i = 0; p->good && i < o->call_count; i++) {
		const struct by_call *call = &o->calls[i];
		const struct tree *at = p->rules[o->items[call->first]].at;

		if (agree(&c, o, call, abi_native()))
			continue;
		taken = true;
		say_difference(&c, p, call, at, AS_THEY);
		if (!take_paths(&c, p, o, call))
			WRONG(p, at, "libseccomp's program for %s has too many branches",
			    call->call->name);
	}
	if (taken)
		set_level(&c);
	for (size_t i = 0; p->good && i < o->call_count; i++)
		for (enum abi abi = 0; abi < ABI_COUNT; abi++)
			if (!agree(&c, o, &o->calls[i], abi))
				say_difference(&c, p, &o->calls[i],
				    p->rules[o->items[o->calls[i].first]].at,
				    abi == abi_native() || c.weaker ? NEITHER : AS_WRITTEN);
	return c.levels[0];
}

/* ---- the file ---- */

/* A profile, or a whole config.json with one in it. */
static const struct tree *find_profile(struct profile *p, const struct tree *root)
{
	const struct tree *seccomp;

	if (!is(p, root, TREE_OBJECT))
		return NULL;
	if (tree_member(root, "ociVersion") == NULL && tree_member(root, "linux") == NULL)
		return root;
	seccomp = member(member(root, "linux"), "seccomp");
	if (seccomp == NULL) {
		WRONG(p, root, "a config.json without linux.seccomp");
		return NULL;
	}
	return is(p, seccomp, TREE_OBJECT) ? seccomp : NULL;
}

/* NULL: its mistakes have been said. */
static const struct level *read_profile(struct profile *p, const char *text, size_t size)
{
	const struct tree *root = tree_read(p->arena, p->file, text, size), *calls;
	const struct level *level;
	struct order order;

	p->good = root != NULL;
	p->root = root == NULL ? NULL : find_profile(p, root);
	if (p->root == NULL)
		return NULL;
	read_top(p);
	calls = member(p->root, "syscalls");
	if (calls != NULL && is(p, calls, TREE_ARRAY))
		for (const struct tree *t = calls->first; t != NULL && !p->full; t = t->next)
			read_entry(p, t);
	if (!p->good)
		return NULL;
	sort_rules(p, &order);
	for (size_t i = 0; i < order.call_count; i++)
		reduce_call(p, &order, &order.calls[i]);
	if (!p->good)
		return NULL;
	level = compare(p, &order);
	return p->good ? level : NULL;
}

const struct level *oci_level(struct arena *a, const char *file, const char *text, size_t size,
    const struct oci_capabilities *has)
{
	struct profile p = { .arena = a, .file = file, .has = has };

	return read_profile(&p, text, size);
}

/* ---- the policy's text ---- */

static const char *number(struct arena *a, uint64_t value)
{
	return arena_format(a, value > UINT16_MAX ? "%#" PRIx64 : "%" PRIu64, value);
}

static void write_quoted(FILE *to, struct arena *a, const char *text)
{
	putc('"', to);
	for (const char *c = plain_line(a, text); *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			putc('\\', to);
		putc(*c, to);
	}
	putc('"', to);
}

static void write_action(FILE *to, struct arena *a, const char *key, uint32_t action)
{
	unsigned value = action & SECCOMP_RET_DATA;
	uint32_t what = action & SECCOMP_RET_ACTION_FULL;

	fprintf(
	    to, "%s = \"%s\";", key, what == SECCOMP_RET_ERRNO ? "errno" : action_text(a, action));
	if (value == 0)
		return;
	if (const_errno_name(value) != NULL)
		fprintf(to, " errno = \"%s\";", const_errno_name(value));
	else
		fprintf(to, " errno = %u;", value);
}

static void write_conditions(FILE *to, struct arena *a, const struct rule_in *r)
{
	static const char *const words[] = { [OP_EQ] = "==",
		[OP_NE] = "!=",
		[OP_LT] = "<",
		[OP_LE] = "<=",
		[OP_GT] = ">",
		[OP_GE] = ">=" };

	for (size_t i = 0; i < r->condition_count; i++) {
		const struct condition *c = &r->conditions[i];

		fprintf(to, "%s{ arg = %u;",
		    i == 0 ? "\n        args = ( " : ",\n                 ", c->arg);
		if (c->mask != ~(uint64_t)0)
			fprintf(to, " mask = \"%s\";", number(a, c->mask));
		fprintf(to, " op = \"%s\"; value = \"%s\"; }", words[c->op], number(a, c->value));
	}
	if (r->condition_count > 0)
		fputs(" );", to);
}

static void write_name(FILE *to, const char *name, bool last, size_t *column)
{
	size_t wide = strlen(name) + (last ? 2 : 3);

	if (*column > 0 && *column + 1 + wide > PLAIN_WIDTH)
		*column = 0;
	if (*column == 0)
		*column = (size_t)fprintf(to, "\n         ") - 1;
	*column += (size_t)fprintf(to, " \"%s\"%s", name, last ? "" : ",");
}

static bool belong_together(const struct rule_in *a, const struct rule_in *b)
{
	return a->entry == b->entry && a->action == b->action && a->by_path == b->by_path &&
	    (a->conditions == b->conditions || same_conditions(a, b));
}

/* The rules from first to end that go with the one at first, as one of the text. */
static void write_rule(FILE *to, struct profile *p, size_t first, size_t end, bool *written)
{
	const struct rule_in *r = &p->rules[first];
	size_t column = strlen("      { calls = ["), last = first;

	for (size_t i = first; i < end; i++)
		if (!p->rules[i].left_out && p->rules[i].call != NULL && !written[i] &&
		    belong_together(r, &p->rules[i]))
			last = i;
	fputs("      { calls = [", to);
	for (size_t i = first; i <= last; i++)
		if (!p->rules[i].left_out && p->rules[i].call != NULL && !written[i] &&
		    belong_together(r, &p->rules[i])) {
			written[i] = true;
			write_name(to, p->rules[i].call->name, i == last, &column);
		}
	fputs(" ];\n        ", to);
	write_action(to, p->arena, "action", r->action);
	write_conditions(to, p->arena, r);
	if (*r->comment != '\0') {
		fputs("\n        comment = ", to);
		write_quoted(to, p->arena, r->comment);
		putc(';', to);
	}
	fputs(" }", to);
}

static void write_rules_of(
    FILE *to, struct profile *p, size_t first, size_t end, bool *written, bool *any)
{
	const struct tree *entry = NULL;

	for (size_t i = first; i < end; i++) {
		if (p->rules[i].left_out || p->rules[i].call == NULL || written[i])
			continue;
		fputs(*any ? ",\n" : "\n", to);
		if (entry != p->rules[i].entry)
			fprintf(to, "      # line %d\n", p->rules[i].entry->line);
		entry = p->rules[i].entry;
		write_rule(to, p, i, end, written);
		*any = true;
	}
}

static const char *names_of(struct profile *p, const struct tree *entry)
{
	const struct tree *names = member(entry, "name") != NULL ? member(entry, "name")
								 : member(entry, "names");
	const char *list = "";

	if (names == NULL || names->type == TREE_TEXT)
		return names == NULL ? "" : names->text;
	for (const struct tree *t = names->first; t != NULL; t = t->next)
		if (t->type == TREE_TEXT && strlen(list) < 300)
			list = arena_format(
			    p->arena, "%s%s%.60s", list, *list != '\0' ? ", " : "", t->text);
	return list;
}

/* Entries that do not hold here stand there as comments, in front of the rules. */
static void write_elsewhere(FILE *to, struct profile *p)
{
	bool any = false;

	for (size_t i = 0; i < p->entry_count; i++) {
		const struct tree *t = p->entries[i].at;

		if (p->entries[i].here)
			continue;
		if (!any)
			plain_comment(to, "    # ",
			    "Its includes and excludes leave these out on this machine, without "
			    "any "
			    "capability:");
		any = true;
		plain_comment(to, "    # * ",
		    arena_format(p->arena, "line %d: %s for %s", t->line,
			text_of(p, member(t, "action")), names_of(p, t)));
	}
}

static void write_rules(FILE *to, struct profile *p)
{
	bool *written = arena_array(p->arena, p->rule_count, sizeof *written), any = false;
	size_t plain = 0;

	fputs("    rules = (", to);
	for (size_t i = 0; i < p->entry_count; i++) {
		const struct entry *e = &p->entries[i];

		write_rules_of(to, p, e->first, e->first + e->count, written, &any);
		plain = e->first + e->count;
	}
	/* of libseccomp's making: they are behind all others */
	write_rules_of(to, p, plain, p->rule_count, written, &any);
	fputs(any ? "\n    );\n" : " );\n", to);
}

static void write_attributes(FILE *to, struct profile *p)
{
	bool first = true;

	fputs("    exact = true;   # as engines take it: nothing is added to what is written\n    ",
	    to);
	write_action(to, p->arena, "default_action", p->fallback);
	fprintf(to, "   # line %d\n", p->fallback_at->line);
	if (p->admitted != 0) {
		fputs("    architectures = [", to);
		for (enum abi abi = 0; abi < ABI_COUNT; abi++)
			if (p->admitted & 1u << abi) {
				fprintf(to, "%s\"%s\"", first ? " " : ", ", abi_name(abi));
				first = false;
			}
		fputs(" ];\n", to);
	}
	if (p->log)
		fputs("    log_blocked = true;\n", to);
	if (p->speculation)
		fprintf(to, "    allow_speculation = true;%s\n",
		    p->has_flags ? "" : "   # what engines do where flags are not given");
	if (*p->listener != '\0') {
		fputs("    listener = ", to);
		write_quoted(to, p->arena, p->listener);
		fputs(";\n", to);
	}
	if (*p->metadata != '\0') {
		fputs("    listener_metadata = ", to);
		write_quoted(to, p->arena, p->metadata);
		fputs(";\n", to);
	}
}

/* The file's name without folder and ending, as far as it is fit for a stage's. */
static const char *stage_name(struct arena *a, const char *file)
{
	const char *slash = strrchr(file, '/');
	char *name = arena_format(a, "%.100s", slash != NULL ? slash + 1 : file);
	size_t n = strlen(name);

	if (n > 5 && strcmp(name + n - 5, ".json") == 0)
		name[n - 5] = '\0';
	for (char *c = name; *c != '\0'; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			(*c >= '0' && *c <= '9')) &&
		    strchr("._-", *c) == NULL)
			*c = '-';
	return *name == '\0' || strcmp(name, "refuse") == 0 || strcmp(name, "pass") == 0 ? "oci"
											 : name;
}

static void write_policy(FILE *to, struct profile *p)
{
	size_t shown = p->remark_count < REMARKS_MAX ? p->remark_count : REMARKS_MAX;
	const char *name = stage_name(p->arena, p->file);

	plain_comment(to, "# ", arena_format(p->arena, "Translated from %.300s by", p->file));
	fputs("# \"stagefencectl import --from oci\". Lines are those of that file.\n#\n", to);
	plain_comment(to, "# ",
	    "One stage, which answers to every name and to none. It means what crun installs for "
	    "the "
	    "profile; only calls of other architectures kill the process, and not just a thread.");
	if (shown > 0)
		fputs("#\n# Worth a look:\n", to);
	for (size_t i = 0; i < shown; i++)
		plain_comment(to, "# * ", p->remarks[i]);
	if (shown < p->remark_count)
		fprintf(to, "# * and %zu more\n", p->remark_count - shown);
	fprintf(to, "\nversion = 1;\nno_stage = \"%s\";\nunknown_stage = \"%s\";\n\n", name, name);
	fprintf(to, "stages = (\n  { name = \"%s\";\n    match = [ \"*\" ];\n", name);
	write_attributes(to, p);
	write_elsewhere(to, p);
	write_rules(to, p);
	fputs("  }\n);\n", to);
}

const char *oci_policy(struct arena *a, const char *file, const char *text, size_t size)
{
	const struct oci_capabilities none = { NULL, 0 };
	struct profile p = { .arena = a, .file = file, .has = &none };
	char *policy = NULL;
	const char *result;
	size_t length = 0;
	FILE *to;

	if (read_profile(&p, text, size) == NULL)
		return NULL;
	to = open_memstream(&policy, &length);
	if (to != NULL)
		write_policy(to, &p);
	if (to == NULL || fclose(to) != 0)
		die("out of memory");
	result = arena_text(a, policy, length);
	free(policy);
	return result;
}

const char *oci_read(struct arena *a, const char *path)
{
	const char *name;
	size_t size;
	const char *text = input_read(a, path, TREE_SIZE_MAX, &name, &size);

	return text == NULL ? NULL : oci_policy(a, name, text, size);
}
