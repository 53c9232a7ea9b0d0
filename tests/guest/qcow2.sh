#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# qcow2.sh CALQUE CALQUE-IMG FOLDER: a guest makes a file system on a qcow2 disk, copies files to it, and the emulator is killed
# (kill -9) while it writes on.  Then the image must be without corruption, and another boot, on an overlay and on the
# disk itself, must repair the file system and find all that was synchronised.  Prints "PASS name" or "FAIL name".
# FOLDER has vmlinuz, modules, and modules.ext4.  GUEST_TIMEOUT is the limit of a boot in seconds, QCOW2_KILLS how often.
set -u
[ $# -eq 3 ] || { sed -n '3,7s/^# //p' "$0" >&2; exit 2; }
calque=$1
img=$2
folder=$3
limit=${GUEST_TIMEOUT:-300}
kills=${QCOW2_KILLS:-3}
disk=$folder/qcow2.disk
initrd=$folder/qcow2.initrd

verdict() {
	if [ "$2" -eq 0 ]; then
		echo "PASS $1"
	else
		echo "FAIL $1"
		tail -n 15 "$folder/qcow2.log" "$folder/qcow2.err" 2>/dev/null | tr -d '\r' | sed 's/^/    /'
	fi
}

# A program with the libraries it asks for.
take_program() {
	path=$(command -v "$1") || return 1
	cp "$path" "$root/tools/"
	for library in $(ldd "$path" 2>/dev/null | sed -n 's/.*[ 	]\(\/[^ ]*\) (.*/\1/p'); do
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library"
	done
}

make_initrd() {
	root=$folder/qcow2.root
	rm -rf "$root"
	mkdir -p "$root/bin" "$root/tools" "$root/dev" "$root/proc" "$root/sys" "$root/mnt" "$root/modules"
	cp "$(command -v busybox)" "$root/bin/busybox"
	take_program mke2fs && take_program e2fsck || return 1
	for m in scsi_common scsi_mod crc-t10dif crct10dif_common crct10dif_generic crc64 crc64-rocksoft crc64-rocksoft_generic \
		t10-pi sd_mod libata ata_piix crc16 mbcache jbd2 libcrc32c crc32c_generic ext4; do
		find "$folder/modules" "$folder/modules.ext4" -name "$m.ko" -exec cp {} "$root/modules/" \; 2>/dev/null
	done
	[ -e "$root/modules/ext4.ko" ] || return 1
	cat >"$root/init" <<-'END'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin
		mount -t proc proc /proc
		mount -t sysfs sysfs /sys
		mount -t devtmpfs devtmpfs /dev
		exec </dev/console >/dev/console 2>&1
		for round in 1 2 3 4 5; do
			for m in /modules/*.ko; do insmod $m 2>/dev/null; done
		done
		tries=0
		while [ ! -b /dev/sda ] && [ $tries -lt 300 ]; do sleep 0.1; tries=$((tries + 1)); done
		if grep -q calque.first /proc/cmdline; then
			/tools/mke2fs -q -t ext4 /dev/sda || echo GUEST FAIL mke2fs
		else
			/tools/e2fsck -f -y /dev/sda
			echo "GUEST fsck $?"
		fi
		mount -t ext4 /dev/sda /mnt || echo GUEST FAIL mount
		# What was kept by the boots before: each file's name has its sum.
		bad=0
		count=0
		for f in /mnt/kept/*; do
			[ -e "$f" ] || continue
			count=$((count + 1))
			[ "$(md5sum <"$f" | cut -d' ' -f1)" = "${f##*/}" ] || bad=$((bad + 1))
		done
		echo "GUEST kept $count bad $bad"
		if grep -q calque.last /proc/cmdline; then
			umount /mnt
			poweroff -f
		fi
		mkdir -p /mnt/kept /mnt/loose
		for n in 1 2 3 4 5 6; do
			dd if=/dev/urandom of=/mnt/new bs=64k count=$((n * 7)) 2>/dev/null
			mv /mnt/new /mnt/kept/$(md5sum </mnt/new | cut -d' ' -f1)
		done
		sync
		echo GUEST READY
		n=0
		while :; do
			dd if=/dev/urandom of=/mnt/loose/$((n % 40)) bs=37k count=$((n % 9 + 1)) 2>/dev/null
			[ $((n % 5)) -ne 0 ] || rm -f /mnt/loose/$((n / 3 % 40))
			[ $((n % 7)) -ne 0 ] || sync
			n=$((n + 1))
		done
	END
	chmod 755 "$root/init"
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$initrd"
	rm -rf "$root"
}

# start APPEND DRIVE: in the background; its process is $emulator.
start() {
	rm -f "$folder/qcow2.log"
	"$calque" -m 512 -display none -monitor none -serial "file:$folder/qcow2.log" -no-reboot -kernel "$folder/vmlinuz" \
		-initrd "$initrd" -append "console=ttyS0 panic=-1 $1" -drive "$2" </dev/null 2>"$folder/qcow2.err" &
	emulator=$!
}

# Until the guest says so, or the emulator has ended, or the time is over.
wait_for() {
	waited=0
	while ! grep -q "$1" "$folder/qcow2.log" 2>/dev/null; do
		sleep 0.2
		waited=$((waited + 1))
		kill -0 "$emulator" 2>/dev/null && [ "$waited" -lt $((limit * 5)) ] || return 1
	done
}

# finish: the last boot ends by itself.
finish() {
	wait_for "GUEST kept"
	waited=0
	while kill -0 "$emulator" 2>/dev/null && [ "$waited" -lt "$limit" ]; do
		sleep 1
		waited=$((waited + 1))
	done
	kill -9 "$emulator" 2>/dev/null
	wait "$emulator" 2>/dev/null
}

kept_all() {
	tr -d '\r' <"$folder/qcow2.log" | grep -q "GUEST kept $1 bad 0" && ! grep -q "GUEST FAIL" "$folder/qcow2.log"
}

make_initrd || { echo "FAIL qcow2: no initrd; e2fsprogs and the modules of ext4 are needed"; exit 1; }
rm -f "$disk"
"$img" create -q -f qcow2 "$disk" 1G || { echo "FAIL qcow2: no image"; exit 1; }

first=calque.first
n=0
while [ "$n" -lt "$kills" ]; do
	start "$first" "file=$disk,format=qcow2,discard=unmap"
	wait_for "GUEST READY" && ! grep -q "GUEST FAIL" "$folder/qcow2.log"
	verdict "qcow2: boot $n writes" $?
	sleep "$((n % 3 + 1))"
	kill -9 "$emulator"
	wait "$emulator" 2>/dev/null
	"$img" check -q "$disk" >"$folder/qcow2.err" 2>&1
	status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
	verdict "qcow2: no corruption after kill $n (check says $status)" $?
	[ "$n" -eq 0 ] || { kept_all $((n * 6)); verdict "qcow2: boot $n found what was kept" $?; }
	first=
	n=$((n + 1))
done

"$img" check -q -r leaks "$disk" >/dev/null 2>&1
sum=$(md5sum <"$disk")
start calque.last "file=$disk,format=qcow2,snapshot=on"
finish
kept_all $((n * 6))
verdict "qcow2: all is there with snapshot=on" $?
[ "$sum" = "$(md5sum <"$disk")" ]
verdict "qcow2: snapshot=on leaves the image as it is" $?
start calque.last "file=$disk,cache=none"
finish
kept_all $((n * 6))
verdict "qcow2: all is there" $?
"$img" check -q "$disk" >"$folder/qcow2.err" 2>&1
verdict "qcow2: clean after the guest has switched off" $?
