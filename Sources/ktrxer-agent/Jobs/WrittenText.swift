// SPDX-License-Identifier: MIT
// What users wrote, compared with literals and quoted in messages.
import KTRxerLite

extension Array where Element == UInt8 {
    /// Whether these bytes are the literal text.
    @inline(never)
    func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in 0..<count where self[index] != text.utf8Start[index] { return false }
        return true
    }

    /// Whether these bytes are the name, `-` and `_` being equal.
    func equalsName(_ name: StaticString) -> Bool {
        guard count == name.utf8CodeUnitCount else { return false }
        for index in 0..<count {
            let byte = self[index] == 0x2D ? 0x5F : self[index]
            if byte != name.utf8Start[index] { return false }
        }
        return true
    }

    /// Appends what a user wrote, in single quotes: at most 40 bytes of it, and nothing that would
    /// disturb a terminal.
    @inline(never)
    mutating func append(quoted text: ByteText) {
        append(0x27)
        for index in 0..<Swift.min(text.count, 40) {
            let byte = text[index]
            if byte >= 0x20 && byte < 0x7F {
                append(byte)
            } else {
                append(text: "\\x")
                append(hexadecimal: UInt64(byte), width: 2)
            }
        }
        if text.count > 40 { append(text: "...") }
        append(0x27)
    }
}
