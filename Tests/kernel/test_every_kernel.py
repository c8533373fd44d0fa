# SPDX-License-Identifier: MIT
"""What must hold on every kernel: a chosen few of the tests of sending and capturing, on the debug kernel and on Debian's
with emulated cards; and arrival times beside libpcap's."""

import struct

import pytest

import packets
from capturing import (
    BASE_LINK, BASE_NETWORK, BASE_TRANSPORT, CAPTURE, CAPTURE_DROP, DROP, EDIT_DESTINATION_PORT, FORWARD, KTX_BIND,
    REACT_APPEND_PAYLOAD, REACT_CHECKSUMS, RULE_NEIGHBOUR, STAMP_KERNEL, THRESHOLD, Bind, Capture, Script, counters_of, reaction, rule,
)
from sending import COPY, GONE, SENT, compiled, parsed, send

NEAR, FAR = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
HERE, THERE = "10.9.0.1", "10.9.0.2"


@pytest.fixture(scope="module")
def guest(every, tmp_path_factory):
    """near0 10.9.0.1 --veth-- far0 10.9.0.2 in the namespace `far`; where there are cards, eth0 (e1000) here and eth1 (virtio)
    in `far`, on one hub."""
    folder = tmp_path_factory.mktemp("programs")
    for name in "ktx", "calls":
        every.put(compiled(name, folder))
    every.run(
        f"ip=/bin/ip; $ip netns add far; $ip link add near0 address {NEAR} type veth peer name far0 address {FAR} netns far;"
        f"$ip link set near0 up; $ip -n far link set far0 up; $ip addr add {HERE}/24 dev near0; $ip -n far addr add {THERE}/24 dev far0;"
        "if [ -e /sys/class/net/eth1 ]; then $ip link set eth1 netns far; $ip link set eth0 up; $ip -n far link set eth1 up; fi; sleep 3"
    ).check()
    yield every
    every.run("/bin/ip link del near0; [ ! -e /sys/class/net/eth0 ] || /bin/ip -n far link set eth1 netns 1; /bin/ip netns del far; sleep 1").check()


def inside(namespace):
    return f"/bin/ip netns exec {namespace} " if namespace else ""


def cards(guest):
    """(from, its namespace, to, its namespace)"""
    yield "near0", None, "far0", "far"
    if guest.kind != "uml":
        yield "eth0", None, "eth1", "far"
        yield "eth1", "far", "eth0", None


def catching(guest, script, namespace=None):
    """The shell text that runs a script in parallel, and goes on when it has got as far as its first poll. All in one run of
    the guest: time passes in an idle one while this program here gets round to the next."""
    ready = next(place for place, answer in enumerate(script.answers) if answer.command.startswith("poll"))
    caught = f"{guest.inside}/caught"
    return (
        f"rm -f {caught}; {inside(namespace)}{script.written(guest, 'script')} > {caught} & "
        f"until [ $(grep -c '' {caught} 2> /dev/null || true) -ge {ready} ] 2> /dev/null; do sleep 0.1; done"
    )


def test_every_frame_arrives(guest):
    """More long frames than a card's ring holds: each is sent, retried where it has to be, and captured at the other end."""
    for sender, its, receiver, others in cards(guest):
        for flags in 0, COPY:
            script = Script()
            capture = Capture(script, slots=512)
            capture.add(rule(1, CAPTURE_DROP, protocol=17, destination_port=2009))
            script.ioctl(0, THRESHOLD, 300)
            script.call("poll", 0, 20_000)
            look = capture.look()
            arguments = f"-i {sender} -n 300 -l 1428 -f {flags} -A {HERE} -B {THERE} -p 2009 -a 255 -w 20000"
            said = parsed(guest.run(
                f"{catching(guest, script, others)}; {inside(its)}{guest.inside}/ktx {arguments} > /tmp/sent; wait; cat /tmp/sent", timeout=120,
            ))
            script.take(guest.read("caught"))
            assert said.statuses == [SENT] * 300, (sender, said.statistics)
            assert [done["cookie"] for done in said.completions] == list(range(300))
            numbers = [int.from_bytes(each.data[28:32], "big") for each in capture.records(look)]
            assert numbers == list(range(300)), (sender, flags)


def test_instants(guest):
    for sender, its, *_ in cards(guest):
        said = send(guest, f"-i {sender} -n 30 -l 100 -s 20000000 -g 2000000 -o -w 20000", namespace=its)
        assert said.statuses == [SENT] * 30
        assert [done["cookie"] for done in said.completions] == list(range(29, -1, -1))
        assert min(said.slips) >= 0, said.slips


def test_interface_removed(guest):
    guest.run("/bin/ip link add gone0 type veth peer name gone1; /bin/ip link set gone1 up; /bin/ip link set gone0 up; sleep 1").check()
    said = send(guest, "-i gone0 -n 4 -l 100 -s 500000000 -g 9000000000 -w 20000", meanwhile="sleep 3; /bin/ip link del gone0")
    assert said.statuses == [SENT] + [GONE] * 3, said


