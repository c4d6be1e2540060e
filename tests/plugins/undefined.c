/* A plugin that cannot be loaded: it needs what nobody has. */
#include <stagefence-plugin.h>

const unsigned stagefence_plugin_version = STAGEFENCE_PLUGIN_VERSION;

int nobody_has_this(void);

int stagefence_plugin(const struct stagefence_plugin_api *api, struct stagefence_filter *filter)
{
	(void)api;
	(void)filter;
	return nobody_has_this();
}
