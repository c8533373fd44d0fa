// SPDX-License-Identifier: MIT
// Reads the command line and hands over to the command.
import CKTRxer
import KTRxerLite

@main struct Agent {
    static func main() {
        ktrxer_exit(run(commandLine()).rawValue)
    }

    private static func run(_ arguments: [ByteText]) -> ExitStatus {
        let command: Command
        do throws(UsageError) {
            command = try OptionsParser.parse(arguments)
        } catch {
            Console.message(error.text)
            return .usage
        }
        switch command {
        case .version:
            var text = ByteText()
            text.append(text: "ktrxer-agent ")
            text.append(text: version)
            text.append(0x0A)
            return Console.output(text) ? .ok : .ioError
        case .help(let topic): return Console.output(Help.text(topic)) ? .ok : .ioError
        case .check(let file): return JobFileCommand.check(file)
        case .doctor(let json, let moduleFile): return Doctor.run(json: json, moduleFile: moduleFile)
        case .measure(let adHoc): return AdHoc(adHoc).run()
        case .run(let options):
            switch options.mode {
            case .stay: return StayingRun.run(options)
            case .once, .due: return PassingRun.run(options)
            }
        }
    }

    /// The arguments after the program's name, as bytes.
    private static func commandLine() -> [ByteText] {
        var arguments: [ByteText] = []
        #if hasFeature(Embedded)
            for index in 1..<max(1, ktrxer_argument_count()) {
                var bytes = ByteText()
                bytes.append(cString: ktrxer_argument(index))
                arguments.append(bytes)
            }
        #else
            for argument in CommandLine.arguments.dropFirst() { arguments.append(ByteText(argument.utf8)) }
        #endif
        return arguments
    }
}
