#!/usr/bin/env bats
# What stagefencectl says of a policy: show, whose text means the same, explain and diff.

setup() {
	load lib
	PATH=$build:$PATH
}

# Read back, the text means the same; and so does its own.
comes_back() {
	local folder=$PWD
	stagefencectl show -c "$1" >shown.conf || return 1
	run stagefencectl check -c shown.conf
	[ "$status" = 0 ] || { echo "$1: $output"; return 1; }
	run stagefencectl diff "$folder/${1#"$folder"/}" "$folder/shown.conf"
	[ "$status" = 0 ] && [ -z "$output" ] || { echo "$1: $output"; return 1; }
	stagefencectl show -c shown.conf >again.conf
	diff <(sed 's/ *# .*//' shown.conf) <(sed 's/ *# .*//' again.conf)
}

@test "what show prints means the same, for every policy of the tests and the one that is shipped" {
	local count=0 wrong=''
	cp "$source_folder"/conf/stagefence.conf shipped.conf
	cp "$tests"/policies/good/*.conf .
	for file in "$tests"/decide/*.conf; do
		cp "$file" "decide-${file##*/}"
	done
	chmod go-w ./*.conf
	for file in *.conf; do
		comes_back "$PWD/$file" || wrong+=" $file"
		count=$((count + 1))
	done
	echo "$wrong"
	[ -z "$wrong" ]
	[ "$count" -ge 13 ]
}

@test "show prints the floor for stages to come, every attribute, and what is expected" {
	cat >p.conf <<'END'
version = 1;
stage_env = [ "A", "B" ];
no_stage = "x"; unknown_stage = "y";
floor = "site";
profiles = ( { name = "site"; block_calls = "mount"; block_action = "errno"; errno = "EACCES"; },
	{ name = "unused"; } );
stages = (
  { name = "x"; match = [ "x*", "[a-c]\\*" ];
    newest_kernel = "5.14"; bad_arch_action = "errno"; log_blocked = true; log_allowed_actions = true;
    allow_speculation = true; tsync = false; optimize = 1; architectures = [ "i386" ]; no_new_privs = false;
    expect = (
      { call = "mkdir"; gives = "log"; comment = "two\nlines \"quoted\""; },
      { call = "ioctl"; args = [ "0", "TIOCSTI" ]; gives = "log"; },
      { call = "setuid"; args = "$uid"; gives = "errno 2000"; },
      { run = "printf '%s\n' \"\\$HOME\"\ttrue"; signal = "SIGSYS"; output = "*#*"; timeout = 3; } ); },
  { name = "y"; disabled = true; }
);
END
	sed -i 's/args = "$uid"/args = [ "$uid" ]/' p.conf
	comes_back "$PWD/p.conf"
	run -0 stagefencectl show -c p.conf
	for line in 'floor = "site";' 'no_stage = "x";' 'unknown_stage = "y";' 'stage_env = [ "A", "B" ];' \
		'    match = [ "x*", "[a-c]\\*" ];' '    newest_kernel = "5.14";' '    bad_arch_action = "errno";' \
		'    log_blocked = true;' '    log_allowed_actions = true;' '    allow_speculation = true;' '    tsync = false;' \
		'    optimize = 1;' '    architectures = [ "i386" ];' '    no_new_privs = false;' \
		'        comment = "two\nlines \"quoted\""; },   # p.conf:12' \
		'      { call = "ioctl"; args = [ "0", "TIOCSTI" ]; gives = "log"; },   # p.conf:13' \
		'      { call = "setuid"; args = [ "$uid" ]; gives = "errno 2000"; },   # p.conf:14'; do
		line=${line//p.conf/$PWD/p.conf}
		line=${line//$PWD\//}
		grep -qxF -- "$line" <<<"$output" || { echo "where is: $line"; echo "$output"; return 1; }
	done
	grep -qF 'run = "printf '"'%s\\n'"' \"\\$HOME\"\ttrue"; status = 159; output = "*#*"; timeout = 3;' <<<"$output"
	[[ "$output" != *unused* ]]
	# what is expected is still tried
	stagefencectl show -c p.conf >shown.conf
	run -1 stagefencectl test -c p.conf
	[ "${lines[0]}" = 1..4 ]
	diff <(sed 's/ (.*//; s/, by .*//' <<<"$output") <(stagefencectl test -c shown.conf | sed 's/ (.*//; s/, by .*//')
}

