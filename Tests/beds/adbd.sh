#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Android's adbd as Debian packages it, with all that it needs, for an emulated phone: a root folder of libraries and programs.
#   adbd.sh path CACHE    prints where it is, or will be
#   adbd.sh build CACHE   brings it there if it is not there yet
set -euo pipefail

[ $# = 2 ] || { echo "usage: adbd.sh path|build CACHE" >&2; exit 64; }
cache=$2 suite=trixie
key=$(grep -v '^[[:space:]]*\(#.*\)\?$' "${BASH_SOURCE[0]}" | sha256sum | cut -c1-16)
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

# An index of its own: the machine's configuration stays as it is, and root is not needed.
mkdir -p "$work"/apt/{lists,cache/archives}/partial "$work/root"
: > "$work/apt/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" > "$work/apt/sources.list"
options=(-q -y -o "Dir::Etc::SourceList=$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
	-o "Dir::State::Lists=$work/apt/lists" -o "Dir::State::status=$work/apt/status" -o "Dir::Cache=$work/apt/cache"
	-o APT::Sandbox::User=root -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Install-Recommends=no)
apt-get "${options[@]}" update > "$work/log" 2>&1 || fail "fetching the index of packages"
apt-get "${options[@]}" install --download-only adbd >> "$work/log" 2>&1 || fail "fetching adbd"
for package in "$work"/apt/cache/archives/*.deb; do dpkg -x "$package" "$work/root"; done
# All that a daemon does not read.
rm -rf "$work"/root/usr/share "$work"/root/var "$work"/root/usr/lib/{systemd,udev,locale,apt} "$work"/root/usr/lib/aarch64-linux-gnu/{gconv,perl*}
find "$work/root" -name '*.a' -delete
rm -rf "$folder"
mv "$work/root" "$folder"
