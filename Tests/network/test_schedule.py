# SPDX-License-Identifier: MIT
"""Days of scheduled measurements in seconds: every run that was due has its record, at its time, and there is no
other. The expected times are worked out here, by cron.py and by counting intervals."""

import pytest

import cron
from bed import EPOCH, SECOND, VirtualBed
from records import records

MINUTE, HOUR, DAY = 60, 3600, 86400
ROUTER = "192.168.1.1"


@pytest.fixture(scope="module")
def virtual(guest_root):
    """Its clock is stepped about, so each test looks at it first."""
    with VirtualBed(guest_root) as bed:
        bed.run(f"fping -q -c1 {ROUTER}")
        yield bed


def job(name, schedule, target=ROUTER, options="option count 1"):
    schedule = "\n".join(f"option {line}" for line in schedule)
    return f"config job '{name}'\noption kind ping\nlist target {target}\n{options}\n{schedule}\n"


def agent_section(output):
    return f"config agent\noption output {output}\noption max_size 64m\noption state {output}.state\n"


class Running:
    """ktrxer-agent run in the background of the guest."""

    def __init__(self, bed, name, jobs):
        self.bed, self.output = bed, f"/tmp/{name}.jsonl"
        self.conf, self.said = f"{bed.inside}/{name}.conf", f"{bed.inside}/{name}.said"
        self.name = name
        self.configure(jobs)
        bed.run(
            f"rm -f {self.output} /tmp/{name}.status; (ktrxer-agent run -f {self.conf} > {self.said} 2>&1 & "
            f"echo $! > /tmp/{name}.pid; wait $!; echo $? > /tmp/{name}.status) & "
            "sleep 0.5; cut -d' ' -f1 /proc/uptime"
        ).check()

    def configure(self, jobs):
        self.bed.write(f"{self.name}.conf", agent_section(self.output) + jobs)

    def signal(self, name):
        self.bed.run(f"kill -{name} $(cat /tmp/{self.name}.pid); sleep 1").check()

    def records(self):
        return records(self.bed.run(f"cat {self.output}").check().out)

    def complaints(self):
        return self.bed.run(f"cat {self.said}").out

    def stop(self):
        """SIGTERM; the exit status has to be that of a good end."""
        seen = self.bed.run(
            f"pid=$(cat /tmp/{self.name}.pid); kill -TERM $pid; n=0; "
            "while kill -0 $pid 2>/dev/null; do sleep 0.1; n=$((n + 1)); [ $n -lt 100 ] || exit 9; done; "
            f"sleep 0.1; cat /tmp/{self.name}.status"
        )
        assert seen.status == 0, f"still running 10 s after SIGTERM\n{self.complaints()}"
        assert seen.out.strip() == "0", f"{seen}\n{self.complaints()}"


def clock(bed):
    """(wall clock, time since boot) in seconds."""
    wall, boot = bed.run("date +%s; cut -d' ' -f1 /proc/uptime").check().out.split()
    return int(wall), float(boot)


def of(found, name):
    return [record for record in found if record.job == name]


