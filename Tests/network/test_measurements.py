# SPDX-License-Identifier: MIT
"""Every kind of probe over every protocol, address family and transport, against delays that are known exactly,
and against what fping, scamper and mtr say of the same path. Every packet sent is judged by tshark."""

import itertools
import re

import pytest

import peers
from bed import HOP_RTT, HOPS4, HOPS6, SERVER4, SERVER6, SERVER_RTT
from dissection import assert_wellformed, capture, fields
from records import records

# ns. What the clock costs: each reading is 256 ns of virtual time, and a probe takes a few tens.
EXACT = 50_000
TRANSPORTS = ["packet", "socket"]
FAMILIES = {"4": (SERVER4, HOPS4), "6": (SERVER6, HOPS6)}
every = pytest.mark.parametrize(
    "transport, family", list(itertools.product(TRANSPORTS, FAMILIES))
)


@pytest.fixture(scope="module", autouse=True)
def everything_sent(virtual):
    """All packets of this module, captured at the home router."""
    virtual.run(f"fping -q -c1 {SERVER4} {SERVER6}")
    with capture(virtual, "everything") as path:
        yield path


def measure(bed, arguments, *statuses):
    seen = bed.agent(f"{arguments} --json").check(*statuses)
    found = records(seen.out)
    assert len(found) == 1, seen
    return found[0]


@every
@pytest.mark.parametrize(
    "protocol, port, answer",
    [
        ("icmp", None, "echo_reply"),
        ("udp", 7, "udp_reply"),
        ("udp", 33434, "unreachable"),
        ("tcp", 80, "tcp_open"),
        ("tcp", 81, "tcp_reset"),
    ],
)
class TestPing:
    def test_round_trip_is_the_delay(self, virtual, transport, family, protocol, port, answer):
        target, _ = FAMILIES[family]
        destination = f"-p {port}" if port else ""
        record = measure(virtual, f"ping -P {protocol} {destination} -T {transport} -c 5 -i 100ms {target}")
        assert (record.kind, record.transport, record.address) == ("ping", transport, target), record
        assert len(record.probes) == 5, record
        for probe in record.probes:
            assert probe.answer == answer and probe.sender == target, record
            assert abs(probe.rtt - SERVER_RTT) < EXACT, record
            assert probe.rtt == probe.received - probe.sent, record
            assert probe.slip == probe.sent - probe.intended and 0 <= probe.slip < EXACT, record
            assert probe.duplicates == 0 and not probe.reordered and not probe.late, record
        gaps = [b.intended - a.intended for a, b in itertools.pairwise(record.probes)]
        assert gaps == [100_000_000] * 4, record
        assert (record.sent_count, record.answered_count) == (5, 5), record
        times = sorted(probe.rtt for probe in record.probes)
        assert (record.rtt["min"], record.rtt["max"], record.rtt["median"]) == (times[0], times[-1], times[2]), record
        assert record.rtt["mean"] == sum(times) // 5, record


@every
@pytest.mark.parametrize("protocol, port", [("icmp", None), ("udp", None), ("udp", 7), ("tcp", 80), ("tcp", 81)])
class TestTrace:
    @pytest.fixture(autouse=True)
    def possible(self, transport, protocol):
        if (transport, protocol) == ("socket", "tcp"):
            pytest.skip("a TCP trace needs the packet transport")

    def test_every_hop_at_its_time(self, virtual, transport, family, protocol, port):
        target, hops = FAMILIES[family]
        destination = f"-p {port}" if port else ""
        record = measure(virtual, f"trace -P {protocol} {destination} -T {transport} {target}")
        assert (record.kind, record.transport, record.address) == ("trace", transport, target), record
        by_ttl = {}
        for probe in record.probes:
            by_ttl.setdefault(probe.ttl, []).append(probe)
        for ttl, (hop, rtt) in enumerate(zip(hops, HOP_RTT), 1):
            assert len(by_ttl[ttl]) == 3, record
            for probe in by_ttl[ttl]:
                assert probe.sender == hop, record
                assert abs(probe.rtt - rtt) < EXACT, record
            if ttl < len(hops):
                assert {probe.answer for probe in by_ttl[ttl]} == {"time_exceeded"}, record
        assert record.reached, record
        # It ends with the target: nothing is reported of what was sent beyond.
        assert max(by_ttl) == len(hops), record

        # All that was planned is accounted for.
        assert record.fields["end"] == "reached", record
        assert len(record.probes) + record.fields["unneeded_probes"] + record.fields["spared_probes"] == 90, record

    def test_all_hops_at_once(self, virtual, transport, family, protocol, port):
        """Complete within one round trip and 50 ms."""
        target, _ = FAMILIES[family]
        destination = f"-p {port}" if port else ""
        record = measure(virtual, f"trace -P {protocol} {destination} -T {transport} -q 1 -r 1000 --max-pps 1000 {target}")
        begin = min(probe.sent for probe in record.probes)
        end = max(probe.received for probe in record.probes if probe.received)
        assert end - begin < SERVER_RTT + 50_000_000, record


