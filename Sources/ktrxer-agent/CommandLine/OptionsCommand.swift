// SPDX-License-Identifier: MIT
// What a command line asks for, as values. Reading it is OptionsParser.swift's; doing it is the agent's.
import KTRxerLite

enum Command {
    case measure(AdHocOptions)
    case run(RunOptions)
    /// Path of the job file.
    case check(file: ByteText)
    /// Path of a kernel module that is looked at, too; empty: none.
    case doctor(json: Bool, moduleFile: ByteText)
    case version
    case help(HelpTopic)
}

/// What `help` is about: all, or one command.
enum HelpTopic: Equatable {
    case all
    case measure(MeasurementKind)
    case run, check, doctor
}

/// `ping`, `trace` or `train` from the command line.
final class AdHocOptions {
    /// Settled: see `OptionTable.settle`.
    var options: MeasurementOptions
    /// At least one.
    var targets: [ByteText] = []
    /// Records on the standard output instead of text for people.
    var json = false
    /// Path of a pcapng file; empty: none.
    var pcap: ByteText = []
    /// Ceiling, packets a second.
    var maxPPS = 200
    /// As `AgentSettings.resolver`.
    var resolver = ByteText()

    init(_ kind: MeasurementKind) { options = MeasurementOptions(kind: kind) }
}

struct RunOptions {
    enum Mode {
        /// Stays and runs jobs by its own schedule.
        case stay
        /// All jobs now.
        case once
        /// What is due since the last run.
        case due
    }

    var mode = Mode.stay
    /// Path of the job file.
    var file: ByteText = []
    /// Path of a pcapng file; empty: none. Only with `once`.
    var pcap: ByteText = []
}

/// A command line that cannot be followed: one line without a newline that says what to do.
struct UsageError: Error {
    var text: ByteText
}
