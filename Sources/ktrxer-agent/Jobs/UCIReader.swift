// SPDX-License-Identifier: MIT
// The grammar of OpenWrt's configuration files, as libuci reads it: bytes in, commands or problems out, one
// at a time, with line numbers. What sections and options mean is left to JobFileParser.swift.
import KTRxerLite

/// One command of the file. Values may be empty, which UCI takes for "not set".
enum UCICommand {
    case package(ByteText)
    /// An empty name: an anonymous section.
    case config(type: ByteText, name: ByteText)
    case option(name: ByteText, value: ByteText)
    case list(name: ByteText, value: ByteText)
}

/// Why a command is not one.
enum UCIProblem: Error {
    case noCommand(ByteText)
    case nothingAfterSemicolon
    case missing(UCIPart)
    case badName(ByteText)
    case badType(ByteText)
    case tooMuch(ByteText)
    /// The quote, and whether some later line closes it.
    case openQuote(UInt8, closed: Bool)
    case control(UInt8)
    case tooLong

    /// Appends one line without a newline: what is wrong, what was expected.
    func append(to text: inout ByteText) {
        switch self {
        case .noCommand(let word):
            text.append(quoted: word)
            text.append(text: " is no command, expected config, option, list or package")
        case .nothingAfterSemicolon:
            text.append(text: "nothing follows the ';', expected another command or no ';'")
        case .missing(let part): text.append(text: part.text)
        case .badName(let name):
            text.append(quoted: name)
            text.append(text: " is not a valid name, expected letters, digits and _ only")
        case .badType(let type):
            text.append(quoted: type)
            text.append(text: " is not a valid section type, expected config agent or config job")
        case .tooMuch(let word):
            text.append(quoted: word)
            text.append(text: " is one word too many, expected quotes around a value with spaces")
        case .openQuote(let quote, let closed):
            text.append(text: "the ")
            text.append(quote)
            text.append(text: closed ? " opened here goes on into another line" : " opened here is never closed")
            text.append(text: ", expected another ")
            text.append(quote)
            text.append(text: " after the value")
        case .control(let byte):
            text.append(text: "control character 0x")
            text.append(hexadecimal: UInt64(byte), width: 2)
            text.append(text: ", expected printable text")
        case .tooLong:
            text.append(text: "a word of more than ")
            text.append(decimal: Int64(UCIReader.longestWord))
            text.append(text: " bytes, expected a shorter one")
        }
    }
}

/// What can be missing from a command.
enum UCIPart {
    case packageName, sectionType, optionName, listName

    var text: StaticString {
        switch self {
        case .packageName: "package without a name, expected: package NAME"
        case .sectionType: "config without a type, expected: config agent, or config job 'NAME'"
        case .optionName: "option without a name, expected: option NAME 'VALUE'"
        case .listName: "list without a name, expected: list NAME 'VALUE'"
        }
    }
}

/// Reads commands one after another. Time and memory are linear in the size of the file.
final class UCIReader {
    /// Bytes. libuci has no bound; nothing that is longer means anything here.
    static let longestWord = 4_096
    /// After so many quotes without an end, the rest of the file is given up.
    private static let mostOpenQuotes = 10

    private let bytes: ByteText
    private var position = 0
    private var currentLine = 1
    private var openQuotes = 0
    /// Where the first quote of this command that goes on over lines begins, or -1; and its line.
    private var spanStart = -1
    private var spanLine = 0
    private var afterSemicolon = false
    /// Line of the command or problem that `next` returned last, from 1.
    private(set) var line = 0
    /// The last command or problem was a `config`: it ends the section before it either way.
    private(set) var isConfig = false

    init(_ bytes: ByteText) { self.bytes = bytes }

    /// The next command; nil at the end. After a problem it goes on with the next line.
    func next() throws(UCIProblem) -> UCICommand? {
        while true {
            if afterSemicolon {
                afterSemicolon = false
                while peek == 0x20 || peek == 0x09 { position += 1 }
                line = currentLine
                if peek == 0x0A || peek == 0x0D { throw .nothingAfterSemicolon }
            }
            while let byte = peek, Self.isSpace(byte) { advance(past: byte) }
            line = currentLine
            guard let byte = peek else { return nil }
            if byte != 0x23 { break }
            skipLine()
        }
        do throws(UCIProblem) {
            return try command()
        } catch {
            skipLine()
            throw error
        }
    }

    private func command() throws(UCIProblem) -> UCICommand {
        spanStart = -1
        // libuci takes the command up to a space or tab, without looking at quotes.
        var command = ByteText()
        while let byte = peek, byte != 0x20, byte != 0x09, byte != 0x0A {
            if command.count <= 40 { command.append(byte) }
            position += 1
        }
        if command.last == 0x0D { command.removeLast() }
        isConfig = command.equals("config") || command.equals("c")
        if isConfig {
            let type = try word()
            if type.isEmpty { throw .missing(.sectionType) }
            for byte in type where byte <= 0x20 || byte >= 0x7F { throw .badType(type) }
            let name = try word()
            try checkName(name)
            try endOfCommand()
            return .config(type: type, name: name)
        }
        if command.equals("option") || command.equals("o") {
            let (name, value) = try pair(.optionName)
            return .option(name: name, value: value)
        }
        if command.equals("list") || command.equals("l") {
            let (name, value) = try pair(.listName)
            return .list(name: name, value: value)
        }
        if command.equals("package") || command.equals("p") {
            let name = try word()
            if name.isEmpty { throw .missing(.packageName) }
            try checkName(name, package: true)
            try endOfCommand()
            return .package(name)
        }
        throw .noCommand(command)
    }

