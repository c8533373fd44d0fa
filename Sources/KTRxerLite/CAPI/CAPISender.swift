// SPDX-License-Identifier: MIT
// The senders of ktrxer.h, which is the contract. A sender cuts its frame area into buffers; what belongs to a buffer is
// kept behind its frame, so that nothing is allocated.
// Names are those of ktrxer.h.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CKTRxer

private let noBuffer = UInt32.max
private let tailBytes: UInt32 = 16

extension ktrxer_refusal {
    /// -errno.
    var result: Int32 { ktrxer_refuse(rawValue) }
}

/// An open sender behind its handle.
private typealias Sender = UnsafeMutablePointer<ktrxer_tx_state>

private func sender(_ tx: UnsafePointer<ktrxer_tx>) -> Sender {
    UnsafeMutableRawPointer(mutating: tx).assumingMemoryBound(to: ktrxer_tx_state.self)
}

extension Sender {
    fileprivate var capacity: UInt32 { pointee.buffer_bytes - tailBytes }

    fileprivate func buffer(_ index: UInt32) -> UnsafeMutablePointer<UInt8> {
        pointee.sender.frames + Int(index) * Int(pointee.buffer_bytes)
    }

    fileprivate func tail(_ index: UInt32) -> UnsafeMutablePointer<ktrxer_buffer_tail> {
        UnsafeMutableRawPointer(buffer(index) + Int(capacity)).assumingMemoryBound(to: ktrxer_buffer_tail.self)
    }

    /// Puts a buffer behind the other free ones: the device is done with those that have been free for longest.
    fileprivate func release(_ index: UInt32, state: ktrxer_buffer_state) {
        tail(index).pointee.state = state.rawValue
        tail(index).pointee.next_free = noBuffer
        if pointee.first_free == noBuffer {
            pointee.first_free = index
        } else {
            tail(pointee.last_free).pointee.next_free = index
        }
        pointee.last_free = index
    }

    /// The caller has this buffer.
    fileprivate func isTaken(_ probe: UnsafePointer<ktrxer_probe>) -> Bool {
        let index = probe.pointee.buffer
        return index < pointee.buffers && tail(index).pointee.state == KTRXER_BUFFER_TAKEN.rawValue
    }

    /// Which buffer a completion is about; nil: none.
    fileprivate func buffer(of completion: ktrxer_completion) -> UInt32? {
        guard completion.flags & KTRXER_COMPLETION_REACTION == 0, completion.cookie < UInt64(pointee.buffers)
        else { return nil }
        let index = UInt32(truncatingIfNeeded: completion.cookie)
        return tail(index).pointee.state == KTRXER_BUFFER_QUEUED.rawValue ? index : nil
    }
}

@c @implementation
public func ktrxer_tx_open(
    _ tx: UnsafeMutablePointer<ktrxer_tx>!, _ interface: UnsafePointer<CChar>!,
    _ options: UnsafePointer<ktrxer_tx_options>!
) -> Int32 {
    let handle = sender(tx)
    handle.initialize(to: ktrxer_tx_state())
    handle.pointee.sender.descriptor = -1
    let options = options == nil ? ktrxer_tx_options() : options.pointee
    guard options.flags & ~(KTRXER_TX_QUEUE | KTRXER_TX_BY_REFERENCE) == 0, options.reserved == 0 else {
        return KTRXER_REFUSE_INVALID.result
    }
    var found = ktrxer_interface()
    var result = ktrxer_interface_by_name(interface, &found)
    guard result >= 0 else { return result }
    let frames = options.frames == 0 ? 256 : options.frames
    let wanted = options.frame_bytes == 0 ? min(found.mtu, 2000) + 32 : options.frame_bytes
    guard wanted <= 1 << 20 else { return KTRXER_REFUSE_TOO_BIG.result }
    let (bytes, isTooMuch) = ((wanted + tailBytes + 63) & ~63).multipliedReportingOverflow(by: frames)
    guard !isTooMuch else { return KTRXER_REFUSE_TOO_BIG.result }
    result = ktrxer_sender_device()
    guard result >= 0 else { return result }
    var setup = ktrxer_sender_setup()
    setup.interface_index = UInt32(bitPattern: found.index)
    setup.submission_entries = frames
    setup.completion_entries = frames
    setup.frame_bytes = bytes
    setup.queue = options.flags & KTRXER_TX_QUEUE != 0 ? options.queue : KTRXER_QUEUE_ANY
    setup.attempts = options.attempts
    setup.retry_ns = options.retry_ns
    setup.spin_ns = options.spin_ns
    result = ktrxer_sender_bind(&handle.pointee.sender, result, &setup)
    guard result >= 0 else { return result }
    handle.pointee.buffers = frames
    handle.pointee.buffer_bytes = bytes / frames
    handle.pointee.first_free = noBuffer
    handle.pointee.frame_flags = options.flags & KTRXER_TX_BY_REFERENCE != 0 ? 0 : KTRXER_FRAME_COPY
    for index in 0..<frames { handle.release(index, state: KTRXER_BUFFER_FREE) }
    return 0
}

