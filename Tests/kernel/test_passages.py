# SPDX-License-Identifier: MIT
"""Packets that pass the hook twice, through a bridge or in a VRF, are looked at once: one record, one count, one reaction."""

import pytest

import packets
from capturing import (
    CAPTURE, CAPTURE_DROP, EDIT_DESTINATION_PORT, FORWARD, RULE_NEIGHBOUR, Capture, Script, bound, counters_of, interface, reaction, rule,
)
from sending import compiled

FAR = "02:00:00:00:00:0b"
NEAR = {"br0": "02:00:00:00:00:01", "slave0": "02:00:00:00:00:02", "br1": "02:00:00:00:00:03"}
NOBODY = "02:00:00:00:00:99"
NETWORK = {"br0": 1, "slave0": 2, "br1": 3}
ANSWER = packets.ethernet(FAR, NOBODY, packets.ip4("10.6.0.1", "10.6.0.2", 17, packets.udp("10.6.0.1", "10.6.0.2", 7, 7)))
# The first file is 3, the second 4.
SENDER = 4


@pytest.fixture(scope="module")
def guest(debug, tmp_path_factory):
    """
    br0 10.5.1.1, fd05:1::1 with the ports port0 --veth-- tap0 and port1 --veth-- tap1
    slave0 10.5.2.1, fd05:2::1 in the VRF red --veth-- tap2
    br1 10.5.3.1, fd05:3::1 in the VRF red with the port port3 --veth-- tap3
    spare0, on which reactions leave
    """
    debug.put(compiled("calls", tmp_path_factory.mktemp("programs")))
    lines = ["ip=/bin/ip; $ip link add red type vrf table 10; $ip link add spare0 type dummy"]
    for port, tap in ("port0", "tap0"), ("port1", "tap1"), ("slave0", "tap2"), ("port3", "tap3"):
        lines.append(f"$ip link add {port} type veth peer name {tap} address {FAR}")
    lines.append("for each in br0 br1; do $ip link add $each type bridge; done")
    lines.append("$ip link set port0 master br0; $ip link set port1 master br0; $ip link set port3 master br1")
    lines.append("$ip link set slave0 master red; $ip link set br1 master red")
    for name, address in NEAR.items():
        lines.append(f"$ip link set {name} address {address}")
    lines.append("for each in red spare0 port0 port1 port3 tap0 tap1 tap2 tap3 br0 br1 slave0 lo; do $ip link set $each up; done")
    for name, number in NETWORK.items():
        lines.append(f"$ip addr add 10.5.{number}.1/24 dev {name}; $ip addr add fd05:{number}::1/64 dev {name} nodad")
    debug.run("; ".join(lines) + "; sleep 5").check()
    yield debug
    debug.run("; ".join(f"/bin/ip link del {each}" for each in ("tap0", "tap1", "tap2", "tap3", "br0", "br1", "red", "spare0")) + "; sleep 1").check()


def bridge_calls(guest, on):
    guest.run(f"for each in iptables ip6tables; do echo {on} > /proc/sys/net/bridge/bridge-nf-call-$each; done").check()


def udp(name, family, port, to=None):
    number = NETWORK[name]
    make, there, here = {4: (packets.ip4, f"10.5.{number}.2", f"10.5.{number}.1"), 6: (packets.ip6, f"fd05:{number}::2", f"fd05:{number}::1")}[family]
    return packets.ethernet(to or NEAR[name], FAR, make(there, here, 17, packets.udp(there, here, 1234, port, b"once")))


def passed(guest, tap, frames, **fields):
    """The records of the frames, and the rule's counters; the rule captures and reacts."""
    fields = {"operation": CAPTURE, "protocol": 17, "destination_port": 5000} | fields
    script = Script()
    capture = Capture(script)
    bound(script, guest, "spare0", ANSWER)
    added = capture.add(rule(1, fields.pop("operation"), reaction=reaction(SENDER, 0, len(ANSWER)), **fields))
    for frame in frames:
        script.send(tap, frame)
    script.call("sleep", 50)
    look, counters = capture.look(), capture.counters()
    script.run(guest)
    added.check()
    return capture.records(look), counters_of(counters)[1]


def check_once(guest, passes, count, name):
    records, counters = passes
    assert [each.interface_index for each in records] == [interface(guest, name)] * count
    assert (counters.packets, counters.captured, counters.reactions, counters.reactions_lost) == (count, count, count, 0)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("calls", [0, 1])
def test_bridge(guest, family, calls):
    """Whether a bridge shows its packets to netfilter or not, each for the system is seen once, as the bridge's."""
    bridge_calls(guest, calls)
    check_once(guest, passed(guest, "tap0", [udp("br0", family, 5000)] * 5, family=family), 5, "br0")


