#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes a private copy of the Swift toolchain's resource folder in which a processor has modules that has none in the
# stock one: those of another with the same pointers, type layout and (but for the name) the same content. Their code
# in source form is compiled for whom it is used by, so that only the name is to be changed; it has the same length.
#   donor.sh FOLDER FROM TO    e.g. donor.sh build/mips_24kc/swift armv7em-none-none-eabi armebv7-none-none-eabi
# Everything else in FOLDER is a symbolic link into the toolchain.
set -euo pipefail

[ $# = 3 ] || { echo "usage: donor.sh FOLDER FROM TO" >&2; exit 64; }
folder=$1 from=$2 to=$3
[ ${#from} = ${#to} ] || { echo "donor.sh: $from and $to are not of the same length" >&2; exit 64; }
stock=$(dirname "$(dirname "$(realpath "$(command -v swiftc)")")")/lib/swift

rm -rf "$folder" "$folder.new"
mkdir -p "$folder.new/embedded"
ln -s "$stock"/* "$folder.new/" 2>/dev/null || true # embedded is there already
for part in "$stock"/embedded/*; do
	name=${part##*/}
	module=$part/$from.swiftmodule
	if [ ! -e "$module" ]; then
		ln -s "$part" "$folder.new/embedded/$name"
		continue
	fi
	mkdir "$folder.new/embedded/$name"
	ln -s "$part"/* "$folder.new/embedded/$name/"
	LC_ALL=C sed "s/$from/$to/" "$module" > "$folder.new/embedded/$name/$to.swiftmodule"
done
[ -e "$folder.new/embedded/Swift.swiftmodule/$to.swiftmodule" ] ||
	{ echo "donor.sh: this Swift has no Embedded modules for $from" >&2; exit 69; }
mv "$folder.new" "$folder"
