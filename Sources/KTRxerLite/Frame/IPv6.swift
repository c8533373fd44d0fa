// SPDX-License-Identifier: MIT
// The IPv6 header (RFC 8200, 3). Extension headers are in IPv6Extensions.swift.

public struct IPv6Header: Equatable, Sendable {
    public static let length = 40

    public var trafficClass: UInt8
    /// 20 bits.
    public var flowLabel: UInt32
    /// Bytes after this header, extension headers included.
    public var payloadLength: Int
    public var nextHeader: UInt8
    public var hopLimit: UInt8
    public var source: IPAddress
    public var destination: IPAddress

    public init(
        nextHeader: UInt8, source: IPAddress, destination: IPAddress, payloadLength: Int,
        hopLimit: UInt8 = 64,
        trafficClass: UInt8 = 0, flowLabel: UInt32 = 0
    ) {
        self.trafficClass = trafficClass
        self.flowLabel = flowLabel
        self.payloadLength = payloadLength
        self.nextHeader = nextHeader
        self.hopLimit = hopLimit
        self.source = source
        self.destination = destination
    }

    /// Reads the header at `offset`. A whole packet must have all the bytes that it claims. Jumbograms
    /// (RFC 2675) are not read.
    public init(parsing bytes: RawSpan, at offset: Int = 0, extent: PacketExtent = .whole) throws(FrameError) {
        try bytes.require(Self.length, at: offset)
        let first = try bytes.uint32(at: offset)
        guard first >> 28 == 6 else { throw .badVersion }
        trafficClass = UInt8(truncatingIfNeeded: first >> 20)
        flowLabel = first & 0xFFFFF
        payloadLength = Int(try bytes.uint16(at: offset + 4))
        if extent == .whole {
            guard payloadLength <= bytes.byteCount - offset - Self.length else { throw .badLength }
        }
        nextHeader = try bytes.uint8(at: offset + 6)
        hopLimit = try bytes.uint8(at: offset + 7)
        source = try bytes.address(at: offset + 8, family: .ipv6)
        destination = try bytes.address(at: offset + 24, family: .ipv6)
    }

    /// Writes the header at `offset` and returns its length.
    public func write(into packet: inout MutableRawSpan, at offset: Int = 0) throws(FrameError) -> Int {
        guard source.family == .ipv6, destination.family == .ipv6 else { throw .mixedFamilies }
        guard flowLabel <= 0xFFFFF, payloadLength >= 0, payloadLength <= 0xFFFF else { throw .badValue }
        try packet.require(Self.length, at: offset)
        try packet.put(0x6000_0000 | UInt32(trafficClass) << 20 | flowLabel, at: offset)
        try packet.put(UInt16(payloadLength), at: offset + 4)
        try packet.put(nextHeader, at: offset + 6)
        try packet.put(hopLimit, at: offset + 7)
        try packet.put(source, at: offset + 8)
        try packet.put(destination, at: offset + 24)
        return Self.length
    }
}
