// SPDX-License-Identifier: MIT
// Reading the job file, for `check` and `run`, and telling what is wrong with it.
import CKTRxer
import KTRxerLite

enum JobFileCommand {
    /// A job file of 10,000 jobs has about 2 MB.
    private static let largest = 16 << 20

    /// `ktrxer-agent check FILE`.
    static func check(_ file: ByteText) -> ExitStatus {
        switch load(file) {
        case .failure(let status): return status
        case .success(let jobFile):
            var enabled = 0
            for job in jobFile.jobs where job.enabled { enabled += 1 }
            var text = file
            text.append(text: ": ")
            text.append(decimal: Int64(jobFile.jobs.count))
            text.append(text: jobFile.jobs.count == 1 ? " job, " : " jobs, ")
            text.append(decimal: Int64(enabled))
            text.append(text: " enabled, no errors\n")
            return Console.output(text) ? .ok : .ioError
        }
    }

    enum Outcome {
        case success(JobFile)
        /// The errors have been written to the standard error.
        case failure(ExitStatus)
    }

    static func load(_ file: ByteText) -> Outcome {
        var path = file
        path.append(0)
        var capacity = 64 << 10
        while true {
            var bytes = [UInt8](repeating: 0, count: capacity)
            let result = bytes.withUnsafeMutableBytes { buffer in
                path.withUnsafeBytes { name in
                    ktrxer_file_read(name.bindMemory(to: CChar.self).baseAddress, buffer.baseAddress, UInt32(capacity))
                }
            }
            if result >= 0 {
                bytes.removeLast(bytes.count - min(bytes.count, Int(result)))
                return parse(bytes, file: file)
            }
            let code = Int32(truncatingIfNeeded: -result)
            if ktrxer_error_class(code) == Int32(KTRXER_ERROR_FILE_TOO_LARGE.rawValue) && capacity < largest {
                capacity *= 4
                continue
            }
            var text = file
            text.append(text: ": cannot read the job file: ")
            text.append(cString: ktrxer_error_text(code))
            Console.message(text)
            return .failure(.noInput)
        }
    }

    private static func parse(_ bytes: ByteText, file: ByteText) -> Outcome {
        do throws(JobFileErrors) {
            return .success(try JobFile.parse(bytes))
        } catch {
            Console.complain(error.report(file: file))
            return .failure(.jobFile)
        }
    }
}
