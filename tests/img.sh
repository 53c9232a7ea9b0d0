#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# img.sh: calque-img against qemu-img: the same command to copies of the same images gives the same output, status and
# contents, and what one has written is clean for the other.
set -u
calque=${CALQUE_IMG:-./calque-img}
command -v qemu-img >/dev/null && command -v qemu-io >/dev/null || { echo "qemu-utils is missing"; exit 77; }
# A path for what is called from other folders.
calque=$(cd "$(dirname "$calque")" && pwd)/$(basename "$calque")
work=$(mktemp -d "${TMPDIR:-/tmp}/calque-img.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0
export TZ=UTC LC_ALL=C

fail() {
	echo "FAIL $*"
	failures=$((failures + 1))
}

# The sources of all: a chain with holes, zeros and snapshots, and raw images.
make_images() {
	rm -rf "$1"
	mkdir "$1"
	(
		cd "$1" || exit 1
		qemu-img create -q -f qcow2 base.qcow2 8M
		qemu-io -f qcow2 -c 'write -q -P 1 0 1M' -c 'write -q -P 2 5M 300k' base.qcow2
		qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 mid.qcow2 8M
		qemu-io -f qcow2 -c 'write -q -P 3 512k 100k' -c 'write -q -z 5M 64k' mid.qcow2
		qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 top.qcow2 12M
		qemu-io -f qcow2 -c 'write -q -P 4 2M 1M' -c 'write -q -P 5 10M 70k' -c 'write -q -z 0 128k' top.qcow2
		qemu-img create -q -f qcow2 -o compat=0.10,cluster_size=4k old.qcow2 3M
		qemu-io -f qcow2 -c 'write -q -P 6 100k 900k' -c 'write -q -P 7 2999k 3k' old.qcow2
		qemu-img create -q -f qcow2 -o cluster_size=2M,refcount_bits=64,lazy_refcounts=on wide.qcow2 33M
		qemu-io -f qcow2 -c 'write -q -P 8 1M 3M' -c 'write -q -P 9 32M 1M' wide.qcow2
		qemu-img create -q -f raw flat.raw 5M
		qemu-io -f raw -c 'write -q -P 10 64k 64k' -c 'write -q -P 11 1M 5k' -c 'write -q -P 12 4M 1M' flat.raw
		qemu-img convert -c -f raw -O qcow2 flat.raw packed.qcow2
		qemu-img convert -f qcow2 -O qcow2 old.qcow2 snap.qcow2
		qemu-img snapshot -c first snap.qcow2
		qemu-io -f qcow2 -c 'write -q -P 13 200k 400k' snap.qcow2
		qemu-img snapshot -c second snap.qcow2
		qemu-io -f qcow2 -c 'write -q -P 14 300k 40k' snap.qcow2
	) || exit 1
}

# both WORD...: by qemu-img in ./theirs and by calque-img in ./ours, with the same images there before; output and status
# are the same.
both() {
	(cd theirs && qemu-img "$@" >../theirs.out 2>../theirs.err; echo "$?" >../theirs.status)
	(cd ours && "$calque" "$@" >../ours.out 2>../ours.err; echo "$?" >../ours.status)
	cmp -s theirs.status ours.status ||
		fail "$*: status $(cat ours.status) instead of $(cat theirs.status): $(head -n 1 ours.err)"
	cmp -s theirs.out ours.out || { fail "$*: output:"; diff theirs.out ours.out | head -n 10; }
}

# The same without what may differ from file to file: how large it is.
like() {
	(cd theirs && qemu-img "$@" 2>&1) | plain >theirs.out
	(cd ours && "$calque" "$@" 2>&1) | plain >ours.out
	cmp -s theirs.out ours.out || { fail "$*: other than theirs:"; diff theirs.out ours.out | head -n 10; }
}

plain() {
	grep -v 'disk size:\|"actual-size":\|image-end-offset\|Image end offset\|allocated-clusters\|allocated, '
}

# The image is clean and the same in both folders, by qemu-img and by calque-img.
same() {
	qemu-img compare -q "ours/$1" "theirs/$1" || fail "after $2: $1 has other contents"
	"$calque" compare -q "ours/$1" "theirs/$1" || fail "after $2: $1 has other contents by calque-img compare"
	case $1 in
	*.raw) ;;
	*)
		qemu-img check -q "ours/$1" >/dev/null 2>&1 || fail "after $2: qemu-img check finds faults in our $1"
		"$calque" check -q "theirs/$1" >/dev/null 2>&1 || fail "after $2: calque-img check finds faults in their $1"
		"$calque" check -q "ours/$1" >/dev/null 2>&1 || fail "after $2: calque-img check finds faults in our $1" ;;
	esac
}

