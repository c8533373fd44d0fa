# SPDX-License-Identifier: MIT
"""How many frames a second a program can send that has 10,000 different ones in its memory, by each method: from the first call
to the last frame's entry into the driver, so that all preparation counts. `per_submit` frames are handed over in a call, where
the method has such a call; 0 stands for the kernel's packet generator, which sends frames of its own making and is told once.

The module's ceiling on frames a second is off.
"""

import platforms
from sending_rate import FIRST_PORT, train_times

NAME = "sustained"
FRAMES, QUICK_FRAMES = 10_000, 2_000
PAYLOADS, QUICK_PAYLOADS = (58, 1428), (58,)
GROUPS, QUICK_GROUPS = (1, 4, 16, 64, 256), (1, 256)
METHODS = ("ktrxer", "ktrxer-reference", "udp", "raw", "packet", "packet-bypass", "packet-ring", "xdp-copy", "pktgen-fresh", "pktgen-cloned")


def _plan(quick):
    """[(method, payload, frames a submit)] in the order in which they are run, each with a port of its own."""
    groups = QUICK_GROUPS if quick else GROUPS
    return [
        (method, payload, group)
        for payload in (QUICK_PAYLOADS if quick else PAYLOADS)
        for method in METHODS
        for group in ((0,) if method.startswith("pktgen") else groups)
    ]


def measure(platform, folder, quick):
    frames = QUICK_FRAMES if quick else FRAMES
    plan = _plan(quick)
    begin = f"insmod /tap.ko frames={frames} first_port={FIRST_PORT} trains={len(plan)}"
    scripts = [
        f"/methods/{method} -v -n {frames} -m {1 if group == 0 else frames} -l {payload} -p {port} -G {group}; status=$?; sleep 1; exit $status"
        for port, (method, payload, group) in enumerate(plan, FIRST_PORT)
    ]
    done = platforms.run(
        platform, folder, [begin, *scripts, "cat /proc/tap"], methods=METHODS, kernel_modules=("pktgen",), insert="rate_ceiling=0",
    )
    for result in done.results:
        result.check()
    entered = train_times(done.results[-1].out)
    rows = []
    for port, ((method, payload, group), result) in enumerate(zip(plan, done.results[1:-1]), FIRST_PORT):
        count, first, last = entered[port]
        if count != frames:
            raise AssertionError(f"{platform.name}: {method}, {group} a submit: {count} frames of {frames} entered the driver")
        began = int(result.out.split()[1])
        # pktgen's start and end are waits of its own.
        took = last - (began if group else first)
        rows.append({
            "method": method, "payload": payload, "per_submit": group, "pps": frames * 1_000_000_000 // took,
            "instructions_per_packet": (took >> platform.shift) // frames,
        })
    return rows
