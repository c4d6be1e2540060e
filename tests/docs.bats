#!/usr/bin/env bats
# README.md and the manual pages against the programs: their options, commands, keys, messages and every policy and
# session that they show.

setup() {
	load lib
	pages=("$source_folder"/wrapper/*.[158])
	conf=$source_folder/wrapper/stagefence.conf.5
	readme=$source_folder/README.md
}

# synopsis PAGE WORD: the lines of PAGE's synopsis that go on with WORD behind the program's name, as -h writes them
synopsis() {
	mandoc -Tascii -O width=300 "$source_folder/wrapper/$1" | col -b |
		sed -nE '/^SYNOPSIS/,/^DESCRIPTION/s/^ +([a-z]+ '"$2"'.*[^ ]) *$/\1/p' | sed 's/ \.\.\./.../g'
}

# letters PAGE: the options that PAGE explains
letters() {
	sed -nE 's/^\.It Fl (-?[A-Za-z]+).*/-\1/p' "$source_folder/wrapper/$1" | sort
}

# What -h on standard input lists as options.
listed() {
	sed -nE 's/^  (-[A-Za-z])(, (-[A-Za-z]))?  +.*/\1\n\3/p; s/^  (--?[A-Za-z]+) .*/\1/p' | grep . | sort -u
}

# commands: as the help has them, "NAME ARGUMENTS"
commands() {
	stagefencectl -h | sed -nE 's/^  ([a-z]+) +((\[[^]]*\] ?|--[a-z]+ [a-z|]+ ?|[a-z]+\|[a-z|]+ ?|[A-Z.]+ ?)*).*/\1 \2/p' | sed 's/ *$//'
}

# keys: those of conf.c's key lists, and of what these have in common
keys() {
	tr '\n' ' ' <"$source_folder/wrapper/conf.c" |
		grep -oE 'char \*const [a-z_]*keys\[\] = \{[^}]*\}|#define [A-Z]+_KEYS[^A-Za-z"][^A-Z#/]*' |
		grep -oE '"[a-z_]+"' | tr -d '"' | sort -u
}

# blocks MARK FILE: the fenced blocks of FILE that are marked so, into 1.MARK, 2.MARK ...
blocks() {
	awk -v mark="$1" '/^```/ { inside = $0 == "```" mark; n += inside; next } inside { print >(n "." mark) }' "$2"
}

@test "the manual pages are without a fault" {
	needs program mandoc
	[ "${#pages[@]}" -ge 4 ]
	run -0 mandoc -Tlint -W warning "${pages[@]}" "$source_folder"/wrapper/*.3 "$build/stagefence-groups.7"
	[ -z "$output" ]
}

@test "stagefence(1) and stagefencectl(8) say what a page of a program must" {
	local page section
	for page in stagefence.1 stagefencectl.8; do
		for section in FILES 'EXIT STATUS' EXAMPLES DIAGNOSTICS 'SEE ALSO' 'SECURITY CONSIDERATIONS'; do
			grep -qx "\.Sh $section" "$source_folder/wrapper/$page" || { echo "$page: where is $section?"; return 1; }
		done
	done
	grep -qx '\.Sh ENVIRONMENT' "$source_folder/wrapper/stagefence.1"
}

@test "stagefence-groups(7) has the groups and the members of groups.conf, and no others" {
	grep -v '^ *#' "$source_folder/conf/groups.conf" | tr '\n' ' ' | sed 's/{ name = /\n/g' |
		sed -nE 's/^"(@[a-z-]+)".* calls = \[([^]]*)\].*/\1 \2/p' | tr -d '",' >conf
	awk '/^\.It Li @/ { printf "%s%s", sep, $3; sep = "\n"; inside = 1; next }
		/^\.El/ { inside = 0 }
		inside && /^\.(Li|Ic) [@a-z_]/ { for (i = 2; i <= NF; i++) if ($i != ",") printf " %s", $i }
		END { print "" }' "$build/stagefence-groups.7" >page
	[ "$(wc -l <conf)" -ge 40 ]
	diff <(tr -s ' ' <conf | awk '{ sub(/ $/, ""); print }') page
}

@test "what groups.awk does not understand makes no page" {
	local conf=$source_folder/conf/groups.conf awk=$source_folder/conf/groups.awk
	run -0 awk -v date=x -v path=x -f "$awk" "$conf"
	sed 's/^groups = (/other = (/' "$conf" >1.conf
	sed '/^    about = .*swap/d' "$conf" >2.conf
	sed 's/^  { name = "@sync";/  {/' "$conf" >3.conf
	sed '$d' "$conf" >4.conf
	: >5.conf
	for conf in ?.conf; do
		run -1 awk -v date=x -v path=x -f "$awk" "$conf"
		[[ "$output" == *"$conf:"* ]]
	done
}

@test "the version is the same wherever it stands" {
	local version
	version=$(sed -n 's/^#define VERSION "\(.*\)"$/\1/p' "$source_folder/wrapper/version.h")
	[[ "$version" =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]
	[ "$(sed -n 's/^## \([0-9.]*\) .*/\1/p' "$source_folder/packaging/CHANGELOG.md" | head -1)" = "$version" ]
	[ "$(sed -n '1s/^stagefence (\([0-9.]*\)-[0-9]*) .*/\1/p' "$source_folder/packaging/debian/changelog")" = "$version" ]
	[ "$(sed -n 's/^Version: *//p' "$source_folder/packaging/rpm/stagefence.spec")" = "$version" ]
	[ "$(stagefence -V)" = "stagefence $version" ]
	[[ "$(stagefencectl -V)" == "stagefencectl $version ("*")" ]]
}

@test "stagefencectl -V names the libraries that it is linked with, and their versions" {
	local libraries library
	libraries=$(sed -n 's/^libs *:= *//p' "$source_folder/Makefile")
	[ -n "$libraries" ]
	run -0 stagefencectl -V
	for library in $libraries; do
		[[ "$output" =~ [\(,\ ]$library\ [0-9]+\.[0-9.]+[,\)] ]] || { echo "what $library?"; return 1; }
	done
}

@test "stagefence(1) has the usage and the options that stagefence -h prints, and no others" {
	needs program mandoc
	[ "$(synopsis stagefence.1 '\[-c')" = "$(stagefence -h | sed -n 's/^usage: //p')" ]
	[ -n "$(letters stagefence.1)" ]
	diff <(stagefence -h | listed) <(letters stagefence.1)
	# in the examples, up to --
	for option in $(grep -ohE '(^|[ `])stagefence -[^|;&]*' "$readme" "${pages[@]}" | sed 's/ -- .*//' |
		grep -oE ' -[a-zA-Z]\b' | sort -u); do
		stagefence -h | listed | grep -qx -- "$option" || { echo "there is no stagefence $option"; return 1; }
	done
}

@test "stagefencectl(8) has the commands and options that stagefencectl -h prints, and no others" {
	needs program mandoc
	[ "$(commands | wc -l)" -ge 2 ]
	diff <(commands | sort) <(synopsis stagefencectl.8 '[a-z]' | sed 's/^stagefencectl //' | sort)
	diff <(commands | cut -d' ' -f1 | sort) \
		<(sed -nE 's/^\.It Cm ([a-z]+).*/\1/p' "$source_folder/wrapper/stagefencectl.8" | sort)
	diff <(stagefencectl -h | listed) <(letters stagefencectl.8)
}

@test "every command of stagefencectl and every target of make that is named is there" {
	local named targets
	named=$(grep -ohE '(^|[^./a-z])stagefencectl [a-z]+' "$readme" "${pages[@]}" | sed 's/.*stagefencectl //' | sort -u)
	targets=$(grep -oE '(`|^    )make [a-z-]+' "$readme" | sed 's/.*make //' | sort -u)
	[ "$(wc -w <<<"$named")" -ge 10 ]
	[ "$(wc -w <<<"$targets")" -ge 8 ]
	for command in $named; do
		commands | grep -q "^$command\b" || { echo "there is no stagefencectl $command"; return 1; }
	done
	for target in $targets; do
		grep -qE "^$target:" "$source_folder/Makefile" || { echo "there is no make $target"; return 1; }
	done
}

@test "stagefence.conf(5) explains the keys that conf.c knows, and no others" {
	[ "$(keys | wc -l)" -ge 40 ]
	diff <(keys) <(sed -nE 's/^\.It Ic ([a-z_]+)$/\1/p' "$conf" | sort -u)
}

@test "stagefence.conf(5) lists the actions, the comparisons and the groups that there are" {
	local words
	words=$(grep -oE '\{ ("[A-Za-z_]+", SECCOMP_RET|"[=!<>]+", OP_)' "$source_folder/wrapper/conf.c" | cut -d'"' -f2)
	[ "$(wc -w <<<"$words")" -ge 20 ]
	for word in $words; do
		grep -qE "^\.(It )?(Li|Ql)(.* )?$word( |$)" "$conf" || { echo "where is $word?"; return 1; }
	done
	groups() {
		sed -nE 's/^  \{ name = "(@[a-z-]+)".*/\1/p' "$source_folder/conf/groups.conf"
	}
	diff <(groups | sort) \
		<(sed -n '/^These groups come/,/^\.El/p' "$conf" | grep -oE '@[a-z-]+' | sort)
	diff <(awk -F '"' '/^  \{ name = /{ name = $2 } /^    about = .*\(refusable/{ print name }' \
		"$source_folder/conf/groups.conf" | sort) \
		<(sed -n '/^\.It what ordinary programs do without/,/^\.It/p' "$conf" | grep -oE '@[a-z-]+' | sort)
}

@test "every policy in stagefence.conf(5) compiles, or is refused where it says so" {
	awk '
		/^\.Bd -literal( -offset indent)?$/ { inside = 1; kind = ""; n++; next }
		inside && /^\.\\" example: / { kind = $3; next }
		/^\.Ed/ && inside { if (kind == "") { print "line " NR ": an example without a mark"; bad = 1 } inside = 0 }
		inside { gsub(/\\e/, "\\"); gsub(/\\&/, ""); print >(n "." kind) }
		END { exit bad }' "$conf"
	local count=0 example
	for example in [0-9]*.*; do
		case $example in
		*.file | *.no) cat "$example" ;;
		*.top) echo 'version = 1;' && cat "$example" && echo 'stages = ( { name = "example"; } );' ;;
		*.stage) echo 'version = 1; stages = ( { name = "example";' && cat "$example" && echo '} );' ;;
		*.rule) echo 'version = 1; stages = ( { name = "example"; rules = (' && cat "$example" && echo '); } );' ;;
		# where the plugin would be installed
		*.plugin)
			cp "$helpers/plugins/mkdir.so" .
			echo 'version = 1; stages = ( { name = "after_script"; } );' &&
				sed "s,/etc/stagefence,$PWD," "$example"
			;;
		# Podman's, which need not be installed
		*.profile)
			echo '{ "defaultAction": "SCMP_ACT_ALLOW" }' >seccomp.json
			sed "s,/usr/share/containers,$PWD," "$example"
			;;
		*) return 1 ;;
		esac >example.conf
		cat "$example"
		run stagefencectl check -c example.conf
		echo "$output"
		[ "$status" = "$([[ $example == *.no ]] && echo 1 || echo 0)" ]
		count=$((count + 1))
	done
	[ "$count" -ge 35 ]
}

