/*
 * early-thread.so: a preload library whose constructor, before that of any library behind it, starts a thread. When the
 * program ends, that thread tries to make the folder "made-early".
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static sem_t ready;
static pthread_t thread;

static void *make(void *unused)
{
	(void)unused;
	sem_wait(&ready);
	syscall(SYS_mkdirat, AT_FDCWD, "made-early", 0777);
	return NULL;
}

static __attribute__((destructor)) void finish(void)
{
	sem_post(&ready);
	pthread_join(thread, NULL);
}

static __attribute__((constructor)) void start(void)
{
	sem_init(&ready, 0, 0);
	if (pthread_create(&thread, NULL, make, NULL) != 0)
		_exit(99);
}
