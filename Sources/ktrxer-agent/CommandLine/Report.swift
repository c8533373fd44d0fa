// SPDX-License-Identifier: MIT
// What a person at a terminal reads of a measurement: the line that opens it, the lines that all kinds
// close with. Answers of a ping are in ReportPing.swift, tables of hops and probes in ReportTables.swift.
import KTRxerLite

/// Appends lines, each with its newline. Times in ms have three decimals, as those of ping and traceroute.
enum Report {
    /// The line before a measurement whose target has resolved to `address`.
    static func started(
        _ kind: MeasurementKind, target: ByteText, address: IPAddress, transport: TransportKind,
        options: MeasurementOptions, into text: inout ByteText
    ) {
        switch kind {
        case .ping: text.append(text: "PING ")
        case .trace: text.append(text: "TRACE ")
        case .train: text.append(text: "TRAIN ")
        }
        text += target
        text.append(text: " (")
        address.append(to: &text)
        text.append(text: ") via ")
        text.append(text: transport.name)
        text.append(text: " transport: ")
        switch options.proto {
        case .icmp: if kind != .ping { text.append(text: "ICMP, ") }
        case .udp: appendCount(Int(options.port), before: "UDP port ", ", ", into: &text)
        case .tcpSyn: appendCount(Int(options.port), before: "TCP port ", ", ", into: &text)
        }
        switch kind {
        case .ping: break
        case .trace:
            appendCount(Int(options.maxHops), " hops max, ", into: &text)
            appendCount(options.probesPerHop, " probes a hop, ", into: &text)
        case .train:
            appendCount(options.count, " probes ", into: &text)
            if options.gap == 0 {
                text.append(text: "back to back, ")
            } else {
                text.append(duration: options.gap)
                text.append(text: " apart, ")
            }
        }
        appendCount(options.size, " data bytes\n", into: &text)
    }

    /// What there is to say when a measurement has ended. One that could not be done is one line.
    static func finished(_ result: MeasurementResult, into text: inout ByteText) {
        let statistics = result.statistics
        if let address = result.address, statistics.sent > 0 || result.error == nil {
            switch result.kind {
            case .ping: appendSummary(result, statistics, into: &text)
            case .trace:
                appendHops(result, destination: address, into: &text)
                appendFailures(result, statistics, into: &text)
                appendSlip(result, statistics, into: &text)
            case .train:
                appendProbes(result, into: &text)
                appendSummary(result, statistics, into: &text)
                appendSpacing(statistics, into: &text)
            }
        }
        if let error = result.error {
            text.append(text: "ktrxer-agent: ")
            text += result.target
            text.append(text: ": ")
            error.append(to: &text)
            text.append(0x0A)
        }
    }

    /// Counts, loss, round-trip times and slip.
    private static func appendSummary(
        _ result: MeasurementResult, _ statistics: MeasurementStatistics, into text: inout ByteText
    ) {
        text.append(text: "--- ")
        text += result.target
        text.append(0x20)
        text.append(text: result.kind.name)
        text.append(text: " statistics ---\n")
        appendCount(statistics.sent, " packets transmitted, ", into: &text)
        appendCount(statistics.received, " received, ", into: &text)
        appendUnlessZero(statistics.duplicates, " duplicates, ", into: &text)
        appendUnlessZero(statistics.errorAnswers, " errors, ", into: &text)
        appendUnlessZero(statistics.late, " late, ", into: &text)
        appendUnlessZero(statistics.reordered, " reordered, ", into: &text)
        let permille = (statistics.lossPartsPerMillion + 500) / 1000
        appendCount(permille / 10, ".", into: &text)
        appendCount(permille % 10, "% packet loss\n", into: &text)
        appendFailures(result, statistics, into: &text)
        if statistics.received > 0 {
            let times = statistics.roundTrip
            text.append(text: "rtt min/mean/median/p90/p99/max/stddev = ")
            appendMilliseconds(times.minimum, "/", into: &text)
            appendMilliseconds(times.mean, "/", into: &text)
            appendMilliseconds(times.median, "/", into: &text)
            appendMilliseconds(times.p90, "/", into: &text)
            appendMilliseconds(times.p99, "/", into: &text)
            appendMilliseconds(times.maximum, "/", into: &text)
            appendMilliseconds(clamped(times.standardDeviation), " ms, jitter ", into: &text)
            appendMilliseconds(clamped(statistics.jitter), " ms\n", into: &text)
        }
        appendSlip(result, statistics, into: &text)
    }

    /// How many probes could not be sent, and why the first of them.
    private static func appendFailures(
        _ result: MeasurementResult, _ statistics: MeasurementStatistics, into text: inout ByteText
    ) {
        guard statistics.failed > 0 else { return }
        for record in result.records {
            guard let failure = record.failure, !failure.isCancelled else { continue }
            appendCount(statistics.failed, " not sent: ", into: &text)
            failure.append(to: &text)
            text.append(0x0A)
            return
        }
    }

    /// How punctual the probes were, and how far from the wire the times were taken: the worst of all.
    private static func appendSlip(
        _ result: MeasurementResult, _ statistics: MeasurementStatistics, into text: inout ByteText
    ) {
        guard statistics.sent > 0, let transport = result.transport else { return }
        let (sent, received) = result.timestamps
        text.append(text: "slip median/max = ")
        appendMicroseconds(statistics.slip.median, into: &text)
        text.append(0x2F)
        appendMicroseconds(statistics.slip.maximum, into: &text)
        text.append(text: " us; ")
        text.append(text: transport.name)
        text.append(text: " transport, send times from ")
        text.append(text: (sent ?? .user).name)
        if let received {
            text.append(text: ", receive times from ")
            text.append(text: received.name)
        }
        text.append(0x0A)
    }
}

// Numbers with what stands around them.
extension Report {
    static func appendCount(
        _ count: Int, before: StaticString = "", _ after: StaticString, into text: inout ByteText
    ) {
        text.append(text: before)
        text.append(decimal: Int64(count))
        text.append(text: after)
    }

    static func appendMilliseconds(
        _ nanoseconds: Int64, before: StaticString = "", _ after: StaticString, into text: inout ByteText
    ) {
        text.append(text: before)
        text.append(milliseconds: nanoseconds)
        text.append(text: after)
    }

    /// With one decimal, rounded to nearest.
    static func appendMicroseconds(_ nanoseconds: Int64, into text: inout ByteText) {
        let tenths = (nanoseconds.magnitude + 50) / 100
        if nanoseconds < 0 && tenths != 0 { text.append(0x2D) }
        text.append(decimal: tenths / 10)
        text.append(0x2E)
        text.append(decimal: tenths % 10)
    }

    static func clamped(_ value: UInt64) -> Int64 { Int64(bitPattern: min(value, UInt64(Int64.max))) }

    private static func appendUnlessZero(_ count: Int, _ after: StaticString, into text: inout ByteText) {
        if count != 0 { appendCount(count, before: "+", after, into: &text) }
    }
}
