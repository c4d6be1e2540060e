#!/usr/bin/env bats
# What a refusal says, and where: report.c behind a listener of the test's own (helpers/report-drive), without any policy.
# shellcheck disable=SC2016,SC2030,SC2031 # the scripts are for other shells

setup() {
	load lib
	drive=$helpers/report-drive
	receiver=
	refuse=$helpers/refuse
}

teardown() {
	[ -z "$receiver" ] || kill "$receiver" 2>/dev/null || true
}

# told: standard input's lines of ours, without what comes before the call and without hints
told() {
	sed -n 's/^stagefence: build: //p' | grep -v '^to allow it'
}

# calls: only the call of each
calls() {
	told | grep -e ' -> EPERM, by [^ ]*\[' | sed 's/ -> .*//'
}

# places: the call's first word and where it was made
places() {
	told | sed -nE 's/^[a-z]+\("([a-z]+)".*, by ([^[]+)\[[0-9]+\](.*) \(job.conf:42\)$/\1 \2\3/p'
}

# clean FILE: is it what any terminal may be shown?
clean() {
	[ -s "$1" ]
	run -1 grep -aP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xef\xbb\xbf' "$1"
	iconv -f UTF-8 -t UTF-8 "$1" >/dev/null
}

# receive FILE: a datagram socket called socket, whose packets go to FILE, each followed by a line ---
receive() {
	python3 - "$1" 3>&- <<'END' &
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("bound")
os.rename("bound", "socket")
out = open(sys.argv[1], "ab", 0)
while True:
    packet = s.recv(65536)
    if packet == b"end":
        break
    out.write(packet + b"\n---\n")
END
	receiver=$!
	soon [ -S socket ]
}

received() {
	python3 -c 'import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"end", "socket")'
	wait "$receiver"
}

@test "every word of the table of arguments is known" {
	run -0 "$drive" -C
	[ -z "$output" ]
}

@test "a refusal is one line: stage, call, answer, program, line of the script, rule" {
	printf '#!/bin/bash\n\nmkdir out\n' >job.sh
	chmod +x job.sh
	run "$drive" -n after_script -f /etc/stagefence/stagefence.conf ./job.sh
	[ "$status" = 1 ]
	[[ ${lines[0]} =~ ^'stagefence: after_script: mkdir("out", 0777) -> EPERM, by mkdir['[0-9]+'] at job.sh:3 (/etc/stagefence/stagefence.conf:42)'$ ]]
	[ ! -e out ]
	run -0 "$drive" -c rmdir ./job.sh
	[ -z "$output" ]
	[ -d out ]
}

@test "the line is that of the command, in functions, loops, subshells, pipelines, sourced files and here-documents" {
	needs program dash
	cat >job.sh <<'END'
mkdir top
f() {
	mkdir infunction
	(mkdir subshell)
	( # two of them
		:
		mkdir second
	)
}
f
true | { mkdir pipe; }
. ./lib.sh
cat <<HERE | mkdir document
one
HERE
for i in 1; do
	:
	mkdir loop
done
while :; do
	if true; then
		mkdir deep
	fi
	break
done
x=$(mkdir substitution)
libf
case x in
x) mkdir arm ;;
esac
[[ -n x ]] && mkdir conjunction
dash -c 'mkdir dashed; :'
{ mkdir group; } 2>&1
END
	printf '# lib\nmkdir inlib\nlibf() {\n\tmkdir libfunction\n}\n' >lib.sh
	"$drive" bash job.sh 2>&1 | places >seen || true
	diff - seen <<'END'
top mkdir at job.sh:1
infunction mkdir at job.sh:3
subshell mkdir at job.sh:4
second mkdir at job.sh:7
pipe mkdir at job.sh:11
inlib mkdir at lib.sh:2
document mkdir at job.sh:13
loop mkdir at job.sh:18
deep mkdir at job.sh:22
substitution mkdir at job.sh:26
libfunction mkdir at lib.sh:4
arm mkdir at job.sh:29
conjunction mkdir at job.sh:31
dashed mkdir at job.sh:32
group mkdir at job.sh:33
END
}

