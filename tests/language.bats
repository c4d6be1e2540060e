#!/usr/bin/env bats
# What the keys of the language mean together, and what check notes of them.

setup() {
	load lib
}

# asks 'SETTINGS' CALL [ARG...]: the answer in a stage with these settings
asks() {
	policy asked "{ name = \"x\"; $1 }"
	run stagefencectl explain -c asked.conf "${@:2}"
	sed -E '1!d; s/^[a-z0-9_]+( with these arguments)?: ([A-Za-z_]+).*/\2/' <<<"$output"
}

@test "block_action takes every action that refuses, and no other" {
	for action in errno trap trace notify kill_thread kill_process; do
		policy p "{ name = \"x\"; block_calls = \"mkdir\"; block_action = \"$action\"; }"
		run -0 stagefencectl explain -c p.conf mkdir
		[[ "${lines[0]}" == "mkdir: ${action/errno/EPERM}, by p.conf:"* ]]
	done
	# with what a tracer is told, as in a rule
	policy p '{ name = "x"; block_calls = "mkdir"; block_action = "trace"; errno = 7; }'
	stagefencectl show -c p.conf >shown.conf
	grep -q 'calls = \[ "mkdir" \]; exact = true; action = "trace"; errno = 7' shown.conf
	for action in allow log deny SCMP_ACT_LOG; do
		policy p "{ name = \"x\"; block_calls = \"mkdir\"; block_action = \"$action\"; }"
		run -1 stagefencectl check -c p.conf
		[ "$output" = "stagefencectl: p.conf:3: block_action must be one of errno, trap, trace, notify, kill_thread, kill_process" ]
	done
	policy p '{ name = "x"; bad_arch_action = "deny"; }'
	run -1 stagefencectl check -c p.conf
	[ "$output" = "stagefencectl: p.conf:3: bad_arch_action must be one of errno, trap, trace, notify, kill_thread, kill_process" ]
}

@test "check notes the weak actions wherever they are written" {
	local settings=('block_calls = "mkdir"; block_action = "ACTION";' 'default_action = "ACTION"; allow_calls = "@shell";'
		'bad_arch_action = "ACTION";' 'rules = ( { calls = "mkdir"; action = "ACTION"; } );')
	for setting in "${settings[@]}"; do
		for action in trap trace notify kill_thread; do
			policy p "{ name = \"x\"; ${setting/ACTION/$action} }"
			run -0 stagefencectl check -c p.conf
			[[ "$output" == *"p.conf:3: note: $action "* ]] || { echo "$setting $action: $output"; return 1; }
		done
		policy p "{ name = \"x\"; ${setting/ACTION/kill_process} }"
		run -0 stagefencectl check -c p.conf
		[[ "$output" != *"note: kill"* ]]
	done
}

@test "limit_setuid leaves the caller his own ids; what is blocked outright stays blocked, siblings included" {
	[ "$(asks 'limit_setuid = true;' setuid -1)" = allow ]
	[ "$(asks 'limit_setuid = true;' setuid 4711)" = EPERM ]
	# under an allow list it allows what it leaves, as Jacamar CI needs it to
	[ "$(asks 'limit_setuid = true; block_all = true; allow_calls = "@basic-io";' setuid -1)" = allow ]
	[ "$(asks 'block_all = true; allow_calls = "@basic-io";' setuid -1)" = kill_process ]
	[ "$(asks 'limit_setuid = true; allow_calls = "@setuid";' setuid 0)" = EPERM ]
	[ "$(asks 'allow_calls = "@setuid";' setuid 0)" = allow ]
	# and blocking beats it: by name with the siblings, by a group, by a rule
	[ "$(asks 'limit_setuid = true; block_calls = "setuid";' setuid -1)" = kill_process ]
	[ "$(asks 'limit_setuid = true; block_calls = "setuid";' setreuid -1 -1)" = kill_process ]
	[ "$(asks 'limit_setuid = true; block_calls = "setuid";' setgid -1)" = allow ]
	[ "$(asks 'limit_setuid = true; block_calls = "@setuid";' setresgid -1 -1 -1)" = kill_process ]
	[ "$(asks 'limit_setuid = true; rules = ( { calls = "setuid"; action = "errno"; errno = "EACCES"; } );' setuid -1)" = EACCES ]
	# a condition of the stage's own is of the same kind: the stricter answer wins
	local rule='rules = ( { calls = "setuid"; action = "errno"; errno = "EACCES"; args = ( { arg = 0; op = "=="; value = "-1"; } ); } );'
	[ "$(asks "limit_setuid = true; $rule" setuid -1)" = EACCES ]
	[ "$(asks "limit_setuid = true; $rule" setuid 1)" = EPERM ]
}

