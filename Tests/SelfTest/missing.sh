#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a target lacks is said in one line, before anything is built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# The modes of the make that runs this are not for those in here.
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# missing SAYS ARGUMENT...: make build with these must fail, say that, and build nothing.
missing() {
	local says=$1
	shift
	if env "PATH=${path:-$PATH}" make --no-print-directory build TARGET=mips_24kc "OUT=$work/out" "$@" > "$work/said" 2>&1; then
		echo "missing: the build goes on with $*" >&2
		exit 1
	fi
	grep -v '^make[^ ]*: \*\*\* ' "$work/said" > "$work/lines" || true
	if [ "$(wc -l < "$work/lines")" != 1 ] || ! grep -qF -- "$says" "$work/lines" || [ -e "$work/out" ]; then
		head -n 5 "$work/said" | cut -c 1-300 >&2
		echo "missing: expected one line with: $says" >&2
		exit 1
	fi
}

missing "toolchain: mips_24kc: no no-such-gcc here; run: make setup-build" COMPILER=no-such
missing "libc.a; run: make setup-build" KTRXER_CACHE="$work/cache"
mkdir "$work/bin"
printf '#!/bin/sh\necho "Swift version 6.1.2 (swift-6.1.2-RELEASE)"\n' > "$work/bin/swiftc"
chmod +x "$work/bin/swiftc"
path=$work/bin:$PATH missing "toolchain: mips_24kc: this is Swift 6.1.2, and 6.3 is needed: https://swift.org/install"
mkdir "$work/bare"
for tool in bash cat cp cut dirname find grep head ln ls make mkdir realpath sed sha256sum sort awk basename gcc env \
	mips-linux-gnu-gcc dpkg-query; do
	ln -s "$(command -v $tool)" "$work/bare/$tool"
done
path=$work/bare missing "toolchain: mips_24kc: no swiftc on the PATH; install Swift 6.3 from https://swift.org/install"
! make build TARGET=none > "$work/said" 2>&1
grep -q 'no target none; there are: x86_64 ' "$work/said" || { echo "missing: an unknown target is not named" >&2; exit 1; }
echo "missing: each is said in one line"
