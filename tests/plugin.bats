#!/usr/bin/env bats
# Plugins: what they refuse is refused, they can give nothing, and whatever goes wrong with one is one line and the end.
# tests/plugins/bad.c does wrong what the stage's name says.

setup() {
	load lib
	cp "$helpers"/plugins/*.so .
}

# failure FILE WHAT: the compiler says this one line and nothing else, and nothing is compiled or run.
failure() {
	run -1 --separate-stderr within 20 stagefencectl compile -c "$1" -o -
	if [ "$stderr" != "stagefencectl: $2" ] || [ -n "$output" ]; then
		printf 'of %s: %s\nnot: stagefencectl: %s\n' "$1" "$stderr" "$2"
		return 1
	fi
	run -125 within 20 stagefence -c "$1" -s "$stage" touch ran
	[ "$output" = "stagefencectl: $2" ] || { printf "through the wrapper: %s\n" "$output"; return 1; }
	[ ! -e ran ]
}

@test "the after_script example: mkdir is refused there and nowhere else" {
	policy p '{ name = "build"; plugin = "mkdir.so"; }, { name = "after_script"; plugin = "mkdir.so"; }'
	stagefence -c p.conf -s build mkdir built
	[ -d built ]
	run -1 stagefence -c p.conf -s after_script mkdir test
	[[ "$output" == "mkdir: cannot create directory "*test*": Operation not permitted" ]]
	[ ! -e test ]
	# by either call
	run -1 stagefence -c p.conf -s after_script perl -e 'use File::Path; mkdir "a" or die "$!\n"'
	[ "$output" = "Operation not permitted" ]
	run -0 stagefencectl explain -c p.conf -s after_script mkdirat
	[[ "$output" == "mkdirat: EPERM, by mkdir.so, by way of mkdir"* ]]
	run -0 stagefencectl explain -c p.conf -s build mkdirat
	[[ "$output" == "mkdirat: allow"* ]]
}

@test "a plugin may be a stage's, its base's, all stages', the floor's, and one of several" {
	printf 'version = 1; plugin = "mkdir.so"; stages = ( { name = "build"; }, { name = "after_script"; } );\n' >all.conf
	policy one '{ name = "build"; }, { name = "after_script"; plugin = "mkdir.so"; }'
	policy several '{ name = "build"; }, { name = "after_script"; plugin = [ "conditions.so", "mkdir.so", "mkdir.so" ]; }'
	printf 'version = 1; profiles = ( { name = "shell"; plugin = "mkdir.so"; } );
stages = ( { name = "build"; base = "shell"; }, { name = "after_script"; base = "build"; } );\n' >base.conf
	for file in all one several base; do
		stagefence -c $file.conf -s build mkdir $file
		run -1 stagefence -c $file.conf -s after_script mkdir no
		[ -d $file ]
		[ ! -e no ]
	done
	# the floor is asked under its own name, and holds in every stage
	printf 'version = 1; floor = "after_script"; profiles = ( { name = "after_script"; plugin = "mkdir.so"; } );
stages = ( { name = "build"; allow_calls = [ "mkdir" ]; }, { name = "off"; disabled = true; } );\n' >floor.conf
	run -1 stagefence -c floor.conf -s build mkdir no
	run -1 stagefence -c floor.conf -s off mkdir no
	# a profile is nobody's stage
	printf 'version = 1; profiles = ( { name = "after_script"; plugin = "mkdir.so"; } );
stages = ( { name = "build"; base = "after_script"; } );\n' >profile.conf
	stagefence -c profile.conf -s build mkdir profile
	[ -d profile ]
	[ ! -e no ]
}

@test "a disabled stage's own plugin is not asked; the plugin of all stages is" {
	policy own '{ name = "after_script"; plugin = "mkdir.so"; disabled = true; }'
	stagefence -c own.conf -s after_script mkdir own
	[ -d own ]
	printf 'version = 1; plugin = "mkdir.so"; stages = ( { name = "after_script"; disabled = true; } );\n' >all.conf
	run -1 stagefence -c all.conf -s after_script mkdir no
	[ ! -e no ]
}

@test "the last of several files that set the plugin of all stages holds" {
	needs root
	cat >policy.conf <<'END'
version = 1; plugin = "/etc/stagefence/mkdir.so"; stages = ( { name = "after_script"; } );
END
	cat >inside <<'END'
set -e
PATH=/usr/local/sbin:/usr/local/bin:$PATH
stagefence -s after_script mkdir /etc/none 2>&1 || :
cp "$1"/mkdir.so "$1"/conditions.so /etc/stagefence
stagefencectl compile
stagefence -s after_script mkdir "$1/no" 2>&1 || :
echo 'plugin = "../conditions.so";' >/etc/stagefence/conf.d/last.conf
stagefence -s after_script mkdir "$1/made"
END
	run -0 "$tests/helpers/machine" -e policy.conf bash inside "$PWD"
	[ -d made ]
	[ ! -e no ]
}

@test "a relative path begins in the folder of the policy file" {
	mkdir -p deep/er
	cp mkdir.so deep/other.so
	printf 'version = 1; plugin = "../other.so"; stages = ( { name = "after_script"; } );\n' >deep/er/p.conf
	run -1 stagefence -c deep/er/p.conf -s after_script mkdir no
	run -1 stagefence -c "$PWD/deep/er/p.conf" -s after_script mkdir no
	(cd deep && run -1 stagefence -c er/p.conf -s after_script mkdir no)
	[ ! -e no ]
	[ ! -e deep/no ]
}

@test "a plugin can take away and not give: what the policy refuses stays refused, as the policy refuses it" {
	for refusal in 'block_calls = [ "mkdir" ]; block_action = "errno"; errno = "EROFS";' \
		'rules = ( { calls = [ "mkdir" ]; action = "errno"; errno = "EROFS"; args = ( { arg = 0; op = "!="; value = "0"; } ); },
			   { calls = [ "mkdirat" ]; action = "errno"; errno = "EROFS"; args = ( { arg = 1; op = "!="; value = "0"; } ); } );'; do
		policy p "{ name = \"x\"; $refusal plugin = \"loosen.so\"; }, { name = \"plain\"; $refusal }"
		run -1 stagefence -c p.conf -s x mkdir no
		[[ "$output" == *"Read-only file system" ]]
		mkdir -p there
		stagefence -c p.conf -s plain rmdir there
		mkdir there
		run -1 stagefence -c p.conf -s x rmdir there
		[[ "$output" == *"not permitted" ]]
		rmdir there
	done
	policy k '{ name = "x"; block_calls = [ "mkdir" ]; block_action = "kill_process"; plugin = [ "loosen.so", "mkdir.so" ]; },
		{ name = "after_script"; base = "x"; }'
	run -159 stagefence -c k.conf -s x sh -c 'mkdir no'
	# nor does an errno make a death milder
	run -159 stagefence -c k.conf -s after_script sh -c 'mkdir no'
	[ ! -e no ]
}

@test "for all calls at once: with a plugin that allows, every answer is what it is without" {
	for stage in '' 'default_action = "errno"; errno = "EACCES"; newest_kernel = "5.4";' 'block_all = true; allow_calls = [ "mkdir" ];' \
		'disabled = true;' 'block_calls = "@file-system"; block_action = "trap";'; do
		policy with "{ name = \"x\"; $stage plugin = \"bad.so\"; }"
		policy without "{ name = \"x\"; $stage }"
		stagefencectl compile -c with.conf -o with.sfi
		stagefencectl compile -c without.conf -o without.sfi
		[ "$(stagefence -c with.sfi -s x true; echo $?)" = "$(stagefence -c without.sfi -s x true; echo $?)" ]
		run -0 stagefencectl diff with.conf without.conf
	done
}

@test "a plugin's default refuses what it does not name, and spares what the policy's own answer fits better" {
	policy p '{ name = "x"; plugin = "default.so"; }, { name = "old"; newest_kernel = "4.18"; plugin = "default.so"; }'
	stagefence -c p.conf -s x mkdir made
	[ -d made ]
	run -1 stagefence -c p.conf -s x uname
	[[ "$output" == *"Invalid cross-device link" ]]
	run -0 stagefencectl explain -c p.conf -s x mount
	[[ "$output" == "mount: EXDEV, "*"by default.so"* ]]
	# so that a libc falls back, and a program can end
	run -0 stagefencectl explain -c p.conf -s x clone3
	[[ "$output" == "clone3: ENOSYS"* ]]
	run -0 stagefencectl explain -c p.conf -s old openat2
	[[ "$output" == "openat2: ENOSYS"* ]]
	run -0 stagefencectl explain -c p.conf -s x openat2
	[[ "$output" == "openat2: EXDEV"* ]]
	run -0 stagefencectl explain -c p.conf -s x exit_group
	[[ "$output" == "exit_group: allow"* ]]
}

@test "conditions: masks, orders, negative numbers, several, and a sibling that the plugin names" {
	policy p '{ name = "x"; plugin = "conditions.so"; }'
	stagefence -c p.conf -s x mkdir -m 755 shared
	[ -d shared ]
	run -1 stagefence -c p.conf -s x mkdir -m 700 private
	[[ "$output" == *"Read-only file system" ]]
	[ ! -e private ]
	: >file
	run -0 stagefence -c p.conf -s x perl -e 'truncate "file", 100 or print "$!\n"; truncate "file", 101 or print "$!\n"'
	[ "$output" = "No space left on device" ]
	# refused without conditions, and a sibling that has a rule
	run -0 stagefencectl explain -c p.conf -s x link
	[[ "$output" == "link: EMLINK, by conditions.so"* ]]
	run -0 stagefencectl explain -c p.conf -s x linkat
	[[ "$output" == "linkat: allow"* ]]
	# an int that is negative in 64 bits or in 32
	run -0 stagefencectl explain -c p.conf -s x unlinkat AT_FDCWD
	[[ "$output" == "unlinkat"*": allow"* ]]
	run -0 stagefencectl explain -c p.conf -s x unlinkat 0xffffff9c
	[[ "$output" == "unlinkat"*": allow"* ]]
	run -0 stagefencectl explain -c p.conf -s x unlinkat 5
	[[ "$output" == "unlinkat"*": EACCES"* ]]
}

@test "plugin and floor and stage: the strictest of the three" {
	printf 'version = 1; floor = "site";
profiles = ( { name = "site"; rules = (
	{ calls = [ "mkdir", "mkdirat" ]; action = "errno"; errno = "ENOSPC"; args = ( { arg = 0; op = ">="; value = "0"; } ); },
	{ calls = [ "rmdir" ]; action = "kill_process"; } ); } );
stages = ( { name = "x"; plugin = [ "loosen.so", "conditions.so" ]; }, { name = "after_script"; plugin = "mkdir.so"; allow_calls = [ "mkdir", "rmdir" ]; } );\n' >p.conf
	for stage in x after_script; do
		run -1 stagefence -c p.conf -s $stage mkdir no
		[[ "$output" == *"No space left on device" ]]
	done
	mkdir there
	run -159 stagefence -c p.conf -s x sh -c 'rmdir there'
	[ -d there ]
	[ ! -e no ]
}

@test "a plugin is a source of the image, its path the origin of its rules" {
	printf 'version = 1; plugin = "mkdir.so"; stages = ( { name = "after_script"; } );\n' >p.conf
	run -0 stagefencectl check -v -c p.conf
	grep -qxF "plugin   $PWD/mkdir.so" <<<"$output"
	run -0 stagefencectl explain -c p.conf -s after_script mkdir
	[[ "$output" == "mkdir: EPERM, by mkdir.so"* ]]
}

@test "a changed plugin makes the system's image stale" {
	needs root
	cat >policy.conf <<'END'
version = 1; plugin = "mkdir.so"; stages = ( { name = "after_script"; } );
END
	cat >inside <<'END'
set -e
PATH=/usr/local/sbin:/usr/local/bin:$PATH
cp "$1"/mkdir.so /etc/stagefence
stagefencectl compile
stagefence -s after_script mkdir "$1/no" 2>/dev/null || echo refused
cp "$1"/conditions.so /etc/stagefence/mkdir.so
stagefence -s after_script mkdir "$1/made"
chmod o+w /etc/stagefence/mkdir.so
stagefence -s after_script touch "$1/ran" || echo $?
rm /etc/stagefence/mkdir.so
stagefence -s after_script touch "$1/ran" || echo $?
END
	run -0 "$tests/helpers/machine" -e policy.conf bash inside "$PWD"
	[ "${lines[0]}" = refused ]
	[ "${lines[1]}" = "stagefencectl: /etc/stagefence/stagefence.conf:1: plugin /etc/stagefence/mkdir.so: mkdir.so can be written by others (chmod go-w)" ]
	[ "${lines[3]}" = "stagefencectl: /etc/stagefence/stagefence.conf:1: plugin /etc/stagefence/mkdir.so: mkdir.so: No such file or directory" ]
	[ "${lines[2]}" = 125 ]
	[ "${lines[4]}" = 125 ]
	[ "${#lines[@]}" = 5 ]
	[ -d made ]
	[ ! -e no ]
	[ ! -e ran ]
}

@test "plugins are for the compiler: a compiled policy runs without them" {
	printf 'version = 1; plugin = "mkdir.so"; stages = ( { name = "after_script"; } );\n' >p.conf
	stagefencectl compile -c p.conf -o p.sfi
	rm mkdir.so
	run -1 stagefence -c p.sfi -s after_script mkdir no
	[[ "$output" == *"Operation not permitted" ]]
	[ ! -e no ]
}

@test "a plugin that is not trusted, not there or no library is one line, and nothing runs" {
	local stage=x
	printf 'text\n' >text.so
	: >empty.so
	head -c 2000 mkdir.so >half.so
	cp mkdir.so writable.so && chmod g+w writable.so
	ln -s mkdir.so link.so
	mkdir folder.so
	mkdir -m 777 open && cp mkdir.so open
	mkfifo pipe.so
	cp mkdir.so secret.so && chmod 0 secret.so
	while read -r path what; do
		printf 'version = 1;\nstages = (\n{ name = "x"; },\n{ name = "y";\n  plugin = "%s"; } );\n' "$path" >p.conf
		failure p.conf "p.conf:5: plugin $path: $what"
	done <<'END'
absent.so absent.so: No such file or directory
no/such.so no: No such file or directory
writable.so writable.so can be written by others (chmod go-w)
open/mkdir.so open can be written by others (chmod go-w)
link.so link.so is a symbolic link (name what it points to)
folder.so folder.so is neither a regular file nor a folder where one belongs
pipe.so pipe.so is neither a regular file nor a folder where one belongs
/dev/null null is neither a regular file nor a folder where one belongs
text.so file too short
empty.so file too short
no-version.so undefined symbol: stagefence_plugin_version
no-function.so undefined symbol: stagefence_plugin
undefined.so undefined symbol: nobody_has_this
other-version.so is for version 2 of stagefence-plugin.h, and this is version 1
constructor.so crashed: SIGABRT
END
	printf 'version = 1;\nplugin = "half.so"; stages = ( { name = "x"; } );\n' >p.conf
	run -1 stagefencectl check -c p.conf
	one_line "$output"
	[[ "$output" == "stagefencectl: p.conf:2: plugin half.so: "* ]]
	if [ "$(id -u)" != 0 ]; then
		printf 'version = 1;\nplugin = "secret.so"; stages = ( { name = "x"; } );\n' >p.conf
		failure p.conf "p.conf:2: plugin secret.so: secret.so: Permission denied"
	fi
	printf 'version = 1;\nplugin = ""; stages = ( { name = "x"; } );\n' >p.conf
	failure p.conf "p.conf:2: plugin must be the path of a shared library"
	printf 'version = 1;\nstages = ( { name = "x";\nplugin = 7; } );\n' >p.conf
	failure p.conf "p.conf:3: plugin must be a list of strings"
}

@test "somebody else's plugin is refused" {
	needs root
	local stage=x
	chown 12345 mkdir.so
	printf 'version = 1;\nplugin = "mkdir.so"; stages = ( { name = "x"; } );\n' >p.conf
	failure p.conf "p.conf:2: plugin mkdir.so: mkdir.so belongs to somebody who could change it (chown root)"
}

@test "what a plugin does wrong is one line with the policy's file, the plugin, the stage and what, and nothing runs" {
	local long count=0
	long=$(printf 'w%.0s' {1..511})
	while read -r stage what; do
		policy p "{ name = \"good\"; },
{ name = \"$stage\"; base = \"p\"; }, { name = \"later\"; base = \"p\"; } );
profiles = ( { name = \"p\"; plugin = \"bad.so\"; }"
		failure p.conf "p.conf:5: plugin bad.so: stage $stage: $what"
		count=$((count + 1))
	done <<END
fail mkdir is dear to us
fail-without failed without a text
long-text $(printf '0%.0s' {1..511})
return stagefence_plugin() returned -7
segv crashed: SIGSEGV
abort crashed: SIGABRT
exit ended the process, with exit status 0
kill crashed: SIGKILL
garbage wrote to a pipe that is not its own
many more than 50000 rules
many-defaults more than 50000 rules
unknown unknown system call mkdirs
nameless unknown system call NULL
long-words unknown system call $long
action mkdir: there is no action 5
negative-action mkdir: there is no action 4294967295
errno mkdir: an errno is 1 to 4095, not 4096
no-errno mkdir: an errno is 1 to 4095, not 0
negative-errno mkdir: an errno is 1 to 4095, not -1
errno-of-kill mkdir: an errno goes with STAGEFENCE_ERRNO only
default-errno default: an errno is 1 to 4095, not 0
default-action default: there is no action 77
arg mkdir: mkdir has only 2 arguments: there is no arg 2
no-args getpid: getpid has 0 arguments: there is no arg 0
big-arg mkdir: mkdir has only 2 arguments: there is no arg 4000000000
op mkdir: there is no op 6
mask-order mkdir: a mask goes with == and != only
mask-value mkdir: the value has bits that the mask leaves out: they are never equal
wide mkdir: the value has more than 32 bits, but the kernel looks at 32 of mkdir's arg 1
place ioctl: the value 0x5e71d001 is taken by \$uid and \$gid
place-half read: the value 0x5e71d00200000000 is taken by \$uid and \$gid
conditions mkdir: more than 12 conditions
END
	[ "$count" = 32 ]
}

@test "a plugin that does not end is given up after ten seconds, and nothing of it stays" {
	local start=$SECONDS
	for stage in hang stop quiet left-behind; do
		mkdir $stage
		(
			cd $stage || exit
			policy p "{ name = \"$stage\"; plugin = \"../bad.so\"; }"
			local command=(stagefencectl check -c p.conf) status=0
			[ $stage != stop ] || command=(stagefence -c p.conf -s "$stage" touch ran)
			within 30 "${command[@]}" >said 2>&1 || status=$?
			echo $status >status
		) &
	done
	wait
	[ $((SECONDS - start)) -ge 9 ]
	[ $((SECONDS - start)) -le 20 ]
	for stage in hang stop quiet left-behind; do
		[ "$(cat $stage/said)" = "stagefencectl: p.conf:3: plugin ../bad.so: stage $stage: did not finish within 10 seconds" ]
		[ "$(cat $stage/status)" = "$([ $stage = stop ] && echo 125 || echo 1)" ]
		[ ! -e $stage/ran ]
		run readlink /proc/[0-9]*/cwd
		[[ "$output" != *"$PWD/$stage"* ]]
	done
}

