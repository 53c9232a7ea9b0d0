#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# openssl.sh CALQUE FOLDER [MODEL...]: builds OpenSSL's own tests of its arithmetic, ciphers and digests with the distribution's
# libcrypto, which chooses its code by CPUID, and zlib's; runs them in a guest, FOLDER/vmlinuz, under each processor of -cpu MODEL
# (x86-64-v2, v3, v4 and max, unless others are named) with each of several OPENSSL_ia32cap.  SOURCE is a folder with
# the sources of openssl (of libssl-dev's version) and zlib, each in a folder of its own; without it `apt-get source`
# fetches them.  Prints a line "PASS name" or "FAIL name" for each processor and choice.  GUEST_TIMEOUT is the limit of a boot in seconds.
set -u
calque=$1
folder=$(realpath "$2") || exit 1
shift 2
here=$(dirname "$0")
limit=${GUEST_TIMEOUT:-1800}
work=$folder/openssl
root=$work/root
[ $# -gt 0 ] || set -- x86-64-v2 x86-64-v3 x86-64-v4 max
programs="aesgcmtest bn_internal_test bntest chacha_internal_test cmactest constant_time_test curve448_internal_test destest
	ec_internal_test ecdsatest ectest evp_test exptest hmactest igetest modes_internal_test poly1305_internal_test
	rdrand_sanitytest rsa_mp_test rsa_test sha_test siphash_internal_test sm3_internal_test sm4_internal_test"

die() {
	echo "openssl.sh: $*" >&2
	exit 1
}

fetch() {
	source=${SOURCE:-$work/source}
	[ -n "${SOURCE:-}" ] || [ -d "$source" ] || {
		mkdir -p "$source"
		(cd "$source" && apt-get -q source openssl zlib </dev/null >/dev/null) ||
			die "the source could not be fetched: has apt lines deb-src, and a network? SOURCE names a folder with it"
	}
	openssl=$(dirname "$(find "$source/" -maxdepth 2 -name Configure | head -n 1)")
	zlib=$(find "$source/" -maxdepth 3 -name minigzip.c | head -n 1)
	[ -f "$openssl/test/evp_test.c" ] || die "no source of openssl in $source"
}

# The tests alone, with the library of the distribution.
build() (
	cd "$openssl" || exit 1
	[ -f include/openssl/opensslv.h ] ||
		{ ./Configure no-idea no-mdc2 no-rc5 no-ssl3 enable-ec_nistp_64_gcc_128 linux-x86_64 && make -s build_generated; } || exit 1
	library=$(cc -print-file-name=libcrypto.a)
	flags="-O1 -w -I. -Iinclude -Iapps/include -Icrypto/bn -Icrypto/ec -Icrypto/ec/curve448"
	mkdir -p "$work/objects"
	for file in test/testutil/*.c apps/lib/opt.c; do
		object=$work/objects/$(basename "$file" .c).o
		# shellcheck disable=SC2086
		[ -s "$object" ] || cc $flags -c -o "$object" "$file" || exit 1
	done
	rm -f "$work/testutil.a"
	ar rc "$work/testutil.a" "$work"/objects/*.o
	for program in $programs; do
		# shellcheck disable=SC2086
		[ -s "$work/$program" ] ||
			cc $flags -static -o "$work/$program" "test/$program.c" "$work/testutil.a" "$library" -ldl -lpthread || exit 1
	done
	[ -z "$zlib" ] || for program in example minigzip; do
		cc -O1 -w -static -o "$work/$program" "$(dirname "$zlib")/$program.c" "$(cc -print-file-name=libz.a)" || exit 1
	done
)

make_initrd() {
	rm -rf "$root"
	mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/tests/evp" "$root/tests/bn"
	for program in $programs example minigzip; do
		[ ! -s "$work/$program" ] || { cp "$work/$program" "$root/tests/" && strip "$root/tests/$program"; }
	done
	cp "$openssl"/test/recipes/30-test_evp_data/*.txt "$root/tests/evp/"
	cp "$openssl"/test/recipes/10-test_bn_data/*.txt "$root/tests/bn/"
	cp "$openssl/test/default.cnf" "$root/tests/"
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp "$here/openssl.init" "$root/init"
	chmod 755 "$root/init"
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$work/initrd"
}

boot() {
	log=$work/$1.log
	rm -f "$log"
	timeout -k 10 "$limit" "$calque" -cpu "$1" -m 512 -display none -monitor none -serial "file:$log" -no-reboot \
		-kernel "$folder/vmlinuz" -initrd "$work/initrd" -append "console=ttyS0 panic=-1 quiet no_timer_check" </dev/null 2>"$work/$1.err"
	status=$?
	[ -e "$log" ] || : >"$log"
	tr -d '\r' <"$log" | sed -n "s/^GUEST \(PASS\|FAIL\) \(.*\)\$/\1 $1: \2/p"
	if [ $status -eq 0 ] && grep -q 'GUEST END' "$log"; then
		echo "PASS $1: ran to its end"
	else
		echo "FAIL $1: ran to its end (status $status)"
		tail -n 20 "$log" "$work/$1.err" | tr -d '\r' | sed 's/^/    /'
	fi
}

command -v busybox >/dev/null || die "busybox is missing (package busybox-static)"
[ -f "$(cc -print-file-name=libcrypto.a)" ] || die "libcrypto.a is missing (package libssl-dev)"
mkdir -p "$work"
fetch
build >"$work/build" 2>&1 || die "the tests don't build, see $work/build"
make_initrd
for model in "$@"; do
	boot "$model"
done
