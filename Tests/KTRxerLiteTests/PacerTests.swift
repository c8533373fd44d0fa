// SPDX-License-Identifier: MIT
import Testing

@testable import KTRxerLite

@Suite struct PacerTests {
    private let start = SimulatedPath.start

    /// Most launches in any [t, t + 1 s).
    private func busiestSecond(_ launches: [Int64]) -> Int {
        let sorted = launches.sorted()
        var most = 0
        var first = 0
        for (index, launch) in sorted.enumerated() {
            while sorted[first] <= launch - second { first += 1 }
            most = max(most, index - first + 1)
        }
        return most
    }

    /// The definition, tried at every instant that can be the earliest: where it is asked for, or a second
    /// after some launch (for one of the run).
    private func bruteForce(
        _ launches: [Int64], maximum: Int, count: Int, at: Int64, gap: Int64
    ) -> Int64? {
        var candidates = [at]
        for launch in launches {
            for index in 0..<count { candidates.append(launch + second - Int64(index) * gap) }
        }
        return candidates.filter { $0 >= at }.sorted().first { candidate in
            busiestSecond(launches + (0..<count).map { candidate + Int64($0) * gap }) <= maximum
        }
    }

    @Test func aBurstFillsTheSecondThenOneFollowsAnother() {
        var pacer = Pacer(maxPerSecond: 3)
        var launches: [Int64] = []
        for _ in 0..<9 {
            let launch = pacer.earliest(at: start)
            pacer.record(launch: launch)
            launches.append(launch - start)
        }
        #expect(launches == [0, 0, 0, second, second, second, 2 * second, 2 * second, 2 * second])
    }

    @Test func whatIsPromisedForLaterCounts() {
        var pacer = Pacer(maxPerSecond: 2)
        pacer.record(launch: start + 500 * millisecond)
        pacer.record(launch: start + 900 * millisecond)
        // With both of them within a second from 0: not before the first of them is a second old.
        #expect(pacer.earliest(at: start) == start + 1500 * millisecond)
        #expect(pacer.earliest(at: start - 100 * millisecond) == start - 100 * millisecond)
        #expect(pacer.earliest(at: start - 99 * millisecond) == start + 1500 * millisecond)
    }

    @Test func trainsAreAllOrNothing() {
        var pacer = Pacer(maxPerSecond: 10)
        #expect(pacer.earliestRun(count: 10, at: start, gap: 0) == start)
        #expect(pacer.earliestRun(count: 11, at: start, gap: 0) == nil)
        #expect(pacer.earliestRun(count: 11, at: start, gap: 99_999_999) == nil)
        #expect(pacer.earliestRun(count: 11, at: start, gap: 100_000_000) == start)
        #expect(pacer.earliestRun(count: 10_000, at: start, gap: second) == start)
        pacer.record(launch: start)
        #expect(pacer.earliestRun(count: 10, at: start, gap: 0) == start + second)
        #expect(pacer.earliestRun(count: 9, at: start, gap: 0) == start)
        pacer.recordRun(count: 9, at: start, gap: 0)
        #expect(pacer.earliest(at: start) == start + second)
        #expect(pacer.count == 10)
    }

    @Test func aRunningTrainLetsOthersInBetween() {
        var pacer = Pacer(maxPerSecond: 10)
        // Five a second for ten seconds.
        pacer.recordRun(count: 50, at: start, gap: 200 * millisecond)
        for _ in 0..<5 {
            #expect(pacer.earliest(at: start + second) == start + second)
            pacer.record(launch: start + second)
        }
        #expect(pacer.earliest(at: start + second) == start + 2 * second)
    }

    @Test(arguments: 0..<24)
    func singleLaunchesMatchTheDefinition(_ seed: Int) {
        var dice = Dice(seed: seed)
        let maximum = Int.random(in: 1...6, using: &dice)
        var pacer = Pacer(maxPerSecond: maximum)
        var launches: [Int64] = []
        // Coarse times make for equal ones, and for differences of exactly a second.
        let grain = [Int64(1), 100 * millisecond, 250 * millisecond][seed % 3]
        for _ in 0..<40 {
            let at = start + Int64.random(in: 0...(8 * second / grain), using: &dice) * grain
            let launch = pacer.earliest(at: at)
            let expected = bruteForce(launches, maximum: maximum, count: 1, at: at, gap: 0)
            #expect(launch == expected)
            pacer.record(launch: launch)
            launches.append(launch)
        }
        #expect(busiestSecond(launches) <= maximum)
    }

