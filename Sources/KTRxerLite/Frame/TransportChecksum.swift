// SPDX-License-Identifier: MIT
// Where ICMP, ICMPv6, UDP and TCP keep their checksum and what it covers: filling it in and checking it.

/// Byte of the transport header at which its checksum lies; nil for other protocols.
private func checksumPlace(_ proto: UInt8) -> Int? {
    switch proto {
    case IPProtocol.icmp, IPProtocol.icmpv6: 2
    case IPProtocol.udp: 6
    case IPProtocol.tcp: 16
    default: nil
    }
}

extension InternetChecksum {
    /// A sum that already has what comes before the transport header of `proto`: the pseudo-header,
    /// except for ICMP of IPv4, which has none.
    public init(of proto: UInt8, length: Int, source: IPAddress, destination: IPAddress) {
        self.init()
        if proto != IPProtocol.icmp {
            addPseudoHeader(source: source, destination: destination, nextHeader: proto, length: length)
        }
    }
}

extension MutableRawSpan {
    /// The sum of `count` bytes at `offset`, on top of what `before` already holds.
    public func sum(
        at offset: Int, count: Int, after before: InternetChecksum = InternetChecksum()
    ) throws(FrameError) -> InternetChecksum {
        try require(count, at: offset)
        var total = before
        try total.add(bytes, at: offset, count: count)
        return total
    }

    /// Computes and writes the checksum of the transport header of `proto` (and all that follows, `length`
    /// bytes in all) at `offset`.
    @_lifetime(self: copy self)
    public mutating func sealChecksum(
        of proto: UInt8, at offset: Int, length: Int, source: IPAddress, destination: IPAddress
    ) throws(FrameError) {
        guard source.family == destination.family else { throw .mixedFamilies }
        guard let place = checksumPlace(proto) else { throw .unknownType }
        guard length >= place + 2 else { throw .badLength }
        try require(length, at: offset)
        try put(UInt16(0), at: offset + place)
        let sum = try sum(
            at: offset, count: length,
            after: InternetChecksum(of: proto, length: length, source: source, destination: destination))
        try put(proto == IPProtocol.udp ? sum.udpChecksum : sum.checksum, at: offset + place)
    }
}

extension RawSpan {
    /// Throws `badChecksum` unless the checksum of the transport header of `proto` and all that follows
    /// (`length` bytes in all) at `offset` is right. UDP over IPv4 may have none.
    public func verifyChecksum(
        of proto: UInt8, at offset: Int, length: Int, source: IPAddress, destination: IPAddress
    ) throws(FrameError) {
        guard source.family == destination.family else { throw .mixedFamilies }
        guard let place = checksumPlace(proto) else { throw .unknownType }
        guard length >= place + 2 else { throw .truncated }
        try require(length, at: offset)
        if proto == IPProtocol.udp, try uint16(at: offset + place) == 0 {
            if source.family == .ipv4 { return }
            throw .badChecksum
        }
        var sum = InternetChecksum(of: proto, length: length, source: source, destination: destination)
        try sum.add(self, at: offset, count: length)
        guard sum.folded == 0xFFFF else { throw .badChecksum }
    }

    /// As `verifyChecksum`, but for packets received on this machine: those that never crossed a wire may
    /// still have the folded pseudo-header where the network card is to put the checksum (CHECKSUM_PARTIAL
    /// in Linux).
    public func verifyReceivedChecksum(
        of proto: UInt8, at offset: Int, length: Int, source: IPAddress, destination: IPAddress
    ) throws(FrameError) {
        do throws(FrameError) {
            try verifyChecksum(
                of: proto, at: offset, length: length, source: source, destination: destination)
        } catch {
            guard error == .badChecksum, proto != IPProtocol.icmp, let place = checksumPlace(proto) else {
                throw error
            }
            let unfinished = InternetChecksum(
                of: proto, length: length, source: source, destination: destination)
            guard try uint16(at: offset + place) == unfinished.folded else { throw error }
        }
    }
}
