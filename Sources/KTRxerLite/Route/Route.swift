// SPDX-License-Identifier: MIT
// The way of a packet out of this host: interface, source address, next hop and link type, as the kernel
// would choose them, over rtnetlink. A next hop that the kernel does not know yet: NeighbourResolution.swift.
import CKTRxer

/// How a packet to one destination leaves this host.
public struct Route: Equatable, Sendable {
    public var interfaceIndex: Int32
    var device: InterfaceName
    /// Without NUL.
    public var interfaceName: ByteText { device.text }
    public var source: IPAddress
    /// Who takes the frame: a gateway, of either family whatever the destination's (RFC 5549), or the
    /// destination itself when it is on the link; nil for this host's own addresses.
    public var nextHop: IPAddress?
    /// Largest IP packet that leaves by this route, bytes: the interface's MTU, or the route's when it is
    /// smaller. Path MTU that the kernel has learnt is no part of it.
    public var mtu: Int
    public var linkType: LinkType
    /// Zero where the link has no hardware addresses.
    public var sourceMAC: MACAddress
    /// Of the next hop or the group; nil where the link has none, or the kernel does not know it (yet).
    public var destinationMAC: MACAddress?
    /// The destination is this host.
    public var isLocal: Bool

    /// Whether frames can be sent only after a NeighbourResolution.
    public var needsResolution: Bool { linkType.hasLinkHeader && destinationMAC == nil }

    /// Asks the kernel for the route to a destination.
    /// - Parameters:
    ///   - source: the source address to use; one of this host's. nil: the kernel's choice.
    ///   - interface: name of the interface to leave by, without NUL; empty: the kernel's choice. As with all
    ///     programs that bind to an interface, IPv4 takes a destination without a route there for a neighbour
    ///     on its link.
    ///   - trafficClass: IPv4 TOS or IPv6 traffic class, for rules that route by it.
    /// - Throws: `noRoute`, `routeRefused`, `interfaceDown`, `noInterface`, `interfaceNeeded`,
    ///   `noSourceAddress`, `wrongFamily`, or what the system said.
    public static func lookup(
        destination: IPAddress, source: IPAddress? = nil, interface: ByteText = [], trafficClass: UInt8 = 0
    ) throws(ProbeError) -> Route {
        if destination.isUnspecified { throw .noRoute }
        var asked: NetworkInterface?
        if !interface.isEmpty {
            let found = try NetworkInterface.lookup(name: interface)
            if !found.isUp { throw .interfaceDown }
            asked = found
        } else if destination.isLinkScope {
            throw .interfaceNeeded
        }
        if let source { try checkSource(source, for: destination, on: asked) }
        let answer = try ask(
            destination, source: source, interface: asked?.index ?? 0, trafficClass: trafficClass)
        switch UInt32(answer.type) {
        case KTRXER_ROUTE_UNICAST.rawValue, KTRXER_ROUTE_LOCAL.rawValue, KTRXER_ROUTE_BROADCAST.rawValue,
            KTRXER_ROUTE_MULTICAST.rawValue:
            break
        case KTRXER_ROUTE_UNREACHABLE.rawValue, KTRXER_ROUTE_BLACKHOLE.rawValue,
            KTRXER_ROUTE_PROHIBIT.rawValue:
            throw .routeRefused
        default: throw .noRoute
        }
        let device = try NetworkInterface.lookup(index: answer.interface)
        var route = Route(answer, device: device, destination: destination)
        if let chosen = source ?? IPAddress(family: destination.family, chosenBy: answer) {
            route.source = chosen
        } else if !route.isLocal {
            throw .noSourceAddress
        }
        if route.isLocal { return route }
        // With a source address, IPv6 takes the interface for a wish.
        if let asked, asked.index != device.index { throw .noRoute }
        if !device.isRunning { throw .interfaceDown }
        if answer.encapsulated != 0 { route.linkType = .unsupported }
        if route.linkType.hasLinkHeader {
            route.findDestinationMAC(
                on: device, destination: destination,
                isBroadcast: UInt32(answer.type) == KTRXER_ROUTE_BROADCAST.rawValue)
        }
        return route
    }

