#include "status.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../preload/fence.h"
#include "../preload/image.h"
#include "bpf.h"
#include "json.h"
#include "mem.h"
#include "plain.h"
#include "probe.h"
#include "say.h"

enum { JSON_VERSION = 1, PASSES_MAX = 100, STOP_TRIES = 5000 };

enum { GET_METADATA = 0x420d }; /* for ptrace(2) since Linux 4.16; some libcs have no name for it */

struct filter {
	struct sock_filter *code;
	size_t count;
	uint64_t flags;
	bool flags_known;

	/* what it is, by the image */
	enum { FOREIGN, FORGED, OUTER, INNER, EXEC, EXACT } kind;
	uint32_t stage;
	bool listened; /* its refusals go to whoever holds its listener */
	size_t
	    difference; /* FORGED: the first instruction that is not the stage's; its count: none */
	uint32_t place[2]; /* what stands for $uid and $gid in it */
	bool has_place[2];
};

struct thread {
	pid_t tid;
	const char *name;
	int mode;       /* of seccomp(2); -1: not told */
	int privileges; /* 1: no_new_privs; -1: not told */
	long count;     /* of filters; -1: not told, as before Linux 5.9 */
	long tracer, uid, gid;
	bool dead;
	bool stopped; /* by us; signal is what it was stopped for, if not for us */
	int signal;
	struct filter *filters; /* the oldest first */
	size_t filter_count;
	bool filters_read;
};

struct report {
	const struct status *status;
	struct arena *arena;
	struct thread *threads;
	size_t thread_count;
	uint32_t stage;     /* whose fence is in force in all threads; or IMAGE_NONE */
	const char *answer; /* how that is known, or why it is not so */
};

/* An image that -c names is anybody's, and so are the names in it. */
static const char *stage_name(const struct report *r, uint32_t stage)
{
	const struct image_header *h = r->status->image;

	return plain_line(r->arena, image_string(h, image_stage(h, stage)->name));
}

static const char *digest_text(const struct report *r)
{
	const char *text = "";

	for (size_t i = 0; i < sizeof r->status->image->digest; i++)
		text = arena_format(r->arena, "%s%02x", text, r->status->image->digest[i]);
	return text;
}

static bool wanted(const struct report *r, uint32_t stage)
{
	return r->status->stage == NULL || strcmp(r->status->stage, stage_name(r, stage)) == 0;
}

/* ---- what /proc tells ---- */

/* False: the thread is gone, or /proc is not there. Names have no line ends there. */
static bool read_status(struct report *r, const char *path, struct thread *t)
{
	FILE *f = fopen(path, "re");
	char line[4096];
	long uid, gid;

	t->mode = t->privileges = -1;
	t->count = t->uid = t->gid = -1;
	t->tracer = 0;
	t->name = "?";
	if (f == NULL)
		return false;
	while (fgets(line, sizeof line, f) != NULL) {
		char state;

		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "Name:\t", 6) == 0)
			t->name = plain_line(r->arena, line + 6);
		if (sscanf(line, "State: %c", &state) == 1)
			t->dead = state == 'Z' || state == 'X';
		if (sscanf(line, "Uid: %ld", &uid) == 1)
			t->uid = uid;
		if (sscanf(line, "Gid: %ld", &gid) == 1)
			t->gid = gid;
		sscanf(line, "TracerPid: %ld", &t->tracer);
		sscanf(line, "NoNewPrivs: %d", &t->privileges);
		sscanf(line, "Seccomp: %d", &t->mode);
		sscanf(line, "Seccomp_filters: %ld", &t->count);
	}
	fclose(f);
	return true;
}

static void read_thread_status(struct report *r, struct thread *t)
{
	if (!read_status(r,
		arena_format(r->arena, "/proc/%d/task/%d/status", (int)r->status->pid, (int)t->tid),
		t))
		t->dead = true;
}

/* ---- what the kernel answers to ourselves ---- */

static long ask(const void *digest)
{
	return fence_ask(digest);
}

/* Is the program in force for us? A filter that kills for the question is none of ours. */
static bool in_force(const struct image_header *h, uint32_t program)
{
	struct probe p;

	if (program == IMAGE_NONE)
		return false;
	p = probe_ask(ask, image_program(h, program)->digest);
	if (p.how == PROBE_UNASKED) /* the stage may refuse a fork */
		return fence_ask(image_program(h, program)->digest);
	return p.how == PROBE_TOLD && p.result != 0;
}

