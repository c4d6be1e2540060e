#!/usr/bin/env bats
# stagefencectl audit: the kernel's records of refused calls, from logs of every make and from the kernel itself.

setup() {
	load lib
	export TZ=UTC
	head='type=SECCOMP msg=audit(1655245879.115:261): auid=2001162 uid=1000 gid=1000 ses=3'
	tail='arch=c000003e syscall=83 compat=0 ip=0x7f008c6dcf37 code=0x80000000'
	policy p '{ name = "build"; block_calls = "mkdir"; block_action = "errno"; log_blocked = true; },
		{ name = "test"; rules = ( { calls = "mkdir"; action = "kill_process"; },
			{ calls = "ioctl"; action = "kill_process"; args = ( { arg = 1; op = "=="; value = "TIOCSTI"; } ); } ); },
		{ name = "quiet"; block_calls = "mkdir"; block_action = "errno"; }'
}

# bare ARG...: audit as where there is no policy. On a machine that has one, with one that gives no answer, and without what
# is said of that.
bare() {
	[ -r /etc/stagefence/stagefence.conf ] || {
		stagefencectl audit "$@"
		return
	}
	local status=0
	policy none '{ name = "none"; }'
	stagefencectl audit -c none.conf "$@" >bare || status=$?
	sed 's/ (no stage of the policy gives that answer)$//' bare
	return $status
}

# first LINE...: the first line that audit makes of these; native or not, they are x86_64's
first() {
	printf '%s\n' "$@" >log
	bare --arch x86_64 log | head -n 1
}

# abi: what stands behind a call of x86_64 elsewhere
abi() {
	[ "$(uname -m)" = x86_64 ] || echo " (x86_64)"
}

@test "a record without arch and code, as Red Hat's kernels before 8 wrote them, becomes a sentence" {
	cat >log <<-'END'
		$ sudo ausearch -p 12345 -m SECCOMP
		----
		time->Tue Jun 14 18:31:19 2022
		type=SECCOMP msg=audit(1655245879.115:261): auid=2001162 uid=1000 gid=1000 ses=3 pid=12345 comm="mkdir" exe="/usr/bin/mkdir" sig=31 syscall=83
	END
	run -1 bare --arch x86_64 log
	[ "${lines[0]}" = "stagefence: ?: mkdir$(abi) -> killed, by mkdir[12345], uid 1000, 2022-06-14T22:31:19+0000" ]
	[ "${lines[1]}" = "stagefence: 1 refused, 0 logged, in 4 lines" ]
	[ "${#lines[@]}" = 2 ]
	TZ=EST5EDT run -1 bare --arch x86_64 - <log
	[ "${lines[0]}" = "stagefence: ?: mkdir$(abi) -> killed, by mkdir[12345], uid 1000, 2022-06-14T18:31:19-0400" ]
}

@test "the same record is known in auditd's, ausearch's, dmesg's, the journal's and /dev/kmsg's dress" {
	local fields="auid=2001162 uid=1000 gid=1000 ses=3 pid=12345 comm=\"mkdir\" exe=\"/usr/bin/mkdir\" sig=31 $tail"
	local want
	want="stagefence: ?: mkdir$(abi) -> kill_process, by mkdir[12345], uid 1000"
	local stamp='audit(1655245879.115:261)' line
	for line in "type=SECCOMP msg=$stamp: $fields" "node=web type=SECCOMP msg=$stamp: $fields" \
		"type=1326 msg=$stamp: $fields" "type=UNKNOWN[1326] msg=$stamp: $fields" \
		"type=SECCOMP msg=$stamp: ${fields/ses=3/ses=3 subj==job.d (enforce)}" \
		"type=SECCOMP msg=$stamp: $fields"$'\x1d''AUID="job" UID="job" GID="job" ARCH=x86_64 SYSCALL=mkdir' \
		"type=SECCOMP msg=$stamp: $fields"'AUID="job" UID="job" GID="job" ARCH=x86_64 SYSCALL=mkdir' \
		"[  12.345678] audit: type=1326 $stamp: $fields" "[  12.345678] audit: type=1326 $stamp: $fields"$'\r' \
		"Jun 14 18:31:19 web kernel: audit: type=1326 $stamp: $fields" \
		"5,2550,9449956859,-;audit: type=1326 $stamp: $fields"; do
		run -0 first "$line"
		[ "$output" = "$want, 2022-06-14T22:31:19+0000" ] || { echo "$line: $output"; return 1; }
	done
	# the journal's own line has its time in front, in words of its own
	run -0 first "Jun 14 18:31:19 web audit[12345]: SECCOMP $fields"
	[ "$output" = "$want" ]
	run -0 first "type=SECCOMP msg=audit(06/14/2022 18:31:19.115:261) : auid=job uid=job gid=job ses=3 pid=12345 comm=mkdir exe=/usr/bin/mkdir sig=SIGSYS arch=x86_64 syscall=mkdir compat=0 ip=0x7f008c6dcf37 code=kill-process"
	[ "$output" = "${want%, uid 1000}, \"06/14/2022 18:31:19.115\"" ]
}

