/*
 * libFuzzer: any bytes as a policy's text. Whatever it is, each mistake is a line and the answer is no, or the policy
 * compiles into an image that image_check() calls good and whose programs do as the policy says (verify.c proves that,
 * or says what cannot be expressed). Larger policies are read and decided, not compiled: that is random.c's.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../preload/image.h"
#include "../../wrapper/calls.h"
#include "../../wrapper/compile.h"
#include "../../wrapper/conf.h"
#include "../../wrapper/mem.h"
#include "../../wrapper/policy.h"
#include "quiet.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libconfig 1.5 loses the string that it was reading when it meets a mistake. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	quiet_make();
	return 0;
}

/* The decision and its list say the same, on all zeros and all ones. */
static void decide(const struct policy *p, struct arena *a)
{
	for (size_t i = 0; i < p->stage_count && i < 8; i++)
		for (uint32_t nr = 0; nr < 480; nr += 7) {
			struct seccomp_data d = { .nr = (int)nr, .arch = IMAGE_ARCH };
			const struct call *call = call_named("lseek");
			struct clause *list;
			size_t n, at = 0;

			if (nr != 0) {
				call = call_numbered(abi_native(), nr);
				memset(d.args, nr % 2 != 0 ? 0xff : 0, sizeof d.args);
			} else
				d.nr = call->nr[abi_native()];
			n = policy_list(p, p->stages[i], call, a, &list);
			for (; at < n; at++) {
				bool holds = true;

				for (size_t k = 0; k < list[at].condition_count; k++)
					holds = holds && condition_holds(&list[at].conditions[k], (const uint64_t *)d.args);
				if (holds)
					break;
			}
			if (at == n || list[at].decision.action != policy_decide(p, p->stages[i], &d).action)
				abort();
		}
}

static bool is_small(const struct policy *p)
{
	size_t conditions = 0, rules = 0;

	for (size_t i = 0; i < p->stage_count; i++) {
		rules += p->stages[i]->own.rule_count;
		for (size_t r = 0; r < p->stages[i]->own.rule_count; r++)
			conditions += p->stages[i]->own.rules[r].condition_count;
	}
	return p->stage_count <= 2 && rules < 64 && conditions <= 4;
}

/* To prove a filter takes a hundred times as long as all the rest, so it is done for one policy in eight. */
static bool is_chosen(const uint8_t *data, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + data[i];
	return (sum >> 13) % 8 == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *volatile a = arena_new();
	struct sources sources;
	const struct policy *p;
	const void *image;
	size_t image_size;

	quiet_put(quiet_policy, data, size);
	quiet_start();
	if (setjmp(quiet_end) != 0) /* out of an arena's limit */
		goto out;
	p = conf_read(a, quiet_policy, quiet_folder, &sources);
	if ((p == NULL) != (say_count() > 0))
		abort();
	if (p == NULL)
		goto out;
	decide(p, a);
	if (!is_small(p) || !is_chosen(data, size))
		goto out;
	image = compile_policy(p, &sources, a, &image_size);
	if ((image == NULL) != (say_count() > 0))
		abort();
	if (image != NULL && image_check(image, image_size) != IMAGE_GOOD)
		abort();
	/* nothing that libseccomp does wrong is known to come through filter.c */
	if (strstr(quiet_lines, "this cannot be expressed") != NULL)
		abort();
out:
	arena_free(a);
	return 0;
}
