// SPDX-License-Identifier: MIT
// Probes and answers through the kernel module: it launches each frame at its instant, and captures answers before
// anything else on the device sees them. Sending is in KernelSender.swift, what is captured in KernelRules.swift.
import CKTRxer

/// The best transport there is: launch times are kept by the kernel, whatever this process is doing.
public final class KernelTransport: Transport {
    public let kind = TransportKind.kernel
    public let flow: Flow
    public var sourceAddress: IPAddress { route.source }
    public var mtu: Int { route.mtu }
    public private(set) var foreignAnswers: UInt64 = 0
    public private(set) var lostCaptures: UInt64 = 0

    private let route: Route
    private let rings: KernelRings
    private var sender: KernelSender
    private var clock = ClockMapping()
    private var events = EventQueue()
    /// Holds the UDP source port against other programs; -1 otherwise.
    private let reservedPort: Int32
    private let opened: Int64
    private let observer: (any FrameObserver)?
    /// The interface is gone: nothing is sent any more, and its descriptor reports that for ever.
    private var isGone = false

    /// Binds the devices to the route's interface, and has the flow's answers captured.
    /// - Parameters:
    ///   - devices: used up.
    ///   - route: with the next hop's MAC address where the link has them.
    ///   - probeCount: how many probes will be submitted; sizes the rings.
    ///   - burst: how many of them may leave back to back.
    init(
        flow asked: Flow, devices: KernelDevices, route: Route, probeCount: Int, burst: Int,
        observer: (any FrameObserver)?
    ) throws(ProbeError) {
        guard route.linkType != .loopback && !route.isLocal else { throw .unsupported(.loopback) }
        guard route.linkType.hasFrameFormat else { throw .unsupported(.linkType) }
        var flow = asked
        let length = ProbePacket.length(flow: flow)
        guard length <= route.mtu else { throw .tooLarge(size: length, mtu: route.mtu) }
        rings = try KernelRings(
            devices: devices, route: route, frameLength: length + route.linkHeaderLength, probeCount: probeCount,
            burst: burst)
        reservedPort = try SourcePort.choose(for: &flow, route: route)
        self.flow = flow
        self.route = route
        self.observer = observer
        opened = ktrxer_clock_monotonic()
        sender = KernelSender(rings: rings, flow: flow, route: route)
        try rings.capture(flow: flow, source: route.source, withLink: observer != nil)
    }

    deinit {
        ktrxer_close(reservedPort)
    }

    // MARK: Transport

    public func submit(_ probe: Probe) { sender.submit(probe) }

    public var wakeAt: Int64 { sender.wakeAt }

    public func service(now: Int64) {
        if observer != nil { clock.refresh() }
        sender.handOver(now: now, events: &events)
        let completed = sender.complete(events: &events, observer: observer, clock: clock)
        let captured = receive()
        lostCaptures += UInt64(ktrxer_capturer_lost(rings.capturer))
        if !completed && !captured && !isGone && ktrxer_sender_gone(rings.sender) == 1 {
            isGone = true
            // Its completions are there before it says so.
            _ = sender.complete(events: &events, observer: observer, clock: clock)
        }
        if isGone { sender.giveUp(.unsupported(.interfaceGoneForGood), events: &events) }
    }

    public func nextEvent() -> TransportEvent? { events.next() }

    public func cancel() { sender.cancel(events: &events, observer: observer, clock: clock) }

    public var descriptorCount: Int { isGone ? 1 : 2 }
    public let waitsToWrite = false
    public func descriptor(_ index: Int) -> Int32 {
        index == 0 ? rings.capturer.pointee.descriptor : rings.sender.pointee.descriptor
    }

    // MARK: Receiving

    /// Takes in what was captured; whether there was anything.
    private func receive() -> Bool {
        var record = ktrxer_record()
        var bytes: UnsafePointer<UInt8>?
        // A flood of packets must not keep the loop from the rest: one ring at a time.
        var budget = rings.capturer.pointee.slots
        var any = false
        while budget > 0 && ktrxer_capturer_peek(rings.capturer, &record, &bytes) == 1 {
            budget -= 1
            any = true
            if let bytes { take(record, UnsafeRawBufferPointer(start: bytes, count: Int(record.captured_length))) }
            ktrxer_capturer_seen(rings.capturer)
        }
        return any
    }

    private func take(_ record: ktrxer_record, _ frame: UnsafeRawBufferPointer) {
        let hasLink = UInt32(record.flags) & UInt32(KTRXER_RECORD_LINK) != 0
        let offset = hasLink ? Int(record.network_offset) : 0
        guard offset <= frame.count else { return }
        let now = ktrxer_clock_monotonic()
        var stamp = Int64(clamping: record.monotonic_ns)
        var source = TimestampSource.kernel
        if stamp < opened || stamp > now {
            stamp = now
            source = .user
        }
        let packet = UnsafeRawBufferPointer(rebasing: frame[offset...])
        switch AnswerMatcher.match(
            packet: packet.bytes, flow: flow, source: route.source, receivedAt: stamp, timestampSource: source)
        {
        case .answer(let answer): events.append(.answer(answer))
        case .foreign: foreignAnswers += 1
        case .unrelated: return
        }
        observer?.observe(
            bytes: frame, wireLength: Int(min(record.original_length, 0xFF_FFFF)) + offset,
            realtime: Int64(clamping: record.realtime_ns), sent: false, start: hasLink ? .ethernet : .ip,
            interface: route.interfaceName)
    }
}
