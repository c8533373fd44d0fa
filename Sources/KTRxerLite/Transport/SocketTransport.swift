// SPDX-License-Identifier: MIT
// Probes without privileges: ICMP echo through a datagram socket, UDP with IP_RECVERR, TCP by connecting
// (SocketConnections.swift). The kernel writes the headers and keeps the timestamps.
import CKTRxer

/// The transport for everyone: what a phone without root can do.
public final class SocketTransport: Transport {
    public let kind = TransportKind.socket
    public let flow: Flow
    public let sourceAddress: IPAddress
    public let mtu: Int
    public private(set) var foreignAnswers: UInt64 = 0
    public let lostCaptures: UInt64 = 0

    /// A datagram that was handed to the kernel, whose transmit timestamp has not come yet.
    private struct Departed {
        var sequence: UInt32
        var key: UInt32
        var attempts: UInt8
        var handedOver: Int64
    }

    private let descriptor: Int32
    private var queue = LaunchQueue()
    private var lead = WakeLead()
    private var departed: [Departed] = []
    private var events = EventQueue()
    private var clock = ClockMapping()
    /// The probe that is being sent; reading answers between two attempts must not touch it.
    private var outgoing: [UInt8]
    private var buffer: [UInt8]
    private var nextKey: UInt32 = 0
    private var kernelStamps: Bool?
    private var plannedWake: Int64 = 0
    /// For routers that quote nothing of the payload: which probes may still be answered by an error.
    private var unanswered: [UInt32] = []
    private let opened: Int64

    private static let stampPatience: Int64 = 20_000_000
    private static let mostAttempts: UInt8 = 4
    private static let launchSpell: Int64 = 2_000_000

    /// - Parameters:
    ///   - source: nil lets the routing table choose.
    ///   - interface: name and index; index 0 leaves the choice to the routing table.
    init(
        flow asked: Flow, source: IPAddress?, interface: InterfaceName, interfaceIndex: Int
    ) throws(ProbeError) {
        var flow = asked
        var setup = SocketSetup.make(flow: flow, source: source, interface: interface, interfaceIndex: interfaceIndex)
        var name = ktrxer_socket_name()
        let result: Int32
        switch flow.proto {
        case .icmp:
            result = ktrxer_ping_socket(&setup, &name)
            guard result >= 0 else { throw .fromSystem(Int64(result), during: .openPingSocket) }
        case .udp:
            result = ktrxer_udp_socket(&setup, &name)
            guard result >= 0 else { throw .fromSystem(Int64(result), during: .openUDPSocket) }
        case .tcpSyn: throw .unsupported(.protocolOverTransport)
        }
        flow.sourcePort = UInt16(truncatingIfNeeded: name.source_port)
        descriptor = result
        self.flow = flow
        mtu = name.mtu == 0 ? 1500 : Int(name.mtu)
        sourceAddress = SocketSetup.address(name.source, family: flow.destination.family)
        outgoing = [UInt8](repeating: 0, count: ProbePacket.length(flow: flow))
        buffer = [UInt8](repeating: 0, count: max(2048, ProbePacket.length(flow: flow) + 64))
        opened = ktrxer_clock_monotonic()
        let length = ProbePacket.length(flow: flow)
        if length > 65_535 || (flow.dontFragment && length > mtu) {
            throw .tooLarge(size: length, mtu: mtu)
        }
    }

    deinit {
        ktrxer_close(descriptor)
    }

    // MARK: Transport

    public func submit(_ probe: Probe) { queue.insert(probe) }

    public var wakeAt: Int64 {
        var wake = Int64.max
        if let first = queue.first { wake = first.launch - lead.lead }
        if let first = departed.first { wake = min(wake, first.handedOver + Self.stampPatience) }
        return wake
    }

    public var descriptorCount: Int { 1 }
    public let waitsToWrite = false
    public func descriptor(_ index: Int) -> Int32 { descriptor }
    public func nextEvent() -> TransportEvent? { events.next() }

    public func service(now: Int64) {
        if let first = queue.first, plannedWake == first.launch - lead.lead { lead.woke(planned: plannedWake, at: now) }
        receive()
        var clockNow = now
        let spellEnd = now + Self.launchSpell
        while let first = queue.first, first.launch - clockNow <= min(lead.lead * 2, WakeLead.spinLimit) {
            let probe = queue.removeFirst()
            while clockNow < probe.launch { clockNow = ktrxer_clock_monotonic() }
            send(probe)
            clockNow = ktrxer_clock_monotonic()
            if clockNow >= spellEnd { break }
        }
        receive()
        expireStamps(now: clockNow)
        if let first = queue.first { plannedWake = first.launch - lead.lead }
    }