static void look_at_self(struct report *r)
{
	const struct image_header *h = r->status->image;
	const struct thread *self = &r->threads[0];
	bool outer = false;

	r->answer = "no filter of this policy answers";
	if (self->mode == 0) {
		r->answer = "there is no filter at all";
		return;
	}
	for (uint32_t i = 0; i < h->part[IMAGE_STAGES].count; i++) {
		const struct image_stage *s = image_stage(h, i);

		if (!wanted(r, i))
			continue;
		if (in_force(h, s->exact)) {
			r->stage = i;
			r->answer = "the kernel says so";
			return;
		}
		outer = outer || in_force(h, s->outer);
	}
	if (outer)
		r->answer = "only an outer fence is up: the inner one is the shim's, which was not "
			    "loaded";
}

/* ---- what root reads back ---- */

/* Like the image's instruction, but for what is filled in when a fence is raised (fence.h). */
static bool same_instruction(const struct image_program *p, size_t i,
    const struct sock_filter *image, const struct sock_filter *have, struct filter *f)
{
	uint32_t which = image->k - FENCE_PLACE_UID;

	if (have->code != image->code || have->jt != image->jt || have->jf != image->jf)
		return false;
	if (have->k == image->k)
		return true;
	for (unsigned word = 0; p->cookie && word < FENCE_COOKIE_WORDS; word++)
		if (i == fence_cookie_slot(word))
			return true;
	if (i < FENCE_ATTEST_COUNT || image->code != (BPF_JMP | BPF_JEQ | BPF_K) || which > 1)
		return false;
	if (f->has_place[which] && f->place[which] != have->k)
		return false;
	f->has_place[which] = true;
	f->place[which] = have->k;
	return true;
}

/* How many instructions are the program's; p->count: it is that program. */
static size_t compare_raised(
    const struct image_program *p, const struct sock_filter *raised, size_t count, struct filter *f)
{
	size_t same = 0, guard = count - p->count;

	memset(f->has_place, 0, sizeof f->has_place);
	while (same < count && same < f->count &&
	    (same < guard ? memcmp(&raised[same], &f->code[same], sizeof *raised) == 0
			  : same_instruction(p, same - guard, &raised[same], &f->code[same], f)))
		same++;
	if (same == count && f->count == count)
		return p->count;
	return same < p->count ? same : p->count - 1;
}

/* The nearest of the ways in which it may be raised: as it is, hushed, or under a listener
 * (fence.h). */
static size_t compare(const struct image_stage *s, const struct image_program *p,
    const struct sock_filter *image, struct filter *f)
{
	static struct sock_filter raised[IMAGE_CODE_MAX + FENCE_GUARD_MAX];
	size_t best = compare_raised(p, image, p->count, f), same;

	f->listened = false;
	if (best < p->count &&
	    (s->flags & (STAGE_REPORT | STAGE_AGENT)) != 0) { /* there was no listener to be had */
		memcpy(raised, image, p->count * sizeof *raised);
		fence_hush(raised, p->count);
		same = compare_raised(p, raised, p->count, f);
		best = same > best ? same : best;
	}
	for (enum fence_listener l = FENCE_REPORT; best < p->count && l <= FENCE_AGENT; l++) {
		same = fence_listened(raised, image, p, l, (s->flags & STAGE_FOREIGN) != 0);
		same = compare_raised(p, raised, same, f);
		best = same > best ? same : best;
		f->listened = best == p->count;
	}
	return best;
}

/* Does it answer as the program of this digest would? */
static bool claims(const struct filter *f, const uint32_t digest[8])
{
	struct seccomp_data d = { .nr = __NR_prctl, .arch = IMAGE_ARCH, .args = { FENCE_OPTION } };

	for (unsigned i = 0; i < 4; i++)
		d.args[1 + i] = (uint64_t)digest[2 * i] | (uint64_t)digest[2 * i + 1] << 32;
	return bpf_check(f->code, f->count) == NULL &&
	    bpf_run(f->code, f->count, &d).action == (SECCOMP_RET_ERRNO | FENCE_ANSWER);
}

