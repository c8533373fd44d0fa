#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the User Mode Linux kernels of the tests from Debian's linux-source package, once for each
# combination of source version, configuration and this script.
#   uml.sh path CACHE [CONFIGURATION]    prints where the kernel is, or will be
#   uml.sh kdir CACHE CONFIGURATION      prints where what modules for it are built against is (KDIR; ARCH=um)
#   uml.sh build CACHE [CONFIGURATION]   builds it there if it is not there yet
# Configurations:
#   network   the default: small and fast, no modules (uml.config)
#   debug     the same and all that finds errors in modules (uml-debug.config on top)
# A kernel appears under its final name only when it is whole: an interrupted build leaves nothing.
# shellcheck disable=SC2086,SC2016,SC2015 # lists of words; a script for a namespace; either failure is one
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=linux-source-6.1
archive=/usr/src/$package.tar.xz

usage() { echo "usage: uml.sh path|kdir|build CACHE [network|debug]" >&2; exit 64; }
[ $# -ge 2 ] || usage
cache=$2
configuration=${3:-network}
case $configuration in
network) files=$here/uml.config targets=linux ;;
debug) files="$here/uml.config $here/uml-debug.config" targets="linux modules" ;;
*) usage ;;
esac

version=$(dpkg-query -W -f '${Version}' $package 2>/dev/null) || version=missing
# Comments do not make another kernel.
key=$( (echo "$version"; grep -hv '^[[:space:]]*\(#.*\)\?$' $files "${BASH_SOURCE[0]}") | sha256sum | cut -c1-16)
folder=$cache/uml-$configuration-$key
kernel=$folder/linux

case $1 in
path) echo "$kernel"; exit ;;
kdir) echo "$folder/kdir"; exit ;;
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
cat $files > "$work/wanted"
if [ $configuration = debug ]; then
	# Kept from counting how deep it is in atomic sections only because it does not preempt, which counting does not need.
	sed -i '/select ARCH_NO_PREEMPT$/d' arch/um/Kconfig
	# A fault that an interrupt's handler meets in memory whose mapping the host does not have yet is mended there; the
	# handler of the fault opened interrupts for it, within the interrupt, which lockdep reports and stacks do not bear.
	sed -i -e 's/sig_handler_common(int sig, /&int enabled, /' -e 's/sig_handler_common(SIGIO, /&0, /' \
		-e 's/\(\tsig_handler_common(sig, \)\(si, mc);\)/\1enabled, \2/' \
		-e 's/if ((sig != SIGIO) && (sig != SIGWINCH))/if (enabled \&\& sig != SIGIO \&\& sig != SIGWINCH)/' arch/um/os-Linux/signal.c
	[ "$(grep -c 'sig_handler_common(.*\<\(enabled\|0\)\>\|if (enabled && sig' arch/um/os-Linux/signal.c)" = 4 ] || fail "mending the handler of faults"
fi
make ARCH=um KCONFIG_ALLCONFIG="$work/wanted" allnoconfig > "$log" 2>&1 || fail "configuring the kernel"
missing=$(grep -E '^CONFIG_\w+=y' "$work/wanted" | while read -r line; do
	grep -qx "$line" .config || echo "${line%=y}"
done)
[ -z "$missing" ] || { echo "uml.sh: this kernel does not take:" $missing >&2; exit 70; }
make ARCH=um -j"$(nproc)" KBUILD_BUILD_TIMESTAMP=@0 $targets >> "$log" 2>&1 || fail "building the kernel"

strip -g -o "$work/done/linux" linux
cp .config "$work/done/config"
if [ $configuration = debug ]; then
	# What building a module reads, without what the kernel itself was made of; and the kernel's own judge of style.
	mkdir "$work/done/kdir"
	tar c --exclude='*.[oaS]' --exclude='.*.cmd' --exclude='arch/*.c' --exclude='include/dt-bindings' \
		Makefile Module.symvers .config include scripts arch/um arch/x86 | tar x -C "$work/done/kdir"
fi
rm -rf "$folder"
mv "$work/done" "$folder"
