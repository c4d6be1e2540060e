#include "trial.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "image.h"
#include "say.h"

enum { PIDS_SIZE = 4096, DEPTH_MAX = 200, NAP_MAX = 20, ROUNDS_MAX = 500 };

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
enum { END_COUNT = sizeof ends / sizeof ends[0] };

static volatile sig_atomic_t ended_by;
static struct sigaction saved[END_COUNT];
static char earlier[PIDS_SIZE]; /* children that are none of ours */
static bool orphans_known;      /* all of these */

static void note_end(int signal_number)
{
	ended_by = signal_number;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- processes ---- */

/* " 12 34 ": our children. False: there are more, or the kernel does not tell. */
static bool read_children(char text[PIDS_SIZE])
{
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text + 1, PIDS_SIZE - 2), end = n > 0 ? n : 0;

	text[0] = ' ';
	while (end > 0 && text[end] != ' ')
		end--;
	text[end + 1] = '\0';
	if (fd >= 0)
		close(fd);
	return n >= 0 && n < PIDS_SIZE - 2;
}

/* What left the command's process group, and is our child now. */
static void end_orphans(void)
{
	static const struct timespec tick = { 0, 1000000 };
	char text[PIDS_SIZE], word[16];

	for (unsigned round = 0; orphans_known && round < ROUNDS_MAX; round++) {
		bool found = false;

		read_children(text);
		for (const char *p = text + 1; *p != '\0'; p += strcspn(p, " ") + 1) {
			int pid = atoi(p);
			siginfo_t info;

			snprintf(word, sizeof word, " %d ", pid);
			/* /proc may be another namespace's, where numbers are other processes' */
			if (pid <= 0 || strstr(earlier, word) != NULL ||
			    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
				continue;
			found = true;
			kill(pid, SIGKILL);
			waitpid(pid, NULL, WNOHANG);
		}
		if (!found)
			return;
		nanosleep(&tick, NULL);
	}
}

static char *variable(const char *name, const char *value)
{
	char *text = NULL;

	if (asprintf(&text, "%s=%s", name, value) < 0)
		_exit(TRIAL_FAILURE);
	return text;
}

/* The other end of fork. Neither the caller's environment nor its terminal get in. */
static _Noreturn void begin(
    const struct trial_place *place, const char *stage, const char *command, int out)
{
	const char *const argv[] = { "stagefence", "-c", place->image, "-s", stage, "--", "/bin/sh",
		"-c", command, NULL };
	const char *path = getenv("PATH");
	char *const env[] = { variable("PATH", path != NULL ? path : "/usr/bin:/bin"),
		variable("HOME", place->work), variable("TMPDIR", place->work),
		variable("PWD", place->work), variable("LC_ALL", "C"), NULL };
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit limit;
	sigset_t none;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 1; i <= SIGRTMAX; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	/* a killed command would leave a core file in the folder that its neighbour lists */
	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &limit);
	}
	out = fcntl(out, F_DUPFD_CLOEXEC, 3);
	if (in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
	    (in == 0 && fcntl(0, F_SETFD, 0) != 0))
		_exit(TRIAL_FAILURE);
	if (chdir(place->work) == 0)
		execve(place->wrapper, (char *const *)(uintptr_t)argv, env);
	dprintf(1, "stagefence: %s: %s\n", place->wrapper, strerror(errno));
	_exit(TRIAL_FAILURE);
}

/* One read; false: there will be no more, or not now. */
static bool drain(int fd, struct trial *t, bool *open)
{
	char rest[4096];
	size_t room = TRIAL_OUTPUT_MAX - t->size;
	ssize_t n = room > 0 ? read(fd, t->output + t->size, room) : read(fd, rest, sizeof rest);

	*open = n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
	if (n > 0 && room > 0)
		t->size += (size_t)n;
	return n > 0;
}

/* Until the command ends, or its time does, or ours. */
static void watch(pid_t pid, int fd, unsigned seconds, struct trial *t)
{
	double start = now(), left;
	bool open = true;
	int nap = 1;

	for (;;) {
		struct pollfd p = { .fd = open ? fd : -1, .events = POLLIN };
		siginfo_t info = { .si_pid = 0 };

		left = start + seconds - now();
		t->late = left <= 0;
		if (t->late || ended_by != 0)
			break;
		if (poll(&p, 1, left * 1e3 < nap ? (int)(left * 1e3) + 1 : nap) > 0)
			drain(fd, t, &open);
		/* not reaped yet: its group's number must not go to somebody else before we kill
		 * that */
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid == pid)
			break;
		nap = nap < NAP_MAX ? 2 * nap : NAP_MAX;
	}
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
}

