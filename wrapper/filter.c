#include "filter.h"

#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../preload/fence.h"
#include "calls.h"
#include "cubes.h"
#include "loader.h"
#include "mem.h"
#include "policy.h"
#include "say.h"

enum {
	ARGUMENTS = CUBE_ARGUMENTS,
	LAYERS_MAX = 128,
	SPLIT = 32, /* alternatives in a layer: libseccomp's time grows with their cube */
	BODY_MAX = BPF_MAXINSNS - 80, /* the prologue's share, and the guard's (fence.h) */
	NUMBERS = 640,                /* call numbers that are told apart; ours end before 600 */
	X32_BIT = 0x40000000
};

/* What a layer's program returns where it has no answer; no policy can: trace has data 0. */
static const uint32_t no_answer = SCMP_ACT_TRACE(0xfe5f);

/* The largest errno that a filter can return (MAX_ERRNO), which libseccomp refuses, and its
 * stand-in until adapt(). */
static const uint32_t last_errno = SCMP_ACT_ERRNO(4095), last_errno_place = SCMP_ACT_TRACE(0xfe5e);

static uint32_t library_action(uint32_t action)
{
	return action == last_errno ? last_errno_place : action;
}

/* ---- libseccomp ---- */

/* From first to the next range's first: an action, or to be asked of the chained programs of an
 * ABI. */
struct range {
	uint32_t first, action;
	const struct side *chained; /* or NULL */
};

/* What there is for each ABI that the stage admits. */
struct side {
	enum abi abi;
	scmp_filter_ctx last, layer[LAYERS_MAX];
	size_t layer_count;
	struct program chain; /* for calls with conditions; may be empty */
	size_t at;            /* where the chain lies, counted from the program's end */
	struct range *ranges;
	size_t range_count;
};

struct build {
	const struct policy *policy;
	const struct stage *stage;
	struct arena *arena;
	bool loader;
	uint32_t fallback; /* for numbers that no table knows */
	struct side side[ABI_COUNT];
};

static void say_library(const struct build *b, const char *what, int error)
{
	say_at(b->stage->own.origin.file, b->stage->own.origin.line, "stage %s: libseccomp: %s: %s",
	    b->stage->own.name, what, strerror(-error));
}

