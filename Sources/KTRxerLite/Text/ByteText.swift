// SPDX-License-Identifier: MIT
// Text as UTF-8 bytes: the device build has no String, so messages, addresses and records are
// appended to byte arrays. Numbers are formatted here and nowhere else.

/// UTF-8 text under construction.
public typealias ByteText = [UInt8]

extension Array where Element == UInt8 {
    /// Appends one byte. A call is a fifth of the code that the generic `append(_:)` is in its place, and bytes are
    /// appended in hundreds of places: the compiler prefers this one for them, as the more special of the two.
    @inline(never)
    public mutating func append(_ byte: UInt8) { append(contentsOf: CollectionOfOne(byte)) }

    /// Appends literal text.
    @inline(never)
    public mutating func append(text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends a NUL-terminated C string, without its NUL.
    public mutating func append(cString: UnsafePointer<CChar>) {
        var cursor = cString
        while cursor.pointee != 0 {
            append(UInt8(bitPattern: cursor.pointee))
            cursor += 1
        }
    }

    /// Appends a signed decimal number.
    @inline(never)
    public mutating func append(decimal value: Int64) {
        if value < 0 { append(0x2D) }
        append(decimal: value.magnitude)
    }

    /// Appends an unsigned decimal number, with leading zeros up to `width` digits.
    public mutating func append(decimal value: UInt64, width: Int = 1) {
        var rest = value
        let start = count
        repeat {
            append(UInt8(0x30 + rest % 10))
            rest /= 10
        } while rest != 0
        while count - start < width { append(0x30) }
        self[start...].reverse()
    }

    /// Appends lower-case hexadecimal digits, with leading zeros up to `width`.
    public mutating func append(hexadecimal value: UInt64, width: Int = 1) {
        var shift = 60
        while shift >= 0 {
            let digit = UInt8((value >> UInt64(shift)) & 15)
            if digit != 0 || shift < width * 4 || shift == 0 {
                // The first digit found fixes the width: everything after it is written.
                for position in stride(from: shift, through: 0, by: -4) {
                    let nibble = UInt8((value >> UInt64(position)) & 15)
                    append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
                }
                return
            }
            shift -= 4
        }
    }

    /// Appends nanoseconds as milliseconds with `places` (0...6) decimals, rounded to nearest.
    public mutating func append(milliseconds nanoseconds: Int64, places: Int = 3) {
        var unit: UInt64 = 1
        for _ in 0..<(6 - places) { unit *= 10 }
        let rounded = (nanoseconds.magnitude + unit / 2) / unit
        if nanoseconds < 0 && rounded != 0 { append(0x2D) }
        var scale: UInt64 = 1
        for _ in 0..<places { scale *= 10 }
        append(decimal: rounded / scale)
        if places > 0 {
            append(0x2E)
            append(decimal: rounded % scale, width: places)
        }
    }
}
