// SPDX-License-Identifier: MIT
// Numbers with units as people write them: durations, byte sizes, plain decimals. All of them are read
// from bytes, exactly or not at all; formatting of other numbers is in ByteText.swift.

/// Reads and writes durations: `250us` `200ms` `10s` `5m` `2h` `1d`, or plain seconds (`0.2`).
public enum DurationText {
    /// Nanoseconds of a duration: digits, at most one decimal point, and one of the units
    /// ns us ms s m h d, or none for seconds. nil when it is malformed, negative, finer than a
    /// nanosecond, or above `Int64.max`.
    public static func parse(_ text: ByteText) -> Int64? {
        var index = 0
        var value: UInt64 = 0
        var decimals = 0
        var digits = 0
        var afterPoint = false
        while index < text.count {
            let byte = text[index]
            if byte == 0x2E {
                if afterPoint { return nil }
                afterPoint = true
            } else if byte >= 0x30 && byte <= 0x39 {
                let (times, overflow) = value.multipliedReportingOverflow(by: 10)
                let (sum, carry) = times.addingReportingOverflow(UInt64(byte - 0x30))
                if overflow || carry { return nil }
                value = sum
                digits += 1
                if afterPoint { decimals += 1 }
            } else {
                break
            }
            index += 1
        }
        guard digits > 0, let unit = unit(of: text, from: index) else { return nil }
        return scale(value, decimals: decimals, unit: unit)
    }

    /// value / 10^decimals * unit, when that is a whole number that fits.
    private static func scale(_ value: UInt64, decimals: Int, unit: UInt64) -> Int64? {
        var value = value
        var unit = unit
        for _ in 0..<decimals {
            if unit % 10 == 0 {
                unit /= 10
            } else if value % 10 == 0 {
                value /= 10
            } else if value % 5 == 0 && unit % 2 == 0 {
                value /= 5
                unit /= 2
            } else if value % 2 == 0 && unit % 5 == 0 {
                value /= 2
                unit /= 5
            } else {
                return nil
            }
        }
        let (product, overflow) = value.multipliedReportingOverflow(by: unit)
        return overflow ? nil : Int64(exactly: product)
    }

    private static func unit(of text: ByteText, from index: Int) -> UInt64? {
        let second: UInt64 = 1_000_000_000
        switch text.count - index {
        case 0: return second
        case 1:
            switch text[index] {
            case 0x73: return second
            case 0x6D: return 60 * second
            case 0x68: return 3_600 * second
            case 0x64: return 86_400 * second
            default: return nil
            }
        case 2:
            guard text[index + 1] == 0x73 else { return nil }
            switch text[index] {
            case 0x6E: return 1
            case 0x75: return 1_000
            case 0x6D: return 1_000_000
            default: return nil
            }
        default: return nil
        }
    }
}

/// Reads whole numbers and byte sizes.
public enum NumberText {
    /// A whole number of decimal digits only; nil when malformed or above `Int64.max`.
    public static func parse(_ text: ByteText) -> Int64? {
        decimal(text, count: text.count)
    }

    /// Bytes: a whole number, which `k` or `m` (or `K`, `M`) multiplies by 1,024 or 1,048,576.
    public static func parseBytes(_ text: ByteText) -> Int64? {
        guard let last = text.last else { return nil }
        var unit: Int64 = 1
        var count = text.count
        switch last | 0x20 {
        case 0x6B: unit = 1_024
        case 0x6D: unit = 1_048_576
        default: count += 1
        }
        count -= 1
        guard let value = decimal(text, count: count) else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: unit)
        return overflow ? nil : product
    }

    /// The first `count` bytes as decimal digits.
    private static func decimal(_ text: ByteText, count: Int) -> Int64? {
        guard count > 0 else { return nil }
        var value: Int64 = 0
        for index in 0..<count {
            let byte = text[index]
            guard byte >= 0x30 && byte <= 0x39 else { return nil }
            let (times, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = times.addingReportingOverflow(Int64(byte - 0x30))
            if overflow || carry { return nil }
            value = sum
        }
        return value
    }
}

extension Array where Element == UInt8 {
    /// Appends a duration of `nanoseconds`, exactly, in the largest unit of which it is a whole number.
    public mutating func append(duration nanoseconds: Int64) {
        if nanoseconds < 0 { append(0x2D) }
        let value = nanoseconds.magnitude
        let second: UInt64 = 1_000_000_000
        if value == 0 {
            append(text: "0s")
        } else if value % (86_400 * second) == 0 {
            append(decimal: value / (86_400 * second))
            append(text: "d")
        } else if value % (3_600 * second) == 0 {
            append(decimal: value / (3_600 * second))
            append(text: "h")
        } else if value % (60 * second) == 0 {
            append(decimal: value / (60 * second))
            append(text: "m")
        } else if value % second == 0 {
            append(decimal: value / second)
            append(text: "s")
        } else if value % 1_000_000 == 0 {
            append(decimal: value / 1_000_000)
            append(text: "ms")
        } else if value % 1_000 == 0 {
            append(decimal: value / 1_000)
            append(text: "us")
        } else {
            append(decimal: value)
            append(text: "ns")
        }
    }

    /// Appends a byte size, exactly, with `m` or `k` where it is a whole number of those.
    public mutating func append(byteSize: Int64) {
        let value = byteSize.magnitude
        if byteSize < 0 { append(0x2D) }
        if value != 0 && value % 1_048_576 == 0 {
            append(decimal: value / 1_048_576)
            append(text: "m")
        } else if value != 0 && value % 1_024 == 0 {
            append(decimal: value / 1_024)
            append(text: "k")
        } else {
            append(decimal: value)
        }
    }
}
