// SPDX-License-Identifier: MIT
// A network interface as probes see it: what its frames look like, its MTU, and whether it is up.
import CKTRxer

/// What a frame that leaves by an interface begins with.
public enum LinkType: UInt8, Sendable {
    /// An Ethernet header. Bridges, bonds, Wi-Fi, veth and tap devices too.
    case ethernet
    /// An Ethernet header without a tag: the VLAN interface adds it.
    case vlan
    /// The IP header: PPP and PPPoE, tun, WireGuard, IP tunnels. What goes around it, the kernel adds.
    case pointToPoint
    /// The IP header: cellular modems.
    case rawIP
    /// This host itself.
    case loopback
    /// Anything else; only sockets can be used there.
    case unsupported

    /// Whether frames carry hardware addresses, so that the next hop's must be known.
    public var hasLinkHeader: Bool { self == .ethernet || self == .vlan }

    public var name: StaticString {
        switch self {
        case .ethernet: "ethernet"
        case .vlan: "vlan"
        case .pointToPoint: "point_to_point"
        case .rawIP: "raw_ip"
        case .loopback: "loopback"
        case .unsupported: "unsupported"
        }
    }
}

/// The kernel's view of an interface at the moment of asking.
public struct NetworkInterface: Equatable, Sendable {
    public var index: Int32
    var interfaceName: InterfaceName
    /// Without NUL, at most 15 bytes.
    public var name: ByteText { interfaceName.text }
    public var linkType: LinkType
    /// Largest IP packet, bytes.
    public var mtu: Int
    /// Hardware address; zero where the link has none of 6 bytes.
    public var macAddress: MACAddress
    /// The administrator has set it up.
    public var isUp: Bool
    /// It has carrier: it is up, and can carry packets now.
    public var isRunning: Bool
    /// Nobody is asked for hardware addresses on it.
    public var isNoARP: Bool
    public var isPointToPoint: Bool
    /// VLAN id of a VLAN interface, else 0.
    public var vlan: UInt16
    /// Index of the interface that a VLAN interface sits on, else 0.
    public var parentIndex: Int32

    /// The interface of that name (bytes without NUL). Throws `noInterface`, or `system` while reading.
    public static func lookup(name: ByteText) throws(ProbeError) -> NetworkInterface {
        for byte in name where byte == 0 { throw .noInterface }
        var found = ktrxer_interface()
        let result = (name + [0]).withUnsafeBytes {
            ktrxer_interface_by_name($0.baseAddress?.assumingMemoryBound(to: CChar.self), &found)
        }
        if result < 0 { throw .fromSystem(Int64(result), during: .readInterface) }
        return NetworkInterface(found)
    }

    /// The interface of that index. Throws `noInterface`, or `system` while reading.
    public static func lookup(index: Int32) throws(ProbeError) -> NetworkInterface {
        var found = ktrxer_interface()
        let result = ktrxer_interface_by_index(index, &found)
        if result < 0 { throw .fromSystem(Int64(result), during: .readInterface) }
        return NetworkInterface(found)
    }

    init(_ found: ktrxer_interface) {
        index = found.index
        interfaceName = withUnsafeBytes(of: found.name) { InterfaceName($0) }
        mtu = Int(clamping: found.mtu)
        macAddress = found.has_address != 0 ? MACAddress(systemBytes: found.address) : MACAddress(0)
        isUp = found.flags & KTRXER_INTERFACE_UP.rawValue != 0
        isRunning = isUp && found.flags & KTRXER_INTERFACE_RUNNING.rawValue != 0
        isNoARP = found.flags & KTRXER_INTERFACE_NO_ARP.rawValue != 0
        isPointToPoint = found.flags & KTRXER_INTERFACE_POINT_TO_POINT.rawValue != 0
        vlan = found.vlan
        parentIndex = found.parent
        switch UInt32(found.hardware) {
        case KTRXER_HARDWARE_ETHERNET.rawValue where found.has_address != 0:
            linkType = found.vlan != 0 ? .vlan : .ethernet
        case KTRXER_HARDWARE_LOOPBACK.rawValue: linkType = .loopback
        case KTRXER_HARDWARE_PPP.rawValue, KTRXER_HARDWARE_NONE.rawValue,
            KTRXER_HARDWARE_IP_TUNNEL.rawValue:
            linkType = .pointToPoint
        // One that leads to many places has a header with the address of each.
        case KTRXER_HARDWARE_GRE.rawValue where isPointToPoint: linkType = .pointToPoint
        case KTRXER_HARDWARE_RAW_IP.rawValue: linkType = .rawIP
        default: linkType = .unsupported
        }
    }
}
