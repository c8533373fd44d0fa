// SPDX-License-Identifier: MIT
// The extension structure behind the quote of an ICMP error (RFC 4884, 7), and the MPLS label stack in
// it (RFC 4950).

/// One object of an extension structure.
public struct ICMPExtensionObject: Equatable, Sendable {
    public var classNumber: UInt8
    public var type: UInt8
    /// Where its payload lies, without the object header.
    public var payloadOffset: Int
    public var payloadLength: Int
}

/// Reads the objects of an extension structure one after the other.
public struct ICMPExtensions: Sendable {
    /// Before RFC 4884, routers put the extensions 128 bytes after the start of the quote, unannounced.
    public static let legacyQuoteLength = 128
    /// Class and type of the incoming MPLS label stack (RFC 4950, 3).
    public static let mplsClass: UInt8 = 1
    public static let mplsIncoming: UInt8 = 1
    /// More labels than this are left out: no real stack is so high.
    public static let maximumLabels = 16

    private var offset: Int
    private let end: Int

    /// Checks version and checksum of the structure of `length` bytes at `offset`. A checksum of 0 was not
    /// sent.
    public init(parsing bytes: RawSpan, at offset: Int, length: Int) throws(FrameError) {
        try bytes.require(length, at: offset)
        guard length >= 4 else { throw .truncated }
        guard try bytes.uint8(at: offset) >> 4 == 2 else { throw .badVersion }
        if try bytes.uint16(at: offset + 2) != 0 {
            var sum = InternetChecksum()
            try sum.add(bytes, at: offset, count: length)
            guard sum.folded == 0xFFFF else { throw .badChecksum }
        }
        self.offset = offset + 4
        end = offset + length
    }

    /// The next object, or nil after the last.
    public mutating func next(in bytes: RawSpan) throws(FrameError) -> ICMPExtensionObject? {
        guard offset < end else { return nil }
        guard end - offset >= 4 else { throw .truncated }
        let length = Int(try bytes.uint16(at: offset))
        guard length >= 4, length <= end - offset else { throw .badLength }
        let object = ICMPExtensionObject(
            classNumber: try bytes.uint8(at: offset + 2), type: try bytes.uint8(at: offset + 3),
            payloadOffset: offset + 4, payloadLength: length - 4)
        offset += length
        return object
    }

    /// All MPLS labels of the structure of `length` bytes at `offset`, outermost first.
    public static func labels(
        parsing bytes: RawSpan, at offset: Int, length: Int
    ) throws(FrameError) -> [MPLSLabel] {
        var objects = try ICMPExtensions(parsing: bytes, at: offset, length: length)
        var labels: [MPLSLabel] = []
        while let object = try objects.next(in: bytes) {
            guard object.classNumber == mplsClass, object.type == mplsIncoming else { continue }
            guard object.payloadLength % 4 == 0 else { throw .badLength }
            var place = object.payloadOffset
            while place < object.payloadOffset + object.payloadLength, labels.count < maximumLabels {
                labels.append(MPLSLabel(entry: try bytes.uint32(at: place)))
                place += 4
            }
        }
        return labels
    }

    /// Writes an extension structure with one MPLS label stack at `offset` and returns its length.
    public static func write(
        labels: [MPLSLabel], into packet: inout MutableRawSpan, at offset: Int
    ) throws(FrameError) -> Int {
        guard labels.count <= maximumLabels else { throw .badValue }
        let length = 8 + labels.count * 4
        try packet.require(length, at: offset)
        try packet.put(UInt32(0x2000_0000), at: offset)
        try packet.put(UInt16(4 + labels.count * 4), at: offset + 4)
        try packet.put(mplsClass, at: offset + 6)
        try packet.put(mplsIncoming, at: offset + 7)
        for index in 0..<labels.count { try packet.put(labels[index].entry, at: offset + 8 + index * 4) }
        let sum = try packet.sum(at: offset, count: length)
        try packet.put(sum.checksum == 0 ? 0xFFFF : sum.checksum, at: offset + 2)
        return length
    }

    /// Whether an unannounced extension structure lies behind the first 128 bytes of a quote (RFC 4884,
    /// 5.5). As anything may be quoted there, its checksum must have been sent and be right.
    static func isLegacy(_ bytes: RawSpan, at quoteOffset: Int, length: Int) -> Bool {
        guard length >= legacyQuoteLength + 8 else { return false }
        let offset = quoteOffset + legacyQuoteLength
        do throws(FrameError) {
            _ = try ICMPExtensions(parsing: bytes, at: offset, length: length - legacyQuoteLength)
            return try bytes.uint16(at: offset + 2) != 0
        } catch {
            return false
        }
    }
}

extension MPLSLabel {
    /// From a label stack entry: label 20 bits, traffic class 3, bottom of stack 1, TTL 8 (RFC 3032, 2.1).
    init(entry: UInt32) {
        self.init(
            label: entry >> 12, trafficClass: UInt8(truncatingIfNeeded: entry >> 9) & 7,
            bottomOfStack: entry & 0x100 != 0, ttl: UInt8(truncatingIfNeeded: entry))
    }

    var entry: UInt32 {
        (label & 0xFFFFF) << 12 | UInt32(trafficClass & 7) << 9 | (bottomOfStack ? 0x100 : 0) | UInt32(ttl)
    }
}
