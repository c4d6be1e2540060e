#!/usr/bin/env bats
# What whoever can set the stage's variable can choose: check computes the weakest stage.

setup() {
	load lib
}

# weakest 'STAGES' ['TOP']: what check -v prints of it
weakest() {
	echo "version = 1; ${2-}
stages = ( $1 );" >p.conf
	stagefencectl check -v -c p.conf >seen 2>notes || { cat notes; return 1; }
	grep -E '^(weakest stage: |what the floor )' seen
}

who='stagefencectl: p.conf:2: note: whoever can set STAGEFENCE_STAGE'
end='what must always hold belongs in a floor'
plain='{ name = "build"; }' after='{ name = "after"; block_calls = [ "mount" ]; block_action = "errno"; }'

@test "the stage that allows what another refuses is named, with the calls" {
	[ "$(weakest "$plain, { name = \"after\"; rules = ( { calls = [ \"rmdir\", \"sync\" ]; action = \"errno\"; exact = true; } ); }")" = \
		"weakest stage: build, with 2 calls that another stage refuses: rmdir, sync" ]
	[ "$(cat notes)" = "$who can be in build, and has 2 calls that another stage refuses: rmdir, sync; $end" ]
	# a refusal that is only logged, and one that differs in its answer only, are none
	[ "$(weakest '{ name = "a"; rules = ( { calls = "sync"; action = "log"; } ); }, { name = "b"; }')" = "weakest stage: all refuse the same" ]
	run -1 grep whoever notes
	[ "$(weakest '{ name = "a"; block_calls = "sync"; }, { name = "b"; block_calls = "sync"; block_action = "errno"; }')" = \
		"weakest stage: all refuse the same" ]
}

@test "calls that a rule names come before those that a default refuses, and the list is short" {
	run -0 weakest "$plain, $after, { name = \"locked\"; block_all = true; allow_calls = \"@shell\"; }"
	[[ "$output" == "weakest stage: build, with "*" calls that another stage refuses: mount, "*" and "*" more" ]]
	[ "${#output}" -lt 200 ]
}

@test "conditions: a stage is weaker where it allows some arguments that another refuses" {
	tty() { echo "{ name = \"$1\"; rules = ( { calls = \"ioctl\"; action = \"errno\"; args = ( { arg = 1; op = \"$2\"; value = \"$3\"; } ); } ); }"; }
	[ "$(weakest "$plain, $(tty b == TIOCSTI)")" = "weakest stage: build, with 1 call that another stage refuses: ioctl" ]
	[ "$(weakest "$(tty a == TIOCSTI), $(tty b == TIOCSTI)")" = "weakest stage: all refuse the same" ]
	for op in '<' '<=' '>' '>='; do
		[ "$(weakest "$(tty a "$op" 7), $(tty b "$op" 8)" | wc -l)" = 1 ]
		[[ "$(weakest "$(tty a "$op" 7), $(tty b "$op" 8)")" == "weakest stage: "[ab]", with 1 call"* ]]
	done
	# each allows what the other refuses: neither is the weakest alone
	[ "$(weakest "$(tty a == TIOCSTI), $(tty b == TIOCLINUX)")" = "weakest stage: a and 1 alike, with 1 call that another stage refuses: ioctl" ]
}

@test "conditions: what is weaker for a few arguments only is seen, however many conditions there are" {
	local one rules='' i
	tty() { echo "{ calls = \"ioctl\"; action = \"errno\"; args = ( { arg = 1; op = \"==\"; value = \"$1\"; ${2-} } ); }"; }
	stage() { echo "{ name = \"$1\"; rules = ( $2 ); }"; }
	# 5 and 0x105 against 5 alone
	[ "$(weakest "$(stage a "$(tty 5 'mask = "0xff";')"), $(stage b "$(tty 5)")")" = \
		"weakest stage: b, with 1 call that another stage refuses: ioctl" ]
	# only where two arguments meet, and that is what another rule allows already
	one='{ calls = "ioctl"; action = "errno"; args = ( { arg = 1; op = "=="; value = 5; }, { arg = 2; op = "=="; value = 7; } ); }'
	[ "$(weakest "$(stage a "$(tty 5)"), $(stage b "$one")")" = "weakest stage: b, with 1 call that another stage refuses: ioctl" ]
	[ "$(weakest "$(stage a "$(tty 5), $one"), $(stage b "$(tty 5)")")" = "weakest stage: all refuse the same" ]
	# the last of a hundred
	for ((i = 1000; i < 1100; i++)); do rules+="$(tty $i), "; done
	[ "$(weakest "$(stage a "$rules $(tty 1)"), $(stage b "${rules%, }")")" = \
		"weakest stage: b, with 1 call that another stage refuses: ioctl" ]
	[ "$(weakest "$(stage a "${rules%, }"), $(stage b "$(tty 1099), ${rules%, }")")" = "weakest stage: all refuse the same" ]
	# more than can be compared: that may be a difference, and is said to be one
	for ((i = 1100; i < 1300; i++)); do rules+="$(tty $i), "; done
	[ "$(weakest "$(stage a "$rules $(tty 1)"), $(stage b "$(tty 1), ${rules%, }")")" = \
		"weakest stage: a and 1 alike, with 1 call that another stage refuses: ioctl" ]
	[ "$(weakest "$(stage a "$rules $(tty 1)"), $(stage b "$rules $(tty 2)")")" = \
		"weakest stage: a and 1 alike, with 1 call that another stage refuses: ioctl" ]
	# all but one
	[ "$(weakest "$(stage a '{ calls = "dup"; action = "allow"; args = ( { arg = 0; op = "=="; value = 5; } ); },
		{ calls = "dup"; action = "errno"; exact = true; }'), $(stage b '{ calls = "dup"; action = "errno"; exact = true; }')")" = \
		"weakest stage: a, with 1 call that another stage refuses: dup" ]
	# the same in other words
	[ "$(weakest "$(stage a '{ calls = "dup"; action = "errno"; args = ( { arg = 0; op = "<"; value = 8; } ); }'),
		$(stage b '{ calls = "dup"; action = "errno"; args = ( { arg = 0; op = "=="; mask = "0xfffffff8"; value = 0; } ); }')")" = \
		"weakest stage: all refuse the same" ]
}

@test "a floor covers all: nothing is noted, and check -v says so" {
	local top='floor = "f"; profiles = ( { name = "f"; block_calls = "mount"; block_action = "errno"; } );'
	[ "$(weakest "$plain, $after" "$top")" = "weakest stage: all refuse the same
what the floor f refuses is refused in all of them" ]
	run -1 grep whoever notes
	weakest "$plain, $after"
	[[ "$(grep whoever notes)" == "$who can be in build, and has "*" calls that another stage refuses: mount,"*"; $end" ]]
	# beyond the floor it is the site's choice, and only told
	[[ "$(weakest "$plain, { name = \"after\"; block_calls = \"rmdir\"; }" "$top")" == "weakest stage: build, with "* ]]
	run -1 grep whoever notes
}

@test "a disabled stage, privileges and other architectures count" {
	[[ "$(weakest "$after, { name = \"off\"; disabled = true; }")" == "weakest stage: off, with "*"mount"*"; and no_new_privs = false" ]]
	[ "$(weakest "$plain, { name = \"sudo\"; no_new_privs = false; }")" = "weakest stage: sudo, with no_new_privs = false" ]
	[ "$(cat notes)" = "$who can be in sudo, and has no_new_privs = false; $end" ]
	[ "$(weakest '{ name = "a"; no_new_privs = false; }, { name = "sudo"; no_new_privs = false; }')" = "weakest stage: all refuse the same" ]
	needs x86_64
	[ "$(weakest "$plain, { name = \"old\"; architectures = [ \"i386\", \"x32\" ]; }")" = \
		"weakest stage: old, with calls of x32, calls of i386" ]
}

@test "stages alike are counted, and of many only some are named" {
	[ "$(weakest "$plain, { name = \"test\"; }, { name = \"after\"; rules = ( { calls = \"sync\"; action = \"errno\"; } ); }")" = \
		"weakest stage: build and 1 alike, with 1 call that another stage refuses: sync" ]
	local stages='' call
	for call in sync pause getpid getppid getuid; do
		stages+="${stages:+, }{ name = \"$call\"; rules = ( { calls = \"$call\"; action = \"errno\"; } ); }"
	done
	run -0 weakest "$stages"
	[ "${#lines[@]}" = 4 ]
	[ "${lines[3]}" = "weakest stage: or 2 more" ]
	[ "$(wc -l <notes)" = 3 ]
}

@test "who can name a stage: nobody without a variable, no choice where there is one stage, no fence with pass" {
	[ "$(weakest "$plain, $after" 'stage_env = [ ];')" = "weakest stage: the environment names none" ]
	run -1 grep whoever notes
	[ "$(weakest "$plain")" = "weakest stage: there is one only" ]
	run -1 grep whoever notes
	weakest "$plain" 'no_stage = "pass"; stage_env = [ "A", "B" ];' >told
	[ "$(cat notes)" = 'stagefencectl: p.conf: note: no_stage = "pass": whoever can unset A or B has no fence, nor the floor' ]
	grep -qx 'weakest stage: none, which no_stage = "pass" is: no fence, and no floor' told
}

@test "the shipped policy: what a build may do more than the stages around it, and no note of it" {
	cp "$source_folder/conf/stagefence.conf" p.conf
	chmod go-w p.conf
	run -0 --separate-stderr stagefencectl check -v -c p.conf
	[[ "$output" == *$'\n'"weakest stage: build_script, with "*" calls that another stage refuses: "*"mkdir"* ]]
	[[ "$output" == *$'\n'"what the floor floor refuses is refused in all of them"* ]]
	# shellcheck disable=SC2154
	[[ "$stderr" != *whoever* ]]
}

@test "hundreds of stages: an answer at once" {
	{
		echo 'version = 1; stages = ('
		for i in $(seq 300); do
			echo "{ name = \"s$i\"; rules = ( { calls = \"ioctl\"; action = \"errno\"; args = ( { arg = 1; op = \"==\"; value = $i; } ); } ); },"
		done
		echo '{ name = "last"; block_calls = "sync"; } );'
	} >many.conf
	run -0 within 20 stagefencectl check -v -c many.conf
	[[ "$output" == *"weakest stage: "* ]]
}
