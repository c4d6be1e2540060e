/*
 * fake-bash [NAME]: exports what bash exports, and lies in all of it: a table whose chain never ends, a script's name with
 * control characters or without an end, a line that is none. Then it makes a call that is refused.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct bucket {
	struct bucket *next;
	const char *key;
	void *data;
};

struct table {
	struct bucket **buckets;
	int count, entries;
};

struct context {
	char *name;
	int scope, flags;
	void *up, *down;
	struct table *table;
};

struct element {
	intptr_t index;
	const char *value;
	struct element *next, *previous;
};

struct array {
	intptr_t most, count;
	struct element *head;
};

struct variable {
	const char *name;
	void *value;
};

static struct element head = { .index = -1 }, first;
static struct array array = { 1, 1, &head };
static struct variable source = { "BASH_SOURCE", &array };
static struct bucket bucket = { &bucket, "other", &source };
static struct bucket *buckets[] = { &bucket };
static struct table table = { buckets, 1, 1 };
static struct context context = { .table = &table };

int line_number = -5;
struct context *global_variables = &context;
char *dollar_vars[10];
static uint32_t command[8] = { 13 }, subshell[4];
void *currently_executing_command = command;

int executing_line_number(void);
int executing_line_number(void)
{
	return line_number;
}

int main(int argc, char **argv)
{
	static char endless[70000];
	void *self = command;

	memset(endless, 'e', sizeof endless);
	first.value = argc < 2 ? "\033[31mred\n::error::x\xff.sh" : strcmp(argv[1], "endless") == 0 ? endless : argv[1];
	head.next = &first;
	first.next = &head;
	if (argc < 3)
		bucket.key = "BASH_SOURCE";
	/* a subshell whose command is itself */
	memcpy(&command[6], &(void *){ subshell }, sizeof self);
	memcpy(&subshell[2], &self, sizeof self);
	if (argc >= 4)
		global_variables = (void *)(uintptr_t)strtoull(argv[3], NULL, 0);
	return (int)syscall(SYS_mkdirat, AT_FDCWD, "lie", 0777) == 0;
}
