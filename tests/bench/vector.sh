#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vector.sh CALQUE KERNEL: loops of AVX2 and AVX-512 in a guest, by CALQUE, by QEMU's translator and on the host itself: nanoseconds a
# round, ratios, and whether all have the same result.  KERNEL is a distribution's (build/guest/vmlinuz after
# "bootstrap check").  QEMU is its command, or none.
set -eu
[ $# -eq 2 ] || { sed -n '3,5s/^# //p' "$0" >&2; exit 2; }
calque=$1
kernel=$2
here=$(dirname "$0")
work=$(mktemp -d "${TMPDIR:-/var/tmp}/calque-vector.XXXXXX")
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/root/dev"
${CC:-gcc} -O2 -static -o "$work/root/init" "$here/vector_guest.c"
(cd "$work/root" && find . | cpio --quiet -o -H newc) >"$work/initrd"

run() {
	timeout 300 "$@" -m 256 -nographic -no-reboot -kernel "$kernel" -initrd "$work/initrd" \
		-append "console=ttyS0 quiet panic=-1 tsc=reliable" </dev/null 2>&1 | tr -d '\r' | grep -a -o 'VECTOR .*' || true
}

"$work/root/init" >"$work/host"
run "$calque" >"$work/calque"
if [ "${QEMU:-qemu-system-x86_64}" = none ]; then
	: >"$work/qemu"
else
	# shellcheck disable=SC2086
	run ${QEMU:-qemu-system-x86_64 -accel tcg -cpu max} >"$work/qemu"
fi
awk 'FILENAME ~ /host$/ { host[$2] = $3; sum[$2] = $4; order[++count] = $2 }
	FILENAME ~ /qemu$/ { qemu[$2] = $3; if ($4 != sum[$2]) print "different in QEMU: " $2 }
	FILENAME ~ /calque$/ { ours[$2] = $3; if ($4 != sum[$2]) print "different here: " $2 }
	END {
		printf "%-16s %8s %8s %8s %12s %12s\n", "ns a round", "host", "calque", "QEMU", "QEMU/calque", "host/calque"
		for (n = 1; n <= count; n++) {
			w = order[n]
			printf "%-16s %8d %8s %8s %12s %12s\n", w, host[w], w in ours ? ours[w] : "-", w in qemu ? qemu[w] : "-",
				w in ours && w in qemu ? sprintf("%.1f", qemu[w] / ours[w]) : "-", w in ours ? sprintf("%.2f", host[w] / ours[w]) : "-"
		}
	}' "$work/host" "$work/qemu" "$work/calque"
