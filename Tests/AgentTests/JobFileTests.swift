// SPDX-License-Identifier: MIT
import Testing

@testable import ktrxer_agent

