// SPDX-License-Identifier: MIT
// Addresses to text and back, judged by the C library's inet_pton and inet_ntop.
import Foundation
import Testing

@testable import KTRxerLite

@Suite struct FrameTextTests {
    private func parse(_ text: String) -> IPAddress? { IPAddress(text: ByteText(text.utf8)) }

    private func print(_ address: IPAddress) -> String {
        var text = ByteText()
        address.append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// What inet_pton makes of the text, as wire bytes.
    private func reference(_ text: String, _ family: AddressFamily) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: family == .ipv4 ? 4 : 16)
        return inet_pton(family == .ipv4 ? AF_INET : AF_INET6, text, &bytes) == 1 ? bytes : nil
    }

    private func wire(_ address: IPAddress) -> [UInt8] { (0..<address.byteCount).map { address.byte($0) } }

    @Test(arguments: [
        "0.0.0.0", "255.255.255.255", "192.0.2.1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3",
        "01.2.3.4",
        "1.2.3.04", "256.1.1.1", "1.2.3.999999999999999999999", "1.2.3.4 ", " 1.2.3.4", "1.2.3.-4", "", "1",
        "a.b.c.d",
        "0x1.2.3.4", "00.0.0.0", "1.2.3.4\n", "١.2.3.4",
    ])
    func dottedQuads(_ text: String) {
        #expect(parse(text).map(wire) == reference(text, .ipv4))
    }

    @Test(arguments: [
        "::", "::1", "1::", "fe80::1", "2001:db8::1", "2001:DB8:0:0:1:0:0:1", "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7::8", "::1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7",
        "1::2::3", ":::",
        ":", ":1", "1:", "1:::2", "12345::", "::12345", "g::", "::ffff:192.0.2.1", "::192.0.2.1",
        "1:2:3:4:5:6:192.0.2.1",
        "1:2:3:4:5:6:7:192.0.2.1", "1:2:3:4:5:192.0.2.1", "::192.0.2", "::192.0.2.1:5", "192.0.2.1::",
        "::01.2.3.4",
        "64:ff9b::192.0.2.33", "fe80::1%eth0", "fe80::1/64", "[::1]", "::1 ", "0000:0000::0000", "00000::",
        "::256.1.1.1",
        "1:2:3:4::5:6:7:8", "1:2:3::4:5:6:1.2.3.4", "1:2:3::4:5:1.2.3.4", "::0001.2.3.4", ":1.2.3.4",
        ":::1.2.3.4",
    ])
    func sixes(_ text: String) {
        #expect(parse(text).map(wire) == reference(text, .ipv6))
    }

    @Test(arguments: [
        // RFC 5952, 4.1 to 4.3 and 5.
        ("2001:0db8::0001", "2001:db8::1"), ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:DB8::ABCD", "2001:db8::abcd"),
        ("::ffff:c000:201", "::ffff:192.0.2.1"), ("::c000:201", "::c000:201"), ("0:0:0:0:0:0:0:0", "::"),
        ("1:0:0:0:0:0:0:0", "1::"), ("0:0:0:0:0:0:0:1", "::1"), ("0:1:0:1:0:1:0:1", "0:1:0:1:0:1:0:1"),
        ("0:0:1:0:0:1:0:0", "::1:0:0:1:0:0"), ("198.51.100.7", "198.51.100.7"),
    ])
    func canonicalForm(_ text: String, _ canonical: String) throws {
        let address = try #require(parse(text))
        #expect(print(address) == canonical)
    }

    @Test func printedFormsReadBack() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<5_000 {
            // Groups are mostly zero, so that runs of every kind come up.
            var address = IPAddress(v6High: 0, low: 0)
            for _ in 0..<8 {
                let group = random.next() % 3 == 0 ? random.next() & 0xFFFF : 0
                address.high = address.high << 16 | address.low >> 48
                address.low = address.low << 16 | group
            }
            let text = print(address)
            #expect(parse(text) == address)
            var bytes = wire(address)
            var buffer = [CChar](repeating: 0, count: 64)
            inet_ntop(AF_INET6, &bytes, &buffer, 64)
            let reference = buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            // The C library also prints the deprecated IPv4-compatible ::/96 with dots; RFC 5952 does not.
            if address.high != 0 || address.low >> 32 != 0 { #expect(text == reference) }
            let four = IPAddress(v4: UInt32(truncatingIfNeeded: random.next()))
            #expect(parse(print(four)) == four)
        }
    }

    @Test func randomTextIsJudgedAsByTheCLibrary() {
        var random = SeededGenerator(seed: 2)
        let alphabet = Array("0123456789abcdefABF::::....%g".utf8)
        for _ in 0..<50_000 {
            let bytes = (0..<Int(random.next() % 24)).map { _ in
                alphabet[Int(random.next() % UInt64(alphabet.count))]
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let expected = reference(text, .ipv4) ?? reference(text, .ipv6)
            let found = IPAddress(text: bytes).map(wire)
            if found != expected { Issue.record("\(text): \(String(describing: found))") }
        }
    }

    @Test func ethernetAddresses() {
        let address = MACAddress(text: ByteText("02:00:5e:Aa:00:fF".utf8))
        #expect(address == MACAddress(0x0200_5EAA_00FF))
        var text = ByteText()
        address?.append(to: &text)
        #expect(String(decoding: text, as: UTF8.self) == "02:00:5e:aa:00:ff")
        for bad in [
            "", "02:00:5e:aa:00", "02:00:5e:aa:00:0", "02-00-5e-aa-00-ff", "0g:00:5e:aa:00:ff",
            "02:00:5e:aa:00:ff:",
        ] {
            #expect(MACAddress(text: ByteText(bad.utf8)) == nil)
        }
    }

    @Test func wireForm() {
        let bytes: [UInt8] = [9, 192, 0, 2, 1] + (0..<16).map { UInt8($0) }
        #expect(IPAddress(wire: bytes.span.bytes, at: 1, family: .ipv4) == IPAddress(v4: 0xC000_0201))
        #expect(
            IPAddress(wire: bytes.span.bytes, at: 5, family: .ipv6)
                == IPAddress(v6High: 0x0001_0203_0405_0607, low: 0x0809_0A0B_0C0D_0E0F))
        #expect(IPAddress(wire: bytes.span.bytes, at: 6, family: .ipv6) == nil)
        #expect(IPAddress(wire: bytes.span.bytes, at: -1, family: .ipv4) == nil)
        #expect(IPAddress(wire: bytes.span.bytes, at: Int.max, family: .ipv6) == nil)
    }
}
