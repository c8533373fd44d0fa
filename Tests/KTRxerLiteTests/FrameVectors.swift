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

/// The values of generate.py.
enum VectorValues {
    static let source4 = testSource(.ipv4)
    static let target4 = testTarget(.ipv4)
    static let router4 = testRouter(.ipv4)
    static let source6 = testSource(.ipv6)
    static let target6 = testTarget(.ipv6)
    static let router6 = testRouter(.ipv6)
    static let mac1 = MACAddress(0x0200_5E00_0001)
    static let mac2 = MACAddress(0x0200_5E00_0002)
    static let payload: [UInt8] = Array(0x20...0x30)
    static let labels = [
        MPLSLabel(label: 24_001, trafficClass: 5, bottomOfStack: false, ttl: 1),
        MPLSLabel(label: 0xFFFFF, trafficClass: 0, bottomOfStack: true, ttl: 255),
    ]

    static func four(_ proto: UInt8, payload: Int) -> IPv4Header {
        IPv4Header(
            proto: proto, source: source4, destination: target4, payloadLength: payload, ttl: 61,
            trafficClass: 0xB8,
            identification: 0x1234)
    }

    static func six(_ next: UInt8, payload: Int) -> IPv6Header {
        IPv6Header(
            nextHeader: next, source: source6, destination: target6, payloadLength: payload, hopLimit: 61,
            trafficClass: 0xB8, flowLabel: 0xABCDE)
    }
}

extension MutableRawSpan {
    /// A UDP datagram with its checksum; returns its length.
    @_lifetime(self: copy self)
    mutating func putUDP(
        _ ports: (UInt16, UInt16), _ payload: [UInt8], at offset: Int, source: IPAddress,
        destination: IPAddress
    ) throws(FrameError) -> Int {
        let header = try UDPHeader(
            sourcePort: ports.0, destinationPort: ports.1, payloadLength: payload.count
        )
        .write(into: &self, at: offset)
        try put(payload.span.bytes, at: offset + header)
        try sealChecksum(
            of: IPProtocol.udp, at: offset, length: header + payload.count, source: source,
            destination: destination)
        return header + payload.count
    }
}
