/*
 * environment.h: taking ourselves out of an environment that is about to be, or already is, a
 * program's.
 */
#ifndef STAGEFENCE_ENVIRONMENT_H
#define STAGEFENCE_ENVIRONMENT_H

#include "paths.h"
#include "raw.h"

static inline bool environment_names(const char *entry, const char *name)
{
	size_t n = raw_length(name);

	for (size_t i = 0; i < n; i++)
		if (entry[i] != name[i])
			return false;
	return entry[n] == '=';
}

/*
 * Takes our entry out of an LD_PRELOAD's value, in place; others stay in their order. ld.so(8)
 * splits at colons and spaces and knows no escape. False: it held nothing else.
 */
static inline bool environment_preloads(char *value)
{
	static const char ours[] = PATH_SHIM_NAME;
	const size_t length = sizeof ours - 1;
	char *out = value;
	bool found = false;

	for (const char *p = value;; p++) {
		char *entry = out;

		while (*p != ':' && *p != ' ' && *p != '\0')
			*out++ = *p++;
		if ((size_t)(out - entry) >= length && raw_same(out - length, ours, length) &&
		    (out == entry + length || out[-(long)length - 1] == '/')) {
			out = entry > value ? entry - 1 : entry;
			found = true;
		}
		if (*p == '\0')
			break;
		if (out != value)
			*out++ = ':';
	}
	*out = '\0';
	return out != value || !found;
}

/* Does an LD_PRELOAD name the shim? */
static inline bool environment_preloaded(char **env)
{
	static const char ours[] = PATH_SHIM_NAME;

	for (; *env != NULL; env++) {
		const char *value = *env + sizeof "LD_PRELOAD";

		if (!environment_names(*env, "LD_PRELOAD"))
			continue;
		for (const char *p = value; *p != '\0'; p++)
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

	for (; *env != NULL; env++)
		if (!environment_names(*env, PATH_HANDOVER) &&
		    (!shim || !environment_names(*env, "LD_PRELOAD") ||
			environment_preloads(*env + sizeof "LD_PRELOAD")))
			*to++ = *env;
	*to = NULL;
}

#endif
