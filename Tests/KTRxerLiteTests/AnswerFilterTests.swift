// SPDX-License-Identifier: MIT
// The kernel's filter lets through whatever the matcher would take, and keeps out other hosts' traffic.
// Programs are run by a small interpreter of classic BPF (Documentation/networking/filter.rst).
import Testing

@testable import KTRxerLite

/// Runs a filter over a packet that begins with its IP header; nil when the program is not valid.
private func run(_ program: [UInt64], _ packet: [UInt8]) -> Bool? {
    var accumulator: UInt32 = 0
    var index: UInt32 = 0
    var counter = 0
    func load(_ offset: UInt32, _ count: Int) -> UInt32? {
        let place = Int(offset &- 0xFFF0_0000)
        guard place >= 0, place + count <= packet.count else { return nil }
        var value: UInt32 = 0
        for byte in packet[place..<place + count] { value = value << 8 | UInt32(byte) }
        return value
    }
    for _ in 0..<1000 {
        guard counter < program.count else { return nil }
        let instruction = program[counter]
        counter += 1
        let k = UInt32(truncatingIfNeeded: instruction)
        let whenTrue = Int(instruction >> 40 & 0xFF)
        let whenFalse = Int(instruction >> 32 & 0xFF)
        let sizes: [UInt64: Int] = [0x20: 4, 0x28: 2, 0x30: 1, 0x40: 4, 0x48: 2, 0x50: 1]
        switch instruction >> 48 {
        case let operation where sizes[operation] != nil:
            let base = operation >= 0x40 ? index &+ k : k
            // A load beyond the packet ends the program: reject.
            guard let value = load(base, sizes[operation]!) else { return false }
            accumulator = value
        case 0x01: index = k
        case 0x07: index = accumulator
        case 0x54: accumulator &= k
        case 0x64: accumulator <<= k
        case 0x15: counter += accumulator == k ? whenTrue : whenFalse
        case 0x35: counter += accumulator >= k ? whenTrue : whenFalse
        case 0x45: counter += accumulator & k != 0 ? whenTrue : whenFalse
        case 0x06: return k != 0
        default: return nil
        }
    }
    return nil
}

@Suite struct AnswerFilterTests {
    private func accepts(_ flow: Flow, _ packet: [UInt8]) throws -> Bool {
        let program = AnswerFilter.make(flow: flow)
        #expect(program.count <= 128, "more than the C floor takes")
        return try #require(run(program, packet), "not a valid program")
    }

    @Test(arguments: everyFamily, [true, false])
    func echoReplies(_ family: AddressFamily, _ constant: Bool) throws {
        let forge = AnswerForge(testFlow(.icmp, family, constant: constant))
        #expect(try accepts(forge.flow, forge.echoReply()))
        #expect(try !accepts(forge.flow, forge.echoReply { $0[5] ^= 1 }), "another identifier")
        #expect(try !accepts(forge.flow, forge.probe), "an echo request")
    }

    @Test(arguments: everyFamily)
    func udpReplies(_ family: AddressFamily) throws {
        var forge = AnswerForge(testFlow(.udp, family))
        #expect(try accepts(forge.flow, forge.udpReply()))
        #expect(try !accepts(forge.flow, forge.udpReply { $0[1] ^= 1 }), "another source port")
        #expect(try !accepts(forge.flow, forge.udpReply { $0[3] ^= 1 }), "another destination port")
        forge.from = testRouter(family)
        #expect(try !accepts(forge.flow, forge.udpReply()), "another host")
    }

    @Test(arguments: everyFamily, [true, false])
    func tcpReplies(_ family: AddressFamily, _ constant: Bool) throws {
        for sequence: UInt32 in [0, 5, 255, 256, 65_535] {
            let forge = AnswerForge(testFlow(.tcpSyn, family, constant: constant), sequence: sequence)
            #expect(try accepts(forge.flow, forge.tcpReply(flags: TCPFlag.syn | TCPFlag.ack)))
            #expect(try accepts(forge.flow, forge.tcpReply(flags: TCPFlag.rst)))
        }
        let forge = AnswerForge(testFlow(.tcpSyn, family, constant: constant))
        let below = forge.flow.sourcePortRange.lowerBound - 1
        #expect(try !accepts(forge.flow, forge.tcpReply(flags: TCPFlag.rst, port: below)))
    }

    @Test(arguments: everyFamily, [ProbeProtocol.icmp, .udp, .tcpSyn])
    func errors(_ family: AddressFamily, _ proto: ProbeProtocol) throws {
        let forge = AnswerForge(testFlow(proto, family))
        let label = MPLSLabel(label: 16, trafficClass: 0, bottomOfStack: true, ttl: 1)
        for quoted in [8, 1000] {
            #expect(try accepts(forge.flow, forge.error(type: forge.timeExceeded, quoted: quoted)))
            #expect(try accepts(forge.flow, forge.error(type: forge.unreachable, code: 3, quoted: quoted)))
            #expect(try accepts(forge.flow, forge.error(type: forge.timeExceeded, quoted: quoted, labels: [label])))
        }
        let destination = family == .ipv4 ? 16 : 24
        #expect(
            try !accepts(forge.flow, forge.error(type: forge.timeExceeded) { $0[destination] ^= 1 }),
            "about a packet to another host")
        #expect(try !accepts(forge.flow, forge.error(type: family == .ipv4 ? 5 : 137)), "a redirect")
    }

    @Test func otherTraffic() throws {
        for family in everyFamily {
            for proto in [ProbeProtocol.icmp, .udp, .tcpSyn] {
                let flow = testFlow(proto, family)
                for other in [ProbeProtocol.icmp, .udp, .tcpSyn] where other != proto {
                    let forge = AnswerForge(testFlow(other, family))
                    let packet =
                        switch other {
                        case .icmp: try forge.echoReply()
                        case .udp: try forge.udpReply()
                        case .tcpSyn: try forge.tcpReply(flags: TCPFlag.rst)
                        }
                    #expect(try !accepts(flow, packet), "\(proto) lets \(other) through")
                }
                // A later fragment has no ports where the filter looks for them.
                if family == .ipv4 {
                    var fragment = try AnswerForge(testFlow(.udp, .ipv4)).udpReply()
                    fragment[7] = 1
                    #expect(try !accepts(flow, fragment))
                }
                #expect(try !accepts(flow, [0x45]) && !accepts(flow, []), "a packet that ends early")
            }
        }
    }
}
