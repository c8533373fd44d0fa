#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds a target again, from a copy of the sources in another folder: what is handed out must have the same bytes.
#   reproduce.sh TARGET...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# The modes of the make that runs this are not for those in here.
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -co --exclude-standard | tar c -T - 2>/dev/null | tar x -C "$copy"
for target in "$@"; do
	make --no-print-directory build TARGET="$target" > "$copy/log" 2>&1 || { tail -n 20 "$copy/log" >&2; exit 70; }
	make --no-print-directory -C "$copy" build TARGET="$target" > "$copy/log" 2>&1 ||
		{ tail -n 20 "$copy/log" >&2; exit 70; }
	for file in ktrxer-agent libktrxer.a ktrxer.h examples/ping examples/pair; do
		cmp "build/$target/$file" "$copy/build/$target/$file" ||
			{ echo "reproduce: $target: $file is another one when it is built elsewhere" >&2; exit 1; }
	done
	echo "reproduce: $target: the same bytes"
done
