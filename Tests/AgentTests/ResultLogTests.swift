// SPDX-License-Identifier: MIT
// The log of records: whole lines, rotation, torn lines, several writers, traps of other users.
import CKTRxer
import Foundation
import KTRxerLite
import Testing

@testable import ktrxer_agent

/// A folder of its own for a test; removed with it.
final class TestFolder {
    let url: URL

    init() throws {
        url = URL(filePath: "/tmp/ktrxer-test-\(getpid())-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        chmod(url.path, 0o755)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    var log: URL { url.appending(path: "results.jsonl") }

    func path(_ name: String = "results.jsonl") -> ByteText { ByteText(url.appending(path: name).path.utf8) }

    func lines(_ name: String = "results.jsonl") throws -> [String] {
        let text = try String(contentsOf: url.appending(path: name), encoding: .utf8)
        #expect(text.isEmpty || text.hasSuffix("\n"))
        return text.split(separator: "\n").map(String.init)
    }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: url.appending(path: name).path) }

    /// Every line of all files, oldest first.
    func allLines(keep: Int) throws -> [String] {
        var all: [String] = []
        for number in stride(from: keep, through: 1, by: -1) where exists("results.jsonl.\(number)") {
            all += try lines("results.jsonl.\(number)")
        }
        return all + (exists("results.jsonl") ? try lines() : [])
    }
}

/// A record of a known number and length.
func numbered(_ number: Int, length: Int = 60) -> ByteText {
    var line = ByteText("{\"schema\":1,\"n\":\(number),\"pad\":\"".utf8)
    while line.count < length - 3 { line.append(0x78) }
    return line + ByteText("\"}\n".utf8)
}

func number(_ line: String) -> Int? {
    let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    return object?["n"] as? Int
}

/// What making a log throws; nil when it does not.
func openingError(_ path: ByteText) -> ResultLogError? {
    do throws(ResultLogError) {
        _ = try ResultLog(path: path, maxSize: 0, keep: 1)
        return nil
    } catch { return error }
}

