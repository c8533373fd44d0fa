// SPDX-License-Identifier: MIT
// The line for each answer of a ping, in the words of iputils' ping.
import KTRxerLite

extension Report {
    /// The line for an answer that has just been handled; `record` is its probe's, as it is now. Only a ping
    /// has such lines. The sequence number is the one on the wire and in records.
    static func answer(
        _ answer: Answer, of record: ProbeRecord, address: IPAddress, options: MeasurementOptions,
        into text: inout ByteText
    ) {
        guard options.kind == .ping else { return }
        let isReply = answer.isReply(of: address)
        if isReply {
            switch answer.kind {
            case .echoReply: appendCount(options.size + 8, " bytes from ", into: &text)
            case .udpReply: text.append(text: "UDP reply from ")
            case .tcpOpen: text.append(text: "SYN+ACK from ")
            case .tcpReset: text.append(text: "RST from ")
            default:
                appendReason(answer, into: &text)
                text.append(text: " from ")
            }
        } else {
            text.append(text: "From ")
        }
        answer.from.append(to: &text)
        text.append(text: ": seq=")
        text.append(decimal: Int64(record.sequence))
        if isReply {
            if answer.ttl != 0 { appendCount(Int(answer.ttl), before: " ttl=", "", into: &text) }
            if record.sent != 0 {
                // Of this very answer: that of the record is the first.
                var own = record
                own.answer = answer
                text.append(text: " time=")
                appendMilliseconds(own.roundTrip ?? 0, " ms", into: &text)
            }
        } else {
            text.append(0x20)
            appendReason(answer, into: &text)
        }
        if record.late { text.append(text: " (late)") }
        if let first = record.answer, record.duplicates > 0, first.kind == answer.kind, first.from == answer.from {
            text.append(text: " (DUP!)")
        }
        text.append(0x0A)
    }

    /// What an ICMP error says.
    private static func appendReason(_ answer: Answer, into text: inout ByteText) {
        switch answer.kind {
        case .echoReply, .udpReply, .tcpOpen, .tcpReset: break
        case .timeExceeded:
            text.append(text: answer.icmpCode == 0 ? "Time to live exceeded" : "Fragment reassembly time exceeded")
        case .packetTooBig: appendTooBig(answer, into: &text)
        case .parameterProblem: appendCount(Int(answer.icmpCode), before: "Parameter problem, code ", "", into: &text)
        case .unreachable:
            if answer.from.family == .ipv4 && answer.icmpCode == ICMPType.fragmentationNeeded {
                appendTooBig(answer, into: &text)
            } else if let reason = unreachableReason(answer) {
                text.append(text: reason)
            } else {
                appendCount(Int(answer.icmpCode), before: "Destination unreachable, code ", "", into: &text)
            }
        }
    }

    private static func appendTooBig(_ answer: Answer, into text: inout ByteText) {
        text.append(text: "Packet too big, MTU ")
        text.append(decimal: Int64(answer.mtu))
    }

    /// For the codes that are met with (RFC 792, RFC 1812, 5.2.7.1; RFC 4443, 3.1); nil for others.
    private static func unreachableReason(_ answer: Answer) -> StaticString? {
        if answer.from.family == .ipv4 {
            switch answer.icmpCode {
            case 0: return "Destination Net Unreachable"
            case 1: return "Destination Host Unreachable"
            case 2: return "Destination Protocol Unreachable"
            case 3: return "Destination Port Unreachable"
            case 9: return "Destination Net Prohibited"
            case 10: return "Destination Host Prohibited"
            case 13: return "Packet filtered"
            default: return nil
            }
        }
        switch answer.icmpCode {
        case 0: return "Destination unreachable: No route"
        case 1: return "Destination unreachable: Administratively prohibited"
        case 3: return "Destination unreachable: Address unreachable"
        case 4: return "Destination unreachable: Port unreachable"
        default: return nil
        }
    }
}
