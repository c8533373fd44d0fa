#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the User Mode Linux kernel of the tests from Debian's linux-source package, once for each
# combination of source version, configuration and this script.
#   uml.sh path CACHE    prints where the kernel is, or will be
#   uml.sh build CACHE   builds it there if it is not there yet
# A kernel appears under its final name only when it is whole: an interrupted build leaves nothing.
# shellcheck disable=SC2086,SC2016,SC2015 # lists of words; a script for a namespace; either failure is one
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=linux-source-6.1
archive=/usr/src/$package.tar.xz

usage() { echo "usage: uml.sh path|build CACHE" >&2; exit 64; }
[ $# -eq 2 ] || usage
cache=$2

version=$(dpkg-query -W -f '${Version}' $package 2>/dev/null) || version=missing
# Comments do not make another kernel.
key=$( (echo "$version"; grep -hv '^[[:space:]]*\(#.*\)\?$' "$here/uml.config" "${BASH_SOURCE[0]}") | sha256sum | cut -c1-16)
kernel=$cache/uml-$key/linux

case $1 in
path) echo "$kernel"; exit ;;
build) ;;
*) usage ;;
esac

[ ! -x "$kernel" ] || exit 0
[ -r "$archive" ] || { echo "uml.sh: no $archive; install the package $package" >&2; exit 69; }

mkdir -p "$cache"
# Two builders at once (two test runs on one machine): the second waits, then finds the first one's kernel.
exec 9> "$cache/uml.lock"
flock 9
[ ! -x "$kernel" ] || exit 0

work=$(mktemp -d "$cache/uml-building.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# Left out: what this configuration never compiles, a good half of the archive.
mkdir "$work/source" "$work/done"
tar xf "$archive" -C "$work/source" --strip-components=1 \
	--exclude='*/Documentation/[a-z]*' --exclude='*/tools/testing/*' \
	--exclude='*/arch/[a-tv-wyz]*/*.[chS]' --exclude='*.dts*' --exclude='*/sound/*.[ch]' \
	--exclude='*/drivers/'{gpu,media,staging,infiniband,scsi,net/ethernet,net/wireless}'/*.[ch]'
cd "$work/source"

log=$work/log
fail() { tail -n 30 "$log" >&2; echo "uml.sh: $1 failed; the end of its log is above" >&2; exit 70; }
# The modes of the machine's own make do not belong in the kernel's.
unset MAKEFLAGS MAKELEVEL MFLAGS ARCH CROSS_COMPILE
make ARCH=um KCONFIG_ALLCONFIG="$here/uml.config" allnoconfig > "$log" 2>&1 || fail "configuring the kernel"
missing=$(grep -E '^CONFIG_\w+=y' "$here/uml.config" | while read -r line; do
	grep -qx "$line" .config || echo "${line%=y}"
done)
[ -z "$missing" ] || { echo "uml.sh: this kernel does not take:" $missing >&2; exit 70; }
make ARCH=um -j"$(nproc)" KBUILD_BUILD_TIMESTAMP=@0 linux >> "$log" 2>&1 || fail "building the kernel"

strip -g -o "$work/done/linux" linux
cp .config "$work/done/config"
rm -rf "$(dirname "$kernel")"
mv "$work/done" "$(dirname "$kernel")"
