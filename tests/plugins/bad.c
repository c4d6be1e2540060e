/* Does wrong what the stage's name says. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stagefence-plugin.h>

const unsigned stagefence_plugin_version = STAGEFENCE_PLUGIN_VERSION;

static const struct stagefence_plugin_api *api;
static struct stagefence_filter *filter;

static void rule(const char *call, int action, int error)
{
	api->add_rule(filter, call, (enum stagefence_action)action, error, NULL, 0);
}

static void condition(const char *call, unsigned arg, int op, uint64_t mask, uint64_t value)
{
	const struct stagefence_condition c = { arg, (enum stagefence_op)op, mask, value };

	api->add_rule(filter, call, STAGEFENCE_ERRNO, EPERM, &c, 1);
}

static void segv(void)
{
	volatile int *volatile nowhere = NULL;

	*nowhere = 1;
}

static void chatter(void)
{
	printf("this is no image\n");
	fprintf(stderr, "nor a mistake\n");
	fflush(stdout);
	if (write(1, "x", 1) != 1 || read(0, &(char){ 0 }, 1) != 0 || getenv("PATH") != NULL || getenv("HOME") != NULL)
		api->fail(filter, "the surroundings are wrong");
	for (int fd = 5; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			api->fail(filter, "descriptor %d is open", fd);
	rule("mkdir", STAGEFENCE_ERRNO, EPERM);
}

static void stop(void)
{
	raise(SIGSTOP);
}

static void hang(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGALRM, SIG_IGN);
	for (;;)
		;
}

/* silent, and not to be waited for */
static void quiet(void)
{
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	for (;;)
		pause();
}

/* holds the pipe open after the plugin has gone */
static void left_behind(void)
{
	if (fork() != 0)
		exit(3);
	sleep(100);
}

static void garbage(void)
{
	for (int fd = 3; fd < 64; fd++)
		if (write(fd, "garbage", 7) == 7)
			return;
}

static void many(void)
{
	for (;;)
		rule("mkdir", STAGEFENCE_ERRNO, EPERM);
}

static void many_defaults(void)
{
	for (;;)
		api->set_default(filter, STAGEFENCE_ERRNO, EPERM);
}

static void long_words(void)
{
	char word[5000];

	memset(word, 'w', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	rule(word, STAGEFENCE_ALLOW, 0);
}

static void long_text(void)
{
	api->fail(filter, "%05000d\nsecond \033[31mline", 7);
}

static void many_conditions(void)
{
	static const struct stagefence_condition c[13];

	api->add_rule(filter, "mkdir", STAGEFENCE_ERRNO, EPERM, c, 13);
}

int stagefence_plugin(const struct stagefence_plugin_api *given, struct stagefence_filter *stage)
{
	const char *name = given->stage(stage);

	api = given;
	filter = stage;
#define IF(what, do) \
	if (strcmp(name, what) == 0) \
	do
	IF("good", rule("mkdir", STAGEFENCE_ERRNO, EPERM));
	IF("fail", api->fail(filter, "mkdir is %s", "dear to us"));
	IF("fail-without", api->fail(filter, "%s", ""));
	IF("long-text", long_text());
	IF("return", return -7);
	IF("segv", segv());
	IF("abort", abort());
	IF("exit", exit(0));
	IF("kill", kill(getpid(), SIGKILL));
	IF("left-behind", left_behind());
	IF("garbage", garbage());
	IF("chatter", chatter());
	IF("stop", stop());
	IF("hang", hang());
	IF("quiet", quiet());
	IF("many", many());
	IF("many-defaults", many_defaults());
	IF("unknown", rule("mkdirs", STAGEFENCE_ERRNO, EPERM));
	IF("nameless", rule(NULL, STAGEFENCE_ERRNO, EPERM));
	IF("long-words", long_words());
	IF("action", rule("mkdir", 5, 0));
	IF("negative-action", rule("mkdir", -1, 0));
	IF("errno", rule("mkdir", STAGEFENCE_ERRNO, 4096));
	IF("no-errno", rule("mkdir", STAGEFENCE_ERRNO, 0));
	IF("negative-errno", rule("mkdir", STAGEFENCE_ERRNO, -EPERM));
	IF("errno-of-kill", rule("mkdir", STAGEFENCE_KILL_PROCESS, EPERM));
	IF("default-errno", api->set_default(filter, STAGEFENCE_ERRNO, 0));
	IF("default-action", api->set_default(filter, (enum stagefence_action)77, 0));
	IF("arg", condition("mkdir", 2, STAGEFENCE_EQ, 0, 0));
	IF("no-args", condition("getpid", 0, STAGEFENCE_EQ, 0, 0));
	IF("big-arg", condition("mkdir", 4000000000, STAGEFENCE_EQ, 0, 0));
	IF("op", condition("mkdir", 1, 6, 0, 0));
	IF("mask-order", condition("mkdir", 1, STAGEFENCE_LT, 7, 1));
	IF("mask-value", condition("mkdir", 1, STAGEFENCE_EQ, 7, 8));
	IF("wide", condition("mkdir", 1, STAGEFENCE_EQ, 0, (uint64_t)1 << 32));
	IF("place", condition("ioctl", 1, STAGEFENCE_EQ, 0, 0x5e71d001));
	IF("place-half", condition("read", 1, STAGEFENCE_EQ, 0, (uint64_t)0x5e71d002 << 32));
	IF("conditions", many_conditions());
	return 0;
}
