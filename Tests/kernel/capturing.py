# SPDX-License-Identifier: MIT
"""What the tests of /dev/krx share: the structures of ktrxer_uapi.h, and scripts of system calls that a guest makes."""

import ctypes
import dataclasses
import ipaddress
import struct
from ctypes import c_int32, c_uint8, c_uint16, c_uint32, c_uint64

FORWARD, CAPTURE, DROP, CAPTURE_DROP = range(4)
(MATCH_SOURCE, MATCH_DESTINATION, MATCH_PROTOCOL, MATCH_SOURCE_PORT, MATCH_DESTINATION_PORT, MATCH_ICMP_TYPE, MATCH_ICMP_CODE,
 MATCH_ICMP_ID, MATCH_INTERFACE, MATCH_ERRORS) = (1 << bit for bit in range(10))
RULE_LINK, RULE_NEIGHBOUR, RULE_REACT = 1, 2, 4
(EDIT_SOURCE, EDIT_DESTINATION, EDIT_SOURCE_PORT, EDIT_DESTINATION_PORT, EDIT_TTL, EDIT_DSCP, EDIT_PAYLOAD) = range(1, 8)
BASE_LINK, BASE_NETWORK, BASE_TRANSPORT, BASE_PAYLOAD = range(1, 5)
COPY_BYTES, COPY_ADD, COPY_ADD_SEGMENT = range(3)
REACT_CHECKSUMS, REACT_APPEND_PAYLOAD = 1, 2
STAMP_HOOK, STAMP_KERNEL, STAMP_HARDWARE = range(3)
(RECORD_CUT, RECORD_LINK, RECORD_FRAGMENT, RECORD_ERROR, RECORD_CHECKSUM_OPEN, RECORD_CHECKSUM_GOOD,
 RECORD_DROPPED) = (1 << bit for bit in range(7))
POLLIN, POLLERR, POLLHUP = 1, 8, 16
# A file number of scripts that nobody else uses.
SPARE = 63


class Info(ctypes.Structure):
    _fields_ = [("abi", c_uint32), ("features", c_uint32), ("version", c_uint8 * 16)] + [
        (name, c_uint32)
        for name in ("most_entries", "most_frame_bytes", "most_rules", "most_spin_ns", "rate_ceiling", "burst_ceiling",
                     "timer_lead_ns", "timer_resolution_ns")
    ] + [("memory_bytes", c_uint64), ("memory_ceiling", c_uint64)]  # fmt: skip


class Setup(ctypes.Structure):
    _fields_ = [("slots", c_uint32), ("slot_bytes", c_uint32), ("flags", c_uint32), ("reserved", c_uint32 * 3),
                ("header_offset", c_uint32), ("ring_offset", c_uint32), ("map_bytes", c_uint64)]  # fmt: skip


class Record(ctypes.Structure):
    _fields_ = [("realtime_ns", c_uint64), ("monotonic_ns", c_uint64), ("hardware_ns", c_uint64), ("rule_id", c_uint32),
                ("interface_index", c_uint32), ("original_length", c_uint32), ("captured_length", c_uint32),
                ("capture_offset", c_uint32), ("sequence", c_uint32), ("data_offset", c_uint16), ("network_offset", c_uint16),
                ("protocol", c_uint16), ("source", c_uint8), ("flags", c_uint8), ("reserved", c_uint8 * 8)]  # fmt: skip


class Edit(ctypes.Structure):
    _fields_ = [("field", c_uint8), ("length", c_uint8), ("offset", c_uint16), ("value", c_uint8 * 16)]


class Copy(ctypes.Structure):
    _fields_ = [("base", c_uint8), ("operation", c_uint8), ("from_", c_uint16), ("to", c_uint16), ("length", c_uint16),
                ("addend", c_uint32)]  # fmt: skip


class Reaction(ctypes.Structure):
    _fields_ = [("ktx", c_int32), ("frame_offset", c_uint32), ("frame_length", c_uint32), ("flags", c_uint32),
                ("cookie", c_uint64), ("delay_ns", c_uint64), ("gap_ns", c_uint64), ("repeat", c_uint32), ("limit", c_uint32),
                ("copies", Copy * 12)]  # fmt: skip


