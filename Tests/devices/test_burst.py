# SPDX-License-Identifier: MIT
"""On the router a burst takes a fifth of a UDP socket's time at most, whatever the card, in virtual time (figures_devices.py)."""

import pytest

import figures
import figures_devices
from test_devices import CHOSEN

ROUTERS = [name for name in CHOSEN if name.startswith("router")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


@pytest.mark.parametrize("card", ["pcnet", "e1000"])
@pytest.mark.parametrize("name", ROUTERS)
def test_burst(name, card, folder):
    (found,) = figures_devices.measure(name, folder / f"{name}-{card}", cards=(card,), shifts=(1,))
    for shape in figures.SHAPES:
        assert found.gain_inside("udp socket", shape) >= 5, found
