#!/bin/sh
# Checks wrapper/consts.def: builds and runs tests/consts-check.c, then compares every row with the
# system's headers. The compiler is asked to assert each row; a row that it cannot make sense of is
# one that these headers do not know, which is counted and is no mistake, for they may be older.
# Nothing that the comparison compiles is run, so CC and CPPFLAGS may name a foreign compiler and
# other headers (HOSTCC is then the one whose programs run). The arm64 cross compiler is asked as
# well where it is installed.
#
# Writes to a directory of its own under TMPDIR, no other place. Exit status 1: something is wrong.
set -eu
LC_ALL=C
export LC_ALL

cd "$(dirname "$0")/.."
: "${CC:=cc}" "${CPPFLAGS:=}" "${CFLAGS:=}"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# The kernel's own headers; two lists, because the second draws in glibc's, which clash with them.
kernel='
stddef.h linux/types.h linux/ioctl.h asm/ioctls.h asm/termbits.h asm/mman.h asm/fcntl.h asm/socket.h
asm/sockios.h asm/ptrace.h asm/signal.h asm/errno.h asm/prctl.h linux/aio_abi.h linux/audit.h
linux/blkpg.h linux/blktrace_api.h linux/blkzoned.h linux/bpf.h linux/btrfs.h linux/capability.h
linux/cdrom.h linux/close_range.h linux/dm-ioctl.h linux/dma-buf.h linux/dma-heap.h
linux/dqblk_xfs.h linux/eventpoll.h linux/fadvise.h linux/falloc.h linux/fanotify.h
linux/fcntl.h linux/fs.h linux/blkdev.h linux/fscrypt.h linux/fsverity.h linux/fsmap.h
linux/fuse.h linux/futex.h linux/hdreg.h linux/if_alg.h linux/if_packet.h linux/if_tun.h
linux/in.h linux/in6.h linux/inotify.h linux/io_uring.h linux/ioprio.h linux/ipc.h linux/kcmp.h
linux/kd.h linux/kexec.h linux/keyctl.h linux/kvm.h linux/landlock.h linux/loop.h linux/membarrier.h
linux/memfd.h linux/mempolicy.h linux/mman.h linux/module.h linux/mount.h linux/msdos_fs.h
linux/msg.h linux/nbd.h linux/net.h linux/netlink.h linux/nsfs.h linux/nvme_ioctl.h
linux/perf_event.h linux/personality.h linux/pidfd.h linux/ppp-ioctl.h linux/prctl.h
linux/ptrace.h linux/quota.h linux/random.h linux/reboot.h linux/resource.h linux/rseq.h
linux/sched.h linux/seccomp.h linux/securebits.h linux/sem.h linux/shm.h linux/sockios.h
linux/stat.h linux/tcp.h linux/time.h linux/timerfd.h linux/tls.h linux/udmabuf.h linux/udp.h
linux/usbdevice_fs.h linux/userfaultfd.h linux/vt.h linux/wait.h linux/watch_queue.h linux/xattr.h
'
mixed='
stddef.h stdint.h sys/socket.h linux/input.h linux/uinput.h linux/vm_sockets.h net/if.h
linux/netfilter_ipv4/ip_tables.h linux/netfilter_ipv6/ip6_tables.h
linux/netfilter_arp/arp_tables.h linux/netfilter_bridge/ebtables.h
sys/ioctl.h scsi/sg.h scsi/scsi_ioctl.h
'
libc='
errno.h fcntl.h net/if.h netinet/in.h netinet/tcp.h netinet/udp.h sched.h signal.h stdio.h stdlib.h
sys/epoll.h sys/eventfd.h sys/fanotify.h sys/file.h sys/inotify.h sys/ioctl.h sys/ipc.h sys/mman.h
sys/mount.h sys/msg.h sys/personality.h sys/prctl.h sys/ptrace.h sys/quota.h sys/random.h
sys/reboot.h sys/resource.h sys/sem.h sys/shm.h sys/signalfd.h sys/socket.h sys/stat.h sys/swap.h
sys/time.h sys/timerfd.h sys/uio.h sys/wait.h sys/xattr.h termios.h time.h unistd.h
'

# include HEADER...: those that exist.
include()
{
	for header; do
		printf '#if __has_include(<%s>)\n#include <%s>\n#endif\n' "$header" "$header"
	done
}

