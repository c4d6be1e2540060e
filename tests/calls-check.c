/*
 * Checks the table of wrapper/calls.def against itself, against libseccomp's tables and against
 * the kernel's headers of this machine; calls newer than either are only checked against itself.
 * Prints each disagreement, then a summary; exit status 1 if there was any. Changes nothing.
 */
#include "../wrapper/calls.h"

#include <asm/unistd.h>
#include <ctype.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { X32_BIT = 0x40000000, NR_LIMIT = 1024 };

static unsigned long checks, wrong;

__attribute__((format(printf, 2, 3)))
static void check(bool good, const char *format, ...)
{
	va_list args;

	checks++;
	if (good)
		return;
	wrong++;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void check_rows(void)
{
	const struct call *before = NULL;

	for (size_t i = 0; i < call_count(); i++) {
		const struct call *c = call_at(i);
		size_t width_count = strlen(c->widths);

		check(before == NULL || strcmp(before->name, c->name) < 0,
		      "%s: out of order, or twice", c->name);
		check(call_named(c->name) == c, "%s: not found by its name", c->name);
		check(strspn(c->widths, "silp") == width_count && width_count <= 6,
		      "%s: widths \"%s\"", c->name, c->widths);
		check(c->since >= kernel_version(2, 0) && c->since <= kernel_version(6, 18),
		      "%s: since %#x", c->name, c->since);

		unsigned abi_count = 0;

		for (enum abi abi = 0; abi < ABI_COUNT; abi++) {
			if (c->nr[abi] == -1)
				continue;
			abi_count++;
			/* Two calls with one number: one of the two does not get itself back. */
			check(call_numbered(abi, c->nr[abi]) == c,
			      "%s: %s number %d is not its alone", c->name, abi_name(abi), c->nr[abi]);
		}
		check(abi_count > 0, "%s: no ABI has it", c->name);
		check(c->nr[ABI_X86_64] < 424 || (c->nr[ABI_X32] == c->nr[ABI_X86_64] + X32_BIT &&
		                                  c->nr[ABI_I386] == c->nr[ABI_X86_64] &&
		                                  c->nr[ABI_AARCH64] == c->nr[ABI_X86_64] &&
		                                  c->nr[ABI_RISCV64] == c->nr[ABI_X86_64] &&
		                                  c->nr[ABI_PPC64LE] == c->nr[ABI_X86_64] &&
		                                  c->nr[ABI_S390X] == c->nr[ABI_X86_64]),
		      "%s: from 424 on, all ABIs have the same number", c->name);
		before = c;
	}
}

/* No widening of the range by mistake: what has no name must be found by nobody. */
static void check_unknown(void)
{
	static const uint32_t strange[] = { 335, 404, NR_LIMIT, X32_BIT - 1, UINT32_MAX };

	check(call_named("") == NULL && call_named("reads") == NULL && call_named("zzz") == NULL,
	      "an unknown name was found");
	check(call_at(call_count()) == NULL, "there is a call after the last");
	for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++)
		check(call_numbered(ABI_AARCH64, strange[i]) == NULL,
		      "aarch64 number %u was found", strange[i]);
	check(call_numbered(ABI_X86_64, X32_BIT) == NULL, "an x32 number is one of x86_64");
	check(call_numbered(ABI_X86_64, 514) == NULL, "an x32 number without its bit was found");
	check(call_numbered(ABI_X32, 0) == NULL, "a number of x86_64 is one of x32");
	check(call_numbered(ABI_X32, UINT32_MAX) == NULL, "x32 number -1 was found");
}

/*
 * Both directions: our numbers against libseccomp's, then its names for all numbers against ours.
 * Where it answers with a number below zero it does not know the name or reaches the call another
 * way (i386 socket calls through socketcall), and there is nothing to compare.
 */
static void check_libseccomp(enum abi abi, uint32_t arch)
{
	uint32_t bit = abi == ABI_X32 ? X32_BIT : 0;

	for (size_t i = 0; i < call_count(); i++) {
		const struct call *c = call_at(i);
		int nr = seccomp_syscall_resolve_name_arch(arch, c->name);

		if (nr >= 0)
			check(c->nr[abi] == nr, "%s: %s number %d, libseccomp says %d", c->name,
			      abi_name(abi), c->nr[abi], nr);
	}
	for (uint32_t nr = bit; nr < bit + NR_LIMIT; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(arch, (int)nr);
		const struct call *c = call_numbered(abi, nr);

		if (name != NULL)
			check(c != NULL && strcmp(c->name, name) == 0,
			      "%s number %u is %s, libseccomp says %s", abi_name(abi), nr,
			      c == NULL ? "nothing" : c->name, name);
		free(name);
	}
}

/* A constant that the headers lack stays the word __NR_x when it is made a string. */
#define WORD(x) #x
#define NUMBER(x) WORD(x)

static void check_headers(void)
{
	static const struct {
		const char *name, *nr;
	} known[] = {
#define C(NAME, MAJOR, MINOR, X86_64, X32, I386, AARCH64, RISCV64, PPC64LE, S390X, WIDTHS) { #NAME, NUMBER(__NR_##NAME) },
#include "../wrapper/calls.def"
#undef C
	};
	enum abi abi = abi_native();
	size_t compared = 0;

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (!isdigit((unsigned char)known[i].nr[0]))
			continue;
		compared++;
		check(call_at(i)->nr[abi] == strtol(known[i].nr, NULL, 0),
		      "%s: %s number %d, <asm/unistd.h> says %s", known[i].name, abi_name(abi),
		      call_at(i)->nr[abi], known[i].nr);
	}
	/* x32's constants are sums, not numbers; everywhere else no header has fewer than these. */
	check(abi == ABI_X32 || compared > 250, "only %zu constants in <asm/unistd.h>", compared);
}

