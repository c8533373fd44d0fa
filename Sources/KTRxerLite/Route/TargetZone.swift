// SPDX-License-Identifier: MIT
// A target as a person writes it: a name or an address, and of a link-local address the zone (RFC 4007, 11):
// fe80::1%eth0.

/// A target's text in its two parts.
public struct TargetZone: Sendable {
    /// What stands before the first `%`.
    public var host: ByteText
    /// What stands behind it, the name of an interface or its number; nil without `%`.
    public var zone: ByteText?

    @inline(never)
    public init(_ text: ByteText) {
        host = text
        guard let mark = text.firstIndex(of: 0x25) else { return }
        host = ByteText(text[..<mark])
        zone = ByteText(text[(mark + 1)...])
    }

    /// A zone says something of addresses that are of one link only, and of no others.
    public var isMeaningful: Bool { zone == nil || IPAddress(text: host)?.isLinkScope ?? false }

    /// Name of the interface that the zone names or numbers, without NUL; empty without zone. A name of digits
    /// goes before a number. Throws `noInterface`, or `system` while reading.
    func interfaceName() throws(ProbeError) -> InterfaceName {
        guard let zone else { return InterfaceName() }
        do throws(ProbeError) {
            return try NetworkInterface.lookup(name: zone).interfaceName
        } catch {
            guard error == .noInterface, let number = zoneNumber(zone) else { throw error }
            return try NetworkInterface.lookup(index: number).interfaceName
        }
    }
}

private func zoneNumber(_ zone: ByteText) -> Int32? {
    guard !zone.isEmpty, zone.count <= 9 else { return nil }
    var number: Int32 = 0
    for byte in zone {
        guard byte >= 0x30, byte <= 0x39 else { return nil }
        number = number * 10 + Int32(byte - 0x30)
    }
    return number
}
