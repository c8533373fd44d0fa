// SPDX-License-Identifier: MIT
// What ping and train share: a known number of probes on a timetable, and when the last answer has been
// waited for. How a launch that was moved back changes the timetable is theirs.

/// A measurement of `count` probes, each `gap` after the one before.
///
/// It ends when all probes have left or failed to, and
/// - the timeout of the last unanswered one has passed, counted from its own sending, and
/// - answers have lingered: `min(timeout, max(100 ms, 2 x largest round trip))` after the last first answer,
///   so that duplicates of the last answers, and late answers of earlier probes, are still seen.
///
/// Before that, duplicates and late answers are taken whenever they come.
public class ProbeSeries: Measurement {
    public let kind: MeasurementKind
    public private(set) var isFinished = false
    var ledger: ProbeLedger
    /// Launch time of the first probe, from which the others are counted, CLOCK_MONOTONIC ns.
    var start: Int64
    let gap: Int64
    let count: Int
    private let ttl: UInt8
    /// The probes from this index on are settled.
    private var settledFrom: Int

    private static let shortestLinger: Int64 = 100_000_000
    /// Sequence numbers have 16 bits in an ICMP echo.
    private static let mostProbes = 65_536

    init(kind: MeasurementKind, options: MeasurementOptions, destination: IPAddress, start: Int64) {
        self.kind = kind
        self.start = start
        gap = max(0, options.gap)
        count = min(max(0, options.count), Self.mostProbes)
        ttl = options.ttl
        settledFrom = count
        ledger = ProbeLedger(target: destination, timeout: options.timeout, expected: count)
        if count == 0 { isFinished = true }
    }

    public var traceOutcome: TraceOutcome? { nil }

    public var records: ProbeRecords { ledger.records }

    public var nextLaunch: Int64? {
        let index = ledger.records.count
        guard !isFinished, index < count else { return nil }
        return saturatingSum(start, saturatingProduct(index, gap))
    }

    public var launchPolicy: LaunchPolicy { .each }

    public func launch(at: Int64) -> Probe {
        ledger.add(ttl: ttl, intended: nextLaunch ?? at, launch: at)
    }

    public func handle(_ completion: Completion) {
        guard !isFinished, ledger.note(completion) else { return }
        // Nothing left: there is no answer to wait for.
        if end == Int64.min { finish(failure: .launchMissed) }
    }

    public func handle(_ answer: Answer) {
        guard !isFinished else { return }
        _ = ledger.note(answer)
    }

    public var deadline: Int64 { isFinished ? Int64.max : end }

    public func expire(now: Int64) {
        if !isFinished && now >= end { finish(failure: .launchMissed) }
    }

    public func cancel(now: Int64) {
        if !isFinished { finish(failure: .cancelled) }
    }

    private func finish(failure: ProbeError) {
        ledger.close(failure: failure, marksOvertaken: true)
        isFinished = true
    }

    /// When it is over as things stand: `Int64.max` while probes are still to be launched, `Int64.min` when
    /// there is nothing to wait for.
    private var end: Int64 {
        guard ledger.records.count == count else { return Int64.max }
        guard ledger.incomplete == 0 else { return ledger.completionDeadline }
        var end = Int64.min
        // Probes leave in the order of their numbers, so the last unanswered one is the last to time out.
        while settledFrom > 0 && ledger.isSettled(settledFrom - 1) { settledFrom -= 1 }
        if settledFrom > 0 {
            end = saturatingSum(ledger.records[settledFrom - 1].sent, ledger.timeout)
        }
        if ledger.lastAnswer != 0 {
            let roundTrips = saturatingProduct(2, ledger.largestRoundTrip)
            let linger = min(ledger.timeout, max(Self.shortestLinger, roundTrips))
            // An arrival time from a clock that is wrong must not hold it longer than a right one could.
            let last = min(ledger.lastAnswer, saturatingSum(ledger.lastSent, ledger.timeout))
            end = max(end, saturatingSum(last, linger))
        }
        return end
    }
}
