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

# What stagefencectl says, in the order of the promises; it must say so wherever it is asked.
mistakes() {
	local file=$1

	run -1 within 20 stagefencectl check -c "$file"
	diff -u <(promised "$file") <(sed "s/ *$//" <<<"$output" | sort)
	run -1 within 20 stagefencectl compile -c "$file" -o image
	[ ! -e image ]
	diff -u <(promised "$file") <(sed "s/ *$//" <<<"$output" | sort)
	run -1 --separate-stderr within 20 stagefencectl compile -c "$file" -o -
	[ -z "$output" ]
	# and through the wrapper: its own failure, the same lines, and the command does not run
	run -125 within 20 stagefence -c "$file" -s x touch ran
	diff -u <(promised "$file") <(sed "s/ *$//" <<<"$output" | sort)
	[ ! -e ran ]
}

# One policy with one mistake, given as a whole: "line: what" is said, or with line 0 "what" of the file.
mistake() {
	local at=":$2"

	[ "$2" != 0 ] || at=''
	run -1 within "${seconds-10}" stagefencectl check -c "$1"
	if [ "$output" != "stagefencectl: $1$at: $3" ]; then
		printf 'of %s: %s\nnot: stagefencectl: %s%s: %s\n' "$1" "$output" "$1" "$at" "$3"
		return 1
	fi
	run -125 within "${seconds-10}" stagefence -c "$1" -s x touch ran
	one_line "$output"
	[ ! -e ran ]
}

accepted() {
	run -0 within 20 stagefencectl check -c "$1"
	# notes are no mistakes
	[ -z "$(grep -v ': note: ' <<<"$output")" ]
	run -0 within 20 stagefencectl compile -c "$1" -o image
	[ -s image ]
	rm image
}

@test "each mistake of policies/bad is said with its file and line, all of them at once, and nothing runs" {
	local count=0
	for file in "$tests"/policies/bad/*.conf; do
		cp "$file" .
		mistakes "${file##*/}"
		count=$((count + 1))
	done
	[ "$count" -ge 20 ]
}

@test "the policies of policies/good are good" {
	local count=0
	for file in "$tests"/policies/good/*.conf; do
		cp "$file" .
		accepted "${file##*/}"
		count=$((count + 1))
	done
	[ "$count" -ge 5 ]
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
