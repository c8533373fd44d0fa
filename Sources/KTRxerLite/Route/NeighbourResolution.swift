// SPDX-License-Identifier: MIT
// Makes the kernel resolve a next hop's hardware address, without blocking: the kernel asks (ARP, neighbour
// discovery), this watches its table. Which next hop: Route.swift.
import CKTRxer

/// One next hop being resolved. Driven by an event loop: `service` when `wakeAt` has come or the descriptor
/// is readable.
public final class NeighbourResolution {
    public enum State: Equatable, Sendable {
        case pending
        /// Zero for links without a link header.
        case resolved(MACAddress)
        /// `gatewayUnresolved`, `interfaceDown`, `noPermission`, or what the system said.
        case failed(ProbeError)
    }

    public private(set) var state: State
    /// To poll for reading; -1 when there is none (poll(2) passes over it) and when the state is decided.
    public private(set) var descriptor: Int32 = -1
    /// CLOCK_MONOTONIC ns at which `service` must be called at the latest; `Int64.max` when the state is
    /// decided.
    public private(set) var wakeAt: Int64

    /// After this long nobody is there: as long as the kernel tries, three times a second apart (RFC 4861,
    /// 10).
    static let patience: Int64 = 3_000_000_000
    /// How often the table is read: rarely where changes are announced, in case one gets lost.
    private static let watchedPause: Int64 = 100_000_000
    private static let unwatchedPause: Int64 = 20_000_000

    private var query = ktrxer_neighbour_query()
    private var deadline = Int64.max
    private var nextLook = Int64.min

    /// Nothing is asked before the first `service`.
    public init(route: Route) {
        wakeAt = Int64.max
        if !route.linkType.hasLinkHeader {
            state = .resolved(MACAddress(0))
        } else if let known = route.destinationMAC {
            state = .resolved(known)
        } else if let nextHop = route.nextHop {
            state = .pending
            query = ktrxer_neighbour_query(interface: route.interfaceIndex, address: nextHop)
            descriptor = max(ktrxer_neighbour_watch(), -1)
            wakeAt = 0
        } else {
            state = .failed(.gatewayUnresolved)
        }
    }

    deinit {
        if descriptor >= 0 { ktrxer_neighbour_unwatch(descriptor) }
    }

    /// Looks whether the next hop is known by now; `now` is CLOCK_MONOTONIC ns.
    public func service(now: Int64) {
        guard case .pending = state else { return }
        let isFirst = nextLook == Int64.min
        if isFirst {
            deadline = now &+ Self.patience
            guard ask() else { return }
        }
        let changed = descriptor >= 0 && ktrxer_neighbour_changed(descriptor) != 0
        if isFirst || changed || now >= nextLook { look(now: now, asksAgain: !isFirst) }
        guard case .pending = state else { return }
        if now >= deadline { giveUp() } else { wakeAt = min(nextLook, deadline) }
    }

    /// Reads the table.
    private func look(now: Int64, asksAgain: Bool) {
        var neighbour = ktrxer_neighbour()
        let result = ktrxer_neighbour_lookup(&query, &neighbour)
        nextLook = now &+ (descriptor >= 0 ? Self.watchedPause : Self.unwatchedPause)
        if result < 0 {
            decide(.failed(.fromSystem(Int64(result), during: .readNeighbours)))
        } else if neighbour.has_address != 0 {
            decide(.resolved(MACAddress(systemBytes: neighbour.address)))
        } else if UInt32(neighbour.state) != KTRXER_NEIGHBOUR_INCOMPLETE.rawValue && asksAgain {
            // The kernel has given up on a round that began before ours, or the table was flushed because the
            // interface went down and came back.
            _ = ask()
        }
    }

    /// Sets the kernel going; false when that cannot be, with the state decided.
    private func ask() -> Bool {
        var result = ktrxer_neighbour_use(&query)
        if result < 0 { result = ktrxer_neighbour_knock(&query) }
        if result >= 0 { return true }
        switch ProbeError.fromSystem(Int64(result), during: .resolveNeighbour) {
        case .noRoute: giveUp()
        case let error: decide(.failed(error))
        }
        return false
    }

    /// Nobody answered, unless nobody could be asked.
    private func giveUp() {
        var error = ProbeError.gatewayUnresolved
        do throws(ProbeError) {
            if try !NetworkInterface.lookup(index: query.interface).isRunning { error = .interfaceDown }
        } catch let cause {
            error = cause
        }
        decide(.failed(error))
    }

    private func decide(_ outcome: State) {
        state = outcome
        wakeAt = Int64.max
        if descriptor >= 0 { ktrxer_neighbour_unwatch(descriptor) }
        descriptor = -1
    }
}
