// SPDX-License-Identifier: MIT
// The mapped rings of one AF_PACKET socket, owned and sized.
import CKTRxer

/// A packet socket that neither sends nor receives yet: the proof that this process may have one.
final class PacketSocket {
    private var descriptor: Int32

    init() throws(ProbeError) {
        descriptor = ktrxer_packet_socket()
        guard descriptor >= 0 else { throw .fromSystem(Int64(descriptor), during: .openPacketSocket) }
    }

    deinit {
        ktrxer_close(descriptor)
    }

    /// The descriptor, which the caller then owns.
    func take() -> Int32 {
        let taken = descriptor
        descriptor = -1
        return taken
    }
}

/// Owns the socket and its map; closed with its last reference.
final class PacketRing {
    let packet: UnsafeMutablePointer<ktrxer_packet>

    /// Bytes in front of a frame in a slot: the kernel's header and alignment, generously.
    private static let slotOverhead = 128

    init(
        socket: PacketSocket, route: Route, filter: [UInt64], frameLength: Int, sendSlots: Int, receiveSlots: Int
    ) throws(ProbeError) {
        packet = .allocate(capacity: 1)
        packet.initialize(to: ktrxer_packet())
        var setup = ktrxer_packet_setup()
        setup.interface_index = UInt32(route.interfaceIndex)
        setup.ethertype = route.source.family == .ipv4 ? 0x0800 : 0x86DD
        setup.receive_slots = Self.powerOfTwo(receiveSlots, within: 16, 512)
        // A whole frame of the usual size: ICMP extensions come after the quoted packet.
        setup.receive_slot_size = 2048
        setup.send_slots = Self.powerOfTwo(sendSlots, within: 2, 1024)
        setup.send_slot_size = Self.powerOfTwo(frameLength + Self.slotOverhead, within: 256, 131_072)
        setup.link_header = route.linkHeaderLength > 0 ? 1 : 0
        setup.filter_length = UInt32(filter.count)
        let result = filter.withUnsafeBufferPointer { code in
            setup.filter = code.baseAddress
            return ktrxer_packet_open(packet, socket.take(), &setup)
        }
        guard result == 0 else {
            packet.deallocate()
            throw .fromSystem(Int64(result), during: .openPacketSocket)
        }
    }

    deinit {
        ktrxer_packet_close(packet)
        packet.deallocate()
    }

    private static func powerOfTwo(_ wanted: Int, within low: UInt32, _ high: UInt32) -> UInt32 {
        var size = low
        while size < high && Int(size) < wanted { size *= 2 }
        return size
    }
}
