// SPDX-License-Identifier: MIT
// Answers are told from each other and from forgeries: each kind of answer to each kind of probe, with
// as much of the probe quoted as routers quote.
import Testing

@testable import KTRxerLite

/// Answers as the network would send them, made of a probe.
struct AnswerForge {
    var flow: Flow
    var sequence: UInt32 = 5
    var from: IPAddress
    var to: IPAddress

    init(_ flow: Flow, sequence: UInt32 = 5) {
        self.flow = flow
        self.sequence = sequence
        from = flow.destination
        to = testSource(flow.destination.family)
    }

    var family: AddressFamily { flow.destination.family }

    var probe: [UInt8] {
        get throws { try testProbe(flow, sequence, ttl: 1) }
    }

    /// An IP packet from `from` to `to`.
    func packet(_ proto: UInt8, _ transport: [UInt8]) throws -> [UInt8] {
        try build(room: 70_000) { out throws(FrameError) in
            let start: Int
            if family == .ipv4 {
                start = try IPv4Header(
                    proto: proto, source: from, destination: to, payloadLength: transport.count, ttl: 55
                ).write(into: &out)
            } else {
                start = try IPv6Header(
                    nextHeader: proto, source: from, destination: to, payloadLength: transport.count,
                    hopLimit: 55
                ).write(into: &out)
            }
            try out.put(transport.span.bytes, at: start)
            try out.sealChecksum(of: proto, at: start, length: transport.count, source: from, destination: to)
            return start + transport.count
        }
    }

    /// What the probe has after its IP header.
    var transport: [UInt8] {
        get throws { Array(try probe.dropFirst(family == .ipv4 ? 20 : 40)) }
    }

    func echoReply(_ change: (inout [UInt8]) -> Void = { _ in }) throws -> [UInt8] {
        var bytes = try transport
        bytes[0] = family == .ipv4 ? 0 : 129
        change(&bytes)
        return try packet(flow.ipProtocol, bytes)
    }

    func udpReply(_ change: (inout [UInt8]) -> Void = { _ in }) throws -> [UInt8] {
        var bytes = try transport
        bytes.swapAt(0, 2)
        bytes.swapAt(1, 3)
        change(&bytes)
        bytes[4] = UInt8(bytes.count >> 8)
        bytes[5] = UInt8(bytes.count & 0xFF)
        return try packet(IPProtocol.udp, bytes)
    }

    func tcpReply(flags: UInt8, acknowledges: Int = 1, port: UInt16? = nil) throws -> [UInt8] {
        let syn = try transport
        let sent = try TCPHeader(parsing: syn.span.bytes, at: 0)
        let bytes = try build { out throws(FrameError) in
            try TCPHeader(
                sourcePort: sent.destinationPort, destinationPort: port ?? sent.sourcePort, sequence: 77,
                acknowledgement: sent.sequence &+ UInt32(acknowledges), flags: flags
            ).write(into: &out, at: 0)
        }
        return try packet(IPProtocol.tcp, bytes)
    }

    /// An ICMP error of a router. `quoted`: bytes of the probe after its IP header; `change` alters the
    /// quote.
    func error(
        type: UInt8, code: UInt8 = 0, rest: UInt32 = 0, quoted: Int = 1000, labels: [MPLSLabel] = [],
        change: (inout [UInt8]) -> Void = { _ in }
    ) throws -> [UInt8] {
        var quote = Array(try probe.prefix((family == .ipv4 ? 20 : 40) + quoted))
        change(&quote)
        var router = self
        router.from = testRouter(family)
        let message = try build(room: 4096) { out throws(FrameError) in
            try ICMPErrorMessage(family: family, type: type, code: code, rest: rest).write(
                into: &out, at: 0, quoting: quote.span.bytes, labels: labels, source: router.from,
                destination: to)
        }
        return try router.packet(family == .ipv4 ? IPProtocol.icmp : IPProtocol.icmpv6, message)
    }