/* *made, created when the first rule needs it. False: it has been said why there is none. */
static bool need_context(const struct build *b, scmp_filter_ctx *made, uint32_t fallback)
{
	int error;

	if (*made != NULL)
		return true;
	*made = seccomp_init(library_action(fallback));
	error = *made == NULL ? -ENOMEM : 0;
	if (error == 0)
		error = seccomp_attr_set(*made, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (error == 0)
		error = seccomp_attr_set(
		    *made, SCMP_FLTATR_CTL_OPTIMIZE, b->stage->attributes.optimize);
	/* the kernel's own errno, where there is one, and not "canceled" */
	if (error == 0)
		error = seccomp_attr_set(*made, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (error != 0)
		say_library(b, "a new filter", error);
	return error == 0;
}

static enum scmp_compare compare_op(enum condition_op op)
{
	static const enum scmp_compare ops[] = { [OP_EQ] = SCMP_CMP_EQ,
		[OP_NE] = SCMP_CMP_NE,
		[OP_LT] = SCMP_CMP_LT,
		[OP_LE] = SCMP_CMP_LE,
		[OP_GT] = SCMP_CMP_GT,
		[OP_GE] = SCMP_CMP_GE };

	return ops[op];
}

/*
 * Every filter is made for the native ABI, under the raw number that the call has on the one in
 * question; adapt() then puts that ABI in its place. libseccomp's own translation would take names
 * that it knows only.
 */
static bool add_rule(const struct build *b, scmp_filter_ctx ctx, enum abi abi,
    const struct call *call, uint32_t action, const struct cube *cube)
{
	struct scmp_arg_cmp compare[ARGUMENTS];
	unsigned count = 0;
	int error;

	for (unsigned arg = 0; arg < ARGUMENTS; arg++)
		if (cube->mask[arg] != 0)
			compare[count++] = cube->ordered >> arg & 1
			    ? SCMP_CMP64(arg, compare_op(cube->op[arg]), cube->value[arg], 0)
			    : SCMP_CMP64(
				  arg, SCMP_CMP_MASKED_EQ, cube->mask[arg], cube->value[arg]);
	error = seccomp_rule_add_exact_array(
	    ctx, library_action(action), call->nr[abi], count, compare);
	/* two clauses may come down to the same comparison; libseccomp 2.6 says so */
	if (error != 0 && error != -EEXIST)
		say_library(b, call->name, error);
	return error == 0 || error == -EEXIST;
}

static bool say_complex(
    const struct build *b, const struct clause *clause, const struct call *call, const char *why)
{
	const struct rule *r = clause->decision.rule;
	const struct origin *at = r != NULL ? &r->origin : &b->stage->own.origin;

	say_at(at->file, at->line, "stage %s: the conditions on %s are %s", b->stage->own.name,
	    call->name, why);
	return false;
}

/* A call's decision list, with what the loader needs in front. */
static size_t list_call(
    const struct build *b, enum abi abi, const struct call *call, struct clause **all)
{
	struct clause *list, *before;
	size_t before_count = b->loader && abi == abi_native()
	    ? loader_clauses(call, b->arena, &before)
	    : 0;
	size_t count = policy_list_on(b->policy, b->stage, abi, call, b->arena, &list);

	*all = list;
	if (before_count == 0)
		return count;
	*all = arena_array(b->arena, before_count + count, sizeof **all);
	memcpy(*all, before, before_count * sizeof **all);
	memcpy(*all + before_count, list, count * sizeof **all);
	return before_count + count;
}

/*
 * On i386 a 64-bit argument takes two registers and moves those behind it; mmap and select take a
 * pointer to theirs; clone swaps its last two. s390x's mmap takes a pointer, too. A condition that
 * was written for x86_64 would look at something else.
 */
static bool is_elsewhere(enum abi abi, const struct condition *c, const struct call *call)
{
	static const char *const names[] = { "clone", "fadvise64", "fallocate", "fanotify_mark",
		"mmap", "pread64", "pwrite64", "readahead", "select", "sync_file_range", "truncate",
		"ftruncate" };

	if (abi == ABI_S390X)
		return strcmp(call->name, "mmap") == 0;
	for (size_t i = 0; abi == ABI_I386 && c->arg > 0 && i < sizeof names / sizeof names[0]; i++)
		if (strcmp(call->name, names[i]) == 0)
			return true;
	return false;
}

static bool elsewhere(enum abi abi, const struct clause *clause, const struct call *call)
{
	for (size_t i = 0; i < clause->condition_count; i++)
		if (!clause->conditions[i].whole && is_elsewhere(abi, &clause->conditions[i], call))
			return true;
	return false;
}

/* Would a comparison be taken for one with $uid or $gid, and be filled in when the fence is raised?
 */
static bool takes_place(const struct clause *clause, const struct cubes *cubes)
{
	bool launch[ARGUMENTS] = { false };

	for (size_t i = 0; i < clause->condition_count; i++)
		launch[clause->conditions[i].arg] |= clause->conditions[i].launch;
	for (size_t k = 0; k < cubes->count; k++)
		for (unsigned half = 0; half < 2 * ARGUMENTS; half++) {
			uint32_t word = (uint32_t)(cubes->items[k].value[half / 2] >>
			    32 * (half % 2));

			if ((word == FENCE_PLACE_UID || word == FENCE_PLACE_GID) &&
			    !(launch[half / 2] && half % 2 == 0))
				return true;
		}
	return false;
}

/*
 * A list with conditions: consecutive clauses with one action share a layer, for they are
 * alternatives; the first clause without conditions goes into the last program, unless that answers
 * so anyway.
 */
static bool add_call(
    struct build *b, struct side *side, const struct call *call, const struct clause *list)
{
	static const struct cube any;
	size_t layer = 0, used = 0;

	if (!need_context(b, &side->last, b->fallback))
		return false;
	for (size_t i = 0; list[i].condition_count > 0; i++) {
		uint32_t action = list[i].decision.action;
		struct cubes cubes;
		bool alone = cubes_one_rule(b->arena, &list[i], &cubes);

		if (i > 0 && (action != list[i - 1].decision.action || alone)) {
			layer++;
			used = 0;
		}
		if (!alone && !cubes_of(b->arena, &list[i], &cubes))
			return say_complex(b, &list[i], call, "too many for a filter");
		if (takes_place(&list[i], &cubes))
			return say_complex(
			    b, &list[i], call, "on the very numbers that stand for $uid and $gid");
		if (elsewhere(side->abi, &list[i], call))
			return say_complex(b, &list[i], call,
			    arena_format(b->arena, "on other arguments on %s%s",
				abi_name(side->abi),
				side->abi == abi_native() ? "" : ", which the stage admits"));
		for (size_t k = 0; k < cubes.count || k == 0; k++, used++) {
			if (used == SPLIT) {
				layer++;
				used = 0;
			}
			if (layer == LAYERS_MAX)
				return say_complex(b, &list[i], call, "too many for a filter");
			if (!need_context(b, &side->layer[layer], no_answer))
				return false;
			if (layer >= side->layer_count)
				side->layer_count = layer + 1;
			if (k < cubes.count &&
			    !add_rule(
				b, side->layer[layer], side->abi, call, action, &cubes.items[k]))
				return false;
		}
		/* what follows begins a layer of its own */
		if (alone)
			used = SPLIT;
	}
	while (list->condition_count > 0)
		list++;
	return list->decision.action == b->fallback ||
	    add_rule(b, side->last, side->abi, call, list->decision.action, &any);
}

/* libseccomp before 2.6 exports to a descriptor only. 0, or a negative errno. */
static int export_to(scmp_filter_ctx ctx, int (*how)(const scmp_filter_ctx, int), struct arena *a,
    void **data, size_t *size)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	int error = fd < 0 ? -errno : how(ctx, fd);
	off_t end = error == 0 ? lseek(fd, 0, SEEK_END) : -1;

	if (end > 0) {
		*size = (size_t)end;
		*data = arena_get(a, *size + 1);
	}
	if (error == 0 && (end <= 0 || pread(fd, *data, *size, 0) != end))
		error = -EIO;
	if (fd >= 0)
		close(fd);
	return error;
}

static int export_program(scmp_filter_ctx ctx, struct arena *a, struct program *out)
{
	void *data = NULL;
	size_t size = 0;
	int error = export_to(ctx, seccomp_export_bpf, a, &data, &size);

	out->code = data;
	out->count = size / sizeof *out->code;
	return error == 0 && size % sizeof *out->code != 0 ? -EIO : error;
}

static bool export(const struct build *b, scmp_filter_ctx ctx, struct program *out)
{
	int error = export_program(ctx, b->arena, out);

	if (error != 0)
		say_library(b, "export", error);
	return error == 0;
}

static bool loads(const struct sock_filter *f, size_t offset)
{
	return f->code == (BPF_LD | BPF_W | BPF_ABS) && f->k == offset;
}

/* libseccomp's own look at the architecture and the number, which the tree has done before. */
static void drop_preamble(struct program *p)
{
	const struct sock_filter *f = p->code;
	size_t n = 3;

	if (p->count < 7 || !loads(&f[0], offsetof(struct seccomp_data, arch)) ||
	    f[1].code != (BPF_JMP | BPF_JEQ | BPF_K) || f[1].jt != 0 ||
	    !loads(&f[2], offsetof(struct seccomp_data, nr)))
		return;
	if (f[3].code == (BPF_JMP | BPF_JGE | BPF_K) && f[3].k == X32_BIT && f[3].jt == 0 &&
	    f[3].jf == 1 && f[4].code == (BPF_JMP | BPF_JEQ | BPF_K) && f[4].jt == 0)
		n = 5;
	if (!loads(&f[n], offsetof(struct seccomp_data, nr)))
		return;
	p->code += n;
	p->count -= n;
}

static bool is_jump(const struct sock_filter *f)
{
	return BPF_CLASS(f->code) == BPF_JMP && f->code != (BPF_JMP | BPF_JA);
}

/* Is the half of an argument loaded, masked with 0 and compared with 0? So libseccomp has a 32-bit
 * condition say that the upper half does not matter. */
static bool always_true(const struct program *p, size_t i)
{
	const struct sock_filter *f = &p->code[i];

	return i + 3 < p->count && f[0].code == (BPF_LD | BPF_W | BPF_ABS) &&
	    f[1].code == (BPF_ALU | BPF_AND | BPF_K) && f[1].k == 0 &&
	    f[2].code == (BPF_JMP | BPF_JEQ | BPF_K) && f[2].k == 0 && f[2].jt == 0 &&
	    f[3].code == (BPF_LD | BPF_W | BPF_ABS);
}

/* Takes out what is always true. Nothing jumps into the middle of it: each load begins one. */
static void drop_always_true(struct program *p, struct arena *a)
{
	size_t *now = arena_array(a, p->count + 1, sizeof *now); /* an instruction's new place */
	size_t count = 0;

	for (size_t i = 0; i < p->count; i++) {
		while (always_true(p, i))
			for (size_t k = 0; k < 3; k++)
				now[i++] = count;
		now[i] = count++;
	}
	for (size_t i = 0; i < p->count; i++) {
		struct sock_filter f = p->code[i];

		if (is_jump(&f)) {
			f.jt = (uint8_t)(now[i + 1 + f.jt] - now[i] - 1);
			f.jf = (uint8_t)(now[i + 1 + f.jf] - now[i] - 1);
		} else if (f.code == (BPF_JMP | BPF_JA)) {
			f.k = (uint32_t)(now[i + 1 + f.k] - now[i] - 1);
		}
		/* what is dropped is written over by what follows it */
		p->code[now[i]] = f;
	}
	p->count = count;
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
	if (all->count > 0)
		memcpy(out + layer->count, all->code, all->count * sizeof *out);
	all->code = out;
	all->count += layer->count;
}

/* From the native ABI to another: its architecture, and for x32 numbers that libseccomp takes for
 * foreign. */
static void adapt(struct program *p, enum abi abi)
{
	for (size_t i = 0; i < p->count; i++) {
		struct sock_filter *f = &p->code[i];
		bool after_arch = i > 0 && f[-1].code == (BPF_LD | BPF_W | BPF_ABS) &&
		    f[-1].k == offsetof(struct seccomp_data, arch);

		if (f->code == (BPF_RET | BPF_K) && f->k == last_errno_place)
			f->k = last_errno;
		if (after_arch && f->code == (BPF_JMP | BPF_JEQ | BPF_K))
			f->k = abi_audit_arch(abi);
		/* an argument's halves are the other way round */
		if (abi_swaps(abi) && f->code == (BPF_LD | BPF_W | BPF_ABS) &&
		    f->k >= offsetof(struct seccomp_data, args))
			f->k ^= sizeof(uint32_t);
		if (abi == ABI_X32 && f->code == (BPF_JMP | BPF_JGE | BPF_K) && f->k == X32_BIT)
			f->k = UINT32_MAX;
	}
}

static bool chain_layers(struct build *b, struct side *side)
{
	struct program layer;

	if (side->last == NULL)
		return true;
	if (!export(b, side->last, &side->chain))
		return false;
	drop_preamble(&side->chain);
	drop_always_true(&side->chain, b->arena);
	for (size_t i = side->layer_count; i-- > 0;) {
		if (!export(b, side->layer[i], &layer))
			return false;
		drop_preamble(&layer);
		drop_always_true(&layer, b->arena);
		chain(&layer, &side->chain,
		    arena_array(b->arena, layer.count + side->chain.count, sizeof *layer.code));
	}
	adapt(&side->chain, side->abi);
	return true;
}

/* ---- numbers ---- */

static void add_range(
    struct build *b, struct side *to, uint32_t first, uint32_t action, const struct side *chained)
{
	const struct range *last = to->range_count > 0 ? &to->ranges[to->range_count - 1] : NULL;

	if (last != NULL && last->chained == chained && (chained != NULL || last->action == action))
		return;
	to->ranges = arena_grow(b->arena, to->ranges, to->range_count, sizeof *to->ranges);
	to->ranges[to->range_count++] = (struct range){ first, action, chained };
}

/* Code that is written from its end: where a jump leads is known when the jump is written. */
struct backwards {
	struct sock_filter *end;
	size_t count;
	bool full;
	struct {
		uint32_t action;
		size_t at; /* count when it was the first instruction */
	} leaf[64];
	size_t leaf_count;
};

enum { NEAR = 255 };

static size_t put(struct backwards *c, struct sock_filter insn)
{
	if (c->count == BODY_MAX) {
		c->full = true;
		return c->count;
	}
	*(c->end - ++c->count) = insn;
	return c->count;
}

/* An instruction at most NEAR before what is written next, that answers for the range. */
static size_t put_leaf(struct backwards *c, const struct range *r)
{
	if (r->chained != NULL && c->count - r->chained->at < NEAR)
		return r->chained->at;
	if (r->chained != NULL)
		return put(c,
		    (struct sock_filter)BPF_STMT(
			BPF_JMP | BPF_JA, (uint32_t)(c->count - r->chained->at)));
	/* in front of a jump there are two more at most: see put_tree */
	for (size_t i = c->leaf_count; i-- > 0;)
		if (c->leaf[i].action == r->action && c->count - c->leaf[i].at < NEAR - 2)
			return c->leaf[i].at;
	if (c->leaf_count < sizeof c->leaf / sizeof c->leaf[0]) {
		c->leaf[c->leaf_count].action = r->action;
		c->leaf[c->leaf_count++].at = c->count + 1;
	}
	return put(c, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, r->action));
}

