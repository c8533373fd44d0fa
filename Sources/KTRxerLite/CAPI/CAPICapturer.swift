// SPDX-License-Identifier: MIT
// The capturers of ktrxer.h, its clock, and what it says of the module.
// Names are those of ktrxer.h.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CKTRxer

/// An open capturer behind its handle.
func capturer(_ rx: UnsafeMutablePointer<ktrxer_rx>) -> UnsafeMutablePointer<ktrxer_capturer> {
    UnsafeMutableRawPointer(rx).assumingMemoryBound(to: ktrxer_capturer.self)
}

@c @implementation
public func ktrxer_rx_open(
    _ rx: UnsafeMutablePointer<ktrxer_rx>!, _ options: UnsafePointer<ktrxer_rx_options>!
) -> Int32 {
    let handle = capturer(rx)
    handle.initialize(to: ktrxer_capturer())
    handle.pointee.descriptor = -1
    let options = options == nil ? ktrxer_rx_options() : options.pointee
    guard options.reserved.0 == 0, options.reserved.1 == 0 else { return KTRXER_REFUSE_INVALID.result }
    let device = ktrxer_capturer_device()
    guard device >= 0 else { return device }
    return ktrxer_capturer_setup(
        handle, device, options.slots == 0 ? 256 : options.slots, options.slot_bytes == 0 ? 2048 : options.slot_bytes)
}

@c @implementation
public func ktrxer_rx_close(_ rx: UnsafeMutablePointer<ktrxer_rx>!) {
    ktrxer_capturer_close(capturer(rx))
}

@c @implementation
public func ktrxer_rx_descriptor(_ rx: UnsafePointer<ktrxer_rx>!) -> Int32 {
    capturer(UnsafeMutablePointer(mutating: rx)).pointee.descriptor
}

@c @implementation
public func ktrxer_rx_add(
    _ rx: UnsafeMutablePointer<ktrxer_rx>!, _ rule: UnsafePointer<ktrxer_rule>!
) -> Int32 {
    ktrxer_capturer_add(capturer(rx), rule)
}

@c @implementation
public func ktrxer_rx_replace(
    _ rx: UnsafeMutablePointer<ktrxer_rx>!, _ rule: UnsafePointer<ktrxer_rule>!
) -> Int32 {
    ktrxer_capturer_replace(capturer(rx), rule)
}

@c @implementation
public func ktrxer_rx_delete(_ rx: UnsafeMutablePointer<ktrxer_rx>!, _ id: UInt32) -> Int32 {
    ktrxer_capturer_delete(capturer(rx), id)
}

@c @implementation
public func ktrxer_rx_flush(_ rx: UnsafeMutablePointer<ktrxer_rx>!) -> Int32 {
    ktrxer_capturer_flush(capturer(rx))
}

@c @implementation
public func ktrxer_rx_list(
    _ rx: UnsafeMutablePointer<ktrxer_rx>!, _ after: UInt32, _ rules: UnsafeMutablePointer<ktrxer_rule>!,
    _ counters: UnsafeMutablePointer<ktrxer_counters>!, _ capacity: UInt32
) -> Int32 {
    ktrxer_capturer_list(capturer(rx), after, rules, counters, capacity)
}

@c @implementation
public func ktrxer_rx_peek(
    _ rx: UnsafeMutablePointer<ktrxer_rx>!, _ record: UnsafeMutablePointer<ktrxer_record>!,
    _ bytes: UnsafeMutablePointer<UnsafePointer<UInt8>?>!
) -> Int32 {
    ktrxer_capturer_peek(capturer(rx), record, bytes)
}

@c @implementation
public func ktrxer_rx_seen(_ rx: UnsafeMutablePointer<ktrxer_rx>!) {
    ktrxer_capturer_seen(capturer(rx))
}

@c @implementation
public func ktrxer_rx_wait(_ rx: UnsafeMutablePointer<ktrxer_rx>!, _ timeout_ns: Int64) -> Int32 {
    min(1, ktrxer_device_wait(nil, capturer(rx), timeout_ns))
}

@c @implementation
public func ktrxer_rx_statistics(
    _ rx: UnsafeMutablePointer<ktrxer_rx>!, _ statistics: UnsafeMutablePointer<ktrxer_rx_statistics>!
) -> Int32 {
    ktrxer_capturer_statistics(capturer(rx), statistics)
}

@c @implementation
public func ktrxer_now() -> UInt64 { UInt64(bitPattern: ktrxer_clock_monotonic()) }

@c @implementation
public func ktrxer_module_info(_ module: UnsafeMutablePointer<ktrxer_module>!) -> Int32 {
    var info = ktrxer_device_info()
    let result = ktrxer_device_info(-1, &info)
    guard result >= 0 else { return result }
    guard info.abi == info.expected_abi else { return KTRXER_REFUSE_PROTOCOL.result }
    var found = ktrxer_module()
    found.version = info.version
    found.most_frames = info.most_entries
    found.most_frame_bytes = info.most_frame_bytes
    found.most_rules = info.most_rules
    found.most_spin_ns = info.most_spin_ns
    found.rate_ceiling = info.rate_ceiling
    found.burst_ceiling = info.burst_ceiling
    found.timer_resolution_ns = info.timer_resolution_ns
    module.pointee = found
    return 0
}
