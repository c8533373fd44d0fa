// SPDX-License-Identifier: MIT
// The simulated module of Tests/CDevice, and what tests of the kernel transport and the C API do with it.
import CDevice
import CKTRxer
import Testing

@testable import KTRxerLite

/// Runs a test with the module simulated, which must leave no file open.
func withSimulatedKernel(_ body: () throws -> Void) rethrows {
    simulation_begin()
    defer { #expect(simulation_end() == 0, "files left open") }
    try body()
}

enum Wire {
    /// Addresses of this host, so that ports of theirs can be reserved.
    static let source = IPAddress(v4: 0x7F00_0001)
    static let target = IPAddress(v4: 0xC633_6401)
    static let source6 = IPAddress(v6High: 0, low: 1)
    static let target6 = IPAddress(v6High: 0x2001_0DB8_0080_0000, low: 0x80)

    /// A route out of an Ethernet interface, or of one without a link header.
    static func route(ipv6: Bool = false, linkType: LinkType = .ethernet) throws -> Route {
        var route = try Route.lookup(destination: IPAddress(v4: 0x7F00_0001))
        route.source = ipv6 ? source6 : source
        route.isLocal = false
        route.linkType = linkType
        route.mtu = 1500
        route.interfaceIndex = 7
        route.sourceMAC = MACAddress(0x0200_0000_0001)
        route.destinationMAC = linkType.hasLinkHeader ? MACAddress(0x0200_0000_0002) : nil
        return route
    }

    static func flow(
        _ proto: ProbeProtocol = .icmp, ipv6: Bool = false, payload: Int = 56, constantFlow: Bool = false
    ) -> Flow {
        Flow(
            proto: proto, destination: ipv6 ? target6 : target, destinationPort: 33_434, sourcePort: 0,
            payloadLength: proto == .tcpSyn ? 0 : payload, trafficClass: 0, dontFragment: false,
            constantFlow: constantFlow, token: 0xABCD_0123)
    }

    static func transport(
        _ flow: Flow, _ route: Route? = nil, probes: Int = 8, observer: (any FrameObserver)? = nil
    ) throws -> KernelTransport {
        let route = try route ?? Self.route(ipv6: flow.destination.family == .ipv6)
        return try KernelTransport(
            flow: flow, devices: KernelDevices(), route: route, probeCount: probes, burst: probes, observer: observer)
    }

    /// n-th frame that has left.
    static func sent(_ index: Int) -> (bytes: [UInt8], launch: UInt64, flags: UInt32)? {
        var bytes: UnsafePointer<UInt8>?
        var launch: UInt64 = 0
        var flags: UInt32 = 0
        let length = simulation_sent(Int32(index), &bytes, &launch, &flags)
        guard length >= 0, let bytes else { return nil }
        return ([UInt8](UnsafeBufferPointer(start: bytes, count: Int(length))), launch, flags)
    }

    static func rule(_ index: Int) -> ktrxer_rule? {
        var rule = ktrxer_rule()
        return simulation_rule(Int32(index), &rule) == 0 ? rule : nil
    }

    static func capture(_ bytes: [UInt8], _ record: ktrxer_record) -> Int32 {
        var record = record
        return simulation_capture(&record, bytes, UInt32(bytes.count))
    }

    static func record(at instant: Int64, flags: UInt32 = 0) -> ktrxer_record {
        var record = ktrxer_record()
        record.monotonic_ns = UInt64(instant)
        record.realtime_ns = UInt64(instant)
        record.source = UInt8(KTRXER_STAMP_KERNEL.rawValue)
        record.flags = UInt8(flags)
        return record
    }

    /// The IP packet by which the target of an ICMP flow answers an echo request without options, IPv4.
    static func echoReply(to packet: [UInt8]) -> [UInt8] {
        var reply = packet
        for index in 0..<4 { reply.swapAt(12 + index, 16 + index) }
        reply[20] = 0
        // RFC 1624: the type went from 8 to 0, so the sum did by 0x800.
        let checksum = UInt32(reply[22]) << 8 | UInt32(reply[23])
        var sum = checksum + 0x0800
        sum = sum & 0xFFFF + sum >> 16
        reply[22] = UInt8(sum >> 8)
        reply[23] = UInt8(sum & 0xFF)
        return reply
    }
}

extension KernelTransport {
    /// All events that there are.
    func drain() -> [TransportEvent] {
        var events: [TransportEvent] = []
        while let event = nextEvent() { events.append(event) }
        return events
    }

    func completions() -> [Completion] {
        drain().compactMap { if case .completion(let completion) = $0 { completion } else { nil } }
    }

    func answers() -> [Answer] {
        drain().compactMap { if case .answer(let answer) = $0 { answer } else { nil } }
    }
}

func monotonicNow() -> Int64 { ktrxer_clock_monotonic() }
