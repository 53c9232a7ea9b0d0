#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Sound of a whole machine without a guest: the monitor makes the speaker sound, while it is recorded, stopped and ended.
calque=${CALQUE:-./calque}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

fail()
{
	echo "FAIL: $*"
	failed=1
}

bytes()
{
	wc -c <"$1"
}

# speak AUDIODEV: what is typed.
speak()
{
	sleep 1
	echo "o/b 0x43 0xb6"
	echo "o/b 0x42 0xa9"
	echo "o/b 0x42 0x04"
	echo "wavcapture $dir/second.wav $1 22050 8 1"
	echo "info capture"
	echo "o/b 0x61 3"
	sleep 1
	echo "info audio"
	echo "stop"
	sleep 0.5
	cp "$dir/first.wav" "$dir/stopped.wav" 2>/dev/null
	sleep 0.5
	cmp -s "$dir/first.wav" "$dir/stopped.wav" || echo "CHANGED" >"$dir/changed"
	echo "cont"
	echo "o/b 0x61 0"
	sleep 0.5
	echo "stopcapture 0"
	echo "stopcapture 0"
	echo "quit"
}

speak a | timeout 60 "$calque" -m 16 -display none -serial none -nic none -monitor stdio \
	-audio "wav,path=$dir/first.wav,out.frequency=48000,model=pcspk" >"$dir/out" 2>"$dir/err"
status=$?
[ $status -eq 0 ] || fail "exit status $status"
[ -s "$dir/err" ] && fail "on standard error: $(cat "$dir/err")"
grep -q '^audiodev0: wav, 48000 Hz, playing' "$dir/out" || fail "info audio: $(cat "$dir/out")"
grep -q 'pcspk: playback, active' "$dir/out" || fail "info audio knows no voice"
grep -q 'there is no audiodev a;' "$dir/out" || fail "wavcapture takes a wrong name"
grep -q 'there is no recording 0' "$dir/out" || fail "stopcapture takes a wrong number"
[ -e "$dir/changed" ] && fail "a stopped machine is heard"
# A second of 48 kHz stereo; the host may be slow.
[ "$(bytes "$dir/first.wav")" -gt 150000 ] || fail "first.wav has $(bytes "$dir/first.wav") bytes"
[ "$(bytes "$dir/first.wav")" -lt 4000000 ] || fail "first.wav has $(bytes "$dir/first.wav") bytes"

speak b | timeout 60 "$calque" -m 16 -display none -serial none -nic none -monitor stdio \
	-audiodev none,id=b -machine pc,pcspk-audiodev=b >"$dir/out" 2>"$dir/err"
status=$?
[ $status -eq 0 ] || fail "none: exit status $status"
grep -qF "[0]: $dir/second.wav of b" "$dir/out" || fail "info capture: $(cat "$dir/out")"
[ "$(bytes "$dir/second.wav")" -gt 15000 ] || fail "second.wav has $(bytes "$dir/second.wav") bytes"
[ "$(dd if="$dir/second.wav" bs=1 skip=24 count=2 2>/dev/null | od -An -tu2 | tr -d ' ')" = 22050 ] || fail "second.wav has a wrong rate"

# A device that names no back end says why it is silent, and works.
echo quit | SDL_AUDIODRIVER=nonsense timeout 60 "$calque" -S -m 16 -display none -serial none -nic none -monitor stdio -device AC97 \
	>"$dir/out" 2>"$dir/err"
status=$?
[ $status -eq 0 ] || fail "no audiodev: exit status $status"
[ "$(wc -l <"$dir/err")" -eq 1 ] || fail "no audiodev: $(cat "$dir/err")"
grep -q 'AC97 is silent: ' "$dir/err" || fail "no audiodev: $(cat "$dir/err")"
exit $failed
