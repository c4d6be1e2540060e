#!/usr/bin/env bats
# The wrapper's manners: options, stages, exit statuses, and what reaches the command.

setup() {
	load lib
	policy p '{ name = "open"; }, { name = "nomkdir"; block_calls = [ "mkdir", "mkdirat" ]; block_action = "errno"; }'
}

@test "mkdir works unconfined and in a stage that allows it" {
	mkdir bare
	stagefence -c p.conf -s open -- mkdir allowed
	[ -d bare ]
	[ -d allowed ]
}

@test "mkdir is refused in a stage that blocks it, with the words of the after_script example" {
	run -1 stagefence -c p.conf -s nomkdir -- mkdir test
	[[ "$output" == "mkdir: cannot create directory "*test*": Operation not permitted" ]]
	[ ! -e test ]
}

@test "the fence is one seccomp filter, and no_new_privs is set" {
	run -0 stagefence -c p.conf -s open grep -E '^(NoNewPrivs|Seccomp|Seccomp_filters):' /proc/self/status
	[ "$output" = $'NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1' ]
}

@test "a command's own exit status is the wrapper's" {
	for status in 0 1 2 3 42 124 125 126 127 255; do
		run -"$status" stagefence -c p.conf -s open sh -c "exit $status"
	done
}

@test "a command that a signal kills is seen as killed by that signal" {
	for signal in TERM KILL SEGV USR1; do
		run -0 perl -e 'system @ARGV; print $? & 127' sh -c "kill -$signal \$\$"
		local bare=$output
		run -0 perl -e 'system @ARGV; print $? & 127' stagefence -c p.conf -s open sh -c "kill -$signal \$\$"
		[ "$output" = "$bare" ]
		[ "$output" -gt 0 ]
	done
}

@test "127: the command is not there" {
	run -127 stagefence -c p.conf -s open no-such-command
	[ "$output" = "stagefence: no-such-command: No such file or directory" ]
	run -127 stagefence -c p.conf -s open ./no/such/path
	[ "$output" = "stagefence: ./no/such/path: No such file or directory" ]
	run -127 stagefence -c p.conf -s open ''
	one_line "$output"
}

@test "126: the command cannot be run" {
	echo text >file
	mkdir folder
	run -126 stagefence -c p.conf -s open ./file
	[ "$output" = "stagefence: ./file: Permission denied" ]
	run -126 stagefence -c p.conf -s open ./folder
	[ "$output" = "stagefence: ./folder: Permission denied" ]
	PATH=$PWD run -126 "$(command -v stagefence)" -c p.conf -s open file
	[ "$output" = "stagefence: file: Permission denied" ]
}

@test "125: wrong usage is one line, and nothing runs" {
	for arguments in '' '-x true' '-c' '-s' '--unknown true' '-c p.conf -s'; do
		# shellcheck disable=SC2086
		run -125 stagefence $arguments
		one_line "$output"
		[[ "$output" == stagefence:* ]]
	done
}

@test "-h and -V print to standard output" {
	run -0 --separate-stderr stagefence -h
	[[ "$output" == usage:\ stagefence* ]]
	[ -z "$stderr" ]
	run -0 --separate-stderr stagefence -V
	[[ "$output" == stagefence\ [0-9]* ]]
	run -0 stagefence --help
	run -0 stagefence --version
}

@test "options may be glued to their values and end at --" {
	run -0 stagefence -cp.conf -sopen -- echo -s x
	[ "$output" = "-s x" ]
	run -0 stagefence -c p.conf -s open echo -c y
	[ "$output" = "-c y" ]
}

@test "the stage comes from -s before the environment" {
	export STAGEFENCE_STAGE=nomkdir
	run -1 stagefence -c p.conf mkdir a
	run -0 stagefence -c p.conf -s open mkdir b
	[ ! -e a ]
	[ -d b ]
}

@test "the first set variable of stage_env names the stage" {
	printf 'version = 1; stage_env = [ "FIRST", "SECOND" ];
stages = ( { name = "open"; }, { name = "nomkdir"; block_calls = [ "mkdir" ]; block_action = "errno"; } );' >v.conf
	FIRST=open SECOND=nomkdir stagefence -c v.conf mkdir a
	SECOND=open stagefence -c v.conf mkdir b
	FIRST=nomkdir SECOND=open run -1 stagefence -c v.conf mkdir c
	[ -d a ]
	[ -d b ]
	[ ! -e c ]
}

@test "no stage: refuse, pass or a stage, as no_stage says" {
	run -125 stagefence -c p.conf touch ran
	[ "$output" = "stagefence: no stage is named: give -s STAGE or set STAGEFENCE_STAGE" ]
	[ ! -e ran ]
	printf 'version = 1; no_stage = "pass"; stages = ( { name = "x"; default_action = "errno"; } );' >n.conf
	run -0 stagefence -c n.conf grep -E '^Seccomp:' /proc/self/status
	[ "$output" = "$(grep -E '^Seccomp:' /proc/self/status)" ]
	printf 'version = 1; no_stage = "x"; stages = ( { name = "x"; block_calls = [ "mkdir" ]; block_action = "errno"; } );' >n.conf
	run -1 stagefence -c n.conf mkdir d
}

