// SPDX-License-Identifier: MIT
// Link, network and transport headers against scapy: built byte for byte, parsed field for field.
import Testing

@testable import KTRxerLite

@Suite struct FrameVectorTests {
    typealias Values = VectorValues

    // MARK: Link layer

    @Test func ethernet() throws {
        let expected = try FrameVectors.named("ethernet")
        let header = EthernetHeader(destination: Values.mac2, source: Values.mac1, etherType: EtherType.ipv4)
        let built = try build { out throws(FrameError) in
            var end = try header.write(into: &out)
            end += try Values.four(IPProtocol.udp, payload: 25).write(into: &out, at: end)
            return try end
                + out.putUDP(
                    (1, 2), Values.payload, at: end, source: Values.source4, destination: Values.target4)
        }
        #expect(built == expected)
        let parsed = try EthernetHeader(parsing: expected.span.bytes)
        #expect(parsed.destination == Values.mac2 && parsed.source == Values.mac1)
        #expect(parsed.etherType == EtherType.ipv4 && parsed.tagCount == 0 && parsed.length == 14)
        #expect(parsed.tag(0) == nil && parsed.tag(-1) == nil)
    }

    @Test func vlan() throws {
        let expected = try FrameVectors.named("vlan")
        let built = try build { out throws(FrameError) in
            var header = EthernetHeader(
                destination: Values.mac2, source: Values.mac1, etherType: EtherType.ipv6)
            try header.add(VLANTag(identifier: 100, priority: 5))
            var end = try header.write(into: &out)
            end += try Values.six(IPProtocol.udp, payload: 25).write(into: &out, at: end)
            return try end
                + out.putUDP(
                    (1, 2), Values.payload, at: end, source: Values.source6, destination: Values.target6)
        }
        #expect(built == expected)
        let parsed = try EthernetHeader(parsing: expected.span.bytes)
        #expect(parsed.etherType == EtherType.ipv6 && parsed.tagCount == 1 && parsed.length == 18)
        #expect(parsed.tag(0) == VLANTag(identifier: 100, priority: 5))
    }

    @Test func stackedVLAN() throws {
        let expected = try FrameVectors.named("vlan_stacked")
        let outer = VLANTag(identifier: 4094, priority: 7, dropEligible: true, type: EtherType.serviceVLAN)
        let built = try build { out throws(FrameError) in
            var header = EthernetHeader(
                destination: Values.mac2, source: Values.mac1, etherType: EtherType.ipv4)
            try header.add(outer)
            try header.add(VLANTag(identifier: 1))
            var end = try header.write(into: &out)
            end += try Values.four(IPProtocol.udp, payload: 8).write(into: &out, at: end)
            return try end
                + out.putUDP((1, 2), [], at: end, source: Values.source4, destination: Values.target4)
        }
        #expect(built == expected)
        let parsed = try EthernetHeader(parsing: expected.span.bytes)
        #expect(parsed.etherType == EtherType.ipv4 && parsed.tagCount == 2 && parsed.length == 22)
        #expect(parsed.tag(0) == outer && parsed.tag(1) == VLANTag(identifier: 1) && parsed.tag(2) == nil)
    }

    @Test func vlanLimits() throws {
        var header = EthernetHeader(destination: Values.mac2, source: Values.mac1, etherType: EtherType.ipv4)
        #expect(throws: FrameError.badValue) { try header.add(VLANTag(identifier: 0x1000)) }
        #expect(throws: FrameError.badValue) { try header.add(VLANTag(identifier: 1, priority: 8)) }
        for _ in 0..<4 { try header.add(VLANTag(identifier: 7)) }
        #expect(throws: FrameError.tooManyHeaders) { try header.add(VLANTag(identifier: 7)) }
        let five =
            [UInt8](repeating: 0, count: 12) + [UInt8](repeating: 0x81, count: 0)
            + (0..<5).flatMap { _ -> [UInt8] in [0x81, 0x00, 0, 7] } + [8, 0]
        #expect(throws: FrameError.tooManyHeaders) { _ = try EthernetHeader(parsing: five.span.bytes) }
    }

