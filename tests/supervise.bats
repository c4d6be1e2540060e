#!/usr/bin/env bats
# Stages under a listener: refused calls go to a supervisor, and to nobody else; or an agent decides.
# shellcheck disable=SC2016,SC2154 # scripts are run by others; lib.bash sets build, helpers and tests

setup() {
	load lib
	listen=$helpers/listen
	cat >p.conf <<-END
		version = 1;
		stages = (
			{ name = "told"; report = true; block_calls = [ "mkdir" ]; block_action = "errno"; },
			{ name = "silent"; block_calls = [ "mkdir" ]; block_action = "errno"; },
			{ name = "kill"; report = true; block_calls = [ "mkdir" ]; block_action = "kill_process"; },
			{ name = "cookie"; report = true; block_calls = [ "execve", "mkdir" ]; block_action = "errno"; },
			{ name = "two"; report = true; block_calls = [ "openat", "mkdir" ]; block_action = "errno"; },
			{ name = "few"; report = true; default_action = "errno";
			  allow_calls = [ "execve", "brk", "mmap", "mprotect", "munmap", "openat", "newfstatat", "fstat", "read", "pread64",
			    "close", "access", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "getrandom" ]; },
			{ name = "asked"; listener = "$PWD/agent.sock"; listener_metadata = "who=\"me\"";
			  rules = ( { calls = [ "mkdir" ]; action = "notify"; } );
			  block_calls = [ "rmdir" ]; block_action = "errno"; },
			{ name = "waiting"; report = true; rules = ( { calls = [ "mkdir" ]; action = "notify"; } ); },
			{ name = "off"; disabled = true; }
		);
	END
	stagefencectl compile -c p.conf -o p.sfi
}

# fenced STAGE COMMAND...: under a reaper, so that a supervisor that stays is seen
fenced() {
	within 60 "$helpers/reaper" stagefence -c p.sfi -s "$1" -- "${@:2}"
}

start_agent() {
	rm -f agent.sock heard
	"$helpers/agent" "$PWD/agent.sock" >heard 3>&- &
	soon grep -qs ready heard
}

# the supervisor, from within a job
supervisor='pgrep -P "$REAPER" stagefencectl'

# ---- what is raised ----