@test "what is no such record passes by, whoever quotes one" {
	run -0 stagefencectl audit - <<-END
		type=SYSCALL msg=audit(1655245879.115:261): arch=c000003e syscall=83 success=no comm="type=SECCOMP"
		type=1326 of the records is what we look for
		Jun 14 web job[1]: xtype=SECCOMP msg=audit(1.1:1): pid=1 comm="a" sig=31 syscall=83
		type=13260 audit(1.1:1): pid=1 comm="a" sig=31 syscall=83
	END
	[ "$output" = "stagefence: 0 refused, 0 logged, in 4 lines" ]
	run -0 stagefencectl audit - </dev/null
	[ "$output" = "stagefence: 0 refused, 0 logged, in 0 lines" ]
}

@test "each code has its word, and what was only logged is no refusal" {
	local code
	while read -r code word; do
		run -0 first "$head pid=1 comm=\"a\" exe=\"/a\" sig=0 ${tail% code=*} code=$code"
		[[ $output == *"mkdir$(abi) -> $word, by a[1], "* ]] || { echo "$code: $output"; return 1; }
	done <<-'END'
		0x0 kill_thread
		0x80000000 kill_process
		0x30000 trap
		0x50000 errno
		0x7fc00000 notify
		0x7ff00000 trace
		0x7ffc0000 log
		0x12340000 0x12340000
		kill_process kill_process
		user-notif notify
	END
	run -0 stagefencectl audit - <<<"$head pid=1 comm=\"a\" exe=\"/a\" sig=0 ${tail% code=*} code=0x7ffc0000"
	[ "${lines[1]}" = "stagefence: 0 refused, 1 logged, in 1 line" ]
	run -1 stagefencectl audit - <<<"$head pid=1 comm=\"a\" exe=\"/a\" sig=0 ${tail% code=*} code=0x50000"
	[ "${lines[1]}" = "stagefence: 1 refused, 0 logged, in 1 line" ]
}

@test "a call is named by the record's own architecture" {
	local arch nr want
	while read -r arch nr want; do
		run -0 first "$head pid=1 comm=\"a\" exe=\"/a\" sig=31 arch=$arch syscall=$nr compat=1 code=0x0"
		[[ $output == "stagefence: ?: $want -> kill_thread, by"* ]] || { echo "$arch $nr: $output"; return 1; }
	done < <(sed "s/ (x86_64)/$(abi)/" <<-'END'
		c000003e 39 getpid (x86_64)
		40000003 39 mkdir (i386)
		c000003e 1073741907 mkdir (x32)
		c000003e 1999 syscall 1999 (x86_64)
		c000003e -1 syscall -1 (x86_64)
		c0000015 39 mkdir (ppc64le)
		80000015 39 syscall 39 (architecture 0x80000015)
	END
	)
	run -0 bare --arch i386 - <<<'type=1326 audit(1.1:1): pid=1 comm="a" sig=0 syscall=39 code=0x7ffc0000'
	[ "${lines[0]}" = "stagefence: ?: mkdir (i386) -> log, by a[1], 1970-01-01T00:00:01+0000" ]
	run -2 stagefencectl audit --arch vax -
}