    @Test(arguments: [false, true])
    func arp(_ isReply: Bool) throws {
        let expected = try FrameVectors.named(isReply ? "arp_reply" : "arp_request")
        let gateway = IPAddress(v4: 0xC000_02FE)
        let packet =
            isReply
            ? ARPPacket(
                .reply, senderMAC: Values.mac2, sender: gateway, targetMAC: Values.mac1,
                target: Values.source4)
            : ARPPacket(.request, senderMAC: Values.mac1, sender: Values.source4, target: gateway)
        let built = try build { out throws(FrameError) in
            let header = EthernetHeader(
                destination: isReply ? Values.mac1 : .broadcast, source: isReply ? Values.mac2 : Values.mac1,
                etherType: EtherType.arp)
            let end = try header.write(into: &out)
            return try end + packet.write(into: &out, at: end)
        }
        #expect(built == expected)
        #expect(try ARPPacket(parsing: expected.span.bytes, at: 14) == packet)
        for (place, value) in [(14, UInt8(1)), (16, 9), (18, 8), (19, 16), (21, 0), (21, 3)] {
            var other = expected
            other[place] = value
            #expect(throws: FrameError.unknownType) { _ = try ARPPacket(parsing: other.span.bytes, at: 14) }
        }
    }

    // MARK: IPv4

    @Test func ipv4() throws {
        let expected = try FrameVectors.named("ipv4")
        let header = Values.four(IPProtocol.udp, payload: 25)
        let built = try build { out throws(FrameError) in
            let end = try header.write(into: &out)
            return try end
                + out.putUDP(
                    (40_000, 33434), Values.payload, at: end, source: Values.source4,
                    destination: Values.target4)
        }
        #expect(built == expected)
        #expect(try IPv4Header(parsing: expected.span.bytes) == header)
        let udp = try UDPHeader(parsing: expected.span.bytes, at: 20)
        #expect(udp.sourcePort == 40_000 && udp.destinationPort == 33434 && udp.payloadLength == 17)
        #expect(udp.checksum == UInt16(expected[26]) << 8 | UInt16(expected[27]))
    }

