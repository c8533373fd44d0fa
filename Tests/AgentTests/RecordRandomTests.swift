// SPDX-License-Identifier: MIT
// Results of random and extreme content through the record and the report: whatever a measurement ends
// with, there is one line of valid JSON, text for people, and no trap; and the record says what the result has.
import Foundation
import KTRxerLite
import Testing

@testable import ktrxer_agent

@Suite struct RecordRandomTests {
    /// Repeatable: a failure names its seed.
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
            return mixed ^ mixed >> 31
        }

        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

        /// Mostly plausible, at times at the limits.
        mutating func time() -> Int64 {
            switch Int.random(in: 0..<12, using: &self) {
            case 0: [Int64.min, Int64.max, 0, -1, 1].randomElement(using: &self) ?? 0
            case 1: Int64(bitPattern: next())
            default: Int64.random(in: 1_000_000_000..<9_000_000_000, using: &self)
            }
        }

        mutating func bytes(_ most: Int) -> ByteText {
            (0..<Int.random(in: 0...most, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) }
        }

        mutating func address() -> IPAddress {
            switch Int.random(in: 0..<4, using: &self) {
            case 0: IPAddress(v6High: next(), low: next())
            case 1: IPAddress(v6High: 0x2001_0DB8 << 32, low: UInt64.random(in: 0...2, using: &self))
            default: IPAddress(v4: 0xC000_0200 + UInt32.random(in: 0...3, using: &self))
            }
        }

        mutating func answer(_ sequence: UInt32) -> Answer {
            let kind = AnswerKind(rawValue: UInt8.random(in: 0...7, using: &self)) ?? .echoReply
            var answer = Answer(
                sequence: sequence, kind: kind, from: address(), receivedAt: time(),
                source: TimestampSource(rawValue: UInt8.random(in: 0...2, using: &self)) ?? .user)
            answer.icmpType = UInt8.random(in: 0...255, using: &self)
            answer.icmpCode = UInt8.random(in: 0...(chance(80) ? 16 : 255), using: &self)
            answer.ttl = UInt8.random(in: 0...255, using: &self)
            answer.mtu = chance(50) ? 0 : UInt32.random(in: 0...UInt32.max, using: &self)
            for _ in 0..<(chance(80) ? 0 : Int.random(in: 0...16, using: &self)) {
                answer.labels.append(
                    MPLSLabel(
                        label: UInt32.random(in: 0..<1 << 20, using: &self), trafficClass: 7,
                        bottomOfStack: chance(50), ttl: 255))
            }
            return answer
        }

        mutating func failure() -> ProbeError {
            let all: [ProbeError] = [
                .system(code: Int32(truncatingIfNeeded: next()), during: .send),
                .noPermission(code: 1, during: .openPingSocket), .noRoute, .queueBusy, .cancelled,
                .tooLarge(size: Int.max, mtu: Int.min), .unsupported(.linkType),
            ]
            return all.randomElement(using: &self) ?? .noRoute
        }

        mutating func record(_ sequence: UInt32) -> ProbeRecord {
            var record = ProbeRecord(
                sequence: sequence, ttl: UInt8.random(in: chance(90) ? 1...12 : 0...255, using: &self),
                intended: time())
            if chance(85) { record.sent = time() } else if chance(80) { record.failure = failure() }
            record.attempts = UInt8.random(in: 0...255, using: &self)
            if chance(75) { record.answer = answer(sequence) }
            record.late = chance(10)
            record.reordered = chance(10)
            record.duplicates = chance(80) ? 0 : UInt16.random(in: 0...UInt16.max, using: &self)
            record.otherAnswers = chance(80) ? 0 : UInt16.random(in: 0...UInt16.max, using: &self)
            return record
        }

        mutating func result() -> MeasurementResult {
            let kind = MeasurementKind(rawValue: UInt8.random(in: 0...2, using: &self)) ?? .ping
            var options = MeasurementOptions(kind: kind)
            options.proto = ProbeProtocol(rawValue: UInt8.random(in: 0...2, using: &self)) ?? .icmp
            options.size = Int.random(in: 0...65_000, using: &self)
            options.timeout = time()
            options.gap = time()
            var result = MeasurementResult(
                job: bytes(20), kind: kind, target: bytes(20), address: chance(90) ? address() : nil,
                sourceAddress: chance(90) ? address() : nil, sourcePort: UInt16.random(in: 0...65_535, using: &self),
                transport: chance(90) ? .packet : nil, interface: bytes(15), startedRealtime: time(),
                startedMonotonic: time(), finishedMonotonic: time(), clockSynchronised: chance(50),
                clockStepped: chance(50), options: options, records: [], mtu: chance(50) ? 1500 : 0,
                foreignAnswers: next(), lostCaptures: next(), error: chance(20) ? failure() : nil)
            result.skippedRuns = next()
            result.scheduledRealtime = time()
            for sequence in 0..<UInt32.random(in: 0...40, using: &self) { result.records.append(record(sequence)) }
            return result
        }
    }

    @Test(arguments: 0..<8) func anyResult(block: UInt64) throws {
        for seed in block * 100..<block * 100 + 100 {
            var random = Random(state: seed)
            let result = random.result()
            let line = RecordEncoder.encode(result: result, version: "1.2.3")
            #expect(line.filter { $0 == 0x0A }.count == 1 && line.last == 0x0A, "seed \(seed)")
            let object = try #require(
                try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any], "seed \(seed)")
            try check(object, against: result, seed: seed)

            var text = ByteText()
            Report.finished(result, into: &text)
            #expect(text.isEmpty || text.last == 0x0A, "seed \(seed)")
            guard let address = result.address else { continue }
            for record in result.records {
                guard let answer = record.answer else { continue }
                Report.answer(answer, of: record, address: address, options: result.options, into: &text)
            }
        }
    }

    /// Whatever Foundation keeps it as: numbers near the limits of Int64 are decimals to it.
    private func integer(_ value: Any?) -> Int64? { (value as? Int64) ?? value.flatMap { Int64("\($0)") } }

    /// With U+FFFD for each byte that is not of a character.
    private func mended(_ bytes: ByteText) -> String {
        var text = String.UnicodeScalarView()
        var parser = Unicode.UTF8.ForwardParser()
        var input = bytes.makeIterator()
        while true {
            switch parser.parseScalar(from: &input) {
            case .valid(let scalar): text.append(Unicode.UTF8.decode(scalar))
            case .error(let length): for _ in 0..<length { text.append("\u{FFFD}") }
            case .emptyInput: return String(text)
            }
        }
    }

    private func check(_ object: [String: Any], against result: MeasurementResult, seed: UInt64) throws {
        let context: Comment = "seed \(seed)"
        #expect(object["target"] as? String == mended(result.target), context)
        let probes = try #require(object["probes"] as? [[String: Any]], context)
        #expect(probes.count == result.records.count, context)
        for (probe, record) in zip(probes, result.records) {
            #expect((probe["answer"] != nil) == (record.answer != nil), context)
            #expect((probe["sent_ns"] != nil) == (record.sent != 0), context)
            #expect((probe["error"] != nil) == (record.failure != nil), context)
            #expect((probe["late"] as? Bool ?? false) == record.late, context)
            #expect(integer(probe["rtt_ns"]) == record.roundTrip, context)
            #expect(integer(probe["slip_ns"]) == record.slip, context)
        }
        let statistics = try #require(object["statistics"] as? [String: Any], context)
        func count(_ key: String) -> Int { statistics[key] as? Int ?? -1 }
        #expect(count("sent") == result.records.filter { $0.sent != 0 }.count, context)
        #expect(count("sent") == count("received") + count("lost"), context)
        #expect(count("lost") >= count("late") + count("error_answers"), context)
        #expect((0...1_000_000).contains(count("loss_ppm")), context)
        for key in ["rtt_ns", "slip_ns", "send_gap_ns", "receive_gap_ns"] {
            guard let spread = statistics[key] as? [String: Any] else { continue }
            let order = try ["min", "median", "p90", "p99", "max"].map {
                try #require(integer(spread[$0]), context)
            }
            #expect(order == order.sorted(), context)
            let mean = try #require(integer(spread["mean"]), context)
            #expect(mean >= order[0] && mean <= order[4], context)
        }
    }
}