@test "names in hexadecimal are read, and no name can pass for our own words" {
	run -0 first "$head pid=7 comm=612062 exe=2F746D702F612062 sig=31 $tail"
	[[ $output == *', by "a b"[7], uid 1000,'* ]]
	# as ausearch -i prints a name that only looks like one
	local dated=${head/1655245879.115/06/14/2022 18:31:19.115}
	run -0 first "$dated pid=7 comm=CAFE exe=/bin/CAFE sig=31 $tail"
	[[ $output == *', by CAFE[7], uid 1000,'* ]]
	run -0 first "$head pid=7 comm=CAFE exe=2FCAFE sig=31 $tail"
	[[ $output == *', by "\xca\xfe"[7], uid 1000,'* ]]
	run -0 first "$head pid=7 comm=\"job.sh\" exe=\"/usr/bin/bash\" sig=31 $tail"
	[[ $output == *', by job.sh[7], /usr/bin/bash, uid 1000,'* ]]
	# ESC ] 0 ; x BEL, a newline, C1, a NUL and bytes that are no UTF-8
	run -0 first "$head pid=7 comm=1B5D303B78070A00 exe=2FC29B41FF80 sig=31 $tail"
	[[ $output == *'"\x1b]0;x\x07\x0a?"[7], "/\xc2\x9bA\xff\x80", uid 1000,'* ]]
	run -0 first "$head pid=7 comm=785B315D2C207569642030 exe=\"/a\" sig=31 $tail"
	[[ $output == *', by "x[1], uid 0"[7], /a, uid 1000,'* ]]
	# bare, as ausearch -i prints it: a name that says it were fields
	run -0 first "$dated pid=7 comm=x pid=1 uid=0 exe=/a code=log sig=0 sig=SIGSYS ${tail/0x80000000/kill_process}"
	[[ $output == *'-> kill_process, by "x pid=1 uid=0"[7], "/a code=log sig=0", uid 1000,'* ]]
}

