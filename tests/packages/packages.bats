#!/usr/bin/env bats
# The packages: how they are built, and what they do to a machine. Built twice, by an ordinary user without a network;
# installed on a copy of this machine, which takes root. `make test-packages` runs this, not `make test`.
# shellcheck disable=SC2030,SC2031

bats_require_minimum_version 1.5.0

setup_file() {
	source_folder=$(cd "$BATS_TEST_DIRNAME/../.." && pwd -P)
	export source_folder LC_ALL=C
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
	export first=$BATS_FILE_TMPDIR/one second=$BATS_FILE_TMPDIR/another/and/longer
	mkdir -p "$first" "$second"
	for tree in "$first" "$second"; do
		(cd "$source_folder" && tar -cf - --exclude=./.git --exclude='./build*' .) | tar -xf - -C "$tree"
		[ "$(id -u)" != 0 ] || chown -R 65534:65534 "$tree"
	done
	# as different as two builders can be
	unprivileged "$first" 'umask 022; export TZ=UTC MAKEFLAGS=-j1; make deb rpm' >"$first.log" 2>&1 3>&- &
	unprivileged "$second" 'umask 077; export TZ=Pacific/Kiritimati MAKEFLAGS=-j3 LC_ALL=C.UTF-8; make deb && make rpm' \
		>"$second.log" 2>&1 3>&- || { tail -n 40 "$second.log" >&2; return 1; }
	wait $! || { tail -n 40 "$first.log" >&2; return 1; }
}