@every
@pytest.mark.parametrize("protocol, port", [("icmp", None), ("udp", 7), ("udp", 33434), ("tcp", 81)])
@pytest.mark.parametrize("gap", ["0", "5ms"])
class TestTrain:
    def test_train(self, virtual, transport, family, protocol, port, gap):
        target, _ = FAMILIES[family]
        destination = f"-p {port}" if port else ""
        record = measure(virtual, f"train -P {protocol} {destination} -T {transport} -c 20 -i {gap} {target}")
        assert (record.kind, record.transport, record.address) == ("train", transport, target), record
        assert len(record.probes) == 20 and all(probe.answered for probe in record.probes), record
        for probe in record.probes:
            assert abs(probe.rtt - SERVER_RTT) < 4 * EXACT, record
        sent = [probe.sent for probe in record.probes]
        received = [probe.received for probe in record.probes]
        wanted = 5_000_000 if gap == "5ms" else 0
        for before, after in itertools.pairwise(sent):
            assert wanted - EXACT <= after - before <= wanted + EXACT, record
        for before, after in itertools.pairwise(received):
            assert wanted - EXACT <= after - before <= wanted + EXACT, record


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_why_a_trace_ended(virtual, transport):
    virtual.run("/bin/ip route replace prohibit 203.0.113.1; /bin/ip route replace blackhole 203.0.113.2", node="hop2").check()
    for arguments, end, farthest in (
        ("203.0.113.1", "unreachable", 3), ("203.0.113.2", "gap_limit", 2 + 8), (f"-m 3 {SERVER4}", "max_hops", 3),
        ("-f 2 -m 4 203.0.113.2", "max_hops", 4),
    ):
        record = measure(virtual, f"trace -T {transport} {arguments}", *([1] if "113.2" in arguments or "-m 3" in arguments else [0, 1]))
        assert record.fields["end"] == end, record
        assert max(probe.ttl for probe in record.probes) == farthest, record
    seen = virtual.run(
        f"timeout -s TERM 1 ktrxer-agent trace -T {transport} -W 20s --json 203.0.113.2; exit 0"
    )
    (record,) = records(seen.out)
    assert (record.fields["end"], record.error) == ("cancelled", "cancelled"), record
    assert record.fields["unneeded_probes"] == 0 and len(record.probes) + record.fields["spared_probes"] == 90, record
    seen = virtual.run(f"timeout -s TERM 1 ktrxer-agent trace -T {transport} -W 20s 203.0.113.2; exit 0")
    assert "stopped early" in seen.out, seen


def test_flow_is_constant(virtual):
    """Paris: what load balancers hash is the same in all probes of a trace."""
    flows = {
        "icmp": ("icmp.ident", "icmp.checksum"), "udp": ("udp.srcport", "udp.dstport"),
        "tcp": ("tcp.srcport", "tcp.dstport"),
    }
    for transport, (protocol, names) in itertools.product(TRANSPORTS, flows.items()):
        if (transport, protocol) == ("socket", "tcp"):
            continue
        with capture(virtual, f"flow-{transport}-{protocol}") as path:
            measure(virtual, f"trace -P {protocol} -T {transport} {SERVER4}")
        mine = f"ip.src == 192.168.1.2 && ip.dst == {SERVER4} && {protocol}"
        # Not the errors that quote them.
        mine += {"icmp": " && icmp.type == 8 && !(icmp.type == 11)", "udp": " && !icmp", "tcp": " && !icmp && tcp.flags.syn == 1"}[protocol]
        found = fields(path, mine, *names)
        assert len(found) >= 15 and len(set(found)) == 1, (transport, protocol, found)


@every
def test_as_fping_sees_it(virtual, transport, family):
    target, _ = FAMILIES[family]
    theirs = peers.median(peers.fping(virtual, target, 11))
    record = measure(virtual, f"ping -T {transport} -c 11 -i 100ms {target}")
    assert abs(record.rtt["median"] - theirs) <= 20_000, (theirs, record)