@test "a call that bash itself makes has a line too, and so has a script without a name" {
	printf 'set +e\n:\nif true; then\n\tcd /\nfi\n' >job.sh
	run "$drive" -c chdir bash job.sh
	[[ ${lines[0]} == *'chdir("/") -> EPERM, by bash['*'] at job.sh:4 ('* ]]
	[ "$("$drive" bash -c $'mkdir text\ntrue' 2>&1 | places)" = "text mkdir at -c:1" ]
	[ "$(printf ':\nmkdir input\ntrue\n' | "$drive" bash 2>&1 | places)" = "input mkdir at stdin:2" ]
	[ "$(printf ':\nmkdir input\ntrue\n' | "$drive" bash -s a b 2>&1 | places)" = "input mkdir at stdin:2" ]
	printf 'mkdir named\ntrue\n' >'-x y.sh'
	[ "$("$drive" bash --norc -o pipefail -O extglob +O extglob -- '-x y.sh' 2>&1 | sed -n 's/.* at \(.*\) (.*/\1/p')" = "-x y.sh:1" ]
}

@test "where no bash is above there is no line, and none outside of the fence is named" {
	needs program dash
	run "$drive" dash -c 'mkdir out; :'
	[[ ${lines[0]} =~ 'by mkdir['[0-9]+'] (job.conf:42)'$ ]]
	# the caller is the fence's first: the shell above it is not asked
	run "$drive" -O bash -c 'mkdir out; :'
	[[ ${lines[0]} =~ 'by mkdir['[0-9]+'] (job.conf:42)'$ ]]
	run "$drive" bash -c 'mkdir out; :'
	[[ ${lines[0]} =~ 'by mkdir['[0-9]+'] at -c:1 (job.conf:42)'$ ]]
}

@test "dash, Python and static programs are told of by what they are" {
	run "$drive" -c mkdirat "$helpers/refuse-static" thread
	[[ ${lines[0]} =~ ^'stagefence: build: mkdirat(AT_FDCWD, "thread", 0777) -> EPERM, by refuse-static['[0-9]+'] (job.conf:42)'$ ]]
	cat >job.py <<'END'
import os, socket
for attempt in lambda: os.mkdir("py"), lambda: socket.socket().connect(("127.0.0.1", 9)):
    try:
        attempt()
    except OSError as e:
        print(e.errno)
END
	python=$(python3 -c 'import sys; print(sys.executable)')
	printf ':\n"%s" job.py\n' "$python" >job.sh
	run -0 "$drive" -c mkdir,mkdirat,connect bash job.sh
	[[ $output == *'mkdir("py", 0777) -> EPERM, by python'*'] at job.sh:2 (job.conf:42)'* ]]
	[[ $output == *'connect('*', {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("127.0.0.1")}, 16) -> EPERM, by python'*'] at job.sh:2 (job.conf:42)'* ]]
}

@test "arguments read as strace(1) prints them" {
	needs program strace
	list=socket,ioctl,unshare,kill,openat,unlinkat,fcntl,setresuid,fchmodat,mknodat,setsockopt,lseek,bpf
	"$drive" -c "$list" "$helpers/refuse-static" flags 2>log
	calls <log >ours
	[ "$(wc -l <ours)" -ge 17 ]
	# the same calls, this time the kernel's answers, which are not compared
	strace -o trace "$helpers/refuse-static" flags </dev/null
	sed -nE '/NETLINK/,$s/^([a-z]+\(.*[^ ]) *= -?[0-9x]+[^=]*$/\1/p' trace | grep -E "^(${list//,/|})\(" >theirs
	# an argument of an ioctl that we leave as a number
	sed 's/TIOCSTI, NULL/TIOCSTI, 0/; s/, NULL)$/, 0)/; s/) *$/)/' theirs | diff - <(sed 's/, NULL)$/, 0)/' ours)
}

@test "bad pointers are numbers, and the call is answered" {
	run -0 "$drive" -c mkdirat "$refuse" pointers
	diff <(calls <<<"$output" | sed 's/0x7[ef][0-9a-f]*/MAPPED/') - <<'END'
mkdirat(AT_FDCWD, NULL, 0777)
mkdirat(AT_FDCWD, 0x1, 0777)
mkdirat(AT_FDCWD, 0xdeadbeef000, 0777)
mkdirat(AT_FDCWD, 0xffffffffffffffff, 0777)
mkdirat(AT_FDCWD, 0xffffffff80000000, 0777)
mkdirat(AT_FDCWD, 0x8000000000000000, 0777)
mkdirat(AT_FDCWD, MAPPED, 0777)
END
}

