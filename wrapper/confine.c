#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../preload/fence.h"
#include "say.h"

/* Younger than the oldest headers that we build with. */
#ifndef __NR_pidfd_send_signal
#define __NR_pidfd_send_signal 424
#endif
#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif

/* AddressSanitizer's run time calls what it likes. */
#if defined(__SANITIZE_ADDRESS__)
#define OWN_FENCE false
#else
#define OWN_FENCE true
#endif

/* What the supervisor, its report and libc under both may call. mask 0: always; otherwise only with
 * (argument & mask) == value. */
static const struct {
	unsigned nr, arg;
	uint32_t mask, value;
} allowed[] = {
	{ __NR_read, 0, 0, 0 },
	{ __NR_pread64, 0, 0, 0 },
	{ __NR_write, 0, 0, 0 },
	{ __NR_writev, 0, 0, 0 },
	{ __NR_close, 0, 0, 0 },
	{ __NR_fstat, 0, 0, 0 },
	{ __NR_newfstatat, 0, 0, 0 },
	{ __NR_statx, 0, 0, 0 },
	{ __NR_lseek, 0, 0, 0 },
	{ __NR_readlinkat, 0, 0, 0 },
	{ __NR_getdents64, 0, 0, 0 },
	{ __NR_faccessat, 0, 0, 0 },
	{ __NR_openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY },
#if defined(__NR_open)
	{ __NR_open, 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY },
	{ __NR_stat, 0, 0, 0 },
	{ __NR_readlink, 0, 0, 0 },
	{ __NR_access, 0, 0, 0 },
	{ __NR_poll, 0, 0, 0 },
	{ __NR_time, 0, 0, 0 },
#endif
	{ __NR_ppoll, 0, 0, 0 },
	{ __NR_fcntl, 1, UINT32_MAX, F_GETFL },
	{ __NR_ioctl, 1, 0xff00, '!' << 8 },   /* SECCOMP_IOCTL_NOTIF_* */
	{ __NR_ioctl, 1, UINT32_MAX, 0x5401 }, /* TCGETS: stdio asks what it writes to */
	{ __NR_process_vm_readv, 0, 0, 0 },
	{ __NR_pidfd_open, 0, 0, 0 },
	{ __NR_pidfd_send_signal, 1, UINT32_MAX, SIGKILL },
	{ __NR_kill, 1, UINT32_MAX, SIGKILL },
	{ __NR_recvmsg, 0, 0, 0 },
	{ __NR_sendmsg, 0, 0, 0 },
	{ __NR_sendto, 0, 0, 0 },
	{ __NR_brk, 0, 0, 0 },
	{ __NR_mmap, 2, PROT_EXEC, 0 },
	{ __NR_mprotect, 2, PROT_EXEC, 0 },
	{ __NR_mremap, 0, 0, 0 },
	{ __NR_munmap, 0, 0, 0 },
	{ __NR_madvise, 0, 0, 0 },
	{ __NR_futex, 0, 0, 0 },
	{ __NR_getrandom, 0, 0, 0 },
	{ __NR_clock_gettime, 0, 0, 0 },
	{ __NR_gettimeofday, 0, 0, 0 },
	{ __NR_getpid, 0, 0, 0 },
	{ __NR_gettid, 0, 0, 0 },
	{ __NR_getuid, 0, 0, 0 },
	{ __NR_rt_sigreturn, 0, 0, 0 },
	{ __NR_restart_syscall, 0, 0, 0 },
	{ __NR_exit, 0, 0, 0 },
	{ __NR_exit_group, 0, 0, 0 },
};

struct own {
	struct sock_filter code[8 * sizeof allowed / sizeof allowed[0] + 8];
	unsigned short count;
};

static void put(struct own *f, struct sock_filter insn)
{
	f->code[f->count++] = insn;
}

/*
 * The numbers first[0] to first[count - 1], which are sorted, as a tree: the kernel walks a filter
 * once for every number when it is loaded. Rows of one number are alternatives.
 */
static void put_tree(struct own *f, const unsigned *first, size_t count)
{
	enum { JEQ = BPF_JMP | BPF_JEQ | BPF_K, RET = BPF_RET | BPF_K };
	size_t half = count / 2;

	if (count > 1) {
		size_t jump = f->count + 1u;

		put(f, fence_insn(BPF_JMP | BPF_JGE | BPF_K, 0, 1, allowed[first[half]].nr));
		put(f, fence_insn(BPF_JMP | BPF_JA, 0, 0, 0));
		put_tree(f, first, half);
		f->code[jump].k = (uint32_t)(f->count - jump - 1);
		put_tree(f, first + half, count - half);
		return;
	}

	unsigned nr = allowed[first[0]].nr;

	put(f, fence_insn(JEQ, 1, 0, nr));
	put(f, fence_insn(RET, 0, 0, SECCOMP_RET_KILL_PROCESS));
	for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
		if (allowed[i].nr != nr || allowed[i].mask == 0)
			continue;
		put(f, fence_load_half(2 * allowed[i].arg));
		put(f, fence_insn(BPF_ALU | BPF_AND | BPF_K, 0, 0, allowed[i].mask));
		put(f, fence_insn(JEQ, 0, 1, allowed[i].value));
		put(f, fence_insn(RET, 0, 0, SECCOMP_RET_ALLOW));
	}
	put(f,
	    fence_insn(RET, 0, 0,
		allowed[first[0]].mask == 0 ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS));
}

static int compare_calls(const void *a, const void *b)
{
	unsigned x = allowed[*(const unsigned *)a].nr, y = allowed[*(const unsigned *)b].nr;

	return x < y ? -1 : x > y;
}

bool confine_self(void)
{
	unsigned first[sizeof allowed / sizeof allowed[0]] = { 0 };
	size_t count = 0;
	struct own f = { .count = 0 };
	struct sock_fprog program;

	for (unsigned i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
		bool again = false;

		for (size_t k = 0; k < count; k++)
			again |= allowed[first[k]].nr == allowed[i].nr;
		if (!again)
			first[count++] = i;
	}
	qsort(first, count, sizeof first[0], compare_calls);
	put(&f, fence_insn(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch)));
	put(&f, fence_insn(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, IMAGE_ARCH));
	put(&f, fence_insn(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS));
	put(&f, fence_insn(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)));
	put_tree(&f, first, count);
	program = (struct sock_fprog){ f.count, f.code };
	if (!OWN_FENCE ||
	    syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) ==
		0)
		return true;
	say("the supervisor: no filter of its own: %s", strerror(errno));
	return false;
}
