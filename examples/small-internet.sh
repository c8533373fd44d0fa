#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A small internet of network namespaces, made for a moment and removed again. Needs root, or (for
# run) a kernel that lets users have namespaces.
#
#            LAN        198.51.100.0/30  198.51.100.4/30  198.51.100.8/30
#     home ------- gw ------------ hop1 ------------ hop2 ------------ hop3 ------------ server
#       .2       .1  .1          .2  .5            .6  .9           .10  .1           .80
#      192.168.1.0/24                                                   192.0.2.0/24
#      2001:db8:1::/64   2001:db8:a::/64   2001:db8:b::/64   2001:db8:c::/64   2001:db8:80::/64
#       ::2      ::1  ::1        ::2  ::1          ::2  ::1          ::2  ::1          ::80
#
#     delay     0.5 ms         4 ms each way     1 ms each way     3 ms each way     2 ms each way
#     round trip, from home:   gw 0.5   hop1 8.5   hop2 10.5   hop3 16.5   server 20.5 ms
#
# Delays exist where the kernel has netem, and are near zero elsewhere. The LAN's is on the way back only: a
# sender that bypasses the queueing discipline of its own interface must not escape it. The server (192.0.2.80,
# 2001:db8:80::80) answers ICMP echo, echoes UDP on port 7, has TCP port 80 open and everything else closed.
# Routers answer every expired packet: their ICMP rate limits are off.
# shellcheck disable=SC2086,SC2016,SC2015 # lists of words; a script for a namespace; either failure is one
set -euo pipefail

usage() {
	cat >&2 <<-END
	usage: small-internet.sh run COMMAND [ARGUMENT...]   run a command at home in a new small internet
	       small-internet.sh up [NAME]                   make one that stays; prints its name
	       small-internet.sh down [NAME]                 remove it, or every one that was left behind
	END
	exit 64
}

NODES="home gw hop1 hop2 hop3 server"
ROUTERS="gw hop1 hop2 hop3"
MARK=ktrxer

in_ns() { local node=$1; shift; ip netns exec "$NAME-$node" "$@"; }

# What to tell ip and tc in each node's namespace is collected first and then said in one go: starting a program
# is dear in the virtual machine of the tests.
declare -A ip_lines tc_lines interfaces
links=""
cables=0

tell() { ip_lines[$1]+="$2"$'\n'; }

# link A interface addr4 addr6 delay  B interface addr4 addr6 delay: a cable, with the delay in each direction.
# The ends know each other's hardware address, except on the LAN, where it is asked for as in life.
link() {
	local a=$1 ia=$2 b=$6 ib=$7
	cables=$((cables + 1))
	local mac_a=02:00:00:00:0$cables:0a mac_b=02:00:00:00:0$cables:0b
	links+="link add $ia address $mac_a netns $NAME-$a type veth peer name $ib address $mac_b netns $NAME-$b"$'\n'
	plug "$a" "$ia" "$3" "$4" "$5" "$mac_b" "$8" "$9"
	plug "$b" "$ib" "$8" "$9" "${10}" "$mac_a" "$3" "$4"
}

plug() {
	local node=$1 interface=$2 addr4=$3 addr6=$4 delay=$5 peer_mac=$6 peer4=$7 peer6=$8
	interfaces[$node]+=" $interface"
	tell "$node" "link set dev $interface up"
	tell "$node" "addr add $addr4 dev $interface"
	tell "$node" "addr add $addr6 dev $interface nodad"
	if [ "$interface" != lan ]; then
		tell "$node" "neigh replace ${peer4%/*} lladdr $peer_mac dev $interface nud permanent"
		tell "$node" "neigh replace ${peer6%/*} lladdr $peer_mac dev $interface nud permanent"
	fi
	[ "$delay" = 0 ] || tc_lines[$node]+="qdisc add dev $interface root netem delay $delay limit 100000"$'\n'
}

route() { # node via4 via6 destination...
	local node=$1 via4=$2 via6=$3 destination
	shift 3
	for destination in "$@"; do
		case $destination in
		default) tell "$node" "route add default via $via4" && tell "$node" "route add ::/0 via $via6" ;;
		*:*) tell "$node" "route add $destination via $via6" ;;
		*) tell "$node" "route add $destination via $via4" ;;
		esac
	done
}

# Kernel settings of a node: addresses that can be used at once, no limit on ICMP, ICMP sockets for everyone, and
# (routers) forwarding; finished checksums, for captures, where ethtool is there to ask for them.
SETTINGS='
	cd /proc/sys/net
	for file in ipv6/conf/all/accept_dad ipv6/conf/default/accept_dad ipv4/icmp_ratemask ipv6/icmp/ratemask \
		ipv4/conf/all/rp_filter ipv4/conf/default/rp_filter; do
		[ ! -e $file ] || echo 0 > $file
	done
	{ echo "0 2147483647" > ipv4/ping_group_range || echo "0 0" > ipv4/ping_group_range; } 2>/dev/null
	echo $1 > ipv4/ip_forward
	echo $1 > ipv6/conf/all/forwarding
	shift
	# An interface that was there before has its own copy of the default.
	for interface; do echo 0 > ipv6/conf/$interface/accept_dad; done
	if command -v ethtool >/dev/null; then
		for interface; do ethtool -K $interface tx off >/dev/null 2>&1 || true; done
	fi
'

