#!/usr/bin/env bats
# Preload mode: LD_PRELOAD in a runner's environment, the system's policy, no wrapper in front. Each test has a machine of
# its own with the policy it needs. Each refusal is first shown to be none without the shim.
# shellcheck disable=SC2016,SC2154 # the scripts run on the machine

setup() {
	load lib
	refusing='{ name = "nomkdir"; block_calls = [ "mkdir", "mkdirat" ]; block_action = "errno"; }'
}

# on_machine 'POLICY' 'SCRIPT': SCRIPT on a machine with that policy; shimmed COMMAND... starts COMMAND with the shim
on_machine() {
	printf 'version = 1;\n%s\n' "$1" >system.conf
	# in a process group of its own, so that nothing outlives the limit
	HELPERS=$helpers timeout --kill-after=5 50 "$tests/helpers/machine" "$PWD/system.conf" bash -euc '
		PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin
		shim=$SHIM
		conf=/etc/stagefence/stagefence.conf
		image=/var/cache/stagefence/policy.sfi
		shimmed() { LD_PRELOAD=$shim "$@"; }
		'"$2" on_machine 3>&-
}

# ---- confined before main ----

@test "bash, dash and a musl program are confined by the compiled image, without the wrapper" {
	needs musl
	needs program dash
	run -0 on_machine "stages = ( $refusing );" '
		export STAGEFENCE_STAGE=nomkdir
		rm $WRAPPER $COMPILER
		bash -c "mkdir made && echo bare && rmdir made"
		shimmed bash -c "mkdir made" || echo status $?
		shimmed dash -c "mkdir made" || echo status $?
		shimmed mkdir made || echo status $?
		"$HELPERS/try-musl" mkdir && rmdir made
		shimmed "$HELPERS/try-musl" mkdir
		shimmed grep -E "^(NoNewPrivs|Seccomp|Seccomp_filters):" /proc/self/status
		[ ! -e made ]'
	local told="mkdir: cannot create directory 'made': Operation not permitted"
	[ "$output" = "bare
$told
status 1
$told
status 1
$told
status 1
mkdir ok
mkdir EPERM
NoNewPrivs:	1
Seccomp:	2
Seccomp_filters:	1" ]
}

@test "everything that a preloaded shell starts is confined, static programs and AddressSanitizer's too" {
	run -0 on_machine "stages = ( $refusing );" '
		for program in '"$(built try try-static try-static-pie try-musl try-musl-static try-asan | tr '\n' ' ')"'; do
			"$HELPERS/$program" mkdir
			rmdir made
			STAGEFENCE_STAGE=nomkdir shimmed sh -c "$HELPERS/$program mkdir"
		done
		"$HELPERS/bare"
		rmdir made
		STAGEFENCE_STAGE=nomkdir shimmed sh -c "$HELPERS/bare"'
	local count
	count=$(built try try-static try-static-pie try-musl try-musl-static try-asan bare | wc -l)
	[ "$(grep -cx 'mkdir ok' <<<"$output")" = "$count" ]
	[ "$(grep -cx 'mkdir EPERM' <<<"$output")" = "$count" ]
	[ "${#lines[@]}" = $((2 * count)) ]
}

@test "a stage that refuses what the loader needs holds from main on" {
	run -0 on_machine 'stages = ( { name = "neither"; block_calls = [ "open", "openat", "execve", "execveat" ]; block_action = "errno"; } );' '
		export STAGEFENCE_STAGE=neither
		sh -c ": </etc/passwd && /bin/echo bare"
		shimmed sh -c "echo started; (: </etc/passwd) || echo closed; /bin/true" || echo status $?
		rm $image
		shimmed cat /etc/passwd || echo status $?'
	[ "${lines[0]} ${lines[1]}" = "bare started" ]
	[[ "${lines[2]}" == *"cannot open /etc/passwd: Operation not permitted" ]]
	[ "${lines[3]}" = closed ]
	[[ "${lines[4]}" == *"/bin/true: Operation not permitted" ]]
	[ "${lines[5]}" = "status 126" ]
	# without an image the wrapper must execute the program once more; the loader of an ordinary user who plays root here is
	# not root's
	[ "${lines[-1]}" = "status 1" ] || [ "${lines[-1]}" = "status 125" ]
	[ "${#lines[@]}" = 8 ]
}

# ---- the environment ----

@test "the shim takes itself out of LD_PRELOAD, and leaves other libraries in their order" {
	run -0 on_machine "stages = ( $refusing );" '
		export STAGEFENCE_STAGE=nomkdir
		cp "$HELPERS/seen" /usr/local/bin
		for name in a b; do
			echo | cc -shared -fPIC -x c -o "$TMPDIR/$name.so" -
		done
		cd "$TMPDIR"
		a=$PWD/a.so b=$PWD/b.so
		for stale in "" 1; do
			for value in "$shim" "$a:$shim:$b" "$a $shim $b" "$shim:$a" "$a:$shim" "$shim $shim" "$a:$b:$shim" "$shim:$a:$shim:$b:$shim" \
				" $shim" "$a:: $shim"; do
				[ -z "$stale" ] || rm -f $image
				LD_PRELOAD=$value seen >seen.out
				{ grep -E "^env (LD_PRELOAD|STAGEFENCE_FENCE)" seen.out || echo none; } | sed "s:$PWD/::g"
			done
		done'
	local expected='none
env LD_PRELOAD=a.so:b.so
env LD_PRELOAD=a.so:b.so
env LD_PRELOAD=a.so
env LD_PRELOAD=a.so
none
env LD_PRELOAD=a.so:b.so
env LD_PRELOAD=a.so:b.so
none'
	# what is left of empty entries is nobody's business
	[ "$(sed -n 1,9p <<<"$output")" = "$expected" ]
	[[ "${lines[9]}" =~ ^env\ LD_PRELOAD=a\.so:*$ ]]
	[ "$(sed -n 11,19p <<<"$output")" = "$expected" ]
	[[ "${lines[19]}" =~ ^env\ LD_PRELOAD=a\.so:*$ ]]
}

@test "arguments, environment, descriptors and process are those of a bare start, with a fresh image and without" {
	run -0 on_machine "stages = ( $refusing );" '
		export STAGEFENCE_STAGE=nomkdir ODD="$(printf "a\nb")" EMPTY=
		cp "$HELPERS/seen" /usr/local/bin
		cd "$TMPDIR"
		seen one "two words" "" 5</dev/null >bare
		shimmed seen one "two words" "" 5</dev/null >fresh
		diff bare fresh
		for how in fresh stale; do
			[ $how = fresh ] || rm $image
			shimmed seen one "two words" "" 5</dev/null >out
			diff bare out
			sh -c "echo \$\$; LD_PRELOAD=$shim exec sh -c \"echo \\\$\\\$\"" | uniq | wc -l
			(exec -a "a name" seen) | head -n 1
			(export LD_PRELOAD=$shim; exec -a "a name" seen) | head -n 1
			"$HELPERS/signals" /usr/local/bin/seen >signals.bare
			LD_PRELOAD=$shim "$HELPERS/signals" /usr/local/bin/seen >signals.out
			diff signals.bare signals.out
			seen 0<&- 2>&- >closed.bare
			shimmed seen 0<&- 2>&- >closed.out
			diff closed.bare closed.out
		done
		printf "#!/bin/sh\necho \"\$0\" \"\$@\"\n" >script
		chmod +x script
		shimmed ./script a "b c"'
	[ "$output" = $'1\nargv 0 a name\nargv 0 a name\n1\nargv 0 a name\nargv 0 a name\n./script a b c' ]
}

# ---- which stage ----

@test "no stage: refused with one line, let through with the shim kept, or held to the stage that is named" {
	run -0 on_machine "stages = ( $refusing );" '
		mkdir made && rmdir made
		shimmed mkdir made || echo $?'
	[[ "${lines[0]}" == "stagefence: no stage is named"* ]]
	[ "${lines[*]:1}" = 125 ]
	run -0 on_machine "no_stage = \"pass\"; stages = ( $refusing );" '
		shimmed sh -c "echo \$LD_PRELOAD; mkdir made && rmdir made; grep Seccomp: /proc/self/status; STAGEFENCE_STAGE=nomkdir mkdir made" ||
			echo $?
		rm $image
		shimmed sh -c "echo \$LD_PRELOAD \${STAGEFENCE_FENCE-none}; mkdir made && rmdir made" || echo $?'
	[ "${lines[0]}" = "$SHIM" ]
	[ "${lines[1]}" = "$(grep Seccomp: /proc/self/status)" ]
	[[ "${lines[2]}" == *"Operation not permitted" ]]
	[ "${lines[3]}" = 1 ]
	[ "${lines[4]}" = "$SHIM none" ]
	[ "${#lines[@]}" = 5 ]
	run -0 on_machine "no_stage = \"nomkdir\"; stages = ( $refusing );" 'shimmed mkdir made || echo $?'
	[[ "${lines[0]}" == *"Operation not permitted" ]]
	[ "${lines[1]}" = 1 ]
}

@test "an unknown, empty, doubled or overlong stage is refused with one line, or held to unknown_stage" {
	run -0 on_machine "stages = ( { name = \"open\"; }, $refusing );" '
		STAGEFENCE_STAGE=open shimmed mkdir made && rmdir made
		for stage in nope "" "$(printf "x%.0s" $(seq 256))"; do
			STAGEFENCE_STAGE=$stage shimmed mkdir made || echo $?
		done
		"$HELPERS/twice" STAGEFENCE_STAGE=open STAGEFENCE_STAGE=open LD_PRELOAD=$shim -- /bin/mkdir made || echo $?
		[ ! -e made ]'
	[ "${#lines[@]}" = 8 ]
	[ "$(grep -cx 125 <<<"$output")" = 4 ]
	[ "$(grep -c '^stagefence: ' <<<"$output")" = 4 ]
	run -0 on_machine "unknown_stage = \"nomkdir\"; stages = ( { name = \"open\"; }, $refusing );" '
		for stage in nope "" "$(printf "x%.0s" $(seq 256))"; do
			STAGEFENCE_STAGE=$stage shimmed mkdir made || echo $?
		done
		"$HELPERS/twice" STAGEFENCE_STAGE=open STAGEFENCE_STAGE=open LD_PRELOAD=$shim -- /bin/mkdir made || echo $?'
	[ "$(grep -cx 1 <<<"$output")" = 4 ]
	[ "$(grep -c 'Operation not permitted$' <<<"$output")" = 4 ]
}

@test "a disabled stage runs free, and its children are asked again" {
	run -0 on_machine "stages = ( { name = \"off\"; disabled = true; block_calls = [ \"mkdir\" ]; }, $refusing );" '
		STAGEFENCE_STAGE=off shimmed sh -c "mkdir made && rmdir made && echo free; STAGEFENCE_STAGE=nomkdir mkdir made" || echo $?'
	[ "${lines[0]}" = free ]
	[[ "${lines[1]}" == *"Operation not permitted" ]]
	[ "${lines[2]}" = 1 ]
}

# ---- a stale image ----

@test "a policy that changed after it was compiled holds at once, however it changed" {
	run -0 on_machine "stages = ( { name = \"build\"; }, { name = \"other\"; } );" '
		export STAGEFENCE_STAGE=build
		try() { rm -rf made; shimmed mkdir made 2>&1 || echo status $?; }
		compile() { printf "version = 1;\n%s\n" "$1" >$conf; stagefencectl compile; try; }
		refuse="stages = ( { name = \"build\"; block_calls = [ \"mkdir\", \"mkdirat\" ]; block_action = \"errno\"; errno = \"EROFS\"; } );"
		allow="stages = ( { name = \"build\"; } );"
		try
		echo -- edited; printf "version = 1;\n%s\n" "$refuse" >$conf; try
		echo -- compiled; stagefencectl compile; try
		echo -- touched; touch $conf; try
		echo -- replaced; printf "version = 1;\n%s\n" "$refuse" >$conf.new; mv $conf.new $conf; try
		echo -- same size and times; compile "$refuse" >/dev/null; stamp=$(stat -c %y $conf); sed -i s/EROFS/EPERM/ $conf; touch -d "$stamp" $conf; try
		echo -- same file and size; sed s/EPERM/EROFS/ $conf >$conf.new; compile "$(tail -n 1 $conf)" >/dev/null; cat $conf.new >$conf; rm $conf.new; try
		echo -- no image; rm $image; try
		echo -- drop-in; compile "$allow"
		printf "floor = \"f\"; profiles = ( { name = \"f\"; block_calls = [ \"mkdir\", \"mkdirat\" ]; block_action = \"errno\"; } );" \
			>/etc/stagefence/conf.d/a.conf; try
		echo -- drop-in compiled; stagefencectl compile; try
		echo -- drop-in edited; sed -i s/\"errno\"/\"errno\"\;\ errno\ =\ \"EROFS\"/ /etc/stagefence/conf.d/a.conf; try
		echo -- drop-in gone; rm /etc/stagefence/conf.d/a.conf; try
		echo -- policy gone; rm $conf; try'
	local refused="mkdir: cannot create directory 'made': Operation not permitted" frozen="mkdir: cannot create directory 'made': Read-only file system"
	[ "$(sed -n '1,/^-- policy gone/p' <<<"$output")" = "-- edited
$frozen
status 1
-- compiled
$frozen
status 1
-- touched
$frozen
status 1
-- replaced
$frozen
status 1
-- same size and times
$refused
status 1
-- same file and size
$frozen
status 1
-- no image
$frozen
status 1
-- drop-in
$refused
status 1
-- drop-in compiled
$refused
status 1
-- drop-in edited
$frozen
status 1
-- drop-in gone
-- policy gone" ]
	# one line of the compiler or the wrapper, and nothing runs
	[ "$(sed '1,/^-- policy gone/d' <<<"$output" | wc -l)" = 2 ]
	[ "${lines[-1]}" = "status 125" ]
}

stale="stagefence: cannot run INSTALLED (is it installed, and /proc mounted?)"
refused="mkdir: cannot create directory 'made': Operation not permitted"

@test "an image that another compiler made is not fresh; without any compiler it is" {
	run -0 on_machine "stages = ( $refusing );" '
		export STAGEFENCE_STAGE=nomkdir
		compiler=$COMPILER
		rm $WRAPPER
		try() { shimmed mkdir made || echo "$1: $?"; }
		try fresh
		mv $compiler away; try "no compiler"
		cp -p away $compiler; try "another compiler"
		rm $compiler; mv away $compiler; try "the same, but moved"
		$compiler compile; try "compiled again"'
	[ "$output" = "$refused
fresh: 1
$refused
no compiler: 1
${stale//INSTALLED/$WRAPPER}
another compiler: 125
${stale//INSTALLED/$WRAPPER}
the same, but moved: 125
$refused
compiled again: 1" ]
}

@test "an image that another libseccomp made is not fresh" {
	needs root # to cover a file of the system's
	run -0 on_machine "stages = ( $refusing );" '
		export STAGEFENCE_STAGE=nomkdir
		library=$(realpath "$(ldd $COMPILER | sed -n "s/.*libseccomp[^ ]* => \\([^ ]*\\).*/\\1/p")")
		rm $WRAPPER
		try() { shimmed mkdir made || echo "$1: $?"; }
		try fresh
		cp -p "$library" copy; mount --bind copy "$library"; try "another library"
		umount "$library"; try "the same"'
	[ "$output" = "$refused
fresh: 1
${stale//INSTALLED/$WRAPPER}
another library: 125
$refused
the same: 1" ]
}

@test "a policy that became wrong is said, and nothing runs" {
	run -0 on_machine "stages = ( { name = \"build\"; } );" '
		STAGEFENCE_STAGE=build shimmed mkdir made && rmdir made
		echo "stages = ( { name = 1 } );" >$conf
		STAGEFENCE_STAGE=build shimmed mkdir made || echo $?
		[ ! -e made ]'
	[ "${lines[-1]}" = 125 ]
	[[ "${lines[0]}" == "stagefencectl: /etc/stagefence/stagefence.conf:1: "* ]]
}

@test "without the wrapper a stale image is 125 and one line" {
	needs musl
	run -0 on_machine "stages = ( { name = \"build\"; } );" '
		export STAGEFENCE_STAGE=build
		shimmed mkdir made && rmdir made
		touch $conf
		rm $WRAPPER
		shimmed mkdir made || echo $?
		shimmed "$HELPERS/try-musl" mkdir || echo $?'
	[ "$output" = "stagefence: cannot run $WRAPPER (is it installed, and /proc mounted?)
125
stagefence: cannot run $WRAPPER (is it installed, and /proc mounted?)
125" ]
}

# ---- an image that is not to be trusted ----

@test "a broken image is 125 and one line, or the policy is compiled anew: nothing ever runs free" {
	run -0 on_machine "stages = ( $refusing );" '
		export STAGEFENCE_STAGE=nomkdir
		cp $image good
		size=$(stat -c %s good)
		mkdir made && rmdir made
		for length in 0 1 4 8 60 100 200 400 $((size / 2)) $((size - 8)) $((size - 1)); do
			head -c $length good >$image
			echo "cut $(shimmed mkdir made 2>&1) $?"
		done
		(cat good; echo x) >$image
		echo "longer $(shimmed mkdir made 2>&1) $?"
		cp good $image
		for i in $(seq 0 160) $(seq 161 29 $((size - 1))); do
			at=$i bit=$((i % 8)) perl -0777 -pe "substr(\$_, \$ENV{at}, 1) ^= chr(1 << \$ENV{bit})" good >$image
			echo "bit $i $(shimmed mkdir made 2>&1) $?"
			[ ! -e made ]
		done
		[ ! -e made ]'
	[ "${#lines[@]}" -gt 170 ]
	[ "$(grep -c '^cut stagefence: .* 125$' <<<"$output")" = 11 ]
	# each is one line that ends in the status: 125 and a line of ours, or mkdir was refused
	run -1 grep -vE '^(cut|longer|bit [0-9]+) (stagefence: .* 125|mkdir: .*Operation not permitted 1)$' <<<"$output"
}

@test "an image that others can write is refused with one line" {
	run -0 on_machine "stages = ( $refusing );" '
		export STAGEFENCE_STAGE=nomkdir
		shimmed mkdir made || echo $?
		for mode in 664 646 666; do
			chmod $mode $image
			shimmed mkdir made || echo $?
		done
		chmod 644 $image
		chmod 777 /var/cache/stagefence
		shimmed mkdir made || echo $?
		chmod 755 /var/cache/stagefence
		mv $image $image.real
		ln -s $image.real $image
		shimmed mkdir made || echo $?
		rm $image
		mkdir $image
		shimmed mkdir made || echo $?
		rmdir $image
		mkfifo $image
		shimmed mkdir made || echo $?'
	[[ "${lines[0]}" == mkdir:*"Operation not permitted" ]]
	[ "${lines[1]}" = 1 ]
	for line in 2 4 6 8 10 12 14; do
		[[ "${lines[line]}" == "stagefence: /var/cache/stagefence/policy.sfi: "* ]]
		[ "${lines[line + 1]}" = 125 ]
	done
	[[ "${lines[8]}" == *"stagefence can be written by others"* ]]
	[ "${#lines[@]}" = 16 ]
}

@test "an image that is not root's is refused with one line" {
	needs root
	run -0 on_machine "stages = ( $refusing );" '
		export STAGEFENCE_STAGE=nomkdir
		chown 65534 $image
		shimmed mkdir made || echo $?
		setpriv --reuid=65534 --regid=65534 --clear-groups env LD_PRELOAD=$shim /bin/mkdir made || echo $?
		chown 0 $image
		chown 65534 /var/cache/stagefence
		shimmed mkdir made || echo $?
		[ ! -e made ]'
	for line in 0 2 4; do
		[[ "${lines[line]}" == "stagefence: /var/cache/stagefence/policy.sfi: "*"belongs to somebody who could change it"* ]]
		[ "${lines[line + 1]}" = 125 ]
	done
	[[ "${lines[4]}" == *"policy.sfi: stagefence belongs"* ]]
}

@test "an ordinary user is confined by root's image, and cannot change it" {
	needs root
	run -0 on_machine "stages = ( $refusing );" '
		ordinary() { setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"; }
		mkdir -m 777 /mnt/work
		cd /mnt/work
		ordinary mkdir made && rmdir made
		STAGEFENCE_STAGE=nomkdir LD_PRELOAD=$shim ordinary mkdir made || echo $?
		touch $conf
		STAGEFENCE_STAGE=nomkdir ordinary env LD_PRELOAD=$shim mkdir made || echo $?
		ordinary touch $image 2>/dev/null || echo root only'
	[[ "${lines[0]}" == *"Operation not permitted" || "${lines[0]}" == *"not permitted" ]]
	[[ "${lines[-3]}" == mkdir:*"Operation not permitted" ]]
	[ "${lines[-2]}" = 1 ]
	[ "${lines[-1]}" = "root only" ]
}

# ---- what ran before ----

@test "a thread that another library started first is fenced too" {
	needs musl
	run -0 on_machine "stages = ( { name = \"open\"; }, $refusing );" '
		cd "$TMPDIR"
		check() { [ ! -e made-early ] || echo "thread made it"; rm -rf made-early; }
		export STAGEFENCE_STAGE=open
		LD_PRELOAD=$HELPERS/early-thread.so /bin/true; check
		LD_PRELOAD=$shim:$HELPERS/early-thread.so /bin/true; check
		LD_PRELOAD=$HELPERS/early-thread-musl.so "$HELPERS/try-musl"; check
		LD_PRELOAD=$HELPERS/early-thread-musl.so:$shim "$HELPERS/try-musl"; check
		echo refused
		export STAGEFENCE_STAGE=nomkdir
		for stale in "" 1; do
			for order in $shim:$HELPERS/early-thread.so $HELPERS/early-thread.so:$shim; do
				[ -z "$stale" ] || rm -f $image
				LD_PRELOAD=$order /bin/true; check
			done
			[ -z "$stale" ] || rm -f $image
			LD_PRELOAD=$HELPERS/early-thread-musl.so:$shim "$HELPERS/try-musl"; check
			LD_PRELOAD=$shim:$HELPERS/early-thread-musl.so "$HELPERS/try-musl"; check
		done'
	[ "$output" = $'thread made it\nthread made it\nthread made it\nthread made it\nrefused' ]
}

@test "a program whose environment another library replaced first is confined, or refused with one line" {
	needs musl
	run -0 on_machine "stages = ( $refusing );" '
		cd "$TMPDIR"
		export STAGEFENCE_STAGE=nomkdir
		LD_PRELOAD=$HELPERS/early-environ.so "$HELPERS/try" mkdir
		rmdir made
		LD_PRELOAD=$HELPERS/early-environ-musl.so "$HELPERS/try-musl" mkdir
		rmdir made
		for stale in "" 1; do
			for clear in "" EARLY_CLEAR=1; do
				for order in $shim:$HELPERS/early-environ $HELPERS/early-environ:$shim; do
					for musl in "" -musl; do
						[ -z "$stale" ] || rm -f $image
						preload=${order/early-environ/early-environ$musl.so}
						echo "$(env $clear LD_PRELOAD=$preload "$HELPERS/try$musl" mkdir 2>&1) $?"
						rm -rf made
					done
				done
			done
		done'
	echo "$output"
	[ "${lines[0]} ${lines[1]}" = "mkdir ok mkdir ok" ]
	[ "${#lines[@]}" = 18 ]
	run -1 grep -vE '^(mkdir EPERM 0|stagefence: .* 125)$' <<<"$(tail -n +3 <<<"$output")"
}

@test "a program that calls a list of its own environ is confined by what the runner said" {
	run -0 on_machine "no_stage = \"pass\"; stages = ( $refusing );" '
		cd "$TMPDIR"
		export STAGEFENCE_STAGE=nomkdir
		"$HELPERS/own-environ" mkdir
		rmdir made
		shimmed "$HELPERS/own-environ" mkdir
		rm $image
		shimmed "$HELPERS/own-environ" mkdir
		[ ! -e made ]'
	[ "$output" = $'mkdir ok\nmkdir EPERM\nmkdir EPERM' ]
}

@test "a program that was started through its dynamic loader is confined, with a fresh image and without" {
	needs musl
	run -0 on_machine "stages = ( $refusing );" '
		cd "$TMPDIR"
		export STAGEFENCE_STAGE=nomkdir
		loader() { readelf -lW "$1" | sed -n "s/.*program interpreter: \(.*\)\]/\1/p"; }
		for program in try try-musl; do
			loader=$(loader "$HELPERS/$program")
			"$loader" "$HELPERS/$program" mkdir
			rmdir made
			shimmed "$loader" "$HELPERS/$program" mkdir
			rm $image
			shimmed "$loader" "$HELPERS/$program" mkdir || echo status $?
			stagefencectl compile
		done'
	[ "${lines[*]}" = "mkdir ok mkdir EPERM mkdir EPERM mkdir ok mkdir EPERM mkdir EPERM" ]
}

@test "a shim that is loaded by another name, or by the loader's option, sends no program round in circles" {
	run -0 on_machine "stages = ( $refusing );" '
		cd "$TMPDIR"
		export STAGEFENCE_STAGE=nomkdir
		ln -s $shim /usr/local/lib/other.so
		loader=$(readelf -lW "$HELPERS/try" | sed -n "s/.*program interpreter: \(.*\)\]/\1/p")
		LD_PRELOAD=/usr/local/lib/other.so "$HELPERS/try" mkdir
		"$loader" --preload $shim "$HELPERS/try" mkdir
		rm $image
		timeout 5 env LD_PRELOAD=/usr/local/lib/other.so "$HELPERS/try" mkdir 2>&1 || echo status $?
		timeout 5 "$loader" --preload $shim "$HELPERS/try" mkdir 2>&1 || echo status $?
		[ ! -e made ]'
	[ "${lines[0]} ${lines[1]}" = "mkdir EPERM mkdir EPERM" ]
	run -1 grep -vE '^(mkdir EPERM|stagefence: .*|status 125)$' <<<"$output"
}

@test "a program whose file is gone is confined by a fresh image; without one it is refused with one line" {
	needs musl
	run -0 on_machine "stages = ( $refusing );" '
		cd "$TMPDIR"
		export STAGEFENCE_STAGE=nomkdir
		for program in try try-musl; do
			cp "$HELPERS/$program" copy
			exec 9<copy
			rm copy
			/proc/self/fd/9 mkdir
			rmdir made
			shimmed /proc/self/fd/9 mkdir
			"$HELPERS/anonymous" "$HELPERS/$program" env LD_PRELOAD=$shim {} mkdir
			rm $image
			shimmed /proc/self/fd/9 mkdir 2>&1 || echo status $?
			"$HELPERS/anonymous" "$HELPERS/$program" env LD_PRELOAD=$shim {} mkdir 2>&1 || echo status $?
			[ ! -e made ]
			stagefencectl compile
		done'
	for line in 0 7; do
		[ "${lines[*]:line:3}" = "mkdir ok mkdir EPERM mkdir EPERM" ]
		[[ "${lines[line + 3]}" == "stagefence: "* && "${lines[line + 4]}" == "status 12"[567] ]]
		[[ "${lines[line + 5]}" == "stagefence: "* && "${lines[line + 6]}" == "status 12"[567] ]]
	done
	[ "${#lines[@]}" = 14 ]
}

@test "ten thousand nested programs, each with the shim anew, have one filter" {
	run -0 on_machine "stages = ( $refusing );" '
		export STAGEFENCE_STAGE=nomkdir
		nest=$HELPERS/nest
		time LD_PRELOAD=$shim timeout 40 "$nest" 10000 LD_PRELOAD=$shim'
	echo "$output"
	[ "${lines[0]}" = $'Seccomp_filters:\t1' ]
}

# ---- every program of a script ----

@test "a script whose every program is preloaded prints what it prints bare" {
	cat >script <<'END'
#!/bin/bash
set -o pipefail
echo start; pwd | wc -l; id -u; uname -s
mkdir -p a/b/c && touch a/b/c/{one,two,three} && find a -type f | sort
seq 10 | sed 's/1/one/' | awk '{ print NR ": " $0 }' | tail -n 3 | tac
for i in 1 2 3; do (sleep 0.0$i; echo "sub $i" | tr a-z A-Z); done
wait; echo "$(date -u -d @0 +%F)" "$(basename "$PWD" | wc -w)"
cat <<HERE | grep -c .
one
two
HERE
perl -e 'print join(",", sort grep { /^LD_/ } keys %ENV), "\n"' | sed 's/LD_PRELOAD//'
tar -cf - a | tar -tf - | sort | head -n 2
gzip <a/b/c/one | gunzip | cmp - a/b/c/one && echo same
printf '%s\n' x y z | xargs -n 1 -P 3 echo | sort
diff <(echo 1) <(echo 2); echo "diff $?"
env -i /bin/sh -c 'echo clean'; nice -n 1 true; echo "nice $?"
timeout 1 sleep 5; echo "timeout $?"
bash -c 'exit 9'; echo "exit $?"; { sh -c 'kill -9 $$'; } 2>/dev/null; echo "killed $?"
sleep 0.01 & wait $!; echo "wait $?"
cp -r a d; mv d e; ln -s e f; readlink f; stat -c %F f; du -a e | wc -l; rm -rf a e f
ls -la | wc -l; expr 6 '*' 7; test -e nothing || echo nothing; false | true; echo "pipe $?"
END
	run -0 on_machine "no_stage = \"pass\"; stages = ( { name = \"open\"; }, { name = \"shell\"; block_all = true; allow_calls = [ \"@shell\" ]; } );" '
		script=$PWD/script
		mkdir work
		cd work
		bash $script >../bare 2>&1
		shimmed bash $script >../pass 2>&1
		diff ../bare ../pass
		STAGEFENCE_STAGE=open shimmed bash $script >../open 2>&1
		diff ../bare ../open
		STAGEFENCE_STAGE=shell shimmed bash $script >../shell 2>&1
		diff ../bare ../shell
		rm $image
		STAGEFENCE_STAGE=shell shimmed bash $script >../stale 2>&1
		diff ../bare ../stale
		wc -l <../bare'
	[ "$output" -gt 30 ]
}

# ---- the file ----

@test "the shim has no library, no symbol but weak environ, two segments, and at most 4096 bytes of text" {
	[ -z "${STAGEFENCE_INSTALLED-}" ] || skip "the build tree's"
	local shim=$build/libstagefence.so
	run -0 size -A "$shim"
	[ "$(awk '$1 == ".text" { print $2 }' <<<"$output")" -le 4096 ]
	[ "$(awk '$1 == ".data" || $1 == ".bss" { n += $2 } END { print n + 0 }' <<<"$output")" = 0 ]
	run -0 readelf -dW "$shim"
	[[ "$output" != *"(NEEDED)"* ]]
	[[ "$output" != *"(TEXTREL)"* ]]
	[ "$(nm -u "$shim" | awk '{ print $1, $2 }')" = "w environ" ]
	[ "$(nm -D --defined-only "$shim")" = "" ]
	run -0 readelf -lW "$shim"
	[ "$(grep -c '^ *LOAD ' <<<"$output")" = 2 ]
	[[ "$output" != *" RWE "* ]]
}
