// SPDX-License-Identifier: MIT
// What the doctor's findings look like, and that it comes to an end wherever it is.
import CKTRxer
import Foundation
import KTRxerLite
import Testing

@testable import ktrxer_agent

@Suite struct DoctorTests {
    private func report(isJSON: Bool, interfaces: Int = 2) -> String {
        var report = DoctorReport(isJSON: isJSON, version: "1.2.3")
        report.add("module", .bad, ByteText("not \"loaded\"".utf8), number: 0, advice: "load it")
        report.add("timer_resolution_ns", .good, [], number: 1, advice: "not shown")
        for index in 0..<interfaces {
            report.beginInterface(ByteText("eth\(index)".utf8))
            report.add("gro", .note, ByteText("yes".utf8), number: 0, advice: "merged")
        }
        return String(decoding: report.end(kernelTransport: false), as: UTF8.self)
    }

    @Test func textSaysWhatToDo() {
        #expect(
            report(isJSON: false, interfaces: 1) == """
                ! module                    not "loaded"
                    load it
                  timer resolution ns       1

                interface eth0
                - gro                       yes
                    merged

                The kernel transport does not work.

                """)
    }

    @Test(arguments: 0..<3)
    func jsonIsOneObject(interfaces: Int) throws {
        let text = report(isJSON: true, interfaces: interfaces)
        #expect(text.filter { $0 == "\n" }.count == 1 && text.last == "\n")
        let object = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(object["kind"] as? String == "doctor" && object["agent"] as? String == "1.2.3")
        #expect(object["kernel_transport"] as? Bool == false)
        let findings = try #require(object["findings"] as? [String: [String: Any]])
        #expect(findings["module"]?["state"] as? String == "bad")
        #expect(findings["module"]?["value"] as? String == "not \"loaded\"")
        #expect(findings["module"]?["advice"] as? String == "load it")
        #expect(findings["timer_resolution_ns"]?["value"] as? Int == 1)
        #expect(findings["timer_resolution_ns"]?["advice"] == nil)
        let list = object["interfaces"] as? [[String: Any]] ?? []
        #expect(list.map { $0["name"] as? String } == (0..<interfaces).map { "eth\($0)" })
        for interface in list {
            let findings = interface["findings"] as? [String: [String: Any]]
            #expect(findings?["gro"]?["state"] as? String == "note")
        }
    }

    @Test func examinesThisMachine() throws {
        var doctor = Doctor(report: DoctorReport(isJSON: true, version: "1.2.3"))
        let text = doctor.examine()
        let object = try #require(JSONSerialization.jsonObject(with: Data(text)) as? [String: Any])
        let findings = try #require(object["findings"] as? [String: [String: Any]])
        for key in [
            "kernel", "module", "net_raw", "net_admin", "timer_resolution_ns", "clocksource", "wake_late_median_ns",
            "wake_late_worst_ns", "interruption_worst_ns", "clock_synchronised", "icmp_ratelimit_ms",
            "ping_group_range", "name_server",
        ] {
            #expect(findings[key] != nil, "\(key)")
        }
        let median = try #require(findings["wake_late_median_ns"]?["value"] as? Int)
        let worst = try #require(findings["wake_late_worst_ns"]?["value"] as? Int)
        #expect(median >= 0 && worst >= median)
    }
}
