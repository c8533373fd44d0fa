// SPDX-License-Identifier: MIT
// Probes that wait for their launch time, and how early to wake up for one. Shared by the transports
// that schedule in user space.

/// Probes ordered by launch time, then by submission.
struct LaunchQueue {
    private var waiting: [Probe] = []
    /// Probes before this index are gone; they are removed in bulk.
    private var head = 0

    var isEmpty: Bool { head == waiting.count }
    var first: Probe? { isEmpty ? nil : waiting[head] }

    mutating func insert(_ probe: Probe) {
        var position = waiting.count
        while position > head && waiting[position - 1].launch > probe.launch { position -= 1 }
        waiting.insert(probe, at: position)
    }

    /// Puts back one that was taken, in front of all others with the same launch time.
    mutating func putBack(_ probe: Probe) {
        var position = head
        while position < waiting.count && waiting[position].launch < probe.launch { position += 1 }
        waiting.insert(probe, at: position)
    }

    mutating func removeFirst() -> Probe {
        let probe = waiting[head]
        head += 1
        if head == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 64 {
            waiting.removeFirst(head)
            head = 0
        }
        return probe
    }
}

/// How long before a launch to wake up: sleeping ends late, by an amount that is learnt, and the rest of
/// the time is spent spinning.
struct WakeLead {
    /// ns; between the bounds below.
    private(set) var lead: Int64 = 100_000
    private static let shortest: Int64 = 30_000
    private static let longest: Int64 = 500_000

    /// Longest time that is ever spun for, ns: a processor is not kept from its other work for longer.
    static let spinLimit: Int64 = longest + 100_000

    /// Learns from a wake-up that was planned for one instant and came at another.
    mutating func woke(planned: Int64, at actual: Int64) {
        let lateness = actual - planned
        // Much too late is another program's fault, not the timer's; much too early another event's.
        guard lateness >= 0 && lateness < 5_000_000 else { return }
        let wanted = lateness + lateness / 2 + Self.shortest
        if wanted > lead {
            lead = min(wanted, Self.longest)
        } else {
            lead -= (lead - wanted) / 32
        }
    }
}
