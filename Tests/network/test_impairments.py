# SPDX-License-Identifier: MIT
"""Paths that lose, repeat, reorder, damage, delay and refuse, and one that lies. What happened to each probe is
read from a capture at the home host, and the record has to say the same."""

import itertools
import re

import pytest

from bed import HOPS4, HOPS6, SERVER4, SERVER6, SERVER_RTT
from dissection import capture, fields
from netem import spoilt
from records import records

EXACT = 50_000
TRANSPORTS = ["packet", "socket"]
FAMILIES = {"4": SERVER4, "6": SERVER6}
every = pytest.mark.parametrize("transport, family", list(itertools.product(TRANSPORTS, FAMILIES)))
both = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture(scope="module", autouse=True)
def warm(virtual):
    virtual.run(f"fping -q -c1 {SERVER4} {SERVER6}")


def measure(bed, arguments, *statuses):
    seen = bed.agent(f"{arguments} --json", timeout=120).check(*statuses)
    found = records(seen.out)
    assert len(found) == 1, seen
    return found[0]


def replies(path, family, good=True):
    """Sequence numbers of the echo replies captured, in the order in which they came."""
    icmp, wanted = ("icmp", "icmp.type == 0") if family == "4" else ("icmpv6", "icmpv6.type == 129")
    if good:
        wanted += f" && eth.dst == 02:00:00:00:01:0a && {icmp}.checksum.status == 1"
    name = "icmp.seq" if family == "4" else "icmpv6.echo.sequence_number"
    return [int(sequence) for (sequence,) in fields(path, wanted, name)]


@every
@pytest.mark.parametrize("place", [("gw", "wan", "4ms"), ("hop1", "west", "4ms")], ids=["there", "back"])
def test_loss(virtual, transport, family, place):
    node, interface, delay = place
    with spoilt(virtual, node, interface, f"delay {delay} loss 30%"), capture(virtual, "loss") as path:
        record = measure(virtual, f"ping -T {transport} -c 100 -i 10ms -W 1s {FAMILIES[family]}", 0, 1)
    came = replies(path, family)
    assert 40 <= len(came) <= 95, came
    assert [probe.sequence for probe in record.probes if probe.answered] == came, record
    assert (record.sent_count, record.answered_count) == (100, len(came)), record
    assert all(abs(probe.rtt - SERVER_RTT) < EXACT for probe in record.probes if probe.answered), record


@every
def test_duplicates(virtual, transport, family):
    with spoilt(virtual, "hop1", "west", "delay 4ms duplicate 100%"):
        record = measure(virtual, f"ping -T {transport} -c 20 -i 20ms {FAMILIES[family]}")
    assert [probe.duplicates for probe in record.probes] == [1] * 20, record
    assert (record.sent_count, record.answered_count) == (20, 20), record


@every
def test_reordering(virtual, transport, family):
    with spoilt(virtual, "hop1", "west", "delay 30ms 20ms"), capture(virtual, "reorder") as path:
        record = measure(virtual, f"ping -T {transport} -c 100 -i 3ms -W 1s {FAMILIES[family]}")
    came = replies(path, family)
    assert sorted(came) == list(range(100)), came
    reordered = {seq for at, seq in enumerate(came) if any(earlier > seq for earlier in came[:at])}
    assert 5 < len(reordered) < 100, came
    assert {probe.sequence for probe in record.probes if probe.reordered} == reordered, record


@every
def test_damage(virtual, transport, family):
    """An answer with a wrong checksum is none."""
    with spoilt(virtual, "hop1", "west", "delay 4ms corrupt 40%"), capture(virtual, "damage") as path:
        record = measure(virtual, f"ping -T {transport} -c 100 -i 5ms -W 1s {FAMILIES[family]}", 0, 1)
    good = set(replies(path, family))
    assert len(good) < 95, good
    answered = {probe.sequence for probe in record.probes if probe.answered}
    assert answered == good, (answered ^ good, record)


@every
def test_late(virtual, transport, family):
    """Answers after the timeout are told apart from answers and from losses, while the measurement lasts."""
    with spoilt(virtual, "hop1", "west", "delay 2s"):
        record = measure(virtual, f"ping -T {transport} -c 8 -i 500ms -W 1s {FAMILIES[family]}", 1)
    late = [probe for probe in record.probes if probe.late]
    assert len(late) >= 3 and record.answered_count == 0, record


