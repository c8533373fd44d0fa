# SPDX-License-Identifier: MIT
"""The built agent fits the flash of small routers: its size is under the bound in toolchains/x86_64.mk."""

import re

from bed import AGENT, ROOT


def test_agent_is_within_its_size():
    bound = re.search(r"^AGENT_BYTES_MAXIMUM := (\d+)$", (ROOT / "toolchains/x86_64.mk").read_text(), re.MULTILINE)
    assert bound, "toolchains/x86_64.mk names no bound"
    size = AGENT.stat().st_size
    assert size <= int(bound[1]), f"{AGENT} has {size} bytes, {size - int(bound[1])} too many"


def test_agent_is_a_stripped_static_program():
    """What only debuggers and loaders of libraries read is not carried along."""
    header = AGENT.read_bytes()
    assert header[:4] == b"\x7fELF"
    for section in (b".symtab", b".debug_info", b".eh_frame", b".interp", b".comment"):
        assert section + b"\0" not in header, section
