/*
 * report.h: what a refusal says. One line for each kind of refused call, in the job's own log and
 * wherever else the policy's report names; repeats are counted.
 *
 *	stagefence: build: mkdir("out", 0777) -> EPERM, by mkdir[4711] at job.sh:31 (job.conf:42)
 *
 * For the supervisor, which answers whatever happens here: a sink that is stuck, full or gone costs
 * a line, and at most some 50 ms. Only memory that a job's own page faults serve (userfaultfd,
 * FUSE) can hold report_refusal() up for longer: somebody else must answer then.
 *
 * After report_open() these system calls are made, and no others: openat, read, pread64, close,
 * newfstatat, fstat, process_vm_readv, write, sendto, poll (ppoll), clock_gettime, getpid; no
 * memory is allocated. report_close() also gives memory back (munmap, brk).
 */
#ifndef STAGEFENCE_REPORT_H
#define STAGEFENCE_REPORT_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One refused call, as the supervisor saw it. What it points to stays where it is until the report
 * is closed. */
struct refusal {
	int pid;                  /* thread, in the supervisor's pid namespace: seccomp_notif.pid */
	struct seccomp_data data; /* arch, nr, args, instruction pointer */
	uint32_t action;          /* SECCOMP_RET_*, errno in its low bits: what is answered */
	const char *stage;
	const char *file; /* the rule that decided; NULL: none */
	unsigned line;
	bool by_floor;    /* it decided whatever the stage says */
	bool by_stage;    /* it is the stage's own: another has to stand in its place */
	const char *hint; /* how to allow it, in place of the usual words; or NULL */
};

struct report;

/*
 * sinks: "stderr", "/abs/file", "fd:N", "json:/abs/file", "json:fd:N", "syslog", "journal"; the
 * last two also with the path of a socket, "syslog:/run/log.sock". annotate: "github", "gitlab", up
 * to a NULL; or NULL. NULL is returned where it has been said why not. Everything that it will ever
 * need is opened here. SIGPIPE and SIGXFSZ are ignored from now on.
 */
struct report *report_open(
    const char *const *sinks, size_t count, const char *stage, const char *const *annotate);

/* The outermost process of the fence: no bash above it is named. Else it is the parent of the
 * process that called report_open(). */
void report_within(struct report *r, int pid);

/*
 * still(context): is the call still pending? Asked after memory was read and before it is believed,
 * for ids and pids are recycled. NULL: it is.
 */
void report_refusal(
    struct report *r, const struct refusal *what, bool (*still)(void *), void *context);

/* The process of a thread, by the /proc that report_open() found to be ours; 0: not known. Any
 * thread may ask, at any time. */
int report_process(const struct report *r, int thread);

/* So many more calls were refused, by somebody else, while report_refusal() was held up. For lines
 * only while that still is so. */
void report_untold(struct report *r, uint64_t count);

/* The summary to the descriptors that were the job's, unless they are regular files, and nothing
 * more: whoever reads a pipe waits until all have closed it. */
void report_let_go(struct report *r);

void report_close(struct report *r); /* the summary; NULL is good */

#endif
