/*
 * where.c: from a thread to a line of a script, by /proc and a look into bash's memory.
 *
 * Bash exports its variables for its loadable builtins, so that the dynamic symbols have them even
 * where it is stripped. line_number is the line of the command that it runs, but it goes back to
 * the enclosing loop's or function's before bash waits for a program. The command itself stays
 * where currently_executing_command points, which is static but in the latest: the one pointer that
 * the exported function executing_line_number() reads. On machines whose code we cannot read it is
 * line_number_for_err_trap, which no subshell of one command sets. The file of that line is
 * BASH_SOURCE[0], an ordinary variable in global_variables. Bash 4.4 to 5.2 agree on all structures
 * below but ARRAY.
 *
 * What costs is done once for each file, bash or thread, and kept; a descriptor of /proc/PID/comm
 * or mem stays with the very process that it was opened for, whoever gets its pid later, and mem
 * reads nothing after an exec.
 */
#include "where.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "line.h"
#include "peek.h"

enum {
	FILES = 32,
	SHELLS = 16,
	TASKS = 32,
	DEPTH_MAX = 48,
	COMM_SIZE = 16,
	PAGE = 4096,
	SECTIONS_MAX = 256,
	SYMBOLS_MAX = 1 << 16,
	NAMES_MAX = 1 << 12, /* names that are read of one file */
	CHAIN_MAX = 64,
	BUCKETS_MAX = 1 << 16,
	CMDLINE_MAX = 4096,
	AUXV_MAX = 64,
	CODE_MAX = 512, /* of executing_line_number() */
	COMMAND_DEPTH = 8,
	LINE_LIMIT = 1 << 28,
	NAME_MAX_BYTES = 512, /* of a script's, of which the end is shown */
};

/* An executable: is it bash, and where are its variables? */
struct file {
	dev_t dev;
	ino_t ino;
	struct timespec changed;
	bool used, bash;
	uint64_t line_number, variables, entry;
	uint64_t error_line, current; /* 0: not found */
};

/* A process that runs bash. */
struct shell {
	int pid, mem; /* mem -1: unused */
	uint64_t line_number, variables, error_line, current;
	uint64_t array, head;      /* of BASH_SOURCE; 0: not found (yet) */
	char script[WHERE_SCRIPT]; /* what its command line says */
	unsigned serial, last;
};

struct task {
	int tid, pid, comm;  /* comm -1: unused */
	char raw[COMM_SIZE]; /* what comm holds */
	size_t raw_size;
	char program[WHERE_PROGRAM];
	char script[WHERE_SCRIPT]; /* where bash's memory may not be read */
	int shell;                 /* -1: none */
	unsigned serial, last;
};

struct finder {
	int proc, outermost;
	unsigned clock, serial;
	unsigned next_file;
	struct file files[FILES];
	struct shell shells[SHELLS];
	struct task tasks[TASKS];
};

/* ---- /proc ---- */

