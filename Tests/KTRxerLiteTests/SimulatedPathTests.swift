// SPDX-License-Identifier: MIT
// Properties that hold on every path: measurements over randomly drawn paths that lose, duplicate, reorder,
// delay, refuse and fail, with completions that come late or not at all.
import Testing

@testable import KTRxerLite

/// A path drawn at random.
private struct RandomPath {
    private var dice: Dice
    private let hops: Int
    private let hopDelay: Int64
    private let jitter: Int64
    private let loss: Int
    private let duplication: Int
    private let failures: Int
    private let lostCompletions: Int
    private let completionDelay: Int64
    private let strays: Int
    private let silent: [Bool]
    private let refusingHop: Int
    private let targetKind: AnswerKind

    init(seed: Int) {
        var dice = Dice(seed: seed)
        hops = Int.random(in: 1...34, using: &dice)
        hopDelay = Int64.random(in: 1...60, using: &dice) * millisecond / 2
        jitter = [Int64(1), hopDelay, 800 * millisecond][Int.random(in: 0..<3, using: &dice)]
        loss = [0, 30, 300, 900][Int.random(in: 0..<4, using: &dice)]
        duplication = [0, 100, 500][Int.random(in: 0..<3, using: &dice)]
        failures = [0, 0, 50, 500, 1000][Int.random(in: 0..<5, using: &dice)]
        lostCompletions = [0, 0, 0, 50][Int.random(in: 0..<4, using: &dice)]
        completionDelay = [Int64(0), 0, 40, 900][Int.random(in: 0..<4, using: &dice)] * millisecond
        strays = [0, 50][Int.random(in: 0..<2, using: &dice)]
        let silence = [0, 100, 500, 1000][Int.random(in: 0..<4, using: &dice)]
        var silent: [Bool] = []
        for _ in 0...hops { silent.append(dice.happens(silence)) }
        self.silent = silent
        refusingHop = dice.happens(200) ? Int.random(in: 1...hops, using: &dice) : Int.max
        targetKind =
            [AnswerKind.echoReply, .unreachable, .tcpReset, .udpReply][Int.random(in: 0..<4, using: &dice)]
        self.dice = dice
    }

    private mutating func time(to hop: Int) -> Int64 {
        Int64(hop) * hopDelay + Int64.random(in: 0..<jitter, using: &dice)
    }

    mutating func fate(_ probe: Probe) -> Fate {
        var fate = Fate()
        fate.slip = Int64.random(in: 0...100_000, using: &dice)
        if dice.happens(failures) { fate.failure = .queueBusy }
        fate.completionAfter =
            dice.happens(lostCompletions) ? nil : Int64.random(in: 0...completionDelay, using: &dice)
        let hop = min(Int(probe.ttl), hops)
        if dice.happens(strays) {
            var stray = Fate.Arrival(after: time(to: hop), kind: .echoReply, from: SimulatedPath.target)
            stray.sequence = UInt32.random(in: 0...UInt32.max, using: &dice)
            fate.arrivals.append(stray)
        }
        guard fate.failure == nil, !dice.happens(loss), !silent[hop] else { return fate }
        var arrival = Fate.Arrival(after: time(to: hop), kind: targetKind, from: SimulatedPath.target, code: 3)
        if hop > refusingHop {
            arrival.kind = .unreachable
            arrival.from = SimulatedPath.router(refusingHop)
            arrival.code = 13
        } else if hop < hops {
            arrival.kind = .timeExceeded
            arrival.from = SimulatedPath.router(hop)
        }
        arrival.heardLater = Int64.random(in: 0...(2 * millisecond), using: &dice)
        fate.arrivals.append(arrival)
        while dice.happens(duplication) {
            arrival.after += Int64.random(in: 0...(20 * millisecond), using: &dice)
            fate.arrivals.append(arrival)
        }
        return fate
    }

    mutating func ceiling(_ wanted: Int64) -> Int64 {
        dice.happens(100) ? wanted + Int64.random(in: 0...(50 * millisecond), using: &dice) : wanted
    }
}

@Suite struct SimulatedPathTests {
    private static let seeds = 0..<300

