// SPDX-License-Identifier: MIT
// What the doctor finds out, as text for people or as one JSON object, written as it is found. Finding out is
// Doctor.swift's.
import KTRxerLite

struct DoctorReport {
    /// What a finding means: nothing to be done; worth knowing; stands in the way.
    enum State: UInt8 { case good, note, bad }

    private let isJSON: Bool
    private var text = ByteText()
    private var json = JSONText()
    private var hasInterfaces = false

    init(isJSON: Bool, version: StaticString) {
        self.isJSON = isJSON
        json.beginObject()
        json.add("schema", 1)
        json.add("kind", literal: "doctor")
        json.add("agent", literal: version)
        json.beginObject("findings")
    }

    /// One thing that was looked at.
    /// - Parameters:
    ///   - name: a JSON key.
    ///   - text: what was found; empty: `number` was.
    ///   - advice: what to do about it, unless it is good.
    @inline(never)
    mutating func add(
        _ name: StaticString, _ state: State, _ value: ByteText, number: Int64, advice: StaticString
    ) {
        var shown = value
        if value.isEmpty { shown.append(decimal: number) }
        let word: StaticString = state == .good ? "good" : state == .note ? "note" : "bad"
        if isJSON {
            json.beginObject(name)
            json.add("state", literal: word)
            if value.isEmpty { json.add("value", number) } else { json.add("value", text: value) }
            if state != .good { json.add("advice", literal: advice) }
            json.endObject()
            return
        }
        text.append(text: state == .good ? "  " : state == .note ? "- " : "! ")
        let start = text.count
        text.append(text: name)
        // Keys of JSON are words of this program, for people too.
        for index in start..<text.count where text[index] == 0x5F { text[index] = 0x20 }
        while text.count - start < 26 { text.append(0x20) }
        text += shown
        if state != .good {
            text.append(text: "\n    ")
            text.append(text: advice)
        }
        text.append(0x0A)
    }

    /// What follows is about an interface.
    mutating func beginInterface(_ name: ByteText) {
        json.endObject()
        if hasInterfaces { json.endObject() } else { json.beginArray("interfaces") }
        hasInterfaces = true
        json.beginObject()
        json.add("name", text: name)
        json.beginObject("findings")
        text.append(text: "\ninterface ")
        text += name
        text.append(0x0A)
    }

    /// All of it.
    mutating func end(kernelTransport works: Bool) -> ByteText {
        json.endObject()
        if hasInterfaces {
            json.endObject()
            json.endArray()
        }
        json.add("kernel_transport", works)
        json.endObject()
        json.endLine()
        text.append(text: "\nThe kernel transport ")
        text.append(text: works ? "works.\n" : "does not work.\n")
        return isJSON ? json.bytes : text
    }
}
