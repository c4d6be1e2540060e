#!/usr/bin/env bats
# What the filters say is what the running kernel does.

setup() {
	load lib
	"$helpers/live" -p >live.conf
	stagefencectl compile -c live.conf -o live.sfi
}

@test "every call number under allow, log, errno, kill_process and notify does on this kernel what the policy says" {
	run -0 within 300 "$helpers/live" "$build" live.conf live.sfi
	echo "${lines[-1]}" >&3
	[[ "${lines[-1]}" =~ ^([0-9]+)\ executed,\ 0\ wrong:\ .*\;\ ([0-9]+)\ not\ executable$ ]]
	[ "${BASH_REMATCH[1]}" -ge 1400 ]
	# each with its reason
	[ "$(grep -c '^# [0-9]* ([a-z_0-9]*) is not executed: ' <<<"$output")" = "${BASH_REMATCH[2]}" ]
	[ "${BASH_REMATCH[2]}" -le 3 ]
}

@test "a filter that is off by one number, and one with another errno, are noticed" {
	sed 's/3999/3997/g' live.conf >other.conf
	stagefencectl compile -c other.conf -o other.sfi
	run -1 within 60 "$helpers/live" "$build" live.conf other.sfi 9
	[[ "$output" == *"and it returned -3997; "* ]]
	# open and close change places
	sed 's/"open"/"OPEN"/g; s/"close"/"open"/g; s/"OPEN"/"close"/g' live.conf >other.conf
	stagefencectl compile -c other.conf -o other.sfi
	run -1 within 60 "$helpers/live" "$build" live.conf other.sfi 60
	[[ "$output" == *" (close) in stage m"*" was decided, and it "* ]]
}
