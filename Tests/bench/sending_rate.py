# SPDX-License-Identifier: MIT
"""How long a train of 100 UDP frames takes, from the first to the last, by each method, for payloads from 28 to 1428 bytes:
the paper's figures 4 to 6.

When a frame leaves is told by tap.ko, where it enters the driver. That is the same place for all methods, and to the ns. A
capture outside the guest sees the same frames, as they come out of the emulated card: e1000 sends all that was queued when its
doorbell is rung, so that most of a train that rings it once has one instant there; its resolution is 1 us.
"""

import statistics

import platforms
from figures import instants

NAME = "sending-rate"
FRAMES = 100
FIRST_PORT = 2000
PAYLOADS = range(28, 1429, 50)
QUICK_PAYLOADS = (28, 628, 1428)
RUNS, QUICK_RUNS = 10, 3
METHODS = (
    "ktrxer", "ktrxer-reference", "udp", "raw", "packet", "packet-bypass", "packet-ring", "xdp-copy", "pktgen-fresh", "pktgen-cloned", "driver",
)


def _series(quick):
    """Payloads as the first, the last and the step."""
    return (28, 1428, 700) if quick else (PAYLOADS[0], PAYLOADS[-1], PAYLOADS.step)


def train_times(tap):
    """{port: (count, first, last)} of /proc/tap."""
    rows = [[int(number) for number in line.split()] for line in tap.splitlines()]
    return {port: (count, first, last) for port, count, first, last in rows}


def measure(platform, folder, quick):
    first, last, step = _series(quick)
    payloads = range(first, last + 1, step)
    runs = QUICK_RUNS if quick else RUNS
    trains = len(payloads) * runs
    scripts, ports = [], {}
    for number, method in enumerate(METHODS):
        ports[method] = FIRST_PORT + number * trains
        scripts.append(f"/methods/{method} -n {FRAMES} -l {first} -L {last} -k {step} -r {runs} -p {ports[method]}; status=$?; sleep 1; exit $status")
    begin = f"insmod /tap.ko frames={FRAMES} first_port={FIRST_PORT} trains={len(METHODS) * trains}"
    done = platforms.run(platform, folder, [begin, *scripts, "cat /proc/tap"], methods=METHODS, kernel_modules=("pktgen",), dump=0)
    for result in done.results:
        result.check()
    entered, outside = train_times(done.results[-1].out), instants(done.dump)
    rows = []
    for method in METHODS:
        for place, payload in enumerate(payloads):
            took, wire = [], []
            for run in range(runs):
                port = ports[method] + run * len(payloads) + place
                count, began, ended = entered[port]
                if count != FRAMES:
                    raise AssertionError(f"{platform.name}: {method}, payload {payload}: {count} frames of {FRAMES} entered the driver")
                took.append(ended - began)
                wire.append((outside[port][-1] - outside[port][0]) * 1000)
            rows.append({
                "method": method, "payload": payload, "cross_pps": 0, "runs_ns": took, "median_ns": int(statistics.median(took)),
                "wire_median_ns": int(statistics.median(wire)),
            })
    return rows
