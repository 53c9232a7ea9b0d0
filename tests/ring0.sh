#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The system side of the processor, tested from inside: each guest of tests/guest/ring0 prints a line for each of its snippets of code,
# and these have to be those of NAME.expected.  CALQUE is the program; KEEP is a folder for what the guests printed.
here=$(dirname "$0")/guest/ring0
case $(uname -m) in
x86_64 | i?86) ;;
*) exit 77 ;;
esac
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
if ! echo 'int x;' | ${GUEST_CC:-cc} -m32 -c -x c -o "$dir/try.o" - 2>/dev/null; then
	echo "the compiler makes no 32-bit code"
	exit 77
fi
sh "$here/build.sh" "$dir" || exit 1
accels=$("$CALQUE" -accel help | sed -n 's/^\([a-z]*\)  .*/\1/p')
[ -n "$accels" ] || exit 1
failed=0
for guest in "$dir"/*.elf "$dir"/*.bin; do
	case $guest in
	*.elf) how=-kernel ;;
	*) how=-bios ;;
	esac
	name=$(basename "${guest%.*}")
	# Where what the processor has is part of the result, it is a processor that stays what it is.
	case $name in
	keys64 | xsave64 | control64) cpu=EPYC-Milan ;;
	page57) cpu=max,+la57 ;;
	cet | cet64) cpu=Skylake-Client,+pku,+shstk,+ibt ;;
	amd64) cpu=Opteron_G5 ;;
	intel64) cpu=Haswell,+la57 ;;
	*) cpu=max ;;
	esac
	# Code that changes, in blocks of other sizes too.
	case $name,$accels in
	code64,*tcg*) with="$accels tcg,one-insn-per-tb=on tcg,native=off" ;;
	*) with=$accels ;;
	esac
	restart=-no-reboot
	[ $name != triple ] || restart=
	for accel in $with; do
		out=$dir/$name.$accel
		timeout -k 5 120 "$CALQUE" -accel $accel -cpu $cpu -m 64 -display none -nic none -monitor none -serial none $restart \
			$how "$guest" -debugcon "file:$out" -device isa-debug-exit,iobase=0x501,iosize=1 2>"$dir/err"
		status=$?
		[ -z "${KEEP:-}" ] || cp "$out" "$KEEP/"
		if [ $status -ne 35 ] || ! diff "$here/$name.expected" "$out" >"$dir/diff"; then
			echo "FAIL $name, $accel (status $status)"
			cat "$dir/err"
			head -n 20 "$dir/diff"
			failed=1
		fi
	done
done
exit $failed
