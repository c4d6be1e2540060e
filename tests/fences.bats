#!/usr/bin/env bats
# Two fences: a stage that refuses what exec or the dynamic loader needs. Root's own programs start and are then held to
# every word of the stage; whatever could run in between is refused, or held to it from the start.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # what bats and texts for other shells look like to shellcheck

setup() {
	load lib
	policy p '{ name = "open"; },
	{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; },
	{ name = "noread"; block_calls = [ "read" ]; block_action = "errno"; },
	{ name = "nomap"; rules = ( { calls = [ "mmap", "mprotect" ]; action = "errno";
		args = ( { arg = 2; mask = "PROT_EXEC"; op = "!="; value = "0"; } ); } ); },
	{ name = "noexec"; block_calls = [ "execve", "execveat" ]; block_action = "errno"; },
	{ name = "neither"; block_calls = [ "open", "openat", "execve", "execveat" ]; block_action = "errno"; },
	{ name = "exit"; block_all = true; allow_calls = [ "exit", "exit_group" ]; },
	{ name = "shell"; block_all = true; allow_calls = [ "brk", "exit_group", "getegid", "geteuid", "getgid", "getpid",
		"getppid", "getrandom", "getuid", "newfstatat", "rt_sigaction", "write" ]; }'
	stagefencectl compile -c p.conf -o p.sfi
	killed=$((128 + $(kill -l SYS)))
}

in_stage() {
	stagefence -c p.sfi -s "$@"
}

# refused_here STAGE COMMAND...: 125, one line, and COMMAND, which would make the folder "made", does not run
refused_here() {
	run -125 in_stage "$@"
	one_line "$output"
	[[ "$output" == stagefence:\ * ]]
	[ ! -e made ]
}

# on_machine 'STAGES' 'SCRIPT': SCRIPT on a machine of its own, with try, seen and try-musl in /usr/local/bin and loaders in
# /usr/local/lib: root's own, even where an ordinary user plays root and real root's files have no known owner.
on_machine() {
	policy system "$1"
	# in a process group of its own, so that nothing outlives the limit
	HELPERS=$helpers SOURCE=$source_folder timeout --kill-after=5 50 "$tests/helpers/machine" "$PWD/system.conf" bash -euc '
		PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin
		cp "$HELPERS/try-local" /usr/local/bin/try
		cp "$HELPERS/seen-local" /usr/local/bin/seen
		loader() { readelf -lW "$1" | sed -n "s/.*program interpreter: \(.*\)\]/\1/p"; }
		cp "$(loader "$HELPERS/try")" /usr/local/lib/ld-linux-test.so.2
		[ ! -e "$HELPERS/try-musl-local" ] || {
			cp "$HELPERS/try-musl-local" /usr/local/bin/try-musl
			cp "$(loader "$HELPERS/try-musl")" /usr/local/lib/ld-musl-test.so.1
		}
		# interpreter FILE PATH: FILE asks for that loader; its name is filled up with slashes
		interpreter() {
			PATH_OF=$2 perl -0777 -pi -e \
				"s{(/usr/local/lib/ld-[a-z]+-test.so.[12])}{(q(/) x (length(\$1) - length(\$ENV{PATH_OF}))) . \$ENV{PATH_OF}}e" "$1"
		}
		'"$2" on_machine 3>&-
}

# ---- the call is refused to dynamic programs, although their loader needed it ----

@test "openat: a shell starts, and then cannot open" {
	run -0 sh -c 'read x </etc/passwd && echo "$x"'
	[[ "$output" == root:* ]]
	run -2 in_stage noopen sh -c 'echo started; : </etc/passwd; echo not here'
	[ "${lines[0]}" = started ]
	[[ "${lines[1]}" == *"cannot open /etc/passwd: Operation not permitted" ]]
	[ "${#lines[@]}" = 2 ]
	run -0 cat /etc/passwd
	run -1 in_stage noopen cat /etc/passwd
	[ "$output" = "cat: /etc/passwd: Operation not permitted" ]
	run -0 bash -c '{ : </etc/passwd; } && echo opened'
	run -1 in_stage noopen bash -c '{ : </etc/passwd; } && echo opened'
	[[ "$output" != opened ]]
}

@test "read: a shell starts, and then cannot read" {
	run -0 sh -c 'echo started; read x || echo nothing' <<<line
	[ "$output" = started ]
	run -0 in_stage noread sh -c 'echo started; read x || echo nothing' <<<line
	[ "$output" = $'started\nnothing' ]
	run -0 cat <<<line
	[ "$output" = line ]
	run -1 in_stage noread cat <<<line
	[ "$output" = "cat: -: Operation not permitted" ]
}

@test "mmap and mprotect with PROT_EXEC: a shell starts, and then no dynamic program can be loaded" {
	run -0 sh -c '/bin/true && echo true'
	[ "$output" = true ]
	run -0 "$helpers/try-static" mmap-exec
	[ "$output" = "mmap-exec ok" ]
	run -127 in_stage nomap sh -c 'echo started; /bin/true'
	[ "${lines[0]}" = started ]
	[[ "${lines[1]}" == "/bin/true: error while loading shared libraries:"* ]]
	run -0 in_stage nomap sh -c "'$helpers/try-static' mmap-exec mkdir"
	[ "$output" = $'mmap-exec EPERM\nmkdir ok' ]
}

