# SPDX-License-Identifier: MIT
"""Capturing: what a record says, every operation, edits, reactions, neighbours, and how all of it ends."""

import ctypes
import errno
import struct

import pytest

import packets
from capturing import (
    BASE_LINK, BASE_NETWORK, BASE_TRANSPORT, CAPTURE, CAPTURE_DROP, COPY_ADD, COPY_ADD_SEGMENT, DROP, EDIT_DESTINATION,
    EDIT_DESTINATION_PORT, EDIT_DSCP, EDIT_PAYLOAD, EDIT_SOURCE, EDIT_SOURCE_PORT, EDIT_TTL, EVENTFD, FORWARD, INFO, KTX_BIND,
    KTX_CANCEL, KTX_STATISTICS, KTX_SUBMIT, POLLERR, POLLHUP, POLLIN, REACT_APPEND_PAYLOAD, REACT_CHECKSUMS,
    RECORD_CHECKSUM_OPEN, RECORD_CUT, RECORD_DROPPED,
    RECORD_ERROR, RECORD_FRAGMENT, RECORD_LINK, RULE_ADD, RULE_DELETE, RULE_FLUSH, RULE_LINK, RULE_LIST, RULE_NEIGHBOUR,
    RULE_REPLACE, SETUP, STAMP_KERNEL, STATISTICS, THRESHOLD, Bind, Capture, Counters, Descriptor, Info, Rule, RuleList, Script,
    SenderStatistics, Setup, Statistics, bound, counters_of, interface, reaction, rule,
)
from sending import compiled

NEAR, FAR = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
HERE, THERE = "10.9.0.1", "10.9.0.2"
HERE6, THERE6 = "fd09::1", "fd09::2"


@pytest.fixture(scope="module")
def guest(debug, tmp_path_factory):
    """
    ip: near0 10.9.0.1, fd09::1 --veth-- tap0      frames go into the system by sending them on tap0
    ip: near1 10.8.0.1, fd08::1 --veth-- far1 10.8.0.2, fd08::2 in the namespace `far`
    """
    debug.put(compiled("calls", tmp_path_factory.mktemp("programs")))
    debug.run(
        f"ip=/bin/ip; $ip netns add far; $ip link add near0 address {NEAR} type veth peer name tap0 address {FAR};"
        "$ip link add near1 type veth peer name far1 netns far;"
        "for each in near0 tap0 near1 lo; do $ip link set $each up; done;"
        "$ip -n far link set far1 up; $ip -n far link set lo up;"
        f"$ip addr add {HERE}/24 dev near0; $ip addr add {HERE6}/64 dev near0 nodad; $ip neigh add {THERE} lladdr {FAR} dev near0;"
        f"$ip neigh add {THERE6} lladdr {FAR} dev near0; $ip addr add 10.8.0.1/24 dev near1; $ip addr add fd08::1/64 dev near1 nodad;"
        "$ip -n far addr add 10.8.0.2/24 dev far1; $ip -n far addr add fd08::2/64 dev far1 nodad; sleep 3"
    ).check()
    yield debug
    debug.run("/bin/ip netns del far; /bin/ip link del near0; /bin/ip link del near1; sleep 1")


def frame4(payload, protocol=17, source=THERE, destination=HERE, **fields):
    return packets.ethernet(NEAR, FAR, packets.ip4(source, destination, protocol, payload, **fields))


def udp4(port, payload=b"0123456789", source_port=1234, **fields):
    return frame4(packets.udp(fields.get("source", THERE), fields.get("destination", HERE), source_port, port, payload), **fields)


def udp6(port, payload=b"0123456789", source_port=1234, **fields):
    return packets.ethernet(
        NEAR, FAR, packets.ip6(THERE6, HERE6, 17, packets.udp(THERE6, HERE6, source_port, port, payload), **fields)
    )


def captured(guest, rules, frames, device="tap0", **keywords):
    """Records of the frames under the rules."""
    script = Script()
    capture = Capture(script, **keywords)
    added = [capture.add(each) for each in rules]
    sent = [script.send(device, frame) for frame in frames]
    script.call("sleep", 20)
    look = capture.look()
    script.run(guest)
    for answer in added:
        answer.check()
    for answer, frame in zip(sent, frames):
        answer.check(len(frame))
    return capture.records(look)


# ---- records ----


def test_record(guest):
    """All that a record says of a packet."""
    frame = udp4(5000, b"x" * 50)
    (seen,) = captured(guest, [rule(7, protocol=17, destination_port=5000)], [frame])
    assert seen.data == frame[14:]
    assert (seen.rule_id, seen.interface_index) == (7, interface(guest, "near0"))
    assert (seen.original_length, seen.captured_length, seen.capture_offset) == (78, 78, 0)
    assert (seen.sequence, seen.protocol, seen.source, seen.flags, seen.network_offset) == (0, 0x0800, STAMP_KERNEL, 0, 0)
    now = int(float(guest.run("cut -d' ' -f1 /proc/uptime").check().out) * 1e9)
    # Both clocks tell of the same instant: they differ by what the realtime clock was when the machine started.
    assert 0 <= now - seen.monotonic_ns < 5_000_000_000
    offset = seen.realtime_ns - seen.monotonic_ns
    (again,) = captured(guest, [rule(7, protocol=17, destination_port=5000)], [frame])
    assert abs(again.realtime_ns - again.monotonic_ns - offset) < 1000


def test_link_header_offset_and_length(guest):
    """The kept part of a packet is what the rule says, from the link header on where it says so."""
    frame = udp4(5000, bytes(range(100)))
    for offset, length, link in ((0, 0, 1), (0, 20, 1), (10, 20, 1), (14, 4, 1), (20, 0, 1), (28, 5, 0), (0, 33, 0), (500, 0, 0), (500, 3, 1)):
        (seen,) = captured(
            guest, [rule(1, destination_port=5000, capture_offset=offset, capture_length=length, flags=RULE_LINK * link)], [frame]
        )
        whole = frame if link else frame[14:]
        rest = whole[offset:]
        assert seen.data == (rest[:length] if length else rest), (offset, length, link)
        assert bool(seen.flags & RECORD_CUT) == (len(seen.data) < len(rest))
        assert bool(seen.flags & RECORD_LINK) == bool(link)
        assert seen.network_offset == max(14 * link - offset, 0)
        assert seen.capture_offset == min(offset, len(whole))


def test_slots_cut(guest):
    """A slot that is too short cuts, and says so."""
    frame = udp4(5000, bytes(range(200)))
    (seen,) = captured(guest, [rule(1, destination_port=5000)], [frame], slot_bytes=128)
    assert (seen.data, seen.flags & RECORD_CUT, seen.original_length) == (frame[14 : 14 + 64], RECORD_CUT, 228)


def test_full_ring_counts_losses(guest):
    """What finds no room is counted, in the header, by file and by rule; what the user has read makes room."""
    script = Script()
    capture = Capture(script, slots=4)
    capture.add(rule(3, destination_port=5000))
    for number in range(7):
        script.send("tap0", udp4(5000, bytes([number])))
    script.call("sleep", 10)
    before = capture.look()
    capture.consume(2)
    script.send("tap0", udp4(5000, b"\x70"))
    script.call("sleep", 10)
    after = capture.look()
    statistics = capture.statistics()
    counters = capture.counters()
    script.run(guest)
    assert [each.data[-1] for each in capture.records(before)] == [0, 1, 2, 3]
    assert [(each.data[-1], each.sequence) for each in capture.records(after)] == [(2, 2), (3, 3), (0x70, 7)]
    assert struct.unpack_from("=I", after.data, 68)[0] == 3
    seen = Statistics.from_buffer_copy(statistics.data)
    assert (seen.captured, seen.lost, seen.matched, seen.dropped) == (5, 3, 8, 0)
    assert (counters_of(counters)[3].packets, counters_of(counters)[3].captured, counters_of(counters)[3].lost, counters_of(counters)[3].bytes) == (8, 5, 3, 8 * 29)


def test_spoilt_index_is_ignored(guest):
    """A consumer index that the user sets ahead or back neither stops capturing nor makes room that is not there."""
    script = Script()
    capture = Capture(script, slots=4)
    capture.add(rule(3, destination_port=5000))
    for index in (3, 0xFFFFFFFF, 5, 0x80000000):
        capture.consume(index)
        script.send("tap0", udp4(5000, bytes([index & 0xFF])))
    script.call("sleep", 10)
    capture.consume(0)
    look = capture.look()
    script.send("tap0", udp4(5000, b"lost"))
    script.call("sleep", 10)
    statistics = capture.statistics()
    script.run(guest)
    assert [each.data[-1] for each in capture.records(look)] == [3, 0xFF, 5, 0]
    seen = Statistics.from_buffer_copy(statistics.data)
    assert (seen.captured, seen.lost) == (4, 1)


