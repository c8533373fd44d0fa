// SPDX-License-Identifier: MIT
// The scheduler over simulated time: every due time is either run or counted, whatever the clocks do.
import KTRxerLite
import Testing

@testable import ktrxer_agent

let second: Int64 = 1_000_000_000
let minute: Int64 = 60 * second
let hour: Int64 = 3_600 * second

func job(_ name: String, _ schedule: Schedule, enabled: Bool = true) -> Job {
    Job(
        name: ByteText(name), line: 1, options: MeasurementOptions(kind: .ping), targets: [ByteText("h")],
        schedule: schedule, enabled: enabled)
}

func every(_ interval: Int64, phase: Int64 = 0, splay: Int64 = 0) -> Schedule {
    .interval(interval: interval, phase: phase, splay: splay)
}

func at(_ expression: String) -> Schedule {
    guard let parsed = cron(expression) else {
        Issue.record("\(expression)")
        return .atStart
    }
    return .cron(parsed)
}

/// A machine: time passes, and its wall clock can be set.
struct Machine {
    var boottime: Int64 = 40 * second
    /// Wall clock less boottime.
    var ahead: Int64
    /// Seconds east of UTC at a moment of UTC.
    var zone: (Int64) -> Int32 = { _ in 0 }

    /// UTC, such as 2026-03-29 00:00: days since 1970 and minutes.
    init(day: Int64, minute ofDay: Int64 = 0) { ahead = (day * 1_440 + ofDay) * minute - 40 * second }

    var now: ClockReading {
        let realtime = boottime + ahead
        return ClockReading(boottime: boottime, realtime: realtime, utcOffset: zone(realtime / second))
    }

    /// Minutes of local time since 1970.
    var localMinute: Int64 { (now.realtime + Int64(now.utcOffset) * second) / minute }
}

/// Central Europe in 2026: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC.
func berlin(_ utc: Int64) -> Int32 { utc >= 1_774_746_000 && utc < 1_792_890_000 ? 7_200 : 3_600 }

/// Runs a scheduler until `end` of boottime and tells `body` of each start. Jobs end at once.
func simulate(
    _ scheduler: inout Scheduler, _ machine: inout Machine, until end: Int64,
    _ body: (DueJob, Machine) -> Void
) {
    while true {
        for due in scheduler.due(machine.now) {
            body(due, machine)
            scheduler.finished(due.job)
        }
        let wake = scheduler.nextWake(machine.now)
        if wake > end {
            machine.boottime = end
            return
        }
        if wake <= machine.boottime { Issue.record("asked to be woken in the past") }
        machine.boottime = max(wake, machine.boottime + 1)
    }
}

@Suite struct SchedulerTests {
    @Test func intervalsArePhasedFromTheStart() {
        var machine = Machine(day: 20_000)
        var scheduler = Scheduler(
            [
                job("a", every(10 * second)), job("b", every(15 * second, phase: 4 * second)),
                job("c", .atStart),
            ],
            now: machine.now, seed: 1)
        var starts: [[Int64]] = [[], [], []]
        let begin = machine.boottime
        simulate(&scheduler, &machine, until: begin + minute - 1) { due, machine in
            starts[due.job].append((machine.boottime - begin) / second)
            #expect(due.scheduled == machine.now.realtime)
        }
        #expect(starts == [[0, 10, 20, 30, 40, 50], [4, 19, 34, 49], [0]])
    }

    @Test func intervalsDoNotSeeTheWallClock() {
        var generator = FixedGenerator(state: 1)
        var machine = Machine(day: 20_000)
        var scheduler = Scheduler([job("a", every(7 * second, phase: 3 * second))], now: machine.now, seed: 1)
        let begin = machine.boottime
        var expected = begin + 3 * second
        for _ in 0..<2_000 {
            simulate(&scheduler, &machine, until: machine.boottime + 11 * second) { _, machine in
                #expect(machine.boottime == expected)
                expected += 7 * second
            }
            machine.ahead += Int64.random(in: -100 * hour...100 * hour, using: &generator)
        }
        #expect(expected == begin + 3 * second + (2_000 * 11 - 3) / 7 * 7 * second + 7 * second)
        #expect(scheduler.skipped(0) == 0)
    }

    @Test func splayMovesEachRunWithinItsInterval() {
        var machine = Machine(day: 20_000)
        let splay = 10 * minute - 1
        var scheduler = Scheduler(
            [job("a", every(10 * minute, phase: minute, splay: splay))], now: machine.now, seed: 77)
        let begin = machine.boottime
        var slots: [Int64] = []
        var offsets = Set<Int64>()
        simulate(&scheduler, &machine, until: begin + 1_000 * 10 * minute) { _, machine in
            let sinceFirst = machine.boottime - begin - minute
            slots.append(sinceFirst / (10 * minute))
            offsets.insert(sinceFirst % (10 * minute) / minute)
        }
        #expect(slots == Array(0..<Int64(slots.count)))
        #expect(slots.count >= 999)
        #expect(offsets.count == 10)
        #expect(scheduler.skipped(0) == 0)
    }

