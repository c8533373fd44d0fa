// SPDX-License-Identifier: MIT
// The Internet checksum (RFC 1071), the pseudo-headers of IPv4 and IPv6, and the update of a checksum
// when a word changes (RFC 1624). Where a header keeps its checksum is that header's affair.

/// A one's-complement sum under way. Add the pieces in any order, then take `checksum`.
public struct InternetChecksum: Sendable {
    /// 16-bit words added so far, carries not yet folded in. 64 bits cannot overflow: it would take
    /// 2^48 words.
    private var total: UInt64 = 0

    public init() {}

    /// Adds one 16-bit word.
    public mutating func add(_ word: UInt16) { total &+= UInt64(word) }

    /// Adds a 32-bit number as two words.
    public mutating func add(_ value: UInt32) { total &+= UInt64(value >> 16) &+ UInt64(value & 0xFFFF) }

    /// Adds a 64-bit number as four words.
    public mutating func add(_ value: UInt64) {
        add(UInt32(truncatingIfNeeded: value >> 32))
        add(UInt32(truncatingIfNeeded: value))
    }

    /// Adds the address as it stands in the pseudo-header.
    public mutating func add(_ address: IPAddress) {
        add(address.high)
        add(address.low)
    }

    /// Adds `count` bytes at `offset`. An odd last byte is padded with zero, so of several pieces only
    /// the last may be of odd length.
    public mutating func add(_ bytes: RawSpan, at offset: Int, count: Int) throws(FrameError) {
        try bytes.require(count, at: offset)
        var index = offset
        let end = offset + count
        while index < end - 1 {
            add(UInt16(bytes.byte(index)) << 8 | UInt16(bytes.byte(index + 1)))
            index += 2
        }
        if index < end { add(UInt16(bytes.byte(index)) << 8) }
    }

    /// Adds the pseudo-header of TCP, UDP and, for IPv6, ICMPv6 (RFC 9293, 3.1; RFC 8200, 8.1).
    /// `length` is that of the transport header and its payload, in bytes.
    public mutating func addPseudoHeader(
        source: IPAddress, destination: IPAddress, nextHeader: UInt8, length: Int
    ) {
        add(source)
        add(destination)
        add(UInt32(truncatingIfNeeded: length))
        add(UInt16(nextHeader))
    }

    /// The sum folded to 16 bits. Over bytes that contain a right checksum it is 0xFFFF.
    public var folded: UInt16 {
        var sum = total
        while sum > 0xFFFF { sum = (sum >> 16) &+ (sum & 0xFFFF) }
        return UInt16(truncatingIfNeeded: sum)
    }

    /// What goes into the checksum field, which must have been zero (or left out) in the sum.
    public var checksum: UInt16 { ~folded }

    /// `checksum`, with 0 written as 0xFFFF: in UDP 0 means "no checksum" (RFC 768, RFC 8200 8.1).
    public var udpChecksum: UInt16 { checksum == 0 ? 0xFFFF : checksum }

    /// The checksum after one 16-bit word that it covers changed (RFC 1624, equation 3).
    public static func updated(_ checksum: UInt16, from old: UInt16, to new: UInt16) -> UInt16 {
        var sum = InternetChecksum()
        sum.add(~checksum)
        sum.add(~old)
        sum.add(new)
        return sum.checksum
    }

    /// The word that moves a one's-complement sum from `sum` to `target`: `sum` + result = `target`.
    public static func compensation(from sum: UInt16, to target: UInt16) -> UInt16 {
        var difference = InternetChecksum()
        difference.add(target)
        difference.add(~sum)
        return difference.folded
    }
}