@Suite struct ResultLogTests {
    @Test func appendsLines() throws {
        let folder = try TestFolder()
        let log = try ResultLog(path: folder.path("a/b/results.jsonl"), maxSize: 0, keep: 2)
        for index in 0..<5 { #expect(log.append(numbered(index)) == nil) }
        #expect(log.append(ByteText("{\"n\":5}".utf8)) == nil)
        #expect(try folder.lines("a/b/results.jsonl").map(number) == [0, 1, 2, 3, 4, 5])
        var status = stat()
        #expect(stat(folder.url.appending(path: "a/b/results.jsonl").path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o644)
        #expect(stat(folder.url.appending(path: "a/b/.results.jsonl.lock").path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        let again = try ResultLog(path: folder.path("a/b/results.jsonl"), maxSize: 0, keep: 2)
        #expect(again.append(numbered(6)) == nil)
        #expect(try folder.lines("a/b/results.jsonl").count == 7)
        #expect(again.droppedBytes == 0)
    }

    @Test(arguments: [1, 2, 5]) func rotates(keep: Int) throws {
        let folder = try TestFolder()
        let log = try ResultLog(path: folder.path(), maxSize: 300, keep: keep)
        for index in 0..<100 {
            #expect(log.append(numbered(index)) == nil)
            // Nothing younger than what the kept files hold is ever missing.
            let numbers = try folder.allLines(keep: keep).compactMap(number)
            #expect(numbers == Array((index + 1 - numbers.count)...index))
            #expect(numbers.count >= min(index + 1, keep * 5))
        }
        for file in ["results.jsonl"] + (1...keep).map({ "results.jsonl.\($0)" }) {
            #expect(try Data(contentsOf: folder.url.appending(path: file)).count <= 300)
        }
        #expect(!folder.exists("results.jsonl.\(keep + 1)"))
    }

    @Test func aRecordLargerThanTheCapIsWhole() throws {
        let folder = try TestFolder()
        let log = try ResultLog(path: folder.path(), maxSize: 300, keep: 3)
        for index in 0..<4 { #expect(log.append(numbered(index, length: index == 2 ? 5000 : 100)) == nil) }
        #expect(try folder.allLines(keep: 3).map(number) == [0, 1, 2, 3])
        #expect(try folder.lines("results.jsonl.1").map(number) == [2])
    }

    @Test func keepNothingSaysWhatIsGone() throws {
        let folder = try TestFolder()
        let log = try ResultLog(path: folder.path(), maxSize: 300, keep: 0)
        for index in 0..<6 { #expect(log.append(numbered(index)) == nil) }
        let lines = try folder.lines()
        #expect(!folder.exists("results.jsonl.1"))
        #expect(!folder.exists("results.jsonl.tmp"))
        #expect(lines.count == 2)
        let notice = try #require(try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
        #expect(notice["kind"] as? String == "discarded_records")
        #expect(notice["count"] as? Int == 5)
        #expect(number(lines[1]) == 5)
    }

    /// A kill between two renames leaves a gap among the numbers, or no FILE.
    @Test func killedBetweenRenames() throws {
        for killed in 0...3 {
            let folder = try TestFolder()
            let log = try ResultLog(path: folder.path(), maxSize: 300, keep: 3)
            for index in 0..<20 { #expect(log.append(numbered(index)) == nil) }
            // Four files of five. By hand, the first renames of the next rotation.
            let names = ["results.jsonl.3", "results.jsonl.2", "results.jsonl.1", "results.jsonl"]
            for step in 0..<killed {
                try? FileManager.default.removeItem(at: folder.url.appending(path: names[step]))
                try FileManager.default.moveItem(
                    at: folder.url.appending(path: names[step + 1]), to: folder.url.appending(path: names[step]))
            }
            let next = try ResultLog(path: folder.path(), maxSize: 300, keep: 3)
            for index in 20..<25 { #expect(next.append(numbered(index)) == nil) }
            #expect(try folder.allLines(keep: 3).map(number) == Array(5..<25), "killed after \(killed)")
        }
    }

    @Test func tornLineIsCutAtEveryPoint() throws {
        let folder = try TestFolder()
        let whole = numbered(1, length: 40)
        for cut in 0...whole.count {
            try Data(numbered(0) + whole[0..<cut]).write(to: folder.log)
            let log = try ResultLog(path: folder.path(), maxSize: 0, keep: 2)
            #expect(log.droppedBytes == (cut == whole.count ? 0 : Int64(cut)))
            #expect(log.append(numbered(2)) == nil)
            #expect(try folder.lines().map(number) == (cut == whole.count ? [0, 1, 2] : [0, 2]))
        }
        // Torn while the log is open: another process was killed.
        let log = try ResultLog(path: folder.path(), maxSize: 0, keep: 2)
        for length in [1, 4095, 4096, 4097, 20_000] {
            try Data(numbered(0) + numbered(1, length: length + 60).prefix(length)).write(to: folder.log)
            #expect(log.append(numbered(3)) == nil)
            #expect(try folder.lines().map(number) == [0, 3], "torn at \(length)")
        }
        // Only a torn line in the file.
        try Data(numbered(1).prefix(30)).write(to: folder.log)
        #expect(log.append(numbered(4)) == nil)
        #expect(try folder.lines().map(number) == [4])
        // Zeros, as a power failure leaves them.
        try Data(numbered(0) + [0, 0, 0, 0]).write(to: folder.log)
        #expect(log.append(numbered(5)) == nil)
        #expect(try folder.lines().map(number) == [0, 5])
    }

    @Test func otherPeoplesTextIsNotRemoved() throws {
        let folder = try TestFolder()
        try Data("a letter\nwithout an end".utf8).write(to: folder.log)
        let log = try ResultLog(path: folder.path(), maxSize: 0, keep: 2)
        #expect(log.append(numbered(1)) == nil)
        let lines = try folder.lines()
        #expect(lines.prefix(2) == ["a letter", "without an end"])
        #expect(number(lines[2]) == 1)
        #expect(log.droppedBytes == 0)
    }

    @Test func removedOrMovedFileIsMadeAnew() throws {
        let folder = try TestFolder()
        let log = try ResultLog(path: folder.path("sub/results.jsonl"), maxSize: 0, keep: 2)
        let file = folder.url.appending(path: "sub/results.jsonl")
        #expect(log.append(numbered(0)) == nil)
        try FileManager.default.removeItem(at: file)
        #expect(log.append(numbered(1)) == nil)
        #expect(try folder.lines("sub/results.jsonl").map(number) == [1])
        try FileManager.default.moveItem(at: file, to: folder.url.appending(path: "moved"))
        #expect(log.append(numbered(2)) == nil)
        #expect(try folder.lines("moved").map(number) == [1])
        #expect(try folder.lines("sub/results.jsonl").map(number) == [2])
        try FileManager.default.removeItem(at: file.deletingLastPathComponent())
        #expect(log.append(numbered(3)) == nil)
        #expect(try folder.lines("sub/results.jsonl").map(number) == [3])
    }

    @Test func trapsOfOtherUsers() throws {
        let folder = try TestFolder()
        let victim = folder.url.appending(path: "victim")
        try Data("precious".utf8).write(to: victim)
        symlink(victim.path, folder.log.path)
        #expect(openingError(folder.path()) == .distrusted(reason: Int32(KTRXER_DISTRUST_LINK.rawValue)))
        unlink(folder.log.path)
        link(victim.path, folder.log.path)
        #expect(openingError(folder.path()) == .distrusted(reason: Int32(KTRXER_DISTRUST_HARD_LINKS.rawValue)))
        unlink(folder.log.path)
        mkfifo(folder.log.path, 0o644)
        #expect(openingError(folder.path()) == .distrusted(reason: Int32(KTRXER_DISTRUST_NOT_REGULAR.rawValue)))
        unlink(folder.log.path)
        mkdir(folder.log.path, 0o755)
        #expect(openingError(folder.path()) == .distrusted(reason: Int32(KTRXER_DISTRUST_NOT_REGULAR.rawValue)))
        rmdir(folder.log.path)
        #expect(try String(contentsOf: victim, encoding: .utf8) == "precious")

        chmod(folder.url.path, 0o777)
        #expect(openingError(folder.path()) == .distrusted(reason: Int32(KTRXER_DISTRUST_FOLDER_WRITABLE.rawValue)))
        #expect(
            openingError(folder.path("sub/results.jsonl"))
                == .distrusted(reason: Int32(KTRXER_DISTRUST_FOLDER_WRITABLE.rawValue)))
        chmod(folder.url.path, 0o1777)
        #expect(openingError(folder.path()) == nil)
        #expect(openingError([]) == .badPath)
        #expect(openingError(folder.path() + [0x2F]) == .badPath)
        #expect(openingError(folder.path() + [0]) == .badPath)
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: files of another user")) func filesOfAnotherUser() throws {
        let folder = try TestFolder()
        chmod(folder.url.path, 0o1777)
        try Data().write(to: folder.log)
        chown(folder.log.path, 65534, 65534)
        #expect(openingError(folder.path()) == .distrusted(reason: Int32(KTRXER_DISTRUST_FILE_OWNER.rawValue)))
        // A link to a folder of root's, put by another user into a folder like /tmp.
        let target = folder.url.appending(path: "target")
        mkdir(target.path, 0o755)
        symlink(target.path, folder.url.appending(path: "trap").path)
        #expect(openingError(folder.path("trap/results.jsonl")) == nil)
        lchown(folder.url.appending(path: "trap").path, 65534, 65534)
        #expect(
            openingError(folder.path("trap/other.jsonl"))
                == .distrusted(reason: Int32(KTRXER_DISTRUST_LINK.rawValue)))
        #expect(!FileManager.default.fileExists(atPath: target.appending(path: "other.jsonl").path))
        // The same in a folder of his own, where he may change it at any time.
        let own = folder.url.appending(path: "own")
        mkdir(own.path, 0o755)
        symlink(target.path, own.appending(path: "trap").path)
        #expect(openingError(folder.path("own/trap/results.jsonl")) == nil)
        chown(own.path, 65534, 65534)
        #expect(
            openingError(folder.path("own/trap/other.jsonl"))
                == .distrusted(reason: Int32(KTRXER_DISTRUST_LINK.rawValue)))
        chown(target.path, 65534, 65534)
        #expect(
            openingError(folder.path("target/results.jsonl"))
                == .distrusted(reason: Int32(KTRXER_DISTRUST_FOLDER_OWNER.rawValue)))
    }
}
