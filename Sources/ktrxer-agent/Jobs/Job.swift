// SPDX-License-Identifier: MIT
// What a job file says, as values. Reading it is JobFileParser.swift's; running it is the scheduler's and
// the runner's.
import CKTRxer
import KTRxerLite

/// The `config agent` section: what holds for all jobs.
struct AgentSettings {
    /// Path of the record file; `-` is the standard output.
    var output = AgentSettings.path("/tmp/ktrxer/results.jsonl")
    /// Bytes after which the record file is rotated.
    var maxSize: Int64 = 1_048_576
    /// How many rotated files are kept.
    var keep = 2
    /// Ceiling over all jobs, packets a second.
    var maxPPS = 200
    /// How many measurements may run at the same time.
    var parallel = 4
    /// Path of the file in which `run --due` remembers what has run.
    var state = AgentSettings.path("/tmp/ktrxer/state")
    /// Addresses of name servers, one to three with spaces between, to ask in place of those of /etc/resolv.conf;
    /// empty: those.
    var resolver = ByteText()

    /// Takes the value of one option; false when it is not of its form.
    @inline(never)
    mutating func set(_ option: AgentOption, _ value: ByteText) -> Bool {
        switch option.form {
        case .integer(let low, let high):
            guard let number = NumberText.parse(value), number >= low, number <= high else { return false }
            switch option {
            case .keep: keep = Int(truncatingIfNeeded: number)
            case .parallel: parallel = Int(truncatingIfNeeded: number)
            default: maxPPS = Int(truncatingIfNeeded: number)
            }
        case .bytes(let low, let high):
            guard let size = NumberText.parseBytes(value), size >= low, size <= high else { return false }
            maxSize = size
        case .text where option == .resolver:
            guard Self.areNameServers(value) else { return false }
            resolver = value
        default:
            // A file name may have any character but those of lines.
            for byte in value where byte < 0x20 { return false }
            if option == .output {
                output = value
            } else if value.equals("-") {
                return false
            } else {
                state = value
            }
        }
        return true
    }

    /// Whether the text is one to three addresses with spaces between.
    static func areNameServers(_ text: ByteText) -> Bool {
        text.withUnsafeBytes { ktrxer_resolve_check($0.baseAddress, UInt32($0.count)) == 0 }
    }

    /// From now on names are looked up at these servers, or if there are none, at those of the environment; what is wrong
    /// with that is said.
    static func setNameServers(_ text: ByteText) {
        if text.withUnsafeBytes({ ktrxer_resolve_servers($0.baseAddress, UInt32($0.count)) }) == 0 { return }
        Console.message("KTRXER_RESOLVER is not used: expected the addresses of one to three name servers")
    }

    private static func path(_ text: StaticString) -> ByteText {
        var bytes = ByteText()
        bytes.append(text: text)
        return bytes
    }
}

/// When a job runs. Times are ns.
enum Schedule: Equatable, Sendable {
    /// Every `interval`, first `phase` after the start, each time up to `splay` later at random.
    case interval(interval: Int64, phase: Int64, splay: Int64)
    case cron(CronExpression)
    /// Once, when the agent starts; with `run --due` once a boot.
    case atStart
}

/// One `config job` section.
final class Job {
    /// Letters, digits and `_`; unique in the file.
    let name: ByteText
    /// Line of its `config job`.
    let line: Int
    /// Its kind, and how it measures.
    var options: MeasurementOptions
    /// Addresses or names, one measurement each.
    let targets: [ByteText]
    let schedule: Schedule
    let enabled: Bool

    init(
        name: ByteText, line: Int, options: MeasurementOptions, targets: [ByteText], schedule: Schedule, enabled: Bool
    ) {
        self.name = name
        self.line = line
        self.options = options
        self.targets = targets
        self.schedule = schedule
        self.enabled = enabled
    }
}

/// A job file without errors.
final class JobFile {
    var settings = AgentSettings()
    /// In the order of the file.
    var jobs: [Job] = []
}

/// The errors of a job file, in the order of its lines.
struct JobFileErrors: Error {
    /// So many are kept with their text; the rest are counted.
    static let kept = 100

    private(set) var lines: [Int] = []
    private(set) var texts: [ByteText] = []
    /// All of them.
    private(set) var count = 0

    /// Whether an error of this line would still be shown; else its text need not be made.
    func shows(line: Int) -> Bool {
        guard lines.count == Self.kept, let last = lines.last else { return true }
        return line < last
    }

    /// Adds one that may come out of order.
    @inline(never)
    mutating func add(line: Int, _ text: ByteText) {
        count += 1
        guard shows(line: line) else { return }
        var place = lines.count - 1
        if lines.count < Self.kept {
            lines.append(line)
            texts.append(text)
            place += 1
        }
        while place > 0 && lines[place - 1] > line {
            lines[place] = lines[place - 1]
            texts[place] = texts[place - 1]
            place -= 1
        }
        lines[place] = line
        texts[place] = text
    }

    /// Counts one without its text.
    mutating func addUnshown() { count += 1 }

    /// All errors as `FILE:LINE: text`, a line each.
    func report(file: ByteText) -> ByteText {
        var report = ByteText()
        for index in 0..<lines.count {
            report.append(contentsOf: file)
            report.append(0x3A)
            report.append(decimal: Int64(lines[index]))
            report.append(text: ": ")
            report.append(contentsOf: texts[index])
            report.append(0x0A)
        }
        if count > lines.count {
            report.append(contentsOf: file)
            report.append(text: ": ")
            report.append(decimal: Int64(count - lines.count))
            report.append(text: " more errors; correct these first\n")
        }
        return report
    }
}
