#include "bpf.h"

#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>

static bool load_is_good(const struct sock_filter *f)
{
	return f->k < sizeof(struct seccomp_data) && f->k % 4 == 0;
}

static const char *check_one(const struct sock_filter *f, size_t behind)
{
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return load_is_good(f) ? NULL : "a load from outside of seccomp_data";
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_ALU | BPF_ADD | BPF_K:
	case BPF_ALU | BPF_ADD | BPF_X:
	case BPF_ALU | BPF_SUB | BPF_K:
	case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_K:
	case BPF_ALU | BPF_MUL | BPF_X:
	case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_AND | BPF_K:
	case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_OR | BPF_K:
	case BPF_ALU | BPF_OR | BPF_X:
	case BPF_ALU | BPF_XOR | BPF_K:
	case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_X:
	case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_ALU | BPF_NEG: return NULL;
	case BPF_ALU | BPF_DIV | BPF_K: return f->k != 0 ? NULL : "a division by zero";
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K: return f->k < 32 ? NULL : "a shift by more than 31";
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX: return f->k < BPF_MEMWORDS ? NULL : "a scratch word that does not exist";
	case BPF_JMP | BPF_JA: return f->k < behind ? NULL : "a jump out of the program";
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X:
		return f->jt < behind && f->jf < behind ? NULL : "a jump out of the program";
	default: return "an instruction that seccomp does not take";
	}
}

/*
 * Scratch words must be stored on every path before they are loaded (check_load_and_stores in
 * net/core/filter.c): each instruction's set of valid words is the intersection over the jumps that
 * lead to it.
 */
static bool stores_before_loads(const struct sock_filter *code, size_t count)
{
	uint16_t *valid = malloc(count * sizeof *valid), now = 0;
	bool good = valid != NULL;

	for (size_t i = 0; good && i < count; i++)
		valid[i] = 0xffff;
	for (size_t i = 0; good && i < count; i++) {
		const struct sock_filter *f = &code[i];

		now &= valid[i];
		switch (f->code) {
		case BPF_ST:
		case BPF_STX: now |= (uint16_t)(1 << f->k); break;
		case BPF_LD | BPF_MEM:
		case BPF_LDX | BPF_MEM: good = now & 1 << f->k; break;
		case BPF_JMP | BPF_JA:
			valid[i + 1 + f->k] &= now;
			now = 0xffff;
			break;
		default:
			if (BPF_CLASS(f->code) == BPF_JMP) {
				valid[i + 1 + f->jt] &= now;
				valid[i + 1 + f->jf] &= now;
				now = 0xffff;
			}
		}
	}
	free(valid);
	return good;
}

const char *bpf_check(const struct sock_filter *code, size_t count)
{
	if (count == 0 || count > BPF_MAXINSNS)
		return "more than 4096 instructions, or none";
	for (size_t i = 0; i < count; i++) {
		const char *wrong = check_one(&code[i], count - i - 1);

		if (wrong != NULL)
			return wrong;
	}
	if (BPF_CLASS(code[count - 1].code) != BPF_RET)
		return "no return at the end";
	return stores_before_loads(code, count)
	    ? NULL
	    : "a scratch word that is read before it is written";
}

/* A 64-bit field's high word comes first where the high byte does: audit.h tells by the
 * architecture. */
static uint32_t place(const struct seccomp_data *data, uint32_t at)
{
	return !(data->arch & __AUDIT_ARCH_LE) && at > offsetof(struct seccomp_data, arch)
	    ? at ^ sizeof(uint32_t)
	    : at;
}

static uint32_t load(const struct seccomp_data *data, uint32_t at)
{
	uint32_t word;

	memcpy(&word, (const char *)data + place(data, at), sizeof word);
	return word;
}

static uint32_t compute(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_DIV: return b != 0 ? a / b : 0;
	case BPF_AND: return a & b;
	case BPF_OR: return a | b;
	case BPF_XOR: return a ^ b;
	case BPF_LSH: return a << (b & 31);
	case BPF_RSH: return a >> (b & 31);
	default: return -a; /* BPF_NEG; bpf_check() let nothing else in */
	}
}