    @Test func ipv4Options() throws {
        let expected = try FrameVectors.named("ipv4_options")
        let options: [UInt8] = [0x94, 4, 0, 0, 1, 7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0]
        let built = try build { out throws(FrameError) in
            let end = try IPv4Header(
                proto: IPProtocol.icmp, source: Values.source4, destination: Values.target4,
                payloadLength: 25, ttl: 1,
                identification: 7, dontFragment: true
            ).write(into: &out, options: options.span.bytes)
            return try end + putEcho(&out, at: end, isReply: false, .ipv4)
        }
        #expect(built == expected)
        let parsed = try IPv4Header(parsing: expected.span.bytes)
        #expect(parsed.headerLength == 36 && parsed.dontFragment && !parsed.moreFragments && parsed.ttl == 1)
        var cursor = parsed.options()
        let alert = HeaderOption(kind: 0x94, valueOffset: 22, valueLength: 2)
        let record = HeaderOption(kind: 7, valueOffset: 27, valueLength: 9)
        #expect(try cursor.next(in: expected.span.bytes) == alert)
        #expect(try cursor.next(in: expected.span.bytes) == record)
        #expect(try cursor.next(in: expected.span.bytes) == nil)
        // Options that are no whole words are padded, and more than 40 bytes do not fit.
        let padded = try build { out throws(FrameError) in
            try Values.four(1, payload: 0).write(into: &out, options: options.span.bytes.extracting(0..<5))
        }
        #expect(padded.count == 28 && Array(padded[20...]) == [0x94, 4, 0, 0, 1, 0, 0, 0])
        let many = [UInt8](repeating: 1, count: 41)
        #expect(throws: FrameError.badValue) {
            _ = try build { out throws(FrameError) in
                try Values.four(1, payload: 0).write(into: &out, options: many.span.bytes)
            }
        }
    }

    @Test func ipv4Fragments() throws {
        let first = try FrameVectors.named("ipv4_fragment_first")
        var header = IPv4Header(
            proto: IPProtocol.udp, source: Values.source4, destination: Values.target4, payloadLength: 24,
            identification: 0xBEEF, moreFragments: true)
        #expect(try IPv4Header(parsing: first.span.bytes) == header)
        #expect(try build { out throws(FrameError) in try header.write(into: &out) } == Array(first[..<20]))
        // The datagram is longer than this fragment of it.
        #expect(throws: FrameError.badLength) { _ = try UDPHeader(parsing: first.span.bytes, at: 20) }
        #expect(try UDPHeader(parsing: first.span.bytes, at: 20, extent: .captured).payloadLength == 1392)
        let last = try FrameVectors.named("ipv4_fragment_last")
        header.moreFragments = false
        header.fragmentOffset = 65_528
        header.payloadLength = 17
        #expect(try IPv4Header(parsing: last.span.bytes) == header)
        #expect(try build { out throws(FrameError) in try header.write(into: &out) } == Array(last[..<20]))
    }

    @Test func ipv4Malformed() throws {
        let good = try FrameVectors.named("ipv4")
        func parse(_ change: (inout [UInt8]) -> Void) -> FrameError? {
            var bytes = good
            change(&bytes)
            do throws(FrameError) { _ = try IPv4Header(parsing: bytes.span.bytes) } catch { return error }
            return nil
        }
        #expect(parse { _ in } == nil)
        #expect(parse { $0[0] = 0x65 } == .badVersion)
        #expect(parse { $0[0] = 0x44 } == .badHeaderLength)
        #expect(parse { $0[0] = 0x4F } == .badHeaderLength)
        #expect(parse { $0[3] = 19 } == .badLength)
        #expect(parse { $0[3] = 46 } == .badLength)
        #expect(parse { $0[8] ^= 1 } == .badChecksum)
        #expect(parse { $0.removeLast() } == .badLength)
        #expect(parse { $0.removeLast(26) } == .truncated)
    }

    // MARK: IPv6

    @Test func ipv6() throws {
        let expected = try FrameVectors.named("ipv6")
        let header = Values.six(IPProtocol.udp, payload: 25)
        let built = try build { out throws(FrameError) in
            let end = try header.write(into: &out)
            return try end
                + out.putUDP(
                    (40_000, 33434), Values.payload, at: end, source: Values.source6,
                    destination: Values.target6)
        }
        #expect(built == expected)
        #expect(try IPv6Header(parsing: expected.span.bytes) == header)
        var bad = expected
        bad[0] = 0x40
        #expect(throws: FrameError.badVersion) { _ = try IPv6Header(parsing: bad.span.bytes) }
        bad = Array(expected.dropLast())
        #expect(throws: FrameError.badLength) { _ = try IPv6Header(parsing: bad.span.bytes) }
        let tooWide = IPv6Header(
            nextHeader: 0, source: Values.source6, destination: Values.target6, payloadLength: 0,
            flowLabel: 0x100000)
        #expect(throws: FrameError.badValue) {
            _ = try build { out throws(FrameError) in try tooWide.write(into: &out) }
        }
    }

    // MARK: UDP and TCP

    @Test func udpChecksums() throws {
        for name in ["udp_zero_sum", "udp_empty"] {
            let expected = try FrameVectors.named(name)
            let built = try build { out throws(FrameError) in
                let end = try IPv4Header(
                    proto: IPProtocol.udp, source: Values.source4, destination: Values.target4,
                    payloadLength: expected.count - 20, identification: 1
                ).write(into: &out)
                return try end
                    + out.putUDP(
                        (40_000, 33434), Array(expected[28...]), at: end, source: Values.source4,
                        destination: Values.target4)
            }
            #expect(built == expected)
            #expect(try verify(expected, 20) == nil)
        }
        let zeroSum = try FrameVectors.named("udp_zero_sum")
        #expect(try UDPHeader(parsing: zeroSum.span.bytes, at: 20).checksum == 0xFFFF)
        #expect(try verify(try FrameVectors.named("udp_no_checksum"), 20) == nil)
        // Over IPv6 a checksum of 0 is wrong (RFC 8200, 8.1).
        var none = try FrameVectors.named("ipv6")
        none[46] = 0
        none[47] = 0
        #expect(try verify(none, 40) == .badChecksum)
    }

    /// What checking the UDP datagram at `start` of a packet says.
    private func verify(_ packet: [UInt8], _ start: Int) throws -> FrameError? {
        let isFour = packet[0] >> 4 == 4
        do throws(FrameError) {
            try packet.span.bytes.verifyChecksum(
                of: IPProtocol.udp, at: start, length: packet.count - start,
                source: isFour ? Values.source4 : Values.source6,
                destination: isFour ? Values.target4 : Values.target6)
        } catch {
            return error
        }
        return nil
    }

    @Test func tcp() throws {
        let options: [UInt8] =
            [2, 4, 5, 0xB4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7]
        let syn = TCPHeader(sourcePort: 40_000, destinationPort: 443, sequence: 0xC0FF_0005, window: 64_240)
        try checkTCP("tcp_syn", syn, options: options)
        let expected = try FrameVectors.named("tcp_syn")
        var cursor = try TCPHeader(parsing: expected.span.bytes, at: 20).options(at: 20)
        var kinds: [UInt8] = []
        while let option = try cursor.next(in: expected.span.bytes) { kinds.append(option.kind) }
        #expect(kinds == [2, 4, 8, 3])
        let answer = TCPHeader(
            sourcePort: 443, destinationPort: 40_000, sequence: 77, acknowledgement: 0xC0FF_0006,
            flags: TCPFlag.syn | TCPFlag.ack, window: 65_535)
        try checkTCP("tcp_syn_ack", answer, options: [2, 4, 5, 0xA0])
        let reset = TCPHeader(
            sourcePort: 443, destinationPort: 40_000, sequence: 0, acknowledgement: 0xC0FF_0006,
            flags: TCPFlag.rst | TCPFlag.ack, window: 0)
        try checkTCP("tcp_reset", reset)
        let flags =
            TCPFlag.fin | TCPFlag.psh | TCPFlag.ack | TCPFlag.urg | TCPFlag.ece | TCPFlag.cwr
        let push = TCPHeader(
            sourcePort: 40_000, destinationPort: 443, sequence: 1, acknowledgement: 2, flags: flags,
            window: 1,
            urgentPointer: 9)
        try checkTCP("tcp_push", push, payload: Values.payload)
    }

    /// Builds the segment as it stands in the vector after its IP header, and parses that.
    private func checkTCP(
        _ name: String, _ header: TCPHeader, options: [UInt8] = [], payload: [UInt8] = []
    ) throws {
        let packet = try FrameVectors.named(name)
        let (start, source, destination) = try addresses(packet)
        let built = try build { out throws(FrameError) in
            let end = try header.write(into: &out, at: 0, options: options.span.bytes)
            try out.put(payload.span.bytes, at: end)
            try out.sealChecksum(
                of: IPProtocol.tcp, at: 0, length: end + payload.count, source: source,
                destination: destination)
            return end + payload.count
        }
        #expect(built == Array(packet[start...]), "\(name)")
        let parsed = try TCPHeader(parsing: packet.span.bytes, at: start)
        #expect(parsed.sourcePort == header.sourcePort && parsed.destinationPort == header.destinationPort)
        #expect(parsed.sequence == header.sequence && parsed.acknowledgement == header.acknowledgement)
        #expect(parsed.flags == header.flags && parsed.window == header.window)
        #expect(parsed.urgentPointer == header.urgentPointer && parsed.headerLength == 20 + options.count)
        var short = packet
        short[start + 12] = 0x40
        #expect(throws: FrameError.badHeaderLength) {
            _ = try TCPHeader(parsing: short.span.bytes, at: start)
        }
        short[start + 12] = 0xF0
        #expect(throws: FrameError.badHeaderLength) {
            _ = try TCPHeader(parsing: short.span.bytes, at: start)
        }
    }

    private func addresses(_ packet: [UInt8]) throws -> (Int, IPAddress, IPAddress) {
        if packet[0] >> 4 == 4 {
            let header = try IPv4Header(parsing: packet.span.bytes)
            return (header.headerLength, header.source, header.destination)
        }
        let header = try IPv6Header(parsing: packet.span.bytes)
        return (IPv6Header.length, header.source, header.destination)
    }

    // MARK: Echo

    @Test(arguments: everyFamily, [false, true])
    func echo(_ family: AddressFamily, _ isReply: Bool) throws {
        let names =
            family == .ipv4 ? ("echo_request4", "echo_reply4") : ("echo_request6", "echo_reply6")
        let expected = try FrameVectors.named(isReply ? names.1 : names.0)
        let (start, source, destination) = try addresses(expected)
        let built = try build { out throws(FrameError) in
            try putEcho(&out, at: 0, isReply: isReply, family, source: source, destination: destination)
        }
        #expect(built == Array(expected[start...]))
        let parsed = try ICMPHeader(parsing: expected.span.bytes, at: start)
        let type: UInt8 = family == .ipv4 ? (isReply ? 0 : 8) : (isReply ? 129 : 128)
        #expect(
            parsed.type == type && parsed.code == 0 && parsed.identifier == 0x9C40 && parsed.sequence == 5)
        #expect(parsed.checksum == UInt16(expected[start + 2]) << 8 | UInt16(expected[start + 3]))
    }

    private func putEcho(
        _ out: inout MutableRawSpan, at offset: Int, isReply: Bool, _ family: AddressFamily,
        source: IPAddress = Values.source4, destination: IPAddress = Values.target4
    ) throws(FrameError) -> Int {
        let header = try ICMPHeader(echo: isReply, family: family, identifier: 0x9C40, sequence: 5)
            .write(into: &out, at: offset)
        let payload = Values.payload
        try out.put(payload.span.bytes, at: offset + header)
        try out.sealChecksum(
            of: family == .ipv4 ? IPProtocol.icmp : IPProtocol.icmpv6, at: offset,
            length: header + Values.payload.count, source: source, destination: destination)
        return header + Values.payload.count
    }
}
