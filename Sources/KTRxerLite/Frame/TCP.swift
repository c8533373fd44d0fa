// SPDX-License-Identifier: MIT
// The TCP header (RFC 9293, 3.1). Options are walked with OptionCursor; the checksum is in
// TransportChecksum.swift.

/// The control bits of a TCP header.
public enum TCPFlag {
    public static let fin: UInt8 = 0x01
    public static let syn: UInt8 = 0x02
    public static let rst: UInt8 = 0x04
    public static let psh: UInt8 = 0x08
    public static let ack: UInt8 = 0x10
    public static let urg: UInt8 = 0x20
    public static let ece: UInt8 = 0x40
    public static let cwr: UInt8 = 0x80
}

public struct TCPHeader: Equatable, Sendable {
    public static let minimumLength = 20

    public var sourcePort: UInt16
    public var destinationPort: UInt16
    public var sequence: UInt32
    public var acknowledgement: UInt32
    /// Bits of `TCPFlag`.
    public var flags: UInt8
    public var window: UInt16
    public var urgentPointer: UInt16
    /// As read; building leaves 0 for `sealChecksum` to fill.
    public private(set) var checksum: UInt16 = 0
    /// With options. Building takes it from the options instead.
    public private(set) var headerLength = 20

    public init(
        sourcePort: UInt16, destinationPort: UInt16, sequence: UInt32, acknowledgement: UInt32 = 0,
        flags: UInt8 = TCPFlag.syn, window: UInt16 = 65535, urgentPointer: UInt16 = 0
    ) {
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.sequence = sequence
        self.acknowledgement = acknowledgement
        self.flags = flags
        self.window = window
        self.urgentPointer = urgentPointer
    }

    /// Reads the header at `offset`; it must be there with all its options.
    public init(parsing bytes: RawSpan, at offset: Int) throws(FrameError) {
        try bytes.require(Self.minimumLength, at: offset)
        headerLength = Int(try bytes.uint8(at: offset + 12) >> 4) * 4
        guard headerLength >= Self.minimumLength, headerLength <= bytes.byteCount - offset else {
            throw .badHeaderLength
        }
        sourcePort = try bytes.uint16(at: offset)
        destinationPort = try bytes.uint16(at: offset + 2)
        sequence = try bytes.uint32(at: offset + 4)
        acknowledgement = try bytes.uint32(at: offset + 8)
        flags = try bytes.uint8(at: offset + 13)
        window = try bytes.uint16(at: offset + 14)
        checksum = try bytes.uint16(at: offset + 16)
        urgentPointer = try bytes.uint16(at: offset + 18)
    }

    /// The options of the header that was read at `offset`.
    public func options(at offset: Int) -> OptionCursor {
        OptionCursor(.classic, from: offset + Self.minimumLength, to: offset + headerLength)
    }

    /// Writes the header at `offset` and returns its length. `options`, 40 bytes at most, are padded with
    /// zeros to whole 32-bit words.
    public func write(
        into packet: inout MutableRawSpan, at offset: Int, options: RawSpan = RawSpan()
    ) throws(FrameError) -> Int {
        guard options.byteCount <= 40 else { throw .badValue }
        let length = Self.minimumLength + (options.byteCount + 3) / 4 * 4
        try packet.require(length, at: offset)
        try packet.put(sourcePort, at: offset)
        try packet.put(destinationPort, at: offset + 2)
        try packet.put(sequence, at: offset + 4)
        try packet.put(acknowledgement, at: offset + 8)
        try packet.put(UInt8(length / 4 * 16), at: offset + 12)
        try packet.put(flags, at: offset + 13)
        try packet.put(window, at: offset + 14)
        try packet.put(UInt16(0), at: offset + 16)
        try packet.put(urgentPointer, at: offset + 18)
        let optionsEnd = offset + Self.minimumLength + options.byteCount
        try packet.put(options, at: offset + Self.minimumLength)
        try packet.putZeros(offset + length - optionsEnd, at: optionsEnd)
        return length
    }
}
