// SPDX-License-Identifier: MIT
// Probe packets: the headers as asked for, the cookie in all its places, and what a constant flow keeps.
import Testing

@testable import KTRxerLite

@Suite struct FrameProbeTests {
    @Test(arguments: everyFamily, everyProtocol)
    func vectors(_ family: AddressFamily, _ proto: ProbeProtocol) throws {
        for constant in [false, true] {
            let name = "probe_\(proto.name)\(family == .ipv4 ? "4" : "6")\(constant ? "_constant" : "")"
            let expected = try FrameVectors.named(name)
            #expect(try testProbe(testFlow(proto, family, constant: constant), 0x0105) == expected, "\(name)")
        }
    }

    /// Offset of the transport header, and its bytes' checksum verified.
    private func transport(_ packet: [UInt8], _ flow: Flow) throws -> Int {
        let family = flow.destination.family
        let start = family == .ipv4 ? 20 : 40
        try packet.span.bytes.verifyChecksum(
            of: flow.ipProtocol, at: start, length: packet.count - start, source: testSource(family),
            destination: flow.destination)
        return start
    }

    @Test(arguments: everyFamily, everyProtocol)
    func headersAreAsAskedFor(_ family: AddressFamily, _ proto: ProbeProtocol) throws {
        for constant in [true, false] {
            for sequence: UInt32 in [0, 1, 255, 256, 0x1234, 65_535] {
                let flow = testFlow(proto, family, constant: constant)
                let packet = try testProbe(flow, sequence)
                #expect(packet.count == ProbePacket.length(flow: flow))
                if family == .ipv4 {
                    let header = try IPv4Header(parsing: packet.span.bytes)
                    #expect(header.trafficClass == 0xB8 && header.ttl == 7 && header.dontFragment)
                    #expect(header.identification == UInt16(sequence) && header.proto == flow.ipProtocol)
                    #expect(header.source == testSource(family) && header.destination == testTarget(family))
                    #expect(header.payloadLength == packet.count - 20)
                } else {
                    let header = try IPv6Header(parsing: packet.span.bytes)
                    #expect(header.trafficClass == 0xB8 && header.hopLimit == 7 && header.flowLabel == 0)
                    #expect(header.source == testSource(family) && header.destination == testTarget(family))
                    #expect(header.payloadLength == packet.count - 40 && header.nextHeader == flow.ipProtocol)
                }
                try checkTransport(packet, flow, sequence)
            }
        }
    }