    public func cancel() {
        while !queue.isEmpty {
            let probe = queue.removeFirst()
            events.failed(probe.sequence, .cancelled, attempts: 0)
        }
        for entry in departed { complete(entry, at: entry.handedOver, source: .user) }
        departed.removeAll()
    }

    // MARK: Sending

    /// Bytes of IP and UDP header, which the kernel writes itself; the ICMP header is ours.
    private var kernelHeaderLength: Int {
        (flow.destination.family == .ipv4 ? 20 : 40) + (flow.proto == .udp ? 8 : 0)
    }

    private func send(_ probe: Probe) {
        var length = 0
        var fits = true
        outgoing.withUnsafeMutableBytes { raw in
            var bytes = raw.mutableBytes
            do throws(FrameError) {
                length = try ProbePacket.build(flow: flow, source: sourceAddress, probe: probe, into: &bytes, at: 0)
            } catch {
                fits = false
            }
        }
        guard fits, length >= kernelHeaderLength else {
            fail(probe, .tooLarge(size: ProbePacket.length(flow: flow), mtu: mtu), attempts: 0)
            return
        }
        var attempts: UInt8 = 0
        var result: Int32 = 0
        var handedOver: Int64 = 0
        repeat {
            attempts += 1
            handedOver = ktrxer_clock_monotonic()
            result = outgoing.withUnsafeBytes { bytes in
                ktrxer_socket_send(
                    descriptor, UInt32(flow.destination.family.rawValue), bytes.baseAddress! + kernelHeaderLength,
                    UInt32(length - kernelHeaderLength), UInt32(probe.ttl))
            }
            if result == 0 {
                departed.append(
                    Departed(sequence: probe.sequence, key: nextKey, attempts: attempts, handedOver: handedOver))
                nextKey &+= 1
                if unanswered.count >= 64 { unanswered.removeFirst() }
                unanswered.append(probe.sequence)
                return
            }
            // A full device queue is reported after the kernel has counted the datagram.
            if ktrxer_error_class(-result) == Int32(KTRXER_ERROR_BUSY.rawValue) { nextKey &+= 1 }
            // Otherwise mostly the report of an earlier probe's ICMP error, which reading it clears.
            receive()
        } while attempts < Self.mostAttempts
        fail(probe, Self.failure(result, size: length, mtu: mtu), attempts: attempts)
    }

    private static func failure(_ result: Int32, size: Int, mtu: Int) -> ProbeError {
        switch UInt32(ktrxer_error_class(-result)) {
        case KTRXER_ERROR_TOO_LARGE.rawValue: .tooLarge(size: size, mtu: mtu)
        case KTRXER_ERROR_BUSY.rawValue: .queueBusy
        default: .fromSystem(Int64(result), during: .send)
        }
    }

    private func fail(_ probe: Probe, _ error: ProbeError, attempts: UInt8) {
        events.failed(probe.sequence, error, attempts: attempts)
    }

    private func complete(_ entry: Departed, at instant: Int64, source: TimestampSource) {
        events.sent(entry.sequence, at: instant, source, attempts: entry.attempts)
    }

    private func expireStamps(now: Int64) {
        while let first = departed.first {
            if kernelStamps != false {
                guard first.handedOver + Self.stampPatience <= now else { return }
                if kernelStamps == nil { kernelStamps = false }
            }
            departed.removeFirst()
            complete(first, at: first.handedOver, source: .user)
        }
    }

    // MARK: Receiving

    private func receive() {
        var message = ktrxer_message()
        var budget = 256
        var fresh = false
        for errorQueue in [Int32(1), 0] {
            while budget > 0 {
                budget -= 1
                let result = buffer.withUnsafeMutableBytes {
                    ktrxer_message_receive(descriptor, errorQueue, $0.baseAddress, UInt32($0.count), &message)
                }
                guard result >= 0 else {
                    // An ICMP error is also reported here once; what it says is in the error queue.
                    if errorQueue == 0 && ktrxer_error_class(-result) != Int32(KTRXER_ERROR_AGAIN.rawValue) { continue }
                    break
                }
                if !fresh {
                    clock.refresh()
                    fresh = true
                }
                take(message)
            }
        }
    }

