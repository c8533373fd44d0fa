// SPDX-License-Identifier: MIT
// What a target may look like, for the job file and the command line. Whether a name exists is found out
// when the job runs.
import KTRxerLite

enum TargetText {
    /// An address, with a zone if wanted, or a host name: letters, digits and `.-_:%`, at most 253 bytes
    /// (RFC 1035, 2.3.4), not starting with `-`.
    static func isValid(_ text: ByteText) -> Bool {
        guard let first = text.first, text.count <= 253, first != 0x2D else { return false }
        for byte in text {
            let letter = byte | 0x20
            let good =
                (letter >= 0x61 && letter <= 0x7A) || (byte >= 0x30 && byte <= 0x3A) || byte == 0x2D
                || byte == 0x2E || byte == 0x5F || byte == 0x25
            if !good { return false }
        }
        return true
    }
}
