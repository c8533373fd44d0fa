// SPDX-License-Identifier: MIT
// What stands before the IP header on each kind of link.

extension LinkType {
    /// Frames of this link can be built here.
    var hasFrameFormat: Bool {
        switch self {
        case .ethernet, .vlan, .pointToPoint, .rawIP: true
        case .loopback, .unsupported: false
        }
    }
}

extension Route {
    /// Bytes before the IP header: 14 on Ethernet, 0 where there is no link header. A VLAN device's frames
    /// are plain Ethernet; the kernel adds the tag.
    var linkHeaderLength: Int {
        linkType.hasLinkHeader ? 14 : 0
    }

    /// Writes the link header at the front and returns its length.
    func writeLinkHeader(into frame: inout MutableRawSpan) throws(FrameError) -> Int {
        guard linkHeaderLength > 0 else { return 0 }
        guard let destination = destinationMAC else { throw .badValue }
        return try EthernetHeader(
            destination: destination, source: sourceMAC,
            etherType: self.source.family == .ipv4 ? EtherType.ipv4 : EtherType.ipv6
        ).write(into: &frame)
    }
}
