#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../preload/fence.h"
#include "../preload/load.h"
#include "../preload/paths.h"
#include "conf.h"
#include "filter.h"
#include "json.h"
#include "mem.h"
#include "plain.h"
#include "policy.h"
#include "probe.h"

/* The kernel's, which the headers of an older machine lack. */
enum {
	FLAG_TSYNC = 1,
	FLAG_LOG = 2,
	FLAG_SPEC_ALLOW = 4,
	FLAG_NEW_LISTENER = 8,
	FLAG_TSYNC_ESRCH = 16,
	FLAG_WAIT_KILLABLE_RECV = 32,
	NR_PIDFD_OPEN = 434, /* on both machines */
	NR_PIDFD_GETFD = 438
};

enum { JSON_VERSION = 1 };

struct visit {
	const struct doctor *doctor;
	struct arena *arena;
	struct json json;
	unsigned lost;
};

/* ---- one row of the report ---- */

enum state { OK, NOTE, LOST };

/* found says what there is, and for what is lost or worth a thought what to do. */
__attribute__((format(printf, 4, 5))) static void tell(
    struct visit *v, enum state state, const char *what, const char *found, ...)
{
	static const char *const words[] = { "ok", "note", "LOST" };
	char *text = NULL;
	va_list args;

	va_start(args, found);
	if (vasprintf(&text, found, args) < 0)
		text = NULL;
	va_end(args);
	v->lost += state == LOST;
	if (v->doctor->json) {
		json_object(&v->json, NULL);
		json_text(&v->json, "state", state == LOST ? "lost" : words[state]);
		json_text(&v->json, "what", what);
		json_text(&v->json, "found", text);
		json_close(&v->json);
	} else
		fprintf(v->doctor->out, "%-4s  %-22s  %s\n", words[state], what,
		    text == NULL ? "?" : plain_line(v->arena, text));
	free(text);
}

/* ---- what the policy needs ---- */

typedef bool need(const struct image_header *h, const struct image_stage *s, uint32_t of);

/* The stages that need it, "build, test"; or NULL: none does. */
static const char *users(struct visit *v, need *needs, uint32_t of)
{
	const struct image_header *h = v->doctor->image;
	const char *text = NULL;

	for (uint32_t i = 0; h != NULL && i < h->part[IMAGE_STAGES].count; i++) {
		const struct image_stage *s = image_stage(h, i);
		const char *name = image_string(h, s->name);

		if (needs(h, s, of))
			text = text == NULL ? name : arena_format(v->arena, "%s, %s", text, name);
	}
	return text;
}

static bool needs_fence(const struct image_header *h, const struct image_stage *s, uint32_t of)
{
	(void)h;
	(void)of;
	return s->exact != IMAGE_NONE;
}

static bool needs_privileges(const struct image_header *h, const struct image_stage *s, uint32_t of)
{
	return needs_fence(h, s, of) && !(s->flags & STAGE_NO_NEW_PRIVS);
}

static bool needs_strict(const struct image_header *h, const struct image_stage *s, uint32_t of)
{
	(void)h;
	(void)of;
	return s->flags & STAGE_STRICT;
}

static bool needs_foreign(const struct image_header *h, const struct image_stage *s, uint32_t of)
{
	return needs_fence(h, s, of) && (s->flags & STAGE_FOREIGN);
}

static bool needs_report(const struct image_header *h, const struct image_stage *s, uint32_t of)
{
	return needs_fence(h, s, of) && (s->flags & STAGE_REPORT);
}

static bool needs_agent(const struct image_header *h, const struct image_stage *s, uint32_t of)
{
	return needs_fence(h, s, of) && (s->flags & STAGE_AGENT);
}

static bool needs_listener(const struct image_header *h, const struct image_stage *s, uint32_t of)
{
	return needs_agent(h, s, of) || needs_report(h, s, of);
}

/* Has the stage an answer of this kind? The prologue's own are left out. */
static bool needs_action(const struct image_header *h, const struct image_stage *s, uint32_t action)
{
	const struct image_program *p = s->exact == IMAGE_NONE ? NULL : image_program(h, s->exact);
	const struct sock_filter *code = p == NULL ? NULL : image_code(h, p);

	for (uint32_t i = FENCE_ATTEST_COUNT; code != NULL && i < p->count; i++)
		if (code[i].code == (BPF_RET | BPF_K) &&
		    (code[i].k & SECCOMP_RET_ACTION_FULL) == action)
			return true;
	return false;
}

