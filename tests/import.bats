#!/usr/bin/env bats
# stagefencectl import: what a jacamar.toml says of system calls becomes a policy that passes check and confines, and
# what does not become one is said.

setup() {
	load lib
	ulimit -c 0
}

# toml TEXT: jacamar.toml
toml() {
	printf '%s\n' "$1" >jacamar.toml
}

# Turns jacamar.toml into p.conf without a word, and p.conf is good.
carried_over() {
	run -0 stagefencectl import --from jacamar -o p.conf jacamar.toml
	[ -z "$output" ]
	good_policy
}

# One mistake or more, the policy is written all the same, and is good.
partly_carried_over() {
	rm -f p.conf
	run -1 stagefencectl import --from jacamar -o p.conf jacamar.toml
	good_policy
}

good_policy() {
	# not by run: what import said is still asked for
	stagefencectl check -c p.conf
	awk 'length > 100 { print FILENAME ":" FNR ": " $0; exit 1 }' p.conf
}

# A bad file: this line, and no policy.
bad_file() {
	rm -f p.conf
	run -1 stagefencectl import --from jacamar -o p.conf jacamar.toml
	[ "$output" = "stagefencectl: jacamar.toml:$1" ] || { echo "$output"; return 1; }
	[ ! -e p.conf ]
}

# every_call_but PATTERN: all the names there are, as a TOML list's content
every_call_but() {
	sed -nE 's/^C\(([a-z0-9_]+),.*/\1/p' "$source_folder/wrapper/calls.def" | grep -vxE "$1" | sed 's/.*/"&",/'
}

status_of() {
	grep -E "^($1):" /proc/self/status
}

@test "block_all: a call that allow_calls does not name kills, whatever the stage" {
	toml "[auth.seccomp]
disabled = false
block_all = true
allow_calls = [ $(every_call_but 'mkdir|mkdirat') ]"
	carried_over
	mkdir bare
	for stage in build_script after_script anything; do
		STAGEFENCE_STAGE=$stage stagefence -c p.conf touch "touched $stage"
		STAGEFENCE_STAGE=$stage run -159 stagefence -c p.conf mkdir fenced
	done
	run -159 stagefence -c p.conf mkdir fenced
	run -159 env STAGEFENCE_STAGE= stagefence -c p.conf mkdir fenced
	[ -d bare ]
	[ ! -e fenced ]
	[ -e "touched anything" ]
}

@test "block_all with the guide's short list: what is missing in it kills" {
	toml '[auth.seccomp]
disabled = false
block_all = true
allow_calls = [ "mkdir", "poll" ]'
	carried_over
	run -159 stagefence -c p.conf mkdir fenced
	[ ! -e fenced ]
}

@test "block_calls: a call that it names kills, by its other names too, and others do not" {
	toml '[auth.seccomp]
block_calls = ["mkdir"]'
	carried_over
	run -159 stagefence -c p.conf mkdir fenced
	run -159 stagefence -c p.conf python3 -c 'import os; os.mkdir("fenced", dir_fd=os.open(".", os.O_RDONLY))'
	stagefence -c p.conf touch file
	[ ! -e fenced ]
	[ -e file ]
	grep -q '^    log_blocked = true;' p.conf
	# allow_calls may hold a sibling open
	toml '[auth.seccomp]
block_calls = ["unlink"]
allow_calls = ["unlinkat"]'
	run -0 stagefencectl import --from jacamar -o p.conf jacamar.toml
	[ "$output" = "stagefencectl: jacamar.toml:3: note: without block_all everything is allowed that block_calls does \
not name" ]
	stagefence -c p.conf rm file
}

