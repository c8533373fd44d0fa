# SPDX-License-Identifier: MIT
"""Packets for tests of capturing, made byte by byte."""

import ipaddress
import struct

ICMP, TCP, UDP, DCCP, ICMPV6, SCTP, UDPLITE = 1, 6, 17, 33, 58, 132, 136


def packed(address):
    return ipaddress.ip_address(address).packed


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pseudo(source, destination, protocol, length):
    return packed(source) + packed(destination) + struct.pack("!II", length, protocol)


def udp(source, destination, source_port, destination_port, payload=b"", good=True):
    length = 8 + len(payload)
    header = struct.pack("!HHHH", source_port, destination_port, length, 0)
    value = checksum(_pseudo(source, destination, UDP, length) + header + payload) or 0xFFFF
    return header[:6] + struct.pack("!H", value if good else 0) + payload


def tcp(source, destination, source_port, destination_port, sequence=0, acknowledged=0, flags=2, payload=b"", options=b""):
    header = struct.pack("!HHIIBBHHH", source_port, destination_port, sequence, acknowledged, (20 + len(options)) << 2, flags,
                         8192, 0, 0) + options  # fmt: skip
    value = checksum(_pseudo(source, destination, TCP, len(header) + len(payload)) + header + payload)
    return header[:16] + struct.pack("!H", value) + header[18:] + payload


def icmp(kind, code, rest=b"\0\0\0\0", payload=b""):
    value = checksum(struct.pack("!BBH", kind, code, 0) + rest + payload)
    return struct.pack("!BBH", kind, code, value) + rest + payload


def icmp6(source, destination, kind, code, rest=b"\0\0\0\0", payload=b""):
    body = struct.pack("!BBH", kind, code, 0) + rest + payload
    return body[:2] + struct.pack("!H", checksum(_pseudo(source, destination, ICMPV6, len(body)) + body)) + body[4:]


def ip4(source, destination, protocol, payload, ttl=64, identification=0, fragment=0, options=b"", tos=0):
    header = struct.pack("!BBHHHBBH", 0x40 | (20 + len(options)) // 4, tos, 20 + len(options) + len(payload), identification,
                         fragment, ttl, protocol, 0) + packed(source) + packed(destination) + options  # fmt: skip
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ip6(source, destination, next_header, payload, hops=64, label=0):
    return struct.pack("!IHBB", 6 << 28 | label, len(payload), next_header, hops) + packed(source) + packed(destination) + payload


def extension(next_header, length=8):
    """A hop-by-hop, routing or destination header of so many bytes, padded with PadN."""
    body = bytes([next_header, length // 8 - 1, 1, length - 4])
    return body + b"\0" * (length - 4)


def ethernet(to, sender, packet, kind=None):
    kind = kind or (0x0800 if packet[0] >> 4 == 4 else 0x86DD)
    return bytes.fromhex(to.replace(":", "")) + bytes.fromhex(sender.replace(":", "")) + struct.pack("!H", kind) + packet
