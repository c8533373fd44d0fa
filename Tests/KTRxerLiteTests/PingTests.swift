// SPDX-License-Identifier: MIT
import Testing

@testable import KTRxerLite

@Suite struct PingTests {
    private let target = SimulatedPath.target

    private func ping(_ options: MeasurementOptions) -> Ping {
        Ping(options: options, destination: target, start: SimulatedPath.start)
    }

    @Test func everyProbeIsAnswered() {
        let ping = ping(.ping(count: 5))
        let path = SimulatedPath { _ in .echo(30 * millisecond) }
        #expect(path.run(ping) == .finished)
        #expect(ping.kind == .ping)
        #expect(path.launches.map(\.at) == (0..<5).map { SimulatedPath.start + $0 * second })
        #expect(path.launches.map(\.ttl) == [64, 64, 64, 64, 64])
        #expect(Tally(ping.records) == Tally(answered: 5))
        #expect(ping.records.map(\.roundTrip) == [Int64?](repeating: 30 * millisecond, count: 5))
        #expect(ping.records.map(\.slip) == [0, 0, 0, 0, 0])
        // The last answer, and 100 ms for what may still follow it.
        #expect(path.elapsed == 4 * second + 130 * millisecond)
    }

    @Test func lingeringFollowsTheLargestRoundTripAndStopsAtTheTimeout() {
        let slow = ping(.ping(count: 2))
        let slowPath = SimulatedPath { .echo($0.sequence == 0 ? 400 * millisecond : 200 * millisecond) }
        slowPath.run(slow)
        #expect(slowPath.elapsed == second + 200 * millisecond + 800 * millisecond)

        let short = ping(.ping(count: 1, timeout: 50 * millisecond))
        let shortPath = SimulatedPath { _ in .echo(30 * millisecond) }
        shortPath.run(short)
        #expect(shortPath.elapsed == 30 * millisecond + 50 * millisecond)
    }

    @Test func lossIsWaitedForFromTheLastSending() {
        let ping = ping(.ping(count: 10, gap: 100 * millisecond))
        let path = SimulatedPath { $0.sequence % 3 == 0 ? .lost : .echo(10 * millisecond) }
        #expect(path.run(ping) == .finished)
        #expect(Tally(ping.records) == Tally(answered: 6, lost: 4))
        #expect(path.elapsed == 900 * millisecond + 2 * second)
    }

    @Test func earlyLossDoesNotDelayTheEnd() {
        let ping = ping(.ping(count: 10))
        let path = SimulatedPath { $0.sequence == 0 ? .lost : .echo(10 * millisecond) }
        path.run(ping)
        #expect(Tally(ping.records) == Tally(answered: 9, lost: 1))
        #expect(path.elapsed == 9 * second + 110 * millisecond)
    }

    @Test func duplicatesAreCountedEvenOfTheLastProbe() {
        let ping = ping(.ping(count: 3))
        let path = SimulatedPath { probe in
            let copy = Fate.Arrival(after: 60 * millisecond, kind: .echoReply, from: SimulatedPath.target)
            return .echo(30 * millisecond).with(copy, copy)
        }
        path.run(ping)
        #expect(Tally(ping.records) == Tally(answered: 3, duplicates: 6))
        #expect(ping.records.map(\.roundTrip) == [Int64?](repeating: 30 * millisecond, count: 3))
    }

    @Test func overtakenAnswersAreReordered() {
        let ping = ping(.ping(count: 4, gap: 10 * millisecond))
        // Arrivals at 100, 60, 50 and 65 ms: 0 is overtaken by all, 1 by 2.
        let delays: [Int64] = [100, 50, 30, 35]
        let path = SimulatedPath { .echo(delays[Int($0.sequence)] * millisecond) }
        path.run(ping)
        #expect(ping.records.map(\.reordered) == [true, true, false, false])
    }

