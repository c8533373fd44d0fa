// SPDX-License-Identifier: MIT
// The sending half of the kernel transport: frames are built and handed over with their launch times as soon as they are
// known; launching, spinning and retrying is the kernel's.
import CKTRxer

struct KernelSender {
    private struct InFlight {
        var probe: Probe
        var length: Int
        /// CLOCK_MONOTONIC ns at which it was handed over.
        var handedOver: Int64
    }

    private let rings: KernelRings
    private let flow: Flow
    private let route: Route
    /// Probes that have no slot yet.
    private var queue = LaunchQueue()
    /// By slot; nil: the slot is free.
    private var inFlight: [InFlight?]
    /// Free slots, the one that was freed first is used first.
    private var free: [UInt32]
    private var firstFree = 0
    private var freeCount: Int
    /// After the kernel took nothing: no attempt before this instant.
    private var retryAt: Int64 = 0

    private static let retryPause: Int64 = 1_000_000

    init(rings: KernelRings, flow: Flow, route: Route) {
        self.rings = rings
        self.flow = flow
        self.route = route
        inFlight = [InFlight?](repeating: nil, count: rings.slots)
        free = []
        free.reserveCapacity(rings.slots)
        for slot in 0..<rings.slots { free.append(UInt32(slot)) }
        freeCount = rings.slots
    }

    mutating func submit(_ probe: Probe) { queue.insert(probe) }

    /// At once while there is something to be handed over; all else is announced by the descriptor.
    var wakeAt: Int64 {
        let waiting = !queue.isEmpty && freeCount > 0 || ktrxer_sender_queued(rings.sender) > 0
        return waiting ? retryAt : Int64.max
    }

    /// Hands over what there are slots for.
    mutating func handOver(now: Int64, events: inout EventQueue) {
        guard retryAt <= now else { return }
        while freeCount > 0 && !queue.isEmpty { prepare(queue.removeFirst(), now: now, events: &events) }
        guard ktrxer_sender_queued(rings.sender) > 0 else { return }
        let result = ktrxer_sender_submit(rings.sender)
        retryAt = result > 0 ? 0 : now + Self.retryPause
        guard result < 0, !Self.isPassing(result) else { return }
        giveUp(.fromSystem(Int64(result), during: .send), events: &events)
    }

    private static func isPassing(_ result: Int32) -> Bool {
        switch UInt32(ktrxer_error_class(-result)) {
        case KTRXER_ERROR_AGAIN.rawValue, KTRXER_ERROR_BUSY.rawValue: true
        default: false
        }
    }

    private mutating func prepare(_ probe: Probe, now: Int64, events: inout EventQueue) {
        let slot = Int(free[firstFree])
        let frame = rings.frame(slot)
        var bytes = frame.mutableBytes
        do throws(FrameError) {
            let start = try route.writeLinkHeader(into: &bytes)
            let length =
                try start
                + ProbePacket.build(flow: flow, source: route.source, probe: probe, into: &bytes, at: start)
            var descriptor = ktrxer_descriptor()
            descriptor.launch_ns = UInt64(max(probe.launch, 0))
            descriptor.cookie = cookie(slot)
            descriptor.frame_offset = UInt32(truncatingIfNeeded: slot * rings.slotLength)
            descriptor.frame_length = UInt32(truncatingIfNeeded: length)
            // Ahead of the launch, which is then as quick for long frames as for short ones; and no device reads the slot.
            descriptor.flags = UInt32(KTRXER_FRAME_COPY)
            // There are as many descriptors as slots, and this slot's was taken.
            _ = ktrxer_sender_queue(rings.sender, &descriptor)
            inFlight[slot] = InFlight(probe: probe, length: length, handedOver: now)
            firstFree = (firstFree + 1) % free.count
            freeCount -= 1
        } catch {
            events.append(
                .completion(
                    Completion(
                        sequence: probe.sequence, failure: .tooLarge(size: frame.count, mtu: route.mtu), attempts: 0)))
        }
    }

    /// The flow's token, so that a completion that is not ours is told from ours, and the slot.
    private func cookie(_ slot: Int) -> UInt64 { UInt64(flow.token) << 32 | UInt64(slot) }

