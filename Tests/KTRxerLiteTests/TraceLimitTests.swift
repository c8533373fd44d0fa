// SPDX-License-Identifier: MIT
// Traces that do not simply reach their target: silence, refusals, loops, limits, failures.
import Testing

@testable import KTRxerLite

@Suite struct TraceLimitTests {
    private func refusal(_ hop: Int, code: UInt8, after: Int64 = 10 * millisecond) -> Fate {
        Fate(arrivals: [
            Fate.Arrival(after: after, kind: .unreachable, from: SimulatedPath.router(hop), code: code)
        ])
    }

    private func busiestSecond(_ path: SimulatedPath) -> Int {
        path.launches.map { launch in
            path.launches.filter { $0.at >= launch.at && $0.at < launch.at + second }.count
        }.max() ?? 0
    }

    @Test func eightSilentHopsAreTheLimit() {
        let trace = TraceBench.trace()
        let path = SimulatedPath {
            $0.ttl > 3 ? .lost : .onPath($0, roundTrips: TraceBench.evenPath(hops: 20, last: 200 * millisecond))
        }
        #expect(path.run(trace) == .finished)
        #expect(trace.end == .gapLimit)
        #expect(!trace.reached)
        #expect(path.launches.map(\.ttl).max() == 11)
        #expect(Tally(trace.records) == Tally(answered: 9, lost: 24))
        // Thirty hops of three probes were planned.
        #expect(trace.traceOutcome == TraceOutcome(end: .gapLimit, unneeded: 0, spared: 90 - 33))
        #expect(path.now == path.launches.last!.at + 1500 * millisecond)
    }

    @Test func totalSilenceEndsToo() {
        let trace = TraceBench.trace()
        let path = SimulatedPath { _ in .lost }
        path.run(trace)
        #expect(trace.end == .gapLimit)
        #expect(Tally(trace.records) == Tally(lost: 24))
        #expect(path.elapsed == 46 * millisecond + 1500 * millisecond)
    }

    @Test(arguments: [1, 3, 5, 12])
    func theGapLimitCanBeSet(_ limit: Int) {
        let trace = TraceBench.trace(gapLimit: limit)
        let path = SimulatedPath {
            $0.ttl > 2 ? .lost : .onPath($0, roundTrips: TraceBench.evenPath(hops: 20, last: 20 * millisecond))
        }
        path.run(trace)
        #expect(trace.end == .gapLimit)
        // The first eight hops are probed before anything is known, unless the limit is lower.
        #expect(path.launches.map(\.ttl).max() == UInt8(limit < 8 ? max(limit, limit + 2) : limit + 2))
    }

    @Test func aLongSilentStretchIsBridged() {
        let trace = TraceBench.trace()
        let path = SimulatedPath {
            (5...11).contains($0.ttl)
                ? .lost : .onPath($0, roundTrips: TraceBench.evenPath(hops: 12, last: 24 * millisecond))
        }
        path.run(trace)
        #expect(trace.end == .reached)
        #expect(trace.hops.count == 12)
        #expect(Tally(trace.records) == Tally(answered: 15, lost: 21))
        // 100 ms of quiet, then the last hops.
        #expect(path.elapsed <= 500 * millisecond, "\(path.elapsed)")
    }

    @Test func aSlowFirstAnswerIsWaitedFor() {
        let trace = TraceBench.trace()
        let path = SimulatedPath {
            .onPath(
                $0, roundTrips: TraceBench.evenPath(hops: 10, last: 200 * millisecond).map { $0 + 600 * millisecond })
        }
        path.run(trace)
        #expect(trace.end == .reached)
        #expect(Tally(trace.records) == Tally(answered: 30))
    }

    @Test func aLoopEndsAtTheFarthestHop() {
        let trace = TraceBench.trace()
        let path = SimulatedPath { probe in
            Fate(arrivals: [
                Fate.Arrival(
                    after: 5 * millisecond, kind: .timeExceeded, from: SimulatedPath.router(Int(probe.ttl) % 2))
            ])
        }
        path.run(trace)
        #expect(trace.end == .maxHops)
        #expect(trace.hops.count == 30)
        #expect(Tally(trace.records) == Tally(answered: 90))
        // All answered: there is nothing to wait for.
        #expect(path.now == path.launches.last!.at + 5 * millisecond)
        #expect(busiestSecond(path) <= 100)
    }

