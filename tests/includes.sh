#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A folder includes only the folders that its .may_include names, and of others only their public headers: cpu sees
# the whole of tcg and base, but hw sees of disk only disk/disk.h.
cd "${srcdir:-.}" || exit 1
failed=0

for folder in base disk net ui hw tcg cpu vm; do
	allowed=" $(cat "$folder/.may_include") "
	found=$(find "$folder" \( -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.S' \) -exec \
		sed -n 's|^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*|\1|p' {} + | sort -u)
	for header in $found; do
		to=${header%%/*}
		case $header in
		*/*) ;;
		*)
			echo "$folder: \"$header\" is named without its folder"
			failed=1
			continue ;;
		esac
		case $allowed in
		*" $to "*) ;;
		*)
			echo "$folder may not include \"$header\": $folder/.may_include allows$allowed"
			failed=1 ;;
		esac
		case "$folder $header" in
		"$to "*|*" base/"*|*" tcg/"*|*" cpu/"*|*" hw/"*|*" disk/disk.h"|*" disk/tool.h"|*" net/net.h"|*" ui/ui.h"|*" ui/sound.h"|*"/trace.h") ;;
		*" disk/"*|*" net/"*|*" ui/"*|*" vm/"*)
			echo "$folder: \"$header\" is not a public header of $to"
			failed=1 ;;
		esac
	done
done
exit $failed
