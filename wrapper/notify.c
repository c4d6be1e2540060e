#include "notify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../preload/fence.h"
#include "../preload/load.h"
#include "agent.h"
#include "bpf.h"
#include "confine.h"
#include "image.h"
#include "mem.h"
#include "report.h"
#include "say.h"
#include "supervise.h"

/* Younger than the oldest headers that we build with. */
#ifndef __NR_pidfd_send_signal
#define __NR_pidfd_send_signal 424
#endif
#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif
#ifndef __NR_close_range
#define __NR_close_range 436
#endif

/* Who has the call that the main thread reports. */
enum { BY_NOBODY, BY_MAIN, BY_DEPUTY };

enum {
	SINKS_MAX = 16,
	KEPT_MAX = SINKS_MAX + 4,
	FIRST_OTHER = 3,   /* descriptor */
	FILES_NEEDED = 128 /* sinks, twice while they are opened, and what where.c keeps */
};

/* A thread that answers, and the call that it has to do with. */
struct answerer {
	int listener;
	struct seccomp_notif *request;
	struct seccomp_notif_resp *reply;
	size_t request_size, reply_size; /* the kernel's may be larger than our headers' */
};

struct supervisor {
	struct arena *arena;
	const struct image_header *image;
	const struct image_stage *stage;
	uint32_t stage_index;
	const struct sock_filter *body; /* of the program that is raised: what the image answers */
	size_t body_count;
	const char *sinks[SINKS_MAX];
	size_t sink_count;
	struct report *report;
	int socket, agent;
	int command;   /* pidfd; -1: not known, before Linux 5.3 */
	bool answered; /* the wrapper has been told that it may go on */
	struct answerer main, deputy;
	/* between the two threads: see stand_by() */
	_Atomic uint32_t turn, reporting, asleep, stands_by;
	_Atomic uint64_t untold; /* what the deputy answered */
};

static const char *stage_name(const struct supervisor *v)
{
	return image_string(v->image, v->stage->name);
}

/* ---- the start ---- */

/*
 * Nobody of the job's uid may trace us, read our memory or fetch our descriptors. What he still can
 * is to end or stop us: then the kernel answers ENOSYS, or not at all, and nothing is let through.
 * No signal of a terminal or a service manager ends us: we go with the last confined process.
 */
static bool settle(void)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit files = { 0, 0 };
	sigset_t all;
	bool good;
	int fd;

	/* the caller may have closed some of 0, 1 and 2: nothing that we open may get their
	 * numbers, for let_go() gives these away. Not to be written to, as if still closed. */
	do
		fd = open("/", O_PATH | O_CLOEXEC);
	while (fd >= 0 && fd < FIRST_OTHER);
	if (fd >= 0)
		close(fd);
	/* a job's ulimit -n must not keep us from finding out who is to be told of */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_NEEDED) {
		files.rlim_cur = files.rlim_max < FILES_NEEDED ? files.rlim_max : FILES_NEEDED;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (files.rlim_cur < FILES_NEEDED) {
		say("the supervisor: too few descriptors: raise ulimit -Hn to %d", FILES_NEEDED);
		return false;
	}
	sigfillset(&all);
	good = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && setsid() >= 0 &&
	    sigprocmask(SIG_SETMASK, &all, NULL) == 0 && setrlimit(RLIMIT_CORE, &none) == 0 &&
	    chdir("/") == 0;
	if (!good)
		say("the supervisor: %s", strerror(errno));
	return good;
}

