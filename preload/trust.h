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
	char name[257]; /* the part of the path that is at fault; NAME_MAX, and one to see it */
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
	bool shared = (flags & TRUST_CALLER) && type == RAW_S_IFDIR && (st->mode & RAW_S_ISVTX);

	if (st->uid != 0 &&
	    !((flags & TRUST_CALLER) && st->uid == (uint32_t)raw_call3(__NR_geteuid, 0, 0, 0)) &&
	    !((flags & TRUST_NAMESPACE) && st->uid == OVERFLOW_UID && trust_overflow_is_root()))
		return TRUST_OWNER;
	if ((st->mode & OTHERS_WRITE) != 0 && type != RAW_S_IFLNK && !shared)
		return TRUST_WRITABLE;
	return TRUST_GOOD;
}

/* Puts the text of the link that fd is, and the rest of the path behind it, into path. */
static inline bool trust_follow(int fd, const char *rest, char path[TRUST_PATH_MAX])
{
	char link[TRUST_PATH_MAX];
	long n = raw_call6(__NR_readlinkat, fd, (long)"", (long)link, sizeof link, 0, 0);
	size_t length = raw_length(rest) + 1;

	if (n <= 0 || (size_t)n + length > TRUST_PATH_MAX)
		return false;
	for (size_t i = 0; i < length; i++) /* through link: rest may lie in path */
		link[(size_t)n + i] = rest[i];
	raw_copy(path, link, (size_t)n + length);
	return true;
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
	bool last = false;
	int parent = -1, fd = (int)raw_openat(RAW_AT_FDCWD, "/", STEP);

	no->name[0] = '/';
	no->name[1] = '\0';
	for (;;) {
		size_t n = 0;

		no->error = fd < 0 ? fd : raw_statx(fd, "", RAW_AT_EMPTY_PATH, st);
		no->fault = no->error < 0 ? TRUST_ERROR : trust_judge(st, flags);

		unsigned type = no->fault == TRUST_GOOD ? st->mode & RAW_S_IFMT : 0;

		if (type == RAW_S_IFLNK &&
		    (flags & (last ? TRUST_LINKS : TRUST_LINKS | TRUST_CALLER))) {
			if (++links <= TRUST_LINKS_MAX && trust_follow(fd, path, followed)) {
				path = followed;
				raw_close(fd);
				fd = parent;
				parent = -1;
				if (*path == '/') {
					raw_close(fd);
					fd = (int)raw_openat(RAW_AT_FDCWD, "/", STEP);
				}
				continue;
			}
			no->fault = TRUST_ERROR;
			no->error = -RAW_ELOOP;
		}
		raw_close(parent);
		if (no->fault != TRUST_GOOD)
			break;
		while (*path == '/')
			path++;
		no->fault = type == RAW_S_IFLNK ? TRUST_LINK : TRUST_TYPE;
		if (*path == '\0' &&
		    ((flags & TRUST_FOLDER) ? type == RAW_S_IFDIR : last && type == RAW_S_IFREG))
			return fd;
		if (*path == '\0' || type != RAW_S_IFDIR)
			break;
		for (; *path != '/' && *path != '\0' && n < sizeof no->name - 1; path++)
			no->name[n++] = *path;
		no->name[n] = '\0';
		if (n == sizeof no->name - 1) {
			no->fault = TRUST_ERROR;
			no->error = -RAW_ENAMETOOLONG;
			break;
		}
		last = *path == '\0';
		type = RAW_S_IFLNK;
		if (last) {
			/* looked at before it is opened: to open a device can do things, such as
			 * rewinding a tape */
			no->error = raw_statx(fd, no->name, RAW_AT_SYMLINK_NOFOLLOW, st);
			type = no->error < 0 ? RAW_S_IFLNK : st->mode & RAW_S_IFMT;
			if (type != RAW_S_IFLNK && type != RAW_S_IFREG && type != RAW_S_IFDIR)
				break;
		}
		parent = fd;
		fd = (int)raw_openat(parent, no->name, type == RAW_S_IFLNK ? STEP : LAST);
	}
	raw_close(fd);
	no->error = -no->error;
	return -1;
}

#endif
