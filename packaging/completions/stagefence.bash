# bash completion for stagefence and stagefencectl. What there is to offer comes from their own -h, so that it is theirs
# at any time, and the stages from the policy. A file that -c names is looked through and not compiled: a policy can
# have plugins, and nobody expects to run one by pressing a key.
# shellcheck shell=bash

# Ordinary users often lack sbin.
_stagefence_run() {
	(PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin && command "$@" 2>/dev/null </dev/null)
}

# _stagefence_value USAGE OPTION: the word that stands for OPTION's value in USAGE; nothing if it has none. A usage is
# split by read: a word like [--json] would be a pattern for files.
_stagefence_value() {
	local word before='' parts
	read -ra parts <<<"$1"
	for word in "${parts[@]}"; do
		word=${word#[}
		case $before,$word in
		"$2,"-*) return ;;
		"$2,"*)
			echo "${word%]}"
			return
			;;
		esac
		before=$word
	done
}

# _stagefence_options USAGE
_stagefence_options() {
	local word parts
	read -ra parts <<<"$1"
	for word in "${parts[@]}"; do
		word=${word#[}
		word=${word%]}
		[[ $word == -?* && $word != -- ]] && echo "$word"
	done
}

# _stagefence_stages [FILE]
_stagefence_stages() {
	if [ -n "${1-}" ]; then
		[ -f "$1" ] && sed -nE '/(^|[ ;])stages *[=:]/,$p' 2>/dev/null <"$1" |
			grep -oE '(^|[ {])name *= *"[A-Za-z0-9_.-]+"' | cut -d'"' -f2
	else
		_stagefence_run stagefencectl show |
			sed -nE '/^stages = /,$s/^  \{ name = "([A-Za-z0-9_.-]+)";.*/\1/p'
	fi
}

# _stagefence_list OPTION: what stagefencectl -h lists for it, with a | between
_stagefence_list() {
	_stagefence_run stagefencectl -h |
		sed -nE "/^  $1 [A-Z]+ /{s/^  [^ ]+ [A-Z]+ +(for )?//; s/, not .*//; s/,? or |, /|/g; p}"
}

# _stagefence_offer KIND CUR FILE: KIND is a value's word in the usage
_stagefence_offer() {
	local words=''
	case $1 in
	STAGE) words=$(_stagefence_stages "$3") ;;
	PID) words=$(cd /proc && printf '%s\n' [0-9]*) ;;
	A | B)
		words=$(_stagefence_stages "$3")
		compopt -o default 2>/dev/null
		;;
	*[a-z]*) words=${1//|/ } ;;
	*) compopt -o default 2>/dev/null ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$2")
}

_stagefence() {
	local cur=${COMP_WORDS[COMP_CWORD]} program=${1##*/} usage='' file='' first=1 i kind word parts before after=''
	COMPREPLY=()
	if [ "$program" = stagefencectl ]; then
		if [ "$COMP_CWORD" = 1 ]; then
			mapfile -t COMPREPLY < <(compgen -W "-h -V $(_stagefence_run stagefencectl -h |
				sed -nE 's/^  ([a-z]+) .*/\1/p')" -- "$cur")
			return
		fi
		first=2
		usage=$(_stagefence_run stagefencectl -h | sed -nE "s/^  ${COMP_WORDS[1]//[^a-z]/} +//p")
	else
		usage=$(_stagefence_run stagefence -h | sed -n 's/^usage: stagefence //p')
		usage="$usage -h -V"
	fi
	for ((i = first; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		kind=''
		[[ $word != -?* ]] || kind=$(_stagefence_value "$usage" "$word")
		case $kind in
		FORMAT | ARCH) kind=$(_stagefence_list "$word") ;;
		esac
		if [ -n "$kind" ]; then
			[ "$word" != -c ] || file=${COMP_WORDS[i + 1]-}
			i=$((i + 1))
			[ "$i" -lt "$COMP_CWORD" ] || {
				_stagefence_offer "$kind" "$cur" "$file"
				return
			}
		elif [ "$word" = -- ] || [[ $word != -?* ]]; then
			after=$((i + ($([ "$word" = -- ] && echo 1 || echo 0))))
			break
		fi
	done
	if [ "$program" = stagefence ] && { [ -n "$after" ] || [[ $cur != -* ]]; }; then
		after=${after:-$COMP_CWORD}
		if declare -F _comp_command_offset >/dev/null; then
			_comp_command_offset "$after"
		elif declare -F _command_offset >/dev/null; then
			_command_offset "$after"
		elif [ "$after" = "$COMP_CWORD" ]; then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		else
			compopt -o default 2>/dev/null
		fi
		return
	fi
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_stagefence_options "$usage")" -- "$cur")
	else
		kind=FILE before=''
		[[ ! $usage =~ (^| )A\ B( |$) ]] || kind=A
		[[ $usage != *'[PID]'* ]] || kind=PID
		# one word of several, which is no option's value
		read -ra parts <<<"$usage"
		for word in "${parts[@]}"; do
			[[ -n $after || $before == -* || ! $word =~ ^[a-z]+(\|[a-z]+)+$ ]] || kind=$word
			before=$word
		done
		_stagefence_offer "$kind" "$cur" "$file"
	fi
}

complete -F _stagefence stagefence stagefencectl
