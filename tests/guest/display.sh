#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# display.sh CALQUE FOLDER: boots FOLDER/vmlinuz with FOLDER/display/modules and shows the same text through each display adapter
# and each of Linux's drivers for it; all have to make the same picture of it.  Prints a line "PASS name" or "FAIL name" for
# each; after a FAIL, indented, what the picture and the guest were like.  GUEST_TIMEOUT is the limit of a boot in seconds.
set -u
calque=$1
folder=$2/display
kernel=$2/vmlinuz
limit=${GUEST_TIMEOUT:-180}
here=$(dirname "$0")

trap : PIPE
mkdir -p "$folder/root/bin" "$folder/root/dev" "$folder/root/proc" "$folder/root/sys" "$folder/root/modules"
${CC:-cc} -O2 -o "$folder/ppmbits" "$here/ppmbits.c" || {
	echo "FAIL display: the test's program could not be made"
	exit 1
}
cp "$(command -v busybox)" "$folder/root/bin/busybox"
cp "$folder"/modules/*.ko "$folder/root/modules/"
cat >"$folder/root/init" <<'END'
#!/bin/busybox sh
/bin/busybox mkdir -p /bin
/bin/busybox --install -s /bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
echo 0 >/proc/sys/kernel/printk
eval "$(sed -n 's/.*calque\.modules="\([^"]*\)".*/\1/p' /proc/cmdline)"
sleep 1
{
	printf '\033[2J\033[H\033[?25l'
	n=0
	while [ $n -lt 120 ]; do
		n=$((n + 1))
		printf '\033[%dm%3d The quick brown fox jumps over the lazy dog, %d times\033[0m\n' $((31 + n % 7)) $n $((n * n))
	done
} >/dev/tty1
sleep 1
echo "DISPLAY READY $(cat /sys/class/graphics/fb0/name)"
read answer
END
chmod 755 "$folder/root/init"
(cd "$folder/root" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$folder/initrd"

# Newer kernels have fewer modules, and call one of them otherwise.
drm() {
	echo "calque.modules=\"for m in drm drm_kms_helper ttm drm_ttm_helper drm_vram_helper drm_shmem_helper $1; do [ ! -e /modules/\$m.ko ] || insmod /modules/\$m.ko; done\""
}
expected=

# show NAME WORDS OPTIONS...: WORDS are the kernel's.
show() {
	name=$1
	words=$2
	shift 2
	log=$folder/$name.log
	picture=$folder/$name.ppm
	rm -f "$log" "$picture" "$folder/fifo"
	mkfifo "$folder/fifo"
	: >"$log"
	timeout -k 10 "$limit" "$calque" -m 256 -nodefaults -display none -monitor stdio -serial "file:$log" -no-reboot \
		-kernel "$kernel" -initrd "$folder/initrd" -append "console=tty1 console=ttyS0 quiet panic=-1 $words" \
		"$@" <"$folder/fifo" >"$folder/$name.monitor" 2>&1 &
	pid=$!
	exec 4>"$folder/fifo"
	while kill -0 $pid 2>/dev/null && ! grep -q 'DISPLAY READY' "$log"; do
		sleep 0.2
	done
	sleep 0.5
	{
		echo "screendump $picture"
		echo quit
	} >&4 2>/dev/null
	exec 4>&-
	wait $pid
	seen=$("$folder/ppmbits" "$picture" 2>&1)
	expected=${expected:-$seen}
	case $seen in
	"1024x768, "?????*" bright, "*)
		[ "$seen" != "$expected" ] || {
			echo "PASS display: $name"
			return
		}
		;;
	esac
	echo "FAIL display: $name"
	{
		echo "$seen; expected: $expected"
		tail -n 5 "$log"
		grep -v '^(' "$folder/$name.monitor"
	} 2>/dev/null | tr -d '\r' | sed 's/^/    /'
}

show std-vesafb "vga=791" -vga std
show std-vesafb-24bit "vga=792" -vga std
show std-bochs "$(drm bochs)" -device VGA,xres=1024,yres=768
show bochs-display "$(drm bochs)" -device bochs-display,xres=1024,yres=768
show cirrus-vesafb "vga=791" -vga cirrus
show cirrus-vesafb-24bit "vga=792" -vga cirrus
show cirrus-drm "$(drm "cirrus cirrus-qemu")" -vga cirrus
show cirrus-blitter "calque.modules=\"insmod /modules/cirrusfb.ko mode_option=1024x768-8@60\"" -vga cirrus
show cirrus-blitter-16bit "calque.modules=\"insmod /modules/cirrusfb.ko mode_option=1024x768-16@60\"" -vga cirrus
