// SPDX-License-Identifier: MIT
// The file in which `run --due` remembers what has run: locked while it is decided what runs next, so that
// two runs at the same time do not both do it, and replaced in one step.
import CKTRxer
import KTRxerLite

final class StateFile {
    let state: DueState
    private let path: ByteText
    private let lock: Int32

    private init(path: ByteText, lock: Int32, state: DueState) {
        self.path = path
        self.lock = lock
        self.state = state
    }

    /// nil when its folder or lock cannot be made, another file is in its place, or another run holds it for long; that has been said.
    static func open(_ path: ByteText) -> StateFile? {
        let prepared = Int32(withCString(path) { Int64(ktrxer_file_prepare_folder($0)) })
        if prepared != 0 {
            if prepared > 0 {
                RecordSink.report(.distrusted(reason: prepared), path: path)
            } else {
                RecordSink.report(.folder(code: -prepared), path: path)
            }
            return nil
        }
        var lockPath = path
        lockPath.append(text: ".lock")
        var distrust: Int32 = 0
        let lock = Int32(withCString(lockPath) { Int64(ktrxer_file_open_append($0, 0o600, &distrust)) })
        guard lock >= 0 else {
            RecordSink.report(distrust > 0 ? .distrusted(reason: distrust) : .open(code: -lock), path: lockPath)
            return nil
        }
        // Deciding takes milliseconds; whoever holds it longer has been stopped.
        guard ktrxer_file_lock(lock, 50, 100_000_000) == 0 else {
            ktrxer_file_close(lock)
            Console.message(path, "another run has held it for 5 s; is one stopped (ps)?")
            return nil
        }
        guard let state = read(path) else {
            ktrxer_file_close(lock)
            return nil
        }
        return StateFile(path: path, lock: lock, state: state)
    }

    /// nil when something else is there, which must not be replaced; that has been said.
    private static func read(_ path: ByteText) -> DueState? {
        // 10,000 jobs have about 400 KB.
        var bytes = [UInt8](repeating: 0, count: 4 << 20)
        let capacity = UInt32(bytes.count)
        let result = bytes.withUnsafeMutableBytes { buffer in
            withCString(path) { ktrxer_file_read($0, buffer.baseAddress, capacity) }
        }
        guard result >= 0 else {
            if ktrxer_error_class(Int32(-result)) != Int32(KTRXER_ERROR_NOT_FOUND.rawValue) {
                Console.message(path, "cannot be read; what has run before is not known, all jobs count as new")
            }
            return DueState()
        }
        bytes.removeLast(bytes.count - min(bytes.count, Int(result)))
        if let state = DueState(bytes) { return state }
        // After a power failure it may be empty, or zeros.
        guard bytes.isEmpty || bytes[0] == 0 || DueState.begins(bytes) else {
            Console.message(path, "that is no state file, and stays as it is; choose another place in option state")
            return nil
        }
        Console.message(path, "is torn; what has run before is not known, all jobs count as new")
        return DueState()
    }

    /// False when it could not be written; that has been said.
    func replace(_ text: ByteText) -> Bool {
        let result = text.withUnsafeBytes { bytes in
            Int32(
                Self.withCString(path) {
                    Int64(ktrxer_file_replace($0, bytes.baseAddress, UInt32(bytes.count), 0o644))
                })
        }
        if result == 0 { return true }
        var message = path
        message.append(text: ": cannot write what has run: ")
        message.append(cString: ktrxer_error_text(-result))
        message.append(text: "; nothing was run, choose another place in option state")
        Console.message(message)
        return false
    }

    func close() { ktrxer_file_close(lock) }

    /// The kernel's boot id; empty when there is none.
    static func bootIdentifier() -> ByteText {
        var bytes = [UInt8](repeating: 0, count: 64)
        let result = bytes.withUnsafeMutableBytes { ktrxer_boot_id($0.baseAddress, 64) }
        bytes.removeLast(bytes.count - max(0, min(bytes.count, Int(result))))
        return bytes
    }

    private static func withCString(_ text: ByteText, _ body: (UnsafePointer<CChar>?) -> Int64) -> Int64 {
        var terminated = text
        terminated.append(0)
        return terminated.withUnsafeBytes { body($0.bindMemory(to: CChar.self).baseAddress) }
    }
}
