// SPDX-License-Identifier: MIT
// `ktrxer-agent ping`, `trace` and `train`: one target after the other, with output as it happens, or
// records.
import CKTRxer
import KTRxerLite

final class AdHoc: SessionObserver {
    private let command: AdHocOptions
    /// Nobody reads the standard output any more.
    private var isUnread = false

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
            // SIGHUP as well: its terminal is gone.
            if queue.turn(control: signals, until: Int64.max), ktrxer_signal_next(signals, 0) != 0 { queue.cancel() }
            for ended in queue.takeEnded() {
                status = status.after(ended.result)
                if !show(ended.result) { isUnread = true }
            }
            // Probing for nobody would be traffic for nothing.
            if isUnread { queue.cancel() }
        }
        if isUnread { status = .ioError }
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
        if !Console.output(text) { isUnread = true }
    }

    func answered(session: Session, record: ProbeRecord, answer: Answer) {
        guard session.options.kind == .ping, let address = session.address else { return }
        var text = ByteText()
        Report.answer(answer, of: record, address: address, options: session.options, into: &text)
        if !Console.output(text) { isUnread = true }
    }
}