@test "text is read up to the last byte that is there, and over the end of a page" {
	run -0 "$drive" -c mkdirat "$refuse" edges
	diff <(calls <<<"$output" | sed 's/0x7[ef][0-9a-f]*/MAPPED/') - <<'END'
mkdirat(AT_FDCWD, "whole"..., 0777)
mkdirat(AT_FDCWD, "ended", 0777)
mkdirat(AT_FDCWD, "across", 0777)
mkdirat(AT_FDCWD, MAPPED, 0777)
END
}

@test "socket addresses of every length are read as far as they go" {
	run -0 "$drive" -c connect "$refuse" lengths
	diff <(calls <<<"$output" | sed 's/0x7[ef][0-9a-f]*/MAPPED/') - <<'END'
connect(7, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16)
connect(7, MAPPED, 0)
connect(7, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16)
connect(7, MAPPED, -1)
connect(7, MAPPED, 0)
connect(7, MAPPED, 1)
connect(7, {sa_family=AF_INET, ...}, 3)
connect(7, MAPPED, 16)
connect(7, {sa_family=AF_INET, ...}, 4)
END
	run -0 "$drive" -c connect "$refuse" addresses
	diff <(calls <<<"$output" | sed 's/xx*x/x/') - <<'END'
connect(7, {sa_family=AF_UNIX, sun_path="/run/\33[31m.sock"}, 110)
connect(7, {sa_family=AF_UNIX, sun_path=@"name\1"}, 8)
connect(7, {sa_family=AF_INET6, sin6_port=htons(443), inet_pton(AF_INET6, "::1", &sin6_addr)}, 28)
connect(7, {sa_family=0x1267, ...}, 16)
connect(7, {sa_family=AF_UNIX, sun_path="x"}, 110)
END
}

@test "structures and arguments of programs are read, as far as they are there" {
	run -0 "$drive" -c openat2,clone3,execveat "$refuse" structs
	[[ $output == *'openat2(AT_FDCWD, "file", {flags=O_WRONLY|O_CREAT, mode=0600, resolve=0x8}, 24) -> '* ]]
	[[ $output == *'openat2(5, "file", 0x'*', 3) -> '* ]]
	[[ $output == *'openat2(AT_FDCWD, "file", 0x8, 24) -> '* ]]
	[[ $output == *'clone3({flags=CLONE_NEWNS|CLONE_NEWUSER, exit_signal=SIGCHLD, ...}, 88) -> '* ]]
	run -0 "$drive" -c execveat "$refuse" arguments
	diff <(calls <<<"$output") - <<'END'
execveat(AT_FDCWD, "/bin/x", ["a", "b c", "\n", "4", "5", "6", "7", "8", ...], NULL, 0)
execveat(AT_FDCWD, "/bin/x", 0x8, NULL, 0)
execveat(AT_FDCWD, "/bin/x", ["first", ...], NULL, 0)
execveat(AT_FDCWD, "/bin/x", ["a", 0x10], NULL, 0)
END
}

@test "no path, name or stage reaches a terminal as anything but text" {
	"$drive" -c mkdirat "$refuse" texts 2>log
	clean log
	calls <log >seen
	head -8 seen | diff - <(cat <<'END'
mkdirat(AT_FDCWD, "plain", 0777)
mkdirat(AT_FDCWD, "a\nstagefence: build: all is well\r", 0777)
mkdirat(AT_FDCWD, "\33]0;title\7\33[2J\10\10\177", 0777)
mkdirat(AT_FDCWD, "\302\23331m\342\200\256gpj.exe\357\273\277\342\200\213", 0777)
mkdirat(AT_FDCWD, "\377\376\300\257\355\240\200 \364\220\200\200", 0777)
mkdirat(AT_FDCWD, "grüß€🐧", 0777)
mkdirat(AT_FDCWD, "quote\" back\\ 1\0011", 0777)
mkdirat(AT_FDCWD, "", 0777)
END
	)
	grep -qE '^mkdirat\(AT_FDCWD, "y{256}"\.\.\., 0777\)$' seen
	[ "$(awk '{ if (length > n) n = length } END { print n }' log)" -lt 2048 ]
	"$drive" -n $'st\033[31m\nage' -f $'job\r.conf' -c mkdirat "$refuse" name 2>log
	clean log
	[[ $(head -1 log) =~ ^'stagefence: st?[31m?age: mkdirat(AT_FDCWD, "named", 0777) -> EPERM, by ?[31m?::error?['[0-9]+'] (job?.conf:42)'$ ]]
}

