// SPDX-License-Identifier: MIT
// A measurement's record: one JSON object on one line. docs/results.md says what each key means, and a test
// holds the two together. Where the line goes is ResultLog's concern.
import KTRxerLite

enum RecordEncoder {
    /// Changes when a key changes its meaning or goes; not when one is added.
    static let schema: Int64 = 1

    /// The record with its newline. What is not known, or does not apply, has no key.
    static func encode(result: MeasurementResult, version: StaticString) -> ByteText {
        var json = JSONText()
        json.reserve(1024 + result.records.count * 320)
        json.beginObject()
        json.add("schema", schema)
        json.add("kind", literal: result.kind.name)
        json.add("agent", literal: version)
        if !result.job.isEmpty { json.add("job", text: result.job) }
        json.add("target", text: result.target)
        addPath(of: result, to: &json)
        addOptions(result.options, to: &json)
        addTimes(of: result, to: &json)
        json.add("foreign_answers", unsigned: result.foreignAnswers)
        json.add("lost_captures", unsigned: result.lostCaptures)
        json.add("skipped_runs", unsigned: result.skippedRuns)
        json.add("reached", result.anyReply)
        if let outcome = result.traceOutcome {
            json.add("end", literal: outcome.end.name)
            json.add("unneeded_probes", Int64(outcome.unneeded))
            json.add("spared_probes", Int64(outcome.spared))
        }
        addStatistics(result.statistics, kind: result.kind, to: &json)
        if result.kind == .trace, let address = result.address {
            json.beginArray("hops")
            for hop in HopSummary.path(records: result.records, destination: address) { addHop(hop, to: &json) }
            json.endArray()
        }
        json.beginArray("probes")
        for index in 0..<result.records.count {
            addProbe(result.records[index], started: result.startedMonotonic, to: &json)
        }
        json.endArray()
        if let error = result.error { addError(error, to: &json) }
        json.endObject()
        json.endLine()
        return json.bytes
    }

    // MARK: - Of the measurement

    private static func addPath(of result: MeasurementResult, to json: inout JSONText) {
        if let address = result.address { json.add("address", address: address) }
        if let source = result.sourceAddress { json.add("source", address: source) }
        if !result.interface.isEmpty { json.add("interface", text: result.interface) }
        if let transport = result.transport { json.add("transport", literal: transport.name) }
        json.add("protocol", literal: result.options.proto.name)
        if result.options.proto == .icmp {
            if result.transport != nil { json.add("icmp_id", Int64(result.sourcePort)) }
        } else {
            if result.transport != nil { json.add("source_port", Int64(result.sourcePort)) }
            json.add("port", Int64(result.options.port))
        }
        if result.mtu > 0 { json.add("mtu", Int64(result.mtu)) }
        let bytes = result.packetBytes
        if bytes > 0 { json.add("packet_bytes", Int64(bytes)) }
    }

    private static func addOptions(_ options: MeasurementOptions, to json: inout JSONText) {
        json.beginObject("options")
        switch options.family {
        case .any: json.add("family", literal: "any")
        case .ipv4: json.add("family", literal: "4")
        case .ipv6: json.add("family", literal: "6")
        }
        switch options.transport {
        case .auto: json.add("transport", literal: "auto")
        case .kernel: json.add("transport", literal: "kernel")
        case .packet: json.add("transport", literal: "packet")
        case .socket: json.add("transport", literal: "socket")
        }
        if let source = options.source { json.add("source", address: source) }
        if !options.interface.isEmpty { json.add("interface", text: options.interface) }
        json.add("size", Int64(options.size))
        json.add("tos", Int64(options.trafficClass))
        json.add("df", options.dontFragment)
        json.add("timeout_ns", options.timeout)
        if options.kind == .trace {
            json.add("first_hop", Int64(options.firstHop))
            json.add("max_hops", Int64(options.maxHops))
            json.add("probes", Int64(options.probesPerHop))
            json.add("rate", Int64(options.rate))
        } else {
            json.add("ttl", Int64(options.ttl))
            json.add("count", Int64(options.count))
            json.add("gap_ns", options.gap)
        }
        json.endObject()
    }

    private static func addTimes(of result: MeasurementResult, to json: inout JSONText) {
        let duration = difference(result.finishedMonotonic, result.startedMonotonic)
        let finished = result.startedRealtime.addingReportingOverflow(duration)
        if result.scheduledRealtime != 0 {
            json.add("scheduled", time: result.scheduledRealtime)
            json.add("scheduled_ns", result.scheduledRealtime)
        }
        json.add("started", time: result.startedRealtime)
        json.add("started_ns", result.startedRealtime)
        if !finished.overflow {
            json.add("finished", time: finished.partialValue)
            json.add("finished_ns", finished.partialValue)
        }
        json.add("duration_ns", duration)
        json.beginObject("clock")
        json.add("synchronised", result.clockSynchronised)
        json.add("stepped", result.clockStepped)
        json.endObject()
        let (sent, received) = result.timestamps
        json.beginObject("timestamps")
        if let sent { json.add("sent", literal: sent.name) }
        if let received { json.add("received", literal: received.name) }
        json.endObject()
    }