class Rule(ctypes.Structure):
    _fields_ = [("id", c_uint32), ("priority", c_int32), ("match", c_uint32), ("flags", c_uint32), ("family", c_uint8),
                ("operation", c_uint8), ("protocol", c_uint8), ("source_prefix", c_uint8), ("destination_prefix", c_uint8),
                ("icmp_type", c_uint8), ("icmp_code", c_uint8), ("reserved", c_uint8), ("source", c_uint8 * 16),
                ("destination", c_uint8 * 16), ("source_port_first", c_uint16), ("source_port_last", c_uint16),
                ("destination_port_first", c_uint16), ("destination_port_last", c_uint16), ("icmp_id", c_uint16),
                ("reserved2", c_uint16), ("interface_index", c_uint32), ("capture_offset", c_uint32),
                ("capture_length", c_uint32), ("edits", Edit * 8), ("reaction", Reaction)]  # fmt: skip


class Counters(ctypes.Structure):
    _fields_ = [("id", c_uint32), ("reserved", c_uint32)] + [
        (name, c_uint64) for name in ("packets", "bytes", "captured", "lost", "reactions", "reactions_lost")
    ]


class RuleList(ctypes.Structure):
    _fields_ = [("after", c_uint32), ("capacity", c_uint32), ("count", c_uint32), ("reserved", c_uint32),
                ("rules", c_uint64), ("counters", c_uint64)]  # fmt: skip


class Statistics(ctypes.Structure):
    _fields_ = [("packets", c_uint64), ("matched", c_uint64), ("captured", c_uint64), ("lost", c_uint64), ("dropped", c_uint64),
                ("rules", c_uint32), ("masks", c_uint32), ("hook_moves", c_uint64), ("reserved", c_uint64 * 4)]  # fmt: skip


class Bind(ctypes.Structure):
    _fields_ = [(name, c_uint32) for name in (
        "interface_index", "submission_entries", "completion_entries", "frame_bytes", "queue", "attempts", "retry_ns", "spin_ns",
        "flags")] + [("reserved", c_uint32 * 3)] + [(name, c_uint32) for name in (
        "link_type", "link_header", "mtu", "longest_frame", "queues", "device_flags", "header_offset", "submission_offset",
        "completion_offset", "frame_offset")] + [("map_bytes", c_uint64)]  # fmt: skip


class SenderStatistics(ctypes.Structure):
    _fields_ = [(name, c_uint64) for name in (
        "submitted", "sent", "failed", "bytes", "retries", "timer_wakes", "spin_ns", "held_back", "reactions", "reactions_lost",
        "completions_lost")] + [(name, c_uint32) for name in (
        "lead_ns", "lateness_ns", "lateness_least_ns", "lateness_most_ns")] + [("reserved", c_uint64 * 4)]  # fmt: skip


class Descriptor(ctypes.Structure):
    _fields_ = [("launch_ns", c_uint64), ("cookie", c_uint64), ("frame_offset", c_uint32), ("frame_length", c_uint32),
                ("flags", c_uint32), ("queue", c_uint16), ("reserved", c_uint16)]  # fmt: skip


def _command(direction, number, size):
    return direction << 30 | size << 16 | 0xB7 << 8 | number


INFO = _command(2, 0x00, ctypes.sizeof(Info))
EVENTFD = _command(0, 0x01, 0)
KTX_BIND = _command(3, 0x10, ctypes.sizeof(Bind))
KTX_SUBMIT = _command(0, 0x11, 0)
KTX_CANCEL = _command(1, 0x12, 8)
KTX_STATISTICS = _command(2, 0x13, ctypes.sizeof(SenderStatistics))
SETUP = _command(3, 0x20, ctypes.sizeof(Setup))
RULE_ADD = _command(1, 0x21, ctypes.sizeof(Rule))
RULE_REPLACE = _command(1, 0x22, ctypes.sizeof(Rule))
RULE_DELETE = _command(0, 0x23, 0)
RULE_LIST = _command(3, 0x24, ctypes.sizeof(RuleList))
RULE_FLUSH = _command(0, 0x25, 0)
STATISTICS = _command(2, 0x26, ctypes.sizeof(Statistics))
THRESHOLD = _command(0, 0x27, 0)


