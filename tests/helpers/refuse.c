/*
 * refuse CASE: calls whose arguments are awkward to read. To be run where they are refused; exits 0 when all of them
 * have returned, with whatever.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* younger than EL 8's headers */
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

/* Each as another program, or they would be one kind, of which a few are told. */
static void rename_self(void)
{
	static unsigned count;
	char name[16];

	snprintf(name, sizeof name, "case%u", ++count);
	prctl(PR_SET_NAME, name);
}

static void call(const char *path)
{
	syscall(SYS_mkdirat, AT_FDCWD, path, 0777);
}

static void make(const char *path)
{
	rename_self();
	call(path);
}

static void to(const void *address, size_t size)
{
	rename_self();
	syscall(SYS_connect, 7, address, size);
}

/* Two pages of which only the first is there: its last bytes. */
static char *edge(size_t left)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(p + 4096, 4096);
	return p + 4096 - left;
}

static void pointers(void)
{
	make(NULL);
	make((const char *)1);
	make((const char *)0xdeadbeef000);
	make((const char *)UINT64_C(0xffffffffffffffff));
	make((const char *)UINT64_C(0xffffffff80000000));
	make((const char *)UINT64_C(0x8000000000000000));
	make((const char *)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void edges(void)
{
	char *p = edge(5), *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(p, "whole", 5); /* no NUL before the end */
	make(p);
	p = edge(6);
	memcpy(p, "ended", 6);
	make(p);
	memcpy(two + 4096 - 4, "across", 7);
	make(two + 4096 - 4);
	make(edge(0));
}

static void lengths(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(80) };
	void *p = edge(4);
	short family = AF_INET;

	in.sin_addr.s_addr = htonl(0x7f000001);
	to(&in, sizeof in);
	to(&in, UINT64_C(1) << 32);
	to(&in, UINT64_C(0x100000010));
	to(&in, SIZE_MAX);
	to(&in, 0);
	to(&in, 1);
	to(&in, 3);
	memcpy(p, &family, 2);
	to(p, sizeof in);
	to(p, 4);
}

static void addresses(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/run/\033[31m.sock" };
	struct sockaddr_un abstract = { .sun_family = AF_UNIX, .sun_path = "\0name\1" };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(443), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr odd = { .sa_family = 4711 };

	to(&un, sizeof un);
	to(&abstract, 3 + 5);
	to(&in6, sizeof in6);
	to(&odd, sizeof odd);
	memset(un.sun_path, 'x', sizeof un.sun_path);
	to(&un, sizeof un);
}

static void texts(void)
{
	char *text = malloc(70000);

	make("plain");
	make("a\nstagefence: build: all is well\r");
	make("\033]0;title\007\033[2J\b\b\x7f");
	make("\xc2\x9b" "31m\xe2\x80\xae" "gpj.exe\xef\xbb\xbf\xe2\x80\x8b");
	make("\xff\xfe\xc0\xaf\xed\xa0\x80 \xf4\x90\x80\x80");
	make("gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x90\xa7");
	make("quote\" back\\ 1\0011");
	make("");
	memset(text, 'y', 69999);
	text[69999] = '\0';
	make(text);
	memset(text, '\1', 69999);
	make(text);
}

static void structs(void)
{
	struct open_how how = { .flags = O_WRONLY | O_CREAT, .mode = 0600, .resolve = 8 };
	struct clone_args args = { .flags = CLONE_NEWUSER | CLONE_NEWNS, .exit_signal = SIGCHLD };

	rename_self();
	syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof how);
	syscall(SYS_openat2, 5, "file", &how, (size_t)3);
	syscall(SYS_openat2, AT_FDCWD, "file", (void *)8, sizeof how);
	syscall(SYS_clone3, &args, sizeof args);
	syscall(SYS_clone3, &args, UINT64_MAX);
}

/* Another thread writes while the supervisor reads. */
static char shared[64];
static volatile int stop;

static void *write_over(void *ignored)
{
	for (unsigned i = 0; !stop; i++)
		for (size_t k = 0; k < sizeof shared; k++)
			((volatile char *)shared)[k] = (char)(i + k);
	return ignored;
}

static void race(void)
{
	pthread_t t;

	pthread_create(&t, NULL, write_over, NULL);
	for (int i = 0; i < 20000; i++)
		syscall(SYS_mkdirat, AT_FDCWD, shared, i);
	stop = 1;
	pthread_join(t, NULL);
}

/* Killed while its call is looked at. */
static void death(void)
{
	int pid = fork();

	if (pid == 0) {
		call("dying");
		_exit(1);
	}
	usleep(20000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void repeats(void)
{
	for (int i = 0; i < 100000; i++)
		call("again");
}

/* A new name each time makes a new kind each time. */
static void kinds(void)
{
	char name[16];

	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof name, "p%d", i);
		prctl(PR_SET_NAME, name);
		call("different");
	}
}

static void *in_thread(void *ignored)
{
	prctl(PR_SET_NAME, "worker");
	call("thread");
	return ignored;
}

static void thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, in_thread, NULL);
	pthread_join(t, NULL);
}

