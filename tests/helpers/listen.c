/*
 * listen WHAT...: what a job might do to a supervisor, or to be rid of it. Prints what became of it.
 *
 *   second           asks for a listener of its own, and lets its own mkdir(2) of "out" go on with it
 *   second-open      the same with openat(2) of "out", which is there
 *   hold COMMAND...  holds a listener that hears of nothing, and executes COMMAND
 *   steal PID        traces, reads, writes, and fetches the descriptors of PID
 *   storm N          N processes call mkdir("out") at once: "ERRNO COUNT" for each answer
 *   loop N           one process, N times
 *   signals N        the same under a timer's signals, one each 200 microseconds
 *   threads          handles every signal, has a second thread, and calls mkdir("out"); then "alive"
 *   wait             asks what only the wrapper asks
 *   own ACTION       stacks a filter that answers mkdir with errno or notify, and calls it
 *   pointers         mkdir with pointers to nowhere
 *   stuck            mkdir with memory that nobody can read until it says so, and with other memory
 *   children         what wait(2) and its kin see: "none", or the children
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif
#ifndef __NR_pidfd_getfd
#define __NR_pidfd_getfd 438
#endif

static const char *name_of(int error)
{
	/* strerrorname_np(3) is younger than EL 8 */
	static const struct {
		int error;
		const char *name;
	} names[] = { { 0, "0" }, { EPERM, "EPERM" }, { ENOENT, "ENOENT" }, { ESRCH, "ESRCH" }, { EINTR, "EINTR" },
		{ EBADF, "EBADF" }, { EAGAIN, "EAGAIN" }, { ENOMEM, "ENOMEM" }, { EACCES, "EACCES" },
		{ EFAULT, "EFAULT" }, { EBUSY, "EBUSY" }, { EEXIST, "EEXIST" }, { EINVAL, "EINVAL" },
		{ ENOSYS, "ENOSYS" }, { ENOANO, "ENOANO" } };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].error == error)
			return names[i].name;
	return "another error";
}

