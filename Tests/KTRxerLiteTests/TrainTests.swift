// SPDX-License-Identifier: MIT
import Testing

@testable import KTRxerLite

@Suite struct TrainTests {
    private func train(_ options: MeasurementOptions) -> Train {
        Train(options: options, destination: SimulatedPath.target, start: SimulatedPath.start)
    }

    @Test func backToBackMeansOneLaunchTime() {
        let train = train(.train(count: 20))
        let path = SimulatedPath { .echo(10 * millisecond + Int64($0.sequence) * 12_000) }
        #expect(path.run(train) == .finished)
        #expect(train.kind == .train)
        #expect(path.launches.map(\.at) == [Int64](repeating: SimulatedPath.start, count: 20))
        #expect(path.launches.map(\.sequence) == (0..<20).map { UInt32($0) })
        #expect(train.records.map(\.intended) == path.launches.map(\.at))
        #expect(Tally(train.records) == Tally(answered: 20))
        #expect(path.elapsed == 10 * millisecond + 19 * 12_000 + 100 * millisecond)
    }

    @Test(arguments: [Int64(0), 1, 250_000, 333_333, 20 * millisecond])
    func gapsAreExactHoweverTheFirstIsHeldBack(_ gap: Int64) {
        let train = train(.train(count: 50, gap: gap))
        #expect(train.launchPolicy == .run(count: 50, gap: gap))
        let moved = SimulatedPath.start + 123_456_789
        let path = SimulatedPath { _ in .echo(millisecond) }
        path.ceiling = { max($0, moved) }
        path.lookahead = second
        path.run(train)
        #expect(train.launchPolicy == .placed)
        #expect(path.launches.map(\.at) == (0..<50).map { moved + $0 * gap })
        #expect(train.records.map(\.intended) == path.launches.map(\.at))
        #expect(train.records.allSatisfy { $0.slip == 0 })
    }

    @Test func aProbeThatIsLateDoesNotMoveTheOthers() {
        let train = train(.train(count: 4, gap: 10 * millisecond))
        let path = SimulatedPath { probe in
            var fate = Fate.echo(millisecond)
            if probe.sequence == 1 { fate.slip = 3 * millisecond }
            return fate
        }
        path.run(train)
        #expect(train.records.map(\.slip) == [0, 3 * millisecond, 0, 0])
        #expect(train.records.map(\.intended) == (0..<4).map { SimulatedPath.start + $0 * 10 * millisecond })
    }

    @Test func lossDuplicatesReorderingAndLateness() {
        let train = train(.train(count: 6, gap: millisecond, timeout: 300 * millisecond))
        let path = SimulatedPath { probe in
            switch probe.sequence {
            case 0: return .echo(10 * millisecond)
            case 1: return .lost
            case 2: return .echo(50 * millisecond)
            case 3:
                return .echo(10 * millisecond).with(
                    Fate.Arrival(after: 11 * millisecond, kind: .echoReply, from: SimulatedPath.target))
            case 4: return .failed(.queueBusy)
            default:
                return .echo(10 * millisecond)
            }
        }
        path.run(train)
        #expect(
            Tally(train.records) == Tally(answered: 4, lost: 1, failed: 1, duplicates: 1, reordered: 1))
        #expect(train.records[2].reordered)
        // The one that was lost left at 1 ms.
        #expect(path.elapsed == 301 * millisecond)
    }

    @Test func aLateAnswerIsSeenWhileOthersAreWaitedFor() {
        let train = train(.train(count: 3, gap: 200 * millisecond, timeout: 100 * millisecond))
        let path = SimulatedPath { .echo($0.sequence == 0 ? 450 * millisecond : 10 * millisecond) }
        path.run(train)
        #expect(Tally(train.records) == Tally(answered: 3, reordered: 1, late: 1))
    }

    @Test func unreachablePortsOfTheTargetAreItsReplies() {
        let train = train(.train(count: 3))
        let path = SimulatedPath { _ in
            Fate(arrivals: [
                Fate.Arrival(after: millisecond, kind: .timeExceeded, from: SimulatedPath.router(1)),
                Fate.Arrival(after: 2 * millisecond, kind: .unreachable, from: SimulatedPath.target, code: 3),
                Fate.Arrival(after: 3 * millisecond, kind: .unreachable, from: SimulatedPath.target, code: 3),
            ])
        }
        path.run(train)
        #expect(Tally(train.records) == Tally(answered: 3, duplicates: 3, others: 3))
        #expect(train.records.allSatisfy { $0.answer?.kind == .unreachable })
        #expect(train.records.map(\.roundTrip) == [Int64?](repeating: 2 * millisecond, count: 3))
    }
}
