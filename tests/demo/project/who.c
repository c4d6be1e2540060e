#include "who.h"

#include "config.h"
#ifdef HAVE_UNISTD_H
#include <unistd.h>
#endif

const char *who(int argc, char **argv)
{
	static char name[256];

	if (argc > 1)
		return argv[1];
#ifdef HAVE_UNISTD_H
	if (gethostname(name, sizeof name - 1) == 0)
		return name;
#endif
	return "nobody";
}
