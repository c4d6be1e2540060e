/*
 * stagefence.c: the wrapper, and the outer fence: picks the stage, raises its filter, executes the
 * command.
 *
 * Freestanding and static, so that no library, preload or audit module of a job's environment ever
 * runs in it, and because a libc's start costs more than everything it does. It keeps the pid, the
 * descriptors, the signals and the environment as they came; nothing runs if anything is wrong: one
 * line, exit status 125.
 *
 * The order of main is the security argument: judge the caller, get the image, pick the stage, find
 * the command, and, last of all, raise and execute.
 */
#include <linux/elf.h>
#include "../preload/environment.h"
#include "../preload/fence.h"
#include "../preload/image.h"
#include "../preload/load.h"
#include "../preload/paths.h"
#include "../preload/raw.h"
#include "supervise.h"
#include "version.h"

enum { CANNOT_RUN = 126, NOT_FOUND = 127, TABLE_MAX = 4096 };

struct run {
	char **argv; /* the command's, as it will get them */
	char **env;
	const char *conf, *stage; /* -c and -s, or NULL */
	const char *report;       /* --report, or NULL */
	bool again;          /* the shim executes its program again: argv[0] is not the program */
	int image_fd;        /* a sealed memfd, or -1 */
	const char *program; /* what to execute */
	const struct image_header *image;
};

/* What the first bytes of a file make of it. */
struct look {
	enum {
		LOOK_UNREADABLE,
		LOOK_TEXT,
		LOOK_SCRIPT,
		LOOK_STATIC,
		LOOK_DYNAMIC,
		LOOK_FOREIGN
	} kind;
	char text[256]; /* as many as the kernel looks at; a script's interpreter and argument */
	char *interpreter, *argument; /* into text; argument may be NULL */
	char loader[256];             /* PT_INTERP */
};

/* A compiler may call these even where there is no library (GCC manual, "Standards"). */
void *memset(void *to, int value, size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t size);

void *memset(void *to, int value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile unsigned char *)to)[i] = (unsigned char)value;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile unsigned char *)to)[i] = ((const unsigned char *)from)[i];
	return to;
}

static const char *error_text(long error)
{
	static const char texts[] =
	    "\001Operation not permitted\0\002No such file or directory\0\005Input/output error\0"
	    "\007Argument list too long\0\010Exec format error\0\013Resource temporarily "
	    "unavailable\0\014Cannot allocate memory\0"
	    "\015Permission denied\0\024Not a directory\0\025Is a directory\0\027Too many open "
	    "files in system\0"
	    "\030Too many open files\0\032Text file busy\0\033File too large (ulimit -f)\0"
	    "\044File name too long\0"
	    "\050Too many levels of symbolic links\0\120Invalid exe format\0";

	for (const char *p = texts; *p != '\0'; p += raw_length(p) + 1)
		if (*p == error)
			return p + 1;
	return "the kernel refused it";
}

static _Noreturn void die(const char *a, const char *b, const char *c)
{
	raw_die(a, b, c, NULL, NULL);
}

/*
 * All there is in .bss. Pages that are not used cost nothing, and the first is touched by the
 * kernel, which clears what follows .dynamic there: an ordinary launch needs no other.
 */
static struct {
	size_t used;
	_Alignas(16) char bytes[64 << 10];
} heap;

/* Never given back: exec or exit does. */
static void *memory(size_t size)
{
	void *at;

	size = (size + 15) & ~(size_t)15;
	if (size <= sizeof heap.bytes - heap.used) {
		at = heap.bytes + heap.used;
		heap.used += size;
		return at;
	}
	at = raw_map(size, RAW_PROT_READ | RAW_PROT_WRITE, RAW_MAP_PRIVATE | RAW_MAP_ANONYMOUS, -1);
	if (at == NULL)
		die("out of memory", NULL, NULL);
	return at;
}

/* Keeps the text at the beginning of what memory() gave last, and gives back the room behind it. */
static char *fit(char *text)
{
	size_t size = (raw_length(text) + 1 + 15) & ~(size_t)15;

	if (text >= heap.bytes && text < heap.bytes + heap.used)
		heap.used = (size_t)(text - heap.bytes) + size;
	return text;
}

/* a and b joined, in memory of their own. */
static char *join(const char *a, const char *b)
{
	size_t n = raw_length(a), m = raw_length(b);
	char *text = memory(n + m + 1);

	raw_copy(text, a, n);
	raw_copy(text + n, b, m + 1);
	return text;
}

static bool executable(const char *path)
{
	return raw_call3(__NR_faccessat, RAW_AT_FDCWD, (long)path, RAW_X_OK) == 0;
}

/* The folder of /proc/self/exe. The kernel's word; argv[0] and AT_EXECFN are the caller's. */
static char *own_folder(void)
{
	char *path = memory(TRUST_PATH_MAX);
	long n = raw_call6(__NR_readlinkat, RAW_AT_FDCWD, (long)"/proc/self/exe", (long)path,
	    TRUST_PATH_MAX - 1, 0, 0);

	while (n > 0 && path[n - 1] != '/')
		n--;
	path[n > 0 ? n : 0] = '\0';
	return fit(path);
}

/* A tool of ours beside this executable (a build tree, a copied folder), else where it is
 * installed. */
static const char *find_beside(const char *name, const char *installed)
{
	const char *folder = own_folder(), *beside = join(folder, name);

	return folder[0] != '\0' && executable(beside) ? beside : installed;
}

/* ---- the image ---- */

/* "PATH: why", or "PATH: PART why" where it is a folder on the way. */
static _Noreturn void refuse_path(const char *path, const struct trust_refusal *no)
{
	const char *why = no->fault == TRUST_ERROR ? error_text(no->error) : trust_text(no->fault);
	const char *last = path;

	for (const char *p = path; *p != '\0'; p++)
		if (*p == '/')
			last = p + 1;
	if (raw_equal(last, no->name))
		die(path, ": ", why);
	raw_die(path, ": ", no->name, no->fault == TRUST_ERROR ? ": " : " ", why);
}

static int sealable_memory(void)
{
	enum { CLOEXEC_SEALING = 3, NOEXEC = 8, DUPFD_CLOEXEC = 1030 };
	/* since 6.3 vm.memfd_noexec = 2 wants MFD_NOEXEC_SEAL said; kernels before do not know it
	 */
	long fd = raw_call3(__NR_memfd_create, (long)"stagefence", CLOEXEC_SEALING | NOEXEC, 0);

	if (fd == -RAW_EINVAL)
		fd = raw_call3(__NR_memfd_create, (long)"stagefence", CLOEXEC_SEALING, 0);
	if (fd >= 0 && fd <= 2) { /* the caller closed some of 0, 1 and 2 */
		long high = raw_fcntl((int)fd, DUPFD_CLOEXEC, 3);

		raw_close((int)fd);
		fd = high;
	}
	if (fd < 0)
		die("no memory for a policy image: memfd_create: ", error_text(-fd), NULL);
	return (int)fd;
}

