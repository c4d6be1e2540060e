# lib.bash: what every test file loads. Each test runs in a folder of its own, with the built (or, with
# STAGEFENCE_INSTALLED=1, the installed) programs first in PATH and nothing of ours in the environment.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
source_folder=$(dirname "$tests")
build=${STAGEFENCE_BUILD:-$source_folder/build}
# the compiled helpers of tests/helpers
# shellcheck disable=SC2034
helpers=$build/tests

unset LD_PRELOAD "${!STAGEFENCE_STAGE@}" "${!STAGEFENCE_FENCE@}" BASH_ENV ENV
export LC_ALL=C HOME=$BATS_TEST_TMPDIR TMPDIR=$BATS_TEST_TMPDIR
umask 022
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
if [ -z "${STAGEFENCE_INSTALLED-}" ]; then
	PATH=$build:$PATH
	# as helpers/machine installs the built ones
	WRAPPER=/usr/local/bin/stagefence COMPILER=/usr/local/sbin/stagefencectl
	SHIM=/usr/local/lib/stagefence/libstagefence.so
else
	WRAPPER=$(command -v stagefence) && COMPILER=$(command -v stagefencectl) || exit 1
	# in the one of the prefix's library folders that this wrapper's class of programs has
	for SHIM in "${WRAPPER%/bin/*}"/lib/"$(uname -m)"-linux-gnu/stagefence/libstagefence.so \
		"${WRAPPER%/bin/*}"/lib64/stagefence/libstagefence.so "${WRAPPER%/bin/*}"/lib/stagefence/libstagefence.so; do
		[ ! -e "$SHIM" ] || break
	done
	# what a test takes from a build tree are copies of the installed ones, together as there
	build=$BATS_RUN_TMPDIR/installed
	mkdir -p "$build"
	for file in "$WRAPPER" "$COMPILER" "$SHIM" "${WRAPPER%/bin/*}/share/stagefence/groups.conf" "${WRAPPER%/bin/*}"/share/man/man7/stagefence-groups.7*; do
		[ -e "$build/${file##*/}" ] || [ ! -r "$file" ] || install -m 755 "$file" "$build"
	done
	gunzip -f "$build"/*.7.gz 2>/dev/null
fi
# where the programs are, on a machine of a test's own, too
export WRAPPER COMPILER SHIM
cd "$BATS_TEST_TMPDIR" || exit 1

# Says what a test needs; a word that is not known is a mistake of the test. What this machine could have must not be
# skipped: only root, an ordinary user and an optional program may be.
needs() {
	case $1 in
	root) [ "$(id -u)" = 0 ] || skip "needs root" ;;
	user) [ "$(id -u)" != 0 ] || skip "needs an ordinary user" ;;
	readable) [ -r "$(command -v stagefence)" ] || skip "needs a stagefence that this user can read" ;;
	musl) [ -e "$helpers/try-musl" ] || skip "needs a compiler for musl, which is not installed" ;;
	terminal) [ -w /dev/ptmx ] || skip "needs a pseudo terminal" ;;
	program) command -v "$2" >/dev/null || skip "needs $2, which is not installed" ;;
	x86_64) [ "$(uname -m)" = x86_64 ] || skip "needs x86_64" ;;
	*)
		echo "needs: what is $1?" >&2
		return 1
		;;
	esac
}

# built PROGRAM...: those of tests/helpers that are there. All are, but musl's where there is no compiler for musl.
built() {
	local program
	for program; do
		[[ $program == *musl* && ! -e $helpers/$program ]] || echo "$program"
	done
}

# policy NAME 'STAGES...': writes NAME.conf, whose list of stages is the rest.
policy() {
	printf 'version = 1;\nstages = (\n%s\n);\n' "$2" >"$1.conf"
}

# Runs under a time limit, and without bats' descriptor, which a background process would keep open. In a process group of
# its own, all of which is killed: what the program started would outlive a --foreground, and a TERM.
within() {
	timeout --signal=KILL "$1" "${@:2}" 3>&-
}

# soon COMMAND...: once it succeeds, which is waited for, but not for more than some ten seconds.
soon() {
	local n
	for ((n = 0; n < 200; n++)); do
		! "$@" || return 0
		sleep 0.05
	done
	echo "not soon: $*"
	return 1
}

# One line on stderr and nothing else: what every refusal must be.
one_line() {
	[ "$(printf '%s\n' "$1" | wc -l)" = 1 ] && [ -n "$1" ]
}