    /// What must be true of every record.
    private func check(_ record: ProbeRecord, timeout: Int64, launch: SimulatedPath.Launch) {
        #expect(record.sequence == launch.sequence)
        #expect(record.ttl == launch.ttl)
        #expect(record.intended <= launch.at)
        if record.failure != nil {
            #expect(record.sent == 0 && record.answer == nil && record.duplicates == 0)
            #expect(!record.late && !record.reordered)
        } else if record.sent == 0 {
            #expect(record.answer != nil, "neither sent nor failed nor answered")
        } else {
            #expect(record.sent >= launch.at && record.attempts > 0)
        }
        if record.answer == nil {
            #expect(record.duplicates == 0 && record.otherAnswers == 0 && !record.late && !record.reordered)
        }
        if let roundTrip = record.roundTrip { #expect(record.late == (roundTrip > timeout)) }
    }

    private func run(_ measurement: any Measurement, seed: Int) -> SimulatedPath {
        var random = RandomPath(seed: seed)
        let path = SimulatedPath { random.fate($0) }
        path.ceiling = { random.ceiling($0) }
        path.lookahead = [0, 0, 5 * millisecond][seed % 3]
        let cancelAt = seed % 10 == 9 ? 30 : Int.max
        path.beforeStep = { if path.steps == cancelAt { $0.cancel(now: path.now) } }
        #expect(path.run(measurement, mostSteps: 20_000) == .finished, "seed \(seed)")
        return path
    }

    @Test(arguments: seeds)
    func pingsEndAndAddUp(_ seed: Int) {
        var dice = Dice(seed: seed + 5000)
        let gap = Int64.random(in: 0...40, using: &dice) * millisecond * 25
        let timeout = Int64.random(in: 0...40, using: &dice) * 100 * millisecond
        let options = MeasurementOptions.ping(count: Int.random(in: 1...60, using: &dice), gap: gap, timeout: timeout)
        let ping = Ping(options: options, destination: SimulatedPath.target, start: SimulatedPath.start)
        let path = run(ping, seed: seed)
        let tally = Tally(ping.records)
        #expect(ping.records.count == path.launches.count)
        #expect(tally.answered + tally.lost + tally.failed == path.launches.count)
        if seed % 10 != 9 { #expect(path.launches.count == options.count) }
        for (record, launch) in zip(ping.records, path.launches) {
            check(record, timeout: timeout, launch: launch)
            #expect(record.intended == SimulatedPath.start + Int64(record.sequence) * gap)
        }
        checkOrder(ping.records)
        // The end: the timeout, or lingering that is no longer, after the last answer in time.
        let last = path.launches.map(\.at).max() ?? 0
        #expect(path.now <= last + 2 * timeout + 5 * second + millisecond)
    }

    @Test(arguments: seeds)
    func trainsKeepTheirGapsAndAddUp(_ seed: Int) {
        var dice = Dice(seed: seed + 9000)
        let gap = [Int64(0), 1, 333_333, 20 * millisecond][seed % 4]
        let options = MeasurementOptions.train(count: Int.random(in: 1...60, using: &dice), gap: gap)
        let train = Train(options: options, destination: SimulatedPath.target, start: SimulatedPath.start)
        var random = RandomPath(seed: seed)
        let path = SimulatedPath { random.fate($0) }
        let start = random.ceiling(SimulatedPath.start)
        path.ceiling = { max($0, start) }
        path.lookahead = Int64.max / 4
        #expect(path.run(train) == .finished, "seed \(seed)")
        #expect(path.launches.map(\.at) == (0..<options.count).map { start + Int64($0) * gap })
        let tally = Tally(train.records)
        #expect(tally.answered + tally.lost + tally.failed == options.count)
        for (record, launch) in zip(train.records, path.launches) {
            check(record, timeout: options.timeout, launch: launch)
            #expect(record.intended == launch.at)
        }
        checkOrder(train.records)
    }

    /// RFC 4737 by its definition: overtaken by the answer of any later probe.
    private func checkOrder(_ records: ProbeRecords) {
        for (index, record) in records.enumerated() {
            guard let answer = record.answer else { continue }
            let overtaken = records[(index + 1)...].contains {
                $0.answer.map { $0.receivedAt < answer.receivedAt } ?? false
            }
            #expect(record.reordered == overtaken)
        }
    }

    @Test(arguments: seeds)
    func tracesEndAndAddUp(_ seed: Int) {
        var dice = Dice(seed: seed + 13_000)
        var options = MeasurementOptions(kind: .trace)
        options.firstHop = dice.happens(800) ? 1 : UInt8.random(in: 1...20, using: &dice)
        options.maxHops = UInt8.random(in: options.firstHop...40, using: &dice)
        options.probesPerHop = Int.random(in: 1...10, using: &dice)
        options.rate = [10, 100, 100, 1000][Int.random(in: 0..<4, using: &dice)]
        let trace = Trace(options: options, destination: SimulatedPath.target, start: SimulatedPath.start)
        let path = run(trace, seed: seed)
        #expect(trace.end != nil)
        #expect((trace.end == .cancelled) == (seed % 10 == 9 && path.steps >= 30))

        let failedBeyond = path.launches.count - trace.records.count - trace.unneeded
        #expect(failedBeyond >= 0)
        #expect(path.launches.allSatisfy { $0.ttl >= options.firstHop && $0.ttl <= options.maxHops })
        var previous: UInt32?
        for record in trace.records {
            check(record, timeout: options.timeout, launch: path.launches[Int(record.sequence)])
            #expect(!record.reordered)
            #expect(previous.map { $0 < record.sequence } ?? true)
            previous = record.sequence
        }
        var counts = [Int](repeating: 0, count: 256)
        for record in trace.records { counts[Int(record.ttl)] += 1 }
        #expect(counts.allSatisfy { $0 <= options.probesPerHop })
        let replies = trace.records.filter { $0.answer?.isReply(of: SimulatedPath.target) ?? false }
        #expect(trace.reached == !replies.isEmpty)
        #expect(trace.hops.reduce(0) { $0 + $1.records.count } == trace.records.count)
        if trace.end == .reached || trace.end == .unreachable {
            // Every hop up to the end has all its probes, and nothing lies behind the end.
            let last = trace.records.map(\.ttl).max() ?? 0
            for ttl in options.firstHop...last { #expect(counts[Int(ttl)] == options.probesPerHop) }
            #expect(trace.hops.last!.records.contains { $0.answer != nil && $0.answer?.kind != .timeExceeded })
        } else {
            // Nothing was left out, and nothing probed beyond the gap limit.
            #expect(trace.unneeded == 0 && trace.records.count == path.launches.count)
            let answered = trace.records.filter { $0.answer != nil }.map { Int($0.ttl) }.max()
            let farthest = path.launches.map { Int($0.ttl) }.max() ?? 0
            #expect(farthest <= (answered ?? Int(options.firstHop) - 1) + 8)
        }
        for launch in path.launches {
            let within = path.launches.filter { $0.at >= launch.at && $0.at < launch.at + second }.count
            #expect(within <= options.rate)
        }
        // What the rate takes, waiting for answers that let it look farther, and 5 s for a lost completion.
        let pace = Int64(path.launches.count) * 2 * second / Int64(options.rate)
        #expect(path.elapsed <= pace + 10 * options.timeout + 5 * second)
    }
}
