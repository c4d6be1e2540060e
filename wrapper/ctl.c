/*
 * ctl.c: stagefencectl. A table of commands; each reads its options, calls down, and returns the
 * exit status: 0 good, 1 the answer is no, 2 wrong usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../preload/load.h"
#include "../preload/paths.h"
#include "audit.h"
#include "calls.h"
#include "compile.h"
#include "conf.h"
#include "consts.h"
#include "doctor.h"
#include "document.h"
#include "expect.h"
#include "explain.h"
#include "export.h"
#include "filter.h"
#include "gitlab.h"
#include "image.h"
#include "jacamar.h"
#include "json.h"
#include "mem.h"
#include "notify.h"
#include "oci.h"
#include "plain.h"
#include "policy.h"
#include "reach.h"
#include "say.h"
#include "status.h"
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
	bool kubernetes;    /* --kubernetes */
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

/* Every file and folder that was looked at, where it comes from, and what is not read because of
 * it.
 */
static void print_sources(const struct sources *sources, struct arena *a)
{
	for (size_t i = 0; i < sources->count; i++) {
		const struct source *s = &sources->items[i];

		printf("%-7s  %s%s%s%s\n", conf_origin_text(s->origin), plain_line(a, s->path),
		    !s->present    ? " (absent)"
			: s->empty ? " (empty)"
				   : "",
		    s->masks != NULL ? ", masks " : "",
		    s->masks != NULL ? plain_line(a, s->masks) : "");
	}
}

/* Reads and compiles; NULL: the mistakes have been said. */
static const void *make_image(
    struct arena *a, const struct options *o, struct sources *sources, size_t *size)
{
	const struct policy *p = conf_read(a, o->conf, vendor_folder(a), sources);

	return p == NULL ? NULL : compile_policy(p, sources, a, size);
}

/* A compiled image that -c names. *is_one tells whether it is any. */
static const struct image_header *read_image(struct arena *a, const char *path, bool *is_one)
{
	struct image_header *data = NULL;
	enum image_fault fault = IMAGE_NOT_ONE;
	/* a FIFO would hold us up: whoever may put one there is not asked */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	FILE *f = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
	uint32_t magic = 0;
	size_t size;

	*is_one = f != NULL && fread(&magic, sizeof magic, 1, f) == 1 && magic == IMAGE_MAGIC;
	if (*is_one) {
		data = arena_get(a, IMAGE_SIZE_MAX + 1);
		rewind(f);
		size = fread(data, 1, IMAGE_SIZE_MAX + 1, f);
		fault = image_check(data, size);
	}
	if (f != NULL)
		fclose(f);
	else if (fd >= 0)
		close(fd);
	if (*is_one && fault != IMAGE_GOOD)
		say_at(path, 0, "%s", image_fault_text(fault));
	return fault == IMAGE_GOOD ? data : NULL;
}

/* The compiled policy: as -c names it, or the system's while it is fresh, or made anew. NULL: it
 * has been said why there is none. */
static const struct image_header *get_image(struct arena *a, const struct options *o)
{
	struct load_refusal no;
	struct sources sources;
	size_t size;
	bool is_one = false;
	const struct image_header *h = o->conf != NULL ? read_image(a, o->conf, &is_one)
						       : load_system(TRUST_NAMESPACE, &no);

	if (h != NULL || (o->conf != NULL && is_one))
		return h;
	if (o->conf == NULL && no.why == LOAD_UNTRUSTED) {
		say_at(PATH_IMAGE, 0, "%s: %s", no.trust.name,
		    no.trust.fault == TRUST_ERROR ? strerror((int)no.trust.error)
						  : trust_text(no.trust.fault));
		return NULL;
	}
	if (o->conf == NULL && no.why == LOAD_FAULTY) {
		say_at(PATH_IMAGE, 0, "%s", image_fault_text(no.fault));
		return NULL;
	}
	return make_image(a, o, &sources, &size);
}

