# SPDX-License-Identifier: MIT
"""How many frames a second a program can send that has 10,000 different ones in its memory, by each method: from the first call
to the last frame's entry into the driver, so that all preparation counts. `per_submit` frames are handed over in a call, where
the method has such a call; 0 stands for the kernel's packet generator, which sends frames of its own making and is told once.
The module's ceiling on frames a second is off.

And on a router what is left over for forwarding meanwhile: how many packets a second could go from the LAN out by the same card
while a method sends 5,000 frames a second. That is reckoned: a packet socket sends beside 20,000 forwarded packets a second, and
how much longer it takes than without them is what they cost (with the timer interrupts of what they come from).
"""

import platforms
from figures import instants
from sending_rate import CROSS_PORT, FIRST_PORT, train_times

NAME = "sustained"
FRAMES, QUICK_FRAMES = 10_000, 2_000
PAYLOADS, QUICK_PAYLOADS = (58, 1428), (58,)
GROUPS, QUICK_GROUPS = (1, 4, 16, 64, 256), (1, 64)
#: Whose call for several frames (sendmmsg) spares nothing but system calls, few sizes are enough.
FEW_GROUPS = (1, 64)
METHODS = ("ktrxer", "ktrxer-reference", "udp", "raw", "packet", "packet-bypass", "packet-ring", "xdp-copy", "pktgen-fresh", "pktgen-cloned")
#: Packets a second from the LAN, beside which this method tells what they cost.
FORWARDED, BESIDE = 20_000, ("packet-bypass", 58, 1)
#: Frames a second beside which as many packets are forwarded as the processor can.
BUSY_WITH = 5_000


def _plan(quick):
    """[(method, payload, frames a submit)] in the order in which they are run, each with a port of its own."""

    def groups(method):
        if method.startswith("pktgen"):
            return (0,)
        return QUICK_GROUPS if quick else FEW_GROUPS if method in ("udp", "raw", "packet") else GROUPS

    return [
        (method, payload, group)
        for payload in (QUICK_PAYLOADS if quick else PAYLOADS)
        for method in METHODS
        for group in groups(method)
    ]


def _call(method, payload, group, frames, port):
    pieces = frames if group else 1
    return f"/methods/{method} -v -n {frames} -m {pieces} -l {payload} -p {port} -G {group}"


def _forwarding_cost(alone, beside, outside):
    """ns a packet, from a train's begin and end, ns, without and with forwarded packets. They are counted while its frames were on
    the wire."""
    begin, end = outside[beside[0]][0], outside[beside[0]][-1]
    forwarded = sum(begin <= us < end for us in outside.get(CROSS_PORT, []))
    return (beside[2] - beside[1] - (alone[2] - alone[1])) // forwarded


def measure(platform, quick):
    frames = QUICK_FRAMES if quick else FRAMES
    plan = _plan(quick)
    trains = [*plan, BESIDE] if platform.forwards else plan
    ports = range(FIRST_PORT, FIRST_PORT + len(trains))
    scripts = [f"{_call(*train, frames, port)}; status=$?; sleep 1; exit $status" for port, train in zip(ports, trains)]
    if platform.forwards:
        scripts[-1] = f"cross {FORWARDED}; sleep 0.1; {_call(*BESIDE, frames, ports[-1])}; status=$?; cross 0; sleep 1; exit $status"
    begin = f"insmod /tap.ko frames={frames} first_port={FIRST_PORT} trains={len(trains)}"
    done = platforms.run(
        platform, [begin, *scripts, "cat /proc/tap"], methods=METHODS, kernel_modules=("pktgen",), insert="rate_ceiling=0",
        cross=platform.forwards, dump=0, timeout=900,
    )  # fmt: skip
    for result in done.results:
        result.check()
    entered = train_times(done.results[-1].out)
    # (port, begin of the first call, entry of the last frame)
    times = []
    for port, train, result in zip(ports, trains, done.results[1:-1]):
        count, first, last = entered[port]
        if count != frames:
            raise AssertionError(f"{platform.name}: {train}: {count} frames of {frames} entered the driver")
        # pktgen's start and end are waits of its own.
        times.append((port, int(result.out.split()[1]) if train[2] else first, last))
    forwarding = _forwarding_cost(times[plan.index(BESIDE)], times[-1], instants(done.dump)) if platform.forwards else 0
    rows = []
    for (method, payload, group), (_, began, last) in zip(plan, times):
        row = {
            "method": method, "payload": payload, "per_submit": group, "pps": frames * 1_000_000_000 // (last - began),
            "instructions_per_packet": (last - began >> platform.shift) // frames,
        }  # fmt: skip
        if forwarding:
            row["forwarded_pps"] = (1_000_000_000 - BUSY_WITH * (last - began) // frames) // forwarding
        rows.append(row)
    return rows
