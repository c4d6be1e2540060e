#!/usr/bin/env bats
# Policy images that are damaged, foreign or forged: one line, exit 125, and nothing runs.

setup() {
	load lib
	policy p '{ name = "open"; },
	{ name = "build"; match = [ "build_*", "b" ]; block_calls = [ "mkdir", "mkdirat" ]; block_action = "errno"; },
	{ name = "args"; rules = ( { calls = "lseek"; action = "errno"; args = ( { arg = 1; op = "=="; value = "77"; } ); } ); },
	{ name = "noexec"; block_calls = [ "execve", "execveat" ]; block_action = "errno"; },
	{ name = "off"; disabled = true; }'
	stagefencectl compile -c p.conf -o p.sfi
	forge=$helpers/forge
}

# refused IMAGE WHAT: the wrapper says so of it in one line and does not run the command, whatever stage is asked for.
refused() {
	run --separate-stderr within 10 stagefence -c "$1" -s "${stage-build}" touch ran
	# shellcheck disable=SC2154
	if [ "$status" != 125 ] || [ -n "$output" ] || ! one_line "$stderr" || [ -e ran ] ||
		[[ "$stderr" != "stagefence: "$2 ]]; then
		echo "$1, $2: status $status: $output $stderr"
		rm -f ran
		return 1
	fi
}

# Only with a fence, or not at all: the command tells whether it has one.
fenced_or_refused() {
	run --separate-stderr within 10 stagefence -c "$1" -s "${stage-build}" grep '^Seccomp:' /proc/self/status
	if [ "$status" = 0 ] && [ "$output" = $'Seccomp:\t2' ]; then
		return
	fi
	if [ "$status" != 125 ] || [ -n "$output" ] || ! one_line "$stderr"; then
		echo "$1: status $status: $output $stderr"
		return 1
	fi
}

@test "the image that the others damage is good" {
	for stage in open build args noexec; do
		run -0 "$forge" p.sfi
		run -0 stagefence -c p.sfi -s $stage true
	done
	run -1 stagefence -c p.sfi -s build_x mkdir no
	"$forge" p.sfi same.sfi
	cmp p.sfi same.sfi
}

@test "cut at every length, lengthened, every byte changed: image_check sees it, and reads nothing that is not there" {
	run -0 within 120 "$helpers/flip" p.sfi
	echo "$output"
	[[ "$output" == *"; 0 wrong" ]]
	# and of everything that the language has
	cp "$tests/policies/good/everything.conf" .
	stagefencectl compile -c everything.conf -o e.sfi
	run -0 within 120 "$helpers/flip" e.sfi
	[[ "$output" == *"; 0 wrong" ]]
}

@test "a truncated image is refused, whatever is left" {
	local size
	size=$(stat -c %s p.sfi)
	for length in 4 5 8 16 24 60 100 135 136 200 719 720 721 $((size / 2)) $((size - 8)) $((size - 1)); do
		head -c $length p.sfi >t.sfi
		refused t.sfi "t.sfi: is *"
	done
	# with less than its mark it is text for the compiler, and no policy
	for length in 0 1 3; do
		head -c $length p.sfi >t.sfi
		run -125 stagefence -c t.sfi -s build touch ran
		[[ "$output" == "stagefencectl: t.sfi:"* ]]
		[ ! -e ran ]
	done
}

@test "an image with something behind it is refused" {
	for extra in 1 3 8 4096; do
		{ cat p.sfi && head -c $extra /dev/zero; } >t.sfi
		refused t.sfi "t.sfi: is a policy image that was truncated, or has something behind it"
	done
	cat p.sfi p.sfi >t.sfi
	refused t.sfi "t.sfi: is a policy image that was truncated, or has something behind it"
	cp p.sfi t.sfi
	truncate -s 65M t.sfi
	refused t.sfi "t.sfi: is a policy image that was truncated*"
	truncate -s 20G t.sfi
	refused t.sfi "t.sfi: is a policy image that was truncated*"
}

@test "another version, another architecture" {
	for version in 0 1 2 0xffffffff; do
		"$forge" p.sfi t.sfi format=$version
		refused t.sfi "t.sfi: is a policy image of another version: compile it again"
	done
	for arch in 0 0x40000003 0xc0000028 $(($(uname -m | grep -q x86_64 && echo 0xc00000b7 || echo 0xc000003e))); do
		"$forge" p.sfi t.sfi arch=$arch
		refused t.sfi "t.sfi: is a policy image for another architecture: compile it here"
	done
}

