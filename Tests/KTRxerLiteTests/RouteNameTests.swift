// SPDX-License-Identifier: MIT
// Names to addresses: literals, /etc/hosts, and a name server made here, in a network namespace.
import CKTRxer
import CNamespace
import Foundation
import Testing

@testable import KTRxerLite

@Suite struct RouteNameTests {
    @Test func literalsStartNoProcess() {
        for text in ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"] {
            let resolution = NameResolution(name: ByteText(text.utf8))
            #expect(resolution.state == .resolved([address(text)]))
            #expect(resolution.process == 0 && resolution.descriptor == -1 && resolution.wakeAt == .max)
            resolution.service(now: .max)
            #expect(resolution.state == .resolved([address(text)]))
        }
    }

    @Test func literalOfTheOtherFamily() {
        let four = ByteText("192.0.2.1".utf8)
        let six = ByteText("2001:db8::1".utf8)
        #expect(NameResolution(name: four, family: .ipv4).state == .resolved([address("192.0.2.1")]))
        #expect(NameResolution(name: six, family: .ipv6).state == .resolved([address("2001:db8::1")]))
        #expect(NameResolution(name: four, family: .ipv6).state == .failed(.wrongFamily))
        #expect(NameResolution(name: six, family: .ipv4).state == .failed(.wrongFamily))
    }

    @Test func textThatIsNoName() {
        for name in [
            [], [0], ByteText("a b".utf8), ByteText("a\0b".utf8), ByteText("a\nb".utf8), [0x7F],
            [UInt8](repeating: 0x61, count: 254),
        ] {
            let resolution = NameResolution(name: name)
            #expect(resolution.state == .failed(.nameNotFound))
            #expect(resolution.process == 0)
        }
    }

    @Test func hostsFile() throws {
        let resolution = NameResolution(name: ByteText("localhost".utf8), family: .ipv4)
        let process = resolution.process
        #expect(process > 0 && resolution.descriptor >= 0)
        #expect(finish(resolution) == .resolved([address("127.0.0.1")]))
        #expect(isGone(process))
    }

    @Test func manyInARow() {
        for _ in 0..<50 {
            let resolution = NameResolution(name: ByteText("localhost".utf8), family: .ipv4)
            #expect(finish(resolution) == .resolved([address("127.0.0.1")]))
            #expect(isGone(resolution.process))
        }
    }
}

/// With a name server on the address where this machine expects one.
@Suite(
    .enabled(if: RouteNetwork.isPossible, RouteNetwork.needsRoot),
    .enabled(if: asksNameServers, "/etc/nsswitch.conf resolves names by more than files and DNS"))
struct RouteNameServerTests {
    let network: RouteNetwork

    init() throws {
        network = try RouteNetwork()
        for server in nameServers {
            try network.shell("ip -n $H address replace \(server)/\(server.contains(":") ? 128 : 32) dev lo")
        }
    }

    /// Resolves as a program of the home host.
    func resolve(
        _ name: String, family: FamilyPreference = .any, timeout: Int64 = 10_000_000_000
    ) throws -> (state: NameResolution.State, elapsed: Int64) {
        try network.inHome {
            let start = ktrxer_clock_monotonic()
            let resolution = NameResolution(name: ByteText(name.utf8), family: family, timeout: timeout)
            let process = resolution.process
            let state = finish(resolution)
            #expect(isGone(process))
            return (state, ktrxer_clock_monotonic() - start)
        }
    }

    /// Runs code while a name server answers.
    func withNameServer(_ body: () throws -> Void) throws {
        let socket = try network.inHome { test_udp_open(53) }
        try #require(socket >= 0)
        Thread { test_name_server(socket) }.start()
        defer { test_name_server_stop(socket) }
        try body()
    }

    @Test func bothFamilies() throws {
        try withNameServer { () throws in
            guard case .resolved(let addresses) = try resolve("both.test").state else {
                Issue.record("not resolved")
                return
            }
            #expect(addresses.count == 2)
            #expect(addresses.contains(address("192.0.2.80")) && addresses.contains(address("2001:db8::80")))
        }
    }

