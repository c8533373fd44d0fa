// SPDX-License-Identifier: MIT
// Vixie cron's virtual clock: which local minutes cron jobs are run for when wall-clock time goes on, stands,
// or jumps, by hand, by NTP or by daylight saving.
import KTRxerLite

/// The minutes to run jobs for, and which jobs.
struct CronSteps {
    /// Local minutes since 1970: the first, and how many one after another.
    var first: Int64 = 0
    var count = 0
    /// The minute that the clock shows now.
    var current: Int64 = 0
    /// Jobs of fixed times run for every minute.
    var fixed = false
    /// Wildcard jobs (`*` in minute or hour) run for the current minute, and for every minute.
    var wildcard = false
    var wildcardEach = false
}

struct CronClock {
    /// Up to here jobs of fixed times have been run, in local minutes since 1970.
    private var virtual: Int64
    /// The minute in which `advance` last did something.
    private var seen: Int64

    /// Minutes: a larger jump is a new time, not a detour of the old one.
    private static let largestJump: Int64 = 180
    /// Minutes: so late is only late.
    private static let late: Int64 = 5

    /// The minute of the start is over: its jobs are not run.
    init(_ now: ClockReading) {
        virtual = Self.minute(now)
        seen = virtual
    }

    /// Looks at the clock; nothing is to be done until its minute changes.
    mutating func advance(to now: ClockReading) -> CronSteps {
        let current = Self.minute(now)
        var steps = CronSteps()
        if current == seen { return steps }
        seen = current
        steps.current = current
        steps.first = current
        steps.count = 1
        steps.wildcard = true
        let difference = current &- virtual
        if difference > Self.largestJump || difference <= -Self.largestJump {
            // Set to another time: it is simply taken over.
            steps.fixed = true
            virtual = current
        } else if difference > 0 {
            // Late, or jumped over: jobs of fixed times run for the minutes missed. Wildcard jobs do so only
            // when it is a matter of minutes.
            steps.first = virtual + 1
            steps.count = Int(truncatingIfNeeded: difference)
            steps.fixed = true
            steps.wildcardEach = difference <= Self.late
            virtual = current
        }
        // Set back: jobs of fixed times have run already; `virtual` waits for the clock to come to it.
        return steps
    }

    /// CLOCK_BOOTTIME ns at which the next minute begins, if the wall clock is not set before.
    func nextMinute(_ now: ClockReading) -> Int64 {
        let minute: Int64 = 60_000_000_000
        let local = now.realtime &+ Int64(now.utcOffset) &* 1_000_000_000
        return now.boottime &+ (minute &- (local &- CronMinute.floorDivide(local, minute) &* minute))
    }

    private static func minute(_ now: ClockReading) -> Int64 {
        CronMinute.floorDivide(now.realtime &+ Int64(now.utcOffset) &* 1_000_000_000, 60_000_000_000)
    }
}
