// SPDX-License-Identifier: MIT
// IP addresses as values. Text forms are in IPAddressText.swift.

/// IP version, by its number on the wire.
public enum AddressFamily: UInt8, Sendable {
    case ipv4 = 4
    case ipv6 = 6
}

/// An IPv4 or IPv6 address. The bits are kept as numbers, most significant first, so that nothing
/// depends on the byte order of the processor.
public struct IPAddress: Equatable, Sendable {
    public var family: AddressFamily
    /// IPv6: the first 64 bits. IPv4: 0.
    public var high: UInt64
    /// IPv6: the last 64 bits. IPv4: the address in the low 32 bits.
    public var low: UInt64

    public init(v4 address: UInt32) {
        family = .ipv4
        high = 0
        low = UInt64(address)
    }

    public init(v6High high: UInt64, low: UInt64) {
        family = .ipv6
        self.high = high
        self.low = low
    }

    /// 4 or 16.
    public var byteCount: Int { family == .ipv4 ? 4 : 16 }

    /// Byte `index` of the wire form, 0 being the first on the wire. `index` below `byteCount`.
    public func byte(_ index: Int) -> UInt8 {
        let fromEnd = byteCount - 1 - index
        return fromEnd < 8
            ? UInt8(truncatingIfNeeded: low >> UInt64(fromEnd * 8))
            : UInt8(truncatingIfNeeded: high >> UInt64((fromEnd - 8) * 8))
    }

    /// fe80::/10 (RFC 4291, 2.5.6): meaningful only together with an interface.
    public var isLinkLocal: Bool { family == .ipv6 && high >> 54 == 0x3FA }

    /// 224.0.0.0/4 or ff00::/8.
    public var isMulticast: Bool { family == .ipv4 ? low >> 28 == 0xE : high >> 56 == 0xFF }

    /// 0.0.0.0 or ::.
    public var isUnspecified: Bool { high == 0 && low == 0 }
}

/// A 48-bit Ethernet address, in the low 48 bits of `value`.
public struct MACAddress: Equatable, Sendable {
    public var value: UInt64

    public init(_ value: UInt64) { self.value = value & 0xFFFF_FFFF_FFFF }

    public static let broadcast = MACAddress(0xFFFF_FFFF_FFFF)

    /// Byte `index` (0...5) in wire order.
    public func byte(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: value >> UInt64((5 - index) * 8)) }
}
