// SPDX-License-Identifier: MIT
import Testing

@testable import KTRxerLite

@Suite struct LaunchQueueTests {
    private func drain(_ queue: inout LaunchQueue) -> [UInt32] {
        var order: [UInt32] = []
        while !queue.isEmpty { order.append(queue.removeFirst().sequence) }
        return order
    }

    @Test func launchTimeThenSubmission() {
        var queue = LaunchQueue()
        for (sequence, launch) in [(0, 30), (1, 10), (2, 20), (3, 10), (4, 0)] {
            queue.insert(Probe(sequence: UInt32(sequence), launch: Int64(launch), ttl: 64))
        }
        #expect(queue.first?.sequence == 4)
        #expect(drain(&queue) == [4, 1, 3, 2, 0])
        #expect(queue.first == nil)
    }

    @Test func putBackGoesInFront() {
        var queue = LaunchQueue()
        for sequence: UInt32 in 0..<3 { queue.insert(Probe(sequence: sequence, launch: 5, ttl: 64)) }
        let first = queue.removeFirst()
        queue.putBack(first)
        #expect(drain(&queue) == [0, 1, 2])
    }

    @Test func randomOrders() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            var queue = LaunchQueue()
            var expected: [(Int64, UInt32)] = []
            var taken: [UInt32] = []
            for sequence: UInt32 in 0..<400 {
                let launch = Int64.random(in: 0..<100, using: &random) + Int64(sequence)
                queue.insert(Probe(sequence: sequence, launch: launch, ttl: 64))
                expected.append((launch, sequence))
                // Take some between, as a transport does.
                if sequence % 3 == 2 {
                    let next = expected.enumerated().min { ($0.1.0, $0.1.1) < ($1.1.0, $1.1.1) }!.offset
                    #expect(queue.removeFirst().sequence == expected.remove(at: next).1)
                }
            }
            taken = drain(&queue)
            #expect(taken == expected.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.1))
        }
    }

    @Test func leadLearnsLatenessAndForgetsIt() {
        var lead = WakeLead()
        for _ in 0..<10 { lead.woke(planned: 0, at: 200_000) }
        #expect(lead.lead >= 200_000 && lead.lead <= 500_000)
        let learnt = lead.lead
        for _ in 0..<500 { lead.woke(planned: 0, at: 5_000) }
        #expect(lead.lead < learnt / 2 && lead.lead >= 30_000)
        // Neither an early event nor a process that was stopped teaches anything.
        let settled = lead.lead
        lead.woke(planned: 1_000_000, at: 0)
        lead.woke(planned: 0, at: 1_000_000_000)
        #expect(lead.lead == settled)
    }
}
