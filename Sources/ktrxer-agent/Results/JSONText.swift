// SPDX-License-Identifier: MIT
// Writes JSON (RFC 8259) into bytes: the keys and values of one object after the other. What the keys
// are is RecordEncoder's and ResultLog's concern. Whatever bytes come in, valid JSON in UTF-8 goes out.
import KTRxerLite

/// JSON under construction. The caller balances the brackets.
struct JSONText {
    private(set) var bytes = ByteText()
    /// Nothing has been written yet in the innermost object or array.
    private var first = true

    init() {}

    mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }

    @inline(never)
    mutating func beginObject() {
        separate()
        bytes.append(0x7B)
        first = true
    }

    @inline(never)
    mutating func beginObject(_ key: StaticString) {
        self.key(key)
        bytes.append(0x7B)
        first = true
    }

    @inline(never)
    mutating func endObject() {
        bytes.append(0x7D)
        first = false
    }

    @inline(never)
    mutating func beginArray(_ key: StaticString) {
        self.key(key)
        bytes.append(0x5B)
        first = true
    }

    mutating func endArray() {
        bytes.append(0x5D)
        first = false
    }

    /// The end of a line of JSON lines.
    mutating func endLine() {
        bytes.append(0x0A)
        first = true
    }

    mutating func add(_ key: StaticString, _ number: Int64) {
        self.key(key)
        bytes.append(decimal: number)
    }

    mutating func add(_ key: StaticString, unsigned number: UInt64) {
        self.key(key)
        bytes.append(decimal: number)
    }

    mutating func add(_ key: StaticString, _ flag: Bool) {
        self.key(key)
        bytes.append(text: flag ? "true" : "false")
    }

    /// Literal text.
    mutating func add(_ key: StaticString, literal: StaticString) {
        self.key(key)
        bytes.append(0x22)
        bytes.append(text: literal)
        bytes.append(0x22)
    }

    /// Text that may be any bytes.
    mutating func add(_ key: StaticString, text: ByteText) {
        self.key(key)
        bytes.append(0x22)
        appendEscaped(text)
        bytes.append(0x22)
    }

    mutating func add(_ key: StaticString, address: IPAddress) {
        self.key(key)
        bytes.append(0x22)
        address.append(to: &bytes)
        bytes.append(0x22)
    }

    /// CLOCK_REALTIME ns as ISO 8601 in UTC with nine decimals.
    mutating func add(_ key: StaticString, time: Int64) {
        self.key(key)
        bytes.append(0x22)
        bytes.append(timestamp: time)
        bytes.append(0x22)
    }

    /// An element of an array.
    mutating func element(address: IPAddress) {
        separate()
        bytes.append(0x22)
        address.append(to: &bytes)
        bytes.append(0x22)
    }

    @inline(never)
    private mutating func separate() {
        if !first { bytes.append(0x2C) }
        first = false
    }

    /// Keys are plain ASCII words of this program.
    @inline(never)
    private mutating func key(_ key: StaticString) {
        separate()
        bytes.append(0x22)
        bytes.append(text: key)
        bytes.append(0x22)
        bytes.append(0x3A)
    }

    private mutating func appendEscaped(_ text: ByteText) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte >= 0x80 {
                let length = sequenceLength(text, at: index)
                if length == 0 {
                    // U+FFFD, the replacement character, for each byte that is not UTF-8.
                    bytes.append(0xEF)
                    bytes.append(0xBF)
                    bytes.append(0xBD)
                    index += 1
                } else {
                    for _ in 0..<length {
                        bytes.append(text[index])
                        index += 1
                    }
                }
                continue
            }
            index += 1
            switch byte {
            case 0x22, 0x5C:
                bytes.append(0x5C)
                bytes.append(byte)
            case 0x00..<0x20, 0x7F:
                bytes.append(text: "\\u")
                bytes.append(hexadecimal: UInt64(byte), width: 4)
            default: bytes.append(byte)
            }
        }
    }
}

/// Bytes of the well-formed UTF-8 sequence of two to four bytes at `index` (Unicode, table 3-7); 0: none there.
private func sequenceLength(_ text: ByteText, at index: Int) -> Int {
    let lead = text[index]
    let length: Int
    var low: UInt8 = 0x80
    var high: UInt8 = 0xBF
    switch lead {
    case 0xC2...0xDF: length = 2
    case 0xE0...0xEF:
        length = 3
        // Neither overlong forms nor surrogates.
        if lead == 0xE0 { low = 0xA0 }
        if lead == 0xED { high = 0x9F }
    case 0xF0...0xF4:
        length = 4
        if lead == 0xF0 { low = 0x90 }
        if lead == 0xF4 { high = 0x8F }
    default: return 0
    }
    guard text.count - index >= length, text[index + 1] >= low, text[index + 1] <= high else { return 0 }
    for offset in 2..<length where text[index + offset] & 0xC0 != 0x80 { return 0 }
    return length
}

extension Array where Element == UInt8 {
    /// Appends CLOCK_REALTIME ns as `2026-01-31T12:34:56.123456789Z`; any value, from the year 1677 to 2262.
    mutating func append(timestamp time: Int64) {
        let second: Int64 = 1_000_000_000
        var seconds = time / second
        var fraction = time % second
        if fraction < 0 {
            fraction += second
            seconds -= 1
        }
        var days = seconds / 86_400
        var rest = seconds % 86_400
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        // Days since 1 March of the year 0, so that a leap day is the last of its year; then 400-year cycles.
        let shifted = days + 719_468
        let cycle = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let day = shifted - cycle * 146_097
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        append(decimal: UInt64(cycle * 400 + year + (month <= 2 ? 1 : 0)), width: 4)
        append(0x2D)
        append(decimal: UInt64(month), width: 2)
        append(0x2D)
        append(decimal: UInt64(dayOfYear - (153 * march + 2) / 5 + 1), width: 2)
        append(0x54)
        append(decimal: UInt64(rest / 3600), width: 2)
        append(0x3A)
        append(decimal: UInt64(rest / 60 % 60), width: 2)
        append(0x3A)
        append(decimal: UInt64(rest % 60), width: 2)
        append(0x2E)
        append(decimal: UInt64(fraction), width: 9)
        append(0x5A)
    }
}
