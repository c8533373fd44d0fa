// SPDX-License-Identifier: MIT
// The functions of ktrxer.h, over a simulated module, called as C calls them.
import CDevice
import CKTRxer
import Testing

@testable import KTRxerLite

/// Open handles, which may not move.
final class Handles {
    let tx = UnsafeMutablePointer<ktrxer_tx>.allocate(capacity: 1)
    let rx = UnsafeMutablePointer<ktrxer_rx>.allocate(capacity: 1)

    init(_ options: ktrxer_tx_options = ktrxer_tx_options()) {
        var options = options
        tx.initialize(to: ktrxer_tx())
        rx.initialize(to: ktrxer_rx())
        #expect(ktrxer_tx_open(tx, "lo", &options) == 0)
        #expect(ktrxer_rx_open(rx, nil) == 0)
    }

    deinit {
        ktrxer_tx_close(tx)
        ktrxer_rx_close(rx)
        tx.deallocate()
        rx.deallocate()
    }

    func probe(_ cookie: UInt64, launch: UInt64 = 0, length: UInt32 = 60) -> ktrxer_probe? {
        var probe = ktrxer_probe()
        guard ktrxer_tx_get(tx, &probe) == 0 else { return nil }
        probe.cookie = cookie
        probe.launch_ns = launch
        probe.length = length
        return probe
    }
}

@Suite struct CAPISenderTests {
    private let again: Int32 = -11
    private let invalid: Int32 = -22
    private let tooLong: Int32 = -90

    @Test func getQueueSubmitPeekSeen() throws {
        try withSimulatedKernel {
            let handles = Handles()
            let launch = ktrxer_now() + 1_000_000
            for number in 0..<3 {
                var probe = try #require(handles.probe(UInt64(number) << 40 | 7, launch: launch - UInt64(number)))
                #expect(probe.capacity >= 1514)
                for index in 0..<60 { probe.bytes[index] = UInt8(number) }
                #expect(ktrxer_tx_queue(handles.tx, &probe) == 0)
                // It is the library's now.
                #expect(ktrxer_tx_queue(handles.tx, &probe) == invalid)
                #expect(ktrxer_tx_put(handles.tx, &probe) == invalid)
            }
            #expect(ktrxer_tx_submit(handles.tx) == 3)
            #expect(ktrxer_tx_submit(handles.tx) == 0)
            #expect(ktrxer_tx_wait(handles.tx, 0) == 0)
            #expect(simulation_launch(launch) == 3)
            #expect(ktrxer_tx_wait(handles.tx, -1) == 1)
            #expect(ktrxer_wait_both(handles.tx, handles.rx, -1) == KTRXER_WAIT_TX)
            var completion = ktrxer_completion()
            for number in [2, 1, 0] {
                for _ in 0..<2 {
                    #expect(ktrxer_tx_peek(handles.tx, &completion) == 1)
                    #expect(completion.cookie == UInt64(number) << 40 | 7)
                }
                #expect(completion.sent_ns == launch - UInt64(number) && completion.status == KTRXER_SENT.rawValue)
                ktrxer_tx_seen(handles.tx)
                #expect(Wire.sent(2 - number)?.bytes == [UInt8](repeating: UInt8(number), count: 60))
            }
            #expect(ktrxer_tx_peek(handles.tx, &completion) == 0)
            ktrxer_tx_seen(handles.tx)
        }
    }

