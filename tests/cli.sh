#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every wrong use of the command line gives one line on standard error that says what, and exit status 1; what only
# prints ends with 0.
calque=${CALQUE:-./calque}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

fail()
{
	echo "FAIL: $*"
	failed=1
}

# refuse WORDS ARGUMENT...: WORDS have to be in the one line.
refuse()
{
	words=$1
	shift
	timeout 20 "$calque" "$@" </dev/null >"$dir/out" 2>"$dir/err"
	status=$?
	[ $status -eq 1 ] || fail "$*: exit status $status"
	[ "$(wc -l <"$dir/err")" -eq 1 ] || fail "$*: $(wc -l <"$dir/err") lines: $(cat "$dir/err")"
	grep -q '^calque: ' "$dir/err" || fail "$*: no 'calque: ' in front: $(cat "$dir/err")"
	grep -qF -- "$words" "$dir/err" || fail "$*: '$words' is not in: $(cat "$dir/err")"
}

# print WORDS ARGUMENT...: prints WORDS to standard output and ends.
print()
{
	words=$1
	shift
	timeout 20 "$calque" "$@" </dev/null >"$dir/out" 2>"$dir/err"
	status=$?
	[ $status -eq 0 ] || fail "$*: exit status $status"
	[ -s "$dir/err" ] && fail "$*: on standard error: $(cat "$dir/err")"
	grep -qF -- "$words" "$dir/out" || fail "$*: '$words' is not in its output"
}

: >"$dir/empty"
head -c 100000 /dev/zero >"$dir/zeros"
head -c 65536 /dev/zero >"$dir/rom"
printf 'QFI\373\0\0\0\3' >"$dir/cut.qcow2"
none=$dir/missing

refuse "No such file" -display none -hda "$none"
refuse "No such file" -display none -cdrom "$none"
refuse "No such file" -display none -fda "$none"
refuse "No such file" -display none "$none"
refuse "No such file" -display none -drive "file=$none,if=none,id=x" -device ide-hd,drive=x
refuse "No such file" -display none -kernel "$none"
refuse "No such file" -display none -fw_cfg "name=opt/x,file=$none"
refuse "not found" -display none -bios "$none"
refuse "multiple of 64 KiB" -display none -bios "$dir/zeros"
refuse "multiple of 64 KiB" -display none -bios "$dir/empty"
refuse "no kernel" -display none -kernel "$dir/zeros"
refuse "no kernel" -display none -kernel "$dir/empty"
refuse "-kernel" -display none -kernel "$dir"
refuse "-hda" -display none -hda "$dir"
refuse "-drive" -display none -drive "file=$dir/cut.qcow2"
refuse "-drive" -display none -drive "file=$dir/zeros,format=nonsense"
refuse "taken" -display none -hda "$dir/zeros" -drive "file=$dir/rom,index=0"
refuse "less" -display none -m 900T
refuse "no drive 'x'" -display none -device ide-hd,drive=x
refuse "drive=ID" -display none -device ide-hd
refuse "no USB controller" -display none -device usb-tablet
refuse "no USB bus 'x.0'" -display none -usb -device usb-tablet,bus=x.0
refuse "no port 3" -display none -usb -device usb-tablet,port=3
refuse "port 1 of usb-bus.0 is taken" -display none -usb -device usb-kbd,port=1 -device usb-mouse,port=1
refuse "'colour'" -display none -usb -device usb-tablet,colour=red
refuse "1 to 8" -display none -usb -device usb-hub,ports=0
refuse "1 to 15" -display none -device qemu-xhci,p2=0
refuse "drive=ID" -display none -usb -device usb-storage
refuse "no drive 'x'" -display none -usb -device usb-storage,drive=x
refuse "No such file" -display none -usb -drive "file=$none,if=none,id=x" -device usb-storage,drive=x
refuse "in another device" -display none -usb -drive "file=$dir/zeros,format=raw,if=none,id=x" -device usb-storage,drive=x \
	-device usb-storage,drive=x
