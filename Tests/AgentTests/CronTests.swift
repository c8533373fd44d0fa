// SPDX-License-Identifier: MIT
// Cron expressions against a matcher that shares nothing with them: it expands fields by splitting text,
// and walks through the calendar minute by minute.
import KTRxerLite
import Testing

@testable import ktrxer_agent

struct FixedGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}

/// A date that is counted up, not computed.
struct Walk {
    var minuteOf1970: Int64
    var year: Int
    var month: Int
    var day: Int
    var hour = 0
    var minute = 0
    var weekday: Int

    /// 2023-12-31 00:00, a Sunday.
    init() {
        minuteOf1970 = 1_703_980_800 / 60
        (year, month, day, weekday) = (2023, 12, 31, 0)
    }

    mutating func next() {
        minuteOf1970 += 1
        minute += 1
        if minute < 60 { return }
        (minute, hour) = (0, hour + 1)
        if hour < 24 { return }
        (hour, day, weekday) = (0, day + 1, (weekday + 1) % 7)
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        if day <= lengths[month - 1] { return }
        (day, month) = (1, month + 1)
        if month == 13 { (month, year) = (1, year + 1) }
    }
}

/// Sets of values, from the text.
struct PlainCron {
    var fields: [Set<Int>]
    var dayStar: Bool
    var weekdayStar: Bool

    init(_ text: String) {
        let parts = text.split(separator: " ").map(String.init)
        let ranges = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
        fields = zip(parts, ranges).map { part, range in
            var values = Set<Int>()
            for element in part.split(separator: ",") {
                let halves = element.split(separator: "/")
                let step = halves.count == 2 ? Int(halves[1])! : 1
                let ends =
                    halves[0] == "*" ? [] : halves[0].split(separator: "-").map { Self.number(String($0)) }
                let low = halves[0] == "*" ? range.0 : ends[0]
                let high = halves[0] == "*" ? range.1 : ends.count == 2 ? ends[1] : low
                for value in low...high where (value - low) % step == 0 { values.insert(value) }
            }
            return values
        }
        if fields[4].contains(7) { fields[4].insert(0) }
        dayStar = parts[2].hasPrefix("*")
        weekdayStar = parts[4].hasPrefix("*")
    }

    static func number(_ text: String) -> Int {
        let months = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        let days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
        return Int(text) ?? months.firstIndex(of: text.lowercased()) ?? days.firstIndex(
            of: text.lowercased())!
    }

    func matches(_ date: Walk) -> Bool {
        guard fields[0].contains(date.minute), fields[1].contains(date.hour), fields[3].contains(date.month)
        else { return false }
        let day = fields[2].contains(date.day)
        let weekday = fields[4].contains(date.weekday)
        return dayStar || weekdayStar ? day && weekday : day || weekday
    }
}

func cron(_ text: String) -> CronExpression? {
    do throws(CronError) { return try CronExpression(ByteText(text)) } catch { return nil }
}

@Suite struct CronTests {
    private static let expressions = [
        "* * * * *", "0 0 * * *", "*/5 * * * *", "5-59/10 8-18 * * *", "0 3 1 * *", "0 3 1 * mon",
        "0 3 * * mon-fri",
        "0 3 */2 * 1", "30 2 29 feb *", "59 23 31 12 *", "0 12 * * 7", "0 12 * * 0", "0 12 * * 5-7",
        "1,2,3 4 5,6 7-9 *",
        "0 0 13 * fri", "*/7 */5 */3 */2 */2", "0-10/3,50-59/4 0,12 * JAN-MAR,DEC Sun", "17 4 * * sat,sun",
        "0 0 30 4,6,9,11 *", "*,5 1 * * *",
    ]

    /// A random expression that some date fits.
    private static func random(_ generator: inout FixedGenerator) -> String {
        let ranges = [(0, 59), (0, 23), (1, 28), (1, 12), (0, 7)]
        return ranges.map { low, high in
            (0..<Int.random(in: 1...2, using: &generator)).map { _ -> String in
                let first = Int.random(in: low...high, using: &generator)
                let last = Int.random(in: first...high, using: &generator)
                let step = Int.random(in: 1...max(1, high / 2), using: &generator)
                return ["*", "*/\(step)", "\(first)", "\(first)-\(last)", "\(first)-\(last)/\(step)"]
                    .randomElement(using: &generator)!
            }.joined(separator: ",")
        }.joined(separator: " ")
    }

