#!/usr/bin/env bats
# What policies mean, row by row: decide/*.tsv, judged by tests/decide.c; the same whoever calls.

setup() {
	load lib
	# not the tree's own files, which a checkout may leave writable by a group
	cp "$tests"/decide/* .
	cp "$source_folder/conf/groups.conf" .
}

for_table() {
	run -0 within 60 "$helpers/decide" . "$1.tsv"
	echo "$output"
	[[ "$output" == *" rows, "*" 0 differ" ]]
	[ "${output%% rows*}" -ge "$2" ]
}

@test "levels: the nearest one that matches decides, conditions first, then the strictest" {
	for_table levels 30
}

@test "default actions, the short form, the calls that are always allowed, and the outer fence" {
	for_table forms 60
}

@test "the floor holds in every stage, stricter, weaker or equal" {
	for_table floor 65
}

@test "conditions at their boundaries: 32 bits with anything above, 64 bits, masks, several at once" {
	for_table conditions 160
}

@test "modes are compared on 16 bits, and so are the ids of i386's older calls, as the kernel takes them" {
	for_table short 50
}

@test "other ABIs and numbers that are no calls are killed before any rule" {
	for_table foreign 25
}

@test "siblings, calls whose flags are out of sight, and io_uring are refused along" {
	for_table families 35
}

@test "kernels, logging, other architectures, strict mode" {
	for_table attributes 40
}

@test "an exact stage means no more than it says, and compares whole registers" {
	for_table exact 45
}

@test "the rules that an image keeps for reports say the same" {
	run -0 within 60 "$helpers/decide" -r . ./*.tsv
	echo "$output"
	[[ "$output" == *" 0 differ" ]]
}

@test "every table is judged by one of these tests" {
	for table in *.tsv; do
		grep -q "for_table ${table%.tsv} " "$tests/decide.bats"
	done
}

@test "a wrong row is noticed" {
	# each wrong in one thing: the answer, the place, a call that is not there
	printf 'empty\tgetpid\t\tEPERM\t-\n' >levels.tsv
	run -1 "$helpers/decide" . levels.tsv
	[[ "$output" == *"policy_decide() says allow and not EPERM"*"the exact filter says allow and not EPERM"* ]]
	printf 'within\tdup\t2\tEPERM\tlevels.conf:32\n' >levels.tsv
	run -1 "$helpers/decide" . levels.tsv
	[[ "$output" == *"levels.conf:31 and not levels.conf:32"* ]]
	printf 'empty\tgetpidd\t\tallow\t-\n' >levels.tsv
	run -1 "$helpers/decide" . levels.tsv
	[[ "$output" == *"levels.tsv:1: this row cannot be read"* ]]
}
