# SPDX-License-Identifier: MIT
"""Two processors: whatever rules, hooks and senders do at the same time as packets come, each packet counts once."""

import pathlib

import pytest

import packets
from capturing import (
    CAPTURE, CAPTURE_DROP, FORWARD, REACT_APPEND_PAYLOAD, REACT_CHECKSUMS, RULE_ADD, RULE_DELETE, RULE_FLUSH, Capture, Rule,
    Script, Statistics, bound, counters_of, reaction, rule,
)
from kbed import built_module
from sending import BUSY, SENT, compiled, parsed

RIVAL = pathlib.Path(__file__).resolve().parent / "rival"
STEADY = pathlib.Path(__file__).resolve().parent / "steady"
NEAR, FAR = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
HERE, THERE, HERE6, THERE6 = "10.9.0.1", "203.0.113.5", "fd09::1", "fd77::1"
PROCESSORS = 2
# Until no processor has packets in its queue any more (the twelfth column), and the last have gone their way.
IN_HAND = "while cut -d' ' -f12 /proc/net/softnet_stat | grep -qv '^0*$'; do sleep 0.05; done; sleep 0.2"


@pytest.fixture(scope="module")
def guest(smp, tmp_path_factory):
    """Frames sent on tap0 come in on near0, on the processor that has sent them. Nobody has their addresses."""
    folder = tmp_path_factory.mktemp("programs")
    for name in "calls", "ktx", "burst":
        smp.put(compiled(name, folder))
    smp.run(
        f"test $(nproc) = {PROCESSORS} || exit 1; echo 100000 > /proc/sys/net/core/netdev_max_backlog;"
        f"/bin/ip link add near0 address {NEAR} type veth peer name tap0 address {FAR};"
        "for each in near0 tap0; do /bin/ip link set $each up; done; sleep 3"
    ).check()
    steady = smp.load(STEADY)
    # Stamps are switched on a little later than asked for.
    smp.run("sleep 0.5").check()
    yield smp
    smp.run("/bin/ip link del near0").check()
    smp.unload(steady)


def udp(port, family=4, payload=b"x" * 20):
    here, there, packet = (HERE, THERE, packets.ip4) if family == 4 else (HERE6, THERE6, packets.ip6)
    return packets.ethernet(NEAR, FAR, packet(there, here, 17, packets.udp(there, here, 1000, port, payload)))


class Senders:
    """Programs that flood frames at the same time, the nth on processor n modulo 2, until so many are sent or, before that,
    a script says stop(). Two bytes at `numbered`, if given, count down in each frame."""

    def __init__(self, guest, frames, count, numbered=0):
        self.guest, self.count, self.enough = guest, count, f"{guest.inside}/enough"
        for number, frame in enumerate(frames):
            script = Script()
            # One more goes ahead of the flood.
            script.call("flood", "tap0", count - 1, frame.hex(), numbered, self.enough)
            guest.write(f"sender{number}", script.answers[0].command + "\n")
        self.begin = f"rm -f {guest.inside}/sent* {self.enough}; " + "".join(
            f"(taskset {1 << number % PROCESSORS:x} {guest.inside}/calls < {guest.inside}/sender{number} > {guest.inside}/said{number};"
            f" mv {guest.inside}/said{number} {guest.inside}/sent{number}) > /dev/null 2>&1 < /dev/null & "
            for number in range(len(frames))
        )
        files = " ".join(f"{guest.inside}/sent{number}" for number in range(len(frames)))
        self.end = f"for each in {files}; do while ! [ -e $each ]; do sleep 0.05; done; done; {IN_HAND}"
        self.number = len(frames)

    def start(self, script):
        script.call("shell", self.begin)

    def wait(self, script):
        script.call("shell", self.end)

    def stop(self, script):
        script.call("shell", f"touch {self.enough}")
        self.wait(script)

    def check(self):
        """All frames were sent, and none was dropped between the two interfaces."""
        for number in range(self.number):
            assert int(self.guest.read(f"sent{number}")) > 0
        for line in self.guest.run("cat /proc/net/softnet_stat").check().out.splitlines():
            assert int(line.split()[1], 16) == 0, "packets were dropped before they reached the hook"


def statistics_of(answer):
    return Statistics.from_buffer_copy(answer.data)


