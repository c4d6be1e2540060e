/*
 * fence.h: raising a filter, and asking the kernel whether it is in force.
 *
 * Every program begins with a prologue of ours. It answers one reserved prctl(2) call that carries
 * the program's digest with an errno that no system call gives, so "is this fence up?" is asked of
 * the kernel and not of a variable. Who was free to install a filter first could answer in our
 * place: a yes saves work and unmasks a kernel or an outer sandbox that only pretended to load; it
 * never grants anything.
 *
 * A policy may refuse execve(2) and still be raised by a program that has one exec to go: an
 * optional second part of the prologue lets an execve with a secret in its three unused argument
 * registers through. The secret dies with the wrapper's memory in that very exec. It is compared
 * without branches, so no timing tells how many words of a guess were right.
 */
#ifndef STAGEFENCE_FENCE_H
#define STAGEFENCE_FENCE_H

#include <linux/prctl.h>
#include <linux/seccomp.h>
#include "image.h"

enum {
	FENCE_OPTION = 0x73466e63, /* no prctl(2) option: "cnFs" in memory */
	FENCE_WAIT = 0x73466e77,   /* nor is this, which a listener answers */
	FENCE_ANSWER = 2641,       /* no errno: the kernel's own stop at 530, and filters at 4095 */
	FENCE_ATTEST_COUNT = 23,   /* instructions */
	FENCE_COOKIE_WORDS = 6,
	FENCE_COOKIE_COUNT = 2 + 4 * FENCE_COOKIE_WORDS + 2
};

static inline struct sock_filter fence_insn(unsigned code, unsigned jt, unsigned jf, uint32_t k)
{
	struct sock_filter f = { (uint16_t)code, (uint8_t)jt, (uint8_t)jf, k };

	return f;
}

/* The low and high half of argument i, as two words: 2 * i and 2 * i + 1. Both machines are
 * little-endian. */
static inline struct sock_filter fence_load_half(unsigned half)
{
	return fence_insn(BPF_LD | BPF_W | BPF_ABS, 0, 0,
	    (uint32_t)(offsetof(struct seccomp_data, args) + 4 * half));
}

/* The instruction whose k holds word i of the cookie. */
static inline unsigned fence_cookie_slot(unsigned i)
{
	return FENCE_ATTEST_COUNT + 2 + 4 * i + 1;
}

/*
 * Writes the prologue and returns its length; the program's body follows it, and there goes every
 * call that is none of ours. A body that begins with its own look at the architecture and, for this
 * machine's, the number, is entered behind them: the kernel walks a new filter once for every
 * number (seccomp_cache_prepare()), so each instruction on that way shows in a launch.
 */
static inline unsigned fence_prologue(struct sock_filter *out, const uint32_t digest[8],
    bool cookie, const struct sock_filter *body, size_t body_count)
{
	enum {
		LD = BPF_LD | BPF_W | BPF_ABS,
		JEQ = BPF_JMP | BPF_JEQ | BPF_K,
		RET = BPF_RET | BPF_K,
		ARCH = offsetof(struct seccomp_data, arch),
		NR = offsetof(struct seccomp_data, nr)
	};
	const struct sock_filter load_arch = fence_insn(LD, 0, 0, ARCH),
				 load_nr = fence_insn(LD, 0, 0, NR);
	const unsigned start = FENCE_ATTEST_COUNT + (cookie ? FENCE_COOKIE_COUNT : 0);
	/* where to go on with nothing in A, with the architecture, with the number */
	unsigned again = start, with_arch = start, with_nr = start, n = 0;

	if (body_count > 3 && raw_same(&body[0], &load_arch, sizeof load_arch) &&
	    body[1].code == JEQ && body[1].k == IMAGE_ARCH && body[1].jt == 0 &&
	    raw_same(&body[2], &load_nr, sizeof load_nr)) {
		/* where it sends other architectures, if that is within a jump */
		with_arch = start + 2 + body[1].jf;
		if (with_arch - 2 > UINT8_MAX)
			with_arch = start + 1;
		again = start + 2;
		with_nr = start + 3;
	}
	/* an instruction's jump counts from the one behind it */
	out[n++] = load_arch;
	out[n++] = fence_insn(JEQ, 0, with_arch - 2, IMAGE_ARCH);
	out[n++] = load_nr;
	out[n++] = fence_insn(JEQ, 0, (cookie ? FENCE_ATTEST_COUNT : with_nr) - 4, __NR_prctl);
	out[n++] = fence_load_half(0);
	out[n++] = fence_insn(JEQ, 0, again - 6, FENCE_OPTION);
	for (unsigned i = 0; i < 8; i++) {
		out[n++] = fence_load_half(2 + i);
		out[n] = fence_insn(JEQ, 0, again - (n + 1), digest[i]);
		n++;
	}
	out[n++] = fence_insn(RET, 0, 0, SECCOMP_RET_ERRNO | FENCE_ANSWER);
	if (!cookie)
		return n;

	out[n] = fence_insn(JEQ, 0, with_nr - (n + 1), __NR_execve);
	n++;
	out[n++] = fence_insn(BPF_LDX | BPF_W | BPF_IMM, 0, 0, 0);
	for (unsigned i = 0; i < FENCE_COOKIE_WORDS; i++) {
		out[n++] = fence_load_half(2 * 3 + i);
		out[n++] = fence_insn(BPF_ALU | BPF_XOR | BPF_K, 0, 0, 0);
		out[n++] = fence_insn(BPF_ALU | BPF_OR | BPF_X, 0, 0, 0);
		out[n++] = fence_insn(BPF_MISC | BPF_TAX, 0, 0, 0);
	}
	out[n] = fence_insn(JEQ, 0, again - (n + 1), 0);
	n++;
	out[n++] = fence_insn(RET, 0, 0, SECCOMP_RET_ALLOW);
	return n;
}

