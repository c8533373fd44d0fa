# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Of start.sh and stop.sh: whether the agent that agent.pid names still runs; sets pid. After a restart of the phone the number may
# be anybody's: only a process that is the agent by its program counts. cmdline has it for other users' processes, too.
running() {
	pid=$(cat agent.pid 2> /dev/null)
	case $pid in '' | *[!0-9]*) return 1 ;; esac
	[ -r "/proc/$pid/cmdline" ] || return 1
	case $(tr '\000' '\n' 2> /dev/null < "/proc/$pid/cmdline" | head -n 1) in */ktrxer-agent) ;; *) return 1 ;; esac
}
