// SPDX-License-Identifier: MIT
// Text forms of IP addresses (RFC 4291, RFC 5952) and Ethernet addresses. Names are resolved elsewhere.

extension IPAddress {
    /// Reads a dotted quad (four decimal numbers, no leading zeros) or an IPv6 address (RFC 4291, 2.2, the
    /// form with an embedded IPv4 address too). Nothing around it; no zone, no prefix length.
    public init?(text: ByteText) {
        for byte in text where byte == 0x3A {
            guard let address = IPAddress(v6Text: text) else { return nil }
            self = address
            return
        }
        guard let number = dottedQuad(text, from: 0) else { return nil }
        self.init(v4: number)
    }

    private init?(v6Text text: ByteText) {
        var groups = GroupList()
        var index = 0
        if text.count >= 2, text[0] == 0x3A, text[1] == 0x3A {
            groups.markGap()
            index = 2
        }
        while index < text.count {
            let start = index
            var value: UInt32 = 0
            while index < text.count, let digit = hexadecimalDigit(text[index]) {
                guard index - start < 4 else { return nil }
                value = value << 4 | UInt32(digit)
                index += 1
            }
            if index < text.count, text[index] == 0x2E {
                guard let number = dottedQuad(text, from: start), groups.append(number >> 16),
                    groups.append(number & 0xFFFF)
                else { return nil }
                break
            }
            guard index > start, groups.append(value) else { return nil }
            if index == text.count { break }
            // After a group: one colon and another group, or "::" once.
            guard text[index] == 0x3A else { return nil }
            index += 1
            guard index < text.count else { return nil }
            if text[index] == 0x3A {
                guard groups.markGap() else { return nil }
                index += 1
            }
        }
        guard let address = groups.address else { return nil }
        self = address
    }

    /// Appends the canonical text form: dotted quad, or RFC 5952 with IPv4-mapped addresses as
    /// ::ffff:a.b.c.d.
    public func append(to text: inout ByteText) {
        guard family == .ipv6 else {
            appendDottedQuad(UInt32(truncatingIfNeeded: low), to: &text)
            return
        }
        if high == 0 && low >> 32 == 0xFFFF {
            text.append(text: "::ffff:")
            appendDottedQuad(UInt32(truncatingIfNeeded: low), to: &text)
            return
        }
        let gap = longestZeroRun()
        var index = 0
        while index < 8 {
            if index == gap.start {
                text.append(text: "::")
                index += gap.length
                continue
            }
            if index != 0 && index != gap.start + gap.length { text.append(0x3A) }
            text.append(hexadecimal: UInt64(group(index)))
            index += 1
        }
    }

    /// 16-bit group 0...7 of an IPv6 address.
    private func group(_ index: Int) -> UInt16 {
        let half = index < 4 ? high : low
        return UInt16(truncatingIfNeeded: half >> UInt64((3 - index % 4) * 16))
    }

    /// The longest run of two or more zero groups, the first of equals (RFC 5952, 4.2); from 8 when there
    /// is none.
    private func longestZeroRun() -> (start: Int, length: Int) {
        var best = (start: 8, length: 0)
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, group(end) == 0 { end += 1 }
            if end - start > max(best.length, 1) { best = (start, end - start) }
            start = end + 1
        }
        return best
    }
}

/// The 16-bit groups of an IPv6 address being read, and where "::" stood among them.
private struct GroupList {
    private var high: UInt64 = 0
    private var low: UInt64 = 0
    private var count = 0
    private var gap = -1

    /// Takes the next group; false when there are eight already.
    mutating func append(_ group: UInt32) -> Bool {
        guard count < 8 else { return false }
        high = high << 16 | low >> 48
        low = low << 16 | UInt64(group)
        count += 1
        return true
    }

    /// Notes "::"; false when there was one before.
    @discardableResult
    mutating func markGap() -> Bool {
        guard gap < 0 else { return false }
        gap = count
        return true
    }

    /// The whole, if it has eight groups, or fewer and "::" (which stands for one group or more).
    var address: IPAddress? {
        if gap < 0 { return count == 8 ? IPAddress(v6High: high, low: low) : nil }
        guard count < 8 else { return nil }
        // The groups before the gap move up to the front, those after it stay at the end.
        var wide = IPAddress(v6High: 0, low: 0)
        for index in 0..<count {
            let fromEnd = count - 1 - index
            let value = fromEnd < 4 ? low >> UInt64(fromEnd * 16) : high >> UInt64((fromEnd - 4) * 16)
            let place = index < gap ? index : 8 - count + index
            let bits = (value & 0xFFFF) << UInt64((3 - place % 4) * 16)
            if place < 4 { wide.high |= bits } else { wide.low |= bits }
        }
        return wide
    }
}

extension MACAddress {
    /// Reads six pairs of hexadecimal digits with colons between them.
    public init?(text: ByteText) {
        guard text.count == 17 else { return nil }
        var value: UInt64 = 0
        for index in 0..<17 {
            if index % 3 == 2 {
                guard text[index] == 0x3A else { return nil }
            } else {
                guard let digit = hexadecimalDigit(text[index]) else { return nil }
                value = value << 4 | UInt64(digit)
            }
        }
        self.init(value)
    }

    /// Appends six pairs of lower-case hexadecimal digits with colons between them.
    public func append(to text: inout ByteText) {
        for index in 0..<6 {
            if index != 0 { text.append(0x3A) }
            text.append(hexadecimal: UInt64(byte(index)), width: 2)
        }
    }
}

/// Four decimal numbers of 0 to 255 from `start` to the end of the text, as inet_pton(3) takes them.
private func dottedQuad(_ text: ByteText, from start: Int) -> UInt32? {
    var value: UInt32 = 0
    var index = start
    for field in 0..<4 {
        if field != 0 {
            guard index < text.count, text[index] == 0x2E else { return nil }
            index += 1
        }
        let first = index
        var number: UInt32 = 0
        while index < text.count, text[index] >= 0x30, text[index] <= 0x39 {
            // A leading zero means octal to some and decimal to others: it is refused.
            guard index == first || number != 0 else { return nil }
            number = number * 10 + UInt32(text[index] - 0x30)
            guard number <= 255 else { return nil }
            index += 1
        }
        guard index > first else { return nil }
        value = value << 8 | number
    }
    return index == text.count ? value : nil
}

private func appendDottedQuad(_ value: UInt32, to text: inout ByteText) {
    for shift in stride(from: UInt32(24), through: 0, by: -8) {
        if shift != 24 { text.append(0x2E) }
        text.append(decimal: UInt64((value >> shift) & 0xFF))
    }
}

private func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
}
