/*
 * image.h: the policy image, the one file format that run time knows, and the one check of its
 * bounds.
 *
 * stagefencectl writes it; wrapper, shim, supervisor and fuzzer read it, each through
 * image_check(). Fixed-size fields in the machine's own byte order, no pointers: a part is an
 * offset and a count. Every byte is distrusted. After image_check() has said NULL, each index and
 * string offset that the head holds is in bounds; a program's instructions are covered by a sum of
 * their own, asked for by image_code(), so that a launch reads only the stage that it needs.
 *
 * The sums catch decay, not malice: who may write an image may write its sums.
 */
#ifndef STAGEFENCE_IMAGE_H
#define STAGEFENCE_IMAGE_H

#include <linux/audit.h>
#include <linux/filter.h>
#include "raw.h"

#if defined(__x86_64__) || defined(__i386__) /* the shim for 32-bit programs of x86_64 */
#define IMAGE_ARCH AUDIT_ARCH_X86_64
#else
#define IMAGE_ARCH AUDIT_ARCH_AARCH64
#endif

enum {
	IMAGE_MAGIC = 0x31694673, /* "sFi1" */
	IMAGE_FORMAT = 3,
	IMAGE_SIZE_MAX = 64 << 20,
	IMAGE_CODE_MAX = BPF_MAXINSNS,
	IMAGE_NAME_MAX = 255 /* bytes in a stage's name; a longer one is an unknown stage */
};

/* In place of a stage's or program's index. */
#define IMAGE_NONE 0xffffffffu
#define IMAGE_PASS 0xfffffffeu

enum image_part_name {
	/* the head: what a launch reads, covered by head_sum */
	IMAGE_STAGES,
	IMAGE_PATTERNS,
	IMAGE_VARIABLES,
	IMAGE_SOURCES,
	IMAGE_PROGRAMS,
	IMAGE_STRINGS,
	/* the tail: instructions (a sum a program), and what explains a refusal */
	IMAGE_CODE,
	IMAGE_RULES,
	IMAGE_CONDITIONS,
	IMAGE_NOTES,
	IMAGE_PARTS
};

struct image_part {
	uint32_t at, count; /* bytes from the image's start; entries */
};

struct image_header {
	uint32_t magic, format, arch, size;
	uint64_t head_sum;  /* of everything from digest to head_size */
	uint8_t digest[32]; /* of what the policy means: stages and programs, not files and times */
	uint32_t head_size, no_stage, unknown_stage, zero;
	struct image_part part[IMAGE_PARTS];
};

#define STAGE_UNKNOWN (~31u)

enum {
	STAGE_NO_NEW_PRIVS = 1,
	STAGE_FOREIGN = 2, /* the policy admits other architectures: do not warn of them */
	STAGE_STRICT = 4,  /* SECCOMP_MODE_STRICT, which the shim enters; no programs */
	STAGE_REPORT = 8,  /* raised with a listener, by the wrapper only: a supervisor's, which
			      tells  what is refused */
	STAGE_AGENT = 16   /* or that of an agent, which decides what the policy leaves to it */
};

struct image_stage {
	uint32_t name, flags;
	/*
	 * exact: the stage as written, for the shim and wherever nothing is executed afterwards.
	 * exec:  the same, and lets one execve(2) with the wrapper's cookie through (often the same
	 * program). outer: widened by what the dynamic loader needs; IMAGE_NONE where exact allows
	 * all of that. All IMAGE_NONE: the stage has no fence.
	 */
	uint32_t exact, exec, outer;
	/*
	 * inner: what the shim raises within outer. It is exact, but with a listener it allows what
	 * outer refuses: of two filters the stricter answer wins, ERRNO before USER_NOTIF, and so
	 * the listener would hear of nothing.
	 */
	uint32_t inner;
	uint32_t shim_flags; /* of seccomp(2), beside the program's */
	/* for the supervisor: where it reports to, a line each; the agent's socket, and what it is
	 * told */
	uint32_t sinks, agent, metadata;
};

