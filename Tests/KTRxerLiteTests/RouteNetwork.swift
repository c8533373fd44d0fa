// SPDX-License-Identifier: MIT
// Two hosts on a cable, as network namespaces, for the tests of routes. Needs root; every suite that uses it
// says so when it is skipped.
import CKTRxer
import CNamespace
import Foundation
import Testing

@testable import KTRxerLite

/// A home host and a peer, joined by a veth pair:
///
///     home  eth0 02:00:00:00:00:02          peer  eth0 02:00:00:00:00:01
///           192.0.2.2/24                          192.0.2.1/24
///           2001:db8::2/64 fe80::2                2001:db8::1/64 fe80::1
final class RouteNetwork {
    static let needsRoot: Comment = "network namespaces need root: run the tests as root"
    static let isPossible = geteuid() == 0 && test_shell("ip netns list >/dev/null 2>&1") == 0

    static let homeMAC = MACAddress(0x0200_0000_0002)
    static let peerMAC = MACAddress(0x0200_0000_0001)

    let home: String
    private let peer: String

    init(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let unique = "ktrxer-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        home = unique + "-h"
        peer = unique + "-p"
        try shell(
            """
            ip netns add $H; ip netns add $P
            ip -n $H link add eth0 address 02:00:00:00:00:02 type veth peer name eth0 netns $P address 02:00:00:00:00:01
            for N in $H $P; do
                ip netns exec $N sysctl -qw net.ipv6.conf.eth0.addr_gen_mode=1 net.ipv6.conf.eth0.accept_dad=0
                ip -n $N link set lo up; ip -n $N link set eth0 up
            done
            ip -n $H address add 192.0.2.2/24 dev eth0
            ip -n $H address add 2001:db8::2/64 dev eth0 nodad
            ip -n $H address add fe80::2/64 dev eth0 nodad
            ip -n $P address add 192.0.2.1/24 dev eth0
            ip -n $P address add 2001:db8::1/64 dev eth0 nodad
            ip -n $P address add fe80::1/64 dev eth0 nodad
            """, sourceLocation: sourceLocation)
        try settle("eth0", "2001:db8::2", sourceLocation: sourceLocation)
        try settle("eth0", "fe80::2", sourceLocation: sourceLocation)
    }

    /// Waits until one of the home host's links has its carrier, and an IPv6 address of it its route.
    func settle(
        _ interface: String, _ address: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try wait(
            until: """
                ip -n $H link show \(interface) | grep -q 'state UP' &&
                    ip -n $H -6 route show table local | grep -q '^local \(address) dev \(interface)'
                """, sourceLocation: sourceLocation)
    }

    /// Waits until a condition, in shell, holds: what follows from a link's going up or down, the kernel does some
    /// time after the command.
    func wait(until condition: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try shell(
            "for i in $(seq 200); do if \(condition); then exit 0; fi; sleep 0.05; done; exit 1",
            sourceLocation: sourceLocation)
    }

    deinit {
        _ = test_shell("ip netns del \(home) 2>/dev/null; ip netns del \(peer) 2>/dev/null")
    }

    /// Runs a script in which $H and $P are the two namespaces; its first failing line fails the test.
    func shell(_ script: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let status = test_shell("set -e; H=\(home) P=\(peer)\n\(script)")
        try #require(status == 0, "exit status \(status) of: \(script)", sourceLocation: sourceLocation)
    }

    /// Runs code as a program of the home host would run. The code stays on this thread.
    func inHome<Result>(_ body: () throws -> Result) throws -> Result {
        let before = test_namespace_enter(home)
        try #require(before >= 0, "cannot enter the namespace: \(before)")
        defer { #expect(test_namespace_leave(before) == 0) }
        return try body()
    }

    /// The route to an address as the home host finds it.
    func route(
        _ destination: String, from source: String? = nil, by interface: String = "", trafficClass: UInt8 = 0
    ) throws -> Route {
        let destination = try #require(IPAddress(text: ByteText(destination.utf8)))
        return try inHome {
            try Route.lookup(
                destination: destination, source: source.map(address), interface: ByteText(interface.utf8),
                trafficClass: trafficClass)
        }
    }

    /// Resolves a route's next hop as an event loop would; ns it took, and how it ended.
    func resolve(_ route: Route, meanwhile: (Int64) -> Void = { _ in }) throws -> (
        state: NeighbourResolution.State, elapsed: Int64
    ) {
        try inHome {
            let start = ktrxer_clock_monotonic()
            let resolution = NeighbourResolution(route: route)
            while resolution.state == .pending {
                let pause = max(0, min(resolution.wakeAt - ktrxer_clock_monotonic(), 50_000_000))
                _ = test_wait_readable(resolution.descriptor, Int32((pause + 999_999) / 1_000_000))
                resolution.service(now: ktrxer_clock_monotonic())
                meanwhile(ktrxer_clock_monotonic() - start)
                try #require(ktrxer_clock_monotonic() - start < 10_000_000_000, "still pending after 10 s")
            }
            #expect(resolution.descriptor == -1)
            #expect(resolution.wakeAt == .max)
            return (resolution.state, ktrxer_clock_monotonic() - start)
        }
    }
}

private func address(_ text: String) -> IPAddress { IPAddress(text: ByteText(text.utf8))! }
