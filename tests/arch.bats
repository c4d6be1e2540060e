#!/usr/bin/env bats
# --arch: policies for machines that are not here. Their filters are built, proved and exported on this one.

setup() {
	load lib
	policy job '{ name = "build"; block_calls = "mkdir"; block_action = "errno";
    rules = ( { calls = "ioctl"; action = "errno"; errno = "EACCES"; args = ( { arg = 1; op = "=="; value = "TIOCSTI"; } ); },
      { calls = "clone"; action = "errno"; args = ( { arg = 0; op = "!="; value = "0"; mask = "CLONE_NEWUSER"; } ); },
      { calls = "preadv2"; action = "errno"; args = ( { arg = 5; op = ">"; value = "2"; } ); } ); }'
}

others="x86_64 x86 x32 aarch64 riscv64 ppc64le s390x"

@test "check proves a policy's filters for every architecture, and no fewer inputs than here" {
	local arch
	for arch in $others; do
		run -0 stagefencectl check -v -c job.conf --arch "$arch"
		[[ "$output" =~ ([0-9]+)\ instructions,\ ([0-9]+)\ inputs\ judged ]]
		[ "${BASH_REMATCH[1]}" -gt 100 ]
		[ "${BASH_REMATCH[2]}" -gt 1200 ]
	done
}

@test "the shipped policy is good on every architecture" {
	local arch
	cp "$source_folder/conf/stagefence.conf" .
	for arch in $others; do
		run -0 stagefencectl check -c stagefence.conf --arch "$arch"
	done
}

@test "an engine's filter for every architecture, as libseccomp lays it out there, means the same" {
	# libseccomp knows itself where the halves of an argument are; where it disagreed, export would say so
	local arch
	for arch in x86_64 x86 aarch64 riscv64 ppc64le s390x; do
		[ "$arch" != x86 ] || sed -i '/clone/d' job.conf # its arguments are others there
		run -0 stagefencectl export --to oci -c job.conf --arch "$arch" -o "$arch.json"
		[ -s "$arch.json" ]
	done
	[ "$(sed -n 's/^ *"\(SCMP_ARCH_.*\)"$/\1/p' s390x.json)" = SCMP_ARCH_S390X ]
	# and where it does disagree, it is said: x32's registers have 64 bits, and libseccomp takes 32 of them
	policy job '{ name = "build"; rules = ( { calls = "lseek"; action = "errno"; args = ( { arg = 1; op = ">"; value = "5"; } ); } ); }'
	run -1 stagefencectl export --to oci -c job.conf --arch x32
	[[ "$output" == *"job.conf:3: stage build: cannot be carried over to oci: lseek: libseccomp "* ]]
	run -0 stagefencectl export --to bpf -c job.conf --arch x32 -o out
}

@test "the bare filter is in the byte order of the machine that it is for" {
	stagefencectl export --to bpf -c job.conf --arch s390x -o big 2>/dev/null
	stagefencectl export --to bpf -c job.conf --arch riscv64 -o little 2>/dev/null
	# both begin with a load of the architecture, and ask whether it is theirs
	[ "$(head -c 8 big | od -An -v -tx1 | tr -d ' \n')" = 0020000000000004 ]
	[ "$(tail -c +13 big | head -c 4 | od -An -v -tx1 | tr -d ' \n')" = 80000016 ]
	[ "$(head -c 8 little | od -An -v -tx1 | tr -d ' \n')" = 2000000004000000 ]
	[ "$(tail -c +13 little | head -c 4 | od -An -v -tx1 | tr -d ' \n')" = f30000c0 ]
}

# loaded_before FILE VALUE OFFSET: what is compared with VALUE, or masked by it, was loaded from OFFSET
loaded_before() {
	grep -B1 " $2 }," "$1" | grep -qx "	{ 0x20, 0, 0, $3 },"
}

@test "on a big-endian machine the lower half of an argument lies behind the upper one" {
	# ioctl's request: argument 1, of which the kernel takes 32 bits; args begin at 16
	stagefencectl export --to c -c job.conf --arch s390x -o big.h 2>/dev/null
	stagefencectl export --to c -c job.conf --arch ppc64le -o little.h 2>/dev/null
	loaded_before big.h 0x00005412 0x0000001c
	loaded_before little.h 0x00005412 0x00000018
	# clone takes its flags second there, at 24 and 28 too; elsewhere first, at 16
	loaded_before big.h 0x10000000 0x0000001c
	loaded_before little.h 0x10000000 0x00000010
}

@test "explain and show speak of the other machine's calls" {
	run -0 stagefencectl explain -c job.conf --arch riscv64 mkdir
	[ "$output" = "mkdir: not a call of riscv64" ]
	run -0 stagefencectl explain -c job.conf --arch s390x mkdir
	[[ "$output" == "mkdir: EPERM, by job.conf:3"* ]]
	run -0 stagefencectl explain -c job.conf --arch s390x clone 0 CLONE_NEWUSER
	[[ "$output" == "clone with these arguments: EPERM, by job.conf:5"* ]]
	run -0 stagefencectl explain -c job.conf --arch s390x clone CLONE_NEWUSER 0
	[[ "$output" == "clone with these arguments: allow"* ]]
	run -0 stagefencectl show -c job.conf --arch aarch64
	[[ "$output" != *'"mkdir"'* && "$output" == *'"mkdirat"'* ]]
	run -0 stagefencectl show -c job.conf --arch ppc64le
	[[ "$output" == *'"mkdir"'* ]]
}

@test "a constant that is not the same everywhere is unknown elsewhere, and never guessed" {
	policy job '{ name = "build"; rules = (
    { calls = "ioctl"; action = "errno"; args = ( { arg = 1; op = "=="; value = "FIONREAD"; } ); },
    { calls = "openat"; action = "errno"; args = ( { arg = 2; op = "!="; value = "0"; mask = "O_DIRECTORY"; } ); } ); }'
	stagefencectl check -c job.conf --arch aarch64
	stagefencectl check -c job.conf --arch x86_64
	run -1 stagefencectl check -c job.conf --arch ppc64le
	[ "$(head -1 <<<"$output")" = "stagefencectl: job.conf:4: value: what FIONREAD is on ppc64le is not known; write the number" ]
	[[ "$output" == *"job.conf:5: mask: what O_DIRECTORY is on ppc64le is not known; write the number"* ]]
	# what no machine has is misspelt
	sed -i 's/FIONREAD/FIONRAED/' job.conf
	run -1 stagefencectl check -c job.conf --arch ppc64le
	[[ "$output" == *"did you mean FIONREAD?"* ]]
}

@test "what nobody can judge is wrong usage" {
	for command in "check -c job.conf" audit; do
		# shellcheck disable=SC2086
		run -2 stagefencectl $command --arch mips
		[ "$output" = "stagefencectl: --arch must be one of x86_64, x86, x32, aarch64, riscv64, ppc64le, s390x" ]
	done
	# an image is for this machine
	run -2 stagefencectl compile -c job.conf -o out.sfi --arch aarch64
	[ ! -e out.sfi ]
}
