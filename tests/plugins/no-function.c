/* A plugin that forgot what it is for. */
#include <stagefence-plugin.h>

const unsigned stagefence_plugin_version = STAGEFENCE_PLUGIN_VERSION;
