// SPDX-License-Identifier: MIT
// Which source port or ICMP identifier the whole frames of a flow have, and how other programs are kept off it.
import CKTRxer

enum SourcePort {
    /// Fills in a random one where the flow has none, and takes a UDP port from the kernel, another one where it is
    /// in use. Returns what holds the port, to be closed at the end; -1: nothing.
    static func choose(for flow: inout Flow, route: Route) throws(ProbeError) -> Int32 {
        if flow.sourcePort == 0 { flow.sourcePort = random(flow.proto) }
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
            flow.sourcePort = random(.udp)
        }
        throw .fromSystem(Int64(result), during: .reserveSourcePort)
    }

    /// ICMP identifiers are any number; UDP and TCP ports lie above those that the kernel gives to programs
    /// (net.ipv4.ip_local_port_range, by default up to 60999), with room for 256 TCP ports in a row.
    private static func random(_ proto: ProbeProtocol) -> UInt16 {
        var random = [UInt8](repeating: 0, count: 2)
        random.withUnsafeMutableBytes { ktrxer_random($0.baseAddress, 2) }
        let value = UInt16(random[0]) << 8 | UInt16(random[1])
        return proto == .icmp ? max(1, value) : 61_000 + value % 4_000
    }
}
