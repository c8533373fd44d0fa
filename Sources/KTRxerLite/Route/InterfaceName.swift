// SPDX-License-Identifier: MIT
// The name of a network interface, in two machine words: routes and options that hold one are plain bytes to copy,
// where an array would have its references counted by each of them.

/// At most 15 bytes without NUL, as the kernel keeps them (IFNAMSIZ of linux/if.h is 16); empty: none.
struct InterfaceName: Equatable, Sendable {
    /// Its bytes as they lie in memory, zeros behind the last.
    private var words: (UInt64, UInt64) = (0, 0)

    static let longest = 15

    init() {}

    /// Takes the bytes up to a NUL. What is longer than any name can be is cut off.
    @inline(never)
    init(_ text: UnsafeRawBufferPointer) {
        withUnsafeMutableBytes(of: &words) { bytes in
            for index in 0..<min(text.count, Self.longest) {
                if text[index] == 0 { break }
                bytes[index] = text[index]
            }
        }
    }

    init(_ text: ByteText) { self = text.withUnsafeBytes { InterfaceName($0) } }

    var isEmpty: Bool { words.0 == 0 }

    var text: ByteText {
        @inline(never)
        get {
            var text = ByteText()
            withUnsafeBytes(of: words) { bytes in
                for byte in bytes where byte != 0 { text.append(byte) }
            }
            return text
        }
    }

    /// Writes the name with its NUL to a field of the C floor, of 16 bytes.
    func store(in field: UnsafeMutableRawBufferPointer) {
        withUnsafeBytes(of: words) { field.copyMemory(from: $0) }
    }

    static func == (left: InterfaceName, right: InterfaceName) -> Bool { left.words == right.words }
}
