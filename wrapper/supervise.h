/*
 * supervise.h: the wrapper's part of a stage with a listener: the supervisor is started before the
 * fence stands, and gets the listener while it already stands. For the wrapper only; freestanding.
 *
 * The command stays the caller's own child, so the supervisor is nobody's: its parent exits at
 * once, and init or the nearest subreaper inherits it. As a direct child the command would see it
 * in wait(2), for execve(2) makes any child's exit signal SIGCHLD.
 *
 * The listener comes into being with the fence, and what sends it on would have to be allowed by
 * it. Nothing is: a helper thread, which is there before and which the filter does not cover,
 * shares memory and descriptors, hears of the listener through memory, sends it, and is gone before
 * the command is executed. An unfiltered thread that shares memory with the command would be a way
 * out; so the kernel's own word is waited for that it has run its last instruction
 * (CLONE_CHILD_CLEARTID). TSYNC would put the filter on it, and is never used here.
 */
#ifndef STAGEFENCE_SUPERVISE_H
#define STAGEFENCE_SUPERVISE_H

#include "../preload/fence.h"
#include "../preload/raw.h"

/* What the supervisor says over the socket: one byte. */
enum { SUPERVISE_GOOD = 'r', SUPERVISE_REFUSED = 'n' /* it has said why on stderr */ };

enum { SUPERVISE_STACK = 16 << 10 };

struct supervise_stack {
	_Alignas(16) char bytes[SUPERVISE_STACK];
};

/*
 * clone(2), where the child goes on in run(argument) on a stack of its own and never returns; the
 * parent gets the pid, or -errno. A sandbox around us may answer 0 without a child: then run()
 * finds itself where it should not be, and has to look.
 */
static inline long supervise_clone(unsigned long flags, struct supervise_stack *stack, int *tid,
    void (*run)(void *), void *argument)
{
#if defined(__x86_64__)
	long result;
	register long ctid __asm__("r10") = (long)tid;
	register long tls __asm__("r8") = 0;
	register long to __asm__("r9") = (long)run;
	register long with __asm__("r12") = (long)argument;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r12, %%rdi\n\t"
			 "and $-16, %%rsp\n\t"
			 "call *%%r9\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(result)
			 : "0"((long)__NR_clone), "D"(flags), "S"(stack + 1), "d"(tid), "r"(ctid),
			 "r"(tls), "r"(to), "r"(with)
			 : "rcx", "r11", "memory");
	return result;
#else
	register long x0 __asm__("x0") = (long)flags;
	register long x1 __asm__("x1") = (long)(stack + 1);
	register long x2 __asm__("x2") = (long)tid;
	register long x3 __asm__("x3") = 0;
	register long x4 __asm__("x4") = (long)tid;
	register long x8 __asm__("x8") = __NR_clone;
	register long x10 __asm__("x10") = (long)run;
	register long x11 __asm__("x11") = (long)argument;

	__asm__ volatile("svc 0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, #0\n\t"
			 "mov x30, #0\n\t"
			 "mov x0, x11\n\t"
			 "blr x10\n\t"
			 "brk #0\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x8), "r"(x10), "r"(x11)
			 : "memory");
	return x0;
#endif
}

/* ---- the supervisor ---- */

struct supervise_start {
	const char *program;
	const char **argv;
	int keep[2]; /* descriptors that it gets */
	long self;   /* the wrapper's pid */
	long error;  /* what became of its execve(2), or of the clone(2) before: 0 or -errno */
	struct supervise_stack *stack;
};

static inline void supervise_execute(void *argument)
{
	struct supervise_start *s = argument;
	const char *none = NULL;

	/* our own table: the wrapper's descriptors stay close-on-exec */
	for (unsigned i = 0; i < 2; i++)
		if (raw_fcntl(s->keep[i], RAW_F_SETFD, 0) != 0)
			raw_exit(1); /* error is still there */
	s->error = raw_call3(__NR_execve, (long)s->program, (long)s->argv, (long)&none);
	raw_exit(1);
}

