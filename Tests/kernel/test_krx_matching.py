# SPDX-License-Identifier: MIT
"""Random rules against random packets, judged by a matcher that is slow and plain."""

import ipaddress
import random
import struct

import pytest

import packets
from capturing import Capture, Script, rule
from sending import compiled

NEAR, FAR = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
# Few values of each, so that rules and packets meet.
ADDRESSES = {4: ["10.9.0.1", "10.9.0.2", "10.9.1.2", "192.0.2.1", "192.0.2.129", "203.0.113.200"],
             6: ["fd09::1", "fd09::2", "fd09:0:0:1::2", "2001:db8::1", "2001:db8::8001", "2001:db8:8000::1"]}  # fmt: skip
PORTS = [1, 80, 1024, 5000, 33434, 65535]
ANSWER = {8: 0, 0: 8, 128: 129, 129: 128}


@pytest.fixture(scope="module")
def guest(debug, tmp_path_factory):
    debug.put(compiled("calls", tmp_path_factory.mktemp("programs")))
    debug.run(
        f"/bin/ip link add near0 address {NEAR} type veth peer name tap0 address {FAR}; /bin/ip link set near0 up;"
        "/bin/ip link set tap0 up; sleep 3"
    ).check()
    yield debug
    debug.run("/bin/ip link del near0").check()


def some_packet(dice, family, number):
    """A packet that carries its number, and what rules can compare of it: a dictionary, or None where it is not there."""
    source, destination = dice.choice(ADDRESSES[family]), dice.choice(ADDRESSES[family])
    protocol = dice.choice([6, 17, 17, 132, 50, 1 if family == 4 else 58, 1 if family == 4 else 58])
    seen = {"family": family, "source": source, "destination": destination, "protocol": protocol, "ports": None, "icmp": None,
            "errors": False}  # fmt: skip
    if protocol in (6, 17, 132):
        seen["ports"] = dice.choice(PORTS), dice.choice(PORTS)
        body = struct.pack("!HH", *seen["ports"]) + bytes(16)
    elif protocol in (1, 58):
        kind = dice.choice([8, 0, 11] if family == 4 else [128, 129, 3])
        identifier = dice.choice([0, 7, 4660])
        seen["icmp"] = kind, dice.choice([0, 1]), identifier if kind in ANSWER else None
        body = struct.pack("!BBHHH", kind, seen["icmp"][1], 0, identifier if kind in ANSWER else 0, 1)
        if kind not in ANSWER:
            quoted_packet, quoted = some_packet(dice, family, 0)
            body += quoted_packet
            if quoted["errors"] is False:
                turned = dict(quoted, source=quoted["destination"], destination=quoted["source"], errors=True)
                if quoted["ports"]:
                    turned["ports"] = quoted["ports"][::-1]
                if quoted["icmp"]:
                    turned["icmp"] = ANSWER.get(quoted["icmp"][0], quoted["icmp"][0]), *quoted["icmp"][1:]
                turned.pop("quoted", None)
                seen["quoted"] = turned
    else:
        body = bytes(8)
    chain = []
    fragment = 0
    if dice.random() < 0.2:
        fragment = dice.choice([0x2000, 0x2010, 0x0010])
        if fragment & 0x1FFF:
            seen["ports"] = seen["icmp"] = None
            seen.pop("quoted", None)
    if family == 4:
        options = b"\x01" * 4 * dice.choice([0, 0, 0, 1, 10])
        return packets.ip4(source, destination, protocol, body, identification=number, fragment=fragment, options=options), seen
    if fragment:
        chain.append((44, lambda after: struct.pack("!BBHI", after, 0, (fragment & 0x1FFF) << 3 | bool(fragment & 0x2000), 1)))
    for _ in range(dice.choice([0, 0, 1, 2]) if not fragment & 0x1FFF else 0):
        length = 8 * dice.choice([1, 2, 5])
        chain.append((60, lambda after, length=length: packets.extension(after, length)))
    after = protocol
    for own, header in reversed(chain):
        body = header(after) + body
        after = own
    return packets.ip6(source, destination, after, body, label=number), seen