fresh() {
	rm -rf ours theirs
	cp -a images ours
	cp -a images theirs
}

# step IMAGE WORD...: a command that changes or makes IMAGE.
step() {
	image=$1
	shift
	both "$@"
	same "$image" "$*"
}

# refused TEXT WORD...: calque-img says one line with TEXT in it, status 1, and leaves every image as it was.
refused() {
	text=$1
	shift
	(cd ours && find . -type f -exec cksum {} + | sort >../before)
	(cd ours && timeout 20 "$calque" "$@" >../ours.out 2>../ours.err; echo "$?" >../ours.status)
	(cd ours && find . -type f -exec cksum {} + | sort >../after)
	[ "$(cat ours.status)" = "${status:-1}" ] || fail "$*: status $(cat ours.status)"
	[ "$(wc -l <ours.err)" = 1 ] || fail "$*: not one line: $(cat ours.err)"
	grep -q -- "$text" ours.err || fail "$*: \"$text\" is not in: $(cat ours.err)"
	cmp -s before after || fail "$*: something was changed: $(diff before after)"
}

make_images images
fresh

# ---- looking ----

for image in base.qcow2 mid.qcow2 top.qcow2 old.qcow2 wide.qcow2 flat.raw packed.qcow2 snap.qcow2; do
	both info $image
	both info --output=json $image
	both info -U --backing-chain $image
	both info --output=json --backing-chain $image
	both map --output=json $image
	both map --output=json --start-offset=70k --max-length=2M $image
	[ $image = packed.qcow2 ] || both map $image
	both measure -O qcow2 $image
	both measure -O raw $image
	both measure --output=json -O qcow2 -o cluster_size=4k $image
	[ $image = flat.raw ] && continue
	both check $image
	both check --output=json $image
	both snapshot -l $image
done
for size in 1 1M 123456789 10G 1T; do
	both measure -O qcow2 --size $size
	both measure -O qcow2 -o cluster_size=2M,refcount_bits=1 --size $size
	both measure --output=json -O raw --size $size
done
(cd ours && "$calque" check -f raw flat.raw >/dev/null 2>&1)
[ $? = 63 ] || fail "check of a raw image: status"

# ---- compare ----

both compare top.qcow2 top.qcow2
both compare base.qcow2 mid.qcow2
both compare -f qcow2 -F qcow2 mid.qcow2 top.qcow2
both compare flat.raw packed.qcow2
both compare -s flat.raw base.qcow2
both compare -q old.qcow2 snap.qcow2
both compare flat.raw nothing-here

# ---- create ----

step new.raw create new.raw 5M
step new.raw create -f raw -o size=3M new.raw
step new.raw create -f raw -o preallocation=falloc new.raw 1M
step new.raw create -f raw -o preallocation=full new.raw 1M
step new.raw create -f raw new.raw 1000
[ "$(wc -c <ours/new.raw)" = "$(wc -c <theirs/new.raw)" ] || fail "create of 1000 bytes: another size"
step new.qcow2 create -f qcow2 new.qcow2 1G
like info new.qcow2
step new.qcow2 create -q -f qcow2 -o compat=0.10,cluster_size=64k new.qcow2 17M
like info --output=json new.qcow2
for options in cluster_size=512 cluster_size=2M,refcount_bits=1 refcount_bits=64 compression_type=zstd lazy_refcounts=on \
	preallocation=metadata preallocation=falloc preallocation=full compat=v3,preallocation=off; do
	step new.qcow2 create -f qcow2 -o $options new.qcow2 9M
	like check new.qcow2
