/*
 * report-drive [OPTION...] COMMAND [ARG...]: runs COMMAND with some calls refused and told by report.c, without any policy:
 * a listener of its own, as simple as one can be.
 *
 *	-s SINK		where to, again for more (stderr)
 *	-a WORD		annotations for github or gitlab
 *	-n NAME		the stage (build)
 *	-c CALL,...	the calls that are refused (mkdir,mkdirat)
 *	-e ERRNO	what they answer (EPERM); kill: SIGKILL, told as kill_process
 *	-f FILE		where the rule is, in its line 42 (job.conf); "" for none
 *	-H TEXT		the hint that a policy would give
 *	-i		i386's calls of these names as well
 *	-w MS		waits so long before it reports
 *	-t		says on standard output how long a report takes
 *	-O		says that the fence begins with the caller
 *	-g N		from the Nth time on that it is asked, the caller has gone
 *	-C		only looks whether each word of decode.def is known
 *
 * Exits as COMMAND does, 128 and the signal that ended it included.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../wrapper/calls.h"
#include "../../wrapper/consts.h"
#include "../../wrapper/decode.h"
#include "../../wrapper/report.h"

/* younger than EL 8's headers */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

enum { CALLS_MAX = 64, SINKS = 8, TIMES = 1 << 17 };

static const char *sinks[SINKS], *annotate[] = { NULL, NULL }, *names = "mkdir,mkdirat";
static size_t sink_count;
static struct refusal what = { .stage = "build", .file = "job.conf", .line = 42, .by_stage = true, .action = SECCOMP_RET_ERRNO | EPERM };
static bool i386, timed, nowhere;
static int wait_ms, gone, asked;

static struct sock_filter code[8 + 2 * CALLS_MAX];
static unsigned short count;

static void emit(unsigned short c, unsigned char jt, unsigned char jf, unsigned k)
{
	code[count++] = (struct sock_filter){ c, jt, jf, k };
}

static void emit_abi(enum abi abi)
{
	char list[512], *save, *name;
	unsigned short jump;

	snprintf(list, sizeof list, "%s", names);
	jump = count;
	emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, abi_audit_arch(abi));
	emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	for (name = strtok_r(list, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
		const struct call *c = call_named(name);
		unsigned nr = c != NULL ? (unsigned)c->nr[abi] : (unsigned)atoi(name);

		if (nr == (unsigned)-1 || count > 2 * CALLS_MAX)
			continue;
		emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, nr);
		emit(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF);
	}
	emit(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	code[jump].jf = (unsigned char)(count - jump - 1);
}

static void run(char **command, volatile int *hand)
{
	struct sock_fprog program;

	emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	emit_abi(abi_native());
	if (i386)
		emit_abi(ABI_I386);
	emit(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	program = (struct sock_fprog){ count, code };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	*hand = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	while (*hand != -2)
		if (*hand == -1)
			_exit(125);
	execvp(command[0], command);
	_exit(127);
}

static int listener;

static bool still(void *id)
{
	return (gone == 0 || ++asked < gone) && ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, id) == 0;
}

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const long long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static long long times[TIMES];
static size_t time_count;

static void serve(struct report *r)
{
	struct seccomp_notif in;
	struct seccomp_notif_resp out;
	struct pollfd p = { .fd = listener, .events = POLLIN };

	for (;;) {
		long long begin;

		if (poll(&p, 1, -1) < 0 || (p.revents & POLLIN) == 0)
			return;
		memset(&in, 0, sizeof in);
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &in) != 0)
			continue;
		what.pid = (int)in.pid;
		what.data = in.data;
		if (nowhere)
			report_within(r, what.pid);
		if (wait_ms > 0)
			usleep((unsigned)wait_ms * 1000);
		begin = now();
		report_refusal(r, &what, still, &in.id);
		if (time_count < TIMES)
			times[time_count++] = now() - begin;
		if (what.action == SECCOMP_RET_KILL_PROCESS)
			kill((int)in.pid, SIGKILL);
		memset(&out, 0, sizeof out);
		out.id = in.id;
		out.error = what.action == SECCOMP_RET_KILL_PROCESS ? -EPERM : -(int)(what.action & SECCOMP_RET_DATA);
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &out);
	}
}

static int begin(char **command)
{
	volatile int *hand = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int pid, pidfd;

	*hand = -3;
	pid = fork();
	if (pid == 0)
		run(command, hand);
	while (*hand == -3)
		usleep(100);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	listener = *hand < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, *hand, 0);
	if (listener < 0) {
		perror("report-drive: listener");
		kill(pid, SIGKILL);
		exit(125);
	}
	close(pidfd);
	*hand = -2;
	return pid;
}

static void options(int argc, char **argv)
{
	for (int o; (o = getopt(argc, argv, "+s:a:n:c:e:f:H:iw:tOg:C")) != -1;) {
		unsigned number;

		switch (o) {
		case 's': sinks[sink_count++ % SINKS] = optarg; break;
		case 'a': annotate[0] = optarg; break;
		case 'n': what.stage = optarg; break;
		case 'c': names = optarg; break;
		case 'e':
			if (strcmp(optarg, "kill") == 0)
				what.action = SECCOMP_RET_KILL_PROCESS;
			else if (const_errno(optarg, &number))
				what.action = SECCOMP_RET_ERRNO | number;
			break;
		case 'f': what.file = *optarg != '\0' ? optarg : NULL; break;
		case 'H': what.hint = optarg; break;
		case 'i': i386 = true; break;
		case 'w': wait_ms = atoi(optarg); break;
		case 't': timed = true; break;
		case 'O': nowhere = true; break;
		case 'g': gone = atoi(optarg); break;
		case 'C':
			if (decode_check() != NULL)
				puts(decode_check());
			exit(decode_check() != NULL);
		default: exit(125);
		}
	}
	if (sink_count == 0)
		sinks[sink_count++] = "stderr";
}

/* What is ours in KiB, page by page: the kernel's quick count is off by some hundred, and has the libraries' pages, too. */
static long own_memory(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	long size = -1;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "Anonymous: %ld kB", &size) == 1)
			break;
	if (f == NULL || size < 0)
		exit(125);
	fclose(f);
	return size;
}

int main(int argc, char **argv)
{
	struct report *r;
	long before, after;
	int pid, status;

	options(argc, argv);
	r = report_open(sinks, sink_count, what.stage, annotate);
	if (r == NULL)
		return 125;
	pid = begin(argv + optind);
	report_within(r, pid);
	memset(times, 1, sizeof times); /* its pages are not the report's */
	before = own_memory();
	serve(r);
	after = own_memory();
	report_close(r);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (timed && time_count > 0) {
		long long first = times[0];

		qsort(times, time_count, sizeof times[0], compare);
		printf("%zu reports, first %lld ns, median %lld ns, 99%% %lld ns, memory +%ld KiB\n", time_count, first,
		    times[time_count / 2], times[time_count * 99 / 100], after - before);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