    @Test func aJobNeverOverlapsItself() {
        var machine = Machine(day: 20_000)
        var scheduler = Scheduler(
            [job("a", every(second)), job("b", at("* * * * *"))], now: machine.now, seed: 1)
        #expect(scheduler.due(machine.now).map(\.job) == [0])
        for _ in 0..<125 {
            machine.boottime += second
            #expect(scheduler.due(machine.now).allSatisfy { $0.job == 1 })
        }
        #expect(scheduler.isRunning(0) && scheduler.isRunning(1))
        #expect(scheduler.skipped(0) == 125)
        #expect(scheduler.skipped(1) == 1)
        scheduler.finished(0)
        machine.boottime += second
        #expect(scheduler.due(machine.now).map(\.job) == [0])
        #expect(scheduler.skipped(0) == 125)
    }

    @Test func afterASuspensionEachJobRunsOnce() {
        var machine = Machine(day: 20_000)
        var scheduler = Scheduler(
            [job("a", every(minute)), job("b", every(10 * minute, splay: 9 * minute))], now: machine.now,
            seed: 5)
        simulate(&scheduler, &machine, until: machine.boottime + 30 * second) { _, _ in }
        let b = scheduler.isRunning(1) ? 1 : 0
        #expect(b == 0)
        // Ten days at once.
        machine.boottime += 10 * 24 * hour
        let due = scheduler.due(machine.now)
        #expect(due.map(\.job) == [0, 1])
        #expect(scheduler.skipped(0) == 10 * 24 * 60 - 1)
        #expect(scheduler.skipped(1) >= 10 * 24 * 6 - 2 && scheduler.skipped(1) <= 10 * 24 * 6)
        #expect(scheduler.nextWake(machine.now) == machine.boottime + 30 * second)
    }

    @Test func cronJobsOfTheMinuteOfTheStartDoNotRun() {
        var machine = Machine(day: 20_000, minute: 600)
        machine.boottime += 30 * second
        var scheduler = Scheduler(
            [job("a", at("0 10 * * *")), job("b", at("1 10 * * *"))], now: machine.now, seed: 1)
        #expect(scheduler.due(machine.now).isEmpty)
        #expect(scheduler.nextWake(machine.now) == machine.boottime + 30 * second)
        machine.boottime += 30 * second
        #expect(scheduler.due(machine.now) == [DueJob(job: 1, scheduled: machine.now.realtime)])
        // Asked again in the same minute, nothing is due again.
        scheduler.finished(1)
        machine.boottime += 5 * second
        #expect(scheduler.due(machine.now).isEmpty)
    }

    @Test func wakingALittleEarlyOrLateLosesNothing() {
        var generator = FixedGenerator(state: 9)
        var machine = Machine(day: 20_000)
        var scheduler = Scheduler(
            [job("a", at("* * * * *")), job("b", at("*/7 * * * *"))], now: machine.now, seed: 1)
        var counts = [0, 0]
        let begin = machine.localMinute
        for _ in 0..<20_000 {
            machine.boottime += Int64.random(in: 1...(minute + minute / 2), using: &generator)
            for due in scheduler.due(machine.now) {
                counts[due.job] += 1
                scheduler.finished(due.job)
            }
        }
        let minutes = machine.localMinute - begin
        #expect(Int64(counts[0]) + Int64(scheduler.skipped(0)) == minutes)
        let sevens = (begin + 1...machine.localMinute).filter { $0 % 60 % 7 == 0 }.count
        #expect(counts[1] + Int(scheduler.skipped(1)) == sevens)
    }

    /// A table of what runs when the clock is set at 12:10:30.
    @Test(
        arguments: [
            // Jumped over: fixed times once, wildcards not at all.
            (60, ["fixed 12:30", "fixed 12:30 13:05", "fixed now"]),
            (179, ["fixed 12:30", "fixed 12:30 13:05", "fixed now"]),
            // A matter of minutes: everything.
            (4, ["wild 12:12"]),
            // Set back: what has run does not run again.
            (-30, []), (-179, ["wild 12:12"]),
            // Another time altogether: it is taken over, with the jobs of its minute.
            (181, ["wild 12:12"]), (-181, []), (60 * 24 * 365, []), (-60 * 24 * 365, []),
        ] as [(Int64, [String])])
    func clockSteps(_ step: Int64, _ expected: [String]) {
        var machine = Machine(day: 20_000, minute: 12 * 60)
        let jobs = [
            job("fixed 12:30", at("30 12 * * *")), job("fixed 12:30 13:05", at("30,5 12,13 * * *")),
            job("fixed now", at("11 13 * * *")), job("wild 12:12", at("12 * * * *")),
            job("fixed 12:05", at("5 12 * * *")),
        ]
        var scheduler = Scheduler(jobs, now: machine.now, seed: 1)
        var early: [Int] = []
        simulate(&scheduler, &machine, until: machine.boottime + 10 * minute + 30 * second) { due, _ in
            early.append(due.job)
        }
        #expect(early == [1, 4])
        machine.ahead += step * minute
        machine.boottime += 30 * second
        var found: [String] = []
        for due in scheduler.due(machine.now) { found.append(string(jobs[due.job].name)) }
        // At 12:11 plus the step; a wildcard job of that very minute runs, whatever the step.
        #expect(found == expected, "\(step)")
    }

