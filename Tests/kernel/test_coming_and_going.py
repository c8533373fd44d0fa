# SPDX-License-Identifier: MIT
"""Modules, interfaces and namespaces that come and go again and again with traffic on them, and a system that has its
turn however much is submitted."""

import os

import pytest

import hostile
import kbed
from sending import parsed

ROUNDS = 200
# Of each kind of interface, five in a round; a round takes more than a second.
REMOVALS = int(os.environ.get("KTRXER_REMOVALS") or 100)
# The parameters as they are by default.
PARAMETERS = "spin_ceiling_ns=100000 spin_share_percent=50 rate_ceiling=250000 burst_ceiling=128 memory_ceiling_kib=65536"


@pytest.fixture(scope="module")
def guest(debug, tmp_path_factory):
    hostile.furnish(debug, tmp_path_factory.mktemp("programs"), ["ktx", "flood", "holding"])
    yield debug
    hostile.strip(debug)


@pytest.fixture
def endless(guest):
    """Pings from the namespace `far` all the time: packets pass the hook."""
    guest.run("(while :; do /sbin/ip netns exec far ping -q -c 50 -i 0.001 10.9.0.1; sleep 0.001; done) > /dev/null 2>&1 & echo $! > /tmp/endless").check()
    yield
    guest.run("kill $(cat /tmp/endless); sleep 0.2").check()


def test_loading_and_unloading(guest, endless):
    """The module comes and goes with traffic on the hook, each time after it was used; not while it is open."""
    module = guest.put(kbed.built_module(kbed.KMOD, guest.kind))
    result = guest.run(
        f"""
        set -e
        rmmod ktrxer
        for round in $(seq {ROUNDS}); do
            insmod {module}
            if [ $((round % 10)) = 0 ]; then
                {guest.inside}/holding near0 killed
                {guest.inside}/ktx -i near0 -n 8 -l 1000 -s 100000 -g 1000 > /dev/null
            fi
            exec 3<> /dev/krx 4<> /dev/ktx
            if rmmod ktrxer 2> /dev/null; then echo unloaded while open; exit 1; fi
            exec 3>&- 4>&-
            rmmod ktrxer
        done
        insmod {module}
        """,
        timeout=200,
    )
    result.check()


# How frames may end while their interface is removed: as sent, down, without carrier or gone. The other end of a veth
# pair may be closed first, or its processor's queue be full: then the driver takes a frame and throws it away.
ENDS = {0, 3, 4, 5}
DROPPED = 12


@pytest.mark.parametrize("kind, ends", [("dummy", ENDS), ("veth peer name back", ENDS | {DROPPED})], ids=["dummy", "veth"])
def test_interfaces_going(guest, kind, ends):
    """Removed with frames under way and waiting: each completes. On a busy machine a second of the guest's may have passed when
    an interface goes: of trains that last longer some are left in any case."""
    each = f"{kind}$number" if "peer" in kind else kind
    result = guest.run(
        f"""
        for round in $(seq {REMOVALS // 5}); do
            for number in 1 2 3 4 5; do
                /sbin/ip link add gone$number type {each}
                /sbin/ip link set gone$number up
                [ ! -e /sys/class/net/back$number ] || /sbin/ip link set back$number up
                {guest.inside}/ktx -i gone$number -n 40 -l 300 -s 1000000 -g $((round % 2 ? 25 : 500))000000 -w 30000 > /tmp/gone$number &
            done
            sleep 0.$((round % 2))$((round % 9 + 1))
            for number in 1 2 3 4 5; do /sbin/ip link del gone$number; done
            wait
            cat /tmp/gone?
        done
        """,
        timeout=200,
    ).check()
    said = parsed(result)
    assert len(said.completions) + 40 * result.out.count('"error"') == 40 * (REMOVALS) and said.missing == 0, result
    statuses = {done["status"] for done in said.completions}
    assert statuses <= ends and statuses >= {0, 5}, statuses


def test_namespaces_going(guest, endless):
    """With files open in them, frames scheduled and rules set, while somebody writes parameters."""
    guest.run(
        f"""
        (while :; do
            for each in {PARAMETERS}; do
                echo $((RANDOM * RANDOM % (2 * ${{each#*=}}) + 1)) > /sys/module/ktrxer/parameters/${{each%=*}}
            done
        done) & writer=$!
        for round in $(seq 20); do
            /sbin/ip netns add brief
            /sbin/ip -n brief link add d0 type dummy
            /sbin/ip -n brief link set d0 up
            /sbin/ip netns exec brief {guest.inside}/ktx -i d0 -n 200 -l 300 -s 1000000 -g 100000 > /dev/null & ktx=$!
            /sbin/ip netns exec brief {guest.inside}/holding d0 killed & holding=$!
            sleep 0.01
            /sbin/ip netns del brief
            kill -9 $ktx $holding
            wait $ktx $holding
        done
        kill $writer
        for each in {PARAMETERS}; do echo ${{each#*=}} > /sys/module/ktrxer/parameters/${{each%=*}}; done
        """,
        timeout=200,
    ).check()
    # Those that are gone are freed in the background.
    guest.run("sleep 2; ! /sbin/ip netns list | grep brief").check()


def replies(guest, arguments=None):
    """How many of 50 pings over the veth pair are answered within 200 ms, while the flood lasts; and what that says."""
    flood = f"{guest.inside}/flood {arguments} &" if arguments else ""
    result = guest.run(f"{flood} sleep 0.05; ping -q -c 50 -i 0.01 -W 1 10.9.0.2 > /tmp/ping; wait; cat /tmp/ping >&2", timeout=120).check()
    answered = int(result.err.split(" packets received")[0].split()[-1])
    worst = float(result.err.split("/")[-1].split()[0])
    return answered, worst, result.json()


@pytest.mark.parametrize("how", ["1 1000 now"])
def test_the_system_has_its_turn(guest, how):
    """Whatever is submitted, pings over the same interface are answered soon."""
    # Both ends are on this machine, and the flood is received as well: that shall not push the pings out of the queue.
    guest.run("echo 100000 > /proc/sys/net/core/netdev_max_backlog").check()
    answered, worst, floods = replies(guest, f"near0 {how}")
    # In the middle of a call that submits a thousand, that is, and not after it: whatever that takes on a busy machine.
    call = min(flood["time"] / flood["calls"] for flood in floods) / 1e6
    assert answered == 50 and worst < max(50, call / 2), (answered, worst, call, floods)
    for flood in floods:
        assert flood["sent"] > 100, floods
        # Nothing is waited for.
        assert flood["spin"] == 0, floods
    # All files together stay below the ceiling of 250,000 frames a second; the bucket begins full.
    assert sum(flood["sent"] for flood in floods) <= 250_000 * 1.2 + 2_500, floods
