/* decode.c: numbers and pointers of a call, as words. Reads the caller's memory by peek.h only. */
#include "decode.h"

#include <arpa/inet.h>
#include <linux/audit.h>
#include <linux/ioctl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "consts.h"
#include "line.h"
#include "peek.h"

enum {
	TEXT_MAX = 256, /* bytes of a path that are shown */
	WORD_MAX = 48,  /* bytes of a program's argument that are shown */
	WORDS_MAX = 8,  /* arguments of a program that are shown */
	ARG_ROOM = 640, /* bytes of the line that one argument may take */
	ARG_LEAST = 24, /* and that are kept for each one behind it: a pointer */
	FLAGS_MAX = 64,
	X32_BIT = 0x40000000,
	ACCESS_BITS = 3,
};

/* Where an argument is being written, and all that it may look at. */
struct view {
	struct line *out;
	enum abi abi;
	const char *name; /* the call's */
	const uint64_t *args;
	unsigned at; /* which of args */
	int pid;
	bool memory;
	bool omitted; /* left out, and all behind it */
};

static const struct {
	const char *name, *words;
} table[] = {
#define D(name, words) { #name, words },
#include "decode.def"
#undef D
};

enum { TABLE_COUNT = sizeof table / sizeof table[0] };

static uint64_t arg(const struct view *v, unsigned i)
{
	return i < 6 ? v->args[i] : 0;
}

static uint64_t own(const struct view *v)
{
	return arg(v, v->at);
}

static bool narrow(const struct view *v)
{
	return v->abi == ABI_I386 || v->abi == ABI_X32;
}

static bool is_arm(const struct view *v)
{
	return v->abi == ABI_AARCH64;
}

/* A 32-bit process's pointer is 32 bits, whatever the rest of the register holds. */
static uint64_t pointer(const struct view *v, uint64_t value)
{
	return v->abi == ABI_I386 ? (uint32_t)value : value;
}

static size_t fetch(const struct view *v, uint64_t address, void *to, size_t size)
{
	return v->memory ? peek(v->pid, address, to, size) : 0;
}

/* A field of 4 or 8 bytes of something that was read. */
static uint64_t word_at(const unsigned char *from, size_t size)
{
	uint64_t wide = 0;
	uint32_t small = 0;

	if (size == sizeof small) {
		memcpy(&small, from, sizeof small);
		return small;
	}
	memcpy(&wide, from, sizeof wide);
	return wide;
}

/* ---- constants ---- */

/* The words of a list, one after the other; false at its end. */
static bool next_part(const char **list, char part[64])
{
	size_t n = strcspn(*list, ",");

	if (n == 0 || n >= 64)
		return false;
	memcpy(part, *list, n);
	part[n] = '\0';
	*list += n + ((*list)[n] == ',');
	return true;
}

static bool is_prefix(const char *part)
{
	return part[0] != '\0' && part[strlen(part) - 1] == '_';
}

/* Names for a number of bits or for what is no flag at all. */
static bool is_flag_name(const char *name)
{
	static const char *const ends[] = { "_MASK", "_TYPE", "_MSK", "_MGC_VAL", "_ACCMODE" };
	size_t length = strlen(name);

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (length > strlen(ends[i]) &&
		    strcmp(name + length - strlen(ends[i]), ends[i]) == 0)
			return false;
	return true;
}

struct candidate {
	const char *name;
	uint64_t value;
};

/* The one with the most bits that are all in left: O_SYNC has O_DSYNC's bit and one more. */
static void consider(struct candidate *best, const char *name, uint64_t value, uint64_t left)
{
	int bits;

	if (value == 0 || (value & left) != value || !is_flag_name(name))
		return;
	bits = __builtin_popcountll(value) - __builtin_popcountll(best->value);
	if (best->name == NULL || bits > 0 || (bits == 0 && value < best->value)) {
		best->name = name;
		best->value = value;
	}
}

static struct candidate best_flag(const char *list, bool arm, uint64_t left)
{
	struct candidate best = { NULL, 0 };
	static char kept[64];
	char part[64];
	uint64_t value;
	const char *name;

