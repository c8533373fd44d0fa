// SPDX-License-Identifier: MIT
// trace: which hop to probe next, and when the path is known. The flow that stays the same for every probe
// (Paris, Augustin et al., IMC 2006) is the transport's; the pace is LaunchSpacing.swift's.

/// Why a trace ended where it did.
public enum TraceEnd: UInt8, Sendable {
    /// The target itself answered.
    case reached
    /// Something on the way, or a firewall in the target's name, refused the probe: unreachable, too big.
    case unreachable
    /// Too many hops in a row were silent.
    case gapLimit
    /// The farthest hop that was asked for was probed.
    case maxHops
    /// No probe left this host.
    case notSent
    case cancelled

    public var name: StaticString {
        switch self {
        case .reached: "reached"
        case .unreachable: "unreachable"
        case .gapLimit: "gap_limit"
        case .maxHops: "max_hops"
        case .notSent: "not_sent"
        case .cancelled: "cancelled"
        }
    }
}

/// How a trace went as a whole.
public struct TraceOutcome: Equatable, Sendable {
    public var end: TraceEnd
    /// Probes that were launched beyond the end, before that was known. They have no record.
    public var unneeded: Int
    /// Probes of `firstHop...maxHops` that were never launched.
    public var spared: Int

    public init(end: TraceEnd, unneeded: Int, spared: Int) {
        self.end = end
        self.unneeded = unneeded
        self.spared = spared
    }
}

/// What is known of one hop.
public struct TraceHop: Sendable {
    public var ttl: UInt8
    /// By sequence number.
    public var records: [ProbeRecord]
}

/// The path to a target, all hops at once.
///
/// Order: probe k of hop h is due before probe k' of h' when h + k < h' + k', the farther hop first when these
/// are equal. So neighbouring launches go to different hops, and the target's own probes reach it
/// before most of those that overshoot: hosts answer only so many (Linux six, then one a second).
///
/// How far: the first eight hops blindly; then four hops beyond the farthest that answered; and, when no
/// farther hop has answered for a while (twice the largest round trip, 100 to 500 ms), as far as the gap limit
/// allows. Never beyond the target, once it has answered, nor beyond an unreachable.
///
/// The end: with the target or an unreachable known, as soon as every probe up to there is answered; a silent
/// one is waited for three times the largest round trip (at least 250 ms, at most the timeout) after its
/// sending. Without, when the timeout of all probes has passed.
public final class Trace: Measurement {
    public let kind = MeasurementKind.trace
    public private(set) var isFinished = false
    /// Why it ended; nil while it runs.
    public private(set) var end: TraceEnd?
    public private(set) var unneeded = 0

    private let start: Int64
    private let firstHop: Int
    private let lastHop: Int
    private let perHop: Int
    private let gapLimit: Int
    private var ledger: ProbeLedger
    private var spacing: LaunchSpacing
    /// Records up to the end, once it is known.
    private let kept = ProbeRecords()
    /// Probes launched for each TTL from `firstHop` on.
    private var launched: [UInt8]
    /// The farthest TTL that may be probed before the end is known.
    private var window: Int
    /// The farthest TTL with any answer, and with one from a router that a probe passed; else below `firstHop`.
    private var farthestAnswer: Int
    private var farthestRouter: Int
    /// The lowest TTL at which the target answered, and at which an unreachable came from beyond all routers.
    private var targetHop: Int?
    private var blockedHop: Int?
    /// When the window last moved, or could have, CLOCK_MONOTONIC ns.
    private var progressAt: Int64 = 0

    private static let firstWindow = 8
    private static let lookahead = 4
    private static let shortestQuiet: Int64 = 100_000_000
    private static let longestQuiet: Int64 = 500_000_000
    private static let shortestWait: Int64 = 250_000_000

