// SPDX-License-Identifier: MIT
// Months of mixed schedules with daylight saving, clock steps, suspensions, runs that take long, and reloads:
// at every wake-up, what starts and what is skipped is what a plain model says. The model of the cron side is Vixie cron's
// main loop (cron.c) written down again, with Foundation's calendar.
import Foundation
import KTRxerLite
import Testing

@testable import ktrxer_agent

/// Vixie cron's `virtualTime` and `timeRunning`, in local minutes.
private struct PlainVixie {
    var virtual: Int64
    var running: Int64

    /// The minutes for which `find_jobs` is called: minute, with wildcard jobs, with jobs of fixed times.
    mutating func wake(_ clock: Int64) -> [(Int64, Bool, Bool)] {
        if clock == running { return [] }
        running = clock
        let difference = running - virtual
        var calls: [(Int64, Bool, Bool)] = []
        if difference == 1 {
            virtual = running
            calls.append((virtual, true, true))
        } else if difference > 180 || difference <= -180 {
            virtual = running
            calls.append((running, true, true))
        } else if difference > 5 {
            calls.append((running, true, false))
            while virtual < running {
                virtual += 1
                calls.append((virtual, false, true))
            }
        } else if difference > 0 {
            while virtual < running {
                virtual += 1
                calls.append((virtual, true, true))
            }
        } else {
            calls.append((running, true, false))
        }
        return calls
    }
}

private let calendar: Calendar = {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(secondsFromGMT: 0)!
    return calendar
}()

/// Dates by local minute; each day is asked of the calendar once.
private struct Dates {
    private var days: [Int64: Walk] = [:]

    subscript(minute: Int64) -> Walk {
        mutating get {
            let day = minute / 1_440
            var date = days[day] ?? Self.date(ofDay: day)
            days[day] = date
            date.hour = Int(minute % 1_440 / 60)
            date.minute = Int(minute % 60)
            return date
        }
    }

    private static func date(ofDay day: Int64) -> Walk {
        let parts = calendar.dateComponents(
            [.month, .day, .weekday], from: Date(timeIntervalSince1970: Double(day * 86_400)))
        var walk = Walk()
        walk.month = parts.month!
        walk.day = parts.day!
        walk.weekday = parts.weekday! - 1
        return walk
    }
}

/// What the model knows of one job.
private struct PlainJob {
    let name: String
    var cron: PlainCron?
    var wildcard = false
    var interval: Int64 = 0
    var phase: Int64 = 0
    var splay: Int64 = 0
    /// Boottime at which it began.
    var base: Int64 = 0
    var runs: UInt64 = 0
    /// Due times that the model has seen.
    var dues: UInt64 = 0
    var finishAt: Int64?

    var schedule: Schedule
}

@Suite struct ScheduleMonthTests {
    private func jobs(base: Int64) -> [PlainJob] {
        let crons = [
            "*/5 * * * *", "30 2 * * *", "0,15,30,45 1-4 * * *", "7 * * * *", "* 3 * * sun", "0 0 1 * *",
            "59 23 * * *",
            "0 */2 * * mon-fri", "10 2 29 3 sun", "20-40/4 2,3 25 10 *",
        ]
        let intervals: [(Int64, Int64, Int64)] = [
            (minute, 0, 0), (10 * minute, 3 * minute, 0), (hour, 0, 30 * minute), (7 * hour, hour, 0),
            (90 * second, 10 * second, 89 * second), (30 * 24 * hour, second, 0),
        ]
        return crons.map { text in
            PlainJob(
                name: "cron \(text)", cron: PlainCron(text),
                wildcard: text.split(separator: " ")[0...1].contains { $0.hasPrefix("*") }, schedule: at(text)
            )
        }
            + intervals.map { interval, phase, splay in
                PlainJob(
                    name: "interval \(interval) \(phase) \(splay)", interval: interval, phase: phase,
                    splay: splay, base: base,
                    schedule: every(interval, phase: phase, splay: splay))
            }
    }