	while (next_part(&list, part)) {
		if (is_prefix(part)) {
			for (size_t i = 0; i < const_count(); i++) {
				name = const_at(i, arm, &value);
				if (name != NULL && strncmp(name, part, strlen(part)) == 0)
					consider(&best, name, value, left);
			}
			/* of several names the one that people know */
			if (best.name != NULL && strncmp(best.name, part, strlen(part)) == 0 &&
			    const_name(part, arm, best.value) != NULL)
				best.name = const_name(part, arm, best.value);
		} else if (const_value(part, strlen(part), arm, &value)) {
			struct candidate before = best;

			consider(&best, part, value, left);
			if (best.value != before.value || best.name != before.name) {
				memcpy(kept, part, sizeof kept);
				best.name = kept;
			}
		}
	}
	return best;
}

static void put_flags(const struct view *v, const char *list, uint64_t value)
{
	bool first = true;

	for (unsigned i = 0; i < FLAGS_MAX && value != 0; i++) {
		struct candidate c = best_flag(list, is_arm(v), value);

		if (c.name == NULL)
			break;
		line_format(v->out, "%s%s", first ? "" : "|", c.name);
		value &= ~c.value;
		first = false;
	}
	if (value != 0 || first)
		line_format(v->out, value != 0 ? "%s%#llx" : "%s%llu", first ? "" : "|",
		    (unsigned long long)value);
}

static const char *one_name(const struct view *v, const char *list, uint64_t value)
{
	char part[64];
	const char *name;

	while (next_part(&list, part)) {
		name = const_name(part, is_arm(v), value);
		/* F_DUPFD is also a prefix of F_DUPFD_CLOEXEC */
		if (name != NULL && (is_prefix(part) || strcmp(name, part) == 0) &&
		    is_flag_name(name))
			return name;
	}
	return NULL;
}

static void put_one(const struct view *v, const char *list, uint64_t value)
{
	const char *name = one_name(v, list, value);

	if (name != NULL)
		line_put(v->out, name);
	else
		line_format(v->out, "%#llx", (unsigned long long)value);
}

/* ---- kinds ---- */

static void put_int(struct view *v)
{
	line_format(v->out, "%d", (int)(uint32_t)own(v));
}

static void put_uint(struct view *v)
{
	line_format(v->out, "%u", (uint32_t)own(v));
}

static void put_uid(struct view *v)
{
	if ((uint32_t)own(v) == UINT32_MAX)
		line_put(v->out, "-1");
	else
		put_uint(v);
}

static void put_long(struct view *v)
{
	if (v->abi == ABI_I386)
		put_int(v);
	else
		line_format(v->out, "%lld", (long long)own(v));
}

static void put_size(struct view *v)
{
	line_format(v->out, "%llu", (unsigned long long)own(v));
}

static void put_hex(struct view *v)
{
	line_format(v->out, own(v) != 0 ? "%#llx" : "%llu", (unsigned long long)own(v));
}

static void put_hex_if(struct view *v)
{
	for (unsigned i = v->at; i < 6; i++)
		if (arg(v, i) != 0) {
			put_hex(v);
			return;
		}
	v->omitted = true;
}

static void put_address(const struct view *v, uint64_t address)
{
	if (address == 0)
		line_put(v->out, "NULL");
	else
		line_format(v->out, "%#llx", (unsigned long long)address);
}

static void put_ptr(struct view *v)
{
	put_address(v, own(v));
}

static void put_at(struct view *v)
{
	if ((int)(uint32_t)own(v) == -100)
		line_put(v->out, "AT_FDCWD");
	else
		put_int(v);
}

static void put_mode(struct view *v)
{
	line_format(v->out, "%#03o", (uint32_t)own(v));
}

static void put_filemode(struct view *v)
{
	static const struct {
		uint32_t type;
		const char *name;
	} types[] = { { S_IFREG, "S_IFREG" }, { S_IFIFO, "S_IFIFO" }, { S_IFCHR, "S_IFCHR" },
		{ S_IFBLK, "S_IFBLK" }, { S_IFSOCK, "S_IFSOCK" }, { S_IFDIR, "S_IFDIR" } };
	uint32_t mode = (uint32_t)own(v);

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (types[i].type == (mode & S_IFMT)) {
			line_format(v->out, "%s|%#03o", types[i].name, mode & ~(uint32_t)S_IFMT);
			return;
		}
	put_mode(v);
}

