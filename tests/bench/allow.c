/*
 * allow: the allow list that the benchmarks run under.
 *
 *	allow names	print the names of up to 300 calls, one a line
 *	allow bpf	write the same list as a raw BPF program, for bubblewrap and the like
 *
 * The program comes from libseccomp alone, at its best setting (optimize 2): what a user of another
 * tool would hand it. It says what run's policy says: these calls, EPERM for others, no TIOCSTI.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CALLS = 300, NUMBERS = 1024 };

/* Nothing that a shell needs. mlockall, which no container refuses, is how run proves a fence. */
static const char *const refused[] = {
	"_sysctl", "acct", "add_key", "afs_syscall", "bpf", "chroot", "clock_adjtime",
	"clock_settime", "create_module", "delete_module", "epoll_ctl_old", "epoll_wait_old",
	"fanotify_init", "fanotify_mark", "finit_module", "fsconfig", "fsmount", "fsopen", "fspick",
	"get_kernel_syms", "getpmsg", "init_module", "io_uring_enter", "io_uring_register",
	"io_uring_setup", "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl",
	"lookup_dcookie", "mlockall", "mount", "mount_setattr", "move_mount", "name_to_handle_at",
	"nfsservctl", "open_by_handle_at", "open_tree", "perf_event_open", "personality",
	"pivot_root", "process_vm_readv", "process_vm_writev", "ptrace", "putpmsg", "query_module",
	"quotactl", "quotactl_fd", "reboot", "request_key", "security", "setdomainname",
	"sethostname", "setns", "settimeofday", "swapoff", "swapon", "sysfs", "syslog", "tuxcall",
	"umount2", "unshare", "uselib", "userfaultfd", "vhangup", "vserver",
};

static bool is_refused(const char *name)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (strcmp(refused[i], name) == 0)
			return true;
	return false;
}

/* By number, so that only the youngest calls are left out where the machine has more. */
static int choose(int *numbers, bool print)
{
	int count = 0;

	for (int number = 0; number < NUMBERS && count < CALLS; number++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

		if (name != NULL && !is_refused(name)) {
			numbers[count++] = number;
			if (print)
				puts(name);
		}
		free(name);
	}
	return count;
}

static int write_program(const int *numbers, int count)
{
	int ioctl_number = seccomp_syscall_resolve_name("ioctl"), result = 0;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (filter == NULL)
		return -ENOMEM;
	for (int i = 0; i < count && result == 0; i++)
		if (numbers[i] == ioctl_number)
			result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, numbers[i], 1,
			    SCMP_CMP(1, SCMP_CMP_NE, TIOCSTI, 0));
		else
			result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, numbers[i], 0);
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (result == 0)
		result = seccomp_export_bpf(filter, STDOUT_FILENO);
	seccomp_release(filter);
	return result;
}

int main(int argc, char **argv)
{
	int numbers[CALLS], result;

	if (argc == 2 && strcmp(argv[1], "names") == 0) {
		choose(numbers, true);
		return fflush(stdout) == 0 ? 0 : 1;
	}
	if (argc == 2 && strcmp(argv[1], "bpf") == 0) {
		result = write_program(numbers, choose(numbers, false));
		if (result < 0)
			fprintf(stderr, "allow: %s\n", strerror(-result));
		return result < 0 ? 1 : 0;
	}
	fputs("usage: allow names | bpf\n", stderr);
	return 2;
}
