#include "conf.h"

#include <dirent.h>
#include <errno.h>
#include <libconfig.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../preload/fence.h"
#include "../preload/image.h"
#include "../preload/paths.h"
#include "../preload/trust.h"
#include "calls.h"
#include "close.h"
#include "consts.h"
#include "mem.h"
#include "oci.h"
#include "policy.h"
#include "plugin.h"
#include "say.h"
#include "scan.h"
#include "tree.h"

enum {
	ARGUMENTS = 6,
	TIMEOUT = 10, /* seconds */
	TIMEOUT_MAX = 3600,
	SIGNALLED = 128, /* what a shell adds to a signal's number */
	GROUP_DEPTH_MAX = 16,
	RULES_MAX = 200000, /* one call each */
	BASES_MAX = 64
};

/* What a file may hold. */
enum content { WHOLE, STAGES, PARTS };

struct file {
	const char *path;
	config_t config;
	bool vendor; /* not the administrator's own */
	enum content content;
};

struct group {
	const char *name;
	struct origin origin;
	const config_setting_t *members;
	const char *file;
	bool vendor;
	bool used;
	bool open; /* being expanded: to meet it again is a cycle */
};

/* Where a plugin is named, and by whose level; NULL: for all stages. */
struct mention {
	const char *path;
	struct origin origin;
	const struct level *level;
};

/* A profile in JSON, read for the capabilities that whoever names it has. */
struct foreign {
	const char *path, *capabilities;
	const struct level *level; /* NULL: its mistakes have been said */
};

struct reader {
	struct arena *arena;
	struct policy *policy;
	struct sources *sources;
	enum source_origin from; /* of what is opened next, and what it masks */
	const char *masks;
	unsigned trust;
	const char *folder; /* the current one */
	const char *vendor_folder;
	const char *main_file; /* NULL: masked */
	struct file *files;
	size_t file_count;
	bool quiet;        /* a group's mistakes are said once */
	bool names_groups; /* some file does */
	bool names_bases;
	bool optional; /* an unknown call is left out with a note */
	struct group *groups;
	size_t group_count;
	size_t rule_count;
	struct mention *mentions;
	size_t mention_count;
	struct foreign *foreign;
	size_t foreign_count;
	bool exact;       /* the stage that is being read adds nothing to what it says */
	const char *file; /* the one that is being read */
	bool vendor;      /* and it is ours */
};

/* ---- where and what ---- */

static struct origin origin(const struct reader *r, const config_setting_t *s)
{
	return (struct origin){ r->file, (int)config_setting_source_line(s) };
}

#define SAY(r, s, ...) say_at((r)->file, (int)config_setting_source_line(s), __VA_ARGS__)

/* What a setting is called in a message; list entries have no name of their own. */
static const char *name_of(const config_setting_t *s)
{
	const char *name = config_setting_name(s);

	return name != NULL ? name : "an entry";
}

static bool is_list(const config_setting_t *s)
{
	return config_setting_type(s) == CONFIG_TYPE_LIST ||
	    config_setting_type(s) == CONFIG_TYPE_ARRAY;
}

/* A string, or NULL once it has been said that this is none. */
static const char *read_string(struct reader *r, const config_setting_t *s)
{
	const char *text = config_setting_type(s) == CONFIG_TYPE_STRING
	    ? config_setting_get_string(s)
	    : NULL;

	if (text == NULL)
		SAY(r, s, "%s must be a string in quotes", name_of(s));
	return text == NULL ? NULL : arena_text(r->arena, text, strlen(text));
}

static bool read_bool(struct reader *r, const config_setting_t *s, bool *value)
{
	if (config_setting_type(s) != CONFIG_TYPE_BOOL) {
		SAY(r, s, "%s must be true or false", name_of(s));
		return false;
	}
	*value = config_setting_get_bool(s) != 0;
	return true;
}

static config_setting_t *member(const config_setting_t *s, const char *name)
{
	return config_setting_get_member(s, name);
}

/* A yes or no that may be left out. */
static bool read_flag(struct reader *r, const config_setting_t *s, const char *name, bool *value)
{
	return member(s, name) == NULL || read_bool(r, member(s, name), value);
}

/* A string or a small number, as text: libconfig's versions disagree on any larger one. */
static const char *read_value(struct reader *r, const config_setting_t *s)
{
	if (config_setting_type(s) == CONFIG_TYPE_INT)
		return arena_format(r->arena, "%d", config_setting_get_int(s));
	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		return read_string(r, s);
	SAY(r, s, "%s must be a string such as \"0x10\", or a number", name_of(s));
	return NULL;
}

/* The i-th string of a list of strings, or of a string that stands for a list of one. */
static size_t string_count(struct reader *r, const config_setting_t *s)
{
	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		return 1;
	if (is_list(s))
		return (size_t)config_setting_length(s);
	SAY(r, s, "%s must be a list of strings", name_of(s));
	return 0;
}

static const char *string_at(struct reader *r, const config_setting_t *s, size_t i)
{
	return read_string(r, is_list(s) ? config_setting_get_elem(s, (unsigned)i) : s);
}

/* Every key of a group must be one of words, which ends in NULL. */
static bool check_keys(
    struct reader *r, const config_setting_t *s, const char *what, const char *const *words)
{
	bool good = true;

	if (config_setting_type(s) != CONFIG_TYPE_GROUP) {
		SAY(r, s, "%s must be in braces: { key = value; ... }", what);
		return false;
	}
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *key = config_setting_get_elem(s, (unsigned)i);
		const char *const *word = words;

		while (*word != NULL && strcmp(*word, config_setting_name(key)) != 0)
			word++;
		if (*word != NULL)
			continue;
		SAY(r, key, "%s has no key %s", what, config_setting_name(key));
		good = false;
	}
	return good;
}

/* ---- files ---- */

static void add_source(struct reader *r, const char *path, const struct raw_stat *st)
{
	struct source *s;

	r->sources->items = arena_grow(r->arena, r->sources->items, r->sources->count, sizeof *s);
	s = &r->sources->items[r->sources->count++];
	s->path = path;
	s->origin = r->from;
	s->masks = r->masks;
	s->present = st != NULL;
	if (st != NULL)
		s->st = *st;
}

/* "PATH: why", or "PATH: PART why" where it is a folder on the way. */
static void say_untrusted(const char *path, const struct trust_refusal *no)
{
	const char *last = strrchr(path, '/');
	bool itself = strcmp(no->name, last != NULL ? last + 1 : path) == 0;
	const char *why = no->fault == TRUST_ERROR ? strerror((int)no->error)
						   : trust_text(no->fault);

	if (itself)
		say_at(path, 0, "%s", why);
	else
		say_at(path, 0, "%s%s%s", no->name, no->fault == TRUST_ERROR ? ": " : " ", why);
}

/*
 * Opened, and recorded as it was then. A file that was changed a moment ago could be changed once
 * more within the same tick of the file system's clock, and the system's image would look fresh:
 * that tick is waited for.
 */
static int open_trusted(
    struct reader *r, const char *name, unsigned flags, struct trust_refusal *no)
{
	enum { TICK = 20000000 };
	struct raw_stat st;
	struct timespec now, tick = { 0, TICK };
	const char *path = name[0] == '/' ? name : arena_format(r->arena, "%s/%s", r->folder, name);
	int fd = trust_open(path, r->trust | flags, &st, no);

	if (fd < 0) {
		if (no->fault == TRUST_ERROR && no->error == ENOENT)
			add_source(r, path, NULL);
		return -1;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	/* an image made for -c does not outlive its launch */
	if (!(r->trust & TRUST_CALLER) &&
	    (now.tv_sec - st.ctime.sec) * 1000000000 + now.tv_nsec - st.ctime.nsec < TICK) {
		nanosleep(&tick, NULL);
		raw_statx(fd, "", RAW_AT_EMPTY_PATH, &st);
	}
	add_source(r, path, &st);
	return fd;
}

static int open_source(struct reader *r, const char *name, unsigned flags, bool may_be_absent)
{
	struct trust_refusal no;
	int fd = open_trusted(r, name, flags, &no);

	if (fd < 0 && !(may_be_absent && no.fault == TRUST_ERROR && no.error == ENOENT))
		say_untrusted(name, &no);
	return fd;
}

/* What an open file holds, but no more than max + 1 bytes; the last one of the sources is it. */
static char *read_all(struct reader *r, int fd, const char *path, size_t max, size_t *size)
{
	char *text = arena_get(r->arena, max + 3);
	ssize_t n;

	*size = 0;
	while ((n = read(fd, text + *size, max + 1 - *size)) > 0)
		*size += (size_t)n;
	if (n < 0) {
		say_at(path, 0, "%s", strerror(errno));
		return NULL;
	}
	if (*size <= max && *size != r->sources->items[r->sources->count - 1].st.size) {
		say_at(path, 0, "changed while it was read");
		return NULL;
	}
	/* libconfig knows no comment that ends with the file */
	text[*size] = '\n';
	return text;
}

/* The text of an opened file, which is closed; NULL: it has been said what is wrong with it. */
static char *take_text(struct reader *r, int fd, const char *path)
{
	size_t size;
	char *text = read_all(r, fd, path, SCAN_SIZE_MAX, &size);

	close(fd);
	return text != NULL && scan_text(path, text, size) ? text : NULL;
}

static void read_text(struct reader *r, const char *path, const char *text, enum content content)
{
	struct file *f;

	r->names_groups = r->names_groups || strstr(text, "\"@") != NULL;
	r->names_bases = r->names_bases || strstr(text, "base") != NULL ||
	    strstr(text, "floor") != NULL;
	r->files = arena_grow(r->arena, r->files, r->file_count, sizeof *r->files);
	f = &r->files[r->file_count];
	f->path = path;
	f->vendor = r->from == SOURCE_VENDOR;
	f->content = content;
	config_init(&f->config);
	if (!config_read_string(&f->config, text)) {
		say_at(path, config_error_line(&f->config), "%s", config_error_text(&f->config));
		config_destroy(&f->config);
		return;
	}
	r->file_count++;
}

static void read_file(struct reader *r, const char *path, enum content content)
{
	int fd = open_source(r, path, 0, false);
	char *text = fd < 0 ? NULL : take_text(r, fd, path);

	if (text != NULL)
		read_text(r, path, text, content);
}

/* ---- files that hide others (UAPI.6) ---- */

/*
 * Is this a link to /dev/null, which says that files of its name are not to be read? Its folder has
 * been judged; it is recorded as it is, so that another in its place is noticed. False also where
 * somebody else made it: opening it then says what is wrong.
 */
static bool is_null_link(struct reader *r, const char *name)
{
	static const char null[] = "/dev/null";
	const char *path = name[0] == '/' ? name : arena_format(r->arena, "%s/%s", r->folder, name);
	char text[sizeof null];
	struct raw_stat st;

	if (readlink(path, text, sizeof text) != sizeof null - 1 ||
	    memcmp(text, null, sizeof null - 1) != 0 ||
	    raw_statx(RAW_AT_FDCWD, path, RAW_AT_SYMLINK_NOFOLLOW, &st) != 0 ||
	    trust_judge(&st, r->trust) != TRUST_GOOD)
		return false;
	add_source(r, path, &st);
	r->sources->items[r->sources->count - 1].empty = true;
	return true;
}

/* A name in a folder that there is once for the vendor and once for the administrator. */
struct entry {
	const char *name, *path;
	enum source_origin from;
	const char *masks; /* the file that is not read because of this one; or NULL */
};

struct entries {
	struct entry *items;
	size_t count;
};

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void add_entry(
    struct reader *r, struct entries *entries, const char *folder, const char *name)
{
	const char *path = arena_format(r->arena, "%s/%s", folder, name);
	struct entry *e;

