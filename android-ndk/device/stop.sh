#!/system/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # running sets pid
# Ends what start.sh started. Results stay. stop.sh --unload takes the module out, too.
# 1: nothing runs; 2: it runs as another user, and this one may not end it.
cd "${0%/*}/.." || exit 1
. bundle/owned.sh
owned || exit 1
. bundle/running.sh
status=1
if running; then
	kill "$pid" 2> /dev/null || {
		echo "stop.sh: it runs as root, and ends by root: su -c 'sh $PWD/bundle/stop.sh'" >&2
		exit 2
	}
	status=0
	# It writes the records of what was under way first.
	tries=0
	while running && [ $tries -lt 50 ]; do
		sleep 0.1 2> /dev/null || sleep 1
		tries=$((tries + 1))
	done
	! running || kill -9 "$pid"
fi
rm -f agent.pid
[ "${1:-}" != --unload ] || [ ! -e /dev/ktx ] || rmmod ktrxer || echo "stop.sh: the module stays: somebody uses it, or this needs root" >&2
[ $status = 0 ] || echo "stop.sh: nothing runs"
exit $status