@test "a plugin's words on its standard streams reach neither the image nor the job's log" {
	policy p '{ name = "chatter"; plugin = "bad.so"; }'
	run -0 --separate-stderr within 10 stagefencectl compile -c p.conf -o p.sfi
	[ -z "$output$stderr" ]
	stagefencectl compile -c p.conf -o - >stdout.sfi </dev/zero
	cmp p.sfi stdout.sfi
	run -1 stagefence -c p.conf -s chatter mkdir no
	[[ "$output" == "mkdir: cannot create directory"* ]]
	one_line "$output"
	# nor can it reach what the compiler or its caller has open
	stagefencectl compile -c p.conf -o open.sfi 7<p.conf 9>>p.conf
	cmp p.sfi open.sfi
	# nor do streams that are closed get in its way
	stagefencectl compile -c p.conf -o closed.sfi <&- >&- 2>&-
	cmp p.sfi closed.sfi
}

@test "a caller that ignores SIGCHLD hears all the same how a plugin ended" {
	policy p '{ name = "segv"; plugin = "bad.so"; }'
	run -1 within 20 perl -e '$SIG{CHLD} = "IGNORE"; exec @ARGV' stagefencectl check -c p.conf
	[ "$output" = "stagefencectl: p.conf:3: plugin bad.so: stage segv: crashed: SIGSEGV" ]
}

