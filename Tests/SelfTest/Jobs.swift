// SPDX-License-Identifier: MIT
// Job files: what they are read as, and the errors of bad ones.
import KTRxerLite

extension Array where Element == UInt8 {
    init(_ text: StaticString) {
        self = []
        append(text: text)
    }
}

/// Shows all that the file says, or its errors.
func showJobFile(_ path: ByteText) {
    guard let bytes = contents(of: path) else {
        expect(false)
        return
    }
    show(file: bytes)
}

private func show(file bytes: ByteText) {
    var text = ByteText()
    do throws(JobFileErrors) {
        let file = try JobFile.parse(bytes)
        expect(!file.jobs.isEmpty)
        text.append(text: "output ")
        text += file.settings.output
        for value in [file.settings.maxSize, Int64(file.settings.keep), Int64(file.settings.maxPPS)] {
            text.append(0x20)
            text.append(decimal: value)
        }
        show(text)
        for job in file.jobs { show(job) }
    } catch {
        show(error.report(file: ByteText("file")))
    }
}

private func show(_ job: Job) {
    var text = job.name
    for target in job.targets {
        text.append(0x20)
        text += target
    }
    let options = job.options
    for value in [
        Int64(options.size), options.timeout, Int64(options.count), options.gap, Int64(options.maxHops),
        Int64(options.port), Int64(options.trafficClass),
    ] {
        text.append(0x20)
        text.append(decimal: value)
    }
    switch job.schedule {
    case .interval(let interval, let phase, let splay):
        text.append(text: " interval ")
        text.append(duration: interval)
        text.append(0x20)
        text.append(duration: phase)
        text.append(0x20)
        text.append(duration: splay)
    case .cron(let cron):
        text.append(text: " cron ")
        text.append(hexadecimal: cron.minutes)
        for field in [UInt64(cron.hours), UInt64(cron.days), UInt64(cron.months), UInt64(cron.weekdays)] {
            text.append(0x20)
            text.append(hexadecimal: field)
        }
    case .atStart: text.append(text: " start")
    }
    show(text)
}

private let everything: StaticString = """
    # a comment
    config agent
        option output '/var/log/k.jsonl'
        option max_size '512k'
        option keep 5
        option max_pps 500
        option state /etc/ktrxer.state

    config job 'gateway'
        option kind 'ping'
        list target '192.0.2.1'
        list target "gw.example.net"
        option family 4
        option protocol udp
        option port 7
        option size 100
        option tos 184
        option df 1
        option interface eth0.2
        option transport packet
        option timeout 500ms
        option ttl 3
        option count 5
        option gap 0.2
        option interval 1m
        option phase 5s
        option splay 10s

    config job path
        option kind trace
        list target fe80::1%eth0
        option first_hop 2
        option max_hops 12
        option cron '*/5 8-18 * * mon-fri'
    """

private let wrong: StaticString = """
    config agent
        option keep 0x
        option max_size 99999999999999999999
    config job 'a b'
        option kind pnig
        option count 0
        optoin x y
        option interval '1 fortnight'
        option cron '61 * * * *'
        list target 'un"closed
    """

func runJobs() {
    run("job file") { () throws(FrameError) in
        let file: JobFile
        do throws(JobFileErrors) {
            file = try JobFile.parse(ByteText(everything))
        } catch {
            show(error.report(file: ByteText("everything")))
            throw .badValue
        }
        let settings = file.settings
        expect(settings.output == ByteText("/var/log/k.jsonl") && settings.state == ByteText("/etc/ktrxer.state"))
        expect(settings.maxSize == 524_288 && settings.keep == 5 && settings.maxPPS == 500)
        expect(file.jobs.count == 2)
        let ping = file.jobs[0]
        expect(ping.name == ByteText("gateway") && ping.line == 9 && ping.enabled)
        expect(ping.targets == [ByteText("192.0.2.1"), ByteText("gw.example.net")])
        expect(
            ping.schedule == .interval(interval: 60_000_000_000, phase: 5_000_000_000, splay: 10_000_000_000))
        let options = ping.options
        expect(options.kind == .ping && options.family == .ipv4 && options.proto == .udp && options.port == 7)
        expect(options.size == 100 && options.trafficClass == 184 && options.dontFragment)
        expect(options.interface == ByteText("eth0.2") && options.transport == .packet)
        expect(options.timeout == 500_000_000 && options.ttl == 3 && options.count == 5)
        expect(options.gap == 200_000_000)
        let trace = file.jobs[1]
        expect(trace.options.kind == .trace && trace.options.firstHop == 2 && trace.options.maxHops == 12)
        guard case .cron(let cron) = trace.schedule else { throw .badValue }
        expect(cron.minutes == 0x84_2108_4210_8421 && cron.hours == 0x7FF00 && cron.weekdays == 0x3E)
    }
    show(file: ByteText(wrong))
    run("durations and numbers") { () throws(FrameError) in
        expect(DurationText.parse(ByteText("1.5s")) == 1_500_000_000)
        expect(DurationText.parse(ByteText("100us")) == 100_000)
        expect(DurationText.parse(ByteText("2d")) == 172_800_000_000_000)
        expect(DurationText.parse(ByteText("1x")) == nil)
        expect(NumberText.parse(ByteText("9223372036854775807")) == Int64.max)
        expect(NumberText.parse(ByteText("9223372036854775808")) == nil)
        expect(NumberText.parseBytes(ByteText("3m")) == 3_145_728)
        var text = ByteText()
        text.append(decimal: Int64.min)
        expect(text == ByteText("-9223372036854775808"))
        text = []
        text.append(hexadecimal: 0x0123_4567_89AB_CDEF, width: 16)
        expect(text == ByteText("0123456789abcdef"))
        text = []
        text.append(milliseconds: -1_234_567)
        expect(text == ByteText("-1.235"))
    }
    run("addresses") { () throws(FrameError) in
        for literal: StaticString in [
            "192.0.2.1", "255.255.255.255", "2001:db8::1", "::", "fe80::1:0:0:1", "1:2:3:4:5:6:7:8",
        ] {
            let address = try required(IPAddress(text: ByteText(literal)))
            var text = ByteText()
            address.append(to: &text)
            expect(text == ByteText(literal))
        }
        expect(IPAddress(text: ByteText("192.0.2.256")) == nil && IPAddress(text: ByteText("1::2::3")) == nil)
        expect(IPAddress(text: ByteText("192.0.2.1")) == IPAddress(v4: 0xC000_0201))
        expect(
            IPAddress(text: ByteText("2001:db8::ff:1")) == IPAddress(v6High: 0x2001_0DB8_0000_0000, low: 0xFF_0001))
    }
}