    private func take(_ message: ktrxer_message) {
        let now = ktrxer_clock_monotonic()
        switch UInt32(message.origin) {
        case KTRXER_ORIGIN_TRANSMIT_STAMP.rawValue:
            guard let index = departed.firstIndex(where: { $0.key == message.key }) else { return }
            let entry = departed[index]
            guard let instant = clock.monotonic(realtime: message.realtime, notBefore: entry.handedOver, notAfter: now)
            else { return }
            kernelStamps = true
            departed.remove(at: index)
            complete(entry, at: instant, source: .kernel)
        case KTRXER_ORIGIN_LOCAL.rawValue: return
        default:
            var stamp = now
            var source = TimestampSource.user
            if message.realtime != 0,
                let instant = clock.monotonic(realtime: message.realtime, notBefore: opened, notAfter: now)
            {
                stamp = instant
                source = .kernel
            }
            let isError = UInt32(message.origin) == KTRXER_ORIGIN_ICMP.rawValue
            let length = min(Int(message.length), buffer.count)
            guard !isError || isAboutOurs(message), let (sequence, certain) = sequence(length: length, isError: isError)
            else {
                foreignAnswers += 1
                return
            }
            guard
                var answer = SocketAnswer.make(
                    message, sequence: sequence, flow: flow, receivedAt: stamp, source: source)
            else { return }
            if isError {
                answer.labels = SocketAnswer.labels(buffer, length: length, offset: Int(message.extension_offset))
            }
            if certain || isError { unanswered.removeAll { $0 == sequence } }
            events.append(.answer(answer))
        }
    }

    /// Whose answer the bytes in the buffer are: by the cookie, or, where a router quoted no payload, because
    /// only one probe can be meant.
    private func sequence(length: Int, isError: Bool) -> (UInt32, certain: Bool)? {
        let header = flow.proto == .icmp ? 8 : 0
        var echoed: UInt32?
        if flow.proto == .icmp {
            guard length >= header else { return nil }
            echoed = UInt32(buffer[6]) << 8 | UInt32(buffer[7])
        }
        if length >= header + 8 && flow.payloadLength >= 8 {
            let token = word(at: header)
            let sequence = word(at: header + 4)
            guard token == flow.token, sequence <= 0xFFFF, echoed == nil || echoed == sequence else { return nil }
            return (sequence, true)
        }
        // A reply without the cookie that the probe had is not to our probe; a router may quote as little as it likes.
        if !isError && flow.payloadLength >= 8 { return nil }
        if let echoed {
            // A quote without the cookie has at least the checksum, which depends on it.
            guard !isError || quotes(echoed) else { return nil }
            return (echoed, true)
        }
        return unanswered.count == 1 ? (unanswered[0], false) : nil
    }

    /// Whether an error is about a packet to our target. An ICMP socket is given those about any packet with its
    /// identifier.
    private func isAboutOurs(_ message: ktrxer_message) -> Bool {
        guard message.destination_family == UInt32(flow.destination.family.rawValue) else {
            return message.destination_family == 0
        }
        return SocketSetup.address(message.destination, family: flow.destination.family) == flow.destination
    }

    /// Whether the ICMP header in the buffer is that of our probe `sequence`, checksum included.
    private func quotes(_ sequence: UInt32) -> Bool {
        var probe = [UInt8](repeating: 0, count: ProbePacket.length(flow: flow))
        var built = false
        probe.withUnsafeMutableBytes { raw in
            var bytes = raw.mutableBytes
            do throws(FrameError) {
                _ = try ProbePacket.build(
                    flow: flow, source: sourceAddress, probe: Probe(sequence: sequence, launch: 0, ttl: 1),
                    into: &bytes, at: 0)
                built = true
            } catch {
                built = false
            }
        }
        guard built else { return false }
        for index in 0..<8 where probe[kernelHeaderLength + index] != buffer[index] { return false }
        return true
    }

    private func word(at offset: Int) -> UInt32 {
        UInt32(buffer[offset]) << 24 | UInt32(buffer[offset + 1]) << 16 | UInt32(buffer[offset + 2]) << 8
            | UInt32(buffer[offset + 3])
    }
}
