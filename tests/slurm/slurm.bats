#!/usr/bin/env bats
# Slurm's plugin in a real Slurm; tests/slurm/run brings the cluster up. As root jobs are nobody's.
# shellcheck disable=SC2016,SC2140,SC2154 # what bats and texts for other shells look like to shellcheck

bats_require_minimum_version 1.5.0

setup() {
	: "${SLURM_WORK:?tests/slurm/run starts these tests}"
	# an ordinary user's jobs, in a folder that is his
	folder=$(mktemp -d "$SLURM_WORK/tmp/XXXXXX")
	cd "$folder" || exit 1
	user=()
	if [ "$(id -u)" = 0 ]; then
		chown nobody: "$folder"
		user=(setpriv --reuid=nobody "--regid=$(id -g nobody)" --clear-groups)
	fi
	plugstack=$SLURM_WORK/cluster/plugstack.conf
	answers=$SLURM_WORK/answers
	plugin="$SLURM_WORK/spank_stagefence.so image=$SLURM_WORK/site.sfi stagefencectl=$SLURM_WORK/stagefencectl choice=quiet,asks,asks-whom,nothing answers=$answers"
	echo "required $plugin" >"$plugstack"
	unset LD_PRELOAD "${!STAGEFENCE@}" "${!SLURM_JOB@}"
	export LC_ALL=C HOME=$folder
}

# steps OPTION... COMMAND...: srun, as the user; 125 is ours, and srun gives it back
steps() {
	timeout 60 "${user[@]}" srun "$@" 3>&- 2>&1
}

# batch FILE [OPTION...]: submits it, waits for its end, and prints its output
batch() {
	local id
	id=$("${user[@]}" sbatch --parsable -o "$folder/output" "${@:2}" "$1") || return
	while squeue -h -j "$id" 2>/dev/null | grep -q .; do sleep 0.1; done
	cat "$folder/output"
}

# allocate: a job of the user's without a step, in $job; ended by release
allocate() {
	local output
	output=$(timeout 60 "${user[@]}" salloc --no-shell -n1 3>&- 2>&1) || return
	job=$(sed -n 's/.*Granted job allocation \([0-9]*\)$/\1/p' <<<"$output")
	[ -n "$job" ]
}

release() {
	scancel "$job"
	while squeue -h -j "$job" 2>/dev/null | grep -q .; do sleep 0.1; done
}

only_roots() {
	[ "$(id -u)" = 0 ] || skip "a slurmd that is not root's keeps no answers"
}

# forge STAGE [FILE] [JOB [UID [FROM [MARK]]]]: an answer as the plugin writes it
forge() {
	[ -d "$answers" ] || mkdir -m 700 "$answers"
	python3 - "$@" <<-END
		import struct, sys
		stage, file, job, uid, source, mark = sys.argv[1:] + ["$answers/$job", "$job", "$(id -u nobody)", "0", "stagefence job 1"][len(sys.argv) - 2:]
		with open(file, "wb") as f:
		    f.write(struct.pack("16sIII256s", mark.encode(), int(job), int(uid), int(source), stage.encode()))
	END
	chmod "${mode-600}" "${2-$answers/$job}"
}

# hold FILE [BYTE]: the lock of one that lives, until let_go
hold() {
	python3 -c 'import fcntl, sys, time; f = open(sys.argv[1], "r+b"); fcntl.lockf(f, fcntl.LOCK_EX, 1, int(sys.argv[2])); print("held", flush=True); time.sleep(60)' "$1" "${2-1}" >"$folder/held" 3>&- &
	holder=$!
	until grep -q held "$folder/held"; do sleep 0.05; done
}

# slurmstepd outlives srun by a little
gone() {
	for _ in {1..100}; do [ -e "$1" ] || return 0; sleep 0.1; done
	return 1
}

let_go() {
	kill "$holder"
	wait "$holder" || true
	holder=
}

