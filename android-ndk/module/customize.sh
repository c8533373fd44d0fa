# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154 # MODPATH, ARCH and the functions are the installer's
# Read by Magisk's and KernelSU's installer after unzipping: refuses the wrong kind of phone, and makes the module's own folder what
# push.sh makes of /data/local/tmp/ktrxer. Root runs what is in it, so it is not there, where the shell user can replace it.
abi=$(cat "$MODPATH/ABI")
case $ARCH:$abi in
arm64:arm64-v8a | arm:armeabi-v7a) ;;
*) abort "! This is for $abi; the phone is $ARCH" ;;
esac
home=/data/adb/modules/ktrxer
made=$(cat "$home/bundle/MADE" 2> /dev/null || echo 0)
[ "$made" -le "$(cat "$MODPATH/MADE")" ] || abort "! The module that is installed is newer; remove it first"
mv "$MODPATH/device" "$MODPATH/new"
(cd "$MODPATH/new" && sha256sum -c SHA256SUMS > /dev/null && chmod 0755 ktrxer ktrxer-agent examples/* ./*.sh) ||
	abort "! The zip is damaged; get it again"
# Of the one that this replaces: what is the user's, and the modules for this kernel.
for kept in ktrxer.conf resolver results; do
	[ ! -e "$home/$kept" ] || cp -r "$home/$kept" "$MODPATH/"
done
[ ! -d "$home/bundle/modules" ] || cp -r "$home/bundle/modules" "$MODPATH/new/"
sh "$MODPATH/new/settle.sh" '' "$home" || abort "! The module could not be set up"
rm -f "$MODPATH/push.sh" "$MODPATH/pull.sh"
ui_print "- su -c $home/ktrxer is the program, $home/ktrxer.conf the job file; jobs start at each boot"