static int open_of(const struct finder *f, int pid, const char *what)
{
	char path[48];

	snprintf(path, sizeof path, "%d/%s", pid, what);
	return openat(f->proc, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static size_t read_of(const struct finder *f, int pid, const char *what, char *to, size_t size)
{
	int fd = open_of(f, pid, what);
	size_t used = 0;

	if (fd < 0)
		return 0;
	while (used < size) {
		ssize_t n = read(fd, to + used, size - used);

		if (n > 0)
			used += (size_t)n;
		/* short: a file of /proc that fits is given at once */
		if (n <= 0 || used % PAGE != 0)
			break;
	}
	close(fd);
	return used;
}

/* A field of /proc/PID/status, or -1. Its first line holds a name, with its line ends escaped. */
static int status_field(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at == NULL ? -1 : atoi(at + strlen(key));
}

static bool read_status(const struct finder *f, int pid, char *status, size_t size)
{
	size_t n = read_of(f, pid, "status", status, size - 1);

	status[n] = '\0';
	return n > 0;
}

/*
 * The parent of a process, and the process of a thread. stat costs half of status; only a thread's
 * exit signal (field 38) is -1, and then status knows whose it is. The name in it may hold
 * anything.
 */
static bool parents(const struct finder *f, int tid, int *pid, int *parent)
{
	char text[2048];
	size_t n = read_of(f, tid, "stat", text, sizeof text - 1);
	char *at;

	text[n] = '\0';
	at = strrchr(text, ')');
	if (at == NULL || at[1] != ' ' || at[2] == '\0' || at[3] != ' ')
		return false;
	at += 4;
	*parent = atoi(at);
	*pid = tid;
	for (unsigned field = 4; field < 38 && at != NULL; field++) {
		at = strchr(at, ' ');
		at += at != NULL;
	}
	if (at != NULL && atoi(at) == -1) {
		if (!read_status(f, tid, text, sizeof text))
			return false;
		*pid = status_field(text, "\nTgid:\t");
	}
	return *pid > 0;
}

/* ---- executables ---- */

static bool read_at(int fd, uint64_t at, void *to, size_t size)
{
	return at <= INT64_MAX - size && pread(fd, to, size, (off_t)at) == (ssize_t)size;
}

struct wanted {
	const char *name;
	unsigned char type;
	size_t size; /* 0: any, and it is kept in *found */
	uint64_t *value;
	uint64_t *found;
};

/* Looks a symbol's name up only where its size is right: a few hundred of thousands. */
static bool is_named(int fd, uint64_t at, const char *name)
{
	char text[32];
	size_t length = strlen(name) + 1;

	return length <= sizeof text && read_at(fd, at, text, length) &&
	    memcmp(text, name, length) == 0;
}

static void read_symbols(
    int fd, const Elf64_Shdr *table, const Elf64_Shdr *names, struct wanted *wanted, size_t count)
{
	uint64_t total = table->sh_size / sizeof(Elf64_Sym);
	unsigned looked = 0;
	Elf64_Sym symbols[128];

	if (total > SYMBOLS_MAX)
		total = SYMBOLS_MAX;
	for (uint64_t i = 0; i < total; i += 128) {
		size_t n = total - i < 128 ? total - i : 128;

		if (!read_at(fd, table->sh_offset + i * sizeof symbols[0], symbols,
			n * sizeof symbols[0]))
			return;
		for (size_t k = 0; k < n; k++)
			for (size_t w = 0; w < count; w++) {
				const Elf64_Sym *s = &symbols[k];

				if (*wanted[w].value != 0 || s->st_shndx == SHN_UNDEF ||
				    ELF64_ST_TYPE(s->st_info) != wanted[w].type ||
				    (wanted[w].size != 0 ? s->st_size != wanted[w].size
							 : s->st_size > CODE_MAX))
					continue;
				if (++looked > NAMES_MAX)
					return;
				if (!is_named(fd, names->sh_offset + s->st_name, wanted[w].name))
					continue;
				*wanted[w].value = s->st_value;
				if (wanted[w].found != NULL)
					*wanted[w].found = s->st_size;
			}
	}
}

/* Where a function reads its only pointer: mov disp32(%rip), %r64. 0: none, or more than one. */
static uint64_t find_pointer(const unsigned char *code, size_t size, uint64_t at)
{
	uint64_t found = 0;

#ifdef __x86_64__
	for (size_t i = 0; i + 7 <= size; i++) {
		int32_t offset;

		if ((code[i] & 0xfb) != 0x48 || code[i + 1] != 0x8b || (code[i + 2] & 0xc7) != 0x05)
			continue;
		memcpy(&offset, code + i + 3, sizeof offset);
		if (found != 0)
			return 0;
		found = at + i + 7 + (uint64_t)(int64_t)offset;
	}
#else
	(void)code;
	(void)size;
	(void)at;
#endif
	return found;
}

static uint64_t find_current(
    int fd, const Elf64_Shdr *sections, unsigned count, uint64_t at, uint64_t size)
{
	unsigned char code[CODE_MAX];
	uint64_t pointer = 0;

	for (unsigned i = 0; i < count && pointer == 0; i++)
		if (sections[i].sh_type == SHT_PROGBITS && at >= sections[i].sh_addr &&
		    size <= sections[i].sh_size && size <= sizeof code &&
		    at - sections[i].sh_addr <= sections[i].sh_size - size &&
		    read_at(fd, sections[i].sh_offset + (at - sections[i].sh_addr), code, size))
			pointer = find_pointer(code, size, at);
	/* a variable: in a part that is written to */
	for (unsigned i = 0; i < count; i++)
		if ((sections[i].sh_flags & (SHF_WRITE | SHF_ALLOC)) == (SHF_WRITE | SHF_ALLOC) &&
		    pointer >= sections[i].sh_addr &&
		    pointer - sections[i].sh_addr < sections[i].sh_size)
			return pointer;
	return 0;
}

/* Other programs have a line_number as well; only bash has all of these. */
static void look_into(struct file *e, int fd)
{
	uint64_t dollar = 0, function = 0, size = 0;
	struct wanted wanted[] = { { "line_number", STT_OBJECT, 4, &e->line_number, NULL },
		{ "global_variables", STT_OBJECT, 8, &e->variables, NULL },
		{ "dollar_vars", STT_OBJECT, 80, &dollar, NULL },
		{ "line_number_for_err_trap", STT_OBJECT, 4, &e->error_line, NULL },
		{ "currently_executing_command", STT_OBJECT, 8, &e->current, NULL },
		{ "executing_line_number", STT_FUNC, 0, &function, &size } };
	Elf64_Ehdr h;
	Elf64_Shdr sections[SECTIONS_MAX];
	static const uint32_t types[] = { SHT_DYNSYM, SHT_SYMTAB };

	if (!read_at(fd, 0, &h, sizeof h) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_shentsize != sizeof sections[0] ||
	    h.e_shnum == 0 || h.e_shnum > SECTIONS_MAX ||
	    !read_at(fd, h.e_shoff, sections, h.e_shnum * sizeof sections[0]))
		return;
	e->entry = h.e_type == ET_DYN ? h.e_entry : 0;
	for (size_t t = 0; t < 2 && !e->bash; t++)
		for (unsigned i = 0; i < h.e_shnum && !e->bash; i++) {
			if (sections[i].sh_type != types[t] || sections[i].sh_link >= h.e_shnum ||
			    sections[i].sh_entsize != sizeof(Elf64_Sym))
				continue;
			read_symbols(fd, &sections[i], &sections[sections[i].sh_link], wanted,
			    sizeof wanted / sizeof wanted[0]);
			e->bash = e->line_number != 0 && e->variables != 0 && dollar != 0;
			break; /* the linker makes one of a kind; a job could make hundreds */
		}
	if (e->bash && e->current == 0 && function != 0)
		e->current = find_current(fd, sections, h.e_shnum, function, size);
}

/* The executable of a process, looked into at most once while it is remembered. */
static const struct file *file_of(struct finder *f, int pid)
{
	struct file *e;
	struct stat s;
	char path[48];
	int fd;

	snprintf(path, sizeof path, "%d/exe", pid);
	if (fstatat(f->proc, path, &s, 0) != 0 || !S_ISREG(s.st_mode))
		return NULL;
	for (unsigned i = 0; i < FILES; i++) {
		e = &f->files[i];
		if (e->used && e->dev == s.st_dev && e->ino == s.st_ino &&
		    e->changed.tv_sec == s.st_ctim.tv_sec &&
		    e->changed.tv_nsec == s.st_ctim.tv_nsec)
			return e;
	}
	e = &f->files[f->next_file++ % FILES];
	*e = (struct file){ .dev = s.st_dev, .ino = s.st_ino, .changed = s.st_ctim, .used = true };
	fd = open_of(f, pid, "exe");
	if (fd >= 0) {
		struct stat now;

		if (fstat(fd, &now) == 0 && now.st_ino == s.st_ino && now.st_dev == s.st_dev)
			look_into(e, fd);
		else
			e->used = false;
		close(fd);
	}
	return e;
}

/* ---- bash ---- */

static bool get(const struct shell *s, uint64_t at, void *to, size_t size)
{
	return at != 0 && read_at(s->mem, at, to, size);
}

static uint64_t get_pointer(const struct shell *s, uint64_t at)
{
	uint64_t value = 0;

	return get(s, at, &value, sizeof value) ? value : 0;
}

/* FNV-1 on 32 bits: bash's hash_string(). */
static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text != '\0'; text++)
		h = h * 16777619u ^ (unsigned char)*text;
	return h;
}

