#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Kernels to build modules for and to boot: images, modules and headers, in the cache. Debian's own for amd64, and for other
# machines by their architecture's name in front (arm64-6.1); mips-6.1 is built, ../beds/malta.sh.
#   kernels.sh list                       every kernel that is known, and whether it is here
#   kernels.sh fetch NAME                 brings it if it is not here yet
#   kernels.sh build NAME FOLDER OUT      builds the kernel module in FOLDER for it and puts the .ko files into OUT
#   kernels.sh path NAME WHAT             prints where something of it is: vmlinuz, modules, kdir, config, release, folder
# The name uml stands for the debug kernel of User Mode Linux, which ../beds/uml.sh builds, in build and path kdir.
# Nothing is installed on this machine: packages are taken from the newest kernel that the suite's index names and its mirror
# has, with an apt configuration of its own, and unpacked. A kernel that is here stays; remove its folder for a newer one.
# Kernels whose compiler this machine lacks are built for inside a chroot of their suite, which needs root.
# shellcheck disable=SC2086 # lists of words
set -euo pipefail

cache=${KTRXER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktrxer}
mirror=${KTRXER_DEBIAN_MIRROR:-http://deb.debian.org}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
names="5.10 6.1 6.12 7 arm64-5.10 arm64-6.1 arm64-6.12 arm64-7 armhf-5.10 armhf-6.1 armhf-6.12 armhf-7 mipsel-6.1 mips-6.1"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() { sed -n 's/^#   \(kernels.sh .*\)/\1/p' "${BASH_SOURCE[0]}" >&2; exit 64; }
say() { echo "kernels: $*"; }
fail() { echo "kernels: $*" >&2; exit 69; }

# An index is as good as its signature: a mirror that has stood still for some weeks will do.
stale="-o Acquire::Check-Valid-Until=no"

# Where a kernel comes from: sets suite, sources, and chroot if this machine's compiler does not serve it.
describe() {
	chroot= architecture=amd64 flavour=amd64 version=$1 make_options=
	case $1 in
	arm64-*) architecture=arm64 flavour=arm64 make_options="ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-" ;;
	armhf-*) architecture=armhf flavour=armmp make_options="ARCH=arm CROSS_COMPILE=arm-linux-gnueabihf-" ;;
	mipsel-*) architecture=mipsel flavour=4kc-malta make_options="ARCH=mips CROSS_COMPILE=mipsel-linux-gnu-" ;;
	mips-6.1)
		make_options="ARCH=mips CROSS_COMPILE=mips-linux-gnu-" suite=bookworm
		folder=$("$here/../beds/malta.sh" path "$cache")
		return ;;
	esac
	version=${1#*-}
	case $version in
	5.10) suite=bullseye sources="debian:bullseye debian-security:bullseye-security" ;;
	6.1) suite=bookworm sources="debian:bookworm debian-security:bookworm-security" ;;
	# The index of security updates may be out of step with its mirror: backports have one that is a little older.
	6.12) suite=bookworm sources="debian:bookworm-backports debian-security:bookworm-security" ;;
	7) suite=forky sources="debian:forky" chroot=yes ;;
	uml)
		folder=$(dirname "$("$here/../beds/uml.sh" path "$cache" debug)")
		return ;;
	*) fail "no kernel is called '$1'; there are: $names" ;;
	esac
	# What decides on the folder's content, comments aside.
	local made_by="releases choose unpack settle_headers"
	[ -z "$chroot" ] || made_by="releases choose unpack make_chroot"
	# A phone may have its network card at the USB.
	usb=
	[ "$1" != arm64-6.1 ] || usb=yes made_by="$made_by unpack_usb"
	key=$( (echo "$1 $sources $chroot $architecture $flavour"; declare -f $made_by) | sha256sum | cut -c1-16)
	folder=$cache/kernel-$1-$key
}

# apt on an index of its own: apt_of COMMAND ARGUMENT...
apt_of() {
	local tool=$1
	shift
	"$tool" -q -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$apt/lists" \
		-o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root $stale \
		-o APT::Architecture=amd64 -o APT::Architectures::=amd64 -o APT::Architectures::=$architecture "$@"
}

# The kernels of this version in the index, as uname -r has them, the newest first.
releases() {
	apt_of apt-cache pkgnames linux-headers-$version |
		sed -nE "s/^linux-headers-(${version//./\\.}[.][0-9]+[.0-9]*([-+][a-z]*[0-9]+)*-$flavour)$/\1/p" | sort -Vr
}

# Sets packages to what the kernel $release consists of.
choose() {
	local common=${release%-"$flavour"} image=linux-image-$release-unsigned binary=linux-binary-unsigned-$release
	# Only where kernels are signed is there one that is not.
	if has linux-modules-$release:$architecture; then
		has $binary:$architecture || binary=linux-binary-$release
		packages="linux-base-$release:$architecture $binary:$architecture linux-modules-$release:$architecture"
	else
		has $image:$architecture || image=linux-image-$release
		packages=$image:$architecture
	fi
	[ -z "$chroot" ] || return 0
	local kbuild=linux-kbuild-$common
	has $kbuild || kbuild=linux-kbuild-$version
	packages="$packages linux-headers-$release:$architecture linux-headers-$common-common $kbuild"
}

