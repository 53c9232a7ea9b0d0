#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# firmware.sh CALQUE FOLDER: boots what tests/guest/media.sh took into FOLDER/media, through SeaBIOS and OVMF, and the
# kernels of other formats than Linux'.  A machine is driven through its monitor, and judged by what stands on its
# screen and came through its serial port.  Prints a line "PASS name" or "FAIL name" for each; after a FAIL, indented,
# what was seen.  GUEST_TIMEOUT is the limit of a wait in seconds.
set -u
calque=$1
folder=$2
here=$(dirname "$0")
media=$folder/media
limit=${GUEST_TIMEOUT:-180}

# A monitor that is gone shows in what is seen, not in this script's end.
trap : PIPE

# ---- a machine ----

# start OPTIONS...
start() {
	rm -rf "$dir"
	mkdir -p "$dir"
	mkfifo "$dir/commands"
	: >"$dir/serial"
	: >"$dir/bios"
	timeout -k 5 $((limit * 5)) "$calque" -display none -monitor stdio -serial "file:$dir/serial" \
		-chardev "file,id=bios,path=$dir/bios" -device isa-debugcon,iobase=0x402,chardev=bios "$@" \
		<"$dir/commands" >"$dir/monitor" 2>"$dir/err" &
	pid=$!
	exec 4>"$dir/commands"
}

tell() {
	echo "$1" >&4
} 2>/dev/null

runs() {
	kill -0 "$pid" 2>/dev/null
}

# What the firmware has said of itself (which a boot loader may have wiped off the screen), the text screen, a line for
# each of its own, and the serial line, into $dir/seen.
look() {
	: >"$dir/vram"
	tell "pmemsave 0xb8000 4000 \"$dir/vram\""
	tries=40
	while runs && [ $tries -gt 0 ] && [ "$(wc -c <"$dir/vram")" -ne 4000 ]; do
		sleep 0.05
		tries=$((tries - 1))
	done
	{
		cat "$dir/bios"
		tr '\000\n' '  ' <"$dir/vram" | LC_ALL=C sed 's/\(.\)./\1/g' | fold -b -w 80
		echo
		LC_ALL=C sed "s/$(printf '\033')\\[[0-9;=?]*[A-Za-z]//g" "$dir/serial"
	} | LC_ALL=C tr -c '[:print:]\n' ' ' >"$dir/seen"
}

# see PATTERN: waits until it is seen.
see() {
	end=$(($(date +%s) + limit))
	while :; do
		look
		! grep -q -e "$1" "$dir/seen" || return 0
		[ "$(date +%s)" -lt $end ] || break
		runs || break
		sleep 0.2
	done
	echo "not seen: $1" >>"$dir/seen"
	return 1
}

unseen() {
	look
	! grep -q -e "$1" "$dir/seen"
}

# keys KEY...: as the monitor's sendkey names them.
keys() {
	for key in "$@"; do
		tell "sendkey $key"
		sleep 0.15
	done
}

# enter TEXT: small letters, digits, spaces, "-" and "=", then the Enter key.
enter() {
	# shellcheck disable=SC2046
	keys $(echo "$1" | sed 's/ /_/g; s/./& /g; s/_/spc/g; s/-/minus/g; s/=/equal/g') ret
}

# ends STATUS: the process ends by itself.
ends() {
	end=$(($(date +%s) + limit))
	while runs && [ "$(date +%s)" -lt $end ]; do
		sleep 0.1
	done
	! runs && wait "$pid"
	ended=$?
	echo "status $ended" >>"$dir/seen"
	[ $ended -eq "$1" ]
}

finish() {
	[ -z "$ended" ] || return 0
	tell quit
	wait "$pid"
	[ $? -lt 124 ]
}

# check NAME FUNCTION OPTIONS...: FUNCTION's status is the verdict, and that the machine can be ended.
check() {
	name=$1
	drive=$2
	dir=$folder/firmware-$name
	shift 2
	start "$@"
	ended=
	if "$drive" && finish; then
		echo "PASS firmware: $name"
	else
		echo "FAIL firmware: $name"
		sed 's/ *$//; /^$/d; s/^/    /' "$dir/seen" "$dir/err" | tail -n 40
	fi
	! runs || kill "$pid"
	wait "$pid" 2>/dev/null
	exec 4>&-
	rm -f "$dir/commands"
}

# with FILE COMMAND...: where the packages have the medium.
with() {
	file=$1
	shift
	[ ! -s "$media/$file" ] || "$@"
}

# ---- SeaBIOS ----

boot_menu() {
	see 'Press ESC for boot menu' && keys esc && see 'Select boot device' && see 'Floppy \[drive A\]' &&
		see 'DVD/CD' && keys 1 && see 'No bootable device\.' && unseen 'Retrying'
}

once() {
	see 'Booting from DVD' && tell system_reset && see 'Booting from Floppy' && see 'GNU GRUB'
}

# The process ends while the drive reads.
quit_midway() {
	see "Booting from $from" && sleep 0.3
}

# ---- GRUB ----

prompt() {
	see 'GNU GRUB' && see 'highlighted entry will be executed' && keys c && see 'grub>' && enter ls
}

grub_floppy() {
	prompt && see '(fd0)' && enter halt && ends 0
}

grub_disk() {
	prompt && see '(hd0)' && enter reboot && see 'highlighted entry will be executed'
}

grub_cd() {
	prompt && see '(hd0).*(cd).*(fd0)' && enter reboot && ends 0
}

no_shutdown() {
	prompt && see 'fd0' && enter halt && for tries in 1 2 3 4 5 6 7 8 9 10; do
		tell 'info status'
		sleep 0.5
		! grep -q 'paused (shutdown)' "$dir/monitor" || return 0
	done
	return 1
}

# ---- others ----

