# SPDX-License-Identifier: MIT
"""How exactly frames leave that are to leave at regular intervals, by each method that keeps a schedule: the paper's table I, and
what it left out: cross traffic, shorter gaps, and the tails.

Of each train |interval - gap| is looked at; trains of ten frames, of which there is little to look at, are sent several times and
looked at together. When a frame leaves is told by tap.ko, to the ns, where it enters the driver; a capture
outside the guest, which has whole microseconds, tells the same of the wire. All methods that are programs have real-time priority;
ETF and fq keep launch times that user space gives 5 ms ahead.
"""

import statistics

import platforms
from figures import instants

NAME = "scheduling"
METHODS = ("ktrxer", "nanosleep-udp", "nanosleep-packet", "txtime-etf", "txtime-fq")
QUICK_METHODS = ("ktrxer", "nanosleep-packet", "txtime-etf")
CROSS = (0, 12_000, 24_000, 36_000)
QUICK_CROSS = (0, 36_000)
#: Frames, ns from one to the next, lengths of frames with their Ethernet header as the first, the last and the step.
LONG_TRAINS = ((1000, 1_000_000, (100, 100, 1)), (1000, 100_000, (100, 100, 1)))
IDLE_TRAINS = ((10, 10_000_000, (100, 1300, 200)), *LONG_TRAINS)
TRAINS = ((10, 10_000_000, (100, 1300, 600)), *LONG_TRAINS)
QUICK_TRAINS = ((10, 10_000_000, (100, 1300, 1200)), (200, 1_000_000, (100, 100, 1)), (1000, 100_000, (100, 100, 1)))
#: Trains of so few frames are sent so often; and beside cross traffic, in the whole form, so often: with one the median of nine
#: intervals is often that of a program which nothing came between. The 99th percentile of so few is the most.
FEW, RUNS_OF_FEW, RUNS_BESIDE_CROSS = 10, 5, 2
FIRST_PORT = 2000
HEADERS = 42
#: The first launch is so long after the program's start of a train, and no two trains are nearer than the pause.
AHEAD = 20_000_000
PAUSE_US = 5_000
MODULES = ("sch_etf", "sch_fq", "sch_prio")


def _plan(quick):
    """[(cross traffic, method, count, gap, (first, last, step), first port, how often)]"""
    steps, port = [], FIRST_PORT
    for cross in QUICK_CROSS if quick else CROSS:
        for method in QUICK_METHODS if quick else METHODS:
            for count, gap, lengths in QUICK_TRAINS if quick else TRAINS if cross else IDLE_TRAINS:
                runs = 1 if count > FEW else RUNS_BESIDE_CROSS if cross and not quick else RUNS_OF_FEW
                steps.append((cross, method, count, gap, lengths, port, runs))
                port += len(_lengths(lengths)) * runs
    return steps


def _lengths(lengths):
    first, last, step = lengths
    return range(first, last + 1, step)


def _scripts(steps):
    before = 0
    for cross, method, count, gap, (first, last, step), port, runs in steps:
        change = f"cross {cross}; sleep 0.3; " if cross != before else ""
        before = cross
        yield (
            f"{change}/methods/{method} -n {count} -g {gap} -s {AHEAD} -l {first - HEADERS} -L {last - HEADERS} -k {step} "
            f"-p {port} -P {PAUSE_US} -r {runs}; status=$?; sleep 0.05; exit $status"
        )


def _stamps(tap):
    """{port: [ns of each frame]} of /proc/tap with `every`."""
    seen = {}
    for line in tap.splitlines():
        port, ns = line.split()
        seen.setdefault(int(port), []).append(int(ns))
    return seen


def percentile(values, part, of):
    """The least value that so many of so many values are not above."""
    return sorted(values)[min(-(-len(values) * part // of), len(values)) - 1]


def _deviations(times, gap):
    return [abs(later - earlier - gap) for earlier, later in zip(times, times[1:])]


def _spread(values):
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return int(middle), int(high - low)


def row(train, length, entered, wire, carried):
    """Of one train, or several alike: for each when its frames entered the driver, ns, and were on the wire, us."""
    cross, method, count, gap = train
    off = [each for times in entered for each in _deviations(times, gap)]
    outside = [each * 1000 for times in wire for each in _deviations(times, gap // 1000)]
    median, quartiles = _spread(off)
    return {
        "method": method, "count": count, "gap_ns": gap, "length": length, "cross_pps": cross, "carried_pps": carried,
        "median_ns": median, "iqr_ns": quartiles, "p90_ns": percentile(off, 90, 100), "p99_ns": percentile(off, 99, 100),
        "p999_ns": percentile(off, 999, 1000), "most_ns": max(off), "lost": count * len(entered) - sum(map(len, entered)),
        "wire_median_ns": int(statistics.median(outside)), "wire_p99_ns": percentile(outside, 99, 100),
    }  # fmt: skip


def _carried(load, wire):
    """Packets a second of cross traffic on the wire, while a train was."""
    begin, end = wire[0][0], wire[-1][-1]
    return sum(begin <= us < end for us in load) * 1_000_000 // (end - begin)


def measure(platform, quick):
    steps = _plan(quick)
    ports = sum(len(_lengths(lengths)) * runs for *_, lengths, _, runs in steps)
    frames = sum(count * len(_lengths(lengths)) * runs for _, _, count, _, lengths, _, runs in steps)
    begin = f"insmod /tap.ko first_port={FIRST_PORT} trains={ports} every={frames}"
    done = platforms.run(
        platform, [begin, *_scripts(steps), "cross 0; sleep 0.2; cat /proc/tap"], methods=QUICK_METHODS if quick else METHODS,
        kernel_modules=MODULES, cross=True, dump=0, timeout=900,
    )  # fmt: skip
    for result in done.results:
        result.check()
    entered, outside = _stamps(done.results[-1].out), instants(done.dump)
    load = outside.get(7, [])
    rows = []
    for cross, method, count, gap, lengths, port, runs in steps:
        for place, length in enumerate(_lengths(lengths)):
            trains = [port + place + run * len(_lengths(lengths)) for run in range(runs)]
            seen, wire = ([times.get(train, []) for train in trains] for times in (entered, outside))
            for inside, out in zip(seen, wire):
                if len(inside) < 3 or len(out) != len(inside):
                    raise AssertionError(
                        f"{platform.name}: {method}, {count} frames {gap} ns apart beside {cross} packets a second: "
                        f"{len(inside)} entered the driver, {len(out)} were on the wire"
                    )
            rows.append(row((cross, method, count, gap), length, seen, wire, _carried(load, wire)))
    return rows
