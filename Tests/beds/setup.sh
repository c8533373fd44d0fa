#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Brings what is missing on a Debian 12 machine, and says so line by line; with nothing missing it is done at once.
#   setup.sh build   what building and running the agent on this machine needs
#   setup.sh targets that, and what building for the other targets needs, and running those programs here
#   setup.sh all     that, and what the tests need: tools to compare with, pytest, the User Mode Linux kernels, and
#                    the Debian kernels that this machine's compiler can build modules for (6.1, 6.12), and a router's and
#                    a phone's kernel
#   setup.sh kernels that, and every other kernel that modules are tried on (5.10, 7, and those of other devices; needs root)
# Swift itself is not installed here. What is built goes into a cache outside the tree:
# $KTRXER_CACHE, or $XDG_CACHE_HOME/ktrxer, or ~/.cache/ktrxer.
# shellcheck disable=SC2086,SC2016,SC2015 # lists of words; a script for a namespace; either failure is one
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}
what=${1:-all}

build_packages="gcc binutils libc6-dev make musl-tools linux-libc-dev patch iproute2 ethtool"
test_packages="python3-venv cron dkms strace systemd tcpdump tshark fping mtr-tiny scamper mandoc shellcheck adb unzip signify-openbsd busybox-static wireguard-tools \
	linux-source-6.1 flex bison bc xz-utils kmod cpio pahole sparse qemu-system-x86 qemu-system-mips qemu-system-arm \
	libc6-dev-mips-cross libc6-dev-mipsel-cross libc6-dev-arm64-cross libc6-dev-armhf-cross libc6-dev-armel-cross"
target_packages="qemu-user-static $(sed -n 's/^PACKAGES := //p' "$here"/../../toolchains/*.mk | tr '\n' ' ')"
kernel_packages="debootstrap"
python_packages="pytest pytest-xdist matplotlib"

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 69; }

case $what in
build) packages=$build_packages ;;
targets) packages="$build_packages $target_packages" ;;
all) packages="$build_packages $target_packages $test_packages" ;;
kernels) packages="$build_packages $target_packages $test_packages $kernel_packages" ;;
*) echo "usage: setup.sh build|targets|all|kernels" >&2; exit 64 ;;
esac

command -v swiftc >/dev/null || fail "no swiftc on the PATH; install Swift 6.3 from https://swift.org/install"
command -v dpkg-query >/dev/null || fail "this is not Debian; install by other means: $packages"

missing=$(comm -23 <(printf '%s\n' $packages | sort) <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $packages \
	2>/dev/null | sed -n 's/^ii  *//p' | sort) | tr '\n' ' ')
if [ -n "$missing" ]; then
	[ "$(id -u)" = 0 ] || fail "these packages are missing, and installing them needs root: $missing"
	say "installing $missing"
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	apt() { apt-get -q -y -o DPkg::Lock::Timeout=600 "$@" >> "$log" 2>&1; }
	# An index that is too old names packages that are gone from the mirror: it is fetched anew.
	apt update && apt install --no-install-recommends $missing || {
		tail -n 20 "$log" >&2
		rm -f "$log"
		fail "apt-get could not install $missing; its last words are above"
	}
	rm -f "$log"
fi
libc=$("$here/../../toolchains/musl.sh" path "$cache")
if [ ! -e "$libc/libc.a" ]; then
	say "building the C library for size in $cache"
	"$here/../../toolchains/musl.sh" build "$cache"
fi
[ "$what" != build ] || exit 0
for file in "$here"/../../toolchains/*.mk; do
	target=$(basename "$file" .mk)
	if grep -q '^CROSS := ' "$file" && ! make -s -C "$here/../.." toolchain-made TARGET="$target" 2> /dev/null; then
		say "building the C library and runtime for $target in $cache"
		make -s -C "$here/../.." toolchain TARGET="$target"
	fi
done
[ "$what" != targets ] || exit 0

mkdir -p "$cache"
exec 8> "$cache/setup.lock"
flock 8
python=/usr/bin/python3
venv=$cache/python-$( (echo $python_packages; $python --version) | sha256sum | cut -c1-16)
if [ ! -e "$venv/.whole" ]; then
	say "making a Python environment with $python_packages in $venv"
	rm -rf "$venv"
	$python -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check $python_packages ||
		fail "pip could not install $python_packages"
	touch "$venv/.whole"
fi
ln -sfn "$venv" "$cache/python"

for configuration in network debug; do
	kernel=$("$here/uml.sh" path "$cache" $configuration)
	if [ ! -x "$kernel" ]; then
		say "building the User Mode Linux kernel '$configuration' of the tests in $cache (some minutes, once)"
		"$here/uml.sh" build "$cache" $configuration
	fi
done
kernels="6.1 6.12 mips-6.1 arm64-6.1" others="" devices="mips arm64"
if [ "$what" = kernels ]; then
	others="5.10 7 mipsel-6.1 armhf-6.1 arm64-5.10 armhf-5.10 arm64-6.12 armhf-6.12 arm64-7 armhf-7"
	devices="mips arm64 mipsel armhf"
fi
for device in $devices; do
	if [ ! -x "$("$here/busybox.sh" path "$cache" $device)" ]; then
		say "bringing busybox for $device"
		"$here/busybox.sh" build "$cache" $device
	fi
done
for device in amd64 $devices; do
	if [ ! -e "$("$here/../bench/libpcap.sh" path "$cache" $device)/libpcap.a" ]; then
		say "building libpcap for $device in $cache"
		"$here/../bench/libpcap.sh" build "$cache" $device
	fi
	if [ $device != mips ] && [ ! -e "$("$here/../bench/probers.sh" path "$cache" $device)/bin/scamper" ]; then
		say "bringing fping, mtr and scamper for $device"
		"$here/../bench/probers.sh" build "$cache" $device
	fi
done
if [ ! -e "$("$here/adbd.sh" path "$cache")/usr/sbin/adbd" ]; then
	say "bringing Android's adbd for an emulated phone"
	"$here/adbd.sh" build "$cache"
fi
for kernel in $kernels; do
	"$here/../kernel/kernels.sh" fetch $kernel
done
# Tests take those that are here: a mirror that has one of these not is no reason to go without the rest.
absent=
for kernel in $others; do
	"$here/../kernel/kernels.sh" fetch $kernel || absent="$absent $kernel"
done
[ -z "$absent" ] || say "could not bring these kernels, and tests go without them:$absent; to try again: make setup-kernels" >&2
say "ready ($cache)"
