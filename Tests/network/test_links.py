# SPDX-License-Identifier: MIT
"""Links of other types than plain Ethernet, each the way to the whole small internet: what is built for the link
it leaves by, and what becomes of it when the link goes away."""

import itertools
import re

import pytest

from bed import HOP_RTT, HOPS4, HOPS6, SERVER4, SERVER6, SERVER_RTT
from dissection import assert_wellformed, capture
from links import LINKS, make_links
from records import records

EXACT = 100_000
TRANSPORTS = ["packet", "socket"]


@pytest.fixture(scope="module", autouse=True)
def links(virtual):
    make_links(virtual)


@pytest.fixture(params=LINKS, ids=lambda link: link.name)
def link(virtual, request):
    """The default route goes by this link."""
    link = request.param
    virtual.run(
        f"/bin/ip route replace default dev {link.name} via {link.gw4}; "
        f"/bin/ip route replace default dev {link.name} via {link.gw6}; "
        f"fping -q -c1 {SERVER4} {SERVER6}"
    ).check()
    return link


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("family", ["4", "6"])
def test_link(virtual, link, transport, family):
    target, hops, first = (SERVER4, HOPS4, link.gw4) if family == "4" else (SERVER6, HOPS6, link.gw6)
    less = HOP_RTT[0] - link.rtt
    for arguments in "-P icmp", "-P udp -p 7", "-P tcp -p 80":
        seen = virtual.agent(f"ping {arguments} -T {transport} -c 3 -i 50ms --json {target}").check()
        (record,) = records(seen.out)
        assert record.transport == transport, record
        assert transport == "socket" or record.interface == link.name, record
        for probe in record.probes:
            assert abs(probe.rtt - (SERVER_RTT - less)) < EXACT, record
    seen = virtual.agent(f"trace -T {transport} --json {target}").check()
    (record,) = records(seen.out)
    for probe in record.probes:
        assert probe.sender == [first, *hops[1:]][probe.ttl - 1], record
        assert abs(probe.rtt - (HOP_RTT[probe.ttl - 1] - less)) < EXACT, record
    seen = virtual.agent(f"train -P udp -p 7 -T {transport} -c 10 --json {target}").check()
    (record,) = records(seen.out)
    assert record.answered_count == 10, record


@pytest.mark.parametrize("family", ["4", "6"])
def test_largest_packet(virtual, link, family):
    """The biggest packet that the link takes goes out whole; one byte more is refused with the reason."""
    mtu = int(re.search(r"mtu (\d+)", virtual.run(f"/bin/ip link show {link.name}").check().out)[1])
    address, headers = (link.gw4, 28) if family == "4" else (link.gw6, 48)
    virtual.agent(f"ping -T packet -c 1 -s {mtu - headers} {address}").check()
    seen = virtual.agent(f"ping -T packet -c 1 -s {mtu - headers + 1} {address}", timeout=15).check(69)
    assert "MTU" in seen.out + seen.err and str(mtu) in seen.out + seen.err, seen


def test_frames_are_wellformed(virtual, link):
    """On the link itself, and (VLAN tag, PPPoE header) on the wire below."""
    for interface in link.name, "lan":
        if link.name == "tun0" and interface == "lan":
            continue
        with capture(virtual, f"{link.name}-{interface}", interface=interface) as path:
            for transport, target in itertools.product(TRANSPORTS, (SERVER4, SERVER6)):
                virtual.agent(f"ping -T {transport} -c 2 -i 10ms {target}").check()
                virtual.agent(f"trace -T {transport} {target}").check()
        among = {"vlan7": "vlan.id == 7", "ppp0": "pppoes", "wg0": "udp.port == 5000"}.get(link.name) if interface == "lan" else None
        assert_wellformed(path, among or "icmp || icmpv6 || udp")
