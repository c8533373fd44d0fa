# SPDX-License-Identifier: MIT
"""What capturing costs packets that no rule is for, in instructions a packet: how much longer a flood of them takes than
without the module, in a guest whose clock counts instructions. figures.py prints it; test_figures.py holds the bound.
"""

import dataclasses

import kbed
import packets
import sending
from capturing import CAPTURE, FORWARD, RULE_ADD, Capture, Rule, Script, rule
from kbed import built_module
from qemu import exact_run

COUNT = 30_000
SHIFT = 3
MANY = 10_000
NEAR, FAR = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
HERE, THERE, HERE6, THERE6 = "10.9.0.1", "203.0.113.5", "fd09::1", "fd77::1"
PAYLOAD = bytes(60)
# Packets as rules could be for them: only a port or an identifier differs; and where in their transport header are two bytes
# that make each a flow of its own, since the filter takes some flows for what they are not, and others never.
FOREIGN = {
    "IPv4 UDP": (packets.ip4(THERE, HERE, 17, packets.udp(THERE, HERE, 9, 8, PAYLOAD)), 20),
    "IPv4 TCP": (packets.ip4(THERE, HERE, 6, packets.tcp(THERE, HERE, 9, 7, payload=PAYLOAD)), 20),
    "IPv4 ICMP": (packets.ip4(THERE, HERE, 1, packets.icmp(0, 0, b"\0\7\0\1", PAYLOAD)), 24),
    "IPv6 UDP": (packets.ip6(THERE6, HERE6, 17, packets.udp(THERE6, HERE6, 9, 8, PAYLOAD)), 40),
    "IPv6 TCP": (packets.ip6(THERE6, HERE6, 6, packets.tcp(THERE6, HERE6, 9, 7, payload=PAYLOAD)), 40),
    "IPv6 ICMPv6": (packets.ip6(THERE6, HERE6, 58, packets.icmp6(THERE6, HERE6, 129, 0, b"\0\7\0\1", PAYLOAD)), 44),
}
# Of each family so many exact rules, all of whose fields are compared, that do so.
RULES = {"1 rule, forward": (FORWARD, 1), "1 rule, capture": (CAPTURE, 1), f"{MANY} rules, capture": (CAPTURE, MANY)}


@dataclasses.dataclass
class Cost:
    """Of one kernel."""

    kernel: str
    without: dict  # packet -> instructions that it takes from its sending to its end, without the module
    more: dict  # rules -> {packet: instructions more}

    @property
    def worst(self):
        """The most that any packet pays under any rules."""
        return max(max(row.values()) for row in self.more.values())


def _exact(number, operation, family):
    there, here = (f"{THERE}/32", f"{HERE}/32") if family == 4 else (f"{THERE6}/128", f"{HERE6}/128")
    return rule(number, operation, family, source=there, destination=here, protocol=17, source_port=1000, destination_port=7)


def _floods(script):
    return {
        name: script.call("flood", "tap0", COUNT, packets.ethernet(NEAR, FAR, packet).hex(), 14 + other)
        for name, (packet, other) in FOREIGN.items()
    }


def _script(operation, count):
    """Opens a file with the rules, floods."""
    script = Script()
    capture = Capture(script)
    for start, family in (1, 4), (1 + MANY, 6):
        added = script.call("series", capture.slot, RULE_ADD, count, Rule.id.offset, Rule.source_port_first.offset,
                            bytes(_exact(start, operation, family)).hex())  # fmt: skip
        added.expected = count
    # The static keys of stamping are switched a little later than asked for.
    script.call("sleep", 200)
    return script, _floods(script)


def measure(root, kernel, folder):
    """Runs everything once in one guest."""
    without = Script()
    # Once for the neighbour and route caches, and whatever else has to be warm.
    _floods(without)
    plain = _floods(without)
    runs = {name: _script(*what) for name, what in RULES.items()}
    texts = ["\n".join(answer.command for answer in script.answers) + "\n" for script in (without, *(script for script, _ in runs.values()))]
    files = [("/ktrxer.ko", built_module(kbed.KMOD, kernel.name)), ("/calls", sending.compiled("calls", folder))]
    files += [(f"/script{number}", text.encode()) for number, text in enumerate(texts)]
    begin = (
        f"/bin/ip link add near0 address {NEAR} type veth peer name tap0 address {FAR}; /bin/ip link set near0 up;"
        "/bin/ip link set tap0 up; sleep 3; chmod +x /calls"
    )
    scripts = [begin, "/calls < /script0", "insmod /ktrxer.ko; sleep 1", *(f"/calls < /script{1 + n}; sleep 1" for n in range(len(runs)))]
    run = exact_run(root, kernel, scripts, modules=("veth",), files=files, shift=SHIFT, timeout=300)
    said = [result.check().out for result in run.results]
    without.take(said[1])
    cost = Cost(kernel.release, _per_packet(plain), {})
    for (name, (script, floods)), out in zip(runs.items(), said[3:]):
        script.take(out)
        for answer in script.answers:
            if answer not in floods.values():
                answer.check(getattr(answer, "expected", 0))
        cost.more[name] = {packet: value - cost.without[packet] for packet, value in _per_packet(floods).items()}
    return cost


def _per_packet(floods):
    return {name: round(answer.result / COUNT / 2**SHIFT) for name, answer in floods.items()}


def table(cost):
    """For a person."""
    yield f"Linux {cost.kernel}: instructions of a packet that matches nothing, in all without the module, and more with it"
    yield f"{'':26}" + "".join(f"{name:>13}" for name in FOREIGN)
    yield f"{'without':26}" + "".join(f"{cost.without[name]:13}" for name in FOREIGN)
    for rules, row in cost.more.items():
        yield f"{rules:26}" + "".join(f"{'+' + str(row[name]):>13}" for name in FOREIGN)
