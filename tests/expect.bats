#!/usr/bin/env bats
# What a policy expects of itself, in its expect lists, and stagefencectl test, which tries it.

setup() {
	load lib
}

# expects NAME 'KEYS...' 'EXPECTATIONS...': a policy with one stage s of these keys
expects() {
	policy "$1" "{ name = \"s\"; $2 expect = ( $3 ); }"
}

teardown() {
	[ ! -e pid ] || kill "$(cat pid)" 2>/dev/null || true
}

# Nothing of a trial is left: no folder, and no process that was begun in one.
nothing_left() {
	[ -z "$(find "$BATS_TEST_TMPDIR" -name 'stagefence-test.*')" ]
	local cwd
	for cwd in /proc/[0-9]*/cwd; do
		[[ $(readlink "$cwd") != "$BATS_TEST_TMPDIR"/stagefence-test.* ]] || return 1
	done
}

# report FILE: well-formed XML 1.0 in UTF-8, without control characters, whose numbers of cases are right
report() {
	iconv -f UTF-8 -t UTF-8 "$1" >/dev/null
	[ -z "$(LC_ALL=C tr -d '\n\t\40-\176\200-\377' <"$1")" ]
	if command -v xmllint >/dev/null; then
		xmllint --noout "$1"
	fi
	# every tag is closed by its like, and nothing else begins one
	awk '
		{ text = text $0 "\n" }
		END {
			sub(/^<\?xml version="1.0" encoding="UTF-8"\?>\n/, "", text)
			while (match(text, /<[^>]*>/)) {
				tag = substr(text, RSTART + 1, RLENGTH - 2)
				before = substr(text, 1, RSTART - 1)
				text = substr(text, RSTART + RLENGTH)
				gsub(/&(amp|lt|gt|quot|#10|#9);/, "", before)
				gsub(/&(amp|lt|gt|quot|#10|#9);/, "", tag)
				if (before tag ~ /&/ || tag ~ /</)
					exit 1
				name = tag
				sub(/[ \/].*/, "", name)
				if (tag ~ /^\//) {
					if (depth == 0 || open[depth--] != substr(tag, 2))
						exit 1
				} else if (tag !~ /\/$/)
					open[++depth] = name
				count[name]++
				if (name == "testsuites")
					all = tag
			}
			if (depth != 0 || count["testsuites"] != 1)
				exit 1
			if (all !~ "tests=\"" count["testcase"] + 0 "\" failures=\"" count["failure"] + 0 "\" errors=\"0\"")
				exit 1
		}' "$1"
}

@test "expectations that hold: TAP, and exit 0" {
	expects p 'block_calls = [ "mkdir", "mkdirat" ]; block_action = "errno";' \
		'{ call = "mkdir"; gives = "EPERM"; },
		{ run = "mkdir x"; status = 1; output = "*: Operation not permitted"; },
		{ run = "echo one; echo two >&2"; }'
	run -0 stagefencectl test -c p.conf
	[ "$output" = '1..3
ok 1 - s: mkdir gives EPERM (p.conf:3)
ok 2 - s: run "mkdir x" ends with status 1 (p.conf:4)
ok 3 - s: run "echo one; echo two >&2" ends with status 0 (p.conf:5)' ]
	nothing_left
}

@test "an expectation that does not hold: not ok, which rule decided, and exit 1" {
	expects p 'block_calls = [ "mkdir" ]; block_action = "errno";' \
		'{ call = "mkdir"; gives = "EACCES"; comment = "as site # 1 wants"; },
		{ call = "rmdir"; gives = "kill_process"; },
		{ call = "dup"; gives = "allow"; }'
	run -1 stagefencectl test -c p.conf
	[ "$output" = '1..3
not ok 1 - s: mkdir gives EACCES (p.conf:3)
# it gives EPERM, by p.conf:3
# comment: as site # 1 wants
not ok 2 - s: rmdir gives kill_process (p.conf:4)
# it gives allow, by no rule
ok 3 - s: dup gives allow (p.conf:5)' ]
}

@test "a change of the policy that breaks an expectation is found" {
	expects p 'rules = (
		{ calls = [ "mkdir", "mkdirat" ]; action = "errno"; exact = true; },
		{ calls = "ioctl"; action = "errno"; args = ( { arg = 1; op = "=="; value = "TIOCSTI"; } ); },
		{ calls = "socket"; action = "errno"; },
		{ calls = "socket"; action = "allow"; args = ( { arg = 0; op = "=="; value = "AF_UNIX"; } ); } );' \
		'{ call = "mkdir"; gives = "EPERM"; }, { run = "mkdir x"; status = 1; },
		{ call = "ioctl"; args = [ "0", "TIOCSTI" ]; gives = "EPERM"; },
		{ call = "ioctl"; args = [ "0", "0x100005412" ]; gives = "EPERM"; },
		{ call = "ioctl"; args = [ "0", "TCGETS" ]; gives = "allow"; },
		{ call = "socket"; args = [ "AF_INET" ]; gives = "EPERM"; },
		{ call = "socket"; args = [ "AF_UNIX" ]; gives = "allow"; }'
	stagefencectl test -c p.conf
	local change failed
	while IFS='|' read -r change failed; do
		sed -E "$change" p.conf >q.conf
		run -1 cmp -s p.conf q.conf
		stagefencectl check -c q.conf
		run -1 stagefencectl test -c q.conf
		[ "$(grep -oE '^not ok [0-9]+' <<<"$output" | grep -oE '[0-9]+' | xargs)" = "$failed" ]
	done <<'END'
s/"mkdir", "mkdirat" ]/"mkdirat" ]/|1 2
s/TIOCSTI"; } \)/TIOCLINUX"; } )/|3 4
s/"=="; value = "TIOCSTI"/"!="; value = "TIOCSTI"/|3 4 5
s/calls = "ioctl"; action = "errno"/calls = "ioctl"; action = "errno"; errno = "EACCES"/|3 4
s/calls = "socket"; action = "errno"/calls = "socket"; action = "kill_process"/|6
s/value = "AF_UNIX"/value = "AF_INET"/|6 7
s/name = "s";/name = "s"; disabled = true;/|1 2 3 4 6
END
}

@test "a call without args must have one answer whatever its arguments; else the condition is named" {
	expects p 'rules = (
		{ calls = "ioctl"; action = "errno"; args = ( { arg = 1; op = "=="; value = "TIOCSTI"; } ); },
		{ calls = "dup"; action = "errno"; args = ( { arg = 0; op = ">"; value = "5"; } ); },
		{ calls = "dup"; action = "errno"; args = ( { arg = 0; op = "<="; value = "5"; } ); } );' \
		'{ call = "ioctl"; gives = "allow"; }, { call = "ioctl"; gives = "EPERM"; },
		{ call = "ioctl"; args = [ "0" ]; gives = "allow"; }'
	run -1 stagefencectl test -c p.conf
	[[ "${lines[1]}" == "not ok 1 "* ]]
	[ "${lines[2]}" = "# it gives EPERM where arg 1 == TIOCSTI, by p.conf:4" ]
	[[ "${lines[3]}" == "not ok 2 "* ]]
	[ "${lines[4]}" = "# it gives allow otherwise, by no rule" ]
	[[ "${lines[5]}" == "ok 3 - s: ioctl(0) gives allow "* ]]
}

