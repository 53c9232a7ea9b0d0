#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# disk.sh CALQUE KERNEL MODULES [OPTIONS]: a guest's disk through IDE DMA, by CALQUE and by QEMU's translator, in turn, and the
# ratios.  KERNEL is a distribution's, MODULES the folder of its modules for IDE disks (build/guest/vmlinuz and
# build/guest/modules after "bootstrap check").  OPTIONS are added to the -drive option of both.  DISK_SECONDS is the
# time for each kind of access, DISK_MIB the size of the disk, DISK_FORMAT raw or qcow2,
# DISK_ONLY one kind of access; of DISK_RUNS the best is taken, in turn, for a busy host; QEMU is its command, or none.
set -eu
[ $# -ge 3 ] || { sed -n '3,7s/^# //p' "$0" >&2; exit 2; }
calque=$1
kernel=$2
modules=$3
options=${4:-}
here=$(dirname "$0")
work=$(mktemp -d "${TMPDIR:-/var/tmp}/calque-disk.XXXXXX")
trap 'rm -rf "$work"' EXIT
seconds=${DISK_SECONDS:-2}
format=${DISK_FORMAT:-raw}
mib=${DISK_MIB:-1024}

make_initrd() {
	mkdir -p "$work/root/bin" "$work/root/modules" "$work/root/dev" "$work/root/proc" "$work/root/sys"
	${CC:-gcc} -O2 -static -o "$work/root/bin/disk_guest" "$here/disk_guest.c"
	cp "$(command -v busybox)" "$work/root/bin/busybox"
	for m in scsi_common scsi_mod crc-t10dif crct10dif_common crct10dif_generic crc64 crc64-rocksoft \
		crc64-rocksoft_generic t10-pi sd_mod libata ata_piix; do
		find "$modules" -name "$m.ko" -exec cp {} "$work/root/modules/" \;
	done
	cat >"$work/root/init" <<-'END'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		mount -t proc proc /proc
		mount -t sysfs sysfs /sys
		mount -t devtmpfs devtmpfs /dev
		exec </dev/console >/dev/console 2>&1
		for round in 1 2 3 4; do
			for m in /modules/*.ko; do insmod $m 2>/dev/null; done
		done
		while [ ! -b /dev/sda ]; do sleep 0.1; done
		sleep 1
		disk_guest /dev/sda $(sed -n 's/.*seconds=\([^ ]*\).*/\1/p' /proc/cmdline) \
			$(sed -n 's/.*only=\([^ ]*\).*/\1/p' /proc/cmdline)
		poweroff -f
	END
	chmod 755 "$work/root/init"
	(cd "$work/root" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$work/initrd"
}

# The image is in the host's page cache, so that it is the path to it that is measured, and written back before.
make_disk() {
	rm -f "$work/disk"
	head -c "${mib}M" /dev/zero | tr '\0' '\251' >"$work/disk.raw"
	if [ "$format" = raw ]; then
		mv "$work/disk.raw" "$work/disk"
	else
		qemu-img convert -f raw -O "$format" "$work/disk.raw" "$work/disk"
		rm -f "$work/disk.raw"
	fi
	sync "$work/disk"
	cat "$work/disk" >/dev/null
}

measure() {
	make_disk
	timeout 300 "$@" -m 512 -nographic -no-reboot -kernel "$kernel" -initrd "$work/initrd" \
		-append "console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off seconds=$seconds ${DISK_ONLY:+only=$DISK_ONLY}" \
		-drive "file=$work/disk,format=$format,if=ide$options" </dev/null 2>&1 |
		tr -d '\r' | grep -a -o 'DISK .*'
}

make_initrd
: >"$work/ours"
: >"$work/theirs"
for run in $(seq "${DISK_RUNS:-1}"); do
	measure "$calque" >>"$work/ours" || true
	[ "${QEMU:-}" = none ] || measure ${QEMU:-qemu-system-x86_64 -accel tcg} >>"$work/theirs" || true
done
awk '
	$1 != "DISK" || $2 == "end" { next }
	$2 == "error" { print FILENAME ": " $0; next }
	FILENAME ~ /ours$/ {
		if (!($2 in ours))
			names[++n] = $2
		if ($3 > ours[$2])
			ours[$2] = $3
		next
	}
	$3 > theirs[$2] { theirs[$2] = $3 }
	END {
		printf "%-18s %10s %10s %8s\n", "MB/s", "calque", "QEMU", "ratio"
		for (i = 1; i <= n; i++) {
			t = theirs[names[i]]
			printf "%-18s %10.1f %10s %8s\n", names[i], ours[names[i]], t, (t > 0 ? sprintf("%.2f", ours[names[i]] / t) : "")
		}
	}
' "$work/ours" "$work/theirs"
