// SPDX-License-Identifier: MIT
// The tables of a trace, a line a hop as traceroute prints it, and of a train, a line a probe.
import KTRxerLite

extension Report {
    /// The hops, silent ones at the end in one line, and why there are no more.
    static func appendHops(_ result: MeasurementResult, destination: IPAddress, into text: inout ByteText) {
        let hops = HopSummary.path(records: result.records, destination: destination)
        guard let last = hops.last else { return }
        var answering = hops.count
        while answering > 0 && hops[answering - 1].answers == 0 { answering -= 1 }
        // A single silent hop looks like those between others.
        let shown = hops.count - answering == 1 ? hops.count : answering
        for index in 0..<shown { appendHop(hops[index], result.records, into: &text) }
        if shown < hops.count {
            appendHopNumber(hops[shown].ttl, into: &text)
            appendCount(Int(last.ttl), before: "-", "  no answer\n", into: &text)
        }
        appendEnd(result, hops, answering, into: &text)
        if let outcome = result.traceOutcome, outcome.spared > 0 {
            let options = result.options
            let planned = (Int(options.maxHops) - Int(options.firstHop) + 1) * options.probesPerHop
            appendCount(planned - outcome.spared, before: " (", " of ", into: &text)
            appendCount(planned, " probes sent)", into: &text)
        }
        text.append(0x0A)
    }

    /// Why there are no more hops; without a newline.
    private static func appendEnd(
        _ result: MeasurementResult, _ hops: [HopSummary], _ answering: Int, into text: inout ByteText
    ) {
        let last = hops[hops.count - 1]
        if last.isTarget {
            appendCount(Int(last.ttl), before: "target reached at hop ", "", into: &text)
        } else if last.isUnreachable {
            appendCount(Int(last.ttl), before: "stopped at hop ", ": unreachable ", into: &text)
            // Port unreachable, of somebody else than the target, has no mark.
            if last.marks.isEmpty { text.append(text: "(port)") } else { text += last.marks }
        } else if result.traceOutcome?.end == .cancelled {
            text.append(text: "target not reached: stopped early")
        } else if answering == 0 {
            text.append(text: "target not reached: no hop answers")
        } else if last.ttl < result.options.maxHops {
            appendCount(
                Int(hops[answering - 1].ttl), before: "target not reached: nothing answers beyond hop ", "", into: &text
            )
        } else {
            appendCount(Int(last.ttl), before: "target not reached within ", " hops", into: &text)
        }
    }

    /// One hop: an address stands before the times that follow from it, `*` for no answer in time.
    private static func appendHop(_ hop: HopSummary, _ records: ProbeRecords, into text: inout ByteText) {
        appendHopNumber(hop.ttl, into: &text)
        text.append(text: hop.probes == 0 ? "  not sent" : " ")
        var shown: IPAddress?
        for index in 0..<records.count where records.ttl(index) == hop.ttl {
            let record = records[index]
            if record.sent == 0 { continue }
            guard !record.late, let answer = record.answer, let time = record.roundTrip else {
                text.append(text: " *")
                continue
            }
            if answer.from != shown {
                shown = answer.from
                text.append(0x20)
                answer.from.append(to: &text)
                appendLabels(answer.labels, into: &text)
            }
            appendMilliseconds(time, before: "  ", " ms", into: &text)
            let end = text.count
            text.append(0x20)
            answer.appendMark(to: &text)
            if text.count == end + 1 { text.removeLast() }
        }
        text.append(0x0A)
    }

    private static func appendHopNumber(_ ttl: UInt8, into text: inout ByteText) {
        if ttl < 10 { text.append(0x20) }
        text.append(decimal: Int64(ttl))
    }

    /// An MPLS label stack as routers report it: label, experimental bits (now traffic class), bottom of
    /// stack, TTL.
    private static func appendLabels(_ labels: [MPLSLabel], into text: inout ByteText) {
        for index in 0..<labels.count {
            let entry = labels[index]
            appendCount(Int(entry.label), before: index == 0 ? " [MPLS: L=" : ", L=", "", into: &text)
            appendCount(Int(entry.trafficClass), before: " E=", "", into: &text)
            text.append(text: entry.bottomOfStack ? " S=1" : " S=0")
            appendCount(Int(entry.ttl), before: " TTL=", "", into: &text)
        }
        if !labels.isEmpty { text.append(0x5D) }
    }

    /// The probes of a train; times from the first intended launch.
    static func appendProbes(_ result: MeasurementResult, into text: inout ByteText) {
        guard let first = result.records.first, let address = result.address else { return }
        text.append(text: "  seq  intended ms     slip us      rtt ms\n")
        for index in 0..<result.records.count {
            let record = result.records[index]
            var field = ByteText()
            field.append(decimal: Int64(record.sequence))
            appendRight(field, width: 5, into: &text)
            field.removeAll(keepingCapacity: true)
            field.append(milliseconds: record.intended &- first.intended)
            appendRight(field, width: 13, into: &text)
            field.removeAll(keepingCapacity: true)
            if let slip = record.slip { appendMicroseconds(slip, into: &field) } else { field.append(0x2D) }
            appendRight(field, width: 12, into: &text)
            field.removeAll(keepingCapacity: true)
            if let time = record.roundTrip { field.append(milliseconds: time) } else { field.append(0x2D) }
            appendRight(field, width: 12, into: &text)
            if let failure = record.failure {
                text.append(text: "  ")
                text.append(text: failure.identifier)
            }
            if record.late { text.append(text: "  late") }
            if record.reordered { text.append(text: "  reordered") }
            if let answer = record.answer, !answer.isReply(of: address) {
                text.append(text: "  ")
                text.append(text: answer.kind.name)
                text.append(text: " from ")
                answer.from.append(to: &text)
            }
            text.append(0x0A)
        }
    }

    /// How far apart the probes of a train were when they left, and their replies when they came.
    static func appendSpacing(_ statistics: MeasurementStatistics, into text: inout ByteText) {
        guard statistics.sent > 1 else { return }
        appendMilliseconds(clamped(statistics.sendDispersion), before: "dispersion sent/received = ", "/", into: &text)
        appendMilliseconds(clamped(statistics.receiveDispersion), " ms\n", into: &text)
        appendGaps(statistics.sendGap, "send gap", into: &text)
        appendGaps(statistics.receiveGap, "receive gap", into: &text)
        // Bits are to megabits as nanoseconds to milliseconds.
        appendMilliseconds(clamped(statistics.sendRate), before: "rate sent/received = ", "/", into: &text)
        appendMilliseconds(clamped(statistics.receiveRate), " Mbit/s\n", into: &text)
    }

    private static func appendGaps(_ gaps: Distribution, _ name: StaticString, into text: inout ByteText) {
        guard gaps.count > 0 else { return }
        text.append(text: name)
        text.append(text: " min/mean/median/max = ")
        appendMicroseconds(gaps.minimum, into: &text)
        text.append(0x2F)
        appendMicroseconds(gaps.mean, into: &text)
        text.append(0x2F)
        appendMicroseconds(gaps.median, into: &text)
        text.append(0x2F)
        appendMicroseconds(gaps.maximum, into: &text)
        text.append(text: " us\n")
    }

    private static func appendRight(_ field: ByteText, width: Int, into text: inout ByteText) {
        for _ in 0..<max(width - field.count, 1) { text.append(0x20) }
        text += field
    }
}
