// SPDX-License-Identifier: MIT
// Kernel stamps by the wall clock, around a step of it.
import Testing

@testable import KTRxerLite

@Suite struct ClockMappingTests {
    static let millisecond: Int64 = 1_000_000
    /// CLOCK_MONOTONIC of now, some time after the start of the measurement.
    static let now: Int64 = 5_000 * millisecond
    static let opened: Int64 = 1_000 * millisecond

    /// The wall clock was `before` ahead of CLOCK_MONOTONIC and has been stepped by `step`.
    static func monotonic(before: Int64 = 1_700_000_000_000_000_000, step: Int64, stamped: Int64, afterStep: Bool)
        -> Int64?
    {
        let mapping = ClockMapping(offset: before + step, offsetBeforeStep: before)
        return mapping.monotonic(
            realtime: stamped + before + (afterStep ? step : 0), notBefore: opened, notAfter: now)
    }

    /// Whichever side of the step a packet was stamped on, and whichever way the clock went.
    @Test(arguments: [2, 1_500, 3_500, 3_600_000], [true, false])
    func recentStamps(milliseconds: Int64, afterStep: Bool) {
        let stamped = Self.now - 300_000
        for step in [milliseconds * Self.millisecond, -milliseconds * Self.millisecond] {
            #expect(Self.monotonic(step: step, stamped: stamped, afterStep: afterStep) == stamped, "\(step)")
        }
    }

    @Test func whatNeitherSettingExplains() {
        let mapping = ClockMapping(offset: 10, offsetBeforeStep: 10)
        #expect(mapping.monotonic(realtime: 0, notBefore: Self.opened, notAfter: Self.now) == nil)
        #expect(mapping.monotonic(realtime: Self.now * 2, notBefore: Self.opened, notAfter: Self.now) == nil)
    }

    /// Both clocks were read at different moments: a little outside is at the edge.
    @Test func heldBetweenTheInstants() {
        let mapping = ClockMapping(offset: 0, offsetBeforeStep: 0)
        #expect(mapping.monotonic(realtime: Self.now + 100_000, notBefore: Self.opened, notAfter: Self.now) == Self.now)
        #expect(
            mapping.monotonic(realtime: Self.opened - 100_000, notBefore: Self.opened, notAfter: Self.now)
                == Self.opened)
    }
}
