#!/usr/bin/env bats
# What packaging/RECIPES.md tells an administrator to write, run as it stands there. Where the recipe is for a program that
# is not here, what that program does around it is played.
# shellcheck disable=SC2016,SC2154 # the scripts run on the machine

setup() {
	load lib
	recipes=$source_folder/packaging/RECIPES.md
}

# recipe NAME: the block of that name, with the paths of where stagefence is installed here
recipe() {
	awk -v name="$1" '/^```/ { inside = $0 ~ "^```[a-z]+ " name "$"; found += inside; next } inside { print } END { exit !found }' \
		"$recipes" | sed "s|/usr/bin/stagefence|$WRAPPER|; s|/usr/sbin/stagefencectl|$COMPILER|; s|/usr/\$LIB/stagefence/libstagefence.so|${LIB_SHIM:-$SHIM}|" |
		grep .
}

# on_machine 'POLICY' 'SCRIPT'
on_machine() {
	printf 'version = 1;\n%s\n' "$1" >system.conf
	timeout --kill-after=5 50 "$tests/helpers/machine" "$PWD/system.conf" bash -uc '
		PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin
		unset LD_PRELOAD "${!STAGEFENCE_@}"
		'"$2" on_machine 3>&-
}

refusing='block_calls = "mkdir"; block_action = "errno";'

@test "every recipe is run by a test, or says that it is not" {
	local name
	for name in $(sed -nE 's/^```[a-z]+ ([a-z-]+)$/\1/p' "$recipes"); do
		if grep -q "recipe $name\b" "$BATS_TEST_FILENAME"; then
			continue
		fi
		awk -v name="$name" '/^## /{ marked = 0 } /\*Not run here\.\*/ { marked = 1 } $0 ~ "^```[a-z]+ " name "$" { exit !marked }' "$recipes" ||
			{ echo "who runs $name?"; return 1; }
	done
	[ "$(grep -cE '^```[a-z]+ [a-z-]+$' "$recipes")" -ge 8 ]
	# and nothing is without a name
	run -1 grep -nE '^```[a-z]+ *$' "$recipes"
}

@test "Slurm: each command of the job script is in its stage, and a step needs a prefix of its own" {
	recipe slurm-job >job
	# as slurmd starts a step: from a process that the script's fence does not hold
	run -0 on_machine "stages = ( { name = \"prepare\"; }, { name = \"build\"; $refusing }, { name = \"after_script\"; $refusing } );" '
		cd "$TMPDIR" && mkdir bin
		printf "#!/bin/sh\nexec \"\$@\"\n" >bin/srun
		for name in fetch build tidy; do printf "#!/bin/sh\nmkdir $name.d 2>/dev/null && echo $name made it || echo $name did not\n" >$name; done
		chmod 755 bin/srun fetch build tidy
		PATH=$PWD/bin:$PATH bash job'
	[ "$output" = $'fetch made it\nbuild did not\ntidy did not' ]
}

@test "a runner's unit: the runner runs, and a job that is in a stage is confined" {
	# systemd gives the rest of the line to the program as it is, $ and all
	# of the loader's $LIB only an installation in the system's folders can make use
	recipe unit >unit
	local value
	value=$(sed -n 's/^Environment="\(.*\)"$/\1/p' unit)
	[[ "$value" == LD_PRELOAD=* ]]
	VALUE=$value run -0 on_machine "no_stage = \"pass\"; stages = ( { name = \"job\"; $refusing } );" '
		cd "$TMPDIR"
		env "$VALUE" bash -c "
			mkdir runner.d && echo the runner runs
			STAGEFENCE_STAGE=job bash -c \"mkdir job.d\" || echo the job does not
			STAGEFENCE_STAGE=jub bash -c \"mkdir job.d\" || echo nor under another name: \$?"'
	[ "${lines[0]}" = "the runner runs" ]
	[[ "${lines[1]}" == mkdir:*"Operation not permitted" ]]
	[ "${lines[2]}" = "the job does not" ]
	[[ "${lines[3]}" == 'stagefence: no stage answers to "jub"'* ]]
	[ "${lines[4]}" = "nor under another name: 125" ]
}

@test "GitLab: the order of sub-stages, a job's failure, a killed job, a stage that is not there" {
	# as the runner reads it: the program, and what stands before the step's own arguments
	recipe gitlab-config >config
	run_exec() {
		sed -nE "s/^ *run_exec = \"(.*)\"$/\1/p; s/^ *run_args = \[(.*)\]$/\1/p" "$1" | tr -d '",' | tr '\n' ' '
	}
	[ "$(run_exec config)" = "$COMPILER gitlab run " ]
	[ "$(grep -cE '_(exec|args) = ' config)" = 6 ]
	RUN=$(run_exec config) run -0 on_machine "$(cat "$source_folder/conf/stagefence.conf" | grep -v '^version')" '
		cd "$TMPDIR"
		# the runner, as its contract is: a folder of its own, nothing on standard input, codes and the file for the real one;
		# and what the author has put into variables:
		play() {
			printf "#!/usr/bin/env bash\nset -o pipefail; set -o errexit\n%s\nexit 0\n" "$2" >script
			chmod 700 script
			rm -f code
			env -i PATH="$PATH" TMPDIR="$PWD" BUILD_FAILURE_EXIT_CODE=1 SYSTEM_FAILURE_EXIT_CODE=2 BUILD_EXIT_CODE_FILE="$PWD/code" \
				CUSTOM_ENV_CI_JOB_STAGE=build_script CUSTOM_ENV_STAGEFENCE_STAGE=build_script CUSTOM_ENV_LD_PRELOAD=/tmp/evil.so \
				setsid --wait $RUN "$PWD/script" "$1" </dev/null 2>&1
			echo "$1: $? $(cat code 2>/dev/null)"
		}
		for stage in prepare_script get_sources restore_cache download_artifacts build_script step_release after_script \
			archive_cache upload_artifacts_on_success cleanup_file_variables; do
			play $stage "true"
		done
		play build_script "mkdir made; echo built"
		play after_script "export STAGEFENCE_STAGE=build_script; mkdir more"
		play build_script "exit 42"
		play build_script "kill -SYS \$\$"
		play no_such_stage "echo ran"'
	echo "$output"
	[ "$(grep -c '^[a-z_]*: 0 0$' <<<"$output")" = 11 ]
	grep -qx built <<<"$output"
	grep -q 'more.*Operation not permitted' <<<"$output"
	grep -qx 'after_script: 1 1' <<<"$output"
	grep -qx 'build_script: 1 42' <<<"$output"
	grep -qx 'build_script: 1 159' <<<"$output"
	grep -qx 'no_such_stage: 2 125' <<<"$output"
	run -1 grep -qx ran <<<"$output"
}