@test "limit_setuid holds for i386's calls of both widths" {
	needs x86_64
	policy p '{ name = "x"; limit_setuid = true; architectures = "i386"; }'
	run -0 stagefencectl show -c p.conf
	for call in setuid32 setreuid32 setresuid32 setfsuid32 setgid32 setregid32 setresgid32 setfsgid32; do
		grep -q "\"$call\"" <<<"$output"
	done
	run -0 stagefencectl check -c p.conf
}

@test "a disabled stage is not strict" {
	policy p '{ name = "x"; disabled = true; mode = "strict"; }'
	run -3 stagefence -c p.conf -s x bash -c "echo alive; exit 3"
	[ "$output" = alive ]
}

@test "a refusal by name takes along what a group allows, as it does what nothing names" {
	local allowed='allow_calls = [ "@shell", "@aio", "@file-system" ];'
	[ "$(asks "$allowed" mkdirat)" = allow ]
	[ "$(asks "$allowed block_calls = \"mkdir\";" mkdirat)" = kill_process ]
	[ "$(asks "$allowed block_all = true; block_calls = \"mkdir\";" mkdirat)" = kill_process ]
	[ "$(asks "$allowed block_calls = \"mkdir\";" io_uring_setup)" = EPERM ]
	local clone='rules = ( { calls = "clone"; action = "errno"; args = ( { arg = 0; mask = "CLONE_NEWUSER"; op = "!="; value = 0; } ); } );'
	[ "$(asks "$allowed" clone3)" = allow ]
	[ "$(asks "$allowed $clone" clone3)" = ENOSYS ]
	# what is named by its own name stays as it says, and so does a group that refuses
	[ "$(asks 'allow_calls = [ "@shell", "mkdirat" ]; block_calls = "mkdir";' mkdirat)" = allow ]
	[ "$(asks "allow_calls = [ \"@shell\", \"clone3\" ]; $clone" clone3)" = allow ]
	[ "$(asks 'block_calls = "mkdir"; rules = ( { calls = "@io-uring"; action = "errno"; errno = "ENOSYS"; } );' io_uring_setup)" = ENOSYS ]
	# live: mkdir(1) by whichever call
	policy live "{ name = \"x\"; $allowed block_calls = \"mkdir\"; block_action = \"errno\"; }"
	run -1 stagefence -c live.conf -s x python3 -c 'import os; os.mkdir("made", dir_fd=os.open(".", os.O_RDONLY))'
	[ ! -e made ]
	run -0 stagefence -c live.conf -s x touch made
}

# notes 'SETTINGS': what check notes of a stage with these settings
notes() {
	echo "version = 1; stage_env = [ ]; stages = ( { name = \"s\"; $1 } );" >noted.conf
	stagefencectl check -c noted.conf >noted 2>&1 || echo "no good policy: $?" >>noted
	grep -v 'it takes two fences' noted
}

# answered 'SETTINGS' COUNT: that many notes, and none once each line that they give has been added
answered() {
	local said=$1 noted line
	noted=$(notes "$said")
	[ "$(grep -c . <<<"$noted")" = "$2" ] || { echo "of $said: $noted"; return 1; }
	while IFS= read -r line; do
		line=${line##*: note: }
		case $line in
		*'block_calls = '*) said=$(merge block_calls "${line##*block_calls = \[ }") ;;
		*': { calls'*) said=$(merge rules "{${line#*: \{}") ;;
		*) echo "no line to add: $line"; return 1 ;;
		esac
	done <<<"$noted"
	# one door may lead to the next
	noted=$(notes "$said") || true
	[ -z "$noted" ] || [ "${3-}" ] || answered "$said" "$(grep -c . <<<"$noted")" last || return 1
	[ "${3-}" ] || noted=''
	[ -z "$noted" ] || { echo "of $said: still $noted"; return 1; }
}