@test "an unknown, empty, doubled or overlong stage is refused, or what unknown_stage says" {
	local long
	long=$(printf 'x%.0s' $(seq 256))
	for stage in nope '' "$long"; do
		STAGEFENCE_STAGE=$stage run -125 stagefence -c p.conf touch ran
		one_line "$output"
	done
	run -125 "$helpers/twice" STAGEFENCE_STAGE=open STAGEFENCE_STAGE=open -- "$(command -v stagefence)" -c p.conf touch ran
	one_line "$output"
	[ ! -e ran ]
	printf 'version = 1; unknown_stage = "x";
stages = ( { name = "x"; block_calls = [ "mkdir" ]; block_action = "errno"; } );' >u.conf
	STAGEFENCE_STAGE=nope run -1 stagefence -c u.conf mkdir d
	STAGEFENCE_STAGE='' run -1 stagefence -c u.conf mkdir d
	run -1 "$helpers/twice" STAGEFENCE_STAGE=a STAGEFENCE_STAGE=b -- "$(command -v stagefence)" -c u.conf mkdir d
	[ ! -e d ]
}

@test "match: shell patterns in the order of the file" {
	policy m '{ name = "deploy"; match = [ "deploy_prod" ]; block_calls = [ "mkdir" ]; block_action = "errno"; },
	{ name = "any"; match = [ "step_*", "[a-c]x?", "lit\\*" ]; },
	{ name = "rest"; match = [ "*" ]; block_calls = [ "mkdir" ]; block_action = "errno"; errno = "EROFS"; }'
	for stage in step_ step_1 ax1 bxy 'lit*'; do
		STAGEFENCE_STAGE=$stage stagefence -c m.conf mkdir "d$stage"
	done
	for stage in dx1 ax lit1 step; do
		STAGEFENCE_STAGE=$stage run -1 stagefence -c m.conf mkdir no
		[[ "$output" == *"Read-only file system" ]]
	done
	STAGEFENCE_STAGE=deploy_prod run -1 stagefence -c m.conf mkdir no
	[[ "$output" == *"not permitted" ]]
}

@test "pid, group, mask, dispositions, umask, folder, descriptors, argv[0] and environment arrive as they came" {
	export ODD=$'a\nb' EMPTY='' LD_LIBRARY_PATH=/nowhere
	umask 027
	"$helpers/seen" one 'two words' '' >bare 5<p.conf
	stagefence -c p.conf -s open "$helpers/seen" one 'two words' '' >fenced 5<p.conf
	diff bare fenced
	grep -q '^fd 5 ' fenced
	# a descriptor that the wrapper would be glad to use is closed for both
	("$helpers/seen" >bare 0<&- 2>&-)
	(stagefence -c p.conf -s open "$helpers/seen" >fenced 0<&- 2>&-)
	diff bare fenced
}

@test "blocked and ignored signals stay so, and the process keeps its id" {
	"$helpers/signals" "$helpers/seen" >bare
	"$helpers/signals" "$(command -v stagefence)" -c p.conf -s open "$helpers/seen" >fenced
	diff bare fenced
	grep -q "^blocked $(kill -l USR1)\$" fenced
	grep -q '^disposition 1 ignored' fenced
	run -0 sh -c 'echo $$; exec stagefence -c p.conf -s open sh -c "echo \$\$"'
	[ "${lines[0]}" = "${lines[1]}" ]
}

@test "a script without #! runs as execvp would run it" {
	printf 'echo "$0" "$@"; mkdir "$1"' >script
	chmod +x script
	run -0 stagefence -c p.conf -s open ./script a 'b c'
	[ "$output" = "./script a b c" ]
	run -1 stagefence -c p.conf -s nomkdir ./script d
	[ -d a ]
	[ ! -e d ]
}

@test "PATH is searched as execvp searches it: empty parts, unreadable folders, files that cannot be executed" {
	mkdir one two
	echo not >one/tool
	printf '#!/bin/sh\necho two' >two/tool
	printf '#!/bin/sh\necho here' >tool
	chmod +x two/tool tool
	local s
	s=$(command -v stagefence)
	PATH=$PWD/one:/nowhere:$PWD/two:/bin:/usr/bin run -0 "$s" -c p.conf -s open tool
	[ "$output" = two ]
	PATH=:/bin:/usr/bin run -0 "$s" -c p.conf -s open tool
	[ "$output" = here ]
	env -u PATH "$s" -c p.conf -s open true
}

