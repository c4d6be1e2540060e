#!/usr/bin/env bats
# Seccomp profiles of containers, as a base and imported: they mean what crun installs, to the bit, and a bad one is one line.

setup() {
	load lib
	profiles=$tests/policies/oci
	podman=/usr/share/containers/seccomp.json
	# a checkout may leave them writable by a group
	cp "$profiles"/*.json .
	chmod go-w ./*.json
}

# based PROFILE [KEYS]: PROFILE.conf, whose stage c has PROFILE.json as it is
based() {
	policy "$1" "{ name = \"c\"; base = \"oci:$1.json\"; $2 }"
}

# profile NAME JSON: NAME.json, and NAME.conf with it
profile() {
	printf '%s' "$2" >"$1.json"
	based "$1"
}

# one SYSCALLS...: a profile that allows all but those entries
one() {
	printf '{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [\n%s\n] }' "$1"
}

# installed PROFILE [CAPABILITY...]: what crun installs for PROFILE.json, in PROFILE.bpf
installed() {
	BUNDLE=$PWD/bundle READBACK=$helpers/readback within 60 "$tests/helpers/crun-filter" "$1.json" "${@:2}" >"$1.bpf"
}

needs_crun() {
	needs x86_64
	needs root
	needs program crun
	needs program busybox
}

# same ARGUMENT...: tests/same.c finds no difference, nor a stricter answer, and has looked at some
same() {
	run -0 within 120 "$helpers/same" "$@"
	echo "$output"
	[[ "$output" == *" judged, 0 differ"* && "$output" != *stricter* ]]
	[ "${output%% judged*}" -gt 10000 ]
}

@test "Podman's own profile is what crun really installs, on every call, ABI and argument" {
	needs_crun
	[ -e $podman ] || skip "Podman's profile is not installed"
	cp $podman podman.json
	based podman
	run -0 stagefencectl check -c podman.conf
	installed podman
	same -a podman.conf c podman.bpf
}

@test "a profile with every feature is what crun really installs, with capabilities and without" {
	needs_crun
	based every
	run -0 stagefencectl check -c every.conf
	installed every
	same -a every.conf c every.bpf
	based every 'capabilities = [ "CAP_SYS_CHROOT", "CAP_SYS_ADMIN" ];'
	# what differs are the calls that the capabilities are about
	run -1 "$helpers/same" -a every.conf c every.bpf
	installed every CAP_SYS_ADMIN CAP_SYS_CHROOT
	same -a every.conf c every.bpf
}

@test "crun without root installs the same" {
	needs_crun
	installed every
	mv every.bpf root.bpf
	ROOTLESS=1 installed every
	cmp root.bpf every.bpf
}

@test "rules that libseccomp drops, weakens or reorders are what it makes of them, and that is said" {
	needs x86_64
	based odd
	run -0 stagefencectl check -c odd.conf
	[[ "$output" == *"odd.json:3:18: note: libseccomp "*" answers add_key(0x3) with allow, where the rules say EXDEV"* ]]
	needs_crun
	installed odd
	same -a odd.conf c odd.bpf
}

@test "calls that i386 makes through another one have its rules there too, as crun installs them" {
	needs x86_64
	profile p '{ "defaultAction": "SCMP_ACT_LOG", "architectures": [ "SCMP_ARCH_X86_64", "SCMP_ARCH_X86" ], "syscalls": [
	  { "names": [ "msgget", "getppid" ], "action": "SCMP_ACT_ERRNO", "args": [ { "index": 2, "value": 5, "op": "SCMP_CMP_LT" } ] },
	  { "names": [ "socket" ], "action": "SCMP_ACT_ERRNO", "args": [ { "index": 0, "value": 16, "op": "SCMP_CMP_EQ" },
	    { "index": 2, "value": 9, "op": "SCMP_CMP_EQ" } ] },
	  { "names": [ "sendto" ], "action": "SCMP_ACT_ERRNO" } ] }'
	run -0 stagefencectl check -c p.conf
	! grep -q libseccomp <<<"$output" || return 1
	needs_crun
	installed p
	same -a p.conf c p.bpf
}

@test "what libseccomp forgets by another ABI holds here where it refuses, and is a mistake where it allows" {
	needs x86_64
	local more='{ "names": [ "msgget" ], "action": "SCMP_ACT_KILL_PROCESS", "args": [ { "index": 2, "value": 5, "op": "SCMP_CMP_LT" } ] }'
	for action in ALLOW ERRNO; do
		profile p "{ \"defaultAction\": \"SCMP_ACT_LOG\", \"architectures\": [ \"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\" ],
		  \"syscalls\": [ $more, { \"names\": [ \"semop\" ], \"action\": \"SCMP_ACT_$action\" } ] }"
		run stagefencectl check -c p.conf
		# a libseccomp that does not forget is good, too
		case $output in
		*"by i386 with log"*)
			[ "$status" = "$([ $action = ALLOW ] && echo 1 || echo 0)" ]
			[[ "$output" == *"$([ $action = ALLOW ] && echo cannot be said here || echo here it is as the rules say)"* ]]
			;;
		*) [ "$status" = 0 ] ;;
		esac
	done
}

@test "random profiles: what crun installs is what they mean here, and what it refuses is refused" {
	needs_crun
	local seed same=0
	based random
	for seed in 1 2 4 6 7 9 10 12; do
		"$tests/helpers/oci-random" $seed >random.json
		if installed random 2>crun.err; then
			run -0 stagefencectl check -c random.conf
			# by other ABIs libseccomp forgets rules that hold here
			run -0 within 60 "$helpers/same" -a random.conf c random.bpf
			[[ "$output" == *" judged, 0 differ"* ]]
			same=$((same + 1))
		else
			grep seccomp crun.err
			run -1 stagefencectl check -c random.conf
		fi
	done
	[ $same -ge 5 ]
}

@test "an imported profile is a policy that check accepts and that means the same, call by call" {
	local name
	[ ! -e $podman ] || cp $podman podman.json
	for name in every odd podman; do
		[ -e $name.json ] || continue
		based $name
		run -0 stagefencectl import --from oci -o imported.conf $name.json
		sed -i '/^    listener/d' imported.conf
		run -0 stagefencectl check -c imported.conf
		same $name.conf c imported.conf $name
		# readable: no line that is longer than others', and every rule says where it is from
		[ "$(wc -L <imported.conf)" -le 110 ]
		grep -qE '^      # line [0-9]+$' imported.conf
	done
}

@test "an imported profile keeps comments and the listener, and says what it leaves out" {
	run -0 stagefencectl import --from oci every.json
	[[ "$output" == *'comment = "what a static program, and crun before it, cannot do without";'* ]]
	[[ "$output" == *'comment = "no \"new\" namespaces \\ é ?";'* ]]
	[[ "$output" == *'listener = "/run/stagefence/agent.sock";'* ]]
	[[ "$output" == *'listener_metadata = "{\"who\": \"nobody\"}";'* ]]
	[[ "$output" == *'# * line '*'SCMP_ACT_ALLOW for mount'* ]]
	[[ "$output" == *'unknown here, and left out: no_such_call'* ]]
	# from standard input, and into a file
	run -0 bash -c 'stagefencectl import --from oci - <odd.json >odd.conf 2>/dev/null && stagefencectl check -c odd.conf'
	run -1 stagefencectl import --from oci nowhere.json
	[ "$output" = "stagefencectl: nowhere.json: No such file or directory" ]
}

@test "what show prints of a profile means the same when it is read" {
	based every
	stagefencectl show -c every.conf >shown.conf
	same every.conf c shown.conf c
	# with rules of its own, which look at an argument, beside those that look at registers
	local own='rules = ( { calls = [ "add_key", "dup" ]; action = "errno"; args = ( { arg = 0; op = "<"; value = "9"; } ); },
	  { calls = "socket"; action = "errno"; errno = "EDOM"; args = ( { arg = 0; op = "=="; value = "AF_INET"; } ); } );'
	for more in '' 'exact = false;' 'newest_kernel = "5.14";'; do
		based every "$more $own"
		stagefencectl show -c every.conf >shown.conf
		same every.conf c shown.conf c
	done
	based odd "$own"
	stagefencectl show -c odd.conf >shown.conf
	same odd.conf c shown.conf c
}

@test "a profile may be the floor, and a base beside another" {
	policy f '{ name = "c"; allow_calls = [ "mkdir", "keyctl" ]; }, { name = "d"; base = [ "f", "oci:every.json" ]; }'
	echo 'floor = "f"; profiles = ( { name = "f"; base = "oci:odd.json"; } );' >>f.conf
	run -0 stagefencectl check -c f.conf
	run -0 stagefencectl explain -c f.conf -s c mkdir
	[[ "$output" == "mkdir: EPERM, by odd.json:8"* ]]
	run -0 stagefencectl explain -c f.conf -s d reboot
	[[ "$output" == "reboot: kill_process, by "*"every.json:"* ]]
	policy e '{ name = "c"; base = "oci:"; }'
	run -1 stagefencectl check -c e.conf
	[ "$output" = "stagefencectl: e.conf:3: base oci: needs a file behind it" ]
}

@test "of rules without args on one call the first decides, and one that says what the default says is none" {
	profile p "$(one '{ "names": [ "mkdir" ], "action": "SCMP_ACT_ERRNO", "errnoRet": 30 },
	  { "names": [ "mkdir" ], "action": "SCMP_ACT_KILL_PROCESS" },
	  { "names": [ "rmdir" ], "action": "SCMP_ACT_ALLOW" }, { "names": [ "rmdir" ], "action": "SCMP_ACT_ERRNO" },
	  { "names": [ "link" ], "action": "SCMP_ACT_ERRNO" }, { "names": [ "link" ], "action": "SCMP_ACT_ALLOW" }')"
	run -0 stagefencectl check -c p.conf
	echo "$output"
	[ "$output" = "stagefencectl: p.json:3:17: note: line 2 decides on mkdir in this one's place: so it is with libseccomp, and so with engines" ]
	for call in mkdir=EROFS rmdir=EPERM link=EPERM; do
		run -0 stagefencectl explain -c p.conf ${call%=*}
		[[ "$output" == "${call%=*}: ${call#*=}, by p.json:"* ]]
	done
	needs_crun
	installed p
	same -a p.conf c p.bpf
}

@test "a command under a profile lives by it, and explain names the profile's line" {
	profile p "$(one '{ "names": [ "mkdir", "mkdirat" ], "action": "SCMP_ACT_ERRNO", "errnoRet": 30,
	  "comment": "no new folders" }')"
	run -1 stagefence -c p.conf -s c -- mkdir new
	[[ "$output" == *"Read-only file system"* ]]
	run -0 stagefence -c p.conf -s c -- touch new
	run -0 stagefencectl explain -c p.conf mkdir
	[[ "$output" == "mkdir: EROFS, by p.json:2: no new folders"* ]]
	# what a stage says replaces what the profile says
	based p 'allow_calls = [ "mkdir" ];'
	run -0 stagefence -c p.conf -s c -- mkdir new2
}

@test "a server that may write, and one whose profile has lost write: the second does not say a word" {
	# read, answer, log: as a web server walks through its day, in one static program
	needs program busybox
	cat >walk <<-'END'
		echo "server: start" >&2
		read -r request
		echo "HTTP/1.1 200 OK"
		echo "server: $request" >&2
	END
	sed 's/"read", "write", "close"/"read", "writev", "open", "stat", "lstat", "access", "getppid", "geteuid", "getgid", "getegid", "poll", "wait4", "dup", "pipe", "fork", "vfork", "getcwd", "rt_sigsuspend", "sigaltstack", "close"/' every.json >without.json
	sed 's/"writev", /"write", "writev", /' without.json >with.json
	[ "$(diff with.json without.json | grep -c write)" = 2 ]
	based with
	based without
	run -0 bash -c 'echo "GET /" | stagefence -c with.conf -s c -- busybox sh walk'
	[[ "$output" == *"server: start"*"HTTP/1.1 200 OK"*"server: GET /"* ]]
	# the shell's own end: 125 would be silent as well
	run -1 bash -c 'echo "GET /" | stagefence -c without.conf -s c -- busybox sh walk 2>err'
	[[ "$output" != *HTTP* && "$output" != *server* ]]
	run -1 grep server err
	run -0 stagefencectl explain -c without.conf write
	[[ "$output" == "write: ENOSYS, the default, by "*"without.json:2"* ]]
}

@test "the specification's form, Docker's, the old single name and a whole config.json are the same profile" {
	profile spec '{ "defaultAction": "SCMP_ACT_ALLOW", "architectures": [ "SCMP_ARCH_X86_64", "SCMP_ARCH_X32" ],
	  "syscalls": [ { "names": [ "mkdir" ], "action": "SCMP_ACT_ERRNO" } ] }'
	profile docker '{ "defaultAction": "SCMP_ACT_ALLOW",
	  "archMap": [ { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": [ "SCMP_ARCH_X32" ] },
	               { "architecture": "SCMP_ARCH_AARCH64", "subArchitectures": [ "SCMP_ARCH_X86" ] } ],
	  "syscalls": [ { "name": "mkdir", "action": "SCMP_ACT_ERRNO", "args": null, "includes": {}, "errno": "EPERM" } ] }'
	profile whole "{ \"ociVersion\": \"1.0.0\", \"hooks\": {}, \"linux\": { \"seccomp\": $(cat spec.json) } }"
	same spec.conf c docker.conf c
	same spec.conf c whole.conf c
	echo '{ "ociVersion": "1.0.0", "linux": {} }' >none.json
	run -1 stagefencectl import --from oci none.json
	[ "$output" = "stagefencectl: none.json:1:1: a config.json without linux.seccomp" ]
}

@test "flags are the stage's attributes; without any, speculation is left alone as engines do" {
	profile none "$(one '')"
	run -0 stagefencectl show -c none.conf
	[[ "$output" == *"allow_speculation = true;"* && "$output" != *log_blocked* && "$output" == *"exact = true;"* ]]
	profile empty '{ "defaultAction": "SCMP_ACT_ALLOW", "flags": [] }'
	run -0 stagefencectl show -c empty.conf
	[[ "$output" != *allow_speculation* ]]
	based every
	run -0 stagefencectl show -c every.conf
	[[ "$output" == *"log_blocked = true;"* && "$output" == *"allow_speculation = true;"* ]]
}

@test "a profile is a source: check -v names it, and who may have written it is asked" {
	based odd
	run -0 stagefencectl check -v -c odd.conf
	grep -qx "profile  $PWD/odd.json" <<<"$output"
	stagefencectl compile -c odd.conf -o odd.sfi 2>/dev/null
	grep -q odd.json odd.sfi
	chmod g+w odd.json
	run -1 stagefencectl check -c odd.conf
	[[ "$output" == *"odd.conf:"*": base oci:"*"odd.json can be written by others"* ]]
	run -125 stagefence -c odd.conf -s c -- true
	rm odd.json
	run -1 stagefencectl check -c odd.conf
	[[ "$output" == *"odd.json: No such file or directory" ]]
}

@test "capabilities must be some, and go with a profile" {
	based odd 'capabilities = [ "SYS_ADMIN" ];'
	run -1 stagefencectl check -c odd.conf
	[[ "$output" == *"odd.conf:"*": unknown capability SYS_ADMIN: one such as CAP_SYS_ADMIN"* ]]
	policy x '{ name = "x"; capabilities = [ "CAP_CHOWN" ]; }'
	run -1 stagefencectl check -c x.conf
	[ "$output" = 'stagefencectl: x.conf:3: capabilities goes with base = "oci:..." only' ]
}

@test "comparisons are of whole registers as engines make them, and check says where that lets something by" {
	needs x86_64
	profile p "$(one '{ "names": [ "socket" ], "action": "SCMP_ACT_ERRNO",
	  "args": [ { "index": 0, "value": 2, "op": "SCMP_CMP_EQ" } ] }')"
	run -0 stagefencectl check -c p.conf
	[[ "$output" == *"p.json:2:14: note: socket's arg 0 is compared on 64 bits, as engines do"* ]]
	run -0 stagefencectl explain -c p.conf socket AF_INET 1 0
	[[ "$output" == "socket with these arguments: EPERM"* ]]
	run -0 stagefencectl explain -c p.conf socket 0x100000002 1 0
	[[ "$output" == "socket with these arguments: allow"* ]]
	# a mode has 16
	profile m "$(one '{ "names": [ "chmod" ], "action": "SCMP_ACT_ERRNO",
	  "args": [ { "index": 1, "value": 4294967295, "valueTwo": 511, "op": "SCMP_CMP_MASKED_EQ" } ] }')"
	run -0 stagefencectl check -c m.conf
	[[ "$output" == *"m.json:2:14: note: chmod's arg 1 is compared on 64 bits, as engines do; the kernel looks at 16, so"* ]]
	run -0 stagefencectl explain -c m.conf chmod 0 0x101ff
	[[ "$output" == "chmod with these arguments: allow"* ]]
	profile n "$(one '{ "names": [ "chmod" ], "action": "SCMP_ACT_ERRNO",
	  "args": [ { "index": 1, "value": 65535, "valueTwo": 511, "op": "SCMP_CMP_MASKED_EQ" } ] }')"
	run -0 stagefencectl check -c n.conf
	[[ "$output" != *"compared on 64"* ]]
}

# refused NAME MESSAGE JSON: one line, with the line and column of what is wrong
refused() {
	printf "$3" >"$1.json"
	run -1 within 10 stagefencectl import --from oci "$1.json"
	[ "$output" = "stagefencectl: $1.json:$2" ] || { echo "$output, and not $2"; return 1; }
}

@test "what is no JSON is one line with line and column" {
	refused a '1:1: the file ends too early' ''
	refused a '1:1: a value is missing' 'nonsense'
	refused a '2:1: something follows the end' '{}\n{}'
	refused a '3:2: a is there already, in line 2' '{\n "a": 1,\n "a": 2 }'
	refused a '1:11: a key in quotes is missing' '{ "a": 1, }'
	refused a '1:4: a value is missing' '[1,]'
	refused a '1:5: a colon is missing' '{"a"1}'
	refused a '1:9: a number with a leading zero' '{ "a": 0755 }'
	refused a '1:10: a digit is missing' '{ "a": 1. }'
	refused a '1:8: a value is missing' '{ "a": NaN }'
	refused a '1:3: a key in quotes is missing' "{ 'a': 1 }"
	refused a '1:9: not UTF-8' '{ "a": "\xff" }'
	refused a '1:9: a control character in a text' '{ "a": "\001" }'
	refused a '1:15: a NUL in a text' '{ "a": "\\u0000" }'
	refused a '1:15: half of a surrogate pair' '{ "a": "\\ud800" }'
	refused a '1:15: half of a surrogate pair' '{ "a": "\\udc00" }'
	refused a '1:10: an unknown escape' '{ "a": "\\x" }'
	refused a '1:1: a value is missing' '\xef\xbb\xbf{}'
	refused a '1:11: the file ends too early' '{ "é": "xx'
	refused a '1:1: an entry must be an object' '[]'
}

@test "what is no profile is one line with line and column" {
	local e='{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [\n'
	refused a '1:1: a profile needs defaultAction' '{ }'
	refused a '1:3: defaultAction must be a text' '{ "defaultAction": 1 }'
	refused a '1:3: unknown action SCMP_ACT_NO: SCMP_ACT_ALLOW, LOG, ERRNO, TRACE, NOTIFY, TRAP, KILL, KILL_THREAD or KILL_PROCESS' '{ "defaultAction": "SCMP_ACT_NO" }'
	refused a '2:2: an entry must be an object' "$e 5 ] }"
	refused a '2:2: an entry of syscalls needs names' "$e { \"action\": \"SCMP_ACT_LOG\" } ] }"
	refused a '2:2: an entry of syscalls needs action' "$e { \"names\": [ \"dup\" ] } ] }"
	refused a '2:4: Names must be written names: engines disagree on what it is' "$e { \"Names\": [], \"name\": \"dup\", \"action\": \"SCMP_ACT_LOG\" } ] }"
	refused a '2:18: names and name exclude each other' "$e { \"names\": [1], \"name\": \"dup\", \"action\": \"SCMP_ACT_LOG\" } ] }"
	local rule="$e { \"names\": [ \"dup\" ], \"action\": \"SCMP_ACT_ERRNO\",\n"
	refused a '3:1: errnoRet must be a whole number from 0 to 4095' "$rule\"errnoRet\": 4096 } ] }"
	refused a '3:1: with errnoRet 0 a refused call would look as if it had worked' "$rule\"errnoRet\": 0 } ] }"
	refused a '3:1: unknown errno EWHAT' "$rule\"errno\": \"EWHAT\" } ] }"
	refused a '3:16: EACCES is not the errno that errnoRet names: Podman takes the one, other engines the other' "$rule\"errnoRet\": 1, \"errno\": \"EACCES\" } ] }"
	refused a '3:1: args must be a list' "$rule\"args\": {} } ] }"
	refused a '3:11: an argument needs index, value and op' "$rule\"args\": [ { \"index\": 0 } ] } ] }"
	refused a '3:13: index must be a whole number from 0 to 5' "$rule\"args\": [ { \"index\": 6, \"value\": 1, \"op\": \"SCMP_CMP_EQ\" } ] } ] }"
	refused a '3:25: value must be a whole number from 0 to 18446744073709551615' "$rule\"args\": [ { \"index\": 0, \"value\": 18446744073709551616, \"op\": \"SCMP_CMP_EQ\" } ] } ] }"
	refused a '3:25: value must be a whole number from 0 to 18446744073709551615' "$rule\"args\": [ { \"index\": 0, \"value\": -1, \"op\": \"SCMP_CMP_EQ\" } ] } ] }"
	refused a '3:37: unknown op EQ: SCMP_CMP_NE, LT, LE, EQ, GE, GT or MASKED_EQ' "$rule\"args\": [ { \"index\": 0, \"value\": 1, \"op\": \"EQ\" } ] } ] }"
	refused a '4:1: minKernel must be a version such as "5.8"' "$rule\"includes\": { \n\"minKernel\": \"new\" } } ] }"
	refused a '2:1: unknown flag SECCOMP_FILTER_FLAG_X: SECCOMP_FILTER_FLAG_LOG, SPEC_ALLOW, TSYNC or WAIT_KILLABLE_RECV' '{ "defaultAction": "SCMP_ACT_ALLOW", "flags": [\n"SECCOMP_FILTER_FLAG_X" ] }'
	refused a '2:1: unknown architecture SCMP_ARCH_Z80: one of SCMP_ARCH_*' '{ "defaultAction": "SCMP_ACT_ALLOW", "architectures": [\n"SCMP_ARCH_Z80" ] }'
	refused a '1:38: defaultErrnoRet goes with SCMP_ACT_ERRNO and SCMP_ACT_TRACE only' '{ "defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1 }'
}

@test "unknown names and keys are notes, as engines pass over them" {
	profile p "$(one '{ "names": [ "no_such_call", "mkdir" ], "action": "SCMP_ACT_ERRNO", "why": "x" }')"
	run -0 stagefencectl check -c p.conf
	[[ "$output" == *"p.json:2:14: note: unknown here, and left out: no_such_call"* ]]
	[[ "$output" == *"p.json:2:69: note: an entry of syscalls has no key why: engines pass over it, and so is done here"* ]]
	run -0 stagefencectl explain -c p.conf mkdir
	[[ "$output" == "mkdir: EPERM, by"* ]]
}

@test "what is too deep, too full or too large is one line, at once and in little memory" {
	bounded() {
		run -1 bash -c 'ulimit -v 200000; exec timeout 5 stagefencectl import --from oci "$1"' - "$1"
		echo "$output"
		[[ "$output" =~ ^stagefencectl:\ $1:[0-9]+:[0-9]+:\ $2$ ]]
	}
	perl -e 'print "[" x 100000' >deep.json
	bounded deep.json "nested too deep"
	perl -e 'print "{\"a\":" x 100000' >deep.json
	bounded deep.json "nested too deep"
	perl -e 'print "[" . "1," x 400000 . "1]"' >full.json
	bounded full.json "more than 200000 values"
	perl -e 'print "{" . join(",", map { "\"$_\": 1" } 1 .. 5000) . "}"' >keys.json
	bounded keys.json "more than 512 keys in one object"
	perl -e 'print "{ \"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [\n" . join(",\n", ("{ \"names\": [ \"mkdir\" ], \"action\": \"SCMP_ACT_ERRNO\" }") x 1000000) . "] }"' >rules.json
	bounded rules.json "more than 4 MiB"
	perl -e 'print "{ \"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [\n{ \"names\": [" . join(",", ("\"mkdir\"") x 30000) . "], \"action\": \"SCMP_ACT_ERRNO\" } ] }"' >rules.json
	bounded rules.json "more than 20000 rules"
	perl -e 'print "{ \"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [\n" . join(",\n", map { "{ \"names\": [ \"mkdir\" ], \"action\": \"SCMP_ACT_ERRNO\", \"args\": [ { \"index\": 0, \"value\": $_, \"op\": \"SCMP_CMP_LT\" } ] }" } 1 .. 5000) . "] }"' >rules.json
	bounded rules.json "more than 128 rules with args on mkdir"
}
