# SPDX-License-Identifier: MIT
"""Further links between the home host and the home router of the virtual bed, each of another type.

     home ===== gw      the LAN (Ethernet), with on top of it or beside it:
          vlan7         802.1Q, id 7
          ppp0          a PPPoE session
          tun0          raw IP, carried by a program
          wg0           WireGuard

Each has 10.9.N.1 and 2001:db8:9N::1 at home, .2 and ::2 at the router, and leads to the rest of the internet.
"""

import dataclasses


@dataclasses.dataclass
class Link:
    name: str
    number: int
    # Round trip to the router, ns: the LAN's where it is carried by it, none over a program's tun.
    rtt: int

    home4 = property(lambda self: f"10.9.{self.number}.1")
    gw4 = property(lambda self: f"10.9.{self.number}.2")
    home6 = property(lambda self: f"2001:db8:9{self.number}::1")
    gw6 = property(lambda self: f"2001:db8:9{self.number}::2")


LINKS = [Link("vlan7", 1, 500_000), Link("ppp0", 2, 500_000), Link("tun0", 3, 0), Link("wg0", 4, 500_000)]


def make_links(bed):
    home, gw = bed.ns("home"), bed.ns("gw")
    make = f"""
        set -e
        for ns in {home} {gw}; do
            /bin/ip -n $ns link add link lan name vlan7 type vlan id 7
            /bin/ip -n $ns link add wg0 type wireguard
        done
        pppoelink {home} lan 02:00:00:00:01:0a {gw} lan 02:00:00:00:01:0b
        tunlink {home} {gw} tun0
        umask 077
        wg genkey > /tmp/home.key
        wg genkey > /tmp/gw.key
        peer() {{
            /bin/ip netns exec $1 wg set wg0 private-key /tmp/$2.key listen-port 5000 \
                peer $(wg pubkey < /tmp/$3.key) endpoint $4:5000 allowed-ips 0.0.0.0/0,::/0
        }}
        peer {home} home gw 192.168.1.1
        peer {gw} gw home 192.168.1.2
        """
    for link in LINKS:
        for ns, four, six in (home, link.home4, link.home6), (gw, link.gw4, link.gw6):
            make += f"""
                /bin/ip -n {ns} link set {link.name} up
                /bin/ip -n {ns} addr add {four}/24 dev {link.name}
                /bin/ip -n {ns} addr add {six}/64 dev {link.name} nodad
                """
    # As pppd sets it.
    make += "".join(f"/bin/ip -n {ns} link set ppp0 mtu 1492\n" for ns in (home, gw))
    # The way back from the routers, whatever link the probe came by: the first hop routes by its own address.
    make += f"/bin/ip -n {bed.ns('hop1')} route add 10.9.0.0/16 via 198.51.100.1\n"
    make += f"/bin/ip -n {bed.ns('hop1')} route add 2001:db8:90::/44 via 2001:db8:a::1\n"
    for node, via4, via6 in (
        ("hop2", "198.51.100.5", "2001:db8:b::1"),
        ("hop3", "198.51.100.9", "2001:db8:c::1"),
    ):
        make += f"/bin/ip -n {bed.ns(node)} route add 10.9.0.0/16 via {via4}\n"
        make += f"/bin/ip -n {bed.ns(node)} route add 2001:db8:90::/44 via {via6}\n"
    bed.run(make + "sleep 3", node=None).check()
