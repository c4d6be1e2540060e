/*
 * shim.c: libstagefence.so, the inner fence. Its constructor raises the stage's exact filter before
 * main.
 *
 * Two ways lead here. Behind the wrapper, when a stage refuses something that the dynamic loader
 * needs: the wrapper has raised the outer fence and hands over the image. In preload mode, with
 * LD_PRELOAD in a runner's environment: the system's policy and the environment's stage. There,
 * whatever is not plain sailing (no fresh image, an unknown stage, any trouble) is the wrapper's:
 * the program is executed again under it, and the wrapper fences it or says why not. When the
 * constructor returns the fence is up, or was not asked for.
 *
 * Freestanding: no NEEDED, no relocations but those of environ and the constructor, so that it
 * loads into glibc and musl alike.
 */
#include "environment.h"
#include "fence.h"
#include "image.h"
#include "load.h"
#include "paths.h"
#include "raw.h"

/* musl sets it before constructors run and passes them nothing. */
extern char **environ __attribute__((weak));

__attribute__((used)) static const char mark[] = PATH_SHIM_MARK;

/* Whole lines, so that saying them is one call and no code. */
#define DIE(why) die("stagefence: " why "\n", sizeof "stagefence: " why)

static _Noreturn void die(const char *line, size_t size)
{
	raw_call3(__NR_write, 2, (long)line, (long)size);
	raw_exit(RAW_OUR_FAILURE);
}

/* Gives back what only we know of. fd may be -1. */
RAW_SHARED void leave(const struct image_header *h, int fd)
{
	raw_call3(__NR_munmap, (long)h, h->size, 0);
	raw_close(fd);
}

#if !defined(__i386__)
/*
 * Between seccomp(2) and main there is no system call but the question whether the fence is up, so
 * the image and its descriptor go first; the instructions wait on the stack.
 */
static bool raise(const struct image_header *h, const struct image_stage *s, int fd)
{
	struct sock_filter code[IMAGE_CODE_MAX];
	struct image_program program;
	uint32_t flags = s->shim_flags;
	bool strict = s->flags & STAGE_STRICT;

	if (!strict) {
		const struct image_program *from = image_program(h, s->inner);
		const struct sock_filter *sound = image_code(h, from);

		if (sound == NULL)
			return false;
		raw_copy(&program, from, sizeof program);
		raw_copy(code, sound, program.count * sizeof *code);
		fence_fill(code, program.count);
	}
	leave(h, fd);
	/* in strict mode the question whether it is in force would be the last: prctl(2) is not
	 * allowed */
	if (strict)
		return raw_call3(__NR_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0) == 0;
	/* a library before us may have started threads: they are fenced with us, or nothing runs */
	return fence_load(code, &program, flags) == 0;
}
#endif

static uint32_t number(const char **text)
{
	uint32_t n = 0;

	while (**text >= '0' && **text <= '9')
		n = n * 10 + (uint32_t)(*(*text)++ - '0');
	return n;
}

/*
 * Executes this program again under the wrapper, as "(stagefence) PROGRAM ARGV...". argv comes from
 * the kernel: musl gives a constructor none, and a loader that was named on the command line has
 * shifted its own.
 */
static _Noreturn void run_wrapper(char **env)
{
	enum { ARGUMENTS_MAX = 8 << 20, AHEAD = 2 }; /* the kernel's limit is 6 MiB */
	char program[TRUST_PATH_MAX];
	long n = raw_call5(__NR_readlinkat, RAW_AT_FDCWD, (long)"/proc/self/exe", (long)program,
	    sizeof program - 1, 0);
	int fd = (int)raw_openat(RAW_AT_FDCWD, "/proc/self/cmdline", RAW_O_RDONLY | RAW_O_CLOEXEC);
	char *text = raw_map(
	    ARGUMENTS_MAX, RAW_PROT_READ | RAW_PROT_WRITE, RAW_MAP_PRIVATE | RAW_MAP_ANONYMOUS, -1);
	long size = 0, got;

	while (
	    text != NULL && (got = raw_read(fd, text + size, (size_t)(ARGUMENTS_MAX - size))) > 0)
		size += got;

	char **argv = raw_map((size_t)(size + AHEAD + 1) * sizeof *argv,
	    RAW_PROT_READ | RAW_PROT_WRITE, RAW_MAP_PRIVATE | RAW_MAP_ANONYMOUS, -1);

	if (n > 0 && size > 0 && argv != NULL) {
		long argc = AHEAD;

		program[n] = '\0';
		argv[0] = (char *)PATH_AGAIN;
		argv[1] = program;
		for (long i = 0; i < size; i++)
			if (i == 0 || text[i - 1] == '\0')
				argv[argc++] = text + i;
		raw_call3(__NR_execve, (long)PATH_WRAPPER, (long)argv, (long)env);
	}
	DIE("cannot run " PATH_WRAPPER " (is it installed, and /proc mounted?)");
}