static int run_check(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	struct sources sources = { NULL, 0 };
	struct json j;
	size_t size;
	const struct policy *p;
	const void *image;

	(void)argv;
	say_notes(true);
	if (o->json)
		document_begin(&j, "check");
	p = conf_read(a, o->conf, vendor_folder(a), &sources);
	image = p == NULL ? NULL : compile_policy(p, &sources, a, &size);
	if (image != NULL)
		reach_note(p, o->conf != NULL ? o->conf : PATH_CONF, a);
	if (o->json) {
		document_check(&j, image, &sources, a);
		document_end(&j, image != NULL);
	} else if (o->verbose) {
		print_sources(&sources, a);
		if (image != NULL)
			reach_print(p, a);
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
		/* whatever the umask: everybody's launches look for the image in there */
		if (mkdir(PATH_IMAGE_FOLDER, 0755) == 0 ? chmod(PATH_IMAGE_FOLDER, 0755) != 0
							: errno != EEXIST)
			say(PATH_IMAGE_FOLDER ": %s", strerror(errno));
	}
	image = make_image(a, o, &sources, &size);
	if (o->verbose && strcmp(output, "-") != 0)
		print_sources(&sources, a);
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
	const struct policy *p;
	const struct stage *s;
	struct json j;
	bool good;

	(void)argv;
	if (o->json)
		document_begin(&j, "show");
	p = read_policy(a, o->conf);
	s = p != NULL && o->stage != NULL ? find_stage(p, o->stage) : NULL;
	good = p != NULL && (o->stage == NULL || s != NULL);
	if (good && o->json)
		document_show(&j, p, s, a);
	else if (good)
		explain_show(p, s, a);
	if (o->json)
		document_end(&j, good);
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
		if (!const_read(argv[i], policy_constants(), &args[i], &bad, &length)) {
			say("\"%s\" is neither a known constant nor a number", argv[i]);
			return NULL;
		}
	return args;
}

static int run_explain(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	const struct policy *p;
	const struct stage *s;
	const struct call *call = call_named(argv[0]);
	const uint64_t *args;
	struct json j;
	bool good;

	if (o->json)
		document_begin(&j, "explain");
	p = read_policy(a, o->conf);
	s = p != NULL ? find_stage(p, o->stage) : NULL;
	args = argv[1] != NULL ? read_arguments(a, argv + 1) : NULL;
	good = s != NULL && call != NULL && (args != NULL || argv[1] == NULL);
	if (call == NULL)
		say("unknown system call %s", argv[0]);
	if (good && o->json)
		document_explain(&j, p, s, call, args, a);
	else if (good)
		explain_call(p, s, call, args, a);
	if (o->json)
		document_end(&j, good);
	arena_free(a);
	return good ? GOOD : BAD;
}

/* A name with a slash or an ending is a policy's file; any other is a stage. */
static bool names_file(const char *text)
{
	return strchr(text, '/') != NULL || strchr(text, '.') != NULL;
}

static void say_only(struct json *j, const struct stage *s, bool first)
{
	if (j != NULL)
		document_only(j, s, first);
	else
		printf("%s: only in the %s\n", s->own.name, first ? "first" : "second");
}

static bool diff_policies(struct json *j, const struct policy *p, const struct policy *q,
    const char *only, struct arena *a)
{
	bool same = only != NULL || explain_diff_top(p, q, j, a);

	for (size_t i = 0; i < p->stage_count; i++) {
		const struct stage *s = p->stages[i], *t = NULL;

		if (s->is_profile || (only != NULL && strcmp(s->own.name, only) != 0))
			continue;
		for (size_t k = 0; k < q->stage_count; k++)
			if (!q->stages[k]->is_profile &&
			    strcmp(q->stages[k]->own.name, s->own.name) == 0)
				t = q->stages[k];
		if (t == NULL)
			say_only(j, s, true);
		same = t != NULL && explain_diff(p, s, q, t, j, a) && same;
	}
	for (size_t k = 0; k < q->stage_count; k++) {
		bool found = q->stages[k]->is_profile ||
		    (only != NULL && strcmp(q->stages[k]->own.name, only) != 0);

		for (size_t i = 0; !found && i < p->stage_count; i++)
			found = !p->stages[i]->is_profile &&
			    strcmp(q->stages[k]->own.name, p->stages[i]->own.name) == 0;
		if (!found)
			say_only(j, q->stages[k], false);
		same = same && found;
	}
	return same;
}

