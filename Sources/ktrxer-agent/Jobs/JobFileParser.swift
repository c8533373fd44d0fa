// SPDX-License-Identifier: MIT
// Reads a job file: sections and options into settings and jobs, or every error of the file in one pass.
// The grammar is UCIReader.swift's, the schedule of a job ScheduleParser.swift's.
import KTRxerLite

extension JobFile {
    /// Reads a whole file. All its errors are thrown together, none of its jobs is returned then.
    static func parse(_ bytes: ByteText) throws(JobFileErrors) -> JobFile {
        let parser = JobFileParser()
        parser.read(bytes)
        if parser.errors.count > 0 { throw parser.errors }
        return parser.file
    }
}

final class JobFileParser {
    /// Longest job name, in bytes: it stands in every record.
    static let longestName = 64
    /// More jobs than this are a mistake: it bounds memory.
    static let mostJobs = 65_536

    private(set) var file = JobFile()
    private(set) var errors = JobFileErrors()

    let section = SectionValues()
    /// Line of the first `config agent`, or 0.
    private var agentLine = 0
    private var agentName = ByteText()
    private var jobSections = 0
    /// Names of all jobs, good or not, and their lines.
    private var names: [ByteText] = []
    private var nameLines: [Int] = []
    /// For the check against the ceiling, one a job in `file.jobs`: the line of the option to point at, or 0.
    private var burstLines: [Int] = []

    func read(_ bytes: ByteText) {
        let reader = UCIReader(bytes)
        while true {
            do throws(UCIProblem) {
                guard let command = try reader.next() else { break }
                take(command, line: reader.line)
            } catch {
                var text = ByteText()
                error.append(to: &text)
                report(reader.line, text)
                if reader.isConfig {
                    // Whatever section was meant: its options are not those of the section before.
                    endSection()
                    section.begin(.unknown, name: [], line: reader.line)
                }
                section.isComplete = false
            }
        }
        endSection()
        if jobSections == 0 && errors.count == 0 {
            report(max(reader.line, 1), "the file has no job, expected at least one: config job 'NAME'")
        }
        checkNames()
        checkCeiling()
    }

    private func take(_ command: UCICommand, line: Int) {
        switch command {
        case .package: break
        case .config(let type, let name):
            endSection()
            beginSection(type: type, name: name, line: line)
        case .option(let name, let value): takeOption(name, value, isList: false, line: line)
        case .list(let name, let value): takeOption(name, value, isList: true, line: line)
        }
    }

    private func beginSection(type: ByteText, name: ByteText, line: Int) {
        if type.equals("job") {
            section.begin(.job, name: name, line: line)
            jobSections += 1
            if jobSections == Self.mostJobs + 1 {
                report(line, "too many jobs, expected at most 65536 in one file")
            }
        } else if type.equals("agent") {
            section.begin(.agent, name: name, line: line)
            if agentLine != 0 {
                report(line, "a second config agent, expected one; the first is in line ", number: agentLine)
            } else {
                agentLine = line
                agentName = name
            }
        } else {
            section.begin(.unknown, name: name, line: line)
            report(line, "unknown section type ", quoting: type, ", expected agent or job")
        }
    }

    @inline(never)
    private func takeOption(_ name: ByteText, _ value: ByteText, isList: Bool, line: Int) {
        switch section.kind {
        case .unknown: return
        case .none:
            return report(
                line, "an option before the first section, expected config agent or config job 'NAME'")
        case .agent, .job: break
        }
        guard let slot = section.slot(of: name) else {
            guard errors.shows(line: line) else { return errors.addUnshown() }
            var text = ByteText()
            let error = OptionError.unknown(nearest: section.nearest(to: name))
            error.append(to: &text, name: name, value: value)
            return report(line, text)
        }
        if !isList {
            section.set(slot, value, line: line)
        } else if section.kind == .job && slot == Int(JobOption.target.rawValue) {
            section.appendTarget(value, line: line)
        } else {
            report(line, "", quoting: name, " takes one value, expected option instead of list")
        }
    }

    @inline(never)
    private func endSection() {
        switch section.kind {
        case .none, .unknown: break
        case .agent: endAgent()
        case .job: if jobSections <= Self.mostJobs { endJob() }
        }
        section.begin(.none, name: [], line: 0)
    }

    private func endAgent() {
        for raw in 0..<AgentOption.number {
            guard let option = AgentOption(rawValue: raw), section.line(of: option) != 0 else { continue }
            let value = section.value(of: option)
            if !file.settings.set(option, value) {
                report(section.line(of: option), badValue: value, of: option.name, option.form)
            }
        }
        if file.settings.state == file.settings.output {
            report(section.line, "output and state are one file; give each its own")
        }
    }

    // MARK: A job

    @inline(never)
    private func endJob() {
        let before = errors.count
        checkName()
        let kind = kind()
        let disabled = section.value(of: .enabled as JobOption).equals("0")
        if section.line(of: .enabled as JobOption) != 0 && !disabled
            && !section.value(of: .enabled as JobOption).equals("1")
        {
            report(badValueOf: .enabled)
        }
        checkTargets()
        let schedule = schedule()
        var options = MeasurementOptions(kind: kind ?? .ping)
        var given = GivenOptions()
        if kind != nil { setOptions(&options, &given) }
        guard errors.count == before, let schedule else { return }
        let burst: MeasurementOption = options.kind == .trace ? .rate : given.contains(.gap) ? .gap : .count
        burstLines.append(section.line(of: burst))
        file.jobs.append(
            Job(
                name: section.name, line: section.line, options: options, targets: section.targets,
                schedule: schedule, enabled: !disabled))
    }

