#!/bin/sh
# Proves that the vendor groups are complete: that conf/groups.conf and the call tables know the
# same calls, and that every call has a group to be named by. Reads two files and writes nothing
# but its findings, one a line. Exit status: 0 complete, 1 not, 2 wrong usage.
#
#	tests/groups-check.sh [calls.def [groups.conf]]

here=$(dirname -- "$0")
calls=${1:-$here/../wrapper/calls.def}
groups=${2:-$here/../conf/groups.conf}

if [ $# -gt 2 ]; then
	echo "usage: groups-check.sh [calls.def [groups.conf]]" >&2
	exit 2
fi
for file in "$calls" "$groups"; do
	if ! [ -f "$file" ] || ! [ -r "$file" ]; then
		echo "groups-check.sh: $file: not a file that can be read" >&2
		exit 2
	fi
done

# awk takes an operand with a = in it for an assignment, so the names go in as variables, and those
# by the environment: -v would interpret their backslashes. Sorting is by bytes, as in calls.def.
CALLS=$calls GROUPS_CONF=$groups LC_ALL=C awk '
function problem(text)
{
	print at ": " text
	problem_count++
}

# The part of libconfig that the groups are written in, as tokens: strings, names and single
# characters. Comments are dropped. Fills token[1..token_count] and token_line[].
function read_tokens(    line, in_comment, end, status)
{
	while ((status = (getline line < groups)) > 0) {
		line_number++
		while (line != "") {
			if (in_comment) {
				end = index(line, "*/")
				line = end ? substr(line, end + 2) : ""
				in_comment = !end
			} else if (line ~ /^(#|\/\/)/) {
				line = ""
			} else if (line ~ /^\/\*/) {
				line = substr(line, 3)
				in_comment = 1
			} else if (match(line, /^"[^"\\]*"/) || match(line, /^[A-Za-z*][-A-Za-z0-9_*]*/)) {
				add_token(substr(line, 1, RLENGTH))
				line = substr(line, RLENGTH + 1)
			} else {
				if (line !~ /^[ \t\r]/)
					add_token(substr(line, 1, 1))
				line = substr(line, 2)
			}
		}
	}
	at = groups
	if (status < 0)
		problem("cannot be read")
	if (in_comment)
		problem("a comment does not end")
}

function add_token(text)
{
	token[++token_count] = text
	token_line[token_count] = line_number
}

function unquoted(text)
{
	return substr(text, 2, length(text) - 2)
}

function read_name(name)
{
	group = name
	if (group in group_line)
		problem("group " group " repeats, see line " group_line[group])
	else {
		group_line[group] = token_line[i]
		group_name[++group_count] = group
	}
	if (group !~ /^@[a-z][-a-z]*$/)
		problem("group " group " is not named like a group")
}

function read_member(name,    last)
{
	if (member_count[group]) {
		last = member[group, member_count[group]]
		if (order(last) > order(name))
			problem(group " has " name " after " last)
	}
	if ((group, name) in is_member)
		problem(group " has " name " twice")
	is_member[group, name] = 1
	member[group, ++member_count[group]] = name
	member_line[group, member_count[group]] = token_line[i]
}

function order(name)
{
	return (name ~ /^@/ ? 0 : 1) name
}

# calls = [ "a", "b" ] from token i on. Leaves i on the closing bracket.
function read_calls(    want)
{
	want = "member"
	for (i += 3; i <= token_count && token[i] != "]"; i++) {
		at = groups ":" token_line[i]
		if (want == "comma" && token[i] == ",")
			want = "member, not a bracket"
		else if (want ~ /^member/ && token[i] ~ /^"/) {
			read_member(unquoted(token[i]))
			want = "comma"
		} else
			problem(group " has " token[i] " in its calls where it must have a " want)
	}
	if (want ~ /not a bracket/)
		problem(group " ends in a comma, which libconfig 1.5 takes for an error")
}

function read_groups()
{
	for (i = 1; i <= token_count; i++) {
		at = groups ":" token_line[i]
		if (token[i] == "name" && token[i + 1] == "=")
			read_name(unquoted(token[i + 2]))
		else if (token[i] == "calls" && token[i + 1] == "=" && token[i + 2] == "[") {
			if (group == "")
				problem("calls without the name of a group before them")
			read_calls()
		} else if (token[i] == "," && token[i + 1] == ")")
			problem("a comma after the last group, which libconfig 1.5 takes for an error")
	}
}

# Rows C(NAME, ...); the comment that explains them begins its lines with a star.
function read_table(    line, status)
{
	at = calls
	while ((status = (getline line < calls)) > 0)
		if (match(line, /^[ \t]*C\([ \t]*[A-Za-z0-9_]+/)) {
			line = substr(line, 1, RLENGTH)
			sub(/^.*[( \t]/, "", line)
			if (!(line in is_call))
				call_name[++call_count] = line
			is_call[line] = 1
		}
	if (status < 0 || !call_count)
		problem("no calls in it")
}

# Marks what a group has, its own groups included, in seen[]. path is how we came to it.
function walk(name, path,    k, m)
{
	if (index(path " ", " " name " ")) {
		say_cycle(substr(path, index(path " ", " " name " ")), name)
		return
	}
	if (name in seen)
		return
	for (k = 1; k <= member_count[name]; k++) {
		m = member[name, k]
		if (m in group_line)
			walk(m, path " " name)
		else
			seen[m] = 1
	}
	seen[name] = 1
}

# Every group of a cycle leads back to it: say it for the first one only.
function say_cycle(path, name,    k, n, on_path)
{
	at = groups ":" group_line[name]
	if (!(name in cycle_said))
		problem("groups form a cycle:" path " " name)
	n = split(path, on_path, " ")
	for (k = 1; k <= n; k++)
		cycle_said[on_path[k]] = 1
}

function check_members(    k, m, n)
{
	for (n = 1; n <= group_count; n++)
		for (k = 1; k <= member_count[group_name[n]]; k++) {
			m = member[group_name[n], k]
			at = groups ":" member_line[group_name[n], k]
			if (m ~ /^@/) {
				if (!(m in group_line))
					problem(group_name[n] " has the group " m ", which does not exist")
			} else {
				if (!(m in is_call))
					problem(group_name[n] " has the call " m ", which is not in " calls)
				if (group_name[n] != "@known" && group_name[n] != "@none")
					other[m] = group_name[n]
			}
		}
}

function check_cycles(    n)
{
	for (n = 1; n <= group_count; n++) {
		split("", seen)
		walk(group_name[n], "")
	}
}

function check_calls(    c, n)
{
	split("", seen)
	walk("@known", "")
	at = groups
	for (n = 1; n <= call_count; n++) {
		c = call_name[n]
		if (!(c in seen))
			problem("@known lacks " c)
		if (("@none", c) in is_member) {
			if (c in other)
				problem(c " is in @none, but also in " other[c])
		} else if (!(c in other))
			problem(c " is in no group but @known: give it one, or @none")
	}
}

BEGIN {
	calls = ENVIRON["CALLS"]
	groups = ENVIRON["GROUPS_CONF"]
	read_tokens()
	read_groups()
	read_table()
	check_members()
	check_cycles()
	check_calls()
	printf "%d groups, %d calls, %d problems\n", group_count, call_count, problem_count
	exit problem_count > 0
}'
