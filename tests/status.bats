#!/usr/bin/env bats
# stagefencectl status: is a fence of the policy in force, asked of the kernel, and read back from it.

setup() {
	load lib
	policy p '{ name = "build"; block_calls = "mkdir"; block_action = "errno"; },
		{ name = "uid"; rules = ( { calls = "setfsuid"; action = "errno";
			args = ( { arg = 0; op = "=="; value = "$uid"; } ); } ); },
		{ name = "noexec"; block_calls = [ "execve", "execveat" ]; block_action = "errno"; },
		{ name = "two"; block_calls = [ "open", "openat" ]; block_action = "errno"; },
		{ name = "told"; block_calls = "mkdir"; block_action = "errno"; log_blocked = true; },
		{ name = "bare"; block_calls = "mkdir"; block_action = "errno"; no_new_privs = false; },
		{ name = "strict"; mode = "strict"; },
		{ name = "off"; disabled = true; }'
	stagefencectl compile -c p.conf -o p.sfi
	pids=()
}

teardown() {
	[ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null || :
}

# start COMMAND...: in the background as $pid; it has begun when it says so, or sleeps in a fence
start() {
	rm -f out # which says ready of the one before
	"$@" >out 2>&1 3>&- &
	pid=$!
	disown "$pid" # or bash tells how it ended
	pids+=("$pid")
	for ((n = 0; n < 100; n++)); do
		! grep -qs ready out || return 0
		[ "$(cat "/proc/$pid/comm")" != sleep ] || return 0
		sleep 0.05
	done
	cat out
	return 1
}

verify() {
	run --separate-stderr stagefencectl status -c p.sfi --verify "$@"
	echo "$status: $output $stderr"
}

# closes LINE WHAT WHY: a report's last line
closes() {
	[[ $1 =~ ^"$2 of policy "[0-9a-f]{64}": $3"$ ]] || { echo "$1"; return 1; }
}

@test "from inside: the stage that is in force, by the text and by the image" {
	local stage
	for stage in build uid told; do
		run -0 stagefence -c p.conf -s $stage stagefencectl status -c p.conf
		[ "${lines[0]}" = "this process: 1 filter, no_new_privs on" ]
		closes "${lines[1]}" "in force: stage $stage" "the kernel says so"
		run -0 stagefence -c p.sfi -s $stage stagefencectl status -c p.sfi
		closes "${lines[1]}" "in force: stage $stage" "the kernel says so"
	done
}

@test "from inside: no fence, no stage's fence, another policy's fence and another stage's are a no" {
	run -1 stagefencectl status -c p.conf
	[[ ${lines[0]} == "this process: no filter, no_new_privs "* ]]
	closes "${lines[1]}" "not in force: a stage" "there is no filter at all"
	run -1 stagefence -c p.conf -s off stagefencectl status -c p.conf
	closes "${lines[1]}" "not in force: a stage" "there is no filter at all"
	policy q '{ name = "build"; block_calls = "rmdir"; block_action = "errno"; }'
	run -1 stagefence -c q.conf -s build stagefencectl status -c p.conf
	[ "${lines[0]}" = "this process: 1 filter, no_new_privs on" ]
	closes "${lines[1]}" "not in force: a stage" "no filter of this policy answers"
	run -1 stagefence -c p.conf -s build stagefencectl status -c p.conf -s told
	closes "${lines[1]}" "not in force: stage told" "no filter of this policy answers"
	run -0 stagefence -c p.conf -s build stagefencectl status -c p.conf -s build
	run -1 stagefencectl status -c p.conf -s nosuch
	[ "$output" = "stagefencectl: there is no stage nosuch" ]
}

@test "from inside: a filter that kills for the question kills none of us" {
	policy q '{ name = "deaf"; rules = ( { calls = "prctl"; action = "kill_process";
		args = ( { arg = 0; op = "=="; value = "0x73466e63"; } ); } ); }'
	run stagefence -c q.conf -s deaf stagefencectl status -c p.conf
	[ "$status" = 1 ]
	closes "${lines[1]}" "not in force: a stage" "no filter of this policy answers"
	[ -z "$(ls core* 2>/dev/null)" ]
	# and its own fence is known nevertheless
	run -0 stagefence -c q.conf -s deaf stagefencectl status -c q.conf
}

