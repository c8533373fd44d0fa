// SPDX-License-Identifier: MIT
// Lines for people: reports on the standard output, messages on the standard error.
import CKTRxer
import KTRxerLite

/// The statuses with which the agent ends (after sysexits.h, where that has one).
enum ExitStatus: Int32 {
    case ok = 0
    /// Measured, but some target gave no answer.
    case noAnswer = 1
    /// The job file has errors; nothing was run.
    case jobFile = 2
    case usage = 64
    /// A file that was named cannot be read.
    case noInput = 66
    /// Could not be measured: no permission, no route, no such name.
    case unavailable = 69
    case internalError = 70
    /// The output file cannot be made.
    case cannotCreate = 73
    case ioError = 74
}

enum Console {
    /// Writes to the standard output, whose reader may take his time (a pager); false when nobody reads it any more, it is
    /// full, or a signal came meanwhile.
    @discardableResult
    static func output(_ text: ByteText) -> Bool {
        bytes(text) { ktrxer_stream_write(1, $0, $1, -1) } == Int64(text.count)
    }

    /// Writes to the standard error, which holds nothing up for longer than a second.
    static func complain(_ text: ByteText) {
        _ = bytes(text) { ktrxer_stream_write(2, $0, $1, 1_000_000_000) }
    }

    /// Writes one line to the standard error, with the program's name before it and a newline after.
    static func message(_ text: ByteText) {
        var line = ByteText()
        line.append(text: "ktrxer-agent: ")
        line += text
        line.append(0x0A)
        complain(line)
    }

    static func message(_ text: StaticString) {
        var line = ByteText()
        line.append(text: text)
        message(line)
    }

    /// Writes a report where it belongs: that of a measurement that could not be done is an error message.
    @discardableResult
    static func report(_ text: ByteText, of result: MeasurementResult) -> Bool {
        guard result.error != nil && result.records.isEmpty else { return output(text) }
        complain(text)
        return true
    }

    /// `WHAT: DETAIL`, as one message.
    static func message(_ what: ByteText, _ detail: StaticString) {
        var line = what
        line.append(text: ": ")
        line.append(text: detail)
        message(line)
    }

    static func message(_ what: ByteText, error: ProbeError) {
        var line = what
        line.append(text: ": ")
        error.append(to: &line)
        message(line)
    }
}
