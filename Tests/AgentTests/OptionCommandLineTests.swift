// SPDX-License-Identifier: MIT
// The command line: what each command takes, and the one line that is said when it does not.
import KTRxerLite
import Testing

@testable import ktrxer_agent

/// Splits at spaces; `''` is an empty argument.
private func arguments(_ line: String) -> [ByteText] {
    line.split(separator: " ").map { $0 == "''" ? [] : ByteText(String($0)) }
}

private func command(_ line: String, at location: SourceLocation = #_sourceLocation) -> Command? {
    do throws(UsageError) {
        return try OptionsParser.parse(arguments(line))
    } catch {
        Issue.record("\(string(error.text))", sourceLocation: location)
        return nil
    }
}

private func usageError(_ line: String) -> String? {
    do throws(UsageError) {
        _ = try OptionsParser.parse(arguments(line))
        return nil
    } catch {
        return string(error.text)
    }
}

private func measured(_ line: String, at location: SourceLocation = #_sourceLocation) -> AdHocOptions? {
    guard case .measure(let adHoc) = command(line, at: location) else { return nil }
    return adHoc
}

@Suite struct OptionCommandLineTests {
    @Test func lettersAndNamesAreTheSame() throws {
        for line in [
            "ping -4 -P udp -p 7 -s 99 -Q 184 -D -S 192.0.2.9 -I eth0 -T packet -W 3s -t 9 -c 3 -i 200ms a b",
            "ping a --family 4 --protocol udp --port 7 --size 99 --tos 184 --df 1 --source 192.0.2.9 --interface eth0 --transport packet --timeout 3s --ttl 9 --count 3 --gap 200ms b",
            "ping --family=4 --protocol=udp --port=7 --size=99 --tos=184 --df=1 --source=192.0.2.9 --interface=eth0 --transport=packet --timeout=3s --ttl=9 --count=3 --gap=200ms -- a b",
            "ping a b -4Pudp -p7 -s99 -Q184 -DS192.0.2.9 -Ieth0 -Tpacket -W3 -t9 -c3 -i.2",
            "ping -4 -c 100 --prot udp --po 7 --si 99 --to 184 --d 1 --so 192.0.2.9 --in eth0 --tr packet --ti 3s --tt 9 -c 3 --g 200ms a b",
        ] {
            let adHoc = try #require(measured(line))
            let options = adHoc.options
            #expect(adHoc.targets.map(string) == ["a", "b"], "\(line)")
            #expect(options.kind == .ping && options.family == .ipv4 && options.proto == .udp, "\(line)")
            #expect(options.port == 7 && options.size == 99 && options.trafficClass == 184, "\(line)")
            #expect(options.dontFragment && string(options.interface) == "eth0", "\(line)")
            #expect(options.source == IPAddress(v4: 0xC000_0209) && options.transport == .packet, "\(line)")
            #expect(options.timeout == 3_000_000_000 && options.ttl == 9 && options.count == 3, "\(line)")
            #expect(options.gap == 200_000_000, "\(line)")
            #expect(!adHoc.json && adHoc.pcap.isEmpty && adHoc.maxPPS == 200, "\(line)")
        }
    }

    @Test func traceAndTrain() throws {
        for line in [
            "trace -f 2 -m 9 -q 1 -r 50 --json --pcap x.pcapng --max-pps 60 -6 h",
            "trace --first-hop 2 --max-hops 9 --probes 1 --rate 50 --json --pcap=x.pcapng --max_pps=60 -6 h",
            "trace h --first_hop 2 --max_hops=9 --probes 1 --rate 50 --js --pc x.pcapng --max-pp 60 --family 6",
        ] {
            let adHoc = try #require(measured(line))
            #expect(adHoc.options.kind == .trace && adHoc.options.family == .ipv6)
            #expect(adHoc.options.firstHop == 2 && adHoc.options.maxHops == 9)
            #expect(adHoc.options.probesPerHop == 1 && adHoc.options.rate == 50)
            #expect(adHoc.json && string(adHoc.pcap) == "x.pcapng" && adHoc.maxPPS == 60)
        }
        let train = try #require(measured("train h"))
        #expect(train.options.kind == .train && train.options.count == 20 && train.options.gap == 0)
        #expect(try #require(measured("trace --max-pps 20 h")).options.rate == 20)
        #expect(try #require(measured("train -c 300 --max-pps 300 h")).options.count == 300)
        #expect(try #require(measured("ping -Ptcp h")).options.port == 80)
    }

    @Test func valuesMayHaveUnderlines() throws {
        #expect(string(try #require(measured("ping --interface=my_if h_1")).options.interface) == "my_if")
        #expect(try #require(measured("ping -- h_1 h-2")).targets.map(string) == ["h_1", "h-2"])
        #expect(try #require(measured("ping fe80::1%br-lan.2 ff02::1%3")).targets.count == 2)
    }

