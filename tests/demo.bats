#!/usr/bin/env bats
# The demo shows what the shipped policy does to a real job, and fails where that is not what must be.

setup() {
	load lib
	needs program git
}

demo() {
	within 300 "$tests/demo/run" "$@"
}

# mutant SED: the shipped policy, changed; it is still a policy, and not the same
mutant() {
	sed -E "$1" "$source_folder/conf/stagefence.conf" >mutant.conf
	run -1 cmp -s "$source_folder/conf/stagefence.conf" mutant.conf
	stagefencectl check -c mutant.conf
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
		grep -qxF -- "$line" <<<"$output" || { echo "missing: $line"; return 1; }
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
	run -1 demo -c mutant.conf "$build"
	grep -qxF "  FAIL  exit status 1" <<<"$output"
	grep -qxF "  FAIL  refused: mkdir: cannot create directory 'test': Operation not permitted" <<<"$output"
	grep -qxF "  FAIL  with it, there is none" <<<"$output"
	[[ "${lines[-1]}" == "demo: 3 of "*" checks failed: "* ]]
}

@test "the demo fails if the floor lets a job type, or get_sources debug" {
	mutant 's/"TIOCSTI"; \} \);/"TIOCCONS"; } );/; s/"@debug", //'
	run -1 demo -c mutant.conf "$build"
	grep -qxF "  FAIL  refused: tricks: TIOCSTI: Operation not permitted" <<<"$output"
	grep -qxF "  FAIL  refused: tricks: PTRACE_TRACEME: Operation not permitted" <<<"$output"
	[[ "${lines[-1]}" == "demo: 2 of "*" checks failed: "* ]]
}

@test "the demo fails if the build may not make directories" {
	mutant 's/"@profiling"/"@profiling", "mkdir", "mkdirat"/'
	run -1 demo -c mutant.conf "$build"
	grep -qxF "  ok    the repository is there, at its newest revision" <<<"$output"
	grep -qxF "  FAIL  make built a program, and it runs" <<<"$output"
	grep -qxF "  FAIL  mkdir made a folder" <<<"$output"
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
	grep -qxF "  FAIL  exit status 1" <<<"$output"
	[[ "${lines[-1]}" == "demo: "[1-9]*" checks failed: "* ]]
}
