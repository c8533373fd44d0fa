// SPDX-License-Identifier: MIT
// The packets that scapy made (Vectors/generate.py), by name.
import Foundation
import Testing

@testable import KTRxerLite

enum FrameVectors {
    static let all: [String: [UInt8]] = {
        guard
            let file = Bundle.module.url(
                forResource: "frames", withExtension: "txt", subdirectory: "Vectors"),
            let text = try? String(contentsOf: file, encoding: .utf8)
        else { return [:] }
        var vectors: [String: [UInt8]] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let fields = line.split(separator: " ")
            let digits = Array(fields[1].utf8)
            vectors[String(fields[0])] = stride(from: 0, to: digits.count, by: 2).map {
                UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16)!
            }
        }
        return vectors
    }()

    /// All packets, from the IP header on where there is one, in a fixed order.
    static var sorted: [(name: String, bytes: [UInt8])] {
        all.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    static func named(_ name: String) throws -> [UInt8] { try #require(all[name], "no vector named \(name)") }
}
