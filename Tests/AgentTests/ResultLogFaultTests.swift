// SPDX-License-Identifier: MIT
// The log of records under what goes wrong: full disks, size limits, read-only folders, readers that have
// gone, several writers at once.
import CKTRxer
import Foundation
import KTRxerLite
import Testing

@testable import ktrxer_agent

/// A tmpfs of its own; unmounted with it. nil where mounting is not allowed.
final class TestDisk {
    let folder: TestFolder

    init?(options: String) {
        guard let folder = try? TestFolder() else { return nil }
        self.folder = folder
        guard Self.run("/bin/mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder.url.path]) else { return nil }
    }

    deinit { _ = Self.run("/bin/umount", ["-l", folder.url.path]) }

    static func run(_ program: String, _ arguments: [String]) -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    static let canMount = geteuid() == 0 && TestDisk(options: "size=64k") != nil
}

func object(_ line: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
}

@Suite(.serialized) struct ResultLogFaultTests {
    init() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }

    @Test(.enabled(if: TestDisk.canMount, "needs root: mounts a tmpfs")) func fullDisk() throws {
        let disk = try #require(TestDisk(options: "size=64k"))
        let folder = disk.folder
        let ballast = folder.url.appending(path: "ballast")
        let log = try ResultLog(path: folder.path(), maxSize: 1 << 20, keep: 2)
        #expect(log.append(numbered(0, length: 500)) == nil)
        try Data(count: 40_960).write(to: ballast)
        var kept = [0]
        var losses: [Int] = []
        let before = ktrxer_clock_realtime()
        for index in 1..<200 {
            if let error = log.append(numbered(index, length: 500)) {
                #expect(error.isNoSpace)
                losses.append(index)
                // Not a byte of a lost record stays.
                #expect(try folder.lines().compactMap(number) == kept)
            } else {
                kept.append(index)
            }
        }
        #expect(kept == Array(0..<kept.count))
        #expect(losses.count > 100 && log.pendingLoss == UInt64(losses.count))
        // A log opened on a full disk counts like one that was open before.
        #expect(log.finish() != nil)
        unlink(ballast.path)
        #expect(log.append(numbered(1000, length: 500)) == nil)
        #expect(log.pendingLoss == 0 && log.lostRecords == UInt64(losses.count))
        let lines = try folder.lines()
        #expect(lines.count == kept.count + 2)
        let notice = try object(lines[kept.count])
        #expect(notice["kind"] as? String == "lost_records" && notice["schema"] as? Int == 1)
        #expect(notice["count"] as? Int == losses.count)
        let first = try #require(notice["first_ns"] as? Int64)
        let last = try #require(notice["last_ns"] as? Int64)
        #expect(before <= first && first < last && last <= ktrxer_clock_realtime())
        #expect((notice["first"] as? String)?.hasSuffix("Z") == true)
        #expect(number(lines[kept.count + 1]) == 1000)
        #expect(log.finish() == nil)
        #expect(try folder.lines().count == lines.count)
    }

    @Test(.enabled(if: TestDisk.canMount, "needs root: mounts a tmpfs")) func diskFullFromTheStart() throws {
        let disk = try #require(TestDisk(options: "size=64k,nr_inodes=3"))
        let ballast = [disk.folder.url.appending(path: "1"), disk.folder.url.appending(path: "2")]
        for file in ballast { try Data().write(to: file) }
        let log = try ResultLog(path: disk.folder.path(), maxSize: 1 << 20, keep: 2)
        #expect(log.append(numbered(0))?.isNoSpace == true)
        for file in ballast { unlink(file.path) }
        #expect(log.append(numbered(1)) == nil)
        let lines = try disk.folder.lines()
        #expect(lines.count == 2)
        #expect(try object(lines[0])["count"] as? Int == 1)
    }

    /// The full log itself fills the disk: nothing else need go for it to begin anew.
    @Test(.enabled(if: TestDisk.canMount, "needs root: mounts a tmpfs"), arguments: [0, 1])
    func theLogItselfFillsTheDisk(keep: Int) throws {
        let disk = try #require(TestDisk(options: "size=16k"))
        let log = try ResultLog(path: disk.folder.path(), maxSize: 16_384, keep: keep)
        for index in 0..<200 { _ = log.append(numbered(index, length: 500)) }
        let lines = try disk.folder.allLines(keep: keep)
        let losses = try lines.map(object).filter { $0["kind"] as? String == "lost_records" }
        let lost = losses.reduce(0) { $0 + ($1["count"] as? Int ?? 0) } + Int(log.pendingLoss)
        if keep == 0 {
            #expect(log.lostRecords == 0)
            #expect(number(try #require(lines.last)) == 199)
        } else {
            #expect(log.lostRecords > 0)
            #expect(lost <= Int(log.lostRecords))
        }
        #expect(!lines.compactMap(number).isEmpty)
    }

