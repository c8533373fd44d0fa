// SPDX-License-Identifier: MIT
// The hops of a trace: who answered at each TTL, how fast, and with what complaint.

/// What the probes of one TTL found.
public final class HopSummary {
    /// More than this many different addresses of one hop are not kept.
    public static let maximumAddresses = 16

    public private(set) var ttl: UInt8
    /// Probes that left with this TTL.
    public private(set) var probes = 0
    /// How many of them were answered in time, by whomever.
    public private(set) var answers = 0
    /// Who answered, each once, in the order of sequence numbers.
    public private(set) var addresses: [IPAddress] = []
    /// Of the answers.
    public private(set) var roundTrip = Distribution()
    /// MPLS labels of the first answer that has any, outermost first.
    public private(set) var labels: [MPLSLabel] = []
    /// The different marks of `Answer.appendMark`, a space between them; mostly empty.
    public private(set) var marks = ByteText()
    /// Whether the target itself answered.
    public private(set) var isTarget = false
    /// Whether an answer was destination unreachable or another ICMP error that ends the way.
    public private(set) var isUnreachable = false

    /// Sums up the probes of one TTL among all.
    public init(ttl: UInt8, records: ProbeRecords, destination: IPAddress) {
        self.ttl = ttl
        var times: [Int64] = []
        for index in 0..<records.count where records.ttl(index) == ttl {
            if !records.isSent(index) { continue }
            let record = records[index]
            probes += 1
            guard !record.late, let answer = record.answer, let time = record.roundTrip else { continue }
            answers += 1
            times.append(time)
            note(address: answer.from)
            if labels.isEmpty { labels = answer.labels }
            if answer.isReply(of: destination) {
                isTarget = true
            } else if answer.kind != .timeExceeded {
                isUnreachable = true
            }
            note(markOf: answer)
        }
        roundTrip = Distribution(sorting: &times)
    }

    private func note(address: IPAddress) {
        for known in addresses where known == address { return }
        if addresses.count < Self.maximumAddresses { addresses.append(address) }
    }

    private func note(markOf answer: Answer) {
        var mark = ByteText()
        answer.appendMark(to: &mark)
        guard !mark.isEmpty else { return }
        // A mark has no space, so it is among the others if it is there between spaces.
        var start = 0
        for index in 0...marks.count where index == marks.count || marks[index] == 0x20 {
            if marks[start..<index] == mark[...] { return }
            start = index + 1
        }
        if !marks.isEmpty { marks.append(0x20) }
        marks += mark
    }

    /// The hops of a trace from the first TTL that was sent to that at which the target answered, or to the
    /// last that was sent.
    public static func path(
        records: ProbeRecords, destination: IPAddress
    ) -> [HopSummary] {
        var first = Int.max
        var last = 0
        for index in 0..<records.count where records.isSent(index) {
            first = min(first, Int(records.ttl(index)))
            last = max(last, Int(records.ttl(index)))
        }
        var hops: [HopSummary] = []
        while first <= last {
            let hop = HopSummary(
                ttl: UInt8(first), records: records, destination: destination)
            hops.append(hop)
            if hop.isTarget { break }
            first += 1
        }
        return hops
    }
}

extension Answer {
    /// Appends what traceroute(8) writes behind the time: nothing for time exceeded in transit, replies and
    /// port unreachable; !N !H !P !S !X !V !C for kinds of unreachable, !F-MTU when the packet is too big,
    /// !<code> for other codes of unreachable, !<type-code> for other ICMP errors.
    public func appendMark(to text: inout ByteText) {
        switch kind {
        case .echoReply, .udpReply, .tcpOpen, .tcpReset: return
        case .timeExceeded where icmpCode == 0: return
        case .packetTooBig: appendTooBigMark(to: &text)
        case .unreachable:
            let letter = Self.unreachableMark(code: icmpCode, family: from.family)
            switch letter {
            case 0: return
            case 0x46: appendTooBigMark(to: &text)
            case 0x3C:
                text.append(text: "!<")
                text.append(decimal: Int64(icmpCode))
                text.append(0x3E)
            default:
                text.append(0x21)
                text.append(letter)
            }
        case .parameterProblem where from.family == .ipv6 && icmpCode == 1: text.append(text: "!P")
        case .timeExceeded, .parameterProblem:
            text.append(text: "!<")
            text.append(decimal: Int64(icmpType))
            text.append(0x2D)
            text.append(decimal: Int64(icmpCode))
            text.append(0x3E)
        }
    }

    private func appendTooBigMark(to text: inout ByteText) {
        text.append(text: "!F-")
        text.append(decimal: Int64(mtu))
    }

    /// The letter for a code of destination unreachable (RFC 1812, 5.2.7.1; RFC 4443, 3.1): 0 for none, `<`
    /// for a code without a letter. ICMPv6 codes 5 and 6 are kinds of code 1.
    private static func unreachableMark(code: UInt8, family: AddressFamily) -> UInt8 {
        let letters: StaticString = family == .ipv4 ? "NHP FSNHNXXNHXVC" : "NXHH XX"
        guard Int(code) < letters.utf8CodeUnitCount else { return 0x3C }
        let letter = letters.utf8Start[Int(code)]
        return letter == 0x20 ? 0 : letter
    }
}
