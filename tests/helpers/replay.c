/*
 * replay PROGRAM: tries to execute PROGRAM, with whatever could be left of a secret in the three argument registers that
 * execve(2) does not use: nothing, all ones, the registers as they were at the start, and each three words in a row of the
 * initial stack, AT_RANDOM's bytes among them. Prints "refused N" (that many tries, each EPERM), or what else happened.
 * No C library, so that nothing has touched the registers.
 */
#include "../../preload/raw.h"

static unsigned long tries;
static long start[3];

static void attempt(const char *program, long a, long b, long c)
{
	const char *argv[] = { program, NULL };
	long result = raw_call6(__NR_execve, (long)program, (long)argv, (long)(argv + 1), a, b, c);

	if (result != -RAW_EPERM) {
		raw_say("execve gave another answer", NULL, NULL, NULL, NULL);
		raw_exit(1);
	}
	tries++;
}

__attribute__((used)) void replay_main(long *stack, const long *registers)
{
	enum { RANDOM = 25, PROGRAM = 31 };
	const char *program = ((char **)(stack + 1))[1];
	char **env = (char **)(stack + 1) + *stack + 1;
	const long *end = stack;
	char number[24];

	for (int i = 0; i < 3; i++)
		start[i] = registers[i];
	attempt(program, 0, 0, 0);
	attempt(program, -1, -1, -1);
	attempt(program, start[0], start[1], start[2]);
	while (*env != NULL)
		env++;
	for (const long *aux = (const long *)(env + 1); aux[0] != 0; aux += 2) {
		const long *random = (const long *)aux[1];
		const char *name = (const char *)aux[1];

		if (aux[0] == RANDOM) {
			attempt(program, random[0], random[1], 0);
			attempt(program, 0, random[0], random[1]);
			attempt(program, random[1], random[0], random[1]);
		}
		/* the program's name is the last thing on the stack but for one word */
		if (aux[0] == PROGRAM)
			end = (const long *)(name + raw_length(name) + 1);
	}
	for (const long *word = stack; word + 2 < end; word++) {
		attempt(program, word[0], word[0], word[0]);
		attempt(program, word[0], word[1], word[2]);
		attempt(program, word[2], word[1], word[0]);
	}
	raw_call3(__NR_write, 1, (long)"refused ", 8);
	program = raw_decimal(tries, number + sizeof number);
	raw_call3(__NR_write, 1, (long)program, (long)raw_length(program));
	raw_call3(__NR_write, 1, (long)"\n", 1);
	raw_exit(0);
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tsub $32, %rsp\n\tand $-16, %rsp\n\tmov %r10, (%rsp)\n"
	"\tmov %r8, 8(%rsp)\n\tmov %r9, 16(%rsp)\n\tmov %rsp, %rsi\n\tcall replay_main\n\tud2\n");
#else
__asm__(".globl _start\n_start:\n\tmov x9, sp\n\tsub sp, sp, #32\n\tstp x3, x4, [sp]\n\tstr x5, [sp, #16]\n"
	"\tmov x0, x9\n\tmov x1, sp\n\tb replay_main\n");
#endif