static int run_diff(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	bool files = names_file(argv[0]) || names_file(argv[1]), same = false;
	const struct policy *p, *q;
	const struct stage *s, *t;
	struct json document = { 0 }, *j = o->json ? &document : NULL;

	if (j != NULL)
		document_begin(j, "diff");
	p = read_policy(a, files ? argv[0] : o->conf);
	q = files ? read_policy(a, argv[1]) : p;
	s = !files && p != NULL ? find_stage(p, argv[0]) : NULL;
	t = !files && p != NULL ? find_stage(p, argv[1]) : NULL;
	if (j != NULL)
		json_array(j, "differences");
	if (files && p != NULL && q != NULL)
		same = diff_policies(j, p, q, o->stage, a);
	else if (s != NULL && t != NULL)
		same = explain_diff(p, s, q, t, j, a);
	if (j != NULL) {
		json_close(j);
		document_end(j, same);
	}
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
		.quiet = o->json,
		.wrapper = wrapper_program(a) };
	struct json j;
	bool good;

	(void)argv;
	/* what is written before commands are run must not wait in a buffer that they inherit */
	if (o->json)
		say_keep();
	e.policy = conf_read(a, o->conf, vendor_folder(a), &sources);
	e.image = e.policy == NULL ? NULL : compile_policy(e.policy, &sources, a, &e.image_size);
	good = e.image != NULL && expect_test(&e, a);
	if (o->json) {
		document_begin(&j, "test");
		document_test(&j, &e);
		document_end(&j, good);
	}
	arena_free(a);
	return good ? GOOD : BAD;
}

/* What of a foreign policy could not be carried over is an answer: no, though the rest is written.
 */
static int run_import(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	bool good, oci = o->from != NULL && strcmp(o->from, "oci") == 0;
	const char *text;

	if (!oci && (o->from == NULL || strcmp(o->from, "jacamar") != 0)) {
		say("import needs --from jacamar or --from oci; no other format is known");
		arena_free(a);
		return USAGE;
	}
	say_notes(true);
	text = oci ? oci_read(a, argv[0]) : jacamar_read(a, argv[0]);
	good = text != NULL &&
	    image_write(o->output != NULL ? o->output : "-", text, strlen(text)) &&
	    say_count() == 0;
	arena_free(a);
	return good ? GOOD : BAD;
}

static bool read_arch(const char *name, enum abi *abi)
{
	bool known = abi_named(name, abi);

	if (!known)
		say("--arch must be one of x86_64, x86, x32, aarch64, riscv64, ppc64le, s390x");
	return known;
}

/* Nobody need have a policy to read a log; what the system's is worth is check's business. */
static int run_audit(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	struct audit t = { .out = stdout, .json = o->json, .abi = abi_native() };
	bool good = true;

	if (o->arch != NULL && !read_arch(o->arch, &t.abi)) {
		arena_free(a);
		return USAGE;
	}
	if (o->conf != NULL || access(PATH_CONF, R_OK) == 0) {
		t.policy = read_policy(a, o->conf);
		good = t.policy != NULL || o->conf == NULL;
	}
	if (good) {
		good = argv[0] != NULL ? audit_file(&t, argv[0]) : audit_live(&t);
		audit_close(&t);
	}
	arena_free(a);
	return good && t.refused == 0 && t.odd == 0 ? GOOD : BAD;
}

