// SPDX-License-Identifier: MIT
// What the C floor reads out of netlink messages: recorded, made, truncated and spoilt ones.
import CKTRxer
import Foundation
import Testing

@testable import KTRxerLite

@Suite struct RouteMessageTests {
    func recorded(_ name: String) throws -> [UInt8] { try #require(Netlink.recorded[name]) }

    func recordedInterface(_ name: String) throws -> NetworkInterface {
        let (result, interface) = Netlink.parsedInterface(try recorded("link-" + name))
        #expect(result == 1)
        return NetworkInterface(interface)
    }

    @Test func ethernet() throws {
        let lan = try recordedInterface("lan")
        #expect(lan.name == ByteText("lan".utf8) && lan.index == 2 && lan.mtu == 1500)
        #expect(lan.linkType == .ethernet)
        #expect(lan.macAddress == MACAddress(0x0200_0000_010A))
        #expect(lan.isUp && lan.isRunning && !lan.isNoARP && !lan.isPointToPoint)
        // The other end of the cable is in another namespace: its number means nothing here.
        #expect(lan.parentIndex == 0 && lan.vlan == 0)
    }

    @Test func vlan() throws {
        let vlan = try recordedInterface("vlan7")
        #expect(vlan.linkType == .vlan)
        #expect(vlan.vlan == 7 && vlan.parentIndex == 2)
        #expect(vlan.macAddress == MACAddress(0x0200_0000_010A))
    }

    @Test(arguments: [("ppp0", 1492), ("tun0", 1500), ("wg0", 1420)])
    func pointToPoint(_ name: String, _ mtu: Int) throws {
        let link = try recordedInterface(name)
        #expect(link.linkType == .pointToPoint && link.mtu == mtu)
        #expect(link.name == ByteText(name.utf8) && link.isNoARP && link.isPointToPoint)
        #expect(link.macAddress == MACAddress(0))
    }

    @Test func kinds() throws {
        for (name, kind) in [
            "lan": "veth", "vlan7": "vlan", "ppp0": "ppp", "tun0": "tun", "wg0": "wireguard", "lo": "",
        ] {
            var (_, interface) = Netlink.parsedInterface(try recorded("link-" + name))
            #expect(
                withUnsafeBytes(of: &interface.kind) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } == kind)
        }
    }

    @Test func loopback() throws {
        #expect(try recordedInterface("lo").linkType == .loopback)
    }

    @Test(arguments: [
        (1, false, LinkType.unsupported), (32, true, .unsupported), (519, false, .rawIP), (530, false, .rawIP),
        (768, false, .pointToPoint), (769, false, .pointToPoint), (776, false, .pointToPoint),
        (778, false, .unsupported), (823, false, .unsupported), (0xFFFF, false, .unsupported),
    ])
    func otherHardware(_ hardware: UInt16, _ hasAddress: Bool, _ type: LinkType) {
        let mac = hasAddress ? [Netlink.attribute(1, [2, 0, 0, 0, 0, 1])] : []
        let datagram = Netlink.link(hardware: hardware, mac)
        let (result, interface) = Netlink.parsedInterface(datagram)
        #expect(result == 1)
        #expect(NetworkInterface(interface).linkType == type)
    }

    @Test func pointToPointGRE() {
        let (_, interface) = Netlink.parsedInterface(
            Netlink.link(hardware: 778, flags: 0x51))
        #expect(NetworkInterface(interface).linkType == .pointToPoint)
    }

    @Test func addressesOfOtherLengthsAreNone() {
        // InfiniBand has 20 bytes; an Ethernet-like device without one carries no frames of ours.
        for length in [0, 1, 5, 7, 20] {
            let mac = Netlink.attribute(1, [UInt8](repeating: 2, count: length))
            let (result, interface) = Netlink.parsedInterface(
                Netlink.link(hardware: 1, [mac]))
            #expect(result == 1 && interface.has_address == 0)
        }
    }

    @Test func namesOfAnyLengthStayInside() {
        for length in [0, 1, 15, 16, 17, 300] {
            let text = [UInt8](repeating: 0x61, count: length)
            let kind = Netlink.attribute(18, Netlink.attribute(1, text))
            var (result, interface) = Netlink.parsedInterface(
                Netlink.link(hardware: 1, [Netlink.attribute(3, text), kind]))
            #expect(result == 1)
            #expect(NetworkInterface(interface).name.count == min(length, 15))
            #expect(withUnsafeBytes(of: &interface.kind) { $0.firstIndex(of: 0) } == min(length, 15))
        }
    }

    @Test func linkWithASpoiltTail() {
        let whole = Netlink.link(hardware: 1, [Netlink.attribute(1, [2, 0, 0, 0, 0, 1])])
        // An attribute of 1024 bytes, of which 4 are there.
        let spoilt = Netlink.hostBytes(UInt32(whole.count + 4)) + whole[4...] + [0, 4, 0x41, 0x80]
        let (result, interface) = Netlink.parsedInterface(spoilt)
        #expect(result == 1 && interface.mtu == 1500 && interface.has_address == 1)
        // Spoilt before the MTU, or without a name, it says too little.
        let short = Netlink.hostBytes(UInt32(32 + 8 + 4)) + whole[4..<40] + [0, 4, 0x41, 0x80]
        #expect(Netlink.parsedInterface(short).result == -EBADMSG)
    }

    @Test func routeToAGateway() throws {
        let (result, four) = Netlink.parsedRoute(try recorded("route4"))
        #expect(result == 1)
        #expect(four.type == UInt8(KTRXER_ROUTE_UNICAST.rawValue) && four.interface == 2 && four.mtu == 0)
        #expect(four.gateway_family == 4)
        #expect(IPAddress(family: 4, systemBytes: four.gateway) == address("192.168.1.1"))
        #expect(four.has_source == 1 && IPAddress(family: 4, systemBytes: four.source) == address("192.168.1.2"))
        let (_, six) = Netlink.parsedRoute(try recorded("route6"))
        #expect(six.gateway_family == 6)
        #expect(IPAddress(family: 6, systemBytes: six.gateway) == address("2001:db8:1::1"))
        #expect(IPAddress(family: 6, systemBytes: six.source) == address("2001:db8:1::2"))
    }

    @Test func routeByAnotherFamily() {
        let via = Netlink.attribute(18, Netlink.hostBytes(UInt16(10)) + (1...16))
        let (result, route) = Netlink.parsedRoute(
            Netlink.message(Netlink.newRoute, body: Netlink.routeBody(family: 2, type: 1), [via]))
        #expect(result == 1 && route.gateway_family == 6)
        #expect(IPAddress(family: 6, systemBytes: route.gateway) == address("102:304:506:708:90a:b0c:d0e:f10"))
        // A family that is neither, and lengths that are not the family's.
        for (family, length) in [(9, 16), (10, 4), (2, 16), (10, 15), (2, 0)] {
            let odd = Netlink.attribute(18, Netlink.hostBytes(UInt16(family)) + [UInt8](repeating: 1, count: length))
            let (result, route) = Netlink.parsedRoute(
                Netlink.message(Netlink.newRoute, body: Netlink.routeBody(family: 2, type: 1), [odd]))
            #expect(result == 1 && route.gateway_family == 0)
        }
        #expect(
            Netlink.parsedRoute(
                Netlink.message(
                    Netlink.newRoute, body: Netlink.routeBody(family: 2, type: 1), [Netlink.attribute(18, [1])])
            )
            .route.gateway_family == 0)
    }

    @Test func routeMTU() {
        let metrics = Netlink.attribute(8, Netlink.attribute(2, Netlink.hostBytes(UInt32(1300))))
        func cache(expires: Int32) -> [UInt8] {
            Netlink.attribute(
                12, [UInt8](repeating: 0, count: 8) + Netlink.hostBytes(expires) + [UInt8](repeating: 0, count: 20))
        }
        let body = Netlink.routeBody(family: 2, type: 1)
        #expect(
            Netlink.parsedRoute(Netlink.message(Netlink.newRoute, body: body, [metrics, cache(expires: 0)])).route.mtu
                == 1300)
        #expect(
            Netlink.parsedRoute(Netlink.message(Netlink.newRoute, body: body, [metrics, cache(expires: 50)])).route.mtu
                == 0)
        #expect(Netlink.parsedRoute(Netlink.message(Netlink.newRoute, body: body, [metrics])).route.mtu == 1300)
    }

    @Test func routeWithEncapsulation() {
        let mpls = Netlink.attribute(21, Netlink.hostBytes(UInt16(1)))
        let (_, route) = Netlink.parsedRoute(
            Netlink.message(Netlink.newRoute, body: Netlink.routeBody(family: 2, type: 1), [mpls]))
        #expect(route.encapsulated == 1)
    }

    @Test func routeTypes() {
        let types: [(UInt8, ktrxer_route_type)] = [
            (0, KTRXER_ROUTE_OTHER), (1, KTRXER_ROUTE_UNICAST), (2, KTRXER_ROUTE_LOCAL),
            (3, KTRXER_ROUTE_BROADCAST), (4, KTRXER_ROUTE_LOCAL), (5, KTRXER_ROUTE_MULTICAST),
            (6, KTRXER_ROUTE_BLACKHOLE), (7, KTRXER_ROUTE_UNREACHABLE), (8, KTRXER_ROUTE_PROHIBIT),
            (9, KTRXER_ROUTE_THROW), (10, KTRXER_ROUTE_OTHER), (255, KTRXER_ROUTE_OTHER),
        ]
        for (kernel, ours) in types {
            let datagram = Netlink.message(Netlink.newRoute, body: Netlink.routeBody(family: 2, type: kernel))
            #expect(Netlink.parsedRoute(datagram).route.type == UInt8(ours.rawValue))
        }
    }

    @Test func errors() {
        func error(_ number: Int32) -> [UInt8] {
            Netlink.message(Netlink.error, body: Netlink.hostBytes(-number) + [UInt8](repeating: 0, count: 16))
        }
        for (number, type) in [
            (EHOSTUNREACH, KTRXER_ROUTE_UNREACHABLE), (EINVAL, KTRXER_ROUTE_BLACKHOLE),
            (EACCES, KTRXER_ROUTE_PROHIBIT),
        ] {
            let (result, route) = Netlink.parsedRoute(error(number))
            #expect(result == 1 && route.type == UInt8(type.rawValue))
        }
        #expect(Netlink.parsedRoute(error(ENETUNREACH)).result == -ENETUNREACH)
        #expect(Netlink.parsedInterface(error(ENODEV)).result == -ENODEV)
        #expect(Netlink.parsedNeighbour(error(EOPNOTSUPP), for: "192.0.2.1", on: 2).result == -EOPNOTSUPP)
        // An acknowledgement is no answer to a question; nor is an error without a number, or a positive one.
        for body in [
            Netlink.hostBytes(Int32(0)), [], [1, 2, 3], Netlink.hostBytes(Int32(5)), Netlink.hostBytes(Int32.min),
        ] {
            #expect(Netlink.parsedRoute(Netlink.message(Netlink.error, body: body)).result == -EBADMSG)
            #expect(Netlink.parsedInterface(Netlink.message(Netlink.error, body: body)).result == -EBADMSG)
        }
    }

    @Test func answersToOthersAreLeftAlone() throws {
        let ours = try recorded("route4")
        let other = Netlink.message(Netlink.newRoute, sequence: 7, body: Netlink.routeBody(family: 2, type: 6))
        #expect(Netlink.parsedRoute(other).result == 0)
        #expect(Netlink.parsedRoute(other + ours).route.interface == 2)
        #expect(Netlink.parsedRoute(other, sequence: 7).result == 1)
        #expect(Netlink.parsedRoute([]).result == 0)
        // A notification of something else.
        #expect(
            Netlink.parsedRoute(Netlink.link(hardware: 1) + ours).result
                == 1)
    }

    @Test func neighbours() throws {
        let (result, one) = Netlink.parsedNeighbour(try recorded("neigh4"), for: "192.168.1.1", on: 2)
        #expect(result == 1 && one.has_address == 1)
        #expect(one.state == UInt8(KTRXER_NEIGHBOUR_REACHABLE.rawValue))
        #expect(MACAddress(systemBytes: one.address) == MACAddress(0x0200_0000_010B))
        let (none, nobody) = Netlink.parsedNeighbour(try recorded("neigh-none"), for: "192.168.1.200", on: 2)
        #expect(none == 1 && nobody.has_address == 0)
        #expect(nobody.state == UInt8(KTRXER_NEIGHBOUR_NONE.rawValue))
    }

    @Test func neighbourAmongMany() throws {
        let four = try recorded("neighs4")
        #expect(Netlink.parsedNeighbour(four, for: "192.168.1.1", on: 2).neighbour.has_address == 1)
        // Another's interface, another address, and one that has failed.
        #expect(Netlink.parsedNeighbour(four, for: "192.168.1.1", on: 3).result == 0)
        #expect(Netlink.parsedNeighbour(four, for: "192.168.1.2", on: 2).result == 0)
        let (result, failed) = Netlink.parsedNeighbour(four, for: "192.168.1.77", on: 2)
        #expect(result == 1 && failed.has_address == 0)
        #expect(failed.state == UInt8(KTRXER_NEIGHBOUR_FAILED.rawValue))
        let six = try recorded("neighs6")
        #expect(Netlink.parsedNeighbour(six, for: "fe80::ff:fe00:10b", on: 3).neighbour.has_address == 1)
        #expect(Netlink.parsedNeighbour(six, for: "2001:db8:1::1", on: 2).neighbour.has_address == 1)
        // The whole table without it, then the end.
        #expect(
            Netlink.parsedNeighbour(four + Netlink.message(Netlink.done, body: [0, 0, 0, 0]), for: "10.0.0.1", on: 2)
                .result == 1)
    }

    @Test func neighbourStates() {
        let states: [(UInt16, ktrxer_neighbour_state, UInt8)] = [
            (0x00, KTRXER_NEIGHBOUR_NONE, 0), (0x01, KTRXER_NEIGHBOUR_INCOMPLETE, 0),
            (0x02, KTRXER_NEIGHBOUR_REACHABLE, 1), (0x04, KTRXER_NEIGHBOUR_STALE, 1),
            (0x08, KTRXER_NEIGHBOUR_DELAY, 1), (0x10, KTRXER_NEIGHBOUR_PROBE, 1),
            (0x20, KTRXER_NEIGHBOUR_FAILED, 0), (0x40, KTRXER_NEIGHBOUR_NO_ARP, 1),
            (0x80, KTRXER_NEIGHBOUR_PERMANENT, 1),
        ]
        for (kernel, ours, isUseful) in states {
            let body: [UInt8] = [2, 0, 0, 0] + Netlink.hostBytes(Int32(2)) + Netlink.hostBytes(kernel) + [0, 1]
            let datagram = Netlink.message(
                Netlink.newNeighbour, body: body,
                [Netlink.attribute(1, [192, 0, 2, 1]), Netlink.attribute(2, [2, 0, 0, 0, 0, 9])])
            let (result, found) = Netlink.parsedNeighbour(datagram, for: "192.0.2.1", on: 2)
            #expect(result == 1 && found.state == UInt8(ours.rawValue) && found.has_address == isUseful)
            #expect(MACAddress(systemBytes: found.address).value == (isUseful == 1 ? 0x0200_0000_0009 : 0))
        }
    }

    /// Each cut of each message: an error or no answer, never one made of what was not there.
    @Test func truncated() throws {
        for (name, whole) in Netlink.recorded {
            for length in 0..<whole.count {
                let cut = Array(whole.prefix(length))
                for result in [
                    Netlink.parsedRoute(cut).result, Netlink.parsedInterface(cut).result,
                    Netlink.parsedNeighbour(cut, for: "192.168.1.77", on: 9).result,
                ] {
                    #expect(result == -EBADMSG || result == 0, "\(name), \(length) bytes")
                }
            }
        }
    }

    /// The outer length made to fit, so that the cut goes through the attributes.
    @Test func truncatedInside() throws {
        for (name, whole) in Netlink.recorded where !name.hasPrefix("neighs") {
            for length in 16..<whole.count {
                let cut = Netlink.hostBytes(UInt32(length)) + whole[4..<length]
                checkAll(cut, "\(name), \(length) bytes")
            }
        }
    }

    @Test func spoilt() throws {
        var random = SeededGenerator(seed: 0x5EED)
        for (name, whole) in Netlink.recorded.sorted(by: { $0.key < $1.key }) {
            for round in 0..<2000 {
                var bytes = whole
                for _ in 0..<Int.random(in: 1...8, using: &random) {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    bytes[place] = UInt8.random(in: 0...255, using: &random)
                }
                checkAll(bytes, "\(name), round \(round)")
            }
        }
    }

    @Test func random() {
        var random = SeededGenerator(seed: 0xF00D)
        for round in 0..<5000 {
            let length = Int.random(in: 0...200, using: &random)
            var bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            // Mostly with a header that is let through.
            if length >= 16 && round % 4 != 0 {
                let type = [Netlink.newLink, Netlink.newRoute, Netlink.newNeighbour, Netlink.error][round / 4 % 4]
                bytes.replaceSubrange(
                    0..<12,
                    with: Netlink.hostBytes(UInt32(length)) + Netlink.hostBytes(type) + [0, 0]
                        + Netlink.hostBytes(UInt32(1)))
            }
            checkAll(bytes, "round \(round)")
        }
    }

    /// What holds for any bytes.
    func checkAll(_ bytes: [UInt8], _ what: String) {
        let (routeResult, route) = Netlink.parsedRoute(bytes)
        #expect(routeResult <= 1 && routeResult >= -4095, "\(what)")
        #expect([0, 4, 6].contains(route.gateway_family), "\(what)")
        #expect(route.type <= UInt8(KTRXER_ROUTE_THROW.rawValue), "\(what)")
        var (interfaceResult, interface) = Netlink.parsedInterface(bytes)
        #expect(interfaceResult <= 1 && interfaceResult >= -4095, "\(what)")
        #expect(withUnsafeBytes(of: &interface.name) { $0.last } == 0, "\(what)")
        #expect(withUnsafeBytes(of: &interface.kind) { $0.last } == 0, "\(what)")
        _ = NetworkInterface(interface)
        let (neighbourResult, neighbour) = Netlink.parsedNeighbour(bytes, for: "192.168.1.1", on: 2)
        #expect(neighbourResult <= 1 && neighbourResult >= -4095, "\(what)")
        #expect(neighbour.state <= UInt8(KTRXER_NEIGHBOUR_PERMANENT.rawValue), "\(what)")
    }
}

private func address(_ text: String) -> IPAddress { IPAddress(text: ByteText(text.utf8))! }
