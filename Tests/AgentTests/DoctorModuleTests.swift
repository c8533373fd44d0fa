// SPDX-License-Identifier: MIT
// What the doctor says of module files, good, wrong and hostile, and of a loaded module of another version.
import CDevice
import CKTRxer
import Foundation
import Glibc
import Testing

@testable import ktrxer_agent

// One after the other: the text that is returned is one for all.
@Suite(.serialized) struct DoctorModuleTests {
    private let release: String
    private let machine: String
    private let ownMachine: UInt16
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("module-\(UUID().uuidString).ko")
        .path

    init() {
        var name = utsname()
        uname(&name)
        release = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        machine = withUnsafeBytes(of: &name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        ownMachine = ["x86_64": 62, "aarch64": 183][machine] ?? 0
    }

    private var here: String { "this is Linux \(release), \(machine), 64-bit, little-endian" }

    /// Where "vermagic" begins in `module`.
    private static let name = 320

    /// The start of an object file, and a vermagic between zeros.
    private func module(
        of release: String, machine: UInt16, isBig: Bool = false, isWide: Bool = true, type: UInt8 = 1
    ) -> [UInt8] {
        var bytes: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, isWide ? 2 : 1, isBig ? 2 : 1, 1] + Array(repeating: 0, count: 9)
        let high = UInt8(machine >> 8)
        let low = UInt8(truncatingIfNeeded: machine)
        bytes += isBig ? [0, type, high, low] : [type, 0, low, high]
        bytes += Array(repeating: 0, count: 300)
        return bytes + Array("vermagic=\(release) SMP mod_unload \0".utf8) + Array(repeating: 0, count: 100)
    }

    private func judged(_ bytes: [UInt8]) throws -> (verdict: Int32, text: String) {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { unlink(path) }
        return judged(path)
    }

    private func judged(_ path: String) -> (verdict: Int32, text: String) {
        var verdict: Int32 = 99
        let text = String(cString: ktrxer_module_judged(path, &verdict))
        return (verdict, text)
    }

    @Test func ownKernel() throws {
        let found = try judged(module(of: release, machine: ownMachine))
        #expect(found.verdict == 0 && found.text == "for this kernel", "\(found)")
        #expect(String(cString: ktrxer_kernel_described()) == "\(release), \(machine), 64-bit, little-endian")
    }

    @Test func otherKernels() throws {
        for (bytes, whose) in [
            (module(of: "1.2.3-router", machine: ownMachine), "1.2.3-router, \(machine), 64-bit, little-endian"),
            (module(of: release + "+", machine: ownMachine), "\(release)+, \(machine), 64-bit, little-endian"),
            (
                module(of: String(release.dropLast()), machine: ownMachine),
                "\(release.dropLast()), \(machine), 64-bit, little-endian"
            ),
            (module(of: release, machine: 8, isBig: true, isWide: false), "\(release), mips, 32-bit, big-endian"),
            (module(of: release, machine: 8, isWide: false), "\(release), mips, 32-bit, little-endian"),
            (module(of: release, machine: 40, isWide: false), "\(release), arm, 32-bit, little-endian"),
            (module(of: release, machine: 243), "\(release), riscv, 64-bit, little-endian"),
            (module(of: release, machine: 21, isBig: true), "\(release), another machine, 64-bit, big-endian"),
            // Of this machine, but of the other byte order or width.
            (module(of: release, machine: ownMachine, isBig: true), "\(release), \(machine), 64-bit, big-endian"),
            (module(of: release, machine: ownMachine, isWide: false), "\(release), \(machine), 32-bit, little-endian"),
        ] {
            let found = try judged(bytes)
            #expect(found.verdict == 1 && found.text == "for Linux \(whose); \(here)", "\(found)")
        }
    }