@test "a program that pretends to be bash, and lies, is shown as text and does no harm" {
	for lie in '' endless 'x y' 'x y 0xffffffffffffff00' 'x y 0x1000' 'x y 1'; do
		# shellcheck disable=SC2086
		run -0 within 10 "$drive" -c mkdirat "$helpers/fake-bash" $lie
		[[ ${lines[0]} == *'mkdirat(AT_FDCWD, "lie", 0777) -> EPERM, by fake-bash['*'] at '*' (job.conf:42)' ]]
		printf '%s\n' "$output" >log
		clean log
	done
	run -0 within 10 "$drive" -c mkdirat "$helpers/fake-bash"
	[[ ${lines[0]} == *'] at ?[31mred?::error::x?.sh (job.conf:42)' ]]
}

@test "memory that changes while it is read is shown as it was at some time" {
	within 60 "$drive" -c mkdirat "$refuse" race 2>log
	clean log
	grep -q 'mkdirat -> EPERM, by refuse (job.conf:42): 20000 times' log
}

@test "a process that is killed while its call is looked at is told of, without what it may not have been" {
	run -0 within 20 "$drive" -w 60 -c mkdirat "$refuse" death
	[[ ${lines[0]} =~ ^'stagefence: build: mkdirat(AT_FDCWD, 0x'[0-9a-f]+', 0777) -> EPERM, by ?['[0-9]+'] (job.conf:42)'$ ]]
	run -0 within 20 "$drive" -c mkdirat "$refuse" death
	[[ ${lines[0]} == *'mkdirat(AT_FDCWD, "dying", 0777) -> EPERM, by refuse['* ]]
}

@test "what was read of a caller that has gone meanwhile is not believed" {
	run -0 "$drive" -c mkdirat "$refuse" thread
	[[ ${lines[0]} == *'mkdirat(AT_FDCWD, "thread", 0777) -> EPERM, by refuse['* ]]
	run -0 "$drive" -g 1 -c mkdirat "$refuse" thread
	[[ ${lines[0]} =~ 'mkdirat(AT_FDCWD, 0x'[0-9a-f]+', 0777) -> EPERM, by ?['[0-9]+'] (job.conf:42)'$ ]]
	run -0 "$drive" -g 2 -c mkdirat "$refuse" thread
	[[ ${lines[0]} =~ 'mkdirat(AT_FDCWD, 0x'[0-9a-f]+', 0777) -> EPERM, by refuse['[0-9]+'] (job.conf:42)'$ ]]
}

@test "a thread is its process, by its process's name" {
	run -0 "$drive" -c mkdirat "$refuse" thread
	[[ ${lines[0]} == *', by refuse['* ]]
}

@test "a hundred thousand refusals of one kind are two lines and a hint, fast and in the same memory" {
	within 100 "$drive" -t -c mkdirat "$refuse" repeats >figures 2>log
	cat figures log
	[ "$(wc -l <log)" = 4 ]
	grep -q '^stagefence: build: mkdirat -> EPERM, by refuse (job.conf:42): 100000 times$' log
	grep -q '^stagefence: build: 100000 calls were refused$' log
	read -r _ _ _ _ _ _ median _ _ _ _ _ memory _ < <(tr -d ,+ <figures)
	[ "$median" -lt 10000 ]
	[ "$memory" -lt 512 ]
}

@test "a hundred thousand kinds are at most two hundred lines and a count, in the same memory" {
	within 100 "$drive" -t -c mkdirat "$refuse" kinds >figures 2>log
	cat figures
	[ "$(wc -l <log)" -le 215 ]
	[ "$(grep -c 'by p[0-9]*\[' log)" -ge 200 ]
	[ "$(grep -c 'too many kinds' log)" = 1 ]
	grep -qE '^stagefence: build: 100000 calls were refused, 99[0-9]{3} of them untold, of 99[0-9]{3} kinds$' log
	read -r _ _ _ _ _ _ _ _ _ _ _ _ memory _ < <(tr -d ,+ <figures)
	[ "$memory" -lt 512 ]
}

