#!/bin/sh
# SPDX-License-Identifier: MIT
# Run on the device by the build system's tests after each package of this feed is installed: NAME VERSION.

case "$1" in
ktrxer-agent)
	[ "$(ktrxer-agent version)" = "ktrxer-agent $2" ] && ktrxer-agent check /etc/config/ktrxer
	;;
esac
