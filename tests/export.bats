#!/usr/bin/env bats
# stagefencectl export: what others make of a stage is what the stage means, or it is said what is not. Real engines try it.

setup() {
	load lib
	policy job '{ name = "build"; block_calls = "mkdir"; block_action = "errno";
    rules = ( { calls = "ioctl"; action = "errno"; errno = "EACCES"; args = ( { arg = 1; op = "=="; value = "TIOCSTI"; } ); } ); }'
}

# export_to FORMAT FILE [OPTION...]: without the notes
export_to() {
	stagefencectl export --to "$1" -o "$2" -c job.conf "${@:3}" 2>notes
}

# refused LINE OPTION...: it is said so, and nothing is written; with --lossy it is a note
refused() {
	rm -f out
	run -1 stagefencectl export -c job.conf "${@:2}" -o out
	echo "$output"
	[ ! -e out ]
	grep -qF "$1" <<<"$output"
	run -0 stagefencectl export -c job.conf "${@:2}" -o out --lossy
	[ -s out ]
	grep -F 'note: stage build: not carried over' <<<"$output" | grep -qF "${1##*: cannot be carried over}"
}

@test "a profile answers as the policy does, for random policies, by what libseccomp makes of it" {
	# -s: the same policies each time; make fuzz takes others
	run -0 within 120 "$helpers/random" -n 0 -x 25 -s 41 -e "$helpers/engine"
	echo "$output"
	[[ "$output" =~ ([0-9]+)\ profiles,\ ([0-9]+)\ judgments.*\ 0\ answers\ looser ]]
	[ "${BASH_REMATCH[1]}" -ge 25 ]
	[ "${BASH_REMATCH[2]}" -ge 500000 ]
	[[ "$output" == *" 0 disagreements" ]]
}

@test "the profile is JSON that names rules by their lines and unknown calls ENOSYS" {
	needs program jq
	export_to oci job.json
	[ "$(jq -c '[.defaultAction, .defaultErrnoRet, .architectures]' job.json)" = \
		'["SCMP_ACT_ERRNO",38,["SCMP_ARCH_X86_64"]]' ] || needs x86_64
	[ "$(jq -c '.syscalls[] | select(.names | index("mkdir")) | [.action, .errnoRet, .comment]' job.json)" = \
		'["SCMP_ACT_ERRNO",1,"job.conf:3"]' ]
	[ "$(jq -c '.syscalls[] | select(.errnoRet == 13) | [.names, .args, .comment]' job.json)" = \
		'[["ioctl"],[{"index":1,"value":4294967295,"valueTwo":21522,"op":"SCMP_CMP_MASKED_EQ"}],"job.conf:4"]' ]
	"$helpers/engine" job.json >job.bpf
	[ -s job.bpf ]
	# an engine skips rules whose action is the default one, and libseccomp is wrong where two rules overlap
	[ "$(jq '[.syscalls[] | select(.action == "SCMP_ACT_ERRNO" and .errnoRet == 38)] | length' job.json)" = 0 ]
}

# bundle COMMAND...: what crun runs, with job.json
bundle() {
	mkdir -p bundle/rootfs/dev bundle/rootfs/proc
	rm -rf bundle/rootfs/made
	cp "$helpers/try-static" bundle/rootfs/try
	(cd bundle && rm -f config.json && { crun spec || runc spec; } 2>/dev/null)
	jq --slurpfile s job.json --args '.linux.seccomp = $s[0] | .process.terminal = false | .process.args = $ARGS.positional
		| .root.readonly = false | .mounts = [ { destination: "/proc", type: "proc", source: "proc" } ] | .linux.namespaces = [ { type: "mount" }, { type: "pid" } ]
		| del(.hostname, .linux.resources, .linux.maskedPaths, .linux.readonlyPaths)' "$@" <bundle/config.json >bundle/new
	mv bundle/new bundle/config.json
}

# run_bundle CGROUPS ENGINE [OPTION...]: where cgroups of both kinds are mounted, crun wants neither, and runc one kind
run_bundle() {
	within 30 unshare --mount sh -c 'umount -R -l /sys/fs/cgroup; mount -t "$1" none /sys/fs/cgroup || exit 99
		bundle=$2 engine=$3; shift 3
		exec "$engine" --root "$PWD/$engine" "$@" run --bundle bundle "$bundle"' - "$1" "stagefence-$$" "${@:2}"
}

