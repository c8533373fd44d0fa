// SPDX-License-Identifier: MIT
// `run --due`: what is due since the last run, by a state that may be missing, torn, or of another time.
import KTRxerLite
import Testing

@testable import ktrxer_agent

/// A device on which crond calls `run --due`, with the state file in between.
private struct Crond {
    var machine: Machine
    var file = ByteText()
    var boot = "boot-1"

    /// One call: the names of the jobs that run.
    mutating func run(_ jobs: [Job]) -> [String] {
        let state = DueState(file) ?? DueState()
        let (due, next) = state.decide(jobs, now: machine.now, boot: ByteText(boot), seed: 12_345)
        file = next.text
        #expect(DueState(file) != nil, "\(string(file))")
        for job in due { #expect(job.scheduled <= machine.now.realtime) }
        return due.map { string(jobs[$0.job].name) }
    }

    /// Calls it at each full step of wall-clock time until `duration` has passed: minutes since the beginning at
    /// which each job ran.
    mutating func run(_ jobs: [Job], every step: Int64, for duration: Int64) -> [String: [Int64]] {
        var runs: [String: [Int64]] = [:]
        let begin = machine.boottime
        while machine.boottime - begin < duration {
            for name in run(jobs) { runs[name, default: []].append((machine.boottime - begin) / minute) }
            machine.boottime += step
        }
        return runs
    }
}

@Suite struct ScheduleDueTests {
    @Test func intervalsUnderCrond() {
        var crond = Crond(machine: Machine(day: 20_000, minute: 1))
        let jobs = [
            job("five", every(5 * minute)), job("phased", every(hour, phase: 20 * minute)),
            job("daily", every(24 * hour)),
        ]
        let runs = crond.run(jobs, every: minute, for: 3 * hour)
        // At once, for they never ran; then by the wall clock, which began a minute past the hour.
        #expect(runs["five"] == [0] + Array(stride(from: 4, to: 180, by: 5)))
        #expect(runs["phased"] == [0, 19, 79, 139])
        #expect(runs["daily"] == [0])
    }

    @Test func rareCallsRunEachJobOnce() {
        var crond = Crond(machine: Machine(day: 20_000))
        let jobs = [
            job("minutely", every(minute)), job("cron", at("*/10 * * * *")), job("night", at("30 2 * * *")),
        ]
        #expect(crond.run(jobs) == ["minutely", "cron"])
        crond.machine.boottime += 61 * minute
        #expect(crond.run(jobs) == ["minutely", "cron"])
        crond.machine.boottime += 3 * 24 * hour
        #expect(crond.run(jobs) == ["minutely", "cron", "night"])
        #expect(crond.run(jobs) == [])
    }

    @Test func cronUnderCrondIsEveryMatch() throws {
        let texts = ["*/7 * * * *", "0 4 * * *", "15,45 9-17 * * mon-fri", "59 23 31 * *", "* 12 1 * *"]
        let jobs = texts.enumerated().map { job("j\($0.offset)", at($0.element)) }
        var crond = Crond(machine: Machine(day: 20_001))
        let runs = crond.run(jobs, every: minute, for: 40 * 24 * hour)
        let first = 20_001 * 1_440 as Int64
        for (index, text) in texts.enumerated() {
            let expression = try #require(cron(text))
            let expected = (0..<Int64(40 * 1_440)).filter {
                expression.matches(CronMinute(localMinute: first + $0))
            }
            #expect(runs["j\(index)"] ?? [] == expected, "\(text)")
        }
    }

    @Test func splayIsSpreadAndSteady() {
        var crond = Crond(machine: Machine(day: 20_000))
        let jobs = [job("a", every(hour, splay: 50 * minute)), job("b", every(hour, splay: 50 * minute))]
        let runs = crond.run(jobs, every: minute, for: 400 * hour)
        for name in ["a", "b"] {
            let times = (runs[name] ?? []).dropFirst()
            #expect(times.map { $0 / 60 } == Array(times.first! / 60..<400), "\(name)")
            #expect(Set(times.map { $0 % 60 }).count > 30)
        }
        #expect(runs["a"] != runs["b"])
    }