@test "from inside: a stage that refuses fork is asked all the same" {
	policy q '{ name = "alone"; block_calls = [ "clone", "clone3", "fork", "vfork" ]; block_action = "errno"; }'
	stagefencectl compile -c q.conf -o q.sfi
	# a sanitizer's own last look takes a child
	export ASAN_OPTIONS=detect_leaks=0
	run -0 stagefence -c q.sfi -s alone stagefencectl status -c q.sfi
	closes "${lines[1]}" "in force: stage alone" "the kernel says so"
	# or lets no child live until it has asked
	policy q '{ name = "alone"; rules = ( { calls = "prlimit64"; action = "kill_process";
		args = ( { arg = 2; op = "!="; value = "0"; } ); } ); }'
	stagefencectl compile -c q.conf -o q.sfi
	run -0 stagefence -c q.sfi -s alone stagefencectl status -c q.sfi
	closes "${lines[1]}" "in force: stage alone" "the kernel says so"
}

@test "an answer that is forged deceives who asks, and not --verify" {
	run -0 "$helpers/pretend" answer p.sfi build stagefencectl status -c p.sfi
	closes "${lines[1]}" "in force: stage build" "the kernel says so"
	run -0 "$helpers/pretend" answer p.sfi build mkdir made
	needs root
	start "$helpers/pretend" answer p.sfi build
	verify "$pid"
	[ "$status" = 1 ]
	[[ ${lines[1]} =~ ^"filter 1: FORGED: answers for stage build, and is not its filter: differs from instruction "[0-9]+" on"$ ]]
	closes "${lines[2]}" "not in force: a stage" "no stage's filter is in all threads as the policy has it"
}

@test "--verify says of a filter under a listener that its holder decides, and takes an inner one without its outer for nothing" {
	needs root
	policy made '{ name = "plain"; block_calls = "mkdir"; block_action = "errno"; },
	{ name = "two"; report = true; block_calls = [ "mkdir", "openat" ]; block_action = "errno"; }'
	stagefencectl compile -c made.conf -o made.sfi
	local stage which said
	while read -r stage which said; do
		rm -rf made said
		"$helpers/selfmade" made.sfi "$stage" "$which" >said 3>&- &
		soon grep -qs mkdir said
		# it is not held to the stage at all
		[ -d made ]
		pid=$(cut -d' ' -f1 said)
		run stagefencectl status -c made.sfi --verify "$pid"
		kill "$pid"
		echo "$output"
		[[ ${lines[-1]} == "$said"* ]]
		[[ ${lines[-1]} != *": verified" ]]
	done <<-'END'
		plain exact in force: stage plain
		two inner not in force: a stage
	END
	start stagefence -c made.sfi -s two sleep 60
	run -0 stagefencectl status -c made.sfi --verify "$pid"
	[[ ${lines[-1]} == "in force: stage two"*": verified, but for who holds its listener" ]]
}

@test "--verify knows the filter of a stage that would report and found no listener" {
	needs root
	policy hushed '{ name = "around"; report = true; block_calls = "mknod"; },
	{ name = "within"; report = true; rules = ( { calls = "mkdir"; action = "notify"; } ); }'
	stagefencectl compile -c hushed.conf -o hushed.sfi
	start stagefence -c hushed.sfi -s around stagefence -c hushed.sfi -s within sleep 60
	run -0 stagefencectl status -c hushed.sfi -s within --verify "$pid"
	echo "$output"
	[[ $output != *FORGED* ]]
	[[ ${lines[-1]} == "in force: stage within"*": verified" ]]
}

@test "--verify knows every stage's own filter, cookie and user id or not, and leaves the process as it was" {
	needs root
	local stage kind
	while read -r stage kind; do
		start stagefence -c p.sfi -s "$stage" sleep 60
		verify "$pid"
		[ "$status" = 0 ]
		[ -z "$stderr" ]
		[[ ${lines[0]} =~ ^"process $pid (sleep), 1 thread: "(1 filter|2 filters)", no_new_privs "(on|off)$ ]]
		[[ $output == *"stage $stage, $kind, as in the policy: "* ]]
		closes "${lines[-1]}" "in force: stage $stage" "verified"
		# goes on as it did, and nobody traces it
		[ "$(awk '/^State/{ print $2 }' "/proc/$pid/status")" = S ]
		grep -qx $'TracerPid:\t0' "/proc/$pid/status"
		run -1 stagefencectl status -c p.sfi -s off --verify "$pid"
	done <<-'END'
		build exact
		uid exact
		noexec exec
		two exact
		told exact
		bare exact
	END
	[[ $(stagefencectl status -c p.sfi --verify "${pids[3]}") == *"filter 1: stage two, outer, as in the policy: "*"filter 2: stage two, exact, "* ]]
	# an id that the process no longer has is said
	start stagefence -c p.sfi -s uid setpriv --reuid=65534 --clear-groups sleep 60
	verify "$pid"
	[ "$status" = 0 ]
	[[ ${lines[1]} == *", raised by uid 0" ]]
}