static const struct image_header *seal(struct run *run, int fd, const char *name)
{
	struct raw_stat st;
	enum image_fault fault;

	if (raw_fcntl(fd, RAW_F_ADD_SEALS, RAW_SEALS) != 0 || !load_sealed(fd) ||
	    raw_statx(fd, "", RAW_AT_EMPTY_PATH, &st) != 0)
		die("the policy image cannot be sealed", NULL, NULL);

	const struct image_header *h = load_map(fd, st.size, &fault);

	if (h == NULL)
		die(name, ": ", image_fault_text(fault));
	run->image_fd = fd;
	return h;
}

/* For rt_sigaction(2). */
struct disposition {
	uintptr_t handler; /* 0: the default; 1: ignored; an executed program has no others */
	unsigned long flags, restorer, mask;
};

enum { DEFAULT = 0, IGNORED = 1, SIGCHLD = 17, SIGXFSZ = 25 };

/* Sets what a signal does and returns what it did. */
static uintptr_t set_signal(int number, uintptr_t handler)
{
	struct disposition new = { .handler = handler }, old = { .handler = DEFAULT };

	raw_call6(__NR_rt_sigaction, number, (long)&new, (long)&old, sizeof new.mask, 0, 0);
	return old.handler;
}

static bool signal_pending(int number)
{
	uint64_t pending = 0;

	raw_call3(__NR_rt_sigpending, (long)&pending, sizeof pending, 0);
	return pending >> (number - 1) & 1;
}

/*
 * Runs the compiler on the policy file conf (NULL: the system's) with an empty environment, into a
 * sealed memfd. The compiler says itself what is wrong with a policy.
 */
static const struct image_header *compile(struct run *run, const char *conf)
{
	const char *compiler = find_beside("stagefencectl", PATH_COMPILER), *argv[7], *none = NULL;
	int fd = sealable_memory(), status = -1; /* -1: nobody has told */
	unsigned n = 0;

	argv[n++] = "stagefencectl";
	argv[n++] = "compile";
	if (conf != NULL) {
		argv[n++] = "-c";
		argv[n++] = conf;
	}
	argv[n++] = "-o";
	argv[n++] = "-";
	argv[n] = NULL;

	/* ignored, there would be nothing to wait for; and no signal of this child may reach the
	 * command */
	bool pending = signal_pending(SIGCHLD);
	uintptr_t before = set_signal(SIGCHLD, DEFAULT);
	long self = raw_call3(__NR_getpid, 0, 0, 0), pid = raw_call6(__NR_clone, 0, 0, 0, 0, 0, 0);

	/* a sandbox around us may answer 0 without a child */
	if (pid == 0 && raw_call3(__NR_getpid, 0, 0, 0) != self) {
		if (raw_call3(__NR_dup3, fd, 1, 0) != 1)
			die("the compiler has no descriptor to write to", NULL, NULL);

		long error = raw_call3(__NR_execve, (long)compiler, (long)argv, (long)&none);
		die(compiler, ", which compiles the policy: ", error_text(-error));
	}
	if (pid <= 0)
		die("no process to compile the policy in: ", error_text(-pid), NULL);
	while (raw_call6(__NR_wait4, pid, (long)&status, RAW_WALL, 0, 0, 0) == -RAW_EINTR)
		;
	if (!pending)
		set_signal(SIGCHLD, IGNORED); /* to ignore a signal forgets one that waits */
	set_signal(SIGCHLD, before);
	/* 1: a bad policy; 125: not even executed. Both have been said. */
	if (status == 1 << 8 || status == RAW_OUR_FAILURE << 8)
		raw_exit(RAW_OUR_FAILURE);
	if (status != 0)
		die(compiler, " did not finish compiling the policy", NULL);
	return seal(run, fd, compiler);
}

/* A private copy: whoever owns the file could change it under our eyes. */
static const struct image_header *copy_image(int fd, size_t size, const char *path)
{
	char *data = size > 0 && size <= IMAGE_SIZE_MAX ? memory(size) : NULL;
	size_t have = 0;
	long n;

	while (data != NULL && have < size && (n = raw_read(fd, data + have, size - have)) > 0)
		have += (size_t)n;

	enum image_fault fault = data == NULL || have != size ? IMAGE_WRONG_SIZE
							      : image_check(data, size);

	if (fault != IMAGE_GOOD)
		die(path, ": ", image_fault_text(fault));
	return image_header(data);
}

static const char *absolute(const char *path)
{
	char *cwd;
	long n;

	if (path[0] == '/')
		return path;
	cwd = memory(TRUST_PATH_MAX);
	n = raw_call3(__NR_getcwd, (long)cwd, TRUST_PATH_MAX - 1, 0);
	if (n < 0 || cwd[0] != '/') /* "(unreachable)..." */
		die("the current folder has no name: give an absolute path", NULL, NULL);
	cwd[n - 1] = '/'; /* for the 0 at the end */
	cwd[n] = '\0';
	return join(fit(cwd), path);
}

/* What -c names: a compiled image, or a policy to compile. */
static const struct image_header *named_image(struct run *run)
{
	struct raw_stat st;
	struct trust_refusal no;
	uint32_t magic = 0;
	int fd = trust_open(absolute(run->conf), TRUST_CALLER | TRUST_NAMESPACE, &st, &no);

	if (fd < 0)
		refuse_path(run->conf, &no);
	if (raw_call6(__NR_pread64, fd, (long)&magic, sizeof magic, 0, 0, 0) != sizeof magic ||
	    magic != IMAGE_MAGIC) {
		raw_close(fd);
		return compile(run, run->conf);
	}

	/* root's own does not change under our eyes */
	enum image_fault fault = IMAGE_GOOD;
	const struct image_header *h = st.uid == 0 ? load_map(fd, st.size, &fault)
						   : copy_image(fd, st.size, run->conf);

	raw_close(fd);
	if (fault != IMAGE_GOOD)
		die(run->conf, ": ", image_fault_text(fault));
	return h;
}

static const struct image_header *get_image(struct run *run)
{
	struct load_refusal no;

	if (run->conf != NULL)
		return named_image(run);

	const struct image_header *h = load_system(TRUST_NAMESPACE, &no);

	if (h == NULL && no.why == LOAD_UNTRUSTED)
		refuse_path(PATH_IMAGE, &no.trust);
	if (h == NULL && no.why == LOAD_FAULTY)
		die(PATH_IMAGE, ": ", image_fault_text(no.fault));
	return h != NULL ? h : compile(run, NULL);
}

/* ---- the stage ---- */

static uint32_t named_stage(const struct run *run)
{
	const struct image_header *h = run->image;

	for (uint32_t i = 0; i < h->part[IMAGE_STAGES].count; i++)
		if (raw_equal(image_string(h, image_stage(h, i)->name), run->stage))
			return i;

	uint32_t found = image_find(h, run->stage);

	return found == IMAGE_NONE ? h->unknown_stage : found;
}

