# SPDX-License-Identifier: MIT
"""How long a train of 100 UDP frames takes, from the first to the last, by each method, for payloads from 28 to 1428 bytes, idle
and beside cross traffic: the paper's figures 4 to 6.

When a frame leaves is told by tap.ko, where it enters the driver. That is the same place for all methods, and to the ns. A
capture outside the guest sees the same frames, as they come out of the emulated card: e1000 sends all that was queued when its
doorbell is rung, so that most of a train that rings it once has one instant there; its resolution is 1 us.

The kernel's packet generator and the bare driver call are the floor under the others, and are measured idle. Beside cross traffic
payloads are fewer.
"""

import dataclasses
import statistics

import platforms
from figures import instants

NAME = "sending-rate"
FRAMES = 100
FIRST_PORT = 2000
#: The first, the last, and the step.
PAYLOADS, CROSS_PAYLOADS, QUICK_PAYLOADS = (28, 1428, 50), (28, 1428, 200), (28, 1428, 700)
RUNS, QUICK_RUNS = 10, 5
CROSS, QUICK_CROSS = (0, 12_000, 24_000, 36_000), (0, 24_000)
METHODS = ("ktrxer", "ktrxer-reference", "udp", "raw", "packet", "packet-bypass", "packet-ring", "xdp-copy")
FLOOR = ("pktgen-fresh", "pktgen-cloned", "driver")
#: UDP port of cross traffic.
CROSS_PORT = 7


@dataclasses.dataclass(frozen=True)
class Series:
    """Trains of one method beside one cross traffic: each payload, all of it `runs` times; each train has its own port."""

    method: str
    cross: int
    span: tuple
    runs: int
    port: int

    @property
    def payloads(self):
        first, last, step = self.span
        return range(first, last + 1, step)

    @property
    def trains(self):
        return len(self.payloads) * self.runs

    def ports(self, payload):
        """Of its trains with that payload."""
        begin = self.port + self.payloads.index(payload)
        return range(begin, begin + self.trains, len(self.payloads))

    def script(self):
        first, last, step = self.span
        return f"/methods/{self.method} -n {FRAMES} -l {first} -L {last} -k {step} -r {self.runs} -p {self.port}"


def _plan(quick):
    """Series in the order in which they are run."""
    plan, port = [], FIRST_PORT
    for cross in QUICK_CROSS if quick else CROSS:
        span = QUICK_PAYLOADS if quick else CROSS_PAYLOADS if cross else PAYLOADS
        for method in METHODS if cross else METHODS + FLOOR:
            plan.append(Series(method, cross, span, QUICK_RUNS if quick else RUNS, port))
            port += plan[-1].trains
    return plan


def train_times(tap):
    """{port: (count, first, last)} of /proc/tap."""
    rows = [[int(number) for number in line.split()] for line in tap.splitlines()]
    return {port: (count, first, last) for port, count, first, last in rows}


def _scripts(plan):
    before = 0
    for series in plan:
        change = f"cross {series.cross}; sleep 0.3; " if series.cross != before else ""
        before = series.cross
        yield f"{change}{series.script()}; status=$?; sleep 0.05; exit $status"


def _carried(series, outside):
    """Packets a second of cross traffic that were on the wire while a series was."""
    begin, end = outside[series.port][0], outside[series.port + series.trains - 1][-1]
    return sum(begin <= us < end for us in outside.get(CROSS_PORT, [])) * 1_000_000 // (end - begin)


def measure(platform, quick):
    plan = _plan(quick)
    begin = f"insmod /tap.ko frames={FRAMES} first_port={FIRST_PORT} trains={sum(series.trains for series in plan)}"
    done = platforms.run(
        platform, [begin, *_scripts(plan), "cross 0; sleep 0.2; cat /proc/tap"], methods=METHODS + FLOOR,
        kernel_modules=("pktgen",), cross=True, dump=0, timeout=900,
    )  # fmt: skip
    for result in done.results:
        result.check()
    entered, outside = train_times(done.results[-1].out), instants(done.dump)
    rows = []
    for series in plan:
        carried = _carried(series, outside)
        for payload in series.payloads:
            trains = [entered.get(port, (0, 0, 0)) for port in series.ports(payload)]
            if any(count != FRAMES for count, _, _ in trains):
                raise AssertionError(f"{platform.name}: {series}, payload {payload}: not {FRAMES} frames entered the driver: {trains}")
            took = [last - first for _, first, last in trains]
            wire = [(outside[port][-1] - outside[port][0]) * 1000 for port in series.ports(payload)]
            rows.append({
                "method": series.method, "payload": payload, "cross_pps": series.cross, "carried_pps": carried, "runs_ns": took,
                "median_ns": int(statistics.median(took)), "wire_median_ns": int(statistics.median(wire)),
            })
    return rows