static int run_status(const struct options *o, char **argv)
{
	struct arena *a;
	struct status s = {
		.out = stdout, .stage = o->stage, .verify = o->verify, .json = o->json
	};
	bool good;

	if (argv[0] != NULL) {
		char *end;
		long pid = strtol(argv[0], &end, 10);

		if (argv[0][0] < '0' || argv[0][0] > '9' || *end != '\0' || pid <= 0 ||
		    pid > INT_MAX) {
			say("\"%s\" is no process: give its number", argv[0]);
			return USAGE;
		}
		s.pid = (pid_t)pid;
	}
	a = arena_new();
	s.image = get_image(a, o);
	good = s.image != NULL && status_tell(&s, a);
	arena_free(a);
	return good ? GOOD : BAD;
}

static int run_doctor(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	const char *shim = arena_format(a, "%s/" PATH_SHIM_NAME, own_folder(a));
	struct probe level = doctor_level();
	struct doctor d = { .out = stdout,
		.json = o->json,
		.level = level,
		.image = get_image(a, o),
		.conf = o->conf,
		.wrapper = wrapper_program(a),
		.shim = access(shim, R_OK) == 0 ? shim : PATH_SHIM };
	bool good = doctor_tell(&d, a);

	(void)argv;
	arena_free(a);
	return good ? GOOD : BAD;
}