	for (size_t i = 0; i < entries->count; i++)
		if (strcmp(entries->items[i].name, name) == 0) {
			entries->items[i].masks = path;
			return;
		}
	entries->items = arena_grow(
	    r->arena, entries->items, entries->count, sizeof *entries->items);
	e = &entries->items[entries->count++];
	*e = (struct entry){ arena_text(r->arena, name, strlen(name)), path, r->from, NULL };
}

/* Every *.conf of a folder; backups of editors and packagers end otherwise. */
static void list_folder(struct reader *r, const char *path, struct entries *entries)
{
	static const char ending[] = ".conf";
	int fd = open_source(r, path, TRUST_FOLDER, true);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (folder == NULL) {
		if (fd >= 0) {
			say_at(path, 0, "%s", strerror(errno));
			close(fd);
		}
		return;
	}
	for (const struct dirent *e; errno = 0, (e = readdir(folder)) != NULL;) {
		size_t n = strlen(e->d_name);

		if (e->d_name[0] != '.' && n >= sizeof ending &&
		    strcmp(e->d_name + n + 1 - sizeof ending, ending) == 0)
			add_entry(r, entries, path, e->d_name);
	}
	/* a drop-in that is not seen may be the one that refuses */
	if (errno != 0)
		say_at(path, 0, "%s", strerror(errno));
	closedir(folder);
}

/* Opened, and not empty. An empty file is there for what it masks. */
static const char *take_entry(struct reader *r, const struct entry *e)
{
	struct source *source;
	const char *text;
	int fd;

	if (!is_null_link(r, e->path)) {
		fd = open_source(r, e->path, 0, false);
		text = fd < 0 ? NULL : take_text(r, fd, e->path);
		source = &r->sources->items[r->sources->count - 1];
		if (text == NULL || source->st.size > 0)
			return text;
		source->empty = true;
	}
	if (e->masks == NULL)
		say_note(e->path, 0, "is empty, and masks no vendor's file");
	return NULL;
}

static void read_entry(struct reader *r, const struct entry *e, enum content content)
{
	const char *text;

	r->from = e->from;
	r->masks = e->masks;
	text = take_entry(r, e);
	r->masks = NULL;
	if (text != NULL)
		read_text(r, e->path, text, content);
}

/* A folder of the administrator's and the vendor's of that name, in the order of the files' names,
 * wherever they lie. */
static void read_folders(struct reader *r, const char *name, enum content vendors, enum content own)
{
	struct entries entries = { 0 };

	/* the strongest first */
	r->from = SOURCE_DROP_IN;
	list_folder(r, arena_format(r->arena, PATH_SITE "/%s", name), &entries);
	r->from = SOURCE_VENDOR;
	list_folder(r, arena_format(r->arena, "%s/%s", r->vendor_folder, name), &entries);
	if (entries.count > 0)
		qsort(entries.items, entries.count, sizeof *entries.items, compare_entries);
	for (size_t i = 0; i < entries.count; i++)
		read_entry(
		    r, &entries.items[i], entries.items[i].from == SOURCE_VENDOR ? vendors : own);
}

/* ---- groups of calls ---- */

static const struct group *find_group(const struct reader *r, const char *name)
{
	for (size_t i = 0; i < r->group_count; i++)
		if (strcmp(r->groups[i].name, name) == 0)
			return &r->groups[i];
	return NULL;
}

static void read_group(struct reader *r, const config_setting_t *s)
{
	static const char *const keys[] = { "name", "about", "calls", NULL };
	const config_setting_t *name, *calls;
	const struct group *other;
	struct group *g;
	const char *text;

	if (!check_keys(r, s, "a group", keys))
		return;
	name = member(s, "name");
	calls = member(s, "calls");
	text = name == NULL ? NULL : read_string(r, name);
	if (name != NULL && text == NULL)
		return;
	if (text == NULL || text[0] != '@' || text[1] == '\0' || calls == NULL) {
		SAY(r, s, "a group needs a name that begins with @, and calls");
		return;
	}
	other = find_group(r, text);
	if (other != NULL) {
		SAY(r, s, "group %s is there already, at %s:%d", text, other->origin.file,
		    other->origin.line);
		return;
	}
	r->groups = arena_grow(r->arena, r->groups, r->group_count, sizeof *r->groups);
	g = &r->groups[r->group_count++];
	*g = (struct group){ .name = text,
		.origin = origin(r, s),
		.members = calls,
		.file = r->file,
		.vendor = r->vendor };
}

/* Calls without repeats, in the order of their first mention. */
struct calls {
	const struct call **items;
	bool *by_group; /* for each item */
	size_t count;
	unsigned char *seen;   /* by index into the table of calls */
	unsigned char *groups; /* the same, of groups */
};

static void add_call(struct reader *r, struct calls *calls, const struct call *call, bool by_group)
{
	size_t i = (size_t)(call - call_at(0));

	if (calls->seen == NULL)
		calls->seen = arena_get(r->arena, call_count());
	if (calls->seen[i]) {
		/* its own name says more than a group's */
		for (size_t k = 0; !by_group && k < calls->count; k++)
			if (calls->items[k] == call)
				calls->by_group[k] = false;
		return;
	}
	calls->seen[i] = 1;
	calls->items = arena_grow(r->arena, calls->items, calls->count, sizeof *calls->items);
	calls->by_group = arena_grow(
	    r->arena, calls->by_group, calls->count, sizeof *calls->by_group);
	calls->by_group[calls->count] = by_group;
	calls->items[calls->count++] = call;
}

static void add_calls(
    struct reader *r, struct calls *calls, const config_setting_t *s, unsigned depth);

static void add_group(struct reader *r, struct calls *calls, const config_setting_t *s,
    const char *name, unsigned depth)
{
	struct group *g = (struct group *)find_group(r, name);
	const char *file = r->file;
	bool quiet = r->quiet;

	if (g == NULL) {
		if (!quiet)
			SAY(r, s, "unknown group %s", name);
		return;
	}
	if (g->open || depth >= GROUP_DEPTH_MAX) {
		if (!quiet)
			SAY(r, s, "group %s contains itself", name);
		return;
	}
	/* once for each list: groups that name groups could otherwise ask for more work than there
	 * is time */
	if (calls->groups == NULL)
		calls->groups = arena_get(r->arena, r->group_count);
	if (calls->groups[g - r->groups])
		return;
	calls->groups[g - r->groups] = 1;
	r->quiet = quiet || g->used;
	g->open = g->used = true;
	r->file = g->file;
	add_calls(r, calls, g->members, depth + 1);
	r->file = file;
	r->quiet = quiet;
	g->open = false;
}

static void add_calls(
    struct reader *r, struct calls *calls, const config_setting_t *s, unsigned depth)
{
	size_t count = string_count(r, s);

