// SPDX-License-Identifier: MIT
// `ktrxer-agent doctor`: looks at what this device can do, and says what stands in the way. Sends nothing.
import CKTRxer
import KTRxerLite

struct Doctor {
    private var report: DoctorReport
    private let moduleFile: ByteText
    private var kernelTransport = false

    /// - Parameter moduleFile: path of a module that is to be looked at, too; empty: none.
    static func run(json: Bool, moduleFile: ByteText) -> ExitStatus {
        var doctor = Doctor(report: DoctorReport(isJSON: json, version: version), moduleFile: moduleFile)
        guard Console.output(doctor.examine()) else { return .ioError }
        return doctor.kernelTransport ? .ok : .noAnswer
    }

    /// The whole report.
    mutating func examine() -> ByteText {
        lookAtModule()
        lookAtPermissions()
        lookAtTimers()
        lookAtSystem()
        lookAtInterfaces()
        return report.end(kernelTransport: kernelTransport)
    }

    init(report: DoctorReport, moduleFile: ByteText = []) {
        self.report = report
        self.moduleFile = moduleFile
    }

    @inline(never)
    private mutating func note(
        _ name: StaticString, _ state: DoctorReport.State, _ text: ByteText, advice: StaticString = ""
    ) {
        report.add(name, state, text, number: 0, advice: advice)
    }

    @inline(never)
    private mutating func note(
        _ name: StaticString, _ number: Int64, _ state: DoctorReport.State = .good, advice: StaticString = ""
    ) {
        report.add(name, state, [], number: number, advice: advice)
    }

    @inline(never)
    private mutating func note(
        _ name: StaticString, _ flag: Bool, otherwise state: DoctorReport.State = .good, advice: StaticString = ""
    ) {
        note(name, flag ? .good : state, bytes(flag ? "yes" : "no"), advice: advice)
    }

    // MARK: The module

    private mutating func lookAtModule() {
        note("kernel", .good, Self.text(ktrxer_kernel_described()))
        if !moduleFile.isEmpty {
            (moduleFile + [0]).withUnsafeBytes {
                judge("module_file", $0.baseAddress?.assumingMemoryBound(to: CChar.self))
            }
        }
        var info = ktrxer_device_info()
        let result = ktrxer_device_info(-1, &info)
        if ktrxer_device_missing(result) != 0 {
            judge("module", nil)
        } else if result < 0 && ktrxer_device_mismatch(result) == 0 {
            note("module", .bad, Self.error(result), advice: "run as root or with CAP_NET_RAW")
        } else if result < 0 || info.abi != info.expected_abi {
            var text = bytes("another version")
            // A module that is older or newer by much does not even understand the question.
            if result >= 0 {
                text.append(text: ": ")
                text += withUnsafeBytes(of: info.version) { upToNUL($0) }
                text.append(text: ", interface ")
                text.append(decimal: Int64(info.abi))
                text.append(text: "; this program has ")
                text.append(decimal: Int64(info.expected_abi))
            }
            note("module", .bad, text, advice: "install the module that belongs to this program")
        } else {
            note("module", .good, withUnsafeBytes(of: info.version) { upToNUL($0) })
            note("rate_ceiling", Int64(info.rate_ceiling))
            note("spin_ceiling_ns", Int64(info.most_spin_ns))
            let capturer = ktrxer_capturer_device()
            kernelTransport = capturer >= 0
            if capturer >= 0 {
                ktrxer_device_close(capturer)
            } else {
                note("krx", .bad, Self.error(capturer), advice: "/dev/krx cannot be opened although /dev/ktx can")
            }
        }
    }

    /// Which kernel a module file is for; of no path, the installed one, which is not loaded. See `ktrxer_module_judged`.
    @inline(never)
    private mutating func judge(_ name: StaticString, _ path: UnsafePointer<CChar>?) {
        var verdict: Int32 = 0
        let text = Self.text(ktrxer_module_judged(path, &verdict))
        note(
            name, verdict == 0 && path != nil ? .good : .bad, text,
            advice: verdict == 0 ? "load it: modprobe ktrxer" : "install the kernel module, built for this kernel")
    }

    private mutating func lookAtPermissions() {
        let capabilities = UInt32(bitPattern: ktrxer_capabilities())
        let raw = capabilities & UInt32(KTRXER_CAPABILITY_NET_RAW) != 0
        let admin = capabilities & UInt32(KTRXER_CAPABILITY_NET_ADMIN) != 0
        note(
            "net_raw", raw, otherwise: .bad, advice: "run as root or with CAP_NET_RAW, or use the socket transport")
        note(
            "net_admin", admin, otherwise: .note,
            advice: "without CAP_NET_ADMIN the system itself resets what answers TCP probes")
    }

    // MARK: Time

    private static let watch: Int64 = 20_000_000