# merge KEY ENTRY: the said with one more entry in that list
merge() {
	local entry=${2% ];}
	if [[ $said == *"$1 = "* ]]; then
		# put in front of the list
		sed -E "s#$1 = ([[(])#$1 = \1 ${entry//&/\\&}, #" <<<"$said"
	elif [ "$1" = rules ]; then
		echo "$said rules = ( $entry );"
	else
		echo "$said $1 = [ $entry ];"
	fi
}

@test "notes on siblings and side doors: each realistic refusal has those that are open, and the line to add shuts them" {
	needs x86_64
	rule() { echo "rules = ( { calls = \"$1\"; action = \"errno\"; args = ( { arg = $2; $3 } ); } );"; }
	local writes='mask = "O_WRONLY|O_RDWR|O_CREAT|O_TRUNC"; op = "!="; value = "0";'
	answered 'block_calls = [ "mkdirat" ];' 1
	answered 'block_calls = [ "ptrace" ];' 1
	answered 'block_calls = [ "process_vm_writev" ];' 1
	answered "$(rule socket 0 'op = "=="; value = "AF_INET";')" 1
	answered "$(rule ioctl 1 'op = "=="; value = "TIOCSTI";')" 1
	answered "$(rule unshare 0 'mask = "CLONE_NEWUSER"; op = "!="; value = "0";')" 1
	answered "$(rule clone 0 'mask = "CLONE_NEWUSER"; op = "!="; value = "0";')" 1
	answered "$(rule chmod 1 'mask = "S_ISUID"; op = "!="; value = "0";')" 2
	answered "$(rule openat 2 "$writes")" 2
	answered "$(rule open 1 "$writes")" 2
	answered "$(rule mmap 2 'mask = "PROT_EXEC"; op = "!="; value = "0";')" 1
	answered 'block_calls = [ "fork" ];' 1
	answered 'block_calls = [ "clone" ];' 1
	answered 'allow_calls = "@shell"; block_all = true; block_calls = [ "openat" ];' 1
	answered 'allow_calls = "io_uring_setup"; block_calls = [ "mkdir" ];' 1 || [[ "$(notes 'allow_calls = "io_uring_setup"; block_calls = "mkdir";')" == *'[ "@io-uring" ];' ]]
	# flags that may stand beside what is refused
	answered "$(rule socket 1 'op = "=="; value = "SOCK_RAW";')" 1
	[ "$(asks "$(rule socket 1 'op = "=="; value = "SOCK_RAW";')" socket AF_PACKET "SOCK_RAW|SOCK_CLOEXEC")" = allow ]
	[ "$(asks "$(rule socket 1 'mask = "0xf"; op = "=="; value = "SOCK_RAW";')" socket AF_PACKET "SOCK_RAW|SOCK_CLOEXEC")" = EPERM ]
	# where calls are listed that are allowed, a group that brings io_uring brings what the list leaves out
	answered 'block_all = true; allow_calls = [ "@loader", "@aio" ];' 1
}