	for (size_t i = 0; i < count; i++) {
		const char *name = string_at(r, s, i);
		const config_setting_t *at = is_list(s) ? config_setting_get_elem(s, (unsigned)i)
							: s;
		const struct call *call;

		if (name == NULL)
			continue;
		if (name[0] == '@') {
			add_group(r, calls, at, name, depth);
			continue;
		}
		call = call_named(name);
		if (call != NULL)
			add_call(r, calls, call, depth > 0);
		else if (r->optional)
			say_note(r->file, (int)config_setting_source_line(at),
			    "system call %s is unknown here, and left out", name);
		else if (!r->quiet)
			SAY(r, at, "unknown system call %s", name);
	}
}

/* ---- actions and conditions ---- */

static const struct {
	const char *word;
	uint32_t action;
} actions[] = {
	{ "allow", SECCOMP_RET_ALLOW },
	{ "log", SECCOMP_RET_LOG },
	{ "errno", SECCOMP_RET_ERRNO },
	{ "trap", SECCOMP_RET_TRAP },
	{ "kill_thread", SECCOMP_RET_KILL_THREAD },
	{ "kill_process", SECCOMP_RET_KILL_PROCESS },
	{ "trace", SECCOMP_RET_TRACE },
	{ "notify", SECCOMP_RET_USER_NOTIF },
	{ "SCMP_ACT_TRACE", SECCOMP_RET_TRACE },
	{ "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF },
	{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW },
	{ "SCMP_ACT_LOG", SECCOMP_RET_LOG },
	{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO },
	{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
	{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
};

#define REFUSING_WORDS "errno, trap, trace, notify, kill_thread, kill_process"

/* What some keys take is refusals only; which other action it is that they got is theirs to say. */
static bool read_action(
    struct reader *r, const config_setting_t *s, bool refusing, uint32_t *action)
{
	const char *word = read_string(r, s);

	if (word == NULL)
		return false;
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(word, actions[i].word) == 0) {
			*action = actions[i].action;
			return true;
		}
	SAY(r, s, "%s must be one of %s" REFUSING_WORDS, name_of(s),
	    refusing ? "" : "allow, log, ");
	return false;
}

/* An errno for those of the actions that return one; EPERM where none is named. */
static bool read_errno(struct reader *r, const config_setting_t *s, unsigned *value)
{
	const char *text, *near;

	*value = EPERM;
	if (s == NULL)
		return true;
	text = read_value(r, s);
	if (text == NULL)
		return false;
	if (const_errno(text, value))
		return true;
	near = const_errno_nearest(text);
	SAY(r, s, "unknown errno %s (a name such as EPERM, or 1 to 4095)%s%s%s", text,
	    near != NULL ? "; did you mean " : "", near != NULL ? near : "",
	    near != NULL ? "?" : "");
	return false;
}

static bool read_op(struct reader *r, const config_setting_t *s, enum condition_op *op)
{
	static const struct {
		const char *word;
		enum condition_op op;
	} ops[] = {
		{ "==", OP_EQ },
		{ "!=", OP_NE },
		{ "<", OP_LT },
		{ "<=", OP_LE },
		{ ">", OP_GT },
		{ ">=", OP_GE },
	};
	const char *word = read_string(r, s);

	if (word == NULL)
		return false;
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
		if (strcmp(word, ops[i].word) == 0) {
			*op = ops[i].op;
			return true;
		}
	SAY(r, s, "op must be one of == != < <= > >=");
	return false;
}

static bool read_constant(struct reader *r, const config_setting_t *s, uint64_t *value)
{
	const char *text = read_value(r, s), *bad, *near;
	size_t length;
	char *word;

	if (text == NULL)
		return false;
	if (const_read(text, policy_constants(), value, &bad, &length)) {
		if (*value != FENCE_PLACE_UID && *value != FENCE_PLACE_GID)
			return true;
		SAY(r, s, "%s: this very number is taken; write the condition with a mask",
		    name_of(s));
		return false;
	}
	word = arena_text(r->arena, bad, length);
	if (policy_constants() == CONSTS_ELSEWHERE &&
	    const_value(word, length, CONSTS_X86_64, value)) {
		SAY(r, s, "%s: what %s is on %s is not known; write the number", name_of(s), word,
		    abi_name(abi_native()));
		return false;
	}
	near = const_nearest(word);
	SAY(r, s, "%s: \"%s\" is neither a known constant nor a number%s%s%s", name_of(s), word,
	    near != NULL ? "; did you mean " : "", near != NULL ? near : "",
	    near != NULL ? "?" : "");
	return false;
}

/* As it was written; what it means depends on the call's argument. */
struct raw_condition {
	const config_setting_t *at;
	unsigned arg;
	enum condition_op op;
	bool masked, whole, launch; /* launch: value is $uid or $gid */
	uint64_t mask, value;
	const char *mask_text, *value_text;
};

/* What is filled in when the fence is raised. */
static bool read_launch_value(const config_setting_t *s, uint64_t *value)
{
	const char *text = config_setting_type(s) == CONFIG_TYPE_STRING
	    ? config_setting_get_string(s)
	    : "";

	*value = strcmp(text, "$uid") == 0 ? FENCE_PLACE_UID : FENCE_PLACE_GID;
	return strcmp(text, "$uid") == 0 || strcmp(text, "$gid") == 0;
}

static bool read_condition(struct reader *r, const config_setting_t *s, struct raw_condition *c)
{
	static const char *const keys[] = { "arg", "op", "value", "mask", "whole", NULL };
	const config_setting_t *arg, *op, *value, *mask;
	bool good = check_keys(r, s, "a condition", keys);

	*c = (struct raw_condition){ .at = s, .whole = r->exact };
	if (!good)
		return false;
	good = read_flag(r, s, "whole", &c->whole);
	arg = member(s, "arg");
	op = member(s, "op");
	value = member(s, "value");
	mask = member(s, "mask");
	if (arg == NULL || op == NULL || value == NULL) {
		SAY(r, s, "a condition needs arg, op and value");
		return false;
	}
	if (config_setting_type(arg) != CONFIG_TYPE_INT || config_setting_get_int(arg) < 0 ||
	    config_setting_get_int(arg) >= ARGUMENTS) {
		SAY(r, arg, "arg must be a number from 0 (the first argument) to 5");
		good = false;
	} else
		c->arg = (unsigned)config_setting_get_int(arg);
	good = read_op(r, op, &c->op) && good;
	c->launch = read_launch_value(value, &c->value);
	good = (c->launch || read_constant(r, value, &c->value)) && good;
	c->value_text = good ? read_value(r, value) : NULL;
	c->masked = mask != NULL;
	if (c->masked)
		good = read_constant(r, mask, &c->mask) && good;
	c->mask_text = good && c->masked ? read_value(r, mask) : NULL;
	if (good && c->launch && (c->masked || c->op != OP_EQ)) {
		SAY(r, s,
		    "$uid and $gid go with == and without a mask only: allow what is equal, and "
		    "refuse the rest");
		good = false;
	}
	if (good && c->masked && c->op != OP_EQ && c->op != OP_NE && !c->whole) {
		SAY(r, s, "a mask goes with == and != only");
		good = false;
	}
	return good;
}

static bool fit_condition(
    struct reader *r, const struct raw_condition *raw, const struct call *call, struct condition *c)
{
	const char *wrong;

	*c = (struct condition){ raw->arg, raw->op, raw->masked ? raw->mask : ~(uint64_t)0,
		raw->value, raw->mask_text, raw->value_text, raw->whole && !raw->launch,
		raw->launch };
	wrong = condition_fit(r->arena, c, call);
	if (wrong == NULL && raw->launch && !call_arg_is_word(call, abi_native(), raw->arg))
		wrong = arena_format(
		    r->arena, "%s's arg %u is no user or group id", call->name, raw->arg);
	if (wrong != NULL)
		SAY(r, raw->at, "%s", wrong);
	return wrong == NULL;
}

/* ---- rules ---- */

static struct rule *new_rule(struct reader *r, struct level *level)
{
	if (++r->rule_count == RULES_MAX + 1)
		say_at(r->file, 0, "more than %d rules", RULES_MAX);
	if (r->rule_count > RULES_MAX)
		return NULL;
	level->rules = arena_grow(r->arena, level->rules, level->rule_count, sizeof *level->rules);
	return &level->rules[level->rule_count++];
}

/* One rule for each call, like the one given. */
static void add_rules(struct reader *r, struct level *level, const struct calls *calls,
    const struct rule *like, const struct raw_condition *raw, size_t raw_count)
{
	for (size_t i = 0; i < calls->count; i++) {
		struct condition *conditions = arena_array(r->arena, raw_count, sizeof *conditions);
		struct rule *rule;
		bool good = true;

		for (size_t c = 0; c < raw_count; c++)
			good = fit_condition(r, &raw[c], calls->items[i], &conditions[c]) && good;
		rule = good ? new_rule(r, level) : NULL;
		if (rule == NULL)
			continue;
		*rule = *like;
		rule->call = calls->items[i];
		rule->conditions = conditions;
		rule->condition_count = raw_count;
		rule->by_group = calls->by_group[i];
	}
}

/* The conditions of a rule. False: it has been said what is wrong. */
static bool read_conditions(
    struct reader *r, const config_setting_t *s, struct raw_condition **raw, size_t *count)
{
	bool good = true;

	*raw = NULL;
	*count = 0;
	if (s == NULL)
		return true;
	if (!is_list(s)) {
		SAY(r, s,
		    "args must be a list of conditions: ( { arg = 0; op = \"==\"; value = \"1\"; } "
		    ")");
		return false;
	}
	if (config_setting_length(s) == 0) {
		SAY(r, s, "args is empty: leave it out for a rule without conditions");
		return false;
	}
	*count = (size_t)config_setting_length(s);
	*raw = arena_array(r->arena, *count, sizeof **raw);
	for (size_t i = 0; i < *count; i++)
		good = read_condition(r, config_setting_get_elem(s, (unsigned)i), *raw + i) && good;
	return good;
}

static void note_weak(struct reader *r, const config_setting_t *s, uint32_t action)
{
	static const struct {
		uint32_t action;
		const char *why;
	} weak[] = {
		{ SECCOMP_RET_TRACE,
		    "trace lets whoever traces the program decide, the job itself included" },
		{ SECCOMP_RET_TRAP,
		    "trap is a signal that the program may handle, and then goes on" },
		{ SECCOMP_RET_KILL_THREAD,
		    "kill_thread leaves the rest of the program running, and what it "
		    "lost goes unnoticed; kill_process does not" },
		{ SECCOMP_RET_USER_NOTIF, "notify is ENOSYS in a stage without a listener" },
	};

	for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++)
		if ((action & SECCOMP_RET_ACTION_FULL) == weak[i].action)
			say_note(r->file, (int)config_setting_source_line(s), "%s", weak[i].why);
}

static void read_rule(struct reader *r, const config_setting_t *s, struct level *level)
{
	static const char *const keys[] = { "calls", "action", "errno", "args", "comment", "exact",
		"optional", NULL };
	struct calls calls = { 0 };
	struct rule like = { .origin = origin(r, s), .exact = r->exact };
	struct raw_condition *raw;
	size_t raw_count;
	unsigned value;
	bool good, optional = false;

	if (!check_keys(r, s, "a rule", keys))
		return;
	if (member(s, "calls") == NULL || member(s, "action") == NULL) {
		SAY(r, s, "a rule needs calls and an action");
		return;
	}
	good = read_flag(r, s, "optional", &optional);
	good = read_flag(r, s, "exact", &like.exact) && good;
	r->optional = optional;
	add_calls(r, &calls, member(s, "calls"), 0);
	r->optional = false;
	if (is_list(member(s, "calls")) && config_setting_length(member(s, "calls")) == 0)
		SAY(r, s, "a rule without calls");
	good = read_action(r, member(s, "action"), false, &like.action) && good;
	good = read_errno(r, member(s, "errno"), &value) && good;
	if (good &&
	    (like.action == SECCOMP_RET_ERRNO ||
		(like.action == SECCOMP_RET_TRACE && member(s, "errno") != NULL)))
		like.action |= value; /* trace: the tracer's message */
	else if (good && member(s, "errno") != NULL) {
		SAY(r, member(s, "errno"), "errno goes with action = \"errno\" or \"trace\" only");
		good = false;
	}
	if (good && (like.action != SECCOMP_RET_USER_NOTIF || level->attributes.listener == NULL))
		note_weak(r, member(s, "action"), like.action);
	good = read_conditions(r, member(s, "args"), &raw, &raw_count) && good;
	if (member(s, "comment") != NULL)
		like.comment = read_string(r, member(s, "comment"));
	if (good)
		add_rules(r, level, &calls, &like, raw, raw_count);
}

/*
 * Jacamar CI's limit_setuid: each id is left as it is (-1) or set to the caller's own. One rule for
 * each way to do that, and all other ways are refused.
 */
static void limit_ids(struct reader *r, const config_setting_t *at, struct level *level,
    const struct call *call, uint32_t place)
{
	size_t ids = strlen(call->widths);
	struct rule *rule;

	for (unsigned ways = 0; ways < 1u << ids; ways++) {
		struct condition *c = arena_array(r->arena, ids, sizeof *c);

		rule = new_rule(r, level);
		if (rule == NULL)
			return;
		for (unsigned i = 0; i < ids; i++)
			c[i] = (struct condition){ .arg = i,
				.launch = ways >> i & 1,
				.op = OP_EQ,
				.mask = UINT32_MAX,
				.value = ways >> i & 1 ? place : UINT32_MAX,
				.value_text = ways >> i & 1
				    ? (place == FENCE_PLACE_UID ? "$uid" : "$gid")
				    : "-1" };
		*rule = (struct rule){ .call = call,
			.action = SECCOMP_RET_ALLOW,
			.conditions = c,
			.condition_count = ids,
			.origin = origin(r, at) };
	}
	rule = new_rule(r, level);
	if (rule != NULL)
		*rule = (struct rule){ .call = call,
			.action = SECCOMP_RET_ERRNO | EPERM,
			.origin = origin(r, at),
			.exact = true };
}

static bool refused_outright(const struct level *level, const struct call *call)
{
	for (size_t i = 0; i < level->rule_count; i++)
		if (level->rules[i].call == call && level->rules[i].condition_count == 0 &&
		    action_refuses(level->rules[i].action))
			return true;
	return false;
}

/* To be read last: what the stage refuses whatever the id stays refused, its siblings included. */
static void read_limit_setuid(struct reader *r, const config_setting_t *s, struct level *level)
{
	static const struct {
		const char *name;
		uint32_t place;
	} calls[] = {
		{ "setuid", FENCE_PLACE_UID },
		{ "setreuid", FENCE_PLACE_UID },
		{ "setresuid", FENCE_PLACE_UID },
		{ "setfsuid", FENCE_PLACE_UID },
		{ "setgid", FENCE_PLACE_GID },
		{ "setregid", FENCE_PLACE_GID },
		{ "setresgid", FENCE_PLACE_GID },
		{ "setfsgid", FENCE_PLACE_GID },
	};
	bool limit = false;

	if (s == NULL || !read_bool(r, s, &limit) || !limit)
		return;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		/* i386 has each once more, with ids of 32 bits */
		const struct call *twice[] = { call_named(calls[i].name),
			call_named(arena_format(r->arena, "%s32", calls[i].name)) };

		for (size_t k = 0; k < 2; k++)
			if (twice[k] != NULL && !refused_outright(level, twice[k]))
				limit_ids(r, s, level, twice[k], calls[i].place);
	}
}

static void add_list(
    struct reader *r, struct level *level, const config_setting_t *s, uint32_t action)
{
	struct calls calls = { 0 };

