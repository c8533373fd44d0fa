// SPDX-License-Identifier: MIT
// IPv6 extension headers and neighbour discovery against scapy: built byte for byte, parsed field for field.
import Testing

@testable import KTRxerLite

/// Appends something at an offset and returns its length.
typealias Piece = (inout MutableRawSpan, Int) throws(FrameError) -> Int

@Suite struct FrameExtensionVectorTests {
    typealias Values = VectorValues

    static let hopByHop: [UInt8] = [5, 2, 0, 0]
    static let destination: [UInt8] = [0x1E, 7, 1, 2, 3, 4, 5, 6, 7]

    private func addresses(reserved: [UInt8]) -> [UInt8] {
        reserved + [0x20, 1, 0xD, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]
            + [0x20, 1, 0xD, 0xB8] + [UInt8](repeating: 0, count: 11) + [2]
    }

    private func options(_ next: UInt8, _ options: [UInt8]) -> Piece {
        { out, offset throws(FrameError) in
            try IPv6OptionsHeader(nextHeader: next).write(into: &out, at: offset, options: options.span.bytes)
        }
    }

    private func routing(_ next: UInt8, type: UInt8, left: UInt8, _ data: [UInt8]) -> Piece {
        { out, offset throws(FrameError) in
            try IPv6RoutingHeader(nextHeader: next, type: type, segmentsLeft: left).write(
                into: &out, at: offset, data: data.span.bytes)
        }
    }

    private func fragment(_ next: UInt8, _ place: Int, more: Bool, _ identification: UInt32) -> Piece {
        { out, offset throws(FrameError) in
            try IPv6FragmentHeader(
                nextHeader: next, fragmentOffset: place, moreFragments: more, identification: identification
            ).write(into: &out, at: offset)
        }
    }

    private func plain(_ bytes: [UInt8]) -> Piece {
        { out, offset throws(FrameError) in
            try out.put(bytes.span.bytes, at: offset)
            return bytes.count
        }
    }

    private func udp(to destination: IPAddress = Values.target6) -> Piece {
        { out, offset throws(FrameError) in
            try out.putUDP(
                (40_000, 33434), Values.payload, at: offset, source: Values.source6, destination: destination)
        }
    }

    /// Compares with the vector what the pieces make behind an IPv6 header.
    private func check(_ name: String, first: UInt8, _ pieces: [Piece]) throws {
        let expected = try FrameVectors.named(name)
        let built = try build { out throws(FrameError) in
            var end = try Values.six(first, payload: expected.count - 40).write(into: &out)
            for piece in pieces { end += try piece(&out, end) }
            return end
        }
        #expect(built == expected, "\(name)")
        let header = try IPv6Header(parsing: expected.span.bytes)
        #expect(header == Values.six(first, payload: expected.count - 40))
    }

    private func chain(_ name: String) throws -> IPv6ExtensionChain {
        let packet = try FrameVectors.named(name)
        return try IPv6ExtensionChain(parsing: packet.span.bytes, at: 40, nextHeader: packet[6])
    }

    @Test func hopByHopOptions() throws {
        try check("ipv6_hop_by_hop", first: IPProtocol.hopByHop, [options(17, Self.hopByHop), udp()])
        let packet = try FrameVectors.named("ipv6_hop_by_hop")
        let header = try IPv6OptionsHeader(parsing: packet.span.bytes, at: 40)
        #expect(header.nextHeader == 17 && header.length == 8)
        var cursor = header.options(at: 40)
        let alert = HeaderOption(kind: 5, valueOffset: 44, valueLength: 2)
        #expect(try cursor.next(in: packet.span.bytes) == alert)
        #expect(try cursor.next(in: packet.span.bytes) == nil)
        let chain = try chain("ipv6_hop_by_hop")
        #expect(chain.proto == 17 && chain.transportOffset == 48 && chain.headerCount == 1)
    }

    @Test func destinationOptions() throws {
        try check(
            "ipv6_destination", first: IPProtocol.destinationOptions, [options(17, Self.destination), udp()])
        let packet = try FrameVectors.named("ipv6_destination")
        let header = try IPv6OptionsHeader(parsing: packet.span.bytes, at: 40)
        #expect(header.nextHeader == 17 && header.length == 16)
        var cursor = header.options(at: 40)
        let option = HeaderOption(kind: 0x1E, valueOffset: 44, valueLength: 7)
        #expect(try cursor.next(in: packet.span.bytes) == option)
        #expect(try cursor.next(in: packet.span.bytes) == nil)
    }

