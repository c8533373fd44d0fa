// SPDX-License-Identifier: MIT
// The exact text that a person reads of a ping, a trace and a train.
import KTRxerLite
import Testing

@testable import ktrxer_agent

private let target = IPAddress(v4: 0xC000_0201)

private func address(_ text: String) -> IPAddress { IPAddress(text: ByteText(text)) ?? target }

private func record(_ sequence: UInt32, ttl: UInt8 = 64, sent: Int64, slip: Int64 = 2_000) -> ProbeRecord {
    var record = ProbeRecord(sequence: sequence, ttl: ttl, intended: sent - slip)
    record.sent = sent
    record.sentSource = .kernel
    record.attempts = 1
    return record
}

private func answer(
    _ record: ProbeRecord, after: Int64, _ kind: AnswerKind = .echoReply, from: IPAddress = target, code: UInt8 = 0,
    type: UInt8 = 0, ttl: UInt8 = 55, mtu: UInt32 = 0, labels: [MPLSLabel] = []
) -> Answer {
    var answer = Answer(
        sequence: record.sequence, kind: kind, from: from, receivedAt: record.sent + after, source: .kernel)
    answer.icmpType = type
    answer.icmpCode = code
    answer.ttl = ttl
    answer.mtu = mtu
    answer.labels = labels
    return answer
}

private func answered(_ record: ProbeRecord, by answer: Answer) -> ProbeRecord {
    var record = record
    record.answer = answer
    return record
}

private func result(
    _ kind: MeasurementKind, _ records: [ProbeRecord], options: MeasurementOptions? = nil, address: IPAddress? = target,
    error: ProbeError? = nil
) -> MeasurementResult {
    MeasurementResult(
        job: [], kind: kind, target: ByteText("host.test"), address: address, sourceAddress: nil, sourcePort: 0,
        transport: .packet, interface: ByteText("eth0"), startedRealtime: 0, startedMonotonic: 0, finishedMonotonic: 0,
        clockSynchronised: true, clockStepped: false, options: options ?? MeasurementOptions(kind: kind),
        records: ProbeRecords(records), mtu: 1500, foreignAnswers: 0, lostCaptures: 0, error: error)
}

private func finished(_ result: MeasurementResult) -> String {
    var text = ByteText()
    Report.finished(result, into: &text)
    return string(text)
}

private func started(
    _ kind: MeasurementKind, at address: IPAddress = target, change: (inout MeasurementOptions) -> Void = { _ in }
) -> String {
    var options = MeasurementOptions(kind: kind)
    change(&options)
    var text = ByteText()
    Report.started(
        kind, target: ByteText("host.test"), address: address, transport: .packet, options: options, into: &text)
    return string(text)
}

private func line(_ answer: Answer, of record: ProbeRecord, kind: MeasurementKind = .ping) -> String {
    var text = ByteText()
    Report.answer(answer, of: record, address: target, options: MeasurementOptions(kind: kind), into: &text)
    return string(text)
}

@Suite struct ReportHeaderTests {
    @Test func eachKind() {
        #expect(started(.ping) == "PING host.test (192.0.2.1) via packet transport: 56 data bytes\n")
        #expect(
            started(.ping, at: address("2001:db8::1")) {
                $0.proto = .tcpSyn; $0.port = 443; $0.size = 0
            }
                == "PING host.test (2001:db8::1) via packet transport: TCP port 443, 0 data bytes\n")
        #expect(
            started(.trace)
                == "TRACE host.test (192.0.2.1) via packet transport: UDP port 33434, 30 hops max, 3 probes a hop, "
                + "32 data bytes\n")
        #expect(
            started(.train)
                == "TRAIN host.test (192.0.2.1) via packet transport: UDP port 33434, 20 probes back to back, "
                + "100 data bytes\n")
        #expect(
            started(.train) {
                $0.proto = .icmp; $0.gap = 250_000
            }
                == "TRAIN host.test (192.0.2.1) via packet transport: ICMP, 20 probes 250us apart, 100 data bytes\n")
    }
}

@Suite struct ReportPingTests {
    private let probe = record(3, sent: 1_000_000)

