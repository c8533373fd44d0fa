// SPDX-License-Identifier: MIT
// "Did you mean": the name nearest to a misspelt one, by the number of letters that were left out, added,
// changed or swapped with their neighbour (optimal string alignment). `-` and `_` are one letter.
import KTRxerLite

/// Looks at candidates one by one and keeps the nearest.
struct NearestName {
    private let wanted: ByteText
    private var bestDistance: Int
    /// The nearest candidate so far; nil when none is near enough to be what was meant.
    private(set) var best: StaticString?
    /// The number of the nearest, when candidates have numbers.
    private(set) var bestNumber: Int?

    /// Longer names than this have no nearest: it bounds the work.
    private static let longest = 24

    init(to wanted: ByteText) {
        self.wanted = wanted
        // A third of the letters may be wrong: "tll" is meant to be "ttl", "x" is meant to be nothing.
        bestDistance = wanted.count > Self.longest ? 0 : min(3, wanted.count / 3) + 1
    }

    @inline(never)
    mutating func consider(_ name: StaticString) {
        if improves(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)) { best = name }
    }

    mutating func consider(_ name: UnsafeBufferPointer<UInt8>, number: Int) {
        if improves(name) { bestNumber = number }
    }

    private mutating func improves(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        let distance = distance(to: name)
        if distance >= bestDistance { return false }
        bestDistance = distance
        return true
    }

    private func distance(to name: UnsafeBufferPointer<UInt8>) -> Int {
        let columns = name.count
        guard bestDistance > 0, columns <= Self.longest, abs(columns - wanted.count) < bestDistance else {
            return Int.max
        }
        var beforeLast = [Int](repeating: 0, count: columns + 1)
        var last = [Int](repeating: 0, count: columns + 1)
        var row = [Int](repeating: 0, count: columns + 1)
        for column in 0...columns { last[column] = column }
        for line in 0..<wanted.count {
            row[0] = line + 1
            for column in 0..<columns {
                let same = Self.fold(wanted[line]) == Self.fold(name[column])
                var cost = last[column] + (same ? 0 : 1)
                cost = min(cost, last[column + 1] + 1, row[column] + 1)
                if line > 0 && column > 0
                    && Self.fold(wanted[line]) == Self.fold(name[column - 1])
                    && Self.fold(wanted[line - 1]) == Self.fold(name[column])
                {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                row[column + 1] = cost
            }
            (beforeLast, last, row) = (last, row, beforeLast)
        }
        return last[columns]
    }

    /// `-` as `_`, capitals as small letters.
    static func fold(_ byte: UInt8) -> UInt8 {
        if byte == 0x2D { return 0x5F }
        return byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
    }
}
