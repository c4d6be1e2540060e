/*
 * raw.h: the system call layer of the wrapper and the shim, and the few string functions they need.
 *
 * Both run where no C library may: the wrapper because a static glibc alone doubles a launch, the
 * shim because it is loaded into programs of any libc. Nothing here allocates, keeps state or
 * touches errno: a failed call returns -errno, as the kernel gives it (see syscall(2),
 * "Architecture calling conventions"). No pointer tables: both objects are linked without
 * relocations.
 */
#ifndef STAGEFENCE_RAW_H
#define STAGEFENCE_RAW_H

#include <asm/unistd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One copy an object, however many call it: the shim has 4 KiB, and arguments of a system call are
 * most of it. */
#define RAW_SHARED static __attribute__((noinline, unused))

#if defined(__x86_64__)
static inline long raw_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* Nobody looks at a sixth argument of these, and each costs the shim bytes. */
static inline long raw_call5(long nr, long a, long b, long c, long d, long e)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

static inline long raw_call3(long nr, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
static inline long raw_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

static inline long raw_call5(long nr, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}

static inline long raw_call3(long nr, long a, long b, long c)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
}
#elif defined(__i386__)
/* The shim for 32-bit programs of an x86_64 machine. The sixth argument goes by ebp, which the
 * compiler may need to find it by. */
static inline long raw_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	long result;

	__asm__ volatile("pushl %7\n\tpushl %%ebp\n\tmovl 4(%%esp), %%ebp\n\tint $0x80\n\t"
			 "popl %%ebp\n\taddl $4, %%esp"
			 : "=a"(result)
			 : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), "m"(f)
			 : "memory", "cc");
	return result;
}

static inline long raw_call5(long nr, long a, long b, long c, long d, long e)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
	return result;
}

static inline long raw_call3(long nr, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}
#else
#error "stagefence knows the system call conventions of x86_64 and aarch64 only"
#endif

/* The kernel's numbers, spelt out: libc's headers and the kernel's own cannot both be included. */
enum {
	RAW_EPERM = 1,
	RAW_ENOENT = 2,
	RAW_EINTR = 4,
	RAW_ENOEXEC = 8,
	RAW_EAGAIN = 11,
	RAW_EACCES = 13,
	RAW_EFAULT = 14,
	RAW_EBUSY = 16,
	RAW_ENOTDIR = 20,
	RAW_EISDIR = 21,
	RAW_EINVAL = 22,
	RAW_ENAMETOOLONG = 36,
	RAW_ENOSYS = 38,
	RAW_ELOOP = 40
};

enum {
	RAW_AT_FDCWD = -100,
	RAW_AT_SYMLINK_NOFOLLOW = 0x100,
	RAW_AT_EMPTY_PATH = 0x1000,
	RAW_O_RDONLY = 0,
	RAW_O_NOCTTY = 0400,
	RAW_O_NONBLOCK = 04000,
	RAW_O_CLOEXEC = 02000000,
	RAW_O_PATH = 010000000,
#if defined(__aarch64__)
	RAW_O_NOFOLLOW = 0100000,
#else
	RAW_O_NOFOLLOW = 0400000,
#endif
	RAW_X_OK = 1,
	RAW_S_IFMT = 0170000,
	RAW_S_IFREG = 0100000,
	RAW_S_IFDIR = 0040000,
	RAW_S_IFLNK = 0120000,
	RAW_S_IFIFO = 0010000,
	RAW_S_ISVTX = 01000,
	RAW_PROT_READ = 1,
	RAW_PROT_WRITE = 2,
	RAW_PROT_EXEC = 4,
	RAW_MAP_PRIVATE = 2,
	RAW_MAP_ANONYMOUS = 0x20,
	RAW_F_SETFD = 2,
	RAW_F_ADD_SEALS = 1033,
	RAW_F_GET_SEALS = 1034,
	RAW_SEALS = 0x1 | 0x2 | 0x4 | 0x8, /* SEAL, SHRINK, GROW, WRITE */
	RAW_CLONE_VM = 0x100,
	RAW_CLONE_VFORK = 0x4000,
	RAW_WALL = 0x40000000
};

/* statx(2)'s result. Ours, because glibc 2.28's own struct statx and <linux/stat.h> exclude each
 * other. */
struct raw_time {
	int64_t sec;
	uint32_t nsec;
	int32_t pad;
};

struct raw_stat {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad;
	uint64_t ino, size, blocks, attributes_mask;
	struct raw_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t rest[14];
};
_Static_assert(sizeof(struct raw_stat) == 256, "the kernel fills 256 bytes");

