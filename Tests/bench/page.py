# SPDX-License-Identifier: MIT
"""Writes the evaluation's tables into docs/evaluation.md, between the markers there; what people wrote stays. page.py [FOLDER]
writes FOLDER/evaluation.md from it instead.
"""

import pathlib
import re
import sys

import goals
import platforms
import results
from guest import ROOT, BedFailure
from plots import label, ordered

PAGE = ROOT / "docs" / "evaluation.md"
#: Of the cross traffic that was asked for. Its gaps alone make up to 2% of a train's.
LEAST_CARRIED = 0.95
MARKED = re.compile(r"<!-- table ([a-z-]+), written by `make evaluation` -->\n(.*?)<!-- end of table -->\n", re.DOTALL)


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def _name(platform):
    return platforms.PLATFORMS[platform].label


def _device(platform):
    return _name(platform).rpartition(",")[0]


def _of(data, experiment):
    return [(name, data[experiment, name]["rows"]) for name in platforms.PLATFORMS if (experiment, name) in data]


def _number(value, unit):
    return f"{value:.3g} x" if unit == "x" else f"{value:,.0f} {unit}"


def goals_table(data):
    found = goals.verdicts(data)
    for goal in goals.GOALS:
        some = [verdict for verdict in found if verdict.goal is goal]
        if not some:
            continue
        worst = (min if goal.least else max)(some, key=lambda verdict: verdict.value)
        reached = sum(verdict.reached for verdict in some)
        yield [
            goal.text, f"{'at least' if goal.least else 'at most'} {_number(goal.asked, goal.unit)}", _number(worst.value, goal.unit),
            f"{_name(worst.platform)}: {worst.where}", "all" if reached == len(some) else f"{reached} of {len(some)}",
        ]  # fmt: skip


def shortfalls_table(data):
    for verdict in goals.verdicts(data):
        if not verdict.reached:
            yield [verdict.goal.text, _name(verdict.platform), _number(verdict.goal.asked, verdict.goal.unit),
                   f"{_number(verdict.value, verdict.goal.unit)} ({verdict.where})", verdict.reason or "not explained yet"]  # fmt: skip


def rate_plots(data):
    return "".join(f"![trains: {_name(name)}](evaluation/plots/sending-rate-{name}.svg)\n" for name, _ in _of(data, "sending-rate"))


def rate_table(data, methods):
    """us from one frame to the next, shortest and longest payload."""
    for name, rows in _of(data, "sending-rate"):
        idle = {(row["method"], row["payload"]): row["median_ns"] for row in rows if not row["cross_pps"]}
        payloads = sorted({payload for _, payload in idle})
        yield [_name(name), *(
            " / ".join(f"{idle[method, payload] / 99_000:.2f}" for payload in (payloads[0], payloads[-1])) if (method, payloads[0]) in idle else "-"
            for method in methods
        )]  # fmt: skip


def cross_table(data, crosses):
    """ms that a train takes: ours, a UDP socket's and AF_PACKET's, the median over payloads of how many times as long."""
    for name, rows in _of(data, "sending-rate"):
        cells = [_name(name)]
        for cross in crosses:
            took = {}
            for row in rows:
                if row["cross_pps"] == cross:
                    took.setdefault(row["method"], []).append((row["payload"], row["median_ns"]))
            if "ktrxer" not in took:
                cells.append("-")
                continue
            ours = dict(took["ktrxer"])
            leads = {method: sorted(ns / max(ours[payload], 1) for payload, ns in took[method]) for method in goals.SOCKETS if method in took}
            some = sorted(ours.values())
            cells.append(f"{some[len(some) // 2] / 1e6:.3f} ms; " + " / ".join(f"{leads[method][len(leads[method]) // 2]:.1f}" for method in leads))
        yield cells