    @Test func startJobsRunOnceABoot() {
        var crond = Crond(machine: Machine(day: 20_000))
        let jobs = [job("start", .atStart)]
        #expect(crond.run(jobs) == ["start"])
        #expect(crond.run(jobs) == [])
        crond.machine.boottime += 24 * hour
        #expect(crond.run(jobs) == [])
        crond.boot = "boot-2"
        #expect(crond.run(jobs) == ["start"])
        #expect(crond.run(jobs + [job("another", .atStart)]) == ["another"])
        #expect(crond.run(jobs) == [])
    }

    @Test func clockSetBackDoesNotRepeat() {
        for back in [minute, hour, 179 * minute] {
            var crond = Crond(machine: Machine(day: 20_000, minute: 12 * 60))
            let jobs = [job("i", every(10 * minute)), job("c", at("*/10 * * * *"))]
            _ = crond.run(jobs, every: minute, for: 61 * minute)
            crond.machine.ahead -= back
            let runs = crond.run(jobs, every: minute, for: 4 * hour)
            let silence = back / minute
            for name in ["i", "c"] {
                #expect((runs[name]?.first ?? -1) >= silence, "\(name) \(back)")
                #expect((runs[name]?.first ?? -1) < silence + 10, "\(name) \(back)")
            }
        }
    }

    @Test func clockSetFarBackIsTakenOver() {
        var crond = Crond(machine: Machine(day: 20_000, minute: 12 * 60))
        let jobs = [
            job("i", every(10 * minute)), job("now", at("0 8 * * *")), job("later", at("5 8 * * *")),
            job("day", every(24 * hour)),
        ]
        _ = crond.run(jobs, every: minute, for: 30 * minute)
        crond.machine.boottime = 40 * second
        crond.machine.ahead -= 4 * hour
        #expect(crond.run(jobs) == ["i", "now"])
        crond.machine.boottime += 5 * minute
        #expect(crond.run(jobs) == ["later"])
        // Twenty years back, to the date at which the firmware was built.
        crond.machine.ahead -= 20 * 365 * 24 * hour + minute
        #expect(crond.run(jobs) == ["i", "day"])
    }

    @Test func clockSetForwardRunsOnceWhatWasJumpedOver() {
        var crond = Crond(machine: Machine(day: 0, minute: 5))
        let jobs = [job("i", every(10 * minute)), job("c", at("0 4 * * *")), job("later", at("0 6 * * sun"))]
        // A router without a clock begins in 1970, until NTP has its say.
        #expect(crond.run(jobs) == ["i"])
        crond.machine.boottime += minute
        crond.machine.ahead = (20_000 * 1_440 + 300) * minute
        #expect(crond.run(jobs) == ["i", "c", "later"])
        crond.machine.boottime += minute
        #expect(crond.run(jobs) == [])
    }

    @Test func daylightSavingUnderCrond() {
        for day in [20_541, 20_751] as [Int64] {
            var crond = Crond(machine: Machine(day: day, minute: -60))
            crond.machine.zone = berlin
            let runs = crond.run([job("c", at("30 2 * * *"))], every: minute, for: 22 * hour)
            #expect(runs["c"]?.count == 1, "\(day)")
        }
    }

    @Test func jobsThatAreGoneVanish() {
        var crond = Crond(machine: Machine(day: 20_000))
        _ = crond.run([job("a", every(minute)), job("b", at("* * * * *")), job("c", .atStart)])
        #expect(string(crond.file).contains("\nb "))
        _ = crond.run([job("a", every(minute))])
        #expect(!string(crond.file).contains("b "))
        // A disabled job keeps its place.
        let file = crond.file
        #expect(crond.run([job("a", every(minute), enabled: false)]) == [])
        #expect(crond.file == file)
    }

