#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# debian.sh CALQUE FOLDER: makes FOLDER/debian.img, a disk with the host's release of Debian (systemd, a kernel, GRUB; an
# ext4 partition), boots it from the disk, lets root log in on the serial line and shut it down, and checks the file
# system.  Prints lines "PASS name" or "FAIL name".  Where nobody may make such a disk it is left out.  GUEST_TIMEOUT is the
# limit of the boot in seconds.
set -u
calque=$1
folder=$2
limit=${GUEST_TIMEOUT:-600}
disk=$folder/debian.img
root=$folder/debian.root
start=2048 # the partition, in sectors
mib=1400

verdict() {
	if [ "$2" -eq 0 ]; then
		echo "PASS debian: $1"
	else
		echo "FAIL debian: $1"
	fi
}

# What root does on the serial line, where it is logged in without a password.
write_login() {
	mkdir -p "$root/etc/systemd/system/serial-getty@ttyS0.service.d"
	cat >"$root/etc/systemd/system/serial-getty@ttyS0.service.d/login.conf" <<-'END'
		[Service]
		ExecStart=
		ExecStart=-/sbin/agetty --autologin root --noclear ttyS0 vt100
	END
	cat >"$root/root/.profile" <<-'END'
		verdict() {
			[ "$2" -eq 0 ] && echo "GUEST PASS $1" || echo "GUEST FAIL $1"
		}
		state=$(systemctl is-system-running --wait)
		verdict "systemd is $state" "$([ "$state" = running ]; echo $?)"
		systemctl --failed --no-legend --plain
		dd if=/dev/urandom of=/var/tmp/a bs=64k count=256 2>/dev/null
		cp /var/tmp/a /var/tmp/b
		sync
		echo 3 >/proc/sys/vm/drop_caches
		cmp /var/tmp/a /var/tmp/b
		verdict "files are what they were" $?
		gzip -c /usr/bin/bash | gzip -dc | cmp - /usr/bin/bash
		verdict "gzip" $?
		perl -e 'my $s = 0; $s += sqrt($_) for 1 .. 200000; exit(sprintf("%.3f", $s) ne "59628702.799")'
		verdict "perl" $?
		hwclock >/dev/null
		verdict "the clock's interrupt" $?
		! dmesg | grep "BUG:\|Oops\|soft lockup\|ata.*error\|exception Emask"
		verdict "the kernel's log" $?
		echo "GUEST END"
		systemctl poweroff
	END
}

make_root() {
	mmdebstrap --quiet --variant=minbase --include=systemd-sysv,udev,dbus,kmod,initramfs-tools \
		--include=linux-image-amd64,util-linux-extra \
		--aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
		--dpkgopt=path-exclude='/usr/share/doc/*' --dpkgopt=path-exclude='/usr/share/locale/*' \
		--dpkgopt=path-exclude='/lib/modules/*/kernel/drivers/net/*' \
		--dpkgopt=path-exclude='/lib/modules/*/kernel/drivers/gpu/*' \
		--dpkgopt=path-exclude='/lib/modules/*/kernel/drivers/media/*' \
		--dpkgopt=path-exclude='/lib/modules/*/kernel/sound/*' \
		--essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
		--essential-hook='echo MODULES=list >"$1/etc/initramfs-tools/conf.d/modules"' \
		--essential-hook='printf "%s\n" ata_piix sd_mod ext4 >"$1/etc/initramfs-tools/modules"' \
		"$VERSION_CODENAME" "$root" </dev/null
}

# GRUB's first sector and the image after it, which has all that is needed to read the partition.
install_grub() {
	cat >"$folder/grub.cfg" <<-'END'
		serial --unit=0 --speed=115200
		terminal_output console serial
		set root=(hd0,msdos1)
		linux /vmlinuz root=/dev/sda1 ro console=tty0 console=ttyS0 panic=-1
		initrd /initrd.img
		boot
	END
	grub-mkimage -O i386-pc -o "$folder/core.img" -p / -c "$folder/grub.cfg" \
		biosdisk part_msdos ext2 linux serial terminal &&
		dd if=/usr/lib/grub/i386-pc/boot.img of="$disk" bs=440 count=1 conv=notrunc 2>/dev/null &&
		dd if="$folder/core.img" of="$disk" bs=512 seek=1 conv=notrunc 2>/dev/null
}

make_disk() {
	rm -rf "$root" "$disk"
	make_root || return 1
	echo calque >"$root/etc/hostname"
	echo '/dev/sda1 / ext4 errors=remount-ro 0 1' >"$root/etc/fstab"
	ln -sf "$(cd "$root" && ls boot/vmlinuz-*)" "$root/vmlinuz"
	ln -sf "$(cd "$root" && ls boot/initrd.img-*)" "$root/initrd.img"
	passwd -q -R "$(realpath "$root")" -d root
	write_login
	truncate -s ${mib}M "$disk"
	echo "$start,,L,*" | sfdisk -q "$disk" || return 1
	mke2fs -q -F -t ext4 -d "$root" -E offset=$((start * 512)) "$disk" $(((mib - 1) * 1024))k || return 1
	install_grub
}

boot() {
	log=$folder/debian.log
	rm -f "$log"
	timeout -k 10 "$limit" "$calque" -m 512 -display none -monitor none -serial "file:$log" -no-reboot -hda "$disk" \
		</dev/null 2>"$folder/debian.err"
	status=$?
	[ -e "$log" ] || : >"$log"
	tr -d '\r' <"$log" | sed -n "s/^.*GUEST \(PASS\|FAIL\) \(.*\)\$/\1 debian: \2/p"
	grep -q 'GUEST END' "$log"
	verdict "ran to its end" $?
	verdict "switched off by itself (status $status)" "$status"
	[ "$status" -eq 0 ] || tail -n 20 "$log" "$folder/debian.err" | tr -d '\r' | sed 's/^/    /'
}

check_file_system() {
	dd if="$disk" of="$folder/debian.part" bs=512 skip=$start conv=sparse 2>/dev/null
	e2fsck -fn "$folder/debian.part" >"$folder/debian.fsck" 2>&1 &&
		dumpe2fs -h "$folder/debian.part" 2>/dev/null | grep -q '^Filesystem state: *clean$'
	verdict "the file system is clean" $?
	rm -f "$folder/debian.part"
}

. /etc/os-release
if [ "$ID" != debian ] || [ "$(id -u)" -ne 0 ] || ! unshare --mount true 2>/dev/null; then
	echo "debian.sh: left out: it needs Debian, and root who may mount" >&2
	exit 0
fi
make_disk >"$folder/debian.make" 2>&1
made=$?
verdict "a disk was made" $made
if [ $made -ne 0 ]; then
	tail -n 15 "$folder/debian.make" | sed 's/^/    /'
	exit 0
fi
rm -rf "$root"
boot
check_file_system
