// SPDX-License-Identifier: MIT
// The log of records: lines appended to a file, or to the standard output, and an account of those that
// could not be. Rotation is in ResultLogRotation.swift; what a line says is RecordEncoder's concern.
import CKTRxer
import KTRxerLite

/// Appends records, one write each, to FILE (or `-`, the standard output).
///
/// - A line that a kill or a full disk has torn is cut off before anything is written after it.
/// - A record that cannot be written is counted; the next one that can be is preceded by a line that
///   says how many are missing.
/// - Several processes may write to one file. They take turns by a lock on `.FILE.lock`; one that has been
///   stopped in mid-write holds up the others for a tenth of a second at most, for rotation only.
///
/// The process must ignore SIGPIPE and SIGXFSZ (`ktrxer_signal_open`). Not thread-safe.
final class ResultLog {
    let path: ByteText
    /// Bytes at which the file is rotated; 0 or less: never.
    let maxSize: Int64
    /// Rotated files kept: FILE.1, the youngest, to FILE.keep.
    let keep: Int

    /// Records lost since the last notice in the log.
    private(set) var pendingLoss: UInt64 = 0
    /// All records lost since the start.
    private(set) var lostRecords: UInt64 = 0
    /// Bytes of torn last lines cut off since the start.
    private(set) var droppedBytes: Int64 = 0
    /// CLOCK_REALTIME ns of the first and the last loss of `pendingLoss`.
    private var firstLoss: Int64 = 0
    private var lastLoss: Int64 = 0

    /// Of the standard output; a test sets another.
    var streamDescriptor: Int32 = 1
    /// -1 while the file is not open.
    var descriptor: Int32 = -1
    private var lockDescriptor: Int32 = -1
    /// The standard output took a part of the last record only.
    private var streamTorn = false

    private var isStream: Bool { path == [0x2D] }

    /// Opens the log and mends a torn last line. A full disk is no error here: it may have space again.
    init(path: ByteText, maxSize: Int64, keep: Int) throws(ResultLogError) {
        self.path = path
        self.maxSize = maxSize
        self.keep = keep < 0 ? 0 : keep
        if isStream { return }
        if path.isEmpty || path.contains(0) || path[path.count - 1] == 0x2F { throw .badPath }
        lock()
        defer { unlock() }
        do throws(ResultLogError) {
            try reopen()
            _ = try mendTail()
        } catch {
            if error.isNoSpace { return }
            close()
            throw error
        }
    }

    deinit {
        close()
        if lockDescriptor >= 0 { ktrxer_file_close(lockDescriptor) }
    }

    /// Appends one line, adding its newline when it has none. nil when it was written; else why the record
    /// is lost (it has been counted).
    func append(_ line: ByteText) -> ResultLogError? {
        var line = line
        if line.last != 0x0A { line.append(0x0A) }
        lock()
        defer { unlock() }
        do throws(ResultLogError) {
            try reportLoss()
            try write(line)
            return nil
        } catch {
            let now = ktrxer_clock_realtime()
            if pendingLoss == 0 { firstLoss = now }
            lastLoss = now
            pendingLoss &+= 1
            lostRecords &+= 1
            return error
        }
    }

    /// Before the end: writes the notice of what has been lost, if anything has. nil, or why it could not.
    func finish() -> ResultLogError? {
        lock()
        defer { unlock() }
        do throws(ResultLogError) {
            try reportLoss()
            return nil
        } catch { return error }
    }

    /// Takes over the account of losses of the log that this one stands in for, unless that can still tell of them itself.
    func succeed(_ log: ResultLog) {
        guard log.pendingLoss > 0, log.finish() != nil else { return }
        pendingLoss = log.pendingLoss
        firstLoss = log.firstLoss
        lastLoss = log.lastLoss
    }

    private func reportLoss() throws(ResultLogError) {
        guard pendingLoss > 0 else { return }
        var json = JSONText()
        json.beginObject()
        json.add("schema", 1)
        json.add("kind", literal: "lost_records")
        json.add("count", unsigned: pendingLoss)
        json.add("first", time: firstLoss)
        json.add("first_ns", firstLoss)
        json.add("last", time: lastLoss)
        json.add("last_ns", lastLoss)
        json.endObject()
        json.endLine()
        try write(json.bytes)
        pendingLoss = 0
    }

    // MARK: - Writing, under the lock

    private func write(_ line: ByteText) throws(ResultLogError) {
        if isStream {
            try writeStream(line)
            return
        }
        try reopen()
        // Torn, and not ours to mend now: its newline goes before our record, in the same write.
        let text = try mendTail() ? line : [0x0A] + line
        var size = try currentSize()
        if maxSize > 0, size > 0, size > maxSize - Int64(text.count), mayRewrite {
            try rotate()
            size = try currentSize()
        }
        let done = bytes(text) { ktrxer_file_write(descriptor, $0, $1) }
        if done == Int64(text.count) { return }
        // Part of a line is worse than none: the next record would be joined to it.
        if done > 0 { _ = ktrxer_file_truncate(descriptor, size) }
        throw done < 0 ? .write(code: Int32(truncatingIfNeeded: -done)) : .short
    }

    private func writeStream(_ line: ByteText) throws(ResultLogError) {
        // A torn line cannot be taken back here, but it can be ended.
        let text = streamTorn ? [0x0A] + line : line
        let done = bytes(text) { ktrxer_stream_write(streamDescriptor, $0, $1, 1_000_000_000) }
        if done == Int64(text.count) {
            streamTorn = false
            return
        }
        if done > 0 { streamTorn = done > 1 || !streamTorn }
        throw done < 0 ? .write(code: Int32(truncatingIfNeeded: -done)) : .short
    }

