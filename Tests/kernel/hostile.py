# SPDX-License-Identifier: MIT
"""What the hostile tests share: a guest with odd0 and a veth pair, and their programs."""

import re

from sending import ODD, compiled

PROGRAMS = ["ktx", "bad_calls"]
NETWORK = """
echo 1 > /proc/sys/net/ipv6/conf/odd0/disable_ipv6
/sbin/ip link set odd0 arp off up
/sbin/ip netns add far
/sbin/ip link add near0 type veth peer name far0 netns far
/sbin/ip link set near0 up
/sbin/ip addr add 10.9.0.1/24 dev near0
/sbin/ip -n far link set far0 up
/sbin/ip -n far addr add 10.9.0.2/24 dev far0
sleep 3
"""


def furnish(guest, folder, programs, network=True):
    """Puts programs, odd0 and the veth pair into a guest that has the module."""
    for name in programs:
        guest.put(compiled(name, folder))
    guest.load(ODD)
    if network:
        guest.run(NETWORK).check()


def strip(guest):
    """Takes away what furnish made."""
    guest.run("/sbin/ip netns del far; sleep 1").check()
    guest.unload("odd")


def ran(guest, command, timeout=60):
    """Runs a hostile program, which exits with 0 if all was as it should be; returns what it printed."""
    return guest.run(f"{guest.inside}/{command}", timeout=timeout).check().out


def lines_a_second(log):
    """How many lines the module has written in its busiest second."""
    stamps = [int(stamp) for stamp in re.findall(r"\[ *(\d+)\.\d+\].*ktrxer", log)]
    return max((stamps.count(stamp) for stamp in set(stamps)), default=0)