static bool needs_flag(const struct image_header *h, const struct image_stage *s, uint32_t flag)
{
	return s->exact != IMAGE_NONE &&
	    (((image_program(h, s->exact)->flags | s->shim_flags) & flag) != 0);
}

/* Refusals of this kind that the stage wants logged. */
static bool needs_logged(const struct image_header *h, const struct image_stage *s, uint32_t action)
{
	return needs_action(h, s, action) &&
	    (action == SECCOMP_RET_LOG || needs_flag(h, s, FLAG_LOG));
}

/* "used by build, test", or that no stage uses it. */
static const char *use_text(struct visit *v, const char *who)
{
	const char *all = users(v, needs_fence, 0);

	if (who == NULL)
		return "no stage uses it";
	if (all != NULL && strchr(who, ',') != NULL && strcmp(who, all) == 0)
		return "used by every stage";
	return arena_format(v->arena, "used by %s", who);
}

/* ---- asking ---- */

/* Why an answer is neither yes nor no. */
static const char *unknown(struct visit *v, struct probe p)
{
	if (p.how == PROBE_KILLED)
		return arena_format(v->arena,
		    "not to be known: a filter around us kills for the question (signal %ld)",
		    p.result);
	if (p.how == PROBE_UNASKED)
		return arena_format(v->arena, "not to be known: there is no child to ask in: %s",
		    strerror((int)p.result));
	if (p.result == -ENOSYS)
		return "not there, or hidden by a filter around us";
	return arena_format(
	    v->arena, "refused, as by a filter around us: %s", strerror((int)-p.result));
}

static bool answered(struct probe p, long result)
{
	return p.how == PROBE_TOLD && p.result == result;
}

static long seccomp_call(unsigned operation, unsigned flags, const void *args)
{
	return raw_call3(__NR_seccomp, (long)operation, (long)flags, (long)args);
}

static const char *read_file(struct visit *v, const char *path)
{
	FILE *f = fopen(path, "re");
	char text[4096];
	size_t n = f == NULL ? 0 : fread(text, 1, sizeof text - 1, f);

	if (f == NULL)
		return NULL;
	fclose(f);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	return arena_text(v->arena, text, n);
}

/* The rest of a line of /proc/self/status behind its name and colon. */
static const char *own_status(struct visit *v, const char *name)
{
	const char *text = read_file(v, "/proc/self/status");
	const char *at = text == NULL ? NULL
				      : strstr(text, arena_format(v->arena, "\n%s:\t", name));

	if (at == NULL)
		return NULL;
	at += strlen(name) + 3;
	return arena_text(v->arena, at, strcspn(at, "\n"));
}

