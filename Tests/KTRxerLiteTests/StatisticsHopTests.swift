// SPDX-License-Identifier: MIT
// Hops of a trace: what is summed up, where the path ends, and the mark of every ICMP code.
import Testing

@testable import KTRxerLite

private let target = IPAddress(v4: 0xC000_0201)

private func address(_ last: UInt32) -> IPAddress { IPAddress(v4: 0x0A00_0000 + last) }

private func record(
    _ sequence: UInt32, ttl: UInt8, after: Int64? = nil, kind: AnswerKind = .timeExceeded, from: IPAddress = target,
    code: UInt8 = 0
) -> ProbeRecord {
    var record = ProbeRecord(sequence: sequence, ttl: ttl, intended: 100)
    record.sent = 100
    if let after {
        var answer = Answer(sequence: sequence, kind: kind, from: from, receivedAt: 100 + after, source: .kernel)
        answer.icmpCode = code
        record.answer = answer
    }
    return record
}

private func path(_ records: [ProbeRecord]) -> [HopSummary] {
    HopSummary.path(records: ProbeRecords(records), destination: target)
}

@Suite struct HopSummaryTests {
    @Test func sumsUpAndEndsAtTheTarget() {
        var records = [
            record(0, ttl: 1, after: 10, from: address(1)), record(1, ttl: 1, after: 30, from: address(2)),
            record(2, ttl: 1, after: 20, from: address(1)),
            record(3, ttl: 2), record(4, ttl: 2), record(5, ttl: 2),
            record(6, ttl: 3, after: 50, kind: .unreachable, code: 3), record(7, ttl: 3),
            record(8, ttl: 4, after: 51, kind: .unreachable, code: 3),
        ]
        records[2].answer?.labels = [MPLSLabel(label: 16, trafficClass: 0, bottomOfStack: true, ttl: 1)]
        let hops = path(records)
        #expect(hops.count == 3)
        #expect(hops[0].probes == 3 && hops[0].answers == 3 && hops[0].addresses == [address(1), address(2)])
        #expect(hops[0].roundTrip.minimum == 10 && hops[0].roundTrip.median == 20 && hops[0].roundTrip.maximum == 30)
        #expect(hops[0].labels.count == 1 && hops[0].marks.isEmpty && !hops[0].isTarget)
        #expect(hops[1].ttl == 2 && hops[1].probes == 3 && hops[1].answers == 0 && hops[1].addresses.isEmpty)
        #expect(hops[2].isTarget && hops[2].probes == 2 && hops[2].answers == 1 && hops[2].marks.isEmpty)
    }

    @Test func refusals() {
        let some = [
            record(0, ttl: 1, after: 5, kind: .unreachable, from: address(1), code: 1), record(1, ttl: 1),
            record(2, ttl: 2, after: 5, kind: .unreachable, from: address(2), code: 13),
            record(3, ttl: 2, after: 5, kind: .unreachable, from: address(2), code: 0),
            record(4, ttl: 2, after: 5, kind: .unreachable, from: address(2), code: 13),
        ]
        let hops = path(some)
        #expect(hops.count == 2)
        #expect(hops[0].isUnreachable && hops[0].marks == ByteText("!H".utf8))
        #expect(hops[1].isUnreachable && hops[1].marks == ByteText("!X !N".utf8))
    }

    @Test func lateAndUnsentProbesAreNoAnswers() {
        var late = record(0, ttl: 7, after: 5, from: address(1))
        late.late = true
        let unsent = ProbeRecord(sequence: 1, ttl: 9, intended: 0)
        let hops = path([late, unsent])
        #expect(hops.count == 1 && hops[0].ttl == 7 && hops[0].probes == 1 && hops[0].answers == 0)
        #expect(path([]).isEmpty && path([unsent]).isEmpty)
    }

    @Test func addressesOfOneHopAreBounded() {
        let records = (0..<100).map { record($0, ttl: 255, after: 5, from: address($0)) }
        #expect(path(records)[0].addresses.count == HopSummary.maximumAddresses)
    }

    private func mark(_ kind: AnswerKind, v6: Bool = false, type: UInt8 = 0, code: UInt8 = 0, mtu: UInt32 = 0) -> String
    {
        var answer = Answer(
            sequence: 0, kind: kind, from: v6 ? IPAddress(v6High: 1, low: 1) : target, receivedAt: 1, source: .kernel)
        answer.icmpType = type
        answer.icmpCode = code
        answer.mtu = mtu
        var text = ByteText()
        answer.appendMark(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    @Test func marks() {
        let v4 = ["!N", "!H", "!P", "", "!F-1400", "!S", "!N", "!H", "!N", "!X", "!X", "!N", "!H", "!X", "!V", "!C"]
        for code in 0...255 {
            #expect(
                mark(.unreachable, type: 3, code: UInt8(code), mtu: 1400) == (code < 16 ? v4[code] : "!<\(code)>"),
                "IPv4 code \(code)")
        }
        let v6 = ["!N", "!X", "!H", "!H", "", "!X", "!X"]
        for code in 0...255 {
            #expect(
                mark(.unreachable, v6: true, type: 1, code: UInt8(code)) == (code < 7 ? v6[code] : "!<\(code)>"),
                "IPv6 code \(code)")
        }
        #expect(mark(.packetTooBig, v6: true, type: 2, mtu: .max) == "!F-4294967295")
        #expect(mark(.timeExceeded, type: 11) == "" && mark(.timeExceeded, v6: true, type: 3) == "")
        #expect(mark(.timeExceeded, type: 11, code: 1) == "!<11-1>")
        #expect(mark(.parameterProblem, type: 12, code: 1) == "!<12-1>")
        #expect(mark(.parameterProblem, v6: true, type: 4, code: 1) == "!P")
        #expect(mark(.parameterProblem, v6: true, type: 4, code: 2) == "!<4-2>")
        for kind in [AnswerKind.echoReply, .udpReply, .tcpOpen, .tcpReset] { #expect(mark(kind) == "") }
    }
}

@Suite struct MeasurementResultTests {
    private func result(_ records: [ProbeRecord], address: IPAddress?, proto: ProbeProtocol = .udp) -> MeasurementResult
    {
        var options = MeasurementOptions(kind: .trace)
        options.proto = proto
        return MeasurementResult(
            job: [], kind: .trace, target: [], address: address, sourceAddress: nil, sourcePort: 0, transport: .packet,
            interface: [], startedRealtime: 0, startedMonotonic: 0, finishedMonotonic: 0, clockSynchronised: true,
            clockStepped: false, options: options, records: ProbeRecords(records), mtu: 1500, foreignAnswers: 0,
            lostCaptures: 0,
            error: nil)
    }

    @Test func repliesAndAnswers() {
        let hop = record(0, ttl: 1, after: 5, from: address(1))
        var end = record(1, ttl: 2, after: 5, kind: .unreachable, code: 3)
        #expect(!result([hop], address: target).anyReply && result([hop], address: target).anyAnswer)
        #expect(result([hop, end], address: target).anyReply)
        #expect(!result([hop, end], address: nil).anyReply)
        end.late = true
        #expect(!result([hop, end], address: target).anyReply)
        #expect(!result([record(0, ttl: 1)], address: target).anyAnswer)
    }

    @Test func packetLength() {
        #expect(result([], address: target).packetBytes == 20 + 8 + 32)
        #expect(result([], address: IPAddress(v6High: 1, low: 1), proto: .icmp).packetBytes == 40 + 8 + 32)
        #expect(result([], address: nil).packetBytes == 0)
    }
}
