#include "filter.h"

#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "calls.h"
#include "loader.h"
#include "mem.h"
#include "policy.h"
#include "say.h"

enum {
	ARGUMENTS = 6,
	LAYERS_MAX = 32,
	CUBES_MAX = 2048,            /* alternatives of one clause */
	BODY_MAX = BPF_MAXINSNS - 64 /* the prologue's share */
};

/* What a layer's program returns where it has no answer; no policy can: trace has data 0. */
static const uint32_t no_answer = SCMP_ACT_TRACE(0xfe5f);

/* All of: (argument i & mask[i]) == value[i]. */
struct cube {
	uint64_t mask[ARGUMENTS], value[ARGUMENTS];
};

struct cubes {
	struct cube *items;
	size_t count;
};

/* Both, or false where they contradict each other. */
static bool merge(struct cube *to, unsigned arg, uint64_t mask, uint64_t value)
{
	if ((to->value[arg] ^ value) & to->mask[arg] & mask)
		return false;
	to->mask[arg] |= mask;
	to->value[arg] |= value;
	return true;
}

static bool add_cube(struct arena *a, struct cubes *to, const struct cube *from, unsigned arg,
    uint64_t mask, uint64_t value)
{
	struct cube cube = *from;

	if (!merge(&cube, arg, mask, value))
		return true;
	if (to->count == CUBES_MAX)
		return false;
	to->items = arena_grow(a, to->items, to->count, sizeof *to->items);
	to->items[to->count++] = cube;
	return true;
}

/*
 * One condition as alternatives of masked equality, which add to each cube of from. x < v: x agrees
 * with v above one of v's set bits and has that bit clear; x != v: one bit differs; and so on.
 * libseccomp's own orderings are wrong for some pairs of 64-bit values, and it has no masked
 * inequality.
 */
static bool multiply(
    struct arena *a, struct cubes *to, const struct cube *from, const struct condition *c)
{
	enum condition_op op = c->op;
	bool good = true;

	if (op == OP_EQ || op == OP_LE || op == OP_GE)
		good = add_cube(a, to, from, c->arg, c->mask, c->value);
	for (unsigned bit = 0; good && op != OP_EQ && bit < 64; bit++) {
		uint64_t one = (uint64_t)1 << bit, above = c->mask & ~(one | (one - 1));
		bool set = c->value & one;

		if (!(c->mask & one))
			continue;
		if (op == OP_NE)
			good = add_cube(a, to, from, c->arg, one, ~c->value & one);
		else if (set == (op == OP_LT || op == OP_LE))
			good = add_cube(a, to, from, c->arg, above | one,
			    (c->value & above) | (~c->value & one));
	}
	return good;
}

/* False: too many. No cubes at all: the clause never holds. */
static bool cubes_of(struct arena *a, const struct clause *clause, struct cubes *out)
{
	struct cubes now = { arena_get(a, sizeof(struct cube)), 1 };

	for (size_t i = 0; i < clause->condition_count; i++) {
		struct cubes next = { NULL, 0 };

		for (size_t k = 0; k < now.count; k++)
			if (!multiply(a, &next, &now.items[k], &clause->conditions[i]))
				return false;
		now = next;
	}
	*out = now;
	return true;
}

/* ---- libseccomp ---- */

struct build {
	const struct policy *policy;
	const struct stage *stage;
	struct arena *arena;
	bool loader;
	uint32_t fallback; /* of the last layer */
	scmp_filter_ctx main, layer[LAYERS_MAX];
	size_t layer_count;
};

static void say_library(const struct build *b, const char *what, int error)
{
	say_at(b->stage->own.origin.file, b->stage->own.origin.line, "stage %s: libseccomp: %s: %s",
	    b->stage->own.name, what, strerror(-error));
}

static scmp_filter_ctx new_context(const struct build *b, uint32_t fallback, bool tree)
{
	scmp_filter_ctx ctx = seccomp_init(fallback);
	int error = ctx == NULL
	    ? -ENOMEM
	    : seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (error == 0 && tree)
		error = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (error == 0)
		return ctx;
	say_library(b, "a new filter", error);
	seccomp_release(ctx);
	return NULL;
}

static bool add_rule(const struct build *b, scmp_filter_ctx ctx, const struct call *call,
    uint32_t action, const struct cube *cube)
{
	struct scmp_arg_cmp compare[ARGUMENTS];
	unsigned count = 0;
	int error;

	for (unsigned arg = 0; arg < ARGUMENTS; arg++)
		if (cube->mask[arg] != 0)
			compare[count++] = SCMP_CMP64(
			    arg, SCMP_CMP_MASKED_EQ, cube->mask[arg], cube->value[arg]);
	error = seccomp_rule_add_exact_array(ctx, action, call->nr[abi_native()], count, compare);
	if (error != 0)
		say_library(b, call->name, error);
	return error == 0;
}

static void say_complex(const struct build *b, const struct clause *clause, const struct call *call)
{
	const struct rule *r = clause->decision.rule;

	say_at(r != NULL ? r->origin.file : b->stage->own.origin.file,
	    r != NULL ? r->origin.line : 0,
	    "stage %s: the conditions on %s are too many for a filter", b->stage->own.name,
	    call->name);
}

