#!/usr/bin/env bats
# The proof that each compiled filter has to pass: what would a wrong one have to look like, to pass it, whoever calls?

setup() {
	load lib
	# not the tree's own files, which a checkout may leave writable by a group
	cp "$tests/policies/good/proof.conf" "$source_folder/conf/groups.conf" .
}

@test "the proof of a filter sees each fault that one kind of its inputs is there for" {
	run -0 within 60 "$helpers/prove" . proof.conf
	echo "$output"
	[[ "$output" =~ ^([0-9]+)\ filters,\ 0\ misjudged$ ]]
	[ "${BASH_REMATCH[1]}" -ge 80 ]
}

@test "of hundreds of filters with one instruction changed, the proof sees those that answer wrongly" {
	run within 120 "$helpers/random" -s 1 -n 0 -m 400
	echo "$output"
	[[ "$output" =~ ([0-9]+)\ changed\ programs,\ ([0-9]+)\ noticed\ by\ the\ verifier,\ ([0-9]+)\ missed ]]
	[ "${BASH_REMATCH[1]}" -ge 400 ]
	[ "${BASH_REMATCH[2]}" -ge 200 ]
	# another libseccomp makes other programs: one in a hundred may be harder than those of this one, of which none is
	[ $((BASH_REMATCH[3] * 100)) -le "${BASH_REMATCH[2]}" ]
}
