// SPDX-License-Identifier: MIT
// What the socket transports have in common: filling in the C floor's structures, and making an Answer of
// what the kernel says about a message.
import CKTRxer

enum SocketSetup {
    static func make(
        flow: Flow, source: IPAddress?, interface: InterfaceName, interfaceIndex: Int
    ) -> ktrxer_socket_setup {
        var setup = ktrxer_socket_setup()
        setup.family = UInt32(flow.destination.family.rawValue)
        withUnsafeMutableBytes(of: &setup.destination) { flow.destination.store(in: $0) }
        if let source {
            setup.has_source = 1
            withUnsafeMutableBytes(of: &setup.source) { source.store(in: $0) }
        }
        setup.destination_port = UInt32(flow.destinationPort)
        setup.source_port = flow.proto == .tcpSyn ? 0 : UInt32(flow.sourcePort)
        setup.traffic_class = UInt32(flow.trafficClass)
        setup.dont_fragment = flow.dontFragment ? 1 : 0
        setup.ttl = 64
        setup.interface_index = UInt32(interfaceIndex)
        setup.bind_interface = interface.isEmpty ? 0 : 1
        withUnsafeMutableBytes(of: &setup.interface) { interface.store(in: $0) }
        return setup
    }

    /// Reads the first 4 or 16 bytes of an address field of the C floor.
    static func address<Field>(_ field: Field, family: AddressFamily) -> IPAddress {
        withUnsafeBytes(of: field) { bytes in
            var high: UInt64 = 0
            var low: UInt64 = 0
            let count = family == .ipv4 ? 4 : 16
            for index in 0..<count {
                high = high << 8 | low >> 56
                low = low << 8 | UInt64(bytes[index])
            }
            return family == .ipv4 ? IPAddress(v4: UInt32(low)) : IPAddress(v6High: high, low: low)
        }
    }
}

extension IPAddress {
    /// Writes the address in network order to the front of a field of the C floor.
    func store(in field: UnsafeMutableRawBufferPointer) {
        for index in 0..<byteCount { field[index] = byte(index) }
    }
}

enum SocketAnswer {
    /// The answer that a message is, or nil when it is none (a redirect, say).
    static func make(
        _ message: ktrxer_message, sequence: UInt32, flow: Flow, receivedAt: Int64, source: TimestampSource
    ) -> Answer? {
        let family: AddressFamily = message.family == 6 ? .ipv6 : .ipv4
        let from = SocketSetup.address(message.from, family: family)
        guard UInt32(message.origin) == KTRXER_ORIGIN_ICMP.rawValue else {
            var answer = Answer(
                sequence: sequence, kind: flow.proto == .icmp ? .echoReply : .udpReply,
                from: message.family == 0 ? flow.destination : from, receivedAt: receivedAt, source: source)
            answer.ttl = UInt8(truncatingIfNeeded: message.ttl)
            if flow.proto == .icmp { answer.icmpType = flow.destination.family == .ipv4 ? 0 : 129 }
            return answer
        }
        guard message.family != 0,
            let kind = AnswerKind(
                icmpType: UInt8(truncatingIfNeeded: message.icmp_type), family: flow.destination.family)
        else { return nil }
        var answer = Answer(sequence: sequence, kind: kind, from: from, receivedAt: receivedAt, source: source)
        answer.icmpType = UInt8(truncatingIfNeeded: message.icmp_type)
        answer.icmpCode = UInt8(truncatingIfNeeded: message.icmp_code)
        answer.ttl = UInt8(truncatingIfNeeded: message.ttl)
        // Of other errors the kernel hands over what that word of the header has instead, such as the length of the quote.
        if kind == .packetTooBig || (kind == .unreachable && flow.destination.family == .ipv4 && answer.icmpCode == 4) {
            answer.mtu = message.info
        }
        return answer
    }

    /// The MPLS labels of the ICMP extensions at `offset` of an error's bytes; 0: there are none.
    static func labels(_ bytes: [UInt8], length: Int, offset: Int) -> [MPLSLabel] {
        guard offset > 0, offset < length, length <= bytes.count else { return [] }
        do throws(FrameError) {
            return try ICMPExtensions.labels(parsing: bytes.span.bytes, at: offset, length: length - offset)
        } catch {
            return []
        }
    }
}

extension AnswerKind {
    /// The kind of an ICMP (RFC 792) or ICMPv6 (RFC 4443) error; nil for anything else.
    init?(icmpType: UInt8, family: AddressFamily) {
        switch (family, icmpType) {
        case (.ipv4, 3), (.ipv6, 1): self = .unreachable
        case (.ipv4, 11), (.ipv6, 3): self = .timeExceeded
        case (.ipv4, 12), (.ipv6, 4): self = .parameterProblem
        case (.ipv6, 2): self = .packetTooBig
        default: return nil
        }
    }
}
