// SPDX-License-Identifier: MIT
// Whole job files: what they mean, and the exact text and line of every error.
import KTRxerLite
import Testing

@testable import ktrxer_agent

extension ByteText {
    init(_ text: String) { self = ByteText(text.utf8) }
}

func string(_ bytes: ByteText) -> String { String(decoding: bytes, as: UTF8.self) }

/// The file, or nil with a failed expectation that shows the errors.
func parsed(_ text: String, at location: SourceLocation = #_sourceLocation) -> JobFile? {
    do throws(JobFileErrors) {
        return try JobFile.parse(ByteText(text))
    } catch {
        Issue.record("\(string(error.report(file: ByteText("file"))))", sourceLocation: location)
        return nil
    }
}

/// The report, one string a line; empty when there is no error.
func errors(of bytes: ByteText) -> [String] {
    do throws(JobFileErrors) {
        _ = try JobFile.parse(bytes)
        return []
    } catch {
        #expect(error.count > 0)
        return string(error.report(file: ByteText("f"))).split(separator: "\n").map(String.init)
    }
}

func errors(of text: String) -> [String] { errors(of: ByteText(text)) }

/// Errors of a ping job with these lines; the first of them is line 4.
func errors(inJob lines: String) -> [String] {
    errors(of: "config job 'a'\n option interval 10s\n list target h\n" + lines + "\n option kind ping\n")
}

@Suite struct JobFileTests {
    @Test func everythingThatAFileCanSay() throws {
        let file = try #require(
            parsed(
                """
                # a comment
                config agent
                    option output '/var/log/k.jsonl'
                    option max_size '512k'
                    option keep 5
                    option max_pps 500
                    option parallel 8
                    option state /etc/ktrxer.state
                    option resolver "192.0.2.53 2001:db8::53"

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
                    option probes 1
                    option rate 50
                    option cron '*/5 8-18 * * mon-fri'

                config job once
                    option kind train
                    option target 2001:db8::1
                    option at start
                    option enabled 0
                """))
        #expect(string(file.settings.output) == "/var/log/k.jsonl")
        #expect(file.settings.maxSize == 524_288)
        #expect(file.settings.keep == 5)
        #expect(file.settings.maxPPS == 500)
        #expect(file.settings.parallel == 8)
        #expect(string(file.settings.state) == "/etc/ktrxer.state")
        #expect(string(file.settings.resolver) == "192.0.2.53 2001:db8::53")
        try #require(file.jobs.count == 3)