static void judge_filter(const struct image_header *h, struct filter *f)
{
	for (uint32_t i = 0; i < h->part[IMAGE_STAGES].count; i++) {
		const struct image_stage *s = image_stage(h, i);
		const uint32_t programs[] = { s->exact, s->exec, s->outer, s->inner };

		/* inner: exact, less what an outer fence with a listener refuses (image.h) */
		for (unsigned k = 0; k < 4; k++) {
			const struct image_program *p = programs[k] == IMAGE_NONE
			    ? NULL
			    : image_program(h, programs[k]);
			const struct sock_filter *code = p == NULL ? NULL : image_code(h, p);
			size_t same = code == NULL ? 0 : compare(s, p, code, f);

			if (code == NULL)
				continue;
			if (same == p->count &&
			    (!f->flags_known ||
				((f->flags ^ p->flags) & SECCOMP_FILTER_FLAG_LOG) == 0)) {
				f->kind = k == 1 ? EXEC : k == 2 ? OUTER : k == 3 ? INNER : EXACT;
				f->stage = i;
				return;
			}
			/* exec and exact have one digest: the difference from the nearer counts */
			if (claims(f, p->digest) && (f->kind != FORGED || same > f->difference)) {
				f->kind = FORGED;
				f->stage = i;
				f->difference = same;
			}
		}
	}
}

/* NULL, or why the filters of a stopped thread are not to be had. */
static const char *read_filters(struct report *r, struct thread *t)
{
	for (unsigned long i = 0;; i++) {
		long n = ptrace(PTRACE_SECCOMP_GET_FILTER, t->tid, (void *)i, NULL);
		struct filter f = { .kind = FOREIGN };
		struct {
			uint64_t at, flags;
		} about = { i, 0 };

		if (n < 0 && (errno == ENOENT || (errno == EINVAL && t->mode == 0)))
			break;
		if (n < 0 && errno == EACCES)
			return "only root outside of every container and fence may read filters "
			       "back";
		if (n < 0 && (errno == EINVAL || errno == EIO) && t->mode == 2)
			return "this kernel does not give filters back "
			       "(CONFIG_CHECKPOINT_RESTORE)";
		if (n <= 0)
			return "a filter is not to be had";
		f.count = (size_t)n;
		f.code = arena_array(r->arena, f.count, sizeof *f.code);
		if (ptrace(PTRACE_SECCOMP_GET_FILTER, t->tid, (void *)i, f.code) != n)
			return "a filter is not to be had";
		f.flags_known = raw_call6(__NR_ptrace, GET_METADATA, t->tid, sizeof about,
				    (long)&about, 0, 0) == sizeof about;
		f.flags = about.flags;
		t->filters = arena_grow(r->arena, t->filters, t->filter_count, sizeof f);
		t->filters[t->filter_count++] = f;
	}
	t->filters_read = true;
	return NULL;
}

/* Waits for the stop that was asked for; false: the thread is gone, or sleeps too deep. */
static bool wait_stop(pid_t tid, int *status)
{
	static const struct timespec tick = { 0, 100000 };

	for (unsigned i = 0; i < STOP_TRIES; i++) {
		pid_t got = waitpid(tid, status, __WALL | WNOHANG);

		if (got == tid)
			return WIFSTOPPED(*status);
		if (got < 0 && errno != EINTR)
			return false;
		if (i > 10)
			nanosleep(&tick, NULL);
	}
	return false;
}

/* NULL, or why it cannot be stopped. What has ended meanwhile is dead. */
static const char *stop_thread(struct report *r, struct thread *t)
{
	int status = 0, error;

	if (ptrace(PTRACE_SEIZE, t->tid, NULL, NULL) != 0) {
		error = errno;
		read_thread_status(r, t);
		if (error == ESRCH || t->dead) {
			t->dead = true;
			return NULL;
		}
		return t->tracer > 0
		    ? arena_format(r->arena, "process %ld traces it already", t->tracer)
		    : "it may not be traced: that takes root outside of every container and fence";
	}
	if (ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL) != 0 || !wait_stop(t->tid, &status)) {
		/* what does not stop is let go by our end */
		t->dead = kill(t->tid, 0) != 0 || WIFEXITED(status) || WIFSIGNALED(status);
		return t->dead ? NULL : "it does not stop, for it is deep in the kernel";
	}
	t->stopped = true;
	/* stopped for a signal that came first: it must not be lost */
	if (status >> 16 == 0)
		t->signal = WSTOPSIG(status);
	return NULL;
}

