/*
 * spank.c: spank_stagefence.so, a plugin for Slurm (spank(8)) that raises a stage's fence in each
 * task before its program is executed: batch scripts, steps of srun, static programs, interactive
 * steps. Nothing that a user can set stands between: neither environment nor a prolog of his own.
 *
 * It maps the compiled image and raises; it never compiles. Whatever goes wrong ends the task with
 * one line and exit status 125, also where plugstack.conf says `optional`: the plugin runs in the
 * task's own process, after fork(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <slurm/slurm.h>
#include <slurm/spank.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../preload/fence.h"
#include "../preload/load.h"
#include "supervise.h"

SPANK_PLUGIN(stagefence, 1)

enum { NAME_MAX_SIZE = IMAGE_NAME_MAX + 1, DIGEST_TEXT = 64 };

/* What names the stage of every task. */
enum { FROM_PARTITION, FROM_ACCOUNT, FROM_QOS };

static struct {
	const char *image;
	const char *supervisor; /* stagefencectl(8) */
	int from;
	const char *choice;  /* "a,b": what --stagefence may name */
	const char *answers; /* a folder of root's; see struct answer */
	const char *digests; /* "hex,hex": the policies that this site runs; NULL: any */
	bool warns_of_digest, takes_stale;
	const char *wrong; /* a setting that none is; no task runs under half a configuration */
} site = { .image = PATH_IMAGE, .supervisor = PATH_COMPILER, .answers = "/run/stagefence-slurm" };

static char wish[NAME_MAX_SIZE]; /* --stagefence */
static char stage_name[NAME_MAX_SIZE];
static bool answered; /* stage_name is what the controller told, or the setting */

/*
 * What the controller told one step, for the job's other steps on this node while that step lives:
 * a file of the job's number in site.answers. The slurmstepd that wrote it holds a lock on it for
 * as long as it lives, and the kernel drops that with the process: no answer outlives a run of the
 * job, which ends on a node with its last step there. So a job that is requeued into another
 * partition, or a number that is used again, finds no answer that holds, whatever file was left
 * behind, and no prolog has to clear it away: a failing one would drain the node, and Slurm starts
 * a program for each, which takes longer than asking.
 */
struct answer {
	char mark[16];
	uint32_t job, uid, from;
	char name[NAME_MAX_SIZE];
};

static const char answer_mark[16] = "stagefence job 1";

/* The bytes of the file that are locked: held while it is written, and once it is true. */
enum answer_lock { LOCK_WRITES, LOCK_HOLDS };

static int answer_fd = -1; /* with our locks */

static bool wrong_setting(const char *what, const char *value)
{
	slurm_error("stagefence: plugstack.conf: %s: %s", value, what);
	site.wrong = what;
	return false;
}

static _Noreturn void refuse(const char *a, const char *b, const char *c)
{
	raw_say("task refused: ", a, b, c, NULL);
	_exit(RAW_OUR_FAILURE);
}

/* Is name one of the words of list, which stand between commas? */
static bool listed(const char *list, const char *name, size_t length)
{
	for (const char *p = list; p != NULL; p = strchr(p, ',')) {
		p += *p == ',';
		if (strcspn(p, ",") == length && memcmp(p, name, length) == 0)
			return true;
	}
	return false;
}

/* Said here for people; on the node, where it counts, confine() looks again. */
static int keep_wish(int value, const char *stage, int remote)
{
	(void)value;
	if (!remote && !listed(site.choice, stage, strlen(stage))) {
		slurm_error("stagefence: --stagefence=%s: %s%s", stage,
		    site.choice != NULL ? "this site offers " : "this site offers no stages",
		    site.choice != NULL ? site.choice : "");
		return ESPANK_BAD_ARG;
	}
	snprintf(wish, sizeof wish, "%s", stage[0] != '\0' ? stage : "?");
	return ESPANK_SUCCESS;
}

static struct spank_option option = { "stagefence", "STAGE",
	"confine the tasks by this stage's policy, beside the site's own", 1, 0, keep_wish };

static bool setting(const char *text, const char *name, const char **value)
{
	size_t length = strlen(name);

	if (strncmp(text, name, length) != 0 || text[length] != '=' || text[length + 1] == '\0')
		return false;
	*value = text + length + 1;
	return true;
}