/*
 * global_variables -> VAR_CONTEXT { char *name; int scope, flags; VAR_CONTEXT *up, *down;
 * HASH_TABLE *table } -> HASH_TABLE { BUCKET_CONTENTS **bucket_array; int nbuckets, nentries } ->
 * BUCKET_CONTENTS { next; char *key; void *data; ... } -> SHELL_VAR { char *name, *value; ... }
 */
static uint64_t find_variable(const struct shell *s, const char *name)
{
	struct {
		uint64_t buckets;
		uint32_t count, entries;
	} table;
	struct {
		uint64_t next, key, data;
	} bucket;
	uint64_t at = get_pointer(s, s->variables);
	char key[32];
	size_t length = strlen(name) + 1;

	at = at != 0 ? get_pointer(s, at + 32) : 0;
	if (!get(s, at, &table, sizeof table) || table.count == 0 || table.count > BUCKETS_MAX ||
	    (table.count & (table.count - 1)) != 0)
		return 0;
	at = get_pointer(s, table.buckets + 8 * (uint64_t)(hash(name) & (table.count - 1)));
	for (unsigned i = 0; i < CHAIN_MAX && get(s, at, &bucket, sizeof bucket); i++) {
		if (get(s, bucket.key, key, length) && memcmp(key, name, length) == 0)
			return bucket.data;
		at = bucket.next;
	}
	return 0;
}

