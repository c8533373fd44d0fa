// SPDX-License-Identifier: MIT
// Records: each is one line of valid JSON whatever is in it, with each field in its place.
import Foundation
import KTRxerLite
import Testing

@testable import ktrxer_agent

private let started: Int64 = 5_000_000_000
private let realtime: Int64 = 1_769_862_896_123_456_789

private func address(_ text: String) -> IPAddress { IPAddress(text: ByteText(text.utf8)) ?? IPAddress(v4: 0) }

/// A result with nothing unusual in it.
private func sampleResult(_ kind: MeasurementKind, target: ByteText = ByteText("host.example".utf8))
    -> MeasurementResult
{
    MeasurementResult(
        job: ByteText("gateway".utf8), kind: kind, target: target, address: address("192.0.2.80"),
        sourceAddress: address("192.0.2.1"), sourcePort: 40_000, transport: .packet,
        interface: ByteText("eth0".utf8), startedRealtime: realtime, startedMonotonic: started,
        finishedMonotonic: started + 3_000_000_000, clockSynchronised: true, clockStepped: false,
        options: MeasurementOptions(kind: kind), records: [], mtu: 1500, foreignAnswers: 2, lostCaptures: 3,
        error: nil)
}

private func sampleRecord(
    _ sequence: UInt32, ttl: UInt8 = 64, rtt: Int64? = 7_000_000, kind: AnswerKind = .echoReply,
    from: String = "192.0.2.80"
) -> ProbeRecord {
    var record = ProbeRecord(sequence: sequence, ttl: ttl, intended: started + Int64(sequence) * 1_000_000)
    record.sent = record.intended + 1_500
    record.sentSource = .kernel
    record.attempts = 1
    if let rtt {
        record.answer = Answer(
            sequence: sequence, kind: kind, from: address(from), receivedAt: record.sent + rtt, source: .hardware)
    }
    return record
}

private func decoded(_ result: MeasurementResult) throws -> [String: Any] {
    let line = RecordEncoder.encode(result: result, version: "1.2.3")
    #expect(line.last == 0x0A && line.dropLast().allSatisfy { $0 >= 0x20 })
    return try object(string(line))
}

/// Results with every key that there is, for all kinds.
private func everything() -> [MeasurementResult] {
    var ping = sampleResult(.ping)
    ping.scheduledRealtime = realtime - 1
    ping.skippedRuns = 4
    var odd = sampleRecord(3, kind: .unreachable, from: "192.0.2.7")
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
    ping.records = [sampleRecord(0), sampleRecord(1, rtt: 9_000_000), sampleRecord(2, rtt: nil), odd, failed]
    ping.options.source = address("192.0.2.1")
    ping.options.interface = ByteText("eth0".utf8)
    ping.error = .cancelled

    var trace = sampleResult(.trace)
    trace.records = [
        sampleRecord(0, ttl: 1, kind: .timeExceeded, from: "10.0.0.1"),
        sampleRecord(1, ttl: 2, kind: .unreachable, from: "10.0.0.2"), sampleRecord(2, ttl: 2, rtt: nil),
    ]
    trace.records[0].answer?.icmpType = 11
    trace.records[0].answer?.labels = [MPLSLabel(label: 16, trafficClass: 0, bottomOfStack: false, ttl: 1)]
    trace.traceOutcome = TraceOutcome(end: .unreachable, unneeded: 4, spared: 80)
    trace.records[1].answer?.icmpType = 3
    trace.records[1].answer?.icmpCode = 1

    var train = sampleResult(.train)
    train.records = ProbeRecords((0..<20).map { sampleRecord($0, rtt: 7_000_000 + Int64($0) * 1000, kind: .udpReply) })
    return [ping, trace, train]
}