@pytest.mark.parametrize("family", [4, 6])
def test_what_is_only_bridged(guest, family):
    """From port to port, the hook sees it where bridges show their packets, and only there."""
    for calls in 0, 1:
        bridge_calls(guest, calls)
        check_once(guest, passed(guest, "tap0", [udp("br0", family, 5000, NOBODY)] * 3, family=family), 3 * calls, "br0")


@pytest.mark.parametrize("family", [4, 6])
def test_vrf(guest, family):
    """In a VRF, as the interface's by which it came."""
    check_once(guest, passed(guest, "tap2", [udp("slave0", family, 5000)] * 5, family=family), 5, "slave0")
    for calls in 0, 1:
        bridge_calls(guest, calls)
        check_once(guest, passed(guest, "tap3", [udp("br1", family, 5000)] * 5, family=family), 5, "br1")


def test_neighbour_discovery_in_a_vrf(guest):
    """Keeps its interface in both passages: a solicitation is captured once, and answered once."""
    asked = packets.packed("fd05:2::99")
    option = b"\x01\x01" + bytes.fromhex(FAR.replace(":", ""))
    message = packets.icmp6("fd05:2::2", "ff02::1:ff00:99", 135, 0, bytes(4), asked + option)
    frame = packets.ethernet("33:33:ff:00:00:99", FAR, packets.ip6("fd05:2::2", "ff02::1:ff00:99", 58, message, 255))
    script = Script()
    capture, watcher = Capture(script), Capture(script, 1)
    added = [
        capture.add(rule(1, CAPTURE, 6, protocol=58, icmp_type=135, interface_index=interface(guest, "slave0"))),
        capture.add(rule(2, CAPTURE, 6, destination="fd05:2::99/128", flags=RULE_NEIGHBOUR, interface_index=interface(guest, "slave0"))),
        watcher.add(rule(1, CAPTURE, 6, protocol=58, icmp_type=136, source="fd05:2::99/128", interface_index=interface(guest, "tap2"))),
    ]
    for _ in range(3):
        script.send("tap2", frame)
    script.call("sleep", 50)
    seen, answers = capture.look(), watcher.look()
    script.run(guest)
    for each in added:
        each.check()
    assert [each.rule_id for each in capture.records(seen)] == [1] * 3
    assert len([each for each in watcher.records(answers) if each.data[7] == 255]) == 3


def test_within_a_vrf(guest):
    """What is sent to the VRF's own address arrives by the VRF, and has but one passage."""
    for family, address in (4, "10.5.2.1"), (6, "fd05:2::1"):
        script = Script()
        capture = Capture(script)
        requests = {4: {"protocol": 1, "icmp_type": 8}, 6: {"protocol": 58, "icmp_type": 128}}[family]
        added = capture.add(rule(1, CAPTURE, family, destination=f"{address}/{32 if family == 4 else 128}", **requests))
        script.call("sleep", 3000)
        look = capture.look()
        script.run(guest, meanwhile=f"sleep 0.2; /sbin/ip vrf list; ping -{family} -I red -c 2 -i 0.2 -W 1 {address}")
        added.check()
        assert "2 packets received" in guest.read("meanwhile") or " 2 received" in guest.read("meanwhile"), guest.read("meanwhile")
        assert [each.interface_index for each in capture.records(look)] == [interface(guest, "red")] * 2


@pytest.mark.parametrize("tap, name", [("tap0", "br0"), ("tap2", "slave0")])
def test_edits_and_drops(guest, tap, name):
    """What one passage makes of a packet the other leaves: an edited packet is not met by the rule for what it has become."""
    bridge_calls(guest, 1)
    script = Script()
    capture = Capture(script)
    added = [
        capture.add(rule(1, FORWARD, protocol=17, destination_port=5001, edits=[(EDIT_DESTINATION_PORT, b"\x13\x8a")])),
        capture.add(rule(2, CAPTURE, protocol=17, destination_port=5002)),
        capture.add(rule(3, CAPTURE_DROP, protocol=17, destination_port=5003)),
    ]
    for port in 5001, 5003:
        script.send(tap, udp(name, 4, port))
    script.call("sleep", 50)
    counters, look = capture.counters(), capture.look()
    reached = "grep ^Udp: /proc/net/snmp | tail -n 1 | cut -d' ' -f3"
    before = int(guest.run(reached).out)
    script.run(guest)
    for each in added:
        each.check()
    seen = counters_of(counters)
    assert {number: each.packets for number, each in seen.items()} == {1: 1, 2: 0, 3: 1}
    assert [each.rule_id for each in capture.records(look)] == [3]
    # Nobody listens: the one that was let through.
    assert int(guest.run(reached).out) - before == 1
