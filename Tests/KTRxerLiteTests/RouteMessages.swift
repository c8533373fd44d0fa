// SPDX-License-Identifier: MIT
// Netlink messages for the tests of the C floor's parsers: recorded ones, and ones made here. Numbers are in
// the byte order of the host, as the kernel sends them.
import CKTRxer
import Foundation

@testable import KTRxerLite

/// Linux' own numbers, the same on every processor.
enum Netlink {
    static let error: UInt16 = 2
    static let done: UInt16 = 3
    static let newLink: UInt16 = 16
    static let newRoute: UInt16 = 24
    static let newNeighbour: UInt16 = 28

    /// The recorded datagrams by name; see Vectors/netlink.txt.
    static let recorded: [String: [UInt8]] = {
        guard let file = Bundle.module.url(forResource: "Vectors/netlink", withExtension: "txt"),
            let text = try? String(contentsOf: file, encoding: .utf8)
        else { return [:] }
        var messages: [String: [UInt8]] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            let digits = Array(words[1])
            messages[String(words[0])] = stride(from: 0, to: digits.count, by: 2).map {
                UInt8(String(digits[$0...$0 + 1]), radix: 16)!
            }
        }
        return messages
    }()

    static func hostBytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number, Array.init)
    }

    /// One netlink message.
    static func message(_ type: UInt16, sequence: UInt32 = 1, body: [UInt8], _ attributes: [[UInt8]] = []) -> [UInt8] {
        let payload = body + attributes.joined()
        return hostBytes(UInt32(16 + payload.count)) + hostBytes(type) + hostBytes(UInt16(0)) + hostBytes(sequence)
            + hostBytes(UInt32(0)) + payload
    }

    static func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
        let padding = [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
        return hostBytes(UInt16(4 + value.count)) + hostBytes(type) + value + padding
    }

    /// struct rtmsg: the family in the kernel's numbering (2 or 10), and the type of the route.
    static func routeBody(family: UInt8, type: UInt8) -> [UInt8] { [family, 32, 0, 0, 254, 0, 0, type, 0, 0, 0, 0] }

    /// An interface x0 with an MTU of 1500, and more attributes.
    static func link(hardware: UInt16, flags: UInt32 = 0x41, _ attributes: [[UInt8]] = []) -> [UInt8] {
        let body = [0, 0] + hostBytes(hardware) + hostBytes(Int32(5)) + hostBytes(flags) + [0, 0, 0, 0]
        let always = [attribute(3, [0x78, 0x30, 0]), attribute(4, hostBytes(UInt32(1500)))]
        return message(newLink, body: body, always + attributes)
    }

    static func parsedRoute(_ datagram: [UInt8], sequence: UInt32 = 1) -> (result: Int32, route: ktrxer_route) {
        var route = ktrxer_route()
        let result = datagram.withUnsafeBytes {
            ktrxer_route_parse($0.baseAddress, UInt32($0.count), sequence, &route)
        }
        return (result, route)
    }

    static func parsedInterface(_ datagram: [UInt8]) -> (result: Int32, interface: ktrxer_interface) {
        var interface = ktrxer_interface()
        let result = datagram.withUnsafeBytes {
            ktrxer_interface_parse($0.baseAddress, UInt32($0.count), 1, &interface)
        }
        return (result, interface)
    }

    static func parsedNeighbour(
        _ datagram: [UInt8], for neighbour: String, on interface: Int32
    ) -> (result: Int32, neighbour: ktrxer_neighbour) {
        var query = ktrxer_neighbour_query(interface: interface, address: IPAddress(text: ByteText(neighbour.utf8))!)
        var found = ktrxer_neighbour()
        let result = datagram.withUnsafeBytes {
            ktrxer_neighbour_parse($0.baseAddress, UInt32($0.count), 1, &query, &found)
        }
        return (result, found)
    }
}
