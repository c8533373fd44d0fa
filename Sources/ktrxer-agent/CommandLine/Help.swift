// SPDX-License-Identifier: MIT
// What `ktrxer-agent help` says. Ranges come from the option table, so that they are true.
import KTRxerLite

enum Help {
    static func text(_ topic: HelpTopic) -> ByteText {
        var text = ByteText()
        switch topic {
        case .all: text.append(text: overview)
        case .run: text.append(text: run)
        case .check: text.append(text: check)
        case .doctor: text.append(text: doctor)
        case .measure(let kind): measure(kind, into: &text)
        }
        return text
    }

    private static let overview: StaticString = """
        ktrxer-agent sends probes at their instant and records what comes back.

          ktrxer-agent ping HOST...     round-trip times, loss, duplicates, reordering
          ktrxer-agent trace HOST...    the routers on the way, all at once (Paris traceroute)
          ktrxer-agent train HOST...    a train of packets: gaps, dispersion, loss
          ktrxer-agent run              stay, and run the jobs of a job file by their schedules
          ktrxer-agent run --once       run all jobs of a job file now
          ktrxer-agent run --due        run what is due since the last time (for cron)
          ktrxer-agent check [FILE]     say what is wrong with a job file
          ktrxer-agent doctor           say what this device can do, and what stands in the way
          ktrxer-agent help COMMAND     the options of a command
          ktrxer-agent version

        Exit status: 0 every target answered, 1 some did not, 2 errors in the job file, 64 wrong usage,
        66 a file cannot be read, 69 could not measure (permission, route, name), 73 and 74 cannot write.

        """

    private static let run: StaticString = """
        ktrxer-agent run [--once | --due] [-f FILE] [--pcap FILE]

          (alone)           stay until SIGTERM; SIGHUP reads the job file again
          --once            run all enabled jobs now, print reports, end
          --due             run the jobs that are due since the last --due, end; for cron
          -f, --file FILE   job file (/etc/config/ktrxer)
          --pcap FILE       with --once: write the frames sent and captured as pcapng

        """

    private static let check: StaticString = """
        ktrxer-agent check [FILE]

        Reads a job file (/etc/config/ktrxer) and prints every error as FILE:LINE: what is wrong, what was expected.
        Exit status: 0 no errors, 2 errors, 66 the file cannot be read.

        """

    private static let doctor: StaticString = """
        ktrxer-agent doctor [--json] [MODULE.ko]

        Looks at kernel module, permissions, timers, clocks and interfaces, and at a module file; sends nothing.
        Exit status: 0 the kernel transport works, 1 it does not.

        """

    private static func measure(_ kind: MeasurementKind, into text: inout ByteText) {
        text.append(text: "ktrxer-agent ")
        text.append(text: kind.name)
        text.append(text: " [OPTION...] HOST...\n\n")
        for number in 0..<MeasurementOption.number {
            guard let option = MeasurementOption(rawValue: number) else { continue }
            let entry = OptionTable.entry(option)
            guard entry.kinds.contains(kind) else { continue }
            let start = text.count
            text.append(text: "  ")
            if entry.letter != 0 {
                text.append(0x2D)
                text.append(entry.letter)
                text.append(text: ", ")
            } else {
                text.append(text: "    ")
            }
            text.append(text: "--")
            text.append(text: entry.name)
            while text.count - start < 22 { text.append(0x20) }
            text.append(text: meaning(option, kind))
            text.append(text: ": ")
            entry.form.append(to: &text)
            text.append(0x0A)
        }
        text.append(
            text: """
                  -4, -6              IPv4 or IPv6 only
                  -D                  as --df 1
                      --json          records (docs/results.md) instead of text
                      --pcap FILE     write the frames sent and captured as pcapng
                      --max-pps N     never more packets than this in any second (200)
                      --resolver IP   name servers, in place of /etc/resolv.conf's

                """)
    }

    private static func meaning(_ option: MeasurementOption, _ kind: MeasurementKind) -> StaticString {
        switch option {
        case .family: "which address of a name (any)"
        case .proto: kind == .ping ? "what the probes are (icmp)" : "what the probes are (udp)"
        case .port: "UDP or TCP destination port (33434)"
        case .size:
            switch kind {
            case .ping: "payload bytes (56)"
            case .trace: "payload bytes (32)"
            case .train: "payload bytes (100)"
            }
        case .tos: "IPv4 TOS or IPv6 traffic class (0)"
        case .df: "don't fragment (0)"
        case .source: "source address (the routing table's)"
        case .interface: "interface to leave by (the routing table's)"
        case .transport: "how to send (auto)"
        case .timeout: kind == .trace ? "longest wait for an answer (1.5s)" : "longest wait for an answer (2s)"
        case .ttl: "TTL or hop limit (64)"
        case .count: kind == .ping ? "number of probes (10)" : "number of probes (20)"
        case .gap: kind == .ping ? "from one launch to the next (1s)" : "from one launch to the next (0, back to back)"
        case .firstHop: "TTL to begin with (1)"
        case .maxHops: "TTL to end with (30)"
        case .probes: "probes for each hop (3)"
        case .rate: "most probes in a second (100)"
        }
    }
}
