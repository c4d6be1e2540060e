#!/usr/bin/env bats
# Shells run scripts under a policy as they do without one: in an allow list of the vendor's group @shell, in which any other
# call would kill, and in a stage where exactly one call is refused.
# shellcheck disable=SC2016,SC2154 # the scripts are for other shells

setup() {
	load lib
	policy p '{ name = "shell"; block_all = true; allow_calls = [ "@shell" ]; },
	{ name = "nomkdir"; block_all = true; allow_calls = [ "@shell" ];
		rules = ( { calls = [ "mkdir", "mkdirat" ]; action = "errno"; errno = "EPERM"; } ); },
	{ name = "deny"; block_calls = [ "mkdir", "mkdirat" ]; block_action = "errno"; }'
	stagefencectl compile -c p.conf -o p.sfi
	posix_script >posix
}

posix_script() {
	cat <<'END'
# loops, arithmetic, functions, case, parameters
i=0
while [ "$i" -lt 5 ]; do i=$((i + 1)); [ "$i" = 3 ] && continue; printf '%s ' "$i"; done; echo
for word in one 'two three' "$1" "$2"; do printf '<%s>' "$word"; done; echo
until [ "$i" -eq 0 ]; do i=$((i - 1)); done; echo "until $i"
double() { local_result=$(($1 * 2)); return "$local_result"; }
double 21; echo "function $?"
case file.txt in *.c) echo C ;; *.txt) echo text ;; esac
value=path/to/file.tar.gz; echo "${value##*/} ${value%%.*} ${unset:-default} ${#value}"
set -- a 'b c' d; echo "$# $2 $*"; shift; echo "$1"
# pipes, subshells, command substitution, here-documents, redirections, descriptors
printf '%s\n' pear apple fig | sort | tr a-z A-Z | { read -r first; echo "first $first"; cat; }
(cd / && echo "subshell $(pwd)"; i=99); echo "after $i $(pwd | sed 's:.*/::')"
echo "nested $(echo "$(echo deep) $(printf '%d' 0x10)")" `echo backquoted`
cat <<HERE
expanded $i $(echo substituted)
HERE
cat <<'HERE' | wc -l | tr -d ' '
$not expanded
	twice
HERE
echo one >file; echo two >>file; cat <file; exec 7>seven; echo to seven >&7; exec 7>&-; cat seven
{ echo out; echo err >&2; } 2>&1 | sort
ls /no/such/file 2>/dev/null || echo "ls failed"
# conditions, status
true && echo yes || echo no; false && echo yes || echo no
! false; echo "not $?"; (exit 42); echo "exit $?"; sh -c 'exit 7'; echo "child $?"
[ -d . ] && [ -f file ] && [ ! -e nothing ] && [ -x /bin/sh ] && echo "tests"
/no/such/program 2>/dev/null; echo "missing $?"
sh -c 'kill -TERM $$' 2>/dev/null; echo "killed $?"
# background, wait, signals, traps
sleep 0.01 & first=$!; (sleep 0.02; exit 3) & second=$!
wait "$first"; echo "wait $?"; wait "$second"; echo "wait $?"
trap 'echo "trapped USR1"' USR1; kill -USR1 $$; trap - USR1
trap 'echo "leaving $?"' EXIT
(trap 'echo "subshell trap"' EXIT; :)
# files
mkdir made 2>/dev/null; echo "mkdir $?"
[ -d made ] && rmdir made
umask 027; : >masked; ls -l masked | cut -c1-10; umask 022
chmod 600 masked; mv masked moved; ln -s moved link; readlink link; cp moved copy; rm -f moved link copy
for f in *; do printf '%s ' "$f"; done; echo
echo 'a:b:c' | (IFS=: read -r x y z; echo "$z$y$x")
ulimit -n >/dev/null && times >/dev/null && echo "limits"
exec 3<file; read -r line <&3; echo "read $line"; exec 3<&-
eval 'echo "eval $((6 * 7))"'
unset value; (: "${value?unset it is}") 2>/dev/null; echo "unset $?"
command -v cat >/dev/null && type sh >/dev/null && echo "commands"
set -e; false || true; echo "end"
exit 5
END
}

