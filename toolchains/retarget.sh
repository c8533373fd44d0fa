#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes Swift's intermediate code, emitted for a donor processor of the same word size, byte order and type layout,
# code for the target: its data layout, its triple, and each function's processor and features, all of them as clang
# gives them to C code.
#   retarget.sh sed CLANG FLAG...     prints the sed -E script for the text of the intermediate code
#   retarget.sh link CLANG FLAG...    prints the options by which the linker gives the same to functions of its own
# FLAGs are those for clang: -target TRIPLE and what else tells one processor from another.
set -euo pipefail

[ $# -ge 3 ] || { echo "usage: retarget.sh sed|link CLANG FLAG..." >&2; exit 64; }
what=$1
example=$(echo 'void f(void) {}' | "${@:2}" -S -emit-llvm -x c - -o -)
line() { grep -m1 "^target $1 = " <<< "$example"; }
attribute() { grep -om1 "\"$1\"=\"[^\"]*\"" <<< "$example" || true; }

case $what in
sed)
	own="$(attribute target-cpu) $(attribute target-features) $(attribute use-soft-float)"
	printf 's/^target datalayout = .*/%s/\n' "$(line datalayout)"
	printf 's/^target triple = .*/%s/\n' "$(line triple)"
	# RISC-V names its calling convention in the module, too.
	abi=$(grep -om1 '!"target-abi", !"[^"]*"' <<< "$example" || true)
	[ -z "$abi" ] || printf 's/!"target-abi", !"[^"]*"/%s/\n' "$abi"
	printf '/^attributes #/{\n\ts/ "(target-cpu|target-features|tune-cpu)"="[^"]*"//g\n\ts/ }$/ %s }/\n}\n' "$own"
	;;
link)
	attribute target-cpu | sed 's/.*="\(.*\)"/-Wl,-mllvm,-mcpu=\1/'
	# A list of features has commas, and so has -Wl's list of options.
	attribute target-features | sed 's/.*="\(.*\)"/-Xlinker -mllvm -Xlinker -mattr=\1/'
	;;
esac
