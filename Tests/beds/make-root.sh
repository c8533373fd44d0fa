#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Assembles the root folder of the virtual bed in DIR: the machine's own programs with the libraries that
# they need, the bed's small C programs, and the agent. The guest mounts it read-only over hostfs.
#   make-root.sh DIR AGENT [PROGRAM...]   with these of the machine's programs instead of all that tests use
set -euo pipefail

[ $# -ge 2 ] || { echo "usage: make-root.sh DIR AGENT [PROGRAM...]" >&2; exit 64; }
root=$1 agent=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs="bash ip tc ss bridge tcpdump fping scamper mtr mtr-packet ethtool wg"
[ $# -eq 2 ] || programs="${*:3}"

PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,var,bed,etc/config,etc/iproute2,lib,lib64,usr}
ln -s ../bin "$root/usr/bin"
ln -s ../bin "$root/usr/sbin"
ln -s bin "$root/sbin"

for program in $programs; do
	path=$(command -v "$program") || { echo "make-root.sh: no $program here; run: make setup" >&2; exit 69; }
	cp -L "$path" "$root/bin/$program"
done
# Every library at the path where its program looks for it.
for program in $programs; do ldd "$root/bin/$program"; done | grep -o '/[^ ]*' | sort -u |
	while read -r library; do
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library"
	done

cp "$(command -v busybox)" "$root/bin/busybox"
"$root/bin/busybox" --list | while read -r applet; do
	[ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
done

for source in "$here"/programs/*.c; do
	gcc -static -Os -s -Wall -Wextra -Werror -D_GNU_SOURCE -o "$root/bin/$(basename "$source" .c)" "$source"
done
mv "$root/bin/bed-init" "$root/init"

cp "$agent" "$root/bin/ktrxer-agent"
cp "$here/../../examples/small-internet.sh" "$root/bin/small-internet"
chmod 0755 "$root/bin/small-internet"

printf 'root:x:0:0:root:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"
printf '127.0.0.1 localhost\n192.0.2.80 server.example\n2001:db8:80::80 server.example\n192.0.2.80 four.example\n' \
	> "$root/etc/hosts"
cp /etc/protocols /etc/services "$root/etc/"
ln -s /tmp/resolv.conf "$root/etc/resolv.conf"
printf 'hosts: files dns\n' > "$root/etc/nsswitch.conf"
