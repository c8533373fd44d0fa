#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The module's style (checkpatch), its types (sparse), version tests where they belong, and one version everywhere.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
fail() { echo "lint: $*" >&2; exit 1; }

said=$(git ls-files 'kmod/*.[ch]' | xargs grep -lE 'LINUX_VERSION_CODE|KERNEL_VERSION\(' | grep -v '^kmod/compat/' || true)
[ -z "$said" ] || fail "kernel versions are told apart outside kmod/compat: $said"

agent=$(sed -n 's/^let version: StaticString = "\(.*\)"/\1/p' Sources/ktrxer-agent/Version.swift)
module=$(sed -n 's/^#define KTRXER_VERSION "\(.*\)"/\1/p' kmod/version.h)
dkms=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' kmod/dkms.conf)
[ "$agent" = "$module" ] && [ "$agent" = "$dkms" ] ||
	fail "versions differ: agent $agent, module $module, dkms.conf $dkms"

checkpatch=$(Tests/kernel/kernels.sh path uml kdir)/scripts/checkpatch.pl
kdir=$(Tests/kernel/kernels.sh path 6.1 kdir)
[ -e "$checkpatch" ] && [ -d "$kdir" ] || { echo "lint: no kernel trees here; run: make setup" >&2; exit 69; }
make --no-print-directory -C kmod style CHECKPATCH="$checkpatch"
# On a copy: objects do not belong in the tree, and other kernels' must not be taken for ours.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -co --exclude-standard kmod | tar c -T - | tar x -C "$copy"
make --no-print-directory -C "$copy/kmod" check KDIR="$kdir"
echo "lint: kernel module clean"