def some_shape(dice):
    """What a rule compares, and how exactly. Of so many shapes there are no more than four kinds of wildcard each."""
    family = dice.choice([4, 6])
    wide = 32 if family == 4 else 128
    shape = {"family": family, "errors": dice.random() < 0.3}
    for side in ("source", "destination"):
        if dice.random() < 0.7:
            shape[side] = dice.choice([0, 8, wide // 2, wide - 8, wide, wide, wide])
    kind = dice.random()
    if kind < 0.5:
        shape["protocol"] = [6, 17, 132] if dice.random() < 0.8 else None
        for side in ("source", "destination"):
            if dice.random() < 0.6:
                shape[f"{side}_port"] = dice.choice(["range", "exact"])
    elif kind < 0.8:
        shape["protocol"] = [1 if family == 4 else 58]
        shape["icmp_type"], shape["icmp_code"], shape["icmp_id"] = dice.random() < 0.7, dice.random() < 0.4, dice.random() < 0.5
    elif kind < 0.9:
        shape["protocol"] = [50, 6, 1, 58]
    return shape


def some_rule(dice, number, shapes):
    shape = dice.choice(shapes)
    family = shape["family"]
    fields = {"priority": dice.choice([0, 0, 0, 1, -1, 2**31 - 1, -(2**31)]), "capture_length": 48}
    for side in ("source", "destination"):
        if side in shape:
            fields[side] = str(ipaddress.ip_network(f"{dice.choice(ADDRESSES[family])}/{shape[side]}", strict=False))
        if f"{side}_port" in shape:
            ports = sorted(dice.choices(PORTS, k=2))
            fields[f"{side}_port"] = tuple(ports) if shape[f"{side}_port"] == "range" else ports[0]
    if shape.get("protocol"):
        fields["protocol"] = dice.choice(shape["protocol"])
    if shape.get("icmp_type"):
        fields["icmp_type"] = dice.choice([8, 0] if family == 4 else [128, 129])
    if shape.get("icmp_code"):
        fields["icmp_code"] = dice.choice([0, 1])
    if shape.get("icmp_id"):
        fields["icmp_id"] = dice.choice([0, 7, 4660])
    if shape["errors"]:
        fields["errors"] = True
    return family, fields, rule(number, family=family, **fields)


def within(value, ports):
    first, last = ports if isinstance(ports, tuple) else (ports, ports)
    return first <= value <= last


def matches(family, fields, seen):
    if seen is None or family != seen["family"] or fields.get("errors", False) != seen["errors"]:
        return False
    for side in ("source", "destination"):
        if side in fields and ipaddress.ip_address(seen[side]) not in ipaddress.ip_network(fields[side]):
            return False
    if "protocol" in fields and fields["protocol"] != seen["protocol"]:
        return False
    for index, name in enumerate(("source_port", "destination_port")):
        if name in fields and (seen["ports"] is None or not within(seen["ports"][index], fields[name])):
            return False
    for index, name in enumerate(("icmp_type", "icmp_code", "icmp_id")):
        if name in fields and (seen["icmp"] is None or seen["icmp"][index] != fields[name]):
            return False
    return True


def applied(rules, seen):
    """The id of the rule that a packet falls under, or None."""
    found = [
        (-fields["priority"], number) for number, (family, fields) in rules.items()
        if matches(family, fields, seen) or matches(family, fields, seen.get("quoted"))
    ]  # fmt: skip
    return min(found)[1] if found else None


@pytest.mark.parametrize("seed", range(4))
def test_random_rules_and_packets(guest, seed):
    """Every packet falls under the rule under which it should; while rules come, change and go."""
    dice = random.Random(seed)
    script = Script()
    capture = Capture(script, slots=4096, slot_bytes=128)
    rules, expected, answers = {}, {}, []
    shapes = [some_shape(dice) for _ in range(16)]
    number = 0
    for _ in range(60):
        for _ in range(dice.choice([0, 1, 4, 30])):
            family, fields, made = some_rule(dice, number + 1, shapes)
            number += 1
            answers.append((capture.add(made), number, family, fields))
            rules[number] = family, fields
        if rules and dice.random() < 0.4:
            gone = dice.choice(list(rules))
            del rules[gone]
            script.ioctl(0, 0xB723, gone)
        if rules and dice.random() < 0.4:
            changed = dice.choice(list(rules))
            family, fields, made = some_rule(dice, changed, shapes)
            rules[changed] = family, fields
            answers.append((capture.replace(made), changed, family, fields))
        for _ in range(10):
            index = len(expected)
            packet, seen = some_packet(dice, dice.choice([4, 6]), index)
            script.send("tap0", packets.ethernet(NEAR, FAR, packet))
            expected[index] = applied(rules, seen)
        script.call("sleep", 3)
    look = capture.look()
    script.run(guest)
    assert all(answer.result == 0 for answer, *_ in answers), {answer.result for answer, *_ in answers}
    sources = {ipaddress.ip_address(address).packed for address in ADDRESSES[6]}
    found = {}
    for each in capture.records(look):
        if each.protocol == 0x0800:
            index = struct.unpack_from("!H", each.data, 4)[0]
        else:
            # The system's own: solicitations of routers and reports of groups, at times of its choosing.
            if each.data[8:24] not in sources:
                continue
            index = struct.unpack_from("!I", each.data)[0] & 0xFFFFF
        assert index not in found
        found[index] = each.rule_id
    wanted = {index: number for index, number in expected.items() if number}
    assert len(wanted) > 100
    assert found == wanted
