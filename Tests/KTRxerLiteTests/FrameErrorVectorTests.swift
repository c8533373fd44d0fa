// SPDX-License-Identifier: MIT
// ICMP errors with quotes and extensions, against scapy: built byte for byte, parsed
// field for field.
import Testing

@testable import KTRxerLite

@Suite struct FrameErrorVectorTests {
    typealias Values = VectorValues

    /// The packet that the errors quote, whole: IPv4 in 45 bytes with TTL 1, or IPv6 in 65 with hop limit 1.
    private func quote(_ family: AddressFamily, payload: [UInt8] = Values.payload, df: Bool = true) throws
        -> [UInt8]
    {
        try build { out throws(FrameError) in
            let start: Int
            if family == .ipv4 {
                start = try IPv4Header(
                    proto: IPProtocol.udp, source: Values.source4, destination: Values.target4,
                    payloadLength: 8 + payload.count, ttl: 1, identification: 5, dontFragment: df
                ).write(into: &out)
            } else {
                start = try IPv6Header(
                    nextHeader: IPProtocol.udp, source: Values.source6, destination: Values.target6,
                    payloadLength: 8 + payload.count, hopLimit: 1
                ).write(into: &out)
            }
            return try start
                + out.putUDP(
                    (40_000, 33434), payload, at: start, source: testSource(family),
                    destination: testTarget(family))
        }
    }

    private func packet(
        _ error: ICMPErrorMessage, quoting quote: [UInt8], labels: [MPLSLabel] = []
    ) throws -> [UInt8] {
        let source = testRouter(error.family)
        let destination = testSource(error.family)
        let message = try build { out throws(FrameError) in
            try error.write(
                into: &out, at: 0, quoting: quote.span.bytes, labels: labels, source: source,
                destination: destination)
        }
        return try build { out throws(FrameError) in
            let start: Int
            if error.family == .ipv4 {
                start = try IPv4Header(
                    proto: IPProtocol.icmp, source: source, destination: destination,
                    payloadLength: message.count,
                    ttl: 250, identification: 0x55
                ).write(into: &out)
            } else {
                start = try IPv6Header(
                    nextHeader: IPProtocol.icmpv6, source: source, destination: destination,
                    payloadLength: message.count, hopLimit: 250
                ).write(into: &out)
            }
            try out.put(message.span.bytes, at: start)
            return start + message.count
        }
    }

    private func parse(_ packet: [UInt8]) throws -> ICMPErrorMessage {
        let family: AddressFamily = packet[0] >> 4 == 4 ? .ipv4 : .ipv6
        let start = family == .ipv4 ? 20 : 40
        return try ICMPErrorMessage(
            parsing: packet.span.bytes, at: start, length: packet.count - start, family: family)
    }

    private func labels(_ packet: [UInt8], _ error: ICMPErrorMessage) throws -> [MPLSLabel] {
        try ICMPExtensions.labels(
            parsing: packet.span.bytes, at: error.extensionOffset, length: error.extensionLength)
    }

    /// Checks what the quote of the packet in `quote(family)` is read as.
    private func checkQuote(_ packet: [UInt8], _ error: ICMPErrorMessage, transport: Int) throws {
        let quoted = try QuotedPacket(
            parsing: packet.span.bytes, at: error.quoteOffset, length: error.quoteLength, family: error.family
        )
        #expect(quoted.proto == IPProtocol.udp && quoted.ttl == 1 && quoted.fragmentOffset == 0)
        #expect(quoted.source == testSource(error.family) && quoted.destination == testTarget(error.family))
        #expect(quoted.identification == (error.family == .ipv4 ? 5 : 0))
        #expect(quoted.transportOffset == error.quoteOffset + (error.family == .ipv4 ? 20 : 40))
        #expect(quoted.transportLength == transport)
    }

    /// An error without extensions: type, code, rest as built, MTU as read.
    struct Plain {
        var name: String
        var family = AddressFamily.ipv4
        var type: UInt8
        var code: UInt8 = 0
        var rest: UInt32 = 0
        var mtu: UInt32 = 0

