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
#include "calls.h"
#include "compile.h"
#include "conf.h"
#include "consts.h"
#include "expect.h"
#include "explain.h"
#include "filter.h"
#include "gitlab.h"
#include "image.h"
#include "jacamar.h"
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
	const char *to;     /* --to */
	const char *arch;   /* --arch, or NULL: this machine's */
	bool verbose;       /* -v */
	bool json;          /* --json */
	bool lossy;         /* --lossy */
	bool verify;        /* --verify */
};

/* This program's folder: in a build tree everything is there. */
static const char *own_folder(struct arena *a)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	self[n > 0 ? n : 0] = '\0';
	return n > 0 ? arena_format(a, "%s", dirname(self)) : "/nonexistent";
}

/* The vendor's files lie beside the program in a build tree, else where they are installed. */
static const char *vendor_folder(struct arena *a)
{
	const char *folder = own_folder(a);

	return access(arena_format(a, "%s/groups.conf", folder), R_OK) == 0 ? folder : PATH_VENDOR;
}

static const char *wrapper_program(struct arena *a)
{
	const char *beside = arena_format(a, "%s/stagefence", own_folder(a));

	return access(beside, X_OK) == 0 ? beside : PATH_WRAPPER;
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

/* The policy that -c or the system names, and the stage of -s in it; false: it has been said why
 * there is none. */
static const struct policy *read_policy(struct arena *a, const char *conf)
{
	struct sources sources;

	return conf_read(a, conf, vendor_folder(a), &sources);
}

static const struct stage *find_stage(const struct policy *p, const char *name)
{
	const struct stage *only = NULL;
	size_t stages = 0;

	for (size_t i = 0; i < p->stage_count; i++) {
		if (name != NULL && strcmp(p->stages[i]->own.name, name) == 0)
			return p->stages[i];
		if (!p->stages[i]->is_profile) {
			stages++;
			only = p->stages[i];
		}
	}
	if (name == NULL && stages == 1)
		return only;
	if (name == NULL)
		say("there are %zu stages: name one with -s", stages);
	else
		say("there is no stage %s", name);
	return NULL;
}

static int run_show(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	const struct policy *p = read_policy(a, o->conf);
	const struct stage *s = p != NULL && o->stage != NULL ? find_stage(p, o->stage) : NULL;
	bool good = p != NULL && (o->stage == NULL || s != NULL);

	(void)argv;
	if (good)
		explain_show(p, s, a);
	arena_free(a);
	return good ? GOOD : BAD;
}

/* The arguments of explain: as in a policy's conditions. NULL once it has been said which is none.
 */
static const uint64_t *read_arguments(struct arena *a, char **argv)
{
	enum { ARGUMENTS = 6 };
	uint64_t *args = arena_array(a, ARGUMENTS, sizeof *args);
	size_t length;
	const char *bad;

	for (size_t i = 0; i < ARGUMENTS && argv[i] != NULL; i++)
		if (!const_read(argv[i], abi_native() == ABI_AARCH64, &args[i], &bad, &length)) {
			say("\"%s\" is neither a known constant nor a number", argv[i]);
			return NULL;
		}
	return args;
}

static int run_explain(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	const struct policy *p = read_policy(a, o->conf);
	const struct stage *s = p != NULL ? find_stage(p, o->stage) : NULL;
	const struct call *call = call_named(argv[0]);
	const uint64_t *args = argv[1] != NULL ? read_arguments(a, argv + 1) : NULL;
	bool good = s != NULL && call != NULL && (args != NULL || argv[1] == NULL);

	if (call == NULL)
		say("unknown system call %s", argv[0]);
	if (good)
		explain_call(p, s, call, args, a);
	arena_free(a);
	return good ? GOOD : BAD;
}

/* A name with a slash or an ending is a policy's file; any other is a stage. */
static bool names_file(const char *text)
{
	return strchr(text, '/') != NULL || strchr(text, '.') != NULL;
}

static bool diff_policies(
    const struct policy *p, const struct policy *q, const char *only, struct arena *a)
{
	bool same = true;

	for (size_t i = 0; i < p->stage_count; i++) {
		const struct stage *s = p->stages[i], *t = NULL;

		if (s->is_profile || (only != NULL && strcmp(s->own.name, only) != 0))
			continue;
		for (size_t k = 0; k < q->stage_count; k++)
			if (!q->stages[k]->is_profile &&
			    strcmp(q->stages[k]->own.name, s->own.name) == 0)
				t = q->stages[k];
		if (t == NULL)
			printf("%s: only in the first\n", s->own.name);
		same = t != NULL && explain_diff(p, s, q, t, a) && same;
	}
	for (size_t k = 0; k < q->stage_count; k++) {
		bool found = q->stages[k]->is_profile ||
		    (only != NULL && strcmp(q->stages[k]->own.name, only) != 0);

		for (size_t i = 0; !found && i < p->stage_count; i++)
			found = !p->stages[i]->is_profile &&
			    strcmp(q->stages[k]->own.name, p->stages[i]->own.name) == 0;
		if (!found)
			printf("%s: only in the second\n", q->stages[k]->own.name);
		same = same && found;
	}
	return same;
}

static int run_diff(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	bool files = names_file(argv[0]) || names_file(argv[1]), same = false;
	const struct policy *p = read_policy(a, files ? argv[0] : o->conf);
	const struct policy *q = files ? read_policy(a, argv[1]) : p;
	const struct stage *s = !files && p != NULL ? find_stage(p, argv[0]) : NULL;
	const struct stage *t = !files && p != NULL ? find_stage(p, argv[1]) : NULL;

	if (files && p != NULL && q != NULL)
		same = diff_policies(p, q, o->stage, a);
	else if (s != NULL && t != NULL)
		same = explain_diff(p, s, q, t, a);
	arena_free(a);
	return same ? GOOD : BAD;
}

static int run_test(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	struct sources sources;
	struct expect e = { .file = o->conf != NULL ? o->conf : PATH_CONF,
		.stage = o->stage,
		.junit = o->junit,
		.wrapper = wrapper_program(a) };
	bool good;

	(void)argv;
	e.policy = conf_read(a, o->conf, vendor_folder(a), &sources);
	e.image = e.policy == NULL ? NULL : compile_policy(e.policy, &sources, a, &e.image_size);
	good = e.image != NULL && expect_test(&e, a);
	arena_free(a);
	return good ? GOOD : BAD;
}

/* What of a foreign policy could not be carried over is an answer: no, though the rest is written.
 */
static int run_import(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	const char *text;
	bool good;

	if (o->from == NULL || strcmp(o->from, "jacamar") != 0) {
		say("import needs --from jacamar; no other format is known");
		arena_free(a);
		return USAGE;
	}
	say_notes(true);
	text = jacamar_read(a, argv[0]);
	good = text != NULL &&
	    image_write(o->output != NULL ? o->output : "-", text, strlen(text)) &&
	    say_count() == 0;
	arena_free(a);
	return good ? GOOD : BAD;
}

/* Its exit status is what the runner understands, not ours: it says a failure is the job's or the
 * machine's. */
static int run_gitlab(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	bool policy = strcmp(argv[0], "run") == 0 || strcmp(argv[0], "prepare") == 0;
	struct gitlab g = { .conf = o->conf,
		.policy = policy ? read_policy(a, o->conf) : NULL,
		.wrapper = wrapper_program(a) };
	int status = gitlab(&g, argv, a);

	arena_free(a);
	return status;
}

/* The digest that a site pins; of the compiled policy, or of the image that is given. */
static int run_digest(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	struct sources sources;
	size_t size;
	const void *image = make_image(a, o, &sources, &size);

	(void)argv;
	for (size_t i = 0; image != NULL && i < sizeof image_header(image)->digest; i++)
		printf("%02x", image_header(image)->digest[i]);
	if (image != NULL)
		putchar('\n');
	arena_free(a);
	return image != NULL ? GOOD : BAD;
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
	{ "show", "c:s:", 0, 0, "[-c FILE] [-s STAGE]",
	    "print what the policy comes to, each rule with its file and line", run_show },
	{ "explain", "c:s:", 1, 7, "[-c FILE] [-s STAGE] CALL [ARG...]",
	    "say what happens to a call, which rule decides and what would change it",
	    run_explain },
	{ "test", "c:s:J:", 0, 0, "[-c FILE] [-s STAGE] [--junit FILE]",
	    "try what the policy expects of itself, calls and commands, and print TAP", run_test },
	{ "diff", "c:s:", 2, 2, "[-c FILE] [-s STAGE] A B",
	    "say what is different between two policies' files, or two stages", run_diff },
	{ "import", "F:o:", 1, 1, "--from jacamar [-o FILE] TOML",
	    "turn Jacamar CI's [auth.seccomp] into a policy", run_import },
	{ "digest", "c:", 0, 0, "[-c FILE]",
	    "print what a site can pin: one number for all that the policy means", run_digest },
	{ "gitlab", "c:", 1, INT_MAX, "[-c FILE] STEP [DRIVER...]",
	    "be GitLab Runner's custom executor, alone or in front of a driver", run_gitlab },
};

static void print_help(FILE *to)
{
	fprintf(to, "usage: stagefencectl COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		fprintf(to, "  %-8s %-26s %s\n", commands[i].name, commands[i].arguments,
		    commands[i].what);
	fprintf(to,
	    "\n  -c FILE    this policy instead of " PATH_CONF " and its drop-ins\n"
	    "  -s STAGE   this stage only\n"
	    "  --junit FILE  write a report for a CI service there, too\n"
	    "  -o FILE    write the compiled policy (import: the text) there; - is standard "
	    "output\n"
	    "  -v         say which files were read\n"
	    "  -h, -V     print this, or the version\n\n"
	    "Exit status: 0 good, 1 the answer is no, 2 wrong usage.\n");
}

/* Options with a word for a name; a command takes those whose letter is among its own. */
enum {
	OPTION_JUNIT = 'J',
	OPTION_FROM = 'F',
	OPTION_TO = 'T',
	OPTION_ARCH = 'A',
	OPTION_JSON = 'N',
	OPTION_LOSSY = 'L',
	OPTION_VERIFY = 'Y'
};
static const struct option long_options[] = {
	{ "junit", required_argument, NULL, OPTION_JUNIT },
	{ "from", required_argument, NULL, OPTION_FROM },
	{ "to", required_argument, NULL, OPTION_TO },
	{ "arch", required_argument, NULL, OPTION_ARCH },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "lossy", no_argument, NULL, OPTION_LOSSY },
	{ "verify", no_argument, NULL, OPTION_VERIFY },
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
		case OPTION_TO: o.to = optarg; break;
		case OPTION_ARCH: o.arch = optarg; break;
		case OPTION_JSON: o.json = true; break;
		case OPTION_LOSSY: o.lossy = true; break;
		case OPTION_VERIFY: o.verify = true; break;
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
