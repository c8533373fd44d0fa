// SPDX-License-Identifier: MIT
// One AF_PACKET socket and its slots, sized for a measurement and kept for the next: PacketSockets.swift.
import CKTRxer

/// What of a socket cannot be changed once it is bound, or only at a cost.
struct PacketShape: Equatable {
    let interface: UInt32
    let etherType: UInt32
    let hasLinkHeader: Bool
    /// With rings: many frames leave in one system call. Worth their price where probes leave within a
    /// millisecond of each other.
    let isMapped: Bool
    let sendSlots: UInt32
    let sendSlotSize: UInt32
    let receiveSlots: UInt32

    /// Bytes in front of a frame in a slot: the kernel's header and alignment, generously.
    private static let slotOverhead = 128

    /// - Parameters:
    ///   - frameLength: bytes of each frame with its link header.
    ///   - probes: how many will be submitted.
    ///   - burst: how many of them may leave back to back; 0: none within a millisecond of another.
    init(route: Route, frameLength: Int, probes: Int, burst: Int) {
        interface = UInt32(route.interfaceIndex)
        etherType = route.source.family == .ipv4 ? 0x0800 : 0x86DD
        hasLinkHeader = route.linkHeaderLength > 0
        isMapped = burst > 0
        // Without rings a slot is free again soon (PacketSender): 64 carry 1,000 probes a second.
        sendSlots = Self.powerOfTwo(probes, within: 2, isMapped ? 1024 : 64)
        sendSlotSize = Self.powerOfTwo(frameLength + Self.slotOverhead, within: 256, 131_072)
        // The ring costs 10 ms before the first probe: only for answers that the socket's own buffer does not hold.
        receiveSlots = burst > KTRXER_PACKET_BUFFERED ? Self.powerOfTwo(burst, within: 256, 512) : 0
    }

    /// Whether a socket bound in this shape can serve a measurement of another. Slots without rings are made anew.
    func serves(_ other: PacketShape) -> Bool {
        isMapped
            ? self == other
            : !other.isMapped && interface == other.interface && etherType == other.etherType
                && hasLinkHeader == other.hasLinkHeader
    }

    private static func powerOfTwo(_ wanted: Int, within low: UInt32, _ high: UInt32) -> UInt32 {
        var size = low
        while size < high && Int(size) < wanted { size *= 2 }
        return size
    }
}

/// Owns the descriptor and the slots; closed with its last reference.
final class PacketSocket {
    let packet: UnsafeMutablePointer<ktrxer_packet>
    /// nil: bound to nothing yet.
    private(set) var shape: PacketShape?

    // Where sending stands, which a kernel's ring remembers from one measurement to the next.
    /// Next slot that will be looked at, once everything marked is gone.
    var nextSlot: UInt32 = 0
    /// CLOCK_MONOTONIC ns from which each slot may be filled again.
    var reusableFrom: [Int64] = []
    /// Number of frames that were offered to the device, as transmit timestamps count them.
    var nextKey: UInt32 = 0

    init() throws(ProbeError) {
        let descriptor = ktrxer_packet_socket()
        guard descriptor >= 0 else { throw .fromSystem(Int64(descriptor), during: .openPacketSocket) }
        packet = .allocate(capacity: 1)
        packet.initialize(to: ktrxer_packet())
        packet.pointee.descriptor = descriptor
    }

    deinit {
        ktrxer_packet_close(packet)
        packet.deallocate()
    }

    /// Good for nothing more: opening failed, or the interface went away, perhaps to come back as another.
    var hasFailed: Bool {
        packet.pointee.failed != 0 || packet.pointee.descriptor < 0 || ktrxer_packet_error(packet) != 0
    }

    /// From now on, packets that pass the filter are received. What was received before is forgotten.
    func open(_ wanted: PacketShape, filter: [UInt64]) throws(ProbeError) {
        var setup = ktrxer_packet_setup()
        setup.interface_index = wanted.interface
        setup.ethertype = wanted.etherType
        setup.mapped = wanted.isMapped ? 1 : 0
        setup.receive_slots = wanted.receiveSlots
        // A whole frame of the usual size: ICMP extensions come after the quoted packet.
        setup.receive_slot_size = 2048
        setup.send_slots = wanted.sendSlots
        setup.send_slot_size = wanted.sendSlotSize
        setup.link_header = wanted.hasLinkHeader ? 1 : 0
        setup.filter_length = UInt32(filter.count)
        let isFresh = shape == nil
        let result = filter.withUnsafeBufferPointer { code in
            setup.filter = code.baseAddress
            return isFresh
                ? ktrxer_packet_open(packet, packet.pointee.descriptor, &setup) : ktrxer_packet_resume(packet, &setup)
        }
        guard result == 0 else {
            packet.pointee.failed = 1
            throw .fromSystem(Int64(result), during: .openPacketSocket)
        }
        if isFresh || !wanted.isMapped {
            nextSlot = 0
            reusableFrom = [Int64](repeating: 0, count: Int(packet.pointee.send_slots))
        }
        shape = wanted
    }

    /// Receives nothing from now on, until it is opened again.
    func park() {
        guard shape != nil && !hasFailed else { return }
        reusableFrom = shape?.isMapped == true ? reusableFrom : []
        if ktrxer_packet_park(packet) != 0 { packet.pointee.failed = 1 }
    }
}
