/*
 * quiet.h: wrapper/say.c for programs that read a policy after the other: each line is looked at and kept instead of
 * written, the count of mistakes starts anew, and die() comes back. Included once in place of linking say.o.
 */
#ifndef STAGEFENCE_QUIET_H
#define STAGEFENCE_QUIET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char quiet_lines[1 << 17]; /* the first ones, for whoever asks what was said */
static jmp_buf quiet_end;      /* where die() leads: set it before each call that could */

/* A file that was changed just now makes conf.c wait for the next tick: thousands of them are not waited for. */
int nanosleep(const struct timespec *time, struct timespec *rest)
{
	(void)time;
	(void)rest;
	return 0;
}

static void quiet_wrong(const char *what)
{
	fprintf(stdout, "a line that %s: %s\n", what, quiet_lines);
	fflush(stdout);
	abort();
}

/* Each line comes alone, ends, names us, and cannot steer a terminal. */
static ssize_t quiet_write(int fd, const void *line, size_t size)
{
	size_t have = strlen(quiet_lines);
	const char *text = line;

	(void)fd;
	if (have + size < sizeof quiet_lines) {
		memcpy(quiet_lines + have, text, size);
		quiet_lines[have + size] = '\0';
	}
	if (size < 2 || size > 2048 || text[size - 1] != '\n' || strncmp(text, "stagefencectl: ", 15) != 0)
		quiet_wrong("is no line");
	for (size_t i = 0; i + 1 < size; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			quiet_wrong("has a control character");
	return (ssize_t)size;
}

static _Noreturn void quiet_exit(int status)
{
	longjmp(quiet_end, status);
}

static int quiet_fprintf(FILE *to, const char *format, ...)
{
	(void)to;
	(void)format;
	return 0;
}

#define write quiet_write
#define exit quiet_exit
#define fprintf quiet_fprintf
#include "../../wrapper/say.c"
#undef write
#undef exit
#undef fprintf

static void quiet_start(void)
{
	mistakes = 0;
	quiet_lines[0] = '\0';
}

/* A private folder with a file for the policy and a few groups, removed at the end. */
static char quiet_folder[4096], quiet_policy[4200], quiet_groups[4200];

static void quiet_clean(void)
{
	unlink(quiet_policy);
	unlink(quiet_groups);
	rmdir(quiet_folder);
}

static void quiet_put(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "wb");

	if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0) {
		perror(path);
		abort();
	}
}

static void quiet_make(void)
{
	static const char groups[] = "groups = ( { name = \"@io\"; calls = [ \"read\", \"write\", \"lseek\" ]; },"
				     " { name = \"@more\"; calls = [ \"@io\", \"mkdirat\", \"ioctl\" ]; } );\n";
	const char *under = getenv("TMPDIR");

	snprintf(quiet_folder, sizeof quiet_folder, "%s/stagefence-fuzz.XXXXXX", under != NULL ? under : "/tmp");
	if (mkdtemp(quiet_folder) == NULL) {
		perror(quiet_folder);
		abort();
	}
	snprintf(quiet_policy, sizeof quiet_policy, "%s/policy.conf", quiet_folder);
	snprintf(quiet_groups, sizeof quiet_groups, "%s/groups.conf", quiet_folder);
	quiet_put(quiet_groups, groups, sizeof groups - 1);
	atexit(quiet_clean);
}

#endif
