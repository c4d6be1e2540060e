# groups.awk: stagefence-groups(7) out of groups.conf, which it is one file with: nothing is said twice.
#
#	awk -v date='November 21, 2026' -v path=/usr/share/stagefence/groups.conf -f groups.awk groups.conf
#
# Reads the file as it is written here, an entry's name, about and calls on lines of their own; what it does not know
# makes it fail. tests/docs.bats compares the page with the file.

function quoted(line)
{
	if (!match(line, /"[^"]*"/))
		fail("no text in quotes")
	return substr(line, RSTART + 1, RLENGTH - 2)
}

function fail(why)
{
	print FILENAME ":" FNR ": " why | "cat >&2"
	failed = 1
	exit 1
}

BEGIN {
	print ".\\\" made from groups.conf by groups.awk"
	print ".Dd " date
	print ".Dt STAGEFENCE-GROUPS 7"
	print ".Os"
	print ".Sh NAME"
	print ".Nm stagefence-groups"
	print ".Nd groups of system calls that come with stagefence"
	print ".Sh DESCRIPTION"
	print "In a policy, described in\n.Xr stagefence.conf 5 ,\na group may stand wherever a system call may."
	print "Its name begins with\n.Ql @ ,\nand it stands for its members, and for those of the groups among them."
	print "A policy may have groups of its own, under other names."
	print ".Pp"
	print "Groups are of two kinds."
	print "Some are parts of a list of what is allowed:"
	print "to refuse one of them as a whole stops almost every program."
	print "Others are marked"
	print ".Em refusable :"
	print "no ordinary program that is run without privileges needs them."
	print ".Pp"
	print "Calls that one architecture lacks are no part of a group there."
	print "Calls that are younger than this version of stagefence are in none; see"
	print ".Ic newest_kernel"
	print "in"
	print ".Xr stagefence.conf 5 ."
	print ".Sh GROUPS"
	print ".Bl -tag -width Ds"
}

/^ *#/ || /^ *$/ { next }
/^groups = \($/ { inside = 1; next }
/^\);$/ { inside = 0; next }
!inside { fail("not in the list of groups") }

/^  \{ name = "@/ { name = quoted($0); about = ""; list = ""; next }
/^    about = "/ { about = quoted($0); next }
/^    calls = \[/ { reading = 1; sub(/^    calls = \[/, "") }

reading {
	list = list " " $0
	if ($0 !~ /\]/)
		next
	reading = 0
	if (name == "" || about == "")
		fail("a group without a name, or without a word about it")
	if ($0 !~ /\]; \},?$/)
		fail("more behind the calls")
	sub(/\].*/, "", list)
	gsub(/[",]/, " ", list)
	refusable = sub(/ \(refusable\)$/, "", about)
	print ".It Li " name
	print about "."
	if (refusable)
		print ".Em Refusable ."
	print ".Pp"
	n = split(list, names, / +/)
	last = ""
	for (i = 1; i <= n; i++) {
		if (names[i] == "")
			continue
		mark = names[i] ~ /^@/ ? "Li" : "Ic"
		if (mark == last && column + length(names[i]) < 100) {
			printf " , %s", names[i]
			column += length(names[i]) + 3
		} else {
			printf "%s.%s %s", last == "" ? "" : " ,\n", mark, names[i]
			column = length(names[i]) + 4
		}
		last = mark
	}
	print last == "" ? "No call at present." : ""
	count++
	name = ""
	next
}

{ fail("not understood") }

END {
	if (failed)
		exit 1
	if (count == 0 || inside || reading) {
		print FILENAME ": no whole list of groups" | "cat >&2"
		exit 1
	}
	print ".El"
	print ".Sh FILES"
	print ".Bl -tag -width Ds"
	print ".It Pa " path
	print "the groups, as a policy would write them"
	print ".El"
	print ".Sh EXAMPLES"
	print "A stage of an ordinary job, and nothing more:"
	print ".Bd -literal -offset indent"
	print "{ name = \"build\";"
	print "  default_action = \"errno\"; errno = \"ENOSYS\";"
	print "  allow_calls = [ \"@shell\" ]; }"
	print ".Ed"
	print ".Sh SEE ALSO"
	print ".Xr stagefence 1 ,"
	print ".Xr syscalls 2 ,"
	print ".Xr stagefence.conf 5 ,"
	print ".Xr systemd.exec 5 ,"
	print ".Xr stagefencectl 8"
	print ".Sh HISTORY"
	print "Names and meanings are those of"
	print ".Xr systemd.exec 5 ;"
	print "the lists are stagefence's own."
}
