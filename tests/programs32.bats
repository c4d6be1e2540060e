#!/usr/bin/env bats
# 32-bit programs in preload mode: the shim of their own class hands them to the wrapper, which fences or refuses them.
# Where stagefence is installed for both classes, LD_PRELOAD with $LIB finds the right one.
# shellcheck disable=SC2016,SC2154 # the scripts run on the machine

setup() {
	load lib
	needs x86_64
	SHIM32=/usr/local/lib32/stagefence/libstagefence.so
	if [ -n "${STAGEFENCE_INSTALLED-}" ]; then
		SHIM32=/usr/lib32/stagefence/libstagefence.so
		[ -e "$SHIM32" ] || SHIM32=/usr/lib/stagefence/libstagefence.so
		[ -e "$SHIM32" ] || skip "needs the shim for 32-bit programs, which is not installed"
	else
		[ -e "$build/libstagefence-i386.so" ] || skip "needs a compiler that makes 32-bit programs"
	fi
	${CC:-cc} -m32 -isystem "/usr/include/$(${CC:-cc} -print-multiarch)" -o try32 "$tests/helpers/try.c" 2>/dev/null || skip "needs a C library for 32-bit programs"
	refusing='{ name = "nomkdir"; block_calls = [ "mkdir", "mkdirat" ]; block_action = "errno"; architectures = "i386"; }'
}

on_machine() {
	printf 'version = 1;\n%s\n' "$1" >system.conf
	SHIM32=$SHIM32 HERE=$PWD timeout --kill-after=5 50 "$tests/helpers/machine" "$PWD/system.conf" bash -euc '
		PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin
		cd "$HERE"
		shimmed() { LD_PRELOAD=$SHIM32 "$@"; }
		'"$2" on_machine 3>&-
}

@test "a 32-bit program is confined by a stage that admits it, and refused by one that does not" {
	run on_machine "stages = ( $refusing, { name = \"native\"; } );" '
		./try32 mkdir && rmdir made
		STAGEFENCE_STAGE=nomkdir shimmed ./try32 mkdir
		STAGEFENCE_STAGE=native shimmed ./try32 mkdir || echo $?
		STAGEFENCE_STAGE=none shimmed ./try32 mkdir || echo $?
		shimmed ./try32 mkdir || echo $?
		rm /var/cache/stagefence/policy.sfi
		STAGEFENCE_STAGE=nomkdir shimmed ./try32 mkdir
		[ ! -e made ]'
	echo "$output"
	[ "${lines[0]}" = "mkdir ok" ]
	[ "${lines[1]}" = "mkdir EPERM" ]
	[[ "${lines[2]}" == "stagefence: "*"try32: a program for another architecture, which stage native does not admit" ]]
	[ "${lines[3]}" = 126 ]
	[[ "${lines[4]}" == 'stagefence: no stage answers to "none"'* ]]
	[ "${lines[5]}" = 125 ]
	[[ "${lines[6]}" == "stagefence: no stage is named"* ]]
	[ "${lines[7]}" = 125 ]
	[ "${lines[8]}" = "mkdir EPERM" ]
}

@test "where no stage is named and the policy lets that pass, a 32-bit program runs, and once" {
	run on_machine "no_stage = \"pass\"; stages = ( $refusing );" 'shimmed ./try32 mkdir && rmdir made
		STAGEFENCE_STAGE=nomkdir shimmed ./try32 mkdir'
	echo "$output"
	[ "$output" = $'mkdir ok\nmkdir EPERM' ]
}

@test "a 32-bit program does not take a handover that the wrapper did not make" {
	run on_machine "no_stage = \"pass\"; stages = ( $refusing );" '
		for value in "" 3 3,0 0 99 garbage; do
			STAGEFENCE_FENCE=$value shimmed ./try32 mkdir </etc/passwd || echo $?
		done
		[ ! -e made ]'
	[ "$(grep -cx 125 <<<"$output")" = 6 ]
	[ "$(grep -c '^stagefence: STAGEFENCE_FENCE was not set by the wrapper' <<<"$output")" = 6 ]
	[ "${#lines[@]}" = 12 ]
}

@test "the shim for 32-bit programs has no library, no symbol but weak environ, and at most 4096 bytes of text" {
	[ -z "${STAGEFENCE_INSTALLED-}" ] || skip "the build tree's"
	local shim=$build/libstagefence-i386.so
	run -1 bash -c "readelf -dW '$shim' | grep NEEDED"
	[ "$(nm -D "$shim" | sed 's/^ *//')" = "w environ" ]
	[ "$(size -A "$shim" | awk '$1 == ".text" { print $2 }')" -le 4096 ]
}