        let ping = file.jobs[0]
        #expect(string(ping.name) == "gateway")
        #expect(ping.line == 11)
        #expect(ping.enabled)
        #expect(ping.targets.map(string) == ["192.0.2.1", "gw.example.net"])
        #expect(
            ping.schedule == .interval(interval: 60_000_000_000, phase: 5_000_000_000, splay: 10_000_000_000))
        #expect(ping.options.kind == .ping)
        #expect(ping.options.family == .ipv4)
        #expect(ping.options.proto == .udp)
        #expect(ping.options.port == 7)
        #expect(ping.options.size == 100)
        #expect(ping.options.trafficClass == 184)
        #expect(ping.options.dontFragment)
        #expect(string(ping.options.interface) == "eth0.2")
        #expect(ping.options.transport == .packet)
        #expect(ping.options.timeout == 500_000_000)
        #expect(ping.options.ttl == 3)
        #expect(ping.options.count == 5)
        #expect(ping.options.gap == 200_000_000)

        let trace = file.jobs[1]
        #expect(trace.targets.map(string) == ["fe80::1%eth0"])
        #expect(trace.options.kind == .trace)
        #expect(trace.options.proto == .udp)
        #expect(trace.options.firstHop == 2)
        #expect(trace.options.maxHops == 12)
        #expect(trace.options.probesPerHop == 1)
        #expect(trace.options.rate == 50)
        guard case .cron = trace.schedule else { return #expect(Bool(false), "not cron") }

        #expect(file.jobs[2].schedule == .atStart)
        #expect(!file.jobs[2].enabled)
        #expect(file.jobs[2].targets.map(string) == ["2001:db8::1"])
    }

    @Test func defaultsOfTheAgent() throws {
        let file = try #require(
            parsed("config job a\noption kind ping\nlist target h\noption interval 1s\n"))
        #expect(string(file.settings.output) == "/tmp/ktrxer/results.jsonl")
        #expect(file.settings.maxSize == 1_048_576)
        #expect(file.settings.keep == 2)
        #expect(file.settings.maxPPS == 200)
        #expect(file.settings.parallel == 4)
        #expect(string(file.settings.state) == "/tmp/ktrxer/state")
        #expect(file.settings.resolver.isEmpty)
        #expect(file.jobs[0].options.gap == 1_000_000_000)
        #expect(file.jobs[0].enabled)
    }

    @Test func everyErrorInOnePassInTheOrderOfLines() {
        let report = errors(
            of: """
                config agent
                    option keep many
                    option max_siz 1m
                config job 'a'
                    option kind pign
                    option intervall 10s
                    list target 'two words'
                config job 'b'
                    option count 0
                    option rate 5
                    option kind ping
                config job 'a'
                    option kind ping
                    list target h
                    option interval 10s
                    option phase 10s
                    option splay 1m
                nonsense here
                config jbo x
                    option ignored 1
                """)
        #expect(
            report == [
                "f:2: 'keep' is 'many', expected a whole number from 0 to 100",
                "f:3: unknown option 'max_siz', did you mean 'max_size'?",
                "f:4: the job has no schedule, expected option interval, cron or at",
                "f:5: 'kind' is 'pign', expected ping, trace or train",
                "f:6: unknown option 'intervall', did you mean 'interval'?",
                "f:7: 'target' is 'two words', expected an address or a host name",
                "f:8: the job has no target, expected: list target 'ADDRESS OR NAME'",
                "f:8: the job has no schedule, expected option interval, cron or at",
                "f:9: 'count' is '0', expected a whole number from 1 to 10000",
                "f:10: 'rate' is an option of trace, this is a ping; remove it",
                "f:12: the name 'a' is taken by the section in line 4, expected another name",
                "f:16: phase is not below interval, expected less than '10s'",
                "f:17: splay is not below interval, expected less than '10s'",
                "f:18: 'nonsense' is no command, expected config, option, list or package",
                "f:19: unknown section type 'jbo', expected agent or job",
            ])
    }

    @Test(arguments: [
        (" option protocol sctp", "f:4: 'protocol' is 'sctp', expected icmp, udp or tcp"),
        (" option port 53", "f:4: icmp has no ports; set protocol to udp or tcp, or remove the port"),
        (
            " option port 0\n option protocol udp",
            "f:4: 'port' is '0', expected a whole number from 1 to 65535"
        ),
        (" option size 65001", "f:4: 'size' is '65001', expected a whole number from 0 to 65000"),
        (" option tos 0x10", "f:4: 'tos' is '0x10', expected a whole number from 0 to 255"),
        (" option df yes", "f:4: 'df' is 'yes', expected 0 or 1"),
        (" option family 5", "f:4: 'family' is '5', expected any, 4 or 6"),
        (" option transport raw", "f:4: 'transport' is 'raw', expected auto, kernel, packet or socket"),
        (
            " option timeout 2min",
            "f:4: 'timeout' is '2min', expected a duration from 1ms to 1m, such as 200ms or 1.5s"
        ),
        (
            " option timeout 0",
            "f:4: 'timeout' is '0', expected a duration from 1ms to 1m, such as 200ms or 1.5s"
        ),
        (
            " option interface aVeryLongInterfaceName",
            "f:4: 'interface' is 'aVeryLongInterfaceName', expected an interface name of 1 to 15 characters"
        ),
        (
            " option source nowhere",
            "f:4: 'source' is 'nowhere', expected an IPv4 or IPv6 address of this host"
        ),
        (
            " option source 224.0.0.1",
            "f:4: 'source' is '224.0.0.1', expected an IPv4 or IPv6 address of this host"
        ),
        (
            " option family 6\n option source 192.0.2.1",
            "f:5: the source address is not of the family asked for; change one of them"
        ),
        (" option max_hops 3", "f:4: 'max_hops' is an option of trace, this is a ping; remove it"),
        (" option ttl 256", "f:4: 'ttl' is '256', expected a whole number from 1 to 255"),
        (" option enabled yes", "f:4: 'enabled' is 'yes', expected 0 or 1"),
        (" option cron '* * * * *'", "f:4: a second schedule, expected only one of interval, cron and at"),
        (" option at start", "f:4: a second schedule, expected only one of interval, cron and at"),
        (
            " option count 201\n option gap 4ms",
            "f:5: that is 201 packets within a second, expected at most 200 (max_pps of config agent)"
        ),
        (" list count 3", "f:4: 'count' takes one value, expected option instead of list"),
        (" option first-hop 3", "f:4: 'first-hop' is not a valid name, expected letters, digits and _ only"),
        (" option gpa 1s", "f:4: unknown option 'gpa', did you mean 'gap'?"),
        (" option targets h", "f:4: unknown option 'targets', did you mean 'target'?"),
        (" option Interval 3s", "f:4: unknown option 'Interval', did you mean 'interval'?"),
        (" option maxhops 3", "f:4: unknown option 'maxhops', did you mean 'max_hops'?"),
        (" option flavour 3", "f:4: unknown option 'flavour', expected one that 'ktrxer-agent help' lists"),
        (" list target ''", "f:4: 'target' is '', expected an address or a host name"),
        (" list target -x", "f:4: 'target' is '-x', expected an address or a host name"),
        (
            " list target 2001:db8::1%eth0",
            "f:4: 'target' is '2001:db8::1%eth0', expected a link-local address before the %; for others, use interface"
        ),
        (
            " list target host%eth0",
            "f:4: 'target' is 'host%eth0', expected a link-local address before the %; for others, use interface"
        ),
        (" list target fe80::1%", "f:4: 'target' is 'fe80::1%', expected an interface name after the %"),
        (" list target fe80::1%a/b", "f:4: 'target' is 'fe80::1%a/b', expected an interface name after the %"),
        (" list target %eth0", "f:4: 'target' is '%eth0', expected an address or a host name"),
        (" option count '1\n2'", "f:4: 'count' is '1\\x0a2', expected a whole number from 1 to 10000"),
    ])
    func errorsOfAJob(_ lines: String, _ expected: String) { #expect(errors(inJob: lines) == [expected]) }

    @Test(arguments: [
        (
            "interval 0.5",
            "f:4: 'interval' is '0.5', expected a duration from 1s to 366d, such as 200ms or 1.5s"
        ),
        (
            "interval soon",
            "f:4: 'interval' is 'soon', expected a duration from 1s to 366d, such as 200ms or 1.5s"
        ),
        ("at boot", "f:4: 'at' is 'boot', expected start"),
        ("cron '* * * *'", "f:4: cron has 4 fields, expected 5: minute hour day month weekday"),
        ("cron '* * * * * *'", "f:4: cron has 6 fields, expected 5: minute hour day month weekday"),
        ("cron 'x'", "f:4: cron has 1 field, expected 5: minute hour day month weekday"),
        ("cron ' '", "f:4: cron has 0 fields, expected 5: minute hour day month weekday"),
        (
            "cron '@fortnightly'",
            "f:4: expected @hourly, @daily, @weekly, @monthly or @yearly, or five fields"
        ),
        (
            "cron '60 * * * *'",
            "f:4: minute of cron is '60', expected 0-59, *, a list (1,2), a range (1-5) or a step (*/5)"
        ),
        (
            "cron '* * 0 * *'",
            "f:4: day of cron is '0', expected 1-31, *, a list (1,2), a range (1-5) or a step (*/5)"
        ),
        ("cron '0 0 31 feb,apr *'", "f:4: no date ever matches cron, expected a day that its month has"),
        ("at start\n option splay 3s", "f:5: splay without interval, expected option interval or no splay"),
        (
            "cron '@daily'\n option phase 3s",
            "f:5: phase without interval, expected option interval or no phase"
        ),
    ])
    func errorsOfASchedule(_ option: String, _ expected: String) {
        #expect(
            errors(of: "config job a\n option kind ping\n list target h\n option \(option)\n") == [expected])
    }

    @Test func errorsOfTraceAndTrain() {
        let trace = "config job a\n option kind trace\n list target h\n option interval 9s\n"
        #expect(
            errors(of: trace + " option first_hop 9\n option max_hops 8\n")
                == ["f:5: first_hop is above max_hops; lower it or raise max_hops"])
        #expect(errors(of: trace + " option protocol tcp\n option transport socket\n") == [])
        #expect(
            errors(of: trace + " option size 9\n") == [
                "f:5: the probes of a trace need a size of at least 10 bytes to be told apart"
            ])
        #expect(errors(of: trace + " option size 0\n option protocol tcp\n") == [])
        #expect(
            errors(of: trace + " option count 3\n")
                == ["f:5: 'count' is an option of ping and train, this is a trace; remove it"])
        #expect(
            errors(of: trace + " option rate 300\n") == [
                "f:5: that is 300 packets within a second, expected at most 200 (max_pps of config agent)"
            ])
        let train = "config job a\n option kind train\n list target h\n option interval 9s\n"
        #expect(
            errors(of: "config agent\n option output '/tmp/ktrxer/state'\n" + train) == [
                "f:1: output and state are one file; give each its own"
            ])
        #expect(
            errors(of: "config agent\n option max_pps 19\n" + train) == [
                "f:3: that is 20 packets within a second, expected at most 19 (max_pps of config agent)"
            ])
        // The ceiling holds wherever its section stands, and 20 with 50 ms between them fit in 20 a second.
        #expect(
            errors(of: train + " option gap 50ms\n option count 40\nconfig agent\n option max_pps 20\n") == []
        )
        #expect(
            errors(of: train + " option gap 49ms\n option count 40\nconfig agent\n option max_pps 20\n").count
                == 1)
    }

    @Test func aTraceWithoutARateKeepsBelowTheCeiling() throws {
        let file = try #require(
            parsed(
                "config agent\noption max_pps 20\nconfig job a\noption kind trace\nlist target h\noption at start\n"
            ))
        #expect(file.jobs[0].options.rate == 20)
    }

    @Test func tcpProbesAreEmptyAndGoToTheWeb() throws {
        let job = "config job a\noption kind ping\nlist target h\noption at start\noption protocol tcp\n"
        let plain = try #require(parsed(job))
        #expect(plain.jobs[0].options.size == 0)
        #expect(plain.jobs[0].options.port == 80)
        let full = try #require(parsed(job + "option size 9\noption port 443\n"))
        #expect(full.jobs[0].options.size == 0)
        #expect(full.jobs[0].options.port == 443)
    }

    @Test func theSourceDecidesTheFamily() throws {
        let job = "config job a\noption kind ping\nlist target h\noption at start\noption source "
        #expect(try #require(parsed(job + "192.0.2.7\n")).jobs[0].options.family == .ipv4)
        #expect(try #require(parsed(job + "2001:db8::7\n")).jobs[0].options.family == .ipv6)
    }

    @Test func namesOfSections() {
        let body = "\n option kind ping\n list target h\n option at start\n"
        #expect(errors(of: "config job" + body) == ["f:1: a job without a name, expected: config job 'NAME'"])
        #expect(
            errors(of: "config job ''" + body) == ["f:1: a job without a name, expected: config job 'NAME'"])
        #expect(
            errors(of: "config job my-job" + body)
                == ["f:1: 'my-job' is not a valid name, expected letters, digits and _ only"])
        #expect(errors(of: "config job \(String(repeating: "a", count: 64))" + body) == [])
        #expect(
            errors(of: "config job \(String(repeating: "a", count: 65))" + body)
                == ["f:1: the job's name is too long, expected at most 64 characters"])
        #expect(
            errors(of: "config job x" + body + "config agent x\n")
                == ["f:5: the name 'x' is taken by the section in line 1, expected another name"])
        #expect(
            errors(of: "config agent\nconfig job x" + body + "config agent\n")
                == ["f:6: a second config agent, expected one; the first is in line 1"])
    }

    @Test func optionsOfASectionThatCannotBeOpenedAreNotThoseOfTheOneBefore() {
        #expect(
            errors(
                of: """
                    config job a
                     option kind ping
                     list target h
                     option at start
                    config job b-c
                     option interval 10s
                     option kind rubbish
                    """) == ["f:5: 'b-c' is not a valid name, expected letters, digits and _ only"])
    }

    @Test func filesWithoutJobs() {
        #expect(errors(of: "") == ["f:1: the file has no job, expected at least one: config job 'NAME'"])
        #expect(
            errors(of: "package ktrxer\n\n# nothing\nconfig agent\n")
                == ["f:5: the file has no job, expected at least one: config job 'NAME'"])
        #expect(
            errors(of: "option kind ping\n")
                == ["f:1: an option before the first section, expected config agent or config job 'NAME'"])
    }

    @Test func manyErrorsAreCounted() {
        let lines = (0..<150).map { "option wrong_\($0) 1\n" }.joined()
        let report = errors(of: "config job a\noption kind ping\nlist target h\noption at start\n" + lines)
        #expect(report.count == 101)
        #expect(report.first?.hasPrefix("f:5: unknown option 'wrong_0'") == true)
        #expect(report[99].hasPrefix("f:104: unknown option 'wrong_99'"))
        #expect(report.last == "f: 50 more errors; correct these first")
        // An error of an early line that is found late is shown nevertheless.
        let late = errors(of: "config job a\n" + lines)
        #expect(late.first == "f:1: the job has no kind, expected: option kind 'ping', 'trace' or 'train'")
        #expect(late.count == 101)
        #expect(late.last == "f: 53 more errors; correct these first")
    }

    @Test func whatUsersWroteCannotDisturbATerminal() {
        let report = errors(of: ByteText("config job a\n option \"kind\" '\u{1B}[2J\u{9B}'\n"))
        // That the job has no kind, target and schedule is not said: a line of it could not be read.
        #expect(report == ["f:2: control character 0x1b, expected printable text"])
        let high = errors(inJob: " option df \u{9B}")
        #expect(high == ["f:4: 'df' is '\\xc2\\x9b', expected 0 or 1"])
        let long = errors(inJob: " option df " + String(repeating: "x", count: 1_000))
        #expect(long == ["f:4: 'df' is '" + String(repeating: "x", count: 40) + "...', expected 0 or 1"])
    }
}
