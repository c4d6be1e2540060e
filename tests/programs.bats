#!/usr/bin/env bats
# Every kind of program that can be started through the wrapper is confined by it, or refused with one line. Each test
# first shows that the call which is refused works without the fence.

# shellcheck disable=SC2016,SC2030,SC2031,SC2094,SC2154 # what bats and texts for other shells look like to shellcheck

setup() {
	load lib
	policy p '{ name = "open"; }, { name = "nomkdir"; block_calls = [ "mkdir", "mkdirat" ]; block_action = "errno"; }'
	stagefencectl compile -c p.conf -o p.sfi
}

# confined COMMAND...: makes the folder "made" and says "mkdir ok" when bare or in a stage that allows it; says "mkdir
# EPERM" and makes nothing in the one that does not.
confined() {
	run -0 "$@"
	[ "$output" = "mkdir ok" ]
	[ -d made ]
	rmdir made
	run -0 stagefence -c p.sfi -s open -- "$@"
	[ "$output" = "mkdir ok" ]
	[ -d made ]
	rmdir made
	run -0 stagefence -c p.sfi -s nomkdir -- "$@"
	[ "$output" = "mkdir EPERM" ]
	[ ! -e made ]
}

# script FILE 'TEXT': TEXT, in which \n begins a new line, as an executable file
script() {
	printf '%b' "$2" >"$1"
	chmod +x "$1"
}

# outcome COMMAND...: what it prints, what it makes and its exit status
outcome() {
	local status=0
	rm -rf made
	"$@" 2>&1 || status=$?
	[ ! -d made ] || echo "made"
	echo "status $status"
}

