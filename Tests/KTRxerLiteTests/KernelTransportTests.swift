// SPDX-License-Identifier: MIT
// The kernel transport over a simulated module: what it hands over, what it makes of completions and captures, odd ones
// among them.
import CDevice
import CKTRxer
import Testing

@testable import KTRxerLite

@Suite struct KernelSendingTests {
    @Test(arguments: [ProbeProtocol.icmp, .udp, .tcpSyn], [false, true])
    func handsFramesOverAtOnceWithTheirLaunchTimes(_ proto: ProbeProtocol, ipv6: Bool) throws {
        try withSimulatedKernel {
            let route = try Wire.route(ipv6: ipv6)
            let transport = try Wire.transport(Wire.flow(proto, ipv6: ipv6), route)
            let now = monotonicNow()
            let launches = [now + 3 * millisecond, now + millisecond, now + 2 * millisecond]
            for (sequence, launch) in launches.enumerated() {
                transport.submit(Probe(sequence: UInt32(sequence), launch: launch, ttl: 64))
            }
            #expect(transport.wakeAt <= now)
            transport.service(now: now)
            #expect(transport.wakeAt == Int64.max, "the kernel's concern from here on")
            #expect(simulation_scheduled() == 3)
            #expect(transport.drain().isEmpty)

            #expect(simulation_launch(UInt64(now + second)) == 3)
            for (position, sequence) in [1, 2, 0].enumerated() {
                let frame = try #require(Wire.sent(position))
                #expect(frame.launch == UInt64(launches[sequence]))
                #expect(frame.bytes == Self.frame(transport.flow, route, UInt32(sequence)))
            }
        }
    }

