// SPDX-License-Identifier: MIT
// `ktrxer-agent ping`, `trace` and `train`: one target after the other, with output as it happens, or
// records.
import CKTRxer
import KTRxerLite

final class AdHoc: SessionObserver {
    private let command: AdHocOptions

    init(_ command: AdHocOptions) { self.command = command }

    func run() -> ExitStatus {
        AgentSettings.setNameServers(command.resolver)
        let signals = ktrxer_signal_open()
        guard signals >= 0 else {
            Console.message("cannot receive signals; is /proc/sys/fs/file-max exhausted?")
            return .internalError
        }
        var capture: CaptureFile?
        if !command.pcap.isEmpty {
            capture = CaptureFile(command.pcap)
            if capture == nil { return .cannotCreate }
        }
        // The order of the command line, one at a time: text of several would be a muddle.
        let queue = SessionQueue(
            parallel: 1, maxPPS: command.maxPPS, frames: capture?.writer, observer: command.json ? nil : self)
        for target in command.targets {
            queue.append(PendingSession(job: 0, name: [], options: command.options, target: target, scheduled: 0))
        }
        var status = ExitStatus.ok
        while !queue.isEmpty {
            if queue.turn(control: signals, until: Int64.max),
                UInt32(ktrxer_signal_next(signals)) == KTRXER_SIGNAL_STOP.rawValue
            {
                queue.cancel()
            }
            for ended in queue.takeEnded() {
                status = status.after(ended.result)
                if !show(ended.result) {
                    queue.cancel()
                    status = .ioError
                }
            }
        }
        if let capture, !capture.close() { status = .ioError }
        return status
    }

    private func show(_ result: MeasurementResult) -> Bool {
        if command.json { return Console.output(RecordEncoder.encode(result: result, version: version)) }
        var text = ByteText()
        Report.finished(result, into: &text)
        return Console.report(text, of: result)
    }

    // MARK: SessionObserver

    func started(session: Session) {
        guard let address = session.address, let transport = session.transportKind else { return }
        var text = ByteText()
        Report.started(
            session.options.kind, target: session.target, address: address, transport: transport,
            options: session.options, into: &text)
        Console.output(text)
    }

    func answered(session: Session, record: ProbeRecord, answer: Answer) {
        guard session.options.kind == .ping, let address = session.address else { return }
        var text = ByteText()
        Report.answer(answer, of: record, address: address, options: session.options, into: &text)
        Console.output(text)
    }
}
