/*
 * gitlab.h: the programs that GitLab Runner's custom executor asks for (config, prepare, run,
 * cleanup), alone or in front of a driver that is there already.
 */
#ifndef STAGEFENCE_GITLAB_H
#define STAGEFENCE_GITLAB_H

struct arena;
struct policy;

/* What the runner said, and what stands around it. */
struct gitlab {
	const struct policy *policy; /* NULL: it could not be read, and that has been said */
	const char *conf;            /* -c, or NULL: the system's */
	const char *wrapper;         /* stagefence(1) */
};

/*
 * The command's words: "config", "prepare", "run" or "cleanup", then a driver's if there is one,
 * then what the runner added. Returns the exit status that the runner understands: 0, its
 * BUILD_FAILURE_EXIT_CODE for the job's failures, its SYSTEM_FAILURE_EXIT_CODE for ours.
 */
int gitlab(const struct gitlab *g, char **words, struct arena *a);

#endif