@pytest.mark.parametrize("steering", ["as sent", "by flow"])
def test_counters(guest, steering):
    """What two processors count at the same time adds up, by rule, by file and in the ring."""
    guest.run(f"echo {3 if steering == 'by flow' else 0} > /sys/class/net/near0/queues/rx-0/rps_cpus").check()
    frames = [udp(5000), udp(5001, 6), udp(5002), udp(5003, 6)]
    count = 4000
    senders = Senders(guest, [*frames, udp(5000)], count)
    script = Script()
    first, second = Capture(script, 0, slots=1024, slot_bytes=128), Capture(script, 1, slots=1024, slot_bytes=128)
    answers = [first.add(rule(1 + n, CAPTURE if n < 2 else FORWARD, (4, 6)[n % 2], protocol=17, destination_port=5000 + n)) for n in range(4)]
    answers.append(second.add(rule(1, CAPTURE_DROP, protocol=17)))
    senders.start(script)
    senders.wait(script)
    counters, other = first.counters(), second.counters()
    statistics, others = first.statistics(), second.statistics()
    script.run(guest)
    senders.check()
    for answer in answers:
        answer.check()
    wanted = {1: 2 * count, 2: count, 3: count, 4: count}
    assert {number: each.packets for number, each in counters_of(counters).items()} == wanted
    assert {number: each.bytes for number, each in counters_of(counters).items()} == {
        number: packets_ * (48 if number % 2 else 68) for number, packets_ in wanted.items()
    }  # fmt: skip
    captured = [counters_of(counters)[1], counters_of(counters)[2], counters_of(other)[1]]
    assert [each.captured + each.lost for each in captured] == [2 * count, count, 3 * count]
    one, two = statistics_of(statistics), statistics_of(others)
    assert (one.matched, one.captured + one.lost, one.dropped) == (5 * count, 3 * count, 0)
    assert (two.matched, two.captured + two.lost, two.dropped) == (3 * count, 3 * count, 3 * count)
    # A few of the system's own come beside them.
    assert 5 * count <= one.packets <= 5 * count + 50
    guest.run("echo 0 > /sys/class/net/near0/queues/rx-0/rps_cpus").check()


def test_rules_change_under_traffic(guest):
    """A rule that is replaced again and again, by others that compare other fields, sees every packet once, while the table
    grows and shrinks around it."""
    count = 25_000
    senders = Senders(guest, [udp(5000), udp(5000)], count)
    shapes = [
        {"protocol": 17, "destination_port": 5000}, {"destination": f"{HERE}/32"}, {"source": "203.0.0.0/16", "destination_port": (4000, 6000)},
        {"protocol": 17, "source": f"{THERE}/32", "destination": f"{HERE}/32", "source_port": 1000, "destination_port": 5000},
    ]  # fmt: skip
    script = Script()
    capture = Capture(script, slots=64, slot_bytes=128)
    answers = [capture.add(rule(1, FORWARD, **shapes[0]))]
    senders.start(script)
    begin = capture.statistics()
    exact = {"protocol": 17, "source": f"{THERE}/32", "destination": "10.9.0.9/32", "source_port": 1, "destination_port": 9}
    for turn in range(120):
        answers.append(capture.replace(rule(1, FORWARD, **shapes[(turn + 1) % len(shapes)])))
        first = 10 + turn * 100
        script.call("series", 0, RULE_ADD, 40, Rule.id.offset, Rule.source_port_first.offset, bytes(rule(first, FORWARD, **exact)).hex())
        answers.append(capture.add(rule(first + 50, FORWARD, priority=-1, destination=f"{turn}.0.0.0/{8 + turn % 16}")))
        answers.append(script.ioctl(0, RULE_DELETE, first + 50))
        if turn % 10 == 9:
            answers += [script.ioctl(0, RULE_DELETE, first - back * 100 + n) for back in range(10) for n in range(40)]
    end = capture.statistics()
    senders.wait(script)
    counters = capture.counters()
    script.run(guest, timeout=240)
    senders.check()
    assert {answer.result for answer in answers} == {0}
    # The changes were made while packets came.
    assert 0 < statistics_of(end).matched - statistics_of(begin).matched
    assert counters_of(counters)[1].packets == 2 * count


