// swift-tools-version: 6.1
// SPDX-License-Identifier: MIT
// The host build: ordinary Swift, for unit tests, sanitizers and fuzzing. What runs on a device is
// built from the same sources in Embedded mode by the Makefile.
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableExperimentalFeature("Lifetimes"),
    .swiftLanguageMode(.v6),
]

let package = Package(
    name: "ktrxer",
    products: [
        .library(name: "KTRxerLite", targets: ["KTRxerLite"]),
        .executable(name: "ktrxer-agent", targets: ["ktrxer-agent"]),
    ],
    targets: [
        .target(
            name: "CKTRxer", exclude: ["start.c", "arc4random.c", "posix_memalign.c", "resolv_conf.c"],
            cSettings: [
                .define("_GNU_SOURCE"), .define("KTRXER_SIMULATION"), .headerSearchPath("../../kmod/uapi"),
                .unsafeFlags(["-Wall", "-Wextra", "-Werror"]),
            ]),
        .target(name: "KTRxerLite", dependencies: ["CKTRxer"], swiftSettings: swiftSettings),
        .executableTarget(
            name: "ktrxer-agent", dependencies: ["KTRxerLite", "CKTRxer"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "KTRxerLiteTests", dependencies: ["KTRxerLite", "CKTRxer", "CNamespace", "CDevice"],
            resources: [.copy("Vectors")], swiftSettings: swiftSettings),
        .target(name: "CNamespace", path: "Tests/CNamespace", cSettings: [.define("_GNU_SOURCE")]),
        .target(
            name: "CDevice", dependencies: ["CKTRxer"], path: "Tests/CDevice",
            cSettings: [
                .define("_GNU_SOURCE"), .define("KTRXER_SIMULATION"), .headerSearchPath("../../kmod/uapi"),
                .headerSearchPath("../../Sources/CKTRxer"), .unsafeFlags(["-Wall", "-Wextra", "-Werror"]),
            ]),
        .testTarget(
            name: "AgentTests", dependencies: ["ktrxer-agent", "KTRxerLite", "CKTRxer", "CDevice"],
            swiftSettings: swiftSettings),
    ]
)
