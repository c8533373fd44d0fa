// SPDX-License-Identifier: MIT
// The statistics against the same figures computed the textbook way: in Double, or exactly in 128 bits.
import Foundation
import Testing

@testable import KTRxerLite

private let target = IPAddress(v4: 0xC000_0201)
private let router = IPAddress(v4: 0x0A00_0001)

/// A probe that left at `sent`, with an answer `after` ns later when there is one.
private func record(
    _ sequence: UInt32, sent: Int64 = 1_000, after: Int64? = nil, kind: AnswerKind = .echoReply,
    from: IPAddress = target, code: UInt8 = 0
) -> ProbeRecord {
    var record = ProbeRecord(sequence: sequence, ttl: 64, intended: sent &- 500)
    record.sent = sent
    if let after {
        var answer = Answer(sequence: sequence, kind: kind, from: from, receivedAt: sent &+ after, source: .kernel)
        answer.icmpCode = code
        record.answer = answer
    }
    return record
}

private func statistics(
    _ records: [ProbeRecord], _ kind: MeasurementKind = .ping, packetBytes: Int = 84
) -> MeasurementStatistics {
    MeasurementStatistics(records: ProbeRecords(records), destination: target, kind: kind, packetBytes: packetBytes)
}

@Suite struct DistributionTests {
    @Test func ofNothingIsZero() {
        let none = Distribution([])
        #expect(none.count == 0 && none.minimum == 0 && none.mean == 0 && none.maximum == 0)
        #expect(none.standardDeviation == 0)
    }

    @Test func nearestRank() {
        let ten = Distribution([15, 20, 35, 40, 50, 1, 2, 3, 4, 100])
        // Sorted: 1 2 3 4 15 20 35 40 50 100.
        #expect(ten.median == 15 && ten.p90 == 50 && ten.p99 == 100 && ten.minimum == 1 && ten.maximum == 100)
        let one = Distribution([-7])
        #expect(one.median == -7 && one.p90 == -7 && one.p99 == -7 && one.mean == -7 && one.standardDeviation == 0)
        let hundred = Distribution((1...100).map { Int64($0) })
        #expect(hundred.median == 50 && hundred.p90 == 90 && hundred.p99 == 99)
        let two = Distribution([2, 4])
        #expect(two.median == 2 && two.mean == 3 && two.standardDeviation == 1)
    }

    @Test func meanIsRoundedDown() {
        #expect(Distribution([1, 2]).mean == 1)
        #expect(Distribution([-1, -2]).mean == -2)
    }

    /// Up to 2^55 the sums fit 128 bits, and every figure must be exact.
    @Test func randomValuesExactly() {
        var generator = SystemRandomNumberGenerator()
        for round in 0..<300 {
            let bits = Int.random(in: 1...55, using: &generator)
            let bound = Int64(1) << Int64(bits)
            let count = round < 290 ? Int.random(in: 1...40, using: &generator) : 5000
            let values = (0..<count).map { _ in Int64.random(in: -bound...bound, using: &generator) }
            let found = Distribution(values)
            let sorted = values.sorted()
            let sum = values.reduce(Int128(0)) { $0 + Int128($1) }
            // Int128 division truncates; the mean is the floor.
            let mean = (sum - ((sum % Int128(count)) + Int128(count)) % Int128(count)) / Int128(count)
            let squares = values.reduce(UInt128(0)) {
                let distance = (Int128($1) - mean).magnitude
                return $0 + distance * distance
            }
            let variance = squares / UInt128(count)
            func rank(_ percent: Double) -> Int64 {
                sorted[Int((percent / 100 * Double(count)).rounded(.up)) - 1]
            }
            #expect(found.count == count && found.minimum == sorted[0] && found.maximum == sorted[count - 1])
            #expect(Int128(found.mean) == mean, "mean of \(values)")
            #expect(found.median == rank(50) && found.p90 == rank(90) && found.p99 == rank(99))
            let root = UInt128(found.standardDeviation)
            #expect(root * root <= variance && variance < (root + 1) * (root + 1), "stddev of \(values)")
        }
    }