def test_files_come_and_go_under_traffic(guest):
    """Opening, flushing and closing while packets come takes nothing from a file that stays, and leaves nothing behind."""
    count = 20_000
    senders = Senders(guest, [udp(5000), udp(5001, 6)], count)
    script = Script()
    stays = Capture(script, 0, slots=64, slot_bytes=128)
    answers = [stays.add(rule(1, CAPTURE, protocol=17)), stays.add(rule(2, CAPTURE, 6, protocol=17))]
    senders.start(script)
    for turn in range(12):
        other = Capture(script, 1, slots=64, slot_bytes=128)
        answers += [other.add(rule(1, CAPTURE, protocol=17)), other.add(rule(2, FORWARD, 6, destination_port=5001))]
        if turn % 2:
            script.ioctl(1, RULE_FLUSH)
        script.call("unmap", 1)
        script.call("close", 1)
    senders.wait(script)
    counters = stays.counters()
    script.run(guest)
    senders.check()
    assert {answer.result for answer in answers} == {0}
    assert {number: each.packets for number, each in counters_of(counters).items()} == {1: count, 2: count}
    # Now the last file's rules go while packets come: the hook itself comes and goes.
    script = Script()
    senders.start(script)
    for _ in range(12):
        other = Capture(script, 1, slots=64, slot_bytes=128)
        other.add(rule(1, CAPTURE, protocol=17))
        script.call("unmap", 1)
        script.call("close", 1)
    senders.wait(script)
    script.run(guest, timeout=240)
    senders.check()


def test_rules_come_back_under_traffic(guest):
    """A file that gives up its last rule and at once has another hides no file behind its old place from a packet that it is
    busy with: sixty-four long answers to each keep it busy."""
    senders = Senders(guest, [udp(5000, payload=b"x" * 8000)], 10**9, numbered=42)
    template = packets.ethernet(FAR, NEAR, packets.ip4(HERE, THERE, 17, packets.udp(HERE, THERE, 9, 9)))
    script = Script()
    busy = Capture(script, 0, slots=64, slot_bytes=128)
    bound(script, guest, "near0", template)
    # The first file of a script has the number 3.
    answer = reaction(4, 0, len(template), flags=REACT_CHECKSUMS | REACT_APPEND_PAYLOAD, repeat=64)
    returning = rule(1, FORWARD, protocol=17, destination_port=5000, reaction=answer)
    answers = [busy.add(returning)]
    senders.start(script)
    script.call("sleep", 300)
    looks = []
    for turn in range(12):
        # Only who stands behind the busy file can be missed, and it stands last afterwards: each time another.
        behind = Capture(script, 1 + turn, slots=256, slot_bytes=128)
        answers += [behind.add(rule(1, CAPTURE, protocol=17, destination_port=5000))]
        # However fast or slow packets come: some are seen before the change, and some after it.
        behind.sees(8)
        answers.append(script.call("ioctls", 0, RULE_DELETE, 1, RULE_ADD, bytes(returning).hex()))
        behind.sees(8)
        script.ioctl(1 + turn, RULE_FLUSH)
        looks.append((behind, behind.look()))
    senders.stop(script)
    ceiling = "/sys/module/ktrxer/parameters/rate_ceiling"
    mtu = "for each in near0 tap0; do /bin/ip link set $each mtu"
    guest.run(f"echo 0 > {ceiling}; {mtu} 9000; done").check()
    try:
        script.run(guest, timeout=240)
    finally:
        guest.run(f"echo 250000 > {ceiling}; {mtu} 1500; done").check()
    senders.check()
    assert {answer.result for answer in answers} == {0}
    caught = [[int.from_bytes(each.data[28:30], "little") for each in behind.records(look)] for behind, look in looks]
    missed = [(earlier, later) for numbers in caught for earlier, later in zip(numbers, numbers[1:]) if (earlier - later) % 65536 != 1]
    assert not missed, missed
    # There were packets to be missed.
    assert min(len(numbers) for numbers in caught) >= 16, [len(numbers) for numbers in caught]


