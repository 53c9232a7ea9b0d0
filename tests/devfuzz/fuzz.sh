#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# fuzz.sh SOURCE [DEVICE...]: in the build folder, builds the devices for a fuzzer in a folder below it, runs each for TIME
# seconds from the kept inputs on, says which lines were reached, and ends at the first finding.  KEEP=1 puts the inputs
# that are worth it, cut down, into the source folder.
set -eu
source=$1
shift
replay=$PWD/tests/devfuzz/replay
[ $# -gt 0 ] || set -- $("$replay" -l)
for tool in clang llvm-profdata llvm-cov; do
	command -v $tool >/dev/null && continue
	echo "fuzz-devices: $tool is not installed (packages clang, llvm, libclang-rt-14-dev)"
	exit 1
done

# prepare FOLDER FLAGS TARGET
prepare() {
	mkdir -p "$1"
	[ -f "$1/Makefile" ] || (cd "$1" && "$source/configure" -q CC=clang CFLAGS="-g $2")
	make -s -C "$1" "$3" >/dev/null
}
# Comparisons are not traced: an input is mostly choices from tables, and runs take a sixth of the time.
prepare devfuzz-fuzzer "-O2 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-coverage=trace-cmp,indirect-calls \
	-fno-sanitize-recover=undefined" tests/devfuzz/fuzzer
prepare devfuzz-cover "-O1 -fprofile-instr-generate -fcoverage-mapping" tests/devfuzz/replay
cd devfuzz-fuzzer

for device; do
	echo "== $device"
	export CALQUE_FUZZ_DEVICE="$device"
	export ASAN_OPTIONS=quarantine_size_mb=1:thread_local_quarantine_size_kb=64:allocator_release_to_os_interval_ms=-1
	kept=$source/tests/devfuzz/inputs/$device.inputs
	mkdir -p "found/$device" "broken"
	[ ! -f "$kept" ] || "$replay" -x "found/$device" "$kept"
	# What takes less time is tried more often.
	tests/devfuzz/fuzzer -entropic_scale_per_exec_time=1 -max_len=1024 -timeout=10 -rss_limit_mb=2048 \
		-max_total_time="${TIME:-60}" -print_final_stats=1 -verbosity=1 -artifact_prefix="broken/$device-" \
		"found/$device" >"$device.log" 2>&1 || {
		tail -n 40 "$device.log"
		exit 1
	}
	grep -E "average_exec|DONE" "$device.log"
	# Long inputs reach hardly a line more than short ones do together.
	rm -rf "short/$device" "small/$device"
	mkdir -p "short/$device" "small/$device"
	find "found/$device" -type f -size -400c -exec cp {} "short/$device" \;
	tests/devfuzz/fuzzer -set_cover_merge=1 -max_len=1024 "small/$device" "short/$device" >"$device.merge.log" 2>&1
	"$replay" -c "$device.inputs" "small/$device"/*
	LLVM_PROFILE_FILE=$device.profraw ../devfuzz-cover/tests/devfuzz/replay "$device.inputs"
	llvm-profdata merge -o "$device.profdata" "$device.profraw"
	llvm-cov report ../devfuzz-cover/tests/devfuzz/replay -instr-profile="$device.profdata" >"$device.lines"
	awk '/hw\// && $10 != "0.00%" { print "   ", $1, $10 }' "$device.lines"
	[ -z "${KEEP:-}" ] || cp "$device.inputs" "$kept"
done
