# SPDX-License-Identifier: MIT
"""The hook stays the first, whoever registers after it at the same priority."""

import pathlib

import pytest

import packets
from capturing import Capture, Script, Statistics, rule
from sending import compiled

RIVAL = pathlib.Path(__file__).resolve().parent / "rival"
NEAR, FAR = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
FRAME = packets.ethernet(NEAR, FAR, packets.ip4("10.9.0.2", "10.9.0.1", 17, packets.udp("10.9.0.2", "10.9.0.1", 1, 5999, b"x")))


@pytest.fixture(scope="module")
def guest(debug, tmp_path_factory):
    debug.put(compiled("calls", tmp_path_factory.mktemp("programs")))
    debug.run(
        f"/bin/ip link add near0 address {NEAR} type veth peer name tap0 address {FAR}; /bin/ip link set near0 up;"
        "/bin/ip link set tap0 up; /bin/ip addr add 10.9.0.1/24 dev near0; sleep 3"
    ).check()
    yield debug
    debug.run("/bin/ip link del near0").check()


def captures(guest, frames, gap, meanwhile, settle=0):
    """So many frames that the rival throws away, `gap` ms apart: captured, and the statistics."""
    script = Script()
    capture = Capture(script, slots=1024, slot_bytes=128)
    added = capture.add(rule(1, protocol=17, destination_port=5999))
    for _ in range(frames):
        script.send("tap0", FRAME)
        script.call("sleep", gap)
    script.call("sleep", settle)
    look, statistics = capture.look(), capture.statistics()
    script.run(guest, meanwhile=meanwhile)
    added.check()
    return capture.records(look), Statistics.from_buffer_copy(statistics.data)


def test_rival_that_comes_later(guest):
    """A module that registers at the same priority stands behind us again at once; no packet is lost or doubled meanwhile."""
    from kbed import built_module

    module = guest.put(built_module(RIVAL, guest.kind))
    try:
        records, statistics = captures(guest, 400, 10, f"sleep 1; insmod {module}")
        seen = int(guest.run("cat /sys/module/rival/parameters/seen").check().out)
        assert seen > 0
        # What came between the rival's registration and ours is all that it may have kept from us.
        assert len(records) >= 398
        assert [each.sequence for each in records] == list(range(len(records)))
        assert statistics.packets < 400 + 50
        assert statistics.hook_moves == 1
        # The other way round: it was there before us.
        records, statistics = captures(guest, 50, 10, "")
        assert (len(records), statistics.hook_moves) == (50, 0)
    finally:
        guest.run("rmmod rival").check()


def test_two_that_want_to_be_first_do_not_fight(guest):
    """Against one that registers anew for ever the moves get rarer, instead of keeping the machine busy."""
    from kbed import built_module

    module = guest.put(built_module(RIVAL, guest.kind))
    try:
        _, statistics = captures(guest, 300, 100, f"sleep 0.5; insmod {module} again=20")
        registrations = int(guest.run("cat /sys/module/rival/parameters/registrations").check().out)
        assert registrations > 200
        assert 3 <= statistics.hook_moves <= 15
    finally:
        guest.run("rmmod rival").check()


def test_rival_that_no_packet_shows(guest):
    """Somebody who registers without a module being loaded, on a link where no packet comes, stands in front for a second
    at most."""
    from kbed import built_module

    guest.run(f"insmod {guest.put(built_module(RIVAL, guest.kind))} late=1").check()
    try:
        script = Script()
        capture = Capture(script, slots=64, slot_bytes=128)
        added = capture.add(rule(1, protocol=17, destination_port=5999))
        quiet = script.call("sleep", 2600)
        for _ in range(5):
            script.send("tap0", FRAME)
        script.call("sleep", 20)
        look, statistics = capture.look(), capture.statistics()
        script.run(guest, meanwhile="sleep 1; echo 1 > /sys/module/rival/parameters/late")
        added.check()
        quiet.check()
        assert len(capture.records(look)) == 5
        assert Statistics.from_buffer_copy(statistics.data).hook_moves == 1
        assert int(guest.run("cat /sys/module/rival/parameters/seen").check().out) == 5
    finally:
        guest.run("rmmod rival").check()