@test "the program that is raised differs from the image's in the guard and in who answers, and in nothing else" {
	local conf images=()
	cp "$tests"/policies/good/*.conf .
	chmod go-w ./*.conf
	for conf in *.conf; do
		stagefencectl compile -c "$conf" -o "$conf.sfi"
		images+=("$conf.sfi")
	done
	[ "${#images[@]}" -ge 8 ]
	run -0 "$helpers/variant" "${images[@]}"
	[[ $output =~ ^[1-9][0-9]+" programs, "[1-9][0-9]{5,}" inputs"$ ]]
}

@test "with the /proc of another container's numbers a refusal that kills hits who made the call" {
	needs root
	# outside, a thread of some process; inside, two processes that have these very numbers
	cat >inside <<-'END'
		echo "$(($1 - 1))" >/proc/sys/kernel/ns_last_pid
		sleep 60 &
		stranger=$!
		echo "$(($2 - 1))" >/proc/sys/kernel/ns_last_pid
		stagefence -c p.sfi -s kill -- "$3" mkdir >said 2>&1 &
		caller=$!
		echo "$((stranger == $1 && caller == $2))"
		wait "$caller" || echo "$?"
		kill -TERM "$stranger" && wait "$stranger" || echo "$?"
	END
	cat >outside.py <<-'END'
		import os, subprocess, sys, threading, time
		threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
		numbers = [int(n) for n in os.listdir("/proc/self/task")]
		sys.exit(subprocess.call(["unshare", "--pid", "--fork", "bash", "inside",
		    str(min(numbers)), str(max(numbers)), sys.argv[1]]))
	END
	run -0 --separate-stderr within 30 python3 outside.py "$helpers/try"
	[ "$output" = "1
137
143" ]
	[[ $(cat said) == "stagefence: kill: mkdir"*" -> kill_process, by ?["* ]]
}

@test "no line of ours would let a refused call go on" {
	run -1 grep -rn FLAG_CONTINUE "$source_folder/preload" "$source_folder/wrapper"
}

# ---- refusals ----

@test "a refused call is told and refused; an allowed one is neither" {
	run -1 fenced told mkdir out
	[ ! -e out ]
	[ "$(grep -c '^stagefence: told: mkdir' <<<"$output")" = 1 ]
	[[ $output == *"p.conf:3"* ]]
	[[ $output == *"mkdir: cannot create directory"*"Operation not permitted"* ]]
	run -0 fenced told touch file
	[ -e file ]
	[ "$output" = "" ]
	run -1 fenced silent mkdir out
	[[ $output != *"stagefence: silent"* ]]
}

@test "what the floor refuses is not said to be a stage's to allow" {
	cat >floor.conf <<-END
		version = 1; report = true; floor = "all";
		profiles = ( { name = "all"; block_calls = "mkdir";
		  block_action = "errno"; } );
		stages = (
		  { name = "told"; block_calls = "rmdir"; block_action = "errno"; }, { name = "under"; base = "told"; } );
	END
	run stagefence -c floor.conf -s told -- bash -c 'mkdir out; rmdir /proc'
	[[ $output == *'stagefence: told: this holds in every stage, whatever it says: only a change of floor.conf:2 allows it'* ]]
	[[ $output == *'stagefence: told: to allow it: { calls = [ "rmdir" ]; action = "allow"; } in the rules of stage told, in place of floor.conf:5'* ]]
	run stagefence -c floor.conf -s under -- bash -c 'rmdir /proc'
	[[ $output == *'stagefence: under: to allow it: { calls = [ "rmdir" ]; action = "allow"; } in the rules of stage under'$'\n'* ]]
}

@test "dash, Python and a static program are told of as bash is" {
	needs program dash
	run fenced told dash -c 'mkdir out'
	[[ $output == *"stagefence: told: mkdir"* ]]
	run fenced told python3 -c 'import os; os.mkdir("out")'
	[[ $output == *"stagefence: told: mkdir"*PermissionError* ]]
	run fenced told "$helpers/try-static" mkdir 1
	[[ $output == *"stagefence: told: mkdir"* ]]
	run fenced told bash -c 'enable -f /usr/lib/bash/mkdir mkdir 2>/dev/null; mkdir out'
	[[ $output == *"stagefence: told: mkdir"* ]]
	[ ! -e out ]
}

@test "kill_process is told, and kills: a process that handles every signal, its other threads too" {
	run -137 fenced kill "$listen" threads
	[[ $output == *"stagefence: kill: mkdir"* ]]
	[[ $output != *alive* ]]
	[ ! -e out ]
	run -0 fenced kill sh -c 'mkdir out; echo $?'
	[[ $output == *$'\n137'* ]]
	[ ! -e out ]
}

@test "a policy that refuses execve starts the command, and tells of the next one" {
	run fenced cookie sh -c 'mkdir out; true'
	[[ $output == *"stagefence: cookie: execve"* ]]
	[ ! -e out ]
}

@test "a policy that allows hardly anything: nothing is carved out for the hand-over" {
	run -0 fenced few /bin/true
	run fenced few "$helpers/try-static" getppid
	[[ $output == *"stagefence: few: "* ]]
}

@test "two fences: what the outer one refuses is told, what the loader needs is refused all the same" {
	needs root
	run -1 fenced two mkdir out
	[[ $output == *"stagefence: two: mkdir"* ]]
	[ ! -e out ]
	echo secret >hidden
	run -1 fenced two cat hidden
	[[ $output == *"Operation not permitted"* ]]
	[[ $output != *secret* ]]
}

@test "notify without an agent stays ENOSYS, and is told" {
	run -1 fenced waiting mkdir out
	[[ $output == *"stagefence: waiting: mkdir"*"Function not implemented"* ]]
	[ ! -e out ]
}

@test "a job is not the agent of its own calls, where the policy names none" {
	for more in "" "report = true;"; do
		printf 'version = 1;\nstages = ( { name = "whom"; %s rules = ( { calls = "mkdir"; action = "notify"; } ); } );\n' \
			"$more" >asks.conf
		run -0 within 60 "$helpers/reaper" "$listen" second
		[[ "$output" == *"listener: granted"*"mkdir: 0"* ]]
		rmdir out
		run -0 within 60 "$helpers/reaper" stagefence -c asks.conf -s whom -- "$listen" second
		[[ "$output" == *"mkdir: ENOSYS"* ]]
		[ ! -e out ]
		# its supervisor cannot be started
		if [ -n "$more" ]; then
			mkdir alone
			cp "$build/stagefence" alone/
			stagefencectl compile -c asks.conf -o asks.sfi
			run -0 within 60 "$helpers/reaper" alone/stagefence -c asks.sfi -s whom -- "$listen" second
			[[ "$output" == *"runs without reports"* ]]
			[[ "$output" == *"mkdir: ENOSYS"* ]]
			[ ! -e out ]
		fi
	done
}

@test "--report tells a stage that says nothing of it; lines of JSON by the file's name" {
	run -1 within 10 stagefence -c p.sfi -s silent --report plain.txt -- mkdir out
	[[ $output != *"stagefence: silent"* ]]
	soon grep -qs '^stagefence: silent: mkdir' plain.txt
	[ "$(stat -c %a plain.txt)" = 600 ]
	run -1 within 10 stagefence -c p.sfi -s silent --report lines.json -- mkdir out
	soon grep -qs '^{"version":1,"event":"refusal",' lines.json
}

@test "--report writes regular files only, and through no link" {
	mkfifo pipe
	ln -s elsewhere link
	echo precious >precious
	ln precious second
	local file
	for file in pipe link second /dev/full . /nonexistent/x /proc/self/fd/2 /dev/stdout; do
		run -125 within 10 stagefence -c p.sfi -s silent --report "$file" -- touch ran
		one_line "$output"
		[[ $output == "stagefence: --report: "* ]]
	done
	run -125 within 10 stagefence -c p.sfi -s silent --report
	one_line "$output"
	[ ! -e ran ]
	[ ! -e elsewhere ]
	for file in link second; do
		policy sink '{ name = "s"; report = [ "'"$PWD/$file"'" ]; block_calls = [ "mkdir" ]; }'
		run -125 within 10 stagefence -c sink.conf -s s -- touch ran
		one_line "$output"
		[[ $output == "stagefence: report \"$PWD/$file\": "* ]]
	done
	[ ! -e ran ]
	[ ! -e elsewhere ]
	[ "$(<precious)" = precious ]
}

@test "--report on a stage without a filter says that there is nothing to report" {
	run -0 within 10 stagefence -c p.sfi -s off --report x -- echo ran
	[ "$output" = "stagefence: nothing is reported: this stage has no fence
ran" ]
}

# ---- the command is the caller's own ----

@test "exit status, signal, process group, session and descriptors are as without" {
	run -7 fenced told sh -c 'exit 7'
	run -143 fenced told sh -c 'kill -TERM $$'
	run -127 fenced told nonexistent-command
	local show='ps -o pgid=,sid=,tty= -p $$ | tr -d " "; ls /proc/self/fd | tr "\n" " "; grep -E "^Sig(Blk|Ign)" /proc/self/status'
	bash -c "$show" >bare 3>&-
	stagefence -c p.sfi -s told -- bash -c "$show" >fenced 3>&-
	diff bare fenced
}

@test "no child is seen that the command has not started: bash, Python, wait and ps" {
	run -0 fenced told "$listen" children
	[ "$output" = none ]
	run -0 fenced told python3 -c '
import os
try:
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | 0x40000000)
    print("child")
except ChildProcessError:
    print("none")'
	[ "$output" = none ]
	run -0 fenced told bash -c 'wait; ps --ppid $$ -o comm= >list; grep -vx ps list || echo none; jobs'
	[ "$output" = none ]
	# whoever is a subreaper itself stays one, and inherits no supervisor
	run -0 within 10 python3 -c '
import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
os.execvp("stagefence", ["stagefence", "-c", "p.sfi", "-s", "told", "--", sys.argv[1], "children"])' "$listen"
	[ "$output" = none ]
}

@test "job control: the command stops, goes on and is interrupted as any other" {
	python3 -c 'import pty; pty.openpty()' 2>/dev/null || skip "needs a pseudo-terminal, which this user cannot open"
	run -0 within 40 python3 - <<-'END'
		import os, pty, select, sys, time
		pid, fd = pty.fork()
		if pid == 0:
		    os.execvp("bash", ["bash", "--norc", "-i"])
		seen = b""
		def expect(what):
		    global seen
		    end = time.time() + 10
		    while what not in seen:
		        assert time.time() < end, (what, seen)
		        if select.select([fd], [], [], 0.1)[0]:
		            seen += os.read(fd, 4096)
		    seen = seen[seen.index(what) + len(what):]
		def type(text):
		    time.sleep(0.3)
		    os.write(fd, text)
		type(b"stagefence -c p.sfi -s told -- bash -c 'mkdir out; echo on; sleep 60'\n")
		expect(b"stagefence: told: mkdir")
		expect(b"on\r")
		type(b"\x1a")
		expect(b"Stopped")
		type(b"fg\n")
		expect(b"stagefence")
		type(b"\x03")
		type(b"echo status=$?\n")
		expect(b"status=130")
		print("good")
	END
	[ "$output" = good ]
	[ ! -e out ]
}

@test "a background process stays confined and told after the command's end, and the supervisor goes with it" {
	# the reaper says 142 if the supervisor stays
	run -0 within 60 "$helpers/reaper" stagefence -c p.sfi -s silent --report told -- \
		sh -c '(sleep 1; mkdir out; echo "late $?") & echo done'
	[[ $output == *"done"*"late 1"* ]]
	grep -q '^stagefence: silent: mkdir' told
	[ ! -e out ]
	# a regular file is nobody's to wait for
	fenced told sh -c '(sleep 1; mkdir out) & ' 2>log
	grep -q '^stagefence: told: mkdir' log
}

@test "whoever reads a log to its end does not wait for a daemon that has let go of it, and gets the summary before" {
	local before=$SECONDS
	run -0 within 20 bash -c 'stagefence -c p.sfi -s told --report all -- sh -c "mkdir a; mkdir a; mkdir a
		(sleep 6; exec mkdir a) >/dev/null 2>&1 & exit 0" 2>&1 | cat'
	[ $((SECONDS - before)) -lt 5 ]
	[ "$(grep -c '^stagefence: told: mkdir -> EPERM, .*: 3 times$' <<<"$output")" = 1 ]
	# the file goes on, and its own summary comes at the end
	soon grep -q 'calls were refused' all
	grep -qx 'stagefence: told: 4 calls were refused' all
	[ "$(grep -c ': 3 times$' all)" = 0 ]
}

@test "the supervisor does not hold the job's standard input and output" {
	local before=$SECONDS
	run -0 within 20 bash -c 'stagefence -c p.sfi -s told -- sh -c "exec >/dev/null 2>&1 </dev/null; sleep 6 &" 2>/dev/null | cat'
	[ $((SECONDS - before)) -lt 5 ]
}

@test "a supervisor is a session of its own, undumpable, without new privileges, and confined" {
	run -0 fenced told bash -c "s=\$($supervisor); "'grep -E "^(Seccomp|NoNewPrivs|SigBlk):" /proc/$s/status | tr "\n" " "; echo; ps -o sid= -p $s | grep -cw $s; stat -c %U /proc/$s/mem'
	[[ $output == *"NoNewPrivs:"*"1 "*"Seccomp:"*"2 "* ]]
	[ "${lines[1]}" = 1 ]
	[ "${lines[2]}" = root ]
}

@test "status --verify reads a reported stage's filter back as the policy's" {
	needs root
	stagefence -c p.sfi -s told -- sleep 20 3>&- &
	local pid=$!
	soon grep -q sleep /proc/$pid/comm
	run -0 stagefencectl status -c p.sfi -s told --verify $pid
	kill $pid
	[[ $output == *"in force: stage told"*verified* ]]
}

# ---- attacks ----

@test "a supervisor that is killed from outside: what is refused stays refused, and nothing hangs" {
	run -0 fenced told bash -c "s=\$($supervisor); kill -9 \$s; while kill -0 \$s 2>/dev/null; do :; done; "'mkdir out; echo $?; touch fine && echo fine'
	[[ $output == *"Function not implemented"*1*fine* ]]
	[ ! -e out ]
}

@test "a supervisor that is killed while calls wait for it: they are refused" {
	run -0 fenced told bash -c "s=\$($supervisor); kill -STOP \$s; "'mkdir out & mkdir out & sleep 0.3; [ ! -e out ] && echo waiting; kill -9 $s; wait; echo over'
	[[ $output == *waiting*"Function not implemented"*over* ]]
	[ ! -e out ]
}

@test "a stopped supervisor lets nothing through; when it goes on, so does the job" {
	run -0 fenced told bash -c "s=\$($supervisor); kill -STOP \$s; "'mkdir out & sleep 0.5; [ -e out ] || echo waits; kill -CONT $s; wait; echo over'
	[[ $output == *waits*"stagefence: told: mkdir"*over* ]]
	[ ! -e out ]
}

@test "terminal and service signals do not end a supervisor" {
	run -0 fenced told bash -c "s=\$($supervisor); kill -TERM \$s; kill -INT \$s; kill -HUP \$s; kill -TSTP \$s; kill -USR1 \$s; kill -PIPE \$s; sleep 0.1;"'mkdir out; echo $?'
	[[ $output == *"stagefence: told: mkdir"*"Operation not permitted"*1* ]]
}

@test "closed descriptors 0 to 2 take neither a sink nor the name of who was refused away" {
	policy closed '{ name = "s"; report = [ "'"$PWD"'/sink" ]; block_calls = [ "mkdir" ]; block_action = "errno"; }'
	run -1 within 10 bash -c 'exec stagefence -c closed.conf -s s -- mkdir out <&- >&- 2>&-'
	soon [ -s sink ]
	[[ $(<sink) == "stagefence: s: mkdir("*", by mkdir["*"closed.conf:3"* ]]
	# a descriptor that the policy names and the caller has closed is not one of ours
	local n
	for n in 3 4 5 6 7; do
		policy number '{ name = "s"; report = [ "'"$PWD/sink"'", "fd:'$n'" ]; block_calls = [ "mkdir" ]; }'
		run -125 within 10 bash -c "exec stagefence -c number.conf -s s -- touch ran $n>&-"
		one_line "$output"
		[[ $output == *"fd:$n"*"is not open for writing" ]]
	done
	# a report to where nothing is cannot be promised
	run -125 within 10 bash -c 'exec stagefence -c p.sfi -s told -- touch ran 2>&-'
	[ ! -e ran ]
}

@test "a job's limit on descriptors neither hides who was refused nor saves whom the policy kills" {
	run within 20 bash -c 'ulimit -Sn 8; exec stagefence -c p.sfi -s kill -- bash -c "for i in {1..20}; do mkdir out 2>/dev/null; echo \$?; done"'
	[ "$(grep -cx 137 <<<"$output")" = 20 ]
	[[ $output == *"by mkdir["*" at -c:1"* && $output != *"by ?"* ]]
	run -125 within 20 bash -c 'ulimit -n 16; exec stagefence -c p.sfi -s kill -- touch ran'
	one_line "$output"
	[[ $output == *"ulimit -Hn"* ]]
	[ ! -e ran ]
}

@test "a process is killed where the supervisor has no /proc, and so has its thread's" {
	needs root
	mkdir -p "root${COMPILER%/*}"
	local file
	for file in $(ldd "$build/stagefencectl" | grep -o '/[^ ]*'); do
		mkdir -p "root${file%/*}"
		cp -L "$file" "root$file"
	done
	cp "$build/stagefence" "$listen" "$helpers/try-static" p.sfi root/
	cp "$build/stagefencectl" "root$COMPILER"
	run -137 within 10 chroot root /stagefence -c /p.sfi -s kill -- /try-static mkdir 1
	[[ $output == "stagefence: kill: mkdir"* ]]
	run within 10 chroot root /stagefence -c /p.sfi -s told -- /try-static mkdir 1
	[[ $output == *"mkdir EPERM"* ]]
	run -137 within 10 chroot root /stagefence -c /p.sfi -s kill -- /listen threads
	[[ $output != *alive* ]]
}

@test "nobody confined gets a listener of his own, the supervisor alive or dead" {
	run -0 fenced told "$listen" second
	[ "${lines[0]}" = "listener: EBUSY" ]
	[[ $output == *"mkdir: EPERM"* ]]
	run -0 fenced told bash -c "s=\$($supervisor); kill -9 \$s; while kill -0 \$s 2>/dev/null; do :; done; $listen second"
	[ "${lines[0]}" = "listener: EBUSY" ]
	[ "${lines[1]}" = "mkdir: ENOSYS" ]
	[ ! -e out ]
	# the same program, unconfined, would do it: the attack is one
	run -0 "$listen" second
	[ "$output" = "listener: granted
mkdir: 0" ]
}

@test "a filter that the job stacks hides a refusal, and lifts none" {
	run -0 fenced told "$listen" own errno
	[ "$output" = "mkdir: ENOANO" ]
	run -0 fenced told "$listen" own notify
	[ "$output" = "mkdir: ENOSYS" ]
	run -0 fenced kill "$listen" own errno
	[ "$output" = "mkdir: ENOANO" ]
	[ ! -e out ]
}

@test "the supervisor's memory and descriptors are nobody's" {
	needs user
	run -0 fenced told bash -c "$listen steal \$($supervisor)"
	[ "$output" = "ptrace: EPERM
write: EPERM
read: EPERM
mem: EACCES
getfd: EPERM
fd: EACCES
maps: EACCES" ]
}

@test "the wrapper's own question is nobody else's" {
	run -0 fenced told "$listen" wait
	[ "$output" = "wait: EINVAL" ]
}

@test "pointers to nowhere are refused like any others" {
	run -0 fenced told "$listen" pointers
	[ "$(grep -cx EPERM <<<"$output")" = 6 ]
}

@test "memory that is never read to the end holds nobody up: the call and those after it are refused" {
	run -0 fenced silent "$listen" stuck
	[[ $output != *"no userfaultfd"* ]] || skip "needs userfaultfd, which this user may not use"
	run -0 fenced told "$listen" stuck
	[[ $output == *"slow: EPERM"*"meanwhile: EPERM"*"wait: EINVAL"*"stagefence: told: mkdir"*"after: EPERM"* ]]
	# who answers in the meantime tells nothing, which is said and counted
	[[ $output == *$'\n'"stagefence: told: 1 more calls were refused, while memory of the job's held a report up"$'\n'*"after: "* ]]
	run -0 within 20 stagefence -c p.sfi -s told --report all.json -- "$listen" stuck
	soon grep -q '"end"' all.json
	[[ $(grep '"end"' all.json) == *'"refused":3,"untold":1,'* ]]
	# the process that is to be killed is killed
	run -137 fenced kill "$listen" stuck
	[[ $output != *slow* && $output == *"stagefence: kill: mkdir"* ]]
	[ ! -e out ]
}

@test "an executable whose tables are made to be read for long holds nobody up" {
	python3 - "$(command -v bash)" <<-'END'
		import os, struct, sys
		d = bytearray(open(sys.argv[1], "rb").read())
		d += bytes(-len(d) % 16)
		symbols, names = len(d), len(d) + 24 * 65536
		d += struct.pack("<IBBHQQ", 0, 1, 0, 1, 0x1000, 8) * 65536 + b"nothing\0" * 16
		table = len(d)
		d += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, names, 128, 0, 0, 0, 0)
		d += struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, symbols, 65536 * 24, 0, 0, 8, 24) * 254
		d[40:48] = struct.pack("<Q", table)
		d[58:64] = struct.pack("<HHH", 64, 255, 0)
		open("evil", "wb").write(d)
	END
	chmod 755 evil
	# each time another file, so that it is looked into again
	run -0 within 10 stagefence -c p.sfi -s told -- bash -c 'for i in {1..20}; do touch evil; ./evil -c "mkdir out; :"; done; echo over'
	[[ $output == *"stagefence: told: mkdir("*", by mkdir["* ]]
	[[ $output == *over* ]]
}

@test "a thousand processes refused at once are all answered" {
	run -0 fenced told "$listen" storm 1000
	[[ $output == *"EPERM 1000"* ]]
	[ ! -e out ]
}

@test "a hundred thousand refusals in a loop cost the supervisor no memory and the log no flood" {
	run -0 fenced told bash -c "s=\$($supervisor); "'mkdir out 2>&-; m() { awk "/VmRSS/ { print \$2 }" /proc/$s/status; }; '"$listen loop 2000; b=\$(m); $listen loop 100000; "'echo "grew $(( $(m) - b ))"'
	[[ $output == *"EPERM 100000"* ]]
	[ "$(sed -n 's/^grew //p' <<<"$output")" -lt 256 ]
	[ "$(wc -l <<<"$output")" -lt 300 ]
}

@test "signals that come faster than answers neither starve the caller nor hang it" {
	run -0 fenced told "$listen" signals 20000
	[[ $output == *"EPERM 20000"*interrupted* ]]
	[[ $output != *"never interrupted"* ]]
}

# ---- where there can be no listener ----

@test "under another listener the fence stands without reports, and one line says so" {
	run -1 within 10 "$listen" hold stagefence -c p.sfi -s told -- mkdir out
	[ "$(grep -c '^stagefence: ' <<<"$output")" = 1 ]
	[[ $output == "stagefence: stage told runs without reports: another listener is in force"* ]]
	[[ $output == *"Operation not permitted"* ]]
	[ ! -e out ]
	run -159 within 10 "$listen" hold stagefence -c p.sfi -s kill -- mkdir out
	[[ $output == "stagefence: stage kill runs without reports: "* ]]
	[ ! -e out ]
	start_agent
	run -125 within 10 "$listen" hold stagefence -c p.sfi -s asked -- mkdir out
	[[ $output == *"has an agent that cannot be asked"* ]]
	[ ! -e out ]
}

@test "nested: the same stage again is in force already, another one stands without reports" {
	run -1 fenced told stagefence -c p.sfi -s told -- mkdir out
	[ "$(grep -c '^stagefence: told: mkdir' <<<"$output")" = 1 ]
	[[ $output != *"without reports"* ]]
	run -1 fenced told stagefence -c p.sfi -s waiting -- mkdir out
	[[ $output == *"stagefence: stage waiting runs without reports: another listener is in force"* ]]
	[ ! -e out ]
}

@test "without stagefencectl the fence stands without reports, and one line says so" {
	run -1 within 30 "$tests/helpers/machine" "$PWD/p.conf" bash -c \
		'rm "$COMPILER" && exec "$WRAPPER" -s told -- mkdir out'
	[[ $output == "stagefence: stage told runs without reports: stagefencectl, which would supervise it, is not there"* ]]
	[ ! -e out ]
}

@test "a supervisor that cannot start: the command does not run" {
	mkdir odd
	cp "$build/stagefence" odd/
	local how
	for how in '#!/bin/false' '#!/nonexistent' ''; do
		echo "$how" >odd/stagefencectl
		chmod 755 odd/stagefencectl
		run -125 within 10 odd/stagefence -c p.sfi -s told -- touch ran
		one_line "$output"
		[ ! -e ran ]
	done
	printf '#!/bin/sh\nsleep 0.2\n' >odd/stagefencectl
	run -125 within 10 odd/stagefence -c p.sfi -s told -- touch ran
	[ "$output" = "stagefence: the supervisor did not start, or is gone" ]
	[ ! -e ran ]
	# says that it is ready, and goes
	printf '#!/bin/bash\nprintf r >&"$2"\n' >odd/stagefencectl
	run -125 within 10 odd/stagefence -c p.sfi -s told -- touch ran
	[ ! -e ran ]
}

@test "supervise is for stagefence only" {
	run -2 stagefencectl supervise
	run -1 within 5 stagefencectl supervise 5 6 0 0 "" "" 5</dev/null 6</dev/null
	[ "$output" = "stagefence: supervise is started by stagefence, and by nobody else" ]
}

@test "each call of a supervisor fails once: nothing hangs, and nothing is let through" {
	needs program strace
	mkdir bin
	cp "$build/stagefence" bin/
	printf '#!/bin/bash\nexec strace -qq -o trace $INJECT %s "$@"\n' "$build/stagefencectl" >inner
	# the wrapper gives its compiler and its supervisor an empty environment
	write() {
		printf '#!/bin/bash\nexec /usr/bin/env strace -qq -o %s %s %s "$@"\n' "$PWD/$1" "$2" "$build/stagefencectl" >bin/stagefencectl
		chmod 755 bin/stagefencectl
	}
	local stage call when status n=0
	for stage in told kill; do
		write "trace.$stage" ""
		status=0
		run within 20 bin/stagefence -c p.sfi -s "$stage" -- "$listen" loop 3
		[[ $output == *"stagefence: $stage: mkdir"* ]]
		soon grep -q "^exit_group" "trace.$stage"
		# from its first own call to its end
		while read -r call when; do
			write trace "-e inject=$call:error=EIO:when=$when"
			run timeout -k 1 10 bin/stagefence -c p.sfi -s "$stage" -- "$listen" loop 3 3>&-
			[ "$status" != 124 ] && [ "$status" != 137 ] || [ "$stage" = kill ] || { echo "$stage $call $when: hung"; return 1; }
			[ "$status" != 124 ] || { echo "$stage $call $when: hung"; return 1; }
			[ ! -e out ] || { echo "$stage $call $when: let through"; return 1; }
			n=$((n + 1))
		done < <(awk '/^[a-z0-9_]+\(/ { call = substr($0, 1, index($0, "(") - 1); count[call]++
			if (/getcwd/) on = 1
			if (on && call !~ /^exit/ && count[call] < 12) print call, count[call] }' "trace.$stage")
	done
	[ "$n" -gt 40 ]
}

# ---- agents ----

with_agent() { # COMMAND...
	start_agent
	fenced asked "$@"
}

@test "an agent gets the listener and the container process state, and decides" {
	run -0 with_agent sh -c 'echo $PPID; mkdir -m 0755 fine && echo made; "$0" mkdir 0 0700; rmdir fine; echo $?' "$helpers/try"
	[[ $output == *made* ]]
	[ -d fine ]
	[[ $output == *"Operation not permitted"*1 ]]
	sed -n 2p heard >state.json
	python3 - "$PWD" <<-'END'
		import json, sys
		s = json.load(open("state.json"))
		assert s["ociVersion"] == s["state"]["ociVersion"] == "1.0.2", s
		assert s["fds"] == ["seccompFd"] and s["metadata"] == 'who="me"', s
		assert s["pid"] == s["state"]["pid"] > 1 and s["state"]["status"] == "creating", s
		assert s["state"]["id"] == "stagefence-asked-%d" % s["pid"], s
		assert s["state"]["bundle"] == sys.argv[1], s
	END
	grep -q "descriptors 1" heard
	grep -q "^asked " heard
}

@test "no agent, no command" {
	run -125 fenced asked touch ran
	[[ $output == "stagefence: stage asked: its agent $PWD/agent.sock: "* ]]
	[ ! -e ran ]
	touch agent.sock
	run -125 fenced asked touch ran
	[ ! -e ran ]
}

@test "an agent where others could listen is not asked: in a folder that they can write, in a sticky one that they came to first" {
	mkdir meeting
	policy meeting '{ name = "s"; listener = "'"$PWD"'/meeting/agent.sock"; rules = ( { calls = [ "mkdir" ]; action = "notify"; } ); }'
	local agents=()
	listening() {
		rm -f meeting/agent.sock heard
		"$helpers/agent" "$PWD/meeting/agent.sock" >heard 3>&- &
		agents+=($!)
		soon grep -qs ready heard
	}
	listening
	chmod 777 meeting
	run -125 within 10 stagefence -c meeting.conf -s s -- mkdir out
	one_line "$output"
	[[ $output == *"its agent $PWD/meeting/agent.sock: meeting can be written by others"* ]]
	[ ! -e out ]
	chmod 1777 meeting
	run -0 within 10 stagefence -c meeting.conf -s s -- mkdir out
	rmdir out
	if [ "$(id -u)" = 0 ]; then
		listening
		chown nobody meeting/agent.sock
		run -125 within 10 stagefence -c meeting.conf -s s -- mkdir out
		one_line "$output"
		[[ $output == *"belongs to somebody"* ]]
		[ ! -e out ]
		# as if the name had become another's after it was looked at: who listens is asked too
		rm -f meeting/agent.sock heard
		setpriv --reuid=65534 --regid=65534 --clear-groups "$helpers/agent" meeting/agent.sock >heard 3>&- &
		agents+=($!)
		soon grep -qs ready heard
		chown root meeting/agent.sock
		run -125 within 10 stagefence -c meeting.conf -s s -- mkdir out
		one_line "$output"
		[[ $output == *"belongs to somebody"* ]]
		[ ! -e out ]
	fi
	kill "${agents[@]}" 2>/dev/null || true
}

@test "under an agent nobody gets a second listener either" {
	run -0 with_agent "$listen" second
	[ "${lines[0]}" = "listener: EBUSY" ]
}

# ---- the policy ----

@test "report and listener: what a policy may say, and what show says of it" {
	local line
	while read -r line; do
		policy good "{ name = \"x\"; block_calls = [ \"mkdir\" ]; ${line} }"
		run -0 stagefencectl check -c good.conf
		[ "$output" = "" ]
	done <<-'END'
		report = true;
		report = false;
		report = "stderr";
		report = [ "syslog", "journal", "/tmp/x", "fd:3", "json:/tmp/x", "json:fd:9" ];
		listener = "/run/agent.sock"; listener_metadata = "a=b";
	END
	run -0 stagefencectl show -c good.conf
	[[ $output == *'listener = "/run/agent.sock";'*'listener_metadata = "a=b";'* ]]
	while IFS='|' read -r line want; do
		policy bad "{ name = \"x\"; block_calls = [ \"mkdir\" ]; ${line} }"
		run -1 stagefencectl check -c bad.conf
		[[ $output == "stagefencectl: bad.conf:3: "*"$want"* ]]
	done <<-'END'
		report = "fd:x";|is none of stderr, syslog
		report = "file";|is none of stderr, syslog
		report = "syslog:/dev/log";|is none of stderr, syslog
		report = [ "stderr", "json:stderr" ];|is none of stderr, syslog
		report = true; listener = "/x";|has both report and listener
		listener = "x";|absolute path
		listener_metadata = "x";|but no listener
		disabled = true; report = true;|cannot report: it is disabled
		disabled = true; listener = "/x";|no use for a listener
	END
	# one more, and --report would find no room, or it would be left out in silence
	printf -v many '"/tmp/x%s", ' {1..14}
	policy many "{ name = \"x\"; block_calls = \"mkdir\"; report = [ $many\"stderr\" ]; }"
	run -0 stagefencectl check -c many.conf
	policy many "{ name = \"x\"; block_calls = \"mkdir\"; report = [ $many\"syslog\", \"stderr\" ]; }"
	run -1 stagefencectl check -c many.conf
	[ "$output" = "stagefencectl: many.conf:3: report: more than 15 places" ]
	policy strict '{ name = "x"; mode = "strict"; report = true; }'
	run -1 stagefencectl check -c strict.conf
	[[ $output == *"cannot report: it is mode = strict"* ]]
}

@test "report is inherited like any attribute, the policy's own last; the digest knows it" {
	cat >all.conf <<-'END'
		version = 1;
		report = "/tmp/a";
		profiles = ( { name = "base"; report = [ "stderr", "journal" ]; block_calls = [ "mkdir" ]; } );
		stages = ( { name = "a"; base = "base"; }, { name = "b"; block_calls = [ "mkdir" ]; },
			{ name = "c"; base = "base"; report = false; }, { name = "d"; disabled = true; } );
	END
	run -0 stagefencectl show -c all.conf -s a
	[[ $output == *'report = [ "stderr", "journal" ];'* ]]
	run -0 stagefencectl show -c all.conf -s b
	[[ $output == *'report = [ "/tmp/a" ];'* ]]
	run -0 stagefencectl show -c all.conf -s c
	[[ $output != *report* ]]
	run -0 stagefencectl show -c all.conf -s d
	[[ $output != *report* ]]
	stagefencectl compile -c all.conf -o one.sfi
	sed -i 's#/tmp/a#/tmp/b#' all.conf
	stagefencectl compile -c all.conf -o two.sfi
	# the header's digest
	run cmp -s <(tail -c +25 one.sfi | head -c 32) <(tail -c +25 two.sfi | head -c 32)
	[ "$status" = 1 ]
}

@test "check says what two fences cannot report" {
	run -0 stagefencectl check -c p.conf
	[[ $output == *"note: stage two takes two fences, and reports only of what the outer one refuses"* ]]
}

# ---- preload mode ----

@test "preload mode: a stage that reports is executed again under the wrapper, and reports" {
	cat >system.conf <<-'END'
		version = 1;
		stages = ( { name = "told"; report = true; block_calls = [ "mkdir" ]; block_action = "errno"; } );
	END
	run -0 within 50 "$tests/helpers/machine" "$PWD/system.conf" bash -c \
		'STAGEFENCE_STAGE=told LD_PRELOAD=$SHIM bash -c "mkdir out; echo status \$?; echo \"[\$LD_PRELOAD]\""'
	[[ $output == *"stagefence: told: mkdir"*"status 1"*"[]"* ]]
	[ ! -e out ]
}

@test "a line that a full disk cut off takes the next one with it in no report" {
	needs root
	{
		echo 'dd if=/dev/zero of=/mnt/ballast bs=4096 count=1 2>/dev/null'
		for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "mkdir cut$n"; done
		echo 'tail -c 1 /mnt/r.jsonl | od -An -c'
		echo 'rm /mnt/ballast'
		echo 'mkdir last'
	} >fill.sh
	run within 60 unshare --mount --propagation private bash -c '
		mount -t tmpfs -o size=8k none /mnt
		stagefence -c p.sfi -s silent --report /mnt/r.jsonl -- bash fill.sh 2>/dev/null
		sleep 1
		cat /mnt/r.jsonl >kept'
	# there was a line that was cut off
	[[ $output != *'\n'* ]]
	[ "$(grep -c cut kept)" -ge 2 ]
	[ "$(grep -c last kept)" = 1 ]
	[[ $(grep last kept) == '{"version":1,"event":"refusal",'* ]]
	[ "$(grep last kept | grep -o '"version"' | wc -l)" = 1 ]
}