    @Test func replies() {
        let reply = answer(probe, after: 12_345_400)
        #expect(line(reply, of: probe) == "64 bytes from 192.0.2.1: seq=3 ttl=55 time=12.345 ms\n")
        #expect(line(reply, of: probe, kind: .train) == "" && line(reply, of: probe, kind: .trace) == "")
        #expect(
            line(answer(probe, after: 1_000, .udpReply), of: probe)
                == "UDP reply from 192.0.2.1: seq=3 ttl=55 time=0.001 ms\n")
        #expect(
            line(answer(probe, after: 1_000, .tcpOpen), of: probe)
                == "SYN+ACK from 192.0.2.1: seq=3 ttl=55 time=0.001 ms\n")
        #expect(
            line(answer(probe, after: 1_000, .tcpReset, ttl: 0), of: probe)
                == "RST from 192.0.2.1: seq=3 time=0.001 ms\n")
        #expect(
            line(answer(probe, after: 1_000, .unreachable, code: 3, type: 3), of: probe)
                == "Destination Port Unreachable from 192.0.2.1: seq=3 ttl=55 time=0.001 ms\n")
    }

    @Test func duplicatesLateAndUnknownSendTime() {
        var first = answered(probe, by: answer(probe, after: 1_000_000))
        first.duplicates = 1
        // The line has the time of the second answer, not that of the first.
        #expect(
            line(answer(probe, after: 2_000_000), of: first)
                == "64 bytes from 192.0.2.1: seq=3 ttl=55 time=2.000 ms (DUP!)\n")
        var late = answered(probe, by: answer(probe, after: 2_500_000_000))
        late.late = true
        #expect(
            line(answer(probe, after: 2_500_000_000), of: late)
                == "64 bytes from 192.0.2.1: seq=3 ttl=55 time=2500.000 ms (late)\n")
        let queued = ProbeRecord(sequence: 3, ttl: 64, intended: 5)
        #expect(line(answer(probe, after: 9), of: queued) == "64 bytes from 192.0.2.1: seq=3 ttl=55\n")
    }

    @Test func errors() {
        let router = address("10.0.0.1")
        func from(_ kind: AnswerKind, code: UInt8 = 0, mtu: UInt32 = 0) -> String {
            line(answer(probe, after: 1_000, kind, from: router, code: code, mtu: mtu), of: probe)
        }
        #expect(from(.timeExceeded) == "From 10.0.0.1: seq=3 Time to live exceeded\n")
        #expect(from(.timeExceeded, code: 1) == "From 10.0.0.1: seq=3 Fragment reassembly time exceeded\n")
        #expect(from(.unreachable, code: 0) == "From 10.0.0.1: seq=3 Destination Net Unreachable\n")
        #expect(from(.unreachable, code: 1) == "From 10.0.0.1: seq=3 Destination Host Unreachable\n")
        #expect(from(.unreachable, code: 3) == "From 10.0.0.1: seq=3 Destination Port Unreachable\n")
        #expect(from(.unreachable, code: 4, mtu: 1280) == "From 10.0.0.1: seq=3 Packet too big, MTU 1280\n")
        #expect(from(.unreachable, code: 13) == "From 10.0.0.1: seq=3 Packet filtered\n")
        #expect(from(.unreachable, code: 200) == "From 10.0.0.1: seq=3 Destination unreachable, code 200\n")
        #expect(from(.parameterProblem, code: 2) == "From 10.0.0.1: seq=3 Parameter problem, code 2\n")
        let v6 = answer(probe, after: 1_000, .unreachable, from: address("fe80::1"), code: 3)
        #expect(line(v6, of: probe) == "From fe80::1: seq=3 Destination unreachable: Address unreachable\n")
        let big = answer(probe, after: 1_000, .packetTooBig, from: address("fe80::1"), mtu: .max)
        #expect(line(big, of: probe) == "From fe80::1: seq=3 Packet too big, MTU 4294967295\n")
    }

    @Test func summary() {
        let probes = (0..<7).map { record(UInt32($0), sent: 1_000_000_000 * Int64($0 + 1), slip: Int64($0) * 1_000) }
        var records = [
            answered(probes[0], by: answer(probes[0], after: 10_000_000)),
            answered(probes[1], by: answer(probes[1], after: 14_000_000)),
            answered(probes[2], by: answer(probes[2], after: 12_000_000)), probes[3],
            answered(probes[4], by: answer(probes[4], after: 9_000_000, .timeExceeded, from: address("10.0.0.1"))),
            answered(probes[5], by: answer(probes[5], after: 3_000_000_000)),
            answered(probes[6], by: answer(probes[6], after: 12_000_000)),
        ]
        records[1].duplicates = 1
        records[1].reordered = true
        records[5].late = true
        var refused = ProbeRecord(sequence: 7, ttl: 64, intended: 1)
        refused.failure = .queueBusy
        records.append(refused)
        #expect(
            finished(result(.ping, records)) == """
                --- host.test ping statistics ---
                7 packets transmitted, 4 received, +1 duplicates, +1 errors, +1 late, +1 reordered, 42.9% packet loss
                1 not sent: the device's transmit queue stayed full
                rtt min/mean/median/p90/p99/max/stddev = 10.000/12.000/12.000/14.000/14.000/14.000/1.414 ms, jitter 2.000 ms
                slip median/max = 3.0/6.0 us; packet transport, send times from kernel, receive times from kernel

                """)
    }

    @Test func silenceAndFailure() {
        #expect(
            finished(result(.ping, [record(0, sent: 9_000), record(1, sent: 10_000, slip: 160)])) == """
                --- host.test ping statistics ---
                2 packets transmitted, 0 received, 100.0% packet loss
                slip median/max = 0.2/2.0 us; packet transport, send times from kernel

                """)
        let failed = "ktrxer-agent: host.test: no route to the target; check the routing table (ip route)\n"
        #expect(finished(result(.ping, [], error: .noRoute)) == failed)
        for kind in [MeasurementKind.trace, .train] {
            #expect(finished(result(kind, [], address: nil, error: .noRoute)) == failed)
        }
        #expect(
            finished(result(.ping, [record(0, sent: 9)], error: .cancelled)).hasSuffix(
                "\nktrxer-agent: host.test: stopped early\n"))
    }
}

