# SPDX-License-Identifier: MIT
"""Everything at random, from several processes at once, with packets arriving and interfaces that come and go."""

import os
import random

import pytest

import hostile
from sending import set_odd

SEED = int(os.environ.get("KTRXER_SEED") or random.SystemRandom().randrange(1 << 32))
CALLS = int(os.environ.get("KTRXER_CALLS") or 100_000)


@pytest.fixture(scope="module")
def guest(debug, tmp_path_factory):
    hostile.furnish(debug, tmp_path_factory.mktemp("programs"), ["storm", "ktx"])
    yield debug
    hostile.strip(debug)


def test_storm(guest):
    """So many calls of four processes; a fifth sends packets that their rules match, and an interface is made and removed
    under them all the time."""
    # However it ends, it can be had again.
    print(f"KTRXER_SEED={SEED}")
    set_odd(guest, carrier=1)
    said = guest.run(
        f"""
        {guest.inside}/storm {SEED} {CALLS} 4 odd0 near0 brief0 lo & storm=$!
        while kill -0 $storm 2> /dev/null; do
            /sbin/ip link add brief0 type dummy
            /sbin/ip link set brief0 up
            /sbin/ip netns exec far {guest.inside}/ktx -i far0 -n 20 -l 100 -g 100000 -s 100000 -A 10.9.0.2 -B 198.51.100.1 -p 9 > /dev/null
            echo 2 > /sys/module/odd/parameters/busy
            /sbin/ip link del brief0
        done
        wait $storm
        """,
        timeout=280,
    ).check()
    calls, successes = (int(word) for word in said.out.split() if word.isdigit())
    assert calls >= CALLS and successes > calls / 3, f"KTRXER_SEED={SEED} {said}"
    assert hostile.lines_a_second(guest.log_since()) <= 1