struct image_pattern {
	uint32_t text, stage;
};

/*
 * A file or folder that the policy was made from, and what made it: the compiler and its library.
 * The image is fresh while all of them are as they were.
 */
struct image_source {
	uint32_t path;
	uint32_t present; /* 0: it was not there, or need not be: none may be there now as well */
	/* as statx(2) lays them out */
	uint64_t ino, size;
	struct raw_time ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
};

struct image_program {
	uint32_t first, count; /* in IMAGE_CODE */
	uint32_t flags;        /* of seccomp(2), SECCOMP_FILTER_FLAG_* */
	uint32_t cookie;       /* 1: has the slots that fence_cookie() fills */
	uint32_t digest[8];    /* what the program answers fence_ask() for */
	uint64_t sum;          /* of its instructions */
};

/* In place of a call's number: any that a table knows, and any that none does. */
enum { IMAGE_CALL_KNOWN = -1, IMAGE_CALL_UNKNOWN = -2 };

/* Where a rule stands, for who wants another answer. */
enum image_whose {
	IMAGE_OF_BASE,  /* a base, or a default: a rule of the stage goes before it */
	IMAGE_OF_FLOOR, /* or a plugin: no stage can allow it */
	IMAGE_OF_STAGE  /* the stage itself, written for this call */
};

/* The decision list of each stage in order: the first rule whose conditions hold decides. For
 * refusals' reports. */
struct image_rule {
	uint32_t stage, action;
	int32_t call;        /* the native number, or IMAGE_CALL_* */
	uint32_t line, file; /* where it was written; file is an offset into IMAGE_NOTES */
	uint32_t condition_first, condition_count;
	uint32_t whose; /* enum image_whose */
};

struct image_condition {
	uint32_t arg, op;
	uint64_t mask, value;
};

static inline const struct image_header *image_header(const void *data)
{
	return data;
}

static inline const void *image_part(const struct image_header *h, enum image_part_name name)
{
	return (const char *)h + h->part[name].at;
}

static inline const char *image_string(const struct image_header *h, uint32_t at)
{
	return (const char *)image_part(h, IMAGE_STRINGS) + at;
}

static inline const struct image_stage *image_stage(const struct image_header *h, uint32_t i)
{
	return (const struct image_stage *)image_part(h, IMAGE_STAGES) + i;
}

static inline bool image_fenced(const struct image_stage *s)
{
	return s->exact != IMAGE_NONE || (s->flags & STAGE_STRICT) != 0;
}

static inline const struct image_program *image_program(const struct image_header *h, uint32_t i)
{
	return (const struct image_program *)image_part(h, IMAGE_PROGRAMS) + i;
}

/* Each step is a bijection of the state for a given word, so no single changed word can go unseen.
 */
RAW_SHARED uint64_t image_sum(const void *data, size_t size)
{
	const uint64_t *word = data;
	uint64_t sum = size;

	for (size_t i = 0; i < size / 8; i++) {
		sum = (sum ^ word[i]) * 0x9e3779b97f4a7c15u;
		sum ^= sum >> 29;
	}
	return sum;
}

/* What image_check() found; image_fault_text() says it. */
enum image_fault {
	IMAGE_GOOD,
	IMAGE_NOT_ONE,
	IMAGE_OTHER_FORMAT,
	IMAGE_OTHER_ARCH,
	IMAGE_WRONG_SIZE,
	IMAGE_WRONG_SUM,
	IMAGE_OUT_OF_BOUNDS
};

