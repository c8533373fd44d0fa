// SPDX-License-Identifier: MIT
// Routes and next hops as this machine's kernel answers, in network namespaces.
import CKTRxer
import CNamespace
import Testing

@testable import KTRxerLite

@Suite(.enabled(if: RouteNetwork.isPossible, RouteNetwork.needsRoot))
struct RouteNetworkTests {
    let network: RouteNetwork

    init() throws { network = try RouteNetwork() }

    /// What a lookup throws, or nil.
    func failure(
        _ destination: String, from source: String? = nil, by interface: String = ""
    ) throws -> ProbeError? {
        do {
            let route = try network.route(destination, from: source, by: interface)
            Issue.record("a route was found: \(route)")
            return nil
        } catch let error as ProbeError {
            return error
        }
    }

    @Test func gatewayThatIsCached() throws {
        try network.shell(
            """
            ip -n $H route add default via 192.0.2.1
            ip -n $H -6 route add default via 2001:db8::1
            ip -n $H neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
            ip -n $H neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev eth0 nud reachable
            """)
        let four = try network.route("198.51.100.7")
        #expect(four.interfaceName == ByteText("eth0".utf8))
        #expect(four.interfaceIndex > 1)
        #expect(four.source == address("192.0.2.2"))
        #expect(four.nextHop == address("192.0.2.1"))
        #expect(four.mtu == 1500)
        #expect(four.linkType == .ethernet)
        #expect(four.sourceMAC == RouteNetwork.homeMAC)
        #expect(four.destinationMAC == RouteNetwork.peerMAC)
        #expect(!four.isLocal && !four.needsResolution)
        let six = try network.route("2001:db8:1::7")
        #expect(six.source == address("2001:db8::2"))
        #expect(six.nextHop == address("2001:db8::1"))
        #expect(six.destinationMAC == RouteNetwork.peerMAC)
        #expect(try network.resolve(six).state == .resolved(RouteNetwork.peerMAC))
    }

    @Test(arguments: [
        ("198.51.100.7", "192.0.2.1"), ("192.0.2.1", "192.0.2.1"), ("2001:db8:1::7", "fe80::1"),
        ("2001:db8::1", "2001:db8::1"),
    ])
    func nextHopThatIsNotCached(_ destination: String, _ nextHop: String) throws {
        try network.shell(
            """
            ip -n $H route add default via 192.0.2.1
            ip -n $H -6 route add default via fe80::1 dev eth0
            """)
        let route = try network.route(destination)
        #expect(route.nextHop == address(nextHop))
        #expect(route.destinationMAC == nil && route.needsResolution)
        let (state, elapsed) = try network.resolve(route)
        #expect(state == .resolved(RouteNetwork.peerMAC))
        #expect(elapsed < 8_000_000_000)
        // From now on the table has it.
        #expect(try network.route(destination).destinationMAC == RouteNetwork.peerMAC)
    }

