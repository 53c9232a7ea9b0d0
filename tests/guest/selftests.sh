#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# selftests.sh CALQUE FOLDER [OPTIONS...]: takes the kernel's own tests of x86 (tools/testing/selftests/x86, and those of
# protection keys and of hardware breakpoints) out of the distribution's source package, builds them for 64 and for 32 bits,
# and runs them in a guest: FOLDER/vmlinuz, with OPTIONS (-cpu MODEL, say).  Prints a line "PASS name", "SKIP name" or "FAIL
# name" for each; docs/selftests.md says what they found.  All they wrote is in FOLDER/selftests/log.  KERNEL and BUSYBOX name
# others than FOLDER/vmlinuz and the host's: those of 32 bits.  TESTS names the tests, with commas; GUEST_TIMEOUT is the limit
# of the boot in seconds.
set -u
calque=$1
folder=$(realpath "$2") || exit 1
shift 2
here=$(dirname "$0")
limit=${GUEST_TIMEOUT:-900}
kernel=${KERNEL:-$folder/vmlinuz}
busybox=${BUSYBOX:-$(command -v busybox)}
work=$folder/selftests
tests=$work/linux/tools/testing/selftests
bin=$work/root/tests

die() {
	echo "selftests.sh: $*" >&2
	exit 1
}

verdict() {
	if [ "$2" -eq 0 ]; then
		echo "PASS selftests: $1"
	else
		echo "FAIL selftests: $1"
	fi
}

# The part of the source that the tests need, in $work/linux.
fetch() {
	[ ! -d "$tests/x86" ] || return 0
	package=$(apt-cache depends linux-source 2>/dev/null | sed -n 's/^.*Depends: *\(linux-source-[0-9.]*\)$/\1/p' | head -n 1)
	[ -n "$package" ] || die "apt knows no linux-source: is this Debian?"
	rm -rf "$work/package" "$work/linux"
	mkdir -p "$work/package" "$work/linux"
	(cd "$work/package" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$package" </dev/null) >/dev/null ||
		die "$package could not be fetched: is there a network?"
	dpkg-deb --fsys-tarfile "$work"/package/*.deb | tar -x -O --wildcards '*/linux-source-*.tar.xz' |
		tar -x -J -C "$work/linux" --strip-components=1 --wildcards '*/tools/testing/selftests/x86' \
			'*/tools/testing/selftests/vm' '*/tools/testing/selftests/breakpoints' '*/tools/include' \
			'*/arch/x86/include' '*/tools/testing/selftests/*.h' '*/tools/testing/selftests/*.mk'
	rm -rf "$work/package"
	[ -d "$tests/x86" ] || die "$package has no self tests"
}

build() {
	make -k -C "$tests/x86"
	make -k -C "$tests/vm" "$tests/vm/protection_keys_32" "$tests/vm/protection_keys_64"
	make -k -C "$tests/breakpoints" ARCH=x86
}

# The C library of a program, and its loader.
copy_libraries() {
	for library in $(ldd "$1" 2>/dev/null | sed -n 's/^[^/]*\(\/[^ ]*\) (0x.*$/\1/p'); do
		[ -e "$work/root$library" ] || {
			mkdir -p "$work/root$(dirname "$library")"
			cp -L "$library" "$work/root$library"
		}
	done
}

make_initrd() {
	rm -rf "$work/root"
	mkdir -p "$bin" "$work/root/bin" "$work/root/dev" "$work/root/proc" "$work/root/sys" "$work/root/tmp" "$work/root/etc"
	echo 'root::0:0::/:/bin/sh' >"$work/root/etc/passwd"
	for program in "$tests"/x86/*_32 "$tests"/x86/*_64 "$tests"/vm/protection_keys_?? "$tests"/breakpoints/breakpoint_test; do
		[ -x "$program" ] || continue
		cp "$program" "$bin/"
		copy_libraries "$program"
	done
	cp "$busybox" "$work/root/bin/busybox"
	cp "$here/selftests.init" "$work/root/init"
	chmod 755 "$work/root/init"
	(cd "$work/root" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$work/initrd"
}

boot() {
	rm -f "$work/log"
	timeout -k 10 "$limit" "$calque" -m 512 -display none -monitor none -serial "file:$work/log" -no-reboot \
		-kernel "$kernel" -initrd "$work/initrd" -append "console=ttyS0 panic=-1 quiet no_timer_check calque.tests=${TESTS:-}" "$@" \
		</dev/null 2>"$work/err"
	status=$?
	[ -e "$work/log" ] || : >"$work/log"
	tr -d '\r' <"$work/log" | sed -n "s/^.*GUEST \(PASS\|FAIL\|SKIP\) \(.*\)\$/\1 selftests: \2/p"
	grep -q 'GUEST END' "$work/log"
	verdict "ran to its end" $?
	verdict "switched off by itself (status $status)" "$status"
	[ "$status" -eq 0 ] || tail -n 20 "$work/log" "$work/err" | tr -d '\r' | sed 's/^/    /'
}

[ -n "$busybox" ] || die "busybox is missing (package busybox-static)"
mkdir -p "$work"
fetch
build >"$work/build" 2>&1
[ -x "$tests/x86/sigreturn_64" ] || die "the tests don't build, see $work/build"
[ -x "$tests/x86/sigreturn_32" ] || echo "selftests.sh: without those of 32 bits (package gcc-multilib)" >&2
make_initrd
boot "$@"
