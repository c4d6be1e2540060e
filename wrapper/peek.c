/* peek.c: process_vm_readv(2), and /proc/PID/mem where an outer filter or kernel lacks it. */
#include "peek.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* The smallest there is: larger pages are a multiple. */
enum { PAGE = 4096, PIECES = 4 };

static bool forbidden, use_file;
static int proc = -1;

void peek_through(int fd)
{
	proc = fd;
}

static ssize_t read_file(int pid, uint64_t address, void *to, size_t size)
{
	char path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%d/mem", pid);
	fd = proc < 0 ? -1 : openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = pread(fd, to, size, (off_t)address); /* beyond off_t: EINVAL, and nobody's memory */
	close(fd);
	return n;
}

/* The kernel reads a whole element or nothing of it, so one ends at each page. */
static ssize_t read_pieces(int pid, uint64_t address, void *to, size_t size)
{
	struct iovec here = { to, size }, there[PIECES];
	unsigned count = 0;

	while (size > 0 && count < PIECES) {
		size_t left = PAGE - address % PAGE, n = size < left ? size : left;

		/* an address of a 64-bit process, or of a 32-bit one */
		there[count++] = (struct iovec){ (void *)(uintptr_t)address, n };
		address += n;
		size -= n;
	}
	here.iov_len -= size;
	return process_vm_readv(pid, &here, 1, there, count, 0);
}

size_t peek(int pid, uint64_t address, void *to, size_t size)
{
	ssize_t n;

	if (size == 0 || address == 0 || address + size < address)
		return 0;
	n = use_file ? -1 : read_pieces(pid, address, to, size);
	if (n < 0 && (use_file || errno == ENOSYS || errno == EPERM)) {
		use_file = use_file || errno == ENOSYS;
		n = read_file(pid, address, to, size);
		if (n < 0 && (errno == EACCES || errno == EPERM))
			forbidden = true;
	}
	if (n <= 0)
		return 0;
	forbidden = false;
	return (size_t)n;
}

bool peek_text(int pid, uint64_t address, char *to, size_t size, size_t *length, bool *whole)
{
	size_t used = 0;

	*whole = false;
	while (used < size) {
		size_t left = PAGE - (address + used) % PAGE;
		size_t want = size - used < left ? size - used : left;
		size_t n = peek(pid, address + used, to + used, want);
		const char *end = memchr(to + used, '\0', n);

		if (end != NULL) {
			*length = (size_t)(end - to);
			*whole = true;
			return true;
		}
		used += n;
		if (n < want)
			break;
	}
	*length = used;
	return used > 0;
}

bool peek_forbidden(void)
{
	return forbidden;
}
