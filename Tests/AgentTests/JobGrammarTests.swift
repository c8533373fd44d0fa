// SPDX-License-Identifier: MIT
// The grammar of the job file, as libuci's parser has it (uci_parse_line and below in its file.c).
import Foundation
import KTRxerLite
import Testing

@testable import ktrxer_agent

/// Commands and problems as text: `LINE config|TYPE|NAME`, `LINE !PROBLEM`.
private func read(_ bytes: ByteText) -> [String] {
    var reader = UCIReader(bytes)
    var items: [String] = []
    while true {
        do throws(UCIProblem) {
            guard let command = try reader.next() else { return items }
            let words: [ByteText]
            switch command {
            case .package(let name): words = [ByteText("package"), name]
            case .config(let type, let name): words = [ByteText("config"), type, name]
            case .option(let name, let value): words = [ByteText("option"), name, value]
            case .list(let name, let value): words = [ByteText("list"), name, value]
            }
            items.append("\(reader.line) " + words.map(string).joined(separator: "|"))
        } catch {
            var text = ByteText()
            error.append(to: &text)
            items.append("\(reader.line) !" + string(text))
        }
    }
}

private func read(_ text: String) -> [String] { read(ByteText(text)) }

@Suite struct JobGrammarTests {
    @Test(
        arguments: [
            ("option a b", "1 option|a|b"),
            ("  \t option \t a \t b \t ", "1 option|a|b"),
            ("option a 'b c'", "1 option|a|b c"),
            ("option a \"b c\"", "1 option|a|b c"),
            ("option a 'b'\"c\"d\\ e", "1 option|a|bcd e"),
            ("option a 'it'\\''s'", "1 option|a|it's"),
            ("option a \"say \\\"x\\\" \\\\ \\n\"", "1 option|a|say \"x\" \\ n"),
            ("option a 'no \\escape \"here\"'", "1 option|a|no \\escape \"here\""),
            ("option 'a' b", "1 option|a|b"),
            ("option a", "1 option|a|"),
            ("option a ''", "1 option|a|"),
            ("option a b # comment", "1 option|a|b"),
            ("option a b#comment", "1 option|a|b"),
            ("option a '#b'\\#c", "1 option|a|#b#c"),
            ("o a b", "1 option|a|b"),
            ("l a b", "1 list|a|b"),
            ("c t n", "1 config|t|n"),
            ("p n", "1 package|n"),
            ("package my-package", "1 package|my-package"),
            ("config job", "1 config|job|"),
            ("config job 'n'\r", "1 config|job|n"),
            ("config a!b n", "1 config|a!b|n"),
            ("list a b", "1 list|a|b"),
            ("option a b\\\nc", "1 option|a|bc"),
            ("option a b\\\r\nc", "1 option|a|bc"),
            ("option a \"b\\\nc\"", "1 option|a|bc"),
            ("option a 'b\\\nc'", "1 option|a|b\\\nc"),
            ("option a 'b\nc'", "1 option|a|b\nc"),
            ("option a b\\", "1 option|a|b"),
            ("option a \u{C4}", "1 option|a|\u{C4}"),
            ("# only a comment", nil),
            ("", nil),
            ("\n\n \r\n\t\n", nil),
        ] as [(String, String?)])
    func oneCommand(_ text: String, _ expected: String?) {
        #expect(read(text) == (expected.map { [$0] } ?? []), "\(text)")
        #expect(read(text + "\n") == (expected.map { [$0] } ?? []), "\(text) and a newline")
    }

    @Test(
        arguments: [
            ("optoin a b", "'optoin' is no command, expected config, option, list or package"),
            ("option#x a b", "'option#x' is no command, expected config, option, list or package"),
            ("'option' a b", "''option'' is no command, expected config, option, list or package"),
            ("config", "config without a type, expected: config agent, or config job 'NAME'"),
            (
                "config 'two words' x",
                "'two words' is not a valid section type, expected config agent or config job"
            ),
            ("config job a b", "'b' is one word too many, expected quotes around a value with spaces"),
            ("config job a-b", "'a-b' is not a valid name, expected letters, digits and _ only"),
            ("option", "option without a name, expected: option NAME 'VALUE'"),
            ("option a b c", "'c' is one word too many, expected quotes around a value with spaces"),
            ("option a.b c", "'a.b' is not a valid name, expected letters, digits and _ only"),
            ("list", "list without a name, expected: list NAME 'VALUE'"),
            ("package", "package without a name, expected: package NAME"),
            ("package a b", "'b' is one word too many, expected quotes around a value with spaces"),
            ("option a 'b", "the ' opened here is never closed, expected another ' after the value"),
            ("option a \"b", "the \" opened here is never closed, expected another \" after the value"),
            ("option a \"b\\\"", "the \" opened here is never closed, expected another \" after the value"),
            ("option a b;", nil),
            ("option a b\u{0}", "control character 0x00, expected printable text"),
            ("option a 'b\u{7F}'", "control character 0x7f, expected printable text"),
            ("option a \\\n  b", "'b' is one word too many, expected quotes around a value with spaces"),
        ] as [(String, String?)])
    func oneProblem(_ text: String, _ expected: String?) {
        let found = read(text)
        #expect(found == (expected.map { ["1 !" + $0] } ?? ["1 option|a|b"]), "\(text)")
    }

