# SPDX-License-Identifier: MIT
"""Spoils a link of the virtual bed's small internet for a while."""

import contextlib

# What the small internet's links have when nothing is spoilt.
DELAYS = {("gw", "lan"): "500us", ("gw", "wan"): "4ms", ("hop1", "west"): "4ms", ("server", "eth0"): "2ms"}


@contextlib.contextmanager
def spoilt(bed, node, interface, impairment):
    """`impairment` as netem takes it, in place of the link's own delay, for packets that leave `node` by it."""
    place = f"tc -n {bed.ns(node)} qdisc replace dev {interface} root netem limit 100000"
    bed.run(f"/sbin/{place} {impairment}", node=None).check()
    try:
        yield
    finally:
        # Replacing one netem by another keeps what the old one holds; what it still delays has to go.
        bed.run(
            f"/sbin/tc -n {bed.ns(node)} qdisc del dev {interface} root; "
            f"/sbin/{place} delay {DELAYS[node, interface]}",
            node=None,
        ).check()