    @Test func noModules() throws {
        let good = module(of: release, machine: ownMachine)
        var nameless = good
        nameless[Self.name] ^= 1
        let compressed: [[UInt8]] = [[0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], [0x1F, 0x8B], [0x28, 0xB5, 0x2F, 0xFD]]
        for bytes in [
            [], [0x7F], Array(good.prefix(20)), nameless, Array(good.dropFirst()), Array("vermagic=".utf8),
            Array("vermagic=1".utf8),
            // A program, and one that holds the name of what it looks for.
            try [UInt8](Data(contentsOf: URL(fileURLWithPath: "/bin/true"))),
            module(of: release, machine: ownMachine, type: 2), module(of: release, machine: ownMachine, type: 3),
        ] + compressed {
            let found = try judged(bytes)
            #expect(
                found.verdict == -ENOEXEC && found.text == "no kernel module, or a compressed one",
                "\(bytes.prefix(40)) \(found)")
        }
    }

    @Test func unreadable() {
        let missing = judged("/nowhere/ktrxer.ko")
        #expect(missing.verdict == -ENOENT && missing.text == "No such file or directory")
        #expect(judged("/").verdict == -EISDIR)
        // Neither waits for anybody nor reads without an end.
        #expect(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        #expect(judged(path).verdict == -ESPIPE)
        #expect(judged("/dev/zero").verdict == -ENOEXEC)
        #expect(judged("/dev/null").verdict == -ENOEXEC)
    }

    /// What a shorter file left out is not completed from the file that was looked at before.
    @Test func nothingIsLeftOfTheFileBefore() throws {
        let good = module(of: "1.2.3-long", machine: ownMachine)
        let start = Self.name + 9
        for kept in 1...5 {
            _ = try judged(good)
            let found = try judged(Array(good.prefix(start + kept)))
            #expect(found.text.hasPrefix("for Linux \("1.2.3-long".prefix(kept)), "), "\(found)")
        }
        _ = try judged(good)
        #expect(try judged(Array(good.prefix(start))).verdict == -ENOEXEC)
    }

    /// A release is at most 64 bytes, and what is no text ends it: it goes to a terminal.
    @Test func releasesThatAreNone() throws {
        let long = try judged(module(of: String(repeating: "9", count: 5000), machine: 8))
        #expect(
            long.verdict == 1 && long.text.hasPrefix("for Linux " + String(repeating: "9", count: 65) + ", mips"),
            "\(long)")
        let escape = try judged(module(of: "6.1\u{1B}[2J", machine: 8))
        #expect(escape.text.hasPrefix("for Linux 6.1, mips, 64-bit"), "\(escape)")
        let empty = try judged(module(of: "", machine: 8))
        #expect(empty.text.hasPrefix("for Linux , mips"), "\(empty)")
    }

    /// Only so much of a file is looked at; a vermagic at the end of that is found, or cut.
    @Test func largeFiles() throws {
        let size = 1 << 20
        let tail = Array("vermagic=6.1.2".utf8)
        for (at, expected) in [(size - 14, "6.1.2"), (size - 12, "6.1"), (size - 10, "6")] {
            var bytes = module(of: "", machine: 8)
            bytes[Self.name] ^= 1
            bytes += Array(repeating: 0, count: at - bytes.count)
            let found = try judged(bytes + tail + Array(repeating: 0x41, count: 4096))
            // Where the look ends inside the file, more of the release is not seen.
            #expect(found.text.hasPrefix("for Linux \(expected), mips"), "\(at) \(found)")
        }
        var beyond = Array(module(of: "", machine: 8).prefix(20))
        beyond += Array(repeating: 0, count: size) + tail
        #expect(try judged(beyond).verdict == -ENOEXEC)
    }

    /// Some thousand files, each spoilt in another way: every one gets one line of text, whatever it says.
    @Test func spoiltFiles() throws {
        var state: UInt64 = 0x6B54_5278_6572
        func random(_ below: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(below))
        }
        let good = module(of: release, machine: ownMachine)
        var verdicts: [Int32: Int] = [:]
        for _ in 0..<4000 {
            var bytes = good
            switch random(4) {
            case 0: bytes = Array(bytes.prefix(random(bytes.count)))
            case 1: for _ in 0...random(8) { bytes[random(bytes.count)] = UInt8(random(256)) }
            case 2:
                // What would be offsets and sizes, huge.
                for index in 20..<64 { bytes[index] = 0xFF }
                for _ in 0..<random(3) { bytes[random(20)] ^= UInt8(1 << random(8)) }
            default:
                bytes = (0..<random(3000)).map { _ in UInt8(random(256)) }
                if random(2) == 0 { bytes = Array(good.prefix(20)) + bytes + Array("vermagic=".utf8) + bytes }
            }
            let found = try judged(bytes)
            verdicts[found.verdict, default: 0] += 1
            let length = found.text.utf8.count
            if length == 0 || length >= 320 || !found.text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
                Issue.record("\(found) of \(bytes)")
            }
        }
        #expect(Set(verdicts.keys) == [0, 1, -ENOEXEC] && verdicts.values.allSatisfy { $0 > 100 }, "\(verdicts)")
    }

    // MARK: The report

    private func findings(moduleFile: String = "") throws -> [String: [String: Any]] {
        var doctor = Doctor(report: DoctorReport(isJSON: true, version: "1.2.3"), moduleFile: Array(moduleFile.utf8))
        let object = try #require(JSONSerialization.jsonObject(with: Data(doctor.examine())) as? [String: Any])
        return try #require(object["findings"] as? [String: [String: Any]])
    }

    @Test func saysWhatToInstall() throws {
        try Data(module(of: "1.2.3-router", machine: 8, isBig: true, isWide: false)).write(
            to: URL(fileURLWithPath: path))
        defer { unlink(path) }
        var finding = try #require(findings(moduleFile: path)["module_file"])
        #expect(finding["state"] as? String == "bad")
        #expect(finding["value"] as? String == "for Linux 1.2.3-router, mips, 32-bit, big-endian; \(here)")
        #expect(finding["advice"] as? String == "install the kernel module, built for this kernel")
        try Data(module(of: release, machine: ownMachine)).write(to: URL(fileURLWithPath: path))
        finding = try #require(findings(moduleFile: path)["module_file"])
        #expect(finding["state"] as? String == "good" && finding["value"] as? String == "for this kernel")
        #expect(try findings()["module_file"] == nil)
    }

    @Test func loadedModuleOfAnotherVersion() throws {
        simulation_begin()
        defer { #expect(simulation_end() == 0) }
        simulation_set_abi(999)
        var finding = try #require(findings()["module"])
        var info = ktrxer_device_info()
        #expect(ktrxer_device_info(-1, &info) == 0 && info.expected_abi != 999)
        #expect(finding["state"] as? String == "bad")
        #expect(
            finding["value"] as? String
                == "another version: 9.8.7, interface 999; this program has \(info.expected_abi)")
        #expect(finding["advice"] as? String == "install the module that belongs to this program")
        // One that does not know the question for its version.
        simulation_refuse(0, ENOTTY)
        finding = try #require(findings()["module"])
        #expect(finding["value"] as? String == "another version" && finding["state"] as? String == "bad")
    }

    @Test func loadedModuleOfThisVersion() throws {
        simulation_begin()
        defer { #expect(simulation_end() == 0) }
        let finding = try #require(findings()["module"])
        #expect(finding["state"] as? String == "good" && finding["value"] as? String == "9.8.7", "\(finding)")
    }
}
