/*
 * trust.h: opening a file only if nobody but root (or, for -c, the caller) could have put it there.
 *
 * Every folder from / down and the file itself are judged on the descriptor that the next step
 * starts from, so nothing can be swapped between the look and the use. With TRUST_CALLER a folder
 * may also be sticky (/tmp): its entries are their owners', and each entry's owner is judged in
 * turn.
 */
#ifndef STAGEFENCE_TRUST_H
#define STAGEFENCE_TRUST_H

#include "raw.h"

enum {
	TRUST_CALLER =
	    1, /* the caller's own are good too, and symbolic links to folders are followed */
	TRUST_FOLDER = 2, /* the path names a folder */
	TRUST_LINKS =
	    8, /* symbolic links are followed, the last one too; their owners are judged */
	TRUST_NAMESPACE = 4, /* know root where the user namespace does not */
	TRUST_PATH_MAX = 4096,
	TRUST_LINKS_MAX = 40
};

enum trust_fault { TRUST_GOOD, TRUST_ERROR, TRUST_OWNER, TRUST_WRITABLE, TRUST_LINK, TRUST_TYPE };

/* Why a path was not opened; trust_text() says it. */
struct trust_refusal {
	enum trust_fault fault;
	long error;     /* errno, for TRUST_ERROR */
	char name[256]; /* the part of the path that is at fault */
};

/* Said of the part of the path; for TRUST_ERROR the errno's text is better. */
static inline const char *trust_text(enum trust_fault fault)
{
	if (fault == TRUST_OWNER)
		return "belongs to somebody who could change it (chown root)";
	if (fault == TRUST_WRITABLE)
		return "can be written by others (chmod go-w)";
	if (fault == TRUST_LINK)
		return "is a symbolic link (name what it points to)";
	if (fault == TRUST_TYPE)
		return "is neither a regular file nor a folder where one belongs";
	return "cannot be opened";
}

/*
 * In a user namespace that does not map uid 0 (bubblewrap's), root's files show as the overflow
 * uid's, as do those of every other owner outside. Only there that uid is taken for root's.
 */
static inline bool trust_overflow_is_root(void)
{
	char map[1024]; /* lines of "first-inside first-outside count" */
	int fd = (int)raw_openat(RAW_AT_FDCWD, "/proc/self/uid_map", RAW_O_RDONLY | RAW_O_CLOEXEC);
	long n = raw_read(fd, map, sizeof map);
	bool line_starts = true;

	raw_close(fd);
	if (n <= 0 || n == sizeof map)
		return false;
	for (long i = 0; i < n; i++) {
		if (line_starts && map[i] == '0')
			return false;
		line_starts = map[i] == '\n' || (line_starts && map[i] == ' ');
	}
	return true;
}

static inline enum trust_fault trust_judge(const struct raw_stat *st, unsigned flags)
{
	enum { OVERFLOW_UID = 65534, OTHERS_WRITE = 022 };
	unsigned type = st->mode & RAW_S_IFMT;
	bool callers = (flags & TRUST_CALLER) &&
	    st->uid == (uint32_t)raw_call3(__NR_geteuid, 0, 0, 0);
	bool shared = (flags & TRUST_CALLER) && type == RAW_S_IFDIR && (st->mode & RAW_S_ISVTX);

	if (st->uid != 0 && !callers &&
	    !((flags & TRUST_NAMESPACE) && st->uid == OVERFLOW_UID && trust_overflow_is_root()))
		return TRUST_OWNER;
	if ((st->mode & OTHERS_WRITE) != 0 && type != RAW_S_IFLNK && !shared)
		return TRUST_WRITABLE;
	return TRUST_GOOD;
}

/* Puts the text of the link that no->name is in fd, and the rest of the path behind it, into path.
 */
