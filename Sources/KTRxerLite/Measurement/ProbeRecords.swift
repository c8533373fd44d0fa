// SPDX-License-Identifier: MIT
// The records of one measurement in a quarter of their plain size: a measurement may have ten thousand, and the
// whole agent is to stay below a megabyte. Nothing is rounded or left out: what does not fit is kept in full.

/// Probe records, in the order in which they were appended. A reference, as it would be dear to hand around
/// otherwise; the measurement that fills it lets go of it, or changes it no more, when it has ended.
public final class ProbeRecords: RandomAccessCollection, @unchecked Sendable {
    /// 32 bytes. Times are differences to the one before, in ns, ±2.1 s.
    private struct Entry: Sendable {
        var intended: Int64 = 0
        /// `sent` - `intended`; of a record kept in full, its index there.
        var slip: Int32 = 0
        /// `receivedAt` - `sent`; - `intended` while it has not been sent.
        var roundTrip: Int32 = 0
        var sequence: UInt16 = 0
        var mtu: UInt16 = 0
        var ttl: UInt8 = 0
        var attempts: UInt8 = 0
        /// Bits 0 sent, 1 answered, 2 reordered, 3 late, 4 and 5 source of the sending time, 6 and 7 of the receiving time.
        var flags: UInt8 = 0
        /// Bits 0 to 3 kind of answer, 7 kept in full.
        var kind: UInt8 = 0
        /// 1: it failed for `failure`; 0: it did not.
        var failure: UInt8 = 0
        /// Index among the addresses.
        var from: UInt8 = 0
        var duplicates: UInt8 = 0
        var otherAnswers: UInt8 = 0
        var icmpType: UInt8 = 0
        var icmpCode: UInt8 = 0
        var answerTTL: UInt8 = 0
        var quotedTTL: UInt8 = 0

        var isSent: Bool { flags & 1 != 0 }
        var isAnswered: Bool { flags & 2 != 0 }
        var isFull: Bool { kind & 0x80 != 0 }
    }

    private var entries: [Entry] = []
    private var full: [ProbeRecord] = []
    /// Who answered, each once; at most as many as a byte can name.
    private var addresses: [IPAddress] = []
    /// Why the first that failed did; mostly the others have the same reason.
    private var failure: ProbeError?

    static var bytesPerRecord: Int { MemoryLayout<Entry>.stride }
    /// How many are kept in full.
    var fullCount: Int { full.count }

    public init() {}

    public convenience init(_ records: [ProbeRecord]) {
        self.init()
        for record in records { append(record) }
    }

    func reserveCapacity(_ count: Int) { entries.reserveCapacity(count) }