def test_poll_and_eventfd(guest):
    """poll reports records from the threshold on; an eventfd is signalled."""
    script = Script()
    capture = Capture(script)
    script.call("eventfd", 9)
    # The first file is 3, the eventfd comes after it.
    script.ioctl(0, EVENTFD, 4)
    thresholds = [script.ioctl(0, THRESHOLD, each) for each in (0, 65, 2)]
    capture.add(rule(3, destination_port=5000))
    empty = script.call("poll", 0, 1)
    script.send("tap0", udp4(5000))
    one = script.call("poll", 0, 10)
    unsignalled = script.call("read8", 9)
    script.send("tap0", udp4(5000))
    two = script.call("poll", 0, 10)
    signalled = script.call("read8", 9)
    capture.consume(2)
    read = script.call("poll", 0, 1)
    script.run(guest)
    assert [each.result for each in thresholds] == [-errno.EINVAL, -errno.EINVAL, 0]
    assert (empty.result, one.result, unsignalled.result) == (0, 0, -errno.EAGAIN)
    assert (two.result & POLLIN, read.result) == (POLLIN, 0)
    assert struct.unpack("=Q", signalled.data) == (1,)


def test_locally_sent_packet_says_that_its_checksum_is_open(guest):
    """A packet of this machine's own that never saw a wire has no checksum yet, and the record says so."""
    script = Script()
    capture = Capture(script)
    capture.add(rule(1, destination_port=5005, protocol=17))
    script.call("poll", 0, 10_000)
    look = capture.look()
    script.run(guest, meanwhile="sleep 0.1; /bin/ip netns exec far /bin/bash -c 'echo hello > /dev/udp/10.8.0.1/5005'")
    (seen,) = capture.records(look)
    assert seen.flags & RECORD_CHECKSUM_OPEN
    assert seen.data[28:] == b"hello\n"


# ---- operations ----


def test_operations(guest):
    """Capture passes on, drop does not, capture-drop keeps a copy, forward does nothing; as the system's counters see it."""
    rules = [
        rule(1, CAPTURE, protocol=17, destination_port=7001),
        rule(2, DROP, protocol=17, destination_port=7002),
        rule(3, CAPTURE_DROP, protocol=17, destination_port=7003),
        rule(4, FORWARD, protocol=17, destination_port=7004),
    ]
    reached = "grep ^Udp: /proc/net/snmp | tail -n 1 | cut -d' ' -f3"
    for port, passes, kept in ((7001, 1, 1), (7002, 0, 0), (7003, 0, 1), (7004, 1, 0), (7005, 1, 0)):
        before = int(guest.run(reached).out)
        seen = captured(guest, rules, [udp4(port)])
        assert (int(guest.run(reached).out) - before, len(seen)) == (passes, kept), port
        if kept:
            assert bool(seen[0].flags & RECORD_DROPPED) == (not passes)


def test_no_reset_from_the_system(guest):
    """A TCP answer that is captured and dropped draws no RST from the local system."""
    syn_ack = packets.tcp(THERE, HERE, 81, 40000, 1000, 2000, 0x12)
    count = "grep ^Tcp: /proc/net/snmp | tail -n 1 | cut -d' ' -f15"
    before = int(guest.run(count).out)
    captured(guest, [rule(1, CAPTURE_DROP, protocol=6, destination=f"{HERE}/32", destination_port=40000)], [frame4(syn_ack, 6)])
    assert int(guest.run(count).out) == before
    captured(guest, [rule(1, CAPTURE, protocol=6, destination=f"{HERE}/32", destination_port=40000)], [frame4(syn_ack, 6)])
    assert int(guest.run(count).out) == before + 1


def test_priority_and_age(guest):
    """The rule with the highest priority is applied, of equal ones the older, however general they are."""
    exact = {"protocol": 17, "source": f"{THERE}/32", "destination": f"{HERE}/32", "source_port": 1234, "destination_port": 5000}
    assert captured(guest, [rule(1), rule(2, **exact)], [udp4(5000)])[0].rule_id == 1
    assert captured(guest, [rule(1, **exact), rule(2)], [udp4(5000)])[0].rule_id == 1
    assert captured(guest, [rule(1), rule(2, priority=1, **exact)], [udp4(5000)])[0].rule_id == 2
    assert captured(guest, [rule(1, priority=-5), rule(2, priority=-6, **exact)], [udp4(5000)])[0].rule_id == 1
    assert captured(guest, [rule(1, **exact), rule(2, **exact), rule(3, priority=9, **exact)], [udp4(5000)])[0].rule_id == 3


def test_files_are_apart(guest):
    """Two files see the same packet each under its own rule; it is dropped if one of them says so."""
    script = Script()
    first, second = Capture(script, 0), Capture(script, 1)
    first.add(rule(1, CAPTURE, destination_port=5000))
    second.add(rule(1, CAPTURE_DROP, destination_port=5000, protocol=17))
    script.send("tap0", udp4(5000))
    script.call("sleep", 10)
    looks = first.look(), second.look()
    script.run(guest)
    assert [len(each.records(look)) for each, look in zip((first, second), looks)] == [1, 1]


def test_replace_and_delete(guest):
    """Replacing keeps counters and age; a deleted rule matches no more."""
    script = Script()
    capture = Capture(script)
    capture.add(rule(1, destination_port=5000))
    capture.add(rule(2, protocol=17))
    script.send("tap0", udp4(5000))
    script.call("sleep", 5)
    replaced = capture.replace(rule(1, source_port=1234))
    script.send("tap0", udp4(5001))
    script.call("sleep", 5)
    counters = capture.counters()
    deleted = script.ioctl(0, RULE_DELETE, 1)
    script.send("tap0", udp4(5001))
    script.call("sleep", 5)
    missing = [script.ioctl(0, RULE_DELETE, 1), capture.replace(rule(1)), capture.add(rule(2))]
    look = capture.look()
    flushed = script.ioctl(0, RULE_FLUSH)
    script.send("tap0", udp4(5001))
    script.call("sleep", 5)
    statistics = capture.statistics()
    script.run(guest)
    replaced.check()
    deleted.check()
    assert [each.rule_id for each in capture.records(look)] == [1, 1, 2]
    assert (counters_of(counters)[1].packets, counters_of(counters)[2].packets) == (2, 0)
    assert [each.result for each in missing] == [-errno.ENOENT, -errno.ENOENT, -errno.EEXIST]
    assert flushed.result == 1
    seen = Statistics.from_buffer_copy(statistics.data)
    assert (seen.captured, seen.rules, seen.masks) == (3, 0, 0)


# ---- what packets are ----


def test_fragments(guest):
    """Fragments come as they are; only the first has ports."""
    whole = packets.udp(THERE, HERE, 1234, 5000, bytes(64))
    first = frame4(whole[:32], identification=5, fragment=0x2000)
    second = frame4(whole[32:], identification=5, fragment=4)
    rules = [rule(1, priority=2, protocol=17, destination_port=5000), rule(2, protocol=17)]
    seen = captured(guest, rules, [first, second])
    assert [(each.rule_id, each.flags & RECORD_FRAGMENT) for each in seen] == [(1, RECORD_FRAGMENT), (2, RECORD_FRAGMENT)]
    whole = packets.udp(THERE6, HERE6, 1234, 5000, bytes(64))
    parts = [
        packets.ethernet(NEAR, FAR, packets.ip6(THERE6, HERE6, 44, struct.pack("!BBHI", 17, 0, offset | more, 77) + data))
        for offset, more, data in ((0, 1, whole[:32]), (32, 0, whole[32:]))
    ]
    rules = [rule(1, family=6, priority=2, protocol=17, destination_port=5000), rule(2, family=6, protocol=17)]
    seen = captured(guest, rules, parts)
    assert [(each.rule_id, each.flags & RECORD_FRAGMENT) for each in seen] == [(1, RECORD_FRAGMENT), (2, RECORD_FRAGMENT)]


def test_extension_headers(guest):
    """Ports and protocol of IPv6 are those behind the extension headers, as many as there are within reason."""
    datagram = packets.udp(THERE6, HERE6, 1234, 5000, b"x" * 8)
    many = [0] + [60] * 14
    for chain, found in (([0], 1), ([60], 1), ([0, 60, 60], 1), (many, 1), ([0] + [60] * 20, 0)):
        body = datagram
        for index, _ in reversed(list(enumerate(chain))):
            body = packets.extension(chain[index + 1] if index + 1 < len(chain) else 17, 8 * (index % 3 + 1)) + body
        frame = packets.ethernet(NEAR, FAR, packets.ip6(THERE6, HERE6, chain[0], body))
        seen = captured(guest, [rule(1, family=6, protocol=17, destination_port=5000)], [frame])
        assert len(seen) == found, chain


