// SPDX-License-Identifier: MIT
// Writes the frames that a transport sent and captured to a pcapng file (draft-ietf-opsawg-pcapng): ns
// timestamps, direction, interface. Which frames there are is the transport's concern.
import CKTRxer

/// A pcapng file, little-endian: one section, an interface for each pair of name and link type.
///
/// Frames are collected, about 8 KB at a time. An error stops the writing; what is on the disk by then
/// are whole blocks, and `failure` says why. Not thread-safe.
public final class PcapngWriter: FrameObserver {
    /// LINKTYPE_ETHERNET and LINKTYPE_RAW of the pcap registry.
    static let ethernet: UInt16 = 1
    static let rawIP: UInt16 = 101
    /// Of a frame, more than any of ours has.
    static let snapLength = 262_144
    private static let bufferSize = 8192

    private struct Interface {
        var name: ByteText
        var linkType: UInt16
    }

    private var descriptor: Int32
    private var buffer = ByteText()
    /// Frames in `buffer`.
    private var unflushed: UInt64 = 0
    private var interfaces: [Interface] = []
    /// Bytes of the file that are whole blocks.
    private var written: Int64 = 0

    /// Frames that are in the file or on their way to it.
    public private(set) var frames: UInt64 = 0
    /// Frames that could not be written.
    public private(set) var lostFrames: UInt64 = 0
    /// Why nothing more is written; nil while all is well.
    public private(set) var failure: ProbeError?

    /// Makes the file, or empties the one that is there; a regular file of ours, not a link.
    ///
    /// - Throws: `system` or `noPermission` with `openFile` or `writeFile`; `unsupported(.foreignFile)`.
    public init(path: ByteText) throws(ProbeError) {
        var terminated = path
        terminated.append(0)
        var distrust: Int32 = 0
        descriptor = terminated.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return -1 }
            return ktrxer_file_open_append(base.assumingMemoryBound(to: CChar.self), 0o644, &distrust)
        }
        if distrust != 0 { throw .unsupported(.foreignFile) }
        if descriptor < 0 { throw ProbeError.fromSystem(Int64(descriptor), during: .openFile) }
        let emptied = ktrxer_file_truncate(descriptor, 0)
        if emptied < 0 {
            ktrxer_file_close(descriptor)
            throw ProbeError.fromSystem(Int64(emptied), during: .writeFile)
        }
        buffer.reserveCapacity(Self.bufferSize + 2048)
        appendSectionHeader()
    }

    deinit {
        flush()
        ktrxer_file_close(descriptor)
    }

    public func observe(
        bytes: UnsafeRawBufferPointer, wireLength: Int, realtime: Int64, sent: Bool, start: FrameStart,
        interface: ByteText
    ) {
        guard failure == nil else {
            lostFrames &+= 1
            return
        }
        let index = interfaceIndex(interface, start == .ethernet ? Self.ethernet : Self.rawIP)
        let length = min(bytes.count, Self.snapLength)
        let block = 4 * 8 + padded(length) + 12
        append32(6)
        append32(UInt32(block))
        append32(index)
        let time = UInt64(bitPattern: realtime)
        append32(UInt32(truncatingIfNeeded: time >> 32))
        append32(UInt32(truncatingIfNeeded: time))
        append32(UInt32(length))
        append32(UInt32(clamping: max(wireLength, length)))
        for position in 0..<length { buffer.append(bytes[position]) }
        pad(length)
        // epb_flags: bits 0 and 1 are the direction, 1 inbound, 2 outbound.
        append16(2)
        append16(4)
        append32(sent ? 2 : 1)
        append32(0)
        append32(UInt32(block))
        frames &+= 1
        unflushed &+= 1
        if buffer.count >= Self.bufferSize { flush() }
    }

    /// Writes what has been collected. What fails is in `failure`.
    public func flush() {
        guard failure == nil, !buffer.isEmpty else { return }
        let done = buffer.withUnsafeBytes {
            ktrxer_file_write(descriptor, $0.baseAddress, UInt32(truncatingIfNeeded: $0.count))
        }
        if done == Int64(buffer.count) {
            written &+= done
            unflushed = 0
            buffer.removeAll(keepingCapacity: true)
            return
        }
        // Readers stop at half a block: the file ends with the last whole buffer.
        if done > 0 { _ = ktrxer_file_truncate(descriptor, written) }
        failure =
            done < 0
            ? ProbeError.fromSystem(done, during: .writeFile)
            : ProbeError.fromSystem(Int64(ktrxer_file_no_space()), during: .writeFile)
        frames &-= unflushed
        lostFrames &+= unflushed
        unflushed = 0
        buffer = []
    }

    // MARK: - Blocks

    private func appendSectionHeader() {
        append32(0x0A0D_0D0A)
        append32(28)
        append32(0x1A2B_3C4D)
        append16(1)
        append16(0)
        // The section's length: not given.
        append32(UInt32.max)
        append32(UInt32.max)
        append32(28)
    }

    /// The interface's number; described in the file when it is met for the first time.
    private func interfaceIndex(_ name: ByteText, _ linkType: UInt16) -> UInt32 {
        for index in 0..<interfaces.count
        where interfaces[index].linkType == linkType && interfaces[index].name == name {
            return UInt32(index)
        }
        interfaces.append(Interface(name: name, linkType: linkType))
        let nameLength = min(name.count, 255)
        let block = 16 + (nameLength > 0 ? 4 + padded(nameLength) : 0) + 8 + 4 + 4
        append32(1)
        append32(UInt32(block))
        append16(linkType)
        append16(0)
        append32(UInt32(Self.snapLength))
        if nameLength > 0 {
            append16(2)
            append16(UInt16(nameLength))
            for position in 0..<nameLength { buffer.append(name[position]) }
            pad(nameLength)
        }
        // if_tsresol: 10^-9 s.
        append16(9)
        append16(1)
        append32(9)
        append32(0)
        append32(UInt32(block))
        return UInt32(interfaces.count - 1)
    }

    private func padded(_ length: Int) -> Int { (length + 3) & ~3 }

    private func pad(_ length: Int) {
        for _ in length..<padded(length) { buffer.append(0) }
    }

    private func append16(_ value: UInt16) {
        buffer.append(UInt8(truncatingIfNeeded: value))
        buffer.append(UInt8(truncatingIfNeeded: value >> 8))
    }

    private func append32(_ value: UInt32) {
        append16(UInt16(truncatingIfNeeded: value))
        append16(UInt16(truncatingIfNeeded: value >> 16))
    }
}