@test "what only is different is a note, in the policy too" {
	toml '[auth.seccomp]
block_all = true
block_calls = ["setuid"]
limit_setuid = true
allow_calls = ["setuid"]'
	run -0 stagefencectl import --from jacamar -o p.conf jacamar.toml
	[ "$output" = "stagefencectl: jacamar.toml:3: note: setuid is in allow_calls too; it is blocked here
stagefencectl: jacamar.toml:4: note: setuid is in block_calls too; it is blocked here, for the caller's own id as well" ]
	good_policy
	grep -qx '# \* line 3: setuid is in allow_calls too; it is blocked here' p.conf
}

@test "disabled, or no rule at all: no filter, and no_new_privs as it was" {
	local text
	for text in 'disabled = true' $'disabled = true\nblock_all = true\nallow_calls = [ "mkdir" ]' 'block_calls = []'; do
		toml "[auth.seccomp]
$text"
		run -0 stagefencectl import --from jacamar -o p.conf jacamar.toml
		good_policy
		run -0 stagefence -c p.conf grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status
		[ "$output" = "$(status_of 'Seccomp|NoNewPrivs')" ]
	done
	run -0 stagefencectl import --from jacamar jacamar.toml
	[ "${lines[0]}" = "stagefencectl: jacamar.toml:1: note: nothing is blocked, so there is no filter" ]
}

@test "no_new_privs of [auth] holds without a filter" {
	local text
	for text in '' $'[auth.seccomp]\ndisabled = true\nblock_calls = [ "mkdir" ]'; do
		toml "[auth]
no_new_privs = true
$text"
		run -0 stagefencectl import --from jacamar -o p.conf jacamar.toml
		[ "$output" = "stagefencectl: jacamar.toml:2: note: without a filter it is carried by a fence that refuses calls of \
other architectures only" ]
		good_policy
		run -0 stagefence -c p.conf sh -c 'mkdir "$0" && grep NoNewPrivs: /proc/self/status' "made${#text}"
		[ "$output" = $'NoNewPrivs:\t1' ]
	done
}

@test "with a filter no_new_privs is set, unless disable_no_new_privs says so" {
	toml '[auth.seccomp]
block_calls = [ "mkdir" ]'
	carried_over
	run -0 stagefence -c p.conf grep NoNewPrivs: /proc/self/status
	[ "$output" = $'NoNewPrivs:\t1' ]
	toml '[auth.seccomp]
block_calls = [ "mkdir" ]
disable_no_new_privs = true'
	carried_over
	if [ "$(id -u)" = 0 ]; then
		run -0 stagefence -c p.conf grep NoNewPrivs: /proc/self/status
		[ "$output" = "$(status_of NoNewPrivs)" ]
		run -159 stagefence -c p.conf mkdir fenced
	else
		run -125 stagefence -c p.conf mkdir fenced
	fi
	# [auth] sets it before anything
	printf '[auth]\nno_new_privs = true\n' >>jacamar.toml
	carried_over
	run -0 stagefence -c p.conf grep NoNewPrivs: /proc/self/status
	[ "$output" = $'NoNewPrivs:\t1' ]
}

@test "disable_no_new_privs is not carried over where no program could start" {
	toml '[auth.seccomp]
disable_no_new_privs = true
block_all = true
allow_calls = [ "mkdir", "poll" ]'
	partly_carried_over
	[[ "$output" == "stagefencectl: jacamar.toml:2: disable_no_new_privs: openat is blocked, which every program needs"* ]]
	grep -q '^    no_new_privs = true;  *# see above$' p.conf
	# a list with which one could start is
	toml "[auth.seccomp]
disable_no_new_privs = true
block_all = true
allow_calls = [ $(every_call_but mkdir) ]"
	carried_over
}

@test "limit_setuid: the caller's own ids and no other" {
	toml '[auth.seccomp]
limit_setuid = true'
	carried_over
	grep -q '^    limit_setuid = true;  *# line 2$' p.conf
	needs root
	setpriv --reuid=1 --clear-groups true
	stagefence -c p.conf setpriv --reuid=0 true
	run -127 stagefence -c p.conf setpriv --reuid=1 --clear-groups true
	[[ "$output" == *"Operation not permitted"* ]]
}

@test "log_allowed_actions is carried over, alone too" {
	toml '[auth.seccomp]
log_allowed_actions = true'
	run -0 stagefencectl import --from jacamar -o p.conf jacamar.toml
	[ "$output" = "stagefencectl: jacamar.toml:2: note: a fence is raised for its log only" ]
	good_policy
	grep -q '^    log_allowed_actions = true;  *# line 2$' p.conf
	stagefence -c p.conf grep -q $'Seccomp:\t2' /proc/self/status
}

@test "a plugin is named, and what to do about it: exit 1" {
	toml '[auth.seccomp]
validation_plugin = "/home/gitlab-runner/.gitlab-runner/plugins/seccomp.so"'
	partly_carried_over
	[ "$output" = "stagefencectl: jacamar.toml:2: validation_plugin /home/gitlab-runner/.gitlab-runner/plugins/seccomp.so \
is a Go plugin, and its rules are not in this policy: write it anew in C, see stagefence-plugin(3)" ]
	grep -q '^# NOT CARRIED OVER:$' p.conf
	grep -q '^    # plugin = .*# line 2: see above$' p.conf
	# it would have made a filter, and a filter brings no_new_privs
	run -0 stagefence -c p.conf grep NoNewPrivs: /proc/self/status
	[ "$output" = $'NoNewPrivs:\t1' ]
}

@test "unknown keys and calls are named with their lines, and left out: exit 1" {
	toml '[auth.seccomp]
block_everything = true
block_calls = [
  "mkdir",
  "mkdirs", # no such call
  "@mount",
  "",
]
Disabled = true'
	partly_carried_over
	[ "$output" = "stagefencectl: jacamar.toml:2: key block_everything of [auth.seccomp] is unknown here, and left out
stagefencectl: jacamar.toml:9: key Disabled of [auth.seccomp] is unknown here, and left out
stagefencectl: jacamar.toml:5: block_calls: system call mkdirs is unknown here, and left out
stagefencectl: jacamar.toml:6: block_calls: system call @mount is unknown here, and left out
stagefencectl: jacamar.toml:7: block_calls: system call  is unknown here, and left out" ]
	run -159 stagefence -c p.conf mkdir fenced
	[ "$(grep -c '^# \* line [0-9]*:' p.conf)" = 5 ]
}

@test "a whole jacamar.toml: other sections do not matter, and TOML is read as TOML" {
	cat >jacamar.toml <<'END'
# a site's file
title = "Jacamar CI \u2014 HPC \"login\" node"   # an escape, and a # in a comment

[general]
  executor = "slurm"
  data_dir = '/ecp\$HOME'           # nothing is an escape here
  retain_logs = true
  kill_timeout = "120s"
  name = """
a machine \
     with a long "name"""
  job_message = '''
Welcome
[auth.seccomp]
block_all = false
'''

[auth]
  downscope = "setuid"
  no_new_privs = false
  jacamar_path = "/opt/jacamar/bin"
  user_allowlist = [ "usr1", "usr2" ]
  "quoted key" = 0x1F
  since = 2022-06-14 18:31:19Z
  limits = { nice = -5, ratio = 1.5e3, "a.b".c = [ [ 1, 2 ], [ ] ] }

  [auth.runas]
    validation_script = "/opt/jacamar/bin/runas.py"

  [auth.seccomp] # the part that is ours
    block_all = true
    allow_calls = [
      "read", 'write', # two kinds of quotes
      """open""", "op\u0065nat"

      , "close", "read",
    ]

  [auth.logging]
    enabled = true
    level = "debug"

[batch]
  arguments_variable = [ "SITE_PARAMS" ]
  env_vars = [
    "PATH=$PATH:/opt/slurm/bin"
  ]

[[feature_flags]]
name = "a"
[[feature_flags]]
name = "b"
END
	carried_over
	run -0 sed -n '/^stages/,$p' p.conf
	[ "$output" = 'stages = (
  { name = "jacamar";
    match = [ "*" ];
    no_new_privs = true;                 # as with any filter of Jacamar CI
    block_action = "kill_process";       # see above
    log_blocked = true;                  # as Jacamar CI does where it can
    block_all = true;                    # line 31
    allow_calls = [                      # line 32
      "read", "write", "open", "openat", "close"
    ];
  }
);' ]
	# the same with other ends of lines, and with a byte order mark
	cp p.conf q.conf
	{ printf '\xef\xbb\xbf' && sed 's/$/\r/' jacamar.toml; } >crlf.toml
	run -0 stagefencectl import --from jacamar -o p.conf crlf.toml
	diff <(sed 1d p.conf) <(sed 1d q.conf)
}

@test "[auth.seccomp] may be written in any of TOML's ways" {
	local text
	toml '[auth.seccomp]
block_calls = [ "mkdir" ]'
	stagefencectl import --from jacamar jacamar.toml | sed 's/line [0-9]*$/line/' >expected
	for text in 'auth.seccomp.block_calls = [ "mkdir" ]' 'auth = { seccomp = { block_calls = [ "mkdir" ] } }' \
		$'[auth]\nseccomp.block_calls = [ "mkdir" ]' $'[auth.seccomp.unused]\n[ auth . "seccomp" ]\nblock_calls=["mkdir"]' \
		$'[auth]\nseccomp = { block_calls = [\n"mkdir"\n] }'; do
		toml "$text"
		stagefencectl import --from jacamar jacamar.toml 2>&1 | sed 's/line [0-9]*$/line/' >got
		[ "$text" = "${text/unused/}" ] || sed -i '/unused\|NOT CARRIED/d' got
		diff -B <(grep -v '^#$' expected) <(grep -v '^#$' got)
	done
}

@test "what is no TOML is said with its line, and nothing is written" {
	# the line and what is said, then the text
	while read -r said && read -r text; do
		printf "$text" >jacamar.toml
		bad_file "$said"
	done <<'END'
2: a value is missing
[auth.seccomp]\nblock_all =
2: = is missing behind a key: block_all
[auth.seccomp]\nblock_all true
2: not a string in quotes, number, date, true or false: yes
[auth.seccomp]\nblock_all = yes
2: one key or table a line; something follows
[auth.seccomp]\nblock_all = true allow_calls = []
3: block_all is there already, at line 2
[auth.seccomp]\nblock_all = true\nblock_all = true
3: seccomp is there already, at line 1
[auth.seccomp]\nblock_all = true\n[auth.seccomp]
1: ] is missing behind a table's name: seccomp
[auth.seccomp\nblock_all = true
4: a comma or ] is missing in the list of line 2
[auth.seccomp]\nallow_calls = [ "mkdir",\n "poll"\n "read" ]
3: a comma or ] is missing in the list of line 2
[auth.seccomp]\nallow_calls = [ "mkdir",\n
2: a string that begins here never ends
[auth.seccomp]\nallow_calls = [ "mkdir ]\n
2: a string that begins here never ends
[auth.seccomp]\nvalidation_plugin = """/a\nb"\n\n
2: a backslash is followed by one of b t n f r " \ u U
[auth.seccomp]\nvalidation_plugin = "\\x41"
2: \u takes 4 hexadecimal digits, \U 8
[auth.seccomp]\nvalidation_plugin = "\\u12"
2: a NUL byte in a string
[auth.seccomp]\nallow_calls = [ "mkdir\\u0000x" ]
2: \u or \U with a number that is no character
[auth.seccomp]\nvalidation_plugin = "\\ud800"
2: not a string in quotes, number, date, true or false: 012
[auth.seccomp]\nx = 012
2: not a string in quotes, number, date, true or false: 1__2
[auth.seccomp]\nx = 1__2
2: a comma behind the last key of { }
[auth.seccomp]\nx = { a = 1, }
2: a comma or } is missing in this line
[auth.seccomp]\nx = { a = 1
2: seccomp is complete at line 1, and nothing can be added to it
auth.seccomp = { block_all = true }\nauth.seccomp.disabled = true
2: a key is missing: key = value, or [table]
[auth.seccomp]\n= true
2: a control character (or NUL byte) in the text
[auth.seccomp]\n# a\001b
2: a control character (or NUL byte) in the text
[auth.seccomp]\nx = "\000"
3: bytes that are not UTF-8
[auth.seccomp]\n\n# \377
END
}

@test "what Jacamar CI would not take either is a bad file" {
	local key
	for key in disabled block_all limit_setuid disable_no_new_privs log_allowed_actions; do
		toml "[auth.seccomp]
$key = \"true\""
		bad_file "2: $key must be true or false"
	done
	for value in '"mkdir"' '[ 1 ]' '[ [ "mkdir" ] ]' true; do
		toml "[auth.seccomp]
allow_calls = $value"
		bad_file "2: allow_calls must be a list of strings"
	done
	toml $'[auth.seccomp]\nvalidation_plugin = [ "/a" ]'
	bad_file "2: validation_plugin must be a string"
	toml $'[auth]\nno_new_privs = 1\n[auth.seccomp]'
	bad_file "2: no_new_privs must be true or false"
	toml $'[auth]\nseccomp = true'
	bad_file "2: seccomp must be a table"
	toml $'[[auth]]'
	bad_file "1: auth must be a table"
	toml $'[general]\nexecutor = "shell"'
	bad_file " there is no [auth.seccomp], and so no policy"
}

@test "limits: depth, keys and size" {
	printf 'x = %s' "$(printf '[%.0s' $(seq 70))" >jacamar.toml
	bad_file "1: nested too deep"
	seq 10001 | sed 's/$/ = 1/' >jacamar.toml
	bad_file "10001: more than 10000 keys"
	head -c 1048577 /dev/zero | tr '\0' '#' >jacamar.toml
	bad_file " larger than 1 MiB"
	head -c 1000000 /dev/zero | tr '\0' '#' >jacamar.toml
	printf '\n[auth.seccomp]\nblock_calls = [ "mkdir" ]\n' >>jacamar.toml
	carried_over
}

@test "the file: a regular one, or - for standard input" {
	toml $'[auth.seccomp]\nblock_calls = [ "mkdir" ]'
	stagefencectl import --from jacamar jacamar.toml >a
	stagefencectl import --from jacamar - <jacamar.toml >b
	diff <(sed 1d a) <(sed 1d b)
	run -1 stagefencectl import --from jacamar - <<<'x'
	[ "$output" = "stagefencectl: standard input:1: = is missing behind a key: x" ]
	run -1 stagefencectl import --from jacamar nowhere.toml
	[ "$output" = "stagefencectl: nowhere.toml: No such file or directory" ]
	mkfifo fifo
	for file in . /dev/null fifo; do
		run -1 within 10 stagefencectl import --from jacamar "$file"
		[ "$output" = "stagefencectl: $file: not a regular file" ]
	done
}

@test "-o: the file is replaced as a whole, and what is no file stays" {
	toml $'[auth.seccomp]\nblock_calls = [ "mkdir" ]'
	echo old >p.conf
	carried_over
	[ "$(ls)" = $'jacamar.toml\np.conf' ]
	[ "$(stat -c %a p.conf)" = 644 ]
	mkfifo fifo
	mkdir folder
	ln -s p.conf link
	for file in fifo folder link; do
		run -1 within 10 stagefencectl import --from jacamar -o "$file" jacamar.toml
		[ "$output" = "stagefencectl: $file: there is something else than a regular file" ]
	done
	[ -p fifo ]
	[ -d folder ]
	[ -L link ]
}

@test "wrong usage: exit 2" {
	toml '[auth.seccomp]'
	for arguments in 'jacamar.toml' '--from docker jacamar.toml' '--from jacamar' '--from jacamar jacamar.toml b' \
		'--from jacamar -c p.conf jacamar.toml'; do
		# shellcheck disable=SC2086
		run -2 stagefencectl import $arguments
		one_line "$output"
	done
}

@test "whatever a file is called and says, it stays a comment" {
	local name=$'a\n}; stages = ( { name = "x"; } ); é'
	printf '[auth.seccomp]\nvalidation_plugin = "/a\\n}; */ \\u202e %s"\nblock_calls = [ "a\\nb", "mkdir" ]\n"k\\nk" = 1\n' \
		"$(printf 'long%.0s' $(seq 100))" >"$name"
	run -1 --separate-stderr stagefencectl import --from jacamar "$name"
	printf '%s\n' "$output" >p.conf
	good_policy
	[ "$(grep -c '^[^# ]' p.conf)" = 5 ]
	[ "$(LC_ALL=C grep -c '[^ -~]' p.conf)" = 0 ]
	run -159 stagefence -c p.conf mkdir fenced
}