    @Test func setBackByHalfAnHourTheFixedJobsWaitAndTheWildcardsGoOn() {
        var machine = Machine(day: 20_000, minute: 12 * 60)
        let jobs = [job("fixed", at("5,20,35 12 * * *")), job("wild", at("*/5 * * * *"))]
        var scheduler = Scheduler(jobs, now: machine.now, seed: 1)
        var starts: [[Int64]] = [[], []]
        let record: (DueJob, Machine) -> Void = { due, machine in
            starts[due.job].append(machine.localMinute % 1_440 - 720)
        }
        simulate(&scheduler, &machine, until: machine.boottime + 25 * minute, record)
        machine.ahead -= 20 * minute
        simulate(&scheduler, &machine, until: machine.boottime + 36 * minute, record)
        #expect(starts[0] == [5, 20, 35])
        #expect(starts[1] == [5, 10, 15, 20, 25, 5, 10, 15, 20, 25, 30, 35, 40])
    }

    @Test func daylightSaving() {
        // 29 March 2026: 02:00 becomes 03:00. 25 October: 03:00 becomes 02:00.
        for (day, expected) in [(Int64(20_541), [180, 180, 600]), (20_751, [150, 120, 600])] {
            var machine = Machine(day: day, minute: -60)
            machine.zone = berlin
            let jobs = [
                job("02:30", at("30 2 * * *")), job("02:00", at("0 2 * * *")), job("10:00", at("0 10 * * *")),
                job("every 10", at("*/10 * * * *")), job("at hour", at("0 * * * *")),
            ]
            var scheduler = Scheduler(jobs, now: machine.now, seed: 1)
            var starts: [[Int]] = [[], [], [], [], []]
            simulate(&scheduler, &machine, until: machine.boottime + 22 * hour) { due, machine in
                starts[due.job].append(Int(machine.localMinute - (machine.localMinute / 1_440) * 1_440))
            }
            #expect(starts[0..<3].map { $0 } == expected.map { [$0] }, "\(day)")
            // By the wall clock, these go on through the change as they should: every ten minutes of real time.
            #expect(starts[3].count == 22 * 6)
            #expect(starts[4].count == 22)
        }
    }

    @Test func reloading() {
        var machine = Machine(day: 20_000)
        var scheduler = Scheduler(
            [
                job("same", every(10 * second)), job("changed", every(10 * second)),
                job("gone", every(3 * second)),
                job("start", .atStart), job("cron", at("* * * * *")),
            ], now: machine.now, seed: 1)
        #expect(scheduler.due(machine.now).map(\.job) == [3, 0, 1, 2])
        for done in [0, 2, 3] { scheduler.finished(done) }
        machine.boottime += 4 * second
        let positions = scheduler.reload(
            [
                job("new", .atStart), job("cron", at("* * * * *")), job("changed", every(20 * second)),
                job("same", every(10 * second)), job("start", .atStart),
                job("fresh", every(30 * second, phase: second)),
            ], now: machine.now)
        #expect(positions == [3, 2, -1, 4, 1])
        #expect(scheduler.isRunning(2) && !scheduler.isRunning(3))
        // "changed" begins anew, is due, and still runs from before; jobs at start do not run.
        #expect(scheduler.due(machine.now).isEmpty)
        #expect(scheduler.skipped(2) == 1)
        #expect(scheduler.nextWake(machine.now) == machine.boottime + second)
        machine.boottime += second
        #expect(scheduler.due(machine.now).map(\.job) == [5])
        machine.boottime += 5 * second
        #expect(scheduler.due(machine.now).map(\.job) == [3])
        // A finished job that is gone, and one that never was, do no harm.
        scheduler.finished(99)
        #expect(scheduler.skipped(99) == 0 && !scheduler.isRunning(99))
    }

    @Test func cronJobsAddedLaterDoNotCatchUp() {
        var machine = Machine(day: 20_000, minute: 60)
        var scheduler = Scheduler([job("a", every(hour))], now: machine.now, seed: 1)
        _ = scheduler.due(machine.now)
        machine.boottime += 90 * minute
        _ = scheduler.reload([job("a", every(hour)), job("b", at("0 2 * * *"))], now: machine.now)
        machine.boottime += minute
        #expect(scheduler.due(machine.now).allSatisfy { $0.job == 0 })
    }

    @Test func disabledJobsDoNotRun() {
        var machine = Machine(day: 20_000)
        var scheduler = Scheduler(
            [
                job("a", every(second), enabled: false), job("b", at("* * * * *"), enabled: false),
                job("c", .atStart, enabled: false),
            ], now: machine.now, seed: 1)
        #expect(scheduler.nextWake(machine.now) == Int64.max)
        machine.boottime += hour
        #expect(scheduler.due(machine.now).isEmpty)
        // Switched on by a reload, it begins then.
        _ = scheduler.reload([job("a", every(second))], now: machine.now)
        #expect(scheduler.due(machine.now).map(\.job) == [0])
    }
}