    @Test func commandsOnOneLine() {
        #expect(
            read("config job a; option b c;option d 'e;f' ; list g h # i; j\n")
                == ["1 config|job|a", "1 option|b|c", "1 option|d|e;f", "1 list|g|h"])
        #expect(
            read("option a b;\noption c d\n")
                == [
                    "1 option|a|b", "1 !nothing follows the ';', expected another command or no ';'",
                    "2 option|c|d",
                ])
        #expect(
            read("option a; b\n")
                == ["1 !'b' is one word too many, expected quotes around a value with spaces"])
    }

    @Test func linesAreCountedThroughQuotesAndJoins() {
        #expect(
            read("option a 'x\ny\nz' \n\noption b \\\n c\noption d e\\\n\nbad\n") == [
                "1 option|a|x\ny\nz",
                "5 !'c' is one word too many, expected quotes around a value with spaces",
                "7 option|d|e", "9 !'bad' is no command, expected config, option, list or package",
            ])
    }

    @Test func afterAnOpenQuoteTheNextLinesAreRead() {
        #expect(
            read("option a 'b\noption c \"d\noption e f\n") == [
                "1 !the ' opened here is never closed, expected another ' after the value",
                "2 !the \" opened here is never closed, expected another \" after the value",
                "3 option|e|f",
            ])
    }

    @Test func aQuoteThatTheNextValueCloses() {
        #expect(
            read("option a 'b\noption c 'd e'\noption f g\n") == [
                "1 !the ' opened here goes on into another line, expected another ' after the value", "2 option|c|d e",
                "3 option|f|g",
            ])
        // What may well be meant is taken.
        #expect(read("option a 'b\noption c 'd\n") == ["1 option|a|b\noption c d"])
    }

    @Test func longWords() {
        let longest = String(repeating: "x", count: 4_096)
        #expect(read("option a \(longest)") == ["1 option|a|\(longest)"])
        #expect(
            read("option a \(longest)y\noption b c")
                == ["1 !a word of more than 4096 bytes, expected a shorter one", "2 option|b|c"])
        #expect(
            read("option a '\(longest)y'\noption b c")
                == ["1 !a word of more than 4096 bytes, expected a shorter one", "2 option|b|c"])
    }

    @Test func laterOptionsReplaceAndListsAppend() throws {
        let file = try #require(
            parsed(
                """
                config job a
                    option kind trace
                    option kind ping
                    option count wrong
                    option count 3
                    option gap 5s
                    option gap ''
                    option target first
                    list target second
                    option target third
                    list target fourth
                    option cron '@daily'
                    option cron
                    option at start
                """))
        #expect(file.jobs[0].options.kind == .ping)
        #expect(file.jobs[0].options.count == 3)
        #expect(file.jobs[0].options.gap == 1_000_000_000)
        #expect(file.jobs[0].targets.map(string) == ["third", "fourth"])
        #expect(file.jobs[0].schedule == .atStart)
    }
}