static uint32_t pick_stage(const struct run *run)
{
	const char *name = run->stage;
	uint32_t i = name != NULL ? named_stage(run) : image_pick(run->image, run->env, &name);

	if (i != IMAGE_NONE)
		return i;
	if (name != NULL && raw_length(name) > 64)
		die("no stage answers to the name given, of more than 64 bytes", NULL, NULL);
	if (name != NULL)
		die("no stage answers to \"", name,
		    run->stage != NULL ? "\"" : "\" (or its variable is set twice)");

	const uint32_t *variable = image_part(run->image, IMAGE_VARIABLES);

	raw_die("no stage is named: give -s STAGE",
	    run->image->part[IMAGE_VARIABLES].count > 0 ? " or set " : NULL,
	    run->image->part[IMAGE_VARIABLES].count > 0 ? image_string(run->image, variable[0])
							: NULL,
	    NULL, NULL);
}

/* ---- the command ---- */

static _Noreturn void cannot_run(const char *what, const char *why, const char *more, long error)
{
	raw_say(what, ": ", why != NULL ? why : error_text(error), more, NULL);
	raw_exit(error == RAW_ENOENT ? NOT_FOUND : CANNOT_RUN);
}

/* A script whose interpreter is not there, which the kernel reports as if the script were not. */
static _Noreturn void no_interpreter(const char *program, const struct look *look)
{
	const char *last = look->argument != NULL ? look->argument : look->interpreter;
	size_t n = raw_length(last);

	if (n > 0 && last[n - 1] == '\r')
		cannot_run(program, "its first line ends in CR LF, so there is no such interpreter",
		    " (dos2unix)", RAW_ENOENT);
	cannot_run(program, "there is no interpreter ", look->interpreter, RAW_ENOENT);
}

/* As execvp(3) does, but without executing: the fence must not stand while we still look around. */
static const char *find_program(const struct run *run)
{
	enum { NAME_SIZE = 256 };
	const char *name = run->argv[0];
	char *candidate;
	size_t length = raw_length(name);
	unsigned count;
	const char *path = raw_env(run->env, "PATH", &count);
	long error = RAW_ENOENT;

	for (const char *p = name; *p != '\0'; p++)
		if (*p == '/')
			return name;
	if (path == NULL)
		path = "/bin:/usr/bin";
	if (length == 0 || length >= NAME_SIZE)
		cannot_run(length == 0 ? "\"\"" : name, NULL, NULL, RAW_ENOENT);
	candidate = memory(TRUST_PATH_MAX + NAME_SIZE);
	for (;; path++) {
		size_t n = 0;
		struct raw_stat st;

		for (; *path != ':' && *path != '\0'; path++)
			if (n < TRUST_PATH_MAX)
				candidate[n++] = *path;
		if (n > 0)
			candidate[n++] = '/';
		if (n < TRUST_PATH_MAX) { /* one that long is no folder */
			raw_copy(candidate + n, name, length + 1);
			if (raw_statx(RAW_AT_FDCWD, candidate, 0, &st) == 0) {
				if ((st.mode & RAW_S_IFMT) == RAW_S_IFREG && executable(candidate))
					return fit(candidate);
				error = RAW_EACCES;
			}
		}
		if (*path == '\0')
			cannot_run(name, NULL, NULL, error);
	}
}

/* The kernel's reading of "#!" (fs/binfmt_script.c): an interpreter and at most one argument. */
static void read_script(struct look *look)
{
	char *p = look->text + 2, *end = p;

	while (*end != '\n' && *end != '\0')
		end++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	while (*p == ' ' || *p == '\t')
		p++;
	look->interpreter = p;
	while (*p != ' ' && *p != '\t' && *p != '\0')
		p++;
	look->argument = NULL;
	if (*p != '\0') {
		*p++ = '\0';
		while (*p == ' ' || *p == '\t')
			p++;
		look->argument = *p != '\0' ? p : NULL;
	}
	look->kind = LOOK_SCRIPT;
}

static void read_elf(struct look *look, int fd, long size, bool loader)
{
	/* copied: text has no particular alignment */
	Elf64_Ehdr elf;

	look->kind = LOOK_FOREIGN;
	if (size < (long)sizeof elf)
		return;
	raw_copy(&elf, look->text, sizeof elf);
	if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != ELFDATA2LSB ||
	    elf.e_machine != (IMAGE_ARCH & 0xffff))
		return;
	look->kind = LOOK_STATIC;
	for (unsigned i = 0; loader && i < elf.e_phnum; i++) {
		Elf64_Phdr ph;

		if (raw_call6(__NR_pread64, fd, (long)&ph, sizeof ph,
			(long)(elf.e_phoff + i * sizeof ph), 0, 0) != sizeof ph)
			return;
		if (ph.p_type != PT_INTERP)
			continue;
		look->kind = LOOK_DYNAMIC;
		look->loader[0] = '\0';
		if (ph.p_filesz > 0 && ph.p_filesz < sizeof look->loader &&
		    raw_call6(__NR_pread64, fd, (long)look->loader, (long)ph.p_filesz,
			(long)ph.p_offset, 0, 0) != (long)ph.p_filesz)
			look->loader[0] = '\0';
		look->loader[sizeof look->loader - 1] = '\0';
		return;
	}
}

/* What kind of program path is. LOOK_STATIC: or dynamic, unless that is asked for, and with its
 * loader. */
static void look_at(const char *path, bool loader, struct look *look)
{
	int fd = (int)raw_openat(
	    RAW_AT_FDCWD, path, RAW_O_RDONLY | RAW_O_NONBLOCK | RAW_O_NOCTTY | RAW_O_CLOEXEC);
	long n = raw_read(fd, look->text, sizeof look->text - 1);

	look->kind = n < 0 ? LOOK_UNREADABLE : LOOK_TEXT;
	look->text[n < 0 ? 0 : n] = '\0';
	if (n >= 2 && look->text[0] == '#' && look->text[1] == '!')
		read_script(look);
	else if (n >= SELFMAG && raw_same(look->text, ELFMAG, SELFMAG))
		read_elf(look, fd, n, loader);
	raw_close(fd);
}

static _Noreturn void refuse_foreign(const struct run *run, const struct image_stage *s)
{
	raw_say(run->program, ": a program for another architecture, which stage ",
	    image_string(run->image, s->name), " does not admit", NULL);
	raw_exit(CANNOT_RUN);
}

/* ---- both fences: when the stage refuses what the dynamic loader needs ---- */

static _Noreturn void refuse_others(
    const struct run *run, const struct image_stage *s, const char *path)
{
	raw_die("stage ", image_string(run->image, s->name),
	    " refuses what a dynamic program needs to start, and"
	    " that is let through for root's own programs only, or static ones: not for ",
	    path, NULL);
}