struct element {
	int64_t index;
	uint64_t value, next, previous;
};

/*
 * ARRAY { intmax_t max_index, num_elements; ARRAY_ELEMENT *head; ... } since bash 5.0, and
 * { enum type; intmax_t max_index; int num_elements; ARRAY_ELEMENT *head; ... } before. The head is
 * no element: its index is -1, and that tells which it is.
 */
static void find_sources(struct shell *s)
{
	uint64_t variable = find_variable(s, "BASH_SOURCE");
	static const uint64_t heads[] = { 16, 24 };
	struct element head;

	s->array = variable != 0 ? get_pointer(s, variable + 8) : 0;
	s->head = 0;
	for (size_t i = 0; s->array != 0 && i < 2 && s->head == 0; i++) {
		uint64_t at = get_pointer(s, s->array + heads[i]);

		if (get(s, at, &head, sizeof head) && head.index == -1)
			s->head = at;
	}
}

/* The end of a name says more than its beginning, and ./ nothing. */
static void keep_script(char script[WHERE_SCRIPT], const char *name)
{
	size_t length;
	char safe[NAME_MAX_BYTES + 1];
	struct line l;

	while (strncmp(name, "./", 2) == 0 && name[2] != '\0')
		name += 2;
	line_begin(&l, safe, sizeof safe);
	line_plain(&l, name, strlen(name));
	length = strlen(safe);
	if (length < WHERE_SCRIPT) {
		memcpy(script, safe, length + 1);
		return;
	}
	name = safe + length - (WHERE_SCRIPT - 4);
	while (((unsigned char)*name & 0xc0) == 0x80) /* not from the middle of a character */
		name++;
	snprintf(script, WHERE_SCRIPT, "...%s", name);
}