/* The layer's context, made when the first rule needs it; NULL once it has been said why there is
 * none. */
static scmp_filter_ctx layer_context(struct build *b, size_t layer)
{
	if (layer == b->layer_count) {
		b->layer[layer] = new_context(b, no_answer, false);
		if (b->layer[layer] == NULL)
			return NULL;
		b->layer_count++;
	}
	return b->layer[layer];
}

/*
 * One call's list: consecutive clauses with one action share a layer, for they are alternatives;
 * the last clause, which has no conditions, goes into the main program, unless that does it anyway.
 */
static bool add_call(struct build *b, const struct call *call)
{
	static const struct cube any;
	struct clause *list, *before;
	size_t before_count = b->loader ? loader_clauses(call, b->arena, &before) : 0;
	size_t count = before_count + policy_list(b->policy, b->stage, call, b->arena, &list),
	       layer = 0;
	uint32_t last = no_answer;

	for (size_t i = 0; i < count; i++) {
		const struct clause *clause = i < before_count ? &before[i]
							       : &list[i - before_count];
		uint32_t action = clause->decision.action;
		struct cubes cubes;

		if (clause->condition_count == 0)
			return action == b->fallback || add_rule(b, b->main, call, action, &any);
		if (last != no_answer && action != last)
			layer++;
		last = action;
		if (layer == LAYERS_MAX || !cubes_of(b->arena, clause, &cubes)) {
			say_complex(b, clause, call);
			return false;
		}
		for (size_t k = 0; k < cubes.count; k++) {
			scmp_filter_ctx ctx = layer_context(b, layer);

			if (ctx == NULL || !add_rule(b, ctx, call, action, &cubes.items[k]))
				return false;
		}
		if (cubes.count == 0 && layer_context(b, layer) == NULL)
			return false;
	}
	abort(); /* every list ends in a clause without conditions */
}

/* libseccomp before 2.6 exports to a descriptor only. */
static bool export(const struct build *b, scmp_filter_ctx ctx, struct program *out)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	int error = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
	off_t size = error == 0 ? lseek(fd, 0, SEEK_END) : -1;
	bool good = size > 0 && size % (off_t)sizeof *out->code == 0;

	if (good) {
		out->count = (size_t)size / sizeof *out->code;
		out->code = arena_array(b->arena, out->count, sizeof *out->code);
		good = pread(fd, out->code, (size_t)size, 0) == size;
	}
	if (!good)
		say_library(b, "export", error != 0 ? error : -EIO);
	if (fd >= 0)
		close(fd);
	return good;
}

/* Puts a layer before what is there: where it has no answer, it jumps to its end instead of
 * returning. */
static void chain(const struct program *layer, struct program *all, struct sock_filter *out)
{
	for (size_t i = 0; i < layer->count; i++) {
		out[i] = layer->code[i];
		if (out[i].code == (BPF_RET | BPF_K) && out[i].k == no_answer)
			out[i] = (struct sock_filter)BPF_STMT(
			    BPF_JMP | BPF_JA, (uint32_t)(layer->count - i - 1));
	}
	memcpy(out + layer->count, all->code, all->count * sizeof *out);
	all->code = out;
	all->count += layer->count;
}

static bool assemble(struct build *b, struct program *out)
{
	struct program layer;

	if (!export(b, b->main, out))
		return false;
	for (size_t i = b->layer_count; i-- > 0;) {
		if (!export(b, b->layer[i], &layer))
			return false;
		chain(&layer, out,
		    arena_array(b->arena, layer.count + out->count, sizeof *out->code));
	}
	if (out->count <= BODY_MAX)
		return true;
	say_at(b->stage->own.origin.file, b->stage->own.origin.line,
	    "stage %s: %zu instructions, and the kernel takes 4096 with ours: use fewer conditions",
	    b->stage->own.name, out->count);
	return false;
}

bool filter_build(const struct policy *p, const struct stage *s, bool loader, struct arena *a,
    struct program *out)
{
	struct build b = { .policy = p, .stage = s, .arena = a, .loader = loader };
	struct clause *list;
	bool good;

	/* what this machine's kernel can do is asked when the fence is raised, not when it is
	 * compiled */
	seccomp_api_set(6);
	policy_list(p, s, NULL, a, &list);
	b.fallback = list[0].decision.action;
	b.main = new_context(&b, b.fallback, true);
	good = b.main != NULL;
	for (size_t i = 0; good && i < call_count(); i++)
		if (call_at(i)->nr[abi_native()] >= 0)
			good = add_call(&b, call_at(i));
	good = good && assemble(&b, out);
	if (b.main != NULL)
		seccomp_release(b.main);
	for (size_t i = 0; i < b.layer_count; i++)
		seccomp_release(b.layer[i]);
	return good;
}

const char *filter_library(struct arena *a)
{
	const struct scmp_version *v = seccomp_version();

	return v == NULL ? "?" : arena_format(a, "%u.%u.%u", v->major, v->minor, v->micro);
}
