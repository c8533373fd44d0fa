// SPDX-License-Identifier: MIT
// What all measurements share: the options, the record of each probe, and the protocol by which an
// event loop drives them. They know nothing of devices: probes and answers go through a Transport.

public enum MeasurementKind: UInt8, Sendable {
    case ping, trace, train

    public var name: StaticString {
        switch self {
        case .ping: "ping"
        case .trace: "trace"
        case .train: "train"
        }
    }
}

/// Which address of a name to take.
public enum FamilyPreference: UInt8, Sendable { case any, ipv4, ipv6 }

/// Which transport to use; `auto` takes the best that works here.
public enum TransportPreference: UInt8, Sendable { case auto, packet, socket, kernel }

/// Everything that can be asked of a measurement. Fields of other kinds are ignored. Times are ns.
public struct MeasurementOptions: Sendable {
    public var kind: MeasurementKind
    public var family: FamilyPreference = .any
    public var transport: TransportPreference = .auto
    public var proto: ProbeProtocol = .icmp
    /// Destination port of UDP and TCP probes.
    public var port: UInt16 = 33434
    /// Bytes after the ICMP echo or UDP header; of a SYN none leave, whatever it says.
    public var size: Int = 56
    /// Bytes that a probe carries there. A SYN carries none: firewalls take offence, and servers would keep them.
    var payloadLength: Int { proto == .tcpSyn ? 0 : size }
    public var trafficClass: UInt8 = 0
    public var dontFragment = false
    /// Source address; nil: the routing table's.
    public var source: IPAddress?
    /// Interface name as bytes without NUL, at most 15; empty: the routing table's.
    public var interface: ByteText {
        get { interfaceName.text }
        set { interfaceName = InterfaceName(newValue) }
    }
    var interfaceName = InterfaceName()
    /// The longest round-trip time that counts, of each probe; later answers are "late".
    public var timeout: Int64 = 2_000_000_000

    /// ping, train: TTL of every probe.
    public var ttl: UInt8 = 64
    /// ping, train: number of probes.
    public var count: Int = 10
    /// ping, train: launch time of each probe after that of the one before; 0: back to back.
    public var gap: Int64 = 1_000_000_000

    /// trace: TTLs from and to.
    public var firstHop: UInt8 = 1
    public var maxHops: UInt8 = 30
    /// trace: probes for each TTL.
    public var probesPerHop: Int = 3
    /// trace: launch rate over all hops, probes a second.
    public var rate: Int = 100

    /// The defaults of each kind.
    public init(kind: MeasurementKind) {
        self.kind = kind
        switch kind {
        case .ping: break
        case .trace:
            proto = .udp
            size = 32
            timeout = 1_500_000_000
        case .train:
            proto = .udp
            count = 20
            gap = 0
            size = 100
        }
    }
}

/// What became of one probe. Times are CLOCK_MONOTONIC ns; 0 means never.
public struct ProbeRecord: Sendable {
    public var sequence: UInt32
    public var ttl: UInt8
    /// When it was meant to leave.
    public var intended: Int64
    /// When it left; 0 with `failure`, or while it is still queued.
    public var sent: Int64 = 0
    public var sentSource: TimestampSource = .user
    public var attempts: UInt8 = 0
    public var failure: ProbeError?
    /// The first answer, if any came; but a reply takes the place of an error that came before it.
    public var answer: Answer?
    /// Further answers of the same kind from the same sender.
    public var duplicates: UInt16 = 0
    /// Further answers of another kind or from another sender, an error that a reply replaced among them.
    public var otherAnswers: UInt16 = 0
    /// ping, train: the answer came after that of a probe sent later (RFC 4737). Set when the measurement ends.
    public var reordered = false
    /// The answer came after the timeout.
    public var late = false

    public init(sequence: UInt32, ttl: UInt8, intended: Int64) {
        self.sequence = sequence
        self.ttl = ttl
        self.intended = intended
    }

    /// Round-trip time in ns, when there was an answer.
    public var roundTrip: Int64? {
        guard let answer, sent != 0 else { return nil }
        return answer.receivedAt.clampedDifference(sent)
    }

    /// How much later than intended it left, ns; nil when it did not.
    public var slip: Int64? { sent != 0 ? sent.clampedDifference(intended) : nil }
}

extension Answer {
    /// Whether this is the target's own reply, an unreachable port or protocol of its among them (what a
    /// UDP probe usually gets), and not an error that something on the way, or its firewall, sent instead.
    public func isReply(of target: IPAddress) -> Bool {
        switch kind {
        case .echoReply, .udpReply, .tcpOpen, .tcpReset: return true
        case .unreachable:
            guard from == target else { return false }
            // RFC 792: 2 protocol, 3 port. RFC 4443: 4 port.
            return target.family == .ipv4 ? icmpCode == 2 || icmpCode == 3 : icmpCode == 4
        case .parameterProblem:
            // RFC 4443, code 1: next header not recognised, IPv6's way to say "protocol unreachable".
            return from == target && target.family == .ipv6 && icmpCode == 1
        case .timeExceeded, .packetTooBig: return false
        }
    }
}

/// How the launches of a measurement are placed under the packets-per-second ceiling.
public enum LaunchPolicy: Equatable, Sendable {
    /// Each by itself.
    case each
    /// This many, this far apart (ns), all or none: the gaps are what is measured.
    case run(count: Int, gap: Int64)
    /// Already placed, together with the first of its run.
    case placed
}

/// A measurement as a state machine: time and events go in, probes come out.
public protocol Measurement: AnyObject {
    var kind: MeasurementKind { get }
    /// One record a probe, by sequence number. What comes in after the end changes none of them.
    var records: ProbeRecords { get }
    /// Intended launch time of the next probe it wants to send, or nil when it wants none (now). The caller
    /// may move it back (never forward) to hold the rate ceiling, and then calls `launch`. It may lie in the past,
    /// and may change with every event.
    var nextLaunch: Int64? { get }
    /// How the next launch, and what comes after it, is to be placed under the ceiling.
    var launchPolicy: LaunchPolicy { get }
    /// Takes the next probe, which will be launched at `at`; called only while `nextLaunch` is not nil.
    func launch(at: Int64) -> Probe
    func handle(_ completion: Completion)
    func handle(_ answer: Answer)
    /// CLOCK_MONOTONIC ns at which `expire` must be called; `Int64.max` if never.
    var deadline: Int64 { get }
    /// Notices what has timed out by `now`. Everything that has arrived by then must have been handled before.
    func expire(now: Int64)
    /// Ends early: nothing more is launched, probes without answer count as they stand.
    func cancel(now: Int64)
    var isFinished: Bool { get }
    /// Of a trace that has finished.
    var traceOutcome: TraceOutcome? { get }
}
