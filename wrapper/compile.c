#include "compile.h"

#include <string.h>

#include "../preload/fence.h"
#include "../preload/trust.h"
#include "calls.h"
#include "conf.h"
#include "filter.h"
#include "image.h"
#include "loader.h"
#include "mem.h"
#include "policy.h"
#include "say.h"
#include "sha256.h"
#include "verify.h"

struct compile {
	const struct policy *policy;
	struct arena *arena;
	struct image_builder image;
	bool good;
};

static uint32_t seccomp_flags(const struct stage *s)
{
	/* longs in the headers of older kernels */
	return (s->attributes.log_blocked ? (uint32_t)SECCOMP_FILTER_FLAG_LOG : 0) |
	    (s->attributes.allow_speculation ? (uint32_t)SECCOMP_FILTER_FLAG_SPEC_ALLOW : 0);
}

/* What a program is known by: the stage's name, what the program is for, and its instructions. */
static void digest_of(
    const struct stage *s, const char *kind, const struct program *body, uint32_t digest[8])
{
	struct sha256 sum;
	unsigned char bytes[SHA256_SIZE];

	sha256_start(&sum);
	sha256_text(&sum, "stagefence fence 2");
	sha256_text(&sum, kind);
	sha256_text(&sum, s->own.name);
	sha256_word(&sum, s->attributes.no_new_privs);
	sha256_word(&sum, seccomp_flags(s));
	sha256_add(&sum, body->code, body->count * sizeof *body->code);
	sha256_end(&sum, bytes);
	memcpy(digest, bytes, sizeof bytes);
}

static uint32_t add_code(
    struct compile *c, struct image_program p, const struct sock_filter code[BPF_MAXINSNS])
{
	p.sum = image_sum(code, p.count * sizeof *code);
	for (uint32_t i = 0; i < p.count; i++)
		image_add(&c->image, IMAGE_CODE, &code[i]);
	return image_add(&c->image, IMAGE_PROGRAMS, &p);
}

static bool listens(const struct stage *s)
{
	return s->attributes.report != NULL || s->attributes.listener != NULL;
}

/* The body behind its prologue, judged, and into the image. */
static uint32_t add_program(
    struct compile *c, const struct stage *s, const struct program *body, bool loader, bool cookie)
{
	struct sock_filter code[BPF_MAXINSNS];
	struct image_program p = { .first = c->image.part[IMAGE_CODE].count,
		.flags = seccomp_flags(s) };

	if (!listens(s) && abi_native() == abi_here())
		fence_hush(body->code, body->count);
	digest_of(s, loader ? "outer" : "exact", body, p.digest);
	/* for another machine there is nothing but the body to judge: the prologue is this one's */
	cookie = cookie && abi_native() == abi_here();
	p.count = abi_native() == abi_here()
	    ? fence_prologue(code, p.digest, cookie, body->code, body->count)
	    : 0;
	memcpy(code + p.count, body->code, body->count * sizeof *code);
	p.count += (uint32_t)body->count;
	p.cookie = cookie;
	if (!verify_program(c->policy, s, loader, cookie,
		abi_native() == abi_here() ? p.digest : NULL, code, p.count)) {
		c->good = false;
		return IMAGE_NONE;
	}
	return add_code(c, p, code);
}

/*
 * The inner fence under a listener (image.h): the outer one's body, which allows what it sends to
 * the listener and for all else goes on to the exact one. It answers for the exact one's digest,
 * which both together are.
 */
