// SPDX-License-Identifier: MIT
// Decides whether a received packet answers a probe of a flow, and which: a pure function over the
// packet's bytes. Both transports use it; receiving, timestamps and filters are theirs.

/// What a received packet is to a flow.
public enum AnswerMatch: Sendable {
    /// It answers one of its probes.
    case answer(Answer)
    /// It has the flow's addresses and ports or identifier, but not its cookie: forged, or another program's.
    case foreign
    /// It has nothing to do with the flow, or cannot be read.
    case unrelated
}

public struct AnswerMatcher {
    private let flow: Flow
    private let source: IPAddress
    private var answer: Answer

    /// Matches `packet`, from its IP header on, against the probes of `flow` that left from `source`. The
    /// packet may be cut by a capture length; checksums are verified where all that they cover is there.
    public static func match(
        packet: RawSpan, flow: Flow, source: IPAddress, receivedAt: Int64, timestampSource: TimestampSource
    ) -> AnswerMatch {
        do throws(FrameError) {
            var matcher = AnswerMatcher(
                flow: flow, source: source,
                answer: Answer(
                    sequence: 0, kind: .echoReply, from: source, receivedAt: receivedAt,
                    source: timestampSource))
            return try matcher.matchPacket(packet)
        } catch {
            return .unrelated
        }
    }

    private mutating func matchPacket(_ packet: RawSpan) throws(FrameError) -> AnswerMatch {
        let start: Int
        let proto: UInt8
        let destination: IPAddress
        var end: Int
        let isFragment: Bool
        switch flow.destination.family {
        case .ipv4:
            let header = try IPv4Header(parsing: packet, extent: .captured)
            proto = header.proto
            destination = header.destination
            answer.from = header.source
            answer.ttl = header.ttl
            start = header.headerLength
            end = start + header.payloadLength
            guard header.fragmentOffset == 0 else { return .unrelated }
            isFragment = header.moreFragments
        case .ipv6:
            let header = try IPv6Header(parsing: packet, extent: .captured)
            let chain = try IPv6ExtensionChain(
                parsing: packet, at: IPv6Header.length, nextHeader: header.nextHeader)
            proto = chain.proto
            destination = header.destination
            answer.from = header.source
            answer.ttl = header.hopLimit
            start = chain.transportOffset
            end = IPv6Header.length + header.payloadLength
            guard chain.fragmentOffset == 0 else { return .unrelated }
            isFragment = chain.moreFragments
        }
        guard destination == source else { return .unrelated }
        let isWhole = end <= packet.byteCount && !isFragment
        end = min(end, packet.byteCount)
        guard end >= start else { return .unrelated }
        // Everything behind `end` is link-layer padding.
        let message = packet.extracting(0..<end)
        let control = flow.destination.family == .ipv4 ? IPProtocol.icmp : IPProtocol.icmpv6
        guard proto == control || proto == flow.ipProtocol else { return .unrelated }
        if isWhole {
            try message.verifyReceivedChecksum(
                of: proto, at: start, length: end - start, source: answer.from, destination: destination)
        }
        if proto == control { return try matchICMP(message, at: start) }
        return flow.proto == .udp ? try matchUDP(message, at: start) : try matchTCP(message, at: start)
    }

    private mutating func matchICMP(_ message: RawSpan, at start: Int) throws(FrameError) -> AnswerMatch {
        let header = try ICMPHeader(parsing: message, at: start)
        answer.icmpType = header.type
        answer.icmpCode = header.code
        let echoReply = ICMPHeader(
            echo: true, family: flow.destination.family, identifier: flow.sourcePort,
            sequence: header.sequence)
        if header.type == echoReply.type {
            guard flow.proto == .icmp, header.rest == echoReply.rest else { return .unrelated }
            return matchEchoReply(message, at: start, sequence: header.sequence)
        }
        guard let kind = errorKind(header.type) else { return .unrelated }
        answer.kind = kind
        return try matchError(message, at: start)
    }