@test "no plugin is run for a policy that has mistakes" {
	policy p '{ name = "hang"; plugin = "bad.so"; block_calls = [ "mkdri" ]; }'
	run -1 within 5 stagefencectl check -c p.conf
	[ "$output" = "stagefencectl: p.conf:3: unknown system call mkdri" ]
}

@test "the plugin of the manual page is the one that is tested here" {
	[ -z "${STAGEFENCE_INSTALLED-}" ] || skip "the source tree's"
	awk '/^\.\\" example: mkdir\.c/ { on = 1; next } on && /^\.Ed/ { exit } on && !/^\.Bd/' \
		"$source_folder/wrapper/stagefence-plugin.3" | sed 's/\\e/\\/g; s/\\&//g' >sample.c
	diff "$tests/plugins/mkdir.c" sample.c
}

@test "the header is good for C and C++, alone and with every warning" {
	printf '#include "%s"\nint main(void) { return sizeof(struct stagefence_plugin_api) == 0; }\n' \
		"$source_folder/wrapper/stagefence-plugin.h" >h.c
	${CC:-cc} -std=c11 -pedantic -Wall -Wextra -Wconversion -Werror -fsyntax-only h.c
	needs program c++
	c++ -std=c++11 -pedantic -Wall -Wextra -Wconversion -Werror -fsyntax-only -x c++ h.c
}
