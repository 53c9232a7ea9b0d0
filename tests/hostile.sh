#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Guests that do what no guest should: see hostile.c.  More seeds, or others: tests/hostile -n 100 -f 1000.
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

for accel in tcg interp; do
	tests/hostile -n 2 -t 50 -l 20000 -a $accel -o "$dir" || failed=1
done
exit $failed