    @Test func theFile() throws {
        var crond = Crond(machine: Machine(day: 20_000))
        crond.boot = "6a1b 2c\n"
        let jobs = [job("end", every(minute)), job("b", at("0 5 * * *")), job("c", .atStart)]
        _ = crond.run(jobs)
        #expect(
            string(crond.file) == """
                ktrxer-state 1 0000000000003039 6a1b2c
                end 1728000000
                b 1728000000
                c 1728000000
                end 3

                """)
        #expect(try #require(DueState(crond.file)).text == crond.file)
        #expect(string(DueState().text) == "ktrxer-state 1 0000000000000000 \nend 0\n")
    }

    @Test func fractionsOfSecondsDoNotRepeat() {
        var crond = Crond(machine: Machine(day: 20_000))
        let jobs = [job("a", every(minute + second / 2, phase: second / 3))]
        var runs = 0
        for _ in 0..<6_000 {
            runs += crond.run(jobs).count
            crond.machine.boottime += second / 10
        }
        #expect(runs == 10 || runs == 11)
    }

    @Test func tornAndForeignFilesAreNone() {
        var crond = Crond(machine: Machine(day: 20_000))
        _ = crond.run([job("a", every(minute)), job("end", every(minute)), job("z", at("@daily"))])
        for length in 0..<crond.file.count {
            #expect(DueState(ByteText(crond.file[..<length])) == nil, "\(length)")
        }
        #expect(DueState(crond.file + ByteText("x")) == nil)
        #expect(DueState(crond.file + crond.file) == nil)
        for text in [
            "", "\n", "ktrxer-state 2 0000000000003039 b\nend 0\n", "ktrxer-state 1 303 b\nend 0\n",
            "ktrxer-state 1 0000000000003039 b\na 5\nend 2\n",
            "ktrxer-state 1 0000000000003039 b\na -5\nend 1\n",
            "ktrxer-state 1 0000000000003039 b\na 99999999999999999999\nend 1\n",
            "ktrxer-state 1 0000000000003039 b\na 9223372036854775807\nend 1\n",
            "ktrxer-state 1 0000000000003039 b\na  5\nend 1\n",
            "ktrxer-state 1 0000000000003039 b c\nend 0\n",
            "ktrxer-state 1 000000000000303g b\nend 0\n", "{\"schema\":1}\n",
        ] {
            #expect(DueState(ByteText(text)) == nil, "\(text)")
        }
    }

    @Test func randomFilesNeverStopIt() {
        var generator = FixedGenerator(state: 3)
        var crond = Crond(machine: Machine(day: 20_000))
        let jobs = [
            job("a", every(minute)), job("b", at("0 0 29 2 *")), job("c", .atStart),
            job("d", every(366 * 24 * hour)),
        ]
        _ = crond.run(jobs)
        let original = crond.file
        for _ in 0..<20_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[place] =
                    Bool.random(using: &generator)
                    ? UInt8.random(in: 0x30...0x39, using: &generator)
                    : UInt8.random(in: 0...255, using: &generator)
            }
            guard let state = DueState(bytes) else { continue }
            let (due, next) = state.decide(jobs, now: crond.machine.now, boot: ByteText("boot-1"), seed: 1)
            #expect(due.count <= jobs.count)
            #expect(DueState(next.text) != nil)
        }
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 0..<200, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            #expect(DueState(bytes) == nil)
        }
    }

    @Test func tenThousandJobs() {
        var jobs: [Job] = []
        for number in 0..<10_000 {
            jobs.append(job("j\(number)", number % 2 == 0 ? every(minute) : at("0 0 29 2 *")))
        }
        var crond = Crond(machine: Machine(day: 20_000))
        let spent = ContinuousClock().measure {
            #expect(crond.run(jobs).count == 5_000)
            crond.machine.boottime += 2 * minute
            #expect(crond.run(jobs).count == 5_000)
        }
        #expect(spent < .seconds(10))
    }
}
