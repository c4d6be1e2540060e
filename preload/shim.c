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

/* musl sets it before constructors run and passes them nothing; glibc passes envp and may not have
 * set it yet. */
extern char **environ __attribute__((weak));

__attribute__((used)) static const char mark[] = PATH_SHIM_MARK;

/* Whole lines, so that saying them is one call and no code. */
#define DIE(why) die("stagefence: " why "\n", sizeof "stagefence: " why)

#define NOT_HANDED_OVER PATH_HANDOVER " was not set by the wrapper: unset it"

static _Noreturn void die(const char *line, size_t size)
{
	raw_call3(__NR_write, 2, (long)line, (long)size);
	raw_exit(RAW_OUR_FAILURE);
}

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
		const struct image_program *from = image_program(h, s->exact);
		const struct sock_filter *sound = image_code(h, from);

		if (sound == NULL)
			return false;
		raw_copy(&program, from, sizeof program);
		raw_copy(code, sound, program.count * sizeof *code);
		fence_fill(code, program.count, NULL);
	}
	raw_call3(__NR_munmap, (long)h, h->size, 0);
	raw_close(fd);
	/* in strict mode the question whether it is in force would be the last: prctl(2) is not
	 * allowed */
	if (strict)
		return raw_prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == 0;
	/* a library before us may have started threads: they are fenced with us, or nothing runs */
	return fence_raise(code, &program, flags) == NULL;
}

static uint32_t number(const char **text)
{
	uint32_t n = 0;

	while (**text >= '0' && **text <= '9')
		n = n * 10 + (uint32_t)(*(*text)++ - '0');
	return n;
}

/*
 * Behind the wrapper. "FD,STAGE": the stage's outer fence must be in force, as the kernel says, and
 * the inner one follows. "FD": no fence is asked for, and the image says so. Nobody who can only
 * write variables has a sealed image open at that number.
 */
static void take_over(const char *handover, char **env)
{
	struct raw_stat st;
	enum image_fault fault;
	int fd = (int)number(&handover);
	const struct image_header *h = NULL;

	if (load_sealed(fd) && raw_statx(fd, "", RAW_AT_EMPTY_PATH, &st) == 0)
		h = load_map(fd, st.size, &fault);
	if (h == NULL)
		DIE(NOT_HANDED_OVER);
	if (*handover == '\0') {
		const char *name;
		uint32_t picked = image_pick(h, env, &name);

		if (picked != IMAGE_PASS &&
		    (picked == IMAGE_NONE || image_fenced(image_stage(h, picked))))
			DIE(NOT_HANDED_OVER);
		raw_call3(__NR_munmap, (long)h, h->size, 0);
		raw_close(fd);
		environment_leave(env, false);
		return;
	}
	handover++;

	uint32_t i = number(&handover);
	const struct image_stage *s = image_stage(h, i);

	if (i >= h->part[IMAGE_STAGES].count ||
	    (!(s->flags & STAGE_STRICT) &&
		(s->outer == IMAGE_NONE || !fence_ask(image_program(h, s->outer)->digest))))
		DIE(NOT_HANDED_OVER);
	if (!raise(h, s, fd))
		DIE("the inner fence cannot be raised");
	environment_leave(env, true);
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
	long n = raw_call6(__NR_readlinkat, RAW_AT_FDCWD, (long)"/proc/self/exe", (long)program,
	    sizeof program - 1, 0, 0);
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

/* Preload mode. */
static void raise_stage(char **env)
{
	struct load_refusal no;
	const char *name;
	const struct image_header *h = load_system(0, &no);
	uint32_t i = h == NULL ? IMAGE_NONE : image_pick(h, env, &name);

	if (i == IMAGE_NONE)
		run_wrapper(env);
	if (i == IMAGE_PASS)
		goto pass;

	const struct image_stage *s = image_stage(h, i);

	if (!image_fenced(s))
		goto pass;
	if (!(s->flags & STAGE_STRICT) && fence_ask(image_program(h, s->exact)->digest))
		raw_call3(__NR_munmap, (long)h, h->size, 0);
	else if (((s->flags & STAGE_NO_NEW_PRIVS) &&
		     raw_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ||
	    !raise(h, s, -1))
		run_wrapper(env);
	environment_leave(env, true);
	return;
pass:
	/* no fence for this program; the shim stays in LD_PRELOAD, for a later one may be of a
	 * stage */
	raw_call3(__NR_munmap, (long)h, h->size, 0);
}

/* In DT_INIT_ARRAY: musl has no DT_INIT on aarch64 (NO_LEGACY_INITFINI), and would go on without
 * us. */
__attribute__((constructor)) static void shim_init(int argc, char **argv, char **envp)
{
	char *nothing[] = { NULL };
	/* on musl these registers hold anything; on glibc envp stands right behind argv */
	char **env = &environ != NULL && environ != NULL ? environ
	    : envp == argv + argc + 1                    ? envp
							 : nothing;
	unsigned count;
	const char *handover = raw_env(env, PATH_HANDOVER, &count);

	if (handover != NULL)
		take_over(handover, env);
	else
		raise_stage(env);
}
