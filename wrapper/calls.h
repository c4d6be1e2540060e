/*
 * Names, numbers, ages and argument widths of system calls, on every ABI that a filter may meet.
 * Only facts about Linux: no policy, no libseccomp, no system call, nothing written anywhere.
 */
#ifndef CALLS_H
#define CALLS_H

#include <linux/audit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum abi {
	ABI_X86_64,
	ABI_X32,
	ABI_I386,
	ABI_AARCH64,
	ABI_RISCV64,
	ABI_PPC64LE,
	ABI_S390X,
	ABI_COUNT
};

enum { KERNEL_SHIFT = 8 };

/* Kernel versions as one number that sorts: the third part of 2.6.x is not kept. */
static inline uint16_t kernel_version(unsigned major, unsigned minor)
{
	return (uint16_t)(major << KERNEL_SHIFT | minor);
}

struct call {
	char name[29];         /* not a pointer, which would be a relocation at each start */
	uint16_t since;        /* kernel_version() that first had it */
	int32_t nr[ABI_COUNT]; /* as in seccomp_data.nr; -1: not on this ABI */
	char widths[7];        /* one of "silp" for each argument, see calls.def */
};

const struct call *call_named(const char *name);             /* NULL: unknown */
const struct call *call_numbered(enum abi abi, uint32_t nr); /* NULL: no call has it */

/* All calls in the order of their names; NULL from call_count() on. */
size_t call_count(void);
const struct call *call_at(size_t i);

/* Whether the kernel looks at only 32 bits of this argument, or fewer, so that a rule must do the
 * same. */
bool call_arg_is_word(const struct call *c, enum abi abi, unsigned arg);

/* A mode: of 16 bits, on every ABI. */
bool call_arg_is_mode(const struct call *c, unsigned arg);

/* A user or group id of 16 bits, of which 0xffff stands for -1: in i386's older calls; the newer
 * ones have a 32 in their names. */
bool call_arg_is_short_id(const struct call *c, enum abi abi, unsigned arg);

/* AUDIT_ARCH_* as in seccomp_data.arch; x86_64 and x32 share one, the number's bit 30 is x32. */
static inline uint32_t abi_audit_arch(enum abi abi)
{
	static const uint32_t arch[ABI_COUNT] = { [ABI_X86_64] = AUDIT_ARCH_X86_64,
		[ABI_X32] = AUDIT_ARCH_X86_64,
		[ABI_I386] = AUDIT_ARCH_I386,
		[ABI_AARCH64] = AUDIT_ARCH_AARCH64,
		[ABI_RISCV64] = AUDIT_ARCH_RISCV64,
		[ABI_PPC64LE] = AUDIT_ARCH_PPC64LE,
		[ABI_S390X] = AUDIT_ARCH_S390X };

	return arch[abi];
}

const char *abi_name(enum abi abi);
bool abi_named(const char *name, enum abi *abi); /* our names, and OCI's SCMP_ARCH_* */

/*
 * The ABI that policies are for: this machine's, abi_here(), or another one after abi_choose(),
 * which is to be called before anything is read, if at all.
 */
enum abi abi_native(void);
enum abi abi_here(void);
void abi_choose(enum abi abi);

/* May a call come in by this ABI where abi_native() is the native one? x86 has three. */
bool abi_runs(enum abi abi);

/* Are words in the other order in memory than they are here? */
bool abi_swaps(enum abi abi);

#endif
