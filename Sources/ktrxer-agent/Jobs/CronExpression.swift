// SPDX-License-Identifier: MIT
// Five-field cron expressions as Vixie cron reads them, and the minutes that they name. Which of these
// minutes a job runs at when the clock jumps is the scheduler's to say.
import KTRxerLite

/// A minute of local time, taken apart.
struct CronMinute: Equatable {
    let minute: UInt8
    let hour: UInt8
    /// 1-31
    let day: UInt8
    /// 1-12
    let month: UInt8
    /// 0 = Sunday
    let weekday: UInt8

    /// From minutes since 1970 in local time (not UTC), proleptic Gregorian.
    init(localMinute: Int64) {
        let days = Self.floorDivide(localMinute, 1_440)
        let ofDay = localMinute - days * 1_440
        self.init(localDay: days, ofDay: ofDay)
    }

    /// From days since 1970 and the minute of that day.
    init(localDay days: Int64, ofDay: Int64) {
        minute = UInt8(truncatingIfNeeded: ofDay % 60)
        hour = UInt8(truncatingIfNeeded: ofDay / 60)
        // 1970-01-01 was a Thursday.
        weekday = UInt8(truncatingIfNeeded: days + 4 - Self.floorDivide(days + 4, 7) * 7)
        // Years from March, so that the leap day is the last: H. Hinnant, "chrono-Compatible Low-Level
        // Date Algorithms", civil_from_days.
        let shifted = days + 719_468
        let era = Self.floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = UInt8(truncatingIfNeeded: dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
        month = UInt8(truncatingIfNeeded: monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
    }

    /// Division that rounds down. `divisor` is positive.
    static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }
}

/// The minutes that an expression names: a bit for each value of each field.
struct CronExpression: Equatable, Sendable {
    var minutes: UInt64 = 0
    var hours: UInt32 = 0
    var days: UInt32 = 0
    var months: UInt16 = 0
    var weekdays: UInt8 = 0
    /// The field started with `*`.
    var minuteStar = false
    var hourStar = false
    var dayStar = false
    var weekdayStar = false

    /// Vixie cron's wildcard jobs: they follow the clock as it is, also while it is set back.
    var isWildcard: Bool { minuteStar || hourStar }

    func matches(_ time: CronMinute) -> Bool {
        minutes >> UInt64(time.minute) & 1 != 0 && hours >> UInt32(time.hour) & 1 != 0 && matchesDay(time)
    }

    /// A day matches when both day fields do; when both are restricted, either is enough.
    private func matchesDay(_ time: CronMinute) -> Bool {
        guard months >> UInt16(time.month) & 1 != 0 else { return false }
        let byDay = days >> UInt32(time.day) & 1 != 0
        let byWeekday = weekdays >> time.weekday & 1 != 0
        return dayStar || weekdayStar ? byDay && byWeekday : byDay || byWeekday
    }

    /// The last matching minute at or before `localMinute` and after `lower`; nil when there is none.
    func latest(notAfter localMinute: Int64, after lower: Int64) -> Int64? {
        guard localMinute > lower else { return nil }
        let firstDay = CronMinute.floorDivide(lower + 1, 1_440)
        let today = CronMinute.floorDivide(localMinute, 1_440)
        // No expression waits longer than 40 years: 29 February on one weekday, across the year 2100.
        let oldest = max(firstDay, today - 15_000)
        var day = today
        while day >= oldest {
            if matchesDay(CronMinute(localDay: day, ofDay: 0)) {
                let last = day == today ? localMinute - day * 1_440 : 1_439
                var ofDay = last
                while ofDay >= 0 {
                    let hour = ofDay / 60
                    if hours >> UInt32(truncatingIfNeeded: hour) & 1 != 0 {
                        if minutes >> UInt64(truncatingIfNeeded: ofDay % 60) & 1 != 0 {
                            let found = day * 1_440 + ofDay
                            return found > lower ? found : nil
                        }
                        ofDay -= 1
                    } else {
                        ofDay = hour * 60 - 1
                    }
                }
            }
            day -= 1
        }
        return nil
    }

    /// Whether any date fits: 30 February does not.
    var canMatch: Bool {
        if !dayStar && !weekdayStar { return true }
        for month in 1...12 where months >> UInt16(month) & 1 != 0 {
            let length = month == 2 ? 29 : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
            // Bit 0 is never set: days are from 1.
            if days & (UInt32.max >> UInt32(31 - length)) != 0 { return true }
        }
        return false
    }
}