    @Test func orderIsThatOfArrivalNotOfHearing() {
        let ping = ping(.ping(count: 2, gap: 10 * millisecond))
        let path = SimulatedPath { probe in
            var fate = Fate.echo(5 * millisecond)
            if probe.sequence == 0 { fate.arrivals[0].heardLater = 50 * millisecond }
            return fate
        }
        path.run(ping)
        #expect(Tally(ping.records) == Tally(answered: 2))
    }

    @Test func lateAnswersAreKeptAndFlagged() {
        let ping = ping(.ping(count: 4, gap: second, timeout: second))
        let path = SimulatedPath { .echo($0.sequence == 1 ? 1500 * millisecond : 20 * millisecond) }
        path.run(ping)
        #expect(ping.records.map(\.late) == [false, true, false, false])
        #expect(ping.records[1].roundTrip == 1500 * millisecond)
        #expect(ping.records[1].reordered)
        #expect(Tally(ping.records) == Tally(answered: 4, reordered: 1, late: 1))
    }

    @Test func anAnswerAtTheTimeoutIsInTime() {
        let ping = ping(.ping(count: 2, timeout: 500 * millisecond))
        let path = SimulatedPath { .echo(500 * millisecond + Int64($0.sequence)) }
        path.run(ping)
        #expect(ping.records.map(\.roundTrip) == [500 * millisecond, nil])
        #expect(Tally(ping.records) == Tally(answered: 1, lost: 1))
        let slower = self.ping(.ping(count: 2, gap: 100 * millisecond, timeout: 500 * millisecond))
        SimulatedPath { .echo($0.sequence == 0 ? 500 * millisecond + 1 : 500 * millisecond) }.run(slower)
        #expect(slower.records.map(\.late) == [true, false])
    }

    @Test func anAnswerHeardLateButArrivedInTimeIsNotLate() {
        let ping = ping(.ping(count: 3, timeout: 500 * millisecond))
        let path = SimulatedPath { _ in
            var fate = Fate.echo(400 * millisecond)
            fate.arrivals[0].heardLater = 90 * millisecond
            return fate
        }
        path.run(ping)
        #expect(Tally(ping.records) == Tally(answered: 3))
    }

    @Test func errorsAreAnswersButAReplyTakesTheirPlace() {
        let ping = ping(.ping(count: 3))
        let router = SimulatedPath.router(2)
        let path = SimulatedPath { probe in
            let error = Fate.Arrival(after: 10 * millisecond, kind: .unreachable, from: router, code: 1)
            let expired = Fate.Arrival(after: 12 * millisecond, kind: .timeExceeded, from: router)
            switch probe.sequence {
            case 0: return Fate(arrivals: [error, error, expired])
            case 1: return .echo(30 * millisecond).with(error, error)
            default: return .echo(5 * millisecond).with(error)
            }
        }
        path.run(ping)
        #expect(ping.records[0].answer?.kind == .unreachable)
        #expect(ping.records[0].answer?.icmpCode == 1)
        #expect(ping.records[0].duplicates == 1)
        #expect(ping.records[0].otherAnswers == 1)
        #expect(ping.records[1].answer?.kind == .echoReply)
        #expect(ping.records[1].roundTrip == 30 * millisecond)
        #expect(ping.records[1].duplicates == 0)
        #expect(ping.records[1].otherAnswers == 2)
        #expect(ping.records[2].answer?.kind == .echoReply)
        #expect(ping.records[2].otherAnswers == 1)
    }

