// SPDX-License-Identifier: MIT
import Testing

@testable import KTRxerLite

@Suite struct ByteTextTests {
    private func text(_ make: (inout ByteText) -> Void) -> String {
        var bytes = ByteText()
        make(&bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func decimals() {
        #expect(text { $0.append(decimal: Int64.min) } == "-9223372036854775808")
        #expect(text { $0.append(decimal: UInt64(0)) } == "0")
        #expect(text { $0.append(decimal: UInt64(7), width: 3) } == "007")
        #expect(text { $0.append(decimal: UInt64.max) } == "18446744073709551615")
    }

    @Test func hexadecimals() {
        #expect(text { $0.append(hexadecimal: 0) } == "0")
        #expect(text { $0.append(hexadecimal: 0xBEEF) } == "beef")
        #expect(text { $0.append(hexadecimal: 0xF, width: 2) } == "0f")
        #expect(text { $0.append(hexadecimal: UInt64.max) } == "ffffffffffffffff")
    }

    @Test func milliseconds() {
        #expect(text { $0.append(milliseconds: 7_000_000) } == "7.000")
        #expect(text { $0.append(milliseconds: 1_234_567) } == "1.235")
        #expect(text { $0.append(milliseconds: -1_500_000, places: 1) } == "-1.5")
        #expect(text { $0.append(milliseconds: 999_999_999, places: 0) } == "1000")
        #expect(text { $0.append(milliseconds: 1, places: 6) } == "0.000001")
    }
}
