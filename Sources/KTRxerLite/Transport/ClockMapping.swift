// SPDX-License-Identifier: MIT
// The kernel stamps packets with CLOCK_REALTIME; everything here counts CLOCK_MONOTONIC. This turns one
// into the other, also while somebody sets the clock.
import CKTRxer

/// The distance between the two clocks, now and before the last step of the wall clock.
struct ClockMapping {
    /// CLOCK_REALTIME - CLOCK_MONOTONIC, ns.
    private(set) var offset: Int64
    private var offsetBeforeStep: Int64
    /// The wall clock was set (not slewed) since this was made.
    private(set) var stepped = false

    /// A change by more than this between two readings is a step: no slewing is that fast.
    private static let stepThreshold: Int64 = 1_000_000
    /// How far a stamp may lie outside the instants between which it must have been taken. Both clocks
    /// were read at different moments.
    private static let tolerance: Int64 = 200_000

    init() {
        offset = Self.read()
        offsetBeforeStep = offset
    }

    private static func read() -> Int64 {
        let before = ktrxer_clock_monotonic()
        let wall = ktrxer_clock_realtime()
        let after = ktrxer_clock_monotonic()
        return wall &- (before + (after - before) / 2)
    }

    /// Reads both clocks again; called before a batch of stamps is converted.
    mutating func refresh() {
        let current = Self.read()
        if (current &- offset).magnitude > Self.stepThreshold.magnitude {
            offsetBeforeStep = offset
            stepped = true
        }
        offset = current
    }

    /// The CLOCK_MONOTONIC ns of a kernel stamp that was taken between two instants, or nil when
    /// neither the present nor the previous setting of the clock explains it.
    func monotonic(realtime: Int64, notBefore: Int64, notAfter: Int64) -> Int64? {
        for candidate in [offset, offsetBeforeStep] {
            let instant = realtime &- candidate
            if instant >= notBefore &- Self.tolerance && instant <= notAfter &+ Self.tolerance {
                return min(max(instant, notBefore), notAfter)
            }
        }
        return nil
    }
}