def test_icmp_errors(guest):
    """An error is matched by the answer that the quoted packet would have had."""
    probe = packets.ip4(HERE, "192.0.2.9", 17, packets.udp(HERE, "192.0.2.9", 40000, 33434, b"abc"))
    error = frame4(packets.icmp(11, 0, payload=probe[:28]), 1, source="198.51.100.1")
    answer = {"source": "192.0.2.9/32", "destination": f"{HERE}/32", "protocol": 17, "source_port": 33434, "destination_port": 40000}
    seen = captured(guest, [rule(1, **answer), rule(2, errors=True, **answer)], [error])
    assert [(each.rule_id, each.flags & RECORD_ERROR) for each in seen] == [(2, RECORD_ERROR)]
    # A ping's error is matched by the reply that did not come.
    ping = packets.ip4(HERE, "192.0.2.9", 1, packets.icmp(8, 0, b"\x12\x34\0\1"))
    error = frame4(packets.icmp(3, 1, payload=ping), 1, source="198.51.100.1")
    reply = {"source": "192.0.2.9/32", "protocol": 1, "icmp_type": 0, "icmp_id": 0x1234}
    seen = captured(guest, [rule(1, **reply), rule(2, errors=True, **reply)], [error])
    assert [each.rule_id for each in seen] == [2]
    ping = packets.ip6(HERE6, "2001:db8::9", 58, packets.icmp6(HERE6, "2001:db8::9", 128, 0, b"\x12\x34\0\1"))
    error = packets.ethernet(NEAR, FAR, packets.ip6(THERE6, HERE6, 58, packets.icmp6(THERE6, HERE6, 1, 3, payload=ping)))
    reply = {"family": 6, "source": "2001:db8::9/128", "protocol": 58, "icmp_type": 129, "icmp_id": 0x1234}
    seen = captured(guest, [rule(1, **reply), rule(2, errors=True, **reply)], [error])
    assert [each.rule_id for each in seen] == [2]


def test_truncated_packets(guest):
    """Packets that end in the middle of a header match what is left of them, and read nothing beyond."""
    whole = {17: packets.udp(THERE, HERE, 1234, 5000, b""), 6: packets.tcp(THERE, HERE, 1, 5000), 1: packets.icmp(8, 0),
             132: packets.udp(THERE, HERE, 1234, 5000, b"")}  # fmt: skip
    near = interface(guest, "near0")
    frames = []
    for protocol, body in whole.items():
        for length in range(len(body)):
            frames.append(frame4(body[:length], protocol))
    seen = captured(guest, [rule(1, interface_index=near)], frames)
    assert [each.data for each in seen] == [each[14:] for each in frames]


# ---- edits ----


def edited(guest, edits, frame, **match):
    """What the system makes of a packet that a forward rule has edited: the datagram that a second hook would see."""
    # tcpdump sees packets before any hook; a second namespace behind this one, to which it routes, sees them after.
    guest.run(
        "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding;"
        "/bin/ip neigh replace 10.8.0.2 lladdr $(/bin/ip netns exec far cat /sys/class/net/far1/address) dev near1;"
        "/bin/ip neigh replace fd08::2 lladdr $(/bin/ip netns exec far cat /sys/class/net/far1/address) dev near1"
    ).check()
    family = 4 if frame[14] >> 4 == 4 else 6
    far = Script()
    far.call("namespace", "/run/netns/far")
    capture = Capture(far)
    capture.add(rule(1, protocol=17, family=family))
    capture.add(rule(2, protocol=6, family=family))
    capture.add(rule(3, protocol=1 if family == 4 else 58, family=family, icmp_type=8 if family == 4 else 128))
    far.call("poll", 0, 10_000)
    look = capture.look()
    near = Script()
    editing = Capture(near)
    added = editing.add(rule(1, FORWARD, family, edits=edits, interface_index=interface(guest, "near0"), **match))
    near.call("sleep", 100)
    near.send("tap0", frame)
    near.call("sleep", 50)
    far.run(guest, meanwhile=f"sleep 0.1; {near.written(guest, 'near')}")
    near.take(guest.read("meanwhile"))
    added.check()
    (seen,) = capture.records(look)
    return seen.data


# The descriptor of the second file that a script opens.
SLOT_FD = 4
FAR4, FAR6 = "10.8.0.2", "fd08::2"


def test_edits(guest):
    """Every field can be overwritten, alone and together, and checksums stay right; a UDP checksum of 0 stays 0."""
    payload = bytes(range(40))
    udp = packets.udp(THERE, FAR4, 1234, 5000, payload)
    frame = frame4(udp, destination=FAR4)
    match = {"protocol": 17, "destination_port": 5000}

    def expect(source=THERE, source_port=1234, port=5000, payload=payload, ttl=63, tos=0):
        return packets.ip4(source, FAR4, 17, packets.udp(source, FAR4, source_port, port, payload), ttl=ttl, tos=tos)

    assert edited(guest, [(EDIT_SOURCE, packets.packed("10.9.0.77"))], frame, **match) == expect(source="10.9.0.77")
    assert edited(guest, [(EDIT_SOURCE_PORT, b"\x12\x34")], frame, **match) == expect(source_port=0x1234)
    assert edited(guest, [(EDIT_DESTINATION_PORT, b"\xff\xfe")], frame, **match) == expect(port=0xFFFE)
    assert edited(guest, [(EDIT_TTL, b"\x09")], frame, **match) == expect(ttl=8)
    assert edited(guest, [(EDIT_DSCP, b"\x2e")], frame, **match) == expect(tos=0xB8)
    for offset, value in ((0, b"ab"), (1, b"abc"), (3, b"Z"), (39, b"\xff"), (10, bytes(range(100, 116)))):
        changed = payload[:offset] + value + payload[offset + len(value) :]
        assert edited(guest, [(EDIT_PAYLOAD, value, offset)], frame, **match) == expect(payload=changed), (offset, value)
    assert edited(guest, [(EDIT_PAYLOAD, b"xy", 39)], frame, **match) == expect()
    assert edited(
        guest, [(EDIT_SOURCE, packets.packed("10.9.0.77")), (EDIT_DESTINATION_PORT, b"\0\x07"), (EDIT_PAYLOAD, b"!", 5), (EDIT_TTL, b"\x40")],
        frame, **match,
    ) == expect(source="10.9.0.77", port=7, payload=payload[:5] + b"!" + payload[6:], ttl=63)  # fmt: skip
    other = frame4(packets.udp(THERE, "203.0.113.9", 1234, 5000, payload), destination="203.0.113.9")
    assert edited(guest, [(EDIT_DESTINATION, packets.packed(FAR4))], other, **match) == expect()
    unsummed = frame4(packets.udp(THERE, FAR4, 1234, 5000, payload, good=False), destination=FAR4)
    data = edited(guest, [(EDIT_SOURCE, packets.packed("10.9.0.77")), (EDIT_SOURCE_PORT, b"\0\1")], unsummed, **match)
    assert data[26:28] == b"\0\0"
    segment = packets.tcp(THERE, FAR4, 1, 5000, 7, 8, 0x18, payload, options=b"\x01" * 4)
    assert edited(
        guest, [(EDIT_PAYLOAD, b"abc", 7), (EDIT_SOURCE_PORT, b"\x01\x02")], frame4(segment, 6, destination=FAR4), protocol=6, destination_port=5000
    ) == packets.ip4(THERE, FAR4, 6, packets.tcp(THERE, FAR4, 0x102, 5000, 7, 8, 0x18, payload[:7] + b"abc" + payload[10:],
                                                 options=b"\x01" * 4), ttl=63)  # fmt: skip


@pytest.mark.parametrize("family", [4, 6])
def test_edits_of_open_checksums(guest, family):
    """Of a packet whose checksum the last device is to fill in, only the sum of the addresses is in it: that stays right."""
    there, other, gateway, length = {4: (THERE, "10.9.0.3", "10.8.0.1", 32), 6: (THERE6, "fd09::3", "fd08::1", 128)}[family]
    guest.run(
        "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding;"
        f"/bin/ip neigh replace {other} lladdr {FAR} dev near0; /bin/ip -n far -{family} route replace {there}/{length} via {gateway}"
    ).check()
    source = {4: "10.8.0.77", 6: "fd08::77"}[family]
    edits = [(EDIT_SOURCE, packets.packed(source)), (EDIT_DESTINATION, packets.packed(other)), (EDIT_SOURCE_PORT, b"\0\7"),
             (EDIT_DESTINATION_PORT, b"\x13\x89"), (EDIT_PAYLOAD, b"ab", 1)]  # fmt: skip
    script = Script()
    capture = Capture(script)
    added = [
        capture.add(rule(1, CAPTURE, family, protocol=17, destination_port=5001, interface_index=interface(guest, "tap0"))),
        capture.add(rule(2, FORWARD, family, protocol=17, destination_port=5000, interface_index=interface(guest, "near1"), edits=edits)),
    ]
    script.call("poll", 0, 10_000)
    look = capture.look()
    script.run(guest, meanwhile=f"sleep 0.5; /bin/ip netns exec far /bin/bash -c 'echo -n 012345 > /dev/udp/{there}/5000'")
    for each in added:
        each.check()
    # The system forwards it in circles, a hop less each time.
    (seen,) = [each for each in capture.records(look) if each.data[8 if family == 4 else 7] == 63]
    assert seen.flags & RECORD_CHECKSUM_OPEN
    transport = 20 if family == 4 else 40
    assert seen.data[transport : transport + 4] == b"\0\7\x13\x89" and seen.data[transport + 8 :] == b"0ab345"
    pseudo = packets._pseudo(source, other, 17, 14)
    assert seen.data[transport + 6 : transport + 8] == struct.pack("!H", 0xFFFF ^ packets.checksum(pseudo))