    @Test func optionPadding() throws {
        // Every remainder: none, Pad1 and PadN (RFC 8200, 4.2).
        for count in 0..<17 {
            let value = [UInt8](repeating: 0x77, count: max(count - 2, 0))
            let option = count < 2 ? [] : [0x1E, UInt8(count - 2)] + value
            let built = try build { out throws(FrameError) in
                try IPv6OptionsHeader(nextHeader: 59).write(into: &out, at: 0, options: option.span.bytes)
            }
            #expect(built.count % 8 == 0 && built.count - option.count - 2 < 8)
            let header = try IPv6OptionsHeader(parsing: built.span.bytes, at: 0)
            #expect(header.length == built.count)
            var cursor = header.options(at: 0)
            let first = try cursor.next(in: built.span.bytes)
            #expect(first?.valueLength == (count < 2 ? nil : count - 2))
            if first != nil { #expect(try cursor.next(in: built.span.bytes) == nil) }
        }
    }

    @Test func routingHeaders() throws {
        // The checksum is over the last destination (RFC 8200, 8.1).
        let last = IPAddress(v6High: 0x2001_0DB8_0000_0000, low: 2)
        let data = addresses(reserved: [0, 0, 0, 0])
        try check(
            "ipv6_routing", first: IPProtocol.routing, [routing(17, type: 0, left: 1, data), udp(to: last)])
        let packet = try FrameVectors.named("ipv6_routing")
        let header = try IPv6RoutingHeader(parsing: packet.span.bytes, at: 40)
        #expect(
            header.nextHeader == 17 && header.type == 0 && header.segmentsLeft == 1 && header.length == 40)
        #expect(try packet.span.bytes.address(at: 64, family: .ipv6) == last)
        let segments = addresses(reserved: [1, 0, 0, 0])
        try check(
            "ipv6_segment_routing", first: IPProtocol.routing,
            [routing(17, type: 4, left: 0, segments), udp()])
        #expect(throws: FrameError.badValue) {
            _ = try build { out throws(FrameError) in
                try routing(17, type: 0, left: 1, [0, 0, 0, 0, 1])(&out, 0)
            }
        }
    }

    @Test func fragments() throws {
        let first = try FrameVectors.named("ipv6_fragment_first")
        let rest = Array(first[48...])
        try check(
            "ipv6_fragment_first", first: IPProtocol.fragment,
            [fragment(17, 0, more: true, 0xCAFE_BABE), plain(rest)])
        let chain = try chain("ipv6_fragment_first")
        #expect(
            chain.proto == 17 && chain.transportOffset == 48 && chain.moreFragments
                && chain.fragmentOffset == 0)
        let last = try FrameVectors.named("ipv6_fragment_last")
        let header = IPv6FragmentHeader(
            nextHeader: 17, fragmentOffset: 65_528, moreFragments: false, identification: 0xCAFE_BABE)
        #expect(try IPv6FragmentHeader(parsing: last.span.bytes, at: 40) == header)
        let built = try build { out throws(FrameError) in try header.write(into: &out, at: 0) }
        #expect(built == Array(last[40..<48]))
        let end = try IPv6ExtensionChain(parsing: last.span.bytes, at: 40, nextHeader: 44)
        #expect(end.fragmentOffset == 65_528 && !end.moreFragments && end.transportOffset == 48)
    }

    @Test func allExtensions() throws {
        try check(
            "ipv6_all_extensions", first: IPProtocol.hopByHop,
            [
                options(60, Self.hopByHop), options(43, Self.destination),
                routing(44, type: 4, left: 0, addresses(reserved: [1, 0, 0, 0])),
                fragment(60, 0, more: false, 1),
                options(17, Self.destination), udp(),
            ])
        let chain = try chain("ipv6_all_extensions")
        #expect(
            chain.proto == 17 && chain.headerCount == 5 && chain.transportOffset == 40 + 8 + 16 + 40 + 8 + 16)
        let packet = try FrameVectors.named("ipv6_all_extensions")
        let datagram = try UDPHeader(parsing: packet.span.bytes, at: chain.transportOffset)
        #expect(datagram.destinationPort == 33434 && datagram.payloadLength == 17)
    }

    @Test func chainLimits() throws {
        let eight = [UInt8](repeating: 0, count: 8 * 7) + [17, 0, 0, 0, 0, 0, 0, 0]
        #expect(try IPv6ExtensionChain(parsing: eight.span.bytes, at: 0, nextHeader: 0).headerCount == 8)
        let nine = [UInt8](repeating: 0, count: 8 * 9)
        #expect(throws: FrameError.tooManyHeaders) {
            _ = try IPv6ExtensionChain(parsing: nine.span.bytes, at: 0, nextHeader: 0)
        }
        let short: [UInt8] = [0, 1, 0, 0, 0, 0, 0, 0]
        #expect(throws: FrameError.truncated) {
            _ = try IPv6ExtensionChain(parsing: short.span.bytes, at: 0, nextHeader: 60)
        }
        // An authentication header counts its length in 4 bytes (RFC 4302, 2.2).
        let authentication: [UInt8] = [58, 1] + [UInt8](repeating: 0, count: 10)
        let chain = try IPv6ExtensionChain(parsing: authentication.span.bytes, at: 0, nextHeader: 51)
        #expect(chain.proto == 58 && chain.transportOffset == 12)
        #expect(try IPv6ExtensionChain(parsing: nine.span.bytes, at: 0, nextHeader: 59).transportOffset == 0)
    }

    // MARK: Neighbour discovery

    @Test func neighbours() throws {
        let solicitation = NeighbourMessage(.solicitation, target: Values.target6, linkLayer: Values.mac1)
        let group = Values.target6.solicitedNode
        #expect(group.multicastMAC == MACAddress(0x3333_FF00_0007))
        let frame = try build { out throws(FrameError) in
            let end = try EthernetHeader(
                destination: group.multicastMAC ?? .broadcast, source: Values.mac1, etherType: EtherType.ipv6
            ).write(into: &out)
            let header = IPv6Header(
                nextHeader: IPProtocol.icmpv6, source: Values.source6, destination: group,
                payloadLength: solicitation.length, hopLimit: 255)
            let start = try end + header.write(into: &out, at: end)
            return try start
                + solicitation.write(into: &out, at: start, source: Values.source6, destination: group)
        }
        let expected = try FrameVectors.named("neighbour_solicitation")
        #expect(frame == expected)
        #expect(try NeighbourMessage(parsing: frame.span.bytes, at: 54, length: 32) == solicitation)
        var advertisement = NeighbourMessage(.advertisement, target: Values.target6, linkLayer: Values.mac2)
        advertisement.fromRouter = true
        advertisement.solicited = true
        advertisement.overrides = true
        try checkNeighbour("neighbour_advertisement", advertisement, Values.target6, Values.source6)
        advertisement = NeighbourMessage(.advertisement, target: Values.target6, linkLayer: nil)
        advertisement.overrides = true
        try checkNeighbour("neighbour_advertisement_plain", advertisement, Values.target6, Values.source6)
        let probe = NeighbourMessage(.solicitation, target: Values.target6, linkLayer: nil)
        try checkNeighbour("neighbour_probe", probe, IPAddress(v6High: 0, low: 0), group)
    }

    private func checkNeighbour(
        _ name: String, _ message: NeighbourMessage, _ source: IPAddress, _ destination: IPAddress
    ) throws {
        let packet = try FrameVectors.named(name)
        let built = try build { out throws(FrameError) in
            let start = try IPv6Header(
                nextHeader: IPProtocol.icmpv6, source: source, destination: destination,
                payloadLength: message.length, hopLimit: 255
            ).write(into: &out)
            return try start + message.write(into: &out, at: start, source: source, destination: destination)
        }
        #expect(built == packet, "\(name)")
        #expect(
            try NeighbourMessage(parsing: packet.span.bytes, at: 40, length: packet.count - 40) == message)
    }

    @Test func neighboursMalformed() throws {
        let good = Array(try FrameVectors.named("neighbour_solicitation")[54...])
        func parse(_ change: (inout [UInt8]) -> Void) -> FrameError? {
            var bytes = good
            change(&bytes)
            do throws(FrameError) {
                _ = try NeighbourMessage(parsing: bytes.span.bytes, at: 0, length: bytes.count)
            } catch { return error }
            return nil
        }
        #expect(parse { _ in } == nil)
        #expect(parse { $0[0] = 134 } == .unknownType)
        #expect(parse { $0[1] = 1 } == .unknownType)
        #expect(parse { $0[8] = 0xFF } == .badValue)
        #expect(parse { $0[25] = 0 } == .badOption)
        #expect(parse { $0[25] = 2 } == .badOption)
        #expect(parse { $0.removeLast() } == .badOption)
        #expect(parse { $0.removeLast(7) } == .badOption)
        #expect(parse { $0.removeLast(9) } == .truncated)
    }

    @Test func multicastAddresses() throws {
        let all = try #require(IPAddress(text: ByteText("224.128.2.3".utf8)))
        #expect(all.multicastMAC == MACAddress(0x0100_5E00_0203))
        #expect(Values.source4.multicastMAC == nil && Values.source6.multicastMAC == nil)
    }
}
