// SPDX-License-Identifier: MIT
// Statistics: 64-bit and wider arithmetic, which 32-bit processors do piece by piece.
import KTRxerLite

func runStatistics() {
    run("distributions") { () throws(FrameError) in
        let ten = Distribution([15, 20, 35, 40, 50, 1, 2, 3, 4, 100])
        expect(ten.median == 15 && ten.p90 == 50 && ten.p99 == 100 && ten.minimum == 1 && ten.maximum == 100)
        expect(ten.mean == 27 && ten.standardDeviation == 29)
        let one = Distribution([-7])
        expect(one.median == -7 && one.mean == -7 && one.standardDeviation == 0)
        expect(Distribution([1, 2]).mean == 1 && Distribution([-1, -2]).mean == -2)
        let none = Distribution([])
        expect(none.count == 0 && none.mean == 0 && none.standardDeviation == 0)
        let wide = Distribution([.min, .max])
        expect(wide.mean == -1 && wide.minimum == .min && wide.maximum == .max)
        // Half of 2^64 - 1, rounded down.
        expect(wide.standardDeviation == 0x7FFF_FFFF_FFFF_FFFF)
        // 1, 2, ... 1000 times 2^40: mean 500.5, variance (1000^2 - 1) / 12.
        var values: [Int64] = []
        for index in Int64(1)...1000 { values.append(index << 40) }
        let thousand = Distribution(values)
        expect(thousand.mean == (1001 << 40) / 2 && thousand.median == 500 << 40 && thousand.p99 == 990 << 40)
        show(thousand)
        values = []
        var state: UInt64 = 1
        for _ in 0..<500 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            values.append(Int64(bitPattern: state ^ (state >> 29)))
        }
        show(Distribution(values))
    }
    run("measurement") { () throws(FrameError) in
        let target = IPAddress(v4: 0xC000_0201)
        let records = ProbeRecords()
        for sequence in UInt32(0)..<10 {
            var record = ProbeRecord(sequence: sequence, ttl: 64, intended: Int64(sequence) * 1_000_000)
            record.sent = record.intended + 1_500
            if sequence != 3 {
                record.answer = Answer(
                    sequence: sequence, kind: .udpReply, from: target,
                    receivedAt: record.sent + 7_000_000 + Int64(sequence) * 1_000, source: .kernel)
            }
            records.append(record)
        }
        let statistics = MeasurementStatistics(records: records, destination: target, kind: .train, packetBytes: 84)
        expect(statistics.sent == 10 && statistics.received == 9 && statistics.lost == 1)
        expect(statistics.lossPartsPerMillion == 100_000 && statistics.roundTrip.median == 7_004_000 + 1_000)
        expect(statistics.sendDispersion == 9_000_000 && statistics.receiveDispersion == 9_009_000)
        // 9 packets of 672 bits after the first in 9 ms; 8 in 9.009 ms.
        expect(statistics.sendRate == 672_000 && statistics.receiveRate == 596_736)
    }
}

private func show(_ distribution: Distribution) {
    var text = ByteText("distribution")
    for value in [
        distribution.minimum, distribution.mean, distribution.median, distribution.p90, distribution.p99,
        distribution.maximum,
    ] {
        text.append(0x20)
        text.append(decimal: value)
    }
    text.append(0x20)
    text.append(decimal: distribution.standardDeviation)
    show(text)
}