    // MARK: Completions

    /// Takes in completions; whether there was any.
    mutating func complete(events: inout EventQueue, observer: (any FrameObserver)?, clock: ClockMapping) -> Bool {
        var completion = ktrxer_completion()
        var any = false
        // No more than the ring holds, so that answers are read meanwhile.
        var budget = rings.slots
        while budget > 0 && ktrxer_sender_peek(rings.sender, &completion) == 1 {
            budget -= 1
            any = true
            take(completion, events: &events, observer: observer, clock: clock)
            ktrxer_sender_seen(rings.sender)
        }
        // What was refused for want of room for completions can now be tried again.
        if any { retryAt = 0 }
        return any
    }

    private mutating func take(
        _ completion: ktrxer_completion, events: inout EventQueue, observer: (any FrameObserver)?, clock: ClockMapping
    ) {
        let slot = Int(clamping: completion.cookie & 0xFFFF_FFFF)
        guard slot < inFlight.count, completion.cookie == cookie(slot), let entry = inFlight[slot] else { return }
        let attempts = UInt8(clamping: completion.attempts)
        guard completion.status == KTRXER_SENT.rawValue else {
            release(slot)
            fail(entry.probe, failure(completion, entry), attempts: attempts, events: &events)
            return
        }
        let now = ktrxer_clock_monotonic()
        var sentAt = Int64(clamping: completion.sent_ns)
        var source = TimestampSource.kernel
        if sentAt < entry.handedOver || sentAt > now {
            // It cannot have left then; between the two it did.
            sentAt = entry.handedOver
            source = .user
        }
        events.append(
            .completion(
                Completion(sequence: entry.probe.sequence, sentAt: sentAt, source: source, attempts: max(1, attempts))))
        observer?.observe(
            bytes: UnsafeRawBufferPointer(rebasing: rings.frame(slot)[..<entry.length]), wireLength: entry.length,
            realtime: sentAt &+ clock.offset, sent: true, start: route.linkHeaderLength > 0 ? .ethernet : .ip,
            interface: route.interfaceName)
        release(slot)
    }

    private func failure(_ completion: ktrxer_completion, _ entry: InFlight) -> ProbeError {
        switch completion.status {
        case KTRXER_LATE.rawValue: .launchMissed
        case KTRXER_BUSY.rawValue: .queueBusy
        case KTRXER_DOWN.rawValue, KTRXER_NO_CARRIER.rawValue: .interfaceDown
        case KTRXER_GONE.rawValue: .unsupported(.interfaceGoneForGood)
        case KTRXER_CANCELLED.rawValue: .cancelled
        case KTRXER_BAD_LENGTH.rawValue: .tooLarge(size: entry.length - route.linkHeaderLength, mtu: route.mtu)
        default: .system(code: ktrxer_status_error(completion.status), during: .send)
        }
    }

    private mutating func release(_ slot: Int) {
        inFlight[slot] = nil
        free[(firstFree + freeCount) % free.count] = UInt32(slot)
        freeCount += 1
    }

    private func fail(_ probe: Probe, _ error: ProbeError, attempts: UInt8, events: inout EventQueue) {
        events.append(.completion(Completion(sequence: probe.sequence, failure: error, attempts: attempts)))
    }

    // MARK: Giving up

    /// Completes everything that has not left.
    mutating func cancel(events: inout EventQueue, observer: (any FrameObserver)?, clock: ClockMapping) {
        _ = ktrxer_sender_cancel(rings.sender, nil)
        _ = complete(events: &events, observer: observer, clock: clock)
        giveUp(.cancelled, events: &events)
    }

    /// The same when the kernel does not complete anything any more.
    mutating func giveUp(_ error: ProbeError, events: inout EventQueue) {
        ktrxer_sender_withdraw(rings.sender)
        for slot in 0..<inFlight.count {
            guard let entry = inFlight[slot] else { continue }
            release(slot)
            fail(entry.probe, error, attempts: 0, events: &events)
        }
        while !queue.isEmpty { fail(queue.removeFirst(), error, attempts: 0, events: &events) }
    }
}
