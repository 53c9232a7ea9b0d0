#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# sound.sh CALQUE FOLDER: boots FOLDER/vmlinuz with FOLDER/sound/modules and each sound device, plays tones by Linux's own drivers
# into WAV files, and looks at these: the right tone, the right length, no gap.  Prints a line "PASS name" or "FAIL name"
# for each; after a FAIL, indented, what the guest said.  GUEST_TIMEOUT is the limit of a boot in seconds.
set -u
calque=$1
folder=$2/sound
kernel=$2/vmlinuz
limit=${GUEST_TIMEOUT:-300}
here=$(dirname "$0")

mkdir -p "$folder/root/bin" "$folder/root/dev" "$folder/root/proc" "$folder/root/sys" "$folder/root/modules"
${CC:-cc} -O2 -static -o "$folder/root/bin/sound" "$here/sound.c" -lm &&
	${CC:-cc} -O2 -o "$folder/wavtone" "$here/wavtone.c" -lm || {
	echo "FAIL sound: the test's programs could not be made"
	exit 1
}
cp "$(command -v busybox)" "$folder/root/bin/busybox"
cp "$folder"/modules/*.ko "$folder/root/modules/"
cat >"$folder/root/init" <<'END'
#!/bin/busybox sh
/bin/busybox mkdir -p /bin
/bin/busybox --install -s /bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
for m in soundcore snd snd-timer snd-pcm ac97_bus snd-ac97-codec snd-intel8x0 snd-hda-core snd-hwdep snd-intel-sdw-acpi \
	snd-intel-dspcfg snd-hda-codec ledtrig-audio snd-hda-codec-generic snd-hda-intel pcspkr; do
	[ ! -e /modules/$m.ko ] || insmod /modules/$m.ko
done
sleep 2
eval "$(sed -n 's/.*calque\.run="\([^"]*\)".*/\1/p' /proc/cmdline)"
echo "SOUND STATUS $?"
poweroff -f
END
chmod 755 "$folder/root/init"
(cd "$folder/root" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$folder/initrd"

# boot NAME COMMAND OPTIONS...: the guest runs COMMAND.
boot() {
	name=$1
	run=$2
	shift 2
	log=$folder/$name.log
	rm -f "$log" "$folder/$name.wav"
	timeout -k 10 "$limit" "$calque" -m 256 -nodefaults -display none -monitor none -serial "file:$log" -no-reboot \
		-kernel "$kernel" -initrd "$folder/initrd" -append "console=ttyS0 panic=-1 calque.run=\"$run\"" \
		"$@" </dev/null 2>"$folder/$name.err"
	status=$?
	tr -d '\r' <"$log" | grep -q '^SOUND STATUS 0$' && [ $status -eq 0 ]
}

verdict() {
	if [ "$2" -eq 0 ]; then
		echo "PASS sound: $1"
		return
	fi
	echo "FAIL sound: $1"
	{
		grep -a 'sound\|snd\|SOUND' "$folder/$1.log" | tail -n 15
		cat "$folder/$1.err" "$folder/$1.tone"
	} 2>/dev/null | tr -d '\r' | sed 's/^/    /'
}

# tone NAME COMMAND HZ MILLISECONDS KIND OPTIONS...
tone() {
	name=$1
	run=$2
	hz=$3
	ms=$4
	kind=$5
	shift 5
	boot "$name" "$run" -audiodev "wav,id=a,path=$folder/$name.wav,out.frequency=48000" "$@" &&
		"$folder/wavtone" "$folder/$name.wav" "$hz" "$ms" $kind >"$folder/$name.tone" 2>&1
	verdict "$name" $?
}

tone ac97 "sound play 48000 2 16 440 3000" 440 3000 "" -device AC97,audiodev=a
tone ac97-44100 "sound play 44100 2 16 1000 2000" 1000 1980 "" -device AC97,audiodev=a
tone hda "sound play 48000 2 16 440 3000" 440 3000 "" -device intel-hda -device hda-duplex,audiodev=a
tone hda-24bit "sound play 96000 2 32 440 2000" 440 2000 "" -device ich9-intel-hda -device hda-output,audiodev=a
tone hda-no-msi "sound play 44100 2 16 440 2000" 440 1980 "" -device intel-hda,msi=off -device hda-micro,audiodev=a,mixer=off
tone pcspk "sound beep 1000 1500" 1000 1500 square -machine pc,pcspk-audiodev=a
boot ac97-capture "sound capture 48000 2 1000 /dev/snd/pcmC0D0c" -audiodev none,id=a -device AC97,audiodev=a
verdict ac97-capture $?
boot hda-capture "sound capture 44100 2 1000 /dev/snd/pcmC0D0c" -audiodev none,id=a -device intel-hda \
	-device hda-duplex,audiodev=a
verdict hda-capture $?
