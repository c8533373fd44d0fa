# SPDX-License-Identifier: MIT
"""The agent's measurements over the kernel module, in a small internet inside the debug kernel: what leaves, what is
answered, who sees the answers. Delays are those of examples/small-internet.sh; time passes while code runs here, so
they are not exact."""

import itertools
import re

import pytest

from guest import ROOT
from records import records

SERVER = {"4": "192.0.2.80", "6": "2001:db8:80::80"}
HOPS = {
    "4": ["192.168.1.1", "198.51.100.2", "198.51.100.6", "198.51.100.10", SERVER["4"]],
    "6": ["2001:db8:1::1", "2001:db8:a::2", "2001:db8:b::2", "2001:db8:c::2", SERVER["6"]],
}
SERVER_RTT = 20_500_000
# A KASAN kernel takes its time.
TOLERANCE = 3_000_000


class Home:
    """The home host of the small internet."""

    def __init__(self, guest):
        self.guest = guest
        guest.run(
            "echo 0 > /proc/sys/net/ipv4/route/error_cost; bash /bin/small-internet up bed && sleep 3", timeout=240
        ).check()
        # Every neighbour on the way is known then.
        self.run(f"fping -q -c1 {SERVER['4']} {SERVER['6']}").check()

    def run(self, script, node="home", timeout=120):
        return self.guest.run(script, f"ktrxer-bed-{node}", timeout)

    def measure(self, arguments, *statuses):
        seen = self.run(f"exec ktrxer-agent {arguments} --json").check(*statuses)
        (record,) = records(seen.out)
        return record


@pytest.fixture(scope="module")
def home(debug):
    return Home(debug)


PROTOCOLS = [
    ("icmp", None, "echo_reply"),
    ("udp", 7, "udp_reply"),
    ("udp", 33434, "unreachable"),
    ("tcp", 80, "tcp_open"),
    ("tcp", 81, "tcp_reset"),
]
every = pytest.mark.parametrize(
    "family, protocol, port, answer", [(family, *rest) for family, rest in itertools.product("46", PROTOCOLS)]
)


def destination(port):
    return f"-p {port}" if port else ""


@every
def test_ping(debug, home, family, protocol, port, answer):
    record = home.measure(f"ping -P {protocol} {destination(port)} -c 5 -i 100ms {SERVER[family]}")
    # The first choice of auto.
    assert record.transport == "kernel", record
    assert len(record.probes) == 5 and record.answered_count == 5, record
    for probe, fields in zip(record.probes, record.fields["probes"]):
        assert probe.answer == answer and probe.sender == SERVER[family], record
        # One or another may have waited for a program to be paged in, or come to a turn of the host's scheduler.
        assert probe.rtt >= SERVER_RTT - TOLERANCE, record
        assert probe.slip >= 0 and probe.duplicates == 0, record
        assert fields["attempts"] == 1, record
        assert fields["sent_source"] == "kernel" and fields["received_source"] == "kernel", record
    assert abs(record.rtt["median"] - SERVER_RTT) < TOLERANCE, record
    assert record.statistics["slip_ns"]["median"] < TOLERANCE, record


@every
def test_trace(debug, home, family, protocol, port, answer):
    record = home.measure(f"trace -T kernel -P {protocol} {destination(port)} {SERVER[family]}")
    assert record.transport == "kernel" and record.reached, record
    by_ttl = {}
    for probe in record.probes:
        by_ttl.setdefault(probe.ttl, set()).add(probe.sender)
    assert [by_ttl[ttl] for ttl in range(1, 6)] == [{hop} for hop in HOPS[family]], record


@every
@pytest.mark.parametrize("gap", ["0", "2ms"])
def test_train(debug, home, family, protocol, port, answer, gap):
    record = home.measure(f"train -T kernel -P {protocol} {destination(port)} -c 20 -i {gap} -s 400 {SERVER[family]}")
    assert record.transport == "kernel" and record.answered_count == 20, record
    sent = [probe.sent for probe in record.probes]
    assert sent == sorted(sent), record


@pytest.mark.parametrize("family", "46")
def test_the_system_resets_no_connection_that_it_does_not_know(debug, home, family):
    """Without a firewall rule: answers to SYN probes are kept from it."""
    count = "awk '/^Tcp:/ { n = $15 } END { print n }' /proc/net/snmp"
    resets = {}
    for transport in ("kernel", "packet"):
        # What earlier SYNs have left at the server is sent again, draws a reset when nobody captures it, and is gone.
        home.run("sleep 10").check()
        probe = f"ktrxer-agent ping -P tcp -p 80 -c 3 -i 100ms -T {transport} {SERVER[family]} --json"
        before, record, after = home.run(f"{count}; {probe}; {count}").check().out.splitlines()
        (record,) = records(record)
        assert record.transport == transport and record.answered_count == 3, record
        assert {probe.answer for probe in record.probes} == {"tcp_open"}, record
        resets[transport] = int(after) - int(before)
    # The packet transport shows that the system would, and that they are counted.
    assert resets == {"kernel": 0, "packet": 3}


