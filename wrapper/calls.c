/*
 * The system call table of calls.def in memory, and the questions that calls.h lists. Everything
 * is compiled in: the kernel's headers of the machine that builds us may be years older than the
 * kernel that runs us, and a call that we have no name for is one that no policy can speak of.
 */
#include "calls.h"

#include <stdlib.h>
#include <string.h>

enum { X32_BIT = 0x40000000, NR_LIMIT = 1024 };

static const struct call calls[] = {
#define C(NAME, MAJOR, MINOR, X86_64, X32, I386, AARCH64, RISCV64, PPC64LE, S390X, WIDTHS) \
	{ #NAME, (MAJOR) << KERNEL_SHIFT | (MINOR), \
		{ [ABI_X86_64] = X86_64, \
		    [ABI_X32] = X32, \
		    [ABI_I386] = I386, \
		    [ABI_AARCH64] = AARCH64, \
		    [ABI_RISCV64] = RISCV64, \
		    [ABI_PPC64LE] = PPC64LE, \
		    [ABI_S390X] = S390X }, \
		WIDTHS },
#include "calls.def"
#undef C
};

enum { CALL_COUNT = sizeof calls / sizeof calls[0] };

/* A number past NR_LIMIT would be left out of by_nr, a seventh width would eat its final NUL. */
#define C(NAME, MAJOR, MINOR, X86_64, X32, I386, AARCH64, RISCV64, PPC64LE, S390X, WIDTHS) \
	_Static_assert((X86_64) < NR_LIMIT && (I386) < NR_LIMIT && (AARCH64) < NR_LIMIT && \
		(RISCV64) < NR_LIMIT && (PPC64LE) < NR_LIMIT && (S390X) < NR_LIMIT && \
		((X32) == -1 || ((X32) >= X32_BIT && (X32) < X32_BIT + NR_LIMIT)), \
	    #NAME ": a number is out of range"); \
	_Static_assert(sizeof(WIDTHS) <= sizeof calls[0].widths, #NAME ": more than six widths");
#include "calls.def"
#undef C

/* Row + 1 of each number, 0 where there is none: verification asks a million times. */
static uint16_t by_nr[ABI_COUNT][NR_LIMIT];

static void fill_by_nr(void)
{
	for (unsigned i = 0; i < CALL_COUNT; i++)
		for (unsigned abi = 0; abi < ABI_COUNT; abi++) {
			int32_t nr = calls[i].nr[abi];

			if (nr >= 0)
				by_nr[abi][abi == ABI_X32 ? nr - X32_BIT : nr] = (uint16_t)(i + 1);
		}
}

static int compare_name(const void *name, const void *call)
{
	return strcmp(name, ((const struct call *)call)->name);
}

const struct call *call_named(const char *name)
{
	return bsearch(name, calls, CALL_COUNT, sizeof calls[0], compare_name);
}

const struct call *call_numbered(enum abi abi, uint32_t nr)
{
	static bool filled;
	unsigned row;

	if (!filled) {
		fill_by_nr();
		filled = true;
	}
	if (abi == ABI_X32)
		nr ^=
		    X32_BIT; /* without the bit it is no x32 number, and this sets it: too large */
	if (nr >= NR_LIMIT)
		return NULL;
	row = by_nr[abi][nr];
	return row == 0 ? NULL : &calls[row - 1];
}

size_t call_count(void)
{
	return CALL_COUNT;
}

const struct call *call_at(size_t i)
{
	return i < CALL_COUNT ? &calls[i] : NULL;
}

/*
 * x32 calls with a number of their own (512 to 547) mostly enter where i386 does, and there a long
 * is a compat_long_t of 32 bits: ptrace(PTRACE_ATTACH | 1L << 32) attaches. These are the ones that
 * do and have a long. The rest of the range has no long (execve), is the same function as on x86_64
 * (readv, vmsplice, process_vm_readv) or keeps its longs whole (preadv, pwritev).
 */
static bool x32_cuts_longs(int32_t nr)
{
	switch (nr - X32_BIT) {
	case 512: /* rt_sigaction */
	case 514: /* ioctl */
	case 517: /* recvfrom */
	case 521: /* ptrace */
	case 522: /* rt_sigpending */
	case 523: /* rt_sigtimedwait */
	case 528: /* kexec_load */
	case 530: /* set_robust_list */
	case 544: /* io_submit */ return true;
	default: return false;
	}
}

/*
 * ioctl(2) looks at 32 bits of its request: a test of all 64 would let TIOCSTI | 1L << 32 through
 * (CVE-2019-10063). The other way round, unshare(2) looks at all of its flags.
 */
bool call_arg_is_word(const struct call *c, enum abi abi, unsigned arg)
{
	if (abi == ABI_I386)
		return true; /* its registers have no more */
	if (arg >= sizeof c->widths)
		return false;
	if (c->widths[arg] == 'l' && abi == ABI_X32)
		return x32_cuts_longs(c->nr[ABI_X32]);
	return c->widths[arg] == 'i' || c->widths[arg] == 's';
}

/* chmod(2) looks at 16 bits of its mode: 04755 | 1 << 16 is 04755. */
bool call_arg_is_mode(const struct call *c, unsigned arg)
{
	return arg < sizeof c->widths && c->widths[arg] == 's';
}

/* kernel/uid16.c: setuid(1000 | 1 << 16) is setuid(1000). */
bool call_arg_is_short_id(const struct call *c, enum abi abi, unsigned arg)
{
	static const struct {
		const char *name;
		unsigned first;
	} older[] = { { "chown", 1 }, { "fchown", 1 }, { "lchown", 1 }, { "setfsgid", 0 },
		{ "setfsuid", 0 }, { "setgid", 0 }, { "setregid", 0 }, { "setresgid", 0 },
		{ "setresuid", 0 }, { "setreuid", 0 }, { "setuid", 0 } };

	for (size_t i = 0; abi == ABI_I386 && i < sizeof older / sizeof older[0]; i++)
		if (arg >= older[i].first && strcmp(c->name, older[i].name) == 0)
			return true;
	return false;
}

/* The first name of each ABI is the one that we print. */
static const struct {
	const char *name;
	enum abi abi;
} abi_names[] = {
	{ "x86_64", ABI_X86_64 },
	{ "x32", ABI_X32 },
	{ "i386", ABI_I386 },
	{ "x86", ABI_I386 },
	{ "aarch64", ABI_AARCH64 },
	{ "riscv64", ABI_RISCV64 },
	{ "ppc64le", ABI_PPC64LE },
	{ "s390x", ABI_S390X },
	{ "SCMP_ARCH_X86_64", ABI_X86_64 },
	{ "SCMP_ARCH_X32", ABI_X32 },
	{ "SCMP_ARCH_X86", ABI_I386 },
	{ "SCMP_ARCH_AARCH64", ABI_AARCH64 },
	{ "SCMP_ARCH_RISCV64", ABI_RISCV64 },
	{ "SCMP_ARCH_PPC64LE", ABI_PPC64LE },
	{ "SCMP_ARCH_S390X", ABI_S390X },
};

const char *abi_name(enum abi abi)
{
	for (size_t i = 0; i < sizeof abi_names / sizeof abi_names[0]; i++)
		if (abi_names[i].abi == abi)
			return abi_names[i].name;
	return NULL;
}

bool abi_named(const char *name, enum abi *abi)
{
	for (size_t i = 0; i < sizeof abi_names / sizeof abi_names[0]; i++)
		if (strcmp(name, abi_names[i].name) == 0) {
			*abi = abi_names[i].abi;
			return true;
		}
	return false;
}

enum abi abi_here(void)
{
#if defined __x86_64__ && defined __ILP32__
	return ABI_X32;
#elif defined __x86_64__
	return ABI_X86_64;
#elif defined __i386__
	return ABI_I386;
#elif defined __aarch64__ && defined __AARCH64EL__
	return ABI_AARCH64;
#else
#error "no system call table for this machine"
#endif
}

static enum abi chosen = ABI_COUNT;

void abi_choose(enum abi abi)
{
	chosen = abi;
}

enum abi abi_native(void)
{
	return chosen == ABI_COUNT ? abi_here() : chosen;
}

static bool is_x86(enum abi abi)
{
	return abi == ABI_X86_64 || abi == ABI_X32 || abi == ABI_I386;
}

/* A 64-bit kernel of x86 is the only one of ours that takes foreign calls and is asked for it; i386
 * by itself has neither of the other two. */
bool abi_runs(enum abi abi)
{
	return abi == abi_native() ||
	    (is_x86(abi) && is_x86(abi_native()) && abi_native() != ABI_I386);
}

bool abi_swaps(enum abi abi)
{
	return abi == ABI_S390X; /* the only one of ours with the high byte first */
}
