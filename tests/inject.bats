#!/usr/bin/env bats
# Each system call of the wrapper, the shim and the compiler goes wrong once: nothing may run unfenced because of it, hang,
# or be called a success. tests/helpers/inject says how; without -f it tries more ways to go wrong than these.
# shellcheck disable=SC2154 # lib.bash sets tests

setup() {
	load lib
	needs program strace
	needs readable
}

# Every scenario must have injected something, and nothing may have been bad.
injected() {
	within 60 "$tests/helpers/inject" "$@"
}

all_good() { # HOW-MANY-SCENARIOS
	[ "$(grep -cxE '[a-z-]+: [1-9][0-9]* injected, 0 bad' <<<"$output")" = "$1" ] && [ "${#lines[@]}" = "$1" ]
}

@test "a call of the wrapper fails: the command is fenced all the same, or does not run" {
	run -0 injected -f error=EIO policy image cookie system stale
	all_good 5
}

@test "a call fails of the wrapper, its helpers and the supervisor of a stage that reports: nothing runs unfenced" {
	run -0 injected -f error=EIO report report-all
	all_good 2
	run -0 injected -f error=EINTR report report-all
	all_good 2
	run -0 injected -f retval=0 report report-all
	all_good 2
}

@test "a call of wrapper or shim fails where there are two fences: neither is left out" {
	run -0 injected -f error=EPERM two script
	all_good 2
}

@test "a call of the shim fails in preload mode: the program is fenced all the same, or does not run" {
	run -0 injected -f error=ENOSYS preload preload-two preload-stale
	all_good 3
}

@test "a sandbox around us answers a call without doing it: nothing runs unfenced, and nothing is called a success" {
	run -0 injected -f retval=0 policy cookie two preload
	all_good 4
}

@test "a call of the compiler fails: it says so, or the image is the same as without" {
	run -0 injected -f error=EIO compile
	all_good 1
}