# One by one: the first that is missing is the end of it.
download_packages() {
	local package
	for package in $packages; do
		(cd "$work" && apt_of apt-get download $package) || { rm -f "$work"/*.deb; return 1; }
	done
}

# Brings the newest kernel into the folder $work, or one before it: an index may name what its mirror has no more, or not yet.
download() {
	for release in $(releases); do
		choose
		say "fetching Linux $release of $suite"
		! download_packages >> "$work/log" 2>&1 || return 0
		say "the mirror does not have what the index of $suite names of Linux $release"
	done
	[ -n "${release:-}" ] || fail "the index of $suite names no kernel $version for $architecture"
	tail "$work/log" >&2
	fail "no Linux $version for $architecture could be fetched; the end of the log is above"
}

# A package that others merely name has no description.
has() { [ -n "$(apt_of apt-cache show $1 2> /dev/null)" ]; }

# Unpacks the packages into the new folder: all of the headers; of the image what a network test may want.
unpack() {
	local package others='[b-hj-z]*'
	[ $architecture != amd64 ] || others='[a-hj-z]*'
	for package in "$work"/*.deb; do
		case ${package##*/} in
		linux-headers* | linux-kbuild*) dpkg -x "$package" "$new" ;;
		*) dpkg-deb --fsys-tarfile "$package" | tar x -C "$new" --wildcards \
			--exclude='*/net/wireless/*' --exclude="*/ethernet/$others/*" --exclude='*/drivers/net/can/*' \
			'*/vmlinu[xz]*' '*/config*' '*/modules.*' '*/kernel/net/*' '*/kernel/drivers/net/*' \
			'*/kernel/drivers/virtio/*' '*/kernel/lib/*' '*/kernel/crypto/*' '*/kernel/arch/*/crypto/*' \
			'*/kernel/fs/9p/*' '*/kernel/fs/fscache/*' '*/kernel/fs/netfs/*' 2> "$work/tar.log" ||
			# A package without one of these (config and vmlinuz of an image that is split in two) is no failure.
			! grep -v -e 'Not found in archive' -e 'Exiting with failure status' "$work/tar.log" ;;
		esac
	done
	local modules=$new/lib/modules/$release place
	if [ -d "$new/usr/lib/modules" ]; then
		mkdir -p "$modules"
		cp -al "$new/usr/lib/modules/$release/." "$modules/"
		rm -rf "$new/usr/lib/modules"
	fi
	find "$new/lib/modules" -name '*.ko.xz' -exec unxz {} +
	PATH=$PATH:/usr/sbin:/sbin depmod -b "$new" "$release"
	for place in "$new"/boot/vmlinu[xz]-"$release" "$modules"/vmlinuz{,.unsigned}; do
		[ ! -e "$place" ] || mv "$place" "$new/vmlinuz"
	done
	for place in "$new/boot/config-$release" "$modules/config"; do
		[ ! -e "$place" ] || mv "$place" "$new/config"
	done
	rm -rf "$new/boot" "$new/usr/share"
	echo "$release" > "$new/release"
}

# What drives USB, and its network cards, which are with the others.
unpack_usb() {
	local package
	for package in "$work"/linux-image*.deb; do
		dpkg-deb --fsys-tarfile "$package" |
			tar x -C "$new" --wildcards '*/kernel/drivers/usb/host/*' '*/kernel/drivers/usb/core/*' '*/kernel/drivers/usb/common/*'
	done
}

# Headers name each other by absolute path: the new place is written into them. And the version of the compiler that
# the kernel was made with may not be on this machine: its own does as well.
settle_headers() {
	local headers=usr/src/linux-headers-$release
	sed -i "s|/usr/src/|$folder/usr/src/|" "$new/$headers/Makefile"
	sed -i 's/gcc-[0-9][0-9]*/gcc/' "$new/$headers/.kernelvariables"
	rm -f "$new/lib/modules/$release/"{build,source}
	ln -s "$headers" "$new/kdir"
}

# A small system of the suite for this machine, with the headers and the compiler that they ask for, which for another
# architecture is a cross compiler.
make_chroot() {
	[ "$(id -u)" = 0 ] || fail "building for a kernel of $suite needs a chroot, and making that needs root"
	local root=$new/chroot packages=linux-headers-$release:$architecture recipe=/usr/share/debootstrap/scripts/sid
	local inside="env DEBIAN_FRONTEND=noninteractive chroot $root" apt="apt-get -q -y -o APT::Sandbox::User=root $stale"
	{
		debootstrap --variant=minbase --include=ca-certificates --keyring="$keyring" "$suite" "$root" "$mirror/debian" $recipe &&
			$inside dpkg --add-architecture $architecture && $inside $apt update &&
			$inside $apt install --no-install-recommends $packages make pahole kmod
	} > "$work/log" 2>&1 ||
		{ tail -n 20 "$work/log" >&2; fail "could not make a chroot of $suite; the end of the log is above"; }
	rm -rf "$root/var/cache/apt" "$root/var/lib/apt/lists" "$root/usr/share/"{doc,man,locale}
	mkdir -p "$root/module"
	ln -s "chroot/usr/src/linux-headers-$release" "$new/kdir"
}

