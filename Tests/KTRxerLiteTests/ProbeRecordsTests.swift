// SPDX-License-Identifier: MIT
// Probe records come out of their compact form as they went in, to the last bit, whatever they say.
import Testing

@testable import KTRxerLite

struct Edge: Sendable {
    var name: String
    /// It does not fit the compact form.
    var isFull: Bool
    var change: @Sendable (inout ProbeRecord) -> Void

    init(_ name: String, full isFull: Bool, _ change: @escaping @Sendable (inout ProbeRecord) -> Void) {
        self.name = name
        self.isFull = isFull
        self.change = change
    }
}

private let edges: [Edge] = [
    Edge("slip within", full: false) { $0.sent = $0.intended + Int64(Int32.max) },
    Edge("slip beyond", full: true) { $0.sent = $0.intended + Int64(Int32.max) + 1 },
    Edge("earliest slip", full: false) {
        $0.sent = $0.intended + Int64(Int32.min)
        $0.answer?.receivedAt = $0.sent
    },
    Edge("earlier slip", full: true) { $0.sent = $0.intended + Int64(Int32.min) - 1 },
    Edge("round trip within", full: false) { $0.answer?.receivedAt = $0.sent + Int64(Int32.max) },
    Edge("round trip beyond", full: true) { $0.answer?.receivedAt = $0.sent + Int64(Int32.max) + 1 },
    Edge("answered before it was sent", full: false) { $0.answer?.receivedAt = $0.sent - 5 },
    Edge("not sent yet", full: false) { $0.sent = 0 },
    Edge("not sent, long ago", full: true) {
        $0.sent = 0
        $0.answer?.receivedAt = 1
    },
    Edge("wrapping", full: true) {
        $0.intended = .min
        $0.sent = .max
        $0.answer?.receivedAt = .max
    },
    Edge("duplicates within", full: false) {
        $0.duplicates = 255
        $0.otherAnswers = 255
    },
    Edge("duplicates beyond", full: true) { $0.duplicates = 256 },
    Edge("other answers beyond", full: true) { $0.otherAnswers = 65_535 },
    Edge("sequence beyond", full: true) {
        $0.sequence = 65_536
        $0.answer?.sequence = 65_536
    },
    Edge("sequence of another", full: true) { $0.answer?.sequence = 8 },
    Edge("MTU within", full: false) { $0.answer?.mtu = 65_535 },
    Edge("MTU beyond", full: true) { $0.answer?.mtu = 65_536 },
    Edge("labels", full: true) {
        $0.answer?.labels = [MPLSLabel(label: 16, trafficClass: 5, bottomOfStack: true, ttl: 1)]
    },
    Edge("failure", full: false) { $0.failure = .tooLarge(size: 1501, mtu: 1500) },
]

@Suite struct ProbeRecordsTests {
    private func plain() -> ProbeRecord {
        var record = ProbeRecord(sequence: 7, ttl: 64, intended: 1_000_000_000_000_000)
        record.sent = record.intended + 12_345
        record.sentSource = .kernel
        record.attempts = 1
        var answer = Answer(
            sequence: 7, kind: .echoReply, from: IPAddress(v4: 0xC000_0201), receivedAt: record.sent + 20_000_001,
            source: .kernel)
        answer.ttl = 60
        record.answer = answer
        return record
    }

    @Test func aProbeTakes32Bytes() {
        #expect(ProbeRecords.bytesPerRecord == 32)
        let records = ProbeRecords((0..<100).map { _ in plain() })
        #expect(records.fullCount == 0)
    }

    /// Each of these is one step beyond what the compact form holds, or the last step within.
    @Test(arguments: edges)
    func edge(_ edge: Edge) {
        var record = plain()
        edge.change(&record)
        let records = ProbeRecords([plain(), record, plain()])
        #expect(records.fullCount == (edge.isFull ? 1 : 0), "\(edge.name)")
        #expect(describe(records[1]) == describe(record), "\(edge.name)")
        #expect(describe(records[0]) == describe(plain()) && describe(records[2]) == describe(plain()), "\(edge.name)")
        // And back.
        records[1] = plain()
        #expect(describe(records[1]) == describe(plain()), "\(edge.name)")
    }

