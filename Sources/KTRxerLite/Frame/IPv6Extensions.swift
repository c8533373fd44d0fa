// SPDX-License-Identifier: MIT
// IPv6 extension headers (RFC 8200, 4): each by itself, and the walk along the chain to the transport.

/// A hop-by-hop or destination options header. Which of them it is, the header before says.
public struct IPv6OptionsHeader: Equatable, Sendable {
    public var nextHeader: UInt8
    /// All of it, in bytes: a multiple of 8.
    public private(set) var length: Int

    public init(nextHeader: UInt8) {
        self.nextHeader = nextHeader
        length = 8
    }

    public init(parsing bytes: RawSpan, at offset: Int) throws(FrameError) {
        nextHeader = try bytes.uint8(at: offset)
        length = (Int(try bytes.uint8(at: offset &+ 1)) + 1) * 8
        try bytes.require(length, at: offset)
    }

    /// The options of the header that was read at `offset`.
    public func options(at offset: Int) -> OptionCursor {
        OptionCursor(.ipv6, from: offset + 2, to: offset + length)
    }

    /// Writes the header with `options`, padded by Pad1 or PadN to a multiple of 8 bytes; returns its length.
    public func write(
        into packet: inout MutableRawSpan, at offset: Int, options: RawSpan = RawSpan()
    ) throws(FrameError) -> Int {
        let total = (2 + options.byteCount + 7) / 8 * 8
        guard total <= 256 * 8 else { throw .badValue }
        try packet.require(total, at: offset)
        try packet.put(nextHeader, at: offset)
        try packet.put(UInt8(total / 8 - 1), at: offset + 1)
        try packet.put(options, at: offset + 2)
        let padding = total - 2 - options.byteCount
        let start = offset + 2 + options.byteCount
        try packet.putZeros(padding, at: start)
        if padding > 1 {
            try packet.put(UInt8(1), at: start)
            try packet.put(UInt8(padding - 2), at: start + 1)
        }
        return total
    }
}

/// A routing header of any type (RFC 8200, 4.4); segment routing (RFC 8754) is type 4.
public struct IPv6RoutingHeader: Equatable, Sendable {
    public var nextHeader: UInt8
    public var type: UInt8
    public var segmentsLeft: UInt8
    /// All of it, in bytes: a multiple of 8. The type's own data starts at byte 4.
    public private(set) var length: Int

    public init(nextHeader: UInt8, type: UInt8, segmentsLeft: UInt8) {
        self.nextHeader = nextHeader
        self.type = type
        self.segmentsLeft = segmentsLeft
        length = 8
    }

    public init(parsing bytes: RawSpan, at offset: Int) throws(FrameError) {
        nextHeader = try bytes.uint8(at: offset)
        length = (Int(try bytes.uint8(at: offset &+ 1)) + 1) * 8
        try bytes.require(length, at: offset)
        type = try bytes.uint8(at: offset + 2)
        segmentsLeft = try bytes.uint8(at: offset + 3)
    }

    /// Writes the header with the type's own `data` (4 bytes and whole multiples of 8 more); returns its
    /// length.
    public func write(
        into packet: inout MutableRawSpan, at offset: Int, data: RawSpan
    ) throws(FrameError) -> Int {
        let total = 4 + data.byteCount
        guard total % 8 == 0, total <= 256 * 8 else { throw .badValue }
        try packet.require(total, at: offset)
        try packet.put(nextHeader, at: offset)
        try packet.put(UInt8(total / 8 - 1), at: offset + 1)
        try packet.put(type, at: offset + 2)
        try packet.put(segmentsLeft, at: offset + 3)
        try packet.put(data, at: offset + 4)
        return total
    }
}

/// A fragment header (RFC 8200, 4.5).
public struct IPv6FragmentHeader: Equatable, Sendable {
    public static let length = 8

    public var nextHeader: UInt8
    /// Place of this fragment in bytes, a multiple of 8.
    public var fragmentOffset: Int
    public var moreFragments: Bool
    public var identification: UInt32

    public init(nextHeader: UInt8, fragmentOffset: Int, moreFragments: Bool, identification: UInt32) {
        self.nextHeader = nextHeader
        self.fragmentOffset = fragmentOffset
        self.moreFragments = moreFragments
        self.identification = identification
    }

    public init(parsing bytes: RawSpan, at offset: Int) throws(FrameError) {
        try bytes.require(Self.length, at: offset)
        nextHeader = try bytes.uint8(at: offset)
        let place = try bytes.uint16(at: offset + 2)
        fragmentOffset = Int(place & 0xFFF8)
        moreFragments = place & 1 != 0
        identification = try bytes.uint32(at: offset + 4)
    }

    /// Writes the header at `offset` and returns its length.
    public func write(into packet: inout MutableRawSpan, at offset: Int) throws(FrameError) -> Int {
        guard fragmentOffset >= 0, fragmentOffset <= 0xFFF8, fragmentOffset % 8 == 0 else { throw .badValue }
        try packet.require(Self.length, at: offset)
        try packet.put(nextHeader, at: offset)
        try packet.put(UInt8(0), at: offset + 1)
        try packet.put(UInt16(fragmentOffset) | (moreFragments ? 1 : 0), at: offset + 2)
        try packet.put(identification, at: offset + 4)
        return Self.length
    }
}

/// Where the extension headers of a packet end.
public struct IPv6ExtensionChain: Equatable, Sendable {
    /// No honest packet has more.
    public static let maximumHeaders = 8

    /// The protocol after the extension headers.
    public private(set) var proto: UInt8
    /// Where it begins.
    public private(set) var transportOffset: Int
    /// From the fragment header, if there was one: place of this fragment in bytes, and whether more follow.
    public private(set) var fragmentOffset = 0
    public private(set) var moreFragments = false
    public private(set) var headerCount = 0

    /// Walks the extension headers from `offset`, the first of which is of the kind `nextHeader`. Stops at
    /// the first header that is none of them, and in a fragment that is not the first, which has no further
    /// headers.
    public init(parsing bytes: RawSpan, at offset: Int, nextHeader: UInt8) throws(FrameError) {
        proto = nextHeader
        transportOffset = offset
        while fragmentOffset == 0 {
            let length: Int
            switch proto {
            case IPProtocol.hopByHop, IPProtocol.destinationOptions, IPProtocol.routing:
                length = (Int(try bytes.uint8(at: transportOffset &+ 1)) + 1) * 8
            case IPProtocol.authentication:
                length = (Int(try bytes.uint8(at: transportOffset &+ 1)) + 2) * 4
            case IPProtocol.fragment:
                let fragment = try IPv6FragmentHeader(parsing: bytes, at: transportOffset)
                fragmentOffset = fragment.fragmentOffset
                moreFragments = fragment.moreFragments
                length = IPv6FragmentHeader.length
            default: return
            }
            guard headerCount < Self.maximumHeaders else { throw .tooManyHeaders }
            try bytes.require(length, at: transportOffset)
            proto = try bytes.uint8(at: transportOffset)
            transportOffset += length
            headerCount += 1
        }
    }
}
