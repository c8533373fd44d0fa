// SPDX-License-Identifier: MIT
// A target's name to its addresses, without blocking. Literal addresses are read here and cost nothing; the C
// library's resolver looks everything else up in a child process.
import CKTRxer

/// One name being resolved. Driven by an event loop: `service` when `wakeAt` has come or the descriptor is
/// readable.
public final class NameResolution {
    public enum State: Equatable, Sendable {
        case pending
        /// At least one address, of the family asked for, best first (RFC 6724); at most 8.
        case resolved([IPAddress])
        /// `nameNotFound`, `nameServiceFailed`, `nameServersSilent`, `noNameServer`, `wrongFamily`, or what the
        /// system said.
        case failed(ProbeError)
    }

    public private(set) var state: State
    /// To poll for reading; -1 when the state is decided (poll(2) passes over it).
    public private(set) var descriptor: Int32 = -1
    /// CLOCK_MONOTONIC ns at which `service` must be called at the latest; `Int64.max` when the state is
    /// decided.
    public private(set) var wakeAt = Int64.max

    /// The child that looks the name up; 0 when there is none.
    private(set) var process: Int32 = 0

    /// Starts at once.
    /// - Parameters:
    ///   - name: a literal address or a host name, bytes without NUL.
    ///   - family: which addresses will do.
    ///   - timeout: how long the name servers are waited for, ns; then it is `nameServersSilent`.
    public init(name: ByteText, family: FamilyPreference = .any, timeout: Int64 = 10_000_000_000) {
        state = .pending
        if let address = IPAddress(text: name) {
            let fits =
                switch family {
                case .any: true
                case .ipv4: address.family == .ipv4
                case .ipv6: address.family == .ipv6
                }
            state = fits ? .resolved([address]) : .failed(.wrongFamily)
        } else if !isPlausibleName(name) {
            state = .failed(.nameNotFound)
        } else {
            start(name, family: family, timeout: timeout)
        }
    }

    deinit {
        if descriptor >= 0 { ktrxer_resolve_close(descriptor, process) }
    }

    private func start(_ name: ByteText, family: FamilyPreference, timeout: Int64) {
        let version: Int32 =
            switch family {
            case .any: 0
            case .ipv4: 4
            case .ipv6: 6
            }
        let result = (name + [0]).withUnsafeBytes {
            ktrxer_resolve_start($0.baseAddress?.assumingMemoryBound(to: CChar.self), version, &process)
        }
        guard result >= 0 else {
            state = .failed(.fromSystem(Int64(result), during: .resolveName))
            return
        }
        descriptor = result
        let (end, overflows) = ktrxer_clock_monotonic().addingReportingOverflow(max(0, timeout))
        wakeAt = overflows ? Int64.max : end
    }

    /// Takes the answer if it is there; `now` is CLOCK_MONOTONIC ns.
    public func service(now: Int64) {
        guard case .pending = state else { return }
        var answer = ktrxer_resolve_answer()
        let result = ktrxer_resolve_read(descriptor, &answer)
        if result > 0 {
            decide(outcome(of: answer))
        } else if result < 0 || now >= wakeAt {
            decide(.failed(result < 0 ? .nameServiceFailed : .nameServersSilent))
        }
    }

    private func outcome(of answer: ktrxer_resolve_answer) -> State {
        switch UInt32(answer.status) {
        case KTRXER_RESOLVE_OK.rawValue: break
        case KTRXER_RESOLVE_NOT_FOUND.rawValue: return .failed(.nameNotFound)
        case KTRXER_RESOLVE_WRONG_FAMILY.rawValue: return .failed(.wrongFamily)
        case KTRXER_RESOLVE_SILENT.rawValue: return .failed(.nameServersSilent)
        case KTRXER_RESOLVE_NO_SERVER.rawValue: return .failed(.noNameServer)
        default: return .failed(.nameServiceFailed)
        }
        var addresses: [IPAddress] = []
        withUnsafeBytes(of: answer.addresses) { bytes in
            let size = MemoryLayout<ktrxer_resolve_address>.size
            for index in 0..<min(Int(answer.count), bytes.count / size) {
                let entry = bytes.loadUnaligned(fromByteOffset: index * size, as: ktrxer_resolve_address.self)
                if let address = IPAddress(family: entry.family, systemBytes: entry.bytes) {
                    addresses.append(address)
                }
            }
        }
        return addresses.isEmpty ? .failed(.nameNotFound) : .resolved(addresses)
    }

    private func decide(_ outcome: State) {
        state = outcome
        wakeAt = Int64.max
        ktrxer_resolve_close(descriptor, process)
        descriptor = -1
    }
}

/// What may be asked of a resolver: 1 to 253 printable bytes (RFC 1035, 2.3.4) without spaces. Non-ASCII is
/// passed on.
private func isPlausibleName(_ name: ByteText) -> Bool {
    guard !name.isEmpty, name.count <= 253 else { return false }
    for byte in name where byte <= 0x20 || byte == 0x7F { return false }
    return true
}
