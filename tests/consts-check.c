/*
 * Checks the table of wrapper/consts.def against itself, and the reading of numbers, errnos and
 * signals that wrapper/consts.h promises. tests/consts-check.sh compares the values with headers.
 * Prints each disagreement, then a summary; exit status 1 if there was any. Changes nothing.
 */
#include "../wrapper/consts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* consts.c's, which no constant may have. */
#define NONE (UINT64_C(1) << 63)

/* The rows as they are written, to be found again through the functions. */
static const struct row {
	const char *name;
	uint64_t x86_64, aarch64, elsewhere;
} rows[] = {
#define C(name, value) { #name, value, value, value },
#define D(name, x86_64, aarch64) { #name, x86_64, aarch64, NONE },
#define A(name, value) { #name, value, value, value },
#define P(name, value) { #name, value, value, NONE },
#define B(name, value) { #name, value, value, NONE },
#define S(name, number) { #name, number, number, number },
#define Q(name, command) { #name, (uint64_t)(command) << 8, (uint64_t)(command) << 8, \
	(uint64_t)(command) << 8 },
#include "../wrapper/consts.def"
};

static const struct row errnos[] = {
#define E(name, number) { #name, number, number, number },
#include "../wrapper/consts.def"
};

static const struct row signals[] = {
#define S(name, number) { #name, number, number, number },
#include "../wrapper/consts.def"
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

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

static bool is_row(const char *name, size_t length, enum consts_of of)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0)
			return of != CONSTS_ELSEWHERE || rows[i].elsewhere != NONE;
	return false;
}

static void check_row(size_t i, enum consts_of of)
{
	const struct row *r = &rows[i];
	size_t length = strlen(r->name);
	uint64_t expected = of == CONSTS_AARCH64 ? r->aarch64 : of == CONSTS_X86_64 ? r->x86_64 : r->elsewhere;
	const char *arch = of == CONSTS_AARCH64 ? "aarch64" : of == CONSTS_X86_64 ? "x86_64" : "others";
	uint64_t value = ~expected, at = ~expected;
	const char *name = const_at(i, of, &at);
	const char *bad;
	size_t bad_length;

	if (expected == NONE) {
		check(name == NULL && !const_value(r->name, length, of, &value) &&
		              !const_read(r->name, of, &value, &bad, &bad_length),
		      "%s: known on %s", r->name, arch);
		return;
	}
	check(name != NULL && strcmp(name, r->name) == 0 && at == expected,
	      "%s: row %zu is another on %s", r->name, i, arch);
	check(const_value(r->name, length, of, &value) && value == expected,
	      "%s: not found on %s, or with another value", r->name, arch);
	value = ~expected;
	check(const_read(r->name, of, &value, &bad, &bad_length) && value == expected,
	      "%s: not read on %s", r->name, arch);
	name = const_name(r->name, of, expected);
	check(name != NULL && strncmp(name, r->name, length) == 0, "%s: not named on %s", r->name,
	      arch);
	/* KVM_SET_CPUID2 without its end is a constant too, the others are not. */
	check(const_value(r->name, length - 1, of, &value) == is_row(r->name, length - 1, of),
	      "%s: found by its beginning", r->name);
}

static void check_rows(void)
{
	uint64_t value;

	check(const_count() == COUNT(rows), "%zu rows of %zu", const_count(), COUNT(rows));
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t length = strlen(rows[i].name);

		check(i == 0 || strcmp(rows[i - 1].name, rows[i].name) < 0,
		      "%s: out of order, or twice", rows[i].name);
		check(length >= 3 && length < 60, "%s: too short or too long", rows[i].name);
		check(rows[i].x86_64 != NONE || rows[i].aarch64 != NONE, "%s: nowhere",
		      rows[i].name);
		check_row(i, CONSTS_X86_64);
		check_row(i, CONSTS_AARCH64);
		check_row(i, CONSTS_ELSEWHERE);
	}
	check(const_at(COUNT(rows), false, &value) == NULL, "a row after the last");
	check(const_at(SIZE_MAX, true, &value) == NULL, "a row far after the last");
}

