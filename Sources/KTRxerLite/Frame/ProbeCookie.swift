// SPDX-License-Identifier: MIT
// What marks a packet as one probe of one measurement, and where each protocol carries it. Building
// and matching both take the rules from here.

/// The cookie: whose probe it is, and which.
struct ProbeCookie: Equatable {
    /// Bytes of the payload that it takes: token, then sequence, 32 bits each in network order.
    static let length = 8
    /// Payload bytes of a constant-flow ICMP or UDP probe: the cookie and the compensating word.
    static let constantFlowLength = 10
    /// Sequence numbers are below this: the 16-bit fields that carry them in part must tell them apart.
    static let sequenceLimit: UInt32 = 0x1_0000

    var token: UInt32
    var sequence: UInt32

    init(token: UInt32, sequence: UInt32) {
        self.token = token
        self.sequence = sequence
    }

    /// Reads the cookie at `offset`.
    init(parsing bytes: RawSpan, at offset: Int) throws(FrameError) {
        token = try bytes.uint32(at: offset)
        sequence = try bytes.uint32(at: offset &+ 4)
    }

    /// The cookie in a TCP sequence number: the upper half of the token, and the sequence.
    init?(tcpSequence: UInt32, flow: Flow) {
        guard (tcpSequence ^ flow.token) & 0xFFFF_0000 == 0 else { return nil }
        token = flow.token
        sequence = tcpSequence & 0xFFFF
    }

    @_lifetime(packet: copy packet)
    func write(into packet: inout MutableRawSpan, at offset: Int) throws(FrameError) {
        try packet.put(token, at: offset)
        try packet.put(sequence, at: offset &+ 4)
    }

    /// Sequence number of the TCP SYN of this probe.
    var tcpSequence: UInt32 { (token & 0xFFFF_0000) | (sequence & 0xFFFF) }
}

extension Flow {
    /// Number of source ports that TCP probes without a constant flow use in turn.
    static let sourcePortCount = 256

    /// Source port of a probe. It is that of the flow, but for TCP without a constant flow, where each of
    /// 256 probes in turn has its own: upwards from the flow's, and from 1024 again after 65535. A flow's
    /// port below 1024 is then taken as 1024, so that no probe has a privileged port by chance.
    func sourcePort(sequence: UInt32) -> UInt16 {
        guard proto == .tcpSyn && !constantFlow else { return sourcePort }
        let port = Int(max(sourcePort, 1024)) + Int(sequence % UInt32(Self.sourcePortCount))
        return UInt16(port <= 65535 ? port : port - 65536 + 1024)
    }

    /// Whether any probe of the flow may have this source port.
    func hasSourcePort(_ port: UInt16) -> Bool {
        guard proto == .tcpSyn && !constantFlow else { return port == sourcePort }
        let distance = Int(port) - Int(max(sourcePort, 1024))
        guard port >= 1024 else { return false }
        return (distance >= 0 ? distance : distance + 65536 - 1024) < Self.sourcePortCount
    }

    /// Whether probes have room for the cookie in their payload.
    var hasPayloadCookie: Bool { payloadLength >= ProbeCookie.length }

    /// Whether probes carry a word that makes their checksum what `constantChecksum` says.
    var isCompensated: Bool { constantFlow && proto != .tcpSyn }

    /// The checksum of a constant-flow ICMP or UDP probe.
    ///
    /// ICMP: the same for all probes, since load balancers hash it; it stands for the token where a router
    /// quotes only 8 bytes. 0 and 0xFFFF, which are equal in this arithmetic, are avoided.
    ///
    /// UDP: sequence + 1, so that 8 quoted bytes of a header without IP identification (IPv6) tell the
    /// probe. 0 would mean "no checksum", so 65,535 has the code of 65,534: 65,536 numbers have 65,535 codes.
    func constantChecksum(sequence: UInt32) -> UInt16 {
        switch proto {
        case .udp: return UInt16(truncatingIfNeeded: min(sequence, 0xFFFE) + 1)
        case .icmp, .tcpSyn:
            let folded = UInt16(truncatingIfNeeded: token >> 16 ^ token)
            return min(max(folded, 1), 0xFFFE)
        }
    }

    /// The IP protocol number of the probes.
    var ipProtocol: UInt8 {
        switch proto {
        case .icmp: destination.family == .ipv4 ? IPProtocol.icmp : IPProtocol.icmpv6
        case .udp: IPProtocol.udp
        case .tcpSyn: IPProtocol.tcp
        }
    }
}
