// SPDX-License-Identifier: MIT
// Finding jobs by name in O(log n), without hashing: the positions of the names, sorted by name.
import KTRxerLite

struct NameIndex {
    /// Positions in the array of names, in the order of the names; of equal names the first comes first.
    private(set) var order: [Int]

    /// Heap sort: O(n log n) whatever the file says, and small.
    init(_ names: [ByteText]) {
        order = []
        order.reserveCapacity(names.count)
        for position in 0..<names.count { order.append(position) }
        var start = names.count / 2
        while start > 0 {
            start -= 1
            sift(from: start, end: names.count, names)
        }
        var end = names.count
        while end > 1 {
            end -= 1
            order.swapAt(0, end)
            sift(from: 0, end: end, names)
        }
    }

    /// Position of the first name that is equal; nil when there is none. `names` as given to `init`.
    func find(_ name: ByteText, in names: [ByteText]) -> Int? {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if Self.compare(names[order[middle]], name) < 0 { low = middle + 1 } else { high = middle }
        }
        guard low < order.count, names[order[low]] == name else { return nil }
        return order[low]
    }

    private mutating func sift(from start: Int, end: Int, _ names: [ByteText]) {
        var root = start
        while 2 * root + 1 < end {
            var child = 2 * root + 1
            if child + 1 < end && isLess(order[child], order[child + 1], names) { child += 1 }
            if !isLess(order[root], order[child], names) { return }
            order.swapAt(root, child)
            root = child
        }
    }

    private func isLess(_ left: Int, _ right: Int, _ names: [ByteText]) -> Bool {
        let order = Self.compare(names[left], names[right])
        return order != 0 ? order < 0 : left < right
    }

    /// Negative, 0 or positive, by bytes.
    private static func compare(_ left: ByteText, _ right: ByteText) -> Int {
        let common = min(left.count, right.count)
        for index in 0..<common where left[index] != right[index] {
            return Int(left[index]) - Int(right[index])
        }
        return left.count - right.count
    }
}
