// SPDX-License-Identifier: MIT
// Reads five-field cron expressions and their @macros, as Vixie cron does.
import KTRxerLite

/// Why a text is no cron expression.
enum CronError: Error {
    case fieldCount(Int)
    case unknownMacro
    /// 0 minute, 1 hour, 2 day, 3 month, 4 weekday; and what stands there.
    case badField(Int, ByteText)
    /// No date fits, such as 30 February.
    case neverComes

    /// Appends one line without a newline: what is wrong, what was expected.
    func append(to text: inout ByteText) {
        switch self {
        case .fieldCount(let count):
            text.append(text: "cron has ")
            text.append(decimal: Int64(count))
            text.append(text: count == 1 ? " field" : " fields")
            text.append(text: ", expected 5: minute hour day month weekday")
        case .unknownMacro:
            text.append(text: "expected @hourly, @daily, @weekly, @monthly or @yearly, or five fields")
        case .badField(let field, let value):
            text.append(text: CronFieldRange.of(field).name)
            text.append(text: " of cron is ")
            text.append(quoted: value)
            text.append(text: ", expected ")
            text.append(text: CronFieldRange.of(field).expected)
        case .neverComes: text.append(text: "no date ever matches cron, expected a day that its month has")
        }
    }
}

/// The values that a field can have.
struct CronFieldRange {
    let name: StaticString
    let expected: StaticString
    let low: UInt8
    let high: UInt8
    /// Three letters for each value, the first being `low`; empty when the field has no names.
    let names: StaticString

    static func of(_ field: Int) -> CronFieldRange {
        switch field {
        case 0:
            CronFieldRange(
                name: "minute", expected: "0-59, *, a list (1,2), a range (1-5) or a step (*/5)", low: 0,
                high: 59, names: "")
        case 1:
            CronFieldRange(
                name: "hour", expected: "0-23, *, a list (1,2), a range (1-5) or a step (*/5)", low: 0,
                high: 23, names: "")
        case 2:
            CronFieldRange(
                name: "day", expected: "1-31, *, a list (1,2), a range (1-5) or a step (*/5)", low: 1,
                high: 31, names: "")
        case 3:
            CronFieldRange(
                name: "month", expected: "1-12, jan-dec, *, a list (1,2), a range (1-5) or a step (*/5)",
                low: 1, high: 12, names: "janfebmaraprmayjunjulaugsepoctnovdec")
        default:
            CronFieldRange(
                name: "weekday",
                expected: "0-7 (0 and 7 are Sunday), sun-sat, *, a list (1,2), a range (1-5) or a step (*/2)",
                low: 0, high: 7, names: "sunmontuewedthufrisat")
        }
    }
}

extension CronExpression {
    /// Fields are separated by white space.
    init(_ text: ByteText) throws(CronError) {
        self.init()
        var index = 0
        let count = Self.fieldCount(text)
        let first = Self.field(text, from: &index)
        if count == 1 && first.first == 0x40 {
            self = try Self.macro(first)
            return
        }
        guard count == 5 else { throw .fieldCount(count) }
        minutes = try Self.bits(0, first)
        minuteStar = first.first == 0x2A
        for number in 1..<5 {
            let field = Self.field(text, from: &index)
            let bits = try Self.bits(number, field)
            let star = field.first == 0x2A
            switch number {
            case 1: (hours, hourStar) = (UInt32(truncatingIfNeeded: bits), star)
            case 2: (days, dayStar) = (UInt32(truncatingIfNeeded: bits), star)
            case 3: months = UInt16(truncatingIfNeeded: bits)
            default: (weekdays, weekdayStar) = (UInt8(truncatingIfNeeded: (bits | bits >> 7) & 0x7F), star)
            }
        }
        if !canMatch { throw .neverComes }
    }