static inline const char *image_fault_text(enum image_fault fault)
{
	if (fault == IMAGE_NOT_ONE)
		return "is not a policy image";
	if (fault == IMAGE_OTHER_FORMAT)
		return "is a policy image of another version: compile it again";
	if (fault == IMAGE_OTHER_ARCH)
		return "is a policy image for another architecture: compile it here";
	if (fault == IMAGE_WRONG_SIZE)
		return "is a policy image that was truncated, or has something behind it";
	if (fault == IMAGE_WRONG_SUM)
		return "is a damaged policy image (its sum is wrong): compile it again";
	return "is a damaged policy image (a part lies out of bounds): compile it again";
}

/* The size of a part's entries in bytes. */
static inline unsigned image_entry(unsigned part)
{
	static const unsigned char entry[IMAGE_PARTS] = {
		[IMAGE_STAGES] = sizeof(struct image_stage),
		[IMAGE_PATTERNS] = sizeof(struct image_pattern),
		[IMAGE_VARIABLES] = sizeof(uint32_t),
		[IMAGE_SOURCES] = sizeof(struct image_source),
		[IMAGE_PROGRAMS] = sizeof(struct image_program),
		[IMAGE_STRINGS] = 1,
		[IMAGE_CODE] = sizeof(struct sock_filter),
		[IMAGE_RULES] = sizeof(struct image_rule),
		[IMAGE_CONDITIONS] = sizeof(struct image_condition),
		[IMAGE_NOTES] = 1,
	};

	return entry[part];
}

static inline bool image_parts_ok(const struct image_header *h)
{
	for (unsigned p = 0; p < IMAGE_PARTS; p++) {
		uint32_t end = p <= IMAGE_STRINGS ? h->head_size : h->size, at = h->part[p].at;

		if (at < sizeof *h || at % 8 != 0 ||
		    at + (uint64_t)h->part[p].count * image_entry(p) > end)
			return false;
	}

	uint32_t strings = h->part[IMAGE_STRINGS].count;

	return strings != 0 && image_string(h, strings - 1)[0] == '\0';
}

/* Every 32-bit field of the head that is an index into another part: the second column's field, the
 * fourth's size. */
static inline bool image_indices_ok(const struct image_header *h)
{
	enum { NEEDED, OPTIONAL };
	static const struct {
		unsigned char part, size, field, of, optional;
	} column[] = {
		{ IMAGE_STAGES, sizeof(struct image_stage), offsetof(struct image_stage, name),
		    IMAGE_STRINGS, NEEDED },
		{ IMAGE_STAGES, sizeof(struct image_stage), offsetof(struct image_stage, exact),
		    IMAGE_PROGRAMS, OPTIONAL },
		{ IMAGE_STAGES, sizeof(struct image_stage), offsetof(struct image_stage, exec),
		    IMAGE_PROGRAMS, OPTIONAL },
		{ IMAGE_STAGES, sizeof(struct image_stage), offsetof(struct image_stage, outer),
		    IMAGE_PROGRAMS, OPTIONAL },
		{ IMAGE_STAGES, sizeof(struct image_stage), offsetof(struct image_stage, inner),
		    IMAGE_PROGRAMS, OPTIONAL },
		{ IMAGE_STAGES, sizeof(struct image_stage), offsetof(struct image_stage, sinks),
		    IMAGE_STRINGS, NEEDED },
		{ IMAGE_STAGES, sizeof(struct image_stage), offsetof(struct image_stage, agent),
		    IMAGE_STRINGS, NEEDED },
		{ IMAGE_STAGES, sizeof(struct image_stage), offsetof(struct image_stage, metadata),
		    IMAGE_STRINGS, NEEDED },
		{ IMAGE_PATTERNS, sizeof(struct image_pattern),
		    offsetof(struct image_pattern, text), IMAGE_STRINGS, NEEDED },
		{ IMAGE_PATTERNS, sizeof(struct image_pattern),
		    offsetof(struct image_pattern, stage), IMAGE_STAGES, NEEDED },
		{ IMAGE_VARIABLES, sizeof(uint32_t), 0, IMAGE_STRINGS, NEEDED },
		{ IMAGE_SOURCES, sizeof(struct image_source), offsetof(struct image_source, path),
		    IMAGE_STRINGS, NEEDED },
	};

	for (unsigned c = 0; c < sizeof column / sizeof column[0]; c++) {
		const char *field = (const char *)image_part(h, column[c].part) + column[c].field;

		for (uint32_t i = 0; i < h->part[column[c].part].count;
		     i++, field += column[c].size) {
			uint32_t value = *(const uint32_t *)field;

			if (value >= h->part[column[c].of].count &&
			    !(column[c].optional && value == IMAGE_NONE))
				return false;
		}
	}
	return (h->no_stage >= IMAGE_PASS || h->no_stage < h->part[IMAGE_STAGES].count) &&
	    (h->unknown_stage == IMAGE_NONE || h->unknown_stage < h->part[IMAGE_STAGES].count);
}