@test "the floor counts" {
	printf 'version = 1;
floor = "f";
profiles = ( { name = "f"; rules = (
	{ calls = "ioctl"; action = "errno"; args = ( { arg = 1; op = "=="; value = "TIOCSTI"; } ); },
	{ calls = "mkdir"; action = "errno"; errno = "EROFS"; } ); } );
stages = ( { name = "s"; rules = (
	{ calls = "ioctl"; action = "trap"; },
	{ calls = "ioctl"; action = "kill_process"; args = ( { arg = 1; op = "=="; value = "TIOCLINUX"; } ); } );
	expect = ( { call = "mkdir"; gives = "EROFS"; },
		{ call = "ioctl"; args = [ "0", "TIOCLINUX" ]; gives = "kill_process"; },
		{ call = "ioctl"; args = [ "0", "TIOCSTI" ]; gives = "trap"; },
		{ call = "ioctl"; gives = "trap"; } ); } );' >p.conf
	run -1 stagefencectl test -c p.conf
	[ "$(grep -c '^ok ' <<<"$output")" = 3 ]
	[ "${lines[-1]}" = "# it gives kill_process where arg 1 == TIOCLINUX, by p.conf:8" ]
}

@test "a rule that no call can get to breaks no expectation" {
	expects p 'rules = (
		{ calls = "dup"; action = "trap"; },
		{ calls = "dup"; action = "trap"; args = ( { arg = 0; op = "=="; value = 1; } ); },
		{ calls = "dup"; action = "errno"; args = ( { arg = 0; op = "=="; value = 1; } ); },
		{ calls = "dup2"; action = "errno"; },
		{ calls = "dup2"; action = "trap";
		  args = ( { arg = 0; op = "=="; value = 1; }, { arg = 0; op = "=="; value = 2; } ); } );' \
		'{ call = "dup"; gives = "trap"; }, { call = "dup2"; gives = "EPERM"; }'
	run -0 stagefencectl test -c p.conf
}

