// SPDX-License-Identifier: MIT
// A program that runs on a device what the unit tests run on the host: packets, job files, schedules, statistics and
// records, with the code of the agent that was built for it. What it prints is the same on all processors.
//   selftest VECTORS JOBFILE...
import CKTRxer
import KTRxerLite

@main struct SelfTest {
    static func main() {
        guard ktrxer_argument_count() > 1, FrameVectors.load(argument(1)) else {
            Console.message("usage: selftest VECTORS JOBFILE...")
            ktrxer_exit(64)
        }
        runFrames()
        for index in 2..<max(2, ktrxer_argument_count()) { showJobFile(argument(index)) }
        runJobs()
        runSchedules()
        runStatistics()
        runRecords()
        finish()
    }

    private static func argument(_ index: Int32) -> ByteText {
        var text = ByteText()
        text.append(cString: ktrxer_argument(index))
        return text
    }
}