@test "no note where nothing is open: groups, exact rules, allow lists, the families themselves" {
	local settings
	for settings in 'block_calls = [ "@debug", "@mount", "@namespaces" ];' 'block_calls = [ "mkdir", "unlink", "chmod" ];' \
		'block_all = true; allow_calls = "@shell";' 'block_calls = "kill";' 'block_calls = "execve";' \
		'block_all = true; allow_calls = "@basic-io"; block_calls = "mkdirat";' \
		'rules = ( { calls = "mkdirat"; action = "errno"; exact = true; } );' \
		'rules = ( { calls = "mkdir"; action = "log"; } );' 'block_calls = [ "mkdir", "mkdirat" ]; allow_calls = "ptrace";'; do
		run notes "$settings"
		[ -z "$output" ] || { echo "$settings: $output"; return 1; }
	done
	cp "$source_folder/conf/stagefence.conf" shipped.conf
	chmod go-w shipped.conf
	run -0 stagefencectl check -c shipped.conf
	[ -z "$output" ]
}

@test "patterns that would match nothing, or themselves, are mistakes" {
	local pattern what
	while IFS='|' read -r pattern what; do
		policy p "{ name = \"x\"; match = \"$pattern\"; }"
		run -1 stagefencectl check -c p.conf
		[ "$output" = "stagefencectl: p.conf:3: the pattern \"${pattern//\\\\/\\}\" $what" ]
	done <<'END'
[a|has a [ that does not end
x[!]|has a [ that does not end
[]|has a [ that does not end
[z-a]|has a range that runs backwards
a\\|ends in a backslash
END
	for pattern in '[]a]' '[!]]' '[a-]' '[-a]' '[a-c]*' '\\[a' 'a]'; do
		policy p "{ name = \"x\"; match = \"$pattern\"; }"
		run -0 stagefencectl check -c p.conf
	done
	run -0 stagefence -c p.conf -s x true
}

@test "bases: cycles, depth and lists" {
	policy p '{ name = "a"; base = "b"; }, { name = "b"; base = "a"; }'
	run -1 stagefencectl check -c p.conf
	[ "$output" = "stagefencectl: p.conf:3: a is its own base
stagefencectl: p.conf:3: b is its own base" ]
	chain() {
		printf 'version = 1; stages = ( { name = "s"; base = "p1"; } ); profiles = (\n'
		for i in $(seq "$1"); do echo "{ name = \"p$i\"; base = \"p$((i + 1))\"; },"; done
		printf '{ name = "p%d"; block_calls = "mkdir"; } );' "$(($1 + 1))"
	}
	chain 60 >p.conf
	run -0 stagefencectl explain -c p.conf mkdir
	[ "${lines[0]}" = "mkdir: kill_process, by p.conf:62" ]
	chain 70 >p.conf
	run -1 stagefencectl check -c p.conf
	[[ "${lines[0]}" == "stagefencectl: p.conf:"*": the bases of "*" go deeper than 64" ]]
	[[ "$output" != *"its own base"* ]]
	# profiles and stages, each once, the nearest first; match and disabled stay behind
	echo 'version = 1; profiles = ( { name = "p"; block_calls = [ "sync", "rmdir" ]; block_action = "errno"; } );
stages = ( { name = "q"; match = "q*"; disabled = true; block_calls = [ "rmdir" ]; base = "p"; },
{ name = "s"; base = [ "p", "q", "p" ]; }, { name = "t"; base = [ "q", "p" ]; } );' >p.conf
	stage() { stagefencectl explain -c p.conf -s "$@" | head -1; }
	[ "$(stage s rmdir)" = "rmdir: EPERM, by p.conf:1" ]
	[ "$(stage t rmdir)" = "rmdir: kill_process, by p.conf:2" ]
	[ "$(stage t sync)" = "sync: EPERM, by p.conf:1" ]
	[ "$(stage q rmdir)" = "rmdir: allow, because no rule says otherwise" ]
}

@test "a stage that the environment cannot reach is a mistake only where the environment names stages" {
	policy p '{ name = "all"; match = "*"; }, { name = "x"; }'
	run -1 stagefencectl check -c p.conf
	[ "$output" = "stagefencectl: p.conf:3: stage x is unreachable: all (p.conf:3) matches all of its names first" ]
	sed -i '1a stage_env = [ ];' p.conf
	run -0 stagefencectl check -c p.conf
	run -0 stagefence -c p.conf -s x true
}
