#!/system/bin/sh
# SPDX-License-Identifier: MIT
# Ends what start.sh started; 1 when nothing runs. Results stay. stop.sh --unload takes the module out, too.
cd "${0%/*}/.." || exit 1
status=1
if [ -s agent.pid ] && grep -q ktrxer "/proc/$(cat agent.pid)/cmdline" 2> /dev/null; then
	kill "$(cat agent.pid)" && status=0
	# It writes the records of what was under way first.
	tries=0
	while [ -d "/proc/$(cat agent.pid)" ] && [ $tries -lt 50 ]; do
		sleep 0.1 2> /dev/null || sleep 1
		tries=$((tries + 1))
	done
	[ ! -d "/proc/$(cat agent.pid)" ] || kill -9 "$(cat agent.pid)"
fi
rm -f agent.pid
[ "${1:-}" != --unload ] || [ ! -e /dev/ktx ] || rmmod ktrxer || echo "stop.sh: the module stays: somebody uses it, or this needs root" >&2
[ $status = 0 ] || echo "stop.sh: nothing runs"
exit $status