    private func checkName() {
        if section.name.isEmpty {
            report(section.line, "a job without a name, expected: config job 'NAME'")
        } else if section.name.count > Self.longestName {
            report(section.line, "the job's name is too long, expected at most 64 characters")
        } else {
            names.append(section.name)
            nameLines.append(section.line)
        }
    }

    private func kind() -> MeasurementKind? {
        let value = section.value(of: .kind as JobOption)
        if value.isEmpty {
            reportMissing("the job has no kind, expected: option kind 'ping', 'trace' or 'train'")
            return nil
        }
        if value.equals("ping") { return .ping }
        if value.equals("trace") { return .trace }
        if value.equals("train") { return .train }
        report(badValueOf: .kind)
        return nil
    }

    private func checkTargets() {
        if section.targets.isEmpty {
            reportMissing("the job has no target, expected: list target 'ADDRESS OR NAME'")
        }
        for index in 0..<section.targets.count {
            guard let expected = TargetText.problem(section.targets[index]) else { continue }
            report(
                section.targetLines[index], badValue: section.targets[index], of: JobOption.target.name,
                .text(expected))
        }
    }

    private func setOptions(_ options: inout MeasurementOptions, _ given: inout GivenOptions) {
        let before = errors.count
        for raw in 0..<MeasurementOption.number {
            guard let option = MeasurementOption(rawValue: raw), section.line(of: option) != 0 else {
                continue
            }
            given.insert(option)
            if let error = OptionTable.apply(option, value: section.value(of: option), to: &options) {
                report(error, of: option)
            }
        }
        guard errors.count == before, let error = OptionTable.settle(&options, given: given) else { return }
        report(error, of: error.option ?? .proto)
    }

    // MARK: After the last section

    /// Names are unique: records and the state of `run --due` go by them.
    private func checkNames() {
        let index = NameIndex(names)
        var first = 0
        for place in 1..<max(1, index.order.count) {
            let position = index.order[place]
            if names[position] == names[index.order[first]] {
                reportTaken(names[position], line: nameLines[position], first: nameLines[index.order[first]])
            } else {
                first = place
            }
        }
        if !agentName.isEmpty, let clash = index.find(agentName, in: names) {
            let line = nameLines[clash]
            reportTaken(agentName, line: max(agentLine, line), first: min(agentLine, line))
        }
    }

    private func reportTaken(_ name: ByteText, line: Int, first: Int) {
        var text = ByteText()
        text.append(text: "the name ")
        text.append(quoted: name)
        text.append(text: " is taken by the section in line ")
        text.append(decimal: Int64(first))
        text.append(text: ", expected another name")
        report(line, text)
    }

    /// What a job sends within a second must fit under the ceiling of all jobs.
    private func checkCeiling() {
        let ceiling = file.settings.maxPPS
        for index in 0..<file.jobs.count {
            let burst = OptionTable.burst(file.jobs[index].options)
            if burst <= ceiling { continue }
            if file.jobs[index].options.kind == .trace && burstLines[index] == 0 {
                file.jobs[index].options.rate = ceiling
                continue
            }
            var text = ByteText()
            text.append(burst: burst, text: " packets within a second, expected at most ", ceiling: ceiling)
            text.append(text: " (max_pps of config agent)")
            report(burstLines[index] == 0 ? file.jobs[index].line : burstLines[index], text)
        }
    }
}

// MARK: Reports

extension JobFileParser {
    func report(_ line: Int, _ text: ByteText) { errors.add(line: line, text) }

    @inline(never)
    func report(_ line: Int, _ message: StaticString) {
        var text = ByteText()
        text.append(text: message)
        errors.add(line: line, text)
    }

    @inline(never)
    func report(
        _ line: Int, _ before: StaticString, quoting quoted: ByteText, _ after: StaticString = ""
    ) {
        var text = ByteText()
        text.append(text: before)
        text.append(quoted: quoted)
        text.append(text: after)
        errors.add(line: line, text)
    }

    func report(_ line: Int, _ before: StaticString, number: Int) {
        var text = ByteText()
        text.append(text: before)
        text.append(decimal: Int64(number))
        errors.add(line: line, text)
    }

    /// "'name' is 'value', expected …".
    @inline(never)
    func report(
        _ line: Int, badValue value: ByteText, of name: StaticString, _ form: OptionForm
    ) {
        var text = ByteText()
        text.append(badValue: value, of: name, form)
        errors.add(line: line, text)
    }

    @inline(never)
    func report(badValueOf option: JobOption) {
        report(section.line(of: option), badValue: section.value(of: option), of: option.name, option.form)
    }

    /// What a job must have; unless one of its lines could not be read, which says enough.
    @inline(never)
    func reportMissing(_ message: StaticString) {
        if section.isComplete { report(section.line, message) }
    }

    private func report(_ error: OptionError, of option: MeasurementOption) {
        let given = section.line(of: option)
        var name = ByteText()
        name.append(text: OptionTable.entry(option).name)
        var text = ByteText()
        error.append(to: &text, name: name, value: section.value(of: option))
        report(given == 0 ? section.line : given, text)
    }
}
