# fish completion for stagefence and stagefencectl, from their own -h and the policy; see stagefence.bash for why a file
# of -c is not compiled. A ? in a pattern is any character until fish 4, and then no more.

function __stagefence_run
    set -lx PATH $PATH /usr/local/sbin /usr/sbin /sbin
    command $argv 2>/dev/null </dev/null
end

function __stagefence_usage
    set -l words (commandline -opc)
    if test (string replace -r '.*/' '' -- $words[1]) = stagefencectl
        __stagefence_run stagefencectl -h | string replace -rf "^  $(string replace -ra '[^a-z]' '' -- "$words[2]") +" ''
    else
        __stagefence_run stagefence -h | string replace -rf '^usage: stagefence (.*)' '$1 -h -V'
    end
end

# The option that the word before asks a value for, as the usage calls that value; nothing if it asks for none.
function __stagefence_kind
    set -l words (commandline -opc)
    string match -qr -- '^-.' "$words[-1]"; or return 1
    set -l parts (__stagefence_usage | string split -n ' ')
    set -l at (contains -i -- "[$words[-1]" $parts; or contains -i -- "$words[-1]" $parts); or return 1
    set -l value (string trim -r -c ']' -- "$parts[$(math $at + 1)]")
    string match -q -- '[*' "$value"; or string match -q -- '-*' "$value"; and return 1
    echo $value
end

function __stagefence_stages
    set -l words (commandline -opc)
    set -l at (contains -i -- -c $words)
    if test -n "$at" -a -f "$words[$(math $at + 1)]"
        sed -nE '/(^|[ ;])stages *[=:]/,$p' 2>/dev/null <"$words[$(math $at + 1)]" |
            string match -rga '(?:^|[ {])name *= *"([A-Za-z0-9_.-]+)"'
    else
        __stagefence_run stagefencectl show | sed -nE '/^stages = /,$s/^  \{ name = "([A-Za-z0-9_.-]+)";.*/\1/p'
    end
end

# Where among the words the command is that stagefence is to run, or where it would be next.
function __stagefence_command
    set -l words (commandline -opc)
    set -l usage (__stagefence_usage)
    set -l i 2
    while test $i -le (count $words)
        switch $words[$i]
            case --
                math $i + 1
                return
            case -
                break
            case '-*'
                # one with a value is followed by the value's word: [-c FILE], but [-h]
                string match -q -- "*[$words[$i] *" $usage; and set i (math $i + 1)
                set i (math $i + 1)
            case '*'
                break
        end
    end
    echo $i
end

function __stagefence_complete
    set -l words (commandline -opc)
    set -l cur (commandline -ct)
    set -l kind (__stagefence_kind)
    # what -h lists for it
    if contains -- "$kind" FORMAT ARCH
        set kind (__stagefence_run stagefencectl -h | string replace -rf "^  $words[-1] [A-Z]+ +(?:for )?" '' |
            string replace -r ', not .*' '' | string replace -ra ',? or |, ' '|')
    end
    if test "$kind" = STAGE
        __stagefence_stages
        return
    else if string match -qr '[a-z]' -- "$kind"
        string split '|' -- $kind
        return
    else if test -n "$kind"
        __fish_complete_path "$cur"
        return
    end
    if test (string replace -r '.*/' '' -- $words[1]) = stagefencectl
        if test (count $words) = 1
            __stagefence_run stagefencectl -h | string replace -rf '^  ([a-z]+) .*' '$1'
            return
        end
        # one word of several, which is no option's value
        set -l choice (string match -r '(?:^|[^ -][^ ]* )([a-z]+(?:\|[a-z]+)+)(?: |$)' -- (__stagefence_usage))
        if test -n "$choice[2]"; and not contains -- $words[-1] (string split '|' -- $choice[2])
            string split '|' -- $choice[2]
            return
        end
        if string match -q '*[PID]*' -- (__stagefence_usage)
            __fish_complete_pids
            return
        end
        string match -qr '(^| )A B( |$)' -- (__stagefence_usage); and __stagefence_stages
        __fish_complete_path "$cur"
    else
        set -l i (__stagefence_command)
        test $i -gt (count $words); and not contains -- -- $words; and string match -q -- '-*' "$cur"; and return
        complete -C "$(string join ' ' -- (string escape -- $words[$i..-1]) $cur)"
    end
end

function __stagefence_options
    set -l words (commandline -opc)
    if test (string replace -r '.*/' '' -- $words[1]) = stagefencectl -a (count $words) = 1
        printf '%s\n' -h -V
        return
    end
    string match -q -- '-*' (commandline -ct); or return
    if test (string replace -r '.*/' '' -- $words[1]) = stagefence
        test (__stagefence_command) -gt (count $words); and not contains -- -- $words; or return
    end
    __stagefence_usage | string split -n ' ' | string trim -c '[]' | string match -r -- '^-.+' | string match -v -- --
end

complete -c stagefence -f -k -a '(__stagefence_complete)'
complete -c stagefence -f -a '(__stagefence_options)'
complete -c stagefencectl -f -k -a '(__stagefence_complete)'
complete -c stagefencectl -f -a '(__stagefence_options)'
