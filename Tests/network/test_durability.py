# SPDX-License-Identifier: MIT
"""Records outlive kills, full disks and torn lines."""

import json

import pytest

from bed import SECOND, SERVER4
from records import lost_records, records

ROUTER = "192.168.1.1"


def configure(bed, name, folder, jobs, agent=""):
    return bed.write(
        f"{name}.conf",
        f"config agent\noption output {folder}/results.jsonl\noption state {folder}/state\noption max_pps 5000\n"
        f"option parallel 8\n{agent}\n{jobs}",
    )


def quick_jobs(count, schedule="at start"):
    """Jobs of one probe each. A schedule with phase spreads them over a second."""
    return "".join(
        f"config job 'j{number}'\noption kind ping\noption count 1\noption timeout 200ms\nlist target {ROUTER}\n"
        + (f"option {schedule}\n" if schedule == "at start" else f"option interval 1s\noption phase {number * 997 // count}ms\n")
        for number in range(count)
    )


@pytest.mark.parametrize("rounds", [100])
def test_killed_at_random(bed, rounds):
    """kill -9 at random moments of a busy agent. All lines are whole, the torn one apart that the next start
    repairs; and what had been recorded before a kill is there after it.

    A fourth of the rounds are killed within 0.1 s of their start, the others up to 0.2 s after their first records, among
    the writing of the rest."""
    folder = f"{bed.inside}/kill" if not bed.virtual else "/tmp/kill"
    conf = configure(bed, "kill", folder, quick_jobs(40) + quick_jobs(40, "interval").replace("'j", "'i"), "option max_size 64m")
    # They come 0.1 s after the start, in virtual time; on a machine busy with other work, who knows.
    first = "sleep 0.1" if bed.virtual else (
        "tries=0; while [ $(size) -le $before ] && [ $tries -lt 500 ]; do sleep 0.01; tries=$(( tries + 1 )); done"
    )
    seen = bed.run(
        f"""
        rm -rf {folder}; mkdir -p {folder}; cd {folder}; before=0
        size() {{ stat -c %s results.jsonl 2> /dev/null || echo 0; }}
        for round in $(seq {rounds}); do
            ktrxer-agent run -f {conf} 2>> {folder}/said & pid=$!
            if [ $(( round % 4 )) = 0 ]; then
                sleep 0.$(printf %03d $(( round * 7919 % 100 + 1 )))
            else
                {first}
                sleep 0.$(printf %03d $(( round * 7919 % 200 + 1 )))
            fi
            kill -9 $pid
            wait $pid 2> /dev/null
            size=$(size)
            [ $size -ge $before ] || echo "round $round: $size bytes after $before"
            # Whole lines may not change any more: their sum is kept for the end.
            whole=$(grep -c '}}$' results.jsonl 2> /dev/null); whole=${{whole:-0}}
            echo "$whole $(head -n $whole results.jsonl 2> /dev/null | md5sum | cut -d' ' -f1)" >> sums
            before=$size
        done
        ktrxer-agent run --once -f {conf} > /dev/null 2>> said; echo "last $?"
        while read count sum; do
            [ "$(head -n $count results.jsonl | md5sum | cut -d' ' -f1)" = $sum ] || echo "changed: first $count lines"
        done < sums
        """,
        node="home", timeout=240,
    )
    assert seen.out.split() == ["last", "0"], seen
    text = bed.run(f"cat {folder}/results.jsonl").check().out
    found = records(text)
    assert text.endswith("\n")
    # The last run's 80, and those of the three quarters that were let come so far: eight or more at a time.
    assert len(found) > 80 + 4 * rounds, f"only {len(found)} records"
    said = bed.run(f"cat {folder}/said").out
    assert "Fatal" not in said and "rap" not in said, said