/* data is 8-byte aligned. Only what this calls good may be read with the functions below. */
static inline enum image_fault image_check(const void *data, size_t size)
{
	const struct image_header *h = data;

	if (size < sizeof *h || h->magic != IMAGE_MAGIC)
		return IMAGE_NOT_ONE;
	if (h->format != IMAGE_FORMAT)
		return IMAGE_OTHER_FORMAT;
	if (h->arch != IMAGE_ARCH)
		return IMAGE_OTHER_ARCH;
	if (h->size != size || size > IMAGE_SIZE_MAX)
		return IMAGE_WRONG_SIZE;
	if (h->head_size < sizeof *h || h->head_size > size || h->head_size % 8 != 0)
		return IMAGE_OUT_OF_BOUNDS;
	if (image_sum(h->digest, h->head_size - offsetof(struct image_header, digest)) !=
	    h->head_sum)
		return IMAGE_WRONG_SUM;
	if (!image_parts_ok(h) || !image_indices_ok(h))
		return IMAGE_OUT_OF_BOUNDS;
	for (uint32_t i = 0; i < h->part[IMAGE_PROGRAMS].count; i++) {
		const struct image_program *p = image_program(h, i);

		if (p->count - 1 >= IMAGE_CODE_MAX ||
		    (uint64_t)p->first + p->count > h->part[IMAGE_CODE].count)
			return IMAGE_OUT_OF_BOUNDS;
	}
	/* a stage has all of exact, exec and inner, or no program: anything between could run free
	 */
	for (uint32_t i = 0; i < h->part[IMAGE_STAGES].count; i++) {
		const struct image_stage *s = image_stage(h, i);
		/* in the upper bit, which IMAGE_NONE has and no index; the shim has little room */
		uint32_t wrong = (s->exact ^ s->exec) | (s->exact ^ s->inner) |
		    (s->exact & ~s->outer);

		if ((int32_t)wrong < 0 ||
		    (s->flags & (STAGE_UNKNOWN | (((s->exact >> 31) - 1) & STAGE_STRICT))))
			return IMAGE_OUT_OF_BOUNDS;
	}
	return IMAGE_GOOD;
}

/* A program's instructions, or NULL if their sum is wrong. */
static inline const struct sock_filter *image_code(
    const struct image_header *h, const struct image_program *p)
{
	const struct sock_filter *code = (const struct sock_filter *)image_part(h, IMAGE_CODE) +
	    p->first;

	return image_sum(code, p->count * sizeof *code) == p->sum ? code : NULL;
}

/* A bracket expression of a shell pattern; *next is what follows. An unclosed one is a plain '['.
 */
static inline bool image_bracket(const char *p, unsigned char c, const char **next)
{
	const char *start = p;
	bool negated = *p == '!' || *p == '^', found = false;

	p += negated;
	do { /* a ']' that comes first is one of the characters */
		unsigned char low = (unsigned char)*p, high = low;

		if (*p == '\0') {
			*next = start;
			return c == '[';
		}
		if (*++p == '-' && p[1] != '\0' && p[1] != ']') {
			high = (unsigned char)p[1];
			p += 2;
		}
		found |= low <= c && c <= high;
	} while (*p != ']');
	*next = p + 1;
	return found != negated;
}