    /// As the builders of frames make it.
    private static func frame(_ flow: Flow, _ route: Route, _ sequence: UInt32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 2000)
        let length = bytes.withUnsafeMutableBytes { raw in
            var span = raw.mutableBytes
            let start = try! route.writeLinkHeader(into: &span)
            return try! start
                + ProbePacket.build(
                    flow: flow, source: route.source, probe: Probe(sequence: sequence, launch: 0, ttl: 64),
                    into: &span, at: start)
        }
        return [UInt8](bytes[..<length])
    }

    @Test func framesBeginWithTheIPHeaderWhereThereIsNoLinkHeader() throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow(), Wire.route(linkType: .pointToPoint))
            transport.submit(Probe(sequence: 0, launch: 0, ttl: 64))
            transport.service(now: monotonicNow())
            #expect(Wire.sent(0)?.bytes.first == 0x45)
        }
    }

    @Test func reportsWhenTheDriverTookIt() throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow())
            let launch = monotonicNow() + millisecond
            transport.submit(Probe(sequence: 5, launch: launch, ttl: 64))
            transport.service(now: launch - millisecond)
            while monotonicNow() <= launch {}
            simulation_launch(UInt64(launch))
            transport.service(now: monotonicNow())
            let completions = transport.completions()
            #expect(completions.count == 1)
            let completion = try #require(completions.first)
            #expect(completion.sequence == 5 && completion.failure == nil)
            #expect(completion.sentAt == launch && completion.source == .kernel && completion.attempts == 1)
        }
    }

    @Test(arguments: [
        (KTRXER_LATE, ProbeError.launchMissed), (KTRXER_BUSY, .queueBusy), (KTRXER_DOWN, .interfaceDown),
        (KTRXER_NO_CARRIER, .interfaceDown), (KTRXER_GONE, .unsupported(.interfaceGoneForGood)),
        (KTRXER_CANCELLED, .cancelled), (KTRXER_NO_MEMORY, .system(code: 12, during: .send)),
        (KTRXER_BAD_LENGTH, .tooLarge(size: 84, mtu: 1500)), (KTRXER_BAD_FRAME, .system(code: 14, during: .send)),
        (KTRXER_BAD_FLAGS, .system(code: 22, during: .send)), (KTRXER_BAD_QUEUE, .system(code: 6, during: .send)),
        (KTRXER_DROPPED, .system(code: 70, during: .send)), (ktrxer_status(77), .system(code: 71, during: .send)),
    ])
    func namesEachFailure(_ status: ktrxer_status, _ error: ProbeError) throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow())
            simulation_set_status(status.rawValue)
            transport.submit(Probe(sequence: 0, launch: 0, ttl: 64))
            transport.service(now: monotonicNow())
            let completions = transport.completions()
            #expect(completions.map(\.failure) == [error])
            #expect(completions.first?.attempts == (status == KTRXER_BUSY ? 16 : 0))
            #expect(completions.first?.sentAt == 0)
        }
    }

    @Test(arguments: [1, 2, 7, 500, 1024, 1025, 3000], [UInt32.max, 3])
    func eachProbeCompletesOnceWhateverTheRingHolds(_ count: Int, _ appetite: UInt32) throws {
        try withSimulatedKernel {
            simulation_set_gathers(1)
            simulation_set_appetite(appetite)
            let transport = try Wire.transport(Wire.flow(payload: 400), probes: count)
            let now = monotonicNow()
            for sequence in 0..<count {
                transport.submit(Probe(sequence: UInt32(sequence), launch: now + Int64(sequence), ttl: 64))
            }
            var seen = [Int](repeating: 0, count: count)
            var rounds = 0
            while seen.contains(0) && rounds < 5000 {
                rounds += 1
                transport.service(now: max(monotonicNow(), transport.wakeAt == Int64.max ? 0 : transport.wakeAt))
                simulation_launch(UInt64.max)
                for completion in transport.completions() {
                    seen[Int(completion.sequence)] += 1
                    #expect(completion.failure == nil)
                }
            }
            #expect(seen.allSatisfy { $0 == 1 })
            // A frame buffer that is used twice must not be read by a device any more.
            for index in 0..<count {
                let flags = try #require(Wire.sent(index)).flags
                #expect(flags == UInt32(KTRXER_FRAME_COPY))
            }
        }
    }

    @Test func oddCompletionsChangeNothing() throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow())
            let launch = monotonicNow() + second
            transport.submit(Probe(sequence: 0, launch: launch, ttl: 64))
            transport.service(now: monotonicNow())
            let ours = UInt64(0xABCD_0123) << 32
            for cookie in [ours | 1, ours | 4_000_000_000, 0, 1 << 32, UInt64.max] {
                var completion = ktrxer_completion()
                completion.cookie = cookie
                #expect(simulation_complete(&completion) == 0)
            }
            transport.service(now: monotonicNow())
            #expect(transport.drain().isEmpty)
            // Twice the same: the first counts.
            var completion = ktrxer_completion()
            completion.cookie = ours
            completion.attempts = UInt32.max
            completion.sent_ns = UInt64.max
            simulation_complete(&completion)
            simulation_complete(&completion)
            transport.service(now: monotonicNow())
            let completions = transport.completions()
            #expect(completions.count == 1)
            #expect(completions.first?.attempts == 255)
            #expect(completions.first?.source == .user, "an instant that has not come yet is no timestamp")
            #expect((completions.first?.sentAt ?? 0) <= monotonicNow())
        }
    }

    @Test func spoiltIndicesAreNotFollowed() throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow())
            simulation_spoil_completions(100_000)
            simulation_spoil_captures(UInt32.max)
            transport.service(now: monotonicNow())
            #expect(transport.drain().isEmpty)
        }
    }

    @Test(arguments: [Int32(5), 22])
    func givesUpWhenTheKernelRefusesToTakeAnything(_ error: Int32) throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow())
            simulation_refuse(0x11, error)
            for sequence in 0..<12 { transport.submit(Probe(sequence: UInt32(sequence), launch: 0, ttl: 64)) }
            transport.service(now: monotonicNow())
            let completions = transport.completions()
            #expect(
                completions.map(\.failure) == [ProbeError?](repeating: .system(code: error, during: .send), count: 12))
            #expect(Set(completions.map(\.sequence)).count == 12)
            #expect(transport.wakeAt == Int64.max)
            simulation_refuse(0, 0)
            transport.submit(Probe(sequence: 12, launch: 0, ttl: 64))
            transport.service(now: max(monotonicNow(), transport.wakeAt))
            #expect(transport.completions().map(\.sequence) == [12], "and goes on when it does")
            #expect(Wire.sent(1) == nil)
        }
    }

    @Test(arguments: [Int32(11), 4, 12])
    func triesAgainWhenTheKernelHasNoRoom(_ error: Int32) throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow())
            simulation_refuse(0x11, error)
            transport.submit(Probe(sequence: 0, launch: 0, ttl: 64))
            let now = monotonicNow()
            transport.service(now: now)
            #expect(transport.drain().isEmpty)
            #expect(transport.wakeAt > now && transport.wakeAt < now + 10 * millisecond)
            simulation_refuse(0, 0)
            transport.service(now: transport.wakeAt)
            #expect(transport.completions().count == 1)
        }
    }

    @Test func cancelCompletesEverythingOnce() throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow(), probes: 4)
            let launch = monotonicNow() + second
            for sequence in 0..<9 { transport.submit(Probe(sequence: UInt32(sequence), launch: launch, ttl: 64)) }
            transport.service(now: monotonicNow())
            #expect(simulation_scheduled() == 4)
            transport.cancel()
            let completions = transport.completions()
            #expect(completions.map(\.sequence).sorted() == Array(0..<9))
            #expect(completions.allSatisfy { $0.failure == .cancelled })
            #expect(simulation_scheduled() == 0)
        }
    }

    @Test func anInterfaceThatGoesEndsAllProbesAndIsWatchedNoMore() throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow(), probes: 2)
            let launch = monotonicNow() + second
            for sequence in 0..<5 { transport.submit(Probe(sequence: UInt32(sequence), launch: launch, ttl: 64)) }
            transport.service(now: monotonicNow())
            #expect(transport.descriptorCount == 2)
            simulation_interface_gone()
            for _ in 0..<4 { transport.service(now: monotonicNow()) }
            let completions = transport.completions()
            #expect(completions.map(\.sequence).sorted() == Array(0..<5))
            #expect(completions.allSatisfy { $0.failure == .unsupported(.interfaceGoneForGood) })
            #expect(transport.descriptorCount == 1, "or the loop would never sleep")
            transport.submit(Probe(sequence: 5, launch: launch, ttl: 64))
            transport.service(now: monotonicNow())
            #expect(transport.completions().map(\.sequence) == [5])
        }
    }
}

