/*
 * selfmade IMAGE STAGE exact|inner: a process that has raised a stage's filter itself. exact: under a listener, which its
 * parent holds and lets every call go on by; inner: the second of two fences without the first. It tries mkdir(2), prints
 * its number and what became of that, and waits for a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../preload/fence.h"

static struct sock_filter code[IMAGE_CODE_MAX], told[IMAGE_CODE_MAX];
/* the listener's number in the child, from where the parent fetches it */
static volatile int *listener;

static long raise_filter(struct sock_filter *filter, unsigned count, unsigned flags)
{
	struct {
		unsigned short count;
		struct sock_filter *filter;
	} program = { (unsigned short)count, filter };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static int try_it(void)
{
	int error = mkdir("made", 0777) == 0 ? 0 : errno;

	printf("%d mkdir %s\n", getpid(), error == 0 ? "ok" : strerror(error));
	fflush(stdout);
	pause();
	return 0;
}

/* Until the last one who is under it has gone. */
static int let_go_on(int fd)
{
	for (;;) {
		struct seccomp_notif request;
		struct seccomp_notif_resp reply;

		memset(&request, 0, sizeof request);
		memset(&reply, 0, sizeof reply);
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
			return 0;
		reply.id = request.id;
		reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	}
}

int main(int argc, char **argv)
{
	int fd = open(argc == 4 ? argv[1] : "", O_RDONLY | O_CLOEXEC), pidfd;
	struct stat st;
	const struct image_header *h;
	const struct image_stage *s;
	const struct image_program *p;
	unsigned count;
	pid_t child;

	if (fd < 0 || fstat(fd, &st) != 0)
		return 2;
	h = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	listener = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s = image_stage(h, 0);
	while (strcmp(image_string(h, s->name), argv[2]) != 0)
		s++;
	p = image_program(h, strcmp(argv[3], "inner") == 0 ? s->inner : s->exact);
	memcpy(code, image_code(h, p), p->count * sizeof *code);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (strcmp(argv[3], "inner") == 0)
		return raise_filter(code, p->count, 0) == 0 ? try_it() : 1;
	count = fence_listened(told, code, p, FENCE_REPORT, false);
	*listener = -1;
	child = fork();
	if (child == 0) {
		*listener = (int)raise_filter(told, count, SECCOMP_FILTER_FLAG_NEW_LISTENER);
		return *listener >= 0 ? try_it() : 1;
	}
	while (*listener < 0)
		usleep(1000);
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	return let_go_on((int)syscall(SYS_pidfd_getfd, pidfd, *listener, 0));
}