/* fnmatch(3) without flags or locale: * ? [a-z] [!a-z] and \ before a literal character. */
static inline bool image_match(const char *pattern, const char *text)
{
	const char *star = NULL, *again = NULL;

	for (;;) {
		const char *next = pattern + 1;
		bool same;

		if (*pattern == '*') {
			star = ++pattern;
			again = text;
			continue;
		}
		if (*text == '\0')
			return *pattern == '\0';
		if (*pattern == '?')
			same = true;
		else if (*pattern == '[')
			same = image_bracket(pattern + 1, (unsigned char)*text, &next);
		else {
			if (*pattern == '\\' && pattern[1] != '\0')
				next = ++pattern + 1;
			same = *pattern == *text && *pattern != '\0';
		}
		if (same) {
			pattern = next;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++again;
		} else
			return false;
	}
}

/* The stage of that name: the first whose pattern matches. IMAGE_NONE: none does. */
static inline uint32_t image_find(const struct image_header *h, const char *name)
{
	const struct image_pattern *pattern = image_part(h, IMAGE_PATTERNS);
	size_t length = raw_length(name);

	if (length == 0 || length > IMAGE_NAME_MAX)
		return IMAGE_NONE;
	for (uint32_t i = 0; i < h->part[IMAGE_PATTERNS].count; i++)
		if (image_match(image_string(h, pattern[i].text), name))
			return pattern[i].stage;
	return IMAGE_NONE;
}

/*
 * The stage that the environment names, by the first variable of stage_env that is set. *name is
 * that variable's value, or NULL if none is. A value given twice is no name: who reads which one is
 * anybody's guess.
 */
static inline uint32_t image_pick(const struct image_header *h, char **env, const char **name)
{
	const uint32_t *variable = image_part(h, IMAGE_VARIABLES);

	*name = NULL;
	for (uint32_t i = 0; i < h->part[IMAGE_VARIABLES].count; i++) {
		unsigned count;

		*name = raw_env(env, image_string(h, variable[i]), &count);
		if (count == 0)
			continue;

		uint32_t stage = count == 1 ? image_find(h, *name) : IMAGE_NONE;

		return stage == IMAGE_NONE ? h->unknown_stage : stage;
	}
	return h->no_stage;
}

/* Are the files that the policy was made from as they were? */
static inline bool image_fresh(const struct image_header *h)
{
	enum {
		FILE_SIZE = offsetof(struct raw_stat, blocks) - offsetof(struct raw_stat, ino),
		TIMES_SIZE = offsetof(struct raw_stat, rest) - offsetof(struct raw_stat, ctime)
	};
	const struct image_source *s = image_part(h, IMAGE_SOURCES);

	_Static_assert(offsetof(struct image_source, ctime) - offsetof(struct image_source, ino) ==
		    FILE_SIZE &&
		sizeof *s - offsetof(struct image_source, ctime) == TIMES_SIZE,
	    "as statx(2) lays them out");
	for (uint32_t i = 0; i < h->part[IMAGE_SOURCES].count; i++, s++) {
		struct raw_stat st;
		const char *now = (const char *)&st;
		long result = raw_statx(
		    RAW_AT_FDCWD, image_string(h, s->path), RAW_AT_SYMLINK_NOFOLLOW, &st);

		if (result == -RAW_ENOENT && !s->present)
			continue;
		if (result != 0 ||
		    !raw_same(now + offsetof(struct raw_stat, ino), &s->ino, FILE_SIZE) ||
		    !raw_same(now + offsetof(struct raw_stat, ctime), &s->ctime, TIMES_SIZE))
			return false;
	}
	return true;
}

#endif
