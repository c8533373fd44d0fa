// SPDX-License-Identifier: MIT
// Records as the agent writes them, with every key that there is, and the reports for people.
import KTRxerLite

private let started: Int64 = 5_000_000_000
private let realtime: Int64 = 1_769_862_896_123_456_789

private func sample(_ kind: MeasurementKind) -> MeasurementResult {
    MeasurementResult(
        job: ByteText("gate\"way\\"), kind: kind, target: ByteText("host.example"),
        address: IPAddress(v4: 0xC000_0250), sourceAddress: IPAddress(v4: 0xC000_0201), sourcePort: 40_000,
        transport: .packet, interface: ByteText("eth0"), startedRealtime: realtime, startedMonotonic: started,
        finishedMonotonic: started + 3_000_000_000, clockSynchronised: true, clockStepped: false,
        options: MeasurementOptions(kind: kind), records: ProbeRecords(), mtu: 1500, foreignAnswers: 2, lostCaptures: 3,
        error: nil)
}

private func sample(
    _ sequence: UInt32, ttl: UInt8 = 64, after: Int64? = 7_000_000, kind: AnswerKind = .echoReply,
    from: IPAddress = IPAddress(v4: 0xC000_0250)
) -> ProbeRecord {
    var record = ProbeRecord(sequence: sequence, ttl: ttl, intended: started + Int64(sequence) * 1_000_000)
    record.sent = record.intended + 1_500
    record.sentSource = .kernel
    record.attempts = 1
    if let after {
        record.answer = Answer(
            sequence: sequence, kind: kind, from: from, receivedAt: record.sent + after, source: .hardware)
    }
    return record
}

private func ping() -> MeasurementResult {
    var ping = sample(.ping)
    ping.scheduledRealtime = realtime - 1
    ping.skippedRuns = UInt64.max
    var odd = sample(3, kind: .unreachable, from: IPAddress(v6High: 0x2001_0DB8_0000_0000, low: 0x7))
    odd.duplicates = 2
    odd.otherAnswers = 1
    odd.reordered = true
    odd.late = true
    odd.answer?.icmpType = 3
    odd.answer?.icmpCode = 4
    odd.answer?.ttl = 61
    odd.answer?.quotedTTL = 1
    odd.answer?.mtu = 1400
    odd.answer?.labels = [MPLSLabel(label: 1_048_575, trafficClass: 7, bottomOfStack: true, ttl: 255)]
    var failed = ProbeRecord(sequence: 4, ttl: 64, intended: started + 4)
    failed.failure = .tooLarge(size: 2000, mtu: 1500)
    for record in [sample(0), sample(1, after: 9_000_000), sample(2, after: nil), odd, failed] {
        ping.records.append(record)
    }
    ping.error = .cancelled
    return ping
}

private func trace() -> MeasurementResult {
    var trace = sample(.trace)
    var first = sample(0, ttl: 1, kind: .timeExceeded, from: IPAddress(v4: 0x0A00_0001))
    first.answer?.icmpType = 11
    first.answer?.labels = [MPLSLabel(label: 16, trafficClass: 0, bottomOfStack: false, ttl: 1)]
    var second = sample(1, ttl: 2, kind: .unreachable, from: IPAddress(v4: 0x0A00_0002))
    second.answer?.icmpType = 3
    second.answer?.icmpCode = 1
    for record in [first, second, sample(2, ttl: 2, after: nil)] { trace.records.append(record) }
    trace.traceOutcome = TraceOutcome(end: .unreachable, unneeded: 4, spared: 80)
    return trace
}

func runRecords() {
    run("records") { () throws(FrameError) in
        for result in [ping(), trace(), sample(.train)] {
            let line = RecordEncoder.encode(result: result, version: "1.2.3")
            expect(line.last == 0x0A)
            show(ByteText(line.dropLast()))
            var text = ByteText()
            Report.whole(result, into: &text)
            show(text)
        }
    }
}