@every
def test_nobody_answers(virtual, transport, family):
    target = "203.0.113.1" if family == "4" else "2001:db8:dead::1"
    virtual.run(f"/bin/ip route replace blackhole {target}", node="hop3").check()
    for kind in "ping -c 3 -i 100ms -W 1s", "trace -m 6 -W 1s", "train -c 5 -W 1s":
        record = measure(virtual, f"{kind} -T {transport} {target}", 1)
        assert record.address == target, record
        if not kind.startswith("trace"):
            assert record.answered_count == 0, record


@every
@pytest.mark.parametrize("route, code4, mark4, code6, mark6", [
    # Linux has one code for both in IPv6.
    ("unreachable", 1, "!H", 0, "!N"), ("prohibit", 13, "!X", 1, "!X"), ("throw", 0, "!N", 0, "!N"),
])
def test_refused_by_a_router(virtual, transport, family, route, code4, mark4, code6, mark6):
    target = "203.0.113.9" if family == "4" else "2001:db8:dead::9"
    code, mark, sender = (code4, mark4, HOPS4[2]) if family == "4" else (code6, mark6, HOPS6[2])
    virtual.run(f"/bin/ip route replace {route} {target}", node="hop2").check()
    record = measure(virtual, f"ping -T {transport} -c 2 -i 50ms -W 1s {target}", 1)
    for probe in record.probes:
        assert (probe.answer, probe.sender, probe.icmp_code) == ("unreachable", sender, code), record
    assert (record.answered_count, record.statistics["error_answers"]) == (0, 2), record
    seen = virtual.agent(f"trace -T {transport} -m 8 -W 1s {target}").check(1)
    assert mark in seen.out, seen
    # It ends there.
    assert not re.search(r"^ *[4-8] ", seen.out, re.M), seen


@every
def test_no_such_neighbour(virtual, transport, family):
    """The last router finds nobody of that address, and says so three seconds later."""
    target, sender = ("192.0.2.99", HOPS4[3]) if family == "4" else ("2001:db8:80::99", HOPS6[3])
    record = measure(virtual, f"ping -T {transport} -c 1 -W 5s {target}", 1)
    (probe,) = record.probes
    assert (probe.answer, probe.sender, probe.icmp_code) == ("unreachable", sender, 1 if family == "4" else 3), record
    assert 2_900_000_000 < probe.rtt < 3_200_000_000, record


@every
def test_path_mtu(virtual, transport, family):
    """A packet that is too big for a link on the way: who said so, and how much it takes."""
    for node, interface in ("hop1", "east"), ("hop2", "west"):
        virtual.run(f"/bin/ip link set {interface} mtu 1400", node=node).check()
    try:
        virtual.run("/bin/ip route flush cache; /bin/ip -6 route flush cache")
        record = measure(virtual, f"ping -T {transport} -D -s 1440 -c 2 -i 50ms -W 1s {FAMILIES[family]}", 1)
        first = record.probes[0]
        assert first.sender == (HOPS4 if family == "4" else HOPS6)[1], record
        assert first.answer == ("unreachable" if family == "4" else "packet_too_big"), record
        assert first.mtu == 1400, record
    finally:
        for node, interface in ("hop1", "east"), ("hop2", "west"):
            virtual.run(f"/bin/ip link set {interface} mtu 1500", node=node).check()
        virtual.run("/bin/ip route flush cache; /bin/ip -6 route flush cache")


def test_rate_ceiling(virtual):
    """The ceiling holds over all jobs together, in every second."""
    jobs = "".join(
        f"config job 'j{number}'\n option kind train\n option protocol icmp\n option count 10\n option timeout 1s\n"
        f" option transport {TRANSPORTS[number % 2]}\n list target {SERVER4}\n option at start\n"
        for number in range(8)
    )
    conf = virtual.write("rate.conf", f"config agent\n option output '-'\n option max_pps 20\n option parallel 8\n{jobs}")
    with capture(virtual, "rate") as path:
        virtual.agent(f"run --once -f {conf}").check()
    times = [float(time) for (time,) in fields(path, "icmp.type == 8", "frame.time_epoch")]
    assert len(times) == 80, times
    busiest = max(sum(1 for time in times if begin <= time < begin + 1) for begin in times)
    assert busiest <= 20, times


