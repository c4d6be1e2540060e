#!/usr/bin/env bats
# Mistakes in a policy: each is said as "FILE:LINE: what", all of them in one run, and nothing is compiled. The files of
# policies/bad carry what must be said of a line in that line: "#! what"; "#!! what" is said of the file.

setup() {
	load lib
}

teardown() {
	[ -z "${outside-}" ] || rm -rf "$outside"
}

# What a file promises to be said of it, sorted.
promised() {
	local groups
	groups=$(readlink -f "$(command -v stagefencectl)")
	groups=${groups%/*}/groups.conf
	[ -e "$groups" ] || groups=/usr/share/stagefence/groups.conf
	# AIO is where the vendor's groups have @aio
	awk -v file="$1" -v aio="$groups:$(grep -n '^  { name = "@aio"' "$groups" | cut -d: -f1)" '
		/^#!! / { print "stagefencectl: " file ": " substr($0, 5); next }
		{
			count = split($0, part, "#! ")
			for (i = 2; i <= count; i++) {
				if (i < count)
					sub(/ $/, "", part[i])
				sub(/AIO$/, aio, part[i])
				print "stagefencectl: " file ":" FNR ": " part[i]
			}
		}' "$1" | sort
}

# Like run -STATUS, for use where errexit is off.
gives() {
	run --separate-stderr within "${seconds-20}" "${@:2}"
	[ "$status" = "$1" ] || echo "${*:2}: status $status and not $1: $output $stderr"
	[ "$status" = "$1" ]
}

# Everything that must be said of a file is, by check, by compile, and through the wrapper, whose command does not run.
mistakes() {
	local file=$1 who

	for who in 'check' 'compile -o image' 'compile -o -' wrapper; do
		if [ "$who" = wrapper ]; then
			gives 125 stagefence -c "$file" -s x touch ran || return 1
		else
			# shellcheck disable=SC2086
			gives 1 stagefencectl $who -c "$file" || return 1
		fi
		# shellcheck disable=SC2154
		diff -u <(promised "$file") <(sed 's/ *$//' <<<"$stderr" | sort) || return 1
		[ -z "$output" ] && [ ! -e image ] && [ ! -e ran ] || return 1
	done
}

# One policy with one mistake, given as a whole: "line: what" is said, or with line 0 "what" of the file.
mistake() {
	local at=":$2"

	[ "$2" != 0 ] || at=''
	gives 1 stagefencectl check -c "$1" || return 1
	if [ "$stderr" != "stagefencectl: $1$at: $3" ]; then
		printf 'of %s: %s\nnot: stagefencectl: %s%s: %s\n' "$1" "$stderr" "$1" "$at" "$3"
		return 1
	fi
	gives 125 stagefence -c "$1" -s x touch ran || return 1
	one_line "$stderr" && [ ! -e ran ]
}

accepted() {
	gives 0 stagefencectl check -c "$1" || return 1
	# notes are no mistakes
	if grep -v -e ': note: ' -e '^$' <<<"$stderr"; then
		return 1
	fi
	rm -f image
	gives 0 stagefencectl compile -c "$1" -o image && [ -s image ]
}

# A path that stagefencectl and stagefence do not open, both with the same words.
untrusted() {
	# of the file itself the name is said once
	set -- "$1" "${2#"${1##*/}"[: ]}"
	set -- "$1" "${2# }"
	gives 1 stagefencectl check -c "$1" || return 1
	[ "$stderr" = "stagefencectl: $1: $2" ] || { echo "$stderr"; return 1; }
	gives 125 stagefence -c "$1" -s x touch ran || return 1
	[ "$stderr" = "stagefence: $1: $2" ] || { echo "$stderr"; return 1; }
	[ ! -e ran ]
}

good='version = 1; stages = ( { name = "x"; block_calls = [ "mkdir" ]; } );'

@test "each mistake of policies/bad is said with its file and line, all of them at once, and nothing runs" {
	local count=0 wrong=''
	for file in "$tests"/policies/bad/*.conf; do
		cp "$file" .
		mistakes "${file##*/}" || wrong+=" ${file##*/}"
		count=$((count + 1))
	done
	[ -z "$wrong" ]
	[ "$count" -ge 20 ]
}

