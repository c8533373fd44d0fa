#!/system/bin/sh
# SPDX-License-Identifier: MIT
# At each boot, by Magisk or KernelSU, late: starts the jobs when the phone is up. Never blocks: what waits does so on its own.
here=${0%/*}
(
	# Of the time before the boot.
	rm -f "$here/agent.pid"
	tries=0
	while [ "$(getprop sys.boot_completed)" != 1 ] && [ $tries -lt 60 ]; do
		sleep 5
		tries=$((tries + 1))
	done
	sh "$here/bundle/start.sh"
) > /dev/null 2>&1 &
