// SPDX-License-Identifier: MIT
// Cron expressions through the calendar, the scheduler over simulated time, and the state of `run --due`.
import KTRxerLite

private let second: Int64 = 1_000_000_000
private let minute: Int64 = 60 * second
private let hour: Int64 = 60 * minute

func runSchedules() {
    run("calendar") { () throws(FrameError) in checkCalendar() }
    run("cron") { () throws(FrameError) in
        // 2024-01-01 was a Monday; a leap year has 366 days, 53 Mondays and 52 Fridays.
        try checkCron("* * * * *", 527_040)
        try checkCron("0 0 29 feb *", 1)
        try checkCron("*/7 8-18 * * *", 9 * 11 * 366)
        try checkCron("30 2 * * mon", 53)
        try checkCron("0 3 13 * fri", 12 + 52 - 2)
        try checkCron("59 23 31 * *", 7)
        expect(cron("0 0 30 2 *") == nil && cron("60 * * * *") == nil && cron("* * * *") == nil)
    }
    run("scheduler") { () throws(FrameError) in try checkScheduler() }
    run("due") { () throws(FrameError) in try checkDue() }
}

private func cron(_ text: StaticString) -> CronExpression? {
    do throws(CronError) { return try CronExpression(ByteText(text)) } catch { return nil }
}

private func job(_ name: StaticString, _ schedule: Schedule) -> Job {
    Job(
        name: ByteText(name), line: 1, options: MeasurementOptions(kind: .ping), targets: [ByteText("h")],
        schedule: schedule, enabled: true)
}

/// Every day of 1900 to 2100, counted up and not computed.
private func checkCalendar() {
    var (day, month, year, weekday) = (1, 1, 1900, 1)
    var right = true
    for days in Int64(-25_567)...47_846 {
        let found = CronMinute(localDay: days, ofDay: 61)
        right = right && Int(found.day) == day && Int(found.month) == month && Int(found.weekday) == weekday
        right = right && found.hour == 1 && found.minute == 1
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let length = month == 2 ? (leap ? 29 : 28) : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
        weekday = (weekday + 1) % 7
        day += 1
        if day > length { (day, month) = (1, month + 1) }
        if month > 12 { (month, year) = (1, year + 1) }
    }
    expect(right && year == 2101)
}

/// How many minutes of 2024 it names.
private func checkCron(_ text: StaticString, _ expected: Int) throws(FrameError) {
    let expression = try required(cron(text))
    let first: Int64 = 19_723 * 1_440
    var count = 0
    for minute in first..<(first + 366 * 1_440) where expression.matches(CronMinute(localMinute: minute)) { count += 1 }
    expect(count == expected)
}

private func checkScheduler() throws(FrameError) {
    let jobs = [
        job("a", .interval(interval: 10 * second, phase: 0, splay: 0)),
        job("b", .interval(interval: 15 * second, phase: 4 * second, splay: 3 * second)),
        job("c", .atStart), job("d", .cron(try required(cron("*/2 * * * *")))),
    ]
    var boottime = 40 * second
    let ahead = 20_000 * 24 * hour + 30 * second
    func now() -> ClockReading { ClockReading(boottime: boottime, realtime: boottime + ahead, utcOffset: 3_600) }
    var scheduler = Scheduler(jobs, now: now(), seed: 77)
    var counts = [0, 0, 0, 0]
    var text = ByteText("starts")
    while boottime < 640 * second {
        for due in scheduler.due(now()) {
            counts[due.job] += 1
            scheduler.finished(due.job)
            if due.job == 0 {
                expect(boottime == 40 * second + Int64(counts[0] - 1) * 10 * second)
            } else {
                text.append(0x20)
                text.append(contentsOf: jobs[due.job].name)
                text.append(milliseconds: boottime - 40 * second)
            }
        }
        let wake = scheduler.nextWake(now())
        expect(wake > boottime)
        boottime = wake
    }
    show(text)
    expect(counts == [60, 40, 1, 5])
}

private func checkDue() throws(FrameError) {
    let jobs = [
        job("five", .interval(interval: 5 * minute, phase: 0, splay: 0)),
        job("spread", .interval(interval: hour, phase: 0, splay: 50 * minute)),
        job("night", .cron(try required(cron("30 2 * * *")))), job("start", .atStart),
    ]
    var file = ByteText()
    var counts = [0, 0, 0, 0]
    for step in 0..<(48 * 60) {
        let state = DueState(file) ?? DueState()
        let boottime = Int64(step + 1) * minute
        let now = ClockReading(boottime: boottime, realtime: 20_000 * 24 * hour + boottime, utcOffset: 0)
        let (due, next) = state.decide(jobs, now: now, boot: ByteText("boot-1"), seed: 12_345)
        for due in due { counts[due.job] += 1 }
        file = next.text
    }
    show(file)
    expect(counts[0] == 577 && counts[2] == 2 && counts[3] == 1)
    expect(counts[1] >= 48 && counts[1] <= 49)
    expect(DueState(ByteText(file.dropLast())) == nil)
}