    var timeExceeded: UInt8 { family == .ipv4 ? 11 : 3 }
    var unreachable: UInt8 { family == .ipv4 ? 3 : 1 }
}

func match(_ packet: [UInt8], _ flow: Flow) -> AnswerMatch {
    AnswerMatcher.match(
        packet: packet.span.bytes, flow: flow, source: testSource(flow.destination.family), receivedAt: 1234,
        timestampSource: .kernel)
}

extension AnswerMatch {
    var answer: Answer? { if case .answer(let answer) = self { answer } else { nil } }
    var isForeign: Bool { if case .foreign = self { true } else { false } }
    var isUnrelated: Bool { if case .unrelated = self { true } else { false } }
}

@Suite struct FrameAnswerTests {
    @Test(arguments: everyFamily, [true, false])
    func echoReplies(_ family: AddressFamily, _ constant: Bool) throws {
        for sequence: UInt32 in [0, 5, 65_535] {
            let forge = AnswerForge(testFlow(.icmp, family, constant: constant), sequence: sequence)
            let answer = try #require(match(try forge.echoReply(), forge.flow).answer)
            #expect(answer.sequence == sequence && answer.kind == .echoReply && answer.ttl == 55)
            #expect(
                answer.from == forge.flow.destination && answer.receivedAt == 1234 && answer.source == .kernel
            )
            #expect(answer.icmpType == (family == .ipv4 ? 0 : 129) && answer.labels.isEmpty)
        }
        let forge = AnswerForge(testFlow(.icmp, family, constant: constant))
        #expect(match(try forge.echoReply { $0[8] ^= 1 }, forge.flow).isForeign, "token")
        #expect(
            match(try forge.echoReply { $0[15] ^= 1 }, forge.flow).isForeign, "cookie and sequence differ")
        #expect(match(try forge.echoReply { $0[7] ^= 1 }, forge.flow).isForeign, "sequence and cookie differ")
        #expect(match(try forge.echoReply { $0.removeLast($0.count - 12) }, forge.flow).isForeign, "no room")
        #expect(match(try forge.echoReply { $0[5] ^= 1 }, forge.flow).isUnrelated, "identifier")
        #expect(match(try forge.probe, forge.flow).isUnrelated, "our own request")
        var broken = try forge.echoReply()
        broken[broken.count - 1] ^= 1
        #expect(match(broken, forge.flow).isUnrelated, "checksum")
    }

    @Test(arguments: everyFamily)
    func echoRepliesWithoutCookie(_ family: AddressFamily) throws {
        var forge = AnswerForge(testFlow(.icmp, family, payload: 4, constant: false))
        #expect(match(try forge.echoReply(), forge.flow).answer?.sequence == 5)
        forge.from = testRouter(family)
        #expect(match(try forge.echoReply(), forge.flow).isForeign)
        forge.from = forge.flow.destination
        forge.to = testRouter(family)
        #expect(match(try forge.echoReply(), forge.flow).isUnrelated)
    }

    @Test(arguments: everyFamily)
    func udpReplies(_ family: AddressFamily) throws {
        let forge = AnswerForge(testFlow(.udp, family))
        let answer = try #require(match(try forge.udpReply(), forge.flow).answer)
        #expect(answer.sequence == 5 && answer.kind == .udpReply && answer.icmpType == 0 && answer.ttl == 55)
        #expect(match(try forge.udpReply { $0.removeLast($0.count - 16) }, forge.flow).answer?.sequence == 5)
        #expect(match(try forge.udpReply { $0.removeLast($0.count - 15) }, forge.flow).isForeign)
        #expect(match(try forge.udpReply { $0.removeLast($0.count - 8) }, forge.flow).isForeign)
        #expect(match(try forge.udpReply { $0[9] ^= 0x80 }, forge.flow).isForeign, "token")
        #expect(match(try forge.udpReply { $0[13] ^= 1 }, forge.flow).isForeign, "no such sequence")
        #expect(match(try forge.udpReply { $0[1] ^= 1 }, forge.flow).isUnrelated, "source port")
        #expect(match(try forge.udpReply { $0[3] ^= 1 }, forge.flow).isUnrelated, "destination port")
        var broken = try forge.udpReply()
        broken[broken.count - 1] ^= 1
        #expect(match(broken, forge.flow).isUnrelated, "checksum")
    }

    @Test(arguments: everyFamily, [ProbeProtocol.udp, .tcpSyn])
    func unfinishedChecksums(_ family: AddressFamily, _ proto: ProbeProtocol) throws {
        // Between interfaces of one machine the kernel leaves the folded pseudo-header for the card to
        // complete.
        let forge = AnswerForge(testFlow(proto, family, payload: 32))
        var packet = try proto == .udp ? forge.udpReply() : forge.tcpReply(flags: TCPFlag.syn | TCPFlag.ack)
        let start = family == .ipv4 ? 20 : 40
        var pseudo = InternetChecksum()
        pseudo.addPseudoHeader(
            source: forge.from, destination: forge.to, nextHeader: forge.flow.ipProtocol,
            length: packet.count - start)
        let place = start + (proto == .udp ? 6 : 16)
        packet[place] = UInt8(pseudo.folded >> 8)
        packet[place + 1] = UInt8(pseudo.folded & 0xFF)
        #expect(match(packet, forge.flow).answer?.sequence == 5)
        packet[place] ^= 0x10
        #expect(match(packet, forge.flow).isUnrelated)
    }

    @Test(arguments: everyFamily, [true, false])
    func tcpReplies(_ family: AddressFamily, _ constant: Bool) throws {
        for payload in [0, 32] {
            for sequence: UInt32 in [0, 5, 300, 65_535] {
                let flow = testFlow(.tcpSyn, family, payload: payload, constant: constant)
                let forge = AnswerForge(flow, sequence: sequence)
                let open = try #require(
                    match(try forge.tcpReply(flags: TCPFlag.syn | TCPFlag.ack), flow).answer)
                #expect(open.sequence == sequence && open.kind == .tcpOpen)
                let reset = TCPFlag.rst | TCPFlag.ack
                let closed = try #require(
                    match(try forge.tcpReply(flags: reset, acknowledges: 1 + payload), flow).answer)
                #expect(closed.sequence == sequence && closed.kind == .tcpReset)
            }
        }
        let forge = AnswerForge(testFlow(.tcpSyn, family, payload: 0, constant: constant))
        let open = TCPFlag.syn | TCPFlag.ack
        #expect(match(try forge.tcpReply(flags: open, acknowledges: 0x10001), forge.flow).isForeign, "token")
        #expect(match(try forge.tcpReply(flags: TCPFlag.rst), forge.flow).isForeign, "acknowledges nothing")
        #expect(match(try forge.tcpReply(flags: TCPFlag.ack), forge.flow).isForeign, "challenge")
        #expect(match(try forge.tcpReply(flags: open, port: 39_999), forge.flow).isUnrelated, "port")
        let neighbour = match(try forge.tcpReply(flags: open, port: 40_001), forge.flow)
        #expect(constant ? neighbour.isUnrelated : neighbour.isForeign, "another probe's port")
        var elsewhere = forge
        elsewhere.from = testRouter(family)
        #expect(match(try elsewhere.tcpReply(flags: open), forge.flow).isUnrelated)
    }

    @Test(arguments: everyFamily, everyProtocol)
    func errorsWithTheWholeProbe(_ family: AddressFamily, _ proto: ProbeProtocol) throws {
        for constant in [true, false] {
            for sequence: UInt32 in [0, 5, 300, 65_535] {
                let forge = AnswerForge(testFlow(proto, family, constant: constant), sequence: sequence)
                let packet = try forge.error(type: forge.timeExceeded)
                let answer = try #require(match(packet, forge.flow).answer)
                #expect(answer.sequence == sequence && answer.kind == .timeExceeded && answer.quotedTTL == 1)
                #expect(answer.from == testRouter(family) && answer.icmpType == forge.timeExceeded)
                let refused = try forge.error(type: forge.unreachable, code: 3)
                #expect(match(refused, forge.flow).answer?.kind == .unreachable)
                #expect(match(refused, forge.flow).answer?.icmpCode == 3)
                var other = forge.flow
                other.token ^= 0x8000_0000
                #expect(match(packet, other).isForeign)
                other = forge.flow
                other.destination = testRouter(family)
                #expect(match(packet, other).isUnrelated)
                other = forge.flow
                other.sourcePort = 50_000
                #expect(match(packet, other).isUnrelated)
                // A NAT rewrote the quoted source.
                let rewritten = try forge.error(type: forge.timeExceeded) {
                    $0[family == .ipv4 ? 15 : 23] ^= 0x10
                }
                #expect(match(rewritten, forge.flow).answer?.sequence == sequence)
            }
        }
    }

    @Test(arguments: everyFamily, everyProtocol)
    func errorsWithEightBytes(_ family: AddressFamily, _ proto: ProbeProtocol) throws {
        for sequence: UInt32 in [0, 5, 300, 65_534] {
            let forge = AnswerForge(testFlow(proto, family), sequence: sequence)
            let packet = try forge.error(type: forge.timeExceeded, quoted: 8)
            #expect(match(packet, forge.flow).answer?.sequence == sequence)
            // The quote padded with zeros for extensions is still 8 bytes.
            let labels = [MPLSLabel(label: 16, trafficClass: 3, bottomOfStack: true, ttl: 1)]
            let padded = try forge.error(type: forge.timeExceeded, quoted: 8, labels: labels)
            #expect(match(padded, forge.flow).answer?.sequence == sequence)
            #expect(match(padded, forge.flow).answer?.labels == labels)
            #expect(match(try forge.error(type: forge.timeExceeded, quoted: 7), forge.flow).isUnrelated)
        }
    }

    @Test func theLastSequenceInEightBytes() throws {
        // 65,536 sequences have 65,535 UDP checksums: the last two share one, and IPv4 tells them by the
        // identification.
        let four = AnswerForge(testFlow(.udp, .ipv4), sequence: 65_535)
        #expect(match(try four.error(type: 11, quoted: 8), four.flow).answer?.sequence == 65_535)
        let six = AnswerForge(testFlow(.udp, .ipv6), sequence: 65_535)
        #expect(match(try six.error(type: 3, quoted: 8), six.flow).answer?.sequence == 65_534)
        for family in everyFamily {
            let echo = AnswerForge(testFlow(.icmp, family), sequence: 65_535)
            let packet = try echo.error(type: echo.timeExceeded, quoted: 8)
            #expect(match(packet, echo.flow).answer?.sequence == 65_535)
        }
    }

    @Test func eightBytesOfAnotherProbe() throws {
        // The checksum, which stands for token or sequence, does not fit.
        let echo = AnswerForge(testFlow(.icmp, .ipv4))
        #expect(match(try echo.error(type: 11, quoted: 8) { $0[22] ^= 1 }, echo.flow).isForeign)
        let udp = AnswerForge(testFlow(.udp, .ipv4))
        #expect(match(try udp.error(type: 11, quoted: 8) { $0[27] ^= 1 }, udp.flow).isForeign)
        // With the source rewritten on the way, the checksum may have been, too.
        let rewritten = try udp.error(type: 11, quoted: 8) {
            $0[15] ^= 0x10
            $0[27] ^= 1
        }
        #expect(match(rewritten, udp.flow).answer?.sequence == 5)
        // With the identification cleared, the checksum tells alone.
        let cleared = try udp.error(type: 11, quoted: 8) {
            $0[4] = 0
            $0[5] = 0
        }
        #expect(match(cleared, udp.flow).answer?.sequence == 5)
        let plain = AnswerForge(testFlow(.icmp, .ipv4, constant: false))
        #expect(match(try plain.error(type: 11, quoted: 8) { $0[5] ^= 1 }, plain.flow).isForeign)
        let six = AnswerForge(testFlow(.udp, .ipv6, payload: 0, constant: false))
        #expect(match(try six.error(type: 3, quoted: 8), six.flow).isForeign, "nothing tells the probe")
    }

    @Test func maximumTransmissionUnits() throws {
        let four = AnswerForge(testFlow(.udp, .ipv4, payload: 1400))
        let needed = try four.error(type: 3, code: 4, rest: 1280, quoted: 8)
        #expect(match(needed, four.flow).answer?.mtu == 1280)
        #expect(match(try four.error(type: 3, code: 1, rest: 1280, quoted: 8), four.flow).answer?.mtu == 0)
        let six = AnswerForge(testFlow(.udp, .ipv6, payload: 1400))
        let tooBig = try #require(match(try six.error(type: 2, rest: 1400), six.flow).answer)
        #expect(tooBig.mtu == 1400 && tooBig.kind == .packetTooBig)
    }

    @Test(arguments: everyFamily, everyProtocol)
    func labels(_ family: AddressFamily, _ proto: ProbeProtocol) throws {
        let labels = [
            MPLSLabel(label: 0xFFFFF, trafficClass: 7, bottomOfStack: false, ttl: 255),
            MPLSLabel(label: 24_001, trafficClass: 0, bottomOfStack: true, ttl: 1),
        ]
        for payload in [32, 64, 400] {
            let forge = AnswerForge(testFlow(proto, family, payload: payload))
            let packet = try forge.error(type: forge.timeExceeded, labels: labels)
            #expect(match(packet, forge.flow).answer?.labels == labels)
            #expect(match(packet, forge.flow).answer?.sequence == 5)
        }
    }

    @Test func whatIsNoAnswer() throws {
        let forge = AnswerForge(testFlow(.udp, .ipv4))
        // Redirect and source quench: the probe goes on its way.
        for type: UInt8 in [4, 5] {
            var packet = try forge.error(type: 11)
            packet[20] = type
            try reseal(&packet, from: 20)
            #expect(match(packet, forge.flow).isUnrelated)
        }
        // Later fragments have no transport header.
        var fragment = try forge.udpReply()
        fragment[7] = 3
        try reseal(&fragment, from: nil)
        #expect(match(fragment, forge.flow).isUnrelated)
        var quotedFragment = try forge.error(type: 11) { $0[7] = 3 }
        #expect(match(quotedFragment, forge.flow).isUnrelated)
        quotedFragment[10] ^= 1
        #expect(match(quotedFragment, forge.flow).isUnrelated)
    }

    @Test func captureLengthAndPadding() throws {
        let forge = AnswerForge(testFlow(.icmp, .ipv4, payload: 1000))
        let reply = try forge.echoReply()
        #expect(match(Array(reply.prefix(100)), forge.flow).answer?.sequence == 5)
        #expect(match(reply + [UInt8](repeating: 0xEE, count: 18), forge.flow).answer?.sequence == 5)
        let short = AnswerForge(testFlow(.udp, .ipv4))
        let empty = try short.udpReply { $0.removeLast($0.count - 8) }
        // Padding that looks like the cookie does not count.
        #expect(match(empty + (try short.transport.dropFirst(8)), short.flow).isForeign)
    }

    /// Repairs the checksums of an IPv4 packet: the header's, and with `from` that of the ICMP message there.
    private func reseal(_ packet: inout [UInt8], from start: Int?) throws {
        let count = packet.count
        var span = packet.mutableSpan
        var raw = span.mutableBytes
        try raw.put(UInt16(0), at: 10)
        try raw.put(try raw.sum(at: 0, count: 20).checksum, at: 10)
        if let start {
            try raw.sealChecksum(
                of: IPProtocol.icmp, at: start, length: count - start, source: testSource(.ipv4),
                destination: testSource(.ipv4))
        }
    }
}