@Suite struct KernelCapturingTests {
    @Test func anAnswerHasTheKernelsTime() throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow())
            transport.submit(Probe(sequence: 3, launch: 0, ttl: 64))
            transport.service(now: monotonicNow())
            let request = Array(try #require(Wire.sent(0)).bytes[14...])
            let arrival = monotonicNow()
            #expect(Wire.capture(Wire.echoReply(to: request), Wire.record(at: arrival)) == 0)
            transport.service(now: monotonicNow())
            let answers = transport.answers()
            #expect(answers.count == 1)
            let answer = try #require(answers.first)
            #expect(answer.kind == .echoReply && answer.sequence == 3 && answer.from == Wire.target)
            #expect(answer.receivedAt == arrival && answer.source == .kernel)
            #expect(transport.foreignAnswers == 0)
        }
    }

    @Test func timesThatCannotBeAreNotBelieved() throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow())
            transport.submit(Probe(sequence: 0, launch: 0, ttl: 64))
            transport.service(now: monotonicNow())
            let reply = Wire.echoReply(to: Array(try #require(Wire.sent(0)).bytes[14...]))
            for instant: UInt64 in [0, 1, UInt64(Int64.max), UInt64.max] {
                var record = Wire.record(at: 0)
                record.monotonic_ns = instant
                #expect(Wire.capture(reply, record) == 0)
            }
            let before = monotonicNow()
            transport.service(now: before)
            let answers = transport.answers()
            #expect(answers.count == 4)
            #expect(answers.allSatisfy { $0.source == .user && $0.receivedAt >= before })
        }
    }

    @Test func countsForeignAnswersAndLostCaptures() throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow())
            transport.submit(Probe(sequence: 0, launch: 0, ttl: 64))
            transport.service(now: monotonicNow())
            var reply = Wire.echoReply(to: Array(try #require(Wire.sent(0)).bytes[14...]))
            // Another token, 0x1000 more in its first word, and the checksum that goes with it (RFC 1624).
            reply[28] += 0x10
            var sum = (UInt32(reply[22]) << 8 | UInt32(reply[23])) + 0xEFFF
            sum = sum & 0xFFFF + sum >> 16
            reply[22] = UInt8(sum >> 8)
            reply[23] = UInt8(sum & 0xFF)
            for _ in 0..<20 { _ = Wire.capture(reply, Wire.record(at: monotonicNow())) }
            transport.service(now: monotonicNow())
            #expect(transport.foreignAnswers == 16)
            #expect(transport.lostCaptures == 4)
            #expect(transport.answers().isEmpty)
            transport.service(now: monotonicNow())
            #expect(transport.lostCaptures == 4)
        }
    }

    @Test func oddRecordsDoNoHarm() throws {
        try withSimulatedKernel {
            let transport = try Wire.transport(Wire.flow())
            var dice = Dice(seed: 7)
            transport.submit(Probe(sequence: 0, launch: 0, ttl: 64))
            transport.service(now: monotonicNow())
            let reply = Wire.echoReply(to: Array(try #require(Wire.sent(0)).bytes[14...]))
            for _ in 0..<2000 {
                var record = Wire.record(at: monotonicNow())
                record.captured_length =
                    UInt32.random(in: 0...UInt32.max, using: &dice) >> UInt32.random(in: 0...31, using: &dice)
                record.data_offset =
                    UInt16.random(in: 0...UInt16.max, using: &dice) >> UInt16.random(in: 0...15, using: &dice)
                record.network_offset =
                    UInt16.random(in: 0...UInt16.max, using: &dice) >> UInt16.random(in: 0...15, using: &dice)
                record.flags = UInt8.random(in: 0...UInt8.max, using: &dice)
                record.original_length = UInt32.random(in: 0...UInt32.max, using: &dice)
                var bytes = reply
                for _ in 0..<Int.random(in: 0...3, using: &dice) {
                    bytes[Int.random(in: 0..<bytes.count, using: &dice)] = UInt8.random(in: 0...255, using: &dice)
                }
                _ = Wire.capture(bytes, record)
                transport.service(now: monotonicNow())
                for answer in transport.answers() { #expect(answer.sequence == 0) }
            }
        }
    }

    @Test func theObserverSeesWholeFrames() throws {
        final class Watcher: FrameObserver {
            var seen: [(sent: Bool, start: FrameStart, length: Int, wireLength: Int)] = []
            func observe(
                bytes: UnsafeRawBufferPointer, wireLength: Int, realtime: Int64, sent: Bool, start: FrameStart,
                interface: ByteText
            ) { seen.append((sent, start, bytes.count, wireLength)) }
        }
        try withSimulatedKernel {
            let watcher = Watcher()
            let transport = try Wire.transport(Wire.flow(), observer: watcher)
            #expect(Wire.rule(0)?.flags == UInt32(KTRXER_RULE_LINK))
            #expect(Wire.rule(1)?.flags == UInt32(KTRXER_RULE_LINK))
            transport.submit(Probe(sequence: 0, launch: 0, ttl: 64))
            transport.service(now: monotonicNow())
            let request = try #require(Wire.sent(0)).bytes
            let reply = Wire.echoReply(to: Array(request[14...]))
            var record = Wire.record(at: monotonicNow(), flags: KTRXER_RECORD_LINK)
            record.network_offset = 14
            record.original_length = UInt32(reply.count)
            _ = Wire.capture(Array(request[..<14]) + reply, record)
            transport.service(now: monotonicNow())
            #expect(transport.answers().count == 1)
            #expect(watcher.seen.map(\.sent) == [true, false])
            #expect(watcher.seen.allSatisfy { $0.start == .ethernet && $0.length == 98 && $0.wireLength == 98 })
        }
    }
}

@Suite struct KernelOpeningTests {
    @Test(arguments: [
        (Int32(2), Int32(0), ProbeError.unsupported(.moduleMissing)), (6, 0, .unsupported(.moduleMissing)),
        (19, 0, .unsupported(.moduleMissing)), (0, 2, .unsupported(.moduleMissing)),
        (13, 0, .noPermission(code: 13, during: .openKernelDevice)),
        (1, 0, .noPermission(code: 1, during: .openKernelDevice)),
        (0, 1, .noPermission(code: 1, during: .openKernelDevice)),
        (23, 0, .system(code: 23, during: .openKernelDevice)),
    ])
    func saysWhyTheModuleCannotBeUsed(_ ktx: Int32, _ krx: Int32, _ expected: ProbeError) {
        withSimulatedKernel {
            simulation_refuse_open(ktx, krx)
            #expect(throws: expected) { _ = try KernelDevices() }
        }
    }

    @Test func anotherInterfaceVersionIsRefused() {
        withSimulatedKernel {
            simulation_set_abi(2)
            #expect(throws: ProbeError.unsupported(.moduleVersion)) { _ = try KernelDevices() }
        }
        withSimulatedKernel {
            simulation_refuse(0x00, 25)
            #expect(throws: ProbeError.unsupported(.moduleVersion)) { _ = try KernelDevices() }
        }
    }

    @Test func linesSayWhatToDo() {
        func line(_ error: ProbeError) -> String {
            var text = ByteText()
            error.append(to: &text)
            return String(decoding: text, as: UTF8.self)
        }
        #expect(line(.unsupported(.moduleMissing)).contains("modprobe ktrxer"))
        #expect(line(.unsupported(.moduleVersion)).contains("another version"))
        #expect(line(.noPermission(code: 13, during: .openKernelDevice)).contains("CAP_NET_RAW"))
    }

    /// Binding, setting up, adding a rule.
    @Test(arguments: [UInt32(0x10), 0x20, 0x21], [Int32(12), 105, 19, 95])
    func nothingStaysOpenAfterAFailure(_ request: UInt32, _ error: Int32) {
        withSimulatedKernel {
            simulation_refuse(request, error)
            let expected: ProbeError =
                error == 19
                ? .noInterface : .system(code: error, during: request == 0x21 ? .addRule : .bindKernelDevice)
            #expect(throws: expected) { _ = try Wire.transport(Wire.flow()) }
        }
    }

    @Test func refusesWhatNoFrameCanDo() {
        withSimulatedKernel {
            #expect(throws: ProbeError.unsupported(.linkType)) {
                _ = try Wire.transport(Wire.flow(), Wire.route(linkType: .unsupported))
            }
            #expect(throws: ProbeError.tooLarge(size: 1528, mtu: 1500)) {
                _ = try Wire.transport(Wire.flow(payload: 1500))
            }
        }
    }
}
