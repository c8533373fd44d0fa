#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds musl's libc.a for size, with its headers (include/) and start files, from the source package of the musl-dev
# that is installed: Debian compiles it for speed, which makes the agent 16 KB larger, and for MIPS only with an FPU.
#   musl.sh path CACHE [COMPILER [FLAG...]]    prints the folder that libc.a is in, or will be
#   musl.sh build CACHE [COMPILER [FLAG...]]   builds it there if it is not there yet (half a minute; needs no root)
# COMPILER x86_64-linux-gnu (the default) means x86_64-linux-gnu-gcc; FLAGs are for it, beside those for size.
# A library appears under its final name only when it is whole: an interrupted build leaves nothing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() { echo "usage: musl.sh path|build CACHE [COMPILER [FLAG...]]" >&2; exit 64; }
[ $# -ge 2 ] || usage
cache=$2
target=${3:-x86_64-linux-gnu}
flags="-Oz -fomit-frame-pointer -fno-stack-protector -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections"
[ $# -le 3 ] || flags="$flags ${*:4}"

version=$(dpkg-query -W -f '${source:Version}' musl-dev 2>/dev/null) || version=missing
key=$( (echo "$version $target $flags"; "$target-gcc" -dumpfullversion 2>/dev/null || true;
	grep -hv '^[[:space:]]*\(#.*\)\?$' "${BASH_SOURCE[0]}" "$here/debian-source.sh") | sha256sum | cut -c1-16)
folder=$cache/musl-$target-$key

case $1 in
path) echo "$folder"; exit ;;
build) ;;
*) usage ;;
esac

[ ! -e "$folder/libc.a" ] || exit 0
[ "$version" != missing ] || { echo "musl.sh: the package musl-dev is not installed" >&2; exit 69; }
mkdir -p "$cache"
# Two builders at once: the second waits, then finds the first one's library.
exec 9> "$cache/musl.lock"
flock 9
[ ! -e "$folder/libc.a" ] || exit 0

work=$(mktemp -d "$cache/musl-building.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
log=$work/log
fail() { tail -n 20 "$log" >&2; echo "musl.sh: $1 failed; the end of its log is above" >&2; exit 70; }

mkdir -p "$work/done"
"$here/debian-source.sh" "$work/source" "musl=$version" > "$log" 2>&1 || fail "fetching musl's source"
cd "$work/source"
tar xf musl_*.orig.tar.[gx]z --strip-components=1
tar xf musl_*.debian.tar.[gx]z
while read -r patch; do
	patch -s -p1 < "debian/patches/$patch" >> "$log" 2>&1 || fail "Debian's change $patch"
done < <(grep -v '^#' debian/patches/series 2>/dev/null || true)

# The modes of the machine's own make do not belong in this one.
unset MAKEFLAGS MAKELEVEL MFLAGS
./configure --target="${target/-gnu/-musl}" --disable-shared --enable-optimize=no \
	CC="$target-gcc" AR="$target-ar" RANLIB="$target-ranlib" CFLAGS="$flags" >> "$log" 2>&1 || fail "configuring musl"
make -j2 lib/libc.a lib/crt1.o lib/crti.o lib/crtn.o >> "$log" 2>&1 || fail "building musl"
make install-headers includedir="$work/done/include" >> "$log" 2>&1 || fail "installing musl's headers"
cp lib/libc.a lib/crt1.o lib/crti.o lib/crtn.o COPYRIGHT "$work/done"
rm -rf "$folder"
mv "$work/done" "$folder"
