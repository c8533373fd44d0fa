// SPDX-License-Identifier: MIT
// Addresses and names between the C floor's byte fields and the library's values.
import CKTRxer

/// The byte fields of the C floor's structures, as Swift sees C arrays.
typealias SystemAddressBytes = (
    UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8,
    UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
)

extension IPAddress {
    /// The first 4 or 16 of the bytes, in wire order; nil unless `family` is 4 or 6.
    init?(family: UInt8, systemBytes: SystemAddressBytes) {
        guard let family = AddressFamily(rawValue: family) else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        withUnsafeBytes(of: systemBytes) { bytes in
            for index in 0..<(family == .ipv4 ? 4 : 16) {
                high = high << 8 | low >> 56
                low = low << 8 | UInt64(bytes[index])
            }
        }
        switch family {
        case .ipv4: self.init(v4: UInt32(truncatingIfNeeded: low))
        case .ipv6: self.init(v6High: high, low: low)
        }
    }

    /// The wire form, zeros after an IPv4 address.
    var systemBytes: SystemAddressBytes {
        var field: SystemAddressBytes = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        withUnsafeMutableBytes(of: &field) { bytes in
            for index in 0..<byteCount { bytes[index] = byte(index) }
        }
        return field
    }
}

extension MACAddress {
    init(systemBytes: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8)) {
        var value: UInt64 = 0
        withUnsafeBytes(of: systemBytes) { bytes in
            for byte in bytes { value = value << 8 | UInt64(byte) }
        }
        self.init(value)
    }
}