static void clean_output(struct trial *t)
{
	size_t size = 0;

	for (size_t i = 0; i < t->size; i++)
		if (t->output[i] != '\0')
			t->output[size++] = t->output[i];
	t->size = size;
	t->output[size] = '\0';
}

/* ---- files ---- */

/* Folders that a command left without permissions are given some; a symbolic link is only removed.
 */
static bool remove_tree(int at, const char *name, unsigned depth)
{
	int fd;
	DIR *folder;

	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return true;
	if (depth == DEPTH_MAX) {
		errno = ELOOP;
		return false;
	}
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	fchmod(fd, 0700);
	folder = fdopendir(fd);
	if (folder == NULL) {
		close(fd);
		return false;
	}
	for (const struct dirent *e; (e = readdir(folder)) != NULL;)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    !remove_tree(dirfd(folder), e->d_name, depth + 1))
			break;
	closedir(folder);
	return unlinkat(at, name, AT_REMOVEDIR) == 0;
}

static bool remove_folder(const char *path)
{
	if (remove_tree(AT_FDCWD, path, 0))
		return true;
	say("%s: cannot be removed: %s", path, strerror(errno));
	return false;
}

static bool make_folder(struct trial_place *place)
{
	const char *parent = getenv("TMPDIR");
	char name[PATH_MAX];
	int n = snprintf(name, sizeof name, "%s/stagefence-test.XXXXXX",
	    parent != NULL && parent[0] == '/' ? parent : "/tmp");

	if (n < 0 || (size_t)n >= sizeof name)
		errno = ENAMETOOLONG;
	/* resolved: the wrapper judges each folder on the way */
	else if (mkdtemp(name) != NULL && realpath(name, place->folder) != NULL) {
		snprintf(place->image, sizeof place->image, "%s/policy.sfi", place->folder);
		snprintf(place->work, sizeof place->work, "%s/work", place->folder);
		return true;
	}
	say("%s: %s", name, strerror(errno));
	place->folder[0] = '\0';
	return false;
}

bool trial_open(struct trial_place *place, const char *wrapper, const void *image, size_t size)
{
	struct sigaction action = { .sa_handler = note_end };

	place->wrapper = wrapper;
	signal(SIGCHLD, SIG_DFL); /* ignored, it would take the exit statuses away */
	orphans_known = read_children(earlier);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (size_t i = 0; i < END_COUNT; i++) {
		sigaction(ends[i], NULL, &saved[i]);
		if (saved[i].sa_handler != SIG_IGN) /* nohup(1) */
			sigaction(ends[i], &action, NULL);
	}
	place->open = true;
	if (make_folder(place) && image_write(place->image, image, size))
		return true;
	trial_close(place);
	return false;
}

bool trial_run(const struct trial_place *place, const char *stage, const char *command,
    unsigned seconds, struct trial *t)
{
	int pipe_fd[2], status = 0;
	bool open = true;
	pid_t pid;

	t->late = false;
	t->size = 0;
	if (mkdir(place->work, 0700) != 0) {
		say("%s: %s", place->work, strerror(errno));
		return false;
	}
	if (pipe2(pipe_fd, O_CLOEXEC) != 0) {
		say("no pipe for a command: %s", strerror(errno));
		return false;
	}
	fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid == 0)
		begin(place, stage, command, pipe_fd[1]);
	close(pipe_fd[1]);
	if (pid < 0) {
		say("no process for a command: %s", strerror(errno));
		close(pipe_fd[0]);
		return false;
	}
	watch(pid, pipe_fd[0], seconds, t);
	waitpid(pid, &status, 0);
	end_orphans();
	for (unsigned round = 0; round < ROUNDS_MAX && drain(pipe_fd[0], t, &open); round++)
		;
	close(pipe_fd[0]);
	clean_output(t);
	t->status = WIFSIGNALED(status) ? TRIAL_SIGNALLED + (unsigned)WTERMSIG(status)
					: (unsigned)WEXITSTATUS(status);
	return remove_folder(place->work) && ended_by == 0;
}

void trial_close(struct trial_place *place)
{
	if (!place->open)
		return;
	if (place->folder[0] != '\0')
		remove_folder(place->folder);
	place->open = false;
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	for (size_t i = 0; i < END_COUNT; i++)
		sigaction(ends[i], &saved[i], NULL);
	if (ended_by != 0)
		raise(ended_by);
}
