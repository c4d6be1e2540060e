#!/usr/bin/env bats
# stagefencectl doctor: what is there is told from what is not, whoever hides it, and each loss names who loses by it.

setup() {
	load lib
	policy p '{ name = "build"; block_calls = "mkdir"; block_action = "errno"; },
		{ name = "learn"; rules = ( { calls = "mkdir"; action = "log"; } ); },
		{ name = "told"; block_calls = "mkdir"; block_action = "errno"; log_blocked = true; },
		{ name = "off"; disabled = true; }'
	stagefencectl compile -c p.conf -o p.sfi
}

# row WHAT: the row of the last report
row() {
	grep -E "^(ok  |note|LOST)  $1 " <<<"$output"
}

# fenced CALLS ACTION COMMAND...: under a fence that refuses these calls so
fenced() {
	policy around "{ name = \"around\"; rules = ( { calls = [ $1 ]; $2 exact = true; } ); }"
	stagefence -c around.conf -s around "${@:3}"
}

@test "here nothing is lost, every row has its place, and nothing is changed" {
	run -0 stagefencectl doctor -c p.conf
	[ "${lines[-1]}" = "nothing is lost" ]
	[ "$(printf '%s\n' "${lines[@]}" | grep -cvE '^(ok  |note|LOST)  .{22}  [^ ].*')" = 1 ]
	[ "${#lines[@]}" -ge 30 ]
	[ "$(row policy)" = "ok    policy                  p.conf: 4 stages, fenced: build, learn, told" ]
	[ "$(row 'action log')" = "ok    action log              used by learn" ]
	[ "$(row 'action trap')" = "ok    action trap             no stage uses it" ]
	[ "$(row 'flag LOG')" = "ok    flag LOG                used by told" ]
	[ "$(row 'action kill_process')" = "ok    action kill_process     used by every stage" ]
	[ "$(row 'seccomp filters')" = "ok    seccomp filters         one was raised, and is in force" ]
	local before=$output
	run -0 stagefencectl doctor -c p.sfi
	[ "$output" = "${before/p.conf/p.sfi}" ]
	[ "$(stagefencectl status -c p.conf | head -n 1)" = "this process: no filter, no_new_privs $(grep -q $'NoNewPrivs:\t1' /proc/self/status && echo on || echo off)" ]
}

@test "a filter around us that refuses seccomp(2) is told from a kernel that has none" {
	run -1 fenced '"seccomp"' 'action = "errno"; errno = "EPERM";' stagefencectl doctor -c p.sfi
	[ "$(row 'seccomp filters')" = "LOST  seccomp filters         refused, as by a filter around us: Operation not permitted: build, learn, told cannot be entered" ]
	[ "$(row 'action log')" = "note  action log              refused, as by a filter around us: Operation not permitted; used by learn" ]
	[ "$(row 'flag LOG')" = "note  flag LOG                refused, as by a filter around us: Operation not permitted; used by told" ]
	[[ $(row 'filters around us') == "note  filters around us       1, as in a container"* ]]
	[[ $(row 'i386 and x32') == *"killed by a filter around us" ]] || [ "$(uname -m)" != x86_64 ]
	[[ ${lines[-1]} =~ ^[0-9]+" lost"$ ]]
	run -1 fenced '"seccomp"' 'action = "errno"; errno = "ENOSYS";' stagefencectl doctor -c p.sfi
	[[ $(row 'seccomp filters') == "LOST  seccomp filters         not there, or hidden by a filter around us: build, "* ]]
}

@test "a filter around us that kills for a question does not end the report" {
	run -1 fenced '"seccomp", "pidfd_getfd"' 'action = "kill_process";' stagefencectl doctor -c p.sfi
	[[ $(row 'seccomp filters') == "LOST  seccomp filters         not to be known: a filter around us kills for the question (signal 31): build, "* ]]
	[ "$(row 'flag TSYNC')" = "note  flag TSYNC              not to be known: a filter around us kills for the question (signal 31); used by build, learn, told" ]
	[ "$(row pidfd_getfd)" = "note  pidfd_getfd             not to be known: a filter around us kills for the question (signal 31)" ]
	[[ ${lines[-1]} =~ ^[0-9]+" lost"$ ]]
	[ -z "$(ls core* 2>/dev/null)" ]
}

@test "a filter around us that refuses fork leaves questions open, and says so" {
	# a sanitizer's own last look takes a child
	export ASAN_OPTIONS=detect_leaks=0
	run -1 fenced '"clone", "clone3", "fork", "vfork"' 'action = "errno"; errno = "EAGAIN";' \
		stagefencectl doctor -c p.sfi
	[[ $(row 'seccomp filters') == "LOST  seccomp filters         not to be known: there is no child to ask in: Resource temporarily unavailable: build, "* ]]
}