static void put_text_at(const struct view *v, uint64_t address, size_t at_most)
{
	char text[TEXT_MAX + 1];
	size_t length;
	bool whole;

	address = pointer(v, address);
	if (!v->memory || address == 0 ||
	    !peek_text(v->pid, address, text, at_most + 1, &length, &whole))
		put_address(v, address);
	else
		line_quoted(v->out, text, length, at_most, !whole);
}

static void put_path(struct view *v)
{
	put_text_at(v, own(v), TEXT_MAX);
}

static void put_access(struct view *v)
{
	if ((uint32_t)own(v) == 0)
		line_put(v->out, "F_OK");
	else
		put_flags(v, "R_OK,W_OK,X_OK", (uint32_t)own(v));
}

static void put_open_flags(const struct view *v, uint64_t flags)
{
	static const char *const modes[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };
	uint64_t rest = flags & ~(uint64_t)ACCESS_BITS;

	line_put(v->out, modes[flags & ACCESS_BITS]);
	if (rest != 0) {
		line_put(v->out, "|");
		put_flags(v, "O_", rest);
	}
}

static void put_open(struct view *v)
{
	put_open_flags(v, (uint32_t)own(v));
}

static void put_mode_if(struct view *v)
{
	uint64_t creates = 0100 | 020000000; /* O_CREAT, and O_TMPFILE without O_DIRECTORY */

	if ((arg(v, v->at - 1) & creates) != 0)
		put_mode(v);
	else if (v->name[0] == 'o') /* open, openat: nothing behind it */
		v->omitted = true;
	else
		put_hex(v);
}

static void put_dev(struct view *v)
{
	if (own(v) == 0)
		line_put(v->out, "0");
	else
		line_format(v->out, "makedev(%#x, %#x)", major((dev_t)(uint32_t)own(v)),
		    minor((dev_t)(uint32_t)own(v)));
}

static void put_signal(struct view *v)
{
	const char *name = const_signal_name((int)(uint32_t)own(v));

	if (name != NULL)
		line_put(v->out, name);
	else
		put_int(v);
}

static void put_socktype(struct view *v)
{
	uint32_t type = (uint32_t)own(v), flags = type & ~(uint32_t)0xf;

	put_one(v, "SOCK_", type & 0xf);
	if (flags != 0) {
		line_put(v->out, "|");
		put_flags(v, "SOCK_CLOEXEC,SOCK_NONBLOCK", flags);
	}
}

static void put_protocol(struct view *v)
{
	uint32_t family = (uint32_t)arg(v, 0);

	if (family == AF_INET || family == AF_INET6)
		put_one(v, "IPPROTO_", (uint32_t)own(v));
	else if (family == AF_NETLINK)
		put_one(v, "NETLINK_", (uint32_t)own(v));
	else
		put_int(v);
}

static void put_level(struct view *v)
{
	if ((uint32_t)own(v) == SOL_SOCKET)
		line_put(v->out, "SOL_SOCKET");
	else if (one_name(v, "IPPROTO_", (uint32_t)own(v)) != NULL && (uint32_t)own(v) < 256)
		put_one(v, "IPPROTO_", (uint32_t)own(v));
	else
		put_one(v, "SOL_", (uint32_t)own(v));
}

static void put_sockopt(struct view *v)
{
	static const struct {
		uint32_t level;
		const char *prefix;
	} options[] = { { SOL_SOCKET, "SO_" }, { IPPROTO_IP, "IP_" }, { IPPROTO_TCP, "TCP_" },
		{ IPPROTO_UDP, "UDP_" }, { IPPROTO_IPV6, "IPV6_" }, { 263, "PACKET_" },
		{ 270, "NETLINK_" } };

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (options[i].level == (uint32_t)arg(v, v->at - 1)) {
			put_one(v, options[i].prefix, (uint32_t)own(v));
			return;
		}
	put_int(v);
}