def test_edits_ipv6(guest):
    """The same with IPv6, whose ICMP sums up the addresses too."""
    payload = bytes(range(33))
    frame = packets.ethernet(NEAR, FAR, packets.ip6(THERE6, FAR6, 17, packets.udp(THERE6, FAR6, 1234, 5000, payload)))
    source = "fd09::77"
    data = edited(
        guest, [(EDIT_SOURCE, packets.packed(source)), (EDIT_PAYLOAD, b"abc", 30), (EDIT_TTL, b"\x0a"), (EDIT_DSCP, b"\x01")], frame, protocol=17
    )
    expected = packets.ip6(source, FAR6, 17, packets.udp(source, FAR6, 1234, 5000, payload[:30] + b"abc"), hops=9)
    assert data == bytes([0x60, 0x40]) + expected[2:]
    ping = packets.ip6(THERE6, FAR6, 58, packets.icmp6(THERE6, FAR6, 128, 0, b"\0\1\0\2", payload))
    data = edited(guest, [(EDIT_SOURCE, packets.packed(source)), (EDIT_PAYLOAD, b"!", 1)], packets.ethernet(NEAR, FAR, ping), protocol=58)
    assert data == packets.ip6(source, FAR6, 58, packets.icmp6(source, FAR6, 128, 0, b"\0\1\0\2", payload[:1] + b"!" + payload[2:]), hops=63)


# ---- reactions ----


ECHO4 = packets.ethernet("00:00:00:00:00:00", NEAR, packets.ip4("0.0.0.0", "0.0.0.0", 1, packets.icmp(0, 0)))
# MAC addresses, IP addresses swapped, identifier and sequence number of the request, and its payload.
ECHO4_COPIES = [(BASE_LINK, 6, 0, 6), (BASE_NETWORK, 12, 30, 4), (BASE_NETWORK, 16, 26, 4), (BASE_TRANSPORT, 4, 38, 4)]
ECHO6 = packets.ethernet("00:00:00:00:00:00", NEAR, packets.ip6("::", "::", 58, packets.icmp6("::", "::", 129, 0)))
ECHO6_COPIES = [(BASE_LINK, 6, 0, 6), (BASE_NETWORK, 8, 38, 16), (BASE_NETWORK, 24, 22, 16), (BASE_TRANSPORT, 4, 58, 4)]
BOTH = REACT_CHECKSUMS | REACT_APPEND_PAYLOAD


def with_source(guest, frame, device):
    """The frame, sent by the device's own address."""
    own = guest.run(f"cat /sys/class/net/{device}/address").check().out.strip()
    return frame[:6] + bytes.fromhex(own.replace(":", "")) + frame[12:]


def test_ping_of_an_address_that_nobody_has(guest):
    """ARP for it is answered and echo requests to it, by two rules and nothing else: a plain ping from the peer sees it up."""
    script = Script()
    capture = Capture(script)
    bound(script, guest, "near1", with_source(guest, ECHO4, "near1"))
    answers = {"reaction": reaction(SLOT_FD, 0, len(ECHO4), ECHO4_COPIES, flags=BOTH), "flags": RULE_NEIGHBOUR}
    added = capture.add(rule(1, CAPTURE_DROP, destination="10.8.0.99/32", protocol=1, icmp_type=8, interface_index=interface(guest, "near1"), **answers))
    script.call("sleep", 8000)
    counters = capture.counters()
    ping = "/bin/ip netns exec far /bin/busybox ping -c 3 -s 100 -i 1 10.8.0.99; /bin/ip netns exec far cat /proc/net/arp"
    script.run(guest, meanwhile=f"sleep 0.3; {ping}")
    added.check()
    said = guest.read("meanwhile")
    assert "3 packets received, 0% packet loss" in said
    assert guest.run("cat /sys/class/net/near1/address").out.strip() in next(each for each in said.splitlines() if each.startswith("10.8.0.99"))
    seen = counters_of(counters)[1]
    assert (seen.packets, seen.captured, seen.reactions, seen.reactions_lost) == (3, 3, 3, 0)
    # With the rule the address has gone.
    said = guest.run("/bin/ip neigh flush all; /bin/busybox ping -c 1 -W 2 10.8.0.99", namespace="far").out
    assert "100% packet loss" in said


def test_ping_of_an_ipv6_address_that_nobody_has(guest):
    """The same with neighbour discovery, for one address and for a whole prefix."""
    for covered in ("fd08::99/128", "fd08::9:0/112"):
        script = Script()
        capture = Capture(script)
        bound(script, guest, "near1", with_source(guest, ECHO6, "near1"))
        answers = {"reaction": reaction(SLOT_FD, 0, len(ECHO6), ECHO6_COPIES, flags=BOTH), "flags": RULE_NEIGHBOUR}
        added = capture.add(rule(1, CAPTURE_DROP, 6, destination=covered, protocol=58, icmp_type=128,
                                 interface_index=interface(guest, "near1"), **answers))  # fmt: skip
        script.call("sleep", 8000)
        target = "fd08::99" if covered.endswith("128") else "fd08::9:77"
        script.run(guest, meanwhile=f"sleep 0.3; /bin/ip netns exec far /bin/busybox ping6 -c 3 -s 100 {target}")
        added.check()
        assert "3 packets received, 0% packet loss" in guest.read("meanwhile"), guest.read("meanwhile")


def solicitation(target, source=THERE6, destination=None, code=0, hops=255, options=None, good=True):
    """A neighbour solicitation from the far end, RFC 4861 section 4.3; options are the sender's link address unless given."""
    asked = packets.packed(target)
    group = "ff02::1:ff%02x:%02x%02x" % tuple(asked[13:])
    to = "33:33:ff:" + asked[13:].hex(":")
    if options is None:
        options = b"\x01\x01" + bytes.fromhex(FAR.replace(":", ""))
    message = bytearray(packets.icmp6(source, destination or group, 135, code, bytes(4), asked + options))
    message[2] ^= not good
    return packets.ethernet(to, FAR, packets.ip6(source, destination or group, 58, bytes(message), hops))


def advertisements(guest, frame):
    """
    The neighbour advertisements of fd09::99 that come back when the rule answers for it; the system has its own. Where it
    forwards, it sends each round and round, a hop less each time: those are none any more (RFC 4861 section 7.1.2).
    """
    script = Script()
    capture = Capture(script)
    added = capture.add(rule(1, CAPTURE, 6, destination="fd09::99/128", flags=RULE_NEIGHBOUR, interface_index=interface(guest, "near0")))
    watcher = Capture(script, 1)
    watcher.add(rule(1, CAPTURE, 6, protocol=58, icmp_type=136, interface_index=interface(guest, "tap0")))
    script.send("tap0", frame)
    script.call("sleep", 20)
    look = watcher.look()
    script.run(guest)
    added.check()
    answers = [seen.data for seen in watcher.records(look) if seen.data[48:64] == packets.packed("fd09::99")]
    return [answer for answer in answers if answer[7] == 255]


def test_solicitations_that_are_answered(guest):
    """Sent to whoever asks; to everybody if who asks has no address yet."""
    (said,) = advertisements(guest, solicitation("fd09::99"))
    assert (said[8:24], said[24:40], said[7]) == (packets.packed("fd09::99"), packets.packed(THERE6), 255)
    assert said[40:42] == b"\x88\0" and said[44] == 0x60 and said[48:64] == packets.packed("fd09::99")
    assert said[64:].hex(":") == "02:01:" + NEAR
    (said,) = advertisements(guest, solicitation("fd09::99", options=b""))
    assert said[24:40] == packets.packed(THERE6)
    (said,) = advertisements(guest, solicitation("fd09::99", source="::", options=b""))
    assert said[24:40] == packets.packed("ff02::1") and said[44] == 0x20


