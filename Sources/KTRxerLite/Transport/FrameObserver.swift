// SPDX-License-Identifier: MIT
// Who wants to see the frames that a transport sends and captures: the packet capture writer.

/// What a frame starts with, by the link types of the pcap registry.
public enum FrameStart: UInt8, Sendable {
    case ethernet
    case ip
}

/// Called from the event loop, after the fact; must not keep the bytes.
public protocol FrameObserver: AnyObject {
    /// - Parameters:
    ///   - bytes: the frame, as much of it as was captured.
    ///   - wireLength: its length on the wire, bytes.
    ///   - realtime: CLOCK_REALTIME ns.
    ///   - sent: true for a probe of ours, false for a captured packet.
    ///   - interface: the interface's name, without NUL.
    func observe(
        bytes: UnsafeRawBufferPointer, wireLength: Int, realtime: Int64, sent: Bool, start: FrameStart,
        interface: ByteText)
}