done
step over.qcow2 create -f qcow2 -b top.qcow2 -F qcow2 over.qcow2
step over.qcow2 create -f qcow2 -o backing_file=flat.raw,backing_fmt=raw over.qcow2 20M
like info over.qcow2
both create -u -f qcow2 -b nowhere.qcow2 -F qcow2 over.qcow2 1M
like info over.qcow2

# ---- convert ----

for image in base.qcow2 top.qcow2 old.qcow2 wide.qcow2 flat.raw packed.qcow2 snap.qcow2; do
	step out.raw convert -O raw $image out.raw
	step out.qcow2 convert -O qcow2 $image out.qcow2
	step out.qcow2 convert -c -O qcow2 -o cluster_size=16k $image out.qcow2
	step out.qcow2 convert -W -m 4 -O qcow2 -o compat=0.10,cluster_size=512 $image out.qcow2
done
step out.qcow2 convert -c -O qcow2 -o compression_type=zstd top.qcow2 out.qcow2
(cd theirs && qemu-img convert -c -m 4 -O qcow2 top.qcow2 out.qcow2)
(cd ours && "$calque" convert -c -W -m 4 -O qcow2 top.qcow2 out.qcow2) || fail "convert -c -W"
same out.qcow2 "convert -c -W"
step out.raw convert -S 0 -O raw top.qcow2 out.raw
step out.raw convert -S 64k -m 1 -O raw old.qcow2 out.raw
step out.raw convert -C -f raw -O raw flat.raw out.raw
step out.raw convert -O raw base.qcow2 flat.raw old.qcow2 out.raw
step out.qcow2 convert -O qcow2 old.qcow2 wide.qcow2 out.qcow2
step out.qcow2 convert -O qcow2 -B mid.qcow2 -F qcow2 top.qcow2 out.qcow2
like info out.qcow2
step out.qcow2 convert -O qcow2 -l first snap.qcow2 out.qcow2
step out.qcow2 convert -O qcow2 -l snapshot.name=second snap.qcow2 out.qcow2
step out.qcow2 convert -O qcow2 -t writeback -T none -o preallocation=metadata flat.raw out.qcow2
both create -q -f qcow2 target.qcow2 20M
step target.qcow2 convert -n -O qcow2 top.qcow2 target.qcow2
step target.qcow2 convert -n -O qcow2 flat.raw target.qcow2
both create -q -f raw target.raw 20M
step target.raw convert -n --target-is-zero -O raw top.qcow2 target.raw
step out.raw dd if=flat.raw of=out.raw
step out.raw dd -f qcow2 -O raw bs=64k count=20 skip=10 if=top.qcow2 of=out.raw
step out.raw dd -O raw bs=7 count=3 if=flat.raw of=out.raw
[ "$(wc -c <ours/out.raw)" = "$(wc -c <theirs/out.raw)" ] || fail "dd of 21 bytes: another size"
step out.qcow2 dd -O qcow2 bs=1M if=old.qcow2 of=out.qcow2

for command in 'convert -p -O raw top.qcow2 out.raw' 'rebase -p -b base.qcow2 -F qcow2 top.qcow2' 'commit -q -p top.qcow2'; do
	(cd ours && "$calque" $command 2>&1) | tr '\r' '\n' | sed -n '1p;$p' >ours.out
	printf '    (0.00/100%%)\n\n' | cmp -s - ours.out || fail "$command: progress: $(cat ours.out)"
done
fresh

# ---- resize, snapshots ----

step flat.raw resize -f raw flat.raw 7M
step flat.raw resize -f raw flat.raw +512k
step flat.raw resize -f raw --shrink flat.raw -1M
step flat.raw resize -q -f raw --preallocation=falloc flat.raw 8M
step old.qcow2 resize old.qcow2 +1G
step old.qcow2 resize --shrink old.qcow2 1M
step wide.qcow2 resize --preallocation=metadata wide.qcow2 40M
step top.qcow2 resize top.qcow2 13M
like info top.qcow2
fresh
step snap.qcow2 snapshot -a first snap.qcow2
step snap.qcow2 snapshot -a 2 snap.qcow2
step snap.qcow2 snapshot -d first snap.qcow2
(cd ours && "$calque" snapshot -c third snap.qcow2 && qemu-img snapshot -l snap.qcow2 | grep -q third) || fail "snapshot -c"
(cd theirs && qemu-img snapshot -c third snap.qcow2 && "$calque" snapshot -l snap.qcow2 | grep -q third) || fail "snapshot -l"
step snap.qcow2 snapshot -a third snap.qcow2