def test_own_addresses_are_left_to_the_system(guest):
    """Whichever interface has them, of IPv4 as of IPv6."""
    for family, address in (4, "10.9.0.99/32"), (6, "fd09::99/128"):
        request = b"\0\1\x08\0\6\4\0\1" + bytes.fromhex(FAR.replace(":", "")) + packets.packed(THERE) + bytes(6) + packets.packed("10.9.0.99")
        frame = packets.ethernet("ff:ff:ff:ff:ff:ff", FAR, request, 0x0806) if family == 4 else solicitation("fd09::99")
        for own in False, True:
            guest.run(f"/bin/ip addr {'add' if own else 'del'} {address} dev near1 {'nodad' if family == 6 and own else ''}; sleep 1")
            # The system answers ARP for what another interface has, unless told not to; for IPv6 it does not.
            guest.run("echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore").check()
            script = Script()
            added = Capture(script).add(rule(1, CAPTURE, family, destination=address, flags=RULE_NEIGHBOUR, interface_index=interface(guest, "near0")))
            before = int(guest.run("cat /sys/class/net/near0/statistics/tx_packets").check().out)
            for _ in range(20):
                script.send("tap0", frame)
            script.call("sleep", 20)
            script.run(guest)
            added.check()
            sent = int(guest.run("cat /sys/class/net/near0/statistics/tx_packets").check().out) - before
            # The system itself says something now and then.
            assert (sent < 10) if own else (sent >= 20), (family, own, sent)
        guest.run(f"echo 0 > /proc/sys/net/ipv4/conf/all/arp_ignore; /bin/ip addr del {address} dev near1").check()


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": 1}, {"hops": 254}, {"good": False}, {"options": bytes(8)}, {"options": b"\x01\x02" + bytes(6)},
        {"source": "::"}, {"source": "::", "destination": "fd09::99", "options": b""},
        {"source": "::", "destination": "ff02::1", "options": b""},
    ],
)  # fmt: skip
def test_solicitations_that_are_none(guest, wrong):
    """RFC 4861 section 7.1.1: what a solicitation must be is discarded when it is not."""
    assert advertisements(guest, solicitation("fd09::99", **wrong)) == []


@pytest.mark.parametrize("hardware,answered", [(1, True), (6, True), (15, False)])
def test_arp_of_another_hardware(guest, hardware, answered):
    """RFC 826: the hardware type is looked at first."""
    request = struct.pack(">HHBBH", hardware, 0x0800, 6, 4, 1) + bytes.fromhex(FAR.replace(":", "")) + packets.packed(THERE)
    request += bytes(6) + packets.packed("10.9.0.99")
    script = Script()
    added = Capture(script).add(rule(1, destination="10.9.0.99/32", flags=RULE_NEIGHBOUR, interface_index=interface(guest, "near0")))
    for _ in range(20):
        script.send("tap0", packets.ethernet("ff:ff:ff:ff:ff:ff", FAR, request, 0x0806))
    script.call("sleep", 20)
    count = "cat /sys/class/net/near0/statistics/tx_packets"
    before = int(guest.run(count).check().out)
    script.run(guest)
    added.check()
    # The system itself says something now and then.
    assert (int(guest.run(count).check().out) - before >= 20) == answered


SYN_ACK = packets.ethernet(
    "00:00:00:00:00:00", NEAR, packets.ip4("0.0.0.0", "0.0.0.0", 6, packets.tcp("0.0.0.0", "0.0.0.0", 0, 0, 5000, 0, 0x12))
)
SYN_ACK_COPIES = [
    (BASE_LINK, 6, 0, 6), (BASE_NETWORK, 12, 30, 4), (BASE_NETWORK, 16, 26, 4), (BASE_TRANSPORT, 0, 36, 2), (BASE_TRANSPORT, 2, 34, 2),
    (BASE_TRANSPORT, 4, 42, 4, COPY_ADD_SEGMENT), (BASE_TRANSPORT, 4, 38, 4, COPY_ADD, 7),
]  # fmt: skip


def reactions(guest, frame, template, copies, matching, sent=1, wait=50, **fields):
    """The frames that come out of tap0, as a capture in a second file of what goes into it would see them; and the counters."""
    script = Script()
    capture = Capture(script)
    bound(script, guest, "near0", template)
    added = capture.add(rule(1, CAPTURE_DROP, reaction=reaction(SLOT_FD, 0, len(template), copies, **fields), **matching))
    watcher = Capture(script, 1)
    watcher.add(rule(1, interface_index=interface(guest, "tap0"), flags=RULE_LINK))
    watcher.add(rule(2, CAPTURE, 6, interface_index=interface(guest, "tap0"), flags=RULE_LINK))
    for _ in range(sent):
        script.send("tap0", frame)
    script.call("sleep", wait)
    look, arrivals = watcher.look(), capture.look()
    counters = capture.counters()
    script.run(guest)
    added.check()
    return watcher.records(look), capture.records(arrivals), counters_of(counters)[1]


def test_handshake(guest):
    """A SYN is answered by a SYN ACK whose numbers are made of the SYN's; checksums are right."""
    syn = packets.tcp(THERE, HERE, 4321, 9999, 0xFFFFFFFF, 0, 2)
    out, _, counters = reactions(guest, frame4(syn, 6), SYN_ACK, SYN_ACK_COPIES, {"protocol": 6, "destination_port": 9999}, flags=REACT_CHECKSUMS)
    expected = packets.ip4(HERE, THERE, 6, packets.tcp(HERE, THERE, 9999, 4321, 6, 0, 0x12))
    assert [each.data for each in out] == [packets.ethernet(FAR, NEAR, expected)]
    assert (counters.packets, counters.reactions) == (1, 1)
    # Data and FIN count too.
    segment = packets.tcp(THERE, HERE, 4321, 9999, 100, 0, 0x11, b"x" * 33, options=b"\x01" * 8)
    out, _, _ = reactions(guest, frame4(segment, 6), SYN_ACK, SYN_ACK_COPIES, {"protocol": 6, "destination_port": 9999}, flags=REACT_CHECKSUMS)
    assert struct.unpack_from("!II", out[0].data, 38) == (107, 134)


def test_reaction_with_a_vlan_tag(guest):
    """Lengths and checksums are found behind the tag that the frame brings along."""
    guest.run("/bin/ip link add link tap0 name tap0.7 type vlan id 7; /bin/ip link set tap0.7 up").check()
    datagram = packets.ip4(HERE, THERE, 17, packets.udp(HERE, THERE, 9, 9, b"pong", good=False))
    plain = packets.ethernet(FAR, NEAR, datagram)
    template = plain[:12] + b"\x81\0\0\x07" + plain[12:]
    try:
        script = Script()
        capture, watcher = Capture(script), Capture(script, 1)
        bound(script, guest, "near0", template)
        # The third file of a script has the number 5.
        answer = reaction(5, 0, len(template), flags=BOTH)
        added = [
            capture.add(rule(1, CAPTURE_DROP, protocol=17, destination_port=5000, reaction=answer)),
            watcher.add(rule(1, protocol=17, interface_index=interface(guest, "tap0.7"))),
        ]
        script.send("tap0", udp4(5000, b"ABC"))
        script.call("sleep", 50)
        look = watcher.look()
        script.run(guest)
        for each in added:
            each.check()
        sent = [each.data for each in watcher.records(look) if each.data[8] == 64]
        assert sent == [packets.ip4(HERE, THERE, 17, packets.udp(HERE, THERE, 9, 9, b"pongABC"))]
    finally:
        guest.run("/bin/ip link del tap0.7").check()


@pytest.mark.parametrize("left", [0, 1])
def test_checksum_behind_a_routing_header(guest, left):
    """With segments left the final destination is not the header's: what was prepared stays."""
    via = bytes([17, 2, 4, left, 0, 0, 0, 0]) + packets.packed("fd09::77")
    bad = packets.udp(HERE6, THERE6, 9, 9, b"pong", good=False)
    template = packets.ethernet(FAR, NEAR, packets.ip6(HERE6, THERE6, 43, via + bad))
    out, _, _ = reactions(guest, udp4(5000), template, [], {"protocol": 17, "destination_port": 5000}, flags=REACT_CHECKSUMS)
    good = packets.udp(HERE6, THERE6, 9, 9, b"pong")
    # The system may forward it in circles, a hop less each time.
    sent = [each.data for each in out if each.data[21] == 64]
    assert sent == [packets.ethernet(FAR, NEAR, packets.ip6(HERE6, THERE6, 43, via + (bad if left else good)))]


def test_delay_repeat_and_limit(guest):
    """Frames leave so many ns after the arrival, so often, and for so many matches as the rule says."""
    template = packets.ethernet(FAR, NEAR, packets.ip4(HERE, THERE, 17, packets.udp(HERE, THERE, 9, 9, b"pong")))
    out, seen, counters = reactions(
        guest, udp4(5000), template, [], {"protocol": 17, "destination_port": 5000}, sent=5, wait=200, delay_ns=20_000_000,
        gap_ns=3_000_000, repeat=4, limit=2,
    )  # fmt: skip
    assert (counters.packets, counters.reactions, counters.reactions_lost, len(out)) == (5, 8, 0, 8)
    for first in (0, 1):
        times = sorted(each.monotonic_ns for each in out)
    wanted = sorted(each.monotonic_ns + 20_000_000 + n * 3_000_000 for each in seen[:2] for n in range(4))
    assert all(0 <= left - right < 1_000_000 for left, right in zip(times, wanted)), (times, wanted)
    assert all(each.data == template for each in out)