    public func append(_ record: ProbeRecord) {
        entries.append(Entry())
        self[entries.count - 1] = record
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { entries.count }

    public subscript(_ index: Int) -> ProbeRecord {
        @inline(never)
        get { entries[index].isFull ? full[Int(entries[index].slip)] : unpack(entries[index]) }
        @inline(never)
        set {
            let slot = entries[index].isFull ? Int(entries[index].slip) : full.count
            if slot == full.count, let entry = pack(newValue) {
                entries[index] = entry
                return
            }
            if slot == full.count { full.append(newValue) } else { full[slot] = newValue }
            // Enough for the questions below.
            entries[index] = Entry()
            entries[index].slip = Int32(truncatingIfNeeded: slot)
            entries[index].ttl = newValue.ttl
            entries[index].kind = 0x80
            entries[index].flags = (newValue.sent != 0 ? 1 : 0) | (newValue.answer != nil ? 2 : 0)
            entries[index].failure = newValue.failure != nil ? 1 : 0
        }
    }

    // What is asked again and again of every record.

    public func ttl(_ index: Int) -> UInt8 { entries[index].ttl }

    func isFailed(_ index: Int) -> Bool { entries[index].failure != 0 }

    func isSent(_ index: Int) -> Bool { entries[index].isSent }

    public func isAnswered(_ index: Int) -> Bool { entries[index].isAnswered }

    /// It left or failed to.
    func isComplete(_ index: Int) -> Bool { entries[index].isSent || entries[index].failure != 0 }

    /// It was answered or did not leave.
    func isSettled(_ index: Int) -> Bool { entries[index].isAnswered || entries[index].failure != 0 }

    // MARK: - Packing

    private func unpack(_ entry: Entry) -> ProbeRecord {
        var record = ProbeRecord(sequence: UInt32(entry.sequence), ttl: entry.ttl, intended: entry.intended)
        if entry.isSent { record.sent = entry.intended &+ Int64(entry.slip) }
        record.sentSource = TimestampSource(rawValue: entry.flags >> 4 & 3) ?? .user
        record.attempts = entry.attempts
        if entry.failure != 0 { record.failure = failure }
        record.duplicates = UInt16(entry.duplicates)
        record.otherAnswers = UInt16(entry.otherAnswers)
        record.reordered = entry.flags & 4 != 0
        record.late = entry.flags & 8 != 0
        guard entry.isAnswered, let kind = AnswerKind(rawValue: entry.kind) else { return record }
        var answer = Answer(
            sequence: record.sequence, kind: kind, from: addresses[Int(entry.from)],
            receivedAt: (entry.isSent ? record.sent : entry.intended) &+ Int64(entry.roundTrip),
            source: TimestampSource(rawValue: entry.flags >> 6) ?? .user)
        answer.icmpType = entry.icmpType
        answer.icmpCode = entry.icmpCode
        answer.ttl = entry.answerTTL
        answer.quotedTTL = entry.quotedTTL
        answer.mtu = UInt32(entry.mtu)
        record.answer = answer
        return record
    }

    /// nil when it does not fit.
    private func pack(_ record: ProbeRecord) -> Entry? {
        let slip = record.sent &- record.intended
        guard record.sequence <= UInt32(UInt16.max), record.duplicates <= 255, record.otherAnswers <= 255,
            record.sent == 0 || isShort(slip, from: record.intended, to: record.sent)
        else { return nil }
        var entry = Entry()
        entry.intended = record.intended
        entry.sequence = UInt16(truncatingIfNeeded: record.sequence)
        entry.ttl = record.ttl
        entry.attempts = record.attempts
        entry.duplicates = UInt8(truncatingIfNeeded: record.duplicates)
        entry.otherAnswers = UInt8(truncatingIfNeeded: record.otherAnswers)
        entry.flags = record.sentSource.rawValue << 4
        if record.sent != 0 {
            entry.flags |= 1
            entry.slip = Int32(truncatingIfNeeded: slip)
        }
        if record.reordered { entry.flags |= 4 }
        if record.late { entry.flags |= 8 }
        if let failure = record.failure {
            if self.failure == nil { self.failure = failure }
            guard failure == self.failure else { return nil }
            entry.failure = 1
        }
        guard let answer = record.answer else { return entry }
        let base = record.sent != 0 ? record.sent : record.intended
        let roundTrip = answer.receivedAt &- base
        guard answer.labels.isEmpty, answer.mtu <= UInt32(UInt16.max), answer.sequence == record.sequence,
            isShort(roundTrip, from: base, to: answer.receivedAt), let from = index(of: answer.from)
        else { return nil }
        entry.flags |= 2 | answer.source.rawValue << 6
        entry.roundTrip = Int32(truncatingIfNeeded: roundTrip)
        entry.kind = answer.kind.rawValue
        entry.from = from
        entry.icmpType = answer.icmpType
        entry.icmpCode = answer.icmpCode
        entry.answerTTL = answer.ttl
        entry.quotedTTL = answer.quotedTTL
        entry.mtu = UInt16(truncatingIfNeeded: answer.mtu)
        return entry
    }

    /// Whether the difference fits 32 bits, and is one: extreme times wrap around.
    private func isShort(_ difference: Int64, from: Int64, to: Int64) -> Bool {
        difference == Int64(Int32(truncatingIfNeeded: difference)) && (difference < 0) == (to < from)
    }

    private func index(of address: IPAddress) -> UInt8? {
        for index in 0..<addresses.count where addresses[index] == address {
            return UInt8(truncatingIfNeeded: index)
        }
        guard addresses.count < 255 else { return nil }
        addresses.append(address)
        return UInt8(truncatingIfNeeded: addresses.count - 1)
    }
}