    /// 31 days from 1 March, with the change to summer time, and from 1 October, with that back; each quiet, and rough.
    @Test(
        arguments: [
            (20_513, false, 1), (20_513, true, 2), (20_727, false, 4), (20_727, true, 5),
        ] as [(Int64, Bool, UInt64)])
    func everyRunOfAMonth(_ day: Int64, _ rough: Bool, _ seed: UInt64) {
        var generator = FixedGenerator(state: seed)
        var machine = Machine(day: day)
        machine.zone = berlin
        var plain = jobs(base: machine.boottime)
        let jobs = plain.map { job($0.name, $0.schedule) }
        var scheduler = Scheduler(jobs, now: machine.now, seed: seed)
        var vixie = PlainVixie(virtual: machine.localMinute, running: machine.localMinute)
        let end = machine.boottime + 31 * 24 * hour
        var nextEvent = rough ? machine.boottime + hour : end
        var wakes = 0
        var dates = Dates()

        while machine.boottime < end {
            wakes += 1
            // The model first: how often each job is due in this wake-up.
            var dues = [UInt64](repeating: 0, count: plain.count)
            for (at, wild, fixed) in vixie.wake(machine.localMinute) {
                let when = dates[at]
                for index in 0..<plain.count where plain[index].wildcard ? wild : fixed {
                    if plain[index].cron?.matches(when) == true { dues[index] += 1 }
                }
            }
            for index in 0..<plain.count where plain[index].cron == nil && plain[index].splay == 0 {
                let since = machine.boottime - plain[index].base - plain[index].phase
                let total = since < 0 ? 0 : UInt64(since / plain[index].interval + 1)
                dues[index] = total - plain[index].dues
            }

            let before = (0..<plain.count).map { scheduler.skipped($0) }
            let started = scheduler.due(machine.now).map(\.job)
            if Set(started).count != started.count { Issue.record("started twice: \(started)") }
            for index in 0..<plain.count {
                let starts: UInt64 = started.contains(index) ? 1 : 0
                let skips = scheduler.skipped(index) - before[index]
                if plain[index].splay > 0 {
                    dues[index] = starts + skips
                } else if starts + skips != dues[index] {
                    Issue.record(
                        "\(plain[index].name): \(starts) started, \(skips) skipped, \(dues[index]) due")
                    return
                }
                if starts != (dues[index] > 0 && plain[index].finishAt == nil ? 1 : 0) {
                    Issue.record(
                        "\(plain[index].name): \(starts) started while running: \(plain[index].finishAt != nil)"
                    )
                    return
                }
                plain[index].dues += dues[index]
                plain[index].runs += starts
                if starts > 0 {
                    let length = rough ? Int64.random(in: 0...(150 * second), using: &generator) : second
                    plain[index].finishAt = machine.boottime + length
                }
                if plain[index].splay > 0 {
                    // Between what must have come and what may have.
                    let since = machine.boottime - plain[index].base - plain[index].phase
                    let sure =
                        since < plain[index].splay
                        ? 0 : (since - plain[index].splay) / plain[index].interval + 1
                    let possible = max(0, since) / plain[index].interval + 1
                    if plain[index].dues < UInt64(sure) || plain[index].dues > UInt64(possible) {
                        Issue.record("\(plain[index].name): \(plain[index].dues) runs, of \(sure) to \(possible)")
                        return
                    }
                }
            }

            // Then time passes, to what comes next.
            machine.boottime = max(machine.boottime, min(scheduler.nextWake(machine.now), nextEvent, end))
            for index in 0..<plain.count {
                if let finish = plain[index].finishAt, finish <= machine.boottime {
                    plain[index].finishAt = nil
                    scheduler.finished(index)
                }
            }
            if machine.boottime >= nextEvent && rough {
                nextEvent = machine.boottime + Int64.random(in: minute...(16 * hour), using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: machine.ahead += Int64.random(in: -5...5, using: &generator) * minute
                case 1: machine.ahead += Int64.random(in: -4 * hour...4 * hour, using: &generator)
                case 2: machine.boottime += Int64.random(in: 0...(5 * hour), using: &generator)
                default:
                    // A reload of the same file changes nothing.
                    #expect(scheduler.reload(jobs, now: machine.now) == Array(0..<jobs.count))
                }
            }
        }
        for (index, job) in plain.enumerated() {
            #expect(job.runs + scheduler.skipped(index) == job.dues, "\(job.name)")
            #expect(
                job.runs > 0 || job.name.contains("29 3") || job.name.contains("25 10") || rough,
                "\(job.name)")
        }
        if !rough {
            // The wall clock's month has an hour less, or more, than 31 days of real time; a job each minute has neither.
            #expect(plain[10].runs == 31 * 24 * 60)
            #expect(plain[0].runs == 31 * 24 * 12 - 1)
            #expect(plain[1].runs == 31)
            #expect(wakes < 31 * 24 * 60 * 6)
        }
    }

    @Test func tenThousandJobs() {
        var jobs: [Job] = []
        for number in 0..<5_000 {
            jobs.append(
                job(
                    "i\(number)",
                    every(Int64(300 + number % 600) * second, phase: Int64(number % 300) * second)))
            jobs.append(job("c\(number)", at("\(number % 60) \(number % 24) * * *")))
        }
        var machine = Machine(day: 20_000)
        var scheduler = Scheduler(jobs, now: machine.now, seed: 1)
        let clock = ContinuousClock()
        var runs = 0
        let spent = clock.measure {
            simulate(&scheduler, &machine, until: machine.boottime + 20 * minute) { _, _ in runs += 1 }
        }
        #expect(runs > 10_000)
        #expect(spent < .seconds(60))
        // Asking when to wake does not look at every job.
        let asking = clock.measure {
            var sum: Int64 = 0
            for _ in 0..<10_000 { sum &+= scheduler.nextWake(machine.now) }
            #expect(sum != 0)
        }
        #expect(asking < .seconds(2))
        let reloading = clock.measure {
            #expect(scheduler.reload(jobs, now: machine.now) == Array(0..<jobs.count))
        }
        #expect(reloading < .seconds(5))
    }
}
