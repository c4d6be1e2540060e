/* Conditions, on arguments of 32 and 64 bits, negative numbers, an exception, and a sibling that the plugin names. */
#include <errno.h>
#include <stddef.h>

#include <stagefence-plugin.h>

const unsigned stagefence_plugin_version = STAGEFENCE_PLUGIN_VERSION;

int stagefence_plugin(const struct stagefence_plugin_api *api, struct stagefence_filter *filter)
{
	/* a folder that nobody else can enter: mkdir -m 700 */
	const struct stagefence_condition mode = { .arg = 1, .op = STAGEFENCE_EQ, .mask = 0077, .value = 0 },
					  mode_at = { .arg = 2, .op = STAGEFENCE_EQ, .mask = 0077, .value = 0 };
	const struct stagefence_condition here = { .arg = 0, .op = STAGEFENCE_NE, .value = (uint64_t)-100 };
	const struct stagefence_condition small[] = { { .arg = 1, .op = STAGEFENCE_GT, .value = 100 },
		{ .arg = 1, .op = STAGEFENCE_LE, .value = UINT64_MAX - 1 } };

	api->add_rule(filter, "mkdir", STAGEFENCE_ERRNO, EROFS, &mode, 1);
	api->add_rule(filter, "mkdirat", STAGEFENCE_ERRNO, EROFS, &mode_at, 1);
	api->add_rule(filter, "symlinkat", STAGEFENCE_ERRNO, ENOSPC, NULL, 0);
	api->add_rule(filter, "truncate", STAGEFENCE_ERRNO, ENOSPC, small, 2);
	api->add_rule(filter, "ftruncate", STAGEFENCE_ERRNO, ENOSPC, small, 2);
	api->add_rule(filter, "unlinkat", STAGEFENCE_ERRNO, EACCES, &here, 1);
	api->add_rule(filter, "link", STAGEFENCE_ERRNO, EMLINK, NULL, 0);
	api->add_rule(filter, "linkat", STAGEFENCE_ALLOW, 0, NULL, 0);
	return 0;
}