/* What owner and mode do not tell: whose file system it is, and whether the loader would heed us.
 */
static bool judge_file(const struct run *run, const struct image_stage *s, const char *path, int fd)
{
	enum { FUSE = 0x65735546, NO_DATA = 61, NOT_SUPPORTED = 95 };
	/* statfs(2)'s result begins with the type; it has 120 bytes on both machines */
	long about[16] = { 0 };
	long size = raw_call6(__NR_fgetxattr, fd, (long)"security.capability", 0, 0, 0, 0);

	/* with file capabilities it would start in secure mode, no_new_privs or not, and heed no
	 * LD_PRELOAD */
	if (size != -NO_DATA && size != -NOT_SUPPORTED)
		raw_die(path, ": has file capabilities, and stage ",
		    image_string(run->image, s->name),
		    " needs a preload, which such a program does not heed: setcap -r a copy", NULL);
	/* there any user says what uid a file has */
	return raw_call3(__NR_fstatfs, fd, (long)about, 0) == 0 && about[0] != FUSE;
}

/* The run path of a root's own program: folders that only root can put a library into. */
static void check_run_path(const struct run *run, const struct image_stage *s, char *path)
{
	struct raw_stat st;
	struct trust_refusal no;
	static const char origin[] = "$ORIGIN";
	char *folder = join(run->program, "");

	for (size_t n = raw_length(folder); n > 0 && folder[n - 1] != '/'; n--)
		folder[n - 1] = '\0';
	for (char *part = path, *end = path; end != NULL; part = end + 1) {
		for (end = part; *end != ':' && *end != '\0';)
			end++;
		bool last = *end == '\0';

		*end = '\0';
		if (raw_same(part, origin, sizeof origin - 1))
			part = join(folder, part + sizeof origin - 1);
		for (const char *p = part; *p != '\0'; p++)
			if (*p == '$')
				part = (char *)"";
		int fd = part[0] != '/'
		    ? -1
		    : trust_open(part, TRUST_NAMESPACE | TRUST_LINKS | TRUST_FOLDER, &st, &no);

		raw_close(fd);
		if (fd < 0 && (part[0] != '/' || no.fault != TRUST_ERROR || no.error != RAW_ENOENT))
			raw_die("stage ", image_string(run->image, s->name),
			    " takes two fences, and libraries that others could change would run "
			    "between them: the run "
			    "path of ",
			    run->program, NULL);
		if (last)
			break;
	}
}

/* Entry i of what is dynamic in the file; false: there are no more. */
static bool read_dynamic(int fd, const Elf64_Phdr *dynamic, uint64_t i, Elf64_Dyn *entry)
{
	return (i + 1) * sizeof *entry <= dynamic->p_filesz &&
	    raw_call6(__NR_pread64, fd, (long)entry, sizeof *entry,
		(long)(dynamic->p_offset + i * sizeof *entry), 0, 0) == sizeof *entry &&
	    entry->d_tag != 0;
}

/* DT_RPATH and DT_RUNPATH of the program, and the folders of libraries that it needs by a path
 * (elf(5)); those of its libraries are root's care. */
static void check_run_paths(const struct run *run, const struct image_stage *s)
{
	enum { TAG_NEEDED = 1, TAG_STRTAB = 5, TAG_RPATH = 15, TAG_RUNPATH = 29, PATH_SIZE = 4096 };
	int fd = (int)raw_openat(RAW_AT_FDCWD, run->program, RAW_O_RDONLY | RAW_O_CLOEXEC);
	Elf64_Ehdr elf;
	Elf64_Phdr ph, dynamic = { .p_filesz = 0 };
	Elf64_Dyn entry;
	uint64_t strings = 0;
	char *path = memory(PATH_SIZE);

	if (raw_call6(__NR_pread64, fd, (long)&elf, sizeof elf, 0, 0, 0) != sizeof elf)
		cannot_run(run->program, NULL, NULL, RAW_ENOEXEC);
	for (unsigned i = 0; i < elf.e_phnum; i++)
		if (raw_call6(__NR_pread64, fd, (long)&ph, sizeof ph,
			(long)(elf.e_phoff + i * sizeof ph), 0, 0) == sizeof ph &&
		    ph.p_type == PT_DYNAMIC)
			dynamic = ph;
	for (uint64_t i = 0; read_dynamic(fd, &dynamic, i, &entry); i++)
		if (entry.d_tag == TAG_STRTAB)
			strings = entry.d_un.d_ptr;
	/* the table is named by its address: from there to its place in the file */
	for (unsigned i = 0; i < elf.e_phnum; i++)
		if (raw_call6(__NR_pread64, fd, (long)&ph, sizeof ph,
			(long)(elf.e_phoff + i * sizeof ph), 0, 0) == sizeof ph &&
		    ph.p_type == PT_LOAD && strings >= ph.p_vaddr &&
		    strings - ph.p_vaddr < ph.p_filesz) {
			strings = strings - ph.p_vaddr + ph.p_offset;
			break;
		}
	for (uint64_t i = 0; read_dynamic(fd, &dynamic, i, &entry); i++) {
		long n, folder = 0;

		if (entry.d_tag != TAG_NEEDED && entry.d_tag != TAG_RPATH &&
		    entry.d_tag != TAG_RUNPATH)
			continue;
		n = raw_call6(__NR_pread64, fd, (long)path, PATH_SIZE - 1,
		    (long)(strings + entry.d_un.d_val), 0, 0);
		/* what cannot be read is judged as an empty part, the current folder */
		path[n > 0 ? n : 0] = '\0';
		if (entry.d_tag == TAG_NEEDED && n > 0) {
			/* a name without a folder is looked for in those of the system */
			for (long at = 0; path[at] != '\0'; at++)
				if (path[at] == '/')
					folder = at + 1;
			if (folder == 0)
				continue;
			path[folder] = '\0';
		}
		check_run_path(run, s, path);
	}
	raw_close(fd);
}

/*
 * Until the shim has raised the inner fence, the program runs under the outer one only. So
 * everything that runs until then must be root's: the program, its loader, and nothing that the
 * environment could add. Returns the path to execute, free of links and thus of swaps.
 */
static const char *roots_own(const struct run *run, const struct image_stage *s, const char *path)
{
	struct raw_stat st;
	struct trust_refusal no;
	char number[24], *real = memory(TRUST_PATH_MAX);
	int fd = (int)raw_openat(RAW_AT_FDCWD, path, RAW_O_PATH | RAW_O_CLOEXEC);
	const char *link = fd < 0
	    ? NULL
	    : join("/proc/self/fd/", raw_decimal((unsigned long)fd, number + sizeof number));
	long n = fd < 0 ? fd
			: raw_call6(__NR_readlinkat, RAW_AT_FDCWD, (long)link, (long)real,
			      TRUST_PATH_MAX - 1, 0, 0);

	raw_close(fd);
	if (n < 0)
		cannot_run(path, NULL, NULL, -n);
	real[n] = '\0';
	fd = trust_open(real, TRUST_NAMESPACE, &st, &no);

	bool good = fd >= 0 && judge_file(run, s, path, fd);

	raw_close(fd);
	if (good)
		return real;
	refuse_others(run, s, path);
}

