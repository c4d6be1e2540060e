#!/usr/bin/env bats
# Every compiler that is there builds the same thing without a warning, and none makes the shim larger than it may be,
# whoever calls.

setup() {
	load lib
	cd "$source_folder" || exit 1
	out=$BATS_TEST_TMPDIR/out
}

# compile NAME=VALUE... TARGET...: into $out, warnings being errors
compile() {
	env -u MAKEFLAGS make -s BUILD="$out" CPPFLAGS=-Werror "$@"
}

# Freestanding, and the shim within its 4 KiB. $1: the program that reads such files, $2: the machine
freestanding() {
	local file
	run -0 "$1" -SW "$out/libstagefence.so"
	run -0 awk '$1 == "[" { sub(/^ *\[ *[0-9]+\]/, "") } { sub(/\[ *[0-9]+\]/, "") } $1 == ".text" { print $5 }' <<<"$output"
	[[ "$output" =~ ^[0-9a-f]{6}$ ]]
	[ $((0x$output)) -le 4096 ]
	for file in stagefence libstagefence.so; do
		run -0 "$1" -hdrW "$out/$file"
		[[ "$output" == *"Machine:"*"$2"* ]]
		[[ "$output" != *"(NEEDED)"* && "$output" != *"(TEXTREL)"* ]]
	done
	# the constructor's address, and environ's
	run -0 "$1" -rW "$out/libstagefence.so"
	[ "$(grep -c 'R_[A-Z0-9_]*' <<<"$output")" = 2 ]
	run -0 "$1" -rW "$out/stagefence"
	[[ "$output" != *R_*_* ]]
}

@test "clang builds all of it without a warning, and its shim is as small" {
	needs program clang
	run -0 within 300 bash -c "$(declare -f compile)
		out=$out; compile CC=clang all"
	[ "$output" = "" ]
	freestanding readelf "$(readelf -hW "$build/stagefence" | sed -n 's/.*Machine: *//p')"
	cd "$BATS_TEST_TMPDIR" || exit 1
	policy x '{ name = "x"; block_calls = "mkdir"; block_action = "errno"; }, { name = "open"; }'
	"$out/stagefence" -c x.conf -s open mkdir made
	run -1 "$out/stagefence" -c x.conf -s x mkdir no
	[[ "$output" == *"Operation not permitted" ]]
}

@test "gcc for aarch64 builds wrapper and shim without a warning, the shim as small, and finds no fault in the rest" {
	needs program aarch64-linux-gnu-gcc
	local cc=aarch64-linux-gnu-gcc file
	run -0 within 300 bash -c "$(declare -f compile)
		out=$out; compile CC=$cc PKG_CONFIG=true $out/stagefence $out/libstagefence.so"
	[ "$output" = "" ]
	freestanding aarch64-linux-gnu-readelf AArch64
	# the libraries of that architecture need not be there: their headers are the same
	for file in wrapper/*.c; do
		[ "$file" != wrapper/stagefence.c ] || continue
		# it is built where Slurm's headers are
		[ "$file" != wrapper/spank.c ] || [ -e /usr/include/slurm/spank.h ] || continue
		run -0 $cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -DBINDIR='""' -DSBINDIR='""' -DLIBDIR='""' \
			-DDATADIR='""' -DSYSCONFDIR='""' -DCACHEDIR='""' -idirafter /usr/include -fsyntax-only "$file"
	done
}
