// SPDX-License-Identifier: MIT
// The one protocol of the transports: probes with launch times go in, completions and answers come
// out. Implementations: KernelTransport.swift (the kernel module), PacketTransport.swift (AF_PACKET),
// SocketTransport.swift (no privileges).

/// Which transport carried a measurement; in every record.
public enum TransportKind: UInt8, Sendable {
    case packet, socket, kernel

    public var name: StaticString {
        switch self {
        case .packet: "packet"
        case .socket: "socket"
        case .kernel: "kernel"
        }
    }
}

/// Where a timestamp was taken, nearest to the wire first.
public enum TimestampSource: UInt8, Sendable {
    /// The network card.
    case hardware
    /// The kernel: at the driver when sending, on arrival at the stack when receiving.
    case kernel
    /// This process, after the system call.
    case user

    public var name: StaticString {
        switch self {
        case .hardware: "hardware"
        case .kernel: "kernel"
        case .user: "user"
        }
    }
}

/// What a probe is, above IP. `icmp` is an echo request; ICMPv6 when the destination is IPv6.
public enum ProbeProtocol: UInt8, Sendable {
    case icmp, udp, tcpSyn

    public var name: StaticString {
        switch self {
        case .icmp: "icmp"
        case .udp: "udp"
        case .tcpSyn: "tcp"
        }
    }
}

/// What all probes of one measurement have in common. Together with a probe's sequence number it
/// decides every byte of the packet.
public struct Flow: Sendable {
    public var proto: ProbeProtocol
    public var destination: IPAddress
    /// UDP and TCP destination port; unused with ICMP.
    public var destinationPort: UInt16
    /// ICMP identifier, or UDP/TCP source port; 0 lets the transport take a free one when it opens.
    public var sourcePort: UInt16
    /// Bytes after the ICMP echo or UDP header; 0 of a SYN. The cookie takes the first 8 of them where there is room.
    public var payloadLength: Int
    /// IPv4 TOS or IPv6 traffic class.
    public var trafficClass: UInt8
    /// IPv4 DF. IPv6 is never fragmented here.
    public var dontFragment: Bool
    /// Paris (Augustin et al., IMC 2006): everything that load balancers hash stays the same for every
    /// probe, the ICMP checksum and the TCP source port among them. Off, each TCP SYN has its own source port.
    public var constantFlow: Bool
    /// Random, one per measurement: the upper half of the cookie, which tells our answers from all others.
    public var token: UInt32

    public init(
        proto: ProbeProtocol, destination: IPAddress, destinationPort: UInt16, sourcePort: UInt16,
        payloadLength: Int, trafficClass: UInt8, dontFragment: Bool, constantFlow: Bool, token: UInt32
    ) {
        self.proto = proto
        self.destination = destination
        self.destinationPort = destinationPort
        self.sourcePort = sourcePort
        self.payloadLength = payloadLength
        self.trafficClass = trafficClass
        self.dontFragment = dontFragment
        self.constantFlow = constantFlow
        self.token = token
    }
}

/// One probe, due at an instant.
public struct Probe: Sendable {
    /// Lower half of the cookie; 0, 1, 2 … within a measurement, at most 65,535.
    public var sequence: UInt32
    /// Launch time, CLOCK_MONOTONIC ns; 0 is now.
    public var launch: Int64
    /// IPv4 TTL or IPv6 hop limit.
    public var ttl: UInt8

    public init(sequence: UInt32, launch: Int64, ttl: UInt8) {
        self.sequence = sequence
        self.launch = launch
        self.ttl = ttl
    }
}

/// The end of one submitted probe on this side; each probe has exactly one.
public struct Completion: Sendable {
    public var sequence: UInt32
    /// nil: it left, at `sentAt`. Else why it did not.
    public var failure: ProbeError?
    /// When it left, CLOCK_MONOTONIC ns; 0 with `failure`.
    public var sentAt: Int64
    public var source: TimestampSource
    /// How often the device was offered the frame, 1 or more; 0 when it never was.
    public var attempts: UInt8

    public init(sequence: UInt32, sentAt: Int64, source: TimestampSource, attempts: UInt8) {
        self.sequence = sequence
        failure = nil
        self.sentAt = sentAt
        self.source = source
        self.attempts = attempts
    }

    public init(sequence: UInt32, failure: ProbeError, attempts: UInt8) {
        self.sequence = sequence
        self.failure = failure
        sentAt = 0
        source = .user
        self.attempts = attempts
    }
}