    @Test func oneFamily() throws {
        try withNameServer { () throws in
            let four = NameResolution.State.resolved([address("192.0.2.80")])
            let six = NameResolution.State.resolved([address("2001:db8::80")])
            #expect(try resolve("both.test", family: .ipv4).state == four)
            #expect(try resolve("both.test", family: .ipv6).state == six)
            #expect(try resolve("four.test").state == four)
            #expect(try resolve("six.test").state == six)
            #expect(try resolve("four.test", family: .ipv6).state == .failed(.wrongFamily))
            #expect(try resolve("six.test", family: .ipv4).state == .failed(.wrongFamily))
        }
    }

    @Test func moreAddressesThanAreKept() throws {
        try withNameServer { () throws in
            guard case .resolved(let addresses) = try resolve("many.test").state else {
                Issue.record("not resolved")
                return
            }
            #expect(addresses.count == Int(KTRXER_RESOLVE_MAXIMUM))
        }
    }

    @Test func noSuchName() throws {
        try withNameServer { () throws in
            #expect(try resolve("nosuch.test").state == .failed(.nameNotFound))
            #expect(try resolve("nosuch.test", family: .ipv6).state == .failed(.nameNotFound))
        }
    }

    @Test func serverThatFails() throws {
        try withNameServer { () throws in
            #expect(try resolve("fail.test").state == .failed(.nameServiceFailed))
        }
    }

    @Test func serverThatIsSilent() throws {
        try withNameServer { () throws in
            let (state, elapsed) = try resolve("mute.test", timeout: 300_000_000)
            #expect(state == .failed(.nameServersSilent))
            #expect(elapsed >= 300_000_000 && elapsed < 4_500_000_000)
        }
    }

    @Test func noServerThere() throws {
        #expect(try resolve("both.test").state == .failed(.nameServersSilent))
    }

    @Test func droppedEarlyLeavesNoProcess() throws {
        try network.inHome {
            let socket = test_udp_open(53)
            defer { test_close(socket) }
            var resolution: NameResolution? = NameResolution(name: ByteText("mute.test".utf8))
            let process = try #require(resolution?.process)
            #expect(test_wait_readable(socket, 5000) == 1, "the child has not asked")
            #expect(!isGone(process))
            resolution = nil
            #expect(isGone(process))
        }
    }

    /// What the parent closes is closed, even while the child waits.
    @Test func childKeepsNoDescriptorOfOurs() throws {
        try network.inHome {
            let socket = test_udp_open(53)
            defer { test_close(socket) }
            var ends: [Int32] = [0, 0]
            // Close-on-exec, so that no other test's child holds it; this one executes nothing.
            let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
            try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
            defer { close(ends[0]) }
            let resolution = NameResolution(name: ByteText("mute.test".utf8))
            #expect(test_wait_readable(socket, 5000) == 1, "the child has not asked")
            close(ends[1])
            #expect(test_wait_readable(ends[0], 1000) == 1, "the other end is still held open")
            #expect(resolution.state == .pending)
        }
    }
}

private func finish(_ resolution: NameResolution) -> NameResolution.State {
    while resolution.state == .pending {
        let pause = max(0, resolution.wakeAt - ktrxer_clock_monotonic())
        _ = test_wait_readable(resolution.descriptor, Int32(min(pause, 10_000_000_000) / 1_000_000 + 1))
        resolution.service(now: ktrxer_clock_monotonic())
    }
    #expect(resolution.descriptor == -1 && resolution.wakeAt == .max)
    return resolution.state
}

/// Ended and reaped.
private func isGone(_ process: Int32) -> Bool { kill(process, 0) < 0 && errno == ESRCH }

private func address(_ text: String) -> IPAddress { IPAddress(text: ByteText(text.utf8))! }

private func lines(of file: String) -> [[Substring]] {
    let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map { $0.split(whereSeparator: { " \t".contains($0) }) }
}

private let nameServers: [String] = {
    let listed = lines(of: "/etc/resolv.conf").filter { $0.count > 1 && $0[0] == "nameserver" }.map { String($0[1]) }
    return listed.isEmpty ? ["127.0.0.1"] : listed.filter { IPAddress(text: ByteText($0.utf8)) != nil }
}()

private let asksNameServers: Bool = {
    let hosts = lines(of: "/etc/nsswitch.conf").first { $0.first == "hosts:" } ?? ["hosts:", "files", "dns"]
    return hosts.contains("dns") && !hosts.contains { $0.hasPrefix("mdns") || $0 == "resolve" }
}()
