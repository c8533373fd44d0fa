// SPDX-License-Identifier: MIT
// ICMP and ICMPv6 error messages: what they say, and the packet that they quote. The extensions
// behind the quote (RFC 4884) are read by ICMPExtensions.swift.

/// An ICMP (RFC 792) or ICMPv6 (RFC 4443) error, by where its parts lie in the bytes it was read from.
public struct ICMPErrorMessage: Equatable, Sendable {
    public var family: AddressFamily
    public var type: UInt8
    public var code: UInt8
    /// The 32 bits after the checksum: MTU, pointer, and length of the quote (RFC 4884).
    public var rest: UInt32
    /// The quoted packet, from its IP header on, with padding where extensions follow.
    public private(set) var quoteOffset = 0
    public private(set) var quoteLength = 0
    /// The extension structure; its length is 0 when there is none.
    public private(set) var extensionOffset = 0
    public private(set) var extensionLength = 0

    /// An error to be built. `rest` leaves the RFC 4884 length bits 0; `write` fills them.
    public init(family: AddressFamily, type: UInt8, code: UInt8, rest: UInt32 = 0) {
        self.family = family
        self.type = type
        self.code = code
        self.rest = rest
    }

    /// Reads the ICMP message of `length` bytes at `offset`; `unknownType` unless it is an error.
    public init(parsing bytes: RawSpan, at offset: Int, length: Int, family: AddressFamily) throws(FrameError) {
        try bytes.require(length, at: offset)
        guard length >= ICMPHeader.length else { throw .truncated }
        let header = try ICMPHeader(parsing: bytes, at: offset)
        self.init(family: family, type: header.type, code: header.code, rest: header.rest)
        guard isError else { throw .unknownType }
        quoteOffset = offset + ICMPHeader.length
        quoteLength = length - ICMPHeader.length
        guard mayBeExtended else { return }
        let stated = Int((rest >> lengthShift) & 0xFF) * lengthUnit
        if stated == 0 {
            if ICMPExtensions.isLegacy(bytes, at: quoteOffset, length: quoteLength) {
                split(at: ICMPExtensions.legacyQuoteLength)
            }
        } else if stated >= ICMPExtensions.legacyQuoteLength && stated <= quoteLength {
            // Before extensions the quote is padded to 128 bytes (RFC 4884, 5). A length that is smaller or
            // larger than what is there comes from routers that use these bits otherwise: all of it is
            // quote.
            split(at: stated)
        }
    }

    /// Next-hop MTU in bytes of fragmentation needed (RFC 1191) and packet too big; else 0.
    public var mtu: UInt32 {
        switch family {
        case .ipv4:
            type == ICMPType.unreachable && code == ICMPType.fragmentationNeeded ? rest & 0xFFFF : 0
        case .ipv6: type == ICMPv6Type.packetTooBig ? rest : 0
        }
    }

    /// Writes the message with its checksum at `offset` and returns its length. `quote` starts at the IP
    /// header; with `labels` it is padded as RFC 4884 wants and an MPLS label stack follows.
    public func write(
        into packet: inout MutableRawSpan, at offset: Int, quoting quote: RawSpan, labels: [MPLSLabel] = [],
        source: IPAddress, destination: IPAddress
    ) throws(FrameError) -> Int {
        var header = ICMPHeader(type: type, code: code, rest: rest)
        var length = ICMPHeader.length + quote.byteCount
        try packet.require(length, at: offset)
        try packet.put(quote, at: offset + ICMPHeader.length)
        if !labels.isEmpty {
            guard mayBeExtended else { throw .unknownType }
            let least = max(quote.byteCount, ICMPExtensions.legacyQuoteLength)
            let padded = (least + lengthUnit - 1) / lengthUnit * lengthUnit
            guard padded / lengthUnit <= 0xFF else { throw .badValue }
            try packet.putZeros(padded - quote.byteCount, at: offset + length)
            length = ICMPHeader.length + padded
            length += try ICMPExtensions.write(labels: labels, into: &packet, at: offset + length)
            header.rest |= UInt32(padded / lengthUnit) << lengthShift
        }
        _ = try header.write(into: &packet, at: offset)
        try packet.sealChecksum(
            of: family == .ipv4 ? IPProtocol.icmp : IPProtocol.icmpv6, at: offset, length: length,
            source: source,
            destination: destination)
        return length
    }

    private var isError: Bool {
        switch family {
        case .ipv4:
            type == ICMPType.unreachable || type == ICMPType.timeExceeded || type == ICMPType.parameterProblem
        case .ipv6: type >= ICMPv6Type.unreachable && type <= ICMPv6Type.parameterProblem
        }
    }

    /// Whether extensions are defined for this type (RFC 4884, 4).
    private var mayBeExtended: Bool {
        family == .ipv4 || type == ICMPv6Type.unreachable || type == ICMPv6Type.timeExceeded
    }

    /// The length of the quote is the second byte after the checksum in ICMP, in units of 4 bytes …
    private var lengthShift: UInt32 { family == .ipv4 ? 16 : 24 }

    /// … and the first in ICMPv6, in units of 8.
    private var lengthUnit: Int { family == .ipv4 ? 4 : 8 }

    private mutating func split(at length: Int) {
        extensionOffset = quoteOffset + length
        extensionLength = quoteLength - length
        quoteLength = length
    }
}

/// The beginning of a packet as an ICMP error quotes it.
public struct QuotedPacket: Equatable, Sendable {
    public private(set) var proto: UInt8
    /// As quoted: a NAT on the way may have rewritten it.
    public private(set) var source: IPAddress
    public private(set) var destination: IPAddress
    /// TTL or hop limit with which the packet reached the router.
    public private(set) var ttl: UInt8
    /// IPv4 identification; 0 for IPv6.
    public private(set) var identification: UInt16
    /// Where the transport header begins, and how many bytes of it and its payload are quoted.
    public private(set) var transportOffset: Int
    public private(set) var transportLength: Int
    /// Place of this fragment in bytes; other than 0, there is no transport header.
    public private(set) var fragmentOffset: Int

    /// Reads the quote of `length` bytes at `offset`. Its IP header must be whole, as all routers quote it.
    public init(parsing bytes: RawSpan, at offset: Int, length: Int, family: AddressFamily) throws(FrameError) {
        try bytes.require(length, at: offset)
        let quote = bytes.extracting(0..<(offset + length))
        let packetEnd: Int
        switch family {
        case .ipv4:
            let header = try IPv4Header(parsing: quote, at: offset, extent: .quoted)
            proto = header.proto
            source = header.source
            destination = header.destination
            ttl = header.ttl
            identification = header.identification
            fragmentOffset = header.fragmentOffset
            transportOffset = offset + header.headerLength
            packetEnd = transportOffset + header.payloadLength
        case .ipv6:
            let header = try IPv6Header(parsing: quote, at: offset, extent: .quoted)
            let start = offset + IPv6Header.length
            let chain = try IPv6ExtensionChain(parsing: quote, at: start, nextHeader: header.nextHeader)
            proto = chain.proto
            source = header.source
            destination = header.destination
            ttl = header.hopLimit
            identification = 0
            fragmentOffset = chain.fragmentOffset
            transportOffset = chain.transportOffset
            packetEnd = start + header.payloadLength
        }
        transportLength = offset + length - transportOffset
        // Padding behind a short packet is none of it. A length field that leaves no room for 8 bytes was
        // changed by the router (BSD in host byte order), and says nothing.
        if packetEnd - transportOffset >= 8 {
            transportLength = min(transportLength, packetEnd - transportOffset)
        }
    }
}
