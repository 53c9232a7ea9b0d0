#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# models.sh CALQUE FOLDER [MODEL...]: the small guests under each processor of -cpu MODEL (x86-64-v1 to v4 and max, unless others
# are named): FOLDER/vmlinuz with FOLDER/initrd, and FOLDER/vmlinuz-cloud (another kernel, if somebody has put one there); what firmware.sh boots (GRUB, iPXE, Memtest86+, OVMF);
# and the disk FOLDER/debian.img, which debian.sh makes, without changing it.  What isn't there is left out.  Prints a line
# "PASS name" or "FAIL name" for each.  It takes some minutes for each processor.
set -u
calque=$(realpath "$1") || exit 1
folder=$(realpath "$2") || exit 1
shift 2
here=$(dirname "$0")
limit=${GUEST_TIMEOUT:-600}
[ $# -gt 0 ] || set -- x86-64-v1 x86-64-v2 x86-64-v3 x86-64-v4 max

# A folder for the model's logs, with the guests in it, and a CALQUE that is that model.
prepare() {
	at=$folder/models/$1
	rm -rf "$at"
	mkdir -p "$at"
	for guest in initrd media vmlinuz vmlinuz-cloud debian.img; do
		[ ! -e "$folder/$guest" ] || ln -s "$folder/$guest" "$at/$guest"
	done
	printf '#!/bin/sh\nexec "%s" -cpu "%s" "$@"\n' "$calque" "$1" >"$at/calque"
	chmod 755 "$at/calque"
}

# judge NAME: what the guest said of itself, its end, and the end of the process.
judge() {
	[ -e "$at/$1.log" ] || : >"$at/$1.log"
	if [ "$status" -eq 0 ] && grep -q 'GUEST PASS' "$at/$1.log" && ! grep -q 'GUEST FAIL' "$at/$1.log" &&
		grep -q 'GUEST END' "$at/$1.log"; then
		echo "PASS $model: $1"
	else
		echo "FAIL $model: $1 (status $status)"
		{ grep 'GUEST FAIL' "$at/$1.log"; tail -n 15 "$at/$1.log" "$at/$1.err"; } | tr -d '\r' | sed 's/^/    /'
	fi
}

# machine NAME OPTIONS...
machine() {
	name=$1
	shift
	timeout -k 10 "$limit" "$at/calque" -m 512 -display none -monitor none -serial "file:$at/$name.log" -no-reboot "$@" \
		</dev/null 2>"$at/$name.err"
	status=$?
	judge "$name"
}

kernel() {
	[ ! -e "$at/$1" ] || machine "$1" -kernel "$at/$1" -initrd "$at/initrd" \
		-append "console=ttyS0 panic=-1 calque.test calque.cpus=1 calque.now=$(date +%s)"
}

for model in "$@"; do
	prepare "$model"
	kernel vmlinuz
	kernel vmlinuz-cloud
	[ ! -e "$at/media" ] || sh "$here/firmware.sh" "$at/calque" "$at" | sed "s/^\(PASS\|FAIL\) /&$model: /"
	[ ! -e "$at/debian.img" ] || machine debian -snapshot -hda "$at/debian.img"
done
