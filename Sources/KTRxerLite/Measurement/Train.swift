// SPDX-License-Identifier: MIT
// train: probes with exact gaps, or back to back. Records, answers and the end are ProbeSeries.swift's.

/// `count` probes, `gap` apart; with a gap of 0 all have one launch time and leave back to back. The gaps
/// are what is measured: when the first is held back, the whole train moves with it.
public final class Train: ProbeSeries {
    /// - Parameter start: launch time of the first probe, CLOCK_MONOTONIC ns, unless it is held back.
    public init(options: MeasurementOptions, destination: IPAddress, start: Int64) {
        super.init(kind: .train, options: options, destination: destination, start: start)
    }

    public override var launchPolicy: LaunchPolicy {
        ledger.records.isEmpty ? .run(count: count, gap: gap) : .placed
    }

    public override func launch(at: Int64) -> Probe {
        if ledger.records.isEmpty { start = at }
        return super.launch(at: at)
    }
}
