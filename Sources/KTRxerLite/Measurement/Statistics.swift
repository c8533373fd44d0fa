// SPDX-License-Identifier: MIT
// What the probe records of a measurement amount to, in integers. The hops of a trace are summed up in
// StatisticsHops.swift, the arithmetic is in StatisticsArithmetic.swift.

/// How a set of values, ns, is spread. All 0 when there are none.
public struct Distribution: Equatable, Sendable {
    public private(set) var count = 0
    public private(set) var minimum: Int64 = 0
    /// Rounded down.
    public private(set) var mean: Int64 = 0
    /// Percentiles by nearest rank: the p-th is the smallest value that at least p % of all values do not
    /// exceed, so always one of them. The median of an even number of values is thus the lower middle one.
    public private(set) var median: Int64 = 0
    public private(set) var p90: Int64 = 0
    public private(set) var p99: Int64 = 0
    public private(set) var maximum: Int64 = 0
    /// Of the population (divided by the count, not by one less), around `mean`, rounded down.
    public private(set) var standardDeviation: UInt64 = 0

    /// Of no values.
    init() {}

    /// Takes the values in any order.
    public init(_ values: [Int64]) {
        var values = values
        self.init(sorting: &values)
    }

    /// Takes the values in any order and leaves them sorted upwards: no second copy of many.
    init(sorting sorted: inout [Int64]) {
        guard !sorted.isEmpty else { return }
        sortUpwards(&sorted)
        count = sorted.count
        minimum = sorted[0]
        maximum = sorted[count - 1]
        median = Distribution.percentile(50, of: sorted)
        p90 = Distribution.percentile(90, of: sorted)
        p99 = Distribution.percentile(99, of: sorted)
        // Distances from the least value are not negative and fit 64 bits without sign, whatever the values.
        var sum = WideSum()
        for value in sorted { sum.add(UInt64(bitPattern: value &- minimum)) }
        mean = minimum &+ Int64(bitPattern: sum.divided(by: UInt64(count)).clamped)
        var squares = WideSum()
        for value in sorted {
            let deviation = UInt64(bitPattern: value < mean ? mean &- value : value &- mean)
            squares.add(product: deviation, deviation)
        }
        standardDeviation = squares.divided(by: UInt64(count)).squareRoot
    }

    private static func percentile(_ percent: Int, of sorted: [Int64]) -> Int64 {
        sorted[max((sorted.count * percent + 99) / 100, 1) - 1]
    }
}

/// Counts, round-trip times, slip and, for trains, spacing. sent = received + lost; of the lost,
/// `errorAnswers` and `late` were answered somehow, the others not at all.
public final class MeasurementStatistics {
    /// Probes that left.
    public private(set) var sent = 0
    /// Probes with a reply (`Answer.isReply`) in time. In a trace a router's time exceeded is one too: it is
    /// what was asked for.
    public private(set) var received = 0
    /// Probes that were to leave and did not, without those that were cancelled.
    public private(set) var failed = 0
    /// Further answers, over all probes.
    public private(set) var duplicates = 0
    /// Probes whose answer came after that of a probe sent later.
    public private(set) var reordered = 0
    /// Probes whose first answer, of whatever kind, came after the timeout. They count as lost, and their
    /// times go into nothing here.
    public private(set) var late = 0
    /// Probes answered in time by an ICMP error that is no reply.
    public private(set) var errorAnswers = 0
    /// Of `received` probes.
    public private(set) var roundTrip = Distribution()
    /// Mean absolute difference of the round-trip times of received probes, each to the one received before
    /// it in the order of sequence numbers, ns, rounded down.
    public private(set) var jitter: UInt64 = 0
    /// Of sent probes: how much later than intended they left, ns.
    public private(set) var slip = Distribution()

    /// train: from one probe that left to the next, ns, in the order of sequence numbers.
    public private(set) var sendGap = Distribution()
    /// train: from one reply to the next, ns, in the order of arrival.
    public private(set) var receiveGap = Distribution()
    /// train: from the first to the last that left, and from the first to the last reply, ns.
    public private(set) var sendDispersion: UInt64 = 0
    public private(set) var receiveDispersion: UInt64 = 0
    /// train: bits a second, IP headers included, at which probes left and at which those that were answered
    /// came: all but the first, over the dispersion. 0 when that is 0.
    public private(set) var sendRate: UInt64 = 0
    public private(set) var receiveRate: UInt64 = 0

