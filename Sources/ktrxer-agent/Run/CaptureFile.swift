// SPDX-License-Identifier: MIT
// The file of `--pcap`, and what is said when it cannot be written.
import KTRxerLite

final class CaptureFile {
    let writer: PcapngWriter
    private let path: ByteText

    /// nil when the file cannot be made; that has been said.
    init?(_ path: ByteText) {
        do throws(ProbeError) {
            writer = try PcapngWriter(path: path)
        } catch {
            Console.message(path, error: error)
            return nil
        }
        self.path = path
    }

    /// Writes what is left. False when not everything is in the file; that has been said.
    func close() -> Bool {
        writer.flush()
        guard let failure = writer.failure else { return true }
        Console.message(path, error: failure)
        return false
    }
}
