/*
 * Any bytes as a jacamar.toml: the reader does no harm, and what it makes of them is a policy that our own look at policy
 * texts calls good, in lines of at most 100 printable columns. For libFuzzer; with wrapper's jacamar.c toml.c scan.c
 * calls.c close.c loader.c policy.c consts.c mem.c say.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../wrapper/jacamar.h"
#include "../../wrapper/mem.h"
#include "../../wrapper/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	const char *policy = jacamar_policy(a, "fuzzed.toml", (const char *)data, size);

	if (policy != NULL && !scan_text("policy", policy, strlen(policy)))
		abort();
	for (size_t n = 0; policy != NULL && *policy != '\0'; policy += n + 1) {
		n = strcspn(policy, "\n");
		if (n > 100 || policy[n] != '\n')
			abort();
		for (size_t i = 0; i < n; i++)
			if (policy[i] < ' ' || policy[i] > '~')
				abort();
	}
	arena_free(a);
	return 0;
}
