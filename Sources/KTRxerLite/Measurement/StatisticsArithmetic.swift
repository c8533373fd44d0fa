// SPDX-License-Identifier: MIT
// Integer arithmetic for the statistics: sums that cannot overflow, square root, sorting. By hand and
// concrete, as 32-bit targets have no 128-bit division and generic sorting is ten times the code.

/// An unsigned sum of 192 bits: 2^64 products of two 64-bit numbers fit.
struct WideSum {
    private(set) var high: UInt64 = 0
    private(set) var middle: UInt64 = 0
    private(set) var low: UInt64 = 0

    mutating func add(_ value: UInt64) { add(middle: 0, low: value) }

    /// Adds a·b, from four products of 32-bit halves.
    mutating func add(product a: UInt64, _ b: UInt64) {
        let aHigh = a >> 32
        let aLow = a & 0xFFFF_FFFF
        let bHigh = b >> 32
        let bLow = b & 0xFFFF_FFFF
        // Each of the two sums stays below 2^64: (2^32 - 1)^2 + 2·(2^32 - 1) is 2^64 - 1.
        let cross = aHigh * bLow + (aLow * bLow) >> 32
        let rest = aLow * bHigh + cross & 0xFFFF_FFFF
        add(middle: aHigh * bHigh + cross >> 32 + rest >> 32, low: a &* b)
    }

    private mutating func add(middle: UInt64, low: UInt64) {
        let lowSum = self.low.addingReportingOverflow(low)
        self.low = lowSum.partialValue
        let middleSum = self.middle.addingReportingOverflow(middle)
        let carried = middleSum.partialValue.addingReportingOverflow(lowSum.overflow ? 1 : 0)
        self.middle = carried.partialValue
        high &+= (middleSum.overflow ? 1 : 0) + (carried.overflow ? 1 : 0)
    }

    /// Divides by `divisor`, rounding down; by 0 gives 0.
    func divided(by divisor: UInt64) -> WideSum {
        var quotient = WideSum()
        guard divisor != 0 else { return quotient }
        var rest: UInt64 = 0
        quotient.high = WideSum.divide(high, by: divisor, &rest)
        quotient.middle = WideSum.divide(middle, by: divisor, &rest)
        quotient.low = WideSum.divide(low, by: divisor, &rest)
        return quotient
    }

    /// Long division of one more word: `rest` is below the divisor before and after.
    private static func divide(_ word: UInt64, by divisor: UInt64, _ rest: inout UInt64) -> UInt64 {
        var quotient: UInt64 = 0
        for shift in stride(from: UInt64(63), through: 0, by: -1) {
            let carry = rest >> 63
            rest = rest << 1 | (word >> shift) & 1
            quotient <<= 1
            if carry != 0 || rest >= divisor {
                rest = rest &- divisor
                quotient |= 1
            }
        }
        return quotient
    }

    /// The value, or the largest number when it is more.
    var clamped: UInt64 { high == 0 && middle == 0 ? low : UInt64.max }

    /// The square root, rounded down; the largest number when it is more.
    var squareRoot: UInt64 {
        guard high == 0 else { return UInt64.max }
        var root: UInt64 = 0
        var bit: UInt64 = 1 << 63
        while bit != 0 {
            var square = WideSum()
            square.add(product: root | bit, root | bit)
            if square.middle < middle || (square.middle == middle && square.low <= low) { root |= bit }
            bit >>= 1
        }
        return root
    }
}

extension Int64 {
    /// The difference, or the nearest number that there is.
    func clampedDifference(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (self < other ? Int64.min : Int64.max) : difference
    }
}

/// Sorts upwards, in place (heap sort: no worst case, no memory).
func sortUpwards(_ values: inout [Int64]) {
    var start = values.count / 2
    while start > 0 {
        start -= 1
        siftDown(&values, start, values.count)
    }
    var end = values.count
    while end > 1 {
        end -= 1
        values.swapAt(0, end)
        siftDown(&values, 0, end)
    }
}

private func siftDown(_ values: inout [Int64], _ start: Int, _ end: Int) {
    var parent = start
    while parent * 2 + 1 < end {
        var child = parent * 2 + 1
        if child + 1 < end && values[child] < values[child + 1] { child += 1 }
        guard values[parent] < values[child] else { return }
        values.swapAt(parent, child)
        parent = child
    }
}
