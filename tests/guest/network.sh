#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# network.sh CALQUE FOLDER: boots FOLDER/vmlinuz with the e1000 driver in FOLDER/network and the user network: transfers in
# both directions, whose bytes are compared, the driver's test of the card, and a kernel that firmware fetches by TFTP.
# Prints a line "PASS name" or "FAIL name" for each; after a FAIL, indented, what the guest said.  GUEST_TIMEOUT is the limit
# of a boot in seconds.
set -u
calque=$1
kernel=$2/vmlinuz
folder=$2/network
limit=${GUEST_TIMEOUT:-180}
here=$(dirname "$0")
bytes=60000000
# Ports that nobody is likely to have.
port=$((20000 + $$ % 20000))

mkdir -p "$folder/root/dev" "$folder/tftp"
${CC:-cc} -O2 -static -o "$folder/network" "$here/network.c" || {
	echo "FAIL network: the test's program could not be made"
	exit 1
}
cp "$folder/network" "$folder/root/init"
cp "$folder/e1000.ko" "$folder/root/e1000.ko"
(cd "$folder/root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$folder/initrd"

# verdict NAME STATUS LOG
verdict() {
	if [ "$2" -eq 0 ]; then
		echo "PASS network: $1"
		return
	fi
	echo "FAIL network: $1"
	tail -n 15 "$3" "$3.err" 2>/dev/null | tr -d '\r' | sed 's/^/    /'
}

said() {
	[ -e "$folder/log" ] && tr -d '\r' <"$folder/log" | grep -q "RESULT $1"
}

transfers() {
	rm -f "$folder/log"
	"$folder/network" send $port $bytes &
	sender=$!
	timeout -k 10 "$limit" "$calque" -m 256 -nodefaults -display none -monitor none -serial "file:$folder/log" -no-reboot \
		-kernel "$kernel" -initrd "$folder/initrd" \
		-append "console=ttyS0 panic=-1 netport=$port netmb=60 netcheck=1" \
		-netdev "user,id=n,hostfwd=tcp:127.0.0.1:$((port + 1))-:5001" -device e1000,netdev=n,romfile= \
		</dev/null 2>"$folder/log.err" &
	machine=$!
	until said self-test || ! kill -0 $machine 2>/dev/null; do
		sleep 0.2
	done
	# The link comes back, and the guest listens.
	sleep 2
	"$folder/network" receive $((port + 1)) $bytes
	served=$?
	wait $machine
	kill $sender 2>/dev/null
	wait $sender 2>/dev/null
	said "download-bytes $bytes"
	verdict "from the host" $? "$folder/log"
	verdict "to the host" $served "$folder/log"
	said "self-test passed"
	verdict "the driver's test of the card" $? "$folder/log"
}

# SeaBIOS starts iPXE, which fetches its script, and that a kernel.
boot_by_tftp() {
	cp "$kernel" "$folder/tftp/vmlinuz"
	printf '#!ipxe\nkernel tftp://10.0.2.2/vmlinuz console=ttyS0 panic=-1\nboot\n' >"$folder/tftp/boot.ipxe"
	rm -f "$folder/tftp.log"
	timeout -k 10 "$limit" "$calque" -m 256 -boot n -display none -monitor none -serial "file:$folder/tftp.log" -no-reboot \
		-netdev "user,id=n,tftp=$folder/tftp,bootfile=boot.ipxe" -device e1000,netdev=n </dev/null 2>"$folder/tftp.log.err"
	grep -q 'Unable to mount root fs' "$folder/tftp.log"
	verdict "boot by TFTP" $? "$folder/tftp.log"
}

transfers
boot_by_tftp
