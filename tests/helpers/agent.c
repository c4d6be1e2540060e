/*
 * agent SOCKET: a seccomp agent as the OCI runtime specification has it (config-linux.md, "The
 * Container Process State"). Prints "ready" when it listens, what it is told, and then, for each
 * call that it is asked about, its number; one with the mode 0700 is refused with EXFULL, any other
 * one may go on. Ends with the process that it serves.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int serve(int listener)
{
	for (;;) {
		struct seccomp_notif request;
		struct seccomp_notif_resp reply;
		struct pollfd p = { listener, POLLIN, 0 };

		if (poll(&p, 1, 10000) <= 0 || !(p.revents & POLLIN))
			return 0;
		memset(&request, 0, sizeof request);
		memset(&reply, 0, sizeof reply);
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
			continue;
		printf("asked %d\n", request.data.nr);
		reply.id = request.id;
		if (request.data.args[1] == 0700 || request.data.args[2] == 0700)
			reply.error = -EXFULL;
		else
			reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	char text[8192];
	struct iovec part = { text, sizeof text - 1 };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	struct cmsghdr *c;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), peer, listener = -1;
	ssize_t n, more;

	alarm(100); /* a test that fails leaves nobody who waits for ever */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2)
		return 2;
	strncpy(name.sun_path, argv[1], sizeof name.sun_path - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) != 0 || listen(fd, 1) != 0)
		return fail(argv[1]);
	puts("ready");
	peer = accept(fd, NULL, NULL);
	n = recvmsg(peer, &message, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return fail("recvmsg");
	c = CMSG_FIRSTHDR(&message);
	if (c != NULL && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof listener))
		memcpy(&listener, CMSG_DATA(c), sizeof listener);
	while (n < (ssize_t)sizeof text - 1 &&
	    (more = read(peer, text + n, sizeof text - 1 - (size_t)n)) > 0)
		n += more;
	text[n] = '\0';
	printf("%s", text);
	printf("descriptors %s\n", listener >= 0 ? "1" : "not 1");
	return serve(listener);
}
