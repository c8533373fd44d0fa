# SPDX-License-Identifier: MIT
"""The figures of sending, in a guest whose clock counts instructions: ours beside the ways that a program has without
the module, and beside the bare driver call, in one run. `python figures.py` prints them, and those of figures_capture.py;
test_figures.py holds their ratios.

Two clocks are used. Outside, a capture says when each frame was on the wire, cut to microseconds. Drivers ring their
doorbell once for a whole burst as far as their byte queue limit allows, and an emulated card then has the burst on the wire
at one instant; the ratio is then at least what is printed. Inside, the time from the first call of the driver to the last
compares ours with the bare call: what it costs to check, to stamp and to keep account.
"""

import dataclasses
import pathlib
import statistics
import struct
import sys
import tempfile

import figures_capture
import kbed
import sending
from guest import ROOT, make_root
from kbed import built_module
from qemu import debian_kernels, exact_run

FLOOR = pathlib.Path(__file__).resolve().parent / "floor"
FRAMES = 100
LENGTHS = (100, 1428)
OTHERS = ("udp socket", "packet socket, no qdisc")
# Long frames in two shapes: on a card that gathers they go by reference, unless a copy is asked for.
SHAPES = {"100 B": (100, False), "1428 B, by reference": (1428, True), "1428 B, copied": (1428, False)}
SHIFT = 3