# outcome COMMAND...: in an empty folder, with $input for its standard input: what it prints, how it ends and what it leaves
outcome() {
	local status=0
	rm -rf work
	mkdir work
	(cd work && "$@" 2>&1 <"${input:-/dev/null}") || status=$?
	echo "status $status"
	ls work
}

# same_confined 'HOW SHELL IS CALLED' SCRIPT: the script prints the same bare and in the allow list, and where mkdir is refused
# differs in just that
same_confined() {
	local shell
	read -ra shell <<<"$1"
	outcome "${shell[@]}" "$PWD/$2" 'arg one' arg2 >bare
	outcome stagefence -c "$PWD/p.sfi" -s shell "${shell[@]}" "$PWD/$2" 'arg one' arg2 >allowed
	diff bare allowed
	grep -q '^mkdir 0$' bare
	grep -q '^status 5$' bare
	outcome stagefence -c "$PWD/p.sfi" -s nomkdir "${shell[@]}" "$PWD/$2" 'arg one' arg2 >refused
	diff <(sed 's/^mkdir 0$/mkdir 1/' bare) refused
	outcome stagefence -c "$PWD/p.sfi" -s deny "${shell[@]}" "$PWD/$2" 'arg one' arg2 >refused
	diff <(sed 's/^mkdir 0$/mkdir 1/' bare) refused
	# the script itself is what is executed
	printf '#!%s\n' "$(command -v "${shell[0]}")${shell[1]:+ ${shell[1]}}" | cat - "$2" >executable
	chmod +x executable
	outcome stagefence -c "$PWD/p.sfi" -s shell "$PWD/executable" 'arg one' arg2 >allowed
	diff bare allowed
}

# told COMMAND...: what a shell says itself when its mkdir is refused
told() {
	run "$@" -c 'mkdir made'
	[ "$status" = 0 ]
	rmdir made
	run stagefence -c p.sfi -s nomkdir "$@" -c 'mkdir made'
	[ "$status" = 1 ]
	[[ "$output" == "mkdir: cannot create directory 'made': Operation not permitted" ]]
	[ ! -e made ]
}

@test "bash runs a script as it does bare, and only the refused call fails" {
	same_confined bash posix
	told bash
	same_confined 'bash --posix' posix
}

@test "dash runs a script as it does bare, and only the refused call fails" {
	needs program dash
	same_confined dash posix
	told dash
}

@test "sh, whichever it is, runs a script as it does bare, and only the refused call fails" {
	same_confined sh posix
	told sh
}

@test "zsh runs a script as it does bare, and only the refused call fails" {
	needs program zsh
	same_confined zsh posix
	told zsh
}

@test "ksh93 runs a script as it does bare, and only the refused call fails" {
	needs program ksh
	same_confined ksh posix
	told ksh
}

@test "mksh runs a script as it does bare, and only the refused call fails" {
	needs program mksh
	same_confined mksh posix
	told mksh
}

@test "busybox sh runs a script as it does bare, and only the refused call fails" {
	needs program busybox
	same_confined 'busybox sh' posix
}

@test "fish runs a script as it does bare, and only the refused call fails" {
	needs program fish
	cat >fishy <<'END'
for i in (seq 1 5); test $i = 3; and continue; printf '%s ' $i; end; echo
for word in one 'two three' $argv; printf '<%s>' $word; end; echo
set i 3; while test $i -gt 0; set i (math $i - 1); end; echo while $i
function double; return (math $argv[1] x 2); end; double 21; echo function $status
switch file.txt; case '*.c'; echo C; case '*.txt'; echo text; end
printf '%s\n' pear apple fig | sort | tr a-z A-Z | begin; read first; echo first $first; cat; end
echo nested (echo (echo deep) (printf '%d' 0x10))
fish --no-config -c 'cd /; and echo subshell (pwd)'; basename (pwd)
echo one >file; echo two >>file; cat <file
begin; echo out; echo err >&2; end 2>&1 | sort
ls /no/such/file 2>/dev/null; or echo ls failed
true; and echo yes; false; or echo no; not false; echo not $status
sh -c 'exit 7'; echo child $status; sh -c 'kill -TERM $$'; echo killed $status
sleep 0.01 &; set first $last_pid; wait $first; echo wait $status
function handler --on-signal USR1; echo trapped USR1; end; kill -USR1 $fish_pid
function leaving --on-event fish_exit; echo leaving; end
mkdir made 2>/dev/null; echo mkdir $status
test -d made; and rmdir made
string split : a:b:c | tail -n 1; string upper (string sub -l 3 example)
for f in *; printf '%s ' $f; end; echo
psub --help >/dev/null 2>&1; cat (echo substituted | psub)
eval 'echo eval' (math 6 x 7); set -e i; set -q i; or echo unset
exit 5
END
	same_confined 'fish --no-config' fishy
	told fish --no-config
}

