// SPDX-License-Identifier: MIT
// What the unit tests' macros are on a device: counts what was checked, and says which line did not hold.
import CKTRxer
import KTRxerLite

/// A literal is text as it stands in the program: String's code is neither small nor right on big-endian machines.
typealias StringLiteralType = StaticString

nonisolated(unsafe) private var checks = 0
nonisolated(unsafe) private var failures = 0

func expect(_ holds: Bool, line: Int = #line, file: StaticString = #fileID) {
    checks += 1
    if !holds { fail("does not hold", line, file) }
}

/// The body must throw just this.
func expectError(
    _ expected: FrameError, line: Int = #line, file: StaticString = #fileID,
    _ body: () throws(FrameError) -> Void
) {
    checks += 1
    do throws(FrameError) {
        try body()
        fail("throws nothing", line, file)
    } catch {
        if error != expected { fail("throws another error", line, file) }
    }
}

func required<Value>(_ value: Value?, line: Int = #line, file: StaticString = #fileID) throws(FrameError) -> Value {
    checks += 1
    guard let value else {
        fail("is nil", line, file)
        throw .truncated
    }
    return value
}

/// Runs one test, which must not throw.
func run(_ name: StaticString, _ body: () throws(FrameError) -> Void) {
    let before = checks
    do throws(FrameError) { try body() } catch { fail("throws", Int(error.rawValue), name) }
    var line = ByteText()
    line.append(text: name)
    line.append(text: ": ")
    line.append(decimal: Int64(checks - before))
    line.append(text: " checks")
    show(line)
}

/// Writes one line to the standard output.
func show(_ text: ByteText) {
    var line = text
    line.append(0x0A)
    Console.output(line)
}

/// Ends the program: 0, or 1 when something failed.
func finish() -> Never {
    var line = ByteText()
    line.append(decimal: Int64(checks))
    line.append(text: " checks, ")
    line.append(decimal: Int64(failures))
    line.append(text: " failed")
    show(line)
    ktrxer_exit(failures == 0 && checks > 0 ? 0 : 1)
}

private func fail(_ what: StaticString, _ line: Int, _ file: StaticString) {
    failures += 1
    var text = ByteText()
    text.append(text: "FAILED: ")
    text.append(text: file)
    text.append(0x3A)
    text.append(decimal: Int64(line))
    text.append(0x20)
    text.append(text: what)
    show(text)
}
