// SPDX-License-Identifier: MIT
// Every parser and the matcher on truncated, flipped and random bytes: nothing may trap, no result may
// point outside the bytes, and no damaged answer may be taken for another probe's.
import Testing

@testable import KTRxerLite

/// Runs all parsers on some bytes and counts what they accept.
struct ParserExercise {
    var accepted = 0
    /// A result that points outside the bytes, by its parser.
    var failure: String?

    /// The bytes as a frame, as an IP packet and as each thing that may be inside.
    mutating func run(_ bytes: [UInt8]) {
        let span = bytes.span.bytes
        let count = bytes.count
        if let frame = attempt({ () throws(FrameError) in try EthernetHeader(parsing: span) }) {
            check("ethernet", frame.length, 0, count)
            if attempt({ () throws(FrameError) in try ARPPacket(parsing: span, at: frame.length) }) != nil {
                check("arp", frame.length, ARPPacket.length, count)
            }
        }
        transports(span, at: 0)
        let before = accepted
        network(span, .whole)
        if accepted == before { network(span, .quoted) }
        if let header = attempt({ () throws(FrameError) in try IPv6OptionsHeader(parsing: span, at: 0) }) {
            check("ipv6 options", 0, header.length, count)
            walk(header.options(at: 0), span)
        }
        if let header = attempt({ () throws(FrameError) in try IPv6RoutingHeader(parsing: span, at: 0) }) {
            check("routing", 0, header.length, count)
        }
        for next in [UInt8(0), 43, 44, 51, 60] {
            let chain = attempt { () throws(FrameError) in
                try IPv6ExtensionChain(parsing: span, at: 0, nextHeader: next)
            }
            if let chain { check("chain", chain.transportOffset, 0, count) }
        }
        for layout in [OptionCursor.Layout.classic, .ipv6, .neighbour] {
            walk(OptionCursor(layout, from: 0, to: count), span)
        }
        extensions(span, at: 0, length: count)
    }

    private mutating func network(_ span: RawSpan, _ extent: PacketExtent) {
        let count = span.byteCount
        if let header = attempt({ () throws(FrameError) in try IPv4Header(parsing: span, extent: extent) }) {
            check("ipv4", 0, header.headerLength, count)
            if extent == .whole { check("ipv4 payload", header.headerLength, header.payloadLength, count) }
            walk(header.options(), span)
            transports(span, at: header.headerLength)
        }
        if let header = attempt({ () throws(FrameError) in try IPv6Header(parsing: span, extent: extent) }) {
            if extent == .whole { check("ipv6 payload", 40, header.payloadLength, count) }
            let chain = attempt { () throws(FrameError) in
                try IPv6ExtensionChain(parsing: span, at: 40, nextHeader: header.nextHeader)
            }
            if let chain {
                check("chain", chain.transportOffset, 0, count)
                transports(span, at: chain.transportOffset)
            }
        }
    }

    private mutating func transports(_ span: RawSpan, at start: Int) {
        let count = span.byteCount
        if let header = attempt({ () throws(FrameError) in try UDPHeader(parsing: span, at: start) }) {
            check("udp", start + 8, header.payloadLength, count)
        }
        _ = attempt { () throws(FrameError) in try UDPHeader(parsing: span, at: start, extent: .quoted) }
        if let header = attempt({ () throws(FrameError) in try TCPHeader(parsing: span, at: start) }) {
            check("tcp", start, header.headerLength, count)
            walk(header.options(at: start), span)
        }
        _ = attempt { () throws(FrameError) in try ICMPHeader(parsing: span, at: start) }
        for family in everyFamily { errors(span, at: start, family) }
        _ = attempt { () throws(FrameError) in
            try NeighbourMessage(parsing: span, at: start, length: count - start)
        }
    }

    private mutating func errors(_ span: RawSpan, at start: Int, _ family: AddressFamily) {
        let count = span.byteCount
        let error = attempt { () throws(FrameError) in
            try ICMPErrorMessage(parsing: span, at: start, length: count - start, family: family)
        }
        guard let error else { return }
        check("quote", error.quoteOffset, error.quoteLength, count)
        let quote = attempt { () throws(FrameError) in
            try QuotedPacket(parsing: span, at: error.quoteOffset, length: error.quoteLength, family: family)
        }
        if let quote {
            check(
                "quoted", quote.transportOffset, quote.transportLength, error.quoteOffset + error.quoteLength)
        }
        if error.extensionLength > 0 {
            check("extension", error.extensionOffset, error.extensionLength, count)
            extensions(span, at: error.extensionOffset, length: error.extensionLength)
        }
    }

    private mutating func extensions(_ span: RawSpan, at offset: Int, length: Int) {
        let labels = attempt { () throws(FrameError) in
            try ICMPExtensions.labels(parsing: span, at: offset, length: length)
        }
        if let labels, labels.count > ICMPExtensions.maximumLabels { failure = failure ?? "labels" }
    }