/* As much of an address as is there: a short one has no port. */
static void put_address_of(const struct view *v, const unsigned char *raw, size_t size)
{
	struct sockaddr_storage s = { 0 };
	const struct sockaddr_in *in = (const void *)&s;
	const struct sockaddr_in6 *in6 = (const void *)&s;
	const struct sockaddr_un *un = (const void *)&s;
	char text[INET6_ADDRSTRLEN];
	size_t path = offsetof(struct sockaddr_un, sun_path);

	memcpy(&s, raw, size < sizeof s ? size : sizeof s);
	line_put(v->out, "{sa_family=");
	put_one(v, "AF_", s.ss_family);
	if (s.ss_family == AF_INET && size >= sizeof *in &&
	    inet_ntop(AF_INET, &in->sin_addr, text, sizeof text) != NULL)
		line_format(v->out, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")",
		    ntohs(in->sin_port), text);
	else if (s.ss_family == AF_INET6 && size >= offsetof(struct sockaddr_in6, sin6_scope_id) &&
	    inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text) != NULL)
		line_format(v->out,
		    ", sin6_port=htons(%u), inet_pton(AF_INET6, \"%s\", &sin6_addr)",
		    ntohs(in6->sin6_port), text);
	else if (s.ss_family == AF_UNIX && size > path) {
		bool abstract = un->sun_path[0] == '\0';
		size_t room = size - path < sizeof un->sun_path ? size - path : sizeof un->sun_path;

		line_put(v->out, abstract ? ", sun_path=@" : ", sun_path=");
		if (abstract)
			line_quoted(v->out, un->sun_path + 1, room - 1, room, false);
		else
			line_quoted(v->out, un->sun_path, strnlen(un->sun_path, room), room, false);
	} else if (s.ss_family == AF_NETLINK && size >= 12) {
		line_format(v->out, ", nl_pid=%u, nl_groups=%#x", (unsigned)word_at(raw + 4, 4),
		    (unsigned)word_at(raw + 8, 4));
	} else if (size > sizeof s.ss_family)
		line_put(v->out, ", ...");
	line_put(v->out, "}");
}

static void put_sockaddr_at(const struct view *v, uint64_t address, uint32_t size)
{
	unsigned char raw[sizeof(struct sockaddr_storage)] = { 0 };
	size_t want = size < sizeof raw ? size : sizeof raw;
	size_t n = (int)size > 0 ? fetch(v, pointer(v, address), raw, want) : 0;

	if (n < sizeof(sa_family_t) || n < want)
		put_address(v, pointer(v, address));
	else
		put_address_of(v, raw, n);
}

static void put_sockaddr(struct view *v)
{
	put_sockaddr_at(v, own(v), (uint32_t)arg(v, v->at + 1));
}

/* {msg_name=..., ...}: where it goes, not what. */
static void put_msghdr(struct view *v)
{
	unsigned char raw[16];
	size_t wide = narrow(v) ? 4 : 8;
	uint64_t name;

	if (fetch(v, pointer(v, own(v)), raw, wide + 4) < wide + 4) {
		put_ptr(v);
		return;
	}
	name = word_at(raw, wide);
	line_put(v->out, "{msg_name=");
	put_sockaddr_at(v, name, (uint32_t)word_at(raw + wide, 4));
	line_put(v->out, ", ...}");
}

static void put_ioctl(struct view *v)
{
	/* those of consts.def that are requests, by what they begin with */
	static const char requests[] = "TIOC,TC,FIO,SIOC,BLK,LOOP_,KVM_,FS_IOC_,BTRFS_IOC_,DM_,TUN,"
				       "KD,VT_,PIO_,GIO_,USBDEVFS_,SG_,"
				       "SCSI_IOCTL_,HDIO_,NBD_,NVME_IOCTL_,UI_,EVIO,NS_,PERF_EVENT_"
				       "IOC_,SECCOMP_IOCTL_,UFFDIO_,"
				       "FUSE_DEV_IOC_,FI,RND,PPPIO,LOOP,CDROM,FAT_IOCTL_,VFAT_"
				       "IOCTL_,PAGEMAP_,PROCMAP_,EPIOC,PIDFD_,"
				       "SNDRV_,DMA_,UDMABUF_,TFD_IOC_,FSCRYPT_,MMTIMER,IOC_";
	const char *list = requests;
	uint32_t request = (uint32_t)own(v);
	char part[64];

	while (next_part(&list, part)) {
		const char *name = request > 0xff ? const_name(part, is_arm(v), request) : NULL;

		if (name != NULL) {
			line_put(v->out, name);
			return;
		}
	}
	if (_IOC_DIR(request) == 0 && _IOC_SIZE(request) == 0)
		line_format(v->out, "%#x", request);
	else
		line_format(v->out, "_IOC(%s%s, %#x, %#x, %#x)",
		    _IOC_DIR(request) == 0                     ? "_IOC_NONE"
			: (_IOC_DIR(request) & _IOC_READ) != 0 ? "_IOC_READ"
							       : "",
		    (_IOC_DIR(request) & _IOC_WRITE) == 0      ? ""
			: (_IOC_DIR(request) & _IOC_READ) != 0 ? "|_IOC_WRITE"
							       : "_IOC_WRITE",
		    _IOC_TYPE(request), _IOC_NR(request), _IOC_SIZE(request));
}

