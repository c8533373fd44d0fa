// SPDX-License-Identifier: MIT
// Packet sockets between measurements: which one serves the next, on this machine's kernel.
import CKTRxer
import CNamespace
import Testing

@testable import KTRxerLite

@Suite(.enabled(if: RouteNetwork.isPossible, RouteNetwork.needsRoot))
struct PacketSocketsTests {
    let network: RouteNetwork
    let sockets = PacketSockets()

    init() throws { network = try RouteNetwork() }

    /// Everything passes.
    static let filter: [UInt64] = [0x06 << 48 | 0x40000]

    /// Opens one, does something with it, and gives it back; which descriptor it was.
    @discardableResult
    func use(
        _ destination: String, probes: Int = 1, burst: Int = 0, _ body: (PacketSocket) throws -> Void = { _ in }
    ) throws -> Int32 {
        let route = try network.route(destination)
        let shape = PacketShape(route: route, frameLength: 98, probes: probes, burst: burst)
        return try network.inHome {
            let borrowed = try sockets.borrow(for: shape)
            try borrowed.socket.open(shape, filter: Self.filter)
            try body(borrowed.socket)
            return borrowed.socket.packet.pointee.descriptor
        }
    }

    /// Packets that are waiting.
    func received(_ socket: PacketSocket) -> Int {
        var captured = ktrxer_captured()
        var count = 0
        while ktrxer_packet_peek(socket.packet, &captured) == 1 {
            count += 1
            ktrxer_packet_next(socket.packet)
        }
        return count
    }

    @Test func servesTheNextOnTheSameInterface() throws {
        let first = try use("192.0.2.1")
        #expect(try use("192.0.2.1", probes: 1000) == first, "other slots are made anew")
        let other = try use("2001:db8::1")
        #expect(other != first, "bound to one ethertype")
        #expect(try use("192.0.2.1") == first)
    }

    @Test func ringsServeTheirOwnShapeOnly() throws {
        let plain = try use("192.0.2.1")
        let rings = try use("192.0.2.1", probes: 20, burst: 20)
        #expect(rings != plain)
        #expect(try use("192.0.2.1", probes: 20, burst: 20) == rings)
        try use("192.0.2.1", probes: 200, burst: 200)
        #expect(sockets.count == 2, "the memory of the other rings is given back first")
        #expect(try use("192.0.2.1") == plain)
    }

    @Test(arguments: [0, 32, 200]) func whatIsLeftIsForgotten(burst: Int) throws {
        let ping = "ip netns exec $P fping -c 3 -p 10 -q 192.0.2.2 2>/dev/null"
        try use("192.0.2.1", burst: burst) { socket in
            try network.shell(ping)
            #expect(received(socket) >= 3)
            try network.shell(ping)
        }
        try network.shell(ping)
        try use("192.0.2.1", burst: burst) { #expect(received($0) == 0, "of the measurement before, or in between") }
    }

    @Test func notAfterItsInterfaceWasDown() throws {
        let first = try use("192.0.2.1")
        try network.shell("ip -n $H link set eth0 down; ip -n $H link set eth0 up")
        try network.wait(until: "ip -n $H link show eth0 | grep -q 'state UP'")
        #expect(try use("192.0.2.1") != first)
        #expect(sockets.closableAt == 0, "the dead one may be closed at any time")
        sockets.closeOne(now: 1)
        #expect(sockets.closableAt > 1)
    }

    @Test func closedWhenLongIdle() throws {
        try use("192.0.2.1")
        let at = sockets.closableAt
        sockets.closeOne(now: at - 1)
        #expect(sockets.closableAt == at)
        sockets.closeOne(now: at)
        #expect(sockets.closableAt == .max)
    }
}