@test "many processes at once are all answered and counted" {
	printf 'for ((i = 0; i < 300; i++)); do\n\tmkdir out 2>/dev/null &\ndone\nwait\n' >job.sh
	within 60 "$drive" bash job.sh 2>log
	[ ! -e out ]
	grep -q '^stagefence: build: 300 calls were refused' log
}

@test "what differs in arguments is told a few times" {
	printf 'for d in a b c d e; do mkdir $d; mkdir $d; done 2>/dev/null; true\n' >job.sh
	run -0 "$drive" bash job.sh
	[ "$(places <<<"$output" | wc -l)" -ge 3 ]
	[ "$(places <<<"$output" | wc -l)" -le 4 ]
	[[ $output == *'mkdir -> EPERM, by mkdir at job.sh:1 (job.conf:42): 10 times'* ]]
}

@test "the hint is said once: what would allow it, or what the policy says" {
	run -0 "$drive" bash -c $'mkdir a\nmkdir b\ntrue'
	[ "$(grep -c 'to allow it' <<<"$output")" = 1 ]
	[[ $output == *'stagefence: build: to allow it: { calls = [ "mkdir" ]; action = "allow"; } in the rules of stage build, in place of job.conf:42'* ]]
	run -0 "$drive" -H 'the floor refuses it: ask the site' bash -c $'mkdir a\nmkdir b\ntrue'
	[ "$(grep -c 'stagefence: build: the floor refuses it: ask the site' <<<"$output")" = 1 ]
	[[ $output != *'to allow it'* ]]
	run -0 "$drive" -f '' bash -c 'mkdir a; true'
	[[ ${lines[0]} == *' (no rule)' ]]
}

@test "the rule of the hint allows what was refused" {
	run -0 "$drive" bash -c 'mkdir a; true'
	rule=$(sed -n 's/.*to allow it: \(.*\) in the rules of.*/\1/p' <<<"$output")
	policy p "{ name = \"build\"; block_all = true; allow_calls = [ \"@shell\" ]; rules = ( $rule ); }"
	run -0 stagefencectl explain -c p.conf -s build mkdir
	[[ $output == "mkdir: allow"* ]]
	policy p '{ name = "build"; block_all = true; allow_calls = [ "@shell" ]; rules = ( { calls = [ "mkdir" ]; action = "errno"; errno = "EPERM"; } ); }'
	run stagefencectl explain -c p.conf -s build mkdir
	[[ $output == "mkdir: EPERM"* ]]
}

@test "sudo and its like are told what takes their power" {
	cp "$helpers/refuse-static" sudo
	cp "$helpers/refuse-static" other
	run -0 "$drive" -c mkdirat,openat2 ./sudo structs
	[[ $output != *'set-user-ID'* ]]
	cat >power.c <<'END'
#include <unistd.h>
int main(void) { return setuid(0) == 0; }
END
	${CC:-cc} -o power power.c
	mv power sudo
	run -0 "$drive" -c setuid bash -c './sudo; ./sudo; true'
	[ "$(grep -c 'stagefence: build: sudo gets its power from a set-user-ID bit or file capabilities, which count for nothing under no_new_privs' <<<"$output")" = 1 ]
	mv sudo other
	run -0 "$drive" -c setuid bash -c './other; true'
	[[ $output != *'set-user-ID'* ]]
}

@test "where memory may not be read it is said once, and the rest is told" {
	needs user
	run -0 "$drive" -c mkdirat "$refuse" undumpable
	[[ ${lines[0]} =~ ^'stagefence: build: mkdirat(AT_FDCWD, 0x'[0-9a-f]+', 0777) -> EPERM, by refuse['[0-9]+'] (job.conf:42)'$ ]]
	[ "$(grep -c 'the memory of the job.s processes may not be read here' <<<"$output")" = 1 ]
}

@test "calls of 32-bit programs are read as theirs" {
	needs x86_64
	[ -x "$helpers/bare-i386" ] || skip "the compiler makes no 32-bit programs"
	run -0 "$drive" -i -c mkdirat "$helpers/bare-i386"
	[[ $output == *'mkdirat(AT_FDCWD, "made", 0777) [i386] -> EPERM, by bare-i386['* ]]
	run -0 "$drive" -c mkdirat "$helpers/bare-i386"
	[ "$output" = "mkdir ok" ]
}