    private init(_ answer: ktrxer_route, device: NetworkInterface, destination: IPAddress) {
        isLocal = UInt32(answer.type) == KTRXER_ROUTE_LOCAL.rawValue
        interfaceIndex = device.index
        self.device = device.interfaceName
        // Of a local destination, the address itself is the source, unless another is asked for.
        source = destination
        let gateway = IPAddress(family: answer.gateway_family, systemBytes: answer.gateway)
        nextHop = isLocal ? nil : gateway ?? destination
        mtu = answer.mtu != 0 ? min(Int(clamping: answer.mtu), device.mtu) : device.mtu
        linkType = isLocal ? .loopback : device.linkType
        sourceMAC = linkType.hasLinkHeader ? device.macAddress : MACAddress(0)
        destinationMAC = nil
    }

    /// The source must be this host's own: the kernel would refuse the route, and not say why.
    private static func checkSource(
        _ source: IPAddress, for destination: IPAddress, on interface: NetworkInterface?
    ) throws(ProbeError) {
        if source.family != destination.family { throw .wrongFamily }
        if source.isUnspecified || source.isMulticast { throw .noSourceAddress }
        if source.isLinkLocal && interface == nil { throw .interfaceNeeded }
        let index = source.isLinkLocal ? interface?.index ?? 0 : 0
        do {
            let answer = try ask(source, source: nil, interface: index, trafficClass: 0)
            if UInt32(answer.type) == KTRXER_ROUTE_LOCAL.rawValue { return }
        } catch ProbeError.noRoute {
        }
        throw .noSourceAddress
    }

    private static func ask(
        _ destination: IPAddress, source: IPAddress?, interface: Int32, trafficClass: UInt8
    ) throws(ProbeError) -> ktrxer_route {
        var query = ktrxer_route_query()
        query.family = destination.family.rawValue
        query.destination = destination.systemBytes
        query.interface = interface
        query.traffic_class = trafficClass
        if let source {
            query.has_source = 1
            query.source = source.systemBytes
        }
        var answer = ktrxer_route()
        let result = ktrxer_route_lookup(&query, &answer)
        if result < 0 { throw .fromSystem(Int64(result), during: .readRoutes) }
        return answer
    }

    /// To whom frames go on Ethernet, in the kernel's own order of preference.
    private mutating func findDestinationMAC(
        on device: NetworkInterface, destination: IPAddress, isBroadcast: Bool
    ) {
        if destination.isMulticast {
            destinationMAC = destination.multicastMAC
        } else if isBroadcast {
            destinationMAC = .broadcast
        } else if let nextHop {
            var query = ktrxer_neighbour_query(interface: device.index, address: nextHop)
            var neighbour = ktrxer_neighbour()
            // An error here shows again, and is reported, when the next hop is to be resolved.
            if ktrxer_neighbour_lookup(&query, &neighbour) == 0, neighbour.has_address != 0 {
                destinationMAC = MACAddress(systemBytes: neighbour.address)
                // As an ordinary packet would: the kernel confirms it, in case the neighbour has changed.
                if UInt32(neighbour.state) == KTRXER_NEIGHBOUR_STALE.rawValue {
                    _ = ktrxer_neighbour_use(&query)
                }
            } else if device.isNoARP {
                destinationMAC = device.macAddress
            } else if device.isPointToPoint {
                destinationMAC = .broadcast
            }
        }
    }
}

extension ktrxer_neighbour_query {
    init(interface: Int32, address: IPAddress) {
        self.init()
        self.interface = interface
        family = address.family.rawValue
        self.address = address.systemBytes
    }
}

extension IPAddress {
    /// The source address in the answer, if there is one.
    fileprivate init?(family: AddressFamily, chosenBy answer: ktrxer_route) {
        guard answer.has_source != 0 else { return nil }
        self.init(family: family.rawValue, systemBytes: answer.source)
    }

    /// Names something on one link only: fe80::/10, and multicast of interface and link scope (RFC 4291,
    /// 2.7).
    var isLinkScope: Bool {
        isLinkLocal || family == .ipv6 && isMulticast && (high >> 48) & 0xF <= 2
    }
}
