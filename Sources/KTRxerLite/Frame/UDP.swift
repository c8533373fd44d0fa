// SPDX-License-Identifier: MIT
// The UDP header (RFC 768). Its checksum is in TransportChecksum.swift.

public struct UDPHeader: Equatable, Sendable {
    public static let length = 8

    public var sourcePort: UInt16
    public var destinationPort: UInt16
    /// Bytes after the header, as the length field has it.
    public var payloadLength: Int
    /// As read; building leaves 0 for `sealChecksum` to fill.
    public private(set) var checksum: UInt16 = 0

    public init(sourcePort: UInt16, destinationPort: UInt16, payloadLength: Int) {
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.payloadLength = payloadLength
    }

    /// Reads the header at `offset`. A whole datagram must have all the bytes that it claims.
    public init(parsing bytes: RawSpan, at offset: Int, extent: PacketExtent = .whole) throws(FrameError) {
        try bytes.require(Self.length, at: offset)
        sourcePort = try bytes.uint16(at: offset)
        destinationPort = try bytes.uint16(at: offset + 2)
        payloadLength = Int(try bytes.uint16(at: offset + 4)) - Self.length
        checksum = try bytes.uint16(at: offset + 6)
        guard payloadLength >= 0 else { throw .badLength }
        if extent == .whole {
            guard payloadLength <= bytes.byteCount - offset - Self.length else { throw .badLength }
        }
    }

    /// Writes the header at `offset` and returns its length.
    public func write(into packet: inout MutableRawSpan, at offset: Int) throws(FrameError) -> Int {
        guard payloadLength >= 0, payloadLength <= 0xFFFF - Self.length else { throw .badValue }
        try packet.require(Self.length, at: offset)
        try packet.put(sourcePort, at: offset)
        try packet.put(destinationPort, at: offset + 2)
        try packet.put(UInt16(payloadLength + Self.length), at: offset + 4)
        try packet.put(UInt16(0), at: offset + 6)
        return Self.length
    }
}
