// SPDX-License-Identifier: MIT
// Ethernet II frames, with any 802.1Q and 802.1ad tags. What is inside is left to the other headers.

/// Values of the Ethernet type field.
public enum EtherType {
    public static let ipv4: UInt16 = 0x0800
    public static let arp: UInt16 = 0x0806
    /// 802.1Q customer tag.
    public static let vlan: UInt16 = 0x8100
    public static let ipv6: UInt16 = 0x86DD
    /// 802.1ad service tag.
    public static let serviceVLAN: UInt16 = 0x88A8
    /// Tag type of stacked tags before 802.1ad, still met.
    public static let legacyStackedVLAN: UInt16 = 0x9100
}

/// One VLAN tag (IEEE 802.1Q, 9.6).
public struct VLANTag: Equatable, Sendable {
    /// Tag protocol identifier: `EtherType.vlan` or `EtherType.serviceVLAN`.
    public var type: UInt16
    /// Priority code point, 3 bits.
    public var priority: UInt8
    public var dropEligible: Bool
    /// VLAN identifier, 12 bits.
    public var identifier: UInt16

    public init(
        identifier: UInt16, priority: UInt8 = 0, dropEligible: Bool = false, type: UInt16 = EtherType.vlan
    ) {
        self.type = type
        self.priority = priority
        self.dropEligible = dropEligible
        self.identifier = identifier
    }
}

/// An Ethernet II header with up to four VLAN tags, the outermost first.
public struct EthernetHeader: Sendable {
    public static let maximumTags = 4

    public var destination: MACAddress
    public var source: MACAddress
    /// The type after the last tag; below 0x600 it is an 802.3 length instead.
    public var etherType: UInt16
    public private(set) var tagCount = 0
    private var tags: InlineArray<4, VLANTag> = .init(repeating: VLANTag(identifier: 0))

    public init(destination: MACAddress, source: MACAddress, etherType: UInt16) {
        self.destination = destination
        self.source = source
        self.etherType = etherType
    }

    /// Reads the header at `offset`, through all its tags.
    public init(parsing bytes: RawSpan, at offset: Int = 0) throws(FrameError) {
        destination = try bytes.macAddress(at: offset)
        source = try bytes.macAddress(at: offset &+ 6)
        etherType = try bytes.uint16(at: offset &+ 12)
        var cursor = offset &+ 14
        while Self.isTag(etherType) {
            let control = try bytes.uint16(at: cursor)
            try add(
                VLANTag(
                    identifier: control & 0xFFF, priority: UInt8(control >> 13),
                    dropEligible: control & 0x1000 != 0,
                    type: etherType))
            etherType = try bytes.uint16(at: cursor + 2)
            cursor += 4
        }
    }

    /// Bytes of the header with its tags.
    public var length: Int { 14 + 4 * tagCount }

    /// Tag `index`, 0 being the outermost; nil from `tagCount` on.
    public func tag(_ index: Int) -> VLANTag? { index >= 0 && index < tagCount ? tags[index] : nil }

    /// Puts a tag inside those that there are.
    public mutating func add(_ tag: VLANTag) throws(FrameError) {
        guard tagCount < Self.maximumTags else { throw .tooManyHeaders }
        guard tag.priority < 8, tag.identifier < 0x1000 else { throw .badValue }
        tags[tagCount] = tag
        tagCount += 1
    }

    /// Writes the header at `offset` and returns its length.
    public func write(into frame: inout MutableRawSpan, at offset: Int = 0) throws(FrameError) -> Int {
        try frame.require(length, at: offset)
        try frame.put(destination, at: offset)
        try frame.put(source, at: offset + 6)
        var cursor = offset + 12
        for index in 0..<tagCount {
            let tag = tags[index]
            let control = UInt16(tag.priority) << 13 | (tag.dropEligible ? 0x1000 : 0) | tag.identifier
            try frame.put(tag.type, at: cursor)
            try frame.put(control, at: cursor + 2)
            cursor += 4
        }
        try frame.put(etherType, at: cursor)
        return length
    }

    private static func isTag(_ type: UInt16) -> Bool {
        type == EtherType.vlan || type == EtherType.serviceVLAN || type == EtherType.legacyStackedVLAN
    }
}
