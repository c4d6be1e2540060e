/*
 * live -p                  a policy, for stagefencectl compile
 * live GROUPS CONF IMAGE [LAST]   every call number (up to LAST), under every action, on the
 * running kernel
 *
 * Each number from 0 to the newest that the tables know, and some past it, is executed once without
 * a filter and once under allow, log, errno, kill_process and notify, each time in a child of its
 * own under a program of IMAGE; what happens must be what policy_decide() says of CONF. Each
 * program of the policy gives every number another action than its neighbours, so a filter that is
 * off by one is seen, too. Arguments are such that no call does anything, and root's children are
 * nobody before; numbers that would do something all the same are listed and left out, and so are
 * those that the kernel lets past every filter. Prints figures; exit status 1: something is wrong.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include "../preload/fence.h"
#include "../wrapper/calls.h"
#include "../wrapper/conf.h"
#include "../wrapper/mem.h"
#include "../wrapper/policy.h"

/* younger than EL 8's headers */
#ifndef __NR_close_range
#define __NR_close_range 436
#endif

enum {
	PAST = 10,
	NOBODY = 65534,
	OURS = 3999,
	SUPERVISORS = 3998,
	ACTIONS = 5,
	LOST = 0x7fffffff,
	LISTENER_SIZE = 32
};

static const char *const actions[ACTIONS] = { "allow", "log", "errno", "kill_process", "notify" };

/* What is executed in no child, and why. */
static const struct {
	const char *name, *why;
} left_out[] = {
	{ "sync", "it would write every disk of the machine, which takes as long as it takes" },
};

/* What happened in a child. */
struct outcome {
	volatile int begun, returned, listener;
	volatile long result;
	int status; /* of waitpid(2), where it did not return */
};

static uint32_t newest(void)
{
	int last = 0;

	for (size_t i = 0; i < call_count(); i++)
		if (call_at(i)->nr[abi_native()] > last)
			last = call_at(i)->nr[abi_native()];
	return (uint32_t)last;
}

/* The child's own way out; it has stages of its own. */
static bool is_way_out(const struct call *c)
{
	return c != NULL && strcmp(c->name, "exit_group") == 0;
}

/* ---- the policy ---- */

/* Stage mK: number N has action (N + K) % 5. Stage eK: only exit_group has one. */
static void print_policy(void)
{
	printf("version = 1;\nstages = (\n");
	for (unsigned k = 0; k < 2 * ACTIONS; k++) {
		bool mixed = k < ACTIONS;

		printf("%s  { name = \"%c%u\"; tsync = false; listener = \"/nobody.sock\"; rules = (\n", k > 0 ? ",\n" : "",
		    mixed ? 'm' : 'e', k % ACTIONS);
		for (unsigned a = 0; a < ACTIONS; a++) {
			const char *comma = "";

			if (!mixed && a != k % ACTIONS)
				continue;
			printf("    { exact = true; action = \"%s\";", actions[a]);
			if (strcmp(actions[a], "errno") == 0)
				printf(" errno = %d;", OURS);
			printf(" calls = [");
			for (size_t i = 0; i < call_count(); i++) {
				const struct call *c = call_at(i);

				if (c->nr[abi_native()] < 0 || is_way_out(c) == mixed ||
				    (mixed && ((unsigned)c->nr[abi_native()] + k) % ACTIONS != a))
					continue;
				printf("%s \"%s\"", comma, c->name);
				comma = ",";
			}
			printf(" ]; }%s\n", mixed && a + 1 < ACTIONS ? "," : "");
		}
		printf("  ); }");
	}
	printf("\n);\n");
}

/* ---- a child ---- */

/* Bad pointers, descriptors, processes, flags; where that would do something, other arguments. */
static void arguments(const struct call *c, long args[6])
{
	for (unsigned i = 0; i < 6; i++)
		args[i] = -1;
	/* -1 as flags would make a queue that outlives us */
	if (c != NULL && strcmp(c->name, "msgget") == 0)
		args[1] = 0;
	/* what a new process or thread would need */
	if (c != NULL && (strcmp(c->name, "kill") == 0 || strcmp(c->name, "tkill") == 0))
		args[0] = INT32_MAX;
}