    @Test func moreSendersThanAByteCanName() {
        let all = (0..<600).map { number in
            var record = plain()
            record.answer?.from = IPAddress(v4: UInt32(number))
            return record
        }
        let records = ProbeRecords(all)
        #expect(records.map(describe) == all.map(describe))
        #expect(records.fullCount == 600 - 255)
    }

    @Test func failuresOfSeveralKinds() {
        let all = (0..<100).map { number in
            var record = ProbeRecord(sequence: UInt32(number), ttl: 1, intended: Int64(number))
            record.failure = number % 10 == 3 ? .launchMissed : number % 10 == 4 ? nil : .queueBusy
            return record
        }
        let records = ProbeRecords(all)
        #expect(records.map(describe) == all.map(describe))
        #expect(records.fullCount == 10)
    }

    @Test func randomRecordsAndChanges() {
        var random = Random()
        var model: [ProbeRecord] = []
        let records = ProbeRecords()
        for step in 0..<20_000 {
            let record = random.record()
            if model.isEmpty || step % 4 == 0 {
                model.append(record)
                records.append(record)
            } else {
                let index = Int.random(in: 0..<model.count, using: &random)
                model[index] = record
                records[index] = record
            }
        }
        #expect(records.count == model.count)
        #expect(records.fullCount > 100 && records.fullCount < model.count)
        for index in model.indices {
            #expect(describe(records[index]) == describe(model[index]))
            #expect(records.ttl(index) == model[index].ttl)
            #expect(records.isComplete(index) == (model[index].sent != 0 || model[index].failure != nil))
            #expect(records.isSettled(index) == (model[index].answer != nil || model[index].failure != nil))
        }
    }
}

/// Every field.
private func describe(_ record: ProbeRecord) -> String { "\(record)" }

private struct Random: RandomNumberGenerator {
    private var generator = SystemRandomNumberGenerator()
    mutating func next() -> UInt64 { generator.next() }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

    mutating func source() -> TimestampSource { TimestampSource(rawValue: UInt8.random(in: 0...2, using: &self))! }

    /// Mostly near the other, sometimes anything.
    mutating func time(near other: Int64) -> Int64 {
        chance(90) ? other &+ Int64.random(in: -5_000_000_000...5_000_000_000, using: &self) : Int64(bitPattern: next())
    }

    mutating func record() -> ProbeRecord {
        var record = ProbeRecord(
            sequence: UInt32.random(in: 0...66_000, using: &self), ttl: UInt8.random(in: 0...255, using: &self),
            intended: time(near: 1_000_000_000_000))
        if chance(80) { record.sent = time(near: record.intended) }
        record.sentSource = source()
        record.attempts = UInt8.random(in: 0...255, using: &self)
        if chance(20) {
            record.failure = chance(50) ? .queueBusy : .tooLarge(size: Int.random(in: 0...500, using: &self), mtu: 9)
        }
        record.duplicates = chance(95) ? 3 : UInt16.random(in: 0...65_535, using: &self)
        record.otherAnswers = chance(95) ? 200 : UInt16.random(in: 0...65_535, using: &self)
        record.reordered = chance(50)
        record.late = chance(50)
        guard chance(70) else { return record }
        var answer = Answer(
            sequence: chance(95) ? record.sequence : 1,
            kind: AnswerKind(rawValue: UInt8.random(in: 0...7, using: &self))!,
            from: chance(50)
                ? IPAddress(v4: UInt32.random(in: 0...200, using: &self))
                : IPAddress(v6High: 1, low: UInt64.random(in: 0...200, using: &self)),
            receivedAt: time(near: record.sent), source: source())
        answer.icmpType = UInt8.random(in: 0...255, using: &self)
        answer.icmpCode = UInt8.random(in: 0...255, using: &self)
        answer.ttl = UInt8.random(in: 0...255, using: &self)
        answer.quotedTTL = UInt8.random(in: 0...255, using: &self)
        answer.mtu = chance(95) ? 1400 : UInt32.random(in: 0...UInt32.max, using: &self)
        if chance(5) { answer.labels = [MPLSLabel(label: 3, trafficClass: 1, bottomOfStack: true, ttl: 2)] }
        record.answer = answer
        return record
    }
}