@test "GitLab: a driver that is there already runs behind the fence" {
	recipe gitlab-driver >config
	local words
	words=$(sed -nE 's/^ *run_exec = "(.*)"$/\1/p; s/^ *run_args = \[(.*)\]$/\1/p' config | tr -d '",' | tr '\n' ' ')
	RUN=${words/\/opt\/driver\/run/./driver} run -0 on_machine "stages = ( { name = \"build_script\"; $refusing } );" '
		cd "$TMPDIR"
		printf "#!/bin/sh\nbash \"\$1\" && echo driver: \$2\n" >driver
		printf "mkdir made || echo refused\n" >script
		chmod 755 driver
		BUILD_FAILURE_EXIT_CODE=1 SYSTEM_FAILURE_EXIT_CODE=2 $RUN ./script build_script </dev/null'
	[ "${lines[-2]}" = refused ]
	[ "${lines[-1]}" = "driver: build_script" ]
}

@test "Slurm: the line of plugstack.conf is the one that its own tests write" {
	recipe slurm-plugstack >line
	grep -qE '^required .*/stagefence/spank_stagefence\.so$' line
	grep -qE 'required .*spank_stagefence\.so' "$source_folder"/tests/slurm/*
}

@test "Buildkite: shell confines the command, whatever the step says" {
	recipe buildkite-agent >cfg
	SETTING=$(sed -n 's/^shell="\(.*\)"$/\1/p' cfg) run -0 on_machine "stages = ( { name = \"command\"; $refusing }, { name = \"other\"; } );" '
		cd "$TMPDIR"
		read -ra shell <<<"$SETTING"
		STAGEFENCE_STAGE=other BUILDKITE_STEP_KEY=other "${shell[@]}" "echo a \"b c\"
		mkdir made; echo not here" || echo $?'
	[ "${lines[0]}" = "a b c" ]
	[[ "${lines[1]}" == *"Operation not permitted" ]]
	[ "${lines[2]}" = 1 ]
	[ "${#lines[@]}" = 3 ]
}

@test "PBS: the hook puts the prefix before the shell, by the queue's name" {
	recipe pbs-launch >hook.py
	cat >pbs.py <<-'END'
		import sys
		class Queue: name = sys.argv[1]
		class Job: queue = Queue()
		class Event:
		    job = Job()
		    progname = sys.argv[2]
		    argv = sys.argv[3:]
		    def accept(self):
		        print("\n".join([self.progname] + self.argv))
		the = Event()
		def event(): return the
	END
	run -0 env PYTHONPATH="$PWD" PYTHONDONTWRITEBYTECODE=1 python3 hook.py ci /bin/bash -bash
	[ "$output" = "$WRAPPER
$WRAPPER
-s
queue-ci
--
/bin/bash
-l" ]
	PYTHONPATH=$PWD PYTHONDONTWRITEBYTECODE=1 python3 hook.py ci /bin/sh sh -c 'mkdir made; echo $0 "$1"' zero one >words
	# progname and argv[0] are two things: the system executes the first
	run -0 on_machine "stages = ( { name = \"ci\"; match = \"queue-*\"; $refusing } );" '
		cd "$TMPDIR"
		mapfile -t words <words
		(exec -a "${words[1]}" "${words[0]}" "${words[@]:2}")'
	[[ "${lines[0]}" == *"Operation not permitted" ]]
	[ "${lines[1]}" = "zero one" ]
}

@test "Jenkins: the shell is in the stage that the Jenkinsfile names, and the floor holds in all" {
	recipe jenkins-sh >jenkins-sh
	chmod 755 jenkins-sh
	run -0 on_machine "stage_env = [ \"STAGE_NAME\" ]; floor = \"site\"; profiles = ( { name = \"site\"; block_calls = \"rmdir\"; block_action = \"errno\"; } );
		stages = ( { name = \"build\"; }, { name = \"deploy\"; $refusing } );" '
		cd "$TMPDIR"
		printf "mkdir made; echo \$?; rmdir made 2>/dev/null; echo \$?\n" >script.sh
		for stage in build deploy; do
			STAGE_NAME=$stage ./jenkins-sh -x script.sh 2>/dev/null
		done
		STAGE_NAME=test ./jenkins-sh -xe script.sh || echo $?
		./jenkins-sh -xe script.sh || echo $?'
	echo "$output"
	[ "${lines[*]:0:4}" = "0 1 1 1" ]
	[[ "${lines[4]}" == 'stagefence: no stage answers to "test"'* ]]
	[ "${lines[5]}" = 125 ]
	[[ "${lines[6]}" == 'stagefence: no stage is named'* ]]
	[ "${lines[7]}" = 125 ]
}