/*
 * Empty ones too: musl's loader takes the first LD_PRELOAD that there is. The system's shim is out
 * of it already; with -c it stays, and would come too late here.
 */
static void check_environment(const struct run *run, const struct image_stage *s)
{
	for (char **e = run->env; *e != NULL; e++)
		if (raw_same(*e, "LD_", 3) || raw_value(*e, "GLIBC_TUNABLES") != NULL)
			raw_die("stage ", image_string(run->image, s->name),
			    " refuses what the dynamic loader needs, so nothing may run before its "
			    "inner "
			    "fence: unset ",
			    *e, NULL);
}

/* From the first byte of its memory that a program has of its own to the last. */
static uint64_t span_of(const char *path)
{
	int fd = (int)raw_openat(RAW_AT_FDCWD, path, RAW_O_RDONLY | RAW_O_CLOEXEC);
	uint64_t first = UINT64_MAX, behind = 0;
	Elf64_Ehdr elf = { .e_phnum = 0 };
	Elf64_Phdr ph;

	raw_call6(__NR_pread64, fd, (long)&elf, sizeof elf, 0, 0, 0);
	for (unsigned i = 0; i < elf.e_phnum; i++) {
		if (raw_call6(__NR_pread64, fd, (long)&ph, sizeof ph,
			(long)(elf.e_phoff + i * sizeof ph), 0, 0) != sizeof ph)
			break;
		if (ph.p_type != PT_LOAD)
			continue;
		if (ph.p_vaddr < first)
			first = ph.p_vaddr;
		if (ph.p_vaddr + ph.p_memsz > behind)
			behind = ph.p_vaddr + ph.p_memsz;
	}
	raw_close(fd);
	return behind > first ? behind - first : 0;
}

/* Limits under which a loader might find room for the program and not for the shim, and go on
 * without it. */
static void check_limits(const struct run *run, const struct image_stage *s)
{
	enum {
		LIMIT_DATA = 2,
		LIMIT_STACK = 3,
		LIMIT_FILES = 7,
		LIMIT_SPACE = 9,
		KIB = 1 << 10,
		MIB = 1 << 20
	};
	static const struct {
		unsigned limit, beside; /* 1: beside the program's own */
		uint64_t least;
	} needs[] = {
		{ LIMIT_DATA, 1, 64 * MIB },
		{ LIMIT_STACK, 0, 256 * KIB },
		{ LIMIT_FILES, 0, 32 },
		{ LIMIT_SPACE, 1, 256 * MIB },
	};
	uint64_t span = span_of(run->program);

	for (unsigned i = 0; i < sizeof needs / sizeof needs[0]; i++) {
		uint64_t now[2]; /* soft and hard */

		if (raw_call6(__NR_prlimit64, 0, needs[i].limit, 0, (long)now, 0, 0) != 0 ||
		    now[0] < needs[i].least || (needs[i].beside && now[0] - needs[i].least < span))
			raw_die("stage ", image_string(run->image, s->name),
			    " takes two fences, and that room for both: raise ulimit -d to 64 MiB, "
			    "-s to 256 KiB, "
			    "-n to 32, -v to 256 MiB, -d and -v by the program's own size more",
			    NULL, NULL);
	}
}

/* Executes a script's interpreter ourselves, as the kernel would: nobody can swap the script's
 * first line. */
static void unfold_script(struct run *run, const struct look *look)
{
	size_t count = 0, n = 0;
	char **argv;

	while (run->argv[count] != NULL)
		count++;
	argv = memory((count + 3) * sizeof *argv);
	argv[n++] = join(look->interpreter, "");
	if (look->argument != NULL)
		argv[n++] = join(look->argument, "");
	argv[n++] = join(run->program, "");
	for (size_t i = 1; i <= count; i++) /* its NULL too */
		argv[n++] = run->argv[i];
	run->program = argv[0];
	run->argv = argv;
}

/* The variables of env but our own and LD_PRELOAD, and room for two more behind them. */
static char **new_environment(char **env, size_t *count)
{
	size_t n = 0;
	char **copy;

	while (env[n] != NULL)
		n++;
	copy = memory((n + 3) * sizeof *copy);
	*count = 0;
	for (size_t i = 0; i < n; i++)
		copy[(*count)++] = env[i];
	return copy;
}

/* The image in memory that nobody can change: run->image_fd. */
static void own_image(struct run *run)
{
	if (run->image_fd < 0) {
		int fd = sealable_memory();
		size_t done = 0;
		/* past ulimit -f the kernel would kill us before a word is said */
		bool pending = signal_pending(SIGXFSZ);
		uintptr_t before = pending ? DEFAULT : set_signal(SIGXFSZ, IGNORED);

		while (done < run->image->size) {
			long n = raw_call3(__NR_write, fd, (long)((const char *)run->image + done),
			    (long)(run->image->size - done));

			if (n <= 0)
				die("no memory to hand the policy image over: ", error_text(-n),
				    NULL);
			done += (size_t)n;
		}
		if (!pending)
			set_signal(SIGXFSZ, before);
		run->image = seal(run, fd, "the policy image");
	}
}

static void give_image(struct run *run)
{
	own_image(run);
	if (raw_fcntl(run->image_fd, RAW_F_SETFD, 0) != 0)
		die("the policy image cannot be handed over", NULL, NULL);
}

/* "STAGEFENCE_FENCE=FD" or "...=FD,STAGE" for the shim, which takes it out again. */
static void hand_over(struct run *run, uint32_t stage)
{
	char number[24];
	size_t count;

	give_image(run);
	environment_leave(run->env, false);

	char **env = new_environment(run->env, &count);
	char *value = join(
	    PATH_HANDOVER "=", raw_decimal((unsigned long)run->image_fd, number + sizeof number));

	if (stage != IMAGE_NONE)
		value = join(join(value, ","), raw_decimal(stage, number + sizeof number));
	env[count++] = value;
	run->env = env;
}

/*
 * A loader that cannot load a preload says so and goes on without it, so all that it could stumble
 * over is looked at first: that this is the shim, whole, of our architecture, and on a file system
 * that may be executed from.
 */
