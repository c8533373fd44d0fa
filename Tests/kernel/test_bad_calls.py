# SPDX-License-Identifier: MIT
"""Calls that are wrong: the errno that the interface documents, nothing sent, nothing changed, nothing said."""

import pytest

import hostile
from sending import odd


@pytest.fixture(scope="module")
def guest(debug, tmp_path_factory):
    hostile.furnish(debug, tmp_path_factory.mktemp("programs"), ["bad_calls"])
    yield debug
    hostile.strip(debug)


def test_bad_calls(guest):
    """Each field out of its range, each reserved bit, bad pointers, commands that are none: more than 500 calls."""
    taken = odd(guest, "taken")
    said = hostile.ran(guest, "bad_calls odd0")
    calls = int(said.split()[-4])
    assert calls > 500 and said.endswith("calls, 0 faults\n"), said
    # The one that was right.
    assert odd(guest, "taken") == taken + 1
    assert hostile.lines_a_second(guest.log_since()) <= 1