def sizes_table(data, lengths, cross):
    """The paper's table I: median and quartiles apart, ns."""
    for name, rows in _of(data, "scheduling"):
        ours = {row["length"]: row for row in rows if row["method"] == "ktrxer" and row["gap_ns"] == 10_000_000 and row["cross_pps"] == cross}
        yield [_name(name), *(f"{ours[length]['median_ns']} / {ours[length]['iqr_ns']}" if length in ours else "-" for length in lengths)]


def tails_table(data, gap, methods):
    """Median / 99th percentile / 99.9th of the longest train with that gap, us; and the cross traffic that was carried, where it is
    clearly less than was asked for: who has less beside it has it easier."""
    for name, rows in _of(data, "scheduling"):
        longest = max((row["count"] for row in rows if row["gap_ns"] == gap), default=0)
        some = {(row["cross_pps"], row["method"]): row for row in rows if row["gap_ns"] == gap and row["count"] == longest}
        for cross in sorted({cross for cross, _ in some}):
            def cell(method):
                row = some.get((cross, method))
                if not row:
                    return "-"
                lost = f", {row['lost']} lost" if row["lost"] else ""
                carried = f", at {row['carried_pps']:,}" if row["carried_pps"] < LEAST_CARRIED * cross else ""
                return " / ".join(f"{row[field] / 1000:.2f}" for field in ("median_ns", "p99_ns", "p999_ns")) + lost + carried
            yield [_name(name), f"{cross:,}", *(cell(method) for method in methods)]


def sustained_table(data, methods):
    """1,000 packets a second and instructions a packet, with as many frames a submit as serve a method best."""
    for name, rows in _of(data, "sustained"):
        for payload in sorted({row.get("payload", 0) for row in rows}):
            def cell(method):
                some = [row for row in rows if row["method"] == method and row.get("payload", 0) == payload]
                best = max(some, key=lambda row: row["pps"], default=None)
                return f"{best['pps'] / 1000:.0f} / {best['instructions_per_packet']:,}" if best else "-"
            yield [_name(name), payload, *(cell(method) for method in methods)]


def forwarded_table(data, methods):
    """What is left over for forwarding, packets a second, with the shortest frames and as many a submit as serve a method best."""
    for name, rows in _of(data, "sustained"):
        some = [row for row in rows if row.get("forwarded_pps") is not None and row["payload"] == min(each["payload"] for each in rows)]
        if some:
            best = {method: max((row["forwarded_pps"] for row in some if row["method"] == method), default=None) for method in methods}
            yield [_name(name), *("-" if value is None else f"{value:,}" for value in best.values())]


def timestamps_table(data):
    for name, rows in _of(data, "timestamps"):
        yield [_name(name), sum(row["count"] for row in rows), sum(row["missing"] for row in rows), max(row["median_ns"] for row in rows),
               max(row["most_ns"] for row in rows)]  # fmt: skip


def capture_table(data, rules):
    for name, rows in _of(data, "capture"):
        for method in ordered(row["method"] for row in rows if row["method"] != "none"):
            some = {(row["packets"], row["rules"]): row for row in rows if row["method"] == method}
            cells = [f"{some['foreign', count]['instructions_per_packet']:,}" if ("foreign", count) in some else "-" for count in rules]
            cells += [f"{some['wanted', count]['instructions_per_packet']:,}" if ("wanted", count) in some else "-" for count in rules if count]
            cells += [f"{some['wanted', count]['most_pps']:,}" for count in (1, max(rules))]
            yield [_device(name), label(method) if method != "packet" else "AF_PACKET, mapped ring, BPF", *cells]


def agent_table(data):
    for name, rows in _of(data, "agent"):
        for row in rows:
            if row["tool"] == "none":
                yield [_device(name), "nobody", "-", "-", "-", "-", row["packets"], f"{row['instructions'] * 60 // row['minutes'] / 1e6:.1f}"]
            else:
                yield [_device(name), row["tool"], row["job"], f"{row['program_bytes'] // 1000}", f"{row['library_bytes'] // 1000}", row["most_kb"],
                       row["packets"], f"{row['instructions_per_idle_hour'] / 1e6:.1f}"]  # fmt: skip