    @Test(arguments: [UInt32(0), KTRXER_TX_BY_REFERENCE])
    func buffersComeBackWhenSeen(_ flags: UInt32) throws {
        try withSimulatedKernel {
            simulation_set_gathers(1)
            let handles = Handles(
                ktrxer_tx_options(
                    frames: 4, frame_bytes: 1000, flags: flags, queue: 0, attempts: 0, retry_ns: 0, spin_ns: 0,
                    reserved: 0))
            for round in 0..<40 {
                var probes: [ktrxer_probe] = []
                for number in 0..<4 {
                    guard let probe = handles.probe(UInt64(number), length: 900) else { break }
                    #expect(probe.capacity >= 1000)
                    probes.append(probe)
                }
                if flags != 0 && round == 1 {
                    // The device may still read them.
                    #expect(probes.isEmpty)
                    return
                }
                #expect(probes.count == 4)
                var spare = ktrxer_probe()
                #expect(ktrxer_tx_get(handles.tx, &spare) == again)
                #expect(Set(probes.map { UInt(bitPattern: $0.bytes) }).count == 4)
                // One of them is not wanted after all.
                #expect(ktrxer_tx_put(handles.tx, &probes[3]) == 0)
                for index in 0..<3 { #expect(ktrxer_tx_queue(handles.tx, &probes[index]) == 0) }
                #expect(ktrxer_tx_submit(handles.tx) == 3)
                for _ in 0..<3 {
                    var completion = ktrxer_completion()
                    #expect(ktrxer_tx_peek(handles.tx, &completion) == 1)
                    #expect(completion.flags & KTRXER_COMPLETION_REFERENCED == (flags != 0 ? 2 : 0))
                    ktrxer_tx_seen(handles.tx)
                }
                if flags != 0 { #expect(ktrxer_tx_put(handles.tx, &probes[0]) == invalid) }
                if flags != 0 {
                    // The one that was put back was never read.
                    #expect(handles.probe(9) != nil)
                }
            }
        }
    }

    @Test func cancelsByTheCallersCookie() throws {
        try withSimulatedKernel {
            let handles = Handles()
            for number in 0..<6 {
                var probe = try #require(handles.probe(UInt64(number % 2), launch: UInt64.max >> 2))
                #expect(ktrxer_tx_queue(handles.tx, &probe) == 0)
            }
            #expect(ktrxer_tx_submit(handles.tx) == 6)
            var cookie: UInt64 = 1
            #expect(ktrxer_tx_cancel(handles.tx, &cookie) == 3)
            #expect(simulation_scheduled() == 3)
            var completion = ktrxer_completion()
            for _ in 0..<3 {
                #expect(ktrxer_tx_peek(handles.tx, &completion) == 1)
                #expect(completion.cookie == 1 && completion.status == KTRXER_CANCELLED.rawValue)
                ktrxer_tx_seen(handles.tx)
            }
            #expect(ktrxer_tx_cancel(handles.tx, nil) == 3)
        }
    }

    @Test func refusesWhatIsWrong() throws {
        try withSimulatedKernel {
            let handles = Handles()
            var probe = try #require(handles.probe(0))
            var wrong = probe
            wrong.length = wrong.capacity + 1
            #expect(ktrxer_tx_queue(handles.tx, &wrong) == tooLong)
            wrong = probe
            wrong.reserved = 1
            #expect(ktrxer_tx_queue(handles.tx, &wrong) == invalid)
            for buffer in [UInt32(1), 255, 256, UInt32.max] {
                wrong = probe
                wrong.buffer = buffer
                #expect(ktrxer_tx_queue(handles.tx, &wrong) == invalid)
            }
            probe.flags = 1 << 9
            #expect(ktrxer_tx_queue(handles.tx, &probe) == 0)
            #expect(ktrxer_tx_submit(handles.tx) == 1)
            var completion = ktrxer_completion()
            #expect(ktrxer_tx_peek(handles.tx, &completion) == 1)
            #expect(completion.status == KTRXER_BAD_FLAGS.rawValue)
            #expect(ktrxer_status_error(completion.status) == 22)
        }
    }

    @Test func opensOnlyWithWhatIsRight() {
        withSimulatedKernel {
            var tx = ktrxer_tx()
            var options = ktrxer_tx_options()
            func open(_ name: String = "lo") -> Int32 { ktrxer_tx_open(&tx, name, &options) }
            #expect(open("no-such-device") == -19)
            #expect(open("") == -19)
            options.flags = 4
            #expect(open() == invalid)
            options = ktrxer_tx_options()
            options.reserved = 1
            #expect(open() == invalid)
            options = ktrxer_tx_options()
            options.frames = 3
            #expect(open() == invalid)
            options.frames = 1 << 31
            options.frame_bytes = 1 << 20
            #expect(open() == -7)
            options.frame_bytes = UInt32.max
            #expect(open() == -7)
            options = ktrxer_tx_options()
            simulation_refuse_open(2, 2)
            #expect(open() == -2)
            var rx = ktrxer_rx()
            #expect(ktrxer_rx_open(&rx, nil) == -2)
            var module = ktrxer_module()
            #expect(ktrxer_module_info(&module) == -2)
            simulation_refuse_open(0, 0)
            simulation_set_abi(99)
            #expect(open() == -71 && ktrxer_rx_open(&rx, nil) == -71 && ktrxer_module_info(&module) == -71)
            simulation_set_abi(1)
            #expect(ktrxer_module_info(&module) == 0 && module.version.0 == 0x39 && module.most_frames == 4096)
            // After a failure, closing is harmless.
            simulation_refuse(0x10, 12)
            #expect(open() == -12)
            ktrxer_tx_close(&tx)
        }
    }

    @Test func saysThatTheInterfaceIsGone() {
        withSimulatedKernel {
            let handles = Handles()
            #expect(ktrxer_tx_wait(handles.tx, 0) == 0)
            simulation_interface_gone()
            var completion = ktrxer_completion()
            while ktrxer_tx_peek(handles.tx, &completion) == 1 { ktrxer_tx_seen(handles.tx) }
            #expect(
                ktrxer_sender_gone(UnsafeMutableRawPointer(handles.tx).assumingMemoryBound(to: ktrxer_sender.self)) == 1
            )
        }
    }
}

@Suite struct CAPICapturerTests {
    @Test func rulesAreAddedReplacedListedAndRemoved() {
        withSimulatedKernel {
            let handles = Handles()
            var rule = ktrxer_rule()
            rule.family = 4
            rule.operation = UInt8(KTRXER_CAPTURE.rawValue)
            for id in [UInt32(30), 10, 20] {
                rule.id = id
                #expect(ktrxer_rx_add(handles.rx, &rule) == 0)
            }
            #expect(ktrxer_rx_add(handles.rx, &rule) == -17)
            rule.priority = 5
            #expect(ktrxer_rx_replace(handles.rx, &rule) == 0)
            rule.id = 40
            #expect(ktrxer_rx_replace(handles.rx, &rule) == -2)
            rule.family = 5
            #expect(ktrxer_rx_add(handles.rx, &rule) == -22)
            var rules = [ktrxer_rule](repeating: ktrxer_rule(), count: 2)
            var counters = [ktrxer_counters](repeating: ktrxer_counters(), count: 2)
            #expect(ktrxer_rx_list(handles.rx, 0, &rules, &counters, 2) == 2)
            #expect(rules.map(\.id) == [10, 20] && counters.map(\.id) == [10, 20] && rules[1].priority == 5)
            #expect(counters[0].packets == 100)
            #expect(ktrxer_rx_list(handles.rx, 20, &rules, nil, 2) == 1)
            #expect(rules[0].id == 30)
            #expect(ktrxer_rx_delete(handles.rx, 10) == 0)
            #expect(ktrxer_rx_delete(handles.rx, 10) == -2)
            #expect(ktrxer_rx_flush(handles.rx) == 2)
            #expect(ktrxer_rx_list(handles.rx, 0, nil, &counters, 2) == 0)
            var statistics = ktrxer_rx_statistics()
            #expect(ktrxer_rx_statistics(handles.rx, &statistics) == 0 && statistics.rules == 0)
        }
    }

