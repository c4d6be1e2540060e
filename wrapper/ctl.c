/*
 * ctl.c: stagefencectl. A table of commands; each reads its options, calls down, and returns the
 * exit status: 0 good, 1 the answer is no, 2 wrong usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../preload/paths.h"
#include "compile.h"
#include "conf.h"
#include "filter.h"
#include "image.h"
#include "mem.h"
#include "policy.h"
#include "say.h"
#include "verify.h"
#include "version.h"

enum { GOOD = 0, BAD = 1, USAGE = 2 };

struct options {
	const char *conf;   /* -c, or NULL: the system's policy */
	const char *stage;  /* -s */
	const char *output; /* -o */
	const char *junit;  /* --junit */
	const char *from;   /* --from */
	bool verbose;       /* -v */
};

/* The vendor's files lie beside the program in a build tree, else where they are installed. */
static const char *vendor_folder(struct arena *a)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *folder;

	if (n <= 0)
		return PATH_VENDOR;
	self[n] = '\0';
	folder = arena_format(a, "%s", dirname(self));
	return access(arena_format(a, "%s/groups.conf", folder), R_OK) == 0 ? folder : PATH_VENDOR;
}

static void print_sources(const struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		printf(
		    "%s%s\n", sources->items[i].path, sources->items[i].present ? "" : " (absent)");
}

/* Reads and compiles; NULL: the mistakes have been said. */
static const void *make_image(
    struct arena *a, const struct options *o, struct sources *sources, size_t *size)
{
	const struct policy *p = conf_read(a, o->conf, vendor_folder(a), sources);

	return p == NULL ? NULL : compile_policy(p, sources, a, size);
}

static int run_check(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	struct sources sources;
	size_t size;
	const void *image;

	(void)argv;
	say_notes(true);
	image = make_image(a, o, &sources, &size);
	if (o->verbose) {
		print_sources(&sources);
		if (image != NULL)
			printf("%u stages, %u programs, %u instructions, %llu inputs judged, "
			       "libseccomp %s\n",
			    image_header(image)->part[IMAGE_STAGES].count,
			    image_header(image)->part[IMAGE_PROGRAMS].count,
			    image_header(image)->part[IMAGE_CODE].count,
			    (unsigned long long)verify_count(), filter_library(a));
	}
	arena_free(a);
	return image != NULL ? GOOD : BAD;
}

static int run_compile(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	struct sources sources;
	size_t size;
	const char *output = o->output;
	const void *image;
	bool good;

	(void)argv;
	if (output == NULL && o->conf != NULL) {
		say("compile -c FILE needs -o IMAGE; only the system's policy has a place of its "
		    "own");
		arena_free(a);
		return USAGE;
	}
	if (output == NULL) {
		output = PATH_IMAGE;
		if (mkdir(PATH_IMAGE_FOLDER, 0755) != 0 && errno != EEXIST)
			say(PATH_IMAGE_FOLDER ": %s", strerror(errno));
	}
	image = make_image(a, o, &sources, &size);
	if (o->verbose && strcmp(output, "-") != 0)
		print_sources(&sources);
	good = image != NULL && image_write(output, image, size);
	arena_free(a);
	return good ? GOOD : BAD;
}

static const struct command {
	const char *name;
	const char *options; /* letters, as for getopt(3) */
	int least, most;     /* arguments behind the options */
	const char *arguments, *what;
	int (*run)(const struct options *, char **argv);
} commands[] = {
	{ "check", "c:v", 0, 0, "[-v] [-c FILE]",
	    "read the policy, prove its filters and report every mistake", run_check },
	{ "compile", "c:o:v", 0, 0, "[-v] [-c FILE] [-o IMAGE]",
	    "write the compiled policy, for the system into " PATH_IMAGE, run_compile },
};

static void print_help(FILE *to)
{
	fprintf(to, "usage: stagefencectl COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		fprintf(to, "  %-8s %-26s %s\n", commands[i].name, commands[i].arguments,
		    commands[i].what);
	fprintf(to,
	    "\n  -c FILE    this policy instead of " PATH_CONF " and its drop-ins\n"
	    "  -o IMAGE   write the compiled policy there; - is standard output\n"
	    "  -v         say which files were read\n"
	    "  -h, -V     print this, or the version\n\n"
	    "Exit status: 0 good, 1 the answer is no, 2 wrong usage.\n");
}

/* Options with a word for a name; a command takes those whose letter is among its own. */
enum { OPTION_JUNIT = 'J', OPTION_FROM = 'F' };
static const struct option long_options[] = {
	{ "junit", required_argument, NULL, OPTION_JUNIT },
	{ "from", required_argument, NULL, OPTION_FROM },
	{ NULL, 0, NULL, 0 },
};

static int usage(const struct command *command)
{
	say("usage: stagefencectl %s %s", command->name, command->arguments);
	return USAGE;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct options o = { 0 };
	char *letters = NULL;
	int c, status = asprintf(&letters, "+%s", command->options);

	if (status < 0)
		die("out of memory");
	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
		if (c != '?' && strchr(command->options, c) == NULL)
			c = '?';
		switch (c) {
		case 'c': o.conf = optarg; break;
		case 's': o.stage = optarg; break;
		case 'o': o.output = optarg; break;
		case 'v': o.verbose = true; break;
		case OPTION_JUNIT: o.junit = optarg; break;
		case OPTION_FROM: o.from = optarg; break;
		default: free(letters); return usage(command);
		}
	}
	free(letters);
	if (argc - optind < command->least || argc - optind > command->most)
		return usage(command);
	status = command->run(&o, argv + optind);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		say("standard output: %s", strerror(errno));
		return BAD;
	}
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return USAGE;
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
		print_help(stdout);
		return GOOD;
	}
	if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0) {
		struct arena *a = arena_new();

		printf("stagefencectl " VERSION " (libseccomp %s)\n", filter_library(a));
		arena_free(a);
		return GOOD;
	}
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(&commands[i], argc - 1, argv + 1);
	say("there is no command %s; stagefencectl -h lists them", argv[1]);
	return USAGE;
}
