# SPDX-License-Identifier: MIT
"""An hour of jobs on each device, in virtual time: afterwards as much memory is free as was after the first minute. Some
minutes each, so not among the tests that run always: make test-hour."""

import os

import devices
import pytest

#: Minutes after the agent's start.
SAMPLES = (1, 20, 40, 60)
#: What the kernel takes for itself now and then: pages of slabs that it fills and gives back, per-processor lists.
WAVERING_KB = 256

# Ping every 10 s, trace every 20, trains every 30, over the module; a file of results that is put aside every 4 KB.
BEGIN = """
insmod /ktrxer.ko
sed -e "s/option interval .*/option interval '10s'/" -e "s/option cron .*/option interval '20s'/" \\
    -e "s/option at .*/option interval '30s'/" -e "s|option output .*|option output '/tmp/hour.jsonl'|" \\
    -e "s/^config agent.*/&\\n\\toption max_size '4k'\\n\\toption keep '1'/" /first-run.conf > /tmp/hour.conf
ktrxer-agent check /tmp/hour.conf && { ktrxer-agent run -f /tmp/hour.conf > /tmp/said 2>&1 & echo $! > /tmp/agent; }
"""
SAMPLE = """
grep -E '^(MemFree|MemAvailable|Slab):' /proc/meminfo; grep -E '^Vm(RSS|HWM)' /proc/$(cat /tmp/agent)/status
wc -l < /tmp/hour.jsonl; cat /tmp/said; cat /proc/uptime
"""
# How much was done, and how the last of it went, before a measurement can be cut short.
END = "grep -h -o '\"error\":{[^}]*}' /tmp/hour.jsonl*; kill $(cat /tmp/agent); sleep 1; cat /tmp/said; cat /proc/net/dev; rmmod ktrxer"


def kilobytes(result):
    return {line.split(":")[0]: int(line.split()[1]) for line in result.check().out.splitlines() if line.endswith(" kB")}


@pytest.mark.parametrize("name", os.environ.get("KTRXER_DEVICES", "router").split())
def test_an_hour(name, tmp_path):
    scripts, last = [devices.STEPS["network"], BEGIN], 0
    for minute in SAMPLES:
        scripts += [f"sleep {60 * (minute - last)}", SAMPLE]
        last = minute
    ran = devices.started(devices.DEVICES[name], tmp_path, [*scripts, END], timeout=3600)
    for result in ran.results:
        result.check()
    found = [kilobytes(result) for result in ran.results[3:-1:2]]
    for minute, sample in zip(SAMPLES, found):
        print(f"{name}, minute {minute}:", ", ".join(f"{key} {value} KB" for key, value in sample.items()))
    first, final = found[0], found[-1]
    end = ran.results[-1].out
    # 360 pings of 10 packets, and more with the others: the jobs did run, to the end.
    sent = next(int(line.split()[10]) for line in end.splitlines() if line.strip().startswith("eth0:"))
    print(f"{name}: {sent} packets sent")
    assert sent > 3600 and "error" not in end, end
    assert final["MemAvailable"] >= first["MemAvailable"] - WAVERING_KB, found
    assert final["Slab"] <= first["Slab"] + WAVERING_KB, found
    assert final["VmRSS"] <= first["VmRSS"], found