/*
 * Every thread of the process. With stop they are stopped, and stay so until none is new: only then
 * nobody can have made one without a filter behind our back. NULL, or what is wrong.
 */
static const char *find_threads(struct report *r, bool stop)
{
	bool found = true;

	for (unsigned pass = 0; found && pass < PASSES_MAX; pass++) {
		DIR *dir = opendir(arena_format(r->arena, "/proc/%d/task", (int)r->status->pid));
		const char *wrong = NULL;
		struct dirent *entry;

		found = false;
		while (dir != NULL && wrong == NULL && (entry = readdir(dir)) != NULL) {
			struct thread t = { .tid = (pid_t)strtol(entry->d_name, NULL, 10) };
			bool old = t.tid <= 0;

			for (size_t i = 0; i < r->thread_count; i++)
				old = old || r->threads[i].tid == t.tid;
			if (old)
				continue;
			found = true;
			if (stop)
				wrong = stop_thread(r, &t);
			else
				read_thread_status(r, &t);
			r->threads = arena_grow(r->arena, r->threads, r->thread_count, sizeof t);
			r->threads[r->thread_count++] = t;
		}
		if (dir != NULL)
			closedir(dir);
		if (wrong != NULL)
			return wrong;
	}
	return found ? "its threads come and go faster than they can be looked at" : NULL;
}

/* False: it has been said why they cannot be read. All of them go on, whatever happens. */
static bool read_threads(struct report *r)
{
	const char *wrong = find_threads(r, r->status->verify);

	for (size_t i = 0; i < r->thread_count; i++) {
		struct thread *t = &r->threads[i];

		if (!t->stopped)
			continue;
		read_thread_status(r, t);
		if (wrong == NULL)
			wrong = read_filters(r, t);
		ptrace(PTRACE_DETACH, t->tid, NULL, (void *)(long)t->signal);
	}
	if (wrong != NULL)
		say("process %d: %s", (int)r->status->pid, wrong);
	return wrong == NULL;
}

static bool has_fence(const struct report *r, const struct thread *t, uint32_t stage)
{
	const struct image_stage *s = image_stage(r->status->image, stage);
	bool exact = false, outer = false, inner = false;

	if (s->flags & STAGE_STRICT)
		return t->mode == SECCOMP_MODE_STRICT;
	if ((s->flags & STAGE_NO_NEW_PRIVS) && t->privileges != 1)
		return false;
	for (size_t i = 0; i < t->filter_count; i++)
		if (t->filters[i].stage == stage) {
			exact = exact || t->filters[i].kind >= EXEC;
			outer = outer || t->filters[i].kind == OUTER;
			inner = inner || t->filters[i].kind == INNER;
		}
	return exact || (outer && inner);
}

/* In each of these threads, is what stands for the stage raised without a listener? */
static bool stands_alone(const struct report *r, uint32_t stage)
{
	for (size_t i = 0; i < r->thread_count; i++) {
		const struct thread *t = &r->threads[i];
		bool alone = t->dead || t->filter_count == 0;

		for (size_t k = 0; k < t->filter_count; k++)
			alone = alone ||
			    (t->filters[k].stage == stage && t->filters[k].kind >= EXEC &&
				!t->filters[k].listened);
		if (!alone)
			return false;
	}
	return true;
}

