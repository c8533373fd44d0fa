// SPDX-License-Identifier: MIT
// Why a probe or a measurement could not be done: a cause, and one line that says what to do.
import CKTRxer

/// What the library was doing when the system refused. The text completes "cannot …".
public enum SystemAction: UInt8, Sendable {
    case openPacketSocket, mapRings, setFilter, openPingSocket, openUDPSocket, openTCPSocket
    case send, receive, readRoutes, readNeighbours, readInterface, resolveName, openFile, writeFile
    case poll, reserveSourcePort, setSocketOption, resolveNeighbour
    case openKernelDevice, bindKernelDevice, addRule

    public var text: StaticString {
        switch self {
        case .openPacketSocket: "open a packet socket"
        case .mapRings: "map the packet rings"
        case .setFilter: "set the socket filter"
        case .openPingSocket: "open an ICMP datagram socket"
        case .openUDPSocket: "open a UDP socket"
        case .openTCPSocket: "open a TCP socket"
        case .send: "send"
        case .receive: "receive"
        case .readRoutes: "ask the kernel for the route"
        case .readNeighbours: "ask the kernel for the neighbour"
        case .readInterface: "read the interface"
        case .resolveName: "resolve the name"
        case .openFile: "open the file"
        case .writeFile: "write the file"
        case .poll: "wait for events"
        case .reserveSourcePort: "reserve a source port"
        case .setSocketOption: "set a socket option"
        case .resolveNeighbour: "have the kernel resolve the next hop"
        case .openKernelDevice: "open /dev/ktx and /dev/krx"
        case .bindKernelDevice: "set up the kernel module's rings"
        case .addRule: "add a capture rule"
        }
    }
}

/// Every reason for which a measurement, or one probe of it, fails.
public enum ProbeError: Error, Equatable, Sendable {
    /// A system call failed: positive errno, and what was being done.
    case system(code: Int32, during: SystemAction)
    /// No permission for what the transport needs: positive errno, and what was being done.
    case noPermission(code: Int32, during: SystemAction)
    case noRoute
    /// The host's own tables answered with unreachable, blackhole or prohibit.
    case routeRefused
    case noInterface
    case interfaceDown
    /// A link-local or link-scope target says nothing without the interface that it is on.
    case interfaceNeeded
    /// The source address asked for is none of this host's, or the host has none of the target's family.
    case noSourceAddress
    /// Nobody answered ARP or neighbour solicitations for the next hop.
    case gatewayUnresolved
    /// There is no such name, or it has no address.
    case nameNotFound
    /// A name server answered that it could not find out.
    case nameServiceFailed
    /// No name server answered.
    case nameServersSilent
    /// None is configured.
    case noNameServer
    /// The target has no address of the family asked for.
    case wrongFamily
    /// The packet would be `size` bytes at a link MTU of `mtu`.
    case tooLarge(size: Int, mtu: Int)
    /// This transport cannot do what is asked: see the text.
    case unsupported(UnsupportedReason)
    /// More probes than the packets-per-second ceiling lets out at once.
    case aboveCeiling
    /// The launch time had passed before the probe could be sent (clock or load), and it was dropped.
    case launchMissed
    /// The device did not take the frame, however often it was tried.
    case queueBusy
    /// The measurement was stopped before this probe was due.
    case cancelled

    public enum UnsupportedReason: UInt8, Sendable {
        case tcpTraceOverSockets, interfaceGoneForGood, linkType, loopback, pcapOverSockets
        case protocolOverTransport, familyOverTransport
        case moduleMissing, moduleVersion
        case foreignFile
    }
}

extension ProbeError {
    /// Stopped, which is no failure.
    public var isCancelled: Bool {
        if case .cancelled = self { return true }
        return false
    }

    /// A stable identifier for records: lower-case words joined by underscores.
    public var identifier: StaticString {
        switch self {
        case .system: "system"
        case .noPermission: "no_permission"
        case .noRoute: "no_route"
        case .routeRefused: "route_refused"
        case .noInterface: "no_interface"
        case .interfaceDown: "interface_down"
        case .interfaceNeeded: "interface_needed"
        case .noSourceAddress: "no_source_address"
        case .gatewayUnresolved: "gateway_unresolved"
        case .nameNotFound: "name_not_found"
        case .nameServiceFailed: "name_service_failed"
        case .nameServersSilent: "name_servers_silent"
        case .noNameServer: "no_name_server"
        case .wrongFamily: "wrong_family"
        case .tooLarge: "too_large"
        case .unsupported: "unsupported"
        case .aboveCeiling: "above_ceiling"
        case .launchMissed: "launch_missed"
        case .queueBusy: "queue_busy"
        case .cancelled: "cancelled"
        }
    }

