// SPDX-License-Identifier: MIT
// `ktrxer-agent run --once` and `run --due`: does what is to be done now, and ends.
import CKTRxer
import KTRxerLite

final class PassingRun {
    private let jobFile: JobFile
    private let queue: SessionQueue
    private let sink: RecordSink
    private let signals: Int32
    /// Reports for people on the standard output; cron would mail them, so only with `--once`.
    private let prints: Bool
    private var status = ExitStatus.ok

    static func run(_ options: RunOptions) -> ExitStatus {
        switch JobFileCommand.load(options.file) {
        case .failure(let status): return status
        case .success(let jobFile):
            AgentSettings.setNameServers(jobFile.settings.resolver)
            let signals = ktrxer_signal_open()
            guard signals >= 0 else {
                Console.message("cannot receive signals; is /proc/sys/fs/file-max exhausted?")
                return .internalError
            }
            var capture: CaptureFile?
            if !options.pcap.isEmpty {
                capture = CaptureFile(options.pcap)
                if capture == nil { return .cannotCreate }
            }
            let sink: RecordSink
            do throws(ResultLogError) {
                sink = try RecordSink(jobFile.settings)
            } catch {
                RecordSink.report(error, path: jobFile.settings.output)
                return .cannotCreate
            }
            let run = PassingRun(jobFile, sink, signals, capture, prints: options.mode == .once)
            var status: ExitStatus
            if options.mode == .due {
                status = run.due()
            } else {
                for job in 0..<jobFile.jobs.count where jobFile.jobs[job].enabled {
                    run.enqueue(DueJob(job: job, scheduled: 0))
                }
                status = run.finish()
            }
            if let capture, !capture.close() { status = .ioError }
            return status
        }
    }

    private init(_ jobFile: JobFile, _ sink: RecordSink, _ signals: Int32, _ capture: CaptureFile?, prints: Bool) {
        self.jobFile = jobFile
        self.sink = sink
        self.signals = signals
        self.prints = prints && jobFile.settings.output != [0x2D]
        queue = SessionQueue(
            parallel: jobFile.settings.parallel, maxPPS: jobFile.settings.maxPPS, frames: capture?.writer, observer: nil
        )
    }

    // MARK: What is due

    /// The state is written before anything runs: a run that is killed is not repeated, and one that takes
    /// longer than a minute is not started twice by cron.
    private func due() -> ExitStatus {
        guard let file = StateFile.open(jobFile.settings.state) else { return .cannotCreate }
        let (due, next) = file.state.decide(
            jobFile.jobs, now: .now(), boot: StateFile.bootIdentifier(), seed: randomNumber())
        guard file.replace(next.text) else { return .ioError }
        file.close()
        for entry in due { enqueue(entry) }
        return finish()
    }

    private func enqueue(_ due: DueJob) {
        let job = jobFile.jobs[due.job]
        for target in job.targets {
            queue.append(
                PendingSession(
                    job: due.job, name: job.name, options: job.options, target: target, scheduled: due.scheduled))
        }
    }

    // MARK: Running

    private func finish() -> ExitStatus {
        while !queue.isEmpty {
            // SIGHUP as well: its terminal is gone.
            if queue.turn(control: signals, until: Int64.max), ktrxer_signal_next(signals, 0) != 0 { queue.cancel() }
            for ended in queue.takeEnded() { take(ended.result) }
        }
        if !sink.finish() { return .ioError }
        if prints {
            var text = ByteText()
            text.append(text: "records: ")
            text += jobFile.settings.output
            text.append(0x0A)
            if !Console.output(text) { return .ioError }
        }
        return status
    }

    private func take(_ result: MeasurementResult) {
        sink.append(result)
        status = status.after(result)
        if prints {
            var text = ByteText()
            Report.whole(result, into: &text)
            if !result.records.isEmpty { text.append(0x0A) }
            Console.report(text, of: result)
        }
    }
}

extension ExitStatus {
    /// The status of a run so far, after one more result: the gravest counts.
    func after(_ result: MeasurementResult) -> ExitStatus {
        if let error = result.error, !error.isCancelled { return .unavailable }
        return self == .ok && !result.anyReply ? .noAnswer : self
    }
}
