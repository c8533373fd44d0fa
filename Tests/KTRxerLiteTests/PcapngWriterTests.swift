// SPDX-License-Identifier: MIT
// The capture file, block by block.
import CKTRxer
import Foundation
import KTRxerLite
import Testing

/// One block: its type and what is between its two lengths.
struct PcapngBlock {
    var type: UInt32
    var body: [UInt8]

    func word(_ offset: Int) -> UInt32 { little32(body, offset) }
    func half(_ offset: Int) -> UInt16 { UInt16(body[offset]) | UInt16(body[offset + 1]) << 8 }

    /// Options from `offset` on, by code.
    func options(from offset: Int) -> [UInt16: [UInt8]] {
        var found: [UInt16: [UInt8]] = [:]
        var position = offset
        while position + 4 <= body.count {
            let code = half(position)
            let length = Int(half(position + 2))
            if code == 0 {
                #expect(length == 0 && position + 4 == body.count)
                break
            }
            found[code] = Array(body[(position + 4)..<(position + 4 + length)])
            position += 4 + (length + 3) / 4 * 4
        }
        return found
    }
}

func little32(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
}

func pcapngBlocks(_ path: String) throws -> [PcapngBlock] {
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    var blocks: [PcapngBlock] = []
    var position = 0
    while position < bytes.count {
        try #require(position + 12 <= bytes.count)
        let length = Int(little32(bytes, position + 4))
        try #require(length % 4 == 0 && length >= 12 && position + length <= bytes.count)
        #expect(Int(little32(bytes, position + length - 4)) == length)
        blocks.append(
            PcapngBlock(
                type: little32(bytes, position), body: Array(bytes[(position + 8)..<(position + length - 4)])))
        position += length
    }
    return blocks
}

@Suite struct PcapngWriterTests {
    let path = "/tmp/ktrxer-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).pcapng"

    private func observe(
        _ writer: PcapngWriter, _ frame: [UInt8], wire: Int? = nil, at time: Int64, sent: Bool,
        _ start: FrameStart = .ethernet, _ interface: String = "eth0"
    ) {
        frame.withUnsafeBytes {
            writer.observe(
                bytes: $0, wireLength: wire ?? frame.count, realtime: time, sent: sent, start: start,
                interface: ByteText(interface.utf8))
        }
    }

