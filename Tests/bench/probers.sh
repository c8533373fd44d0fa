#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The probers that the agent is compared with, fping, mtr and scamper, for an emulated device: Debian's packages, as a folder
# that goes into the device's root, with the libraries that they need and nothing else. Debian has none for big-endian MIPS.
#   probers.sh path CACHE ARCHITECTURE    prints where it is, or will be; amd64, arm64, armhf or mipsel
#   probers.sh build CACHE ARCHITECTURE   brings it there if it is not there yet
set -euo pipefail

usage() { echo "usage: probers.sh path|build CACHE ARCHITECTURE" >&2; exit 64; }
[ $# = 3 ] || usage
cache=$2 architecture=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case $architecture in
amd64 | arm64 | armhf | mipsel) ;;
*) usage ;;
esac
key=$(grep -hv '^[[:space:]]*\(#.*\)\?$' "${BASH_SOURCE[0]}" "$here/../beds/debian-packages.sh" | sha256sum | cut -c1-16)
folder=$cache/probers-$architecture-$key

case $1 in
path) echo "$folder"; exit ;;
build) ;;
*) usage ;;
esac

[ ! -e "$folder/bin/scamper" ] || exit 0
mkdir -p "$cache"
exec 9> "$cache/probers.lock"
flock 9
[ ! -e "$folder/bin/scamper" ] || exit 0
work=$(mktemp -d "$cache/probers-fetching.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
log=$work/log
"$here/../beds/debian-packages.sh" "$work/all" "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" "$architecture" fping mtr-tiny scamper \
	> "$log" 2>&1 || { tail -n 20 "$log" >&2; echo "probers.sh: fetching the packages failed; the end of the log is above" >&2; exit 70; }
# Libraries where the loader looks for them, and their own, until nothing new is needed.
mkdir -p "$work/done/bin" "$work/done/lib"
for program in fping mtr mtr-packet scamper; do
	cp -L "$work/all/usr/bin/$program" "$work/done/bin/$program"
done
wanted() {
	for file in "$work"/done/bin/* "$work"/done/lib/*; do
		[ ! -e "$file" ] || readelf -dl "$file" | sed -n -e 's/.*(NEEDED).*\[\(.*\)\]/\1/p' -e 's|.*program interpreter: .*/\([^]]*\)\]|\1|p'
	done | sort -u
}
while missing=$(for name in $(wanted); do [ -e "$work/done/lib/$name" ] || echo "$name"; done) && [ -n "$missing" ]; do
	for name in $missing; do
		found=$(find "$work/all" -name "$name" | head -n 1)
		[ -n "$found" ] || { echo "probers.sh: no package has $name" >&2; exit 70; }
		# The absolute links of a foreign system lead nowhere here.
		[ -e "$found" ] || found=$(find "$work/all" -path "*$(readlink "$found")" | head -n 1)
		cp -L "$found" "$work/done/lib/$name"
	done
done
# Some programs name their loader by /lib64.
ln -s lib "$work/done/lib64"
rm -rf "$folder"
mv "$work/done" "$folder"
