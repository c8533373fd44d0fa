// SPDX-License-Identifier: MIT
// Why records cannot be written: a cause, and one line that says what to do.
import CKTRxer
import KTRxerLite

/// Why a record, or the log as a whole, could not be written. Codes are positive errno values.
enum ResultLogError: Error, Equatable, Sendable {
    /// The path is empty, or has a NUL in it.
    case badPath
    case folder(code: Int32)
    case open(code: Int32)
    /// We could, but it may be another user's trap: a positive `enum ktrxer_distrust`.
    case distrusted(reason: Int32)
    case write(code: Int32)
    /// Fewer bytes were taken than the record has: the disk is full, or a size limit was met.
    case short

    /// A full disk, which may have space again later.
    var isNoSpace: Bool {
        switch self {
        case .folder(let code), .open(let code), .write(let code):
            return ktrxer_error_class(code) == Int32(KTRXER_ERROR_NO_SPACE.rawValue)
        case .short: return true
        default: return false
        }
    }

    /// Appends one line, without a newline: `PATH: what is wrong; what to do`.
    func append(to text: inout ByteText, path: ByteText) {
        if path == [0x2D] {
            text.append(text: "standard output")
        } else {
            text.append(contentsOf: path)
        }
        text.append(text: ": ")
        switch self {
        case .badPath: text.append(text: "not the path of a file; correct option output")
        case .folder(let code):
            text.append(text: "cannot make or enter its folder: ")
            text.append(cString: ktrxer_error_text(code))
            text.append(text: "; choose another folder in option output")
        case .open(let code):
            text.append(text: "cannot open the record file: ")
            text.append(cString: ktrxer_error_text(code))
            text.append(text: "; choose another place in option output")
        case .distrusted(let reason): text.append(text: Self.text(ofDistrust: reason))
        case .write(let code):
            text.append(text: "cannot write a record: ")
            text.append(cString: ktrxer_error_text(code))
            text.append(text: "; records are lost, and counted, until that is mended")
        case .short: text.append(text: "no space for a record; records are lost, and counted, until there is")
        }
    }

    private static func text(ofDistrust reason: Int32) -> StaticString {
        switch UInt32(bitPattern: reason) {
        case KTRXER_DISTRUST_FOLDER_OWNER.rawValue:
            "its folder belongs to another user; use a folder of your own, or root's"
        case KTRXER_DISTRUST_FOLDER_WRITABLE.rawValue:
            "anybody may change its folder; take that right away (chmod o-w) or use another"
        case KTRXER_DISTRUST_LINK.rawValue:
            "there is a symbolic link in its place or on the way; remove it, or give the true path"
        case KTRXER_DISTRUST_NOT_REGULAR.rawValue:
            "that is not a regular file; give another path, or - for the standard output"
        case KTRXER_DISTRUST_FILE_OWNER.rawValue: "it belongs to another user; remove it, or give another path"
        default: "it has another name elsewhere (hard link); remove it, or give another path"
        }
    }
}
