// SPDX-License-Identifier: MIT
// The classic BPF program that lets only possible answers to one flow up from the kernel. It errs on
// the generous side (extension headers, quoted packets): AnswerMatcher decides.

/// Assembles the filter. All loads are relative to the IP header (SKF_NET_OFF of linux/filter.h), so that
/// one program serves links with and without a link header.
struct AnswerFilter {
    /// Instructions as `code << 48 | jump true << 40 | jump false << 32 | k`.
    private(set) var program: [UInt64] = []

    /// BPF operation codes (linux/bpf_common.h), the same on every processor.
    private enum Operation {
        static let loadByte: UInt64 = 0x30
        static let loadHalf: UInt64 = 0x28
        static let loadWord: UInt64 = 0x20
        static let loadByteIndexed: UInt64 = 0x50
        static let loadHalfIndexed: UInt64 = 0x48
        static let loadWordIndexed: UInt64 = 0x40
        static let and: UInt64 = 0x54
        static let shiftLeft: UInt64 = 0x64
        static let toIndex: UInt64 = 0x07
        static let jumpEqual: UInt64 = 0x15
        static let jumpGreaterOrEqual: UInt64 = 0x35
        static let jumpAnySet: UInt64 = 0x45
        static let end: UInt64 = 0x06
    }

    private static let network: UInt64 = 0xFFF0_0000

    @inline(never)
    private mutating func emit(_ operation: UInt64, _ k: UInt64, whenTrue: Int = 0, whenFalse: Int = 0) {
        program.append(operation << 48 | UInt64(whenTrue) << 40 | UInt64(whenFalse) << 32 | k & 0xFFFF_FFFF)
    }

    private mutating func accept() { emit(Operation.end, 0x40000) }
    private mutating func reject() { emit(Operation.end, 0) }

    /// Goes on when the accumulator equals `value`, rejects otherwise.
    private mutating func require(_ value: UInt64) {
        emit(Operation.jumpEqual, value, whenTrue: 1)
        reject()
    }

    /// Goes on when the accumulator is within `low...high`.
    private mutating func require(_ low: UInt64, through high: UInt64) {
        emit(Operation.jumpGreaterOrEqual, low, whenTrue: 1)
        reject()
        emit(Operation.jumpGreaterOrEqual, high + 1, whenFalse: 1)
        reject()
    }

    /// Makes the filter of a flow whose own port or identifier is already known.
    static func make(flow: Flow) -> [UInt64] {
        var filter = AnswerFilter()
        switch flow.destination.family {
        case .ipv4: filter.makeIPv4(flow)
        case .ipv6: filter.makeIPv6(flow)
        }
        return filter.program
    }

    private static func protocolNumber(_ flow: Flow) -> UInt64 {
        switch flow.proto {
        case .icmp: flow.destination.family == .ipv4 ? 1 : 58
        case .udp: 17
        case .tcpSyn: 6
        }
    }

    private mutating func makeIPv4(_ flow: Flow) {
        let net = Self.network
        let own = Self.protocolNumber(flow)
        emit(Operation.loadHalf, net + 6)
        emit(Operation.jumpAnySet, 0x1FFF, whenFalse: 1)
        reject()
        emit(Operation.loadByte, net)
        emit(Operation.and, 15)
        emit(Operation.shiftLeft, 2)
        emit(Operation.toIndex, 0)
        emit(Operation.loadByte, net + 9)
        if flow.proto != .icmp {
            let ports = portTest(flow, offset: net)
            emit(Operation.jumpEqual, own, whenFalse: ports.count + 3)
            emit(Operation.loadWord, net + 12)
            require(flow.destination.low)
            program += ports
        }
        require(1)
        emit(Operation.loadByteIndexed, net)
        if flow.proto == .icmp {
            emit(Operation.jumpEqual, 0, whenFalse: 4)
            emit(Operation.loadHalfIndexed, net + 4)
            require(UInt64(flow.sourcePort))
            accept()
        }
        // Destination unreachable, source quench, time exceeded, parameter problem (RFC 792).
        emit(Operation.jumpEqual, 3, whenTrue: 4)
        emit(Operation.jumpEqual, 4, whenTrue: 3)
        emit(Operation.jumpEqual, 11, whenTrue: 2)
        emit(Operation.jumpEqual, 12, whenTrue: 1)
        reject()
        emit(Operation.loadByteIndexed, net + 8 + 9)
        require(own)
        emit(Operation.loadWordIndexed, net + 8 + 16)
        require(flow.destination.low)
        accept()
    }

    private mutating func makeIPv6(_ flow: Flow) {
        let net = Self.network
        let own = Self.protocolNumber(flow)
        emit(Operation.loadByte, net + 6)
        // Hop-by-hop, routing, fragment, destination options (RFC 8200): left to the matcher.
        for header in [UInt64(0), 43, 44, 60] {
            emit(Operation.jumpEqual, header, whenFalse: 1)
            accept()
        }
        if flow.proto != .icmp {
            // The IPv6 header has a fixed length: X is the distance to the transport header.
            let ports = portTest(flow, offset: net + 40)
            emit(Operation.jumpEqual, own, whenFalse: ports.count + 13)
            emit(0x01, 0)  // X = 0
            for word in 0..<4 {
                emit(Operation.loadWord, net + 8 + UInt64(word * 4))
                require(Self.word(word, of: flow.destination))
            }
            program += ports
        }
        require(58)
        emit(Operation.loadByte, net + 40)
        if flow.proto == .icmp {
            emit(Operation.jumpEqual, 129, whenFalse: 4)
            emit(Operation.loadHalf, net + 44)
            require(UInt64(flow.sourcePort))
            accept()
        }
        // Unreachable, packet too big, time exceeded, parameter problem (RFC 4443).
        require(1, through: 4)
        for word in 0..<4 {
            emit(Operation.loadWord, net + 48 + 24 + UInt64(word * 4))
            require(Self.word(word, of: flow.destination))
        }
        accept()
    }

    private static func word(_ index: Int, of address: IPAddress) -> UInt64 {
        let half = index < 2 ? address.high : address.low
        return index % 2 == 0 ? half >> 32 : half & 0xFFFF_FFFF
    }

    /// The part that compares the ports of a UDP or TCP answer, with X at the transport header; ends in a verdict.
    private func portTest(_ flow: Flow, offset: UInt64) -> [UInt64] {
        var part = AnswerFilter()
        part.emit(Operation.loadHalfIndexed, offset)
        part.require(UInt64(flow.destinationPort))
        part.emit(Operation.loadHalfIndexed, offset + 2)
        let ports = flow.sourcePortRange
        part.require(UInt64(ports.lowerBound), through: UInt64(ports.upperBound))
        part.accept()
        return part.program
    }
}

extension Flow {
    /// The source ports that the probes of this flow use.
    var sourcePortRange: ClosedRange<UInt16> {
        guard proto == .tcpSyn && !constantFlow else { return sourcePort...sourcePort }
        return sourcePort...(sourcePort > UInt16.max - 255 ? UInt16.max : sourcePort + 255)
    }
}
