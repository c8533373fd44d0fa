// SPDX-License-Identifier: MIT
// Setting measurement options from text, and what may not go together. Names, ranges and the kinds that
// take an option are in OptionTable.swift.
import KTRxerLite

/// Why an option was not taken.
enum OptionError: Error {
    case unknown(nearest: StaticString?)
    case wrongKind(MeasurementOption, MeasurementKind)
    case badValue(MeasurementOption)
    /// `port` with ICMP.
    case portWithoutPorts
    case hopsReversed
    case sourceFamily
    /// Too little room for what tells the probes of a trace, or UDP probes, apart.
    case traceTooSmall, udpTooSmall

    /// The option to point at, if there is one.
    var option: MeasurementOption? {
        switch self {
        case .unknown: nil
        case .wrongKind(let option, _), .badValue(let option): option
        case .portWithoutPorts: .port
        case .hopsReversed: .firstHop
        case .sourceFamily: .source
        case .traceTooSmall, .udpTooSmall: .size
        }
    }

    /// Appends one line without a newline. `name` and `value` are what was written.
    func append(to text: inout ByteText, name: ByteText, value: ByteText) {
        switch self {
        case .unknown(let nearest):
            text.append(text: "unknown option ")
            text.append(quoted: name)
            text.append(nearest: nearest)
        case .wrongKind(let option, let kind):
            text.append(quoted: name)
            text.append(text: " is an option of ")
            text.append(text: OptionTable.entry(option).kinds.text)
            text.append(text: ", this is a ")
            text.append(text: kind.name)
            text.append(text: "; remove it")
        case .badValue(let option):
            text.append(quoted: name)
            text.append(text: " is ")
            text.append(expected: OptionTable.entry(option).form, insteadOf: value)
        case .portWithoutPorts:
            text.append(text: "icmp has no ports; set protocol to udp or tcp, or remove the port")
        case .hopsReversed: text.append(text: "first_hop is above max_hops; lower it or raise max_hops")
        case .sourceFamily:
            text.append(text: "the source address is not of the family asked for; change one of them")
        case .traceTooSmall:
            text.append(text: "the probes of a trace need a size of at least 10 bytes to be told apart")
        case .udpTooSmall:
            text.append(text: "UDP probes need a size of at least 8 bytes to be told apart")
        }
    }
}

extension Array where Element == UInt8 {
    /// Appends "'name' is 'value', expected …".
    mutating func append(badValue value: ByteText, of name: StaticString, _ form: OptionForm) {
        append(0x27)
        append(text: name)
        append(text: "' is ")
        append(expected: form, insteadOf: value)
    }

    /// Appends what is said of too many packets at once.
    @inline(never)
    mutating func append(burst: Int, text: StaticString, ceiling: Int) {
        append(text: "that is ")
        append(decimal: Int64(burst))
        append(text: text)
        append(decimal: Int64(ceiling))
    }

    /// Appends "'value', expected …".
    @inline(never)
    mutating func append(expected form: OptionForm, insteadOf value: ByteText) {
        append(quoted: value)
        append(text: ", expected ")
        form.append(to: &self)
    }

    /// Appends the end of a message about an unknown name.
    mutating func append(nearest: StaticString?) {
        if let nearest {
            append(text: ", did you mean '")
            append(text: nearest)
            append(text: "'?")
        } else {
            append(text: ", expected one that 'ktrxer-agent help' lists")
        }
    }
}

extension OptionTable {
    /// Sets the option of that name; the nearest known name is in the error when there is none.
    static func apply(
        name: ByteText, value: ByteText, to options: inout MeasurementOptions
    ) -> OptionError? {
        guard let option = find(name) else {
            var nearest = NearestName(to: name)
            suggest(to: &nearest)
            return .unknown(nearest: nearest.best)
        }
        return apply(option, value: value, to: &options)
    }

    /// Sets one option; on an error nothing is changed.
    static func apply(
        _ option: MeasurementOption, value: ByteText, to options: inout MeasurementOptions
    ) -> OptionError? {
        let entry = entry(option)
        guard entry.kinds.contains(options.kind) else { return .wrongKind(option, options.kind) }
        let taken: Bool
        switch entry.form {
        case .integer(let low, let high):
            guard let number = NumberText.parse(value), number >= low, number <= high else {
                return .badValue(option)
            }
            set(option, number: number, in: &options)
            taken = true
        case .duration(let low, let high):
            guard let time = DurationText.parse(value), time >= low, time <= high else {
                return .badValue(option)
            }
            if option == .gap { options.gap = time } else { options.timeout = time }
            taken = true
        case .words: taken = set(option, word: value, in: &options)
        case .text, .bytes: taken = set(option, text: value, in: &options)
        }
        return taken ? nil : .badValue(option)
    }