fetch() {
	describe "$1"
	[ "$1" != uml ] || fail "uml is not fetched but built; run: make setup"
	[ ! -e "$folder/release" ] || return 0
	if [ "$1" = mips-6.1 ]; then
		say "building Linux 6.1 for a big-endian Malta board (some minutes, once)"
		"$here/../beds/malta.sh" build "$cache"
		return
	fi
	mkdir -p "$cache"
	exec 7> "$cache/kernels.lock"
	flock 7
	[ ! -e "$folder/release" ] || return 0
	work=$(mktemp -d "$cache/kernel-fetching.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	apt=$work/apt new=$work/new
	mkdir -p "$apt"/{lists,cache/archives}/partial "$new"
	: > "$apt/status"
	local source
	for source in $sources; do
		echo "deb [signed-by=$keyring] $mirror/${source%:*} ${source#*:} main"
	done > "$apt/sources.list"
	# One index of several may be out of step with its mirror for a while: the others name a kernel as well.
	apt_of apt-get update > "$work/log" 2>&1 || { grep -e '^E:' "$work/log" || cat "$work/log"; } >&2
	download
	[ -z "$usb" ] || unpack_usb
	unpack
	if [ -n "$chroot" ]; then make_chroot; else settle_headers; fi
	rm -rf "$folder"
	mv "$new" "$folder"
}

# Out-of-tree builds leave their objects beside the sources: they are made on a copy, one for each kernel.
build() {
	describe "$1"
	[ -e "$folder/kdir" ] || fail "no kernel $1 here; run: make setup (uml, 6.1, 6.12) or make setup-kernels (all)"
	local source
	source=$(cd "$2" && pwd)
	mkdir -p "$3"
	local out
	out=$(cd "$3" && pwd)
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	mkdir "$work/module"
	(cd "$source" && tar c --exclude='*.o' --exclude='*.ko' --exclude='*.cmd' --exclude='*.mod*' .) | tar x -C "$work/module"
	unset MAKEFLAGS MAKELEVEL MFLAGS ARCH CROSS_COMPILE KDIR
	if [ -n "$chroot" ]; then
		in_chroot "$folder/chroot" "$work/module" make -C "/usr/src/linux-headers-$(< "$folder/release")" $make_options M=/module modules
	else
		local options=$make_options
		# The debug kernel leaves it to each module whether undefined behaviour is looked for.
		# Ours has self-tests, which it runs when it is loaded there.
		[ "$1" != uml ] || options="ARCH=um UBSAN_SANITIZE=y KTRXER_DEBUG=y"
		make -C "$folder/kdir" $options M="$work/module" modules
	fi > "$work/log" 2>&1 || { cat "$work/log" >&2; fail "$source does not build for Linux $1"; }
	# Warnings are worth seeing; that the compiler is another build of the same version is not.
	grep -A 6 -i 'warning:' "$work/log" | grep -v -e 'the compiler differs' -e 'kernel was built by' -e 'You are using' >&2 || true
	find "$work/module" -name '*.ko' -exec cp -t "$out" {} +
}

# in_chroot ROOT FOLDER COMMAND...: with FOLDER as /module and /proc (objtool wants it), in a mount namespace of its own.
in_chroot() {
	local root=$1 module=$2
	shift 2
	# shellcheck disable=SC2016 # for the shell in the namespace
	unshare --mount --pid --fork sh -c 'root=$1 module=$2; shift 2
		mount -t proc proc "$root/proc" && mount --bind "$module" "$root/module" && exec chroot "$root" "$@"' \
		sh "$root" "$module" "$@"
}

path() {
	describe "$1"
	case $2 in
	folder) echo "$folder" ;;
	vmlinuz | config) echo "$folder/$2" ;;
	kdir) echo "$folder/kdir" ;;
	release | modules)
		[ -e "$folder/release" ] || fail "no kernel $1 here"
		if [ "$2" = release ]; then cat "$folder/release"; else echo "$folder/lib/modules/$(< "$folder/release")"; fi ;;
	*) usage ;;
	esac
}

list() {
	local name
	for name in $names; do
		describe "$name"
		if [ -e "$folder/release" ]; then
			echo "$name $suite $(< "$folder/release")"
		else
			echo "$name $suite -"
		fi
	done
}

case ${1:-} in
list) [ $# = 1 ] || usage; list ;;
fetch) [ $# = 2 ] || usage; fetch "$2" ;;
build) [ $# = 4 ] || usage; build "$2" "$3" "$4" ;;
path) [ $# = 3 ] || usage; path "$2" "$3" ;;
*) usage ;;
esac