static bool read_settings(int count, char **settings)
{
	for (int i = 0; i < count; i++) {
		const char *value;

		if (setting(settings[i], "image", &site.image)) {
			if (site.image[0] != '/')
				return wrong_setting("image= takes an absolute path", site.image);
		} else if (setting(settings[i], "stagefencectl", &site.supervisor)) {
			if (site.supervisor[0] != '/')
				return wrong_setting(
				    "stagefencectl= takes an absolute path", site.supervisor);
		} else if (setting(settings[i], "answers", &site.answers)) {
			if (site.answers[0] != '/')
				return wrong_setting(
				    "answers= takes an absolute path", site.answers);
		} else if (setting(settings[i], "from", &value)) {
			if (strcmp(value, "partition") == 0)
				site.from = FROM_PARTITION;
			else if (strcmp(value, "account") == 0)
				site.from = FROM_ACCOUNT;
			else if (strcmp(value, "qos") == 0)
				site.from = FROM_QOS;
			else
				return wrong_setting(
				    "from= takes partition, account or qos", value);
		} else if (setting(settings[i], "stage", &value)) {
			if (strlen(value) >= sizeof stage_name)
				return wrong_setting("stage= takes the name of a stage", value);
			strcpy(stage_name, value);
			answered = true;
		} else if (setting(settings[i], "digest", &site.digests)) {
			for (const char *p = site.digests; p != NULL; p = strchr(p, ',')) {
				p += *p == ',';
				if (strspn(p, "0123456789abcdef") != DIGEST_TEXT ||
				    (p[DIGEST_TEXT] != ',' && p[DIGEST_TEXT] != '\0'))
					return wrong_setting(
					    "digest= takes what stagefencectl digest prints", p);
			}
		} else if (setting(settings[i], "other_digest", &value)) {
			site.warns_of_digest = strcmp(value, "warn") == 0;
			if (!site.warns_of_digest && strcmp(value, "refuse") != 0)
				return wrong_setting("other_digest= takes refuse or warn", value);
		} else if (setting(settings[i], "stale", &value)) {
			site.takes_stale = strcmp(value, "use") == 0;
			if (!site.takes_stale && strcmp(value, "refuse") != 0)
				return wrong_setting("stale= takes refuse or use", value);
		} else if (!setting(settings[i], "choice", &site.choice))
			return wrong_setting("there is no such setting", settings[i]);
	}
	return true;
}

/* ---- the stage ---- */

/*
 * The controller's word. SLURM_JOB_PARTITION comes from srun, which is a program of the user's: one
 * that sends another name is told from the site's by nobody on the node. Account and QOS are set
 * where there is accounting, and are the job's own word otherwise.
 */
static void ask_controller(uint32_t id)
{
	job_info_msg_t *message = NULL;

	/* without SHOW_LOCAL a first message asks whether there is a federation of clusters; the
	 * job that runs here is this cluster's own */
	if (slurm_load_job(&message, id, SHOW_ALL | SHOW_LOCAL) != 0)
		return;
	for (uint32_t i = 0; i < message->record_count; i++) {
		const slurm_job_info_t *job = &message->job_array[i];
		const char *name = site.from == FROM_PARTITION ? job->partition
		    : site.from == FROM_QOS                    ? job->qos
							       : job->account;

		if (job->job_id != id || (name != NULL && strlen(name) >= sizeof stage_name))
			continue;
		strcpy(stage_name, name != NULL ? name : "");
		answered = true;
		break;
	}
	slurm_free_job_info_msg(message);
}

static struct flock lock_of(enum answer_lock which)
{
	return (
	    struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = which, .l_len = 1 };
}

static bool take_lock(int fd, enum answer_lock which)
{
	struct flock lock = lock_of(which);

	return fcntl(fd, F_SETLK, &lock) == 0;
}

