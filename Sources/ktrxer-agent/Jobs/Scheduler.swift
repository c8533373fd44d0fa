// SPDX-License-Identifier: MIT
// When each job of the running agent starts. A state machine over clock readings: it reads no clock and
// sleeps nowhere. Interval jobs go by CLOCK_BOOTTIME; cron jobs by local wall-clock minutes, and what these
// do when the clock is set is in CronClock.swift.
import KTRxerLite

/// The clocks at one instant.
struct ClockReading {
    /// CLOCK_BOOTTIME, ns.
    var boottime: Int64
    /// CLOCK_REALTIME, ns since 1970.
    var realtime: Int64
    /// Seconds east of UTC of local time at this instant.
    var utcOffset: Int32
}

/// A job to be started.
struct DueJob: Equatable {
    /// Position in the jobs that the scheduler was given.
    var job: Int
    /// When it was due, CLOCK_REALTIME ns by the clock of now.
    var scheduled: Int64
}

final class Scheduler {
    private enum Clock { case none, interval, cron, start }

    /// One job's place in time. Times are CLOCK_BOOTTIME ns.
    private final class Entry {
        let name: ByteText
        let schedule: Schedule
        var clock = Clock.none
        var running = false
        /// Interval: the nominal time of the next run, and that with its splay.
        var slot: Int64 = 0
        var due = Int64.max
        var skipped: UInt64 = 0

        init(_ job: Job) {
            name = job.name
            schedule = job.schedule
        }
    }

    private var entries: [Entry] = []
    /// The earliest `due` of all interval jobs, so that asking costs nothing.
    private var earliest = Int64.max
    /// Jobs at start that have not been handed out.
    private var startPending = false
    private var cronClock: CronClock
    private var hasCron = false
    private var random: SplayRandom

    /// `seed`: random, one for each start, for the splay.
    init(_ jobs: [Job], now: ClockReading, seed: UInt64) {
        random = SplayRandom(seed)
        cronClock = CronClock(now)
        for job in jobs { insert(job, now: now, atStart: true) }
        settle()
    }

    /// Due times of a job that got no run of their own: it was still running, or several came together
    /// (after a suspension, or a jump of the clock).
    func skipped(_ job: Int) -> UInt64 { job < entries.count ? entries[job].skipped : 0 }

    func isRunning(_ job: Int) -> Bool { job < entries.count && entries[job].running }

    /// The jobs to start now. Each counts as running until `finished`.
    func due(_ now: ClockReading) -> [DueJob] {
        var due: [DueJob] = []
        if startPending {
            startPending = false
            for job in 0..<entries.count where entries[job].clock == .start {
                start(job, at: now.realtime, &due)
            }
        }
        if now.boottime >= earliest {
            for job in 0..<entries.count where entries[job].due <= now.boottime {
                let nominal = entries[job].due
                advance(job, past: now.boottime)
                start(job, at: now.realtime &- (now.boottime &- nominal), &due)
            }
            settle()
        }
        if hasCron {
            let steps = cronClock.advance(to: now)
            if steps.count > 0 { startCron(steps, now, &due) }
        }
        return due
    }

    /// CLOCK_BOOTTIME ns at which `due` is to be asked next, if nothing else happens before.
    func nextWake(_ now: ClockReading) -> Int64 {
        if startPending { return now.boottime }
        return hasCron ? min(earliest, cronClock.nextMinute(now)) : earliest
    }

    /// The job's run has ended.
    func finished(_ job: Int) {
        if job < entries.count { entries[job].running = false }
    }

    /// Takes a new job file. Jobs of the same name and schedule go on as they were; a job of the same name
    /// that is running counts as running still; others begin as after a start, but `at start` jobs do not run.
    /// Returns the new position of each old job, or -1 when it is gone.
    func reload(_ jobs: [Job], now: ClockReading) -> [Int] {
        let old = entries
        var names: [ByteText] = []
        for entry in old { names.append(entry.name) }
        let index = NameIndex(names)
        var positions = [Int](repeating: -1, count: old.count)
        entries = []
        // Without cron jobs nobody looked at the clock.
        if !hasCron { cronClock = CronClock(now) }
        hasCron = false
        for job in jobs {
            insert(job, now: now, atStart: false)
            guard let place = index.find(job.name, in: names) else { continue }
            let new = entries.count - 1
            positions[place] = new
            if old[place].clock == entries[new].clock && old[place].schedule == job.schedule {
                entries[new] = old[place]
            } else {
                entries[new].running = old[place].running
                entries[new].skipped = old[place].skipped
            }
        }
        settle()
        return positions
    }

    @inline(never)
    private func insert(_ job: Job, now: ClockReading, atStart: Bool) {
        let entry = Entry(job)
        if job.enabled {
            switch job.schedule {
            case .interval(_, let phase, let splay):
                entry.clock = .interval
                entry.slot = now.boottime &+ phase
                entry.due = entry.slot &+ random.next(below: splay)
            case .cron:
                entry.clock = .cron
                hasCron = true
            case .atStart:
                entry.clock = .start
                if atStart { startPending = true }
            }
        }
        entries.append(entry)
    }

    private func start(_ job: Int, at scheduled: Int64, _ due: inout [DueJob]) {
        let entry = entries[job]
        if entry.running {
            entry.skipped += 1
        } else {
            entry.running = true
            due.append(DueJob(job: job, scheduled: scheduled))
        }
    }

    /// Moves an interval job to its next time after `now`; times that have passed meanwhile are skipped.
    private func advance(_ job: Int, past now: Int64) {
        let entry = entries[job]
        guard case .interval(let interval, _, let splay) = entry.schedule else { return }
        entry.slot &+= interval
        let behind = now &- entry.slot
        if behind >= interval {
            // Whole intervals ago: with any splay they are over.
            let passed = behind / interval
            entry.slot &+= passed &* interval
            entry.skipped += UInt64(passed)
        }
        entry.due = entry.slot &+ random.next(below: splay)
        if entry.due <= now {
            entry.skipped += 1
            entry.slot &+= interval
            entry.due = entry.slot &+ random.next(below: splay)
        }
    }

    /// Runs through the minutes that the clock has come to. A job that is due in several of them starts
    /// once: it counts as running at the second.
    private func startCron(_ steps: CronSteps, _ now: ClockReading, _ due: inout [DueJob]) {
        for step in 0..<steps.count {
            let minute = steps.first &+ Int64(step)
            let isCurrent = minute == steps.current
            let time = CronMinute(localMinute: minute)
            for job in 0..<entries.count where entries[job].clock == .cron {
                guard case .cron(let expression) = entries[job].schedule else { continue }
                let runs =
                    expression.isWildcard ? (isCurrent ? steps.wildcard : steps.wildcardEach) : steps.fixed
                if runs && expression.matches(time) {
                    let scheduled = (minute &* 60 &- Int64(now.utcOffset)) &* 1_000_000_000
                    start(job, at: scheduled, &due)
                }
            }
        }
    }

    private func settle() {
        earliest = Int64.max
        for entry in entries where entry.due < earliest { earliest = entry.due }
    }
}

/// Random numbers for the splay: splitmix64 (Steele, Lea, Flood, OOPSLA 2014). No secret depends on them.
struct SplayRandom {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    /// 0 up to but not including `bound`; 0 when `bound` is.
    mutating func next(below bound: Int64) -> Int64 {
        if bound <= 0 { return 0 }
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return Int64(mixed % UInt64(bound))
    }
}