static void check_shim(const char *path)
{
	enum { SHIM_SIZE_MAX = 1 << 20 };
	const size_t mark = sizeof PATH_SHIM_MARK;
	struct raw_stat st;
	struct look look;
	int fd = (int)raw_openat(RAW_AT_FDCWD, path, RAW_O_RDONLY | RAW_O_CLOEXEC);
	const char *data = NULL, *why = "is missing, or not for this architecture";
	Elf64_Ehdr elf;

	look_at(path, true, &look);
	/* an ELF file of our class; a library has no PT_INTERP */
	if (fd < 0 || look.kind != LOOK_STATIC || raw_statx(fd, "", RAW_AT_EMPTY_PATH, &st) != 0)
		die(path, ": the shim ", why);
	if (st.size >= sizeof elf && st.size <= SHIM_SIZE_MAX)
		data = raw_map(st.size, RAW_PROT_READ | RAW_PROT_EXEC, RAW_MAP_PRIVATE, fd);
	raw_close(fd);
	if (data == NULL)
		die(path,
		    ": the shim cannot be mapped (is it cut off, or its file system mounted "
		    "noexec?)",
		    NULL);

	bool whole = false;

	raw_copy(&elf, data, sizeof elf);
	for (size_t i = 0; i + mark <= st.size && !whole; i++)
		whole = raw_same(data + i, PATH_SHIM_MARK, mark);
	for (unsigned i = 0; whole && i < elf.e_phnum; i++) {
		Elf64_Phdr ph;
		uint64_t at = elf.e_phoff + i * sizeof ph;

		whole = elf.e_phoff < st.size && at + sizeof ph <= st.size;
		if (whole)
			raw_copy(&ph, data + at, sizeof ph);
		whole = whole && ph.p_offset <= st.size && ph.p_filesz <= st.size - ph.p_offset;
	}
	if (!whole || elf.e_type != ET_DYN)
		die(path, ": the shim is damaged, or not of this version: install it again", NULL);
	raw_call3(__NR_munmap, (long)data, (long)st.size, 0);
}

static void preload_shim(struct run *run)
{
	size_t count;
	const char *shim = find_beside(PATH_SHIM_NAME, PATH_SHIM);

	for (const char *p = shim; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == ':' || *p == '$')
			die(shim,
			    ": the dynamic loader cannot be told a path with a blank, a colon or a "
			    "dollar",
			    NULL);
	check_shim(shim);
	environment_leave(run->env, true);

	char **env = new_environment(run->env, &count);

	env[count++] = join("LD_PRELOAD=", shim);
	run->env = env;
}

/* True: the program is dynamic, and the shim is on its way to it. False: static, nothing stands in
 * its way. */
static bool prepare_inner(struct run *run, const struct image_stage *s, uint32_t stage)
{
	struct look look, loader;
	struct raw_stat st;
	struct trust_refusal no;
	int loader_fd;

	for (unsigned depth = 0;; depth++) {
		enum { SCRIPTS_MAX = 5 };

		look_at(run->program, true, &look);
		if (look.kind == LOOK_TEXT) { /* as execvp(3) would */
			look.interpreter = (char *)"/bin/sh";
			look.argument = NULL;
		}
		if (look.kind != LOOK_SCRIPT && look.kind != LOOK_TEXT)
			break;
		if (depth == SCRIPTS_MAX)
			cannot_run(run->program, NULL, NULL, RAW_ELOOP);
		if (!executable(run->program))
			cannot_run(run->program, NULL, NULL, RAW_EACCES);
		if (look.kind == LOOK_SCRIPT &&
		    raw_statx(RAW_AT_FDCWD, look.interpreter, 0, &st) != 0)
			no_interpreter(run->program, &look);
		unfold_script(run, &look);
	}
	if (look.kind == LOOK_STATIC)
		return false;
	if (look.kind == LOOK_UNREADABLE)
		cannot_run(run->program, NULL, NULL, RAW_EACCES);
	if (look.kind == LOOK_FOREIGN)
		refuse_foreign(run, s);
	run->program = roots_own(run, s, run->program);
	look_at(run->program, true, &look);

	const char *base = look.loader;

	for (const char *p = base; *p != '\0'; p++)
		if (*p == '/')
			base = p + 1;
	/* the kernel takes the loader's own path, so every link on it must be root's too */
	loader_fd = look.loader[0] != '/'
	    ? -1
	    : trust_open(look.loader, TRUST_NAMESPACE | TRUST_LINKS, &st, &no);
	raw_close(loader_fd);
	if (look.kind != LOOK_DYNAMIC || loader_fd < 0)
		refuse_others(run, s, look.loader);
	look_at(roots_own(run, s, look.loader), true, &loader);
	/* the loaders that are known to load a preload before anything else */
	if (look.kind != LOOK_DYNAMIC || loader.kind != LOOK_STATIC ||
	    !(raw_same(base, "ld-linux", 8) || raw_same(base, "ld-musl-", 8)))
		die(run->program,
		    ": its loader is unknown, and this stage needs one that honours LD_PRELOAD",
		    NULL);
	check_run_paths(run, s);
	check_environment(run, s);
	check_limits(run, s);
	preload_shim(run);
	hand_over(run, stage);
	return true;
}

/* ---- the end ---- */

/* What to execute if the kernel finds that the program is neither a binary nor says what reads it.
 */
struct fallback {
	const char *program;
	char **argv;
};

static long try_execute(const char *program, char **argv, char **env, const uint32_t *cookie)
{
	long secret[3] = { 0, 0, 0 };

	for (unsigned i = 0; cookie != NULL && i < 3; i++)
		secret[i] = (long)((uint64_t)cookie[2 * i] | (uint64_t)cookie[2 * i + 1] << 32);
	return raw_call6(
	    __NR_execve, (long)program, (long)argv, (long)env, secret[0], secret[1], secret[2]);
}

/* The fence may stand: no call but execve(2), and where that fails one line and the end. */
static _Noreturn void execute(const struct run *run, const struct look *look,
    const struct fallback *shell, const uint32_t *cookie)
{
	long error = try_execute(run->program, run->argv, run->env, cookie);

	if (error == -RAW_ENOEXEC && shell->program != NULL)
		error = try_execute(shell->program, shell->argv, run->env, cookie);
	if (error == -RAW_ENOENT && look->kind == LOOK_SCRIPT)
		no_interpreter(run->program, look);
	cannot_run(run->program, NULL, NULL, -error);
}

/* Nobody of the same uid may read the secret from our memory; execve(2) sets this back. */
static void draw_cookie(struct sock_filter *code, size_t count, uint32_t cookie[FENCE_COOKIE_WORDS])
{
	const long size = sizeof *cookie * FENCE_COOKIE_WORDS;

	if (count < FENCE_ATTEST_COUNT + FENCE_COOKIE_COUNT)
		die("the policy image is damaged: a program has no place for the wrapper's secret",
		    NULL, NULL);
	if (raw_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    raw_call3(__NR_getrandom, (long)cookie, size, 0) != size)
		die("the kernel gives no random numbers", NULL, NULL);
	fence_cookie(code, cookie);
}

/* A copy of the program, with what is only known now. */
static struct sock_filter *program_code(
    const struct run *run, const struct image_program *p, const char *stage)
{
	const struct sock_filter *sound = image_code(run->image, p);
	struct sock_filter *code = memory(p->count * sizeof *code);

	if (sound == NULL)
		die("the policy image is damaged: the sum of stage ", stage, "'s program is wrong");
	raw_copy(code, sound, p->count * sizeof *code);
	fence_fill(code, p->count);
	return code;
}

