# SPDX-License-Identifier: MIT
"""What the agent costs a small device: memory and descriptors, while all kinds of jobs are under way."""

import re

from bed import SERVER4, SERVER6
from records import records

# docs/figures.md.
MOST_MEMORY_KB = 1024

KINDS = {
    "ping": "option kind ping\noption count 20\noption gap 50ms\n",
    "trace": "option kind trace\noption probes 1\noption timeout 500ms\n",
    "train": "option kind train\noption count 20\noption timeout 500ms\n",
}


def test_resident_memory(bed):
    """The peak since the start, after several rounds of every kind over both transports and both families."""
    folder = "/tmp/footprint" if bed.virtual else f"{bed.inside}/footprint"
    jobs = ""
    for kind, options in KINDS.items():
        for transport in "packet", "socket":
            for target in SERVER4, SERVER6:
                name = f"{kind}_{transport}_{'6' if ':' in target else '4'}"
                jobs += (
                    f"config job {name}\n{options}option transport {transport}\nlist target {target}\noption interval 4s\n"
                )
    conf = bed.write("footprint.conf", f"config agent\noption output {folder}/results.jsonl\noption max_pps 1000\n{jobs}")
    seen = bed.run(
        f"""
        mkdir -p {folder}; ktrxer-agent run -f {conf} & pid=$!
        sleep 14.3
        grep -E 'VmHWM|VmRSS' /proc/$pid/status; echo "files $(ls /proc/$pid/fd | wc -l)"
        kill -TERM $pid; wait $pid; echo "status $?"
        """
    )
    assert "status 0" in seen.out and not seen.err, seen
    found = records(bed.run(f"cat {folder}/results.jsonl").check().out)
    done = [record.job for record in found if record.error is None and record.answered_count]
    assert all(done.count(name) >= 2 for name in re.findall("config job (\\w+)", jobs)), (done, found)
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", seen.out)[1])
    assert peak <= MOST_MEMORY_KB, seen
    assert int(re.search(r"files (\d+)", seen.out)[1]) < 32, seen
