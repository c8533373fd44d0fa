// SPDX-License-Identifier: MIT
// What `run --due` remembers between its runs, and what is due by it. Text in, text out: the caller reads
// the file and replaces it in one step.
import KTRxerLite

/// When each job was last due.
///
/// The file is text: `ktrxer-state 1 SEED BOOT`, a line `NAME TIME` for each job, and `end NUMBER`. SEED is
/// random, in hexadecimal; BOOT the kernel's boot id. TIME is in seconds since 1970: for interval jobs the
/// nominal time of the last run, for cron jobs the local time up to which minutes were looked at, for
/// `at start` jobs the time of the run.
struct DueState {
    /// Makes the splay of this device differ from others'; 0 until one is drawn.
    private var seed: UInt64 = 0
    private var boot = ByteText()
    private var names: [ByteText] = []
    /// ns.
    private var times: [Int64] = []

    private static let second: Int64 = 1_000_000_000
    /// Clock set back by less: what has run is not repeated. As in cron.
    private static let largestStep: Int64 = 180 * 60 * second
    /// Year 2262: 292 years of ns.
    private static let latest: Int64 = 9_000_000_000

    /// Nothing has run.
    init() {}

    /// Reads the file. nil when it is torn or not such a file: then begin anew with `DueState()`, and say so.
    init?(_ bytes: ByteText) {
        var position = 0
        guard let header = Self.fields(of: bytes, at: &position), header.count == 4,
            header[0].equals("ktrxer-state"), header[1].equals("1"),
            let seed = Self.hexadecimal(header[2])
        else { return nil }
        self.seed = seed
        boot = header[3]
        while let line = Self.fields(of: bytes, at: &position) {
            guard line.count == 2, let number = NumberText.parse(line[1]) else { return nil }
            if line[0].equals("end") && position == bytes.count {
                guard number == Int64(names.count) else { return nil }
                return
            }
            guard number <= Self.latest else { return nil }
            names.append(line[0])
            times.append(number * Self.second)
        }
        return nil
    }

    /// Which jobs are due, and the state to be written. `boot`: the kernel's boot id, or empty; `seed`:
    /// random, taken when the state has none yet.
    func decide(
        _ jobs: [Job], now: ClockReading, boot: ByteText, seed: UInt64
    ) -> (due: [DueJob], next: DueState) {
        var next = DueState()
        next.seed = self.seed != 0 ? self.seed : max(seed, 1)
        next.boot = Self.word(boot)
        let index = NameIndex(names)
        var due: [DueJob] = []
        for position in 0..<jobs.count {
            let job = jobs[position]
            let last = index.find(job.name, in: names).map { times[$0] }
            guard job.enabled else {
                if let last { next.remember(job.name, last) }
                continue
            }
            switch job.schedule {
            case .interval(let interval, let phase, let splay):
                let slot = Self.lastSlot(
                    now.realtime, interval, phase, splay, seed: next.seed, name: job.name)
                // Whole seconds, as in the file; two runs are at least one apart. A last run that lies far
                // ahead is of another time.
                if let last, CronMinute.floorDivide(slot, Self.second) * Self.second <= last,
                    last &- now.realtime < max(Self.largestStep, interval)
                {
                    next.remember(job.name, last)
                } else {
                    due.append(DueJob(job: position, scheduled: slot))
                    next.remember(job.name, slot)
                }
            case .cron(let expression):
                let local = now.realtime &+ Int64(now.utcOffset) &* Self.second
                let minute = CronMinute.floorDivide(local, 60 * Self.second)
                // Never looked at, or the clock was set far back: only the present minute counts.
                var seen = last.map { $0 / (60 * Self.second) } ?? minute - 1
                if seen - minute >= Self.largestStep / (60 * Self.second) { seen = minute - 1 }
                if let found = expression.latest(notAfter: minute, after: seen) {
                    let scheduled = (found &* 60 &- Int64(now.utcOffset)) &* Self.second
                    due.append(DueJob(job: position, scheduled: scheduled))
                }
                next.remember(job.name, max(seen, minute) &* 60 &* Self.second)
            case .atStart:
                if let last, self.boot == next.boot {
                    next.remember(job.name, last)
                } else {
                    due.append(DueJob(job: position, scheduled: now.realtime))
                    next.remember(job.name, now.realtime)
                }
            }
        }
        return (due, next)
    }

    /// The text of the file.
    var text: ByteText {
        var text = ByteText()
        text.append(text: "ktrxer-state 1 ")
        text.append(hexadecimal: seed, width: 16)
        text.append(0x20)
        text.append(contentsOf: boot)
        text.append(0x0A)
        for position in 0..<names.count {
            text.append(contentsOf: names[position])
            text.append(0x20)
            text.append(decimal: max(0, times[position]) / Self.second)
            text.append(0x0A)
        }
        text.append(text: "end ")
        text.append(decimal: Int64(names.count))
        text.append(0x0A)
        return text
    }

    private mutating func remember(_ name: ByteText, _ time: Int64) {
        names.append(name)
        times.append(max(0, time))
    }

    /// The nominal time of the last run of an interval job that is due at `now`: a multiple of the interval
    /// since 1970, plus the phase. Its splay is drawn from the seed, the job and the time, so that each run
    /// of this program draws the same.
    private static func lastSlot(
        _ now: Int64, _ interval: Int64, _ phase: Int64, _ splay: Int64, seed: UInt64, name: ByteText
    ) -> Int64 {
        let number = CronMinute.floorDivide(now &- phase, interval)
        let slot = number &* interval &+ phase
        var mixed = seed ^ UInt64(bitPattern: number)
        for byte in name { mixed = (mixed ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var random = SplayRandom(mixed)
        return slot &+ random.next(below: splay) <= now ? slot : slot &- interval
    }

    /// A boot id as one word of the file.
    private static func word(_ text: ByteText) -> ByteText {
        var word = ByteText()
        for byte in text where byte > 0x20 && byte < 0x7F && word.count < 64 { word.append(byte) }
        if word.isEmpty { word.append(0x2D) }
        return word
    }

    /// The words of one whole line; nil at the end, and for a line without its newline.
    private static func fields(of bytes: ByteText, at position: inout Int) -> [ByteText]? {
        var fields: [ByteText] = []
        var field = ByteText()
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == 0x20 || byte == 0x0A {
                // More words than any line has are not kept.
                if fields.count < 5 { fields.append(field) }
                if byte == 0x0A { return fields }
                field = []
            } else if field.count <= JobFileParser.longestName {
                field.append(byte)
            }
        }
        return nil
    }

    private static func hexadecimal(_ text: ByteText) -> UInt64? {
        guard text.count == 16 else { return nil }
        var value: UInt64 = 0
        for byte in text {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(byte - 0x57)
            default: return nil
            }
        }
        return value
    }
}
