// SPDX-License-Identifier: MIT
// What is said about a command line that cannot be followed: one line that says what to do.
import CKTRxer
import KTRxerLite

extension OptionsParser {
    /// About an element that the C floor refuses: its code, the culprit and the argument, as in `ktrxer_option`.
    static func wrong(
        _ code: Int32, _ culprit: Int32, _ argument: ByteText, _ syntax: OptionSyntax, _ command: StaticString
    ) -> UsageError {
        var text = ByteText()
        if code == Int32(KTRXER_OPTION_UNKNOWN) {
            text.append(text: "unknown option ")
            text.append(quoted: argument.isEmpty ? OptionSyntax.spelling(culprit) : argument)
            if suggest(instead: argument, syntax, &text) { return UsageError(text: text) }
        } else {
            text.append(quoted: OptionSyntax.spelling(culprit))
            text.append(text: code == Int32(KTRXER_OPTION_NO_VALUE) ? " needs a value" : " takes no value")
        }
        text.append(text: "; see: ktrxer-agent help ")
        text.append(text: command)
        return UsageError(text: text)
    }

    /// Appends what may be meant by `--name` or `--name=value`; false when it is anybody's guess.
    private static func suggest(
        instead argument: ByteText, _ syntax: OptionSyntax, _ text: inout ByteText
    ) -> Bool {
        var name = ByteText()
        for index in 2..<max(2, argument.count) {
            if argument[index] == 0x3D { break }
            name.append(argument[index])
        }
        if name.isEmpty { return false }
        var nearest = NearestName(to: name)
        var beginning = 0
        for number in syntax.first..<(syntax.first + syntax.count) {
            let candidate = OptionSyntax.name(number)
            nearest.consider(candidate, number: number)
            if candidate.count > name.count && name.elementsEqual(candidate.prefix(name.count)) { beginning += 1 }
        }
        if beginning > 1 {
            text.append(text: " may be one of ")
            text.append(decimal: Int64(beginning))
            text.append(text: "; write it in full")
            return true
        }
        guard let number = nearest.bestNumber else { return false }
        text.append(text: ", did you mean ")
        text.append(quoted: OptionSyntax.spelling(Int32(KTRXER_OPTION_LONG) + Int32(number)))
        text.append(text: "?")
        return true
    }

    static func unknownCommand(_ name: ByteText) -> UsageError {
        var nearest = NearestName(to: name)
        nearest.consider("ping")
        nearest.consider("trace")
        nearest.consider("train")
        nearest.consider("run")
        nearest.consider("check")
        nearest.consider("doctor")
        nearest.consider("version")
        nearest.consider("help")
        var text = ByteText()
        text.append(text: "unknown command ")
        text.append(quoted: name)
        text.append(nearest: nearest.best)
        return UsageError(text: text)
    }

    static func aboveCeiling(_ burst: Int, _ ceiling: Int, _ kind: MeasurementKind) -> UsageError {
        var text = ByteText()
        text.append(burst: burst, text: " packets within a second, expected at most ", ceiling: ceiling)
        text.append(text: kind == .trace ? "; lower --rate" : "; raise --gap, lower --count")
        text.append(text: " or raise --max-pps")
        return UsageError(text: text)
    }

    @inline(never)
    static func error(_ problem: OptionError, name: ByteText, value: ByteText) -> UsageError {
        var text = ByteText()
        problem.append(to: &text, name: name, value: value)
        return UsageError(text: text)
    }

    @inline(never)
    static func badValue(_ value: ByteText, _ code: Int32, _ form: OptionForm) -> UsageError {
        var text = ByteText()
        text.append(quoted: OptionSyntax.spelling(code))
        text.append(text: " is ")
        text.append(expected: form, insteadOf: value)
        return UsageError(text: text)
    }

    @inline(never)
    static func error(_ first: StaticString, _ second: StaticString = "", _ third: StaticString = "") -> UsageError {
        var text = ByteText()
        text.append(text: first)
        text.append(text: second)
        text.append(text: third)
        return UsageError(text: text)
    }

    @inline(never)
    static func error(
        _ before: StaticString, quoting quoted: ByteText, _ after: StaticString = "", _ last: StaticString = ""
    ) -> UsageError {
        var text = ByteText()
        text.append(text: before)
        text.append(quoted: quoted)
        text.append(text: after)
        text.append(text: last)
        return UsageError(text: text)
    }
}