@dataclasses.dataclass
class Figures:
    """Of one kernel and network card."""

    kernel: str
    card: str
    shift: int  # an instruction takes 2^shift ns
    others: dict  # (method, length) -> us outside, first to last frame
    others_inside: dict  # (method, length) -> ns
    outside: dict  # shape -> us of ours
    inside: dict  # shape -> ns of ours
    floor: dict  # shape -> ns of the bare driver call
    intervals: list  # us, of frames 10 ms apart, as seen outside: |interval - 10 ms|
    slips: list  # ns, as the module reports them
    stamped_intervals: list  # ns, as intervals, by the module's stamps

    def gain(self, method, shape):
        """How many times longer the other method takes than ours, outside. What is below the capture's resolution counts
        as 1 us."""
        return self.others[method, SHAPES[shape][0]] / max(self.outside[shape], 1)

    def gain_inside(self, method, shape):
        """The same by the clock inside."""
        return self.others_inside[method, SHAPES[shape][0]] / self.inside[shape]

    def above_floor(self, shape):
        return self.inside[shape] / self.floor[shape]

    @property
    def worst_slip(self):
        """The 99th percentile, ns."""
        return sorted(self.slips)[len(self.slips) * 99 // 100]


def instants(dump):
    """{UDP destination port: [us of each frame]} of a pcap."""
    (magic,) = struct.unpack_from("<I", dump)
    assert magic == 0xA1B2C3D4, hex(magic)
    seen, at = {}, 24
    while at < len(dump):
        seconds, micros, kept, _ = struct.unpack_from("<IIII", dump, at)
        frame = dump[at + 16 : at + 16 + kept]
        at += 16 + kept
        if len(frame) >= 42 and frame[12:14] == b"\x08\x00" and frame[23] == 17:
            seen.setdefault(int.from_bytes(frame[36:38], "big"), []).append(seconds * 1_000_000 + micros)
    return seen


def _plan():
    """[(key, port, script)]: everything that is run, in order. A burst of ours comes first, when no queue limit has grown."""
    steps = []

    def add(key, script):
        port = 2000 + len(steps)
        steps.append((key, port, script.format(port=port)))

    ours = "/ktx -i eth0 -m 02:00:00:00:00:99 -B 10.9.0.2 -p {{port}} -n {} -l {} -f {}"
    for shape, (length, paged) in SHAPES.items():
        add(("ours", shape), ours.format(FRAMES, length, 0 if paged else sending.COPY))
    for length in LENGTHS:
        for method in OTHERS:
            add((method, length), f"/burst {method.split()[0]} eth0 {FRAMES} {length} {{port}}")
    for shape, (length, paged) in SHAPES.items():
        # Again, now that the limit is the same for both.
        add(("inside", shape), ours.format(FRAMES, length, 0 if paged else sending.COPY))
        add(
            ("floor", shape),
            f"insmod /floor.ko count={FRAMES} length={length} port={{port}} paged={int(paged)} && "
            "cat /sys/module/floor/parameters/duration && rmmod floor",
        )
    add("intervals", ours.format(10, 100, 0) + " -s 50000000 -g 10000000")
    add("slips", ours.format(300, 100, 0) + " -s 50000000 -g 10000000")
    return steps


def network(kernel):
    """A script. On the PC a second card, to which the first sends, is in a namespace of its own: some drivers wait for somebody
    to take their frames. Devices have one card, and nobody listens (qemu.py)."""
    far = "/sbin/ip netns add far; /sbin/ip link set eth1 netns far; /sbin/ip -n far link set eth1 up; "
    return (
        f"{far if kernel.architecture == 'amd64' else ''}ip link set eth0 up; sleep 3; ip addr add 10.9.0.1/24 dev eth0; "
        "arp -i eth0 -s 10.9.0.2 02:00:00:00:00:99; insmod /ktrxer.ko; sleep 1"
    )


def measure(root, kernel, card, folder, shift=SHIFT, timeout=300):
    """Runs everything once in one guest."""
    steps = _plan()
    begin = network(kernel)
    scripts = [begin] + [f"{script} > /tmp/said; status=$?; sleep 1; cat /tmp/said; exit $status" for _, _, script in steps]
    files = [
        ("/ktrxer.ko", built_module(kbed.KMOD, kernel.name)), ("/floor.ko", built_module(FLOOR, kernel.name)),
        *((f"/{name}", sending.compiled(name, folder, kernel.architecture)) for name in ("ktx", "burst")),
    ]
    run = exact_run(root, kernel, scripts, cards=(card,) if kernel.architecture != "amd64" else (card, card), files=files, shift=shift, dump=0, timeout=timeout)
    seen = instants(run.dump)
    figures = Figures(kernel.release, card, shift, {}, {}, {}, {}, {}, [], [], [])
    for (key, port, _), result in zip(steps, run.results[1:]):
        result.check()
        times = seen.get(port, [])
        if key == "intervals":
            figures.intervals = [abs(later - earlier - 10_000) for earlier, later in zip(times, times[1:])]
            stamps = [done["sent"] for done in sending.parsed(result).completions]
            figures.stamped_intervals = [abs(later - earlier - 10_000_000) for earlier, later in zip(stamps, stamps[1:])]
            continue
        if key == "slips":
            figures.slips = sending.parsed(result).slips
            continue
        assert len(times) == FRAMES, f"{key}: {len(times)} of {FRAMES} frames were on the wire\n{result}"
        method, what = key
        if method == "floor":
            figures.floor[what] = int(result.out)
        elif method == "inside":
            stamps = [done["sent"] for done in sending.parsed(result).completions]
            figures.inside[what] = stamps[-1] - stamps[0]
        elif method == "ours":
            figures.outside[what] = times[-1] - times[0]
        else:
            figures.others[key] = times[-1] - times[0]
            figures.others_inside[key] = int(result.out)
    return figures


def table(figures):
    """For a person."""
    per = 1 / (FRAMES - 1)
    yield f"{figures.card}, Linux {figures.kernel}, 2^{figures.shift} ns an instruction: {FRAMES} frames, us from one to the next"
    yield f"{'':34}" + "".join(f"{shape:>24}" for shape in SHAPES)
    yield f"{'ktrxer, on the wire':34}" + "".join(f"{figures.outside[shape] * per:24.2f}" for shape in SHAPES)
    for method in OTHERS:
        yield f"{method:34}" + "".join(
            f"{figures.others[method, length] * per:15.2f} {figures.gain(method, shape):6.1f} x" for shape, (length, _) in SHAPES.items()
        )
    yield f"{'ktrxer, at the driver':34}" + "".join(f"{figures.inside[shape] * per / 1000:24.2f}" for shape in SHAPES)
    for method in OTHERS:
        yield f"{method:34}" + "".join(
            f"{figures.others_inside[method, length] / FRAMES / 1000:15.2f} {figures.gain_inside(method, shape):6.1f} x"
            for shape, (length, _) in SHAPES.items()
        )
    yield f"{'bare driver call':34}" + "".join(
        f"{figures.floor[shape] * per / 1000:15.2f} {1 / figures.above_floor(shape):6.2f} x" for shape in SHAPES
    )
    yield f"10 frames 10 ms apart: median of |interval - 10 ms| {statistics.median(figures.intervals)} us"
    yield f"300 frames 10 ms apart: slip median {statistics.median(figures.slips)} ns, 99th percentile {figures.worst_slip} ns"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_root(folder / "root", ROOT / "build" / "x86_64" / "ktrxer-agent")
        for kernel in debian_kernels().values():
            if not sys.argv[1:] or kernel.name in sys.argv[1:]:
                for card in "e1000", "virtio-net-pci":
                    print("\n".join(table(measure(folder / "root", kernel, card, folder))), end="\n\n", flush=True)
                cost = figures_capture.measure(folder / "root", kernel, folder)
                print("\n".join(figures_capture.table(cost)), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
