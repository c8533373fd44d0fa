// SPDX-License-Identifier: MIT
// Neighbour solicitations and advertisements (RFC 4861, 4.3 and 4.4) with the link-layer address option.
// Whom to ask, and the hop limit of 255 around it, are left to the caller.

public struct NeighbourMessage: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
        case solicitation = 135
        case advertisement = 136
    }

    /// Option kinds: source address in solicitations, target address in advertisements.
    public static let sourceLinkLayer: UInt8 = 1
    public static let targetLinkLayer: UInt8 = 2

    public var kind: Kind
    public var target: IPAddress
    /// The sender's, when it says so; nil from an address that is still being tried (RFC 4862).
    public var linkLayer: MACAddress?
    /// Flags of an advertisement.
    public var fromRouter = false
    public var solicited = false
    public var overrides = false

    public init(_ kind: Kind, target: IPAddress, linkLayer: MACAddress?) {
        self.kind = kind
        self.target = target
        self.linkLayer = linkLayer
    }

    /// Reads the ICMPv6 message of `length` bytes at `offset` by the rules of RFC 4861, 7.1.1 and 7.1.2,
    /// but for the checksum and what lies outside the message. Unknown options are passed over.
    public init(parsing bytes: RawSpan, at offset: Int, length: Int) throws(FrameError) {
        try bytes.require(length, at: offset)
        guard length >= 24 else { throw .truncated }
        let header = try ICMPHeader(parsing: bytes, at: offset)
        guard let kind = Kind(rawValue: header.type), header.code == 0 else { throw .unknownType }
        self.init(kind, target: try bytes.address(at: offset + 8, family: .ipv6), linkLayer: nil)
        guard !target.isMulticast else { throw .badValue }
        if kind == .advertisement {
            fromRouter = header.rest & 0x8000_0000 != 0
            solicited = header.rest & 0x4000_0000 != 0
            overrides = header.rest & 0x2000_0000 != 0
        }
        var options = OptionCursor(.neighbour, from: offset + 24, to: offset + length)
        while let option = try options.next(in: bytes) {
            if option.kind == linkLayerOption && option.valueLength == 6 {
                linkLayer = try bytes.macAddress(at: option.valueOffset)
            }
        }
    }

    /// Bytes on the wire, from the ICMPv6 header on.
    public var length: Int { linkLayer == nil ? 24 : 32 }

    /// Writes the message with its checksum at `offset` and returns its length.
    public func write(
        into packet: inout MutableRawSpan, at offset: Int, source: IPAddress, destination: IPAddress
    ) throws(FrameError) -> Int {
        guard target.family == .ipv6 else { throw .mixedFamilies }
        guard !target.isMulticast else { throw .badValue }
        try packet.require(length, at: offset)
        var flags: UInt32 = 0
        if kind == .advertisement {
            flags =
                (fromRouter ? 0x8000_0000 : 0) | (solicited ? 0x4000_0000 : 0) | (overrides ? 0x2000_0000 : 0)
        }
        _ = try ICMPHeader(type: kind.rawValue, code: 0, rest: flags).write(into: &packet, at: offset)
        try packet.put(target, at: offset + 8)
        if let linkLayer {
            try packet.put(linkLayerOption, at: offset + 24)
            try packet.put(UInt8(1), at: offset + 25)
            try packet.put(linkLayer, at: offset + 26)
        }
        try packet.sealChecksum(
            of: IPProtocol.icmpv6, at: offset, length: length, source: source, destination: destination)
        return length
    }

    private var linkLayerOption: UInt8 { kind == .solicitation ? Self.sourceLinkLayer : Self.targetLinkLayer }
}

extension IPAddress {
    /// The solicited-node multicast address of an IPv6 address (RFC 4291, 2.7.1).
    public var solicitedNode: IPAddress {
        IPAddress(v6High: 0xFF02_0000_0000_0000, low: 0x0000_0001_FF00_0000 | (low & 0xFF_FFFF))
    }

    /// The Ethernet address to which this multicast address is sent (RFC 1112, 6.4; RFC 2464, 7); nil for
    /// unicast.
    public var multicastMAC: MACAddress? {
        guard isMulticast else { return nil }
        return family == .ipv4
            ? MACAddress(0x0100_5E00_0000 | (low & 0x7F_FFFF))
            : MACAddress(0x3333_0000_0000 | (low & 0xFFFF_FFFF))
    }
}