# refuses_mkdir RUN_BUNDLE'S...: what the stage refuses, and beside it, without the rule, nothing
refuses_mkdir() {
	export_to oci job.json
	bundle /try mkdir uname
	run run_bundle "$@"
	[ "$status" != 99 ] || skip "no $1 can be mounted here"
	[ "$output" = "mkdir EPERM
uname EFAULT" ]
	[ "$status" = 0 ]
	policy job '{ name = "build"; }'
	export_to oci job.json
	bundle /try mkdir uname
	run -0 run_bundle "$@"
	[ "$output" = "mkdir ok
uname EFAULT" ]
}

@test "crun takes the profile and refuses what the stage refuses" {
	needs root
	needs program crun
	needs program jq
	refuses_mkdir tmpfs crun --cgroup-manager=disabled
}

@test "runc takes the profile and refuses what the stage refuses" {
	needs root
	needs program runc
	needs program jq
	refuses_mkdir cgroup2 runc
}

@test "bubblewrap takes the bare filter and refuses what the stage refuses" {
	needs program bwrap
	export_to bpf job.bpf
	bwrap --ro-bind / / true || skip "bubblewrap may not make namespaces here"
	run -0 within 20 bwrap --ro-bind / / --bind "$PWD" "$PWD" --seccomp 9 "$helpers/try" mkdir uname 9<job.bpf
	[ "$output" = "mkdir EPERM
uname EFAULT" ]
	run -0 within 20 bwrap --ro-bind / / --bind "$PWD" "$PWD" "$helpers/try" mkdir uname
	[ "$output" = "mkdir ok
uname EFAULT" ]
}

@test "setpriv takes the bare filter and refuses what the stage refuses" {
	setpriv --help | grep -q -e --seccomp-filter || skip "setpriv has no --seccomp-filter: util-linux before 2.41"
	export_to bpf job.bpf
	run -0 within 20 setpriv --no-new-privs "$helpers/try" mkdir uname
	[ "${lines[0]}" = "mkdir ok" ]
	rmdir made
	run -0 within 20 setpriv --no-new-privs --seccomp-filter job.bpf "$helpers/try" mkdir uname
	[ "$output" = "mkdir EPERM
uname EFAULT" ]
}

@test "the C array is the bare filter, and a program that embeds it is confined" {
	export_to c job.h
	export_to bpf job.bpf
	cat >embed.c <<-'END'
		#include <stdio.h>
		#include <string.h>
		#include <unistd.h>
		#include <linux/seccomp.h>
		#include <sys/prctl.h>
		#include <sys/stat.h>
		#include "job.h"
		int main(int argc, char **argv)
		{
			struct sock_fprog p = { sizeof stage_build / sizeof stage_build[0], (void *)stage_build };
			if (argc > 1)
				return fwrite(stage_build, 1, sizeof stage_build, stdout) != sizeof stage_build;
			if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) != 0)
				return 3;
			if (rmdir("none") == 0)
				return 4;
			puts(mkdir("made", 0755) == 0 ? "made" : "refused");
			return 0;
		}
	END
	${CC:-cc} -Wall -Werror -o embed embed.c
	./embed array | cmp - job.bpf
	run -0 within 10 ./embed
	[ "$output" = refused ]
	[ ! -e made ]
}

@test "systemd takes the lines, and understands each" {
	needs program systemd-analyze
	policy job '{ name = "build"; block_calls = [ "mkdir", "execve" ]; block_action = "errno"; architectures = [ "x86" ];
    rules = ( { calls = "ptrace"; action = "kill_process"; }, { calls = "uname"; action = "errno"; errno = "ENOSYS"; } ); }'
	export_to systemd job.service
	echo "ExecStart=/bin/true" >>job.service
	run systemd-analyze verify "./job.service"
	# names that its libseccomp does not have yet are all that it may leave out
	[ -z "$(grep -v 'Failed to parse system call, ignoring: ' <<<"$output")" ]
	grep -qx SystemCallErrorNumber=ENOSYS job.service
	grep -qE '^SystemCallFilter=~.*\bmkdir:EPERM\b' job.service
	grep -qE '^SystemCallFilter=~.*\bptrace:kill\b' job.service
	# systemd allows execve where it is not refused by name; what gets the default errno has no errno of its own
	grep -qE '^SystemCallFilter=~.*\bexecve:EPERM\b' job.service
	grep -qE '^SystemCallFilter=~.*\buname( |$)' job.service
	grep -qE '^SystemCallFilter=[^~]*\brmdir\b' job.service
	[ "$(uname -m)" != x86_64 ] || grep -qx 'SystemCallArchitectures=x86-64 x86' job.service
	[ "$(grep -c '^SystemCallFilter=' job.service)" -gt 5 ]
	# the first line decides what kind of list it is
	[[ "$(grep -m1 '^SystemCallFilter=' job.service)" != *'~'* ]]
}

@test "libseccomp's pseudo code is what an engine's filter does" {
	export_to pfc job.pfc
	grep -q '# filter for syscall "mkdir"' job.pfc
	grep -q 'action ERRNO(1)' job.pfc
	grep -q 'default action' job.pfc
}

@test "what a profile cannot say is said with file and line, and not written without --lossy" {
	policy job '{ name = "build"; rules = (
    { calls = "setuid"; action = "errno"; args = ( { arg = 0; op = "=="; value = "$uid"; } ); } ); }'
	refused 'job.conf:4: stage build: cannot be carried over to oci: setuid: $uid and $gid' --to oci
	refused 'job.conf:4: stage build: cannot be carried over to bpf: setuid: $uid and $gid' --to bpf
	policy job '{ name = "build"; rules = ( { calls = "uname"; action = "notify"; },
    { calls = "getppid"; action = "errno"; errno = 4095; } ); }'
	refused 'job.conf:3: stage build: cannot be carried over to oci: uname: notify takes a listener' --to oci
	refused 'job.conf:4: stage build: cannot be carried over to oci: getppid: libseccomp returns no errno 4095' --to oci
	policy job '{ name = "build"; bad_arch_action = "trap"; log_blocked = true; }'
	refused 'job.conf:3: stage build: cannot be carried over to oci: bad_arch_action' --to oci
	refused 'job.conf:3: stage build: cannot be carried over to bpf: log_blocked' --to bpf
	run -0 stagefencectl export --to oci --lossy -c job.conf
	[[ "$output" == *SECCOMP_FILTER_FLAG_LOG* ]]
}

