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
final class DueState {
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

    /// Whether these bytes are, or were, such a file, whatever has become of the rest.
    static func begins(_ bytes: ByteText) -> Bool {
        var position = 0
        return word(of: bytes, at: &position, end: 0x20)?.equals("ktrxer-state") == true
    }

    /// Reads the file. nil when it is torn or not such a file: then begin anew with `DueState()`, and say so.
    init?(_ bytes: ByteText) {
        var position = 0
        guard Self.word(of: bytes, at: &position, end: 0x20)?.equals("ktrxer-state") == true,
            Self.word(of: bytes, at: &position, end: 0x20)?.equals("1") == true,
            let seed = Self.hexadecimal(Self.word(of: bytes, at: &position, end: 0x20)),
            let boot = Self.word(of: bytes, at: &position, end: 0x0A)
        else { return nil }
        self.seed = seed
        self.boot = boot
        while let name = Self.word(of: bytes, at: &position, end: 0x20),
            let digits = Self.word(of: bytes, at: &position, end: 0x0A), let number = NumberText.parse(digits)
        {
            if position == bytes.count {
                guard name.equals("end"), number == Int64(names.count) else { return nil }
                return
            }
            guard number <= Self.latest else { return nil }
            remember(name, number * Self.second)
        }
        return nil
    }

    /// Which jobs are due, and the state to be written. `boot`: the kernel's boot id, or empty; `seed`:
    /// random, taken when the state has none yet.
    func decide(
        _ jobs: [Job], now: ClockReading, boot: ByteText, seed: UInt64
    ) -> (due: [DueJob], next: DueState) {
        let next = DueState()
        next.seed = self.seed != 0 ? self.seed : max(seed, 1)
        next.boot = Self.printable(boot)
        let sameBoot = self.boot == next.boot
        let index = NameIndex(names)
        var due: [DueJob] = []
        for position in 0..<jobs.count {
            let place = index.find(jobs[position].name, in: names)
            let last = place == nil ? nil : times[place ?? 0]
            var seen = last
            var scheduled: Int64?
            if jobs[position].enabled {
                switch jobs[position].schedule {
                case .interval(let interval, let phase, let splay):
                    let random = next.random(jobs[position].name)
                    (scheduled, seen) = Self.interval(now.realtime, interval, phase, splay, random, last)
                case .cron(let expression): (scheduled, seen) = Self.cron(now, expression, last)
                case .atStart:
                    if last == nil || !sameBoot {
                        scheduled = now.realtime
                        seen = scheduled
                    }
                }
            }
            if let seen { next.remember(jobs[position].name, seen) }
            if let scheduled { due.append(DueJob(job: position, scheduled: scheduled)) }
        }
        return (due, next)
    }

    /// When the run was due that is due now, if one is; and what to remember.
    private static func interval(
        _ now: Int64, _ interval: Int64, _ phase: Int64, _ splay: Int64, _ random: UInt64, _ last: Int64?
    ) -> (Int64?, Int64) {
        // Multiples of the interval since 1970, plus phase. The splay of a time is the same at each call.
        let number = CronMinute.floorDivide(now &- phase, interval)
        var slot = number &* interval &+ phase
        var splayed = SplayRandom(random ^ UInt64(bitPattern: number))
        if slot &+ splayed.next(below: splay) > now { slot = slot &- interval }
        // Whole seconds, as in the file; two runs are at least one apart. A last run that lies far ahead is
        // of another time.
        if let last, CronMinute.floorDivide(slot, second) * second <= last,
            last &- now < largestStep
        {
            return (nil, last)
        }
        return (slot, slot)
    }

    private static func cron(_ now: ClockReading, _ expression: CronExpression, _ last: Int64?) -> (Int64?, Int64) {
        let minute = 60 * second
        let offset = Int64(now.utcOffset) &* second
        let current = CronMinute.floorDivide(now.realtime &+ offset, minute)
        // Never looked at, or the clock was set far back: only the present minute counts.
        var seen = current &- 1
        if let last, last / minute &- current < largestStep / minute { seen = last / minute }
        let found = expression.latest(notAfter: current, after: seen)
        return (found.map { $0 &* minute &- offset }, max(seen, current) &* minute)
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

    @inline(never)
    private func remember(_ name: ByteText, _ time: Int64) {
        names.append(name)
        times.append(max(0, time))
    }

    /// What the splay of a job is drawn from: FNV-1a of its name, mixed with the seed of this device.
    private func random(_ name: ByteText) -> UInt64 {
        var mixed = seed
        for byte in name { mixed = (mixed ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return mixed
    }

    /// A boot id as one word of the file.
    private static func printable(_ text: ByteText) -> ByteText {
        var word = ByteText()
        for byte in text where byte > 0x20 && byte < 0x7F && word.count < 64 { word.append(byte) }
        if word.isEmpty { word.append(0x2D) }
        return word
    }

    /// The next word, which must be followed by `end`, a space or a newline; nil when it is not.
    private static func word(of bytes: ByteText, at position: inout Int, end: UInt8) -> ByteText? {
        var word = ByteText()
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == end { return word }
            if byte == 0x20 || byte == 0x0A || word.count > JobFileParser.longestName { return nil }
            word.append(byte)
        }
        return nil
    }

    private static func hexadecimal(_ text: ByteText?) -> UInt64? {
        guard let text, text.count == 16 else { return nil }
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