/// Nothing that a file says may stop the program or take more than linear time.
@Suite struct JobFileAbuseTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private static let words = [
        "config", "job", "agent", "option", "list", "package", "target", "kind", "ping", "trace", "train",
        "interval",
        "cron", "at", "start", "count", "gap", "10s", "'", "\"", "\\", "\n", "\r\n", " ", " ", " ", ";", "#",
        "*", "/",
        "-", ",", "a", "b", "0", "59", "99999999999999999999", "\u{0}", "\u{FF}", "'x y'", "phase", "splay",
        "source",
        "::1", "1.2.3.4", "interface", "max_pps", "* * * * *", "*/5", "sun-sat", "@daily",
    ]

    @Test func randomBytes() {
        var generator = Generator(state: 1)
        for _ in 0..<50_000 {
            let bytes = (0..<Int.random(in: 0..<80, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            #expect(!errors(of: bytes).isEmpty)
        }
    }

    @Test func randomWords() {
        var generator = Generator(state: 2)
        var good = 0
        for _ in 0..<50_000 {
            var text = "config job a\noption kind ping\nlist target h\noption at start\n"
            for _ in 0..<Int.random(in: 0..<30, using: &generator) {
                text += Self.words.randomElement(using: &generator) ?? ""
                if Bool.random(using: &generator) { text += " " }
            }
            if errors(of: text).isEmpty { good += 1 }
        }
        #expect(good > 100, "most of the time such text is wrong, not always: \(good)")
    }

    @Test func mutatedFile() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../examples/first-run.conf")
        let original = ByteText(try Data(contentsOf: path))
        var generator = Generator(state: 3)
        for _ in 0..<2_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.removeSubrange(place..<min(bytes.count, place + 40))
                }
                if bytes.isEmpty { break }
            }
            _ = errors(of: bytes)
        }
    }

    @Test func cronOfRandomText() {
        var generator = Generator(state: 4)
        let letters = ByteText("0123456789*/-,, \tjanfebsunMON@")
        for _ in 0..<100_000 {
            let text = (0..<Int.random(in: 0..<24, using: &generator)).map { _ in
                letters.randomElement(using: &generator) ?? 0
            }
            do throws(CronError) {
                let expression = try CronExpression(text)
                #expect(expression.minutes != 0 && expression.hours != 0 && expression.months != 0)
            } catch {
                var message = ByteText()
                error.append(to: &message)
                #expect(!message.isEmpty)
            }
        }
    }

    /// Twice the size must not take more than three times as long (and a bit, for a busy machine).
    private func isLinear(_ make: (Int) -> ByteText, _ size: Int) -> Bool {
        let clock = ContinuousClock()
        for _ in 0..<3 {
            let (small, large) = (make(size), make(2 * size))
            let first = clock.measure { _ = errors(of: small) }
            let second = clock.measure { _ = errors(of: large) }
            if second < first * 3 + .milliseconds(100) { return true }
        }
        return false
    }

    @Test func tenMegabytesInOneLine() {
        for start in ["", "option a ", "option a '", "config job a b ", "# ", "option a \"\\"] {
            #expect(isLinear({ ByteText(start) + ByteText(repeating: 0x78, count: $0) }, 200_000), "\(start)")
        }
        for byte in [0x27, 0x22, 0x5C, 0x3B, 0, 0x20, 0x0A, 0x23] as [UInt8] {
            #expect(isLinear({ ByteText(repeating: byte, count: $0) }, 100_000), "\(byte)")
        }
        #expect(!errors(of: ByteText("option a ") + ByteText(repeating: 0x78, count: 10_000_000)).isEmpty)
    }

    @Test func manyLinesThatAreWrong() {
        for line in [
            "option a 'b\n", "option a \"\n", "x\n", "config job a\n", "config job\n", "option x y\n", "';\n",
        ] {
            let bytes = ByteText(line)
            #expect(
                isLinear(
                    { count in (0..<count).reduce(into: ByteText()) { text, _ in text += bytes } }, 10_000),
                "\(line)")
        }
    }

    @Test func tenThousandJobs() throws {
        var text = ""
        for number in 0..<10_000 {
            text +=
                "config job 'job_\(number)'\n\toption kind 'ping'\n\tlist target '192.0.2.1'\n\toption interval '1m'\n"
        }
        let start = ContinuousClock.now
        let file = try #require(parsed(text))
        #expect(file.jobs.count == 10_000)
        #expect(file.jobs[9_999].line == 39_997)
        #expect(ContinuousClock.now - start < .seconds(30))
        let twice = errors(of: text + text)
        #expect(twice.count == 101)
        #expect(
            twice[0] == "f:40001: the name 'job_0' is taken by the section in line 1, expected another name")
        #expect(twice[100] == "f: 9900 more errors; correct these first")
    }

    @Test func tooManyJobs() {
        let job = "config job a\noption kind ping\nlist target h\noption at start\n"
        var text = ByteText()
        for _ in 0..<65_536 { text += ByteText("config job\n") }
        text += ByteText(job)
        let report = errors(of: text)
        #expect(report.count == 101)
        #expect(report.last == "f: 262045 more errors; correct these first")
    }
}