    @Test func extremeValuesNeitherTrapNorOverflow() {
        let sets: [[Int64]] = [
            [.min, .max], [.min, .min, .max], [.max, .max], [.min], [.min, 0, .max, -1, 1],
            (0..<65_536).map { $0 % 2 == 0 ? Int64.min : Int64.max },
            (0..<999).map { _ in Int64.random(in: .min ... .max) },
        ]
        for values in sets {
            let found = Distribution(values)
            let count = Double(values.count)
            let mean = values.reduce(0.0) { $0 + Double($1) / count }
            let variance = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) / count }
            #expect(abs(Double(found.mean) - mean) <= 4096)
            #expect(abs(Double(found.standardDeviation) - variance.squareRoot()) <= 1e-9 * variance.squareRoot() + 2)
            #expect(found.minimum == values.min() && found.maximum == values.max())
        }
    }
}

@Suite struct WideSumTests {
    @Test func productsAndQuotients() {
        let edges: [UInt64] = [0, 1, 2, 0xFFFF_FFFF, 0x1_0000_0000, .max, .max - 1, 1 << 63]
        let random = (0..<60).map { _ in UInt64.random(in: 0 ... .max) >> UInt64.random(in: 0...63) }
        for a in edges + random {
            for b in edges + random {
                var sum = WideSum()
                sum.add(product: a, b)
                let product = a.multipliedFullWidth(by: b)
                #expect(sum.high == 0 && sum.middle == product.high && sum.low == product.low, "\(a)·\(b)")
                let whole = UInt128(product.high) << 64 | UInt128(product.low)
                let root = UInt128(sum.squareRoot)
                #expect(root * root <= whole, "root of \(a)·\(b)")
                #expect(root == UInt128(UInt64.max) || whole < (root + 1) * (root + 1), "root of \(a)·\(b)")
                guard b != 0 else {
                    #expect(sum.divided(by: b).clamped == 0)
                    continue
                }
                let back = sum.divided(by: b)
                #expect(back.middle == 0 && back.low == a)
                let other = sum.divided(by: a | 1)
                let quotient = whole / UInt128(a | 1)
                #expect(other.low == UInt64(truncatingIfNeeded: quotient) && other.middle == UInt64(quotient >> 64))
            }
        }
    }

    @Test func sumsCarryIntoTheTop() {
        var sum = WideSum()
        for _ in 0..<65_536 { sum.add(product: .max, .max) }
        // 2^16·(2^64 - 1)^2 = 2^144 - 2^81 + 2^16.
        #expect(sum.high == 0xFFFF && sum.middle == 0 &- (1 << 17) && sum.low == 0x1_0000)
        #expect(sum.clamped == .max && sum.squareRoot == .max)
        let mean = sum.divided(by: 65_536)
        #expect(mean.high == 0 && mean.middle == .max - 1 && mean.low == 1 && mean.squareRoot == .max)
    }

    @Test func sortingIsSorting() {
        for count in 0..<70 {
            var values = (0..<count).map { _ in Int64.random(in: -20...20) }
            let expected = values.sorted()
            sortUpwards(&values)
            #expect(values == expected)
        }
    }
}

@Suite struct MeasurementStatisticsTests {
    @Test func countsAreDisjoint() {
        var records = [
            record(0, after: 10), record(1, after: 30), record(2),
            record(3, after: 5, kind: .timeExceeded, from: router),
            record(4, after: 5, kind: .unreachable, from: router, code: 3),
            record(5, after: 5, kind: .unreachable, from: target, code: 3),
            record(6, after: 9_999), record(7, after: 9_999, kind: .unreachable, from: router, code: 1),
        ]
        records[0].duplicates = 2
        records[1].duplicates = 3
        records[1].reordered = true
        records[6].late = true
        records[7].late = true
        var refused = ProbeRecord(sequence: 8, ttl: 64, intended: 1)
        refused.failure = .queueBusy
        var stopped = ProbeRecord(sequence: 9, ttl: 64, intended: 1)
        stopped.failure = .cancelled
        records += [refused, stopped, ProbeRecord(sequence: 10, ttl: 64, intended: 1)]

        let ping = statistics(records)
        #expect(ping.sent == 8 && ping.received == 3 && ping.lost == 5 && ping.failed == 1)
        #expect(ping.duplicates == 5 && ping.reordered == 1 && ping.late == 2 && ping.errorAnswers == 2)
        #expect(ping.lossPartsPerMillion == 625_000)
        #expect(ping.roundTrip == Distribution([10, 30, 5]))
        #expect(ping.jitter == (20 + 25) / 2)
        #expect(ping.slip == Distribution([Int64](repeating: 500, count: 8)))
        // A trace asks for time exceeded.
        let trace = statistics(records, .trace)
        #expect(trace.received == 4 && trace.errorAnswers == 1 && trace.late == 2)
        // Without an address nobody can have replied.
        let nobody = MeasurementStatistics(
            records: ProbeRecords(records), destination: nil, kind: .ping, packetBytes: 0)
        #expect(nobody.sent == 8 && nobody.received == 0 && nobody.errorAnswers == 0)
    }

