// SPDX-License-Identifier: MIT

/// The version of the agent and the library: in `ktrxer-agent version`, and in every record.
let version: StaticString = "0.1.0"
