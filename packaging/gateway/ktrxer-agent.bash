# SPDX-License-Identifier: MIT
# Completion of ktrxer-agent's commands, options and values in bash. It is found by the package bash-completion in
# share/bash-completion/completions; without that package, source it in ~/.bashrc.
# shellcheck shell=bash

# The options of a command.
_ktrxer_agent_options() {
	local measure="--family -P --protocol -p --port -s --size -Q --tos --df -S --source -I --interface -T --transport
		-W --timeout -4 -6 -D --json --pcap --max-pps --resolver"
	case $1 in
	ping | train) echo "$measure -t --ttl -c --count -i --gap" ;;
	trace) echo "$measure -f --first-hop -m --max-hops -q --probes -r --rate" ;;
	run) echo "--once --due -f --file --pcap" ;;
	doctor) echo "--json" ;;
	esac
}

# What may stand behind an option; fails when that option takes no value.
_ktrxer_agent_values() {
	local command=$1 option=$2 word=$3
	case $command/$option in
	run/-f | run/--file | */--pcap)
		# So that names with spaces are quoted, and folders get their slash.
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		;;
	*/-T | */--transport) mapfile -t COMPREPLY < <(compgen -W "auto kernel packet socket" -- "$word") ;;
	*/-P | */--protocol) mapfile -t COMPREPLY < <(compgen -W "icmp udp tcp" -- "$word") ;;
	*/--family) mapfile -t COMPREPLY < <(compgen -W "any 4 6" -- "$word") ;;
	*/--df) mapfile -t COMPREPLY < <(compgen -W "0 1" -- "$word") ;;
	*/-I | */--interface) mapfile -t COMPREPLY < <(compgen -W "$(ls /sys/class/net 2>/dev/null)" -- "$word") ;;
	# Numbers, durations and addresses are the person's to know.
	*/-[psQSWtcifmqr] | */--port | */--size | */--tos | */--source | */--timeout | */--ttl | */--count | */--gap) ;;
	*/--first-hop | */--max-hops | */--probes | */--rate | */--max-pps | */--resolver) ;;
	*) return 1 ;;
	esac
}

_ktrxer_agent() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "ping trace train run check doctor help version" -- "$word")
		return
	fi
	# bash makes three words of --option=value: the option, =, and the value.
	if [ "$word" = = ]; then
		word=
	elif [ "$previous" = = ]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	_ktrxer_agent_values "$command" "${previous//_/-}" "$word" && return
	case $command/$word in
	*/-*) mapfile -t COMPREPLY < <(compgen -W "$(_ktrxer_agent_options "$command") -h --help" -- "$word") ;;
	ping/* | trace/* | train/*) mapfile -t COMPREPLY < <(compgen -A hostname -- "$word") ;;
	check/* | doctor/*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		;;
	help/*)
		[ "$COMP_CWORD" != 2 ] ||
			mapfile -t COMPREPLY < <(compgen -W "ping trace train run check doctor" -- "$word")
		;;
	esac
}

complete -F _ktrxer_agent ktrxer-agent