static bool read_image(struct supervisor *v, int fd, uint32_t stage, uint32_t number)
{
	struct stat st;
	enum image_fault fault;
	const struct image_program *p;
	const struct sock_filter *sound;
	struct sock_filter *code;
	unsigned prologue;

	v->image = load_sealed(fd) && fstat(fd, &st) == 0 && st.st_size > 0
	    ? load_map(fd, (size_t)st.st_size, &fault)
	    : NULL;
	if (v->image == NULL || stage >= v->image->part[IMAGE_STAGES].count ||
	    number >= v->image->part[IMAGE_PROGRAMS].count) {
		say("supervise is started by stagefence, and by nobody else");
		return false;
	}
	v->stage_index = stage;
	v->stage = image_stage(v->image, stage);
	p = image_program(v->image, number);
	sound = image_code(v->image, p);
	prologue = fence_prologue_count(p);
	if (sound == NULL || p->count <= prologue ||
	    bpf_check(sound + prologue, p->count - prologue) != NULL) {
		say("the policy image is damaged: stage %s's program is wrong", stage_name(v));
		return false;
	}
	code = arena_array(v->arena, p->count, sizeof *code);
	memcpy(code, sound, p->count * sizeof *code);
	fence_fill(code, p->count); /* our uid and gid are the wrapper's */
	v->body = code + prologue;
	v->body_count = p->count - prologue;
	return true;
}

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* --report FILE: a regular file, new or appended to. NULL: it has been said why not. */
static const char *open_file(struct supervisor *v, const char *path)
{
	bool json = ends_in(path, ".json") || ends_in(path, ".jsonl");
	struct stat st;
	int fd;

	/* a link to a link to a terminal, which no open file could be judged by */
	if (strcmp(path, "/dev/stderr") == 0)
		return "stderr";
	/* O_NONBLOCK: a FIFO without a reader must not hold us up before it is refused */
	fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) != 0) {
		say("--report: %s: %s", path, strerror(errno));
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		say("--report: %s: is no regular file", path);
		return NULL;
	}
	/* whoever may write to the folder could have linked to a file that only we may write to */
	if (st.st_nlink != 1) {
		say("--report: %s: has another name too (a hard link)", path);
		return NULL;
	}
	return arena_format(v->arena, "%sfd:%d", json ? "json:" : "", fd);
}

/* The descriptor that a sink names, or -1: "json:/x/fd:3" is a file. */
static int sink_descriptor(const char *sink)
{
	const char *fd = strstr(sink, "fd:");

	return fd != NULL && strchr(sink, '/') == NULL ? atoi(fd + 3) : -1;
}

/* Before anything is opened: a descriptor that the caller has closed could be one of ours by now,
 * and what is told would be written to that. */
static bool list_sinks(struct supervisor *v, int image)
{
	const char *text = image_string(v->image, v->stage->sinks);

	while (*text != '\0' && v->sink_count < SINKS_MAX - 1) {
		size_t n = strcspn(text, "\n");
		const char *sink = arena_text(v->arena, text, n);
		int fd = sink_descriptor(sink);

		if (fd >= 0 && (fd == v->socket || fd == image || fcntl(fd, F_GETFD) < 0)) {
			say("report \"%s\": descriptor %d is not open for writing", sink, fd);
			return false;
		}
		v->sinks[v->sink_count++] = sink;
		text += n + (text[n] != '\0');
	}
	return true;
}

static void close_between(unsigned first, unsigned last)
{
	DIR *open_ones;
	const struct dirent *entry;

	if (first > last || syscall(__NR_close_range, first, last, 0) == 0)
		return;
	/* before Linux 5.9 */
	open_ones = opendir("/proc/self/fd");
	while (open_ones != NULL && (entry = readdir(open_ones)) != NULL) {
		unsigned fd = (unsigned)strtoul(entry->d_name, NULL, 10);

		if (fd >= first && fd <= last && fd != (unsigned)dirfd(open_ones))
			close((int)fd);
	}
	if (open_ones != NULL)
		closedir(open_ones);
}