static uint32_t add_inner(struct compile *c, const struct stage *s, const struct program *outer,
    const struct program *exact)
{
	const enum fence_listener listener = s->attributes.report != NULL ? FENCE_REPORT
									  : FENCE_AGENT;
	struct sock_filter code[BPF_MAXINSNS];
	struct image_program p = { .first = c->image.part[IMAGE_CODE].count,
		.flags = seccomp_flags(s) };

	digest_of(s, "exact", exact, p.digest);
	/* the body begins as the outer one does */
	p.count = fence_prologue(code, p.digest, false, outer->code, outer->count);
	if (outer->count + exact->count > BPF_MAXINSNS - p.count) {
		say_at(s->own.origin.file, s->own.origin.line,
		    "stage %s takes two fences and a listener, which is more than %d instructions: "
		    "use fewer conditions",
		    s->own.name, BPF_MAXINSNS);
		c->good = false;
		return IMAGE_NONE;
	}
	for (size_t i = 0; i < outer->count; i++) {
		struct sock_filter insn = outer->code[i];

		if (insn.code == (BPF_RET | BPF_K))
			insn = fence_told(insn.k, listener) == SECCOMP_RET_USER_NOTIF
			    ? fence_insn(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW)
			    : fence_insn(BPF_JMP | BPF_JA, 0, 0, (uint32_t)(outer->count - i - 1));
		code[p.count++] = insn;
	}
	memcpy(code + p.count, exact->code, exact->count * sizeof *code);
	fence_hush(code + p.count, exact->count); /* the listener is the outer one's */
	p.count += (uint32_t)exact->count;
	if (!verify_inner(c->policy, s, outer, listener, p.digest, code, p.count)) {
		c->good = false;
		return IMAGE_NONE;
	}
	return add_code(c, p, code);
}

/* Elsewhere policies are judged and exported, but there is no wrapper. */
static bool raises_fences(enum abi abi)
{
	return abi == ABI_X86_64 || abi == ABI_AARCH64;
}

static void add_programs(struct compile *c, const struct stage *s, struct image_stage *out)
{
	struct program body, wide;
	bool may_exec = loader_may_exec(c->policy, s, c->arena);
	const struct call *lacks = loader_lacks(c->policy, s);

	out->exact = out->exec = out->outer = out->inner = IMAGE_NONE;
	if (s->attributes.strict) {
		/* it is no filter, and the kernel takes it only where there is none */
		if (c->policy->floor != NULL || s->floor_count > 0) {
			say_at(s->own.origin.file, s->own.origin.line,
			    "stage %s: mode = strict goes without a floor and plugins: the kernel "
			    "takes no filter "
			    "beside it",
			    s->own.name);
			c->good = false;
		}
		return;
	}
	if (!policy_has_fence(c->policy, s))
		return;
	if (lacks != NULL && !s->attributes.no_new_privs && raises_fences(abi_native())) {
		say_at(s->own.origin.file, s->own.origin.line,
		    "stage %s refuses %s, which the dynamic loader needs; that "
		    "takes two fences, and no_new_privs = true",
		    s->own.name, lacks->name);
		c->good = false;
		return;
	}
	if (!filter_build(c->policy, s, false, c->arena, &body)) {
		c->good = false;
		return;
	}
	out->exact = add_program(c, s, &body, false, false);
	out->exec = may_exec ? out->exact : add_program(c, s, &body, false, true);
	out->inner = out->exact;
	if (lacks == NULL || !raises_fences(abi_native()))
		return;
	say_note(s->own.origin.file, s->own.origin.line,
	    "stage %s refuses %s, which the dynamic loader needs: it takes two fences, and starts "
	    "static programs and "
	    "root's own only (stagefence(1))",
	    s->own.name, lacks->name);
	if (!filter_build(c->policy, s, true, c->arena, &wide)) {
		c->good = false;
		return;
	}
	out->outer = add_program(c, s, &wide, true, !may_exec);
	if (!listens(s))
		return;
	out->inner = add_inner(c, s, &wide, &body);
	say_note(s->own.origin.file, s->own.origin.line,
	    "stage %s takes two fences, and %s only of what the outer one refuses: what the "
	    "dynamic "
	    "loader needs (%s, ...) is refused with a plain errno",
	    s->own.name, s->attributes.report != NULL ? "reports" : "its agent hears", lacks->name);
}

/* One decision list into the image, under call: a number, or one of IMAGE_CALL_*. */
static void add_list(struct compile *c, const struct stage *s, uint32_t stage, int32_t call,
    const struct clause *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct rule *r = list[i].decision.rule;
		struct image_rule out = { .stage = stage,
			.action = list[i].decision.action,
			.call = call,
			.line = r != NULL ? (uint32_t)r->origin.line : 0,
			.file = image_add_text(
			    &c->image, IMAGE_NOTES, r != NULL ? r->origin.file : ""),
			.condition_first = c->image.part[IMAGE_CONDITIONS].count,
			.condition_count = (uint32_t)list[i].condition_count,
			.whose = list[i].decision.by_floor ? IMAGE_OF_FLOOR
			    : rule_is_own(s, r)            ? IMAGE_OF_STAGE
							   : IMAGE_OF_BASE };

		for (size_t k = 0; k < list[i].condition_count; k++) {
			const struct condition *have = &list[i].conditions[k];
			struct image_condition condition = { have->arg, have->op, have->mask,
				have->value };

			image_add(&c->image, IMAGE_CONDITIONS, &condition);
		}
		image_add(&c->image, IMAGE_RULES, &out);
	}
}