@test "changed bytes in the header, the tables and the stage's code are refused by the wrapper" {
	local head code count=0 first length program
	head=$("$forge" p.sfi | awk '$1 == "head" { print $2 }')
	for ((at = 4; at < head; at += head / 40)); do
		"$forge" p.sfi t.sfi nosum byte.$at^=0x10
		refused t.sfi "t.sfi: is *"
		count=$((count + 1))
	done
	code=$("$forge" p.sfi | awk '$1 == "CODE" { print $2 }')
	# the second stage has the second program: each byte of an instruction, in several of them
	read -r _ program first length < <("$forge" p.sfi | sed -n '/^program 1 /p')
	[ "$program" = 1 ]
	for ((at = 0; at < 8 * length; at += 37)); do
		"$forge" p.sfi t.sfi nosum byte.$((code + 8 * first + at))^=1
		refused t.sfi "the policy image is damaged: the sum of stage build's program is wrong"
		count=$((count + 1))
	done
	# what another stage would run is not looked at
	stage=open run -0 stagefence -c t.sfi -s open true
	[ "$count" -ge 45 ]
}

@test "forged images, sums and all: what lies out of bounds is refused" {
	local wrong=''
	while read -r edits; do
		# shellcheck disable=SC2086
		"$forge" p.sfi t.sfi $edits
		refused t.sfi "t.sfi: is *" || wrong+=" ($edits)"
	done <<'END'
size=0
size=+1
stage.1.flags^=32
stage.1.flags^=0x80000000
stage.1.flags^=4
size=-8
size=0xffffffff
head_size=0
head_size=4
head_size=135
head_size+=4
head_size+=1
head_size=0xfffffff8
head_size=0x7ffffff8
no_stage=5
no_stage=0xfffffffd
unknown_stage=5
unknown_stage=0xfffffffe
part.STAGES.count=0xffffffff
part.STAGES.count=0x0aaaaaab
part.STAGES.count=0x10000000
part.STAGES.count=0x80000000
part.STAGES.count+=1000
part.STAGES.at=0
part.STAGES.at+=4
part.STAGES.at=0xfffffff8
part.STAGES.at=0x7ffffff8
part.STAGES.at=0xfffffff8 part.STAGES.count=1
part.PATTERNS.count=0x20000001
part.PATTERNS.count=0xffffffff
part.PATTERNS.at+=1
part.VARIABLES.count=0x40000001
part.VARIABLES.count+=1000
part.SOURCES.count=0x038e38e4
part.SOURCES.count+=1000
part.PROGRAMS.count=0x04924925
part.PROGRAMS.count=0x10000000
part.PROGRAMS.count=0
part.PROGRAMS.at=8
part.STRINGS.count=0
part.STRINGS.count-=1
part.STRINGS.count=0xffffffff
part.STRINGS.at=0xfffffff0
part.CODE.count=0x20000001
part.CODE.count=0xffffffff
part.CODE.count=0
part.CODE.count-=200
part.CODE.at=0
part.CODE.at+=4
part.CODE.at=0xfffffff8
part.RULES.count=0x08000001
part.RULES.at+=4
part.CONDITIONS.count=0x0aaaaaab
part.CONDITIONS.at=0xfffffff8
part.NOTES.count=0xffffffff
part.NOTES.count+=100
part.NOTES.at=16
stage.0.name=0xffffffff
stage.0.name+=100000
stage.1.exact=5000
stage.1.exec=0xfffffffe
stage.1.outer=0xfffffffe
stage.1.exact=0xffffffff
stage.1.exec=0xffffffff
stage.1.exact=0xffffffff stage.1.exec=0xffffffff stage.1.outer=0
stage.4.outer=0
pattern.0.text=0xffffffff
pattern.0.stage=5
pattern.0.stage=0xffffffff
variable.0=0xffffffff
source.0.path=0xffffffff
source.2.path+=100000
program.0.count=0
program.1.count=4097
program.1.count=4000
program.1.first+=250
program.1.count=0xffffffff
program.1.first=0xffffffff
program.1.first=0xffffffff program.1.count=2
program.1.first+=100000
END
	echo "$wrong"
	[ -z "$wrong" ]
}