@test "the policies of policies/good are good" {
	local count=0 wrong=''
	for file in "$tests"/policies/good/*.conf; do
		cp "$file" .
		accepted "${file##*/}" || wrong+=" ${file##*/}"
		count=$((count + 1))
	done
	[ -z "$wrong" ]
	[ "$count" -ge 5 ]
}

@test "good policies with CR LF, without a last line end, and of exactly 1 MiB are good" {
	for file in "$tests"/policies/good/*.conf; do
		sed 's/$/\r/' "$file" >crlf.conf
		accepted crlf.conf
		printf %s "$(<"$file")" >bare.conf
		accepted bare.conf
	done
	printf '%s #%*s' "$good" $((1048576 - ${#good} - 2)) '' >large.conf
	[ "$(stat -c %s large.conf)" = 1048576 ]
	accepted large.conf
}

@test "lines are counted alike whatever ends them" {
	sed 's/$/\r/' "$tests/policies/bad/syntax.conf" >crlf.conf
	mistake crlf.conf 2 "syntax error"
	printf 'version = 1;\r\n\r\n/* a\r\nb */ # c\r\nstages = ( { name = "x"; colour = 1; } );\r\n' >crlf.conf
	mistake crlf.conf 5 "a stage has no key colour"
	printf 'version = 1; stages = ( {\nname = "a string\nof three\nlines"; colour = 1; } );' >crlf.conf
	run -1 stagefencectl check -c crlf.conf
	[ "${lines[0]}" = "stagefencectl: crlf.conf:4: a stage has no key colour" ]
}

@test "bytes that are no text" {
	local wrong=''
	# bytes in front of a good policy's third line, and what is said of them
	while IFS='|' read -r bytes what; do
		printf "version = 1;\n# a comment\n/* $bytes */ stages = ( { name = \"x\"; } );" >comment.conf
		mistake comment.conf 3 "$what" || wrong+=" comment:$bytes"
		printf "version = 1;\nstages = ( { name =\n\"x$bytes\"; } );" >string.conf
		mistake string.conf 3 "$what" || wrong+=" string:$bytes"
		printf "version = 1;\nstages = ( { name = \"x\"; } );\n$bytes" >last.conf
		mistake last.conf 3 "$what" || wrong+=" last:$bytes"
	done <<'END'
\0|a control character (or NUL byte) in the text
\001|a control character (or NUL byte) in the text
\013|a control character (or NUL byte) in the text
\033[2J|a control character (or NUL byte) in the text
\177|a control character (or NUL byte) in the text
\200|bytes that are not UTF-8
\377|bytes that are not UTF-8
\300\257|bytes that are not UTF-8
\340\200\257|bytes that are not UTF-8
\355\240\200|bytes that are not UTF-8
\360\200\200\257|bytes that are not UTF-8
\364\220\200\200|bytes that are not UTF-8
\370\210\200\200\200|bytes that are not UTF-8
\342\202|bytes that are not UTF-8
\342|bytes that are not UTF-8
END
	[ -z "$wrong" ]
	printf '\357\273\277%s' "$good" >mark.conf
	mistake mark.conf 1 "the file begins with a byte order mark; save it without"
	printf '%s' "$good" | iconv -t UTF-16LE >wide.conf
	mistake wide.conf 1 "a control character (or NUL byte) in the text"
	head -c 5000 /dev/urandom >noise.conf
	gives 1 stagefencectl check -c noise.conf
	[[ "$stderr" == "stagefencectl: noise.conf:"* ]]
}

@test "a policy in an included file is not read, wherever it stands" {
	echo "$good" >other.conf
	for line in '@include "other.conf"' '	 @include "other.conf"' '@include_dir "."' '; @include "other.conf"'; do
		printf 'version = 1;\n%s\nstages = ( { name = "x"; } );\n' "$line" >include.conf
		mistake include.conf 2 "@include and its like are not known: use conf.d, or a base"
	done
	# it is text in comments and strings
	printf 'version = 1; /*\n@include "none"\n*/ # @include "none"\nstages = ( { name = "@include"; rules = (
	{ calls = "dup"; action = "log"; comment = "\n@include \\"none\\"\n"; } ); } );' >c.conf
	accepted c.conf
}

