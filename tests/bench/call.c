/*
 * call: what one system call costs, in nanoseconds.
 *
 *	call [-e ERRNO] CALL [ARG...]
 *
 * Makes the call over and over, in batches of about a millisecond, and prints the cost of one in
 * the fastest batch and in the median batch. CALL is a name or a number; an ARG is a number, or a
 * string that is passed by address. -e says how the call must fail (without it, it must succeed):
 * another answer is an error, so this program also proves whether a call is refused.
 *
 * The loop is the same bare and under a fence; in the difference of the two it is gone.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 25, BATCH_NS = 1000000 };

struct word {
	const char *word;
	int value;
};

static const struct word calls[] = {
	{ "getppid", SYS_getppid },
	{ "ioctl", SYS_ioctl },
	{ "mkdirat", SYS_mkdirat },
	{ "mlockall", SYS_mlockall },
	{ "openat", SYS_openat },
	{ "socket", SYS_socket },
};

static const struct word errors[] = {
	{ "EACCES", EACCES },
	{ "EAFNOSUPPORT", EAFNOSUPPORT },
	{ "EBADF", EBADF },
	{ "EFAULT", EFAULT },
	{ "EINVAL", EINVAL },
	{ "ENOENT", ENOENT },
	{ "ENOSYS", ENOSYS },
	{ "EPERM", EPERM },
};

static bool look_up(const struct word *table, size_t count, const char *word, long *value)
{
	char *end;

	for (size_t i = 0; i < count; i++)
		if (strcmp(table[i].word, word) == 0) {
			*value = table[i].value;
			return true;
		}
	*value = strtol(word, &end, 0);
	return *word != '\0' && *end == '\0';
}

static long argument(const char *word)
{
	char *end;
	unsigned long number = strtoul(word, &end, 0);

	return *word != '\0' && *end == '\0' ? (long)number : (long)word;
}

static double batch(long number, const long *args, long times)
{
	struct timespec before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	for (long i = 0; i < times; i++)
		syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
	clock_gettime(CLOCK_MONOTONIC, &after);
	return (double)(after.tv_sec - before.tv_sec) * 1e9 +
	    (double)(after.tv_nsec - before.tv_nsec);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Asked before and after the batches rather than in them, where it would be timed. */
static bool answers(const char *name, long number, const long *args, long error)
{
	long got;

	got = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]) < 0 ? errno : 0;
	if (got == error)
		return true;
	fprintf(stderr, "call: %s: %s\n", name, strerror((int)got));
	return false;
}

int main(int argc, char **argv)
{
	long number, error = 0, args[6] = { 0 }, times = 1;
	double ns[BATCHES];
	const char *name;
	int option;

	/* A plus: -1 is an argument of the call. */
	while ((option = getopt(argc, argv, "+e:")) >= 0)
		if (option != 'e' ||
		    !look_up(errors, sizeof errors / sizeof errors[0], optarg, &error))
			goto usage;
	if (optind >= argc || argc - optind > 7)
		goto usage;
	name = argv[optind];
	if (!look_up(calls, sizeof calls / sizeof calls[0], name, &number))
		goto usage;
	for (int i = optind + 1; i < argc; i++)
		args[i - optind - 1] = argument(argv[i]);

	if (!answers(name, number, args, error))
		return 1;
	while (batch(number, args, times) < BATCH_NS)
		times *= 2;
	for (int i = 0; i < BATCHES; i++)
		ns[i] = batch(number, args, times) / (double)times;
	if (!answers(name, number, args, error))
		return 1;

	qsort(ns, BATCHES, sizeof ns[0], compare);
	printf("%.2f %.2f\n", ns[0], ns[BATCHES / 2]);
	return 0;

usage:
	fputs("usage: call [-e errno] call [arg ...]\n", stderr);
	return 2;
}