def test_jobs_to_one_host_do_not_mix(virtual):
    """Four jobs at once to the same address: each gets its own answers, at the right time."""
    jobs = "".join(
        f"""
        config job 'j{number}'
            option kind ping
            option protocol {protocol}
            option count 20
            option gap 10ms
            list target {SERVER4}
            list target {SERVER6}
            option at start
        """
        for number, protocol in enumerate(["icmp", "icmp", "udp", "tcp"])
    )
    path = virtual.write("mixed.conf", f"config agent\n option output '-'\n option max_pps 10000\n{jobs}")
    seen = virtual.agent(f"run --once -f {path}").check()
    found = [r for r in records("\n".join(line for line in seen.out.splitlines() if line.startswith("{")))]
    assert len(found) == 8, seen
    for record in found:
        assert record.answered_count == 20, record
        assert all(abs(probe.rtt - SERVER_RTT) < EXACT and probe.duplicates == 0 for probe in record.probes), record


@pytest.fixture(scope="class")
def liar(virtual):
    virtual.run("forger west", node="hop1").check()
    yield
    virtual.run("killall forger", node="hop1").check()


@pytest.mark.usefixtures("liar")
class TestForgedAnswers:
    """The liar of Tests/beds/programs/forger.c sits at the first hop: what it sends comes 12 ms before the truth."""

    @every
    @pytest.mark.parametrize("protocol, port, answer", [
        ("icmp", None, "echo_reply"), ("udp", 7, "udp_reply"), ("udp", 33434, "unreachable"),
        ("tcp", 80, "tcp_open"), ("tcp", 81, "tcp_reset"),
    ])
    def test_ping(self, virtual, transport, family, protocol, port, answer):
        destination = f"-p {port}" if port else ""
        record = measure(
            virtual, f"ping -P {protocol} {destination} -T {transport} -c 5 -i 50ms {FAMILIES[family]}")
        for probe in record.probes:
            assert (probe.answer, probe.sender, probe.duplicates) == (answer, FAMILIES[family], 0), record
            assert abs(probe.rtt - SERVER_RTT) < EXACT, record

    @every
    @pytest.mark.parametrize("protocol", ["icmp", "udp", "tcp"])
    def test_trace(self, virtual, transport, family, protocol):
        if (transport, protocol) == ("socket", "tcp"):
            pytest.skip("a TCP trace needs the packet transport")
        hops = HOPS4 if family == "4" else HOPS6
        record = measure(virtual, f"trace -P {protocol} -T {transport} {FAMILIES[family]}")
        for probe in record.probes:
            assert probe.sender == hops[probe.ttl - 1], record


@pytest.fixture(scope="class")
def labels(virtual):
    virtual.run(f"forger west labels {HOPS4[2]} {HOPS6[2]}", node="hop1").check()
    yield
    virtual.run("killall forger", node="hop1").check()


@pytest.mark.usefixtures("labels")
class TestLabels:
    @every
    @pytest.mark.parametrize("protocol", ["icmp", "udp", "tcp"])
    def test_trace(self, virtual, transport, family, protocol):
        """A router of an MPLS network tells the labels with which the probe came."""
        if (transport, protocol) == ("socket", "tcp"):
            pytest.skip("a TCP trace needs the packet transport")
        stack = [{"label": 16001, "tc": 5, "s": False, "ttl": 1}, {"label": 24, "tc": 0, "s": True, "ttl": 254}]
        record = measure(virtual, f"trace -P {protocol} -T {transport} {FAMILIES[family]}")
        router = (HOPS4 if family == "4" else HOPS6)[2]
        assert [hop.get("mpls") for hop in record.fields["hops"]] == [None, None, stack, None, None], record
        for fields, probe in zip(record.fields["probes"], record.probes):
            if probe.ttl == 3:
                assert probe.sender == router and fields["answer"]["mpls"] == stack, record
            else:
                assert "mpls" not in fields["answer"], record
        seen = virtual.agent(f"trace -P {protocol} -T {transport} {FAMILIES[family]}").check()
        assert "[MPLS: L=16001 E=5 S=0 TTL=1, L=24 E=0 S=1 TTL=254]" in seen.out, seen
