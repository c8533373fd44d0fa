// SPDX-License-Identifier: MIT
// What the tests of frames have in common: addresses, the values of generate.py, and building. The self-test on devices
// has it too, so that it needs nothing but the library.
import KTRxerLite

/// Addresses of the tests' own side and of the probed side.
func testSource(_ family: AddressFamily) -> IPAddress {
    family == .ipv4 ? IPAddress(v4: 0xC000_0201) : IPAddress(v6High: 0x2001_0DB8_0000_0001, low: 0x0A)
}

func testTarget(_ family: AddressFamily) -> IPAddress {
    family == .ipv4 ? IPAddress(v4: 0xC633_6407) : IPAddress(v6High: 0x2001_0DB8_0000_00FF, low: 0x07)
}

func testRouter(_ family: AddressFamily) -> IPAddress {
    family == .ipv4 ? IPAddress(v4: 0xCB00_7101) : IPAddress(v6High: 0x2001_0DB8_0000_000F, low: 0x01)
}

func testFlow(
    _ proto: ProbeProtocol, _ family: AddressFamily, payload: Int = 32, constant: Bool = true,
    token: UInt32 = 0xC0FF_EE42
) -> Flow {
    Flow(
        proto: proto, destination: testTarget(family), destinationPort: proto == .tcpSyn ? 443 : 33434,
        sourcePort: 40_000, payloadLength: payload, trafficClass: 0xB8, dontFragment: true,
        constantFlow: constant,
        token: token)
}

func testProbe(_ flow: Flow, _ sequence: UInt32, ttl: UInt8 = 7) throws(FrameError) -> [UInt8] {
    try build(room: 70_000) { out throws(FrameError) in
        try ProbePacket.build(
            flow: flow, source: testSource(flow.destination.family),
            probe: Probe(sequence: sequence, launch: 0, ttl: ttl), into: &out, at: 0)
    }
}

let everyFamily: [AddressFamily] = [.ipv4, .ipv6]
let everyProtocol: [ProbeProtocol] = [.icmp, .udp, .tcpSyn]

/// One's-complement sum the slow way: the bytes as one big number in base 65536, modulo 65535, with
/// 65535 rather than 0 for anything but all zeros.
func slowSum(_ bytes: [UInt8]) -> UInt16 {
    var rest = 0
    var allZero = true
    for (index, byte) in bytes.enumerated() {
        allZero = allZero && byte == 0
        rest = (rest + Int(byte) * (index % 2 == 0 ? 256 : 1)) % 65535
    }
    return allZero ? 0 : (rest == 0 ? 65535 : UInt16(rest))
}

/// Runs a builder on `room` zero bytes and returns the bytes that it says it wrote.
func build(room: Int = 2048, _ body: (inout MutableRawSpan) throws(FrameError) -> Int) throws(FrameError)
    -> [UInt8]
{
    var buffer = [UInt8](repeating: 0, count: room)
    var span = buffer.mutableSpan
    var raw = span.mutableBytes
    let length = try body(&raw)
    return Array(buffer[0..<length])
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

/// A fixed sequence of numbers (splitmix64), the same on every run and machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