    /// Appends one line, without a newline, that says what went wrong and what to do about it.
    public func append(to text: inout ByteText) {
        switch self {
        case .system(let code, let action):
            text.append(text: "cannot ")
            text.append(text: action.text)
            text.append(text: ": ")
            text.append(cString: ktrxer_error_text(code))
        case .noPermission(let code, let action):
            text.append(text: "cannot ")
            text.append(text: action.text)
            text.append(text: ": ")
            text.append(cString: ktrxer_error_text(code))
            switch action {
            case .openPingSocket:
                text.append(text: "; add this group to sysctl net.ipv4.ping_group_range, or run as root")
            case .openFile, .writeFile: break
            default:
                text.append(text: "; run as root or with CAP_NET_RAW, or use the socket transport")
            }
        case .noRoute: text.append(text: "no route to the target; check the routing table (ip route)")
        case .routeRefused:
            text.append(text: "the routing table refuses the target (unreachable, blackhole or prohibit)")
        case .noInterface: text.append(text: "no such interface; check its name (ip link)")
        case .interfaceDown: text.append(text: "the interface is down; bring it up (ip link set … up)")
        case .interfaceNeeded:
            text.append(text: "a link-local target needs its interface; write it behind the address (fe80::1%eth0)")
        case .noSourceAddress:
            text.append(text: "this host has no such source address; check the addresses (ip address)")
        case .gatewayUnresolved:
            text.append(text: "the next hop does not answer ARP or neighbour discovery; ")
            text.append(text: "check the cable and its address")
        case .nameNotFound: text.append(text: "there is no such name, or it has no address; check its spelling")
        case .nameServiceFailed:
            text.append(text: "the name server failed to look the name up; try again later or another server")
        case .nameServersSilent:
            text.append(text: "no name server answers; check the network, option resolver or /etc/resolv.conf")
        case .noNameServer:
            text.append(text: "no name server is known; set option resolver or /etc/resolv.conf, or give an address")
        case .wrongFamily: text.append(text: "the target has no address of the family asked for")
        case .tooLarge(let size, let mtu):
            text.append(text: "a packet of ")
            text.append(decimal: Int64(size))
            text.append(text: " bytes does not fit the link's MTU of ")
            text.append(decimal: Int64(mtu))
            text.append(text: "; lower the size")
        case .unsupported(let reason): text.append(text: reason.text)
        case .aboveCeiling:
            text.append(text: "more probes at once than max_pps allows; raise it or send fewer")
        case .launchMissed: text.append(text: "the launch time had passed before the probe could leave")
        case .queueBusy: text.append(text: "the device's transmit queue stayed full")
        case .cancelled: text.append(text: "stopped early")
        }
    }

    /// Makes the right case of a negative return of the C floor.
    public static func fromSystem(_ result: Int64, during action: SystemAction) -> ProbeError {
        let code = Int32(truncatingIfNeeded: -result)
        switch ktrxer_error_class(code) {
        case Int32(KTRXER_ERROR_PERMISSION.rawValue): return .noPermission(code: code, during: action)
        case Int32(KTRXER_ERROR_NO_ROUTE.rawValue): return .noRoute
        case Int32(KTRXER_ERROR_NO_INTERFACE.rawValue): return .noInterface
        case Int32(KTRXER_ERROR_INTERFACE_DOWN.rawValue): return .interfaceDown
        default: return .system(code: code, during: action)
        }
    }
}

extension ProbeError.UnsupportedReason {
    public var text: StaticString {
        switch self {
        case .tcpTraceOverSockets: "a TCP trace needs the packet transport; run as root"
        case .interfaceGoneForGood: "the interface has gone; it must exist for the whole measurement"
        case .linkType: "this link type has no frame format here; use the socket transport"
        case .loopback: "the packet transport does not probe this host itself; use the socket transport"
        case .pcapOverSockets:
            "the socket transport sees no frames to write; --pcap needs the packet transport"
        case .protocolOverTransport: "this transport does not carry this probe protocol"
        case .moduleMissing:
            "the kernel module is not loaded; load it (modprobe ktrxer), or use another transport"
        case .moduleVersion:
            "the kernel module is of another version; install the one that belongs to this program"
        case .foreignFile: "only a regular file of one's own is written to, no link or device; give another path"
        case .familyOverTransport: "this transport does not carry this address family"
        }
    }
}
