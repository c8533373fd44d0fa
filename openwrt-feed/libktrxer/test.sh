#!/bin/sh
# SPDX-License-Identifier: MIT
# Run on the device by the build system's tests after each package of this feed is installed: NAME VERSION.

case "$1" in
libktrxer) [ -s /usr/lib/libktrxer.a ] && grep -q ktrxer_tx_open /usr/include/ktrxer.h ;;
esac
