// SPDX-License-Identifier: MIT
// Probes as whole frames through AF_PACKET, past the queueing discipline. Launching is in
// PacketSender.swift; this file opens, receives and reports.
import CKTRxer

/// The transport for root: any probe, at its instant, with the kernel's timestamps.
public final class PacketTransport: Transport {
    public let kind = TransportKind.packet
    public let flow: Flow
    public var sourceAddress: IPAddress { route.source }
    public var mtu: Int { route.mtu }
    public private(set) var foreignAnswers: UInt64 = 0
    public private(set) var lostCaptures: UInt64 = 0

    let route: Route
    private let borrowed: BorrowedPacketSocket
    private var ring: PacketSocket { borrowed.socket }
    private var sender: PacketSender
    private var clock = ClockMapping()
    private var events = EventQueue()
    /// Holds the UDP source port against other programs; -1 otherwise.
    private var reservedPort: Int32 = -1
    private let opened: Int64
    private let observer: (any FrameObserver)?

    /// Opens a socket for one flow on the route's interface.
    /// - Parameters:
    ///   - route: with the next hop's MAC address where the link has them.
    init(
        flow asked: Flow, socket: BorrowedPacketSocket, shape: PacketShape, route: Route,
        observer: (any FrameObserver)?
    ) throws(ProbeError) {
        guard route.linkType != .loopback && !route.isLocal else { throw .unsupported(.loopback) }
        guard route.linkType.hasFrameFormat else { throw .unsupported(.linkType) }
        var flow = asked
        let reservation = try SourcePort.choose(for: &flow, route: route)
        let length = ProbePacket.length(flow: flow)
        guard length <= route.mtu else {
            ktrxer_close(reservation)
            throw .tooLarge(size: length, mtu: route.mtu)
        }
        do throws(ProbeError) {
            try socket.socket.open(shape, filter: AnswerFilter.make(flow: flow))
        } catch {
            ktrxer_close(reservation)
            throw error
        }
        borrowed = socket
        self.flow = flow
        self.route = route
        self.observer = observer
        reservedPort = reservation
        opened = ktrxer_clock_monotonic()
        sender = PacketSender(ring: socket.socket, flow: flow, route: route)
    }

    deinit {
        // Nothing may stay marked in a ring that goes on to another measurement.
        sender.cancel(events: &events)
        ktrxer_close(reservedPort)
    }

    // MARK: Transport

    public func submit(_ probe: Probe) { sender.submit(probe) }

    public var wakeAt: Int64 { sender.wakeAt }

    public func service(now: Int64) {
        receive()
        sender.service(now: now, clock: &clock, events: &events, observer: observer)
        // What came while we spun for a launch is taken at once, not at the next wake-up.
        receive()
        _ = ktrxer_packet_error(ring.packet)
    }

    public func nextEvent() -> TransportEvent? { events.next() }

    public func cancel() { sender.cancel(events: &events) }

    public var descriptorCount: Int { 1 }
    public let waitsToWrite = false
    public func descriptor(_ index: Int) -> Int32 { ring.packet.pointee.descriptor }

    private func receive() {
        var captured = ktrxer_captured()
        // A flood of packets must not keep the loop from launching: one ring at a time.
        var budget = max(64, ring.packet.pointee.receive_slots)
        var fresh = false
        while budget > 0 && ktrxer_packet_peek(ring.packet, &captured) == 1 {
            budget -= 1
            if !fresh {
                clock.refresh()
                fresh = true
            }
            take(captured)
            ktrxer_packet_next(ring.packet)
        }
        lostCaptures += UInt64(max(0, ktrxer_packet_lost(ring.packet)))
    }

    private func take(_ captured: ktrxer_captured) {
        let length = Int(captured.length)
        let offset = Int(captured.network_offset)
        guard captured.outgoing == 0, offset <= length, let frame = captured.frame else { return }
        let now = ktrxer_clock_monotonic()
        var stamp = now
        var source = TimestampSource.user
        if let instant = clock.monotonic(realtime: captured.realtime, notBefore: opened, notAfter: now) {
            stamp = instant
            source = .kernel
        }
        let bytes = UnsafeRawBufferPointer(start: frame, count: length)
        let packet = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        let match = AnswerMatcher.match(
            packet: packet.bytes, flow: flow, source: route.source, receivedAt: stamp, timestampSource: source)
        switch match {
        case .answer(let answer): events.append(.answer(answer))
        case .foreign: foreignAnswers += 1
        case .unrelated: return
        }
        observer?.observe(
            bytes: bytes, wireLength: Int(captured.wire_length),
            realtime: source == .kernel ? captured.realtime : stamp &+ clock.offset, sent: false,
            start: route.linkHeaderLength > 0 ? .ethernet : .ip, interface: route.interfaceName)
    }
}

/// What a transport has to report, first in, first out.
struct EventQueue {
    private var waiting: [TransportEvent] = []
    private var head = 0

    @inline(never)
    mutating func append(_ event: TransportEvent) { waiting.append(event) }

    @inline(never)
    mutating func failed(_ sequence: UInt32, _ failure: ProbeError, attempts: UInt8) {
        append(.completion(Completion(sequence: sequence, failure: failure, attempts: attempts)))
    }

    @inline(never)
    mutating func sent(_ sequence: UInt32, at instant: Int64, _ source: TimestampSource, attempts: UInt8) {
        append(.completion(Completion(sequence: sequence, sentAt: instant, source: source, attempts: attempts)))
    }

    mutating func next() -> TransportEvent? {
        guard head < waiting.count else {
            waiting.removeAll(keepingCapacity: true)
            head = 0
            return nil
        }
        head += 1
        return waiting[head - 1]
    }
}
