// SPDX-License-Identifier: MIT
// The IPv4 header (RFC 791). Options are walked with OptionCursor; the payload is left to its own header.

public struct IPv4Header: Equatable, Sendable {
    public static let minimumLength = 20

    /// DSCP and ECN, the former TOS.
    public var trafficClass: UInt8
    public var identification: UInt16
    public var dontFragment: Bool
    public var moreFragments: Bool
    /// Place of this fragment in bytes, a multiple of 8.
    public var fragmentOffset: Int
    public var ttl: UInt8
    public var proto: UInt8
    public var source: IPAddress
    public var destination: IPAddress
    /// Bytes after the header, as the total length field has it.
    public var payloadLength: Int
    /// With options. Building takes it from the options instead.
    public private(set) var headerLength: Int

    public init(
        proto: UInt8, source: IPAddress, destination: IPAddress, payloadLength: Int, ttl: UInt8 = 64,
        trafficClass: UInt8 = 0, identification: UInt16 = 0, dontFragment: Bool = false,
        moreFragments: Bool = false,
        fragmentOffset: Int = 0
    ) {
        self.trafficClass = trafficClass
        self.identification = identification
        self.dontFragment = dontFragment
        self.moreFragments = moreFragments
        self.fragmentOffset = fragmentOffset
        self.ttl = ttl
        self.proto = proto
        self.source = source
        self.destination = destination
        self.payloadLength = payloadLength
        headerLength = Self.minimumLength
    }

    /// Reads the header at `offset`. A whole packet must have all the bytes that it claims; a whole or
    /// captured one must have a right header checksum.
    public init(parsing bytes: RawSpan, at offset: Int = 0, extent: PacketExtent = .whole) throws(FrameError) {
        try bytes.require(Self.minimumLength, at: offset)
        let first = try bytes.uint8(at: offset)
        guard first >> 4 == 4 else { throw .badVersion }
        headerLength = Int(first & 15) * 4
        guard headerLength >= Self.minimumLength, headerLength <= bytes.byteCount - offset else {
            throw .badHeaderLength
        }
        let totalLength = Int(try bytes.uint16(at: offset + 2))
        payloadLength = totalLength - headerLength
        if extent != .quoted {
            guard payloadLength >= 0 else { throw .badLength }
            guard extent == .captured || totalLength <= bytes.byteCount - offset else { throw .badLength }
            var sum = InternetChecksum()
            try sum.add(bytes, at: offset, count: headerLength)
            guard sum.folded == 0xFFFF else { throw .badChecksum }
        }
        trafficClass = try bytes.uint8(at: offset + 1)
        identification = try bytes.uint16(at: offset + 4)
        let fragment = try bytes.uint16(at: offset + 6)
        dontFragment = fragment & 0x4000 != 0
        moreFragments = fragment & 0x2000 != 0
        fragmentOffset = Int(fragment & 0x1FFF) * 8
        ttl = try bytes.uint8(at: offset + 8)
        proto = try bytes.uint8(at: offset + 9)
        source = try bytes.address(at: offset + 12, family: .ipv4)
        destination = try bytes.address(at: offset + 16, family: .ipv4)
    }

    /// The options of the header that was read at `offset`.
    public func options(at offset: Int = 0) -> OptionCursor {
        OptionCursor(.classic, from: offset + Self.minimumLength, to: offset + headerLength)
    }

    /// Writes the header with its checksum at `offset` and returns its length. `options`, 40 bytes at most,
    /// are padded with zeros to whole 32-bit words.
    public func write(
        into packet: inout MutableRawSpan, at offset: Int = 0, options: RawSpan = RawSpan()
    ) throws(FrameError) -> Int {
        guard source.family == .ipv4, destination.family == .ipv4 else { throw .mixedFamilies }
        guard options.byteCount <= 40 else { throw .badValue }
        let length = Self.minimumLength + (options.byteCount + 3) / 4 * 4
        guard payloadLength >= 0, payloadLength <= 0xFFFF - length else { throw .badValue }
        guard fragmentOffset >= 0, fragmentOffset <= 0xFFF8, fragmentOffset % 8 == 0 else { throw .badValue }
        try packet.require(length, at: offset)
        try packet.put(UInt8(0x40 + length / 4), at: offset)
        try packet.put(trafficClass, at: offset + 1)
        try packet.put(UInt16(length + payloadLength), at: offset + 2)
        try packet.put(identification, at: offset + 4)
        let flags: UInt16 = (dontFragment ? 0x4000 : 0) | (moreFragments ? 0x2000 : 0)
        try packet.put(flags | UInt16(fragmentOffset / 8), at: offset + 6)
        try packet.put(ttl, at: offset + 8)
        try packet.put(proto, at: offset + 9)
        try packet.put(UInt16(0), at: offset + 10)
        try packet.put(source, at: offset + 12)
        try packet.put(destination, at: offset + 16)
        let optionsEnd = offset + Self.minimumLength + options.byteCount
        try packet.put(options, at: offset + Self.minimumLength)
        try packet.putZeros(offset + length - optionsEnd, at: optionsEnd)
        let sum = try packet.sum(at: offset, count: length)
        try packet.put(sum.checksum, at: offset + 10)
        return length
    }
}
