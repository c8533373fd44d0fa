// SPDX-License-Identifier: MIT
// The sending half of the packet transport: frames are built in ring slots ahead of time, marked at
// their instant after a short spin, and completed with the driver's timestamp where it gives one.
import CKTRxer

struct PacketSender {
    /// A frame in a slot, in ring order.
    private struct Prepared {
        var probe: Probe
        var slot: UInt32
        var length: UInt32
        var attempts: UInt8 = 0
    }

    /// A frame that the device took, for which the kernel still owes a timestamp.
    private struct Departed {
        var frame: Prepared
        /// Which frame of this socket it was, as the kernel counts.
        var key: UInt32
        /// CLOCK_MONOTONIC ns before the system call.
        var handedOver: Int64
    }

    private let ring: PacketSocket
    private let flow: Flow
    private let route: Route
    private var queue = LaunchQueue()
    private var prepared: [Prepared] = []
    private var departed: [Departed] = []
    private var lead = WakeLead()
    private let slotRest: Int64

    /// nil until the first frame shows whether this device stamps what it sends.
    private var deviceStamps: Bool?
    /// No attempt before this instant, after the device refused a frame.
    private var retryAt: Int64 = 0
    /// The next slot is still with the device: no look at it before this instant.
    private var slotBusyUntil: Int64 = 0
    private var plannedWake: Int64 = 0

    /// Frames are built this long before their launch.
    private static let prepareAhead: Int64 = 10_000_000
    /// How long a completion waits for the driver's timestamp.
    private static let stampPatience: Int64 = 20_000_000
    /// The kernel sends a ring slot's pages as they lie. A virtual device reports them free when it passes the
    /// packet on, while somebody may still have to read them, so a slot rests before it is filled again.
    private static let ringSlotRest: Int64 = 250_000_000
    /// Without rings it sends a copy; the slot is kept until its completion, for the observer.
    private static let ownSlotRest: Int64 = stampPatience + 5_000_000
    private static let mostAttempts: UInt8 = 8
    /// One call launches for so long at most, so that answers are read meanwhile.
    private static let launchSpell: Int64 = 2_000_000

    /// - Parameter ring: an open socket; with or without rings, its slots are used as one.
    init(ring: PacketSocket, flow: Flow, route: Route) {
        self.ring = ring
        self.flow = flow
        self.route = route
        slotRest = ring.packet.pointee.mapped != 0 ? Self.ringSlotRest : Self.ownSlotRest
    }

    mutating func submit(_ probe: Probe) {
        // What is prepared leaves in ring order: a probe that is due earlier sends the later ones back.
        while let last = prepared.last, last.probe.launch > probe.launch, last.attempts == 0 {
            prepared.removeLast()
            ring.nextSlot = last.slot
            queue.putBack(last.probe)
        }
        queue.insert(probe)
    }

    var wakeAt: Int64 {
        var wake = Int64.max
        if let first = prepared.first {
            wake = max(retryAt, first.probe.launch - lead.lead)
        } else if let first = queue.first {
            wake = max(first.launch - Self.prepareAhead, ring.reusableFrom[Int(ring.nextSlot)], slotBusyUntil)
        }
        if let first = departed.first { wake = min(wake, first.handedOver + Self.stampPatience) }
        return wake
    }

    mutating func service(
        now: Int64, clock: inout ClockMapping, events: inout EventQueue, observer: (any FrameObserver)?
    ) {
        if let first = prepared.first, first.attempts == 0, plannedWake == first.probe.launch - lead.lead {
            lead.woke(planned: plannedWake, at: now)
        }
        collectStamps(clock: &clock, events: &events, observer: observer)
        var clockNow = now
        let spellEnd = now + Self.launchSpell
        repeat {
            prepare(now: clockNow, events: &events)
            guard let first = prepared.first, retryAt <= clockNow,
                first.probe.launch - clockNow <= min(lead.lead * 2, WakeLead.spinLimit)
            else { break }
            repeat { clockNow = ktrxer_clock_monotonic() } while clockNow < first.probe.launch
            launch(now: clockNow, events: &events)
            clockNow = ktrxer_clock_monotonic()
        } while clockNow < spellEnd
        collectStamps(clock: &clock, events: &events, observer: observer)
        expireStamps(now: clockNow, clock: clock, events: &events, observer: observer)
        if let first = prepared.first { plannedWake = first.probe.launch - lead.lead }
    }