static inline void fence_cookie(
    struct sock_filter *program, const uint32_t cookie[FENCE_COOKIE_WORDS])
{
	for (unsigned i = 0; i < FENCE_COOKIE_WORDS; i++)
		program[fence_cookie_slot(i)].k = cookie[i];
}

/*
 * A policy may compare with the user and group id of who raises the fence ("$uid"). The image has
 * these numbers in their place, and the prologue, which has none, is left alone. 0, 1, or more: no
 * place.
 */
enum { FENCE_PLACE_UID = 0x5e71d001, FENCE_PLACE_GID = 0x5e71d002 };

static inline uint32_t fence_place(const struct sock_filter *f)
{
	return f->code == (BPF_JMP | BPF_JEQ | BPF_K) ? f->k - FENCE_PLACE_UID : 2;
}

static inline void fence_fill(struct sock_filter *code, size_t count)
{
	for (size_t i = FENCE_ATTEST_COUNT; i < count; i++) {
		uint32_t which = fence_place(&code[i]);

		if (which < 2)
			code[i].k = (uint32_t)raw_call3(
			    which == 0 ? __NR_getuid : __NR_getgid, 0, 0, 0);
	}
}

/*
 * Under a listener. The program that a stage's image has answers by itself; one that is raised with
 * SECCOMP_FILTER_FLAG_NEW_LISTENER is the same with two differences, made when it is raised:
 * refusals that are to be told go to the listener (fence_told), and whoever is confined gets no
 * listener of his own (the guard). Without the guard a job could kill its supervisor, and answer
 * its own calls: a newer filter's USER_NOTIF beats an older one's, and once the first listener is
 * closed the kernel grants a second (include/uapi/linux/seccomp.h).
 */
enum fence_listener {
	FENCE_REPORT, /* errno and kill_process are told; the listener gives the answer */
	FENCE_AGENT   /* only what the policy itself leaves to an agent, action = "notify" */
};

/*
 * The answer of a raised program where the image's is this one. ENOSYS stays: that is how a libc
 * learns to fall back (clone3, newer calls than the policy knows), dozens of times in an ordinary
 * script, and no refusal that a person would act on. kill_thread, trap and trace stay: no listener
 * can give them.
 */
static inline uint32_t fence_told(uint32_t answer, enum fence_listener listener)
{
	uint32_t action = answer & SECCOMP_RET_ACTION_FULL;

	if (listener == FENCE_REPORT &&
	    (action == SECCOMP_RET_KILL_PROCESS ||
		(action == SECCOMP_RET_ERRNO && (answer & SECCOMP_RET_DATA) != RAW_ENOSYS)))
		return SECCOMP_RET_USER_NOTIF;
	return answer;
}

/*
 * A program that is raised without a listener sends nothing to one: the kernel makes ENOSYS of that
 * (seccomp(2)), but a job that raised a filter and a listener of its own would be asked, and let
 * its own call through.
 */