    @Test func maxHopsCutsALongerPath() {
        let trace = TraceBench.trace { $0.maxHops = 4 }
        let path = SimulatedPath { .onPath($0, roundTrips: TraceBench.evenPath(hops: 9, last: 90 * millisecond)) }
        path.run(trace)
        #expect(trace.end == .maxHops)
        #expect(!trace.reached)
        #expect(path.launches.map(\.ttl).max() == 4)
        #expect(Tally(trace.records) == Tally(answered: 12))
    }

    @Test func aSilentHopBelowTheFarthestIsNotWaitedForInFull() {
        let trace = TraceBench.trace { $0.maxHops = 4 }
        let path = SimulatedPath {
            $0.ttl == 2 ? .lost : .onPath($0, roundTrips: TraceBench.evenPath(hops: 9, last: 90 * millisecond))
        }
        path.run(trace)
        #expect(trace.end == .maxHops)
        #expect(path.now == path.launches.last { $0.ttl == 2 }!.at + 250 * millisecond)
    }

    @Test func theWholeRangeOfTTLs() {
        let trace = TraceBench.trace {
            $0.maxHops = 255
            $0.probesPerHop = 10
            $0.rate = 10_000
        }
        let path = SimulatedPath { probe in
            Fate(arrivals: [
                Fate.Arrival(after: millisecond, kind: .timeExceeded, from: SimulatedPath.router(Int(probe.ttl)))
            ])
        }
        path.run(trace)
        #expect(trace.end == .maxHops)
        #expect(trace.hops.count == 255)
        #expect(Tally(trace.records) == Tally(answered: 2550))
    }

    @Test(arguments: [UInt8(0), 1, 4, 9, 10, 13])
    func aRefusalOnTheWayEndsIt(_ code: UInt8) {
        let trace = TraceBench.trace()
        // Router 3 lets its own TTL expire, and refuses what should go on.
        let path = SimulatedPath {
            $0.ttl > 3 ? refusal(3, code: code) : .onPath($0, roundTrips: [1, 5, 10, 20].map { $0 * millisecond })
        }
        path.run(trace)
        #expect(trace.end == .unreachable)
        #expect(!trace.reached)
        #expect(trace.hops.map(\.ttl) == [1, 2, 3, 4])
        #expect(trace.hops[3].records.allSatisfy { $0.answer?.icmpCode == code })
        #expect(Tally(trace.records) == Tally(answered: 12))
        #expect(path.elapsed <= 60 * millisecond)
    }

    @Test func anUnreachablePortOfAnotherIsARefusal() {
        let trace = TraceBench.trace()
        let path = SimulatedPath {
            $0.ttl > 1 ? refusal(2, code: 3) : .onPath($0, roundTrips: [millisecond, millisecond])
        }
        path.run(trace)
        #expect(trace.end == .unreachable)
        #expect(trace.hops.count == 2)
    }

    @Test func aRefusalThatOthersPassDoesNotEndIt() {
        let trace = TraceBench.trace()
        // Router 2 refuses one probe with host unreachable; all others get through.
        let path = SimulatedPath {
            $0.sequence == 1
                ? refusal(2, code: 1) : .onPath($0, roundTrips: TraceBench.evenPath(hops: 12, last: 60 * millisecond))
        }
        path.run(trace)
        #expect(trace.end == .reached)
        #expect(trace.hops.count == 12)
        #expect(trace.records.count == 36)
    }

    @Test func aRefusalFartherThanAnotherThatWasPassed() {
        let trace = TraceBench.trace()
        // Router 2 refuses one probe; router 5 all that go on.
        let path = SimulatedPath {
            if $0.sequence == 1 { return refusal(2, code: 1) }
            return $0.ttl > 5
                ? refusal(5, code: 10, after: 20 * millisecond)
                : .onPath($0, roundTrips: TraceBench.evenPath(hops: 12, last: 60 * millisecond))
        }
        path.run(trace)
        #expect(trace.end == .unreachable)
        #expect(trace.hops.count == 6)
    }

    @Test func aRefusalKnownBeforeANearerOneWasPassed() {
        let trace = TraceBench.trace { $0.probesPerHop = 1 }
        // The probe of hop 2 is refused, and all beyond hop 5, long before the others answer.
        let path = SimulatedPath {
            if $0.ttl == 2 { return refusal(2, code: 1) }
            return $0.ttl > 5
                ? refusal(5, code: 10) : .onPath($0, roundTrips: [65, 1, 60, 60, 60, 60].map { $0 * millisecond })
        }
        path.run(trace)
        #expect(trace.end == .unreachable)
        #expect(trace.hops.map(\.ttl) == [1, 2, 3, 4, 5, 6])
        #expect(path.elapsed == 68 * millisecond)
    }

