// SPDX-License-Identifier: MIT
// TCP probes without privileges: each is one connection attempt, closed as soon as its outcome is known.
// Every probe has its own source port, so the flow is not constant.
import CKTRxer

/// SYN probes by connect(2). Router errors need Linux 5.11, which reports them to unprivileged sockets.
public final class SocketConnections: Transport {
    public let kind = TransportKind.socket
    public let flow: Flow
    public private(set) var sourceAddress: IPAddress
    public private(set) var mtu = 1500
    public let foreignAnswers: UInt64 = 0
    public let lostCaptures: UInt64 = 0

    private struct Attempt {
        var sequence: UInt32
        var descriptor: Int32
        var started: Int64
    }

    private let source: IPAddress?
    private let interface: InterfaceName
    private let interfaceIndex: Int
    private var queue = LaunchQueue()
    private var lead = WakeLead()
    private var attempts: [Attempt] = []
    private var events = EventQueue()
    private var clock = ClockMapping()
    private var plannedWake: Int64 = 0

    /// The kernel sends a lost SYN again after 1 s; by then the attempt has been given up.
    private static let patience: Int64 = 990_000_000
    /// Open attempts; descriptors are not plentiful on small devices.
    private static let most = 200

    init(
        flow: Flow, source: IPAddress?, interface: InterfaceName, interfaceIndex: Int
    ) throws(ProbeError) {
        self.flow = flow
        self.source = source
        self.interface = interface
        self.interfaceIndex = interfaceIndex
        sourceAddress = source ?? (flow.destination.family == .ipv4 ? IPAddress(v4: 0) : IPAddress(v6High: 0, low: 0))
    }

    deinit {
        for attempt in attempts { ktrxer_tcp_abort(attempt.descriptor) }
    }

    public func submit(_ probe: Probe) { queue.insert(probe) }

    public var wakeAt: Int64 {
        var wake = Int64.max
        if let first = queue.first { wake = first.launch - lead.lead }
        if let first = attempts.first { wake = min(wake, first.started + Self.patience) }
        return wake
    }

    public var descriptorCount: Int { attempts.count }
    public let waitsToWrite = true
    public func descriptor(_ index: Int) -> Int32 { attempts[index].descriptor }
    public func nextEvent() -> TransportEvent? { events.next() }

    public func service(now: Int64) {
        if let first = queue.first, plannedWake == first.launch - lead.lead { lead.woke(planned: plannedWake, at: now) }
        collect()
        var clockNow = now
        while let first = queue.first, first.launch - clockNow <= min(lead.lead * 2, WakeLead.spinLimit) {
            let probe = queue.removeFirst()
            while clockNow < probe.launch { clockNow = ktrxer_clock_monotonic() }
            start(probe)
            clockNow = ktrxer_clock_monotonic()
        }
        collect()
        while let first = attempts.first, first.started + Self.patience <= clockNow {
            ktrxer_tcp_abort(first.descriptor)
            attempts.removeFirst()
        }
        if let first = queue.first { plannedWake = first.launch - lead.lead }
    }

    public func cancel() {
        while !queue.isEmpty {
            let probe = queue.removeFirst()
            events.failed(probe.sequence, .cancelled, attempts: 0)
        }
    }

    private func start(_ probe: Probe) {
        guard attempts.count < Self.most else {
            events.failed(probe.sequence, .queueBusy, attempts: 0)
            return
        }
        var setup = SocketSetup.make(flow: flow, source: source, interface: interface, interfaceIndex: interfaceIndex)
        setup.ttl = UInt32(probe.ttl)
        var name = ktrxer_socket_name()
        let before = ktrxer_clock_monotonic()
        let result = ktrxer_tcp_probe(&setup, &name)
        guard result >= 0 else {
            // A refusal that came back before connect() returned (on the way to this host, say) has no
            // descriptor to ask; it counts as an answer all the same.
            if UInt32(ktrxer_error_class(-result)) == KTRXER_ERROR_REFUSED.rawValue {
                events.sent(probe.sequence, at: before, .user, attempts: 1)
                events.append(
                    .answer(
                        Answer(
                            sequence: probe.sequence, kind: .tcpReset, from: flow.destination,
                            receivedAt: ktrxer_clock_monotonic(), source: .user)))
                return
            }
            events.append(
                .completion(
                    Completion(
                        sequence: probe.sequence, failure: .fromSystem(Int64(result), during: .openTCPSocket),
                        attempts: 1))
            )
            return
        }
        sourceAddress = SocketSetup.address(name.source, family: flow.destination.family)
        if name.mtu != 0 { mtu = Int(name.mtu) }
        attempts.append(Attempt(sequence: probe.sequence, descriptor: result, started: before))
        events.sent(probe.sequence, at: before, .user, attempts: 1)
    }

    private func collect() {
        var outcome = ktrxer_tcp_outcome()
        var index = 0
        while index < attempts.count {
            let attempt = attempts[index]
            if !routerError(attempt) {
                guard ktrxer_tcp_outcome(attempt.descriptor, &outcome) == 1 else {
                    index += 1
                    continue
                }
                if outcome.retransmits == 0 && (outcome.error == 0 || outcome.refused == 1) {
                    report(attempt, outcome)
                } else {
                    // It may be a router's answer that came just now.
                    _ = routerError(attempt)
                }
            }
            ktrxer_tcp_abort(attempt.descriptor)
            attempts.remove(at: index)
        }
    }

    private func report(_ attempt: Attempt, _ outcome: ktrxer_tcp_outcome) {
        let now = ktrxer_clock_monotonic()
        var answer = Answer(
            sequence: attempt.sequence, kind: outcome.refused == 1 ? .tcpReset : .tcpOpen, from: flow.destination,
            receivedAt: now, source: .user)
        // The kernel timed the handshake itself, in microseconds.
        if outcome.refused == 0 && outcome.round_trip_us > 0 {
            answer.receivedAt = min(now, attempt.started + Int64(outcome.round_trip_us) * 1000)
            answer.source = .kernel
        }
        events.append(.answer(answer))
    }

    /// Takes a router's ICMP error from the attempt's error queue; false when there is none.
    private func routerError(_ attempt: Attempt) -> Bool {
        var message = ktrxer_message()
        while ktrxer_message_receive(attempt.descriptor, 1, nil, 0, &message) >= 0 {
            guard UInt32(message.origin) == KTRXER_ORIGIN_ICMP.rawValue else { continue }
            let now = ktrxer_clock_monotonic()
            clock.refresh()
            let instant = clock.monotonic(realtime: message.realtime, notBefore: attempt.started, notAfter: now)
            guard
                let answer = SocketAnswer.make(
                    message, sequence: attempt.sequence, flow: flow, receivedAt: instant ?? now,
                    source: instant == nil ? .user : .kernel)
            else { continue }
            events.append(.answer(answer))
            return true
        }
        return false
    }
}