# decided: the section of that name, from its first item to its last
decided() {
	sed -n '/^\.Sh HOW A CALL IS DECIDED/,/^\.El/p' "$conf"
}

@test "stagefence.conf(5) says in ten sentences how a call is decided, each with an example that comes to just that" {
	[ "$(decided | grep -c '^\.It$')" = 10 ]
	# a sentence up to the first .Pp of each, and one example
	decided | awk '
		/^\.It$/ { item++; before = 1; next }
		/^\.Pp/ { before = 0 }
		item && before && /([^.]|[^.] )\.$/ { sentences[item]++ }
		/^\.Bd -literal/ { examples[item]++ }
		END {
			for (i = 1; i <= 10; i++)
				if (sentences[i] != 1 || examples[i] != 1) {
					print i ": " sentences[i] " sentences, " examples[i] " examples"
					bad = 1
				}
			exit bad
		}'
	decided | awk '
		/^\.Bd -literal/ { inside = 1; n++; next }
		inside && /^\.\\" example: / { kind = $3; next }
		/^\.Ed/ { inside = 0 }
		inside { print >(n "." kind) }'
	# example, stage, call and arguments, answer
	local count=0 n stage call answer file
	while IFS='|' read -r n stage call answer; do
		for file in "$n".*; do
			case $file in
			*.file) cat "$file" ;;
			*.stage) echo 'version = 1; stages = ( { name = "example";' && cat "$file" && echo '} );' ;;
			*.rule) echo 'version = 1; stages = ( { name = "example"; rules = (' && cat "$file" && echo '); } );' ;;
			esac >example.conf
		done
		# shellcheck disable=SC2086
		run -0 stagefencectl explain -c example.conf -s "$stage" $call
		[[ "${lines[0]}" == *": $answer"[,]* ]] || { echo "$n $stage $call: $output"; return 1; }
		count=$((count + 1))
	done <<'END'