@c @implementation
public func ktrxer_tx_close(_ tx: UnsafeMutablePointer<ktrxer_tx>!) {
    ktrxer_sender_close(&sender(tx).pointee.sender)
}

@c @implementation
public func ktrxer_tx_link(_ tx: UnsafePointer<ktrxer_tx>!, _ link: UnsafeMutablePointer<ktrxer_link>!) {
    link.pointee = sender(tx).pointee.sender.link
}

@c @implementation
public func ktrxer_tx_descriptor(_ tx: UnsafePointer<ktrxer_tx>!) -> Int32 {
    sender(tx).pointee.sender.descriptor
}

// MARK: Buffers

@c @implementation
public func ktrxer_tx_get(
    _ tx: UnsafeMutablePointer<ktrxer_tx>!, _ probe: UnsafeMutablePointer<ktrxer_probe>!
) -> Int32 {
    let handle = sender(tx)
    let index = handle.pointee.first_free
    guard index != noBuffer else { return KTRXER_REFUSE_AGAIN.result }
    let tail = handle.tail(index)
    if tail.pointee.state == KTRXER_BUFFER_RESTING.rawValue, ktrxer_sender_referenced(&handle.pointee.sender) != 0 {
        return KTRXER_REFUSE_AGAIN.result
    }
    handle.pointee.first_free = tail.pointee.next_free
    tail.pointee.state = KTRXER_BUFFER_TAKEN.rawValue
    var taken = ktrxer_probe()
    taken.bytes = handle.buffer(index)
    taken.capacity = handle.capacity
    taken.buffer = index
    probe.pointee = taken
    return 0
}

@c @implementation
public func ktrxer_tx_put(
    _ tx: UnsafeMutablePointer<ktrxer_tx>!, _ probe: UnsafePointer<ktrxer_probe>!
) -> Int32 {
    let handle = sender(tx)
    guard handle.isTaken(probe) else { return KTRXER_REFUSE_INVALID.result }
    handle.release(probe.pointee.buffer, state: KTRXER_BUFFER_FREE)
    return 0
}

// MARK: Sending

@c @implementation
public func ktrxer_tx_queue(
    _ tx: UnsafeMutablePointer<ktrxer_tx>!, _ probe: UnsafePointer<ktrxer_probe>!
) -> Int32 {
    let handle = sender(tx)
    guard handle.isTaken(probe), probe.pointee.reserved == 0, probe.pointee.reserved2 == 0 else {
        return KTRXER_REFUSE_INVALID.result
    }
    guard probe.pointee.length <= handle.capacity else { return KTRXER_REFUSE_TOO_LONG.result }
    let index = probe.pointee.buffer
    var descriptor = ktrxer_descriptor()
    descriptor.launch_ns = probe.pointee.launch_ns
    descriptor.cookie = UInt64(index)
    descriptor.frame_offset = index * handle.pointee.buffer_bytes
    descriptor.frame_length = probe.pointee.length
    descriptor.flags = probe.pointee.flags | handle.pointee.frame_flags
    descriptor.queue = probe.pointee.queue
    let result = ktrxer_sender_queue(&handle.pointee.sender, &descriptor)
    guard result >= 0 else { return result }
    handle.tail(index).pointee.cookie = probe.pointee.cookie
    handle.tail(index).pointee.state = KTRXER_BUFFER_QUEUED.rawValue
    return 0
}

