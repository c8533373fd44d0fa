// SPDX-License-Identifier: MIT
// What is said about a command line that cannot be followed: one line that says what to do.
import KTRxerLite

extension OptionsParser {
    /// About an element that getopt_long or the command refuses.
    static func wrong(
        _ element: OptionElement, _ syntax: OptionSyntax, _ command: StaticString
    ) -> UsageError {
        var text = ByteText()
        switch element {
        case .unknown(let letter, let argument):
            text.append(text: "unknown option ")
            if argument.isEmpty {
                text.append(quoted: [0x2D, letter])
            } else {
                var name = ByteText()
                for byte in argument {
                    if byte == 0x3D { break }
                    name.append(byte)
                }
                name.removeFirst(min(2, name.count))
                let begin = syntax.number(beginningWith: name)
                text.append(quoted: argument)
                if begin > 1 {
                    text.append(text: " may be one of ")
                    text.append(decimal: Int64(begin))
                    text.append(text: "; write it in full")
                    return UsageError(text: text)
                }
                if let nearest = syntax.nearest(to: name) {
                    text.append(text: ", did you mean ")
                    text.append(quoted: nearest)
                    text.append(text: "?")
                    return UsageError(text: text)
                }
            }
        case .noValue(let code):
            text.append(quoted: syntax.name(of: code))
            text.append(text: " needs a value")
        case .extraValue(let code):
            text.append(quoted: syntax.name(of: code))
            text.append(text: " takes no value")
        case .operand(let argument), .option(_, let argument):
            text.append(quoted: argument)
            text.append(text: " is not expected here")
        }
        text.append(text: "; see: ktrxer-agent help ")
        text.append(text: command)
        return UsageError(text: text)
    }

    static func unknownCommand(_ name: ByteText) -> UsageError {
        var nearest = NearestName(to: name)
        nearest.consider("ping")
        nearest.consider("trace")
        nearest.consider("train")
        nearest.consider("run")
        nearest.consider("check")
        nearest.consider("version")
        nearest.consider("help")
        guard let best = nearest.best else {
            return error("unknown command ", quoting: name, ", expected one that 'ktrxer-agent help' lists")
        }
        var text = ByteText()
        text.append(text: "unknown command ")
        text.append(quoted: name)
        text.append(text: ", did you mean '")
        text.append(text: best)
        text.append(text: "'?")
        return UsageError(text: text)
    }

    static func aboveCeiling(_ burst: Int, _ adHoc: AdHocOptions) -> UsageError {
        var text = ByteText()
        text.append(text: "that is ")
        text.append(decimal: Int64(burst))
        text.append(text: " packets within a second, the ceiling is ")
        text.append(decimal: Int64(adHoc.maxPPS))
        text.append(text: adHoc.options.kind == .trace ? "; lower --rate" : "; raise --gap, lower --count")
        text.append(text: " or raise --max-pps")
        return UsageError(text: text)
    }

    static func error(_ problem: OptionError, name: ByteText, value: ByteText) -> UsageError {
        var text = ByteText()
        problem.append(to: &text, name: name, value: value)
        return UsageError(text: text)
    }

    static func badValue(_ value: ByteText, of name: StaticString, _ form: OptionForm) -> UsageError {
        var text = ByteText()
        text.append(badValue: value, of: name, form)
        return UsageError(text: text)
    }

    static func error(
        _ first: StaticString, _ second: StaticString = "", _ third: StaticString = ""
    ) -> UsageError {
        var text = ByteText()
        text.append(text: first)
        text.append(text: second)
        text.append(text: third)
        return UsageError(text: text)
    }

    static func error(
        _ before: StaticString, quoting quoted: ByteText, _ after: StaticString = ""
    ) -> UsageError {
        var text = ByteText()
        text.append(text: before)
        text.append(quoted: quoted)
        text.append(text: after)
        return UsageError(text: text)
    }
}
