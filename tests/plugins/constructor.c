/* A plugin that dies as it is loaded. */
#include <stdlib.h>

#include <stagefence-plugin.h>

const unsigned stagefence_plugin_version = STAGEFENCE_PLUGIN_VERSION;

__attribute__((constructor)) static void begin(void)
{
	abort();
}

int stagefence_plugin(const struct stagefence_plugin_api *api, struct stagefence_filter *filter)
{
	(void)api;
	(void)filter;
	return 0;
}