    /// The next field, and the place after it; empty at the end.
    private static func field(_ text: ByteText, from index: inout Int) -> ByteText {
        var field = ByteText()
        while index < text.count && isSpace(text[index]) { index += 1 }
        while index < text.count && !isSpace(text[index]) {
            field.append(text[index])
            index += 1
        }
        return field
    }

    private static func fieldCount(_ text: ByteText) -> Int {
        var count = 0
        var inField = false
        for byte in text {
            if !isSpace(byte) && !inField { count += 1 }
            inField = !isSpace(byte)
        }
        return count
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }

    private static func macro(_ text: ByteText) throws(CronError) -> CronExpression {
        var expression = CronExpression()
        expression.minutes = 1
        expression.hours = 1
        expression.days = 0xFFFF_FFFE
        expression.months = 0x1FFE
        expression.weekdays = 0x7F
        expression.dayStar = true
        expression.weekdayStar = true
        if text.equals("@hourly") {
            expression.hours = 0xFF_FFFF
            expression.hourStar = true
        } else if text.equals("@weekly") {
            expression.weekdays = 1
            expression.weekdayStar = false
        } else if text.equals("@monthly") || text.equals("@yearly") || text.equals("@annually") {
            expression.days = 2
            expression.dayStar = false
            if !text.equals("@monthly") { expression.months = 2 }
        } else if !text.equals("@daily") && !text.equals("@midnight") {
            throw .unknownMacro
        }
        return expression
    }

    /// The bits of one field: elements separated by commas, each `*`, a value or a range, the first and the
    /// last with a step if wanted.
    private static func bits(_ field: Int, _ text: ByteText) throws(CronError) -> UInt64 {
        let range = CronFieldRange.of(field)
        var bits: UInt64 = 0
        var index = 0
        while true {
            var from = range.low
            var to = range.high
            var stepAllowed = true
            if index < text.count && text[index] == 0x2A {
                index += 1
            } else {
                guard let value = value(in: text, at: &index, range) else { throw .badField(field, text) }
                from = value
                if index < text.count && text[index] == 0x2D {
                    index += 1
                    guard let end = self.value(in: text, at: &index, range), end >= from else {
                        throw .badField(field, text)
                    }
                    to = end
                } else {
                    to = from
                    stepAllowed = false
                }
            }
            var step: UInt8 = 1
            if stepAllowed && index < text.count && text[index] == 0x2F {
                index += 1
                guard let value = number(in: text, at: &index), value > 0, value <= range.high else {
                    throw .badField(field, text)
                }
                step = value
            }
            var value = from
            while value <= to {
                bits |= 1 << UInt64(value)
                value += step
            }
            if index == text.count { return bits }
            guard text[index] == 0x2C else { throw .badField(field, text) }
            index += 1
        }
    }

    /// A number or a name in the field's range.
    private static func value(in text: ByteText, at index: inout Int, _ range: CronFieldRange) -> UInt8? {
        if let number = number(in: text, at: &index) {
            return number >= range.low && number <= range.high ? number : nil
        }
        guard index + 3 <= text.count else { return nil }
        for place in 0..<range.names.utf8CodeUnitCount / 3 {
            let name = range.names.utf8Start + place * 3
            if text[index] | 0x20 == name[0] && text[index + 1] | 0x20 == name[1]
                && text[index + 2] | 0x20 == name[2]
            {
                index += 3
                return range.low + UInt8(truncatingIfNeeded: place)
            }
        }
        return nil
    }

    /// One to three digits, below 256.
    private static func number(in text: ByteText, at index: inout Int) -> UInt8? {
        var value = 0
        var digits = 0
        while index + digits < text.count, text[index + digits] >= 0x30, text[index + digits] <= 0x39 {
            value = value * 10 + Int(text[index + digits] - 0x30)
            digits += 1
            if digits > 3 { return nil }
        }
        guard digits > 0, value < 256 else { return nil }
        index += digits
        return UInt8(truncatingIfNeeded: value)
    }
}