def made_table(data):
    seen = {}
    for (_, name), content in data.items():
        seen.setdefault(name, []).append(content["made_with"])
    for name in platforms.PLATFORMS:
        for made in seen.get(name, [])[:1]:
            commits = sorted({each["commit"][:12] + ("-dirty" if "dirty" in each["commit"] else "") for each in seen[name]})
            yield [_name(name), made["kernel"], made["qemu"].partition("version ")[2].partition(" ")[0], made["compiler"].rpartition(" ")[2],
                   2 ** made["shift"], made["memory"], ", ".join(commits)]  # fmt: skip


def tables(data):
    """{name: text}"""
    def methods_of(experiment):
        return ordered(row["method"] for _, rows in _of(data, experiment) for row in rows)

    def values(experiment, field, **fixed):
        return sorted({row[field] for _, rows in _of(data, experiment) for row in rows if all(row.get(key) == value for key, value in fixed.items())})

    rate, kept, sustained = methods_of("sending-rate"), methods_of("scheduling"), methods_of("sustained")
    crosses, lengths, rules = values("sending-rate", "cross_pps"), values("scheduling", "length", gap_ns=10_000_000), values("capture", "rules")
    loaded = max(values("scheduling", "cross_pps"), default=0)
    return {
        "goals": _table(["figure", "asked", "worst measured", "there", "reached on"], goals_table(data)),
        "shortfalls": _table(["figure", "platform", "asked", "measured", "why"], shortfalls_table(data)),
        "sending-rate": _table(["platform", *map(label, rate)], rate_table(data, rate)),
        "sending-rate-plots": rate_plots(data),
        "cross": _table(["platform", *(f"{cross:,} packets a second" if cross else "idle" for cross in crosses)], cross_table(data, crosses)),
        "sizes": _table(["platform", *(f"{length} B" for length in lengths)], sizes_table(data, lengths, 0)),
        "sizes-cross": _table(["platform", *(f"{length} B" for length in lengths)], sizes_table(data, lengths, loaded)),
        "tails-ms": _table(["platform", "cross traffic", *map(label, kept)], tails_table(data, 1_000_000, kept)),
        "tails-us": _table(["platform", "cross traffic", *map(label, kept)], tails_table(data, 100_000, kept)),
        "sustained": _table(["platform", "payload", *map(label, sustained)], sustained_table(data, sustained)),
        "forwarded": _table(["platform", *map(label, sustained)], forwarded_table(data, sustained)),
        "timestamps": _table(["platform", "packets", "seen by one only", "median apart, ns", "most apart, ns"], timestamps_table(data)),
        "capture": _table(
            ["device", "method", *(f"others, {count:,} rules" for count in rules), *(f"wanted, {count:,}" for count in rules if count),
             *(f"packets a second, {count:,}" for count in (1, max(rules, default=0)))], capture_table(data, rules)),
        "agent": _table(["device", "tool", "job", "program, KB", "libraries, KB", "memory at most, KB", "packets", "million instructions an hour"],
                        agent_table(data)),
        "made-with": _table(["platform", "Linux", "qemu", "gcc", "ns an instruction", "memory", "commit"], made_table(data)),
    }  # fmt: skip


def filled(page, written):
    """A page with the tables in place."""
    missing = set(written) - {match[1] for match in MARKED.finditer(page)}
    if missing:
        raise BedFailure(f"{PAGE} has no place for: {' '.join(sorted(missing))}")

    return MARKED.sub(lambda match: f"<!-- table {match[1]}, written by `make evaluation` -->\n\n{written[match[1]]}\n<!-- end of table -->\n", page)


def write(folder):
    """Of the data in a folder; returns the path."""
    path = PAGE if folder == results.DATA.parent else folder / "evaluation.md"
    path.write_text(filled(PAGE.read_text(), tables(results.read(folder / "data"))))
    return path


if __name__ == "__main__":
    print(write(pathlib.Path(sys.argv[1]) if sys.argv[1:] else results.DATA.parent))