@Suite struct RecordEncoderTests {
    @Test func ping() throws {
        let record = try decoded(everything()[0])
        #expect(record["schema"] as? Int == 1)
        #expect(record["kind"] as? String == "ping")
        #expect(record["agent"] as? String == "1.2.3")
        #expect(record["job"] as? String == "gateway")
        #expect(record["target"] as? String == "host.example")
        #expect(record["address"] as? String == "192.0.2.80")
        #expect(record["source"] as? String == "192.0.2.1")
        #expect(record["interface"] as? String == "eth0")
        #expect(record["transport"] as? String == "packet")
        #expect(record["protocol"] as? String == "icmp")
        #expect(record["icmp_id"] as? Int == 40_000)
        #expect(record["port"] == nil && record["source_port"] == nil && record["hops"] == nil)
        #expect(record["end"] == nil && record["unneeded_probes"] == nil && record["spared_probes"] == nil)
        #expect(record["mtu"] as? Int == 1500)
        #expect(record["packet_bytes"] as? Int == 84)
        #expect(record["scheduled_ns"] as? Int64 == realtime - 1)
        #expect(record["scheduled"] as? String == "2026-01-31T12:34:56.123456788Z")
        #expect(record["started_ns"] as? Int64 == realtime)
        #expect(record["started"] as? String == "2026-01-31T12:34:56.123456789Z")
        #expect(record["finished_ns"] as? Int64 == realtime + 3_000_000_000)
        #expect(record["finished"] as? String == "2026-01-31T12:34:59.123456789Z")
        #expect(record["duration_ns"] as? Int == 3_000_000_000)
        #expect(record["clock"] as? [String: Bool] == ["synchronised": true, "stepped": false])
        #expect(record["timestamps"] as? [String: String] == ["sent": "kernel", "received": "hardware"])
        #expect(record["foreign_answers"] as? Int == 2)
        #expect(record["lost_captures"] as? Int == 3)
        #expect(record["skipped_runs"] as? Int == 4)
        #expect(record["reached"] as? Bool == true)
        let error = try #require(record["error"] as? [String: String])
        #expect(error == ["id": "cancelled", "message": "stopped early"])

        let options = try #require(record["options"] as? [String: Any])
        let numbers = [
            "size": 56, "tos": 0, "timeout_ns": 2_000_000_000, "ttl": 64, "count": 10, "gap_ns": 1_000_000_000,
        ]
        let texts = ["family": "any", "transport": "auto", "source": "192.0.2.1", "interface": "eth0"]
        for (key, value) in numbers { #expect(options[key] as? Int == value, "\(key)") }
        for (key, value) in texts { #expect(options[key] as? String == value, "\(key)") }
        #expect(options["df"] as? Bool == false)
        #expect(options.count == numbers.count + texts.count + 1)

        let statistics = try #require(record["statistics"] as? [String: Any])
        for (key, value) in [
            "sent": 4, "received": 2, "lost": 2, "loss_ppm": 500_000, "failed": 1, "duplicates": 2, "reordered": 1,
            "late": 1, "error_answers": 0, "jitter_ns": 2_000_000,
        ] { #expect(statistics[key] as? Int == value, "\(key)") }
        #expect(
            statistics["rtt_ns"] as? [String: Int] == [
                "count": 2, "min": 7_000_000, "mean": 8_000_000, "median": 7_000_000, "p90": 9_000_000,
                "p99": 9_000_000, "max": 9_000_000, "stddev": 1_000_000,
            ])
        #expect((statistics["slip_ns"] as? [String: Int])?["max"] == 1500)
        #expect(statistics["send_gap_ns"] == nil)
    }

    @Test func probes() throws {
        let record = try decoded(everything()[0])
        let probes = try #require(record["probes"] as? [[String: Any]])
        #expect(probes.count == 5)
        #expect(probes.map { $0["seq"] as? Int } == [0, 1, 2, 3, 4])
        let first = probes[1]
        #expect(first["ttl"] as? Int == 64)
        #expect(first["intended_ns"] as? Int == 1_000_000)
        #expect(first["sent_ns"] as? Int == 1_001_500)
        #expect(first["slip_ns"] as? Int == 1500)
        #expect(first["sent_source"] as? String == "kernel")
        #expect(first["attempts"] as? Int == 1)
        #expect(first["received_ns"] as? Int == 10_001_500)
        #expect(first["rtt_ns"] as? Int == 9_000_000)
        #expect(first["received_source"] as? String == "hardware")
        #expect((first["answer"] as? [String: Any])?["kind"] as? String == "echo_reply")
        for key in ["duplicates", "other_answers", "reordered", "late", "error"] { #expect(first[key] == nil) }
        #expect(probes[2]["sent_ns"] as? Int == 2_001_500)
        #expect(probes[2]["answer"] == nil && probes[2]["received_ns"] == nil && probes[2]["rtt_ns"] == nil)
        let odd = probes[3]
        #expect(odd["duplicates"] as? Int == 2 && odd["other_answers"] as? Int == 1)
        #expect(odd["reordered"] as? Bool == true && odd["late"] as? Bool == true)
        let answer = try #require(odd["answer"] as? [String: Any])
        #expect(answer["from"] as? String == "192.0.2.7" && answer["kind"] as? String == "unreachable")
        for (key, value) in ["icmp_type": 3, "icmp_code": 4, "ttl": 61, "quoted_ttl": 1, "mtu": 1400] {
            #expect(answer[key] as? Int == value, "\(key)")
        }
        let label = try #require((answer["mpls"] as? [[String: Any]])?.first)
        #expect(label["label"] as? Int == 1_048_575 && label["tc"] as? Int == 7)
        #expect(label["s"] as? Bool == true && label["ttl"] as? Int == 255)
        #expect(probes[4]["sent_ns"] == nil && probes[4]["attempts"] as? Int == 0)
        #expect((probes[4]["error"] as? [String: String])?["id"] == "too_large")
    }

    @Test func trace() throws {
        let record = try decoded(everything()[1])
        #expect(record["kind"] as? String == "trace" && record["protocol"] as? String == "udp")
        #expect(record["source_port"] as? Int == 40_000 && record["port"] as? Int == 33434)
        #expect(record["icmp_id"] == nil && record["reached"] as? Bool == false)
        #expect(record["scheduled"] == nil && record["error"] == nil)
        let options = try #require(record["options"] as? [String: Any])
        for (key, value) in ["first_hop": 1, "max_hops": 30, "probes": 3, "rate": 100, "size": 32] {
            #expect(options[key] as? Int == value, "\(key)")
        }
        #expect(options["count"] == nil && options["gap_ns"] == nil)
        let hops = try #require(record["hops"] as? [[String: Any]])
        #expect(hops.map { $0["ttl"] as? Int } == [1, 2])
        #expect(hops.map { $0["addresses"] as? [String] } == [["10.0.0.1"], ["10.0.0.2"]])
        #expect(hops.map { $0["probes"] as? Int } == [1, 2])
        #expect(hops.map { $0["answers"] as? Int } == [1, 1])
        #expect(record["end"] as? String == "unreachable")
        #expect(record["unneeded_probes"] as? Int == 4 && record["spared_probes"] as? Int == 80)
        #expect(hops.map { $0["unreachable"] as? Bool } == [false, true])
        #expect(hops.map { $0["target"] as? Bool } == [false, false])
        #expect(hops[1]["marks"] as? String == "!H" && hops[0]["marks"] == nil)
        #expect((hops[0]["mpls"] as? [[String: Any]])?.first?["label"] as? Int == 16)
        #expect((hops[0]["rtt_ns"] as? [String: Int])?["median"] == 7_000_000)
        #expect((record["probes"] as? [Any])?.count == 3)
    }

    @Test func train() throws {
        let record = try decoded(everything()[2])
        let statistics = try #require(record["statistics"] as? [String: Any])
        #expect((statistics["send_gap_ns"] as? [String: Int])?["median"] == 1_000_000)
        #expect((statistics["receive_gap_ns"] as? [String: Int])?["median"] == 1_001_000)
        #expect(statistics["send_dispersion_ns"] as? Int == 19_000_000)
        #expect(statistics["receive_dispersion_ns"] as? Int == 19_019_000)
        // 128 bytes with the IP header: 19 packets in 19 ms.
        #expect(statistics["send_rate_bps"] as? Int == 1_024_000)
        #expect(statistics["receive_rate_bps"] as? Int == 1_022_977)
        let answer = try #require((record["probes"] as? [[String: Any]])?[0]["answer"] as? [String: Any])
        #expect(answer["icmp_type"] == nil)
    }

    @Test func nothingWasMeasured() throws {
        var result = sampleResult(.ping)
        result.job = []
        result.address = nil
        result.sourceAddress = nil
        result.transport = nil
        result.interface = []
        result.mtu = 0
        result.error = .nameNotFound
        let record = try decoded(result)
        for key in ["job", "address", "source", "transport", "interface", "mtu", "icmp_id", "packet_bytes"] {
            #expect(record[key] == nil, "\(key)")
        }
        #expect((record["error"] as? [String: String])?["id"] == "name_not_found")
        #expect((record["probes"] as? [Any])?.isEmpty == true)
        #expect((record["timestamps"] as? [String: Any])?.isEmpty == true)
        let statistics = try #require(record["statistics"] as? [String: Any])
        #expect(statistics["sent"] as? Int == 0 && statistics["rtt_ns"] == nil)
        #expect(record["reached"] as? Bool == false)
    }

    @Test(
        arguments: [
            ([0x22, 0x5C, 0x2F, 0x08, 0x0A, 0x00, 0x1F, 0x7F], "\"\\/\u{8}\n\u{0}\u{1F}\u{7F}"),
            (Array("grüße €𝄞 \u{7FF}\u{800}\u{FFFF}\u{10FFFF}".utf8), "grüße €𝄞 \u{7FF}\u{800}\u{FFFF}\u{10FFFF}"),
            ([0x80], "\u{FFFD}"), ([0x61, 0xFF, 0x62], "a\u{FFFD}b"), ([0xC3], "\u{FFFD}"),
            ([0xC0, 0x80], "\u{FFFD}\u{FFFD}"), ([0xE2, 0x82], "\u{FFFD}\u{FFFD}"),
            ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"), ([0xE0, 0x9F, 0xBF], "\u{FFFD}\u{FFFD}\u{FFFD}"),
            ([0xF4, 0x90, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
            ([0xF0, 0x9F, 0x98], "\u{FFFD}\u{FFFD}\u{FFFD}"),
            ([0xE2, 0x41, 0xAC], "\u{FFFD}A\u{FFFD}"),
        ] as [([UInt8], String)]) func text(bytes: [UInt8], wanted: String) throws
    {
        let record = try decoded(sampleResult(.ping, target: bytes))
        let seen = try #require(record["target"] as? String)
        #expect(Array(seen.unicodeScalars) == Array(wanted.unicodeScalars))
    }

    @Test func randomBytes() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<1000 {
            var result = sampleResult(.ping)
            result.target = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255) }
            result.job = (0..<Int.random(in: 1...40, using: &random)).map { _ in UInt8.random(in: 0x70...0xFF) }
            result.interface = (0..<Int.random(in: 1...16, using: &random)).map { _ in UInt8.random(in: 0...255) }
            let record = try decoded(result)
            if let text = String(validating: result.target, as: UTF8.self) {
                #expect(record["target"] as? String == text)
            } else {
                #expect((record["target"] as? String)?.unicodeScalars.contains("\u{FFFD}") == true)
            }
        }
    }

    @Test(arguments: [Int64.min, Int64.min + 1, -1, 0, 1, Int64.max - 1, Int64.max])
    func numbersAtTheirLimits(limit: Int64) throws {
        for other in [Int64.min, -1, 0, Int64.max] {
            var result = sampleResult(.train)
            result.startedRealtime = limit
            result.startedMonotonic = other
            result.finishedMonotonic = limit
            result.scheduledRealtime = limit
            result.options.gap = limit
            result.options.timeout = limit
            result.foreignAnswers = UInt64.max
            result.lostCaptures = UInt64.max
            result.skippedRuns = UInt64.max
            var record = ProbeRecord(sequence: UInt32.max, ttl: 255, intended: other)
            record.sent = limit
            record.answer = Answer(
                sequence: 0, kind: .echoReply, from: address("::ffff:192.0.2.1"), receivedAt: other, source: .user)
            record.answer?.mtu = UInt32.max
            record.duplicates = UInt16.max
            result.records = [record, record]
            let seen = try decoded(result)
            #expect(seen["started_ns"] as? Int64 == limit)
            #expect(seen["foreign_answers"] as? UInt64 == UInt64.max)
            #expect((seen["options"] as? [String: Any])?["gap_ns"] as? Int64 == limit)
        }
    }

    @Test func timestamps() {
        let formatter = ISO8601DateFormatter()
        func text(_ time: Int64) -> String {
            var bytes = ByteText()
            bytes.append(timestamp: time)
            return string(bytes)
        }
        #expect(text(0) == "1970-01-01T00:00:00.000000000Z")
        #expect(text(-1) == "1969-12-31T23:59:59.999999999Z")
        #expect(text(951_782_400_000_000_000) == "2000-02-29T00:00:00.000000000Z")
        #expect(text(4_107_542_400_000_000_001) == "2100-03-01T00:00:00.000000001Z")
        #expect(text(Int64.max) == "2262-04-11T23:47:16.854775807Z")
        #expect(text(Int64.min) == "1677-09-21T00:12:43.145224192Z")
        for _ in 0..<2000 {
            let seconds = Int64.random(in: -9_000_000_000...9_000_000_000)
            let whole = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
            #expect(text(seconds * 1_000_000_000 + 7) == whole.dropLast() + ".000000007Z")
        }
    }

    /// docs/results.md names every key that a line can have, and none that no line has.
    @Test func everyKeyIsDocumented() throws {
        var keys: Set<String> = []
        func collect(_ value: Any) {
            if let object = value as? [String: Any] {
                keys.formUnion(object.keys)
                object.values.forEach(collect)
            } else if let array = value as? [Any] {
                array.forEach(collect)
            }
        }
        for result in everything() { collect(try decoded(result)) }
        // The lines that the log itself writes; ResultLogTests sees the true ones.
        keys.formUnion(["count", "first", "first_ns", "last", "last_ns", "at", "at_ns"])
        let page = try repositoryFile("docs/results.md")
        var documented: Set<String> = []
        for line in page.split(separator: "\n") where line.hasPrefix("| `") {
            let cell = line.dropFirst(2).prefix { $0 != "|" }
            for (index, part) in cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            where index % 2 == 1 {
                documented.insert(String(part))
            }
        }
        #expect(keys.subtracting(documented).sorted() == [])
        #expect(documented.subtracting(keys).sorted() == [])
        // Its examples are lines as they are.
        for line in page.split(separator: "\n") where line.hasPrefix("{") {
            collect(try object(String(line)))
        }
        #expect(keys.subtracting(documented).sorted() == [])
    }
}
