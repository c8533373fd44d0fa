// SPDX-License-Identifier: MIT
// The command line: command, options and operands into a Command, or one line that says what to do. The
// options of measurements and their ranges are the job file's, from OptionTable.swift.
import CKTRxer
import KTRxerLite

final class OptionsParser {
    /// For a measurement, the rest is not used; for the others, these are not.
    private let adHoc = AdHocOptions(.ping)
    private var given = GivenOptions()
    private var operands: [ByteText] = []
    private var file = ByteText()
    private var pcap = ByteText()
    private var once = false
    private var due = false
    private var help = false

    /// Reads the arguments after the program's name.
    static func parse(_ arguments: [ByteText]) throws(UsageError) -> Command {
        guard let name = arguments.first else {
            throw error("no command; try: ktrxer-agent ping HOST, or ktrxer-agent help")
        }
        let parser = OptionsParser()
        switch topic(name) {
        case .measure(let kind):
            parser.adHoc.options = MeasurementOptions(kind: kind)
            try parser.read(arguments, .measure, kind.name)
            return try parser.measure(kind)
        case .run:
            try parser.read(arguments, .run, "run")
            return try parser.run()
        case .check:
            try parser.read(arguments, .check, "check")
            return try parser.check()
        case .doctor:
            try parser.read(arguments, .doctor, "doctor")
            return try parser.doctor()
        case .all:
            let isVersion = name.equals("version") || name.equals("--version") || name.equals("-V")
            if arguments.count > (isVersion ? 1 : 2) {
                throw error("one word too many; remove ", quoting: arguments[isVersion ? 1 : 2])
            }
            if isVersion { return .version }
            if arguments.count == 1 { return .help(.all) }
            if let topic = topic(arguments[1]) { return .help(topic) }
            throw unknownCommand(arguments[1])
        case nil: throw unknownCommand(name)
        }
    }

    /// The command of that name; `all` for help and version.
    private static func topic(_ name: ByteText) -> HelpTopic? {
        if name.equals("ping") { return .measure(.ping) }
        if name.equals("trace") { return .measure(.trace) }
        if name.equals("train") { return .measure(.train) }
        if name.equals("run") { return .run }
        if name.equals("check") { return .check }
        if name.equals("doctor") { return .doctor }
        if name.equals("help") || name.equals("--help") || name.equals("-h") || name.equals("version")
            || name.equals("--version") || name.equals("-V")
        {
            return .all
        }
        return nil
    }

    // MARK: What each command makes of its options and operands

    private func measure(_ kind: MeasurementKind) throws(UsageError) -> Command {
        if help { return .help(.measure(kind)) }
        for target in operands {
            guard let expected = TargetText.problem(target) else { continue }
            throw Self.error("target ", quoting: target, ", expected ", expected)
        }
        if operands.isEmpty {
            throw Self.error("no target, expected an address or a host name: ktrxer-agent ", kind.name, " HOST")
        }
        if let problem = OptionTable.settle(&adHoc.options, given: given) {
            throw Self.error(problem, name: [], value: [])
        }
        let burst = OptionTable.burst(adHoc.options)
        if burst > adHoc.maxPPS {
            if kind != .trace || given.contains(.rate) { throw Self.aboveCeiling(burst, adHoc.maxPPS, kind) }
            adHoc.options.rate = adHoc.maxPPS
        }
        adHoc.targets = operands
        adHoc.pcap = pcap
        return .measure(adHoc)
    }

    private func run() throws(UsageError) -> Command {
        if help { return .help(.run) }
        if let operand = operands.first {
            throw Self.error("run does not take ", quoting: operand, "; give the job file with -f")
        }
        if once && due { throw Self.error("--once and --due exclude each other; give one of them") }
        if !pcap.isEmpty && !once { throw Self.error("--pcap of run is for one round of jobs; add --once") }
        return .run(RunOptions(mode: once ? .once : due ? .due : .stay, file: path(file), pcap: pcap))
    }

    private func check() throws(UsageError) -> Command {
        if help { return .help(.check) }
        let most = file.isEmpty ? 1 : 0
        if operands.count > most {
            throw Self.error("check takes one job file; remove ", quoting: operands[most])
        }
        return .check(file: path(operands.first ?? file))
    }

    private func doctor() throws(UsageError) -> Command {
        if help { return .help(.doctor) }
        if operands.count > 1 { throw Self.error("doctor takes one module file; remove ", quoting: operands[1]) }
        return .doctor(json: adHoc.json, moduleFile: operands.first ?? [])
    }

    private func path(_ path: ByteText) -> ByteText {
        if !path.isEmpty { return path }
        var path = ByteText()
        path.append(text: "/etc/config/ktrxer")
        return path
    }

    // MARK: Options

    private func read(
        _ arguments: [ByteText], _ syntax: OptionSyntax, _ command: StaticString
    ) throws(UsageError) {
        let reader = OptionsReader(arguments, syntax)
        while let code = reader.next() {
            let value = reader.value
            if code < 0 { throw Self.wrong(code, reader.culprit, value, syntax, command) }
            if code == 0 {
                operands.append(value)
            } else if code >= Int32(KTRXER_OPTION_LONG) {
                try take(UInt8(truncatingIfNeeded: code - Int32(KTRXER_OPTION_LONG)), value, code)
            } else {
                try take(letter: UInt8(truncatingIfNeeded: code), value, isMeasurement: syntax.first == 0)
            }
        }
    }

    private func take(letter: UInt8, _ value: ByteText, isMeasurement: Bool) throws(UsageError) {
        switch letter {
        case 0x34, 0x36: return try take(MeasurementOption.family.rawValue, [letter], Int32(letter))
        case 0x44: return try take(MeasurementOption.df.rawValue, [0x31], Int32(letter))
        case 0x68: return help = true
        default: break
        }
        if !isMeasurement { return file = value }
        for raw in 0..<MeasurementOption.number {
            if let option = MeasurementOption(rawValue: raw), OptionTable.entry(option).letter == letter {
                return try take(raw, value, Int32(letter))
            }
        }
    }

    /// Takes the long option of that number. `code`: how it was written.
    private func take(_ number: UInt8, _ value: ByteText, _ code: Int32) throws(UsageError) {
        if let option = MeasurementOption(rawValue: number) {
            given.insert(option)
            if let problem = OptionTable.apply(option, value: value, to: &adHoc.options) {
                throw Self.error(problem, name: OptionSyntax.spelling(code), value: value)
            }
            return
        }
        switch CommandOption(rawValue: number) {
        case .json, .doctorJSON: adHoc.json = true
        case .once: once = true
        case .due: due = true
        case .maxPPS:
            guard case .integer(let low, let high) = AgentOption.maxPPS.form,
                let number = NumberText.parse(value), number >= low, number <= high
            else { throw Self.badValue(value, code, AgentOption.maxPPS.form) }
            adHoc.maxPPS = Int(truncatingIfNeeded: number)
        case .resolver:
            guard AgentSettings.areNameServers(value) else {
                throw Self.badValue(value, code, AgentOption.resolver.form)
            }
            adHoc.resolver = value
        case .pcap, .file:
            if value.isEmpty { throw Self.badValue(value, code, .text("a path")) }
            if number == CommandOption.pcap.rawValue { pcap = value } else { file = value }
        default: help = true
        }
    }
}