    private func checkTransport(_ packet: [UInt8], _ flow: Flow, _ sequence: UInt32) throws {
        let start = try transport(packet, flow)
        var payload = start + 8
        switch flow.proto {
        case .icmp:
            let header = try ICMPHeader(parsing: packet.span.bytes, at: start)
            #expect(header.type == (flow.destination.family == .ipv4 ? 8 : 128) && header.code == 0)
            #expect(header.identifier == 40_000 && header.sequence == UInt16(sequence))
        case .udp:
            let header = try UDPHeader(parsing: packet.span.bytes, at: start)
            #expect(header.sourcePort == 40_000 && header.destinationPort == 33434)
            #expect(header.payloadLength == flow.payloadLength && header.checksum != 0)
        case .tcpSyn:
            let header = try TCPHeader(parsing: packet.span.bytes, at: start)
            #expect(header.sourcePort == (flow.constantFlow ? 40_000 : 40_000 + UInt16(sequence % 256)))
            #expect(
                header.destinationPort == 443 && header.flags == TCPFlag.syn && header.acknowledgement == 0)
            #expect(header.sequence == 0xC0FF_0000 | sequence)
            var options = header.options(at: start)
            let option = try #require(try options.next(in: packet.span.bytes))
            #expect(option.kind == 2 && option.valueLength == 2)
            #expect(try packet.span.bytes.uint16(at: option.valueOffset) == 1460)
            #expect(try options.next(in: packet.span.bytes) == nil)
            payload = start + 24
        }
        #expect(packet.count - payload == flow.payloadLength)
        #expect(try packet.span.bytes.uint32(at: payload) == flow.token)
        #expect(try packet.span.bytes.uint32(at: payload + 4) == sequence)
        for place in (flow.isCompensated ? 10 : 8)..<flow.payloadLength {
            #expect(packet[payload + place] == UInt8(truncatingIfNeeded: place))
        }
    }

    @Test(arguments: everyFamily)
    func icmpChecksumOfAConstantFlowIsConstant(_ family: AddressFamily) throws {
        for token: UInt32 in [0, 1, 0xFFFF_FFFF, 0x1234_1234, 0x1234_EDCB, 0xC0FF_EE42] {
            for payload in [10, 11, 32, 1400] {
                let flow = testFlow(.icmp, family, payload: payload, token: token)
                for sequence: UInt32 in [0, 1, 2, 255, 256, 32_767, 65_534, 65_535] {
                    let packet = try testProbe(flow, sequence)
                    let start = try transport(packet, flow)
                    let checksum = try packet.span.bytes.uint16(at: start + 2)
                    #expect(
                        checksum == flow.constantChecksum(sequence: 0) && checksum != 0 && checksum != 0xFFFF)
                }
            }
        }
    }

    @Test(arguments: everyFamily)
    func udpChecksumOfAConstantFlowIsTheSequence(_ family: AddressFamily) throws {
        let flow = testFlow(.udp, family, payload: 10)
        var before: [UInt8] = []
        for sequence: UInt32 in 0...65_535 {
            let packet = try testProbe(flow, sequence)
            let start = try transport(packet, flow)
            let checksum = try packet.span.bytes.uint16(at: start + 6)
            #expect(checksum == UInt16(min(sequence + 1, 0xFFFF)))
            // What load balancers hash stays: ports and length.
            let hashed = Array(packet[start..<(start + 6)])
            #expect(before.isEmpty || before == hashed)
            before = hashed
        }
    }

    @Test func tcpPortsStayInTheirRange() {
        for port: UInt16 in [1, 1023, 1024, 40_000, 65_279, 65_280, 65_281, 65_535] {
            var flow = testFlow(.tcpSyn, .ipv4, constant: false)
            flow.sourcePort = port
            var seen = Set<UInt16>()
            for sequence: UInt32 in 0..<256 {
                let used = flow.sourcePort(sequence: sequence)
                #expect(used >= 1024 && flow.hasSourcePort(used))
                #expect(flow.sourcePort(sequence: sequence + 256) == used)
                seen.insert(used)
            }
            #expect(seen.count == 256)
            for other: UInt16 in 1...65_535 where !seen.contains(other) {
                #expect(!flow.hasSourcePort(other))
            }
            flow.constantFlow = true
            #expect(flow.sourcePort(sequence: 77) == port && flow.hasSourcePort(port))
        }
    }

    @Test(arguments: everyFamily, everyProtocol)
    func everyPayloadLength(_ family: AddressFamily, _ proto: ProbeProtocol) throws {
        for payload in [0, 1, 7, 8, 9, 10, 11, 100, 1472, 65_000] {
            let plain = testFlow(proto, family, payload: payload, constant: false)
            let packet = try testProbe(plain, 3)
            #expect(packet.count == ProbePacket.length(flow: plain))
            _ = try transport(packet, plain)
            let constant = testFlow(proto, family, payload: payload)
            if proto != .tcpSyn && payload < 10 {
                #expect(throws: FrameError.payloadTooShort) { _ = try testProbe(constant, 3) }
            } else {
                _ = try transport(try testProbe(constant, 3), constant)
            }
        }
    }

    @Test(arguments: everyFamily, everyProtocol)
    func impossibleProbesAreErrors(_ family: AddressFamily, _ proto: ProbeProtocol) {
        let flow = testFlow(proto, family)
        #expect(throws: FrameError.badValue) { _ = try testProbe(flow, 65_536) }
        #expect(throws: FrameError.badValue) { _ = try testProbe(flow, .max) }
        for payload in [-1, Int.min, 65_530, 70_000, Int.max / 2, Int.max] {
            #expect(throws: FrameError.badValue) {
                _ = try testProbe(testFlow(proto, family, payload: payload), 0)
            }
        }
        let other: AddressFamily = family == .ipv4 ? .ipv6 : .ipv4
        #expect(throws: FrameError.mixedFamilies) {
            _ = try build { out throws(FrameError) in
                try ProbePacket.build(
                    flow: flow, source: testSource(other), probe: Probe(sequence: 0, launch: 0, ttl: 1),
                    into: &out,
                    at: 0)
            }
        }
    }

    @Test(arguments: everyFamily, everyProtocol)
    func tooLittleRoomIsAnError(_ family: AddressFamily, _ proto: ProbeProtocol) throws {
        let flow = testFlow(proto, family)
        let length = ProbePacket.length(flow: flow)
        for room in 0..<(length + 14) {
            #expect(throws: FrameError.noRoom) {
                _ = try build(room: room) { out throws(FrameError) in
                    try ProbePacket.build(
                        flow: flow, source: testSource(family), probe: Probe(sequence: 0, launch: 0, ttl: 1),
                        into: &out, at: 14)
                }
            }
        }
        // At an offset, in exactly the room it needs; what was there before does not matter.
        var buffer = [UInt8](repeating: 0xAA, count: length + 14)
        var span = buffer.mutableSpan
        var raw = span.mutableBytes
        let written = try ProbePacket.build(
            flow: flow, source: testSource(family), probe: Probe(sequence: 9, launch: 0, ttl: 7), into: &raw,
            at: 14)
        #expect(written == length)
        let placed = Array(buffer[14...])
        let alone = try testProbe(flow, 9)
        #expect(placed == alone && buffer[13] == 0xAA)
    }
}