1|build|mkdir|allow
1|build|rmdir|EPERM
2|example|socket AF_UNIX|allow
2|example|socket AF_INET|EPERM
3|example|mkdir|kill_process
3|example|rmdir|allow
4|example|ptrace|EACCES
4|example|read|allow
5|example|openat2|ENOSYS
5|example|openat|allow
6|example|exit_group|allow
6|example|read|EPERM
7|build|mount|EPERM
7|test|mount|kill_process
8|example|ioctl 0 TIOCSTI|EPERM
8|example|ioctl 0 0x100005412|EPERM
8|example|ioctl 0 TCGETS|allow
9|example|mkdirat|kill_process
9|example|rmdir|allow
10|example|socket|allow
END
	[ "$count" = 20 ]
}

@test "stagefence.conf(5) says the default of every key, and shows each in an example" {
	local key wrong=''
	sed -n '/^\.Bd -literal/,/^\.Ed/p' "$conf" >examples
	for key in $(keys); do
		grep -qE "(^|[^a-z_])$key = " examples || wrong+=" $key:example"
		# what stands between this key and the next
		awk -v key="$key" '
			/^\.(It|Sh|El)/ { inside = $0 == ".It Ic " key; next }
			inside && /[Dd]efault|[Rr]equired/ { found = 1 }
			END { exit !found }' "$conf" || wrong+=" $key:default"
	done
	echo "$wrong"
	[ -z "$wrong" ]
}

