#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes frames.txt: packets made by scapy, with which the Swift builders and parsers are compared.

Run it again (pip install scapy; python3 generate.py) only when a packet is added or changed here; the
same values stand in FrameVectorTests.swift and FrameProbeVectorTests.swift.
"""
import pathlib
import struct

from scapy.all import ARP, Dot1AD, Dot1Q, Ether, ICMP, IP, IPOption_NOP, IPOption_RR, IPOption_Router_Alert, Raw, TCP, UDP
from scapy.contrib.mpls import ICMPExtension_MPLS, MPLS
from scapy.layers.inet import ICMPExtension_Header, ICMPExtension_InterfaceInformation
from scapy.layers.inet6 import (
    HBHOptUnknown, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded,
    IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting,
    IPv6ExtHdrSegmentRouting, RouterAlert)

A4, B4, R4 = "192.0.2.1", "198.51.100.7", "203.0.113.1"
A6, B6, R6 = "2001:db8:0:1::a", "2001:db8:0:ff::7", "2001:db8:0:f::1"
M1, M2 = "02:00:5e:00:00:01", "02:00:5e:00:00:02"
PAYLOAD = bytes(range(0x20, 0x31))  # 17 bytes: odd

four = IP(src=A4, dst=B4, id=0x1234, ttl=61, tos=0xB8)
six = IPv6(src=A6, dst=B6, hlim=61, tc=0xB8, fl=0xABCDE)
vectors = {}


def add(name, packet):
    assert name not in vectors, name
    vectors[name] = bytes(packet)


# Link layer.
eth = Ether(dst=M2, src=M1)
add("ethernet", eth / four.copy() / UDP(sport=1, dport=2) / PAYLOAD)
add("vlan", eth / Dot1Q(vlan=100, prio=5) / six.copy() / UDP(sport=1, dport=2) / PAYLOAD)
add("vlan_stacked", eth / Dot1AD(vlan=4094, prio=7, dei=1) / Dot1Q(vlan=1) / four.copy() / UDP(sport=1, dport=2))
add("arp_request", Ether(dst="ff:ff:ff:ff:ff:ff", src=M1)
    / ARP(op=1, hwsrc=M1, psrc=A4, hwdst="00:00:00:00:00:00", pdst="192.0.2.254"))
add("arp_reply", Ether(dst=M1, src=M2) / ARP(op=2, hwsrc=M2, psrc="192.0.2.254", hwdst=M1, pdst=A4))

# IPv4.
add("ipv4", four / UDP(sport=40000, dport=33434) / PAYLOAD)
add("ipv4_options", IP(src=A4, dst=B4, id=7, ttl=1, flags="DF", options=[
    IPOption_Router_Alert(), IPOption_NOP(), IPOption_RR(length=11, pointer=4, routers=["0.0.0.0", "0.0.0.0"])])
    / ICMP(type=8, id=0x9C40, seq=5) / PAYLOAD)
add("ipv4_fragment_first", IP(src=A4, dst=B4, id=0xBEEF, ttl=64, flags="MF") / UDP(
    sport=40000, dport=33434, len=1400, chksum=0x1111) / PAYLOAD[:16])
add("ipv4_fragment_last", IP(src=A4, dst=B4, id=0xBEEF, ttl=64, frag=0x1FFF, proto=17) / Raw(PAYLOAD))

# IPv6 and its extension headers.
hop = IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)])
dest = IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x1E, optdata=b"\x01\x02\x03\x04\x05\x06\x07")])
route0 = IPv6ExtHdrRouting(addresses=["2001:db8::1", "2001:db8::2"], segleft=1)
segment = IPv6ExtHdrSegmentRouting(addresses=["2001:db8::1", "2001:db8::2"], segleft=0, lastentry=1)
udp = UDP(sport=40000, dport=33434)
add("ipv6", six / udp / PAYLOAD)
add("ipv6_hop_by_hop", six / hop / udp / PAYLOAD)
add("ipv6_destination", six / dest / udp / PAYLOAD)
add("ipv6_routing", six / route0 / udp / PAYLOAD)
add("ipv6_segment_routing", six / segment / udp / PAYLOAD)
add("ipv6_fragment_first", six / IPv6ExtHdrFragment(offset=0, m=1, id=0xCAFEBABE) / UDP(
    sport=40000, dport=33434, len=1400, chksum=0x1111) / PAYLOAD[:16])
add("ipv6_fragment_last", six / IPv6ExtHdrFragment(offset=0x1FFF, m=0, id=0xCAFEBABE, nh=17) / Raw(PAYLOAD))
add("ipv6_all_extensions", six / hop / dest / segment / IPv6ExtHdrFragment(offset=0, m=0, id=1) / dest / udp / PAYLOAD)

# UDP whose sum comes out as 0, which is sent as 0xFFFF; a payload of none; no checksum.
plain = bytes(IP(src=A4, dst=B4) / UDP(sport=40000, dport=33434) / b"\0\0")[26:28]
add("udp_zero_sum", IP(src=A4, dst=B4, id=1) / UDP(sport=40000, dport=33434) / plain)
add("udp_empty", IP(src=A4, dst=B4, id=1) / UDP(sport=40000, dport=33434))
add("udp_no_checksum", IP(src=A4, dst=B4, id=1) / UDP(sport=40000, dport=33434, chksum=0) / PAYLOAD)

# TCP.
add("tcp_syn", four / TCP(sport=40000, dport=443, seq=0xC0FF0005, flags="S", window=64240, options=[
    ("MSS", 1460), ("SAckOK", b""), ("Timestamp", (0x01020304, 0)), ("NOP", None), ("WScale", 7)]))
add("tcp_syn_ack", six / TCP(sport=443, dport=40000, seq=77, ack=0xC0FF0006, flags="SA", window=65535, options=[
    ("MSS", 1440)]))
add("tcp_reset", IP(src=B4, dst=A4, id=0) / TCP(
    sport=443, dport=40000, seq=0, ack=0xC0FF0006, flags="RA", window=0))
add("tcp_push", four / TCP(sport=40000, dport=443, seq=1, ack=2, flags="FPAUEC", window=1, urgptr=9) / PAYLOAD)

# Echo.
add("echo_request4", four / ICMP(type=8, id=0x9C40, seq=5) / PAYLOAD)
add("echo_reply4", IP(src=B4, dst=A4, id=9) / ICMP(type=0, id=0x9C40, seq=5) / PAYLOAD)
add("echo_request6", six / ICMPv6EchoRequest(id=0x9C40, seq=5, data=PAYLOAD))
add("echo_reply6", IPv6(src=B6, dst=A6, hlim=55) / ICMPv6EchoReply(id=0x9C40, seq=5, data=PAYLOAD))

# Errors.
quote4 = bytes(IP(src=A4, dst=B4, id=5, ttl=1, flags="DF") / UDP(sport=40000, dport=33434) / PAYLOAD)
quote6 = bytes(IPv6(src=A6, dst=B6, hlim=1) / UDP(sport=40000, dport=33434) / PAYLOAD)
long4 = bytes(IP(src=A4, dst=B4, id=5, ttl=1) / UDP(sport=40000, dport=33434) / bytes(range(200)))
back4 = IP(src=R4, dst=A4, id=0x55, ttl=250)
back6 = IPv6(src=R6, dst=A6, hlim=250)
labels = [MPLS(label=24001, cos=5, s=0, ttl=1), MPLS(label=0xFFFFF, cos=0, s=1, ttl=255)]
mpls = bytes(ICMPExtension_Header() / ICMPExtension_MPLS(stack=labels))
# Made apart: one on top of the other, scapy counts the second into the length of the first.
both = bytes(ICMPExtension_Header() / Raw(bytes(ICMPExtension_InterfaceInformation(has_ifindex=1, ifindex=3))
             + bytes(ICMPExtension_MPLS(stack=labels))))


def icmp(quote, extension=b"", **fields):
    return ICMP(**fields) / Raw(quote + extension)


def pad(quote, size):
    return quote.ljust(size, b"\0")


add("time_exceeded4_short", back4 / icmp(quote4[:28], type=11, code=0))
add("time_exceeded4", back4 / icmp(quote4, type=11, code=0))
add("unreachable4_port", back4 / icmp(quote4, type=3, code=3))
add("unreachable4_mtu", back4 / icmp(quote4, type=3, code=4, nexthopmtu=1280))
add("parameter4", back4 / icmp(quote4, type=12, code=0, ptr=20))
add("time_exceeded4_mpls", back4 / icmp(pad(quote4, 128), mpls, type=11, code=0, length=32))
add("time_exceeded4_mpls_long", back4 / icmp(pad(long4, 228), mpls, type=11, code=0, length=57))
add("time_exceeded4_mpls_legacy", back4 / icmp(pad(quote4, 128), mpls, type=11, code=0))
add("time_exceeded4_objects", back4 / icmp(pad(quote4, 128), both, type=11, code=0, length=32))
add("unreachable4_mpls", back4 / icmp(pad(quote4, 128), mpls, type=3, code=1, length=32))
add("time_exceeded6", back6 / ICMPv6TimeExceeded(code=0) / Raw(quote6))
add("unreachable6_port", back6 / ICMPv6DestUnreach(code=4) / Raw(quote6))
add("too_big6", back6 / ICMPv6PacketTooBig(mtu=1280) / Raw(quote6))
add("parameter6", back6 / ICMPv6ParamProblem(code=1, ptr=40) / Raw(quote6))
add("time_exceeded6_mpls", back6 / ICMPv6TimeExceeded(code=0, length=16) / Raw(pad(quote6, 128) + mpls))
add("time_exceeded6_mpls_legacy", back6 / ICMPv6TimeExceeded(code=0) / Raw(pad(quote6, 128) + mpls))

# Neighbour discovery.
solicited = "ff02::1:ff00:7"
add("neighbour_solicitation", Ether(dst="33:33:ff:00:00:07", src=M1) / IPv6(src=A6, dst=solicited, hlim=255)
    / ICMPv6ND_NS(tgt=B6) / ICMPv6NDOptSrcLLAddr(lladdr=M1))
add("neighbour_probe", IPv6(src="::", dst=solicited, hlim=255) / ICMPv6ND_NS(tgt=B6))
add("neighbour_advertisement", IPv6(src=B6, dst=A6, hlim=255)
    / ICMPv6ND_NA(tgt=B6, R=1, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=M2))
add("neighbour_advertisement_plain", IPv6(src=B6, dst=A6, hlim=255) / ICMPv6ND_NA(tgt=B6, R=0, S=0, O=1))

# Whole probes. Token 0xC0FFEE42, sequence 0x0105, TTL 7, traffic class 0xB8, DF, 32 bytes of payload.
TOKEN, SEQUENCE = 0xC0FFEE42, 0x0105
cookie = struct.pack("!II", TOKEN, SEQUENCE)
probe4 = IP(src=A4, dst=B4, id=SEQUENCE, ttl=7, tos=0xB8, flags="DF")
probe6 = IPv6(src=A6, dst=B6, hlim=7, tc=0xB8, fl=0)


def compensated(make, place, wanted):
    """Tries every word behind the cookie until the checksum at `place` from the end of the IP header is `wanted`."""
    def body(word):
        return cookie + struct.pack("!H", word) + bytes(range(10, 32))

    def checksum(word):
        packet = bytes(make(body(word)))
        start = 20 if packet[0] >> 4 == 4 else 40
        return struct.unpack_from("!H", packet, start + place)[0]

    # The checksum goes down by one as the word goes up by one, in one's complement: start near, then walk.
    guess = (checksum(0) - wanted) % 0xFFFF
    for word in [guess, *range(max(guess - 2, 0), min(guess + 3, 0x10000))]:
        if checksum(word) == wanted:
            return make(body(word))
    raise AssertionError("no word gives the checksum")


payload = cookie + bytes(range(8, 32))
for name, ip, echo in (
        ("4", probe4, lambda data: ICMP(type=8, id=40000, seq=SEQUENCE) / Raw(data)),
        ("6", probe6, lambda data: ICMPv6EchoRequest(id=40000, seq=SEQUENCE, data=data))):
    def datagram(data):
        return UDP(sport=40000, dport=33434) / Raw(data)

    def syn(port):
        return TCP(sport=port, dport=443, seq=0xC0FF0000 | SEQUENCE, flags="S", window=65535,
                   options=[("MSS", 1460)]) / Raw(payload)

    add(f"probe_icmp{name}", ip / echo(payload))
    add(f"probe_udp{name}", ip / datagram(payload))
    add(f"probe_tcp{name}", ip / syn(40000 + SEQUENCE % 256))
    add(f"probe_icmp{name}_constant", compensated(lambda data: ip / echo(data), 2, (TOKEN >> 16) ^ (TOKEN & 0xFFFF)))
    add(f"probe_udp{name}_constant", compensated(lambda data: ip / datagram(data), 6, SEQUENCE + 1))
    add(f"probe_tcp{name}_constant", ip / syn(40000))

lines = ["# Made by generate.py with scapy: name, then the packet in hexadecimal."]
lines += [f"{name} {data.hex()}" for name, data in vectors.items()]
pathlib.Path(__file__).with_name("frames.txt").write_text("\n".join(lines) + "\n")
