// SPDX-License-Identifier: MIT
import Testing

@testable import KTRxerLite

/// Makes traces and paths for the suites of traces.
struct TraceBench {
    static func trace(_ change: (inout MeasurementOptions) -> Void = { _ in }, gapLimit: Int = 8) -> Trace {
        var options = MeasurementOptions(kind: .trace)
        change(&options)
        return Trace(
            options: options, destination: SimulatedPath.target, start: SimulatedPath.start, gapLimit: gapLimit)
    }

    /// Round trips to each of `hops` hops, evenly rising to `last`.
    static func evenPath(hops: Int, last: Int64) -> [Int64] { (1...hops).map { last * Int64($0) / Int64(hops) } }

    /// Like Linux: each host answers six errors at once, then one a second.
    final class RateLimitedPath {
        private var tokensFull: [Int64]
        private let roundTrips: [Int64]

        init(_ roundTrips: [Int64]) {
            self.roundTrips = roundTrips
            tokensFull = [Int64](repeating: 0, count: roundTrips.count)
        }

        func fate(_ probe: Probe) -> Fate {
            let host = min(Int(probe.ttl), roundTrips.count) - 1
            let arrival = probe.launch + roundTrips[host] / 2
            guard tokensFull[host] - 5 * second <= arrival else { return .lost }
            tokensFull[host] = max(tokensFull[host], arrival) + second
            return .onPath(probe, roundTrips: roundTrips)
        }
    }
}

@Suite struct TraceTests {
    private let target = SimulatedPath.target

    private func answers(_ trace: Trace) -> [[IPAddress?]] { trace.hops.map { $0.records.map(\.answer?.from) } }