/* What the wrapper is said to have done is not so; or without it, this is its business. */
static _Noreturn void not_so(bool wrapped, char **env)
{
	if (wrapped)
		DIE(PATH_HANDOVER " was not set by the wrapper: unset it");
	run_wrapper(env);
}

/* The image that the wrapper hands over. Nobody who can only write variables has a sealed one open
 * at that number. */
static const struct image_header *handed_over(int fd)
{
	struct raw_stat st;
	enum image_fault fault;

	return load_sealed(fd) && raw_statx(fd, "", RAW_AT_EMPTY_PATH, &st) == 0
	    ? load_map(fd, st.size, &fault)
	    : NULL;
}

#if defined(__i386__)
/*
 * A 32-bit program: the wrapper, which is none, raises its fence or refuses it. It puts none behind
 * two fences, so "FD" is all that it may hand over: no fence is asked for, and the image says so.
 */
static void fence(char **env, const char *handover)
{
	const char *name;

	if (handover == NULL)
		run_wrapper(env);

	int fd = (int)number(&handover);
	const struct image_header *h = handed_over(fd);
	uint32_t i = h == NULL || *handover != '\0' ? IMAGE_NONE : image_pick(h, env, &name);

	if (i != IMAGE_PASS && (i == IMAGE_NONE || image_fenced(image_stage(h, i))))
		not_so(true, env);
	leave(h, fd);
	environment_leave(env, false);
}
#else
/* Is there such a program, and in force? A strict stage has none. */
static bool stands(const struct image_header *h, uint32_t program)
{
	return program != IMAGE_NONE && fence_ask(image_program(h, program)->digest);
}

/* With a fresh image, in a stage that has no need of the wrapper. */
static bool raise_first(const struct image_header *h, const struct image_stage *s)
{
	if (stands(h, s->exact)) {
		leave(h, -1);
		return true;
	}
	/* only the wrapper hands a listener over */
	return s->flags < STAGE_REPORT &&
	    (!(s->flags & STAGE_NO_NEW_PRIVS) || raw_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) &&
	    raise(h, s, -1);
}

/*
 * Behind the wrapper, handover is "FD,STAGE": the stage's outer fence must be in force, as the
 * kernel says, and the inner one follows; or "FD": no fence is asked for, and the image says so.
 * Without it, preload mode.
 */
static void fence(char **env, const char *handover)
{
	struct load_refusal no;
	const char *name;
	bool wrapped = handover != NULL, told;
	int fd = wrapped ? (int)number(&handover) : -1;
	const struct image_header *h = wrapped ? handed_over(fd) : load_system(0, &no);

	if (h == NULL)
		not_so(wrapped, env);
	told = wrapped && *handover++ != '\0';

	uint32_t i = told ? number(&handover) : image_pick(h, env, &name);
	const struct image_stage *s = image_stage(h, i);
	bool stage = i < h->part[IMAGE_STAGES].count, fenced = stage && image_fenced(s), good;

	if (told)
		good = stage && ((s->flags & STAGE_STRICT) || stands(h, s->outer));
	else
		good = stage ? !wrapped || !fenced : i == IMAGE_PASS;
	if (!good)
		not_so(wrapped, env);
	if (!fenced)
		leave(h, fd);
	else if (told && !raise(h, s, fd))
		DIE("the inner fence cannot be raised");
	else if (!told && !raise_first(h, s))
		run_wrapper(env);
	/* where this program has no fence the shim stays in LD_PRELOAD: a later one may be of a
	 * stage */
	environment_leave(env, fenced);
}
#endif

/* In DT_INIT_ARRAY: musl has no DT_INIT on aarch64 (NO_LEGACY_INITFINI), and would go on without
 * us. */
__attribute__((constructor)) static void shim_init(int argc, char **argv, char **envp)
{
	char *nothing[] = { NULL }, **env = nothing;
	unsigned count;

	if (&environ != NULL && environ != NULL)
		env = environ;
	/* on glibc envp stands right behind argv and is the kernel's, whatever a program has that
	 * it calls environ; on musl these registers hold anything */
	if (envp == argv + argc + 1)
		env = envp;
	fence(env, raw_env(env, PATH_HANDOVER, &count));
}
