# SPDX-License-Identifier: MIT
"""Fixtures: guests with the module loaded, made once for the tests of a file; and the judge, after every test.

debug   the debug kernel with ktrxer.ko in it
every   both in turn: the debug kernel, then each of the real ones
real    each Debian kernel that is here in turn (or those of KTRXER_KERNELS, say "6.1 6.12"), with ktrxer.ko in it
smp     the same on a machine with two processors

A test fails when the kernel of a guest that it used has reported anything while it ran, and the last test of a file when
memory was lost, or the module could not be unloaded.
"""

import os
import pathlib

import pytest

import kbed
from guest import ROOT, make_root
from kbed import KernelGuest, KernelMisbehaved

AGENT = pathlib.Path(os.environ.get("KTRXER_AGENT") or ROOT / "build" / "x86_64" / "ktrxer-agent").resolve()


@pytest.fixture(scope="session")
def guest_root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guest") / "root"
    make_root(folder, AGENT)
    return folder


def with_module(kind, root, **keywords):
    if kind != "uml":
        keywords.setdefault("cards", ("e1000", "virtio-net-pci"))
        keywords.setdefault("modules", ("veth",))
    with kbed.started(kind, root, **keywords) as guest:
        # There odd0 is the only one that such a thing can be tried with.
        module = guest.load(parameters="interrupt_drivers=odd" if kind == "uml" else "")
        yield guest
        guest.begin()
        guest.judge_leaks()
        guest.unload(module)
        guest.judge_leaks()
        guest.judge()


@pytest.fixture(scope="module")
def debug(guest_root):
    yield from with_module("uml", guest_root)


@pytest.fixture(scope="module")
def real(request, guest_root):
    yield from with_module(request.param, guest_root)


@pytest.fixture(scope="module")
def every(request, guest_root):
    yield from with_module(request.param, guest_root)


@pytest.fixture(scope="module")
def smp(request, guest_root):
    yield from with_module(request.param, guest_root, processors=2)


def pytest_generate_tests(metafunc):
    for name in {"real", "every", "smp"}.intersection(metafunc.fixturenames):
        wanted = os.environ.get("KTRXER_KERNELS", "").split()
        here = [kind for kind in kbed.available_kinds() if kind != "uml"]
        absent = [kind for kind in wanted if kind not in here]
        if absent:
            raise pytest.UsageError(f"KTRXER_KERNELS names what is not here: {' '.join(absent)}; run: make setup-kernels")
        kinds = wanted or here
        metafunc.parametrize(name, ["uml", *kinds] if name == "every" else kinds, indirect=True, scope="module")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    guests = [value for value in item.funcargs.values() if isinstance(value, KernelGuest)]
    for guest in guests:
        guest.begin()
    outcome = yield
    for guest in guests:
        try:
            guest.judge()
        except KernelMisbehaved as report:
            # What the kernel says explains a failed assertion: it comes with it.
            if outcome.excinfo is None:
                outcome.force_exception(report)
            else:
                item.add_report_section("call", "kernel", str(report))