    private mutating func matchEchoReply(_ message: RawSpan, at start: Int, sequence: UInt16) -> AnswerMatch {
        answer.kind = .echoReply
        if flow.hasPayloadCookie {
            guard let cookie = cookie(message, at: start + ICMPHeader.length),
                cookie.sequence == UInt32(sequence)
            else { return .foreign }
        } else if answer.from != flow.destination && !flow.destination.isMulticast {
            // Identifier and sequence alone are taken only from the host that was asked.
            return .foreign
        }
        return accept(UInt32(sequence))
    }

    private mutating func matchUDP(_ message: RawSpan, at start: Int) throws(FrameError) -> AnswerMatch {
        let header = try UDPHeader(parsing: message, at: start, extent: .captured)
        guard header.sourcePort == flow.destinationPort, header.destinationPort == flow.sourcePort else {
            return .unrelated
        }
        answer.kind = .udpReply
        guard header.payloadLength >= ProbeCookie.length,
            let cookie = cookie(message, at: start + UDPHeader.length)
        else { return .foreign }
        return accept(cookie.sequence)
    }

    private mutating func matchTCP(_ message: RawSpan, at start: Int) throws(FrameError) -> AnswerMatch {
        let header = try TCPHeader(parsing: message, at: start)
        guard answer.from == flow.destination, header.sourcePort == flow.destinationPort,
            flow.hasSourcePort(header.destinationPort)
        else { return .unrelated }
        guard header.flags & TCPFlag.ack != 0 else { return .foreign }
        // A reset acknowledges the SYN and its payload (RFC 9293, 3.10.7.1), a SYN+ACK mostly the SYN
        // alone; some do otherwise, and are told by the token.
        let plain = header.acknowledgement &- 1
        let behindPayload = plain &- UInt32(truncatingIfNeeded: flow.payloadLength)
        let isReset = header.flags & TCPFlag.rst != 0
        guard isReset || header.flags & TCPFlag.syn != 0 else { return .foreign }
        answer.kind = isReset ? .tcpReset : .tcpOpen
        return acceptTCP(isReset ? behindPayload : plain, port: header.destinationPort)
            ?? acceptTCP(isReset ? plain : behindPayload, port: header.destinationPort) ?? .foreign
    }

    private mutating func acceptTCP(_ sequence: UInt32, port: UInt16) -> AnswerMatch? {
        guard let cookie = ProbeCookie(tcpSequence: sequence, flow: flow),
            flow.sourcePort(sequence: cookie.sequence) == port
        else { return nil }
        return accept(cookie.sequence)
    }

    private mutating func accept(_ sequence: UInt32) -> AnswerMatch {
        guard sequence < ProbeCookie.sequenceLimit else { return .foreign }
        answer.sequence = sequence
        return .answer(answer)
    }

    /// The cookie at `offset` if it is the flow's.
    private func cookie(_ message: RawSpan, at offset: Int) -> ProbeCookie? {
        do throws(FrameError) {
            let cookie = try ProbeCookie(parsing: message, at: offset)
            return cookie.token == flow.token ? cookie : nil
        } catch {
            return nil
        }
    }
}

// ICMP errors, which carry the cookie in what they quote.
extension AnswerMatcher {
    private func errorKind(_ type: UInt8) -> AnswerKind? {
        if flow.destination.family == .ipv4 {
            switch type {
            case ICMPType.unreachable: return .unreachable
            case ICMPType.timeExceeded: return .timeExceeded
            case ICMPType.parameterProblem: return .parameterProblem
            default: return nil
            }
        }
        switch type {
        case ICMPv6Type.unreachable: return .unreachable
        case ICMPv6Type.packetTooBig: return .packetTooBig
        case ICMPv6Type.timeExceeded: return .timeExceeded
        case ICMPv6Type.parameterProblem: return .parameterProblem
        default: return nil
        }
    }

    private mutating func matchError(_ message: RawSpan, at start: Int) throws(FrameError) -> AnswerMatch {
        let family = flow.destination.family
        let error = try ICMPErrorMessage(
            parsing: message, at: start, length: message.byteCount - start, family: family)
        let quote = try QuotedPacket(
            parsing: message, at: error.quoteOffset, length: error.quoteLength, family: family)
        guard quote.proto == flow.ipProtocol, quote.destination == flow.destination,
            quote.fragmentOffset == 0,
            quote.transportLength >= 8
        else { return .unrelated }
        answer.quotedTTL = quote.ttl
        answer.mtu = error.mtu
        answer.labels = Self.labels(message, of: error)
        switch flow.proto {
        case .icmp: return try matchQuotedEcho(message, quote)
        case .udp: return try matchQuotedUDP(message, quote)
        case .tcpSyn: return try matchQuotedTCP(message, quote)
        }
    }

