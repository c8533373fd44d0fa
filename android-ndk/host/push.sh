#!/bin/sh
# SPDX-License-Identifier: MIT
# Brings this bundle to a phone by adb, and says what works there. It is run on the computer, in the unzipped bundle.
#   push.sh [-s SERIAL] [-n SERVERS] [-f JOBFILE] [-m MODULE.ko]... [--force]
#     -s SERIAL    which device, if adb knows several (adb devices)
#     -n SERVERS   name servers, "192.0.2.53 2001:db8::53"; without it those that the phone says it uses
#     -f JOBFILE   becomes the phone's job file; without it a job file that is there stays
#     -m MODULE    a ktrxer.ko for the phone's kernel; several are fine, the one that fits is loaded
#     --force      puts this bundle over a newer one, too
# What is there is replaced when all of the new is there and whole: a cable that is pulled in the middle changes nothing.
# Job file, name servers and results stay.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
to=/data/local/tmp/ktrxer
abi=$(cat "$here/ABI")
serial='' servers='' jobs='' modules='' force=no

fail() { echo "push.sh: $*" >&2; exit 1; }
say() { echo "push.sh: $*"; }
usage() { sed -n 's/^#   \(push.sh .*\)/usage: \1/p' "$0" >&2; exit 64; }
while [ $# -gt 0 ]; do
	case $1 in
	-s | -n | -f | -m)
		[ $# -ge 2 ] || usage
		case $1 in
		-s) serial=$2 ;;
		-n) servers=$2 ;;
		-f) jobs=$2 ;;
		-m) modules="$modules $2" ;;
		esac
		shift 2 ;;
	--force) force=yes; shift ;;
	*) usage ;;
	esac
done

command -v adb > /dev/null || fail "no adb on the PATH; install it: apt-get install adb, or Android's platform tools"
device() { if [ -n "$serial" ]; then adb -s "$serial" "$@"; else adb "$@"; fi; }
case $servers in *[!0-9A-Fa-f.:\ ]*) fail "-n takes addresses of name servers, with spaces between" ;; esac
[ -z "$jobs" ] || [ -r "$jobs" ] || fail "cannot read the job file $jobs"
for module in $modules; do [ -r "$module" ] || fail "cannot read the module $module"; done
state=$(device get-state 2>&1) || fail "no device: $state; switch USB debugging on, connect it, and allow this computer on its screen"
[ "$state" = device ] || fail "the device is $state"

# Which programs it can run. Without getprop it is no phone, and says so in its own way.
theirs=$(device shell 'getprop ro.product.cpu.abi 2> /dev/null || uname -m' < /dev/null | tr -d '\r' | tail -n 1)
case $theirs in
aarch64) theirs=arm64-v8a ;;
armv7* | armv8l) theirs=armeabi-v7a ;;
esac
if [ "$theirs" != "$abi" ]; then
	# A 64-bit phone runs 32-bit programs often, but not always, and its module is of the other kind.
	for other in "$here"/../ktrxer-*-android-"$theirs"/push.sh; do
		[ ! -x "$other" ] || fail "this bundle is for $abi, the device is $theirs; run: $other"
	done
	fail "this bundle is for $abi, the device is $theirs; get ktrxer-$(cat "$here/VERSION")-android-$theirs.zip (make android ABI=$theirs)"
fi

# What is newer is told by the time that each bundle was made of.
made=$(cat "$here/MADE")
there=$(device shell "cat $to/bundle/MADE 2> /dev/null || echo 0" < /dev/null | tr -d '\r')
case $there in '' | *[!0-9]*) there=0 ;; esac
[ "$there" -le "$made" ] || [ $force = yes ] ||
	fail "the bundle on the device is newer ($(device shell "cat $to/bundle/VERSION" < /dev/null | tr -d '\r')); to put this one over it, say --force"

device shell "[ ! -L $to ]" < /dev/null || fail "$to on the device is a link; remove it: adb shell rm $to"
say "pushing to $to"
device shell "umask 022 && rm -rf $to/new && mkdir -p $to/new" < /dev/null || fail "cannot make $to on the device"
device push "$here/device/." "$to/new/" > /dev/null || fail "the push did not finish; what was on the device is as it was. Try again"
for module in $modules; do
	release=$(tr '\000' '\n' < "$module" | LC_ALL=C sed -n 's/.*vermagic=\([^ ]*\) .*/\1/p' | head -n 1)
	case $release in '' | .* | *[!A-Za-z0-9._+~-]*) fail "$module is no kernel module" ;; esac
	device shell "mkdir -p $to/new/modules/$release" < /dev/null
	device push "$module" "$to/new/modules/$release/ktrxer.ko" > /dev/null || fail "the push of $module did not finish; what was on the device is as it was"
done
[ -z "$jobs" ] || device push "$jobs" "$to/new/ktrxer.conf.given" > /dev/null || fail "the push of $jobs did not finish; what was on the device is as it was"

# adb gives files its own modes, and a truncated file looks like a whole one.
device shell "cd $to/new && sha256sum -c SHA256SUMS > /dev/null && chmod 0755 ktrxer ktrxer-agent examples/* *.sh" < /dev/null ||
	fail "what arrived on the device is not what was sent; what was there before is as it was. Is its storage full?"
device shell "sh $to/new/settle.sh '$servers'" < /dev/null || fail "the new bundle could not take the old one's place"
say "done. On the device: $to/ktrxer ping ADDRESS; results come here with: $here/pull.sh"
device shell "sh $to/bundle/preflight.sh" < /dev/null