@test "a kernel that lacks actions or flags, or only pretends, is found out, and what to do is said" {
	needs program strace
	run -1 strace -f -qq -o /dev/null -e inject=seccomp:error=EOPNOTSUPP stagefencectl doctor -c p.sfi
	[ "$(row 'action log')" = "LOST  action log              not there, and the kernel kills instead: learn: take another action" ]
	[ "$(row 'action trap')" = "note  action trap             not there; no stage uses it" ]
	run -1 strace -f -qq -o /dev/null -e inject=seccomp:error=EINVAL stagefencectl doctor -c p.sfi
	[ "$(row 'flag LOG')" = "LOST  flag LOG                not there, and used by told: they cannot be entered: log_blocked = false" ]
	[ "$(row 'flag TSYNC')" = "LOST  flag TSYNC              not there, and used by build, learn, told: the shim cannot fence them: tsync = false" ]
	[ "$(row 'flag SPEC_ALLOW')" = "note  flag SPEC_ALLOW         not there; no stage uses it" ]
	run -1 strace -f -qq -o /dev/null -e inject=seccomp:retval=0 stagefencectl doctor -c p.sfi
	[ "$(row 'seccomp filters')" = "LOST  seccomp filters         the kernel, or a sandbox around us, only pretends to raise one: build, learn, told cannot be entered" ]
}

@test "a listener around us is found, and is a loss for stages with an agent, which cannot be entered, or with a report" {
	run -0 "$helpers/pretend" listener p.sfi build stagefencectl doctor -c p.sfi
	[ "$(row listener)" = "note  listener                somebody around us has one already, and there can be one only; no stage uses it" ]
	policy n '{ name = "asks"; listener = "/nobody.sock"; }, { name = "tells"; report = true; block_calls = "mkdir"; },
		{ name = "alone"; rules = ( { calls = "mkdir"; action = "notify"; } ); }'
	run -1 "$helpers/pretend" listener p.sfi build stagefencectl doctor -c n.conf
	[ "$(row listener)" = "LOST  listener                somebody around us has one already, and there can be one only; asks cannot be entered; refused calls are refused, but not told: tells" ]
	run -0 stagefencectl doctor -c n.conf
	[ "$(row listener)" = "ok    listener                one was made; used by asks, tells" ]
}

@test "no_new_privs = false is lost to who may not raise such a filter" {
	policy n '{ name = "bare"; block_calls = "mkdir"; block_action = "errno"; no_new_privs = false; }'
	stagefencectl compile -c n.conf -o n.sfi
	chmod 755 .
	if [ "$(id -u)" = 0 ]; then
		run -0 stagefencectl doctor -c n.sfi
		[ "$(row 'privileged filters')" = "ok    privileged filters      this caller may raise one without no_new_privs" ]
		run -1 setpriv --bounding-set=-all --inh-caps=-all stagefencectl doctor -c n.sfi
	else
		run stagefencectl doctor -c n.sfi
		# who has no_new_privs on already may
		! grep -q $'NoNewPrivs:\t1' /proc/self/status || skip "no_new_privs is on"
		[ "$status" = 1 ]
	fi
	[ "$(row 'privileged filters')" = "LOST  privileged filters      bare: no_new_privs = false takes CAP_SYS_ADMIN, which this caller has not" ]
	run -0 stagefencectl doctor -c p.sfi
}

@test "an action that the administrator keeps out of the log is a loss for stages that log it" {
	local user=()
	[ "$(id -u)" = 0 ] || user=(--user --map-root-user)
	echo 'kill_process kill_thread trap user_notif trace' >logged
	run -1 unshare "${user[@]}" --mount --propagation private sh -c \
		'mount --bind logged /proc/sys/kernel/seccomp/actions_logged && stagefencectl doctor -c p.sfi'
	[ "$(row actions_logged | head -n 1)" = "LOST  actions_logged          without errno, which told would log: add it to /proc/sys/kernel/seccomp/actions_logged" ]
	[ "$(row actions_logged | tail -n 1)" = "LOST  actions_logged          without log, which learn would log: add it to /proc/sys/kernel/seccomp/actions_logged" ]
	[ "${lines[-1]}" = "2 lost" ]
}

@test "strict mode is lost behind any filter" {
	policy s '{ name = "calm"; mode = "strict"; }, { name = "build"; block_calls = "mkdir"; block_action = "errno"; }'
	run -0 stagefencectl doctor -c s.conf
	[ "$(row 'strict mode')" = "ok    strict mode             used by calm" ]
	run -1 stagefence -c s.conf -s build stagefencectl doctor -c s.conf
	[ "$(row 'strict mode')" = "LOST  strict mode             not to be entered where there is a filter; used by calm" ]
	[ "${lines[-1]}" = "1 lost" ]
	policy s '{ name = "calm"; mode = "strict"; }, { name = "still"; mode = "strict"; }'
	run -0 stagefencectl doctor -c s.conf
	[ "$(row 'strict mode')" = "ok    strict mode             used by calm, still" ]
}

