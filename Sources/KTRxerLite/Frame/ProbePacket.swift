// SPDX-License-Identifier: MIT
// Builds the packet of one probe, from the IP header on: a pure function of flow, source address and
// probe. The link header before it, and when it leaves, are the transport's.

public enum ProbePacket {
    /// Maximum segment size that TCP SYN probes announce, in bytes.
    static let maximumSegmentSize: UInt16 = 1460

    /// Bytes of each probe of the flow, from the IP header on.
    public static func length(flow: Flow) -> Int {
        (flow.destination.family == .ipv4 ? IPv4Header.minimumLength : IPv6Header.length)
            + transportLength(flow: flow)
    }

    /// Bytes of each probe of the flow after the IP header. A payload length that no packet can have counts
    /// as one byte too many, so that it cannot overflow here and is refused when the probe is built.
    static func transportLength(flow: Flow) -> Int {
        transportHeaderLength(flow.proto) + min(max(flow.payloadLength, 0), 0x1_0000)
    }

    /// Writes the probe at `offset`, from the IP header on, and returns its length.
    ///
    /// Throws `noRoom`; `mixedFamilies`; `payloadTooShort` when a constant-flow ICMP or UDP probe has less
    /// than 10 bytes of payload; `badValue` for a payload length or a sequence number that cannot be sent.
    public static func build(
        flow: Flow, source: IPAddress, probe: Probe, into packet: inout MutableRawSpan, at offset: Int
    ) throws(FrameError) -> Int {
        guard source.family == flow.destination.family else { throw .mixedFamilies }
        let transport = transportLength(flow: flow)
        let header: Int
        switch source.family {
        case .ipv4:
            header = try IPv4Header(
                proto: flow.ipProtocol, source: source, destination: flow.destination,
                payloadLength: transport,
                ttl: probe.ttl, trafficClass: flow.trafficClass,
                identification: UInt16(truncatingIfNeeded: probe.sequence), dontFragment: flow.dontFragment
            ).write(into: &packet, at: offset)
        case .ipv6:
            header = try IPv6Header(
                nextHeader: flow.ipProtocol, source: source, destination: flow.destination,
                payloadLength: transport,
                hopLimit: probe.ttl, trafficClass: flow.trafficClass
            ).write(into: &packet, at: offset)
        }
        return try header
            + buildTransport(
                flow: flow, source: source, sequence: probe.sequence, into: &packet, at: offset + header)
    }

    /// Writes what comes after the IP header: transport header, cookie, payload, checksum. Returns its
    /// length.
    static func buildTransport(
        flow: Flow, source: IPAddress, sequence: UInt32, into packet: inout MutableRawSpan, at offset: Int
    ) throws(FrameError) -> Int {
        guard source.family == flow.destination.family else { throw .mixedFamilies }
        guard sequence < ProbeCookie.sequenceLimit, flow.payloadLength >= 0 else { throw .badValue }
        if flow.isCompensated && flow.payloadLength < ProbeCookie.constantFlowLength {
            throw .payloadTooShort
        }
        let length = transportLength(flow: flow)
        guard length <= 0xFFFF else { throw .badValue }
        try packet.require(length, at: offset)
        let header = try writeTransportHeader(flow: flow, sequence: sequence, into: &packet, at: offset)
        try writePayload(flow: flow, sequence: sequence, into: &packet, at: offset + header)
        if flow.isCompensated {
            try compensate(flow: flow, source: source, sequence: sequence, into: &packet, at: offset)
        }
        try packet.sealChecksum(
            of: flow.ipProtocol, at: offset, length: length, source: source, destination: flow.destination)
        return length
    }

    /// ICMP echo 8, UDP 8, TCP 20 and its MSS option.
    private static func transportHeaderLength(_ proto: ProbeProtocol) -> Int { proto == .tcpSyn ? 24 : 8 }

    private static func writeTransportHeader(
        flow: Flow, sequence: UInt32, into packet: inout MutableRawSpan, at offset: Int
    ) throws(FrameError) -> Int {
        switch flow.proto {
        case .icmp:
            return try ICMPHeader(
                echo: false, family: flow.destination.family, identifier: flow.sourcePort,
                sequence: UInt16(truncatingIfNeeded: sequence)
            ).write(into: &packet, at: offset)
        case .udp:
            return try UDPHeader(
                sourcePort: flow.sourcePort, destinationPort: flow.destinationPort,
                payloadLength: flow.payloadLength
            ).write(into: &packet, at: offset)
        case .tcpSyn:
            let segmentSize = maximumSegmentSize
            let option: InlineArray<4, UInt8> = [2, 4, UInt8(segmentSize >> 8), UInt8(segmentSize & 0xFF)]
            return try TCPHeader(
                sourcePort: flow.sourcePort(sequence: sequence), destinationPort: flow.destinationPort,
                sequence: ProbeCookie(token: flow.token, sequence: sequence).tcpSequence
            ).write(into: &packet, at: offset, options: option.span.bytes)
        }
    }

    /// The cookie, where there is room, and a fixed pattern: each byte is the low half of its own place.
    @_lifetime(packet: copy packet)
    private static func writePayload(
        flow: Flow, sequence: UInt32, into packet: inout MutableRawSpan, at offset: Int
    ) throws(FrameError) {
        try packet.require(flow.payloadLength, at: offset)
        var place = 0
        if flow.hasPayloadCookie {
            try ProbeCookie(token: flow.token, sequence: sequence).write(into: &packet, at: offset)
            place = ProbeCookie.length
        }
        while place < flow.payloadLength {
            packet.store(UInt8(truncatingIfNeeded: place), offset + place)
            place += 1
        }
    }

    /// Chooses the word behind the cookie such that the checksum becomes `constantChecksum`.
    @_lifetime(packet: copy packet)
    private static func compensate(
        flow: Flow, source: IPAddress, sequence: UInt32, into packet: inout MutableRawSpan, at offset: Int
    ) throws(FrameError) {
        let place = offset + transportHeaderLength(flow.proto) + ProbeCookie.length
        try packet.put(UInt16(0), at: place)
        let length = transportLength(flow: flow)
        let sum = try packet.sum(
            at: offset, count: length,
            after: InternetChecksum(
                of: flow.ipProtocol, length: length, source: source, destination: flow.destination))
        let target = ~flow.constantChecksum(sequence: sequence)
        try packet.put(InternetChecksum.compensation(from: sum.folded, to: target), at: place)
    }
}
