// SPDX-License-Identifier: MIT
// ping: probes at a steady interval. Records, answers and the end are ProbeSeries.swift's.

/// `count` probes, `gap` apart. Each is meant to leave on the timetable that `start` begins: one that the
/// rate ceiling holds back does not shift those after it.
public final class Ping: ProbeSeries {
    /// - Parameter start: launch time of the first probe, CLOCK_MONOTONIC ns.
    public init(options: MeasurementOptions, destination: IPAddress, start: Int64) {
        super.init(kind: .ping, options: options, destination: destination, start: start)
    }
}
