# SPDX-License-Identifier: MIT
"""The ratios that sending must keep, in virtual time (figures.py)."""

import statistics

import pytest

import figures
import figures_capture
from qemu import debian_kernels


def chosen_kernel():
    kernels = debian_kernels()
    if not kernels:
        pytest.fail("no Debian kernel is here; run: make setup")
    return kernels.get("6.1") or next(iter(kernels.values()))


@pytest.fixture(scope="module", params=["e1000", "virtio-net-pci"])
def measured(request, guest_root, tmp_path_factory):
    return figures.measure(guest_root, chosen_kernel(), request.param, tmp_path_factory.mktemp("figures"))


@pytest.mark.parametrize("shape", figures.SHAPES)
def test_burst(measured, shape):
    for method, least in ("udp socket", 5.5), ("packet socket, no qdisc", 4.5):
        assert measured.gain(method, shape) >= least, measured
        assert measured.gain_inside(method, shape) >= least, measured
    assert measured.above_floor(shape) <= 1.1, measured


def test_intervals(measured):
    assert statistics.median(measured.intervals) <= 1, measured.intervals


def test_slip(measured):
    assert min(measured.slips) >= 0
    assert measured.worst_slip <= 1000, sorted(measured.slips)[-10:]


def test_packets_that_match_nothing(guest_root, tmp_path_factory):
    """They cost at most 200 instructions more than without the module, under one rule and under many, captured or not."""
    cost = figures_capture.measure(guest_root, chosen_kernel(), tmp_path_factory.mktemp("figures"))
    assert cost.worst <= 200, "\n".join(figures_capture.table(cost))
    # Some of it is there: the packets did go through the hook.
    assert min(min(row.values()) for row in cost.more.values()) > 50, "\n".join(figures_capture.table(cost))
