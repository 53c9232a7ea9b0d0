#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# initrd.sh OUTPUT [MODULES]: an initial RAM disk of busybox, tests/guest/init and the kernel modules of a folder.
set -eu
output=$1
modules=${2:-}
here=$(dirname "$0")
root=$output.d

busybox=$(command -v busybox) || { echo "initrd.sh: busybox is missing (package busybox-static)" >&2; exit 1; }
rm -rf "$root"
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/modules"
cp "$busybox" "$root/bin/busybox"
cp "$here/init" "$root/init"
chmod 755 "$root/init" "$root/bin/busybox"
if [ -n "$modules" ] && [ -d "$modules" ]; then
	find "$modules" -name '*.ko' -exec cp {} "$root/modules/" \;
fi
(cd "$root" && find . | "$busybox" cpio -o -H newc 2>/dev/null) | gzip -1 >"$output.new"
mv "$output.new" "$output"
rm -rf "$root"
