// SPDX-License-Identifier: MIT
// Where the results of `run` go: the record log, with a message when it begins to fail and when it
// works again.
import KTRxerLite

final class RecordSink {
    private let log: ResultLog
    private var failing = false

    /// - Parameter after: the sink that this one takes the place of.
    init(_ settings: AgentSettings, after: RecordSink? = nil) throws(ResultLogError) {
        log = try ResultLog(path: settings.output, maxSize: settings.maxSize, keep: settings.keep)
        if let after { log.succeed(after.log) }
        if log.droppedBytes > 0 {
            var text = settings.output
            text.append(text: ": removed a torn last line of ")
            text.append(decimal: log.droppedBytes)
            text.append(text: " bytes, left by a run that was killed")
            Console.message(text)
        }
    }

    func append(_ result: MeasurementResult) {
        let failure = log.append(RecordEncoder.encode(result: result, version: version))
        if let failure {
            // Once, not for every record: this may go on for days.
            if !failing { Self.report(failure, path: log.path) }
            failing = true
        } else if failing {
            failing = false
            var text = log.path
            text.append(text: ": records are written again")
            Console.message(text)
        }
    }

    /// Before the end. Returns false when records have been lost for good.
    func finish() -> Bool {
        if let failure = log.finish() {
            Self.report(failure, path: log.path)
            return false
        }
        return true
    }

    /// Whether the log of these settings is this one.
    func serves(_ settings: AgentSettings) -> Bool {
        log.path == settings.output && log.maxSize == settings.maxSize && log.keep == settings.keep
    }

    static func report(_ failure: ResultLogError, path: ByteText) {
        var text = ByteText()
        failure.append(to: &text, path: path)
        Console.message(text)
    }
}
