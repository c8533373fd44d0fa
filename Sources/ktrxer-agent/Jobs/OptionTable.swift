// SPDX-License-Identifier: MIT
// The one table of measurement options: names, short letters, which kinds take them, ranges. The job file
// and the command line both read it, so that an option means the same in both. Setting the values and
// what may go together is in OptionValues.swift.
import KTRxerLite

/// An option of a measurement. Raw values are bit numbers of `GivenOptions`.
enum MeasurementOption: UInt8 {
    case family, proto, port, size, tos, df, source, interface, transport, timeout
    case ttl, count, gap
    case firstHop, maxHops, probes, rate

    static let number: UInt8 = 17
}

/// Which options were given, one bit each.
struct GivenOptions {
    private(set) var bits: UInt32 = 0

    mutating func insert(_ option: MeasurementOption) { bits |= 1 << UInt32(option.rawValue) }
    func contains(_ option: MeasurementOption) -> Bool { bits >> UInt32(option.rawValue) & 1 != 0 }
}

/// Some of the measurement kinds.
struct KindSet {
    let bits: UInt8

    static let all = KindSet(bits: 7)
    static let pingAndTrain = KindSet(bits: 5)
    static let trace = KindSet(bits: 2)

    func contains(_ kind: MeasurementKind) -> Bool { bits >> kind.rawValue & 1 != 0 }

    /// The names, for a sentence.
    var text: StaticString {
        switch bits {
        case 5: "ping and train"
        case 2: "trace"
        default: "ping, trace and train"
        }
    }
}

/// What a value must look like.
enum OptionForm {
    /// One of a few words, told in the text.
    case words(StaticString)
    case integer(from: Int64, to: Int64)
    /// ns.
    case duration(from: Int64, to: Int64)
    case bytes(from: Int64, to: Int64)
    /// Anything else, told in the text.
    case text(StaticString)

    /// Appends "expected …" without that word.
    func append(to text: inout ByteText) {
        switch self {
        case .words(let words): text.append(text: words)
        case .text(let description): text.append(text: description)
        case .integer(let low, let high):
            text.append(text: "a whole number from ")
            text.append(decimal: low)
            text.append(text: " to ")
            text.append(decimal: high)
        case .duration(let low, let high):
            text.append(text: "a duration from ")
            text.append(duration: low)
            text.append(text: " to ")
            text.append(duration: high)
            text.append(text: ", such as 200ms or 1.5s")
        case .bytes(let low, let high):
            text.append(text: "a size in bytes from ")
            text.append(byteSize: low)
            text.append(text: " to ")
            text.append(byteSize: high)
            text.append(text: ", such as 512k or 1m")
        }
    }
}

/// One line of the table.
struct OptionEntry {
    let name: StaticString
    /// The command line's letter, or 0.
    let letter: UInt8
    let kinds: KindSet
    let form: OptionForm
}

enum OptionTable {
    private static let second: Int64 = 1_000_000_000

    static func entry(_ option: MeasurementOption) -> OptionEntry {
        switch option {
        case .family: OptionEntry(name: "family", letter: 0, kinds: .all, form: .words("any, 4 or 6"))
        case .proto:
            OptionEntry(name: "protocol", letter: 0x50, kinds: .all, form: .words("icmp, udp or tcp"))
        case .port:
            OptionEntry(name: "port", letter: 0x70, kinds: .all, form: .integer(from: 1, to: 65_535))
        case .size:
            OptionEntry(name: "size", letter: 0x73, kinds: .all, form: .integer(from: 0, to: 65_000))
        case .tos:
            OptionEntry(name: "tos", letter: 0x51, kinds: .all, form: .integer(from: 0, to: 255))
        case .df: OptionEntry(name: "df", letter: 0, kinds: .all, form: .words("0 or 1"))
        case .source:
            OptionEntry(
                name: "source", letter: 0x53, kinds: .all,
                form: .text("an IPv4 or IPv6 address of this host"))
        case .interface:
            OptionEntry(
                name: "interface", letter: 0x49, kinds: .all,
                form: .text("an interface name of 1 to 15 characters"))
        case .transport:
            OptionEntry(
                name: "transport", letter: 0x54, kinds: .all, form: .words("auto, kernel, packet or socket"))
        case .timeout:
            OptionEntry(
                name: "timeout", letter: 0x57, kinds: .all,
                form: .duration(from: 1_000_000, to: 60 * second))
        case .ttl:
            OptionEntry(name: "ttl", letter: 0x74, kinds: .pingAndTrain, form: .integer(from: 1, to: 255))
        case .count:
            OptionEntry(
                name: "count", letter: 0x63, kinds: .pingAndTrain, form: .integer(from: 1, to: 10_000))
        case .gap:
            OptionEntry(
                name: "gap", letter: 0x69, kinds: .pingAndTrain,
                form: .duration(from: 0, to: 3_600 * second))
        case .firstHop:
            OptionEntry(name: "first_hop", letter: 0x66, kinds: .trace, form: .integer(from: 1, to: 255))
        case .maxHops:
            OptionEntry(name: "max_hops", letter: 0x6D, kinds: .trace, form: .integer(from: 1, to: 255))
        case .probes:
            OptionEntry(name: "probes", letter: 0x71, kinds: .trace, form: .integer(from: 1, to: 10))
        case .rate:
            OptionEntry(name: "rate", letter: 0x72, kinds: .trace, form: .integer(from: 1, to: 10_000))
        }
    }

    /// The option of that name, `-` and `_` being equal.
    static func find(_ name: ByteText) -> MeasurementOption? {
        for raw in 0..<MeasurementOption.number {
            if let option = MeasurementOption(rawValue: raw), name.equalsName(entry(option).name) {
                return option
            }
        }
        return nil
    }

    /// Offers every name as a candidate.
    static func suggest(to nearest: inout NearestName) {
        for raw in 0..<MeasurementOption.number {
            if let option = MeasurementOption(rawValue: raw) { nearest.consider(entry(option).name) }
        }
    }
}