    @Test func anUnreachablePortIsAReplyOnlyOfTheTarget() {
        func answer(_ kind: AnswerKind, _ from: IPAddress, code: UInt8) -> Answer {
            var answer = Answer(sequence: 0, kind: kind, from: from, receivedAt: 1, source: .user)
            answer.icmpCode = code
            return answer
        }
        let router = SimulatedPath.router(1)
        #expect(answer(.unreachable, target, code: 3).isReply(of: target))
        #expect(answer(.unreachable, target, code: 2).isReply(of: target))
        #expect(!answer(.unreachable, target, code: 13).isReply(of: target))
        #expect(!answer(.unreachable, router, code: 3).isReply(of: target))
        #expect(!answer(.timeExceeded, target, code: 0).isReply(of: target))
        #expect(answer(.echoReply, router, code: 0).isReply(of: target))
        let target6 = IPAddress(v6High: 0x2001_0DB8 << 32, low: 1)
        #expect(answer(.unreachable, target6, code: 4).isReply(of: target6))
        #expect(!answer(.unreachable, target6, code: 3).isReply(of: target6))
        #expect(answer(.parameterProblem, target6, code: 1).isReply(of: target6))
    }

    @Test func whatDidNotLeaveFailed() {
        let ping = ping(.ping(count: 4))
        let path = SimulatedPath { $0.sequence < 2 ? .failed(.interfaceDown) : .echo(millisecond) }
        path.run(ping)
        #expect(Tally(ping.records) == Tally(answered: 2, failed: 2))
        #expect(ping.records[0].failure == .interfaceDown)
        #expect(ping.records[0].sent == 0)
        #expect(ping.records[0].slip == nil)

        let none = self.ping(.ping(count: 3))
        let dead = SimulatedPath { _ in .failed(.noRoute) }
        #expect(dead.run(none) == .finished)
        #expect(dead.elapsed == 2 * second, "nothing left: nothing is waited for")
        #expect(Tally(none.records) == Tally(failed: 3))
    }

    @Test func completionsMayComeAfterTheAnswers() {
        let ping = ping(.ping(count: 3, gap: 5 * millisecond))
        let path = SimulatedPath { _ in .echo(10 * millisecond).heard(completionAfter: 40 * millisecond) }
        path.run(ping)
        #expect(Tally(ping.records) == Tally(answered: 3))
        #expect(ping.records.map(\.roundTrip) == [Int64?](repeating: 10 * millisecond, count: 3))
        #expect(ping.records.allSatisfy { $0.sentSource == .kernel && $0.attempts == 1 })
    }

    @Test func aCompletionThatNeverComesDoesNotHangIt() {
        let ping = ping(.ping(count: 3, gap: 10 * millisecond, timeout: second))
        let path = SimulatedPath { probe in
            var fate = probe.sequence == 0 ? Fate.lost : .echo(10 * millisecond)
            if probe.sequence != 2 { fate.completionAfter = nil }
            return fate
        }
        #expect(path.run(ping) == .finished)
        #expect(path.elapsed == 20 * millisecond + 6 * second)
        #expect(Tally(ping.records) == Tally(answered: 2, failed: 1))
        #expect(ping.records[0].failure == .launchMissed)
        #expect(ping.records[1].roundTrip == nil)
    }

    @Test func aProbeHeldBackDoesNotShiftTheFollowing() {
        let ping = ping(.ping(count: 4, gap: 100 * millisecond))
        let path = SimulatedPath { _ in .echo(millisecond) }
        let third = SimulatedPath.start + 200 * millisecond
        path.ceiling = { $0 == third ? $0 + 70 * millisecond : $0 }
        path.run(ping)
        #expect(path.launches.map { ($0.at - SimulatedPath.start) / millisecond } == [0, 100, 270, 300])
        #expect(ping.records.map(\.slip) == [0, 0, 70 * millisecond, 0])
    }

    @Test func cancellingKeepsWhatIsKnown() {
        let ping = ping(.ping(count: 10))
        let path = SimulatedPath { probe in
            switch probe.sequence {
            case 0: return .echo(millisecond)
            case 1: return .lost
            default: return Fate(completionAfter: 10 * second)
            }
        }
        path.beforeStep = { measurement in
            if path.launches.count == 3 { measurement.cancel(now: path.now) }
        }
        path.run(ping)
        #expect(ping.isFinished)
        #expect(Tally(ping.records) == Tally(answered: 1, lost: 1, failed: 1))
        #expect(ping.records[2].failure == .cancelled)
        #expect(ping.nextLaunch == nil)
        #expect(ping.deadline == Int64.max)
        ping.handle(Answer(sequence: 1, kind: .echoReply, from: target, receivedAt: path.now, source: .user))
        ping.handle(Completion(sequence: 2, sentAt: path.now, source: .user, attempts: 1))
        #expect(Tally(ping.records) == Tally(answered: 1, lost: 1, failed: 1), "the end is the end")
    }