def address_bytes(text):
    packed = ipaddress.ip_address(text).packed
    return (c_uint8 * 16)(*packed)


def rule(number, operation=CAPTURE, family=4, **fields):
    """A rule that compares what is named: source, destination ("10.0.0.0/8"), protocol, source_port, destination_port
    (a number or a pair), icmp_type, icmp_code, icmp_id, interface, errors; other fields go in as they are."""
    made = Rule(id=number, operation=operation, family=family)
    for side in ("source", "destination"):
        if side in fields:
            network = ipaddress.ip_network(fields.pop(side))
            setattr(made, side, address_bytes(network.network_address))
            setattr(made, f"{side}_prefix", network.prefixlen)
            made.match |= MATCH_SOURCE if side == "source" else MATCH_DESTINATION
        if f"{side}_port" in fields:
            ports = fields.pop(f"{side}_port")
            first, last = ports if isinstance(ports, tuple) else (ports, ports)
            setattr(made, f"{side}_port_first", first)
            setattr(made, f"{side}_port_last", last)
            made.match |= MATCH_SOURCE_PORT if side == "source" else MATCH_DESTINATION_PORT
    for name, bit in (("protocol", MATCH_PROTOCOL), ("icmp_type", MATCH_ICMP_TYPE), ("icmp_code", MATCH_ICMP_CODE),
                      ("icmp_id", MATCH_ICMP_ID), ("interface_index", MATCH_INTERFACE)):  # fmt: skip
        if name in fields:
            setattr(made, name, fields.pop(name))
            made.match |= bit
    if fields.pop("errors", False):
        made.match |= MATCH_ERRORS
    for index, (field, value, *offset) in enumerate(fields.pop("edits", ())):
        made.edits[index] = Edit(field, len(value), offset[0] if offset else 0, (c_uint8 * 16)(*value))
    if "reaction" in fields:
        made.flags |= RULE_REACT
    for name, value in fields.items():
        setattr(made, name, made.flags | value if name == "flags" else value)
    return made


def reaction(ktx, frame_offset, frame_length, copies=(), repeat=1, **fields):
    """Copies are (base, from, to, length) or with operation and addend after that."""
    made = Reaction(ktx=ktx, frame_offset=frame_offset, frame_length=frame_length, repeat=repeat, **fields)
    for index, (base, start, to, length, *more) in enumerate(copies):
        made.copies[index] = Copy(base, more[0] if more else COPY_BYTES, start, to, length, more[1] if len(more) > 1 else 0)
    return made


@dataclasses.dataclass
class Answer:
    """What one command came to; empty until its script has run."""

    command: str
    result: int = None
    data: bytes = b""

    def check(self, *results):
        assert self.result in (results or (0,)), f"{self.command[:200]}: {self.result}"
        return self


class Script:
    """System calls to be made one after the other by the program `calls`, which is in the guest's folder."""

    def __init__(self):
        self.answers = []

    def call(self, *words):
        answer = Answer(" ".join(str(word) for word in words))
        self.answers.append(answer)
        return answer

    def ioctl(self, slot, command, argument=0):
        if isinstance(argument, int):
            return self.call("ioctl", slot, command, f"={argument}")
        return self.call("ioctl", slot, command, bytes(argument).hex())

    def send(self, interface, frame):
        return self.call("send", interface, bytes(frame).hex())

    def written(self, guest, name):
        """Puts the script where the guest finds it; returns the shell command that makes the calls."""
        return f"{guest.inside}/calls < " + guest.write(name, "\n".join(answer.command for answer in self.answers) + "\n")

    def run(self, guest, namespace=None, meanwhile="", timeout=120):
        """Makes the calls in a process of their own, whose files are closed when it ends; in parallel to a shell script."""
        calls = self.written(guest, "script")
        if meanwhile:
            calls = f"{calls} & ({meanwhile}) > {guest.inside}/meanwhile 2>&1; wait"
        self.take(guest.run(calls, namespace=namespace, timeout=timeout).check().out)
        return self

    def take(self, said):
        """What the program has said to the calls."""
        lines = said.splitlines()
        assert len(lines) == len(self.answers), said
        for answer, line in zip(self.answers, lines):
            number, *data = line.split()
            answer.result = int(number)
            answer.data = bytes.fromhex(data[0]) if data else b""


