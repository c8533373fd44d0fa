// SPDX-License-Identifier: MIT
// The eight bytes that every ICMP (RFC 792) and ICMPv6 (RFC 4443) message starts with, and echo messages.
// Errors with their quoted packets are in ICMPError.swift, neighbour discovery is in NDP.swift.

/// ICMP message types of IPv4.
public enum ICMPType {
    public static let echoReply: UInt8 = 0
    public static let unreachable: UInt8 = 3
    public static let echoRequest: UInt8 = 8
    public static let timeExceeded: UInt8 = 11
    public static let parameterProblem: UInt8 = 12
    /// Code of `unreachable`: fragmentation needed and DF set.
    public static let fragmentationNeeded: UInt8 = 4
}

/// ICMPv6 message types.
public enum ICMPv6Type {
    public static let unreachable: UInt8 = 1
    public static let packetTooBig: UInt8 = 2
    public static let timeExceeded: UInt8 = 3
    public static let parameterProblem: UInt8 = 4
    public static let echoRequest: UInt8 = 128
    public static let echoReply: UInt8 = 129
    public static let neighbourSolicitation: UInt8 = 135
    public static let neighbourAdvertisement: UInt8 = 136
}

/// Type, code and the 32 bits after the checksum, which each type uses in its own way.
public struct ICMPHeader: Equatable, Sendable {
    public static let length = 8

    public var type: UInt8
    public var code: UInt8
    /// As read; building leaves 0 for `sealChecksum` to fill.
    public private(set) var checksum: UInt16 = 0
    public var rest: UInt32

    public init(type: UInt8, code: UInt8, rest: UInt32) {
        self.type = type
        self.code = code
        self.rest = rest
    }

    /// An echo request or reply, of the ICMP that goes with `family`.
    public init(echo isReply: Bool, family: AddressFamily, identifier: UInt16, sequence: UInt16) {
        switch family {
        case .ipv4: type = isReply ? ICMPType.echoReply : ICMPType.echoRequest
        case .ipv6: type = isReply ? ICMPv6Type.echoReply : ICMPv6Type.echoRequest
        }
        code = 0
        rest = UInt32(identifier) << 16 | UInt32(sequence)
    }

    /// Reads the header at `offset`.
    public init(parsing bytes: RawSpan, at offset: Int) throws(FrameError) {
        try bytes.require(Self.length, at: offset)
        type = try bytes.uint8(at: offset)
        code = try bytes.uint8(at: offset + 1)
        checksum = try bytes.uint16(at: offset + 2)
        rest = try bytes.uint32(at: offset + 4)
    }

    /// Identifier of an echo message.
    public var identifier: UInt16 { UInt16(truncatingIfNeeded: rest >> 16) }

    /// Sequence number of an echo message.
    public var sequence: UInt16 { UInt16(truncatingIfNeeded: rest) }

    /// Writes the header at `offset` and returns its length.
    public func write(into packet: inout MutableRawSpan, at offset: Int) throws(FrameError) -> Int {
        try packet.require(Self.length, at: offset)
        try packet.put(type, at: offset)
        try packet.put(code, at: offset + 1)
        try packet.put(UInt16(0), at: offset + 2)
        try packet.put(rest, at: offset + 4)
        return Self.length
    }
}
