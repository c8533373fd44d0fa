# SPDX-License-Identifier: MIT
"""The figures of sending on the emulated devices: what figures.py measures, on each device with each network card that it may
have, at two speeds, as the two tables of docs/figures.md between their markers.

    figures_devices.py [DEVICE...]

Without arguments all are measured and the page is written anew; with names of devices their figures are printed, and the page
is left alone. All runs are on the clock that counts instructions, one after the other.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile

import devices
import figures
from guest import BEDS, ROOT, BedFailure
from qemu import debian_kernels

PAGE = ROOT / "docs" / "figures.md"
BEGIN = "<!-- `make bench-devices` writes what follows, to the end of it. -->"
END = "<!-- That was the end of it. -->"
#: Each device as a person would call it, and the cards that it is measured with.
MEASURED = {
    "router": ("router, 24Kc big-endian", ("pcnet", "e1000", "virtio-net-pci")),
    "router-le": ("router, 24Kc little-endian", ("pcnet", "e1000")),
    "phone": ("phone, AArch64", ("e1000", "virtio-net-pci")),
    "phone-32": ("phone, ARMv7", ("e1000", "virtio-net-pci")),
}
SHIFTS = 1, 3
TIMEOUT = 580
BURSTS = (
    "| device | card | ns | 100 B: UDP / packet / kTRxer | gain | 1428 B: UDP / packet / kTRxer | gain | 1428 B copied: kTRxer | gain |",
    "|---|---|---|---|---|---|---|---|---|",
)
SCHEDULE = (
    "| device | card | ns | off 10 ms, seen outside: median | quartiles | off 10 ms, as stamped: median | quartiles | slip, 99th percentile |",
    "|---|---|---|---|---|---|---|---|",
)


def measure(name, folder, cards=None, shifts=SHIFTS):
    """Yields the figures of a device, card by card, by default all of its cards, and speed by speed. The folder is made."""
    device = devices.DEVICES[name]
    kernel = debian_kernels(device.architecture)[device.kernel]
    root, programs = folder / "root", folder / "programs"
    programs.mkdir(parents=True)
    subprocess.run([BEDS / "make-device-root.sh", root, device.architecture], check=True)
    for card in cards or MEASURED[name][1]:
        for shift in shifts:
            yield figures.measure(root, kernel, card, programs, shift=shift, timeout=TIMEOUT)


def _first_columns(name, found):
    return [MEASURED[name][0], found.card.removesuffix("-pci"), str(2**found.shift)]


def _row(cells):
    return f"| {' | '.join(cells)} |"


def _gains(found, shape):
    return " / ".join(f"{found.gain_inside(method, shape):.1f}" for method in figures.OTHERS)


def burst_row(name, found):
    """us from one frame to the next, at the driver, and how many times longer the others take."""
    cells = _first_columns(name, found)
    for shape, (length, paged) in figures.SHAPES.items():
        ours = f"{found.inside[shape] / (figures.FRAMES - 1) / 1000:.1f}"
        others = [f"{found.others_inside[method, length] / figures.FRAMES / 1000:.1f}" for method in figures.OTHERS]
        cells += [" / ".join([*(others if paged or length < 1428 else []), ours]), _gains(found, shape)]
    return _row(cells)


def _spread(values):
    """The median, and the quartiles, of at least two values."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return [f"{middle:.1f} us", f"{low:.1f} to {high:.1f} us"]


def schedule_row(name, found):
    """How far from 10 ms frames were apart that should be, and how late against their launch time they are at worst."""
    return _row([
        *_first_columns(name, found), *_spread(found.intervals), *_spread([ns / 1000 for ns in found.stamped_intervals]),
        f"{found.worst_slip / 1000:.1f} us",
    ])  # fmt: skip


def tables(measured):
    """The lines of both, of [(device, figures)]."""
    return [*BURSTS, *(burst_row(*one) for one in measured), "", *SCHEDULE, *(schedule_row(*one) for one in measured)]


def replaced(page, lines):
    """A page with the lines between its markers in place of what is there."""
    before, begin, rest = page.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(f"{END}\n")
    if not begin or not end:
        raise BedFailure(f"{PAGE} lacks the lines that enclose the figures of devices:\n{BEGIN}\n{END}")
    return "\n".join([f"{before}{begin}", *lines, "", f"{end}{after}"])


def missing_kernels(names):
    """Those of the devices' kernels that are not here."""
    wanted = {devices.DEVICES[name] for name in names}
    return sorted(device.kernel for device in wanted if device.kernel not in debian_kernels(device.architecture))


def main(names):
    for name in names:
        if name not in MEASURED:
            sys.exit(f"figures_devices.py: no device is called '{name}'; there are: {' '.join(MEASURED)}")
    if missing := missing_kernels(names or MEASURED):
        # A table of those that are here would lose the rows of the others.
        sys.exit(f"figures_devices.py: not here: {' '.join(missing)}; run: make setup-kernels")
    if not names:
        replaced(PAGE.read_text(), [])
    measured = []
    with tempfile.TemporaryDirectory(prefix="ktrxer-figures-") as folder:
        for name in names or MEASURED:
            for found in measure(name, pathlib.Path(folder) / name):
                measured.append((name, found))
                print(MEASURED[name][0], *figures.table(found), sep="\n", end="\n\n", flush=True)
    print("\n".join(tables(measured)))
    if not names:
        PAGE.write_text(replaced(PAGE.read_text(), tables(measured)))


if __name__ == "__main__":
    main(sys.argv[1:])
