# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Of start.sh, stop.sh and settle.sh, in the folder above the bundle: as root they go on only where nothing is a link and all is
# root's or the shell user's (2000). Root would write, and run, where a link of another user leads.
owned() {
	[ "$(id -u)" = 0 ] || return 0
	odd=
	[ "$(pwd)" = "$(pwd -P)" ] || odd=$(pwd)
	[ -n "$odd" ] || odd=$(find . \( -type l -o ! -user 0 ! -user 2000 \) -print | head -n 1)
	[ -n "$odd" ] || return 0
	echo "${0##*/}: $odd is a link, or neither root's nor the shell user's, and root does not touch it; remove it, and push again" >&2
	return 1
}
