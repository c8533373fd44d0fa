#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes the compiler's runtime (libgcc.a) for a processor without an FPU, which Debian's cross compilers for MIPS bring
# only for one with it, and that a linker refuses to mix with the rest. It is glibc's, from Debian's source package: 64-bit
# division, and arithmetic of floating-point numbers in software (soft-fp, which gcc's own is a copy of), for C programs
# that print such numbers. Shifts are shifts.c. Arguments as of musl.sh:
#   builtins.sh path CACHE COMPILER [FLAG...]    prints the folder that libgcc.a is in, or will be
#   builtins.sh build CACHE COMPILER [FLAG...]   makes it there if it is not there yet (needs no root)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

[ $# -ge 3 ] || { echo "usage: builtins.sh path|build CACHE COMPILER [FLAG...]" >&2; exit 64; }
what=$1 cache=$2 target=$3
flags=("${@:4}" -Os -fomit-frame-pointer -ffunction-sections -fno-asynchronous-unwind-tables)
numbers="$(echo {add,sub,mul,div}{s,d}f3 {eq,le,ge,unord,neg}{s,d}f2 extendsfdf2 truncdfsf2 {fix,fixuns}{s,d}f{s,d}i \
	{float,floatun}{s,d}i{s,d}f)"

key=$( (echo "$target ${flags[*]}"; "$target-gcc" -dumpfullversion 2>/dev/null || true;
	grep -hv '^[[:space:]]*\(#.*\)\?$' "${BASH_SOURCE[0]}" "$here/debian-source.sh" "$here/shifts.c") | sha256sum | cut -c1-16)
folder=$cache/builtins-$target-$key

case $what in
path) echo "$folder"; exit ;;
build) ;;
*) echo "builtins.sh: no such command: $what" >&2; exit 64 ;;
esac

[ ! -e "$folder/libgcc.a" ] || exit 0
mkdir -p "$cache"
exec 9> "$cache/builtins.lock"
flock 9
[ ! -e "$folder/libgcc.a" ] || exit 0

work=$(mktemp -d "$cache/builtins-building.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
log=$work/log
fail() { tail -n 20 "$log" >&2; echo "builtins.sh: $1 failed; the end of its log is above" >&2; exit 70; }

"$here/debian-source.sh" "$work/source" glibc > "$log" 2>&1 || fail "fetching glibc's source"
tar xf "$work"/source/glibc_*.orig.tar.xz -C "$work/source" --strip-components=1 --wildcards \
	'*/soft-fp/*.[ch]' '*/sysdeps/mips/mips32/sfp-machine.h' '*/stdlib/longlong.h' '*/sysdeps/wordsize-32/divdi3.c' \
	'*/COPYING.LIB'
mkdir "$work/objects" "$work/done"
cd "$work/source/soft-fp"
compile() { "$target-gcc" "${flags[@]}" -c "$1" -o "$work/objects/$2.o" "${@:3}" >> "$log" 2>&1 || fail "compiling $1"; }
alias='-Dstrong_alias(n,a)=extern __typeof(n) a __attribute__((alias(#n)));'
for number in $numbers; do
	# What glibc's own headers would say of its names.
	compile "$number.c" "$number" -w -I . -I ../sysdeps/mips/mips32 -I ../stdlib \
		-D__BYTE_ORDER=__BYTE_ORDER__ -D__BIG_ENDIAN=__ORDER_BIG_ENDIAN__ \
		-D__LITTLE_ENDIAN=__ORDER_LITTLE_ENDIAN__ '-Dlibc_hidden_proto(n)=' '-Dlibc_hidden_def(n)=' "$alias"
done
# Of the headers that it includes it needs the word size and NULL.
mkdir -p ../plain/bits
touch ../plain/{endian,divdi3-symbol-hacks}.h
echo '#include <stddef.h>' > ../plain/stdlib.h
echo '#define __WORDSIZE 32' > ../plain/bits/wordsize.h
compile ../sysdeps/wordsize-32/divdi3.c divdi3 -w -I ../plain -I .. -D__BYTE_ORDER=__BYTE_ORDER__ \
	-D__BIG_ENDIAN=__ORDER_BIG_ENDIAN__ -D__LITTLE_ENDIAN=__ORDER_LITTLE_ENDIAN__ -Dattribute_hidden= "$alias"
compile "$here/shifts.c" shifts -std=gnu11 -ffreestanding -Wall -Wextra
cd "$work/objects"
"$target-ar" rcsD "$work/done/libgcc.a" ./*.o
cp "$work/source/COPYING.LIB" "$work/done"
rm -rf "$folder"
mv "$work/done" "$folder"
