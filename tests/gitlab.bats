#!/usr/bin/env bats
# GitLab Runner's custom executor, by a replay of its contract (tests/gitlab/replay). Needs no privileges.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # what bats and texts for other shells look like to shellcheck

setup() {
	load lib
	cd "$BATS_TEST_TMPDIR" || exit 1
	mkdir job
	cat >p.conf <<-'END'
		version = 1;
		stages = (
		  { name = "build_script"; match = [ "build_script", "step_*" ];
		    rules = ( { calls = [ "symlink" ]; action = "errno"; errno = "EPERM"; },
		      { calls = [ "link" ]; action = "kill_process"; } ); },
		  { name = "after_script"; rules = ( { calls = [ "mkdir" ]; action = "errno"; errno = "EPERM"; } ); },
		  { name = "rest"; match = [ "*" ]; rules = ( { calls = [ "reboot" ]; action = "errno"; errno = "EPERM"; } ); }
		);
	END
	ctl=$(command -v stagefencectl)
}

# replay [RUN...]: the job in job/; what it printed in out, the runner's part in calls
replay() {
	local status=0
	within 60 "$tests/gitlab/replay" job "$@" </dev/null >out 2>&1 || status=$?
	cp job/calls calls
	return $status
}

job() {
	replay "$ctl" gitlab -c "$PWD/p.conf" run || return
	cat calls out
}