@every
def test_as_scamper_and_mtr_see_it(virtual, transport, family):
    target, _ = FAMILIES[family]
    record = measure(virtual, f"trace -T {transport} {target}")
    ours = {}
    for probe in record.probes:
        ours.setdefault(probe.ttl, (probe.sender, probe.rtt))
    ours = [ours[ttl] for ttl in sorted(ours)]
    scamper = peers.scamper(virtual, target)
    mtr = [(address, best) for address, _, best in peers.mtr(virtual, target)]
    for theirs, tolerance in (scamper, EXACT), (mtr, 100_000):
        assert [hop for hop, _ in theirs] == [hop for hop, _ in ours], (theirs, record)
        for (_, a), (_, b) in zip(theirs, ours):
            assert abs(a - b) <= tolerance, (theirs, record)


@every
@pytest.mark.parametrize("protocol, port, size", [
    *(("icmp", None, size) for size in (0, 1, 7, 8, 100, 1472 - 20)), *(("udp", 7, size) for size in (8, 9, 100, 1472 - 20)),
])
def test_sizes(virtual, transport, family, protocol, port, size):
    target, _ = FAMILIES[family]
    destination = f"-p {port}" if port else ""
    record = measure(virtual, f"ping -P {protocol} {destination} -T {transport} -s {size} -c 3 -i 50ms {target}")
    assert [abs(probe.rtt - SERVER_RTT) < EXACT for probe in record.probes] == [True] * 3, record


@every
def test_what_the_options_ask_for_is_on_the_wire(virtual, transport, family):
    target, _ = FAMILIES[family]
    with capture(virtual, f"options-{transport}-{family}") as path:
        measure(virtual, f"ping -T {transport} -c 2 -i 10ms -s 333 -t 77 -Q 184 -D {target}")
    if family == "4":
        found = fields(path, f"icmp.type == 8 && ip.dst == {target}", "ip.ttl", "ip.dsfield", "ip.flags.df", "ip.len")
        assert found == [("77", "0xb8", "1", str(20 + 8 + 333))] * 2, found
    else:
        found = fields(path, f"icmpv6.type == 128 && ipv6.dst == {target}", "ipv6.hlim", "ipv6.tclass", "ipv6.plen")
        assert found == [("77", "0x000000b8", str(8 + 333))] * 2, found


def test_names(virtual):
    """A name is resolved at run time; the family asked for decides."""
    for option, address in ("-4", SERVER4), ("-6", SERVER6):
        record = measure(virtual, f"ping {option} -c 1 server.example")
        assert (record.target, record.address) == ("server.example", address), record


def test_output_for_people(virtual):
    ping = virtual.agent(f"ping -c 3 -i 50ms {SERVER4}").check()
    assert len(re.findall(r"20\.5\d* ms", ping.out)) >= 3, ping
    trace = virtual.agent(f"trace {SERVER4}").check()
    for hop in HOPS4:
        assert hop in trace.out, trace
    virtual.agent(f"train -p 7 {SERVER4}").check()


def test_pcapng(virtual):
    """--pcap: everything sent and captured, with ns timestamps that agree with the record's."""
    seen = virtual.agent(f"ping -c 4 -i 50ms --json --pcap {virtual.inside}/own.pcapng {SERVER4}").check()
    (record,) = records(seen.out)
    path = virtual.folder / "own.pcapng"
    assert_wellformed(path)
    sent = fields(path, "icmp.type == 8", "frame.time_epoch")
    received = fields(path, "icmp.type == 0", "frame.time_epoch")
    assert len(sent) == len(received) == 4, (sent, received, record)
    for probe, (out,), (back,) in zip(record.probes, sent, received):
        for time, wanted in (out, probe.sent), (back, probe.received):
            whole, _, nanoseconds = time.partition(".")
            # The two clocks are read one after the other.
            assert abs(int(whole) * 10**9 + int(nanoseconds) - record.started - wanted) < 5_000, (out, back, record)
    # Sockets see no frames.
    seen = virtual.agent(f"ping -T socket -c 1 --pcap {virtual.inside}/none.pcapng {SERVER4}")
    assert seen.status == 69 and "packet transport" in seen.out + seen.err, seen


def test_whether_the_clock_is_synchronised(virtual):
    for status, wanted in ("synchronised", True), ("free", False):
        virtual.run(f"clockstatus {status}").check()
        record = measure(virtual, f"ping -c 1 {SERVER4}")
        assert record.fields["clock"] == {"synchronised": wanted, "stepped": False}, record


def test_every_packet_is_wellformed(everything_sent):
    count = assert_wellformed(everything_sent, "ip.src == 192.168.1.2 || ipv6.src == 2001:db8:1::2 || arp")
    assert count > 1000