#if defined(__x86_64__)
/* As make_call(); a new process ends in here: it may have our stack. */
static long make_process(long nr)
{
	long result;

	__asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\tmov $231, %%eax\n\txor %%edi, "
			 "%%edi\n\tsyscall\n"
			 "\tmov $60, %%eax\n\tsyscall\n\tud2\n1:"
			 : "=a"(result)
			 : "0"(nr)
			 : "rcx", "r11", "rdi", "memory");
	return result;
}
#endif

static _Noreturn void child(struct outcome *o, long nr, const struct call *c,
    const struct sock_filter *code, uint32_t count)
{
	struct {
		unsigned short len;
		const struct sock_filter *filter;
	} program = { (unsigned short)count, code };
	const struct rlimit none = { 0, 0 };
	struct itimerval limit = { .it_value = { .tv_sec = 20 } };
	long args[6], result;

	if (geteuid() == 0 &&
	    (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
		setresuid(NOBODY, NOBODY, NOBODY) != 0))
		_exit(99);
	setsid();
	setrlimit(RLIMIT_CORE, &none);
	/* waits for ever, and nobody else does */
	if (c != NULL && strcmp(c->name, "pause") == 0)
		limit.it_value = (struct timeval){ .tv_usec = 100000 };
	setitimer(ITIMER_REAL, &limit, NULL);
	arguments(c, args);
	if (raw_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		_exit(99);
	o->begun = 1;
	if (code != NULL) {
		result = raw_call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_NEW_LISTENER, (long)&program);
		o->listener = (int)result;
		if (result < 0) {
			o->begun = 0;
			raw_exit(98);
		}
	}
#if defined(__x86_64__)
	if (nr == __NR_fork || nr == __NR_vfork)
		result = make_process(nr);
	else
#endif
		result = raw_call6(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
	o->result = result;
	o->returned = 1;
	raw_call3(__NR_exit_group, 0, 0, 0);
	for (;;)
		__builtin_trap(); /* where exit_group is what was tried */
}

/* Answers the one call that is notified. */
static void supervise(struct outcome *o, pid_t pid)
{
	_Alignas(8) struct seccomp_notif in;
	struct seccomp_notif_resp out = { .error = -SUPERVISORS };
	struct pollfd p = { .events = POLLIN };
	siginfo_t info;

	/* in a moment; or it has ended before */
	while (o->listener < 0) {
		info.si_pid = 0;
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
		    info.si_pid == pid)
			return;
		sched_yield();
	}
	p.fd = o->listener;
	while (poll(&p, 1, 20000) > 0 && (p.revents & POLLIN)) {
		memset(&in, 0, sizeof in);
		if (ioctl(p.fd, SECCOMP_IOCTL_NOTIF_RECV, &in) != 0)
			continue;
		out.id = in.id;
		ioctl(p.fd, SECCOMP_IOCTL_NOTIF_SEND, &out);
	}
}

static bool execute(struct outcome *shared, long nr, const struct call *c,
    const struct sock_filter *code, uint32_t count)
{
	int next = dup(0);
	pid_t pid;

	memset(shared, 0, sizeof *shared);
	shared->listener = -1;
	close(next);
	fflush(stdout);
	/* one table of descriptors: so the listener is ours without being handed over */
	pid = (pid_t)raw_call6(__NR_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0, 0);
	if (pid == 0)
		child(shared, nr, c, code, count);
	if (pid < 0)
		return false;
	if (code != NULL)
		supervise(shared, pid);
	if (waitpid(pid, &shared->status, 0) != pid)
		return false;
	raw_call3(__NR_close_range, next, -1, 0); /* the listener, and what the call made */
	return shared->begun;
}

/* ---- judging ---- */

static bool same_as_bare(const struct outcome *bare, const struct outcome *o)
{
	if (o->returned != bare->returned)
		return false;
	if (!o->returned)
		return o->status == bare->status;
	/* numbers of processes and times differ; errors do not */
	return o->result == bare->result || (o->result >= 0 && bare->result >= 0) ||
	    (o->result < -4095 && bare->result < -4095);
}

static bool as_decided(uint32_t action, const struct outcome *bare, const struct outcome *o)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG: return same_as_bare(bare, o);
	case SECCOMP_RET_ERRNO:
		return o->returned && o->result == -(long)(action & SECCOMP_RET_DATA);
	case SECCOMP_RET_USER_NOTIF: return o->returned && o->result == -SUPERVISORS;
	case SECCOMP_RET_KILL_PROCESS:
		return !o->returned && WIFSIGNALED(o->status) && WTERMSIG(o->status) == SIGSYS;
	default: return false;
	}
}