    @Test(arguments: 0..<24)
    func runsAndSinglesMatchTheDefinition(_ seed: Int) {
        var dice = Dice(seed: seed + 1000)
        let maximum = Int.random(in: 1...6, using: &dice)
        var pacer = Pacer(maxPerSecond: maximum)
        var launches: [Int64] = []
        let grain = [Int64(1), 50 * millisecond, 250 * millisecond][seed % 3]
        for _ in 0..<14 {
            let at = start + Int64.random(in: 0...(6 * second / grain), using: &dice) * grain
            let count = Int.random(in: 1...8, using: &dice)
            let gap =
                Int64.random(in: 0...(second / grain), using: &dice) * grain / Int64.random(in: 1...4, using: &dice)
            let run = pacer.earliestRun(count: count, at: at, gap: gap)
            let expected = bruteForce(launches, maximum: maximum, count: count, at: at, gap: gap)
            #expect(run == expected, "count \(count), gap \(gap), at \(at - start), maximum \(maximum)")
            guard let run else { continue }
            pacer.recordRun(count: count, at: run, gap: gap)
            launches += (0..<count).map { run + Int64($0) * gap }
        }
        #expect(busiestSecond(launches) <= maximum)
    }

    @Test func forgettingChangesNothingForWhatComes() {
        var dice = Dice(seed: 7)
        var pacer = Pacer(maxPerSecond: 20)
        var launches: [Int64] = []
        var now = start
        for _ in 0..<3000 {
            now += Int64.random(in: 0...(120 * millisecond), using: &dice)
            pacer.forget(before: now)
            let at = now + Int64.random(in: 0...(300 * millisecond), using: &dice)
            let launch = pacer.earliest(at: at)
            let recent = launches.suffix(100).filter { $0 > now - second }
            #expect(launch == bruteForce(recent, maximum: 20, count: 1, at: at, gap: 0))
            pacer.record(launch: launch)
            launches.append(launch)
            #expect(pacer.count <= 60)
        }
        #expect(busiestSecond(launches) <= 20)
        pacer.forget(before: now + 100 * second)
        #expect(pacer.count == 0)
        pacer.record(launch: start)
        pacer.record(launch: now + second)
        pacer.record(launch: start)
        #expect(pacer.count == 3)
    }

    @Test func memoryIsBoundedEvenIfNothingIsForgotten() {
        var pacer = Pacer(maxPerSecond: 10_000)
        for index in 0..<Int64(100_000) { pacer.record(launch: start + index * 100_000) }
        #expect(pacer.count <= 40_000)
        #expect(pacer.earliest(at: start + 10 * second - 100_000) == start + 10 * second)
    }

    @Test func extremesNeitherTrapNorHang() {
        var pacer = Pacer(maxPerSecond: -3)
        #expect(pacer.maxPerSecond == 1)
        #expect(Pacer(maxPerSecond: Int.max).maxPerSecond == 10_000)
        for time in [Int64.min, -1, 0, Int64.max / 2 - 1, Int64.max / 2, Int64.max] {
            _ = pacer.earliest(at: time)
            _ = pacer.earliestRun(count: 5, at: time, gap: Int64.max)
            _ = pacer.earliestRun(count: 5, at: time, gap: Int64.min)
            _ = pacer.earliestRun(count: Int.max, at: time, gap: second)
            _ = pacer.earliestRun(count: 5, at: time, gap: second)
            pacer.record(launch: time)
            pacer.recordRun(count: 3, at: time, gap: Int64.max)
            pacer.recordRun(count: -3, at: time, gap: -1)
            pacer.forget(before: time)
        }
    }

    private func place(_ pacer: inout Pacer, _ measurement: any Measurement) throws -> Int64 {
        let placed = pacer.place(measurement, now: start)
        return try #require(placed)
    }

    @Test func measurementsArePlacedByTheirPolicy() throws {
        var pacer = Pacer(maxPerSecond: 10)
        let ping = Ping(
            options: .ping(count: 20, gap: 50 * millisecond), destination: SimulatedPath.target, start: start)
        let train = Train(
            options: .train(count: 8, gap: millisecond), destination: SimulatedPath.target, start: start)
        let never = Train(options: .train(count: 11), destination: SimulatedPath.target, start: start)
        var launches: [Int64] = []
        for _ in 0..<4 {
            let at = try place(&pacer, ping)
            launches.append(ping.launch(at: at).launch)
        }
        var trainLaunches: [Int64] = []
        while train.nextLaunch != nil {
            let at = try place(&pacer, train)
            trainLaunches.append(train.launch(at: at).launch)
        }
        while ping.nextLaunch != nil {
            let at = try place(&pacer, ping)
            launches.append(ping.launch(at: at).launch)
        }
        let tooMany = pacer.place(never, now: start)
        #expect(tooMany == nil)
        let nothing = pacer.place(ping, now: start)
        #expect(nothing == nil, "it wants nothing more")
        #expect(busiestSecond(launches + trainLaunches) == 10)
        // Pings at 0, 50, 100, 150 ms: when the train's last one leaves, two of them are a second old.
        #expect(trainLaunches == (0..<8).map { start + 1043 * millisecond + $0 * millisecond })
    }
}
