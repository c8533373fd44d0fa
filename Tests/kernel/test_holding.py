# SPDX-License-Identifier: MIT
"""Files and maps in wrong hands: mapped, moved, shared, inherited, killed; and who may have them at all."""

import errno

import pytest

import hostile
from sending import odd, set_odd


@pytest.fixture(scope="module")
def guest(debug, tmp_path_factory):
    hostile.furnish(debug, tmp_path_factory.mktemp("programs"), ["holding", "privileges"])
    yield debug
    hostile.strip(debug)


@pytest.mark.parametrize("case", ["maps", "partial", "closed", "fork", "passed", "inherited", "bind", "poll", "eventfd", "killed"])
@pytest.mark.parametrize("hold", [0, 1], ids=["", "held"])
def test_holding(guest, case, hold):
    """Also with a device that keeps the frames, and the pages of the map with them, until after all is over."""
    set_odd(guest, hold=hold)
    assert hostile.ran(guest, f"holding odd0 {case}") == ""
    assert (guest.run("rmmod ktrxer").status != 0) == (hold == 1 and case in ("partial", "fork", "killed")), "references"
    set_odd(guest, hold=0, release=1)
    if not guest.run("grep ^ktrxer /proc/modules").out:
        guest.load()
    assert odd(guest, "taken") > 0


PERM = errno.EPERM


@pytest.mark.parametrize(
    ("kind", "can"),
    [
        ("root", "0 0 0 0 0 0"),
        # The mode of the file opens nothing.
        ("nobody", f"{PERM} {PERM} - - - -"),
        # Captures, and keeps nothing from the system.
        ("raw", f"0 0 0 {PERM} {PERM} {PERM}"),
        # Root in a user namespace that does not own the network namespace is nobody there.
        ("userns", f"{PERM} {PERM} - - - -"),
        # In one of its own it may do all. The only interface there is loopback, which knows no neighbours.
        ("userns-netns", f"0 0 0 0 0 {errno.EOPNOTSUPP}"),
    ],
)
def test_privileges(guest, kind, can):
    guest.run("chmod 0666 /dev/ktx /dev/krx").check()
    try:
        assert hostile.ran(guest, f"privileges {kind}").strip() == can
    finally:
        guest.run("chmod 0600 /dev/ktx /dev/krx").check()


@pytest.mark.parametrize("device", ["ktx", "krx"])
def test_modes(guest, device):
    """Nobody but root by the file's mode either."""
    assert guest.run(f"stat -c %a:%u:%g /dev/{device}").check().out == "600:0:0\n"