# KEEP_DEBS: a folder that gets them
teardown_file() {
	[ -z "${KEEP_DEBS-}" ] || cp "$first"/build/deb/*.deb "$KEEP_DEBS"
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	debs=$first/build/deb
	rpms=$first/build/rpm
}

# unprivileged FOLDER 'SCRIPT': as nobody where we are root, and offline in any case
unprivileged() {
	local as=(unshare --map-root-user --net)
	[ "$(id -u)" != 0 ] || as=(unshare --net setpriv --reuid=65534 --regid=65534 --clear-groups)
	(cd "$1" && env -i HOME="$1" PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C "${as[@]}" bash -euc "$2" </dev/null)
}

# needs_root: for what installs
needs_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

# on_copy 'SCRIPT': on a copy of this machine, with a few words of its own
on_copy() {
	cat >"$BATS_FILE_TMPDIR/script" <<-'END'
		set -eu
		debs=$1 rpms=$2
		# what has been written since, and was not taken away again; what was taken away is a device in the layer
		left() {
			find /mnt \( -path /mnt/var/lib/dpkg -o -path /mnt/var/cache/man -o -path /mnt/var/cache/debconf -o -path /mnt/var/log -o -path "/mnt$3" \) -prune \
				-o \( -type f -o -type l \) -printf 'left: /%P\n'
		}
		quiet() {
			"$@" >/tmp/quiet 2>&1 || { cat /tmp/quiet; return 1; }
		}
		image=/var/cache/stagefence/policy.sfi
		conf=/etc/stagefence/stagefence.conf
		compiled() {
			# the compiled policy is the one that is there: a launch is not what compiles it
			stagefencectl compile -o /tmp/now.sfi && cmp -s $image /tmp/now.sfi
		}
		umask 022
	END
	cat >>"$BATS_FILE_TMPDIR/script" <<<"$1"
	"$source_folder/tests/helpers/scratch" "$BATS_FILE_TMPDIR" bash "$BATS_FILE_TMPDIR/script" "$debs" "$rpms" "$BATS_FILE_TMPDIR" 3>&-
}

# ---- how they are built

# what a report says, without what differs each time
told() {
	sed -E '/ to allow it: /d; s/\[[0-9]+\]/[PID]/; s/conf:[0-9]+\)/conf:LINE)/'
}

@test "built twice, in other folders, umasks, time zones and orders, the packages are the same bytes" {
	local file count=0
	for file in "$debs"/*.deb "$debs"/*.tar.* "$debs"/*.dsc "$rpms"/RPMS/*/*.rpm "$rpms"/SRPMS/*.rpm "$rpms"/SOURCES/*; do
		cmp "$file" "$second/build/${file#"$first/build/"}"
		count=$((count + 1))
	done
	[ "$count" -ge 12 ]
	# and they say neither where nor by whom
	mkdir all
	for file in "$debs"/*.deb; do
		dpkg-deb -x "$file" all
	done
	run -1 grep -rlaF "$BATS_FILE_TMPDIR" all
}

@test "lintian finds nothing" {
	command -v lintian >/dev/null || skip "needs lintian, which is not installed"
	# this project is not in Debian's archive, so there is no bug that asks for it
	run -0 lintian --allow-root --suppress-tags initial-upload-closes-no-bugs --fail-on error,warning,info -I "$debs"/*.changes
	[ -z "$output" ]
	# each override is one that is needed
	run -0 lintian --allow-root --tags unused-override,mismatched-override -I "$debs"/*.changes
	[ -z "$output" ]
}

@test "rpmlint finds nothing" {
	command -v rpmlint >/dev/null || skip "needs rpmlint, which is not installed"
	run -0 rpmlint -c "$source_folder/packaging/rpm/rpmlint.toml" "$source_folder/packaging/rpm/stagefence.spec" \
		"$rpms"/RPMS/*/*.rpm "$rpms"/SRPMS/*.rpm
	echo "$output"
	[[ "${lines[-1]}" == *" 0 errors, 0 warnings,"* ]]
}

@test "the programs are hardened" {
	command -v hardening-check >/dev/null || skip "needs hardening-check, which is not installed"
	mkdir all
	for file in "$debs"/stagefence_*.deb "$debs"/libstagefence_*.deb "$debs"/stagefence-slurm_*.deb; do
		[ ! -e "$file" ] || dpkg-deb -x "$file" all
	done
	# Debian's own start files lack the note of control flow protection, so no ordinary program can have it
	hardening-check --nocfprotection all/usr/sbin/stagefencectl
	# Freestanding: there is no libc that a smashed stack could be reported to, and no relocation to be made read-only.
	# hardening-check knows no static-pie.
	local multiarch free spank
	multiarch=$(dpkg-architecture -q DEB_HOST_MULTIARCH)
	spank=all/usr/lib/$multiarch/stagefence/spank_stagefence.so
	[ ! -e "$spank" ] || hardening-check --nocfprotection "$spank"
	hardening-check --nostackprotector --norelro --nopie all/usr/bin/stagefence "all/usr/lib/$multiarch/stagefence/libstagefence.so"
	free=(all/usr/bin/stagefence "all/usr/lib/$multiarch/stagefence/libstagefence.so")
	# 32-bit programs have no control flow protection that the kernel would know
	if [ -e all/usr/lib32/stagefence/libstagefence.so ]; then
		hardening-check --nostackprotector --norelro --nopie --nocfprotection all/usr/lib32/stagefence/libstagefence.so
		free+=(all/usr/lib32/stagefence/libstagefence.so)
	fi
	readelf -hW all/usr/bin/stagefence | grep -q 'Type: *DYN'
	readelf -lW "${free[@]}" >segments
	[ "$(grep -c GNU_STACK segments)" = ${#free[@]} ]
	run -1 grep -E 'LOAD.*RWE|STACK.*RWE|INTERP' segments
}

@test "the packages have what make install installs, each file once" {
	mkdir all installed
	for file in "$debs"/stagefence_*.deb "$debs"/libstagefence_*.deb "$debs"/stagefence-dev_*.deb "$debs"/stagefence-slurm_*.deb; do
		[ -e "$file" ] || continue
		dpkg-deb -c "$file" | awk '$1 !~ /^d/ { print $6 }' | sed 's/^\.//; s/\.gz$//'
	done | grep -vE '/share/(doc|lintian)/|/i386-linux-gnu/' | sort >packed
	[ -z "$(uniq -d packed)" ]
	make -s -C "$first/build/deb/"stagefence-[0-9]*[0-9] install INSTALL_ONLY=1 DESTDIR="$PWD/installed" prefix=/usr \
		libdir=/usr/lib/"$(dpkg-architecture -q DEB_HOST_MULTIARCH)" zshcompdir=/usr/share/zsh/vendor-completions \
		unitdir=/lib/systemd/system \
		libdir32="$(dpkg-deb -c "$debs"/libstagefence_*.deb | grep -q /usr/lib32/ && echo /usr/lib32)"
	(cd installed && find . ! -type d | sed 's/^\.//' | sort) >wanted
	diff <(sed 's,^/usr/lib/systemd,/lib/systemd,' packed | sort) wanted
	rpm -qpl "$rpms"/RPMS/*/*.rpm | grep -vE '/share/(doc|licenses)/' | sed 's/\.gz$//' | sort -u >packed
	while read -r file; do
		file=${file/#\/usr\/lib\/*-linux-gnu\///usr/lib64/}
		file=${file/#\/usr\/lib32\///usr/lib/}
		file=${file/vendor-completions/site-functions}
		grep -qxE "(/usr)?$file" packed || { echo "the rpms lack $file"; return 1; }
	done <wanted
}

@test "the units are what systemd understands, and watch where the policy is" {
	command -v systemd-analyze >/dev/null || skip "needs systemd-analyze, which is not installed"
	mkdir all
	dpkg-deb -x "$debs"/stagefence_*.deb all
	grep -qx 'ExecStart=/usr/sbin/stagefencectl compile' all/*/systemd/system/stagefence-compile.service
	# the program is not installed here: let it be one that is
	sed -i 's,^ExecStart=.*,ExecStart=/bin/true,' all/*/systemd/system/stagefence-compile.service
	run -0 env SYSTEMD_UNIT_PATH="$PWD/all/lib/systemd/system:/lib/systemd/system" systemd-analyze verify --man=no stagefence-compile.path
	[[ "$output" != *stagefence* ]]
	[ "$(grep -c '^PathChanged=/etc/stagefence' all/*/systemd/system/stagefence-compile.path)" = 3 ]
}

@test "Slurm's plugin is packaged where Slurm's headers are, asks for that release, and without them nothing of it is left" {
	local version number plugin file
	number=$(sed -n 's/^.define SLURM_VERSION_NUMBER 0x\(....\).*/\1/p' /usr/include/slurm/slurm_version.h 2>/dev/null) || true
	if [ -n "$number" ]; then
		version=$(printf '%d.%02d' "0x${number%??}" "0x${number#??}")
		dpkg-deb -f "$debs"/stagefence-slurm_*.deb Depends | grep -F "stagefence (= " |
			grep -F "slurm-wlm-basic-plugins (>= $version~), slurm-wlm-basic-plugins (<< ${version%.*}."
		rpm -qp --requires "$rpms"/RPMS/*/stagefence-slurm-*.rpm | grep -F "slurm(" | grep -F ">= $version"
		# the line of plugstack.conf is in the page, with the path of the package
		dpkg-deb -x "$debs"/stagefence-slurm_*.deb all
		plugin=$(cd all && echo usr/lib/*/stagefence/spank_stagefence.so)
		zcat all/usr/share/man/man8/stagefence-slurm.8.gz | grep -x "required /$plugin choice=quiet"
		[ "$(stat -c %a "all/$plugin")" = 644 ]
	fi
	# as on a machine that never saw them: the very tree, without the C library's path being asked
	cp -r "$debs"/stagefence-[0-9]*[0-9] bare
	cd bare
	rm -rf build
	run -0 make -n all CPPFLAGS=-nostdinc
	[[ "$output" == *stagefencectl* && "$output" != *spank* ]]
	run -0 env DEB_BUILD_PROFILES=pkg.stagefence.noslurm dh_listpackages
	[[ "$output" == *libstagefence* && "$output" != *slurm* ]]
	run -0 env DEB_BUILD_PROFILES=pkg.stagefence.noslurm make -pn -f debian/rules override_dh_auto_build
	[[ "$output" == *" spank= "* ]]
	run -0 rpmspec -q --without slurm packaging/rpm/stagefence.spec
	[[ "$output" != *slurm* ]]
}

# ---- on a machine: Debian

@test "deb: installed, it confines; edited, upgraded, removed and purged, it keeps what it must and leaves nothing" {
	needs_root
	# a later version, whose policy and groups are others
	dpkg-deb -R "$debs"/stagefence_*.deb later
	sed -i -E 's/^(Version: .*)/\1+later/; s/^(Depends: .*libstagefence) \(= [^)]*\)/\1/' later/DEBIAN/control
	echo '# of the later version' | tee -a later/etc/stagefence/stagefence.conf >>later/usr/share/stagefence/groups.conf
	(cd later && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | xargs -0 md5sum | grep -v ' etc/' >DEBIAN/md5sums)
	dpkg-deb -b --root-owner-group later later.deb >/dev/null
	# another package that brings a stage
	mkdir -p drop/DEBIAN drop/etc/stagefence/conf.d
	echo 'stages = ( { name = "site"; } );' >drop/etc/stagefence/conf.d/site.conf
	printf 'Package: stagefence-site\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.example>\nDescription: x\n' >drop/DEBIAN/control
	echo /etc/stagefence/conf.d/site.conf >drop/DEBIAN/conffiles
	dpkg-deb -b --root-owner-group drop drop.deb >/dev/null
	chmod -R go+rX .
	cp later.deb drop.deb "$BATS_FILE_TMPDIR"
	gcc -m32 -isystem "/usr/include/$(gcc -print-multiarch)" -o "$BATS_FILE_TMPDIR/try32" "$source_folder/tests/helpers/try.c" 2>/dev/null || true
	run on_copy '
		later=$3/later.deb drop=$3/drop.deb
		quiet dpkg -i $debs/libstagefence_*.deb $debs/stagefence_*.deb
		dpkg -V stagefence libstagefence
		compiled && echo "installed: compiled"
		# the kernel starts neither dumpable: a job could seize it before its fence, or as a supervisor
		[ "$(stat -c %a%u /usr/bin/stagefence /usr/sbin/stagefencectl | uniq)" = 7110 ]
		cd /tmp && mkdir made && rmdir made
		stagefence -s after_script mkdir made || true
		STAGEFENCE_STAGE=after_script LD_PRELOAD='"'"'/usr/$LIB/stagefence/libstagefence.so'"'"' mkdir made || true
		# and so is a 32-bit program, or refused, by the shim of its own class
		[ ! -e /usr/lib32/ld-linux.so.2 ] || [ ! -x $3/try32 ] || {
			STAGEFENCE_STAGE=after_script LD_PRELOAD='"'"'/usr/$LIB/stagefence/libstagefence.so'"'"' $3/try32 mkdir 2>&1 | grep -q "another architecture"
		}
		zcat -f /usr/share/man/man1/stagefence.1.gz | grep -c "/usr/local" || true

		quiet dpkg -i $drop
		compiled && stagefence -s site true && echo "a drop-in came: compiled"
		quiet dpkg -P stagefence-site
		compiled && ! stagefence -s site true 2>/dev/null && echo "it went: compiled"

		echo "# mine" >>$conf
		echo "stages = ( { name = \"mine\"; } );" >/etc/stagefence/conf.d/mine.conf
		stagefence -s mine true && echo "edited: holds at once"
		quiet dpkg --force-confdef --force-confold -i $later
		grep -cx "# mine" $conf
		tail -n 1 /usr/share/stagefence/groups.conf
		[ -e $conf.dpkg-dist ] && echo "the new policy is beside the edited one"
		compiled && stagefence -s mine true && echo "upgraded: compiled"

		echo "stages = ( { nam = \"bad\"; } );" >/etc/stagefence/conf.d/bad.conf
		dpkg-reconfigure stagefence 2>&1 | grep -E "bad.conf|until"
		[ ! -e $image ] && ! stagefence -s mine true 2>/dev/null && echo "a mistake: nothing runs"
		rm /etc/stagefence/conf.d/bad.conf
		dpkg-reconfigure stagefence && compiled && echo "mended"

		quiet dpkg -r stagefence libstagefence
		ls -d /var/cache/stagefence /usr/bin/stagefence /usr/share/stagefence 2>/dev/null || true
		grep -cx "# mine" $conf
		quiet dpkg -P stagefence libstagefence
		cat /etc/stagefence/conf.d/mine.conf
		rm -r /etc/stagefence
		quiet dpkg -i $debs/libstagefence_*.deb $debs/stagefence_*.deb
		# Slurm itself may not be here
		if [ -e $debs/stagefence-slurm_*.deb ]; then
			quiet dpkg --force-depends -i $debs/stagefence-slurm_*.deb
			dpkg -V stagefence-slurm
			quiet dpkg -P stagefence-slurm
		fi
		quiet dpkg -P stagefence libstagefence
		left "$@"'
	echo "$output"
	diff - <(told <<<"$output") <<-'END'
		installed: compiled
		stagefence: after_script: mkdir("made", 0777) -> EPERM, by mkdir[PID] (/etc/stagefence/stagefence.conf:LINE)
		mkdir: cannot create directory 'made': Operation not permitted
		stagefence: after_script: mkdir("made", 0777) -> EPERM, by mkdir[PID] (/etc/stagefence/stagefence.conf:LINE)
		mkdir: cannot create directory 'made': Operation not permitted
		0
		a drop-in came: compiled
		it went: compiled
		edited: holds at once
		1
		# of the later version
		the new policy is beside the edited one
		upgraded: compiled
		stagefencectl: /etc/stagefence/conf.d/bad.conf:1: a stage has no key nam
		stagefencectl: /etc/stagefence/conf.d/bad.conf:1: a stage needs a name
		stagefence: jobs do not run until the policy is mended; see stagefencectl check
		a mistake: nothing runs
		mended
		1
		stages = ( { name = "mine"; } );
	END
	[ "$status" = 0 ]
}

# ---- on a machine: RPM

@test "rpm: the same" {
	needs_root
	# a later release, whose policy and groups are others; how fast it runs does not matter
	cp "$first/packaging/rpm/stagefence.spec" later.spec
	sed -i 's/^Release: .*/Release: 2/; s/^%files$/%files\n/' later.spec
	sed -i '/^%install$/,/^%make_install/s/^\(%make_install.*\)/\1\necho "# of the later release" | tee -a %{buildroot}%{_sysconfdir}\/stagefence\/stagefence.conf >>%{buildroot}%{_datadir}\/stagefence\/groups.conf/' later.spec
	mkdir "$BATS_FILE_TMPDIR/later"
	cp -r "$rpms/SOURCES" "$BATS_FILE_TMPDIR/later"
	rpmbuild -bb --without check --define "_topdir $BATS_FILE_TMPDIR/later" --define 'optflags -O0 -g0' --nodeps \
		--load "$source_folder/packaging/rpm/debian-host.macros" later.spec >later.log 2>&1 || { tail later.log; false; }
	# a policy's part from another package
	cat >site.spec <<-'END'
		Name: stagefence-site
		Version: 1
		Release: 1
		Summary: x
		License: MIT
		BuildArch: noarch
		%description
		x
		%install
		mkdir -p %{buildroot}/etc/stagefence/conf.d
		echo 'stages = ( { name = "site"; } );' >%{buildroot}/etc/stagefence/conf.d/site.conf
		%files
		%config(noreplace) /etc/stagefence/conf.d/site.conf
	END
	rpmbuild -bb --define "_topdir $BATS_FILE_TMPDIR/later" site.spec >site.log 2>&1 || { tail site.log; false; }
	run on_copy '
		# Debian'"'"'s rpm wants to be told that it is meant; and the machine'"'"'s libraries are not in its database
		install() { quiet rpm --dbpath /tmp/rpmdb --force-debian --nodeps "$@"; }
		verify() { rpm --dbpath /tmp/rpmdb --nodeps -V "$@"; }

		install -i $rpms/RPMS/x86_64/*stagefence-0*.rpm
		verify stagefence libstagefence && echo verified
		compiled && echo "installed: compiled"
		[ "$(stat -c %a%u /usr/bin/stagefence /usr/sbin/stagefencectl | uniq)" = 7110 ]
		cd /tmp && mkdir made && rmdir made
		stagefence -s after_script mkdir made || true
		# the lib64 of EL is not where this machine'"'"'s loader has its $LIB
		STAGEFENCE_STAGE=after_script LD_PRELOAD=/usr/lib64/stagefence/libstagefence.so mkdir made || true
		zcat -f /usr/share/man/man1/stagefence.1.gz | grep -c "/usr/local" || true

		install -i $3/later/RPMS/noarch/stagefence-site-1-1.noarch.rpm
		compiled && stagefence -s site true && echo "a drop-in came: compiled"
		install -e stagefence-site
		compiled && ! stagefence -s site true 2>/dev/null && echo "it went: compiled"

		echo "# mine" >>$conf
		echo "stages = ( { name = \"mine\"; } );" >/etc/stagefence/conf.d/mine.conf
		stagefence -s mine true && echo "edited: holds at once"
		verify stagefence || true
		install -U $3/later/RPMS/x86_64/*stagefence-0*.rpm
		grep -cx "# mine" $conf
		tail -n 1 /usr/share/stagefence/groups.conf
		[ -e $conf.rpmnew ] && echo "the new policy is beside the edited one"
		compiled && stagefence -s mine true && echo "upgraded: compiled"
		rm $conf.rpmnew

		install -e stagefence libstagefence
		ls -d /var/cache/stagefence /usr/bin/stagefence /usr/share/stagefence 2>/dev/null || true
		grep -cx "# mine" $conf.rpmsave
		cat /etc/stagefence/conf.d/mine.conf
		rm -r /etc/stagefence
		install -i $rpms/RPMS/x86_64/*stagefence-0*.rpm
		if [ -e $rpms/RPMS/x86_64/stagefence-slurm-*.rpm ]; then
			install -i $rpms/RPMS/x86_64/stagefence-slurm-*.rpm
			verify stagefence-slurm
			install -e stagefence-slurm
		fi
		install -e stagefence libstagefence
		left "$@"'
	echo "$output"
	diff - <(told <<<"$output") <<-'END'
		verified
		installed: compiled
		stagefence: after_script: mkdir("made", 0777) -> EPERM, by mkdir[PID] (/etc/stagefence/stagefence.conf:LINE)
		mkdir: cannot create directory 'made': Operation not permitted
		stagefence: after_script: mkdir("made", 0777) -> EPERM, by mkdir[PID] (/etc/stagefence/stagefence.conf:LINE)
		mkdir: cannot create directory 'made': Operation not permitted
		0
		a drop-in came: compiled
		it went: compiled
		edited: holds at once
		S.5....T.  c /etc/stagefence/stagefence.conf
		1
		# of the later release
		the new policy is beside the edited one
		upgraded: compiled
		1
		stages = ( { name = "mine"; } );
	END
	[ "$status" = 0 ]
}

@test "the spec's own check runs the suite" {
	run unprivileged "$first" 'make rpm CHECK=1 RPMFLAGS="--define \"check_files wrapper.bats layers.bats\""'
	tail -n 30 <<<"$output"
	[ "$status" = 0 ]
	[[ "$output" == *"stagefence: "*" passed, 0 failed"* ]]
}