/* What explains a refusal later: the decision lists. Calls that no rule names share one line. */
static void add_rules(struct compile *c, const struct stage *s, uint32_t stage)
{
	struct clause *list, unnamed = { .decision = policy_unnamed(c->policy, s, c->arena) };
	size_t count;

	for (size_t i = 0; i < call_count(); i++) {
		const struct call *call = call_at(i);

		if (call->nr[abi_native()] < 0)
			continue;
		count = policy_list(c->policy, s, call, c->arena, &list);
		if (count > 1 || list[0].decision.rule != unnamed.decision.rule ||
		    list[0].decision.action != unnamed.decision.action)
			add_list(c, s, stage, call->nr[abi_native()], list, count);
	}
	add_list(c, s, stage, IMAGE_CALL_KNOWN, &unnamed, 1);
	count = policy_list(c->policy, s, NULL, c->arena, &list);
	add_list(c, s, stage, IMAGE_CALL_UNKNOWN, list, count);
}

/* The image's index of a stage; profiles have none. */
static uint32_t index_of(const struct policy *p, const struct stage *wanted)
{
	uint32_t n = 0;

	for (size_t i = 0; i < p->stage_count; i++) {
		if (p->stages[i] == wanted)
			return n;
		n += !p->stages[i]->is_profile;
	}
	return IMAGE_NONE;
}

static uint32_t add_text(struct compile *c, const char *text)
{
	return image_add_text(&c->image, IMAGE_STRINGS, text != NULL ? text : "");
}

static void add_stage(struct compile *c, const struct stage *s)
{
	struct image_stage out = { .name = image_add_text(&c->image, IMAGE_STRINGS, s->own.name),
		.flags = (s->attributes.no_new_privs && policy_has_fence(c->policy, s)
				 ? STAGE_NO_NEW_PRIVS
				 : 0) |
		    (s->attributes.architectures != 0 ? STAGE_FOREIGN : 0) |
		    (s->attributes.strict ? STAGE_STRICT : 0) |
		    (s->attributes.report != NULL ? STAGE_REPORT : 0) |
		    (s->attributes.listener != NULL ? STAGE_AGENT : 0),
		.sinks = add_text(c, s->attributes.report),
		.agent = add_text(c, s->attributes.listener),
		.metadata = add_text(c, s->attributes.metadata),
		.shim_flags = s->attributes.tsync ? SECCOMP_FILTER_FLAG_TSYNC : 0 };
	uint32_t stage = index_of(c->policy, s);

	add_programs(c, s, &out);
	image_add(&c->image, IMAGE_STAGES, &out);
	for (size_t i = 0; i < s->pattern_count; i++) {
		struct image_pattern pattern = {
			image_add_text(&c->image, IMAGE_STRINGS, s->patterns[i]), stage
		};

		image_add(&c->image, IMAGE_PATTERNS, &pattern);
	}
	add_rules(c, s, stage);
}

static void add_source(struct compile *c, const char *path, bool present, const struct raw_stat *st)
{
	struct image_source out = { .path = image_add_text(&c->image, IMAGE_STRINGS, path),
		.present = present,
		.ino = st->ino,
		.size = st->size,
		.ctime = st->ctime,
		.mtime = st->mtime,
		.rdev_major = st->rdev_major,
		.rdev_minor = st->rdev_minor,
		.dev_major = st->dev_major,
		.dev_minor = st->dev_minor };

	image_add(&c->image, IMAGE_SOURCES, &out);
}

/*
 * What makes the programs. Another version of it may know better, so its image is not as fresh; but
 * where it has been taken away nobody does. path is the kernel's name of the file that runs as
 * file, which may have gone since.
 */
