/*
 * early-thread.so: a preload library whose constructor, before that of any library behind it, starts a thread. As soon as
 * the program calls getenv(3), the thread tries to make the folder "made-early".
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
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

static void finish(void)
{
	sem_post(&ready);
	pthread_join(thread, NULL);
}

/* DT_INIT, for with -z initfirst that is all that is certain to run first */
void early_thread(void);

void early_thread(void)
{
	sem_init(&ready, 0, 0);
	if (pthread_create(&thread, NULL, make, NULL) != 0)
		_exit(99);
	atexit(finish);
}
