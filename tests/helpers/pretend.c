/*
 * pretend HOW IMAGE STAGE [COMMAND...]: puts a filter on itself that passes for the stage's fence, or is it, then runs
 * COMMAND, or prints "ready" and sleeps.
 *
 *   genuine     the stage's exact filter, no_new_privs on
 *   privileged  the same without no_new_privs (root)
 *   answer      answers as the stage's filter would, and allows everything
 *   change      the stage's filter with its last refusal turned into an allow
 *   silent      the stage's filter without its flags for seccomp(2)
 *   foreign     allows everything
 *   listener    the same, and is told of calls, as a container's manager is
 *   both        the genuine one, and foreign over it
 *   thread      the genuine one, and a second thread without; takes no COMMAND
 *   none        no filter at all
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../preload/fence.h"

static _Alignas(8) char data[1 << 20];

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "pretend: %s\n", what);
	exit(2);
}

static void *sleep_on(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

/* 0, or a listener's descriptor. */
static int load(const struct sock_filter *code, unsigned count, unsigned flags)
{
	struct {
		unsigned short count;
		const struct sock_filter *code;
	} program = { (unsigned short)count, code };

	long result = raw_call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, (long)flags, (long)&program);

	if (result < 0)
		die("the filter is not taken");
	return (int)result;
}

int main(int argc, char **argv)
{
	static struct sock_filter code[IMAGE_CODE_MAX];
	const struct sock_filter allow = fence_insn(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	const struct image_header *h = image_header(data);
	const struct image_stage *s = NULL;
	const struct image_program *p;
	FILE *in = argc > 3 ? fopen(argv[2], "rb") : NULL;
	size_t size = in == NULL ? 0 : fread(data, 1, sizeof data, in);
	const char *how = argv[1];
	unsigned count;
	pthread_t other;

	if (in == NULL || image_check(data, size) != IMAGE_GOOD)
		die("pretend HOW IMAGE STAGE [COMMAND...]");
	for (uint32_t i = 0; i < h->part[IMAGE_STAGES].count; i++)
		if (strcmp(image_string(h, image_stage(h, i)->name), argv[3]) == 0)
			s = image_stage(h, i);
	if (s == NULL || s->exact == IMAGE_NONE)
		die("there is no such stage");
	p = image_program(h, s->exact);
	count = p->count;
	memcpy(code, image_code(h, p), count * sizeof *code);
	fence_fill(code, count);

	if (strcmp(how, "thread") == 0 && pthread_create(&other, NULL, sleep_on, NULL) != 0)
		die("there is no thread");
	if (strcmp(how, "privileged") != 0 && raw_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		die("no_new_privs is refused");
	if (strcmp(how, "answer") == 0) {
		count = fence_prologue(code, p->digest, false, &allow, 1);
		code[count++] = allow;
	}
	if (strcmp(how, "change") == 0) {
		unsigned i = count - 1;

		while (code[i].code != (BPF_RET | BPF_K) || code[i].k == SECCOMP_RET_ALLOW)
			i--;
		code[i].k = SECCOMP_RET_ALLOW;
	}
	if (strcmp(how, "foreign") == 0)
		load(&allow, 1, 0);
	else if (strcmp(how, "listener") == 0)
		/* closed, another may come: the command keeps it */
		raw_fcntl(load(&allow, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER), RAW_F_SETFD, 0);
	else if (strcmp(how, "none") != 0)
		load(code, count, strcmp(how, "silent") == 0 ? 0 : p->flags);
	if (strcmp(how, "both") == 0)
		load(&allow, 1, 0);

	if (argv[4] != NULL) {
		execvp(argv[4], argv + 4);
		die("the command cannot be run");
	}
	puts("ready");
	fflush(stdout);
	sleep_on(NULL);
}
