// SPDX-License-Identifier: MIT
// The packets-per-second ceiling over all measurements: when the next probe, or a whole train, may leave.
// What a measurement wants is its own matter, and sending at the instant is the transport's.

/// Keeps any second, wherever it begins, from having more than `maxPerSecond` launches.
///
/// Exact in both directions: a launch is placed among those that were and those that are already promised for
/// later, such as the rest of a train. Times are CLOCK_MONOTONIC ns; a second is [t, t + 1 s).
public final class Pacer {
    public let maxPerSecond: Int
    /// Launches in ascending order, those before `head` forgotten.
    private var launches: [Int64] = []
    private var head = 0

    private static let second: Int64 = 1_000_000_000
    /// Beyond this every sum would be near overflow; no clock gets there in 140 years.
    private static let endOfTime = Int64.max / 2
    /// Launches that are kept at most, if `forget` is never called: 320 KB.
    private static let mostKept = 40_000

    /// - Parameter maxPerSecond: 1...10,000; what is beyond is taken as the nearest.
    public init(maxPerSecond: Int) {
        self.maxPerSecond = min(max(maxPerSecond, 1), 10_000)
    }

    /// How many launches are kept.
    public var count: Int { launches.count - head }

    /// The earliest launch, not before `at`, that keeps the ceiling.
    public func earliest(at: Int64) -> Int64 {
        guard at < Self.endOfTime else { return at }
        var time = max(0, at)
        // Any `maxPerSecond` launches within a second forbid the open interval in which one more would be
        // within a second of all of them: from the last one less a second to the first one and a second.
        var first = firstLaunch(after: time - Self.second)
        while first + maxPerSecond <= launches.count {
            let from = launches[first]
            let to = launches[first + maxPerSecond - 1]
            // The intervals' beginnings ascend.
            if to - Self.second >= time { break }
            if to - from < Self.second && from + Self.second > time { time = from + Self.second }
            first += 1
        }
        return time
    }

    /// The earliest start, not before `at`, of `count` launches exactly `gap` apart that keeps the ceiling;
    /// nil when they break it by themselves.
    public func earliestRun(count: Int, at: Int64, gap: Int64) -> Int64? {
        guard count > 1 else { return earliest(at: at) }
        let gap = max(0, gap)
        if count > maxPerSecond && saturatingProduct(maxPerSecond, gap) < Self.second { return nil }
        guard at < Self.endOfTime, saturatingProduct(count, gap) < Self.endOfTime / 2 else { return at }
        var start = max(0, at)
        while start < Self.endOfTime {
            let next = startAfterConflicts(of: Run(start: start, count: count, gap: gap))
            if next == start { break }
            start = next
        }
        return start
    }

    /// Notes a launch that was decided on.
    public func record(launch: Int64) {
        let time = min(max(0, launch), Self.endOfTime)
        // Nearly always it is the latest.
        if let last = launches.last, last > time {
            launches.insert(time, at: firstLaunch(after: time))
        } else {
            launches.append(time)
        }
        if count > Self.mostKept { head += 1 }
        compact()
    }

    /// Notes all launches of a run.
    public func recordRun(count: Int, at: Int64, gap: Int64) {
        for index in 0..<max(0, count) {
            record(launch: saturatingSum(at, saturatingProduct(index, max(0, gap))))
        }
    }

    /// Forgets what can no longer matter to a launch at `now` or later.
    public func forget(before now: Int64) {
        let bound = saturatingSum(now, -Self.second)
        while head < launches.count && launches[head] <= bound { head += 1 }
        compact()
    }

    /// Places what `measurement` wants to launch next, not before `now`, and notes it; nil when it is a train
    /// that can never keep the ceiling. To be called while its `nextLaunch` is not nil, and followed by its
    /// `launch` at the returned time.
    public func place(_ measurement: any Measurement, now: Int64) -> Int64? {
        guard let wanted = measurement.nextLaunch else { return nil }
        switch measurement.launchPolicy {
        case .placed:
            return wanted
        case .each:
            let time = earliest(at: max(wanted, now))
            record(launch: time)
            return time
        case .run(let count, let gap):
            guard let start = earliestRun(count: count, at: max(wanted, now), gap: gap) else { return nil }
            recordRun(count: count, at: start, gap: gap)
            return start
        }
    }

    /// Index of the first launch later than `time`.
    private func firstLaunch(after time: Int64) -> Int {
        var low = head
        var high = launches.count
        while low < high {
            let middle = low + (high - low) / 2
            if launches[middle] > time { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private func compact() {
        if head == launches.count {
            launches.removeAll(keepingCapacity: true)
        } else if head >= 256 && head * 2 >= launches.count {
            launches.removeFirst(head)
        } else {
            return
        }
        head = 0
    }

    // MARK: - Runs

    private struct Run {
        var start: Int64
        var count: Int
        var gap: Int64

        func launch(_ index: Int) -> Int64 { start + Int64(index) * gap }
    }

    /// A place in the run and the launches merged by time.
    private struct Cursor {
        var inRun = 0
        var inLaunches: Int
    }

    /// The run's start if it keeps the ceiling there, else the earliest that any conflict there leaves open.
    private func startAfterConflicts(of run: Run) -> Int64 {
        var start = run.start
        let first = firstLaunch(after: run.start - Self.second)
        var lead = Cursor(inLaunches: first)
        var lag = Cursor(inLaunches: first)
        var taken = 0
        // Every `maxPerSecond` + 1 neighbours, the lead on the last and the lag on the first of them.
        while lag.inRun < run.count, let last = advance(&lead, of: run) {
            taken += 1
            if taken <= maxPerSecond { continue }
            let oldest = lag
            guard let earliest = advance(&lag, of: run) else { break }
            if last - earliest >= Self.second || lead.inRun == oldest.inRun { continue }
            // There is one of the others among them: the run keeps the ceiling by itself. As long as
            // the run's last one here is within a second of the first of the others, the conflict stays.
            guard oldest.inLaunches < lead.inLaunches else { continue }
            let shift = launches[oldest.inLaunches] + Self.second - Int64(lead.inRun - 1) * run.gap
            start = max(start, shift)
        }
        return start
    }

    private func advance(_ cursor: inout Cursor, of run: Run) -> Int64? {
        let other = cursor.inLaunches < launches.count ? launches[cursor.inLaunches] : Int64.max
        if cursor.inRun < run.count {
            let own = run.launch(cursor.inRun)
            if own < other {
                cursor.inRun += 1
                return own
            }
        }
        guard cursor.inLaunches < launches.count else { return nil }
        cursor.inLaunches += 1
        return other
    }
}
