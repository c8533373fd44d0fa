#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The shell and the small programs of the emulated devices: Debian's busybox-static, and for big-endian MIPS, which Debian
# no longer makes packages for, the same built from Debian's source.
#   busybox.sh path CACHE ARCHITECTURE    prints where it is, or will be; arm64, armhf, mipsel or mips
#   busybox.sh build CACHE ARCHITECTURE   brings it there if it is not there yet
# shellcheck disable=SC2086 # lists of words
set -euo pipefail

[ $# = 3 ] || { echo "usage: busybox.sh path|build CACHE ARCHITECTURE" >&2; exit 64; }
cache=$2 architecture=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(dpkg-query -W -f '${source:Version}' busybox-static 2>/dev/null) || version=missing
key=$( (echo "$version"; grep -hv '^[[:space:]]*\(#.*\)\?$' "${BASH_SOURCE[0]}" "$here/debian-packages.sh" "$here/../../toolchains/debian-source.sh") | sha256sum | cut -c1-16)
folder=$cache/busybox-$architecture-$key

case $1 in
path) echo "$folder/busybox"; exit ;;
build) ;;
*) exit 64 ;;
esac

[ ! -e "$folder/busybox" ] || exit 0
[ "$version" != missing ] || { echo "busybox.sh: the package busybox-static is not installed" >&2; exit 69; }
mkdir -p "$cache"
exec 9> "$cache/busybox.lock"
flock 9
[ ! -e "$folder/busybox" ] || exit 0
work=$(mktemp -d "$cache/busybox-building.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
log=$work/log
fail() { tail -n 20 "$log" >&2; echo "busybox.sh: $1 failed; the end of its log is above" >&2; exit 70; }

mkdir "$work/source" "$work/done"
cd "$work/source"
if [ $architecture != mips ]; then
	"$here/debian-packages.sh" . "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" $architecture busybox-static > "$log" 2>&1 ||
		fail "fetching busybox-static"
	find . -path '*/bin/busybox' -type f -exec cp {} "$work/done/busybox" \;
	chmod 0755 "$work/done/busybox"
else
	"$here/../../toolchains/debian-source.sh" . busybox > "$log" 2>&1 || fail "fetching busybox's source"
	tar xf busybox_*.orig.tar.* --strip-components=1
	tar xf busybox_*.debian.tar.*
	unset MAKEFLAGS MAKELEVEL MFLAGS
	# Debian's own choice for the static package. Kernel headers of late have no such queueing discipline any more.
	cp debian/config/pkg/static .config
	sed -i -e 's/^CONFIG_TC=y/CONFIG_TC=n/' -e 's/^CONFIG_SELINUX=y/CONFIG_SELINUX=n/' .config
	make ARCH=mips CROSS_COMPILE=mips-linux-gnu- oldconfig < <(yes '') >> "$log" 2>&1 || fail "configuring busybox"
	make -j"$(nproc)" ARCH=mips CROSS_COMPILE=mips-linux-gnu- CONFIG_EXTRA_CFLAGS="-Os -march=mips32r2" busybox >> "$log" 2>&1 ||
		fail "building busybox"
	cp busybox "$work/done/"
fi
[ -e "$work/done/busybox" ] || fail "finding busybox in the package"
rm -rf "$folder"
mv "$work/done" "$folder"
