#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Says in one line what a target lacks before anything is built for it.
#   check.sh TARGET SWIFT COMPILER FILE...    the Swift that it is built with (as 6.3), the C compiler, and files that
#                                             make setup-build makes or Debian's packages bring
set -euo pipefail

target=$1 swift=$2 compiler=$3
fail() { echo "toolchain: $target: $*" >&2; exit 69; }

command -v swiftc > /dev/null || fail "no swiftc on the PATH; install Swift $swift from https://swift.org/install"
# A compiler of another version may emit other intermediate code than what is worked on here.
found=$(swiftc --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p')
[[ $found = "$swift" || $found = "$swift".* ]] ||
	fail "this is Swift ${found:-of an unknown version}, and $swift is needed: https://swift.org/install"
command -v "$compiler" > /dev/null || fail "no $compiler here; run: make setup-build"
for file in "${@:4}"; do
	[ -e "$file" ] || fail "no $file; run: make setup-build"
done
