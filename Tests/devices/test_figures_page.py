# SPDX-License-Identifier: MIT
"""The tables that figures_devices.py writes into docs/figures.md leave the rest of the page alone."""

import pytest

from figures_devices import BEGIN, END, PAGE, burst_row, replaced, schedule_row
from figures import Figures
from guest import BedFailure


def test_the_rest_of_the_page_stays():
    page = f"before\n\n{BEGIN}\nold\n{END}\n\nbehind\n"
    once = replaced(page, ["| new |"])
    assert once == f"before\n\n{BEGIN}\n\n| new |\n\n{END}\n\nbehind\n"
    assert replaced(once, ["| new |"]) == once


def test_the_page_has_its_markers():
    page = PAGE.read_text()
    assert page.index(BEGIN) < page.index(END)


@pytest.mark.parametrize("page", ["", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_page_without_markers_is_refused(page):
    with pytest.raises(BedFailure, match="lacks the lines"):
        replaced(page, [])


def test_rows():
    lengths = {("udp socket", 100): 1_410_000, ("packet socket, no qdisc", 100): 700_000,
               ("udp socket", 1428): 2_000_000, ("packet socket, no qdisc", 1428): 1_000_000}  # fmt: skip
    inside = {"100 B": 141_000, "1428 B, by reference": 400_000, "1428 B, copied": 200_000}
    found = Figures("6.1", "virtio-net-pci", 3, {}, lengths, {}, inside, {}, [0, 0, 1, 1, 4], [100, *[300] * 99], [40, 60])
    assert burst_row("router", found) == (
        "| router, 24Kc big-endian | virtio-net | 8 | 14.1 / 7.0 / 1.4 | 10.0 / 5.0 | 20.0 / 10.0 / 4.0 | 5.0 / 2.5 | 2.0 | 10.0 / 5.0 |"
    )
    assert schedule_row("router", found) == (
        "| router, 24Kc big-endian | virtio-net | 8 | 1.0 us | 0.0 to 1.0 us | 0.1 us | 0.0 to 0.1 us | 0.3 us |"
    )
