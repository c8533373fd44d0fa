// SPDX-License-Identifier: MIT
// ktrxer-agent(1) and ktrxer-jobs(5) say what the program does: every command, option, range, default and
// exit status of its own tables, and no option that it does not have.
import KTRxerLite
import Testing

@testable import ktrxer_agent

@Suite struct ManualPageTests {
    /// The items of each section or subsection of a page, by its title: what follows `.It `, and the lines below.
    private func items(_ path: String) throws -> [String: [(item: String, lines: [String])]] {
        var found: [String: [(item: String, lines: [String])]] = [:]
        var title = ""
        var isItem = false
        for line in try repositoryFile(path).split(separator: "\n").map(String.init) {
            if line.hasPrefix(".Sh ") || line.hasPrefix(".Ss ") {
                title = String(line.dropFirst(4))
                #expect(found[title] == nil, "\(title) is there twice")
                found[title] = []
                isItem = false
            } else if line.hasPrefix(".It ") {
                found[title]?.append((String(line.dropFirst(4)), []))
                isItem = true
            } else if line == ".El" {
                isItem = false
            } else if isItem, let last = found[title]?.indices.last {
                found[title]?[last].lines.append(line)
            }
        }
        return found
    }

    /// Options of one subsection of ktrxer-jobs(5), held to the rows of docs/job-file.md, which are held to the tables.
    private func hold(_ section: [(item: String, lines: [String])]?, to names: [String], of title: String) throws {
        let rows = try JobDocumentTests.rows(try repositoryFile("docs/job-file.md"))
        let section = try #require(section, "no subsection \(title)")
        #expect(section.map(\.item).sorted() == names.map { "Cm \($0)" }.sorted(), "\(title)")
        for (item, lines) in section {
            let row = try #require(rows[String(item.dropFirst(3))], "\(item)")
            let value = row.count == 5 ? row[2] : row[0]
            let preset = (row.count == 5 ? row[3] : row[1]).replacing("`", with: "")
            #expect(lines.count > 2, "\(item) is not explained")
            #expect(Array(lines.prefix(2)) == ["Value: \(value).", "Default: \(preset)."], "\(item)")
        }
    }

    @Test func jobFile() throws {
        let page = try items("docs/man/man5/ktrxer-jobs.5")
        try hold(
            page["Options of agent"],
            to: (0..<AgentOption.number).compactMap { AgentOption(rawValue: $0)?.name.description },
            of: "Options of agent")
        try hold(
            page["Options of job"], to: (0..<JobOption.number).compactMap { JobOption(rawValue: $0)?.name.description },
            of: "Options of job")
        let entries = (0..<MeasurementOption.number).compactMap { MeasurementOption(rawValue: $0) }.map(
            OptionTable.entry)
        for kinds in [KindSet.all, .pingAndTrain, .trace] {
            let title = "Options of \(kinds.text)"
            try hold(
                page[title], to: entries.filter { $0.kinds.bits == kinds.bits }.map(\.name.description), of: title)
        }
    }

    /// Each option of the command line stands in a subsection that names the command, with its letter, and no other does.
    @Test(arguments: [
        ("ping", OptionSyntax.measure), ("trace", .measure), ("train", .measure), ("run", .run), ("check", .check),
        ("doctor", .doctor),
    ])
    func commandLine(_ command: String, _ syntax: OptionSyntax) throws {
        let page = try items("docs/man/man1/ktrxer-agent.1")
        let subsections = page.filter { $0.key.hasPrefix("Options of ") && $0.key.contains(command) }
        let written = subsections.values.joined().map { $0.item.split(separator: " ").map(String.init) }
        // `.It Fl c , Fl -count Ar number`
        let flags = Set(
            written.flatMap { words in
                zip(words, words.dropFirst()).filter { $0.0 == "Fl" }.map(\.1)
            })
        let kind = [MeasurementKind.ping, .trace, .train].first { $0.name.description == command }
        var wanted = Set<String>()
        for number in syntax.first..<(syntax.first + syntax.count) {
            let name = String(decoding: OptionSyntax.name(number), as: UTF8.self)
            if name == "help" { continue }
            if let option = MeasurementOption(rawValue: UInt8(number)), syntax.first == 0 {
                let entry = OptionTable.entry(option)
                guard let kind, entry.kinds.contains(kind) else { continue }
                if entry.letter != 0 { wanted.insert(String(UnicodeScalar(entry.letter))) }
            }
            wanted.insert("-" + name)
        }
        if kind != nil { wanted.formUnion(["4", "6", "D"]) } else if command != "doctor" { wanted.insert("f") }
        // `check` shares its subsection with `run`.
        #expect(
            command == "check" ? wanted.isSubset(of: flags) : wanted == flags, "\(wanted.symmetricDifference(flags))")
    }

    /// A letter and its name are one item.
    @Test func letters() throws {
        let written = try items("docs/man/man1/ktrxer-agent.1").values.joined().map(\.item)
        for raw in 0..<MeasurementOption.number {
            let entry = OptionTable.entry(try #require(MeasurementOption(rawValue: raw)))
            let name = entry.name.description.replacing("_", with: "-")
            let letter = entry.letter == 0 ? "" : "Fl \(UnicodeScalar(entry.letter)) , "
            #expect(written.contains { $0.contains("\(letter)Fl -\(name) Ar ") }, "\(name)")
        }
    }

    @Test func commandsAndStatuses() throws {
        let page = try items("docs/man/man1/ktrxer-agent.1")
        let overview = string(Help.text(.all)).split(separator: "\n").filter { $0.hasPrefix("  ktrxer-agent ") }
        let commands = Set(overview.map { String($0.split(separator: " ")[1]) })
        #expect(commands.count == 8)
        #expect(Set((page["DESCRIPTION"] ?? []).map { String($0.item.dropFirst(3)) }) == commands)
        let statuses = (Int32(0)...127).filter { ExitStatus(rawValue: $0) != nil }
        #expect((page["EXIT STATUS"] ?? []).map(\.item) == statuses.map(String.init))
    }
}
