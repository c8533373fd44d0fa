// SPDX-License-Identifier: MIT
// The schedule of a job, from the options of its section: interval with phase and splay, or cron, or at.
import KTRxerLite

extension JobFileParser {
    /// The schedule of the section that has just ended; nil with at least one error reported.
    func schedule() -> Schedule? {
        let interval = section.line(of: .interval as JobOption)
        let cron = section.line(of: .cron as JobOption)
        let start = section.line(of: .at as JobOption)
        let given = (interval != 0 ? 1 : 0) + (cron != 0 ? 1 : 0) + (start != 0 ? 1 : 0)
        if given > 1 {
            report(
                max(interval, max(cron, start)),
                "a second schedule, expected only one of interval, cron and at")
            return nil
        }
        if interval != 0 { return intervalSchedule() }
        checkNoInterval(.phase, "phase without interval, expected option interval or no phase")
        checkNoInterval(.splay, "splay without interval, expected option interval or no splay")
        if cron != 0 { return cronSchedule(line: cron) }
        if start == 0 {
            reportMissing("the job has no schedule, expected option interval, cron or at")
        } else if !section.value(of: .at as JobOption).equals("start") {
            report(badValueOf: .at)
        } else {
            return .atStart
        }
        return nil
    }

    private func intervalSchedule() -> Schedule? {
        let interval = duration(.interval)
        let phase = section.line(of: .phase as JobOption) == 0 ? 0 : duration(.phase)
        let splay = section.line(of: .splay as JobOption) == 0 ? 0 : duration(.splay)
        guard let interval, let phase, let splay else { return nil }
        var limit = ByteText()
        limit.append(duration: interval)
        if phase >= interval {
            report(
                section.line(of: .phase as JobOption), "phase is not below interval, expected less than ",
                quoting: limit)
        }
        if splay >= interval {
            report(
                section.line(of: .splay as JobOption), "splay is not below interval, expected less than ",
                quoting: limit)
        }
        if phase >= interval || splay >= interval { return nil }
        return .interval(interval: interval, phase: phase, splay: splay)
    }

    private func cronSchedule(line: Int) -> Schedule? {
        do throws(CronError) {
            return .cron(try CronExpression(section.value(of: .cron as JobOption)))
        } catch {
            var text = ByteText()
            error.append(to: &text)
            report(line, text)
            return nil
        }
    }

    /// phase and splay belong to an interval.
    private func checkNoInterval(_ option: JobOption, _ message: StaticString) {
        let line = section.line(of: option)
        if line != 0 { report(line, message) }
    }

    private func duration(_ option: JobOption) -> Int64? {
        if case .duration(let low, let high) = option.form,
            let time = DurationText.parse(section.value(of: option)), time >= low, time <= high
        {
            return time
        }
        report(badValueOf: option)
        return nil
    }
}
