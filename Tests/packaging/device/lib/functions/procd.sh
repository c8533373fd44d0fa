# SPDX-License-Identifier: MIT
# A service is a folder below /var/run/procd: a file for each parameter, an argument a line; supervisor and child are the processes.
PROCD=/var/run/procd
procd_open_service() {
	PROCD_SERVICE=$PROCD/$1
	rm -rf "$PROCD_SERVICE.new"
	mkdir -p "$PROCD_SERVICE.new"
}
procd_open_instance() { mkdir "$PROCD_SERVICE.new/instance"; }
procd_close_instance() { :; }
procd_set_param() {
	local file=$PROCD_SERVICE.new/instance/$1
	shift
	printf '%s\n' "$@" > "$file"
}
procd_add_jail() { procd_set_param jail "$@"; }
procd_add_jail_mount() { printf '%s\n' "$@" >> "$PROCD_SERVICE.new/instance/mounts"; }
procd_add_jail_mount_rw() { printf '%s\n' "$@" >> "$PROCD_SERVICE.new/instance/mounts_rw"; }
procd_add_reload_trigger() { echo "config.change $1 /etc/init.d/$name reload" >> "$PROCD_SERVICE.new/triggers"; }
procd_add_raw_trigger() { shift_two "$@" >> "$PROCD_SERVICE.new/triggers"; }
shift_two() { printf '%s * ' "$1"; shift 2; echo "$@"; }
procd_add_validation() { "$@"; }
# Only what has changed is started anew.
procd_close_service() {
	service_triggers
	touch "$PROCD_SERVICE.new/triggers"
	cp "$PROCD_SERVICE.new/triggers" "$PROCD_SERVICE.triggers"
	if [ -d "$PROCD_SERVICE" ] && [ -d "$PROCD_SERVICE.new/instance" ] && procd_running "$name" && procd_same; then
		rm -r "$PROCD_SERVICE.new"
		return
	fi
	procd_end "$name"
	rm "$PROCD_SERVICE.new/triggers"
	if [ -d "$PROCD_SERVICE.new/instance" ]; then
		mv "$PROCD_SERVICE.new/instance" "$PROCD_SERVICE"
		setsid procd-supervise "$PROCD_SERVICE" < /dev/null > /dev/null 2>&1 &
	fi
	rm -rf "$PROCD_SERVICE.new"
}
procd_same() {
	local parameter
	for parameter in command env capabilities mounts mounts_rw; do
		[ "$(cat "$PROCD_SERVICE/$parameter" 2> /dev/null)" = "$(cat "$PROCD_SERVICE.new/instance/$parameter" 2> /dev/null)" ] || return 1
	done
}
procd_running() { [ -e "$PROCD/$1/child" ] && kill -0 "$(cat "$PROCD/$1/child" 2> /dev/null)" 2> /dev/null; }
procd_kill() {
	procd_end "$1"
	rm -f "$PROCD/$1.triggers"
}
procd_end() {
	local tries=0
	[ -d "$PROCD/$1" ] || return 0
	touch "$PROCD/$1/ending"
	kill "$(cat "$PROCD/$1/child" 2> /dev/null)" 2> /dev/null
	while procd_running "$1"; do
		tries=$((tries + 1))
		[ $tries -lt 50 ] || kill -9 "$(cat "$PROCD/$1/child")"
		usleep 100000
	done
	rm -rf "${PROCD:?}/$1"
}
procd_send_signal() { kill "-$3" "$(cat "$PROCD/$1/child")"; }
uci_load_validate() {
	local package=$1 type=$2 section=$3 function=$4 result said
	shift 4
	said=$(validate_data "$package" "$type" "$section" "$@")
	result=$?
	eval "$said"
	[ -z "$function" ] || "$function" "$section" $result
}