    /// Without CAP_NET_ADMIN, by an empty datagram. The peer sees it, and nothing in it.
    @Test(arguments: ["192.0.2.1", "2001:db8::1", "fe80::1"])
    func resolvesWithoutNetworkAdmin(_ destination: String) throws {
        let route = try network.route(destination, by: "eth0")
        #expect(test_set_network_admin(0) == 0)
        defer { #expect(test_set_network_admin(1) == 0) }
        var query = ktrxer_neighbour_query(interface: route.interfaceIndex, address: address(destination))
        let refusal = try network.inHome { ktrxer_neighbour_use(&query) }
        #expect(ktrxer_error_class(-refusal) == Int32(KTRXER_ERROR_PERMISSION.rawValue))
        #expect(try network.resolve(route).state == .resolved(RouteNetwork.peerMAC))
    }

    @Test func gatewayThatAnswersLate() throws {
        try network.shell(
            "ip -n $H route add default via 192.0.2.1; ip netns exec $P sysctl -qw net.ipv4.conf.eth0.arp_ignore=8")
        let route = try network.route("198.51.100.7")
        var isAnswering = false
        let (state, elapsed) = try network.resolve(route) { elapsed in
            guard elapsed > 300_000_000, !isAnswering else { return }
            isAnswering = true
            try? network.shell("ip netns exec $P sysctl -qw net.ipv4.conf.eth0.arp_ignore=0")
        }
        // The kernel asks again after a second.
        #expect(state == .resolved(RouteNetwork.peerMAC))
        #expect(elapsed > 500_000_000)
    }

    @Test(arguments: ["192.0.2.77", "2001:db8::77", "fe80::77"])
    func nextHopThatNeverAnswers(_ destination: String) throws {
        let route = try network.route(destination, by: "eth0")
        for _ in 0..<2 {
            // The second time it starts from a failed entry.
            let (state, elapsed) = try network.resolve(route)
            #expect(state == .failed(.gatewayUnresolved))
            #expect(elapsed > 2_000_000_000 && elapsed < 8_000_000_000, "took \(elapsed) ns")
        }
    }

    @Test func interfaceGoesDownMeanwhile() throws {
        let route = try network.route("192.0.2.77")
        var isDown = false
        let (state, _) = try network.resolve(route) { elapsed in
            guard elapsed > 200_000_000, !isDown else { return }
            isDown = true
            try? network.shell("ip -n $H link set eth0 down")
        }
        #expect(state == .failed(.interfaceDown))
    }

    @Test func interfaceVanishesMeanwhile() throws {
        let route = try network.route("192.0.2.77")
        var isGone = false
        let (state, _) = try network.resolve(route) { elapsed in
            guard elapsed > 200_000_000, !isGone else { return }
            isGone = true
            try? network.shell("ip -n $H link del eth0")
        }
        #expect(state == .failed(.noInterface))
    }

    @Test func staleEntryIsUsedAndConfirmed() throws {
        try network.shell(
            """
            ip netns exec $H sysctl -qw net.ipv4.neigh.eth0.delay_first_probe_time=1
            ip -n $H neigh add 192.0.2.1 lladdr 02:00:00:00:00:99 dev eth0 nud stale
            """)
        #expect(try network.route("192.0.2.1").destinationMAC == MACAddress(0x0200_0000_0099))
        // The old address belongs to nobody: the kernel finds out, as it would for an ordinary packet.
        let end = ktrxer_clock_monotonic() + 8_000_000_000
        var seen: MACAddress?
        while ktrxer_clock_monotonic() < end, seen != RouteNetwork.peerMAC {
            _ = test_wait_readable(-1, 100)
            seen = try network.route("192.0.2.1").destinationMAC
            if seen == nil { _ = try network.resolve(try network.route("192.0.2.1")) }
        }
        #expect(seen == RouteNetwork.peerMAC)
    }

    @Test func lookupAndScanAgree() throws {
        try network.shell(
            """
            for i in $(seq 10 250); do
                echo "neigh add 192.0.2.$i lladdr 02:00:00:00:01:$(printf %02x $i) dev eth0 nud permanent"
            done | ip -n $H -b -
            ip -n $H neigh add proxy 192.0.2.9 dev eth0
            """)
        let index = try network.route("192.0.2.1").interfaceIndex
        try network.inHome {
            for last in ["9", "10", "128", "250", "251"] {
                var query = ktrxer_neighbour_query(interface: index, address: address("192.0.2." + last))
                var one = ktrxer_neighbour()
                var other = ktrxer_neighbour()
                #expect(ktrxer_neighbour_lookup(&query, &one) == 0)
                #expect(ktrxer_neighbour_scan(&query, &other) == 0)
                let isThere = last != "9" && last != "251"
                #expect(one.state == UInt8((isThere ? KTRXER_NEIGHBOUR_PERMANENT : KTRXER_NEIGHBOUR_NONE).rawValue))
                #expect(one.has_address == (isThere ? 1 : 0))
                #expect(other.state == one.state && other.has_address == one.has_address)
                #expect(MACAddress(systemBytes: other.address) == MACAddress(systemBytes: one.address))
                if isThere { #expect(one.address.5 == UInt8(last)) }
            }
        }
    }

    @Test func ipv4ByAnIPv6NextHop() throws {
        try network.shell("ip -n $H route add 198.51.100.0/24 via inet6 fe80::1 dev eth0")
        let route = try network.route("198.51.100.7")
        #expect(route.nextHop == address("fe80::1"))
        #expect(route.source == address("192.0.2.2"))
        #expect(route.needsResolution)
        #expect(try network.resolve(route).state == .resolved(RouteNetwork.peerMAC))
    }

    @Test(arguments: ["unreachable", "blackhole", "prohibit"])
    func refusingRoutes(_ kind: String) throws {
        try network.shell(
            "ip -n $H route add \(kind) 198.51.100.0/24; ip -n $H -6 route add \(kind) 2001:db8:1::/48")
        #expect(try failure("198.51.100.7") == .routeRefused)
        #expect(try failure("2001:db8:1::7") == .routeRefused)
    }

    @Test func throwGoesOnToTheNextTable() throws {
        try network.shell("ip -n $H route add throw 198.51.100.0/24")
        #expect(try failure("198.51.100.7") == .noRoute)
    }

    @Test func refusingRules() throws {
        try network.shell(
            "ip -n $H route add default via 192.0.2.1; ip -n $H rule add to 198.51.100.0/24 prohibit")
        #expect(try failure("198.51.100.7") == .routeRefused)
        _ = try network.route("198.51.101.7")
    }

    @Test func noRoute() throws {
        #expect(try failure("198.51.100.7") == .noRoute)
        #expect(try failure("2001:db8:1::7") == .noRoute)
        #expect(try failure("2001:db8:1::7", by: "eth0") == .noRoute)
        #expect(try failure("0.0.0.0") == .noRoute)
        #expect(try failure("::") == .noRoute)
    }

    @Test func interfaceDown() throws {
        try network.shell("ip -n $H link set eth0 down")
        #expect(try failure("192.0.2.1", by: "eth0") == .interfaceDown)
        #expect(try failure("fe80::1", by: "eth0") == .interfaceDown)
        #expect(try failure("192.0.2.1") == .noRoute)
    }

    @Test func cableUnplugged() throws {
        try network.shell("ip -n $P link set eth0 down")
        try network.wait(until: "ip -n $H link show eth0 | grep -q 'state [A-Z]*DOWN'")
        #expect(try failure("192.0.2.1") == .interfaceDown)
        #expect(try failure("192.0.2.1", by: "eth0") == .interfaceDown)
    }

    @Test(arguments: ["eth1", "a-name-of-sixteen", "", "eth0\0", "eth0/"])
    func interfaceThatIsNone(_ name: String) throws {
        if name.isEmpty { return }
        #expect(try failure("192.0.2.1", by: name) == .noInterface)
    }

    @Test func linkLocalNeedsTheInterface() throws {
        #expect(try failure("fe80::1") == .interfaceNeeded)
        #expect(try failure("ff02::1") == .interfaceNeeded)
        #expect(try failure("2001:db8::1", from: "fe80::2") == .interfaceNeeded)
        let route = try network.route("fe80::1", from: "fe80::2", by: "eth0")
        #expect(route.source == address("fe80::2"))
        #expect(route.nextHop == address("fe80::1"))
    }

    @Test func sourceGiven() throws {
        try network.shell(
            """
            ip -n $H address add 192.0.2.3/24 dev eth0
            ip -n $H address add 2001:db8::3/64 dev eth0 nodad
            ip -n $H route add default via 192.0.2.1
            ip -n $H route add default via 192.0.2.99 table 7
            ip -n $H rule add from 192.0.2.3 lookup 7
            """)
        let four = try network.route("198.51.100.7", from: "192.0.2.3")
        #expect(four.source == address("192.0.2.3"))
        #expect(four.nextHop == address("192.0.2.99"))
        #expect(try network.route("198.51.100.7", from: "192.0.2.2").nextHop == address("192.0.2.1"))
        #expect(try network.route("2001:db8::1", from: "2001:db8::3").source == address("2001:db8::3"))
        for foreign in ["192.0.2.1", "203.0.113.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"] {
            #expect(try failure("198.51.100.7", from: foreign) == .noSourceAddress)
        }
        for foreign in ["2001:db8::1", "2001:db8:9::1", "::", "ff02::1"] {
            #expect(try failure("2001:db8::1", from: foreign) == .noSourceAddress)
        }
        #expect(try failure("2001:db8::1", from: "192.0.2.2") == .wrongFamily)
    }

    @Test func interfaceGiven() throws {
        try network.shell(
            """
            ip -n $H link add eth1 address 02:00:00:00:00:03 type veth peer name eth1 netns $P
            ip -n $P link set eth1 up; ip -n $H link set eth1 up
            ip -n $H address add 203.0.113.2/24 dev eth1
            ip -n $H address add 2001:db8:3::2/64 dev eth1 nodad
            """)
        try network.settle("eth1", "2001:db8:3::2")
        // IPv4 takes what it has no route for as a neighbour on the link; IPv6 does not, with a source or
        // without.
        #expect(try network.route("192.0.2.1", by: "eth1").nextHop == address("192.0.2.1"))
        #expect(try failure("2001:db8::1", by: "eth1") == .noRoute)
        #expect(try failure("2001:db8::1", from: "2001:db8:3::2", by: "eth1") == .noRoute)
        try network.shell(
            """
            ip -n $H route add default via 192.0.2.1
            ip -n $H route add default via 203.0.113.1 metric 1000
            """)
        #expect(try network.route("198.51.100.7").nextHop == address("192.0.2.1"))
        let route = try network.route("198.51.100.7", by: "eth1")
        #expect(route.interfaceName == ByteText("eth1".utf8))
        #expect(route.nextHop == address("203.0.113.1"))
        #expect(route.source == address("203.0.113.2"))
        #expect(route.sourceMAC == MACAddress(0x0200_0000_0003))
    }

    @Test func routesByTrafficClass() throws {
        try network.shell(
            """
            ip -n $H route add default via 192.0.2.1
            ip -n $H route add default via 192.0.2.99 table 7
            ip -n $H rule add tos 0x10 lookup 7
            """)
        #expect(try network.route("198.51.100.7").nextHop == address("192.0.2.1"))
        #expect(try network.route("198.51.100.7", trafficClass: 0x10).nextHop == address("192.0.2.99"))
        #expect(try network.route("198.51.100.7", trafficClass: 0x13).nextHop == address("192.0.2.99"))
        #expect(try network.route("198.51.100.7", trafficClass: 0xFF).nextHop == address("192.0.2.1"))
    }

    @Test func mtuOfTheLinkAndOfTheRoute() throws {
        try network.shell(
            """
            ip -n $H link set eth0 mtu 1400
            ip -n $H route add 198.51.100.0/24 via 192.0.2.1 mtu 1300
            ip -n $H -6 route add 2001:db8:1::/48 via 2001:db8::1 mtu 1300
            ip -n $H route add 198.51.101.0/24 via 192.0.2.1
            """)
        #expect(try network.route("192.0.2.1").mtu == 1400)
        #expect(try network.route("198.51.100.7").mtu == 1300)
        #expect(try network.route("2001:db8:1::7").mtu == 1300)
        #expect(try network.route("198.51.101.7").mtu == 1400)
    }

    @Test func groupsAndBroadcast() throws {
        try network.shell("ip -n $H route add 224.0.0.0/4 dev eth0")
        #expect(try network.route("239.129.2.3").destinationMAC == MACAddress(0x0100_5E01_0203))
        #expect(try network.route("ff02::1:2", by: "eth0").destinationMAC == MACAddress(0x3333_0001_0002))
        #expect(try network.route("192.0.2.255").destinationMAC == .broadcast)
        #expect(try network.route("255.255.255.255", by: "eth0").destinationMAC == .broadcast)
    }

    @Test func thisHost() throws {
        for own in ["127.0.0.1", "127.1.2.3", "192.0.2.2", "::1", "2001:db8::2"] {
            let route = try network.route(own)
            #expect(route.isLocal && route.linkType == .loopback, "\(own)")
            #expect(route.nextHop == nil && route.destinationMAC == nil && !route.needsResolution)
            #expect(route.mtu >= 1500)
        }
        #expect(try network.route("192.0.2.2").source == address("192.0.2.2"))
        #expect(try network.route("fe80::2", by: "eth0").isLocal)
        #expect(try network.route("127.0.0.1", from: "192.0.2.2").source == address("192.0.2.2"))
    }

    @Test func tunnelWithoutLinkHeader() throws {
        let tunnel = try network.inHome { test_tun_open("tun0") }
        try #require(tunnel >= 0, "no tun device here: \(tunnel)")
        try network.shell(
            """
            ip -n $H link set tun0 up mtu 1420; ip -n $H address add 10.9.0.2 peer 10.9.0.1 dev tun0
            ip -n $H route add 198.51.100.0/24 dev tun0
            ip -n $H -6 address add 2001:db8:9::2/64 dev tun0 nodad
            """)
        for destination in ["10.9.0.1", "198.51.100.7", "2001:db8:9::7"] {
            let route = try network.route(destination)
            #expect(route.linkType == .pointToPoint && route.mtu == 1420)
            #expect(route.nextHop == address(destination))
            #expect(route.sourceMAC == MACAddress(0) && route.destinationMAC == nil)
            #expect(try network.resolve(route).state == .resolved(MACAddress(0)))
        }
        // Nobody at the other end: as good as unplugged. (The device goes with its program.)
        try network.shell("ip -n $H tuntap add mode tun name tun1; ip -n $H link set tun1 up")
        try network.shell("ip -n $H route add 198.51.101.0/24 dev tun1")
        try network.wait(until: "ip -n $H link show tun1 | grep -q 'state DOWN'")
        #expect(try failure("198.51.101.7") == .interfaceDown)
        test_close(tunnel)
        #expect(try failure("198.51.100.7", by: "tun0") == .noInterface)
    }

    /// Ethernet on which nobody is asked: the kernel sends to its own address, or to everybody.
    @Test func ethernetWithoutARP() throws {
        try network.shell("ip -n $H link set eth0 arp off")
        #expect(try network.route("192.0.2.77").destinationMAC == RouteNetwork.homeMAC)
    }

    @Test func noAddressAtAll() throws {
        try network.shell("ip -n $H address flush dev eth0; ip -n $H address flush dev lo")
        try network.shell("ip -n $H route add 198.51.100.0/24 dev eth0")
        #expect(try failure("198.51.100.7") == .noSourceAddress)
    }

    @Test func manyLookupsLeaveNoDescriptorOpen() throws {
        let before = try network.inHome { ktrxer_neighbour_watch() }
        ktrxer_neighbour_unwatch(before)
        for _ in 0..<200 {
            _ = try network.route("192.0.2.1")
            _ = NeighbourResolution(route: try network.route("192.0.2.1"))
        }
        #expect(throws: ProbeError.noRoute) { try network.route("198.51.100.1") }
        let after = try network.inHome { ktrxer_neighbour_watch() }
        ktrxer_neighbour_unwatch(after)
        // Other tests run beside this one and open some.
        #expect(after < before + 100)
    }
}

private func address(_ text: String) -> IPAddress { IPAddress(text: ByteText(text.utf8))! }
