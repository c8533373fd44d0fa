// SPDX-License-Identifier: MIT
// Options and operands of one command, one after the other, by getopt_long in the C floor. What they mean is
// OptionsParser.swift's.
import CKTRxer
import KTRxerLite

/// Options that are not options of a measurement, by their letter or their code for getopt_long.
enum CommandOption: UInt8 {
    case ipv4 = 0x34
    case ipv6 = 0x36
    case dontFragment = 0x44
    case file = 0x66
    case help = 0x68
    case json = 0xC0
    case pcap, maxPPS, once, due
}

/// What getopt_long is told of one command's options.
struct OptionSyntax {
    /// Letters, `:` after one that takes a value.
    private(set) var letters = ByteText()
    /// Code, `:` or `-`, name and NUL of each long option.
    private(set) var names = ByteText()

    /// Adds a long option; `_` in the name becomes `-`.
    mutating func add(_ name: StaticString, code: UInt8, takesValue: Bool) {
        names.append(code)
        names.append(takesValue ? 0x3A : 0x2D)
        for index in 0..<name.utf8CodeUnitCount {
            let byte = name.utf8Start[index]
            names.append(byte == 0x5F ? 0x2D : byte)
        }
        names.append(0)
    }

    mutating func addHelp() {
        add("help", code: CommandOption.help.rawValue, takesValue: false)
        add(letter: CommandOption.help.rawValue, takesValue: false)
    }

    mutating func add(letter: UInt8, takesValue: Bool) {
        letters.append(letter)
        if takesValue { letters.append(0x3A) }
    }

    /// The long option of that code with its dashes; else the letter with one.
    func name(of code: UInt8) -> ByteText {
        var name: ByteText = [0x2D, 0x2D]
        visit { candidate, from, to in
            if candidate == code { name.append(contentsOf: names[from..<to]) }
        }
        return name.count > 2 ? name : [0x2D, code]
    }

    /// The name, with its dashes, that is nearest to one without; nil when none is near.
    func nearest(to wanted: ByteText) -> ByteText? {
        var nearest = NearestName(to: wanted)
        visit { code, from, to in
            names.withUnsafeBufferPointer {
                nearest.consider(UnsafeBufferPointer(rebasing: $0[from..<to]), code: code)
            }
        }
        return nearest.bestCode == 0 ? nil : name(of: nearest.bestCode)
    }

    /// How many names begin with these bytes.
    func number(beginningWith prefix: ByteText) -> Int {
        var number = 0
        visit { _, from, to in
            guard to - from >= prefix.count else { return }
            for index in 0..<prefix.count where names[from + index] != prefix[index] { return }
            number += 1
        }
        return number
    }

    /// Code, and where the name is in `names`, of each long option.
    private func visit(_ body: (UInt8, Int, Int) -> Void) {
        var start = 0
        while start < names.count {
            var end = start + 2
            while names[end] != 0 { end += 1 }
            body(names[start], start + 2, end)
            start = end + 1
        }
    }
}

/// One element of a command line.
enum OptionElement {
    case operand(ByteText)
    /// A letter or a code, and the value or nothing.
    case option(UInt8, ByteText)
    /// The letter, or 0 and the whole argument.
    case unknown(UInt8, ByteText)
    case noValue(UInt8)
    case extraValue(UInt8)
}

enum OptionsReader {
    /// Splits the arguments of a command; an element that is wrong is the last.
    static func read(_ arguments: ArraySlice<ByteText>, _ syntax: OptionSyntax) -> [OptionElement] {
        var bytes = ByteText()
        var optionsEnded = false
        for argument in arguments {
            let start = bytes.count
            // An argument of a program cannot have a NUL; one of a test could.
            for byte in argument where byte != 0 { bytes.append(byte) }
            if argument.equals("--") { optionsEnded = true }
            if !optionsEnded && bytes.count > start + 2 && bytes[start] == 0x2D && bytes[start + 1] == 0x2D {
                var index = start
                while index < bytes.count && bytes[index] != 0x3D {
                    if bytes[index] == 0x5F { bytes[index] = 0x2D }
                    index += 1
                }
            }
            bytes.append(0)
        }
        // A letter takes at least one byte, an operand two.
        let capacity = bytes.count
        let found = [ktrxer_option](unsafeUninitializedCapacity: capacity) { buffer, count in
            let letters = syntax.letters + [0]
            let names = syntax.names + [0]
            let result = ktrxer_options(
                bytes, UInt32(truncatingIfNeeded: bytes.count), letters, names, buffer.baseAddress,
                UInt32(truncatingIfNeeded: capacity))
            count = max(0, Int(result))
        }
        var elements: [OptionElement] = []
        for option in found {
            let from = Int(option.offset)
            let value = ByteText(bytes[from..<(from + Int(option.length))])
            let culprit = UInt8(truncatingIfNeeded: option.culprit)
            switch option.code {
            case Int32(KTRXER_OPTION_OPERAND): elements.append(.operand(value))
            case Int32(KTRXER_OPTION_UNKNOWN): elements.append(.unknown(culprit, value))
            case Int32(KTRXER_OPTION_NO_VALUE): elements.append(.noValue(culprit))
            case Int32(KTRXER_OPTION_EXTRA_VALUE): elements.append(.extraValue(culprit))
            default: elements.append(.option(UInt8(truncatingIfNeeded: option.code), value))
            }
        }
        return elements
    }
}