PONG = packets.ethernet(FAR, NEAR, packets.ip4(HERE, THERE, 17, packets.udp(HERE, THERE, 9, 9, b"pong")))


def test_cancelling_leaves_reactions_alone(guest):
    """A cookie means frames that were submitted, not those of rules with the same number; all means all."""
    script = Script()
    capture = Capture(script)
    bound(script, guest, "near0", PONG)
    added = capture.add(rule(1, protocol=17, destination_port=5000, reaction=reaction(SLOT_FD, 0, len(PONG), cookie=77, delay_ns=500_000_000)))
    far = Descriptor(launch_ns=1 << 62, cookie=77, frame_length=len(PONG))
    script.call("fill", 20, Bind.submission_offset.offset, bytes(far).hex())
    script.call("poke", 20, 0, struct.pack("=I", 1).hex())
    taken = script.ioctl(20, KTX_SUBMIT, 0)
    script.send("tap0", udp4(5000))
    cookie = struct.pack("=Q", 77)
    cancelled = [script.ioctl(20, KTX_CANCEL, cookie) for _ in range(2)]
    script.call("sleep", 600)
    sent = script.ioctl(20, KTX_STATISTICS, SenderStatistics())
    script.send("tap0", udp4(5000))
    every = script.ioctl(20, KTX_CANCEL, 0)
    script.call("sleep", 600)
    after = script.ioctl(20, KTX_STATISTICS, SenderStatistics())
    script.run(guest)
    added.check()
    taken.check(1)
    assert [each.result for each in cancelled] == [1, 0]
    sent, after = (SenderStatistics.from_buffer_copy(each.data) for each in (sent, after))
    assert (sent.reactions, sent.reactions_lost, sent.sent, sent.failed) == (1, 0, 1, 1)
    every.check(0)
    assert (after.reactions, after.reactions_lost) == (1, 1)


def test_waiting_reactions_are_bounded(guest):
    """Frames of rules that wait count against the memory ceiling as others do, and are given back however they end."""
    ceiling = "/sys/module/ktrxer/parameters/memory_ceiling_kib"
    guest.run(f"echo 512 > {ceiling}").check()
    try:
        template = PONG + bytes(1000 - len(PONG))
        for end in "sent", "cancelled", "closed", "sent":
            script = Script()
            capture = Capture(script, slots=8)
            bound(script, guest, "near0", template)
            capture.add(rule(1, protocol=17, destination_port=5000, reaction=reaction(SLOT_FD, 0, 1000, repeat=64, delay_ns=500_000_000)))
            for _ in range(5):
                script.send("tap0", udp4(5000))
            script.call("sleep", 20)
            counters = capture.counters()
            if end == "cancelled":
                script.ioctl(20, KTX_CANCEL, 0)
            elif end == "sent":
                script.call("sleep", 1000)
            statistics = script.ioctl(20, KTX_STATISTICS, SenderStatistics())
            script.run(guest)
            seen = counters_of(counters)[1]
            # A frame of 1000 bytes counts as 2024, the rule's own as well.
            assert (seen.reactions, seen.reactions_lost) == (258, 5 * 64 - 258), end
            statistics = SenderStatistics.from_buffer_copy(statistics.data)
            assert (statistics.reactions, statistics.reactions_lost) == {"sent": (258, 0), "cancelled": (0, 258), "closed": (0, 0)}[end]
            guest.run("sleep 1")
    finally:
        guest.run(f"echo 65536 > {ceiling}").check()


def test_reaction_without_its_source(guest):
    """What the packet does not have cannot be copied: no frame, and it is counted."""
    template = packets.ethernet(FAR, NEAR, packets.ip4(HERE, THERE, 17, packets.udp(HERE, THERE, 9, 9, b"pong")))
    matching = {"protocol": 17, "destination_port": 5000}
    for copies in ([(BASE_NETWORK, 37, 0, 2)], [(BASE_TRANSPORT, 18, 0, 1)], [(BASE_LINK, 65535, 0, 1)], [(4, 10, 0, 1)]):
        out, _, counters = reactions(guest, udp4(5000), template, copies, matching)
        assert (counters.packets, counters.reactions, counters.reactions_lost, out) == (1, 0, 1, []), copies
    out, _, _ = reactions(guest, udp4(5000), template, [(BASE_NETWORK, 36, 0, 2), (4, 9, 2, 1), (BASE_LINK, 0, 3, 1)], matching)
    assert out == []  # the copies spoilt its link address
    far = packets.ethernet(FAR, NEAR, packets.ip4(HERE, THERE, 17, packets.udp(HERE, THERE, 9, 9, b"pong")))
    out, _, _ = reactions(guest, udp4(5000, b"0123456789"), far, [(4, 9, 42, 1), (BASE_TRANSPORT, 17, 43, 1)], matching, flags=BOTH)
    assert out[0].data[42:] == b"99ng0123456789"
    assert out[0].data == packets.ethernet(FAR, NEAR, packets.ip4(HERE, THERE, 17, packets.udp(HERE, THERE, 9, 9, b"99ng0123456789")))


def test_bad_reactions(guest):
    """A reaction that makes no sense, or whose frame is not there, is refused with the reason."""
    script = Script()
    capture = Capture(script)
    frame = packets.ethernet(FAR, NEAR, packets.ip4(HERE, THERE, 17, packets.udp(HERE, THERE, 9, 9, b"pong")))
    bound(script, guest, "near0", frame + bytes(100))
    match = {"protocol": 17, "destination_port": 5000}
    length = len(frame)
    cases = [
        (errno.EINVAL, reaction(SLOT_FD, 0, length, repeat=0)), (errno.EINVAL, reaction(SLOT_FD, 0, length, repeat=65)),
        (errno.EINVAL, reaction(SLOT_FD, 0, length, flags=4)), (errno.EINVAL, reaction(SLOT_FD, 0, length, delay_ns=60_000_000_001)),
        (errno.EINVAL, reaction(SLOT_FD, 0, length, gap_ns=60_000_000_001)),
        (errno.EINVAL, reaction(SLOT_FD, 0, length, [(5, 0, 0, 1)])), (errno.EINVAL, reaction(SLOT_FD, 0, length, [(2, 0, 0, 0)])),
        (errno.EINVAL, reaction(SLOT_FD, 0, length, [(2, 0, 0, 65)])), (errno.EINVAL, reaction(SLOT_FD, 0, length, [(2, 0, length, 1)])),
        (errno.EINVAL, reaction(SLOT_FD, 0, length, [(2, 0, 65535, 64)])), (errno.EINVAL, reaction(SLOT_FD, 0, length, [(2, 0, 0, 3, COPY_ADD)])),
        (errno.EINVAL, reaction(SLOT_FD, 0, length, [(2, 0, 0, 4, 3)])), (errno.EINVAL, reaction(SLOT_FD, 0, length, [(2, 0, 0, 4, 0, 1)])),
        (errno.EINVAL, reaction(SLOT_FD, 0, length, [(2, 0, 0, 4, COPY_ADD_SEGMENT)])), (errno.EINVAL, reaction(SLOT_FD, 0, length, [(0, 1, 0, 4)])),
        (errno.EBADF, reaction(-1, 0, length)), (errno.EBADF, reaction(3, 0, length)), (errno.EBADF, reaction(0, 0, length)),
        (errno.EMSGSIZE, reaction(SLOT_FD, 0, 13)), (errno.EMSGSIZE, reaction(SLOT_FD, 0, 65535)),
        (errno.EFAULT, reaction(SLOT_FD, 65500, length)), (errno.EFAULT, reaction(SLOT_FD, 0xFFFFFFFF, length)),
        (errno.EINVAL, reaction(SLOT_FD, length, length, flags=REACT_CHECKSUMS)), (0, reaction(SLOT_FD, 0, length, flags=BOTH)),
    ]  # fmt: skip
    answers = [capture.add(rule(1, reaction=each, **match)) for _, each in cases]
    script.run(guest)
    assert [each.result for each in answers] == [-result for result, _ in cases]


def test_frames_of_rules_are_bounded(guest):
    """What rules keep counts against the memory ceiling, and is given back with them."""
    ceiling = "/sys/module/ktrxer/parameters/memory_ceiling_kib"
    guest.run(f"echo 512 > {ceiling}").check()
    try:
        for _ in range(2):
            script = Script()
            capture = Capture(script, slots=8)
            bound(script, guest, "near0", packets.ethernet(FAR, NEAR, packets.ip4(HERE, THERE, 17, bytes(1000))))
            answers = [
                capture.add(rule(number, protocol=17, destination_port=number, reaction=reaction(SLOT_FD, 0, 1000)))
                for number in range(1, 301)
            ]
            script.run(guest)
            # A frame of 1000 bytes counts as 2024: 259 of them, less what rules just gone have still to give back.
            results = [each.result for each in answers]
            kept = results.count(0)
            assert 250 <= kept < 260 and results == [0] * kept + [-errno.ENOBUFS] * (300 - kept), results
            guest.run("sleep 1")
    finally:
        guest.run(f"echo 65536 > {ceiling}").check()


