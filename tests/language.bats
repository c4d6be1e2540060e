#!/usr/bin/env bats
# What the keys of the language mean together, and what check notes of them.

setup() {
	load lib
}

# asks 'SETTINGS' CALL [ARG...]: the answer in a stage with these settings
asks() {
	policy asked "{ name = \"x\"; $1 }"
	run stagefencectl explain -c asked.conf "${@:2}"
	sed -E '1!d; s/^[a-z0-9_]+( with these arguments)?: ([A-Za-z_]+).*/\2/' <<<"$output"
}

@test "block_action takes every action that refuses, and no other" {
	for action in errno trap trace notify kill_thread kill_process; do
		policy p "{ name = \"x\"; block_calls = \"mkdir\"; block_action = \"$action\"; }"
		run -0 stagefencectl explain -c p.conf mkdir
		[[ "${lines[0]}" == "mkdir: ${action/errno/EPERM}, by p.conf:"* ]]
	done
	for action in allow log deny SCMP_ACT_LOG; do
		policy p "{ name = \"x\"; block_calls = \"mkdir\"; block_action = \"$action\"; }"
		run -1 stagefencectl check -c p.conf
		[ "$output" = "stagefencectl: p.conf:3: block_action must be one of errno, trap, trace, notify, kill_thread, kill_process" ]
	done
	policy p '{ name = "x"; bad_arch_action = "deny"; }'
	run -1 stagefencectl check -c p.conf
	[ "$output" = "stagefencectl: p.conf:3: bad_arch_action must be one of errno, trap, trace, notify, kill_thread, kill_process" ]
}

@test "check notes the weak actions wherever they are written" {
	local settings=('block_calls = "mkdir"; block_action = "ACTION";' 'default_action = "ACTION"; allow_calls = "@shell";'
		'bad_arch_action = "ACTION";' 'rules = ( { calls = "mkdir"; action = "ACTION"; } );')
	for setting in "${settings[@]}"; do
		for action in trap trace notify kill_thread; do
			policy p "{ name = \"x\"; ${setting/ACTION/$action} }"
			run -0 stagefencectl check -c p.conf
			[[ "$output" == *"p.conf:3: note: $action "* ]] || { echo "$setting $action: $output"; return 1; }
		done
		policy p "{ name = \"x\"; ${setting/ACTION/kill_process} }"
		run -0 stagefencectl check -c p.conf
		[[ "$output" != *"note: kill"* ]]
	done
}

@test "limit_setuid leaves the caller his own ids; what is blocked outright stays blocked, siblings included" {
	[ "$(asks 'limit_setuid = true;' setuid -1)" = allow ]
	[ "$(asks 'limit_setuid = true;' setuid 4711)" = EPERM ]
	# under an allow list it allows what it leaves, as Jacamar CI needs it to
	[ "$(asks 'limit_setuid = true; block_all = true; allow_calls = "@basic-io";' setuid -1)" = allow ]
	[ "$(asks 'block_all = true; allow_calls = "@basic-io";' setuid -1)" = kill_process ]
	[ "$(asks 'limit_setuid = true; allow_calls = "@setuid";' setuid 0)" = EPERM ]
	[ "$(asks 'allow_calls = "@setuid";' setuid 0)" = allow ]
	# and blocking beats it: by name with the siblings, by a group, by a rule
	[ "$(asks 'limit_setuid = true; block_calls = "setuid";' setuid -1)" = kill_process ]
	[ "$(asks 'limit_setuid = true; block_calls = "setuid";' setreuid -1 -1)" = kill_process ]
	[ "$(asks 'limit_setuid = true; block_calls = "setuid";' setgid -1)" = allow ]
	[ "$(asks 'limit_setuid = true; block_calls = "@setuid";' setresgid -1 -1 -1)" = kill_process ]
	[ "$(asks 'limit_setuid = true; rules = ( { calls = "setuid"; action = "errno"; errno = "EACCES"; } );' setuid -1)" = EACCES ]
	# a condition of the stage's own is of the same kind: the stricter answer wins
	local rule='rules = ( { calls = "setuid"; action = "errno"; errno = "EACCES"; args = ( { arg = 0; op = "=="; value = "-1"; } ); } );'
	[ "$(asks "limit_setuid = true; $rule" setuid -1)" = EACCES ]
	[ "$(asks "limit_setuid = true; $rule" setuid 1)" = EPERM ]
}

@test "limit_setuid holds for i386's calls of both widths" {
	needs x86_64
	policy p '{ name = "x"; limit_setuid = true; architectures = "i386"; }'
	run -0 stagefencectl show -c p.conf
	for call in setuid32 setreuid32 setresuid32 setfsuid32 setgid32 setregid32 setresgid32 setfsgid32; do
		grep -q "\"$call\"" <<<"$output"
	done
	run -0 stagefencectl check -c p.conf
}

@test "a disabled stage is not strict" {
	policy p '{ name = "x"; disabled = true; mode = "strict"; }'
	run -3 stagefence -c p.conf -s x bash -c "echo alive; exit 3"
	[ "$output" = alive ]
}