@test "a call that kills is told of before" {
	run -0 "$drive" -e kill bash -c 'mkdir out; echo $?'
	[[ $output == *'mkdir("out", 0777) -> kill_process, by mkdir['*'] at -c:1 (job.conf:42)'* ]]
	[[ $output == *137* ]]
	[ ! -e out ]
}

# ---- sinks

@test "a report goes to several places at once: a file, a descriptor, JSON lines" {
	run -0 "$drive" -s "/$PWD/file" -s fd:7 -s "json:$PWD/lines" -s json:fd:8 bash -c 'mkdir out; true' 7>seven 8>eight
	[ "$(grep -c 'mkdir("out", 0777) -> EPERM' file)" = 1 ]
	cmp file seven
	grep -q '^{"version":1,"event":"refusal",.*"call":"mkdir"' lines
	cmp <(sed 's/"time":"[^"]*"//' lines) <(sed 's/"time":"[^"]*"//' eight)
	run -0 "$drive" -s "$PWD/file" bash -c 'mkdir out; true'
	[ "$(grep -c 'mkdir("out", 0777) -> EPERM' file)" = 2 ]
}

@test "JSON lines are JSON, whatever a job writes, and have the keys that the manual names" {
	"$drive" -s "json:$PWD/lines" -n $'st"a\\ge\xff' -c mkdirat "$refuse" texts
	"$drive" -s "json:$PWD/lines" -c mkdirat,openat2,clone3 bash -c '"$0" structs; "$0" edges; "$0" name; "$0" edges; :' "$refuse"
	run -0 python3 - lines "$source_folder/wrapper/stagefence.conf.5" <<'END'
import json, re, sys
text = open(sys.argv[2]).read()
section = text[text.index(".Sh REPORTS"):]
section = section[:section.index("\n.Sh ", 5)]
section = section[section.index("A line of JSON has these members"):]
named = {w for l in re.findall(r"^\.It Li ([a-z, ]+)$", section, re.M) for w in l.split(" , ")}
seen, events = set(), set()
for line in open(sys.argv[1], encoding="utf-8"):
    one = json.loads(line)
    assert one["version"] == 1, line
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ", one["time"]), line
    seen |= set(one)
    events.add(one["event"])
    if one["event"] == "refusal":
        assert len(one["raw"]) == 6 and one["errno"] == "EPERM" and one["action"] == "errno"
        assert one["rule"] == {"file": "job.conf", "line": 42}
        assert all(isinstance(a, str) for a in one["arguments"])
assert events == {"refusal", "repeats", "end"}, events
print("unnamed", seen - named, "unseen", named - seen)
assert seen == named, (seen - named, named - seen)
END
}

@test "syslog gets its packets, and the journal its fields" {
	receive log
	"$drive" -s "syslog:$PWD/socket" -s stderr bash -c 'mkdir out; true' 2>/dev/null
	"$drive" -s "journal:$PWD/socket" bash -c 'mkdir out; true' 2>/dev/null
	received
	grep -qE '^<12>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} stagefence\[[0-9]+\]: build: mkdir\("out", 0777\) -> EPERM, by mkdir\[[0-9]+\] at -c:1 \(job.conf:42\)$' log
	for field in PRIORITY=4 SYSLOG_IDENTIFIER=stagefence STAGEFENCE_STAGE=build STAGEFENCE_CALL=mkdir STAGEFENCE_ANSWER=EPERM \
		STAGEFENCE_PROGRAM=mkdir STAGEFENCE_SCRIPT=-c STAGEFENCE_LINE=1 STAGEFENCE_RULE=job.conf:42 STAGEFENCE_COUNT=1; do
		grep -qxF -- "$field" log || { echo "no $field"; return 1; }
	done
	grep -qE '^MESSAGE=stagefence: build: mkdir\("out", 0777\) -> EPERM' log
}

@test "a job's TZ leads nobody astray" {
	receive log
	mkfifo pipe
	# by env: the shell itself would look there
	within 20 env "TZ=:$PWD/pipe" "$drive" -s "syslog:$PWD/socket" -c mkdirat "$refuse" thread 2>/dev/null
	received
	grep -q 'mkdirat(AT_FDCWD, "thread", 0777)' log
}