static void add_maker(struct compile *c, const char *path, const char *file)
{
	static const char gone[] = " (deleted)";
	struct raw_stat st = { 0 };
	size_t n = strlen(path);
	long error = raw_statx(RAW_AT_FDCWD, file, 0, &st);

	if (n > sizeof gone - 1 && strcmp(path + n - (sizeof gone - 1), gone) == 0)
		n -= sizeof gone - 1;
	if (error != 0 && error != -RAW_ENOENT) {
		say("%s: %s", file, strerror((int)-error));
		c->good = false;
	}
	add_source(c, arena_format(c->arena, "%.*s", (int)n, path), false, &st);
}

static void add_sources(struct compile *c, const struct sources *sources)
{
	static const char link[] = "/proc/self/exe";
	char self[TRUST_PATH_MAX];
	long n = raw_call6(
	    __NR_readlinkat, RAW_AT_FDCWD, (long)link, (long)self, sizeof self - 1, 0, 0);
	const char *library;

	for (size_t i = 0; i < sources->count; i++)
		add_source(
		    c, sources->items[i].path, sources->items[i].present, &sources->items[i].st);
	/* without /proc there is no telling, here or later */
	if (n < 0 && n != -RAW_ENOENT) {
		say("%s: %s", link, strerror((int)-n));
		c->good = false;
	}
	self[n > 0 ? n : 0] = '\0';
	add_maker(c, n > 0 ? self : link, link);
	if (!filter_library_file(c->arena, &library))
		c->good = false;
	else if (library != NULL)
		add_maker(c, library, library);
}

/* What a site pins: what the policy means, not which files it came from or when. */
static void policy_digest(const struct compile *c, uint8_t digest[SHA256_SIZE])
{
	const struct policy *p = c->policy;
	struct sha256 sum;

	sha256_start(&sum);
	sha256_text(&sum, "stagefence policy 1");
	for (size_t i = 0; i < p->variable_count; i++)
		sha256_text(&sum, p->variables[i]);
	sha256_word(&sum, c->image.no_stage);
	sha256_word(&sum, c->image.unknown_stage);
	for (size_t i = 0; i < p->stage_count; i++) {
		if (p->stages[i]->is_profile)
			continue;
		sha256_text(&sum, p->stages[i]->own.name);
		sha256_word(&sum, (uint32_t)p->stages[i]->pattern_count);
		for (size_t k = 0; k < p->stages[i]->pattern_count; k++)
			sha256_text(&sum, p->stages[i]->patterns[k]);
		for (size_t k = 0; k < 3; k++) {
			const struct attributes *a = &p->stages[i]->attributes;
			const char *text = k == 0 ? a->report : k == 1 ? a->listener : a->metadata;

			sha256_text(&sum, text != NULL ? text : "");
		}
	}
	for (uint32_t i = 0; i < c->image.part[IMAGE_STAGES].count; i++)
		sha256_add(&sum,
		    (const struct image_stage *)(const void *)c->image.part[IMAGE_STAGES].data + i,
		    sizeof(struct image_stage));
	for (uint32_t i = 0; i < c->image.part[IMAGE_PROGRAMS].count; i++)
		sha256_add(&sum,
		    ((const struct image_program *)(const void *)c->image.part[IMAGE_PROGRAMS]
			    .data)[i]
			.digest,
		    SHA256_SIZE);
	sha256_end(&sum, digest);
}

const void *compile_policy(
    const struct policy *p, const struct sources *sources, struct arena *a, size_t *size)
{
	struct compile c = { .policy = p, .arena = a, .image = { .arena = a }, .good = true };
	uint8_t digest[SHA256_SIZE];

	for (size_t i = 0; i < p->stage_count; i++)
		if (!p->stages[i]->is_profile)
			add_stage(&c, p->stages[i]);
	for (size_t i = 0; i < p->variable_count; i++) {
		uint32_t at = image_add_text(&c.image, IMAGE_STRINGS, p->variables[i]);

		image_add(&c.image, IMAGE_VARIABLES, &at);
	}
	add_sources(&c, sources);
	if (!c.good)
		return NULL;
	c.image.no_stage = p->no_stage_passes ? IMAGE_PASS : index_of(p, p->no_stage);
	c.image.unknown_stage = index_of(p, p->unknown_stage);
	policy_digest(&c, digest);
	return image_finish(&c.image, digest, size);
}