@test "a compiled image is as good as its policy, and outlives it" {
	stagefencectl compile -c p.conf -o p.sfi
	rm p.conf
	run -1 stagefence -c p.sfi -s nomkdir mkdir no
	stagefence -c p.sfi -s open mkdir yes
	[ -d yes ]
	[ ! -e no ]
}

@test "under ulimit -f that is too small for an image: one line, nothing runs; a stage that needs none of ours runs" {
	policy two '{ name = "two"; block_calls = "openat"; block_action = "errno"; }, { name = "one"; }'
	policy one '{ name = "one"; }'
	stagefencectl compile -c two.conf -o two.sfi 2>&1
	limited() { run -0 bash -c 'ulimit -f 0; "$@" 2>&1 >ran | cat; echo "status ${PIPESTATUS[0]}"' - "$@"; }
	limited stagefence -c one.conf -s one true
	[ "$output" = "stagefencectl: standard output: File too large
status 125" ]
	limited stagefence -c two.sfi -s two /bin/true
	[ "$output" = "stagefence: no memory to hand the policy image over: File too large (ulimit -f)
status 125" ]
	limited stagefencectl compile -c one.conf -o one.sfi
	[ "$output" = "stagefencectl: one.sfi: File too large
status 1" ]
	limited stagefence -c two.conf -s one true
	[ "$output" = "stagefencectl: two.conf:3: stage two: libseccomp: export: File too large
status 125" ]
	limited stagefence -c two.sfi -s one true
	[ "$output" = "status 0" ]
	# and the command gets the signal as it was
	limited stagefence -c two.sfi -s one bash -c 'echo x >file'
	[ "$output" = "status 153" ]
}

@test "the wrapper links nothing, has no interpreter and no relocations" {
	[ -z "${STAGEFENCE_INSTALLED-}" ] || skip "the build tree's"
	run -0 readelf -lrW "$build/stagefence"
	[[ "$output" != *INTERP* ]]
	[[ "$output" == *"There are no relocations"* ]]
	[ -z "$(nm -u "$build/stagefence")" ]
}

@test "nesting the same stage raises one filter, two stages two" {
	run -0 stagefence -c p.conf -s open stagefence -c p.conf -s open grep Seccomp_filters: /proc/self/status
	[ "$output" = $'Seccomp_filters:\t1' ]
	run -0 stagefence -c p.conf -s open stagefence -c p.conf -s nomkdir grep Seccomp_filters: /proc/self/status
	[ "$output" = $'Seccomp_filters:\t2' ]
	run -1 stagefence -c p.conf -s nomkdir stagefence -c p.conf -s open mkdir no
}

@test "a hundred nested wrappers of one stage keep one filter" {
	cat >again <<'END'
#!/bin/bash
[ "$1" -gt 0 ] || exec grep Seccomp_filters: /proc/self/status
exec stagefence -c p.sfi -s open ./again $(($1 - 1))
END
	chmod +x again
	stagefencectl compile -c p.conf -o p.sfi
	run -0 within 60 ./again 100
	[ "$output" = $'Seccomp_filters:\t1' ]
}

@test "a compiler that fails is not believed, even if it has written a good image" {
	local end
	needs readable
	policy p '{ name = "x"; }'
	stagefencectl compile -c p.conf -o p.sfi
	mkdir own
	cp "$(command -v stagefence)" own
	cp "$build/libstagefence.so" own
	for end in 'exit 0' 'exit 3' 'kill -9 $$'; do
		printf '#!/bin/sh\ncat %q\n%s\n' "$PWD/p.sfi" "$end" >own/stagefencectl
		chmod 755 own/stagefencectl
		if [ "$end" = 'exit 0' ]; then
			run -0 own/stagefence -c p.conf -s x -- touch ran
			rm ran
			continue
		fi
		run -125 own/stagefence -c p.conf -s x -- touch ran
		[[ "$output" == *"stagefencectl did not finish compiling the policy" ]]
		[ ! -e ran ]
	done
}

@test "a variable of ours that somebody set does not reach the command, with a fence or without" {
	policy p '{ name = "x"; }, { name = "off"; disabled = true; }'
	for stage in x off; do
		for value in '' 3 3,0 garbage; do
			run -0 env STAGEFENCE_FENCE="$value" stagefence -c p.conf -s $stage -- env
			[[ "$output" != *STAGEFENCE_FENCE* ]]
			[[ "$output" == *"HOME="* ]]
		done
	done
}

@test "a name of more than 255 bytes is nobody's, even where a pattern takes every name" {
	policy p '{ name = "x"; match = "a*"; }'
	run -0 env STAGEFENCE_STAGE="$(printf 'a%.0s' {1..255})" stagefence -c p.conf -- echo ran
	[ "$output" = ran ]
	run -125 env STAGEFENCE_STAGE="$(printf 'a%.0s' {1..256})" stagefence -c p.conf -- echo ran
	[ "$output" = "stagefence: no stage answers to the name given, of more than 64 bytes" ]
	one_line "$output"
}
