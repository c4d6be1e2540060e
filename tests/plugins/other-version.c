/* A plugin of the future; its code must not be reached. */
#include <stdlib.h>

#include <stagefence-plugin.h>

const unsigned stagefence_plugin_version = STAGEFENCE_PLUGIN_VERSION + 1;

int stagefence_plugin(const struct stagefence_plugin_api *api, struct stagefence_filter *filter)
{
	(void)api;
	(void)filter;
	abort();
}
