// SPDX-License-Identifier: MIT
// The command line: command, options and operands into a Command, or one line that says what to do. The
// options of measurements and their ranges are the job file's, from OptionTable.swift.
import KTRxerLite

enum OptionsParser {
    /// Reads the arguments after the program's name.
    static func parse(_ arguments: [ByteText]) throws(UsageError) -> Command {
        guard let name = arguments.first else {
            throw error("no command; try: ktrxer-agent ping HOST, or ktrxer-agent help")
        }
        let rest = arguments[1...]
        if let kind = kind(name) { return try measure(kind, rest) }
        if name.equals("run") { return try run(rest) }
        if name.equals("check") { return try check(rest) }
        if name.equals("version") || name.equals("--version") || name.equals("-V") {
            if let extra = rest.first { throw error("version takes no arguments; remove ", quoting: extra) }
            return .version
        }
        if name.equals("help") || name.equals("--help") || name.equals("-h") { return try help(rest) }
        throw unknownCommand(name)
    }

    private static func kind(_ name: ByteText) -> MeasurementKind? {
        if name.equals("ping") { return .ping }
        if name.equals("trace") { return .trace }
        return name.equals("train") ? .train : nil
    }

    // MARK: ping, trace, train

    private static func measure(
        _ kind: MeasurementKind, _ arguments: ArraySlice<ByteText>
    ) throws(UsageError) -> Command {
        let syntax = measureSyntax
        var adHoc = AdHocOptions(options: MeasurementOptions(kind: kind))
        var given = GivenOptions()
        for element in OptionsReader.read(arguments, syntax) {
            switch element {
            case .operand(let target):
                if !TargetText.isValid(target) {
                    throw error("target ", quoting: target, ", expected an address or a host name")
                }
                adHoc.targets.append(target)
            case .option(let code, let value):
                if let option = option(code) {
                    try apply(option, value, to: &adHoc.options, &given)
                    continue
                }
                switch CommandOption(rawValue: code) {
                case .json: adHoc.json = true
                case .pcap: adHoc.pcap = try path(value, "--pcap")
                case .maxPPS: adHoc.maxPPS = try maxPPS(value)
                case .ipv4: try apply(.family, [0x34], to: &adHoc.options, &given)
                case .ipv6: try apply(.family, [0x36], to: &adHoc.options, &given)
                case .dontFragment: try apply(.df, [0x31], to: &adHoc.options, &given)
                default: return .help(.measure(kind))
                }
            default: throw wrong(element, syntax, kind.name)
            }
        }
        if adHoc.targets.isEmpty {
            throw error("no target, expected an address or a host name: ktrxer-agent ", kind.name, " HOST")
        }
        if let problem = OptionTable.settle(&adHoc.options, given: given) {
            throw error(problem, name: [], value: [])
        }
        let burst = OptionTable.burst(adHoc.options)
        if burst > adHoc.maxPPS {
            if kind == .trace && !given.contains(.rate) {
                adHoc.options.rate = adHoc.maxPPS
            } else {
                throw aboveCeiling(burst, adHoc)
            }
        }
        return .measure(adHoc)
    }

    /// All options of measurements are known to every kind, so that one of another kind is told as such.
    private static var measureSyntax: OptionSyntax {
        var syntax = OptionSyntax()
        for raw in 0..<MeasurementOption.number {
            guard let option = MeasurementOption(rawValue: raw) else { continue }
            let entry = OptionTable.entry(option)
            syntax.add(entry.name, code: 0x80 + raw, takesValue: true)
            if entry.letter != 0 { syntax.add(letter: entry.letter, takesValue: true) }
        }
        syntax.add(letter: CommandOption.ipv4.rawValue, takesValue: false)
        syntax.add(letter: CommandOption.ipv6.rawValue, takesValue: false)
        syntax.add(letter: CommandOption.dontFragment.rawValue, takesValue: false)
        syntax.add("json", code: CommandOption.json.rawValue, takesValue: false)
        syntax.add("pcap", code: CommandOption.pcap.rawValue, takesValue: true)
        syntax.add("max_pps", code: CommandOption.maxPPS.rawValue, takesValue: true)
        syntax.addHelp()
        return syntax
    }