    /// Builds frames for what is due soon, as far as slots are free.
    private mutating func prepare(now: Int64, events: inout EventQueue) {
        while let next = queue.first, next.launch - now <= Self.prepareAhead,
            prepared.count < ring.reusableFrom.count,
            ring.reusableFrom[Int(ring.nextSlot)] <= now
        {
            guard ktrxer_packet_slot_state(ring.packet, ring.nextSlot) == Int32(KTRXER_SLOT_FREE.rawValue) else {
                slotBusyUntil = now + 1_000_000
                return
            }
            let probe = queue.removeFirst()
            let capacity = Int(ktrxer_packet_slot_capacity(ring.packet))
            let buffer = UnsafeMutableRawBufferPointer(
                start: ktrxer_packet_slot(ring.packet, ring.nextSlot), count: capacity)
            var bytes = buffer.mutableBytes
            do throws(FrameError) {
                let start = try route.writeLinkHeader(into: &bytes)
                let length = try ProbePacket.build(
                    flow: flow, source: route.source, probe: probe, into: &bytes, at: start)
                prepared.append(Prepared(probe: probe, slot: ring.nextSlot, length: UInt32(start + length)))
                ring.nextSlot = (ring.nextSlot + 1) % UInt32(ring.reusableFrom.count)
            } catch {
                events.failed(probe.sequence, .tooLarge(size: capacity, mtu: route.mtu), attempts: 0)
            }
        }
    }

    /// Hands everything that is due to the driver in one system call.
    private mutating func launch(now: Int64, events: inout EventQueue) {
        var due = 0
        while due < prepared.count && prepared[due].probe.launch <= now {
            prepared[due].attempts += 1
            if prepared[due].attempts == 1 {
                ktrxer_packet_mark(ring.packet, prepared[due].slot, prepared[due].length)
            }
            due += 1
        }
        let result = ktrxer_packet_send(ring.packet)
        var taken = 0
        while taken < due {
            let state = ktrxer_packet_slot_state(ring.packet, prepared[taken].slot)
            guard state == Int32(KTRXER_SLOT_FREE.rawValue) || state == Int32(KTRXER_SLOT_SENDING.rawValue) else {
                break
            }
            depart(prepared[taken], at: now, events: &events)
            taken += 1
        }
        prepared.removeFirst(taken)
        if taken < due { refused(result: Int64(result), due: due - taken, now: now, events: &events) }
    }

    private mutating func depart(_ frame: Prepared, at now: Int64, events: inout EventQueue) {
        ring.reusableFrom[Int(frame.slot)] = now + slotRest
        departed.append(Departed(frame: frame, key: ring.nextKey, handedOver: now))
        ring.nextKey &+= 1
    }

