/*
 * libFuzzer: any bytes as a container's seccomp profile. Each mistake is a line and the answer is no, or it is a level; and
 * then the text that import writes of it is a policy that conf.c takes, and both decide the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../wrapper/calls.h"
#include "../../wrapper/conf.h"
#include "../../wrapper/mem.h"
#include "../../wrapper/oci.h"
#include "../../wrapper/policy.h"
#include "quiet.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/* On each call by each ABI, with the values that the level compares with, and their neighbours. */
static void compare(const struct level *level, const struct policy *p)
{
	static const uint64_t common[] = { 0, 1, UINT32_MAX, (uint64_t)1 << 32, UINT64_MAX };
	const struct level *levels[] = { level };
	struct stage own = { .levels = levels, .level_count = 1 };
	const struct policy none = { .arena = p->arena };

	policy_resolve(&own);
	for (enum abi abi = 0; abi < ABI_COUNT; abi++)
		for (uint32_t nr = 0; nr < 480; nr++)
			for (size_t i = 0; i < 40; i++) {
				struct seccomp_data d = { .nr = (int)(abi == ABI_X32 ? nr | 0x40000000 : nr),
					.arch = abi_audit_arch(abi) };
				const struct rule *r = level->rule_count == 0 ? NULL : &level->rules[i % level->rule_count];

				for (unsigned arg = 0; arg < 6; arg++)
					d.args[arg] = common[(i + arg) % 5];
				for (size_t k = 0; r != NULL && k < r->condition_count; k++)
					d.args[r->conditions[k].arg] = r->conditions[k].value + i % 3 - 1;
				if (policy_decide(&none, &own, &d).action != policy_decide(p, p->stages[0], &d).action)
					abort();
			}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *volatile a = arena_new();
	const char *caps[] = { "CAP_SYS_ADMIN" };
	const struct oci_capabilities none = { NULL, 0 }, some = { caps, 1 };
	struct sources sources;
	const struct level *level;
	const struct policy *p;
	const char *text;

	quiet_start();
	if (setjmp(quiet_end) != 0) /* out of an arena's limit */
		goto out;
	oci_level(a, "fuzzed.json", (const char *)data, size, &some);
	quiet_start();
	level = oci_level(a, "fuzzed.json", (const char *)data, size, &none);
	if ((level == NULL) != (say_count() > 0))
		abort();
	if (level == NULL)
		goto out;
	text = oci_policy(a, "fuzzed.json", (const char *)data, size);
	/* a key of another part of stagefence */
	if (text == NULL || say_count() > 0)
		abort();
	if (strstr(text, "\n    listener = ") != NULL)
		goto out;
	quiet_put(quiet_policy, text, strlen(text));
	p = conf_read(a, quiet_policy, quiet_folder, &sources);
	if (p == NULL || p->stage_count != 1)
		quiet_wrong("must not be");
	compare(level, p);
out:
	arena_free(a);
	return 0;
}
