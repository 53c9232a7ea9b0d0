#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# options.sh CALQUE FOLDER: boots FOLDER/vmlinuz with FOLDER/initrd again and again, with options of the kernel and of the
# machine that lead it along other ways.  Prints a line "PASS name" or "FAIL name" for each; after a FAIL, indented, what
# the guest found wrong and the end of its log.  GUEST_TIMEOUT is the limit of a boot in seconds.
set -u
calque=$1
folder=$2
limit=${GUEST_TIMEOUT:-300}

# What a boot has to show: every test of the guest's, its end, and the end of the process.
good() {
	[ "$status" -eq 0 ] && grep -q 'GUEST PASS sha256' "$log" && ! grep -q 'GUEST FAIL' "$log" && grep -q 'GUEST END' "$log"
}

# boot NAME APPEND OPTIONS...
boot() {
	name=$1
	append=$2
	shift 2
	log=$folder/options-$name.log
	rm -f "$log"
	timeout -k 10 "$limit" "$calque" -m 256 -display none -monitor none -serial "file:$log" \
		-kernel "$folder/vmlinuz" -initrd "$folder/initrd" \
		-append "console=ttyS0 panic=-1 calque.test calque.cpus=1 calque.now=$(date +%s) $append" \
		"$@" </dev/null 2>"$folder/options-$name.err"
	status=$?
	[ -e "$log" ] || : >"$log"
	if good; then
		echo "PASS options: $name"
		return
	fi
	echo "FAIL options: $name (status $status)"
	{ grep 'GUEST FAIL' "$log"; tail -n 15 "$log" "$folder/options-$name.err"; } | tr -d '\r' | sed 's/^/    /'
}

# Without ACPI nothing switches the machine off.
boot no-acpi "acpi=off noapic nolapic nohpet calque.restart" -no-reboot
boot no-acpi-hpet "acpi=off calque.restart" -machine pc,hpet=off -no-reboot
boot no-ioapic "noapic" -no-reboot
boot no-apic "nolapic clocksource=hpet calque.clocksource=hpet" -no-reboot
boot no-hpet "nohpet clocksource=acpi_pm calque.clocksource=acpi_pm tsc=unstable" -no-reboot
boot no-x2apic "nox2apic lapic=notscdeadline nohz=off highres=off" -no-reboot
# As if calibrated on a busy host: the kernel has to find out.
boot wrong-tsc "tsc_early_khz=50000" -no-reboot
boot page-table-isolation "pti=on nopcid nokaslr" -no-reboot
boot no-smap "nosmap nosmep noxsave mitigations=off no5lvl" -no-reboot
boot no-features "" -cpu qemu64,-xsave,-pcid,-x2apic,-tsc_deadline,-rdtscp,-pdpe1gb -no-reboot
boot core2 "" -cpu core2duo -no-reboot
boot haswell "" -cpu Haswell -no-reboot
for level in 1 2 3 4; do
	boot "x86-64-v$level" "" -cpu "x86-64-v$level" -no-reboot
done
boot little-memory "" -m 112 -no-reboot
boot much-memory "slub_debug=FZPU" -m 5G -no-reboot
boot firmware "" -machine pc,kernel-through=firmware -no-reboot
boot single-instructions "" -accel tcg,one-insn-per-tb=on -no-reboot
boot restart "calque.restart"
[ "$(grep -c 'Linux version' "$folder/options-restart.log")" -eq 2 ] || echo "FAIL options: restart, once"