/// What an answer says, whatever the IP version (RFC 792, RFC 4443, RFC 9293).
public enum AnswerKind: UInt8, Sendable {
    case echoReply
    case udpReply
    /// SYN and ACK: the port is open.
    case tcpOpen
    /// RST: the host is there, the port is closed.
    case tcpReset
    case timeExceeded
    /// Destination unreachable, any code; also IPv4 fragmentation needed.
    case unreachable
    /// ICMPv6 packet too big (type 2).
    case packetTooBig
    case parameterProblem

    public var name: StaticString {
        switch self {
        case .echoReply: "echo_reply"
        case .udpReply: "udp_reply"
        case .tcpOpen: "tcp_open"
        case .tcpReset: "tcp_reset"
        case .timeExceeded: "time_exceeded"
        case .unreachable: "unreachable"
        case .packetTooBig: "packet_too_big"
        case .parameterProblem: "parameter_problem"
        }
    }
}

/// One entry of an MPLS label stack (RFC 4950).
public struct MPLSLabel: Equatable, Sendable {
    /// 20 bits.
    public var label: UInt32
    /// 3 bits.
    public var trafficClass: UInt8
    public var bottomOfStack: Bool
    public var ttl: UInt8

    public init(label: UInt32, trafficClass: UInt8, bottomOfStack: Bool, ttl: UInt8) {
        self.label = label
        self.trafficClass = trafficClass
        self.bottomOfStack = bottomOfStack
        self.ttl = ttl
    }
}

/// An answer that carries this measurement's cookie.
public struct Answer: Sendable {
    public var sequence: UInt32
    public var kind: AnswerKind
    /// Who answered.
    public var from: IPAddress
    /// CLOCK_MONOTONIC ns.
    public var receivedAt: Int64
    public var source: TimestampSource
    /// ICMP type and code as on the wire; 0 for UDP and TCP answers.
    public var icmpType: UInt8
    public var icmpCode: UInt8
    /// TTL or hop limit with which the answer arrived; 0 unknown.
    public var ttl: UInt8
    /// TTL of the probe as the router quoted it; 0 unknown.
    public var quotedTTL: UInt8
    /// Next-hop MTU in bytes of fragmentation needed and packet too big; 0 none.
    public var mtu: UInt32
    /// From the ICMP extensions; mostly empty.
    public var labels: [MPLSLabel]

    public init(
        sequence: UInt32, kind: AnswerKind, from: IPAddress, receivedAt: Int64, source: TimestampSource
    ) {
        self.sequence = sequence
        self.kind = kind
        self.from = from
        self.receivedAt = receivedAt
        self.source = source
        icmpType = 0
        icmpCode = 0
        ttl = 0
        quotedTTL = 0
        mtu = 0
        labels = []
    }
}

/// What a transport reports, in the order in which it learnt of it.
public enum TransportEvent: Sendable {
    case completion(Completion)
    case answer(Answer)
}

/// Carries the probes of one measurement. Not thread-safe; driven by one event loop.
///
/// Life: make, `submit` as probes become known, `service` whenever `wakeAt` has come or the descriptor
/// is readable, then `nextEvent` until nil.
public protocol Transport: AnyObject {
    var kind: TransportKind { get }
    /// The flow as opened: source port and source address filled in.
    var flow: Flow { get }
    /// Source address of the probes.
    var sourceAddress: IPAddress { get }
    /// Largest probe, in bytes with its IP header, that leaves in one piece.
    var mtu: Int { get }
    /// Queues a probe; launch times may come in any order. It completes exactly once, whatever happens.
    func submit(_ probe: Probe)
    /// Sends what is due (spinning for a bounded time to the instant) and takes in what has arrived.
    func service(now: Int64)
    /// CLOCK_MONOTONIC ns at which `service` must be called at the latest; `Int64.max` if only on arrival.
    var wakeAt: Int64 { get }
    /// Next completion or answer, or nil.
    func nextEvent() -> TransportEvent?
    /// Number of descriptors to poll for reading, and each of them; may change from call to call.
    var descriptorCount: Int { get }
    func descriptor(_ index: Int) -> Int32
    /// The descriptors are connections under way: poll them for writing instead.
    var waitsToWrite: Bool { get }
    /// Answers that matched the filter but not the cookie: forged, or another program's.
    var foreignAnswers: UInt64 { get }
    /// Packets that the kernel could not deliver because the ring was full.
    var lostCaptures: UInt64 { get }
    /// Completes every queued probe with `cancelled`.
    func cancel()
}