    /// The figure: one round trip and 50 ms.
    @Test(
        arguments: [
            [1, 10, 20, 30], [1, 1, 1, 1], [5, 50, 100, 200], [30, 25, 20, 300], [0, 0, 0, 40],
        ] as [[Int64]])
    func fourHopsTakeOneRoundTripAndLittleMore(_ milliseconds: [Int64]) {
        let roundTrips = milliseconds.map { $0 * millisecond + 50_000 }
        let trace = TraceBench.trace()
        let path = SimulatedPath { .onPath($0, roundTrips: roundTrips) }
        #expect(path.run(trace) == .finished)
        #expect(path.elapsed <= roundTrips.max()! + 50 * millisecond, "\(path.elapsed)")
        #expect(trace.kind == .trace)
        #expect(trace.end == .reached)
        #expect(trace.reached)
        #expect(trace.hops.map(\.ttl) == [1, 2, 3, 4])
        let expected = [SimulatedPath.router(1), SimulatedPath.router(2), SimulatedPath.router(3), target]
        #expect(answers(trace) == expected.map { [$0, $0, $0] })
        #expect(Tally(trace.records) == Tally(answered: 12))
        #expect(trace.unneeded == path.launches.count - 12)
        // Blindly eight hops; the slowest of these targets lets it look three farther.
        #expect(trace.unneeded <= (roundTrips[3] < 300 * millisecond ? 12 : 21))
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7], [Int64(200), 20_000, 40_000, 250_000])
    func upToSevenHopsTakeOneRoundTripAndLittleMore(_ hops: Int, _ microseconds: Int64) {
        let roundTrips = TraceBench.evenPath(hops: hops, last: microseconds * 1000)
        let trace = TraceBench.trace()
        let path = SimulatedPath { .onPath($0, roundTrips: roundTrips) }
        path.run(trace)
        #expect(path.elapsed <= roundTrips[hops - 1] + 50 * millisecond)
        #expect(Tally(trace.records) == Tally(answered: hops * 3))
        #expect(trace.end == .reached)
    }

    @Test func neighbouringProbesGoToDifferentHops() {
        let trace = TraceBench.trace()
        let path = SimulatedPath { .onPath($0, roundTrips: TraceBench.evenPath(hops: 8, last: 400 * millisecond)) }
        path.run(trace)
        let order: [UInt8] = [
            1, 2, 1, 3, 2, 1, 4, 3, 2, 5, 4, 3, 6, 5, 4, 7, 6, 5, 8, 7, 6, 8, 7, 8,
        ]
        #expect(path.launches.prefix(24).map(\.ttl) == order)
        #expect(path.launches.prefix(24).map(\.at) == (0..<24).map { SimulatedPath.start + $0 * 2 * millisecond })
        #expect(path.launches.map(\.sequence) == (0..<UInt32(path.launches.count)).map { $0 })
        #expect(trace.records.allSatisfy { $0.slip == 0 && !$0.reordered })
    }

    @Test func aNearTargetIsNotSprayed() {
        let trace = TraceBench.trace()
        let path = SimulatedPath { .onPath($0, roundTrips: [200_000, 400_000, 600_000]) }
        path.run(trace)
        #expect(trace.unneeded == 0)
        #expect(path.launches.count == 9)
        // Of which the last leaves at 16 ms.
        #expect(path.elapsed == 16_600_000)
    }

    @Test(arguments: 1...8)
    func aHostThatLimitsItsErrorsAnswersAllThatIsNeeded(_ hops: Int) {
        for last in [millisecond, 30 * millisecond, 200 * millisecond] {
            let limited = TraceBench.RateLimitedPath(TraceBench.evenPath(hops: hops, last: last))
            let trace = TraceBench.trace()
            let path = SimulatedPath { limited.fate($0) }
            path.run(trace)
            #expect(Tally(trace.records) == Tally(answered: hops * 3), "\(last) ns")
            #expect(path.elapsed <= last + 55 * millisecond)
        }
    }

    @Test func twelveHopsTakeLessThanTwoRoundTrips() {
        let roundTrips = TraceBench.evenPath(hops: 12, last: 200 * millisecond)
        let trace = TraceBench.trace()
        let path = SimulatedPath { .onPath($0, roundTrips: roundTrips) }
        path.run(trace)
        #expect(Tally(trace.records) == Tally(answered: 36))
        #expect(path.elapsed <= 400 * millisecond, "\(path.elapsed)")
        #expect(trace.unneeded <= 12, "\(trace.unneeded)")
    }

    @Test func noProbeIsMeantToLeaveBeforeItWasKnownToBeNeeded() {
        let roundTrips = TraceBench.evenPath(hops: 12, last: 200 * millisecond)
        let trace = TraceBench.trace()
        let path = SimulatedPath { (7...10).contains($0.ttl) ? .lost : .onPath($0, roundTrips: roundTrips) }
        var pauses = 0
        var wantedSome = true
        path.beforeStep = { measurement in
            if let wanted = measurement.nextLaunch {
                if !wantedSome {
                    pauses += 1
                    #expect(wanted >= path.now)
                }
                wantedSome = true
            } else {
                wantedSome = false
            }
        }
        path.run(trace)
        #expect(trace.end == .reached)
        #expect(pauses >= 3)
        // Nor was any wanted in a heap: each has its own instant.
        #expect(Set(path.launches.map(\.at)).count == path.launches.count)
    }

    @Test func thirtyHopsAreAllFound() {
        let roundTrips = TraceBench.evenPath(hops: 30, last: 300 * millisecond)
        let trace = TraceBench.trace()
        let path = SimulatedPath { .onPath($0, roundTrips: roundTrips) }
        path.run(trace)
        #expect(Tally(trace.records) == Tally(answered: 90))
        #expect(trace.end == .reached)
        #expect(path.elapsed <= 1500 * millisecond, "\(path.elapsed)")
    }

    @Test func aSilentHopIsWaitedForAsLongAsTheOthersSuggest() {
        func elapsed(_ roundTrips: [Int64]) -> Int64 {
            let trace = TraceBench.trace()
            let path = SimulatedPath { $0.ttl == 2 ? .lost : .onPath($0, roundTrips: roundTrips) }
            path.run(trace)
            #expect(trace.end == .reached)
            #expect(Tally(trace.records) == Tally(answered: 9, lost: 3))
            #expect(trace.hops[1].records.count == 3)
            return path.elapsed - (path.launches.last { $0.ttl == 2 }!.at - SimulatedPath.start)
        }
        #expect(elapsed(TraceBench.evenPath(hops: 4, last: 20 * millisecond)) == 250 * millisecond)
        #expect(elapsed(TraceBench.evenPath(hops: 4, last: 200 * millisecond)) == 600 * millisecond)
        #expect(elapsed(TraceBench.evenPath(hops: 4, last: 900 * millisecond)) == 1500 * millisecond)
    }

    @Test func silenceBeyondTheTargetIsNotWaitedFor() {
        let trace = TraceBench.trace()
        // Only the target's own probes are answered, as by a host that limits its errors hard.
        let path = SimulatedPath {
            $0.ttl > 4 ? .lost : .onPath($0, roundTrips: [1, 2, 3, 40].map { $0 * millisecond })
        }
        path.run(trace)
        #expect(Tally(trace.records) == Tally(answered: 12))
        #expect(path.elapsed <= 90 * millisecond)
        #expect(trace.unneeded > 0)
    }

    @Test func anAnswerOfTheTargetToAFartherProbeMayComeFirst() {
        let trace = TraceBench.trace()
        let path = SimulatedPath { probe in
            // To probes with more TTL left the target answers sooner.
            let roundTrips = [10, 20, 30, Int64(100 - 10 * max(4, Int(probe.ttl)))].map { $0 * millisecond }
            return .onPath(probe, roundTrips: roundTrips, target: .echoReply)
        }
        path.run(trace)
        #expect(trace.hops.map(\.ttl) == [1, 2, 3, 4])
        #expect(Tally(trace.records) == Tally(answered: 12))
        #expect(trace.unneeded == path.launches.count - 12)
    }

    @Test(arguments: [AnswerKind.echoReply, .udpReply, .tcpOpen, .tcpReset, .unreachable])
    func everyReplyOfTheTargetEndsIt(_ kind: AnswerKind) {
        let trace = TraceBench.trace()
        let path = SimulatedPath { .onPath($0, roundTrips: [millisecond, 2 * millisecond], target: kind) }
        path.run(trace)
        #expect(trace.end == .reached)
        #expect(trace.hops.count == 2)
    }

    @Test func firstHopAndProbesPerHop() {
        let trace = TraceBench.trace {
            $0.firstHop = 3
            $0.probesPerHop = 5
        }
        let path = SimulatedPath { .onPath($0, roundTrips: TraceBench.evenPath(hops: 5, last: 20 * millisecond)) }
        path.run(trace)
        #expect(trace.hops.map(\.ttl) == [3, 4, 5])
        #expect(trace.hops.map(\.records.count) == [5, 5, 5])
        #expect(path.launches.allSatisfy { $0.ttl >= 3 })
        #expect(trace.end == .reached)
    }

    @Test func aTargetNearerThanTheFirstHop() {
        let trace = TraceBench.trace { $0.firstHop = 6 }
        let path = SimulatedPath { .onPath($0, roundTrips: [millisecond, 2 * millisecond]) }
        path.run(trace)
        #expect(trace.end == .reached)
        #expect(trace.hops.map(\.ttl) == [6])
    }

    @Test func completionsMayComeAfterTheAnswers() {
        let trace = TraceBench.trace()
        let path = SimulatedPath {
            Fate.onPath($0, roundTrips: [1, 10, 20, 30].map { $0 * millisecond }).heard(
                completionAfter: 45 * millisecond)
        }
        path.run(trace)
        #expect(trace.records.map(\.roundTrip).allSatisfy { $0 != nil })
        #expect(path.elapsed <= 80 * millisecond)
    }

    @Test func cancellingKeepsWhatIsKnown() {
        let trace = TraceBench.trace()
        let path = SimulatedPath { .onPath($0, roundTrips: TraceBench.evenPath(hops: 12, last: 100 * millisecond)) }
        path.beforeStep = { if path.launches.count == 10 { $0.cancel(now: path.now) } }
        path.run(trace)
        #expect(trace.end == .cancelled)
        #expect(!trace.reached)
        #expect(trace.records.count == 10)
        #expect(trace.nextLaunch == nil)
        #expect(trace.deadline == Int64.max)
    }

    @Test func duplicatesAndOthersAreCounted() {
        let trace = TraceBench.trace()
        let path = SimulatedPath { probe in
            let fate = Fate.onPath(probe, roundTrips: [1, 2, 30].map { $0 * millisecond })
            var copy = fate.arrivals[0]
            copy.after += 100_000
            let other = Fate.Arrival(after: copy.after, kind: .timeExceeded, from: SimulatedPath.router(99))
            return probe.ttl == 1 ? fate.with(copy, other) : fate
        }
        path.run(trace)
        #expect(Tally(trace.records) == Tally(answered: 9, duplicates: 3, others: 3))
    }
}