/* The stage that all living threads have. */
static void judge_threads(struct report *r)
{
	const struct image_header *h = r->status->image;
	size_t bare = 0, alive = 0;
	bool privileges = true;

	for (size_t i = 0; i < r->thread_count; i++) {
		struct thread *t = &r->threads[i];

		for (size_t k = 0; k < t->filter_count; k++)
			judge_filter(h, &t->filters[k]);
		alive += !t->dead;
		bare += !t->dead && t->mode == 0;
		privileges = privileges && (t->dead || t->privileges == 1);
	}
	for (uint32_t s = 0; alive > 0 && r->stage == IMAGE_NONE && s < h->part[IMAGE_STAGES].count;
	     s++) {
		bool all = wanted(r, s);

		for (size_t i = 0; all && i < r->thread_count; i++)
			all = r->threads[i].dead || has_fence(r, &r->threads[i], s);
		if (all)
			r->stage = s;
	}
	if (r->stage != IMAGE_NONE)
		r->answer = stands_alone(r, r->stage) ? "verified"
						      : "verified, but for who holds its listener";
	else if (alive == 0)
		r->answer = "the process has ended";
	else if (bare == alive)
		r->answer = "there is no filter at all";
	else if (bare > 0)
		r->answer = arena_format(
		    r->arena, "%zu of %zu threads have no filter", bare, alive);
	else if (!r->status->verify)
		r->answer = "whose filters these are is for root to see: --verify";
	else if (!privileges)
		r->answer = "no_new_privs is off, or no stage's filter is in all threads as the "
			    "policy has it";
	else
		r->answer = "no stage's filter is in all threads as the policy has it";
}

/* ---- saying ---- */

static const char *kind_word(const struct filter *f)
{
	static const char *const words[] = { "foreign", "forged", "outer", "inner", "exec",
		"exact" };

	return words[f->kind];
}

static const char *filter_text(
    const struct report *r, const struct thread *t, const struct filter *f)
{
	struct arena *a = r->arena;
	const char *text;

	if (f->kind == FOREIGN)
		return arena_format(
		    a, "foreign, %zu instruction%s", f->count, f->count == 1 ? "" : "s");
	if (f->kind == FORGED && f->difference == f->count)
		return arena_format(a,
		    "FORGED: the instructions of stage %s, not loaded as the policy says (log)",
		    stage_name(r, f->stage));
	if (f->kind == FORGED)
		return arena_format(a,
		    "FORGED: answers for stage %s, and is not its filter: differs from "
		    "instruction %zu on",
		    stage_name(r, f->stage), f->difference);
	text = arena_format(a, "stage %s, %s, as in the policy: %zu instructions%s",
	    stage_name(r, f->stage), kind_word(f), f->count,
	    f->listened ? ", under a listener" : "");
	for (unsigned i = 0; i < 2; i++)
		if (f->has_place[i] && (long)f->place[i] != (i == 0 ? t->uid : t->gid))
			text = arena_format(a, "%s, raised by %s %" PRIu32, text,
			    i == 0 ? "uid" : "gid", f->place[i]);
	return text;
}

static const char *chain_text(const struct report *r, const struct thread *t)
{
	const char *text = "";

	for (size_t i = 0; i < t->filter_count; i++)
		text = arena_format(
		    r->arena, "%sfilter %zu: %s\n", text, i + 1, filter_text(r, t, &t->filters[i]));
	return text;
}

static const char *mode_text(const struct report *r, const struct thread *t)
{
	const char *filters = t->mode == 0   ? "no filter"
	    : t->mode == SECCOMP_MODE_STRICT ? "strict mode"
	    : t->mode < 0                    ? "/proc does not tell of filters"
	    : t->count < 0
	    ? "filters"
	    : arena_format(r->arena, "%ld filter%s", t->count, t->count == 1 ? "" : "s");

	return arena_format(r->arena, "%s, no_new_privs %s", filters,
	    t->privileges == 1       ? "on"
		: t->privileges == 0 ? "off"
				     : "not told");
}

static void print_text(const struct report *r)
{
	FILE *out = r->status->out;
	const char *shown = NULL;
	size_t alive = 0;

	for (size_t i = 0; i < r->thread_count; i++)
		alive += !r->threads[i].dead;
	if (r->status->pid == 0)
		fprintf(out, "this process: %s\n", mode_text(r, &r->threads[0]));
	for (size_t i = 0; r->status->pid != 0 && i < r->thread_count; i++) {
		const struct thread *t = &r->threads[i];
		const char *text;

		if (t->dead)
			continue;
		text = arena_format(r->arena, "%s\n%s", mode_text(r, t), chain_text(r, t));
		if (shown == NULL)
			fprintf(out, "process %d (%s), %zu thread%s: %s", (int)r->status->pid,
			    t->name, alive, alive == 1 ? "" : "s", text);
		else if (strcmp(shown, text) != 0)
			fprintf(out, "thread %d (%s): %s", (int)t->tid, t->name, text);
		else
			continue;
		shown = text;
	}
	if (r->stage != IMAGE_NONE)
		fprintf(out, "in force: stage %s of policy %s: %s\n", stage_name(r, r->stage),
		    digest_text(r), r->answer);
	else
		fprintf(out, "not in force: %s%s of policy %s: %s\n",
		    r->status->stage != NULL ? "stage " : "a stage",
		    r->status->stage != NULL ? r->status->stage : "", digest_text(r), r->answer);
}