def test_sender_closed_before_its_rules(guest):
    """A rule keeps the memory of its sender, not its life: when the sender is closed the rule goes on and sends nothing."""
    script = Script()
    capture = Capture(script)
    template = packets.ethernet(FAR, NEAR, packets.ip4(HERE, THERE, 17, packets.udp(HERE, THERE, 9, 9, b"pong")))
    bound(script, guest, "near0", template)
    added = capture.add(rule(1, CAPTURE_DROP, protocol=17, destination_port=5000, reaction=reaction(SLOT_FD, 0, len(template))))
    script.call("unmap", 20)
    script.call("close", 20)
    script.send("tap0", udp4(5000))
    script.call("sleep", 20)
    look = capture.look()
    script.run(guest)
    added.check()
    assert len(capture.records(look)) == 1


# ---- rules that are refused ----


def refusals(guest, rules, prepare=lambda script: None):
    script = Script()
    capture = Capture(script)
    prepare(script)
    answers = [capture.add(each) for each in rules]
    statistics = capture.statistics()
    script.run(guest)
    return [each.result for each in answers], Statistics.from_buffer_copy(statistics.data).rules


def test_bad_rules(guest):
    """Every field out of its range and every contradiction is refused with EINVAL, and leaves no rule behind."""
    good = {"protocol": 17, "destination_port": 5000}
    bad = [
        rule(0, **good), rule(1, operation=4, **good), rule(1, family=5, **good), rule(1, match=1 << 10), rule(1, flags=8),
        rule(1, reserved=1, **good), rule(1, reserved2=1, **good), rule(1, source_port=(5, 4)), rule(1, source_prefix=8),
        rule(1, protocol=1, destination_port=5), rule(1, icmp_type=8), rule(1, protocol=58, icmp_type=128),
        rule(1, family=6, protocol=1, icmp_type=8), rule(1, protocol=1, icmp_type=3, icmp_id=1),
        rule(1, protocol=1, icmp_type=8, source_port=1), rule(1, interface_index=0), rule(1, interface_index=1 << 31),
        rule(1, DROP, capture_length=1, **good), rule(1, FORWARD, capture_offset=1, **good), rule(1, DROP, flags=RULE_LINK, **good),
        rule(1, flags=RULE_NEIGHBOUR, **good), rule(1, CAPTURE, edits=[(EDIT_TTL, b"a")], **good),
        rule(1, FORWARD, edits=[(EDIT_TTL, b"ab")], **good), rule(1, FORWARD, edits=[(EDIT_TTL, b"a", 1)], **good),
        rule(1, FORWARD, edits=[(EDIT_DSCP, b"@")], **good), rule(1, FORWARD, edits=[(8, b"a")], **good),
        rule(1, FORWARD, edits=[(EDIT_SOURCE, b"a" * 16)], **good), rule(1, FORWARD, family=6, edits=[(EDIT_SOURCE, b"aaaa")], **good),
        rule(1, FORWARD, protocol=1, edits=[(EDIT_SOURCE_PORT, b"aa")]), rule(1, FORWARD, edits=[(0, b""), (EDIT_TTL, b"a")], **good),
    ]  # fmt: skip
    for name, value in (("protocol", 17), ("icmp_type", 1), ("icmp_code", 1), ("icmp_id", 1), ("interface_index", 1),
                        ("source_port_first", 1), ("source_port_last", 1), ("destination_port_last", 1)):  # fmt: skip
        each = rule(1, source="10.0.0.0/8")
        setattr(each, name, value)
        bad.append(each)
    each = rule(1, source="10.0.0.0/8")
    each.source[1] = 1
    bad.append(each)
    each = rule(1, source="10.0.0.0/8")
    each.source[15] = 1
    bad.append(each)
    each = rule(1, source="10.0.0.0/8")
    each.source_prefix = 33
    bad.append(each)
    each = rule(1, family=6, source="2001:db8::/32")
    each.source_prefix = 129
    bad.append(each)
    each = rule(1, **good)
    each.reaction.repeat = 1
    bad.append(each)
    each = rule(1, FORWARD, edits=[(EDIT_TTL, b"a")], **good)
    each.edits[0].value[1] = 1
    bad.append(each)
    results, left = refusals(guest, bad)
    assert (results, left) == ([-errno.EINVAL] * len(bad), 0)
    results, left = refusals(guest, [rule(1, interface_index=9999)])
    assert (results, left) == ([-errno.ENODEV], 0)


def test_management_is_kept(guest):
    """Rules that could keep SSH or the web interface from the device are refused unless a module parameter allows them."""
    cases = [
        (rule(1, DROP), True),
        (rule(1, FORWARD), True),
        (rule(1, CAPTURE), False),
        (rule(1, DROP, protocol=17), False),
        (rule(1, DROP, protocol=6), True),
        (rule(1, DROP, protocol=6, destination_port=22), True),
        (rule(1, CAPTURE_DROP, destination_port=(1, 65535)), True),
        (rule(1, DROP, protocol=6, destination_port=(81, 442)), False),
        (rule(1, DROP, protocol=6, destination="10.9.0.0/24", destination_port=443), True),
        (rule(1, DROP, protocol=6, destination="10.9.0.0/31", destination_port=443), True),
        (rule(1, DROP, protocol=6, destination="10.9.0.2/31", destination_port=443), False),
        (rule(1, DROP, protocol=6, destination="10.9.0.1/32"), True),
        (rule(1, DROP, protocol=6, destination="127.0.0.1/32"), True),
        (rule(1, DROP, protocol=6, destination="192.0.2.1/32"), False),
        (rule(1, DROP, protocol=6, source="192.0.2.1/32"), True),
        (rule(1, CAPTURE_DROP, protocol=6, source_port=80), False),
        (rule(1, CAPTURE_DROP, protocol=6, source_port=(80, 1024)), True),
        (rule(1, DROP, family=6, destination="fd09::/64"), True),
        (rule(1, DROP, family=6, destination="fd09::1/128", protocol=6), True),
        (rule(1, DROP, family=6, destination="fd09::2/128", protocol=6), False),
        (rule(1, DROP, errors=True), False),
    ]
    def outcomes():
        script = Script()
        capture = Capture(script)
        answers = [(capture.add(each), script.ioctl(0, RULE_FLUSH))[0] for each, _ in cases]
        script.run(guest)
        return [each.result for each in answers]

    assert outcomes() == [-errno.EACCES if refused else 0 for _, refused in cases]
    guest.run("echo 1 > /sys/module/ktrxer/parameters/allow_management").check()
    try:
        assert outcomes() == [0] * len(cases)
    finally:
        guest.run("echo 0 > /sys/module/ktrxer/parameters/allow_management").check()


def test_who_may(guest):
    """Without CAP_NET_RAW the device does not open, as root of a user namespace only in a namespace of its own."""
    guest.run("chmod 666 /dev/krx").check()
    try:
        script = Script()
        script.call("user", 65534)
        opened = script.call("open", 0, "/dev/krx")
        script.run(guest)
        assert opened.result == -errno.EPERM
        script = Script()
        opened = script.call("open", 0, "/dev/krx")
        commands = guest.write("outside", opened.command + "\n")
        said = guest.run(f"/bin/busybox unshare -U -r {guest.inside}/calls < {commands}").check().out
        assert int(said) == -errno.EPERM
        said = guest.run(f"/bin/busybox unshare -U -r -n {guest.inside}/calls < {commands}").check().out
        assert int(said) == 0
    finally:
        guest.run("chmod 600 /dev/krx").check()