@test "every action can be expected, and the caller's own id" {
	expects p 'limit_setuid = true; listener = "/nobody.sock"; rules = (
		{ calls = "dup"; action = "allow"; }, { calls = "dup2"; action = "log"; },
		{ calls = "dup3"; action = "trap"; }, { calls = "sync"; action = "trace"; },
		{ calls = "pause"; action = "notify"; }, { calls = "mlock"; action = "kill_thread"; },
		{ calls = "munlock"; action = "kill_process"; }, { calls = "fsync"; action = "errno"; errno = 2000; } );' \
		"{ call = \"dup\"; gives = \"allow\"; }, { call = \"dup2\"; gives = \"log\"; },
		{ call = \"dup3\"; gives = \"trap\"; }, { call = \"sync\"; gives = \"trace\"; },
		{ call = \"pause\"; gives = \"notify\"; }, { call = \"mlock\"; gives = \"kill_thread\"; },
		{ call = \"munlock\"; gives = \"kill_process\"; }, { call = \"fsync\"; gives = 2000; },
		{ call = \"fsync\"; gives = \"errno 2000\"; },
		{ call = \"setuid\"; args = [ \"\$uid\" ]; gives = \"allow\"; },
		{ call = \"setuid\"; args = [ \"$(id -u)\" ]; gives = \"allow\"; },
		{ call = \"setuid\"; args = [ \"4711\" ]; gives = \"EPERM\"; },
		{ call = \"setgid\"; args = [ \"\$gid\" ]; gives = \"allow\"; }"
	run -0 stagefencectl test -c p.conf
	[ "$(grep -c '^ok ' <<<"$output")" = 13 ]
}

@test "a call that this architecture does not have is skipped" {
	needs x86_64
	expects p '' '{ call = "socketcall"; gives = "EPERM"; }'
	run -0 stagefencectl test -c p.conf --junit r.xml
	[ "${lines[1]}" = "ok 1 - s: socketcall gives EPERM (p.conf:3) # SKIP no socketcall on x86_64" ]
	report r.xml
	grep -q '<skipped message="no socketcall on x86_64">' r.xml
}

@test "-s tries one stage; an unknown one is a mistake" {
	policy p '{ name = "a"; expect = ( { call = "mkdir"; gives = "allow"; } ); },
		{ name = "b"; expect = ( { call = "mkdir"; gives = "EPERM"; }, { run = "true"; } ); }, { name = "c"; }'
	run -1 stagefencectl test -c p.conf
	[ "${lines[0]}" = 1..3 ]
	run -0 stagefencectl test -c p.conf -s a
	[ "$output" = $'1..1\nok 1 - a: mkdir gives allow (p.conf:3)' ]
	run -1 stagefencectl test -c p.conf -s b
	[ "${lines[0]}" = 1..2 ]
	run -1 --separate-stderr stagefencectl test -c p.conf -s nope
	[ -z "$output" ]
	[ "$stderr" = "stagefencectl: p.conf: there is no stage nope" ]
	run -0 --separate-stderr stagefencectl test -c p.conf -s c
	[ "$output" = "1..0 # SKIP no expectations" ]
	[[ "$stderr" == "stagefencectl: p.conf: note: nothing is expected of stage c: "* ]]
}

@test "without expectations: an empty plan, a note, and exit 0" {
	policy p '{ name = "a"; }'
	run -0 --separate-stderr stagefencectl test -c p.conf --junit r.xml
	[ "$output" = "1..0 # SKIP no expectations" ]
	one_line "$stderr"
	report r.xml
}

@test "a policy that is wrong is said to be, and nothing is tried" {
	expects p 'block_calls = "mkdri";' '{ run = "touch ran"; }'
	run -1 --separate-stderr stagefencectl test -c p.conf --junit r.xml
	[ -z "$output" ]
	[ ! -e r.xml ]
	[ "$stderr" = "stagefencectl: p.conf:3: unknown system call mkdri" ]
}

@test "wrong usage is exit 2" {
	expects p '' '{ run = "true"; }'
	run -2 stagefencectl test -c p.conf more
	run -2 stagefencectl test -c p.conf --junit
	run -2 stagefencectl test -o x -c p.conf
}

@test "a command ends as a shell would tell: a status, or 128 and the signal" {
	expects p 'block_calls = [ "mkdir", "mkdirat" ];' \
		'{ run = "exit 255"; status = 255; },
		{ run = "mkdir x"; signal = "SIGSYS"; }, { run = "mkdir x"; status = 159; },
		{ run = "mkdir x; exit $?"; signal = "SIGSYS"; }, { run = "mkdir x; true"; },
		{ run = "kill -9 $$"; signal = 9; }, { run = "no-such-command"; status = 127; },
		{ run = "mkdir x"; },
		{ run = "kill -TERM $$"; signal = "SIGKILL"; }'
	run -1 stagefencectl test -c p.conf
	[ "$(grep -c '^ok ' <<<"$output")" = 7 ]
	[[ "$output" == *'not ok 8 - s: run "mkdir x" ends with status 0 (p.conf:7)
# it ended with status 159 (SIGSYS)'* ]]
	[[ "$output" == *'not ok 9 - s: run "kill -TERM $$" ends with status 137 (SIGKILL) (p.conf:8)
# it ended with status 143 (SIGTERM)'* ]]
}

@test "each command has an empty private folder of its own, a bare environment, no terminal and no input" {
	expects p '' '{ run = "ls -A; touch file; mkdir -p a/b; ln -s /etc link; chmod 0 a"; output = ""; },
		{ run = "ls -A"; output = ""; },
		{ run = "stat -c %a ."; output = "700"; },
		{ run = "test \"$PWD\" = \"$HOME\" && test \"$PWD\" = \"$TMPDIR\" && test \"$(pwd -P)\" = \"$PWD\""; },
		{ run = "cat"; output = ""; },
		{ run = "echo \"$SECRET$STAGEFENCE_STAGE\"; echo $LC_ALL; umask"; output = "\nC\n0022"; },
		{ run = "(: </dev/tty) || exit 3"; status = 3; }'
	SECRET=1 STAGEFENCE_STAGE=x run -0 stagefencectl test -c p.conf
	nothing_left
}

@test "a command that takes too long is killed, with all that it started" {
	expects p '' '{ run = "echo begun; sleep 100 & setsid sleep 100 & sleep 100"; timeout = 1; }'
	run -1 within 20 stagefencectl test -c p.conf --junit r.xml
	[ "${lines[2]}" = "# it was still running after 1 s, and was killed" ]
	[ "${lines[-1]}" = "#   | begun" ]
	nothing_left
	report r.xml
	grep -qE '<testcase [^>]* time="1\.[0-9]{3}">' r.xml
}

@test "what a command leaves behind does not delay the next, and does not stay" {
	expects p '' '{ run = "sleep 100 & setsid sleep 100 & echo done"; output = "done"; },
		{ run = "exec >&- 2>&-; sleep 0.2; exit 7"; status = 7; }'
	within 5 stagefencectl test -c p.conf
	nothing_left
}

@test "a child of whoever executed stagefencectl is none of a trial's" {
	expects p '' '{ run = "true"; }'
	cat >run.sh <<'END'
sleep 100 &
echo $! >pid
exec stagefencectl test -c p.conf
END
	within 20 sh run.sh
	kill "$(cat pid)"
	rm pid
}

@test "a signal ends it, and the command, and nothing is left" {
	expects p '' '{ run = "touch begun; sleep 100"; timeout = 60; }, { run = "true"; }'
	for signal in TERM INT HUP; do
		perl -e '@SIG{qw(TERM INT HUP)} = ("DEFAULT") x 3; exec @ARGV' stagefencectl test -c p.conf >out 3>&- &
		local pid=$!
		begun() { find . -name begun | grep -q .; }
		soon begun
		kill -$signal $pid
		local status=0
		wait $pid || status=$?
		[ $status = $((128 + $(kill -l $signal))) ]
		nothing_left
	done
}

@test "much output: the first of it is kept, and all of it is read" {
	expects p '' '{ run = "head -c 3000000 /dev/zero | tr \"\\\\0\" x; echo end"; output = "xxx*end"; },
		{ run = "yes line | head -n 100000"; output = "line\nline\n*"; },
		{ run = "yes line | head -n 1000"; status = 1; }'
	run -1 within 20 stagefencectl test -c p.conf
	[[ "${lines[1]}" == "not ok 1 "* ]]
	[ "${#lines[4]}" -lt 5000 ]
	[ "${lines[5]}" = "#   | ..." ]
	[[ "${lines[6]}" == "ok 2 "* ]]
	[ "${lines[-1]}" = "#   | ..." ]
	[ "${#lines[@]}" -lt 60 ]
}

@test "control characters, XML and TAP specials and broken UTF-8 stay where they are" {
	cat >p.conf <<'END'
version = 1;
stages = ( { name = "<s> & \"t\" # 1"; expect = (
	{ run = "printf '\\033[31m<&>\"\\t\\303\\244\\377\\0\\302\\233]]>\\r\\nnot ok 9\\n'"; status = 1; },
	{ run = "true # SKIP \\ this"; comment = "a\x1b[1mb\nc"; status = 1; },
	{ run = "true\n# TODO\x07 \xff"; } ); } );
END
	mv p.conf $'p\x01\xff<.conf'
	run -1 stagefencectl test -c $'p\x01\xff<.conf' --junit r.xml
	[ "${lines[0]}" = 1..3 ]
	# no line but those of the tests begins with ok or not ok, and no description has a directive
	[ "$(grep -cE '^(not )?ok' <<<"$output")" = 3 ]
	[ -z "$(grep -E '[^\\]# (SKIP|TODO)' <<<"$output")" ]
	[ -z "$(tr -d '\n\t\40-\176\200-\377' <<<"$output")" ]
	iconv -f UTF-8 -t UTF-8 <<<"$output" >/dev/null
	[ "${lines[4]}" = $'#   | ?[31m<&>"\tä??]]>?' ]
	[ "${lines[5]}" = "#   | not ok 9" ]
	report r.xml
	grep -q 'testsuite name="&lt;s&gt; &amp; &quot;t&quot; # 1"' r.xml
}

@test "the report is written whole or not at all, and never over something that is no file" {
	expects p '' '{ call = "mkdir"; gives = "allow"; }'
	echo old >r.xml
	stagefencectl test -c p.conf --junit r.xml
	report r.xml
	[ "$(find . -name 'r.xml*')" = ./r.xml ]
	run -1 stagefencectl test -c p.conf --junit no/such/r.xml
	[[ "${lines[-1]}" == "stagefencectl: no/such/r.xml"*": No such file or directory" ]]
	mkfifo pipe
	for file in pipe .; do
		run -1 within 20 stagefencectl test -c p.conf --junit $file
		[ "${lines[-1]}" = "stagefencectl: $file: is there already, and no regular file" ]
	done
	[ -p pipe ]
}

@test "expectations change no digest and no program" {
	expects p 'block_calls = "mkdir";' '{ call = "mkdir"; gives = "kill_process"; }'
	policy q '{ name = "s"; block_calls = "mkdir"; }'
	stagefencectl compile -c p.conf -o p.sfi
	stagefencectl compile -c q.conf -o q.sfi
	# the digest of the policy: 32 bytes behind magic, format, arch, size and the head's sum
	cmp <(dd if=p.sfi bs=1 skip=24 count=32 status=none) <(dd if=q.sfi bs=1 skip=24 count=32 status=none)
}

@test "a fence that cannot be raised meets no expectation" {
	expects p '' '{ run = "exit 125"; status = 125; }'
	stagefencectl test -c p.conf
	mkdir open
	chmod 777 open
	TMPDIR=$PWD/open run -1 stagefencectl test -c p.conf
	[ "${lines[2]}" = "# stagefence itself failed, and the command did not run" ]
	[[ "${lines[4]}" == "#   | stagefence: "*"open can be written by others"* ]]
	[ -z "$(ls open)" ]
	TMPDIR=/no/such/folder run -1 --separate-stderr stagefencectl test -c p.conf
	[[ "$output" == *$'\nBail out! '* ]]
	one_line "$stderr"
}