@test "a disabled stage is shown as one: without a fence, and with a floor by what the floor refuses" {
	policy d '{ name = "x"; disabled = true; mode = "strict"; block_calls = "mkdir"; no_new_privs = true; }'
	comes_back d.conf
	grep -qx '    disabled = true;' shown.conf
	run -0 stagefence -c shown.conf -s x grep -c '^Seccomp:.0' /proc/self/status
	sed -i '1a floor = "f"; profiles = ( { name = "f"; block_calls = "mkdir"; block_action = "errno"; } );' d.conf
	comes_back d.conf
	run -1 grep -q 'disabled' shown.conf
	run -1 stagefence -c shown.conf -s x mkdir made
	run -0 stagefence -c shown.conf -s x true
}

@test "nothing in a comment or a name becomes a line of the policy that show prints" {
	policy c '{ name = "x\"y"; rules = ( { calls = "mkdir"; action = "errno";
		comment = "a\n} ); } ); no_stage = \"pass\"; x = ( { y = ( {"; } ); match = "a\nb"; }'
	comes_back c.conf
	run -1 grep -E '^ *\} \); \}' shown.conf
	run -0 stagefencectl explain -c c.conf -s 'x"y' mkdir
	[ "${#lines[@]}" = 2 ]
}

@test "layers that show makes take no stage's name" {
	policy l '{ name = "layer 1"; rules = (
		{ calls = "dup"; action = "errno"; args = ( { arg = 0; op = "=="; value = 1; } ); },
		{ calls = "dup"; action = "trap"; args = ( { arg = 0; op = "<"; value = 5; } ); },
		{ calls = "dup"; action = "log"; args = ( { arg = 0; op = ">"; value = 7; } ); } ); },
		{ name = "layer 3"; }'
	comes_back l.conf
	grep -q 'name = "layer 2"' shown.conf
	grep -q 'name = "layer 4"' shown.conf
}

# differs KEY 'LINES...': the settings of one stage, in a.conf; without it, in b.conf
differs() {
	policy a "{ name = \"x\"; $1 }"
	policy b '{ name = "x"; }'
	run -1 stagefencectl diff ./a.conf ./b.conf
	[ "$output" = "$2" ] || { echo "$1: $output"; return 1; }
}

@test "diff says every attribute that differs" {
	differs 'no_new_privs = false;' 'x: no_new_privs: false  ->  true'
	differs 'newest_kernel = "6.18";' 'x: newest_kernel: "6.18"  ->  none'
	differs 'bad_arch_action = "trap";' 'x: bad_arch_action: "trap"  ->  "kill_process"'
	differs 'log_blocked = true;' 'x: log_blocked: true  ->  false'
	differs 'allow_speculation = true;' 'x: allow_speculation: true  ->  false'
	differs 'tsync = false;' 'x: tsync: false  ->  true'
	differs 'optimize = 1;' 'x: optimize: 1  ->  2'
	differs 'match = [ "a", "b*" ];' 'x: match: [ "a", "b*" ]  ->  [ "x" ]'
	policy a '{ name = "x"; disabled = true; }'
	run -1 stagefencectl diff ./a.conf ./b.conf
	grep -qx 'x: disabled: true  ->  false' <<<"$output"
	policy a '{ name = "x"; log_allowed_actions = true; }'
	run -1 stagefencectl diff ./a.conf ./b.conf
	grep -qx 'x: log_allowed_actions: true  ->  false' <<<"$output"
	grep -qx 'x: every other call: log  ->  allow' <<<"$output"
	policy a '{ name = "x"; mode = "strict"; }'
	run -1 stagefencectl diff ./a.conf ./b.conf
	grep -qx 'x: mode: "strict"  ->  "filter"' <<<"$output"
	run -0 stagefencectl diff ./b.conf ./b.conf
	[ -z "$output" ]
	needs x86_64
	differs 'architectures = [ "i386", "x32" ];' 'x: architectures: [ "x32", "i386" ]  ->  [ ]'
}

@test "diff says what two policies say of all stages, and their order" {
	cat >a.conf <<'END'
version = 1; stage_env = [ "A" ]; no_stage = "pass"; unknown_stage = "y"; floor = "f";
profiles = ( { name = "f"; } );
stages = ( { name = "x"; match = "*x"; }, { name = "y"; match = "y*"; }, { name = "z"; } );
END
	cat >b.conf <<'END'
version = 1; stage_env = [ "A", "B" ];
stages = ( { name = "y"; match = "y*"; }, { name = "x"; match = "*x"; }, { name = "v"; } );
END
	run -1 stagefencectl diff ./a.conf ./b.conf
	diff - <(echo "$output") <<'END'
stage_env: [ "A" ]  ->  [ "A", "B" ]
no_stage: "pass"  ->  "refuse"
unknown_stage: "y"  ->  "refuse"
floor: "f"  ->  none
the order of stages: [ "x", "y" ]  ->  [ "y", "x" ]
z: only in the first
v: only in the second
END
	# of one stage, that stage only
	run -0 stagefencectl diff -s x ./a.conf ./b.conf
	[ -z "$output" ]
}