# ---- commit, rebase ----

fresh
step mid.qcow2 commit mid.qcow2
same base.qcow2 "commit mid.qcow2"
step top.qcow2 commit -q -b base.qcow2 top.qcow2
same base.qcow2 "commit -b"
fresh
step top.qcow2 commit -d top.qcow2
same mid.qcow2 "commit -d"
fresh
cp ours/top.qcow2 before.top
step top.qcow2 rebase -b base.qcow2 -F qcow2 top.qcow2
like info top.qcow2
step top.qcow2 rebase -b flat.raw -F raw top.qcow2
step top.qcow2 rebase -b '' top.qcow2
like info top.qcow2
qemu-img rebase -u -b ../images/mid.qcow2 -F qcow2 before.top 2>/dev/null
qemu-img compare -q ours/top.qcow2 images/top.qcow2 || fail "rebase changed what the image shows"
fresh
step top.qcow2 rebase -u -b base.qcow2 -F qcow2 top.qcow2
step top.qcow2 rebase -u -b '' top.qcow2

# ---- damage ----

# An entry less, and one twice: a leak, and a cluster with too few references.
damage() {
	l1=$(od -A n -t u1 -j 40 -N 8 "$1" | awk '{ v = 0; for (i = 1; i <= 8; i++) v = v * 256 + $i; print v }')
	l2=$(od -A n -t u1 -j "$l1" -N 8 "$1" | awk '{ v = 0; for (i = 2; i <= 8; i++) v = v * 256 + $i; print v }')
	dd if=/dev/zero of="$1" bs=1 count=8 seek=$((l2 + 8 * 16)) conv=notrunc 2>/dev/null
	dd if="$1" of=entry bs=1 count=8 skip=$((l2 + 8 * 18)) 2>/dev/null
	dd if=entry of="$1" bs=1 seek=$((l2 + 8 * 19)) conv=notrunc 2>/dev/null
}

for fix in leaks all; do
	fresh
	damage ours/wide.qcow2 2>/dev/null
	cp images/base.qcow2 ours/base.qcow2
	damage ours/base.qcow2
	cp ours/base.qcow2 theirs/base.qcow2
	both check base.qcow2
	both check --output=json base.qcow2
	both check -r $fix base.qcow2
	both check base.qcow2
	qemu-img compare -q ours/base.qcow2 theirs/base.qcow2 || fail "check -r $fix: other contents"
done

# ---- wrong input ----

