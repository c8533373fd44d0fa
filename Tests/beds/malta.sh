#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the kernel of the big-endian router of the tests from Debian's linux-source package, with a frequency instead of its
# measurement (below), once for each combination of source version, configuration and this script.
#   malta.sh path CACHE     prints the folder: vmlinuz, config, release, kdir (for modules; ARCH=mips), lib/modules
#   malta.sh build CACHE    builds it there if it is not there yet
# It appears under its final name only when it is whole: an interrupted build leaves nothing.
# shellcheck disable=SC2086,SC2015 # lists of words; either failure is one
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=linux-source-6.1
archive=/usr/src/$package.tar.xz
compiler=mips-linux-gnu-

[ $# = 2 ] || { echo "usage: malta.sh path|build CACHE" >&2; exit 64; }
cache=$2
version=$(dpkg-query -W -f '${Version}' $package 2>/dev/null) || version=missing
# Comments do not make another kernel.
key=$( (echo "$version"; grep -hv '^[[:space:]]*\(#.*\)\?$' "$here/malta.config" "${BASH_SOURCE[0]}") | sha256sum | cut -c1-16)
folder=$cache/kernel-mips-6.1-$key

case $1 in
path) echo "$folder"; exit ;;
build) ;;
*) exit 64 ;;
esac

[ ! -e "$folder/release" ] || exit 0
[ -r "$archive" ] || { echo "malta.sh: no $archive; install the package $package" >&2; exit 69; }
command -v ${compiler}gcc > /dev/null || { echo "malta.sh: no ${compiler}gcc; install the package gcc-mips-linux-gnu" >&2; exit 69; }

mkdir -p "$cache"
exec 9> "$cache/malta.lock"
flock 9
[ ! -e "$folder/release" ] || exit 0
work=$(mktemp -d "$cache/malta-building.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

mkdir "$work/source" "$work/done"
tar xf "$archive" -C "$work/source" --strip-components=1 \
	--exclude='*/Documentation/[a-z]*' --exclude='*/tools/testing/*' \
	--exclude='*/arch/[a-ln-z]*/*.[chS]' --exclude='*/sound/*.[ch]' \
	--exclude='*/drivers/'{gpu,media,staging,infiniband,scsi,net/wireless}'/*.[ch]'
cd "$work/source"
# To learn the processor's frequency Linux polls the board's clock for up to two seconds. On a clock that counts instructions
# the emulator takes twenty for that. The frequency is known: qemu's CP0 Count goes up every 6 ns (hw/mips/malta.c,
# target/mips/cpu.c: half of 320 MHz, in whole nanoseconds). test_clock in ../devices sees whether that is still so.
clock=arch/mips/mti-malta/malta-time.c
sed -i '/u64 giccount = 0, gicstart = 0;/a\\tmips_hpt_frequency = 166666667;\n\treturn;' $clock
grep -q '^	mips_hpt_frequency = 166666667;$' $clock || { echo "malta.sh: $clock is not as it was; adapt it" >&2; exit 70; }
log=$work/log
fail() { tail -n 30 "$log" >&2; echo "malta.sh: $1 failed; the end of its log is above" >&2; exit 70; }
unset MAKEFLAGS MAKELEVEL MFLAGS
export ARCH=mips CROSS_COMPILE=$compiler
make KCONFIG_ALLCONFIG="$here/malta.config" allnoconfig > "$log" 2>&1 || fail "configuring the kernel"
missing=$(grep -E '^CONFIG_\w+=y' "$here/malta.config" | while read -r line; do
	grep -qx "$line" .config || echo "${line%=y}"
done)
[ -z "$missing" ] || { echo "malta.sh: this kernel does not take:" $missing >&2; exit 70; }
make -j"$(nproc)" KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=build KBUILD_BUILD_HOST=bed vmlinux modules >> "$log" 2>&1 ||
	fail "building the kernel"

release=$(make -s kernelrelease)
${compiler}strip -o "$work/done/vmlinuz" vmlinux
cp .config "$work/done/config"
# Nothing but ours is a module there.
mkdir -p "$work/done/lib/modules/$release" "$work/done/kdir"
: > "$work/done/lib/modules/$release/modules.dep"
cp modules.builtin "$work/done/lib/modules/$release/"
# What building a module reads, without what the kernel itself was made of.
tar c --exclude='*.[aS]' --exclude='.*.cmd' --exclude='arch/*.[co]' --exclude='include/dt-bindings' \
	Makefile Module.symvers .config include scripts arch/mips | tar x -C "$work/done/kdir"
echo "$release" > "$work/done/release"
rm -rf "$folder"
mv "$work/done" "$folder"