def test_hook_moves_under_traffic(guest):
    """While the hook is put first again and again every packet is seen, and none twice."""
    module = guest.put(built_module(RIVAL, guest.kind))
    count = 4000
    senders = Senders(guest, [udp(5000), udp(5000), udp(5001, 6)], count)
    script = Script()
    capture = Capture(script, slots=64, slot_bytes=128)
    script.call("shell", f"insmod {module} again=5")
    seen = []
    # Of one hook the moves get rarer: each turn has its own.
    for _ in range(50):
        capture.add(rule(1, FORWARD, protocol=17))
        capture.add(rule(2, FORWARD, 6, protocol=17))
        senders.start(script)
        senders.wait(script)
        seen.append((capture.counters(), capture.statistics()))
        script.ioctl(0, RULE_FLUSH)
    try:
        script.run(guest, timeout=240)
        senders.check()
    finally:
        guest.run("rmmod rival").check()
    assert sum(statistics_of(statistics).hook_moves for _, statistics in seen) >= 100
    wanted = {1: 2 * count, 2: count}
    assert [{number: each.packets for number, each in counters_of(counters).items()} for counters, _ in seen] == [wanted] * len(seen)


def test_reaction_limit(guest):
    """Of packets on two processors so many are answered as the limit says; each answer leaves once."""
    count = 3000
    senders = Senders(guest, [udp(5000), udp(5000)], count)
    template = packets.ethernet(FAR, NEAR, packets.ip4(HERE, THERE, 17, packets.udp(HERE, THERE, 9, 9, b"pong")))
    arrived = "cat /sys/class/net/tap0/statistics/rx_packets"
    for limit in 500, 0:
        before = int(guest.run(arrived).check().out)
        script = Script()
        capture = Capture(script, slots=64, slot_bytes=128)
        bound(script, guest, "near0", template)
        # The first file of a script has the number 3.
        added = capture.add(rule(1, FORWARD, protocol=17, destination_port=5000, reaction=reaction(4, 0, len(template), limit=limit)))
        senders.start(script)
        senders.wait(script)
        counters = capture.counters()
        script.run(guest)
        senders.check()
        added.check()
        seen = counters_of(counters)[1]
        assert seen.packets == 2 * count
        assert seen.reactions + seen.reactions_lost == (limit or 2 * count)
        assert seen.reactions > 0
        assert 0 <= int(guest.run(arrived).check().out) - before - seen.reactions <= 20


def test_two_senders(guest):
    """Two files on two processors send timed frames over one interface: each in its own order, none early, none lost."""
    run = "taskset {mask} {inside}/ktx -i near0 -n 400 -l 100 -s 300000000 -g 500000 -p {port} -e 1024 -w 5000"
    outs = [f"{guest.inside}/frames{n}" for n in range(2)]
    guest.run(
        " & ".join(run.format(mask=1 << n, inside=guest.inside, port=7000 + n) + f" > {out}" for n, out in enumerate(outs)) + " & wait"
    ).check()
    for n in range(2):
        said = parsed(guest.run(f"cat {outs[n]}").check())
        assert said.statuses == [SENT] * 400, said
        assert [done["cookie"] for done in said.completions] == list(range(400))
        assert min(said.slips) >= 0


@pytest.mark.parametrize("card", ["eth0", "eth1"])
def test_launches_from_interrupts_beside_sockets(guest, card):
    """Timers' interrupts send by a card while programs on either processor do so too: each frame leaves once, none before its
    launch time, and nobody waits for anybody for ever. One card is virtio, the other an e1000; each takes what the other sends."""
    guest.run("for each in eth0 eth1; do /bin/ip link set $each arp off up; done; sleep 3").check()
    others = "".join(
        f"(for i in 1 2 3 4 5 6 7 8; do taskset {mask} {guest.inside}/burst packet {card} 1000 100 {port}; done) > /dev/null & "
        for mask, port in ((1, 7), (2, 8))
    )
    ours = "".join(
        f"taskset {mask} {guest.inside}/ktx -i {card} -n 1000 -l 100 -s 300000000 -g 300000 -e 1024 -w 5000 -a 255 > /tmp/ours{mask} & "
        for mask in (1, 2)
    )
    guest.run(f"{others} {ours} wait", timeout=120).check()
    for mask in 1, 2:
        said = parsed(guest.run(f"cat /tmp/ours{mask}").check())
        # The card may stay full for longer than is waited for it.
        assert set(said.statuses) <= {SENT, BUSY} and said.statuses.count(SENT) > 500, said.statistics
        cookies = [done["cookie"] for done in said.completions]
        assert cookies == list(range(1000)), [(i, c, said.completions[i]) for i, c in enumerate(cookies) if c != i][:6]
        assert min(said.slips) >= 0, said.slips
