#!/usr/bin/env bats
# Which files a policy is made of: the vendor's, the administrator's, drop-ins, and what hides what (UAPI.6). Each test has
# a machine of its own.
# shellcheck disable=SC2016 # the scripts run on the machine

setup() {
	load lib
	share=${WRAPPER%/bin/*}/share/stagefence
}

# on_machine 'POLICY' 'SCRIPT': with $v, the vendor's folder, and $e, the administrator's
on_machine() {
	echo "version = 1; $1" >system.conf
	VENDOR=$share timeout --kill-after=5 50 "$tests/helpers/machine" -e "$PWD/system.conf" bash -uc '
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin v=$VENDOR e=/etc/stagefence
		mkdir $v/conf.d
		# answer STAGE: what mkdir comes to there
		answer() { stagefencectl explain -s "$1" mkdir 2>&1 | head -1; }
		files() { stagefencectl check -v | grep -vE " stages, |^weakest stage: |^what the floor "; }
		'"$2" on_machine 3>&-
}

refuses='{ name = "x"; block_calls = "mkdir"; block_action = "errno"; }'

@test "drop-ins of both folders are read in the order of their names, and the last one holds" {
	run -0 on_machine 'stages = ( { name = "a"; }, { name = "b"; }, { name = "c"; } );' '
		echo "no_stage = \"b\";" >$e/conf.d/20.conf
		echo "profiles = ( { name = \"p\"; } );" >$v/conf.d/10.conf
		echo "groups = ( { name = \"@g\"; calls = \"mkdir\"; } );" >$v/conf.d/30.conf
		echo "no_stage = \"c\";" >$e/conf.d/40.conf
		touch $e/conf.d/.hidden.conf $e/conf.d/50.conf~ $e/conf.d/50.conf.rpmnew
		files
		stagefencectl show | grep ^no_stage'
	diff - <(printf '%s\n' "${lines[@]}") <<END
system   /etc/stagefence/stagefence.conf
drop-in  /etc/stagefence/conf.d
vendor   $share/conf.d
vendor   $share/conf.d/10.conf
drop-in  /etc/stagefence/conf.d/20.conf
vendor   $share/conf.d/30.conf
drop-in  /etc/stagefence/conf.d/40.conf
vendor   $share/groups.conf
no_stage = "c";
END
}

@test "a drop-in takes the place of the vendor's of that name; an empty one or a link to /dev/null takes it away" {
	run -0 on_machine 'stages = ( { name = "other"; } );' '
		echo "stages = ( '"${refuses//\"/\\\"}"' );" >$v/conf.d/10.conf
		answer x
		echo "stages = ( { name = \"x\"; } );" >$e/conf.d/10.conf
		answer x; files | grep 10.conf
		: >$e/conf.d/10.conf
		answer x; files | grep 10.conf
		ln -sf /dev/null $e/conf.d/10.conf
		answer x; files | grep 10.conf
		rm $e/conf.d/10.conf
		answer x'
	diff - <(printf '%s\n' "${lines[@]}") <<END
mkdir: EPERM, by $share/conf.d/10.conf:1
mkdir: allow, because no rule says otherwise
drop-in  /etc/stagefence/conf.d/10.conf, masks $share/conf.d/10.conf
stagefencectl: there is no stage x
drop-in  /etc/stagefence/conf.d/10.conf (empty), masks $share/conf.d/10.conf
stagefencectl: there is no stage x
drop-in  /etc/stagefence/conf.d/10.conf (empty), masks $share/conf.d/10.conf
mkdir: EPERM, by $share/conf.d/10.conf:1
END
}

@test "a compiled policy is stale as soon as a file masks one of its own, or stops to" {
	run -0 on_machine 'stages = ( { name = "other"; } );' '
		echo "stages = ( '"${refuses//\"/\\\"}"' );" >$v/conf.d/10.conf
		try() { stagefence -s x mkdir /tmp/made 2>&1; echo $?; rmdir /tmp/made 2>/dev/null; }
		rmdir $e/conf.d
		stagefencectl compile; try
		echo -- the folder comes; mkdir $e/conf.d; echo "stages = ( { name = \"x\"; } );" >$e/conf.d/10.conf; try
		stagefencectl compile
		echo -- a link; ln -sf /dev/null $e/conf.d/10.conf; try
		stagefencectl compile; try
		echo -- gone; rm $e/conf.d/10.conf; try
		echo -- the main file; cp $e/stagefence.conf $v; echo "version = 1; stages = ( { name = \"y\"; } );" >$e/stagefence.conf
		stagefencectl compile; stagefence -s other true; echo $?
		rm $e/stagefence.conf; stagefence -s other true; echo $?
		stagefencectl compile
		: >$e/stagefence.conf; stagefence -s other true 2>&1; echo $?'
	diff - <(printf '%s\n' "${lines[@]}") <<END
mkdir: cannot create directory '/tmp/made': Operation not permitted
1
-- the folder comes
0
-- a link
stagefence: no stage answers to "x"
125
stagefence: no stage answers to "x"
125
-- gone
mkdir: cannot create directory '/tmp/made': Operation not permitted
1
-- the main file
stagefence: no stage answers to "other"
125
0
stagefencectl: /etc/stagefence/stagefence.conf: version = 1; is missing
125
END
}

@test "an image of the whole system may bring the main file; the administrator's replaces or masks it" {
	run -0 on_machine 'stages = ( { name = "own"; } );' '
		echo "version = 1; floor = \"no-admin\"; stages = ( { name = \"vendors\"; } );" >$v/stagefence.conf
		answer own; files | grep -F /stagefence.conf
		rm $e/stagefence.conf
		answer vendors; files | grep -F /stagefence.conf
		ln -s /dev/null $e/stagefence.conf
		files 2>&1
		echo "version = 1; stages = ( { name = \"dropped\"; } );" >$e/conf.d/1.conf
		answer dropped; files
		# cut short, where nothing is masked: no policy
		rm $e/stagefence.conf $v/stagefence.conf; : >$e/stagefence.conf
		answer dropped'
	diff - <(printf '%s\n' "${lines[@]}") <<END
mkdir: allow, because no rule says otherwise
system   /etc/stagefence/stagefence.conf, masks $share/stagefence.conf
mkdir: allow, because no rule says otherwise
system   /etc/stagefence/stagefence.conf (absent)
vendor   $share/stagefence.conf
stagefencectl: /etc/stagefence/stagefence.conf: version = 1; is missing
stagefencectl: /etc/stagefence/stagefence.conf: there is no stage
system   /etc/stagefence/stagefence.conf (empty), masks $share/stagefence.conf
drop-in  /etc/stagefence/conf.d
vendor   $share/conf.d
mkdir: allow, because no rule says otherwise
system   /etc/stagefence/stagefence.conf (empty), masks $share/stagefence.conf
drop-in  /etc/stagefence/conf.d
vendor   $share/conf.d
drop-in  /etc/stagefence/conf.d/1.conf
stagefencectl: /etc/stagefence/stagefence.conf: version = 1; is missing
END
}

@test "a vendor's drop-in adds groups, profiles and stages; what holds everywhere is the site's" {
	run -0 on_machine 'floor = "f"; profiles = ( { name = "f"; block_calls = "mkdir"; } ); stages = ( { name = "own"; } );' '
		echo "stages = ( { name = \"x\"; } );" >$v/conf.d/1.conf
		answer x
		for key in "floor = \"none\"" "no_stage = \"x\"" "unknown_stage = \"x\"" "stage_env = \"A\"" "plugin = \"/a.so\""; do
			echo "$key;" >$v/conf.d/1.conf
			stagefencectl check 2>&1 | head -1
		done
		rm $v/conf.d/1.conf
		mkdir $e/profiles; echo "stages = ( { name = \"x\"; } );" >$e/profiles/x.conf
		stagefencectl check || true'
	[ "${lines[0]}" = "mkdir: kill_process, by /etc/stagefence/stagefence.conf:1" ]
	local i=1
	for key in floor no_stage unknown_stage stage_env plugin; do
		[ "${lines[i]}" = "stagefencectl: $share/conf.d/1.conf:1: a vendor's drop-in has no key $key" ]
		i=$((i + 1))
	done
	[ "${lines[i]}" = "stagefencectl: /etc/stagefence/profiles/x.conf:1: a file of profiles has no key stages" ]
}

@test "who may have written them is asked of every file and folder, and of a link to /dev/null" {
	run -0 on_machine 'stages = ( { name = "own"; } );' '
		echo "stages = ( { name = \"x\"; } );" >$v/conf.d/1.conf
		ln -s /dev/null $e/conf.d/1.conf
		tell() { stagefencectl check 2>&1; stagefence -s own true 2>&1; echo $?; }
		tell
		# an ordinary user has no other owner to give it to
		chown -h 1 $e/conf.d/1.conf 2>/dev/null && tell || { tell; tell; }
		rm $e/conf.d/1.conf
		ln -s $v/conf.d/1.conf $e/conf.d/1.conf; stagefencectl check
		rm $e/conf.d/1.conf
		chmod 666 $v/conf.d/1.conf; stagefencectl check
		chmod 644 $v/conf.d/1.conf; chmod 777 $v/conf.d; stagefencectl check
		chmod 755 $v/conf.d; chmod 777 $e/conf.d; stagefencectl check
		chmod 755 $e/conf.d; stagefencectl check; echo good'
	local expected="stagefencectl: /etc/stagefence/conf.d/1.conf: is a symbolic link (name what it points to)
stagefencectl: $share/conf.d/1.conf: can be written by others (chmod go-w)
stagefencectl: $share/conf.d: can be written by others (chmod go-w)
stagefencectl: /etc/stagefence/conf.d: can be written by others (chmod go-w)
good"
	[ "${lines[0]}" = 0 ]
	[[ "$output" == *"$expected" ]]
	if [ "$(id -u)" = 0 ]; then
		[[ "${lines[1]}" == "stagefencectl: /etc/stagefence/conf.d/1.conf: "* ]]
		[ "${lines[3]}" = 125 ]
	fi
}

@test "profiles that come with stagefence: each compiles as a base and as a floor, and none is read where none can be named" {
	for file in "$source_folder"/conf/profiles/*.conf; do
		for name in $(sed -nE 's/^  \{ name = "([^"]*)".*/\1/p' "$file"); do
			echo "version = 1; stages = ( { name = \"x\"; base = \"$name\"; } );" >p.conf
			run -0 stagefencectl check -c p.conf
			[ -z "$output" ]
			echo "version = 1; floor = \"$name\"; stages = ( { name = \"x\"; } );" >p.conf
			run -0 stagefencectl check -c p.conf
			[ -z "$output" ]
			count=$((${count-0} + 1))
		done
	done
	[ "$count" -ge 6 ]
	echo 'version = 1; stages = ( { name = "x"; } );' >p.conf
	run -0 stagefencectl check -v -c p.conf
	[[ "$output" != *profiles* ]]
}

@test "profiles that come with stagefence: what each refuses is refused, and what it must not stop works" {
	local it="stagefence -c p.conf -s"
	cat >p.conf <<'END'
version = 1;
stages = (
  { name = "open"; },
  { name = "list"; base = "allow-shell"; },
  { name = "network"; base = "no-network"; },
  { name = "namespaces"; base = "no-namespaces"; },
  { name = "debug"; base = "no-debug"; },
  { name = "admin"; base = "no-admin"; }
);
END
	for stage in open list network namespaces debug admin; do
		run -0 $it $stage bash -c 'x=$(echo a | tr a b); mkdir d && rmdir d && id -u >/dev/null && echo "$x"'
		[ "$output" = b ]
	done
	asks() {
		run -0 stagefencectl explain -c p.conf -s "$@"
		echo "${output%%[,$'\n']*}"
	}
	[ "$(asks list ptrace)" = "ptrace: ENOSYS" ]
	[ "$(asks network socket AF_INET)" = "socket with these arguments: EACCES" ]
	[ "$(asks network socket AF_INET6)" = "socket with these arguments: EACCES" ]
	[ "$(asks network socket AF_UNIX)" = "socket with these arguments: allow" ]
	[ "$(asks network io_uring_setup)" = "io_uring_setup: EPERM" ]
	[ "$(asks namespaces unshare CLONE_NEWUSER)" = "unshare with these arguments: EPERM" ]
	[ "$(asks namespaces unshare CLONE_FS)" = "unshare with these arguments: allow" ]
	[ "$(asks namespaces clone CLONE_NEWNET)" = "clone with these arguments: EPERM" ]
	[ "$(asks namespaces clone SIGCHLD)" = "clone with these arguments: allow" ]
	[ "$(asks namespaces clone3)" = "clone3: ENOSYS" ]
	[ "$(asks debug process_vm_readv)" = "process_vm_readv: EPERM" ]
	[ "$(asks open process_vm_readv)" = "process_vm_readv: allow" ]
	[ "$(asks admin mount)" = "mount: EPERM" ]
	[ "$(asks admin ioctl 0 TIOCSTI)" = "ioctl with these arguments: EPERM" ]
	[ "$(asks admin ioctl 0 TCGETS)" = "ioctl with these arguments: allow" ]
	run $it namespaces unshare --user true
	[ "$status" = 1 ]
	[[ "$output" == *"Operation not permitted"* ]]
}

@test "a profile or stage of the site's takes the place of the vendor's of that name, and check says so" {
	echo 'version = 1; profiles = ( { name = "no-debug"; block_calls = "mkdir"; block_action = "errno"; } );
stages = ( { name = "x"; base = "no-debug"; }, { name = "no-admin"; } );' >p.conf
	run -0 stagefencectl check -c p.conf
	[[ "${lines[0]}" == "stagefencectl: p.conf:1: note: no-debug takes the place of the profile at "*"/profiles/no-debug.conf:"* ]]
	[[ "${lines[1]}" == "stagefencectl: p.conf:2: note: no-admin takes the place of the profile at "*"/profiles/no-admin.conf:"* ]]
	run -0 stagefencectl explain -c p.conf -s x mkdir
	[[ "${lines[0]}" == "mkdir: EPERM, by p.conf:1"* ]]
	run -0 stagefencectl explain -c p.conf -s x ptrace
	[[ "${lines[0]}" == "ptrace: allow"* ]]
	# the vendor's own names are still unique
	run -0 on_machine 'floor = "no-admin"; stages = ( { name = "x"; } );' '
		echo "profiles = ( { name = \"no-admin\"; } );" >$v/profiles/z.conf; stagefencectl check || true'
	[[ "$output" == *"$share/profiles/z.conf:1: no-admin is there already, at $share/profiles/no-admin.conf:"* ]]
}