    @Test func capturesInPlaceUntilSeen() throws {
        try withSimulatedKernel {
            let handles = Handles()
            #expect(ktrxer_rx_wait(handles.rx, 0) == 0)
            for number in 0..<300 {
                var record = ktrxer_record()
                record.rule_id = 5
                #expect(
                    Wire.capture([UInt8](repeating: UInt8(number & 255), count: number + 1), record)
                        == (number < 256 ? 0 : -1))
            }
            #expect(ktrxer_rx_wait(handles.rx, -1) == 1)
            #expect(ktrxer_wait_both(handles.tx, handles.rx, -1) == KTRXER_WAIT_RX)
            var record = ktrxer_record()
            var bytes: UnsafePointer<UInt8>?
            for number in 0..<256 {
                #expect(ktrxer_rx_peek(handles.rx, &record, &bytes) == 1)
                #expect(record.captured_length == UInt32(number + 1) && record.sequence == UInt32(number))
                #expect(bytes?[number] == UInt8(number))
                ktrxer_rx_seen(handles.rx)
            }
            #expect(ktrxer_rx_peek(handles.rx, &record, &bytes) == 0)
        }
    }

    @Test func seenIsOfWhatWasPeeked() throws {
        try withSimulatedKernel {
            let handles = Handles()
            var record = ktrxer_record()
            var bytes: UnsafePointer<UInt8>?
            // Nothing was there to be seen: what comes next is not lost by it.
            ktrxer_rx_seen(handles.rx)
            #expect(ktrxer_rx_peek(handles.rx, &record, &bytes) == 0)
            ktrxer_rx_seen(handles.rx)
            for number in 1...3 { #expect(Wire.capture([UInt8(number)], ktrxer_record()) == 0) }
            ktrxer_rx_seen(handles.rx)
            for number in 1...3 {
                #expect(ktrxer_rx_peek(handles.rx, &record, &bytes) == 1 && bytes?[0] == UInt8(number))
                #expect(ktrxer_rx_peek(handles.rx, &record, &bytes) == 1 && bytes?[0] == UInt8(number))
                ktrxer_rx_seen(handles.rx)
                ktrxer_rx_seen(handles.rx)
            }
            #expect(ktrxer_rx_peek(handles.rx, &record, &bytes) == 0)
        }
    }

    @Test func aReactionIsTheFrameInTheBuffer() throws {
        try withSimulatedKernel {
            let handles = Handles()
            _ = handles.probe(0)
            var probe = try #require(handles.probe(0, length: 70))
            var rule = ktrxer_rule()
            #expect(ktrxer_rule_react(&rule, handles.tx, &probe) == 0)
            #expect(rule.flags == KTRXER_RULE_REACT && rule.reaction.repeat == 1 && rule.reaction.frame_length == 70)
            #expect(rule.reaction.ktx == ktrxer_tx_descriptor(handles.tx))
            #expect(rule.reaction.frame_offset > 0)
            probe.buffer = 1000
            #expect(ktrxer_rule_react(&rule, handles.tx, &probe) == -22)
        }
    }
}

@Suite struct CAPIHopTests {
    private func hop(ipv6: Bool, header: Int) -> ktrxer_hop {
        var hop = ktrxer_hop()
        hop.family = ipv6 ? 6 : 4
        hop.link_header_length = UInt8(header)
        hop.source = (ipv6 ? Wire.source6 : Wire.source).systemBytes
        hop.destination = (ipv6 ? Wire.target6 : Wire.target).systemBytes
        withUnsafeMutableBytes(of: &hop.link_header) { for index in 0..<14 { $0[index] = UInt8(0xE0 + index) } }
        return hop
    }