/* Is a word among those of a line? */
static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)) != NULL; p += n)
		if ((p == text || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

/* ---- the policy and what is installed ---- */

static void see_policy(struct visit *v)
{
	const struct image_header *h = v->doctor->image;
	const char *name = v->doctor->conf != NULL ? v->doctor->conf : PATH_CONF;
	const char *all;

	if (h == NULL) {
		tell(v, LOST, "policy",
		    "%s: no stage can be entered, for the reasons said above: stagefencectl check",
		    name);
		return;
	}
	all = users(v, needs_fence, 0);
	tell(v, OK, "policy", "%s: %u stages, fenced: %s", name, h->part[IMAGE_STAGES].count,
	    all != NULL ? all : "none");
}

static void see_compiled(struct visit *v)
{
	static const char what[] = "compiled policy";
	struct load_refusal no;

	if (v->doctor->conf != NULL)
		return;
	if (load_system(TRUST_NAMESPACE, &no) != NULL)
		tell(v, OK, what, PATH_IMAGE ": fresh");
	else if (no.why == LOAD_STALE)
		tell(v, NOTE, what,
		    PATH_IMAGE
		    ": not there, or older than the policy or stagefence, so each launch "
		    "compiles the policy: stagefencectl compile, as root");
	else if (no.why == LOAD_FAULTY)
		tell(v, LOST, what, PATH_IMAGE ": %s: stagefencectl compile, as root",
		    image_fault_text(no.fault));
	else
		tell(v, LOST, what, PATH_IMAGE ": %s %s", no.trust.name,
		    no.trust.fault == TRUST_ERROR ? strerror((int)no.trust.error)
						  : trust_text(no.trust.fault));
}

/* A file of ours that a launch relies on. False: it is lost, or not root's alone, and that has been
 * told. */
static bool see_installed(struct visit *v, const char *what, const char *path, struct stat *st)
{
	struct trust_refusal no;
	struct raw_stat unused;
	const char *slash = strrchr(path, '/');
	const char *folder = arena_text(v->arena, path, slash == NULL ? 0 : (size_t)(slash - path));
	int fd;

	if (stat(path, st) != 0) {
		tell(v, LOST, what, "%s: %s: install stagefence", path, strerror(errno));
		return false;
	}
	fd = trust_open(folder[0] == '\0' ? "/" : folder,
	    TRUST_NAMESPACE | TRUST_LINKS | TRUST_FOLDER, &unused, &no);
	raw_close(fd);
	if (fd >= 0 && st->st_uid == 0 && (st->st_mode & 022) == 0)
		return true;
	if (fd < 0)
		tell(v, NOTE, what, "%s: %s %s", path, no.name,
		    no.fault == TRUST_ERROR ? strerror((int)no.error) : trust_text(no.fault));
	else
		tell(v, NOTE, what, "%s: %s", path,
		    trust_text(st->st_uid != 0 ? TRUST_OWNER : TRUST_WRITABLE));
	return false;
}

static void see_wrapper(struct visit *v)
{
	static const char what[] = "stagefence";
	const char *path = v->doctor->wrapper;
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID)) != 0)
		tell(v, LOST, what,
		    "%s: set-user-ID or set-group-ID, so it refuses to run: chmod ug-s", path);
	else if (stat(path, &st) == 0 && getxattr(path, "security.capability", NULL, 0) >= 0)
		tell(v, LOST, what, "%s: has file capabilities, so it refuses to run: setcap -r",
		    path);
	else if (stat(path, &st) == 0 && access(path, X_OK) != 0)
		tell(v, LOST, what, "%s: cannot be executed: chmod 711", path);
	else if (see_installed(v, what, path, &st)) {
		if ((st.st_mode & 044) != 0)
			tell(v, NOTE, what,
			    "%s: can be read, so a process of the same user can trace it before "
			    "its "
			    "fence is up: chmod 711",
			    path);
		else
			tell(v, OK, what, "%s", path);
	}
}

static void see_shim(struct visit *v)
{
	static const char what[] = "libstagefence.so";
	const char *path = v->doctor->shim;
	static char data[1 << 20];
	struct stat st;
	FILE *f = fopen(path, "re");
	size_t n = f == NULL ? 0 : fread(data, 1, sizeof data, f);

	if (f != NULL)
		fclose(f);
	if (n > 0 && memmem(data, n, PATH_SHIM_MARK, sizeof PATH_SHIM_MARK) == NULL)
		tell(v, LOST, what, "%s: not this version's shim: install stagefence again", path);
	else if (see_installed(v, what, path, &st))
		tell(v, OK, what, "%s", path);
}

/* ---- the kernel's filters ---- */