@test "a build that succeeds passes through its sub-stages, each under its own policy" {
	echo 'ln -s a b || echo "no symlink"; mkdir made && echo made' >job/script
	echo 'mkdir after || echo "no mkdir"; ln -s a after-link && echo linked' >job/after_script
	run -0 job
	[ "$(cat calls)" = "call prepare_script 0
call get_sources 0
call build_script 0
call after_script 0
call upload_artifacts_on_success 0
call cleanup_file_variables 0
job success" ]
	grep -qx "no symlink" out
	grep -qx made out
	grep -qx "no mkdir" out
	grep -qx linked out
}

@test "a build's failure is the job's, with its own exit code each time" {
	echo 'exit 42' >job/script
	echo 'echo after' >job/after_script
	run -0 job
	grep -qx "call build_script 1" calls
	grep -qx "call upload_artifacts_on_failure 0" calls
	grep -qx "job script_failure 42" calls
	grep -qx after out
	# 125 to 127 may be a script's own word
	echo 'exit 125' >job/script
	run -0 job
	grep -qx "job script_failure 125" calls
	echo 'no-such-command' >job/script
	run -0 job
	grep -qx "job script_failure 127" calls
}

@test "a script that the fence kills is the job's failure, and one line says why" {
	echo 'echo a >f; ln f g; echo not reached' >job/script
	run -0 job
	grep -qx "job script_failure 159" calls
	# the shell itself
	echo 'exec python3 -c "import os; os.link(\"x\", \"y\")"' >job/script
	run -0 job
	grep -qx "job script_failure 159" calls
	run -1 grep -q "not reached" out
	# bare, the same script runs through
	echo 'echo a >f; ln f g; echo reached' >job/script
	replay bash -c 'exec bash "$1"' run
	grep -qx "job success" calls
	grep -qx reached out
}

@test "what is wrong with us is the runner's failure, and nothing runs" {
	echo 'echo ran' >job/script
	echo 'stages = (' >p.conf
	run -0 job
	grep -qx "call prepare_script 2" calls
	grep -qx "job runner_system_failure" calls
	run -1 grep -q ran out
	cat >p.conf <<-'END'
		version = 1;
		stages = ( { name = "prepare_script"; }, { name = "get_sources"; } );
	END
	run -0 job
	grep -qx "call build_script 2" calls
	grep -qx "job runner_system_failure" calls
	grep -q 'no stage answers to "build_script"' out
	run -1 grep -q ran out
}

@test "nothing that a job sets names its stage or weakens it" {
	cat >job/variables <<-'END'
		CI_JOB_STAGE=rest
		STAGEFENCE_STAGE=rest
		LD_PRELOAD=
		BASH_ENV=/nonexistent
		JOB_RESPONSE_FILE=/etc/passwd
		SYSTEM_FAILURE_EXIT_CODE=0
	END
	cat >job/script <<-'END'
		echo STAGEFENCE_STAGE=rest >>"$GITLAB_ENV"
		echo "stage $STAGEFENCE_STAGE"
		ln -s a b || echo "no symlink"
		bash -c 'ln -s a b' || echo "none below either"
	END
	echo 'mkdir after || echo "no mkdir"' >job/after_script
	run -0 job
	grep -qx "job success" calls
	grep -qx "stage rest" out
	grep -qx "no symlink" out
	grep -qx "none below either" out
	grep -qx "no mkdir" out
}

@test "no job passes its failure off as the runner's by taking stagefence's name" {
	cat >x <<-'END'
		echo -n "$NAME" >/proc/$$/comm
		exit 125
	END
	local name
	for name in stagefence stagefencectl; do
		run -1 env NAME=$name BUILD_EXIT_CODE_FILE="$PWD/code" "$ctl" gitlab -c "$PWD/p.conf" run x build_script
		[ "$(<code)" = 125 ]
	done
	# the same status, and nothing ran: ours
	policy one '{ name = "after_script"; }'
	run -2 env NAME=x "$ctl" gitlab -c "$PWD/one.conf" run x build_script
	[[ $output == "stagefence: no stage answers to"* ]]
}

@test "a job that puts a link or a pipe in the exit code file's place has nothing written through it, and nobody waits" {
	echo precious >precious
	echo 'exit 3' >x
	local kind
	for kind in "ln -s precious" "ln precious" mkfifo "ln -s /dev/null"; do
		rm -f code
		$kind code
		run -2 within 10 env BUILD_EXIT_CODE_FILE="$PWD/code" "$ctl" gitlab -c "$PWD/p.conf" run x build_script
		one_line "$output"
		[[ $output == "stagefencectl: $PWD/code: "* ]]
		[ "$(<precious)" = precious ]
	done
	rm code
	echo 1234567 >code
	run -1 env BUILD_EXIT_CODE_FILE="$PWD/code" "$ctl" gitlab -c "$PWD/p.conf" run x build_script
	[ "$(<code)" = 3 ]
}

@test "a policy may ask for the CI stage, which the server tells and no variable forges" {
	cat >p.conf <<-'END'
		version = 1;
		stages = (
		  { name = "deploy"; match = [ "build_script@deploy" ]; },
		  { name = "build"; match = [ "*" ]; rules = ( { calls = [ "symlink" ]; action = "errno"; errno = "EPERM"; } ); }
		);
	END
	echo 'ln -s a b && echo linked || echo "no symlink"' >job/script
	echo CI_JOB_STAGE=deploy >job/variables
	run -0 job
	grep -qx "no symlink" out
	echo deploy >job/stage
	run -0 job
	grep -qx linked out
	# a file that others could have written is none of the runner's
	run -2 env JOB_RESPONSE_FILE=/dev/null "$ctl" gitlab -c p.conf run x build_script
	echo '{"job_info":{"stage":"deploy"}}' >response
	chmod 666 response
	run -2 env JOB_RESPONSE_FILE="$PWD/response" "$ctl" gitlab -c "$PWD/p.conf" run x build_script
	[[ $output == *"is not a file of the runner's own" ]]
	chmod 600 response
	echo 'echo ran' >x
	run -0 env JOB_RESPONSE_FILE="$PWD/response" "$ctl" gitlab -c "$PWD/p.conf" run x build_script
	[ "$output" = ran ]
}

@test "cancelled, the script gets its SIGTERM and the job has failed" {
	echo 'echo started >"$CI_PROJECT_DIR/../../started"; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1; done; echo ended' >job/script
	replay "$ctl" gitlab -c "$PWD/p.conf" run &
	local replay=$!
	soon [ -e job/started ]
	# as the runner does it: the whole process group
	kill -TERM -- "-$(pgrep -P "$(<job/pid)" | head -n 1)"
	wait $replay
	grep -qx "call build_script 1" calls
	run -1 grep -qx ended out
}

@test "in front of a driver that is there already, its words and exit codes pass through" {
	cat >driver <<-'END'
		#!/bin/bash
		echo "driver $*" | sed 's|/[^ ]*/script|SCRIPT|'
		[ "$2" != build_script ] || ln -s a b || exit 7
	END
	chmod +x driver
	: >job/script
	run -0 replay "$ctl" gitlab -c "$PWD/p.conf" run -- "$PWD/driver"
	cat calls out
	grep -qx "driver SCRIPT get_sources" out
	grep -qx "call build_script 7" calls
	grep -qx "job runner_system_failure" calls
	sed -i 's/exit 7/kill -SYS $$/' driver
	run -0 replay "$ctl" gitlab -c "$PWD/p.conf" run -- "$PWD/driver"
	grep -qx "job script_failure 159" calls
}

@test "config says who we are, prepare says early what would not run, cleanup does nothing" {
	run -0 "$ctl" gitlab config
	[ "$(python3 -c 'import json, sys; print(json.load(sys.stdin)["driver"]["name"])' <<<"$output")" = stagefence ]
	run -0 "$ctl" gitlab -c "$PWD/p.conf" prepare
	run -0 "$ctl" gitlab cleanup
	run -2 "$ctl" gitlab -c none.conf prepare
	run -3 env SYSTEM_FAILURE_EXIT_CODE=3 "$ctl" gitlab -c none.conf prepare
	run -2 "$ctl" gitlab dance
	printf '%s\n' "$ctl" gitlab config >job/config
	printf '%s\n' "$ctl" gitlab -c "$PWD/p.conf" prepare >job/prepare
	echo 'echo hello' >job/script
	run -0 job
	grep -qx "job success" calls
}

@test "the shipped policy has a stage for every sub-stage of the runner" {
	local sub
	for sub in prepare_script get_sources clear_worktree restore_cache download_artifacts build_script step_script \
		step_release after_script archive_cache archive_cache_on_failure upload_artifacts_on_success \
		upload_artifacts_on_failure cleanup_file_variables; do
		run -0 stagefence -c "$source_folder/conf/stagefence.conf" -s "$sub" -- true
	done
}