static int compare_numbers(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

/* Every descriptor but the socket and those that a sink names: none of the job's may outlive it. */
static void close_others(const struct supervisor *v)
{
	int kept[KEPT_MAX];
	size_t count = 0;
	unsigned next = FIRST_OTHER;

	kept[count++] = v->socket;
	if (v->agent >= 0)
		kept[count++] = v->agent;
	for (size_t i = 0; i < v->sink_count; i++) {
		int fd = sink_descriptor(v->sinks[i]);

		if (fd >= 0)
			kept[count++] = fd;
	}
	qsort(kept, count, sizeof kept[0], compare_numbers);
	for (size_t i = 0; i < count; i++) {
		if (kept[i] < (int)next)
			continue;
		close_between(next, (unsigned)kept[i] - 1);
		next = (unsigned)kept[i] + 1;
	}
	close_between(next, ~0u);
}

/* The job's standard input and output are not ours to hold; nor is its stderr, if nothing goes
 * there. */
static bool let_go(const struct supervisor *v)
{
	bool tells = false;
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < v->sink_count; i++)
		tells |= strcmp(v->sinks[i], "stderr") == 0;
	/* in a sandbox without devices: a socket, which holds nothing of the job either */
	if (nothing < 0)
		nothing = v->socket;
	for (int fd = 0; fd < FIRST_OTHER - tells; fd++)
		if (dup2(nothing, fd) != fd)
			return false;
	if (nothing != v->socket)
		close(nothing);
	return true;
}

/* ---- the listener ---- */

static bool say_wrapper(const struct supervisor *v, char byte)
{
	return send(v->socket, &byte, 1, MSG_NOSIGNAL) == 1;
}

/* NULL listener: the wrapper needs none, and there is nothing to say. */
static bool take_listener(struct supervisor *v)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	const struct cmsghdr *c;
	uint64_t nobody = 0;
	ssize_t n;

	do
		n = recvmsg(v->socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	c = CMSG_FIRSTHDR(&message);
	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof v->main.listener))
		return false;
	memcpy(&v->main.listener, CMSG_DATA(c), sizeof v->main.listener);
	/* a sandbox may have pretended; a listener knows that nobody waits under that number */
	return ioctl(v->main.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &nobody) != 0 &&
	    errno == ENOENT;
}

static bool prepare_answers(struct supervisor *v)
{
	struct seccomp_notif_sizes sizes;
	struct answerer *a[] = { &v->main, &v->deputy };

	if (syscall(__NR_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0) {
		say("the supervisor: %s", strerror(errno));
		return false;
	}
	for (size_t i = 0; i < 2; i++) {
		a[i]->request_size = sizes.seccomp_notif > sizeof *a[i]->request
		    ? sizes.seccomp_notif
		    : sizeof *a[i]->request;
		a[i]->reply_size = sizes.seccomp_notif_resp > sizeof *a[i]->reply
		    ? sizes.seccomp_notif_resp
		    : sizeof *a[i]->reply;
		a[i]->request = arena_get(v->arena, a[i]->request_size);
		a[i]->reply = arena_get(v->arena, a[i]->reply_size);
	}
	return true;
}

/* ---- answers ---- */

static bool still_waits(void *context)
{
	const struct answerer *a = context;

	return ioctl(a->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &a->request->id) == 0;
}

/*
 * The thread still waits for us while its id is valid, so its number is nobody else's. The signal
 * is there before the answer: nothing of the program runs in between. Where there is no /proc, or
 * one of another pid namespace, by which the number is a stranger's, or no descriptor left, kill(2)
 * takes a thread's number for its process's.
 */
static void kill_caller(const struct supervisor *v, struct answerer *a)
{
	int thread = (int)a->request->pid,
	    process = thread > 0 ? report_process(v->report, thread) : 0, fd;

	if (thread <= 0)
		return;
	fd = process > 0 ? (int)syscall(__NR_pidfd_open, process, 0) : -1;
	if (still_waits(a) &&
	    (fd < 0 || syscall(__NR_pidfd_send_signal, fd, SIGKILL, NULL, 0) != 0))
		kill(thread, SIGKILL);
	if (fd >= 0)
		close(fd);
}

/* The rule that decided, where it comes to the same as the program did: the list only explains. */
static void explain(
    const struct supervisor *v, const struct seccomp_data *d, uint32_t action, struct refusal *what)
{
	const struct image_rule *rule = image_decide(v->image, v->stage_index, d);

	if (rule == NULL || rule->action != action)
		return;
	what->file = image_note(v->image, rule->file);
	what->line = rule->line;
	what->by_floor = rule->whose == IMAGE_OF_FLOOR;
	what->by_stage = rule->whose == IMAGE_OF_STAGE;
	if (rule->line == 0)
		what->file = NULL;
}

/* What the program answers, as far as a listener can say it. What no sound program sends here is
 * refused like anything else. */
static uint32_t answer_of(uint32_t action)
{
	uint32_t value = action & SECCOMP_RET_DATA;
	enum { ERRNO_MAX = 4095 };

	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_KILL_PROCESS: return SECCOMP_RET_KILL_PROCESS;
	case SECCOMP_RET_USER_NOTIF: return SECCOMP_RET_ERRNO | ENOSYS; /* as without a listener */
	case SECCOMP_RET_ERRNO:
		if (value > 0 && value <= ERRNO_MAX)
			return action;
		/* fall through */
	default: return SECCOMP_RET_ERRNO | EPERM;
	}
}