/* BASH_SOURCE[0]; false: it has none, as for -c and standard input. */
static bool source_of(struct shell *s, char script[WHERE_SCRIPT])
{
	struct element head, first;
	char name[NAME_MAX_BYTES];
	ssize_t n;

	if (s->head == 0 || !get(s, s->head, &head, sizeof head) || head.index != -1) {
		find_sources(s);
		if (s->head == 0 || !get(s, s->head, &head, sizeof head))
			return false;
	}
	if (head.next == s->head || !get(s, head.next, &first, sizeof first) || first.index != 0 ||
	    first.value == 0 || first.value > INT64_MAX - NAME_MAX_BYTES)
		return false;
	/* short where the heap ends */
	n = pread(s->mem, name, sizeof name - 1, (off_t)first.value);
	if (n <= 0)
		return false;
	name[n] = '\0';
	if (name[0] == '\0' ||
	    (memchr(name, '\0', (size_t)n) == NULL && n < (ssize_t)sizeof name - 1))
		return false;
	keep_script(script, name);
	return true;
}

/* Does this option take the next word, and what does it make the script? */
static unsigned option_words(const char *word, const char **script)
{
	unsigned words = 0;

	if (strcmp(word, "--rcfile") == 0 || strcmp(word, "--init-file") == 0 ||
	    strcmp(word, "-rcfile") == 0 || strcmp(word, "-init-file") == 0)
		return 1;
	if (strncmp(word, "--", 2) == 0)
		return 0;
	for (word++; *word != '\0'; word++) {
		if (*word == 'c')
			*script = "-c";
		else if (*word == 's' && *script == NULL)
			*script = "stdin";
		else if (*word == 'o' || *word == 'O')
			words++;
	}
	return words;
}

/* As bash reads its command line: options, then a script unless -c or -s is among them. */
static void read_command_line(const struct finder *f, int pid, char script[WHERE_SCRIPT])
{
	char text[CMDLINE_MAX + 1];
	size_t size = read_of(f, pid, "cmdline", text, CMDLINE_MAX);
	const char *at = text, *end = text + size, *found = NULL;
	unsigned skip = 1; /* its own name */

	text[size] = '\0';
	script[0] = '\0';
	if (size == 0)
		return;
	for (; at < end; at += strlen(at) + 1) {
		if (skip > 0) {
			skip--;
			continue;
		}
		if ((*at != '-' && *at != '+') || at[1] == '\0' || strcmp(at, "--") == 0)
			break;
		skip += option_words(at, &found);
	}
	if (at < end && found == NULL && (strcmp(at, "--") == 0 || strcmp(at, "-") == 0))
		at += strlen(at) + 1;
	if (found == NULL)
		found = at < end ? at : "stdin";
	keep_script(script, found);
}

/* AT_ENTRY of the auxiliary vector less the file's own: where it lies. */
static bool load_bias(const struct finder *f, int pid, uint64_t entry, uint64_t *bias)
{
	Elf64_auxv_t vector[AUXV_MAX];
	size_t n = read_of(f, pid, "auxv", (char *)vector, sizeof vector) / sizeof vector[0];

	*bias = 0;
	for (size_t i = 0; entry != 0 && i < n; i++)
		if (vector[i].a_type == AT_ENTRY) {
			*bias = vector[i].a_un.a_val - entry;
			return true;
		}
	return entry == 0;
}

static void drop_shell(struct shell *s)
{
	if (s->mem >= 0)
		close(s->mem);
	s->mem = -1;
}

static void drop_task(struct task *t)
{
	if (t->comm >= 0)
		close(t->comm);
	t->comm = -1;
}

/*
 * COMMAND { enum type; int flags, line; REDIRECT *redirects; union value }, and what value points
 * to begins with flags and, for most types, the line. A subshell or group is looked into: its last
 * command replaces the bash that it is for. (Until 5.0 a subshell has no line of its own.)
 */