static void name(void)
{
	prctl(PR_SET_NAME, "\033[31m\n::error\xff");
	call("named");
}

/* Its memory is nobody else's business. */
static void undumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	call("secret");
}

/* Numbers only: what strace(1) would call them. */
static void flags(void)
{
	rename_self();
	syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	rename_self();
	syscall(SYS_socket, AF_INET, SOCK_STREAM, 6);
	rename_self();
	syscall(SYS_ioctl, 0, 0x5412UL | 1UL << 32, NULL);
	rename_self();
	syscall(SYS_ioctl, 3, 0xc0481234UL, NULL);
	rename_self();
	syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rename_self();
	syscall(SYS_unshare, CLONE_NEWUSER | 0x1UL << 40);
	rename_self();
	syscall(SYS_kill, INT_MAX, SIGTERM);
	rename_self();
	syscall(SYS_openat, AT_FDCWD, "new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	rename_self();
	syscall(SYS_openat, AT_FDCWD, "old", O_RDONLY, 0640);
	rename_self();
	syscall(SYS_openat, 9, "sync", O_RDWR | O_SYNC | O_DIRECTORY);
	rename_self();
	syscall(SYS_unlinkat, AT_FDCWD, "gone", AT_REMOVEDIR);
	rename_self();
	syscall(SYS_fcntl, 1, F_SETFL, O_NONBLOCK);
	rename_self();
	syscall(SYS_fcntl, 1, F_GETFD);
	rename_self();
	syscall(SYS_setresuid, -1, 0, -1);
	rename_self();
	syscall(SYS_fchmodat, AT_FDCWD, "set", 04755);
	rename_self();
	syscall(SYS_mknodat, AT_FDCWD, "dev", S_IFCHR | 0600, makedev(1, 3));
	rename_self();
	syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	rename_self();
	syscall(SYS_setsockopt, 3, SOL_SOCKET, SO_REUSEADDR, NULL, 4);
	rename_self();
	syscall(SYS_lseek, 3, -1L, SEEK_END);
	rename_self();
	syscall(SYS_bpf, 0, NULL, 0);
	rename_self();
	syscall(SYS_ptrace, 16, INT_MAX, NULL, NULL);
}

static void program(const char **argv)
{
	rename_self();
	syscall(SYS_execveat, AT_FDCWD, "/bin/x", argv, NULL, 0);
}

static void arguments(void)
{
	const char *many[] = { "a", "b c", "\n", "4", "5", "6", "7", "8", "9", NULL };
	const char **bad = (const char **)edge(8);

	program(many);
	program((const char **)8);
	bad[0] = "first";
	program(bad);
	many[1] = (const char *)16;
	many[2] = NULL;
	program(many);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = { { "pointers", pointers }, { "edges", edges }, { "lengths", lengths }, { "addresses", addresses },
		{ "texts", texts }, { "structs", structs }, { "race", race }, { "death", death }, { "repeats", repeats },
		{ "kinds", kinds }, { "thread", thread }, { "name", name }, { "arguments", arguments },
		{ "undumpable", undumpable }, { "flags", flags } };

	for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof cases[0]; i++)
		if (strcmp(cases[i].name, argv[1]) == 0) {
			cases[i].run();
			return 0;
		}
	return 2;
}