def test_term_finishes_the_record(bed):
    """SIGTERM in mid-measurement: the record is written, whole, and the status is 0."""
    folder = "/tmp/term" if bed.virtual else f"{bed.inside}/term"
    jobs = f"config job long\noption kind ping\noption count 1000\noption gap 100ms\nlist target {ROUTER}\noption at start\n"
    conf = configure(bed, "term", folder, jobs)
    seen = bed.run(
        f"mkdir -p {folder}; ktrxer-agent run -f {conf} & pid=$!; sleep 1; kill -TERM $pid; wait $pid; echo status $?; "
        f"cat {folder}/results.jsonl"
    )
    lines = seen.out.splitlines()
    assert "status 0" in lines, seen
    (record,) = records("\n".join(line for line in lines if line.startswith("{")))
    assert abs(record.answered_count - record.fields["duration_ns"] / (SECOND / 10)) <= 3, record


def test_torn_line_is_repaired(bed):
    folder = "/tmp/torn" if bed.virtual else f"{bed.inside}/torn"
    conf = configure(bed, "torn", folder, quick_jobs(1))
    seen = bed.run(
        f"mkdir -p {folder}; ktrxer-agent run --once -f {conf} > /dev/null; "
        f"printf '{{\"torn\": 12' >> {folder}/results.jsonl; ktrxer-agent run --once -f {conf} > /dev/null; "
        f"cat {folder}/results.jsonl"
    )
    lines = seen.out.splitlines()
    whole = []
    for line in lines:
        try:
            whole.append(json.loads(line))
        except ValueError:
            assert "torn" in line, seen
    assert len(whole) == 2, seen


def test_rotation(bed):
    """The folder never holds more than it may; no line is torn by rotation, and the newest are all there."""
    folder = "/tmp/rotate" if bed.virtual else f"{bed.inside}/rotate"
    conf = configure(bed, "rotate", folder, quick_jobs(4), "option max_size 8k\noption keep 2")
    seen = bed.run(
        f"mkdir -p {folder}; for round in $(seq 30); do ktrxer-agent run --once -f {conf} > /dev/null || exit; done; "
        f"ls {folder}; stat -c '%s' {folder}/results*; cat $(ls -r {folder}/results*)", timeout=120,
    ).check()
    names = [line for line in seen.out.splitlines() if line.startswith("results")]
    sizes = [int(line) for line in seen.out.splitlines() if line.isdigit()]
    assert len(names) == 3 and max(sizes) <= 8192 and min(sizes) > 0, seen
    found = records("\n".join(line for line in seen.out.splitlines() if line.startswith("{")))
    assert [record.job for record in found[-4:]] == ["j0", "j1", "j2", "j3"] or len(found) > 8, seen


def test_full_disk(virtual):
    """Measuring goes on; what could not be written is counted, and said when there is room again."""
    conf = configure(virtual, "full", "/tmp/full", quick_jobs(2, "interval"), "option max_size 64m")
    seen = virtual.run(
        f"""
        mkdir -p /tmp/full; mount -t tmpfs -o size=64k tmpfs /tmp/full
        dd if=/dev/zero of=/tmp/full/ballast bs=4k count=12 2> /dev/null
        ktrxer-agent run -f {conf} 2> /bed/full.said & pid=$!
        sleep 30; rm /tmp/full/ballast; sleep 10
        kill -TERM $pid; wait $pid; echo status $?
        cat /tmp/full/results.jsonl; umount /tmp/full
        """
    )
    assert "status 0" in seen.out, seen
    lines = "\n".join(line for line in seen.out.splitlines() if line.startswith("{"))
    found, lost = records(lines), lost_records(lines)
    assert lost > 20, seen
    assert 79 <= len(found) + lost <= 82, (len(found), lost, virtual.read("full.said"))
    assert virtual.read("full.said").count("\n") <= 4, virtual.read("full.said")


def test_read_only_folder(virtual):
    conf = configure(virtual, "readonly", "/tmp/readonly", quick_jobs(1))
    seen = virtual.run(
        "mkdir -p /tmp/readonly; mount -t tmpfs -o ro tmpfs /tmp/readonly; "
        f"ktrxer-agent run --once -f {conf}; echo status $?; umount /tmp/readonly"
    )
    assert "status 73" in seen.out, seen
    assert "/tmp/readonly/results.jsonl" in seen.err and len(seen.err.strip().splitlines()) == 1, seen
