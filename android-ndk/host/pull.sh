#!/bin/sh
# SPDX-License-Identifier: MIT
# Fetches the phone's results by adb, on the computer: pull.sh [-s SERIAL] [FOLDER]. Into FOLDER, or ktrxer-results-DATE.
set -eu
serial=''
if [ "${1:-}" = -s ] && [ $# -ge 2 ]; then
	serial=$2
	shift 2
fi
[ $# -le 1 ] || { echo "usage: pull.sh [-s SERIAL] [FOLDER]" >&2; exit 64; }
command -v adb > /dev/null || { echo "pull.sh: no adb on the PATH; install it: apt-get install adb, or Android's platform tools" >&2; exit 1; }
device() { if [ -n "$serial" ]; then adb -s "$serial" "$@"; else adb "$@"; fi; }
folder=${1:-ktrxer-results-$(date +%Y%m%d-%H%M%S)}
device shell 'test -d /data/local/tmp/ktrxer/results' < /dev/null ||
	{ echo "pull.sh: no results on the device; start jobs there: /data/local/tmp/ktrxer/bundle/start.sh" >&2; exit 1; }
mkdir -p "$folder"
device pull /data/local/tmp/ktrxer/results/. "$folder" > /dev/null || { echo "pull.sh: the results did not come over whole; try again" >&2; exit 1; }
echo "pull.sh: in $folder: $(find "$folder" -type f | wc -l) files"