/* Does another process that lives say that what stands in fd is true? */
static bool holds(int fd)
{
	struct flock lock = lock_of(LOCK_HOLDS);

	return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static int open_answers(void)
{
	struct trust_refusal no;
	struct raw_stat st;
	int fd;

	if (mkdir(site.answers, 0700) != 0 && errno != EEXIST) {
		slurm_info("stagefence: answers=%s: %s", site.answers, strerror(errno));
		return -1;
	}
	fd = trust_open(site.answers, TRUST_FOLDER, &st, &no);
	if (fd < 0)
		slurm_info("stagefence: answers=%s: %s %s", site.answers, no.name,
		    no.fault == TRUST_ERROR ? strerror((int)no.error) : trust_text(no.fault));
	return fd;
}

/* The file of a job's answer, which is made if there is none; or -1. */
static int open_answer(uint32_t job)
{
	char name[16];
	struct stat st;
	int folder = open_answers(), fd;

	if (folder < 0)
		return -1;
	snprintf(name, sizeof name, "%u", job);
	/* O_NONBLOCK: nothing but a file is read, but something else might lie there */
	fd = openat(
	    folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	close(folder);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
	    (st.st_mode & 077) == 0)
		return fd;
	slurm_info("stagefence: answers=%s: %s is not a file of root's alone", site.answers, name);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Removes the file that fd is, unless another has been put into its place. */
static void remove_answer(uint32_t job, int fd)
{
	char name[16];
	struct stat ours, there;
	int folder = open_answers();

	snprintf(name, sizeof name, "%u", job);
	if (folder >= 0 && fstat(fd, &ours) == 0 &&
	    fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && ours.st_ino == there.st_ino)
		unlinkat(folder, name, 0);
	if (folder >= 0)
		close(folder);
}

/* Takes the answer that another step of this job had, if one holds; else asks, and lets it hold for
 * those that come. Only slurmstepd itself may do this: a task's lock would end with execve(2). */
static void take_answer(uint32_t job, uint32_t uid)
{
	struct answer a = { .job = job, .uid = uid, .from = (uint32_t)site.from };
	/* a job of slurmd's own user could write whatever slurmd can */
	int fd = geteuid() == 0 ? open_answer(job) : -1;

	if (fd >= 0 && holds(fd) && pread(fd, &a, sizeof a, 0) == sizeof a &&
	    memcmp(a.mark, answer_mark, sizeof a.mark) == 0 && a.job == job && a.uid == uid &&
	    a.from == (uint32_t)site.from && memchr(a.name, '\0', sizeof a.name) != NULL) {
		memcpy(stage_name, a.name, sizeof stage_name);
		answered = true;
		close(fd);
		return;
	}

	bool writes = fd >= 0 && take_lock(fd, LOCK_WRITES);

	ask_controller(job);
	a = (struct answer){ .job = job, .uid = uid, .from = (uint32_t)site.from };
	memcpy(a.mark, answer_mark, sizeof a.mark);
	memcpy(a.name, stage_name, sizeof a.name);
	if (writes && answered && pwrite(fd, &a, sizeof a, 0) == sizeof a &&
	    take_lock(fd, LOCK_HOLDS))
		answer_fd = fd;
	else if (writes)
		remove_answer(job, fd);
	if (fd >= 0 && answer_fd < 0)
		close(fd);
}

static void name_stage(spank_t spank, bool is_task)
{
	static bool asked;
	uint32_t job, uid;

	if (!asked && !answered && spank_get_item(spank, S_JOB_ID, &job) == ESPANK_SUCCESS &&
	    spank_get_item(spank, S_JOB_UID, &uid) == ESPANK_SUCCESS) {
		if (is_task)
			ask_controller(job);
		else
			take_answer(job, uid);
	}
	asked = true;
}

/* ---- the fence ---- */

static bool pinned(const struct image_header *h)
{
	char text[DIGEST_TEXT + 1];

	for (unsigned i = 0; i < sizeof h->digest; i++)
		snprintf(text + 2 * (size_t)i, 3, "%02x", h->digest[i]);
	return listed(site.digests, text, DIGEST_TEXT);
}

static const struct image_header *open_image(void)
{
	struct trust_refusal no;
	struct raw_stat st;
	enum image_fault fault;
	/* a cluster of one user's own: the policy may be his */
	int fd = trust_open(site.image, geteuid() != 0 ? TRUST_CALLER : 0, &st, &no);

	if (fd < 0 && no.fault == TRUST_ERROR)
		refuse(site.image, ": ", strerror((int)no.error));
	if (fd < 0)
		refuse(no.name, " ", trust_text(no.fault));

	const struct image_header *h = load_map(fd, st.size, &fault);

	close(fd);
	if (h == NULL)
		refuse(site.image, ": ", image_fault_text(fault));
	if (!site.takes_stale && !image_fresh(h))
		refuse(site.image, " is older than the policy that it was made from:",
		    " run stagefencectl compile on this node");
	if (site.digests != NULL && !pinned(h)) {
		if (!site.warns_of_digest)
			refuse(site.image, " is not the policy that plugstack.conf pins",
			    " (stagefencectl digest)");
		raw_say("warning: ", site.image, " is not the policy that plugstack.conf pins",
		    NULL, NULL);
	}
	return h;
}

/* The stage of a name; IMAGE_PASS: the policy says that it goes without. */
static uint32_t find(const struct image_header *h, const char *name)
{
	uint32_t stage = name[0] == '\0' ? h->no_stage : image_find(h, name);

	if (stage == IMAGE_NONE && name[0] != '\0')
		stage = h->unknown_stage;
	if (stage == IMAGE_NONE)
		refuse("no stage answers to ", name[0] != '\0' ? name : "a job without a name",
		    " in this site's policy");
	return stage;
}

/* The image as the supervisor takes it: in memory that nobody can change. */
static int sealed_image(const struct image_header *h)
{
	int fd = memfd_create("stagefence", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || write(fd, h, h->size) != (ssize_t)h->size ||
	    fcntl(fd, F_ADD_SEALS, RAW_SEALS) != 0)
		refuse("no memory to hand the policy image over", NULL, NULL);
	return fd;
}

/*
 * Raises the program with a listener for a supervisor, which tells on the job's stderr what is
 * refused. False: there can be none here, which has been said, and the fence is to be raised
 * without.
 */
static bool raise_reported(
    const struct image_header *h, uint32_t stage, uint32_t number, const struct sock_filter *code)
{
	static struct supervise_stack stack[2];
	static struct sock_filter told[BPF_MAXINSNS + FENCE_GUARD_MAX];
	const struct image_stage *s = image_stage(h, stage);
	const struct image_program *p = image_program(h, number);
	unsigned count = fence_listened(
	    told, code, p, FENCE_REPORT, (s->flags & STAGE_FOREIGN) != 0);
	char text[4][24];
	int pair[2], fd = sealed_image(h);
	const char *argv[] = { "stagefencectl", "supervise", text[0], text[1], text[2], text[3], "",
		"", NULL };
	struct supervise_start start = { .program = site.supervisor, .argv = argv, .stack = stack };
	long error;

	if (count > BPF_MAXINSNS)
		refuse("stage ", image_string(h, s->name), ": too long for one that reports");
	/* no other process of the user's may fetch the listener from us; execve(2) sets this back
	 */
	if (prctl(PR_SET_DUMPABLE, 0) != 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		refuse("no socket for the supervisor: ", strerror(errno), NULL);
	snprintf(text[0], sizeof text[0], "%d", pair[1]);
	snprintf(text[1], sizeof text[1], "%d", fd);
	snprintf(text[2], sizeof text[2], "%u", stage);
	snprintf(text[3], sizeof text[3], "%u", number);
	start.keep[0] = pair[1];
	start.keep[1] = fd;
	error = supervise_begin(&start);
	close(pair[1]);
	close(fd);
	if (error != 0)
		refuse(site.supervisor, ", the supervisor: ", strerror((int)-error));
	supervise_expect(pair[0]);
	error = supervise_raise(told, count, p, pair[0], true, stack);
	if (error == 0)
		return true;
	if (error != -EBUSY && error != -EINVAL)
		refuse("the fence cannot be raised with a listener: ", strerror((int)-error), NULL);
	raw_say("stage ", image_string(h, s->name),
	    " runs without reports: ", strerror((int)-error), NULL);
	return false;
}

/*
 * Does the program leave calls to an agent? There is none for a task, and such a call fails with
 * ENOSYS, unless a later filter of the job's has a listener: then that one would decide.
 */
static bool asks_agent(const struct sock_filter *code, const struct image_program *p)
{
	for (unsigned i = fence_prologue_count(p); i < p->count; i++)
		if (code[i].code == (BPF_RET | BPF_K) &&
		    (code[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
			return true;
	return false;
}

/* Raises the stage's fence, if it is one for this moment: without no_new_privs while the task has
 * its privileges, with it when it is the user's. */
static void raise(
    const struct image_header *h, uint32_t i, bool privileged, bool reports, const uint32_t ids[2])
{
	const struct image_stage *s = i == IMAGE_PASS ? NULL : image_stage(h, i);

	if (s == NULL || !image_fenced(s) || privileged == !!(s->flags & STAGE_NO_NEW_PRIVS))
		return;

	const char *name = image_string(h, s->name);

	if ((s->flags & STAGE_STRICT) || s->outer != IMAGE_NONE || s->exec != s->exact)
		refuse("stage ", name,
		    " refuses what starts a program (execve, or the loader's calls): "
		    "not for a task of Slurm");

	const struct image_program *p = image_program(h, s->exact);
	const struct sock_filter *sound = image_code(h, p);
	static struct sock_filter code[BPF_MAXINSNS], guarded[BPF_MAXINSNS + FENCE_GUARD_MAX];
	struct image_program raised = *p;

	if (sound == NULL)
		refuse("the policy image is damaged: the sum of stage ", name, "'s program");
	if (fence_ask(p->digest))
		return;
	memcpy(code, sound, p->count * sizeof *code);
	/* the job's, also while we are still root */
	for (uint32_t k = FENCE_ATTEST_COUNT; k < p->count; k++)
		if (fence_place(&code[k]) < 2)
			code[k].k = ids[fence_place(&code[k])];
	if (!privileged && raw_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		refuse("the kernel refuses no_new_privs", NULL, NULL);

	/* the supervisor is the user's; of the two stages of a task only the site's has one */
	if (!privileged && reports && (s->flags & STAGE_REPORT) &&
	    raise_reported(h, i, s->exact, code))
		return;

	bool asks = asks_agent(code, p);

	if (asks)
		raised.count = fence_listened(
		    guarded, code, p, FENCE_AGENT, (s->flags & STAGE_FOREIGN) != 0);
	if (raised.count > BPF_MAXINSNS)
		refuse("stage ", name, ": too long for one that asks an agent");

	const char *wrong = fence_raise(asks ? guarded : code, &raised, 0);

	if (wrong != NULL)
		refuse(name, ": the fence ", wrong);
}

static void confine(spank_t spank, bool privileged)
{
	/* mapped by the first of a task's two moments, and gone with execve(2) */
	static const struct image_header *h;
	uint32_t ids[2];
	uid_t uid;
	gid_t gid;

	if (site.wrong != NULL)
		refuse("plugstack.conf: ", site.wrong, NULL);
	name_stage(spank, true);
	if (!answered)
		refuse("the controller does not say what job this is", NULL, NULL);
	if (h == NULL)
		h = open_image();
	if (spank_get_item(spank, S_JOB_UID, &uid) != ESPANK_SUCCESS ||
	    spank_get_item(spank, S_JOB_GID, &gid) != ESPANK_SUCCESS)
		refuse("Slurm does not say whose job it is", NULL, NULL);
	ids[0] = uid;
	ids[1] = gid;
	/* the user's wish first: the site's stage may refuse that another filter is added */
	if (wish[0] != '\0') {
		if (!listed(site.choice, wish, strlen(wish)))
			refuse("--stagefence=", wish, ": not a stage that this site offers");
		raise(h, find(h, wish), privileged, false, ids);
	}
	raise(h, find(h, stage_name), privileged, true, ids);
}

/* ---- what Slurm calls ---- */

/* A wrong setting is no error to Slurm: an optional plugin would be left out, and tasks run without
 * a fence; a required one would fail the node. confine() refuses each task instead. */
int slurm_spank_init(spank_t spank, int count, char **settings)
{
	return read_settings(count, settings) && spank_context() != S_CTX_SLURMD
	    ? spank_option_register(spank, &option)
	    : ESPANK_SUCCESS;
}

/* Once for a step, in slurmstepd, whose tasks inherit what it was told. */
int slurm_spank_init_post_opt(spank_t spank, int count, char **settings)
{
	(void)count;
	(void)settings;
	if (spank_remote(spank) == 1)
		name_stage(spank, false);
	return ESPANK_SUCCESS;
}

/* The end of slurmstepd, and of what it told others. */
int slurm_spank_exit(spank_t spank, int count, char **settings)
{
	uint32_t job;

	(void)count;
	(void)settings;
	if (answer_fd >= 0 && spank_get_item(spank, S_JOB_ID, &job) == ESPANK_SUCCESS)
		remove_answer(job, answer_fd);
	return ESPANK_SUCCESS;
}

/* root, in the task's own process, before it becomes the user's */
int slurm_spank_task_init_privileged(spank_t spank, int count, char **settings)
{
	(void)count;
	(void)settings;
	/* slurmstepd's, which nobody else may write to */
	if (answer_fd >= 0)
		close(answer_fd);
	answer_fd = -1;
	confine(spank, true);
	return ESPANK_SUCCESS;
}

/* the user, before any prolog and before the program */
int slurm_spank_task_init(spank_t spank, int count, char **settings)
{
	(void)count;
	(void)settings;
	confine(spank, false);
	return ESPANK_SUCCESS;
}
