# SPDX-License-Identifier: MIT
"""Shared memory that is rewritten while the kernel reads it: nothing is believed twice, nothing is lost count of."""

import os
import pathlib
import random
import shutil

import pytest

import hostile
import kbed

WIND = pathlib.Path(__file__).resolve().parent / "wind"
SEED = int(os.environ.get("KTRXER_SEED") or random.SystemRandom().randrange(1 << 32))


@pytest.fixture(scope="module")
def guest(debug, tmp_path_factory):
    hostile.furnish(debug, tmp_path_factory.mktemp("programs"), ["rewrite", "wrap"])
    yield debug
    hostile.strip(debug)


def rewritten(guest, interface, frames, what=""):
    said = hostile.ran(guest, f"rewrite {interface} {SEED} {frames} {what}", timeout=120)
    taken, sent, failed = (int(word) for word in said.split() if word.isdigit())
    assert taken == sent + failed and taken >= frames, f"KTRXER_SEED={SEED}: {said}"
    # Neither all good nor all bad: there was something to be mixed up.
    assert sent > taken // 20 and failed > taken // 20, f"KTRXER_SEED={SEED}: {said}"


@pytest.mark.parametrize("what", ["", "indices"], ids=["descriptors", "indices"])
@pytest.mark.parametrize("interface", ["odd0", "near0"])
def test_rewriting(guest, interface, what):
    """Lengths, offsets, flags, launch times and, in the second kind, all indices, by three threads while two submit."""
    rewritten(guest, interface, 1000, what)


@pytest.mark.parametrize("kernel", ["6.1"])
def test_rewriting_in_parallel(guest_root, tmp_path_factory, kernel):
    """The same on a kernel that runs two processors, and preempts."""
    if kernel not in kbed.available_kinds():
        pytest.fail(f"no kernel {kernel} here; run: make setup")
    with kbed.DebianGuest(guest_root, kernel, modules=["veth"], processors=2, append="preempt=full") as guest:
        guest.load()
        hostile.furnish(guest, tmp_path_factory.mktemp("programs"), ["rewrite"])
        assert guest.run("nproc").check().out == "2\n"
        for interface in "odd0", "near0":
            for what in "", "indices":
                rewritten(guest, interface, 5000, what)
        hostile.strip(guest)
        guest.unload()
        guest.judge()


def test_wrap(guest, tmp_path):
    """Every index goes through 2^32 with frames on the way. A module of the tests' takes them there."""
    wind = tmp_path / "wind"
    shutil.copytree(kbed.KMOD, wind, ignore=lambda _, names: [n for n in names if not n.endswith(".h") and "." in n] + ["Kbuild", "Makefile"])
    shutil.copytree(WIND, wind, dirs_exist_ok=True)
    guest.load(wind)
    try:
        assert hostile.ran(guest, "wrap") == "300 sent, 300 captured, 0 lost, 0 faults\n"
    finally:
        guest.unload("wind")
