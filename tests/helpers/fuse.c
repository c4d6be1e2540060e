/*
 * fuse FOLDER FILE COMMAND...: mounts a file system of its own on FOLDER, in which "file" holds what FILE holds and belongs
 * to root, because this program says so; runs COMMAND, and ends with its status. Exit status 77: there is no FUSE here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILE_NODE = 2, NO_FUSE = 77, ROOM = 1 << 20 };

static const char *content;
static size_t size;

static struct fuse_attr about(uint64_t node)
{
	struct fuse_attr a = { .ino = node, .nlink = 1, .blksize = 4096 };

	a.mode = node == FILE_NODE ? S_IFREG | 0755 : S_IFDIR | 0755;
	a.size = node == FILE_NODE ? size : 0;
	a.blocks = a.size / 512 + 1;
	return a;
}

static void reply(int fd, const struct fuse_in_header *in, int error, const void *data, size_t length)
{
	static char out[ROOM];
	struct fuse_out_header h = { .len = (uint32_t)(sizeof h + length), .error = -error, .unique = in->unique };

	memcpy(out, &h, sizeof h);
	if (length > 0)
		memcpy(out + sizeof h, data, length);
	if (write(fd, out, h.len) < 0 && errno != ENOENT) /* who asked was interrupted */
		perror("fuse: reply");
}

static void answer(int fd, const struct fuse_in_header *in)
{
	const void *body = in + 1;

	switch (in->opcode) {
	case FUSE_INIT: {
		const struct fuse_init_in *wanted = body;
		struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION,
			.minor = FUSE_KERNEL_MINOR_VERSION,
			.max_readahead = wanted->max_readahead,
			.max_write = 4096 };

		if (wanted->minor < out.minor)
			out.minor = wanted->minor;
		reply(fd, in, 0, &out, sizeof out);
		return;
	}
	case FUSE_LOOKUP: {
		struct fuse_entry_out out = { .nodeid = FILE_NODE, .attr_valid = 60, .entry_valid = 60, .attr = about(FILE_NODE) };
		int error = strcmp(body, "file") == 0 ? 0 : ENOENT;

		reply(fd, in, error, &out, error == 0 ? sizeof out : 0);
		return;
	}
	case FUSE_GETATTR: {
		struct fuse_attr_out out = { .attr_valid = 60, .attr = about(in->nodeid) };

		reply(fd, in, 0, &out, sizeof out);
		return;
	}
	case FUSE_OPEN:
	case FUSE_OPENDIR: {
		struct fuse_open_out out = { .fh = in->nodeid };

		reply(fd, in, 0, &out, sizeof out);
		return;
	}
	case FUSE_READ: {
		const struct fuse_read_in *wanted = body;
		size_t at = wanted->offset < size ? (size_t)wanted->offset : size, n = size - at;

		reply(fd, in, 0, content + at, n < wanted->size ? n : wanted->size);
		return;
	}
	case FUSE_STATFS: {
		struct fuse_statfs_out out = { .st = { .bsize = 4096, .frsize = 4096, .namelen = 255 } };

		reply(fd, in, 0, &out, sizeof out);
		return;
	}
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR: reply(fd, in, 0, NULL, 0); return;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT: return; /* nobody waits */
	default: reply(fd, in, ENOSYS, NULL, 0);
	}
}

int main(int argc, char **argv)
{
	static _Alignas(8) char in[ROOM];
	char options[128];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), file, status = 0;
	struct stat st;
	pid_t server, command;

	if (argc < 4)
		return 2;
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u,allow_other", fd, getuid(), getgid());
	if (fd < 0 || mount("tests", argv[1], "fuse", 0, options) != 0)
		return NO_FUSE;
	file = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &st) != 0)
		return 2;
	size = (size_t)st.st_size;
	content = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
	if (content == MAP_FAILED)
		return 2;
	server = fork();
	while (server == 0) {
		if (read(fd, in, sizeof in) >= (ssize_t)sizeof(struct fuse_in_header))
			answer(fd, (const struct fuse_in_header *)(const void *)in);
		else if (errno != EINTR && errno != EAGAIN && errno != ENOENT)
			_exit(0); /* unmounted */
	}
	close(fd);
	command = fork();
	if (command == 0) {
		execvp(argv[3], argv + 3);
		_exit(127);
	}
	waitpid(command, &status, 0);
	umount2(argv[1], MNT_DETACH);
	waitpid(server, NULL, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
