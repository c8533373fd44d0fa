#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Assembles the root folder of an emulated device in DIR: busybox, the bed's small C programs and the programs that are given.
#   make-device-root.sh DIR ARCHITECTURE [PROGRAM...]   amd64, arm64, armhf, mipsel or mips
set -euo pipefail

[ $# -ge 2 ] || { echo "usage: make-device-root.sh DIR ARCHITECTURE [PROGRAM...]" >&2; exit 64; }
root=$1 architecture=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}
case $architecture in
amd64) compiler=gcc ;;
arm64) compiler=aarch64-linux-gnu-gcc ;;
armhf) compiler=arm-linux-gnueabihf-gcc ;;
mipsel) compiler=mipsel-linux-gnu-gcc ;;
mips) compiler=mips-linux-gnu-gcc ;;
*) echo "make-device-root.sh: no architecture is called '$architecture'" >&2; exit 64 ;;
esac

busybox=/bin/busybox
[ "$architecture" = amd64 ] || busybox=$("$here/busybox.sh" path "$cache" "$architecture")
[ -x "$busybox" ] || { echo "make-device-root.sh: no busybox for $architecture here; run: make setup (amd64, mips, arm64) or make setup-kernels (all)" >&2; exit 69; }
mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,var,bed,etc/config,usr}
ln -s ../bin "$root/usr/bin"
ln -s ../bin "$root/usr/sbin"
ln -s bin "$root/sbin"
cp "$busybox" "$root/bin/busybox"
# Its own list is in its own machine's language; the names stand in it one after the other.
for applet in sh ash cat echo ls mkdir mount umount ip nc ping ping6 ps sleep kill killall sed grep awk cut head tail wc tr sort \
	uniq arp insmod rmmod lsmod dmesg unshare nsenter true false test expr seq free env rm cp mv ln chmod hexdump od cmp touch \
	date uptime top sync printf usleep timeout sysctl md5sum sha256sum base64 tee id mknod stat; do
	ln -s busybox "$root/bin/$applet"
done
for program in bed-init netserver; do
	"$compiler" -static -Os -s -Wall -Wextra -Werror -D_GNU_SOURCE -o "$root/bin/$program" "$here/programs/$program.c"
done
mv "$root/bin/bed-init" "$root/init"
for program in "${@:3}"; do cp "$program" "$root/bin/"; done

printf 'root:x:0:0:root:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"
printf '127.0.0.1 localhost\n192.0.2.80 server.example\n2001:db8:80::80 server.example\n' > "$root/etc/hosts"