    private static func set(
        _ option: MeasurementOption, number: Int64, in options: inout MeasurementOptions
    ) {
        switch option {
        case .port: options.port = UInt16(truncatingIfNeeded: number)
        case .size: options.size = Int(truncatingIfNeeded: number)
        case .tos: options.trafficClass = UInt8(truncatingIfNeeded: number)
        case .ttl: options.ttl = UInt8(truncatingIfNeeded: number)
        case .count: options.count = Int(truncatingIfNeeded: number)
        case .firstHop: options.firstHop = UInt8(truncatingIfNeeded: number)
        case .maxHops: options.maxHops = UInt8(truncatingIfNeeded: number)
        case .probes: options.probesPerHop = Int(truncatingIfNeeded: number)
        case .rate: options.rate = Int(truncatingIfNeeded: number)
        default: break
        }
    }

    private static func set(
        _ option: MeasurementOption, word: ByteText, in options: inout MeasurementOptions
    ) -> Bool {
        switch option {
        case .family:
            if word.equals("any") {
                options.family = .any
            } else if word.equals("4") {
                options.family = .ipv4
            } else if word.equals("6") {
                options.family = .ipv6
            } else {
                return false
            }
        case .proto:
            if word.equals("icmp") {
                options.proto = .icmp
            } else if word.equals("udp") {
                options.proto = .udp
            } else if word.equals("tcp") {
                options.proto = .tcpSyn
            } else {
                return false
            }
        case .transport:
            if word.equals("auto") {
                options.transport = .auto
            } else if word.equals("kernel") {
                options.transport = .kernel
            } else if word.equals("packet") {
                options.transport = .packet
            } else if word.equals("socket") {
                options.transport = .socket
            } else {
                return false
            }
        default:
            guard word.equals("0") || word.equals("1") else { return false }
            options.dontFragment = word.equals("1")
        }
        return true
    }

    private static func set(
        _ option: MeasurementOption, text: ByteText, in options: inout MeasurementOptions
    ) -> Bool {
        if option == .source {
            guard let address = IPAddress(text: text), !address.isMulticast, !address.isUnspecified else {
                return false
            }
            options.source = address
        } else {
            guard isInterfaceName(text) else { return false }
            options.interface = text
        }
        return true
    }

    /// What the kernel takes as a device name.
    static func isInterfaceName(_ name: ByteText) -> Bool {
        guard !name.isEmpty, name.count <= 15, !name.equals("."), !name.equals("..") else { return false }
        for byte in name where byte <= 0x20 || byte == 0x2F || byte == 0x3A || byte == 0x7F { return false }
        return true
    }

    /// Call once after all options: refuses what cannot go together, and fills in the defaults that
    /// depend on other options.
    static func settle(_ options: inout MeasurementOptions, given: GivenOptions) -> OptionError? {
        if options.proto == .icmp && given.contains(.port) { return .portWithoutPorts }
        if options.kind == .trace {
            if options.firstHop > options.maxHops { return .hopsReversed }
            if options.proto != .tcpSyn && options.size < 10 { return .traceTooSmall }
        }
        if options.proto == .udp && options.size < 8 { return .udpTooSmall }
        if let source = options.source {
            let family: FamilyPreference = source.family == .ipv4 ? .ipv4 : .ipv6
            if options.family != .any && options.family != family { return .sourceFamily }
            options.family = family
        }
        if options.proto == .tcpSyn {
            // Firewalls drop a SYN that carries data, and the high traceroute ports. A size that was given for all protocols
            // alike is no error; records say that none has left.
            options.size = 0
            if !given.contains(.port) { options.port = 80 }
        }
        return nil
    }

    /// The most probes that leave within any one second.
    static func burst(_ options: MeasurementOptions) -> Int {
        let second: Int64 = 1_000_000_000
        if options.kind == .trace { return options.rate }
        if options.gap <= 0 { return options.count }
        return min(options.count, Int(truncatingIfNeeded: (second - 1) / options.gap + 1))
    }
}
