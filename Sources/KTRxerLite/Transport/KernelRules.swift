// SPDX-License-Identifier: MIT
// The capture rules of a flow: one for answers, one for the ICMP errors about its probes. They err on the generous side,
// as AnswerFilter does for packet sockets: AnswerMatcher decides.
import CKTRxer

extension ktrxer_rule {
    /// The answers to packets from `own` to `peer`.
    /// - Parameters:
    ///   - proto: IP protocol number: UDP, TCP, ICMP or ICMPv6.
    ///   - ports: the packets' source ports; of ICMP, the identifier is the first.
    ///   - peerPort: their destination port; unused with ICMP.
    init(
        id: UInt32, answersTo peer: IPAddress, from own: IPAddress, proto: UInt8, ports: ClosedRange<UInt16>,
        peerPort: UInt16
    ) {
        self.init(id: id, family: own.family, proto: proto)
        match |= UInt32(KTRXER_MATCH_DESTINATION)
        destination = own.systemBytes
        destination_prefix = UInt8(own.byteCount * 8)
        if proto == IPProtocol.icmp || proto == IPProtocol.icmpv6 {
            // From whomever: a host with several addresses, or of a group, answers from its own.
            match |= UInt32(KTRXER_MATCH_ICMP_TYPE | KTRXER_MATCH_ICMP_ID)
            icmp_type = proto == IPProtocol.icmp ? ICMPType.echoReply : ICMPv6Type.echoReply
            icmp_id = ports.lowerBound
            // The system has no answer to an echo reply, and other programs may wait for some.
            operation = UInt8(KTRXER_CAPTURE.rawValue)
        } else {
            matchPeer(peer, ports: ports, peerPort: peerPort)
            // The system knows of no connection or socket to which these belong: it would reset or refuse them.
            operation = UInt8(KTRXER_CAPTURE_DROP.rawValue)
        }
    }

    /// The ICMP errors about packets to `peer`, whoever sends them. The quoted source is not compared: address
    /// translators on the way may leave it as they made it.
    init(
        id: UInt32, errorsAbout peer: IPAddress, proto: UInt8, ports: ClosedRange<UInt16>, peerPort: UInt16
    ) {
        self.init(id: id, family: peer.family, proto: proto)
        match |= UInt32(KTRXER_MATCH_ERRORS)
        if proto == IPProtocol.icmp || proto == IPProtocol.icmpv6 {
            match |= UInt32(KTRXER_MATCH_SOURCE | KTRXER_MATCH_ICMP_ID)
            source = peer.systemBytes
            source_prefix = UInt8(peer.byteCount * 8)
            icmp_id = ports.lowerBound
        } else {
            matchPeer(peer, ports: ports, peerPort: peerPort)
        }
        // The system learns path MTUs from them.
        operation = UInt8(KTRXER_CAPTURE.rawValue)
    }

    private init(id: UInt32, family: AddressFamily, proto: UInt8) {
        self.init()
        self.id = id
        self.family = family.rawValue
        `protocol` = proto
        match = UInt32(KTRXER_MATCH_PROTOCOL)
    }

    private mutating func matchPeer(_ peer: IPAddress, ports: ClosedRange<UInt16>, peerPort: UInt16) {
        match |= UInt32(KTRXER_MATCH_SOURCE | KTRXER_MATCH_SOURCE_PORT | KTRXER_MATCH_DESTINATION_PORT)
        source = peer.systemBytes
        source_prefix = UInt8(peer.byteCount * 8)
        source_port_first = peerPort
        source_port_last = peerPort
        destination_port_first = ports.lowerBound
        destination_port_last = ports.upperBound
    }
}

extension KernelRings {
    private static let answers: UInt32 = 1
    private static let errors: UInt32 = 2

    /// Has the answers to the flow's probes captured.
    /// - Parameter withLink: from the link header on, where there is one.
    func capture(flow: Flow, source: IPAddress, withLink: Bool) throws(ProbeError) {
        let ports = flow.sourcePortRange
        var answers = ktrxer_rule(
            id: Self.answers, answersTo: flow.destination, from: source, proto: flow.ipProtocol, ports: ports,
            peerPort: flow.destinationPort)
        var errors = ktrxer_rule(
            id: Self.errors, errorsAbout: flow.destination, proto: flow.ipProtocol, ports: ports,
            peerPort: flow.destinationPort)
        if withLink {
            answers.flags |= UInt32(KTRXER_RULE_LINK)
            errors.flags |= UInt32(KTRXER_RULE_LINK)
        }
        var result = ktrxer_capturer_add(capturer, &answers)
        if result < 0 && ktrxer_error_class(-result) == Int32(KTRXER_ERROR_PERMISSION.rawValue) {
            // Without CAP_NET_ADMIN the system sees them too, and answers TCP with a reset, as it does with the packet
            // transport.
            answers.operation = UInt8(KTRXER_CAPTURE.rawValue)
            result = ktrxer_capturer_add(capturer, &answers)
        }
        if result >= 0 { result = ktrxer_capturer_add(capturer, &errors) }
        if result < 0 { throw .fromSystem(Int64(result), during: .addRule) }
    }
}