static const char fcntl_commands[] =
    "F_DUPFD,F_GETFD,F_SETFD,F_GETFL,F_SETFL,F_GETLK,F_SETLK,F_SETLKW,F_SETOWN,F_GETOWN,F_SETSIG,"
    "F_GETSIG,F_SETOWN_EX,F_GETOWN_EX,F_OFD_GETLK,F_OFD_SETLK,F_OFD_SETLKW,F_SETLEASE,F_GETLEASE,"
    "F_NOTIFY,F_DUPFD_CLOEXEC,F_SETPIPE_SZ,F_GETPIPE_SZ,F_ADD_SEALS,F_GET_SEALS,F_GET_RW_HINT,"
    "F_SET_RW_HINT";

/* F_RDLCK and F_OK are 0 as well: names are found by value, not the other way. */
static const char *fcntl_name(uint32_t command)
{
	static char part[64];
	const char *list = fcntl_commands;
	uint64_t value;

	while (next_part(&list, part))
		if (const_value(part, strlen(part), false, &value) && value == command)
			return part;
	return NULL;
}

static void put_fcntl(struct view *v)
{
	const char *name = fcntl_name((uint32_t)own(v));

	if (name != NULL)
		line_put(v->out, name);
	else
		put_hex(v);
}

static void put_fcntl_arg(struct view *v)
{
	const char *name = fcntl_name((uint32_t)arg(v, v->at - 1));

	if (name == NULL)
		name = "";
	if (strcmp(name, "F_SETFL") == 0)
		put_open(v);
	else if (strcmp(name, "F_SETFD") == 0)
		put_flags(v, "FD_CLOEXEC", own(v));
	else if (strcmp(name, "F_ADD_SEALS") == 0)
		put_flags(v, "F_SEAL_", own(v));
	else if (strncmp(name, "F_GET", 5) == 0 && strstr(name, "LK") == NULL)
		v->omitted = true;
	else if (strncmp(name, "F_DUPFD", 7) == 0)
		put_int(v);
	else
		put_hex(v);
}

static void put_clone_flags(const struct view *v, uint64_t flags, uint64_t signal)
{
	const char *name = signal != 0 ? const_signal_name((int)signal) : NULL;

	if (flags != 0 || signal == 0)
		put_flags(v, "CLONE_", flags);
	if (name != NULL)
		line_format(v->out, "%s%s", flags != 0 ? "|" : "", name);
	else if (signal != 0)
		line_format(v->out, "%s%llu", flags != 0 ? "|" : "", (unsigned long long)signal);
}

static void put_clone(struct view *v)
{
	put_clone_flags(v, own(v) & UINT32_MAX & ~(uint64_t)0xff, own(v) & 0xff);
}

static void put_clone_args(struct view *v)
{
	unsigned char raw[40]; /* flags, pidfd, child_tid, parent_tid, exit_signal */

	if (arg(v, v->at + 1) < sizeof raw ||
	    fetch(v, pointer(v, own(v)), raw, sizeof raw) < sizeof raw) {
		put_ptr(v);
		return;
	}
	line_put(v->out, "{flags=");
	put_clone_flags(v, word_at(raw, 8), 0);
	line_put(v->out, ", exit_signal=");
	if (word_at(raw + 32, 8) == 0)
		line_put(v->out, "0");
	else
		put_clone_flags(v, 0, word_at(raw + 32, 8));
	line_put(v->out, ", ...}");
}

static void put_open_how(struct view *v)
{
	unsigned char raw[24];

	if (arg(v, v->at + 1) < sizeof raw ||
	    fetch(v, pointer(v, own(v)), raw, sizeof raw) < sizeof raw) {
		put_ptr(v);
		return;
	}
	line_put(v->out, "{flags=");
	put_open_flags(v, word_at(raw, 8));
	if (word_at(raw + 8, 8) != 0)
		line_format(v->out, ", mode=%#03llo", (unsigned long long)word_at(raw + 8, 8));
	line_format(v->out, ", resolve=%#llx}", (unsigned long long)word_at(raw + 16, 8));
}

