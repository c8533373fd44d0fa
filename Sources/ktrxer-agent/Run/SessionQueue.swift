// SPDX-License-Identifier: MIT
// Which measurements run now and which wait: so many side by side as the settings allow, and a train by
// itself, because its packets and another's would disturb each other.
import CKTRxer
import KTRxerLite

/// One measurement of one target that is to be done, or under way.
final class PendingSession {
    /// Position of its job.
    var job: Int
    let name: ByteText
    let options: MeasurementOptions
    let target: ByteText
    /// CLOCK_REALTIME ns at which the schedule wanted it; 0: nobody did.
    let scheduled: Int64
    /// Once it is under way.
    fileprivate var session: Session?

    init(job: Int, name: ByteText, options: MeasurementOptions, target: ByteText, scheduled: Int64) {
        self.job = job
        self.name = name
        self.options = options
        self.target = target
        self.scheduled = scheduled
    }
}

/// One that has ended.
struct EndedSession {
    let job: Int
    let result: MeasurementResult
}

final class SessionQueue {
    /// How many at the same time.
    var parallel: Int
    var pacer: Pacer
    let loop = EventLoop()
    private var waiting: [PendingSession] = []
    /// Entries before this index have been started.
    private var head = 0
    private var active: [PendingSession] = []
    private let frames: (any FrameObserver)?
    private let observer: (any SessionObserver)?

    init(parallel: Int, maxPPS: Int, frames: (any FrameObserver)?, observer: (any SessionObserver)?) {
        self.parallel = parallel
        pacer = Pacer(maxPerSecond: maxPPS)
        self.frames = frames
        self.observer = observer
    }

    var isEmpty: Bool { head == waiting.count && active.isEmpty }

    func append(_ pending: PendingSession) { waiting.append(pending) }

    /// Starts what may start, waits for events or `deadline` (CLOCK_MONOTONIC ns), and lets all go on.
    /// Returns whether `control` is readable.
    func turn(control: Int32, until deadline: Int64) -> Bool {
        startWhatMay()
        return loop.turn(control: control, until: deadline)
    }

    /// In order, so that a train gets its turn however many others come after it.
    private func startWhatMay() {
        while head < waiting.count && active.count < parallel {
            let next = waiting[head]
            if next.options.kind == .train && !active.isEmpty { return }
            for entry in active where entry.options.kind == .train { return }
            head += 1
            if head >= 256 {
                waiting.removeFirst(head)
                head = 0
            }
            let session = Session(
                job: next.name, target: next.target, options: next.options, pacer: pacer,
                packetSockets: loop.packetSockets, frames: frames, observer: observer)
            next.session = session
            active.append(next)
            loop.add(session)
        }
    }

    /// The results of what has ended since the last call.
    func takeEnded() -> [EndedSession] {
        var ended: [EndedSession] = []
        loop.removeFinished()
        var index = 0
        while index < active.count {
            guard let session = active[index].session, session.isFinished else {
                index += 1
                continue
            }
            let entry = active.remove(at: index)
            let result = session.makeResult()
            result.scheduledRealtime = entry.scheduled
            // Its descriptors are needed: the entry itself is among `waiting` for some time yet.
            entry.session = nil
            ended.append(EndedSession(job: entry.job, result: result))
        }
        return ended
    }

    /// Stops everything: what runs ends with what it has, what waits is forgotten.
    func cancel() {
        waiting.removeAll()
        head = 0
        for entry in active { entry.session?.cancel() }
    }

    /// After a reload: `positions[old]` is the new position of a job, or -1 when it is gone. What waits of a
    /// job that is gone is forgotten; what runs ends as it is.
    func renumber(_ positions: [Int]) {
        var kept: [PendingSession] = []
        for index in head..<waiting.count {
            let pending = waiting[index]
            pending.job = pending.job < positions.count ? positions[pending.job] : -1
            if pending.job >= 0 { kept.append(pending) }
        }
        waiting = kept
        head = 0
        for index in 0..<active.count {
            let job = active[index].job
            active[index].job = job >= 0 && job < positions.count ? positions[job] : -1
        }
    }

    /// Whether any measurement of the job waits or runs.
    func contains(job: Int) -> Bool {
        for index in head..<waiting.count where waiting[index].job == job { return true }
        for entry in active where entry.job == job { return true }
        return false
    }
}