def test_side_by_side(debug, home):
    """Each session has files of its own, and hears its own answers only."""
    jobs = "".join(
        f"config job '{protocol}{family}'\n\toption kind 'ping'\n\toption target '{SERVER[family]}'\n"
        f"\toption count '5'\n\toption gap '50ms'\n\toption interval '1h'\n\toption protocol '{protocol}'\n"
        + ("" if protocol == "icmp" else "\toption port '7'\n")
        for family, protocol in itertools.product("46", ["icmp", "udp", "tcp"])
    )
    output = "config agent\n\toption output '/tmp/side.jsonl'\n\toption parallel '6'\n"
    home.guest.write("jobs.conf", output + jobs)
    home.run("exec ktrxer-agent run --once -f /bed/jobs.conf").check()
    found = records(home.run("cat /tmp/side.jsonl").check().out)
    assert len(found) == 6, found
    for record in found:
        assert record.transport == "kernel" and record.answered_count == 5, record
        assert record.fields.get("foreign_answers", 0) == 0, record


def test_nothing_is_left_open(debug, home):
    """Files are closed with their session, so that the module can go."""
    assert home.run("ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c k[tr]x; true").out.strip() == "0"


def test_a_big_measurement(debug, home):
    """More probes than a ring has entries."""
    record = home.measure(
        f"train -T kernel -P udp -p 7 -c 1500 -i 100us --max-pps 10000 -s 300 {SERVER['4']}", 0, 1
    )
    assert len(record.probes) == 1500, record
    assert all(probe.sent for probe in record.probes), record


def test_the_interface_goes_away(debug, home):
    """Probes that have not left say so, and the agent ends in time."""
    home.run("/bin/ip link add gone0 type dummy; /bin/ip addr add 203.0.113.1/24 dev gone0; /bin/ip link set gone0 up").check()
    seen = home.run(
        "(sleep 1; /bin/ip link del gone0) & exec ktrxer-agent ping -T kernel -c 20 -i 1s -I gone0 203.0.113.255 --json; true"
    )
    (record,) = records(seen.out)
    failures = [probe.failure for probe in record.probes if probe.failure]
    assert failures, record


def test_doctor(debug, home):
    """It finds the module, and what the timer's lead is; without permission it says what is missing."""
    seen = home.run("exec ktrxer-agent doctor").check(0)
    assert "The kernel transport works." in seen.out and not re.search("^!", seen.out, re.M), seen
    (found,) = home.run("exec ktrxer-agent doctor --json").check(0).json()
    version = re.search(r'KTRXER_VERSION "(.*)"', "".join(path.read_text() for path in (ROOT / "kmod").glob("*.h")))[1]
    assert found["kernel_transport"] is True and found["findings"]["module"]["value"] == version, found
    interface = {interface["name"]: interface["findings"] for interface in found["interfaces"]}["lan"]
    assert interface["link_type"]["value"] == "ethernet" and interface["driver"]["value"] == "veth", found
    assert 0 < interface["timer_lead_ns"]["value"] < 1_000_000, found
    seen = home.run("exec setpriv --bounding-set=-net_raw --inh-caps=-net_raw ktrxer-agent doctor")
    if "setpriv: " not in seen.err:
        assert seen.status == 1 and "CAP_NET_RAW" in seen.out, seen


class TestC:
    """The programs of examples/c, which link the C library and nothing else."""

    @pytest.fixture(autouse=True)
    def programs(self, debug):
        for name in ("ping", "pair"):
            debug.put(ROOT / "build" / "x86_64" / "examples" / name)

    @pytest.mark.parametrize("family", "46")
    def test_ping(self, debug, home, family):
        lines = home.run(f"/bed/ping {SERVER[family]}").check().out.splitlines()
        assert [line.split(":")[0] for line in lines] == list("01234"), lines
        shown = [re.fullmatch(r"\d: ([\d.]+) ms, left ([\d.]+) us late", line).groups() for line in lines]
        rtts, late = [sorted(map(float, column)) for column in zip(*shown)]
        assert abs(rtts[2] * 1e6 - SERVER_RTT) < TOLERANCE and 0 <= late[2] * 1e3 < TOLERANCE, lines

    def test_pair(self, debug, home):
        """Behind a link of 10 Mbit/s, two packets of 1,034 bytes are 827 us apart."""
        home.run("tc qdisc replace dev lan root tbf rate 10mbit burst 1100 latency 1s; true", "gw").check()
        seen = home.run(f"/bed/pair {SERVER['4']} 5").check().out
        assert re.match(r"5 of 5 pairs answered, gap \d+ ns \(median\)", seen), seen

    def test_without_the_way_or_the_module(self, debug, home):
        for program in ("ping", "pair"):
            assert home.run(f"/bed/{program} 127.0.0.1").status == 69
            assert "Invalid argument" in home.run(f"/bed/{program} nonsense").check(69).err