/* ---- under a listener: refusals are told, or an agent decides ---- */

/* Why there can be no listener, or NULL. */
static const char *no_listener(void)
{
	/* without a filter: the kernel looks at the flags first, a reported stage around us too */
	long result = raw_call3(
	    __NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, 0);

	if (result == -RAW_EBUSY)
		return "another listener is in force, of a reported stage or a container around us";
	if (result != -RAW_EFAULT)
		return "this kernel, or a sandbox around us, has no seccomp user notification";
	return NULL;
}

/* What a CI service wants its annotations to look like; its own variables say which one it is. */
static const char *annotations(char **env)
{
	unsigned count;

	if (raw_env(env, "GITHUB_ACTIONS", &count) != NULL)
		return "github";
	return raw_env(env, "GITLAB_CI", &count) != NULL ? "gitlab" : "";
}

/* Starts the supervisor; our end of the socket between us, or -1: *why says it. */
static int start_supervisor(struct run *run, uint32_t stage, uint32_t program,
    struct supervise_stack *stack, const char **why)
{
	enum { UNIX = 1, SEQPACKET_CLOEXEC = 5 | RAW_O_CLOEXEC, DUPFD_CLOEXEC = 1030 };
	char number[4][24];
	int pair[2];
	const char *argv[] = { "stagefencectl", "supervise", NULL, NULL, NULL, NULL,
		run->report != NULL ? absolute(run->report) : "", annotations(run->env), NULL };
	struct supervise_start start = {
		.program = find_beside("stagefencectl", PATH_COMPILER), .argv = argv, .stack = stack
	};

	if (!executable(start.program)) {
		*why = "stagefencectl, which would supervise it, is not there";
		return -1;
	}
	own_image(run);
	/* nobody of the same uid may fetch the listener from us; execve(2) sets this back */
	if (raw_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		die("the kernel lets others look into us", NULL, NULL);
	if (raw_call6(__NR_socketpair, UNIX, SEQPACKET_CLOEXEC, 0, (long)pair, 0, 0) != 0)
		die("no socket for the supervisor", NULL, NULL);
	for (unsigned i = 0; i < 2; i++)
		if (pair[i] <= 2) { /* the caller closed some of 0, 1 and 2 */
			long high = raw_fcntl(pair[i], DUPFD_CLOEXEC, 3);

			raw_close(pair[i]);
			if (high < 0)
				die("no socket for the supervisor", NULL, NULL);
			pair[i] = (int)high;
		}
	start.keep[0] = pair[1];
	start.keep[1] = run->image_fd;
	argv[2] = raw_decimal((unsigned long)pair[1], number[0] + sizeof number[0]);
	argv[3] = raw_decimal((unsigned long)run->image_fd, number[1] + sizeof number[1]);
	argv[4] = raw_decimal(stage, number[2] + sizeof number[2]);
	argv[5] = raw_decimal(program, number[3] + sizeof number[3]);

	long error = supervise_begin(&start);

	raw_close(pair[1]);
	if (error != 0)
		die(start.program, ", the supervisor: ", error_text(-error));
	/* asleep until it is ready: later we can only wait awake, and take the time that it needs
	 */
	supervise_expect(pair[0]);
	return pair[0];
}

/*
 * Raises the program with a listener, and gives that to a supervisor. False: there can be none
 * here, which has been said, and the fence is to be raised without; refusals are errnos then, and
 * kills.
 */
static bool raise_listened(
    struct run *run, uint32_t stage, uint32_t number, const struct sock_filter *code)
{
	struct supervise_stack *stack = memory(2 * sizeof *stack);
	const struct image_stage *s = image_stage(run->image, stage);
	const struct image_program *p = image_program(run->image, number);
	const enum fence_listener listener = s->flags & STAGE_AGENT ? FENCE_AGENT : FENCE_REPORT;
	const char *name = image_string(run->image, s->name), *why = no_listener();
	struct sock_filter *told = memory((p->count + FENCE_GUARD_MAX) * sizeof *told);
	unsigned count = fence_listened(told, code, p, listener, (s->flags & STAGE_FOREIGN) != 0);
	long result;
	int socket;

