// SPDX-License-Identifier: MIT
// docs/job-file.md says what the program does: every option with its kinds, values and defaults, and the
// example of errors word for word.
import Foundation
import KTRxerLite
import Testing

@testable import ktrxer_agent

@Suite struct JobDocumentTests {
    private let document: String
    /// Cells of the table rows whose first cell is code, by that name.
    private let rows: [String: [String]]

    init() throws {
        document = try repositoryFile("docs/job-file.md")
        rows = try Self.rows(document)
    }

    /// The rows of a document, as `rows`.
    static func rows(_ document: String) throws -> [String: [String]] {
        var rows: [String: [String]] = [:]
        for line in document.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            let name = cells[0].trimmingCharacters(in: ["`"])
            #expect(rows[name] == nil, "\(name) is there twice")
            rows[name] = Array(cells.dropFirst())
        }
        return rows
    }

    private func text(_ form: OptionForm) -> String {
        var text = ByteText()
        form.append(to: &text)
        return string(text).components(separatedBy: ", such as")[0]
    }

    private func value(_ option: MeasurementOption, _ options: MeasurementOptions) -> String {
        var text = ByteText()
        switch option {
        case .family: return options.family == .any ? "any" : "?"
        case .proto: return options.proto.name.description
        case .port: return "\(options.port)"
        case .size: return "\(options.size)"
        case .tos: return "\(options.trafficClass)"
        case .df: return options.dontFragment ? "1" : "0"
        case .source: return options.source == nil ? "by the routing table" : "?"
        case .interface: return options.interface.isEmpty ? "by the routing table" : "?"
        case .transport: return options.transport == .auto ? "auto" : "?"
        case .timeout: text.append(duration: options.timeout)
        case .ttl: return "\(options.ttl)"
        case .count: return "\(options.count)"
        case .gap: text.append(duration: options.gap)
        case .firstHop: return "\(options.firstHop)"
        case .maxHops: return "\(options.maxHops)"
        case .probes: return "\(options.probesPerHop)"
        case .rate: return "\(options.rate)"
        }
        return string(text)
    }

    @Test func optionsOfMeasurements() throws {
        for raw in 0..<MeasurementOption.number {
            let option = try #require(MeasurementOption(rawValue: raw))
            let entry = OptionTable.entry(option)
            let row = try #require(rows[entry.name.description], "\(entry.name) is missing")
            try #require(row.count == 5, "\(entry.name)")
            if entry.letter != 0 { #expect(row[0] == "`-\(String(UnicodeScalar(entry.letter)))`", "\(entry.name)") }
            #expect(row[1] == entry.kinds.text.description, "\(entry.name)")
            #expect(row[2] == text(entry.form), "\(entry.name)")
            let kinds = [MeasurementKind.ping, .trace, .train].filter { entry.kinds.contains($0) }
            let values = kinds.map { value(option, MeasurementOptions(kind: $0)) }
            let mark = option == .source || option == .interface ? "" : "`"
            let expected =
                Set(values).count == 1
                ? mark + values[0] + mark
                : zip(kinds, values).map { "\($0.name) `\($1)`" }.joined(separator: ", ")
            #expect(
                row[3].components(separatedBy: ";")[0].components(separatedBy: ", or")[0] == expected, "\(entry.name)")
        }
        // The defaults that depend on the protocol.
        var options = MeasurementOptions(kind: .ping)
        options.proto = .tcpSyn
        if let error = OptionTable.settle(&options, given: GivenOptions()) { Issue.record("\(error)") }
        #expect(rows["port"]?[3].hasSuffix("; with tcp `\(options.port)`") == true)
        #expect(rows["size"]?[3].hasSuffix("; with tcp `\(options.size)`") == true)
    }

    @Test func optionsOfSections() throws {
        for raw in 0..<JobOption.number {
            let option = try #require(JobOption(rawValue: raw))
            let row = try #require(rows[option.name.description], "\(option.name) is missing")
            #expect(row.count == 3 && row[0] == text(option.form), "\(option.name)")
        }
        let settings = AgentSettings()
        var size = ByteText()
        size.append(byteSize: settings.maxSize)
        for raw in 0..<AgentOption.number {
            let option = try #require(AgentOption(rawValue: raw))
            let row = try #require(rows[option.name.description], "\(option.name) is missing")
            #expect(row.count == 3 && row[0] == text(option.form), "\(option.name)")
            let value =
                switch option {
                case .output: string(settings.output)
                case .maxSize: string(size)
                case .keep: "\(settings.keep)"
                case .maxPPS: "\(settings.maxPPS)"
                case .parallel: "\(settings.parallel)"
                case .state: string(settings.state)
                // Empty, which stands for a file's content.
                case .resolver: string(settings.resolver) + "those of `/etc/resolv.conf`"
                }
            #expect(row[1] == (option == .resolver ? value : "`\(value)`"), "\(option.name)")
        }
    }

    /// The text between two fences of that kind.
    private func block(_ kind: String) throws -> String {
        let parts = document.components(separatedBy: "```\(kind)\n")
        try #require(parts.count == 2, "one block of \(kind)")
        return parts[1].components(separatedBy: "```")[0]
    }

    @Test func examples() throws {
        #expect(try #require(parsed(try block("uci"))).jobs.count == 1)
        let broken = ByteText(try block("uci-broken"))
        let report = try block("text")
        do throws(JobFileErrors) {
            _ = try JobFile.parse(broken)
            Issue.record("the example of errors has none")
        } catch {
            #expect(string(error.report(file: ByteText("broken.conf"))) == report)
        }
    }
}
