#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# boot.sh CALQUE FOLDER: boots FOLDER/vmlinuz with FOLDER/initrd, as its tests/guest/init asks, and prints a line
# "PASS name" or "FAIL name" for what the guests and the host saw; after a FAIL, indented, the end of the guest's log and
# what the emulator said.  GUEST_TIMEOUT is the limit of a boot in seconds.
set -u
calque=$1
folder=$2
limit=${GUEST_TIMEOUT:-300}

verdict() {
	if [ "$2" -eq 0 ]; then
		echo "PASS $1"
	else
		echo "FAIL $1"
	fi
}

# What there is to see of a boot that failed.
evidence() {
	for f in "$folder/$1.log" "$folder/$1.err"; do
		[ ! -s "$f" ] || tail -n 20 "$f" | tr -d '\r' | sed 's/^/    /'
	done
}

# boot NAME CPUS APPEND OPTIONS...
boot() {
	name=$1
	cpus=$2
	append=$3
	shift 3
	log=$folder/$name.log
	rm -f "$log"
	timeout -k 10 "$limit" "$calque" -m 512 -smp "$cpus" -display none -monitor none -serial "file:$log" -no-reboot \
		-kernel "$folder/vmlinuz" -initrd "$folder/initrd" \
		-append "console=ttyS0 panic=-1 calque.test calque.cpus=$cpus calque.now=$(date +%s) $append" \
		"$@" </dev/null 2>"$folder/$name.err"
	status=$?
	[ -e "$log" ] || : >"$log"
	verdicts=$folder/$name.verdicts
	{
		tr -d '\r' <"$log" | sed -n "s/^.*GUEST \(PASS\|FAIL\) \([a-z0-9-]*\)\$/\1 $name: \2/p"
		grep -q 'GUEST END' "$log"
		verdict "$name: ran to its end" $?
		verdict "$name: switched off by itself (status $status)" "$status"
	} >"$verdicts"
	cat "$verdicts"
	! grep -q '^FAIL' "$verdicts" || evidence "$name"
}

# A boot sector that writes to the serial port and ends the machine: the way through firmware and the disk.
boot_sector() {
	image=$folder/sector.img
	case $(uname -m) in
	x86_64) ;;
	*) return ;;
	esac
	as --32 -o "$folder/sector.o" "$(dirname "$0")/sector.S" &&
		ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o "$image" "$folder/sector.o"
	verdict "boot sector: assembled" $?
	truncate -s 1M "$image"
	rm -f "$folder/sector.log"
	timeout -k 10 120 "$calque" -m 64 -display none -monitor none -serial "file:$folder/sector.log" -no-reboot \
		-device isa-debug-exit,iobase=0x501,iosize=1 -drive "file=$image,format=raw,if=ide" \
		</dev/null 2>"$folder/sector.err"
	status=$?
	[ $status -eq 35 ]
	verdict "boot sector: ends the machine with its status (status $status)" $?
	grep -q 'hello from the boot sector' "$folder/sector.log" 2>/dev/null
	verdict "boot sector: speaks through the serial port" $?
	[ $status -eq 35 ] || evidence sector
}

# The interpreter takes three minutes: beside the others.
(limit=$((limit * 4)); boot interpreter 1 "" -accel interp) >"$folder/interpreter.out" &
boot_sector
boot kernel 1 ""

# The first MiB holds a known pattern; the guest copies it to 2 MiB.
disk=$folder/disk.img
seq 1 400000 | head -c 1048576 >"$disk"
sum=$(sha256sum "$disk" | cut -c1-64)
truncate -s 16M "$disk"
boot disk 1 "calque.disk=$sum" -drive "file=$disk,format=raw,if=ide"
[ "$(dd if="$disk" bs=1M skip=2 count=1 2>/dev/null | sha256sum | cut -c1-64)" = "$sum" ]
verdict "disk: what the guest wrote is in the image" $?

wait
cat "$folder/interpreter.out"