@dataclasses.dataclass
class Captured:
    """A record and the bytes after it."""

    record: Record
    data: bytes

    def __getattr__(self, name):
        return getattr(self.record, name)


class Capture:
    """An open /dev/krx in a script."""

    def __init__(self, script, slot=0, slots=64, slot_bytes=2048):
        self.script, self.slot, self.slots, self.slot_bytes = script, slot, slots, slot_bytes
        self.opened = script.call("open", slot, "/dev/krx")
        self.set_up = script.ioctl(slot, SETUP, Setup(slots=slots, slot_bytes=slot_bytes))
        self.mapped = script.call("map", slot, 4096 + slots * slot_bytes)

    def add(self, rule):
        return self.script.ioctl(self.slot, RULE_ADD, rule)

    def replace(self, rule):
        return self.script.ioctl(self.slot, RULE_REPLACE, rule)

    def consume(self, index):
        return self.script.call("poke", self.slot, 0, struct.pack("=I", index).hex())

    def look(self):
        """The header and all slots as they are now; for records() after the run."""
        return self.script.call("peek", self.slot, 0, 4096 + self.slots * self.slot_bytes)

    def sees(self, packets):
        """Goes on when so many more have come into the ring; answers -ETIMEDOUT if they do not come within five seconds."""
        return self.script.call("grows", self.slot, 64, packets, 5000)

    def statistics(self):
        return self.script.ioctl(self.slot, STATISTICS, Statistics())

    def counters(self, capacity=16):
        """The counters of all rules at this point of the script; counters_of() tells them apart after the run."""
        size = capacity * ctypes.sizeof(Counters)
        # Another file's memory, into which no packet comes, is there to be written to.
        spare = Capture(self.script, SPARE, slots=2, slot_bytes=16384)
        self.script.call("poke", SPARE, 4096, bytes(size).hex())
        listed = bytes(RuleList(capacity=capacity)).hex()
        self.script.call("place", self.slot, SPARE, 4096, listed, RULE_LIST, RuleList.counters.offset)
        answer = self.script.call("peek", SPARE, 4096, size)
        self.script.call("close", spare.slot)
        return answer

    def records(self, look):
        consumer, producer = struct.unpack_from("=I", look.data)[0], struct.unpack_from("=I", look.data, 64)[0]
        found = []
        for index in range(consumer, producer):
            start = 4096 + index % self.slots * self.slot_bytes
            record = Record.from_buffer_copy(look.data, start)
            begin = start + record.data_offset
            found.append(Captured(record, look.data[begin : begin + record.captured_length]))
        return found


def counters_of(answer):
    """By rule."""
    size = ctypes.sizeof(Counters)
    found = [Counters.from_buffer_copy(answer.data, at) for at in range(0, len(answer.data), size)]
    return {each.id: each for each in found if each.id}


def interface(guest, name):
    return int(guest.run(f"cat /sys/class/net/{name}/ifindex").check().out)


def bound(script, guest, device, frame, slot=20):
    """Opens /dev/ktx on an interface, with a frame at the start of its frame area."""
    script.call("open", slot, "/dev/ktx")
    bind = script.ioctl(slot, KTX_BIND, Bind(interface_index=interface(guest, device), submission_entries=64,
                                             completion_entries=64, frame_bytes=65536, queue=0xFFFFFFFF))  # fmt: skip
    script.call("map", slot, 73728)
    script.call("fill", slot, Bind.frame_offset.offset, frame.hex())
    return bind