/* A filter of our own make for a child: nothing but the prologue, and allow. */
static unsigned empty_fence(struct sock_filter *code, const uint32_t digest[8])
{
	const struct sock_filter allow = fence_insn(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	unsigned n = fence_prologue(code, digest, false, &allow, 1);

	code[n] = allow;
	return n + 1;
}

enum { PRETENDED = 1, LISTENING = 2 };

/* What becomes of a filter that is raised with these flags; flags' bit 31: without no_new_privs. */
static long raise_one(const void *about)
{
	static const uint32_t digest[8] = { 0x64, 0x6f, 0x63, 0x74, 0x6f, 0x72 };
	const uint32_t *flags = about;
	struct sock_filter code[FENCE_ATTEST_COUNT + 1];
	struct {
		unsigned short count;
		const struct sock_filter *code;
	} program = { (unsigned short)empty_fence(code, digest), code };
	long result = 0;

	if (!(*flags >> 31))
		result = raw_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (result == 0)
		result = seccomp_call(SECCOMP_SET_MODE_FILTER, *flags & 0x7fffffff, &program);
	if (*flags & FLAG_NEW_LISTENER)
		return result >= 0 ? LISTENING : result;
	return result == 0 && !fence_ask(digest) ? PRETENDED : result;
}

static void see_filters(struct visit *v)
{
	static const char what[] = "seccomp filters";
	const uint32_t plain = 0;
	struct probe p = probe_ask(raise_one, &plain);
	const char *who = users(v, needs_fence, 0);

	if (answered(p, 0))
		tell(v, OK, what, "one was raised, and is in force");
	else
		tell(v, who != NULL ? LOST : NOTE, what, "%s: %s cannot be entered",
		    answered(p, PRETENDED)
			? "the kernel, or a sandbox around us, only pretends to raise one"
			: unknown(v, p),
		    who != NULL ? who : "no stage");
}

static void see_privileges(struct visit *v)
{
	static const char what[] = "privileged filters";
	const uint32_t without = 1u << 31;
	struct probe p = probe_ask(raise_one, &without);
	const char *who = users(v, needs_privileges, 0);

	if (answered(p, 0))
		tell(v, OK, what, "this caller may raise one without no_new_privs");
	else if (who != NULL)
		tell(v, LOST, what,
		    "%s: no_new_privs = false takes CAP_SYS_ADMIN, which this caller has not", who);
	else
		tell(v, OK, what, "no stage wants it");
}

/* The child can do nothing more then, and is killed as it ends: it has answered by that time. */
static long ask_strict(const void *nothing)
{
	(void)nothing;
	return raw_prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
}

static void see_strict(struct visit *v)
{
	static const char what[] = "strict mode";
	struct probe p = probe_ask(ask_strict, NULL);
	const char *who = users(v, needs_strict, 0);

	if (answered(p, 0))
		tell(v, OK, what, "%s", use_text(v, who));
	else
		tell(v, who != NULL ? LOST : NOTE, what, "%s; %s",
		    answered(p, -EINVAL) ? "not to be entered where there is a filter"
					 : unknown(v, p),
		    use_text(v, who));
}

static long ask_action(const void *action)
{
	return seccomp_call(SECCOMP_GET_ACTION_AVAIL, 0, action);
}

static void see_actions(struct visit *v)
{
	static const struct {
		uint32_t action;
		const char *what;
	} rows[] = {
		{ SECCOMP_RET_KILL_PROCESS, "action kill_process" },
		{ SECCOMP_RET_KILL_THREAD, "action kill_thread" },
		{ SECCOMP_RET_TRAP, "action trap" },
		{ SECCOMP_RET_ERRNO, "action errno" },
		{ SECCOMP_RET_USER_NOTIF, "action notify" },
		{ SECCOMP_RET_TRACE, "action trace" },
		{ SECCOMP_RET_LOG, "action log" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct probe p = probe_ask(ask_action, &rows[i].action);
		const char *who = users(v, needs_action, rows[i].action);

		if (answered(p, 0))
			tell(v, OK, rows[i].what, "%s", use_text(v, who));
		else if (who == NULL)
			tell(v, NOTE, rows[i].what, "%s; no stage uses it",
			    answered(p, -EOPNOTSUPP) ? "not there" : unknown(v, p));
		else if (answered(p, -EOPNOTSUPP))
			tell(v, LOST, rows[i].what,
			    "not there, and the kernel kills instead: %s: take another action",
			    who);
		else
			tell(v, NOTE, rows[i].what, "%s; used by %s", unknown(v, p), who);
	}
}

/* A known flag gets as far as the filter, which is not there. */
static long ask_flag(const void *flags)
{
	return seccomp_call(SECCOMP_SET_MODE_FILTER, *(const uint32_t *)flags, NULL);
}

static void see_flags(struct visit *v)
{
	static const struct {
		uint32_t flags, need;
		const char *what, *lost;
	} rows[] = {
		{ FLAG_TSYNC, FLAG_TSYNC, "flag TSYNC",
		    "the shim cannot fence them: tsync = false" },
		{ FLAG_LOG, FLAG_LOG, "flag LOG", "they cannot be entered: log_blocked = false" },
		{ FLAG_SPEC_ALLOW, FLAG_SPEC_ALLOW, "flag SPEC_ALLOW",
		    "they cannot be entered: allow_speculation = false" },
		{ FLAG_NEW_LISTENER, FLAG_NEW_LISTENER, "flag NEW_LISTENER", "" },
		{ FLAG_TSYNC | FLAG_NEW_LISTENER | FLAG_TSYNC_ESRCH, FLAG_TSYNC_ESRCH,
		    "flag TSYNC_ESRCH", "" },
		/* means nothing without a listener, and the kernel says so */
		{ FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV, FLAG_WAIT_KILLABLE_RECV,
		    "flag WAIT_KILLABLE", "" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct probe p = probe_ask(ask_flag, &rows[i].flags);
		const char *who = users(v, needs_flag, rows[i].need);

		if (answered(p, -EFAULT))
			tell(v, OK, rows[i].what, "%s", use_text(v, who));
		else if (who == NULL)
			tell(v, NOTE, rows[i].what, "%s; no stage uses it",
			    answered(p, -EINVAL) ? "not there" : unknown(v, p));
		else if (answered(p, -EINVAL))
			tell(v, LOST, rows[i].what, "not there, and used by %s: %s", who,
			    rows[i].lost);
		else
			tell(v, NOTE, rows[i].what, "%s; used by %s", unknown(v, p), who);
	}
}

static long ask_sizes(const void *nothing)
{
	struct seccomp_notif_sizes sizes;

	(void)nothing;
	return seccomp_call(SECCOMP_GET_NOTIF_SIZES, 0, &sizes);
}

static long ask_getfd(const void *nothing)
{
	(void)nothing;
	return raw_call3(NR_PIDFD_GETFD, -1, 0, 0);
}

/* What a supervisor takes: a listener of its own, and a way to hand it over. */
static void see_listener(struct visit *v)
{
	const uint32_t listen = FLAG_NEW_LISTENER;
	struct probe sizes = probe_ask(ask_sizes, NULL), one = probe_ask(raise_one, &listen);
	struct probe getfd = probe_ask(ask_getfd, NULL);
	const char *agents = users(v, needs_agent, 0), *reports = users(v, needs_report, 0);

	if (answered(one, LISTENING) && answered(sizes, 0))
		tell(v, OK, "listener", "one was made; %s",
		    use_text(v, users(v, needs_listener, 0)));
	else
		tell(v, agents != NULL || reports != NULL ? LOST : NOTE, "listener",
		    "%s; %s%s%s%s%s",
		    answered(one, -EBUSY)
			? "somebody around us has one already, and there can be one only"
			: unknown(v, answered(one, LISTENING) ? sizes : one),
		    agents != NULL ? agents : "", agents != NULL ? " cannot be entered" : "",
		    agents != NULL && reports != NULL ? "; " : "",
		    reports != NULL      ? "refused calls are refused, but not told: "
			: agents == NULL ? "no stage uses it"
					 : "",
		    reports != NULL ? reports : "");
	if (answered(getfd, -EBADF))
		tell(v, OK, "pidfd_getfd", "there");
	else
		tell(v, NOTE, "pidfd_getfd", "%s", unknown(v, getfd));
}

static void see_logged(struct visit *v)
{
	static const struct {
		uint32_t action;
		const char *word;
	} rows[] = {
		{ SECCOMP_RET_KILL_PROCESS, "kill_process" },
		{ SECCOMP_RET_KILL_THREAD, "kill_thread" },
		{ SECCOMP_RET_TRAP, "trap" },
		{ SECCOMP_RET_ERRNO, "errno" },
		{ SECCOMP_RET_USER_NOTIF, "user_notif" },
		{ SECCOMP_RET_TRACE, "trace" },
		{ SECCOMP_RET_LOG, "log" },
	};
	static const char what[] = "actions_logged";
	static const char path[] = "/proc/sys/kernel/seccomp/actions_logged";
	const char *logged = read_file(v, path);
	bool good = true;

	if (logged == NULL) {
		tell(v, NOTE, what, "%s: %s", path, strerror(errno));
		return;
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *who = users(v, needs_logged, rows[i].action);

		if (who == NULL || has_word(logged, rows[i].word))
			continue;
		good = false;
		tell(v, LOST, what, "without %s, which %s would log: add it to %s", rows[i].word,
		    who, path);
	}
	if (good)
		tell(v, OK, what, "%s", logged);
}

/* ---- speculation ---- */

static long ask_store_bypass(const void *nothing)
{
	(void)nothing;
	return raw_prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0);
}

/* What a filter without SPEC_ALLOW makes of it. */
static long ask_store_bypass_fenced(const void *nothing)
{
	const uint32_t plain = 0;

	if (raise_one(&plain) != 0)
		return -EPERM;
	return ask_store_bypass(nothing);
}

static void see_speculation(struct visit *v)
{
	static const char what[] = "speculation";
	struct probe before = probe_ask(ask_store_bypass, NULL);
	struct probe behind = probe_ask(ask_store_bypass_fenced, NULL);
	const long off = PR_SPEC_DISABLE | PR_SPEC_FORCE_DISABLE;

	if (before.how != PROBE_TOLD || before.result < 0)
		tell(v, OK, what, "the kernel has no control of it for programs");
	else if (behind.how == PROBE_TOLD && behind.result >= 0 && (behind.result & off) != 0 &&
	    (before.result & off) == 0)
		tell(v, NOTE, what,
		    "a filter turns a part of it off, and programs run slower: "
		    "allow_speculation = true for stages that hold no secrets");
	else
		tell(v, OK, what, "filters leave it as it is");
}

/* ---- other architectures ---- */

#if defined(__x86_64__)
static long ask_i386(const void *nothing)
{
	enum { I386_GETPID = 20 };
	long result = I386_GETPID;

	(void)nothing;
	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static long ask_x32(const void *nothing)
{
	enum { X32_GETPID = 0x40000000 + 39 };

	(void)nothing;
	return raw_call3(X32_GETPID, 0, 0, 0);
}

static void see_foreign(struct visit *v)
{
	const char *who = users(v, needs_foreign, 0);
	struct probe i386 = probe_ask(ask_i386, NULL), x32 = probe_ask(ask_x32, NULL);
	bool has_i386 = i386.how == PROBE_TOLD && i386.result > 0;
	bool has_x32 = x32.how == PROBE_TOLD && x32.result > 0;
	bool hidden = i386.how == PROBE_KILLED && i386.result == SIGSYS;

	if (hidden)
		tell(v, OK, "i386 and x32", "killed by a filter around us");
	else
		tell(v, who != NULL && !has_i386 && !has_x32 ? NOTE : OK, "i386 and x32",
		    "the kernel has %s; %s%s",
		    has_i386 && has_x32 ? "both"
			: has_i386      ? "i386"
			: has_x32       ? "x32"
					: "neither",
		    who != NULL ? "one or both admitted by " : "killed in every fence",
		    who != NULL ? who : "");
}
#else
static void see_foreign(struct visit *v)
{
	const char *who = users(v, needs_foreign, 0);

	if (who != NULL)
		tell(v, NOTE, "i386 and x32", "not on this machine, and admitted by %s", who);
	else
		tell(v, OK, "i386 and x32", "not on this machine");
}
#endif

/* ---- who is around us ---- */

static void see_own(struct visit *v)
{
	const char *mode = own_status(v, "Seccomp"), *count = own_status(v, "Seccomp_filters");
	const char *privileges = own_status(v, "NoNewPrivs");

	if (mode == NULL)
		tell(v, NOTE, "filters around us", "not to be known: is /proc mounted?");
	else if (strcmp(mode, "0") == 0)
		tell(v, OK, "filters around us", "none");
	else
		tell(v, NOTE, "filters around us",
		    "%s, as in a container or behind a fence: what they refuse stays refused, and "
		    "some lines here may be their doing",
		    count != NULL ? count : "some");
	tell(v, OK, "no_new_privs", "%s",
	    privileges == NULL                 ? "not to be known"
		: strcmp(privileges, "1") == 0 ? "on already: sudo and the like have no power here"
					       : "off for this caller");
}

static void see_namespace(struct visit *v)
{
	const char *map = read_file(v, "/proc/self/uid_map");
	const char *first = read_file(v, "/proc/1/comm");
	unsigned long inside, outside, count;

	if (map == NULL || sscanf(map, "%lu %lu %lu", &inside, &outside, &count) != 3)
		tell(v, NOTE, "user namespace", "not to be known: is /proc mounted?");
	else if (inside == 0 && outside == 0 && count == UINT32_MAX)
		tell(v, OK, "user namespace", "the initial one; uid %u", geteuid());
	else
		tell(v, NOTE, "user namespace",
		    "not the initial one: root's files may be somebody's outside, and neither "
		    "audit "
		    "live nor status --verify works here");
	tell(v, OK, "process 1", "%s", first != NULL ? first : "not to be known");
}

static void see_modules(struct visit *v)
{
	const char *scope = read_file(v, "/proc/sys/kernel/yama/ptrace_scope");
	const char *lsm = read_file(v, "/sys/kernel/security/lsm");
	const char *who = NULL;
	const struct image_header *h = v->doctor->image;

	for (uint32_t i = 0; h != NULL && i < h->part[IMAGE_STAGES].count; i++)
		if (image_stage(h, i)->outer != IMAGE_NONE)
			who = image_string(h, image_stage(h, i)->name);
	if (scope != NULL && strcmp(scope, "0") != 0)
		tell(v, OK, "Yama", "ptrace_scope %s", scope);
	else if (who != NULL)
		tell(v, NOTE, "Yama",
		    "%s: a process of the same user may trace a program between the two fences of "
		    "stage %s: sysctl kernel.yama.ptrace_scope=1",
		    scope != NULL ? "ptrace_scope 0" : "not there", who);
	else
		tell(v, OK, "Yama", "%s", scope != NULL ? "ptrace_scope 0" : "not there");
	tell(v, OK, "security modules", "%s",
	    lsm != NULL ? lsm : "not to be known: /sys/kernel/security is not mounted");
}

static void see_preloads(struct visit *v)
{
	static const char path[] = "/etc/ld.so.preload";
	const char *text = read_file(v, path);

	if (text == NULL || text[strspn(text, " \t\n:")] == '\0')
		tell(v, OK, "ld.so.preload", "none");
	else
		tell(v, NOTE, "ld.so.preload",
		    "%s: loaded into every dynamic program, before its inner fence is up: %s", path,
		    text);
}

/* libseccomp asks the kernel, too. */
static long ask_level(const void *nothing)
{
	(void)nothing;
	return (long)filter_level();
}

struct probe doctor_level(void)
{
	return probe_ask(ask_level, NULL);
}

static void see_versions(struct visit *v)
{
	const struct probe level = v->doctor->level;
	struct utsname u;

	if (uname(&u) == 0)
		tell(v, OK, "kernel", "%s %s, by name; what it can do was asked for", u.release,
		    u.machine);
	tell(v, OK, "libseccomp", "%s, level %s", filter_library(v->arena),
	    level.how == PROBE_TOLD ? arena_format(v->arena, "%ld", level.result)
				    : unknown(v, level));
	tell(v, OK, "libconfig", "%s", conf_library(v->arena));
}

/* ---- */

/* In the order in which they are read: a new row is a function, and its name here. */
static void (*const sights[])(struct visit *) = {
	see_policy,
	see_compiled,
	see_wrapper,
	see_shim,
	see_filters,
	see_privileges,
	see_strict,
	see_actions,
	see_flags,
	see_listener,
	see_logged,
	see_speculation,
	see_foreign,
	see_own,
	see_namespace,
	see_modules,
	see_preloads,
	see_versions,
};

bool doctor_tell(const struct doctor *d, struct arena *a)
{
	struct visit v = { .doctor = d, .arena = a, .json = { .out = d->out, .pretty = true } };

	if (d->json) {
		json_object(&v.json, NULL);
		json_number(&v.json, "version", JSON_VERSION);
		json_array(&v.json, "rows");
	}
	for (size_t i = 0; i < sizeof sights / sizeof sights[0]; i++)
		sights[i](&v);
	if (d->json) {
		json_close(&v.json);
		json_number(&v.json, "lost", v.lost);
		json_close(&v.json);
	} else if (v.lost > 0)
		fprintf(d->out, "%u lost\n", v.lost);
	else
		fprintf(d->out, "nothing is lost\n");
	return v.lost == 0;
}