refuse "all ports" -display none -device piix3-usb-uhci,id=u -device usb-hub,bus=u.0,port=1,ports=1 \
	-device usb-hub,bus=u.0,port=2,ports=1 -device usb-kbd,port=1.1 -device usb-kbd,port=2.1 -device usb-kbd
refuse "'colour'" -display none -device pc-testdev,colour=red
refuse "no character device 'x'" -display none -device isa-debugcon,chardev=x
refuse "-serial" -display none -serial carrier-pigeon
refuse "-serial" -display none -serial "file:$none/x"
refuse "-serial" -display none -serial tcp:127.0.0.1:1
refuse "-monitor" -display none -monitor carrier-pigeon
refuse "-pidfile" -display none -pidfile "$none/x"
refuse "-cpu" -display none -cpu abacus
refuse "-cpu" -display none -cpu qemu64,+abacus
refuse "svm" -display none -cpu EPYC,+svm,enforce
refuse "feature 'hle' is not implemented" -display none -cpu SapphireRapids,enforce
refuse "feature 'amx-tile' is not implemented" -display none -cpu SapphireRapids,+amx-tile
refuse "unknown option" -frobnicate
refuse "argument is missing" -m

# Networks.
refuse "not a known kind of network" -display none -nic carrier-pigeon
refuse "id=ID is missing" -netdev user
refuse "there is a network end 'n' already" -display none -netdev hubport,id=n,hubid=0 -netdev hubport,id=n,hubid=0
refuse "no -netdev with that id" -display none -device e1000,netdev=n
refuse "model=rtl8139 is not supported; use model=e1000" -display none -nic hubport,hubid=0,model=rtl8139
refuse "model=ne2k_pci is not supported" -display none -net nic,model=ne2k_pci
refuse "mac=52:54 is not an address" -display none -nic hubport,hubid=0,mac=52:54
refuse "group's address" -display none -nic hubport,hubid=0,mac=01:00:5e:00:00:01
refuse "connected to" -display none -netdev hubport,id=n,hubid=0 -device e1000,netdev=n -device e1000,netdev=n
refuse "'colour'" -display none -nic hubport,hubid=0,colour=red
refuse "vhost" -display none -nic tap,vhost=on
refuse "nobody listens there" -display none -nic socket,connect=127.0.0.1:1
refuse "nobody listens there" -display none -nic stream,addr.type=unix,addr.path="$none/x"
refuse "object 'rng-random' is not supported" -object rng-random,id=r
refuse "there is a secret 's' already" -object secret,id=s,data=1 -object secret,id=s,data=2
refuse "netdev=ID and file=FILE are needed" -display none -object filter-dump,id=f
refuse "no network with that id" -display none -object filter-dump,id=f,netdev=n,file="$dir/pcap"
refuse "-D" -D "$none/x"

# Images and lines that can't be, one of each kind.
mkdir "$dir/folder"
refuse "is empty" -display none -hda "$dir/empty"
refuse "is empty" -display none -cdrom "$dir/empty"
refuse "is a directory" -display none -cdrom "$dir/folder"
refuse "not a regular file" -display none -initrd "$dir/folder" -kernel "$dir/folder"
refuse "-initrd is for -kernel" -display none -initrd "$dir/zeros"
refuse "filter" -display none -drive "file=$dir/zeros,filter=nonsense"
refuse "werror=maybe" -display none -drive "file=$dir/zeros,werror=maybe"
refuse "rerror=enospc" -display none -drive "file=$dir/zeros,rerror=enospc"
refuse "'colour'" -display none -drive "file=$dir/zeros,colour=red"
refuse "if=virtio" -display none -drive "file=$dir/zeros,if=virtio"
refuse "too large" -display none -drive "file=$dir/zeros,index=9"
refuse "uses this image" -display none -hda "$dir/zeros" -hdb "$dir/zeros"
refuse "-m 10Q" -display none -m 10Q
refuse "too little" -display none -m 0
refuse "in use already" -display none -serial stdio -monitor stdio
refuse "in use already" -nographic -serial stdio -monitor stdio
refuse "65535" -display none -serial tcp::99999
refuse "Is a directory" -display none -serial "file:$dir/folder"
refuse "Is a directory" -display none -D "$dir/folder" -d int
refuse "log item" -display none -d nonsense
refuse "ranges are" -display none -dfilter nonsense
refuse "no trace event" -display none -trace nonsense
refuse "Is a directory" -display none -pidfile "$dir/folder"
refuse "BACKEND,id=ID" -display none -chardev null
refuse "-daemonize" -nographic -daemonize
if "$calque" -display help | grep -q '^curses'; then
	refuse "no terminal" -display curses
	refuse "-nographic" -display curses -nographic
	refuse "-daemonize" -display curses -daemonize
	refuse "-full-screen" -display curses -full-screen
	refuse "'colour'" -display curses,colour=red
	refuse "charset=abacus: not known" -display curses,charset=abacus
