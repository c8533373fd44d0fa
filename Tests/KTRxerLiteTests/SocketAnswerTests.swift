// SPDX-License-Identifier: MIT
// What an error queue of the kernel says of a router's answer.
import CKTRxer
import Testing

@testable import KTRxerLite

@Suite struct SocketAnswerTests {
    /// `info` is what the kernel has read of the error's header behind its checksum.
    static func mtu(family: UInt32, type: UInt32, code: UInt32, info: UInt32) throws -> UInt32 {
        var message = ktrxer_message()
        message.origin = KTRXER_ORIGIN_ICMP.rawValue
        message.family = family
        message.icmp_type = type
        message.icmp_code = code
        message.info = info
        let answer = try #require(
            SocketAnswer.make(
                message, sequence: 0, flow: Wire.flow(ipv6: family == 6), receivedAt: 1, source: .kernel))
        return answer.mtu
    }

    @Test func onlyErrorsAboutSizeHaveAnMTU() throws {
        #expect(try Self.mtu(family: 4, type: 3, code: 4, info: 1400) == 1400)
        #expect(try Self.mtu(family: 6, type: 2, code: 0, info: 1280) == 1280)
        // RFC 4884: the length of the quote; RFC 792: the pointer of a parameter problem.
        #expect(try Self.mtu(family: 6, type: 3, code: 0, info: 16 << 24) == 0)
        #expect(try Self.mtu(family: 6, type: 1, code: 4, info: 16 << 24) == 0)
        #expect(try Self.mtu(family: 6, type: 4, code: 0, info: 40) == 0)
        #expect(try Self.mtu(family: 4, type: 3, code: 3, info: 17) == 0)
        #expect(try Self.mtu(family: 4, type: 12, code: 0, info: 20) == 0)
    }
}
