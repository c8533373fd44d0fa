// SPDX-License-Identifier: MIT
// Packet sockets between measurements. The kernel waits for its other processors whenever one closes, and for each
// ring that comes or goes; the whole process waits with it, and launches nothing. So they are kept and used again.
import CKTRxer

/// All idle packet sockets of a process. Not thread-safe.
public final class PacketSockets {
    private struct Idle {
        var socket: PacketSocket
        /// CLOCK_MONOTONIC ns from which it may be closed.
        var closableAt: Int64
    }

    /// In the order in which they became idle.
    private var idle: [Idle] = []

    /// How long one is kept, ns: a bound socket costs the kernel a little with every packet that arrives.
    private static let patience: Int64 = 5_000_000_000
    /// More are not kept, whatever it costs to close them.
    private static let mostIdle = 128

    /// One that serves, or a new one.
    func borrow(for shape: PacketShape) throws(ProbeError) -> BorrowedPacketSocket {
        // The one used last, so that what is not needed grows old.
        var index = idle.count
        while index > 0 {
            index -= 1
            let socket = idle[index].socket
            if socket.hasFailed {
                idle[index].closableAt = 0
            } else if socket.shape?.serves(shape) != false {
                idle.remove(at: index)
                return BorrowedPacketSocket(socket, from: self)
            }
        }
        // Rings hold much memory: not those of two shapes.
        if shape.isMapped { idle.removeAll { $0.socket.shape?.isMapped == true } }
        if idle.count >= Self.mostIdle { idle.removeFirst() }
        return BorrowedPacketSocket(try PacketSocket(), from: self)
    }

    fileprivate func takeBack(_ socket: PacketSocket, now: Int64) {
        socket.park()
        idle.append(Idle(socket: socket, closableAt: socket.hasFailed ? 0 : now + Self.patience))
    }

    /// How many are idle.
    var count: Int { idle.count }

    /// CLOCK_MONOTONIC ns from which there is something to close; `Int64.max`: nothing.
    var closableAt: Int64 {
        var earliest = Int64.max
        for entry in idle { earliest = min(earliest, entry.closableAt) }
        return earliest
    }

    /// Closes one that has been idle for long enough.
    func closeOne(now: Int64) {
        if let index = idle.firstIndex(where: { $0.closableAt <= now }) { idle.remove(at: index) }
    }
}

/// A packet socket in use; with its last reference it becomes idle again.
final class BorrowedPacketSocket {
    let socket: PacketSocket
    private let owner: PacketSockets

    fileprivate init(_ socket: PacketSocket, from owner: PacketSockets) {
        self.socket = socket
        self.owner = owner
    }

    deinit {
        owner.takeBack(socket, now: ktrxer_clock_monotonic())
    }
}