else
	refuse "ncursesw" -display curses
fi

# Sound.
refuse "id=ID is missing" -audiodev none
refuse "path=FILE is missing" -display none -audiodev wav,id=a
refuse "check the path" -display none -audiodev "wav,id=a,path=$none/x"
refuse "back end 'tuba' is not known" -display none -audiodev tuba,id=a
refuse "back end 'pa' is not supported; use sdl" -display none -audiodev pa,id=a
refuse "'colour'" -display none -audiodev none,id=a,colour=red
refuse "out.frequency" -display none -audiodev none,id=a,out.frequency=7
refuse "id=a is given twice" -display none -audiodev none,id=a -audiodev none,id=a
refuse "audiodev=b is not there" -display none -audiodev none,id=a -device AC97,audiodev=b
refuse "audiodev=b is not there" -display none -machine pc,pcspk-audiodev=b
refuse "there is no HDA controller" -display none -audiodev none,id=a -device hda-duplex,audiodev=a
refuse "bus=x.0 is not there" -display none -audiodev none,id=a -device intel-hda -device hda-duplex,bus=x.0
refuse "address on the bus is taken" -display none -audiodev none,id=a -device intel-hda -device hda-output,cad=1 -device hda-output,cad=1
refuse "model=sb16 is not supported" -display none -audio none,model=sb16
refuse "given twice" -display none -audio none,model=ac97 -audio none,model=hda
refuse "use -audio DRIVER,model=" -soundhw hda
SDL_AUDIODRIVER=nonsense refuse "-audiodev sdl,id=a" -display none -audiodev sdl,id=a

# A socket and a port in use.
"$calque" -S -m 16 -display none -serial none -monitor "unix:$dir/socket,server,nowait" </dev/null &
pid=$!
tries=0
until [ -S "$dir/socket" ] || [ $tries -ge 200 ]; do
	sleep 0.05
	tries=$((tries + 1))
done
refuse "in use by another program" -display none -serial none -monitor "unix:$dir/socket,server,nowait"
kill $pid
wait $pid || fail "SIGTERM: exit status $?"
[ -e "$dir/socket" ] && fail "SIGTERM: the socket is still there"

# Options of QEMU's that aren't there are known by name.
for option in enable-kvm s gdb qmp global loadvm incoming spice no-acpi singlestep \
	mem-prealloc numa blockdev virtfs icount smbios acpitable tpmdev readconfig sandbox runas chroot add-fd plugin \
	overcommit echr sd mtdblock compat iscsi rotate portrait dump-vmstate xen-domid async-teardown; do
	refuse "-$option is not supported" -$option x
done

print "usage: calque" -help
print "usage: calque" -h
print "calque " -version
print "pc " -machine help
print "interp" -accel help
print "isa-debug-exit" -device help
print "iobase" -device isa-debug-exit,help
print "guest_errors" -d help
print "qemu64" -cpu help
print "/calque" -L help
print "none" -display help
print "socket" -chardev help
print "wav " -audiodev help
print "wav " -audio help
print "ac97" -audio none,model=help
exit $failed
