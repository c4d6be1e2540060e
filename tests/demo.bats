#!/usr/bin/env bats
# The shipped policy, and the demo of it: what it does to a real job. The demo fails where that is not what must be.

setup() {
	load lib
}

demo() {
	within 300 "$tests/demo/run" "$@"
}

# mutant SED: the demo of the shipped policy, changed by SED; it is still a policy, and not the same
mutant() {
	sed -E "$1" "$source_folder/conf/stagefence.conf" >mutant.conf
	run -1 cmp -s "$source_folder/conf/stagefence.conf" mutant.conf
	run -1 demo -c mutant.conf "$build"
	said "  ok    stagefencectl check: the policy has no mistake"
}

said() {
	grep -qxF -- "$1" <<<"$output" || { echo "missing: $1"; return 1; }
}

@test "the demo shows each stage at work, and what it was refused" {
	run -0 demo "$build"
	[[ "$output" != *FAIL* ]]
	for line in \
		"== prepare_script: stagefence -c stagefence.conf -s prepare_script -- ./script" \
		"  | tricks: TIOCSTI: Operation not permitted" \
		"== get_sources: stagefence -c stagefence.conf -s get_sources -- ./script" \
		"  | tricks: PTRACE_TRACEME: Operation not permitted" \
		"  ok    the repository is there, at its newest revision" \
		"== build_script: stagefence -c stagefence.conf -s build_script -- ./script" \
		"  | hello from the build, world" \
		"  | tricks: PTRACE_TRACEME: done" \
		"  | unshare: unshare failed: Operation not permitted" \
		"  ok    mkdir made a folder" \
		"== after_script: env STAGEFENCE_STAGE=after_script stagefence -c stagefence.conf -- ./script" \
		"  | mkdir: cannot create directory 'test': Operation not permitted" \
		"  ok    with it, there is none"; do
		said "$line"
	done
	[[ "${lines[-1]}" == "demo: all "[1-9]*" checks passed: "* ]]
}

@test "the demo leaves nothing behind" {
	mkdir tmp
	TMPDIR=$PWD/tmp run -0 demo "$build"
	[ -z "$(ls -A tmp)" ]
}

@test "the demo fails if after_script may make directories" {
	mutant '/"mkdir", "mkdirat"/,/\}/d'
	said "  FAIL  exit status 1"
	said "  FAIL  refused: mkdir: cannot create directory 'test': Operation not permitted"
	said "  FAIL  told: mkdir, at the line of mkdir test"
	said "  FAIL  with it, there is none"
	[[ "${lines[-1]}" == "demo: 4 of "*" checks failed: "* ]]
}

@test "the demo fails if the floor lets a job type, or get_sources debug" {
	mutant 's/"TIOCSTI"; \} \);/"TIOCCONS"; } );/; s/"@debug", //'
	said "  FAIL  refused: tricks: TIOCSTI: Operation not permitted"
	said "  FAIL  refused: tricks: PTRACE_TRACEME: Operation not permitted"
	[[ "${lines[-1]}" == "demo: 4 of "*" checks failed: "* ]]
}

@test "the demo fails if the build may not make directories" {
	mutant 's/"@profiling"/"@profiling", "mkdir", "mkdirat"/'
	said "  ok    the repository is there, at its newest revision"
	[[ "$output" == *$'\n  FAIL  make built a program, and it runs'* ]]
	said "  FAIL  mkdir made a folder"
}

@test "the demo fails if nothing is confined at all" {
	mkdir none
	cat >none/stagefence <<'END'
#!/bin/sh
# without -c FILE, -s STAGE and --
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
END
	printf '#!/bin/sh\n' >none/stagefencectl
	chmod +x none/stagefence none/stagefencectl
	touch none/libstagefence.so none/groups.conf
	STAGEFENCE_INSTALLED='' run -1 demo none
	said "  FAIL  exit status 1"
	[[ "${lines[-1]}" == "demo: "[1-9]*" checks failed: "* ]]
}

@test "every sub-stage of a custom executor's job has a policy in the shipped file, and nothing else has" {
	cp "$source_folder/conf/stagefence.conf" shipped.conf
	for stage in config_exec prepare_exec prepare_script get_sources clear_worktree restore_cache download_artifacts \
		build_script step_script step_release after_script archive_cache archive_cache_on_failure \
		upload_artifacts_on_success upload_artifacts_on_failure cleanup_file_variables cleanup_exec; do
		STAGEFENCE_STAGE=$stage run -0 stagefence -c shipped.conf grep Seccomp: /proc/self/status
		[ "$output" = $'Seccomp:\t2' ]
		# in each, the floor: nothing is refused bare but for want of a terminal
		STAGEFENCE_STAGE=$stage run -1 --separate-stderr stagefence -c shipped.conf perl -e \
			'ioctl(STDIN, 0x5412, my $c = "x") and exit; print "$!"; exit 1' </dev/null
		[ "$output" = "Operation not permitted" ]
	done
	for stage in '' build step get_source after_scripts; do
		STAGEFENCE_STAGE=$stage run -125 stagefence -c shipped.conf true
	done
	run -125 stagefence -c shipped.conf true
}

@test "stages that need no network have none, and the others do" {
	cp "$source_folder/conf/stagefence.conf" shipped.conf
	for stage in clear_worktree cleanup_file_variables; do
		run -1 stagefence -c shipped.conf -s "$stage" bash -c ': >/dev/tcp/127.0.0.1/1'
		[[ "$output" == *"Operation not permitted"* ]]
	done
	for stage in get_sources build_script after_script restore_cache upload_artifacts_on_success cleanup_exec; do
		run -1 stagefence -c shipped.conf -s "$stage" bash -c ': >/dev/tcp/127.0.0.1/1'
		[[ "$output" == *"Connection refused"* ]]
	done
}