@Suite struct ReportTraceTests {
    private func hop(_ ttl: UInt8, _ sequence: UInt32) -> ProbeRecord {
        record(sequence, ttl: ttl, sent: 1_000_000 + Int64(sequence) * 10_000)
    }

    private func hop(_ ttl: UInt8, _ sequence: UInt32, _ from: String, _ after: Int64) -> ProbeRecord {
        let probe = hop(ttl, sequence)
        return answered(probe, by: answer(probe, after: after, .timeExceeded, from: address(from), type: 11))
    }

    private func end(_ ttl: UInt8, _ sequence: UInt32, _ after: Int64) -> ProbeRecord {
        let probe = hop(ttl, sequence)
        return answered(probe, by: answer(probe, after: after, .unreachable, code: 3, type: 3))
    }

    private let slip =
        "slip median/max = 2.0/2.0 us; packet transport, send times from kernel, receive times from kernel\n"

    @Test func pathWithLabelsSilenceAndLoadBalancing() {
        var labelled = hop(3, 6, "10.0.2.1", 7_100_000)
        labelled.answer?.labels = [
            MPLSLabel(label: 16, trafficClass: 0, bottomOfStack: false, ttl: 1),
            MPLSLabel(label: 1_048_575, trafficClass: 7, bottomOfStack: true, ttl: 255),
        ]
        var late = hop(4, 11, "10.0.3.1", 8_000_000)
        late.late = true
        let text = finished(
            result(
                .trace,
                [
                    hop(1, 0, "10.0.0.1", 123_400), hop(1, 1, "10.0.0.1", 150_000), hop(1, 2, "10.0.0.1", 140_000),
                    hop(2, 3), hop(2, 4), hop(2, 5),
                    labelled, hop(3, 7), hop(3, 8, "10.0.2.2", 7_300_000),
                    hop(4, 9, "10.0.3.1", 8_000_000), hop(4, 10, "10.0.3.1", 8_100_000), late,
                    end(5, 12, 9_000_000), end(5, 13, 9_100_000), end(5, 14, 9_200_000),
                    end(6, 15, 9_000_000),
                ]))
        #expect(
            text == """
                 1  10.0.0.1  0.123 ms  0.150 ms  0.140 ms
                 2  * * *
                 3  10.0.2.1 [MPLS: L=16 E=0 S=0 TTL=1, L=1048575 E=7 S=1 TTL=255]  7.100 ms * 10.0.2.2  7.300 ms
                 4  10.0.3.1  8.000 ms  8.100 ms *
                 5  192.0.2.1  9.000 ms  9.100 ms  9.200 ms
                target reached at hop 5
                \(slip)
                """)
    }

    @Test func refusedByARouter() {
        let probe = hop(2, 1)
        let refusal = answer(probe, after: 3_000_000, .unreachable, from: address("10.0.0.9"), code: 1, type: 3)
        #expect(
            finished(result(.trace, [hop(1, 0, "10.0.0.1", 1_000_000), answered(probe, by: refusal)])) == """
                 1  10.0.0.1  1.000 ms
                 2  10.0.0.9  3.000 ms !H
                stopped at hop 2: unreachable !H
                \(slip)
                """)
        // Port unreachable of somebody else has no mark.
        var other = refusal
        other.icmpCode = 3
        #expect(
            finished(result(.trace, [answered(probe, by: other)])) == """
                 2  10.0.0.9  3.000 ms
                stopped at hop 2: unreachable (port)
                \(slip)
                """)
    }

    @Test func silentEndIsOneLine() {
        var records = [hop(1, 0, "10.0.0.1", 1_000_000)]
        records.append(hop(2, 1))
        #expect(
            finished(result(.trace, records)) == """
                 1  10.0.0.1  1.000 ms
                 2  *
                target not reached: nothing answers beyond hop 1
                \(slip)
                """)
        for ttl in UInt8(3)...30 { records.append(hop(ttl, UInt32(ttl) - 1)) }
        #expect(
            finished(result(.trace, records)) == """
                 1  10.0.0.1  1.000 ms
                 2-30  no answer
                target not reached within 30 hops
                \(slip)
                """)
        #expect(
            finished(result(.trace, [hop(1, 1), hop(2, 2), hop(3, 3)])) == """
                 1-3  no answer
                target not reached: no hop answers
                slip median/max = 2.0/2.0 us; packet transport, send times from kernel

                """)
    }

    @Test func howManyProbesItTook() {
        var trace = result(.trace, [hop(1, 0, "10.0.0.1", 1_000_000), end(2, 1, 2_000_000)])
        trace.traceOutcome = TraceOutcome(end: .reached, unneeded: 3, spared: 85)
        #expect(finished(trace).contains("\ntarget reached at hop 2 (5 of 90 probes sent)\n"))
        trace.traceOutcome = TraceOutcome(end: .reached, unneeded: 88, spared: 0)
        #expect(finished(trace).contains("\ntarget reached at hop 2\n"))
    }

    @Test func stoppedEarly() {
        var trace = result(.trace, [hop(1, 0, "10.0.0.1", 1_000_000), hop(2, 1)], error: .cancelled)
        trace.traceOutcome = TraceOutcome(end: .cancelled, unneeded: 0, spared: 88)
        #expect(finished(trace).contains("\ntarget not reached: stopped early (2 of 90 probes sent)\n"))
    }

    @Test func hopThatWasNotSent() {
        var refused = ProbeRecord(sequence: 1, ttl: 2, intended: 1)
        refused.failure = .queueBusy
        #expect(
            finished(result(.trace, [hop(1, 0, "10.0.0.1", 1_000_000), refused, end(3, 2, 5_000_000)])) == """
                 1  10.0.0.1  1.000 ms
                 2  not sent
                 3  192.0.2.1  5.000 ms
                target reached at hop 3
                1 not sent: the device's transmit queue stayed full
                \(slip)
                """)
    }
}

