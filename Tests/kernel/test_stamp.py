# SPDX-License-Identifier: MIT
"""Hardware timestamps: of frames that are sent, held back until the device gives them, and of packets that arrive."""

import errno
import struct

import pytest

import packets
from capturing import KTX_BIND, KTX_SUBMIT, STAMP_HARDWARE, STAMP_KERNEL, Bind, Capture, Script, rule
from sending import CANCELLED, GONE, HARDWARE, ODD, SENT, STAMP, STAMP_NS, TIMED, compiled, odd, send, set_odd

# How frames are stamped: odd.c. Timers of the debug kernel go by ticks of 10 ms.
NEVER, AT_ONCE, LATER, LATER_REVERSED, ON_REQUEST = range(5)


@pytest.fixture(scope="module")
def guest(debug, tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    debug.put(compiled("ktx", folder))
    debug.put(compiled("calls", folder))
    yield debug


@pytest.fixture(autouse=True)
def device(guest):
    """odd0, as new: nothing of the system's own is sent on it."""
    guest.load(ODD)
    guest.run("echo 1 > /proc/sys/net/ipv6/conf/odd0/disable_ipv6; /sbin/ip link set odd0 arp off up").check()
    yield
    guest.unload("odd")


def stamps(said):
    """The hardware stamps in the order of completions, 0 for none; each agrees with its completion's flag."""
    for done in said.completions:
        assert bool(done["flags"] & HARDWARE) == (done["hardware"] != 0), done
    return [done["hardware"] for done in said.completions]


def held(said):
    """ns between sending and when the program saw the completion."""
    return [done["seen"] - done["sent"] for done in said.completions]


@pytest.mark.parametrize("stamp", [AT_ONCE, LATER, LATER_REVERSED])
def test_value_and_flag(guest, stamp):
    """Each frame's completion has the device's time of that frame, whenever and in whatever order the device tells."""
    set_odd(guest, stamp=stamp)
    clock = odd(guest, "clock")
    said = send(guest, f"-i odd0 -n 20 -l 100 -f {STAMP}")
    assert said.statuses == [SENT] * 20
    assert stamps(said) == [clock + 1000 * (number + 1) for number in range(20)]
    assert [done["cookie"] for done in said.completions] == list(range(20))
    assert odd(guest, "asked") == 20
    assert max(held(said)) < STAMP_NS


def test_only_on_request(guest):
    """Frames that do not ask are not stamped, even where the device would."""
    set_odd(guest, stamp=AT_ONCE)
    said = send(guest, "-i odd0 -n 20 -l 100")
    assert said.statuses == [SENT] * 20
    assert stamps(said) == [0] * 20
    assert odd(guest, "asked") == 0


@pytest.mark.parametrize("stamp", [AT_ONCE, LATER, LATER_REVERSED, NEVER])
@pytest.mark.parametrize("timed", [False, True])
def test_order_with_unstamped_frames(guest, stamp, timed):
    """Completions behind one that waits for its stamp wait too: order stays."""
    set_odd(guest, stamp=stamp)
    clock = odd(guest, "clock")
    said = send(guest, "-i odd0 -n 60 -l 100 -t 3 -e 64" + (" -s 3000000 -g 200000 -o" if timed else ""))
    assert said.statuses == [SENT] * 60
    order = list(range(60))[:: -1 if timed else 1]
    assert [done["cookie"] for done in said.completions] == order
    asked = [cookie % 3 == 0 for cookie in order]
    assert stamps(said) == [clock + 1000 * (place + 1) if each and stamp != NEVER else 0 for place, each in enumerate(asked)]
    assert all(bool(done["flags"] & TIMED) == timed for done in said.completions)


def test_time_out(guest):
    """A device that does not stamp: the completion comes without, after 20 ms and not much later."""
    set_odd(guest, stamp=NEVER)
    said = send(guest, f"-i odd0 -n 10 -l 100 -f {STAMP}")
    assert said.statuses == [SENT] * 10
    assert stamps(said) == [0] * 10
    assert STAMP_NS <= min(held(said)) and max(held(said)) < 2 * STAMP_NS, held(said)


def test_device_that_cannot(guest):
    """A device that says that it does not stamp is not asked to, and completions do not wait: of no kind of frame."""
    set_odd(guest, stamp=AT_ONCE, unable=1)
    for shape in "", "-s 3000000 -g 200000":
        said = send(guest, f"-i odd0 -n 10 -l 100 -f {STAMP} {shape}")
        assert said.statuses == [SENT] * 10
        assert stamps(said) == [0] * 10
        assert max(held(said)) < STAMP_NS, held(said)
    assert odd(guest, "asked") == 0
    # The same of one that says nothing, as dummy does.
    guest.run("/sbin/ip link add silent0 type dummy; /sbin/ip link set silent0 up").check()
    said = send(guest, f"-i silent0 -n 10 -l 100 -f {STAMP}")
    assert said.statuses == [SENT] * 10 and stamps(said) == [0] * 10 and max(held(said)) < STAMP_NS, held(said)
    guest.run("/sbin/ip link del silent0").check()


def test_device_below(guest):
    """A bridge does not stamp; its port does, and is waited for."""
    set_odd(guest, stamp=LATER)
    clock = odd(guest, "clock")
    guest.run("ip=/sbin/ip; $ip link add br0 type bridge; echo 1 > /proc/sys/net/ipv6/conf/br0/disable_ipv6; $ip link set odd0 master br0; $ip link set br0 up; sleep 1").check()
    try:
        said = send(guest, f"-i br0 -n 5 -l 100 -f {STAMP}")
    finally:
        guest.run("/sbin/ip link del br0").check()
    assert said.statuses == [SENT] * 5
    assert stamps(said) == [clock + 1000 * (number + 1) for number in range(5)]


def test_stamp_after_the_time_out(guest):
    """A stamp that comes too late goes nowhere, and certainly not to another frame."""
    set_odd(guest, stamp=LATER, stamp_delay=30)
    said = send(guest, f"-i odd0 -n 8 -l 100 -f {STAMP} -e 8 -s 1000000 -g 70000000 -w 2000")
    assert said.statuses == [SENT] * 8
    assert stamps(said) == [0] * 8
    assert [done["cookie"] for done in said.completions] == list(range(8))
    set_odd(guest, stamp=AT_ONCE)
    clock = odd(guest, "clock")
    assert stamps(send(guest, f"-i odd0 -n 2 -l 100 -f {STAMP}")) == [clock + 1000, clock + 2000]


@pytest.mark.parametrize("stamp", [AT_ONCE, LATER, LATER_REVERSED])
def test_many(guest, stamp):
    """A thousand frames: rings go round many times, bursts end and begin, each completes once with its own stamp."""
    set_odd(guest, stamp=stamp)
    clock = odd(guest, "clock")
    said = send(guest, f"-i odd0 -n 1000 -l 100 -f {STAMP} -e 64", timeout=120)
    assert (len(said.statuses), set(said.statuses)) == (1000, {SENT}), said.missing
    assert [done["cookie"] for done in said.completions] == list(range(1000))
    assert stamps(said) == [clock + 1000 * (number + 1) for number in range(1000)]


def test_long_frames_by_reference(guest):
    """Stamps of frames that were not copied."""
    set_odd(guest, stamp=LATER)
    clock = odd(guest, "clock")
    said = send(guest, f"-i odd0 -n 10 -l 1400 -f {STAMP}")
    assert stamps(said) == [clock + 1000 * (number + 1) for number in range(10)]
    assert said.statistics["referenced"] == 0


def test_busy_and_dropped(guest):
    """A frame that is refused at first, and one that the device throws away, do not put stamps out of step."""
    set_odd(guest, stamp=LATER, busy=3)
    clock = odd(guest, "clock")
    said = send(guest, f"-i odd0 -n 6 -l 100 -f {STAMP}")
    assert said.completions[0]["attempts"] == 4
    assert stamps(said) == [clock + 1000 * (number + 1) for number in range(6)]
    set_odd(guest, drop=2)
    clock = odd(guest, "clock")
    said = send(guest, f"-i odd0 -n 6 -l 100 -f {STAMP}")
    assert said.statuses[2:] == [SENT] * 4 and SENT not in said.statuses[:2]
    # odd0's clock stands still for frames that it drops.
    assert stamps(said) == [0, 0] + [clock + 1000 * (number + 1) for number in range(4)]


def test_gone_while_held(guest):
    """The interface goes while completions wait: at once each completes, as sent and without its stamp; then what was not sent."""
    set_odd(guest, stamp=NEVER)
    said = send(
        guest, f"-i odd0 -n 4 -l 100 -f {STAMP} -s 100000000 -g 1000000000 -w 9000",
        meanwhile="while ! grep -q 1 /sys/module/odd/parameters/asked; do :; done; rmmod odd",
    )
    assert said.statuses == [SENT] + [GONE] * 3
    assert stamps(said) == [0] * 4
    guest.load(ODD)


def test_cancel_while_held(guest):
    """What has left cannot be cancelled: it completes as sent, before what is cancelled behind it."""
    set_odd(guest, stamp=NEVER)
    said = send(guest, f"-i odd0 -n 4 -l 100 -f {STAMP} -s 1000000 -g 100000000 -c 3")
    assert said.cancelled == 3
    assert said.statuses == [SENT] + [CANCELLED] * 3
    assert stamps(said) == [0] * 4
    assert held(said)[0] >= STAMP_NS


@pytest.mark.parametrize("stamp", [NEVER, ON_REQUEST])
def test_close_while_held(guest, stamp):
    """The file is closed while completions wait, and before their stamps come: nobody gets them, and the module stays for as
    long as a frame is with the device."""
    set_odd(guest, stamp=stamp)
    send(guest, f"-i odd0 -n 10 -l 100 -f {STAMP} -Q 2")
    if stamp == ON_REQUEST:
        assert guest.run("rmmod ktrxer").status != 0
        set_odd(guest, report=1)
    # The end of a socket is a callback of RCU.
    guest.run("sleep 0.5; for i in 1 2 3 4 5 6 7 8 9; do grep -q '^ktrxer [0-9]* 0' /proc/modules && break; sleep 0.2; done")
    users = guest.run("cut -d' ' -f1,3 /proc/modules | grep ktrxer").check().out
    assert users.split() == ["ktrxer", "0"], users
    set_odd(guest, stamp=AT_ONCE)
    assert all(stamps(send(guest, f"-i odd0 -n 2 -l 100 -f {STAMP}")))


def test_device_keeps_frames(guest):
    """Frames that a device keeps for longer than their file and never stamps: all is given back when it lets go of them."""
    set_odd(guest, stamp=NEVER, hold=1)
    said = send(guest, f"-i odd0 -n 5 -l 1400 -f {STAMP}")
    assert stamps(said) == [0] * 5
    assert guest.run("rmmod ktrxer").status != 0
    set_odd(guest, release=1, hold=0)


def test_namespace_gone_while_held(guest):
    """Sockets for stamps do not keep a namespace, and it goes while a device of its own waits for them."""
    guest.run(
        "ip=/bin/ip; $ip netns add brief; $ip -n brief link add d0 type dummy; $ip -n brief link set d0 up;"
        f"$ip netns exec brief {guest.inside}/ktx -i d0 -n 3 -l 100 -f {STAMP} -s 1000000 -g 900000000 > /tmp/brief & pid=$!;"
        "sleep 0.2; /bin/ip netns del brief; kill $pid; wait $pid"
    )
    guest.run("sleep 1; ! /bin/ip netns list | grep brief").check()
    users = guest.run("cut -d' ' -f1,3 /proc/modules | grep ktrxer").check().out
    assert users.split() == ["ktrxer", "0"], users


def test_counts_as_scheduled(guest):
    """The header says how many have no completion yet, those that wait for a stamp included; the user's consumer index
    does not make room that is not there."""
    set_odd(guest, stamp=NEVER)
    script = Script()
    script.call("open", 0, "/dev/ktx")
    bind = Bind(interface_index=int(guest.run("cat /sys/class/net/odd0/ifindex").check().out), submission_entries=4,
                completion_entries=4, frame_bytes=4096, queue=0xFFFFFFFF)  # fmt: skip
    script.ioctl(0, KTX_BIND, bind)
    script.call("map", 0, 8192)

    def submit(first, flags):
        for number in range(first, first + 4):
            descriptor = struct.pack("=QQIIIHH", 0, number, 0, 60, flags, 0, 0)
            script.call("poke", 0, 128 + 32 * (number % 4), descriptor.hex())
        script.call("poke", 0, 0, struct.pack("=I", first + 4).hex())
        return script.ioctl(0, KTX_SUBMIT)

    looks = []
    first = submit(0, STAMP)
    looks.append(script.call("peek", 0, 64, 16))
    # Pretends to have read what is not published.
    script.call("poke", 0, 4, struct.pack("=I", 4).hex())
    second = submit(4, 0)
    script.call("sleep", 40)
    looks.append(script.call("peek", 0, 64, 16))
    third = script.ioctl(0, KTX_SUBMIT)
    looks.append(script.call("peek", 0, 64, 16))
    script.run(guest)
    assert (first.result, second.result, third.result) == (4, -errno.EAGAIN, 4)
    # Taken, completions published, referenced, scheduled.
    assert [struct.unpack("=4I", look.data) for look in looks] == [(4, 0, 0, 4), (4, 4, 0, 0), (8, 8, 0, 0)]


# ---- arrival ----


def test_arrival(guest):
    """A packet with a hardware timestamp: the record has it, and says so; one without has the kernel's."""
    packet = packets.ip4("192.0.2.1", "192.0.2.2", 17, packets.udp("192.0.2.1", "192.0.2.2", 1234, 5000, b"x" * 20))
    address = guest.run("cat /sys/class/net/odd0/address").check().out.strip()
    frame = packets.ethernet(address, "02:00:00:00:00:01", packet)
    script = Script()
    capture = Capture(script)
    capture.add(rule(1, destination_port=5000))
    script.call("sleep", 1500)
    look = capture.look()
    script.run(
        guest,
        meanwhile=f"sleep 0.5; for each in 1234567890123456789 0 1; do echo $each {frame.hex()} > /sys/module/odd/parameters/inject; done",
    )
    seen = capture.records(look)
    assert [(each.hardware_ns, each.source) for each in seen] == [
        (1234567890123456789, STAMP_HARDWARE), (0, STAMP_KERNEL), (1, STAMP_HARDWARE),
    ]
    assert all(each.data == packet for each in seen)
    # The kernel's own is there beside it, and of this machine's clock.
    assert all(0 <= later.realtime_ns - earlier.realtime_ns < 1_000_000_000 for earlier, later in zip(seen, seen[1:]))