    /// - Parameters:
    ///   - start: launch time of the first probe, CLOCK_MONOTONIC ns.
    ///   - gapLimit: silent hops in a row after which no farther ones are probed.
    public init(options: MeasurementOptions, destination: IPAddress, start: Int64, gapLimit: Int = 8) {
        self.start = start
        firstHop = Int(max(1, options.firstHop))
        lastHop = max(firstHop, Int(options.maxHops))
        perHop = min(max(1, options.probesPerHop), 10)
        self.gapLimit = min(max(1, gapLimit), 255)
        ledger = ProbeLedger(target: destination, timeout: options.timeout)
        spacing = LaunchSpacing(rate: options.rate)
        launched = [UInt8](repeating: 0, count: lastHop - firstHop + 1)
        farthestAnswer = firstHop - 1
        farthestRouter = firstHop - 1
        window = min(lastHop, firstHop - 1 + min(Self.firstWindow, self.gapLimit))
    }

    /// While it runs, of all probes; after the end, of those up to the end, their sequence numbers unchanged.
    public var records: ProbeRecords { isFinished ? kept : ledger.records }

    /// Whether the target itself answered (`Answer.isReply`).
    public var reached: Bool { targetHop != nil }

    public var traceOutcome: TraceOutcome? {
        guard let end else { return nil }
        return TraceOutcome(
            end: end, unneeded: unneeded, spared: (lastHop - firstHop + 1) * perHop - ledger.records.count)
    }

    /// The hops that were probed, from the first on.
    public var hops: [TraceHop] {
        var hops: [TraceHop] = []
        for record in records {
            let index = Int(record.ttl) - firstHop
            while hops.count <= index {
                hops.append(TraceHop(ttl: UInt8(truncatingIfNeeded: firstHop + hops.count), records: []))
            }
            hops[index].records.append(record)
        }
        return hops
    }

    /// Never before the event that made a hop worth probing: it cannot have been meant to leave earlier.
    public var nextLaunch: Int64? { nextHop == nil ? nil : max(start, spacing.earliest, progressAt) }

    public var launchPolicy: LaunchPolicy { .each }

    public func launch(at: Int64) -> Probe {
        // A trace has no timetable: a probe is meant to leave when its turn has come.
        let hop = nextHop ?? firstHop
        launched[hop - firstHop] &+= 1
        spacing.record(launch: at)
        return ledger.add(ttl: UInt8(truncatingIfNeeded: hop), intended: at, launch: at)
    }

    public func handle(_ completion: Completion) {
        guard !isFinished, ledger.note(completion) else { return }
        finishWhenSettled()
    }

    public func handle(_ answer: Answer) {
        guard !isFinished, ledger.note(answer) else { return }
        let hop = Int(ledger.records.ttl(Int(answer.sequence)))
        if hop > farthestAnswer {
            farthestAnswer = hop
            // An arrival time from a clock that is wrong must not hold the trace for ever.
            let latest = saturatingSum(ledger.lastLaunch, ledger.timeout)
            progressAt = max(progressAt, min(answer.receivedAt, latest))
            window = max(window, min(lastHop, hop + min(Self.lookahead, gapLimit)))
        }
        if answer.kind == .timeExceeded {
            if hop > farthestRouter { farthestRouter = hop }
            // A probe went beyond what said that nothing does.
            if let blocked = blockedHop, farthestRouter >= blocked { blockedHop = nearestBlock() }
        } else if answer.isReply(of: ledger.target) {
            targetHop = min(targetHop ?? hop, hop)
        } else if hop > farthestRouter {
            blockedHop = min(blockedHop ?? hop, hop)
        }
        finishWhenSettled()
    }

    public var deadline: Int64 {
        if isFinished { return Int64.max }
        return min(quietEnd, settledAt)
    }

    public func expire(now: Int64) {
        guard !isFinished else { return }
        if now >= quietEnd {
            window = widestWindow
            progressAt = now
        } else if now >= settledAt {
            finish(cancelled: false)
        }
    }

