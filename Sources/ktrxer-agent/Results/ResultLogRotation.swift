// SPDX-License-Identifier: MIT
// What happens when the log is full: FILE becomes FILE.1, FILE.1 becomes FILE.2 and so on. Whoever calls
// holds the log's lock.
import CKTRxer
import KTRxerLite

extension ResultLog {
    /// Makes room: afterwards `descriptor` is a new file. A kill at any moment loses nothing: a gap that it
    /// leaves among the numbers is filled by the next rotation.
    func rotate() throws(ResultLogError) {
        if keep == 0 {
            try startAnew()
            return
        }
        // The files up to the first gap move up by one; without a gap, the oldest goes.
        var gap = 1
        while gap < keep, withCString(name(gap), { ktrxer_file_exists($0) }) == 1 { gap += 1 }
        while gap > 0 {
            let from = gap == 1 ? path : name(gap - 1)
            let result = move(from, to: name(gap))
            if result < 0 { throw .write(code: -result) }
            gap -= 1
        }
        try reopen()
    }

    /// keep 0: nothing of the full file is kept, but the new one begins by saying how many lines it had.
    private func startAnew() throws(ResultLogError) {
        let size = try currentSize()
        var lines: UInt64 = 0
        var offset: Int64 = 0
        var buffer = ByteText(repeating: 0, count: 4096)
        while offset < size {
            let have = buffer.withUnsafeMutableBytes {
                ktrxer_file_read_at(descriptor, $0.baseAddress, 4096, offset)
            }
            if have <= 0 { break }
            for index in 0..<Int(have) where buffer[index] == 0x0A { lines += 1 }
            offset += have
        }
        let now = ktrxer_clock_realtime()
        var json = JSONText()
        json.beginObject()
        json.add("schema", 1)
        json.add("kind", literal: "discarded_records")
        json.add("count", unsigned: lines)
        json.add("at", time: now)
        json.add("at_ns", now)
        json.endObject()
        json.endLine()
        let notice = json.bytes
        let result = withCString(path) { target in
            Int32(truncatingIfNeeded: bytes(notice) { Int64(ktrxer_file_replace(target, $0, $1, 0o644)) })
        }
        if result == 0 {
            try reopen()
            return
        }
        // No space beside the full file: in its place, then.
        let truncated = ktrxer_file_truncate(descriptor, 0)
        if truncated < 0 { throw .write(code: -truncated) }
        let done = bytes(notice) { ktrxer_file_write(descriptor, $0, $1) }
        if done != Int64(notice.count) {
            if done > 0 { _ = ktrxer_file_truncate(descriptor, 0) }
            throw done < 0 ? .write(code: Int32(truncatingIfNeeded: -done)) : .short
        }
    }

    /// FILE.number
    private func name(_ number: Int) -> ByteText {
        var name = path
        name.append(0x2E)
        name.append(decimal: Int64(number))
        return name
    }

    private func move(_ from: ByteText, to: ByteText) -> Int32 {
        withCString(from) { source in withCString(to) { ktrxer_file_rename(source, $0) } }
    }
}
