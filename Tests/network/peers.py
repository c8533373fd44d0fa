# SPDX-License-Identifier: MIT
"""Runs the programs that the agent is compared with, and reads what they print. Times are ns."""

import re


def fping(bed, target, count=10, period_ms=100, options=""):
    """Round-trip times of a fping run, answered probes only."""
    seen = bed.run(f"fping -c{count} -p{period_ms} {options} {target}").check(0, 1)
    return [round(float(ms) * 1e6) for ms in re.findall(r"bytes, ([\d.]+) ms", seen.out)]


def scamper(bed, target, method="udp-paris"):
    """[(address, round trip)] hop by hop; (None, None) for a silent one."""
    seen = bed.run(f"scamper -I 'trace -P {method} {target}'").check()
    hops = []
    for line in re.findall(r"^ *\d+  .*$", seen.out, re.M):
        answered = re.match(r" *\d+  (\S+)  ([\d.]+) ms", line)
        hops.append((answered[1], round(float(answered[2]) * 1e6)) if answered else (None, None))
    return hops


def mtr(bed, target, count=3, options=""):
    """[(address, loss in percent, best round trip)] hop by hop."""
    seen = bed.run(f"mtr --report --no-dns -c {count} {options} {target}").check()
    return [
        (m[1], float(m[2]), round(float(m[3]) * 1e6))
        for m in re.finditer(r"^ *\d+\.\|-- (\S+) +([\d.]+)% +\d+ +[\d.]+ +[\d.]+ +([\d.]+)", seen.out, re.M)
    ]


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
