#!/system/bin/sh
# SPDX-License-Identifier: MIT
# By Magisk or KernelSU when the module is removed: nothing stays but the results and the job file, which are the user's.
sh /data/local/tmp/ktrxer/bundle/stop.sh --unload > /dev/null 2>&1
cd /data/local/tmp/ktrxer 2> /dev/null || exit 0
rm -rf bundle new old ktrxer resolver agent.log agent.pid