    private func pair(_ part: UCIPart) throws(UCIProblem) -> (ByteText, ByteText) {
        let name = try word()
        if name.isEmpty { throw .missing(part) }
        try checkName(name)
        let value = try word()
        try endOfCommand()
        return (name, value)
    }

    @inline(never)
    private func checkName(_ name: ByteText, package: Bool = false) throws(UCIProblem) {
        for byte in name {
            let letter = byte | 0x20
            let good =
                (letter >= 0x61 && letter <= 0x7A) || (byte >= 0x30 && byte <= 0x39) || byte == 0x5F
                || (package && byte == 0x2D)
            if !good { throw .badName(name) }
        }
    }

    @inline(never)
    private func endOfCommand() throws(UCIProblem) {
        // As in libuci, a ';' in the place of a word only stands for an empty one.
        afterSemicolon = false
        if spanStart >= 0 {
            // A quote goes on over lines, and more comes after it: most likely its end is missing, and this is what
            // stands after the beginning of the next one.
            skipSpaces()
            if let byte = peek, byte != 0x0A, byte != 0x23, byte != 0x3B {
                throw openQuote(at: spanStart, line: spanLine, closed: true)
            }
        }
        let extra = try word()
        if !extra.isEmpty { throw .tooMuch(extra) }
    }

    /// The next word of this command, quotes and backslashes resolved; empty at its end.
    @inline(never)
    private func word() throws(UCIProblem) -> ByteText {
        var word = ByteText()
        if afterSemicolon { return word }
        skipSpaces()
        if peek == 0x3B {
            position += 1
            afterSemicolon = true
            return word
        }
        var first = true
        while let byte = peek, first || !Self.isSpace(byte), byte != 0x0A, byte != 0x3B {
            first = false
            switch byte {
            case 0x27, 0x22: try quoted(byte, into: &word)
            case 0x23:
                // A comment starts anywhere outside quotes, even within a word.
                while let rest = peek, rest != 0x0A { advance(past: rest) }
            case 0x5C:
                position += 1
                if !joinLine(), let escaped = peek {
                    try take(escaped, into: &word)
                    advance(past: escaped)
                }
            default:
                try take(byte, into: &word)
                position += 1
            }
        }
        return word
    }

    private func quoted(_ quote: UInt8, into word: inout ByteText) throws(UCIProblem) {
        let start = position
        let startLine = currentLine
        position += 1
        while let byte = peek {
            if byte == quote {
                position += 1
                if currentLine != startLine && spanStart < 0 { (spanStart, spanLine) = (start, startLine) }
                return
            }
            if byte == 0x5C && quote == 0x22 {
                position += 1
                if joinLine() { continue }
                guard let escaped = peek else { break }
                try take(escaped, into: &word)
                advance(past: escaped)
            } else {
                try take(byte, into: &word)
                advance(past: byte)
            }
        }
        throw openQuote(at: start, line: startLine, closed: false)
    }

    /// Goes back to the line of a quote, to read the lines after it as if the quote were not there: their errors
    /// are to be found too.
    @inline(never)
    private func openQuote(at start: Int, line startLine: Int, closed: Bool) -> UCIProblem {
        openQuotes += 1
        let quote = bytes[start]
        if openQuotes <= Self.mostOpenQuotes {
            (position, currentLine) = (start, startLine)
        } else if !closed {
            position = bytes.count
        }
        line = startLine
        return .openQuote(quote, closed: closed)
    }

    /// After a backslash: when the line ends here, goes on to the next one and says so.
    @inline(never)
    private func joinLine() -> Bool {
        if peek == 0x0D && position + 1 < bytes.count && bytes[position + 1] == 0x0A { position += 1 }
        guard peek == 0x0A else { return peek == nil }
        advance(past: 0x0A)
        return true
    }

    @inline(never)
    private func take(_ byte: UInt8, into word: inout ByteText) throws(UCIProblem) {
        if byte == 0x7F || (byte < 0x20 && byte != 0x09 && byte != 0x0A && byte != 0x0D) {
            throw .control(byte)
        }
        if word.count >= Self.longestWord { throw .tooLong }
        word.append(byte)
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    @inline(never)
    private func skipSpaces() {
        while let byte = peek, byte != 0x0A, Self.isSpace(byte) { position += 1 }
    }

    private func advance(past byte: UInt8) {
        if byte == 0x0A { currentLine += 1 }
        position += 1
    }

    @inline(never)
    private func skipLine() {
        afterSemicolon = false
        while let byte = peek {
            advance(past: byte)
            if byte == 0x0A { return }
        }
    }

    /// C's isspace.
    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }
}