@test "comments and strings that never end, nesting and size: one line each, at once" {
	seconds=5
	printf 'version = 1;\nstages = ( { name = "x"; } );\n/*/' >c.conf
	mistake c.conf 3 "a comment that begins here never ends, and takes the rest of the file with it"
	printf 'version = 1;\nstages = ( { name = "x\\"; } );\n' >s.conf
	mistake s.conf 2 "a string that begins here never ends"
	for depth in 33 10000 1000000; do
		printf 'version = 1;\na = %s' "$(head -c $depth /dev/zero | tr '\0' '(')" >n.conf
		mistake n.conf 2 "nested too deep"
	done
	# as deep as scan.h allows: no key a, and no more to say
	printf 'version = 1; stages = ( { name = "x"; } );\na = %s 1 %s;' "$(head -c 32 /dev/zero | tr '\0' '(')" \
		"$(head -c 32 /dev/zero | tr '\0' ')')" >n.conf
	mistake n.conf 2 "a policy has no key a"
	printf '%s #%*s' "$good" $((1048577 - ${#good} - 2)) '' >large.conf
	mistake large.conf 0 "larger than 1 MiB"
	truncate -s 20G large.conf
	mistake large.conf 0 "larger than 1 MiB"
}

@test "names of 64 KiB: one line each, at once" {
	local long at wrong=''
	seconds=5
	long=$(head -c 65536 /dev/zero | tr '\0' a)
	while IFS='|' read -r text what; do
		printf 'version = 1;\nstages = ( { name = "x"; } );\n%s\n' "${text//LONG/$long}" >long.conf
		[[ "$text" != STAGES* ]] || printf 'version = 1;\n\nstages = ( %s );\n' "${text//STAGES/}" | sed "s/LONG/$long/g" >long.conf
		gives 1 stagefencectl check -c long.conf || wrong+=" $text"
		one_line "$stderr" || wrong+=" $text"
		[[ "$stderr" == "stagefencectl: long.conf:3: $what"* ]] || wrong+=" $text:${stderr:0:80}"
	done <<'END'
LONG = 1;|a policy has no key aaa
no_stage = "LONG";|no_stage must be refuse, pass or the name of a stage
stage_env = "LONG";|stage_env: "aaa
groups = ( { name = "LONG"; calls = "mkdir"; } );|a group needs a name that begins with @
profiles = ( { name = "LONG"; } );|a name has 1 to 255 bytes
STAGES{ name = "LONG"; }, { name = "x"; }|a name has 1 to 255 bytes
STAGES{ name = "x"; match = "LONG"; }|a pattern has 1 to 255 bytes
STAGES{ name = "x"; base = "LONG"; }|there is no stage or profile aaa
STAGES{ name = "x"; block_calls = "LONG"; }|unknown system call aaa
STAGES{ name = "x"; block_calls = "@LONG"; }|unknown group @aaa
STAGES{ name = "x"; default_action = "LONG"; }|default_action must be one of
STAGES{ name = "x"; default_action = "errno"; errno = "LONG"; }|unknown errno aaa
STAGES{ name = "x"; rules = ( { calls = "dup"; action = "errno"; args = ( { arg = 0; op = "=="; value = "LONG"; } ); } ); }|value: "aaa
END
	printf '%s' "$wrong"
	[ -z "$wrong" ]
	# and a good one: a comment
	printf '%s\nstages = ( { name = "x"; rules = ( { calls = "dup"; action = "log"; comment = "%s"; } ); } );' 'version = 1;' "$long" >long.conf
	accepted long.conf
}

# many FORMAT COUNT: that many entries, separated by commas; the number stands for %d.
many() {
	seq "$2" | sed "s/.*/$1/; \$!s/\$/,/"
}

# stagefencectl under a limit of memory; a sanitizer wants more than anybody has.
bounded() {
	if grep -qs __asan_init "$(command -v stagefencectl)"; then
		within "$seconds" stagefencectl "$@"
	else
		within "$seconds" prlimit --as=400000000 stagefencectl "$@"
	fi
}

@test "many rules: an answer at once, whatever it is, in 400 MB" {
	seconds=10
	{ echo 'version = 1; stages = ( { name = "x"; rules = ('; many '{ calls = "dup"; action = "log"; }' 100000; echo '); } );'; } >text.conf
	run -1 bounded check -c text.conf
	[ "$output" = "stagefencectl: text.conf: larger than 1 MiB" ]
	{ echo 'version = 1; stages = ( { name = "x"; rules = ('; many '{calls="@known";action="log"}' 2000; echo '); } );'; } >groups.conf
	run -1 bounded check -c groups.conf
	[ "$output" = "stagefencectl: groups.conf: more than 200000 rules" ]
	{ echo 'version = 1; stages = ( { name = "x"; rules = ('; many '{calls="@known";action="log"}' 300; echo '); } );'; } >groups.conf
	run -0 bounded check -c groups.conf
	{ echo 'version = 1; stages = ( { name = "x"; block_calls = ['; many '"mkdir"' 100000; echo ']; } );'; } >repeated.conf
	run -0 bounded check -c repeated.conf
}

@test "many conditions on one call: an answer at once, whatever it is, in 400 MB" {
	[ -z "${STAGEFENCE_QUICK-}" ] || skip "asked to be quick"
	local wrong='' good=''
	seconds=20
	# good, or refused for what is too much, and for nothing else
	answered() { # CALL
		run bounded check -c conditions.conf
		[ "$status" != 0 ] || good+=" $1:$count"
		[ "$status" = 0 ] || [[ "$status" = 1 && "$output" == *"the conditions on $1 are too many for a filter" ]]
	}
	for count in 100 300 1000 2000 12000; do
		{ echo 'version = 1; stages = ( { name = "x"; rules = ('; many \
			'{calls="ioctl";action="errno";args=({arg=1;op="==";value="&77"});}' $count; echo '); } );'; } >conditions.conf
		answered ioctl || wrong+=" $count rules with ==: status $status;"
	done
	for count in 30 300 1000; do
		{ echo 'version = 1; stages = ( { name = "x"; rules = ('; many \
			'{calls="lseek";action="errno";args=({arg=1;op="<";value="&7777777777"});}' $count; echo '); } );'; } >conditions.conf
		answered lseek || wrong+=" $count rules with <: status $status;"
	done
	echo "$wrong"
	[ -z "$wrong" ]
	[[ "$good" == *ioctl:100*lseek:30* ]]
}

@test "groups that name groups over and over are no more work than their calls" {
	seconds=20
	# each group names the next twenty times
	{ echo 'version = 1; groups = ('; for i in $(seq 9); do printf '{ name = "@g%s"; calls = [\n' "$i"; many "\"@g$((i + 1))\"" 20; echo ']; },'; done
		echo '{ name = "@g10"; calls = "mkdir"; } ); stages = ( { name = "x"; block_calls = "@g1"; } );'; } >wide.conf
	run -0 bounded check -c wide.conf
}

@test "an empty policy says what is missing" {
	: >empty.conf
	printf '# nothing\n' >comment.conf
	for file in empty.conf comment.conf; do
		run -1 stagefencectl check -c $file
		[ "${lines[0]}" = "stagefencectl: $file: version = 1; is missing" ]
		[ "${lines[1]}" = "stagefencectl: $file: there is no stage" ]
		[ "${#lines[@]}" = 2 ]
	done
}

@test "the largest errno is expressed, by default and by a rule" {
	printf 'version = 1;\nstages = ( { name = "x"; default_action = "errno";\nerrno = 4095; } );' >errno.conf
	accepted errno.conf
	printf 'version = 1;\nstages = ( { name = "x"; rules = ( { calls = "mkdir"; action = "errno";\nerrno = 4095; } ); } );' >errno.conf
	accepted errno.conf
}

# ---- the file itself ----

@test "what is no regular file is not opened" {
	mkfifo fifo
	mkdir folder
	ln -s good.conf link
	ln -s nowhere dangling
	echo "$good" >good.conf
	accepted good.conf
	accepted "$PWD/good.conf"
	accepted .//folder/../good.conf
	seconds=5
	untrusted fifo "fifo is neither a regular file nor a folder where one belongs"
	untrusted folder "folder is neither a regular file nor a folder where one belongs"
	untrusted folder/ "folder is neither a regular file nor a folder where one belongs"
	untrusted good.conf/ "good.conf is neither a regular file nor a folder where one belongs"
	untrusted good.conf/x "good.conf is neither a regular file nor a folder where one belongs"
	untrusted /dev/null "null is neither a regular file nor a folder where one belongs"
	untrusted /dev/zero "zero is neither a regular file nor a folder where one belongs"
	untrusted link "link is a symbolic link (name what it points to)"
	untrusted dangling "dangling is a symbolic link (name what it points to)"
	untrusted nowhere "nowhere: No such file or directory"
	untrusted no/where "no: No such file or directory"
	local long
	long=$(head -c 300 /dev/zero | tr '\0' a)
	untrusted "$long" "${long:0:256}: File name too long"
	run -1 stagefencectl check -c /dev/stdin <good.conf
	one_line "$output"
	gives 1 stagefencectl check -c ''
	one_line "$stderr"
	gives 125 stagefence -c '' -s x touch ran
	one_line "$stderr" && [ ! -e ran ]
}

@test "the current folder has no name any more" {
	mkdir gone
	cd gone
	rmdir ../gone
	run -1 stagefencectl check -c x.conf
	[ "$output" = "stagefencectl: x.conf: the current folder has no name: No such file or directory" ]
	run -125 stagefence -c x.conf -s x touch "$BATS_TEST_TMPDIR/ran"
	one_line "$output"
	[ ! -e "$BATS_TEST_TMPDIR/ran" ]
	cd ..
}

@test "what others can write is not trusted: the file, its folder, or one above" {
	mkdir -p a/b
	echo "$good" >a/b/p.conf
	accepted a/b/p.conf
	for mode in 664 646 666 1666; do
		chmod $mode a/b/p.conf
		untrusted a/b/p.conf "p.conf can be written by others (chmod go-w)"
	done
	for mode in 600 400 444 755; do
		chmod $mode a/b/p.conf
		accepted a/b/p.conf
	done
	for mode in 775 757 777; do
		chmod $mode a/b
		untrusted a/b/p.conf "b can be written by others (chmod go-w)"
		chmod 755 a/b
		chmod $mode a
		untrusted a/b/p.conf "a can be written by others (chmod go-w)"
		chmod 755 a
	done
	accepted a/b/p.conf
	# as in /tmp: entries are their owners'
	chmod 1777 a
	accepted a/b/p.conf
}

@test "links to folders are followed if nobody else can turn them; loops end" {
	mkdir -p real/deep shared
	echo "$good" >real/deep/p.conf
	ln -s real relative
	ln -s "$PWD/real/deep" absolute
	ln -s ../real/./deep shared/up
	ln -s loop2 loop1
	ln -s loop1 loop2
	accepted relative/deep/p.conf
	accepted absolute/p.conf
	accepted shared/up/p.conf
	accepted relative/../relative/deep/../../absolute/p.conf
	untrusted loop1/p.conf "loop1: Too many levels of symbolic links" ||
		untrusted loop1/p.conf "loop2: Too many levels of symbolic links"
	chmod 777 shared
	untrusted shared/up/p.conf "shared can be written by others (chmod go-w)"
	chmod 777 real
	untrusted relative/deep/p.conf "real can be written by others (chmod go-w)"
	untrusted absolute/p.conf "real can be written by others (chmod go-w)"
}

# A folder that everybody can reach, with copies of the programs: for tests as somebody else.
make_outside() {
	needs readable
	outside=$(mktemp -d /tmp/stagefence-check.XXXXXX)
	chmod 755 "$outside"
	cp "$(command -v stagefence)" "$(command -v stagefencectl)" "$outside"
	[ ! -e "$build/groups.conf" ] || cp "$build/groups.conf" "$outside"
	chmod go-w "$outside"/*
	PATH=$outside:$PATH
	cd "$outside"
}

nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

@test "a file of another owner is not trusted, and root's are by everybody" {
	needs root
	local who="belongs to somebody who could change it (chown root)"
	make_outside
	mkdir own theirs sticky
	for folder in own theirs sticky; do
		echo "$good" >$folder/p.conf
	done
	run -0 nobody stagefencectl check -c own/p.conf
	chown 65534 theirs own/p.conf
	chmod 1777 sticky
	untrusted own/p.conf "p.conf $who"
	untrusted theirs/p.conf "theirs $who"
	accepted sticky/p.conf
	ln -s "$PWD/own" sticky/link
	chown -h 65534 sticky/link
	untrusted sticky/link/p.conf "link $who"
	chown 65534 sticky/p.conf
	untrusted sticky/p.conf "p.conf $who"
	# the caller's own are his to trust
	run -0 nobody stagefencectl check -c own/p.conf
	run -0 nobody stagefencectl check -c theirs/p.conf
	chown 1234 sticky/p.conf
	run -1 nobody stagefencectl check -c sticky/p.conf
	[ "$output" = "stagefencectl: sticky/p.conf: $who" ]
	run -125 nobody stagefence -c sticky/p.conf -s x touch /tmp/ran
	[ "$output" = "stagefence: sticky/p.conf: $who" ]
	cd /
}

@test "an unreadable file, or a folder without a way through" {
	make_outside
	mkdir closed
	echo "$good" | tee p.conf >closed/p.conf
	chmod 600 p.conf
	if [ "$(id -u)" = 0 ]; then
		chmod 700 closed
		as=nobody
	else
		chmod 000 p.conf closed
		as=''
	fi
	run -1 $as stagefencectl check -c p.conf
	[ "$output" = "stagefencectl: p.conf: Permission denied" ]
	run -125 $as stagefence -c p.conf -s x touch /tmp/ran
	[ "$output" = "stagefence: p.conf: Permission denied" ]
	run -1 $as stagefencectl check -c closed/p.conf
	[ "$output" = "stagefencectl: closed/p.conf: Permission denied" ]
	run -125 $as stagefence -c closed/p.conf -s x touch /tmp/ran
	[ "$output" = "stagefence: closed/p.conf: Permission denied" ]
	chmod 700 closed
	cd /
}

@test "wrong usage of check and compile is status 2" {
	echo "$good" >p.conf
	for arguments in 'check -x' 'check p.conf' 'check -c' 'compile -c p.conf' 'nonesuch' ''; do
		# shellcheck disable=SC2086
		gives 2 stagefencectl $arguments
		[ -z "$output" ]
		[ -n "$stderr" ]
	done
}

@test "an image that cannot be written is said, and leaves nothing behind" {
	echo "$good" >p.conf
	mkdir folder
	gives 1 stagefencectl compile -c p.conf -o folder
	one_line "$stderr"
	[[ "$stderr" == "stagefencectl: folder: "* ]]
	gives 1 stagefencectl compile -c p.conf -o no/such/image
	one_line "$stderr"
	[ -z "$(find . -name '*.new')" ]
	gives 0 stagefencectl compile -c p.conf -o image
	run -1 bash -c 'stagefencectl compile -c p.conf -o - >/dev/full'
	[ "$output" = "stagefencectl: standard output: No space left on device" ]
	run -1 bash -c 'stagefencectl check -v -c p.conf >/dev/full'
	[ "$output" = "stagefencectl: standard output: No space left on device" ]
}

@test "a path that check -v prints steers no terminal" {
	mkdir $'a\e[31mb'
	policy $'a\e[31mb/p' '{ name = "x"; block_calls = [ "mkdir" ]; }'
	run -0 --separate-stderr stagefencectl check -v -c $'a\e[31mb/p.conf'
	[[ $output == *"/a?[31mb/p.conf"* ]]
	[[ $output != *$'\e'* ]]
}

@test "a value that stands for \$uid until the fence is raised cannot be compared with" {
	policy place '{ name = "a"; rules = ( { calls = "lseek"; action = "errno"; args = ( { arg = 1; op = "=="; value = "0x5e71d001"; } ); } ); }'
	run -1 stagefencectl check -c place.conf
	[[ $output == *"place.conf:3: value: this very number is taken"* ]]
	# nor its upper half
	sed 's/0x5e71d001/0x5e71d00100000005/' place.conf >upper.conf
	run -1 stagefencectl check -c upper.conf
	[[ $output == *'the conditions on lseek are on the very numbers that stand for $uid and $gid' ]]
	sed -i 's/0x5e71d001/0x5e71d003/' place.conf
	run -0 stagefencectl check -c place.conf
	sed -i 's/0x5e71d003/$uid/; s/lseek/setuid/; s/arg = 1/arg = 0/' place.conf
	run -0 stagefencectl check -c place.conf
}

@test "\$uid and \$gid are those of whoever raises the fence, each in its place" {
	local as=() ids
	[ "$(id -u)" != 0 ] || make_outside
	policy own '{ name = "x"; rules = (
	  { calls = "setuid"; exact = true; action = "errno"; errno = "EACCES"; args = ( { arg = 0; op = "=="; value = "$uid"; } ); },
	  { calls = "setgid"; exact = true; action = "errno"; errno = "EEXIST"; args = ( { arg = 0; op = "=="; value = "$gid"; } ); } ); }'
	cp "$helpers/try-static" .
	stagefencectl compile -c own.conf -o own.sfi
	for ids in "" "4711 4712" "70000 100000"; do
		[ -z "$ids" ] || [ "$(id -u)" = 0 ] || continue
		[ -z "$ids" ] || as=(setpriv --clear-groups --reuid "${ids% *}" --regid "${ids#* }")
		run -0 "${as[@]}" ./try-static own-uid own-gid no-uid no-gid
		[ "$output" = "$(printf '%s\n' 'own-uid ok' 'own-gid ok' 'no-uid EINVAL' 'no-gid EINVAL')" ]
		run -0 "${as[@]}" stagefence -c own.sfi -s x -- ./try-static own-uid own-gid no-uid no-gid
		[ "$output" = "$(printf '%s\n' 'own-uid EACCES' 'own-gid EEXIST' 'no-uid EINVAL' 'no-gid EINVAL')" ]
	done
}

@test "a condition on an argument that i386 has elsewhere is refused where a stage admits i386" {
	needs x86_64
	policy other '{ name = "a"; architectures = [ "i386" ];
	  rules = ( { calls = "pread64"; action = "errno"; args = ( { arg = 3; op = "=="; value = "7"; } ); } ); }'
	run -1 stagefencectl check -c other.conf
	[[ $output == *"the conditions on pread64 are on other arguments on i386, which the stage admits"* ]]
	sed -i 's/architectures = \[ "i386" \];//' other.conf
	run -0 stagefencectl check -c other.conf
}

@test "a call with more different answers than a filter can stack is refused, and one with fewer is not" {
	answers() { # COUNT
		local i
		printf 'version = 1; stages = ( { name = "a"; rules = (\n'
		for ((i = 1; i <= $1; i++)); do
			printf '{ calls = "dup"; action = "errno"; errno = "%d"; args = ( { arg = 0; op = "=="; value = "%d"; } ); }%s\n' \
				$((i + 200)) "$i" "$([ "$i" = "$1" ] || echo ,)"
		done
		echo ') } );'
	}
	answers 130 >many.conf
	run -1 stagefencectl check -c many.conf
	[[ $output == *"the conditions on dup are too many for a filter"* ]]
	answers 60 >some.conf
	run -0 stagefencectl check -c some.conf
}

@test "a filter whose jumps are far is proved like any other" {
	# every call another answer: hundreds of ranges
	local calls i rules
	calls=$(sed -nE 's/^C\(([a-z0-9_]+),.*/\1/p' "$source_folder/wrapper/calls.def")
	for most in 150 200 250 1000; do
		i=0 rules=''
		for call in $calls; do
			case $call in exit | exit_group | rt_sigreturn | restart_syscall | sigreturn) continue ;; esac
			[ $((i += 1)) -le $most ] || break
			rules+="{ calls = \"$call\"; exact = true; action = \"errno\"; errno = \"$((i % 199 + 1))\"; },"
		done
		policy far "{ name = \"a\"; no_new_privs = true; rules = ( ${rules%,} ); }"
		run -0 stagefencectl check -v -c far.conf
		[[ $output =~ ,\ ([0-9]+)\ instructions ]]
		echo "# $most: ${BASH_REMATCH[1]}"
		[ "${BASH_REMATCH[1]}" -gt $((most < 600 ? most : 600)) ]
	done
}

@test "a filter that is longer than the kernel takes is refused, and one a little shorter is not" {
	longer() { # COUNT
		local i
		printf 'version = 1; stages = ( { name = "a"; rules = (\n'
		for ((i = 1; i <= $1; i++)); do
			printf '{ calls = "socket"; action = "errno"; errno = "%d"; args = ( { arg = 0; op = ">"; value = "%d"; }, { arg = 1; op = "=="; value = "%d"; } ); }%s\n' \
				"$i" $((i * 1000 + 7)) "$i" "$([ "$i" = "$1" ] || echo ,)"
		done
		echo ') } );'
	}
	longer 40 >long.conf
	run -1 within 60 stagefencectl check -c long.conf
	[[ $output =~ ^stagefencectl:\ long.conf:1:\ stage\ a:\ more\ than\ 4[0-9]{3}\ instructions:\ use\ fewer\ conditions$ ]]
	longer 28 >short.conf
	run -0 within 60 stagefencectl check -v -c short.conf
	[[ $output =~ ,\ 3[0-9]{3}\ instructions ]]
}