@Suite struct ReportTrainTests {
    @Test func tableAndSpacing() {
        let probes = (0..<5).map {
            record(UInt32($0), sent: 50_000_000_000 + Int64($0) * 1_000_000 + 1_500, slip: 1_500)
        }
        var late = answered(probes[3], by: answer(probes[3], after: 3_000_000_000, .udpReply))
        late.late = true
        var records = [
            answered(probes[0], by: answer(probes[0], after: 10_000_000, .udpReply)),
            answered(probes[1], by: answer(probes[1], after: 10_500_000, .udpReply)),
            probes[2], late,
            answered(probes[4], by: answer(probes[4], after: 9_000_000, .timeExceeded, from: address("10.0.0.1"))),
        ]
        var refused = ProbeRecord(sequence: 5, ttl: 64, intended: 50_005_000_000)
        refused.failure = .queueBusy
        records.append(refused)
        records[1].reordered = true
        #expect(
            finished(result(.train, records)) == """
                  seq  intended ms     slip us      rtt ms
                    0        0.000         1.5      10.000
                    1        1.000         1.5      10.500  reordered
                    2        2.000         1.5           -
                    3        3.000         1.5    3000.000  late
                    4        4.000         1.5       9.000  time_exceeded from 10.0.0.1
                    5        5.000           -           -  queue_busy
                --- host.test train statistics ---
                5 packets transmitted, 2 received, +1 errors, +1 late, +1 reordered, 60.0% packet loss
                1 not sent: the device's transmit queue stayed full
                rtt min/mean/median/p90/p99/max/stddev = 10.000/10.250/10.000/10.500/10.500/10.500/0.250 ms, jitter 0.500 ms
                slip median/max = 1.5/1.5 us; packet transport, send times from kernel, receive times from kernel
                dispersion sent/received = 4.000/1.500 ms
                send gap min/mean/median/max = 1000.0/1000.0/1000.0/1000.0 us
                receive gap min/mean/median/max = 1500.0/1500.0/1500.0/1500.0 us
                rate sent/received = 1.024/0.683 Mbit/s

                """)
    }

    @Test func extremeTimesDoNotTrap() {
        let edges: [Int64] = [.min, -1, 1, .max]
        for kind in [MeasurementKind.ping, .trace, .train] {
            var records: [ProbeRecord] = []
            for index in 0..<64 {
                var record = ProbeRecord(sequence: .max, ttl: UInt8(index * 4), intended: edges[index % 4])
                record.sent = edges[index / 4 % 4]
                record.duplicates = .max
                record.answer = Answer(
                    sequence: .max, kind: index % 2 == 0 ? .timeExceeded : .udpReply, from: target,
                    receivedAt: edges[index / 16], source: .user)
                #expect(kind != .ping || line(record.answer ?? answer(record, after: 0), of: record).hasSuffix("\n"))
                records.append(record)
            }
            #expect(!finished(result(kind, records)).isEmpty)
        }
    }
}
