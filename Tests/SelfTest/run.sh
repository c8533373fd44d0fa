#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs what was built for every target, under qemu's user-mode emulation where it is another processor's: the self-test,
# whose output must be the expected one byte for byte; the agent; and what the files themselves must be.
#   run.sh TARGET...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { echo "self-test: $target: $*" >&2; failed=1; }
swift=$(dirname "$(dirname "$(realpath "$(command -v swiftc)")")")
setting() { sed -n "s/^$1 := //p" "toolchains/$target.mk"; }

# The output of a command that must end with a status.
expect() {
	local status=0 wanted=$1
	shift
	timeout -k 3 60 "$@" > "$work/said" 2>&1 || status=$?
	[ "$status" = "$wanted" ] || { tail -n 5 "$work/said" | cut -c 1-300 >&2; fail "status $status of: ${*: -6}"; }
}
said() { grep -qF -- "$1" "$work/said" || { tail -n 5 "$work/said" | cut -c 1-300 >&2; fail "does not say: $1"; }; }

self_test() {
	# It takes seconds; code that was made wrong may go on for ever.
	timeout 300 "${emulator[@]}" "build/$target/selftest" Tests/KTRxerLiteTests/Vectors/frames.txt examples/first-run.conf \
		examples/gateway.conf > "$work/output" 2>&1 || fail "the self-test ends with $?"
	diff Tests/SelfTest/expected.txt "$work/output" > "$work/difference" ||
		{ head -n 10 "$work/difference" | cut -c 1-300 >&2; fail "the self-test says other things than expected"; }
}

agent() {
	local agent=build/$target/ktrxer-agent
	expect 0 "${emulator[@]}" "$agent" version
	said "ktrxer-agent $(sed -n 's/^let version: StaticString = "\(.*\)"/\1/p' Sources/ktrxer-agent/Version.swift)"
	expect 0 "${emulator[@]}" "$agent" check examples/first-run.conf
	said "3 jobs, 3 enabled, no errors"
	expect 2 "${emulator[@]}" "$agent" check Tests/SelfTest/run.sh
	# qemu does not swap the bytes of IP_TTL, which is sent along over IPv4, on big-endian processors.
	for address in ::1 $([ "$target" = mips_24kc ] || echo 127.0.0.1); do
		expect 0 unshare -rn bash -c 'ip link set lo up && echo 0 0 > /proc/sys/net/ipv4/ping_group_range && exec "$@"' - \
			"${emulator[@]}" "$agent" ping -T socket -c 2 -i 20ms "$address"
		said "2 packets transmitted, 2 received, 0.0% packet loss"
	done
	expect 64 "${emulator[@]}" "build/$target/examples/pair"
	said "usage: pair ADDRESS"
	expect 69 unshare -rn "${emulator[@]}" "build/$target/examples/ping" 192.0.2.1
}

within() {
	local size
	size=$(stat -c %s "build/$target/$1")
	[ "$size" -le "${2:-0}" ] || fail "$1 has $size bytes, at most ${2:-0} are allowed"
}

# Static, stripped, within their sizes, without host paths; on MIPS without anything of an FPU.
files() {
	local readelf objdump program
	readelf=$(setting COMPILER)-readelf
	objdump=$(setting COMPILER)-objdump
	for program in ktrxer-agent selftest examples/ping examples/pair; do
		program=build/$target/$program
		"$readelf" -lS "$program" > "$work/headers"
		! grep -qE 'INTERP|DYNAMIC|\.symtab|\.debug_' "$work/headers" || fail "$program is not static and stripped"
	done
	for program in build/"$target"/{ktrxer-agent,libktrxer.a,examples/ping}; do
		! grep -qaE "$PWD|${HOME%/}/|$swift" "$program" || fail "$program has a path of this machine in it"
	done
	within ktrxer-agent "$(setting AGENT_BYTES_MAXIMUM)"
	within examples/ping 120000
	case $target in mips*) ;; *) return ;; esac
	"$readelf" -A "build/$target/ktrxer-agent" | grep -q 'FP ABI: Soft float' || fail "not marked as soft-float"
	for program in ktrxer-agent selftest examples/ping; do
		"$objdump" -d "build/$target/$program.unstripped" 2>/dev/null > "$work/code" ||
			"$objdump" -d "build/$target/$program" > "$work/code"
		[ "$(wc -l < "$work/code")" -gt 5000 ] || fail "$program has no code"
		! grep -m3 -P '\t([ls][wd]c1|[md]?[mtf]{2}h?c1|c[ft]c1|bc1[tf]l?|[a-z0-9.]+\.[sdw])\t' "$work/code" ||
			fail "$program has instructions of an FPU"
	done
}

for target in "$@"; do
	read -ra emulator <<< "$(setting EMULATOR)"
	if [ ${#emulator[@]} != 0 ] && ! command -v "${emulator[0]}" > /dev/null; then
		echo "self-test: no ${emulator[0]} here; run: make setup" >&2
		exit 69
	fi
	before=$failed
	self_test
	agent
	files
	[ $failed != "$before" ] || echo "self-test: $target: as expected"
done
exit $failed
