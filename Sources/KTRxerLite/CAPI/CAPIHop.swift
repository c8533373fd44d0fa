// SPDX-License-Identifier: MIT
// The way to a target as ktrxer.h has it: finding it, writing the headers of frames that go it, and the rules for what
// comes back.
// Names are those of ktrxer.h.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CKTRxer

@c @implementation
public func ktrxer_hop_find(
    _ hop: UnsafeMutablePointer<ktrxer_hop>!, _ target: UnsafePointer<CChar>!, _ interface: UnsafePointer<CChar>!
) -> Int32 {
    var address = ByteText()
    var device = ByteText()
    var cursor: UnsafePointer<CChar> = target
    while cursor.pointee != 0 && cursor.pointee != 0x25 {
        address.append(UInt8(bitPattern: cursor.pointee))
        cursor += 1
    }
    if cursor.pointee != 0 { device.append(cString: cursor + 1) }
    if let interface {
        device.removeAll()
        device.append(cString: interface)
    }
    guard let destination = IPAddress(text: address) else { return KTRXER_REFUSE_INVALID.result }
    do throws(ProbeError) {
        let route = try resolved(Route.lookup(destination: destination, interface: device))
        if route.isLocal || !route.linkType.hasFrameFormat { return KTRXER_REFUSE_UNSUPPORTED.result }
        hop.pointee = try ktrxer_hop(route, destination)
        return 0
    } catch {
        return result(of: error)
    }
}

/// Waits until the next hop's hardware address is known.
private func resolved(_ found: Route) throws(ProbeError) -> Route {
    var route = found
    let resolution = NeighbourResolution(route: route)
    while true {
        let now = ktrxer_clock_monotonic()
        resolution.service(now: now)
        switch resolution.state {
        case .failed(let error): throw error
        case .resolved(let address):
            route.destinationMAC = address
            return route
        case .pending:
            var descriptor = resolution.descriptor
            var writable: UInt8 = 0
            var ready: UInt8 = 0
            _ = ktrxer_wait(&descriptor, &writable, &ready, 1, max(0, resolution.wakeAt - now))
        }
    }
}

private func result(of error: ProbeError) -> Int32 {
    switch error {
    case .system(let code, _), .noPermission(let code, _): -code
    case .noRoute, .routeRefused: KTRXER_REFUSE_NO_ROUTE.result
    case .gatewayUnresolved: KTRXER_REFUSE_NO_HOST.result
    case .noInterface: KTRXER_REFUSE_NO_DEVICE.result
    case .interfaceDown: KTRXER_REFUSE_DOWN.result
    case .noSourceAddress: KTRXER_REFUSE_NO_ADDRESS.result
    case .unsupported: KTRXER_REFUSE_UNSUPPORTED.result
    // A link-local target without its interface.
    default: KTRXER_REFUSE_INVALID.result
    }
}

extension ktrxer_hop {
    fileprivate init(_ route: Route, _ destination: IPAddress) throws(ProbeError) {
        self.init()
        withUnsafeMutableBytes(of: &interface) { name in
            for index in 0..<min(route.interfaceName.count, name.count - 1) { name[index] = route.interfaceName[index] }
        }
        interface_index = UInt32(bitPattern: route.interfaceIndex)
        mtu = UInt32(clamping: route.mtu)
        family = destination.family.rawValue
        source = route.source.systemBytes
        self.destination = destination.systemBytes
        var length = 0
        withUnsafeMutableBytes(of: &link_header) { raw in
            var bytes = raw.mutableBytes
            do throws(FrameError) {
                length = try route.writeLinkHeader(into: &bytes)
            } catch {
                length = -1
            }
        }
        // Resolved, so there is an address.
        if length < 0 { throw .gatewayUnresolved }
        link_header_length = UInt8(length)
    }

    fileprivate var from: IPAddress? { IPAddress(family: family, systemBytes: source) }
    fileprivate var to: IPAddress? { IPAddress(family: family, systemBytes: destination) }
    /// Of the link header, whatever a caller has made of it.
    fileprivate var start: Int { min(Int(link_header_length), 14) }
    fileprivate var headers: Int { start + (family == 4 ? IPv4Header.minimumLength : IPv6Header.length) }
}

