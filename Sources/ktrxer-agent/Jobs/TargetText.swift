// SPDX-License-Identifier: MIT
// What a target may look like, for the job file and the command line. Whether a name or an interface exists is
// found out when the job runs.
import KTRxerLite

enum TargetText {
    /// An address or a host name: letters, digits and `.-_:`, at most 253 bytes (RFC 1035, 2.3.4), not starting
    /// with `-`. A link-local address may have a zone. nil when it is one; else what was expected.
    @inline(never)
    static func problem(_ text: ByteText) -> StaticString? {
        let target = TargetZone(text)
        if !isHost(target.host) { return "an address or a host name" }
        if !target.isMeaningful { return "a link-local address before the %; for others, use interface" }
        if let zone = target.zone, !OptionTable.isInterfaceName(zone) { return "an interface name after the %" }
        return nil
    }

    private static func isHost(_ text: ByteText) -> Bool {
        guard let first = text.first, text.count <= 253, first != 0x2D else { return false }
        for byte in text {
            let letter = byte | 0x20
            let good =
                (letter >= 0x61 && letter <= 0x7A) || (byte >= 0x30 && byte <= 0x3A) || byte == 0x2D
                || byte == 0x2E || byte == 0x5F
            if !good { return false }
        }
        return true
    }
}