@test "an interactive bash with job control works in the allow list" {
	cat >typed <<'END'
set -m
sleep 5 &
jobs -r | wc -l
kill %1
wait %1 2>/dev/null
echo "killed $?"
cat <(echo process) <(echo substitution)
coproc CAT { cat; }
echo to coproc >&"${CAT[1]}"; read -r line <&"${CAT[0]}"; echo "$line"
kill "$CAT_PID"
mapfile -t a < <(seq 3); echo "${#a[@]} ${a[2]}"
[[ abc =~ b ]] && echo match
printf -v t '%(%Y)T' 0; echo "$t"
shopt -s globstar; declare -A h=([k]=v); echo "${h[k]}"
read -rt 0.01 x < <(sleep 1); echo "timeout $(($? > 128))"
exec {fd}<typed; read -r x <&$fd; echo "$x"; exec {fd}<&-
exit 5
END
	run -5 bash --norc -i ./typed
	local bare=$output
	[[ "$output" == *"killed 143"* ]]
	[[ "$output" == *"to coproc"* ]]
	run -5 stagefence -c p.sfi -s shell bash --norc -i ./typed
	[ "$output" = "$bare" ]
}

@test "each shell takes a script from standard input and from -c as it does bare" {
	local shell input=$PWD/posix
	for shell in bash dash zsh ksh mksh 'busybox sh'; do
		command -v "${shell%% *}" >/dev/null || continue
		# shellcheck disable=SC2086
		outcome $shell -s 'arg one' arg2 >bare
		grep -q '^status 5$' bare
		# shellcheck disable=SC2086
		outcome stagefence -c "$PWD/p.sfi" -s shell $shell -s 'arg one' arg2 >allowed
		diff bare allowed
		# shellcheck disable=SC2086
		run -3 stagefence -c p.sfi -s shell $shell -c 'echo "$0 $1"; exit 3' zero one
		[ "$output" = "zero one" ]
	done
}

@test "make, sed, awk, find, xargs, tar, perl and git run in the allow list" {
	cat >typed <<'END'
printf 'all:\n\t@echo made\n\t@mkdir d && rmdir d\n' >Makefile
make -s all && make -s -j2 all
seq 5 | sed -n '2,3p;s/5/five/p' | awk '{ s += $1; print NR, $0 } END { print s }'
find . -name 'Make*' -exec basename {} \; ; printf 'a b' | xargs -n1 echo
tar -cf - Makefile | tar -tf -; gzip -c Makefile | gunzip | wc -l | tr -d ' '
perl -e 'my $p = open(my $f, "-|", "echo perl") or die; print <$f>'
touch -d 2020-01-01 old; cp -p old new; stat -c %Y new; rm -f old new
git init -q . 2>/dev/null && git add Makefile && git -c user.name=a -c user.email=b commit -qm x && git log --oneline | wc -l | tr -d ' '
diff Makefile Makefile && cmp Makefile Makefile && date -d @0 -u +%Y; id -u; uname -s; df . >/dev/null; ps -p $$ >/dev/null; echo $?
END
	outcome bash "$PWD/typed" >bare
	grep -q '^made$' bare
	outcome stagefence -c "$PWD/p.sfi" -s shell bash "$PWD/typed" >allowed
	diff bare allowed
	printf 'all:\n\t@mkdir d\n' >work/Makefile
	run -2 stagefence -c p.sfi -s nomkdir make -s -C work
	[[ "$output" == *"mkdir: cannot create directory 'd': Operation not permitted"* ]]
}
