# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154 # MODPATH, ARCH and the functions are the installer's
# Read by Magisk's and KernelSU's installer after unzipping: refuses the wrong kind of phone, and puts the bundle where push.sh would.
abi=$(cat "$MODPATH/ABI")
case $ARCH:$abi in
arm64:arm64-v8a | arm:armeabi-v7a) ;;
*) abort "! This is for $abi; the phone is $ARCH" ;;
esac
to=/data/local/tmp/ktrxer
made=$(cat "$to/bundle/MADE" 2> /dev/null || echo 0)
[ "$made" -le "$(cat "$MODPATH/MADE")" ] || abort "! The bundle in $to is newer"
rm -rf "$to/new"
mkdir -p "$to"
cp -r "$MODPATH/device" "$to/new" || abort "! No room in $to"
(cd "$to/new" && sha256sum -c SHA256SUMS > /dev/null && chmod 0755 ktrxer ktrxer-agent examples/* ./*.sh) || abort "! The zip is damaged; get it again"
sh "$to/new/settle.sh"
rm -rf "$MODPATH/device" "$MODPATH/push.sh" "$MODPATH/pull.sh"
ui_print "- $to/ktrxer is the program, $to/ktrxer.conf the job file; jobs start at each boot"