static inline void fence_hush(struct sock_filter *code, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (code[i].code == (BPF_RET | BPF_K) &&
		    (code[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
			code[i].k = SECCOMP_RET_ERRNO | RAW_ENOSYS;
}

static inline unsigned fence_prologue_count(const struct image_program *p)
{
	return FENCE_ATTEST_COUNT + (p->cookie != 0 ? FENCE_COOKIE_COUNT : 0);
}

enum { FENCE_GUARD_MAX = 17 };

/*
 * seccomp(SECCOMP_SET_MODE_FILTER, flags with NEW_LISTENER) is EBUSY, as the kernel itself says it
 * while a listener is there; by the native numbers and, with foreign, by those of the other ABIs of
 * this machine. The kernel looks at 32 bits of both.
 *
 * prctl(FENCE_WAIT) goes to the supervisor, so that the wrapper has a way to sleep until its
 * listener is in good hands: no call but this and fence_ask() is sure to be answered. Returns the
 * length; what follows is reached by every other call.
 */
static inline unsigned fence_guard(
    struct sock_filter *out, enum fence_listener listener, bool foreign)
{
	enum {
		LD = BPF_LD | BPF_W | BPF_ABS,
		JEQ = BPF_JMP | BPF_JEQ | BPF_K,
		RET = BPF_RET | BPF_K,
		NR = offsetof(struct seccomp_data, nr),
		ARCH = offsetof(struct seccomp_data, arch),
		I386_SECCOMP = 354,
		X32_BIT = 0x40000000,
		BUSY = 16
	};
#if !defined(__x86_64__)
	foreign = false;
#endif
	/* where things begin, counted from out */
	const unsigned other = 2, native = foreign ? 5 : 2, check = native + 3 + foreign,
		       wait = check + 5, end = wait + 3;
	unsigned n = 0;

	/* a jump counts from the instruction behind it */
	out[n++] = fence_insn(LD, 0, 0, ARCH);
	out[n++] = fence_insn(JEQ, native - 2, (foreign ? other : end) - 2, IMAGE_ARCH);
	if (foreign) {
		out[n++] = fence_insn(JEQ, 0, end - 3, AUDIT_ARCH_I386);
		out[n++] = fence_insn(LD, 0, 0, NR);
		out[n++] = fence_insn(JEQ, check - 5, end - 5, I386_SECCOMP);
	}
	out[n++] = fence_insn(LD, 0, 0, NR);
	out[n++] = fence_insn(JEQ, wait - (native + 2), 0, __NR_prctl);
	if (foreign)
		out[n++] = fence_insn(JEQ, check - (native + 3), 0, X32_BIT | __NR_seccomp);
	out[n++] = fence_insn(JEQ, 0, end - check, __NR_seccomp);
	out[n++] = fence_load_half(0);
	out[n++] = fence_insn(JEQ, 0, end - (check + 2), SECCOMP_SET_MODE_FILTER);
	out[n++] = fence_load_half(2);
	out[n++] = fence_insn(
	    BPF_JMP | BPF_JSET | BPF_K, 0, end - (check + 4), SECCOMP_FILTER_FLAG_NEW_LISTENER);
	out[n++] = fence_insn(RET, 0, 0, SECCOMP_RET_ERRNO | BUSY);
	out[n++] = fence_load_half(0);
	out[n++] = fence_insn(JEQ, 0, 1, FENCE_WAIT);
	out[n++] = fence_insn(RET, 0, 0,
	    listener == FENCE_REPORT ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | RAW_EINVAL);
	return n;
}

/*
 * Writes the program p, whose instructions code are complete, as it is raised under a listener, and
 * returns its length: at most FENCE_GUARD_MAX more. The guard stands in front, so that no jump
 * changes; the prologue's own answers stay.
 */
static inline unsigned fence_listened(struct sock_filter *out, const struct sock_filter *code,
    const struct image_program *p, enum fence_listener listener, bool foreign)
{
	const unsigned guard = fence_guard(out, listener, foreign);

	for (unsigned i = 0; i < p->count; i++) {
		out[guard + i] = code[i];
		if (i >= fence_prologue_count(p) && code[i].code == (BPF_RET | BPF_K))
			out[guard + i].k = fence_told(code[i].k, listener);
	}
	return guard + p->count;
}

/* Is the program of this digest in force for the calling thread? */
static inline bool fence_ask(const uint32_t digest[8])
{
	long half[4];

	raw_copy(half, digest, sizeof half); /* both machines are little-endian */
	return raw_prctl(FENCE_OPTION, half[0], half[1], half[2], half[3]) == -FENCE_ANSWER;
}

/*
 * Raises the fence: 0 is up; else the kernel's result, or FENCE_PRETENDED. Compared with 0 and not
 * with "< 0": a failed TSYNC returns a thread's id. Nothing but fence_ask() and the caller's last
 * step may follow: what else the caller would want to do may be what the policy refuses.
 */
enum { FENCE_PRETENDED = -FENCE_ANSWER };

static inline long fence_load(
    const struct sock_filter *code, const struct image_program *p, uint32_t flags)
{
	struct {
		unsigned short len;
		const struct sock_filter *filter;
	} program = { (unsigned short)p->count, code };
	long result = raw_call3(
	    __NR_seccomp, SECCOMP_SET_MODE_FILTER, (long)(p->flags | flags), (long)&program);

	return result != 0 || fence_ask(p->digest) ? result : FENCE_PRETENDED;
}

/* The same, with words: NULL, or why it is not up. */
static inline const char *fence_raise(
    const struct sock_filter *code, const struct image_program *p, uint32_t flags)
{
	long result = fence_load(code, p, flags);

	if (result == -RAW_EACCES)
		return "needs no_new_privs, or CAP_SYS_ADMIN";
	if (result == -RAW_EINVAL || result == -RAW_ENOSYS)
		return "cannot be raised: this kernel, or a sandbox around us, has no seccomp "
		       "filters with these flags";
	if (result > 0)
		return "cannot be raised: another thread already has a filter of its own";
	if (result == FENCE_PRETENDED)
		return "was not put in force, although the kernel said so";
	return result == 0
	    ? NULL
	    : "cannot be raised: the kernel refused the filter (memory, or too many filters)";
}

#endif