RAW_SHARED long raw_statx(int dir, const char *path, int flags, struct raw_stat *st)
{
	enum { BASIC_STATS = 0x7ff };

	return raw_call5(__NR_statx, dir, (long)path, flags, BASIC_STATS, (long)st);
}

RAW_SHARED long raw_openat(int dir, const char *path, int flags)
{
	return raw_call5(__NR_openat, dir, (long)path, flags, 0, 0);
}

RAW_SHARED long raw_close(int fd)
{
	return raw_call3(__NR_close, fd, 0, 0);
}

static inline long raw_read(int fd, void *data, size_t size)
{
	long n;

	do
		n = raw_call3(__NR_read, fd, (long)data, (long)size);
	while (n == -RAW_EINTR);
	return n;
}

static inline long raw_fcntl(int fd, int command, long value)
{
	return raw_call3(__NR_fcntl, fd, command, value);
}

/* Returns the address, or NULL; the reason a mapping failed is never worth a sentence of its own.
 */
RAW_SHARED void *raw_map(size_t size, int protection, int flags, int fd)
{
#if defined(__i386__)
	const long map = __NR_mmap2; /* its plain one takes a pointer to all six */
#else
	const long map = __NR_mmap;
#endif
	long at = raw_call6(map, 0, (long)size, protection, flags, fd, 0);

	return at < 0 && at > -4096 ? NULL : (void *)at;
}

static inline long raw_prctl(long option, long a, long b, long c, long d)
{
	return raw_call5(__NR_prctl, option, a, b, c, d);
}

static inline _Noreturn void raw_exit(int status)
{
	for (;;) {
		raw_call3(__NR_exit_group, status, 0, 0);
		__builtin_trap(); /* a policy that refuses even exit_group(2) */
	}
}

static inline size_t raw_length(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

static inline bool raw_same(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < size; i++)
		if (x[i] != y[i])
			return false;
	return true;
}

static inline bool raw_equal(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	return *a == *b;
}

static inline void raw_copy(void *to, const void *from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	for (size_t i = 0; i < size; i++)
		t[i] = f[i];
}

/* Writes n in decimal into the end of buffer (at least 21 bytes) and returns where it starts. */
static inline char *raw_decimal(unsigned long n, char *end)
{
	*--end = '\0';
	do
		*--end = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	return end;
}

/* The value in "NAME=VALUE", or NULL if the entry is of another name. */
static inline char *raw_value(char *entry, const char *name)
{
	for (; *name != '\0' && *entry == *name; name++) /* stops at the end of either */
		entry++;
	return *name == '\0' && *entry == '=' ? entry + 1 : NULL;
}

/*
 * The value of an environment variable, or NULL. *count is how often it occurs: getenv(3) takes the
 * first of two, a shell exports the last, so whoever asks for a stage must know.
 */
static inline char *raw_env(char **env, const char *name, unsigned *count)
{
	char *first = NULL;

	*count = 0;
	for (; *env != NULL; env++) {
		char *value = raw_value(*env, name);

		if (value != NULL && (*count)++ == 0)
			first = value;
	}
	return first;
}

/* What wrapper and shim say when they refuse: one line, one write(2), nothing that could steer a
 * terminal. */
static inline void raw_say(
    const char *a, const char *b, const char *c, const char *d, const char *e)
{
	char line[1024];
	size_t n = 0;

	for (int part = 0; part < 6; part++) {
		const char *s = part == 0 ? "stagefence: "
		    : part == 1           ? a
		    : part == 2           ? b
		    : part == 3           ? c
		    : part == 4           ? d
					  : e;

		for (; s != NULL && *s != '\0' && n < sizeof line - 1; s++) {
			unsigned char byte = (unsigned char)*s;
			/* U+0080 to U+009F steer terminals too */
			bool steers = byte < ' ' || byte == 0x7f ||
			    (byte == 0xc2 && (unsigned char)s[1] >= 0x80 &&
				(unsigned char)s[1] < 0xa0);

			line[n++] = steers ? '?' : (char)byte;
		}
	}
	line[n++] = '\n';
	raw_call3(__NR_write, 2, (long)line, (long)n);
}

enum { RAW_OUR_FAILURE = 125 };

static inline _Noreturn void raw_die(
    const char *a, const char *b, const char *c, const char *d, const char *e)
{
	raw_say(a, b, c, d, e);
	raw_exit(RAW_OUR_FAILURE);
}

#endif