/* Into a file the profile alone, so that the pod's lines can be pasted from the terminal. */
static int run_export(const struct options *o, char **argv)
{
	struct arena *a = arena_new();
	const struct policy *p;
	const struct stage *s;
	enum export_format format;
	const void *data = NULL;
	size_t size;
	bool good, file = o->output != NULL && strcmp(o->output, "-") != 0;

	(void)argv;
	if (!export_named(o->to, &format) || (o->kubernetes && (format != EXPORT_OCI || !file))) {
		if (o->kubernetes)
			say("--kubernetes goes with --to oci, and with -o FILE for the profile");
		else
			say("export needs --to oci, bpf, pfc, systemd or c");
		arena_free(a);
		return USAGE;
	}
	p = read_policy(a, o->conf);
	s = p != NULL ? find_stage(p, o->stage) : NULL;
	say_notes(true); /* the policy's own are check's */
	if (s != NULL)
		data = export_stage(p, s, format, o->lossy, a, &size);
	good = data != NULL && image_write(file ? o->output : "-", data, size);
	if (good && o->kubernetes)
		printf("%s", export_pod(s, o->output, a));
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

/* The digest that a site pins. */
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

/* stagefence's own: it needs descriptors that nobody else has. */
static int run_supervise(const struct options *o, char **argv)
{
	(void)o;
	return notify_supervise(argv) ? GOOD : BAD;
}

static const struct command {
	const char *name;
	const char *options; /* letters, as for getopt(3) */
	int least, most;     /* arguments behind the options */
	const char *arguments, *what;
	int (*run)(const struct options *, char **argv);
} commands[] = {
	{ "check", "c:vA:N", 0, 0, "[-v] [-c FILE] [--arch ARCH] [--json]",
	    "read the policy, prove its filters and report every mistake", run_check },
	{ "compile", "c:o:v", 0, 0, "[-v] [-c FILE] [-o IMAGE]",
	    "write the compiled policy, for the system into " PATH_IMAGE, run_compile },
	{ "show", "c:s:A:N", 0, 0, "[-c FILE] [-s STAGE] [--arch ARCH] [--json]",
	    "print what the policy comes to, each rule with its file and line", run_show },
	{ "explain", "c:s:A:N", 1, 7, "[-c FILE] [-s STAGE] [--arch ARCH] [--json] CALL [ARG...]",
	    "say what happens to a call, which rule decides and what would change it",
	    run_explain },
	{ "test", "c:s:J:N", 0, 0, "[-c FILE] [-s STAGE] [--junit FILE] [--json]",
	    "try what the policy expects of itself, calls and commands, and print TAP", run_test },
	{ "diff", "c:s:N", 2, 2, "[-c FILE] [-s STAGE] [--json] A B",
	    "say what is different between two policies' files, or two stages", run_diff },
	{ "export", "c:s:o:T:A:LK", 0, 0,
	    "--to oci|bpf|pfc|systemd|c [-c FILE] [-s STAGE] [-o FILE] [--arch ARCH] [--lossy] "
	    "[--kubernetes]",
	    "write a stage's filter as others take it", run_export },
	{ "import", "F:o:", 1, 1, "--from jacamar|oci [-o FILE] FOREIGN",
	    "turn a jacamar.toml of Jacamar CI, or a container's seccomp profile, into a policy",
	    run_import },
	{ "audit", "c:NA:", 0, 1, "[-c FILE] [--arch ARCH] [--json] [FILE|-]",
	    "turn the kernel's records of refused calls into sentences, from a log or live",
	    run_audit },
	{ "status", "c:s:YN", 0, 1, "[-c FILE] [-s STAGE] [--verify] [--json] [PID]",
	    "say whether a fence of the policy is in force, and of which stage", run_status },
	{ "doctor", "c:N", 0, 0, "[-c FILE] [--json]",
	    "say what this kernel and machine lack of what the policy needs", run_doctor },
	{ "digest", "c:", 0, 0, "[-c FILE]",
	    "print what a site can pin: one number for all that the policy means", run_digest },
	{ "gitlab", "c:", 1, INT_MAX, "[-c FILE] config|prepare|run|cleanup [DRIVER...]",
	    "be GitLab Runner's custom executor, alone or in front of a driver", run_gitlab },
	{ "supervise", "", 6, 6, "SOCKET IMAGE STAGE PROGRAM FILE CI",
	    "tell what a stage refuses; stagefence starts it, nobody else", run_supervise },
};

static void print_help(FILE *to)
{
	fprintf(to, "usage: stagefencectl COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		fprintf(to, "  %-9s %s\n              %s\n", commands[i].name,
		    commands[i].arguments, commands[i].what);
	fprintf(to,
	    "\n  -c FILE       this policy instead of " PATH_CONF " and its drop-ins\n"
	    "  -s STAGE      this stage only\n"
	    "  -o FILE       write the compiled policy (import, export: what they make) there; -: "
	    "standard output\n"
	    "  -v            say which files were read\n"
	    "  --arch ARCH   for x86_64, x86, x32, aarch64, riscv64, ppc64le or s390x, not for "
	    "here\n"
	    "  --json        JSON instead of text\n"
	    "  --junit FILE  write a report for a CI service there, too\n"
	    "  --from WHAT   whose file it is\n"
	    "  --to WHAT     who is to read it\n"
	    "  --lossy       write also what does not mean quite the same, and stricter\n"
	    "  --kubernetes  print what a pod says to use the profile\n"
	    "  --verify      read the filters back from the kernel and compare them; for root\n"
	    "  -h, -V        print this, or the version\n\n"
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
	OPTION_KUBERNETES = 'K',
	OPTION_VERIFY = 'Y'
};
static const struct option long_options[] = {
	{ "junit", required_argument, NULL, OPTION_JUNIT },
	{ "from", required_argument, NULL, OPTION_FROM },
	{ "to", required_argument, NULL, OPTION_TO },
	{ "arch", required_argument, NULL, OPTION_ARCH },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "lossy", no_argument, NULL, OPTION_LOSSY },
	{ "kubernetes", no_argument, NULL, OPTION_KUBERNETES },
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
	enum abi abi;
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
		case OPTION_KUBERNETES: o.kubernetes = true; break;
		case OPTION_VERIFY: o.verify = true; break;
		default: free(letters); return usage(command);
		}
	}
	free(letters);
	/* audit's is about a log's numbers */
	if (o.arch != NULL && command->run != run_audit) {
		if (!read_arch(o.arch, &abi))
			return USAGE;
		abi_choose(abi);
	}
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
	/* past ulimit -f a write fails, and that can be said */
	signal(SIGXFSZ, SIG_IGN);
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

		printf("stagefencectl " VERSION " (libseccomp %s, libconfig %s)\n",
		    filter_library(a), conf_library(a));
		arena_free(a);
		return GOOD;
	}
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(&commands[i], argc - 1, argv + 1);
	say("there is no command %s; stagefencectl -h lists them", argv[1]);
	return USAGE;
}