    private mutating func lookAtTimers() {
        let resolution = ktrxer_timer_resolution()
        note(
            "timer_resolution_ns", resolution, resolution == 1 ? .good : .bad,
            advice: "the kernel has no high-resolution timers: launches come late by as much")
        note("clocksource", .good, Self.line("/sys/devices/system/clocksource/clocksource0/current_clocksource\0"))
        var worst: Int64 = 0
        note("wake_late_median_ns", ktrxer_wake_lateness(&worst))
        note("wake_late_worst_ns", worst)
        // What keeps a program from running while it does not sleep: interrupts, other programs.
        note("interruption_worst_ns", ktrxer_longest_interruption(Self.watch))
        note(
            "clock_synchronised", ktrxer_clock_synchronised() == 1, otherwise: .note,
            advice: "times of day in records may be wrong; round-trip times are not concerned")
    }

    // MARK: The system

    private mutating func lookAtSystem() {
        let limit = Self.line("/proc/sys/net/ipv4/icmp_ratelimit\0")
        note(
            "icmp_ratelimit_ms", limit == [0x30] ? .good : .note, limit,
            advice: "this host sends ICMP errors to one peer no more often than that")
        let groups = Self.line("/proc/sys/net/ipv4/ping_group_range\0")
        // "1 0", with a tabulator, stands for nobody.
        note(
            "ping_group_range", groups.count == 3 && groups[0] == 0x31 && groups[2] == 0x30 ? .note : .good, groups,
            advice: "nobody may use the socket transport's ICMP (sysctl net.ipv4.ping_group_range)")
        AgentSettings.setNameServers([])
        var server = ByteText()
        server.append(cString: ktrxer_resolve_first())
        note(
            "name_server", server.isEmpty ? .note : .good, server.isEmpty ? bytes("none") : server,
            advice: "none in /etc/resolv.conf or KTRXER_RESOLVER: only addresses can be targets")
    }

    // MARK: Interfaces

    /// All that are up, by /proc/net/dev: the name of each line ends with a colon.
    private mutating func lookAtInterfaces() {
        var name = ByteText()
        var isName = true
        for byte in Self.read("/proc/net/dev\0", most: 65_536) {
            if byte == 0x0A {
                isName = true
                name.removeAll()
            } else if byte == 0x3A && isName {
                isName = false
                lookAt(name)
            } else if isName && byte != 0x20 {
                name.append(byte)
            }
        }
    }

    private mutating func lookAt(_ name: ByteText) {
        var found: NetworkInterface?
        do throws(ProbeError) { found = try NetworkInterface.lookup(name: name) } catch {}
        guard let interface = found, interface.linkType != .loopback, interface.isUp else { return }
        report.beginInterface(name)
        var card = ktrxer_card()
        _ = (name + [0]).withUnsafeBytes { ktrxer_card($0.baseAddress?.assumingMemoryBound(to: CChar.self), &card) }
        let driver = withUnsafeBytes(of: card.driver) { upToNUL($0) }
        note("driver", .good, driver.isEmpty ? bytes("unknown") : driver)
        note(
            "link_type", interface.linkType == .unsupported ? .note : .good, bytes(interface.linkType.name),
            advice: "only the socket transport can use it")
        note("mtu", Int64(interface.mtu))
        note("carrier", interface.isRunning, otherwise: .note, advice: "nothing can leave by it now")
        let lead = kernelTransport ? ktrxer_timer_lead(interface.index) : -1
        if lead >= 0 { note("timer_lead_ns", lead) }
        // By bit of enum ktrxer_card_flag.
        let names: InlineArray<8, StaticString> = [
            "gro", "lro", "gso", "tso", "stamps_sent", "hardware_stamps_sent", "hardware_stamps_received",
            "hardware_clock",
        ]
        for bit in 0..<8 {
            let isSet = card.flags >> UInt32(bit) & 1 != 0
            note(
                names[bit], isSet && bit < 2 ? .note : .good, bytes(isSet ? "yes" : "no"),
                advice: "packets that arrive together are merged, and stamped as one (ethtool -K)")
        }
    }

    // MARK: Reading

    private static func error(_ result: Int32) -> ByteText { text(ktrxer_error_text(-result)) }

    @inline(never)
    private static func text(_ cString: UnsafePointer<CChar>) -> ByteText {
        var text = ByteText()
        text.append(cString: cString)
        return text
    }

    /// The first line of a file; "unknown" if it cannot be read.
    private static func line(_ path: StaticString) -> ByteText {
        var line = ByteText()
        for byte in read(path, most: 256) {
            if byte == 0x0A { break }
            line.append(byte == 0x09 ? 0x20 : byte)
        }
        return line.isEmpty ? bytes("unknown") : line
    }

    /// What of a file fits; nothing if it cannot be read. `path` ends with a NUL.
    private static func read(_ path: StaticString, most: Int) -> ByteText {
        var content = ByteText(repeating: 0, count: most)
        let length = content.withUnsafeMutableBytes {
            ktrxer_file_read(
                UnsafeRawPointer(path.utf8Start).assumingMemoryBound(to: CChar.self), $0.baseAddress, UInt32($0.count))
        }
        content.removeLast(most - max(0, Int(length)))
        return content
    }
}

private func bytes(_ text: StaticString) -> ByteText {
    var bytes = ByteText()
    bytes.append(text: text)
    return bytes
}

/// A C string field, up to its NUL.
private func upToNUL(_ field: UnsafeRawBufferPointer) -> ByteText {
    var text = ByteText()
    for byte in field {
        if byte == 0 { break }
        text.append(byte)
    }
    return text
}
