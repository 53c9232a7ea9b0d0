#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Transfers through e1000 and -netdev user in both directions, here and by QEMU's translator, with one kernel:
#
#     tests/bench/net.sh CALQUE VMLINUZ MODULES_DIR [ROUNDS] [MEGABYTES]
#
# MODULES_DIR is searched for e1000.ko.  The best of ROUNDS counts; the two take turns.
set -eu
calque=$1 kernel=$2 modules=$3 rounds=${4:-3} megabytes=${5:-400}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

${CC:-cc} -O2 -static -o "$work/network" "$here/../guest/network.c"
mkdir -p "$work/root/dev"
cp "$work/network" "$work/root/init"
cp "$(find "$modules" -name e1000.ko | head -n 1)" "$work/root/e1000.ko"
(cd "$work/root" && find . | cpio --quiet -o -H newc) >"$work/initrd"
# Ports that nobody is likely to have.
port=$((20000 + $$ % 20000))

run() {
	port=$((port + 2))
	"$work/network" send $port "${megabytes}000000" &
	sender=$!
	timeout 120 "$@" -m 512 -display none -monitor none -serial "file:$work/log" -no-reboot \
		-kernel "$kernel" -initrd "$work/initrd" \
		-append "console=ttyS0 quiet panic=-1 netport=$port netmb=$megabytes" \
		-netdev "user,id=n,hostfwd=tcp:127.0.0.1:$((port + 1))-:5001" -device e1000,netdev=n,romfile= &
	machine=$!
	wait $sender || true
	# The guest listens when it has printed its first line.
	i=0
	until grep -q download "$work/log" 2>/dev/null || [ $i -gt 100 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	sleep 0.2
	"$work/network" receive $((port + 1)) "${megabytes}000000" || true
	wait $machine || true
	sed -n 's/\r//; s/.*RESULT //p' "$work/log"
	rm -f "$work/log"
}

best() {
	awk -v what="$1" '$1 == what && $2 > most { most = $2 } END { print most + 0 }' "$2"
}

for round in $(seq "$rounds"); do
	run "$calque" >>"$work/ours"
	run qemu-system-x86_64 -accel tcg >>"$work/theirs"
done
for what in download serve; do
	ours=$(best $what "$work/ours") theirs=$(best $what "$work/theirs")
	awk -v what=$what -v ours="$ours" -v theirs="$theirs" 'BEGIN {
		printf "%-10s calque %6.1f MB/s   qemu %6.1f MB/s   ratio %.2f\n", what, ours, theirs, (theirs > 0 ? ours / theirs : 0) }'
done
