/*
 * gitlab.c: GitLab Runner's custom executor (its docs/executors/custom.md).
 *
 * The runner calls `run SCRIPT SUB-STAGE` once for each part of a job. The sub-stage stands in
 * argv, where no job can write; everything that a job may set arrives as CUSTOM_ENV_*, and is not
 * looked at. The shell runs under stagefence(1) as our child, because the runner takes a driver
 * that a signal killed for a failure of its own: what the fence does to a job has to come back as
 * the job's.
 */
#include "gitlab.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../preload/image.h"
#include "json.h"
#include "mem.h"
#include "policy.h"
#include "say.h"
#include "tree.h"
#include "version.h"

enum { BUILD_FAILURE = 1, SYSTEM_FAILURE = 2, RESPONSE_MAX = 4 << 20 };

/* What the runner calls a failure of this kind. */
static int failure(const char *variable, int otherwise)
{
	const char *text = getenv(variable);
	char *end;
	long code = text == NULL ? 0 : strtol(text, &end, 10);

	return text != NULL && *text != '\0' && *end == '\0' && code > 0 && code < 256 ? (int)code
										       : otherwise;
}

static int system_failure(void)
{
	return failure("SYSTEM_FAILURE_EXIT_CODE", SYSTEM_FAILURE);
}

/* ---- the stage ---- */

static bool any_stage_answers(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->stage_count; i++)
		for (size_t k = 0; !p->stages[i]->is_profile && k < p->stages[i]->pattern_count;
		     k++)
			if (image_match(p->stages[i]->patterns[k], name))
				return true;
	return false;
}

static bool asks_for_ci_stage(const struct policy *p)
{
	for (size_t i = 0; i < p->stage_count; i++)
		for (size_t k = 0; k < p->stages[i]->pattern_count; k++)
			if (strchr(p->stages[i]->patterns[k], '@') != NULL)
				return true;
	return false;
}

/*
 * The job's own stage, as the server told the runner. The file is the runner's, and nobody else
 * may have written it: CUSTOM_ENV_CI_JOB_STAGE would be any job's to forge. NULL: it has been said.
 */
static const char *ci_stage(struct arena *a)
{
	const char *path = getenv("JOB_RESPONSE_FILE");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	const struct tree *t;
	ssize_t n;
	char *text;

	if (fd < 0) {
		say("%s: %s", path != NULL ? path : "JOB_RESPONSE_FILE",
		    path != NULL ? strerror(errno) : "the runner has not set it");
		return NULL;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > RESPONSE_MAX ||
	    (st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & 022) != 0) {
		say("%s: is not a file of the runner's own", path);
		close(fd);
		return NULL;
	}
	text = arena_get(a, (size_t)st.st_size + 1);
	n = pread(fd, text, (size_t)st.st_size, 0);
	close(fd);
	t = n < 0 ? NULL : tree_read(a, path, text, (size_t)n);
	if (t == NULL)
		return NULL;
	t = tree_member(tree_member(t, "job_info"), "stage");
	if (t == NULL || t->type != TREE_TEXT) {
		say("%s: names no job_info.stage", path);
		return NULL;
	}
	return t->text;
}

/* The name that the policy is asked for: SUB-STAGE, or SUB-STAGE@CI-STAGE where a stage answers to
 * that. NULL: it has been said. */
static const char *stage_name(const struct gitlab *g, const char *sub_stage, struct arena *a)
{
	const char *ci, *both;

	if (!asks_for_ci_stage(g->policy))
		return sub_stage;
	ci = ci_stage(a);
	if (ci == NULL)
		return NULL;
	both = arena_format(a, "%s@%s", sub_stage, ci);
	return any_stage_answers(g->policy, both) ? both : sub_stage;
}

/* ---- the child ---- */

static volatile sig_atomic_t child;

/* The runner signals its whole process group, the shell included; whoever signals us alone means
 * the job as well. */
static void pass_on(int number)
{
	int saved = errno;

	if (child > 0)
		kill((pid_t)child, number);
	errno = saved;
}

static void set_signals(void (*handler)(int))
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaction(numbers[i], &action, NULL);
}

/* A file of /proc/PID, as text. */
static void read_of(pid_t pid, const char *what, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
}

/* How many filters hold it; before Linux 5.9 whether any does. */
static int filters(pid_t pid)
{
	char text[4096];
	static const char *const keys[] = { "\nSeccomp_filters:\t", "\nSeccomp:\t" };
	const char *at;

	read_of(pid, "status", text, sizeof text); /* a name in it has no line end */
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		at = strstr(text, keys[i]);
		if (at != NULL)
			return atoi(at + strlen(keys[i]));
	}
	return 0;
}

static bool is_called(pid_t pid, const char *path)
{
	char name[32];
	const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;

	read_of(pid, "comm", name, sizeof name);
	name[strcspn(name, "\n")] = '\0';
	return name[0] != '\0' && strncmp(name, base, 15) == 0; /* TASK_COMM_LEN, with its NUL */
}

/*
 * Did stagefence end before it became the command? Its 125 to 127 are then our failures and not the
 * job's, which may give the same. A zombie still has its name and its filters. The name alone would
 * be any job's to take: who is fenced can be the job, and too many failures of ours take a runner
 * out of service.
 */
static bool never_executed(pid_t pid, const char *wrapper)
{
	return filters(pid) <= filters(getpid()) &&
	    (is_called(pid, wrapper) || is_called(pid, "stagefencectl"));
}