@c @implementation
public func ktrxer_tx_submit(_ tx: UnsafeMutablePointer<ktrxer_tx>!) -> Int32 {
    ktrxer_sender_submit(&sender(tx).pointee.sender)
}

@c @implementation
public func ktrxer_tx_cancel(_ tx: UnsafeMutablePointer<ktrxer_tx>!, _ cookie: UnsafePointer<UInt64>!) -> Int32 {
    let handle = sender(tx)
    guard let cookie else { return ktrxer_sender_cancel(&handle.pointee.sender, nil) }
    var count: Int32 = 0
    for index in 0..<handle.pointee.buffers {
        let tail = handle.tail(index).pointee
        guard tail.state == KTRXER_BUFFER_QUEUED.rawValue, tail.cookie == cookie.pointee else { continue }
        var number = UInt64(index)
        let result = ktrxer_sender_cancel(&handle.pointee.sender, &number)
        guard result >= 0 else { return result }
        count += result
    }
    return count
}

@c @implementation
public func ktrxer_tx_peek(
    _ tx: UnsafeMutablePointer<ktrxer_tx>!, _ completion: UnsafeMutablePointer<ktrxer_completion>!
) -> Int32 {
    let handle = sender(tx)
    guard ktrxer_sender_peek(&handle.pointee.sender, completion) == 1 else { return 0 }
    if let index = handle.buffer(of: completion.pointee) {
        completion.pointee.cookie = handle.tail(index).pointee.cookie
    }
    return 1
}

@c @implementation
public func ktrxer_tx_seen(_ tx: UnsafeMutablePointer<ktrxer_tx>!) {
    let handle = sender(tx)
    var completion = ktrxer_completion()
    guard ktrxer_sender_peek(&handle.pointee.sender, &completion) == 1 else { return }
    if let index = handle.buffer(of: completion) {
        let isRead = completion.flags & KTRXER_COMPLETION_REFERENCED != 0
        handle.release(index, state: isRead ? KTRXER_BUFFER_RESTING : KTRXER_BUFFER_FREE)
    }
    ktrxer_sender_seen(&handle.pointee.sender)
}

@c @implementation
public func ktrxer_tx_wait(_ tx: UnsafeMutablePointer<ktrxer_tx>!, _ timeout_ns: Int64) -> Int32 {
    ktrxer_device_wait(&sender(tx).pointee.sender, nil, timeout_ns)
}

@c @implementation
public func ktrxer_tx_statistics(
    _ tx: UnsafeMutablePointer<ktrxer_tx>!, _ statistics: UnsafeMutablePointer<ktrxer_tx_statistics>!
) -> Int32 {
    ktrxer_sender_statistics(&sender(tx).pointee.sender, statistics)
}

@c @implementation
public func ktrxer_rule_react(
    _ rule: UnsafeMutablePointer<ktrxer_rule>!, _ tx: UnsafePointer<ktrxer_tx>!,
    _ probe: UnsafePointer<ktrxer_probe>!
) -> Int32 {
    let handle = sender(tx)
    guard handle.isTaken(probe) else { return KTRXER_REFUSE_INVALID.result }
    guard probe.pointee.length <= handle.capacity else { return KTRXER_REFUSE_TOO_LONG.result }
    rule.pointee.flags |= KTRXER_RULE_REACT
    rule.pointee.reaction.ktx = handle.pointee.sender.descriptor
    rule.pointee.reaction.frame_offset = probe.pointee.buffer * handle.pointee.buffer_bytes
    rule.pointee.reaction.frame_length = probe.pointee.length
    if rule.pointee.reaction.repeat == 0 { rule.pointee.reaction.repeat = 1 }
    return 0
}

@c @implementation
public func ktrxer_wait_both(
    _ tx: UnsafeMutablePointer<ktrxer_tx>!, _ rx: UnsafeMutablePointer<ktrxer_rx>!, _ timeout_ns: Int64
) -> Int32 {
    ktrxer_device_wait(&sender(tx).pointee.sender, capturer(rx), timeout_ns)
}
