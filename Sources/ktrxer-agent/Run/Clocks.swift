// SPDX-License-Identifier: MIT
// The readings of the clocks that the scheduler goes by.
import CKTRxer
import KTRxerLite

extension ClockReading {
    static func now() -> ClockReading {
        let realtime = ktrxer_clock_realtime()
        var local = ktrxer_local_time()
        // Floor, so that instants before 1970 stay in order.
        let seconds = realtime >= 0 ? realtime / 1_000_000_000 : -1
        let known = ktrxer_local_time(seconds, &local) == 0
        return ClockReading(
            boottime: ktrxer_clock_boottime(), realtime: realtime, utcOffset: known ? local.utc_offset : 0)
    }
}

/// A random number from the kernel.
func randomNumber() -> UInt64 {
    var bytes = [UInt8](repeating: 0, count: 8)
    bytes.withUnsafeMutableBytes { ktrxer_random($0.baseAddress, 8) }
    var number: UInt64 = 0
    for byte in bytes { number = number << 8 | UInt64(byte) }
    return number
}
