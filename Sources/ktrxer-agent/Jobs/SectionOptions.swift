// SPDX-License-Identifier: MIT
// The options of job-file sections that are not options of a measurement: names, forms, and the values of
// one section while it is read.
import KTRxerLite

/// Options of `config job`, apart from those of the measurement. Raw values are slots.
enum JobOption: UInt8 {
    case kind, target, enabled, interval, phase, splay, cron, at

    static let number: UInt8 = 8
    private static let second: Int64 = 1_000_000_000
    private static let year: Int64 = 366 * 86_400 * second

    var name: StaticString {
        switch self {
        case .kind: "kind"
        case .target: "target"
        case .enabled: "enabled"
        case .interval: "interval"
        case .phase: "phase"
        case .splay: "splay"
        case .cron: "cron"
        case .at: "at"
        }
    }

    var form: OptionForm {
        switch self {
        case .kind: .words("ping, trace or train")
        case .target: .text("an address or a host name")
        case .enabled: .words("0 or 1")
        case .interval: .duration(from: Self.second, to: Self.year)
        case .phase: .duration(from: 0, to: Self.year)
        case .splay: .duration(from: 0, to: Self.year)
        case .cron: .text("five fields: minute hour day month weekday")
        case .at: .words("start")
        }
    }
}

/// Options of `config agent`. Raw values are slots.
enum AgentOption: UInt8 {
    case output, maxSize, keep, maxPPS, parallel, state, resolver

    static let number: UInt8 = 7

    var name: StaticString {
        switch self {
        case .output: "output"
        case .maxSize: "max_size"
        case .keep: "keep"
        case .maxPPS: "max_pps"
        case .parallel: "parallel"
        case .state: "state"
        case .resolver: "resolver"
        }
    }

    var form: OptionForm {
        switch self {
        case .output: .text("the path of a file, or - for the standard output")
        case .maxSize: .bytes(from: 4_096, to: 1_073_741_824)
        case .keep: .integer(from: 0, to: 100)
        case .maxPPS: .integer(from: 1, to: 10_000)
        case .parallel: .integer(from: 1, to: 100)
        case .state: .text("the path of a file")
        case .resolver: .text("the addresses of one to three name servers")
        }
    }
}

/// Which section an option stands in.
enum SectionKind {
    case none, agent, job
    /// Of a type that is not known: its options are not looked at.
    case unknown
}

/// The last value of each option of one section, with its line. As in UCI, a later `option` replaces an
/// earlier one, `list` appends, and an empty value is none.
final class SectionValues {
    var kind = SectionKind.none
    /// Line of the section's `config`.
    var line = 0
    var name = ByteText()
    /// All its lines could be read.
    var isComplete = true
    /// Slots: job options, then measurement options; or agent options. Line 0: not given.
    private(set) var values: [ByteText]
    private(set) var lines: [Int]
    /// `list target`, each with its line.
    private(set) var targets: [ByteText] = []
    private(set) var targetLines: [Int] = []

    private static let slots = Int(JobOption.number + MeasurementOption.number)

    init() {
        values = [ByteText](repeating: [], count: Self.slots)
        lines = [Int](repeating: 0, count: Self.slots)
    }

    func begin(_ kind: SectionKind, name: ByteText, line: Int) {
        self.kind = kind
        self.name = name
        self.line = line
        isComplete = true
        for slot in 0..<Self.slots where lines[slot] != 0 {
            lines[slot] = 0
            values[slot] = []
        }
        targets = []
        targetLines = []
    }

    /// The name of the option in a slot of this section; nil past the last.
    private func name(ofSlot slot: Int) -> StaticString? {
        guard let raw = UInt8(exactly: slot) else { return nil }
        if kind == .agent { return AgentOption(rawValue: raw)?.name }
        if raw < JobOption.number { return JobOption(rawValue: raw)?.name }
        guard let option = MeasurementOption(rawValue: raw - JobOption.number) else { return nil }
        return OptionTable.entry(option).name
    }

    /// The slot of an option of this section; nil when the section has none of that name.
    func slot(of wanted: ByteText) -> Int? {
        var slot = 0
        while let name = name(ofSlot: slot) {
            if wanted.equals(name) { return slot }
            slot += 1
        }
        return nil
    }

    /// The known name nearest to one that this section does not have.
    func nearest(to wanted: ByteText) -> StaticString? {
        var nearest = NearestName(to: wanted)
        var slot = 0
        while let name = name(ofSlot: slot) {
            nearest.consider(name)
            slot += 1
        }
        return nearest.best
    }

    func set(_ slot: Int, _ value: ByteText, line: Int) {
        values[slot] = value
        lines[slot] = value.isEmpty ? 0 : line
        if kind == .job && slot == Int(JobOption.target.rawValue) {
            targets = value.isEmpty ? [] : [value]
            targetLines = value.isEmpty ? [] : [line]
        }
    }

    func appendTarget(_ value: ByteText, line: Int) {
        targets.append(value)
        targetLines.append(line)
    }

    func line(of option: JobOption) -> Int { lines[Int(option.rawValue)] }
    func value(of option: JobOption) -> ByteText { values[Int(option.rawValue)] }
    func line(of option: AgentOption) -> Int { lines[Int(option.rawValue)] }
    func value(of option: AgentOption) -> ByteText { values[Int(option.rawValue)] }
    func line(of option: MeasurementOption) -> Int { lines[Int(JobOption.number + option.rawValue)] }
    func value(of option: MeasurementOption) -> ByteText { values[Int(JobOption.number + option.rawValue)] }
}