static bool line_of_command(const struct shell *s, uint64_t at, int32_t *line)
{
	enum {
		FOR,
		CASE,
		SIMPLE = 4,
		SELECT,
		CONNECTION,
		GROUP = 9,
		ARITH,
		COND,
		ARITH_FOR,
		SUBSHELL
	};
	struct {
		uint32_t type, flags, line, padding;
		uint64_t redirects, value;
	} command;
	struct {
		int32_t flags, line;
		uint64_t command, second;
	} value;

	*line = 0;
	for (unsigned depth = 0; depth < COMMAND_DEPTH; depth++) {
		if (!get(s, at, &command, sizeof command) ||
		    !get(s, command.value, &value,
			command.type == CONNECTION ? sizeof value : sizeof value - 8))
			break;
		switch (command.type) {
		case SUBSHELL:
		case GROUP: at = value.command; continue;
		case CONNECTION: at = value.second; continue;
		case FOR:
		case CASE:
		case SIMPLE:
		case SELECT:
		case ARITH:
		case COND:
		case ARITH_FOR: *line = value.line; break;
		default: break;
		}
		break;
	}
	return *line > 0 && *line < LINE_LIMIT;
}

/* False: its memory is gone, and so is the shell. */
static bool read_line(const struct shell *s, int32_t *line)
{
	uint64_t command;

	if (s->current != 0) {
		if (!read_at(s->mem, s->current, &command, sizeof command))
			return false;
		if (line_of_command(s, command, line))
			return true;
	}
	if (s->current == 0 && s->error_line != 0 && get(s, s->error_line, line, sizeof *line) &&
	    *line > 0)
		return true;
	return read_at(s->mem, s->line_number, line, sizeof *line);
}

static int shell_of(struct finder *f, int pid, const struct file *e)
{
	struct shell *s = &f->shells[0];
	uint64_t bias;
	int32_t line;

	for (int i = 0; i < SHELLS; i++) {
		struct shell *old = &f->shells[i];

		/* still the same, and has not become another program? */
		if (old->mem >= 0 && old->pid == pid) {
			if (read_at(old->mem, old->line_number, &line, sizeof line))
				return i;
			drop_shell(old);
		}
		if (s->mem >= 0 && (old->mem < 0 || old->last < s->last))
			s = old;
	}
	drop_shell(s);
	*s = (struct shell){ .pid = pid, .mem = -1, .serial = ++f->serial, .last = f->clock };
	read_command_line(f, pid, s->script);
	if (load_bias(f, pid, e->entry, &bias)) {
		s->mem = open_of(f, pid, "mem");
		s->line_number = e->line_number + bias;
		s->variables = e->variables + bias;
		s->error_line = e->error_line != 0 ? e->error_line + bias : 0;
		s->current = e->current != 0 ? e->current + bias : 0;
	}
	return s->mem >= 0 ? (int)(s - f->shells) : -1;
}

/* ---- who ---- */

/* The nearest bash, from the process itself on; -1: none. */
static int climb(struct finder *f, int pid, int parent, char script[WHERE_SCRIPT])
{
	int self = getpid(), ignored;

	for (unsigned depth = 0; depth < DEPTH_MAX && pid > 1 && pid != self; depth++) {
		const struct file *e = file_of(f, pid);

		if (e != NULL && e->bash) {
			int shell = shell_of(f, pid, e);

			if (shell < 0) /* its memory may not be read: the name is something */
				read_command_line(f, pid, script);
			return shell;
		}
		if (pid == f->outermost)
			break;
		if (depth > 0 && !parents(f, pid, &ignored, &parent))
			break;
		pid = parent;
	}
	return -1;
}

static void keep_program(struct task *t, const char *raw, size_t size)
{
	struct line l;

	if (size > 0 && raw[size - 1] == '\n')
		size--;
	line_begin(&l, t->program, sizeof t->program);
	line_plain(&l, raw, size);
}

static void learn(struct finder *f, struct task *t, int tid)
{
	char leader[COMM_SIZE];
	ssize_t n;
	size_t size;
	int parent, shell;

	*t = (struct task){ .tid = tid, .comm = open_of(f, tid, "comm"), .shell = -1 };
	if (t->comm < 0)
		return;
	n = pread(t->comm, t->raw, sizeof t->raw, 0);
	if (n <= 0 || !parents(f, tid, &t->pid, &parent)) {
		drop_task(t);
		return;
	}
	t->raw_size = (size_t)n;
	if (t->pid == tid)
		keep_program(t, t->raw, t->raw_size);
	else { /* threads have names of their own */
		size = read_of(f, t->pid, "comm", leader, sizeof leader);
		keep_program(t, leader, size);
	}
	shell = climb(f, t->pid, parent, t->script);
	t->shell = shell;
	t->serial = shell >= 0 ? f->shells[shell].serial : 0;
}