	if (s == NULL)
		return;
	add_calls(r, &calls, s, 0);
	add_rules(r, level, &calls,
	    &(struct rule){ .action = action, .origin = origin(r, s), .exact = r->exact }, NULL, 0);
}

static void set_fallback(
    struct reader *r, struct level *level, const config_setting_t *s, uint32_t action)
{
	struct rule *rule = arena_get(r->arena, sizeof *rule);

	*rule = (struct rule){ .action = action, .origin = origin(r, s) };
	level->fallback = rule;
}

/* The action of a setting, with the errno that the stage names; or the one given where it is not
 * set. */
static uint32_t action_or(
    struct reader *r, const config_setting_t *s, bool refusing, unsigned value, uint32_t otherwise)
{
	uint32_t action = otherwise;

	if (s == NULL || !read_action(r, s, refusing, &action))
		return otherwise;
	note_weak(r, s, action);
	if (action == SECCOMP_RET_ERRNO ||
	    (action == SECCOMP_RET_TRACE && member(config_setting_parent(s), "errno") != NULL))
		action |= value;
	return action;
}

/* default_action, and Jacamar CI's short form: block_all, allow_calls, block_calls. */
static void read_actions(struct reader *r, const config_setting_t *s, struct level *level)
{
	const config_setting_t *all = member(s, "block_all"),
			       *fallback = member(s, "default_action");
	const config_setting_t *block = member(s, "block_action"), *number = member(s, "errno");
	unsigned value = EPERM;
	bool block_all = false, have = read_errno(r, number, &value);
	uint32_t blocked = action_or(r, block, true, value, SECCOMP_RET_KILL_PROCESS);
	uint32_t otherwise = action_or(r, fallback, false, value, SECCOMP_RET_ALLOW);

	if (all != NULL)
		read_bool(r, all, &block_all);
	if (block_all && fallback != NULL)
		SAY(r, fallback, "default_action and block_all contradict each other");
	if (block != NULL && !action_refuses(blocked))
		SAY(r, block, "block_action must be one of " REFUSING_WORDS);
	if (have && number != NULL && (blocked & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO &&
	    (otherwise & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO &&
	    (blocked & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_TRACE &&
	    (otherwise & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_TRACE)
		SAY(r, number,
		    "errno goes with default_action or block_action = \"errno\" or \"trace\" "
		    "only");
	if (block_all)
		set_fallback(r, level, all, blocked);
	else if (fallback != NULL)
		set_fallback(r, level, fallback, otherwise);
	add_list(r, level, member(s, "allow_calls"), SECCOMP_RET_ALLOW);
	add_list(r, level, member(s, "block_calls"), blocked);
}

/* ---- stages and profiles ---- */

static struct stage *find_stage(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->stage_count; i++)
		if (strcmp(p->stages[i]->own.name, name) == 0)
			return p->stages[i];
	return NULL;
}

static bool is_vendors(const struct reader *r, const char *path)
{
	for (size_t f = 0; f < r->file_count; f++)
		if (strcmp(r->files[f].path, path) == 0)
			return r->files[f].vendor;
	return false;
}

static void drop_stage(struct policy *p, const struct stage *stage)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->stage_count; i++)
		if (p->stages[i] != stage)
			p->stages[kept++] = p->stages[i];
	p->stage_count = kept;
}

static bool good_name(struct reader *r, const config_setting_t *s, const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > IMAGE_NAME_MAX || strcmp(name, "refuse") == 0 ||
	    strcmp(name, "pass") == 0) {
		SAY(r, s, "a name has 1 to 255 bytes and is neither refuse nor pass");
		return false;
	}
	for (const char *p = name; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			SAY(r, s, "a name with a control character");
			return false;
		}
	return true;
}

/* What would match nothing, or itself, in silence. NULL: nothing is wrong. */
static const char *pattern_fault(const char *p)
{
	for (; *p != '\0'; p++) {
		if (*p == '\\') {
			if (*++p == '\0')
				return "ends in a backslash";
			continue;
		}
		if (*p != '[')
			continue;
		p += p[1] == '!' || p[1] == '^' ? 2 : 1;
		/* a bracket that comes first is one of the set */
		for (const char *first = p; *p != ']' || p == first; p++) {
			if (*p == '\0')
				return "has a [ that does not end";
			if (p[1] == '-' && p[2] != ']' && p[2] != '\0') {
				if ((unsigned char)p[0] > (unsigned char)p[2])
					return "has a range that runs backwards";
				p += 2;
			}
		}
	}
	return NULL;
}

/* Without match, a stage answers to its own name. */
static void read_patterns(struct reader *r, const config_setting_t *s, struct stage *stage)
{
	size_t count = s == NULL ? 1 : string_count(r, s);

	stage->patterns = arena_array(r->arena, count, sizeof *stage->patterns);
	if (s == NULL) {
		stage->patterns[stage->pattern_count++] = stage->own.name;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *text = string_at(r, s, i);

		if (text == NULL)
			continue;
		if (*text == '\0' || strlen(text) > IMAGE_NAME_MAX)
			SAY(r, s, "a pattern has 1 to 255 bytes");
		else if (pattern_fault(text) != NULL)
			SAY(r, s, "the pattern \"%s\" %s", text, pattern_fault(text));
		else
			stage->patterns[stage->pattern_count++] = text;
	}
	if (is_list(s) && count == 0)
		SAY(r, s, "match is empty: leave it out to match the name itself");
}

/* ---- expectations ---- */

/* An action, or an errno by its name or number. */
static bool read_gives(struct reader *r, const config_setting_t *s, uint32_t *action)
{
	const char *text = read_value(r, s), *near;
	unsigned value;

	if (text == NULL)
		return false;
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(text, actions[i].word) == 0 && actions[i].action != SECCOMP_RET_ERRNO) {
			*action = actions[i].action;
			return true;
		}
	/* as test prints one without a name */
	if (const_errno(strncmp(text, "errno ", 6) == 0 ? text + 6 : text, &value)) {
		*action = SECCOMP_RET_ERRNO | value;
		return true;
	}
	near = const_errno_nearest(text);
	SAY(r, s,
	    "gives must be allow, log, trap, trace, notify, kill_thread, kill_process or an errno "
	    "such as EPERM%s%s%s",
	    near != NULL ? "; did you mean " : "", near != NULL ? near : "",
	    near != NULL ? "?" : "");
	return false;
}