static bool jumps(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_JEQ: return a == b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	default: return (a & b) != 0; /* BPF_JSET */
	}
}

/* What is in the accumulator, as far as a masked word goes, and what was compared until now. */
struct trace {
	uint32_t word, mask;
	struct bpf_compare *compares;
	size_t count;
};

static void trace_one(
    struct trace *t, uint32_t at, const struct sock_filter *f, const struct seccomp_data *data)
{
	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
		t->word = BPF_MODE(f->code) == BPF_ABS ? place(data, f->k) : BPF_NO_WORD;
		t->mask = UINT32_MAX;
		break;
	case BPF_ALU:
		if (f->code == (BPF_ALU | BPF_AND | BPF_K))
			t->mask &= f->k;
		else
			t->word = BPF_NO_WORD;
		break;
	case BPF_MISC: t->word = BPF_MISCOP(f->code) == BPF_TAX ? t->word : BPF_NO_WORD; break;
	case BPF_JMP:
		if (BPF_OP(f->code) != BPF_JA)
			t->compares[t->count++] = (struct bpf_compare){ at,
				BPF_SRC(f->code) == BPF_K ? t->word : BPF_NO_WORD, t->mask, f->k };
		break;
	default: break;
	}
}

/* Three times in the program: nearly all of a proof's time is spent here. */
__attribute__((always_inline)) static inline struct bpf_result run(const struct sock_filter *code,
    size_t count, const struct seccomp_data *data, bool (*ways)[2], bool *new, struct trace *trace)
{
	struct bpf_result result = { .action = SECCOMP_RET_KILL_PROCESS };
	uint32_t a = 0, x = 0, scratch[BPF_MEMWORDS] = { 0 };

	for (size_t i = 0; i < count; i++) {
		const struct sock_filter *f = &code[i];
		uint32_t operand = BPF_SRC(f->code) == BPF_X ? x : f->k;
		bool jumped;

		result.steps++;
		if (trace != NULL)
			trace_one(trace, (uint32_t)i, f, data);
		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
		case BPF_LDX: {
			uint32_t value = f->k;

			if (BPF_MODE(f->code) == BPF_MEM)
				value = scratch[f->k];
			else if (BPF_MODE(f->code) == BPF_LEN)
				value = sizeof *data;
			else if (BPF_MODE(f->code) == BPF_ABS) {
				value = load(data, f->k);
				if (f->k == offsetof(struct seccomp_data, nr))
					result.looked_at_number = true;
				if (f->k > offsetof(struct seccomp_data, arch))
					result.looked_at_arguments = true;
			}
			*(BPF_CLASS(f->code) == BPF_LD ? &a : &x) = value;
			break;
		}
		case BPF_ST: scratch[f->k] = a; break;
		case BPF_STX: scratch[f->k] = x; break;
		case BPF_ALU: a = compute(BPF_OP(f->code), a, operand); break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA) {
				i += f->k;
				break;
			}
			jumped = jumps(BPF_OP(f->code), a, operand);
			if (ways != NULL && !ways[i][jumped])
				*new = ways[i][jumped] = true;
			i += jumped ? f->jt : f->jf;
			break;
		case BPF_RET: result.action = BPF_RVAL(f->code) == BPF_A ? a : f->k; return result;
		default:
			*(BPF_MISCOP(f->code) == BPF_TAX ? &x : &a) = BPF_MISCOP(f->code) == BPF_TAX
			    ? a
			    : x;
		}
	}
	return result;
}

struct bpf_result bpf_run(
    const struct sock_filter *code, size_t count, const struct seccomp_data *data)
{
	return run(code, count, data, NULL, NULL, NULL);
}

struct bpf_result bpf_explore(const struct sock_filter *code, size_t count,
    const struct seccomp_data *data, bool (*ways)[2], bool *new)
{
	return run(code, count, data, ways, new, NULL);
}

struct bpf_result bpf_trace(const struct sock_filter *code, size_t count,
    const struct seccomp_data *data, struct bpf_compare *compares, size_t *compare_count)
{
	struct trace trace = { BPF_NO_WORD, 0, compares, 0 };
	struct bpf_result result = run(code, count, data, NULL, NULL, &trace);

	*compare_count = trace.count;
	return result;
}