@test "too many conditions are said, and with --lossy the call gets the strictest answer" {
	needs program jq
	local i rules=
	for i in {0..5}; do
		rules+="{ calls = \"kcmp\"; action = \"errno\"; args = ( { arg = $((i % 5)); op = \"==\"; value = \"$((i * 77 + 1))\"; } ); },"
	done
	policy job "{ name = \"build\"; rules = ( ${rules%,} ); }"
	refused 'kcmp: its conditions, put as comparisons that exclude each other, are too many' --to oci
	[ "$(jq -c '.syscalls[] | select(.names == ["kcmp"]) | [.action, .errnoRet, .args]' out)" = '["SCMP_ACT_ERRNO",1,null]' ]
	# several on one argument are one comparison, or a few
	policy job '{ name = "build"; rules = ( { calls = "kill"; action = "errno";
    args = ( { arg = 1; op = ">"; value = "3"; }, { arg = 1; op = "<="; value = "9"; } ); } ); }'
	export_to oci job.json
}

@test "systemd has no conditions, logs and traps: each is said" {
	policy job '{ name = "build"; rules = (
    { calls = "uname"; action = "log"; }, { calls = "getppid"; action = "trap"; },
    { calls = "ioctl"; action = "errno"; args = ( { arg = 1; op = "=="; value = "TIOCSTI"; } ); } ); }'
	refused 'job.conf:4: stage build: cannot be carried over to systemd: uname: log' --to systemd
	refused 'job.conf:4: stage build: cannot be carried over to systemd: getppid: there is no trap' --to systemd
	refused 'job.conf:5: stage build: cannot be carried over to systemd: ioctl: there are no conditions' --to systemd
	grep -qE '^SystemCallFilter=~.*\bioctl:EPERM\b' out
	grep -qE '^SystemCallFilter=~.*\bgetppid:kill\b' out
}

