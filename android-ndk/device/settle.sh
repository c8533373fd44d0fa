#!/system/bin/sh
# SPDX-License-Identifier: MIT
# On the device, by push.sh or a module's installer, when all of a new bundle is in `new`: puts it in the old one's place, beside
# it. What is the user's (job file, name servers, results) stays. settle.sh [SERVERS [HOME]]
# HOME is where the folder will be in the end, if that is elsewhere.
cd "${0%/*}/.." || exit 1
. new/owned.sh
owned || exit 1
# adb's daemon lets anybody write what is made under it, and the agent writes no records where anybody may.
umask 022
chmod -R go-w new
servers=$1 was=no
home=${2:-$PWD}
if [ -e bundle/stop.sh ]; then
	sh bundle/stop.sh > /dev/null
	case $? in
	0) was=yes ;;
	2) exit 1 ;;
	esac
fi

# The default way out of this network, and whom this device asks for names.
gateway=$(ip route show table all 2> /dev/null | sed -n 's/^default via \([0-9.]*\) .*/\1/p' | head -n 1)
[ -n "$servers" ] || servers=$(dumpsys connectivity 2> /dev/null | sed -n 's/.*DnsAddresses: \[ *\([^]]*\)\].*/\1/p' |
	head -n 1 | sed 's/%[a-z0-9_]*//g; s/[,/]/ /g')
[ -n "$servers" ] || servers="$(getprop net.dns1 2> /dev/null) $(getprop net.dns2 2> /dev/null)"
# At most three, of which none is a link-local one: those need an interface.
# shellcheck disable=SC2086,SC2046 # a list of words
set -- $(for server in $servers; do case $server in fe80*) ;; *) echo "$server" ;; esac; done | head -n 3)
if [ $# -gt 0 ]; then
	echo "$*" > resolver
elif [ ! -s resolver ]; then
	# Home routers answer for names, nearly all of them.
	echo "$gateway" > resolver
fi

mkdir -p results
chmod go-w . results
if [ -e new/ktrxer.conf.given ]; then
	mv new/ktrxer.conf.given ktrxer.conf
elif [ ! -e ktrxer.conf ]; then
	if [ -n "$gateway" ]; then
		sed "s/192\.0\.2\.1/$gateway/; s|/data/local/tmp/ktrxer|$home|" new/ktrxer.conf > ktrxer.conf
	else
		# Nobody to probe yet.
		sed "s/enabled '1'/enabled '0'/; s|/data/local/tmp/ktrxer|$home|" new/ktrxer.conf > ktrxer.conf
	fi
fi
if [ -d bundle/modules ] && [ ! -d new/modules ]; then cp -r bundle/modules new/modules; fi
rm -rf old
[ ! -d bundle ] || mv bundle old || exit 1
mv new bundle || { mv old bundle; exit 1; }
rm -rf old
rm -f ktrxer
cp bundle/ktrxer ktrxer
[ $was = no ] || sh bundle/start.sh