/* A jump's distance from the next instruction to be written; over a longer one a plain jump is put
 * between. */
static size_t reach(struct backwards *c, size_t at)
{
	if (c->count - at <= NEAR - 1)
		return at;
	return put(c, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(c->count - at)));
}

static bool same_answer(const struct range *r, const struct range *other)
{
	return r->chained == other->chained && (r->chained != NULL || r->action == other->action);
}

/* Is range i, of which two neighbours are there, one number amid others of one answer? It takes one
 * comparison, where the borders of other ranges take two. */
static bool is_island(const struct range *r, size_t i)
{
	return r[i].first + 1 == r[i + 1].first && same_answer(&r[i - 1], &r[i + 1]);
}

/* How far, doubled, range i begins from the middle of the numbers; a split beside an island counts
 * as further, since it costs the island its one comparison. */
static uint32_t off_middle(
    const struct range *r, size_t count, size_t i, uint32_t from, uint32_t to)
{
	uint32_t at = 2 * (r[i].first < NUMBERS ? r[i].first : NUMBERS);
	bool beside = (i > 1 && is_island(r, i - 1)) || (i + 1 < count && is_island(r, i));

	return (at > from + to ? at - from - to : from + to - at) + (beside ? (to - from) / 4 : 0);
}

/* Where to split ranges that end before end: the kernel walks the tree once for each number that
 * it has (seccomp_cache_prepare()), so halve the numbers and not the ranges. */