    /// The measurement's option of a code or letter.
    private static func option(_ code: UInt8) -> MeasurementOption? {
        if code >= 0x80 { return MeasurementOption(rawValue: code - 0x80) }
        for raw in 0..<MeasurementOption.number {
            if let option = MeasurementOption(rawValue: raw), OptionTable.entry(option).letter == code {
                return option
            }
        }
        return nil
    }

    private static func apply(
        _ option: MeasurementOption, _ value: ByteText, to options: inout MeasurementOptions,
        _ given: inout GivenOptions
    ) throws(UsageError) {
        given.insert(option)
        guard let problem = OptionTable.apply(option, value: value, to: &options) else { return }
        var syntax = OptionSyntax()
        syntax.add(OptionTable.entry(option).name, code: 1, takesValue: true)
        throw error(problem, name: syntax.name(of: 1), value: value)
    }

    private static func maxPPS(_ value: ByteText) throws(UsageError) -> Int {
        if case .integer(let low, let high) = AgentOption.maxPPS.form, let number = NumberText.parse(value),
            number >= low, number <= high
        {
            return Int(truncatingIfNeeded: number)
        }
        throw badValue(value, of: "--max-pps", AgentOption.maxPPS.form)
    }

    // MARK: run, check, help

    private static func run(_ arguments: ArraySlice<ByteText>) throws(UsageError) -> Command {
        var syntax = fileSyntax
        syntax.add("once", code: CommandOption.once.rawValue, takesValue: false)
        syntax.add("due", code: CommandOption.due.rawValue, takesValue: false)
        syntax.add("pcap", code: CommandOption.pcap.rawValue, takesValue: true)
        var run = RunOptions()
        for element in OptionsReader.read(arguments, syntax) {
            switch element {
            case .operand(let operand):
                throw error("run does not take ", quoting: operand, "; give the job file with -f")
            case .option(let code, let value):
                switch CommandOption(rawValue: code) {
                case .file: run.file = try path(value, "--file")
                case .pcap: run.pcap = try path(value, "--pcap")
                case .once where run.mode == .due, .due where run.mode == .once:
                    throw error("--once and --due exclude each other; give one of them")
                case .once: run.mode = .once
                case .due: run.mode = .due
                default: return .help(.run)
                }
            default: throw wrong(element, syntax, "run")
            }
        }
        if !run.pcap.isEmpty && run.mode != .once {
            throw error("--pcap of run is for one round of jobs; add --once")
        }
        if run.file.isEmpty { run.file = defaultFile }
        return .run(run)
    }

    private static func check(_ arguments: ArraySlice<ByteText>) throws(UsageError) -> Command {
        let syntax = fileSyntax
        var file = ByteText()
        for element in OptionsReader.read(arguments, syntax) {
            switch element {
            case .option(CommandOption.help.rawValue, _): return .help(.check)
            case .operand(let value), .option(_, let value):
                if !file.isEmpty { throw error("check takes one job file; remove ", quoting: value) }
                file = try path(value, "the job file")
            default: throw wrong(element, syntax, "check")
            }
        }
        return .check(file: file.isEmpty ? defaultFile : file)
    }

    private static func help(_ arguments: ArraySlice<ByteText>) throws(UsageError) -> Command {
        guard let topic = arguments.first else { return .help(.all) }
        if arguments.count > 1 {
            throw error("help takes one command; remove ", quoting: arguments[arguments.startIndex + 1])
        }
        if let kind = kind(topic) { return .help(.measure(kind)) }
        if topic.equals("run") { return .help(.run) }
        if topic.equals("check") { return .help(.check) }
        if topic.equals("help") || topic.equals("version") { return .help(.all) }
        throw unknownCommand(topic)
    }

    private static var fileSyntax: OptionSyntax {
        var syntax = OptionSyntax()
        syntax.add("file", code: CommandOption.file.rawValue, takesValue: true)
        syntax.add(letter: CommandOption.file.rawValue, takesValue: true)
        syntax.addHelp()
        return syntax
    }

    private static var defaultFile: ByteText {
        var path = ByteText()
        path.append(text: "/etc/config/ktrxer")
        return path
    }

    private static func path(_ value: ByteText, _ name: StaticString) throws(UsageError) -> ByteText {
        if value.isEmpty { throw badValue(value, of: name, .text("a path")) }
        return value
    }
}
