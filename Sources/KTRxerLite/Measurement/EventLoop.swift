// SPDX-License-Identifier: MIT
// Runs sessions side by side: waits for their descriptors and instants, and lets each do what it can. One
// thread, so that probes are disturbed by nothing but one another, which SessionQueue prevents.
import CKTRxer

public final class EventLoop {
    public private(set) var sessions: [Session] = []
    private var descriptors: [Int32] = []
    private var writable: [UInt8] = []
    private var ready: [UInt8] = []

    /// Descriptors that one call waits for.
    private static let mostWatched = 1000
    private static let lookInterval: Int64 = 5_000_000

    public init() {}

    public func add(_ session: Session) { sessions.append(session) }

    /// What the sessions borrow; closed when nobody is disturbed by it.
    public let packetSockets = PacketSockets()
    /// How long opening rings or closing a socket keeps this process from launching, ns, generously.
    private static let openingTime: Int64 = 150_000_000
    private static let closingTime: Int64 = 100_000_000

    /// Takes out the sessions that have ended.
    public func removeFinished() {
        var index = 0
        while index < sessions.count {
            if sessions[index].isFinished { sessions.remove(at: index) } else { index += 1 }
        }
    }

    /// Waits until something happens, at most until `deadline` (CLOCK_MONOTONIC ns), and serves whom it
    /// concerns.
    /// - Parameter control: a descriptor of the caller's to be watched too.
    /// - Returns: whether `control` is readable.
    public func turn(control: Int32, until deadline: Int64) -> Bool {
        openAndClose()
        descriptors.removeAll(keepingCapacity: true)
        writable.removeAll(keepingCapacity: true)
        watch(control, forWriting: false)
        var wake = deadline
        for session in sessions {
            wake = min(wake, session.wakeAt)
            for index in 0..<session.descriptorCount {
                watch(session.descriptor(index), forWriting: session.waitsToWrite)
            }
        }
        // More than one call can wait for: the rest are looked at every now and then.
        if descriptors.count > Self.mostWatched {
            descriptors.removeLast(descriptors.count - Self.mostWatched)
            wake = min(wake, ktrxer_clock_monotonic() + Self.lookInterval)
        }
        while ready.count < descriptors.count { ready.append(0) }
        for index in 0..<ready.count { ready[index] = 0 }
        let now = ktrxer_clock_monotonic()
        // What may not be closed yet for another's sake may be soon.
        wake = min(wake, max(packetSockets.closableAt, now + Self.closingTime))
        let timeout = wake == Int64.max ? -1 : max(0, wake - now)
        _ = ready.withUnsafeMutableBufferPointer { flags in
            ktrxer_wait(descriptors, writable, flags.baseAddress, UInt32(descriptors.count), timeout)
        }
        serve()
        return ready[0] != 0
    }

    /// Opens one session's rings, or closes a socket that has long been idle, if no other has a launch soon.
    /// Otherwise they wait for the turn after that launch.
    private func openAndClose() {
        let now = ktrxer_clock_monotonic()
        var quiet = Int64.max
        var ready: Session?
        for session in sessions {
            quiet = min(quiet, session.quietUntil)
            if ready == nil && session.isReady { ready = session }
        }
        if let ready, quiet >= now + Self.openingTime {
            ready.open(now: now)
        } else if packetSockets.closableAt <= now && quiet >= now + Self.closingTime {
            packetSockets.closeOne(now: now)
        }
    }

    private func watch(_ descriptor: Int32, forWriting: Bool) {
        descriptors.append(descriptor)
        writable.append(forWriting ? 1 : 0)
    }

    private func serve() {
        var position = 1
        for session in sessions {
            let count = session.descriptorCount
            var concerned = false
            let unwatched = position + count > descriptors.count
            for _ in 0..<count where position < descriptors.count {
                if ready[position] != 0 { concerned = true }
                position += 1
            }
            let now = ktrxer_clock_monotonic()
            if concerned || unwatched || session.wakeAt <= now { session.service(now: now) }
        }
    }
}