        static let all = [
            Plain(name: "time_exceeded4", type: 11), Plain(name: "unreachable4_port", type: 3, code: 3),
            Plain(name: "unreachable4_mtu", type: 3, code: 4, rest: 1280, mtu: 1280),
            Plain(name: "parameter4", type: 12, rest: 0x1400_0000),
            Plain(name: "time_exceeded6", family: .ipv6, type: 3),
            Plain(name: "unreachable6_port", family: .ipv6, type: 1, code: 4),
            Plain(name: "too_big6", family: .ipv6, type: 2, rest: 1280, mtu: 1280),
            Plain(name: "parameter6", family: .ipv6, type: 4, code: 1, rest: 40),
        ]
    }

    @Test(arguments: Plain.all)
    func plain(_ plain: Plain) throws {
        let (family, type, code, rest) = (plain.family, plain.type, plain.code, plain.rest)
        let expected = try FrameVectors.named(plain.name)
        let error = ICMPErrorMessage(family: family, type: type, code: code, rest: rest)
        #expect(try packet(error, quoting: try quote(family)) == expected)
        let parsed = try parse(expected)
        #expect(parsed.type == type && parsed.code == code && parsed.rest == rest && parsed.mtu == plain.mtu)
        #expect(parsed.extensionLength == 0)
        try checkQuote(expected, parsed, transport: 25)
    }

    @Test func eightBytes() throws {
        let expected = try FrameVectors.named("time_exceeded4_short")
        let error = ICMPErrorMessage(family: .ipv4, type: 11, code: 0)
        #expect(try packet(error, quoting: Array(try quote(.ipv4).prefix(28))) == expected)
        try checkQuote(expected, try parse(expected), transport: 8)
    }

    static let labelled = [
        Plain(name: "time_exceeded4_mpls", type: 11), Plain(name: "unreachable4_mpls", type: 3, code: 1),
        Plain(name: "time_exceeded6_mpls", family: .ipv6, type: 3),
    ]

    @Test(arguments: labelled)
    func mpls(_ labelled: Plain) throws {
        let expected = try FrameVectors.named(labelled.name)
        let (family, type, code) = (labelled.family, labelled.type, labelled.code)
        let error = ICMPErrorMessage(family: family, type: type, code: code)
        #expect(try packet(error, quoting: try quote(family), labels: Values.labels) == expected)
        let parsed = try parse(expected)
        #expect(parsed.quoteLength == 128 && parsed.extensionLength == 16)
        #expect(try labels(expected, parsed) == Values.labels)
        try checkQuote(expected, parsed, transport: 25)
    }

    @Test func mplsBehindALongQuote() throws {
        let expected = try FrameVectors.named("time_exceeded4_mpls_long")
        let long = try quote(.ipv4, payload: Array(0..<200), df: false)
        let error = ICMPErrorMessage(family: .ipv4, type: 11, code: 0)
        #expect(try packet(error, quoting: long, labels: Values.labels) == expected)
        let parsed = try parse(expected)
        #expect(parsed.quoteLength == 228)
        #expect(try labels(expected, parsed) == Values.labels)
        try checkQuote(expected, parsed, transport: 208)
    }

    @Test(arguments: ["time_exceeded4_mpls_legacy", "time_exceeded6_mpls_legacy"])
    func mplsUnannounced(_ name: String) throws {
        let expected = try FrameVectors.named(name)
        let parsed = try parse(expected)
        #expect(parsed.quoteLength == 128)
        #expect(try labels(expected, parsed) == Values.labels)
        try checkQuote(expected, parsed, transport: 25)
        // What is there is taken for extensions only with a right checksum, and one that was sent.
        var wrong = expected
        wrong[wrong.count - 1] ^= 1
        #expect(try parse(wrong).extensionLength == 0)
        let start = expected.count - 16
        wrong = expected
        wrong[start + 2] = 0
        wrong[start + 3] = 0
        #expect(try parse(wrong).extensionLength == 0)
    }