serve() {
	if command -v netserver >/dev/null; then
		in_ns server netserver >/dev/null
		return
	fi
	# Two sockets each, since an answer has to leave from the address that was asked.
	in_ns server python3 -c '
import os, selectors, socket, sys
waiting = selectors.DefaultSelector()
for family, address in ((socket.AF_INET, "192.0.2.80"), (socket.AF_INET6, "2001:db8:80::80")):
    udp, tcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family)
    udp.bind((address, 7))
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((address, 80))
    tcp.listen(64)
    waiting.register(udp, 1, lambda s: (lambda d, a: s.sendto(d, a))(*s.recvfrom(65536)))
    waiting.register(tcp, 1, lambda s: s.accept()[0].close())
if os.fork():
    os._exit(0)
os.setsid()
null = os.open(os.devnull, os.O_RDWR)
for fd in 0, 1, 2:
    os.dup2(null, fd)
while True:
    for key, _ in waiting.select():
        key.data(key.fileobj)
'
}

up() {
	local node forward
	link home lan 192.168.1.2/24 2001:db8:1::2/64 0            gw lan 192.168.1.1/24 2001:db8:1::1/64 500us
	link gw wan 198.51.100.1/30 2001:db8:a::1/64 4ms           hop1 west 198.51.100.2/30 2001:db8:a::2/64 4ms
	link hop1 east 198.51.100.5/30 2001:db8:b::1/64 1ms        hop2 west 198.51.100.6/30 2001:db8:b::2/64 1ms
	link hop2 east 198.51.100.9/30 2001:db8:c::1/64 3ms        hop3 west 198.51.100.10/30 2001:db8:c::2/64 3ms
	link hop3 east 192.0.2.1/24 2001:db8:80::1/64 2ms          server eth0 192.0.2.80/24 2001:db8:80::80/64 2ms

	route home 192.168.1.1 2001:db8:1::1 default
	route gw 198.51.100.2 2001:db8:a::2 default
	route hop1 198.51.100.6 2001:db8:b::2 default
	route hop1 198.51.100.1 2001:db8:a::1 192.168.1.0/24 2001:db8:1::/64
	route hop2 198.51.100.10 2001:db8:c::2 default
	route hop2 198.51.100.5 2001:db8:b::1 192.168.1.0/24 198.51.100.0/30 2001:db8:1::/64 2001:db8:a::/64
	route hop3 198.51.100.9 2001:db8:c::1 192.168.1.0/24 198.51.100.0/29 \
		2001:db8:1::/64 2001:db8:a::/64 2001:db8:b::/64
	route server 192.0.2.1 2001:db8:80::1 default

	for node in $NODES; do printf 'netns add %s\n' "$NAME-$node"; done | ip -batch -
	ip -batch - <<< "$links"
	for node in $NODES; do
		case " $ROUTERS " in *" $node "*) forward=1 ;; *) forward=0 ;; esac
		in_ns "$node" bash -c "$SETTINGS" settings $forward ${interfaces[$node]}
		ip -n "$NAME-$node" -batch - <<< "link set dev lo up"$'\n'"${ip_lines[$node]}"
	done
	for node in "${!tc_lines[@]}"; do
		# No netem, no delay; everything else is the same.
		tc -n "$NAME-$node" -batch - <<< "${tc_lines[$node]}" 2>/dev/null || break
	done
	serve
}

down() {
	local node pids
	for node in $NODES; do
		pids=$(ip netns pids "$NAME-$node" 2>/dev/null) || continue
		# What runs in there was started for this internet and has no use without it.
		[ -z "$pids" ] || kill -TERM $pids 2>/dev/null || true
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			pids=$(ip netns pids "$NAME-$node" 2>/dev/null) && [ -n "$pids" ] || break
			sleep 0.1
		done
		[ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
		ip netns del "$NAME-$node" 2>/dev/null || true
	done
}

# Names of the small internets that exist.
existing() { ip netns list | awk -v mark="^$MARK-" '$1 ~ mark && sub(/-home$|-gw$|-hop[123]$|-server$/, "", $1) { print $1 }' |
	sort -u; }

[ $# -ge 1 ] || usage
PATH=$PATH:/usr/sbin:/sbin
command -v ip >/dev/null || { echo "small-internet.sh: no ip here; install iproute2" >&2; exit 69; }
if [ "$(id -u)" != 0 ]; then
	# A user namespace makes us root over network namespaces of our own, where the kernel lets users have that.
	[ "$1" = run ] && unshare --user --map-root-user --mount --net true 2>/dev/null ||
		{ echo "small-internet.sh: making network namespaces needs root here" >&2; exit 77; }
	exec unshare --user --map-root-user --mount --net bash -c 'mount -t tmpfs tmpfs /run && exec "$@"' - "$0" "$@"
fi
action=$1
shift

case $action in
run)
	[ $# -ge 1 ] || usage
	# What a killed run left behind goes first.
	for NAME in $(existing); do
		case $NAME in $MARK-run*) kill -0 "${NAME#"$MARK-run"}" 2>/dev/null || down ;; esac
	done
	NAME=$MARK-run$$
	trap down EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	up
	status=0
	# A signal is dealt with while the command runs only if the shell waits for it; a terminal sends it to both.
	if [ -t 0 ]; then
		in_ns home "$@" || status=$?
	else
		in_ns home "$@" <&0 &
		wait $! || status=$?
	fi
	exit $status
	;;
up)
	NAME=$MARK-${1:-$$}
	trap 'down' EXIT
	up
	trap - EXIT
	echo "$NAME"
	;;
down)
	for NAME in ${1:-$(existing)}; do down; done
	;;
*) usage ;;
esac