    private mutating func walk(_ options: OptionCursor, _ span: RawSpan) {
        var cursor = options
        var steps = 0
        do throws(FrameError) {
            while let option = try cursor.next(in: span) {
                check("option", option.valueOffset, option.valueLength, span.byteCount)
                steps += 1
            }
        } catch {}
        if steps > span.byteCount { failure = failure ?? "options without end" }
    }

    private mutating func check(_ name: String, _ offset: Int, _ length: Int, _ count: Int) {
        if offset < 0 || length < 0 || offset + length > count { failure = failure ?? name }
    }

    private mutating func attempt<Value>(_ parse: () throws(FrameError) -> Value) -> Value? {
        do throws(FrameError) {
            let value = try parse()
            accepted += 1
            return value
        } catch {
            return nil
        }
    }
}

@Suite struct FrameFuzzTests {
    static let flows: [Flow] = everyFamily.flatMap { family in
        everyProtocol.flatMap { proto in
            [true, false].map { testFlow(proto, family, constant: $0) }
        }
    }

    /// Answers to probe 5 of each flow, of every kind, and the flow.
    static func answers() throws -> [(packet: [UInt8], flow: Flow)] {
        var found: [([UInt8], Flow)] = []
        let labels = [MPLSLabel(label: 24_001, trafficClass: 5, bottomOfStack: true, ttl: 1)]
        for flow in flows {
            let forge = AnswerForge(flow)
            switch flow.proto {
            case .icmp: found.append((try forge.echoReply(), flow))
            case .udp: found.append((try forge.udpReply(), flow))
            case .tcpSyn:
                found.append((try forge.tcpReply(flags: TCPFlag.syn | TCPFlag.ack), flow))
                found.append((try forge.tcpReply(flags: TCPFlag.rst | TCPFlag.ack, acknowledges: 33), flow))
            }
            found.append((try forge.error(type: forge.timeExceeded), flow))
            found.append((try forge.error(type: forge.unreachable, code: 1, labels: labels), flow))
            if flow.constantFlow {
                found.append((try forge.error(type: forge.timeExceeded, quoted: 8), flow))
            }
        }
        return found
    }

    @Test func truncations() throws {
        for vector in FrameVectors.sorted {
            for length in 0...vector.bytes.count {
                var exercise = ParserExercise()
                exercise.run(Array(vector.bytes.prefix(length)))
                #expect(exercise.failure == nil, "\(vector.name) cut to \(length)")
            }
        }
    }

    @Test func bitFlips() throws {
        for vector in FrameVectors.sorted {
            for bit in 0..<(vector.bytes.count * 8) {
                var bytes = vector.bytes
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                var exercise = ParserExercise()
                exercise.run(bytes)
                if let failure = exercise.failure { Issue.record("\(vector.name), bit \(bit): \(failure)") }
                for flow in Self.flows where flow.constantFlow { _ = match(bytes, flow) }
            }
        }
    }

