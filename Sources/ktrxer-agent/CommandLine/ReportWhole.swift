// SPDX-License-Identifier: MIT
// A measurement told in one piece after its end, for runs of many jobs at the same time.
import KTRxerLite

extension Report {
    /// The opening line, a ping's answers by sequence number, and what `finished` says.
    static func whole(_ result: MeasurementResult, into text: inout ByteText) {
        if let address = result.address, let transport = result.transport {
            started(
                result.kind, target: result.target, address: address, transport: transport,
                options: result.options, into: &text)
            if result.kind == .ping {
                for index in 0..<result.records.count {
                    let record = result.records[index]
                    guard let first = record.answer else { continue }
                    answer(first, of: record, address: address, options: result.options, into: &text)
                }
            }
        }
        finished(result, into: &text)
    }
}