    @Test(arguments: [false, true], [0, 14])
    func writesHeadersAndChecksums(ipv6: Bool, header: Int) throws {
        var hop = hop(ipv6: ipv6, header: header)
        var frame = [UInt8](repeating: 0xAA, count: 200)
        let start = Int(ktrxer_hop_write(&hop, &frame, 200, 17, 61, 20))
        #expect(start == header + (ipv6 ? 40 : 20))
        for index in 0..<header { #expect(frame[index] == UInt8(0xE0 + index)) }
        for (offset, byte) in [0x12, 0x34, 0, 53, 0, 20, 9, 9].enumerated() { frame[start + offset] = UInt8(byte) }
        #expect(ktrxer_hop_seal(&hop, &frame, UInt32(start + 20)) == 0)
        #expect(frame[start + 20] == 0xAA)
        try frame[header..<(start + 20)].withUnsafeBytes { raw in
            try raw.bytes.verifyChecksum(
                of: 17, at: ipv6 ? 40 : 20, length: 20, source: ipv6 ? Wire.source6 : Wire.source,
                destination: ipv6 ? Wire.target6 : Wire.target)
            if ipv6 {
                #expect(try IPv6Header(parsing: raw.bytes).hopLimit == 61)
            } else {
                #expect(try IPv4Header(parsing: raw.bytes).ttl == 61)
            }
        }
    }

    @Test func refusesWhatDoesNotFit() {
        var hop = hop(ipv6: false, header: 14)
        var frame = [UInt8](repeating: 0, count: 100)
        #expect(ktrxer_hop_write(&hop, &frame, 100, 17, 64, 67) == -90)
        #expect(ktrxer_hop_write(&hop, &frame, 100, 17, 64, 66) == 34)
        #expect(ktrxer_hop_write(&hop, &frame, 33, 17, 64, 0) == -90)
        #expect(ktrxer_hop_write(&hop, &frame, 100, 17, 64, UInt32.max) == -90)
        #expect(ktrxer_hop_write(&hop, &frame, UInt32.max, 17, 64, 66) == 34)
        #expect(ktrxer_hop_seal(&hop, &frame, 33) == -22)
        #expect(ktrxer_hop_seal(&hop, &frame, 36) == -22)
        frame[14 + 9] = 99
        #expect(ktrxer_hop_seal(&hop, &frame, 100) == -22)
        hop.family = 5
        #expect(ktrxer_hop_write(&hop, &frame, 100, 17, 64, 10) == -22)
        #expect(ktrxer_hop_seal(&hop, &frame, 100) == -22)
        var rule = ktrxer_rule()
        #expect(ktrxer_rule_answers(&rule, 1, &hop, 17, 1, 2) == -22)
        hop.family = 4
        #expect(ktrxer_rule_answers(&rule, 1, &hop, 58, 1, 2) == -22)
        #expect(ktrxer_rule_errors(&rule, 1, &hop, 132, 1, 2) == -22)
    }

    @Test func rulesAreThoseOfTheKernelTransport() {
        var hop = hop(ipv6: false, header: 14)
        var answers = ktrxer_rule()
        var errors = ktrxer_rule()
        #expect(ktrxer_rule_answers(&answers, 3, &hop, 6, 62_000, 443) == 0)
        #expect(ktrxer_rule_errors(&errors, 4, &hop, 6, 62_000, 443) == 0)
        #expect(answers.id == 3 && errors.id == 4)
        #expect(answers.operation == UInt8(KTRXER_CAPTURE_DROP.rawValue))
        #expect(answers.source_port_first == 443 && answers.destination_port_last == 62_000)
        #expect(errors.match & KTRXER_MATCH_ERRORS != 0 && answers.match & KTRXER_MATCH_ERRORS == 0)
    }

    @Test func findsNoWayToWhatIsNone() {
        var hop = ktrxer_hop()
        #expect(ktrxer_hop_find(&hop, "no-address", nil) == -22)
        #expect(ktrxer_hop_find(&hop, "", nil) == -22)
        #expect(ktrxer_hop_find(&hop, "fe80::1", nil) == -22)
        #expect(ktrxer_hop_find(&hop, "fe80::1%no-such", nil) == -19)
        #expect(ktrxer_hop_find(&hop, "192.0.2.1", "no-such") == -19)
        #expect(ktrxer_hop_find(&hop, "127.0.0.1", nil) == -95)
    }
}