def test_operations(guest):
    """Drop, capture, forward with an edit: what reaches the system's sockets, and what is caught."""
    reached = "grep ^Udp: /proc/net/snmp | tail -n 1 | cut -d' ' -f3"
    rules = [
        rule(1, CAPTURE, protocol=17, destination_port=7001),
        rule(2, DROP, protocol=17, destination_port=7002),
        rule(3, CAPTURE_DROP, protocol=17, destination_port=7003),
        rule(4, FORWARD, protocol=17, destination_port=7004, edits=[(EDIT_DESTINATION_PORT, struct.pack("!H", 7777))]),
    ]
    before = int(guest.run(reached).out)
    script = Script()
    capture = Capture(script)
    for each in rules:
        capture.add(each)
    frames = Script()
    for port in 7001, 7002, 7003, 7004:
        datagram = packets.udp(THERE, HERE, 1234, port, b"0123456789")
        frames.send("far0", packets.ethernet(NEAR, FAR, packets.ip4(THERE, HERE, 17, datagram)))
    script.ioctl(0, THRESHOLD, 2)
    script.call("poll", 0, 20_000)
    script.call("sleep", 2000)
    look = capture.look()
    counters = capture.counters()
    sent = guest.run(f"{catching(guest, script)}; {inside('far')}{frames.written(guest, 'frames')}; wait").check().out
    frames.take(sent)
    for answer in frames.answers:
        assert answer.result > 0
    script.take(guest.read("caught"))
    assert [each.rule_id for each in capture.records(look)] == [1, 3]
    assert [counters_of(counters)[number].packets for number in (1, 2, 3, 4)] == [1] * 4
    # Nobody listens at 7001 and 7777: two.
    assert int(guest.run(reached).out) - before == 2


def test_echo_responder(guest):
    """Neighbour answers and reactions: an address that nobody has answers to ping."""
    echo = packets.ethernet("00:00:00:00:00:00", NEAR, packets.ip4("0.0.0.0", "0.0.0.0", 1, packets.icmp(0, 0)))
    copies = [(BASE_LINK, 6, 0, 6), (BASE_NETWORK, 12, 30, 4), (BASE_NETWORK, 16, 26, 4), (BASE_TRANSPORT, 4, 38, 4)]
    index = int(guest.run("cat /sys/class/net/near0/ifindex").check().out)
    script = Script()
    capture = Capture(script)
    script.call("open", 20, "/dev/ktx")
    script.ioctl(20, KTX_BIND, Bind(interface_index=index, submission_entries=64, completion_entries=64, frame_bytes=65536,
                                    queue=0xFFFFFFFF))  # fmt: skip
    script.call("map", 20, 73728)
    script.call("fill", 20, Bind.frame_offset.offset, echo.hex())
    # The first file is 3, the second 4.
    answer = reaction(4, 0, len(echo), copies, flags=REACT_CHECKSUMS | REACT_APPEND_PAYLOAD)
    added = capture.add(rule(1, CAPTURE_DROP, destination="10.9.0.99/32", protocol=1, icmp_type=8, interface_index=index,
                             reaction=answer, flags=RULE_NEIGHBOUR))  # fmt: skip
    script.call("sleep", 15_000)
    counters = capture.counters()
    script.run(guest, meanwhile="sleep 1; /bin/ip netns exec far /bin/busybox ping -c 3 -s 100 -i 1 10.9.0.99")
    added.check()
    assert "3 packets received, 0% packet loss" in guest.read("meanwhile")
    assert counters_of(counters)[1].reactions == 3


def pcap_times(data):
    """{payload: ns of CLOCK_REALTIME} of UDP packets in an Ethernet capture with nanoseconds."""
    assert struct.unpack_from("<I", data)[0] == 0xA1B23C4D, data[:4]
    found, at = {}, 24
    while at < len(data):
        seconds, nanos, length, _ = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16 : at + 16 + length]
        at += 16 + length
        found[frame[42:]] = seconds * 1_000_000_000 + nanos
    return found


@pytest.mark.parametrize("tcpdump", ["before", "after", None])
def test_arrival_as_libpcap_has_it(guest, tcpdump):
    """The same packet has the same arrival time here and in tcpdump, to the nanosecond, whichever began first; and without
    tcpdump it is the kernel's just as well."""
    dump = (
        f"timeout 60 tcpdump -c 5 -U -Z root --time-stamp-precision=nano -i near0 -w {guest.inside}/near.pcap udp port 7100 "
        "2> /tmp/dump.err & until grep -q listening /tmp/dump.err 2> /dev/null; do sleep 0.1; done"
    )
    script = Script()
    capture = Capture(script)
    capture.add(rule(1, CAPTURE, protocol=17, destination_port=7100))
    script.ioctl(0, THRESHOLD, 5)
    script.call("poll", 0, 60_000)
    look = capture.look()
    send_all = (
        f"for each in one two three four five; do {inside('far')}/bin/bash -c \"echo $each > /dev/udp/{HERE}/7100\"; done"
    )
    catch = catching(guest, script)
    begin = {"before": f"{dump}; {catch}", "after": f"{catch}; {dump}", None: catch}[tcpdump]
    guest.run(f"rm -f /tmp/dump.err; {begin}; {send_all}; wait", timeout=120).check()
    script.take(guest.read("caught"))
    seen = capture.records(look)
    assert [each.data[28:] for each in seen] == [b"one\n", b"two\n", b"three\n", b"four\n", b"five\n"]
    assert {each.source for each in seen} == {STAMP_KERNEL}
    if tcpdump:
        times = pcap_times((guest.folder / "near.pcap").read_bytes())
        assert [each.realtime_ns for each in seen] == [times[each.data[28:]] for each in seen]


def test_load_and_unload(guest):
    for _ in range(10):
        guest.unload()
        guest.load()