    /// Every minute of two years and two days around them.
    @Test func everyMinuteOfTwoYears() throws {
        var generator = FixedGenerator(state: 5)
        let texts = Self.expressions + (0..<12).map { _ in Self.random(&generator) }
        var expressions: [CronExpression] = []
        for text in texts { expressions.append(try #require(cron(text), "\(text)")) }
        let plain = texts.map(PlainCron.init)
        var wrong = 0
        var date = Walk()
        while date.year < 2026 {
            let time = CronMinute(localMinute: date.minuteOf1970)
            if Int(time.minute) != date.minute || Int(time.hour) != date.hour || Int(time.day) != date.day
                || Int(time.month) != date.month || Int(time.weekday) != date.weekday
            {
                wrong += 1
            }
            // One in three expressions each minute, and all of them around the turn of an hour.
            for index in 0..<texts.count
            where (date.minuteOf1970 + Int64(index)) % 3 == 0 || date.minute < 2 || date.minute > 57 {
                if expressions[index].matches(time) != plain[index].matches(date) {
                    wrong += 1
                    Issue.record("\(texts[index]) at \(date)")
                    if wrong > 5 { return }
                }
            }
            date.next()
        }
        #expect(wrong == 0)
    }

    @Test func datesFarAway() {
        #expect(CronMinute(localMinute: 0) == CronMinute(localDay: 0, ofDay: 0))
        let cases: [(Int64, UInt8, UInt8, UInt8)] = [
            (0, 1, 1, 4), (-1, 31, 12, 3), (-719_468, 1, 3, 3), (11_016, 29, 2, 2), (47_540, 28, 2, 0),
            (47_541, 1, 3, 1),
            (2_932_896, 31, 12, 5),
        ]
        for (day, dayOfMonth, month, weekday) in cases {
            let time = CronMinute(localDay: day, ofDay: 61)
            #expect(time.day == dayOfMonth && time.month == month && time.weekday == weekday, "\(day)")
            #expect(time.hour == 1 && time.minute == 1)
        }
    }

    /// `latest` against a search minute by minute.
    @Test func latest() throws {
        var generator = FixedGenerator(state: 6)
        let start = Walk().minuteOf1970
        for text in Self.expressions + (0..<40).map({ _ in Self.random(&generator) }) {
            let expression = try #require(cron(text), "\(text)")
            let upper = start + Int64.random(in: 0..<500_000, using: &generator)
            for span in [0, 1, 7, 60, 1_441, 20_000] as [Int64] {
                var expected: Int64?
                var minute = upper
                while expected == nil && minute > upper - span {
                    if expression.matches(CronMinute(localMinute: minute)) { expected = minute }
                    minute -= 1
                }
                #expect(
                    expression.latest(notAfter: upper, after: upper - span) == expected,
                    "\(text) \(upper) \(span)")
            }
        }
        // 29 February 2104 is the first after that of 2096.
        let leap = try #require(cron("0 0 29 2 *"))
        let of2096 = Int64(46_080) * 1_440
        #expect(CronMinute(localMinute: of2096).month == 2 && CronMinute(localMinute: of2096).day == 29)
        #expect(leap.latest(notAfter: Int64(49_000) * 1_440 - 1, after: 0) == of2096)
        // The end of the search does not overflow.
        #expect(leap.latest(notAfter: 150_000_000, after: -150_000_000) != nil)
        #expect(leap.latest(notAfter: 5, after: 5) == nil)
    }

    @Test func macrosAreWhatTheyStandFor() throws {
        for (macro, text) in [
            ("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"),
            ("@weekly", "0 0 * * 0"),
            ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"), ("@annually", "0 0 1 1 *"),
        ] {
            let expanded = try #require(cron(text))
            #expect(try #require(cron(macro)) == expanded, "\(macro)")
        }
    }

    @Test(arguments: [
        "0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 31 feb */2", "0 0 */31 * *,", "60 * * * *", "* 24 * * *",
        "* * 32 * *",
        "* * * 13 *", "* * * 0 *", "* * * * 8", "5-1 * * * *", "5/10 * * * *", "*/0 * * * *", "*/60 * * * *",
        "1, * * * *",
        ",1 * * * *", "1-2-3 * * * *", "-1 * * * *", "* * * janu *", "* * * jan-feb-mar *", "* * * * sat-sun",
        "mon * * * *",
        "1.5 * * * *", "** * * * *", "0256 * * * *", "", "*", "@", "@reboot", "* * * *", "* * * * * *",
        "1 2 3 4 5 # x",
    ])
    func wrongExpressions(_ text: String) { #expect(cron(text) == nil, "\(text)") }

    @Test func oddButRightExpressions() {
        for text in [
            "0 0 30 2 mon", " \t0  0\t* * *\n", "00 007 1 01 *", "0 0 29 2 */7", "*/59 * * * *",
            "0-59 0-23 1-31 1-12 0-7",
        ] {
            #expect(cron(text) != nil, "\(text)")
        }
    }
}