fresh
chmod -R u+w ours
mkdir ours/folder
head -c 1000 images/base.qcow2 >ours/cut.qcow2
head -c 70000 images/base.qcow2 >ours/short.qcow2
printf 'KDMV' >ours/other.vmdk
truncate -s 1M ours/other.vmdk
: >ours/empty.raw
cp images/base.qcow2 ours/a.qcow2
cp images/base.qcow2 ours/b.qcow2
(cd ours && qemu-img rebase -u -b b.qcow2 -F qcow2 a.qcow2 && qemu-img rebase -u -b a.qcow2 -F qcow2 b.qcow2)
cp images/mid.qcow2 ours/orphan.qcow2
(cd ours && qemu-img rebase -u -b gone.qcow2 -F qcow2 orphan.qcow2)
refused 'nothing: No such file' info nothing
refused 'cut.qcow2' info cut.qcow2
refused 'short.qcow2' convert -O raw short.qcow2 out.raw
refused 'vmdk' info other.vmdk
refused 'not a qcow2' info -f qcow2 flat.raw
refused 'is a directory' info folder
refused 'a.qcow2' convert -O raw a.qcow2 out.raw
refused 'comes back' info --backing-chain a.qcow2
refused 'gone.qcow2' convert -O raw orphan.qcow2 out.raw
refused 'gone.qcow2' map orphan.qcow2
refused 'no command' polish flat.raw
refused 'not known' info -Z flat.raw
refused 'not supported' info --image-opts flat.raw
refused 'missing' info
refused 'not a size' create -f raw new.raw 1Q
refused 'too large' create -f raw new.raw 9E
refused 'missing' create -f qcow2 new.qcow2
refused 'format' create -f qcow2 -b base.qcow2 new.qcow2
refused 'gone' create -f qcow2 -b gone -F qcow2 new.qcow2
refused 'cluster_size' create -f qcow2 -o cluster_size=3k new.qcow2 1M
refused 'colour' create -f qcow2 -o colour=red new.qcow2 1M
refused 'vmdk' create -f vmdk new.vmdk 1M
refused 'nowhere' create -f raw nowhere/new.raw 1M
refused 'shrink' resize -f raw flat.raw 1M
refused 'backing' commit base.qcow2
refused 'not one of' commit -b flat.raw top.qcow2
refused 'come back' rebase -b top.qcow2 -F qcow2 top.qcow2
refused 'gone' rebase -b gone -F qcow2 top.qcow2
refused 'snapshot' snapshot -a nothing snap.qcow2
refused 'snapshot' snapshot -d nothing snap.qcow2
refused 'snapshot' convert -l nothing -O raw snap.qcow2 out.raw
refused 'read here' convert -O raw flat.raw flat.raw
refused 'raw image' convert -c -O raw top.qcow2 out.raw
refused 'resize' convert -n -O raw top.qcow2 flat.raw
refused 'skip' dd if=flat.raw of=out.raw bs=1M skip=100
status=2 refused 'No such' compare flat.raw nothing
[ ! -e ours/out.raw ] || fail "a refused convert left out.raw"

# Names that a terminal would obey.
refused 'no?such' info "$(printf 'no\nsuch')"
(cd ours && "$calque" create -q -f qcow2 named.qcow2 1M && "$calque" snapshot -c "$(printf 'a\033[31mb')" named.qcow2 &&
	"$calque" snapshot -l named.qcow2) | grep -qF 'a?[31mb' || fail "a snapshot's name with an escape in it"
rm -f ours/named.qcow2

# Another process has it.
(cd ours && exec qemu-io -f qcow2 -c 'sleep 120000' base.qcow2 >/dev/null 2>&1) &
holder=$!
tries=300
while [ $tries -gt 0 ]; do
	(cd ours && qemu-img info base.qcow2 >/dev/null 2>&1) || break
	tries=$((tries - 1))
	sleep 0.2
done
refused 'another process' info base.qcow2
refused 'another process' resize base.qcow2 20M
refused 'another process' convert -O qcow2 base.qcow2 out.qcow2
refused 'another process' create -f qcow2 base.qcow2 1M
refused 'another process' commit mid.qcow2
(cd ours && "$calque" info -U base.qcow2 >/dev/null) || fail "info -U of an image in use"
kill $holder 2>/dev/null
wait $holder 2>/dev/null

# A file system that is full: what there was of a new image is gone, or it is said to be incomplete.
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=1m none small 2>/dev/null; then
	(cd ours && "$calque" convert -O raw -S 0 top.qcow2 ../small/out.raw 2>../ours.err) && fail "convert onto a full file system"
	[ "$(wc -l <ours.err)" = 1 ] && grep -q 'No space left.*removed' ours.err || fail "full: $(cat ours.err)"
	[ ! -e small/out.raw ] || fail "half an image was left"
	truncate -s 12M small/out.raw
	(cd ours && "$calque" convert -n -O raw top.qcow2 ../small/out.raw 2>../ours.err) && fail "convert -n onto a full file system"
	grep -q 'No space left.*incomplete' ours.err || fail "full: $(cat ours.err)"
	umount small
fi

# Stopped in the middle.
truncate -s 4G ours/long.raw
(cd ours && exec "$calque" convert -r 1M -f raw -O raw -S 0 long.raw stopped.raw 2>../ours.err) &
converter=$!
sleep 1
kill $converter
wait $converter
[ $? = 1 ] && grep -q 'interrupted.*removed' ours.err && [ ! -e ours/stopped.raw ] || fail "interrupted: $(cat ours.err)"

[ $failures = 0 ] || { echo "$failures failed"; exit 1; }
echo "calque-img agrees with $(qemu-img --version | head -n 1)"
