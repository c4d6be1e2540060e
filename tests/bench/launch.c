/*
 * launch: how long several ways to run a command take, against the first of them, in one run.
 *
 *	launch [-o] [-n ROUNDS] <ways
 *
 * Each line of the input is one way, its words separated by tabs: a name, then any number of
 * VAR=VALUE (set in its environment) and N<FILE (FILE opened as descriptor N, anew each time), then
 * the command, whose first word is a path. A round launches every way once, in an order shuffled
 * anew, so that noise, and the caches that another way leaves behind, hit all alike. A launch lasts
 * from before posix_spawn until the child is reaped. With -o, the measure is instead the first
 * number that the child prints.
 *
 * Output, one line a way, separated by tabs: name, median (us, or the child's unit), what the way
 * costs over the first one, ratio to the first one, first and third quartile of that ratio.
 *
 * A child that does not exit with 0 ends the whole benchmark: a refused launch is no fast launch.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct way {
	char *name;
	char **words; /* what follows the name */
	char **argv;  /* in words, after the settings */
	char **envp;
	posix_spawn_file_actions_t loud; /* stderr stays ours: the round that is not measured */
	posix_spawn_file_actions_t quiet;
	double *took; /* one for each round */
};

enum { WAYS = 64 };

static struct way ways[WAYS];
static size_t way_count;

static int output[2] = { -1, -1 }; /* with -o: the pipe that is every child's stdout */

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list args;

	fputs("launch: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void *need(void *memory)
{
	if (memory == NULL)
		die("%s", strerror(errno));
	return memory;
}

static void need_zero(int error, const char *what)
{
	if (error != 0)
		die("%s: %s", what, strerror(error));
}

static bool is_setting(const char *word)
{
	size_t name = strcspn(word, "=/");

	return name > 0 && word[name] == '=';
}

static bool is_opening(const char *word)
{
	size_t digits = strspn(word, "0123456789");

	return digits > 0 && word[digits] == '<';
}

static void set_variable(char **envp, char *setting)
{
	size_t name = strcspn(setting, "=") + 1;

	while (*envp != NULL && strncmp(*envp, setting, name) != 0)
		envp++;
	*envp = setting;
}

static void open_files(posix_spawn_file_actions_t *files, char **words, size_t count, bool loud)
{
	need_zero(posix_spawn_file_actions_init(files), "posix_spawn_file_actions_init");
	need_zero(posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0),
	    "/dev/null");
	if (output[1] >= 0)
		need_zero(posix_spawn_file_actions_adddup2(files, output[1], 1), "stdout");
	else
		need_zero(posix_spawn_file_actions_addopen(files, 1, "/dev/null", O_WRONLY, 0),
		    "/dev/null");
	if (!loud)
		need_zero(posix_spawn_file_actions_addopen(files, 2, "/dev/null", O_WRONLY, 0),
		    "/dev/null");
	for (size_t i = 0; i < count; i++)
		if (is_opening(words[i]))
			need_zero(posix_spawn_file_actions_addopen(files, atoi(words[i]),
				      strchr(words[i], '<') + 1, O_RDONLY, 0),
			    words[i]);
}

/* The words stay where they are: the line is the way's from now on. */
static void read_way(struct way *way, char *line, int rounds)
{
	size_t variables = 0, prefix = 0, count = 0, tabs = 0;
	char **words, *word;

	for (const char *c = line; *c != '\0'; c++)
		tabs += *c == '\t';
	words = way->words = need(calloc(tabs + 1, sizeof *words));
	way->name = line;
	strsep(&line, "\t");
	while ((word = strsep(&line, "\t")) != NULL)
		words[count++] = word;
	while (words[prefix] != NULL && (is_setting(words[prefix]) || is_opening(words[prefix])))
		prefix++;
	way->argv = words + prefix;
	if (way->argv[0] == NULL || strchr(way->argv[0], '/') == NULL)
		die("%s: no path of a command", way->name);

	while (environ[variables] != NULL)
		variables++;
	way->envp = need(calloc(variables + prefix + 1, sizeof *way->envp));
	memcpy(way->envp, environ, variables * sizeof *environ);
	for (size_t i = 0; i < prefix; i++)
		if (is_setting(words[i]))
			set_variable(way->envp, words[i]);

	open_files(&way->loud, words, prefix, true);
	open_files(&way->quiet, words, prefix, false);
	way->took = need(calloc((size_t)rounds, sizeof *way->took));
}

