// SPDX-License-Identifier: MIT
// The packets that scapy made, from the unit tests' file, and the unit tests that compare with them.
import CKTRxer
import KTRxerLite

enum FrameVectors {
    nonisolated(unsafe) private static var text = ByteText()

    /// Reads the file; false when there is none.
    static func load(_ path: ByteText) -> Bool {
        guard let content = contents(of: path) else { return false }
        text = content
        return true
    }

    /// The packet on the line that begins with this name and a space.
    static func named(_ name: StaticString) throws(FrameError) -> [UInt8] {
        var wanted = ByteText()
        wanted.append(text: name)
        return try named(wanted)
    }

    static func named(_ name: ByteText) throws(FrameError) -> [UInt8] {
        var start = 0
        while start < text.count {
            var end = start
            while end < text.count && text[end] != 0x0A { end += 1 }
            let digits = start + name.count + 1
            if digits <= end && text[digits - 1] == 0x20 && starts(name, at: start) { return decoded(digits, end) }
            start = end + 1
        }
        throw .badLength
    }

    private static func starts(_ name: ByteText, at start: Int) -> Bool {
        for index in 0..<name.count where text[start + index] != name[index] { return false }
        return true
    }

    private static func decoded(_ start: Int, _ end: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for place in stride(from: start, to: end - 1, by: 2) {
            bytes.append(digit(text[place]) << 4 | digit(text[place + 1]))
        }
        return bytes
    }

    private static func digit(_ letter: UInt8) -> UInt8 { letter < 0x3A ? letter & 15 : (letter & 15) + 9 }
}

/// The file's bytes, or nil.
func contents(of path: ByteText) -> ByteText? {
    var name = path
    name.append(0)
    var bytes = ByteText(repeating: 0, count: 1 << 16)
    let count = name.withUnsafeBufferPointer { name in
        name.withMemoryRebound(to: CChar.self) { name in
            bytes.withUnsafeMutableBytes { ktrxer_file_read(name.baseAddress, $0.baseAddress, UInt32($0.count)) }
        }
    }
    guard count >= 0 else { return nil }
    bytes.removeLast(bytes.count - Int(count))
    return bytes
}

func runFrames() {
    let bytes = FrameBytesTests()
    run("frame numbers") { () throws(FrameError) in
        try bytes.readsNetworkOrder()
        for offset in [-1, -8, 8, 9, 100, Int.max, Int.min, Int.max - 3] { bytes.readingOutsideThrows(offset) }
        bytes.readingAcrossTheEndThrows()
        try bytes.writesNetworkOrder()
        bytes.writingOutsideThrows()
    }
    run("checksums") { () throws(FrameError) in
        bytes.checksumOfRFC1071()
        bytes.checksumAgainstSlowSum()
        bytes.pseudoHeaders()
        bytes.incrementalUpdate()
        bytes.compensationReachesTheTarget()
    }
    runHeaders(FrameVectorTests())
    runErrors(FrameErrorVectorTests())
    runExtensions(FrameExtensionVectorTests())
    run("probes") { () throws(FrameError) in
        for family in everyFamily {
            for proto in everyProtocol {
                for constant in [false, true] { try checkProbe(family, proto, constant) }
            }
        }
    }
}

private func checkProbe(_ family: AddressFamily, _ proto: ProbeProtocol, _ constant: Bool) throws(FrameError) {
    var name = ByteText()
    name.append(text: "probe_")
    name.append(text: proto == .icmp ? "icmp" : proto == .udp ? "udp" : "tcp")
    name.append(text: family == .ipv4 ? "4" : "6")
    name.append(text: constant ? "_constant" : "")
    let expected = try FrameVectors.named(name)
    expect(try testProbe(testFlow(proto, family, constant: constant), 0x0105) == expected)
}

private func runHeaders(_ tests: FrameVectorTests) {
    run("ethernet") { () throws(FrameError) in try tests.ethernet() }
    run("vlan") { () throws(FrameError) in try tests.vlan() }
    run("stacked vlan") { () throws(FrameError) in try tests.stackedVLAN() }
    run("vlan limits") { () throws(FrameError) in try tests.vlanLimits() }
    run("arp") { () throws(FrameError) in
        try tests.arp(false)
        try tests.arp(true)
    }
    run("ipv4") { () throws(FrameError) in try tests.ipv4() }
    run("ipv4 options") { () throws(FrameError) in try tests.ipv4Options() }
    run("ipv4 fragments") { () throws(FrameError) in try tests.ipv4Fragments() }
    run("ipv4 malformed") { () throws(FrameError) in try tests.ipv4Malformed() }
    run("ipv6") { () throws(FrameError) in try tests.ipv6() }
    run("udp checksums") { () throws(FrameError) in try tests.udpChecksums() }
    run("tcp") { () throws(FrameError) in try tests.tcp() }
    run("echo") { () throws(FrameError) in
        for family in everyFamily {
            try tests.echo(family, false)
            try tests.echo(family, true)
        }
    }
}

private func runErrors(_ tests: FrameErrorVectorTests) {
    run("icmp errors") { () throws(FrameError) in
        for plain in FrameErrorVectorTests.Plain.all { try tests.plain(plain) }
    }
    run("eight bytes quoted") { () throws(FrameError) in try tests.eightBytes() }
    run("mpls") { () throws(FrameError) in
        for labelled in FrameErrorVectorTests.labelled { try tests.mpls(labelled) }
    }
    run("mpls behind a long quote") { () throws(FrameError) in try tests.mplsBehindALongQuote() }
    run("mpls unannounced") { () throws(FrameError) in
        try tests.mplsUnannounced("time_exceeded4_mpls_legacy")
        try tests.mplsUnannounced("time_exceeded6_mpls_legacy")
    }
    run("other objects") { () throws(FrameError) in try tests.otherObjectsArePassedOver() }
    run("extensions malformed") { () throws(FrameError) in try tests.extensionsMalformed() }
    run("no errors") { () throws(FrameError) in try tests.whatIsNoErrorIsRefused() }
    run("odd lengths") { () throws(FrameError) in try tests.lengthsThatCannotBeLeaveTheQuoteWhole() }
}

private func runExtensions(_ tests: FrameExtensionVectorTests) {
    run("hop-by-hop options") { () throws(FrameError) in try tests.hopByHopOptions() }
    run("destination options") { () throws(FrameError) in try tests.destinationOptions() }
    run("option padding") { () throws(FrameError) in try tests.optionPadding() }
    run("routing headers") { () throws(FrameError) in try tests.routingHeaders() }
    run("ipv6 fragments") { () throws(FrameError) in try tests.fragments() }
    run("all extensions") { () throws(FrameError) in try tests.allExtensions() }
    run("chain limits") { () throws(FrameError) in try tests.chainLimits() }
    run("neighbours") { () throws(FrameError) in try tests.neighbours() }
    run("neighbours malformed") { () throws(FrameError) in try tests.neighboursMalformed() }
    run("multicast addresses") { () throws(FrameError) in try tests.multicastAddresses() }
}