@test "--verify unmasks what is not the stage's own filter, or not in every thread, or can gain privileges" {
	needs root
	local how said
	while IFS='|' read -r how said; do
		start "$helpers/pretend" "$how" p.sfi told
		verify "$pid"
		[ "$status" = 1 ]
		[[ $output == *"$said"* ]] || { echo "$how: wanted $said"; return 1; }
		[[ ${lines[-1]} == "not in force: "* ]]
	done <<-'END'
		change|filter 1: FORGED: answers for stage told, and is not its filter: differs from instruction
		silent|filter 1: FORGED: the instructions of stage told, not loaded as the policy says (log)
		foreign|filter 1: foreign, 1 instruction
		privileged|no_new_privs is off
		thread|: 1 of 2 threads have no filter
		none|: there is no filter at all
	END
	for how in genuine both; do
		start "$helpers/pretend" $how p.sfi told
		verify "$pid"
		[ "$status" = 0 ]
	done
	[ "${lines[2]}" = "filter 2: foreign, 1 instruction" ]
	# a stage of another policy is foreign
	policy q '{ name = "build"; block_calls = "rmdir"; block_action = "errno"; }'
	start stagefence -c q.conf -s build sleep 60
	verify "$pid"
	[ "$status" = 1 ]
	[[ ${lines[1]} == "filter 1: foreign, "*" instructions" ]]
}

@test "--verify looks at all threads of a program that makes and ends them all the time" {
	needs root
	cat >many.py <<-'END'
		import threading, time
		def some():
		    while True:
		        t = threading.Thread(target=time.sleep, args=(0.0001,)); t.start(); t.join()
		for _ in range(4): threading.Thread(target=some).start()
		print("ready", flush=True)
	END
	start stagefence -c p.sfi -s build python3 many.py
	local n
	for n in 1 2 3 4 5; do
		verify "$pid"
		[ "$status" = 0 ]
		closes "${lines[-1]}" "in force: stage build" "verified"
	done
	[ -d "/proc/$pid" ]
}

@test "--verify loses no signal that comes meanwhile, and a stopped process stays so" {
	needs root
	cat >count.sh <<-'END'
		n=0
		trap 'n=$((n + 1)); echo "$n" >counted' USR1
		echo ready
		while :; do read -r -t 0.01 <>fifo; done
	END
	mkfifo fifo
	start stagefence -c p.sfi -s uid bash count.sh
	local n
	for n in 1 2 3 4 5 6 7 8 9 10; do
		kill -USR1 "$pid"
		stagefencectl status -c p.sfi --verify "$pid" >said
		soon grep -qsx "$n" counted
	done
	kill -STOP "$pid"
	verify "$pid"
	[ "$status" = 0 ]
	[ "$(awk '/^State/{ print $2 }' "/proc/$pid/status")" = T ]
	kill -CONT "$pid"
}

@test "--verify says whose no it is: a fence's, an ordinary user's, a tracer's, or nobody there" {
	start sleep 60
	run -1 stagefence -c p.conf -s build stagefencectl status -c p.conf --verify
	[[ $output == "stagefencectl: filters are read back from outside: as root, where there is no fence, status --verify "* ]]
	start stagefence -c p.conf -s build sleep 60
	run -1 stagefence -c p.conf -s uid stagefencectl status -c p.conf --verify "$pid"
	[ "$output" = "stagefencectl: process $pid: only root outside of every container and fence may read filters back" ] ||
		[ "$output" = "stagefencectl: process $pid: it may not be traced: that takes root outside of every container and fence" ]
	[ "$(awk '/^State/{ print $2 }' "/proc/$pid/status")" = S ]
	run -1 stagefencectl status -c p.conf --verify 4194305
	[ "$output" = "stagefencectl: there is no process 4194305" ]
	if [ "$(id -u)" != 0 ]; then
		run -1 stagefencectl status -c p.conf --verify "$pid"
		[ "$output" = "stagefencectl: process $pid: only root outside of every container and fence may read filters back" ]
		return
	fi
	needs program strace
	strace -o /dev/null -p "$pid" 2>/dev/null 3>&- &
	disown "$!"
	pids+=("$!")
	soon grep -qx "TracerPid:.$!" "/proc/$pid/status"
	run -1 stagefencectl status -c p.conf --verify "$pid"
	[ "$output" = "stagefencectl: process $pid: process $! traces it already" ]
}