# What a row means here: the one column that these headers can tell.
cat >"$tmp/same.h" <<'EOF'
#ifdef __aarch64__
#define D(name, x86_64, aarch64) C(name, aarch64)
#else
#define D(name, x86_64, aarch64) C(name, x86_64)
#endif
#ifdef _FCNTL_H /* glibc's; the kernel's headers are asked for the true one */
#undef O_LARGEFILE
#endif
#undef NONE
#define NONE (1ULL << 63)
#define C(name, value) \
	_Static_assert((unsigned long long)(name) == (unsigned long long)(value), "differs");
#define A(name, value) C(name, value)
#define P(name, value) C(name, value)
#define B(name, value) C(name, value)
#define S(name, number) C(name, number)
#define Q(name, command) C(name, command)
#define E(name, number) C(name, number)
#include "rows.def"
EOF

# compare COMPILER...: prints the rows that differ and a summary.
compare()
{
	case $("$@" -dumpmachine) in
	x86_64-*) arch=x86_64 ;;
	aarch64-*) arch=aarch64 ;;
	*) echo "consts-check: neither x86_64 nor aarch64: $*" >&2; return 1 ;;
	esac
	# Errors are to be told at the row, not inside of its macro, and all of them.
	set -- "$@" -std=gnu11 -D_GNU_SOURCE -w -I "$tmp"
	for flag in -ftrack-macro-expansion=0 -ferror-limit=0; do
		if "$@" $flag -Werror -E -x c /dev/null >/dev/null 2>&1; then set -- "$@" $flag; fi
	done
	: >"$tmp/known"
	: >"$tmp/differ"
	for headers in "$kernel" "$mixed" "$libc"; do
		# shellcheck disable=SC2086 # a list of words
		include $headers >"$tmp/rows.c"
		# Only the rows whose names occur, each in its line: gcc thinks long about others.
		"$@" -E -dD "$tmp/rows.c" | tr -cs 'A-Za-z0-9_' '\n' | sort -u >"$tmp/words"
		awk -F'[(,]' 'NR == FNR { word[$1]; next }
			{ print /^[CDAPBSQE]\(/ && !($2 in word) ? "" : $0 }' \
			"$tmp/words" wrapper/consts.def >"$tmp/rows.def"
		echo '#include "same.h"' >>"$tmp/rows.c"
		"$@" -fsyntax-only "$tmp/rows.c" >"$tmp/errors" 2>&1 || :
		if grep ' error: ' "$tmp/errors" | grep -v '/rows\.def:' >&2; then
			echo "consts-check: these headers do not go together" >&2
			return 1
		fi
		awk -F: -v known="$tmp/known" -v differ="$tmp/differ" '
			NR == FNR {
				if (/^[CDAPBSQE]\(/)
					row[FNR] = $0
				next
			}
			/ error: static(_| )assert/ && !/ not / { wrong[$2]; next }
			/ error: / { unknown[$2] }
			END {
				for (line in row)
					if (!(line in unknown))
						print row[line] >>known
				for (line in wrong)
					if (!(line in unknown))
						print row[line] >>differ
			}' "$tmp/rows.def" "$tmp/errors"
	done
	sort -u "$tmp/differ" | sed "s/^/$arch: not as in the headers: /"
	constants=$(grep -c '^[CDAPBSQE](' wrapper/consts.def)
	compared=$(sort -u "$tmp/known" | wc -l)
	differ=$(sort -u "$tmp/differ" | wc -l)
	echo "$arch: $constants constants, $compared compared with headers, $differ wrong"
	# Even Linux 5.10 knows seven of eight. With fewer than two thirds the comparison is broken.
	[ "$differ" -eq 0 ] && [ $((compared * 3)) -ge $((constants * 2)) ]
}

status=0
# shellcheck disable=SC2086 # CC and the flags are lists of words
{
	${HOSTCC:-$CC} -std=c11 -D_GNU_SOURCE $CFLAGS -o "$tmp/consts-check" tests/consts-check.c \
		wrapper/consts.c
	"$tmp/consts-check" || status=1
	compare $CC $CPPFLAGS || status=1
}
cross=aarch64-linux-gnu-gcc
if [ -z "$CPPFLAGS" ] && echo '#include <unistd.h>' | $cross -E - >/dev/null 2>&1; then
	compare $cross || status=1
fi
exit $status
