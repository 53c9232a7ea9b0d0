#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A disk whose host has no space left stops the machine; 'cont' does the write again, and nothing is lost.
calque=${CALQUE:-./calque}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

fail()
{
	echo "FAIL: $*"
	failed=1
}

# make_image SIZE CX: a boot sector that writes itself by INT 13h, to sector 4 if CX is 5, then ends with status 33, or
# 35 if that failed:
#   xor ax, ax; mov es, ax; mov ax, 0301h; mov bx, 7C00h; mov cx, CX; mov dx, 80h; int 13h; mov al, 10h; adc al, 0;
#   mov dx, 501h; out dx, al; hlt
make_image()
{
	printf "\\061\\300\\216\\300\\270\\001\\003\\273\\000\\174\\271$2" >"$dir/disk"
	printf '\272\200\000\315\023\260\020\024\000\272\001\005\356\364' >>"$dir/disk"
	truncate -s 510 "$dir/disk"
	printf '\125\252' >>"$dir/disk"
	truncate -s "$1" "$dir/disk"
}

# run COMMANDS ARGUMENT...: COMMANDS go to the monitor, a line at a time.
run()
{
	commands=$1
	shift
	mkfifo "$dir/in"
	: >"$dir/err" # what the run before said isn't waited for
	timeout -k 5 60 "$calque" -m 16 -display none -serial null -parallel none -monitor stdio \
		-device isa-debug-exit,iobase=0x501 "$@" \
		<"$dir/in" >"$dir/out" 2>"$dir/err" &
	pid=$!
	exec 3>"$dir/in"
	tries=0
	until grep -q 'the machine is stopped' "$dir/err" || [ $tries -ge 200 ] || ! kill -0 $pid 2>/dev/null; do
		sleep 0.1
		tries=$((tries + 1))
	done
	printf '%s' "$commands" >&3 2>/dev/null
	sleep 0.5
	exec 3>&-
	wait $pid
	status=$?
	rm -f "$dir/in"
}

trap '' PIPE

make_image 1M '\005\000'
run 'info status
cont
' -drive "file=$dir/disk,format=raw,filter=fault:write#1=ENOSPC"
[ $status -eq 33 ] || fail "no space: exit status $status: $(cat "$dir/err")"
grep -q 'VM status: paused (io-error)' "$dir/out" || fail "no space: info status says: $(cat "$dir/out")"
grep -q "ide0-hd0: $dir/disk: No space left on device" "$dir/err" || fail "no space: said: $(cat "$dir/err")"
[ "$(dd if="$dir/disk" bs=512 count=1 2>/dev/null | cksum)" = "$(dd if="$dir/disk" bs=512 skip=4 count=1 2>/dev/null | cksum)" ] ||
	fail "no space: what was written isn't there"

make_image 1M '\005\000'
run '' -drive "file=$dir/disk,format=raw,filter=fault:write#1=ENOSPC,werror=report"
[ $status -eq 35 ] || fail "werror=report: exit status $status: $(cat "$dir/err")"
make_image 1M '\005\000'
run '' -drive "file=$dir/disk,format=raw,filter=fault:write#1=EIO"
[ $status -eq 35 ] || fail "an I/O error: exit status $status: $(cat "$dir/err")"
make_image 1M '\005\000'
run 'info status
quit
' -drive "file=$dir/disk,format=raw,filter=fault:write=EIO,werror=stop"
[ $status -eq 0 ] || fail "quit while a write is held: exit status $status: $(cat "$dir/err")"
grep -q 'VM status: paused (io-error)' "$dir/out" || fail "werror=stop: info status says: $(cat "$dir/out")"

# A reset meanwhile: the write of before is done first, then the guest starts again.
make_image 1M '\005\000'
run 'system_reset
info status
cont
' -drive "file=$dir/disk,format=raw,filter=fault:write#1=ENOSPC"
[ $status -eq 33 ] || fail "reset while a write is held: exit status $status: $(cat "$dir/err")"
grep -q 'VM status: paused (io-error)' "$dir/out" || fail "reset while a write is held: $(cat "$dir/out")"

# A qcow2 image that finds no space for a new cluster, or for the table that names it.
for write in 1 2; do
	make_image 1M '\005\000'
	"$calque-img" create -q -f qcow2 -b "$dir/disk" -F raw "$dir/over" || fail "no overlay"
	run 'info status
cont
' -drive "file=$dir/over,filter=below:fault:write#$write=ENOSPC"
	[ $status -eq 33 ] || fail "qcow2 without space for write $write: exit status $status: $(cat "$dir/err")"
	grep -q 'VM status: paused (io-error)' "$dir/out" || fail "qcow2 without space for write $write: $(cat "$dir/out")"
	"$calque-img" check -q "$dir/over" || fail "qcow2 without space for write $write: the image is damaged"
	"$calque-img" convert -O raw "$dir/over" "$dir/flat"
	[ "$(dd if="$dir/flat" bs=512 count=1 2>/dev/null | cksum)" = "$(dd if="$dir/flat" bs=512 skip=4 count=1 2>/dev/null | cksum)" ] ||
		fail "qcow2 without space for write $write: what was written isn't there"
done

# A file that may not grow, for real: past 8 MiB at the most.
make_image 16M '\001\024'
(
	ulimit -f 8192
	run 'info status
quit
' -accel tcg,tb-size=1 -drive "file=$dir/disk,format=raw"
	[ $status -eq 0 ] && grep -q 'VM status: paused (io-error)' "$dir/out"
) || fail "a file that may not grow: $(cat "$dir/err")"
exit $failed
