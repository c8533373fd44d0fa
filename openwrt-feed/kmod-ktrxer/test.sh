#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Run on the device by the build system's tests after each package of this feed is installed: NAME VERSION. It may have another
# kernel than the module.

case "$1" in
kmod-ktrxer) [ "$(cat /etc/modules.d/ktrxer)" = ktrxer ] && ls /lib/modules/*/ktrxer.ko ;;
esac
