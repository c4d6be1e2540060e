/*
 * engine PROFILE: reads a container engine's seccomp profile (the runtime specification's linux.seccomp, as JSON) as crun
 * does, gives it to libseccomp rule by rule, and writes the filter to standard output. It shares no code with what is
 * tested. Nothing is loaded. Exit status 1: the engine would refuse the profile.
 */
#include <errno.h>
#include <jansson.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void refuse(const char *what, const char *name)
{
	fprintf(stderr, "engine: %s%s%s\n", what, name != NULL ? ": " : "", name != NULL ? name : "");
	exit(1);
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	if (value == NULL)
		refuse("no text", key);
	return value;
}

static uint32_t action_of(const char *name, const json_t *data)
{
	uint32_t number = data != NULL ? (uint32_t)json_integer_value(data) : EPERM;

	if (strcmp(name, "SCMP_ACT_ALLOW") == 0)
		return SCMP_ACT_ALLOW;
	if (strcmp(name, "SCMP_ACT_LOG") == 0)
		return SCMP_ACT_LOG;
	if (strcmp(name, "SCMP_ACT_ERRNO") == 0)
		return SCMP_ACT_ERRNO(number);
	if (strcmp(name, "SCMP_ACT_TRACE") == 0)
		return SCMP_ACT_TRACE(number);
	if (data != NULL)
		refuse("errnoRet with", name);
	if (strcmp(name, "SCMP_ACT_TRAP") == 0)
		return SCMP_ACT_TRAP;
	if (strcmp(name, "SCMP_ACT_KILL") == 0 || strcmp(name, "SCMP_ACT_KILL_THREAD") == 0)
		return SCMP_ACT_KILL_THREAD;
	if (strcmp(name, "SCMP_ACT_KILL_PROCESS") == 0)
		return SCMP_ACT_KILL_PROCESS;
	refuse("action", name);
}

static enum scmp_compare op_of(const char *name)
{
	if (strcmp(name, "SCMP_CMP_EQ") == 0)
		return SCMP_CMP_EQ;
	if (strcmp(name, "SCMP_CMP_MASKED_EQ") == 0)
		return SCMP_CMP_MASKED_EQ;
	refuse("op", name);
}

/* jansson has no integers above 2^63 - 1; they come as their text, marked by json_load's flag. */
static uint64_t number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (value == NULL)
		return 0;
	if (json_is_string(value))
		return strtoull(json_string_value(value), NULL, 10);
	if (!json_is_integer(value))
		refuse("no number", key);
	return (uint64_t)json_integer_value(value);
}

static void add_rule(scmp_filter_ctx ctx, uint32_t action, const char *name, const json_t *args)
{
	struct scmp_arg_cmp compare[6];
	int call = seccomp_syscall_resolve_name(name), error;
	unsigned seen = 0;
	size_t i;
	json_t *arg;

	if (call == __NR_SCMP_ERROR)
		return;
	json_array_foreach(args, i, arg)
	{
		unsigned index = (unsigned)number(arg, "index");

		if (index > 5 || seen & 1u << index)
			refuse("an engine takes two conditions on an argument for alternatives", name);
		seen |= 1u << index;
		compare[i] = SCMP_CMP64(index, op_of(text(arg, "op")), number(arg, "value"), number(arg, "valueTwo"));
	}
	error = seccomp_rule_add_array(ctx, action, call, (unsigned)json_array_size(args), compare);
	if (error != 0)
		refuse(strerror(-error), name);
}

/* Numbers that jansson cannot hold, in quotes. */
static char *readable(const char *path)
{
	FILE *f = fopen(path, "r");
	char *all = malloc(1 << 24), *out = malloc(1 << 24), *to = out;
	size_t size = f != NULL ? fread(all, 1, (1 << 24) - 1, f) : 0;

	if (f == NULL || all == NULL || out == NULL || size > 1 << 23)
		refuse("cannot be read", path);
	fclose(f);
	all[size] = '\0';
	for (const char *c = all; *c != '\0';) {
		size_t digits = strspn(c, "0123456789");
		bool wide = digits >= 19 && c > all && c[-1] == ' ';

		if (wide)
			*to++ = '"';
		memcpy(to, c, digits + (digits == 0));
		to += digits + (digits == 0);
		c += digits + (digits == 0);
		if (wide)
			*to++ = '"';
	}
	*to = '\0';
	free(all);
	return out;
}

int main(int argc, char **argv)
{
	json_error_t error;
	json_t *profile, *entry, *name;
	scmp_filter_ctx ctx;
	uint32_t otherwise;
	size_t i, k;
	char *json;

	if (argc != 2)
		return 2;
	json = readable(argv[1]);
	profile = json_loads(json, JSON_REJECT_DUPLICATES, &error);
	if (profile == NULL)
		refuse(error.text, argv[1]);
	otherwise = action_of(text(profile, "defaultAction"), json_object_get(profile, "defaultErrnoRet"));
	seccomp_api_set(6);
	ctx = seccomp_init(otherwise);
	if (ctx == NULL)
		refuse("seccomp_init", NULL);
	json_array_foreach(json_object_get(profile, "architectures"), i, entry)
	{
		const char *arch = json_string_value(entry);
		char *lower = arch != NULL && strncmp(arch, "SCMP_ARCH_", 10) == 0 ? strdup(arch + 10) : NULL;
		int result;

		for (char *c = lower; c != NULL && *c != '\0'; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
		result = lower == NULL ? -EINVAL : seccomp_arch_add(ctx, seccomp_arch_resolve_name(lower));
		if (result != 0 && result != -EEXIST)
			refuse(strerror(-result), arch);
		free(lower);
	}
	json_array_foreach(json_object_get(profile, "syscalls"), i, entry)
	{
		uint32_t action = action_of(text(entry, "action"), json_object_get(entry, "errnoRet"));

		if (action == otherwise)
			continue;
		json_array_foreach(json_object_get(entry, "names"), k, name)
			add_rule(ctx, action, json_string_value(name), json_object_get(entry, "args"));
	}
	i = (size_t)-seccomp_export_bpf(ctx, STDOUT_FILENO);
	seccomp_release(ctx);
	json_decref(profile);
	free(json);
	return i == 0 ? 0 : 1;
}
