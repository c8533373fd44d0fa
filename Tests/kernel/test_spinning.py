# SPDX-License-Identifier: MIT
"""Waiting for instants is bounded: for each launch, and for all files together. In virtual time, as figures are measured."""

import json

import pytest

import kbed
import sending
from kbed import built_module
from qemu import exact_run
from test_figures import chosen_kernel

PARAMETERS = "/sys/module/ktrxer/parameters"
CEILINGS = [100_000, 20_000]
# Files, us from frame to frame of each, the share in percent.
FLOODS = [(8, 400, 10), (8, 400, 5)]
# The eight programs never sleep: softirqs that are put off to their thread wait for its turn among them, some 6 ms each.
SLOWEST_PING_MS = 100
# What may be saved up, and what is waited for besides before it shows (spin.c), ns.
SAVED = 5_000_000
SLACK = 1_000_000
BEGIN = """
ip=/bin/ip; $ip link add spare0 type dummy; $ip link set spare0 arp off up; $ip netns add far
$ip link add near0 type veth peer name far0 netns far; $ip link set near0 up; $ip -n far link set far0 up
$ip addr add 10.9.0.1/24 dev near0; $ip -n far addr add 10.9.0.2/24 dev far0; insmod /ktrxer.ko; sleep 3
"""


def _flood(files, gap, percent):
    return (
        f"echo {percent} > {PARAMETERS}/spin_share_percent; /flood spare0 {files} 2000 timed {gap} > /tmp/flood & sleep 0.2;"
        "ping -q -c 50 -i 0.02 -W 1 10.9.0.2 >&2; wait; cat /tmp/flood"
    )


@pytest.fixture(scope="module")
def results(guest_root, tmp_path_factory):
    """What each script said, by what it is about."""
    kernel, folder = chosen_kernel(), tmp_path_factory.mktemp("programs")
    scripts = {"begin": BEGIN}
    for ceiling in CEILINGS:
        scripts[ceiling] = f"echo {ceiling} > {PARAMETERS}/spin_ceiling_ns; /ktx -i spare0 -n 50 -l 100 -s 20000000 -g 4000000"
    scripts["end"] = f"echo 100000 > {PARAMETERS}/spin_ceiling_ns"
    for files, gap, share in FLOODS:
        for percent in share, 100:
            scripts[files, gap, percent] = _flood(files, gap, percent)
    files = [("/ktrxer.ko", built_module(kbed.KMOD, kernel.name))]
    files += [(f"/{name}", sending.compiled(name, folder)) for name in ("ktx", "flood")]
    run = exact_run(guest_root, kernel, list(scripts.values()), modules=("veth", "dummy"), files=files, timeout=300)
    return dict(zip(scripts, run.results))


@pytest.mark.parametrize("ceiling", CEILINGS)
def test_of_a_launch(results, ceiling):
    """No launch is waited for longer than the ceiling; and each is waited for."""
    said = sending.parsed(results[ceiling].check())
    assert said.statuses == [sending.SENT] * 50
    assert 0 < said.statistics["spin"] <= 50 * ceiling, said.statistics


@pytest.mark.parametrize("files, gap, share", FLOODS)
def test_of_all_files(results, files, gap, share):
    """However many files have launches to wait for, a processor spins for them no longer than its share, and without that bound
    it would; pings are answered meanwhile."""
    spun, time = {}, {}
    for percent in share, 100:
        result = results[files, gap, percent].check()
        floods = [json.loads(line) for line in result.out.splitlines()]
        assert len(floods) == files and min(flood["sent"] for flood in floods) > 1000, floods
        spun[percent] = sum(flood["spin"] for flood in floods)
        time[percent] = max(flood["time"] for flood in floods)
    assert 0 < spun[share] <= time[share] * share // 100 + SAVED + SLACK, (spun, time)
    assert spun[100] > spun[share] + SAVED, (spun, time)
    answered = results[files, gap, share].err
    assert "50 packets received" in answered and float(answered.split("/")[-1].split()[0]) < SLOWEST_PING_MS, answered