    @Test func runAndCheck() throws {
        guard case .run(let stay) = try #require(command("run")) else { return #expect(Bool(false)) }
        #expect(stay.mode == .stay && string(stay.file) == "/etc/config/ktrxer" && stay.pcap.isEmpty)
        for line in ["run --once -f jobs", "run -fjobs --once", "run --file jobs --on"] {
            guard case .run(let once) = try #require(command(line)) else { return #expect(Bool(false)) }
            #expect(once.mode == .once && string(once.file) == "jobs")
        }
        guard case .run(let due) = try #require(command("run --due")) else { return #expect(Bool(false)) }
        #expect(due.mode == .due)
        guard case .run(let captured) = try #require(command("run --once --pcap p")) else {
            return #expect(Bool(false))
        }
        #expect(string(captured.pcap) == "p")
        for (line, path) in [
            ("check jobs", "jobs"), ("check -f jobs", "jobs"), ("check", "/etc/config/ktrxer"),
        ] {
            guard case .check(let file) = try #require(command(line)) else { return #expect(Bool(false)) }
            #expect(string(file) == path)
        }
    }

    @Test(arguments: [
        ("help", HelpTopic.all), ("--help", .all), ("-h", .all), ("help ping", .measure(.ping)),
        ("help run", .run), ("help check", .check), ("help version", .all), ("ping --help", .measure(.ping)),
        ("trace -h", .measure(.trace)), ("train h -h", .measure(.train)), ("run -h", .run),
        ("run --help", .run),
        ("check --help", .check),
    ])
    func help(_ line: String, _ topic: HelpTopic) throws {
        guard case .help(let found) = try #require(command(line)) else { return #expect(Bool(false)) }
        #expect(found == topic)
    }

    @Test func version() throws {
        for line in ["version", "--version", "-V"] {
            guard case .version = try #require(command(line)) else { return #expect(Bool(false)) }
        }
    }

    @Test(arguments: [
        ("", "no command; try: ktrxer-agent ping HOST, or ktrxer-agent help"),
        ("pnig h", "unknown command 'pnig', did you mean 'ping'?"),
        ("traceroute h", "unknown command 'traceroute', expected one that 'ktrxer-agent help' lists"),
        ("-c 3 ping", "unknown command '-c', expected one that 'ktrxer-agent help' lists"),
        ("help traec", "unknown command 'traec', did you mean 'trace'?"),
        ("help ping run", "one word too many; remove 'run'"),
        ("version 2", "one word too many; remove '2'"),
        ("ping", "no target, expected an address or a host name: ktrxer-agent ping HOST"),
        ("train --json", "no target, expected an address or a host name: ktrxer-agent train HOST"),
        ("ping a/b", "target 'a/b', expected an address or a host name"),
        (
            "ping 192.0.2.1%eth0",
            "target '192.0.2.1%eth0', expected a link-local address before the %; for others, use interface"
        ),
        ("ping fe80::1%eth:0", "target 'fe80::1%eth:0', expected an interface name after the %"),
        ("ping ''", "target '', expected an address or a host name"),
        ("ping -", "target '-', expected an address or a host name"),
        ("ping a -- -c", "target '-c', expected an address or a host name"),
        ("ping --coutn 3 h", "unknown option '--coutn', did you mean '--count'?"),
        ("ping --coutn=3 h", "unknown option '--coutn=3', did you mean '--count'?"),
        ("trace --maxhops 3 h", "unknown option '--maxhops', did you mean '--max-hops'?"),
        ("ping --xyzzy h", "unknown option '--xyzzy'; see: ktrxer-agent help ping"),
        ("ping --s h", "unknown option '--s' may be one of 2; write it in full"),
        ("ping -z h", "unknown option '-z'; see: ktrxer-agent help ping"),
        ("ping -Dz h", "unknown option '-z'; see: ktrxer-agent help ping"),
        ("ping --json -zD h", "unknown option '-z'; see: ktrxer-agent help ping"),
        ("ping -D: h", "unknown option '-:'; see: ktrxer-agent help ping"),
        ("ping h -c", "'-c' needs a value; see: ktrxer-agent help ping"),
        ("ping h --count", "'--count' needs a value; see: ktrxer-agent help ping"),
        ("ping h --json=1", "'--json' takes no value; see: ktrxer-agent help ping"),
        ("ping h -c 0", "'-c' is '0', expected a whole number from 1 to 10000"),
        ("ping h --count many", "'--count' is 'many', expected a whole number from 1 to 10000"),
        ("ping h -i 1x", "'-i' is '1x', expected a duration from 0s to 1h, such as 200ms or 1.5s"),
        ("ping h --rate 3", "'--rate' is an option of trace, this is a ping; remove it"),
        ("trace h -c 3", "'-c' is an option of ping and train, this is a trace; remove it"),
        ("trace h --first_hop 0", "'--first-hop' is '0', expected a whole number from 1 to 255"),
        ("ping h -p 53", "icmp has no ports; set protocol to udp or tcp, or remove the port"),
        ("trace h -f 9 -m 3", "first_hop is above max_hops; lower it or raise max_hops"),
        (
            "ping h --resolver one.example",
            "'--resolver' is 'one.example', expected the addresses of one to three name servers"
        ),
        ("ping h --max-pps 0", "'--max-pps' is '0', expected a whole number from 1 to 10000"),
        ("ping h --pcap=", "'--pcap' is '', expected a path"),
        (
            "train h -c 201",
            "that is 201 packets within a second, expected at most 200; raise --gap, lower --count or raise --max-pps"
        ),
        (
            "trace h -r 300",
            "that is 300 packets within a second, expected at most 200; lower --rate or raise --max-pps"
        ),
        ("run jobs", "run does not take 'jobs'; give the job file with -f"),
        ("run --once --due", "--once and --due exclude each other; give one of them"),
        ("run --due --once", "--once and --due exclude each other; give one of them"),
        ("run --pcap x", "--pcap of run is for one round of jobs; add --once"),
        ("run -f", "'-f' needs a value; see: ktrxer-agent help run"),
        ("run --onec", "unknown option '--onec', did you mean '--once'?"),
        ("run -4", "unknown option '-4'; see: ktrxer-agent help run"),
        ("run --file=", "'--file' is '', expected a path"),
        ("check a b", "check takes one job file; remove 'b'"),
        ("check -f a b", "check takes one job file; remove 'b'"),
        ("check --once a", "unknown option '--once'; see: ktrxer-agent help check"),
    ])
    func usageErrors(_ line: String, _ expected: String) { #expect(usageError(line) == expected, "\(line)") }

    @Test func clustersAbbreviationsAndOperands() throws {
        let plain = try #require(measured("ping -4Dc3 a --int=eth0 b -- c"))
        #expect(plain.targets.map { string($0) } == ["a", "b", "c"])
        #expect(plain.options.count == 3 && !plain.json)
    }

    @Test func randomArguments() {
        var generator = SystemRandomNumberGenerator()
        let parts = [
            "ping", "trace", "run", "check", "help", "-", "--", "-c", "3", "--count", "=", "-4", "-D", "-Dc",
            "h",
            "--json", "--pcap", "", "x", "\u{FF}", "--max_pps", "-f", "--first_hop=3", "_", "--_", "-i", "1s",
        ]
        for _ in 0..<20_000 {
            let arguments = (0..<Int.random(in: 0..<6, using: &generator)).map { _ in
                ByteText((0..<Int.random(in: 0..<3)).map { _ in parts.randomElement() ?? "" }.joined())
            }
            do throws(UsageError) {
                _ = try OptionsParser.parse(arguments)
            } catch {
                #expect(!error.text.isEmpty && !error.text.contains(0x0A))
            }
        }
        for _ in 0..<20_000 {
            let first = ["ping", "trace", "train", "run", "check"].randomElement() ?? ""
            let rest = (0..<Int.random(in: 0..<5)).map { _ in
                (0..<Int.random(in: 0..<9)).map { _ in UInt8.random(in: 0...255) }
            }
            _ = try? OptionsParser.parse([ByteText(first)] + rest)
        }
    }
}

