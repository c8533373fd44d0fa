// SPDX-License-Identifier: MIT
// Everything that is known of one measurement when it has ended: what records and reports are made of.
// What can be derived from the probe records is computed here and in Statistics.swift, never stored.

public final class MeasurementResult: @unchecked Sendable {
    /// Name of the job; empty: ad hoc.
    public var job: ByteText
    public var kind: MeasurementKind
    /// As written in the job file or on the command line.
    public var target: ByteText
    /// What the target resolved to; nil when it did not.
    public var address: IPAddress?
    /// Source address and port (or ICMP identifier) of the probes; nil and 0 when no transport was opened.
    public var sourceAddress: IPAddress?
    public var sourcePort: UInt16
    /// What carried the probes; nil when none could be opened.
    public var transport: TransportKind?
    /// Name of the interface by which the probes left; empty: not known.
    public var interface: ByteText
    /// CLOCK_REALTIME ns at `startedMonotonic`.
    public var startedRealtime: Int64
    /// CLOCK_MONOTONIC ns, from before the name was resolved until after the last answer was waited for.
    public var startedMonotonic: Int64
    public var finishedMonotonic: Int64
    /// Whether the kernel held the clock for synchronised.
    public var clockSynchronised: Bool
    /// Whether CLOCK_REALTIME was stepped during the measurement.
    public var clockStepped: Bool
    public var options: MeasurementOptions
    /// One a probe, by sequence number.
    public var records: ProbeRecords
    /// Largest probe that leaves in one piece, bytes with the IP header; 0: not known.
    public var mtu: Int
    /// Answers with our ports or identifier, but not with our cookie.
    public var foreignAnswers: UInt64
    /// Packets that the kernel could not deliver.
    public var lostCaptures: UInt64
    /// Why there was no measurement, or why it ended early.
    public var error: ProbeError?
    /// Runs of the job that were due while this one, or another in its way, was still going on.
    public var skippedRuns: UInt64 = 0
    /// CLOCK_REALTIME ns at which the schedule wanted it; 0: ad hoc.
    public var scheduledRealtime: Int64 = 0
    /// Of a trace that was begun.
    public var traceOutcome: TraceOutcome?

    public init(
        job: ByteText, kind: MeasurementKind, target: ByteText, address: IPAddress?,
        sourceAddress: IPAddress?, sourcePort: UInt16, transport: TransportKind?, interface: ByteText,
        startedRealtime: Int64, startedMonotonic: Int64, finishedMonotonic: Int64,
        clockSynchronised: Bool, clockStepped: Bool, options: MeasurementOptions,
        records: ProbeRecords, mtu: Int, foreignAnswers: UInt64, lostCaptures: UInt64, error: ProbeError?
    ) {
        self.job = job
        self.kind = kind
        self.target = target
        self.address = address
        self.sourceAddress = sourceAddress
        self.sourcePort = sourcePort
        self.transport = transport
        self.interface = interface
        self.startedRealtime = startedRealtime
        self.startedMonotonic = startedMonotonic
        self.finishedMonotonic = finishedMonotonic
        self.clockSynchronised = clockSynchronised
        self.clockStepped = clockStepped
        self.options = options
        self.records = records
        self.mtu = mtu
        self.foreignAnswers = foreignAnswers
        self.lostCaptures = lostCaptures
        self.error = error
    }

    /// Whether the target itself answered a probe in time (see `Answer.isReply`): for a trace, whether it
    /// was reached.
    public var anyReply: Bool {
        guard let address else { return false }
        for index in 0..<records.count {
            let record = records[index]
            if !record.late, let answer = record.answer, answer.isReply(of: address) { return true }
        }
        return false
    }

    /// Whether anybody answered a probe, in time or late.
    public var anyAnswer: Bool {
        for index in 0..<records.count where records.isAnswered(index) { return true }
        return false
    }

    /// The least exact source of any probe's sending and receiving time: what all of them can be relied on for.
    /// nil when there is none.
    public var timestamps: (sent: TimestampSource?, received: TimestampSource?) {
        var sent: TimestampSource?
        var received: TimestampSource?
        for index in 0..<records.count {
            let record = records[index]
            if record.sent != 0, record.sentSource.rawValue >= (sent?.rawValue ?? 0) { sent = record.sentSource }
            if let answer = record.answer, answer.source.rawValue >= (received?.rawValue ?? 0) {
                received = answer.source
            }
        }
        return (sent, received)
    }

    /// Bytes of each probe with its IP header; 0 when there is no address.
    public var packetBytes: Int {
        guard let address else { return 0 }
        return ProbePacket.length(
            flow: Flow(
                proto: options.proto, destination: address, destinationPort: options.port, sourcePort: 0,
                payloadLength: options.payloadLength, trafficClass: 0, dontFragment: false, constantFlow: false,
                token: 0))
    }

    /// Computed anew at each call.
    public var statistics: MeasurementStatistics {
        MeasurementStatistics(
            records: records, destination: address, kind: kind, packetBytes: packetBytes)
    }
}