    func currentSize() throws(ResultLogError) -> Int64 {
        let size = ktrxer_file_size(descriptor)
        if size < 0 { throw .write(code: Int32(truncatingIfNeeded: -size)) }
        return size
    }

    /// Makes `descriptor` the file that is at `path` now: another process may have rotated it, a person removed it.
    func reopen() throws(ResultLogError) {
        if descriptor >= 0 {
            if withCString(path, { ktrxer_file_is_at(descriptor, $0) }) == 1 { return }
            close()
        }
        let folder = withCString(path) { ktrxer_file_prepare_folder($0) }
        if folder < 0 { throw .folder(code: -folder) }
        if folder > 0 { throw .distrusted(reason: folder) }
        var distrust: Int32 = 0
        let result = withCString(path) { ktrxer_file_open_append($0, 0o644, &distrust) }
        if distrust != 0 { throw .distrusted(reason: distrust) }
        if result < 0 { throw .open(code: -result) }
        descriptor = result
    }

    private func close() {
        if descriptor >= 0 { ktrxer_file_close(descriptor) }
        descriptor = -1
    }

    // MARK: - Torn lines

    /// Cuts off a last line that was torn. One that is not the beginning of a record is somebody else's:
    /// it is not ours to remove, and gets its newline. false: the last line is torn still, as another process
    /// has the lock.
    private func mendTail() throws(ResultLogError) -> Bool {
        let size = try currentSize()
        guard size > 0 else { return true }
        let block: Int64 = 4096
        var buffer = ByteText(repeating: 0, count: Int(block))
        var end = size
        var lineStart: Int64 = 0
        scan: while end > 0 {
            // The whole lines are by far the most common case: only the last byte is read for those.
            let want = end == size ? 1 : min(block, end)
            let start = end - want
            try read(&buffer, count: Int(want), at: start)
            var index = Int(want) - 1
            while index >= 0 {
                if buffer[index] == 0x0A {
                    lineStart = start + Int64(index) + 1
                    break scan
                }
                index -= 1
            }
            end = start
        }
        if lineStart == size { return true }
        guard mayRewrite else { return false }
        var head: StaticString { "{\"schema\":" }
        let compared = Int(min(size - lineStart, Int64(head.utf8CodeUnitCount)))
        try read(&buffer, count: compared, at: lineStart)
        var ours = true
        for index in 0..<compared where buffer[index] != head.utf8Start[index] { ours = false }
        // After a power failure the file may end in zeros.
        if ours || buffer[0] == 0 {
            let result = ktrxer_file_truncate(descriptor, lineStart)
            if result < 0 { throw .write(code: -result) }
            droppedBytes &+= size - lineStart
        } else {
            let done = bytes([0x0A]) { ktrxer_file_write(descriptor, $0, $1) }
            if done != 1 { throw done < 0 ? .write(code: Int32(truncatingIfNeeded: -done)) : .short }
        }
        return true
    }

    private func read(_ buffer: inout ByteText, count: Int, at offset: Int64) throws(ResultLogError) {
        let have = buffer.withUnsafeMutableBytes {
            ktrxer_file_read_at(descriptor, $0.baseAddress, UInt32(count), offset)
        }
        if have < 0 { throw .write(code: Int32(truncatingIfNeeded: -have)) }
        if have < Int64(count) { throw .short }
    }

    // MARK: - The lock

    /// Hidden beside the file, so that FILE* is what has records: /tmp/x.jsonl has /tmp/.x.jsonl.lock.
    private var lockPath: ByteText {
        var nameStart = 0
        for index in 0..<path.count where path[index] == 0x2F { nameStart = index + 1 }
        var lockPath = ByteText()
        lockPath += path[..<nameStart]
        lockPath.append(0x2E)
        lockPath += path[nameStart...]
        lockPath.append(text: ".lock")
        return lockPath
    }

    private var holdsLock = false

    /// Nobody else is writing now, or no lock can be had here at all (a folder that is read-only to us).
    private var mayRewrite: Bool { holdsLock || lockDescriptor < 0 }

    /// Without the lock, appending still keeps lines whole (one write each); only mending and rotation wait.
    private func lock() {
        if isStream { return }
        let lockPath = lockPath
        if lockDescriptor >= 0, withCString(lockPath, { ktrxer_file_is_at(lockDescriptor, $0) }) != 1 {
            ktrxer_file_close(lockDescriptor)
            lockDescriptor = -1
        }
        if lockDescriptor < 0 {
            guard withCString(lockPath, { ktrxer_file_prepare_folder($0) }) == 0 else { return }
            var distrust: Int32 = 0
            // 0600: who cannot open it cannot hold it against us.
            lockDescriptor = withCString(lockPath) { ktrxer_file_open_append($0, 0o600, &distrust) }
        }
        if lockDescriptor >= 0 { holdsLock = ktrxer_file_lock(lockDescriptor, 100, 1_000_000) == 0 }
    }

    private func unlock() {
        if holdsLock { ktrxer_file_unlock(lockDescriptor) }
        holdsLock = false
    }
}

/// The bytes and their number, for a call of the C floor.
func bytes(_ text: ByteText, _ body: (UnsafeRawPointer?, UInt32) -> Int64) -> Int64 {
    text.withUnsafeBytes { body($0.baseAddress, UInt32(truncatingIfNeeded: $0.count)) }
}

/// The path as a C string.
func withCString(_ path: ByteText, _ body: (UnsafePointer<CChar>) -> Int32) -> Int32 {
    var terminated = path
    terminated.append(0)
    return terminated.withUnsafeBytes { raw in
        guard let base = raw.baseAddress else { return -1 }
        return body(base.assumingMemoryBound(to: CChar.self))
    }
}