static size_t middle_of(const struct range *r, size_t count, uint32_t end)
{
	uint32_t from = r[0].first < NUMBERS ? r[0].first : NUMBERS;
	uint32_t to = end < NUMBERS ? end : NUMBERS;
	size_t middle = count / 2;

	for (size_t i = 1; i < count; i++)
		if (off_middle(r, count, i, from, to) < off_middle(r, count, middle, from, to))
			middle = i;
	return middle;
}

/* Where to jump to with the number in A; it is known to lie in one of the ranges, before end. */
static size_t put_tree(struct backwards *c, const struct range *r, size_t count, uint32_t end)
{
	size_t middle, high, low;
	bool island;

	if (count == 1)
		return put_leaf(c, r);
	island = count == 3 && is_island(r, 1);
	middle = island ? 1 : middle_of(r, count, end);
	high = put_tree(c, r + middle, island ? 1 : count - middle, end);
	low = put_tree(c, r, middle, r[middle].first);
	high = reach(c, high);
	low = reach(c, low);
	return put(c,
	    (struct sock_filter)BPF_JUMP(BPF_JMP | (island ? BPF_JEQ : BPF_JGE) | BPF_K,
		r[middle].first, (uint8_t)(c->count - high), (uint8_t)(c->count - low)));
}

static void put_chain(struct backwards *c, struct side *side)
{
	if (side->chain.count > BODY_MAX - c->count)
		c->full = true;
	else if (side->chain.count > 0) {
		c->count += side->chain.count;
		memcpy(c->end - c->count, side->chain.code,
		    side->chain.count * sizeof *side->chain.code);
	}
	side->at = c->count;
}