@Suite struct OptionTableTests {
    @Test func longOptionsAreThoseOfTheTable() {
        for raw in 0..<MeasurementOption.number {
            guard let option = MeasurementOption(rawValue: raw) else { continue }
            #expect(ByteText(OptionSyntax.name(Int(raw))).equalsName(OptionTable.entry(option).name))
            let letter = OptionTable.entry(option).letter
            if letter != 0 {
                #expect(OptionSyntax.measure.letters.description.contains("\(UnicodeScalar(letter)):"))
            }
        }
        #expect(MeasurementOption.number == CommandOption.json.rawValue)
        for (option, name) in [
            (CommandOption.json, "json"), (.maxPPS, "max-pps"), (.resolver, "resolver"), (.pcap, "pcap"),
            (.help, "help"), (.file, "file"), (.once, "once"), (.due, "due"),
        ] {
            #expect(string(ByteText(OptionSyntax.name(Int(option.rawValue)))) == name)
        }
    }

    @Test func namesAreFoundWithDashesAndUnderlines() {
        for raw in 0..<MeasurementOption.number {
            guard let option = MeasurementOption(rawValue: raw) else {
                Issue.record("no option \(raw)")
                continue
            }
            let name = OptionTable.entry(option).name.description
            #expect(OptionTable.find(ByteText(name)) == option)
            #expect(
                OptionTable.find(ByteText(name.map { $0 == "_" ? "-" : $0 }.map(String.init).joined()))
                    == option)
            #expect(OptionTable.find(ByteText(name + "x")) == nil)
        }
        #expect(MeasurementOption(rawValue: MeasurementOption.number) == nil)
    }

    @Test func lettersAreUniqueWithinAKind() {
        for kind in [MeasurementKind.ping, .trace, .train] {
            var letters = Set<UInt8>([0x34, 0x36, 0x44, 0x68])
            for raw in 0..<MeasurementOption.number {
                guard let option = MeasurementOption(rawValue: raw) else { continue }
                let entry = OptionTable.entry(option)
                if entry.letter != 0 && entry.kinds.contains(kind) {
                    #expect(letters.insert(entry.letter).inserted, "\(entry.name)")
                }
            }
        }
    }

    @Test(
        arguments: [
            ("gpa", "gap"), ("intreval", nil), ("cuont", "count"), ("protcol", "protocol"),
            ("max-hop", "max_hops"),
            ("ttl1", "ttl"), ("", nil), ("x", nil), ("zz", nil), ("TIMEOUT", "timeout"),
            ("inter_face", "interface"),
            ("an_option_name_that_is_longer_than_any", nil),
        ] as [(String, String?)])
    func nearest(_ wanted: String, _ expected: String?) {
        var options = MeasurementOptions(kind: .ping)
        guard case .unknown(let nearest) = OptionTable.apply(name: ByteText(wanted), value: [], to: &options)
        else {
            Issue.record("\(wanted) is known")
            return
        }
        #expect(nearest?.description == expected)
    }

    /// Wagner-Fischer with neighbours swapped, written down plainly.
    private func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var table = [[Int]](repeating: [Int](repeating: 0, count: right.count + 1), count: left.count + 1)
        for i in 0...left.count { table[i][0] = i }
        for j in 0...right.count { table[0][j] = j }
        for i in 1..<(left.count + 1) {
            for j in 1..<(right.count + 1) {
                table[i][j] = min(
                    table[i - 1][j] + 1, table[i][j - 1] + 1,
                    table[i - 1][j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1))
                if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                    table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
                }
            }
        }
        return table[left.count][right.count]
    }

    @Test func nearestIsTheNearest() {
        let names: [StaticString] = ["interval", "interface", "splay", "phase", "size"]
        for _ in 0..<5_000 {
            var wanted = ByteText((names.randomElement() ?? "size").description)
            for _ in 0..<Int.random(in: 0...3) {
                let place = Int.random(in: 0..<wanted.count)
                switch Int.random(in: 0...2) {
                case 0: wanted[place] = UInt8.random(in: 0x61...0x7A)
                case 1: wanted.insert(UInt8.random(in: 0x61...0x7A), at: place)
                default: if wanted.count > 1 { wanted.remove(at: place) }
                }
            }
            var nearest = NearestName(to: wanted)
            for name in names { nearest.consider(name) }
            let distances = names.map { distance(wanted, ByteText($0.description)) }
            let least = distances.min() ?? 99
            let bound = min(3, wanted.count / 3)
            #expect(
                nearest.best?.description
                    == (least <= bound ? distances.firstIndex(of: least).map { names[$0].description } : nil),
                "\(string(wanted))")
        }
    }

    @Test func everyValueInRangeIsTakenAndNoOther() {
        for raw in 0..<MeasurementOption.number {
            guard let option = MeasurementOption(rawValue: raw) else { continue }
            let entry = OptionTable.entry(option)
            let kind: MeasurementKind = entry.kinds.contains(.ping) ? .ping : .trace
            func takes(_ value: String) -> Bool {
                var options = MeasurementOptions(kind: kind)
                return OptionTable.apply(option, value: ByteText(value), to: &options) == nil
            }
            switch entry.form {
            case .integer(let low, let high):
                #expect(takes("\(low)") && takes("\(high)") && takes("00\(high)"))
                #expect(!takes("\(low - 1)") && !takes("\(high + 1)") && !takes("\(low).0") && !takes(""))
            case .duration(let low, let high):
                #expect(takes("\(low)ns") && takes("\(high)ns"))
                #expect((low == 0 || !takes("\(low - 1)ns")) && !takes("\(high + 1)ns") && !takes(""))
            case .words(let words):
                let all = words.description.replacing(", ", with: " ").replacing(" or ", with: " ")
                for word in all.split(separator: " ") { #expect(takes(String(word)), "\(word)") }
                #expect(!takes("or") && !takes("") && !takes(all))
            case .bytes, .text: #expect(!takes("") && !takes("\n"))
            }
        }
    }
}