@test "execve: a shell starts, and then starts nothing" {
	run -0 sh -c '/bin/true && echo true'
	run -126 in_stage noexec sh -c 'echo started; /bin/true'
	[ "${lines[0]}" = started ]
	[[ "${lines[1]}" == *"/bin/true: Operation not permitted" ]]
	run -126 in_stage noexec bash -c 'exec /bin/true'
	run -1 in_stage noexec perl -e 'exit !exec "/bin/true"'
	run -126 in_stage noexec env /bin/true
	[ "$output" = "env: '/bin/true': Operation not permitted" ]
}

@test "execve and openat together: a shell starts, and then can do neither" {
	run -126 in_stage neither sh -c 'echo started; (: </etc/passwd) || echo closed; /bin/true'
	[ "${lines[0]}" = started ]
	[[ "${lines[1]}" == *"cannot open /etc/passwd: Operation not permitted" ]]
	[ "${lines[2]}" = closed ]
	[[ "${lines[3]}" == *"/bin/true: Operation not permitted" ]]
}

@test "an allow list that the loader could not live with: programs start, and are killed for the first other call" {
	in_stage exit /bin/true
	run -1 in_stage exit /bin/false
	run -"$killed" in_stage exit sh -c :
	run -0 in_stage shell sh -c 'echo started; exit 0'
	[ "$output" = started ]
	run -0 sh -c 'echo started; : </etc/passwd; echo here'
	[ "$output" = $'started\nhere' ]
	run -"$killed" in_stage shell sh -c 'echo started; : </etc/passwd; echo not here'
	[ "$output" = started ]
	run -"$killed" in_stage shell sh -c 'echo started; (:); echo not here'
	[ "$output" = started ]
	run -"$killed" in_stage shell sh -c 'read x; echo not here' <<<x
	[ -z "$output" ]
	run -"$killed" in_stage shell cat /etc/passwd
	[ -z "$output" ]
}

@test "exit status and deadly signals of the command come through two fences" {
	for status in 0 1 42 125 126 127 255; do
		run -$status in_stage noopen sh -c "exit $status"
	done
	run -143 in_stage noopen sh -c 'kill -TERM $$'
	run -137 in_stage noopen sh -c 'kill -KILL $$'
}

# ---- static programs need no second fence ----

@test "static programs of any kind have the exact fence from their first instruction, without the shim" {
	local tree=$PWD/tree
	mkdir tree
	cp "$build/stagefence" tree
	for kind in $(built try-static try-static-pie try-musl-static); do
		run -0 "$helpers/$kind" openat read mmap-exec execve execveat
		[ "$output" = $'openat ok\nread EBADF\nmmap-exec ok\nexecve ENOENT\nexecveat ENOENT' ]
		run -0 "$tree/stagefence" -c p.sfi -s noopen "$helpers/$kind" openat read mmap-exec execve execveat
		[ "$output" = $'openat EPERM\nread EBADF\nmmap-exec ok\nexecve ENOENT\nexecveat ENOENT' ]
		run -0 "$tree/stagefence" -c p.sfi -s noread "$helpers/$kind" openat read mmap-exec
		[ "$output" = $'openat ok\nread EPERM\nmmap-exec ok' ]
		run -0 "$tree/stagefence" -c p.sfi -s nomap "$helpers/$kind" openat read mmap-exec
		[ "$output" = $'openat ok\nread EBADF\nmmap-exec EPERM' ]
		run -0 "$tree/stagefence" -c p.sfi -s noexec "$helpers/$kind" openat execve execveat
		[ "$output" = $'openat ok\nexecve EPERM\nexecveat EPERM' ]
		run -0 "$tree/stagefence" -c p.sfi -s neither "$helpers/$kind" openat execve execveat
		[ "$output" = $'openat EPERM\nexecve EPERM\nexecveat EPERM' ]
		run -"$killed" "$tree/stagefence" -c p.sfi -s shell "$helpers/$kind" mkdir
		[ ! -e made ]
	done
	run -0 "$helpers/bare"
	[ "$output" = "mkdir ok" ]
	rmdir made
	run -"$killed" "$tree/stagefence" -c p.sfi -s exit "$helpers/bare"
	[ ! -e made ]
	run -"$killed" "$tree/stagefence" -c p.sfi -s shell "$helpers/golike"
	[ ! -e t0 ]
}

