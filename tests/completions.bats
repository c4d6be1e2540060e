#!/usr/bin/env bats
# Shell completion, in the shells themselves. What is offered must be what the programs' own tables have.

setup() {
	load lib
	if [ -n "${STAGEFENCE_INSTALLED-}" ]; then
		bash_file=/usr/share/bash-completion/completions/stagefence
		fish_file=/usr/share/fish/vendor_completions.d/stagefence.fish
		for zsh_folder in /usr/share/zsh/vendor-completions /usr/share/zsh/site-functions; do
			[ ! -e "$zsh_folder/_stagefence" ] || break
		done
	else
		bash_file=$source_folder/packaging/completions/stagefence.bash
		fish_file=$source_folder/packaging/completions/stagefence.fish
		zsh_folder=$source_folder/packaging/completions
	fi
	policy p '{ name = "build"; }, { name = "after_script"; }'
	printf '#!/bin/sh\n' >own-program
	chmod 755 own-program
	PATH=$PATH:$PWD
}

# ---- each prints what is offered for the line that it is given, one a line

by_bash() {
	bash --norc -c '
		source "$1"
		# readline itself would go on to files
		compopt() { files=1; }
		IFS=" " read -ra COMP_WORDS <<<"$2"
		[[ $2 != *" " ]] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		$(complete -p "${COMP_WORDS[0]##*/}" | sed -n "s/.* -F \([^ ]*\) .*/\1/p") "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}"
		[ -z "${files-}" ] || COMPREPLY+=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
		printf "%s\n" "${COMPREPLY[@]}" | sed "s/ *$//"' bash "$bash_file" "$1" | sort -u
}

by_zsh() {
	within 30 zsh -f "$tests/helpers/zsh-complete" "$zsh_folder" "$1" | sort -u
}

by_fish() {
	mkdir -p fish/completions
	cp "$fish_file" fish/completions/stagefence.fish
	ln -sf stagefence.fish fish/completions/stagefencectl.fish
	XDG_CONFIG_HOME=$PWD within 30 fish -c 'complete -C $argv[1]' "$1" | cut -f1 | sort -u
}

# offers SHELL 'LINE' WORD...: these, and no others
offers() {
	local shell=$1 line=$2
	shift 2
	"by_$shell" "$line" | sed '/^$/d' >offered
	printf '%s\n' "$@" | sed '/^$/d' | sort -u | diff - offered || { echo "that is for: $line"; return 1; }
}

# has SHELL 'LINE' WORD: this among others
has() {
	"by_$1" "$2" >offered
	grep -qx -- "$3" offered || { echo "no $3 for: $2"; cat offered; return 1; }
}

# usage COMMAND: its options, as the program itself has them
options() {
	{ stagefencectl "$1" --no-such-option 2>&1 || true; } | grep -oE '(^|[[ ])--?[a-z]+' | tr -d '[ '
}

completes() {
	local shell=$1 command commands
	commands=$(stagefencectl -h | sed -nE 's/^  ([a-z]+) .*/\1/p')
	[ "$(wc -w <<<"$commands")" -ge 7 ]
	# shellcheck disable=SC2086
	offers "$shell" 'stagefencectl ' $commands -h -V
	offers "$shell" 'stagefencectl expl' explain
	for command in $commands; do
		# shellcheck disable=SC2046
		offers "$shell" "stagefencectl $command -" $(options "$command")
	done
	offers "$shell" 'stagefencectl import --from ' jacamar oci
	offers "$shell" 'stagefencectl import --from ja' jacamar
	offers "$shell" 'stagefencectl import --from ' jacamar oci
	offers "$shell" 'stagefencectl export --to ' oci bpf pfc systemd c
	offers "$shell" 'stagefencectl gitlab ' config prepare run cleanup
	offers "$shell" 'stagefencectl gitlab -c p.conf r' run
	has "$shell" 'stagefencectl gitlab run own-pro' own-program
	offers "$shell" 'stagefencectl check --arch a' aarch64
	offers "$shell" 'stagefencectl show -c p.conf -s ' build after_script
	has "$shell" 'stagefencectl diff -c p.conf ' after_script
	has "$shell" 'stagefencectl status --verify ' $$
	has "$shell" 'stagefencectl check -c p' p.conf
	# shellcheck disable=SC2046
	offers "$shell" 'stagefence -' $(stagefence -h | sed -n 's/^usage: //p' | grep -oE ' \[--?[a-z]+' | tr -d '[ ') -h -V
	offers "$shell" 'stagefence -c p.conf -s a' after_script
	has "$shell" 'stagefence own-pro' own-program
	has "$shell" 'stagefence -c p.conf -s build own-pro' own-program
	has "$shell" 'stagefence -s build -- own-pro' own-program
	# a word of the command's own is none of ours
	"by_$shell" 'stagefence -s build -- own-program -' >offered
	run -1 grep -x -- -s offered
}

@test "bash completes commands, options, stages, files and the command to run" {
	completes bash
}

@test "zsh does" {
	needs program zsh
	needs terminal
	completes zsh
}

@test "fish does" {
	needs program fish
	completes fish
}

@test "with bash-completion loaded, the command's own completion takes over" {
	[ -e /usr/share/bash-completion/bash_completion ] || skip "needs bash-completion, which is not installed"
	run -0 bash --norc -c '
		source /usr/share/bash-completion/bash_completion
		source "$1"
		_own() { COMPREPLY=(mine); }
		complete -F _own own-program
		COMP_LINE="stagefence -s build own-program x" COMP_POINT=${#COMP_LINE}
		COMP_WORDS=(stagefence -s build own-program x) COMP_CWORD=4
		_stagefence stagefence x own-program
		echo "${COMPREPLY[@]}"' bash "$bash_file"
	[ "$output" = mine ]
}

@test "to complete a stage neither runs a program of the current folder nor compiles what -c names" {
	printf '#!/bin/sh\ntouch ran\n' >stagefencectl
	chmod 755 stagefencectl
	echo 'plugin = "./evil.so"; stages = ( { name = "only"; plugin = "./evil.so"; } );' >evil.conf
	for shell in bash zsh fish; do
		command -v $shell >/dev/null || continue
		[ $shell != zsh ] || [ -w /dev/ptmx ] || continue
		# shellcheck disable=SC2030
		(PATH=${PATH%:"$PWD"} && offers $shell 'stagefence -c evil.conf -s ' only)
		(PATH=${PATH%:"$PWD"} && has $shell "./stagefencectl " check)
	done
	[ ! -e ran ]
}

@test "to complete a stage takes no file's name for an option of another program" {
	local shell name=--expression=wwritten
	cp p.conf "./$name"
	for shell in bash zsh fish; do
		command -v "$shell" >/dev/null || continue
		[ "$shell" != zsh ] || [ -w /dev/ptmx ] || continue
		"by_$shell" "stagefence -c $name -s " >offered
		[ ! -e written ] || { echo "$shell wrote"; return 1; }
		grep -qx build offered || { echo "$shell offers no stage"; cat offered; return 1; }
	done
}

@test "files of one letter, which [--json] is a pattern for, change nothing that is offered" {
	touch {a..z} -- -
	for shell in bash zsh fish; do
		command -v "$shell" >/dev/null || continue
		[ "$shell" != zsh ] || [ -w /dev/ptmx ] || continue
		# shellcheck disable=SC2046
		offers "$shell" 'stagefencectl export -' $(options export)
		offers "$shell" 'stagefencectl export --json --to o' oci
		offers "$shell" 'stagefencectl gitlab ' config prepare run cleanup
	done
}