    @Test func otherObjectsArePassedOver() throws {
        let packet = try FrameVectors.named("time_exceeded4_objects")
        let parsed = try parse(packet)
        #expect(parsed.extensionLength == 24)
        #expect(try labels(packet, parsed) == Values.labels)
        var objects = try ICMPExtensions(
            parsing: packet.span.bytes, at: parsed.extensionOffset, length: parsed.extensionLength)
        let first = try #require(try objects.next(in: packet.span.bytes))
        #expect(first.classNumber == 2 && first.payloadLength == 4)
        let second = try #require(try objects.next(in: packet.span.bytes))
        #expect(second.classNumber == 1 && second.type == 1 && second.payloadLength == 8)
        #expect(try objects.next(in: packet.span.bytes) == nil)
    }

    @Test func extensionsMalformed() throws {
        let whole = try FrameVectors.named("time_exceeded4_mpls")
        let good = Array(whole.suffix(16))
        func labels(_ seal: Bool = true, _ change: (inout [UInt8]) -> Void) -> FrameError? {
            var bytes = good
            change(&bytes)
            if seal {
                bytes[2] = 0
                bytes[3] = 0
                let sum = ~slowSum(bytes)
                bytes[2] = UInt8(sum >> 8)
                bytes[3] = UInt8(sum & 0xFF)
            }
            do throws(FrameError) {
                _ = try ICMPExtensions.labels(parsing: bytes.span.bytes, at: 0, length: bytes.count)
            } catch { return error }
            return nil
        }
        #expect(labels { _ in } == nil)
        #expect(labels { $0[0] = 0x10 } == .badVersion)
        #expect(labels(false) { $0[9] ^= 1 } == .badChecksum)
        #expect(labels { $0[5] = 3 } == .badLength)
        #expect(labels { $0[5] = 13 } == .badLength)
        #expect(labels { $0[5] = 11 } == .badLength)
        #expect(labels { $0[5] = 9 } == .badLength)
        #expect(labels(false) { $0.removeLast(13) } == .truncated)
        #expect(labels { $0 += [0, 4] } == .truncated)
        // A checksum of 0 was not sent.
        #expect(
            labels(false) { bytes in
                bytes[2] = 0
                bytes[3] = 0
            } == nil)
        // A stack without end is cut.
        let many = [UInt8](repeating: 0, count: 400)
        var tall: [UInt8] = [0x20, 0, 0, 0, 1, 0x94, 1, 1] + many
        let found = try ICMPExtensions.labels(parsing: tall.span.bytes, at: 0, length: tall.count)
        #expect(found.count == ICMPExtensions.maximumLabels)
        tall.removeLast(400)
        #expect(throws: FrameError.badLength) {
            _ = try ICMPExtensions.labels(parsing: tall.span.bytes, at: 0, length: tall.count)
        }
    }

    @Test func whatIsNoErrorIsRefused() throws {
        for name in ["echo_request4", "echo_reply6", "neighbour_probe"] {
            let packet = try FrameVectors.named(name)
            #expect(throws: FrameError.unknownType) { _ = try parse(packet) }
        }
        let redirect = ICMPErrorMessage(family: .ipv6, type: 2, code: 0)
        #expect(throws: FrameError.unknownType) {
            _ = try packet(redirect, quoting: try quote(.ipv6), labels: Values.labels)
        }
    }

    @Test func lengthsThatCannotBeLeaveTheQuoteWhole() throws {
        for units: UInt8 in [1, 5, 31, 37, 255] {
            var packet = try FrameVectors.named("time_exceeded4_mpls")
            packet[25] = units
            let parsed = try parse(packet)
            #expect(parsed.quoteLength == 144 && parsed.extensionLength == 0)
            try checkQuote(packet, parsed, transport: 25)
        }
    }
}
