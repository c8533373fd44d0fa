// SPDX-License-Identifier: MIT
// `ktrxer-agent run`: stays, starts jobs by its own schedule, and answers signals.
import CKTRxer
import KTRxerLite

final class StayingRun {
    private let file: ByteText
    private var jobFile: JobFile
    private let scheduler: Scheduler
    private var queue: SessionQueue
    private var sink: RecordSink
    private let signals: Int32
    /// Skipped runs of each job that have been told in a record.
    private var toldSkips: [UInt64]
    /// The clock and the schedule are looked at this often at least, ns: a suspended device or a clock that
    /// was set wakes nobody.
    private static let longestSleep: Int64 = 60_000_000_000

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
            do throws(ResultLogError) {
                let sink = try RecordSink(jobFile.settings)
                return StayingRun(options.file, jobFile, sink, signals).stay()
            } catch {
                RecordSink.report(error, path: jobFile.settings.output)
                return .cannotCreate
            }
        }
    }

    private init(_ file: ByteText, _ jobFile: JobFile, _ sink: RecordSink, _ signals: Int32) {
        self.file = file
        self.jobFile = jobFile
        self.sink = sink
        self.signals = signals
        scheduler = Scheduler(jobFile.jobs, now: .now(), seed: randomNumber())
        queue = SessionQueue(
            parallel: jobFile.settings.parallel, maxPPS: jobFile.settings.maxPPS, frames: nil, observer: nil)
        toldSkips = [UInt64](repeating: 0, count: jobFile.jobs.count)
    }

    private func stay() -> ExitStatus {
        while true {
            let reading = ClockReading.now()
            for due in scheduler.due(reading) { enqueue(due) }
            let sleep = min(max(0, scheduler.nextWake(reading) &- reading.boottime), Self.longestSleep)
            if queue.turn(control: signals, until: ktrxer_clock_monotonic() + sleep) {
                switch UInt32(ktrxer_signal_next(signals, 1)) {
                case KTRXER_SIGNAL_STOP.rawValue:
                    queue.cancel()
                    record()
                    return sink.finish() ? .ok : .ioError
                case KTRXER_SIGNAL_RELOAD.rawValue: reload()
                default: break
                }
            }
            record()
        }
    }

    private func enqueue(_ due: DueJob) {
        let job = jobFile.jobs[due.job]
        for target in job.targets {
            queue.append(
                PendingSession(
                    job: due.job, name: job.name, options: job.options, target: target, scheduled: due.scheduled))
        }
    }

    private func record() {
        for ended in queue.takeEnded() {
            if ended.job >= 0 {
                let skipped = scheduler.skipped(ended.job)
                ended.result.skippedRuns = skipped &- toldSkips[ended.job]
                toldSkips[ended.job] = skipped
                if !queue.contains(job: ended.job) { scheduler.finished(ended.job) }
            }
            sink.append(ended.result)
        }
    }

    /// Takes the job file again; a broken one changes nothing.
    private func reload() {
        switch JobFileCommand.load(file) {
        case .failure:
            Console.message(file, "not reloaded because of these errors; the jobs go on as before")
        case .success(let new):
            if !sink.serves(new.settings) {
                do throws(ResultLogError) {
                    sink = try RecordSink(new.settings, after: sink)
                } catch {
                    RecordSink.report(error, path: new.settings.output)
                    Console.message(file, "not reloaded because of this; the jobs go on as before")
                    return
                }
            }
            AgentSettings.setNameServers(new.settings.resolver)
            let positions = scheduler.reload(new.jobs, now: .now())
            var told = [UInt64](repeating: 0, count: new.jobs.count)
            for old in 0..<positions.count where positions[old] >= 0 { told[positions[old]] = toldSkips[old] }
            toldSkips = told
            queue.renumber(positions)
            queue.parallel = new.settings.parallel
            // The launches of the last second are forgotten only when the ceiling itself changes.
            if new.settings.maxPPS != jobFile.settings.maxPPS { queue.pacer = Pacer(maxPerSecond: new.settings.maxPPS) }
            jobFile = new
            var text = file
            text.append(text: ": reloaded, ")
            text.append(decimal: Int64(new.jobs.count))
            text.append(text: new.jobs.count == 1 ? " job" : " jobs")
            Console.message(text)
        }
    }
}