@test "every policy in README.md compiles" {
	blocks libconfig "$readme"
	for example in [0-9]*.libconfig; do
		run -0 stagefencectl check -c "$example"
		# notes are no mistakes
		[ -z "$(grep -v ': note: ' <<<"$output")" ]
	done
}

@test "the session in README.md is what happens" {
	blocks libconfig "$readme"
	blocks console "$readme"
	mv 1.libconfig job.conf
	while IFS= read -r line; do
		[[ $line == '$ '* ]] || continue
		printf '%s\n' "$line"
		bash -c "${line#??}" 2>&1 </dev/null || true
	done <1.console >seen
	diff <(sed -E 's/\[[0-9]+\] at/[PID] at/' 1.console) <(sed -E 's/\[[0-9]+\] at/[PID] at/' seen)
}

@test "every message in the pages' DIAGNOSTICS is one that the programs have" {
	# string literals that are one to the compiler are made one
	cat "$source_folder"/wrapper/*.[ch] "$source_folder"/preload/*.[ch] | sed 's/PATH_HANDOVER/"STAGEFENCE_FENCE"/g' |
		tr '\n' ' ' | sed -E 's/\\"/\x01/g; s/"[[:space:]]*"//g; s/\x01/"/g' >sources
	sed -nE '/^\.Bl -diag/,/^\.El/s/^\.It //p' "${pages[@]}" | sed 's/\\(dq/"/g' >messages
	[ "$(wc -l <messages)" -ge 20 ]
	while IFS= read -r part; do
		grep -qF -- "$part" sources || { echo "nothing says: $part"; return 1; }
	done < <(sed 's/\.\.\./\n/g' messages | sed -E 's/^[: ]+| +$//g' | grep .)
}

@test "no file names a path of the machine that it was written on" {
	# in two parts, so that this file has neither; tests make folders that are called so, and "up" in one
	run -1 grep -rnIE --exclude-dir=.git --exclude=.git --exclude-dir='build*' \
		"(^|[^A-Za-z])share""d/([^u]|u[^p])|(^|[^A-Za-z0-9_.}/-])/wor""k(/|\$|[^A-Za-z0-9_])" "$source_folder"
}
