#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The libpcap with whose timestamps ours are compared, for an emulated device: from Debian's source, as a static library.
#   libpcap.sh path CACHE ARCHITECTURE    prints the folder that libpcap.a and its headers are in, or will be
#   libpcap.sh build CACHE ARCHITECTURE   builds it there if it is not there yet; amd64, arm64, armhf, mipsel or mips
set -euo pipefail

usage() { echo "usage: libpcap.sh path|build CACHE ARCHITECTURE" >&2; exit 64; }
[ $# = 3 ] || usage
cache=$2 architecture=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case $architecture in
amd64) host=x86_64-linux-gnu ;;
arm64) host=aarch64-linux-gnu ;;
armhf) host=arm-linux-gnueabihf ;;
mipsel | mips) host=$architecture-linux-gnu ;;
*) usage ;;
esac
key=$( ("$host-gcc" -dumpfullversion 2>/dev/null || true; grep -hv '^[[:space:]]*\(#.*\)\?$' "${BASH_SOURCE[0]}" "$here/../../toolchains/debian-source.sh") |
	sha256sum | cut -c1-16)
folder=$cache/libpcap-$architecture-$key

case $1 in
path) echo "$folder"; exit ;;
build) ;;
*) usage ;;
esac

[ ! -e "$folder/libpcap.a" ] || exit 0
mkdir -p "$cache"
exec 9> "$cache/libpcap.lock"
flock 9
[ ! -e "$folder/libpcap.a" ] || exit 0
work=$(mktemp -d "$cache/libpcap-building.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
log=$work/log
fail() { tail -n 20 "$log" >&2; echo "libpcap.sh: $1 failed; the end of its log is above" >&2; exit 70; }

mkdir "$work/source" "$work/done"
"$here/../../toolchains/debian-source.sh" "$work/source" libpcap > "$log" 2>&1 || fail "fetching libpcap's source"
cd "$work/source"
tar xf libpcap_*.orig.tar.[gx]z --strip-components=1
unset MAKEFLAGS MAKELEVEL MFLAGS
./configure --host="$host" --with-pcap=linux --disable-shared --disable-usb --disable-bluetooth --disable-dbus --disable-rdma \
	--without-libnl CC="$host-gcc" CFLAGS=-O2 >> "$log" 2>&1 || fail "configuring libpcap"
make -j2 libpcap.a >> "$log" 2>&1 || fail "building libpcap"
cp -r libpcap.a pcap pcap.h "$work/done/"
rm -rf "$folder"
mv "$work/done" "$folder"
