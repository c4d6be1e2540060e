#!/usr/bin/env bats
# The house's own rules: who may include what, and that the documents and the tree agree.

setup() {
	load lib
	cd "$source_folder" || exit 1
}

# includes FILE...: "file header" of every #include
includes() {
	grep -HoE '^#include *[<"][^>"]+' "$@" | sed -E 's/:#include *[<"]/ /'
}

@test "each foreign library is included by one file only" {
	[ "$(grep -lE '<libconfig\.h>' wrapper/* preload/*)" = wrapper/conf.c ]
	[ "$(grep -lE '<seccomp\.h>' wrapper/* preload/*)" = wrapper/filter.c ]
	[ -z "$(grep -lE '<(jansson|dlfcn)\.h>' wrapper/* preload/* | grep -vE 'wrapper/(oci|plugin)\.c')" ]
}

@test "wrapper and shim include preload's headers and the kernel's, and nothing else" {
	run -0 includes preload/*.h preload/*.c wrapper/stagefence.c wrapper/supervise.h
	local file header
	while read -r file header; do
		case $header in
		linux/* | asm/unistd.h | stdbool.h | stddef.h | stdint.h) ;;
		image.h | fence.h | load.h | raw.h | trust.h | paths.h | environment.h) [[ $file == preload/* ]] ;;
		version.h | supervise.h) [ "$file" = wrapper/stagefence.c ] ;;
		../preload/*.h) [[ $file == wrapper/* ]] ;;
		*)
			echo "$file includes $header"
			return 1
			;;
		esac
	done <<<"$output"
}

@test "calls go one way: no file includes a header of a higher layer" {
	declare -A layer=([line]=1 [peek]=0 [decode]=2 [where]=2 [report]=4 [say]=0 [mem]=0 [json]=0 [explain]=4 [expect]=4 [notify]=4 [confine]=1 [agent]=1 [supervise]=0 [trial]=2 [junit]=2 [plain]=1 [calls]=0 [consts]=0 [sha256]=0 [version]=0 [scan]=1 [image]=1 [policy]=1
		[bpf]=1 [close]=2 [reach]=2 [plugin]=2 [alone]=0 [stagefence-plugin]=0 [toml]=1 [tree]=1 [input]=1 [oci]=3 [jacamar]=4 [conf]=3 [loader]=2 [cubes]=2 [export]=4 [document]=4 [filter]=3 [verify]=3 [compile]=4 [audit]=4 [status]=4 [doctor]=4 [probe]=0 [gitlab]=4 [spank]=2 [ctl]=5)
	run -0 includes wrapper/*.c wrapper/*.h
	local file header from to
	while read -r file header; do
		from=$(basename "${file%.*}")
		to=${header%.*}
		[ "$from" != stagefence ] && [ -e "wrapper/$to.h" ] && [[ $header != */* ]] || continue
		[ -n "${layer[$from]-}" ] && [ -n "${layer[$to]-}" ] || { echo "what layer is $from, or $to?"; return 1; }
		[ "${layer[$to]}" -le "${layer[$from]}" ] || { echo "$file includes $header"; return 1; }
	done <<<"$output"
}

@test "every header compiles alone" {
	local header
	for header in preload/*.h wrapper/*.h; do
		echo "#include \"$header\"" | ${CC:-cc} -std=c11 -D_GNU_SOURCE -DBINDIR='""' -DSBINDIR='""' -DLIBDIR='""' \
			-DDATADIR='""' -DSYSCONFDIR='""' -DCACHEDIR='""' -Wall -Werror -I. -fsyntax-only -x c -
	done
}

@test "only say.c writes to standard error, and report.c, whose lines are the job's" {
	run grep -nE '[(,] *stderr\b|STDERR_FILENO|perror' wrapper/*.c
	[ "$(grep -vE '^wrapper/(say\.c|report\.c|ctl\.c:[0-9]+:.*print_help\(stderr\))' <<<"$output")" = "" ]
}

@test "nothing is left to do in silence: no TODO, FIXME or XXX" {
	run -1 grep -rnE 'TODO|FIXME|\bXXX\b' preload wrapper conf Makefile README.md
}

@test "the tests' own time limit ends what a program started as well, whatever that ignores" {
	cd "$BATS_TEST_TMPDIR" || exit 1
	run -137 within 1 bash -c '(trap "" TERM INT HUP; echo $BASHPID >child; for i in {1..300}; do sleep 1; done) & wait'
	# gone, or a zombie of an init that does not care
	run grep -E '^State:[[:space:]]+[^ZX]' "/proc/$(cat child)/status"
	[ "$status" != 0 ]
}