    @Test func theTargetsAnswerOutweighsARefusal() {
        let trace = TraceBench.trace()
        let path = SimulatedPath {
            $0.ttl == 3
                ? refusal(3, code: 1, after: 100 * millisecond)
                : .onPath($0, roundTrips: TraceBench.evenPath(hops: 5, last: 60 * millisecond))
        }
        path.run(trace)
        #expect(trace.end == .reached)
        #expect(trace.hops.count == 5)
        #expect(Tally(trace.records) == Tally(answered: 15))
    }

    @Test(arguments: [1, 2, 3, 5, 8, 10, 33, 100, 250, 1000, 10_000])
    func noSecondHasMoreThanTheRate(_ rate: Int) {
        let trace = TraceBench.trace { $0.rate = rate }
        let path = SimulatedPath { .onPath($0, roundTrips: TraceBench.evenPath(hops: 10, last: 50 * millisecond)) }
        path.run(trace)
        #expect(trace.end == .reached)
        #expect(Tally(trace.records) == Tally(answered: 30))
        #expect(busiestSecond(path) <= rate)
    }

    @Test func whatDoesNotLeaveFails() {
        let trace = TraceBench.trace()
        let path = SimulatedPath { _ in .failed(.interfaceDown) }
        #expect(path.run(trace) == .finished)
        #expect(trace.end == .notSent)
        #expect(Tally(trace.records) == Tally(failed: 24))
        #expect(path.elapsed == 46 * millisecond)

        let partly = TraceBench.trace()
        let partlyPath = SimulatedPath {
            $0.sequence % 4 == 2
                ? .failed(.queueBusy) : .onPath($0, roundTrips: TraceBench.evenPath(hops: 5, last: 30 * millisecond))
        }
        partlyPath.run(partly)
        #expect(partly.end == .reached)
        #expect(partly.hops.count == 5)
        #expect(partly.hops.map(\.records.count) == [3, 3, 3, 3, 3])
        #expect(partlyPath.elapsed <= 80 * millisecond, "failures are not waited for")
    }

    @Test func aCompletionThatNeverComesDoesNotHangIt() {
        let trace = TraceBench.trace()
        let path = SimulatedPath {
            var fate = Fate.onPath($0, roundTrips: TraceBench.evenPath(hops: 3, last: 30 * millisecond))
            if $0.sequence == 0 { fate.completionAfter = nil }
            return fate
        }
        #expect(path.run(trace) == .finished)
        #expect(trace.end == .reached)
        #expect(trace.records[0].roundTrip == nil)
        #expect(trace.records[0].answer != nil)
    }

    @Test func aWrongClockDoesNotHangIt() {
        for wrong in [Int64.max, Int64.min, 1] {
            let trace = TraceBench.trace()
            while trace.nextLaunch != nil {
                let probe = trace.launch(at: SimulatedPath.start)
                trace.handle(
                    Completion(sequence: probe.sequence, sentAt: SimulatedPath.start, source: .user, attempts: 1))
                if probe.ttl == 1 {
                    trace.handle(
                        Answer(
                            sequence: probe.sequence, kind: .timeExceeded, from: SimulatedPath.router(1),
                            receivedAt: wrong, source: .user))
                }
            }
            var now = SimulatedPath.start
            var steps = 0
            while !trace.isFinished && steps < 1000 {
                steps += 1
                now = max(now, trace.deadline)
                trace.expire(now: now)
                while trace.nextLaunch != nil {
                    let probe = trace.launch(at: now)
                    trace.handle(Completion(sequence: probe.sequence, sentAt: now, source: .user, attempts: 1))
                }
            }
            #expect(trace.end == .gapLimit)
            #expect(now < SimulatedPath.start + 10 * second)
        }
    }

    @Test func oddOptionsEnd() {
        for (first, last, perHop, rate) in [(0, 0, 0, 0), (9, 3, -1, -7), (255, 255, 99, Int.max)] {
            let trace = TraceBench.trace {
                $0.firstHop = UInt8(first)
                $0.maxHops = UInt8(last)
                $0.probesPerHop = perHop
                $0.rate = rate
                $0.timeout = -1
            }
            let path = SimulatedPath { _ in .lost }
            #expect(path.run(trace) == .finished)
            #expect(trace.end == .maxHops)
            #expect(trace.hops.count == 1)
        }
    }
}
