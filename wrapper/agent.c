#include "agent.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "../preload/trust.h"
#include "json.h"
#include "mem.h"
#include "say.h"

static bool is_ours(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

/* Between the look and connect(2) a name in a sticky folder can become another's: who has listened?
 */
static bool agent_is_ours(int fd)
{
	struct ucred who;
	socklen_t length = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && is_ours(who.uid);
}

/*
 * Whoever listens there decides, so nobody but root and the caller may have put a socket there: not
 * another user who can write to the folder, and in a sticky one (/tmp) not the first who came.
 */
static bool agent_trusted(const char *stage, const char *path, bool *shared)
{
	const char *last = strrchr(path, '/');
	char folder[PATH_MAX];
	size_t n = (size_t)(last - path) + (last == path);
	struct trust_refusal no = { .fault = TRUST_TYPE };
	struct raw_stat st;
	struct stat socket;
	int fd = -1;

	if (n < sizeof folder) {
		memcpy(folder, path, n);
		folder[n] = '\0';
		fd = trust_open(
		    folder, TRUST_CALLER | TRUST_NAMESPACE | TRUST_LINKS | TRUST_FOLDER, &st, &no);
	}
	if (fd < 0) {
		say("stage %s: its agent %s: %s %s", stage, path, no.name,
		    no.fault == TRUST_ERROR ? strerror((int)no.error) : trust_text(no.fault));
		return false;
	}
	close(fd);
	*shared = (st.mode & 022) != 0;
	/* what is not there connect(2) will say */
	if (!*shared || lstat(path, &socket) != 0 || is_ours(socket.st_uid))
		return true;
	say("stage %s: its agent %s: %s", stage, path, trust_text(TRUST_OWNER));
	return false;
}

/* listenerPath of the OCI runtime specification. -1: it has been said why not. */
int agent_connect(const char *stage, const char *path)
{
	const struct timeval patience = { .tv_sec = 10 };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	bool shared;
	int fd;

	if (!agent_trusted(stage, path, &shared))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (strlen(path) < sizeof name.sun_path)
		memcpy(name.sun_path, path, strlen(path));
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
	    connect(fd, (const struct sockaddr *)&name, sizeof name) == 0) {
		if (!shared || agent_is_ours(fd))
			return fd;
		say("stage %s: its agent %s: %s", stage, path, trust_text(TRUST_OWNER));
	} else
		say("stage %s: its agent %s: %s", stage, path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The container process state (config-linux.md of the specification). There is no container: its id
 * is the stage's and the process's, its bundle the folder that the command starts in. */
char *agent_state(struct arena *a, const char *stage, const char *metadata, int pid,
    const char *folder, size_t *size)
{
	static const char oci[] = "1.0.2";
	char *text = NULL;
	struct json j = { .out = open_memstream(&text, size) };

	if (j.out == NULL)
		die("out of memory");
	json_object(&j, NULL);
	json_text(&j, "ociVersion", oci);
	json_array(&j, "fds");
	json_text(&j, NULL, "seccompFd");
	json_close(&j);
	json_number(&j, "pid", pid);
	json_text(&j, "metadata", metadata);
	json_object(&j, "state");
	json_text(&j, "ociVersion", oci);
	json_text(&j, "id", arena_format(a, "stagefence-%s-%d", stage, pid));
	json_text(&j, "status", "creating");
	json_number(&j, "pid", pid);
	json_text(&j, "bundle", folder);
	json_close(&j);
	json_close(&j);
	if (fclose(j.out) != 0)
		die("out of memory");
	return text;
}

/* The descriptor goes with the first bytes; then the agent is on its own. */
bool agent_give(const char *stage, int agent, int listener, const char *text, size_t size)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	size_t done = 0;

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof listener);
	memcpy(CMSG_DATA(&control.header), &listener, sizeof listener);
	while (done < size) {
		struct iovec part = { (char *)(uintptr_t)text + done, size - done };
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
		ssize_t n;

		if (done == 0) {
			message.msg_control = &control;
			message.msg_controllen = sizeof control;
		}
		n = sendmsg(agent, &message, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			say("stage %s: its agent: %s", stage, n < 0 ? strerror(errno) : "hung up");
			return false;
		}
		done += (size_t)n;
	}
	return true;
}