    @Test func nothingSent() {
        let none = statistics([], .train)
        #expect(none.sent == 0 && none.lossPartsPerMillion == 0 && none.jitter == 0 && none.sendRate == 0)
        #expect(none.sendGap.count == 0 && none.receiveDispersion == 0)
    }

    @Test func trainSpacing() {
        // Three probes 100 us apart, 1,250 bytes each; the second overtakes the first on the way back.
        let records = [
            record(0, sent: 1_000_000, after: 900_000), record(1, sent: 1_100_000, after: 750_000),
            record(2, sent: 1_200_000, after: 850_000), record(3, sent: 1_300_000),
        ]
        let train = statistics(records, .train, packetBytes: 1250)
        #expect(train.sendGap == Distribution([100_000, 100_000, 100_000]) && train.sendDispersion == 300_000)
        // Arrivals: 1,850, 1,900, 2,050 us.
        #expect(train.receiveGap == Distribution([50_000, 150_000]) && train.receiveDispersion == 200_000)
        #expect(train.sendRate == 100_000_000 && train.receiveRate == 100_000_000)
        #expect(statistics(records, .ping).sendGap.count == 0)
    }

    @Test func sameInstantHasNoRate() {
        let train = statistics([record(0, after: 5), record(1, after: 5)], .train)
        #expect(train.sendDispersion == 0 && train.sendRate == 0 && train.receiveRate == 0)
    }

    @Test func randomRecordsAgainstDouble() {
        for _ in 0..<40 {
            var now: Int64 = 5_000_000_000
            var records: [ProbeRecord] = []
            for sequence in 0..<UInt32.random(in: 2...60) {
                now += Int64.random(in: 1...2_000_000)
                records.append(
                    record(sequence, sent: now, after: Bool.random() ? Int64.random(in: 1...90_000_000) : nil))
            }
            let found = statistics(records, .train, packetBytes: 100)
            let times = records.compactMap { $0.answer.map { Double($0.receivedAt) } }.sorted()
            let trips = records.compactMap { $0.roundTrip.map { Double($0) } }
            #expect(found.sent == records.count && found.received == trips.count)
            #expect(found.lossPartsPerMillion == Int(Double(records.count - trips.count) / Double(records.count) * 1e6))
            guard trips.count > 1 else { continue }
            let mean = trips.reduce(0, +) / Double(trips.count)
            #expect(abs(Double(found.roundTrip.mean) - mean) <= 1)
            let changes = zip(trips, trips.dropFirst()).map { abs($1 - $0) }
            #expect(abs(Double(found.jitter) - changes.reduce(0, +) / Double(changes.count)) <= 1)
            let span = times[times.count - 1] - times[0]
            #expect(Double(found.receiveDispersion) == span)
            #expect(abs(Double(found.receiveRate) - Double(times.count - 1) * 800 * 1e9 / span) <= 1)
            #expect(Double(found.receiveGap.mean) == (span / Double(times.count - 1)).rounded(.down))
        }
    }

    @Test func extremeTimesNeitherTrapNorOverflow() {
        let edges: [Int64] = [.min, .min + 1, -1, 1, .max - 1, .max]
        for kind in [MeasurementKind.ping, .trace, .train] {
            var records: [ProbeRecord] = []
            for sent in edges {
                for intended in edges {
                    for received in edges {
                        var record = ProbeRecord(sequence: UInt32(records.count), ttl: 255, intended: intended)
                        record.sent = sent
                        record.duplicates = .max
                        record.answer = Answer(
                            sequence: record.sequence, kind: .echoReply, from: target, receivedAt: received,
                            source: .user)
                        records.append(record)
                    }
                }
            }
            let found = statistics(records, kind, packetBytes: .max)
            #expect(found.sent == 216 && found.received == 216 && found.duplicates == 216 * 65_535)
            #expect(found.roundTrip.maximum == .max && found.roundTrip.minimum == .min)
            #expect(found.slip.maximum == .max && found.slip.minimum == .min)
            #expect(found.sendDispersion == (kind == .train ? .max : 0))
        }
    }
}