@test "a user namespace is said" {
	run -0 unshare --user --map-root-user stagefencectl doctor -c p.sfi
	[[ $(row 'user namespace') == "note  user namespace          not the initial one: "* ]]
}

# machine COMMAND: what doctor says on a machine of its own, after COMMAND
machine() {
	run "$helpers_folder/machine" p.conf sh -c "$1"'; $COMPILER doctor'
}

@test "an installation is looked at as a launch does: image, wrapper, shim, preloads" {
	# nobody else can put a layer over what is installed
	[ -z "${STAGEFENCE_INSTALLED-}" ] || needs root
	helpers_folder=$tests/helpers
	machine :
	[ "$status" = 0 ]
	[ "$(row policy)" = "ok    policy                  /etc/stagefence/stagefence.conf: 4 stages, fenced: build, learn, told" ]
	[ "$(row 'compiled policy')" = "ok    compiled policy         /var/cache/stagefence/policy.sfi: fresh" ]
	[ "$(row stagefence)" = "ok    stagefence              $WRAPPER" ]
	[ "$(row libstagefence.so)" = "ok    libstagefence.so        $SHIM" ]
	[ "$(row ld.so.preload)" = "ok    ld.so.preload           none" ]

	machine 'echo >>/etc/stagefence/stagefence.conf'
	[ "$status" = 0 ]
	[[ $(row 'compiled policy') == "note  compiled policy         /var/cache/stagefence/policy.sfi: not there, or older than the policy "* ]]
	machine 'echo nonsense >>/etc/stagefence/stagefence.conf'
	[ "$status" = 1 ]
	[[ $output == *"stagefence.conf:"*": syntax error"* ]]
	[[ $(row policy) == "LOST  policy                  /etc/stagefence/stagefence.conf: no stage can be entered"* ]]
	machine 'chmod 777 /var/cache/stagefence'
	[ "$status" = 1 ]
	[ "$(row 'compiled policy')" = "LOST  compiled policy         /var/cache/stagefence/policy.sfi: stagefence can be written by others (chmod go-w)" ]
	machine 'truncate -s 1000 /var/cache/stagefence/policy.sfi'
	[ "$status" = 1 ]
	[[ $(row 'compiled policy') == "LOST  compiled policy         /var/cache/stagefence/policy.sfi: is a policy image that was truncated"* ]]
	machine 'chmod 4711 $WRAPPER'
	[ "$status" = 1 ]
	[[ $(row stagefence) == "LOST  stagefence              $WRAPPER: set-user-ID or "* ]]
	if [ "$(id -u)" = 0 ]; then
		machine 'python3 -c "import os, struct; os.setxattr(\"$WRAPPER\", \"security.capability\", struct.pack(\"<5I\", 0x02000001, 1, 0, 0, 0))"'
		[ "$status" = 1 ]
		[[ $(row stagefence) == "LOST  stagefence              $WRAPPER: has file capabilities, "* ]]
	fi
	machine 'chmod 755 $WRAPPER'
	[ "$status" = 0 ]
	[[ $(row stagefence) == "note  stagefence              $WRAPPER: can be read, "* ]]
	machine 'rm $WRAPPER'
	[ "$status" = 1 ]
	[[ $(row stagefence) == "LOST  stagefence              $WRAPPER: No such file or directory"* ]]
	machine 'cp /bin/true $SHIM'
	[ "$status" = 1 ]
	[[ $(row libstagefence.so) == "LOST  libstagefence.so        $SHIM: not this version's shim"* ]]
	machine 'chmod 666 $SHIM'
	[ "$status" = 0 ]
	[[ $(row libstagefence.so) == "note  libstagefence.so        $SHIM: can be written by others (chmod go-w)" ]]
	machine 'echo /no/such.so >/etc/ld.so.preload'
	[ "$status" = 0 ]
	[[ $(row ld.so.preload) == "note  ld.so.preload           /etc/ld.so.preload: loaded into every dynamic program, "*": /no/such.so" ]]
}

@test "--json has the same rows" {
	run -0 stagefencectl doctor -c p.sfi
	local count=$((${#lines[@]} - 1))
	run -0 stagefencectl doctor -c p.sfi --json
	[ "$(grep -c '"state": ' <<<"$output")" = "$count" ]
	[ "$(grep -c '"lost": 0' <<<"$output")" = 1 ]
	stagefencectl doctor -c p.sfi --json | python3 -c 'import json, sys
d = json.load(sys.stdin); assert d["version"] == 1
assert {r["state"] for r in d["rows"]} <= {"ok", "note", "lost"}'
}

@test "a policy that is not good is a loss, and its mistakes are said before" {
	policy bad '{ name = "a"; block_calls = "mkdri"; }'
	run -1 stagefencectl doctor -c bad.conf
	[ "${lines[0]}" = "stagefencectl: bad.conf:3: unknown system call mkdri" ]
	[[ ${lines[1]} == "LOST  policy                  bad.conf: no stage can be entered, "* ]]
	run -2 stagefencectl doctor -c p.conf more
}