@test "of another process without --verify only what /proc tells is said, of every thread" {
	start stagefence -c p.sfi -s build sleep 60
	run -1 stagefencectl status -c p.sfi "$pid"
	[ "${lines[0]}" = "process $pid (sleep), 1 thread: 1 filter, no_new_privs on" ]
	closes "${lines[1]}" "not in force: a stage" "whose filters these are is for root to see: --verify"
	start "$helpers/pretend" thread p.sfi build
	run -1 stagefencectl status -c p.sfi "$pid"
	[[ $output == *"1 of 2 threads have no filter" ]]
	start sleep 60
	run -1 stagefencectl status -c p.sfi "$pid"
	[[ $output == *"there is no filter at all" ]]
}

@test "in a container of its own numbers, with another one's /proc, no process is mistaken for another" {
	run -1 unshare --user --map-root-user --pid --fork stagefencectl status -c p.sfi --verify 1
	[ "$output" = "stagefencectl: /proc is not there, or another container's" ]
	run -1 unshare --user --map-root-user --pid --fork --mount-proc stagefencectl status -c p.sfi 1
	[[ ${lines[0]} == "process 1 (stagefencectl), 1 thread: no filter, "* ]]
}

@test "a process that calls itself what it wants is shown on one line" {
	cat >name.py <<-'END'
		import ctypes, time
		ctypes.CDLL(None).prctl(15, b"a\nSeccomp:\t2\x1b[", 0, 0, 0)
		print("ready", flush=True)
		time.sleep(60)
	END
	start python3 name.py
	run -1 stagefencectl status -c p.conf "$pid"
	[ "${lines[0]}" = "process $pid (a\\nSeccomp: 2?[), 1 thread: no filter, no_new_privs off" ]
	[ "${#lines[@]}" = 2 ]
}

@test "a FIFO that somebody has put in an image's place is refused, and not waited for" {
	mkfifo image
	run -1 within 20 stagefencectl status -c image
	[ "$output" = "stagefencectl: image: is neither a regular file nor a folder where one belongs" ]
	run -1 within 20 stagefencectl doctor -c image
	[[ $output == *"stagefencectl: image: is neither a regular file nor a folder where one belongs"* ]]
}

@test "a stage's name in an image that anybody made steers no terminal" {
	python3 - <<-'END'
		import struct
		d = bytearray(open("p.sfi", "rb").read().replace(b"build\0", b"\x1b[31m\0"))
		size, = struct.unpack_from("<I", d, 56)
		total = size - 24
		for word, in struct.iter_unpack("<Q", d[24:size]):
		    total = (total ^ word) * 0x9e3779b97f4a7c15 % (1 << 64)
		    total ^= total >> 29
		struct.pack_into("<Q", d, 16, total)
		open("esc.sfi", "wb").write(d)
	END
	run -0 stagefence -c p.sfi -s build stagefencectl status -c esc.sfi
	[[ $output == *"in force: stage ?[31m of policy "* ]]
}

@test "--json says the same, for machines" {
	run -0 stagefence -c p.conf -s build stagefencectl status -c p.conf --json
	[ "$(grep -c '"in_force": true,' <<<"$output")" = 1 ]
	[ "$(grep -c '"verified": false,' <<<"$output")" = 1 ]
	start "$helpers/pretend" foreign p.sfi build
	stagefencectl status -c p.conf --json "$pid" >said || [ $? = 1 ]
	python3 -c 'import json; d = json.load(open("said")); assert d["in_force"] is False and d["stage"] is None
assert d["threads"][0]["filter_count"] == 1 and d["threads"][0]["seccomp"] == 2'
	needs root
	stagefencectl status -c p.conf --json --verify "$pid" >said || [ $? = 1 ]
	python3 -c 'import json; d = json.load(open("said"))
assert d["threads"][0]["filters"] == [{"kind": "foreign", "stage": None, "instructions": 1}]'
}

@test "wrong usage, a policy that is not good and an image that is damaged are said" {
	run -2 stagefencectl status -c p.conf 12x
	[ "$output" = 'stagefencectl: "12x" is no process: give its number' ]
	run -2 stagefencectl status -c p.conf -1
	run -2 stagefencectl status -c p.conf 99999999999999999999
	printf 'nonsense' >bad.conf
	run -1 stagefencectl status -c bad.conf
	[ "$output" = "stagefencectl: bad.conf:2: syntax error" ]
	head -c 500 p.sfi >cut.sfi
	run -1 stagefencectl status -c cut.sfi
	[ "$output" = "stagefencectl: cut.sfi: is a policy image that was truncated, or has something behind it" ]
}
