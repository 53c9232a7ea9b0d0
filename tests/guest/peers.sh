#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# peers.sh CALQUE FOLDER: two machines on one cable, of each kind that -netdev has, boot FOLDER/vmlinuz with the e1000 driver in
# FOLDER/network; the second fetches a file from the first, and answers to long pings are put together.  The first machine
# is QEMU, if there is one here.  As root, a machine on an interface of the host's (tap) too, in a network of its own.
# Prints a line "PASS name" or "FAIL name" for each; after a FAIL, indented, what the guest said.
set -u
calque=$1
kernel=$2/vmlinuz
folder=$2/network
limit=${GUEST_TIMEOUT:-180}
other=$(command -v qemu-system-x86_64 || echo "$calque")
# Ports that nobody is likely to have.
port=$((20000 + $$ % 20000))
here=$(cd "$(dirname "$0")" && pwd)

if [ "${3:-}" = tap ]; then
	# Inside a network namespace: see below.
	ip link set lo up
	timeout -k 10 "$limit" "$calque" -m 256 -nodefaults -display none -serial "file:$folder/b.log" -no-reboot -kernel "$kernel" \
		-initrd "$folder/peers" -append "console=ttyS0 quiet panic=-1 peer=1 own=2" \
		-netdev "tap,id=n,script=$folder/up,downscript=no$4" -device e1000,netdev=n,romfile= </dev/null >"$folder/a.log" 2>&1 &
	machine=$!
	busybox httpd -f -p 80 -h "$folder/www" &
	server=$!
	wait $machine
	kill $server
	exit 0
fi

make_initrd() {
	root=$folder/peers.d
	rm -rf "$root"
	mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/tmp" "$folder/www"
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp "$folder/e1000.ko" "$root/"
	cat >"$root/init" <<-'END'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		mount -t proc proc /proc
		mount -t devtmpfs dev /dev
		word() { sed "s/.*$1=//; s/ .*//" /proc/cmdline; }
		insmod /e1000.ko
		ip link set eth0 up
		ip addr add 10.5.0.$(word own)/24 dev eth0
		peer=10.5.0.$(word peer)
		if [ "$(word own)" = 1 ]; then
			seq 1 1500000 >/tmp/file
			httpd -f -p 80 -h /tmp
		fi
		n=0
		until ping -c 1 -W 1 $peer >/dev/null || [ $n -gt 90 ]; do n=$((n + 1)); done
		until wget -q -O /tmp/file http://$peer/file || [ $n -gt 90 ]; do n=$((n + 1)); sleep 1; done
		seq 1 1500000 | cmp - /tmp/file && ping -c 3 -i 0.2 -s 8000 $peer | grep "3 packets received" && echo RESULT good
		poweroff -f
	END
	chmod 755 "$root/init" "$root/bin/busybox"
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$folder/peers"
	rm -rf "$root"
	[ -s "$folder/www/file" ] || seq 1 1500000 >"$folder/www/file"
}

verdict() {
	if tr -d '\r' <"$folder/b.log" | grep -q "RESULT good"; then
		echo "PASS network: $1"
		return
	fi
	echo "FAIL network: $1"
	tail -n 15 "$folder/a.log" "$folder/b.log" | tr -d '\r' | sed 's/^/    /'
}

# machine PROGRAM NETDEV OWN PEER LOG
machine() {
	timeout -k 10 "$limit" "$1" -m 256 -nodefaults -display none -monitor none -serial "file:$folder/$5.log" -no-reboot \
		-kernel "$kernel" -initrd "$folder/peers" -append "console=ttyS0 quiet panic=-1 peer=$4 own=$3" \
		-netdev "$2" -device "e1000,netdev=n,romfile=,mac=52:54:00:12:34:0$3" </dev/null >"$folder/$5.err" 2>&1 &
}

# pair NAME THEIRS OURS
pair() {
	: >"$folder/a.log"
	: >"$folder/b.log"
	machine "$other" "$2" 1 2 a
	first=$!
	sleep 1
	machine "$calque" "$3" 2 1 b
	wait $!
	kill $first
	wait $first 2>/dev/null
	verdict "$1, with $(basename "$other")"
}

make_initrd
pair "a stream over TCP" "socket,id=n,listen=127.0.0.1:$port" \
	"stream,id=n,addr.type=inet,addr.host=127.0.0.1,addr.port=$port,reconnect=1"
pair "a stream over a Unix socket" "stream,id=n,server=on,addr.type=unix,addr.path=$folder/socket" \
	"stream,id=n,addr.type=unix,addr.path=$folder/socket,reconnect=1"
pair "datagrams over UDP" \
	"dgram,id=n,local.type=inet,local.host=127.0.0.1,local.port=$port,remote.type=inet,remote.host=127.0.0.1,remote.port=$((port + 1))" \
	"socket,id=n,udp=127.0.0.1:$port,localaddr=127.0.0.1:$((port + 1))"
pair "a group" "socket,id=n,mcast=230.0.0.11:$port,localaddr=127.0.0.1" \
	"dgram,id=n,remote.type=inet,remote.host=230.0.0.11,remote.port=$port,local.type=inet,local.host=127.0.0.1,local.port=0"

if [ "$(id -u)" -ne 0 ] || ! unshare -n ip link 2>/dev/null >&2 || [ ! -w /dev/net/tun ]; then
	echo "peers.sh: no tap: that needs root, /dev/net/tun, unshare and ip" >&2
	exit 0
fi
printf '#!/bin/sh\nip addr add 10.5.0.1/24 dev "$1"\nip link set "$1" up\n' >"$folder/up"
chmod 755 "$folder/up"
for header in "" ,vnet_hdr=off; do
	: >"$folder/a.log"
	: >"$folder/b.log"
	unshare -n sh "$here/peers.sh" "$calque" "$2" tap "$header"
	verdict "tap$header"
done
