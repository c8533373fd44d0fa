// SPDX-License-Identifier: MIT
// A path with a virtual clock: drives a measurement to its end the way the event loop does, and answers its
// probes as a test says, or as a randomly drawn path would. No real time passes.
@testable import KTRxerLite

let millisecond: Int64 = 1_000_000
let second: Int64 = 1_000_000_000

/// Reproducible random numbers (SplitMix64).
struct Dice: RandomNumberGenerator {
    var state: UInt64

    init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x2545_F491_4F6C_DD1D }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    mutating func happens(_ permille: Int) -> Bool { Int.random(in: 0..<1000, using: &self) < permille }
}

/// What becomes of one probe. Delays are counted from the instant at which it leaves.
struct Fate {
    struct Arrival {
        var after: Int64
        var kind: AnswerKind
        var from: IPAddress
        var code: UInt8 = 0
        /// How much later than it arrived the measurement hears of it.
        var heardLater: Int64 = 0
        var sequence: UInt32?
    }

    /// How long after its launch time it leaves, or fails to.
    var slip: Int64 = 0
    var failure: ProbeError?
    /// How long after that the measurement hears of it; nil: never.
    var completionAfter: Int64? = 0
    var arrivals: [Arrival] = []
}

final class SimulatedPath {
    enum Event {
        case completion(Completion)
        case answer(Answer)
    }

    struct Launch: Equatable {
        var sequence: UInt32
        var ttl: UInt8
        var at: Int64
    }

    static let start: Int64 = 5_000 * second
    static let target = IPAddress(v4: 0xC633_6401)

    static func router(_ hop: Int) -> IPAddress { IPAddress(v4: 0x0A00_0000 + UInt32(hop)) }

    var now = SimulatedPath.start
    /// How far ahead of its time a launch is asked for.
    var lookahead: Int64 = 0
    /// Earliest launch that the ceiling lets through; the launch wanted is the argument.
    var ceiling: (Int64) -> Int64 = { $0 }
    /// Called before each step, for a test that interferes.
    var beforeStep: (any Measurement) -> Void = { _ in }
    private(set) var launches: [Launch] = []
    private(set) var steps = 0
    private var events: [(at: Int64, order: Int, event: Event)] = []
    private var order = 0
    private let fate: (Probe) -> Fate

    init(fate: @escaping (Probe) -> Fate) { self.fate = fate }

    enum Ending: Equatable { case finished, stuck, endless }

    /// Runs to the end. `stuck`: it waits for nothing; `endless`: more than `mostSteps`.
    @discardableResult
    func run(_ measurement: any Measurement, mostSteps: Int = 200_000) -> Ending {
        while !measurement.isFinished {
            steps += 1
            if steps > mostSteps { return .endless }
            beforeStep(measurement)
            if measurement.isFinished { break }
            while let wanted = measurement.nextLaunch, wanted <= saturatingSum(now, lookahead) {
                send(measurement.launch(at: ceiling(max(now, wanted))))
            }
            let next = min(
                events.first?.at ?? Int64.max, saturatingSum(measurement.nextLaunch ?? Int64.max, -lookahead),
                measurement.deadline)
            if next == Int64.max && !measurement.isFinished { return .stuck }
            now = max(now, next)
            while let first = events.first, first.at <= now {
                events.removeFirst()
                switch first.event {
                case .completion(let completion): measurement.handle(completion)
                case .answer(let answer): measurement.handle(answer)
                }
            }
            if measurement.deadline <= now { measurement.expire(now: now) }
        }
        return .finished
    }

    /// Virtual time since the start.
    var elapsed: Int64 { now - SimulatedPath.start }

    private func send(_ probe: Probe) {
        launches.append(Launch(sequence: probe.sequence, ttl: probe.ttl, at: probe.launch))
        let fate = fate(probe)
        let left = probe.launch + fate.slip
        if let after = fate.completionAfter {
            let completion =
                fate.failure.map { Completion(sequence: probe.sequence, failure: $0, attempts: 1) }
                ?? Completion(sequence: probe.sequence, sentAt: left, source: .kernel, attempts: 1)
            schedule(.completion(completion), at: left + after)
        }
        for arrival in fate.arrivals {
            var answer = Answer(
                sequence: arrival.sequence ?? probe.sequence, kind: arrival.kind, from: arrival.from,
                receivedAt: left + arrival.after, source: .kernel)
            answer.icmpCode = arrival.code
            schedule(.answer(answer), at: left + arrival.after + arrival.heardLater)
        }
    }

    private func schedule(_ event: Event, at time: Int64) {
        order += 1
        let place = events.firstIndex { $0.at > time } ?? events.count
        events.insert((time, order, event), at: place)
    }
}

extension Fate {
    /// Answered by the target's echo reply after `roundTrip`.
    static func echo(_ roundTrip: Int64) -> Fate {
        Fate(arrivals: [Arrival(after: roundTrip, kind: .echoReply, from: SimulatedPath.target)])
    }

    static let lost = Fate()

    static func failed(_ error: ProbeError) -> Fate { Fate(failure: error) }

    /// On a path of `hops`, the last of which is the target, each hop's round trip `roundTrips[hop - 1]`.
    static func onPath(_ probe: Probe, roundTrips: [Int64], target: AnswerKind = .unreachable) -> Fate {
        let hop = min(Int(probe.ttl), roundTrips.count)
        let isTarget = hop == roundTrips.count
        return Fate(arrivals: [
            Arrival(
                after: roundTrips[hop - 1], kind: isTarget ? target : .timeExceeded,
                from: isTarget ? SimulatedPath.target : SimulatedPath.router(hop), code: isTarget ? 3 : 0)
        ])
    }

    func heard(completionAfter: Int64) -> Fate {
        var fate = self
        fate.completionAfter = completionAfter
        return fate
    }

    func with(_ arrivals: Arrival...) -> Fate {
        var fate = self
        fate.arrivals += arrivals
        return fate
    }
}

extension MeasurementOptions {
    static func ping(count: Int, gap: Int64 = second, timeout: Int64 = 2 * second) -> MeasurementOptions {
        var options = MeasurementOptions(kind: .ping)
        options.count = count
        options.gap = gap
        options.timeout = timeout
        return options
    }

    static func train(count: Int, gap: Int64 = 0, timeout: Int64 = 2 * second) -> MeasurementOptions {
        var options = MeasurementOptions(kind: .train)
        options.count = count
        options.gap = gap
        options.timeout = timeout
        return options
    }
}

/// What the tests count in records.
struct Tally: Equatable {
    var answered = 0
    var lost = 0
    var failed = 0
    var duplicates = 0
    var others = 0
    var reordered = 0
    var late = 0

    init(
        answered: Int = 0, lost: Int = 0, failed: Int = 0, duplicates: Int = 0, others: Int = 0,
        reordered: Int = 0, late: Int = 0
    ) {
        self.answered = answered
        self.lost = lost
        self.failed = failed
        self.duplicates = duplicates
        self.others = others
        self.reordered = reordered
        self.late = late
    }

    init(_ records: ProbeRecords) {
        for record in records {
            if record.failure != nil { failed += 1 } else if record.answer != nil { answered += 1 } else { lost += 1 }
            duplicates += Int(record.duplicates)
            others += Int(record.otherAnswers)
            if record.reordered { reordered += 1 }
            if record.late { late += 1 }
        }
    }
}
