#!/system/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # running sets pid
# Starts the jobs of ktrxer.conf in the background, with the module where it fits and one may load it. Returns after a second.
cd "${0%/*}/.." || exit 1
umask 022
. bundle/owned.sh
owned || exit 1
. bundle/running.sh
if running; then
	echo "start.sh: runs already, as process $pid; to start anew: bundle/stop.sh"
	exit 0
fi
bundle/ktrxer-agent check ktrxer.conf || exit 2
module=bundle/modules/$(uname -r)/ktrxer.ko
if [ "$(id -u)" = 0 ] && [ ! -e /dev/ktx ] && [ -e "$module" ]; then
	insmod "$module" || echo "start.sh: the module does not load; bundle/preflight.sh says why" >&2
fi
mkdir -p results
# Root writes no records where another user may: what the shell user measured before becomes root's.
[ "$(id -u)" != 0 ] || chown -hR 0:0 results
KTRXER_RESOLVER=${KTRXER_RESOLVER:-$(cat resolver 2> /dev/null)}
export KTRXER_RESOLVER
# A session of its own: it goes on when adb's shell ends.
# Another user's stays his, and could not be written to.
rm -f agent.log agent.pid
setsid=$(command -v setsid) || setsid=
$setsid bundle/ktrxer-agent run -f ktrxer.conf < /dev/null > agent.log 2>&1 &
echo $! > agent.pid
# What it cannot do at all it says at once. On a slow phone it takes a while until it is the agent.
sleep 1
tries=0
until running || [ $tries = 20 ] || [ ! -d "/proc/$pid" ]; do
	sleep 0.1 2> /dev/null || sleep 1
	tries=$((tries + 1))
done
if ! running; then
	rm -f agent.pid
	echo "start.sh: it ended at once: $(tail -n 1 agent.log)" >&2
	exit 1
fi
echo "start.sh: runs as process $pid; what it says is in agent.log, records in results/"