/* The arguments of a call that is tried; those left out at the end are 0. */
static bool read_call_args(struct reader *r, const config_setting_t *s, struct expectation *x)
{
	size_t arguments = strlen(x->call->widths), count;
	bool good = true;

	if (!is_list(s)) {
		SAY(r, s, "args must be a list of values: [ \"0\", \"TIOCSTI\" ]");
		return false;
	}
	count = (size_t)config_setting_length(s);
	if (count == 0 || count > arguments) {
		SAY(r, s, "%s",
		    count == 0 ? "args is empty: leave it out to expect the same whatever the "
				 "arguments"
			       : arena_format(r->arena, "%s has %s%zu arguments", x->call->name,
				     arguments > 0 ? "only " : "", arguments));
		return false;
	}
	x->what = arena_format(r->arena, "%s(", x->call->name);
	for (size_t i = 0; i < count; i++) {
		const config_setting_t *value = config_setting_get_elem(s, (unsigned)i);

		if (!read_launch_value(value, &x->args[i]) &&
		    !read_constant(r, value, &x->args[i])) {
			good = false;
			continue;
		}
		x->arg_texts[i] = read_value(r, value);
		x->what = arena_format(r->arena, "%s%s%s%s", x->what, i > 0 ? ", " : "",
		    x->arg_texts[i], i + 1 == count ? ")" : "");
	}
	return good;
}

static bool read_expected_call(struct reader *r, const config_setting_t *s, struct expectation *x)
{
	const config_setting_t *args = member(s, "args"), *gives = member(s, "gives");
	const char *name = read_string(r, member(s, "call"));
	bool good;

	if (name == NULL)
		return false;
	x->what = name;
	x->call = call_named(name);
	x->every = args == NULL;
	good = x->call != NULL;
	if (!good)
		SAY(r, member(s, "call"), "unknown system call %s", name);
	if (gives == NULL)
		SAY(r, s, "an expected call needs gives");
	good = gives != NULL && read_gives(r, gives, &x->action) && good;
	return good && (args == NULL || read_call_args(r, args, x));
}

/* A number that libconfig's versions agree on. */
static bool read_number(
    struct reader *r, const config_setting_t *s, int least, int most, unsigned *value)
{
	if (config_setting_type(s) != CONFIG_TYPE_INT || config_setting_get_int(s) < least ||
	    config_setting_get_int(s) > most) {
		SAY(r, s, "%s must be a number from %d to %d", name_of(s), least, most);
		return false;
	}
	*value = (unsigned)config_setting_get_int(s);
	return true;
}

static bool read_expected_end(struct reader *r, const config_setting_t *s, struct expectation *x)
{
	const config_setting_t *end = member(s, "signal");
	const char *text;
	int value;

	if (end == NULL)
		return member(s, "status") == NULL ||
		    read_number(r, member(s, "status"), 0, UINT8_MAX, &x->status);
	if (member(s, "status") != NULL) {
		SAY(r, end, "signal and status say the same thing twice");
		return false;
	}
	text = read_value(r, end);
	if (text == NULL)
		return false;
	if (!const_signal(text, &value)) {
		SAY(r, end, "unknown signal %s (a name such as SIGSYS, or 1 to 64)", text);
		return false;
	}
	x->status = SIGNALLED + (unsigned)value;
	return true;
}

static bool read_expected_run(struct reader *r, const config_setting_t *s, struct expectation *x)
{
	const config_setting_t *output = member(s, "output"), *timeout = member(s, "timeout");
	bool good;

	x->what = read_string(r, member(s, "run"));
	good = read_expected_end(r, s, x);
	if (output != NULL)
		x->output = read_string(r, output);
	good = (output == NULL || x->output != NULL) && good;
	x->timeout = TIMEOUT;
	if (timeout != NULL)
		good = read_number(r, timeout, 1, TIMEOUT_MAX, &x->timeout) && good;
	return good && x->what != NULL;
}

static bool read_expectation(struct reader *r, const config_setting_t *s, struct expectation *x)
{
	static const char *const keys[] = { "call", "args", "gives", "run", "status", "signal",
		"output", "timeout", "comment", NULL };
	static const char *const of_calls[] = { "args", "gives", NULL };
	static const char *const of_runs[] = { "status", "signal", "output", "timeout", NULL };
	bool good = check_keys(r, s, "an expectation", keys), calls;

	*x = (struct expectation){ .origin = origin(r, s) };
	if (!good)
		return false;
	calls = member(s, "call") != NULL;
	if (calls == (member(s, "run") != NULL)) {
		SAY(r, s, "an expectation needs call or run%s", calls ? ", and not both" : "");
		return false;
	}
	for (const char *const *key = calls ? of_runs : of_calls; *key != NULL; key++)
		if (member(s, *key) != NULL) {
			SAY(r, member(s, *key), "%s goes with %s only", *key,
			    calls ? "run" : "call");
			good = false;
		}
	if (member(s, "comment") != NULL)
		x->comment = read_string(r, member(s, "comment"));
	return (calls ? read_expected_call(r, s, x) : read_expected_run(r, s, x)) && good;
}

static void read_expectations(struct reader *r, const config_setting_t *s, struct stage *stage)
{
	if (s == NULL)
		return;
	if (!is_list(s)) {
		SAY(r, s, "expect must be a list: ( { call = \"...\"; gives = \"...\"; } )");
		return;
	}
	stage->expectations = arena_array(
	    r->arena, (size_t)config_setting_length(s), sizeof *stage->expectations);
	for (int i = 0; i < config_setting_length(s); i++)
		if (read_expectation(r, config_setting_get_elem(s, (unsigned)i),
			&stage->expectations[stage->expectation_count]))
			stage->expectation_count++;
}

/* What a stage and a profile may both say. */
#define ACTION_KEYS \
	"default_action", "errno", "block_all", "allow_calls", "block_calls", "block_action", \
	    "limit_setuid", "rules", "plugin", "capabilities"
#define ATTRIBUTE_KEYS \
	"no_new_privs", "disable_no_new_privs", "newest_kernel", "bad_arch_action", "log_blocked", \
	    "log_allowed_actions", "allow_speculation", "tsync", "optimize", "architectures", \
	    "mode", "exact", "report", "listener", "listener_metadata"

/* "5.14": a kernel whose calls a policy knows. */
static void read_kernel(struct reader *r, const config_setting_t *s, struct attributes *a)
{
	const char *text = read_string(r, s);
	unsigned major, minor;
	int used = 0;

	if (text == NULL)
		return;
	if (sscanf(text, "%2u.%3u%n", &major, &minor, &used) != 2 || text[used] != '\0' ||
	    minor > UINT8_MAX) {
		SAY(r, s, "newest_kernel must be a version such as \"5.14\"");
		return;
	}
	a->newest_kernel = kernel_version(major, minor);
	a->set |= ATTRIBUTE_NEWEST_KERNEL;
}

/* The ABIs that a stage admits beside the native one. */
static void read_architectures(struct reader *r, const config_setting_t *s, struct attributes *a)
{
	for (size_t i = 0; i < string_count(r, s); i++) {
		const char *name = string_at(r, s, i);
		enum abi abi;

		if (name == NULL)
			continue;
		if (!abi_named(name, &abi))
			SAY(r, s,
			    "unknown architecture %s: x86_64, x32, i386, aarch64, riscv64, ppc64le "
			    "or s390x",
			    name);
		else if (abi != abi_native() && abi_runs(abi))
			a->architectures |= 1u << abi;
		/* one that this machine never runs is neither here nor there: a policy may serve
		 * several */
	}
	a->set |= ATTRIBUTE_ARCHITECTURES;
}

/* "stderr", "/abs/file", "fd:3", "json:/abs/file", "json:fd:3", "syslog", "journal" */
static bool good_sink(const char *text)
{
	static const char json[] = "json:", fd[] = "fd:";
	bool named = strcmp(text, "stderr") == 0 || strcmp(text, "syslog") == 0 ||
	    strcmp(text, "journal") == 0;

	if (strchr(text, '\n') != NULL)
		return false;
	if (strncmp(text, json, sizeof json - 1) == 0)
		text += sizeof json - 1;
	if (text[0] == '/')
		return strlen(text) < PATH_MAX;
	if (strncmp(text, fd, sizeof fd - 1) == 0) {
		text += sizeof fd - 1;
		return *text != '\0' && strlen(text) < 6 &&
		    text[strspn(text, "0123456789")] == '\0';
	}
	return named;
}

/* false, true, a sink or a list of them; *sinks becomes NULL, or the sinks, a line each. */
static bool read_report(struct reader *r, const config_setting_t *s, const char **sinks)
{
	enum { PLACES_MAX = 15 }; /* --report is one more: notify.c has room for 16 */
	bool on = false, good = true;

	*sinks = NULL;
	if (config_setting_type(s) == CONFIG_TYPE_BOOL) {
		good = read_bool(r, s, &on);
		*sinks = on ? "stderr" : NULL;
		return good;
	}
	if (string_count(r, s) > PLACES_MAX) {
		SAY(r, s, "report: more than %d places", PLACES_MAX);
		return false;
	}
	for (size_t i = 0; i < string_count(r, s); i++) {
		const char *sink = string_at(r, s, i);

		if (sink != NULL && !good_sink(sink)) {
			SAY(r, s,
			    "report: \"%s\" is none of stderr, syslog, journal, /FILE, fd:N, "
			    "json:/FILE, json:fd:N, and not true or false",
			    sink);
			sink = NULL;
		}
		if (sink == NULL)
			good = false;
		else
			*sinks = *sinks == NULL ? sink
						: arena_format(r->arena, "%s\n%s", *sinks, sink);
	}
	return good;
}

/* An agent's socket must have a name that sockaddr_un has room for. */
static void read_listener(struct reader *r, const config_setting_t *s, struct attributes *a)
{
	enum { SOCKET_PATH = 108 };
	const config_setting_t *listener = member(s, "listener"),
			       *metadata = member(s, "listener_metadata");

	if (listener != NULL && (a->listener = read_string(r, listener)) != NULL) {
		if (a->listener[0] != '/' || strlen(a->listener) >= SOCKET_PATH)
			SAY(r, listener,
			    "listener must be the absolute path of an agent's socket, of at most "
			    "%d bytes",
			    SOCKET_PATH - 1);
		a->set |= ATTRIBUTE_LISTENER;
	}
	if (metadata != NULL && (a->metadata = read_string(r, metadata)) != NULL)
		a->set |= ATTRIBUTE_METADATA;
}

