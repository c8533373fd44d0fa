# SPDX-License-Identifier: MIT
"""What capturing costs, with no rule, one, 1,000 and 10,000: by /dev/krx, by AF_PACKET with a BPF filter, and by nftables whose
rules log to a program, a rule for each or one set for all.

Packets arrive as if a card had received them (arrivals/), a burst at a time, and after each the program reads what was captured
(captures/). Wanted packets match one rule each, all rules in turn; foreign ones match none. The card has no part in it, so one
platform of each device is enough.
"""

import json

import kbed
import platforms
from programs import compiled_once

NAME = "capture"
METHODS = ("ktrxer", "ktrxer-drop", "packet", "nftables", "nftables-set")
RULES, QUICK_RULES = (0, 1, 1000, 10_000), (0, 1, 1000)
COUNT = 6400
#: One rule of nftables after the other takes as long as it does: no more of them are asked than this, beside a few bursts.
MOST_COMPARISONS = 640_000
FEWEST = 320
PROGRAM = platforms.BENCH / "captures"
#: nf_tables needs the checksum, and does not say so.
KERNEL_MODULES = ("crc32c_generic", "nf_tables", "nft_log", "nfnetlink_log")
BEGIN = "insmod /arrivals.ko && chmod +x /capture && echo 1048576 > /proc/sys/net/core/optmem_max"


def applies_to(names, _quick):
    """One of each device."""
    devices = {}
    for name in names:
        devices.setdefault(platforms.PLATFORMS[name].kernel, name)
    return list(devices.values())


def _plan(quick):
    """[(method, rules, packets, how many)]."""
    plan = [("none", 0, packets, COUNT) for packets in ("foreign", "wanted")]
    for method in METHODS:
        for rules in QUICK_RULES if quick else RULES:
            some = COUNT if method != "nftables" else max(FEWEST, min(COUNT, MOST_COMPARISONS // max(rules, 1)))
            plan += [(method, rules, packets, some) for packets in ("foreign", "wanted") if rules or packets == "foreign"]
    return plan


def measure(platform, quick):
    plan = _plan(quick)
    scripts = [
        f"/capture {method} eth0 {max(rules, 1) if method == 'none' else rules} {packets} {count}; status=$?; sleep 1; exit $status"
        for method, rules, packets, count in plan
    ]
    program = compiled_once("capture", platform.architecture, *sorted(PROGRAM.glob("*.c")))
    files = [("/capture", program), ("/arrivals.ko", kbed.built_module(platforms.BENCH / "arrivals", platform.kernel))]
    done = platforms.run(platform, [BEGIN, *scripts], kernel_modules=KERNEL_MODULES, files=files)
    done.results[0].check()
    rows, without = [], {}
    for (method, rules, packets, _), result in zip(plan, done.results[1:]):
        said = json.loads(result.check().out)
        expected = said["arrived"] if packets == "wanted" and method != "none" else 0
        if said["captured"] != expected:
            raise AssertionError(f"{platform.name}: {method}, {rules} rules: {said['captured']} packets captured, not {expected}")
        in_all = said["ns"] / said["arrived"] / 2**platform.shift
        if method == "none":
            without[packets] = in_all
        rows.append({
            "method": method, "rules": rules, "packets": packets, **said, "lost": 0, "instructions_in_all": round(in_all),
            "instructions_per_packet": round(in_all - without[packets]), "most_pps": said["arrived"] * 10**9 // said["ns"],
        })  # fmt: skip
    return rows
