/*
 * bpf.h: an interpreter of the classic BPF that seccomp(2) takes, and nothing more. It judges
 * programs before the kernel does: what they answer, and whether an answer depends on anything but
 * architecture and number.
 */
#ifndef STAGEFENCE_BPF_H
#define STAGEFENCE_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Would the kernel take it? NULL, or why not. Follows kernel/seccomp.c (seccomp_check_filter) and
 * net/core/filter.c (bpf_check_classic): only forward jumps inside, known instructions, a return at
 * the end.
 */
const char *bpf_check(const struct sock_filter *code, size_t count);

struct bpf_result {
	uint32_t action;
	unsigned steps; /* instructions executed */
	bool looked_at_number;
	bool looked_at_arguments; /* if not, the kernel answers "allow" from its bitmap, without
				     running it */
};

/* For programs that bpf_check() has passed. */
struct bpf_result bpf_run(
    const struct sock_filter *code, size_t count, const struct seccomp_data *data);

/* The same; and for each conditional jump that the run came to, ways[instruction][jumped] becomes
 * true, and *new where it was not. */
struct bpf_result bpf_explore(const struct sock_filter *code, size_t count,
    const struct seccomp_data *data, bool (*ways)[2], bool *new);

/* What such a jump went by: a word of data, masked, and compared with value. */
struct bpf_compare {
	uint32_t at;   /* the instruction */
	uint32_t word; /* its offset in the data; BPF_NO_WORD: something computed */
	uint32_t mask, value;
};

enum { BPF_NO_WORD = sizeof(struct seccomp_data) };

/* The same; writes the comparisons that the run came to, of which there are less than count. */
struct bpf_result bpf_trace(const struct sock_filter *code, size_t count,
    const struct seccomp_data *data, struct bpf_compare *compares, size_t *compare_count);

#endif