static bool receive(struct answerer *a)
{
	memset(a->request, 0, a->request_size);
	return ioctl(a->listener, SECCOMP_IOCTL_NOTIF_RECV, a->request) == 0;
}

/* Always an error: the flag that would let a call go on is never set, for its memory may change
 * after we have looked. *sent: whoever asked still waited. False: the listener is of no use. */
static bool reply(struct answerer *a, uint32_t error, bool *sent)
{
	memset(a->reply, 0, a->reply_size);
	a->reply->id = a->request->id;
	a->reply->error = -(int)error;
	while (ioctl(a->listener, SECCOMP_IOCTL_NOTIF_SEND, a->reply) != 0) {
		*sent = false;
		if (errno != EINTR)
			return errno == ENOENT;
	}
	*sent = true;
	return true;
}

static bool carry_out(const struct supervisor *v, struct answerer *a, uint32_t action)
{
	bool kills = action == SECCOMP_RET_KILL_PROCESS, sent;

	if (kills)
		kill_caller(v, a);
	return reply(a, kills ? EPERM : action & SECCOMP_RET_DATA, &sent);
}

static bool is_wait(const struct seccomp_data *d)
{
	return d->arch == IMAGE_ARCH && d->nr == __NR_prctl && (uint32_t)d->args[0] == FENCE_WAIT;
}

static long futex(
    _Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *time)
{
	return syscall(__NR_futex, (uint32_t *)word, operation | FUTEX_PRIVATE_FLAG, value, time);
}

/* Tells of a call. Whatever is read for that is the job's: its memory, its files. */
static void tell(struct supervisor *v, uint32_t action, uint32_t image_action)
{
	const struct seccomp_notif *request = v->main.request;
	struct refusal what = { .stage = stage_name(v),
		.pid = (int)request->pid,
		.data = request->data,
		.action = action };

	explain(v, &request->data, image_action, &what);
	v->turn++;
	v->reporting = BY_MAIN;
	if (v->asleep != 0)
		futex(&v->turn, FUTEX_WAKE, 1, NULL);
	report_refusal(v->report, &what, still_waits, &v->main);
	v->reporting = BY_NOBODY;
	if (v->untold != 0)
		report_untold(v->report, atomic_exchange(&v->untold, 0));
}

/* One refused call; false: the listener is of no use any more. */
static bool answer(struct supervisor *v)
{
	struct answerer *a = &v->main;
	uint32_t image_action, action;
	bool sent;

	if (!receive(a))
		return errno == EINTR || errno == ENOENT; /* it died, or took the call back */
	if (is_wait(&a->request->data)) {
		if (!reply(a, v->answered ? EINVAL : FENCE_ANSWER, &sent))
			return false;
		v->answered |= sent;
		return true;
	}
	image_action = bpf_run(v->body, v->body_count, &a->request->data).action;
	action = answer_of(image_action);
	tell(v, action, image_action);
	return carry_out(v, a, action);
}

