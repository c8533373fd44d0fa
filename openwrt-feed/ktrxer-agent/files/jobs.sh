# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# The job file that the agent runs, made from /etc/config/ktrxer and from what the network is like now. Used by the init script.

KTRXER_AGENT=/usr/sbin/ktrxer-agent
KTRXER_CONFIG=/etc/config/ktrxer
# In memory, as all that is written while the service runs.
KTRXER_RUN=/var/run/ktrxer

ktrxer_log() {
	logger -t ktrxer -p "daemon.$1" "$2"
	[ "$1" = info ] || echo "ktrxer: $2" >&2
}

# Writes $KTRXER_RUN/jobs.new, and waiting.new and starts.new, see jobs.awk. Fails, and says why, if the configuration has errors.
ktrxer_make_jobs() {
	local said routes
	said=$("$KTRXER_AGENT" check "$KTRXER_CONFIG" 2>&1) || {
		echo "$said" | while read -r line; do ktrxer_log err "$line"; done
		return 1
	}
	if ! mkdir -p "$KTRXER_RUN" || ! : > "$KTRXER_RUN/waiting.new" || ! : > "$KTRXER_RUN/starts.new"; then
		ktrxer_log err "cannot write to $KTRXER_RUN; is there memory left? see: df /var/run"
		return 1
	fi
	routes=$(ip -4 route show default 2> /dev/null; ip -6 route show default 2> /dev/null)
	if ! uci -q export ktrxer | awk -v routes="$routes" -v waiting="$KTRXER_RUN/waiting.new" -v starts="$KTRXER_RUN/starts.new" \
		-f /lib/ktrxer/jobs.awk > "$KTRXER_RUN/jobs.new" || ! "$KTRXER_AGENT" check "$KTRXER_RUN/jobs.new" > /dev/null 2>&1; then
		ktrxer_log err "cannot write $KTRXER_RUN/jobs.new; is there memory left? see: df /var/run"
		rm -f "$KTRXER_RUN"/*.new
		return 1
	fi
}

# Puts the new files in the place of the old ones, and says which jobs wait since now. Succeeds if the jobs are others than before.
ktrxer_take_jobs() {
	local changed=0 line
	cmp -s "$KTRXER_RUN/jobs" "$KTRXER_RUN/jobs.new" || changed=1
	while read -r line; do
		grep -qxF "$line" "$KTRXER_RUN/waiting" 2> /dev/null || ktrxer_log info "job $line"
	done < "$KTRXER_RUN/waiting.new"
	# Once a job at start has had its interface, it has run, even if the interface goes and comes again.
	sort -u "$KTRXER_RUN/starts.new" "$KTRXER_RUN/starts" 2> /dev/null > "$KTRXER_RUN/starts.all"
	mv "$KTRXER_RUN/starts.all" "$KTRXER_RUN/starts"
	rm -f "$KTRXER_RUN/starts.new"
	mv "$KTRXER_RUN/waiting.new" "$KTRXER_RUN/waiting"
	mv "$KTRXER_RUN/jobs.new" "$KTRXER_RUN/jobs"
	[ "$changed" = 1 ]
}
