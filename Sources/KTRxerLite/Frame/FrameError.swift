// SPDX-License-Identifier: MIT
// Why a packet could not be built or read. Parsers meet hostile bytes: every malformed input ends in
// one of these, never in a trap.

/// The cause for which building or parsing a packet stopped.
public enum FrameError: UInt8, Error, Equatable, Sendable {
    /// Parsing: the bytes end inside a header or a field.
    case truncated
    /// Building: the buffer is too small for the packet.
    case noRoom
    /// The IP version field is not the expected one.
    case badVersion
    /// A header's own length field is below its minimum or reaches past the bytes there are.
    case badHeaderLength
    /// A total or payload length field contradicts the headers or the bytes there are.
    case badLength
    /// An option has a length that cannot be.
    case badOption
    /// A checksum does not verify.
    case badChecksum
    /// More nested tags, extension headers or options than any honest packet has.
    case tooManyHeaders
    /// A type or version that this parser does not read.
    case unknownType
    /// Building: a value does not fit its field.
    case badValue
    /// Building: source and destination are of different IP versions.
    case mixedFamilies
    /// Building: a constant-flow ICMP or UDP probe needs 10 bytes of payload for cookie and compensation.
    case payloadTooShort
}

extension FrameError {
    /// One line in plain words.
    public var text: StaticString {
        switch self {
        case .truncated: "the packet ends inside a header"
        case .noRoom: "the packet does not fit its buffer"
        case .badVersion: "not the expected IP version"
        case .badHeaderLength: "a header length that cannot be"
        case .badLength: "a length field that contradicts the packet"
        case .badOption: "an option length that cannot be"
        case .badChecksum: "a checksum does not verify"
        case .tooManyHeaders: "more nested headers than are read"
        case .unknownType: "a packet type that is not read here"
        case .badValue: "a value does not fit its header field"
        case .mixedFamilies: "source and destination differ in IP version"
        case .payloadTooShort:
            "constant-flow ICMP and UDP probes need a payload of 10 bytes or more; raise the size"
        }
    }
}