static void check_widths(void)
{
	static const struct {
		const char *name, *widths;
	} known[] = {
		{ "clone", "ilppl" },
		{ "fcntl", "iil" },
		{ "futex", "piippi" },
		{ "getpid", "" },
		{ "ioctl", "iil" },
		{ "kexec_load", "llpl" },
		{ "mkdirat", "ips" },
		{ "mmap", "llllil" },
		{ "mount", "ppplp" },
		{ "openat", "ipis" },
		{ "personality", "i" },
		{ "prctl", "illll" },
		{ "ptrace", "lill" },
		{ "read", "ipl" },
		{ "sendto", "iplipi" },
		{ "socket", "iii" },
		{ "splice", "ipipli" },
		{ "unshare", "l" },
	};
	const struct call *c;

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		c = call_named(known[i].name);
		check(c != NULL && strcmp(c->widths, known[i].widths) == 0,
		      "%s: its widths are not \"%s\"", known[i].name, known[i].widths);
	}
	c = call_named("ioctl");
	check(call_arg_is_word(c, ABI_X86_64, 1), "ioctl's request is not a word");
	check(!call_arg_is_word(c, ABI_X86_64, 2), "ioctl's argument is a word on x86_64");
	check(call_arg_is_word(c, ABI_X32, 2), "ioctl's argument is not a word on x32");
	check(call_arg_is_word(c, ABI_I386, 2), "ioctl's argument is not a word on i386");
	check(!call_arg_is_word(c, ABI_AARCH64, 5), "ioctl has a sixth argument");
	c = call_named("chmod");
	check(call_arg_is_word(c, ABI_X86_64, 1) && call_arg_is_mode(c, 1), "chmod's mode is no mode");
	check(!call_arg_is_mode(call_named("umask"), 0), "umask's argument is a mode");
	c = call_named("chown");
	check(call_arg_is_short_id(c, ABI_I386, 2), "chown's group is no short id on i386");
	check(!call_arg_is_short_id(c, ABI_I386, 0), "chown's path is a short id on i386");
	check(!call_arg_is_short_id(c, ABI_X86_64, 2), "chown's group is a short id on x86_64");
	check(!call_arg_is_short_id(call_named("setuid32"), ABI_I386, 0), "setuid32's id is a short id");
	c = call_named("unshare");
	check(!call_arg_is_word(c, ABI_X32, 0), "unshare's flags are a word on x32");
}

static void check_abis(void)
{
	static const struct {
		const char *name;
		uint32_t arch;
		enum abi abi;
	} known[] = {
		{ "x86_64", SCMP_ARCH_X86_64, ABI_X86_64 },
		{ "SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, ABI_X86_64 },
		/* libseccomp's own token for x32; the kernel says x86_64 and sets the bit. */
		{ "x32", SCMP_ARCH_X86_64, ABI_X32 },
		{ "SCMP_ARCH_X32", SCMP_ARCH_X86_64, ABI_X32 },
		{ "i386", SCMP_ARCH_X86, ABI_I386 },
		{ "x86", SCMP_ARCH_X86, ABI_I386 },
		{ "SCMP_ARCH_X86", SCMP_ARCH_X86, ABI_I386 },
		{ "aarch64", SCMP_ARCH_AARCH64, ABI_AARCH64 },
		{ "SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, ABI_AARCH64 },
		{ "SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64, ABI_RISCV64 },
		{ "SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE, ABI_PPC64LE },
		{ "SCMP_ARCH_S390X", SCMP_ARCH_S390X, ABI_S390X },
	};
	enum abi abi;

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		check(abi_named(known[i].name, &abi) && abi == known[i].abi,
		      "%s: not found, or another ABI", known[i].name);
		check(abi_audit_arch(known[i].abi) == known[i].arch, "%s: audit arch %#x",
		      known[i].name, abi_audit_arch(known[i].abi));
	}
	for (abi = 0; abi < ABI_COUNT; abi++) {
		enum abi back;

		check(abi_named(abi_name(abi), &back) && back == abi, "%s: not its own name",
		      abi_name(abi));
	}
	check(!abi_named("", &abi) && !abi_named("sparc", &abi), "an unknown ABI was found");
	check(abi_native() < ABI_COUNT && abi_audit_arch(abi_native()) != 0, "no native ABI");
}

int main(void)
{
	check_rows();
	check_unknown();
	check_libseccomp(ABI_X86_64, SCMP_ARCH_X86_64);
	check_libseccomp(ABI_X32, SCMP_ARCH_X32);
	check_libseccomp(ABI_I386, SCMP_ARCH_X86);
	check_libseccomp(ABI_AARCH64, SCMP_ARCH_AARCH64);
	check_libseccomp(ABI_RISCV64, SCMP_ARCH_RISCV64);
	check_libseccomp(ABI_PPC64LE, SCMP_ARCH_PPC64LE);
	check_libseccomp(ABI_S390X, SCMP_ARCH_S390X);
	check_headers();
	check_widths();
	check_abis();
	printf("%zu calls, %lu checks, %lu wrong\n", call_count(), checks, wrong);
	return wrong == 0 ? 0 : 1;
}
