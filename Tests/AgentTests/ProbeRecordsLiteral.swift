// SPDX-License-Identifier: MIT
// Probe records written down as a list.
import KTRxerLite

extension ProbeRecords: ExpressibleByArrayLiteral {
    public convenience init(arrayLiteral records: ProbeRecord...) { self.init(records) }
}