@c @implementation
public func ktrxer_hop_write(
    _ hop: UnsafePointer<ktrxer_hop>!, _ frame: UnsafeMutablePointer<UInt8>!, _ capacity: UInt32,
    _ protocol: UInt8, _ ttl: UInt8, _ length: UInt32
) -> Int32 {
    guard let source = hop.pointee.from, let destination = hop.pointee.to else { return KTRXER_REFUSE_INVALID.result }
    let headers = hop.pointee.headers
    let room = Int(clamping: capacity)
    guard length <= 0xFFFF, headers + Int(length) <= room else { return KTRXER_REFUSE_TOO_LONG.result }
    let raw = UnsafeMutableRawBufferPointer(start: frame, count: room)
    withUnsafeBytes(of: hop.pointee.link_header) { bytes in
        for index in 0..<hop.pointee.start { raw[index] = bytes[index] }
    }
    var bytes = raw.mutableBytes
    do throws(FrameError) {
        if source.family == .ipv4 {
            _ = try IPv4Header(
                proto: `protocol`, source: source, destination: destination, payloadLength: Int(length), ttl: ttl,
                trafficClass: 0, identification: 0, dontFragment: true
            ).write(into: &bytes, at: hop.pointee.start)
        } else {
            _ = try IPv6Header(
                nextHeader: `protocol`, source: source, destination: destination, payloadLength: Int(length),
                hopLimit: ttl, trafficClass: 0
            ).write(into: &bytes, at: hop.pointee.start)
        }
    } catch {
        return KTRXER_REFUSE_TOO_LONG.result
    }
    return Int32(headers)
}

@c @implementation
public func ktrxer_hop_seal(
    _ hop: UnsafePointer<ktrxer_hop>!, _ frame: UnsafeMutablePointer<UInt8>!, _ length: UInt32
) -> Int32 {
    guard let source = hop.pointee.from, let destination = hop.pointee.to else { return KTRXER_REFUSE_INVALID.result }
    let headers = hop.pointee.headers
    let length = Int(clamping: length)
    guard headers <= length else { return KTRXER_REFUSE_INVALID.result }
    let `protocol` = frame[hop.pointee.start + (source.family == .ipv4 ? 9 : 6)]
    var bytes = UnsafeMutableRawBufferPointer(start: frame, count: length).mutableBytes
    do throws(FrameError) {
        try bytes.sealChecksum(
            of: `protocol`, at: headers, length: length - headers, source: source, destination: destination)
        return 0
    } catch {
        return KTRXER_REFUSE_INVALID.result
    }
}

// MARK: Rules

private func hasAnswers(_ protocol: UInt8, _ family: AddressFamily) -> Bool {
    `protocol` == IPProtocol.udp || `protocol` == IPProtocol.tcp
        || `protocol` == (family == .ipv4 ? IPProtocol.icmp : IPProtocol.icmpv6)
}

@c @implementation
public func ktrxer_rule_answers(
    _ rule: UnsafeMutablePointer<ktrxer_rule>!, _ id: UInt32, _ hop: UnsafePointer<ktrxer_hop>!,
    _ protocol: UInt8, _ own: UInt16, _ peer: UInt16
) -> Int32 {
    guard let source = hop.pointee.from, let destination = hop.pointee.to, hasAnswers(`protocol`, source.family)
    else { return KTRXER_REFUSE_INVALID.result }
    rule.pointee = ktrxer_rule(
        id: id, answersTo: destination, from: source, proto: `protocol`, ports: own...own, peerPort: peer)
    return 0
}

@c @implementation
public func ktrxer_rule_errors(
    _ rule: UnsafeMutablePointer<ktrxer_rule>!, _ id: UInt32, _ hop: UnsafePointer<ktrxer_hop>!,
    _ protocol: UInt8, _ own: UInt16, _ peer: UInt16
) -> Int32 {
    guard let destination = hop.pointee.to, hasAnswers(`protocol`, destination.family)
    else { return KTRXER_REFUSE_INVALID.result }
    rule.pointee = ktrxer_rule(
        id: id, errorsAbout: destination, proto: `protocol`, ports: own...own, peerPort: peer)
    return 0
}