static inline bool trust_follow(
    int fd, const char *name, const char *rest, char path[TRUST_PATH_MAX])
{
	char link[TRUST_PATH_MAX];
	long n = raw_call6(__NR_readlinkat, fd, (long)name, (long)link, sizeof link, 0, 0);
	size_t length = raw_length(rest) + 1;

	if (n <= 0 || (size_t)n + length > TRUST_PATH_MAX)
		return false;
	for (size_t i = 0; i < length; i++) /* through link: rest may lie in path */
		link[(size_t)n + i] = rest[i];
	raw_copy(path, link, (size_t)n + length);
	return true;
}

static inline int trust_refuse(struct trust_refusal *no, int fd, enum trust_fault fault, long error)
{
	raw_close(fd);
	no->fault = fault;
	no->error = error;
	return -1;
}

/*
 * Opens path, which is absolute, for reading: a regular file, or a folder with TRUST_FOLDER.
 * Returns the descriptor (close-on-exec; the caller closes it) and fills st, or returns -1 and
 * fills no.
 */
static inline int trust_open(
    const char *path, unsigned flags, struct raw_stat *st, struct trust_refusal *no)
{
	enum {
		STEP = RAW_O_PATH | RAW_O_NOFOLLOW | RAW_O_CLOEXEC,
		LAST = RAW_O_RDONLY | RAW_O_NOFOLLOW | RAW_O_NONBLOCK | RAW_O_NOCTTY | RAW_O_CLOEXEC
	};
	char followed[TRUST_PATH_MAX];
	unsigned links = 0;
	int fd = (int)raw_openat(RAW_AT_FDCWD, "/", STEP);

	raw_copy(no->name, "/", 2);
	for (;;) {
		long error = fd < 0 ? fd : raw_statx(fd, "", RAW_AT_EMPTY_PATH, st);
		enum trust_fault fault = error < 0 ? TRUST_ERROR : trust_judge(st, flags);
		size_t n = 0;

		if (fault != TRUST_GOOD)
			return trust_refuse(no, fd, fault, -error);

		unsigned type = st->mode & RAW_S_IFMT;

		while (*path == '/')
			path++;
		if (*path == '\0') {
			if (type == (flags & TRUST_FOLDER ? RAW_S_IFDIR : RAW_S_IFREG))
				return fd;
			return trust_refuse(no, fd, TRUST_TYPE, 0);
		}
		for (; *path != '/' && *path != '\0'; path++) {
			if (n == sizeof no->name - 1) {
				no->name[n] = '\0';
				return trust_refuse(no, fd, TRUST_ERROR, RAW_ENAMETOOLONG);
			}
			no->name[n++] = *path;
		}
		no->name[n] = '\0';

		bool last = *path == '\0';

		error = raw_statx(fd, no->name, RAW_AT_SYMLINK_NOFOLLOW, st);
		if (error < 0)
			return trust_refuse(no, fd, TRUST_ERROR, -error);
		type = st->mode & RAW_S_IFMT;
		if (type == RAW_S_IFLNK && !(flags & TRUST_LINKS) &&
		    (last || !(flags & TRUST_CALLER)))
			return trust_refuse(no, fd, TRUST_LINK, 0);
		if (type == RAW_S_IFLNK) {
			fault = trust_judge(st, flags);
			if (fault != TRUST_GOOD)
				return trust_refuse(no, fd, fault, 0);
			if (++links > TRUST_LINKS_MAX ||
			    !trust_follow(fd, no->name, path, followed))
				return trust_refuse(no, fd, TRUST_ERROR, RAW_ELOOP);
			path = followed;
			if (*path == '/') {
				raw_close(fd);
				fd = (int)raw_openat(RAW_AT_FDCWD, "/", STEP);
			}
			continue;
		}
		/* looked at before it is opened: to open a device can do things, such as rewinding
		 * a tape */
		if (type != RAW_S_IFDIR && (type != RAW_S_IFREG || !last))
			return trust_refuse(no, fd, TRUST_TYPE, 0);

		int next = (int)raw_openat(fd, no->name, last ? LAST : STEP);

		raw_close(fd);
		fd = next;
	}
}

#endif
