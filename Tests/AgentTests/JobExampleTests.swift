// SPDX-License-Identifier: MIT
// The job files of examples/ are right, and do what their comments say.
import Foundation
import KTRxerLite
import Testing

@testable import ktrxer_agent

/// A file of the repository.
func repositoryFile(_ path: String) throws -> String {
    let tests = URL(filePath: #filePath).deletingLastPathComponent()
    return try String(contentsOf: tests.appending(path: "../../" + path), encoding: .utf8)
}

@Suite struct JobExampleTests {
    @Test func firstRun() throws {
        let file = try #require(parsed(try repositoryFile("examples/first-run.conf")))
        #expect(file.jobs.map { $0.options.kind } == [.ping, .trace, .train])
        for job in file.jobs {
            #expect(job.enabled)
            #expect(job.targets.map(string) == ["192.0.2.80", "2001:db8:80::80"])
        }
        // Six seconds in all, even one after the other, as long as everything answers.
        let sending = file.jobs.reduce(Int64(0)) { sum, job in
            sum + Int64(job.targets.count)
                * (job.options.kind == .trace
                    ? Int64(job.options.maxHops) * Int64(job.options.probesPerHop) * 1_000_000_000
                        / Int64(job.options.rate)
                    : Int64(job.options.count) * job.options.gap)
        }
        #expect(sending <= 6_000_000_000)
    }

    @Test func gateway() throws {
        let file = try #require(parsed(try repositoryFile("examples/gateway.conf")))
        #expect(file.jobs.filter(\.enabled).map { string($0.name) } == ["gateway"])
        #expect(file.jobs.count == 4)
    }

    /// The service that `make install` brings may write in two folders only.
    @Test func installed() throws {
        let file = try #require(parsed(try repositoryFile("packaging/gateway/gateway.conf")))
        #expect(file.jobs.filter(\.enabled).map { string($0.name) } == ["provider"])
        #expect(string(file.settings.output).hasPrefix("/var/log/ktrxer/"))
        #expect(string(file.settings.state).hasPrefix("/var/lib/ktrxer/"))
    }
}
