/*
 * environment.h: taking ourselves out of an environment that is about to be, or already is, a
 * program's.
 */
#ifndef STAGEFENCE_ENVIRONMENT_H
#define STAGEFENCE_ENVIRONMENT_H

#include "paths.h"
#include "raw.h"

/*
 * Takes our entry out of an LD_PRELOAD's value, in place; others stay in their order. ld.so(8)
 * splits at colons and spaces and knows no escape. False: it held nothing else.
 */
static inline bool environment_preloads(char *value)
{
	static const char ours[] = PATH_SHIM_NAME;
	char *out = value, *entry = value, *name = value;
	bool found = false;

	for (const char *p = value;; p++) {
		const char c = *p;
		const bool ends = c == ':' || c == ' ' || c == '\0';

		*out++ = ends ? ':' : c;
		if (c == '/')
			name = out;
		if (!ends)
			continue;
		if (out - name == sizeof ours && raw_same(name, ours, sizeof ours - 1)) {
			out = entry;
			found = true;
		}
		if (out == value + 1) /* a separator that nothing stands in front of */
			out = value;
		entry = name = out;
		if (c == '\0')
			break;
	}
	if (out != value)
		out--;
	*out = '\0';
	return out != value || !found;
}

/* Does an LD_PRELOAD name the shim? */
static inline bool environment_preloaded(char **env)
{
	static const char ours[] = PATH_SHIM_NAME;

	for (; *env != NULL; env++) {
		const char *value = raw_value(*env, "LD_PRELOAD");

		for (const char *p = value; p != NULL && *p != '\0'; p++)
			if ((p == value || p[-1] == '/' || p[-1] == ':' || p[-1] == ' ') &&
			    raw_same(p, ours, sizeof ours - 1) &&
			    (p[sizeof ours - 1] == '\0' || p[sizeof ours - 1] == ':' ||
				p[sizeof ours - 1] == ' '))
				return true;
	}
	return false;
}

/* Takes our own variable out, and with shim the shim from each LD_PRELOAD. */
static inline void environment_leave(char **env, bool shim)
{
	char **to = env;

	for (; *env != NULL; env++) {
		char *value = shim ? raw_value(*env, "LD_PRELOAD") : NULL;

		if (raw_value(*env, PATH_HANDOVER) == NULL &&
		    (value == NULL || environment_preloads(value)))
			*to++ = *env;
	}
	*to = NULL;
}

#endif