/* Two numbers of the machine's width: a timespec's, a rlimit's. */
static bool two_words(struct view *v, uint64_t two[2])
{
	unsigned char raw[16];
	size_t wide = v->abi == ABI_I386 && strstr(v->name, "64") == NULL ? 4 : 8;

	if (fetch(v, pointer(v, own(v)), raw, 2 * wide) < 2 * wide) {
		put_ptr(v);
		return false;
	}
	two[0] = word_at(raw, wide);
	two[1] = word_at(raw + wide, wide);
	return true;
}

static void put_timespec(struct view *v)
{
	uint64_t two[2];

	if (two_words(v, two))
		line_format(
		    v->out, "{tv_sec=%lld, tv_nsec=%lld}", (long long)two[0], (long long)two[1]);
}

static void put_limit(const struct view *v, uint64_t value)
{
	if (value == UINT64_MAX || (v->abi == ABI_I386 && value == UINT32_MAX))
		line_put(v->out, "RLIM_INFINITY");
	else
		line_format(v->out, "%llu", (unsigned long long)value);
}

static void put_rlimit(struct view *v)
{
	uint64_t two[2];

	if (!two_words(v, two))
		return;
	line_put(v->out, "{rlim_cur=");
	put_limit(v, two[0]);
	line_put(v->out, ", rlim_max=");
	put_limit(v, two[1]);
	line_put(v->out, "}");
}

static void put_argv(struct view *v)
{
	size_t wide = narrow(v) ? 4 : 8;
	uint64_t address = pointer(v, own(v));

	for (unsigned i = 0; i <= WORDS_MAX; i++) {
		unsigned char raw[8];
		uint64_t word;

		if (fetch(v, address + i * wide, raw, wide) < wide) {
			if (i == 0)
				put_address(v, address);
			else
				line_put(v->out, ", ...]");
			return;
		}
		word = word_at(raw, wide);
		if (i == 0)
			line_put(v->out, "[");
		if (word == 0)
			break;
		if (i > 0)
			line_put(v->out, ", ");
		if (i == WORDS_MAX) {
			line_put(v->out, "...");
			break;
		}
		put_text_at(v, word, WORD_MAX);
	}
	line_put(v->out, "]");
}

/* socketcall(2): its arguments are in memory, and no filter sees them. */
static void put_words(struct view *v)
{
	unsigned char raw[12];

	if (fetch(v, pointer(v, own(v)), raw, sizeof raw) < sizeof raw) {
		put_ptr(v);
		return;
	}
	line_format(v->out, "[%#x, %#x, %#x, ...]", (unsigned)word_at(raw, 4),
	    (unsigned)word_at(raw + 4, 4), (unsigned)word_at(raw + 8, 4));
}

static const struct kind {
	const char *name;
	void (*put)(struct view *v);
} kinds[] = {
	{ "access", put_access },
	{ "argv", put_argv },
	{ "at", put_at },
	{ "clone", put_clone },
	{ "clone_args", put_clone_args },
	{ "dev", put_dev },
	{ "fcntl", put_fcntl },
	{ "fcntl?", put_fcntl_arg },
	{ "fd", put_int },
	{ "filemode", put_filemode },
	{ "hex", put_hex },
	{ "hex?", put_hex_if },
	{ "int", put_int },
	{ "ioctl", put_ioctl },
	{ "level", put_level },
	{ "long", put_long },
	{ "mode", put_mode },
	{ "mode?", put_mode_if },
	{ "msghdr", put_msghdr },
	{ "open", put_open },
	{ "open_how", put_open_how },
	{ "path", put_path },
	{ "protocol", put_protocol },
	{ "ptr", put_ptr },
	{ "rlimit", put_rlimit },
	{ "signal", put_signal },
	{ "size", put_size },
	{ "sockaddr", put_sockaddr },
	{ "sockopt", put_sockopt },
	{ "socktype", put_socktype },
	{ "text", put_path },
	{ "timespec", put_timespec },
	{ "uid", put_uid },
	{ "uint", put_uint },
	{ "words", put_words },
};