    /// Sent probes without a reply in time.
    public var lost: Int { sent - received }

    /// Loss in parts per million of the probes sent, rounded down; 0 when none was sent.
    public var lossPartsPerMillion: Int {
        sent == 0 ? 0 : Int(truncatingIfNeeded: UInt64(lost) * 1_000_000 / UInt64(sent))
    }

    /// `destination` nil: nothing counts as a reply. `packetBytes` is the length of each probe with its IP
    /// header, for the rates of a train.
    public init(
        records: ProbeRecords, destination: IPAddress?, kind: MeasurementKind, packetBytes: Int
    ) {
        var times: [Int64] = []
        times.reserveCapacity(records.count)
        var differences = WideSum()
        var last: Int64?
        for index in 0..<records.count {
            let record = records[index]
            guard record.sent != 0 else {
                if let failure = record.failure, !failure.isCancelled { failed += 1 }
                continue
            }
            sent += 1
            duplicates += Int(record.duplicates)
            if record.reordered { reordered += 1 }
            guard let answer = record.answer, let time = record.roundTrip, let destination else { continue }
            if record.late {
                late += 1
            } else if isReceived(answer, destination, kind) {
                if let last { differences.add(UInt64(bitPattern: time < last ? last &- time : time &- last)) }
                last = time
                times.append(time)
            } else {
                errorAnswers += 1
            }
        }
        received = times.count
        if received > 1 { jitter = differences.divided(by: UInt64(received - 1)).clamped }
        roundTrip = Distribution(sorting: &times)
        // One list after the other, in the same place: there may be ten thousand probes.
        collect(.slip, into: &times, records, destination, kind)
        slip = Distribution(sorting: &times)
        guard kind == .train else { return }
        collect(.sending, into: &times, records, destination, kind)
        sendDispersion = dispersion(times)
        sendRate = rate(packets: sent, bytes: packetBytes, over: sendDispersion)
        sendGap = gaps(&times)
        collect(.arrival, into: &times, records, destination, kind)
        sortUpwards(&times)
        receiveDispersion = dispersion(times)
        receiveRate = rate(packets: received, bytes: packetBytes, over: receiveDispersion)
        receiveGap = gaps(&times)
    }
}

/// What is collected of each record: its slip, when it was sent, when its reply came.
private enum Collected { case slip, sending, arrival }

/// One value a record, where there is one.
@inline(never)
private func collect(
    _ what: Collected, into times: inout [Int64], _ records: ProbeRecords, _ destination: IPAddress?,
    _ kind: MeasurementKind
) {
    times.removeAll(keepingCapacity: true)
    for index in 0..<records.count where records.isSent(index) {
        let record = records[index]
        switch what {
        case .slip: times.append(record.sent.clampedDifference(record.intended))
        case .sending: times.append(record.sent)
        case .arrival:
            guard !record.late, let answer = record.answer, let destination, isReceived(answer, destination, kind)
            else { continue }
            times.append(answer.receivedAt)
        }
    }
}

/// What was asked for.
private func isReceived(_ answer: Answer, _ destination: IPAddress, _ kind: MeasurementKind) -> Bool {
    answer.isReply(of: destination) || (kind == .trace && answer.kind == .timeExceeded)
}

/// From each time to the next; takes the times' place.
private func gaps(_ times: inout [Int64]) -> Distribution {
    guard times.count > 1 else { return Distribution() }
    for index in 1..<times.count { times[index - 1] = times[index].clampedDifference(times[index - 1]) }
    times.removeLast()
    return Distribution(sorting: &times)
}

/// From the earliest to the latest.
private func dispersion(_ times: [Int64]) -> UInt64 {
    guard var first = times.first else { return 0 }
    var last = first
    for time in times {
        first = min(first, time)
        last = max(last, time)
    }
    return UInt64(bitPattern: last &- first)
}

private func rate(packets: Int, bytes: Int, over nanoseconds: UInt64) -> UInt64 {
    guard packets > 1, bytes > 0 else { return 0 }
    var bits = WideSum()
    bits.add(product: UInt64(packets - 1) &* UInt64(bytes), 8_000_000_000)
    return bits.divided(by: nanoseconds).clamped
}