    public func cancel(now: Int64) {
        if !isFinished { finish(cancelled: true) }
    }

    /// The TTL beyond which nothing needs to be probed, when it is known. That the target answered
    /// outweighs that something nearer said it could not.
    private var endHop: Int? { targetHop ?? blockedHop }

    private var widestWindow: Int { min(lastHop, farthestAnswer + gapLimit) }

    /// The TTL whose probe is due next, or nil.
    private var nextHop: Int? {
        guard !isFinished else { return nil }
        let limit = endHop ?? window
        var best: Int?
        var bestRank = Int.max
        var hop = firstHop
        // Ranks of farther hops are no lower than their TTL.
        while hop <= limit && hop <= bestRank {
            let count = Int(launched[hop - firstHop])
            if count < perHop && hop + count <= bestRank {
                best = hop
                bestRank = hop + count
            }
            hop += 1
        }
        return best
    }

    /// When the window is to be opened as far as it may; `Int64.max` when there is no reason to.
    private var quietEnd: Int64 {
        guard endHop == nil, window < widestWindow, nextHop == nil else { return Int64.max }
        let roundTrips = saturatingProduct(2, ledger.largestRoundTrip)
        let quiet = min(ledger.timeout, Self.longestQuiet, max(Self.shortestQuiet, roundTrips))
        return saturatingSum(max(progressAt, ledger.lastLaunch), quiet)
    }

    /// When nothing is waited for any more as things stand: `Int64.max` while there is something to launch,
    /// `Int64.min` when there is nothing to wait for.
    private var settledAt: Int64 {
        guard nextHop == nil, endHop != nil || window >= widestWindow else { return Int64.max }
        let roundTrips = saturatingProduct(3, ledger.largestRoundTrip)
        let wait = min(ledger.timeout, max(Self.shortestWait, roundTrips))
        let limit = endHop ?? lastHop
        var settled = Int64.min
        for index in 0..<ledger.records.count {
            let hop = Int(ledger.records.ttl(index))
            if hop > limit { continue }
            if !ledger.isComplete(index) {
                settled = max(settled, ledger.completionDeadline)
            } else if !ledger.isSettled(index) {
                // Beyond the farthest answer there may be the target, and it may be slow.
                let patience = endHop != nil || hop <= farthestAnswer ? wait : ledger.timeout
                settled = max(settled, saturatingSum(ledger.records[index].sent, patience))
            }
        }
        return settled
    }

    /// The lowest TTL with an unreachable, of those that no router's answer came from beyond.
    private func nearestBlock() -> Int? {
        var nearest: Int?
        for index in 0..<ledger.records.count {
            let hop = Int(ledger.records.ttl(index))
            guard hop > farthestRouter, let answer = ledger.records[index].answer, answer.kind != .timeExceeded else {
                continue
            }
            nearest = min(nearest ?? hop, hop)
        }
        return nearest
    }

    private func finishWhenSettled() {
        if settledAt == Int64.min { finish(cancelled: false) }
    }

    private func finish(cancelled: Bool) {
        let limit = endHop ?? lastHop
        for index in 0..<ledger.records.count {
            if Int(ledger.records.ttl(index)) > limit && !ledger.records.isFailed(index) { unneeded += 1 }
        }
        ledger.close(failure: cancelled ? .cancelled : .launchMissed, marksOvertaken: false)
        var anySent = false
        for index in 0..<ledger.records.count {
            if !ledger.records.isFailed(index) { anySent = true }
            if Int(ledger.records.ttl(index)) <= limit { kept.append(ledger.records[index]) }
        }
        if cancelled {
            end = .cancelled
        } else if targetHop != nil {
            end = .reached
        } else if blockedHop != nil {
            end = .unreachable
        } else if !anySent {
            end = .notSent
        } else {
            end = widestWindow < lastHop ? .gapLimit : .maxHops
        }
        isFinished = true
    }
}
