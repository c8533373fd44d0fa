// SPDX-License-Identifier: MIT
import CKTRxer
import KTRxerLite

@main struct Agent {
    static func main() {
        var text = ByteText()
        for argument in commandLine() { text += argument + [0x0A] }
        _ = text.withUnsafeBytes { ktrxer_write_all(1, $0.baseAddress, UInt32($0.count)) }
    }

    /// The arguments after the program's name, as bytes.
    static func commandLine() -> [ByteText] {
        #if hasFeature(Embedded)
            return (1..<max(1, ktrxer_argument_count())).map {
                var bytes = ByteText()
                bytes.append(cString: ktrxer_argument($0))
                return bytes
            }
        #else
            return CommandLine.arguments.dropFirst().map { ByteText($0.utf8) }
        #endif
    }
}