static const struct kind *kind_named(const char *word)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kinds[i].name, word) == 0)
			return &kinds[i];
	return NULL;
}

static void put_word(struct view *v, const struct call *call, const char *word)
{
	const struct kind *k = kind_named(word);
	uint64_t value = own(v);

	if (k != NULL) {
		k->put(v);
		return;
	}
	if (call_arg_is_word(call, v->abi, v->at))
		value = (uint32_t)value;
	if (word[0] == '=')
		put_one(v, word + 1, value);
	else
		put_flags(v, word, value);
}

/* ---- calls ---- */

static const char *words_of(const char *name)
{
	size_t low = 0, high = TABLE_COUNT;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, table[middle].name);

		if (order == 0)
			return table[middle].words;
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* i386 passes 64-bit numbers in two registers, and some calls all of theirs in memory: calls.def.
 */
static bool other_layout(const char *name)
{
	static const char *const others[] = { "fallocate", "fanotify_mark", "mmap", "pread64",
		"pwrite64", "readahead", "sync_file_range" };

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strcmp(name, others[i]) == 0)
			return true;
	return false;
}

static size_t next_word(const char **words, char word[192])
{
	size_t n;

	*words += strspn(*words, " ");
	n = strcspn(*words, " ");
	if (n >= 192)
		n = 191;
	memcpy(word, *words, n);
	word[n] = '\0';
	*words += n;
	return n;
}

bool decode_abi(const struct seccomp_data *data, enum abi *abi)
{
	for (*abi = 0; *abi < ABI_COUNT; (*abi)++)
		if (abi_audit_arch(*abi) == data->arch &&
		    (data->arch != AUDIT_ARCH_X86_64 ||
			(*abi == ABI_X32) == (((unsigned)data->nr & X32_BIT) != 0)))
			return true;
	return false;
}

void decode_call(struct decoded *d, const struct seccomp_data *data, int pid, bool memory)
{
	uint64_t args[6];
	enum abi abi;
	bool known = decode_abi(data, &abi);
	const char *words = NULL;
	struct line out;
	struct view v = { .out = &out, .args = args, .pid = pid, .memory = memory };
	size_t used = 0;
	unsigned limit = 6;

	d->call = known ? call_numbered(abi, (uint32_t)data->nr) : NULL;
	d->abi = !known ? "foreign" : abi != abi_native() ? abi_name(abi) : NULL;
	d->count = 0;
	for (unsigned i = 0; i < 6; i++)
		args[i] = known && abi == ABI_I386 ? (uint32_t)data->args[i] : data->args[i];
	v.abi = known ? abi : abi_native();
	if (d->call != NULL) {
		d->name = v.name = d->call->name;
		words = words_of(d->name);
		limit = (unsigned)strlen(d->call->widths);
		if (abi == ABI_I386 && other_layout(d->name)) {
			words = NULL;
			limit = strcmp(d->name, "mmap") == 0 ? 1 : 6;
		}
	} else {
		d->name = v.name = d->text;
		used = (size_t)snprintf(
			   d->text, sizeof d->text, "syscall_%#x", (unsigned)data->nr) +
		    1;
	}
	for (v.at = 0; v.at < limit && !v.omitted; v.at++) {
		size_t room = sizeof d->text - used - (limit - v.at - 1) * ARG_LEAST;
		char word[192];

		line_begin(&out, d->text + used, room < ARG_ROOM ? room : ARG_ROOM);
		if (words == NULL)
			put_hex(&v);
		else if (next_word(&words, word) == 0)
			break;
		else
			put_word(&v, d->call, word);
		if (v.omitted)
			break;
		d->args[d->count++] = d->text + used;
		used += out.used + 1;
	}
}

const char *decode_check(void)
{
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		const char *words = table[i].words;
		static char word[192];

		if (call_named(table[i].name) == NULL || words_of(table[i].name) != words)
			return table[i].name;
		while (next_word(&words, word) > 0) {
			const char *list = word + (word[0] == '=');
			char part[64];
			uint64_t value;

			if (kind_named(word) != NULL)
				continue;
			while (next_part(&list, part))
				if (is_prefix(part)
					? best_flag(part, false, UINT64_MAX).name == NULL
					: !const_value(part, strlen(part), false, &value))
					return word;
			if (*list != '\0')
				return word;
		}
	}
	return NULL;
}
