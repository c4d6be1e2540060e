#!/usr/bin/env bats
# packaging/install-deps: what it asks a package manager for. Both are played here, and so is who asks; what they install
# are links to this machine's own.
# shellcheck disable=SC2016,SC2154

setup() {
	load lib
	mkdir bin
	for program in sh awk sed grep ls cat uname ln as ld cc gcc make pkg-config bash unshare; do
		ln -s "$(command -v $program)" bin
	done
	GIT=$(command -v git)
	export GIT PLAYED=0
	printf '#!/bin/sh\necho $PLAYED\n' >bin/id
	chmod +x bin/id
}

# manager NAME 'SCRIPT': a package manager that notes what it was asked, and does as SCRIPT says
manager() {
	printf '#!/bin/sh\necho "%s $*" >>"$HOME/asked"\n%s\n' "$1" "$2" >bin/"$1"
	chmod +x bin/"$1"
}

dnf='case "$*" in
"repolist --all") printf "repo id  repo name  status\nappstream  AppStream  enabled\ncrb  CRB  disabled\n" ;;
*" list "*) printf "Available Packages\ngit.x86_64  2.43.0-1.el9  appstream\nfish.x86_64  3.3-1.el9  epel\nglibc-devel.i686  2.34-1.el9  baseos\n" ;;
*" install "*) [ -n "${BROKEN-}" ] || ln -s "$GIT" bin ;;
esac'

install_deps() {
	within 20 env PATH="$PWD/bin" CC=cc PKG_CONFIG=pkg-config "$source_folder/packaging/install-deps" "$@"
}

@test "where nothing is missing, no package manager is asked" {
	ln -s "$GIT" bin
	manager apt-get ''
	manager dnf ''
	run -0 install_deps demo
	[ -z "$output" ]
	[ ! -e asked ]
}

@test "apt-get installs what is missing, by name, and only for root" {
	manager apt-get 'case "$*" in *" install "*) ln -s "$GIT" bin ;; esac'
	PLAYED=1000 run -1 install_deps demo
	[ "$output" = "install-deps: missing: git
install-deps: run: sudo apt-get install --no-install-recommends git" ]
	[ ! -e asked ]
	run -0 install_deps demo
	[ "$output" = "install-deps: missing: git
install-deps: installing git" ]
	[[ "$(tail -n 1 asked)" == *" install --no-install-recommends git" ]]
}

@test "dnf installs what is missing, and EL's repository for builders is on for that command only" {
	manager dnf "$dnf"
	PLAYED=1000 run -1 install_deps demo
	[ "${lines[1]}" = "install-deps: run: sudo dnf install --setopt=install_weak_deps=False --enablerepo=crb git" ]
	[ "${#lines[@]}" = 2 ]
	run -1 grep -q ' install ' asked
	run -0 install_deps demo
	[ "$(tail -n 1 asked)" = "dnf -q -y --enablerepo=crb --setopt=install_weak_deps=False install git" ]
}

@test "what no repository has is left out if few tests want it, and else said, and nothing is installed" {
	manager dnf "$dnf"
	run -1 install_deps test
	[[ "$output" == *"no repository has bats "*"bats in EPEL"* ]]
	[[ "$output" == *"left out, because no repository has them:"*" zsh "* ]]
	[[ "$output" != *"left out"*" fish "* ]]
	run -1 grep -q ' install ' asked
}

@test "what was not installed is still missing, and that is status 1; without a package manager, too" {
	manager dnf "$dnf"
	BROKEN=1 run -1 install_deps demo
	[ "${lines[-1]}" = "install-deps: still missing: git" ]
	# asked once, and not over and over
	[ "$(grep -c ' install ' asked)" = 1 ]
	rm bin/dnf
	run -1 install_deps demo
	[[ "${lines[-1]}" == *"neither apt-get nor dnf here"* ]]
	run -2 install_deps nonsense
	[[ "$output" == usage:* ]]
}