    private static func addStatistics(
        _ statistics: MeasurementStatistics, kind: MeasurementKind, to json: inout JSONText
    ) {
        json.beginObject("statistics")
        json.add("sent", Int64(statistics.sent))
        json.add("received", Int64(statistics.received))
        json.add("lost", Int64(statistics.lost))
        json.add("loss_ppm", Int64(statistics.lossPartsPerMillion))
        json.add("failed", Int64(statistics.failed))
        json.add("duplicates", Int64(statistics.duplicates))
        json.add("reordered", Int64(statistics.reordered))
        json.add("late", Int64(statistics.late))
        json.add("error_answers", Int64(statistics.errorAnswers))
        addDistribution("rtt_ns", statistics.roundTrip, to: &json)
        if statistics.roundTrip.count > 1 { json.add("jitter_ns", unsigned: statistics.jitter) }
        addDistribution("slip_ns", statistics.slip, to: &json)
        if kind == .train {
            addDistribution("send_gap_ns", statistics.sendGap, to: &json)
            addDistribution("receive_gap_ns", statistics.receiveGap, to: &json)
            json.add("send_dispersion_ns", unsigned: statistics.sendDispersion)
            json.add("receive_dispersion_ns", unsigned: statistics.receiveDispersion)
            json.add("send_rate_bps", unsigned: statistics.sendRate)
            json.add("receive_rate_bps", unsigned: statistics.receiveRate)
        }
        json.endObject()
    }

    private static func addDistribution(_ key: StaticString, _ values: Distribution, to json: inout JSONText) {
        guard values.count > 0 else { return }
        json.beginObject(key)
        json.add("count", Int64(values.count))
        json.add("min", values.minimum)
        json.add("mean", values.mean)
        json.add("median", values.median)
        json.add("p90", values.p90)
        json.add("p99", values.p99)
        json.add("max", values.maximum)
        json.add("stddev", unsigned: values.standardDeviation)
        json.endObject()
    }

    private static func addHop(_ hop: HopSummary, to json: inout JSONText) {
        json.beginObject()
        json.add("ttl", Int64(hop.ttl))
        json.add("probes", Int64(hop.probes))
        json.add("answers", Int64(hop.answers))
        json.beginArray("addresses")
        for address in hop.addresses { json.element(address: address) }
        json.endArray()
        addDistribution("rtt_ns", hop.roundTrip, to: &json)
        addLabels(hop.labels, to: &json)
        if !hop.marks.isEmpty { json.add("marks", text: hop.marks) }
        json.add("target", hop.isTarget)
        json.add("unreachable", hop.isUnreachable)
        json.endObject()
    }

    // MARK: - Of one probe

    private static func addProbe(_ record: ProbeRecord, started: Int64, to json: inout JSONText) {
        json.beginObject()
        json.add("seq", Int64(record.sequence))
        json.add("ttl", Int64(record.ttl))
        json.add("intended_ns", difference(record.intended, started))
        json.add("attempts", Int64(record.attempts))
        if let slip = record.slip {
            json.add("sent_ns", difference(record.sent, started))
            json.add("slip_ns", slip)
            json.add("sent_source", literal: record.sentSource.name)
        }
        if let answer = record.answer {
            json.add("received_ns", difference(answer.receivedAt, started))
            if let roundTrip = record.roundTrip { json.add("rtt_ns", roundTrip) }
            json.add("received_source", literal: answer.source.name)
            addAnswer(answer, to: &json)
        }
        if record.duplicates > 0 { json.add("duplicates", Int64(record.duplicates)) }
        if record.otherAnswers > 0 { json.add("other_answers", Int64(record.otherAnswers)) }
        if record.reordered { json.add("reordered", true) }
        if record.late { json.add("late", true) }
        if let failure = record.failure { addError(failure, to: &json) }
        json.endObject()
    }

    private static func addAnswer(_ answer: Answer, to json: inout JSONText) {
        json.beginObject("answer")
        json.add("from", address: answer.from)
        json.add("kind", literal: answer.kind.name)
        switch answer.kind {
        case .udpReply, .tcpOpen, .tcpReset: break
        default:
            json.add("icmp_type", Int64(answer.icmpType))
            json.add("icmp_code", Int64(answer.icmpCode))
        }
        if answer.ttl > 0 { json.add("ttl", Int64(answer.ttl)) }
        if answer.quotedTTL > 0 { json.add("quoted_ttl", Int64(answer.quotedTTL)) }
        if answer.mtu > 0 { json.add("mtu", Int64(answer.mtu)) }
        addLabels(answer.labels, to: &json)
        json.endObject()
    }

    private static func addLabels(_ labels: [MPLSLabel], to json: inout JSONText) {
        guard !labels.isEmpty else { return }
        json.beginArray("mpls")
        for label in labels {
            json.beginObject()
            json.add("label", Int64(label.label))
            json.add("tc", Int64(label.trafficClass))
            json.add("s", label.bottomOfStack)
            json.add("ttl", Int64(label.ttl))
            json.endObject()
        }
        json.endArray()
    }

    private static func addError(_ error: ProbeError, to json: inout JSONText) {
        var message = ByteText()
        error.append(to: &message)
        json.beginObject("error")
        json.add("id", literal: error.identifier)
        json.add("message", text: message)
        json.endObject()
    }

    /// `later - earlier`, at the limits of Int64 when it does not fit.
    private static func difference(_ later: Int64, _ earlier: Int64) -> Int64 {
        let (value, overflow) = later.subtractingReportingOverflow(earlier)
        return overflow ? (later < 0 ? Int64.min : Int64.max) : value
    }
}
