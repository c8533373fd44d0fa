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
        if flow.sourcePort == 0 { flow.sourcePort = Self.randomSourcePort(flow.proto) }
        let reservation = try Self.reserve(&flow, route: route)
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

    /// ICMP identifiers are any number; UDP and TCP ports lie above those that the kernel gives to programs
    /// (net.ipv4.ip_local_port_range, by default up to 60999), with room for 256 TCP ports in a row.
    private static func randomSourcePort(_ proto: ProbeProtocol) -> UInt16 {
        var random = [UInt8](repeating: 0, count: 2)
        random.withUnsafeMutableBytes { ktrxer_random($0.baseAddress, 2) }
        let value = UInt16(random[0]) << 8 | UInt16(random[1])
        return proto == .icmp ? max(1, value) : 61_000 + value % 4_000
    }

    /// Takes the UDP source port from the kernel, another one where it is in use.
    private static func reserve(_ flow: inout Flow, route: Route) throws(ProbeError) -> Int32 {
        guard flow.proto == .udp else { return -1 }
        var setup = ktrxer_socket_setup()
        setup.family = UInt32(route.source.family.rawValue)
        setup.has_source = 1
        setup.interface_index = UInt32(route.interfaceIndex)
        withUnsafeMutableBytes(of: &setup.source) { route.source.store(in: $0) }
        var name = ktrxer_socket_name()
        var result: Int32 = 0
        for _ in 0..<16 {
            setup.source_port = UInt32(flow.sourcePort)
            result = ktrxer_udp_reserve(&setup, &name)
            if result >= 0 { return result }
            flow.sourcePort = randomSourcePort(.udp)
        }
        throw .fromSystem(Int64(result), during: .reserveSourcePort)
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
            bytes: bytes, wireLength: Int(captured.wire_length), realtime: captured.realtime, sent: false,
            start: route.linkHeaderLength > 0 ? .ethernet : .ip, interface: route.interfaceName)
    }
}

/// What a transport has to report, first in, first out.
struct EventQueue {
    private var waiting: [TransportEvent] = []
    private var head = 0

    mutating func append(_ event: TransportEvent) { waiting.append(event) }

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