@test "libseccomp's own mistakes for i386 are found out, not written" {
	needs x86_64
	# it compares 32 bits there, of both: a policy's condition on more would hold for every value with the same lower half
	policy job '{ name = "build"; architectures = [ "x86" ];
    rules = ( { calls = "lseek"; action = "errno"; args = ( { arg = 1; op = "=="; value = "0x100000005"; } ); } ); }'
	refused 'lseek: libseccomp compares 32 bits' --to oci
	# and what is said of socket there is put on socketcall, too, without its arguments
	policy job '{ name = "build"; architectures = [ "x86" ];
    rules = ( { calls = "socketcall"; exact = true; action = "errno"; args = ( { arg = 0; op = "=="; value = "1"; } ); } ); }'
	refused "socketcall: libseccomp $(stagefencectl -V | sed 's/.*libseccomp \([0-9.]*\).*/\1/') makes allow of it (i386)" --to oci
	# where i386 is not admitted, it is nobody's mistake
	policy job '{ name = "build"; rules = (
    { calls = "lseek"; action = "errno"; args = ( { arg = 1; op = "=="; value = "0x100000005"; } ); } ); }'
	export_to oci job.json
}

@test "a pod's lines go to the terminal, the profile to its file" {
	needs program jq
	run -0 stagefencectl export --to oci --kubernetes -c job.conf -o build.json
	[[ "$output" == *"    type: Localhost
    localhostProfile: profiles/build.json"* ]]
	[[ "$output" == *"allowPrivilegeEscalation: false"* ]]
	jq -e .defaultAction build.json >/dev/null
	run -2 stagefencectl export --to oci --kubernetes -c job.conf
	run -2 stagefencectl export --to bpf --kubernetes -c job.conf -o out
}

@test "a disabled stage, a stage that does not compile and an unknown format are not exported" {
	policy job '{ name = "build"; disabled = true; }'
	run -1 stagefencectl export --to oci -c job.conf
	[ "$output" = "stagefencectl: job.conf:3: stage build is disabled: there is no filter to export" ]
	policy job '{ name = "build"; block_calls = "mkdri"; block_action = "errno"; }'
	run -1 stagefencectl export --to oci -c job.conf
	[ "$output" = "stagefencectl: job.conf:3: unknown system call mkdri" ]
	run -2 stagefencectl export --to docker -c job.conf
	run -2 stagefencectl export -c job.conf
	policy job '{ name = "a"; }, { name = "b"; }'
	run -1 stagefencectl export --to oci -c job.conf
	[ "$output" = "stagefencectl: there are 2 stages: name one with -s" ]
}

@test "a name, a comment and a file's name cannot break out of what is written" {
	needs program jq
	local name='a*/\\\"; #evil'
	policy 'job' "{ name = \"$name\"; rules = ( { calls = \"mkdir\"; action = \"errno\"; comment = \"\\\"}]}\\n*/\"; } ); }"
	export_to oci job.json
	jq -e '.syscalls[] | select(.comment != null) | select(.comment | test("mkdir|job.conf"))' job.json >/dev/null
	export_to c job.h
	echo 'int main(void) { return (int)sizeof stage_a_______evil == 0; }' >>job.h
	${CC:-cc} -x c -Wall -Werror -fsyntax-only job.h || { cat job.h | head -8; false; }
	export_to systemd job.service
	[ -z "$(grep -v '^\(#\|\[Service\]\|[A-Za-z]*=\)' job.service)" ]
	[ -z "$(grep evil job.service)" ]
}

@test "whoever exports a stage that refuses execve is told that nothing may start" {
	policy job '{ name = "build"; block_calls = "execve"; block_action = "errno"; }'
	run -0 stagefencectl export --to bpf -c job.conf -o out
	[[ "$output" == *"job.conf:3: note: stage build refuses execve: whoever raises this filter"* ]]
}

@test "the bare filter has no prologue of ours: nothing answers for the wrapper" {
	export_to c job.h
	# the answer to the wrapper's question, 2641 (fence.h), as SECCOMP_RET_ERRNO
	run -1 grep -i 0x00050a51 job.h
	grep -qi 0x00050001 job.h
}
