# SPDX-License-Identifier: MIT
"""Draws the evaluation's data as SVG, the same bytes from the same data: plots.py [FOLDER], where data/ and plots/ are."""

import pathlib
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as pyplot  # noqa: E402

import platforms  # noqa: E402
import results  # noqa: E402

matplotlib.rcParams.update({
    "svg.hashsalt": "ktrxer", "svg.fonttype": "none", "font.size": 8, "axes.grid": True, "grid.alpha": 0.3, "axes.titlesize": 9,
    "lines.linewidth": 1.1, "lines.markersize": 3, "legend.frameon": False, "font.family": "sans-serif", "figure.constrained_layout.use": True,
})  # fmt: skip

# method -> (name for people, colour, line); what is dashed is the floor.
METHODS = {
    "ktrxer": ("kTRxer", "#c8102e", "-"),
    "ktrxer-reference": ("kTRxer, frames by reference", "#f08080", "-"),
    "ktrxer-drop": ("kTRxer, kept from the stack", "#f08080", "-"),
    "udp": ("UDP socket", "#1f77b4", "-"),
    "raw": ("raw socket", "#17a2b8", "-"),
    "packet": ("AF_PACKET", "#2ca02c", "-"),
    "packet-bypass": ("AF_PACKET, no qdisc", "#98c379", "-"),
    "packet-ring": ("AF_PACKET, mapped ring", "#006d2c", "-"),
    "xdp-copy": ("AF_XDP, copy mode", "#9467bd", "-"),
    "pktgen-fresh": ("pktgen, fresh skbs", "#7f7f7f", "--"),
    "pktgen-cloned": ("pktgen, cloned skbs", "#b0b0b0", "--"),
    "driver": ("the driver alone", "#000000", "--"),
    "nanosleep-udp": ("sleeping program, UDP socket", "#1f77b4", "-"),
    "nanosleep-packet": ("sleeping program, AF_PACKET", "#2ca02c", "-"),
    "txtime-etf": ("SO_TXTIME, ETF", "#9467bd", "-"),
    "txtime-fq": ("SO_TXTIME, fq", "#ff7f0e", "-"),
    "nftables": ("nftables, a rule each", "#8c564b", "-"),
    "nftables-set": ("nftables, a set", "#e0a070", "-"),
}


def label(method):
    return METHODS[method][0]


def _style(method):
    name, colour, line = METHODS[method]
    return {"label": name, "color": colour, "linestyle": line, "linewidth": 2 if method == "ktrxer" else 1.1}


def ordered(methods):
    there = set(methods)
    return [method for method in METHODS if method in there]


def _plain(axis):
    """Numbers on a logarithmic axis as people write them."""
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.yaxis.set_minor_formatter(lambda value, _: "")