    @Test func blocks() throws {
        defer { unlink(path) }
        let writer = try PcapngWriter(path: ByteText(path.utf8))
        let time: Int64 = 1_769_862_896_123_456_789
        for length in 0..<9 {
            observe(writer, (0..<length).map { UInt8($0) }, wire: length + 1, at: time + Int64(length), sent: true)
        }
        observe(writer, [0x45, 1, 2], at: time, sent: false, .ip, "wwan0")
        observe(writer, [9], at: time, sent: false, .ethernet, "br-lan.7")
        observe(writer, [8], at: time, sent: false, .ip, "eth0")
        observe(writer, [7], at: time, sent: false)
        writer.flush()
        #expect(writer.failure == nil && writer.frames == 13 && writer.lostFrames == 0)
        let blocks = try pcapngBlocks(path)
        #expect(blocks[0].type == 0x0A0D_0D0A)
        #expect(blocks[0].word(0) == 0x1A2B_3C4D)
        #expect(blocks[0].half(4) == 1 && blocks[0].half(6) == 0)
        #expect(blocks[0].body[8...].allSatisfy { $0 == 0xFF } && blocks[0].body.count == 16)
        let interfaces = blocks.filter { $0.type == 1 }
        #expect(interfaces.map { $0.half(0) } == [1, 101, 1, 101])
        let names = interfaces.map { String(decoding: $0.options(from: 8)[2] ?? [], as: UTF8.self) }
        #expect(names == ["eth0", "wwan0", "br-lan.7", "eth0"])
        for interface in interfaces { #expect(interface.options(from: 8)[9] == [9]) }
        let frames = blocks.filter { $0.type == 6 }
        #expect(frames.count == 13 && blocks.count == 1 + 4 + 13)
        for length in 0..<9 {
            let frame = frames[length]
            #expect(frame.word(0) == 0)
            #expect(UInt64(frame.word(4)) << 32 | UInt64(frame.word(8)) == UInt64(time) + UInt64(length))
            #expect(frame.word(12) == UInt32(length) && frame.word(16) == UInt32(length + 1))
            #expect(Array(frame.body[20..<(20 + length)]) == (0..<length).map { UInt8($0) })
            #expect(frame.options(from: 20 + (length + 3) / 4 * 4)[2] == [2, 0, 0, 0])
        }
        #expect(frames[9...].map { $0.word(0) } == [1, 2, 3, 0])
        #expect(frames[9].options(from: 24)[2] == [1, 0, 0, 0])
        // An interface is described before its first frame.
        #expect(blocks.firstIndex { $0.type == 1 } == 1)
    }

    @Test func flushesByItselfAndAtTheEnd() throws {
        defer { unlink(path) }
        var writer: PcapngWriter? = try PcapngWriter(path: ByteText(path.utf8))
        let frame = [UInt8](repeating: 0xAB, count: 1514)
        for index in 0..<100 { observe(try #require(writer), frame, at: Int64(index), sent: false) }
        let before = try pcapngBlocks(path).count
        #expect(before > 90 && before < 102)
        writer = nil
        #expect(try pcapngBlocks(path).count == 102)
        // The next measurement's file begins anew.
        writer = try PcapngWriter(path: ByteText(path.utf8))
        writer?.flush()
        #expect(try pcapngBlocks(path).count == 1)
    }

    @Test func errors() throws {
        #expect(throws: ProbeError.system(code: ENOENT, during: .openFile)) {
            try PcapngWriter(path: ByteText("/nonexistent/x.pcapng".utf8))
        }
        let target = path + ".target"
        try Data("precious".utf8).write(to: URL(filePath: target))
        symlink(target, path)
        defer {
            unlink(path)
            unlink(target)
        }
        #expect(throws: ProbeError.unsupported(.foreignFile)) {
            try PcapngWriter(path: ByteText(path.utf8))
        }
        #expect(try String(contentsOfFile: target, encoding: .utf8) == "precious")
    }

    /// A full disk leaves whole blocks, and says so.
    @Test(.enabled(if: geteuid() == 0, "needs root: mounts a tmpfs")) func fullDisk() throws {
        let folder = path + ".d"
        mkdir(folder, 0o755)
        defer { rmdir(folder) }
        func run(_ program: String, _ arguments: [String]) throws -> Int32 {
            let process = Process()
            process.executableURL = URL(filePath: program)
            process.arguments = arguments
            try process.run()
            process.waitUntilExit()
            return process.terminationStatus
        }
        try #require(try run("/bin/mount", ["-t", "tmpfs", "-o", "size=20k", "tmpfs", folder]) == 0)
        defer { _ = try? run("/bin/umount", ["-l", folder]) }
        let writer = try PcapngWriter(path: ByteText((folder + "/x.pcapng").utf8))
        let frame = [UInt8](repeating: 0xAB, count: 700)
        for index in 0..<100 { observe(writer, frame, at: Int64(index), sent: false) }
        writer.flush()
        #expect(writer.failure == .system(code: ENOSPC, during: .writeFile))
        #expect(writer.frames + writer.lostFrames == 100)
        let frames = try pcapngBlocks(folder + "/x.pcapng").filter { $0.type == 6 }.count
        #expect(frames > 10 && UInt64(frames) == writer.frames)
    }

    /// Wireshark's own reader finds nothing to complain about, where it is installed.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/tshark"), "needs tshark"))
    func tsharkReadsIt() throws {
        defer { unlink(path) }
        let writer = try PcapngWriter(path: ByteText(path.utf8))
        // Ethernet broadcast with ARP, and an IPv4 header with an ICMP echo request.
        let arp: [UInt8] =
            [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1]
            + [192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2]
        let echo: [UInt8] =
            [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0xF6, 0xDC, 192, 0, 2, 1, 192, 0, 2, 2]
            + [8, 0, 0xF7, 0xFF, 0, 0, 0, 0]
        observe(writer, arp, at: 1_769_862_896_123_456_789, sent: true)
        observe(writer, echo, at: 1_769_862_896_123_456_790, sent: false, .ip, "wwan0")
        writer.flush()
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/tshark")
        process.arguments =
            ["-r", path, "-T", "fields"]
            + ["frame.time_epoch", "frame.interface_name", "frame.protocols", "frame.packet_flags_direction"]
            .flatMap { ["-e", $0] }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let rows = text.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
        try #require(rows.count == 2)
        #expect(rows[0][0...2] == ["1769862896.123456789", "eth0", "eth:ethertype:arp"])
        #expect(rows[1][0...2] == ["1769862896.123456790", "wwan0", "raw:ip:icmp"])
        #expect(rows[0][3] == "0x00000002" && rows[1][3] == "0x00000001")
    }
}
