# SPDX-License-Identifier: MIT
"""The beds of kernel modules themselves: what is judged and measured in them rests on this."""

import struct

import pytest

import kbed
from qemu import debian_kernels, exact_run

# Two cards on one hub, the second in a network namespace of its own. e1000 needs two seconds for its carrier, and takes its
# time for the first packet that it receives after that.
NETWORK = """
set -e
/bin/ip netns add far
/bin/ip link set eth1 netns far
/bin/ip addr add 192.0.2.1/24 dev eth0
/bin/ip -n far addr add 192.0.2.2/24 dev eth1
/bin/ip link set eth0 up
/bin/ip -n far link set eth1 up
sleep 3
ping -c 1 192.0.2.2
"""


def frames(dump):
    """[(seconds, frame)] of a pcap file with microseconds, as qemu writes it."""
    assert struct.unpack_from("<I", dump)[0] == 0xA1B2C3D4
    found, at = [], 24
    while at < len(dump):
        seconds, micros, length, _ = struct.unpack_from("<IIII", dump, at)
        found.append((seconds + micros / 1e6, dump[at + 16 : at + 16 + length]))
        at += 16 + length
    return found


@pytest.fixture(scope="module")
def kernel():
    """The kernel that bounds and ratios are held on."""
    return debian_kernels()["6.1"]


@pytest.mark.parametrize("card", ["e1000", "virtio-net-pci"])
def test_exact_runs_are_alike(guest_root, kernel, card):
    """Results, kernel log and capture, to the byte; and time in them is what it should be."""
    scripts = [NETWORK, "ping -c 5 -i 0.2 192.0.2.2; date +%s; cat /proc/uptime; exit 7"]
    first, second = (exact_run(guest_root, kernel, scripts, cards=(card, card), dump=0) for _ in range(2))
    first.results[0].check()
    assert first.results[1].status == 7
    assert "5 packets received" in first.results[1].out, first.results[1]
    assert [(result.status, result.out, result.err) for result in first.results] == [
        (result.status, result.out, result.err) for result in second.results
    ]
    assert first.kernel_log == second.kernel_log
    assert first.dump == second.dump
    requests = [time for time, frame in frames(first.dump) if frame[12:14] == b"\x08\x00" and frame[23] == 1 and frame[34] == 8]
    # The first is the network's.
    del requests[0]
    assert len(requests) == 5
    assert all(abs(after - before - 0.2) < 0.001 for before, after in zip(requests, requests[1:])), requests


def test_files_and_modules_of_exact_runs(guest_root, kernel):
    module = kbed.built_module(kbed.FAULTY, kernel.name)
    run = exact_run(
        guest_root, kernel, ["insmod /faulty.ko && grep -c ^faulty /proc/modules", "grep -c ^veth /proc/modules"],
        cards=["virtio-net-pci"], modules=["veth"], files=[("/faulty.ko", module)],
    )
    assert [result.out for result in run.results] == ["1\n", "1\n"], (run.results, run.kernel_log)


def test_allocations_fail_in_turn(guest_root):
    with kbed.UmlKernel(guest_root) as guest:
        errors = guest.load_failing(kbed.FAULTY)
        # What the loader itself does: ENOMEM, and EFAULT if the copy of the parameters is struck.
        assert {0, 12} <= set(errors) <= {0, 12, 14}, errors
        assert errors.count(12) > 10, errors
        guest.judge()
        guest.judge_leaks()