static inline void supervise_leave(void *argument)
{
	struct supervise_start *s = argument;
	long pid;

	if (raw_call3(__NR_getpid, 0, 0, 0) == s->self)
		raw_die(
		    "a sandbox around us only pretends to start processes", NULL, NULL, NULL, NULL);
	s->error = -RAW_EAGAIN;
	/* the memory is shared, so no error is lost; a good execve(2) leaves what is preset */
	pid = supervise_clone(
	    RAW_CLONE_VM | RAW_CLONE_VFORK, s->stack + 1, NULL, supervise_execute, s);
	if (pid <= 0)
		s->error = pid;
	else if (s->error == -RAW_EAGAIN)
		s->error = 0;
	raw_exit(0);
}

/* Starts the supervisor, nobody's child. 0 or -errno. stack: two of them. */
static inline long supervise_begin(struct supervise_start *s)
{
	enum { SET_CHILD_SUBREAPER = 36, GET_CHILD_SUBREAPER = 37 };
	int reaper = 0, status = 0;
	long pid, waited;

	s->self = raw_call3(__NR_getpid, 0, 0, 0);
	s->error = -RAW_EAGAIN;
	/* an attribute that outlives execve(2): the supervisor would come back as our child */
	raw_prctl(GET_CHILD_SUBREAPER, (long)&reaper, 0, 0, 0);
	if (reaper != 0)
		raw_prctl(SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	/* without an exit signal: no SIGCHLD for the command */
	pid = supervise_clone(RAW_CLONE_VM | RAW_CLONE_VFORK, s->stack, NULL, supervise_leave, s);
	do
		waited = pid > 0 ? raw_call6(__NR_wait4, pid, (long)&status, RAW_WALL, 0, 0, 0)
				 : pid;
	while (pid > 0 && waited == -RAW_EINTR);
	if (reaper != 0)
		raw_prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (pid <= 0 || waited != pid) /* one that is not reaped would be the command's */
		return pid < 0 ? pid : -RAW_EAGAIN;
	return s->error;
}

/* Waits until the supervisor is ready, or has the listener. */
static inline void supervise_expect(int socket)
{
	char byte = 0;

	if (raw_read(socket, &byte, 1) != 1)
		raw_die("the supervisor did not start, or is gone", NULL, NULL, NULL, NULL);
	if (byte != SUPERVISE_GOOD) /* it has said why */
		raw_exit(RAW_OUR_FAILURE);
}

/* ---- the listener ---- */

enum { SUPERVISE_WAIT = -1, SUPERVISE_NONE = -2 };

struct supervise_hand {
	int socket;
	int listener; /* SUPERVISE_*, or its number */
	int tid;      /* 0 when the helper has run its last instruction */
	int given;    /* the supervisor has it, and it is nowhere else any more */
	long self;    /* the main thread */
};

/* For recvmsg(2) and sendmsg(2); asm-generic and x86_64 agree. */
struct supervise_message {
	void *name;
	uint32_t name_size, pad;
	struct {
		void *data;
		size_t size;
	} * parts;
	size_t part_count;
	void *control;
	size_t control_size;
	uint32_t flags, pad2;
};

static inline long supervise_send(int socket, int fd)
{
	enum { SOCKET = 1, RIGHTS = 1, NOSIGNAL = 0x4000 };
	struct {
		size_t size;
		int level, type, fd, pad;
	} control = { sizeof control - sizeof(int), SOCKET, RIGHTS, fd, 0 };
	char byte = SUPERVISE_GOOD;
	struct {
		void *data;
		size_t size;
	} part = { &byte, 1 };
	struct supervise_message message = { .parts = (void *)&part,
		.part_count = 1,
		.control = &control,
		.control_size = sizeof control };
	long n;

	do
		n = raw_call3(__NR_sendmsg, socket, (long)&message, NOSIGNAL);
	while (n == -RAW_EINTR);
	return n;
}

/* The helper. What goes wrong it says itself, and ends the process with it: the main thread may not
 * be able to. */
static inline void supervise_help(void *argument)
{
	enum { SET_TIMERSLACK = 29, NAP = 20000, NOSIGNAL = 0x4000 };
	struct supervise_hand *h = argument;
	const long nap[2] = { 0, NAP };
	const char bye = SUPERVISE_GOOD;
	int listener;

	if (raw_call3(__NR_gettid, 0, 0, 0) == h->self)
		raw_die(
		    "a sandbox around us only pretends to start threads", NULL, NULL, NULL, NULL);
	raw_prctl(SET_TIMERSLACK, 1, 0, 0, 0);
	/* asleep: where there is one processor, the main thread needs it, and cannot wake us */
	while ((listener = __atomic_load_n(&h->listener, __ATOMIC_ACQUIRE)) == SUPERVISE_WAIT)
		raw_call3(__NR_nanosleep, (long)nap, 0, 0);
	if (listener >= 0) {
		if (supervise_send(h->socket, listener) != 1)
			raw_die("the supervisor is gone", NULL, NULL, NULL, NULL);
		supervise_expect(h->socket);
		raw_close(listener);
		/* that is all; the end of file would say so too */
		raw_call6(__NR_sendto, h->socket, (long)&bye, 1, NOSIGNAL, 0, 0);
	}
	raw_close(h->socket);
	__atomic_store_n(&h->given, 1, __ATOMIC_RELEASE);
	for (;;)
		raw_call3(__NR_exit, 0, 0, 0);
}

static inline void supervise_pause(void)
{
#if defined(__x86_64__)
	__asm__ volatile("pause");
#else
	__asm__ volatile("yield");
#endif
}

/*
 * Raises code with a listener, and gives that to the supervisor at the other end of socket, which
 * is closed in any case. 0: the fence stands, and nothing but the caller's last step may follow.
 * -errno: it does not, and no thread is left: the caller may raise it in another way. Does not
 * return where the fence stands and nobody has its listener. waits: the supervisor answers
 * prctl(FENCE_WAIT) when the helper has nothing left to do; without it all waiting is awake, and on
 * a busy machine takes the time that those need who are waited for.
 */
static inline long supervise_raise(const struct sock_filter *code, size_t count,
    const struct image_program *p, int socket, bool waits, struct supervise_stack *stack)
{
	enum {
		THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000,
		/* VM, FS, FILES, SIGHAND, THREAD, SYSVSEM */
		CHILD_CLEARTID = 0x200000,
		CHILD_SETTID = 0x1000000,
		PARENT_SETTID = 0x100000,
		WAIT_KILLABLE_RECV = 1 << 5 /* Linux 5.19 */
	};
	struct {
		unsigned short len;
		const struct sock_filter *filter;
	} program = { (unsigned short)count, code };
	struct supervise_hand h = { .socket = socket,
		.listener = SUPERVISE_WAIT,
		.tid = 1,
		.self = raw_call3(__NR_gettid, 0, 0, 0) };
	const long flags = (long)(p->flags | SECCOMP_FILTER_FLAG_NEW_LISTENER);
	long made = supervise_clone(
	    THREAD | CHILD_CLEARTID | PARENT_SETTID, stack, &h.tid, supervise_help, &h);
	long result, asked;

	if (made <= 0) {
		raw_close(socket);
		return made < 0 ? made : -RAW_EAGAIN;
	}
	/* a signal storm (Go's preemption) must not take a call back again and again */
	result = raw_call3(
	    __NR_seccomp, SECCOMP_SET_MODE_FILTER, flags | WAIT_KILLABLE_RECV, (long)&program);
	if (result == -RAW_EINVAL)
		result = raw_call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, (long)&program);
	if (result >= 0 && !fence_ask(p->digest))
		raw_die("the fence was not put in force, although the kernel said so", NULL, NULL,
		    NULL, NULL);
	__atomic_store_n(&h.listener, result < 0 ? SUPERVISE_NONE : (int)result, __ATOMIC_RELEASE);
	while (waits && result >= 0 && (asked = raw_prctl(FENCE_WAIT, 0, 0, 0, 0)) != -FENCE_ANSWER)
		if (asked != -RAW_EINTR)
			raw_die("the supervisor is gone", NULL, NULL, NULL, NULL);
	while (__atomic_load_n(&h.tid, __ATOMIC_ACQUIRE) != 0)
		supervise_pause();
	if (!__atomic_load_n(&h.given, __ATOMIC_ACQUIRE))
		raw_exit(RAW_OUR_FAILURE); /* something outside has ended the helper */
	return result < 0 ? result : 0;
}

#endif