# A root-owned folder that an ordinary user can reach, on a file system of its own that honours setuid and capabilities;
# gone with the commands that run in it.
in_own_mount() {
	unshare --mount --propagation private bash -euc "
		mount -t tmpfs -o mode=755 own /mnt
		cp '$build/stagefence' '$build/stagefencectl' '$build/groups.conf' '$build/libstagefence.so' /mnt
		cp '$helpers/privileges' '$PWD/p.sfi' /mnt
		mkdir -m 777 /mnt/work
		cd /mnt/work
		ordinary() { setpriv --reuid=65534 --regid=65534 --clear-groups -- \"\$@\"; }
		$1"
}

# ---- by how they are linked ----

@test "a dynamic glibc program is confined" {
	confined "$helpers/try" mkdir
}

@test "a static glibc program is confined" {
	confined "$helpers/try-static" mkdir
}

@test "a static-pie glibc program is confined" {
	confined "$helpers/try-static-pie" mkdir
}

@test "a dynamic musl program is confined" {
	needs musl
	confined "$helpers/try-musl" mkdir
}

@test "a static musl program is confined" {
	needs musl
	confined "$helpers/try-musl-static" mkdir
}

@test "a static program without any C library is confined" {
	confined "$helpers/bare"
}

@test "an AddressSanitizer program works, and is confined" {
	confined "$helpers/try-asan" mkdir
}

@test "a program started through its dynamic loader is confined" {
	local loader
	loader=$(readelf -lW "$helpers/try" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
	confined "$loader" "$helpers/try" mkdir
}

@test "all threads of a program that makes them as Go does are confined (an imitation in C)" {
	run -0 "$helpers/golike"
	[ "$output" = $'thread 0 mkdir ok\nthread 1 mkdir ok\nthread 2 mkdir ok' ]
	rmdir t0 t1 t2
	run -0 stagefence -c p.sfi -s open "$helpers/golike"
	[ "$output" = $'thread 0 mkdir ok\nthread 1 mkdir ok\nthread 2 mkdir ok' ]
	rmdir t0 t1 t2
	run -0 stagefence -c p.sfi -s nomkdir "$helpers/golike"
	[ "$output" = $'thread 0 mkdir EPERM\nthread 1 mkdir EPERM\nthread 2 mkdir EPERM' ]
	[ ! -e t0 ]
	[ ! -e t1 ]
	[ ! -e t2 ]
}

@test "a Go program is confined" {
	needs program go
	cat >try.go <<'END'
package main

import (
	"fmt"
	"syscall"
)

func main() {
	done := make(chan error)
	go func() { done <- syscall.Mkdir("made", 0777) }()
	switch err := <-done; err {
	case nil:
		fmt.Println("mkdir ok")
	case syscall.EPERM:
		fmt.Println("mkdir EPERM")
	default:
		fmt.Println(err)
	}
}
END
	CGO_ENABLED=0 GOFLAGS=-mod=mod GOCACHE=$PWD/cache go build -o try-go try.go
	confined ./try-go
}

# ---- by architecture ----

@test "a 32-bit program runs bare, and as the command it is refused with one line before it starts" {
	needs x86_64
	run -0 "$helpers/bare-i386"
	[ "$output" = "mkdir ok" ]
	rmdir made
	for stage in open nomkdir; do
		run -126 stagefence -c p.sfi -s $stage "$helpers/bare-i386"
		[ "$output" = "stagefence: $helpers/bare-i386: a program for another architecture, which stage $stage does not admit" ]
		[ ! -e made ]
	done
}

@test "a 32-bit program that a confined shell starts is killed before its first call" {
	needs x86_64
	run -0 sh -c "$helpers/bare-i386; echo \$?"
	[ "${lines[0]}" = "mkdir ok" ]
	[ "${lines[1]}" = 0 ]
	rmdir made
	run -0 stagefence -c p.sfi -s open sh -c "$helpers/bare-i386; echo \$?"
	[[ "$output" == *$((128 + $(kill -l SYS))) ]]
	[[ "$output" != *"mkdir ok"* ]]
	[ ! -e made ]
}

@test "a 64-bit program that makes calls by the 32-bit entry is killed, whatever the stage" {
	needs x86_64
	run -0 "$helpers/abi" int80
	[ "$output" = "int80 ok" ]
	rmdir made
	run -0 stagefence -c p.sfi -s open "$helpers/abi" native
	[ "$output" = "native ok" ]
	rmdir made
	run -$((128 + $(kill -l SYS))) stagefence -c p.sfi -s open "$helpers/abi" int80
	[ ! -e made ]
	run -$((128 + $(kill -l SYS))) stagefence -c p.sfi -s nomkdir "$helpers/abi" int80
	[ ! -e made ]
}

@test "a 64-bit program that makes calls by x32's numbers is killed, whatever the stage" {
	needs x86_64
	# a kernel without x32 says ENOSYS
	run -0 "$helpers/abi" x32
	[ "$output" = "x32 ok" ] || [ "$output" = "x32 errno 38" ]
	rm -rf made
	for stage in open nomkdir; do
		run -$((128 + $(kill -l SYS))) stagefence -c p.sfi -s $stage "$helpers/abi" x32
		[ ! -e made ]
	done
}

@test "a file that begins like a program but is none is refused as the kernel refuses it" {
	head -c 80 "$helpers/try" >short
	printf '\177ELF' >shorter
	head -c 4096 "$helpers/try-static" >cut-off
	chmod +x short shorter cut-off
	for file in short shorter cut-off; do
		run stagefence -c p.sfi -s open "./$file"
		[ "$status" -ge 126 ]
		[ "$status" -gt 128 ] || one_line "$output"
	done
}

# ---- by privilege ----

@test "a setuid program is confined, and no_new_privs takes its privilege" {
	needs root
	run -0 in_own_mount '
		cp /mnt/privileges /mnt/setuid && chmod 4755 /mnt/setuid
		ordinary /mnt/setuid try; rmdir made
		ordinary /mnt/stagefence -c /mnt/p.sfi -s open /mnt/setuid try; rmdir made
		ordinary /mnt/stagefence -c /mnt/p.sfi -s nomkdir /mnt/setuid try; ls
		ordinary /mnt/stagefence -c /mnt/p.sfi -s nomkdir sh -c "/mnt/setuid try"; ls'
	[[ "${lines[0]}" == "euid 0 caps "*"secure 1" ]]
	[[ "${lines[0]}" != *" caps 0 "* ]]
	[ "${lines[1]} ${lines[2]}" = "mkdir ok openat ok" ]
	[ "${lines[3]}" = "euid 65534 caps 0 secure 0" ]
	[ "${lines[4]} ${lines[5]}" = "mkdir ok openat ok" ]
	[ "${lines[6]}" = "euid 65534 caps 0 secure 0" ]
	[ "${lines[7]} ${lines[8]}" = "mkdir EPERM openat ok" ]
	[ "${lines[9]}" = "euid 65534 caps 0 secure 0" ]
	[ "${lines[10]} ${lines[11]}" = "mkdir EPERM openat ok" ]
	[ "${#lines[@]}" = 12 ]
}

@test "a setgid program is confined and not privileged" {
	needs root
	run -0 in_own_mount '
		cp /mnt/privileges /mnt/setgid && chgrp 12 /mnt/setgid && chmod 2755 /mnt/setgid
		ordinary /mnt/setgid try; rmdir made
		ordinary /mnt/stagefence -c /mnt/p.sfi -s nomkdir /mnt/setgid try'
	[ "${lines[0]}" = "euid 65534 caps 0 secure 1" ]
	[ "${lines[1]}" = "mkdir ok" ]
	[ "${lines[3]}" = "euid 65534 caps 0 secure 0" ]
	[ "${lines[4]}" = "mkdir EPERM" ]
}

@test "a program with file capabilities is confined, and no_new_privs takes its privilege" {
	needs root
	run -0 in_own_mount '
		cp /mnt/privileges /mnt/capable && setcap cap_net_raw+ep /mnt/capable
		ordinary /mnt/capable try; rmdir made
		ordinary /mnt/stagefence -c /mnt/p.sfi -s open /mnt/capable try; rmdir made
		ordinary /mnt/stagefence -c /mnt/p.sfi -s nomkdir /mnt/capable try; ls'
	[[ "${lines[0]}" == "euid 65534 caps 2000 "* ]]
	[ "${lines[1]}" = "mkdir ok" ]
	[[ "${lines[3]}" == "euid 65534 caps 0 "* ]]
	[ "${lines[4]}" = "mkdir ok" ]
	[[ "${lines[6]}" == "euid 65534 caps 0 "* ]]
	[ "${lines[7]}" = "mkdir EPERM" ]
	[ "${#lines[@]}" = 9 ]
}

@test "the wrapper itself refuses to be setuid, setgid or to have file capabilities" {
	needs root
	for privilege in 'chmod 4755' 'chgrp 12 /mnt/stagefence && chmod 2755' 'setcap cap_net_raw+ep'; do
		run -125 in_own_mount "$privilege /mnt/stagefence; ordinary /mnt/stagefence -c /mnt/p.sfi -s open mkdir made"
		[[ "$output" == "stagefence: must not be setuid, setgid or have file capabilities"* ]]
		one_line "$output"
	done
}

@test "a program that may be executed but not read is confined" {
	if [ "$(id -u)" = 0 ]; then
		run -0 in_own_mount '
			cp /mnt/privileges /mnt/secret && chmod 0711 /mnt/secret
			ordinary cat /mnt/secret 2>/dev/null || echo unreadable
			ordinary /mnt/secret try; rmdir made
			ordinary /mnt/stagefence -c /mnt/p.sfi -s nomkdir /mnt/secret try'
		[ "${lines[0]}" = unreadable ]
		[ "${lines[2]}" = "mkdir ok" ]
		[ "${lines[5]}" = "mkdir EPERM" ]
	else
		cp "$helpers/try" secret
		chmod 0111 secret
		run -1 cat secret
		confined ./secret mkdir
	fi
}

# ---- scripts ----

@test "a script is confined, and so is one whose interpreter is a script" {
	script one "#!/bin/sh\nexec \"$helpers/try\" mkdir\n"
	confined ./one
	script two "#!$PWD/one\nnobody reads this\n"
	confined ./two
	script three "#!$PWD/two with an argument\n"
	confined ./three
}

@test "a script gets the arguments that the kernel gives it" {
	script inner '#!/bin/sh -u\necho "$0" "$@"\n'
	script outer "#!$PWD/inner  one argument \n"
	run -0 ./outer a 'b c'
	local bare=$output
	run -0 stagefence -c p.sfi -s open ./outer a 'b c'
	[ "$output" = "$bare" ]
}

@test "a script whose interpreters go in a circle fails as it does bare" {
	script circle "#!$PWD/circle\n"
	run -126 stagefence -c p.sfi -s open ./circle
	one_line "$output"
}

@test "a script of /usr/bin/env is confined" {
	script one "#!/usr/bin/env bash\nexec \"$helpers/try\" mkdir\n"
	confined ./one
	script two "#!/usr/bin/env -S A=1 bash -e\n[ \"\$A\" = 1 ]\nexec \"$helpers/try\" mkdir\n"
	confined ./two
}

@test "a script without #! is confined" {
	script one "exec \"$helpers/try\" mkdir\n"
	confined env ./one
	run -0 stagefence -c p.sfi -s nomkdir ./one
	[ "$output" = "mkdir EPERM" ]
	[ ! -e made ]
	run -0 stagefence -c p.sfi -s open ./one
	[ "$output" = "mkdir ok" ]
}

@test "a script whose first line ends in CR LF is refused with a line that says so" {
	script one "#!/bin/sh\r\nmkdir made\r\n"
	run -127 ./one
	run -127 stagefence -c p.sfi -s open ./one
	[ "$output" = "stagefence: ./one: its first line ends in CR LF, so there is no such interpreter (dos2unix)" ]
	script two "#!/bin/sh -e\r\nmkdir made\r\n"
	[ "$(outcome ./two | tail -n 1)" = "$(outcome stagefence -c p.sfi -s open ./two | tail -n 1)" ]
	[ ! -e made ]
}

@test "a script whose interpreter is not there is refused with a line that names it" {
	script one '#!/no/such/interpreter -x\nmkdir made\n'
	run -127 stagefence -c p.sfi -s open ./one
	[ "$output" = "stagefence: ./one: there is no interpreter /no/such/interpreter" ]
	script two "#!$PWD/one\n"
	run -127 stagefence -c p.sfi -s open ./two
	one_line "$output"
}

# as_bare FILE: the script does what env(1) makes of it, which is execvp(3), and so takes /bin/sh where the kernel knows no
# interpreter; and where that makes a folder, it does not in a stage that refuses it.
as_bare() {
	outcome env "./$1" >bare
	outcome stagefence -c p.sfi -s open "./$1" >open
	diff bare open || { echo "not as bare: $1" && false; }
	outcome stagefence -c p.sfi -s nomkdir "./$1" >fenced
	diff <(sed 's/^mkdir ok$/mkdir EPERM/; /^made$/d' bare) fenced || { echo "not confined: $1" && false; }
}

@test "an empty executable, and scripts with odd first lines, do what they do bare" {
	export TRY=$helpers/try
	script empty ''
	script newline '\nexec "$TRY" mkdir\n'
	script bang '#! /bin/sh\nexec "$TRY" mkdir\n'
	script tabs '#!\t/bin/sh\t-e\t\nexec "$TRY" mkdir\n'
	script last '#!/bin/true'
	script longer "#!/bin/sh -e$(printf ' %.0s' $(seq 300))\nexec \"\$TRY\" mkdir\n"
	script spaces "#!/bin/sh$(printf ' %.0s' $(seq 300))-x\nexec \"\$TRY\" mkdir\n"
	script argument "#!/bin/sh -$(printf 'e%.0s' $(seq 300))\nexec \"\$TRY\" mkdir\n"
	for file in empty newline bang tabs last longer spaces argument; do
		as_bare $file
	done
	[ "$(outcome env ./argument)" = $'mkdir ok\nmade\nstatus 0' ]
}

@test "a script whose #! line the kernel cannot use is run by /bin/sh, as execvp runs it" {
	export TRY=$helpers/try
	: >text
	chmod +x text
	script nothing '#!\nexec "$TRY" mkdir\n'
	script blank '#!   \nexec "$TRY" mkdir\n'
	script longest "#!/$(printf 'x%.0s' $(seq 300))/sh\nexec \"\$TRY\" mkdir\n"
	script spaced "#!$(printf ' %.0s' $(seq 300))/bin/sh\nexec \"\$TRY\" mkdir\n"
	script other "#!$PWD/text\nexec \"\$TRY\" mkdir\n"
	[ "$(outcome env ./longest)" = $'mkdir ok\nmade\nstatus 0' ]
	for file in nothing blank longest spaced other; do
		as_bare $file
	done
}

# ---- by how they are named ----

@test "busybox is confined, whatever the name of its applet" {
	needs program busybox
	ln -s "$(command -v busybox)" mkdir
	run -0 ./mkdir made
	rmdir made
	run -0 stagefence -c p.sfi -s open ./mkdir made
	rmdir made
	run -1 stagefence -c p.sfi -s nomkdir ./mkdir made
	[ "$output" = "mkdir: can't create directory 'made': Operation not permitted" ]
	run -1 stagefence -c p.sfi -s nomkdir busybox mkdir made
	run -1 stagefence -c p.sfi -s nomkdir busybox sh -c 'busybox mkdir made'
	[ ! -e made ]
}

@test "a program keeps the name it is called by, also through a symbolic link" {
	ln -s "$helpers/seen" other-name
	run -0 stagefence -c p.sfi -s nomkdir ./other-name
	[ "${lines[0]}" = "argv 0 ./other-name" ]
	ln -s "$helpers/try" other-try
	confined ./other-try mkdir
}

@test "a program is confined that is named by a descriptor, even if its file is gone" {
	for kind in $(built try try-static try-musl); do
		cp "$helpers/$kind" copy
		exec 9<copy
		confined /proc/self/fd/9 mkdir
		rm copy
		confined /proc/self/fd/9 mkdir
		exec 9<&-
	done
}

@test "a program in a memfd is confined" {
	for kind in $(built try try-static try-musl); do
		run -0 "$helpers/anonymous" "$helpers/$kind" {} mkdir
		[ "$output" = "mkdir ok" ]
		rmdir made
		run -0 "$helpers/anonymous" "$helpers/$kind" stagefence -c p.sfi -s nomkdir {} mkdir
		[ "$output" = "mkdir EPERM" ]
		[ ! -e made ]
	done
}

@test "a 32-bit program in a memfd, or behind a link, is refused" {
	needs x86_64
	run -0 "$helpers/anonymous" "$helpers/bare-i386" {}
	[ "$output" = "mkdir ok" ]
	rmdir made
	run -126 "$helpers/anonymous" "$helpers/bare-i386" stagefence -c p.sfi -s open {}
	one_line "$output"
	ln -s "$helpers/bare-i386" link
	run -126 stagefence -c p.sfi -s open ./link
	one_line "$output"
	[ ! -e made ]
}

@test "what a confined program starts is confined in turn, of whatever kind" {
	for kind in $(built try try-static try-static-pie try-musl try-musl-static try-asan); do
		confined sh -c "'$helpers/$kind' mkdir"
	done
	confined sh -c "'$helpers/bare'"
	run -0 stagefence -c p.sfi -s nomkdir sh -c "'$helpers/golike' | sort; ls"
	[[ "$output" == "thread 0 mkdir EPERM"* && "$output" != *ok* ]]
}