/* What the main thread would answer, and nothing is told. */
static void answer_silently(const struct supervisor *v, struct answerer *a)
{
	bool sent;

	if (is_wait(&a->request->data))
		reply(a, EINVAL, &sent);
	else
		carry_out(
		    v, a, answer_of(bpf_run(v->body, v->body_count, &a->request->data).action));
}

/* Until the main thread is back. */
static void stand_in(struct supervisor *v)
{
	enum { LOOK = 100 /* ms */, LAST_LOOKS = 20 };
	struct answerer *a = &v->deputy;
	unsigned looks = 0;
	struct pollfd p = { v->main.listener, POLLIN, 0 };
	uint32_t by = BY_MAIN;

	a->listener = v->main.listener;
	if (!atomic_compare_exchange_strong(&v->reporting, &by, BY_DEPUTY))
		return;
	memcpy(a->request, v->main.request, a->request_size);
	if (v->reporting != BY_DEPUTY)
		return;
	answer_silently(v, a);
	while (v->reporting == BY_DEPUTY) {
		if (poll(&p, 1, LOOK) < 0)
			continue;
		if (p.revents & POLLIN) {
			if (receive(a)) {
				v->untold += !is_wait(&a->request->data);
				answer_silently(v, a);
			}
		} else if (p.revents != 0) {
			/* the last one is gone, and with it mostly what the main thread waits for:
			 * its summary is worth a moment */
			if (++looks == LAST_LOOKS) {
				report_untold(v->report, v->untold + 1);
				_exit(0);
			}
			poll(NULL, 0, LOOK);
		}
	}
}

/*
 * The second thread. A job may have memory that is read as slowly as it likes (userfaultfd, a file
 * system of its own), and there the report gets stuck, where no signal but SIGKILL reaches it. If
 * one report takes longer than a second, this thread answers until it is done. It sleeps while
 * nothing is refused.
 */
static void *stand_by(void *context)
{
	struct supervisor *v = context;
	const struct timespec patience = { .tv_sec = 1 };
	_Atomic uint32_t never = 0;

	/* a sandbox may only have pretended to start a thread: then we are still the main one */
	if (syscall(__NR_gettid) == getpid())
		_exit(1);
	v->stands_by = 1;
	futex(&v->stands_by, FUTEX_WAKE, 1, NULL);
	for (;;) {
		uint32_t turn = v->turn;

		futex(&never, FUTEX_WAIT, 0, &patience);
		if (v->turn != turn)
			continue;
		if (v->reporting != BY_NOBODY) {
			stand_in(v);
			continue;
		}
		v->asleep = 1;
		futex(&v->turn, FUTEX_WAIT, turn, NULL);
		v->asleep = 0;
	}
	return NULL;
}

/* Before we are confined, so that what a thread does at its start need not be allowed. */
static bool start_deputy(struct supervisor *v)
{
	enum { STACK = 64 << 10 };
	const struct timespec patience = { .tv_nsec = 10000000 };
	pthread_attr_t attributes;
	pthread_t thread;
	int error = pthread_attr_init(&attributes);

	if (error == 0)
		error = pthread_attr_setstacksize(&attributes, STACK);
	if (error == 0)
		error = pthread_create(&thread, &attributes, stand_by, v);
	if (error != 0) {
		say("the supervisor: %s", strerror(error));
		return false;
	}
	while (v->stands_by == 0) /* a call that wakes us may fail */
		futex(&v->stands_by, FUTEX_WAIT, 0, &patience);
	return true;
}

/*
 * Until the last confined process is gone. The job's own standard error is let go when the command
 * ends: a runner reads a job's log to its end, and a daemon that the job left behind, which has let
 * go of the log itself, must not keep the runner waiting through us.
 */
