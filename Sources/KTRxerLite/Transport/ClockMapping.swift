// SPDX-License-Identifier: MIT
// The kernel stamps packets with CLOCK_REALTIME; everything here counts CLOCK_MONOTONIC. This turns one
// into the other, also while somebody sets the clock.
import CKTRxer

/// The distance between the two clocks, now and before the last step of the wall clock.
struct ClockMapping {
    /// CLOCK_REALTIME - CLOCK_MONOTONIC, ns.
    private(set) var offset: Int64
    private var offsetBeforeStep: Int64

    /// A change by more than this between two readings is a step.
    static let stepThreshold: UInt64 = 1_000_000
    /// How far a stamp may lie outside the instants between which it must have been taken. Both clocks
    /// were read at different moments.
    private static let tolerance: Int64 = 200_000

    init() {
        let now = ktrxer_clock_offset()
        self.init(offset: now, offsetBeforeStep: now)
    }

    init(offset: Int64, offsetBeforeStep: Int64) {
        self.offset = offset
        self.offsetBeforeStep = offsetBeforeStep
    }

    /// Reads both clocks again; called before a batch of stamps is converted.
    mutating func refresh() {
        let current = ktrxer_clock_offset()
        if (current &- offset).magnitude > Self.stepThreshold { offsetBeforeStep = offset }
        offset = current
    }

    /// The CLOCK_MONOTONIC ns of a kernel stamp that was taken between two instants, or nil when
    /// neither the present nor the previous setting of the clock explains it.
    func monotonic(realtime: Int64, notBefore: Int64, notAfter: Int64) -> Int64? {
        // Where both explain it, the later one does: stamps are read soon after they were taken.
        var latest: Int64?
        for candidate in [offset, offsetBeforeStep] {
            let instant = realtime &- candidate
            if instant >= notBefore &- Self.tolerance && instant <= notAfter &+ Self.tolerance {
                latest = max(latest ?? instant, instant)
            }
        }
        return latest.map { min(max($0, notBefore), notAfter) }
    }
}