static void read_attributes(struct reader *r, const config_setting_t *s, struct attributes *a)
{
	const struct {
		const char *key;
		enum attribute bit;
		bool *value;
	} flags[] = {
		{ "no_new_privs", ATTRIBUTE_NO_NEW_PRIVS, &a->no_new_privs },
		{ "log_blocked", ATTRIBUTE_LOG_BLOCKED, &a->log_blocked },
		{ "log_allowed_actions", ATTRIBUTE_LOG_ALLOWED, &a->log_allowed },
		{ "allow_speculation", ATTRIBUTE_SPECULATION, &a->allow_speculation },
		{ "tsync", ATTRIBUTE_TSYNC, &a->tsync },
		{ "exact", ATTRIBUTE_EXACT, &a->exact },
	};
	const config_setting_t *key;
	const char *mode;
	bool off = false;

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (member(s, flags[i].key) != NULL &&
		    read_flag(r, s, flags[i].key, flags[i].value))
			a->set |= flags[i].bit;
	/* Jacamar CI's word for the same thing */
	key = member(s, "disable_no_new_privs");
	if (key != NULL && member(s, "no_new_privs") != NULL)
		SAY(r, key, "disable_no_new_privs and no_new_privs say the same thing twice");
	else if (key != NULL && read_bool(r, key, &off)) {
		a->no_new_privs = !off;
		a->set |= ATTRIBUTE_NO_NEW_PRIVS;
	}
	key = member(s, "bad_arch_action");
	if (key != NULL && read_action(r, key, true, &a->bad_arch_action)) {
		note_weak(r, key, a->bad_arch_action);
		if (!action_refuses(a->bad_arch_action))
			SAY(r, key,
			    "bad_arch_action must refuse: name the architecture in architectures "
			    "to let it in");
		if (a->bad_arch_action == SECCOMP_RET_ERRNO)
			a->bad_arch_action |= EPERM;
		a->set |= ATTRIBUTE_BAD_ARCH;
	}
	key = member(s, "optimize");
	if (key != NULL &&
	    (config_setting_type(key) != CONFIG_TYPE_INT || config_setting_get_int(key) < 1 ||
		config_setting_get_int(key) > 2))
		SAY(r, key, "optimize must be 1 or 2");
	else if (key != NULL) {
		a->optimize = (unsigned)config_setting_get_int(key);
		a->set |= ATTRIBUTE_OPTIMIZE;
	}
	key = member(s, "mode");
	if (key != NULL && (mode = read_string(r, key)) != NULL) {
		if (strcmp(mode, "filter") != 0 && strcmp(mode, "strict") != 0)
			SAY(r, key, "mode must be filter or strict");
		a->strict = strcmp(mode, "strict") == 0;
		a->set |= ATTRIBUTE_STRICT;
	}
	key = member(s, "report");
	if (key != NULL && read_report(r, key, &a->report))
		a->set |= ATTRIBUTE_REPORT;
	read_listener(r, s, a);
	if (member(s, "architectures") != NULL)
		read_architectures(r, member(s, "architectures"), a);
	if (member(s, "newest_kernel") != NULL)
		read_kernel(r, member(s, "newest_kernel"), a);
}

/* A path that is not absolute begins in the folder of the file that names it. */
static const char *beside(struct reader *r, const char *path)
{
	const char *slash = strrchr(r->file, '/');

	return path[0] == '/' || slash == NULL
	    ? path
	    : arena_format(r->arena, "%.*s/%s", (int)(slash - r->file), r->file, path);
}

static void read_plugins(struct reader *r, const config_setting_t *s, const struct level *level)
{
	for (size_t i = 0; i < string_count(r, s); i++) {
		const char *path = string_at(r, s, i);

		if (path != NULL && *path == '\0')
			SAY(r, s, "plugin must be the path of a shared library");
		if (path == NULL || *path == '\0')
			continue;
		path = beside(r, path);
		r->mentions = arena_grow(
		    r->arena, r->mentions, r->mention_count, sizeof *r->mentions);
		r->mentions[r->mention_count++] = (struct mention){ path, origin(r, s), level };
	}
}

static void read_stage(struct reader *r, const config_setting_t *s, bool is_profile)
{
	static const char *const stage_keys[] = { "name", "match", "base", "disabled", "expect",
		ATTRIBUTE_KEYS, ACTION_KEYS, NULL };
	static const char *const profile_keys[] = { "name", "base", ATTRIBUTE_KEYS, ACTION_KEYS,
		NULL };
	const char *what = is_profile ? "a profile" : "a stage";
	const config_setting_t *name = config_setting_type(s) == CONFIG_TYPE_GROUP
	    ? member(s, "name")
	    : NULL;
	const config_setting_t *rules;
	struct policy *p = r->policy;
	struct stage *stage = arena_get(r->arena, sizeof *stage), *other;

	check_keys(r, s, what, is_profile ? profile_keys : stage_keys);
	if (config_setting_type(s) != CONFIG_TYPE_GROUP)
		return;
	if (name == NULL) {
		SAY(r, s, "%s needs a name", what);
		return;
	}
	stage->own.name = read_string(r, name);
	if (stage->own.name == NULL || !good_name(r, name, stage->own.name))
		return;
	other = find_stage(p, stage->own.name);
	if (other != NULL && other->is_profile && is_vendors(r, other->own.origin.file) &&
	    !r->vendor) {
		/* or the profiles of the next release could break a policy */
		say_note(r->file, (int)config_setting_source_line(name),
		    "%s takes the place of the profile at %s:%d", stage->own.name,
		    other->own.origin.file, other->own.origin.line);
		drop_stage(p, other);
		other = NULL;
	}
	if (other != NULL) {
		SAY(r, name, "%s is there already, at %s:%d", stage->own.name,
		    other->own.origin.file, other->own.origin.line);
		return;
	}
	stage->own.origin = origin(r, name);
	stage->is_profile = is_profile;
	if (!is_profile)
		read_patterns(r, member(s, "match"), stage);
	if (!is_profile)
		read_expectations(r, member(s, "expect"), stage);
	read_flag(r, s, "disabled", &stage->disabled);
	read_attributes(r, s, &stage->own.attributes);
	r->exact = stage->own.attributes.exact;
	read_actions(r, s, &stage->own);
	rules = member(s, "rules");
	if (rules != NULL && !is_list(rules))
		SAY(r, rules, "rules must be a list: ( { calls = [ ... ]; action = \"...\"; } )");
	for (int i = 0; rules != NULL && is_list(rules) && i < config_setting_length(rules); i++)
		read_rule(r, config_setting_get_elem(rules, (unsigned)i), &stage->own);
	r->exact = false;
	close_level(r->arena, &stage->own);
	read_limit_setuid(r, member(s, "limit_setuid"), &stage->own);
	if (!r->vendor && !stage->own.attributes.exact)
		close_notes(r->arena, &stage->own);
	policy_sort(&stage->own);
	if (member(s, "plugin") != NULL)
		read_plugins(r, member(s, "plugin"), &stage->own);
	p->stages = arena_grow(r->arena, p->stages, p->stage_count, sizeof *p->stages);
	p->stages[p->stage_count++] = stage;
}

/* ---- what refers to stages: bases, the floor, no_stage ---- */

/* For each file, the settings of one list: calls read with each entry. */
static void each(
    struct reader *r, const char *list, void (*read)(struct reader *, const config_setting_t *))
{
	for (size_t f = 0; f < r->file_count; f++) {
		const config_setting_t *s = config_lookup(&r->files[f].config, list);

		r->file = r->files[f].path;
		r->vendor = r->files[f].vendor;
		if (s == NULL)
			continue;
		if (!is_list(s)) {
			SAY(r, s, "%s must be a list: ( { ... } )", list);
			continue;
		}
		for (int i = 0; i < config_setting_length(s); i++)
			read(r, config_setting_get_elem(s, (unsigned)i));
	}
}

static void read_one_stage(struct reader *r, const config_setting_t *s)
{
	read_stage(r, s, false);
}

static void read_one_profile(struct reader *r, const config_setting_t *s)
{
	read_stage(r, s, true);
}

/* A stage's setting, found again by its name, so that bases may be named before they are written.
 */
static const config_setting_t *setting_of(struct reader *r, const struct stage *stage)
{
	const char *list = stage->is_profile ? "profiles" : "stages";

	for (size_t f = 0; f < r->file_count; f++) {
		const config_setting_t *s = config_lookup(&r->files[f].config, list);

		if (r->files[f].path != stage->own.origin.file || s == NULL)
			continue;
		for (int i = 0; i < config_setting_length(s); i++) {
			const config_setting_t *one = config_setting_get_elem(s, (unsigned)i);
			const config_setting_t *name = config_setting_type(one) == CONFIG_TYPE_GROUP
			    ? member(one, "name")
			    : NULL;

			if (name != NULL &&
			    (int)config_setting_source_line(name) == stage->own.origin.line &&
			    config_setting_type(name) == CONFIG_TYPE_STRING &&
			    strcmp(config_setting_get_string(name), stage->own.name) == 0)
				return one;
		}
	}
	return NULL;
}

/* "CAP_CHOWN CAP_KILL ", in the order of the list: what a profile is read for. */
static const char *read_capabilities(
    struct reader *r, const config_setting_t *s, struct oci_capabilities *list)
{
	size_t count = s == NULL ? 0 : string_count(r, s);
	const char *all = "";

	list->items = arena_array(r->arena, count, sizeof *list->items);
	for (size_t i = 0; i < count; i++) {
		const char *name = string_at(r, s, i);

		if (name == NULL)
			continue;
		if (!oci_capability(name))
			SAY(r, s, "unknown capability %s: one such as CAP_SYS_ADMIN", name);
		list->items[list->count++] = name;
		all = arena_format(r->arena, "%s%s ", all, name);
	}
	return all;
}

