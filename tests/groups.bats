#!/usr/bin/env bats
# The vendor's groups as a policy sees them; tests/groups-check.sh proves that they are complete.

setup() {
	load lib
}

# members GROUP: the calls that a stage refuses which blocks that group
members() {
	echo "version = 1; stages = ( { name = \"x\"; block_calls = \"$1\"; architectures = \"i386\"; } );" >group.conf
	stagefencectl show -c group.conf | tr -d '\n' | grep -oE 'calls = \[[^]]*\]; exact = true; action = "kill_process"' |
		grep -oE '"[a-z0-9_]+"' | tr -d '"' | grep -vx kill_process | sort
}

@test "every name of a group that systemd has is a group here" {
	for group in @aio @basic-io @chown @clock @cpu-emulation @debug @default @file-system @io-event @ipc @keyring @known \
		@memlock @module @mount @network-io @obsolete @pkey @privileged @process @raw-io @reboot @resources @sandbox \
		@setuid @signal @swap @sync @system-service @timer; do
		echo "version = 1; stages = ( { name = \"x\"; block_calls = \"$group\"; } );" >group.conf
		run -0 stagefencectl check -c group.conf
	done
	echo 'version = 1; stages = ( { name = "x"; block_calls = "@nonesuch"; } );' >group.conf
	run -1 stagefencectl check -c group.conf
	[ "$output" = "stagefencectl: group.conf:1: unknown group @nonesuch" ]
}

@test "groups hold what their names promise" {
	has() {
		members "$1" >members
		for call in "${@:2}"; do
			grep -qx "$call" members || { echo "$1 lacks $call"; return 1; }
		done
	}
	has @debug ptrace process_vm_readv process_vm_writev pidfd_getfd perf_event_open
	has @other-processes ptrace process_vm_readv process_vm_writev pidfd_getfd process_madvise kcmp
	has @namespaces unshare setns
	has @attack-surface userfaultfd bpf io_uring_setup perf_event_open modify_ldt
	has @mount mount umount2 fsopen open_tree move_mount chroot pivot_root
	has @keyring add_key keyctl request_key
	has @network-io socket socketpair bind connect
}

@test "what is refusable takes nothing away from an ordinary shell's session" {
	local script='x=$(printf "b\na\n" | sort | head -1); mkdir d; echo "$x" >d/f; cp -p d/f d/g; mv d/g d/h; ln -s f d/l; chmod 700 d/f
		tar -cf t.tar d && gzip -f t.tar && tar -tzf t.tar.gz >/dev/null; find d -type f | wc -l; id -un >/dev/null; sleep 0.01 & wait
		date >/dev/null; rm -r d t.tar.gz'
	run -0 bash -c "$script"
	local bare=$output
	awk -F '"' '/^  \{ name = /{ name = $2 } /^    about = .*\(refusable/{ print name }' "$source_folder/conf/groups.conf" |
		grep -vx -e @known >names
	[ "$(wc -l <names)" -ge 18 ]
	echo "version = 1; stages = ( { name = \"x\"; block_calls = [ $(sed 's/.*/"&"/' names | paste -sd,) ]; } );" >p.conf
	run -0 within 30 stagefence -c p.conf -s x bash -c "$script"
	[ "$output" = "$bare" ]
}