def test_bad_calls(guest):
    """Calls out of order, unknown ones, sizes out of range: an errno each, as the header says."""
    script = Script()
    expected = [(script.call("open", 0, "/dev/krx"), 0)]

    def call(result, command, argument=0):
        expected.append((script.ioctl(0, command, argument), result))

    for command, argument in ((RULE_ADD, rule(1)), (RULE_REPLACE, rule(1)), (RULE_DELETE, 1), (RULE_LIST, RuleList()), (RULE_FLUSH, 0),
                              (STATISTICS, Statistics()), (THRESHOLD, 1)):  # fmt: skip
        call(-errno.ENOTCONN, command, argument)
    expected.append((script.call("map", 0, 4096), -errno.ENOTCONN))
    expected.append((script.call("poll", 0, 0), POLLERR))
    call(-errno.ENOTTY, 0xB7FF)
    call(-errno.ENOTTY, KTX_BIND, Bind())
    call(-errno.EBADF, EVENTFD, 63)
    call(-errno.EINVAL, EVENTFD, 0)
    call(-errno.EFAULT, SETUP, 8)
    for result, fields in (
        (errno.EINVAL, {"slots": 3}), (errno.EINVAL, {"slots": 1}), (errno.EINVAL, {"slots": 0}), (errno.E2BIG, {"slots": 32768}),
        (errno.EINVAL, {"slots": 1 << 31 | 1}), (errno.EINVAL, {"slot_bytes": 64}), (errno.EINVAL, {"slot_bytes": 129}),
        (errno.E2BIG, {"slot_bytes": 131072}), (errno.EINVAL, {"flags": 1}), (errno.EINVAL, {"reserved": (ctypes.c_uint32 * 3)(0, 0, 1)}),
        (errno.ENOBUFS, {"slots": 16384, "slot_bytes": 65536}),
    ):  # fmt: skip
        call(-result, SETUP, Setup(**{"slots": 4, "slot_bytes": 128, **fields}))
    call(0, SETUP, Setup(slots=4, slot_bytes=128))
    call(-errno.EBUSY, SETUP, Setup(slots=4, slot_bytes=128))
    call(-errno.EINVAL, RULE_LIST, RuleList(reserved=1))
    call(-errno.EFAULT, RULE_ADD, 8)
    call(-errno.ENOENT, RULE_DELETE, 1 << 32 | 1)
    call(-errno.EINVAL, THRESHOLD, 1 << 32 | 1)
    expected.append((script.call("map", 0, 8192), 0))
    expected.append((script.call("map", 0, 12288), -errno.EINVAL))
    info = script.ioctl(0, INFO, Info())
    script.run(guest)
    for answer, result in expected:
        assert answer.result == result, (answer.command[:100], answer.result, result)
    told = Info.from_buffer_copy(info.data)
    assert (told.abi, told.most_entries, told.most_rules, told.memory_bytes) == (1, 16384, 65536, 8192)


def test_kinds_are_bounded(guest):
    """The 65th kind of wildcard is refused, and when one is given up there is room again; so are 257 rules that are alike."""
    kinds = [rule(1 + number, source=f"0.0.0.0/{number % 32}", destination=f"0.0.0.0/{number // 32}") for number in range(65)]
    results, left = refusals(guest, kinds)
    assert (results, left) == ([0] * 64 + [-errno.ENOSPC], 64)
    script = Script()
    capture = Capture(script)
    answers = [capture.add(each) for each in kinds] + [script.ioctl(0, RULE_DELETE, 5), capture.add(kinds[64])]
    script.run(guest)
    assert [each.result for each in answers[64:]] == [-errno.ENOSPC, 0, 0]
    alike = [rule(1 + number, destination_port=(number, number + 1)) for number in range(257)]
    results, left = refusals(guest, alike)
    assert (results, left) == ([0] * 256 + [-errno.ENOSPC], 256)
    # A rule that takes another's place needs no room beside it: not of the only rule of a kind, nor of one that is alike.
    script = Script()
    capture = Capture(script)
    others = [capture.add(each) for each in kinds[:64]]
    wide = rule(5, source="0.0.0.0/31", destination="0.0.0.0/31")
    others += [capture.replace(wide), capture.replace(kinds[4])]
    # Not so where the kind stays, of another rule.
    again = kinds[6]
    again.id = 100
    others += [capture.add(again)]
    again.id = 7
    replaced = capture.replace(rule(7, source="0.0.0.0/30", destination="0.0.0.0/31"))
    masks = capture.statistics()
    others += [script.ioctl(0, RULE_FLUSH), *(capture.add(each) for each in alike[:256])]
    others += [capture.replace(rule(9, destination_port=(8, 9), priority=3)), capture.replace(rule(9, destination_port=(8, 10)))]
    full = capture.add(alike[256])
    script.run(guest)
    assert [each.result for each in others] == [0] * 67 + [65] + [0] * 258
    assert (replaced.result, full.result, Statistics.from_buffer_copy(masks.data).masks) == (-errno.ENOSPC, -errno.ENOSPC, 64)


def test_listing(guest):
    """Rules come back as they were given, in the order of their ids, in as many pieces as one likes."""
    given = {
        number: rule(number, FORWARD, protocol=17, destination_port=number, edits=[(EDIT_TTL, bytes([number % 200]))])
        if number % 2 else rule(number, protocol=6, source_port=(number, 9999), priority=number, source="10.0.0.0/8")
        for number in (500, 3, 77, 1000, 4, 9, 1, 40, *range(2000, 2100))
    }  # fmt: skip
    script = Script()
    capture = Capture(script)
    Capture(script, 1, slots=64, slot_bytes=4096)
    for each in given.values():
        capture.add(each)
    size = ctypes.sizeof(Rule)
    pieces = []
    for after, capacity in ((0, 4), (40, 200), (3000, 10)):
        listed = bytes(RuleList(after=after, capacity=capacity)).hex()
        answer = script.call("place", 0, 1, 4096, listed, RULE_LIST, RuleList.rules.offset)
        pieces.append((answer, script.call("peek", 1, 4096, 200 * size)))
    script.run(guest)
    order = sorted(given)
    for (answer, data), numbers in zip(pieces, (order[:4], [each for each in order if each > 40], [])):
        assert RuleList.from_buffer_copy(answer.check().data).count == len(numbers)
        for index, number in enumerate(numbers):
            assert data.data[index * size : (index + 1) * size] == bytes(given[number])


# ---- the end of things ----


def test_interface_goes(guest):
    """Rules of an interface that is gone stay and match nothing, not even when its index comes again."""
    guest.run("/bin/ip link add gone0 index 700 type dummy; /bin/ip link set gone0 up").check()
    number = interface(guest, "gone0")
    script = Script()
    capture = Capture(script)
    added = capture.add(rule(1, interface_index=number))
    script.call("sleep", 8000)
    statistics = capture.statistics()
    frame = packets.ethernet(NEAR, FAR, packets.ip4(THERE, HERE, 17, b"12345678"))
    script.send("tap1", frame)
    script.call("sleep", 20)
    look = capture.look()
    script.run(
        guest, meanwhile="sleep 2; /bin/ip link del gone0; /bin/ip link add near2 index 700 type veth peer name tap1;"
        f"/bin/ip link set near2 address {NEAR} up; /bin/ip link set tap1 up",
    )  # fmt: skip
    added.check()
    assert interface(guest, "near2") == number
    guest.run("/bin/ip link del near2")
    assert Statistics.from_buffer_copy(statistics.data).rules == 1
    assert capture.records(look) == []


def test_namespace_goes(guest):
    """Files of a namespace that is gone report it; nothing of them is left."""
    script = Script()
    script.call("namespace", "/run/netns/doomed")
    capture = Capture(script)
    capture.add(rule(1, CAPTURE))
    before = script.call("poll", 0, 0)
    script.call("namespace", "/proc/1/ns/net")
    after = script.call("poll", 0, 20_000)
    late = [capture.add(rule(2)), script.ioctl(0, RULE_DELETE, 1), script.ioctl(0, RULE_FLUSH), capture.statistics(),
            script.ioctl(0, RULE_LIST, RuleList())]  # fmt: skip
    guest.run("/bin/ip netns add doomed").check()
    script.run(guest, meanwhile="sleep 0.2; /bin/ip netns del doomed")
    assert (before.result, after.result) == (0, POLLERR | POLLHUP)
    assert [each.result for each in late] == [-errno.ENODEV] * 5


def test_namespace_goes_with_neighbours(guest):
    """Rules that answer for addresses hold on to interfaces, and let go of those that go away with their namespace."""
    guest.run("ip=/bin/ip; $ip netns add doomed; $ip -n doomed link add d0 index 900 type veth peer name d1; $ip -n doomed link set d0 up").check()
    script = Script()
    script.call("namespace", "/run/netns/doomed")
    capture = Capture(script)
    added = [
        capture.add(rule(1, destination="10.1.0.0/16", flags=RULE_NEIGHBOUR, interface_index=900)),
        capture.add(rule(2, CAPTURE, 6, destination="fd01::/16", flags=RULE_NEIGHBOUR, interface_index=900)),
        capture.add(rule(3, CAPTURE, 6, destination="fd01::1/128", flags=RULE_NEIGHBOUR, interface_index=900)),
    ]
    script.call("namespace", "/proc/1/ns/net")
    gone = script.call("poll", 0, 20_000)
    script.run(guest, meanwhile="sleep 0.2; /bin/ip netns del doomed")
    for each in added:
        each.check()
    assert gone.result == POLLERR | POLLHUP
    # What still held an interface would have the kernel say so, and go on saying it, ten seconds after.
    guest.run("sleep 12; ! /bin/ip netns list | grep doomed").check()
