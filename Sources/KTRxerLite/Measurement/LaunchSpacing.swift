// SPDX-License-Identifier: MIT
// The launch rate of one trace: a burst at the start, then an even pace, and never more than the rate in
// any second. The ceiling over all measurements is Pacer.swift's.

/// A token bucket, kept as the time at which it will be full (the generic cell rate algorithm, ITU-T
/// I.371): a quarter of the rate as a burst, the rest as the refill of a second.
struct LaunchSpacing {
    /// ns in which one token comes back, and how far ahead of an even pace a launch may be.
    private let refill: Int64
    private let tolerance: Int64
    private let shortestGap: Int64
    private var fullAt = Int64.min
    /// Earliest next launch, CLOCK_MONOTONIC ns; `Int64.min` before the first.
    private(set) var earliest = Int64.min

    /// Short enough for eight hops of three probes within 50 ms, long enough for the answers of a near
    /// target to stop the rest.
    private static let burstGap: Int64 = 2_000_000
    private static let second: Int64 = 1_000_000_000

    /// - Parameter rate: launches a second, 1...10,000; what is beyond is taken as the nearest.
    init(rate: Int) {
        let rate = Int64(min(max(rate, 1), 10_000))
        let burst = max(1, rate / 4)
        let steady = rate - burst + 1
        refill = (Self.second + steady - 1) / steady
        tolerance = (burst - 1) * refill
        shortestGap = min(Self.burstGap, Self.second / rate)
    }

    mutating func record(launch: Int64) {
        fullAt = saturatingSum(max(fullAt, launch), refill)
        earliest = max(saturatingSum(launch, shortestGap), saturatingSum(fullAt, -tolerance))
    }
}
