// SPDX-License-Identifier: MIT
// Numbers in and out of packet bytes, and the checksum against a slow, independent computation.
import Testing

@testable import KTRxerLite

@Suite struct FrameBytesTests {
    @Test func readsNetworkOrder() throws {
        let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9]
        let span = bytes.span.bytes
        #expect(try span.uint8(at: 8) == 9)
        #expect(try span.uint16(at: 1) == 0x0203)
        #expect(try span.uint32(at: 2) == 0x0304_0506)
        #expect(try span.uint64(at: 1) == 0x0203_0405_0607_0809)
        #expect(try span.macAddress(at: 3) == MACAddress(0x0405_0607_0809))
    }

    @Test(arguments: [-1, -8, 8, 9, 100, Int.max, Int.min, Int.max - 3])
    func readingOutsideThrows(_ offset: Int) {
        let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        #expect(throws: FrameError.truncated) { _ = try bytes.span.bytes.uint8(at: offset) }
        #expect(throws: FrameError.truncated) { _ = try bytes.span.bytes.uint16(at: offset) }
        #expect(throws: FrameError.truncated) { _ = try bytes.span.bytes.uint32(at: offset) }
        #expect(throws: FrameError.truncated) { _ = try bytes.span.bytes.uint64(at: offset) }
        #expect(throws: FrameError.truncated) { _ = try bytes.span.bytes.macAddress(at: offset) }
        #expect(throws: FrameError.truncated) { _ = try bytes.span.bytes.address(at: offset, family: .ipv6) }
    }

    @Test func readingAcrossTheEndThrows() {
        let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        #expect(throws: FrameError.truncated) { _ = try bytes.span.bytes.uint16(at: 7) }
        #expect(throws: FrameError.truncated) { _ = try bytes.span.bytes.uint32(at: 5) }
        #expect(throws: FrameError.truncated) { _ = try bytes.span.bytes.uint64(at: 4) }
        #expect(throws: FrameError.truncated) { _ = try bytes.span.bytes.macAddress(at: 4) }
        #expect(throws: FrameError.truncated) { _ = try bytes.span.bytes.address(at: 5, family: .ipv4) }
    }

    @Test func writesNetworkOrder() throws {
        let written = try build(room: 40) { out throws(FrameError) in
            try out.put(UInt8(1), at: 0)
            try out.put(UInt16(0x0203), at: 1)
            try out.put(UInt32(0x0405_0607), at: 3)
            try out.put(UInt64(0x0809_0A0B_0C0D_0E0F), at: 7)
            try out.put(MACAddress(0x1011_1213_1415), at: 15)
            try out.put(IPAddress(v4: 0x1617_1819), at: 21)
            return 25
        }
        #expect(written == (1...25).map { UInt8($0) })
    }

    @Test func writingOutsideThrows() {
        for offset in [-1, 3, 4, 5, Int.max, Int.min] {
            #expect(throws: FrameError.noRoom) {
                _ = try build(room: 4) { out throws(FrameError) in
                    try out.put(UInt16(1), at: offset)
                    return 0
                }
            }
        }
        #expect(throws: FrameError.noRoom) {
            _ = try build(room: 15) { out throws(FrameError) in
                try out.put(IPAddress(v6High: 1, low: 2), at: 0)
                return 0
            }
        }
    }

    @Test func checksumOfRFC1071() {
        // RFC 1071, 3: the sum is ddf2.
        let bytes: [UInt8] = [0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]
        #expect(folded(bytes) == 0xDDF2)
        #expect(folded([]) == 0)
        #expect(folded([0xAB]) == 0xAB00)
    }

    @Test func checksumAgainstSlowSum() {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<2_000 {
            let bytes = (0..<Int(random.next() % 300)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            #expect(folded(bytes) == slowSum(bytes))
        }
        #expect(folded([UInt8](repeating: 0xFF, count: 200_000)) == 0xFFFF)
    }

    @Test func pseudoHeaders() {
        var four = InternetChecksum()
        four.addPseudoHeader(
            source: IPAddress(v4: 0xC000_0201), destination: IPAddress(v4: 0xC633_6407), nextHeader: 17,
            length: 300)
        #expect(four.folded == slowSum([192, 0, 2, 1, 198, 51, 100, 7, 0, 17, 1, 44]))
        var six = InternetChecksum()
        six.addPseudoHeader(
            source: IPAddress(v6High: 0x2001_0DB8_0000_0000, low: 1),
            destination: IPAddress(v6High: 0x2001_0DB8_0000_00FF, low: 0xFFFE), nextHeader: 58, length: 70_000
        )
        #expect(
            six.folded
                == slowSum(
                    [0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
                        + [0x20, 1, 0xD, 0xB8, 0, 0, 0, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFE]
                        + [0, 1, 0x11, 0x70, 0, 0, 0, 58]))
    }

    @Test func incrementalUpdate() {
        // RFC 1624, 4: the example that equation 2 of RFC 1141 gets wrong.
        #expect(InternetChecksum.updated(0xDD2F, from: 0x5555, to: 0x3285) == 0x0000)
        var random = SeededGenerator(seed: 4)
        for _ in 0..<2_000 {
            var bytes = (0..<64).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let before = ~folded(bytes)
            let place = Int(random.next() % 32) * 2
            let old = UInt16(bytes[place]) << 8 | UInt16(bytes[place + 1])
            let new = UInt16(truncatingIfNeeded: random.next())
            bytes[place] = UInt8(new >> 8)
            bytes[place + 1] = UInt8(new & 0xFF)
            #expect(InternetChecksum.updated(before, from: old, to: new) == ~folded(bytes))
        }
    }

    @Test func compensationReachesTheTarget() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<10_000 {
            let sum = UInt16(truncatingIfNeeded: random.next())
            let target = UInt16(truncatingIfNeeded: random.next() % 0xFFFF + 1)
            var total = InternetChecksum()
            total.add(sum)
            total.add(InternetChecksum.compensation(from: sum, to: target))
            #expect(total.folded == target)
        }
    }

    private func folded(_ bytes: [UInt8]) -> UInt16 {
        var sum = InternetChecksum()
        try? sum.add(bytes.span.bytes, at: 0, count: bytes.count)
        return sum.folded
    }
}