    @Test func strangeEventsChangeNothing() {
        let ping = ping(.ping(count: 2))
        let path = SimulatedPath { probe in
            var stray = Fate.Arrival(after: 2 * millisecond, kind: .echoReply, from: SimulatedPath.target)
            stray.sequence = probe.sequence + 2
            var wild = stray
            wild.sequence = UInt32.max
            return .echo(30 * millisecond).with(stray, wild)
        }
        path.beforeStep = { measurement in
            // A second completion, one of a probe that never was, and one without a time.
            measurement.handle(Completion(sequence: 0, failure: .queueBusy, attempts: 9))
            measurement.handle(Completion(sequence: 7, sentAt: 1, source: .user, attempts: 1))
            measurement.handle(Completion(sequence: 1, sentAt: 0, source: .user, attempts: 1))
        }
        path.run(ping)
        #expect(Tally(ping.records) == Tally(answered: 2))
    }

    @Test(arguments: [
        MeasurementOptions.ping(count: 0), .ping(count: -5), .ping(count: 3, gap: -1), .ping(count: 1, timeout: -1),
        .ping(count: 3, gap: 0, timeout: 0),
    ])
    func oddOptionsEnd(_ options: MeasurementOptions) {
        let ping = ping(options)
        let path = SimulatedPath { _ in .lost }
        #expect(path.run(ping) == .finished)
        #expect(ping.records.count == max(0, options.count))
    }

    @Test func hugeTimesDoNotOverflow() {
        let ping = ping(.ping(count: 3, gap: Int64.max, timeout: Int64.max))
        #expect(ping.nextLaunch == SimulatedPath.start)
        _ = ping.launch(at: SimulatedPath.start)
        #expect(ping.nextLaunch == Int64.max)
        _ = ping.launch(at: Int64.max)
        _ = ping.launch(at: Int64.max)
        #expect(ping.nextLaunch == nil)
        #expect(ping.deadline == Int64.max)
        for sequence in UInt32(0)..<3 {
            ping.handle(Completion(sequence: sequence, sentAt: Int64.max, source: .user, attempts: 1))
        }
        ping.handle(
            Answer(sequence: 1, kind: .echoReply, from: target, receivedAt: Int64.min, source: .user))
        ping.expire(now: Int64.max)
        #expect(ping.isFinished)
    }

    @Test func tenThousandProbesAreNotSlow() {
        let ping = ping(.ping(count: 10_000, gap: 0))
        var sent = 0
        while ping.nextLaunch != nil {
            _ = ping.launch(at: SimulatedPath.start)
            sent += 1
        }
        #expect(sent == 10_000)
        // Answers in reverse, and the deadline asked for each time: linear all the same.
        let clock = ContinuousClock()
        let elapsed = clock.measure {
            for sequence in (UInt32(0)..<10_000).reversed() {
                ping.handle(
                    Completion(sequence: sequence, sentAt: SimulatedPath.start, source: .user, attempts: 1))
            }
            for sequence in (UInt32(0)..<10_000).reversed() {
                let at = SimulatedPath.start + Int64(20_000 - sequence)
                ping.handle(
                    Answer(sequence: sequence, kind: .echoReply, from: target, receivedAt: at, source: .user))
                #expect(ping.deadline > 0)
            }
            ping.expire(now: Int64.max)
        }
        #expect(Tally(ping.records) == Tally(answered: 10_000, reordered: 9_999))
        #expect(elapsed < .seconds(10), "\(elapsed)")
    }
}