/* The tree of one architecture's numbers, and the load of the number before it. */
static size_t put_side(struct backwards *c, const struct side *side)
{
	size_t tree = put_tree(c, side->ranges, side->range_count, UINT32_MAX);

	if (tree != c->count)
		put(c, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(c->count - tree)));
	return put(c,
	    (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
}

/*
 * From its end: the chained programs of each ABI, the tree of i386's numbers where it is admitted,
 * the main one (x86_64's and x32's are one), and the question of the architecture.
 */
static bool put_all(struct build *b, const struct side *main, struct program *out)
{
	static struct sock_filter room[BODY_MAX]; /* written from its end, and little of it */
	struct backwards c = { .end = room + BODY_MAX };
	const struct range killed = { 0, b->stage->attributes.bad_arch_action, NULL };
	size_t other, native, kill;

	for (size_t abi = 0; abi < ABI_COUNT; abi++)
		put_chain(&c, &b->side[abi]);
	other = b->side[ABI_I386].range_count > 0 && main != &b->side[ABI_I386]
	    ? put_side(&c, &b->side[ABI_I386])
	    : 0;
	native = put_side(&c, main);
	kill = put_leaf(&c, &killed);
	if (other != 0) {
		other = reach(&c, other);
		put(&c,
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			abi_audit_arch(ABI_I386), (uint8_t)(c.count - other),
			(uint8_t)(c.count - kill)));
		kill = c.count;
	}
	native = reach(&c, native);
	put(&c,
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, abi_audit_arch(abi_native()),
		(uint8_t)(c.count - native), (uint8_t)(c.count - kill)));
	put(&c,
	    (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
	if (c.full) {
		say_at(b->stage->own.origin.file, b->stage->own.origin.line,
		    "stage %s: more than %d instructions: use fewer conditions", b->stage->own.name,
		    BODY_MAX);
		return false;
	}
	out->code = arena_array(b->arena, c.count, sizeof *out->code);
	memcpy(out->code, c.end - c.count, c.count * sizeof *out->code);
	out->count = c.count;
	return true;
}

/* The numbers of one ABI, from base on, into the tree of the architecture that they come in by. */
static bool add_numbers(struct build *b, struct side *side, struct side *tree, uint32_t base)
{
	for (uint32_t nr = base; nr < base + NUMBERS; nr++) {
		const struct call *call = call_numbered(side->abi, nr);
		struct clause *list;
		bool conditional;

		if (call == NULL) {
			add_range(b, tree, nr, b->fallback, NULL);
			continue;
		}
		list_call(b, side->abi, call, &list);
		conditional = list[0].condition_count > 0;
		add_range(b, tree, nr, list[0].decision.action, conditional ? side : NULL);
		if (conditional && !add_call(b, side, call, list))
			return false;
	}
	add_range(b, tree, base + NUMBERS, b->fallback, NULL);
	return true;
}

static bool admits(const struct build *b, enum abi abi)
{
	return abi == abi_native() || (b->stage->attributes.architectures & 1u << abi) != 0;
}

static bool add_abi(struct build *b, enum abi abi, struct side *tree, uint32_t base)
{
	if (admits(b, abi))
		return add_numbers(b, &b->side[abi], tree, base);
	add_range(b, tree, base, b->stage->attributes.bad_arch_action, NULL);
	return true;
}

static bool build(struct build *b, struct program *out)
{
	/* x86_64 and x32 come in by one architecture */
	struct side *main = &b->side[abi_runs(ABI_X32) ? ABI_X86_64 : abi_native()];
	struct clause *list;
	bool good;

	for (size_t abi = 0; abi < ABI_COUNT; abi++)
		b->side[abi].abi = (enum abi)abi;
	list_call(b, abi_native(), NULL, &list);
	b->fallback = list[0].decision.action;
	if (!abi_runs(ABI_X32))
		good = add_numbers(b, main, main, 0);
	else {
		good = add_abi(b, ABI_X86_64, main, 0) && add_abi(b, ABI_X32, main, X32_BIT);
		/* -1, a call that a tracer skipped */
		add_range(b, main, UINT32_MAX, b->fallback, NULL);
		if (admits(b, ABI_I386))
			good = good && add_numbers(b, &b->side[ABI_I386], &b->side[ABI_I386], 0);
	}
	for (size_t abi = 0; good && abi < ABI_COUNT; abi++)
		good = chain_layers(b, &b->side[abi]);
	return good && put_all(b, main, out);
}

bool filter_build(const struct policy *p, const struct stage *s, bool loader, struct arena *a,
    struct program *out)
{
	struct build *b = arena_get(a, sizeof *b);
	bool good;

	*b = (struct build){ .policy = p, .stage = s, .arena = a, .loader = loader };
	/* what this machine's kernel can do is asked when the fence is raised, not when it is
	 * compiled */
	seccomp_api_set(6);
	good = build(b, out);
	for (size_t abi = 0; abi < ABI_COUNT; abi++) {
		if (b->side[abi].last != NULL)
			seccomp_release(b->side[abi].last);
		for (size_t i = 0; i < LAYERS_MAX; i++)
			if (b->side[abi].layer[i] != NULL)
				seccomp_release(b->side[abi].layer[i]);
	}
	return good;
}

/* ---- as others do it ---- */

static uint32_t library_arch(enum abi abi)
{
	switch (abi) {
	case ABI_X86_64: return SCMP_ARCH_X86_64;
	case ABI_X32: return SCMP_ARCH_X32;
	case ABI_I386: return SCMP_ARCH_X86;
	case ABI_AARCH64: return SCMP_ARCH_AARCH64;
	case ABI_RISCV64: return SCMP_ARCH_RISCV64;
	case ABI_PPC64LE: return SCMP_ARCH_PPC64LE;
	case ABI_S390X: return SCMP_ARCH_S390X;
	case ABI_COUNT: break;
	}
	return UINT32_MAX;
}

bool filter_knows(const struct call *call, enum abi abi)
{
	char *back = seccomp_syscall_resolve_num_arch(
	    SCMP_ARCH_NATIVE, seccomp_syscall_resolve_name(call->name));
	/* rules go by the number that a call has, or would have, here */
	bool known = back != NULL && strcmp(back, call->name) == 0 &&
	    seccomp_syscall_resolve_name_arch(library_arch(abi), call->name) >= 0;

	free(back);
	return known;
}

static int add_engine_rule(scmp_filter_ctx ctx, const struct engine_rule *r)
{
	struct scmp_arg_cmp compare[ARGUMENTS];
	int number = seccomp_syscall_resolve_name(r->call->name);
	unsigned count = 0;

	if (number == __NR_SCMP_ERROR)
		return 0; /* a warning at most */
	for (unsigned arg = 0; arg < ARGUMENTS; arg++) {
		if (r->cube.mask[arg] == ~(uint64_t)0)
			compare[count++] = SCMP_CMP64(arg, SCMP_CMP_EQ, r->cube.value[arg], 0);
		else if (r->cube.mask[arg] != 0)
			compare[count++] = SCMP_CMP64(
			    arg, SCMP_CMP_MASKED_EQ, r->cube.mask[arg], r->cube.value[arg]);
	}
	return seccomp_rule_add_array(ctx, r->action, number, count, compare);
}

static int fill_engine(scmp_filter_ctx ctx, const struct engine_filter *e)
{
	int error = seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);

	for (enum abi abi = 0; error == 0 && abi < ABI_COUNT; abi++)
		if (e->abis & 1u << abi)
			error = seccomp_arch_add(ctx, library_arch(abi));
	for (size_t i = 0; error == 0 && i < e->rule_count; i++) {
		error = add_engine_rule(ctx, &e->rules[i]);
		if (error == -EEXIST)
			error = 0;
	}
	return error;
}