/* The level of "oci:PATH", read once for each set of capabilities. */
static const struct level *read_foreign(struct reader *r, const config_setting_t *base,
    const char *path, const config_setting_t *capabilities)
{
	struct oci_capabilities list = { 0 };
	const char *all = read_capabilities(r, capabilities, &list);
	struct trust_refusal no;
	struct foreign *f;
	size_t size;
	char *text;
	int fd;

	if (*path == '\0') {
		SAY(r, base, "base oci: needs a file behind it");
		return NULL;
	}
	path = beside(r, path);
	for (size_t i = 0; i < r->foreign_count; i++)
		if (strcmp(r->foreign[i].path, path) == 0 &&
		    strcmp(r->foreign[i].capabilities, all) == 0)
			return r->foreign[i].level;
	r->foreign = arena_grow(r->arena, r->foreign, r->foreign_count, sizeof *r->foreign);
	f = &r->foreign[r->foreign_count++];
	*f = (struct foreign){ path, all, NULL };
	r->from = SOURCE_PROFILE;
	fd = open_trusted(r, path, 0, &no);
	if (fd < 0) {
		SAY(r, base, "base oci:%s: %s%s%s", path, no.name,
		    no.fault == TRUST_ERROR ? ": " : " ",
		    no.fault == TRUST_ERROR ? strerror((int)no.error) : trust_text(no.fault));
		return NULL;
	}
	text = read_all(r, fd, path, TREE_SIZE_MAX, &size);
	close(fd);
	if (text != NULL)
		f->level = oci_level(r->arena, path, text, size, &list);
	return f->level;
}

static void add_one_level(struct reader *r, struct stage *to, const struct level *level)
{
	for (size_t i = 0; i < to->level_count; i++)
		if (to->levels[i] == level)
			return;
	to->levels = arena_grow(r->arena, to->levels, to->level_count, sizeof *to->levels);
	to->levels[to->level_count++] = level;
}

/* Adds a stage's own level and those of its bases, nearest first; one that is there already stays
 * where it is. */
static bool add_levels(struct reader *r, struct stage *to, const struct stage *from, unsigned depth)
{
	const config_setting_t *s = setting_of(r, from),
			       *base = s == NULL ? NULL : member(s, "base");
	bool good = true, foreign = false;

	for (size_t i = 0; i < to->level_count; i++)
		if (to->levels[i] == &from->own)
			return true;
	add_one_level(r, to, &from->own);
	r->file = from->own.origin.file;
	for (size_t i = 0; base != NULL && i < string_count(r, base); i++) {
		const char *name = string_at(r, base, i), *file = r->file;
		const struct stage *next = name == NULL ? NULL : find_stage(r->policy, name);
		const struct level *level;

		if (name != NULL && strncmp(name, "oci:", 4) == 0) {
			level = read_foreign(r, base, name + 4, member(s, "capabilities"));
			if (level != NULL)
				add_one_level(r, to, level);
			good = good && level != NULL;
			foreign = true;
			continue;
		}

		if (name != NULL && next == NULL)
			SAY(r, base, "there is no stage or profile %s", name);
		else if (next == to)
			SAY(r, base, "%s is its own base", to->own.name);
		else if (depth > BASES_MAX)
			SAY(r, base, "the bases of %s go deeper than %d", to->own.name, BASES_MAX);
		if (next == NULL || next == to || depth > BASES_MAX)
			return false;
		good = add_levels(r, to, next, depth + 1) && good;
		r->file = file;
	}
	if (s != NULL && member(s, "capabilities") != NULL && !foreign)
		SAY(r, member(s, "capabilities"), "capabilities goes with base = \"oci:...\" only");
	return good;
}

static const struct stage *read_reference(
    struct reader *r, const config_setting_t *s, const char *name, const char *what)
{
	const struct stage *stage = find_stage(r->policy, name);

	if (stage == NULL)
		SAY(r, s, "%s must be %s; there is no %s", name_of(s), what, name);
	return stage;
}

static void read_no_stage(struct reader *r, const config_setting_t *s)
{
	const char *text = read_string(r, s);

	r->policy->no_stage_passes = text != NULL && strcmp(text, "pass") == 0;
	r->policy->no_stage = NULL;
	if (text != NULL && !r->policy->no_stage_passes && strcmp(text, "refuse") != 0)
		r->policy->no_stage = read_reference(
		    r, s, text, "refuse, pass or the name of a stage");
	if (r->policy->no_stage != NULL && r->policy->no_stage->is_profile)
		SAY(r, s, "no_stage must be refuse, pass or the name of a stage; %s is a profile",
		    text);
}

static void read_unknown_stage(struct reader *r, const config_setting_t *s)
{
	const char *text = read_string(r, s);

	r->policy->unknown_stage = NULL;
	if (text != NULL && strcmp(text, "refuse") != 0)
		r->policy->unknown_stage = read_reference(
		    r, s, text, "refuse or the name of a stage");
	if (r->policy->unknown_stage != NULL && r->policy->unknown_stage->is_profile)
		SAY(r, s, "unknown_stage must be refuse or the name of a stage; %s is a profile",
		    text);
}

static void read_floor(struct reader *r, const config_setting_t *s)
{
	const char *text = read_string(r, s);

	if (text != NULL)
		r->policy->floor = read_reference(r, s, text, "the name of a profile or stage");
	if (r->policy->floor != NULL && r->policy->floor->disabled)
		SAY(r, s, "floor: %s is disabled, and would refuse nothing", text);
}

/* The last file's holds. */
static void read_site_plugin(struct reader *r, const config_setting_t *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->mention_count; i++)
		if (r->mentions[i].level != NULL)
			r->mentions[kept++] = r->mentions[i];
	r->mention_count = kept;
	read_plugins(r, s, NULL);
}

static void read_variables(struct reader *r, const config_setting_t *s)
{
	size_t count = string_count(r, s);
	struct policy *p = r->policy;

	p->variables = arena_array(r->arena, count, sizeof *p->variables);
	p->variable_count = 0;
	for (size_t i = 0; i < count; i++) {
		const char *name = string_at(r, s, i);

		if (name == NULL)
			continue;
		if (*name == '\0' || strchr(name, '=') != NULL || strlen(name) > IMAGE_NAME_MAX)
			SAY(r, s, "stage_env: \"%s\" cannot be a variable's name", name);
		else
			p->variables[p->variable_count++] = name;
	}
}

/* ---- plugins ---- */

/* Is the stage asked about? A disabled one says nothing itself, and of profiles only the floor is a
 * filter. */
static bool concerns(const struct reader *r, const struct mention *m, const struct stage *s)
{
	if (m->level == NULL)
		return !s->is_profile;
	if (s->disabled || (s->is_profile && s != r->policy->floor))
		return false;
	for (size_t i = 0; i < s->level_count; i++)
		if (s->levels[i] == m->level)
			return true;
	return false;
}

/* A floor of one level, under stage s. */
static void add_floor(struct reader *r, struct stage *s, const struct level *level)
{
	struct stage *floor = arena_get(r->arena, sizeof *floor);

	floor->own = *level;
	floor->is_profile = true;
	floor->levels = arena_grow(r->arena, NULL, 0, sizeof *floor->levels);
	floor->levels[floor->level_count++] = &floor->own;
	close_level(r->arena, &floor->own);
	close_notes(r->arena, &floor->own);
	policy_sort(&floor->own);
	/* its default must not turn ENOSYS for a young call into a worse answer */
	if (level->fallback != NULL)
		floor->attributes.newest_kernel = s->attributes.newest_kernel;
	s->floors = arena_grow(r->arena, s->floors, s->floor_count, sizeof *s->floors);
	s->floors[s->floor_count++] = floor;
}

/* Asks about each stage that the first mention or a later one of the same plugin concerns. */
static void ask_plugin(struct reader *r, size_t first)
{
	const struct mention *m = &r->mentions[first];
	size_t all = r->policy->stage_count, count = 0;
	struct plugin_stage *asked = arena_array(r->arena, all, sizeof *asked);
	struct stage **stages = arena_array(r->arena, all, sizeof *stages);
	struct trust_refusal no;
	int fd;

	for (size_t i = 0; i < first; i++)
		if (strcmp(r->mentions[i].path, m->path) == 0)
			return;
	for (size_t s = 0; s < all; s++) {
		size_t i = first;

		while (i < r->mention_count &&
		    (strcmp(r->mentions[i].path, m->path) != 0 ||
			!concerns(r, &r->mentions[i], r->policy->stages[s])))
			i++;
		if (i == r->mention_count)
			continue;
		stages[count] = r->policy->stages[s];
		asked[count].name = stages[count]->own.name;
		asked[count].level = arena_get(r->arena, sizeof *asked[count].level);
		*asked[count++].level = (struct level){ .name = m->path, .origin = { m->path, 0 } };
	}
	r->from = SOURCE_PLUGIN;
	fd = open_trusted(r, m->path, 0, &no);
	if (fd < 0) {
		say_at(m->origin.file, m->origin.line, "plugin %s: %s%s%s", m->path, no.name,
		    no.fault == TRUST_ERROR ? ": " : " ",
		    no.fault == TRUST_ERROR ? strerror((int)no.error) : trust_text(no.fault));
		return;
	}
	if (plugin_ask(r->arena, m->path, fd, &m->origin, asked, count))
		for (size_t i = 0; i < count; i++)
			if (asked[i].level->rule_count > 0 || asked[i].level->fallback != NULL)
				add_floor(r, stages[i], asked[i].level);
	close(fd);
}

static void read_site_report(struct reader *r, const config_setting_t *s)
{
	read_report(r, s, &r->policy->report);
}