def started(found, name):
    """Wall clock of the starts of a job's runs, in seconds."""
    return [record.started // SECOND for record in of(found, name)]


def test_a_day(virtual):
    crons = {
        "thirteen": "*/13 * * * *", "night": "30 4 * * *", "office": "5 9-17/2 * * mon", "weekend": "0 12 * * sat,sun",
        "either": "0 6 15 * mon",
    }
    intervals = {"seven": (7 * MINUTE, 90, 0), "half": (30 * MINUTE, 0, 0), "spread": (HOUR, 5 * MINUTE, 10 * MINUTE)}
    jobs = "".join(job(name, [f"cron '{expression}'"]) for name, expression in crons.items())
    for name, (interval, phase, splay) in intervals.items():
        jobs += job(name, [f"interval {interval}s", f"phase {phase}s", f"splay {splay}s"])
    jobs += job("once", ["at start"])
    wall, _ = clock(virtual)
    running = Running(virtual, "day", jobs)
    virtual.run(f"sleep {DAY}", timeout=120).check()
    end, _ = clock(virtual)
    running.stop()
    found = running.records()

    for name, expression in crons.items():
        wanted = cron.due(expression, wall, end)
        assert started(found, name) == wanted, (name, running.complaints())
    for name, (interval, phase, splay) in intervals.items():
        starts = [record.started / SECOND - wall for record in of(found, name)]
        wanted = [phase + number * interval for number in range((end - wall - phase) // interval + 1)]
        if splay and len(starts) < len(wanted):
            wanted = wanted[: len(starts)]  # the last one may still have been ahead
        assert len(starts) == len(wanted), (name, starts, wanted)
        for at, nominal in zip(starts, wanted):
            assert -1 <= at - nominal <= splay + 1.5, (name, at, nominal)
        if splay:
            late = [at - nominal for at, nominal in zip(starts, wanted)]
            assert max(late) - min(late) > splay / 4, f"{name} is not spread: {late}"
    assert len(of(found, "once")) == 1
    # Every one of them measured what it should.
    for record in found:
        assert record.answered_count == 1 and record.error is None, record
    names = {*crons, *intervals, "once"}
    assert {record.job for record in found} <= names


def test_no_overlap(virtual):
    """A run that lasts longer than its interval is not overlapped by the next, and nothing else waits for it."""
    running = Running(
        virtual, "overlap",
        job("slow", ["interval 1m"], options="option count 100\noption gap 1s") + job("other", ["interval 1m"]),
    )
    virtual.run(f"sleep {10 * MINUTE + 30}").check()
    running.stop()
    found = running.records()
    starts = started(found, "slow")
    assert all(after - before >= 100 for before, after in zip(starts, starts[1:])), starts
    assert len(of(found, "other")) == 11, started(found, "other")


def test_step_in_mid_measurement(virtual):
    """The clock is set by an hour while probes are under way: no time in the record shows it."""
    for step in "+ 3600", "- 3600":
        seen = virtual.run(
            f"(sleep 1; date -s @$(( $(date +%s) {step} )) > /dev/null) & "
            f"ktrxer-agent ping -c 20 -i 100ms --json {ROUTER}"
        ).check()
        (record,) = records(seen.out)
        assert record.answered_count == 20, record
        assert all(450_000 < probe.rtt < 550_000 for probe in record.probes), record


def test_reload(virtual):
    running = Running(virtual, "reload", job("stays", ["interval 1m"]) + job("goes", ["interval 1m"]))
    virtual.run(f"sleep {5 * MINUTE + 10}").check()
    running.configure(job("stays", ["interval 1m"]) + job("comes", ["interval 1m"]) + job("not", ["at start"]))
    running.signal("HUP")
    virtual.run(f"sleep {5 * MINUTE}").check()
    running.configure(job("stays", ["interval 1m"]) + job("broken", ["intervall 1m"]))
    running.signal("HUP")
    virtual.run(f"sleep {5 * MINUTE}").check()
    running.stop()
    found = running.records()
    stays = started(found, "stays")
    assert len(stays) == 16, stays
    assert all(59 <= after - before <= 61 for before, after in zip(stays, stays[1:])), stays
    assert len(of(found, "goes")) == 6, started(found, "goes")
    assert len(of(found, "comes")) == 11, started(found, "comes")
    assert not of(found, "not")
    assert f"{running.conf}:" in running.complaints() and "intervall" in running.complaints(), running.complaints()


def test_due_under_crond(virtual):
    """A day of `run --due` from a crontab: each due time once, also when the clock is set back by minutes."""
    wall, _ = clock(virtual)
    jobs = job("half", ["interval 30m"]) + job("two", ["cron '0 */2 * * *'"]) + job("spread", ["interval 1h", "splay 20m"])
    conf = virtual.write("due.conf", agent_section("/tmp/due.jsonl") + jobs)
    virtual.run(
        "mkdir -p /tmp/crontabs; "
        f"echo '*/10 * * * * exec ktrxer-agent run --due -f {conf} >> /bed/due.said 2>&1' > /tmp/crontabs/root; "
        "crond -c /tmp/crontabs -L /bed/crond.log"
    ).check()
    virtual.run(f"sleep {12 * HOUR}", timeout=120).check()
    virtual.run("date -s @$(( $(date +%s) - 600 ))").check()
    virtual.run(f"sleep {12 * HOUR}", timeout=120).check()
    end, _ = clock(virtual)
    virtual.run("killall crond; sleep 20; cat /bed/due.said /bed/crond.log").check()
    found = records(virtual.run("cat /tmp/due.jsonl").check().out)
    two = [at // 600 * 600 for at in started(found, "two")]
    assert len(two) == len(set(two)), two
    wanted = [at for at in cron.due("0 */2 * * *", wall, end) if at < end - 600]
    assert [at for at in two if wall < at < end - 600][-len(wanted):] == wanted, (two, wanted)
    for name, interval in ("half", 30 * MINUTE), ("spread", HOUR):
        slots = [at // interval for at in started(found, name)]
        runs = len(slots)
        assert abs(runs - (end + 600 - wall) / interval) <= 2, (name, runs)
    assert not virtual.read("due.said"), virtual.read("due.said")


def test_stepped_clock(virtual):
    """The clock is set by an hour, forward and back, between jobs and during them: every run is there, at its time since
    boot, its round-trip times are right, and its record says whether the clock was set meanwhile."""
    intervals = {"short": (10, 1), "long": (60, 30)}
    names = [(name, transport) for name in intervals for transport in ("packet", "socket")]
    jobs = "".join(
        job(f"{name}_{transport}", [f"interval {intervals[name][0]}s", f"transport {transport}"],
            options=f"option count {intervals[name][1]}\noption gap 1s\noption timeout 500ms")
        for name, transport in names
    )
    running = Running(virtual, "stepped", jobs)
    # Seconds from here: during the long ones (0 to 29.1, 60 to 89.1, ...), and between all (from 30.6 on, but not at 40).
    steps = [(15.5, 3600), (45.5, -3600), (75.5, 3600), (105.5, -3600), (195.5, -3600), (225.5, 3600)]
    script, now = "", 0
    for at, by in steps:
        script += f"sleep {at - now}; date -s @$(( $(date +%s) {by:+d} )) > /dev/null; cut -d' ' -f1 /proc/uptime\n"
        now = at
    # One record tells both clocks: date shows whole seconds only.
    (mark,) = records(virtual.run(f"cut -d' ' -f1 /proc/uptime > /bed/mark; ktrxer-agent ping -c 1 --json {ROUTER}").check().out)
    boot, wall = float(virtual.read("mark")), mark.started / SECOND
    stepped = [float(line) for line in virtual.run(f"{script}sleep {305 - now}").check().out.split()]
    running.stop()
    found = running.records()

    def since_boot(record):
        """The wall clock is that of before, or off by an hour either way: no two instants have one reading."""
        late = record.started / SECOND - wall
        return boot + late - 3600 * round(late / 3600)

    for name, transport in names:
        interval, count = intervals[name]
        runs = of(found, f"{name}_{transport}")
        starts = [since_boot(record) for record in runs]
        first = starts[0]
        # Setting the clock by whole seconds moved it by up to one more.
        for number, start in enumerate(starts):
            assert abs(start - first - number * interval) < len(steps) + 0.1, (name, starts)
        assert len(runs) == 305 // interval + 1, (name, starts)
        if runs[-1].error == "cancelled":
            del runs[-1]
        for record in runs:
            assert (record.error, record.answered_count) == (None, count), record
            assert all(450_000 < probe.rtt < 550_000 for probe in record.probes), record
        # By its place in the schedule, which no step moved.
        meanwhile = [
            any(0 <= step - first - number * interval <= record.fields["duration_ns"] / SECOND for step in stepped)
            for number, record in enumerate(runs)
        ]
        assert [record.fields["clock"]["stepped"] for record in runs] == meanwhile, (name, starts, stepped)
        assert any(meanwhile) == (name == "long"), (starts, stepped)