    @Test func sizeLimitOfTheProcess() throws {
        let folder = try TestFolder()
        let limit = 64 << 20
        // Large and sparse, so that the limit of the whole process touches no other test.
        try Data("{}\n".utf8).write(to: folder.log)
        let file = try FileHandle(forWritingTo: folder.log)
        try file.seek(toOffset: UInt64(limit - 31))
        try file.write(contentsOf: Data("\n".utf8))
        try file.close()
        let log = try ResultLog(path: folder.path(), maxSize: 0, keep: 1)
        var before = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before)
        var lowered = before
        lowered.rlim_cur = rlim_t(limit)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &lowered)
        #expect(log.append(numbered(1)) == .short)
        #expect(log.append(numbered(2)) == .short)
        #expect(try Data(contentsOf: folder.log).count == limit - 30)
        #expect(log.append(numbered(3, length: 30)) != nil)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before)
        #expect(log.append(numbered(4)) == nil)
        let tail = try Data(contentsOf: folder.log).dropFirst(limit - 30)
        let lines = String(decoding: tail, as: UTF8.self).split(separator: "\n").map(String.init)
        #expect(lines.count == 2)
        #expect(try object(lines[0])["count"] as? Int == 3)
        #expect(number(lines[1]) == 4)
    }

    @Test func readOnlyFolder() throws {
        if geteuid() == 0 {
            try #require(TestDisk.canMount)
            let disk = try #require(TestDisk(options: "ro"))
            #expect(openingError(disk.folder.path()) == .open(code: EROFS))
            #expect(openingError(disk.folder.path("a/b")) == .folder(code: EROFS))
        } else {
            let folder = try TestFolder()
            chmod(folder.url.path, 0o555)
            #expect(openingError(folder.path()) == .open(code: EACCES))
            #expect(openingError(folder.path("a/b")) == .folder(code: EACCES))
        }
        var text = ByteText()
        ResultLogError.open(code: EROFS).append(to: &text, path: ByteText("/x/y".utf8))
        #expect(
            string(text)
                == "/x/y: cannot open the record file: Read-only file system; choose another place in option output")
    }

    /// Four writers, each with its own log on the same file, which is rotated all the time.
    @Test func writersTogether() throws {
        let folder = try TestFolder()
        let path = folder.path()
        let writers = 4
        let each = 250
        let failures = Counter()
        DispatchQueue.concurrentPerform(iterations: writers) { writer in
            do {
                let log = try ResultLog(path: path, maxSize: 5000, keep: 100)
                for index in 0..<each where log.append(numbered(writer * each + index, length: 61 + writer)) != nil {
                    failures.add()
                }
            } catch { failures.add() }
        }
        #expect(failures.count == 0)
        let numbers = try folder.allLines(keep: 100).map { number($0) ?? -1 }
        #expect(numbers.count == writers * each)
        #expect(numbers.sorted() == Array(0..<writers * each))
        for writer in 0..<writers {
            let own = numbers.filter { $0 / each == writer }
            #expect(own == own.sorted(), "in order, for each writer")
        }
        #expect(folder.exists("results.jsonl.5"))
    }

    /// One that holds the lock and does not go on: records are written all the same, and never joined.
    @Test func aStoppedWriterHoldsUpNobody() throws {
        let folder = try TestFolder()
        let log = try ResultLog(path: folder.path(), maxSize: 200, keep: 2)
        let lock = open(folder.url.appending(path: ".results.jsonl.lock").path, O_RDWR)
        #expect(lock >= 0 && flock(lock, LOCK_EX) == 0)
        for index in 0..<5 { #expect(log.append(numbered(index)) == nil) }
        #expect(!folder.exists("results.jsonl.1"))
        let file = try FileHandle(forWritingTo: folder.log)
        try file.seekToEnd()
        try file.write(contentsOf: Data(numbered(5).prefix(20)))
        #expect(log.append(numbered(6)) == nil)
        #expect(try folder.lines().compactMap(number) == [0, 1, 2, 3, 4, 6])
        close(lock)
        #expect(log.append(numbered(7)) == nil)
        #expect(folder.exists("results.jsonl.1"))
    }

    /// Whether its descriptor waits for readers of its own accord, or refuses: ours is not the only program that has it.
    @Test(arguments: [true, false]) func standardOutput(waits: Bool) throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let log = try ResultLog(path: [0x2D], maxSize: 10, keep: 0)
        log.streamDescriptor = ends[1]
        #expect(log.append(numbered(0)) == nil)
        #expect(log.append(numbered(1)) == nil)
        var seen = [UInt8](repeating: 0, count: 16_384)
        #expect(read(ends[0], &seen, seen.count) == 120)
        #expect(Array(seen[0..<120]) == numbered(0) + numbered(1))
        // A reader that is slow: what it took of a record is ended by a newline before the next.
        if !waits { _ = fcntl(ends[1], F_SETFL, O_NONBLOCK) }
        let setPipeSize: Int32 = 1031  // F_SETPIPE_SZ, which Glibc does not import
        _ = fcntl(ends[1], setPipeSize, 8192)
        #expect(log.append(numbered(2, length: 9000)) == .short)
        #expect(log.append(numbered(3)) == .write(code: EAGAIN))
        let some = read(ends[0], &seen, seen.count)
        #expect(some == 8192)
        #expect(log.append(numbered(4)) == nil)
        let rest = read(ends[0], &seen, seen.count)
        let lines = String(decoding: seen[0..<rest], as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 4 && lines[0].isEmpty && lines[3].isEmpty)
        #expect(try object(String(lines[1]))["count"] as? Int == 2)
        #expect(number(String(lines[2])) == 4)
        // A reader that has gone.
        close(ends[0])
        #expect(log.append(numbered(5)) == .write(code: EPIPE))
        #expect(log.lostRecords == 3)
        close(ends[1])
    }

    @Test func replacesInOneStep() throws {
        let folder = try TestFolder()
        let path = folder.url.appending(path: "state").path
        let done = Flag()
        let reader = Thread {
            var buffer = [UInt8](repeating: 0, count: 10_000)
            while !done.isSet {
                let have = ktrxer_file_read(path, &buffer, 10_000)
                if have < 0 { continue }
                let whole = buffer[0..<Int(have)]
                if have == 0 || !whole.allSatisfy({ $0 == whole[0] }) || Int(have) != Int(whole[0]) * 30 { done.fail() }
            }
            done.finish()
        }
        reader.start()
        DispatchQueue.concurrentPerform(iterations: 3) { writer in
            for round in 1...40 {
                let value = UInt8(round + writer * 40)
                let content = [UInt8](repeating: value, count: Int(value) * 30)
                let result = ktrxer_file_replace(path, content, UInt32(content.count), 0o640)
                if result != 0 { done.fail() }
            }
        }
        done.set()
        while !done.isFinished { usleep(1000) }
        #expect(!done.failed)
        #expect(!folder.exists("state.tmp"))
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o640)
        var small = [UInt8](repeating: 0, count: 10)
        #expect(ktrxer_file_read(path, &small, 10) == -Int64(EFBIG))
        #expect(ktrxer_file_replace(folder.url.path + "/none/state", small, 10, 0o644) == -ENOENT)
        var boot = [UInt8](repeating: 0, count: 36)
        #expect(ktrxer_boot_id(&boot, 36) == 36)
        #expect(UUID(uuidString: string(boot)) != nil)
    }
}

/// Counts from several threads.
final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var value = 0
    func add() { lock.withLock { value += 1 } }
    var count: Int { lock.withLock { value } }
}

/// How a reading thread and its test tell each other what has happened.
final class Flag: @unchecked Sendable {
    private let lock = NSLock()
    private var state = (set: false, finished: false, failed: false)
    func set() { lock.withLock { state.set = true } }
    func finish() { lock.withLock { state.finished = true } }
    func fail() { lock.withLock { state.failed = true } }
    var isSet: Bool { lock.withLock { state.set } }
    var isFinished: Bool { lock.withLock { state.finished } }
    var failed: Bool { lock.withLock { state.failed } }
}