static const char *said(const struct outcome *o)
{
	static char text[64];

	if (o->returned)
		snprintf(text, sizeof text, "returned %ld", o->result);
	else if (WIFSIGNALED(o->status))
		snprintf(text, sizeof text, "died of signal %d", WTERMSIG(o->status));
	else
		snprintf(text, sizeof text, "ended with %d", WEXITSTATUS(o->status));
	return text;
}

static const char *why_left_out(const struct call *c, uint32_t nr)
{
	for (size_t i = 0; c != NULL && i < sizeof left_out / sizeof left_out[0]; i++)
		if (strcmp(c->name, left_out[i].name) == 0)
			return left_out[i].why;
#if defined(__x86_64__)
	if (nr == 335 || nr == 336)
		return "the kernel lets it past every filter: it is its own probes' way back";
#else
	(void)nr;
#endif
	return NULL;
}

static const struct image_header *map_image(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	const void *data;

	if (fd < 0 || fstat(fd, &st) != 0)
		return NULL;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return data != MAP_FAILED && image_check(data, (size_t)st.st_size) == IMAGE_GOOD ? data
											 : NULL;
}

int main(int argc, char **argv)
{
	struct outcome *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0),
		       bare;
	struct arena *a = arena_new();
	struct sources sources;
	const struct policy *p;
	const struct image_header *h;
	unsigned long executed = 0, wrong = 0, numbers = 0, by_action[ACTIONS] = { 0 }, unknown = 0,
		      absent = 0;
	uint32_t last = newest() + PAST;

	if (argc == 2 && strcmp(argv[1], "-p") == 0) {
		print_policy();
		return 0;
	}
	if (argc != 4 && argc != 5)
		return 2;
	p = conf_read(a, argv[2], argv[1], &sources);
	h = map_image(argv[3]);
	if (p == NULL || h == NULL || shared == MAP_FAILED)
		return 2;
	if (argc == 5)
		last = (uint32_t)strtoul(argv[4], NULL, 10);
	for (uint32_t nr = 0; nr <= last; nr++) {
		const struct call *c = call_numbered(abi_native(), nr);
		const char *why = why_left_out(c, nr), *name = c != NULL ? c->name : "no call";

		if (why != NULL) {
			printf("# %u (%s) is not executed: %s\n", nr, name, why);
			continue;
		}
		if (!execute(shared, nr, c, NULL, 0)) {
			printf("# %u (%s): no child could be started\n", nr, name);
			wrong++;
			continue;
		}
		memcpy(&bare, shared, sizeof bare);
		numbers++;
		absent += bare.returned && bare.result == -ENOSYS;
		for (unsigned k = 0; k < ACTIONS; k++) {
			const uint32_t stage = is_way_out(c) ? k + ACTIONS : k;
			const struct image_program *program = image_program(
			    h, image_stage(h, stage)->exact);
			struct seccomp_data d = { .nr = (int)nr, .arch = IMAGE_ARCH };
			uint32_t want;

			arguments(c, (long *)d.args);
			want = policy_decide(p, p->stages[stage], &d).action;
			if (strcmp(image_string(h, image_stage(h, stage)->name),
				p->stages[stage]->own.name) != 0)
				abort();
			executed++;
			if (c != NULL)
				by_action[is_way_out(c) ? k : (nr + k) % ACTIONS]++;
			else
				unknown++;
			if (execute(shared, nr, c, image_code(h, program), program->count) &&
			    as_decided(want, &bare, shared))
				continue;
			printf("# %u (%s) in stage %s: %#x was decided, and it %s", nr, name,
			    p->stages[stage]->own.name, want, said(shared));
			printf("; without a filter it %s\n", said(&bare));
			wrong++;
		}
	}
	printf("%lu executed, %lu wrong: %lu numbers from 0 to %u (%lu of them this kernel does "
	       "not have)",
	    executed, wrong, numbers, last, absent);
	for (unsigned k = 0; k < ACTIONS; k++)
		printf("%s %s %lu", k > 0 ? "," : " under", actions[k], by_action[k]);
	printf(
	    ", of no call %lu; %lu not executable\n", unknown, (unsigned long)last + 1 - numbers);
	return wrong == 0 && executed > 0 ? 0 : 1;
}
