#!/system/bin/sh
# SPDX-License-Identifier: MIT
# What works on this device, a line for each thing that decides on it; the last one says it in short. Always 0.
cd "${0%/*}" || exit 1
release=$(uname -r) module=no load="" works="socket transport"
say() { printf '%-10s %s\n' "$1" "$2"; }

say kernel "$release $(uname -m)"
say bundle "$(cat VERSION) for $(cat ABI)"
uid=$(id -u)
if [ "$uid" = 0 ]; then say root "yes"; else say root "no (uid $uid): packets of one's own making and the module need it; su, or adb root"; fi
selinux=$(getenforce 2> /dev/null) || selinux=$(cat /sys/fs/selinux/enforce 2> /dev/null)
case $selinux in
Enforcing | 1) say SELinux "enforcing: if the kernel log names avc: denied for ktrxer, it is what stands in the way" ;;
Permissive | 0) say SELinux "permissive" ;;
*) say SELinux "none" ;;
esac

# Where the module comes from, and whether this kernel takes it.
if [ -e /dev/ktx ]; then
	say module "loaded"
	module=yes
elif [ ! -e /proc/modules ]; then
	say module "this kernel loads none"
elif [ -e "modules/$release/ktrxer.ko" ]; then
	file=modules/$release/ktrxer.ko
	made=$(tr '\000' '\n' < "$file" | sed -n 's/^vermagic=//p' | head -n 1)
	if [ "${made%% *}" != "$release" ]; then
		say module "the file in modules/$release is for ${made%% *}; build one for this kernel (docs/android.md)"
	elif [ "$uid" != 0 ]; then
		say module "one for this kernel is here; loading it needs root"
	else
		say module "one for this kernel is here; start.sh loads it ($made)"
		load="; with the module, which start.sh loads, the kernel transport"
	fi
else
	for other in modules/*/ktrxer.ko; do
		[ ! -e "$other" ] || { other=${other#modules/}; say module "${other%/ktrxer.ko} is what the one here is for, not this kernel"; module=other; }
	done
	[ "$module" = other ] || say module "none here for $release; docs/android.md says how one is built, push.sh -m brings it"
fi

# Names without addresses are enough, and those are shown to root whatever kptr_restrict says.
if [ "$module" != yes ] && [ "$uid" = 0 ] && [ -r /proc/kallsyms ]; then
	missing=$(cut -d ' ' -f 3 /proc/kallsyms | sort -u | sort - symbols.txt symbols.txt | uniq -c | sed -n 's/^ *2 //p' | tr '\n' ' ')
	if [ -n "$missing" ]; then say symbols "missing in this kernel: $missing"; else say symbols "all that the module needs are there"; fi
fi
servers=$(cat ../resolver 2> /dev/null)
if [ "$(cat LIBC)" = bionic ]; then say names "looked up by Android"
elif [ -n "$servers" ]; then say names "looked up at $servers (file resolver)"
else say names "nobody known to ask; only addresses can be targets (push.sh -n SERVER)"
fi

[ "$uid" != 0 ] || works="packet transport, socket transport"
[ "$module" != yes ] || [ "$uid" != 0 ] || works="kernel transport, $works"
./ktrxer-agent version > /dev/null 2>&1 || works="nothing: the agent does not run here ($(./ktrxer-agent version 2>&1 | tail -n 1))"
say works "$works$load"
exit 0
