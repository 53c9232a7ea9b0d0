#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh FOLDER: compiles the guests of this folder into FOLDER.
set -eu
here=$(dirname "$0")
to=$1
cc=${GUEST_CC:-cc}
flags="-O1 -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -mgeneral-regs-only
	-Wall -Wextra -nostdlib -static -Wl,--build-id=none"
for name in far segment debug modes cet vme page events smi triple; do
	# shellcheck disable=SC2086
	$cc -m32 $flags -T "$here/link.ld" -o "$to/$name.elf" "$here/entry.S" "$here/ring0.c" "$here/prot.c" "$here/$name.c"
done
# A multiboot loader takes a file of 32 bits.
for name in far64 page64 page57 cet64 keys64 xsave64 wait64 amd64 intel64 double64 segment64 control64 code64 smi64; do
	# shellcheck disable=SC2086
	$cc -m64 -mno-red-zone $flags -T "$here/link.ld" -o "$to/$name.elf64" "$here/entry64.S" "$here/ring0.c" "$here/long.c" "$here/$name.c"
	objcopy -O elf32-i386 "$to/$name.elf64" "$to/$name.elf"
done
# A BIOS.
$cc -m32 -c -o "$to/smm.o" "$here/smm.S"
ld -m elf_i386 -Ttext 0xf0000 --oformat binary -o "$to/smm.bin" "$to/smm.o"
rm -f "$to"/*.o "$to"/*.elf64
