#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# media.sh FOLDER: takes boot media from the distribution's packages into FOLDER; nothing is installed.  What is there
# already is not fetched again; what a package doesn't have is left out.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)

# What the tests boot, and the package with it: name, package, where it lies there (the first that exists).
media() {
	cat <<-'END'
		grub-cd.iso     grub-rescue-pc  usr/lib/grub-rescue/grub-rescue-cdrom.iso
		grub-floppy.img grub-rescue-pc  usr/lib/grub-rescue/grub-rescue-floppy.img
		ipxe.iso        ipxe            usr/lib/ipxe/ipxe.iso
		ipxe.lkrn       ipxe            boot/ipxe.lkrn usr/lib/ipxe/ipxe.lkrn
		memtest.bin     memtest86+      boot/memtest86+x64.bin boot/mt86+x64
		OVMF_CODE.fd    ovmf            usr/share/OVMF/OVMF_CODE_4M.fd usr/share/OVMF/OVMF_CODE.fd
		OVMF_VARS.fd    ovmf            usr/share/OVMF/OVMF_VARS_4M.fd usr/share/OVMF/OVMF_VARS.fd
	END
}

unpack() {
	work=$folder/package
	rm -rf "$work"
	mkdir -p "$work"
	(cd "$work" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$1" </dev/null >/dev/null 2>apt.err &&
		dpkg-deb -x ./*.deb tree) || {
		cat "$work/apt.err" >&2
		echo "media.sh: $1 could not be fetched: is there a network?" >&2
		return 1
	}
}

take() {
	for path in "$@"; do
		if [ -f "$folder/package/tree/$path" ]; then
			cp "$folder/package/tree/$path" "$folder/$name.new"
			mv "$folder/$name.new" "$folder/$name"
			return
		fi
	done
	echo "media.sh: $package has no $*: another version than the tests know" >&2
}

status=0
unpacked=
media >"$folder/list"
while read -r name package paths; do
	[ ! -s "$folder/$name" ] || continue
	if [ "$unpacked" != "$package" ]; then
		echo "media.sh: fetching $package"
		unpack "$package" || { status=1; continue; }
		unpacked=$package
	fi
	# shellcheck disable=SC2086
	take $paths
done <"$folder/list"
rm -rf "$folder/package" "$folder/list"
exit $status