ipxe_cd() {
	see 'Open Source Network Boot' && keys ctrl-b && see 'iPXE>' && enter help && see 'Available commands'
}

# All tests but the tenth, which only waits.
memtest() {
	see 'F1. *to config\|Configuration' && keys f1 && see 'Settings:' && keys f1 && see 'Test Selection:' &&
		keys f2 1 0 ret f10 f10 && see 'Pass:  *1 .*Errors: 0'
}

# Not the global variables' namespace: firmware takes no new names there.
guid=11111111-1111-1111-1111-111111111111

ovmf_first() {
	see 'Press ESC in' && keys esc && see 'Shell>' && enter "setvar kept -guid $guid -nv -bs =0x42" &&
		enter "reset -s" && ends 0
}

ovmf_again() {
	see 'Press ESC in' && keys esc && see 'Shell>' && enter "setvar kept -guid $guid" && see 'kept - 0001 Bytes' && see '^42'
}

multiboot() {
	ends 35 && look && [ "$(tr -d '\r' <"$dir/serial")" = "loader: calque
command line: $dir.elf a b=c
module: $dir.one first
holds: one
module: $dir.two second x
holds: two
memory is told" ]
}

pvh() {
	see 'GUEST PASS'
}

# The kernel itself from the file that unpacks it: FOLDER/vmlinuz to $1.
unpack_kernel() {
	for magic in '\3757zXZ:xz' '\050\265\057\375:zstd' '\037\213\010:gzip'; do
		# The magic numbers are the format.
		# shellcheck disable=SC2059
		at=$(LC_ALL=C grep -abo -F -e "$(printf "${magic%:*}")" "$folder/vmlinuz" | head -n 1 | cut -d: -f1)
		[ -n "$at" ] || continue
		tail -c +$((at + 1)) "$folder/vmlinuz" | "${magic#*:}" -dcq >"$1" 2>/dev/null
		[ "$(head -c 4 "$1" | tail -c 3)" != ELF ] || return 0
	done
	return 1
}

# ---- all of them ----

truncate -s 10M "$folder/firmware-empty.img"
empty=$folder/firmware-empty.img
floppy=$media/grub-floppy.img

# The longest one runs beside the others.
with memtest.bin check memtest memtest -m 8 -kernel "$media/memtest.bin" >"$folder/firmware-memtest.out" &
beside=$!

for accel in tcg interp; do
	check "menu-$accel" boot_menu -accel $accel -boot menu=on,splash-time=60000
	with grub-floppy.img check "grub-floppy-$accel" grub_floppy -accel $accel -fda "$floppy" -snapshot
done
check bios-128k boot_menu -bios bios.bin -boot menu=on,splash-time=60000
with ipxe.iso check once once -boot order=a,once=d -cdrom "$media/ipxe.iso" -fda "$floppy" -snapshot
from=Floppy
with grub-floppy.img check quit-floppy quit_midway \
	-drive "if=floppy,format=raw,file=$floppy,snapshot=on,filter=delay:1000000000" -boot a
from='Hard Disk'
with grub-floppy.img check quit-disk quit_midway \
	-drive "format=raw,file=$floppy,snapshot=on,filter=delay:1000000000"
with grub-cd.iso check grub-cd grub_cd -no-reboot -boot d -cdrom "$media/grub-cd.iso" -hda "$empty" -fda "$floppy" -snapshot
with grub-floppy.img check grub-disk grub_disk -drive "file=$floppy,format=raw,snapshot=on"
with grub-floppy.img check no-shutdown no_shutdown -no-shutdown -fda "$floppy" -snapshot
with ipxe.iso check ipxe-cd ipxe_cd -cdrom "$media/ipxe.iso"
with ipxe.lkrn check ipxe-kernel ipxe_cd -kernel "$media/ipxe.lkrn"
with memtest.bin check memtest-firmware memtest -m 8 -machine pc,kernel-through=firmware -kernel "$media/memtest.bin"

vars=$folder/firmware-vars.fd
with OVMF_VARS.fd cp "$media/OVMF_VARS.fd" "$vars"
for run in first again; do
	with OVMF_CODE.fd check "ovmf-$run" ovmf_$run -m 256 -nic none -drive "if=pflash,format=raw,readonly=on,file=$media/OVMF_CODE.fd" \
		-drive "if=pflash,format=raw,file=$vars"
done

kernel=$folder/firmware-pvh.elf
if [ ! -s "$folder/vmlinuz" ] || unpack_kernel "$kernel"; then
	[ ! -s "$folder/vmlinuz" ] || check pvh pvh -m 512 -kernel "$kernel" -initrd "$folder/initrd" \
		-append "console=ttyS0 calque.test calque.cpus=1"
else
	echo "FAIL firmware: pvh: the kernel is packed in another way"
fi
rm -f "$kernel"

if [ "$(uname -m)" = x86_64 ]; then
	kernel=$folder/firmware-multiboot
	printf one >"$kernel.one"
	printf two >"$kernel.two"
	"${GUEST_CC:-gcc}" -m32 -O1 -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables \
		-fcf-protection=none -mgeneral-regs-only -nostdlib -static -Wl,-m,elf_i386 -Wl,--build-id=none -Wl,-n \
		-Wl,--section-start=.multiboot=0x100000 -Wl,-Ttext=0x101000 -o "$kernel.elf" "$here/multiboot.c" 2>"$kernel.err" &&
		check multiboot multiboot -m 64 -device isa-debug-exit,iobase=0x501,iosize=1 -kernel "$kernel.elf" \
			-append "a b=c" -initrd "$kernel.one first,$kernel.two second x" ||
		echo "FAIL firmware: multiboot: $(cat "$kernel.err")"
fi

wait $beside
cat "$folder/firmware-memtest.out"