static bool is_action(uint32_t k)
{
	switch (k & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_KILL_THREAD: return k == SECCOMP_RET_KILL_THREAD;
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW: return true;
	default: return false;
	}
}

/* libseccomp writes for the machine that it is told of, but 2.5 leaves answers in this one's order.
 */
static void swap_words(struct program *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct sock_filter *f = &p->code[i];

		f->code = __builtin_bswap16(f->code);
		if (f->code != (BPF_RET | BPF_K) || !is_action(f->k))
			f->k = __builtin_bswap32(f->k);
	}
}

bool filter_as_engine(
    const struct engine_filter *e, struct arena *a, struct program *out, const char **pseudocode)
{
	scmp_filter_ctx ctx;
	void *text = NULL;
	size_t size;
	int error;

	seccomp_api_set(6);
	ctx = seccomp_init(e->otherwise);
	error = ctx == NULL ? -EINVAL : fill_engine(ctx, e);
	if (error == 0)
		error = export_program(ctx, a, out);
	if (error == 0 && pseudocode != NULL)
		error = export_to(ctx, seccomp_export_pfc, a, &text, &size);
	if (pseudocode != NULL)
		*pseudocode = text;
	if (ctx != NULL)
		seccomp_release(ctx);
	if (error != 0)
		say("libseccomp: as container engines use it: %s", strerror(-error));
	else if (abi_swaps(abi_native()))
		swap_words(out);
	return error == 0;
}