    /// The kernel stopped at the first prepared frame: tries again later, or gives up.
    private mutating func refused(result: Int64, due: Int, now: Int64, events: inout EventQueue) {
        let busy = result == 0 || ktrxer_error_class(Int32(-result)) == Int32(KTRXER_ERROR_BUSY.rawValue)
        let state = ktrxer_packet_slot_state(ring.packet, prepared[0].slot)
        if busy && state == Int32(KTRXER_SLOT_QUEUED.rawValue) {
            // The frame that the driver refused had already been counted.
            if result != 0 { ring.nextKey &+= 1 }
            if prepared[0].attempts < Self.mostAttempts {
                retryAt = now + 20_000 << Int64(prepared[0].attempts)
                return
            }
        }
        // Nothing of what was marked has left: the slots are ours again, and the kernel still waits at the first.
        let failure: ProbeError
        if busy {
            failure = .queueBusy
        } else if state == Int32(KTRXER_SLOT_REFUSED.rawValue) {
            failure = .tooLarge(size: Int(prepared[0].length), mtu: route.mtu)
        } else {
            failure = .fromSystem(result, during: .send)
        }
        // A full queue or a dead interface concerns all that were due; a bad frame only itself.
        let failing = state == Int32(KTRXER_SLOT_REFUSED.rawValue) ? 1 : due
        ring.nextSlot = prepared[0].slot
        for index in 0..<prepared.count {
            let frame = prepared[index]
            if frame.attempts > 0 { ktrxer_packet_unmark(ring.packet, frame.slot) }
            if index < failing {
                events.failed(frame.probe.sequence, failure, attempts: frame.attempts)
            } else {
                queue.insert(frame.probe)
            }
        }
        prepared.removeAll(keepingCapacity: true)
    }

    // MARK: Transmit timestamps

    private mutating func collectStamps(
        clock: inout ClockMapping, events: inout EventQueue, observer: (any FrameObserver)?
    ) {
        var stamp = ktrxer_transmit_stamp()
        var fresh = false
        // Late ones too, which would keep the descriptor readable.
        while ktrxer_packet_transmit_stamp(ring.packet, &stamp) == 1 {
            if !fresh {
                clock.refresh()
                fresh = true
            }
            guard let index = departed.firstIndex(where: { $0.key == stamp.key }) else { continue }
            let entry = departed[index]
            let now = ktrxer_clock_monotonic()
            // A stamp from before the frame was handed over belongs to another frame.
            guard let instant = clock.monotonic(realtime: stamp.realtime, notBefore: entry.handedOver, notAfter: now)
            else { continue }
            deviceStamps = true
            departed.remove(at: index)
            complete(entry, at: instant, source: .kernel, clock: clock, events: &events, observer: observer)
        }
    }

    private mutating func expireStamps(
        now: Int64, clock: ClockMapping, events: inout EventQueue, observer: (any FrameObserver)?
    ) {
        while let first = departed.first {
            if deviceStamps != false {
                guard first.handedOver + Self.stampPatience <= now else { return }
                if deviceStamps == nil { deviceStamps = false }
            }
            departed.removeFirst()
            complete(first, at: first.handedOver, source: .user, clock: clock, events: &events, observer: observer)
        }
    }

    private func complete(
        _ entry: Departed, at instant: Int64, source: TimestampSource, clock: ClockMapping,
        events: inout EventQueue, observer: (any FrameObserver)?
    ) {
        let frame = entry.frame
        events.sent(frame.probe.sequence, at: instant, source, attempts: frame.attempts)
        observer?.observe(
            bytes: UnsafeRawBufferPointer(
                start: ktrxer_packet_slot(ring.packet, frame.slot), count: Int(frame.length)),
            wireLength: Int(frame.length), realtime: instant &+ clock.offset, sent: true,
            start: route.linkHeaderLength > 0 ? .ethernet : .ip, interface: route.interfaceName)
    }

    /// Completes all that has not left with `cancelled`, and all that has with what is known.
    mutating func cancel(events: inout EventQueue) {
        for frame in prepared {
            if frame.attempts > 0 { ktrxer_packet_unmark(ring.packet, frame.slot) }
            ring.nextSlot = prepared[0].slot
            events.failed(frame.probe.sequence, .cancelled, attempts: frame.attempts)
        }
        prepared.removeAll()
        while !queue.isEmpty {
            let probe = queue.removeFirst()
            events.failed(probe.sequence, .cancelled, attempts: 0)
        }
        for entry in departed {
            events.sent(entry.frame.probe.sequence, at: entry.handedOver, .user, attempts: entry.frame.attempts)
        }
        departed.removeAll()
    }
}