@test "a dynamic loader, which is static itself, has the exact fence: it loads nothing" {
	local loader
	loader=$(readelf -lW "$helpers/try" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
	run -0 "$loader" "$helpers/try" mkdir openat
	[ "$output" = $'mkdir ok\nopenat ok' ]
	rmdir made
	run -127 in_stage noopen "$loader" "$helpers/try" mkdir openat
	[ ! -e made ]
	run -127 in_stage noopen "$loader" --preload "$build/libstagefence.so" /bin/sh -c 'mkdir made'
	[ ! -e made ]
}

@test "the wrapper inside such a stage fails closed" {
	run -125 in_stage noopen "$build/stagefence" -c p.sfi -s open mkdir made
	one_line "$output"
	run -126 in_stage noexec "$build/stagefence" -c p.sfi -s noopen mkdir made
	one_line "$output"
	[ ! -e made ]
}

@test "32-bit programs are refused before they start" {
	needs x86_64
	for stage in noopen noread nomap noexec neither exit shell; do
		run -126 in_stage $stage "$helpers/bare-i386"
		one_line "$output"
		[ ! -e made ]
	done
}

# ---- nothing but root's own runs between the fences ----

@test "a dynamic program that is not root's own is refused with one line" {
	cp "$(command -v mkdir)" mkdir
	run -0 ./mkdir made
	rmdir made
	in_stage open ./mkdir made
	rmdir made
	for stage in noopen noread nomap neither exit shell; do
		refused_here $stage ./mkdir made
		[[ "$output" == *"for root's own programs only, or static ones: not for ./mkdir" ]]
		refused_here $stage "$PWD/mkdir" made
	done
	run -125 "$helpers/anonymous" "$helpers/try" "$(command -v stagefence)" -c p.sfi -s noopen {} mkdir
	one_line "$output"
	exec 9<./mkdir
	refused_here noopen /proc/self/fd/9 made
	rm mkdir
	refused_here noopen /proc/self/fd/9 made
}

@test "a program of root's that others can change is refused, and so is one in a folder that they can change" {
	local changes=('chmod g+w try' 'chmod o+w try' 'chmod o+w .' 'chmod g+w ..')
	# one who only plays root has nobody else to give it to
	[ "$(id -u)" != 0 ] || changes+=('chown 65534 try' 'chgrp 65534 try; chmod g+w try' 'chown 65534 .')
	for change in "${changes[@]}"; do
		run -0 on_machine '{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }' "
			mkdir -p /usr/local/own/own
			cp /usr/local/bin/try /usr/local/own/own
			cd /usr/local/own/own
			stagefence -s noopen ./try openat
			$change
			./try openat
			stagefence -s noopen ./try openat || echo status \$?"
		[ "${lines[0]}" = "openat EPERM" ]
		[ "${lines[1]}" = "openat ok" ]
		[[ "${lines[2]}" == "stagefence: stage noopen refuses what a dynamic program needs"*"not for ./try" ]]
		[ "${lines[3]}" = "status 125" ]
	done
}

@test "a link to a program of root's is as good as the program" {
	ln -s /bin/cat link
	run -1 in_stage noopen ./link /etc/passwd
	# by its whole name or the last part of it, as the C library or coreutils have it
	[[ "$output" =~ ^(\./)?"link: /etc/passwd: Operation not permitted"$ ]]
	cp /bin/cat file
	ln -s file link2
	refused_here noopen ./link2 /etc/passwd
}

@test "every variable that the dynamic loader listens to is refused" {
	local evil=$PWD/evil=.so
	echo 'static void __attribute__((constructor)) make(void) { extern int mkdir(const char *, unsigned); mkdir("made", 0777); }
	unsigned la_version(unsigned version) { make(); return version; }' | cc -shared -fPIC -x c -o "$evil" - 3>&-
	cp "$evil" evil=
	for variable in LD_PRELOAD="$evil" LD_PRELOAD="$PWD/evil=" LD_AUDIT="$evil" LD_AUDIT="$PWD/evil="; do
		env "$variable" /bin/true
		rmdir made
	done
	for variable in LD_PRELOAD="$evil" LD_PRELOAD="$PWD/evil=" LD_AUDIT="$evil" LD_AUDIT="$PWD/evil=" LD_LIBRARY_PATH=/tmp \
		LD_LIBRARY_PATH=/tmp/= LD_DEBUG=all LD_BIND_NOW=1 LD_TRACE_LOADED_OBJECTS=1 LD_ANYTHING=1; do
		run -125 env "$variable" "$(command -v stagefence)" -c p.sfi -s noopen /bin/true
		one_line "$output"
		[[ "$output" == "stagefence: stage noopen "*"unset ${variable%%=*}"* ]]
		[ ! -e made ]
		# static programs have no loader
		run -0 env "$variable" "$(command -v stagefence)" -c p.sfi -s noopen "$helpers/try-static" openat
		[ "$output" = "openat EPERM" ]
	done
	for order in "LD_PRELOAD=$build/libstagefence.so LD_PRELOAD=$evil" "LD_PRELOAD=$evil LD_PRELOAD=$build/libstagefence.so" \
		"LD_PRELOAD= LD_PRELOAD=$evil" "LD_PRELOAD=$evil LD_PRELOAD="; do
		# shellcheck disable=SC2086
		run -125 "$helpers/twice" $order -- "$(command -v stagefence)" -c p.sfi -s noopen /bin/true
		one_line "$output"
		[ ! -e made ]
	done
}

@test "a library of another's that is called as the shim is does not take its place" {
	mkdir other
	echo 'static void __attribute__((constructor)) make(void) { extern int mkdir(const char *, unsigned); mkdir("made", 0777); }' |
		cc -shared -fPIC -x c -o other/libstagefence.so - 3>&-
	LD_PRELOAD=$PWD/other/libstagefence.so /bin/true
	rmdir made
	LD_PRELOAD=$PWD/other/libstagefence.so run in_stage noopen sh -c 'echo started; : </etc/passwd'
	[ "$status" = 125 ] || [ "$status" = 2 ]
	[[ "$output" == *"Operation not permitted" || "$output" == stagefence:* ]]
	[ ! -e made ]
}

@test "a secret that lets the wrapper execute cannot be replayed by what it executed" {
	for stage in noexec neither; do
		run -0 in_stage $stage "$helpers/replay" /bin/true
		[[ "$output" == refused\ * ]]
		[ "${output#refused }" -gt 500 ]
	done
	# without the fence the first try executes it
	run -0 "$helpers/replay" /bin/echo
	[ "$output" = "" ]
	run -1 "$helpers/replay" /bin/false
}

@test "where execve is refused, scripts with and without #! still start, and start nothing" {
	printf '#!/bin/sh -e\necho "$0" "$@"\n/bin/true\n' >script
	printf 'echo "$0" "$@"\n/bin/true\n' >text
	printf '#!%s\nignored\n' "$PWD/script" >chain
	printf '#!/usr/bin/env sh\necho not here\n' >env-script
	chmod +x script text chain env-script
	run -0 ./script a 'b c'
	[ "$output" = "./script a b c" ]
	run -126 in_stage noexec ./script a 'b c'
	[ "${lines[0]}" = "./script a b c" ]
	[[ "${lines[1]}" == *"/bin/true: Operation not permitted" ]]
	run -126 in_stage noexec ./text a 'b c'
	[ "${lines[0]}" = "./text a b c" ]
	[[ "${lines[1]}" == *"/bin/true: Operation not permitted" ]]
	run -0 ./chain a
	local bare=${lines[0]}
	run -126 in_stage noexec ./chain a
	[ "${lines[0]}" = "$bare" ]
	run -126 in_stage noexec ./env-script
	[[ "$output" != *here* ]]
	# a read is enough for a script, and that script is not root's: its interpreter is
	run -126 in_stage nomap ./script a 2>/dev/null || [ "$status" = 127 ]
	[ "${lines[0]}" = "./script a" ]
}

@test "what the second fence leaves to a supervisor that is not there, no listener of the job lets through" {
	needs root # whose listen may start: it is dynamic
	run -0 on_machine '{ name = "whom"; report = true; rules = ( { calls = "openat"; action = "notify"; } ); }' '
		cd "$TMPDIR"
		touch out
		cp "$HELPERS/listen" /usr/local/bin
		listen second-open
		stagefence -s whom listen second-open 2>/dev/null
		rm "$(command -v stagefencectl)"
		stagefence -s whom listen second-open'
	echo "$output"
	[ "${lines[0]}" = "listener: granted" ]
	[ "${lines[1]}" = "open: 0" ]
	# there is one listener, and it is the supervisor
	[ "${lines[2]}" = "listener: EBUSY" ]
	[ "${lines[3]}" = "open: ENOSYS" ]
	[[ "${lines[4]}" == *"runs without reports"* ]]
	[ "${lines[5]}" = "listener: granted" ]
	[ "${lines[6]}" = "open: ENOSYS" ]
}

# ---- nothing of ours is left ----

@test "behind two fences a program sees what it sees bare: no variable, descriptor or signal of ours" {
	run -0 on_machine '{ name = "noopen"; block_calls = [ "openat", "open" ]; block_action = "errno"; },
		{ name = "neither"; block_calls = [ "open", "openat", "execve", "execveat" ]; block_action = "errno"; }' '
		cd "$TMPDIR"
		export ODD="$(printf "a\nb")" EMPTY= LAST=1
		seen one "two words" "" 5</dev/null >bare
		for stage in noopen neither; do
			stagefence -s $stage seen one "two words" "" 5</dev/null >fenced
			diff bare fenced
			STAGEFENCE_FENCE=3,0 stagefence -s $stage seen one "two words" "" 5</dev/null >fenced
			diff bare fenced
			LD_PRELOAD=$SHIM stagefence -s $stage seen one "two words" "" 5</dev/null >fenced
			diff bare fenced
		done
		seen 0<&- 2>&- >bare
		stagefence -s noopen seen 0<&- 2>&- >fenced
		diff bare fenced
		"$HELPERS/signals" /usr/local/bin/seen >bare
		"$HELPERS/signals" $WRAPPER -s noopen /usr/local/bin/seen >fenced
		diff bare fenced
		grep -q ^blocked fenced
		(exec -a "a name" seen) | head -n 1
		(exec -a "a name" stagefence -s noopen seen) | head -n 1
		grep -E "^(fd|env)" bare | wc -l'
	[ "${lines[0]}" = "argv 0 a name" ]
	[ "${lines[1]}" = "argv 0 seen" ]
	[ "${lines[2]}" -gt 5 ]
}

@test "root's own env and ls see no variable and no descriptor of ours" {
	run -0 env -i A=1 B=2 /usr/bin/env
	local bare=$output
	run -0 env -i A=1 B=2 "$(command -v stagefence)" -c p.sfi -s noopen /usr/bin/env
	[ "$output" = "$bare" ]
	run -0 env -i A=1 B=2 "$(command -v stagefence)" -c p.sfi -s neither /usr/bin/env
	[ "$output" = "$bare" ]
	run -0 ls /proc/self/fd
	bare=$output
	run -0 in_stage noexec ls /proc/self/fd
	[ "$output" = "$bare" ]
	run -0 in_stage noread ls /proc/self/fd
	[ "$output" = "$bare" ]
}

@test "two fences are two filters, one where the stage allows all that exec and the loader need" {
	run -0 in_stage noexec grep Seccomp_filters: /proc/self/status
	[ "$output" = $'Seccomp_filters:\t1' ]
	run -0 in_stage nomap grep -E '^(NoNewPrivs|Seccomp|Seccomp_filters):' /proc/self/status
	[ "$output" = $'NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t2' ]
}

@test "what a file system in user space says is root's own is not taken for it" {
	needs root # for /dev/fuse
	run -0 on_machine '{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }, { name = "open"; }' '
		mkdir /usr/local/fuse
		chmod 755 /usr/local/fuse
		"$HELPERS/fuse" /usr/local/fuse /usr/local/bin/try sh -c "
			stat -c %u:%A /usr/local/fuse/file
			stagefence -s open /usr/local/fuse/file openat
			stagefence -s noopen try openat
			stagefence -s noopen /usr/local/fuse/file openat" || echo status $?'
	[ "$output" != "status 77" ] || skip "this kernel has no FUSE"
	[ "$output" = "0:-rwxr-xr-x
openat ok
openat EPERM
stagefence: stage noopen refuses what a dynamic program needs to start, and that is let through for root's own programs only, or static ones: not for /usr/local/fuse/file
status 125" ]
}

@test "a program with a loader of its own is refused: whose it is, and whether it is known to take the shim along" {
	run -0 on_machine '{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }' '
		cd "$TMPDIR"
		loader=$(mktemp -u /tmp/ld-linux-XXXXXX.so)
		try openat
		stagefence -s noopen try openat
		cp /usr/local/lib/ld-linux-test.so.2 "$TMPDIR/ld-linux.so"
		cp /usr/local/lib/ld-linux-test.so.2 /usr/local/lib/other.so
		cp /usr/local/bin/try /usr/local/bin/try-others
		ln -s "$TMPDIR/ld-linux.so" "$loader"
		interpreter /usr/local/bin/try-others "$loader"
		try-others openat
		stagefence -s noopen try-others openat || echo $?
		rm "$loader"
		cp /usr/local/bin/try /usr/local/bin/try-unknown
		interpreter /usr/local/bin/try-unknown /usr/local/lib/other.so
		try-unknown openat
		stagefence -s noopen try-unknown openat || echo $?
		ln -s /usr/local/lib/ld-linux-test.so.2 "$TMPDIR/ld-linux-link.so"
		ln -s "$TMPDIR/ld-linux-link.so" "$loader"
		chown -h 65534 "$TMPDIR/ld-linux-link.so" 2>/dev/null || :
		stagefence -s noopen try-others openat || echo $?
		rm "$loader"'
	[ "${lines[0]}" = "openat ok" ]
	[ "${lines[1]}" = "openat EPERM" ]
	[ "${lines[2]}" = "openat ok" ]
	[[ "${lines[3]}" == "stagefence: stage noopen refuses what a dynamic program needs"*/tmp/ld-linux-*.so ]]
	[ "${lines[4]}" = 125 ]
	[ "${lines[5]}" = "openat ok" ]
	[ "${lines[6]}" = "stagefence: /usr/local/bin/try-unknown: its loader is unknown, and this stage needs one that honours LD_PRELOAD" ]
	[ "${lines[7]}" = 125 ]
	# the loader is root's own, and the link to it is not
	[[ "${lines[8]}" == "stagefence: stage noopen refuses what a dynamic program needs"* ]]
	[ "${lines[9]}" = 125 ]
	[ "${#lines[@]}" = 10 ]
}

@test "dynamic musl programs start, and are held to the stage" {
	needs musl
	run -0 on_machine '{ name = "open"; }, { name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; },
		{ name = "nomap"; block_calls = [ "mprotect" ]; block_action = "errno"; rules = ( { calls = [ "mmap" ]; action = "errno";
			args = ( { arg = 2; mask = "PROT_EXEC"; op = "!="; value = "0"; } ); } ); },
		{ name = "neither"; block_calls = [ "open", "openat", "execve", "execveat" ]; block_action = "errno"; },
		{ name = "few"; block_all = true; allow_calls = [ "write", "writev", "exit", "exit_group", "ioctl", "uname" ]; }' '
		cd "$TMPDIR"
		try-musl openat mmap-exec execve
		stagefence -s open try-musl openat mmap-exec execve
		stagefence -s noopen try-musl openat mmap-exec execve
		stagefence -s nomap try-musl openat mmap-exec execve
		stagefence -s neither try-musl openat mmap-exec execve
		{ stagefence -s few try-musl uname mkdir || echo status $?; } 2>/dev/null
		[ ! -e made ]'
	[ "${lines[*]}" = "openat ok mmap-exec ok execve ENOENT openat ok mmap-exec ok execve ENOENT openat EPERM mmap-exec ok execve ENOENT \
openat ok mmap-exec EPERM execve ENOENT openat EPERM mmap-exec ok execve EPERM uname EFAULT status $killed" ]
}

@test "a musl program's loader takes the first LD_PRELOAD there is: it must be the shim's" {
	needs musl
	run -0 on_machine '{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }' '
		cd "$TMPDIR"
		conf=/etc/stagefence/stagefence.conf
		try-musl openat
		"$HELPERS/twice" LD_PRELOAD= LD_PRELOAD= -- $WRAPPER -s noopen /usr/local/bin/try-musl openat || echo status $?
		for preload in /nowhere/libstagefence.so libstagefence.so :libstagefence.so $SHIM "" " " ":"; do
			LD_PRELOAD=$preload stagefence -c $conf -s noopen try-musl openat || echo status $?
			LD_PRELOAD=$preload stagefence -s noopen try-musl openat || echo status $?
			LD_PRELOAD=$preload stagefence -c $conf -s noopen try openat || echo status $?
		done'
	[ "${lines[0]}" = "openat ok" ]
	[[ "${output#openat ok}" != *"openat ok"* ]]
}

@test "a file-capability program, in which the loader heeds no LD_PRELOAD, does not escape the inner fence" {
	needs root
	run -0 on_machine '{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }' '
		cp "$HELPERS/privileges" /usr/local/bin
		setcap cap_net_raw+ep /usr/local/bin/privileges
		mkdir -m 777 /mnt/work
		cd /mnt/work
		setpriv --reuid=65534 --regid=65534 --clear-groups privileges try
		rmdir made
		setpriv --reuid=65534 --regid=65534 --clear-groups stagefence -s noopen privileges try || echo status $?'
	[[ "${lines[0]}" == "euid 65534 caps 2000 secure 1" ]]
	[ "${lines[2]}" = "openat ok" ]
	[ "${lines[-1]}" = "openat EPERM" ] || [ "${lines[-1]}" = "status 125" ]
}

@test "a setuid program starts without its privilege, and is held to the stage" {
	needs root
	run -0 on_machine '{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }' '
		cp "$HELPERS/privileges" /usr/local/bin
		chmod 4755 /usr/local/bin/privileges
		mkdir -m 777 /mnt/work
		cd /mnt/work
		setpriv --reuid=65534 --regid=65534 --clear-groups privileges try
		rmdir made
		setpriv --reuid=65534 --regid=65534 --clear-groups stagefence -s noopen privileges try'
	[[ "${lines[0]}" == "euid 0 caps "*" secure 1" ]]
	[ "${lines[2]}" = "openat ok" ]
	[ "${lines[3]}" = "euid 65534 secure 0" ]
	[ "${lines[5]}" = "openat EPERM" ]
}

# ---- where the shim cannot do its work, nothing runs ----

@test "the shim is missing: a stage that needs it refuses, one that does not works" {
	run -0 on_machine '{ name = "open"; }, { name = "nomkdir"; block_calls = [ "mkdir", "mkdirat" ]; block_action = "errno"; },
		{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }' '
		cd "$TMPDIR"
		stagefence -s noopen try openat
		rm $SHIM
		stagefence -s noopen try mkdir openat || echo status $?
		stagefence -s nomkdir try mkdir openat
		stagefence -s open try mkdir openat
		try-static() { "$HELPERS/try-static" "$@"; }
		stagefence -s noopen "$HELPERS/try-static" openat'
	[ "${lines[0]}" = "openat EPERM" ]
	[ "${lines[1]}" = "stagefence: $SHIM: the shim is missing, or not for this architecture" ]
	[ "${lines[2]}" = "status 125" ]
	[ "${lines[*]:3}" = "mkdir EPERM openat ok mkdir ok openat ok openat EPERM" ]
}

@test "the shim cannot be loaded: cut off, another library, no library, on a file system without execution" {
	needs musl
	run -0 on_machine '{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }' '
		cd "$TMPDIR"
		shim=$SHIM
		cp $shim good
		each() {
			for program in try try-musl; do
				$program openat
				stagefence -s noopen $program openat mkdir >out 2>&1 && status=0 || status=$?
				echo "$1 $program $status $(cat out | tr "\n" "/")"
				[ ! -e made ] || rmdir made
			done
		}
		for size in 0 10 64 100 1000 4096; do
			head -c $size good >$shim
			each "cut to $size"
		done
		cp /usr/local/lib/ld-musl-test.so.1 $shim
		each "another library"
		cp /bin/true $shim
		each "a program"
		echo "#!/bin/sh" >$shim
		each "a script"
		cp good $shim
		chmod 0 $shim
		[ "$(id -u)" = 0 ] || each "not readable"
		chmod 755 $shim
		mount --bind ${SHIM%/*} ${SHIM%/*}
		mount -o remount,bind,noexec ${SHIM%/*}
		each "noexec"'
	echo "$output"
	# bare it works; and fenced there is one line of ours, and nothing has run
	[ "$(grep -cx 'openat ok' <<<"$output")" -ge 20 ]
	run -1 grep -vE '^(openat ok|[a-z0-9 ]+ try(-musl)? 125 stagefence: [^/]*'"$SHIM"': [^/]*/)$' <<<"$output"
}

@test "limits that a job may have set keep no shim out: the program fails, or is held to the stage" {
	needs musl
	run -0 on_machine '{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }' '
		cd "$TMPDIR"
		# limited OPTION SIZE COMMAND...
		limited() { (ulimit "$1" "$2"; "${@:3}" openat) 2>/dev/null || :; }
		{
			musl=/usr/local/bin/try-musl
			# the least address space in which it runs bare, and all above in which the shim may not find room
			least=600
			while [ -z "$(limited -v $least $musl)" ]; do least=$((least + 4)); done
			limited -v $least $musl
			for size in $(seq $((least - 8)) 2 $((least + 80))); do limited -v $size stagefence -s noopen $musl; done
			for size in $(seq 1800 50 3000); do limited -v $size stagefence -s noopen try; done
			for program in try try-musl; do
				for size in $(seq 40 8 140); do limited -d $size stagefence -s noopen $program; done
				for size in $(seq 3 10); do limited -n $size stagefence -s noopen $program; done
				for size in $(seq 8 8 120); do limited -s $size stagefence -s noopen $program; done
				for size in 0 1 8; do limited -f $size stagefence -s noopen $program; done
				# and with room for both, which many a cluster sets
				limited -v 2097152 stagefence -s noopen $program
				limited -d 1048576 stagefence -s noopen $program
				limited -n 256 stagefence -s noopen $program
				limited -s 8192 stagefence -s noopen $program
				limited -f 1048576 stagefence -s noopen $program
			done
		} >out 2>/dev/null
		sort out | uniq -c'
	# "openat ok": the one that ran bare
	[[ "${lines[0]}" =~ ^\ *[1-9][0-9]+\ openat\ EPERM$ ]] # 10 at least
	[[ "${lines[1]}" =~ ^\ *1\ openat\ ok$ ]]
	[ "${#lines[@]}" = 2 ]
}

@test "a program that nearly fills a limit by itself leaves room for the shim, or does not run" {
	needs musl
	# musl would go on without the shim, and say nothing
	run -0 on_machine '{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }' '
		cd "$TMPDIR"
		limited() { (ulimit "$1" "$2"; "${@:3}" openat) 2>/dev/null || :; }
		printf "char big[300 << 20];\n#include \"$SOURCE/tests/helpers/try.c\"\n" >big.c
		${MUSL_CC:-musl-gcc} -D_GNU_SOURCE -w -Wl,--dynamic-linker=/usr/local/lib/ld-musl-test.so.1 -o /usr/local/bin/big big.c
		least=307200
		while [ -z "$(limited -v $least big)" ]; do least=$((least + 4)); done
		for option in -v -d; do
			for size in $(seq $((least - 8)) 4 $((least + 80))) $((least + 60000)); do
				limited $option $size stagefence -s noopen big
			done
		done >out
		cat out
		stagefence -s noopen big openat
		limited -v $((least + 300000)) stagefence -s noopen big'
	echo "$output"
	[ "$output" = $'openat EPERM\nopenat EPERM' ]
}

@test "a path to the shim that a dynamic loader cannot be told is refused" {
	local name
	for name in 'a b' 'a:b' 'a$LIB' ' '; do
		mkdir "$name"
		cp "$build/stagefence" "$build/stagefencectl" "$build/groups.conf" "$build/libstagefence.so" "$name"
		run -125 "./$name/stagefence" -c p.sfi -s noopen sh -c 'echo ran'
		one_line "$output"
		[[ "$output" == stagefence:*"the dynamic loader cannot be told a path with"* ]]
		# where the shim is not needed, its path does not matter
		"./$name/stagefence" -c p.sfi -s noopen "$helpers/try-static" mkdir
		rmdir made
		"./$name/stagefence" -c p.sfi -s open mkdir made
		rmdir made
	done
}

@test "a path to the shim that only musl's loader takes apart does not keep the shim out" {
	needs musl
	run -0 on_machine '{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }' '
		cd "$TMPDIR"
		try-musl openat
		for space in "\t" "\n" "\v" "\f" "\r"; do
			folder=/usr/local/$(printf "a${space}b")
			mkdir "$folder"
			cp $WRAPPER $SHIM "$folder"
			"$folder/stagefence" -s noopen try-musl openat || echo status $?
		done'
	[ "$(grep -c '^openat ok' <<<"$output")" = 1 ]
	[ "$(grep -cE '^(openat EPERM|status 125)$' <<<"$output")" = 5 ]
}

@test "a forged STAGEFENCE_FENCE with the shim preloaded by hand: one line, 125, and nothing runs" {
	for value in '' garbage 3 3,0 -1 -1,0 0 0,0 99 4294967299 4294967299,0 18446744073709551619,0 "," ",0" '3,' '3 ,0' '%d' '%d,0' '%d,1' '%d,99' \
		'%d,4294967295' '%d,4294967296' '%dx0' /etc/passwd; do
		for kind in unsealed sealed; do
			for file in p.sfi /etc/passwd /dev/null; do
				run -125 "$helpers/handover" "$kind" "$file" "$value" /usr/bin/env LD_PRELOAD="$build/libstagefence.so" mkdir made
				one_line "$output"
				[[ "$output" == "stagefence: "* ]]
				[ ! -e made ]
			done
		done
	done
}

@test "what is handed over for a stage without a fence must be sealed, and for one with a fence it must name it" {
	policy two '{ name = "one"; block_calls = "rmdir"; block_action = "errno"; }, { name = "off"; disabled = true; }'
	stagefencectl compile -c two.conf -o two.sfi
	handed() { # STATUS KIND STAGE
		run "$1" env STAGEFENCE_STAGE="$3" "$helpers/handover" "$2" two.sfi %d /usr/bin/env LD_PRELOAD="$build/libstagefence.so" mkdir ran
	}
	handed -0 sealed off
	rmdir ran
	handed -125 unsealed off
	one_line "$output"
	[ ! -e ran ]
	handed -125 sealed one
	one_line "$output"
	[ ! -e ran ]
}

@test "a run path by which others could put a library between the fences is refused" {
	run -0 on_machine '{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }' '
		build() {
			cc -o "$1" "'"$tests"'/helpers/try.c" -Wl,--dynamic-linker=/usr/local/lib/ld-linux-test.so.2 \
				-Wl,-rpath,"$2" ${3-}
		}
		mkdir -p /usr/local/lib/site
		for path in /usr/local/lib/site "\$ORIGIN/../lib" /usr/local/lib/nowhere; do
			build /usr/local/bin/rooted "$path"
			stagefence -s noopen rooted openat
		done
		for path in /usr/local/lib/site: :/usr/local/lib relative "\$LIB" /tmp "\$ORIGIN/../../../tmp"; do
			for tags in -Wl,--enable-new-dtags -Wl,--disable-new-dtags; do
				build /usr/local/bin/open "$path" "$tags"
				stagefence -s noopen open openat || echo status $?
			done
		done'
	[ "$(grep -c '^openat EPERM$' <<<"$output")" = 3 ]
	[ "$(grep -c '^status 125$' <<<"$output")" = 12 ]
	[ "$(grep -c 'the run path of /usr/local/bin/open$' <<<"$output")" = 12 ]
}

@test "a library that a program needs by a path which others could fill is refused" {
	run -0 on_machine '{ name = "noopen"; block_calls = [ "open", "openat" ]; block_action = "errno"; }' '
		mkdir -p /usr/local/lib/site
		echo "int site;" >site.c
		cc -shared -fPIC -o libsite.so site.c
		cp libsite.so /usr/local/lib/site
		for library in /usr/local/lib/site/libsite.so ./libsite.so; do
			cc -o /usr/local/bin/needs "'"$tests"'/helpers/try.c" -Wl,--no-as-needed "$library" \
				-Wl,--dynamic-linker=/usr/local/lib/ld-linux-test.so.2
			stagefence -s noopen needs openat || echo status $?
		done'
	echo "$output"
	[ "${#lines[@]}" = 3 ]
	[ "${lines[0]}" = "openat EPERM" ]
	[ "${lines[2]}" = "status 125" ]
	[[ "${lines[1]}" == *": the run path of /usr/local/bin/needs" ]]
}

@test "what a policy with two fences should refuse keeps others' limits, which a loader needs, out of reach" {
	policy limits '{ name = "open"; },
	{ name = "held"; rules = ( { calls = [ "prlimit64" ]; action = "errno"; args = ( { arg = 0; op = "!="; value = "0"; } ); } ); }'
	run -0 stagefence -c limits.conf -s open bash -c 'ulimit -Sn 90; prlimit --pid $$ --nofile=80:; ulimit -Sn'
	[ "$output" = 80 ]
	run -0 stagefence -c limits.conf -s held bash -c 'ulimit -Sn 90; prlimit --pid $$ --nofile=80: 2>/dev/null; echo $?; ulimit -Sn'
	[ "$output" = "1
90" ]
}
