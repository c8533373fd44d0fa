# SPDX-License-Identifier: MIT
"""Memory that runs out: each allocation of each call fails in turn, and of loading the module."""

import errno

import pytest

import hostile
import kbed


@pytest.fixture(scope="module")
def guest(debug, tmp_path_factory):
    hostile.furnish(debug, tmp_path_factory.mktemp("programs"), ["failing"])
    yield debug
    hostile.strip(debug)


# Calls of which at least so many allocations and copies are met, and those in which nothing can fail.
LEAST = {
    "open-ktx": 1, "open-krx": 1, "bind": 5, "setup": 3, "map": 1, "submit-first": 1, "submit-copied": 0, "submit-referenced": 8,
    "cancel": 1, "statistics": 1, "eventfd-ktx": 0, "eventfd-krx": 0, "add-capture": 2, "add-edits": 2, "add-reaction": 4,
    "add-neighbour": 3, "replace": 2, "list": 3,
}


def test_allocations_fail_in_turn(guest):
    """A clean errno or completion each time, what failed is not half done, and nothing is lost (the last test of the file
    looks for leaks)."""
    guest.tolerate(r"page allocation failure", r"vmalloc error")
    rows = [line.split() for line in hostile.ran(guest, "failing odd0", timeout=240).splitlines()]
    met = {name: int(failed) for name, failed, _ in rows}
    assert met.keys() == LEAST.keys()
    assert all(met[name] >= least for name, least in LEAST.items()), met


def test_loading_fails_in_turn(guest_root):
    """The module loads, or does not and leaves nothing."""
    with kbed.UmlKernel(guest_root) as guest:
        errors = guest.load_failing()
        assert set(errors) <= {0, errno.ENOMEM, errno.EFAULT}, errors
        assert errors.count(errno.ENOMEM) > 20, errors
        guest.judge()
        guest.judge_leaks()