static void print_json(const struct report *r)
{
	struct json j = { .out = r->status->out, .pretty = true };

	json_object(&j, NULL);
	json_number(&j, "version", JSON_VERSION);
	json_bool(&j, "in_force", r->stage != IMAGE_NONE);
	json_text(&j, "stage", r->stage != IMAGE_NONE ? stage_name(r, r->stage) : NULL);
	json_text(&j, "policy", digest_text(r));
	json_bool(&j, "verified", r->status->verify && r->stage != IMAGE_NONE);
	json_text(&j, "why", r->answer);
	json_array(&j, "threads");
	for (size_t i = 0; i < r->thread_count; i++) {
		const struct thread *t = &r->threads[i];

		if (t->dead)
			continue;
		json_object(&j, NULL);
		json_number(&j, "id", t->tid);
		json_text(&j, "name", t->name);
		json_number(&j, "seccomp", t->mode);
		json_number(&j, "filter_count", t->count);
		json_bool(&j, "no_new_privs", t->privileges == 1);
		if (t->filters_read) {
			json_array(&j, "filters");
			for (size_t k = 0; k < t->filter_count; k++) {
				const struct filter *f = &t->filters[k];

				json_object(&j, NULL);
				json_text(&j, "kind", kind_word(f));
				json_text(&j, "stage",
				    f->kind == FOREIGN ? NULL : stage_name(r, f->stage));
				json_number(&j, "instructions", (int64_t)f->count);
				if (f->listened)
					json_bool(&j, "listener", true);
				if (f->kind == FORGED)
					json_number(&j, "difference", (int64_t)f->difference);
				json_close(&j);
			}
			json_close(&j);
		}
		json_close(&j);
	}
	json_close(&j);
	json_close(&j);
}

/* ---- */

static bool tell_self(struct report *r)
{
	struct thread *self = arena_array(r->arena, 1, sizeof *self);

	/* without /proc the kernel still answers */
	read_status(r, "/proc/self/status", self);
	self->tid = getpid();
	r->threads = self;
	r->thread_count = 1;
	if (r->status->verify && self->mode != 0) {
		say("filters are read back from outside: as root, where there is no fence, status "
		    "--verify %d",
		    (int)getppid());
		return false;
	}
	look_at_self(r);
	return true;
}

static bool tell_other(struct report *r)
{
	const struct status *s = r->status;
	struct thread leader;
	char self[32] = "";

	/* ptrace(2) would take its numbers for other processes than it means */
	if (readlink("/proc/self", self, sizeof self - 1) <= 0 || atol(self) != getpid()) {
		say("/proc is not there, or another container's");
		return false;
	}
	if (!read_status(r, arena_format(r->arena, "/proc/%d/status", (int)s->pid), &leader)) {
		say("there is no process %d", (int)s->pid);
		return false;
	}
	if (!read_threads(r))
		return false;
	judge_threads(r);
	return true;
}

bool status_tell(const struct status *s, struct arena *a)
{
	struct report r = { .status = s, .arena = a, .stage = IMAGE_NONE };
	bool known = s->stage == NULL;

	for (uint32_t i = 0; i < s->image->part[IMAGE_STAGES].count; i++)
		known = known || strcmp(stage_name(&r, i), s->stage) == 0;
	if (!known) {
		say("there is no stage %s", s->stage);
		return false;
	}
	if (!(s->pid == 0 ? tell_self(&r) : tell_other(&r)))
		return false;
	if (s->json)
		print_json(&r);
	else
		print_text(&r);
	return r.stage != IMAGE_NONE;
}
