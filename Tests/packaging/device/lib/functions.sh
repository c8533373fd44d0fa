# SPDX-License-Identifier: MIT
# Configuration for shell scripts, and what every package does when it comes and goes.
config() {
	CONFIG_COUNT=$((CONFIG_COUNT + 1))
	CONFIG_NOW=${2:-cfg$CONFIG_COUNT}
	CONFIG_SECTIONS="$CONFIG_SECTIONS $CONFIG_NOW"
	eval "CONFIG_${CONFIG_NOW}_TYPE=\$1"
}
option() { eval "CONFIG_${CONFIG_NOW}_$1=\$2"; }
list() { :; }
package() { :; }
config_load() { CONFIG_COUNT=0 CONFIG_SECTIONS=''; eval "$(uci export "$1")"; }
# config_get VARIABLE SECTION OPTION [DEFAULT]; what is no name is passed over.
config_get() {
	case $2$3 in
	*[!A-Za-z0-9_]*) ;;
	*) eval "$1=\${CONFIG_${2}_${3}:-\$4}" ;;
	esac
}
# config_foreach FUNCTION TYPE [ARGUMENT...]: the function gets the section, and the arguments.
config_foreach() {
	local function=$1 wanted=$2 section type
	shift 2
	for section in $CONFIG_SECTIONS; do
		config_get type "$section" TYPE
		[ -n "$wanted" ] && [ "$type" != "$wanted" ] || "$function" "$section" "$@"
	done
}

OPKG_INFO=/usr/lib/opkg/info
default_postinst() {
	local package script status=0
	package=$(basename "${1%.*}")
	if grep -q '^/etc/modules.d/' "$OPKG_INFO/$package.list"; then kmodloader; fi
	if [ -f "$OPKG_INFO/$package.postinst-pkg" ]; then
		(. "$OPKG_INFO/$package.postinst-pkg") || status=$?
	fi
	for script in $(grep '^/etc/init.d/' "$OPKG_INFO/$package.list"); do
		[ "$PKG_UPGRADE" = 1 ] || "$script" enable
		"$script" start
	done
	return $status
}
default_prerm() {
	local package script status=0
	package=$(basename "${1%.*}")
	if [ -f "$OPKG_INFO/$package.prerm-pkg" ]; then
		(. "$OPKG_INFO/$package.prerm-pkg") || status=$?
	fi
	for script in $(grep '^/etc/init.d/' "$OPKG_INFO/$package.list"); do
		[ "$PKG_UPGRADE" = 1 ] || "$script" disable
		"$script" stop
	done
	return $status
}