static void serve(struct supervisor *v)
{
	/* Linux 6.6: whoever is answered runs on this processor at once; a third of the time */
	enum { SYNC_WAKE_UP = 1 };
	struct pollfd p[] = { { v->main.listener, POLLIN, 0 }, { v->command, POLLIN, 0 } };

	ioctl(v->main.listener, _IOW('!', 4, uint64_t), SYNC_WAKE_UP);
	for (;;) {
		if (poll(p, sizeof p / sizeof p[0], -1) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (p[0].revents & POLLIN) {
			if (!answer(v))
				return;
		} else if (p[0].revents != 0)
			return;
		if (p[1].revents != 0) {
			report_let_go(v->report);
			close(FIRST_OTHER - 1); /* standard error */
			p[1].fd = -1;
		}
	}
}

/* ---- all of it ---- */

/* The process that becomes the command; it has made both ends of the socket. */
static int wrapper_of(const struct supervisor *v)
{
	struct ucred wrapper = { .pid = 0 };
	socklen_t length = sizeof wrapper;

	getsockopt(v->socket, SOL_SOCKET, SO_PEERCRED, &wrapper, &length);
	return wrapper.pid;
}

static bool open_sinks(struct supervisor *v, int image, const char *file, const char *annotate)
{
	const char *sink, *annotations[] = { annotate[0] != '\0' ? annotate : NULL, NULL };

	if (!list_sinks(v, image))
		return false;
	if (file[0] != '\0') {
		sink = open_file(v, file);
		if (sink == NULL)
			return false;
		v->sinks[v->sink_count++] = sink;
	}
	close_others(v);
	v->report = report_open(
	    v->sinks, v->sink_count, stage_name(v), annotations[0] != NULL ? annotations : NULL);
	if (v->report != NULL && wrapper_of(v) > 0) {
		report_within(v->report, wrapper_of(v));
		v->command = (int)syscall(__NR_pidfd_open, wrapper_of(v), 0);
	}
	return v->report != NULL;
}

static bool supervise(struct supervisor *v, char **argv, const char *folder)
{
	bool has_agent;
	char *text = NULL, byte;
	size_t size = 0;

	if (!settle() ||
	    !read_image(v, atoi(argv[1]), (uint32_t)strtoul(argv[2], NULL, 10),
		(uint32_t)strtoul(argv[3], NULL, 10)) ||
	    !prepare_answers(v))
		return false;
	has_agent = (v->stage->flags & STAGE_AGENT) != 0;
	if (has_agent) {
		v->agent = agent_connect(stage_name(v), image_string(v->image, v->stage->agent));
		if (v->agent < 0)
			return false;
		text = agent_state(v->arena, stage_name(v),
		    image_string(v->image, v->stage->metadata), wrapper_of(v), folder, &size);
		close_others(v);
	} else if (!open_sinks(v, atoi(argv[1]), argv[4], argv[5]))
		return false;
	if ((!has_agent && (!let_go(v) || !start_deputy(v))) || !confine_self())
		return false;
	/* nothing more to say where the wrapper goes its way without us */
	if (!say_wrapper(v, SUPERVISE_GOOD) || !take_listener(v))
		return true;
	if (has_agent)
		return agent_give(stage_name(v), v->agent, v->main.listener, text, size) &&
		    say_wrapper(v, SUPERVISE_GOOD);
	if (!say_wrapper(v, SUPERVISE_GOOD))
		return true;
	/* until the wrapper's helper has nothing left to do but to go */
	while (read(v->socket, &byte, 1) < 0 && errno == EINTR)
		;
	close(v->socket);
	serve(v);
	report_close(v->report);
	return true;
}

bool notify_supervise(char **argv)
{
	struct supervisor v = { .arena = arena_new(),
		.socket = atoi(argv[0]),
		.agent = -1,
		.command = -1,
		.main = { .listener = -1 } };
	char folder[PATH_MAX];
	bool good;

	say_program = "stagefence";
	if (getcwd(folder, sizeof folder) == NULL)
		strcpy(folder, "/");
	good = supervise(&v, argv, folder);
	if (!good)
		say_wrapper(&v, SUPERVISE_REFUSED);
	/* what we still hold goes with us, whatever exit(3) would like to do */
	_exit(good ? 0 : 1);
}
