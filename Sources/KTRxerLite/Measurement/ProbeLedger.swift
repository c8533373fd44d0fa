// SPDX-License-Identifier: MIT
// Keeps one record a probe and tells first answers, duplicates, late and replaced ones apart, in whatever
// order completions and answers come. When to launch and when to stop is the measurements' own matter.

/// The records of one measurement. Sequence numbers are indices.
struct ProbeLedger {
    let records = ProbeRecords()
    /// Probes handed out whose completion has not come yet.
    private(set) var incomplete = 0
    /// ns; 0 before the first answer.
    private(set) var largestRoundTrip: Int64 = 0
    /// The latest launch time handed out, the latest time at which a probe left, and the latest arrival of a
    /// first answer: CLOCK_MONOTONIC ns, 0 when there is none.
    private(set) var lastLaunch: Int64 = 0
    private(set) var lastSent: Int64 = 0
    private(set) var lastAnswer: Int64 = 0
    let target: IPAddress
    /// How long after its own sending a probe's answer is in time, ns.
    let timeout: Int64

    /// How long beyond launch time and timeout a completion is waited for. Each probe has one; this only
    /// keeps a transport that fails in that from holding a measurement for ever.
    static let completionGrace: Int64 = 5_000_000_000

    /// - Parameter expected: how many probes there will be, if that is known: growing takes twice the memory.
    init(target: IPAddress, timeout: Int64, expected: Int = 0) {
        self.target = target
        self.timeout = max(0, timeout)
        records.reserveCapacity(expected)
    }

    /// Opens the record of a probe that will be launched at `launch`.
    mutating func add(ttl: UInt8, intended: Int64, launch: Int64) -> Probe {
        let sequence = UInt32(truncatingIfNeeded: records.count)
        records.append(ProbeRecord(sequence: sequence, ttl: ttl, intended: intended))
        incomplete += 1
        lastLaunch = max(lastLaunch, launch)
        return Probe(sequence: sequence, launch: launch, ttl: ttl)
    }

    /// False, and nothing noted, when it is not the first of a probe of these.
    mutating func note(_ completion: Completion) -> Bool {
        guard let index = index(of: completion.sequence), !isComplete(index) else { return false }
        var record = records[index]
        if let failure = completion.failure {
            // What did not leave cannot have been answered.
            record.answer = nil
            record.duplicates = 0
            record.otherAnswers = 0
            record.failure = failure
        } else {
            guard completion.sentAt > 0 else { return false }
            record.sent = completion.sentAt
            record.sentSource = completion.source
            lastSent = max(lastSent, completion.sentAt)
        }
        record.attempts = completion.attempts
        timeAnswer(&record)
        records[index] = record
        incomplete -= 1
        return true
    }

    /// False when it is not of a probe of these, or of one that did not leave.
    mutating func note(_ answer: Answer) -> Bool {
        guard let index = index(of: answer.sequence) else { return false }
        var record = records[index]
        guard record.failure == nil else { return false }
        if let earlier = record.answer {
            let isNews = answer.isReply(of: target) && !earlier.isReply(of: target)
            if !isNews {
                if earlier.from == answer.from && earlier.kind == answer.kind {
                    record.duplicates = saturatingSum(record.duplicates, 1)
                } else {
                    record.otherAnswers = saturatingSum(record.otherAnswers, 1)
                }
                records[index] = record
                return true
            }
            // The error and its duplicates make way for the reply.
            let displaced = saturatingSum(record.duplicates, 1)
            record.otherAnswers = saturatingSum(record.otherAnswers, displaced)
            record.duplicates = 0
        }
        record.answer = answer
        lastAnswer = max(lastAnswer, answer.receivedAt)
        timeAnswer(&record)
        records[index] = record
        return true
    }

    /// Whether the end of the probe on this side is known.
    func isComplete(_ index: Int) -> Bool { records.isComplete(index) }

    /// Whether nothing more is waited for: it was answered, or did not leave.
    func isSettled(_ index: Int) -> Bool { records.isSettled(index) }

    /// When completions that are still out are given up, CLOCK_MONOTONIC ns.
    var completionDeadline: Int64 {
        saturatingSum(lastLaunch, saturatingSum(timeout, Self.completionGrace))
    }

    /// Ends the book: what has neither left nor been answered failed for `failure`, and answers that were
    /// overtaken by those of later probes are marked where `marksOvertaken`.
    mutating func close(failure: ProbeError, marksOvertaken: Bool) {
        var earliestLater = Int64.max
        for index in stride(from: records.count - 1, through: 0, by: -1) {
            if isComplete(index) && !isSettled(index) { continue }
            var record = records[index]
            if let answer = record.answer {
                if marksOvertaken { record.reordered = answer.receivedAt > earliestLater }
                earliestLater = min(earliestLater, answer.receivedAt)
            } else if record.failure == nil {
                record.failure = failure
            }
            records[index] = record
        }
        incomplete = 0
    }

    private func index(of sequence: UInt32) -> Int? {
        sequence < UInt32(truncatingIfNeeded: records.count) ? Int(sequence) : nil
    }

    /// Once both ends of a round trip are known, in whichever order they came.
    private mutating func timeAnswer(_ record: inout ProbeRecord) {
        guard let roundTrip = record.roundTrip else { return }
        largestRoundTrip = max(largestRoundTrip, roundTrip)
        record.late = roundTrip > timeout
    }
}

/// The sum, held at the type's bounds.
func saturatingSum(_ left: Int64, _ right: Int64) -> Int64 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? (right < 0 ? Int64.min : Int64.max) : sum
}

private func saturatingSum(_ left: UInt16, _ right: UInt16) -> UInt16 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? UInt16.max : sum
}

/// `count` times `interval`, both 0 or more, held at Int64's bound.
func saturatingProduct(_ count: Int, _ interval: Int64) -> Int64 {
    let (product, overflow) = Int64(count).multipliedReportingOverflow(by: interval)
    return overflow ? Int64.max : product
}
