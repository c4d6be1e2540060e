#!/usr/bin/env bats
# The house's own rules: who may include what, and that the documents and the tree agree, whoever calls.

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

# A layer a line, the lowest first, names sorted: a file includes headers of its own layer and of those above it here.
layers() {
	cat <<'END'
0  alone calls consts json mem peek probe say sha256 stagefence-plugin supervise version
1  agent bpf confine image input line plain policy scan toml tree
2  close cubes decode junit loader plugin reach spank trial where
3  conf filter oci verify
4  audit compile doctor document expect explain export gitlab jacamar notify report status
5  ctl
END
}

@test "calls go one way: no file includes a header of a higher layer" {
	declare -A layer
	local words word number='' last='' file header from to
	while read -ra words; do
		for word in "${words[@]}"; do
			if [[ $word =~ ^[0-9]$ ]]; then
				number=$word last=''
				continue
			fi
			[[ $word > $last ]] || { echo "$word does not belong behind $last, or is there twice"; return 1; }
			[ -e "wrapper/$word.c" ] || [ -e "wrapper/$word.h" ] || { echo "there is no $word"; return 1; }
			layer[$word]=$number last=$word
		done
	done < <(layers)
	for file in wrapper/*.[ch]; do
		from=$(basename "${file%.*}")
		[ "$from" = stagefence ] || [ -n "${layer[$from]-}" ] || { echo "what layer is $from?"; return 1; }
	done
	run -0 includes wrapper/*.c wrapper/*.h
	while read -r file header; do
		from=$(basename "${file%.*}")
		to=${header%.*}
		[ "$from" != stagefence ] && [ -e "wrapper/$to.h" ] && [[ $header != */* ]] || continue
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
	run -0 grep -nE '[(,] *stderr\b|STDERR_FILENO|perror' wrapper/*.c
	[ "$(grep -vE '^wrapper/(say\.c|report\.c|ctl\.c:[0-9]+:.*print_help\(stderr\))' <<<"$output")" = "" ]
}

@test "nothing is left to do in silence: no TODO, FIXME or XXX" {
	run -1 grep -rnE 'TODO|FIXME|\bXXX\b' preload wrapper conf Makefile README.md
}

@test "the tests' own time limit ends what a program started as well, whatever that ignores" {
	cd "$BATS_TEST_TMPDIR" || exit 1
	run -137 within 1 bash -c '(trap "" TERM INT HUP; echo $BASHPID >child; for i in {1..300}; do sleep 1; done) & wait'
	# gone, or a zombie of an init that does not care
	[ -s child ]
	run grep -E '^State:[[:space:]]+[^ZX]' "/proc/$(cat child)/status"
	[ "$status" != 0 ]
}