/* What was learnt of a thread, if it is still that thread, and still runs that program. */
static struct task *task_of(struct finder *f, int tid)
{
	struct task *t = &f->tasks[0];
	char raw[COMM_SIZE];

	for (unsigned i = 0; i < TASKS; i++) {
		struct task *old = &f->tasks[i];

		if (old->comm >= 0 && old->tid == tid) {
			ssize_t n = pread(old->comm, raw, sizeof raw, 0);
			bool same = n > 0 && (size_t)n == old->raw_size &&
			    memcmp(raw, old->raw, (size_t)n) == 0;

			if (same &&
			    (old->shell < 0 ||
				(f->shells[old->shell].mem >= 0 &&
				    f->shells[old->shell].serial == old->serial)))
				return old;
			drop_task(old);
		}
		if (t->comm >= 0 && (old->comm < 0 || old->last < t->last))
			t = old;
	}
	drop_task(t);
	learn(f, t, tid);
	return t;
}

bool where_is(struct finder *f, int tid, struct where *w)
{
	*w = (struct where){ .program = "?", .pid = tid };
	if (f->proc < 0)
		return false;
	f->clock++;
	for (unsigned tries = 0; tries < 2; tries++) {
		struct task *t = task_of(f, tid);
		struct shell *s;
		int32_t line;

		if (t->comm < 0)
			return false;
		t->last = f->clock;
		memcpy(w->program, t->program, sizeof w->program);
		w->pid = t->pid;
		if (t->shell < 0) {
			memcpy(w->script, t->script, sizeof w->script);
			return true;
		}
		s = &f->shells[t->shell];
		s->last = f->clock;
		if (!read_line(s, &line)) { /* gone, or another program by now: climb again */
			drop_shell(s);
			drop_task(t);
			continue;
		}
		if (!source_of(s, w->script))
			memcpy(w->script, s->script, sizeof w->script);
		w->line = line > 0 ? (unsigned)line : 0;
		return true;
	}
	return true;
}

int where_process(const struct finder *f, int tid)
{
	char status[2048];
	int pid = f->proc >= 0 && read_status(f, tid, status, sizeof status)
	    ? status_field(status, "\nTgid:\t")
	    : 0;

	return pid > 0 ? pid : 0;
}

bool where_no_new_privs(struct finder *f, int tid)
{
	char status[2048];

	return f->proc >= 0 && read_status(f, tid, status, sizeof status) &&
	    status_field(status, "\nNoNewPrivs:\t") == 1;
}

struct finder *where_open(void)
{
	struct finder *f = calloc(1, sizeof *f);
	char self[16];
	ssize_t n;

	if (f == NULL)
		return NULL;
	for (unsigned i = 0; i < SHELLS; i++)
		f->shells[i].mem = -1;
	for (unsigned i = 0; i < TASKS; i++)
		f->tasks[i].comm = -1;
	f->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* pids of another namespace would be those of strangers */
	n = f->proc < 0 ? -1 : readlinkat(f->proc, "self", self, sizeof self - 1);
	if (n > 0)
		self[n] = '\0';
	if (f->proc >= 0 && (n <= 0 || atoi(self) != getpid())) {
		close(f->proc);
		f->proc = -1;
	}
	peek_through(f->proc);
	return f;
}

void where_within(struct finder *f, int pid)
{
	f->outermost = pid;
}

void where_close(struct finder *f)
{
	if (f == NULL)
		return;
	for (unsigned i = 0; i < SHELLS; i++)
		drop_shell(&f->shells[i]);
	for (unsigned i = 0; i < TASKS; i++)
		drop_task(&f->tasks[i]);
	peek_through(-1);
	if (f->proc >= 0)
		close(f->proc);
	free(f);
}
