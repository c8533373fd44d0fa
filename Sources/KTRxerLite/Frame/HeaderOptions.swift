// SPDX-License-Identifier: MIT
// Walks the options of IPv4, TCP, IPv6 and neighbour discovery, which differ only in how they count
// their length. What an option means is left to the caller.

/// Values of the IPv4 protocol field and of IPv6 next-header fields.
public enum IPProtocol {
    public static let hopByHop: UInt8 = 0
    public static let icmp: UInt8 = 1
    public static let tcp: UInt8 = 6
    public static let udp: UInt8 = 17
    public static let routing: UInt8 = 43
    public static let fragment: UInt8 = 44
    public static let authentication: UInt8 = 51
    public static let icmpv6: UInt8 = 58
    public static let noNextHeader: UInt8 = 59
    public static let destinationOptions: UInt8 = 60
}

/// How much of a packet a parser may expect.
public enum PacketExtent: Sendable {
    /// All of it: length fields must agree with the bytes there are.
    case whole
    /// Its beginning, perhaps all of it: a capture length may have cut it.
    case captured
    /// Its beginning, as quoted by an ICMP error. Length fields and checksums are not held against it:
    /// routers change them before they quote.
    case quoted
}

/// One option, by where its value lies in the bytes it was read from.
public struct HeaderOption: Equatable, Sendable {
    public var kind: UInt8
    /// Offset and length in bytes of the option's value, without kind and length.
    public var valueOffset: Int
    public var valueLength: Int

    public init(kind: UInt8, valueOffset: Int, valueLength: Int) {
        self.kind = kind
        self.valueOffset = valueOffset
        self.valueLength = valueLength
    }
}

/// Reads options one after the other. Padding is passed over; every step moves on, so the walk ends.
public struct OptionCursor: Sendable {
    public enum Layout: UInt8, Sendable {
        /// IPv4 (RFC 791, 3.1) and TCP (RFC 9293, 3.1): 0 ends, 1 is a single byte, length counts all.
        case classic
        /// IPv6 hop-by-hop and destination options (RFC 8200, 4.2): 0 is a single byte, length counts the
        /// value.
        case ipv6
        /// Neighbour discovery (RFC 4861, 4.6): length counts all, in units of 8 bytes.
        case neighbour
    }

    public let layout: Layout
    private var offset: Int
    private let end: Int

    /// Options lie from `offset` up to `end`.
    public init(_ layout: Layout, from offset: Int, to end: Int) {
        self.layout = layout
        self.offset = offset
        self.end = end
    }

    /// The next option, or nil after the last.
    public mutating func next(in bytes: RawSpan) throws(FrameError) -> HeaderOption? {
        while offset < end {
            let kind = try bytes.uint8(at: offset)
            if layout != .neighbour {
                if kind == 0 && layout == .classic { break }
                if kind == (layout == .classic ? 1 : 0) {
                    offset += 1
                    continue
                }
            }
            guard end - offset >= 2 else { throw .badOption }
            let field = Int(try bytes.uint8(at: offset + 1))
            let length: Int
            switch layout {
            case .classic: length = field
            case .ipv6: length = field + 2
            case .neighbour: length = field * 8
            }
            guard length >= 2, length <= end - offset else { throw .badOption }
            let option = HeaderOption(kind: kind, valueOffset: offset + 2, valueLength: length - 2)
            offset += length
            // PadN of IPv6 carries nothing.
            if layout == .ipv6 && kind == 1 { continue }
            return option
        }
        offset = end
        return nil
    }
}
