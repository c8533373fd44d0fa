#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Android's adbd as Debian packages it, with all that it needs, for an emulated phone: a root folder of libraries and programs.
#   adbd.sh path CACHE    prints where it is, or will be
#   adbd.sh build CACHE   brings it there if it is not there yet
set -euo pipefail

[ $# = 2 ] || { echo "usage: adbd.sh path|build CACHE" >&2; exit 64; }
cache=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
key=$(grep -hv '^[[:space:]]*\(#.*\)\?$' "${BASH_SOURCE[0]}" "$here/debian-packages.sh" | sha256sum | cut -c1-16)
folder=$cache/adbd-arm64-$key

case $1 in
path) echo "$folder"; exit ;;
build) ;;
*) exit 64 ;;
esac

mkdir -p "$cache"
exec 9> "$cache/adbd.lock"
flock 9
[ ! -e "$folder/usr/sbin/adbd" ] || exit 0
work=$(mktemp -d "$cache/adbd-fetching.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
fail() { tail -n 20 "$work/log" >&2; echo "adbd.sh: $1 failed; the end of its log is above" >&2; exit 70; }

"$here/debian-packages.sh" "$work/root" trixie arm64 adbd > "$work/log" 2>&1 || fail "fetching adbd"
# All that a daemon does not read.
rm -rf "$work"/root/usr/share "$work"/root/var "$work"/root/usr/lib/{systemd,udev,locale,apt} "$work"/root/usr/lib/aarch64-linux-gnu/{gconv,perl*}
find "$work/root" -name '*.a' -delete
rm -rf "$folder"
mv "$work/root" "$folder"
