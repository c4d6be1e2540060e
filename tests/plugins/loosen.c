/* Allows everything it can name: to no avail. */
#include <stddef.h>

#include <stagefence-plugin.h>

const unsigned stagefence_plugin_version = STAGEFENCE_PLUGIN_VERSION;

int stagefence_plugin(const struct stagefence_plugin_api *api, struct stagefence_filter *filter)
{
	const struct stagefence_condition any = { .arg = 0, .op = STAGEFENCE_GE, .value = 0 };

	api->set_default(filter, STAGEFENCE_ALLOW, 0);
	api->add_rule(filter, "mkdir", STAGEFENCE_ALLOW, 0, NULL, 0);
	api->add_rule(filter, "mkdir", STAGEFENCE_ALLOW, 0, &any, 1);
	api->add_rule(filter, "mkdirat", STAGEFENCE_ALLOW, 0, NULL, 0);
	api->add_rule(filter, "rmdir", STAGEFENCE_ERRNO, 1, NULL, 0);
	return 0;
}