	if (why == NULL && count > IMAGE_CODE_MAX)
		why = "its filter is too long for one with a listener";
	socket = why == NULL ? start_supervisor(run, stage, number, stack, &why) : -1;
	if (why == NULL) {
		/* the image may have moved into the memfd */
		result = supervise_raise(told, count, image_program(run->image, number), socket,
		    listener == FENCE_REPORT, stack);
		if (result == 0)
			return true;
		why = result == -RAW_EBUSY
		    ? "another listener is in force, of a container around us"
		    : error_text(-result);
		if (result != -RAW_EBUSY && result != -RAW_EINVAL)
			raw_die("the fence of stage ", name,
			    " cannot be raised with a listener: ", why, NULL);
	}
	if (listener == FENCE_AGENT)
		raw_die("stage ", name, " has an agent that cannot be asked: ", why, NULL);
	raw_say("stage ", name, " runs without reports: ", why, NULL);
	return false;
}

static _Noreturn void raise_and_execute(struct run *run, uint32_t stage)
{
	const struct image_stage *s = stage == IMAGE_PASS ? NULL : image_stage(run->image, stage);
	const char *name = s == NULL ? NULL : image_string(run->image, s->name);
	bool fenced = s != NULL && image_fenced(s);
	uint32_t cookie[FENCE_COOKIE_WORDS];
	struct fallback shell = { NULL, NULL };
	struct look look;

	look_at(run->program, false, &look);
	if (fenced && look.kind == LOOK_FOREIGN && !(s->flags & STAGE_FOREIGN))
		refuse_foreign(run, s);
	if (look.kind == LOOK_TEXT || look.kind == LOOK_SCRIPT) {
		struct run script = { .argv = run->argv, .program = run->program };
		struct look sh = { .interpreter = NULL };

		/* stored: clang 19 would copy a constant with this address in it, and nobody makes
		 * relocations here */
		sh.interpreter = (char *)"/bin/sh";
		unfold_script(&script, &sh);
		shell.program = script.program;
		shell.argv = script.argv;
	}
	if (s != NULL && (s->flags & STAGE_NO_NEW_PRIVS) &&
	    raw_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		die("the kernel refuses no_new_privs", NULL, NULL);
	if (run->report != NULL && (!fenced || (s->flags & (STAGE_STRICT | STAGE_AGENT))))
		raw_say("nothing is reported: ",
		    !fenced                      ? "this stage has no fence"
			: s->flags & STAGE_AGENT ? "this stage has an agent that decides"
						 : "mode = strict is no filter",
		    NULL, NULL, NULL);
	if (!fenced) {
		/* the shim stays for later programs; this one must hear that it need not ask again
		 */
		if (run->again)
			hand_over(run, IMAGE_NONE);
		execute(run, &look, &shell, NULL);
	}
	/* the shim would raise the system's stage, which is done here */
	if (run->conf == NULL)
		environment_leave(run->env, true);
	if (s->flags & STAGE_STRICT) {
		if (!prepare_inner(run, s, stage))
			die(run->program,
			    ": static, and mode = strict is entered by the shim, which static "
			    "programs never load",
			    NULL);
		execute(run, &look, &shell, NULL);
	}
	if (fence_ask(image_program(run->image, s->exact)->digest)) {
		if (run->report != NULL)
			raw_say("stage ", name,
			    " is in force already: what it refuses is told as it was from the "
			    "start, and not to ",
			    run->report, NULL);
		execute(run, &look, &shell, NULL);
	}

	bool inner = s->outer != IMAGE_NONE && prepare_inner(run, s, stage);
	const uint32_t number = inner ? s->outer : s->exec;
	const struct image_program *p = image_program(run->image, number);
	struct sock_filter *code = program_code(run, p, name);

	if (p->cookie)
		draw_cookie(code, p->count, cookie);
	/* the image of such a stage has no inner fence that lets the outer one be heard (image.h)
	 */
	if (inner && run->report != NULL && !(s->flags & STAGE_REPORT)) {
		raw_say("stage ", name,
		    " runs without reports: it takes two fences; say report = true in the policy",
		    NULL, NULL);
		run->report = NULL;
	}
	if ((run->report != NULL || s->flags >= STAGE_REPORT) &&
	    raise_listened(run, stage, number, code))
		execute(run, &look, &shell, p->cookie ? cookie : NULL);

	p = image_program(run->image, number); /* the image may have moved */
	if (s->flags >= STAGE_REPORT)
		fence_hush(code, p->count); /* there was no listener to be had */

	const char *wrong = fence_raise(code, p, 0);

	if (wrong != NULL)
		raw_die("the fence of stage ", name, " ", wrong, NULL);
	execute(run, &look, &shell, p->cookie ? cookie : NULL);
}

/* ---- options ---- */

static const char usage[] =
    "usage: stagefence [-c FILE] [-s STAGE] [--report FILE] [--] COMMAND [ARG...]\n"
    "Run COMMAND confined by the system call policy of its stage.\n\n"
    "  -c FILE    a policy, or one compiled by stagefencectl compile, instead of " PATH_CONF "\n"
    "  -s STAGE   the stage, instead of the one that the environment names\n"
    "  --report FILE  tell there, too, what is refused (.json and .jsonl: a JSON object a line)\n"
    "  -h         print this\n"
    "  -V         print the version\n\n"
    "Exit status: 125 stagefence failed or refused, 126 COMMAND cannot be run, 127 it is not "
    "there, else COMMAND's.\n";
static const char version[] = "stagefence " VERSION "\n";

static _Noreturn void print(const char *text)
{
	long size = (long)raw_length(text);

	raw_exit(raw_call3(__NR_write, 1, (long)text, size) == size ? 0 : RAW_OUR_FAILURE);
}

/* As getopt(3) with "+c:s:hV"; stops at the command. */
static void read_options(struct run *run, char **argv)
{
	for (; *argv != NULL && argv[0][0] == '-' && argv[0][1] != '\0'; argv++) {
		char option[] = { '-', argv[0][1], '\0' };

		if (raw_equal(*argv, "--")) {
			argv++;
			break;
		}
		if (raw_equal(*argv, "-h") || raw_equal(*argv, "--help"))
			print(usage);
		if (raw_equal(*argv, "-V") || raw_equal(*argv, "--version"))
			print(version);
		if (raw_equal(*argv, "--report")) {
			run->report = *++argv;
			if (run->report == NULL || run->report[0] == '\0')
				die("option --report needs a value", NULL, NULL);
			continue;
		}
		if (option[1] != 'c' && option[1] != 's')
			die("unknown option ", *argv, "; stagefence -h lists them");

		const char *value = argv[0][2] != '\0' ? *argv + 2 : *++argv;

		if (value == NULL)
			die("option ", option, " needs a value");
		if (option[1] == 'c')
			run->conf = value;
		else
			run->stage = value;
	}
	run->argv = argv;
	if (*argv == NULL)
		die("no command: stagefence [-c FILE] [-s STAGE] [--report FILE] [--] COMMAND "
		    "[ARG...]",
		    NULL, NULL);
}

/* ---- the start ---- */

/* Whoever starts us chose the policy; with privileges that he has not, that choice would be an
 * attack. */
static void check_caller(const unsigned long *auxv)
{
	enum { AT_UID = 11, AT_EUID = 12, AT_GID = 13, AT_EGID = 14, AT_SECURE = 23 };
	unsigned long value[AT_SECURE + 1] = { [AT_SECURE] = 1 };

	for (; auxv[0] != 0; auxv += 2)
		if (auxv[0] <= AT_SECURE)
			value[auxv[0]] = auxv[1];
	if (value[AT_SECURE] != 0 || value[AT_UID] != value[AT_EUID] ||
	    value[AT_GID] != value[AT_EGID])
		die("must not be setuid, setgid or have file capabilities: chmod ug-s and setcap "
		    "-r its executable",
		    NULL, NULL);
}

_Noreturn void stagefence_main(long *stack);

_Noreturn void stagefence_main(long *stack)
{
	char **argv = (char **)(stack + 1), **env = argv + *stack + 1;
	char **auxv = env;
	struct run run = { .env = env, .image_fd = -1 };

	while (*auxv != NULL)
		auxv++;
	check_caller((const unsigned long *)(auxv + 1));
	if (argv[0] != NULL && argv[1] != NULL && argv[2] != NULL &&
	    raw_equal(argv[0], PATH_AGAIN)) {
		run.again = true;
		run.program = argv[1];
		run.argv = argv + 2;
	} else
		read_options(&run, argv + (argv[0] != NULL));
	run.image = get_image(&run);

	uint32_t stage = pick_stage(&run);

	/* what anybody may have put there; only we do */
	environment_leave(run.env, false);
	/* a shim that is not there by this name could not be taken out, and would come back for
	 * ever */
	if (run.again && !environment_preloaded(run.env))
		die("the shim must be preloaded as " PATH_SHIM_NAME ", by LD_PRELOAD", NULL, NULL);
	if (!run.again)
		run.program = find_program(&run);
	raise_and_execute(&run, stage);
}

/* Entered by the kernel with the stack as it laid it out (execve(2); System V ABI, "Process
 * Initialization"). */
#if defined(__x86_64__)
__asm__(".globl _start\n.type _start, @function\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n"
	"\tand $-16, %rsp\n\tcall stagefence_main\n\tud2\n");
#else
__asm__(
    ".globl _start\n.type _start, %function\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n"
    "\tb stagefence_main\n");
#endif