def _saved(figure, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def _panels(count, width=3.2, height=2.9, columns=3, **keywords):
    columns = min(count, columns)
    rows = -(-count // columns)
    figure, axes = pyplot.subplots(rows, columns, squeeze=False, figsize=(width * columns, height * rows + 0.5), **keywords)
    flat = [axis for line in axes for axis in line]
    for axis in flat[count:]:
        axis.set_visible(False)
    return figure, flat[:count]


def _legend(figure, axes):
    """One for all panels."""
    found = {}
    for axis in axes:
        for line, name in zip(*axis.get_legend_handles_labels()):
            found.setdefault(name, line)
    order = [name for name, _, _ in METHODS.values() if name in found] + [name for name in found if name not in {one for one, _, _ in METHODS.values()}]
    figure.legend([found[name] for name in order], order, loc="outside lower center", ncols=4)


def sending_rate(platform, rows, path):
    """The paper's figures 4 to 6."""
    crosses = sorted({row["cross_pps"] for row in rows})
    figure, axes = _panels(len(crosses), columns=2, width=4.2, sharey=True)
    for axis, cross in zip(axes, crosses):
        for method in ordered(row["method"] for row in rows):
            points = sorted((row["payload"], row["median_ns"] / 1e6) for row in rows if row["method"] == method and row["cross_pps"] == cross)
            if points:
                axis.plot(*zip(*points), **_style(method))
        axis.set_title("idle" if not cross else f"beside {cross:,} packets a second")
        axis.set_yscale("log")
        _plain(axis)
        axis.set_xlabel("UDP payload, bytes")
        axis.set_ylabel("100 packets, ms")
    figure.suptitle(platform.label)
    _legend(figure, axes)
    _saved(figure, path)


def scheduling(found, path):
    """Median (line) and 99th percentile (dotted) of 1,000 frames 1 ms apart, beside cross traffic."""
    def chosen(rows):
        trains = sorted({row["count"] for row in rows if row["gap_ns"] == 1_000_000})
        return [row for row in rows if trains and row["gap_ns"] == 1_000_000 and row["count"] == trains[-1]]

    figure, axes = _panels(len(found), sharey=True)
    for axis, (name, rows) in zip(axes, found.items()):
        some = chosen(rows)
        for method in ordered(row["method"] for row in some):
            points = sorted((row["cross_pps"] / 1000, max(row["median_ns"], 1) / 1000, max(row["p99_ns"], 1) / 1000) for row in some if row["method"] == method)
            cross, median, worst = zip(*points)
            axis.plot(cross, median, marker="o", **_style(method))
            axis.plot(cross, worst, marker="v", **{**_style(method), "label": None, "linestyle": ":"})
        axis.set_title(platforms.PLATFORMS[name].label)
        axis.set_yscale("log")
        _plain(axis)
        axis.set_xlabel("cross traffic, 1,000 packets a second")
        axis.set_ylabel("|interval - 1 ms|, us")
    figure.suptitle("Median (line) and 99th percentile (dotted)")
    _legend(figure, axes)
    _saved(figure, path)


def sustained(found, path):
    payload = max(row.get("payload", 0) for row in next(iter(found.values())))
    smallest = min(row.get("payload", 0) for rows in found.values() for row in rows)
    figure, axes = _panels(len(found))
    for axis, (name, rows) in zip(axes, found.items()):
        some = [row for row in rows if row.get("payload", 0) == smallest]
        for method in ordered(row["method"] for row in some):
            points = sorted((row["per_submit"], row["pps"] / 1000) for row in some if row["method"] == method)
            if method.startswith("pktgen"):
                axis.axhline(points[0][1], **_style(method))
            else:
                axis.plot(*zip(*points), marker="o", **_style(method))
        axis.set_title(platforms.PLATFORMS[name].label)
        axis.set_xscale("log", base=2)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("frames a submit")
        axis.set_ylabel("1,000 packets a second")
    figure.suptitle(f"Distinct frames from user memory, {smallest} B of payload" if payload else "Distinct frames from user memory")
    _legend(figure, axes)
    _saved(figure, path)


def capture(found, path):
    figure, axes = _panels(len(found), sharey=True)
    for axis, (name, rows) in zip(axes, found.items()):
        for method in ordered(row["method"] for row in rows):
            for packets, line in (("wanted", "-"), ("foreign", ":")):
                points = sorted((row["rules"], row["instructions_per_packet"]) for row in rows if row["method"] == method and row["packets"] == packets)
                style = {**_style(method), "linestyle": line, "label": label(method) if packets == "wanted" else None}
                axis.plot(*zip(*points), marker="o", **style)
        axis.set_title(platforms.PLATFORMS[name].label.partition(", pcnet")[0].partition(", e1000")[0])
        axis.set_xscale("symlog", linthresh=1)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.set_yscale("symlog", linthresh=100)
        _plain(axis)
        axis.set_xlabel("rules")
        axis.set_ylabel("instructions more a packet")
    figure.suptitle("Packets that a rule is for (line), and others (dotted)")
    _legend(figure, axes)
    _saved(figure, path)


def agent(found, path):
    """Memory and work of an hour, of each tool and job."""
    figure, axes = _panels(2 * len(found), columns=2, width=4.6, height=2.6)
    for number, (name, rows) in enumerate(found.items()):
        some = [row for row in rows if row["tool"] != "none"]
        names = [f"{row['tool']}: {row['job']}" for row in some]
        colours = ["#c8102e" if row["tool"].startswith("ktrxer-agent") else "#7f7f7f" for row in some]
        for axis, values, unit in (
            (axes[2 * number], [row["most_kb"] / 1000 for row in some], "memory at most, MB"),
            (axes[2 * number + 1], [max(row["instructions_per_idle_hour"], 0) / 1e6 for row in some], "instructions an hour, millions"),
        ):
            axis.barh(names, values, color=colours)
            axis.invert_yaxis()
            axis.set_xlabel(unit)
            axis.set_title(platforms.PLATFORMS[name].label.rpartition(",")[0])
    _saved(figure, path)


def _by_platform(data, experiment):
    return {name: data[experiment, name]["rows"] for name in platforms.PLATFORMS if (experiment, name) in data}


def draw(folder):
    """Draws what there are data of; returns the paths."""
    data, plots, drawn = results.read(folder / "data"), folder / "plots", []
    for name, rows in _by_platform(data, "sending-rate").items():
        drawn.append(plots / f"sending-rate-{name}.svg")
        sending_rate(platforms.PLATFORMS[name], rows, drawn[-1])
    for experiment, plot in (("scheduling", scheduling), ("sustained", sustained), ("capture", capture), ("agent", agent)):
        if found := _by_platform(data, experiment):
            drawn.append(plots / f"{experiment}.svg")
            plot(found, drawn[-1])
    return drawn


if __name__ == "__main__":
    print(*draw(pathlib.Path(sys.argv[1]) if sys.argv[1:] else results.DATA.parent), sep="\n")