@test "a record that is cut, wrong or too large for its numbers is counted and harms nothing" {
	local record="$head pid=1 comm=\"a\" exe=\"/a\" sig=31 $tail" n
	for ((n = 0; n <= ${#record}; n++)); do
		printf '%s\n' "${record:0:n}"
	done >log
	run -1 stagefencectl audit log
	[[ ${lines[-1]} =~ ^'stagefence: '[0-9]+' refused, 0 logged, '[0-9]+' that cannot be read, in '$((${#record} + 1))' lines'$ ]]
	run -1 stagefencectl audit - <<-END
		${record/syscall=83/syscall=99999999999999999999999}
		${record/syscall=83/syscall=4294967296}
		${record/syscall=83/syscall=-2147483649}
		${record/syscall=83/syscall=}
		${record/arch=c000003e/arch=1c000003e}
		${record/code=0x80000000/code=0x180000000}
		${record/code=0x80000000/code=0xx}
	END
	[ "$output" = "stagefence: 0 refused, 0 logged, 7 that cannot be read, in 7 lines" ]
	# what does not say which call it was is told without
	run -0 first "${record/pid=1 /pid=99999999999999999999999 }"
	[[ $output == *"-> kill_process, by a, uid 1000,"* ]]
	run -0 first "${record/1655245879/99999999999999999999}"
	[[ $output == *"uid 1000, 99999999999999999999.115" ]]
}

@test "a line of megabytes and NULs in it take no memory and hide no other line" {
	record="$head pid=1 comm=\"a\" exe=\"/a\" sig=31 $tail"
	{
		head -c 40000000 /dev/zero | tr '\0' x
		printf '\n%s\n\0\0%s\n' "$record" "$record"
		head -c 3000000 /dev/zero
		printf '\n%s' "$record"
	} >log
	(
		# AddressSanitizer's shadow is larger
		[ -n "${SANITIZE-}" ] || ulimit -v 100000
		stagefencectl audit log >said || [ $? = 1 ]
	)
	[ "$(grep -c 'by a\[1\], uid 1000' said)" = 2 ]
	[ "$(tail -n 1 said)" = "stagefence: 2 refused, 0 logged, in 5 lines" ]
}

@test "random bytes come out as printable lines" {
	local record="$head pid=1 comm=\"a\" exe=\"/a\" sig=31 $tail"
	for seed in 1 2 3 4 5 6 7 8; do
		awk -v seed="$seed" -v record="$record" 'BEGIN {
			srand(seed)
			for (n = 0; n < 500; n++) {
				line = record
				for (k = 0; k < 3; k++) {
					at = int(rand() * length(line))
					line = substr(line, 1, at) sprintf("%c", 1 + int(rand() * 255)) substr(line, at + 2)
				}
				print line
			}
		}'
	done >log
	stagefencectl audit log >said || [ $? = 1 ]
	[ "$(wc -l <said)" -gt 1000 ]
	run -1 grep -qnP '[^ -~]' said
	stagefencectl audit --json log >said.json || [ $? = 1 ]
	[ "$(wc -l <said.json)" = "$(wc -l <said)" ]
	run -1 grep -qnP '[\x00-\x1f\x7f]' said.json
}

@test "with a policy at hand the stages and rules that give that answer are said, and the errno" {
	needs x86_64
	local record="$head pid=1 comm=\"a\" exe=\"/a\" sig=31 $tail"
	said() {
		stagefencectl audit -c p.conf - <<<"$1" | head -n 1 | sed -E 's/by a\[1\], uid 1000, [^ ]*/BY/'
	}
	# of the two stages that refuse it so, only one lets the kernel log it
	[ "$(said "${record/0x80000000/0x50000}")" = "stagefence: build?: mkdir -> EPERM, BY (may be p.conf:3)" ]
	[ "$(said "$record")" = "stagefence: test?: mkdir -> kill_process, BY (may be p.conf:4)" ]
	[ "$(said "${record/syscall=83/syscall=16}")" = "stagefence: test?: ioctl -> kill_process, BY (may be p.conf:5)" ]
	[ "$(said "${record/syscall=83/syscall=39}")" = \
		"stagefence: ?: getpid -> kill_process, BY (no stage of the policy gives that answer)" ]
	# another architecture: every stage kills it, and no rule says so
	[ "$(said "${record/c000003e/40000003}")" = "stagefence: build?, test?, quiet?: symlink (i386) -> kill_process, BY (no rule: another architecture)" ]
	run -1 stagefencectl audit -c missing.conf - <<<"$record"
	[ "$output" = "stagefencectl: missing.conf: No such file or directory" ]
}

@test "--json gives one object a record, whatever its names hold, and one that closes" {
	needs x86_64
	run -1 stagefencectl audit --json -c p.conf - <<<"$head pid=7 comm=22FF0A exe=\"/a\" sig=31 $tail"
	[ "${lines[0]}" = '{"version":1,"type":"refused","time":"2022-06-14T22:31:19+0000","call":"mkdir","number":83,"abi":"x86_64","arch":"0xc000003e","answer":"kill_process","signal":31,"program":"\"\ufffd\u000a","executable":"/a","pid":7,"uid":1000,"stages":["test"],"rules":["p.conf:4"]}' ]
	[ "${lines[1]}" = '{"version":1,"type":"summary","lines":1,"refused":1,"logged":0,"unreadable":0,"lost":0,"gaps":0}' ]
	[ "${#lines[@]}" = 2 ]
}

@test "what the kernel says that it has left out is said" {
	run -0 stagefencectl audit - <<-'END'
		[12125.894871] kauditd_printk_skb: 7 callbacks suppressed
		[12126.894871] audit: audit_lost=2 audit_rate_limit=0 audit_backlog_limit=64
		[12127.894871] audit: audit_lost=5 audit_rate_limit=0 audit_backlog_limit=64
		[12128.894871] kauditd_printk_skb: 99999999999999999999999 callbacks suppressed
	END
	[ "$output" = "stagefence: 0 refused, 0 logged, in 4 lines; the kernel left 12 audit records out" ]
}

@test "a log that cannot be read, and a place that nobody reads, are said" {
	run -1 stagefencectl audit missing.log
	[ "${lines[0]}" = "stagefencectl: missing.log: No such file or directory" ]
	run -1 stagefencectl audit .
	[ "${lines[0]}" = "stagefencectl: .: Is a directory" ]
	run -1 bash -c 'stagefencectl audit - </dev/null >/dev/full'
	[ "$output" = "stagefencectl: standard output: No space left on device" ]
	run -2 stagefencectl audit a b
}

@test "who reads what never ends can be stopped, too" {
	local pid
	stagefencectl audit /dev/zero >said 3>&- &
	pid=$!
	catches() { (($(sed -n 's/^SigCgt:./0x/p' "/proc/$pid/status") & 1 << 14)); }
	soon catches
	kill -TERM "$pid"
	soon [ -s said ] || kill -KILL "$pid"
	[ "$(cat said)" = "stagefence: 0 refused, 0 logged, in 1 line" ]
}

@test "a line that comes in by a pipe is told at once" {
	mkfifo pipe
	stagefencectl audit pipe >said 3>&- &
	local pid=$!
	exec 9<>pipe
	printf '%s\n' "$head pid=1 comm=\"a\" exe=\"/a\" sig=31 $tail" >&9
	soon [ -s said ] || kill -KILL "$pid"
	[ "$(wc -l <said)" = 1 ]
	kill -INT "$pid"
	ended=0
	wait "$pid" || ended=$?
	[ "$ended" = 1 ]
	exec 9>&-
	[ "$(tail -n 1 said)" = "stagefence: 1 refused, 0 logged, in 1 line" ]
}

# live COMMAND...: starts audit without a file in the background as $pid, its lines in said, and waits until it listens:
# until a call that it logs is told
live() {
	: >said
	"$@" >said 2>errors 3>&- &
	pid=$!
	for ((n = 0; n < 100 && $(wc -l <said) == 0; n++)); do
		stagefence -c live.conf -s live "$helpers/try" uname >/dev/null
		sleep 0.1
	done
	[ "$(wc -l <said)" -gt 0 ]
}

@test "live: what a fence kills, refuses and logs is told by the kernel, and SIGINT ends it" {
	needs root
	policy live '{ name = "live"; rules = ( { calls = "mkdir"; action = "kill_process"; },
		{ calls = "uname"; action = "log"; } ); },
		{ name = "told"; log_blocked = true; rules = ( { calls = "mkdir"; action = "errno"; errno = "EROFS"; } ); }'
	live stagefencectl audit -c live.conf
	[ "$(cat errors)" = "" ] || skip "the kernel's audit records are not to be had: $(cat errors)"
	stagefence -c live.conf -s live "$helpers/try" mkdir 2>/dev/null || [ $? = 159 ]
	stagefence -c live.conf -s told "$helpers/try" mkdir | grep -q 'mkdir another errno'
	soon grep -q EROFS said || kill -KILL "$pid"
	kill -INT "$pid"
	ended=0
	wait "$pid" || ended=$?
	[ "$ended" = 1 ]
	grep -qE '^stagefence: live\?: uname -> log, by try\[[0-9]+\], uid 0, [^ ]* \(may be live.conf:4\)$' said
	grep -qE '^stagefence: live\?: mkdir(at)? -> kill_process, by try\[[0-9]+\], uid 0, [^ ]* \(may be live.conf:3\)$' said
	grep -qE '^stagefence: told\?: mkdir(at)? -> EROFS, by try\[[0-9]+\], uid 0, [^ ]* \(may be live.conf:5\)$' said
	tail -n 1 said | grep -qE '^stagefence: [0-9]+ refused, [0-9]+ logged, in [0-9]+ lines$'
}

@test "live: where the records may not be had, one line says so and what to do" {
	needs user
	run -1 --separate-stderr stagefencectl audit
	[[ $stderr == "stagefencectl: the kernel's audit records: Operation not permitted; /dev/kmsg: "*"; to read a log, name its file, or -" ]]
}

@test "live: elsewhere than in the first network namespace, where no record ever comes, the kernel's log is read" {
	needs root
	policy live '{ name = "live"; rules = ( { calls = "uname"; action = "log"; } ); }'
	[ -r /dev/kmsg ] || skip "there is no /dev/kmsg"
	: >said
	unshare --net stagefencectl audit >said 2>errors 3>&- &
	pid=$!
	soon [ -s errors ] || kill -KILL "$pid"
	[ "$(cat errors)" = "stagefencectl: note: the kernel's audit records: not in this network namespace; /dev/kmsg takes their place, which leaves some out when there are many" ]
	for ((n = 0; n < 70; n++)); do
		stagefence -c live.conf -s live "$helpers/try" uname >/dev/null
		! grep -q '^stagefence: ?: uname -> log, by try\[' said || break
		sleep 0.1
	done
	kill -TERM "$pid"
	wait "$pid" || :
	# the kernel may print 10 of all records in 5 seconds, whoever makes them: what it leaves out is said
	grep -qE 'uname -> log, by try\[|; the kernel left [0-9]+ audit records out$' said
	tail -n 1 said | grep -qE '^stagefence: [0-9]+ refused, [0-9]+ logged'
}

@test "live: a listener who is slow misses none of 5,000 records" {
	needs root
	policy live '{ name = "live"; rules = ( { calls = "uname"; action = "log"; } ); }'
	live stagefencectl audit
	[ "$(cat errors)" = "" ] || skip "the kernel's audit records are not to be had: $(cat errors)"
	# shellcheck disable=SC2046
	set -- $(yes uname | head -n 5000)
	kill -STOP "$pid"
	stagefence -c live.conf -s live "$helpers/try" "$@" >/dev/null
	kill -CONT "$pid"
	for ((n = 0; n < 100 && $(grep -c 'uname -> log' said) < 5000; n++)); do
		sleep 0.1
	done
	kill -TERM "$pid"
	wait "$pid" || :
	[ "$(grep -c 'uname -> log' said)" -ge 5000 ]
	[ "$(tail -n 1 said | grep -c lost)" = 0 ]
}