static void check_errnos(void)
{
	unsigned value;
	uint64_t number;
	const char *name;

	for (size_t i = 0; i < COUNT(errnos); i++) {
		check(!const_value(errnos[i].name, strlen(errnos[i].name), false, &number),
		      "%s: a value for conditions", errnos[i].name);
		check(i == 0 || errnos[i - 1].x86_64 <= errnos[i].x86_64, "%s: out of order",
		      errnos[i].name);
		value = 0;
		check(const_errno(errnos[i].name, &value) && value == errnos[i].x86_64,
		      "%s: not read", errnos[i].name);
		name = const_errno_name(value);
		value = 0;
		check(name != NULL && const_errno(name, &value) && value == errnos[i].x86_64,
		      "%s: not named", errnos[i].name);
		for (size_t j = 0; j < i; j++)
			check(strcmp(errnos[i].name, errnos[j].name) != 0, "%s: twice",
			      errnos[i].name);
	}
	static const struct {
		const char *text;
		unsigned value; /* 0: refused */
	} cases[] = {
		{ "EPERM", 1 }, { "ENOTSUP", 95 }, { "EOPNOTSUPP", 95 }, { "EWOULDBLOCK", 11 },
		{ "EDEADLOCK", 35 }, { "EHWPOISON", 133 }, { "1", 1 }, { "38", 38 },
		{ "4095", 4095 }, { "4096", 0 }, { "0", 0 }, { "", 0 }, { "-1", 0 },
		{ "01", 0 }, { "0x1", 0 }, { " 1", 0 }, { "1 ", 0 }, { "EPERM ", 0 },
		{ "eperm", 0 }, { "PERM", 0 }, { "ERESTARTSYS", 0 }, { "ENOIOCTLCMD", 0 },
		{ "TIOCSTI", 0 }, { "SIGHUP", 0 }, { "18446744073709551617", 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		value = 0;
		if (!const_errno(cases[i].text, &value))
			value = 0;
		check(value == cases[i].value, "errno \"%s\": %u", cases[i].text, value);
	}
	check(strcmp(const_errno_name(11), "EAGAIN") == 0 &&
	              strcmp(const_errno_name(35), "EDEADLK") == 0 &&
	              strcmp(const_errno_name(95), "EOPNOTSUPP") == 0,
	      "an errno has its second name");
	check(const_errno_name(0) == NULL && const_errno_name(512) == NULL, "a name for no errno");
}

static void check_signals(void)
{
	static const struct {
		const char *text;
		int value; /* 0: refused */
	} cases[] = {
		{ "SIGHUP", 1 }, { "SIGSYS", 31 }, { "SIGRTMIN", 32 }, { "SIGRTMAX", 64 },
		{ "SIGIOT", 6 }, { "SIGPOLL", 29 }, { "9", 9 }, { "64", 64 }, { "65", 0 },
		{ "0", 0 }, { "HUP", 0 }, { "SIG_BLOCK", 0 }, { "SIG", 0 }, { "", 0 },
		{ "-9", 0 }, { "09", 0 },
	};
	int value;

	for (size_t i = 0; i < COUNT(signals); i++) {
		const char *name = const_signal_name((int)signals[i].x86_64);

		check(name != NULL && const_signal(name, &value) &&
		              value == (int)signals[i].x86_64,
		      "%s: not named", signals[i].name);
	}
	for (size_t i = 0; i < COUNT(cases); i++) {
		value = 0;
		if (!const_signal(cases[i].text, &value))
			value = 0;
		check(value == cases[i].value, "signal \"%s\": %d", cases[i].text, value);
	}
	check(strcmp(const_signal_name(6), "SIGABRT") == 0 &&
	              strcmp(const_signal_name(29), "SIGIO") == 0,
	      "a signal has its second name");
	check(const_signal_name(0) == NULL && const_signal_name(-1) == NULL &&
	              const_signal_name(33) == NULL && const_signal_name(65) == NULL,
	      "a name for no signal");
}

static void check_reading(void)
{
	static const struct {
		const char *text;
		uint64_t value;
		const char *bad; /* NULL: the text is good */
	} cases[] = {
		{ "0", 0, NULL },
		{ "65535", 65535, NULL },
		{ "0x10", 16, NULL },
		{ "0xfFfFfFfFfFfFfFfF", UINT64_MAX, NULL },
		{ "0o755", 0755, NULL },
		{ "0o1777777777777777777777", UINT64_MAX, NULL },
		{ "18446744073709551615", UINT64_MAX, NULL },
		{ "-1", UINT64_MAX, NULL },
		{ "-0", 0, NULL },
		{ "-9223372036854775808", UINT64_C(1) << 63, NULL },
		{ "O_WRONLY | O_CREAT", 0101, NULL },
		{ " \tO_WRONLY|\n O_CREAT\r\n", 0101, NULL },
		{ "CLONE_NEWUSER|0x20", 0x10000020, NULL },
		{ "1|2|4|8", 15, NULL },
		{ "AT_FDCWD", (uint64_t)-100, NULL },
		{ " -100 ", (uint64_t)-100, NULL },
		{ "CLONE_INTO_CGROUP", UINT64_C(0x200000000), NULL },
		{ "0x8000000000000000|1", (UINT64_C(1) << 63) + 1, NULL },
		{ "AF_DECnet", 12, NULL },
		{ "Q_QUOTAON | GRPQUOTA", 0x80000201, NULL },
		{ "SIGKILL", 9, NULL },
		{ "", 0, "" },
		{ "  ", 0, "" },
		{ "|", 0, "" },
		{ "1|", 0, "" },
		{ "|1", 0, "" },
		{ "1||2", 0, "" },
		{ "1| |2", 0, "" },
		{ "0755", 0, "0755" },
		{ "00", 0, "00" },
		{ "1 | 010", 0, "010" },
		{ "0x", 0, "0x" },
		{ "0o", 0, "0o" },
		{ "0o8", 0, "0o8" },
		{ "0xg", 0, "0xg" },
		{ "0X10", 0, "0X10" },
		{ "0b1", 0, "0b1" },
		{ "1a", 0, "1a" },
		{ "1 2", 0, "1 2" },
		{ "+1", 0, "+1" },
		{ "--1", 0, "--1" },
		{ "-", 0, "-" },
		{ "- 1", 0, "- 1" },
		{ "-01", 0, "-01" },
		{ "-0x1", 0, "-0x1" },
		{ "-9223372036854775809", 0, "-9223372036854775809" },
		{ "-AT_FDCWD", 0, "-AT_FDCWD" },
		{ "18446744073709551616", 0, "18446744073709551616" },
		{ "0x10000000000000000", 0, "0x10000000000000000" },
		{ "0o2000000000000000000000", 0, "0o2000000000000000000000" },
		{ "99999999999999999999999", 0, "99999999999999999999999" },
		{ "-1|1", 0, "-1" },
		{ "1 | -1 ", 0, "-1" },
		{ "AT_FDCWD|1", 0, "AT_FDCWD" },
		{ "O_WRONLY|O_CRAET", 0, "O_CRAET" },
		{ "O_CRAET|O_CRAET2", 0, "O_CRAET" },
		{ "o_wronly", 0, "o_wronly" },
		{ "O_WRONL", 0, "O_WRONL" },
		{ "O_WRONLYY", 0, "O_WRONLYY" },
		{ "O_WRONLY O_CREAT", 0, "O_WRONLY O_CREAT" },
		{ "O_WRONLY,O_CREAT", 0, "O_WRONLY,O_CREAT" },
		{ "~1", 0, "~1" },
		{ "EPERM", 0, "EPERM" },
		{ "_", 0, "_" },
		{ "\xff", 0, "\xff" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *text = cases[i].text, *bad = NULL;
		size_t length = 0;
		uint64_t value = ~cases[i].value;
		bool good = const_read(text, false, &value, &bad, &length);

		check(good == (cases[i].bad == NULL), "\"%s\": %s", text,
		      good ? "accepted" : "refused");
		if (good)
			check(value == cases[i].value, "\"%s\": %#llx", text,
			      (unsigned long long)value);
		else if (cases[i].bad != NULL)
			check(bad >= text && bad + length <= text + strlen(text) &&
			              length == strlen(cases[i].bad) &&
			              memcmp(bad, cases[i].bad, length) == 0,
			      "\"%s\": blames \"%.*s\"", text, (int)length, bad);
	}
}

/* Random texts of promising characters: the blamed part stays inside, sums are what they seem. */
static void check_random(void)
{
	static const char *const pieces[] = {
		"0", "1", "7", "8", "f", "x", "o", "-", "|", " ", "_", "O_CREAT", "AF_", "O_",
		"0x", "9223372036854775807", "SIG", "\t", "0o",
	};

	srand(1);
	for (unsigned i = 0; i < 100000; i++) {
		char text[160] = "";
		unsigned piece_count = (unsigned)rand() % 7;
		const char *bad = NULL;
		size_t length = 0;
		uint64_t value;

		for (unsigned j = 0; j < piece_count; j++)
			strcat(text, pieces[(unsigned)rand() % COUNT(pieces)]);
		if (const_read(text, rand() % 2 == 0, &value, &bad, &length)) {
			char again[32];
			uint64_t second;

			snprintf(again, sizeof again, "%#llx", (unsigned long long)value);
			check(const_read(value == 0 ? "0" : again, false, &second, &bad, &length) &&
			              second == value,
			      "\"%s\": %s is not itself", text, again);
		} else {
			check(bad >= text && bad + length <= text + strlen(text) &&
			              memchr(bad, '|', length) == NULL,
			      "\"%s\": blames what is not there", text);
		}
		if (i % 100 == 0) { /* the slow ones */
			const_nearest(text);
			const_errno_nearest(text);
			const_name(text, true, i);
		}
	}
}

static bool same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_hints(void)
{
	static const struct {
		const char *word, *hint;
	} cases[] = {
		{ "TIOCSTY", "TIOCSTI" }, { "O_CRAET", "O_CREAT" }, { "af_unix", "AF_UNIX" },
		{ "CLONE_NEWUSR", "CLONE_NEWUSER" }, { "AF_INET4", "AF_INET" },
		{ "SIGKIL", "SIGKILL" }, { "PROT_EXECUTE", NULL }, { "frobnicate", NULL },
		{ "", NULL }, { "F_GETLK64", "F_GETLK" }, { "F_OKAY", "F_OK" },
		{ "CLONE_NEWUSER_CLONE_NEWUSER_CLONE_NEWUSER_CLONE_NEWUSER_CLONE_NEWUSER", NULL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *hint = const_nearest(cases[i].word);

		check(same(hint, cases[i].hint), "\"%s\": did you mean %s?", cases[i].word,
		      hint == NULL ? "nothing" : hint);
	}
	check(same(const_errno_nearest("EPRM"), "EPERM"), "EPRM is not near EPERM");
	check(same(const_errno_nearest("enosys"), "ENOSYS"), "enosys is not near ENOSYS");
	check(const_errno_nearest("ERESTARTSYS") == NULL, "something is near ERESTARTSYS");
}

static void check_names(void)
{
	static const struct {
		const char *prefix;
		bool aarch64;
		uint64_t value;
		const char *name;
	} cases[] = {
		{ "AF_", false, 1, "AF_UNIX" },
		{ "AF_", false, 16, "AF_NETLINK" },
		{ "AF_L", false, 1, "AF_LOCAL" },
		{ "AF_", false, 999, NULL },
		{ "O_", false, 0200000, "O_DIRECTORY" },
		{ "O_", true, 0200000, "O_DIRECT" },
		{ "O_", false, 04000, "O_NONBLOCK" },
		{ "AT_", false, (uint64_t)-100, "AT_FDCWD" },
		{ "AT_", false, 0xffffff9c, "AT_FDCWD" },
		{ "PR_", false, 1, "PR_SET_PDEATHSIG" },
		{ "PR_", true, 38, "PR_SET_NO_NEW_PRIVS" },
		{ "PR_SPEC_", false, 1, "PR_SPEC_INDIRECT_BRANCH" },
		{ "PTRACE_", false, 16, "PTRACE_ATTACH" },
		{ "PTRACE_", false, 12, "PTRACE_GETREGS" },
		{ "PTRACE_", true, 12, NULL },
		{ "F_", false, 0, "F_DUPFD" },
		{ "NETLINK_", false, 4, "NETLINK_SOCK_DIAG" },
		{ "SECCOMP_", false, 1, "SECCOMP_SET_MODE_FILTER" },
		{ "SECCOMP_MODE_", false, 1, "SECCOMP_MODE_STRICT" },
		{ "TIOC", false, 0x5412, "TIOCSTI" },
		{ "MAP_", true, UINT64_C(1) << 63, NULL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *name = const_name(cases[i].prefix, cases[i].aarch64, cases[i].value);

		check(same(name, cases[i].name), "%s%#llx: %s", cases[i].prefix,
		      (unsigned long long)cases[i].value, name == NULL ? "nothing" : name);
	}
}

int main(void)
{
	check_rows();
	check_errnos();
	check_signals();
	check_reading();
	check_random();
	check_hints();
	check_names();
	printf("%zu constants, %zu errnos, %lu checks, %lu wrong\n", const_count(), COUNT(errnos),
	       checks, wrong);
	return wrong == 0 ? 0 : 1;
}