static void read_ways(int rounds)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		if (way_count == WAYS)
			die("more than %d ways", WAYS);
		read_way(&ways[way_count++], need(strdup(line)), rounds);
	}
	if (ferror(stdin))
		die("stdin: %s", strerror(errno));
	free(line);
	if (way_count == 0)
		die("no way to launch anything");
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* The child has ended: what it printed is in the pipe, which does not block if that is nothing. */
static double read_number(const struct way *way)
{
	char text[4096], *end;
	ssize_t length = read(output[0], text, sizeof text - 1);
	double number;

	text[length > 0 ? length : 0] = '\0';
	number = strtod(text, &end);
	if (end == text)
		die("%s: printed no number", way->name);
	return number;
}

static double launch(const struct way *way, const posix_spawn_file_actions_t *files)
{
	double before, after;
	int status, error;
	pid_t child;

	before = now_us();
	error = posix_spawn(&child, way->argv[0], files, NULL, way->argv, way->envp);
	if (error != 0)
		die("%s: %s: %s", way->name, way->argv[0], strerror(error));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid: %s", strerror(errno));
	after = now_us();

	if (WIFSIGNALED(status))
		die("%s: killed by signal %d", way->name, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		die("%s: exit status %d", way->name, WEXITSTATUS(status));
	return output[0] >= 0 ? read_number(way) : after - before;
}

/* xorshift32 from a fixed seed: two runs take the same orders. */
static uint32_t draw(void)
{
	static uint32_t state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void shuffle(size_t *order, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t other = draw() % i, kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
	}
}

static void measure(int rounds)
{
	size_t order[WAYS];

	for (size_t i = 0; i < way_count; i++) {
		order[i] = i;
		launch(&ways[i], &ways[i].loud);
	}
	for (int round = 0; round < rounds; round++) {
		shuffle(order, way_count);
		for (size_t i = 0; i < way_count; i++) {
			struct way *way = &ways[order[i]];

			way->took[round] = launch(way, &way->quiet);
		}
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(const double *sorted, int count, double part)
{
	double place = part * (count - 1);
	int below = (int)place;
	int above = below + 1 < count ? below + 1 : below;

	return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

static double median(const double *values, double *sorted, int count)
{
	memcpy(sorted, values, (size_t)count * sizeof *sorted);
	qsort(sorted, (size_t)count, sizeof *sorted, compare);
	return quantile(sorted, count, 0.5);
}

/*
 * The ratio is the median of way / first of the same round, not the ratio of the two medians: a
 * machine speeds up and slows down over seconds, and within a round that cancels. Between two ways
 * that were the same command, 300 rounds: standard deviation 0.003 against 0.008 (a 200-fork
 * script, 40 rounds: 0.009 against 0.031).
 */
static void report(int rounds)
{
	double *values = need(calloc((size_t)rounds, sizeof *values));
	double *sorted = need(calloc((size_t)rounds, sizeof *sorted));
	const double *base = ways[0].took;

	for (size_t i = 0; i < way_count; i++) {
		double middle = median(ways[i].took, sorted, rounds), over, ratio;

		for (int round = 0; round < rounds; round++)
			values[round] = ways[i].took[round] - base[round];
		over = median(values, sorted, rounds);
		for (int round = 0; round < rounds; round++)
			values[round] = ways[i].took[round] / base[round];
		ratio = median(values, sorted, rounds);
		printf("%s\t%.2f\t%.2f\t%.4f\t%.4f\t%.4f\n", ways[i].name, middle, over, ratio,
		    quantile(sorted, rounds, 0.25), quantile(sorted, rounds, 0.75));
	}
	free(values);
	free(sorted);
}

int main(int argc, char **argv)
{
	int option, rounds = 300;

	while ((option = getopt(argc, argv, "n:o")) >= 0)
		if (option == 'n')
			rounds = atoi(optarg);
		else if (option != 'o' || pipe2(output, O_CLOEXEC | O_NONBLOCK) < 0)
			goto usage;
	if (rounds < 1 || optind != argc)
		goto usage;
	/* Ignored, it would be ignored in every child, and waitpid would find none. */
	signal(SIGCHLD, SIG_DFL);

	read_ways(rounds);
	measure(rounds);
	report(rounds);
	return 0;

usage:
	fputs("usage: launch [-o] [-n rounds] <ways\n", stderr);
	return 2;
}
