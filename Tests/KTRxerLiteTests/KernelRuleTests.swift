// SPDX-License-Identifier: MIT
// Which packets the kernel transport has captured, and which of them the system still sees.
import CDevice
import CKTRxer
import Testing

@testable import KTRxerLite

@Suite struct KernelRuleTests {
    private func rules(_ flow: Flow) throws -> (answers: ktrxer_rule, errors: ktrxer_rule, port: UInt16) {
        var found: (ktrxer_rule, ktrxer_rule, UInt16)?
        try withSimulatedKernel {
            let transport = try Wire.transport(flow)
            found = (try #require(Wire.rule(0)), try #require(Wire.rule(1)), transport.flow.sourcePort)
            #expect(Wire.rule(2) == nil)
        }
        return try #require(found)
    }

    private func bytes(_ address: IPAddress) -> [UInt8] {
        (0..<16).map { $0 < address.byteCount ? address.byte($0) : 0 }
    }

    private func array(_ field: SystemAddressBytes) -> [UInt8] { withUnsafeBytes(of: field) { [UInt8]($0) } }

    @Test(arguments: [false, true])
    func echoRepliesFromWhomeverWithOurIdentifier(ipv6: Bool) throws {
        let (answers, errors, identifier) = try rules(Wire.flow(ipv6: ipv6))
        #expect(
            answers.match
                == UInt32(
                    KTRXER_MATCH_DESTINATION | KTRXER_MATCH_PROTOCOL | KTRXER_MATCH_ICMP_TYPE | KTRXER_MATCH_ICMP_ID))
        #expect(answers.family == (ipv6 ? 6 : 4) && answers.protocol == (ipv6 ? 58 : 1))
        #expect(answers.icmp_type == (ipv6 ? 129 : 0) && answers.icmp_id == identifier)
        #expect(array(answers.destination) == bytes(ipv6 ? Wire.source6 : Wire.source))
        #expect(answers.destination_prefix == (ipv6 ? 128 : 32) && answers.source_prefix == 0)
        #expect(array(answers.source) == [UInt8](repeating: 0, count: 16))
        // The system has no answer to them, and other pings on this host want theirs.
        #expect(answers.operation == UInt8(KTRXER_CAPTURE.rawValue))
        #expect(
            errors.match
                == UInt32(
                    KTRXER_MATCH_SOURCE | KTRXER_MATCH_PROTOCOL | KTRXER_MATCH_ICMP_ID | KTRXER_MATCH_ERRORS))
        #expect(array(errors.source) == bytes(ipv6 ? Wire.target6 : Wire.target))
        #expect(errors.icmp_id == identifier && errors.operation == UInt8(KTRXER_CAPTURE.rawValue))
        #expect(answers.id != errors.id && answers.id != 0 && errors.id != 0)
    }

    @Test(arguments: [ProbeProtocol.udp, .tcpSyn], [false, true])
    func answersToOurPortsAreKeptFromTheSystem(_ proto: ProbeProtocol, ipv6: Bool) throws {
        let (answers, errors, port) = try rules(Wire.flow(proto, ipv6: ipv6))
        let tuple =
            KTRXER_MATCH_SOURCE | KTRXER_MATCH_PROTOCOL | KTRXER_MATCH_SOURCE_PORT | KTRXER_MATCH_DESTINATION_PORT
        #expect(answers.match == UInt32(tuple | KTRXER_MATCH_DESTINATION))
        #expect(errors.match == UInt32(tuple | KTRXER_MATCH_ERRORS))
        #expect(answers.operation == UInt8(KTRXER_CAPTURE_DROP.rawValue))
        #expect(errors.operation == UInt8(KTRXER_CAPTURE.rawValue), "path MTUs are the system's to learn")
        for rule in [answers, errors] {
            #expect(rule.protocol == (proto == .udp ? 17 : 6))
            #expect(array(rule.source) == bytes(ipv6 ? Wire.target6 : Wire.target))
            #expect(rule.source_prefix == (ipv6 ? 128 : 32))
            #expect(rule.source_port_first == 33_434 && rule.source_port_last == 33_434)
            #expect(rule.destination_port_first == port)
            // Each SYN has its own port.
            #expect(rule.destination_port_last == (proto == .udp ? port : port + 255))
            #expect(rule.icmp_id == 0 && rule.icmp_type == 0)
        }
    }

    @Test func withoutPermissionToDropTheSystemSeesThem() throws {
        try withSimulatedKernel {
            simulation_refuse(0x21, 1)
            _ = try Wire.transport(Wire.flow(.tcpSyn))
            // The rules are gone with the transport; so look while it is there.
            let transport = try Wire.transport(Wire.flow(.tcpSyn))
            #expect(Wire.rule(0)?.operation == UInt8(KTRXER_CAPTURE.rawValue))
            _ = transport
        }
    }

    @Test func rulesEndWithTheTransport() throws {
        try withSimulatedKernel {
            do {
                let transport = try Wire.transport(Wire.flow())
                #expect(Wire.rule(0) != nil)
                _ = transport
            }
            #expect(Wire.rule(0) == nil)
        }
    }
}