    private mutating func matchQuotedEcho(_ message: RawSpan, _ quote: QuotedPacket) throws(FrameError)
        -> AnswerMatch
    {
        let header = try ICMPHeader(parsing: message, at: quote.transportOffset)
        let request = ICMPHeader(
            echo: false, family: flow.destination.family, identifier: flow.sourcePort,
            sequence: header.sequence)
        guard header.type == request.type, header.rest == request.rest else { return .unrelated }
        let sequence = UInt32(header.sequence)
        if let cookie = try quotedCookie(message, quote) {
            guard cookie == ProbeCookie(token: flow.token, sequence: sequence) else { return .foreign }
        } else if quote.source == source {
            // Nothing rewrote the quote, so what else it has must be as it was sent. An identification of 0
            // stands for none: some devices clear it, and IPv6 has none.
            guard quote.identification == 0 || quote.identification == header.sequence else {
                return .foreign
            }
            if flow.isCompensated && header.checksum != flow.constantChecksum(sequence: sequence) {
                return .foreign
            }
        }
        return accept(sequence)
    }

    private mutating func matchQuotedUDP(_ message: RawSpan, _ quote: QuotedPacket) throws(FrameError)
        -> AnswerMatch
    {
        let header = try UDPHeader(parsing: message, at: quote.transportOffset, extent: .quoted)
        guard header.sourcePort == flow.sourcePort, header.destinationPort == flow.destinationPort else {
            return .unrelated
        }
        if let cookie = try quotedCookie(message, quote) {
            return cookie.token == flow.token ? accept(cookie.sequence) : .foreign
        }
        // Eight bytes of UDP: the IPv4 identification tells the probe; else, and to confirm it unless the
        // source was rewritten on the way and the checksum perhaps with it, the checksum.
        guard flow.isCompensated, header.checksum != 0 else {
            return flow.destination.family == .ipv4 ? accept(UInt32(quote.identification)) : .foreign
        }
        let coded = UInt32(header.checksum) - 1
        guard flow.destination.family == .ipv4 else { return accept(coded) }
        if quote.source != source { return accept(UInt32(quote.identification)) }
        if quote.identification == 0 { return accept(coded) }
        let sequence = UInt32(quote.identification)
        return header.checksum == flow.constantChecksum(sequence: sequence) ? accept(sequence) : .foreign
    }

    private mutating func matchQuotedTCP(_ message: RawSpan, _ quote: QuotedPacket) throws(FrameError)
        -> AnswerMatch
    {
        let port = try message.uint16(at: quote.transportOffset)
        guard try message.uint16(at: quote.transportOffset + 2) == flow.destinationPort,
            flow.hasSourcePort(port)
        else { return .unrelated }
        return acceptTCP(try message.uint32(at: quote.transportOffset + 4), port: port) ?? .foreign
    }

    /// The eight bytes where the cookie was, whatever they are now; nil when they are not quoted. All zero
    /// they are padding, of a router that quotes 8 bytes and pads the quote for extensions.
    private func quotedCookie(_ message: RawSpan, _ quote: QuotedPacket) throws(FrameError) -> ProbeCookie? {
        guard flow.hasPayloadCookie, quote.transportLength >= 8 + ProbeCookie.length else { return nil }
        let cookie = try ProbeCookie(parsing: message, at: quote.transportOffset + 8)
        return cookie == ProbeCookie(token: 0, sequence: 0) ? nil : cookie
    }

    /// MPLS labels; none when the extensions cannot be read, as the answer is good without them.
    private static func labels(_ message: RawSpan, of error: ICMPErrorMessage) -> [MPLSLabel] {
        guard error.extensionLength > 0 else { return [] }
        do throws(FrameError) {
            return try ICMPExtensions.labels(
                parsing: message, at: error.extensionOffset, length: error.extensionLength)
        } catch {
            return []
        }
    }
}