/* Runs it; false: it never began, or ended as no job does. *status is a shell's $?. */
static bool run_confined(const struct gitlab *g, char *const *argv, int *status, bool *signalled)
{
	siginfo_t info;
	pid_t parent = getpid(), pid;
	bool own;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		say("fork: %s", strerror(errno));
		return false;
	}
	if (pid == 0) {
		/* the runner's last word is SIGKILL, which cannot be passed on */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(system_failure());
		execv(g->wrapper, argv);
		say("%s: %s", g->wrapper, strerror(errno));
		_exit(RAW_OUR_FAILURE);
	}
	child = pid;
	set_signals(pass_on);
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) != 0)
		if (errno != EINTR)
			die("waitid: %s", strerror(errno));
	*signalled = info.si_code != CLD_EXITED;
	*status = *signalled ? 128 + info.si_status : info.si_status;
	own = !*signalled && *status >= RAW_OUR_FAILURE && *status <= 127 &&
	    never_executed(pid, g->wrapper);
	child = 0;
	waitpid(pid, NULL, 0);
	return !own;
}

/*
 * Never cleared by the runner, and one for all calls: what is not written is the last call's. It
 * lies where the job may put a link or a pipe in its place, and we are not confined.
 */
static bool write_exit_code(int status)
{
	const char *path = getenv("BUILD_EXIT_CODE_FILE"), *why = NULL;
	char text[16];
	struct stat st;
	int fd, n = snprintf(text, sizeof text, "%d\n", status);

	if (path == NULL)
		return true;
	fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
	if (fd >= 0 && fstat(fd, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_nlink != 1))
		why = "is no regular file of one name";
	else if (fd < 0 || ftruncate(fd, 0) != 0 || write(fd, text, (size_t)n) != n)
		why = strerror(errno);
	if (fd >= 0)
		close(fd);
	if (why != NULL)
		say("%s: %s", path, why);
	return why == NULL;
}

/* ---- the runner's four ---- */

/* words: a driver's or none, then SCRIPT and SUB-STAGE. */
static int run(const struct gitlab *g, char **words, struct arena *a)
{
	size_t count = 0, n = 0;
	const char **argv, *stage;
	bool driver, signalled;
	int status;

	if (words[0] != NULL && strcmp(words[0], "--") == 0)
		words++;
	while (words[count] != NULL)
		count++;
	if (count < 2) {
		say("gitlab run: the runner adds SCRIPT and SUB-STAGE, and they are not there");
		return system_failure();
	}
	driver = count > 2;
	stage = g->policy == NULL ? NULL : stage_name(g, words[count - 1], a);
	if (stage == NULL)
		return system_failure();
	argv = arena_array(a, count + 8, sizeof *argv);
	argv[n++] = "stagefence";
	if (g->conf != NULL) {
		argv[n++] = "-c";
		argv[n++] = g->conf;
	}
	argv[n++] = "-s";
	argv[n++] = stage;
	argv[n++] = "--";
	if (driver) {
		memcpy(argv + n, words, count * sizeof *argv);
		n += count;
	} else {
		/* whatever its first line says: the runner writes for this shell */
		argv[n++] = "bash";
		argv[n++] = words[0];
	}
	argv[n] = NULL;
	if (!run_confined(g, (char *const *)(uintptr_t)argv, &status, &signalled)) {
		write_exit_code(status);
		return system_failure();
	}
	/* a driver speaks the runner's language itself, until a signal ends it */
	if (driver && !signalled)
		return status;
	if (!write_exit_code(status))
		return system_failure();
	if (signalled)
		say("%s: the script was killed by signal %d (%s)%s", stage, status - 128,
		    strsignal(status - 128),
		    status - 128 == SIGSYS ? ": a system call that the policy kills for" : "");
	return status == 0 ? 0 : failure("BUILD_FAILURE_EXIT_CODE", BUILD_FAILURE);
}

static int config(void)
{
	struct json j = { .out = stdout };

	json_object(&j, NULL);
	json_object(&j, "driver");
	json_text(&j, "name", "stagefence");
	json_text(&j, "version", VERSION);
	json_close(&j);
	json_close(&j);
	return 0;
}

/* Is all there that `run` needs? Said before the job has begun, where the runner tries again. */
static int prepare(const struct gitlab *g, struct arena *a)
{
	const char *argv[] = { "stagefence", "-s", "prepare_script", "--", "bash", "-c", ":", NULL,
		NULL, NULL };
	bool signalled;
	int status;

	(void)a;
	if (g->policy == NULL)
		return system_failure();
	if (g->conf != NULL) {
		memmove(argv + 3, argv + 1, 7 * sizeof *argv);
		argv[1] = "-c";
		argv[2] = g->conf;
	}
	if (!run_confined(g, (char *const *)(uintptr_t)argv, &status, &signalled) || status != 0) {
		say("gitlab prepare: bash does not run under stage prepare_script");
		return system_failure();
	}
	return 0;
}

int gitlab(const struct gitlab *g, char **words, struct arena *a)
{
	if (strcmp(words[0], "config") == 0)
		return config();
	if (strcmp(words[0], "prepare") == 0)
		return prepare(g, a);
	if (strcmp(words[0], "run") == 0)
		return run(g, words + 1, a);
	if (strcmp(words[0], "cleanup") == 0)
		return 0;
	say("gitlab: config, prepare, run or cleanup, not %s", words[0]);
	return system_failure();
}