static int filter(unsigned nr, unsigned flags, unsigned action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof code[0], code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static int make(void)
{
	return mkdirat(AT_FDCWD, "out", 0777) == 0 ? 0 : errno;
}

static void *let_through(void *listener)
{
	struct seccomp_notif request = { 0 };
	struct seccomp_notif_resp reply = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	ioctl((int)(long)listener, SECCOMP_IOCTL_NOTIF_RECV, &request);
	reply.id = request.id;
	ioctl((int)(long)listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	return NULL;
}

static int look(void)
{
	return syscall(__NR_openat, AT_FDCWD, "out", O_RDONLY) >= 0 ? 0 : errno;
}

static int second(unsigned nr, const char *name, int (*call)(void))
{
	int fd = filter(nr, SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_RET_USER_NOTIF);
	pthread_t thread;

	printf("listener: %s\n", fd >= 0 ? "granted" : name_of(errno));
	if (fd >= 0)
		pthread_create(&thread, NULL, let_through, (void *)(long)fd);
	printf("%s: %s\n", name, name_of(call()));
	return 0;
}

static void tried(const char *what, long result)
{
	printf("%s: %s\n", what, result >= 0 ? "done" : name_of(errno));
}

static int steal(int pid)
{
	char path[64], byte = 0;
	struct iovec here = { &byte, 1 }, there = { (void *)0x10000, 1 };
	int pidfd = (int)syscall(__NR_pidfd_open, pid, 0);
	long got = -1;

	tried("ptrace", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	tried("write", process_vm_writev(pid, &here, 1, &there, 1, 0));
	tried("read", process_vm_readv(pid, &here, 1, &there, 1, 0));
	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	tried("mem", open(path, O_RDWR));
	for (int fd = 3; fd < 64 && got < 0; fd++)
		got = syscall(__NR_pidfd_getfd, pidfd, fd, 0);
	tried("getfd", got);
	snprintf(path, sizeof path, "/proc/%d/fd/3", pid);
	tried("fd", open(path, O_RDWR));
	snprintf(path, sizeof path, "/proc/%d/map_files", pid);
	tried("maps", open(path, O_RDONLY | O_DIRECTORY) >= 0 ? 0 : -1);
	return 0;
}

static void count_answers(const unsigned *count)
{
	for (int e = 0; e < 256; e++)
		if (count[e] > 0)
			printf("%s %u\n", name_of(e), count[e]);
}

static int storm(int n)
{
	unsigned count[256] = { 0 };
	int gate[2], status;
	char byte;

	if (pipe(gate) != 0)
		return 1;
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (pid == 0) {
			close(gate[1]);
			/* all at once: the gate opens when its last writer is gone */
			while (read(gate[0], &byte, 1) > 0)
				;
			_exit(make());
		}
	}
	close(gate[1]);
	while (wait(&status) > 0)
		count[WIFEXITED(status) ? WEXITSTATUS(status) : 255]++;
	count_answers(count);
	return 0;
}

static volatile unsigned interrupted;

static void note(int signal)
{
	(void)signal;
	interrupted++;
}

static int loop(int n, bool signals)
{
	static unsigned count[256];
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction handler = { .sa_handler = note, .sa_flags = SA_RESTART };

	sigaction(SIGALRM, &handler, NULL);
	if (signals)
		setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < n; i++)
		count[make()]++;
	setitimer(ITIMER_REAL, &never, NULL);
	count_answers(count);
	if (signals)
		printf("%s\n", interrupted > 0 ? "interrupted" : "never interrupted");
	return 0;
}

static void *spin(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

static int threads(void)
{
	struct sigaction handler = { .sa_handler = note };
	pthread_t thread;

	for (int s = 1; s < 65; s++)
		sigaction(s, &handler, NULL);
	pthread_create(&thread, NULL, spin, NULL);
	make();
	puts("alive");
	return 0;
}

/* A page whose readers wait until descriptor is closed. */
static char *slow_page(int *descriptor)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register memory = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*descriptor = (int)syscall(__NR_userfaultfd, O_CLOEXEC);
	memory.range.start = (uintptr_t)page;
	memory.range.len = 4096;
	if (*descriptor < 0 || ioctl(*descriptor, UFFDIO_API, &api) != 0 ||
	    ioctl(*descriptor, UFFDIO_REGISTER, &memory) != 0)
		return NULL;
	return page;
}

static int stuck(void)
{
	int descriptor;
	char *page = slow_page(&descriptor);

	if (page == NULL) {
		puts("no userfaultfd");
		return 0;
	}
	printf("slow: %s\n", mkdirat(AT_FDCWD, page, 0777) == 0 ? "0" : name_of(errno));
	printf("meanwhile: %s\n", name_of(make()));
	printf("wait: %s\n", prctl(0x73466e77, 0, 0, 0, 0) == 0 ? "0" : name_of(errno));
	close(descriptor);
	usleep(500000);
	printf("after: %s\n", name_of(make()));
	return 0;
}

static int children(void)
{
	siginfo_t info;

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) != 0 && errno == ECHILD &&
	    waitpid(-1, NULL, WNOHANG | __WCLONE) < 0 && errno == ECHILD && wait(NULL) < 0 &&
	    errno == ECHILD)
		puts("none");
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(what, "second") == 0)
		return second(__NR_mkdirat, "mkdir", make);
	if (strcmp(what, "second-open") == 0)
		return second(__NR_openat, "open", look);
	if (strcmp(what, "hold") == 0 && argc > 2) {
		int fd = filter(__NR_mkdirat, SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_RET_ALLOW);

		fcntl(fd, F_SETFD, 0);
		execvp(argv[2], argv + 2);
		return 127;
	}
	if (strcmp(what, "steal") == 0)
		return steal(n);
	if (strcmp(what, "storm") == 0)
		return storm(n);
	if (strcmp(what, "loop") == 0 || strcmp(what, "signals") == 0)
		return loop(n, what[0] == 's');
	if (strcmp(what, "threads") == 0)
		return threads();
	if (strcmp(what, "wait") == 0) {
		tried("wait", prctl(0x73466e77, 0, 0, 0, 0));
		return 0;
	}
	if (strcmp(what, "own") == 0 && argc > 2) {
		filter(__NR_mkdirat, 0,
		    strcmp(argv[2], "errno") == 0 ? SECCOMP_RET_ERRNO | ENOANO
						  : SECCOMP_RET_USER_NOTIF);
		printf("mkdir: %s\n", name_of(make()));
		return 0;
	}
	if (strcmp(what, "pointers") == 0) {
		char *page = mmap(
		    NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		const char *bad[] = { NULL, (char *)1, (char *)-1, (char *)0x800000000000,
			page + 4090, page };

		munmap(page + 4096, 4096);
		memset(page, 'x', 4096);
		for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
			long result = syscall(__NR_mkdirat, AT_FDCWD, bad[i], 0777);

			printf("%s\n", result == 0 ? "made" : name_of(errno));
		}
		return 0;
	}
	if (strcmp(what, "stuck") == 0)
		return stuck();
	if (strcmp(what, "children") == 0)
		return children();
	fprintf(stderr, "listen: what is %s?\n", what);
	return 2;
}
