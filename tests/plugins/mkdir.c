/* No new folders once the job is over. */
#include <errno.h>
#include <string.h>

#include <stagefence-plugin.h>

const unsigned stagefence_plugin_version = STAGEFENCE_PLUGIN_VERSION;

int stagefence_plugin(const struct stagefence_plugin_api *api, struct stagefence_filter *filter)
{
	if (strcmp(api->stage(filter), "after_script") == 0)
		api->add_rule(filter, "mkdir", STAGEFENCE_ERRNO, EPERM, NULL, 0);
	return 0;
}
