// SPDX-License-Identifier: MIT
// Options and operands of one command, one after the other, split in the C floor. What they mean is
// OptionsParser.swift's.
import CKTRxer
import KTRxerLite

/// Long options, by their number in `OptionSyntax.names`. Those before are the measurement's, by raw value.
enum CommandOption: UInt8 {
    case json = 17
    case maxPPS, resolver, pcap, help, file, once, due
    /// Of the doctor, beside which only `help` stands.
    case doctorJSON
}

/// What the C floor is told of one command's options.
struct OptionSyntax {
    let letters: StaticString
    /// Which of the names are known.
    let first: Int
    let count: Int

    static let measure = OptionSyntax(letters: "46P:p:s:Q:DS:I:T:W:t:c:i:f:m:q:r:h", first: 0, count: 22)
    static let run = OptionSyntax(letters: "f:h", first: 20, count: 5)
    static let check = OptionSyntax(letters: "f:h", first: 21, count: 2)
    static let doctor = OptionSyntax(letters: "h", first: 25, count: 2)

    /// All long options, `:` after those with a value. The measurement's are those of OptionTable.swift, in its
    /// order, with `-` for `_`.
    static let names: StaticString = """
        family:\0protocol:\0port:\0size:\0tos:\0df:\0source:\0interface:\0transport:\0timeout:\0ttl:\0count:\0gap:\0\
        first-hop:\0max-hops:\0probes:\0rate:\0json\0max-pps:\0resolver:\0pcap:\0help\0file:\0once\0due\0\
        json\0help\0
        """

    /// Long option `number`, without its `:`.
    static func name(_ number: Int) -> UnsafeBufferPointer<UInt8> {
        var start = names.utf8Start
        var index = 0
        while true {
            var length = 0
            while start[length] != 0 { length += 1 }
            if index == number {
                return UnsafeBufferPointer(start: start, count: start[length - 1] == 0x3A ? length - 1 : length)
            }
            start += length + 1
            index += 1
        }
    }

    /// What stands on a command line for a code of `ktrxer_option`: `-c` or `--count`.
    static func spelling(_ code: Int32) -> ByteText {
        if code < Int32(KTRXER_OPTION_LONG) { return [0x2D, UInt8(truncatingIfNeeded: code)] }
        var spelling: ByteText = [0x2D, 0x2D]
        spelling.append(contentsOf: name(Int(code) - KTRXER_OPTION_LONG))
        return spelling
    }
}

/// Goes through the arguments of a command; an element that is wrong is the last.
final class OptionsReader {
    private var bytes = ByteText()
    private var found: [ktrxer_option] = []
    private var index = -1

    /// `arguments[0]` is the command.
    init(_ arguments: [ByteText], _ syntax: OptionSyntax) {
        for index in 1..<max(1, arguments.count) { append(arguments[index]) }
        // A letter takes at least one byte, an operand two.
        found = [ktrxer_option](repeating: ktrxer_option(), count: bytes.count)
        let count = ktrxer_options(
            bytes, UInt32(truncatingIfNeeded: bytes.count), syntax.letters.utf8Start, OptionSyntax.names.utf8Start,
            UInt32(syntax.first), UInt32(syntax.count), &found, UInt32(truncatingIfNeeded: found.count))
        found.removeLast(found.count - max(0, Int(count)))
    }

    /// In the name of a long option, `_` becomes `-`.
    private func append(_ argument: ByteText) {
        var isName = argument.count > 2 && argument[0] == 0x2D && argument[1] == 0x2D
        for byte in argument {
            if byte == 0x3D { isName = false }
            // An argument of a program cannot have a NUL; one of a test could.
            if byte != 0 { bytes.append(isName && byte == 0x5F ? 0x2D : byte) }
        }
        bytes.append(0)
    }

    /// Goes on to the next element; its code as in `ktrxer_option`, nil at the end.
    func next() -> Int32? {
        index += 1
        return index < found.count ? found[index].code : nil
    }

    /// What goes with the element.
    var value: ByteText {
        let from = Int(found[index].offset)
        return ByteText(bytes[from..<(from + Int(found[index].length))])
    }

    var culprit: Int32 { found[index].culprit }
}