/* Scalars may be set in several files; the last one holds. */
static void read_top(struct reader *r, const struct file *f)
{
	static const char *const keys[] = { "version", "stage_env", "no_stage", "unknown_stage",
		"floor", "plugin", "report", "groups", "profiles", "stages", NULL };
	static const char *const part_keys[] = { "version", "groups", "profiles", NULL };
	/* what else a policy says is the site's to say */
	static const char *const drop_in_keys[] = { "version", "groups", "profiles", "stages",
		NULL };
	static const struct {
		const char *key;
		void (*read)(struct reader *, const config_setting_t *);
	} settings[] = {
		{ "stage_env", read_variables },
		{ "no_stage", read_no_stage },
		{ "unknown_stage", read_unknown_stage },
		{ "floor", read_floor },
		{ "plugin", read_site_plugin },
		{ "report", read_site_report },
	};
	const config_setting_t *root = config_root_setting(&f->config),
			       *version = member(root, "version");

	r->file = f->path;
	check_keys(r, root,
	    f->content == WHOLE        ? "a policy"
		: f->content == STAGES ? "a vendor's drop-in"
				       : "a file of profiles",
	    f->content == WHOLE        ? keys
		: f->content == STAGES ? drop_in_keys
				       : part_keys);
	if (version != NULL &&
	    (config_setting_type(version) != CONFIG_TYPE_INT ||
		config_setting_get_int(version) != 1))
		SAY(r, version, "version must be 1");
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
		if (member(root, settings[i].key) != NULL)
			settings[i].read(r, member(root, settings[i].key));
}

/* How much of a pattern stands for itself. */
static size_t plain_length(const char *pattern)
{
	return strcspn(pattern, "*?[\\");
}

/* Does one pattern match all that another does? Sure of itself when it says yes; the clever cases
 * are a no. */
static bool covers(const char *pattern, const char *other)
{
	size_t plain = plain_length(pattern);

	if (other[plain_length(other)] == '\0')
		return image_match(pattern, other);
	return strcmp(pattern, other) == 0 ||
	    (strcmp(pattern + plain, "*") == 0 && plain_length(other) >= plain &&
		strncmp(pattern, other, plain) == 0);
}

/* A stage whose every pattern an earlier stage catches would never be picked by the environment. */
static void check_reach(const struct policy *p, size_t stage)
{
	const struct stage *s = p->stages[stage], *by = NULL;

	for (size_t i = 0; i < s->pattern_count; i++) {
		bool caught = false;

		for (size_t e = 0; e <= stage && !caught; e++) {
			const struct stage *earlier = p->stages[e];

			for (size_t j = 0;
			     !earlier->is_profile && j < earlier->pattern_count && !caught; j++)
				/* a star in the later one can only be caught by a star: as text it
				 * does */
				if (e < stage && covers(earlier->patterns[j], s->patterns[i])) {
					caught = true;
					by = earlier;
				}
		}
		if (!caught)
			return;
	}
	if (by != NULL)
		say_at(s->own.origin.file, s->own.origin.line,
		    "stage %s is unreachable: %s (%s:%d) matches all of its names first",
		    s->own.name, by->own.name, by->own.origin.file, by->own.origin.line);
}

/* A group that nothing names yet is read all the same; the vendor's are not the administrator's to
 * mend. */
static void check_groups(struct reader *r)
{
	for (size_t i = 0; i < r->group_count; i++) {
		struct calls calls = { 0 };
		struct group *g = &r->groups[i];

		if (g->vendor || g->used)
			continue;
		r->file = g->file;
		g->open = true;
		add_calls(r, &calls, g->members, 1);
		g->open = false;
	}
}

/* Where nothing says of a stage whether it reports, the policy does; and a stage has one listener.
 */
static void resolve_report(const struct policy *p, struct stage *s)
{
	struct attributes *a = &s->attributes;
	bool own = (s->own.attributes.set & ATTRIBUTE_REPORT) != 0 && a->report != NULL;
	const char *without = a->strict ? "mode = strict, which is no filter"
	    : s->disabled               ? "disabled, and refuses nothing itself"
					: NULL;

	if (s->is_profile)
		return;
	if (own && without != NULL)
		say_at(s->own.origin.file, s->own.origin.line, "stage %s cannot report: it is %s",
		    s->own.name, without);
	if (a->listener != NULL && without != NULL)
		say_at(s->own.origin.file, s->own.origin.line,
		    "stage %s has no use for a listener: it is %s", s->own.name, without);
	if (a->listener != NULL && a->report != NULL)
		say_at(s->own.origin.file, s->own.origin.line,
		    "stage %s has both report and listener: the kernel has one listener for a "
		    "process; report = false where an agent decides",
		    s->own.name);
	if (a->metadata != NULL && a->listener == NULL)
		say_at(s->own.origin.file, s->own.origin.line,
		    "stage %s has listener_metadata, but no listener", s->own.name);
	if (!(a->set & ATTRIBUTE_REPORT) && a->listener == NULL && without == NULL)
		a->report = p->report;
	else if (without != NULL)
		a->report = NULL;
}

static void check_whole(struct reader *r, const char *main_file)
{
	const struct policy *p = r->policy;
	const config_setting_t *version = NULL;
	size_t stages = 0;

	/* where the main file is masked, any other */
	for (size_t f = 0; version == NULL && f < r->file_count; f++)
		if (r->main_file == NULL || strcmp(r->files[f].path, r->main_file) == 0)
			version = config_lookup(&r->files[f].config, "version");
	if (version == NULL)
		say_at(main_file, 0, "version = 1; is missing");
	for (size_t i = 0; i < p->stage_count; i++) {
		if (p->stages[i]->is_profile)
			continue;
		stages++;
		if (p->variable_count > 0)
			check_reach(p, i);
	}
	if (stages == 0)
		say_at(main_file, 0, "there is no stage");
}

/* What was read last stands first. */
static void to_front(struct reader *r, size_t before)
{
	size_t count = r->file_count - before;
	struct file *last = arena_array(r->arena, count, sizeof *last);

	if (count == 0)
		return;
	memcpy(last, r->files + before, count * sizeof *last);
	memmove(r->files + count, r->files, before * sizeof *last);
	memcpy(r->files, last, count * sizeof *last);
}

/*
 * The vendor's groups and profiles are more text than most policies, and a policy that is compiled
 * at each launch may not need them; they are looked for only where one could be named. They stand
 * first all the same.
 */
static void read_parts(struct reader *r)
{
	size_t before = r->file_count;

	if (r->names_bases)
		read_folders(r, "profiles", PARTS, PARTS);
	to_front(r, before);
	before = r->file_count;
	r->from = SOURCE_VENDOR;
	if (r->names_groups)
		read_file(r, arena_format(r->arena, "%s/groups.conf", r->vendor_folder), PARTS);
	to_front(r, before);
}

static bool exists(const char *path)
{
	struct raw_stat st;

	return raw_statx(RAW_AT_FDCWD, path, RAW_AT_SYMLINK_NOFOLLOW, &st) != -RAW_ENOENT;
}

/* The administrator's main file, or one that comes with an image of the whole system. */
static void read_main(struct reader *r)
{
	const char *vendors = arena_format(r->arena, "%s/stagefence.conf", r->vendor_folder);
	const struct entry own = { "stagefence.conf", PATH_CONF, SOURCE_SYSTEM, vendors };
	size_t before = r->file_count;

	r->from = SOURCE_SYSTEM;
	r->main_file = PATH_CONF;
	if (!exists(vendors)) {
		/* an empty one masks nothing: it was cut short */
		read_file(r, PATH_CONF, WHOLE);
	} else if (exists(PATH_CONF)) {
		read_entry(r, &own, WHOLE);
		if (r->file_count == before)
			r->main_file = NULL;
	} else {
		add_source(r, PATH_CONF, NULL);
		r->from = SOURCE_VENDOR;
		r->main_file = vendors;
		read_file(r, vendors, WHOLE);
	}
}

static void read_files(struct reader *r, const char *path)
{
	if (path == NULL) {
		read_main(r);
		read_folders(r, "conf.d", STAGES, WHOLE);
	} else {
		r->main_file = path;
		r->from = SOURCE_GIVEN;
		read_file(r, path, WHOLE);
	}
	read_parts(r);
}

const char *conf_origin_text(enum source_origin origin)
{
	static const char *const texts[] = { [SOURCE_GIVEN] = "given",
		[SOURCE_VENDOR] = "vendor",
		[SOURCE_SYSTEM] = "system",
		[SOURCE_DROP_IN] = "drop-in",
		[SOURCE_PLUGIN] = "plugin",
		[SOURCE_PROFILE] = "profile" };

	return texts[origin];
}

struct policy *conf_read(
    struct arena *a, const char *path, const char *vendor, struct sources *sources)
{
	static const char *const stage_env[] = { "STAGEFENCE_STAGE" };
	struct policy *p = arena_get(a, sizeof *p);
	struct reader r = { .arena = a,
		.policy = p,
		.sources = sources,
		.vendor_folder = vendor,
		.trust = TRUST_NAMESPACE | (path != NULL ? TRUST_CALLER : 0) };
	char cwd[PATH_MAX];
	unsigned before = say_count();

	*sources = (struct sources){ 0 };
	p->arena = a;
	p->variables = (const char **)(uintptr_t)stage_env;
	p->variable_count = 1;
	if (path != NULL && path[0] != '/') {
		if (getcwd(cwd, sizeof cwd) == NULL) {
			say_at(path, 0, "the current folder has no name: %s", strerror(errno));
			return NULL;
		}
		r.folder = cwd;
	}
	read_files(&r, path);
	/* a file that could not be read would make others seem wrong: what it defines is missing */
	if (say_count() == before) {
		each(&r, "groups", read_group);
		each(&r, "profiles", read_one_profile);
		each(&r, "stages", read_one_stage);
		check_groups(&r);
		for (size_t i = 0; i < p->stage_count; i++)
			if (add_levels(&r, p->stages[i], p->stages[i], 0))
				policy_resolve(p->stages[i]);
		for (size_t f = 0; f < r.file_count; f++)
			read_top(&r, &r.files[f]);
		for (size_t i = 0; i < p->stage_count; i++)
			resolve_report(p, p->stages[i]);
		check_whole(&r, path != NULL ? path : PATH_CONF);
		/* code is run for a policy that could hold, and for no other */
		for (size_t i = 0; say_count() == before && i < r.mention_count; i++)
			ask_plugin(&r, i);
	}
	for (size_t f = 0; f < r.file_count; f++)
		config_destroy(&r.files[f].config);
	return say_count() == before ? p : NULL;
}

const char *conf_library(struct arena *a)
{
	return arena_format(
	    a, "%d.%d.%d", LIBCONFIG_VER_MAJOR, LIBCONFIG_VER_MINOR, LIBCONFIG_VER_REVISION);
}
