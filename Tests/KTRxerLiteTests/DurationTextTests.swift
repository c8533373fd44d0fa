// SPDX-License-Identifier: MIT
import Testing

@testable import KTRxerLite

@Suite struct DurationTextTests {
    private func parse(_ text: String) -> Int64? { DurationText.parse(ByteText(text.utf8)) }

    private func print(_ duration: Int64) -> String {
        var text = ByteText()
        text.append(duration: duration)
        return String(decoding: text, as: UTF8.self)
    }

    @Test(
        arguments: [
            ("0", 0), ("1ns", 1), ("250us", 250_000), ("200ms", 200_000_000), ("10s", 10_000_000_000),
            ("5m", 300_000_000_000), ("2h", 7_200_000_000_000), ("1d", 86_400_000_000_000),
            ("0.2", 200_000_000), ("1.5s", 1_500_000_000), ("1.", 1_000_000_000), (".5", 500_000_000),
            ("0.000000001", 1), ("0.0025us", nil), ("0.5ns", nil), ("2.0ns", 2), ("0.0000000001", nil),
            ("0.5d", 43_200_000_000_000), ("0.0000000000000d", 0), ("2.5m", 150_000_000_000),
            ("9223372036854775807ns", Int64.max), ("9223372036854775808ns", nil),
            ("9223372036s", 9_223_372_036_000_000_000),
            ("9223372037s", nil), ("106752d", nil), ("106751d", 9_223_286_400_000_000_000),
            ("99999999999999999999999", nil), ("", nil), (".", nil), ("s", nil), ("-1s", nil), ("+1", nil),
            ("1 s", nil), ("1sec", nil), ("1S", nil), ("1.2.3", nil), ("1e3", nil), ("1m30s", nil),
            ("٣", nil),
        ] as [(String, Int64?)])
    func durations(_ text: String, _ expected: Int64?) { #expect(parse(text) == expected, "\(text)") }

    @Test func printedDurationsAreReadBack() {
        var generator = SystemRandomNumberGenerator()
        let units: [Int64] = [
            1, 1_000, 1_000_000, 1_000_000_000, 60_000_000_000, 3_600_000_000_000, 86_400_000_000_000,
        ]
        for unit in units {
            for _ in 0..<200 {
                let value = Int64.random(in: 0...(Int64.max / unit), using: &generator) * unit
                #expect(parse(print(value)) == value, "\(value)")
            }
        }
        #expect(print(0) == "0s")
        #expect(print(1_500_000_000) == "1500ms")
        #expect(print(90_000_000_000) == "90s")
        #expect(print(-3_600_000_000_000) == "-1h")
        #expect(print(86_400_000_000_000) == "1d")
        #expect(print(1_001) == "1001ns")
    }

    @Test(
        arguments: [
            ("0", 0), ("1", 1), ("64k", 65_536), ("64K", 65_536), ("1m", 1_048_576), ("2M", 2_097_152),
            ("k", nil), ("", nil),
            ("1g", nil), ("1kb", nil), ("-1", nil), ("1.5m", nil), ("9223372036854775807", Int64.max),
            ("9223372036854775808", nil), ("8796093022207m", 9_223_372_036_853_727_232),
            ("8796093022208m", nil),
        ] as [(String, Int64?)])
    func byteSizes(_ text: String, _ expected: Int64?) {
        #expect(NumberText.parseBytes(ByteText(text.utf8)) == expected, "\(text)")
    }

    @Test func printedByteSizesAreReadBack() {
        for value in [0, 1, 1_023, 1_024, 1_536, 1_048_576, 5_242_880, 1_048_577] as [Int64] {
            var text = ByteText()
            text.append(byteSize: value)
            #expect(NumberText.parseBytes(text) == value)
        }
    }
}