@test "a forged program is raised as it is and found out, or not raised; the command has a fence or does not run" {
	local wrong='' code
	# the first instruction of build's program, by its number among all
	code=$("$forge" p.sfi | awk '$1 == "program" && $2 == 1 { print $3 }')
	while read -r edits; do
		# shellcheck disable=SC2086
		"$forge" p.sfi t.sfi ${edits//CODE/code.$code}
		refused t.sfi "the fence of stage build *" || wrong+=" ($edits)"
	done <<'END'
CODE.code=6 CODE.k=0x7fff0000
CODE.code=6 CODE.k=0x7ffc0000
CODE.code=0xffff
CODE.code=5 CODE.k=0xffffffff
CODE.k=1
CODE.k=64
program.1.digest^=1
program.1.count=1
program.1.count=23
program.1.flags=0x80000000
program.1.flags=8
program.1.flags=0xffffffff
program.1.first=0
program.1.first+=1
END
	# programs that refuse or kill everything, the question whether they are there and the last line included;
	# the last one takes this machine for a foreign one
	for edits in code=6,0x00050000 code=6,0x00050001 code=6,0x00050a51 code=6,0x7ff00000 code=6,0x7fc00000 \
		code=6,0x00030000 code=6,0 code=6,0x80000000 code=0x15,0 code=0,0; do
		"$forge" p.sfi t.sfi code."$code.${edits%,*}" code."$code".k="${edits#*,}"
		run within 10 stagefence -c t.sfi -s build touch ran
		[ "$status" -gt 124 ] && [ "$status" != 137 ] && [ -z "$output" ] && [ ! -e ran ] || wrong+=" ($edits: $status)"
	done
	# flags and fields that leave the fence what it is, or spoil it
	for edits in program.1.flags=1 program.1.flags=2 program.1.flags=4 program.1.cookie=1 program.1.cookie=0xffffffff \
		stage.1.flags=0 stage.1.flags=0xffffffff stage.1.outer=0 stage.1.outer=1 stage.1.outer=2 stage.1.exec=0 \
		stage.1.exact=0 stage.3.exec=0 part.RULES.count=0 part.NOTES.count=0 stage.1.name=0; do
		"$forge" p.sfi t.sfi "$edits"
		fenced_or_refused t.sfi || wrong+=" ($edits)"
		stage=noexec fenced_or_refused t.sfi || wrong+=" (noexec: $edits)"
	done
	echo "$wrong"
	[ -z "$wrong" ]
}

@test "a program that claims a place for the wrapper's secret has one, or is refused" {
	local wrong='' program
	program=$("$forge" p.sfi | awk '$1 == "program" && $4 < 51 { print $2; exit }')
	[ -n "$program" ]
	"$forge" p.sfi t.sfi "program.$program.cookie=1" "stage.1.exec=$program" "stage.1.exact=$program"
	refused t.sfi "the policy image is damaged: a program has no place for the wrapper's secret"
	# long enough, but other instructions stand where the secret would be written
	program=$("$forge" p.sfi | awk '$1 == "program" && $4 >= 60 { print $2; exit }')
	[ -z "$program" ] || {
		"$forge" p.sfi t.sfi "program.$program.cookie=1" "stage.1.exec=$program" "stage.1.exact=$program"
		fenced_or_refused t.sfi
	}
}

@test "the system's image: damage is refused, another version is compiled again" {
	needs root
	cat >inside <<'END'
PATH=/usr/local/bin:/usr/bin:/bin
image=/var/cache/stagefence/policy.sfi
cp $image good
try() {
	"$FORGE" good bad "$@"
	cat bad >$image
	stagefence -s build touch ran
	echo "$1: $?"
}
try magic=0
try nosum byte.100^=1
try nosum stage.1.exact=0xffffffff
try part.STAGES.count=0xffffffff
try arch=0
try nosum size+=8
: >$image; stagefence -s build touch ran; echo "empty: $?"
head -c 100 good >$image; stagefence -s build touch ran; echo "short: $?"
ls ran
# compiled anew from the policy
"$FORGE" good bad format+=1
cat bad >$image
stagefence -s build touch ran; echo "format: $?"
cat good >$image
chmod g+w $image; stagefence -s build touch again; echo "writable: $?"
END
	FORGE=$forge run "$tests/helpers/machine" p.conf bash inside 3>&-
	echo "$output"
	diff - <(printf '%s\n' "$output") <<'END'
stagefence: /var/cache/stagefence/policy.sfi: is not a policy image
magic=0: 125
stagefence: /var/cache/stagefence/policy.sfi: is a damaged policy image (its sum is wrong): compile it again
nosum: 125
stagefence: /var/cache/stagefence/policy.sfi: is a damaged policy image (its sum is wrong): compile it again
nosum: 125
stagefence: /var/cache/stagefence/policy.sfi: is a damaged policy image (a part lies out of bounds): compile it again
part.STAGES.count=0xffffffff: 125
stagefence: /var/cache/stagefence/policy.sfi: is a policy image for another architecture: compile it here
arch=0: 125
stagefence: /var/cache/stagefence/policy.sfi: is a policy image that was truncated, or has something behind it
nosum: 125
stagefence: /var/cache/stagefence/policy.sfi: is a policy image that was truncated, or has something behind it
empty: 125
stagefence: /var/cache/stagefence/policy.sfi: is not a policy image
short: 125
ls: cannot access 'ran': No such file or directory
format: 0
stagefence: /var/cache/stagefence/policy.sfi: can be written by others (chmod go-w)
writable: 125
END
}

@test "the folder of the compiled policy is everybody's to read, whatever root's umask was when it was made" {
	cat >inside <<-'END'
		rmdir /var/cache/stagefence
		umask 077
		"$COMPILER" compile
		stat -c %a /var/cache/stagefence /var/cache/stagefence/policy.sfi
	END
	run -0 "$tests/helpers/machine" -e p.conf bash -eu inside 3>&-
	[ "$output" = "755
644" ]
}
