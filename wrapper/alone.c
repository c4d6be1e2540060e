#include "alone.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool close_from(int first)
{
	DIR *all = opendir("/proc/self/fd");

	for (const struct dirent *e; all != NULL && (e = readdir(all)) != NULL;) {
		int fd = atoi(e->d_name); /* "." and "..": 0 */

		if (fd >= first && fd != dirfd(all))
			close(fd);
	}
	return all != NULL && closedir(all) == 0;
}

bool alone_with(const int *keep, size_t count)
{
	const struct rlimit none = { 0, 0 };
	const int end = ALONE_FIRST + (int)count;
	int from[ALONE_FIRST + ALONE_MAX], null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &none);
	clearenv();
	for (int s = 1; s <= SIGSYS; s++)
		signal(s, SIG_DFL);
	/* out of the way first: one may stand where another is to be */
	for (int i = 0; i < end; i++)
		from[i] = fcntl(i < ALONE_FIRST ? null : keep[i - ALONE_FIRST], F_DUPFD, end);
	for (int i = 0; i < end; i++)
		if (dup3(from[i], i, i < ALONE_FIRST ? 0 : O_CLOEXEC) != i)
			return false;
	return close_from(end);
}