    @Test func truncatedAnswers() throws {
        for (packet, flow) in try Self.answers() {
            #expect(match(packet, flow).answer?.sequence == 5)
            for length in 0..<packet.count {
                // As after a capture length, and as a shorter packet of its own.
                let cut = match(Array(packet.prefix(length)), flow)
                if let answer = cut.answer { #expect(answer.sequence == 5) }
                if length < 28 { #expect(cut.isUnrelated) }
            }
        }
    }

    @Test func flippedAnswersAreNeverAnotherProbes() throws {
        for (packet, flow) in try Self.answers() {
            let isFour = flow.destination.family == .ipv4
            for bit in 0..<(packet.count * 8) {
                var bytes = packet
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                let found = match(bytes, flow)
                // IPv4: every bit lies under a checksum. IPv6: some bits of its header do not.
                if isFour {
                    if !found.isUnrelated {
                        Issue.record("\(flow.proto.name) bit \(bit) of \(packet.count * 8)")
                    }
                } else if let answer = found.answer, answer.sequence != 5 || bit >= 64 {
                    Issue.record("\(flow.proto.name) over IPv6, bit \(bit): \(answer.sequence)")
                }
            }
        }
    }

    /// Flips under repaired checksums, as a forger can: the cookie must hold.
    @Test func repairedFlipsKeepToTheCookie() throws {
        for (packet, flow) in try Self.answers() {
            let isFour = flow.destination.family == .ipv4
            for bit in 0..<(packet.count * 8) {
                var bytes = packet
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                repair(&bytes)
                guard let answer = match(bytes, flow).answer, answer.sequence != 5 else { continue }
                // Where 16 bits of sequence are all that stands there, another sequence is another probe's
                // answer: in TCP the sequence itself, in a UDP cookie its low half, in 8 bytes quoted by
                // IPv6 the ICMP sequence and the UDP checksum. A reset that acknowledges the payload may
                // read as one to the probe that many numbers on, if it goes to that one's port. Nothing
                // else may turn one into the other.
                let start = isFour ? 20 : 40
                let place = bit / 8 - start
                let quoted = place - 8 - start
                let isShort = packet.count == 2 * start + 16
                let allowed: Bool
                switch (flow.proto, answer.kind) {
                case (.udp, .udpReply): allowed = place == 14 || place == 15
                case (.udp, _): allowed = isShort ? quoted == 6 || quoted == 7 : quoted == 14 || quoted == 15
                case (.tcpSyn, .tcpOpen): allowed = place == 10 || place == 11
                case (.tcpSyn, .tcpReset): allowed = place == 10 || place == 11 || place == 3
                case (.tcpSyn, _): allowed = quoted == 6 || quoted == 7
                case (.icmp, _): allowed = !isFour && isShort && (quoted == 6 || quoted == 7)
                }
                if !allowed {
                    Issue.record("\(flow.proto.name) \(answer.kind.name) bit \(bit): \(answer.sequence)")
                }
            }
        }
    }

    @Test(arguments: 0..<2)
    func randomInputs(_ half: Int) throws {
        // Two halves of 110,000 that run side by side.
        var random = SeededGenerator(seed: UInt64(100 + half))
        let vectors = FrameVectors.sorted.map(\.bytes) + (try Self.answers().map(\.packet))
        var accepted = 0
        var answered = 0
        for round in 0..<110_000 {
            let input = Self.input(round, vectors, &random)
            var exercise = ParserExercise()
            exercise.run(input)
            if let failure = exercise.failure { Issue.record("round \(round): \(failure) in \(input)") }
            accepted += exercise.accepted
            let flow = Self.flows[round % Self.flows.count]
            if let answer = match(input, flow).answer {
                answered += 1
                if answer.sequence > 65_535 { Issue.record("round \(round): sequence \(answer.sequence)") }
            }
        }
        // The inputs are not all refused at the door.
        #expect(accepted > 1_000_000 && answered > 100)
    }

    /// Random bytes, half of them behind a plausible first byte; or a vector with some bytes overwritten,
    /// cut, and with its checksums repaired.
    private static func input(_ round: Int, _ vectors: [[UInt8]], _ random: inout SeededGenerator) -> [UInt8] {
        var bits = random.next()
        if round % 4 < 2 {
            var bytes = [UInt8](repeating: 0, count: Int(bits % 200))
            for place in stride(from: 0, to: bytes.count, by: 8) {
                bits = random.next()
                for index in place..<min(place + 8, bytes.count) {
                    bytes[index] = UInt8(truncatingIfNeeded: bits)
                    bits >>= 8
                }
            }
            let first: [UInt8] = [0x45, 0x46, 0x60, 0x6B, 11, 3, 1, 136, 135, 2]
            if round % 4 == 1 && !bytes.isEmpty {
                bytes[0] = first[round / 4 % first.count]
                if bytes[0] == 0x45 || bytes[0] == 0x46 { repair(&bytes) }
            }
            return bytes
        }
        var bytes = vectors[Int(bits % UInt64(vectors.count))]
        for _ in 0..<(1 + bits >> 32 % 4) {
            bits = random.next()
            bytes[Int(bits % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: bits >> 32)
        }
        if bits >> 40 % 4 == 0 { bytes.removeLast(Int(bits >> 44) % bytes.count) }
        if round % 4 == 3 { repair(&bytes) }
        return bytes
    }
}

/// Makes the checksums of an IP packet right again, as far as it can be read.
private func repair(_ packet: inout [UInt8]) {
    guard let first = packet.first else { return }
    let count = packet.count
    let copy = packet
    var span = packet.mutableSpan
    var raw = span.mutableBytes
    do throws(FrameError) {
        let start: Int
        let proto: UInt8
        let addresses: (IPAddress, IPAddress)
        if first >> 4 == 4 {
            start = Int(first & 15) * 4
            try raw.put(UInt16(0), at: 10)
            try raw.put(try raw.sum(at: 0, count: start).checksum, at: 10)
            let header = try IPv4Header(parsing: copy.span.bytes, extent: .quoted)
            proto = header.proto
            addresses = (header.source, header.destination)
        } else {
            let header = try IPv6Header(parsing: copy.span.bytes, extent: .quoted)
            start = IPv6Header.length
            proto = header.nextHeader
            addresses = (header.source, header.destination)
        }
        try raw.sealChecksum(
            of: proto, at: start, length: count - start, source: addresses.0, destination: addresses.1)
    } catch {}
}
