/* A shared library that is no plugin; its code must not be reached. */
#include <stdlib.h>

int stagefence_plugin(const void *api, void *filter);

int stagefence_plugin(const void *api, void *filter)
{
	(void)api;
	(void)filter;
	abort();
}
