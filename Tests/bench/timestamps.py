# SPDX-License-Identifier: MIT
"""How far the module's receive timestamps are from libpcap's of the same packets, for several lengths. (The paper: not at all.)

The packets come from the other side of the network by the card that is measured, and both capture them in one program (stamps/),
at a precision of 1 ns. Zero is a time that nobody gave: a packet that one of them has not seen.
"""

import os
import statistics
import subprocess

import platforms
from guest import CACHE
from programs import compiled_once

NAME = "timestamps"
LENGTHS = (28, 100, 700, 1428)
QUICK_LENGTHS = (28, 1428)
COUNT = 100
FIRST_PORT = 3000


def _program(platform):
    pcap = subprocess.check_output([platforms.BENCH / "libpcap.sh", "path", CACHE, platform.architecture], text=True).strip()
    if not os.path.exists(f"{pcap}/libpcap.a"):
        raise platforms.BedFailure(f"no libpcap for {platform.architecture} here; run: make setup-kernels")
    return compiled_once(
        "stamps", platform.architecture, platforms.BENCH / "stamps" / "stamps.c", f"{pcap}/libpcap.a", options=("-isystem", pcap)
    )


def measure(platform, quick):
    lengths = QUICK_LENGTHS if quick else LENGTHS
    scripts = [
        f"chmod +x /stamps; /stamps eth0 /proc/$(cat /tmp/far)/ns/net eth1 {COUNT} {payload} {FIRST_PORT + place}"
        for place, payload in enumerate(lengths)
    ]
    kernel_modules = ("af_packet",) if platform.architecture != "mips" else ()
    done = platforms.run(platform, scripts, kernel_modules=kernel_modules, files=[("/stamps", _program(platform))])
    rows = []
    for payload, result in zip(lengths, done.results):
        pairs = [(each["ktrxer"], each["libpcap"]) for each in result.check().json()]
        missing = sum(not ours or not theirs for ours, theirs in pairs)
        apart = [abs(ours - theirs) for ours, theirs in pairs if ours and theirs]
        rows.append({
            "length": payload, "count": len(apart), "missing": missing, "median_ns": int(statistics.median(apart)), "most_ns": max(apart),
        })  # fmt: skip
    return rows