@test "GitHub gets annotations, escaped, and no more than it shows" {
	printf ':\nmkdir "$1"\ntrue\n' >'a,b:c%.sh'
	run -0 "$drive" -a github -n 'te,st' bash 'a,b:c%.sh' $'x%\n::error::y'
	[[ $output == *$'\n''::warning file=a%2Cb%3Ac%25.sh,line=2,title=stagefence%3A te%2Cst::mkdir("x%25\n::error::y", 0777) -> EPERM, by mkdir['* ||
		$output == '::warning file=a%2Cb%3Ac%25.sh,line=2,title=stagefence%3A te%2Cst::mkdir("x%25\n::error::y", 0777) -> EPERM, by mkdir['* ]]
	[ "$(grep -c ^::error <<<"$output")" = 0 ]
	for ((i = 0; i < 20; i++)); do echo 'mkdir out 2>/dev/null'; done >many.sh
	run -0 "$drive" -a github bash -c '. ./many.sh; true'
	[ "$(grep -c ^::warning <<<"$output")" = 10 ]
	[ "$(places <<<"$output" | wc -l)" = 20 ]
	run -0 "$drive" bash -c '. ./many.sh; true'
	[ "$(grep -c ^::warning <<<"$output")" = 0 ]
}

@test "GitLab gets the summary as a section that folds" {
	run -0 "$drive" -a gitlab bash -c 'for i in 1 2 3; do mkdir out; done 2>/dev/null; true'
	[[ $output == *$'section_start:'[0-9]*$':stagefence_refusals[collapsed=true]\r\033[0K'*'mkdir -> EPERM'*': 3 times'*$'section_end:'[0-9]*$':stagefence_refusals\r\033[0K'* ]]
}

@test "a place that cannot be written to is an error that names it" {
	ln -s target link
	mkdir folder
	for bad in relative fd:77 fd:x json: json:stdin syslog:/no/such journal:/no/such /no/such/file "$PWD/link" "$PWD/folder" fd:0 ''; do
		run -125 "$drive" -s "$bad" true </dev/null
		one_line "$output"
		[[ $output == *"report \"$bad\": "* ]]
	done
	[ ! -e target ]
}

@test "a log that is full, closed or never read loses lines, not calls" {
	printf 'for i in {1..40}; do\n\tmkdir out$i 2>/dev/null\ndone\n. ./many.sh\necho end\n' >job.sh
	for ((i = 0; i < 150; i++)); do echo 'mkdir more 2>/dev/null'; done >many.sh
	run -0 within 60 "$drive" -s /dev/full bash job.sh
	[ "$output" = end ]
	# nobody reads at all
	mkfifo pipe
	exec 6<>pipe
	for ((i = 0; i < 17; i++)); do head -c 4096 /dev/zero >&6 3>&- & done
	sleep 0.3
	SECONDS=0
	run -0 within 60 "$drive" -s "$PWD/pipe" bash job.sh
	[ "$output" = end ]
	run -0 within 60 "$drive" -s fd:6 bash job.sh
	[ "$output" = end ]
	[ "$SECONDS" -lt 30 ]
	exec 6>&-
	jobs -p | xargs -r kill 2>/dev/null || true
	# the reader has gone
	{ within 60 "$drive" bash job.sh 2>&1 >out; echo "$?" >code; } | head -c 1 >/dev/null
	[ "$(cat code) $(cat out)" = "0 end" ]
	[ -z "$(ls -d out[0-9]* more 2>/dev/null)" ]
}

@test "a limit on the size of files ends no supervisor" {
	for ((i = 0; i < 40; i++)); do echo 'mkdir more 2>/dev/null'; done >many.sh
	(
		ulimit -f 1
		within 60 "$drive" -s "$PWD/log" bash -c '. ./many.sh; true'
	)
	[ "$(stat -c %s log)" -le 1024 ]
	[ -s log ]
	[ ! -e more ]
}

@test "the job's own descriptors stay as they were" {
	cat >flags.c <<'END'
#include <fcntl.h>
int main(void) { return (fcntl(2, F_GETFL) & O_NONBLOCK) != 0; }
END
	${CC:-cc} -o flags flags.c
	{ "$drive" bash -c 'mkdir out; ./flags; echo "status $?"' 2>&1; } | cat >log
	grep -qx 'status 0' log
	grep -q 'mkdir("out", 0777)' log
}