/* ---- what engines make of a profile ---- */

static struct scmp_arg_cmp profile_compare(const struct condition *c)
{
	if (c->mask != ~(uint64_t)0)
		return SCMP_CMP64(c->arg, SCMP_CMP_MASKED_EQ, c->mask, c->value);
	return SCMP_CMP64(c->arg, compare_op(c->op), c->value, 0);
}

static int add_profile_rule(scmp_filter_ctx ctx, struct profile_rule *r)
{
	struct scmp_arg_cmp compare[ARGUMENTS];
	int nr = seccomp_syscall_resolve_name(r->call);

	r->unknown = nr == __NR_SCMP_ERROR;
	if (r->unknown)
		return 0;
	for (size_t i = 0; i < r->condition_count; i++)
		compare[i] = profile_compare(&r->conditions[i]);
	return seccomp_rule_add_array(
	    ctx, library_action(r->action), nr, (unsigned)r->condition_count, compare);
}

int filter_of_profile(struct profile_rule *rules, size_t count, uint32_t fallback,
    unsigned admitted, struct arena *a, struct program *out, size_t *at)
{
	scmp_filter_ctx ctx;
	int error = 0;

	*at = count;
	seccomp_api_set(6);
	ctx = seccomp_init(library_action(fallback));
	if (ctx == NULL)
		return ENOMEM;
	for (enum abi abi = 0; error == 0 && abi < ABI_COUNT; abi++)
		if (abi == abi_native() || admitted & 1u << abi) {
			error = seccomp_arch_add(ctx, library_arch(abi));
			error = error == -EEXIST ? 0 : error;
		}
	for (size_t i = 0; error == 0 && i < count; i++) {
		error = add_profile_rule(ctx, &rules[i]);
		if (error != 0)
			*at = i;
	}
	if (error == 0)
		error = export_program(ctx, a, out);
	seccomp_release(ctx);
	for (size_t i = 0; error == 0 && i < out->count; i++)
		if (out->code[i].code == (BPF_RET | BPF_K) && out->code[i].k == last_errno_place)
			out->code[i].k = last_errno;
	return -error;
}

const char *filter_library(struct arena *a)
{
	const struct scmp_version *v = seccomp_version();

	return v == NULL ? "?" : arena_format(a, "%u.%u.%u", v->major, v->minor, v->micro);
}

unsigned filter_level(void)
{
	return seccomp_api_get();
}

bool filter_library_file(struct arena *a, const char **file)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t ours = (uintptr_t)seccomp_version, first, behind;
	char line[4096 + 128];
	bool good;

	*file = NULL;
	while (maps != NULL && *file == NULL && fgets(line, sizeof line, maps) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &first, &behind) == 2 && first <= ours &&
		    ours < behind && strchr(line, '/') != NULL)
			*file = arena_format(a, "%s", strchr(line, '/'));
	}
	/* half an answer would be an image that is never fresh, or always */
	good = maps != NULL ? !ferror(maps) : errno == ENOENT;
	if (!good)
		say("/proc/self/maps: %s", strerror(errno));
	if (maps != NULL)
		fclose(maps);
	return good;
}
