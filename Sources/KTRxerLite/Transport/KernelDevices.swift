// SPDX-License-Identifier: MIT
// The module's two devices of one session, /dev/ktx and /dev/krx: opened as the proof that they may be used, then bound
// and mapped.
import CKTRxer

/// Both devices open, neither sending nor capturing yet.
final class KernelDevices {
    private var sender: Int32
    private var capturer: Int32 = -1

    /// Throws `unsupported(.moduleMissing)`, `unsupported(.moduleVersion)`, `noPermission`, or what the system said.
    init() throws(ProbeError) {
        sender = ktrxer_sender_device()
        if sender >= 0 { capturer = ktrxer_capturer_device() }
        guard capturer >= 0 else {
            // deinit closes the first.
            let result = sender < 0 ? sender : capturer
            if ktrxer_device_missing(result) != 0 { throw .unsupported(.moduleMissing) }
            if ktrxer_device_mismatch(result) != 0 { throw .unsupported(.moduleVersion) }
            throw .fromSystem(Int64(result), during: .openKernelDevice)
        }
    }

    deinit {
        if sender >= 0 { ktrxer_device_close(sender) }
        if capturer >= 0 { ktrxer_device_close(capturer) }
    }

    /// The descriptors, which the caller then owns.
    fileprivate func takeSender() -> Int32 {
        let taken = sender
        sender = -1
        return taken
    }

    fileprivate func takeCapturer() -> Int32 {
        let taken = capturer
        capturer = -1
        return taken
    }
}

/// A bound sender and a capturer; closed, and the rules removed, with the last reference.
final class KernelRings {
    let sender: UnsafeMutablePointer<ktrxer_sender>
    let capturer: UnsafeMutablePointer<ktrxer_capturer>
    /// Frame buffers, and bytes of each.
    let slots: Int
    let slotLength: Int

    private static let mostSlots = 1024
    /// Memory that frames take at most, unless a few of them need more.
    private static let frameMemory = 1 << 20
    private static let fewestSlots = 16
    /// A record and a whole packet of the usual size: ICMP extensions come after the quoted packet.
    private static let captureLength: UInt32 = 2048

    init(
        devices: KernelDevices, route: Route, frameLength: Int, probeCount: Int, burst: Int
    ) throws(ProbeError) {
        slotLength = (max(frameLength, 1) + 63) & ~63
        var slots = Self.powerOfTwo(probeCount, within: 2, Self.mostSlots)
        while slots > Self.fewestSlots && slots * slotLength > Self.frameMemory { slots /= 2 }
        self.slots = slots
        sender = .allocate(capacity: 1)
        capturer = .allocate(capacity: 1)
        sender.initialize(to: ktrxer_sender())
        capturer.initialize(to: ktrxer_capturer())
        sender.pointee.descriptor = -1
        capturer.pointee.descriptor = -1
        var setup = ktrxer_sender_setup()
        setup.interface_index = UInt32(truncatingIfNeeded: route.interfaceIndex)
        setup.submission_entries = UInt32(slots)
        setup.completion_entries = UInt32(slots)
        setup.frame_bytes = UInt32(truncatingIfNeeded: slots * slotLength)
        setup.queue = UInt32(KTRXER_QUEUE_ANY)
        var result = ktrxer_sender_bind(sender, devices.takeSender(), &setup)
        if result >= 0 {
            let captures = Self.powerOfTwo(max(burst, min(probeCount, 32)), within: 16, 512)
            result = ktrxer_capturer_setup(
                capturer, devices.takeCapturer(), UInt32(captures), Self.captureLength)
        }
        // From here on deinit closes what there is.
        if result < 0 { throw .fromSystem(Int64(result), during: .bindKernelDevice) }
    }

    deinit {
        ktrxer_capturer_close(capturer)
        ktrxer_sender_close(sender)
        capturer.deallocate()
        sender.deallocate()
    }

    /// Where the frame of a slot is.
    func frame(_ slot: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: sender.pointee.frames + slot * slotLength, count: slotLength)
    }

    private static func powerOfTwo(_ wanted: Int, within low: Int, _ high: Int) -> Int {
        var size = low
        while size < high && size < wanted { size *= 2 }
        return size
    }
}