teardown() {
	[ -z "${holder-}" ] || let_go
	if squeue -h -o %A 2>/dev/null | xargs -r scancel; then
		while squeue -h 2>/dev/null | grep -q .; do sleep 0.1; done
	fi
	rm -f "$SLURM_WORK"/answers/*
}

healthy() {
	run -0 sinfo -h -p ci -o '%T'
	[[ $output != *drain* && $output != *down* ]]
	run -0 steps -p other -n1 mkdir "again$RANDOM"
}

script() { # FILE LINE...
	printf '%s\n' "${@:2}" >"$1"
	chmod 755 "$1"
}

@test "a step runs under its partition's stage, and without the plugin it runs free" {
	run -1 steps -n1 mkdir a
	[[ $output == *"mkdir: cannot create directory 'a': Operation not permitted"* ]]
	run -0 steps -p other -n1 mkdir b
	run -0 steps -p other -n1 grep Seccomp: /proc/self/status
	[[ $output == *2 ]]
	: >"$plugstack"
	run -0 steps -n1 mkdir a
	run -0 steps -n1 grep Seccomp: /proc/self/status
	[[ $output == *0 ]]
}

@test "batch scripts, steps inside them and array jobs are confined alike" {
	script job '#!/bin/bash' 'mkdir one' 'srun -n1 mkdir two' 'bash -c "mkdir three"' 'echo done'
	run -0 batch job
	[ "$(grep -c 'Operation not permitted' <<<"$output")" = 3 ]
	[[ $output == *done* ]]
	script job '#!/bin/bash' 'mkdir a$SLURM_ARRAY_TASK_ID; grep Seccomp: /proc/self/status'
	run -0 batch job --array=1-3 -o "$folder/output"
	run ls
	[[ $output != *a[123]* ]]
	run -0 batch job -p other
	run ls
	[[ $output == *a* ]]
}

@test "tasks on every node are confined" {
	run steps -N2 -n2 sh -c 'echo $SLURMD_NODENAME; mkdir made-$SLURMD_NODENAME'
	[[ $output == *n0* && $output == *n1* ]]
	[ "$(grep -c 'Operation not permitted' <<<"$output")" = 2 ]
	run -0 steps -p other -N2 -n2 sh -c 'mkdir made-$SLURMD_NODENAME'
	[ -d made-n0 ]
	[ -d made-n1 ]
}

@test "no_new_privs = false: root's daemons raise it without" {
	run steps -p tight -n1 sh -c 'grep NoNewPrivs /proc/self/status; mkdir a; ln -s a b'
	if [ "$(id -u)" = 0 ]; then
		[[ $output == *"NoNewPrivs:"*0* ]]
		[ "$(grep -c 'Operation not permitted' <<<"$output")" = 2 ]
	else
		[[ $output == *"tight: the fence needs no_new_privs, or CAP_SYS_ADMIN"* ]]
	fi
	run -0 steps -n1 grep NoNewPrivs /proc/self/status
	[[ $output == *1 ]]
}

@test "what steps around a preload does not step around the plugin" {
	script prolog '#!/bin/sh' 'echo unset LD_PRELOAD' 'mkdir by-prolog || true'
	run steps --task-prolog="$folder/prolog" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	[ ! -e a ]
	[ ! -e by-prolog ]
	# a static program, as a step and as a script's interpreter
	run steps -n1 "$SLURM_WORK/try-static" mkdir
	[[ $output == *EPERM* ]]
	run steps -p other -n1 "$SLURM_WORK/try-static" mkdir
	[[ $output == *"mkdir ok"* ]]
	script job "#!$SLURM_WORK/try-static mkdir"
	run batch job
	[[ $output == *EPERM* ]]
	script evil 'mkdir by-bash-env'
	script job '#!/bin/bash' 'mkdir a'
	run batch job --export=ALL,BASH_ENV="$folder/evil"
	[[ $output == *"Operation not permitted"* ]]
	[ ! -e a ]
	[ ! -e by-bash-env ]
	run steps --export=ALL,LD_PRELOAD="$folder/none.so",LD_AUDIT="$folder/none.so" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
}

@test "no exported variable names the stage" {
	local set=(env SLURM_JOB_PARTITION=other STAGEFENCE_STAGE=other SLURM_JOB_ACCOUNT=other SLURM_JOB_QOS=other)
	run timeout 60 "${user[@]}" "${set[@]}" srun --export=ALL -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	run steps --export=ALL,SLURM_JOB_PARTITION=other -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	# account and QOS are asked of the controller, which has none here
	echo "required $plugin from=account" >"$plugstack"
	run -125 timeout 60 "${user[@]}" "${set[@]}" srun --export=ALL -n1 mkdir a
	[[ $output == *"no stage answers to a job without a name"* ]]
	echo "required $plugin from=qos" >"$plugstack"
	run -125 timeout 60 "${user[@]}" "${set[@]}" srun --export=ALL -n1 mkdir a
	[ ! -e a ]
}

@test "what a stage with report refuses is told on the job's standard error, with the script's line" {
	script job '#!/bin/bash' 'echo begin' 'mkdir a' 'exit 0'
	run -0 batch job -p told
	[[ $output == *'stagefence: told: mkdir("a", 0777) -> EPERM, by mkdir['*'] at '*':3 ('*'site.conf:'*')'* ]]
	run steps -p told -n1 mkdir b
	[[ $output == *'stagefence: told: mkdir("b", 0777) -> EPERM, by mkdir['* ]]
	# no supervisor is left behind; only root can see whose program one is
	if [ "$(id -u)" = 0 ]; then
		sleep 0.5
		[ "$(find /proc -maxdepth 2 -name exe -lname "$(readlink -f "$SLURM_WORK/stagefencectl")" 2>/dev/null)" = "" ]
	fi
	# and where it cannot be told, nothing runs
	echo "required $SLURM_WORK/spank_stagefence.so answers=$answers image=$SLURM_WORK/site.sfi stagefencectl=/nonexistent" >"$plugstack"
	run -125 steps -p told -n1 touch c
	[[ $output == *"/nonexistent, the supervisor: No such file or directory"* ]]
	[ ! -e c ]
	run -0 steps -p other -n1 touch c
}

@test "an srun of the user's own names no other partition than the job's" {
	type -P cc >/dev/null || skip "needs cc, which is not installed"
	# one that sends what it likes
	cat >own.c <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <stdlib.h>
		#include <string.h>
		int setenv(const char *name, const char *value, int replace)
		{
			int (*real)(const char *, const char *, int) = (int (*)(const char *, const char *, int))dlsym(RTLD_NEXT, "setenv");

			return real(name, strcmp(name, "SLURM_JOB_PARTITION") == 0 ? "other" : value, replace);
		}
	END
	cc -shared -fPIC -o own.so own.c -ldl
	run timeout 60 "${user[@]}" env LD_PRELOAD="$PWD/own.so" srun -n1 sh -c 'echo "says $SLURM_JOB_PARTITION"; mkdir a'
	[[ $output == *"says other"* && $output == *"Operation not permitted"* ]]
	[ ! -e a ]
	run -0 timeout 60 "${user[@]}" env LD_PRELOAD="$PWD/own.so" srun -p other -n1 mkdir a
}

@test "a user's --stagefence narrows, and only by what the site offers" {
	run -0 steps --help
	[[ $output == *--stagefence=STAGE* ]]
	run steps --stagefence=quiet -n1 sh -c 'mkdir a; python3 -c "import socket; socket.socket()" 2>&1 | tail -n 1'
	[[ $output == *"Operation not permitted"*"PermissionError"* ]]
	run steps -n1 sh -c 'python3 -c "import socket; socket.socket(); print(\"a socket\")"'
	[[ $output == *"a socket"* ]]
	run steps --stagefence=other -n1 mkdir a
	[ "$status" != 0 ]
	[[ $output == *"this site offers quiet,asks,asks-whom,nothing"* ]]
	# and where srun's own look is stepped around, the node looks
	run timeout 60 "${user[@]}" env _SLURM_SPANK_OPTION_stagefence_stagefence=other srun --export=ALL -n1 mkdir a
	[ ! -e a ]
	echo "required $SLURM_WORK/spank_stagefence.so answers=$answers image=$SLURM_WORK/site.sfi" >"$plugstack"
	run steps --stagefence=quiet -n1 true
	[[ $output == *"this site offers no stages"* ]]
}

@test "a stage that could not even start a task says so" {
	run -125 steps --stagefence=nothing -n1 true
	[[ $output == *"stage nothing refuses what starts a program"* ]]
	healthy
}

@test "what a policy leaves to an agent answers ENOSYS, and the job is no agent" {
	local stage
	for stage in asks-whom asks; do
		run -1 steps -p other --stagefence=$stage -n1 mkdir a
		[[ $output == *"cannot create directory 'a': Function not implemented"* ]]
		# one that listens to itself, and lets its own mkdir go on
		run steps -p other --stagefence=$stage -n1 "$SLURM_WORK/listen" second
		[[ $output == *"mkdir: ENOSYS"* ]]
		[ ! -e out ]
	done
	[[ $output == *"listener: EBUSY"* ]]
	run -0 steps -p other -n1 mkdir a
	run -0 steps -p other -n1 "$SLURM_WORK/listen" second
	[ -d out ]
}

@test "without a good image a task fails with one line, and no node is drained" {
	local bad
	for bad in missing.sfi writable.sfi damaged.sfi empty.sfi; do
		rm -f "$SLURM_WORK/$bad"
		[ $bad = missing.sfi ] || cp "$SLURM_WORK/site.sfi" "$SLURM_WORK/$bad"
		[ $bad != writable.sfi ] || chmod 666 "$SLURM_WORK/$bad"
		[ $bad != damaged.sfi ] || printf 'x' | dd of="$SLURM_WORK/$bad" bs=1 seek=60 conv=notrunc status=none
		[ $bad != empty.sfi ] || : >"$SLURM_WORK/$bad"
		# `optional` would let tasks run free, were it left to Slurm
		echo "optional $SLURM_WORK/spank_stagefence.so answers=$answers image=$SLURM_WORK/$bad" >"$plugstack"
		run -125 steps -n1 mkdir a
		[[ $output == *"stagefence: task refused: "* ]]
		[ ! -e a ]
		script job '#!/bin/bash' 'mkdir a'
		run batch job
		[[ $output == *"stagefence: task refused: "* ]]
		[ ! -e a ]
	done
	echo "required $plugin" >"$plugstack"
	healthy
}

@test "an image older than its policy is refused, or used where the site says so" {
	cp "$SLURM_WORK/site.sfi" "$SLURM_WORK/kept.sfi"
	touch "$SLURM_WORK/site.conf"
	run -125 steps -n1 mkdir a
	[[ $output == *"is older than the policy that it was made from: run stagefencectl compile on this node"* ]]
	echo "required $plugin stale=use" >"$plugstack"
	run -1 steps -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	"$SLURM_WORK/stagefencectl" compile -c "$SLURM_WORK/site.conf" -o "$SLURM_WORK/site.sfi"
	echo "required $plugin" >"$plugstack"
	run -1 steps -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
}

@test "a node whose policy is not the pinned one refuses, or warns" {
	local digest other
	digest=$("$SLURM_WORK/stagefencectl" digest -c "$SLURM_WORK/site.conf")
	other=$(tr 0-9a-f 1-9a-f0 <<<"$digest")
	echo "required $plugin digest=$other,$digest" >"$plugstack"
	run -0 steps -p other -n1 mkdir a
	echo "required $plugin digest=$other" >"$plugstack"
	run -125 steps -p other -n1 mkdir b
	[[ $output == *"is not the policy that plugstack.conf pins"* ]]
	echo "required $plugin digest=$other other_digest=warn" >"$plugstack"
	run -0 steps -p other -n1 mkdir b
	[[ $output == *"stagefence: warning: "*"is not the policy that plugstack.conf pins"* ]]
	run -1 steps -n1 mkdir c
}

@test "a setting that is none refuses tasks, whatever plugstack.conf calls the plugin" {
	local setting
	for setting in frm=partition from=name stage= stage=$(printf '%0256d' 0) digest=12 other_digest=maybe stale=yes image=relative answers=relative; do
		echo "optional $SLURM_WORK/spank_stagefence.so answers=$answers image=$SLURM_WORK/site.sfi $setting" >"$plugstack"
		run steps -n1 mkdir a
		[ "$status" != 0 ]
		[ ! -e a ]
	done
	echo "required $plugin" >"$plugstack"
	healthy
}

@test "the steps of a job take what its first one was told, while that one lives" {
	only_roots
	script job '#!/bin/bash' 'until [ -e go ]; do sleep 0.05; done' 'srun -n1 mkdir a' 'touch first; until [ -e on ]; do sleep 0.05; done' 'srun -n1 mkdir b'
	local id
	id=$("${user[@]}" sbatch --parsable -o output job)
	until [ -s "$answers/$id" ]; do sleep 0.05; done
	[ "$(stat -c '%U %a' "$answers")" = "root 700" ]
	[ "$(stat -c '%U %a' "$answers/$id")" = "root 600" ]
	touch go
	until [ -e first ]; do sleep 0.05; done
	[ ! -e a ]
	# who asks would be told of ci
	job=$id forge other
	touch on
	while squeue -h -j "$id" 2>/dev/null | grep -q .; do sleep 0.1; done
	[ -d b ]
	# and with the job all that is gone
	gone "$answers/$id"
}

@test "an answer that nobody alive stands for is not believed, nor one of another job" {
	only_roots
	allocate
	forge other
	run steps --jobid="$job" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	gone "$answers/$job"
	# the same with a living holder is
	forge other
	hold "$answers/$job"
	run -0 steps --jobid="$job" -n1 mkdir a
	rmdir a
	local wrong
	for wrong in "$((job + 1))" "$job 0" "$job $(id -u nobody) 1" "$job $(id -u nobody) 0 another" short; do
		let_go
		if [ "$wrong" = short ]; then
			forge other
			truncate -s 100 "$answers/$job"
		else
			# shellcheck disable=SC2086
			forge other "$answers/$job" $wrong
		fi
		hold "$answers/$job"
		run steps --jobid="$job" -n1 mkdir a
		[[ $output == *"Operation not permitted"* ]]
		gone "$answers/$job"
	done
	# one that is still being written
	let_go
	forge other
	hold "$answers/$job" 0
	run steps --jobid="$job" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
}

@test "what lies in an answer's place is not believed unless it is root's alone" {
	only_roots
	allocate
	local file=$answers/$job
	# a file that others may write, one of another's, a link to a good one, a FIFO, a folder
	mode=666 forge other
	hold "$file"
	run steps --jobid="$job" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	chmod 600 "$file"
	chown nobody "$file"
	run steps --jobid="$job" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	chown root "$file"
	mv "$file" "$answers/good"
	ln -s good "$file"
	run steps --jobid="$job" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	rm "$file"
	mkfifo -m 600 "$file"
	run steps --jobid="$job" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	rm "$file"
	mkdir -m 700 "$file"
	run steps --jobid="$job" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	rmdir "$file"
	mv "$answers/good" "$file"
	run -0 steps --jobid="$job" -n1 mkdir a
	rmdir a
	# a folder that is not root's alone: a user's, one that others may write, a link to it, a file
	chown nobody "$answers"
	run steps --jobid="$job" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	chown root "$answers"
	chmod 777 "$answers"
	run steps --jobid="$job" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	chmod 700 "$answers"
	mv "$answers" "$SLURM_WORK/moved"
	ln -s moved "$answers"
	run steps --jobid="$job" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	rm "$answers"
	: >"$answers"
	run steps --jobid="$job" -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	rm "$answers"
	grep -q "answers=$answers: answers can be written by others" "$SLURM_WORK"/cluster/log/slurmd.*.log
	mv "$SLURM_WORK/moved" "$answers"
	run -0 steps --jobid="$job" -n1 mkdir a
	healthy
}

@test "a job cannot read, change or plant an answer" {
	only_roots
	script job '#!/bin/bash' 'for f in "$1" "$1/$SLURM_JOB_ID" "$1/$((SLURM_JOB_ID + 1))"; do cat "$f"; ls "$f"; echo other >"$f"; rm -rf "$f"; ln -s /etc/passwd "$f"; done' \
		'mv "$1" "$1.away"; ls -l /proc/self/fd /proc/$PPID/fd; srun -n1 mkdir a'
	run -1 steps -n1 mkdir a
	local id before
	before=$(stat -c '%i %U %a' "$answers")
	id=$("${user[@]}" sbatch --parsable -o output job "$answers")
	while squeue -h -j "$id" 2>/dev/null | grep -q .; do sleep 0.1; done
	run cat output
	[ "$(grep -c "$answers.*: Permission denied" <<<"$output")" -ge 12 ]
	[[ $output != *"answers/$id ->"* && $output != *"-> $answers"* ]]
	[[ $output == *"cannot create directory 'a': Operation not permitted"* ]]
	[ "$(stat -c '%i %U %a' "$answers")" = "$before" ]
}

@test "a job that is requeued into another partition is asked for anew, on the same node" {
	only_roots
	script job '#!/bin/bash' 'n=${SLURM_RESTART_COUNT-0}' 'mkdir batch$n; srun -n1 mkdir step$n; touch ran$n' '[ $n != 0 ] || sleep 60'
	local id
	id=$("${user[@]}" sbatch --parsable --requeue -w n0 -p other -o output job)
	for _ in {1..400}; do [ ! -e ran0 ] || break; sleep 0.1; done
	[ -d batch0 ]
	[ -d step0 ]
	[ -s "$answers/$id" ]
	# what would be left behind if slurmstepd were killed
	cp -p "$answers/$id" "$SLURM_WORK/left"
	scontrol requeuehold "$id"
	for _ in {1..100}; do ! scontrol update jobid="$id" partition=ci 2>/dev/null || break; sleep 0.1; done
	gone "$answers/$id"
	mv "$SLURM_WORK/left" "$answers/$id"
	# slurmd takes no credential of the second in which it revoked the job's
	sleep 2
	scontrol release "$id"
	# what is requeued waits for two minutes, unless it is told otherwise once it has ended
	for _ in {1..80}; do
		[ ! -e ran1 ] || break
		scontrol update jobid="$id" starttime=now 2>/dev/null || true
		sleep 0.5
	done
	[ -e ran1 ] || { scontrol show job "$id" && ls && cat output && false; }
	[ ! -e batch1 ]
	[ ! -e step1 ]
	while squeue -h -j "$id" 2>/dev/null | grep -q .; do sleep 0.1; done
}

@test "where the controller says nothing and no answer holds, no task runs" {
	type -P cc >/dev/null || skip "needs cc, which is not installed"
	[ -e /usr/include/slurm/spank.h ] || skip "needs Slurm's headers, which are not installed"
	# takes munge away from a step before the plugin asks, once srun has been told of the launch, and
	# gives it back afterwards
	cat >move.c <<-'END'
		#include <slurm/spank.h>
		#include <stdio.h>
		#include <unistd.h>
		SPANK_PLUGIN(move, 1)
		int slurm_spank_init_post_opt(spank_t spank, int count, char **settings)
		{
			if (spank_remote(spank) != 1)
				return 0;
			usleep(500000);
			return rename(settings[0], settings[1]);
		}
	END
	cc -shared -fPIC -o "$SLURM_WORK/away.so" move.c
	cp "$SLURM_WORK/away.so" "$SLURM_WORK/back.so"
	local socket=$SLURM_WORK/cluster/socket/munge.socket
	printf 'required %s\n' "$SLURM_WORK/away.so $socket $socket.away" "$plugin" "$SLURM_WORK/back.so $socket.away $socket" >silent
	cp silent "$plugstack"
	run -125 steps -p other -n1 mkdir a
	[[ $output == *"task refused: the controller does not say what job this is"* ]]
	[ ! -e a ]
	# where plugstack.conf names the stage, nobody is asked
	sed "/ image=/s/$/ stage=ci/" silent >"$plugstack"
	run -1 steps -p other -n1 mkdir a
	[[ $output == *"Operation not permitted"* ]]
	[ ! -e a ]
	sed "/ image=/s/$/ stage=other/" silent >"$plugstack"
	run -0 steps -p ci -n1 mkdir a
	rmdir a
	sed "/ image=/s/$/ stage=nosuch/" silent >"$plugstack"
	run -125 steps -p other -n1 mkdir a
	[[ $output == *"no stage answers to nosuch in this site's policy"* ]]
	echo "required $plugin" >"$plugstack"
	run -0 steps -p other -n1 mkdir a
	if [ "$(id -u)" = 0 ]; then
		# a step beside it has been told
		allocate
		steps --jobid="$job" --overlap -n1 sleep 60 &
		until [ -s "$answers/$job" ]; do sleep 0.05; done
		cp silent "$plugstack"
		run -1 steps --jobid="$job" --overlap -n1 mkdir b
		[[ $output == *"Operation not permitted"* ]]
		echo "required $plugin" >"$plugstack"
		release
		wait
	else
		[ ! -e "$answers" ]
	fi
	healthy
}

@test "with PrologFlags=Contain the first step of a job need not ask either" {
	only_roots
	cat >contained <<-'END'
		. "$1"
		allocate
		for _ in {1..100}; do [ ! -s "$answers/$job" ] || break; sleep 0.1; done
		steps --jobid="$job" -n1 mkdir a || true
		forge other
		steps --jobid="$job" -n1 mkdir b || true
		release
		for _ in {1..100}; do [ -e "$answers/$job" ] || break; sleep 0.1; done
		ls "$answers"
	END
	answers=$SLURM_WORK/answers-contain
	declare -p answers folder user >functions
	declare -f allocate release forge steps >>functions
	run -0 env SLURM_MORE=PrologFlags=Contain "$SLURM_TESTS/slurm/cluster" "$SLURM_WORK/contain" 1 \
		"required ${plugin/$SLURM_WORK\/answers/$answers}" -- bash -e contained functions
	[[ $output == *"cannot create directory 'a': Operation not permitted"* ]]
	[ ! -e a ]
	[ -d b ]
	[ -d "$answers" ]
	[ "$(ls "$answers")" = "" ]
}

@test "each part of a heterogeneous job runs under its own partition's stage" {
	run timeout 60 "${user[@]}" srun -p ci -n1 mkdir a : -p other -n1 mkdir b
	[[ $output == *"cannot create directory 'a': Operation not permitted"* ]]
	[ ! -e a ]
	[ -d b ]
}
